"""The shop as a user starts it: real processes, real signals."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import factories
import fake_stripe
import pytest
from running_shops import PATIENCE, Shop, free_port, new_shop, open_shop, processes, seed, until

from app import db
from app.config import ROOT, Settings
from app.lock import Busy, Lock
from app.private_database import PrivateDatabase

__all__ = ["new_shop", "open_shop", "seed"]


def test_a_first_start_says_what_there_is_and_serves_the_catalogue(seed: Path, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "var").start()
    try:
        assert shop.get("/") == shop.get("/api/v1/products") == shop.get("/readyz") == 200
        assert re.search(rf"Make it yours: +{shop.url}/setup\?token=\S{{20,}}", shop.said())
        assert str(shop.var / "mail") in shop.said()
        assert f"kill {shop.process.pid}" in shop.said()
        for secret in ("secret_key", "setup_token"):
            assert stat.S_IMODE((shop.var / secret).stat().st_mode) == 0o600
    finally:
        assert shop.stop() == 0
    assert shop.command("seed").returncode == 1


def test_a_second_start_finds_all_as_it_was(new_shop: Any) -> None:
    shop = new_shop()
    secret = (shop.var / "secret_key").read_text()
    assert shop.stop() == 0

    shop.start()

    assert "Creating" not in shop.said()
    assert (shop.var / "secret_key").read_text() == secret
    assert shop.get("/") == 200


def test_a_second_run_on_the_same_folder_is_told_who_has_it(open_shop: Shop) -> None:
    second = open_shop.command("run")

    assert second.returncode == 1
    assert f"process {open_shop.process.pid}, at {open_shop.url}" in second.stderr
    assert open_shop.get("/") == 200


def test_two_shops_run_side_by_side(open_shop: Shop, new_shop: Any) -> None:
    other = new_shop()

    assert (open_shop.get("/"), other.get("/")) == (200, 200)
    assert other.stop() == 0
    assert open_shop.get("/readyz") == 200


def test_a_taken_port_is_told_in_one_sentence(seed: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = Shop(tmp_path / "var", PORT=str(port)).command("run")

    assert (answer.returncode, answer.stderr) == (1, f"Port {port} is taken by another program. Choose another one: PORT={port + 1} ./shop run\n")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "http", "PORT must be a whole number"),
        ("SECRET_KEY", "secret", "SECRET_KEY must be at least 32 random characters"),
        ("HOST", "192.0.2.1", "HOST is 192.0.2.1, which is no address of this machine."),
        ("DB_HOST", "127.0.0.1", "No database server answers at 127.0.0.1:"),
    ],
)
def test_a_setting_that_cannot_be_is_told_in_one_sentence(name: str, value: str, sentence: str, tmp_path: Path) -> None:
    answer = Shop(tmp_path / "var", **{"LIMITS": "on", "DB_PORT": str(free_port()), name: value}).command("run")

    assert answer.returncode == 1
    assert answer.stderr.startswith(sentence)
    assert answer.stderr.count("\n") == 1


def test_killed_workers_and_a_killed_database_are_replaced(new_shop: Any) -> None:
    shop = new_shop(WORKERS="2")
    before = shop.children()
    assert len(before) == 4

    for pid in shop.workers():
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(shop.children()) == 4 and not set(before[1:]) & set(shop.workers()))
    until(lambda: shop.get("/readyz") == 200)
    os.kill(shop.database(), signal.SIGKILL)
    began = time.monotonic()
    until(lambda: before[0] not in shop.children() and len(shop.children()) == 4)
    until(lambda: shop.get("/readyz") == 200)

    assert time.monotonic() - began < 10


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_just_works(new_shop: Any) -> None:
    shop = new_shop()
    children = shop.children()

    shop.process.kill()
    shop.process.wait()
    shop.start()

    assert not set(children) & processes().keys()
    assert shop.get("/") == 200


def test_a_shop_whose_every_process_was_killed_opens_again(new_shop: Any) -> None:
    shop = new_shop()
    for pid in [shop.process.pid, *shop.children()]:
        os.kill(pid, signal.SIGKILL)
    shop.process.wait()

    shop.start()

    assert shop.get("/readyz") == 200


class Buyer(threading.Thread):
    """Orders as a guest, one thing after the other. What gets no answer is sent again under the same key, as any client should."""

    def __init__(self, shop: Shop, variants: list[int], done: threading.Event) -> None:
        super().__init__(daemon=True)
        self.shop, self.variants, self.done = shop, variants, done
        self.orders: dict[str, str] = {}

    def run(self) -> None:
        while not self.done.is_set():
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            status, _ = self.send(browser, "/api/v1/cart/items", {"variant_id": random.choice(self.variants), "quantity": 1})
            if status == 201:
                key = secrets.token_hex(8)
                status, answer = self.send(browser, "/api/v1/orders", factories.order_body(email="guest@example.com"), key)
                if status == 201:
                    self.orders[key] = answer["number"]

    def send(self, browser: urllib.request.OpenerDirector, path: str, body: Any, key: str = "") -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                with browser.open(urllib.request.Request(self.shop.url + path, json.dumps(body).encode(), headers), timeout=10) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as refusal:
                if refusal.code != 503:
                    return refusal.code, None
            except (OSError, http.client.HTTPException):
                # Whatever happened to it, the shop is on its way back.
                time.sleep(0.05)
        raise AssertionError("the shop did not come back")


def test_every_acknowledged_order_is_there_once_after_the_shop_and_its_database_were_killed(new_shop: Any) -> None:
    shop = new_shop(WORKERS="2")
    database = PrivateDatabase(shop.var)
    connection = db.connect(database.address())
    cursor = connection.cursor()
    cursor.execute("SELECT id FROM variants WHERE stock > 5")
    variants = [row[0] for row in cursor.fetchall()]
    done = threading.Event()
    buyers = [Buyer(shop, variants, done) for _ in range(16)]
    for buyer in buyers:
        buyer.start()

    def ordered() -> int:
        return sum(len(buyer.orders) for buyer in buyers)

    until(lambda: ordered() > 20)
    shop.process.kill()
    shop.process.wait()
    shop.start()
    before = ordered()
    until(lambda: ordered() > before + 20)
    os.kill(shop.database(), signal.SIGKILL)
    before = ordered()
    until(lambda: ordered() > before + 20)
    done.set()
    for buyer in buyers:
        buyer.join()

    acknowledged = {key: number for buyer in buyers for key, number in buyer.orders.items()}
    connection = db.connect(database.address())
    cursor = connection.cursor()
    cursor.execute("SELECT number, COUNT(*) FROM orders GROUP BY number")
    there = dict(cursor.fetchall())
    connection.close()
    assert {there.get(number) for number in acknowledged.values()} == {1}
    assert len(set(acknowledged.values())) == len(acknowledged)
    doctor = shop.command("doctor")
    assert doctor.returncode == 0, doctor.stdout


def test_a_shop_killed_while_it_asks_for_a_page_to_pay_on_takes_the_money_of_that_order_once(new_shop: Any) -> None:
    with fake_stripe.FakeStripe().running() as stripe, ThreadPoolExecutor(1) as threads:
        keys = {"STRIPE_SECRET_KEY": fake_stripe.KEY, "STRIPE_WEBHOOK_SECRET": fake_stripe.SECRET, "STRIPE_API_BASE": stripe.url}
        shop = new_shop(**keys)
        stripe.webhook, stripe.slow = f"{shop.url}/api/v1/payments/stripe/webhook", 1
        buyer, browser = Buyer(shop, [], threading.Event()), urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        connection = db.connect(PrivateDatabase(shop.var).address())
        cursor = connection.cursor()
        cursor.execute("SELECT id FROM variants WHERE stock > 5 LIMIT 1")
        assert buyer.send(browser, "/api/v1/cart/items", {"variant_id": cursor.fetchone()[0], "quantity": 1})[0] == 201
        connection.close()

        body = factories.order_body(email="guest@example.com", payment_method="stripe")
        ordering = threads.submit(buyer.send, browser, "/api/v1/orders", body, "one key")
        until(lambda: stripe.requests)
        for pid in [shop.process.pid, *shop.workers()]:
            os.kill(pid, signal.SIGKILL)
        shop.process.wait()
        assert not ordering.done()
        stripe.slow = 0
        shop.start()

        status, order = ordering.result()
        assert (status, order["payment_status"], len(stripe.pages)) == (201, "unpaid", 1)
        browser.open(order["payment"]["redirect_url"], b"act=pay").close()
        connection = db.connect(PrivateDatabase(shop.var).address())
        cursor = connection.cursor()

        def payments() -> list[tuple[Any, ...]]:
            cursor.execute("SELECT o.number, o.payment_status, p.status, p.captured_minor FROM orders o JOIN payments p ON p.order_id = o.id")
            return list(cursor.fetchall())

        until(lambda: payments()[0][2] == "paid")
        assert payments() == [(order["number"], "paid", "paid", order["due_minor"])]
        assert [page["amount_total"] for page in stripe.pages.values() if page["payment_status"] == "paid"] == [order["due_minor"]]
        connection.close()


def test_sigterm_finishes_the_request_in_flight_and_leaves_nothing_behind(new_shop: Any) -> None:
    shop = new_shop()
    children = shop.children()
    body = b'{"email": "nobody@example.com"}'
    with socket.create_connection(("127.0.0.1", int(shop.environment["PORT"])), timeout=PATIENCE) as line:
        head = f"POST /api/v1/auth/forgot HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        line.sendall(head.encode() + body[:5])
        time.sleep(0.3)
        shop.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        line.sendall(body[5:])
        answer = line.recv(4096)

    assert answer.startswith(b"HTTP/1.1 202"), answer
    assert shop.process.wait(30) == 0
    assert not set(children) & processes().keys()
    assert not (shop.var / "mysql" / "pid").exists()


def test_answers_on_a_kept_connection_come_at_once(open_shop: Shop) -> None:
    """The end of an answer that waits for its beginning to be acknowledged takes 40 ms, each time."""
    line = http.client.HTTPConnection("127.0.0.1", int(open_shop.environment["PORT"]), timeout=PATIENCE)
    times = []
    for _ in range(40):
        began = time.perf_counter()
        line.request("POST", "/api/v1/auth/resend", b'{"challenge": "nothing"}', {"Content-Type": "application/json"})
        assert json.loads(line.getresponse().read())["status"] == 422
        times.append(time.perf_counter() - began)
    assert sorted(times)[10] < 0.03


def test_sighup_replaces_every_worker_and_loses_no_request(new_shop: Any) -> None:
    shop = new_shop(WORKERS="2")
    before = shop.workers()
    answers: list[int] = []
    done = threading.Event()

    def shop_around() -> None:
        while not done.is_set():
            answers.append(shop.get("/api/v1/products?limit=1"))

    shoppers = [threading.Thread(target=shop_around) for _ in range(4)]
    for shopper in shoppers:
        shopper.start()
    shop.process.send_signal(signal.SIGHUP)
    until(lambda: len(shop.workers()) == 3 and not set(before) & set(shop.workers()))
    done.set()
    for shopper in shoppers:
        shopper.join()

    assert set(answers) == {200}
    assert len(answers) > 10
    # Whichever worker is asked, it knows what all of them counted, those that left too.
    for _ in range(4):
        with urllib.request.urlopen(f"{shop.url}/metrics", timeout=5) as told:
            counted = re.search(r'_count\{method="GET",status="200",route="/api/v1/products"\} (\d+)', told.read().decode())
        assert counted and int(counted[1]) == len(answers)


def test_commands_join_a_running_shop(open_shop: Shop) -> None:
    admin = open_shop.command("create-admin", "--username", "ada", "--email", "ada@example.com", given="a long and private sentence\n")
    again = open_shop.command("create-admin", "--username", "ada", "--email", "ada@example.com", given="a long and private sentence\n")
    weak = open_shop.command("create-admin", "--username", "eve", "--email", "eve@example.com", given="password\n")
    doctor = open_shop.command("doctor")

    assert (admin.returncode, again.returncode, weak.returncode) == (0, 1, 1), (admin, again, weak)
    assert "Traceback" not in again.stderr + weak.stderr
    assert doctor.returncode == 0, doctor
    assert "All invariants are held." in doctor.stdout
    assert open_shop.get("/") == 200


def test_commands_without_a_shop_start_a_database_and_stop_it(new_shop: Any) -> None:
    shop = new_shop()
    assert shop.stop() == 0

    assert shop.command("migrate").returncode == 0
    assert shop.command("doctor").returncode == 0

    assert not (shop.var / "mysql" / "pid").exists()
    Lock(shop.var).take("a test")


def test_a_broken_invariant_is_named_and_the_exit_code_says_so(open_shop: Shop) -> None:
    connection = db.connect(PrivateDatabase(open_shop.var).address())
    connection.cursor().execute("UPDATE variants SET stock = stock + 1 ORDER BY id LIMIT 1")

    answer = open_shop.command("doctor")

    connection.cursor().execute("UPDATE variants SET stock = stock - 1 ORDER BY id LIMIT 1")
    connection.close()

    assert answer.returncode == 1
    assert re.search(r"^broken +\w*stock", answer.stdout, re.MULTILINE), answer.stdout


def test_debug_reads_changed_files_anew(seed: Path, new_shop: Any, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    for folder in ("backend", "database", "frontend"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "pictures", "tests"))
    shop = new_shop("--debug", root=root)
    assert shop.get("/api/v1/brand-new") == 404

    operations = root / "backend" / "app" / "routes" / "operations.py"
    operations.write_text(operations.read_text() + '\n\n@bp.get("/api/v1/brand-new")\n@anyone\ndef brand_new() -> dict[str, str]:\n    return {}\n')

    until(lambda: shop.get("/api/v1/brand-new") == 200)


DEBUG_REFUSED = (
    "--debug is for development on this machine only: SHOP_ENV must be development, HOST and SHOP_URL loopback addresses, and TRUSTED_PROXIES unset.\n"
)


@pytest.mark.parametrize(
    "public",
    [
        {"HOST": "0.0.0.0"},
        {"SHOP_URL": "https://shop.example"},
        {"SHOP_ENV": "production", "MAIL_HOST": "mail.example"},
        {"TRUSTED_PROXIES": "127.0.0.1"},
    ],
    ids=str,
)
def test_debug_stays_on_this_machine(public: dict[str, str], tmp_path: Path) -> None:
    answer = Shop(tmp_path / "var", LIMITS="on", **public).command("run", "--debug")

    assert (answer.returncode, answer.stderr) == (1, DEBUG_REFUSED)


def test_the_lock_has_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = Lock(tmp_path), Lock(tmp_path)
    first.take("./shop run", "http://127.0.0.1:1")

    with pytest.raises(Busy) as refusal:
        second.take("./shop run")
    first.release()
    second.take("./shop run")

    assert (refusal.value.holder.pid, refusal.value.holder.url) == (os.getpid(), "http://127.0.0.1:1")


def test_a_start_that_is_called_off_leaves_nothing_behind(seed: Path, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "var")
    with shop.output.open("w") as output:
        shop.process = subprocess.Popen([sys.executable, str(ROOT / "backend" / "run.py")], env=shop.environment, stdout=output, stderr=output)
    until(lambda: "Creating the tables" in shop.said())
    children = shop.children()

    shop.stop()
    shop.start()

    assert not set(children) & processes().keys()
    assert shop.get("/readyz") == 200
    shop.stop()


def test_the_front_door_names_its_commands() -> None:
    helped = subprocess.run([str(ROOT / "shop"), "help"], capture_output=True, text=True, check=True).stdout
    unknown = subprocess.run([str(ROOT / "shop"), "open"], capture_output=True, text=True, check=False)

    assert {"run", "test", "lint", "create-admin", "reset-access", "doctor", "migrate", "seed", "worker"} <= set(
        re.findall(r"^\./shop ([a-z-]+)", helped, re.MULTILINE)
    )
    assert (unknown.returncode, unknown.stderr.splitlines()[-1]) == (1, "There is no ./shop open.")


def test_every_setting_is_described_with_its_default() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    described = dict(re.findall(r"^# .+\n#?([A-Z_]+)=(.*)$", text, flags=re.MULTILINE))
    known = {one.metadata["name"] for one in fields(Settings)}

    assert described.keys() == known
    assert re.findall(r"^#([A-Z_]+)=", text, flags=re.MULTILINE) == ["DB_HOST"]
    assert Settings.from_env({name: value for name, value in described.items() if name != "DB_HOST"}) == Settings()
