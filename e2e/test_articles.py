"""The owner's pages, from the editor to a shopper who reads them, and the terms at the checkout."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect
from shop import Shop
from shopper import Shopper, somebody
from test_accessibility import Inspector

NewShopper = Callable[..., Shopper]


def test_the_owner_writes_a_page_and_an_order_tells_which_terms_it_accepted(new_shopper: NewShopper, owned_shop: Shop, new_owner: Shopper) -> None:
    owner, buyer = new_owner, new_shopper(at=owned_shop)
    owner.expect_refusal(409)
    at_the_desk, at_the_buyers = Inspector(owner), Inspector(buyer)
    owner.visit("/admin/pages?page=returns")
    expect(owner.field("What it says")).to_have_value(re.compile("You may send things back within 14 days"))
    owner.field("Title").fill("Sending things back")
    owner.field("What it says").fill("## How\n\nBring it to the **corner**.")
    preview = owner.page.get_by_role("region", name="Preview of the page")
    expect(preview.get_by_role("heading", name="How")).to_be_visible()
    owner.sees("Unsaved changes")
    at_the_desk.look("a page in its editor")
    now = owner.api("/admin/articles/returns")
    owner.page.request.put("/api/v1/admin/articles/returns", data={"title": "Returns", "markdown": "By somebody else.", "version": now["version"]})
    owner.button("Save").click()
    owner.dialog("Somebody else saved this page meanwhile").get_by_role("button", name="Save mine over it").click()
    owner.sees("Version 2, saved by ada")

    buyer.visit("/")
    buyer.page.get_by_role("contentinfo").get_by_role("link", name="Returns").click()
    expect(buyer.heading("Sending things back")).to_be_visible()
    buyer.sees("corner")
    at_the_buyers.look("a page of the owner")
    buyer.has_in_cart(buyer.something())
    buyer.visit("/checkout")
    buyer.fill_address(email=somebody("tessa").email)
    terms = buyer.page.get_by_role("checkbox", name=re.compile("^I accept the terms"))
    terms.uncheck()
    buyer.button("Place order").click()
    buyer.sees_problem("Please accept the terms")
    number = buyer.place_order()
    owner.visit(f"/admin/orders/{number}")
    owner.sees(re.compile("accepted, version [0-9]"))
    assert at_the_desk.found + at_the_buyers.found == []
