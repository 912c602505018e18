from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from flask import Blueprint
from pydantic import AfterValidator, Field

from .. import http
from ..http import Body, Email, Line, Params, Words, WordsLine, send_header, staff
from ..services import admin_orders, cancellations, cart, checkout, manual_orders, payments, refunds, returns, settings, shipments
from ..services.admin_orders import AdminOrder, Filters, FulfilmentStatus, OrderRows, PaymentStatus, Returns, Sort, Status
from ..services.checkout import Quote
from ..services.manual_orders import CustomerList, GoodsList
from ..services.orders import Order, Pieces
from ..step_up import current_actor
from .cart import MOST_ID
from .checkout import Address, AnyOrder, PartAddress, idempotency_key

bp = Blueprint("admin_orders", __name__, url_prefix="/api/v1/admin")
MOST_MINOR = 10**12


class OrderFilterParams(Params):
    q: Line = Field("", max_length=120)
    status: Status = ""
    payment_status: PaymentStatus = ""
    fulfilment_status: FulfilmentStatus = ""
    returns: Returns = ""
    # Named as a reader of the address would; `from` is a word of the language.
    since: date | None = Field(None, alias="from")
    until: date | None = Field(None, alias="to")

    def filters(self) -> Filters:
        return Filters(self.q, self.status, self.payment_status, self.fulfilment_status, self.returns, self.since, self.until)


class OrderParams(OrderFilterParams):
    sort: Sort = "placed"
    limit: int = Field(50, ge=1, le=100)
    after: str = Field("", max_length=1000)


class Beginning(Params):
    q: Line = Field("", max_length=120)


class NamedGoods(Body):
    variant_id: int = Field(ge=1, le=MOST_ID)
    quantity: int = Field(ge=1, le=cart.MOST_OF_ONE)


NamedItems = Annotated[list[NamedGoods], Field(min_length=1, max_length=cart.MOST_LINES)]
UserId = Annotated[int, Field(ge=1, le=MOST_ID)]


def _named(items: list[NamedGoods]) -> tuple[cart.Named, ...]:
    return tuple({"variant_id": one.variant_id, "quantity": one.quantity} for one in items)


class ManualQuote(Body):
    """The customer is the account `user_id`, or the one with this `email`, or a guest."""

    items: NamedItems
    email: Email | None = None
    user_id: UserId | None = None
    address: PartAddress | None = None
    shipping_method: Line | None = Field(None, max_length=32)
    coupon: Line = Field("", max_length=40)
    gift_card: Line = Field("", max_length=60)


class ManualOrder(AnyOrder):
    """An order for the account `user_id`, or the one with this `email`, or a guest with it."""

    items: NamedItems
    user_id: UserId | None = None
    address: Address

    def plain(self) -> checkout.Request:
        fields = self.model_dump(exclude={"address", "items"})
        return checkout.Request(**fields, address=checkout.Address(**self.address.model_dump()), items=_named(self.items))


class Piece(Body):
    item_id: int = Field(ge=1, le=MOST_ID)
    quantity: int = Field(ge=1, le=cart.MOST_OF_ONE)


def _plain(items: list[Piece]) -> list[Pieces]:
    return [{"item_id": one.item_id, "quantity": one.quantity} for one in items]


def _web_address(value: str) -> str:
    if value and not (value.isascii() and value.lower().startswith(("http://", "https://")) and " " not in value):
        raise ValueError("Enter an address that begins with https:// or http://.")
    return value


class NewShipment(Body):
    """A parcel. Without `items` it holds all that is left to send."""

    items: Annotated[list[Piece], Field(min_length=1, max_length=cart.MOST_LINES)] | None = None
    carrier: Line = Field("", max_length=60)
    tracking_number: Line = Field("", max_length=80)
    tracking_url: Annotated[Line, AfterValidator(_web_address)] = Field("", max_length=500)


class HandPayment(Body):
    """Cash at the door, or a transfer: what was due."""

    amount_minor: int = Field(ge=0, le=MOST_MINOR)


class Decision(Body):
    status: Literal["approved", "rejected"]
    answer: Words = Field("", max_length=1000)


class Receipt(Body):
    """What came back; `restocked` goes on the shelf again."""

    restocked: Annotated[list[Piece], Field(max_length=cart.MOST_LINES)] = []


class RefundedPiece(Piece):
    restock: bool = False


class NewRefund(Body):
    """Lines, a part of the delivery, or both. With `return_id` the goods were received, and put on the shelf or not, before."""

    items: Annotated[list[RefundedPiece], Field(max_length=cart.MOST_LINES)] = []
    shipping_minor: int = Field(0, ge=0, le=MOST_MINOR)
    reason: WordsLine = Field("", max_length=200)
    return_id: int | None = Field(None, ge=1, le=MOST_ID)


@bp.get("/orders")
@staff(problems=(422,))
def list_orders(params: OrderParams) -> OrderRows:
    """All orders; `q` is the beginning of a number or e-mail address, or, among the latest 10,000, a part of a name or address.

    `from` and `to` are days. `total` is counted up to 10,000.
    """
    return admin_orders.list_all(params.filters(), sort=params.sort, limit=params.limit, after=params.after, currency=settings.currency())


