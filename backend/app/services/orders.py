"""Orders after they are placed: their states, reading them, letting unpaid ones expire."""

from __future__ import annotations

import base64
import hmac
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NotRequired

import orjson
from typing_extensions import TypedDict

from .. import db, money, security
from ..db import Row, Tx, q
from ..errors import Conflict, Invalid, NotFound, SignInRequired
from . import gift_cards, mail, promotions, settings, stock
from .catalogue import Image, media
from .pricing import Step

# Which state may follow which; checks.sql and the tests hold the rows to it.
STEPS = {
    "pending": ("placed", "cancelled", "expired"),
    "placed": ("completed", "cancelled"),
    "completed": (),
    "cancelled": (),
    "expired": (),
}
PAYMENT_STEPS = {
    "unpaid": ("paid",),
    "paid": ("partly_refunded", "refunded"),
    "partly_refunded": ("partly_refunded", "refunded"),
    "refunded": (),
}
FULFILMENT_STEPS = {
    "unfulfilled": ("partly_shipped", "shipped"),
    "partly_shipped": ("partly_shipped", "shipped"),
    "shipped": ("delivered",),
    "delivered": (),
}
TABLES = {"status": STEPS, "payment_status": PAYMENT_STEPS, "fulfilment_status": FULFILMENT_STEPS}
CANCELLABLE = tuple(status for status, following in STEPS.items() if "cancelled" in following)
REFUNDED_BY_ITSELF = ("stripe", "test")
PAGE = 100  # orders that are read at once


class OrderItem(TypedDict):
    """A line; `sent`, `unsent` (given up before), `sent_back` (or about to be) and `refunded` are pieces of its quantity."""

    id: int
    variant_id: int | None
    product_id: int | None
    slug: str | None
    title: str
    options: str
    sku: str
    quantity: int
    price_minor: int
    line_minor: int
    discount_minor: int
    tax_minor: int
    image: Image | None
    sent: int
    unsent: int
    sent_back: int
    refunded: int


class OrderAddress(TypedDict):
    name: str
    line1: str
    line2: str
    city: str
    region: str
    postcode: str
    country: str
    phone: str


class OrderEvent(TypedDict):
    kind: str
    at: datetime


class Payment(TypedDict):
    method: str
    name: str
    status: str
    instructions: str
    pay_by: datetime | None
    redirect_url: NotRequired[str]  # where an order that waits for a payment online is paid
    can_resume: bool  # whether a payment may be begun anew


class Pieces(TypedDict):
    item_id: int
    quantity: int


class Shipment(TypedDict):
    """A parcel of an order."""

    id: int
    carrier: str
    tracking_number: str
    tracking_url: str
    shipped_at: datetime
    delivered_at: datetime | None
    items: list[Pieces]


class ReturnedPieces(Pieces):
    reason: str
    restocked: int


class Return(TypedDict):
    id: int
    status: str
    note: str
    answer: str
    created_at: datetime
    decided_at: datetime | None
    received_at: datetime | None
    items: list[ReturnedPieces]


class RefundedPieces(Pieces):
    amount_minor: int
    restocked: int


class Refund(TypedDict):
    """Money that goes back; `status` is `done` when the buyer's bank or card has it. Delivery is `shipping_minor` of the amount."""

    id: int
    status: str
    amount_minor: int
    payment_minor: int
    gift_card_minor: int
    shipping_minor: int
    return_id: int | None
    reason: str
    created_at: datetime
    done_at: datetime | None
    items: list[RefundedPieces]


class CreditNote(TypedDict):
    number: int
    url: str


class Order(TypedDict):
    number: str
    token: NotRequired[str]
    status: str
    payment_status: str
    fulfilment_status: str
    email: str
    items: list[OrderItem]
    address: OrderAddress
    shipping_method: str
    shipping_name: str
    subtotal_minor: int
    discount_minor: int
    shipping_minor: int
    tax_minor: int
    total_minor: int
    gift_card_minor: int
    due_minor: int
    currency: str
    prices_include_tax: bool
    coupon: str
    explanation: list[Step]
    note: str
    terms_version: int | None
    placed_at: datetime
    payment: Payment
    events: list[OrderEvent]
    shipments: list[Shipment]
    returns: list[Return]
    refunds: list[Refund]
    refunded_minor: int
    invoice_url: str | None
    credit_notes: list[CreditNote]
    can_cancel: bool
    can_return: bool
    return_by: datetime | None


