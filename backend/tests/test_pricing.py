from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import money
from app.services import pricing
from app.services.pricing import Discount, Line, Quote, Shipping

RATES = st.sampled_from([0, 550, 2000])
lines = st.lists(
    st.builds(
        Line,
        variant_id=st.integers(1, 99),
        quantity=st.integers(1, 99),
        price_minor=st.integers(1, 10**9),
        tax_rate_bp=RATES,
        weight_g=st.integers(0, 50_000),
        is_gift_card=st.sampled_from([False, False, False, True]),
    ),
    max_size=20,
)
shippings = st.none() | st.builds(
    Shipping,
    code=st.just("standard"),
    name=st.just("Standard delivery"),
    price_minor=st.integers(0, 10_000),
    free_from_minor=st.none() | st.integers(0, 10**10),
    days=st.just("2–4"),
    tax_rate_bp=RATES,
    by_weight=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10_000)), max_size=3).map(tuple),
)
some_of_them = st.none() | st.frozensets(st.integers(1, 99), max_size=60)
discounts = (
    st.builds(Discount, name=st.just("Sale"), kind=st.just("percent"), value=st.integers(0, 10_000), variant_ids=some_of_them)
    | st.builds(Discount, name=st.just("Sale"), kind=st.just("fixed"), value=st.integers(0, 10**10), variant_ids=some_of_them)
    | st.just(Discount("Free delivery", "free_shipping"))
)
asked = st.fixed_dictionaries(
    {
        "prices_include_tax": st.booleans(),
        "discounts": st.lists(discounts, max_size=4),
        "coupon": st.none() | discounts,
        "gift_card_minor": st.integers(0, 10**11),
    }
)
Asked = dict[str, Any]
STANDARD = Shipping("standard", "Standard delivery", 490, 6000, "2–4", 2000)


def steps(quote: Quote, *kinds: str) -> int:
    return sum(step["amount_minor"] for step in quote.explanation if step["step"] in kinds)


@given(lines, shippings, asked)
def test_the_total_is_its_parts(goods: list[Line], shipping: Shipping | None, how: Asked) -> None:
    quote = pricing.quote(goods, shipping, **how)
    assert quote.subtotal_minor == sum(line.amount_minor for line in goods)
    assert quote.total_minor == quote.subtotal_minor - quote.discount_minor + quote.shipping_minor + (0 if how["prices_include_tax"] else quote.tax_minor)
    assert quote.due_minor == quote.total_minor - quote.gift_card_minor
    amounts = [quote.discount_minor, quote.shipping_minor, quote.tax_minor, quote.total_minor, quote.gift_card_minor, quote.due_minor, quote.coupon_minor]
    assert min(amounts) >= 0


@given(lines, shippings, asked)
def test_the_explanation_adds_up_to_what_is_charged(goods: list[Line], shipping: Shipping | None, how: Asked) -> None:
    quote = pricing.quote(goods, shipping, **how)
    taxed = "tax_included" if how["prices_include_tax"] else "tax"
    assert steps(quote, "goods", "discount", "shipping", "tax") == steps(quote, "total") == quote.total_minor
    assert steps(quote, "discount") == -quote.discount_minor
    assert steps(quote, "gift_card") == -quote.gift_card_minor
    assert steps(quote, taxed) == quote.tax_minor
    assert not quote.gift_card_minor or steps(quote, "due") == quote.due_minor
    assert {step["step"] for step in quote.explanation} <= {"goods", "discount", "shipping", taxed, "total", "gift_card", "due"}


@given(lines, shippings, asked)
def test_the_lines_discounts_are_the_whole_discount_and_none_is_more_than_its_line(goods: list[Line], shipping: Shipping | None, how: Asked) -> None:
    quote = pricing.quote(goods, shipping, **how)
    assert sum(quote.line_discounts_minor) == quote.discount_minor
    for line, taken_off in zip(goods, quote.line_discounts_minor, strict=True):
        assert 0 <= taken_off <= (0 if line.is_gift_card else line.amount_minor)


@given(lines, shippings, asked)
def test_the_lines_taxes_and_that_of_delivery_are_the_whole_tax(goods: list[Line], shipping: Shipping | None, how: Asked) -> None:
    quote = pricing.quote(goods, shipping, **how)
    tax_of = money.tax_within if how["prices_include_tax"] else money.tax_on
    of_delivery = tax_of(quote.shipping_minor, shipping.tax_rate_bp) if shipping else 0
    assert sum(quote.line_taxes_minor) + of_delivery == quote.tax_minor
    for line, taken_off, tax in zip(goods, quote.line_discounts_minor, quote.line_taxes_minor, strict=True):
        assert abs(tax - tax_of(line.amount_minor - taken_off, line.tax_rate_bp)) <= 1


