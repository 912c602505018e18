"""Calls the job runner of this machine, so that somebody who waits for a code has it at once. Whoever does not hear it looks by itself after a while."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from ..db import Tx

EAR = 0.04  # seconds between looks at the bell, each of which asks the file system for one number

_bell: Path | None = None


def use(var: Path) -> None:
    """Where this process rings and hears: a file whose time of change is the ring, which every process of every system can set and see."""
    global _bell
    _bell = var / "bell"


def ring(tx: Tx) -> None:
    """Once the transaction has committed."""
    tx.after_commit.append(_ring)


def last_rung() -> int:
    try:
        return _bell.stat().st_mtime_ns if _bell else 0
    except OSError:
        return 0


def wait(stop: threading.Event, seconds: float, *, since: int) -> None:
    """Until told to stop, until somebody rings after `since`, or until the seconds are over."""
    deadline = time.monotonic() + seconds
    while last_rung() == since and time.monotonic() < deadline:
        if stop.wait(EAR):
            return


def _ring() -> None:
    # What was committed stays so, and is found all the same.
    with contextlib.suppress(OSError):
        if _bell:
            _bell.touch(mode=0o600)
