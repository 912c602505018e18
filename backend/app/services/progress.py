"""How far something long is, for those who watch it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from .. import db
from ..db import DRIVER_ERRORS, Tx
from ..errors import ShopError

TELL_EVERY = 0.3  # seconds

log = logging.getLogger("shop.progress")


class Telling:
    """Notes how far something is, now and then and on a connection of its own. What cannot be noted is left out."""

    def __init__(self, note: Callable[[Tx, int, int], object]) -> None:
        self.note, self.due = note, 0.0

    def __call__(self, done: int, total: int) -> None:
        if done < total and time.monotonic() < self.due:
            return
        self.due = time.monotonic() + TELL_EVERY
        try:
            db.transaction(self.note, done, total)
        except (ShopError, *DRIVER_ERRORS) as error:
            log.info("progress was not noted", extra={"error": type(error).__name__})
