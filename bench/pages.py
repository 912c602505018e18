"""./shop bench pages: what the pages weigh and how fast they are there, on a lab phone.

A shop of its own with the demo catalogue, headless Chromium with an empty cache for every visit, 150 ms latency, 1.6 Mbit/s, CPU four times
slower. A request counts as before the LCP when it was begun before the largest thing was painted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from lab.measure import Finding, conclude
from lab.shops import PASSWORD, opened
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

PHONE: dict[str, Any] = {"viewport": {"width": 412, "height": 823}, "device_scale_factor": 1.75, "is_mobile": True, "has_touch": True, "locale": "en-GB"}
LINE = {"offline": False, "latency": 150, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8}
SLOWER = 4
QUIET_MS = 1500  # nothing asked for so long: the page is there
ADDRESS = {"name": "Ada Marlow", "line1": "12 Orchard Lane", "city": "Hamburg", "postcode": "20095", "country": "DE"}

WATCH = """
window.seen = { lcp: 0, what: '', cls: 0, tasks: [] };
const watch = (type, each) => new PerformanceObserver((list) => list.getEntries().forEach(each)).observe({ type, buffered: true });
watch('largest-contentful-paint', (entry) => { seen.lcp = entry.startTime; seen.what = entry.element?.className || entry.element?.localName || entry.url; });
watch('layout-shift', (entry) => { if (!entry.hadRecentInput) seen.cls += entry.value; });
watch('longtask', (entry) => { seen.tasks.push([entry.startTime, entry.duration]); });
"""
READ = """() => {
  const asked = performance.getEntriesByType('resource');
  const painted = performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0;
  const bytes = (fits) => asked.filter(({ name }) => fits(new URL(name).pathname)).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0);
  return {
    before_lcp: 1 + asked.filter(({ startTime }) => startTime < seen.lcp).length, requests: 1 + asked.length,
    js: bytes((path) => path.endsWith('.js')), css: bytes((path) => path.endsWith('.css')), lcp: seen.lcp, what: seen.what, cls: seen.cls,
    tbt: seen.tasks.filter(([start]) => start > painted).reduce((sum, [, long]) => sum + Math.max(0, long - 50), 0), asked: asked.map(({ name }) => name),
  };
}"""


@dataclass(frozen=True)
class Bars:
    """The most that is allowed: bytes, requests, milliseconds, and the shift."""

    js: float
    css: float
    before_lcp: float
    requests: float
    lcp: float
    tbt: float
    cls: float


SHOP = Bars(js=40 * 1024, css=20 * 1024, before_lcp=12, requests=30, lcp=1200, tbt=50, cls=0.02)
ADMIN = Bars(js=90 * 1024, css=25 * 1024, before_lcp=20, requests=40, lcp=2000, tbt=150, cls=0.05)
COLUMNS = {"js": 1024, "css": 1024, "before_lcp": 1, "requests": 1, "lcp": 1, "tbt": 1, "cls": 1}
TITLES = {"js": "JS KB", "css": "CSS KB", "before_lcp": "before LCP", "requests": "requests", "lcp": "LCP ms", "tbt": "TBT ms", "cls": "CLS"}


@contextmanager
def started_browser() -> Iterator[Browser]:
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    no_sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--disable-background-networking", "--no-first-run", *no_sandbox])
        yield browser
        browser.close()


def asked(context: BrowserContext, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    answer = context.request.fetch(f"/api/v1{path}", method=method, data=body, headers=headers)
    if not answer.ok:
        sys.exit(f"{method} {path}: {answer.status} {answer.text()}")
    return answer.json()


def prepared(browser: Browser, url: str) -> tuple[Any, list[tuple[str, str, Bars]]]:
    """An admin with a past order and a filled cart, and the pages that they walk."""
    context = browser.new_context(base_url=url)
    asked(context, "POST", "/auth/login", {"identifier": "ada", "password": PASSWORD})
    goods = asked(context, "GET", "/products?in_stock=true&limit=100")["items"]
    pick = max((one for one in goods if one["variant_count"] == 1), key=lambda one: int(one["stock"]))
    category = next(one["category"]["slug"] for one in goods if one["category"])
    put = {"product_id": pick["id"], "quantity": 2}
    asked(context, "POST", "/cart/items", put)
    order = {"address": ADDRESS, "shipping_method": asked(context, "POST", "/checkout/quote", {"address": {"country": "DE"}})["shipping_method"]}
    number = asked(context, "POST", "/orders", order | {"payment_method": "cash_on_delivery"}, **{"Idempotency-Key": "bench-pages-order"})["number"]
    asked(context, "POST", "/cart/items", put)
    state = context.storage_state()
    context.close()
    shop = {"home": "/", "category": f"/?category={category}", "search": f"/?q={pick['title'].split()[0]}", "product": f"/products/{pick['slug']}"}
    shop |= {"cart": "/cart", "checkout": "/checkout", "sign-in": "/login", "orders": "/orders", "order": f"/orders/{number}"}
    admin = {"admin overview": "/admin", "admin products": "/admin/products", "admin orders": "/admin/orders"}
    return state, [*((name, path, SHOP) for name, path in shop.items()), *((name, path, ADMIN) for name, path in admin.items())]


def until_quiet(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    before = -1
    while (now := int(page.evaluate("performance.getEntriesByType('resource').length"))) != before:
        before = now
        page.wait_for_timeout(QUIET_MS)


def visit(browser: Browser, url: str, path: str, state: Any) -> dict[str, Any]:
    # Whoever is signed in is sent away from the page where one signs in.
    context = browser.new_context(base_url=url, **PHONE, storage_state=None if path == "/login" else state)
    page = context.new_page()
    page.add_init_script(WATCH)
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    line.send("Network.emulateNetworkConditions", LINE)
    line.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(path, wait_until="commit")
    until_quiet(page)
    found: dict[str, Any] = page.evaluate(READ)
    context.close()
    return found


def measured(visits: list[dict[str, Any]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in visits) for name in COLUMNS}


def cell(name: str, value: float, most: float) -> str:
    shown = f"{value / COLUMNS[name]:.3f}" if name == "cls" else f"{value / COLUMNS[name]:.1f}" if COLUMNS[name] > 1 else f"{value:.0f}"
    return shown + (" !" if value > most else "  ")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop bench pages", description="What do the pages weigh, and how fast are they there on a phone?")
    parser.add_argument("--visits", type=int, default=3, help="of each page; their median counts")
    parser.add_argument("--only", help="pages whose name holds this word")
    parser.add_argument("--requests", action="store_true", help="list what each page asks for")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if (load := os.getloadavg()[0]) > 1:
        print(f"The machine is busy already (load {load:.1f}): requests and bytes are exact, but times will be longer than they are.")
    print(f"{'':16}" + "".join(f"{title:>13}" for title in TITLES.values()))
    with opened("pages", SHOP_DEMO="1") as shop, started_browser() as browser:
        shop.admin("ada", "ada@example.com")
        url = f"http://127.0.0.1:{shop.port}"
        state, walk = prepared(browser, url)
        for name, path, bars in [one for one in walk if (options.only or "") in one[0]]:
            visits = [visit(browser, url, path, state) for _ in range(options.visits)]
            found, most = measured(visits), asdict(bars)
            rows.append({"page": name, "path": path, **found, "largest": visits[-1]["what"], "holds": all(found[one] <= most[one] for one in COLUMNS)})
            print(f"{name:16}" + "".join(f"{cell(one, found[one], most[one]):>13}" for one in COLUMNS) + f"  {visits[-1]['what']}", flush=True)
            if options.requests:
                print("\n".join(f"    {one.removeprefix(url)}" for one in visits[-1]["asked"]))
    for name, bars in (("bars, shop", SHOP), ("bars, admin", ADMIN)):
        print(f"{name:16}" + "".join(f"{cell(one, most, most):>13}" for one, most in asdict(bars).items()))
    return conclude("pages", findings(rows), load_by="one browser", pages=rows)


def findings(rows: list[dict[str, Any]]) -> list[Finding]:
    """The worst page for each bar of the shop and of the admin area."""
    found = []
    for kind, bars in (("shop", SHOP), ("admin", ADMIN)):
        of_kind = [row for row in rows if row["page"].startswith("admin ") == (kind == "admin")]
        for name, most in asdict(bars).items() if of_kind else ():
            worst = max(of_kind, key=lambda row, name=name: row[name])
            title, _, unit = TITLES[name].partition(" ") if COLUMNS[name] > 1 or name in ("lcp", "tbt") else (TITLES[name], "", "")
            found.append(Finding(f"page {worst['page']}: {title}", worst[name] / COLUMNS[name], unit, goal=most / COLUMNS[name], at_most=True))
    return found


if __name__ == "__main__":
    sys.exit(main())
