"""Two-step sign-in: setting it up, signing in with it, recovery codes, and proving once more who one is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import factories
import pyotp
import pytest
import segno
from conftest import Make, ShopClient
from factories import PASSWORD, User
from flask import Flask
from test_accounts import alike, at_once, auth, change, mails, rows, who
from test_users import act_as

from app import db
from app.services import settings

TOTP = "/api/v1/me/totp"


@dataclass(frozen=True)
class SecondFactor:
    """Somebody's app and the recovery codes on paper."""

    app: pyotp.TOTP
    codes: list[str]

    def code(self, *, steps: int = 0) -> str:
        return self.app.generate_otp(_step() + steps)


def _step() -> int:
    return int(rows("SELECT FLOOR(UNIX_TIMESTAMP() / 30)")[0][0])


def wrong_code(app: pyotp.TOTP) -> str:
    """Six digits that are no code of these minutes."""
    good = {app.generate_otp(_step() + steps) for steps in range(-3, 4)}
    return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555", "666666", "777777") if code not in good)


def switch_on(client: ShopClient) -> SecondFactor:
    """Set it up as a person does; the code of the present step stays unused, as if it had been done a minute ago."""
    begun = client.step_up().post(TOTP)
    assert begun.status_code == 200, begun.json
    app = pyotp.TOTP(begun.json["secret"])
    answer = client.post(f"{TOTP}/confirmation", json={"code": app.generate_otp(_step())})
    assert answer.status_code == 200, answer.json
    change("UPDATE totps SET last_step = last_step - 4")
    return SecondFactor(app, answer.json["recovery_codes"])


def sign_in(client: ShopClient, totp: str = "", password: str = PASSWORD) -> Any:
    return auth(client, "login", identifier="alice", password=password, **({"totp": totp} if totp else {}))


def test_the_secret_comes_as_text_and_as_a_link_for_the_app(client: ShopClient, alice: User) -> None:
    made = client.as_(alice).step_up().post(TOTP).json
    link = urlsplit(made["uri"])
    assert (link.scheme, link.netloc) == ("otpauth", "totp")
    assert {"secret": [made["secret"]], "issuer": ["FlaskCart"]}.items() <= parse_qs(link.query).items()
    assert len(made["secret"]) == 32  # 160 bits in base32
    assert made["qr"] == segno.make_qr(made["uri"]).svg_data_uri(omitsize=True)
    assert client.get(TOTP).json == {"enabled": False, "recovery_codes_left": 0}
    assert sign_in(client).status_code == 200


def test_it_counts_once_a_code_confirms_it(client: ShopClient, alice: User) -> None:
    made = switch_on(client.as_(alice))
    assert len(set(made.codes)) == 10
    assert client.get(TOTP).json == {"enabled": True, "recovery_codes_left": 10}
    assert mails()[-1] == ("totp_changed", alice.email)
    assert client.step_up(totp=made.code()).post(TOTP).status_code == 409


def test_a_wrong_code_confirms_nothing(client: ShopClient, alice: User) -> None:
    secret = client.as_(alice).step_up().post(TOTP).json["secret"]
    answer = client.post(f"{TOTP}/confirmation", json={"code": wrong_code(pyotp.TOTP(secret))})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["code"])
    assert client.get(TOTP).json["enabled"] is False


def test_there_is_nothing_to_confirm_before_it_began(client: ShopClient, alice: User) -> None:
    assert client.as_(alice).step_up().post(f"{TOTP}/confirmation", json={"code": "123456"}).status_code == 409


def test_neither_secret_nor_recovery_codes_can_be_read_from_the_database(client: ShopClient, alice: User) -> None:
    made = switch_on(client.as_(alice))
    kept = str(rows("SELECT * FROM totps") + rows("SELECT * FROM recovery_codes"))
    assert made.app.secret not in kept
    assert not [code for code in made.codes if code in kept or code.replace("-", "") in kept]


# ---------------------------------------------------------------- signing in


