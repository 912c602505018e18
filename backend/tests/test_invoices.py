"""Invoices and credit notes: numbered without a gap, saying what the order says, and the same bytes for ever."""

from __future__ import annotations

import email as mails
import hashlib
import re
from collections.abc import Callable
from email import policy
from io import BytesIO
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User
from pypdf import PdfReader
from test_accounts import at_once, change, rows
from test_promotions import put
from test_users import act_as

from app import db
from app.config import Settings
from app.services import gift_cards, invoice_drawing, invoices, mail
from app.services.invoice_drawing import Document, Line, TaxRow, Total

SELLER = {
    "name": "Wren & Daughters",
    "line1": "Nowy Świat 1",
    "line2": "",
    "city": "Łódź",
    "postcode": "90-001",
    "country": "PL",
    "email": "hello@wren.example",
}
BUYER = {"name": "Łucja Ωmega", "line1": "ul. Żółwia 5", "city": "Gdańsk", "postcode": "80-001", "country": "PL"}
Order = dict[str, Any]


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    return act_as(new_client(), ada)


@pytest.fixture
def owner(shop: Any) -> None:
    put("seller", SELLER)
    put("tax_number", "PL 123-456-78-90")
    put("invoice_note", "Returns are free within 14 days.")


def card(desk: ShopClient, amount_minor: int) -> str:
    number = len(rows("SELECT id FROM gift_cards"))
    desk.post("/api/v1/admin/gift-cards", json={"amount_minor": amount_minor, "email": "friend@example.com"}, headers={"Idempotency-Key": f"card {number}"})
    data = rows("SELECT data FROM mails WHERE template = 'gift_card' ORDER BY id DESC")[0][0]
    return str(re.findall(r"(?:[A-Z0-9]{4}-){4}[A-Z0-9]{4}", data)[0])


def buy(client: ShopClient, desk: ShopClient, *variants: int, email: str | None = "guest@example.com") -> Order:
    """An order that is paid at once, by gift card."""
    for variant in variants:
        client.add(variant)
    answer = client.order(email=email, gift_card=card(desk, 100_000))
    assert answer.status_code == 201, answer.json
    return dict(answer.json)


def sent_unpaid(client: ShopClient, desk: ShopClient, variant: int, **more: Any) -> Order:
    client.add(variant, 2)
    order: Order = client.order(email="guest@example.com", **more).json
    answer = desk.post(f"/api/v1/admin/orders/{order['number']}/shipments", json={"items": None}, headers={"Idempotency-Key": order["number"]})
    assert answer.status_code in (200, 201), answer.json
    return order


def link(order: Order, what: str = "invoice.pdf") -> str:
    return f"/api/v1/orders/{order['number']}/{what}?token={order['token']}"


def words(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages)


def documents() -> list[tuple[str, int]]:
    return rows("SELECT kind, number FROM invoices ORDER BY id")  # type: ignore[return-value]


# ---------------------------------------------------------------- what it says


@pytest.mark.parametrize("inclusive", [True, False])
def test_an_invoice_says_what_the_order_says(client: ShopClient, desk: ShopClient, owner: None, inclusive: bool) -> None:
    put("prices_include_tax", inclusive)
    put("tax_rates", {"PL": {"standard": 2300, "reduced": 550}})
    desk.post("/api/v1/admin/coupons", json={"code": "TEN", "name": "Ten off", "kind": "percent", "value": 1000})
    vase = factories.product("Wazon Łąka", price_minor=123_456, variants=[{"sku": "VASE-1"}])
    book = factories.product("Βιβλίο Ω", price_minor=1999)
    change("UPDATE products SET tax_class = 'reduced' WHERE id = %s", book.id)
    client.add(book.variant, 3)
    client.add(vase.variant)
    order = client.order(
        email="lucja@example.com", address=BUYER, coupon="ten", gift_card=card(desk, 2_000), shipping_method="express", payment_method="bank_transfer"
    ).json
    factories.paid(order["number"])
    db.transaction(lambda tx: invoices.request(tx, rows("SELECT id FROM orders")[0][0]))
    assert invoices.issue_due() == 1

    answer = client.get(link(order))
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert answer.headers["Content-Disposition"] == 'inline; filename="INV-00001.pdf"'
    text = words(answer.data)
    for said in (
        "INV-00001",
        order["number"],
        "Łódź",
        "PL 123-456-78-90",
        "Łucja Ωmega",
        "ul. Żółwia 5",
        "Gdańsk",
        "Poland",
        "Wazon Łąka",
        "Βιβλίο Ω",
        "VASE-1",
    ):
        assert said in text
    assert "?" not in text
    for minor in [item["line_minor"] for item in order["items"]] + [abs(step["amount_minor"]) for step in order["explanation"]]:
        assert f"{minor / 100:,.2f}" in text, minor
    for percent in ("23 %", "5.5 %"):
        assert percent in text
    assert f"Paid by gift card\n−{2000 / 100:.2f}" in text and "EUR 0.00" in text and "Bank transfer" in text
    gross = [row.gross_minor for row in _taxes()]
    assert sum(gross) == order["total_minor"]
    assert sum(row.tax_minor for row in _taxes()) == order["tax_minor"]


