"""Money that came in for orders, noted once, with all that follows from it."""

from __future__ import annotations

from .. import db, money
from ..db import Tx, q
from ..errors import Conflict, Invalid
from . import events, gift_cards, invoices, keys, orders

BY_HAND = ("cash_on_delivery", "bank_transfer")


def record(number: str, amount_minor: int, *, key: str, actor_id: int | None) -> bool:
    """Note that an order's money came by hand, at the door or by transfer; gives whether this is a repeated request, which changes nothing.

    Raises NotFound, Invalid for another amount than is due, and Conflict for an order that is paid, given up, or paid in another way.
    """
    return db.transaction(_record, number, amount_minor, key, actor_id)


def _record(tx: Tx, number: str, amount_minor: int, key: str, actor_id: int | None) -> bool:
    order = orders.hold(tx, number)
    scope, request = f"payment:{order['id']}", {"amount_minor": amount_minor}
    if keys.find(tx, scope, key, request) is not None:
        return True
    if order["payment_status"] != "unpaid" or order["status"] not in ("pending", "placed"):
        raise Conflict("This order waits for no payment.")
    if order["payment_method"] not in BY_HAND:
        raise Conflict("This order is paid online.")
    if amount_minor != order["due_minor"]:
        raise Invalid(amount_minor=f"{money.in_words(order['due_minor'], order['currency'])} is due.")
    payment_id: int = q.payments.add(
        tx, order_id=order["id"], method=order["payment_method"], amount_minor=amount_minor, currency=order["currency"], gateway_id=None
    )
    note_paid(tx, order["id"], payment_id, amount_minor, actor_id=actor_id)
    keys.add(tx, scope, key, request, payment_id)
    events.note(tx, "order_changed", order["id"], subject="order", actor_id=actor_id, action="paid", payment=payment_id)
    return False


def note_paid(tx: Tx, order_id: int, payment_id: int, amount_minor: int, *, actor_id: int | None = None) -> None:
    """Note that a payment's money is there, in a transaction that holds its order, which is unpaid and not given up."""
    q.payments.note_paid(tx, payment_id=payment_id, amount_minor=amount_minor)
    order = q.orders.get_by_id(tx, order_id=order_id)
    # That a pending order is placed now needs no event of its own: it was ordered before, and the payment says the rest.
    order["status"] = "placed"
    orders.step(tx, order, "payment_status", "paid", actor_id=actor_id)
    if not invoices.tell_paid(tx, order_id):
        orders.announce(tx, order_id, "order_paid", amount=money.in_words(amount_minor, order["currency"]))
    gift_cards.issue_for(tx, order_id)
    orders.follow_up(tx, order_id, actor_id=actor_id)
