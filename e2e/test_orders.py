"""An order after it is placed: what the owner does with it at the desk, and what its buyer sees of that."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from shop import Shop
from shopper import PASSWORD, Shopper
from test_accessibility import Inspector


@pytest.fixture
def guest(new_shopper: Callable[..., Shopper], owned_shop: Shop) -> Shopper:
    return new_shopper(at=owned_shop)


def bought(guest: Shopper) -> tuple[str, dict[str, Any]]:
    """The number of an order of one thing, and the thing."""
    thing = guest.something()
    return guest.buy(thing, "gina@example.com"), thing


def press(owner: Shopper, name: str) -> None:
    owner.main.get_by_role("button", name=name, exact=True).click()


def fill(owner: Shopper, **values: str) -> None:
    """Type into the open dialog, field by the name of it."""
    for name, value in values.items():
        owner.page.locator("dialog[open]").locator(f"[name={name}]").fill(value)


def is_told(shopper: Shopper, text: str) -> None:
    """In passing, at the foot of the page."""
    expect(shopper.page.locator("toast-stack").get_by_text(text).first).to_be_visible()


def confirm(owner: Shopper, dialog: str, button: str) -> None:
    owner.dialog(dialog).get_by_role("button", name=button, exact=True).click()


def prove(owner: Shopper) -> None:
    """Where the shop asks who it is, the password is given."""
    asked = owner.dialog("Confirm your password")
    asked.get_by_label("Your password", exact=True).fill(PASSWORD)
    asked.get_by_role("button", name="Continue").click()


def test_the_owner_sends_an_order_and_its_buyer_follows_it_and_sends_it_back(owner: Shopper, guest: Shopper) -> None:
    number, thing = bought(guest)
    owner.visit("/admin/orders")
    owner.main.get_by_role("link", name=number).click()
    expect(owner.heading(number)).to_be_visible()
    press(owner, "Send")
    fill(owner, carrier="Swift Post", tracking_number="SP-7731", tracking_url="https://post.example/SP-7731")
    confirm(owner, "Send a parcel", "It is on its way")
    is_told(owner, "The parcel is noted, and the buyer has a mail.")
    owner.sees("Parcel 1")
    guest.mail_to("gina@example.com", f"{number} is on its way")

    guest.reload()
    guest.sees("It is on its way", "Swift Post, SP-7731")
    expect(guest.link("Follow the parcel")).to_have_attribute("href", "https://post.example/SP-7731")
    guest.page.get_by_text("Send something back").click()
    guest.button("Ask to send it back").click()
    guest.sees_problem("Say how many of something you send back.")
    guest.field("How many of 1").fill("1")
    guest.field("Why").select_option("damaged")
    guest.main.get_by_label("What should we know?").fill("It came with a crack.")
    guest.button("Ask to send it back").click()
    is_told(guest, "We have your request, and write to you soon.")
    guest.sees("Waiting for our answer")

    owner.reload()
    owner.sees("It came with a crack.", "Waiting for you")
    press(owner, "Approve")
    confirm(owner, "Approve this return?", "Approve it")
    is_told(owner, "The return is approved.")
    press(owner, "It is here")
    confirm(owner, "The return is here", "Note it")
    is_told(owner, "The return is received.")
    guest.reload()
    guest.sees("It has reached us")


def test_the_owner_notes_the_money_and_gives_it_back(new_owner: Shopper, guest: Shopper) -> None:
    owner = new_owner
    number, _ = bought(guest)
    owner.visit(f"/admin/orders/{number}")
    press(owner, "Note payment")
    owner.page.locator("dialog[open]").get_by_role("button", name="It is paid").click()
    is_told(owner, "The order is paid.")
    press(owner, "Refund")
    note = "refunding every item also refunds shipping and cancels the order"
    expect(owner.page.locator("dialog[open]").get_by_text(note)).to_be_visible()
    owner.page.locator("dialog[open]").get_by_role("spinbutton").first.fill("1")
    fill(owner, reason="It was out of stock after all")
    confirm(owner, "Return money", "Return the money")
    prove(owner)
    is_told(owner, "The money is on its way back.")
    owner.sees("It was out of stock after all", re.compile("efunded"))
    guest.reload()
    guest.sees("Money that comes back", "It was out of stock after all", "Cancelled")
    guest.mail_to("gina@example.com", f"of your order {number} comes back to you")


def test_a_buyer_orders_the_same_things_once_more(guest: Shopper) -> None:
    _, thing = bought(guest)
    guest.button("Order again").click()
    is_told(guest, "It is all in your cart.")
    guest.expect_cart_count(1)
    guest.visit("/cart")
    guest.has_in_cart(thing)


def test_an_order_is_cancelled_at_the_desk(new_owner: Shopper, guest: Shopper) -> None:
    owner = new_owner
    number, _ = bought(guest)
    owner.visit(f"/admin/orders/{number}")
    press(owner, "Cancel")
    confirm(owner, "Cancel this order?", "Cancel the order")
    prove(owner)
    is_told(owner, "The order is cancelled.")
    guest.reload()
    guest.sees("This order was cancelled", "Nothing was charged.")


def test_orders_are_found_by_their_states_and_the_address_keeps_them(owner: Shopper, guest: Shopper) -> None:
    number, _ = bought(guest)
    owner.visit("/admin/orders?fulfilment_status=unfulfilled&status=placed")
    expect(owner.main.get_by_role("link", name=number)).to_be_visible()
    owner.main.get_by_role("combobox", name="Delivery").select_option("delivered")
    expect(owner.main.get_by_role("link", name=number)).to_have_count(0)
    expect(owner.page).to_have_url(re.compile("fulfilment_status=delivered"))
    owner.go_back()
    expect(owner.main.get_by_role("link", name=number)).to_be_visible()


def test_a_coupon_is_made_and_changed(owner: Shopper) -> None:
    owner.visit("/admin/coupons")
    owner.button("Add a coupon").click()
    fill(owner, code="spring15", name="Spring", value="15")
    confirm(owner, "New coupon", "Add it")
    is_told(owner, "The coupon is added.")
    owner.sees("SPRING15", "15 %")
    owner.main.get_by_role("button", name=re.compile("change SPRING15")).click()
    fill(owner, value="7.5")
    confirm(owner, "Change SPRING15", "Save")
    is_told(owner, "The coupon is saved.")
    owner.sees("7.5 %")
    owner.main.get_by_role("button", name="Remove SPRING15").click()
    confirm(owner, "Remove SPRING15?", "Remove it")
    is_told(owner, "It is removed.")


def test_the_pages_are_accessible(owner: Shopper, guest: Shopper) -> None:
    number, _ = bought(guest)
    at_the_desk = Inspector(owner)
    for path in ("/admin/orders", f"/admin/orders/{number}", "/admin/coupons"):
        owner.visit(path)
        expect(owner.main.get_by_role("heading", level=1)).to_be_visible()
        at_the_desk.look(path)
    owner.visit(f"/admin/orders/{number}")
    press(owner, "Send")
    at_the_desk.look("a parcel is made")
    confirm(owner, "Send a parcel", "It is on its way")
    owner.sees("Parcel 1")
    at_the_desk.look("an order with a parcel")
    owner.visit("/admin/coupons")
    owner.button("Add a coupon").click()
    at_the_desk.look("a coupon is made")
    guest.reload()
    guest.page.get_by_text("Send something back").click()
    at_home = Inspector(guest)
    at_home.look("an order on its way")
    assert not at_the_desk.found + at_home.found, "\n".join(at_the_desk.found + at_home.found)
