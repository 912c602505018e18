"""./shop drill flash-sale: two hundred buyers who order at the same moment, over HTTP, for one unit and for ten: is exactly that much sold?"""

from __future__ import annotations

import argparse
import http.client
import secrets
import sys
import threading
from collections import Counter
from typing import Any

from frame import ORDER, Buyer, Histories, address_of, judge, opened, put_on_shelf

from app import db
from app.db import Address
from app.services import stock

UNITS = (1, 10)


class SoldOut(Exception):
    """What all buyers but the first are told, clearly."""


class Rusher(Buyer):
    """Fills a cart, waits until all others have done so, and orders."""

    def __init__(self, together: threading.Barrier, *what: Any) -> None:
        super().__init__(*what)
        self.together, self.end = together, "gave up"

    def run(self) -> None:
        key = secrets.token_hex(8)
        self.send("/api/v1/cart/items", {"variant_id": self.variants[0], "quantity": 1}, key)
        self.line.close()
        self.together.wait()
        try:
            if self.send("/api/v1/orders", ORDER | {"email": f"{key}@example.com"}, key):
                self.end = "has it"
        except SoldOut:
            self.end = "sold out"

    def ask(self, path: str, body: Any, key: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        answer = super().ask(path, body, key)
        if answer[0] == 409 and b'"out_of_stock"' in answer[2]:
            raise SoldOut
        return answer


def rush(histories: Histories, port: int, variant: int, buyers: int) -> Counter[str]:
    together = threading.Barrier(buyers)
    crowd = [Rusher(together, number, port, [variant], histories, threading.Event()) for number in range(buyers)]
    for buyer in crowd:
        buyer.start()
    for buyer in crowd:
        buyer.join()
    return Counter(buyer.end for buyer in crowd)


def keep_only(address: Address, units: dict[int, int]) -> None:
    db.open(address, size=1)
    for variant, number in units.items():
        stock.adjust(variant, counted=number)
    db.close()


def left(address: Address, variants: list[int]) -> list[int]:
    db.open(address, size=1)
    with db.reading() as tx:
        found = dict(tx.execute("SELECT id, stock FROM variants").fetchall())
    db.close()
    return [found[variant] for variant in variants]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop drill flash-sale", description="Is exactly what there is sold to a crowd that orders at once?")
    parser.add_argument("--buyers", type=int, default=200)
    buyers = parser.parse_args().buyers
    wrong = []
    with opened("flash-sale", SHOP_DEMO="0") as shop:
        variants, histories = put_on_shelf(address_of(shop), len(UNITS)), Histories(shop.folder / "histories.jsonl")
        on_shelf = dict(zip(variants, UNITS, strict=True))
        keep_only(address_of(shop), on_shelf)
        for variant, units in on_shelf.items():
            ends = rush(histories, shop.port, variant, buyers)
            print(f"{units} for {buyers} buyers: " + ", ".join(f"{count} × {end}" for end, count in ends.items()), flush=True)
            if ends != {"has it": units, "sold out": buyers - units}:
                wrong.append(f"{units} of {units} should be sold, and {buyers - units} buyers be told that it is sold out")
        if any(left(address_of(shop), variants)):
            wrong.append(f"the shelf still holds {left(address_of(shop), variants)}")
        return judge("flash-sale", histories, address_of(shop), wrong).show()


if __name__ == "__main__":
    sys.exit(main())
