"""Bounds how many threads compute password hashes, and how many may wait for their turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import Unavailable

MAX_WAIT_SECONDS = 1.0
RETRY_AFTER_SECONDS = 5


class HashingLimiter:
    """Slots for password hashes.

    A thread that finds every slot taken waits for at most MAX_WAIT_SECONDS. Without a bound on the
    waiting threads a flood of sign-ins would still occupy every thread of a worker for that long,
    over and over, so no more than `max_threads` threads may hold a slot or wait for one.
    """

    def __init__(self, slots: int, *, max_threads: int | None = None) -> None:
        """Without `max_threads`, as in a command on the server, any number of threads may wait."""
        self._slots = threading.BoundedSemaphore(slots)
        self._admitted = threading.BoundedSemaphore(max_threads) if max_threads else None

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot during the block. Raises Unavailable at once or after MAX_WAIT_SECONDS."""
        if self._admitted is None:
            with self._acquired_slot():
                yield
            return
        if not self._admitted.acquire(blocking=False):
            raise _busy()
        try:
            with self._acquired_slot():
                yield
        finally:
            self._admitted.release()

    @contextmanager
    def _acquired_slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=MAX_WAIT_SECONDS):
            raise _busy()
        try:
            yield
        finally:
            self._slots.release()


def _busy() -> Unavailable:
    detail = "Too many people are signing in right now. Please try again in a few seconds."
    return Unavailable(detail, retry_after=RETRY_AFTER_SECONDS)
