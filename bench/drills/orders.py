"""./shop drill orders: do thousands of carts that hold the same two things in other orders ever meet in a deadlock?"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from histories import Shop, account, bar, opened, rows, variants_of

from app.services import cart, checkout
from app.services.cart import Buyer

REQUEST = checkout.Request(checkout.Address("Ina Łuk", "Kerkstraat 5", "Gent", "9000", "BE"), "standard", "cash_on_delivery")


def order(buyer: Buyer, variants: list[int]) -> None:
    for one in variants:
        cart.add(buyer, variant_id=one, product_id=None, quantity=1)
    checkout.place(buyer, secrets.token_hex(8), REQUEST)


def deadlocks() -> str:
    """MySQL does not tell."""
    found = rows("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
    return str(found[0][1]) if found else "an unknown number of"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop drill orders", description="Do carts of A and B, and of B and A, ever meet in a deadlock?")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=16)
    options = parser.parse_args()
    with opened(options.threads) as (given, _), ThreadPoolExecutor(options.threads) as threads:
        Shop(given)
        pair = [variants_of(1999, options.count)[1] for _ in range(2)]
        buyers = [Buyer(account()[0]) for _ in range(options.threads)]
        begun = time.monotonic()
        for done in range(0, options.count, options.threads):
            now = buyers[: options.count - done]
            # Whoever meets a deadlock that is not mended unseen, or any other fault, raises it here.
            list(threads.map(order, now, (pair[:: 1 if n % 2 else -1] for n in range(len(now)))))
            bar(done + len(now), options.count)
        left = [row[0] for row in rows("SELECT stock FROM variants WHERE id IN (%s, %s)", *pair)]
        placed, took = rows("SELECT COUNT(*) FROM orders")[0][0], time.monotonic() - begun
        print(f"{placed:,} orders in {took:.0f} s, {deadlocks()} deadlocks within the database, none seen by a buyer")
        return int(left != [0, 0] or placed != options.count)


if __name__ == "__main__":
    sys.exit(main())
