"""./shop drill kill: is every acknowledged order there once when workers, the supervisor and the database are killed under load?"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import sys
import time

from frame import Load, address_of, judge, opened, put_on_shelf
from histories import bar
from lab.shops import Shop

LONGEST = 0.5  # seconds of orders before the next is killed


def kill_worker(shop: Shop) -> None:
    os.kill(random.choice(shop.workers()), signal.SIGKILL)


def kill_supervisor(shop: Shop) -> None:
    """Whoever looks after the shop opens it again at once."""
    shop.kill()
    shop.start()


def kill_database(shop: Shop) -> None:
    os.kill(shop.database(), signal.SIGKILL)


OWN = (kill_worker, kill_supervisor)
VICTIMS = (*OWN, kill_database)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop drill kill", description="Is an order lost or doubled when the shop's processes are killed under load?")
    parser.add_argument("--count", type=int, default=50)
    options = parser.parse_args()
    with opened("kill") as shop:
        with Load(shop, put_on_shelf(address_of(shop))) as load:
            load.goes_on()
            # The server of DB_HOST is not the drill's to kill; whoever may, does it meanwhile.
            victims = OWN if shop.environment["DB_HOST"] else VICTIMS
            for done, kill in enumerate(itertools.islice(itertools.cycle(victims), options.count), 1):
                time.sleep(random.uniform(0, LONGEST))
                kill(shop)
                load.goes_on()
                bar(done, options.count)
        shop.wait()
        verdict = judge("kill", load.histories, address_of(shop))
        print(f"{options.count} processes killed; buyers met {load.histories.broken} broken lines and {load.histories.refused} answers 503")
        return verdict.show()


if __name__ == "__main__":
    sys.exit(main())
