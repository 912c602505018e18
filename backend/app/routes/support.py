from __future__ import annotations

from typing import Literal

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import Body, Line, Params, Words, WordsLine, send_header, signed_in, staff
from ..services import support
from ..services.promotions import Kind
from ..services.support import CannedReplies, CannedReply, StaffThread, StaffTickets, Status, Thread, TicketCount, TicketList
from ..step_up import current_actor
from .checkout import idempotency_key
from .contact import PictureNames

bp = Blueprint("support", __name__, url_prefix="/api/v1")


class NewTicket(Body):
    subject: WordsLine = Field(min_length=1, max_length=160)
    message: Words = Field(min_length=1, max_length=5000)
    order_number: Line | None = Field(None, max_length=40)
    pictures: PictureNames = []


class TicketMessage(Body):
    message: Words = Field(min_length=1, max_length=5000)
    pictures: PictureNames = []


class TicketPage(Params):
    limit: int = Field(24, ge=1, le=100)
    after: str = Field("", max_length=200)


class StaffTicketParams(Params):
    status: Literal["", "open", "waiting", "closed"] = ""
    mine: bool = False
    q: Line = Field("", max_length=120)
    limit: int = Field(50, ge=1, le=100)
    after: str = Field("", max_length=200)


class StaffAnswer(TicketMessage):
    internal: bool = False


class TicketChange(Body):
    status: Status | None = None
    # To take it on, or to hand it back.
    mine: bool | None = None


class TicketCoupon(Body):
    kind: Kind
    # Basis points for `percent`, minor units for `fixed`.
    value: int = Field(0, ge=0, le=10**12)
    days: int = Field(90, ge=1, le=3650)
    message: Words = Field("", max_length=4000)


class NewCannedReply(Body):
    title: Line = Field(min_length=1, max_length=80)
    body: Words = Field(min_length=1, max_length=5000)


@bp.get("/tickets")
@signed_in(problems=(422,))
def list_tickets(params: TicketPage) -> TicketList:
    """One's own conversations with the shop, the newest first."""
    return support.list_of(http.account_id(), limit=params.limit, after=params.after)


@bp.post("/tickets")
@signed_in(status=201, problems=(404,), limit="tickets")
def raise_ticket(body: NewTicket) -> Thread:
    """Begin a conversation with the shop, about an order if one likes."""
    return support.raise_ticket(http.account_id(), **body.model_dump())


@bp.get("/tickets/count")
@signed_in
def count_tickets() -> TicketCount:
    """How many of one's own tickets there are in each state."""
    return support.count_of(http.account_id())


@bp.get("/tickets/<number>")
@signed_in(problems=(404,))
def get_ticket(number: str) -> Thread:
    """One's own ticket with all messages."""
    return support.get(http.account_id(), number)


@bp.post("/tickets/<number>/messages")
@signed_in(status=201, problems=(404, 409), limit="tickets")
def reply(number: str, body: TicketMessage) -> Thread:
    """Write on in a ticket; a closed one is open again."""
    return support.reply(http.account_id(), number, body.message, body.pictures)


@bp.get("/admin/tickets")
@staff(problems=(422,))
def list_tickets_for_staff(params: StaffTicketParams) -> StaffTickets:
    """All tickets, the one that was last written in first; `mine` are those one took on."""
    assignee_id = http.account_id() if params.mine else None
    return support.list_for_staff(status=params.status or None, assignee_id=assignee_id, words=params.q, limit=params.limit, after=params.after)


@bp.get("/admin/tickets/replies")
@staff
def list_canned_replies() -> CannedReplies:
    """Replies that are used again and again."""
    return support.list_canned()


@bp.post("/admin/tickets/replies")
@staff(status=201)
def add_canned_reply(body: NewCannedReply) -> CannedReply:
    """Keep a reply to be used again."""
    return support.add_canned(body.title, body.body)


@bp.put("/admin/tickets/replies/<int:canned_id>")
@staff(problems=(404,))
def change_canned_reply(canned_id: int, body: NewCannedReply) -> CannedReply:
    """Replace a reply's title and words."""
    return support.change_canned(canned_id, body.title, body.body)


@bp.delete("/admin/tickets/replies/<int:canned_id>")
@staff(status=204, problems=(404,))
def remove_canned_reply(canned_id: int) -> None:
    """Forget a reply."""
    support.remove_canned(canned_id)


@bp.get("/admin/tickets/<number>")
@staff(problems=(404,))
def get_ticket_for_staff(number: str) -> StaffThread:
    """A ticket with all messages and notes."""
    return support.get_for_staff(number)


@bp.patch("/admin/tickets/<number>")
@staff(problems=(404,))
def change_ticket(number: str, body: TicketChange) -> StaffThread:
    """Set a ticket's state, take it on, or hand it back."""
    return support.change(number, status=body.status, mine=body.mine, actor_id=http.account_id())


@bp.post("/admin/tickets/<number>/messages")
@staff(status=201, problems=(404, 409))
def answer_ticket(number: str, body: StaffAnswer) -> StaffThread:
    """Answer the customer, or leave an `internal` note."""
    return support.answer(number, body.message, internal=body.internal, pictures=body.pictures, actor_id=http.account_id())


@bp.post("/admin/tickets/<number>/coupon")
@staff(status=201, problems=(400, 404, 409), key=True, step_up=True)
def give_coupon(number: str, body: TicketCoupon) -> StaffThread:
    """Give the customer a coupon for one order; its code is written into the reply."""
    thread, repeated = support.give_coupon(number, **body.model_dump(), key=idempotency_key(), actor=current_actor())
    if repeated:
        send_header("Idempotent-Replayed", "true")
    return thread


@bp.post("/admin/tickets/<number>/invoice-mail")
@staff(status=201, problems=(404, 409))
def resend_invoice(number: str) -> StaffThread:
    """Mail the invoice of the ticket's order once more."""
    return support.resend_invoice(number, actor_id=http.account_id())


@bp.post("/admin/tickets/<number>/order-mail")
@staff(status=201, problems=(404, 409))
def resend_order_mail(number: str) -> StaffThread:
    """Mail the confirmation of the ticket's order once more."""
    return support.resend(number, actor_id=http.account_id())
