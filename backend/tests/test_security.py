from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.security import generate_password_hash

from app import security


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "_key", b"for tests only, 0123456789abcdef")


def test_a_password_is_hashed_by_scrypt_with_stated_parameters() -> None:
    hashed = security.hash_password("walnut")
    assert hashed.startswith("scrypt:32768:8:3$")
    assert "walnut" not in hashed
    assert security.check_password(hashed, "walnut")
    assert not security.check_password(hashed, "Walnut")
    assert not security.needs_rehash(hashed)


def test_the_same_password_never_hashes_alike() -> None:
    assert security.hash_password("walnut") != security.hash_password("walnut")


@pytest.mark.parametrize("method", ["scrypt:16384:8:1", "pbkdf2:sha256:1000"])
def test_a_weaker_hash_is_known_as_such_and_still_checked(method: str) -> None:
    hashed = generate_password_hash("walnut", method=method)
    assert security.needs_rehash(hashed)
    assert security.check_password(hashed, "walnut")


@pytest.mark.parametrize("password", ["", "walnut", "0" * 1024])
def test_nobody_has_no_password(password: str) -> None:
    assert not security.check_password(None, password)


def test_an_unknown_name_takes_as_long_as_a_wrong_password() -> None:
    hashed = security.hash_password("walnut")

    # Work done by this thread, so that a busy machine changes nothing.
    def fastest(stored: str | None) -> float:
        times = []
        for _ in range(5):
            began = time.thread_time()
            security.check_password(stored, "wrong")
            times.append(time.thread_time() - began)
        return min(times)

    known, unknown = fastest(hashed), fastest(None)
    assert abs(known - unknown) < 0.5 * known


def test_a_flood_of_sign_ins_hashes_no_more_than_half_the_cores_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most = 0, 0

    def slow(*args: Any) -> bool:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.02)
        at_once -= 1
        return False

    monkeypatch.setattr(security, "check_password_hash", slow)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: security.check_password(None, "x"), range(16)))
    assert most <= max(1, (security.os.cpu_count() or 2) // 2)


@pytest.mark.parametrize("digits", [6, 8])
def test_a_code_has_its_digits_and_is_drawn_evenly(digits: int) -> None:
    codes = [security.new_code(digits) for _ in range(3000)]
    assert {len(code) for code in codes} == {digits}
    assert all(code.isdigit() for code in codes)
    assert len(set(codes)) > 2980
    firsts = [code[0] for code in codes]
    assert all(200 < firsts.count(digit) < 400 for digit in "0123456789")


def test_a_code_is_bound_to_what_it_is_for() -> None:
    hashes = {security.hash_code(purpose, challenge, "123456") for purpose in ("register", "reset") for challenge in ("one", "other")}
    assert len(hashes) == 4
    assert all(len(one) == 64 for one in hashes)


def test_a_code_cannot_be_searched_without_the_shops_key(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = security.hash_code("reset", "one", "123456")
    monkeypatch.setattr(security, "_key", b"another key of another shop, 0123")
    assert security.hash_code("reset", "one", "123456") != hashed
    monkeypatch.setattr(security, "_key", b"")
    with pytest.raises(RuntimeError):
        security.hash_code("reset", "one", "123456")


def test_what_stands_for_no_code_has_a_hashs_form() -> None:
    assert len(security.unmatchable()) == len(security.hash_code("reset", "one", "123456"))
    assert security.unmatchable() != security.unmatchable()


def test_tokens_are_long_and_random() -> None:
    assert len({security.new_token() for _ in range(1000)}) == 1000
    assert len(security.new_token()) >= 32


def test_readable_characters_cannot_be_misread() -> None:
    assert set(security.readable(5000)) == set("23456789ABCDEFGHJKMNPQRSTVWXYZ")
