"""./shop drill restart: does a rolling restart (SIGHUP) fail a request, while buyers order?

Every worker is replaced, several times, under buyers who keep their connections open and buyers who make one for each request.
A request has failed when it is answered by anything but what was asked for, a 503 included, or when its line breaks before the answer.
A line that the shop closed while it lay idle is no failure: the request is then sent on a new one, as every browser and proxy does.
"""

from __future__ import annotations

import argparse
import http.client
import os
import select
import signal
import sys
from typing import Any

from frame import Buyer, Load, address_of, judge, opened, put_on_shelf
from histories import bar
from lab.shops import Shop, until

SLOWEST = 180.0  # seconds for all workers, on a machine that has other things to do


class Restless(Buyer):
    """Every second one makes a new connection for each request; the others look, as browsers do, whether theirs was closed."""

    def ask(self, path: str, body: Any, key: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        if self.number % 2 or (self.line.sock and select.select([self.line.sock], [], [], 0)[0]):
            self.line.close()
        return super().ask(path, body, key)


def replace_workers(shop: Shop) -> None:
    before = set(shop.workers())
    os.kill(shop.pid, signal.SIGHUP)
    until(lambda: len(now := shop.workers()) == len(before) and not before & set(now), "the replacement of every worker", SLOWEST)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop drill restart", description="Does a rolling restart under load fail a request?")
    parser.add_argument("--count", type=int, default=3)
    count = parser.parse_args().count
    with opened("restart") as shop:
        with Load(shop, put_on_shelf(address_of(shop)), kind=Restless) as load:
            for done in range(1, count + 1):
                load.goes_on()
                replace_workers(shop)
                bar(done, count)
            load.goes_on()
        told = load.histories
        failed = [f"{told.refused} requests were answered 503"] * bool(told.refused) + [f"{told.broken} requests lost their line"] * bool(told.broken)
        return judge("restart", told, address_of(shop), failed).show()


if __name__ == "__main__":
    sys.exit(main())
