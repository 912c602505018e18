from __future__ import annotations

import uuid
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User
from test_refunds import refund
from test_shipments import kinds, piece, rows

from app import db
from app.services import returns

ADMIN = "/api/v1/admin"


@pytest.fixture
def order(client: ShopClient, alice: User, ada: User, mug: Thing) -> dict[str, Any]:
    """Alice's paid order of three mugs and a jug, on its way."""
    client.as_(alice)
    client.add(mug.variant, 3)
    client.add(factories.product("Jug", price_minor=2500).variant)
    placed: dict[str, Any] = client.order(payment_method="bank_transfer").json
    factories.paid(placed["number"])
    factories.shipped(placed["number"], by=ada)
    return placed


@pytest.fixture
def desk(new_client: Any, ada: User) -> ShopClient:
    made: ShopClient = new_client().as_(ada)
    return made


def ask(client: ShopClient, order: dict[str, Any], *pieces: dict[str, Any], key: str = "", token: str = "", **more: Any) -> Any:
    items = [{"reason": "damaged"} | one for one in pieces]
    path = f"/api/v1/orders/{order['number']}/returns" + (f"?token={token}" if token else "")
    return client.post(path, json={"items": items} | more, headers={"Idempotency-Key": key or uuid.uuid4().hex})


def the_return() -> int:
    return int(rows("SELECT MAX(id) FROM returns")[0][0])


def act(desk: ShopClient, noun: str, **body: Any) -> Any:
    return desk.post(f"{ADMIN}/returns/{the_return()}/{noun}", json=body)


def test_a_return_is_asked_for_approved_received_and_refunded(client: ShopClient, desk: ShopClient, order: dict[str, Any], mug: Thing) -> None:
    answer = ask(client, order, piece(order, 0, 2), note="The glaze came off.")
    assert (answer.status_code, answer.json["returns"][0]["status"], answer.json["items"][0]["sent_back"]) == (201, "requested", 2)
    assert act(desk, "decision", status="approved", answer="Sorry for that.").json["order"]["returns"][0]["answer"] == "Sorry for that."
    received = act(desk, "receipt", restocked=[piece(order, 0, 1)]).json["order"]
    assert (received["returns"][0]["status"], received["returns"][0]["items"][0]["restocked"], factories.stock_of(mug.variant)) == ("received", 1, 3)

    desk.post("/api/v1/auth/step-up", json={"password": factories.PASSWORD})
    done = refund(desk, order, items=[piece(order, 0, 2) | {"restock": True}], return_id=the_return()).json["order"]
    assert (done["refunded_minor"], done["refunds"][0]["return_id"], factories.stock_of(mug.variant)) == (3600, the_return(), 3)
    told = ["placed", "paid", "shipped", "return_requested", "return_approved", "return_received", "partly_refunded"]
    assert kinds(order) == told
    templates = {row[0] for row in rows("SELECT template FROM mails")}
    assert templates >= {"return_requested", "return_approved", "return_received", "order_refunded"}


def test_what_a_refund_put_on_the_shelf_is_not_put_there_again_when_it_comes_back(
    client: ShopClient, desk: ShopClient, order: dict[str, Any], mug: Thing
) -> None:
    ask(client, order, piece(order, 0, 2))
    act(desk, "decision", status="approved")
    desk.post("/api/v1/auth/step-up", json={"password": factories.PASSWORD})
    assert refund(desk, order, items=[piece(order, 0, 2) | {"restock": True}]).status_code == 201

    refused = act(desk, "receipt", restocked=[piece(order, 0, 2)])
    assert (refused.status_code, refused.json["errors"]) == (422, {"restocked.0.quantity": ["All but 1 of these were put on the shelf by a refund already."]})
    assert act(desk, "receipt", restocked=[piece(order, 0, 1)]).status_code == 200
    assert factories.stock_of(mug.variant) == 5


def test_no_more_is_sent_back_than_was_sent(client: ShopClient, order: dict[str, Any]) -> None:
    assert ask(client, order, piece(order, 0, 2)).status_code == 201
    answer = ask(client, order, piece(order, 0, 2))
    assert (answer.status_code, answer.json["errors"]) == (422, {"items.0.quantity": ["Only 1 of Stoneware mug can be sent back."]})
    assert ask(client, order, {"item_id": 1, "quantity": 1}).status_code == 422
    assert ask(client, order).status_code == 422
    assert ask(client, order, piece(order, 0, 1) | {"reason": "because"}).status_code == 422


