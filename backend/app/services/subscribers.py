"""Who gets the newsletter, by address: with an account or without. Nobody gets it whose address did not prove that it wants to.

An account's own address is proven, so its owner chooses at once; everybody else confirms by a mail. users.newsletter repeats the
state of an account's address in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from typing_extensions import TypedDict

from .. import db, security
from ..db import Tx, q
from ..errors import NotFound
from . import accounts, events, grid, limits, mail
from .limits import Sender, Use

Status = Literal["", "pending", "subscribed", "unsubscribed"]
Source = Literal["form", "account", "staff"]
Sort = Literal["newest", "oldest"]
CONFIRM_DAYS = 7  # how long the link that confirms is good, and an address is kept that was not confirmed
STEP = 500  # addresses in one transaction that forgets
MOST_COUNTED = 10_000  # rows of the table that are counted; of more it is only said that there are more
assert set(get_args(Sort)) == set(q.subscribers.list_all)


class Subscriber(TypedDict):
    """`ended_at`: when they unsubscribed. An account of this address has the name `username`."""

    id: int
    email: str
    status: str
    source: Source
    asked_at: datetime
    confirmed_at: datetime | None
    ended_at: datetime | None
    user_id: int | None
    username: str | None


class Subscribers(TypedDict):
    """`at_least`: there are more than `total`, which nobody counted."""

    items: list[Subscriber]
    next: str | None
    total: int
    at_least: bool


class Removed(TypedDict):
    removed: int


class ToldSubscription(TypedDict):
    email: str
    status: str
    source: str
    asked_at: datetime
    confirmed_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class Filters:
    """'' is any; `q` is the beginning of an address."""

    q: str = ""
    status: Status = ""


# ---------------------------------------------------------------- the links in mails


TO_END, TO_CONFIRM = "newsletter unsubscribe", "newsletter confirm"


def _read_link(purpose: str, token: str) -> list[int]:
    """The ids in it. Raises NotFound for what this shop has not signed."""
    text = security.read_signed(purpose, token)
    if text is None:
        raise NotFound("This link is not complete. Please open it from the mail once more.")
    return [int(part) for part in text.split(".")]


def ways_out(subscriber_id: int, newsletter_id: int) -> dict[str, str]:
    """What a mail to a subscriber holds: the page that ends the subscription, and the address that mail programs ask by themselves.

    Both are good for as long as the shop has its key, and tell which newsletter they were in.
    """
    token = security.signed(TO_END, f"{subscriber_id}.{newsletter_id}")
    return {"unsubscribe": f"/newsletter/unsubscribe?token={token}", "one_click": f"/api/v1/newsletter/unsubscribe/{token}"}


# ---------------------------------------------------------------- who wants it


def ask(
    email: str,
    *,
    source: Source,
    actor_id: int | None = None,
    sender: Sender | None = None,
) -> None:
    """Write to an address whether it wants the newsletter, or that it gets it already: nobody learns which.

    Raises TooMany for an address that gets too many of these.
    """
    if sender:
        by_mailbox = Use("newsletter", f"to {limits.mailbox_key(email)}")
        limits.use_all([by_mailbox, *sender.emails_to(email)])
    db.transaction(_ask, email, source, actor_id)


def _ask(tx: Tx, email: str, source: Source, actor_id: int | None) -> None:
    key = accounts.email_key(email)
    q.subscribers.ask(tx, email=email, email_key=key, source=source)
    row = q.subscribers.lock(tx, email_key=key)
    q.subscribers.tell_account(tx, subscriber_id=row["id"])
    if row["status"] == "subscribed":
        mail.enqueue(tx, "newsletter_known", email, ways_out(row["id"], 0))
    else:
        mail.enqueue(
            tx, "newsletter_confirm", email, {"days": CONFIRM_DAYS, "path": f"/newsletter/confirm?token={security.signed(TO_CONFIRM, str(row['id']))}"}
        )
    if actor_id is not None:
        events.note(tx, "subscribers_changed", row["id"], subject="subscriber", actor_id=actor_id, action="asked")


def confirm(token: str) -> None:
    """The address wants it. Raises NotFound for a link that is too old, or was used."""
    (subscriber_id,) = _read_link(TO_CONFIRM, token)
    db.transaction(_confirm, subscriber_id)


def _confirm(tx: Tx, subscriber_id: int) -> None:
    if not q.subscribers.confirm(tx, subscriber_id=subscriber_id, days=CONFIRM_DAYS):
        raise NotFound(f"This link was used already, or is older than {CONFIRM_DAYS} days. Sign up once more and we send you another one.")
    q.subscribers.tell_account(tx, subscriber_id=subscriber_id)


def end(token: str) -> None:
    """The address wants no more of them, from now on; whether it got any is not told. Raises NotFound for what this shop has not signed."""
    subscriber_id, newsletter_id = _read_link(TO_END, token)
    db.transaction(_end, subscriber_id, newsletter_id)


def _end(tx: Tx, subscriber_id: int, newsletter_id: int) -> None:
    if q.subscribers.end(tx, subscriber_id=subscriber_id):
        q.subscribers.tell_account(tx, subscriber_id=subscriber_id)
        q.subscribers.withdraw(tx, subscriber_ids=[subscriber_id])
        q.subscribers.note_unsubscribed(tx, newsletter_id=newsletter_id, subscriber_id=subscriber_id)


def forget_unconfirmed() -> int:
    """Forget addresses that were typed and did not confirm."""
    forgotten = 0
    while step := db.transaction(lambda tx: int(q.subscribers.delete_unconfirmed(tx, days=CONFIRM_DAYS, limit=STEP))):
        forgotten += step
    return forgotten


# ---------------------------------------------------------------- an account's own choice


def choose(tx: Tx, user_id: int, wanted: bool) -> None:
    """What an account chose for its own address, which was proven. The account's row must be held."""
    account = q.accounts.get_by_id(tx, user_id=user_id)
    if account is None:
        return
    key = accounts.email_key(account["email"])
    if wanted:
        q.subscribers.put(tx, email=account["email"], email_key=key)
    elif known := q.subscribers.lock(tx, email_key=key):
        _end(tx, known["id"], 0)
    q.subscribers.tell_account_of(tx, user_id=user_id)


