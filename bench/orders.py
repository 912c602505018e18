"""./shop bench orders: how many orders a second, how long each takes, and what one costs in processor time and statements.

A shop of its own, durable as always. Each order has two lines and is a guest's; the carts are filled before the clock runs, so that only
`POST /api/v1/orders` is measured. Its clients are threads of one Python process and take a part of the same processors.
"""

from __future__ import annotations

import argparse
import json
import math
import secrets
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench" / "drills"))

from frame import ORDER, Buyer, Histories, address_of, put_on_shelf  # noqa: E402
from lab.measure import percentile, processor_ms  # noqa: E402
from lab.shops import Shop, opened  # noqa: E402

from app import db  # noqa: E402

CLIENTS = (1, 4, 16)
WARM_UP = 20
TARGET = 10_000 / 60  # orders a second
BUSY = 0.6  # of the processors, at most, in an hour that is planned


@dataclass
class Figures:
    clients: int
    orders_per_second: float
    p50_ms: float
    p99_ms: float
    web_ms: float  # processor time of the web and job workers for one order
    database_ms: float
    statements: float


class Client(Buyer):
    """Fills carts first, and orders when told to."""

    def fill(self, count: int) -> None:
        self.carts = []
        for _ in range(count):
            self.cookie = ""
            for variant in self.variants[:2]:
                self.send("/api/v1/cart/items", {"variant_id": variant, "quantity": 1}, "")
            self.carts.append(self.cookie)

    def run(self) -> None:
        self.times: list[float] = []
        for cart in self.carts:
            self.cookie = cart
            key = secrets.token_hex(8)
            began = time.perf_counter()
            self.send("/api/v1/orders", ORDER | {"email": f"{key}@example.com"}, key)
            self.times.append((time.perf_counter() - began) * 1000)


def statements(shop: Shop) -> int:
    connection = db.connect(address_of(shop))
    cursor = connection.cursor()
    cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
    (_, count) = cursor.fetchone()
    connection.close()
    return int(count)


def measure(shop: Shop, variants: list[int], clients: int, orders: int) -> Figures:
    histories = Histories(shop.folder / f"histories-{clients}.jsonl")
    crowd = [Client(number, shop.port, variants, histories, threading.Event()) for number in range(clients)]
    for client in crowd:
        client.fill(orders // clients)
    before = processor_ms(shop.workers()), processor_ms([shop.database()]), statements(shop)
    began = time.perf_counter()
    for client in crowd:
        client.start()
    for client in crowd:
        client.join()
    took = time.perf_counter() - began
    after = processor_ms(shop.workers()), processor_ms([shop.database()]), statements(shop)
    done = len(histories.told)
    if histories.faults or done != clients * (orders // clients):
        sys.exit(f"Only {done} orders succeeded. {' '.join(histories.faults[:3])}")
    web, database, asked = ((late - early) / done for early, late in zip(before, after, strict=True))
    times = [one for client in crowd for one in client.times]
    return Figures(clients, done / took, percentile(times, 50), percentile(times, 99), web, database, asked)


def show(rows: list[Figures]) -> None:
    print(f"{'clients':>8}{'orders/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'web ms':>9}{'database ms':>13}{'statements':>12}")
    for row in rows:
        times = f"{row.p50_ms:>9.1f}{row.p99_ms:>9.1f}{row.web_ms:>9.1f}{row.database_ms:>13.1f}{row.statements:>12.1f}"
        print(f"{row.clients:>8}{row.orders_per_second:>10.1f}{times}")
    app_cores, database_cores = (math.ceil(TARGET * max(costs) / 1000 / BUSY) for costs in ([row.web_ms for row in rows], [row.database_ms for row in rows]))
    print(f"10,000 orders a minute, no more than {BUSY:.0%} busy: {app_cores} cores of app servers, {database_cores} of the database that is written to")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop bench orders", description="What does an order cost?")
    parser.add_argument("--orders", type=int, default=400, help="by each number of clients")
    parser.add_argument("--json", type=Path, help="write the figures into this file, too")
    options = parser.parse_args()
    with opened("orders") as shop:
        variants = put_on_shelf(address_of(shop))
        measure(shop, variants, 1, WARM_UP)
        rows = [measure(shop, variants, clients, options.orders) for clients in CLIENTS]
    show(rows)
    if options.json:
        found: Any = [asdict(row) for row in rows]
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
