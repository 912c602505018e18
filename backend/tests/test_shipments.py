from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User

from app import db
from app.errors import Conflict, Invalid
from app.services import cancellations, orders, shipments

ADMIN = "/api/v1/admin"


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with db.reading() as tx:
        return list(tx.execute(sql, params).fetchall())


@pytest.fixture
def order(shop: Any, client: ShopClient, alice: User, mug: Thing) -> dict[str, Any]:
    """Alice's order of three mugs and a jug, to be paid at the door."""
    client.as_(alice)
    client.add(mug.variant, 3)
    client.add(factories.product("Jug", price_minor=2500).variant)
    placed: dict[str, Any] = client.order().json
    return placed


@pytest.fixture
def desk(new_client: Any, ada: User) -> ShopClient:
    """The admin's browser."""
    made: ShopClient = new_client().as_(ada)
    return made


def ship(desk: ShopClient, order: dict[str, Any], **body: Any) -> Any:
    return desk.post(f"{ADMIN}/orders/{order['number']}/shipments", json=body)


def piece(order: dict[str, Any], line: int, quantity: int) -> dict[str, int]:
    return {"item_id": order["items"][line]["id"], "quantity": quantity}


def kinds(order: dict[str, Any]) -> list[str]:
    return [kind for (kind,) in rows("SELECT kind FROM order_events e JOIN orders o ON o.id = e.order_id WHERE o.number = %s ORDER BY e.id", order["number"])]


def test_a_parcel_without_items_holds_all_that_is_left(desk: ShopClient, client: ShopClient, order: dict[str, Any]) -> None:
    answer = ship(desk, order, carrier="Swift Post", tracking_number="SP-77", tracking_url="https://post.example/SP-77")
    assert (answer.status_code, answer.json["order"]["fulfilment_status"], answer.json["acts"]["ship"]) == (201, "shipped", False)
    seen = client.get(f"/api/v1/orders/{order['number']}").json
    assert [(one["tracking_number"], len(one["items"])) for one in seen["shipments"]] == [("SP-77", 2)]
    assert [item["sent"] for item in seen["items"]] == [3, 1]
    assert (seen["can_cancel"], seen["can_return"], kinds(order)) == (False, True, ["placed", "shipped"])
    assert rows("SELECT COUNT(*) FROM mails WHERE template = 'order_shipped'") == [(1,)]


def test_an_order_leaves_in_parts(desk: ShopClient, order: dict[str, Any]) -> None:
    first = ship(desk, order, items=[piece(order, 0, 1)]).json
    assert (first["order"]["fulfilment_status"], [line["left_to_send"] for line in first["lines"]]) == ("partly_shipped", [2, 1])
    second = ship(desk, order, items=[piece(order, 0, 1), piece(order, 1, 1)]).json
    assert second["order"]["fulfilment_status"] == "partly_shipped"
    assert ship(desk, order).json["order"]["fulfilment_status"] == "shipped"
    assert kinds(order) == ["placed", "partly_shipped", "partly_shipped", "shipped"]


def test_never_more_leaves_than_is_left(desk: ShopClient, order: dict[str, Any]) -> None:
    ship(desk, order, items=[piece(order, 0, 2)])
    answer = ship(desk, order, items=[piece(order, 0, 2)])
    assert (answer.status_code, answer.json["errors"]) == (422, {"items.0.quantity": ["Only 1 of Stoneware mug left to send."]})
    assert ship(desk, order, items=[piece(order, 0, 1), piece(order, 0, 1)]).status_code == 422
    assert ship(desk, order, items=[{"item_id": 1, "quantity": 1}]).status_code == 422
    ship(desk, order)
    assert ship(desk, order).json["detail"] == "An order that is shipped cannot be sent."


def test_twenty_who_ship_at_once_send_it_once(order: dict[str, Any], ada: User) -> None:
    items: Any = [piece(order, 0, 1)]

    def attempt(_: int) -> bool:
        try:
            factories.shipped(order["number"], by=ada, items=items)
        except (Conflict, Invalid):
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(20))) == 3
    assert rows("SELECT CAST(SUM(quantity) AS SIGNED) FROM shipment_items") == [(3,)]


