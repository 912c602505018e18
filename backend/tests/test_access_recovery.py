"""The only admin lost the password or the second factor, and recovers on the server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import ShopClient
from factories import PASSWORD, User
from test_accounts import auth, change, code, forgotten, mails, rows, who
from test_totp import TOTP, switch_on, wrong_code

from app.errors import Invalid, NotFound
from app.services import access_recovery

NEW_PASSWORD = "granite-lantern-58"


def sign_in(client: ShopClient, password: str = NEW_PASSWORD, **more: str) -> int:
    return int(auth(client, "login", identifier="ada", password=password, **more).status_code)


def test_the_account_has_the_new_password_and_no_second_factor(client: ShopClient, new_client: Callable[[], ShopClient], ada: User) -> None:
    made = switch_on(client.as_(ada))
    access_recovery.reset_access("ADA", NEW_PASSWORD)

    assert sign_in(new_client(), PASSWORD, totp=made.codes[0]) == 401
    assert sign_in(new_client()) == 200
    assert new_client().as_(ada).get(TOTP).json == {"enabled": False, "recovery_codes_left": 0}
    assert rows("SELECT role FROM users") == [("admin",)]


def test_every_session_token_and_code_ends(client: ShopClient, new_client: Callable[[], ShopClient], ada: User) -> None:
    token = auth(new_client(), "token", identifier="ada", password=PASSWORD).json["access_token"]
    challenge = forgotten(new_client(), ada.email)
    reset_code = code()
    client.as_(ada)

    access_recovery.reset_access("ada", NEW_PASSWORD)

    assert who(client) is None
    bearer = {"Authorization": f"Bearer {token}"}
    assert new_client().get("/api/v1/me", headers=bearer).status_code == 401
    body = {"challenge": challenge, "otp": reset_code, "new_password": "velvet-orchard-31"}
    assert auth(new_client(), "reset", **body).status_code == 422


def test_it_is_recorded_and_the_owner_gets_an_email(client: ShopClient, ada: User) -> None:
    switch_on(client.as_(ada))
    change("DELETE FROM mails")
    access_recovery.reset_access("ada", NEW_PASSWORD)

    events = rows("SELECT kind, actor_id FROM events WHERE kind IN ('access_reset', 'totp_off') ORDER BY kind")
    assert events == [("access_reset", None), ("totp_off", None)]
    assert sorted(mails()) == [("password_changed", ada.email), ("totp_changed", ada.email)]


def test_an_account_without_a_second_factor_can_be_reset_too(client: ShopClient, ada: User) -> None:
    access_recovery.reset_access("ada", NEW_PASSWORD)
    assert sign_in(client) == 200
    assert rows("SELECT COUNT(*) FROM events WHERE kind = 'totp_off'") == [(0,)]


def test_tries_that_were_used_up_do_not_keep_a_new_second_factor_out(client: ShopClient, new_client: Callable[[], ShopClient], ada: User) -> None:
    made = switch_on(client.as_(ada))
    tries = [sign_in(new_client(), PASSWORD, totp=wrong_code(made.app)) for _ in range(6)]
    assert tries[-1] == 429
    access_recovery.reset_access("ada", NEW_PASSWORD)

    browser = new_client()
    assert sign_in(browser) == 200
    assert browser.step_up(password=NEW_PASSWORD).post(TOTP).status_code == 200


@pytest.mark.parametrize("username", ["nobody", "", "ädä", "ada@example.com"])
def test_an_unknown_username_is_an_error(ada: User, username: str) -> None:
    with pytest.raises(NotFound, match="no account with this username"):
        access_recovery.reset_access(username, NEW_PASSWORD)


def test_the_rules_for_passwords_hold_and_nothing_changes_otherwise(client: ShopClient, ada: User) -> None:
    for poor in ("short", "password1234", "ada-lantern-granite"):
        with pytest.raises(Invalid):
            access_recovery.reset_access("ada", poor)
    assert sign_in(client, PASSWORD) == 200
