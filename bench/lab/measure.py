"""Load, time, processor time and memory; and what was found, as a table and as JSON that `./shop bench` puts together."""

from __future__ import annotations

import itertools
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import ROOT
from .shops import Client

CLIENTS = 16
WRK = shutil.which("wrk")
LOADER = "wrk, with two threads" if WRK else "threads of one Python process, for want of wrk: they take more of the same processors"
FOUND = ROOT / "var" / "bench"


def percentile(times: list[float], part: int) -> float:
    return statistics.quantiles(times, n=100)[part - 1]


# ---------------------------------------------------------------- load


@dataclass(frozen=True)
class Ask:
    path: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None


@dataclass(frozen=True)
class Crowd:
    """What so many clients met: answers a second, milliseconds, and how many answers were no success."""

    rate: float
    p50: float
    p99: float
    refused: int = 0


def crowd(port: int, asks: Iterable[Ask | str], seconds: float = 4, clients: int = CLIENTS) -> Crowd:
    """So many clients ask these things in turn, over and over, each on a line of its own; by wrk where it is installed."""
    listed = [Ask(one) if isinstance(one, str) else one for one in asks]
    return _wrk(port, listed, seconds, clients) if WRK else _threads(port, listed, seconds, clients)


def _lua(ask: Ask) -> str:
    headers = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in ask.headers.items())
    return f"wrk.format({json.dumps(ask.method)}, {json.dumps(ask.path)}, {{{headers}}}, {json.dumps(ask.body) if ask.body is not None else 'nil'})"


def _wrk(port: int, asks: list[Ask], seconds: float, clients: int) -> Crowd:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        # Each of wrk's threads begins elsewhere in the list. A table that is written out at once holds so many things and no more.
        script.write("local asks = {}\nfunction init(args)\n")
        for first in range(0, len(asks), 100):
            script.write("(function()\n" + "".join(f"asks[#asks + 1] = {_lua(ask)}\n" for ask in asks[first : first + 100]) + "end)();\n")
        script.write("end\n")
        script.write(f"local place = 0\nfunction setup(thread) thread:set('n', place); place = place + {len(asks) // 2} end\n")
        script.write("function request() n = n % #asks + 1; return asks[n] end\n")
        script.flush()
        command = [str(WRK), f"-t{min(2, clients)}", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--latency", "-s", script.name, f"http://127.0.0.1:{port}"]
        told = subprocess.run(command, capture_output=True, text=True)
    rate, refused = re.search(r"Requests/sec:\s+([\d.]+)", told.stdout), re.search(r"Non-2xx or 3xx responses: (\d+)", told.stdout)
    latencies = re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)\s*\n", told.stdout)
    times = {part: float(time) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit] for part, time, unit in latencies}
    if rate is None or "99" not in times:
        raise RuntimeError(told.stdout + told.stderr)
    return Crowd(float(rate[1]), times["50"], times["99"], int(refused[1]) if refused else 0)


def _threads(port: int, asks: list[Ask], seconds: float, clients: int) -> Crowd:
    times: list[float] = []
    refused: list[int] = []
    until = time.monotonic() + seconds

    def visit(start: int) -> None:
        client = Client(port)
        for ask in itertools.islice(itertools.cycle(asks), start, None):
            if time.monotonic() > until:
                return
            client.cookie = ""
            status, _, took = client.ask(ask.method, ask.path, ask.body.encode() if ask.body is not None else None, ask.headers)
            times.append(took)
            if status >= 400:
                refused.append(status)

    visitors = [threading.Thread(target=visit, args=(number * len(asks) // clients,)) for number in range(clients)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return Crowd(len(times) / seconds, statistics.median(times), percentile(times, 99), len(refused))


def in_rounds(ways: dict[str, Callable[[], Crowd]], rounds: int = 5) -> dict[str, Crowd]:
    """Measure each way in turn, the first being another one every time, so that whatever else the machine does falls on all alike.

    Gives for each the median of its rates and times. Raises RuntimeError when an answer was no success.
    """
    met: dict[str, list[Crowd]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways) if number % 2 else reversed(list(ways)):
            met[name].append(ways[name]())
    for name, crowds in met.items():
        if refused := sum(one.refused for one in crowds):
            raise RuntimeError(f"{name}: {refused} answers were no success")
    return {name: Crowd(*(statistics.median(getattr(one, of) for one in crowds) for of in ("rate", "p50", "p99"))) for name, crowds in met.items()}


# ---------------------------------------------------------------- processes


def processor_ms(pids: Iterable[int]) -> float:
    """Milliseconds of processor time that these processes have had."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def memory_mb(pids: Iterable[int]) -> float:
    """Megabytes of memory of these processes together; what several share counts once (PSS)."""
    kilobytes = 0
    for pid in pids:
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), flags=re.MULTILINE)
        kilobytes += int(found[1]) if found else 0
    return kilobytes / 1024


# ---------------------------------------------------------------- what was found


@dataclass(frozen=True)
class Finding:
    """One figure. With a `floor`, which is measured beside it in the same unit, the goal is for the ratio of both, else for the figure itself."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    floor_is: str = ""
    goal: float | None = None
    at_most: bool = False

    @property
    def compared(self) -> float:
        return self.value / self.floor if self.floor else self.value

    @property
    def held(self) -> bool:
        return self.goal is None or (self.compared <= self.goal if self.at_most else self.compared >= self.goal)


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show(findings: list[Finding]) -> None:
    print(f"\n{'':46}{'figure':>14}{'floor':>12}{'ratio':>8}{'goal':>9}")
    for one in findings:
        floor, ratio = (number(one.floor), f"{one.compared:.2f}") if one.floor else ("", "")
        goal = "" if one.goal is None else f"{'≤' if one.at_most else '≥'} {one.goal:g}"
        print(f"{one.what:46}{f'{number(one.value)} {one.unit}':>14}{floor:>12}{ratio:>8}{goal:>9}  {'' if one.held else 'missed'}".rstrip())
    for floor in dict.fromkeys(one.floor_is for one in findings if one.floor_is):
        print(f"  floor of {'; '.join(one.what for one in findings if one.floor_is == floor)}: {floor}")


def conclude(bench: str, findings: list[Finding], *, load_by: str = LOADER, **more: Any) -> int:
    """Show what a bench found, write it to var/bench/<bench>.json with whatever `more` there is to say, and give the exit code."""
    show(findings)
    FOUND.mkdir(parents=True, exist_ok=True)
    machine = {"cores": os.cpu_count(), "system": platform.platform(terse=True), "python": platform.python_version(), "load_by": load_by}
    listed = [asdict(one) | {"compared": one.compared, "held": one.held} for one in findings]
    content = {"bench": bench, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine, "findings": listed, **more}
    path = FOUND / f"{bench}.json"
    path.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    missed = [one.what for one in findings if not one.held]
    print(f"Load by {load_by}. " + (f"Missed: {', '.join(missed)}." if missed else "Every goal is held."), f"All figures: {path}")
    return 1 if missed else 0
