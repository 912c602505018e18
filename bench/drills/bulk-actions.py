"""./shop drill bulk-actions: does anybody wait for a lock while thousands of products and accounts are changed in bulk?

Buyers order over HTTP while the job runner applies one bulk action after the other. A probe locks one random account, product or
variant after the other, as a sign-in, an order or a stock change does, and measures how long it waits. No wait may exceed 100 ms
by more than the machine itself is slow: the longest wait of the same probe without bulk actions is subtracted.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from frame import Load, address_of, judge, opened, put_on_shelf
from lab.goods import fill
from lab.shops import Shop

from app import db, private_database
from app.config import Settings
from app.services import bulk_actions, grid, product_actions, user_actions, users
from app.services.bulk_actions import BulkAction

MAX_LOCK_WAIT_SECONDS = 0.1
PROBE_PAUSE_SECONDS = 0.005
POLL_SECONDS = 0.1
CALIBRATION_SECONDS = 10.0
TABLES = ("users", "products", "variants")
USERS = (
    "INSERT INTO users (username, username_key, email, email_key, password_hash, role, status, created_at, updated_at)"
    " SELECT CONCAT('user', id), CONCAT('user', id), CONCAT('u', id, '@example.com'), CONCAT('u', id, '@example.com'), 'x',"
    " 'customer', 'active', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM products"
)


class LockProbe(threading.Thread):
    """Locks random rows, one at a time, and keeps the longest wait of each table."""

    def __init__(self, connection: Any) -> None:
        super().__init__(daemon=True)
        self.connection, self.cursor = connection, connection.cursor()
        self.over = threading.Event()
        self.longest = dict.fromkeys(TABLES, 0.0)
        self.probes = 0

    def run(self) -> None:
        for table in itertools.cycle(TABLES):
            if self.over.wait(PROBE_PAUSE_SECONDS):
                return
            self.cursor.execute(f"SELECT MAX(id) FROM {table}")
            row_id = random.randint(1, self.cursor.fetchone()[0])
            self.cursor.execute("START TRANSACTION")
            began = time.monotonic()
            self.cursor.execute(f"SELECT id FROM {table} WHERE id = %s FOR UPDATE", (row_id,))
            self.cursor.fetchall()
            waited = time.monotonic() - began
            self.cursor.execute("ROLLBACK")
            self.longest[table] = max(self.longest[table], waited)
            self.probes += 1

    def reset(self) -> float:
        """Forget the waits so far and return the longest of them."""
        longest = max(self.longest.values())
        self.longest = dict.fromkeys(TABLES, 0.0)
        return longest


def owner_connection(shop: Shop) -> Any:
    address = private_database.address_of(Settings.from_env(shop.environment), owner=True)
    return db.connect(address, statement_timeout=600)


def actions(actor_id: int, var: Any) -> list[tuple[str, Callable[[], BulkAction]]]:
    def products(action: Any, **more: Any) -> Callable[[], BulkAction]:
        return lambda: product_actions.start(action, grid.Filters(), actor_id=actor_id, var=var, **more)

    def accounts(action: Any, **more: Any) -> Callable[[], BulkAction]:
        scope = users.Filters(role="customer")
        return lambda: user_actions.start(action, scope, actor_id=actor_id, var=var, **more)

    block = {"blocked_until": datetime(2099, 1, 1), "block_reason": "A drill"}
    return [
        ("raise prices", products("change_price", percent=10)),
        ("lower prices", products("change_price", percent=-10)),
        ("set a category", products("set_category", category_id=1)),
        ("block accounts", accounts("block", **block)),
        ("unblock accounts", accounts("unblock")),
        ("close accounts", accounts("deactivate")),
    ]


def finish(action: BulkAction, subject: str) -> BulkAction:
    while action["status"] == "running":
        time.sleep(POLL_SECONDS)
        action = bulk_actions.get(subject, action["id"])
    return action


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop drill bulk-actions", description="Does anybody wait for a lock during bulk actions?")
    parser.add_argument("--count", type=int, default=5000, help="products and accounts")
    options = parser.parse_args()
    bulk_actions.SYNC_SECONDS = 0.0
    faults: list[str] = []
    with opened("bulk-actions", SHOP_DEMO="0") as shop:
        owner = owner_connection(shop)
        fill(owner, options.count)
        cursor = owner.cursor()
        cursor.execute(USERS)
        cursor.execute("UPDATE products SET rating_sum = 0, rating_count = 0")  # There are no reviews behind these ratings.
        variants = put_on_shelf(address_of(shop))[-4:]
        probe = LockProbe(db.connect(address_of(shop), statement_timeout=30))
        with Load(shop, variants, buyers=4) as load:
            load.goes_on()
            db.open(address_of(shop), size=2)
            probe.start()
            time.sleep(CALIBRATION_SECONDS)
            idle = probe.reset()
            print(f"without bulk actions: longest lock wait {idle * 1000:.0f} ms", flush=True)
            for name, start in actions(actor_id=1, var=shop.folder):
                began = time.monotonic()
                action = finish(start(), "user" if "accounts" in name else "product")
                longest = probe.reset()
                seconds = time.monotonic() - began
                print(f"{name}: {action['changed']:,} changed in {seconds:.1f} s, longest lock wait {longest * 1000:.0f} ms", flush=True)
                if action["status"] != "done":
                    faults.append(f"{name}: {action['status']} {action['error']}")
                if longest > MAX_LOCK_WAIT_SECONDS + idle:
                    faults.append(f"{name}: a lock was waited for {longest * 1000:.0f} ms")
            if not probe.is_alive() or not probe.probes:
                faults.append("nobody probed the locks")
            probe.over.set()
            probe.join()
            db.close()
        owner.close()
        return judge("bulk-actions", load.histories, address_of(shop), faults).show()


if __name__ == "__main__":
    sys.exit(main())
