"""A flood of sign-ins: password hashes are bounded, and the threads of a worker stay free."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import PASSWORD, User
from flask import Flask
from test_accounts import alike, at_once, auth, code, forgotten, rows
from werkzeug.test import TestResponse

from app import hashing_limiter, security
from app.errors import Unavailable
from app.hashing_limiter import HashingLimiter

ME = "/api/v1/me"


@pytest.fixture(autouse=True)
def default_limiter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests replace the limiter of this process; the next test finds it as it was."""
    monkeypatch.setattr(security, "_hashing", security._hashing)


@contextmanager
def occupied(limiter: HashingLimiter, threads: int) -> Iterator[None]:
    """Keep this many slots taken during the block, each by a thread of its own."""
    taken, done = threading.Semaphore(0), threading.Event()

    def hold() -> None:
        with limiter.slot():
            taken.release()
            done.wait()

    holders = [threading.Thread(target=hold) for _ in range(threads)]
    for holder in holders:
        holder.start()
        taken.acquire()
    try:
        yield
    finally:
        done.set()
        for holder in holders:
            holder.join()


@contextmanager
def busy_shop() -> Iterator[None]:
    """Every thread that may hash is at it, so the next request that needs a hash is refused at once."""
    security.limit_hashing(2)
    with occupied(security._hashing, 1):
        yield


def test_no_more_hashes_are_computed_at_once_than_there_are_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    running, peak, lock = 0, 0, threading.Lock()

    def slow(*_: Any) -> bool:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return False

    monkeypatch.setattr(security, "check_password_hash", slow)
    security.limit_hashing(64)
    at_once(16, lambda _: security.check_password(None, "x"))

    assert peak <= security.HASHING_SLOTS


def test_a_thread_waits_no_longer_than_a_second_for_a_slot() -> None:
    limiter = HashingLimiter(1, max_threads=4)
    with occupied(limiter, 1):
        began = time.monotonic()
        with pytest.raises(Unavailable) as refused, limiter.slot():
            pass
        waited = time.monotonic() - began

    assert hashing_limiter.MAX_WAIT_SECONDS <= waited < hashing_limiter.MAX_WAIT_SECONDS + 1
    assert refused.value.retry_after == hashing_limiter.RETRY_AFTER_SECONDS


def test_a_slot_that_becomes_free_in_time_is_used() -> None:
    limiter = HashingLimiter(1, max_threads=2)
    with occupied(limiter, 1):
        waiting = threading.Thread(target=lambda: limiter.slot().__enter__())
        waiting.start()
    waiting.join(hashing_limiter.MAX_WAIT_SECONDS)

    assert not waiting.is_alive()


@pytest.mark.parametrize(("worker_threads", "may_hash"), [(1, 1), (2, 1), (4, 2), (24, 12)])
def test_at_most_half_of_a_workers_threads_hash_or_wait(worker_threads: int, may_hash: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing_limiter, "MAX_WAIT_SECONDS", 5.0)
    security.limit_hashing(worker_threads)
    release = threading.Event()
    monkeypatch.setattr(security, "check_password_hash", lambda *_: release.wait())
    refused = threading.Semaphore(0)
    outcomes: list[str] = []

    def sign_in() -> None:
        try:
            security.check_password(None, "x")
            outcomes.append("hashed")
        except Unavailable:
            outcomes.append("refused")
            refused.release()

    threads = [threading.Thread(target=sign_in) for _ in range(worker_threads + 4)]
    for thread in threads:
        thread.start()
    # These are refused while no hash has been finished: nobody waited for anything.
    for _ in range(worker_threads + 4 - may_hash):
        assert refused.acquire(timeout=4), "a thread is parked that should have been refused at once"
    release.set()
    for thread in threads:
        thread.join()

    assert Counter(outcomes) == {"hashed": may_hash, "refused": worker_threads + 4 - may_hash}


def test_a_refused_or_failed_hash_leaves_its_slot_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing_limiter, "MAX_WAIT_SECONDS", 0.01)
    limiter = HashingLimiter(1, max_threads=2)
    for _ in range(5):
        with occupied(limiter, 1), pytest.raises(Unavailable), limiter.slot():
            pass
        with pytest.raises(ZeroDivisionError), limiter.slot():
            raise ZeroDivisionError
    with limiter.slot():
        pass


# ---------------------------------------------------------------- over HTTP


