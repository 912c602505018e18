"""A real shop and real browsers. E2E_BASE_URL and E2E_MAIL_DIR point the journeys at a shop that runs already (best with LIMITS=off)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from shop import Shop, running_shop, started_shop
from shopper import PASSWORD, Person, Shopper

# On a machine that is busy with other things, all comes later, and is right all the same.
expect.set_options(timeout=10_000)

ADA = Person("ada", "ada@example.com")
SELLER = {"name": "Ada Quill", "line1": "3 Corner Street", "city": "York", "postcode": "YO1 7HH", "country": "GB", "email": "shop@example.com"}


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """The running shop that testers name, else one that we start."""
    if found := running_shop():
        yield found
        return
    with started_shop() as started:
        yield started


@pytest.fixture(scope="session")
def own_shop(shop: Shop) -> Iterator[Shop]:
    """A shop that nobody has set up and into whose folder the tests may reach: the visited one if we started it, else one more."""
    if shop.var:
        yield shop
        return
    with started_shop() as started:
        yield started


@pytest.fixture(scope="session")
def owned_shop(browser: Browser) -> Iterator[Shop]:
    """One more, with its demo goods and Ada as its admin, who may change it as she likes."""
    with started_shop() as started:
        ada = come_in(browser, started)
        admin = {"username": ADA.username, "email": ADA.email, "password": PASSWORD}
        ada.tell("/setup", token=started.setup_token, name="Corner Shop", seller=SELLER, currency="EUR", admin=admin)
        ada.leave()
        yield started


def installed_browser() -> str | None:
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


# What Playwright itself switches off, whose list this one replaces, and the suggestions below an address bar that nobody sees:
# two pages of its own in every window, which took a quarter of all that the browser reckons.
SWITCHED_OFF = (
    "AimEnabled,AvoidCorsURLLoaderRestartOnRedirect,AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsFirstBalancedModeAutoEnable,"
    "HttpsUpgrades,LensOverlay,MediaRouter,NetworkTimeServiceQuerying,OptimizationHints,PaintHolding,PreconnectToSearch,ThirdPartyStoragePartitioning,"
    "WebUIOmniboxAimPopup,WebUIOmniboxPopup"
)


@contextmanager
def started_browser() -> Iterator[Browser]:
    """The machine's Chromium, or the one that `playwright install` fetched."""
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", f"--disable-features={SWITCHED_OFF}"]
    no_sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=installed_browser(),
            args=quiet + no_sandbox,
            # Shoppers' browsers keep the page they leave; Playwright switches that off.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all; each shopper gets a context of it."""
    with started_browser() as started:
        yield started


def come_in(browser: Browser, shop: Shop) -> Shopper:
    context = browser.new_context(base_url=shop.url, viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(10_000)
    return Shopper(context, shop.url, shop.mails)


@pytest.fixture(scope="session")
def alice(browser: Browser, shop: Shop) -> Person:
    """Has an account, for tests that only want to sign in."""
    shopper = come_in(browser, shop)
    person = shopper.join()
    shopper.leave()
    return person


@pytest.fixture(scope="session")
def _member_at_home(browser: Browser, shop: Shop) -> list[Any]:
    shopper = come_in(browser, shop)
    shopper.join("mia")
    cookies = shopper.context.cookies()
    shopper.leave()
    return cookies


@pytest.fixture(scope="session")
def _ada_at_home(browser: Browser, owned_shop: Shop) -> list[Any]:
    shopper = come_in(browser, owned_shop)
    shopper.come_back(ADA)
    cookies = shopper.context.cookies()
    shopper.leave()
    return cookies


@pytest.fixture
def new_shopper(browser: Browser, shop: Shop) -> Iterator[Callable[..., Shopper]]:
    """Lets somebody come in with a browser of their own, into the visited shop or `at=` another.

    At the end no page may have logged an error, and nothing may have been asked of another host.
    """
    made: list[Shopper] = []

    def make(*, at: Shop = shop) -> Shopper:
        made.append(come_in(browser, at))
        return made[-1]

    yield make
    complaints = [complaint for shopper in made for complaint in shopper.complaints]
    for shopper in made:
        shopper.leave()
    assert not complaints, "\n".join([*complaints, *shop.faults()])


@pytest.fixture
def shopper(new_shopper: Callable[..., Shopper]) -> Shopper:
    return new_shopper()


@pytest.fixture
def member(shopper: Shopper, _member_at_home: list[Any]) -> Shopper:
    """Somebody signed in since a while, for tests that change nothing of it: to check a password takes the machine a while, on purpose."""
    shopper.context.add_cookies(_member_at_home)
    return shopper


@pytest.fixture
def owner(new_shopper: Callable[..., Shopper], owned_shop: Shop, _ada_at_home: list[Any]) -> Shopper:
    """Ada, signed in since a while."""
    owner = new_shopper(at=owned_shop)
    owner.context.add_cookies(_ada_at_home)
    return owner


@pytest.fixture
def new_owner(new_shopper: Callable[..., Shopper], owned_shop: Shop) -> Iterator[Shopper]:
    """Ada, who signed in just now and has proved nothing yet."""
    owner = new_shopper(at=owned_shop)
    owner.expect_refusal(403)
    owner.come_back(ADA)
    yield owner
    owner.tell("/auth/logout")  # one has few devices, and the oldest would be signed out
