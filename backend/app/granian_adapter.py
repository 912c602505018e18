"""The parts of Granian that are not public, in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from granian import _futures


def dispatch_at_once() -> None:
    """Have the worker of this process offer each request to `handle_at_once` of its application.

    Granian hands every request to the event loop, which runs in another thread. A request that the
    application takes at once never gets there.
    """
    make_schedule: Any = _futures._cbsched_schedule

    def make_offer(loop: Any, context: Any, run: Any, callback: Any) -> Callable[[Any], None]:
        schedule = make_schedule(loop, context, run, callback)
        handle_at_once = _application_of(callback).handle_at_once

        def offer(watcher: Any) -> None:
            if not handle_at_once(watcher.scope, watcher.proto, watcher.done):
                schedule(watcher)

        return offer

    _futures._cbsched_schedule = make_offer


def _application_of(callback: Any) -> Any:
    """Return the application behind the function in which Granian wraps its `__rsgi__` method."""
    (inner,) = (cell.cell_contents for cell in callback.__closure__)
    return inner.__self__
