"""./shop drill hang: does a shop whose database hangs say so in time, and go on by itself once it answers again?

The database is stopped under load by SIGSTOP and let go by SIGCONT. Meanwhile every answer that needs it is a 503 within 3 seconds,
/livez answers 200, and afterwards the same processes take orders again within 10 seconds.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from frame import Load, address_of, judge, put_on_shelf
from histories import bar
from lab.shops import Shop, opened

IN_TIME, BACK = 3.0, 10.0  # seconds: the promises
LOOK_EVERY = 0.2  # seconds
HANGS, BETWEEN = 6.0, 2.0  # seconds


class Watch(threading.Thread):
    """Asks whether the shop lives, on a line of its own each time, as a supervisor of containers does."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.over = port, threading.Event()
        self.slowest, self.faults = 0.0, list[str]()

    def run(self) -> None:
        while not self.over.wait(LOOK_EVERY):
            began = time.monotonic()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/livez", timeout=30).close()
            except OSError as error:
                self.faults.append(f"/livez: {error}")
            self.slowest = max(self.slowest, time.monotonic() - began)


@contextmanager
def hanging(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def processes(shop: Shop) -> list[int]:
    return [shop.pid, shop.database(), *shop.workers()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop drill hang", description="Does the shop answer in time while its database hangs, and recover by itself?")
    parser.add_argument("--count", type=int, default=5)
    options = parser.parse_args()
    with opened("hang") as shop:
        before, watch, back, faults = processes(shop), Watch(shop.port), list[float](), list[str]()
        watch.start()
        with Load(shop, put_on_shelf(address_of(shop))) as load:
            load.goes_on()
            for done in range(options.count):
                time.sleep(BETWEEN)
                refused = load.histories.refused
                with hanging(shop.database()):
                    time.sleep(HANGS)
                if load.histories.refused == refused:
                    faults.append("nobody was told that the database hangs")
                back.append(load.goes_on(orders=1))
                bar(done + 1, options.count)
        watch.over.set()
        watch.join()
        slowest = max(load.histories.slowest, watch.slowest)
        print(f"slowest answer {slowest:.2f} s, slowest /livez {watch.slowest:.2f} s, orders again {max(back):.2f} s after the database, at the latest")
        faults += watch.faults
        if slowest > IN_TIME:
            faults.append(f"an answer took {slowest:.2f} s")
        if max(back) > BACK:
            faults.append(f"orders went on only after {max(back):.1f} s")
        if load.histories.broken:
            faults.append(f"{load.histories.broken} lines of buyers broke")
        if processes(shop) != before:
            faults.append("processes were replaced")
        return judge("hang", load.histories, address_of(shop), faults).show()


if __name__ == "__main__":
    sys.exit(main())