def test_a_rejected_return_may_be_asked_for_again(client: ShopClient, desk: ShopClient, order: dict[str, Any]) -> None:
    ask(client, order, piece(order, 0, 3))
    act(desk, "decision", status="rejected", answer="They were used.")
    assert act(desk, "decision", status="approved").status_code == 409
    assert act(desk, "receipt").json["detail"] == "A return that is rejected cannot be received."
    assert ask(client, order, piece(order, 0, 3)).status_code == 201


def test_the_same_request_is_one_return(client: ShopClient, order: dict[str, Any]) -> None:
    first, again = (ask(client, order, piece(order, 0, 1), key="twice") for _ in range(2))
    assert (first.status_code, again.status_code, again.headers["Idempotent-Replayed"]) == (201, 201, "true")
    assert rows("SELECT COUNT(*) FROM returns") == [(1,)]
    assert ask(client, order, piece(order, 1, 1), key="twice").status_code == 422
    path = f"/api/v1/orders/{order['number']}/returns"
    assert client.post(path, json={"items": [piece(order, 0, 1) | {"reason": "other"}]}).status_code == 400


def test_returns_end_with_their_time(client: ShopClient, order: dict[str, Any]) -> None:
    with db.reading() as tx:
        tx.execute("UPDATE shipments SET shipped_at = shipped_at - INTERVAL 15 DAY").close()
    assert client.get(f"/api/v1/orders/{order['number']}").json["can_return"] is False
    answer = ask(client, order, piece(order, 0, 1))
    assert (answer.status_code, answer.json["detail"]) == (409, "Things can be sent back within 14 days. Please write to us.")


def test_nothing_comes_back_that_was_not_sent(client: ShopClient, alice: User, mug: Thing) -> None:
    client.as_(alice).add(mug.variant)
    placed = client.order().json
    assert ask(client, placed, piece(placed, 0, 1)).json["detail"] == "Nothing of this order was sent yet."


def test_a_guest_returns_with_the_token_and_a_stranger_does_not(client: ShopClient, new_client: Any, ada: User, bob: User, mug: Thing) -> None:
    client.add(mug.variant)
    placed = client.order(email="guest@example.com").json
    factories.shipped(placed["number"], by=ada)
    assert ask(new_client().as_(bob), placed, piece(placed, 0, 1)).status_code == 404
    assert ask(new_client(), placed, piece(placed, 0, 1)).status_code == 404
    assert ask(new_client(), placed, piece(placed, 0, 1), token=placed["token"]).status_code == 201


def test_no_more_is_restocked_than_came_back(client: ShopClient, desk: ShopClient, order: dict[str, Any], mug: Thing) -> None:
    ask(client, order, piece(order, 0, 1))
    act(desk, "decision", status="approved")
    assert act(desk, "receipt", restocked=[piece(order, 0, 2)]).status_code == 422
    assert factories.stock_of(mug.variant) == 2
    assert rows("SELECT status FROM returns") == [("approved",)]
    assert desk.post(f"{ADMIN}/returns/{the_return() + 1}/decision", json={"status": "approved"}).status_code == 404


def test_every_step_of_a_return_leads_to_a_known_state() -> None:
    assert all(set(following) <= returns.STEPS.keys() for following in returns.STEPS.values())


def test_the_same_things_once_more(client: ShopClient, order: dict[str, Any], mug: Thing) -> None:
    with db.reading() as tx:
        tx.execute("UPDATE products SET published = 0 WHERE title = 'Jug'").close()
    answer = client.post(f"/api/v1/orders/{order['number']}/reorder").json
    assert [(item["title"], item["quantity"]) for item in answer["cart"]["items"]] == [("Stoneware mug", 2)]
    assert answer["notices"] == ["Stoneware mug: only 2 of 3 could be added.", "Jug is not sold any more."]


def test_a_stranger_reorders_nothing(new_client: Any, bob: User, order: dict[str, Any]) -> None:
    assert new_client().as_(bob).post(f"/api/v1/orders/{order['number']}/reorder").status_code == 404