def test_a_cancellation_and_a_parcel_at_once_have_one_winner(order: dict[str, Any], alice: User, ada: User) -> None:
    def cancel() -> str:
        try:
            cancellations.cancel(order["number"], user_id=alice.id, token=None)
        except Conflict:
            return ""
        return "cancelled"

    def send() -> str:
        try:
            factories.shipped(order["number"], by=ada)
        except Conflict:
            return ""
        return "shipped"

    with ThreadPoolExecutor(2) as pool:
        outcomes = {one.result() for one in (pool.submit(cancel), pool.submit(send))}
    assert len(outcomes - {""}) == 1


@pytest.mark.parametrize(("method", "status"), [("bank_transfer", "pending"), ("cash_on_delivery", "cancelled")])
def test_what_is_not_paid_or_was_cancelled_is_not_sent(desk: ShopClient, client: ShopClient, alice: User, mug: Thing, method: str, status: str) -> None:
    client.as_(alice).add(mug.variant)
    order = client.order(payment_method=method).json
    if status == "cancelled":
        client.post(f"/api/v1/orders/{order['number']}/cancellation")
    assert ship(desk, order).status_code == 409
    assert rows("SELECT COUNT(*) FROM shipments") == [(0,)]


def test_an_order_that_is_paid_and_delivered_is_completed(desk: ShopClient, client: ShopClient, order: dict[str, Any]) -> None:
    factories.paid(order["number"])
    parcel = ship(desk, order).json["order"]["shipments"][0]["id"]
    done = desk.post(f"{ADMIN}/shipments/{parcel}/delivery").json["order"]
    assert (done["status"], done["fulfilment_status"]) == ("completed", "delivered")
    assert kinds(order) == ["placed", "paid", "shipped", "delivered", "completed"]
    assert desk.post(f"{ADMIN}/shipments/{parcel}/delivery").status_code == 409
    assert desk.post(f"{ADMIN}/shipments/{parcel + 1}/delivery").status_code == 404


def test_cash_at_the_door_completes_what_was_delivered(desk: ShopClient, order: dict[str, Any], ada: User) -> None:
    factories.delivered(order["number"], by=ada)
    assert orders.get(order["number"], trusted=True)["status"] == "placed"
    factories.paid(order["number"])
    assert orders.get(order["number"], trusted=True)["status"] == "completed"


def test_an_order_is_delivered_when_its_last_parcel_is(desk: ShopClient, order: dict[str, Any], ada: User) -> None:
    first = factories.shipped(order["number"], by=ada, items=[piece(order, 1, 1)])  # type: ignore[list-item]
    shipments.deliver(first, actor_id=ada.id)
    assert orders.get(order["number"], trusted=True)["fulfilment_status"] == "partly_shipped"
    factories.delivered(order["number"], by=ada)
    assert kinds(order) == ["placed", "partly_shipped", "parcel_delivered", "shipped", "delivered"]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "ftp://post.example", "https://post.example/a b", "post.example"])
def test_a_parcel_is_followed_on_the_web_only(desk: ShopClient, order: dict[str, Any], address: str) -> None:
    assert ship(desk, order, tracking_url=address).status_code == 422


def test_only_staff_send(client: ShopClient, order: dict[str, Any]) -> None:
    assert client.post(f"{ADMIN}/orders/{order['number']}/shipments", json={}).status_code == 403


def test_every_step_of_each_table_leads_to_a_known_state() -> None:
    for table in orders.TABLES.values():
        assert all(set(following) <= table.keys() for following in table.values())


@pytest.mark.parametrize("state", ["status", "payment_status", "fulfilment_status"])
def test_no_step_is_taken_that_its_table_does_not_hold(order: dict[str, Any], state: str) -> None:
    for start, following in orders.TABLES[state].items():
        for to in orders.TABLES[state].keys() - set(following):

            def attempt(tx: db.Tx, start: str = start, to: str = to) -> None:
                orders.step(tx, {"id": 0, state: start}, state, to, actor_id=None)

            with pytest.raises(Conflict):
                db.transaction(attempt)
