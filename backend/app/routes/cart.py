from __future__ import annotations

from flask import Blueprint
from pydantic import Field, model_validator

from .. import http
from ..http import Body, anyone
from ..services import cart
from ..services.cart import Buyer, Cart

bp = Blueprint("cart", __name__, url_prefix="/api/v1/cart")
MOST_ID = 2**63 - 1


class NewItem(Body):
    variant_id: int | None = Field(None, ge=1, le=MOST_ID)
    product_id: int | None = Field(None, ge=1, le=MOST_ID)
    quantity: int = Field(1, ge=1, le=cart.MOST_OF_ONE)

    @model_validator(mode="after")
    def _one_of_two(self) -> NewItem:
        if (self.variant_id is None) == (self.product_id is None):
            raise ValueError("Give either variant_id or product_id.")
        return self


class Quantity(Body):
    quantity: int = Field(ge=0, le=cart.MOST_OF_ONE)


def buyer(*, create: bool = False) -> Buyer:
    """Whoever shops in this session; `create` gives a new visitor a cart to write to."""
    user_id = http.user_id()
    return Buyer(user_id, None if user_id is not None else http.guest_token(create=create))


@bp.get("")
@anyone
def get_cart() -> Cart:
    """The cart of this session, with today's prices and stock."""
    return cart.get(buyer())


@bp.post("/items")
@anyone(status=201, problems=(404, 409), limit="cart_writes")
def add_item(body: NewItem) -> Cart:
    """Put something into the cart."""
    return cart.add(buyer(create=True), variant_id=body.variant_id, product_id=body.product_id, quantity=body.quantity)


@bp.patch("/items/<int:item_id>")
@anyone(problems=(404, 409), limit="cart_writes")
def change_item(item_id: int, body: Quantity) -> Cart:
    """Set the quantity of a line; 0 removes it."""
    return cart.change(buyer(), item_id, body.quantity)


@bp.delete("/items/<int:item_id>")
@anyone(problems=(404,), limit="cart_writes")
def remove_item(item_id: int) -> Cart:
    """Take a line out of the cart."""
    return cart.remove(buyer(), item_id)


@bp.delete("")
@anyone(limit="cart_writes")
def clear_cart() -> Cart:
    """Empty the cart."""
    return cart.clear(buyer())