@given(lines, shippings, asked)
def test_the_goods_of_one_rate_are_taxed_as_one_sum(goods: list[Line], shipping: Shipping | None, how: Asked) -> None:
    quote = pricing.quote(goods, shipping, **how)
    tax_of = money.tax_within if how["prices_include_tax"] else money.tax_on
    sold = list(zip(goods, quote.line_discounts_minor, quote.line_taxes_minor, strict=True))
    for rate in {line.tax_rate_bp for line in goods}:
        of_rate = [(line.amount_minor - taken_off, tax) for line, taken_off, tax in sold if line.tax_rate_bp == rate]
        assert sum(tax for _, tax in of_rate) == tax_of(sum(amount for amount, _ in of_rate), rate)


@given(lines, shippings, asked, st.randoms(use_true_random=False))
def test_the_order_of_the_lines_changes_no_amount(goods: list[Line], shipping: Shipping | None, how: Asked, chance: random.Random) -> None:
    places = chance.sample(range(len(goods)), len(goods))
    one, other = (pricing.quote(some, shipping, **how) for some in (goods, [goods[i] for i in places]))
    assert replace(one, line_taxes_minor=[], line_discounts_minor=[]) == replace(other, line_taxes_minor=[], line_discounts_minor=[])
    assert sorted(one.line_discounts_minor) == sorted(other.line_discounts_minor)


@given(lines, shippings, asked)
def test_asking_twice_gives_the_same_and_changes_nothing(goods: list[Line], shipping: Shipping | None, how: Asked) -> None:
    before = list(goods)
    assert pricing.quote(goods, shipping, **how) == pricing.quote(goods, shipping, **how)
    assert goods == before


@given(lines, shippings, asked)
def test_a_gift_card_pays_all_but_gift_cards_and_never_more_than_it_holds(goods: list[Line], shipping: Shipping | None, how: Asked) -> None:
    quote = pricing.quote(goods, shipping, **how)
    assert quote.gift_card_minor <= how["gift_card_minor"]
    assert quote.due_minor >= sum(line.amount_minor for line in goods if line.is_gift_card)
    plenty = pricing.quote(goods, shipping, **how | {"gift_card_minor": 10**14})
    assert plenty.due_minor == 0 or any(line.is_gift_card for line in goods)


@given(lines, shippings, asked)
def test_a_coupon_takes_off_what_it_says_it_did(goods: list[Line], shipping: Shipping | None, how: Asked) -> None:
    with_it, without = (pricing.quote(goods, shipping, **how | {"coupon": coupon, "gift_card_minor": 0}) for coupon in (how["coupon"], None))
    free = how["coupon"] is not None and how["coupon"].kind == "free_shipping"
    expected = without.shipping_minor if free else with_it.discount_minor - without.discount_minor
    assert with_it.coupon_minor == expected


@given(lines, shippings)
def test_tax_that_is_included_never_raises_the_total(goods: list[Line], shipping: Shipping | None) -> None:
    untaxed = [replace(line, tax_rate_bp=0) for line in goods]
    free = replace(shipping, tax_rate_bp=0) if shipping else None
    taxed = pricing.quote(goods, shipping, prices_include_tax=True)
    assert taxed.total_minor == pricing.quote(untaxed, free, prices_include_tax=True).total_minor
    assert 0 <= taxed.tax_minor <= taxed.total_minor


def test_a_basket_by_hand_with_tax_included() -> None:
    quote = pricing.quote([Line(1, 3, 1999, 2000)], STANDARD, prices_include_tax=True)
    assert (quote.subtotal_minor, quote.shipping_minor, quote.tax_minor, quote.total_minor, quote.due_minor) == (5997, 490, 1082, 6487, 6487)
    assert quote.explanation == [
        {"step": "goods", "text": "3 items", "amount_minor": 5997},
        {"step": "shipping", "text": "Standard delivery", "amount_minor": 490},
        {"step": "total", "text": "Total", "amount_minor": 6487},
        {"step": "tax_included", "text": "of which tax 20 %", "amount_minor": 1082},
    ]


def test_a_basket_by_hand_with_two_rates_on_top() -> None:
    quote = pricing.quote([Line(1, 1, 1000, 2000), Line(2, 2, 333, 550)], replace(STANDARD, free_from_minor=None), prices_include_tax=False)
    assert quote.line_taxes_minor == [200, 37]
    assert [(step["text"], step["amount_minor"]) for step in quote.explanation if step["step"] == "tax"] == [("Tax 5.5 %", 37), ("Tax 20 %", 298)]
    assert (quote.tax_minor, quote.total_minor) == (335, 1000 + 666 + 490 + 335)