class OrderSummary(TypedDict):
    number: str
    status: str
    payment_status: str
    fulfilment_status: str
    total_minor: int
    currency: str
    placed_at: datetime
    count: int
    items: list[OrderItem]


class OrderList(TypedDict):
    items: list[OrderSummary]
    next: str | None
    total: int


def get(number: str, *, user_id: int | None = None, token: str | None = None, trusted: bool = False) -> Order:
    """One order for its buyer, or for the guest who holds its token. Raises NotFound for anybody else, as if it were not there."""
    with db.reading() as tx:
        row = own(tx, number, user_id, token, trusted)
        items = q.orders.list_items(tx, order_ids=[row["id"]])
        events = q.orders.list_events(tx, order_ids=[row["id"]])
        shop = settings.shop(tx)
        parts = _parts(tx, [row], shop)
    return _order(row, items, events, shop, parts)


def as_placed(row: Row, items: list[Row], shop: dict[str, Any]) -> Order:
    """An order as it stands the moment that it is placed, of which whoever placed it knows everything but the ids of its lines."""
    with db.reading() as tx:
        ids = [one["id"] for one in q.orders.list_item_ids(tx, order_id=row["id"])]
    lines = [item | {"id": item_id, "sent": 0, "unsent": 0, "sent_back": 0, "refunded": 0} for item, item_id in zip(items, ids, strict=True)]
    none: dict[int, list[Row]] = defaultdict(list)
    return _order(row, lines, [{"kind": "placed", "at": row["placed_at"]}], shop, _Parts(none, none, none, none, none))


def list_of(user_id: int, *, limit: int, after: str) -> OrderList:
    """The user's orders, newest first, in three statements."""
    with db.reading() as tx:
        rows = q.orders.list_of_user(tx, user_id=user_id, after_id=_read_after(after), limit=limit + 1)
        total = q.orders.count_of_user(tx, user_id=user_id)
        page = rows[:limit]
        items = _by_order(q.orders.list_items(tx, order_ids=[row["id"] for row in page]))
    return {"items": [_summary(row, items[row["id"]]) for row in page], "next": str(page[-1]["id"]) if len(rows) > limit else None, "total": total}


def list_in_full(order_ids: list[int]) -> list[Order]:
    """Orders in full, the newest first, for the export of their buyer. Nothing in them opens one."""
    found: list[Order] = []
    newest_first = sorted(order_ids, reverse=True)
    with db.reading() as tx:
        shop = settings.shop(tx)
        while newest_first:
            ids, newest_first = newest_first[:PAGE], newest_first[PAGE:]
            rows = [row | {"by_guest": False} for row in q.orders.list_by_ids(tx, order_ids=ids)]
            items = _by_order(q.orders.list_items(tx, order_ids=ids))
            events = _by_order(q.orders.list_events(tx, order_ids=ids))
            parts = _parts(tx, rows, shop)
            found += [_order(row, items[row["id"]], events[row["id"]], shop, parts) for row in rows]
    return found


@dataclass(frozen=True)
class _Parts:
    """What came of some orders, each by the order's id."""

    shipments: dict[int, list[Row]]
    returns: dict[int, list[Row]]
    refunds: dict[int, list[Row]]
    documents: dict[int, list[Row]]
    pages: dict[int, list[Row]]  # where they can be paid, the newest last


def _parts(tx: Tx, rows: list[Row], shop: dict[str, Any]) -> _Parts:
    """Parcels, returns and refunds; only those are asked for of which there can be any."""
    sent = [row["id"] for row in rows if row["fulfilment_status"] != "unfulfilled"]
    refunded = [row["id"] for row in rows if row["payment_status"] in ("partly_refunded", "refunded")]
    charged = [row["id"] for row in rows if row["payment_status"] != "unpaid" or row["fulfilment_status"] != "unfulfilled"]
    unpaid = [row["id"] for row in rows if can_resume(row)]
    return _Parts(
        _by_order(q.shipments.list_of(tx, order_ids=sent, return_days=shop["return_days"]) if sent else []),
        _by_order(q.returns.list_of(tx, order_ids=sent) if sent else []),
        _by_order(q.refunds.list_of(tx, order_ids=refunded) if refunded else []),
        _by_order(q.invoices.list_of(tx, order_ids=charged) if charged else []),
        _by_order(q.payments.list_pages(tx, order_ids=unpaid) if unpaid else []),
    )


