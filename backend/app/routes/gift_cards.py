from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import Body, Email, Line, Params, admin, anyone, send_header, staff
from ..services import gift_cards
from ..services.gift_cards import Balance, GiftCard, GiftCardList, MovementList, Offer
from .checkout import idempotency_key

bp = Blueprint("gift_cards", __name__, url_prefix="/api/v1")
MOST_MINOR = 10**8


class Code(Body):
    code: Line = Field(min_length=1, max_length=60)


class NewGiftCard(Body):
    amount_minor: int = Field(ge=1, le=MOST_MINOR)
    email: Email


class GiftCardParams(Params):
    """`q` is the last four letters of a code, or the number of the order that bought it."""

    q: str = Field("", max_length=20)
    limit: int = Field(24, ge=1, le=100)
    after: str = Field("", max_length=40)


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
@staff
def list_gift_cards(params: GiftCardParams) -> GiftCardList:
    """Gift cards, newest first. Nobody can read their codes any more."""
    return gift_cards.list_all(search=params.q.strip(), limit=params.limit, after=params.after)


@bp.post("/admin/gift-cards")
@admin(status=201, problems=(400, 409), key=True, step_up=True)
def issue_gift_card(body: NewGiftCard) -> GiftCard:
    """Give somebody a gift card; its code goes to them by mail and is shown nowhere else."""
    card, repeated = gift_cards.issue(body.amount_minor, body.email, key=idempotency_key(), actor_id=http.account_id())
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
def void_gift_card(gift_card_id: int) -> GiftCard:
    """End a card, with all that is left on it."""
    return gift_cards.void(gift_card_id, actor_id=http.account_id())
