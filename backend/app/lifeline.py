"""No process of the shop outlives its supervisor, however that one dies."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing import parent_process
from typing import Any

PR_SET_PDEATHSIG = 1

_libc: Any = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def bind_this_process() -> None:
    """End this process, a child made by multiprocessing, at once when its parent is gone.

    On Linux the kernel does it when the *thread* that made the child ends, so only long-lived threads may make children.
    """
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        parent = parent_process()
        if parent is not None and os.getppid() != parent.pid:
            os._exit(1)
    else:
        threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def bound_program(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a program that gets SIGTERM when this process is gone. Call it from a thread that lives as long as the program may."""
    if _libc is not None:
        return subprocess.Popen(command, preexec_fn=_ask_for_sigterm(os.getpid()), **options)
    process = subprocess.Popen(command, **options)
    # Where the kernel does not help, a shell waits for the end of a pipe that only this process holds open.
    subprocess.Popen(["/bin/sh", "-c", 'cat; kill -TERM "$1"', "lifeline", str(process.pid)], stdin=subprocess.PIPE, start_new_session=True)
    return process


def _ask_for_sigterm(parent: int) -> Callable[[], None]:
    def ask() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask
