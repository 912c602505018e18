from __future__ import annotations

from flask import Blueprint, request

from .. import http
from ..errors import TooLarge
from ..http import anyone, send_header
from ..services import payments
from ..services.orders import Order
from .checkout import idempotency_key
from .orders import Token

bp = Blueprint("payments", __name__, url_prefix="/api/v1")

MOST_BYTES = 256 * 1024


@bp.post("/orders/<number>/payments")
@anyone(status=201, problems=(400, 404, 409), key=True)
def resume(number: str, params: Token) -> Order:
    """Begin the payment of a pending order anew, or go on with it: `payment.redirect_url` is where it is paid."""
    order, repeated = payments.resume(number, key=idempotency_key(), user_id=http.user_id(), token=params.token)
    if repeated:
        send_header("Idempotent-Replayed", "true")
    return order


@bp.post("/payments/stripe/webhook")
@anyone(status=204, problems=(400, 404, 413))
def hear_stripe() -> None:
    """What Stripe tells. The signature in Stripe-Signature is of the body's very bytes; each event counts once."""
    if (request.content_length or 0) > MOST_BYTES:
        raise TooLarge(f"At most {MOST_BYTES} bytes.")
    payments.hear(request.get_data(cache=False), request.headers.get("Stripe-Signature", ""))
