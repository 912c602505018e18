"""./shop drill mails: is a mail lost, or told apart from its double, when its worker is killed between the mail server's yes and its own note?

A worker is a process, killed by SIGKILL; the mail server is a real one, too. It locks the row of the mail that it has just accepted, so
that the worker, who got its yes, stands still where it writes it down, and dies there.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from email import message_from_bytes
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "backend"))

from app import db, security  # noqa: E402
from app.config import Settings  # noqa: E402
from app.db import Address  # noqa: E402
from app.services import mail  # noqa: E402

EACH = 3  # mails that a worker finds; it is killed at the first, second or third of them
PATIENCE = 30.0  # seconds
NOTING = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE mails%%SET recipient%%'"


class Server:
    """A mail server that takes everything. When it is set a trap, it holds the row of the mail after so many others."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.caught: list[tuple[str, str]] = []
        self.spared = -1
        self.held: Any = None
        self.sprung = threading.Event()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        name = str(message_from_bytes(envelope.content)["Message-ID"])
        self.caught.append((envelope.rcpt_tos[0], name))
        if self.spared == 0:
            self._hold(name)
        self.spared -= 1
        return "250 kept"

    def _hold(self, name: str) -> None:
        self.held = db.connect(self.address)
        cursor = self.held.cursor()
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT id FROM mails WHERE message_id = %s FOR UPDATE", (name.strip("<>").partition("@")[0],))
        cursor.fetchall()
        self.sprung.set()

    def let_go(self) -> None:
        self.held.close()
        self.sprung.clear()


@contextmanager
def server(address: Address) -> Iterator[tuple[Server, int]]:
    from aiosmtpd.controller import Controller

    made = Server(address)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    controller = Controller(made, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield made, port
    finally:
        controller.stop()


def worker(given: Settings, address: Address) -> subprocess.Popen[bytes]:
    wanted = {"address": asdict(address), "key": given.secret_key, "port": given.mail_port, "var": str(given.var)}
    process = subprocess.Popen([sys.executable, __file__, "--worker"], stdin=subprocess.PIPE)
    assert process.stdin
    process.stdin.write(json.dumps(wanted).encode())
    process.stdin.close()
    return process


def work() -> None:
    """What a worker does: deliver what is due, until nothing is."""
    wanted = json.load(sys.stdin)
    security.use_key(wanted["key"])
    db.open(Address(**wanted["address"]), size=1)
    settings = Settings(var=Path(wanted["var"]), secret_key=wanted["key"], mail_host="127.0.0.1", mail_port=wanted["port"], mail_tls="off")
    while mail.deliver_due(settings):
        pass


def rows(sql: str) -> list[tuple[Any, ...]]:
    with db.reading() as tx:
        return list(tx.execute(sql).fetchall())


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("a worker did not come to where it was to be killed")
        time.sleep(0.01)


def killed(times: int, given: Settings, address: Address, tell: Callable[[int, int], None] = lambda done, total: None) -> tuple[Counter[str], str]:
    """Kill so many workers; gives how often each mail arrived, and what was not as it should be."""
    with server(address) as (stands, port):
        given = replace(given, mail_port=port)
        for turn in range(times):
            for one in range(EACH):
                db.transaction(mail.enqueue, "welcome", f"reader{turn}-{one}@example.com", {"username": "reader"})
            stands.spared = turn % EACH
            process = worker(given, address)
            until(stands.sprung.is_set)
            until(lambda: rows(NOTING)[0][0])
            process.kill()
            process.wait()
            stands.let_go()
            with db.reading() as tx:
                # As if the time of the dead worker's lease were over.
                tx.execute("UPDATE mails SET leased_until = NULL").close()
            tell(turn + 1, times)
        worker(given, address).wait(PATIENCE)
    names: dict[str, set[str]] = {}
    for recipient, name in stands.caught:
        names.setdefault(recipient, set()).add(name)
    unsent = rows("SELECT COUNT(*) FROM mails WHERE status <> 'sent'")[0][0]
    if unsent or len(names) != times * EACH:
        return Counter(), f"{unsent} mails are not sent, {times * EACH - len(names)} never arrived"
    if doubled := [recipient for recipient, several in names.items() if len(several) > 1]:
        return Counter(), f"to {doubled[0]} a mail went under several names"
    return Counter(recipient for recipient, _ in stands.caught), ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop drill mails", description="Is a mail lost when workers are killed between the server's yes and their note?")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work()
        return 0
    from histories import bar, opened

    from app.private_database import address_of

    with opened(2) as (given, _):
        arrived, fault = killed(options.count, given, address_of(given), bar)
    again = sum(number - 1 for number in arrived.values())
    print(fault or f"{options.count} workers killed, {len(arrived)} mails: none lost, {again} came twice, each under its one Message-ID")
    return int(bool(fault) or again != options.count)


if __name__ == "__main__":
    sys.exit(main())
