"""./shop bench orders: adding to the cart, placing an order and selling one hot product, each beside its floor, and what an order and an add cost.

A shop of its own, durable as always. The floors are measured in turn with it, on the same server of the same database:
- an add: plain Flask on the web server of the shop, with one INSERT, committed, and one SELECT over one connection of each thread;
- an order of two lines by somebody who is signed in: the statements that the shop sends for one, recorded from one, with other people, carts
  and numbers each time, so that each run is a real order: one script, one connection for each thread, no HTTP;
- one hot product, of which there are 200 and which 16 buyers try to have 300 times: the same guarded UPDATE of the shelf, and the INSERT into its
  ledger, in such a script.
People, sessions and full carts are made before the clock runs, and each of them orders once. The load comes from wrk where it is installed. Only
the 300 tries are made by threads of this process, since wrk does not count them: that takes some of the same processors, and the shop looks
a little slower than it is.
"""

from __future__ import annotations

import argparse
import json
import math
import secrets
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench" / "drills"))

from flask import Flask, Response, request  # noqa: E402
from frame import ADDRESS, ORDER, put_on_shelf  # noqa: E402
from lab.floors import served  # noqa: E402
from lab.measure import CLIENTS, Ask, Crowd, Finding, conclude, crowd, in_rounds, percentile, processor_ms  # noqa: E402
from lab.shops import Client, Failed, Shop, opened  # noqa: E402

from app import db, security  # noqa: E402
from app.db import Address, Tx  # noqa: E402
from app.private_database import PrivateDatabase  # noqa: E402
from app.services import cart, checkout, sessions, stock  # noqa: E402

FIRST_PERSON, FIRST_CART, FIRST_ORDER = 10_000_000, 20_000_000, 30_000_000  # apart, so that a recorded value says what it is
FULLEST = 1000  # orders a second for which there are carts
ADDERS = 1000
STOCK, TRIES = 200, 300
TARGET = 10_000 / 60  # orders a second
BUSY = 0.6  # of the processors, at most, in an hour that is planned
Said = list[tuple[str, tuple[Any, ...]]]


# ---------------------------------------------------------------- who buys


@dataclass(frozen=True)
class Person:
    """Somebody with a session, and with a cart of an account or of a guest."""

    id: int
    sid: str

    @property
    def cart_id(self) -> int:
        return self.id - FIRST_PERSON + FIRST_CART

    @property
    def email(self) -> str:
        return f"p{self.id}@example.com"

    def asks(self, path: str, body: Any) -> Ask:
        headers = {"Content-Type": "application/json", "Cookie": f"session={self.sid}", "Idempotency-Key": self.sid}
        return Ask(path, "POST", headers, json.dumps(body))


class People:
    """Makes people by the thousand, straight into the tables."""

    def __init__(self, address: Address) -> None:
        self.address, self._next = address, FIRST_PERSON

    def come(self, count: int, holding: list[int] | None = None, *, guests: bool = False) -> list[Person]:
        """So many new ones; those that are `holding` variants have one of each in their cart."""
        crowd = [Person(self._next + place, secrets.token_urlsafe(32)) for place in range(count)]
        self._next += count
        connection = db.connect(self.address, statement_timeout=60)
        connection.autocommit = False
        cursor = connection.cursor()
        if not guests:
            cursor.executemany(
                "INSERT INTO users (id, username, username_key, email, email_key, password_hash, created_at, updated_at)"
                " VALUES (%s, %s, %s, %s, %s, '', '2025-01-01', '2025-01-01')",
                [(one.id, f"p{one.id}", f"p{one.id}", one.email, one.email) for one in crowd],
            )
        cursor.executemany(
            "INSERT INTO sessions (token_hash, user_id, data, ip, user_agent, created_at, seen_at, expires_at)"
            " VALUES (%s, %s, %s, '127.0.0.1', '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL 1 HOUR, UTC_TIMESTAMP(6) + INTERVAL 1 DAY)",
            [(security.hash_token(one.sid), None if guests else one.id, json.dumps({"cart": one.sid} if guests else {})) for one in crowd],
        )
        if holding:
            cursor.executemany(
                "INSERT INTO carts (id, user_id, updated_at) VALUES (%s, %s, '2025-01-01')",
                [(one.cart_id, one.id) for one in crowd],
            )
            cursor.executemany(
                "INSERT INTO cart_items (cart_id, variant_id, quantity, seen_price_minor) VALUES (%s, %s, 1, 1999)",
                [(one.cart_id, variant) for one in crowd for variant in holding],
            )
        connection.commit()
        connection.close()
        return crowd


# ---------------------------------------------------------------- an add


