"""The record of what happened: what is in it, what never is, and that nobody changes it."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ShopClient
from factories import PASSWORD, Thing, User
from flask import Flask
from flask.testing import FlaskClient
from test_accounts import auth, code, forgotten, rows, signed_up
from test_settings import saved
from test_totp import switch_on
from test_users import BLOCK, USERS, act_as

from app import db, errors, logs
from app.services import events


def kinds(user: User | None = None) -> list[str]:
    found = rows("SELECT kind, subject_id FROM events ORDER BY id")
    return [kind for kind, subject in found if user is None or subject == user.id]


def lines(shop: Flask) -> list[dict[str, Any]]:
    text = (shop.config["SHOP"].var / "logs" / "events.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_life_in_the_shop_is_on_record(client: ShopClient, new_client: Callable[[], ShopClient], ada: User) -> None:
    challenge = signed_up(client)
    auth(client, "verify", challenge=challenge, otp=code())
    ((user_id,),) = rows("SELECT id FROM users WHERE username = 'carol'")
    carol = User(user_id, "carol", "carol@example.com")
    client.post("/api/v1/auth/logout")
    auth(client, "login", identifier="carol", password="wrong")
    auth(client, "login", identifier="carol", password=PASSWORD)
    auth(client, "token", identifier="carol", password=PASSWORD)
    client.step_up().delete("/api/v1/me/devices")
    made = switch_on(client)
    client.step_up(totp=made.code()).delete("/api/v1/me/totp")
    challenge = forgotten(client, "carol@example.com")
    auth(client, "reset", challenge=challenge, otp=code(), new_password="another-harbour-27")
    desk = act_as(new_client(), ada)
    for body in (BLOCK, {"blocked_until": None}, {"role": "staff"}, {"status": "deactivated"}, {"status": "active"}):
        assert desk.patch(f"{USERS}/{carol.id}", json=body).status_code == 200

    assert (
        kinds(carol)
        == (
            "registered sign_in sign_out sign_in_refused sign_in token_issued stepped_up session_ended stepped_up session_ended"
            " totp_on stepped_up totp_off password_reset"
            " blocked unblocked role_changed deactivated activated"
        ).split()
    )
    assert {actor for kind, actor in rows("SELECT kind, actor_id FROM events") if kind in ("blocked", "role_changed")} == {ada.id}


def test_an_event_carries_the_request_it_happened_in(client: ShopClient, alice: User) -> None:
    answer = auth(client, "login", identifier="alice", password="wrong")
    assert rows("SELECT request_id, detail FROM events") == [(answer.headers["X-Request-Id"], '{"reason":"password"}')]


def test_a_refusal_of_nobody_is_on_record_too(client: ShopClient) -> None:
    auth(client, "login", identifier="nobody", password="wrong")
    assert rows("SELECT kind, subject_kind, subject_id FROM events") == [("sign_in_refused", "user", None)]


def test_no_name_address_or_secret_is_in_it(client: ShopClient, shop: Flask, alice: User) -> None:
    before = len(lines(shop))
    made = switch_on(client.as_(alice))
    for password in ("wrong-secret-word", PASSWORD):
        auth(client, "login", identifier=alice.email, password=password)
    auth(client, "token", identifier="alice", password=PASSWORD, totp=made.codes[0])
    written = str(rows("SELECT * FROM events")) + json.dumps(lines(shop)[before:])
    for value in ("alice", PASSWORD, "wrong-secret-word", "127.0.0.1", "pytest", "Werkzeug", made.codes[0], made.app.secret):
        assert value not in written


def test_each_event_is_a_line_of_its_own_log(client: ShopClient, shop: Flask, alice: User) -> None:
    before = len(lines(shop))
    auth(client, "login", identifier="alice", password=PASSWORD)
    (line,) = lines(shop)[before:]
    assert line.keys() == {"at", "level", "logger", "message", "kind", "actor_id", "subject_kind", "subject_id", "request_id", "detail"}
    assert (line["kind"], line["subject_id"], line["detail"]) == ("sign_in", alice.id, {"known_device": 0})


def test_what_was_rolled_back_is_in_neither(shop: Flask, alice: User) -> None:
    before = len(lines(shop))

    def fails(tx: db.Tx) -> None:
        events.note(tx, "sign_in", alice.id)
        raise errors.Conflict("no")

    with pytest.raises(errors.Conflict):
        db.transaction(fails)
    assert (kinds(), lines(shop)[before:]) == ([], [])


def test_a_transaction_that_was_tried_twice_is_told_once(shop: Flask, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    before, tries = len(lines(shop)), iter([True, False])

    def deadlocks_once(tx: db.Tx) -> None:
        events.note(tx, "sign_in", alice.id)
        if next(tries):
            raise db.mysql.connector.InternalError("deadlock", errno=db.DEADLOCK)

    db.transaction(deadlocks_once)
    assert kinds() == ["sign_in"]
    assert [line["kind"] for line in lines(shop)[before:]] == ["sign_in"]


@pytest.mark.parametrize("detail", ["Alice Liddell", "alice@example.com", "203.0.113.5", "x" * 33, "Ä"])
def test_what_is_no_fixed_word_is_refused(shop: Flask, detail: str) -> None:
    with pytest.raises(ValueError, match="fixed words"):
        db.transaction(events.note, "sign_in", 1, reason=detail)


def test_an_unknown_kind_is_refused(shop: Flask) -> None:
    with pytest.raises(KeyError):
        db.transaction(events.note, "sing_in", 1)


# ---------------------------------------------------------------- as the owner reads them

DESK = "/api/v1/admin/events"


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    return act_as(new_client(), ada)


def test_the_owner_finds_what_happened_by_whom_to_whom_when_and_in_which_request(
    client: ShopClient, desk: ShopClient, alice: User, bob: User, ada: User, mug: Thing, statements: Callable[[], int]
) -> None:
    def ids(**query: Any) -> list[int]:
        return [row["id"] for row in desk.get(DESK, query_string=query).json["items"]]

    refused = auth(client, "login", identifier="alice", password="wrong")
    client.add(mug.variant)
    number = client.order(email="guest@example.com").json["number"]
    ((order_id,),) = rows("SELECT id FROM orders")
    db.transaction(lambda tx: events.note(tx, "order_changed", order_id, subject="order", action="cancelled"))
    assert desk.patch(f"{USERS}/{bob.id}", json={"role": "staff"}).status_code == 200
    everything = {row["kind"]: row for row in desk.get(f"{DESK}?limit=100").json["items"]}
    role, order, sign_in = everything["role_changed"], everything["order_changed"], everything["sign_in_refused"]
    assert (role["actor"], role["subject"], role["detail"]) == ("ada", "bob", {"former": "customer", "role": "staff"})
    assert (order["subject"], sign_in["subject"], sign_in["actor"]) == (number, "alice", None)

    for query, wanted in (
        ({"q": refused.headers["X-Request-Id"]}, sign_in),
        ({"q": number.lower()}, order),
        ({"q": "Alice"}, sign_in),
        ({"kind": "role_changed"}, role),
        ({"actor": "ada", "q": "bob", "kind": "role_changed"}, role),
        ({"actor": f"#{ada.id}", "subject": "user", "subject_id": bob.id}, role),
        ({"since": order["at"], "until": "2099-01-01", "kind": "order_changed"}, order),
    ):
        assert ids(**query) == [wanted["id"]], query
    nothing = ({"q": "nobody"}, {"actor": "nobody"}, {"q": "FC-ABCD2345"}, {"q": "FC-Ä"}, {"kind": "Ä"}, {"since": "2099-01-01"}, {"until": "2000-01-01"})
    assert [ids(**query) for query in nothing] == [[]] * len(nothing)
    assert [desk.get(f"{DESK}?{half}").status_code for half in ("subject=user", "subject_id=1")] == [422, 422]
    seen = desk.get(f"{DESK}/{role['id']}").json
    assert (seen["before"], seen["after"]) == ({"role": "customer"}, {"role": "staff"})
    assert desk.get(f"{DESK}/{10**12}").status_code == 404
    assert set(desk.get(f"{DESK}/kinds").json["items"]) == events.KINDS

    every = ids(limit=100)
    first = desk.get(f"{DESK}?limit=2&sort=oldest").json
    assert [row["id"] for row in first["items"]] + ids(limit=100, sort="oldest", after=first["next"]) == sorted(every)
    before = statements()
    ids(limit=1)
    few = statements() - before
    ids(limit=100)
    assert statements() - before == 2 * few


def test_a_change_of_the_settings_is_told_with_what_stood_there_before(desk: ShopClient) -> None:
    rates = desk.get("/api/v1/admin/settings").json["sections"]["taxes"]["values"]["tax_rates"]
    wanted = [{"country": "DE", "tax_class": "standard", "rate_bp": 1950}]
    assert saved(desk, "taxes", tax_rates=wanted).status_code == 200
    [row] = desk.get(f"{DESK}?kind=settings_changed").json["items"]
    seen = desk.get(f"{DESK}/{row['id']}").json
    assert (seen["before"]["tax_rates"], seen["after"]["tax_rates"]) == (rates, wanted)


def test_a_fault_is_on_record_once_with_its_request_and_many_do_not_fill_the_record(
    shop: Flask, monkeypatch: pytest.MonkeyPatch, new_client: Callable[[], ShopClient]
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("SELECT secret FROM vault")

    events._faults.clear()
    monkeypatch.setattr("app.services.settings.public", breaks)
    browser = FlaskClient(shop, shop.response_class)
    ids = [browser.get("/api/v1/shop").headers["X-Request-Id"] for _ in range(events.FAULTS_A_MINUTE + 3)]
    noted = rows("SELECT request_id, detail FROM events WHERE kind = 'fault' ORDER BY id")
    assert [one for one, _ in noted] == ids[: events.FAULTS_A_MINUTE]
    assert json.loads(noted[0][1]) == {"error": "runtimeerror", "where": "catalogue_get_shop"}
    monkeypatch.setattr(events.time, "monotonic", lambda: 10**9)
    browser.get("/api/v1/shop")
    assert json.loads(rows("SELECT detail FROM events WHERE kind = 'fault' ORDER BY id DESC LIMIT 1")[0][0])["unnoted"] == 3
    events._faults.clear()


# ---------------------------------------------------------------- the files


# The module alone: the whole shop would be seconds of imports for each process.
WRITE_LINES = """
import logging, pathlib, runpy, sys
logs = runpy.run_path(sys.argv[1])
LogFile = logs["LogFile"]
LogFile.__init__.__globals__.update(MOST_BYTES=4000, LOOK_EVERY=0.0)
file = LogFile(pathlib.Path(sys.argv[2]), 30)
for number in range(300):
    file.handle(logging.makeLogRecord({"name": "shop", "msg": f"{sys.argv[3]}-{number}"}))
