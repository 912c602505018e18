"""Access tokens for scripts: what they open, how they end, and what is refused for one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from conftest import Make, ShopClient
from factories import PASSWORD, Thing, User
from test_accounts import auth, change, code, forgotten, rows, who
from test_devices import FIREFOX, listed
from test_totp import switch_on
from test_users import act_as

from app import errors, security
from app.services import accounts, tokens
from app.services.sessions import Visitor

ORDERS = "/api/v1/orders"


def token_for(client: ShopClient, user: User) -> dict[str, str]:
    """The header that a script sends."""
    answer = auth(client, "token", identifier=user.username, password=user.password)
    assert answer.status_code == 200, answer.json
    return {"Authorization": f"Bearer {answer.json['access_token']}"}


def alive(client: ShopClient, header: dict[str, str]) -> bool:
    return client.get(ORDERS, headers=header).status_code == 200


def test_a_token_opens_what_its_owner_may_do(client: ShopClient, alice: User) -> None:
    answer = auth(client, "token", identifier="alice@example.com", password=PASSWORD)
    assert answer.json.keys() == {"access_token", "token_type", "expires_in"}
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 900)
    assert "Set-Cookie" not in answer.headers
    header = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert client.get("/api/v1/auth/session", headers=header).json["user"]["username"] == "alice"
    assert client.get(ORDERS).status_code == 401


def test_no_token_is_given_for_a_password_that_was_just_replaced(shop: object, alice: User) -> None:
    with pytest.raises(errors.SignInRequired):
        tokens.issue(accounts.Proven(alice.id, "scrypt:of-a-former-password"), Visitor("192.0.2.1", "curl"))


def test_a_token_is_refused_for_a_wrong_password_and_for_an_unknown_name_alike(client: ShopClient, alice: User) -> None:
    answers = [auth(client, "token", identifier=name, password="wrong") for name in ("alice", "nobody")]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(401, "bad_credentials")] * 2


def test_a_script_orders_with_its_token_and_is_given_no_cookie(client: ShopClient, alice: User, mug: Thing) -> None:
    header = token_for(client, alice)
    added = client.post("/api/v1/cart/items", json={"variant_id": mug.variant}, headers=header)
    assert added.status_code == 201
    assert client.get("/api/v1/cart", headers=header).json["count"] == 1
    assert "Set-Cookie" not in added.headers
    assert client.get("/api/v1/cart").json["count"] == 0


def test_no_site_can_send_a_token_for_somebody_so_its_requests_come_from_anywhere(client: ShopClient, alice: User, mug: Thing) -> None:
    headers = token_for(client, alice) | {"Origin": "https://scripts.example", "Sec-Fetch-Site": "cross-site"}
    assert client.post("/api/v1/cart/items", json={"variant_id": mug.variant}, headers=headers).status_code == 201
    assert auth(client, "token", identifier="alice", password=PASSWORD).status_code == 200
    asked = client.post("/api/v1/auth/token", json={"identifier": "alice", "password": PASSWORD}, headers={"Origin": "https://evil.example"})
    assert (asked.status_code, asked.json["code"]) == (403, "cross_site")


def test_beside_a_token_the_cookie_counts_for_nothing(client: ShopClient, alice: User, bob: User) -> None:
    header = token_for(client, bob)
    client.as_(alice)
    assert client.get("/api/v1/auth/session", headers=header).json["user"]["username"] == "bob"
    dead = client.post("/api/v1/cart/items", json={"variant_id": 1}, headers={"Authorization": "Bearer nonsense", "Origin": "https://evil.example"})
    assert (dead.status_code, dead.json["code"]) == (401, "token_invalid")


def test_a_dead_token_is_told_on_every_route(client: ShopClient) -> None:
    for path in ("/api/v1/shop", "/api/v1/cart", ORDERS):
        answer = client.get(path, headers={"Authorization": "Bearer x.y.z"})
        assert (answer.status_code, answer.json["code"]) == (401, "token_invalid")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_name_in_a_token_is_no_cookie_and_a_cookie_is_no_token(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    name = str(tokens.name_of(token_for(client, alice)["Authorization"].removeprefix("Bearer ")))
    thief = new_client()
    thief.set_cookie("session", name)
    assert who(thief) is None
    cookie = client.as_(alice).get_cookie("session").value  # type: ignore[union-attr]
    forged = _signed({"jti": cookie, "sub": str(alice.id)})
    assert not alive(client, {"Authorization": f"Bearer {forged}"})


def test_a_token_cannot_begin_a_session(client: ShopClient, alice: User) -> None:
    header = token_for(client, alice)
    answer = client.post("/api/v1/auth/login", json={"identifier": "alice", "password": PASSWORD}, headers=header)
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers


# ---------------------------------------------------------------- forged ones


def _signed(changes: dict[str, Any], *, key: bytes | None = None, algorithm: str = "HS256") -> str:
    now = int(time.time())
    claims = {"iss": "flaskcart", "aud": "flaskcart-api", "sub": "1", "jti": "x", "iat": now, "exp": now + 900} | changes
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(given, None if algorithm == "none" else key or security.sign("access tokens", ""), algorithm)


@pytest.mark.parametrize(
    "changes", [{"aud": "another"}, {"iss": "another"}, {"exp": 1}, {"aud": None}, {"iss": None}, {"exp": None}, {"jti": None}, {"sub": None}]
)
def test_a_token_for_another_purpose_is_refused(shop: object, changes: dict[str, Any]) -> None:
    assert tokens.name_of(_signed({})) == "x"
    assert tokens.name_of(_signed(changes)) is None


def test_only_the_shops_key_and_one_algorithm_make_a_token(shop: object) -> None:
    key = security.sign("access tokens", "")
    assert tokens.name_of(_signed({}, key=b"0" * 32)) is None
    assert tokens.name_of(_signed({}, key=key + key, algorithm="HS512")) is None
    assert tokens.name_of(_signed({}, algorithm="none")) is None
    assert tokens.name_of(_signed({"pad": "x" * 2000})) is None
    for nonsense in ("", ".", "..", "a.b.c", "\u0000", "é" * 10, "eyJhbGciOiJub25lIn0.e30."):
        assert tokens.name_of(nonsense) is None


# ---------------------------------------------------------------- how one ends


def test_a_token_ends_after_a_quarter_of_an_hour_however_much_it_is_used(client: ShopClient, alice: User) -> None:
    header = token_for(client, alice)
    for _ in range(2):
        change("UPDATE sessions SET seen_at = seen_at - INTERVAL 7 MINUTE, expires_at = expires_at - INTERVAL 7 MINUTE")
        assert alive(client, header)
    change("UPDATE sessions SET expires_at = expires_at - INTERVAL 2 MINUTE")
    assert not alive(client, header)


def test_a_reset_of_the_password_ends_it(client: ShopClient, alice: User) -> None:
    header = token_for(client, alice)
    challenge = forgotten(client, alice.email)
    assert auth(client, "reset", challenge=challenge, otp=code(), new_password="another-harbour-27").status_code == 204
    assert not alive(client, header)


def test_a_change_of_the_password_ends_it(client: ShopClient, alice: User) -> None:
    header = token_for(client, alice)
    body = {"current_password": PASSWORD, "new_password": "another-harbour-27"}
    assert client.as_(alice).put("/api/v1/me/password", json=body).status_code == 204
    assert who(client) == "alice"
    assert not alive(client, header)


def test_signing_out_with_it_ends_it_and_nothing_else(client: ShopClient, alice: User) -> None:
    header, other = token_for(client, alice), token_for(client, alice)
    client.as_(alice)
    assert client.post("/api/v1/auth/logout", headers=header).status_code == 204
    assert (alive(client, header), alive(client, other), who(client)) == (False, True, "alice")


@pytest.mark.parametrize(
    "act",
    [{"role": "staff"}, {"status": "deactivated"}, {"blocked_until": "2099-01-01T00:00:00Z", "block_reason": "Parcels were refused"}],
)
def test_a_change_of_role_a_block_and_a_closing_end_it(new_client: Callable[[], ShopClient], alice: User, ada: User, act: dict[str, Any]) -> None:
    script = new_client()
    header = token_for(script, alice)
    assert act_as(new_client(), ada).patch(f"/api/v1/admin/users/{alice.id}", json=act).status_code == 200
    assert not alive(script, header)


def test_it_is_listed_apart_and_ended_from_the_list(client: ShopClient, alice: User) -> None:
    header = token_for(client, alice)
    client.as_(alice)
    kinds = {one["kind"]: one for one in listed(client)}
    assert kinds.keys() == {"browser", "token"}
    assert [one["current"] for one in client.get("/api/v1/me/devices", headers=header).json["items"]] == [False, True]
    assert client.step_up().delete(f"/api/v1/me/devices/{kinds['token']['id']}").status_code == 204
    assert not alive(client, header)


def test_an_eleventh_token_ends_the_first_and_never_a_browser(new_client: Callable[[], ShopClient], alice: User) -> None:
    browsers = [new_client().as_(alice) for _ in range(3)]
    script = new_client()
    headers = [token_for(script, alice) for _ in range(11)]
    assert [alive(script, header) for header in headers] == [False] + [True] * 10
    assert [who(browser) for browser in browsers] == ["alice"] * 3


def test_a_new_network_is_mailed_once(client: ShopClient, alice: User) -> None:
    for ip in ("127.0.0.1", "127.0.0.9", "203.0.113.5"):
        body = {"identifier": "alice", "password": PASSWORD}
        assert client.post("/api/v1/auth/token", json=body, environ_base={"REMOTE_ADDR": ip}, headers=FIREFOX).status_code == 200
    assert rows("SELECT COUNT(*) FROM mails WHERE template = 'new_device'") == [(2,)]


def test_a_second_factor_is_asked_for_here_too(client: ShopClient, alice: User) -> None:
    made = switch_on(client.as_(alice))
    assert auth(client, "token", identifier="alice", password=PASSWORD).json["code"] == "totp_needed"
    assert auth(client, "token", identifier="alice", password=PASSWORD, totp=made.codes[0]).status_code == 200


def test_a_script_is_told_how_in_the_description(shop_with: Make) -> None:
    document = shop_with().test_client().get("/api/v1/openapi.json").json
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert {"bearer": []} in document["paths"]["/api/v1/orders"]["get"]["security"]
