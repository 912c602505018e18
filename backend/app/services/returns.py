"""What buyers send back: asked for, answered by staff, received. The money is refunds' part."""

from __future__ import annotations

from typing import Any, Literal, get_args

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Conflict, Invalid, NotFound
from . import events, keys, orders, settings, stock
from .orders import Pieces

Reason = Literal["too_small", "too_large", "not_as_described", "damaged", "wrong_thing", "changed_my_mind", "other"]
REASONS = get_args(Reason)
STEPS = {"requested": ("approved", "rejected"), "approved": ("received",), "rejected": (), "received": ()}


class WantedBack(TypedDict):
    item_id: int
    quantity: int
    reason: str


def request(number: str, items: list[WantedBack], *, note: str, key: str, user_id: int | None, token: str | None) -> bool:
    """Ask to send something back; gives whether this is a repeated request, which changes nothing.

    Raises NotFound for somebody else's order, Conflict outside the time for returns, and Invalid for more than was sent.
    """
    return db.transaction(_request, number, items, note, key, user_id, token)


def _request(tx: Tx, number: str, items: list[WantedBack], note: str, key: str, user_id: int | None, token: str | None) -> bool:
    orders.own(tx, number, user_id, token)
    order = orders.hold(tx, number)
    scope, wanted = f"return:{order['id']}", {"items": items, "note": note}
    if keys.find(tx, scope, key, wanted) is not None:
        return True
    _check(tx, order, items)
    return_id: int = q.returns.add(tx, order_id=order["id"], note=note)
    q.returns.add_items(tx, return_id=return_id, items=orjson.dumps(items).decode())
    keys.add(tx, scope, key, wanted, return_id)
    q.orders.add_event(tx, order_id=order["id"], kind="return_requested", actor_id=user_id)
    orders.announce(tx, order["id"], "return_requested", wanted=_named(tx, order, items))
    return False


def _check(tx: Tx, order: Row, items: list[WantedBack]) -> None:
    days = settings.shop(tx)["return_days"]
    if not q.shipments.may_return(tx, order_id=order["id"], return_days=days):
        nothing_sent = order["fulfilment_status"] == "unfulfilled"
        raise Conflict("Nothing of this order was sent yet." if nothing_sent else f"Things can be sent back within {days} days. Please write to us.")
    lines = {line["id"]: line for line in q.orders.list_lines(tx, order_id=order["id"])}
    if len({one["item_id"] for one in items}) < len(items):
        raise Invalid(items="Name each line once.")
    for i, one in enumerate(items):
        line = lines.get(one["item_id"])
        if line is None:
            raise Invalid(fields={f"items.{i}.item_id": ["There is no such line in this order."]})
        if one["quantity"] > line["sent"] - line["sent_back"]:
            raise Invalid(fields={f"items.{i}.quantity": [f"Only {line['sent'] - line['sent_back']} of {line['title']} can be sent back."]})


def _named(tx: Tx, order: Row, items: Any) -> list[Row]:
    lines = {line["id"]: line for line in q.orders.list_lines(tx, order_id=order["id"])}
    return [{"title": line["title"], "options": line["options"], "quantity": one["quantity"]} for one in items if (line := lines[one["item_id"]])]


def decide(return_id: int, status: Literal["approved", "rejected"], *, answer: str, actor_id: int) -> str:
    """Approve or reject; the buyer is mailed the answer. Gives the order's number. Raises NotFound, Conflict when it is decided."""
    return db.transaction(_decide, return_id, status, answer, actor_id)


def _decide(tx: Tx, return_id: int, status: str, answer: str, actor_id: int) -> str:
    order = _order_of(tx, return_id)
    if not q.returns.decide(tx, return_id=return_id, status=status, answer=answer):
        raise Conflict("This return is decided already.")
    _note(tx, order, return_id, status, actor_id)
    orders.announce(tx, order["id"], f"return_{status}", answer=answer, wanted=_named(tx, order, q.returns.list_items(tx, return_id=return_id)))
    return str(order["number"])


def receive(return_id: int, restocked: list[Pieces], *, actor_id: int) -> str:
    """Note that the goods are back, and put these of them on the shelf again. Gives the order's number.

    Raises NotFound, Conflict for a return that is not on its way, and Invalid for more than was sent back.
    """
    return db.transaction(_receive, return_id, restocked, actor_id)


def _receive(tx: Tx, return_id: int, restocked: list[Pieces], actor_id: int) -> str:
    order = _order_of(tx, return_id)
    if not q.returns.receive(tx, return_id=return_id):
        raise Conflict(f"A return that is {q.returns.get_status(tx, return_id=return_id, order_id=order['id'])} cannot be received.")
    items = {row["item_id"]: row for row in q.returns.list_items(tx, return_id=return_id)}
    lines = {line["id"]: line for line in q.orders.list_lines(tx, order_id=order["id"])}
    shelf = []
    for i, one in enumerate(restocked):
        row = items.pop(one["item_id"], None)
        if row is None or one["quantity"] > row["quantity"]:
            raise Invalid(fields={f"restocked.{i}.quantity": ["No more than was sent back."]})
        # A refund may have put them on the shelf, too, while they were on their way.
        if one["quantity"] > (left := lines[one["item_id"]]["quantity"] - lines[one["item_id"]]["restocked"]):
            raise Invalid(fields={f"restocked.{i}.quantity": [f"All but {left} of these were put on the shelf by a refund already."]})
        q.returns.note_restocked(tx, return_id=return_id, item_id=one["item_id"], restocked=one["quantity"])
        shelf.append((row["variant_id"], one["quantity"]))
    _note(tx, order, return_id, "received", actor_id)
    orders.announce(tx, order["id"], "return_received")
    stock.restock(tx, order["id"], shelf, actor_id=actor_id)
    return str(order["number"])


def _order_of(tx: Tx, return_id: int) -> Row:
    number = q.returns.get_number(tx, return_id=return_id)
    if number is None:
        raise NotFound("There is no such return.")
    return orders.hold(tx, number)


def _note(tx: Tx, order: Row, return_id: int, status: str, actor_id: int) -> None:
    q.orders.add_event(tx, order_id=order["id"], kind=f"return_{status}", actor_id=actor_id)
    events.note(tx, "order_changed", order["id"], subject="order", actor_id=actor_id, action=f"return_{status}", return_id=return_id)
