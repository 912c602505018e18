"""Gift cards, from the mail to the last cent, and the invoice that tells of it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from playwright.sync_api import expect
from shop import Shop
from shopper import PASSWORD, Shopper, euros, somebody
from test_accessibility import Inspector

NewShopper = Callable[..., Shopper]


def given_card(new_shopper: NewShopper, shop: Shop, amount_minor: int) -> str:
    """An admin gives somebody a card; its code as the mail tells it."""
    admin, friend = new_shopper(at=shop), somebody("friend")
    shop.promote(admin.register("owner").username, role="admin")
    proved = admin.context.request.post("/api/v1/auth/step-up", data={"password": PASSWORD})
    assert proved.ok, proved.text()
    answer = admin.context.request.post(
        "/api/v1/admin/gift-cards", data={"amount_minor": amount_minor, "email": friend.email}, headers={"Idempotency-Key": uuid.uuid4().hex}
    )
    assert answer.ok, answer.text()
    text = admin.mail_to(friend.email, "gift card").get_body(("plain",)).get_content()  # type: ignore[union-attr]
    return str(re.findall(r"(?:[A-Z0-9]{4}-){4}[A-Z0-9]{4}", text)[0])


def test_a_card_pays_an_order_and_keeps_the_rest(new_shopper: NewShopper, own_shop: Shop) -> None:
    code, shopper = given_card(new_shopper, own_shop, 50_000), new_shopper(at=own_shop)
    shopper.has_in_cart(shopper.something())
    shopper.visit("/checkout")
    shopper.fill_address(email=somebody("guest").email)
    shopper.main.get_by_text("Gift card", exact=True).click()
    shopper.field("The code of your gift card").fill("AAAA-BBBB")
    shopper.main.locator("[data-apply-card]").click()
    shopper.sees("This gift card is not valid, or nothing is left on it.")
    shopper.field("The code of your gift card").fill(code.lower())
    shopper.main.locator("[data-apply-card]").click()
    shopper.sees(re.compile(r"Then €[\d.]+ is left on it"))
    expect(shopper.main.get_by_role("group", name="Payment")).to_be_hidden()
    inspector = Inspector(shopper)
    inspector.look("checkout with a gift card")
    assert not inspector.found, inspector.found
    number = shopper.place_order()
    order = shopper.api(f"/orders/{number}", token=shopper.page.url.partition("token=")[2])
    assert (order["due_minor"], order["payment_status"]) == (0, "paid")

    shopper.visit("/gift-cards")
    shopper.field("Code").fill(code)
    shopper.button("Look").click()
    shopper.sees(euros(50_000 - order["gift_card_minor"]))


def test_the_page_of_gift_cards_is_accessible_and_leads_to_one(shopper: Shopper) -> None:
    shopper.visit("/gift-cards")
    expect(shopper.link("Choose a gift card")).to_be_visible()
    inspector = Inspector(shopper)
    inspector.look("gift cards")
    assert not inspector.found, inspector.found
    shopper.link("Choose a gift card").click()
    expect(shopper.heading("Gift Card")).to_be_visible()


def test_the_invoice_stands_beside_the_order(new_shopper: NewShopper, own_shop: Shop) -> None:
    code, shopper = given_card(new_shopper, own_shop, 50_000), new_shopper(at=own_shop)
    shopper.has_in_cart(shopper.something())
    shopper.visit("/checkout")
    guest = somebody("guest")
    shopper.fill_address(email=guest.email)
    shopper.main.get_by_text("Gift card", exact=True).click()
    shopper.field("The code of your gift card").fill(code)
    shopper.main.locator("[data-apply-card]").click()
    shopper.sees(re.compile("It pays"))
    number = shopper.place_order()
    [attached] = shopper.mail_to(guest.email, f"for order {number}").iter_attachments()
    shopper.reload()
    link = shopper.link("Invoice (PDF)").get_attribute("href")
    assert link is not None
    document = shopper.context.request.get(link).body()
    assert document.startswith(b"%PDF") and document == attached.get_content()  # type: ignore[attr-defined]
