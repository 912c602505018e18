"""Invoices and credit notes: asked for in the transaction of what they are about, issued by a job, then never changed again.

Each kind has its own numbers without a gap: a number is taken and its document written in one transaction, under the counter's row.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from .. import db, money
from ..db import Row, Tx, q
from ..errors import Conflict, NotFound
from . import bell, invoice_drawing, mail, orders, settings
from .invoice_drawing import Document, Line, TaxRow, Total

log = logging.getLogger("shop.invoices")

BATCH = 50
PREFIXES = {"invoice": "INV", "credit_note": "CN"}


def request(tx: Tx, order_id: int) -> None:
    """Ask for the order's invoice: when it is paid, or sent before that. There will be one, however often it is asked for."""
    q.invoices.request(tx, order_id=order_id)
    bell.ring(tx)


def tell_paid(tx: Tx, order_id: int) -> bool:
    """Have the mail that the money is there come with the invoice. False for an order that was sent, and so billed, before it was paid."""
    if q.invoices.get_number(tx, kind="invoice", order_id=order_id, refund_id=None) is not None:
        return False
    request(tx, order_id)
    return True


def request_credit_note(tx: Tx, refund_id: int) -> None:
    """Ask for the credit note of a refund."""
    q.invoices.request_credit_note(tx, refund_id=refund_id)
    bell.ring(tx)


def any_requested() -> bool:
    with db.reading() as tx:
        return bool(q.invoices.list_requests(tx, most=1))


def issue_due() -> int:
    """Issue what is asked for, each document in its own transaction; gives their number. What fails is tried again with the next run."""
    with db.reading() as tx:
        requests = [row["id"] for row in q.invoices.list_requests(tx, most=BATCH)]
    issued = 0
    for request_id in requests:
        try:
            issued += db.transaction(_issue, request_id)
        except Exception:
            # One document that cannot be made must not keep the others waiting.
            log.exception("invoice not issued", extra={"request": request_id})
    return issued


def _issue(tx: Tx, request_id: int) -> int:
    asked = q.invoices.get_request(tx, request_id=request_id)
    if asked is None:
        return 0
    kind = "credit_note" if asked["refund_id"] else "invoice"
    counter = _counter(tx, kind)
    q.invoices.drop_request(tx, request_id=request_id)
    if q.invoices.get_number(tx, kind=kind, order_id=asked["order_id"], refund_id=asked["refund_id"]) is not None:
        return 0
    number, today = counter["value"] + 1, counter["today"]
    order, shop = q.orders.get_by_id(tx, order_id=asked["order_id"]), settings.shop(tx)
    words = _credit_note(tx, order, shop, number, today, asked["refund_id"]) if asked["refund_id"] else _invoice(tx, order, shop, number, today)
    content = invoice_drawing.draw(words)
    fields = {"order_id": order["id"], "refund_id": asked["refund_id"], "issued_at": today, "sha256": hashlib.sha256(content).hexdigest()}
    invoice_id: int = q.invoices.add(tx, kind=kind, number=number, document=content, **fields)
    q.invoices.count(tx, kind=kind, number=number)
    if kind == "invoice" and order["payment_status"] != "unpaid" and order["due_minor"]:
        orders.announce(tx, order["id"], "order_paid", invoice_id=invoice_id, amount=money.in_words(order["due_minor"], order["currency"]))
    elif order["email"]:
        _mail(tx, kind, order, words.number, invoice_id)
    return 1


def mail_again(tx: Tx, order_id: int) -> None:
    """Mail the order's invoice once more. Raises Conflict when there is none yet, or nobody to mail it to."""
    order, issued = q.orders.get_by_id(tx, order_id=order_id), q.invoices.find_issued(tx, order_id=order_id)
    if issued is None or not order["email"]:
        raise Conflict("There is no invoice of this order yet.")
    _mail(tx, "invoice", order, shown("invoice", issued["number"]), issued["id"])


def _mail(tx: Tx, kind: str, order: Row, number: str, invoice_id: int) -> None:
    data = {"name": order["name"], "number": order["number"], "document": number, "path": orders.path_of(order)}
    mail.enqueue(tx, kind, order["email"], data, order_id=order["id"], invoice_id=invoice_id)


def _counter(tx: Tx, kind: str) -> Row:
    found: Row | None = q.invoices.lock_counter(tx, kind=kind)
    if found is None:
        q.invoices.start_counter(tx, kind=kind)
        found = q.invoices.lock_counter(tx, kind=kind)
    assert found is not None
    return found


