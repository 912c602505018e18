"""What happened, for good: rows that the app's account of the database may add and never change, and lines in var/logs/events.jsonl.

Events hold ids and fixed words, never a name, an address or a value: so the record outlives the person it tells of.
Old events are not expired yet: the app cannot delete them, that takes the account that owns the tables.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar

import orjson

from .. import db
from ..db import Tx, q

log = logging.getLogger("shop.events")

KINDS = frozenset(
    "registered sign_in sign_in_refused sign_out token_issued session_ended stepped_up password_changed password_reset email_changed"
    " totp_on totp_off blocked unblocked activated deactivated role_changed erased products_changed products_imported products_exported"
    " category_changed stock_adjusted review_moderated promotion_changed gift_card_issued gift_card_voided gift_card_replaced order_changed orders_claimed"
    " payment_refused settings_changed mail_retried mail_tested job_asked fault".split()
)
WORD = re.compile(r"[a-z0-9_]{0,32}")

_request: ContextVar[str] = ContextVar("request", default="")


def begin_request(request_id: str) -> None:
    """Name the request that the events of this thread belong to, until the next one begins."""
    _request.set(request_id)


def note(tx: Tx, kind: str, subject_id: int | None, *, subject: str = "user", actor_id: int | None = None, **detail: int | str | None) -> None:
    """Add an event about a user, or another `subject`, in the transaction of what happened; `detail` takes ids and fixed words only."""
    if kind not in KINDS:
        raise KeyError(kind)
    if any(isinstance(value, str) and not WORD.fullmatch(value) for value in detail.values()):
        raise ValueError(f"{kind}: an event holds ids and fixed words only")
    row = {"kind": kind, "actor_id": actor_id, "subject_kind": subject, "subject_id": subject_id, "request_id": _request.get()}
    q.events.add(tx, **row, detail=orjson.dumps(detail).decode())
    # Told to the log when it is certain, and once, however often the transaction had to be tried.
    tx.after_commit.append(lambda: log.info(kind, extra={**row, "detail": detail}))


def record(kind: str, subject_id: int | None, *, reason: str, **counts: int) -> None:
    """Add an event of something that wrote nothing else, such as a refusal."""
    db.transaction(lambda tx: note(tx, kind, subject_id, subject="user", actor_id=None, reason=reason, **counts))
