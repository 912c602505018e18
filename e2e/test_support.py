"""A question about an order, from the buyer's page to the owner's answer with a coupon and money back, and a guest's message."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from shop import Shop
from shopper import PASSWORD, Shopper, somebody, until
from test_accessibility import Inspector

NewShopper = Callable[..., Shopper]
PICTURE = Path(__file__).parent / "screenshots" / "home.jpg"


def sees_picture(reader: Shopper) -> None:
    """The picture of the first message is there, and not only its frame."""
    picture = reader.main.get_by_role("img", name="Picture 1")
    expect(picture).to_be_visible()
    until(lambda: bool(picture.evaluate("image => image.complete && image.naturalWidth > 100")), reader.page)


def keep_a_reply(owner: Shopper) -> None:
    """Keep what is typed, change it, and take it away again."""
    owner.field("What you write").fill("We are looking into it.")
    owner.button("Keep as a reply").click()
    asked = owner.dialog("Keep this reply")
    asked.get_by_label("What it is called").fill("Patience")
    asked.get_by_role("button", name="Keep it").click()
    owner.button("Change Patience").click()
    asked = owner.dialog("Change Patience")
    asked.get_by_label("What it says").fill("We are on it.")
    asked.get_by_role("button", name="Save").click()
    expect(owner.page.get_by_text("Saved.")).to_be_visible()
    owner.page.get_by_label("Use a kept reply").select_option(label="Patience")
    expect(owner.field("What you write")).to_have_value("We are looking into it.\n\nWe are on it.")
    owner.button("Remove Patience").click()
    owner.dialog("Remove Patience?").get_by_role("button", name="Remove it").click()
    expect(owner.heading("Kept replies")).to_be_hidden()


def returns_money(owner: Shopper, order: str) -> None:
    """Note that the order's money came in, and give it back from within the ticket."""
    ticket = owner.path
    owner.visit(f"/admin/orders/{order}")
    owner.button("Note payment").click()
    owner.page.locator("dialog[open]").get_by_role("button", name="It is paid").click()
    expect(owner.page.get_by_text("The order is paid.")).to_be_visible()
    owner.visit(ticket)
    owner.button("Return money").click()
    asked = owner.dialog("Return money")
    asked.get_by_role("spinbutton").first.fill("1")
    asked.get_by_role("button", name="Return the money").click()
    owner.sees(re.compile(f"of {order} were returned"))


def test_a_question_about_an_order_is_answered_with_a_coupon_and_money(new_shopper: NewShopper, owned_shop: Shop, new_owner: Shopper) -> None:
    buyer, owner = new_shopper(at=owned_shop), new_owner
    person = buyer.join("quentin")
    buyer.has_in_cart(buyer.something())
    buyer.visit("/checkout")
    buyer.fill_address()
    order = buyer.place_order()
    buyer.link("Ask about this order").click()
    expect(buyer.field("Number of the order (optional)")).to_have_value(order)
    at_the_buyers = Inspector(buyer)
    at_the_buyers.look("no questions yet")
    buyer.field("What it is about").fill("A crack in the mug")
    buyer.field("Your question").fill("It came with a crack.\nMy card is 4111 1111 1111 1111.")
    buyer.field("Add pictures").set_input_files([PICTURE, __file__])
    buyer.sees("test_support.py is no JPEG, PNG or WebP.")
    expect(buyer.button(f"Leave out {PICTURE.name}")).to_be_visible()
    buyer.button("Send the question").click()
    expect(buyer.heading("A crack in the mug")).to_be_visible()
    buyer.sees("•••• •••• •••• 1111", "With us")
    sees_picture(buyer)
    ticket = buyer.path.rpartition("/")[2]

    owner.visit("/admin/tickets?status=open")
    at_the_desk = Inspector(owner)
    at_the_desk.look("the inbox")
    owner.link("A crack in the mug").click()
    owner.button("Take it on").click()
    expect(owner.button("Hand it back")).to_be_visible()
    sees_picture(owner)
    keep_a_reply(owner)
    owner.field("What you write").fill("The third one this month.")
    owner.main.get_by_label(re.compile("^A note for staff only")).check()
    owner.button("Send").click()
    owner.sees("ada: note")
    owner.button("Give a coupon").click()
    asked = owner.dialog("Give a coupon")
    asked.get_by_label("How much").fill("10")
    asked.get_by_label("A word to go with it").fill("We are sorry about that.")
    asked.get_by_role("button", name="Send the coupon").click()
    proof = owner.dialog("Confirm your password")
    proof.get_by_label("Your password").fill(PASSWORD)
    proof.get_by_role("button", name="Continue").click()
    owner.sees("Waiting for the customer", re.compile("Your coupon: [A-Z0-9]{10}"))
    returns_money(owner, order)
    at_the_desk.look("a ticket")

    answer = str(buyer.mail_to(person.email, "An answer to your question").get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert f"/tickets/{ticket}" in answer and "We are sorry about that." in answer
    buyer.visit(f"/tickets/{ticket}")
    buyer.sees("Answered", "We are sorry about that.")
    expect(buyer.main.get_by_text("The third one this month.")).to_have_count(0)
    buyer.field("Write on").fill("Thank you!")
    buyer.button("Send").click()
    buyer.sees("With us", "Thank you!")
    at_the_buyers.look("a question with its answer")
    buyer.visit("/tickets")
    expect(buyer.link("A crack in the mug")).to_be_visible()
    at_the_buyers.look("questions")
    assert at_the_buyers.found + at_the_desk.found == []


def test_a_guest_writes_to_the_shop_and_is_answered_from_the_desk(new_shopper: NewShopper, owned_shop: Shop, new_owner: Shopper) -> None:
    guest, person = new_shopper(at=owned_shop), somebody("gina")
    guest.visit("/contact")
    guest.button("Send the message").click()
    guest.sees_problem("Write your message.")
    inspector = Inspector(guest)
    inspector.look("the contact form with problems")
    for label, value in (("Your name", "Gina"), ("E-mail", person.email), ("What it is about", "Opening hours"), ("Your message", "When may I come by?")):
        guest.field(label).fill(value)
    guest.button("Send the message").click()
    guest.sees(f"the answer goes to {person.email}")
    assert guest.mail_to(person.email, "We have your message")
    assert guest.mail_to("shop@example.com", "Opening hours")["Reply-To"] == person.email

    owner, at_the_desk = new_owner, Inspector(new_owner)
    owner.visit("/admin/messages?status=open")
    at_the_desk.look("messages")
    owner.link("Opening hours").first.click()
    owner.sees("When may I come by?")
    owner.field("What you write").fill("From ten to six.")
    owner.button("Send").click()
    owner.sees("Done", "From ten to six.")
    at_the_desk.look("a message that was answered")
    assert "> When may I come by?" in str(guest.mail_to(person.email, "Re: Opening hours").get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert inspector.found + at_the_desk.found == []
