from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import Body, Email, Line, Params, Prose, admin, anyone, send_header, staff
from ..services import gift_cards
from ..services.gift_cards import Balance, Filters, GiftCard, GiftCardList, MovementList, Offer, Sort, Status
from .checkout import idempotency_key

bp = Blueprint("gift_cards", __name__, url_prefix="/api/v1")
MOST_MINOR = 10**8


class Code(Body):
    code: Line = Field(min_length=1, max_length=60)


class NewGiftCard(Body):
    """`message` is read in the mail only."""

    amount_minor: int = Field(ge=1, le=MOST_MINOR)
    email: Email
    message: Prose = Field("", max_length=500)


class Voiding(Body):
    """`reason` stands in the card's ledger."""

    reason: Line = Field(min_length=1, max_length=200)


class Replacement(Voiding):
    email: Email


class GiftCardParams(Params):
    """`q` is the last four letters of a code, or the beginning of an e-mail address or of the number of the order that bought it."""

    q: Line = Field("", max_length=254)
    status: Status = ""
    sort: Sort = "created"
    limit: int = Field(24, ge=1, le=100)
    after: str = Field("", max_length=1000)


@bp.get("/gift-cards")
@anyone
def get_offer() -> Offer:
    """The product that is a gift card, or null where the shop sells none."""
    return gift_cards.on_sale()


@bp.post("/gift-cards/balance")
@anyone(limit="gift_cards")
def get_balance(body: Code) -> Balance:
    """What is left on a gift card. A wrong code, an empty card and an expired one are answered alike."""
    return gift_cards.balance(body.code)


@bp.get("/admin/gift-cards")
@staff(problems=(422,))
def list_gift_cards(params: GiftCardParams) -> GiftCardList:
    """Gift cards, newest first. Nobody can read their codes any more."""
    return gift_cards.list_all(Filters(params.q, params.status), sort=params.sort, limit=params.limit, after=params.after)


@bp.post("/admin/gift-cards")
@admin(status=201, problems=(400, 409), key=True, step_up=True)
def issue_gift_card(body: NewGiftCard) -> GiftCard:
    """Give somebody a gift card; its code goes to them by mail and is shown nowhere else."""
    card, repeated = gift_cards.issue(body.amount_minor, body.email, message=body.message, key=idempotency_key(), actor_id=http.account_id())
    if repeated:
        send_header("Idempotent-Replayed", "true")
    return card


@bp.get("/admin/gift-cards/<int:gift_card_id>/movements")
@staff(problems=(404,))
def list_movements(gift_card_id: int) -> MovementList:
    """What came onto a card and went off it, newest first."""
    return gift_cards.movements(gift_card_id)


@bp.post("/admin/gift-cards/<int:gift_card_id>/voiding")
@admin(problems=(404, 409), step_up=True)
def void_gift_card(gift_card_id: int, body: Voiding) -> GiftCard:
    """End a card, with all that is left on it."""
    return gift_cards.void(gift_card_id, reason=body.reason, actor_id=http.account_id())


@bp.post("/admin/gift-cards/<int:gift_card_id>/replacement")
@admin(status=201, problems=(400, 404, 409), key=True, step_up=True)
def replace_gift_card(gift_card_id: int, body: Replacement) -> GiftCard:
    """End a card whose code was lost and mail a new one that holds the same money until the same day. Gives the new card."""
    card, repeated = gift_cards.replace(gift_card_id, body.email, reason=body.reason, key=idempotency_key(), actor_id=http.account_id())
    if repeated:
        send_header("Idempotent-Replayed", "true")
    return card
