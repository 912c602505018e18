"""A shopper with a browser of their own: says what people do in the shop, and keeps to itself how the pages are made."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, CDPSession, ConsoleMessage, Locator, Page, Request, Response, Route, WebError, expect

MAIL_TIMEOUT = 20  # seconds until the job runner must have delivered
PASSWORD = "walnut-harbour-19"


@dataclass(frozen=True)
class Person:
    """Somebody nobody met before, so that a shop may be visited by the same tests again and again."""

    username: str
    email: str
    password: str = PASSWORD


def somebody(name: str = "alice") -> Person:
    username = f"{name}-{secrets.token_hex(4)}"
    return Person(username, f"{username}@example.com")


def euros(minor: int) -> str:
    return f"€{minor / 100:,.2f}"


def until(happened: Callable[[], bool], page: Page, *, seconds: float = 10) -> None:
    """Wait for what no page shows, while the browser goes on."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} seconds"
        page.wait_for_timeout(50)


@cache
def _read(mail: Path) -> EmailMessage:
    return message_from_bytes(mail.read_bytes(), _class=EmailMessage, policy=policy.default)


class Shopper:
    """Uses one page at a time. What no shopper may ever meet is collected in `complaints`."""

    def __init__(self, context: BrowserContext, home: str, mails: Path) -> None:
        self.context = context
        self.home = home
        self.mails = mails
        self.complaints: list[str] = []
        self.hosts = {urlsplit(home).netloc}
        self._refusals: set[int] = set()
        self._under_way: set[Request] = set()
        self._failing = False
        self.page: Page = context.new_page()
        context.on("console", self._hear)
        context.on("weberror", self._note_fault)
        context.on("request", self._note_request)
        context.on("requestfinished", lambda request: self._under_way.discard(request))
        context.on("requestfailed", self._note_failure)
        context.on("response", self._note_refusal)

    # ---- what may never happen

    def expect_refusal(self, *statuses: int) -> None:
        """The test provokes these answers, so they are no reason to complain."""
        self._refusals.update(statuses)

    def expect_host(self, url: str) -> None:
        """The shop sends its shoppers there, as to a payment service."""
        self.hosts.add(urlsplit(url).netloc)

    def expect_failures(self) -> None:
        """The test cuts the line."""
        self._failing = True

    def _hear(self, message: ConsoleMessage) -> None:
        # A refused request is judged by its status, not by the browser's own line about it.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(f"console: {message.text} ({message.location['url']})")

    def _note_fault(self, error: WebError) -> None:
        self.complaints.append(f"fault: {error.error}")

    def _note_request(self, request: Request) -> None:
        self._under_way.add(request)
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc not in self.hosts:
            self.complaints.append(f"asked another host: {request.url}")

    def _note_failure(self, request: Request) -> None:
        self._under_way.discard(request)
        # Leaving a page ends what it still asked for.
        if not self._failing and request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.method} {request.url} ({request.failure})")

    def _note_refusal(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._refusals:
            self.complaints.append(f"refused: {response.status} {response.request.method} {response.url}")

    # ---- going about

    @property
    def path(self) -> str:
        """Where the shopper is, without the host."""
        address = urlsplit(self.page.url)
        return address.path + (f"?{address.query}" if address.query else "")

    def visit(self, path: str) -> None:
        self.page.goto(path)

    def settle(self) -> None:
        """Wait until the page has all that it asked for."""
        until(lambda: not self._under_way, self.page)
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def reload(self) -> None:
        self.page.reload()

    def go_back(self) -> None:
        """As the browser's button does it: the page may come alive from where it was kept, without loading anything."""
        self.page.go_back(wait_until="commit")

    def resize(self, width: int, *, font_size: int | None = None) -> None:
        """The window, and the size of text that people set in their browser (16 unless they did)."""
        self.page.set_viewport_size({"width": width, "height": 900})
        if font_size:
            self._settings.send("Page.setFontSizes", {"fontSizes": {"standard": font_size}})

    @cached_property
    def _settings(self) -> CDPSession:
        return self.context.new_cdp_session(self.page)

    def go_offline(self) -> None:
        self.expect_failures()
        self.context.set_offline(True)

    def go_online(self) -> None:
        self.context.set_offline(False)

    def leave(self) -> None:
        self.context.close()

    # ---- seeing

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name, exact=True)

    def heading(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("heading", name=name)

    def field(self, label: str) -> Locator:
        return self.page.get_by_label(label, exact=True)

    def dialog(self, name: str) -> Locator:
        return self.page.get_by_role("dialog", name=name)

    @property
    def main(self) -> Locator:
        return self.page.get_by_role("main")

    def sees(self, *texts: str | re.Pattern[str]) -> None:
        """Every text stands somewhere in sight."""
        for text in texts:
            expect(self.main.get_by_text(text).filter(visible=True).first).to_be_visible()

    def sees_problem(self, text: str | re.Pattern[str]) -> None:
        """The summary of problems has the focus and says so."""
        problem = self.page.get_by_role("alert").filter(has=self.heading("There is a problem"))
        expect(problem).to_be_focused()
        expect(problem).to_contain_text(text)

    def expect_cart_count(self, count: int) -> None:
        expect(self.page.locator("cart-badge")).to_have_text(str(count) if count else "")

    def background(self) -> str:
        return str(self.page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    # ---- asking the shop as scripts do

    def api(self, path: str, **params: Any) -> Any:
        answer = self.context.request.get(f"/api/v1{path}", params=params)
        assert answer.ok, f"{answer.status} {path}"
        return answer.json()

    def tell(self, path: str, **data: Any) -> Any:
        answer = self.context.request.post(f"/api/v1{path}", data=data)
        assert answer.ok, f"{path}: {answer.text()}"
        return answer.json() if answer.status != 204 else None

    def find_product(self, fits: Callable[[dict[str, Any]], bool], **params: Any) -> dict[str, Any]:
        """The best-stocked product that fits, so that the same tests never buy a running shop empty."""
        found = [product for product in self.all_products(**params) if fits(product)]
        assert found, "the shop sells nothing that this test needs"
        return max(found, key=lambda product: product["stock"])

    def all_products(self, **params: Any) -> list[dict[str, Any]]:
        products, after = [], None
        while True:
            page = self.api("/products", limit=100, **params, **({"after": after} if after else {}))
            products += page["items"]
            after = page["next"]
            if not after:
                return products

    def something(self) -> dict[str, Any]:
        """A product without choices, in good supply."""
        return self.find_product(lambda product: product["variant_count"] == 1 and product["stock"] >= 5)

    def stock_of(self, product: dict[str, Any]) -> int:
        return int(self.api(f"/products/{product['slug']}")["stock"])

    def something_with_choices(self) -> dict[str, Any]:
        return self.find_product(lambda product: product["variant_count"] > 1)

    def something_scarce(self) -> dict[str, Any]:
        """A product without choices of which the fewest pieces are left."""
        scarce = [product for product in self.all_products(in_stock="true") if product["variant_count"] == 1 and product["stock"] > 0]
        return min(scarce, key=lambda product: int(product["stock"]))

    # ---- shopping

    def search(self, words: str) -> None:
        header = self.page.get_by_role("banner")
        opener = header.get_by_role("button", name="Search", expanded=False)
        if opener.is_visible():  # on phones the box is put away
            opener.click()
        header.get_by_role("combobox", name="Search the shop").fill(words)
        self.page.keyboard.press("Enter")

    def open_product(self, product: dict[str, Any]) -> None:
        self.visit(f"/products/{product['slug']}")

    def add_to_cart(self) -> Locator:
        """Press the button of the product page; gives the drawer that tells."""
        self.button("Add to cart").first.click()
        drawer = self.dialog("Added to your cart")
        expect(drawer).to_be_visible()
        return drawer

    def has_in_cart(self, product: dict[str, Any], quantity: int = 1) -> None:
        """Without the way there: for tests that begin with a filled cart. Of several variants the first that is there."""
        variants = self.api(f"/products/{product['slug']}")["variants"]
        variant = next(one for one in variants if one["stock"] or not one["tracked"])
        self.tell("/cart/items", variant_id=variant["id"], quantity=quantity)

    @property
    def results(self) -> Locator:
        """The products of a list."""
        return self.main.get_by_role("region").get_by_role("listitem").filter(has=self.page.get_by_role("heading", level=3))

    def result(self, title: str) -> Locator:
        return self.results.get_by_role("link", name=title, exact=True)

    def result_titles(self) -> list[str]:
        expect(self.results.first).to_be_visible()
        self.settle()
        return self.results.get_by_role("heading").all_inner_texts()

    @contextmanager
    def expect_saved(self) -> Iterator[None]:
        """The cart tells the shop by itself."""
        with self.page.expect_response(lambda answer: "/cart/items/" in answer.url and answer.ok):
            yield

    def quantity_of(self, title: str) -> Locator:
        return self.page.get_by_role("spinbutton", name=f"Quantity of {title}")

    def line_of(self, title: str) -> Locator:
        """A thing in the cart."""
        return self.main.get_by_role("listitem").filter(has=self.page.get_by_role("heading", name=title, exact=True))

    def fill_address(self, *, email: str | None = None, name: str = "Alice Marlow") -> None:
        """All that the checkout asks; it knows a signed-in shopper's e-mail address."""
        self.field("Country").select_option(label="Germany")
        if email:
            self.field("E-mail").fill(email)
        self.field("Full name").fill(name)
        self.field("Street and house number").fill("12 Orchard Lane")
        self.field("Postcode").fill("20095")
        self.field("Town or city").fill("Hamburg")
        if self.path == "/checkout":  # the address book asks for the same
            self.accept_terms()
        self.settle()  # the country asks for another total, and what it shows may move the button

    def accept_terms(self) -> None:
        self.page.get_by_role("checkbox", name=re.compile("^I accept the terms")).check()

    def choose_payment(self, name: str) -> None:
        self.page.get_by_role("radio", name=re.compile(f"^{name}")).check()

    def place_order(self) -> str:
        """Accept the terms, press the button and arrive at the order; gives its number."""
        self.accept_terms()
        self.button("Place order").click()
        return self.arrive_at_order()

    def arrive_at_order(self) -> str:
        self.page.wait_for_url(re.compile(r"/orders/FC-"))
        expect(self.heading("Thank you. Your order is placed.")).to_be_visible()
        return urlsplit(self.page.url).path.rsplit("/", 1)[-1]

    def check_out_as_guest(self, email: str, *, payment: str = "Cash on delivery") -> str:
        """From a filled cart to a placed order; gives its number."""
        self.visit("/checkout")
        self.fill_address(email=email)
        self.choose_payment(payment)
        return self.place_order()

    def hold_order(self) -> Callable[[], None]:
        """Press "Place order" and keep the request on its way; gives what lets it go."""
        held: list[Route] = []
        self.page.route("**/api/v1/orders", lambda route: held.append(route), times=1)
        self.button("Place order").click()
        until(lambda: bool(held), self.page)
        return held[0].continue_

    def lose_the_answer_to_the_next_order(self) -> list[str]:
        """The shop gets the order, the shopper no answer. The list will hold the number that the shop gave."""
        numbers: list[str] = []

        def lose(route: Route) -> None:
            numbers.append(route.fetch().json()["number"])
            route.abort("connectionreset")

        self.expect_failures()
        self.page.route("**/api/v1/orders", lose, times=1)
        return numbers

    def buy(self, product: dict[str, Any], email: str) -> str:
        self.has_in_cart(product)
        return self.check_out_as_guest(email)

    def cancel_order(self) -> None:
        self.button("Cancel order").click()
        self.dialog("Cancel this order?").get_by_role("button", name="Cancel the order").click()
        expect(self.heading("This order was cancelled")).to_be_visible()

    # ---- the account

    def begin_to_register(self, person: Person) -> None:
        """Up to the page that waits for the code."""
        self.visit("/register")
        self.field("Username").fill(person.username)
        self.field("E-mail").fill(person.email)
        self.field("Password").fill(person.password)
        self.button("Continue").click()
        expect(self.heading("Check your mail")).to_be_visible()

    def enter_code(self, code: str) -> None:
        self.field("Code from the mail").fill(code)
        self.button("Confirm").click()

    def register(self) -> Person:
        """As people do it."""
        person = somebody()
        self.begin_to_register(person)
        self.enter_code(self.code_from_mail(person.email))
        self.expect_signed_in(person)
        return person

    def join(self, name: str = "alice") -> Person:
        """Has an account and is signed in, without the way there: for tests of what comes after."""
        person = somebody(name)
        begun = self.tell("/auth/register", username=person.username, email=person.email, password=person.password)
        self.tell("/auth/verify", challenge=begun["challenge"], otp=self.code_from_mail(person.email))
        return person

    def come_back(self, person: Person) -> None:
        """Is signed in, without the form."""
        self.tell("/auth/login", identifier=person.username, password=person.password)

    def is_sent_to_sign_in(self) -> None:
        """By a page that is for one person only."""
        self.page.wait_for_url("**/login?*")

    def sign_in(self, identifier: str, password: str = PASSWORD, *, at: str = "/login") -> None:
        """Fill the form and send it, whatever comes of it."""
        if at not in self.path:
            self.visit(at)
        self.field("Username or e-mail").fill(identifier)
        self.field("Password").fill(password)
        self.main.get_by_role("button", name="Sign in").click()

    def expect_signed_in(self, person: Person) -> None:
        expect(self.page.get_by_role("banner").get_by_role("link", name=f"Account of {person.username}")).to_be_visible()

    def expect_signed_out(self) -> None:
        expect(self.page.get_by_role("banner").get_by_role("link", name="Sign in")).to_be_visible()

    def sign_out(self) -> None:
        self.visit("/account")
        self.button("Sign out").click()
        self.expect_signed_out()

    # ---- mail

    def mails_to(self, address: str, about: str = "") -> list[EmailMessage]:
        """Newest first."""
        files = sorted(self.mails.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [mail for mail in map(_read, files) if address in str(mail["To"]) and about in str(mail["Subject"])]

    def mail_to(self, address: str, about: str) -> EmailMessage:
        """The newest mail to this address whose subject holds the words; waits for the job runner to deliver it."""
        until(lambda: bool(self.mails_to(address, about)), self.page, seconds=MAIL_TIMEOUT)
        return self.mails_to(address, about)[0]

    def code_from_mail(self, address: str, about: str = "is your code") -> str:
        found = re.match(r"[\d ]+", str(self.mail_to(address, about)["Subject"]))
        assert found, "the mail has no code"
        return found[0].strip()
