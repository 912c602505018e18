"""A bounded set of threads that run blocking work for an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
Job = tuple["asyncio.Future[Any] | None", Callable[..., Any], tuple[Any, ...]]


class QueueFull(Exception):
    """More work is waiting than the threads could finish in a useful time."""


class WorkerThreads:
    """Run functions in `count` threads; at most `max_queued` of them wait for a thread.

    concurrent.futures would do the same at twice the cost of a hand-over, which every request pays.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int, max_queued: int) -> None:
        self._loop = loop
        self._max_queued = max_queued
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"request-{number}", daemon=True) for number in range(1, count + 1)]
        for thread in self._threads:
            thread.start()

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Return what the function returns, or raise what it raises. Raises QueueFull."""
        if self._jobs.qsize() >= self._max_queued:
            raise QueueFull
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((future, function, args))
        return await future

    def start(self, function: Callable[..., Any], *args: Any) -> bool:
        """Run a function that does not raise, without waiting for it; return whether there was room."""
        if self._jobs.qsize() >= self._max_queued:
            return False
        self._jobs.put((None, function, args))
        return True

    def stop(self) -> None:
        """Finish what is queued, then end the threads."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while job := self._jobs.get():
            future, function, args = job
            result, error = None, None
            try:
                result = function(*args)
            except BaseException as raised:  # noqa: BLE001 - it is raised again where the result is awaited
                error = raised
            if future is not None:
                self._loop.call_soon_threadsafe(_resolve, future, result, error)
            # A thread that waits for its next job must not keep the last request alive.
            del job, future, function, args, result, error


def _resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
