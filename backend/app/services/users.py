"""Other people's accounts, as an admin sees and changes them. Each change counts from the next request on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from typing_extensions import TypedDict

from .. import db, security
from ..db import Row, Tx, q
from ..errors import Conflict, Invalid, NotFound
from . import accounts, addresses, events, grid, mail, privacy, profile, sessions, settings
from .accounts import username_key
from .addresses import SavedAddress
from .catalogue import Image, media
from .sessions import SignedInDevice

Role = Literal["customer", "staff", "admin"]
Status = Literal["", "active", "blocked", "deactivated"]
Newsletter = Literal["", "yes", "no"]
Sort = Literal["newest", "oldest", "name", "name_desc"]

MOST_COUNTED = 10_000  # rows of the table that are counted; of more it is only said that there are more
MOST_ID = 2**63 - 1
MOST_FOUND = 1000  # accounts that a search takes
SHOWN = 10  # orders, tickets and the like on a customer's page
CHANGEABLE = ("first_name", "last_name", "phone", "role", "status", "blocked_until", "block_reason")
POWERS = frozenset({"role", "status", "blocked_until", "block_reason"})  # what nobody changes of themselves
OWN = "This is your own account. Another admin can do that."
assert set(get_args(Sort)) == set(q.users.list_all)


class User(TypedDict):
    """`order_count` is of the orders that stand, `spent_minor` of those that were paid, `level` comes of that; `signed_in_at` is the last sign-in."""

    id: int
    username: str
    email: str
    first_name: str
    last_name: str
    phone: str
    role: str
    status: str
    blocked_until: datetime | None
    block_reason: str
    totp: bool
    newsletter: bool
    level: str
    order_count: int
    spent_minor: int
    signed_in_at: datetime | None
    created_at: datetime


class UserList(TypedDict):
    """`at_least`: there are more than `total`, which nobody counted."""

    items: list[User]
    next: str | None
    total: int
    at_least: bool
    currency: str


class CustomersOrder(TypedDict):
    number: str
    status: str
    payment_status: str
    fulfilment_status: str
    total_minor: int
    currency: str
    placed_at: datetime


class CustomersTicket(TypedDict):
    number: str
    subject: str
    status: str
    updated_at: datetime


class CustomersReview(TypedDict):
    id: int
    product: str
    slug: str
    rating: int
    title: str
    status: str
    created_at: datetime


class CustomersGiftCard(TypedDict):
    id: int
    last_letters: str
    initial_minor: int
    balance_minor: int
    currency: str
    expires_at: datetime | None
    voided_at: datetime | None
    created_at: datetime


class CustomersEvent(TypedDict):
    id: int
    at: datetime
    kind: str
    actor: str | None


class Note(TypedDict):
    id: int
    body: str
    author: str | None
    created_at: datetime


class CustomerPage(TypedDict):
    """An account with its history: the latest ten of each, and everything noted of it. `own`: it is the reader's."""

    user: User
    own: bool
    avatar: Image | None
    currency: str
    orders: list[CustomersOrder]
    tickets: list[CustomersTicket]
    reviews: list[CustomersReview]
    addresses: list[SavedAddress]
    gift_cards: list[CustomersGiftCard]
    devices: list[SignedInDevice]
    events: list[CustomersEvent]
    notes: list[Note]


@dataclass(frozen=True)
class Filters:
    """'', 0 and None are any; `q` begins a username or an address; `inactive`: customers who never ordered, and did not sign in for so many months."""

    q: str = ""
    role: Literal["", "customer", "staff", "admin"] = ""
    status: Status = ""
    newsletter: Newsletter = ""
    since: date | None = None
    until: date | None = None
    inactive: int = 0


# ---------------------------------------------------------------- the table


