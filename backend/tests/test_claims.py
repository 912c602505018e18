from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import factories
import orjson
import pytest
from conftest import ShopClient
from factories import PASSWORD, Thing, User
from test_accounts import auth, rows

from app.services import claims, orders, payments

ORDERS = "/api/v1/orders"


@pytest.fixture
def ordered(new_client: Callable[[], ShopClient], mug: Thing) -> Callable[..., dict[str, Any]]:
    """Places a guest's order."""

    def order(email: str = "Alice@Example.com") -> dict[str, Any]:
        browser = new_client()
        browser.add(mug.variant)
        placed: dict[str, Any] = browser.order(email=email).json
        return placed

    return order


def code() -> str:
    """The newest code in the outbox."""
    return str(orjson.loads(rows("SELECT data FROM mails WHERE template LIKE %s ORDER BY id DESC", r"%\_code")[0][0])["code"])


def claimable(client: ShopClient) -> list[str]:
    return [one["number"] for one in client.get(f"{ORDERS}/claimable").json["items"]]


def own(client: ShopClient) -> list[str]:
    return [one["number"] for one in client.get(ORDERS).json["items"]]


def claim(client: ShopClient) -> int:
    answer = client.post(f"{ORDERS}/claims")
    assert answer.status_code == 201
    return int(answer.json["claimed"])


def test_a_guests_orders_are_the_accounts_once_it_asks_and_nobody_elses(
    client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User, ordered: Callable[..., dict[str, Any]], mug: Thing
) -> None:
    first, second, strange = ordered(), ordered("alice@example.com"), ordered("alice@example.comm")
    assert new_client().post(f"{ORDERS}/claims").status_code == new_client().get(f"{ORDERS}/claimable").status_code == 401
    client.as_(alice)
    assert (claimable(client), own(client)) == ([second["number"], first["number"]], [])
    assert client.get(f"{ORDERS}/{first['number']}").status_code == 404

    assert (claim(client), claim(client)) == (2, 0)
    assert (claimable(client), own(client)) == ([], [second["number"], first["number"]])
    assert [event["kind"] for event in client.get(f"{ORDERS}/{first['number']}").json["events"]] == ["placed", "claimed"]

    other = new_client().as_(bob)
    assert (claimable(other), claim(other), own(other)) == ([], 0, [])
    assert other.get(f"{ORDERS}/{first['number']}").status_code == 404
    # The link in the mail goes on working, for all that it opened before.
    guest = new_client()
    by_link = guest.get(f"{ORDERS}/{first['number']}?token={first['token']}")
    assert (by_link.status_code, "token" in by_link.json) == (200, False)
    assert guest.get(f"{ORDERS}/{first['number']}").status_code == 404
    assert guest.post(f"{ORDERS}/{first['number']}/cancellation?token={first['token']}").json["status"] == "cancelled"
    assert factories.stock_of(mug.variant) == 3
    assert strange["number"] not in own(client)


def test_what_was_spent_as_a_guest_counts_for_the_level(client: ShopClient, alice: User, shop: Any) -> None:
    dear = factories.product(price_minor=60_000)
    client.add(dear.variant)
    order = client.order(email=alice.email).json
    payments.record(order["number"], order["due_minor"], key="paid", actor=factories.actor(alice))
    client.as_(alice)
    before = client.get("/api/v1/me").json["level"]
    claim(client)
    assert client.get("/api/v1/me").json["level"] != before


def test_who_signs_up_later_finds_what_was_ordered_with_that_address(client: ShopClient, ordered: Callable[..., dict[str, Any]]) -> None:
    number = ordered("carol@example.com")["number"]
    challenge = auth(client, "register", username="carol", email="CAROL@example.com", password=PASSWORD).json["challenge"]
    assert auth(client, "verify", challenge=challenge, otp=code()).status_code == 201
    assert (claimable(client), claim(client), own(client)) == ([number], 1, [number])


def move(client: ShopClient, email: str) -> None:
    challenge = client.step_up().post("/api/v1/me/email", json={"email": email}).json["challenge"]
    assert client.post("/api/v1/me/email/verify", json={"challenge": challenge, "otp": code()}).status_code == 200


def test_the_address_of_now_decides_away_and_back(
    client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User, ordered: Callable[..., dict[str, Any]]
) -> None:
    claimed = ordered()["number"]
    client.as_(alice)
    claim(client)
    later = ordered()["number"]
    # An address that is only asked for proves nothing.
    other = new_client().as_(bob)
    other.step_up().post("/api/v1/me/email", json={"email": "alice@example.org"})
    moved = ordered("alice@example.org")["number"]
    assert (claimable(other), claim(other)) == ([], 0)
    move(client, "alice@example.org")
    assert (claimable(client), own(client)) == ([moved], [claimed])
    move(client, alice.email)
    assert (claimable(client), own(client)) == ([later], [claimed])
    # Whoever has the address now may claim what nobody did; what was claimed stays where it is.
    move(client, "alice@example.net")
    move(other, alice.email)
    assert (claim(other), own(other), own(client)) == (1, [later], [claimed])


def test_two_who_claim_at_once_claim_each_order_once(alice: User, ordered: Callable[..., dict[str, Any]]) -> None:
    numbers = {ordered()["number"] for _ in range(3)}
    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(lambda _: claims.claim(alice.id), range(6))) == 3
    assert {one["number"] for one in orders.list_of(alice.id, limit=10, after="")["items"]} == numbers
    assert factories.value("SELECT COUNT(*) FROM order_events WHERE kind = 'claimed'") == 3


def test_claimed_orders_are_told_and_erased_with_the_account(client: ShopClient, alice: User, ordered: Callable[..., dict[str, Any]]) -> None:
    order, others = ordered(), ordered("bob@example.com")
    client.as_(alice)
    claim(client)
    told = client.get("/api/v1/me/export").json
    assert [one["number"] for one in told["orders"]] == [order["number"]]
    assert order["token"] not in str(told)
    assert client.delete("/api/v1/me", json={"password": PASSWORD}).status_code == 204
    assert client.get(f"{ORDERS}/{order['number']}?token={order['token']}").status_code == 404
    left = "SELECT COUNT(*) FROM orders WHERE number = %s AND name = 'erased' AND email = '' AND email_key = ''"
    assert (factories.value(left, order["number"]), factories.value(left, others["number"])) == (1, 0)
    assert factories.value("SELECT COUNT(*) FROM idempotency_keys k JOIN orders o ON o.id = k.order_id WHERE o.number = %s", order["number"]) == 0