def insert_and_select(address: Address) -> Callable[[], Flask]:
    """Plain Flask that puts a line into a table of its own, and answers with it and what it is of."""

    def made() -> Flask:
        app, kept = Flask("floor"), threading.local()

        @app.post("/add")
        def add() -> Response:
            kept.connection = getattr(kept, "connection", None) or db.connect(address)
            wanted, cursor = request.get_json(), kept.connection.cursor()
            cursor.execute("INSERT INTO floor_items (cart_id, variant_id, quantity) VALUES (%s, %s, 1)", (wanted["cart_id"], wanted["variant_id"]))
            cursor.execute(
                "SELECT i.id, i.variant_id, i.quantity, v.price_minor, v.stock, p.title, p.slug FROM floor_items i"
                " JOIN variants v ON v.id = i.variant_id JOIN products p ON p.id = v.product_id WHERE i.id = %s",
                (cursor.lastrowid,),
            )
            items = [dict(zip(cursor.column_names, row, strict=True)) for row in cursor.fetchall()]
            cursor.close()
            return Response(json.dumps({"items": items}), 201, mimetype="application/json")

        return app

    return made


def adds(people: list[Person], variants: list[int]) -> list[Ask]:
    return [one.asks("/api/v1/cart/items", {"variant_id": variant, "quantity": 1}) for variant in variants for one in people]


# ---------------------------------------------------------------- an order


@contextmanager
def recorded() -> Iterator[Said]:
    """The statements that this process sends meanwhile, with their values."""
    said: Said = []
    execute, commit = db.Tx.execute, db.Tx.commit

    def noted(tx: Tx, sql: str, params: tuple[Any, ...] = ()) -> Any:
        said.append((sql, params))
        return execute(tx, sql, params)

    def committed(tx: Tx) -> None:
        said.append(("COMMIT", ()))
        commit(tx)

    db.Tx.execute, db.Tx.commit = noted, committed  # type: ignore[method-assign]
    try:
        yield said
    finally:
        db.Tx.execute, db.Tx.commit = execute, commit  # type: ignore[method-assign]


class Script:
    """One recorded order, to be placed again by others."""

    def __init__(self, address: Address, buyer: Person) -> None:
        self.address = address
        wanted = checkout.Request(checkout.Address(**ADDRESS), ORDER["shipping_method"], ORDER["payment_method"])
        with recorded() as self.said:
            sessions.find(buyer.sid)
            order, _ = checkout.place(cart.Buyer(buyer.id), buyer.sid, wanted)
        with db.reading() as tx:
            (order_id,) = tx.execute("SELECT id FROM orders WHERE number = %s", (order["number"],)).fetchone()
        letter = next(params[0] for sql, params in self.said if sql.startswith("INSERT INTO mails"))
        numbers, words = self._of(buyer, order["number"], letter)
        self._numbers = dict(zip((*numbers, order_id), range(len(numbers) + 1), strict=True))
        self._words = words
        # Which values of a statement are somebody's, so that the others need not be looked at again.
        self._own = [[place for place, value in enumerate(params) if self._is_own(value)] for _, params in self.said]

    @staticmethod
    def _of(person: Person, number: str, letter: str) -> tuple[tuple[int, int], tuple[str, ...]]:
        return (person.id, person.cart_id), (security.hash_token(person.sid), person.sid, person.email, number, letter, f"u:{person.id}")

    def _is_own(self, value: Any) -> bool:
        return value in self._numbers if isinstance(value, int) else isinstance(value, str) and any(word in value for word in self._words)

    def run(self, tx: Tx, person: Person) -> None:
        numbers, words = self._of(person, "FC-" + security.readable(8), security.new_token())
        known: list[int] = [*numbers, 0]
        for (sql, params), own in zip(self.said, self._own, strict=True):
            if sql == "COMMIT":
                tx.commit()
                continue
            values = list(params)
            for place in own:
                values[place] = known[self._numbers[values[place]]] if isinstance(values[place], int) else self._renewed(values[place], words)
            answer = tx.execute(sql, tuple(values))
            if sql.startswith("INSERT INTO orders"):
                known[-1] = answer.lastrowid
            answer.fetchall()

    def _renewed(self, text: str, words: tuple[str, ...]) -> str:
        for former, new in zip(self._words, words, strict=True):
            text = text.replace(former, new)
        return text


