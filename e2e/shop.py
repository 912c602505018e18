"""The shop that is visited: a real one, started as users start it, or one that runs somewhere."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app import db
from app.private_database import PrivateDatabase

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT = 120  # seconds, a fetched database server included


@dataclass(frozen=True)
class Shop:
    """Where the shop is, and where its mails are files. `var` is its folder if we started it."""

    url: str
    mails: Path
    var: Path | None = None

    @property
    def setup_token(self) -> str:
        """The secret of the link that the start banner prints."""
        assert self.var
        return (self.var / "setup_token").read_text(encoding="utf-8").strip()

    def faults(self) -> list[str]:
        """What the shop itself logged as unexpected, the newest last; its folder is gone when the tests have ended."""
        log = self.var / "logs" / "shop.jsonl" if self.var else None
        return [line for line in log.read_text(encoding="utf-8").splitlines() if '"level":"error"' in line][-3:] if log and log.exists() else []

    def change_price(self, product_id: int, price_minor: int) -> None:
        """Of a product without choices; straight in the database, because no page can do it yet."""
        assert self.var
        db.open(PrivateDatabase(self.var).address(), size=1)
        with db.reading() as tx:
            tx.execute("UPDATE variants SET price_minor = %s WHERE product_id = %s", (price_minor, product_id))
            tx.execute("UPDATE products SET price_minor = %s, price_max_minor = %s WHERE id = %s", (price_minor, price_minor, product_id))

    def let_payments_wait(self, seconds: int) -> None:
        """As if the orders of now had been placed so long ago."""
        assert self.var
        db.open(PrivateDatabase(self.var).address(), size=1)
        with db.reading() as tx:
            tx.execute("UPDATE payments SET created_at = created_at - INTERVAL %s SECOND", (seconds,))

    def let_mail_fail(self, template: str) -> None:
        """As if the mail server had refused the last mail of this kind for days."""
        assert self.var
        db.open(PrivateDatabase(self.var).address(), size=1)
        with db.reading() as tx:
            refused = "UPDATE mails SET status = 'failed', data = '{}', sent_at = NULL, last_error = '550 nobody of this name' WHERE template = %s"
            tx.execute(refused + " ORDER BY id DESC LIMIT 1", (template,))

    def promote(self, username: str, role: str = "staff") -> None:
        """Make an account one of the staff, or an admin."""
        assert self.var
        db.open(PrivateDatabase(self.var).address(), size=1)
        with db.reading() as tx:
            tx.execute("UPDATE users SET role = %s WHERE username = %s", (role, username))


def running_shop() -> Shop | None:
    """The one of E2E_BASE_URL, whose mails are in E2E_MAIL_DIR."""
    url = os.environ.get("E2E_BASE_URL")
    return Shop(url.rstrip("/"), Path(os.environ.get("E2E_MAIL_DIR", ROOT / "var" / "mail"))) if url else None


@contextmanager
def started_shop(**more: str) -> Iterator[Shop]:
    """A fresh shop with the demo catalogue and `more` settings, in a folder of its own that is gone afterwards."""
    var = Path(tempfile.mkdtemp(prefix="shop-e2e-"))
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DB_", "MAIL_", "SHOP_", "STRIPE_"))}
    environment |= {"SHOP_VAR": str(var), "PORT": str(port), "HOST": "127.0.0.1", "LIMITS": "off", "SHOP_DEMO": "1"} | more
    with (var / "output").open("wb") as output:
        process = subprocess.Popen([sys.executable, str(ROOT / "backend" / "run.py")], env=environment, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url, process, var / "output")
        yield Shop(url, var / "mail", var)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)
        shutil.rmtree(var, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the shop ended while it should start:\n{output.read_text(encoding='utf-8')}"
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"the shop did not answer within {START_TIMEOUT} seconds")
