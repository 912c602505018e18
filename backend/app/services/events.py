"""What happened, for good: rows that the app's account of the database may add and never change, and lines in var/logs/events.jsonl.

Events hold ids and fixed words, never a name, an address or a value: so the record outlives the person it tells of.
Old events are not expired yet: the app cannot delete them, that takes the account that owns the tables.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import DRIVER_ERRORS, Row, Tx, q
from ..errors import Invalid, NotFound, ShopError

log = logging.getLogger("shop.events")

KINDS = frozenset(
    "registered sign_in sign_in_refused sign_out token_issued session_ended stepped_up password_changed password_reset email_changed totp_on totp_off"
    " recovery_codes_renewed access_reset"
    " blocked unblocked activated deactivated role_changed profile_changed user_noted erased products_changed products_imported products_exported"
    " customers_exported orders_exported category_changed stock_adjusted review_moderated promotion_changed gift_card_issued gift_card_voided"
    " gift_card_replaced order_changed orders_claimed payment_refused settings_changed article_changed message_changed ticket_changed newsletter_changed"
    " subscribers_changed backup_asked backup_made backup_proven backup_taken backup_deleted backup_restored backup_failed invariant_broken mail_retried"
    " mail_tested job_asked fault".split()
)
WORD = re.compile(r"[a-z0-9_]{0,32}")
FAULTS_A_MINUTE = 30  # of each process; what goes wrong all the time need not fill the record
MOST_COUNTED = 10_000  # rows of the table that are counted; of more it is only said that there are more

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


_faults: deque[float] = deque(maxlen=FAULTS_A_MINUTE)
_unnoted = 0
_counting = threading.Lock()


def record_fault(error: Exception, where: str, *, actor_id: int | None) -> None:
    """Add an event of what should never have happened, by its kind and place. Of very many a few are noted, with the number of the others."""
    global _unnoted
    with _counting:
        if len(_faults) == FAULTS_A_MINUTE and time.monotonic() - _faults[0] < 60:
            _unnoted += 1
            return
        _faults.append(time.monotonic())
        unnoted, _unnoted = _unnoted, 0
    detail: dict[str, int | str] = {"error": as_word(type(error).__name__), "where": as_word(where)} | ({"unnoted": unnoted} if unnoted else {})
    try:
        db.transaction(lambda tx: note(tx, "fault", None, subject="request", actor_id=actor_id, **detail))
    except (ShopError, *DRIVER_ERRORS) as failure:
        logging.getLogger("shop").warning("a fault was not noted", extra={"error": type(failure).__name__})


def as_word(name: str) -> str:
    """A name as an event may hold it."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower())[:32]


# ---------------------------------------------------------------- as the owner reads them

Sort = Literal["newest", "oldest"]


class EventRow(TypedDict):
    """`actor` and `subject` are what they are called now; whoever was erased has no name any more."""

    id: int
    at: datetime
    kind: str
    actor_id: int | None
    actor: str | None
    subject_kind: str
    subject_id: int | None
    subject: str | None
    request_id: str
    detail: dict[str, int | str | None]


class EventRows(TypedDict):
    """`at_least`: there are more than `total`, which nobody counted."""

    items: list[EventRow]
    next: str | None
    total: int
    at_least: bool


class Event(TypedDict):
    """`before` and `after`: what was changed and into what, where that is kept."""

    event: EventRow
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True)
class Filters:
    """'' and None are any; `q` is a request's id, an order's number or the name of an account that it happened to, `actor` the name or id of who did it."""

    q: str = ""
    kind: str = ""
    actor: str = ""
    subject: str = ""
    subject_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_all(filters: Filters, *, sort: Sort, limit: int, after: int | None) -> EventRows:
    """One page in two statements, and one more for each name or time that is asked for, however many events there are.

    Raises Invalid for a subject without its id, or the other way round: that alone no index finds.
    """
    if bool(filters.subject) != (filters.subject_id is not None):
        raise Invalid(subject_id="Give the kind of the subject and its id together.")
    with db.reading() as tx:
        wanted = _wanted(tx, filters)
        if wanted is None:
            return {"items": [], "next": None, "total": 0, "at_least": False}
        rows = q.events.list_all[sort](tx, **wanted, after_id=after, limit=limit + 1)
        total = q.events.count_all(tx, **wanted, most=MOST_COUNTED + 1)
    following = str(rows[limit - 1]["id"]) if len(rows) > limit else None
    return {"items": [_shown(row) for row in rows[:limit]], "next": following, "total": min(total, MOST_COUNTED), "at_least": total > MOST_COUNTED}


def _wanted(tx: Tx, filters: Filters) -> Row | None:
    """What the statements take, or None when no event can be meant."""
    wanted: Row = {
        "kind": filters.kind or None,
        "actor_id": _user(tx, filters.actor) if filters.actor else None,
        "subject": filters.subject or None,
        "subject_id": filters.subject_id,
        "request_id": None,
        # Times are looked up in their index once: the rest goes by ids, which grow with them.
        "first": q.events.get_first_since(tx, since=filters.since) if filters.since else 0,
        "last": q.events.get_last_until(tx, until=filters.until) if filters.until else 2**63 - 1,
    }
    text = filters.q.strip()
    if re.fullmatch(r"[0-9a-f]{16}", text):
        wanted["request_id"] = text
    elif text.upper().startswith("FC-"):
        wanted |= {"subject": "order", "subject_id": q.events.find_order(tx, number=text.upper()) if text.isascii() else None}
    elif text:
        wanted |= {"subject": "user", "subject_id": _user(tx, text)}
    unknown = (filters.actor and wanted["actor_id"] is None) or (text and not wanted["request_id"] and wanted["subject_id"] is None)
    return None if unknown or wanted["first"] is None or wanted["last"] is None or not f"{filters.kind}{filters.subject}".isascii() else wanted


def _user(tx: Tx, name: str) -> int | None:
    """The account of this name, or of this number."""
    if re.fullmatch(r"#?[0-9]{1,18}", name):
        return int(name.removeprefix("#"))
    found: int | None = q.events.find_user(tx, username_key=name.lower()) if name.isascii() else None
    return found


def _shown(row: Row) -> EventRow:
    names = {"user": row["username"], "order": row["order_number"], "product": row["product_title"]}
    kept = {name: value for name, value in row.items() if name not in ("username", "order_number", "product_title")}
    return {**kept, "subject": names.get(row["subject_kind"]), "detail": orjson.loads(row["detail"])}  # type: ignore[typeddict-item]


def get(event_id: int) -> Event:
    """One event with what it changed. Raises NotFound."""
    with db.reading() as tx:
        row = q.events.get(tx, event_id=event_id)
        if row is None:
            raise NotFound("There is no such event.")
        event = _shown(row)
        change = None
        if event["kind"] == "settings_changed":
            change = q.events.get_setting_change(tx, section=event["detail"].get("section"), version=event["subject_id"])
    if change:
        return {"event": event, "before": orjson.loads(change["value_before"]), "after": orjson.loads(change["value_after"])}
    if event["kind"] == "role_changed":
        return {"event": event, "before": {"role": event["detail"]["former"]}, "after": {"role": event["detail"]["role"]}}
    return {"event": event, "before": None, "after": None}
