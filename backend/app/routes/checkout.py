from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, Response, request
from pydantic import Field, StringConstraints

from ..errors import BadRequest
from ..http import Body, Email, anyone, answer, line, prose
from ..services import checkout
from ..services.checkout import Quote
from ..services.orders import Order
from .cart import buyer

bp = Blueprint("checkout", __name__, url_prefix="/api/v1")
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class Address(Body):
    name: line(120)  # type: ignore[valid-type]
    line1: line(160)  # type: ignore[valid-type]
    line2: line(160, least=0) = ""  # type: ignore[valid-type]
    city: line(120)  # type: ignore[valid-type]
    region: line(120, least=0) = ""  # type: ignore[valid-type]
    postcode: line(20)  # type: ignore[valid-type]
    country: CountryCode
    phone: line(32, least=0) = ""  # type: ignore[valid-type]


class PartAddress(Body):
    """An address as far as it is typed; only the country has a say in the quote."""

    country: CountryCode | None = None


class QuoteRequest(Body):
    address: PartAddress | None = None
    shipping_method: line(32) | None = None  # type: ignore[valid-type]


class OrderRequest(Body):
    email: Email | None = None
    address: Address
    shipping_method: line(32)  # type: ignore[valid-type]
    payment_method: line(32)  # type: ignore[valid-type]
    note: prose(1000, least=0) = ""  # type: ignore[valid-type]
    expected_due_minor: int | None = Field(None, ge=0, le=10**15)
    cart_version: int | None = Field(None, ge=0, le=2**32)

    def plain(self) -> checkout.Request:
        fields: dict[str, Any] = self.model_dump(exclude={"address"})
        return checkout.Request(**fields, address=checkout.Address(**self.address.model_dump()))


@bp.post("/checkout/quote")
@anyone
def quote(body: QuoteRequest) -> Quote:
    """What the cart would cost, how that is reckoned, and what is missing before it can be ordered."""
    return checkout.quote(buyer(), country=body.address.country if body.address else None, shipping_method=body.shipping_method)


@bp.post("/orders")
@anyone(status=201, problems=(400, 409), key=True)
def place(body: OrderRequest) -> Order:
    """Order what is in the cart. The same Idempotency-Key gives the same order again."""
    order, repeated = checkout.place(buyer(), idempotency_key(), body.plain())
    return _with_location(answer(order, 201), order["number"], repeated)  # type: ignore[return-value]


def idempotency_key() -> str:
    """The request's Idempotency-Key: 1 to 255 printable characters. Raises BadRequest without one."""
    key = request.headers.get("Idempotency-Key", "")
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise BadRequest("Send an Idempotency-Key header of 1 to 255 characters, new for each order.", code="idempotency_key_needed")
    return key


def _with_location(response: Response, number: str, repeated: bool) -> Response:
    response.headers["Location"] = f"/api/v1/orders/{number}"
    if repeated:
        response.headers["Idempotent-Replayed"] = "true"
    return response