def _taxes() -> tuple[TaxRow, ...]:
    """The table of taxes as the invoice of the only order has it."""
    with db.reading() as tx:
        order = invoices.q.orders.get_by_id(tx, order_id=rows("SELECT id FROM orders")[0][0])
        items = invoices.q.orders.list_items(tx, order_ids=[order["id"]])
    return invoices._tax_rows(order, items, invoices.orjson.loads(order["explanation"]))


def test_an_order_that_is_sent_before_it_is_paid_has_an_invoice_that_asks_for_the_money(client: ShopClient, desk: ShopClient, owner: None, mug: Thing) -> None:
    order = sent_unpaid(client, desk, mug.variant)
    assert invoices.issue_due() == 1
    text = words(client.get(link(order)).data)
    assert "To pay" in text and "EUR 40.90" in text and "ready when the parcel arrives" in text
    assert "All prices include tax." in text and "Returns are free within 14 days." in text


def drawn(lines: int, title: str = "Mug") -> tuple[bytes, Document]:
    made = tuple(Line(f"{title} {i}", ("Colour: Slate",), 1, 100, 2000, 100) for i in range(lines))
    totals = (Total("Total", 100 * lines, strong=True), Total("To pay", 100 * lines, closes=True))
    document = Document("Invoice", "INV-00007", "Wren", ("Wren",), (("Number", "INV-00007"),), (("For", ("Alice",)),), "EUR", made, totals, (), ("Thanks.",))
    return invoice_drawing.draw(document), document


def test_many_lines_go_on_over_pages_that_say_which_they_are() -> None:
    content, _ = drawn(60)
    pages = [page.extract_text() for page in PdfReader(BytesIO(content)).pages]
    assert len(pages) > 1
    for number, page in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in page and "INV-00007" in page
    text = "\n".join(pages)
    assert [i for i in range(60) if f"Mug {i}\n" not in text] == []
    assert "60.00" in pages[-1]


def test_a_long_title_is_broken_into_lines_and_what_no_letter_stands_for_is_a_question_mark() -> None:
    content, _ = drawn(1, "Wool throw with fringes woven on a narrow loom in the valley where the sheep graze 日本 🎁")
    text = words(content)
    assert "?? ?" in text and "where the sheep graze" in " ".join(text.split())


def test_the_same_document_is_drawn_in_the_same_bytes() -> None:
    assert drawn(3)[0] == drawn(3)[0]


# ---------------------------------------------------------------- its number and its bytes


def test_eight_threads_issue_twenty_invoices_without_a_gap(new_client: Callable[[], ShopClient], desk: ShopClient, owner: None) -> None:
    thing = factories.product(stock=50)
    emails = [f"guest{number}@example.com" for number in range(10)]
    orders = [buy(new_client(), desk, thing.variant, email=email) for email in emails]
    ids = dict(rows("SELECT number, id FROM orders"))
    for order in orders:
        db.transaction(invoices.request, ids[order["number"]])
    assert sum(at_once(8, lambda _: invoices.issue_due())) == 10
    assert sorted(documents()) == [("invoice", number) for number in range(1, 11)]
    assert rows("SELECT COUNT(*) FROM invoice_requests") == [(0,)]


