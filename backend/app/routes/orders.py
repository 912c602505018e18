from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import Params, anyone, signed_in
from ..services import orders
from ..services.orders import Order, OrderList

bp = Blueprint("orders", __name__, url_prefix="/api/v1/orders")


class Page(Params):
    limit: int = Field(24, ge=1, le=100)
    after: str = Field("", max_length=40)


class Token(Params):
    token: str | None = Field(None, max_length=64)


@bp.get("")
@signed_in
def list_orders(params: Page) -> OrderList:
    """The buyer's own orders, newest first."""
    return orders.list_of(http.account_id(), limit=params.limit, after=params.after)


@bp.get("/<number>")
@anyone(problems=(404,))
def get_order(number: str, params: Token) -> Order:
    """One order of the buyer's own, or a guest's with the token from the mail."""
    return orders.get(number, user_id=http.user_id(), token=params.token)


@bp.post("/<number>/cancellation")
@anyone(problems=(404, 409))
def cancel(number: str, params: Token) -> Order:
    """Cancel an order that is not under way yet."""
    return orders.cancel(number, user_id=http.user_id(), token=params.token)
