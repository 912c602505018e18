"""Signed-in devices and guests' browsers: one row each. The row is the session and the device at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..security import hash_token


class Account(TypedDict):
    """Who is signed in, as requests and pages see it."""

    id: int
    username: str
    email: str
    first_name: str
    last_name: str
    phone: str
    role: str
    created_at: datetime


COOKIE_DAYS = 90
GUEST_IDLE_DAYS, USER_IDLE_DAYS = 90, 30
MOST_DEVICES = 3


def find(sid: str) -> dict[str, Any] | None:
    """The live session with this id: `{data, account}`, account None for a guest. One query; last use is noted once a minute."""
    with db.reading() as tx:
        row = q.sessions.get(tx, token_hash=hash_token(sid))
    if row is None:
        return None
    if row["stale"]:
        db.transaction(_touch, row["session_id"])
    data = orjson.loads(row["data"])
    if row["id"] is None:
        return {"data": data, "account": None}
    return {"data": data | {"user_id": row["id"]}, "account": _account(row)}


def _touch(tx: Tx, session_id: int) -> None:
    q.sessions.touch(tx, id=session_id)


def _account(row: Row) -> Row:
    return {name: row[name] for name in ("id", "username", "email", "first_name", "last_name", "phone", "role", "created_at")}


def account_of(user_id: int) -> Row | None:
    """The account as requests see it, or None when it is gone or closed."""
    with db.reading() as tx:
        row = q.sessions.get_account(tx, user_id=user_id)
    return _account(row) if row else None


def save(sid: str, data: dict[str, Any], *, ip: str, user_agent: str, known: bool = False) -> None:
    """Keep what the session holds. A `known` one is only changed, so that none that was ended meanwhile comes back to life.

    A new one of a signed-in user ends the user's oldest when there are more than three.
    """
    kept = orjson.dumps({name: value for name, value in data.items() if name not in ("user_id", "_permanent")}).decode()
    where = {"ip": ip[:45], "user_agent": user_agent[:255]}
    if known:
        db.transaction(_change, sid, data.get("user_id"), kept, where)
    else:
        db.transaction(_add, sid, data.get("user_id"), kept, where)


def _change(tx: Tx, sid: str, user_id: int | None, data: str, where: dict[str, str]) -> None:
    q.sessions.change(tx, token_hash=hash_token(sid), user_id=user_id, data=data, idle_days=_idle_days(user_id), **where)


def _add(tx: Tx, sid: str, user_id: int | None, data: str, where: dict[str, str]) -> None:
    # Sign-ins of one user wait for each other on the user's row; who was closed meanwhile gets no session.
    if user_id is not None and q.sessions.lock_user(tx, user_id=user_id) is None:
        return
    q.sessions.add(tx, token_hash=hash_token(sid), user_id=user_id, data=data, idle_days=_idle_days(user_id), **where)
    if user_id is not None:
        newest = [row["id"] for row in q.sessions.list_newest(tx, user_id=user_id, most=MOST_DEVICES)]
        q.sessions.delete_others(tx, user_id=user_id, kept=newest)


def _idle_days(user_id: int | None) -> int:
    return GUEST_IDLE_DAYS if user_id is None else USER_IDLE_DAYS


def notices_of_sign_in(user_id: int) -> list[str]:
    """What somebody who signs in now should be told about their other devices."""
    with db.reading() as tx:
        full = len(q.sessions.list_newest(tx, user_id=user_id, most=MOST_DEVICES)) == MOST_DEVICES
    return [f"You can be signed in on {MOST_DEVICES} devices at a time, so the one you signed in on longest ago was signed out."] if full else []


def end(sid: str) -> None:
    """End one session at once. Ending one that is gone is no fault."""
    db.transaction(_end, sid)


def _end(tx: Tx, sid: str) -> None:
    q.sessions.delete(tx, token_hash=hash_token(sid))


def end_all_of(tx: Tx, user_id: int) -> int:
    """End every session of the user, as after a password reset. Gives their number."""
    return int(q.sessions.delete_of_user(tx, user_id=user_id))


def delete_expired() -> int:
    """Remove the sessions that ended by time. Gives their number."""
    total = 0
    while removed := db.transaction(lambda tx: int(q.sessions.delete_expired(tx))):
        total += removed
    return total
