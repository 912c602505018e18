"""What the processes of this machine count while they work, for Prometheus.

Each process counts in a file of its own in var/counts, mapped into its memory: to count costs no system call, and what a process that was
killed had counted is not lost. Whoever is asked reads the files of all and sums them up. A file is a row of places of one size: a name, and
then numbers, which are the count, the sum of the seconds, and how many were no slower than each bound.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import struct
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from .lock import alive

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds
NAME, NUMBERS = 136, len(BOUNDS) + 3
PLACE = NAME + 8 * NUMBERS
PLACES = 4096  # more than routes and statuses there can be
NOW = "now "  # begins the names of what goes up and down, and ends with its process


@dataclass
class Count:
    """`slower_than` is, for each bound and for all of them, how many took longer than the one before and no longer than it."""

    count: float = 0.0
    seconds: float = 0.0
    slower_than: list[float] = field(default_factory=lambda: [0.0] * (len(BOUNDS) + 1))


class _File:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.pid = folder, os.getpid()
        with (folder / f"{self.pid}-{secrets.token_hex(4)}").open("w+b", buffering=0) as file:
            self._memory = _mapped(file, PLACE * PLACES)
        self._numbers = memoryview(self._memory).cast("d")
        self._places: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, name: str, amount: float, seconds: float | None) -> None:
        with self._lock:
            at = self._places.get(name)
            if at is None:
                at = self._new(name)
            self._numbers[at] += amount
            if seconds is not None:
                self._numbers[at + 1] += seconds
                self._numbers[at + 2 + bisect_left(BOUNDS, seconds)] += 1

    def _new(self, name: str) -> int:
        """Where the numbers of a new name begin; the last place of all is everybody's who came too late."""
        start = PLACE * min(len(self._places), PLACES - 1)
        written = name.encode()[:NAME]
        self._memory[start : start + len(written)] = written
        self._places[name] = at = (start + NAME) // 8
        return at


def _mapped(file: FileIO, size: int) -> mmap.mmap:
    """Room is taken now: a process that writes into a hole of a file when the disk is full is killed. Without room it counts for itself."""
    with contextlib.suppress(OSError):
        if file.write(bytes(size)) == size:
            return mmap.mmap(file.fileno(), size)
    file.truncate(0)
    return mmap.mmap(-1, size)


_file: _File | None = None


def use(var: Path) -> None:
    """Where this process counts. Until it is said, nothing is counted."""
    global _file
    if _file is None or (_file.folder, _file.pid) != (var / "counts", os.getpid()):
        _file = _File(var / "counts")


def add(name: str, amount: float = 1, *, seconds: float | None = None) -> None:
    """Count something that happened, with the time that it took where that matters. The first word of a name says what it is."""
    if _file:
        _file.add(name, amount, seconds)


def forget(var: Path) -> None:
    """Begin anew: what processes counted that are no more."""
    for path in _files(var):
        if not _lives(path):
            path.unlink(missing_ok=True)


def collect(var: Path) -> dict[str, Count]:
    """What all processes have counted since the shop was opened, by name."""
    found: defaultdict[str, Count] = defaultdict(Count)
    for path in _files(var):
        lives = _lives(path)
        for name, (count, seconds, *slower_than) in _read(path):
            if lives or not name.startswith(NOW):
                one = found[name]
                one.count += count
                one.seconds += seconds
                one.slower_than = [a + b for a, b in zip(one.slower_than, slower_than, strict=True)]
    return dict(found)


def _files(var: Path) -> list[Path]:
    return sorted((var / "counts").glob("*-*"))


def _lives(path: Path) -> bool:
    return alive(int(path.name.partition("-")[0]))


def _read(path: Path) -> Iterator[tuple[str, tuple[float, ...]]]:
    with path.open("rb") as file:
        while (place := file.read(PLACE)) and len(place) == PLACE and place[0]:
            yield place[:NAME].rstrip(b"\0").decode(errors="replace"), struct.unpack(f"{NUMBERS}d", place[NAME:])
