from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import Make, ShopClient
from factories import PASSWORD, Thing, User
from flask import Flask
from test_accounts import change, rows

from app import db
from app.errors import TooMany
from app.services import limits, settings
from app.services.limits import Limit

THREE_A_MINUTE = Limit(3, 60)


def granted(who: str, limit: Limit = THREE_A_MINUTE) -> bool:
    try:
        limits.take("test", who, limit)
    except TooMany:
        return False
    return True


def let_pass(seconds: int) -> None:
    with db.reading() as tx:
        tx.execute("UPDATE allowances SET free_at = free_at - INTERVAL %s SECOND", (seconds,)).close()


def test_an_allowance_is_used_up_and_says_how_long_to_wait(shop: Flask) -> None:
    assert [granted("ip") for _ in range(5)] == [True, True, True, False, False]
    with pytest.raises(TooMany) as refusal:
        limits.take("test", "ip", THREE_A_MINUTE)
    assert 15 <= (refusal.value.retry_after or 0) <= 20


def test_it_comes_back_bit_by_bit(shop: Flask) -> None:
    assert [granted("ip") for _ in range(4)] == [True, True, True, False]
    let_pass(21)
    assert [granted("ip") for _ in range(2)] == [True, False]
    let_pass(60)
    assert [granted("ip") for _ in range(4)] == [True, True, True, False]


def test_refused_tries_do_not_put_the_end_off(shop: Flask) -> None:
    assert [granted("ip") for _ in range(50)].count(True) == 3
    let_pass(21)
    assert granted("ip")


def test_everybody_and_everything_has_an_own_allowance(shop: Flask) -> None:
    assert [granted("one") for _ in range(4)][-1] is False
    assert granted("other")
    limits.take("another kind", "one", THREE_A_MINUTE)


def test_what_succeeded_gives_the_allowance_back(shop: Flask) -> None:
    assert [granted("ip") for _ in range(4)][-1] is False
    limits.give_back("test", "ip")
    assert granted("ip")


def test_many_at_once_get_no_more_than_is_allowed(shop: Flask) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(lambda _: granted("ip", Limit(10, 900)), range(40))) == {True: 10, False: 30}


def test_no_address_stands_in_the_table(shop: Flask) -> None:
    limits.take("sign-in", "alice@example.com", THREE_A_MINUTE)
    with db.reading() as tx:
        rows: list[Any] = tx.execute("SELECT name FROM allowances").fetchall()
    assert len(rows) == 1 and len(rows[0][0]) == 64


def test_unused_allowances_are_forgotten(shop: Flask) -> None:
    limits.take("test", "ip", THREE_A_MINUTE)
    assert limits.forget_unused() == 0
    let_pass(60)
    assert limits.forget_unused() == 1


# ---------------------------------------------------------------- limits, from outside


AUTH = "/api/v1/auth"
SIGN_IN = {"identifier": "alice", "password": "wrong"}


def at(ip: str) -> dict[str, Any]:
    return {"environ_base": {"REMOTE_ADDR": ip}}


def sign_in_from(client: ShopClient, ip: str, identifier: str = "alice", password: str = "wrong", **more: Any) -> int:
    return int(client.post(f"{AUTH}/login", json={"identifier": identifier, "password": password}, **at(ip), **more).status_code)


def test_ten_wrong_passwords_from_one_network_and_then_a_wait(client: ShopClient, alice: User) -> None:
    answers = [sign_in_from(client, f"203.0.113.{n}") for n in range(12)]
    assert answers == [401] * 10 + [429] * 2
    refused = client.post(f"{AUTH}/login", json=SIGN_IN | {"password": PASSWORD}, **at("203.0.113.99"))
    assert 1 <= int(refused.headers["Retry-After"]) <= 90
    assert sign_in_from(client, "198.51.100.1", password=PASSWORD) == 200
    change("UPDATE allowances SET free_at = free_at - INTERVAL 2 MINUTE")
    assert sign_in_from(client, "203.0.113.99", password=PASSWORD) == 200


def test_an_unknown_name_is_limited_alike(client: ShopClient, alice: User) -> None:
    for name in ("alice", "nobody"):
        assert [sign_in_from(client, "203.0.113.5", name) for _ in range(11)] == [401] * 10 + [429]


def test_a_household_of_ipv6_addresses_is_one(client: ShopClient, alice: User) -> None:
    assert [sign_in_from(client, f"2001:db8:1:{n:x}::{n}") for n in range(11)] == [401] * 10 + [429]
    assert sign_in_from(client, "2001:db8:2::1") == 401


