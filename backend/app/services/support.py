"""What customers ask the shop in tickets, answered where it was asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from typing_extensions import TypedDict

from .. import db, money, security
from ..db import Row, Tx, is_duplicate, q
from ..errors import Conflict, Invalid, NotFound, SignInRequired
from . import attachments, events, invoices, keys, mail, orders, promotions, settings
from .attachments import Picture, ToldPicture
from .grid import containing, cursor, read_cursor
from .permissions import ISSUE_GIFT_CARDS, Actor

Status = Literal["open", "waiting", "closed"]
STATUSES = get_args(Status)
REACH = 20_000  # tickets that a search of staff looks through, and as far as is counted
MOST_MESSAGES = 500  # in one ticket


class Ticket(TypedDict):
    """`open` waits for the shop, `waiting` for the customer."""

    number: str
    subject: str
    status: Status
    order_number: str | None
    created_at: datetime
    updated_at: datetime


class TicketList(TypedDict):
    items: list[Ticket]
    next: str | None
    total: int


class TicketCount(TypedDict):
    total: int
    open: int
    waiting: int
    closed: int


class Message(TypedDict):
    by: Literal["customer", "staff"]
    body: str
    created_at: datetime
    pictures: list[Picture]


class Thread(TypedDict):
    ticket: Ticket
    messages: list[Message]


class StaffTicket(Ticket):
    id: int
    username: str
    email: str
    assignee: str | None


class StaffTickets(TypedDict):
    """`total` counts 20,000 and no further."""

    items: list[StaffTicket]
    next: str | None
    total: int


class StaffMessage(TypedDict):
    """A `note` is for staff only; `author` is null once that person was erased."""

    id: int
    kind: Literal["customer", "staff", "note"]
    author: str | None
    body: str
    created_at: datetime
    pictures: list[Picture]


class StaffThread(TypedDict):
    ticket: StaffTicket
    messages: list[StaffMessage]


class CannedReply(TypedDict):
    id: int
    title: str
    body: str


class CannedReplies(TypedDict):
    items: list[CannedReply]


class ToldMessage(TypedDict):
    kind: str
    body: str
    created_at: datetime
    pictures: list[ToldPicture]


class ToldTicket(Ticket):
    messages: list[ToldMessage]


def tell_owner(tx: Tx, user_id: int | None, data: dict[str, str]) -> None:
    """Mail to the shop's own address, if the owner gave one, what somebody wrote."""
    if owner := settings.shop(tx)["seller"]["email"]:
        mail.enqueue(tx, "owner_new_message", owner, data, user_id=user_id)


def person(tx: Tx, user_id: int) -> Row:
    """The account that writes, its row held. Raises SignInRequired once it was erased."""
    person: Row | None = q.support.lock_person(tx, user_id=user_id)
    if person is None:
        raise SignInRequired()
    return person


# ---------------------------------------------------------------- a customer's tickets


def raise_ticket(user_id: int, *, subject: str, message: str, order_number: str | None, pictures: Sequence[str] = ()) -> Thread:
    """Begin a conversation, about one of the customer's orders if they say so. Raises NotFound for an order that is not theirs."""
    return db.transaction(_raise, user_id, subject, message, order_number, pictures)


def _raise(tx: Tx, user_id: int, subject: str, message: str, order_number: str | None, pictures: Sequence[str]) -> Thread:
    who = person(tx, user_id)
    order = orders.own(tx, order_number, user_id, None) if order_number else None
    number = "TK-" + security.readable(8)
    ticket_id: int = q.support.add(tx, number=number, user_id=user_id, order_id=order["id"] if order else None, subject=subject)
    message_id: int = q.support.add_message(tx, ticket_id=ticket_id, author_id=user_id, kind="customer", body=message)
    attachments.attach(tx, pictures, ticket_message_id=message_id)
    mail.enqueue(tx, "ticket_received", who["email"], {"number": number, "subject_line": subject, "path": f"/tickets/{number}"}, user_id=user_id)
    _tell_owner_of(tx, who, number, subject, message)
    return _thread(tx, user_id, number)


def _tell_owner_of(tx: Tx, customer: Row, number: str, subject: str, message: str) -> None:
    who = {"name": customer["username"], "email": customer["email"], "reply_to": ""}
    tell_owner(tx, customer["id"], who | {"subject_line": f"{number}: {subject}", "message": message, "path": f"/admin/tickets/{number}"})


def reply(user_id: int, number: str, message: str, pictures: Sequence[str] = ()) -> Thread:
    """Write on, which opens a closed ticket again. Raises NotFound for a ticket that is not theirs."""
    return db.transaction(_reply, user_id, number, message, pictures)


