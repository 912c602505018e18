from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import money
from app.config import CURRENCIES

amounts = st.integers(-(10**15), 10**15)
prices = st.integers(0, 10**12)
rates = st.integers(0, 10_000)
currencies = st.sampled_from(sorted(CURRENCIES))


def _half_away_from_zero(exact: Fraction) -> int:
    whole = int(abs(exact) + Fraction(1, 2))
    return whole if exact > 0 else -whole


@given(amounts, st.integers(1, 10**9))
def test_rounding_goes_to_the_nearest_and_halves_go_away_from_zero(numerator: int, denominator: int) -> None:
    assert money.rounded(numerator, denominator) == _half_away_from_zero(Fraction(numerator, denominator))


@pytest.mark.parametrize(("numerator", "expected"), [(5, 3), (-5, -3), (4, 2), (-4, -2), (3, 2), (-3, -2), (1, 1), (0, 0)])
def test_halves_round_as_on_an_invoice(numerator: int, expected: int) -> None:
    assert money.rounded(numerator, 2) == expected


@given(prices, rates)
def test_the_tax_in_a_price_is_what_its_net_would_be_charged(gross: int, rate: int) -> None:
    tax = money.tax_within(gross, rate)
    assert 0 <= tax <= gross
    assert tax == _half_away_from_zero(Fraction(gross * rate, 10_000 + rate))


@given(prices, rates)
def test_tax_put_on_top_is_found_again_within(net: int, rate: int) -> None:
    tax = money.tax_on(net, rate)
    assert tax == _half_away_from_zero(Fraction(net * rate, 10_000))
    assert abs(money.tax_within(net + tax, rate) - tax) <= 1


@pytest.mark.parametrize(("gross", "rate", "tax"), [(12_000, 2000, 2000), (5997, 2000, 1000), (490, 2000, 82), (11_900, 1900, 1900), (100, 0, 0), (1, 2000, 0)])
def test_the_tax_within_a_price_by_hand(gross: int, rate: int, tax: int) -> None:
    assert money.tax_within(gross, rate) == tax


@pytest.mark.parametrize(("net", "rate", "tax"), [(10_000, 2000, 2000), (999, 550, 55), (1000, 550, 55), (10, 500, 1), (9, 500, 0), (100, 0, 0)])
def test_the_tax_on_a_price_by_hand(net: int, rate: int, tax: int) -> None:
    assert money.tax_on(net, rate) == tax


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any))
def test_the_parts_of_a_split_sum_to_the_whole_and_none_is_off_by_more_than_one(total: int, weights: list[int]) -> None:
    parts = money.split(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1
        assert weight or not part


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=2, max_size=10).filter(any))
def test_a_greater_weight_never_gets_a_smaller_part(total: int, weights: list[int]) -> None:
    shares = sorted(zip(weights, money.split(total, weights), strict=True))
    assert all(lighter[1] <= heavier[1] for lighter, heavier in zip(shares, shares[1:], strict=False) if lighter[0] < heavier[0])


def test_the_odd_cent_goes_to_the_earlier_part() -> None:
    assert money.split(100, [1, 1, 1]) == [34, 33, 33]
    assert money.split(101, [1, 1, 1]) == [34, 34, 33]
    assert money.split(1, [1, 2]) == [0, 1]


def test_a_split_over_nothing_gives_nothing() -> None:
    assert money.split(0, [0, 0]) == [0, 0]
    assert money.split(0, []) == []


@given(prices, currencies)
def test_an_amount_in_words_is_read_back_as_the_same_amount(amount: int, currency: str) -> None:
    code, text = money.in_words(amount, currency).split(" ")
    assert code == currency
    assert money.parse(text, currency) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (4210, "EUR", "EUR 42.10"),
        (5, "EUR", "EUR 0.05"),
        (0, "USD", "USD 0.00"),
        (-4205, "EUR", "EUR -42.05"),
        (4210, "JPY", "JPY 4210"),
        (-7, "JPY", "JPY -7"),
    ],
)
def test_amounts_in_words(amount: int, currency: str, words: str) -> None:
    assert money.in_words(amount, currency) == words


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("12.50", "EUR", 1250),
        ("12.5", "EUR", 1250),
        ("12", "EUR", 1200),
        (" 0.01 ", "EUR", 1),
        ("12.500", "EUR", 1250),
        ("12.00", "JPY", 12),
        ("007", "JPY", 7),
    ],
)
def test_plain_decimals_are_read(text: str, currency: str, amount: int) -> None:
    assert money.parse(text, currency) == amount


@pytest.mark.parametrize(
    "text",
    ["", ".", ".5", "-1", "+1", "1,50", "1e3", "1_000", "0x10", "nan", "inf", "1.2.3", "1.-5", "1. 5", "12.505", "١٢", "1٫5", "½", "EUR 5", "1\n2", "1.5\x00"],
)
def test_anything_but_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        money.parse(text, "EUR")


@given(st.text(max_size=12), currencies)
def test_no_text_is_read_as_less_than_nothing(text: str, currency: str) -> None:
    try:
        amount = money.parse(text, currency)
    except ValueError:
        return
    assert amount >= 0
    assert set(text.strip()) <= set("0123456789.")


def test_a_currency_without_small_change_has_no_decimals() -> None:
    with pytest.raises(ValueError):
        money.parse("12.5", "JPY")
