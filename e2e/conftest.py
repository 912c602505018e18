"""A real shop and real browsers. E2E_BASE_URL and E2E_MAIL_DIR point the journeys at a shop that runs already (best with LIMITS=off)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from shop import Shop, running_shop, started_shop
from shopper import Shopper


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
    """A shop into whose database the tests may reach: the visited one if we started it, else one more."""
    if shop.var:
        yield shop
        return
    with started_shop() as started:
        yield started


@pytest.fixture
def untouched_shop() -> Iterator[Shop]:
    """A shop that has no owner yet, for one test alone."""
    with started_shop() as started:
        yield started


def installed_browser() -> str | None:
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, or the one that `playwright install` fetched."""
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
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


@pytest.fixture
def new_shopper(browser: Browser, shop: Shop) -> Iterator[Callable[..., Shopper]]:
    """Makes a shopper with a browser of their own: `new_shopper(width=390, theme="dark")`.

    At the end no page may have logged an error, and nothing may have been asked of another host.
    """
    made: list[Shopper] = []

    def make(*, width: int = 1280, height: int = 900, theme: str = "light", at: Shop = shop) -> Shopper:
        context = browser.new_context(base_url=at.url, viewport={"width": width, "height": height}, color_scheme=theme, has_touch=width < 600, locale="en-GB")
        context.set_default_timeout(10_000)
        made.append(Shopper(context, at.url, at.mails))
        return made[-1]

    yield make
    complaints = [complaint for shopper in made for complaint in shopper.complaints]
    for shopper in made:
        shopper.leave()
    assert complaints == []


@pytest.fixture
def shopper(new_shopper: Callable[..., Shopper]) -> Shopper:
    return new_shopper()
