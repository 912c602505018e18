"""Stripe, by its own library: hosted payment pages, what it tells of them, and refunds. No database here, and no rules of the shop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ..config import CURRENCIES, Settings
from ..errors import BadRequest, Conflict, Unavailable

TIMEOUTS = (2.0, 6.0)  # seconds to connect and to wait; a shopper sits before it
TOLERANCE = 300  # seconds that a signature may be old, or ahead
MAX_AMOUNT_MINOR = 10**15
T = TypeVar("T")


def _known_currency(value: str) -> str:
    if value.upper() not in CURRENCIES:
        raise ValueError("not a currency of this shop")
    return value


# As long as the columns that keep them.
StripeId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,120}$")]


class _Page(BaseModel):
    """A payment page as Stripe describes it: of its many fields, those that the shop reads."""

    model_config = ConfigDict(strict=True)

    id: StripeId
    metadata: dict[str, Any] | None = None
    client_reference_id: str | None = None
    amount_total: int | None = Field(None, ge=0, le=MAX_AMOUNT_MINOR)
    currency: Annotated[str, AfterValidator(_known_currency)] | None = None
    mode: str
    livemode: bool
    status: str | None = None
    payment_status: str
    payment_intent: StripeId | None = None


class _EventData(BaseModel):
    object: dict[str, Any]


class _Event(BaseModel):
    model_config = ConfigDict(strict=True)

    id: StripeId
    type: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,80}$")]
    data: _EventData


@dataclass(frozen=True)
class Told:
    """What Stripe says of one of its payment pages."""

    gateway_id: str
    payment_id: int | None
    number: str
    amount_minor: int | None
    currency: str
    mode: str
    live: bool
    paid: bool
    over: bool  # nothing can be paid there any more
    charge: str | None


@dataclass(frozen=True)
class Event:
    """`told` is None for events that are not about a payment page."""

    id: str
    kind: str
    told: Told | None


class Gateway:
    """An account at Stripe, as the settings name it."""

    def __init__(self, settings: Settings) -> None:
        # Imported here: it takes a third of a second, and most shops have no Stripe.
        import stripe

        self._stripe = stripe
        self._webhook_secret = settings.stripe_webhook_secret
        self.live = "_live_" in settings.stripe_secret_key
        self._shop = settings.url
        self._client = stripe.StripeClient(
            settings.stripe_secret_key,
            base_addresses={"api": settings.stripe_api_base},
            http_client=stripe.RequestsClient(timeout=TIMEOUTS),
            max_network_retries=0,
        )

    def begin(self, *, payment_id: int, number: str, path: str, email: str, amount_minor: int, currency: str, expires_at: datetime) -> tuple[str, str]:
        """Open a payment page; gives its id and address. Asked again for the same payment it gives the same page."""
        back = f"{self._shop}{path}{'&' if '?' in path else '?'}payment="
        names = {"order": number, "payment_id": str(payment_id)}
        line = {"quantity": 1, "price_data": {"currency": currency.lower(), "unit_amount": amount_minor, "product_data": {"name": f"Order {number}"}}}
        params: Any = {
            "mode": "payment",
            "client_reference_id": number,
            "metadata": names,
            "payment_intent_data": {"metadata": names},
            "line_items": [line],
            "customer_email": email,
            "success_url": f"{back}returned",
            "cancel_url": f"{back}left",
            "expires_at": int(expires_at.replace(tzinfo=UTC).timestamp()),
        }
        page = self._ask(lambda: self._client.v1.checkout.sessions.create(params, {"idempotency_key": f"payment-{payment_id}"}))
        return page.id, str(page.url)

    def look(self, gateway_id: str) -> Told:
        """What became of a payment page."""
        page = self._ask(lambda: self._client.v1.checkout.sessions.retrieve(gateway_id)).to_dict()
        try:
            return _told(page)
        except ValidationError:
            raise Unavailable("The payment service gave an unreadable response.") from None

    def close(self, gateway_id: str) -> None:
        """See to it that nothing is paid on this page any more. Raises Conflict when it is over already."""
        self._ask(lambda: self._client.v1.checkout.sessions.expire(gateway_id))

    def refund(self, charge: str, amount_minor: int, key: str) -> str:
        """Give money back; gives the refund's id. The same key gives the same refund. Raises Conflict for a no, for good."""
        params: Any = {"payment_intent": charge, "amount": amount_minor}
        return self._ask(lambda: self._client.v1.refunds.create(params, {"idempotency_key": key})).id

    def read(self, body: bytes, signature: str) -> Event:
        """An event that Stripe signed within the last minutes. Raises BadRequest, with a word for the reason, for any other."""
        if not signature.isascii():
            # The library compares signatures in a way that only knows ASCII.
            raise BadRequest("The signature is not good.", code="signature")
        try:
            self._stripe.WebhookSignature.verify_header(body, signature, self._webhook_secret)
            # The library lets signatures pass that are from the future.
            signed_at = int(next(part[2:] for part in signature.split(",") if part.startswith("t=")))
        except (self._stripe.SignatureVerificationError, UnicodeDecodeError):
            raise BadRequest("The signature is not good.", code="signature") from None
        if abs(time.time() - signed_at) > TOLERANCE:
            raise BadRequest("The signature is of another time.", code="timestamp")
        try:
            event = _Event.model_validate(orjson.loads(body))
            is_page = event.type.startswith("checkout.session.")
            return Event(event.id, event.type, _told(event.data.object) if is_page else None)
        except (orjson.JSONDecodeError, ValidationError):
            raise BadRequest("This is no event.", code="event") from None

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except (self._stripe.InvalidRequestError, self._stripe.CardError) as error:
            raise Conflict(f"The payment service says no ({error.code}).") from None
        except self._stripe.StripeError as error:
            # Without its words: they may quote the key.
            raise Unavailable(f"The payment service does not answer ({type(error).__name__}).") from None


def _told(description: dict[str, Any]) -> Told:
    """Read Stripe's description of a page. Raises ValidationError for one that is malformed."""
    page = _Page.model_validate(description)
    payment_id = str((page.metadata or {}).get("payment_id"))
    is_number = payment_id.isascii() and payment_id.isdigit()
    return Told(
        gateway_id=page.id,
        payment_id=int(payment_id) if is_number and len(payment_id) < 19 else None,
        number=page.client_reference_id or "",
        amount_minor=page.amount_total,
        currency=(page.currency or "").upper(),
        mode=page.mode,
        live=page.livemode,
        paid=page.payment_status == "paid",
        over=page.status == "expired",
        charge=page.payment_intent,
    )
