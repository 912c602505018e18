"""The same things once more."""

from __future__ import annotations

from typing_extensions import TypedDict

from .. import db
from ..db import Tx, q
from . import cart, orders
from .cart import Buyer, Cart


class Reordered(TypedDict):
    cart: Cart
    notices: list[str]


def reorder(number: str, buyer: Buyer, *, token: str | None) -> Reordered:
    """Put what an order held into the cart, as far as it is still sold, at today's prices. Raises NotFound for somebody else's order."""
    notices = db.transaction(_reorder, number, buyer, token)
    return {"cart": cart.get(buyer), "notices": notices}


def _reorder(tx: Tx, number: str, buyer: Buyer, token: str | None) -> list[str]:
    order = orders.own(tx, number, buyer.user_id, token)
    return cart.fill(tx, buyer, q.orders.list_lines(tx, order_id=order["id"]))
