"""Where an account is signed in: the list, ending one or all others, copied cookies, and mails about new devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from conftest import Make, ShopClient
from factories import PASSWORD, Thing, User
from test_accounts import auth, change, code, mails, rows, signed_up, who

from app.services import sessions

DEVICES = "/api/v1/me/devices"
AGENTS = {
    ("Firefox", "Windows"): "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
    ("Firefox", "Linux"): "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    ("Firefox", "Android"): "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0",
    (
        "Firefox",
        "iOS",
    ): "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/132.0 Mobile/15E148 Safari/605.1.15",
    ("Chrome", "macOS"): "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    ("Chrome", "Android"): "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
    ("Chrome", "iOS"): "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0 Mobile/15E148 Safari/604.1",
    ("Chrome", "Linux"): "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36",
    ("Edge", "Windows"): "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
    ("Opera", "Windows"): "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 OPR/115.0.0.0",
    ("Safari", "macOS"): "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    (
        "Safari",
        "iOS",
    ): "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    ("other", "other"): "curl/8.9.1",
}
FIREFOX = {"User-Agent": AGENTS["Firefox", "Windows"]}
CHROME = {"User-Agent": AGENTS["Chrome", "macOS"]}


def sign_in(client: ShopClient, user: User, **headers: str) -> Any:
    answer = client.post("/api/v1/auth/login", json={"identifier": user.username, "password": user.password}, headers=headers)
    assert answer.status_code == 200, answer.json
    return answer


def listed(client: ShopClient) -> list[dict[str, Any]]:
    return list(client.get(DEVICES).json["items"])


@pytest.mark.parametrize("known", AGENTS, ids=" on ".join)
def test_browser_and_system_are_read_off_what_the_browser_says(known: tuple[str, str]) -> None:
    assert sessions.browser_and_os(AGENTS[known]) == known


def test_the_list_tells_browser_system_address_and_which_one_asks(new_client: Callable[[], ShopClient], alice: User) -> None:
    here, there = new_client(), new_client()
    sign_in(there, alice, **CHROME)
    sign_in(here, alice, **FIREFOX)
    items = here.get(DEVICES, headers=FIREFOX).json["items"]
    assert [(one["kind"], one["browser"], one["os"], one["ip"], one["current"]) for one in items] == [
        ("browser", "Firefox", "Windows", "127.0.0.1", True),
        ("browser", "Chrome", "macOS", "127.0.0.1", False),
    ]
    assert all(one["created_at"].endswith("Z") and one["seen_at"].endswith("Z") for one in items)


def test_one_device_is_ended_and_the_others_stay(new_client: Callable[[], ShopClient], alice: User) -> None:
    here, there, third = (new_client().as_(alice) for _ in range(3))
    (victim,) = [one["id"] for one in listed(there) if one["current"]]
    assert here.step_up().delete(f"{DEVICES}/{victim}").status_code == 204
    assert [who(one) for one in (here, there, third)] == ["alice", None, "alice"]
    assert here.delete(f"{DEVICES}/{victim}").status_code == 404


def test_ending_this_device_signs_out(client: ShopClient, alice: User) -> None:
    sign_in(client, alice)
    (here,) = listed(client)
    assert client.delete(f"{DEVICES}/{here['id']}").status_code == 204
    assert client.get_cookie("session") is None
    assert who(client) is None


def test_all_others_are_ended_at_once(new_client: Callable[[], ShopClient], alice: User, bob: User) -> None:
    here, there, third = (new_client().as_(alice) for _ in range(3))
    stranger = new_client().as_(bob)
    assert here.step_up().delete(DEVICES).status_code == 204
    assert [who(one) for one in (here, there, third, stranger)] == ["alice", None, None, "bob"]


def test_a_device_of_somebody_else_is_as_absent_as_one_that_never_was(new_client: Callable[[], ShopClient], alice: User, bob: User) -> None:
    mine, theirs = new_client().as_(alice), new_client().as_(bob)
    (device,) = listed(mine)
    theirs.step_up()
    foreign, absent = (theirs.delete(f"{DEVICES}/{number}") for number in (device["id"], device["id"] + 1000))
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json | {"request_id": ""} == absent.json | {"request_id": ""}
    assert who(mine) == "alice"


# ---------------------------------------------------------------- copied cookies


def test_a_session_that_turns_up_in_another_browser_is_ended_for_both(new_client: Callable[[], ShopClient], alice: User) -> None:
    owner, thief = new_client(), new_client()
    sign_in(owner, alice, **FIREFOX)
    thief.set_cookie("session", owner.get_cookie("session").value)  # type: ignore[union-attr]
    assert thief.get("/api/v1/orders", headers=CHROME).status_code == 401
    assert owner.get("/api/v1/orders", headers=FIREFOX).status_code == 401
    assert rows("SELECT COUNT(*) FROM sessions WHERE user_id = %s", alice.id) == [(0,)]


@pytest.mark.parametrize("agent", [AGENTS["Firefox", "Linux"], AGENTS["Edge", "Windows"], "", "curl/8.9.1"])
def test_another_system_counts_and_so_does_another_family(client: ShopClient, alice: User, agent: str) -> None:
    sign_in(client, alice, **FIREFOX)
    assert client.get("/api/v1/orders", headers={"User-Agent": agent}).status_code == 401


def test_a_newer_version_and_another_network_ask_nothing(client: ShopClient, alice: User) -> None:
    sign_in(client, alice, **FIREFOX)
    newer = FIREFOX["User-Agent"].replace("132.0", "140.1")
    change("UPDATE sessions SET seen_at = seen_at - INTERVAL 2 MINUTE")
    assert client.get("/api/v1/orders", headers={"User-Agent": newer}, environ_base={"REMOTE_ADDR": "203.0.113.77"}).status_code == 200
    assert client.get(DEVICES, headers={"User-Agent": newer}).json["items"][0]["ip"] == "203.0.113.77"


def test_a_guests_cart_follows_whatever_the_browser_calls_itself(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    assert client.get("/api/v1/cart", headers=CHROME).json["count"] == 1


# ---------------------------------------------------------------- new devices


def new_device_mails() -> list[dict[str, Any]]:
    return [orjson.loads(data) for (data,) in rows("SELECT data FROM mails WHERE template = 'new_device' ORDER BY id")]


def test_a_sign_in_from_a_new_device_is_mailed_and_one_from_a_known_device_is_not(new_client: Callable[[], ShopClient], alice: User) -> None:
    browser = new_client()
    sign_in(browser, alice, **FIREFOX)
    assert new_device_mails() == [{"username": "alice", "device": "Firefox on Windows", "ip": "127.0.0.1"}]
    browser.post("/api/v1/auth/logout", headers=FIREFOX)
    sign_in(browser, alice, **FIREFOX)
    assert len(new_device_mails()) == 1
    sign_in(new_client(), alice, **CHROME)
    assert [one["device"] for one in new_device_mails()] == ["Firefox on Windows", "Chrome on macOS"]


def test_whoever_has_just_signed_up_is_not_told_of_their_own_browser(client: ShopClient) -> None:
    challenge = signed_up(client)
    auth(client, "verify", challenge=challenge, otp=code())
    client.post("/api/v1/auth/logout")
    auth(client, "login", identifier="carol", password=PASSWORD)
    assert [template for template, _ in mails()] == ["register_code", "welcome"]


def test_the_cookie_of_known_devices_is_random_hashed_and_kept_from_scripts(client: ShopClient, alice: User) -> None:
    answer = sign_in(client, alice)
    (line,) = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("device=")]
    value = client.get_cookie("device").value  # type: ignore[union-attr]
    assert len(value) >= 32 and value not in str(rows("SELECT * FROM known_devices"))
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))


def test_under_https_it_is_bound_to_the_host(shop_with: Make, alice: User) -> None:
    browser = shop_with(url="https://shop.example").test_client()
    answer = browser.post("/api/v1/auth/login", json={"identifier": "alice", "password": PASSWORD}, base_url="https://shop.example")
    (line,) = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("__Host-device=")]
    assert {"Secure", "HttpOnly", "Path=/"} <= set(line.split("; "))


def test_a_planted_device_cookie_is_not_taken_over(client: ShopClient, alice: User) -> None:
    client.set_cookie("device", "planted-by-somebody-else-0123456789")
    sign_in(client, alice)
    assert client.get_cookie("device").value != "planted-by-somebody-else-0123456789"  # type: ignore[union-attr]
    assert len(new_device_mails()) == 1


def test_a_refused_sign_in_makes_no_device_known(client: ShopClient, alice: User) -> None:
    answer = auth(client, "login", identifier="alice", password="wrong")
    assert "Set-Cookie" not in answer.headers
    assert rows("SELECT COUNT(*) FROM known_devices") == [(0,)]


def test_devices_not_seen_for_long_are_forgotten(client: ShopClient, alice: User) -> None:
    sign_in(client, alice)
    change("UPDATE known_devices SET seen_at = seen_at - INTERVAL 401 DAY")
    sessions.delete_expired()
    assert rows("SELECT COUNT(*) FROM known_devices") == [(0,)]
