"""Orders after they are placed: reading them, cancelling them, letting unpaid ones expire."""

from __future__ import annotations

import base64
import hmac
from collections import defaultdict
from datetime import datetime
from typing import Any, NotRequired

import orjson
from typing_extensions import TypedDict

from .. import db, money, security
from ..db import Row, Tx, q
from ..errors import Conflict, Invalid, NotFound
from . import mail, promotions, settings, stock
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
CANCELLABLE = tuple(status for status, following in STEPS.items() if "cancelled" in following)


class OrderItem(TypedDict):
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
    placed_at: datetime
    payment: Payment
    events: list[OrderEvent]
    can_cancel: bool


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
        row = _own(tx, number, user_id, token, trusted)
        items = q.orders.list_items(tx, order_ids=[row["id"]])
        events = q.orders.list_events(tx, order_ids=[row["id"]])
        shop = settings.shop(tx)
    return _order(row, items, events, shop)


def list_of(user_id: int, *, limit: int, after: str) -> OrderList:
    """The user's orders, newest first, in three statements."""
    with db.reading() as tx:
        rows = q.orders.list_of_user(tx, user_id=user_id, after_id=_read_after(after), limit=limit + 1)
        total = q.orders.count_of_user(tx, user_id=user_id)
        page = rows[:limit]
        items = _by_order(q.orders.list_items(tx, order_ids=[row["id"] for row in page]))
    return {"items": [_summary(row, items[row["id"]]) for row in page], "next": str(page[-1]["id"]) if len(rows) > limit else None, "total": total}


def all_of(user_id: int) -> list[Order]:
    """Every order of the user's in full, the newest first."""
    found: list[Order] = []
    after: int | None = None
    with db.reading() as tx:
        shop = settings.shop(tx)
        while rows := q.orders.list_of_user(tx, user_id=user_id, after_id=after, limit=100):
            ids = [row["id"] for row in rows]
            items = _by_order(q.orders.list_items(tx, order_ids=ids))
            events = _by_order(q.orders.list_events(tx, order_ids=ids))
            found += [_order(row, items[row["id"]], events[row["id"]], shop) for row in rows]
            after = rows[-1]["id"]
    return found


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


def cancel(number: str, *, user_id: int | None, token: str | None) -> Order:
    """Cancel the buyer's own order and put its goods back on the shelf, once. Raises NotFound, and Conflict when it is too late."""
    db.transaction(_cancel, number, user_id, token)
    return get(number, trusted=True)


def _cancel(tx: Tx, number: str, user_id: int | None, token: str | None) -> None:
    row = _own(tx, number, user_id, token, False)
    if not q.orders.cancel(tx, order_id=row["id"], cancellable=CANCELLABLE):
        now = q.orders.get_by_id(tx, order_id=row["id"])
        state = now["status"] if now["status"] not in CANCELLABLE else now["fulfilment_status"] if now["payment_status"] == "unpaid" else "paid"
        raise Conflict(f"An order that is {state.replace('_', ' ')} cannot be cancelled here.")
    promotions.release(tx, row["id"])
    stock.put_back(tx, row["id"], reason="cancelled", actor_id=user_id)
    q.orders.add_event(tx, order_id=row["id"], kind="cancelled", actor_id=user_id)
    announce(tx, row["id"], "order_cancelled")


def expire_due() -> int:
    """Let orders that were not paid in time expire, each in its own transaction; their goods go back. Gives their number."""
    with db.reading() as tx:
        due = [row["id"] for row in q.orders.list_overdue(tx)]
    return sum(db.transaction(_expire, order_id) for order_id in due)


def _expire(tx: Tx, order_id: int) -> int:
    if not q.orders.expire(tx, order_id=order_id):
        return 0
    promotions.release(tx, order_id)
    stock.put_back(tx, order_id, reason="expired", actor_id=None)
    q.orders.add_event(tx, order_id=order_id, kind="expired", actor_id=None)
    announce(tx, order_id, "order_expired")
    return 1


