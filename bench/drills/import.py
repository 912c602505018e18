"""./shop drill import: does a large import keep anybody waiting, and does it survive being killed?

A file changes half of its products and adds the other half. One shop imports it undisturbed. Another
one imports it while customers order the products that it changes and the admin who started it signs
in all the time, and its job worker is killed several times on the way. In the end both shops must
have the same catalog, no request may have failed, and none may have been slow.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from frame import Load, address_of, judge, opened
from lab.shops import PASSWORD, Client, Failed, Shop, until

from app import db

STOCK, NEW_STOCK = 100_000, 200_000
QUIET_SECONDS = 10.0  # in which the same requests are measured without an import
IMPORT_SECONDS = 600.0  # an interrupted import resumes when the lease of its runner has ended
LONGEST_LOCK_WAIT = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_time_max'"  # ms since the start
# The catalog without ids, times and stock, which depends on what was ordered.
CATALOG = {
    "categories": """
        SELECT c.slug, c.name, p.slug
          FROM categories c
          LEFT JOIN categories p ON p.id = c.parent_id
         ORDER BY c.slug""",
    "products": """
        SELECT p.slug, p.title, p.description, c.slug, p.brand, p.tags, p.option1, p.price_minor,
               p.price_max_minor, p.published, p.listed, p.version
          FROM products p
          LEFT JOIN categories c ON c.id = p.category_id
         ORDER BY p.slug""",
    "variants": """
        SELECT p.slug, v.position, v.sku, v.option1, v.price_minor, v.tracked, v.weight_g,
               v.archived_at IS NULL
          FROM variants v
          JOIN products p ON p.id = v.product_id
         ORDER BY p.slug, v.position, v.id""",
    "stock movements": """
        SELECT v.sku, COUNT(*)
          FROM stock_movements m
          JOIN variants v ON v.id = m.variant_id
         WHERE m.reason = 'import'
         GROUP BY v.sku
         ORDER BY v.sku""",
    "search queue": """
        SELECT DISTINCT p.slug
          FROM product_changes c
          JOIN products p ON p.id = c.product_id
         ORDER BY p.slug""",
    "imports": """
        SELECT status, done, total, JSON_EXTRACT(result, '$.diff.counts', '$.errors')
          FROM imports
         ORDER BY id""",
    "plans": "SELECT import_id FROM import_chunks",
}
# A stock is what the last import that set it says, less what was ordered since.
STOCK_FAULTS = """
    SELECT v.sku, v.stock
      FROM variants v
      JOIN products p ON p.id = v.product_id
      JOIN (SELECT variant_id, MAX(id) AS id
              FROM stock_movements
             WHERE reason = 'import'
             GROUP BY variant_id) last ON last.variant_id = v.id
     WHERE v.stock <> (SELECT COALESCE(SUM(m.quantity), 0)
                         FROM stock_movements m
                        WHERE m.variant_id = v.id AND m.id > last.id)
                      + IF(SUBSTRING(p.slug, 9) < %s AND MOD(SUBSTRING(p.slug, 9), 2) = 1, %s, %s)
"""


def table(numbers: range, *, price: int, stock: int, known: int = 0) -> bytes:
    """Return a file of products. Every other one of the first `known` ones keeps its stock."""
    lines = ["handle,sku,price,stock,title,description,category,brand,tags,option1_name,option1"]
    for number in numbers:
        kept = number < known and number % 2
        sizes = ("S", "M") if number % 5 == 0 else ("",)
        for place, size in enumerate(sizes):
            cells = [f"product-{number}", f"SKU-{number}-{place}", f"{price + number % 90}.50"]
            cells.append("" if kept else str(stock))
            if place:
                cells += [""] * 6
            else:
                cells += [f"Mug number {number}", f"<p>A mug. Series {number % 77}.</p>"]
                cells += [f"Home > Room {number % 40}", f"Brand {number % 50}", '"clay, gift"']
                cells.append("Size" if size else "")
            lines.append(",".join([*cells, size]))
    return ("\n".join(lines) + "\n").encode()


@dataclass(frozen=True)
class Progress:
    status: str
    done: int
    total: int

    @property
    def is_over(self) -> bool:
        return self.status in ("done", "failed")

    def is_past(self, mark: int) -> bool:
        return self.is_over or self.status == "applying" and self.done >= mark


class Admin:
    """The admin who imports, over HTTP."""

    def __init__(self, shop: Shop) -> None:
        shop.admin("ada", "ada@example.com")
        self._shop, self._client = shop, Client(shop.port)

    @staticmethod
    def sign_in(client: Client) -> tuple[int, Any, float]:
        return client.post("/api/v1/auth/login", {"identifier": "ada", "password": PASSWORD})

    def start(self, content: bytes) -> int:
        """Upload a file, wait until it is checked and start its import; returns the import's id."""
        status, _, _ = self.sign_in(self._client)
        if status != 200:
            raise Failed(f"signing in answered {status}")
        file = {"Content-Type": "text/csv"}
        status, answer, _ = self._client.ask("POST", "/api/v1/admin/imports", content, file)
        if status != 201:
            raise Failed(f"the upload answered {status}: {answer[:300]!r}")
        import_id = int(json.loads(answer)["id"])
        until(lambda: self.get(import_id).status != "checking", "the check of the file")
        start = f"/api/v1/admin/imports/{import_id}/start"
        status, answer, _ = self._client.ask("POST", start, b"")
        if status != 202:
            raise Failed(f"the start answered {status}: {answer[:300]!r}")
        return import_id

    def get(self, import_id: int) -> Progress:
        # Not over HTTP: each of the other sign-ins ends the oldest session of the account.
        rows = select(self._shop, "SELECT status, done, total FROM imports WHERE id = %s", import_id)
        return Progress(*next(rows))

    def wait(self, import_id: int) -> None:
        until(lambda: self.get(import_id).is_over, "the end of the import", IMPORT_SECONDS)


