"""What the drills with faults share: a shop of its own under load, what each of its buyers was told, and the judgement over it.

Each buyer orders as a guest, one thing after the other. What gets no answer, or a 503, is sent again under the same key, as any client
should; all else that is not the order is a fault of the shop. Each order goes to an address made from its key, so that the database
tells which order was made for which key.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import secrets
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from lab import shops  # noqa: E402
from lab.shops import BAD, PATIENCE, Shop, until  # noqa: E402

from app import db, private_database  # noqa: E402
from app.config import Settings  # noqa: E402
from app.db import Address  # noqa: E402
from app.services import doctor, products  # noqa: E402
from app.services.product_input import ProductInput, VariantInput  # noqa: E402

BUYERS = 8
AGAIN = 0.05  # seconds before a buyer asks again
PIECES = 1_000_000  # of each thing on the shelf
ADDRESS = {"name": "Ina Łuk", "line1": "Kerkstraat 5", "city": "Gent", "postcode": "9000", "country": "BE"}
ORDER = {"address": ADDRESS, "shipping_method": "standard", "payment_method": "cash_on_delivery"}
PROBLEM = {"type", "title", "status", "detail", "code", "errors", "request_id"}


# ---------------------------------------------------------------- where it happens


@contextmanager
def place() -> Iterator[dict[str, str]]:
    """The settings of a database on the server of DB_HOST, made for this drill and dropped with it. Without DB_HOST none: the shop has a private one."""
    given = {name: value for name, value in os.environ.items() if name.startswith("DB_") and value}
    if "DB_HOST" not in given:
        yield {}
        return
    given["DB_NAME"] = f"{given.get('DB_NAME', 'flaskcart')}_drill_{secrets.token_hex(4)}"
    yield given
    connection = db.connect(private_database.address_of(Settings.from_env(given)), statement_timeout=60)
    connection.cmd_query(f"DROP DATABASE `{given['DB_NAME']}`")
    connection.close()


@contextmanager
def opened(name: str, **settings: str) -> Iterator[Shop]:
    """A new shop, open, in a place of its own."""
    with place() as given, shops.opened(name, **given, **settings) as shop:
        yield shop


def address_of(shop: Shop) -> Address:
    return private_database.address_of(Settings.from_env(shop.environment))


def put_on_shelf(address: Address, things: int = 4, pieces: int = PIECES) -> list[int]:
    """Some new things for sale; gives their variants."""
    db.open(address, size=1)
    try:
        for number in range(things):
            made = ProductInput(title=f"Thing {number}", slug=f"thing-{number}", variants=[VariantInput(price_minor=1999, stock=pieces)])
            db.transaction(lambda tx, made=made: products.add(tx, made, actor_id=None))
        with db.reading() as tx:
            return [row[0] for row in tx.execute("SELECT id FROM variants").fetchall()]
    finally:
        db.close()


# ---------------------------------------------------------------- its buyers


@dataclass
class Histories:
    """What all buyers were told, also as lines of JSON in a file."""

    path: Path
    told: list[tuple[str, str]] = field(default_factory=list)  # key and number of each acknowledged order
    times: list[float] = field(default_factory=list)  # when that was
    faults: list[str] = field(default_factory=list)
    refused: int = 0  # answers 503
    broken: int = 0  # lines that broke, or were refused
    slowest: float = 0.0  # seconds until an answer

    def __post_init__(self) -> None:
        self._lock, self._file = threading.Lock(), self.path.open("w", buffering=1)

    def note(self, buyer: int, key: str, path: str, status: int | str, took: float, number: str = "") -> None:
        line = {"at": time.time(), "buyer": buyer, "key": key, "path": path, "status": status, "seconds": round(took, 3), "number": number}
        with self._lock:
            self._file.write(json.dumps(line) + "\n")
            self.refused += status == 503
            self.broken += isinstance(status, str)
            self.slowest = max(self.slowest, 0.0 if isinstance(status, str) else took)
            if number:
                self.told.append((key, number))
                self.times.append(time.monotonic())

    def fault(self, words: str) -> None:
        with self._lock:
            self.faults.append(words)

    def longest_stall(self) -> float:
        """Seconds in which nobody's order was acknowledged."""
        return max((later - earlier for earlier, later in itertools.pairwise(self.times)), default=0.0)


