"""./shop drill disk: does a shop whose disk is full refuse in order, and lose nothing, until there is room again?

All that the shop writes is on a small file system in memory, which is filled under load until the shop has to refuse, and then cleared.
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frame import Load, address_of, judge, put_on_shelf
from histories import bar
from lab.shops import opened, until

ROOM = 320  # MB, of which an empty shop needs half
STAYS_FULL = 8.0  # seconds
BACK = 30.0  # seconds until orders go on, at most
NEEDS = "This drill cannot be run here: it needs root, or a Linux that lets users mount in a namespace of their own (unshare -rm)."


@contextmanager
def small_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="shop-drill-disk-") as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}m,mode=0700", "shop-drill", folder], capture_output=True, check=False)
        if mounted.returncode:
            sys.exit(NEEDS)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """All room that is left is taken, also what is given back meanwhile by half of a write that failed."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        fill(file.fileno())
    try:
        yield
    finally:
        ballast.unlink()


def fill(file: int) -> None:
    for size in (1 << 20, 1 << 12):
        try:
            while True:
                os.write(file, bytes(size))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop drill disk", description="Is an order lost or doubled when the disk is full?")
    parser.add_argument("--count", type=int, default=3)
    options = parser.parse_args()
    if os.geteuid():
        if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
            sys.exit(NEEDS)
        os.execvp("unshare", ["unshare", "-rm", sys.executable, *sys.argv])
    with small_disk() as disk, opened("disk", SHOP_VAR=str(disk / "var")) as shop:
        before, back = [shop.pid, *shop.workers()], list[float]()
        with Load(shop, put_on_shelf(address_of(shop))) as load:
            load.goes_on()
            for done in range(options.count):
                refused = load.histories.refused
                with full(disk):
                    until(lambda refused=refused: load.histories.refused > refused or load.histories.faults, "a refusal for want of room")
                    time.sleep(STAYS_FULL)
                back.append(load.goes_on(seconds=BACK))
                bar(done + 1, options.count)
        told = load.histories
        ended = (shop.folder / "shop.log").read_text().count("The database ended")
        print(f"buyers met {told.refused} answers 503; orders again {max(back):.1f} s after there was room, at the latest")
        print(f"MariaDB gave up {ended} times for want of room, and was started again")
        faults = [f"{told.broken} lines of buyers broke"] if told.broken else []
        if before != [shop.pid, *shop.workers()]:
            faults.append("workers ended")
        return judge("disk", told, address_of(shop), faults).show()


if __name__ == "__main__":
    sys.exit(main())
