from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import money
from app.services import pricing
from app.services.pricing import Line, Quote, Shipping

lines = st.lists(
    st.builds(Line, variant_id=st.integers(1, 99), quantity=st.integers(1, 99), price_minor=st.integers(1, 10**9), tax_rate_bp=st.sampled_from([0, 550, 2000])),
    max_size=20,
)
shippings = st.none() | st.builds(
    Shipping,
    code=st.just("standard"),
    name=st.just("Standard delivery"),
    price_minor=st.integers(0, 10_000),
    free_from_minor=st.none() | st.integers(0, 10**10),
    days=st.just("2–4"),
    tax_rate_bp=st.sampled_from([0, 550, 2000]),
)
STANDARD = Shipping("standard", "Standard delivery", 490, 6000, "2–4", 2000)


def steps(quote: Quote, *kinds: str) -> int:
    return sum(step["amount_minor"] for step in quote.explanation if step["step"] in kinds)


@given(lines, shippings, st.booleans())
def test_the_total_is_its_parts(goods: list[Line], shipping: Shipping | None, included: bool) -> None:
    quote = pricing.quote(goods, shipping, prices_include_tax=included)
    assert quote.subtotal_minor == sum(line.quantity * line.price_minor for line in goods)
    assert quote.total_minor == quote.subtotal_minor - quote.discount_minor + quote.shipping_minor + (0 if included else quote.tax_minor)
    assert quote.due_minor == quote.total_minor - quote.gift_card_minor >= 0


@given(lines, shippings, st.booleans())
def test_the_explanation_adds_up_to_what_is_charged(goods: list[Line], shipping: Shipping | None, included: bool) -> None:
    quote = pricing.quote(goods, shipping, prices_include_tax=included)
    assert steps(quote, "goods", "shipping", "tax") == steps(quote, "total") == quote.total_minor
    assert steps(quote, "tax_included" if included else "tax") == quote.tax_minor
    assert {step["step"] for step in quote.explanation} <= {"goods", "shipping", "tax_included" if included else "tax", "total"}


@given(lines, shippings, st.booleans())
def test_the_lines_taxes_and_that_of_delivery_are_the_whole_tax(goods: list[Line], shipping: Shipping | None, included: bool) -> None:
    quote = pricing.quote(goods, shipping, prices_include_tax=included)
    tax_of = money.tax_within if included else money.tax_on
    of_delivery = tax_of(quote.shipping_minor, shipping.tax_rate_bp) if shipping else 0
    assert sum(quote.line_taxes_minor) + of_delivery == quote.tax_minor
    for line, tax in zip(goods, quote.line_taxes_minor, strict=True):
        assert abs(tax - tax_of(line.quantity * line.price_minor, line.tax_rate_bp)) <= 1


@given(lines, shippings, st.booleans())
def test_the_goods_of_one_rate_are_taxed_as_one_sum(goods: list[Line], shipping: Shipping | None, included: bool) -> None:
    quote = pricing.quote(goods, shipping, prices_include_tax=included)
    tax_of = money.tax_within if included else money.tax_on
    for rate in {line.tax_rate_bp for line in goods}:
        of_rate = [(line, tax) for line, tax in zip(goods, quote.line_taxes_minor, strict=True) if line.tax_rate_bp == rate]
        assert sum(tax for _, tax in of_rate) == tax_of(sum(line.quantity * line.price_minor for line, _ in of_rate), rate)


@given(lines, shippings, st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_changes_no_amount(goods: list[Line], shipping: Shipping | None, included: bool, chance: random.Random) -> None:
    shuffled = chance.sample(goods, len(goods))
    one, other = (pricing.quote(some, shipping, prices_include_tax=included) for some in (goods, shuffled))
    assert replace(one, line_taxes_minor=[]) == replace(other, line_taxes_minor=[])


@given(lines, shippings, st.booleans())
def test_asking_twice_gives_the_same_and_changes_nothing(goods: list[Line], shipping: Shipping | None, included: bool) -> None:
    before = list(goods)
    assert pricing.quote(goods, shipping, prices_include_tax=included) == pricing.quote(goods, shipping, prices_include_tax=included)
    assert goods == before


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