"""


def test_a_log_that_several_processes_write_is_put_aside_when_it_is_large_and_loses_no_line(tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITE_LINES, logs.__file__, path, str(writer)]) for writer in range(3)]
    assert [process.wait(60) for process in writers] == [0, 0, 0]
    files = list(tmp_path.iterdir())
    said = [json.loads(line)["message"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert sorted(said) == sorted(f"{writer}-{number}" for writer in range(3) for number in range(300))
    assert len(files) > 10


def test_a_log_is_put_aside_each_day_and_deleted_when_its_days_are_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOOK_EVERY", 0.0)
    path, now = tmp_path / "shop.jsonl", time.time()
    for age in (1, 40):
        path.with_name(f"shop-{age}.jsonl").write_text("{}\n")
        os.utime(path.with_name(f"shop-{age}.jsonl"), (now - age * logs.DAY,) * 2)
    path.write_text("{}\n")
    os.utime(path, (now - logs.DAY,) * 2)
    file = logs.LogFile(path, 30)
    assert {one.name for one in tmp_path.iterdir()} == {"shop.jsonl", "shop-1.jsonl"}
    for word in ("first", "second"):
        file.handle(logging.makeLogRecord({"name": "shop", "msg": word}))
    assert [json.loads(line)["message"] for line in path.read_text(encoding="utf-8").splitlines()] == ["first", "second"]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_line_without_room_is_dropped_and_told_to_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Full(io.StringIO):
        def write(self, line: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    file = logs.LogFile(tmp_path / "shop.jsonl", 30)
    file.setStream(Full())
    file.emit(logging.makeLogRecord({"msg": "request"}))
    assert capsys.readouterr().err == ""