def _reply(tx: Tx, user_id: int, number: str, message: str, pictures: Sequence[str]) -> Thread:
    who, ticket = person(tx, user_id), _hold(tx, number)
    if ticket["user_id"] != user_id:
        raise NotFound("There is no such ticket.")
    _add(tx, ticket, user_id, "customer", message, pictures)
    q.support.set_status(tx, ticket_id=ticket["id"], status="open")
    if ticket["status"] != "open":
        _tell_owner_of(tx, who, number, ticket["subject"], message)
    return _thread(tx, user_id, number)


def list_of(user_id: int, *, limit: int, after: str) -> TicketList:
    """The customer's tickets, the newest first."""
    _, after_id = read_cursor(after, "newest", int)
    with db.reading() as tx:
        rows = q.support.list_of_user(tx, user_id=user_id, after_id=after_id, limit=limit + 1)
        total = _count(tx, user_id)["total"]
    following = cursor("newest", 0, rows[limit - 1]["id"]) if len(rows) > limit else None
    return {"items": [_ticket(row) for row in rows[:limit]], "next": following, "total": total}


def count_of(user_id: int) -> TicketCount:
    with db.reading() as tx:
        return _count(tx, user_id)


def _count(tx: Tx, user_id: int) -> TicketCount:
    counts = {row["status"]: row["count"] for row in q.support.count_of_user(tx, user_id=user_id)}
    return {"total": sum(counts.values()), "open": counts.get("open", 0), "waiting": counts.get("waiting", 0), "closed": counts.get("closed", 0)}


def get(user_id: int, number: str) -> Thread:
    """One ticket with its messages. Raises NotFound for anybody else's."""
    with db.reading() as tx:
        return _thread(tx, user_id, number)


def _thread(tx: Tx, user_id: int, number: str) -> Thread:
    # Numbers are ASCII; to compare them with anything else is an error to the database, not a no.
    row = q.support.get(tx, number=number, user_id=user_id) if number.isascii() else None
    if row is None:
        raise NotFound("There is no such ticket.")
    written = q.support.list_messages(tx, ticket_ids=[row["id"]])
    seen = [one for one in written if one["kind"] != "note"]
    pictures = attachments.of_tickets(tx, [one["id"] for one in seen], staff=False)
    messages: list[Message] = [{"by": one["kind"], "body": one["body"], "created_at": one["created_at"], "pictures": pictures[one["id"]]} for one in seen]
    return {"ticket": _ticket(row), "messages": messages}


