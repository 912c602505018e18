"""Going about: back, reload, small windows, large text, the keyboard alone, broken lines, and addresses that lead astray."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlencode

from playwright.sync_api import expect
from shopper import Person, Shopper, somebody

# Whatever reaches beyond the window though nothing around it can be scrolled.
STICKING_OUT = """() => {
  const scrolls = (element) => element && element !== document.body &&
    (/auto|scroll|hidden|clip/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
  const width = document.documentElement.clientWidth;
  const out = [...document.body.querySelectorAll("*")].filter((element) => {
    const box = element.getBoundingClientRect();
    const outside = box.width > 1 && (box.right > width + 1 || box.left < -1);
    return outside && element.checkVisibility() && !element.closest("dialog") && !scrolls(element.parentElement);
  }).map((element) => element.outerHTML.slice(0, 100));
  return document.documentElement.scrollWidth > width ? [`the page is ${document.documentElement.scrollWidth} wide`, ...out] : out;
}"""

# Text that its own box cuts off, other than with dots where it is said in full elsewhere.
CUT_OFF = """() => [...document.body.querySelectorAll("*")].filter((element) => {
  const style = getComputedStyle(element);
  const text = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  const cuts = /hidden|clip/.test(style.overflow) && style.textOverflow !== "ellipsis";
  const overfull = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1;
  return text && cuts && overfull && element.clientWidth > 1 && element.checkVisibility() && !element.closest(".visually-hidden");
}).map((element) => element.outerHTML.slice(0, 100))"""

# Where the focus is, whether it can be seen, and whether that place is in the window.
FOCUS = """() => {
  const focused = document.activeElement;
  const outlined = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  const ringed = (element) => element && (outlined(getComputedStyle(element)) || outlined(getComputedStyle(element, "::after")));
  const around = [focused, focused.labels?.[0], focused.parentElement, focused.nextElementSibling];
  const box = (focused.labels?.[0] && focused.matches("[type=radio], [type=checkbox]") ? focused.labels[0] : focused).getBoundingClientRect();
  return {
    what: focused.outerHTML.slice(0, 120),
    ringed: around.some(ringed),
    inSight: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}"""

SHOPPING = ["/", "/?sort=name", "/?q=no-such-thing", "/cart", "/checkout", "/nowhere"]
ACCOUNT = ["/login", "/register", "/forgot-password", "/verify", "/reset-password"]
BEHIND = ["/api/docs", "/dev/mail"]


def visit_every_page(shopper: Shopper, look: Callable[[str], None]) -> None:
    """Calls `look` on each page of a shopper's life, in the states that hold most."""
    shopper.expect_refusal(404, 422)
    for path in SHOPPING + ACCOUNT + BEHIND:
        shopper.visit(path)
        shopper.settle()
        look(path)
    product = shopper.something_with_choices()
    shopper.open_product(product)
    shopper.settle()
    look("product")
    for thing in shopper.all_products(in_stock="true"):
        if thing["variant_count"] == 1:
            shopper.has_in_cart(thing)
    shopper.visit("/cart")
    shopper.settle()
    look("full cart")
    shopper.visit("/checkout")
    shopper.button("Place order").click()
    look("checkout with problems")
    shopper.fill_address(email=somebody().email)
    shopper.place_order()
    look("order")
    shopper.cancel_order()
    alice = somebody()
    shopper.begin_to_register(alice)
    shopper.settle()
    look("waiting for the code")
    shopper.enter_code(shopper.code_from_mail(alice.email))
    shopper.expect_signed_in(alice)
    shopper.has_in_cart(shopper.something())
    shopper.visit("/checkout")
    shopper.fill_address()
    shopper.place_order()
    for path in ("/account", "/orders"):
        shopper.visit(path)
        shopper.settle()
        look(path)


def test_every_page_fits_320_pixels_and_bears_text_of_twice_the_size(shopper: Shopper) -> None:
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        shopper.resize(320)
        found[name] = [f"320 px: {what}" for what in shopper.page.evaluate(STICKING_OUT)]
        for width in (390, 1280):
            shopper.resize(width, font_size=32)
            found[name] += [f"200 % at {width} px: {what}" for what in shopper.page.evaluate(STICKING_OUT) + shopper.page.evaluate(CUT_OFF)]
        shopper.resize(1280, font_size=16)

    visit_every_page(shopper, look)

    complaints = [f"{name}, {what}" for name, all_found in found.items() for what in all_found]
    assert not complaints, "\n".join(complaints)


# ---- back and reload


def test_a_purchase_bears_a_reload_at_every_step(shopper: Shopper) -> None:
    thing = shopper.something()
    shopper.open_product(thing)
    shopper.reload()
    shopper.add_to_cart()
    shopper.reload()
    shopper.expect_cart_count(1)
    shopper.visit("/cart")
    shopper.reload()
    expect(shopper.quantity_of(thing["title"])).to_have_value("1")
    shopper.visit("/checkout")
    alice = somebody()
    shopper.fill_address(email=alice.email)
    shopper.reload()

    expect(shopper.field("Full name")).to_have_value("Alice Marlow")
    expect(shopper.field("E-mail")).to_have_value(alice.email)
    number = shopper.place_order()
    shopper.reload()
    shopper.sees(number)
    assert len(shopper.mails_to(alice.email, number)) <= 1


def test_back_after_ordering_shows_the_order_and_never_orders_again(shopper: Shopper) -> None:
    shopper.has_in_cart(shopper.something())
    shopper.visit("/cart")
    shopper.main.get_by_role("link", name="Go to checkout").click()
    shopper.fill_address(email=somebody().email)
    number = shopper.place_order()

    shopper.go_back()
    shopper.page.wait_for_url(f"**/orders/{number}*")
    shopper.sees(number)
    shopper.visit("/cart")
    expect(shopper.main.get_by_role("link", name="See your order")).to_be_visible()


def test_a_page_that_the_browser_kept_shows_the_cart_as_it_is_now(shopper: Shopper) -> None:
    thing = shopper.something()
    shopper.visit("/?sort=name")
    shopper.expect_cart_count(0)
    shopper.page.evaluate("window.kept = true")
    shopper.open_product(thing)
    shopper.add_to_cart()

    shopper.go_back()

    shopper.expect_cart_count(1)
    assert shopper.page.evaluate("window.kept"), "the browser should have kept the page"
    shopper.visit("/cart")
    expect(shopper.quantity_of(thing["title"])).to_have_value("1")


def test_the_cart_that_the_browser_kept_forgets_what_was_ordered_since(shopper: Shopper) -> None:
    shopper.has_in_cart(shopper.something())
    shopper.visit("/cart")
    shopper.check_out_as_guest(somebody().email)
    shopper.page.go_back(wait_until="commit")
    shopper.page.wait_for_url(re.compile("/orders/|/cart"))

    shopper.visit("/cart")

    shopper.sees("There is nothing in it yet")


def test_back_walks_through_filters_as_through_pages(shopper: Shopper) -> None:
    first, second = [category for category in shopper.api("/categories")["items"] if category["product_count"]][:2]
    shopper.visit(f"/?category={first['slug']}")
    shopper.visit("/?sort=name")
    shopper.main.get_by_role("link", name=re.compile(f"^{second['name']}")).first.click()
    expect(shopper.page.get_by_role("heading", level=1, name=second["name"])).to_be_visible()

    shopper.go_back()
    expect(shopper.page.get_by_role("heading", level=1, name="All products")).to_be_visible()
    shopper.go_back()
    expect(shopper.page.get_by_role("heading", level=1, name=first["name"])).to_be_visible()


def test_registering_survives_a_reload_while_the_code_is_on_its_way(shopper: Shopper) -> None:
    alice = somebody()
    shopper.begin_to_register(alice)

    shopper.reload()
    shopper.sees(alice.email)
    shopper.enter_code(shopper.code_from_mail(alice.email))
    shopper.expect_signed_in(alice)

    shopper.go_back()
    shopper.page.wait_for_url(lambda address: "/register" not in address and "/verify" not in address)


# ---- the keyboard alone


class Keyboard:
    """Hands that never touch a mouse, and eyes that want to see where they are."""

    def __init__(self, shopper: Shopper) -> None:
        self.shopper = shopper
        self.lost: list[str] = []
        shopper.page.emulate_media(reduced_motion="reduce")  # what slides in is not yet where it will be

    def tab_to(self, role: str, name: str | re.Pattern[str], *, most: int = 90) -> None:
        target = self.shopper.page.get_by_role(role, name=name).filter(visible=True).first
        expect(target).to_be_visible()
        for _ in range(most):
            self.shopper.page.keyboard.press("Tab")
            self._look()
            if target.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"{most} presses of Tab did not reach {role} {name!r}")

    def _look(self) -> None:
        seen = self.shopper.page.evaluate(FOCUS)
        if not (seen["ringed"] and seen["inSight"]):
            self.lost.append(f"{'out of sight' if seen['ringed'] else 'no ring'}: {seen['what']}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.shopper.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.shopper.page.keyboard.type(text)


def test_a_whole_purchase_is_made_with_the_keyboard_alone(shopper: Shopper) -> None:
    thing, hands = shopper.something(), Keyboard(shopper)
    shopper.visit("/")
    hands.tab_to("link", "Skip to content")
    hands.press("Enter")
    expect(shopper.main).to_be_focused()
    shopper.visit("/")
    hands.tab_to("combobox", "Search the shop")
    hands.type(thing["title"])
    hands.press("Enter")
    expect(shopper.result(thing["title"])).to_be_visible()
    hands.tab_to("link", re.compile(f"^{re.escape(thing['title'])}$"))
    hands.press("Enter")
    hands.tab_to("button", re.compile("^Add to cart$"))
    hands.press("Enter")
    expect(shopper.dialog("Added to your cart")).to_be_visible()
    hands.tab_to("link", "Go to checkout")
    hands.press("Enter")
    expect(shopper.button("Place order")).to_be_visible()
    hands.tab_to("textbox", "E-mail")
    hands.type(somebody().email)
    hands.tab_to("combobox", "Country")
    hands.press("ArrowDown", "ArrowUp")
    for field, text in (("Full name", "Alice Marlow"), ("Street and house number", "12 Orchard Lane"), ("Postcode", "20095"), ("Town or city", "Hamburg")):
        hands.tab_to("textbox", field)
        hands.type(text)
    hands.tab_to("radio", re.compile("^Standard delivery"))
    hands.press("ArrowDown")
    expect(shopper.page.get_by_role("radio", name=re.compile("^Express delivery"))).to_be_checked()
    hands.tab_to("checkbox", re.compile("^I accept the terms"))
    hands.press("Space")
    hands.tab_to("button", "Place order")
    hands.press("Enter")

    shopper.arrive_at_order()
    shopper.sees("Express delivery")
    assert not hands.lost, "\n".join(hands.lost)


def test_dialogs_keep_the_focus_and_give_it_back(shopper: Shopper) -> None:
    hands = Keyboard(shopper)
    shopper.has_in_cart(shopper.something())
    shopper.visit("/?sort=name")
    hands.tab_to("link", re.compile("^Cart"))
    hands.press("Enter")
    drawer = shopper.dialog("Your cart")
    expect(drawer).to_be_visible()
    for _ in range(12):
        hands.press("Tab")
        assert shopper.page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")

    hands.press("Escape")

    expect(drawer).to_be_hidden()
    expect(shopper.page.get_by_role("banner").get_by_role("link", name=re.compile("^Cart"))).to_be_focused()
    assert not hands.lost, "\n".join(hands.lost)


# ---- when something breaks


def test_a_password_never_gets_into_the_address_even_when_no_script_arrives(shopper: Shopper) -> None:
    shopper.expect_failures()
    shopper.expect_refusal(405)
    shopper.page.route("**/*.js", lambda route: route.abort())
    for path, label in (("/login", "Username or e-mail"), ("/register", "Username")):
        shopper.visit(path)
        shopper.field(label).fill("alice")
        shopper.field("Password").fill("walnut-harbour-19")
        shopper.field("Password").press("Enter")
        shopper.page.wait_for_load_state()
        assert "walnut" not in shopper.page.url


def test_offline_is_told_and_ends_by_itself(shopper: Shopper) -> None:
    shopper.visit("/?sort=name")
    expect(shopper.results.first).to_be_visible()

    shopper.go_offline()
    expect(shopper.page.get_by_text("You are offline. What you see may be out of date.")).to_be_visible()
    shopper.field("Sort by").select_option("Price, low to high")
    expect(shopper.heading("You are offline")).to_be_visible()
    expect(shopper.button("Try again")).to_be_visible()
    shopper.go_online()

    expect(shopper.results.first).to_be_visible()
    expect(shopper.page.get_by_text("You are offline.")).to_be_hidden()


def test_a_fault_of_the_shop_is_owned_with_a_reference_and_can_be_tried_again(shopper: Shopper) -> None:
    shopper.expect_refusal(500)
    problem = '{"title": "Something went wrong", "status": 500, "detail": "Something went wrong on our side.", "code": "error", "request_id": "a1b2c3"}'
    shopper.page.route("**/api/v1/cart", lambda route: route.fulfill(status=500, content_type="application/problem+json", body=problem), times=1)

    shopper.visit("/cart")

    shopper.sees("Something went wrong on our side.", "a1b2c3")
    shopper.button("Try again").click()
    shopper.sees("There is nothing in it yet")


def test_an_address_that_leads_nowhere_gives_a_page_that_leads_on(shopper: Shopper) -> None:
    shopper.expect_refusal(404)
    for path in ("/nowhere", "/products/no-such-thing"):
        shopper.visit(path)
        expect(shopper.heading("This page is not here")).to_be_visible()

    shopper.main.get_by_role("link", name="To the shop").click()

    expect(shopper.heading("New in")).to_be_visible()


# ---- what is chosen stays chosen


def test_the_theme_is_kept_over_pages_and_reloads_and_is_there_from_the_first_paint(shopper: Shopper) -> None:
    shopper.visit("/")
    light = shopper.background()
    shopper.button("Switch to the dark theme").click()
    dark = shopper.background()
    assert dark != light

    shopper.reload()
    assert shopper.background() == dark
    shopper.page.route("**/*.js", lambda route: route.abort())
    shopper.expect_failures()
    shopper.visit("/cart")
    assert shopper.background() == dark


# ---- nobody is led astray


def test_signing_in_never_leads_to_another_site(shopper: Shopper, alice: Person) -> None:
    for address in ("//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)"):
        shopper.visit(f"/login?{urlencode({'next': address})}")
        shopper.sign_in(alice.username)
        shopper.expect_signed_in(alice)
        shopper.page.wait_for_url(f"{shopper.home}/account")
        # Whoever is signed in already is sent on without the form.
        shopper.visit(f"/login?{urlencode({'next': address})}")
        shopper.page.wait_for_url(f"{shopper.home}/account")
        shopper.settle()
        shopper.context.clear_cookies()
