from __future__ import annotations

from typing import Annotated

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import Body, Params, PdfFile, Words, anyone, send_header, signed_in
from ..services import cancellations, cart, claims, invoices, orders, reorders, returns
from ..services.claims import Claimed, ClaimList
from ..services.orders import Order, OrderList
from ..services.reorders import Reordered
from ..services.returns import Reason
from .cart import MOST_ID, buyer
from .checkout import idempotency_key

bp = Blueprint("orders", __name__, url_prefix="/api/v1/orders")


class Page(Params):
    limit: int = Field(24, ge=1, le=100)
    after: str = Field("", max_length=40)


class Token(Params):
    token: str | None = Field(None, max_length=64)


class WantedBack(Body):
    item_id: int = Field(ge=1, le=MOST_ID)
    quantity: int = Field(ge=1, le=cart.MOST_OF_ONE)
    reason: Reason


class ReturnRequest(Body):
    items: Annotated[list[WantedBack], Field(min_length=1, max_length=cart.MOST_LINES)]
    note: Words = Field("", max_length=1000)


@bp.get("")
@signed_in
def list_orders(params: Page) -> OrderList:
    """The buyer's own orders, newest first."""
    return orders.list_of(http.account_id(), limit=params.limit, after=params.after)


@bp.get("/claimable")
@signed_in
def list_claimable() -> ClaimList:
    """Orders that were placed as a guest with the account's e-mail address, and that may be added to it."""
    return claims.list_claimable(http.account_id())


@bp.post("/claims")
@signed_in(status=201)
def claim() -> Claimed:
    """Add the orders that were placed as a guest with the account's e-mail address to the account. The links from their mails still open them."""
    return {"claimed": claims.claim(http.account_id())}


@bp.get("/<number>/invoice.pdf")
@anyone(problems=(404,))
def get_invoice(number: str, params: Token) -> PdfFile:
    """The invoice of an order, for its buyer, for a guest with the token from the mail, and for staff."""
    return _document(number, params, None)


@bp.get("/<number>/credit-notes/<int:document>.pdf")
@anyone(problems=(404,))
def get_credit_note(number: str, document: int, params: Token) -> PdfFile:
    """A credit note of an order, for whoever may have its invoice."""
    return _document(number, params, document)


def _document(number: str, params: Token, credit_note: int | None) -> PdfFile:
    account = http.current_account()
    staff = account is not None and account["role"] != "customer"
    name, content = invoices.get(number, user_id=http.user_id(), token=params.token, staff=staff, credit_note=credit_note)
    return PdfFile(content, file_name=name)


@bp.get("/<number>")
@anyone(problems=(404,))
def get_order(number: str, params: Token) -> Order:
    """One order of the buyer's own, or a guest's with the token from the mail."""
    return orders.get(number, user_id=http.user_id(), token=params.token)


@bp.post("/<number>/cancellation")
@anyone(problems=(404, 409))
def cancel(number: str, params: Token) -> Order:
    """Cancel an order that is not under way yet."""
    return cancellations.cancel(number, user_id=http.user_id(), token=params.token)


@bp.post("/<number>/returns")
@anyone(status=201, problems=(400, 404, 409), key=True)
def request_return(number: str, body: ReturnRequest, params: Token) -> Order:
    """Ask to send things back, within the days that the shop gives. The answer comes by mail."""
    items: list[returns.WantedBack] = [{"item_id": one.item_id, "quantity": one.quantity, "reason": one.reason} for one in body.items]
    repeated = returns.request(number, items, note=body.note, key=idempotency_key(), user_id=http.user_id(), token=params.token)
    if repeated:
        send_header("Idempotent-Replayed", "true")
    return orders.get(number, user_id=http.user_id(), token=params.token)


@bp.post("/<number>/reorder")
@anyone(problems=(404, 409), limit="cart_writes")
def reorder(number: str, params: Token) -> Reordered:
    """Put what was ordered into the cart, as far as it is still sold; `notices` say what is not."""
    return reorders.reorder(number, buyer(create=True), token=params.token)
