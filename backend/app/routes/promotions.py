from __future__ import annotations

from typing import Literal

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import Body, Line, Moment, Params, admin, staff
from ..services import promotions
from ..services.promotions import Promotion, PromotionList
from ..step_up import current_actor
from .cart import MOST_ID

bp = Blueprint("promotions", __name__, url_prefix="/api/v1/admin/coupons")
MOST_MINOR = 10**12


class PromotionParams(Params):
    q: str = Field("", max_length=120)
    limit: int = Field(24, ge=1, le=100)
    after: str = Field("", max_length=40)


class NewPromotion(Body):
    """A coupon, or without `code` an automatic discount for everybody. `value`: basis points (1500 is 15 %) or minor units."""

    code: Line | None = Field(None, min_length=3, max_length=40, pattern=r"^[A-Za-z0-9 _-]+$")
    name: Line = Field(min_length=1, max_length=120)
    kind: Literal["percent", "fixed", "free_shipping"]
    value: int = Field(0, ge=0, le=MOST_MINOR)
    minimum_minor: int = Field(0, ge=0, le=MOST_MINOR)
    category_id: int | None = Field(None, ge=1, le=MOST_ID)
    product_id: int | None = Field(None, ge=1, le=MOST_ID)
    most_uses: int | None = Field(None, ge=1, le=10**9)
    most_by_customer: int | None = Field(None, ge=1, le=10**6)
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    active: bool = True


class PromotionChange(NewPromotion):
    version: int = Field(ge=1, le=2**32)


@bp.get("")
@staff
def list_promotions(params: PromotionParams) -> PromotionList:
    """Coupons and automatic discounts, newest first."""
    return promotions.list_all(search=params.q, limit=params.limit, after=params.after)


@bp.post("")
@admin(status=201, step_up="it can make an order free")
def add_promotion(body: NewPromotion) -> Promotion:
    """Add a coupon or an automatic discount."""
    return promotions.add(body.model_dump(), actor=current_actor())


@bp.get("/<int:promotion_id>")
@staff(problems=(404,))
def get_promotion(promotion_id: int) -> Promotion:
    """One coupon or automatic discount."""
    return promotions.get(promotion_id)


@bp.put("/<int:promotion_id>")
@admin(problems=(404, 409), step_up="it can make an order free")
def change_promotion(promotion_id: int, body: PromotionChange) -> Promotion:
    """Replace a coupon or automatic discount. A stale `version` is answered 409 with `current`."""
    return promotions.change(promotion_id, body.version, body.model_dump(exclude={"version"}), actor=current_actor())


@bp.delete("/<int:promotion_id>")
@admin(status=204, problems=(404,))
def remove_promotion(promotion_id: int) -> None:
    """Remove a promotion; one that orders used is switched off for good instead."""
    promotions.remove(promotion_id, actor_id=http.account_id())
