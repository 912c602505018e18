"""Many at the same moment, and lines that break at the worst one: whatever happens, every order is there once and no piece is sold twice."""

from __future__ import annotations

import select
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing

from app import db
from app.private_database import PrivateDatabase
from app.services import checkout
from app.services.cart import Buyer
from app.services.checkout import Address, Request

REQUEST = Request(address=Address(**factories.ADDRESS), shipping_method="standard", payment_method="cash_on_delivery", email="guest@example.com")


# ---------------------------------------------------------------- a line that is cut at COMMIT


class Wire:
    """What lies between the shop and its database. It carries bytes, until it is told to break at the COMMIT of the next order."""

    def __init__(self, path: Path, server: db.Address) -> None:
        self.path, self._server = path, server
        self.breaks = ""  # "before" the COMMIT reaches the server, or "after" it was carried out, whose answer is then lost
        self.cuts_all = False  # whether nobody else gets through any more, either
        self.down = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                shop, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(shop,), daemon=True).start()

    def _carry(self, shop: socket.socket) -> None:
        with shop, self._reach() as server:
            ordering = False
            while not self.down:
                for end in select.select([shop, server], [], [], 0.05)[0]:
                    sent = end.recv(1 << 16)
                    if not sent:
                        return
                    ordering |= b"INSERT INTO orders " in sent
                    if ordering and self.breaks and end is shop and sent.upper().endswith(b"COMMIT"):
                        return self._cut(server, sent)
                    (server if end is shop else shop).sendall(sent)

    def _reach(self) -> socket.socket:
        if not self._server.socket:
            return socket.create_connection((self._server.host, self._server.port))
        line = socket.socket(socket.AF_UNIX)
        line.connect(self._server.socket)
        return line

    def _cut(self, server: socket.socket, commit: bytes) -> None:
        when, self.breaks, self.down = self.breaks, "", self.cuts_all
        if when == "after":
            server.sendall(commit)
            assert server.recv(1 << 16)

    def close(self) -> None:
        self.down = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.path.unlink()


@pytest.fixture
def wire(shop: Any, server: PrivateDatabase, var: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    made = Wire(var / "wire", server.address())
    pool = db.Pool(replace(server.address(), socket=str(made.path)), 4)
    with monkeypatch.context() as patch:
        patch.setattr(db, "_pool", pool)
        yield made
    pool.close()
    made.close()


@pytest.mark.parametrize("cuts_all", [False, True], ids=["one line", "all lines"])
@pytest.mark.parametrize("breaks", ["before", "after"])
def test_an_order_whose_line_is_cut_at_commit_is_there_once_when_it_is_sent_again(
    wire: Wire, client: ShopClient, mug: Thing, caplog: pytest.LogCaptureFixture, breaks: str, cuts_all: bool
) -> None:
    client.add(mug.variant, 2)
    wire.breaks, wire.cuts_all = breaks, cuts_all
    first = client.order("key", email="guest@example.com")
    assert wire.breaks == "", "the line was cut"
    found_by_itself = breaks == "after" and not cuts_all
    assert first.status_code == (201 if found_by_itself else 503)
    assert found_by_itself or int(first.headers["Retry-After"]) > 0
    wire.down = False

    deadline = time.monotonic() + 10
    while (answer := client.order("key", email="guest@example.com")).status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.1)

    assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (201, breaks == "after")
    assert not found_by_itself or first.json == answer.json
    assert factories.value("SELECT GROUP_CONCAT(number) FROM orders") == answer.json["number"]
    assert (factories.stock_of(mug.variant), client.get("/api/v1/cart").json["count"]) == (3, 0)
    assert factories.value("SELECT COUNT(*) FROM mails WHERE template = 'order_placed'") == 1
    assert factories.value("SELECT GROUP_CONCAT(quantity ORDER BY id) FROM stock_movements") == "5,-2"
    assert "Request finalizing failed" not in caplog.text


# ---------------------------------------------------------------- many buyers


def test_two_hundred_buyers_of_ten_units_make_ten_orders_and_all_others_are_clearly_refused(new_client: Callable[[], ShopClient]) -> None:
    lamp = factories.product("Lamp", stock=10)
    browsers = [new_client() for _ in range(200)]
    for number, browser in enumerate(browsers):
        browser.set_cookie("session", factories.cookie_of_guest(lamp.variant))
        browser.environ_base["REMOTE_ADDR"] = f"203.0.113.{number}"

    with ThreadPoolExecutor(24) as threads:
        emails = [f"guest{number}@example.com" for number in range(200)]
        answers = list(threads.map(lambda browser, email: browser.order(email=email), browsers, emails))

    assert Counter(answer.status_code for answer in answers) == {201: 10, 409: 190}
    refused = [answer.json for answer in answers if answer.status_code == 409]
    assert {(body["code"], body["detail"], body["lines"][0]["title"]) for body in refused} == {("out_of_stock", "Lamp is sold out.", "Lamp")}
    assert len({answer.json["number"] for answer in answers if answer.status_code == 201}) == factories.value("SELECT COUNT(*) FROM orders") == 10
    assert factories.stock_of(lamp.variant) == 0
    assert factories.value("SELECT GROUP_CONCAT(quantity ORDER BY quantity DESC) FROM stock_movements WHERE variant_id = %s", lamp.variant) == "10" + ",-1" * 10


def test_carts_that_hold_the_same_things_in_other_orders_never_deadlock(shop: Any) -> None:
    one, other = (factories.product(stock=10_000).variant for _ in range(2))

    def orders(number: int) -> int:
        buyer = Buyer(factories.user(f"buyer{number}").id)
        for _ in range(50):
            factories.fill(buyer, *((one, other) if number % 2 else (other, one)))
            checkout.place(buyer, uuid.uuid4().hex, REQUEST)
        return 50

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(orders, range(8))) == 400
    assert [factories.stock_of(variant) for variant in (one, other)] == [9600, 9600]
