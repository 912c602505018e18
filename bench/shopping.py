"""./shop bench shopping: does a shop under mixed load fail, keep anybody waiting, or grow?

Sixteen clients, each on a line that it keeps and without a pause: 80 of 100 requests look around (lists, categories, searches, suggestions,
products, pages with their pictures, scripts and styles), 15 fill and change carts, 5 ask what an order costs and place it. Every third visit
is that of somebody signed in. Every refusal and every broken line is a fault; what was acknowledged is looked for in the database afterwards.
Memory is compared with what it was after the first minute, in which the workers' caches fill.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import random
import re
import secrets
import statistics
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "drills"))

from frame import ORDER, Histories, address_of, judge, put_on_shelf
from histories import HASHED, bar
from lab.drawing import Lines
from lab.measure import CLIENTS, Finding, conclude, memory_mb, percentile, processor_ms
from lab.shops import PASSWORD, Client, Shop, opened

from app import db
from app.db import Tx
from app.private_database import LEAST_POOL, PrivateDatabase
from app.services import catalogue

PROCESSES = 4  # of the clients
THINGS = 200  # beside the demo catalogue, and enough of each for any number of orders
WARM_UP = 60.0  # seconds in which caches fill; at most a quarter of the whole
LOOK_EVERY = 2.0  # seconds between looks at the memory
SLOW_MS, GROWTH = 100, 5  # the goals: milliseconds, and percent
WORDS = ("mug", "linen", "lamp", "oak", "thing", "garden", "wool", "thing 12", "notebook", "blue", "candle", "knife", "soap", "chair", "gift")
DOINGS = {"look": 80.0, "cart": 15.0, "order": 2.5}  # an order is two requests
LOOKS = {"list": 16, "category": 12, "search": 10, "suggestions": 10, "detail": 14, "page": 16, "picture": 8, "asset": 10, "session": 4}
MOST_LINES = 4
STAYS = 0.97  # how likely a visit goes on after each look


@dataclass(frozen=True)
class Goods:
    """What there is to be asked for: paths by kind, and the variants that never run out."""

    paths: dict[str, list[str]]
    variants: list[int]


@dataclass
class Told:
    """What a process of clients met."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    slowest: list[tuple[float, float, str, str]] = field(default_factory=list)  # milliseconds, seconds since the beginning, kind, path
    orders: list[tuple[str, str]] = field(default_factory=list)
    order_times: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    processor_s: float = 0.0


