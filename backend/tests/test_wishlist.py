"""The wishlist: of an account or of a guest's browser, nobody else's, never too long, and brought along at sign-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import PASSWORD, Thing, User
from flask import Flask
from test_accounts import at_once, auth, change, rows
from test_reviews import tabs

from app.services import retention

LIST = "/api/v1/wishlist"


def wish(client: ShopClient, *things: Thing) -> list[int]:
    return [client.put(f"{LIST}/{thing.id}").status_code for thing in things]


def wished(client: ShopClient) -> list[int]:
    told = client.get(LIST).json
    assert told["count"] == len(told["items"])
    return [one["id"] for one in told["items"]]


def test_a_new_visitor_wishes_nothing_and_gets_no_cookie(client: ShopClient) -> None:
    answer = client.get(LIST)
    assert answer.json == {"items": [], "count": 0, "currency": "EUR"}
    assert "Set-Cookie" not in answer.headers
    assert client.delete(f"{LIST}/1").status_code == 204


@pytest.mark.parametrize("kind", ["guest", "account"])
def test_wishes_are_kept_the_latest_first_and_once(client: ShopClient, alice: User, mug: Thing, kind: str) -> None:
    if kind == "account":
        client.as_(alice)
    jug = factories.product("Jug")
    assert wish(client, mug, jug, mug) == [204, 204, 204]
    assert wished(client) == [jug.id, mug.id]
    assert sorted(client.get("/api/v1/auth/session").json["wishlist"]) == [mug.id, jug.id]
    assert client.get(LIST).json["items"][0]["title"] == "Jug"
    assert [client.delete(f"{LIST}/{jug.id}").status_code for _ in range(2)] == [204, 204]
    assert wished(client) == [mug.id]


def test_nobody_sees_or_changes_the_wishes_of_another(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User, mug: Thing) -> None:
    wish(client.as_(alice), mug)
    for other in (new_client(), new_client().as_(bob)):
        assert wished(other) == []
        other.delete(f"{LIST}/{mug.id}")
    assert wished(client) == [mug.id]


def test_what_is_not_sold_cannot_be_wished_and_is_not_shown(client: ShopClient, mug: Thing) -> None:
    assert client.put(f"{LIST}/999999").status_code == 404
    wish(client, mug)
    change("UPDATE products SET archived_at = UTC_TIMESTAMP(6) WHERE id = %s", mug.id)
    assert (wished(client), client.get("/api/v1/auth/session").json["wishlist"], client.put(f"{LIST}/{mug.id}").status_code) == ([], [], 404)
    change("UPDATE products SET archived_at = NULL WHERE id = %s", mug.id)
    assert wished(client) == [mug.id]


def test_the_wishes_of_a_guest_come_along_at_sign_in(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, mug: Thing) -> None:
    jug, pot = factories.product("Jug"), factories.product("Pot")
    wish(new_client().as_(alice), mug, jug)
    wish(client, mug, pot)
    assert auth(client, "login", identifier="alice", password=PASSWORD).status_code == 200
    assert wished(client) == [pot.id, jug.id, mug.id]
    assert rows("SELECT COUNT(*) FROM wishlist_items WHERE token_hash IS NOT NULL") == [(0,)]
    auth(client, "logout")
    assert wished(client) == []


def test_they_come_along_at_registration_too(client: ShopClient, mug: Thing) -> None:
    wish(client, mug)
    challenge = auth(client, "register", username="carol", email="carol@example.com", password="cobalt-meadow-72").json["challenge"]
    code = rows("SELECT JSON_VALUE(data, '$.code') FROM mails WHERE template = 'register_code'")[0][0]
    assert auth(client, "verify", challenge=challenge, otp=code).status_code == 201
    assert wished(client) == [mug.id]


def fill(owner: dict[str, Any], count: int) -> None:
    """So many wishes, each of a product of its own."""
    first = factories.product("First of many")
    for number in range(count):
        columns = "slug, title, description, price_minor, price_max_minor, created_at, updated_at"
        change(
            f"INSERT INTO products ({columns}) SELECT %s, title, description, 1, 1, created_at, updated_at FROM products WHERE id = %s", f"n{number}", first.id
        )
    change("INSERT INTO variants (product_id, position, price_minor) SELECT id, 1, 1 FROM products WHERE slug LIKE 'n%%' AND price_minor = 1")
    change(
        "INSERT INTO wishlist_items (user_id, token_hash, product_id, added_at)"
        " SELECT %s, %s, id, '2024-05-01' + INTERVAL id SECOND FROM products WHERE slug LIKE 'n%%'",
        *(owner.get("user_id"), owner.get("token_hash")),
    )


def test_a_list_holds_two_hundred_however_many_come_at_once(shop: Flask, new_client: Callable[[], ShopClient], alice: User) -> None:
    fill({"user_id": alice.id}, 198)
    browsers, things = tabs(new_client, alice, 5), [factories.product() for _ in range(5)]
    answers = at_once(5, lambda n: browsers[n].put(f"{LIST}/{things[n].id}").status_code)
    assert sorted(answers) == [204, 204, 409, 409, 409]
    answer = browsers[0].put(f"{LIST}/{things[answers.index(409)].id}")
    assert (answer.status_code, answer.json["code"], len(wished(browsers[0]))) == (409, "wishlist_full", 200)


def test_the_latest_wishes_of_a_guest_come_along_while_there_is_room(client: ShopClient, alice: User, mug: Thing) -> None:
    fill({"user_id": alice.id}, 199)
    jug = factories.product("Jug")
    wish(client, jug, mug)
    auth(client, "login", identifier="alice", password=PASSWORD)
    assert (wished(client)[0], len(wished(client)), jug.id in wished(client)) == (mug.id, 200, False)


def test_two_clicks_at_once_are_one_wish(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, mug: Thing) -> None:
    browsers = tabs(new_client, alice, 4)
    assert at_once(4, lambda n: browsers[n].put(f"{LIST}/{mug.id}").status_code) == [204] * 4
    assert wished(browsers[0]) == [mug.id]
    wish(client, factories.product())
    cookie = client.get_cookie("session")
    guests = [new_client() for _ in range(4)]
    for guest in guests:
        guest.set_cookie("session", cookie.value if cookie else "")
    assert at_once(4, lambda n: guests[n].put(f"{LIST}/{mug.id}").status_code) == [204] * 4
    assert len(wished(client)) == 2


def test_old_wishes_of_guests_are_dropped_and_those_of_accounts_stay(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, mug: Thing) -> None:
    wish(client, mug)
    wish(new_client(), mug)
    wish(new_client().as_(alice), mug)
    change("UPDATE wishlist_items SET added_at = added_at - INTERVAL 91 DAY WHERE id <> (SELECT * FROM (SELECT MIN(id) FROM wishlist_items) first)")
    assert retention.forget_guests() == (0, 1)
    assert rows("SELECT user_id FROM wishlist_items ORDER BY id") == [(None,), (alice.id,)]


def test_a_long_list_costs_as_many_statements_as_a_short_one(client: ShopClient, alice: User, mug: Thing, statements: Callable[[], int]) -> None:
    wish(client.as_(alice), mug)
    before = statements()
    client.get(LIST)
    short = statements() - before
    fill({"user_id": alice.id}, 90)
    before = statements()
    client.get(LIST)
    assert statements() - before == short <= 4