def is_busy(response: TestResponse) -> bool:
    return (response.status_code, response.headers.get("Retry-After")) == (503, "5")


def test_a_sign_in_during_a_flood_gets_503_and_other_requests_are_served(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    browser = new_client().as_(alice)
    with busy_shop():
        refused = auth(client, "login", identifier="alice", password=PASSWORD)
        assert client.get("/livez").status_code == client.get("/api/v1/products").status_code == 200
        assert browser.get(ME).status_code == 200

    assert is_busy(refused)
    assert refused.json["code"] == "unavailable"
    assert auth(client, "login", identifier="alice", password=PASSWORD).status_code == 200


def test_a_flood_tells_nothing_about_which_accounts_exist(client: ShopClient, alice: User) -> None:
    sign_up = {"password": "granite-lantern-58"}
    with busy_shop():
        known = {
            "login": auth(client, "login", identifier="alice", password="wrong"),
            "right password": auth(client, "login", identifier="alice", password=PASSWORD),
            "token": auth(client, "token", identifier="alice", password="wrong"),
            "register": auth(client, "register", username="dave", email=alice.email, **sign_up),
            "forgot": auth(client, "forgot", email=alice.email),
        }
        unknown = {
            "login": auth(client, "login", identifier="nobody", password="wrong"),
            "right password": auth(client, "login", identifier="nobody", password=PASSWORD),
            "token": auth(client, "token", identifier="nobody", password="wrong"),
            "register": auth(client, "register", username="erin", email="nobody@example.com", **sign_up),
            "forgot": auth(client, "forgot", email="nobody@example.com"),
        }
    for name, response in known.items():
        assert alike(response, unknown[name]), name
        assert is_busy(response) == (name != "forgot"), name


def test_a_guessed_code_tells_nothing_during_a_flood(client: ShopClient, alice: User) -> None:
    known, unknown = (forgotten(client, address) for address in (alice.email, "nobody@example.com"))
    with busy_shop():
        guesses = [auth(client, "reset", challenge=one, otp="00000000", new_password="granite-lantern-58") for one in (known, unknown)]
    assert alike(*guesses)
    assert guesses[0].status_code == 422


def test_a_password_reset_refused_by_a_flood_can_be_repeated_with_the_same_code(client: ShopClient, alice: User) -> None:
    challenge = forgotten(client, alice.email)
    body = {"challenge": challenge, "otp": code(), "new_password": "granite-lantern-58"}
    with busy_shop():
        assert is_busy(auth(client, "reset", **body))

    assert auth(client, "reset", **body).status_code == 204


def test_step_up_and_a_change_of_password_are_refused_during_a_flood(client: ShopClient, alice: User) -> None:
    client.as_(alice)
    passwords = {"current_password": PASSWORD, "new_password": "granite-lantern-58"}
    with busy_shop():
        assert is_busy(auth(client, "step-up", password=PASSWORD))
        assert is_busy(client.put(f"{ME}/password", json=passwords))
    assert client.put(f"{ME}/password", json=passwords).status_code == 204


def test_a_sign_in_keeps_an_older_hash_when_there_is_no_slot_to_renew_it(client: ShopClient, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(password: str) -> str:
        raise Unavailable

    older = rows("SELECT password_hash FROM users")
    monkeypatch.setattr(security, "PASSWORD_METHOD", "scrypt:2048:8:1")
    monkeypatch.setattr(security, "hash_password", busy)

    assert auth(client, "login", identifier="alice", password=PASSWORD).status_code == 200
    assert rows("SELECT password_hash FROM users") == older


def test_real_threads_of_a_small_worker_stay_free_during_a_flood(shop: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    factories.user("alice")
    monkeypatch.setattr(security, "check_password_hash", lambda *_: bool(time.sleep(0.5)))
    security.limit_hashing(4)
    slots = threading.BoundedSemaphore(4)  # the threads of a worker
    took: list[float] = []

    def request(number: int) -> int:
        client: Any = shop.test_client()
        began = time.monotonic()
        with slots:
            if number % 4:
                return int(auth(client, "login", identifier=f"{number}", password="wrong").status_code)
            client.get("/livez")
            took.append(time.monotonic() - began)
            return 200

    statuses = Counter(at_once(24, request))

    assert set(statuses) == {200, 401, 503}
    assert max(took) < 4 * 0.5, "with every thread parked, 18 sign-ins of half a second take over 4 seconds"