class Shopper(threading.Thread):
    def __init__(self, number: int, port: int, goods: Goods, account: str, histories: Histories, began: float, until: float) -> None:
        super().__init__(daemon=True)
        self.number, self.goods, self.account, self.histories, self.began, self.until = number, goods, account, histories, began, until
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.told = Told()
        self.chance = random.Random(number)
        self.cookie, self.items = "", []  # of this visit

    def run(self) -> None:
        self.begin_visit()
        while time.monotonic() < self.until:
            (doing,) = self.chance.choices(list(DOINGS), list(DOINGS.values()))
            getattr(self, doing)()

    def begin_visit(self) -> None:
        signed_in = self.chance.random() < 1 / 3
        self.cookie, self.items = (self.account, []) if signed_in else ("", [])

    def look(self) -> None:
        (kind,) = self.chance.choices(list(LOOKS), list(LOOKS.values()))
        self.ask(kind, "GET", self.chance.choice(self.goods.paths[kind]))
        if self.chance.random() > STAYS:
            self.begin_visit()

    def cart(self) -> None:
        kinds = ["add", "read cart"] if not self.items else ["remove"] if len(self.items) >= MOST_LINES else ["add", "add", "change", "remove", "read cart"]
        kind = self.chance.choice(kinds)
        if kind == "add":
            found = self.ask(kind, "POST", "/api/v1/cart/items", {"variant_id": self.chance.choice(self.goods.variants), "quantity": 1})
        elif kind == "change":
            found = self.ask(kind, "PATCH", f"/api/v1/cart/items/{self.chance.choice(self.items)}", {"quantity": self.chance.randint(1, 3)})
        elif kind == "remove":
            found = self.ask(kind, "DELETE", f"/api/v1/cart/items/{self.chance.choice(self.items)}")
        else:
            found = self.ask(kind, "GET", "/api/v1/cart")
        self.items = [item["id"] for item in found.get("items", [])]

    def order(self) -> None:
        while not self.items and time.monotonic() < self.until:
            self.cart()
        if not self.items:
            return
        key = secrets.token_hex(8)
        self.ask("quote", "POST", "/api/v1/checkout/quote", {"address": {"country": "BE"}, "shipping_method": "standard"})
        self.ask("order", "POST", "/api/v1/orders", ORDER | {"email": f"{key}@example.com"}, key)
        self.begin_visit()

    def ask(self, kind: str, method: str, path: str, body: Any = None, key: str = "") -> dict[str, Any]:
        """What came, if it was JSON. Whatever is no success is a fault."""
        headers = {"Accept-Encoding": "gzip"} if kind in ("page", "asset") else {}
        headers |= {"Cookie": self.cookie} if self.cookie else {}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Idempotency-Key": key} if key else {}
        sent = json.dumps(body) if body is not None else None
        began = time.perf_counter()
        try:
            self.line.request(method, path, sent, headers)
            answer = self.line.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.line.close()
            self.told.faults.append(f"{method} {path}: {type(error).__name__}: {error}")
            return {}
        took = (time.perf_counter() - began) * 1000
        self.told.times[kind].append(took)
        if took > SLOW_MS / 2:
            self.told.slowest.append((took, time.monotonic() - self.began - took / 1000, kind, path))
        for cookie in answer.headers.get_all("Set-Cookie", []):
            if cookie.startswith(("session=", "__Host-session=")):
                self.cookie = cookie.partition(";")[0]
        found: dict[str, Any] = json.loads(content) if "json" in answer.headers["Content-Type"] and kind not in LOOKS else {}
        if method != "GET":
            self.histories.note(self.number, key, path, answer.status, took / 1000, found.get("number", "") if key else "")
        if answer.status >= 300:
            self.told.faults.append(f"{method} {path} answered {answer.status}: {content.decode(errors='replace')[:200]}")
        return found if answer.status < 300 else {}


def shop_together(first: int, port: int, goods: Goods, accounts: list[str], folder: Path, began: float, until: float) -> Told:
    """Several clients, one for each account, as threads of this process."""
    histories = Histories(folder / f"histories-{first}.jsonl")
    shoppers = [Shopper(number, port, goods, account, histories, began, until) for number, account in enumerate(accounts, first)]
    for shopper in shoppers:
        shopper.start()
    for shopper in shoppers:
        shopper.join()
    together = Told(orders=histories.told, order_times=histories.times, processor_s=time.process_time())
    for shopper in shoppers:
        add(together, shopper.told)
    return together


def add(together: Told, one: Told) -> None:
    for kind, times in one.times.items():
        together.times[kind] += times
    together.slowest += one.slowest
    together.faults += one.faults
    together.orders += one.orders
    together.order_times += one.order_times
    together.processor_s += one.processor_s


# ---------------------------------------------------------------- what there is


def goods_of(shop: Shop) -> Goods:
    variants = sorted(put_on_shelf(address_of(shop), THINGS))[-THINGS:]
    client = Client(shop.port)

    def got(path: str) -> Any:
        status, content, _ = client.get(path)
        if status != 200:
            raise RuntimeError(f"{path} answered {status}")
        return json.loads(content) if path.startswith("/api") else content.decode()

    lists, items, after = [], [], ""
    while after is not None:
        path = f"/api/v1/products?limit=24{f'&after={after}' if after else ''}"
        page = got(path)
        lists.append(path)
        items += page["items"]
        after = page["next"]
    categories = [one["slug"] for one in got("/api/v1/categories")["items"]]
    paths = {
        "list": [*lists, *(f"/api/v1/products?sort={sort}" for sort in catalogue.SORTS), "/api/v1/categories"],
        "category": [f"/api/v1/products?category={slug}{more}" for slug in categories for more in ("", "&in_stock=true", "&price_max=3000")],
        "search": [f"/api/v1/products?q={word.replace(' ', '+')}{more}" for word in WORDS for more in ("", "&in_stock=true", "&rating_min=4")],
        "suggestions": [f"/api/v1/search/suggestions?q={word[:end].replace(' ', '+')}" for word in WORDS for end in (2, 3, 4)],
        "detail": [f"/api/v1/products/{one['slug']}{more}" for one in items for more in ("", "/related")],
        "page": ["/", "/cart", "/login", "/contact", *(f"/?category={slug}" for slug in categories), *(f"/products/{one['slug']}" for one in items)],
        "picture": [one["image"]["src"] for one in items if one["image"]],
        "asset": sorted(set(re.findall(r'"(/s/[^"]+\.(?:js|css|svg))"', got("/") + got(f"/products/{items[0]['slug']}") + got("/cart")))),
        "session": ["/api/v1/auth/session", "/api/v1/shop"],
    }
    return Goods(paths, variants)


