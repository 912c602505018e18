"""Orders as staff see them: the table of all, and one with everything that may be done with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, get_args

from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from . import accounts, grid, orders, refunds, shipments
from .orders import Order
from .payments import BY_HAND

Sort = Literal["placed", "placed_asc", "total", "total_desc"]
SORTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "placed": ("placed_at", datetime.fromisoformat),
    "placed_asc": ("placed_at", datetime.fromisoformat),
    "total": ("total_minor", int),
    "total_desc": ("total_minor", int),
}
Status = Literal["", "sold", "pending", "placed", "completed", "cancelled", "expired"]
SOLD = ("placed", "completed")
MOST_COUNTED = 10_000  # of more it is only said that there are more
REACH, MOST_FOUND = 10_000, 1000  # how many orders, from the latest on, parts of words are looked for in, and how many are taken
PaymentStatus = Literal["", "unpaid", "paid", "partly_refunded", "refunded"]
FulfilmentStatus = Literal["", "unfulfilled", "partly_shipped", "shipped", "delivered"]
Returns = Literal["", "requested", "approved"]
assert set(get_args(Sort)) == set(SORTS)


class OrderRow(TypedDict):
    id: int
    number: str
    name: str
    email: str
    guest: bool
    country: str
    status: str
    payment_status: str
    fulfilment_status: str
    payment_method: str
    total_minor: int
    count: int
    returns_open: int
    placed_at: datetime


class OrderRows(TypedDict):
    """`at_least`: there are more than `total`, which nobody counted."""

    items: list[OrderRow]
    next: str | None
    total: int
    at_least: bool
    currency: str


@dataclass(frozen=True)
class Filters:
    """Which orders: '' is any, `sold` those that were placed and not given up; the last two are days, both within."""

    q: str = ""
    status: Status = ""
    payment_status: PaymentStatus = ""
    fulfilment_status: FulfilmentStatus = ""
    returns: Returns = ""
    since: date | None = None
    until: date | None = None


def list_all(filters: Filters, *, sort: Sort, limit: int, after: str, currency: str) -> OrderRows:
    """One page in two statements, one more for a search and for returns, of which the latest 1,000 that match are taken."""
    column, read = SORTS[sort]
    value, after_id = grid.read_cursor(after, sort, read)
    with db.reading() as tx:
        found = _found(tx, filters)
        wanted = _wanted(filters, found)
        total = q.admin_orders.count_all(tx, **wanted, most=MOST_COUNTED + 1)
        # To look for a page of nothing would be to read all there is.
        rows = q.admin_orders.list_all[sort](tx, **wanted, after=value, after_id=after_id, limit=limit + 1) if total else []
    page = rows[:limit]
    following = grid.cursor(sort, page[-1][column], page[-1]["id"]) if len(rows) > limit else None
    at_least = total > MOST_COUNTED or any(len(one) == MOST_FOUND for one in found)
    return {"items": [_row(row) for row in page], "next": following, "total": min(total, MOST_COUNTED), "at_least": at_least, "currency": currency}


def _found(tx: Tx, filters: Filters) -> list[set[int]]:
    """The orders that are searched for, and those with a return, where that is asked."""
    found, text = [], filters.q.strip()
    if text:
        # Numbers are ASCII; to compare them with anything else is an error to the database, not a no.
        number = grid.starting(text.upper()) if text.isascii() else ""
        patterns = {"number": number, "address": grid.starting(accounts.email_key(text)), "anywhere": grid.containing(text)}
        found.append(q.admin_orders.find(tx, **patterns, reach=REACH, most=MOST_FOUND))
    if filters.returns:
        found.append(q.admin_orders.find_with_return(tx, status=filters.returns, most=MOST_FOUND))
    return [{row["id"] for row in rows} for rows in found]


def wanted_of(tx: Tx, filters: Filters) -> Row:
    """What statements over orders take for these filters."""
    return _wanted(filters, _found(tx, filters))


def _wanted(filters: Filters, found: list[set[int]]) -> Row:
    ids = set.intersection(*found) if found else None
    return {
        "any_id": ids is None,
        "ids": ids or [],
        "any_status": not filters.status,
        "statuses": SOLD if filters.status == "sold" else (filters.status,),
        "payment_status": filters.payment_status or None,
        "fulfilment_status": filters.fulfilment_status or None,
        "since": filters.since,
        "before": filters.until + timedelta(days=1) if filters.until else None,
    }


def _row(row: Row) -> OrderRow:
    return {**row, "guest": bool(row["guest"])}  # type: ignore[typeddict-item]


# ---------------------------------------------------------------- one order


class AdminItem(TypedDict):
    """What is left of a line: to send, to refund, and what the next pieces are worth."""

    id: int
    left_to_send: int
    left_to_refund: int
    paid_minor: int
    refunded_minor: int


class PaymentRecord(TypedDict):
    id: int
    method: str
    status: str
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    gateway_id: str | None
    created_at: datetime
    paid_at: datetime | None


class StaffEvent(TypedDict):
    """`actor` is the name of whoever did it, null for the shop itself or a guest."""

    kind: str
    at: datetime
    actor: str | None


class Acts(TypedDict):
    """What may be done with the order as it stands."""

    ship: bool
    cancel: bool
    refund: bool
    record_payment: bool


class AdminOrder(TypedDict):
    """The order as its buyer sees it, and what only staff see."""

    order: Order
    customer_id: int | None
    lines: list[AdminItem]
    delivery_left_minor: int
    payments: list[PaymentRecord]
    events: list[StaffEvent]
    acts: Acts


def get(number: str) -> AdminOrder:
    """One order with all that came of it, in a fixed number of statements. Raises NotFound."""
    order = orders.get(number, trusted=True)
    with db.reading() as tx:
        row = q.orders.get(tx, number=number)
        lines = q.orders.list_lines(tx, order_id=row["id"])
        given_back = q.refunds.get_given_back(tx, order_id=row["id"])
        payments = q.admin_orders.list_payments(tx, order_id=row["id"])
        events = q.admin_orders.list_events(tx, order_id=row["id"])
    delivery = refunds.delivery_paid(row, lines) - given_back["shipping_minor"]
    refundable = row["payment_status"] in ("paid", "partly_refunded")
    return {
        "order": order,
        "customer_id": row["user_id"],
        "lines": [_line(line) for line in lines],
        "delivery_left_minor": delivery,
        "payments": payments,
        "events": events,
        "acts": {
            "ship": shipments.may_ship(row) and any(shipments.left(line) for line in lines),
            "cancel": orders.may_be_cancelled(row),
            "refund": refundable and given_back["amount_minor"] < row["total_minor"],
            "record_payment": row["payment_status"] == "unpaid" and row["status"] in ("pending", "placed") and row["payment_method"] in BY_HAND,
        },
    }


def _line(line: Row) -> AdminItem:
    return {
        "id": line["id"],
        "left_to_send": shipments.left(line),
        "left_to_refund": line["quantity"] - line["refunded"],
        "paid_minor": line["paid_minor"],
        "refunded_minor": line["paid_minor"] - refunds.worth(line, line["quantity"] - line["refunded"]),
    }