def shown(kind: str, number: int) -> str:
    """A document's number as people read it."""
    return f"{PREFIXES[kind]}-{number:05d}"


def get(order_number: str, *, user_id: int | None, token: str | None, staff: bool, credit_note: int | None = None) -> tuple[str, bytes]:
    """The name and the bytes of an order's invoice, or of one of its credit notes, for whoever may see the order. Raises NotFound."""
    kind = "invoice" if credit_note is None else "credit_note"
    with db.reading() as tx:
        order = orders.own(tx, order_number, user_id, token, staff)
        row = q.invoices.get_document(tx, order_id=order["id"], kind=kind, number=credit_note)
    if row is None:
        raise NotFound("There is no such document.")
    return f"{shown(row['kind'], row['number'])}.pdf", bytes(row["document"])


# ---------------------------------------------------------------- what a document says


def _invoice(tx: Tx, order: Row, shop: dict[str, Any], number: int, today: datetime) -> Document:
    items = q.orders.list_items(tx, order_ids=[order["id"]])
    paid_at = q.invoices.get_paid_at(tx, order_id=order["id"])
    steps = orjson.loads(order["explanation"])
    return Document(
        title="Invoice",
        number=shown("invoice", number),
        shop=shop["name"],
        seller=_seller(shop),
        facts=(("Number", shown("invoice", number)), ("Date", _day(today)), ("Order", order["number"]), ("Ordered on", _day(order["placed_at"]))),
        parties=(("Billed and sent to", tuple(orders.address_lines(order))), ("Payment", _payment(order, paid_at, shop))),
        currency=order["currency"],
        lines=tuple(_line(item, order["currency"]) for item in items),
        totals=tuple(_totals(order, steps, paid=order["payment_status"] != "unpaid")),
        taxes=_tax_rows(order, items, steps),
        notes=_notes(order, shop),
    )


def _line(item: Row, currency: str) -> Line:
    details = [" · ".join(part for part in (item["options"], item["sku"]) if part)]
    if item["discount_minor"]:
        details.append(f"Discount of {money.decimal(item['discount_minor'], currency)}, taken off below")
    return Line(item["title"], tuple(part for part in details if part), item["quantity"], item["price_minor"], item["tax_rate_bp"], item["line_minor"])


def _totals(order: Row, steps: list[Row], *, paid: bool) -> Iterable[Total]:
    yield Total("Goods", order["subtotal_minor"])
    yield from (Total(step["text"], step["amount_minor"]) for step in steps if step["step"] == "discount")
    yield Total(order["shipping_name"], order["shipping_minor"])
    yield from (Total(step["text"], step["amount_minor"]) for step in steps if step["step"] == "tax")
    yield Total("Total", order["total_minor"], strong=True)
    if order["gift_card_minor"]:
        yield Total("Paid by gift card", -order["gift_card_minor"])
    if paid and order["due_minor"]:
        yield Total(settings.PAYMENT_NAMES.get(order["payment_method"], "Payment"), -order["due_minor"])
    yield Total("Left to pay" if paid else "To pay", 0 if paid else order["due_minor"], closes=True)


def _tax_rows(order: Row, items: list[Row], steps: list[Row]) -> tuple[TaxRow, ...]:
    """By rate, what it was reckoned on and what it came to. Delivery is taxed at the rate whose sum its lines alone do not explain."""
    told = {_rate_in(step["text"]): step["amount_minor"] for step in steps if step["step"] in ("tax", "tax_included")}
    amounts: dict[int, int] = {}
    taxes: dict[int, int] = {}
    for item in items:
        amounts[item["tax_rate_bp"]] = amounts.get(item["tax_rate_bp"], 0) + item["line_minor"] - item["discount_minor"]
        taxes[item["tax_rate_bp"]] = taxes.get(item["tax_rate_bp"], 0) + item["tax_minor"]
    if order["shipping_minor"]:
        rate = next((rate for rate, amount in told.items() if amount != taxes.get(rate, 0)), 0)
        amounts[rate] = amounts.get(rate, 0) + order["shipping_minor"]
    taxes |= told
    return tuple(TaxRow(rate, amounts[rate] - (taxes.get(rate, 0) if order["tax_included"] else 0), taxes.get(rate, 0)) for rate in sorted(amounts))


def _rate_in(text: str) -> int:
    """`of which tax 7.5 %` → 750."""
    found = re.search(r"(\d+)(?:\.(\d{1,2}))? %$", text)
    assert found is not None
    return int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))


