from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import factories
import orjson
import pytest
from conftest import ShopClient
from factories import PASSWORD, Thing, User
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from app import db, errors, security
from app.services import accounts

WRONG = {6: "000000", 8: "00000000"}
SIGN_UP = {"username": "carol", "email": "carol@example.com", "password": PASSWORD}


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with db.reading() as tx:
        return list(tx.execute(sql, params).fetchall())


def change(sql: str, *params: Any) -> None:
    with db.reading() as tx:
        tx.execute(sql, params).close()


def let_pass(minutes: float) -> None:
    """The clock moves on for all that has to do with codes."""
    seconds = int(minutes * 60)
    for table, columns in (("challenges", ("created_at", "expires_at")), ("codes", ("created_at", "expires_at", "used_at"))):
        change(f"UPDATE {table} SET {', '.join(f'{column} = {column} - INTERVAL {seconds} SECOND' for column in columns)}")


def mails() -> list[tuple[str, str]]:
    """What was put into the outbox: template and recipient, in order."""
    return [(template, to) for template, to in rows("SELECT template, recipient FROM mails ORDER BY id")]


def code(newest: int = 0) -> str:
    """A code from the outbox; 0 is the newest one."""
    found = rows("SELECT data FROM mails WHERE template IN ('register_code', 'reset_code') ORDER BY id DESC")
    return str(orjson.loads(found[newest][0])["code"])


def wrong(right: str) -> str:
    return WRONG[len(right)] if right != WRONG[len(right)] else "1" * len(right)


def auth(client: ShopClient, what: str, **body: Any) -> TestResponse:
    return client.post(f"/api/v1/auth/{what}", json=body)


def signed_up(client: ShopClient, **other: str) -> str:
    answer = auth(client, "register", **(SIGN_UP | other))
    assert answer.status_code == 202, answer.json
    return str(answer.json["challenge"])


def forgotten(client: ShopClient, email: str) -> str:
    return str(auth(client, "forgot", email=email).json["challenge"])


def who(client: ShopClient) -> str | None:
    user = client.get("/api/v1/auth/session").json["user"]
    return user["username"] if user else None


