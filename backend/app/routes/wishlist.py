from __future__ import annotations

from flask import Blueprint

from ..http import anyone
from ..services import wishlist
from ..services.wishlist import Wishlist
from .cart import buyer

bp = Blueprint("wishlist", __name__, url_prefix="/api/v1/wishlist")


@bp.get("")
@anyone
def get_wishlist() -> Wishlist:
    """What this visitor wants to keep in mind, the latest first."""
    return wishlist.get(buyer())


@bp.put("/<int:product_id>")
@anyone(status=204, problems=(404, 409), limit="wishlist_writes")
def add_wish(product_id: int) -> None:
    """Keep a product in mind."""
    wishlist.add(buyer(create=True), product_id)


@bp.delete("/<int:product_id>")
@anyone(status=204, limit="wishlist_writes")
def remove_wish(product_id: int) -> None:
    """Forget a product."""
    wishlist.remove(buyer(), product_id)
