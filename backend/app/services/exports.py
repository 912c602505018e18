"""Customers and orders as files for a spreadsheet: read some hundred rows at a time, by id, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from .. import db
from ..db import Row, Tx, q
from ..money import decimal
from . import admin_orders, events, settings, users
from .csv_cells import encode_rows, quote_formula

STEP = 500
CUSTOMERS = (
    "id", "username", "email", "first_name", "last_name", "phone", "role", "status", "blocked_until", "newsletter", "order_count", "currency", "spent",
    "signed_in_at", "created_at",
)  # fmt: skip
ORDERS = (
    "number", "placed_at", "status", "payment_status", "fulfilment_status", "email", "name", "line1", "line2", "postcode", "city", "region", "country", "phone",
    "payment_method", "shipping_name", "coupon", "currency", "subtotal", "discount", "shipping", "tax", "total", "gift_card", "due",
)  # fmt: skip


def customers(filters: users.Filters, *, actor_id: int) -> Iterator[bytes]:
    """The accounts that the table shows with these filters, the oldest first."""
    db.transaction(_note, "customers_exported", actor_id)
    currency = settings.currency()

    def read(tx: Tx, after: int) -> list[Row]:
        rows = q.users.list_exported(tx, **users.wanted_of(tx, filters), after_id=after, limit=STEP)
        return [row | {"currency": currency} for row in rows]

    return _file(CUSTOMERS, read)


def orders(filters: admin_orders.Filters, *, actor_id: int) -> Iterator[bytes]:
    """The orders that the table shows with these filters, the oldest first."""
    db.transaction(_note, "orders_exported", actor_id)
    return _file(ORDERS, lambda tx, after: q.admin_orders.list_exported(tx, **admin_orders.wanted_of(tx, filters), after_id=after, limit=STEP))


def _note(tx: Tx, kind: str, actor_id: int) -> None:
    events.note(tx, kind, None, subject="export", actor_id=actor_id)


def _file(columns: tuple[str, ...], read: Callable[[Tx, int], list[Row]]) -> Iterator[bytes]:
    # The mark lets spreadsheets read the letters of other languages right.
    yield b"\xef\xbb\xbf" + encode_rows([list(columns)])
    after = 0
    while True:
        with db.reading() as tx:
            rows = read(tx, after)
        if not rows:
            return
        yield encode_rows([[_cell(row, name) for name in columns] for row in rows])
        after = rows[-1]["id"]


def _cell(row: Row, name: str) -> str:
    if f"{name}_minor" in row:
        return decimal(row[f"{name}_minor"], row["currency"])
    value: Any = row[name]
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return quote_formula(value) if isinstance(value, str) else "" if value is None else str(value)