def alike(one: TestResponse, other: TestResponse) -> bool:
    """Whether nobody could tell two answers apart: same status and headers, same body but for what is random or counts seconds."""

    def shape(answer: TestResponse) -> Any:
        body = {name: len(value) if name in ("challenge", "request_id") else re.sub(r"\d+", "n", str(value)) for name, value in answer.json.items()}
        headers = {name: len(value) if name in ("X-Request-Id", "Retry-After") else value for name, value in answer.headers.items() if name != "Date"}
        return answer.status_code, body, headers

    return bool(shape(one) == shape(other))


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Do it from several threads that start at the same moment."""
    gate = threading.Barrier(count)

    def one(number: int) -> Any:
        gate.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


# ---------------------------------------------------------------- sign-up


def test_a_code_from_the_mail_makes_the_account_and_signs_in(client: ShopClient) -> None:
    challenge = signed_up(client)
    assert mails() == [("register_code", "carol@example.com")]
    assert (len(code()), code().isdigit()) == (6, True)

    answer = auth(client, "verify", challenge=challenge, otp=code())

    assert answer.status_code == 201
    assert (answer.json["user"]["username"], answer.json["user"]["email"], answer.json["user"]["role"]) == ("carol", "carol@example.com", "customer")
    assert who(client) == "carol"
    assert mails()[-1] == ("welcome", "carol@example.com")


def test_nothing_exists_before_the_code_is_entered(client: ShopClient) -> None:
    signed_up(client)
    assert rows("SELECT COUNT(*) FROM users") == [(0,)]
    assert auth(client, "login", identifier="carol", password=PASSWORD).status_code == 401
    assert who(client) is None


def test_a_code_may_be_typed_with_spaces(client: ShopClient) -> None:
    challenge = signed_up(client)
    assert auth(client, "verify", challenge=challenge, otp=f" {code()[:3]} {code()[3:]} ").status_code == 201


def test_a_pending_sign_up_keeps_neither_code_nor_password_nor_challenge_readable(client: ShopClient) -> None:
    challenge = signed_up(client)
    kept = rows("SELECT * FROM challenges") + rows("SELECT * FROM codes")
    assert not {challenge, code(), PASSWORD} & {str(value) for row in kept for value in row}


def test_a_taken_username_is_said_whatever_its_case(client: ShopClient, alice: User) -> None:
    answer = auth(client, "register", **(SIGN_UP | {"username": "ALICE"}))
    assert (answer.status_code, answer.json["errors"]) == (422, {"username": ["This username is taken."]})
    assert mails() == []


def test_a_known_address_gets_the_same_answer_and_its_owner_a_mail(client: ShopClient, alice: User) -> None:
    unknown = auth(client, "register", **SIGN_UP)
    known = auth(client, "register", **(SIGN_UP | {"username": "dave", "email": "ALICE@example.com"}))

    assert alike(unknown, known)
    assert mails() == [("register_code", "carol@example.com"), ("register_known", "alice@example.com")]
    for answer in (unknown, known):
        # The right code of the unknown one is found out by its owner only, so both are tried with a wrong one.
        refused = [auth(client, "verify", challenge=answer.json["challenge"], otp=wrong(code())) for _ in range(6)]
        assert [one.status_code for one in refused] == [422] * 6
    assert rows("SELECT username FROM users") == [("alice",)]


def test_known_and_unknown_addresses_cost_the_same_work(client: ShopClient, alice: User, statements: Callable[[], int]) -> None:
    def cost(act: Callable[[], TestResponse]) -> int:
        before = statements()
        act()
        return statements() - before

    unknown = cost(lambda: auth(client, "register", **SIGN_UP))
    assert cost(lambda: auth(client, "register", **(SIGN_UP | {"username": "dave", "email": alice.email}))) == unknown
    nobody = cost(lambda: auth(client, "login", identifier="nobody", password=PASSWORD))
    assert cost(lambda: auth(client, "login", identifier="alice", password="wrong")) == nobody
    # What differs for a forgotten password is the one row of the outbox, which nobody waits for but the same commit.
    assert cost(lambda: auth(client, "forgot", email=alice.email)) - cost(lambda: auth(client, "forgot", email="nobody@example.com")) == 1


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "at least 8 characters"),
        ("k7!" * 43, "at most 128 characters"),
        ("password1234", "uncommon words"),
        ("qwertyuiop1", "uncommon words"),
        ("my carol-harbour walnut", "Leave your username out"),
        ("walnut CAROL@example.com harbour", "Leave your username out"),
        ("FlaskCart-walnut-harbour", "Leave the shop's name out"),
        ("Flask Cart walnut harbour", "Leave the shop's name out"),
    ],
)
def test_a_poor_password_is_refused_with_its_reason(client: ShopClient, password: str, reason: str) -> None:
    answer = auth(client, "register", **(SIGN_UP | {"password": password}))
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["password"])
    assert reason in answer.json["errors"]["password"][0]


def test_a_password_may_not_hold_the_address(client: ShopClient) -> None:
    answer = auth(client, "register", **(SIGN_UP | {"email": "liddell@example.com", "password": "tea with Liddell at four"}))
    assert answer.json["errors"] == {"password": ["Leave your e-mail address out of the password."]}


@pytest.mark.parametrize("password", ["x7Kp!m2q", "  leading and trailing spaces  ", "grüße aus dem Café 27", "k7!Qz" * 25])
def test_a_password_needs_no_rules_but_length_and_surprise(client: ShopClient, password: str) -> None:
    challenge = signed_up(client, password=password)
    auth(client, "verify", challenge=challenge, otp=code())
    assert auth(client, "login", identifier="carol", password=password).status_code == 200
    assert auth(client, "login", identifier="carol", password=password.strip() + "x").status_code == 401


@pytest.mark.parametrize("field", ["role", "status", "id", "email_verified"])
def test_nobody_signs_up_with_more_than_name_address_and_password(client: ShopClient, field: str) -> None:
    answer = auth(client, "register", **SIGN_UP, **{field: "admin"})
    assert (answer.status_code, answer.json["errors"]) == (422, {field: ["There is no such field."]})


@pytest.mark.parametrize("taken", ["username", "email"])
def test_of_two_pending_sign_ups_the_first_confirmed_wins(client: ShopClient, new_client: Callable[[], ShopClient], taken: str) -> None:
    slow = signed_up(client, username="carol", email="carol@example.com")
    slow_code = code()
    other = {"username": "carol", "email": "other@example.com"} if taken == "username" else {"username": "other", "email": "Carol@Example.com"}
    fast = signed_up(client, **other)

    assert auth(new_client(), "verify", challenge=fast, otp=code()).status_code == 201
    answer = auth(client, "verify", challenge=slow, otp=slow_code)

    assert (answer.status_code, answer.json["code"]) == (409, f"{taken}_taken")
    assert who(client) is None
    assert rows("SELECT COUNT(*) FROM users") == [(1,)]


# ---------------------------------------------------------------- codes


def test_five_wrong_codes_and_then_the_right_one_are_refused(client: ShopClient) -> None:
    challenge = signed_up(client)
    for _ in range(5):
        assert auth(client, "verify", challenge=challenge, otp=wrong(code())).json["errors"].keys() == {"otp"}
    assert auth(client, "verify", challenge=challenge, otp=code()).status_code == 422
    assert rows("SELECT COUNT(*) FROM users") == [(0,)]


def test_another_code_brings_no_new_tries(client: ShopClient) -> None:
    challenge = signed_up(client)
    for _ in range(4):
        auth(client, "verify", challenge=challenge, otp=wrong(code()))
    let_pass(2)
    auth(client, "resend", challenge=challenge)
    auth(client, "verify", challenge=challenge, otp=wrong(code()))
    assert auth(client, "verify", challenge=challenge, otp=code()).status_code == 422
    let_pass(2)
    assert auth(client, "resend", challenge=challenge).status_code == 422


def test_tries_in_parallel_are_counted_too(client: ShopClient, new_client: Callable[[], ShopClient]) -> None:
    challenge = signed_up(client)
    at_once(12, lambda _: auth(new_client(), "verify", challenge=challenge, otp=wrong(code())))
    assert rows("SELECT tries FROM challenges") == [(5,)]
    assert auth(client, "verify", challenge=challenge, otp=code()).status_code == 422


def test_twenty_parallel_uses_of_a_right_code_are_one_success(client: ShopClient, new_client: Callable[[], ShopClient]) -> None:
    challenge = signed_up(client)
    right = code()
    answers = at_once(20, lambda _: auth(new_client(), "verify", challenge=challenge, otp=right).status_code)
    assert Counter(answers) == {201: 1, 422: 19}
    assert rows("SELECT COUNT(*) FROM users") == [(1,)]


def test_two_good_codes_of_one_challenge_are_one_success(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    challenge = forgotten(client, alice.email)
    let_pass(2)
    auth(client, "resend", challenge=challenge)
    good = [code(0), code(1)]

    answers = at_once(4, lambda n: auth(new_client(), "reset", challenge=challenge, otp=good[n % 2], new_password=f"{PASSWORD}-{n}").status_code)

    assert Counter(answers) == {204: 1, 422: 3}


def test_whoever_waits_for_the_end_of_a_challenge_finds_it_ended(client: ShopClient, alice: User) -> None:
    challenge = forgotten(client, alice.email)
    let_pass(2)
    auth(client, "resend", challenge=challenge)
    first, second = code(0), code(1)

    def ended_while_another_waits(tx: db.Tx) -> Future[TestResponse]:
        row = accounts.tried(tx, "reset", challenge)
        other = pool.submit(auth, client, "reset", challenge=challenge, otp=second, new_password="another-harbour-27")
        time.sleep(0.3)
        accounts.use_code(tx, "reset", row["id"], challenge, first)
        return other

    with ThreadPoolExecutor(1) as pool:
        late = db.transaction(ended_while_another_waits).result()

    assert (late.status_code, list(late.json["errors"])) == (422, ["otp"])


def test_a_code_of_sign_up_is_nothing_at_reset(client: ShopClient, alice: User) -> None:
    sign_up, right = signed_up(client), code()
    reset = forgotten(client, alice.email)
    for challenge in (sign_up, reset):
        answer = auth(client, "reset", challenge=challenge, otp=right, new_password="another-harbour-27")
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["otp"])
    assert auth(client, "verify", challenge=reset, otp=code()).status_code == 422
    assert auth(client, "login", identifier="alice", password=PASSWORD).status_code == 200


def test_a_code_lives_for_fifteen_minutes(client: ShopClient) -> None:
    challenge = signed_up(client)
    let_pass(14.9)
    in_time = auth(client, "verify", challenge=challenge, otp=code())
    late = signed_up(client, username="dave", email="dave@example.com")
    let_pass(15.1)
    assert (in_time.status_code, auth(client, "verify", challenge=late, otp=code()).status_code) == (201, 422)


def test_another_code_comes_after_a_minute_and_the_former_stays_good(client: ShopClient) -> None:
    challenge = signed_up(client)
    early = auth(client, "resend", challenge=challenge)
    assert (early.status_code, early.json["code"]) == (429, "too_many_requests")
    assert 50 <= int(early.headers["Retry-After"]) <= 60

    let_pass(1)
    assert auth(client, "resend", challenge=challenge).status_code == 202
    assert code(0) != code(1)
    assert auth(client, "verify", challenge=challenge, otp=code(1)).status_code == 201


def test_another_code_is_alike_for_known_and_unknown_addresses(client: ShopClient, alice: User) -> None:
    for begin in ("register", "forgot"):
        if begin == "register":
            known, unknown = signed_up(client, username="dave", email=alice.email), signed_up(client)
        else:
            known, unknown = forgotten(client, alice.email), forgotten(client, "nobody@example.com")
        early = [auth(client, "resend", challenge=challenge) for challenge in (known, unknown)]
        let_pass(2)
        later = [auth(client, "resend", challenge=challenge) for challenge in (known, unknown)]
        assert ([answer.status_code for answer in early], [answer.status_code for answer in later]) == ([429, 429], [202, 202])
        assert alike(*early)
        assert alike(*later)
    sent = Counter(mails())
    assert (sent["register_known", alice.email], sent["reset_code", alice.email]) == (2, 2)
    assert "nobody@example.com" not in {to for _, to in mails()}


@pytest.mark.parametrize("known", [True, False])
def test_five_codes_an_hour_go_to_one_address(client: ShopClient, alice: User, known: bool) -> None:
    email = alice.email if known else "nobody@example.com"
    for _ in range(3):
        forgotten(client, email)
    challenge = signed_up(client, username="dave", email=email.upper())
    let_pass(2)
    assert auth(client, "resend", challenge=challenge).status_code == 202

    let_pass(2)
    sixth = [
        auth(client, "forgot", email=email),
        auth(client, "register", **(SIGN_UP | {"email": email})),
        auth(client, "resend", challenge=challenge),
    ]
    assert [answer.status_code for answer in sixth] == [429] * 3
    assert all(3000 < int(answer.headers["Retry-After"]) <= 3600 for answer in sixth)
    let_pass(57)
    assert auth(client, "forgot", email=email).status_code == 202


def test_parallel_requests_do_not_slip_past_the_hourly_count(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    answers = at_once(15, lambda _: auth(new_client(), "forgot", email=alice.email).status_code)
    assert Counter(answers) == {202: 5, 429: 10}
    assert len(mails()) == 5


def test_an_unknown_challenge_is_refused_everywhere(client: ShopClient) -> None:
    nothing = {"challenge": "no-such-challenge"}
    assert auth(client, "resend", **nothing).status_code == 422
    assert auth(client, "verify", **nothing, otp="123456").status_code == 422
    assert auth(client, "reset", **nothing, otp="12345678", new_password=PASSWORD).status_code == 422


@pytest.mark.parametrize("otp", ["", "12345", "123456789", "12a456", "１２３４５６", "²²²²²²"])
def test_what_is_no_code_costs_no_try(client: ShopClient, otp: str) -> None:
    challenge = signed_up(client)
    assert auth(client, "verify", challenge=challenge, otp=otp).json["errors"].keys() == {"otp"}
    assert rows("SELECT tries FROM challenges") == [(0,)]


def test_what_expired_is_forgotten(client: ShopClient) -> None:
    signed_up(client)
    let_pass(16)
    accounts.forget_expired()
    assert rows("SELECT username, password_hash FROM challenges") == [("", "")]
    let_pass(60)
    assert accounts.forget_expired() == 1
    assert rows("SELECT COUNT(*) FROM challenges") + rows("SELECT COUNT(*) FROM codes") == [(0,), (0,)]


# ---------------------------------------------------------------- sign-in


@pytest.mark.parametrize("identifier", ["alice", "Alice", "alice@example.com", "ALICE@Example.com", " alice "])
def test_username_and_address_both_sign_in(client: ShopClient, alice: User, identifier: str) -> None:
    answer = auth(client, "login", identifier=identifier, password=alice.password)
    assert (answer.status_code, answer.json["user"]["username"]) == (200, "alice")
    assert "password" not in answer.text
    assert who(client) == "alice"


def test_a_wrong_name_and_a_wrong_password_are_answered_alike(client: ShopClient, alice: User) -> None:
    refused = auth(client, "login", identifier="alice", password="wrong")
    assert (refused.status_code, refused.json["code"]) == (401, "bad_credentials")
    for identifier in ("nobody", "nobody@example.com", "alice@example.com", "ünknown", "%", "' OR 1=1 --"):
        assert alike(refused, auth(client, "login", identifier=identifier, password="wrong"))


def test_a_closed_account_is_told_so_with_the_right_password_only(client: ShopClient) -> None:
    factories.user("carol", status="deactivated")
    right = auth(client, "login", identifier="carol", password=PASSWORD)
    wrong_one = auth(client, "login", identifier="carol", password="wrong")
    assert (right.status_code, right.json["code"]) == (403, "account_blocked")
    assert alike(wrong_one, auth(client, "login", identifier="nobody", password="wrong"))
    assert who(client) is None


def test_the_guests_cart_comes_along(client: ShopClient, alice: User, mug: Thing) -> None:
    client.add(mug.variant, 2)
    answer = auth(client, "login", identifier="alice", password=PASSWORD)
    assert answer.json["notices"] == ["The things you chose before signing in were added to your cart."] or answer.json["notices"] == []
    assert client.get("/api/v1/auth/session").json["cart_count"] == 2
    assert [item["variant_id"] for item in client.get("/api/v1/cart").json["items"]] == [mug.variant]


def test_the_guests_cart_comes_along_to_a_new_account(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    challenge = signed_up(client)
    auth(client, "verify", challenge=challenge, otp=code())
    assert client.get("/api/v1/auth/session").json["cart_count"] == 1


def test_a_cookie_from_before_signing_in_is_worthless_after(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, mug: Thing) -> None:
    client.add(mug.variant)
    before = client.get_cookie("session").value  # type: ignore[union-attr]
    auth(client, "login", identifier="alice", password=PASSWORD)

    thief = new_client()
    thief.set_cookie("session", before)
    assert who(thief) is None
    assert thief.get("/api/v1/auth/session").json["cart_count"] == 0
    assert client.get_cookie("session").value != before  # type: ignore[union-attr]


def test_a_cookie_of_a_strangers_choice_is_not_taken_over(client: ShopClient, alice: User) -> None:
    client.set_cookie("session", "chosen-by-somebody-else")
    auth(client, "login", identifier="alice", password=PASSWORD)
    assert client.get_cookie("session").value != "chosen-by-somebody-else"  # type: ignore[union-attr]
    assert who(client) == "alice"


def test_an_older_hash_is_renewed_at_sign_in(client: ShopClient, alice: User) -> None:
    change("UPDATE users SET password_hash = %s WHERE id = %s", generate_password_hash(PASSWORD, method="scrypt:16384:8:1"), alice.id)
    assert auth(client, "login", identifier="alice", password=PASSWORD).status_code == 200
    assert rows("SELECT password_hash FROM users")[0][0].startswith(security.PASSWORD_METHOD + "$")
    assert auth(client, "login", identifier="alice", password=PASSWORD).status_code == 200


def test_signing_out_ends_the_session_and_takes_the_cookie(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    auth(client, "login", identifier="alice", password=PASSWORD)
    cookie = client.get_cookie("session").value  # type: ignore[union-attr]
    assert client.post("/api/v1/auth/logout").status_code == 204
    assert client.get_cookie("session") is None
    again = new_client()
    again.set_cookie("session", cookie)
    assert who(again) is None


def test_asking_who_is_signed_in_leaves_no_trace(client: ShopClient) -> None:
    answer = client.get("/api/v1/auth/session")
    assert answer.json == {"user": None, "totp": False, "cart_count": 0, "wishlist": []}
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert rows("SELECT COUNT(*) FROM sessions") == [(0,)]


# ---------------------------------------------------------------- forgotten passwords


def test_a_reset_ends_every_session_and_signs_nobody_in(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    elsewhere = new_client().as_(alice)
    challenge = forgotten(client, "Alice@Example.com")
    assert (mails(), len(code())) == ([("reset_code", alice.email)], 8)

    answer = auth(client, "reset", challenge=challenge, otp=code(), new_password="another-harbour-27")

    assert answer.status_code == 204
    assert (who(client), who(elsewhere)) == (None, None)
    assert mails()[-1] == ("password_changed", alice.email)
    assert auth(client, "login", identifier="alice", password=PASSWORD).status_code == 401
    assert auth(client, "login", identifier="alice", password="another-harbour-27").status_code == 200


def test_a_sign_in_that_was_checked_before_a_reset_begins_nothing_after_it(client: ShopClient, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reset commits between the look at the password and the new session."""
    challenge = forgotten(client, alice.email)
    checked = accounts.sign_in

    def late(*given: Any, **more: Any) -> accounts.Proven:
        proven = checked(*given, **more)
        accounts.reset(challenge, code(), "another-harbour-27")
        return proven

    monkeypatch.setattr(accounts, "sign_in", late)
    auth(client, "login", identifier="alice", password=PASSWORD)
    assert who(client) is None
    assert rows("SELECT COUNT(*) FROM sessions WHERE user_id = %s", alice.id) == [(0,)]