def signed_in(shop: Shop, count: int) -> list[str]:
    """The cookies of so many new accounts. To sign in costs much on purpose, so it is done before the clock runs."""
    columns = "username, username_key, email, email_key, password_hash, role, status, created_at, updated_at"
    sql = f"INSERT INTO users ({columns}) VALUES (%s, %s, %s, %s, %s, 'customer', 'active', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"

    def make(tx: Tx) -> None:
        for number in range(count):
            name, email = f"shopper{number}", f"shopper{number}@example.com"
            tx.execute(sql, (name, name, email, email, HASHED)).close()

    db.open(address_of(shop), size=1)
    try:
        db.transaction(make)
    finally:
        db.close()
    clients = [Client(shop.port) for _ in range(count)]
    for number, client in enumerate(clients):
        client.post("/api/v1/auth/login", {"identifier": f"shopper{number}", "password": PASSWORD})
    return [client.cookie for client in clients]


def fill_the_pool(shop: Shop) -> None:
    """Have MariaDB use all of the memory that it was given for pages, as it does in a shop that has been open for long: to get there is no growth."""
    connection = db.connect(PrivateDatabase(shop.var).address(owner=True), statement_timeout=60)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE warm_up (id INT AUTO_INCREMENT PRIMARY KEY, half_a_page VARBINARY(7500) NOT NULL)")
    cursor.execute("INSERT INTO warm_up (half_a_page) VALUES (REPEAT('x', 7500))")
    for _ in range(math.ceil(math.log2(LEAST_POOL / 7500))):
        cursor.execute("INSERT INTO warm_up (half_a_page) SELECT half_a_page FROM warm_up")
        connection.commit()
    cursor.execute("DROP TABLE warm_up")
    connection.close()


# ---------------------------------------------------------------- what it holds meanwhile


