"""How long the shop keeps what it need not keep for ever: as many days as the owner chose, then a job forgets it.

Orders, invoices and what stands in the books are kept by law. Events stay: the app's account of the database may not delete them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import db
from ..db import Tx, q
from . import settings

STEP = 200  # rows in one transaction; a cart goes with its items


def forget_guests() -> tuple[int, int]:
    """Forget carts and wishes of guests who did not come back. Gives the numbers of both."""
    carts = _forget(lambda tx, days: q.retention.delete_guest_carts(tx, days=days, limit=STEP), "guest_days")
    wishes = _forget(lambda tx, days: q.retention.delete_guest_wishes(tx, days=days, limit=STEP), "guest_days")
    return carts, wishes


def forget_keys() -> int:
    """Forget idempotency keys; scripts are promised at least 30 days."""
    return _forget(lambda tx, days: q.retention.delete_keys(tx, days=days, limit=STEP), "key_days")


def forget_mails() -> int:
    """Forget that mails were sent which belong to no order."""
    return _forget(lambda tx, days: q.retention.delete_mails(tx, days=days, limit=STEP), "mail_days")


def forget_messages() -> int:
    """Forget messages of the contact form that were dealt with."""
    return _forget(lambda tx, days: q.retention.delete_contact_messages(tx, days=days, limit=STEP), "message_days")


def _forget(delete: Callable[[Tx, int], Any], setting: str) -> int:
    with db.reading() as tx:
        days = int(settings.shop(tx)[setting])
    total = 0
    while step := db.transaction(lambda tx: int(delete(tx, days))):
        total += step
    return total
