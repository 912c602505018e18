"""Signed-in devices, scripts' tokens and guests' browsers: one row each. The row is the session and the device at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
from typing_extensions import TypedDict

from .. import db, security
from ..db import Row, Tx, q
from ..errors import NotFound, SignInRequired
from ..security import hash_token
from . import events, limits, mail

Kind = Literal["browser", "token"]


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


class SignedInDevice(TypedDict):
    """A browser that is signed in, or a script's token."""

    id: int
    kind: str
    browser: str
    os: str
    ip: str
    created_at: datetime
    seen_at: datetime
    current: bool


class DeviceList(TypedDict):
    items: list[SignedInDevice]
    next: str | None
    total: int


@dataclass(frozen=True)
class Visitor:
    """Where a request comes from. `device` is what the cookie of known devices holds; `limited` is off in tests only."""

    ip: str
    user_agent: str
    device: str = ""
    limited: bool = True


COOKIE_DAYS = 90
MINUTES_A_DAY = 24 * 60
GUEST_IDLE_DAYS, USER_IDLE_DAYS = 90, 30
TOKEN_MINUTES = 15
MOST: dict[Kind, int] = {"browser": 3, "token": 10}
MOST_DEVICES = MOST["browser"]
STEP_UP_MINUTES = 10
DEVICE_DAYS = 400  # as long as browsers keep a cookie

# Browsers name each other: Edge says Chrome, Chrome says Safari. The first that fits is the one that it is.
BROWSERS = {
    "Edge": r"\bEdg(e|A|iOS)?/",
    "Opera": r"\b(OPR|OPiOS|OPT|Opera)/",
    "Firefox": r"\b(Firefox|FxiOS)/",
    "Chrome": r"(\b|Headless)(Chrome|CriOS|Chromium)/",
    "Safari": r"\bVersion/.*\bSafari/",
}
SYSTEMS = {"iOS": r"\b(iPhone|iPad|iPod)\b", "Android": r"\bAndroid\b", "Windows": r"\bWindows\b", "macOS": r"\bMacintosh\b", "Linux": r"\b(Linux|X11|CrOS)\b"}


def browser_and_os(user_agent: str) -> tuple[str, str]:
    """The family of browser and the operating system, each `other` when it is none of those that most people use."""
    found = [next((name for name, pattern in names.items() if re.search(pattern, user_agent)), "other") for names in (BROWSERS, SYSTEMS)]
    return found[0], found[1]


def in_words(browser: str, os: str) -> str:
    """`Firefox on Windows`, for people."""
    known_browser = "A browser" if browser == "other" else browser
    return known_browser if os == "other" else f"{known_browser} on {os}"


# ---------------------------------------------------------------- every request


def find(sid: str, *, user_agent: str = "", ip: str = "", kind: Kind = "browser") -> dict[str, Any] | None:
    """The live session with this id: `{id, data, account, stepped_up, totp}`, account None for a guest. One query; last use is noted once
    a minute. A signed-in one that turns up in another browser or system was copied: it is ended.
    """
    with db.reading() as tx:
        row = q.sessions.get(tx, token_hash=hash_token(sid), kind=kind, fresh_minutes=STEP_UP_MINUTES)
    if row is None:
        return None
    data = orjson.loads(row["data"])
    if row["id"] is None:
        if row["stale"]:
            db.transaction(_touch, row, ip)
        return {"id": row["session_id"], "data": data, "account": None, "stepped_up": False, "totp": False}
    if kind == "browser" and browser_and_os(user_agent) != (row["browser"], row["os"]):
        db.transaction(_end_one, row["id"], row["session_id"], "another_browser")
        return None
    if row["stale"]:
        db.transaction(_touch, row, ip)
    flags = {"stepped_up": bool(row["stepped_up"]), "totp": bool(row["totp"])}
    return {"id": row["session_id"], "data": data | {"user_id": row["id"]}, "account": _account(row), **flags}


def _touch(tx: Tx, row: Row, ip: str) -> None:
    q.sessions.touch(tx, id=row["session_id"], ip=ip[:45] or row["ip"])


def _account(row: Row) -> Row:
    return {name: row[name] for name in ("id", "username", "email", "first_name", "last_name", "phone", "role", "created_at")}


def account_of(user_id: int) -> Row | None:
    """The account as requests see it, or None when it is gone or closed."""
    with db.reading() as tx:
        row = q.sessions.get_account(tx, user_id=user_id)
    return _account(row) if row else None


# ---------------------------------------------------------------- how a session begins


