"""Staff order for somebody who called, and what was ordered as a guest comes into an account."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect
from shop import Shop
from shopper import Shopper
from test_accessibility import Inspector


def test_staff_order_for_a_caller_and_the_caller_is_told(owner: Shopper) -> None:
    page = owner.page
    second, *things = owner.all_products(in_stock=True)
    variants = (variant for thing in things for variant in owner.api(f"/products/{thing['id']}")["variants"])
    sku = next(variant["sku"] for variant in variants if variant["sku"] and variant["stock"] > 2)

    owner.visit("/admin/orders")
    owner.link("New order").click()
    owner.settle()
    owner.button("Place order").click()
    owner.sees_problem("Add what is ordered.")

    # Goods by what a scanner types, and by words with the arrow keys.
    goods = page.get_by_role("combobox", name="Add goods")
    goods.press_sequentially(sku)
    goods.press("Enter")
    lines = owner.main.locator("[data-line]")
    expect(lines).to_have_count(1)
    goods.fill(second["title"])
    expect(page.get_by_role("option").first).to_be_visible()
    goods.press("ArrowDown")
    goods.press("Enter")
    expect(lines).to_have_count(2)
    owner.main.get_by_role("button", name=re.compile("more$")).first.click()
    expect(page.locator("[data-amounts]")).to_contain_text("3 items")

    # The customer by name, with a saved address.
    me = owner.api("/me")
    customers = page.get_by_role("combobox", name="Find a customer")
    customers.fill(me["username"])
    expect(page.get_by_role("option")).to_contain_text([me["email"]])
    customers.press("Enter")
    expect(page.get_by_label("E-mail", exact=True)).to_have_value(me["email"])
    page.get_by_role("button", name="Somebody else").click()
    page.get_by_label("E-mail", exact=True).fill("Caller@example.com")
    for label, text in {"Full name": "Cal Caller", "Street and house number": "Kade 1", "Postcode": "9000", "Town or city": "Gent"}.items():
        owner.field(label).fill(text)
    owner.field("Country").select_option("BE")
    owner.main.get_by_role("radio", name=re.compile("^Express")).check()
    page.get_by_label("Note").fill("Paid by 4242 4242 4242 4242")
    expect(page.locator("[data-amounts]")).to_contain_text("Express delivery")
    owner.main.get_by_text("How this total is made up").click()
    expect(page.locator("[data-explained]")).to_contain_text("That is the total")
    due = page.locator("[data-due]").inner_text()
    inspector = Inspector(owner)
    inspector.look("a manual order")
    assert inspector.found == []

    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/admin/orders/FC-"))
    owner.sees("Cal Caller", "•••• •••• •••• 4242", re.compile(f"by {me['username']}"), due)
    number = owner.path.rsplit("/", 1)[1]
    assert number in str(owner.mail_to("Caller@example.com", number)["Subject"])


def test_what_was_ordered_as_a_guest_is_offered_to_the_account_with_that_address(owner: Shopper, new_shopper: Callable[..., Shopper], owned_shop: Shop) -> None:
    guest, me = new_shopper(at=owned_shop), owner.api("/me")
    guest.tell("/cart/items", variant_id=guest.api(f"/products/{guest.something()['id']}")["variants"][0]["id"], quantity=1)
    address = {"name": "Ada Quill", "line1": "3 Corner Street", "city": "York", "postcode": "YO1 7HH", "country": "GB"}
    order = {"email": me["email"].upper(), "address": address, "shipping_method": "standard", "payment_method": "cash_on_delivery"}
    placed = guest.context.request.post("/api/v1/orders", data=order, headers={"Idempotency-Key": "as a guest"}).json()

    owner.visit("/orders")
    owner.sees(f"We found 1 order made with {me['email']}")
    inspector = Inspector(owner)
    inspector.look("an offer of orders", widths=(390,))
    assert inspector.found == []
    owner.button("Add to my account").click()
    expect(owner.main.get_by_text(placed["number"])).to_be_visible()
    expect(owner.button("Add to my account")).to_have_count(0)
    guest.visit(f"/orders/{placed['number']}?token={placed['token']}")
    guest.sees("Added to your account")
