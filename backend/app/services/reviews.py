"""What buyers think of what they bought: stars and words, shown once staff have read them, and counted with the product."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Conflict, Forbidden, NotFound, SignInRequired
from . import discovery, events
from .grid import containing, cursor, read_cursor

Sort = Literal["newest", "highest", "lowest"]
Status = Literal["pending", "approved", "rejected"]
REACH = 20_000  # reviews that a search of staff looks through, and as far as is counted


class Review(TypedDict):
    id: int
    author: str
    rating: int
    title: str
    body: str
    verified: bool
    created_at: datetime


class OwnReview(Review):
    status: str


class ReviewList(TypedDict):
    """`mine` is the review of whoever asks, read by staff yet or not; `may_review`: they bought the product."""

    items: list[Review]
    next: str | None
    total: int
    rating: float | None
    rating_count: int
    histogram: dict[str, int]
    mine: OwnReview | None
    may_review: bool


class ToldReview(OwnReview):
    product_id: int


class ReviewedProduct(TypedDict):
    id: int
    slug: str
    title: str


class StaffReview(OwnReview):
    product: ReviewedProduct
    username: str
    updated_at: datetime
    version: int


class StaffReviews(TypedDict):
    """`total` counts 20,000 and no further."""

    items: list[StaffReview]
    next: str | None
    total: int


def list_of_product(product_id: int, user_id: int | None, *, sort: Sort, limit: int, after: str) -> ReviewList:
    """A page of the approved reviews, and how many there are of each number of stars. Raises NotFound, and Invalid for a bad cursor."""
    stars, after_id = read_cursor(after, sort, int)
    with db.reading() as tx:
        _check_listed(tx, product_id)
        rows = q.reviews.list_of_product[sort](tx, product_id=product_id, after=stars, after_id=after_id, limit=limit + 1)
        counts = {row["rating"]: row["count"] for row in q.reviews.count_by_rating(tx, product_id=product_id)}
        mine = q.reviews.get_of_author(tx, product_id=product_id, user_id=user_id) if user_id is not None else None
        bought = user_id is not None and bool(q.reviews.has_bought(tx, product_id=product_id, user_id=user_id))
    total = sum(counts.values())
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "items": [_review(row) for row in rows[:limit]],
        "next": cursor(sort, last["rating"], last["id"]) if last else None,
        "total": total,
        "rating": round(sum(stars * count for stars, count in counts.items()) / total, 1) if total else None,
        "rating_count": total,
        "histogram": {str(stars): counts.get(stars, 0) for stars in range(1, 6)},
        "mine": _own(mine) if mine else None,
        "may_review": bought,
    }


def write(product_id: int, user_id: int, *, rating: int, title: str, body: str, author: str) -> OwnReview:
    """Keep the buyer's one review of a product, in place of their former one; staff read it before it is shown.

    Raises NotFound, and Forbidden `not_bought` for whoever has no order of it. Without `author` the first name is shown, or the username.
    """
    return db.transaction(_write, product_id, user_id, rating, title, body, author)


def _write(tx: Tx, product_id: int, user_id: int, rating: int, title: str, body: str, author: str) -> OwnReview:
    person = q.reviews.lock_author(tx, user_id=user_id)
    if person is None:
        raise SignInRequired()
    _check_listed(tx, product_id)
    if not q.reviews.has_bought(tx, product_id=product_id, user_id=user_id):
        raise Forbidden("Reviews are written by those who bought the product here.", code="not_bought")
    words = {"author": author or person["first_name"] or person["username"], "rating": rating, "title": title, "body": body}
    former = q.reviews.lock_of_author(tx, product_id=product_id, user_id=user_id)
    if former is None:
        q.reviews.add(tx, product_id=product_id, user_id=user_id, **words)
    else:
        q.reviews.change(tx, review_id=former["id"], **words)
        _take_from_rating(tx, product_id, former)
    return _own(q.reviews.get_of_author(tx, product_id=product_id, user_id=user_id))


def withdraw(product_id: int, user_id: int) -> None:
    """Take one's own review back. Raises NotFound when there is none."""
    db.transaction(_withdraw, product_id, user_id)


