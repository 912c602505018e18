from __future__ import annotations

import time

import pytest
from conftest import STRONG, ShopClient
from factories import PASSWORD, Thing, User
from flask import Flask
from pydantic import AfterValidator
from test_accounts import rows
from werkzeug.security import generate_password_hash

from app import db, security
from app.fields import Prose
from app.services import mail, settings


@pytest.fixture(autouse=True)
def strong_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in STRONG.items():
        monkeypatch.setattr(security, name, value)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "_key", b"for tests only, 0123456789abcdef")


def test_a_password_is_hashed_by_scrypt_with_stated_parameters() -> None:
    hashed = security.hash_password("walnut")
    assert hashed.startswith("scrypt:32768:8:3$")
    assert "walnut" not in hashed
    assert security.check_password(hashed, "walnut")
    assert not security.check_password(hashed, "Walnut")
    assert not security.needs_rehash(hashed, "walnut")


def test_the_same_password_never_hashes_alike() -> None:
    assert security.hash_password("walnut") != security.hash_password("walnut")


@pytest.mark.parametrize("method", ["scrypt:16384:8:1", "pbkdf2:sha256:1000"])
def test_a_weaker_hash_is_known_as_such_and_still_checked(method: str) -> None:
    hashed = generate_password_hash("walnut", method=method)
    assert security.needs_rehash(hashed, "walnut")
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


# ---------------------------------------------------------------- what a request cannot choose


def test_the_name_that_a_request_calls_the_shop_by_gets_into_no_mail(client: ShopClient, shop: Flask, alice: User) -> None:
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    client.post("/api/v1/auth/forgot", json={"email": alice.email}, headers=evil)
    client.post("/api/v1/auth/login", json={"identifier": "alice", "password": PASSWORD}, headers=evil)
    sent = rows("SELECT id, message_id, template, recipient, data, created_at FROM mails")
    assert {row[2] for row in sent} == {"reset_code", "new_device"}
    with db.reading() as tx:
        chosen = settings.shop(tx)
    names = ("id", "message_id", "template", "recipient", "data", "created_at")
    for row in sent:
        made = mail.compose(dict(zip(names, row, strict=True)), shop.config["SHOP"], chosen)
        text = "".join(part.get_content() for part in made.walk() if not part.is_multipart())
        assert "evil.example" not in text + str(made["Message-ID"]) + str(made["From"])
        assert "http://127.0.0.1:5099" in text


@pytest.mark.parametrize("field", ["role", "status", "id", "user_id", "blocked_until", "password_hash", "totp", "level", "email"])
def test_nobody_gives_themselves_what_is_not_theirs_to_give(client: ShopClient, alice: User, field: str) -> None:
    answer = client.as_(alice).patch("/api/v1/me", json={field: "admin"})
    assert (answer.status_code, answer.json["errors"]) == (422, {field: ["There is no such field."]})
    assert rows("SELECT role, status FROM users") == [("customer", "active")]


# ---------------------------------------------------------------- card numbers

# The numbers that card schemes and payment services give out for tests.
CARDS = {
    "4242 4242 4242 4242": "•••• •••• •••• 4242",
    "4000-0566-5566-5556": "••••-••••-••••-5556",
    "4222222222222": "•••••••••2222",
    "2223003122003222": "••••••••••••3222",
    "5105105105105100": "••••••••••••5100",
    "3782 822463 10005": "•••• •••••• •0005",
    "6011000990139424": "••••••••••••9424",
    "3056 930902 5904": "•••• •••••• 5904",
    "3566002020360505": "••••••••••••0505",
    "6205500000000000004": "•••••••••••••••0004",
    "Visa:4111111111111111.": "Visa:••••••••••••1111.",
    "4111 1111 1111 1111 12/29, 123": "•••• •••• •••• 1111 12/29, 123",
    "on 12 4111\u20111111\u20131111 - 1111": "on 12 ••••\u2011••••\u2013•••• - 1111",
    "first 4111 1111 1111 1111\nthen 5555555555554444": "first •••• •••• •••• 1111\nthen ••••••••••••4444",
}
OTHERS = (
    "Order FC-2345WXYZ of 2026-11-21, invoice 10000000417, 100 pieces",
    "4242 4242 4242 4241",  # one digit wrong
    "call +49 1512 3456789 or 0032 470 12 34 56 or (415) 555-0132 415-555-0199",
    "ISBN 978-3-16-148410-0, 9780306406157, EAN 4006381333931, 5012345678900",
    "IBAN BE68 5390 0754 7034, DE89370400440532013000, FR76 3000 6000 0112 3456 7890 189",
    "parcel 00340434161094042557, 1Z999AA10123456784, JD014600003856123456",
    "1234567890123456, 0000 0000 0000 0000, 9999999999999995",
)


def test_what_looks_like_a_card_number_keeps_its_last_four_digits() -> None:
    assert {text: security.mask_card_numbers(text) for text in CARDS} == CARDS


def test_other_numbers_stay_as_they_are() -> None:
    assert [text for text in OTHERS if security.mask_card_numbers(text) != text] == []


def test_no_card_number_comes_through_any_door_for_words(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    assert client.order(email="guest@example.com", note="My card is 4242 4242 4242 4242").json["note"] == "My card is •••• •••• •••• 4242"
    doors = {
        (rule.rule, name): field.metadata
        for rule in client.application.url_map.iter_rules()
        if (endpoint := client.application.view_functions[rule.endpoint].endpoint).body and endpoint.who in ("anyone", "signed_in")  # type: ignore[attr-defined]
        for name, field in endpoint.body.model_fields.items()
        if Prose.__metadata__[0] in field.metadata  # type: ignore[attr-defined]
    }
    assert len(doors) >= 3
    assert [door for door, metadata in doors.items() if AfterValidator(security.mask_card_numbers) not in metadata] == []