def move(tx: Tx, user_id: int, former: str, email: str) -> None:
    """An account has another address: what it subscribed to goes there, too."""
    key = accounts.email_key(email)
    old, new = q.subscribers.lock(tx, email_key=accounts.email_key(former)), q.subscribers.lock(tx, email_key=key)
    if old and old["status"] == "subscribed":
        gets_it = new is not None and new["status"] == "subscribed"
        superfluous = old if gets_it else new
        if superfluous:
            q.subscribers.delete(tx, subscriber_ids=[superfluous["id"]])
        if not gets_it:
            q.subscribers.move(tx, subscriber_id=old["id"], email=email, email_key=key)
    q.subscribers.tell_account_of(tx, user_id=user_id)


def told_to(user_id: int) -> ToldSubscription | None:
    """The subscription of the account's address, for its export."""
    with db.reading() as tx:
        found: ToldSubscription | None = q.subscribers.get_of(tx, user_id=user_id)
    return found


# ---------------------------------------------------------------- for the owner


def list_all(filters: Filters, *, sort: Sort, limit: int, after: str) -> Subscribers:
    """One page in two statements, however long it is."""
    _, after_id = grid.read_cursor(after, sort, int)
    text = accounts.email_key(filters.q.strip())
    wanted = {"status": filters.status or None, "beginning": grid.starting(text) if text else None}
    with db.reading() as tx:
        rows = q.subscribers.list_all[sort](tx, **wanted, after_id=after_id, limit=limit + 1)
        total = q.subscribers.count_all(tx, **wanted, most=MOST_COUNTED + 1)
    following = grid.cursor(sort, 0, rows[limit - 1]["id"]) if len(rows) > limit else None
    return {"items": rows[:limit], "next": following, "total": min(total, MOST_COUNTED), "at_least": total > MOST_COUNTED}


def remove(ids: list[int], *, actor_id: int) -> Removed:
    """Forget addresses and what they got. They may sign up again."""
    return {"removed": db.transaction(_remove, sorted(set(ids)), actor_id)}


def _remove(tx: Tx, ids: list[int], actor_id: int) -> int:
    # Held first: a confirmation at this moment is over, or comes too late.
    q.subscribers.lock_all(tx, subscriber_ids=ids)
    q.subscribers.tell_removed(tx, subscriber_ids=ids)
    q.subscribers.withdraw(tx, subscriber_ids=ids)
    removed = int(q.subscribers.delete(tx, subscriber_ids=ids))
    if removed:
        events.note(tx, "subscribers_changed", ids[0] if removed == 1 else None, subject="subscriber", actor_id=actor_id, action="removed", count=removed)
    return removed