class Buyer(threading.Thread):
    def __init__(self, number: int, port: int, variants: list[int], histories: Histories, enough: threading.Event) -> None:
        super().__init__(daemon=True)
        self.number, self.port, self.variants, self.histories, self.enough = number, port, variants, histories, enough
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.cookie = ""

    def run(self) -> None:
        while not self.enough.is_set() and self.shop_once():
            pass

    def shop_once(self) -> bool:
        self.cookie, key = "", secrets.token_hex(8)
        variant = self.variants[secrets.randbelow(len(self.variants))]
        put = self.send("/api/v1/cart/items", {"variant_id": variant, "quantity": 1}, key)
        return put is not None and self.send("/api/v1/orders", ORDER | {"email": f"{key}@example.com"}, key) is not None

    def send(self, path: str, body: Any, key: str) -> Any:
        """Ask until there is an answer. Gives None, and tells of a fault, when it is not what a buyer may expect."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            began = time.monotonic()
            try:
                status, headers, content = self.ask(path, body, key)
            except (OSError, http.client.HTTPException) as error:
                self.line.close()
                self.histories.note(self.number, key, path, type(error).__name__, time.monotonic() - began)
                time.sleep(AGAIN)
                continue
            found = json.loads(content) if "json" in headers.get("Content-Type", "") else {}
            self.histories.note(self.number, key, path, status, time.monotonic() - began, found.get("number", "") if status == 201 else "")
            if status == 201:
                return found
            if status != 503 or not self.is_in_shape(headers, found):
                self.histories.fault(f"{path} answered {status}: {content.decode(errors='replace')[:300]}")
                return None
            time.sleep(AGAIN)
        self.histories.fault(f"{path} did not succeed within {PATIENCE:.0f} s")
        return None

    def ask(self, path: str, body: Any, key: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key} | ({"Cookie": self.cookie} if self.cookie else {})
        self.line.request("POST", path, json.dumps(body), headers)
        answer = self.line.getresponse()
        content = answer.read()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            if cookie.startswith(("session=", "__Host-session=")):
                self.cookie = cookie.partition(";")[0]
        return answer.status, answer.headers, content

    @staticmethod
    def is_in_shape(headers: http.client.HTTPMessage, found: Any) -> bool:
        return headers["Content-Type"] == "application/problem+json" and found.keys() >= PROBLEM and headers.get("Retry-After", "").isdigit()


class Load:
    """Buyers who order all the time while this block lasts, and finish what they began when it ends."""

    def __init__(self, shop: Shop, variants: list[int], buyers: int = BUYERS, kind: type[Buyer] = Buyer) -> None:
        self.histories = Histories(shop.folder / "histories.jsonl")
        self._enough = threading.Event()
        self._buyers = [kind(number, shop.port, variants, self.histories, self._enough) for number in range(buyers)]

    def __enter__(self) -> Load:
        for buyer in self._buyers:
            buyer.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._enough.set()
        for buyer in self._buyers:
            buyer.join()

    @property
    def acknowledged(self) -> int:
        return len(self.histories.told)

    def goes_on(self, orders: int = 10, seconds: float = PATIENCE) -> float:
        """Wait for so many more orders, but not while every buyer has given up; gives the seconds that the first took."""
        before, began = self.acknowledged, time.monotonic()
        until(lambda: self.acknowledged >= before + orders or self.histories.faults, f"{orders} more orders", seconds)
        return self.histories.times[before] - began if self.acknowledged > before else seconds


# ---------------------------------------------------------------- the judgement


@dataclass
class Verdict:
    drill: str
    acknowledged: int
    lost: int
    doubled: int
    stall: float = 0.0
    invariant: str = ""
    faults: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        return bool(self.acknowledged) and not (self.lost or self.doubled or self.invariant or self.faults)

    def show(self) -> int:
        """Print it as a table; gives the exit code."""
        head = ["drill", "acknowledged", "lost", "doubled", "longest stall", "first failing invariant", "verdict"]
        line = [self.drill, f"{self.acknowledged:,}", str(self.lost), str(self.doubled), f"{self.stall:.1f} s", self.invariant or "none"]
        line.append("held" if self.held else "BROKEN")
        widths = [max(map(len, pair)) for pair in zip(head, line, strict=True)]
        for row in (head, line):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        for fault in self.faults[:5]:
            print(f"  {fault}")
        return int(not self.held)


def count(told: Iterable[tuple[str, str]], there: Iterable[tuple[str, str]]) -> tuple[int, int, int]:
    """Of pairs of key and number, those that buyers were told and those in the database: how many were acknowledged, are lost, are too many.

    An order too many is each beyond the first of its key, and one that its buyer was never told of.
    """
    answered, kept = set(told), defaultdict(list)
    for key, number in there:
        kept[key].append(number)
    keys = {key for key, _ in answered}
    lost = sum(number not in kept.get(key, ()) for key, number in answered)
    return len(answered), lost, sum(len(numbers) - (key in keys) for key, numbers in kept.items())


def judge(drill: str, histories: Histories, address: Address, more: Iterable[str] = ()) -> Verdict:
    """Compare what buyers were told with the database, and examine its invariants. `more` says what else went wrong."""
    connection = db.connect(address, statement_timeout=600)
    cursor = connection.cursor()
    cursor.execute("SELECT SUBSTRING_INDEX(email, '@', 1), number FROM orders")
    numbers = count(histories.told, cursor.fetchall())
    broken = ""
    for name, _, sql in doctor.checks():
        cursor.execute(f"SELECT 1 FROM ({sql}) broken LIMIT 1")
        if cursor.fetchall():
            broken = name
            break
    connection.close()
    verdict = Verdict(drill, *numbers, histories.longest_stall(), broken, [*histories.faults, *more])
    if not verdict.held:
        histories.path.with_name(BAD).touch()
    return verdict