def test_two_sign_ins_that_renew_a_hash_at_once_both_succeed(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    change("UPDATE users SET password_hash = %s WHERE id = %s", generate_password_hash(PASSWORD, method="scrypt:16384:8:1"), alice.id)
    browsers = [client, new_client(), new_client()]
    at_once(3, lambda number: auth(browsers[number], "login", identifier="alice", password=PASSWORD))
    assert [who(browser) for browser in browsers] == ["alice"] * 3


def test_a_code_goes_to_the_address_of_the_account_and_not_to_the_one_that_was_typed(client: ShopClient) -> None:
    factories.user("mike")
    forgotten(client, "mi\u212ae@example.com")  # the sign of the kelvin, which is a small k to whoever ignores case
    assert {to for _, to in mails()} <= {"mike@example.com"}


def test_a_reset_code_works_once_and_ends_the_others(client: ShopClient, alice: User) -> None:
    first, first_code = forgotten(client, alice.email), code()
    second, second_code = forgotten(client, alice.email), code()
    assert auth(client, "reset", challenge=second, otp=second_code, new_password="another-harbour-27").status_code == 204
    for challenge, used in ((second, second_code), (first, first_code)):
        assert auth(client, "reset", challenge=challenge, otp=used, new_password="stolen-harbour-27").status_code == 422
    assert auth(client, "login", identifier="alice", password="another-harbour-27").status_code == 200


def test_forgotten_is_answered_alike_for_known_and_unknown(client: ShopClient, alice: User) -> None:
    known, unknown = auth(client, "forgot", email=alice.email), auth(client, "forgot", email="nobody@example.com")
    assert alike(known, unknown)
    assert mails() == [("reset_code", alice.email)]
    tried = [auth(client, "reset", challenge=answer.json["challenge"], otp=WRONG[8], new_password="alice-and-the-harbour-27") for answer in (known, unknown)]
    assert alike(*tried)
    assert list(tried[0].json["errors"]) == ["otp"]


def test_a_poor_new_password_does_not_use_the_code_up(client: ShopClient, alice: User) -> None:
    challenge = forgotten(client, alice.email)
    for poor in ("password", "alice-and-the-harbour-27"):
        assert list(auth(client, "reset", challenge=challenge, otp=code(), new_password=poor).json["errors"]) == ["new_password"]
    assert auth(client, "reset", challenge=challenge, otp=code(), new_password="another-harbour-27").status_code == 204


# ---------------------------------------------------------------- admins


def test_an_admin_is_made_at_the_owners_word(shop: object, client: ShopClient) -> None:
    assert accounts.has_admin() is False
    accounts.create_admin("ada", "Ada@example.com", PASSWORD)
    assert accounts.has_admin() is True
    assert auth(client, "login", identifier="ada", password=PASSWORD).json["user"]["role"] == "admin"


@pytest.mark.parametrize(
    ("username", "email", "password", "field"),
    [
        ("alice", "new@example.com", PASSWORD, "username"),
        ("new", "ALICE@example.com", PASSWORD, "email"),
        ("no spaces", "new@example.com", PASSWORD, "username"),
        ("new", "nowhere", PASSWORD, "email"),
        ("new", "new@example.com", "password", "password"),
    ],
)
def test_an_admin_follows_the_same_rules(shop: object, alice: User, username: str, email: str, password: str, field: str) -> None:
    with pytest.raises(errors.Invalid) as refusal:
        accounts.create_admin(username, email, password)
    assert list(refusal.value.errors) == [field]


def test_of_several_who_open_the_shop_one_becomes_its_first_admin(shop: object) -> None:
    def open_shop(number: int) -> str:
        try:
            db.transaction(accounts.add_first_admin, f"owner{number}", f"owner{number}@example.com", "scrypt:none")
        except errors.Conflict:
            return "late"
        return "first"

    assert Counter(at_once(8, open_shop)) == {"first": 1, "late": 7}
    assert rows("SELECT COUNT(*) FROM users WHERE role = 'admin'") == [(1,)]
