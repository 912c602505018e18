"""Pictures of the real pages for the README: `python e2e/screenshots.py`, of a shop of its own or of the one of E2E_BASE_URL."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "backend"))

from conftest import started_browser
from shop import Shop, running_shop, started_shop
from shopper import Shopper

FOLDER = Path(__file__).with_name("screenshots")
QUALITY = 82


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(exist_ok=True)
    found = running_shop()
    with contextlib.nullcontext(found) if found else started_shop() as shop, started_browser() as browser:
        window = visitor(browser, shop)
        window.visit("/")
        take(window, "home")
        window.visit("/products/trail-bottle")
        take(window, "product")
        by_night = visitor(browser, shop, theme="dark")
        fill_cart(by_night)
        by_night.visit("/checkout")
        by_night.fill_address(email="alice@example.com")
        take(by_night, "checkout-dark")
        on_the_phone = visitor(browser, shop, width=390, height=844, scale=2)
        fill_cart(on_the_phone)
        on_the_phone.visit("/cart")
        take(on_the_phone, "cart-phone")
        fill_cart(window)
        window.check_out_as_guest("alice@example.com")
        take(window, "order")


def visitor(browser: Browser, shop: Shop, *, width: int = 1280, height: int = 860, theme: str = "light", scale: float = 1) -> Shopper:
    context = browser.new_context(
        base_url=shop.url,
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        color_scheme=theme,
        reduced_motion="reduce",
        locale="en-GB",
    )
    return Shopper(context, shop.url, shop.mails)


def fill_cart(shopper: Shopper) -> None:
    for slug in ("harbour-mug", "north-window-teapot", "day-rucksack"):
        shopper.has_in_cart(shopper.api(f"/products/{slug}"))


def take(shopper: Shopper, name: str) -> None:
    shopper.settle()
    shopper.page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
    path = FOLDER / f"{name}.jpg"
    shopper.page.screenshot(path=path, type="jpeg", quality=QUALITY)
    print(f"{path.name}: {path.stat().st_size // 1024} KB")
    assert not shopper.complaints, shopper.complaints


if __name__ == "__main__":
    main()
