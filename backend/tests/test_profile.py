"""What customers say of themselves, and how password and e-mail address are changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import factories
import orjson
import pytest
from conftest import ShopClient
from factories import PASSWORD, Thing, User
from flask import Flask
from test_accounts import alike, at_once, auth, change, let_pass, mails, rows, who, wrong
from werkzeug.test import TestResponse

from app.services import cancellations, payments, profile
from app.services.settings import FIRST_VALUES

ME = "/api/v1/me"
NEW_PASSWORD = "cobalt-meadow-72"
NEW = "alice@elsewhere.example"


def code() -> str:
    """The newest code for a change of address."""
    return str(orjson.loads(rows("SELECT data FROM mails WHERE template = 'email_change_code' ORDER BY id DESC")[0][0])["code"])


def ask(client: ShopClient, email: str = NEW) -> Any:
    """Ask for another email address in a session that has stepped up."""
    change("UPDATE sessions SET stepped_up_at = UTC_TIMESTAMP(6)")
    return client.post(f"{ME}/email", json={"email": email})


def verify(client: ShopClient, challenge: str, otp: str) -> TestResponse:
    return client.post(f"{ME}/email/verify", json={"challenge": challenge, "otp": otp})


def new_password(client: ShopClient, current: str = PASSWORD, new: str = NEW_PASSWORD) -> TestResponse:
    return client.put(f"{ME}/password", json={"current_password": current, "new_password": new})


# ---------------------------------------------------------------- profile


def test_a_customer_sees_their_account(client: ShopClient, alice: User) -> None:
    me = client.as_(alice).get(ME).json
    assert (me["id"], me["username"], me["email"], me["role"]) == (alice.id, "alice", "alice@example.com", "customer")
    assert (me["first_name"], me["last_name"], me["phone"], me["avatar"]) == ("", "", "", None)
    assert (me["level"], me["newsletter"], me["totp"]) == ("bronze", False, False)


def test_a_second_factor_shows_once_it_is_confirmed(client: ShopClient, alice: User) -> None:
    change("INSERT INTO totps (user_id, salt, created_at) VALUES (%s, REPEAT('x', 32), UTC_TIMESTAMP(6))", alice.id)
    begun = client.as_(alice).get(ME).json["totp"]
    change("UPDATE totps SET confirmed_at = UTC_TIMESTAMP(6)")
    assert (begun, client.get(ME).json["totp"]) == (False, True)


def test_a_customer_changes_name_phone_and_newsletter_one_by_one(client: ShopClient, alice: User, bob: User) -> None:
    client.as_(alice)
    for changes in ({"first_name": " Alice "}, {"last_name": "Liddell", "phone": "+32 9 123 45 67"}, {"newsletter": True}, {}):
        answer = client.patch(ME, json=changes)
        assert answer.status_code == 200
    assert {name: answer.json[name] for name in ("first_name", "last_name", "phone", "newsletter")} == {
        "first_name": "Alice",
        "last_name": "Liddell",
        "phone": "+32 9 123 45 67",
        "newsletter": True,
    }
    assert client.patch(ME, json={"first_name": "", "newsletter": False}).json["newsletter"] is False
    assert rows("SELECT first_name, last_name, newsletter FROM users ORDER BY id") == [("", "Liddell", 0), ("", "", 0)]


@pytest.mark.parametrize(
    "field",
    [*("role", "status", "id", "email", "username", "password", "password_hash", "level", "avatar", "avatar_path", "totp", "created_at", "email_key")],
)
def test_nobody_changes_more_of_an_account_than_that(client: ShopClient, alice: User, field: str) -> None:
    before = rows("SELECT * FROM users")
    answer = client.as_(alice).patch(ME, json={"first_name": "Eve", field: "admin"})
    assert (answer.status_code, answer.json["errors"]) == (422, {field: ["There is no such field."]})
    assert rows("SELECT * FROM users") == before


@pytest.mark.parametrize(
    "changes",
    [
        *({"first_name": "x" * 81}, {"last_name": None}, {"first_name": 1}, {"phone": "x" * 33}, {"phone": ["1"]}),
        *({"newsletter": "true"}, {"newsletter": 1}, {"newsletter": None}, {"first_name": "Al\r\nBcc: x@example.com"}, {"first_name": "a\x00"}),
    ],
    ids=repr,
)
def test_a_change_of_the_wrong_kind_is_refused_on_its_field(client: ShopClient, alice: User, changes: dict[str, Any]) -> None:
    answer = client.as_(alice).patch(ME, json=changes)
    assert (answer.status_code, list(answer.json["errors"])) == (422, list(changes))


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PATCH", ""), ("PUT", "/password"), ("POST", "/email"), ("POST", "/email/verify")])
def test_a_stranger_has_no_account_to_see_or_change(client: ShopClient, method: str, path: str) -> None:
    assert client.open(ME + path, method=method, json={} if method != "GET" else None).status_code == 401


# ---------------------------------------------------------------- level


def test_a_level_comes_with_what_was_paid_and_kept(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User) -> None:
    silver, gold = (level["from_minor"] for level in FIRST_VALUES["levels"][1:])
    cheap, dear = factories.product(price_minor=silver), factories.product(price_minor=gold)

    def order(client: ShopClient, thing: Thing) -> str:
        client.add(thing.variant)
        order = client.order().json
        levels.append(client.get(ME).json["level"])
        payments.record(order["number"], order["due_minor"], key="paid", actor=factories.actor(bob))
        levels.append(client.get(ME).json["level"])
        return str(order["number"])

    levels: list[str] = []
    order(new_client().as_(bob), dear)
    levels.clear()
    client.as_(alice)
    order(client, cheap)
    number = order(client, dear)
    cancellations.cancel_for(number, actor_id=bob.id)
    levels.append(client.get(ME).json["level"])

    assert levels == ["bronze", "silver", "silver", "gold", "silver"]


def test_a_level_begins_at_its_very_amount_and_a_shop_may_have_none() -> None:
    levels = [{"code": "gold", "from_minor": 100}, {"code": "bronze", "from_minor": 0}]
    assert [profile.level_for(spent, levels) for spent in (0, 99, 100, 10**12)] == ["bronze", "bronze", "gold", "gold"]
    assert profile.level_for(5, []) == ""


# ---------------------------------------------------------------- password


def test_a_changed_password_ends_every_other_session_and_is_mailed(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User) -> None:
    others = [new_client().as_(alice), new_client().as_(alice)]
    stranger = new_client().as_(bob)

    assert new_password(client.as_(alice)).status_code == 204

    assert (who(client), [who(other) for other in others], who(stranger)) == ("alice", [None, None], "bob")
    assert mails() == [("password_changed", alice.email)]
    assert rows("SELECT actor_id, subject_id FROM events WHERE kind = 'password_changed'") == [(alice.id, alice.id)]
    assert auth(new_client(), "login", identifier="alice", password=PASSWORD).status_code == 401
    assert auth(new_client(), "login", identifier="alice", password=NEW_PASSWORD).status_code == 200


def test_a_wrong_current_password_changes_nothing(client: ShopClient, alice: User) -> None:
    answer = new_password(client.as_(alice), current="walnut-harbour-18")
    assert (answer.status_code, answer.json["errors"]) == (422, {"current_password": ["This is not your password."]})
    assert mails() == []
    assert auth(client, "login", identifier="alice", password=PASSWORD).status_code == 200


@pytest.mark.parametrize(("password", "reason"), [("short", "at least 8"), ("password1234", "uncommon words"), ("an alice in walnut land", "your username")])
def test_a_poor_new_password_is_refused_with_its_reason(client: ShopClient, alice: User, password: str, reason: str) -> None:
    answer = new_password(client.as_(alice), new=password)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["new_password"])
    assert reason in answer.json["errors"]["new_password"][0]


def test_the_password_cannot_be_guessed_through_an_open_session(client: ShopClient, alice: User) -> None:
    client.as_(alice)
    answers = [new_password(client, current=f"guess-number-{n}").status_code for n in range(11)]
    assert answers == [422] * 10 + [429]
    limited = new_password(client)
    assert (limited.status_code, limited.headers.get("Retry-After", "").isdigit()) == (429, True)


def test_of_two_password_changes_at_once_one_is_made(new_client: Callable[[], ShopClient], alice: User) -> None:
    browsers = [new_client().as_(alice) for _ in range(2)]
    answers = at_once(2, lambda n: new_password(browsers[n], new=f"{NEW_PASSWORD}-{n}").status_code)
    # The other one may come too late in two ways: its password is no longer right, or its session has ended.
    assert Counter(answers)[204] == 1
    assert set(answers) <= {204, 401, 409, 422}
    assert mails() == [("password_changed", alice.email)]


def test_a_code_for_a_forgotten_password_dies_with_a_changed_one(client: ShopClient, alice: User) -> None:
    challenge = auth(client, "forgot", email=alice.email).json["challenge"]
    reset = str(orjson.loads(rows("SELECT data FROM mails WHERE template = 'reset_code'")[0][0])["code"])
    new_password(client.as_(alice))
    assert auth(client, "reset", challenge=challenge, otp=reset, new_password="yet-another-harbour-5").status_code == 422


# ---------------------------------------------------------------- e-mail address


def test_a_new_address_is_proved_by_a_code_and_the_old_one_is_told(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    asked = ask(client.as_(alice))
    assert asked.status_code == 202
    assert client.get(ME).json["email"] == alice.email
    assert (len(code()), code().isdigit()) == (6, True)

    answer = verify(client, asked.json["challenge"], code())

    assert (answer.status_code, answer.json["email"]) == (200, NEW)
    assert mails() == [("email_change_code", NEW), ("email_changed", alice.email)]
    assert rows("SELECT actor_id, subject_id, detail FROM events WHERE kind = 'email_changed'") == [(alice.id, alice.id, "{}")]
    assert auth(new_client(), "login", identifier=NEW, password=PASSWORD).status_code == 200
    assert auth(new_client(), "login", identifier=alice.email, password=PASSWORD).status_code == 401


def test_a_change_of_address_requires_step_up(client: ShopClient, alice: User) -> None:
    response = client.as_(alice).post(f"{ME}/email", json={"email": NEW})

    assert (response.status_code, response.json["code"]) == (403, "step_up_needed")
    assert (mails(), rows("SELECT COUNT(*) FROM challenges")) == ([], [(0,)])


def test_ones_own_address_is_no_new_one(client: ShopClient, alice: User) -> None:
    assert ask(client.as_(alice), "ALICE@example.com").json["errors"] == {"email": ["This is your address already."]}


def test_an_address_of_somebody_else_gets_the_same_answer_and_its_owner_a_mail(client: ShopClient, alice: User, bob: User) -> None:
    client.as_(alice)
    free, taken = ask(client), ask(client, "BOB@example.com")
    assert alike(free, taken)
    assert mails() == [("email_change_code", NEW), ("email_change_known", bob.email)]
    tried = [verify(client, asked.json["challenge"], wrong(code())) for asked in (free, taken) for _ in range(6)]
    assert {answer.status_code for answer in tried} == {422}
    assert all(alike(one, other) for one, other in zip(tried[:6], tried[6:], strict=True))
    assert client.get(ME).json["email"] == alice.email


def test_known_and_unknown_new_addresses_cost_the_same_work(client: ShopClient, alice: User, bob: User, statements: Callable[[], int]) -> None:
    client.as_(alice)
    costs = []
    for email in (NEW, bob.email):
        before = statements()
        ask(client, email)
        costs.append(statements() - before)
    assert costs[0] == costs[1]


def test_five_wrong_codes_and_then_the_right_one_change_nothing(client: ShopClient, alice: User) -> None:
    challenge = ask(client.as_(alice)).json["challenge"]
    assert [verify(client, challenge, wrong(code())).status_code for _ in range(5)] == [422] * 5
    assert verify(client, challenge, code()).status_code == 422
    assert client.get(ME).json["email"] == alice.email


def test_a_code_for_an_address_lives_for_fifteen_minutes(client: ShopClient, alice: User) -> None:
    challenge = ask(client.as_(alice)).json["challenge"]
    let_pass(15.1)
    assert verify(client, challenge, code()).status_code == 422


def test_a_code_for_an_address_is_nothing_to_anybody_else_or_elsewhere(
    client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User
) -> None:
    challenge = ask(client.as_(alice)).json["challenge"]
    assert verify(new_client().as_(bob), challenge, code()).status_code == 422
    assert auth(client, "verify", challenge=challenge, otp=code()).status_code == 422
    assert auth(client, "reset", challenge=challenge, otp=code(), new_password=NEW_PASSWORD).status_code == 422
    assert auth(client, "resend", challenge=challenge).status_code == 422
    assert verify(client, challenge, code()).status_code == 200
    assert rows("SELECT email FROM users ORDER BY id") == [(NEW,), (bob.email,)]


def test_twenty_parallel_uses_of_a_right_code_are_one_change(new_client: Callable[[], ShopClient], alice: User) -> None:
    browsers = [new_client() for _ in range(20)]
    cookie = factories.cookie_of(alice)
    for browser in browsers:
        browser.set_cookie("session", cookie)
    challenge, right = ask(browsers[0]).json["challenge"], code()
    answers = at_once(20, lambda n: verify(browsers[n], challenge, right).status_code)
    assert Counter(answers) == {200: 1, 422: 19}
    assert mails().count(("email_changed", alice.email)) == 1


def test_of_two_who_want_one_address_the_first_to_prove_it_gets_it(new_client: Callable[[], ShopClient], alice: User, bob: User) -> None:
    browsers = [new_client().as_(alice), new_client().as_(bob)]
    asked = [(ask(browser).json["challenge"], code()) for browser in browsers]
    answers = at_once(2, lambda n: verify(browsers[n], *asked[n]))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert next(answer for answer in answers if answer.status_code == 409).json["code"] == "email_taken"
    assert Counter(email for (email,) in rows("SELECT email FROM users"))[NEW] == 1


def test_codes_that_went_to_the_old_address_open_nothing_any_more(client: ShopClient, alice: User) -> None:
    forgotten = auth(client, "forgot", email=alice.email).json["challenge"]
    reset = str(orjson.loads(rows("SELECT data FROM mails WHERE template = 'reset_code'")[0][0])["code"])
    earlier = ask(client.as_(alice), "earlier@elsewhere.example").json["challenge"]
    earlier_code = code()
    verify(client, ask(client).json["challenge"], code())
    assert verify(client, earlier, earlier_code).status_code == 422
    assert auth(client, "reset", challenge=forgotten, otp=reset, new_password=NEW_PASSWORD).status_code == 422
    assert client.get(ME).json["email"] == NEW


def test_five_codes_an_hour_go_out_from_one_account_and_to_one_address(client: ShopClient, alice: User, bob: User) -> None:
    client.as_(alice)
    assert [ask(client, f"{n}@elsewhere.example").status_code for n in range(6)] == [202] * 5 + [429]
    change("DELETE FROM allowances")
    for _ in range(5):
        auth(client, "forgot", email=NEW)
    assert ask(client).status_code == 429


def test_limits_may_be_off_and_tries_are_counted_all_the_same(shop: Flask, client: ShopClient, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    object.__setattr__(shop.config["SHOP"], "limits", False)
    monkeypatch.setattr(profile, "PASSWORD_TRIES", profile.Limit(1, 900))
    try:
        challenges = [ask(client.as_(alice)).json["challenge"] for _ in range(6)]
        assert [verify(client, challenges[-1], wrong(code())).status_code for _ in range(5)] == [422] * 5
        assert verify(client, challenges[-1], code()).status_code == 422
    finally:
        object.__setattr__(shop.config["SHOP"], "limits", True)
