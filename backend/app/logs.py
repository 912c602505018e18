"""What the shop writes down while it runs: lines of JSON in var/logs, in files that are put aside and expire."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from .config import Settings

DAY = 24 * 60 * 60
LOOK_EVERY = 1.0  # seconds between looks at the file, which cost more than a line
MOST_BYTES = 64 * 1024 * 1024  # of one file


class JsonLines(logging.Formatter):
    """One JSON object a line; line breaks within are escaped, so no input can forge a line."""

    STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        line = {"at": datetime.fromtimestamp(record.created, UTC), "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        line |= {name: value for name, value in vars(record).items() if name not in self.STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode()


class LogFile(WatchedFileHandler):
    """A file that several processes write at once. Each day, and when it has grown large, it is put aside under a name with the time.

    Whoever notices first renames it; the others find out with their next line, and what they wrote until then stands in the file put
    aside. Two who notice at once put two files aside: no line is lost. What was put aside is deleted after so many days.
    """

    def __init__(self, path: Path, days: int) -> None:
        super().__init__(path, encoding="utf-8")
        self.setFormatter(JsonLines())
        self._path, self._days, self._looked = path, days, 0.0
        self._day = self._day_of(path.stat().st_mtime if path.stat().st_size else time.time())
        self._expire()

    @staticmethod
    def _day_of(seconds: float) -> int:
        return int(seconds // DAY)

    def emit(self, record: logging.LogRecord) -> None:
        if record.created - self._looked >= LOOK_EVERY:
            self._looked = record.created
            # Where an open file cannot be renamed it grows on.
            with contextlib.suppress(OSError):
                self._turn(record.created)
        logging.FileHandler.emit(self, record)

    def handleError(self, record: logging.LogRecord) -> None:
        # A line for which the disk has no room is dropped: to tell of each at length would fill whatever has room still.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def _turn(self, now: float) -> None:
        self.reopenIfNeeded()
        state = self._path.stat()
        if state.st_size < MOST_BYTES and self._day_of(now) <= self._day:
            return
        self._day = self._day_of(now)
        if state.st_size >= MOST_BYTES or state.st_size and self._day_of(state.st_mtime) < self._day:
            name = f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}"
            self._path.rename(self._path.with_name(f"{self._path.stem}-{name}{self._path.suffix}"))
            self.reopenIfNeeded()
            self._expire()

    def _expire(self) -> None:
        for path in self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - self._days * DAY:
                    path.unlink()


def start_logging(settings: Settings) -> None:
    """Everything goes to var/logs/shop.jsonl, events to events.jsonl beside it; warnings and worse are also said on standard error."""
    # Nobody reads from which line, thread or process of the shop a line came, and to find that out takes most of the time of a ready answer.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    folder = settings.var / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    to_file = LogFile(folder / "shop.jsonl", settings.log_days)
    to_screen = logging.StreamHandler(sys.stderr)
    to_screen.setLevel(logging.WARNING)
    logger = logging.getLogger("shop")
    logger.handlers[:] = [to_file, to_screen]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    happened = LogFile(folder / "events.jsonl", settings.log_days)
    events = logging.getLogger("shop.events")
    events.handlers[:] = [happened]
    events.propagate = False
