from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from pydantic import Field

from .. import http
from ..errors import BadRequest, Invalid
from ..http import Body, CountryCode, Email, Line, Words, anyone, send_header
from ..services import checkout
from ..services.checkout import Quote
from ..services.orders import Order
from .cart import MOST_ID, buyer

bp = Blueprint("checkout", __name__, url_prefix="/api/v1")


class Address(Body):
    name: Line = Field(min_length=1, max_length=120)
    line1: Line = Field(min_length=1, max_length=160)
    line2: Line = Field("", max_length=160)
    city: Line = Field(min_length=1, max_length=120)
    region: Line = Field("", max_length=120)
    postcode: Line = Field(min_length=1, max_length=20)
    country: CountryCode
    phone: Line = Field("", max_length=32)


class GivenAddress(Address):
    """What goes by e-mail needs no more than a name and a country; `line1`, `city` and `postcode` are for what is sent in a parcel."""

    line1: Line = Field("", max_length=160)
    city: Line = Field("", max_length=120)
    postcode: Line = Field("", max_length=20)


class PartAddress(Body):
    """An address as far as it is typed; only the country has a say in the quote."""

    country: CountryCode | None = None


class QuoteRequest(Body):
    address: PartAddress | None = None
    address_id: int | None = Field(None, ge=1, le=MOST_ID)
    shipping_method: Line | None = Field(None, max_length=32)
    coupon: Line = Field("", max_length=40)
    gift_card: Line = Field("", max_length=60)
    terms_accepted: bool = False


class AnyOrder(Body):
    """What every order says, whoever places it."""

    email: Email | None = None
    shipping_method: Line = Field(min_length=1, max_length=32)
    payment_method: Line = Field(min_length=1, max_length=32)
    coupon: Line = Field("", max_length=40)
    gift_card: Line = Field("", max_length=60)
    note: Words = Field("", max_length=1000)
    expected_due_minor: int | None = Field(None, ge=0, le=10**15)


class OrderRequest(AnyOrder):
    address: GivenAddress | None = None
    address_id: int | None = Field(None, ge=1, le=MOST_ID)
    cart_version: int | None = Field(None, ge=0, le=2**32)
    # Needed once the owner has saved terms; `terms_version` is the one that was seen, as the quote told it.
    terms_accepted: bool | None = None
    terms_version: int | None = Field(None, ge=0, lt=2**31)

    def plain(self) -> checkout.Request:
        if self.address is None and self.address_id is None:
            raise Invalid(address="This is needed.")
        _not_both(self.address, self.address_id)
        fields: dict[str, Any] = self.model_dump(exclude={"address"})
        return checkout.Request(**fields, address=checkout.Address(**self.address.model_dump()) if self.address else None)


def _not_both(address: Body | None, address_id: int | None) -> None:
    if address is not None and address_id is not None:
        raise Invalid(address_id="Give either address or address_id.")


@bp.post("/checkout/quote")
@anyone(problems=(404, 429))
def quote(body: QuoteRequest) -> Quote:
    """What the cart would cost, how that is reckoned, and what is missing before it can be ordered."""
    _not_both(body.address, body.address_id)
    country = body.address.country if body.address else None
    return checkout.quote(
        buyer(),
        country=country,
        address_id=body.address_id,
        shipping_method=body.shipping_method,
        coupon=body.coupon,
        gift_card=body.gift_card,
        terms_accepted=body.terms_accepted,
        sender=http.sender(),
    )


@bp.post("/orders")
@anyone(status=201, problems=(400, 404, 409, 429), key=True)
def place(body: OrderRequest) -> Order:
    """Order what is in the cart. The same Idempotency-Key gives the same order again."""
    order, repeated = checkout.place(buyer(), idempotency_key(), body.plain(), sender=http.sender())
    send_header("Location", f"/api/v1/orders/{order['number']}")
    if repeated:
        send_header("Idempotent-Replayed", "true")
    return order


def idempotency_key() -> str:
    """The request's Idempotency-Key: 1 to 255 printable characters. Raises BadRequest without one."""
    key = request.headers.get("Idempotency-Key", "")
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise BadRequest("Send an Idempotency-Key header of 1 to 255 characters, new for each order.", code="idempotency_key_needed")
    return key
