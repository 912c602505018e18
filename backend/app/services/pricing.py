"""What an order costs. Pure: no database, no clock, no settings read; integers in, integers and their arithmetic out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from typing_extensions import TypedDict

from .. import money


@dataclass(frozen=True)
class Line:
    """One line of a cart. `tax_rate_bp` is in basis points; what `is_gift_card` can be neither reduced nor paid by gift card."""

    variant_id: int
    quantity: int
    price_minor: int
    tax_rate_bp: int
    weight_g: int = 0
    is_gift_card: bool = False

    @property
    def amount_minor(self) -> int:
        return self.quantity * self.price_minor


@dataclass(frozen=True)
class Shipping:
    """A way of delivery; `free_from_minor` is the value of goods from which it costs nothing, None for never.

    `by_weight` are steps (up to so many grams, price) that go before `price_minor`, which then is for what is heavier than all of them.
    """

    code: str
    name: str
    price_minor: int
    free_from_minor: int | None
    days: str
    tax_rate_bp: int
    by_weight: tuple[tuple[int, int], ...] = ()
    pickup: bool = False

    def price_for(self, goods_minor: int, weight_g: int = 0) -> int:
        if self.free_from_minor is not None and goods_minor >= self.free_from_minor:
            return 0
        return next((price for up_to, price in sorted(self.by_weight) if weight_g <= up_to), self.price_minor)


@dataclass(frozen=True)
class Discount:
    """What goods are reduced by: `percent` of `value` basis points, `fixed` by `value` minor units in all, or `free_shipping`.

    `variant_ids` are the goods that it is for, None for all of them.
    """

    name: str
    kind: Literal["percent", "fixed", "free_shipping"]
    value: int = 0
    variant_ids: frozenset[int] | None = None


class Step(TypedDict):
    step: str
    text: str
    amount_minor: int


@dataclass(frozen=True)
class Quote:
    """All amounts in minor units. `tax_minor` is within the total when prices include tax, else a part of the sum.

    `coupon_minor` is the part of `discount_minor`, and of delivery, that the coupon took off.
    """

    subtotal_minor: int
    discount_minor: int
    shipping_minor: int
    tax_minor: int
    total_minor: int
    gift_card_minor: int
    due_minor: int
    line_discounts_minor: list[int]
    line_taxes_minor: list[int]
    coupon_minor: int = 0
    explanation: list[Step] = field(default_factory=list)


def quote(
    lines: Sequence[Line],
    shipping: Shipping | None,
    *,
    prices_include_tax: bool,
    discounts: Sequence[Discount] = (),
    coupon: Discount | None = None,
    gift_card_minor: int = 0,
) -> Quote:
    """Goods → discounts, one after the other on what is left → coupon → delivery → tax = total → gift card → due.

    Every amount that is added or taken off has its step in the explanation. The order of the lines changes no amount.
    `gift_card_minor` is what the card holds.
    """
    order = sorted(range(len(lines)), key=lambda i: (lines[i].variant_id, lines[i].price_minor, lines[i].quantity, lines[i].tax_rate_bp))
    basket = _Basket([lines[i] for i in order])
    for discount in discounts:
        basket.reduce(discount)
    before_coupon = basket.discount
    if coupon:
        basket.reduce(coupon)
    delivery, saved = _delivery(basket, shipping, coupon)
    tax_of = money.tax_within if prices_include_tax else money.tax_on
    line_taxes = _line_taxes(basket, tax_of)
    taxes = _tax_by_rate(basket, line_taxes, shipping, delivery, tax_of)
    tax = sum(taxes.values())
    total = basket.goods + delivery + (0 if prices_include_tax else tax)
    in_total: Step = {"step": "total", "text": "Total", "amount_minor": total}
    tax_steps = [in_total, *_tax_steps(taxes, "tax_included", "of which tax")] if prices_include_tax else [*_tax_steps(taxes, "tax", "Tax"), in_total]
    by_card = min(gift_card_minor, max(0, total - _not_payable_by_card(basket, line_taxes, prices_include_tax)))
    card_steps: list[Step] = [{"step": "gift_card", "text": "Gift card", "amount_minor": -by_card}] if by_card else []
    if by_card:
        card_steps.append({"step": "due", "text": "To pay", "amount_minor": total - by_card})
    return Quote(
        subtotal_minor=basket.subtotal,
        discount_minor=basket.discount,
        shipping_minor=delivery,
        tax_minor=tax,
        total_minor=total,
        gift_card_minor=by_card,
        due_minor=total - by_card,
        line_discounts_minor=_as_given(order, basket.taken_off),
        line_taxes_minor=_as_given(order, line_taxes),
        coupon_minor=basket.discount - before_coupon + saved,
        explanation=[*basket.steps, *_shipping_steps(shipping, delivery), *tax_steps, *card_steps],
    )


def _as_given(order: list[int], values: list[int]) -> list[int]:
    """Values of the sorted lines, back in the order in which the lines came."""
    return [value for _, value in sorted(zip(order, values, strict=True))]


class _Basket:
    """The goods, and what discounts have taken off each line so far."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.taken_off = [0] * len(lines)
        pieces = sum(line.quantity for line in lines)
        self.steps: list[Step] = [{"step": "goods", "text": f"{pieces} {'item' if pieces == 1 else 'items'}", "amount_minor": self.subtotal}]

    @property
    def subtotal(self) -> int:
        return sum(line.amount_minor for line in self.lines)

    @property
    def discount(self) -> int:
        return sum(self.taken_off)

    @property
    def goods(self) -> int:
        """What the goods cost by now."""
        return self.subtotal - self.discount

    @property
    def weight_g(self) -> int:
        return sum(line.quantity * line.weight_g for line in self.lines)

    def left(self, i: int) -> int:
        return self.lines[i].amount_minor - self.taken_off[i]

    def reduce(self, discount: Discount) -> None:
        """Take a discount off the lines that it is for, in proportion to what they cost by now, and never more than that."""
        if discount.kind == "free_shipping":
            return
        fitting = [i for i, line in enumerate(self.lines) if not line.is_gift_card and _is_for(discount, line)]
        left = [self.left(i) for i in fitting]
        amount = money.rounded(sum(left) * discount.value, 10_000) if discount.kind == "percent" else discount.value
        amount = min(amount, sum(left))
        if amount <= 0:
            return
        for i, part in zip(fitting, money.split(amount, left), strict=True):
            self.taken_off[i] += part
        self.steps.append({"step": "discount", "text": discount.name, "amount_minor": -amount})


