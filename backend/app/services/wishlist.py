"""What somebody wants to keep in mind: an account's products, or those of a guest's browser until it signs in."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

from .. import db
from ..db import DRIVER_ERRORS, Tx, is_duplicate, q
from ..errors import Conflict, NotFound, SignInRequired
from . import catalogue, settings
from .cart import Buyer
from .catalogue import Product

MOST = 200


class Wished(Product):
    added_at: datetime


class Wishlist(TypedDict):
    items: list[Wished]
    count: int
    currency: str


class ToldWish(TypedDict):
    product_id: int
    added_at: datetime


def get(buyer: Buyer) -> Wishlist:
    """The wishes, the latest first, as cards show them. What is no longer sold is left out."""
    with db.reading() as tx:
        currency = settings.shop(tx)["currency"]
        added = {row["product_id"]: row["added_at"] for row in _rows(tx, buyer)}
        ids = list(added)
        products = catalogue.list_by_ids(tx, ids[:100]) + catalogue.list_by_ids(tx, ids[100:])
    return {"items": [{**product, "added_at": added[product["id"]]} for product in products], "count": len(products), "currency": currency}


def ids_of(buyer: Buyer) -> list[int]:
    """The wished products that are sold, for the hearts on a page."""
    if buyer.user_id is None and buyer.guest_token is None:
        return []
    with db.reading() as tx:
        return find_ids(tx, buyer)


def find_ids(tx: Tx, buyer: Buyer) -> list[int]:
    return [row["product_id"] for row in q.wishlist.list_ids(tx, user_id=buyer.user_id, token_hash=buyer.token_hash)]


def all_of(user_id: int) -> list[ToldWish]:
    """All that is kept for the person, sold or not, for their export."""
    with db.reading() as tx:
        return [{"product_id": row["product_id"], "added_at": row["added_at"]} for row in _rows(tx, Buyer(user_id))]


def _rows(tx: Tx, buyer: Buyer) -> list[db.Row]:
    if buyer.user_id is None and buyer.guest_token is None:
        return []
    found: list[db.Row] = q.wishlist.list_of(tx, user_id=buyer.user_id, token_hash=buyer.token_hash)
    return found


def add(buyer: Buyer, product_id: int) -> None:
    """Keep a product in mind; one that is kept already stays where it is. Raises NotFound, and Conflict when the list is full."""
    try:
        db.transaction(_add, buyer, product_id)
    except DRIVER_ERRORS as error:
        # A second click at the same moment: the first one has done it.
        if not is_duplicate(error, "uq_wishlist_items"):
            raise


def _add(tx: Tx, buyer: Buyer, product_id: int) -> None:
    if buyer.user_id is not None and q.sessions.lock_user(tx, user_id=buyer.user_id) is None:
        raise SignInRequired()
    if not q.reviews.is_listed(tx, product_id=product_id):
        raise NotFound("There is no such product.")
    owner = {"user_id": buyer.user_id, "token_hash": buyer.token_hash}
    present = {row["product_id"] for row in q.wishlist.lock_all(tx, **owner)}
    if product_id in present:
        return
    if len(present) >= MOST:
        raise Conflict(f"A wishlist holds at most {MOST} things. Please remove one first.", code="wishlist_full")
    q.wishlist.add(tx, **owner, product_id=product_id)


def remove(buyer: Buyer, product_id: int) -> None:
    """Forget a product, if it is there."""
    db.transaction(lambda tx: q.wishlist.remove(tx, user_id=buyer.user_id, token_hash=buyer.token_hash, product_id=product_id))


def merge_guest(guest_token: str | None, user_id: int) -> None:
    """Bring a guest's wishes into the account at sign-in, the latest first if there is not room for all."""
    if guest_token:
        db.transaction(_merge_guest, Buyer(guest_token=guest_token).token_hash, user_id)


def _merge_guest(tx: Tx, token_hash: str | None, user_id: int) -> None:
    if not q.wishlist.list_of(tx, user_id=None, token_hash=token_hash) or q.sessions.lock_user(tx, user_id=user_id) is None:
        return
    room = MOST - len(q.wishlist.lock_all(tx, user_id=user_id, token_hash=None))
    q.wishlist.take_over(tx, user_id=user_id, token_hash=token_hash, room=room)
    q.wishlist.delete_guest(tx, token_hash=token_hash)
