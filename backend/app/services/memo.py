"""Bounded memo of calculated values, shared by the threads of one worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


def _weigh_equally(_: Any) -> int:
    return 1


class Memo:
    """Remember values by key until they weigh more than `max_weight` together, then evict the oldest.

    The key must hold everything that the value depends on, except what the owner of the memo is tied
    to: a memo of one index snapshot is dropped with the snapshot.
    """

    def __init__(self, max_weight: int) -> None:
        self.max_weight = max_weight
        self.weight = 0
        self._values: dict[Hashable, tuple[Any, int]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get_or_compute(
        self,
        key: Hashable,
        compute: Callable[[], T],
        weigh: Callable[[T], int] = _weigh_equally,
    ) -> T:
        """Return the value of `key`, computing it on the first request.

        The lock is not held while computing: two threads may compute the same value, which costs less
        than making every other question wait.
        """
        known = self._values.get(key)
        if known is not None:
            value: T = known[0]
            return value
        value = compute()
        self._put(key, value, weigh(value))
        return value

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
            self.weight = 0

    def _put(self, key: Hashable, value: Any, weight: int) -> None:
        with self._lock:
            former = self._values.pop(key, None)
            self._values[key] = (value, weight)
            self.weight += weight - (former[1] if former else 0)
            while self.weight > self.max_weight:
                oldest = next(iter(self._values))
                self.weight -= self._values.pop(oldest)[1]
