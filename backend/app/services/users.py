"""Other people's accounts, as an admin sees and changes them: role, block, deactivation. Each counts from the next request on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Conflict, Invalid, NotFound
from . import events, mail, sessions


class User(TypedDict):
    id: int
    username: str
    email: str
    first_name: str
    last_name: str
    role: str
    status: str
    blocked_until: datetime | None
    block_reason: str
    totp: bool
    created_at: datetime


class UserList(TypedDict):
    items: list[User]
    next: str | None
    total: int


def list_all(*, search: str, role: str, status: str, limit: int, after: str) -> UserList:
    """Accounts, newest first. `search` is the beginning of a username or an e-mail address; `status` may be active, blocked, deactivated."""
    wanted = {"search": _prefix(search), "role": role, "status": status}
    with db.reading() as tx:
        rows = q.users.list_all(tx, **wanted, after_id=_read_after(after), limit=limit + 1)
        total = q.users.count_all(tx, **wanted)
    page = rows[:limit]
    return {"items": [_user(row) for row in page], "next": str(page[-1]["id"]) if len(rows) > limit else None, "total": total}


def _prefix(search: str) -> str:
    """A pattern of LIKE in which nothing that was typed is a wildcard."""
    return "".join(f"!{character}" if character in "!%_" else character for character in search) + "%"


def _read_after(after: str) -> int | None:
    if not after:
        return None
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise Invalid(after="This is no `next` of this list.")
    return int(after)


def _user(row: Row) -> User:
    return {
        "id": row["id"],
        "username": row["username"],
        "email": row["email"],
        "first_name": row["first_name"],
        "last_name": row["last_name"],
        "role": row["role"],
        "status": row["status"],
        "blocked_until": row["blocked_until"],
        "block_reason": row["block_reason"],
        "totp": bool(row["totp"]),
        "created_at": row["created_at"],
    }


def change(user_id: int, changes: dict[str, Any], *, actor_id: int) -> User:
    """Change what is given of role, status, blocked_until (None lifts a block) and block_reason, all or none; gives the account.

    Raises NotFound, Invalid for a block in the past or without a reason, Conflict `last_admin` where no admin who can act would be left.
    """
    return db.transaction(_change, user_id, changes, actor_id)


def _change(tx: Tx, user_id: int, changes: dict[str, Any], actor_id: int) -> User:
    # Whoever takes an admin away holds the rows of all, so that two admins cannot go at once and each count on the other.
    q.users.lock_admins(tx)
    before = _get(tx, user_id)
    wanted = before | changes
    blocking = bool(changes.get("blocked_until"))
    if blocking:
        _check_block(wanted, before["now"])
    if not wanted["blocked_until"]:
        wanted["block_reason"] = ""
    row = {name: wanted[name] for name in ("role", "status", "blocked_until", "block_reason")}
    if any(row[name] != before[name] for name in row) and not q.users.change(tx, user_id=user_id, **row):
        raise Conflict("This is the shop's only admin who can act. Make somebody else an admin first.", code="last_admin")
    _follow_up(tx, before, row, actor_id)
    return _user(_get(tx, user_id))


def _get(tx: Tx, user_id: int) -> Row:
    row: Row | None = q.users.get(tx, user_id=user_id)
    if row is None:
        raise NotFound("There is no such account.")
    return row


def _check_block(wanted: Row, now: datetime) -> None:
    if wanted["blocked_until"] <= now:
        raise Invalid(blocked_until="Choose a time that is still to come.")
    if not wanted["block_reason"]:
        raise Invalid(block_reason="Say why: the person is told.")


def _follow_up(tx: Tx, before: Row, after: Row, actor_id: int) -> None:
    """What a change entails: sessions that end, the mail that tells of a block, the record."""
    user_id = before["id"]
    blocked = bool(after["blocked_until"]) and (after["blocked_until"], after["block_reason"]) != (before["blocked_until"], before["block_reason"])
    closed = after["status"] == "deactivated" != before["status"]
    if blocked or closed:
        sessions.end_all_of(tx, user_id)
    if after["role"] != before["role"]:
        # A browser has its new role at the next request; a script asks for a new token.
        sessions.end_tokens_of(tx, user_id)
        events.note(tx, "role_changed", user_id, actor_id=actor_id, former=before["role"], role=after["role"])
    if after["status"] != before["status"]:
        events.note(tx, "deactivated" if closed else "activated", user_id, actor_id=actor_id)
    if blocked:
        events.note(tx, "blocked", user_id, actor_id=actor_id)
        until = f"{after['blocked_until']:%d %B %Y, %H:%M} UTC"
        mail.enqueue(tx, "account_blocked", before["email"], {"username": before["username"], "until": until, "reason": after["block_reason"]})
    elif before["blocked_until"] and not after["blocked_until"]:
        events.note(tx, "unblocked", user_id, actor_id=actor_id)
