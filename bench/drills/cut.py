"""./shop drill cut: is an order there once whose line to the database is cut at COMMIT, before it was carried out or before its answer came?

The shop reaches its database over a wire of the drill's own, which reads along and cuts lines under load at the worst moment.
"""

from __future__ import annotations

import argparse
import itertools
import select
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frame import Load, judge, put_on_shelf
from histories import bar
from lab.shops import Shop, opened, until

from app import private_database
from app.db import Address
from app.private_database import PrivateDatabase


class Wire:
    """What lies between a shop and its database. It carries bytes, until it is told to break at the COMMIT of the next order."""

    def __init__(self, listener: socket.socket, server: str) -> None:
        self.breaks = ""  # "before" the COMMIT reaches the server, or "after" it was carried out, whose answer is then lost
        self.cuts_all = False  # whether nobody else gets through any more, either
        self.down = False
        self._listener, self._server, self._cutting = listener, server, threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                shop, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(shop,), daemon=True).start()

    def _carry(self, shop: socket.socket) -> None:
        with shop, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._server)
            ordering = False
            while not self.down:
                for end in select.select([shop, server], [], [], 0.05)[0]:
                    try:
                        sent = end.recv(1 << 16)
                    except ConnectionResetError:
                        return
                    if not sent:
                        return
                    commits = end is shop and sent[5:].upper() == b"COMMIT"
                    ordering |= b"INSERT INTO orders " in sent
                    if commits and ordering and (when := self._cut()):
                        if when == "after":
                            server.sendall(sent)
                            assert server.recv(1 << 16)
                        return
                    ordering = ordering and not commits
                    (server if end is shop else shop).sendall(sent)

    def _cut(self) -> str:
        """When, if at all; one line only is cut for each time that it is told to."""
        with self._cutting:
            when, self.breaks = self.breaks, ""
        self.down = self.down or bool(when) and self.cuts_all
        return when

    def close(self) -> None:
        self.down = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def wired() -> Iterator[tuple[Shop, Address, Wire]]:
    """A shop that knows its database by DB_HOST, open; that database; and what lies between."""
    # What goes over the wire has to be read.
    private_database.SERVING.append("--skip-ssl")
    with tempfile.TemporaryDirectory(prefix="shop-drill-cut-") as folder:
        server = PrivateDatabase(Path(folder))
        server.start()
        address = server.address(owner=True)
        listener = socket.create_server(("127.0.0.1", 0))
        wire = Wire(listener, address.socket)
        reached = {"DB_HOST": "127.0.0.1", "DB_PORT": str(listener.getsockname()[1]), "DB_USER": address.user, "DB_PASSWORD": address.password}
        try:
            with opened("cut", **reached, DB_NAME=address.database) as shop:
                yield shop, address, wire
        finally:
            wire.close()
            server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop drill cut", description="Is an order lost or doubled when its line is cut at COMMIT?")
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    with wired() as (shop, address, wire):
        with Load(shop, put_on_shelf(address)) as load:
            load.goes_on()
            for done, when in enumerate(itertools.islice(itertools.cycle(("before", "after")), options.count), 1):
                wire.breaks = when
                until(lambda: not wire.breaks, "the COMMIT of another order")
                bar(done, options.count)
            load.goes_on()
        told = load.histories
        print(f"{options.count} lines cut, half of them before COMMIT and half before its answer; buyers met {told.refused} answers 503")
        faults = [f"{told.broken} lines of buyers broke"] if told.broken else []
        return judge("cut", told, address, faults).show()


if __name__ == "__main__":
    sys.exit(main())
