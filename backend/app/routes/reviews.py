from __future__ import annotations

from typing import Literal

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import Body, Line, Params, Words, WordsLine, anyone, signed_in, staff
from ..services import reviews
from ..services.reviews import OwnReview, ReviewList, Sort, StaffReview, StaffReviews, Status

bp = Blueprint("reviews", __name__, url_prefix="/api/v1")


class ReviewParams(Params):
    sort: Sort = "newest"
    limit: int = Field(10, ge=1, le=100)
    after: str = Field("", max_length=200)


class NewReview(Body):
    rating: int = Field(ge=1, le=5)
    title: WordsLine = Field(min_length=1, max_length=120)
    body: Words = Field(min_length=1, max_length=4000)
    author: WordsLine = Field("", max_length=80)


class StaffReviewParams(Params):
    status: Literal["", "pending", "approved", "rejected"] = ""
    q: Line = Field("", max_length=120)
    limit: int = Field(50, ge=1, le=100)
    after: str = Field("", max_length=200)


class ReviewDecision(Body):
    status: Status
    # As it was read: with it, words that changed meanwhile are not decided on.
    version: int | None = Field(None, ge=0, lt=2**63)


@bp.get("/products/<int:product_id>/reviews")
@anyone(problems=(404, 422))
def list_reviews(product_id: int, params: ReviewParams) -> ReviewList:
    """What buyers think of a product, and the review of whoever asks."""
    return reviews.list_of_product(product_id, http.user_id(), sort=params.sort, limit=params.limit, after=params.after)


@bp.post("/products/<int:product_id>/reviews")
@signed_in(status=201, problems=(403, 404), limit="reviews")
def write_review(product_id: int, body: NewReview) -> OwnReview:
    """Review what one bought, or change the review. It is shown when staff have read it."""
    return reviews.write(product_id, http.account_id(), **body.model_dump())


@bp.delete("/products/<int:product_id>/reviews/mine")
@signed_in(status=204, problems=(404,))
def withdraw_review(product_id: int) -> None:
    """Take back one's own review."""
    reviews.withdraw(product_id, http.account_id())


@bp.get("/admin/reviews")
@staff(problems=(422,))
def list_reviews_for_staff(params: StaffReviewParams) -> StaffReviews:
    """All reviews, in whatever state, the newest first."""
    return reviews.list_for_staff(status=params.status or None, words=params.q, limit=params.limit, after=params.after)


@bp.patch("/admin/reviews/<int:review_id>")
@staff(problems=(404, 409))
def decide_review(review_id: int, body: ReviewDecision) -> StaffReview:
    """Show a review in the shop, or do not."""
    return reviews.decide(review_id, body.status, version=body.version, moderator_id=http.account_id())
