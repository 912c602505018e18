"""Orders that are given up before anything was sent: their goods go back on the shelf and their money to the buyer."""

from __future__ import annotations

from .. import db
from ..db import Row, Tx
from ..errors import Conflict
from . import events, orders, refunds
from .orders import Order


def cancel(number: str, *, user_id: int | None, token: str | None) -> Order:
    """Cancel the buyer's own order, once. Raises NotFound, and Conflict when it is too late or the money cannot go back by itself."""
    db.transaction(_cancel_own, number, user_id, token)
    return orders.get(number, trusted=True)


def _cancel_own(tx: Tx, number: str, user_id: int | None, token: str | None) -> None:
    orders.own(tx, number, user_id, token)
    order = orders.hold(tx, number)
    if orders.may_be_cancelled(order) and not orders.can_cancel(order):
        raise Conflict("An order that is paid cannot be cancelled here. Please write to us, and we send the money back.")
    _cancel(tx, order, user_id)


def cancel_for(number: str, *, actor_id: int) -> None:
    """Cancel somebody's order. Raises NotFound, and Conflict when something of it was sent."""
    db.transaction(_cancel_for, number, actor_id)


def _cancel_for(tx: Tx, number: str, actor_id: int) -> None:
    order = orders.hold(tx, number)
    _cancel(tx, order, actor_id)
    events.note(tx, "order_changed", order["id"], subject="order", actor_id=actor_id, action="cancelled")


def _cancel(tx: Tx, order: Row, actor_id: int | None) -> None:
    if not orders.may_be_cancelled(order):
        state = order["status"] if order["status"] not in orders.CANCELLABLE else order["fulfilment_status"]
        raise Conflict(f"An order that is {state.replace('_', ' ')} cannot be cancelled here.")
    # An order that cost nothing is paid, too, but there is no money to refund.
    has_money = refunds.has_money_left(tx, order)
    rest = refunds.everything(tx, order, reason="Cancelled") if has_money else None
    refunds.cancel(tx, order, rest, actor_id=actor_id)