def test_without_a_code_only_the_right_password_learns_that_one_is_needed(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    switch_on(client.as_(alice))
    browser = new_client()
    needed = sign_in(browser)
    assert (needed.status_code, needed.json["code"]) == (401, "totp_needed")
    assert alike(sign_in(browser, password="wrong"), auth(browser, "login", identifier="nobody", password="wrong"))
    assert who(browser) is None


@pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_is_good_one_step_before_and_after(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, steps: int, right: bool) -> None:
    made = switch_on(client.as_(alice))
    change("UPDATE totps SET last_step = 0")
    answer = sign_in(new_client(), made.code(steps=steps))
    assert (answer.status_code, answer.json.get("code")) == ((200, None) if right else (401, "totp_wrong"))


def test_a_code_works_once(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    made = switch_on(client.as_(alice))
    code = made.code()
    assert sign_in(new_client(), f"{code[:3]} {code[3:]}").status_code == 200
    assert sign_in(new_client(), code).status_code == 401
    assert sign_in(new_client(), made.code(steps=-1)).status_code == 401


def test_of_many_parallel_uses_of_one_code_one_succeeds(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    made = switch_on(client.as_(alice))
    for code in (made.code(), made.codes[0]):
        answers = Counter(at_once(5, lambda _, code=code: sign_in(new_client(), code).status_code))  # type: ignore[misc]
        assert answers == {200: 1, 401: 4}
        change("DELETE FROM allowances")


def test_a_recovery_code_works_once_however_it_is_typed(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    made = switch_on(client.as_(alice))
    assert sign_in(new_client(), made.codes[0].lower()).status_code == 200
    assert sign_in(new_client(), made.codes[1].replace("-", " ")).status_code == 200
    assert sign_in(new_client(), made.codes[0]).status_code == 401
    assert new_client().as_(alice).get(TOTP).json["recovery_codes_left"] == 8


def test_a_guesser_with_the_password_has_five_tries_also_where_limits_are_off(shop_with: Make, client: ShopClient, alice: User) -> None:
    made = switch_on(client.as_(alice))
    open_shop = shop_with(limits=False)
    wrong = wrong_code(made.app)
    tries = [sign_in(open_shop.test_client(), wrong).status_code for _ in range(7)]  # type: ignore[arg-type]
    assert tries == [401] * 5 + [429] * 2
    assert sign_in(open_shop.test_client(), made.code()).status_code == 429  # type: ignore[arg-type]
    change("UPDATE allowances SET free_at = free_at - INTERVAL 4 MINUTE")
    assert sign_in(open_shop.test_client(), made.code()).status_code == 200  # type: ignore[arg-type]


def test_somebody_elses_code_is_worth_nothing(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User) -> None:
    switch_on(client.as_(alice))
    theirs = switch_on(new_client().as_(bob))
    assert sign_in(new_client(), theirs.code()).status_code == 401
    assert sign_in(new_client(), theirs.codes[0]).status_code == 401


# ---------------------------------------------------------------- switching it off


def test_switching_it_off_takes_a_code(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    made = switch_on(client.as_(alice))
    assert client.delete(TOTP).json["code"] == "step_up_needed"
    assert client.step_up(totp=made.code()).delete(TOTP).status_code == 204
    assert client.step_up().delete(TOTP).status_code == 404
    assert sign_in(new_client()).status_code == 200
    again = switch_on(client)
    assert again.app.secret != made.app.secret
    assert sign_in(new_client(), made.codes[0]).status_code == 401


def test_an_admin_opens_the_account_of_somebody_who_lost_phone_and_codes(
    client: ShopClient, new_client: Callable[[], ShopClient], alice: User, ada: User
) -> None:
    switch_on(client.as_(alice))
    desk, address = act_as(new_client(), ada), f"/api/v1/admin/users/{alice.id}/totp"
    assert client.delete(address).status_code == 403
    assert desk.delete(address).status_code == 204
    assert desk.delete(address).status_code == 404
    assert mails()[-1] == ("totp_changed", alice.email)
    assert sign_in(new_client()).status_code == 200
    assert rows("SELECT actor_id FROM events WHERE kind = 'totp_off' AND subject_id = %s", alice.id) == [(ada.id,)]


# ---------------------------------------------------------------- staff


def demand_of_staff() -> None:
    db.transaction(lambda tx: settings.put(tx, "staff_totp", True))


@pytest.mark.parametrize("role", ["staff", "admin"])
def test_where_the_owner_demands_it_staff_without_it_can_only_set_it_up(client: ShopClient, role: str) -> None:
    demand_of_staff()
    client.as_(factories.user("sam", role=role))
    for path in ("/api/v1/orders", "/api/v1/admin/users"):
        assert (client.get(path).status_code, client.get(path).json["code"]) == (403, "totp_required")
    assert client.get("/api/v1/me").status_code == client.get("/api/v1/auth/session").status_code == 200
    switch_on(client)
    assert client.get("/api/v1/orders").status_code == 200


def test_customers_are_not_asked(client: ShopClient, alice: User) -> None:
    demand_of_staff()
    assert client.as_(alice).get("/api/v1/orders").status_code == 200


# ---------------------------------------------------------------- once more


def step_up(client: ShopClient, **proof: str) -> int:
    return int(auth(client, "step-up", **proof).status_code)


def is_fresh(client: ShopClient) -> bool:
    answer = client.patch("/api/v1/admin/users/1099511627776", json={})
    assert (answer.status_code, answer.json["code"]) in ((404, "not_found"), (403, "step_up_needed"))
    return bool(answer.status_code == 404)


def test_risky_acts_ask_for_the_password_once_more(client: ShopClient, ada: User) -> None:
    auth(client, "login", identifier="ada", password=PASSWORD)
    assert not is_fresh(client)
    assert step_up(client, password="wrong") == 422
    assert not is_fresh(client)
    assert step_up(client, password=PASSWORD) == 204
    assert is_fresh(client)


def test_it_lasts_ten_minutes(client: ShopClient, ada: User) -> None:
    step_up(client.as_(ada), password=PASSWORD)
    change("UPDATE sessions SET stepped_up_at = stepped_up_at - INTERVAL 9 MINUTE")
    assert is_fresh(client)
    change("UPDATE sessions SET stepped_up_at = stepped_up_at - INTERVAL 2 MINUTE")
    assert not is_fresh(client)


def test_the_session_has_a_new_id_after_it_and_the_former_is_dead(client: ShopClient, new_client: Callable[[], ShopClient], ada: User) -> None:
    client.as_(ada)
    before = client.get_cookie("session").value  # type: ignore[union-attr]
    (age,) = rows("SELECT id, created_at FROM sessions")
    step_up(client, password=PASSWORD)
    thief = new_client()
    thief.set_cookie("session", before)
    assert (who(thief), who(client)) == (None, "ada")
    assert client.get_cookie("session").value != before  # type: ignore[union-attr]
    assert rows("SELECT id, created_at FROM sessions") == [age]


def test_it_makes_no_other_session_fresh(new_client: Callable[[], ShopClient], ada: User) -> None:
    here, there = new_client().as_(ada), new_client().as_(ada)
    step_up(here, password=PASSWORD)
    assert (is_fresh(here), is_fresh(there)) == (True, False)


def test_a_code_does_as_well(client: ShopClient, ada: User) -> None:
    made = switch_on(client.as_(ada))
    assert step_up(client, totp=wrong_code(made.app)) == 422
    assert step_up(client, totp=made.code()) == 204
    assert is_fresh(client)


def test_without_a_second_factor_no_code_will_do(client: ShopClient, ada: User) -> None:
    assert step_up(client.as_(ada), totp="123456") == 422


@pytest.mark.parametrize("body", [{}, {"password": PASSWORD, "totp": "123456"}, {"totp": ""}, {"password": None}])
def test_one_proof_is_given(client: ShopClient, ada: User, body: dict[str, Any]) -> None:
    assert step_up(client.as_(ada), **body) == 422


def test_a_script_can_do_it_too(client: ShopClient, shop: Flask, ada: User) -> None:
    token = auth(client, "token", identifier="ada", password=PASSWORD).json["access_token"]
    header = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/admin/users", headers=header).status_code == 200
    assert client.patch(f"/api/v1/admin/users/{2**40}", json={}, headers=header).status_code == 403
    assert client.post("/api/v1/auth/step-up", json={"password": PASSWORD}, headers=header).status_code == 204
    assert client.patch(f"/api/v1/admin/users/{2**40}", json={}, headers=header).status_code == 404