def _withdraw(tx: Tx, product_id: int, user_id: int) -> None:
    former = q.reviews.lock_of_author(tx, product_id=product_id, user_id=user_id)
    if former is None:
        raise NotFound("You have not reviewed this.")
    q.reviews.delete(tx, review_id=former["id"])
    _take_from_rating(tx, product_id, former)


def all_of(user_id: int) -> list[ToldReview]:
    """All that the person wrote, for their export."""
    with db.reading() as tx:
        return [{**_own(row), "product_id": row["product_id"]} for row in q.reviews.list_of_author(tx, user_id=user_id)]


def erase_all_of(tx: Tx, user_id: int) -> None:
    """Delete what the person wrote; the products' ratings are then what the others say."""
    written = q.reviews.lock_all_of_author(tx, user_id=user_id)
    q.reviews.delete_all_of_author(tx, user_id=user_id)
    for review in written:
        _take_from_rating(tx, review["product_id"], review)


def list_for_staff(*, status: Status | None, words: str, limit: int, after: str) -> StaffReviews:
    """Reviews in whatever state, the newest first, searched in text, author and product."""
    _, after_id = read_cursor(after, "newest", int)
    wanted = {"status": status, "words": containing(words) if words else None}
    with db.reading() as tx:
        rows = q.reviews.list_for_staff(tx, **wanted, after_id=after_id, reach=REACH if words else limit + 1, limit=limit + 1)
        total = q.reviews.count_for_staff(tx, **wanted, after_id=None, reach=REACH)
    following = cursor("newest", 0, rows[limit - 1]["id"]) if len(rows) > limit else None
    return {"items": [_for_staff(row) for row in rows[:limit]], "next": following, "total": total}


def decide(review_id: int, status: Status, *, version: int | None, moderator_id: int) -> StaffReview:
    """Show a review, or do not. With the `version` that was read, words that were changed since are never shown unread.

    Raises NotFound, and Conflict with the review as it is `current`ly.
    """
    return db.transaction(_decide, review_id, status, version, moderator_id)


def _decide(tx: Tx, review_id: int, status: Status, version: int | None, moderator_id: int) -> StaffReview:
    review = q.reviews.lock(tx, review_id=review_id)
    if review is None:
        raise NotFound("There is no such review.")
    if version is not None and version != review["version"]:
        raise Conflict("This review was changed meanwhile.", code="stale", current=_current(tx, review_id))
    if review["status"] != status:
        q.reviews.decide(tx, review_id=review_id, status=status, moderator_id=moderator_id)
        events.note(tx, "review_moderated", review_id, subject="review", actor_id=moderator_id, status=status)
        _take_from_rating(tx, review["product_id"], review)
        if status == "approved":
            _rate(tx, review["product_id"], review["rating"], 1)
    return _current(tx, review_id)


def _current(tx: Tx, review_id: int) -> StaffReview:
    return _for_staff(q.reviews.get_for_staff(tx, review_id=review_id))


def _take_from_rating(tx: Tx, product_id: int, review: Row) -> None:
    if review["status"] == "approved":
        _rate(tx, product_id, -review["rating"], -1)


def _rate(tx: Tx, product_id: int, stars: int, count: int) -> None:
    q.reviews.rate(tx, product_id=product_id, stars=stars, count=count)
    discovery.mark(tx, [product_id])


def _check_listed(tx: Tx, product_id: int) -> None:
    if not q.reviews.is_listed(tx, product_id=product_id):
        raise NotFound("There is no such product.")


def _review(row: Row) -> Review:
    return {
        "id": row["id"],
        "author": row["author"],
        "rating": row["rating"],
        "title": row["title"],
        "body": row["body"],
        "verified": bool(row["verified"]),
        "created_at": row["created_at"],
    }


def _own(row: Row) -> OwnReview:
    return {**_review(row), "status": row["status"]}


def _for_staff(row: Row) -> StaffReview:
    return {
        **_own(row),
        "product": {"id": row["product_id"], "slug": row["product_slug"], "title": row["product_title"]},
        "username": row["username"],
        "updated_at": row["updated_at"],
        "version": row["version"],
    }
