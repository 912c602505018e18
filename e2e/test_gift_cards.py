"""Gift cards, from the owner's hand to the last cent, and the invoice that tells of it."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect
from shop import Shop
from shopper import PASSWORD, Shopper, euros, somebody
from test_accessibility import Inspector

NewShopper = Callable[..., Shopper]


def code_to(shopper: Shopper, email: str) -> str:
    """The newest code that was mailed there."""
    text = shopper.mail_to(email, "gift card").get_body(("plain",)).get_content()  # type: ignore[union-attr]
    [code] = re.findall(r"(?:[A-Z0-9]{4}-){4}[A-Z0-9]{4}", text)
    return str(code)


def give(owner: Shopper, amount: str, email: str) -> str:
    """The owner gives a card on the admin page, proving who it is on the way; its code as the mail tells it."""
    owner.visit("/admin/gift-cards")
    owner.button("Give a gift card").click()
    asked = owner.dialog("Give a gift card")
    asked.get_by_label("Amount in EUR").fill(amount)
    asked.get_by_label("Their e-mail").fill(email)
    asked.get_by_label("A word to go with it").fill("Well done, you two")
    asked.get_by_role("button", name="Send the card").click()
    proof = owner.dialog("Confirm your password")
    proof.get_by_label("Your password").fill(PASSWORD)
    proof.get_by_role("button", name="Continue").click()
    expect(owner.page.get_by_text(f"is on its way to {email}.")).to_be_visible()
    return code_to(owner, email)


def test_a_card_goes_from_the_owner_to_the_last_cent(new_shopper: NewShopper, owned_shop: Shop, new_owner: Shopper) -> None:
    friend, shopper, owner = somebody("friend"), new_shopper(at=owned_shop), new_owner
    code = give(owner, "500", friend.email)
    assert "Well done, you two" in str(owner.mail_to(friend.email, "gift card").get_body(("html",)).get_content())  # type: ignore[union-attr]

    shopper.has_in_cart(shopper.something())
    shopper.visit("/checkout")
    guest = somebody("guest")
    shopper.fill_address(email=guest.email)
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
    number = shopper.place_order()
    order = shopper.api(f"/orders/{number}", token=shopper.page.url.partition("token=")[2])
    assert (order["due_minor"], order["payment_status"]) == (0, "paid")
    [attached] = shopper.mail_to(guest.email, f"for order {number}").iter_attachments()
    shopper.reload()
    document = shopper.context.request.get(str(shopper.link("Invoice (PDF)").get_attribute("href"))).body()
    assert document.startswith(b"%PDF") and document == attached.get_content()  # type: ignore[attr-defined]
    shopper.visit("/gift-cards")
    shopper.field("Code").fill(code)
    shopper.button("Look").click()
    left = 50_000 - order["gift_card_minor"]
    shopper.sees(euros(left))
    assert not inspector.found, inspector.found

    owner.visit(f"/admin/gift-cards?q={friend.email}")
    row = owner.main.get_by_role("row").filter(has_text=friend.email)
    expect(row).to_contain_text(euros(left))
    row.get_by_role("button", name="ledger of").click()
    ledger = owner.dialog(f"The card that ends in {code[-4:]}")
    for told in (number, f"-{euros(order['gift_card_minor'])}", "+€500.00"):
        expect(ledger).to_contain_text(told)
    inspector = Inspector(owner)
    inspector.look("a gift card's ledger")
    ledger.get_by_role("button", name="Close").click()
    row.get_by_role("button", name="Replace").click()
    asked = owner.dialog(re.compile("Replace the card"))
    asked.get_by_label("Why").fill("The mail was lost")
    asked.get_by_role("button", name="Send a new code").click()
    expect(row).to_have_count(2)
    expect(row.filter(has_text="Replaced")).to_contain_text("€0.00")
    owner.visit("/admin/payments")
    owner.settle()
    inspector.look("payments", widths=(1280,))
    assert not inspector.found, inspector.found


def test_a_gift_card_is_bought_without_a_street_and_without_delivery(shopper: Shopper) -> None:
    shopper.visit("/gift-cards")
    expect(shopper.link("Choose a gift card")).to_be_visible()
    inspector = Inspector(shopper)
    inspector.look("gift cards")
    assert not inspector.found, inspector.found
    shopper.link("Choose a gift card").click()
    shopper.sees("By e-mail, as soon as it is paid", "Paid in any way, only not with another gift card.")
    shopper.add_to_cart()
    shopper.visit("/checkout")
    shopper.sees("Sent by e-mail", "A gift card is bought with any of these, only not with another gift card.")
    expect(shopper.field("Postcode")).to_be_hidden()
    guest = somebody("guest")
    shopper.field("E-mail").fill(guest.email)
    shopper.field("Country").select_option(label="Germany")
    shopper.field("Full name").fill("Alice Marlow")
    shopper.settle()
    shopper.choose_payment("Test payment")
    shopper.accept_terms()
    shopper.main.get_by_role("button", name=re.compile("^Pay €")).click()
    expect(shopper.heading("Thank you. Your gift card is in your mail.")).to_be_visible()
    assert code_to(shopper, guest.email)