def save(sid: str, data: dict[str, Any], *, ip: str, user_agent: str, known: bool = False, password_hash: str | None = None) -> None:
    """Keep what the session holds. A `known` one is only changed, so that none that was ended meanwhile comes back to life.

    A new one of a signed-in user ends the user's oldest when there are more than three; it does not begin when the account was closed,
    or its password changed from the one with that hash, since the sign-in was checked.
    """
    kept = orjson.dumps({name: value for name, value in data.items() if name not in ("user_id", "_permanent")}).decode()
    visitor = Visitor(ip, user_agent)
    if known:
        db.transaction(_change, sid, data.get("user_id"), kept, visitor)
    else:
        db.transaction(_add, sid, data.get("user_id"), kept, visitor, password_hash)


def _change(tx: Tx, sid: str, user_id: int | None, data: str, visitor: Visitor) -> None:
    minutes = _idle_days(user_id) * MINUTES_A_DAY
    where = {"ip": visitor.ip[:45], "user_agent": visitor.user_agent[:255]}
    q.sessions.change(tx, token_hash=hash_token(sid), user_id=user_id, data=data, idle_minutes=minutes, **where)


def _add(tx: Tx, sid: str, user_id: int | None, data: str, visitor: Visitor, password_hash: str | None) -> None:
    if user_id is None:
        _insert(tx, "browser", sid, None, data, visitor, GUEST_IDLE_DAYS * MINUTES_A_DAY)
    else:
        admit(tx, "browser", sid, user_id, visitor, data=data, minutes=USER_IDLE_DAYS * MINUTES_A_DAY, password_hash=password_hash)


def admit(tx: Tx, kind: Kind, sid: str, user_id: int, visitor: Visitor, *, minutes: int, password_hash: str | None, data: str = "{}") -> bool:
    """Add a session of the user and end the oldest of its kind beyond the most that there may be.

    False: the account was closed, or its password changed from the one with this hash, since the sign-in was checked.
    """
    # Sign-ins of one user wait for each other on the user's row, and so does a change of password.
    if q.sessions.lock_proven(tx, user_id=user_id, password_hash=password_hash) is None:
        return False
    _insert(tx, kind, sid, user_id, data, visitor, minutes)
    newest = [row["id"] for row in q.sessions.list_newest(tx, user_id=user_id, kind=kind, most=MOST[kind])]
    ended = q.sessions.delete_older(tx, user_id=user_id, kind=kind, kept=newest)
    if ended:
        events.note(tx, "session_ended", user_id, reason="too_many", what=kind, count=ended)
    return True


def _insert(tx: Tx, kind: Kind, sid: str, user_id: int | None, data: str, visitor: Visitor, minutes: int) -> None:
    browser, os = browser_and_os(visitor.user_agent)
    where = {"ip": visitor.ip[:45], "user_agent": visitor.user_agent[:255], "browser": browser, "os": os}
    q.sessions.add(tx, kind=kind, token_hash=hash_token(sid), user_id=user_id, data=data, idle_minutes=minutes, **where)


def _idle_days(user_id: int | None) -> int:
    return GUEST_IDLE_DAYS if user_id is None else USER_IDLE_DAYS


def notices_of_sign_in(user_id: int) -> list[str]:
    """What somebody who signs in now should be told about their other devices."""
    with db.reading() as tx:
        full = len(q.sessions.list_newest(tx, user_id=user_id, kind="browser", most=MOST_DEVICES)) == MOST_DEVICES
    return [f"You can be signed in on {MOST_DEVICES} devices at a time, so the one you signed in on longest ago was signed out."] if full else []


# ---------------------------------------------------------------- devices that are known


def arrive(user_id: int, visitor: Visitor, *, greeted: bool) -> str:
    """Note a sign-in, and tell the account's owner by mail when it comes from a new device, unless they were `greeted` just now.

    Gives the secret for this browser's cookie of known devices.
    """
    return db.transaction(_arrive, user_id, visitor, greeted, security.new_token())


def _arrive(tx: Tx, user_id: int, visitor: Visitor, greeted: bool, fresh: str) -> str:
    # A value that this account does not know may have been planted, so it is never taken over.
    known = bool(visitor.device) and knows_device(tx, user_id, visitor.device)
    device = visitor.device if known else fresh
    remember(tx, user_id, device, visitor, tell=not (known or greeted))
    q.users.note_sign_in(tx, user_id=user_id)
    events.note(tx, "sign_in", user_id, actor_id=user_id, known_device=int(known))
    return device


def knows_device(tx: Tx, user_id: int | None, device: str) -> bool:
    return bool(q.sessions.is_known_device(tx, user_id=user_id, device_hash=hash_token(device)))


def remember(tx: Tx, user_id: int, device: str, visitor: Visitor, *, tell: bool) -> None:
    """Know the device from now on, and mail the owner about it if they are to be told."""
    q.sessions.know_device(tx, user_id=user_id, device_hash=hash_token(device))
    account = q.sessions.get_account(tx, user_id=user_id)
    if tell and account:
        words = in_words(*browser_and_os(visitor.user_agent))
        mail.enqueue(tx, "new_device", account["email"], {"username": account["username"], "device": words, "ip": visitor.ip})


