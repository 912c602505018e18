"""Guest orders with the verified address of an account, in its export and its erasure."""

from __future__ import annotations

from collections.abc import Callable

import factories
from conftest import ShopClient
from factories import User
from flask import Flask
from test_accounts import auth, change, mails, rows
from test_privacy import ME, cells, deliver, desk, dump, erase, order

from app.services import orders

__all__ = ["desk"]


def test_an_order_of_a_guest_with_the_verified_address_is_a_part_of_the_account(
    shop: Flask,
    client: ShopClient,
    new_client: Callable[[], ShopClient],
    alice: User,
) -> None:
    number = order(new_client(), "guest", email=alice.email)
    other = order(new_client(), "stranger", email="alice2@example.com")
    factories.paid(number)
    factories.delivered(number, by=alice, tracking="guest-parcel")
    client.as_(alice)
    told = client.get(f"{ME}/export").json
    assert [one["number"] for one in told["orders"]] == [number]
    assert [one["order_number"] for one in told["payments"]] == [number]
    assert {one["order_number"] for one in told["mails"]} == {number}
    assert orders.token_of(number) not in str(told)
    assert erase(client).status_code == 204
    deliver(shop)
    left = [
        (table, column, value) for table, column, value in cells(dump()) if any(word in str(value) for word in ("guest-", alice.email, orders.token_of(number)))
    ]
    assert left == []
    kept = "SELECT name, email FROM orders WHERE number = %s"
    assert rows(kept, other) == [("stranger-name", "alice2@example.com")]


def test_an_admin_erases_the_orders_of_a_guest_with_the_address_too(
    desk: ShopClient,
    new_client: Callable[[], ShopClient],
    alice: User,
    bob: User,
) -> None:
    for user in (alice, bob):
        order(new_client(), f"{user.username[0]}-guest", email=user.email)
    one = desk.delete(f"/api/v1/admin/users/{alice.id}")
    many = desk.post("/api/v1/admin/users/actions", json={"action": "erase", "ids": [bob.id]})
    assert (one.status_code, many.json["changed"]) == (204, 1)
    assert rows("SELECT name, email, email_key, status FROM orders") == [
        ("erased", "", "", "cancelled"),
        ("erased", "", "", "cancelled"),
    ]


def test_an_order_of_a_guest_that_is_under_way_keeps_its_address_until_it_has_come(
    client: ShopClient,
    new_client: Callable[[], ShopClient],
    alice: User,
) -> None:
    number = order(new_client(), "guest", email=alice.email)
    factories.paid(number)
    answer = erase(client.as_(alice))
    assert (answer.status_code, answer.json["code"]) == (409, "order_under_way")
    assert rows("SELECT name, user_id FROM orders") == [("guest-name", None)]


def test_addresses_that_only_look_alike_are_two_peoples(client: ShopClient, new_client: Callable[[], ShopClient], shop: Flask) -> None:
    jose, other = factories.user("jose"), factories.user("jos2")
    change("UPDATE users SET email = 'josé@example.com', email_key = 'josé@example.com' WHERE id = %s", other.id)
    for user in (jose, other):
        auth(new_client(), "forgot", email="josé@example.com" if user is other else user.email)
    assert len(client.as_(jose).get(f"{ME}/export").json["mails"]) == 1
    erase(client)
    assert mails() == [("reset_code", "josé@example.com"), ("erased", "jose@example.com")]