@dataclass
class Watched:
    """Megabytes of the shop's processes, and the processor time that they took."""

    shop: Shop
    began: float
    at: list[float] = field(default_factory=list)
    memory: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def groups(self) -> dict[str, list[int]]:
        *web, jobs = self.shop.workers()
        return {"supervisor": [self.shop.pid], "database": [self.shop.database()], "web workers": web, "job worker": [jobs]}

    def look(self) -> None:
        self.at.append(time.monotonic() - self.began)
        for name, pids in self.groups().items():
            self.memory[name].append(memory_mb(pids))

    def processor_s(self) -> dict[str, float]:
        return {name: processor_ms(pids) / 1000 for name, pids in self.groups().items()}

    def growth(self, warm_up: float) -> dict[str, float]:
        """Megabytes after the warm-up and at the end, of all and of each; medians of several looks, since a look may meet a moment's work."""
        sums = {"all": [sum(at_once) for at_once in zip(*self.memory.values(), strict=True)], **self.memory}
        first = next(place for place, at in enumerate(self.at) if at >= warm_up)
        some = max(1, min(8, (len(self.at) - first) // 3))
        return {name: (statistics.median(values[first : first + some]), statistics.median(values[-some:])) for name, values in sums.items()}

    def lines(self) -> Lines:
        """Some twenty places, so that they can be read in a picture."""
        step = max(1, math.ceil(len(self.at) / 20))
        return Lines("Memory while shopping", "MB", [f"{at:.0f} s" for at in self.at[::step]], {name: values[::step] for name, values in self.memory.items()})


# ---------------------------------------------------------------- all of it


def shop_for(shop: Shop, seconds: float) -> tuple[Told, Watched, dict[str, float]]:
    """Everybody shops for so long; gives what they met, what the shop held, and the seconds of a processor that each part of it took."""
    fill_the_pool(shop)
    goods, accounts = goods_of(shop), signed_in(shop, CLIENTS)
    began = time.monotonic()
    watched = Watched(shop, began)
    before, workers = watched.processor_s(), shop.workers()
    each = CLIENTS // PROCESSES
    with ProcessPoolExecutor(PROCESSES) as pool:
        futures: list[Future[Told]] = [
            pool.submit(shop_together, first, shop.port, goods, accounts[first : first + each], shop.folder, began, began + seconds)
            for first in range(0, CLIENTS, each)
        ]
        while time.monotonic() < began + seconds:
            watched.look()
            bar(min(int(seconds), int(time.monotonic() - began)), int(seconds))
            time.sleep(min(LOOK_EVERY, max(0.0, began + seconds - time.monotonic())))
        told = Told()
        for future in futures:
            add(told, future.result())
    bar(int(seconds), int(seconds))
    if shop.workers() != workers:
        told.faults.append("A worker did not live to the end.")
    return told, watched, {name: later - before[name] for name, later in watched.processor_s().items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop bench shopping", description="Does a shop under mixed load fail, keep anybody waiting, or grow?")
    parser.add_argument("--seconds", type=int, default=600)
    seconds = parser.parse_args().seconds
    warm_up = min(WARM_UP, seconds / 4)
    with opened("shopping", SHOP_DEMO="1") as shop:
        told, watched, processor_s = shop_for(shop, seconds)
        histories = Histories(shop.folder / "histories.jsonl")
        histories.told, histories.times, histories.faults = told.orders, sorted(told.order_times), told.faults
        verdict = judge("shopping", histories, address_of(shop))
    everything = [one for times in told.times.values() for one in times]
    held = watched.growth(warm_up)
    grown = {name: 100 * (late / early - 1) for name, (early, late) in held.items()}
    findings = [
        Finding("shopping, requests", len(everything) / seconds, "/s"),
        Finding("shopping, faults", len(told.faults), "", goal=0, at_most=True),
        Finding("shopping, orders lost or doubled", verdict.lost + verdict.doubled, f"of {verdict.acknowledged:,}", goal=0, at_most=True),
        Finding("shopping, invariants broken", int(bool(verdict.invariant)), verdict.invariant, goal=0, at_most=True),
        Finding("shopping, memory grown after a minute", grown["all"], "%", goal=GROWTH, at_most=True),
        Finding("shopping, p50 of all requests", percentile(everything, 50), "ms"),
        Finding("shopping, p99 of all requests", percentile(everything, 99), "ms", goal=SLOW_MS, at_most=True),
        *(Finding(f"p99, {kind} ({len(times):,})", percentile(times, 99), "ms") for kind, times in sorted(told.times.items()) if len(times) >= 100),
    ]
    print(f"\n{'':14}{'MB early':>10}{'MB late':>10}{'grown %':>10}{'processor ms per request':>27}")
    for name, (early, late) in held.items():
        cost = f"{1000 * processor_s[name] / len(everything):27.2f}" if name in processor_s else ""
        print(f"{name:14}{early:10.1f}{late:10.1f}{grown[name]:10.1f}{cost}")
    share = told.processor_s / sum([told.processor_s, *processor_s.values()])
    print(f"The clients themselves took {share:.0%} of the processor time that all of this took.")
    verdict.show()
    return conclude(
        "shopping",
        findings,
        seconds=seconds,
        load_by=f"{PROCESSES} processes of {CLIENTS // PROCESSES} Python threads, {share:.0%} of the processor time",
        processor_s=processor_s,
        memory_mb=held,
        slowest=sorted(told.slowest, reverse=True)[:200],
        series={"at_s": watched.at, **watched.memory},
        lines=[watched.lines().__dict__],
    )


if __name__ == "__main__":
    sys.exit(main())