def list_all(filters: Filters, *, sort: Sort, limit: int, after: str) -> UserList:
    """One page in three statements, four with a search, however long it is."""
    by_name = sort.startswith("name")
    value, after_id = grid.read_cursor(after, sort, str if by_name else int)
    if by_name and value is not None and not value.isascii():
        raise Invalid(after="This is no `next` of a list with this sort order.")
    with db.reading() as tx:
        shop = settings.shop(tx)
        wanted = wanted_of(tx, filters)
        names = {"after": value} if by_name else {}
        rows = q.users.list_all[sort](tx, **wanted, **names, after_id=after_id, limit=limit + 1)
        most = MOST_FOUND if filters.inactive else MOST_COUNTED
        total = q.users.count_all(tx, **wanted, most=most + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    following = grid.cursor(sort, last["username_key"] if by_name else last["id"], last["id"]) if last else None
    counted = {"total": min(total, most), "at_least": total > most}
    return {"items": [_user(row, shop) for row in rows[:limit]], "next": following, "currency": shop["currency"], **counted}  # type: ignore[typeddict-item]


def wanted_of(tx: Tx, filters: Filters) -> Row:
    """What statements over accounts take for these filters."""
    text = filters.q.strip()
    since, before = filters.since, filters.until + timedelta(days=1) if filters.until and filters.until < date.max else None
    return {
        # Days are looked up in their index once: the rest goes by ids, which grow with them.
        "first": (q.users.get_first_since(tx, since=since) or MOST_ID) if since else 0,
        "last": (q.users.get_last_before(tx, before=before) or 0) if before else MOST_ID,
        "any_id": not text,
        "ids": _find(tx, text) if text else [],
        "role": filters.role or None,
        "status": {"active": "active", "deactivated": "deactivated", "blocked": "active"}.get(filters.status),
        "blocked": filters.status == "blocked",
        "unblocked": filters.status == "active",
        "newsletter": {"yes": True, "no": False}.get(filters.newsletter),
        "since": since,
        "before": before,
        "months": filters.inactive,
    }


def _find(tx: Tx, text: str) -> list[int]:
    # Usernames are ASCII; to compare them with anything else is an error to the database, not a no.
    name = grid.starting(username_key(text)) if text.isascii() else ""
    return [row["id"] for row in q.users.find(tx, name=name, address=grid.starting(accounts.email_key(text)), most=MOST_FOUND)]


def list_ids(tx: Tx, filters: Filters, *, after: int, limit: int) -> list[int]:
    """Return the ids of the accounts that match, those above `after`, in ascending order."""
    return [row["id"] for row in q.users.list_wanted(tx, **wanted_of(tx, filters), after_id=after, limit=limit)]


def _user(row: Row, shop: dict[str, Any]) -> User:
    plain = {name: row[name] for name in User.__annotations__ if name != "level"}
    level = profile.level_for(row["spent_minor"], shop["levels"])
    return plain | {"totp": bool(row["totp"]), "newsletter": bool(row["newsletter"]), "level": level}  # type: ignore[return-value]


# ---------------------------------------------------------------- one customer


def get(user_id: int, *, reader_id: int) -> CustomerPage:
    """An account with its history, in a fixed number of statements. Raises NotFound."""
    with db.reading() as tx:
        row = _get(tx, user_id)
        shop = settings.shop(tx)
        theirs = {"user_id": user_id, "most": SHOWN}
        return {
            "user": _user(row, shop),
            "own": user_id == reader_id,
            "avatar": media(row["avatar_path"], "", profile.AVATAR_SIZE, profile.AVATAR_SIZE),
            "currency": shop["currency"],
            "orders": q.users.list_orders(tx, **theirs),
            "tickets": q.users.list_tickets(tx, **theirs),
            "reviews": q.users.list_reviews(tx, **theirs),
            "addresses": addresses.all_of(tx, user_id),
            "gift_cards": q.users.list_gift_cards(tx, email=row["email"], **theirs),
            "devices": sessions.devices_of(tx, user_id, None),
            "events": q.users.list_events(tx, **theirs),
            "notes": q.users.list_notes(tx, user_id=user_id),
        }


def _get(tx: Tx, user_id: int) -> Row:
    row: Row | None = q.users.get(tx, user_id=user_id)
    if row is None:
        raise NotFound("There is no such account.")
    return row


def add_note(user_id: int, body: str, *, actor_id: int) -> None:
    """Note something about a customer, for all who run the shop; the customer reads it in the export of their data. Raises NotFound."""
    db.transaction(_add_note, user_id, body, actor_id)


def _add_note(tx: Tx, user_id: int, body: str, actor_id: int) -> None:
    if not q.users.add_note(tx, user_id=user_id, author_id=actor_id, body=body):
        raise NotFound("There is no such account.")
    events.note(tx, "user_noted", user_id, actor_id=actor_id, action="added")


def delete_note(user_id: int, note_id: int, *, actor_id: int) -> None:
    """Raises NotFound, also for a note about somebody else."""
    db.transaction(_delete_note, user_id, note_id, actor_id)


def _delete_note(tx: Tx, user_id: int, note_id: int, actor_id: int) -> None:
    if not q.users.delete_note(tx, user_id=user_id, note_id=note_id):
        raise NotFound("There is no such note.")
    events.note(tx, "user_noted", user_id, actor_id=actor_id, action="removed")


# ---------------------------------------------------------------- one change


def invite(username: str, email: str, role: Role, *, actor_id: int) -> User:
    """Make an account for somebody, who chooses the password with a code that is mailed to them. Raises Invalid for what is taken."""
    # Nobody knows this one: the only way in is through the mailbox.
    password_hash = security.hash_password(security.new_token())
    user_id = db.transaction(_invite, username, email, role, password_hash, actor_id)
    with db.reading() as tx:
        return _user(_get(tx, user_id), settings.shop(tx))


def _invite(tx: Tx, username: str, email: str, role: Role, password_hash: str, actor_id: int) -> int:
    user_id = accounts.add(tx, username, email, password_hash, role)
    events.note(tx, "registered", user_id, actor_id=actor_id, role=role)
    mail.enqueue(tx, "invitation", email, {"username": username, "role": role, "email": email})
    return user_id


def change(user_id: int, changes: dict[str, Any], *, actor_id: int) -> User:
    """Change what is given of the names, phone, role, status, blocked_until (None lifts a block) and block_reason, all or none; gives the account.

    Raises NotFound, Invalid for a block in the past or without a reason, Conflict `own_account` for more than one's own name and phone,
    and `last_admin` where no admin who can act would be left.
    """
    return db.transaction(_change, user_id, changes, actor_id)


def _change(tx: Tx, user_id: int, changes: dict[str, Any], actor_id: int) -> User:
    if user_id == actor_id and POWERS & changes.keys():
        raise Conflict(OWN, code="own_account")
    rows = lock(tx, [user_id])
    if not rows:
        raise NotFound("There is no such account.")
    apply_changes(tx, rows[0], changes, actor_id)
    return _user(_get(tx, user_id), settings.shop(tx))


def lock(tx: Tx, ids: list[int]) -> list[Row]:
    """Lock accounts by ascending id and return those that exist, with the database's time as `now`."""
    # Removing an admin locks the rows of all admins, so that two admins cannot go at once and each count on the other.
    # For customers alone they are left unlocked: an admin who signs in meanwhile need not wait.
    if q.users.has_admin(tx, ids=ids):
        q.users.lock_admins(tx)
        found: list[Row] = q.users.lock_all(tx, ids=ids)
        return found
    found = q.users.lock_all(tx, ids=ids)
    if any(row["role"] == "admin" for row in found):
        q.users.lock_admins(tx)
    return found


def apply_changes(tx: Tx, before: Row, changes: dict[str, Any], actor_id: int | None) -> bool:
    """Change a locked account and return whether anything changed. Raises Invalid and Conflict as change() does."""
    wanted = before | changes
    if changes.get("blocked_until"):
        check_block(wanted, before["now"])
    if not wanted["blocked_until"]:
        wanted["block_reason"] = ""
    row = {name: wanted[name] for name in CHANGEABLE}
    if all(row[name] == before[name] for name in row):
        return False
    if before["role"] != "admin":
        q.users.change_other(tx, user_id=before["id"], **row)
    elif not q.users.change(tx, user_id=before["id"], **row):
        raise Conflict("This is the shop's only admin who can act. Make somebody else an admin first.", code="last_admin")
    _follow_up(tx, before, row, actor_id)
    return True


def check_block(wanted: Row, now: datetime) -> None:
    if wanted["blocked_until"] <= now:
        raise Invalid(blocked_until="Choose a time that is still to come.")
    if not wanted["block_reason"]:
        raise Invalid(block_reason="Say why: the person is told.")


def _follow_up(tx: Tx, before: Row, after: Row, actor_id: int | None) -> None:
    """What a change entails: sessions that end, the mail that tells of a block, the record."""
    user_id = before["id"]
    blocked = bool(after["blocked_until"]) and (after["blocked_until"], after["block_reason"]) != (before["blocked_until"], before["block_reason"])
    closed = after["status"] == "deactivated" != before["status"]
    if blocked or closed:
        sessions.end_all_of(tx, user_id)
    if after["role"] != before["role"]:
        # A browser has its new role at the next request; a script asks for a new token.
        sessions.end_tokens_of(tx, user_id)
        sessions.end_step_up(tx, user_id)
        events.note(tx, "role_changed", user_id, actor_id=actor_id, former=before["role"], role=after["role"])
    if after["status"] != before["status"]:
        events.note(tx, "deactivated" if closed else "activated", user_id, actor_id=actor_id)
    if blocked:
        events.note(tx, "blocked", user_id, actor_id=actor_id)
        until = f"{after['blocked_until']:%d %B %Y, %H:%M} UTC"
        mail.enqueue(tx, "account_blocked", before["email"], {"username": before["username"], "until": until, "reason": after["block_reason"]})
    elif before["blocked_until"] and not after["blocked_until"]:
        events.note(tx, "unblocked", user_id, actor_id=actor_id)
    told = [name for name in ("first_name", "last_name", "phone") if after[name] != before[name]]
    if told:
        events.note(tx, "profile_changed", user_id, actor_id=actor_id, what="_".join(told))


def erase(user_id: int, *, actor_id: int, var: Path) -> None:
    """Erase somebody's account as they could themselves. Raises NotFound, Conflict `own_account`, `order_under_way` or `last_admin`."""
    if user_id == actor_id:
        raise Conflict("This is your own account. You can erase it on your account's page.", code="own_account")
    privacy.erase_for(user_id, actor_id=actor_id, var=var)
