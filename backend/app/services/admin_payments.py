"""Payments as staff see them: the table of all, one with what was told of it, and the calls that were not believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import Row, q
from ..errors import NotFound
from . import grid, payments

Sort = Literal["created", "created_asc", "amount", "amount_desc"]
SORTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "created": ("created_at", datetime.fromisoformat),
    "created_asc": ("created_at", datetime.fromisoformat),
    "amount": ("amount_minor", int),
    "amount_desc": ("amount_minor", int),
}
Status = Literal["", "pending", "paid", "abandoned", "unwanted", "returned"]
Method = Literal["", "stripe", "bank_transfer", "cash_on_delivery", "test"]
assert set(get_args(Sort)) == set(SORTS)


class PaymentRow(TypedDict):
    """`unwanted` is money that fits no order: it came too late, twice, or is another sum. `refund_failed`: the gateway gave a refund of it not back."""

    id: int
    order_number: str
    order_status: str
    due_minor: int
    method: str
    status: str
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    currency: str
    gateway_id: str | None
    gateway_charge: str | None
    refund_failed: bool
    created_at: datetime
    paid_at: datetime | None
    checked_at: datetime | None


class PaymentRows(TypedDict):
    items: list[PaymentRow]
    next: str | None
    total: int
    currency: str


class PaymentRefund(TypedDict):
    id: int
    status: str
    amount_minor: int
    reason: str
    gateway_id: str | None
    attempts: int
    created_at: datetime
    done_at: datetime | None


class Heard(TypedDict):
    """An event of the gateway's that was believed."""

    id: str
    kind: str
    received_at: datetime


class Refusal(TypedDict):
    """A call that was not believed, or money that did not fit. `unnoted` more of the same address came before it, too many to note."""

    id: int
    at: datetime
    reason: str
    unnoted: int
    order_number: str | None


class RefusalList(TypedDict):
    items: list[Refusal]
    next: str | None


class PaymentActs(TypedDict):
    """What may be done with a payment as it stands; an order's money is refunded with the order."""

    ask: bool
    give_back: bool


class AdminPayment(TypedDict):
    payment: PaymentRow
    refunds: list[PaymentRefund]
    heard: list[Heard]
    refusals: list[Refusal]
    acts: PaymentActs


@dataclass(frozen=True)
class Filters:
    """'' is any; `q` is the beginning of an order's number or of a name that the gateway gave; `troubled` needs somebody."""

    q: str = ""
    status: Status = ""
    method: Method = ""
    troubled: bool = False


def list_all(filters: Filters, *, sort: Sort, limit: int, after: str, currency: str) -> PaymentRows:
    """One page in two statements, however long it is."""
    column, read = SORTS[sort]
    value, after_id = grid.read_cursor(after, sort, read)
    text = filters.q.strip()
    # Numbers and names are ASCII; to compare them with anything else is an error to the database, not a no.
    text = text if text.isascii() else "?"
    wanted = {
        "status": filters.status or None,
        "method": filters.method or None,
        "troubled": filters.troubled,
        "gateway": grid.starting(text) if text else None,
        "number": grid.starting(text.upper()),
    }
    with db.reading() as tx:
        rows = q.payments.list_all[sort](tx, **wanted, after=value, after_id=after_id, limit=limit + 1)
        total = q.payments.count_all(tx, **wanted)
    page = rows[:limit]
    following = grid.cursor(sort, page[-1][column], page[-1]["id"]) if len(rows) > limit else None
    return {"items": [_row(row) for row in page], "next": following, "total": total, "currency": currency}


def _row(row: Row) -> PaymentRow:
    return {**row, "refund_failed": bool(row["refund_failed"])}  # type: ignore[typeddict-item]


def get(payment_id: int) -> AdminPayment:
    """One payment with all that was told of it, in four statements. Raises NotFound."""
    with db.reading() as tx:
        row = q.payments.get_row(tx, payment_id=payment_id)
        if row is None:
            raise NotFound("There is no such payment.")
        refunds = q.payments.list_refunds(tx, payment_id=payment_id)
        heard = q.payments.list_heard(tx, payment_id=payment_id)
        refusals = [_refusal({**one, "order_number": row["order_number"]}) for one in q.payments.list_refusals_of(tx, payment_id=payment_id)]
    acts: PaymentActs = {"ask": row["method"] == payments.ONLINE and row["gateway_id"] is not None, "give_back": row["status"] == "unwanted"}
    return {"payment": _row(row), "refunds": refunds, "heard": heard, "refusals": refusals, "acts": acts}


def refusals(*, limit: int, after: int | None) -> RefusalList:
    """Calls that were not believed and money that did not fit, newest first."""
    with db.reading() as tx:
        rows = q.payments.list_refusals(tx, after_id=after, limit=limit + 1)
    return {"items": [_refusal(row) for row in rows[:limit]], "next": str(rows[limit - 1]["id"]) if len(rows) > limit else None}


def _refusal(row: Row) -> Refusal:
    detail = orjson.loads(row["detail"])
    told = {"reason": detail["reason"], "unnoted": detail.get("unnoted", 0)}
    return {"id": row["id"], "at": row["at"], "order_number": row["order_number"], **told}  # type: ignore[typeddict-item]