@bp.get("/orders/customers")
@staff(problems=(422,))
def find_customers(params: Beginning) -> CustomerList:
    """For whom an order may be: accounts by the beginning of a name or an e-mail address, with their saved addresses."""
    return manual_orders.find_customers(params.q)


@bp.get("/orders/goods")
@staff(problems=(422,))
def find_goods(params: Beginning) -> GoodsList:
    """What may be ordered: variants by SKU, or by what shoppers would search."""
    return manual_orders.find_goods(params.q)


@bp.post("/orders/quote")
@staff
def quote_order(body: ManualQuote) -> Quote:
    """What the goods would cost this customer, how that is reckoned, and what is missing before they can be ordered."""
    wish = body.model_dump(include={"shipping_method", "coupon", "gift_card"})
    return manual_orders.quote(body.user_id, body.email, _named(body.items), country=body.address.country if body.address else None, **wish)


@bp.post("/orders")
@staff(status=201, problems=(400, 409), key=True, step_up="the order contains gift cards")
def place_order(body: ManualOrder) -> Order:
    """Order for a customer who called or wrote, under the same rules as in the shop. The same Idempotency-Key gives the same order again."""
    order, repeated = manual_orders.place(idempotency_key(), body.plain(), staff=current_actor())
    send_header("Location", f"/api/v1/admin/orders/{order['number']}")
    if repeated:
        send_header("Idempotent-Replayed", "true")
    return order


@bp.get("/orders/<number>")
@staff(problems=(404,))
def get_order(number: str) -> AdminOrder:
    """One order with its parcels, returns, refunds, payments and events, and what may be done with it."""
    return admin_orders.get(number)


@bp.post("/orders/<number>/cancellation")
@staff(problems=(404, 409), step_up=True)
def cancel_order(number: str) -> AdminOrder:
    """Cancel an order of which nothing was sent: its goods go back on the shelf, what was paid goes back whole."""
    cancellations.cancel_for(number, actor_id=http.account_id())
    return admin_orders.get(number)


@bp.post("/orders/<number>/shipments")
@staff(status=201, problems=(404, 409))
def ship(number: str, body: NewShipment) -> AdminOrder:
    """Note that a parcel left. The buyer gets a mail with where to follow it."""
    items = _plain(body.items) if body.items is not None else None
    tracking = body.model_dump(exclude={"items"})
    shipments.ship(number, items, **tracking, actor_id=http.account_id())
    return admin_orders.get(number)


@bp.post("/orders/<number>/payments")
@staff(status=201, problems=(400, 404, 409), key=True, step_up="the order contains gift cards")
def record_payment(number: str, body: HandPayment) -> AdminOrder:
    """Note that an order's money came by hand. The same Idempotency-Key notes it once. With gift cards in the order, for admins only."""
    if payments.record(number, body.amount_minor, key=idempotency_key(), actor=current_actor()):
        send_header("Idempotent-Replayed", "true")
    return admin_orders.get(number)


@bp.post("/shipments/<int:shipment_id>/delivery")
@staff(problems=(404, 409))
def deliver(shipment_id: int) -> AdminOrder:
    """Note that a parcel arrived."""
    return admin_orders.get(shipments.deliver(shipment_id, actor_id=http.account_id()))


@bp.post("/returns/<int:return_id>/decision")
@staff(problems=(404, 409))
def decide_return(return_id: int, body: Decision) -> AdminOrder:
    """Approve or reject a return; the buyer gets the answer by mail."""
    return admin_orders.get(returns.decide(return_id, body.status, answer=body.answer, actor_id=http.account_id()))


@bp.post("/returns/<int:return_id>/receipt")
@staff(problems=(404, 409))
def receive_return(return_id: int, body: Receipt) -> AdminOrder:
    """Note that the goods of an approved return are here."""
    return admin_orders.get(returns.receive(return_id, _plain(body.restocked), actor_id=http.account_id()))


@bp.post("/orders/<number>/refunds")
@staff(status=201, problems=(400, 404, 409), key=True, step_up=True)
def refund(number: str, body: NewRefund) -> AdminOrder:
    """Give money back. The same Idempotency-Key gives it once."""
    pieces = tuple(refunds.Piece(one.item_id, one.quantity, one.restock) for one in body.items)
    wanted = refunds.Refunding(pieces, body.shipping_minor, body.reason, body.return_id)
    if refunds.refund(number, wanted, key=idempotency_key(), actor_id=http.account_id()):
        send_header("Idempotent-Replayed", "true")
    return admin_orders.get(number)


@bp.post("/refunds/<int:refund_id>/retry")
@staff(problems=(404, 409), step_up=True)
def retry_refund(refund_id: int) -> AdminOrder:
    """Ask the gateway once more for a refund that failed."""
    return admin_orders.get(refunds.retry(refund_id, actor_id=http.account_id()))
