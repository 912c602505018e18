"""What an order would cost, for the owner who wants to see what the settings do. Reckoned by what reckons real orders."""

from __future__ import annotations

from typing_extensions import TypedDict

from .. import db
from . import checkout, pricing, settings
from .pricing import Step


class Way(TypedDict):
    code: str
    name: str
    days: str
    shipping_minor: int
    tax_minor: int
    total_minor: int
    explanation: list[Step]


class Estimate(TypedDict):
    currency: str
    prices_include_tax: bool
    delivered: bool
    ways: list[Way]


def estimate(*, country: str, goods_minor: int, weight_g: int, tax_class: str) -> Estimate:
    """An order of one thing to a country, by each way that would be offered there; `delivered` tells whether the shop sends there at all."""
    with db.reading() as tx:
        shop = settings.shop(tx)
    line = pricing.Line(1, 1, goods_minor, settings.tax_rate(shop, country, tax_class), weight_g)
    delivered = country in shop["shipping_countries"]
    ways = [way for way in checkout.ways_of_delivery(shop, country, weight_g) if delivered or way.pickup]
    quotes = [(way, pricing.quote([line], way, prices_include_tax=shop["prices_include_tax"])) for way in ways]
    return {
        "currency": shop["currency"],
        "prices_include_tax": shop["prices_include_tax"],
        "delivered": delivered,
        "ways": [
            {
                "code": way.code,
                "name": way.name,
                "days": way.days,
                "shipping_minor": quote.shipping_minor,
                "tax_minor": quote.tax_minor,
                "total_minor": quote.total_minor,
                "explanation": quote.explanation,
            }
            for way, quote in quotes
        ],
    }
