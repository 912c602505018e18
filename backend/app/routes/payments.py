from __future__ import annotations

from flask import Blueprint, request
from pydantic import Field

from .. import http
from ..http import Line, Params, anyone, send_header, staff
from ..services import admin_payments, payments, settings
from ..services.admin_payments import AdminPayment, Filters, Method, PaymentRows, RefusalList, Sort, Status
from ..services.orders import Order
from .cart import MOST_ID
from .checkout import idempotency_key
from .orders import Token

bp = Blueprint("payments", __name__, url_prefix="/api/v1")

MOST_BYTES = 256 * 1024


class PaymentParams(Params):
    """`q` is the beginning of an order's number or of the gateway's name of a payment; `troubled` are those that need somebody."""

    q: Line = Field("", max_length=120)
    status: Status = ""
    method: Method = ""
    troubled: bool = False
    sort: Sort = "created"
    limit: int = Field(50, ge=1, le=100)
    after: str = Field("", max_length=1000)


class RefusalParams(Params):
    limit: int = Field(50, ge=1, le=100)
    after: int | None = Field(None, ge=1, le=MOST_ID)


@bp.post("/orders/<number>/payments")
@anyone(status=201, problems=(400, 404, 409), key=True)
def resume(number: str, params: Token) -> Order:
    """Begin the payment of a pending order anew, or go on with it: `payment.redirect_url` is where it is paid."""
    order, repeated = payments.resume(number, key=idempotency_key(), user_id=http.user_id(), token=params.token)
    if repeated:
        send_header("Idempotent-Replayed", "true")
    return order


@bp.post("/payments/stripe/webhook")
@anyone(status=204, problems=(400, 404, 413), max_body_bytes=MOST_BYTES)
def hear_stripe() -> None:
    """What Stripe tells. The signature in Stripe-Signature is of the body's very bytes; each event counts once."""
    payments.hear(request.get_data(cache=False), request.headers.get("Stripe-Signature", ""), request.remote_addr or "")


@bp.get("/admin/payments")
@staff(problems=(422,))
def list_payments(params: PaymentParams) -> PaymentRows:
    """All payments. `unwanted` is money that fits no order: it came too late, twice, or is another sum."""
    filters = Filters(params.q, params.status, params.method, params.troubled)
    return admin_payments.list_all(filters, sort=params.sort, limit=params.limit, after=params.after, currency=settings.currency())


@bp.get("/admin/payments/refusals")
@staff(problems=(422,))
def list_refusals(params: RefusalParams) -> RefusalList:
    """Calls of the webhook that were not believed, and money that did not fit, newest first."""
    return admin_payments.refusals(limit=params.limit, after=params.after)


@bp.get("/admin/payments/<int:payment_id>")
@staff(problems=(404,))
def get_payment(payment_id: int) -> AdminPayment:
    """One payment with its refunds, what the gateway told of it, and what may be done with it."""
    return admin_payments.get(payment_id)


@bp.post("/admin/payments/<int:payment_id>/inquiry")
@staff(problems=(404, 409))
def ask_gateway(payment_id: int) -> AdminPayment:
    """Ask the gateway now what became of a payment, and do what follows from it."""
    payments.ask_now(payment_id, actor_id=http.account_id())
    return admin_payments.get(payment_id)


@bp.post("/admin/payments/<int:payment_id>/return")
@staff(status=201, problems=(400, 404, 409), key=True, step_up=True)
def return_payment(payment_id: int) -> AdminPayment:
    """Give money that fits no order back now. It goes back once, however often it is asked for."""
    if payments.return_now(payment_id, key=idempotency_key(), actor_id=http.account_id()):
        send_header("Idempotent-Replayed", "true")
    return admin_payments.get(payment_id)
