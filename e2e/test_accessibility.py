"""axe-core on every page and in its important states, on a phone and on a desk, by day and by night: nothing to complain of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import expect
from shop import Shop
from shopper import Shopper, somebody

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Colours are judged once they have arrived.
INSPECT = """async (rules) => {
  await new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));
  await Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {})));
  const options = { resultTypes: ["violations"], selectors: false, iframes: false };
  return (await axe.run({ ...options, runOnly: rules })).violations;
}"""
# What a theme can spoil. Everything else is the same by day and by night, and is judged by day.
OF_COLOUR = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
WIDTHS = (390, 1280)


class Inspector:
    """Looks at whatever page the shopper has before them."""

    def __init__(self, shopper: Shopper) -> None:
        self.shopper = shopper
        self.found: list[str] = []
        shopper.page.emulate_media(reduced_motion="reduce")

    def look(self, state: str, *, widths: tuple[int, ...] = WIDTHS, settled: bool = True) -> None:
        """Inspect the page; not `settled` while a dialog keeps the button that opened it busy."""
        page = self.shopper.page
        if settled:
            self.shopper.settle()
        if not page.evaluate("typeof axe === 'object'"):
            page.evaluate(AXE)  # not as an element of the page: its policy lets no foreign script in
        for width in widths:
            self.shopper.resize(width)
            for theme, rules in (("light", TAGS), ("dark", OF_COLOUR)):
                page.emulate_media(color_scheme=theme)
                violations = page.evaluate(INSPECT, rules)
                self.found += [_words(f"{state}, {width} px, {theme}", violation) for violation in violations]


def _words(where: str, violation: dict[str, Any]) -> str:
    nodes = "".join(f"\n    {node['html'][:160]}\n      {node['failureSummary']}" for node in violation["nodes"][:3])
    return f"{where}: {violation['id']}, {violation['help']} ({len(violation['nodes'])} times){nodes}"


@pytest.fixture
def inspector(shopper: Shopper) -> Iterator[Inspector]:
    shopper.expect_refusal(401, 404, 409, 422)
    inspector = Inspector(shopper)
    yield inspector
    assert not inspector.found, "\n".join(inspector.found)


def test_the_catalogue_is_accessible(shopper: Shopper, inspector: Inspector) -> None:
    shopper.visit("/")
    inspector.look("home")
    shopper.visit(f"/?category={shopper.api('/categories')['items'][0]['slug']}&price_min=1000&in_stock=true&sort=price_asc")
    inspector.look("filtered list")
    shopper.resize(390)
    shopper.main.get_by_text("Filter", exact=True).click()
    inspector.look("filtered list, filter open", widths=(390,))
    shopper.resize(1280)
    shopper.visit("/?q=no-such-thing")
    inspector.look("search without hits")
    shopper.resize(390)
    shopper.button("Menu").click()
    inspector.look("menu", widths=(390,))


def test_a_product_is_accessible(shopper: Shopper, inspector: Inspector) -> None:
    shopper.open_product(shopper.something_with_choices())
    shopper.main.get_by_text("Details", exact=True).click()
    inspector.look("product with choices")
    shopper.open_product(shopper.find_product(lambda product: not product["in_stock"]))
    inspector.look("sold out product")
    scarce = shopper.something_scarce()
    shopper.has_in_cart(scarce, quantity=scarce["stock"])
    shopper.open_product(scarce)
    shopper.button("Add to cart").first.click()
    expect(shopper.main.get_by_role("alert")).to_be_visible()
    inspector.look("more than there is")
    shopper.page.get_by_role("banner").get_by_role("link", name=re.compile("^Cart")).click()
    expect(shopper.dialog("Your cart")).to_be_visible()
    inspector.look("cart drawer")


def test_cart_checkout_and_order_are_accessible(shopper: Shopper, inspector: Inspector) -> None:
    shopper.visit("/cart")
    inspector.look("empty cart")
    shopper.visit("/checkout")
    inspector.look("nothing to check out")
    thing = shopper.something()
    shopper.has_in_cart(thing, quantity=2)
    shopper.has_in_cart(shopper.something_scarce())
    shopper.visit("/cart")
    shopper.button(f"Remove {thing['title']}").click()
    expect(shopper.button("Undo")).to_be_visible()
    inspector.look("cart with something just removed")
    shopper.visit("/checkout")
    shopper.button("Place order").click()
    shopper.sees_problem("Enter")
    inspector.look("checkout with problems")
    shopper.resize(390)
    shopper.main.get_by_text("Order summary").first.click()
    inspector.look("checkout with its summary open", widths=(390,))
    shopper.fill_address(email=somebody().email)
    shopper.place_order()
    inspector.look("order")
    shopper.button("Cancel order").click()
    inspector.look("asked whether to cancel")
    shopper.dialog("Cancel this order?").get_by_role("button", name="Cancel the order").click()
    expect(shopper.heading("This order was cancelled")).to_be_visible()
    inspector.look("cancelled order")
    shopper.visit("/orders/FC-23456789")
    inspector.look("no such order")


def test_the_pages_around_an_account_are_accessible(shopper: Shopper, inspector: Inspector) -> None:
    alice = somebody()
    shopper.visit("/login")
    shopper.sign_in(alice.username)
    shopper.sees_problem("do not belong together")
    inspector.look("sign in, refused")
    shopper.visit("/register")
    shopper.button("Continue").click()
    shopper.sees_problem("Choose a username.")
    inspector.look("register with problems")
    shopper.visit("/forgot-password")
    inspector.look("forgotten password")
    shopper.field("E-mail").fill(alice.email)
    shopper.button("Send the code").click()
    expect(shopper.heading("Set a new password")).to_be_visible()
    inspector.look("set a new password")
    shopper.visit("/verify")
    inspector.look("no code awaited")
    shopper.begin_to_register(alice)
    inspector.look("waiting for the code")
    shopper.enter_code(shopper.code_from_mail(alice.email))
    shopper.expect_signed_in(alice)
    inspector.look("new account")
    shopper.visit("/orders")
    inspector.look("no orders yet")
    shopper.has_in_cart(shopper.something())
    shopper.visit("/checkout")
    shopper.fill_address()
    shopper.place_order()
    for path in ("/account", "/orders"):
        shopper.visit(path)
        inspector.look(f"{path} with an order")


def test_what_is_lost_or_broken_is_accessible(shopper: Shopper, inspector: Inspector) -> None:
    shopper.visit("/nowhere")
    inspector.look("no such page")
    shopper.visit("/cart-reminders/unsubscribe?token=none")
    inspector.look("no more reminders of carts")
    shopper.visit("/?sort=name")
    shopper.go_offline()
    shopper.field("Sort by").select_option("Price, low to high")
    expect(shopper.heading("You are offline")).to_be_visible()
    inspector.look("offline")


def test_the_pages_for_owners_and_developers_are_accessible(new_shopper: Callable[..., Shopper], own_shop: Shop) -> None:
    """The first run needs a shop that has no owner, and its link."""
    owner = new_shopper(at=own_shop)
    inspector = Inspector(owner)
    owner.visit(f"/setup?token={own_shop.setup_token}")
    inspector.look("first run")
    owner.button("Open the shop").click()
    owner.sees_problem("Enter the name of the seller.")
    inspector.look("first run with problems")
    owner.visit("/setup")
    owner.visit("/api/docs")
    inspector.look("API documentation", widths=(1280,))
    owner.visit("/api/docs?q=order")
    owner.main.locator("[data-call]:not([hidden]) summary").first.click()
    expect(owner.main.get_by_text("Answers", exact=True)).to_be_visible()
    inspector.look("API documentation, a call", widths=(390,))
    owner.visit("/dev/mail")
    inspector.look("mailbox")
    assert not inspector.found, "\n".join(inspector.found)
