"""A real shop and real browsers. E2E_BASE_URL and E2E_MAIL_DIR point the journeys at a shop that runs already."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from shopper import Shopper

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT = 120  # seconds, a fetched database server included


@dataclass(frozen=True)
class Shop:
    """Where the shop is, and where its mails are files."""

    url: str
    mails: Path
    var: Path | None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        assert process.poll() is None, "the shop ended while it should start"
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"the shop did not answer within {START_TIMEOUT} seconds")


@contextmanager
def started_shop() -> Iterator[Shop]:
    """A shop as users start it, with the demo catalogue, in a folder of its own."""
    var = Path(tempfile.mkdtemp(prefix="shop-e2e-"))
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DB_", "MAIL_", "SHOP_"))}
    environment |= {"SHOP_VAR": str(var), "PORT": str(port), "HOST": "127.0.0.1", "LIMITS": "off", "SHOP_DEMO": "1"}
    with (var / "output").open("wb") as output:
        process = subprocess.Popen([sys.executable, str(ROOT / "backend" / "run.py")], env=environment, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url, process)
        yield Shop(url, var / "mail", var)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)
        shutil.rmtree(var, ignore_errors=True)


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """The shop that is visited: one that we start, or the running one of E2E_BASE_URL."""
    if url := os.environ.get("E2E_BASE_URL"):
        yield Shop(url.rstrip("/"), Path(os.environ.get("E2E_MAIL_DIR", ROOT / "var" / "mail")), None)
        return
    with started_shop() as started:
        yield started


def _installed_browser() -> str | None:
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, or the one that `playwright install` fetched."""
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    no_sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=_installed_browser(),
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

    def make(*, width: int = 1280, height: int = 900, theme: str = "light") -> Shopper:
        context = browser.new_context(base_url=shop.url, viewport={"width": width, "height": height}, color_scheme=theme, has_touch=width < 600, locale="en-GB")
        context.set_default_timeout(10_000)
        made.append(Shopper(context, shop.url, shop.mails))
        return made[-1]

    yield make
    complaints = [complaint for shopper in made for complaint in shopper.complaints]
    for shopper in made:
        shopper.leave()
    assert complaints == []


@pytest.fixture
def shopper(new_shopper: Callable[..., Shopper]) -> Shopper:
    return new_shopper()
