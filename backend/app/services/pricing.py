"""What an order costs. Pure: no database, no clock, no settings read; integers in, integers and their arithmetic out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from typing_extensions import TypedDict

from .. import money


@dataclass(frozen=True)
class Line:
    """One line of a cart. `tax_rate_bp` is in basis points."""

    variant_id: int
    quantity: int
    price_minor: int
    tax_rate_bp: int


@dataclass(frozen=True)
class Shipping:
    """A way of delivery; `free_from_minor` is the value of goods from which it costs nothing, None for never."""

    code: str
    name: str
    price_minor: int
    free_from_minor: int | None
    days: str
    tax_rate_bp: int

    def price_for(self, goods_minor: int) -> int:
        return 0 if self.free_from_minor is not None and goods_minor >= self.free_from_minor else self.price_minor


class Step(TypedDict):
    step: str
    text: str
    amount_minor: int


@dataclass(frozen=True)
class Quote:
    """All amounts in minor units. `tax_minor` is within the total when prices include tax, else a part of the sum."""

    subtotal_minor: int
    discount_minor: int
    shipping_minor: int
    tax_minor: int
    total_minor: int
    gift_card_minor: int
    due_minor: int
    line_taxes_minor: list[int]
    explanation: list[Step] = field(default_factory=list)


def quote(lines: Sequence[Line], shipping: Shipping | None, *, prices_include_tax: bool) -> Quote:
    """Goods → delivery → tax = total → due. Every amount that is added has its step in the explanation."""
    steps: list[Step] = []
    subtotal = sum(line.quantity * line.price_minor for line in lines)
    pieces = sum(line.quantity for line in lines)
    steps.append({"step": "goods", "text": f"{pieces} {'item' if pieces == 1 else 'items'}", "amount_minor": subtotal})
    delivery = shipping.price_for(subtotal) if shipping else 0
    if shipping:
        text = shipping.name if delivery else f"{shipping.name}, free"
        steps.append({"step": "shipping", "text": text, "amount_minor": delivery})
    tax_of = money.tax_within if prices_include_tax else money.tax_on
    line_taxes = _line_taxes(lines, tax_of)
    taxes = _tax_by_rate(lines, line_taxes, shipping, delivery, tax_of)
    tax = sum(taxes.values())
    total = subtotal + delivery + (0 if prices_include_tax else tax)
    in_total: Step = {"step": "total", "text": "Total", "amount_minor": total}
    if prices_include_tax:
        steps += [in_total, *_tax_steps(taxes, "tax_included", "of which tax")]
    else:
        steps += [*_tax_steps(taxes, "tax", "Tax"), in_total]
    return Quote(subtotal, 0, delivery, tax, total, 0, total, line_taxes, steps)


def _tax_steps(taxes: dict[int, int], step: str, text: str) -> list[Step]:
    return [{"step": step, "text": f"{text} {_percent(rate)}", "amount_minor": amount} for rate, amount in sorted(taxes.items())]


def _line_taxes(lines: Sequence[Line], tax_of: Callable[[int, int], int]) -> list[int]:
    """Tax is reckoned once for each rate over all goods, then split over their lines, so that the parts sum to the whole."""
    taxes = [0] * len(lines)
    for rate in {line.tax_rate_bp for line in lines}:
        chosen = [i for i, line in enumerate(lines) if line.tax_rate_bp == rate]
        amounts = [lines[i].quantity * lines[i].price_minor for i in chosen]
        for i, part in zip(chosen, money.split(tax_of(sum(amounts), rate), amounts), strict=True):
            taxes[i] = part
    return taxes


def _tax_by_rate(lines: Sequence[Line], line_taxes: list[int], shipping: Shipping | None, delivery: int, tax_of: Callable[[int, int], int]) -> dict[int, int]:
    taxes: dict[int, int] = {}
    for line, tax in zip(lines, line_taxes, strict=True):
        taxes[line.tax_rate_bp] = taxes.get(line.tax_rate_bp, 0) + tax
    if shipping and delivery:
        taxes[shipping.tax_rate_bp] = taxes.get(shipping.tax_rate_bp, 0) + tax_of(delivery, shipping.tax_rate_bp)
    return {rate: tax for rate, tax in taxes.items() if rate}


def _percent(rate_bp: int) -> str:
    return f"{rate_bp // 100}.{rate_bp % 100:02d}".rstrip("0").rstrip(".") + " %"