def forget_old_keys() -> int:
    """Idempotency keys are promised for 30 days."""
    with db.reading() as tx:
        return int(q.orders.delete_old_keys(tx))


def email_of(tx: Tx, user_id: int | None) -> str:
    account = q.sessions.get_account(tx, user_id=user_id)
    return str(account["email"])


def token_of(number: str) -> str:
    """What opens a guest's order: derived, not stored, so that a repeated answer and a later mail carry the same one."""
    return base64.urlsafe_b64encode(security.sign("order", number)[:18]).decode()


def announce(tx: Tx, order_id: int, template: str) -> None:
    """Put the mail about an order's step into the outbox, in the transaction of that step."""
    row = q.orders.get_by_id(tx, order_id=order_id)
    if not row["email"]:
        # Its buyer was erased; there is nobody to tell.
        return
    items = q.orders.list_items(tx, order_ids=[order_id])
    mail.enqueue(tx, template, row["email"], _mail_data(row, items, settings.shop(tx)), order_id=order_id)


def _mail_data(row: Row, items: list[Row], shop: dict[str, Any]) -> dict[str, Any]:
    def amount(minor: int) -> str:
        return money.in_words(minor, row["currency"])

    return {
        "number": row["number"],
        "name": row["name"],
        "path": _path(row),
        "items": [{"title": item["title"], "options": item["options"], "quantity": item["quantity"], "line": amount(item["line_minor"])} for item in items],
        "totals": [
            {"label": step["text"], "amount": amount(step["amount_minor"]), "strong": step["step"] == "total"} for step in orjson.loads(row["explanation"])
        ],
        "address": _address_lines(row),
        "payment_note": _instructions(row, shop),
    }


def _path(row: Row) -> str:
    path = f"/orders/{row['number']}"
    return path if row["user_id"] else f"{path}?token={token_of(row['number'])}"


def _address_lines(row: Row) -> list[str]:
    town = " ".join(part for part in (row["postcode"], row["city"]) if part)
    country = settings.COUNTRIES.get(row["country"], row["country"])
    return [line for line in (row["name"], row["line1"], row["line2"], town, row["region"], country) if line]


def _instructions(row: Row, shop: dict[str, Any]) -> str:
    amount = money.in_words(row["due_minor"], row["currency"])
    if row["payment_method"] == "cash_on_delivery":
        return f"Please have {amount} ready when the parcel arrives."
    account = f" to {shop['bank_account']}" if shop["bank_account"] else ""
    until = f" by {row['pay_by']:%d %B %Y}" if row["pay_by"] else ""
    return f"Please transfer {amount}{account}{until} and give {row['number']} as the reference. We hold the goods for you until then."


def _own(tx: Tx, number: str, user_id: int | None, token: str | None, trusted: bool) -> Row:
    # Numbers are ASCII; to compare them with anything else is an error to the database, not a no.
    row: Row | None = q.orders.get(tx, number=number) if number.isascii() else None
    if row is None:
        raise NotFound("There is no such order.")
    mine = user_id is not None and row["user_id"] == user_id
    holds_token = row["user_id"] is None and token is not None and hmac.compare_digest(token.encode(), token_of(number).encode())
    if not (trusted or mine or holds_token):
        raise NotFound("There is no such order.")
    return row


def _order(row: Row, items: list[Row], events: list[Row], shop: dict[str, Any]) -> Order:
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
        "placed_at": row["placed_at"],
        "payment": {
            "method": row["payment_method"],
            "name": settings.PAYMENT_NAMES[row["payment_method"]],
            "status": row["payment_status"],
            "instructions": _instructions(row, shop) if row["status"] in CANCELLABLE else "",
            "pay_by": row["pay_by"],
        },
        "events": [{"kind": event["kind"], "at": event["at"]} for event in events],
        "can_cancel": row["status"] in CANCELLABLE and row["payment_status"] == "unpaid" and row["fulfilment_status"] == "unfulfilled",
    }
    if row["user_id"] is None:
        order["token"] = token_of(row["number"])
    return order


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
    }
