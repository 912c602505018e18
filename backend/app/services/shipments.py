"""Parcels: what of an order leaves, and when it arrives."""

from __future__ import annotations

import orjson

from .. import db
from ..db import Row, Tx, q
from ..errors import Conflict, Invalid, NotFound
from . import events, invoices, orders
from .orders import Pieces


def ship(number: str, items: list[Pieces] | None, *, carrier: str, tracking_number: str, tracking_url: str, actor_id: int) -> int:
    """Note that a parcel left with these pieces, or with all that is left to send; gives its id.

    Raises NotFound, Conflict for an order that is not to be sent, and Invalid for more than is left.
    """
    parcel = {"carrier": carrier, "tracking_number": tracking_number, "tracking_url": tracking_url}
    return db.transaction(_ship, number, items, parcel, actor_id)


def _ship(tx: Tx, number: str, items: list[Pieces] | None, parcel: Row, actor_id: int) -> int:
    order = orders.hold(tx, number)
    if not may_ship(order):
        raise Conflict(_why_not(order))
    lines = {line["id"]: line for line in q.orders.list_lines(tx, order_id=order["id"])}
    wanted = [{"item_id": line["id"], "quantity": left(line)} for line in lines.values() if left(line)] if items is None else _checked(lines, items)
    if not wanted:
        raise Conflict("Nothing of this order is left to send.")
    shipment_id: int = q.shipments.add(tx, order_id=order["id"], actor_id=actor_id, **parcel)
    q.shipments.add_items(tx, shipment_id=shipment_id, items=orjson.dumps(wanted).decode())
    again = order["fulfilment_status"] == "partly_shipped"
    orders.follow_up(tx, order["id"], actor_id=actor_id)
    if again and q.orders.get_by_id(tx, order_id=order["id"])["fulfilment_status"] == "partly_shipped":
        q.orders.add_event(tx, order_id=order["id"], kind="partly_shipped", actor_id=actor_id)
    events.note(tx, "order_changed", order["id"], subject="order", actor_id=actor_id, action="shipped", shipment=shipment_id)
    invoices.request(tx, order["id"])
    parts = [{"title": line["title"], "options": line["options"], "quantity": one["quantity"]} for one in wanted if (line := lines[one["item_id"]])]
    more = sum(map(left, lines.values())) > sum(one["quantity"] for one in wanted)
    orders.announce(tx, order["id"], "order_shipped", parcel=parts, more_to_come=more, **parcel)
    return shipment_id


def left(line: Row) -> int:
    """How many pieces of a line are still to be sent. A gift card goes by mail."""
    return 0 if line["gift_card"] else int(line["quantity"] - line["sent"] - line["unsent"])


def may_ship(order: Row) -> bool:
    """Whether goods may leave: an order that is placed and paid for, or will be at the door."""
    return order["status"] == "placed" and order["fulfilment_status"] in ("unfulfilled", "partly_shipped") and _is_paid(order)


def _is_paid(order: Row) -> bool:
    return order["payment_status"] != "unpaid" or order["payment_method"] == "cash_on_delivery" or not order["due_minor"]


def _why_not(order: Row) -> str:
    if order["status"] in ("pending", "placed") and not _is_paid(order):
        return "This order is not paid yet."
    state = order["fulfilment_status"] if order["status"] == "placed" else order["status"]
    return f"An order that is {state} cannot be sent."


def _checked(lines: dict[int, Row], items: list[Pieces]) -> list[Row]:
    if len({one["item_id"] for one in items}) < len(items):
        raise Invalid(items="Name each line once.")
    for i, one in enumerate(items):
        line = lines.get(one["item_id"])
        if line is None:
            raise Invalid(fields={f"items.{i}.item_id": ["There is no such line in this order."]})
        if one["quantity"] > left(line):
            raise Invalid(fields={f"items.{i}.quantity": [f"Only {left(line)} of {line['title']} left to send."]})
    return [dict(one) for one in items]


def deliver(shipment_id: int, *, actor_id: int) -> str:
    """Note that a parcel arrived; gives the number of its order. Raises NotFound, and Conflict when that is known already."""
    return db.transaction(_deliver, shipment_id, actor_id)


def _deliver(tx: Tx, shipment_id: int, actor_id: int) -> str:
    number: str | None = q.shipments.get_number(tx, shipment_id=shipment_id)
    if number is None:
        raise NotFound("There is no such parcel.")
    order = orders.hold(tx, number)
    if not q.shipments.deliver(tx, shipment_id=shipment_id):
        raise Conflict("This parcel has arrived already.")
    orders.follow_up(tx, order["id"], actor_id=actor_id)
    if q.orders.get_by_id(tx, order_id=order["id"])["fulfilment_status"] != "delivered":
        q.orders.add_event(tx, order_id=order["id"], kind="parcel_delivered", actor_id=actor_id)
    events.note(tx, "order_changed", order["id"], subject="order", actor_id=actor_id, action="delivered", shipment=shipment_id)
    orders.announce(tx, order["id"], "order_delivered")
    return number
