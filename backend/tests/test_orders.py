from __future__ import annotations

from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User

from app import db
from app.services import orders, retention

Placed = Callable[..., dict[str, Any]]


@pytest.fixture
def placed(client: ShopClient, mug: Thing) -> Placed:
    """Places an order for a mug."""

    def place(*, by: User | None = None, quantity: int = 1, **more: Any) -> dict[str, Any]:
        if by:
            client.as_(by)
        client.add(mug.variant, quantity)
        order: dict[str, Any] = client.order(email=None if by else "guest@example.com", **more).json
        return order

    return place


def execute(sql: str, *params: Any) -> None:
    with db.reading() as tx:
        tx.execute(sql, params).close()


def test_a_buyer_sees_the_own_orders_newest_first(client: ShopClient, alice: User, placed: Placed) -> None:
    numbers = [placed(by=alice)["number"] for _ in range(3)]
    listed = client.get("/api/v1/orders").json
    assert [order["number"] for order in listed["items"]] == numbers[::-1]
    assert (listed["total"], listed["items"][0]["count"], listed["next"]) == (3, 1, None)


def test_orders_come_in_pages(client: ShopClient, alice: User, placed: Placed) -> None:
    numbers = [placed(by=alice)["number"] for _ in range(5)]
    first = client.get("/api/v1/orders?limit=3").json
    second = client.get(f"/api/v1/orders?limit=3&after={first['next']}").json
    assert [order["number"] for order in first["items"] + second["items"]] == numbers[::-1]
    assert second["next"] is None
    assert client.get("/api/v1/orders?after=x").status_code == 422


def test_the_list_asks_to_sign_in(client: ShopClient) -> None:
    assert client.get("/api/v1/orders").status_code == 401


def test_a_strangers_order_is_not_there(client: ShopClient, alice: User, bob: User, placed: Placed) -> None:
    number = placed(by=alice)["number"]
    token = orders.token_of(number)
    assert client.get(f"/api/v1/orders/{number}").status_code == 200

    client.as_(bob)
    absent = client.get("/api/v1/orders/FC-ABCDEFGH").json
    for answer in (client.get(f"/api/v1/orders/{number}"), client.get(f"/api/v1/orders/{number}?token={token}")):
        assert answer.status_code == 404
        assert {**answer.json, "request_id": ""} == {**absent, "request_id": ""}
    assert client.post(f"/api/v1/orders/{number}/cancellation").status_code == 404


def test_a_guests_order_opens_with_its_token_only(client: ShopClient, new_client: Callable[[], ShopClient], placed: Placed) -> None:
    order = placed()
    path = f"/api/v1/orders/{order['number']}"
    elsewhere = new_client()
    assert elsewhere.get(f"{path}?token={order['token']}").json["number"] == order["number"]
    assert elsewhere.get(path).status_code == elsewhere.get(f"{path}?token=wrong").status_code == elsewhere.get(f"{path}?token=%E2%82%AC").status_code == 404


def test_an_order_number_can_be_read_aloud_and_not_be_guessed(placed: Placed) -> None:
    numbers = {placed()["number"] for _ in range(3)}
    assert len(numbers) == 3
    assert all(len(number) == 11 and set(number[3:]) <= set("23456789ABCDEFGHJKMNPQRSTVWXYZ") for number in numbers)


def test_a_buyer_cancels_and_the_goods_go_back(client: ShopClient, alice: User, placed: Placed, mug: Thing) -> None:
    order = placed(by=alice, quantity=2)
    answer = client.post(f"/api/v1/orders/{order['number']}/cancellation").json
    assert (answer["status"], answer["can_cancel"], [event["kind"] for event in answer["events"]]) == ("cancelled", False, ["placed", "cancelled"])
    assert factories.stock_of(mug.variant) == 5


def test_a_guest_cancels_with_the_token(client: ShopClient, placed: Placed) -> None:
    order = placed()
    assert client.post(f"/api/v1/orders/{order['number']}/cancellation?token={order['token']}").json["status"] == "cancelled"


def test_a_finished_order_cannot_be_cancelled(client: ShopClient, alice: User, ada: User, placed: Placed, mug: Thing) -> None:
    order = placed(by=alice, quantity=2)
    factories.paid(order["number"])
    factories.delivered(order["number"], by=ada)
    answer = client.post(f"/api/v1/orders/{order['number']}/cancellation")
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert factories.stock_of(mug.variant) == 3


def test_an_order_under_way_cannot_be_cancelled(client: ShopClient, alice: User, ada: User, placed: Placed) -> None:
    number = placed(by=alice)["number"]
    factories.shipped(number, by=ada)
    answer = client.post(f"/api/v1/orders/{number}/cancellation")
    assert answer.json["detail"] == "An order that is shipped cannot be cancelled here."


def test_an_unpaid_transfer_expires_and_its_goods_go_back(client: ShopClient, placed: Placed, mug: Thing) -> None:
    order = placed(payment_method="bank_transfer", quantity=3)
    assert orders.expire_due() == 0
    execute("UPDATE orders SET pay_by = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND")

    assert orders.expire_due() == 1
    assert orders.expire_due() == 0
    after = client.get(f"/api/v1/orders/{order['number']}?token={order['token']}").json
    assert (after["status"], [event["kind"] for event in after["events"]]) == ("expired", ["placed", "expired"])
    assert factories.stock_of(mug.variant) == 5


def test_an_order_on_delivery_never_expires(placed: Placed) -> None:
    placed()
    execute("UPDATE orders SET placed_at = placed_at - INTERVAL 1 YEAR")
    assert orders.expire_due() == 0


def test_every_step_leads_to_a_known_state() -> None:
    for following in orders.STEPS.values():
        assert set(following) <= orders.STEPS.keys()
    assert orders.CANCELLABLE == ("pending", "placed")


def test_keys_are_kept_for_thirty_days(placed: Placed) -> None:
    placed()
    assert retention.forget_keys() == 0
    execute("UPDATE idempotency_keys SET created_at = created_at - INTERVAL 31 DAY")
    assert retention.forget_keys() == 1


def test_a_list_costs_a_fixed_number_of_statements(client: ShopClient, alice: User, placed: Placed, statements: Callable[[], int]) -> None:
    def cost() -> int:
        before = statements()
        client.get("/api/v1/orders")
        return statements() - before

    placed(by=alice)
    one = cost()
    for _ in range(3):
        placed(by=alice)
    assert cost() == one <= 5
