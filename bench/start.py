"""./shop bench start: how long until a shop answers, what of that takes how long, and what it holds of memory and disk.

Shops of its own are opened by `./shop run`, again and again, with a fresh folder and with one that is there, each beside MariaDB alone on data
of the same kind. The first start of a clone compiles Python's modules; all others find them, as they do for users.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import ROOT
from lab.measure import Finding, conclude, memory_mb
from lab.shops import Client, Shop, until

from app import server
from app.private_database import PrivateDatabase

FRESH, SECOND, MEMORY = 5, 1.5, 250  # the goals: seconds, seconds, megabytes
SETTLED = 10  # seconds after the first answer
SLOWEST_ENDING = 60


class FrontDoor(Shop):
    """A shop opened by `./shop run`. Compiled modules are kept beside it, whatever the environment says of them."""

    def __init__(self, folder: Path, compiled: Path, demo: str = "1") -> None:
        super().__init__(folder, SHOP_DEMO=demo, PYTHONPYCACHEPREFIX=str(compiled), PYTHONDONTWRITEBYTECODE="")
        self.command = [str(ROOT / "shop"), "run"]

    def answers_after(self) -> float:
        """Open it; gives the seconds until its first page was read."""
        began = time.monotonic()
        with (self.folder / "shop.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until(self._has_answered, "the first answer of the shop")
        return time.monotonic() - began

    def _has_answered(self) -> bool:
        if self.process and self.process.poll() is not None:
            raise RuntimeError(f"The shop did not open:\n{(self.folder / 'shop.log').read_text(errors='replace')}")
        try:
            return Client(self.port).get("/")[0] == 200
        except OSError:
            return False

    def crash(self) -> None:
        """The machine's way of ending it: everything at once, nothing written."""
        for pid in reversed(self.processes()):
            os.kill(pid, 9)
        if self.process:
            self.process.wait(SLOWEST_ENDING)


def mariadb_alone(var: Path) -> float:
    """Seconds until a server on this folder, made if it is missing, answers."""
    database = PrivateDatabase(var)
    began = time.monotonic()
    database.start()
    took = time.monotonic() - began
    database.stop()
    return took


class Rounds:
    """Each start after the other, several times over, so that whatever else the machine does falls on all alike."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.compiled = folder, folder / "compiled"
        self.seconds: dict[str, list[float]] = {}
        self.steps: list[dict[str, float]] = []
        self.memory: dict[str, float] = {}
        self.disk = 0.0

    def note(self, what: str, seconds: float) -> None:
        self.seconds.setdefault(what, []).append(seconds)
        print(f"{what:42}{seconds:8.2f} s", flush=True)

    def shop(self, name: str, demo: str = "1") -> FrontDoor:
        (self.folder / name).mkdir()
        return FrontDoor(self.folder / name, self.compiled, demo)

    def live(self, number: int, last: bool) -> None:
        alone = self.folder / f"alone-{number}"
        self.note("MariaDB alone, fresh folder", mariadb_alone(alone))
        shop = self.shop(f"shop-{number}")
        self.note("start, fresh folder, with the demo" if number else "start, nothing compiled yet", shop.answers_after())
        shop.stop()
        self.note("MariaDB alone, second start", mariadb_alone(alone))
        self.note("second start", shop.answers_after())
        shop.crash()
        self.note("start after kill -9 of everything", shop.answers_after())
        if last:
            time.sleep(SETTLED)
            self.memory = by_process(shop)
            self.disk = used(shop.var)
        shop.stop()
        self.steps.append(self.steps_of(shop))
        shop.stop()
        empty = self.shop(f"empty-{number}", demo="0")
        self.note("start, fresh folder, without the demo", empty.answers_after())
        empty.stop()
        for one in (alone, shop.folder, empty.folder):
            shutil.rmtree(one)

    def steps_of(self, shop: FrontDoor) -> dict[str, float]:
        """What of a second start took how many seconds, as the shop itself tells when it is opened by this file."""
        told = shop.folder / "steps"
        shop.environment |= {"BENCH_STEPS": str(told), "PYTHONPATH": str(ROOT / "backend")}
        shop.command = [sys.executable, __file__, "--open"]
        shop.answers_after()
        return {name: seconds for name, seconds in map(json.loads, told.read_text().splitlines())}


def by_process(shop: Shop) -> dict[str, float]:
    *web, jobs = shop.workers()
    named = {"supervisor": shop.pid, "database": shop.database(), **{f"web worker {number}": pid for number, pid in enumerate(web, 1)}, "job worker": jobs}
    return {name: memory_mb([pid]) for name, pid in named.items()}


def used(folder: Path) -> float:
    """Megabytes on disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) / 1_000_000


# ---------------------------------------------------------------- within the shop whose steps are told


def open_and_tell() -> int:
    """Open the shop like ./shop run, and note how long each step took, in this process and, as a fork knows of it too, in its workers."""
    importing = time.monotonic()
    import app
    from app import cli, migrations, pages

    _note("importing the supervisor", time.monotonic() - importing)
    parts: list[tuple[Any, str, str]] = [
        (PrivateDatabase, "launch", "launching MariaDB"),
        (server, "_import_everything", "importing everything else meanwhile"),
        (PrivateDatabase, "wait", "waiting for MariaDB"),
        (migrations, "migrate", "looking whether the tables are at this version"),
        (server, "_application", "a web worker, until it serves"),
        (app, "create_app", "of it: putting the app together"),
        (pages, "Site", "of it: filling the pages"),
    ]
    for holder, attribute, name in parts:
        setattr(holder, attribute, _timed(getattr(holder, attribute), name))
    return cli.main(["run"])


def _timed(work: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(work)
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.monotonic()
        try:
            return work(*args, **kwargs)
        finally:
            _note(name, time.monotonic() - began)

    return timed


def _note(name: str, seconds: float) -> None:
    with Path(os.environ["BENCH_STEPS"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps([name, seconds]) + "\n")


# ---------------------------------------------------------------- all of it


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop bench start", description="How long until a shop answers, and what does it hold?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--open", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open:
        return open_and_tell()
    with tempfile.TemporaryDirectory(prefix="shop-start-") as folder:
        rounds = Rounds(Path(folder))
        # The first compiles.
        for number in range(options.rounds + 1):
            rounds.live(number, last=number == options.rounds)
    middle = {what: statistics.median(seconds) for what, seconds in rounds.seconds.items()}
    goals = {"start, fresh folder, with the demo": FRESH, "start, fresh folder, without the demo": FRESH, "second start": SECOND}
    findings = [Finding(what, seconds, "s", goal=goals.get(what), at_most=True) for what, seconds in middle.items()]
    findings.append(Finding("memory of all processes, idle (PSS)", sum(rounds.memory.values()), "MB", goal=MEMORY, at_most=True))
    findings.append(Finding("disk, with the demo", rounds.disk, "MB"))
    names = sorted(rounds.steps[-1], key=lambda name: name.startswith("of it"))
    steps = {name: statistics.median(one[name] for one in rounds.steps) for name in names}
    for title, unit, parts in (("Memory by process", "MB", rounds.memory), ("Steps of a second start", "s", steps)):
        print(f"\n{title}")
        for name, value in parts.items():
            print(f"  {name:48}{value:8.2f} {unit}")
    return conclude("start", findings, load_by="one client", seconds=rounds.seconds, memory_mb=rounds.memory, steps=steps)


if __name__ == "__main__":
    sys.exit(main())