def _credit_note(tx: Tx, order: Row, shop: dict[str, Any], number: int, today: datetime, refund_id: int) -> Document:
    refund = q.invoices.get_refund(tx, refund_id=refund_id)
    items = q.invoices.list_refunded(tx, refund_id=refund_id)
    invoice = q.invoices.get_number(tx, kind="invoice", order_id=order["id"], refund_id=None)
    lines = [_refunded_line(item) for item in items]
    if refund["shipping_minor"]:
        lines.append(Line(order["shipping_name"], (), 1, None, _delivery_rate(tx, order), refund["shipping_minor"]))
    total = refund["payment_minor"] + refund["gift_card_minor"]
    rest = [Total("Back onto the gift card", refund["gift_card_minor"])] if refund["gift_card_minor"] else []
    rest += [Total(f"Back by {_method(order).lower()}", refund["payment_minor"])] if refund["payment_minor"] else []
    of = ("Of invoice", shown("invoice", invoice)) if invoice else ("Ordered on", _day(order["placed_at"]))
    return Document(
        title="Credit note",
        number=shown("credit_note", number),
        shop=shop["name"],
        seller=_seller(shop),
        facts=(("Number", shown("credit_note", number)), ("Date", _day(today)), ("Order", order["number"]), of),
        parties=(("For", tuple(orders.address_lines(order))), ("Reason", (refund["reason"] or "Refund",))),
        currency=order["currency"],
        lines=tuple(lines),
        totals=(Total("Amounts with tax", total), *rest, Total("Credited", total, closes=True)),
        taxes=_refunded_taxes(lines),
        notes=(shop["invoice_note"],) if shop["invoice_note"] else (),
    )


def _refunded_line(item: Row) -> Line:
    details = " · ".join(part for part in (item["options"], item["sku"]) if part)
    return Line(item["title"], (details,) if details else (), item["quantity"], None, item["tax_rate_bp"], item["amount_minor"])


def _delivery_rate(tx: Tx, order: Row) -> int:
    """The rate of the order's delivery, as its invoice has it."""
    items, steps = q.orders.list_items(tx, order_ids=[order["id"]]), orjson.loads(order["explanation"])
    told = {_rate_in(step["text"]): step["amount_minor"] for step in steps if step["step"] in ("tax", "tax_included")}
    return next((rate for rate, amount in told.items() if amount != sum(item["tax_minor"] for item in items if item["tax_rate_bp"] == rate)), 0)


def _refunded_taxes(lines: list[Line]) -> tuple[TaxRow, ...]:
    amounts: dict[int, int] = {}
    for line in lines:
        amounts[line.tax_rate_bp] = amounts.get(line.tax_rate_bp, 0) + line.amount_minor
    rows = ((rate, amount, money.tax_within(amount, rate)) for rate, amount in sorted(amounts.items()))
    return tuple(TaxRow(rate, amount - tax, tax) for rate, amount, tax in rows)


def _seller(shop: dict[str, Any]) -> tuple[str, ...]:
    seller = shop["seller"]
    town = " ".join(part for part in (seller["postcode"], seller["city"]) if part)
    country = settings.COUNTRIES.get(seller["country"], seller["country"])
    number = f"Tax number {shop['tax_number']}" if shop["tax_number"] else ""
    return tuple(line for line in (seller["name"], seller["line1"], seller["line2"], town, country, seller["email"], number) if line)


def _method(order: Row) -> str:
    return str(settings.PAYMENT_NAMES.get(order["payment_method"], order["payment_method"].replace("_", " ").capitalize()))


def _payment(order: Row, paid_at: datetime | None, shop: dict[str, Any]) -> tuple[str, ...]:
    if order["payment_status"] != "unpaid":
        how = _method(order) if order["due_minor"] else "Gift card" if order["gift_card_minor"] else "Nothing to pay"
        return (how, f"Paid on {_day(paid_at)}" if paid_at else "Paid")
    return (_method(order), orders.instructions(order, shop))


def _notes(order: Row, shop: dict[str, Any]) -> tuple[str, ...]:
    tax = "All prices include tax." if order["tax_included"] else "Tax is added to the prices."
    card = "A gift card pays for goods like money does; tax is reckoned on the goods." if order["gift_card_minor"] else ""
    told = (tax, card, shop["invoice_note"], "Thank you for your order.")
    return tuple(words for words in told if words)


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