class SignIns(threading.Thread):
    """Signs the admin in again and again, each time as a new browser."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port, self._over = port, threading.Event()
        self.count, self.slowest, self.faults = 0, 0.0, []

    def run(self) -> None:
        while not self._over.wait(0.1):
            try:
                status, answer, took = Admin.sign_in(Client(self._port))
            except (OSError, http.client.HTTPException) as error:
                self.faults.append(f"a sign-in failed: {type(error).__name__}")
                continue
            self.count += 1
            self.slowest = max(self.slowest, took / 1000)
            if status != 200:
                self.faults.append(f"a sign-in answered {status}: {str(answer)[:300]}")

    def stop(self) -> None:
        self._over.set()
        self.join()


def catalog_of(shop: Shop) -> dict[str, list[Any]]:
    return {name: list(select(shop, sql)) for name, sql in CATALOG.items()}


def select(shop: Shop, sql: str, *params: Any) -> Iterator[tuple[Any, ...]]:
    connection = db.connect(address_of(shop), statement_timeout=60)
    cursor = connection.cursor()
    cursor.execute(sql, params)
    yield from cursor.fetchall()
    connection.close()


def kill_midway(shop: Shop, admin: Admin, import_id: int, kills: int) -> int:
    """Kill the job worker at equal distances of the progress; returns how often it was applying."""
    total = admin.get(import_id).total
    for number in range(kills):
        mark = total * (number + 1) // (kills + 1)
        until(
            lambda mark=mark: admin.get(import_id).is_past(mark),
            f"{mark:,} of {total:,} products",
            IMPORT_SECONDS,
        )
        if admin.get(import_id).is_over:
            return number
        os.kill(shop.workers()[-1], signal.SIGKILL)
        print(f"killed at {admin.get(import_id).done:,} of {total:,}", flush=True)
    return kills


def import_undisturbed(first: bytes, second: bytes) -> dict[str, list[Any]]:
    with opened("import-undisturbed") as shop:
        admin = Admin(shop)
        admin.wait(admin.start(first))
        import_id = admin.start(second)
        began = time.monotonic()
        admin.wait(import_id)
        print(f"undisturbed: {admin.get(import_id).total:,} products in {time.monotonic() - began:.1f} s", flush=True)
        until(lambda: not list(select(shop, CATALOG["plans"])), "the deletion of the plan")
        return catalog_of(shop)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./shop drill import",
        description="Does a large import keep anybody waiting, and does it survive being killed?",
    )
    parser.add_argument("--count", type=int, default=10_000, help="products in the file")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--slowest", type=float, default=0.5, help="seconds that a request may take; 0 to measure only")
    options = parser.parse_args()
    half = options.count // 2
    first = table(range(half), price=10, stock=STOCK)
    second = table(range(options.count), price=20, stock=NEW_STOCK, known=half)
    undisturbed = import_undisturbed(first, second)
    with opened("import") as shop:
        admin = Admin(shop)
        admin.wait(admin.start(first))
        variants = [row[0] for row in select(shop, "SELECT id FROM variants")]
        with Load(shop, variants) as load:
            before = SignIns(shop.port)
            before.start()
            time.sleep(QUIET_SECONDS)
            before.stop()
            print(
                f"without an import: slowest order or add to cart {load.histories.slowest:.2f} s, slowest sign-in {before.slowest:.2f} s",
                flush=True,
            )
            load.histories.slowest = 0.0
            import_id = admin.start(second)
            sign_ins = SignIns(shop.port)
            sign_ins.start()
            kills = kill_midway(shop, admin, import_id, options.kills)
            admin.wait(import_id)
            load.goes_on()
            sign_ins.stop()
        until(lambda: not list(select(shop, CATALOG["plans"])), "the deletion of the plan")
        histories = load.histories
        slowest = max(histories.slowest, sign_ins.slowest)
        faults = [*before.faults, *sign_ins.faults]
        faults += [f"{histories.refused} requests were answered 503"] * bool(histories.refused)
        faults += [f"{histories.broken} requests lost their connection"] * bool(histories.broken)
        faults += [f"only {kills} kills came before the end of the import"] * (kills < options.kills)
        faults += [f"the slowest request took {slowest:.2f} s"] * (0 < options.slowest < slowest)
        disturbed = catalog_of(shop)
        faults += [f"{name} differ from those of an undisturbed import" for name in CATALOG if disturbed[name] != undisturbed[name]]
        faults += [f"{sku} has a stock of {stock}" for sku, stock in select(shop, STOCK_FAULTS, half, STOCK, NEW_STOCK)]
        ((_, longest_wait),) = select(shop, LONGEST_LOCK_WAIT)
        print(f"{options.count:,} products, {kills} kills, {sign_ins.count} sign-ins")
        print(
            f"slowest order or add to cart {histories.slowest:.2f} s,"
            f" slowest sign-in {sign_ins.slowest:.2f} s,"
            f" longest wait for a row lock {int(longest_wait) / 1000:.2f} s,"
            f" {histories.refused} answers 503"
        )
        return judge("import", histories, address_of(shop), faults).show()


if __name__ == "__main__":
    sys.exit(main())
