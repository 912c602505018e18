"""What the shop writes down while it runs: lines of JSON in var/logs, in files that are put aside and expire."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from .config import Settings

DAY = 24 * 60 * 60
LOOK_EVERY = 1.0  # seconds between looks at the file, which cost more than a line
MOST_BYTES = 64 * 1024 * 1024  # of one file
GATHER = 0.05  # seconds for which lines of requests wait for others
MOST_GATHERED = 50_000  # while the disk hangs; then the oldest are dropped


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
        self._look(record.created)
        logging.FileHandler.emit(self, record)

    def write(self, lines: bytes) -> None:
        """Lines that are made already, together."""
        self.acquire()
        try:
            self._look(time.time())
            with contextlib.suppress(OSError):
                # A process that ends has closed its log before it writes its last lines.
                self.stream = self.stream or self._open()
                os.write(self.stream.fileno(), lines)
        finally:
            self.release()

    def handleError(self, record: logging.LogRecord) -> None:
        # A line for which the disk has no room is dropped: to tell of each at length would fill whatever has room still.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def _look(self, now: float) -> None:
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            # Where an open file cannot be renamed it grows on.
            with contextlib.suppress(OSError):
                self._turn(now)

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


class Requests:
    """A line for each request that was answered.

    To write each at once would have the threads of a worker wait for one another at every answer. They are gathered for a moment and written
    together by a thread of their own, and when the process ends; one that is killed loses what it had gathered.
    """

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._gathered: deque[bytes] = deque(maxlen=MOST_GATHERED)
        self._some = threading.Event()
        threading.Thread(target=self._keep_writing, name="log", daemon=True).start()
        Finalize(None, self.write, exitpriority=0)

    def note(self, name: str, method: str, path: str, status: int, seconds: float) -> None:
        line = {"at": datetime.now(UTC), "level": "info", "logger": "shop.http", "message": "request"}
        line |= {"request_id": name, "method": method, "path": path, "status": status, "ms": round(seconds * 1000, 1)}
        self._gathered.append(orjson.dumps(line, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))
        if not self._some.is_set():
            self._some.set()

    def write(self) -> None:
        """Write what was gathered until now."""
        lines = []
        with contextlib.suppress(IndexError):
            while True:
                lines.append(self._gathered.popleft())
        if lines:
            self._file.write(b"".join(lines))

    def _keep_writing(self) -> None:
        while self._some.wait():
            time.sleep(GATHER)
            self._some.clear()
            self.write()


_requests: Requests | None = None


def new_request_id() -> str:
    """No secret, so the system is not asked for its randomness: while one thread asks, another one is let in, and both wait."""
    return f"{random.getrandbits(64):016x}"


def note_request(name: str, method: str, path: str, status: int, seconds: float) -> None:
    """A line for a request that was answered, written a moment later."""
    if _requests:
        _requests.note(name, method, path, status, seconds)


def write_requests() -> None:
    """Write what waits to be written."""
    if _requests:
        _requests.write()


def start_logging(settings: Settings) -> None:
    """Everything goes to var/logs/shop.jsonl, events to events.jsonl beside it; warnings and worse are also said on standard error."""
    global _requests
    # Nobody reads from which line, thread or process of the shop a line came, and to find that out takes most of the time of a ready answer.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    folder = settings.var / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    to_file = LogFile(folder / "shop.jsonl", settings.log_days)
    _requests = Requests(to_file)
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