def test_nobody_locks_an_owner_out_of_a_browser_that_the_account_knows(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    assert sign_in_from(client, "203.0.113.5", password=PASSWORD) == 200
    client.post(f"{AUTH}/logout")
    stranger = new_client()
    assert [sign_in_from(stranger, "203.0.113.6") for _ in range(11)][-1] == 429
    assert sign_in_from(client, "203.0.113.5", password=PASSWORD) == 200
    assert [sign_in_from(client, "203.0.113.5") for _ in range(11)][-1] == 429


def test_a_success_gives_the_allowance_back(client: ShopClient, alice: User) -> None:
    for _ in range(3):
        assert [sign_in_from(client, "203.0.113.5") for _ in range(9)] == [401] * 9
        assert sign_in_from(client, "203.0.113.5", password=PASSWORD) == 200
        client.delete_cookie("device")


def test_one_address_has_a_number_of_tries_whatever_the_names(client: ShopClient) -> None:
    assert settings.FIRST_VALUES["limits"]["sign_in_address"] == {"uses": 60, "seconds": 900}
    db.transaction(lambda tx: settings.put(tx, "limits", {"sign_in_address": {"uses": 12, "seconds": 3600}}))
    answers = [sign_in_from(client, "203.0.113.5", f"name{n}") for n in range(14)]
    assert answers == [401] * 12 + [429] * 2


def test_a_token_costs_the_same_allowance(client: ShopClient, alice: User) -> None:
    answers = [client.post(f"{AUTH}/{'login' if n % 2 else 'token'}", json=SIGN_IN).status_code for n in range(11)]
    assert answers == [401] * 10 + [429]


@pytest.mark.parametrize("forwarded", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP"])
def test_another_forwarded_address_each_time_widens_nothing(client: ShopClient, alice: User, forwarded: str) -> None:
    headers = [{forwarded: f"for=203.0.{n}.5" if forwarded == "Forwarded" else f"203.0.{n}.5"} for n in range(11)]
    assert [client.post(f"{AUTH}/login", json=SIGN_IN, headers=one).status_code for one in headers] == [401] * 10 + [429]


def test_behind_a_trusted_proxy_what_clients_add_themselves_widens_nothing(shop_with: Make, alice: User) -> None:
    browser = shop_with(trusted_proxies=("127.0.0.1",)).test_client()
    headers = [{"X-Forwarded-For": f"10.{n}.1.1, 203.0.113.5"} for n in range(11)]
    assert [browser.post(f"{AUTH}/login", json=SIGN_IN, headers=one).status_code for one in headers] == [401] * 10 + [429]
    assert browser.post(f"{AUTH}/login", json=SIGN_IN, headers={"X-Forwarded-For": "198.51.100.1"}).status_code == 401


@pytest.mark.parametrize("what", ["register", "forgot", "resend"])
def test_one_address_asks_for_twenty_codes_an_hour(client: ShopClient, new_client: Callable[[], ShopClient], what: str) -> None:
    bodies: dict[str, Callable[[int], dict[str, str]]] = {
        "register": lambda n: {"username": f"name{n}", "email": f"name{n}@example.com", "password": "short"},
        "forgot": lambda n: {"email": f"name{n}@example.com"},
        "resend": lambda n: {"challenge": f"nothing-{n}"},
    }
    statuses = [new_client().post(f"{AUTH}/{what}", json=bodies[what](n)).status_code for n in range(21)]
    assert set(statuses[:20]) <= {202, 422} and statuses[20] == 429
    other = "forgot" if what == "register" else "register"
    assert client.post(f"{AUTH}/{other}", json=bodies[other](99)).status_code in (202, 422)


def test_proofs_are_limited_by_account(new_client: Callable[[], ShopClient], alice: User, bob: User) -> None:
    browsers = [new_client().as_(alice) for _ in range(2)]
    statuses = [browsers[n % 2].post(f"{AUTH}/step-up", json={"password": "wrong"}).status_code for n in range(11)]
    assert statuses == [422] * 10 + [429]
    assert new_client().as_(bob).post(f"{AUTH}/step-up", json={"password": PASSWORD}).status_code == 204


def test_a_buyer_orders_thirty_times_in_ten_minutes(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, mug: Thing) -> None:
    client.as_(alice)
    # One more comes back every twenty seconds, which a slow machine may need for this.
    statuses = [client.order().status_code for _ in range(34)]
    assert 429 not in statuses[:30] and statuses[-1] == 429
    guest = new_client()
    guest.add(mug.variant)
    assert guest.order(email="guest@example.com").status_code == 201


def test_the_owner_may_set_other_limits(client: ShopClient, alice: User) -> None:
    db.transaction(lambda tx: settings.put(tx, "limits", {"sign_in": {"uses": 2, "seconds": 60}}))
    assert [sign_in_from(client, "203.0.113.5") for _ in range(3)] == [401, 401, 429]


def test_off_they_are_off_but_the_tries_of_a_code_are_not(shop_with: Make, alice: User) -> None:
    browser = shop_with(limits=False).test_client()
    assert {browser.post(f"{AUTH}/login", json=SIGN_IN).status_code for _ in range(12)} == {401}
    challenge = browser.post(f"{AUTH}/forgot", json={"email": alice.email}).json["challenge"]
    body = {"challenge": challenge, "otp": "00000000", "new_password": "another-harbour-27"}
    for _ in range(5):
        browser.post(f"{AUTH}/reset", json=body)
    assert rows("SELECT tries FROM challenges") == [(5,)]
    assert "expired" in browser.post(f"{AUTH}/reset", json=body).json["detail"]
