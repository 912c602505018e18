from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import factories
import orjson
import pytest
from conftest import ShopClient
from factories import PASSWORD, Thing, User
from hypothesis import given
from hypothesis import strategies as st
from test_shipments import kinds, piece, rows

from app import db
from app.db import Row, q
from app.errors import Conflict, Invalid
from app.services import cancellations, refunds, settings
from app.services.refunds import Piece, Refunding

ADMIN = "/api/v1/admin"


@pytest.fixture
def desk(new_client: Any, ada: User) -> ShopClient:
    """The admin's browser, whose owner has just proven who they are."""
    made: ShopClient = new_client().as_(ada)
    assert made.post("/api/v1/auth/step-up", json={"password": PASSWORD}).status_code == 204
    return made


@pytest.fixture
def order(client: ShopClient, alice: User, mug: Thing) -> dict[str, Any]:
    """Alice's paid order of three mugs and a jug: 54.00 + 25.00, delivered free."""
    client.as_(alice)
    client.add(mug.variant, 3)
    client.add(factories.product("Jug", price_minor=2500, stock=1).variant)
    placed: dict[str, Any] = client.order(payment_method="bank_transfer").json
    factories.paid(placed["number"])
    return placed


def refund(desk: ShopClient, order: dict[str, Any], *, key: str = "", **body: Any) -> Any:
    return desk.post(f"{ADMIN}/orders/{order['number']}/refunds", json=body, headers={"Idempotency-Key": key or uuid.uuid4().hex})


def refunded() -> int:
    return int(rows("SELECT CAST(COALESCE(SUM(payment_minor + gift_card_minor), 0) AS SIGNED) FROM refunds")[0][0])


def test_a_line_is_refunded_and_put_on_the_shelf(desk: ShopClient, client: ShopClient, order: dict[str, Any], mug: Thing) -> None:
    answer = refund(desk, order, items=[piece(order, 0, 1) | {"restock": True}], reason="One was chipped")
    assert answer.status_code == 201
    now = answer.json["order"]
    assert (now["payment_status"], now["refunded_minor"], now["refunds"][0]["status"]) == ("partly_refunded", 1800, "done")
    assert (factories.stock_of(mug.variant), answer.json["lines"][0]["left_to_send"]) == (3, 2)
    assert rows("SELECT quantity FROM stock_movements WHERE reason = 'returned'") == [(1,)]
    assert client.get(f"/api/v1/orders/{order['number']}").json["refunds"][0]["reason"] == "One was chipped"
    assert rows("SELECT COUNT(*) FROM mails WHERE template = 'order_refunded'") == [(1,)]


def test_refunding_everything_refunds_exactly_the_total(desk: ShopClient, order: dict[str, Any]) -> None:
    for line, quantity in ((0, 1), (1, 1), (0, 2)):
        refund(desk, order, items=[piece(order, line, quantity)])
    assert refunded() == order["total_minor"]
    assert kinds(order) == ["placed", "paid", "partly_refunded", "partly_refunded", "cancelled", "refunded"]
    assert refund(desk, order, items=[piece(order, 0, 1)]).status_code == 422


@pytest.mark.parametrize("included", [True, False])
def test_discounts_taxes_and_delivery_go_back_to_the_cent(
    desk: ShopClient,
    client: ShopClient,
    alice: User,
    ada: User,
    included: bool,
) -> None:
    with db.reading() as tx:
        q.settings.put(tx, name="prices_include_tax", value="true" if included else "false")
    client.as_(alice)
    desk.post(f"{ADMIN}/coupons", json={"code": "THIRD", "name": "A third", "kind": "percent", "value": 3333})
    client.add(factories.product("Pin", price_minor=333, stock=9).variant, 7)
    client.add(factories.product("Pen", price_minor=101, stock=9).variant, 3)
    placed = client.order(payment_method="bank_transfer", coupon="THIRD").json
    factories.paid(placed["number"])
    factories.delivered(placed["number"], by=ada)
    for line, pieces in ((0, 3), (1, 1), (0, 4), (1, 2)):
        assert refund(desk, placed, items=[piece(placed, line, pieces)]).status_code == 201
    left = desk.get(f"{ADMIN}/orders/{placed['number']}").json["delivery_left_minor"]
    assert refund(desk, placed, shipping_minor=left + 1).status_code == 422
    assert refund(desk, placed, shipping_minor=left).json["order"]["payment_status"] == "refunded"
    assert refunded() == placed["total_minor"]


