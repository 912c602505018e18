"""A shop of one's own, opened as users open it, and who asks it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import ROOT

PATIENCE = 60.0  # seconds in which a shop opens, or takes the next order
INDEXING = 900.0  # the same for a shop that makes the index of a million products first
BAD = "ended-badly"  # a file in the folder of a shop
PASSWORD = "walnut-harbour-19"
RUN = [sys.executable, str(ROOT / "backend" / "run.py")]
# What the environment says of another shop is not meant for this one.
OWN = {"LIMITS": "off", "SHOP_DEMO": "0", "HOST": "127.0.0.1", "DB_HOST": "", "MAIL_HOST": "", "SHOP_URL": "", "SHOP_ENV": "", "TRUSTED_PROXIES": ""}


class Failed(Exception):
    """It cannot go on. The message says what did not happen."""


def until(true: Callable[[], Any], what: str, seconds: float = PATIENCE) -> float:
    """Wait for it; gives the seconds that it took."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            raise Failed(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.01)
    return time.monotonic() - began


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Client:
    """One connection that is kept, and the cookie that came over it."""

    def __init__(self, port: int) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.cookie = ""

    def get(self, path: str) -> tuple[int, bytes, float]:
        """Status, answer, and milliseconds until it was read."""
        return self.ask("GET", path)

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any, float]:
        status, content, took = self.ask("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
        return status, json.loads(content or b"{}"), took

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes, float]:
        sent = (headers or {}) | ({"Cookie": self.cookie} if self.cookie else {})
        began = time.perf_counter()
        self._line.request(method, path, body, sent)
        answer = self._line.getresponse()
        content = answer.read()
        took = (time.perf_counter() - began) * 1000
        for cookie in answer.headers.get_all("Set-Cookie", []):
            if cookie.startswith(("session=", "__Host-session=")):
                self.cookie = cookie.partition(";")[0]
        return answer.status, content, took


def ready(port: int) -> bool:
    try:
        return Client(port).get("/readyz")[0] == 200
    except OSError:
        return False


class Shop:
    """A shop in a folder of its own, with further `settings`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self.var = folder, Path(settings.get("SHOP_VAR", folder / "var"))
        self.port = free_port()
        self.environment = os.environ | OWN | {"SHOP_VAR": str(self.var), "PORT": str(self.port), "WORKERS": "2", **settings}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "shop.log").open("ab") as log:
            self.process = subprocess.Popen([*RUN, "run"], env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def wait(self, seconds: float = PATIENCE) -> None:
        until(lambda: ready(self.port) or self.process is None or self.process.poll() is not None, "the opening of the shop", seconds)
        if not ready(self.port):
            raise Failed(f"The shop did not open:\n{(self.folder / 'shop.log').read_text(errors='replace')}")

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def database(self) -> int:
        return int((self.var / "mysql" / "pid").read_text())

    def workers(self) -> list[int]:
        """The web workers and, the last, the job worker."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sorted(int(pid) for pid in children if int(pid) != self._database_if_any())

    def processes(self) -> list[int]:
        """All of them: the supervisor, the database and the workers."""
        return [self.pid, self.database(), *self.workers()]

    def _database_if_any(self) -> int:
        try:
            return self.database()
        except FileNotFoundError:
            return 0

    def admin(self, name: str, email: str) -> None:
        """Make an account of an admin, with PASSWORD."""
        command = [*RUN, "create-admin", "--username", name, "--email", email]
        subprocess.run(command, env=self.environment, input=PASSWORD + "\n", text=True, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)


@contextmanager
def opened(name: str, folder: Path | None = None, **settings: str) -> Iterator[Shop]:
    """A new shop, open. Its folder goes away with it, unless this ends badly: then it stays, and is named."""
    own = Path(tempfile.mkdtemp(prefix=f"shop-{name}-", dir=folder))
    shop = Shop(own, **settings)
    try:
        shop.start()
        shop.wait()
        yield shop
    except BaseException:
        (own / BAD).touch()
        raise
    finally:
        shop.stop()
        if (own / BAD).exists():
            print(f"What was said and written is kept in {own}")
        else:
            shutil.rmtree(own)


@contextmanager
def reopened(var: Path) -> Iterator[Shop]:
    """The shop that is in this SHOP_VAR, open."""
    shop = Shop(var, SHOP_VAR=str(var))
    try:
        shop.start()
        shop.wait(INDEXING)
        yield shop
    finally:
        shop.stop()
