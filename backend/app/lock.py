"""One shop per SHOP_VAR: whoever runs it, or works on its data with a database started for that, holds a lock file."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FAR = 1 << 30  # Windows bars others from reading a locked byte, so one far behind the text is locked there
AFTERMATH = 10.0  # seconds in which what a killed holder leaves behind comes to its end


@dataclass(frozen=True)
class Holder:
    pid: int
    command: str
    url: str = ""


class Busy(Exception):
    """Somebody else has the lock."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(f"{holder.command} is running (process {holder.pid})")
        self.holder = holder


class Lock:
    def __init__(self, var: Path) -> None:
        self._path = var / "lock"
        self._file: IO[str] | None = None

    def take(self, command: str, url: str = "") -> None:
        """Raises Busy at once when a living process has it. Children of a holder that was killed are waited for; they end by themselves."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+", encoding="utf-8")
        deadline = time.monotonic() + AFTERMATH
        while not _locked(file):
            holder = self._holder(file)
            if (holder and alive(holder.pid)) or time.monotonic() > deadline:
                file.close()
                raise Busy(holder or Holder(0, "another command of the shop"))
            time.sleep(0.02)
        file.seek(0)
        file.truncate()
        file.write(json.dumps(asdict(Holder(os.getpid(), command, url))))
        file.flush()
        self._file = file

    def release(self) -> None:
        if self._file:
            _unlock(self._file)
            self._file.close()
            self._file = None

    @staticmethod
    def _holder(file: IO[str]) -> Holder | None:
        file.seek(0)
        try:
            return Holder(**json.loads(file.read()))
        except (ValueError, TypeError):
            # It has the lock, but has not written its name yet.
            return None


def _locked(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            file.seek(FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _unlock(file: IO[str]) -> None:
    """Said aloud, since forked children have the file open too and closing it would not give the lock back."""
    if sys.platform == "win32":
        file.seek(FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_UN)


def alive(pid: int) -> bool:
    """Whether there is such a process; where that cannot be known it is taken to be."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True