def network_device(ip: str) -> str:
    """What stands for a script's device: the network that it calls from, unreadable without the shop's key."""
    return security.sign("network", limits.network(ip)).hex()


# ---------------------------------------------------------------- the list, and how a session ends


def list_of(user_id: int, current: int | None) -> DeviceList:
    """What the account is signed in on: browsers first, then scripts' tokens, each by last use."""
    with db.reading() as tx:
        items = devices_of(tx, user_id, current)
    return {"items": items, "next": None, "total": len(items)}


def devices_of(tx: Tx, user_id: int, current: int | None) -> list[SignedInDevice]:
    return [_device(row, current) for row in q.sessions.list_of(tx, user_id=user_id)]


def _device(row: Row, current: int | None) -> SignedInDevice:
    return {
        "id": row["id"],
        "kind": row["kind"],
        "browser": row["browser"],
        "os": row["os"],
        "ip": row["ip"],
        "created_at": row["created_at"],
        "seen_at": row["seen_at"],
        "current": row["id"] == current,
    }


def end_one(user_id: int, session_id: int) -> None:
    """End one of the user's sessions. Raises NotFound, also for somebody else's."""
    if not db.transaction(_end_one, user_id, session_id, "by_owner"):
        raise NotFound("There is no such device.")


def _end_one(tx: Tx, user_id: int, session_id: int, reason: str) -> bool:
    ended = bool(q.sessions.delete_one(tx, id=session_id, user_id=user_id))
    if ended:
        events.note(tx, "session_ended", user_id, reason=reason, session=session_id)
    return ended


def end_others(user_id: int, kept_id: int) -> None:
    """End every session of the user but one, scripts' tokens too."""
    db.transaction(end_others_of, user_id, kept_id)


def end_others_of(tx: Tx, user_id: int, kept_id: int) -> None:
    """End every session and access token of the account but the session with this id."""
    ended = q.sessions.delete_others(tx, user_id=user_id, kept_id=kept_id)
    events.note(tx, "session_ended", user_id, actor_id=user_id, reason="all_others", count=ended)


def sign_out(user_id: int, session_id: int) -> None:
    """End a session at its own word."""
    db.transaction(_sign_out, user_id, session_id)


def _sign_out(tx: Tx, user_id: int, session_id: int) -> None:
    if q.sessions.delete_one(tx, id=session_id, user_id=user_id):
        events.note(tx, "sign_out", user_id, actor_id=user_id, session=session_id)


def step_up(user_id: int, session_id: int, sid: str | None, *, password_hash: str | None = None) -> None:
    """Record that the session's account has just authenticated again; `sid` is the session's new id.

    `password_hash` is that of the password it proved, if it proved one. Raises SignInRequired when
    the session ended since, or when another password or a second factor was set since.
    """
    if not db.transaction(_step_up, user_id, session_id, sid, password_hash):
        raise SignInRequired("Please sign in to go on.")


def _step_up(tx: Tx, user_id: int, session_id: int, sid: str | None, password_hash: str | None) -> bool:
    token_hash = hash_token(sid) if sid else None
    done = bool(q.sessions.step_up(tx, id=session_id, token_hash=token_hash, password_hash=password_hash))
    if done:
        events.note(tx, "stepped_up", user_id, actor_id=user_id, session=session_id)
    return done


def end_step_up(tx: Tx, user_id: int) -> None:
    """Make every session of the account authenticate again before its next sensitive action.

    To be called in the transaction that changes the account's password, second factor or role: what
    was proven before says nothing about the account as it is now.
    """
    q.sessions.end_step_up(tx, user_id=user_id)


def end(sid: str) -> None:
    """End one session at once. Ending one that is gone is no fault."""
    db.transaction(_end, sid)


def _end(tx: Tx, sid: str) -> None:
    q.sessions.delete(tx, token_hash=hash_token(sid))


def end_all_of(tx: Tx, user_id: int) -> int:
    """End every session of the user, as after a password reset. Gives their number."""
    return int(q.sessions.delete_of_user(tx, user_id=user_id))


def end_tokens_of(tx: Tx, user_id: int) -> int:
    """End the user's scripts' tokens, as after a change of role. Gives their number."""
    return int(q.sessions.delete_of_kind(tx, user_id=user_id, kind="token"))


def delete_expired() -> int:
    """Remove the sessions that ended by time, and devices not seen for long. Gives the number of sessions."""
    total = 0
    while removed := db.transaction(lambda tx: int(q.sessions.delete_expired(tx))):
        total += removed
    db.transaction(lambda tx: int(q.sessions.forget_devices(tx, days=DEVICE_DAYS)))
    return total