def by_threads(address: Address, clients: int, seconds: float, acts: list[Callable[[Tx], Any]]) -> Crowd:
    """So many threads, with a connection each, do these things once, until all are done or the time is over."""
    waiting, times, ready = iter(acts), [], threading.Barrier(clients + 1)

    def work() -> None:
        tx = Tx(db.connect(address))
        ready.wait()
        for act in waiting:
            began = time.perf_counter()
            act(tx)
            times.append((time.perf_counter() - began) * 1000)
            if time.monotonic() > end:
                break
        tx.connection.close()

    workers = [threading.Thread(target=work) for _ in range(clients)]
    for worker in workers:
        worker.start()
    began = time.monotonic()
    end = began + seconds
    ready.wait()
    for worker in workers:
        worker.join()
    return Crowd(len(times) / (time.monotonic() - began), statistics.median(times), percentile(times, 99))


class Orders:
    """Both ways of placing orders."""

    def __init__(self, shop: Shop, people: People, variants: list[int], seconds: float) -> None:
        self.shop, self.people, self.variants, self.seconds = shop, people, variants, seconds
        self.script = Script(people.address, people.come(1, variants)[0])

    def _buyers(self) -> list[Person]:
        return self.people.come(int(FULLEST * self.seconds), self.variants)

    def by_shop(self, clients: int) -> Crowd:
        asks, before = [one.asks("/api/v1/orders", ORDER) for one in self._buyers()], count("orders")
        met = crowd(self.shop.port, asks, self.seconds, clients)
        made = count("orders") - before
        # Who asks again is given the former answer, which costs less than an order.
        if made < 0.95 * met.rate * self.seconds - clients:
            raise Failed(f"{made} orders were made for {met.rate * self.seconds:.0f} answers")
        return met

    def by_script(self, clients: int) -> Crowd:
        acts = [lambda tx, buyer=buyer: self.script.run(tx, buyer) for buyer in self._buyers()]
        return by_threads(self.people.address, clients, self.seconds, acts)


# ---------------------------------------------------------------- one hot product


class HotProduct:
    def __init__(self, shop: Shop, people: People, variant: int) -> None:
        self.shop, self.people, self.variant = shop, people, variant
        self.ends: list[Counter[str]] = []

    def by_shop(self) -> Crowd:
        stock.adjust(self.variant, counted=STOCK)
        asks = iter([one.asks("/api/v1/orders", ORDER) for one in self.people.come(TRIES, [self.variant])])
        ends: Counter[str] = Counter()
        times: list[float] = []

        def visit() -> None:
            client = Client(self.shop.port)
            for ask in asks:
                assert ask.body
                client.cookie = ""
                status, content, took = client.ask(ask.method, ask.path, ask.body.encode(), ask.headers)
                ends["sold" if status == 201 else json.loads(content)["code"]] += 1
                times.append(took)

        visitors = [threading.Thread(target=visit) for _ in range(CLIENTS)]
        began = time.monotonic()
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
        self.ends.append(ends)
        return Crowd(TRIES / (time.monotonic() - began), statistics.median(times), percentile(times, 99))

    def by_script(self) -> Crowd:
        line = json.dumps([{"variant_id": self.variant, "quantity": 1}])

        def act(tx: Tx) -> None:
            tx.execute("START TRANSACTION")
            taken, _ = db.q.stock.take(tx, lines=line)
            if taken:
                db.q.stock.note(tx, variant_id=self.variant, quantity=-1, reason="order", note="", actor_id=None)
            tx.commit()

        stock.adjust(self.variant, counted=STOCK)
        return by_threads(self.people.address, CLIENTS, 60, [act] * TRIES)


# ---------------------------------------------------------------- what it costs


@dataclass(frozen=True)
class Cost:
    """Of one order, or one add: processor time of the web workers and of the database, and statements, all that comes with it included."""

    web_ms: float
    database_ms: float
    statements: float


def cost(shop: Shop, act: Callable[[], Crowd], seconds: float) -> Cost:
    def now() -> tuple[float, float, int]:
        with db.reading() as tx:
            (_, asked) = tx.execute("SHOW GLOBAL STATUS LIKE 'Questions'").fetchone()
        return processor_ms(shop.workers()), processor_ms([shop.database()]), int(asked)

    before = now()
    done = act().rate * seconds
    return Cost(*((late - early) / done for early, late in zip(before, now(), strict=True)))


def count(table: str) -> int:
    with db.reading() as tx:
        (found,) = tx.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
    return int(found)


def explained(said: Said) -> list[dict[str, Any]]:
    """Each statement with the indexes that it goes by and the rows that the database reckons with."""
    found = []
    for sql, params in said:
        plan: list[dict[str, Any]] = []
        if sql.startswith(("SELECT", "UPDATE", "DELETE")) or "SELECT" in sql:
            with db.reading() as tx:
                answer = tx.execute(f"EXPLAIN {sql}", params)
                rows = [dict(zip(answer.column_names, row, strict=True)) for row in answer.fetchall()]
            plan = [{name: row[name] for name in ("table", "type", "key", "rows", "Extra")} for row in rows]
        found.append({"statement": " ".join(sql.split()), "plan": plan})
    return found