def _is_for(discount: Discount, line: Line) -> bool:
    return discount.variant_ids is None or line.variant_id in discount.variant_ids


def _delivery(basket: _Basket, shipping: Shipping | None, coupon: Discount | None) -> tuple[int, int]:
    """What delivery costs, and what the coupon saved of it. Goods after discounts count for the threshold from which it is free."""
    price = shipping.price_for(basket.goods, basket.weight_g) if shipping else 0
    return (0, price) if coupon and coupon.kind == "free_shipping" else (price, 0)


def _shipping_steps(shipping: Shipping | None, delivery: int) -> list[Step]:
    if shipping is None:
        return []
    return [{"step": "shipping", "text": shipping.name if delivery else f"{shipping.name}, free", "amount_minor": delivery}]


def _tax_steps(taxes: dict[int, int], step: str, text: str) -> list[Step]:
    return [{"step": step, "text": f"{text} {_percent(rate)}", "amount_minor": amount} for rate, amount in sorted(taxes.items())]


def _line_taxes(basket: _Basket, tax_of: Callable[[int, int], int]) -> list[int]:
    """Tax is reckoned once for each rate over all goods, then split over their lines, so that the parts sum to the whole."""
    taxes = [0] * len(basket.lines)
    for rate in {line.tax_rate_bp for line in basket.lines}:
        chosen = [i for i, line in enumerate(basket.lines) if line.tax_rate_bp == rate]
        amounts = [basket.left(i) for i in chosen]
        for i, part in zip(chosen, money.split(tax_of(sum(amounts), rate), amounts), strict=True):
            taxes[i] = part
    return taxes


def _tax_by_rate(basket: _Basket, line_taxes: list[int], shipping: Shipping | None, delivery: int, tax_of: Callable[[int, int], int]) -> dict[int, int]:
    taxes: dict[int, int] = {}
    for line, tax in zip(basket.lines, line_taxes, strict=True):
        taxes[line.tax_rate_bp] = taxes.get(line.tax_rate_bp, 0) + tax
    if shipping and delivery:
        taxes[shipping.tax_rate_bp] = taxes.get(shipping.tax_rate_bp, 0) + tax_of(delivery, shipping.tax_rate_bp)
    return {rate: tax for rate, tax in taxes.items() if rate}


def _not_payable_by_card(basket: _Basket, line_taxes: list[int], prices_include_tax: bool) -> int:
    """A gift card does not buy gift cards."""
    return sum(
        basket.left(i) + (0 if prices_include_tax else tax) for i, (line, tax) in enumerate(zip(basket.lines, line_taxes, strict=True)) if line.is_gift_card
    )


def _percent(rate_bp: int) -> str:
    return f"{rate_bp // 100}.{rate_bp % 100:02d}".rstrip("0").rstrip(".") + " %"