def _ticket(row: Row) -> Ticket:
    return {
        "number": row["number"],
        "subject": row["subject"],
        "status": row["status"],
        "order_number": row["order_number"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def _hold(tx: Tx, number: str) -> Row:
    row: Row | None = q.support.lock(tx, number=number) if number.isascii() else None
    if row is None:
        raise NotFound("There is no such ticket.")
    return row


def _add(tx: Tx, ticket: Row, author_id: int, kind: str, body: str, pictures: Sequence[str] = ()) -> int:
    if ticket["message_count"] >= MOST_MESSAGES:
        raise Conflict("This conversation has grown very long. Please begin another one.", code="thread_full")
    message_id: int = q.support.add_message(tx, ticket_id=ticket["id"], author_id=author_id, kind=kind, body=body)
    attachments.attach(tx, pictures, ticket_message_id=message_id)
    return message_id


# ---------------------------------------------------------------- one's data


def all_of(user_id: int) -> list[ToldTicket]:
    """Every ticket of the person's with all that is written in it, notes of staff too, for their export."""
    with db.reading() as tx:
        rows = q.support.list_of_user(tx, user_id=user_id, after_id=None, limit=10_000)
        written: dict[int, list[ToldMessage]] = defaultdict(list)
        messages = q.support.list_messages(tx, ticket_ids=[row["id"] for row in rows]) if rows else []
        pictures = attachments.told(q.attachments.list_of_tickets(tx, message_ids=[one["id"] for one in messages]) if messages else [])
    for one in messages:
        told: ToldMessage = {"kind": one["kind"], "body": one["body"], "created_at": one["created_at"], "pictures": pictures[one["id"]]}
        written[one["ticket_id"]].append(told)
    return [{**_ticket(row), "messages": written[row["id"]]} for row in rows]


def erase_all_of(tx: Tx, user_id: int) -> None:
    """Delete what does not go with the account's row: keys of acts inside tickets."""
    q.support.delete_keys(tx, user_id=user_id)


# ---------------------------------------------------------------- for staff


def list_for_staff(*, status: Status | None, assignee_id: int | None, words: str, limit: int, after: str) -> StaffTickets:
    """Tickets, the one that was last written in first, searched in subject, customer, number and order."""
    moment, after_id = read_cursor(after, "updated", datetime.fromisoformat)
    wanted = {"status": status, "assignee_id": assignee_id, "words": containing(words) if words else None}
    with db.reading() as tx:
        rows = q.support.list_for_staff(tx, **wanted, after=moment, after_id=after_id, reach=REACH if words else limit + 1, limit=limit + 1)
        total = q.support.count_for_staff(tx, **wanted, after=None, after_id=None, reach=REACH)
    last = rows[limit - 1] if len(rows) > limit else None
    return {"items": [_for_staff(row) for row in rows[:limit]], "next": cursor("updated", last["updated_at"], last["id"]) if last else None, "total": total}


def get_for_staff(number: str) -> StaffThread:
    with db.reading() as tx:
        return _staff_thread(tx, number)


def _staff_thread(tx: Tx, number: str) -> StaffThread:
    row = q.support.get_for_staff(tx, number=number) if number.isascii() else None
    if row is None:
        raise NotFound("There is no such ticket.")
    written = q.support.list_messages(tx, ticket_ids=[row["id"]])
    pictures = attachments.of_tickets(tx, [one["id"] for one in written], staff=True)
    messages: list[StaffMessage] = [
        {
            "id": one["id"],
            "kind": one["kind"],
            "author": one["author"],
            "body": one["body"],
            "created_at": one["created_at"],
            "pictures": pictures[one["id"]],
        }
        for one in written
    ]
    return {"ticket": _for_staff(row), "messages": messages}


def _for_staff(row: Row) -> StaffTicket:
    return {**_ticket(row), "id": row["id"], "username": row["username"], "email": row["email"], "assignee": row["assignee"]}


def answer(number: str, message: str, *, internal: bool, pictures: Sequence[str] = (), actor_id: int) -> StaffThread:
    """Answer the customer, who is mailed it and whose turn it is then; or leave a note that only staff see."""
    return db.transaction(_answer, number, message, internal, pictures, actor_id)


def _answer(tx: Tx, number: str, message: str, internal: bool, pictures: Sequence[str], actor_id: int) -> StaffThread:
    ticket = _hold(tx, number)
    if internal:
        _add(tx, ticket, actor_id, "note", message, pictures)
    else:
        _write_to_customer(tx, ticket, message, actor_id, pictures)
    _note(tx, ticket, "noted" if internal else "answered", actor_id)
    return _staff_thread(tx, number)


def _write_to_customer(tx: Tx, ticket: Row, message: str, actor_id: int, pictures: Sequence[str] = ()) -> int:
    message_id = _add(tx, ticket, actor_id, "staff", message, pictures)
    q.support.set_status(tx, ticket_id=ticket["id"], status="waiting")
    told = {"number": ticket["number"], "subject_line": ticket["subject"], "message": message, "path": f"/tickets/{ticket['number']}"}
    mail.enqueue(tx, "ticket_reply", orders.email_of(tx, ticket["user_id"]), told, user_id=ticket["user_id"])
    return message_id


def change(number: str, *, status: Status | None, mine: bool | None, actor_id: int) -> StaffThread:
    """Set the state, take the ticket on, or hand it back."""
    return db.transaction(_change, number, status, mine, actor_id)


def _change(tx: Tx, number: str, status: Status | None, mine: bool | None, actor_id: int) -> StaffThread:
    ticket = _hold(tx, number)
    if mine is not None:
        q.support.assign(tx, ticket_id=ticket["id"], assignee_id=actor_id if mine else None)
        _note(tx, ticket, "taken_on" if mine else "handed_back", actor_id)
    if status is not None and status != ticket["status"]:
        q.support.set_status(tx, ticket_id=ticket["id"], status=status)
        _note(tx, ticket, status, actor_id)
    return _staff_thread(tx, number)


def give_coupon(number: str, *, kind: promotions.Kind, value: int, days: int, message: str, key: str, actor: Actor) -> tuple[StaffThread, bool]:
    """Make a coupon that is good for one order and write its code to the customer. Return also whether this is a repeated request.

    Raises NotFound, Invalid for more than the owner's settings allow, and Forbidden and StepUpRequired
    for a coupon that is as good as a gift card.
    """
    return db.transaction(_give_coupon, number, kind, value, days, message, key, actor)


def _give_coupon(tx: Tx, number: str, kind: promotions.Kind, value: int, days: int, message: str, key: str, actor: Actor) -> tuple[StaffThread, bool]:
    ticket = _hold(tx, number)
    scope, request = f"ticket:{ticket['id']}", [kind, value, days, message]
    if keys.find(tx, scope, key, request) is not None:
        return _staff_thread(tx, number), True
    _check_coupon(settings.shop(tx), kind, value, actor)
    coupon = promotions.give(tx, kind=kind, value=value, days=days, actor_id=actor.id)
    ends = f", until {coupon['ends_at']:%d %B %Y}" if coupon["ends_at"] else ""
    words = f"Your coupon: {coupon['code']}. It is good for one order{ends}; type it in at the checkout."
    message_id = _write_to_customer(tx, ticket, f"{message}\n\n{words}".strip(), actor.id)
    keys.add(tx, scope, key, request, message_id)
    _note(tx, ticket, "coupon_given", actor.id)
    return _staff_thread(tx, number), False


def _check_coupon(shop: dict[str, Any], kind: promotions.Kind, value: int, actor: Actor) -> None:
    """Refuse what is more than the owner lets staff give away in a ticket.

    A coupon that can pay for a whole order is stored value like a gift card. Without the permission to issue gift cards it may only be
    an amount within a limit that the owner has set.
    """
    most_minor = shop["ticket_coupon_minor"]
    if kind == "percent" and value > shop["ticket_coupon_percent"] * 100:
        raise Invalid(value=f"At most {shop['ticket_coupon_percent']} % may be given in a ticket.")
    if kind == "fixed" and most_minor is not None and value > most_minor:
        raise Invalid(value=f"At most {money.in_words(most_minor, shop['currency'])} may be given in a ticket.")
    free = promotions.can_make_an_order_free({"kind": kind, "value": value, "minimum_minor": 0})
    if free and not (kind == "fixed" and most_minor is not None):
        actor.require(ISSUE_GIFT_CARDS, "This coupon could pay for a whole order, so only an admin can give it.")


def resend(number: str, *, actor_id: int) -> StaffThread:
    """Mail the confirmation of the ticket's order once more. Raises Conflict when the ticket is about no order."""
    return db.transaction(_resend, number, actor_id)


def _resend(tx: Tx, number: str, actor_id: int) -> StaffThread:
    ticket = _hold(tx, number)
    orders.announce(tx, _order_of(ticket), "order_placed")
    _add(tx, ticket, actor_id, "note", "The confirmation of the order was mailed again.")
    _note(tx, ticket, "order_mailed", actor_id)
    return _staff_thread(tx, number)


def _order_of(ticket: Row) -> int:
    if ticket["order_id"] is None:
        raise Conflict("This ticket is about no order.")
    return int(ticket["order_id"])


def resend_invoice(number: str, *, actor_id: int) -> StaffThread:
    """Mail the invoice of the ticket's order once more. Raises Conflict when the ticket is about no order, or there is no invoice yet."""
    return db.transaction(_resend_invoice, number, actor_id)


def _resend_invoice(tx: Tx, number: str, actor_id: int) -> StaffThread:
    ticket = _hold(tx, number)
    invoices.mail_again(tx, _order_of(ticket))
    _add(tx, ticket, actor_id, "note", "The invoice of the order was mailed again.")
    _note(tx, ticket, "invoice_mailed", actor_id)
    return _staff_thread(tx, number)


def _note(tx: Tx, ticket: Row, action: str, actor_id: int) -> None:
    events.note(tx, "ticket_changed", ticket["id"], subject="ticket", actor_id=actor_id, action=action)


def list_canned() -> CannedReplies:
    with db.reading() as tx:
        return {"items": q.support.list_canned(tx)}


def add_canned(title: str, body: str) -> CannedReply:
    """Keep a reply to be used again. Raises Invalid for a title that is taken."""
    return _under_one_title(_add_canned, title, body)


def change_canned(canned_id: int, title: str, body: str) -> CannedReply:
    """Replace a reply's title and words. Raises NotFound, and Invalid for a title that another one has."""
    return _under_one_title(_change_canned, canned_id, title, body)


def _under_one_title(work: Callable[..., CannedReply], *given: Any) -> CannedReply:
    try:
        return db.transaction(work, *given)
    except db.DRIVER_ERRORS as error:
        if is_duplicate(error, "uq_canned_replies_title"):
            raise Invalid(title="There is a reply with this title already.") from error
        raise


def _add_canned(tx: Tx, title: str, body: str) -> CannedReply:
    return {"id": q.support.add_canned(tx, title=title, body=body), "title": title, "body": body}


def _change_canned(tx: Tx, canned_id: int, title: str, body: str) -> CannedReply:
    if not q.support.lock_canned(tx, canned_id=canned_id):
        raise NotFound("There is no such reply.")
    q.support.change_canned(tx, canned_id=canned_id, title=title, body=body)
    return {"id": canned_id, "title": title, "body": body}


def remove_canned(canned_id: int) -> None:
    if not db.transaction(lambda tx: int(q.support.delete_canned(tx, canned_id=canned_id))):
        raise NotFound("There is no such reply.")