@given(paid=st.integers(0, 10**9), parts=st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_the_parts_of_a_line_sum_to_what_was_paid_for_it(paid: int, parts: list[int]) -> None:
    line: Row = {"paid_minor": paid, "quantity": sum(parts), "refunded": 0}
    amounts = []
    for part in parts:
        amounts.append(refunds.worth(line, part))
        line["refunded"] += part
    assert sum(amounts) == paid
    assert min(amounts) >= 0


def test_a_double_clicked_refund_is_one_refund(desk: ShopClient, order: dict[str, Any]) -> None:
    body = {"items": [piece(order, 0, 1)]}
    first, second = refund(desk, order, key="click", **body), refund(desk, order, key="click", **body)
    assert (first.status_code, second.status_code, second.headers["Idempotent-Replayed"]) == (201, 201, "true")
    assert refunded() == 1800
    other = refund(desk, order, key="click", items=[piece(order, 1, 1)])
    assert (other.status_code, other.json["errors"].keys()) == (422, {"Idempotency-Key"})
    assert desk.post(f"{ADMIN}/orders/{order['number']}/refunds", json=body).status_code == 400


def test_one_key_twenty_times_at_once_is_one_refund(order: dict[str, Any], ada: User) -> None:
    wanted = Refunding((Piece(order["items"][0]["id"], 1),))
    with ThreadPoolExecutor(20) as pool:
        replayed = list(pool.map(lambda _: refunds.refund(order["number"], wanted, key="one", actor_id=ada.id), range(20)))
    assert (replayed.count(False), refunded()) == (1, 1800)


def test_twenty_admins_at_once_never_give_back_more_than_was_paid(order: dict[str, Any], ada: User, mug: Thing) -> None:
    wanted = Refunding((Piece(order["items"][0]["id"], 2, restock=True),))

    def attempt(n: int) -> bool:
        try:
            refunds.refund(order["number"], wanted, key=f"key {n}", actor_id=ada.id)
        except (Conflict, Invalid):
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(20))) == 1
    assert (refunded(), factories.stock_of(mug.variant)) == (3600, 4)


def test_a_refund_asks_who_it_is(new_client: Any, ada: User, order: dict[str, Any], client: ShopClient) -> None:
    assert refund(new_client().as_(ada), order, items=[piece(order, 0, 1)]).json["code"] == "step_up_needed"
    assert refund(client, order, items=[piece(order, 0, 1)]).json["code"] == "forbidden"
    assert refunded() == 0


def test_nothing_goes_back_of_what_was_not_paid(desk: ShopClient, client: ShopClient, alice: User, mug: Thing) -> None:
    client.as_(alice).add(mug.variant)
    placed = client.order().json
    answer = refund(desk, placed, items=[piece(placed, 0, 1)])
    assert (answer.status_code, answer.json["detail"]) == (409, "Nothing was paid for this order.")


@pytest.mark.parametrize("body", [{}, {"items": [{"item_id": 1, "quantity": 1}]}, {"shipping_minor": 1}, {"return_id": 5, "shipping_minor": 0}])
def test_a_refund_of_nothing_or_of_something_else_is_refused(desk: ShopClient, order: dict[str, Any], body: dict[str, Any]) -> None:
    assert refund(desk, order, **body).status_code == 422
    assert refund(desk, order, items=[piece(order, 0, 4)]).json["errors"] == {"items.0.quantity": ["Only 3 of Stoneware mug can be refunded."]}


def test_what_was_refunded_before_it_was_sent_is_not_sent(desk: ShopClient, order: dict[str, Any], ada: User) -> None:
    refund(desk, order, items=[piece(order, 0, 2)])
    factories.delivered(order["number"], by=ada)
    assert rows("SELECT CAST(SUM(quantity) AS SIGNED) FROM shipment_items") == [(2,)]
    assert rows("SELECT status, fulfilment_status FROM orders") == [("completed", "delivered")]


def test_the_rest_of_a_part_shipment_can_be_given_up(desk: ShopClient, order: dict[str, Any], ada: User) -> None:
    factories.shipped(order["number"], by=ada, items=[piece(order, 0, 3)])
    now = refund(desk, order, items=[piece(order, 1, 1)]).json
    assert (now["order"]["fulfilment_status"], now["acts"]["ship"]) == ("shipped", False)