def _by_order(rows: list[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["order_id"]].append(row)
    return found


def _read_after(after: str) -> int | None:
    if not after:
        return None
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise Invalid(after="This is no `next` of this list.")
    return int(after)


def hold(tx: Tx, number: str) -> Row:
    """The order with its row held: whoever changes an order after it was placed does this first, so that all such acts stand in line."""
    row: Row | None = q.orders.hold(tx, number=number) if number.isascii() else None
    if row is None:
        raise NotFound("There is no such order.")
    return row


def step(tx: Tx, order: Row, state: str, to: str, *, actor_id: int | None) -> None:
    """Move one of the three states of an order that is held along its table, with the event that tells of it."""
    if to not in TABLES[state][order[state]]:
        raise Conflict(f"An order that is {order[state].replace('_', ' ')} cannot become {to.replace('_', ' ')}.")
    order[state] = to
    q.orders.set_states(tx, order_id=order["id"], status=order["status"], payment_status=order["payment_status"], fulfilment_status=order["fulfilment_status"])
    q.orders.add_event(tx, order_id=order["id"], kind=to, actor_id=actor_id)


def follow_up(tx: Tx, order_id: int, *, actor_id: int | None = None) -> None:
    """Bring an order's states to what came of it; to be called, while its row is held, after parcels, payments and refunds.

    What is sent, delivered and paid is completed; so is what was refunded whole, or has nothing that could be sent.
    """
    order = q.orders.get_by_id(tx, order_id=order_id)
    if order["status"] != "placed":
        return
    sending = q.orders.get_sending(tx, order_id=order_id)
    arrived = not sending["on_the_way"]
    if sending["sent"] and order["fulfilment_status"] in ("unfulfilled", "partly_shipped"):
        reached = "partly_shipped" if sending["sent"] < sending["wanted"] else "shipped"
        if reached != order["fulfilment_status"]:
            step(tx, order, "fulfilment_status", reached, actor_id=actor_id)
    if order["fulfilment_status"] == "shipped" and arrived:
        step(tx, order, "fulfilment_status", "delivered", actor_id=actor_id)
    nothing_to_send = sending["sent"] == sending["wanted"] and arrived
    if order["payment_status"] != "unpaid" and nothing_to_send:
        step(tx, order, "status", "completed", actor_id=actor_id)


def settle(tx: Tx, order_id: int) -> None:
    """Note a new order as paid with which nothing is left to pay: a gift card or a coupon paid it all."""
    step(tx, q.orders.get_by_id(tx, order_id=order_id), "payment_status", "paid", actor_id=None)


def expire_due() -> int:
    """Let orders that were not paid in time expire, each in its own transaction; their goods go back. Gives their number."""
    with db.reading() as tx:
        due = [row["id"] for row in q.orders.list_overdue(tx)]
    return sum(db.transaction(_expire, order_id) for order_id in due)


def _expire(tx: Tx, order_id: int) -> int:
    if not q.orders.expire(tx, order_id=order_id):
        return 0
    promotions.release(tx, order_id)
    gift_cards.release(tx, order_id)
    stock.put_back(tx, order_id, reason="expired", actor_id=None)
    q.orders.add_event(tx, order_id=order_id, kind="expired", actor_id=None)
    announce(tx, order_id, "order_expired")
    return 1


def email_of(tx: Tx, user_id: int | None) -> str:
    account = q.sessions.get_account(tx, user_id=user_id)
    if account is None:
        # Erased since the request looked who is signed in.
        raise SignInRequired()
    return str(account["email"])


def token_of(number: str) -> str:
    """What opens an order that was placed as a guest: derived, not stored, so that a repeated answer and a later mail carry the same one."""
    return base64.urlsafe_b64encode(security.sign("order", number)[:18]).decode()


def announce(tx: Tx, order_id: int, template: str, *, invoice_id: int | None = None, **more: Any) -> None:
    """Put the mail about an order's step into the outbox, in the transaction of that step. `more` is what this template needs beside."""
    row = q.orders.get_by_id(tx, order_id=order_id)
    if not row["email"]:
        # Its buyer was erased; there is nobody to tell.
        return
    items = q.orders.list_items(tx, order_ids=[order_id])
    mail.enqueue(tx, template, row["email"], mail_data(row, items, settings.shop(tx)) | more, order_id=order_id, invoice_id=invoice_id)


def mail_data(row: Row, items: list[Row], shop: dict[str, Any]) -> dict[str, Any]:
    def amount(minor: int) -> str:
        return money.in_words(minor, row["currency"])

    return {
        "number": row["number"],
        "name": row["name"],
        "path": path_of(row),
        "items": [{"title": item["title"], "options": item["options"], "quantity": item["quantity"], "line": amount(item["line_minor"])} for item in items],
        "totals": [
            {"label": step["text"], "amount": amount(step["amount_minor"]), "strong": step["step"] == "total"} for step in orjson.loads(row["explanation"])
        ],
        "address": address_lines(row),
        "payment_note": instructions(row, shop),
    }


def path_of(row: Row) -> str:
    path = f"/orders/{row['number']}"
    return f"{path}?token={token_of(row['number'])}" if row["by_guest"] else path


def address_lines(row: Row) -> list[str]:
    town = " ".join(part for part in (row["postcode"], row["city"]) if part)
    country = settings.COUNTRIES.get(row["country"], row["country"])
    return [line for line in (row["name"], row["line1"], row["line2"], town, row["region"], country) if line]


def instructions(row: Row, shop: dict[str, Any]) -> str:
    amount = money.in_words(row["due_minor"], row["currency"])
    if row["due_minor"] == 0:
        return "Nothing is left to pay."
    if row["payment_method"] == "cash_on_delivery":
        return f"Please have {amount} ready when the parcel arrives."
    if row["payment_method"] == "test":
        return f"{amount} is paid with a test payment. No money moves."
    if row["payment_method"] == "stripe":
        end = f" by {row['pay_by']:%H:%M} UTC" if row["pay_by"] else ""
        return f"Please pay {amount} by card{end}. We hold the goods for you until then."
    account = f" to {shop['bank_account']}" if shop["bank_account"] else ""
    until = f" by {row['pay_by']:%d %B %Y}" if row["pay_by"] else ""
    return f"Please transfer {amount}{account}{until} and give {row['number']} as the reference. We hold the goods for you until then."


def own(tx: Tx, number: str, user_id: int | None, token: str | None, trusted: bool = False) -> Row:
    """The order's row for whoever may see it. Raises NotFound for anybody else."""
    # Numbers are ASCII; to compare them with anything else is an error to the database, not a no.
    row: Row | None = q.orders.get(tx, number=number) if number.isascii() else None
    if row is None:
        raise NotFound("There is no such order.")
    mine = user_id is not None and row["user_id"] == user_id
    holds_token = bool(row["by_guest"]) and token is not None and hmac.compare_digest(token.encode(), token_of(number).encode())
    if not (trusted or mine or holds_token):
        raise NotFound("There is no such order.")
    return row


def _order(row: Row, items: list[Row], events: list[Row], shop: dict[str, Any], parts: _Parts) -> Order:
    shipments, refunds, documents = parts.shipments[row["id"]], parts.refunds[row["id"]], parts.documents[row["id"]]
    address, key = f"/api/v1/orders/{row['number']}", f"?token={token_of(row['number'])}" if row["by_guest"] else ""
    may_return = any(parcel["may_return"] for parcel in shipments) and any(item["sent"] > item["sent_back"] for item in items)
    order: Order = {
        "number": row["number"],
        "status": row["status"],
        "payment_status": row["payment_status"],
        "fulfilment_status": row["fulfilment_status"],
        "email": row["email"],
        "items": [_item(item) for item in items],
        "address": {
            "name": row["name"],
            "line1": row["line1"],
            "line2": row["line2"],
            "city": row["city"],
            "region": row["region"],
            "postcode": row["postcode"],
            "country": row["country"],
            "phone": row["phone"],
        },
        "shipping_method": row["shipping_method"],
        "shipping_name": row["shipping_name"],
        "subtotal_minor": row["subtotal_minor"],
        "discount_minor": row["discount_minor"],
        "shipping_minor": row["shipping_minor"],
        "tax_minor": row["tax_minor"],
        "total_minor": row["total_minor"],
        "gift_card_minor": row["gift_card_minor"],
        "due_minor": row["due_minor"],
        "currency": row["currency"],
        "prices_include_tax": bool(row["tax_included"]),
        "coupon": row["coupon"],
        "explanation": orjson.loads(row["explanation"]),
        "note": row["note"],
        "terms_version": row["terms_version"],
        "placed_at": row["placed_at"],
        "payment": {
            "method": row["payment_method"],
            "name": settings.PAYMENT_NAMES[row["payment_method"]],
            "status": row["payment_status"],
            "instructions": instructions(row, shop) if row["status"] in CANCELLABLE else "",
            "pay_by": row["pay_by"],
            "can_resume": can_resume(row),
        },
        "events": [{"kind": event["kind"], "at": event["at"]} for event in events],
        "shipments": [_shipment(parcel) for parcel in shipments],
        "returns": [_return(one) for one in parts.returns[row["id"]]],
        "refunds": [_refund(one) for one in refunds],
        "refunded_minor": sum(one["payment_minor"] + one["gift_card_minor"] for one in refunds),
        "invoice_url": next((f"{address}/invoice.pdf{key}" for one in documents if one["kind"] == "invoice"), None),
        "credit_notes": [
            {"number": one["number"], "url": f"{address}/credit-notes/{one['number']}.pdf{key}"} for one in documents if one["kind"] == "credit_note"
        ],
        "can_cancel": can_cancel(row),
        "can_return": may_return,
        "return_by": max((parcel["return_by"] for parcel in shipments), default=None),
    }
    if pages := parts.pages[row["id"]]:
        order["payment"]["redirect_url"] = pages[-1]["redirect_url"]
    if row["by_guest"] and row["user_id"] is None:
        order["token"] = token_of(row["number"])
    return order


def can_resume(row: Row) -> bool:
    """Whether a payment online may be begun, or begun anew."""
    return bool(row["status"] == "pending" and row["payment_method"] == "stripe")


def may_be_cancelled(row: Row) -> bool:
    """Whether anybody may: before anything is sent."""
    return row["status"] in CANCELLABLE and row["fulfilment_status"] == "unfulfilled"


def can_cancel(row: Row) -> bool:
    """Whether the buyer may: what is unpaid, or was paid by what gives the money back by itself."""
    return may_be_cancelled(row) and (row["payment_status"] == "unpaid" or row["payment_method"] in REFUNDED_BY_ITSELF or not row["due_minor"])


def _shipment(row: Row) -> Shipment:
    return {
        "id": row["id"],
        "carrier": row["carrier"],
        "tracking_number": row["tracking_number"],
        "tracking_url": row["tracking_url"],
        "shipped_at": row["shipped_at"],
        "delivered_at": row["delivered_at"],
        "items": orjson.loads(row["items"]),
    }


def _return(row: Row) -> Return:
    return {
        "id": row["id"],
        "status": row["status"],
        "note": row["note"],
        "answer": row["answer"],
        "created_at": row["created_at"],
        "decided_at": row["decided_at"],
        "received_at": row["received_at"],
        "items": orjson.loads(row["items"]),
    }


def _refund(row: Row) -> Refund:
    return {
        "id": row["id"],
        "status": row["status"],
        "amount_minor": row["payment_minor"] + row["gift_card_minor"],
        "payment_minor": row["payment_minor"],
        "gift_card_minor": row["gift_card_minor"],
        "shipping_minor": row["shipping_minor"],
        "return_id": row["return_id"],
        "reason": row["reason"],
        "created_at": row["created_at"],
        "done_at": row["done_at"],
        "items": orjson.loads(row["items"]) if row["items"] else [],
    }


def _summary(row: Row, items: list[Row]) -> OrderSummary:
    return {
        "number": row["number"],
        "status": row["status"],
        "payment_status": row["payment_status"],
        "fulfilment_status": row["fulfilment_status"],
        "total_minor": row["total_minor"],
        "currency": row["currency"],
        "placed_at": row["placed_at"],
        "count": sum(item["quantity"] for item in items),
        "items": [_item(item) for item in items],
    }


def _item(item: Row) -> OrderItem:
    return {
        "id": item["id"],
        "variant_id": item["variant_id"],
        "product_id": item["product_id"],
        "slug": item["slug"],
        "title": item["title"],
        "options": item["options"],
        "sku": item["sku"],
        "quantity": item["quantity"],
        "price_minor": item["price_minor"],
        "line_minor": item["line_minor"],
        "discount_minor": item["discount_minor"],
        "tax_minor": item["tax_minor"],
        "image": media(item["image_path"], item["title"], 800, 800),
        "sent": item["sent"],
        "unsent": item["unsent"],
        "sent_back": item["sent_back"],
        "refunded": item["refunded"],
    }