def sizing(order: Cost) -> str:
    web, database = (math.ceil(TARGET * ms / 1000 / BUSY) for ms in (order.web_ms, order.database_ms))
    return f"10,000 orders a minute, no more than {BUSY:.0%} busy: {web} cores of app servers, {database} of the database that is written to"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop bench orders", description="Adds, orders and a hot product beside their floors, and what they cost.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each measuring")
    options = parser.parse_args()
    rounds, seconds = options.rounds, options.seconds
    with opened("orders") as shop:
        database = PrivateDatabase(shop.var)
        address = database.address()
        *variants, hot = put_on_shelf(address, things=3)
        owner = db.connect(database.address(owner=True))
        cursor = owner.cursor()
        cursor.execute(f"ALTER TABLE orders AUTO_INCREMENT = {FIRST_ORDER}")
        cursor.execute("CREATE TABLE floor_items (id BIGINT AUTO_INCREMENT PRIMARY KEY, cart_id BIGINT, variant_id BIGINT, quantity INT, KEY (cart_id))")
        owner.close()
        db.open(address)
        try:
            return measure(shop, People(address), variants, hot, rounds, seconds)
        finally:
            db.close()


def measure(shop: Shop, people: People, variants: list[int], hot: int, rounds: int, seconds: float) -> int:
    guests, accounts = adds(people.come(ADDERS, guests=True), variants), adds(people.come(ADDERS), variants)
    plain = [
        Ask("/add", "POST", {"Content-Type": "application/json"}, json.dumps({"cart_id": n, "variant_id": n % 2 + variants[0]})) for n in range(2 * ADDERS)
    ]
    findings = []
    with served(insert_and_select(people.address)) as floor:
        ways = {"floor": lambda: crowd(floor, plain, seconds)}
        ways |= {name: lambda asks=asks: crowd(shop.port, asks, seconds) for name, asks in (("guest", guests), ("signed in", accounts))}
        met = in_rounds(ways, rounds)
    for name in ("guest", "signed in"):
        floor_is = "plain Flask with one INSERT, committed, and one SELECT"
        findings.append(Finding(f"add to cart, {name}", met[name].rate, "/s", met["floor"].rate, floor_is, 0.8))
        findings.append(Finding(f"add to cart, {name}, p99", met[name].p99, "ms"))
    orders = Orders(shop, people, variants, seconds)
    for clients in (1, 4, 16):
        met = in_rounds({"shop": lambda n=clients: orders.by_shop(n), "script": lambda n=clients: orders.by_script(n)}, rounds)
        floor_is = "the same statements in one script, without HTTP"
        findings.append(Finding(f"order placed, clients: {clients}", met["shop"].rate, "/s", met["script"].rate, floor_is, 0.7))
        findings.append(Finding(f"order placed, clients: {clients}, p99", met["shop"].p99, "ms"))
    rush = HotProduct(shop, people, hot)
    met = in_rounds({"shop": rush.by_shop, "script": rush.by_script}, rounds)
    wrong = sum(abs(ends["sold"] - STOCK) + abs(ends["out_of_stock"] - (TRIES - STOCK)) for ends in rush.ends)
    findings.append(Finding("one hot product, 16 buyers", met["shop"].rate, "/s", met["script"].rate, "the guarded UPDATE and an INSERT in a script", 0.7))
    findings.append(Finding("one hot product, sold or refused wrongly", wrong, "", goal=0, at_most=True))
    costs = {"order": cost(shop, lambda: orders.by_shop(4), seconds), "add": cost(shop, lambda: crowd(shop.port, accounts, seconds, 4), seconds)}
    for name, one in costs.items():
        findings.append(Finding(f"{name}, processor time of the shop", one.web_ms, "ms"))
        findings.append(Finding(f"{name}, processor time of the database", one.database_ms, "ms"))
        findings.append(Finding(f"{name}, statements", one.statements, ""))
    buyer = people.come(1)[0]
    with recorded() as said:
        sessions.find(buyer.sid)
        cart.add(cart.Buyer(buyer.id), variant_id=variants[0], product_id=None, quantity=1)
    print(sizing(costs["order"]))
    plans = {"order": explained(orders.script.said), "add": explained(said)}
    told = {name: asdict(one) for name, one in costs.items()}
    return conclude("orders", findings, costs=told, sizing=sizing(costs["order"]), plans=plans, hot_product=rush.ends)


if __name__ == "__main__":
    sys.exit(main())