@pytest.mark.parametrize(
    ("price", "delivery", "text"), [(5999, 490, "Standard delivery"), (6000, 0, "Standard delivery, free"), (6001, 0, "Standard delivery, free")]
)
def test_delivery_is_free_from_its_threshold_on(price: int, delivery: int, text: str) -> None:
    quote = pricing.quote([Line(1, 1, price, 2000)], STANDARD, prices_include_tax=True)
    assert quote.shipping_minor == delivery
    assert {"step": "shipping", "text": text, "amount_minor": delivery} in quote.explanation


def test_delivery_that_is_never_free_is_charged_whatever_the_goods_cost() -> None:
    never_free = replace(STANDARD, free_from_minor=None)
    assert pricing.quote([Line(1, 99, 10**9, 2000)], never_free, prices_include_tax=True).shipping_minor == 490


def test_one_piece_is_one_item_and_no_delivery_is_no_step() -> None:
    quote = pricing.quote([Line(1, 1, 100, 0)], None, prices_include_tax=True)
    assert quote.explanation == [{"step": "goods", "text": "1 item", "amount_minor": 100}, {"step": "total", "text": "Total", "amount_minor": 100}]


# ---------------------------------------------------------------- discounts, by hand


def named(quote: Quote, step: str) -> list[tuple[str, int]]:
    return [(one["text"], one["amount_minor"]) for one in quote.explanation if one["step"] == step]


def test_discounts_follow_each_other_on_what_is_left() -> None:
    goods = [Line(1, 1, 10_000, 2000), Line(2, 2, 2_500, 2000)]
    level, sale = Discount("Gold customer, 10 %", "percent", 1000), Discount("Summer sale", "fixed", 500, frozenset({2}))
    quote = pricing.quote(goods, STANDARD, prices_include_tax=True, discounts=[level, sale])
    assert named(quote, "discount") == [("Gold customer, 10 %", -1500), ("Summer sale", -500)]
    assert (quote.line_discounts_minor, quote.total_minor) == ([1000, 1000], 13_000)


def test_a_third_of_a_cent_goes_to_somebody() -> None:
    goods = [Line(1, 1, 333, 2000), Line(2, 1, 333, 2000), Line(3, 1, 333, 2000)]
    quote = pricing.quote(goods, None, prices_include_tax=True, coupon=Discount("TEN", "fixed", 10))
    assert (sum(quote.line_discounts_minor), sorted(quote.line_discounts_minor)) == (10, [3, 3, 4])


def test_a_fixed_discount_never_pays_the_buyer() -> None:
    quote = pricing.quote([Line(1, 1, 300, 2000)], replace(STANDARD, free_from_minor=None), prices_include_tax=True, coupon=Discount("TEN", "fixed", 1000))
    assert (quote.discount_minor, quote.total_minor, quote.coupon_minor) == (300, 490, 300)


def test_goods_after_discounts_count_for_free_delivery() -> None:
    half = Discount("Half", "percent", 5000)
    assert pricing.quote([Line(1, 1, 6000, 2000)], STANDARD, prices_include_tax=True, coupon=half).shipping_minor == 490
    assert pricing.quote([Line(1, 1, 12_000, 2000)], STANDARD, prices_include_tax=True, coupon=half).shipping_minor == 0


def test_a_coupon_for_free_delivery_says_so() -> None:
    quote = pricing.quote([Line(1, 1, 1000, 2000)], STANDARD, prices_include_tax=True, coupon=Discount("POST", "free_shipping"))
    assert (named(quote, "shipping"), quote.coupon_minor, quote.total_minor) == ([("Standard delivery, free", 0)], 490, 1000)


@pytest.mark.parametrize(("weight", "price"), [(0, 300), (1000, 300), (1001, 500), (5000, 500), (5001, 990)])
def test_delivery_by_weight_takes_the_first_step_that_bears_it(weight: int, price: int) -> None:
    by_weight = Shipping("parcel", "Parcel", 990, None, "2–4", 2000, ((5000, 500), (1000, 300)))
    assert pricing.quote([Line(1, 1, 100, 2000, weight_g=weight)], by_weight, prices_include_tax=True).shipping_minor == price


def test_a_gift_card_pays_in_part_and_buys_no_gift_card() -> None:
    goods = [Line(1, 1, 4000, 2000), Line(2, 1, 2500, 0, is_gift_card=True)]
    quote = pricing.quote(goods, STANDARD, prices_include_tax=True, gift_card_minor=10_000)
    assert (quote.gift_card_minor, quote.due_minor) == (4000, 2500)
    assert quote.explanation[-2:] == [
        {"step": "gift_card", "text": "Gift card", "amount_minor": -4000},
        {"step": "due", "text": "To pay", "amount_minor": 2500},
    ]
    half = pricing.quote(goods[:1], STANDARD, prices_include_tax=True, gift_card_minor=1000)
    assert (half.gift_card_minor, half.due_minor) == (1000, 3490)