def test_an_attempt_that_was_rolled_back_leaves_no_gap(
    client: ShopClient, new_client: Callable[[], ShopClient], desk: ShopClient, owner: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    thing = factories.product(stock=50)
    buy(client, desk, thing.variant)
    buy(new_client(), desk, thing.variant)
    draw = invoice_drawing.draw
    tries: list[str] = []

    def torn(document: Document) -> bytes:
        tries.append(document.number)
        if len(tries) == 1:
            raise RuntimeError("the pencil broke")
        return draw(document)

    monkeypatch.setattr(invoice_drawing, "draw", torn)
    assert invoices.issue_due() == 1
    assert invoices.issue_due() == 1
    assert tries == ["INV-00001", "INV-00001", "INV-00002"]
    assert documents() == [("invoice", 1), ("invoice", 2)]


def test_what_was_issued_never_changes(client: ShopClient, desk: ShopClient, owner: None, mug: Thing) -> None:
    order = buy(client, desk, mug.variant)
    invoices.issue_due()
    first = client.get(link(order)).data
    put("seller", SELLER | {"name": "Somebody else"})
    change("UPDATE orders SET name = 'erased'")
    db.transaction(invoices.request, rows("SELECT id FROM orders")[0][0])
    assert invoices.issue_due() == 0
    assert client.get(link(order)).data == first
    assert rows("SELECT sha256 FROM invoices") == [(hashlib.sha256(first).hexdigest(),)]


# ---------------------------------------------------------------- who gets it


def test_the_invoice_comes_by_mail_and_is_told_with_the_order(client: ShopClient, desk: ShopClient, owner: None, mug: Thing, app_settings: Settings) -> None:
    order = buy(client, desk, mug.variant)
    path = f"/api/v1/orders/{order['number']}?token={order['token']}"
    assert client.get(path).json["invoice_url"] is None
    invoices.issue_due()
    told = client.get(path).json["invoice_url"]
    content = client.get(told).data
    mail.deliver_due(app_settings)
    [file] = (app_settings.var / "mail").glob("*-invoice.eml")
    message = mails.message_from_bytes(file.read_bytes(), policy=policy.default)
    [attached] = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("invoice-1.pdf", "application/pdf")
    assert attached.get_content() == content
    assert "INV-00001" in str(message["Subject"])
    [written] = [one for one in mail.list_written(app_settings.var) if one["name"] == file.name]
    assert "INV-00001" in written["text"] and "INV-00001" in written["html"]
    for one in (app_settings.var / "mail").glob("*.eml"):
        one.unlink()


@pytest.mark.parametrize(("sent_first", "told"), [(False, ["order_paid"]), (True, ["invoice", "order_paid"])])
def test_the_mail_that_the_money_is_there_brings_the_invoice_unless_the_parcel_did(
    client: ShopClient, desk: ShopClient, owner: None, mug: Thing, sent_first: bool, told: list[str]
) -> None:
    if sent_first:
        number, due = sent_unpaid(client, desk, mug.variant)["number"], 4090
        invoices.issue_due()
    else:
        client.add(mug.variant)
        number, due = client.order(email="guest@example.com", payment_method="bank_transfer").json["number"], 2290
    paid = desk.post(f"/api/v1/admin/orders/{number}/payments", json={"amount_minor": due}, headers={"Idempotency-Key": "one"})
    assert paid.status_code < 300, paid.json
    invoices.issue_due()
    found = rows("SELECT template, invoice_id IS NOT NULL FROM mails WHERE template IN ('invoice', 'order_paid') ORDER BY id")
    assert [template for template, _ in found] == told
    assert found[0][1] == 1
    assert documents() == [("invoice", 1)]


def test_nobody_else_gets_the_invoice(
    client: ShopClient, new_client: Callable[[], ShopClient], desk: ShopClient, owner: None, alice: User, bob: User, mug: Thing
) -> None:
    order = buy(client.as_(alice), desk, mug.variant, email=None)
    path = f"/api/v1/orders/{order['number']}/invoice.pdf"
    assert client.get(path).status_code == 404, "there is none yet"
    invoices.issue_due()
    assert client.get(path).status_code == desk.get(path).status_code == 200
    assert new_client().as_(factories.user("sam", role="staff")).get(path).status_code == 200
    for stranger in (new_client(), new_client().as_(bob)):
        for address in (path, f"{path}?token=wrong", f"{path}?token={invoices.orders.token_of(order['number'])}"):
            assert stranger.get(address).status_code == 404
    assert client.get("/api/v1/orders/FC-AAAAAAAA/invoice.pdf").status_code == 404
    assert client.get(f"/api/v1/orders/{order['number']}/credit-notes/1.pdf").status_code == 404


# ---------------------------------------------------------------- credit notes


def test_a_refund_has_its_credit_note(client: ShopClient, desk: ShopClient, owner: None) -> None:
    thing = factories.product("Lamp", stock=9, price_minor=1200)
    client.add(thing.variant, 3)
    order = buy(client, desk)
    invoices.issue_due()
    item_id = rows("SELECT id FROM order_items")[0][0]
    body = {"items": [{"item_id": item_id, "quantity": 2}], "shipping_minor": 490, "reason": "Broken on the way"}
    answer = desk.post(f"/api/v1/admin/orders/{order['number']}/refunds", json=body, headers={"Idempotency-Key": "one"})
    assert answer.status_code in (200, 201), answer.json
    assert invoices.issue_due() == 1
    assert documents() == [("invoice", 1), ("credit_note", 1)]
    [note] = client.get(f"/api/v1/orders/{order['number']}?token={order['token']}").json["credit_notes"]
    text = words(client.get(note["url"]).data)
    for said in ("CN-00001", "INV-00001", order["number"], "Lamp", "24.00", "4.90", "EUR 28.90", "Back onto the gift card", "Broken on the way", "20 %"):
        assert said in text
    assert "4.82" in text, "the tax that is within it: 4.00 and 0.82"


def test_a_gift_card_on_an_invoice_is_money_and_not_taxed(client: ShopClient, desk: ShopClient, owner: None, mug: Thing) -> None:
    thing = factories.product("Gift card", price_minor=2500)
    change("UPDATE products SET gift_card = TRUE WHERE id = %s", thing.id)
    client.add(thing.variant)
    order = sent_unpaid(client, desk, mug.variant)
    invoices.issue_due()
    text = words(client.get(link(order)).data)
    assert "0 %" in text and "25.00" in text
    assert gift_cards.UNKNOWN not in text