def test_staff_cancel_a_paid_order_and_all_goes_back(desk: ShopClient, order: dict[str, Any], mug: Thing) -> None:
    refund(desk, order, items=[piece(order, 0, 1) | {"restock": True}])
    answer = desk.post(f"{ADMIN}/orders/{order['number']}/cancellation", json={}).json
    assert (answer["order"]["status"], answer["order"]["payment_status"]) == ("cancelled", "refunded")
    assert (refunded(), factories.stock_of(mug.variant)) == (order["total_minor"], 5)
    assert desk.post(f"{ADMIN}/orders/{order['number']}/cancellation", json={}).status_code == 409


def test_a_buyer_cancels_what_a_gateway_gives_back(client: ShopClient, order: dict[str, Any], mug: Thing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.PAYMENT_NAMES, "test", "Test payment")
    path = f"/api/v1/orders/{order['number']}"
    assert client.post(f"{path}/cancellation").status_code == 409
    with db.reading() as tx:
        tx.execute("UPDATE orders SET payment_method = 'test'").close()
        tx.execute("UPDATE payments SET method = 'test'").close()
    assert client.get(path).json["can_cancel"]
    gone = client.post(f"{path}/cancellation").json
    assert (gone["status"], gone["payment_status"], gone["refunded_minor"]) == ("cancelled", "refunded", order["total_minor"])
    assert factories.stock_of(mug.variant) == 5


def test_twenty_cancellations_at_once_restock_and_refund_once(order: dict[str, Any], ada: User, mug: Thing) -> None:
    def attempt(_: int) -> bool:
        try:
            cancellations.cancel_for(order["number"], actor_id=ada.id)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(20))) == 1
    assert (refunded(), factories.stock_of(mug.variant)) == (order["total_minor"], 5)


# ---------------------------------------------------------------- before anything is shipped


@pytest.fixture
def shipped_at_cost(client: ShopClient, alice: User, mug: Thing) -> dict[str, Any]:
    """Alice's paid order of three mugs that costs 4.90 to ship."""
    client.as_(alice).add(mug.variant, 3)
    placed: dict[str, Any] = client.order(payment_method="bank_transfer").json
    assert placed["shipping_minor"] == 490
    factories.paid(placed["number"])
    return placed


@pytest.mark.parametrize("restock", [True, False])
@pytest.mark.parametrize("steps", [(3,), (1, 2), (1, 1, 1)])
def test_refunding_every_item_before_shipping_cancels_the_order_and_refunds_shipping(
    desk: ShopClient,
    shipped_at_cost: dict[str, Any],
    mug: Thing,
    steps: tuple[int, ...],
    restock: bool,
) -> None:
    order = shipped_at_cost
    for quantity in steps:
        answer = refund(desk, order, items=[piece(order, 0, quantity) | {"restock": restock}])
        assert answer.status_code == 201
    now = answer.json["order"]
    assert (now["status"], now["payment_status"]) == ("cancelled", "refunded")
    assert now["refunded_minor"] == order["total_minor"] == 5400 + 490
    assert [one["shipping_minor"] for one in now["refunds"]][-1] == 490
    assert factories.stock_of(mug.variant) == 5
    assert kinds(order)[-2:] == ["cancelled", "refunded"]
    templates = rows("SELECT template FROM mails ORDER BY id")
    assert templates.count(("order_cancelled",)) == 1
    assert templates.count(("order_refunded",)) == len(steps)
    credited = rows("SELECT COUNT(*) FROM invoice_requests WHERE refund_id IS NOT NULL")
    assert credited == [(len(steps),)]
    assert rows("SELECT COUNT(*) FROM events WHERE detail LIKE '%cancelled%'") == [(1,)]


