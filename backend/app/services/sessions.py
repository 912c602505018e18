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
IDLE_DAYS = {"guest": 90, "customer": 30}


def find(sid: str) -> dict[str, Any] | None:
    """The live session with this id: `{data, account}`, account None for a guest. One query; last use is noted once a minute."""
    with db.reading() as tx:
        row = q.sessions.get(tx, token_hash=hash_token(sid))
        if row is None:
            return None
        if row["stale"]:
            q.sessions.touch(tx, id=row["session_id"])
    data = orjson.loads(row["data"])
    if row["id"] is None:
        return {"data": data, "account": None}
    return {"data": data | {"user_id": row["id"]}, "account": _account(row)}


def _account(row: Row) -> Row:
    return {name: row[name] for name in ("id", "username", "email", "first_name", "last_name", "phone", "role", "created_at")}


def account_of(user_id: int) -> Row | None:
    """The account as requests see it, or None when it is gone or closed."""
    with db.reading() as tx:
        row = q.sessions.get_account(tx, user_id=user_id)
    return _account(row) if row else None


def save(sid: str, data: dict[str, Any], *, ip: str, user_agent: str) -> None:
    """Insert or update the session row."""
    kept = {name: value for name, value in data.items() if name not in ("user_id", "_permanent")}
    db.transaction(_save, sid, kept, data.get("user_id"), ip, user_agent[:255])


def _save(tx: Tx, sid: str, data: dict[str, Any], user_id: int | None, ip: str, user_agent: str) -> None:
    idle_days = IDLE_DAYS["customer" if user_id else "guest"]
    q.sessions.save(tx, token_hash=hash_token(sid), user_id=user_id, data=orjson.dumps(data).decode(), ip=ip, user_agent=user_agent, idle_days=idle_days)


def end(sid: str) -> None:
    with db.reading() as tx:
        q.sessions.delete(tx, token_hash=hash_token(sid))


def end_all_of(tx: Tx, user_id: int) -> int:
    """End every session of the user, as after a password reset. Gives their number."""
    return int(q.sessions.delete_of_user(tx, user_id=user_id))
