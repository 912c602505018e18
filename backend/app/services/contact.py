"""What people write by the contact form, with an account or without: kept, read by staff, answered by mail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, get_args

from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Conflict, NotFound
from . import attachments, events, limits, mail, support
from .attachments import Picture, ToldPicture
from .grid import containing, cursor, read_cursor
from .limits import Sender, Use

Status = Literal["open", "done"]
STATUSES = get_args(Status)
REACH = 20_000  # messages that a search looks through, and as far as is counted
MOST_ANSWERS = 50  # to one message


class ContactRow(TypedDict):
    """`username` is the account's that wrote it, if one did."""

    id: int
    name: str
    email: str
    subject: str
    status: Status
    username: str | None
    created_at: datetime


class ContactRows(TypedDict):
    """`total` counts 20,000 and no further."""

    items: list[ContactRow]
    next: str | None
    total: int


class ContactAnswer(TypedDict):
    """`author` is null once that person was erased."""

    id: int
    author: str | None
    body: str
    created_at: datetime


class ContactMessage(ContactRow):
    body: str
    pictures: list[Picture]
    answers: list[ContactAnswer]


class ToldAnswer(TypedDict):
    body: str
    created_at: datetime


class ToldContact(TypedDict):
    name: str
    email: str
    subject: str
    body: str
    status: str
    created_at: datetime
    pictures: list[ToldPicture]
    answers: list[ToldAnswer]


def send(
    user_id: int | None,
    *,
    name: str,
    email: str,
    subject: str,
    message: str,
    pictures: Sequence[str],
    sender: Sender | None = None,
) -> None:
    """Keep a message and mail it to the shop; the sender is told that it came. Raises TooMany for an address that gets too many of these."""
    if sender:
        # Whoever types somebody else's address must not be able to fill that mailbox.
        by_mailbox = Use("contact", f"to {limits.mailbox_key(email)}")
        limits.use_all([by_mailbox, *sender.emails_to(email)])
    db.transaction(_send, user_id, {"name": name, "email": email, "subject": subject}, message, pictures)


def _send(tx: Tx, user_id: int | None, words: dict[str, str], message: str, pictures: Sequence[str]) -> None:
    if user_id is not None:
        support.person(tx, user_id)
    message_id: int = q.contact.add(tx, user_id=user_id, **words, email_key=words["email"].lower(), body=message)
    attachments.attach(tx, pictures, contact_message_id=message_id)
    # None of what was typed goes to an address that nobody has proven to be the sender's.
    mail.enqueue(tx, "contact_received", words["email"], {}, user_id=user_id)
    told = {"name": words["name"], "email": words["email"], "subject_line": words["subject"], "message": message}
    support.tell_owner(tx, user_id, told | {"path": f"/admin/messages/{message_id}", "reply_to": words["email"]})


# ---------------------------------------------------------------- for staff


def list_all(*, status: Status | None, words: str, limit: int, after: str) -> ContactRows:
    """Messages, the newest first, searched in subject, name and address."""
    _, after_id = read_cursor(after, "newest", int)
    wanted = {"status": status, "words": containing(words) if words else None}
    with db.reading() as tx:
        rows = q.contact.list_all(tx, **wanted, after_id=after_id, reach=REACH if words else limit + 1, limit=limit + 1)
        total = q.contact.count_all(tx, **wanted, after_id=None, reach=REACH)
    following = cursor("newest", 0, rows[limit - 1]["id"]) if len(rows) > limit else None
    return {"items": [_row(row) for row in rows[:limit]], "next": following, "total": total}


def _row(row: Row) -> ContactRow:
    return {
        "id": row["id"],
        "name": row["name"],
        "email": row["email"],
        "subject": row["subject"],
        "status": row["status"],
        "username": row["username"],
        "created_at": row["created_at"],
    }


def get(message_id: int) -> ContactMessage:
    """One message with its pictures and what was answered. Raises NotFound."""
    with db.reading() as tx:
        return _get(tx, message_id)


def _get(tx: Tx, message_id: int) -> ContactMessage:
    row = q.contact.get(tx, message_id=message_id)
    if row is None:
        raise NotFound("There is no such message.")
    answers: list[ContactAnswer] = [
        {"id": one["id"], "author": one["author"], "body": one["body"], "created_at": one["created_at"]}
        for one in q.contact.list_answers(tx, message_ids=[message_id])
    ]
    return {**_row(row), "body": row["body"], "pictures": attachments.of_contacts(tx, [message_id])[message_id], "answers": answers}


def answer(message_id: int, body: str, *, actor_id: int) -> ContactMessage:
    """Mail an answer to the sender, with which the message is done. Raises NotFound, Conflict after very many answers."""
    return db.transaction(_answer, message_id, body, actor_id)


def _answer(tx: Tx, message_id: int, body: str, actor_id: int) -> ContactMessage:
    row = _hold(tx, message_id)
    if q.contact.count_answers(tx, message_id=message_id) >= MOST_ANSWERS:
        raise Conflict("This message was answered very often already. Please write from your own mailbox.", code="thread_full")
    q.contact.add_answer(tx, message_id=message_id, author_id=actor_id, body=body)
    q.contact.set_status(tx, message_id=message_id, status="done")
    told = {"subject_line": row["subject"], "message": body, "asked": row["body"]}
    mail.enqueue(tx, "contact_answer", row["email"], told, user_id=row["user_id"])
    _note(tx, message_id, "answered", actor_id)
    return _get(tx, message_id)


def change(message_id: int, status: Status, *, actor_id: int) -> ContactMessage:
    """Put a message aside, or take it up again. Raises NotFound."""
    return db.transaction(_change, message_id, status, actor_id)


def _change(tx: Tx, message_id: int, status: Status, actor_id: int) -> ContactMessage:
    if _hold(tx, message_id)["status"] != status:
        q.contact.set_status(tx, message_id=message_id, status=status)
        _note(tx, message_id, status, actor_id)
    return _get(tx, message_id)


def _hold(tx: Tx, message_id: int) -> Row:
    row: Row | None = q.contact.lock(tx, message_id=message_id)
    if row is None:
        raise NotFound("There is no such message.")
    return row


def _note(tx: Tx, message_id: int, action: str, actor_id: int) -> None:
    events.note(tx, "message_changed", message_id, subject="contact_message", actor_id=actor_id, action=action)


# ---------------------------------------------------------------- one's data


def all_of(user_id: int) -> list[ToldContact]:
    """What the person wrote and was answered, for their export."""
    with db.reading() as tx:
        rows = q.contact.list_of(tx, user_id=user_id)
        ids = [row["id"] for row in rows]
        pictures = attachments.told(q.attachments.list_of_contacts(tx, message_ids=ids) if ids else [])
        answers: dict[int, list[ToldAnswer]] = defaultdict(list)
        for one in q.contact.list_answers(tx, message_ids=ids) if ids else ():
            answers[one["message_id"]].append({"body": one["body"], "created_at": one["created_at"]})
    return [
        {
            "name": row["name"],
            "email": row["email"],
            "subject": row["subject"],
            "body": row["body"],
            "status": row["status"],
            "created_at": row["created_at"],
            "pictures": pictures[row["id"]],
            "answers": answers[row["id"]],
        }
        for row in rows
    ]


def erase_all_of(tx: Tx, user_id: int, email_key: str) -> None:
    """Delete what does not go with the account's row."""
    q.contact.delete_of(tx, user_id=user_id, email_key=email_key)