def test_a_repeated_refund_of_every_item_is_one_refund(
    desk: ShopClient,
    shipped_at_cost: dict[str, Any],
) -> None:
    items = [piece(shipped_at_cost, 0, 3)]
    answers = [refund(desk, shipped_at_cost, key="click", items=items) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert refunded() == shipped_at_cost["total_minor"]


def test_shipping_that_was_refunded_before_is_not_refunded_twice(
    desk: ShopClient,
    shipped_at_cost: dict[str, Any],
) -> None:
    refund(desk, shipped_at_cost, shipping_minor=300)
    now = refund(desk, shipped_at_cost, items=[piece(shipped_at_cost, 0, 3)]).json["order"]
    assert (now["status"], now["refunded_minor"]) == ("cancelled", shipped_at_cost["total_minor"])


def test_shipping_is_kept_while_something_is_left_to_send_or_was_sent(
    desk: ShopClient,
    shipped_at_cost: dict[str, Any],
    ada: User,
) -> None:
    order = shipped_at_cost
    refund(desk, order, items=[piece(order, 0, 1)])
    factories.delivered(order["number"], by=ada)
    now = refund(desk, order, items=[piece(order, 0, 2)]).json["order"]
    assert (now["status"], now["refunded_minor"]) == ("completed", 5400)


def test_an_order_whose_gift_card_was_sent_is_completed_without_shipping(
    desk: ShopClient,
    client: ShopClient,
    alice: User,
    mug: Thing,
) -> None:
    card = factories.product("Gift card", price_minor=1000, gift_card=True)
    client.as_(alice).add(mug.variant)
    client.add(card.variant)
    order = client.order(payment_method="bank_transfer").json
    factories.paid(order["number"])
    now = refund(desk, order, items=[piece(order, 0, 1)]).json["order"]
    assert (now["status"], now["payment_status"]) == ("completed", "partly_refunded")
    assert now["refunded_minor"] == 1800 + order["shipping_minor"]


def test_an_order_that_cost_nothing_can_be_canceled(
    desk: ShopClient,
    client: ShopClient,
    alice: User,
    mug: Thing,
) -> None:
    free = [{"code": "pick", "name": "Pickup", "price_minor": 0, "free_from_minor": None}]
    with db.reading() as tx:
        methods = orjson.dumps([one | {"days": "", "pickup": True} for one in free]).decode()
        q.settings.put(tx, name="shipping_methods", value=methods)
    whole = {"code": "ALL", "name": "All", "kind": "percent", "value": 10_000}
    desk.post(f"{ADMIN}/coupons", json=whole)
    client.as_(alice).add(mug.variant)
    order = client.order(coupon="ALL", shipping_method="pick").json
    assert (order["due_minor"], order["payment_status"]) == (0, "paid")
    answer = client.post(f"/api/v1/orders/{order['number']}/cancellation")
    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert factories.stock_of(mug.variant) == 5


# ---------------------------------------------------------------- at the gateway


@pytest.fixture
def promised(desk: ShopClient, order: dict[str, Any]) -> int:
    """A refund that a gateway has to carry out."""
    with db.reading() as tx:
        tx.execute("UPDATE payments SET method = 'stripe'").close()
    answer = refund(desk, order, items=[piece(order, 0, 1)]).json
    assert answer["order"]["refunds"][0]["status"] == "pending"
    return int(answer["order"]["refunds"][0]["id"])


def test_a_promised_refund_is_carried_out_once_under_its_own_key(promised: int) -> None:
    asked: list[tuple[int, str]] = []

    def gateway(_: int, amount: int, key: str) -> str:
        asked.append((amount, key))
        return "re_1"

    assert refunds.any_due()
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: refunds.carry_out_due(gateway), range(8))) == 1
    assert asked == [(1800, f"refund-{promised}")]
    assert rows("SELECT status, gateway_id FROM refunds") == [("done", "re_1")]
    assert not refunds.any_due()


def test_what_the_gateway_cannot_do_now_is_tried_again_later(promised: int) -> None:
    def away(*_: Any) -> str:
        raise OSError("no answer")

    assert refunds.carry_out_due(away) == 0
    assert rows("SELECT status, attempts, due_at > UTC_TIMESTAMP(6) + INTERVAL 30 SECOND FROM refunds") == [("pending", 1, 1)]
    with db.reading() as tx:
        tx.execute("UPDATE refunds SET due_at = UTC_TIMESTAMP(6)").close()
    assert refunds.carry_out_due(lambda *_: "re_2") == 1


def test_what_the_gateway_refuses_is_shown_and_can_be_tried_again(desk: ShopClient, order: dict[str, Any], promised: int) -> None:
    def refusing(*_: Any) -> str:
        raise Conflict("The card is gone.")

    assert refunds.carry_out_due(refusing) == 0
    assert desk.get(f"{ADMIN}/orders/{order['number']}").json["order"]["refunds"][0]["status"] == "failed"
    assert desk.post(f"{ADMIN}/refunds/{promised}/retry").json["order"]["refunds"][0]["status"] == "pending"
    assert desk.post(f"{ADMIN}/refunds/{promised}/retry").status_code == 409
    assert desk.post(f"{ADMIN}/refunds/{promised + 1}/retry").status_code == 404
    assert refunds.carry_out_due(lambda *_: "re_3") == 1
