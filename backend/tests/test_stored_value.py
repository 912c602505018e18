"""Staff cannot create stored value: each detour by which they could make money out of nothing is closed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User
from test_accounts import change, rows
from test_gift_cards import balances, card_product, codes, ledger
from test_support import DESK as TICKETS
from test_support import asked
from werkzeug.test import TestResponse

from app import db
from app.services import settings

__all__ = ["card_product"]
ORDERS = "/api/v1/admin/orders"
COUPONS = "/api/v1/admin/coupons"


def post(client: ShopClient, path: str, **body: Any) -> TestResponse:
    return client.post(path, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})


def codes_of(*responses: TestResponse) -> list[str]:
    return [response.json["code"] for response in responses]


@pytest.fixture
def staff_client(new_client: Callable[[], ShopClient]) -> ShopClient:
    """A member of staff who has just authenticated again."""
    return new_client().as_(factories.user("sam", role="staff")).step_up()


@pytest.fixture
def admin_client(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    """An admin who has not."""
    return new_client().as_(ada)


def draft_order(client: ShopClient, *things: Thing, **more: Any) -> TestResponse:
    items = [{"variant_id": thing.variant, "quantity": 1} for thing in things]
    wish = {"items": items, "email": "caller@example.com", "payment_method": "bank_transfer"}
    return post(client, ORDERS, **factories.order_body(**wish | more))


def ordered(client: ShopClient, *things: Thing, **more: Any) -> Any:
    """An order that a guest placed in the store, to be paid by bank transfer."""
    for thing in things:
        client.add(thing.variant)
    wish = {"email": "guest@example.com", "payment_method": "bank_transfer"}
    response = client.order(**wish | more)
    assert response.status_code == 201, response.json
    return response.json


def mark_as_paid(client: ShopClient, order: Any) -> TestResponse:
    return post(client, f"{ORDERS}/{order['number']}/payments", amount_minor=order["due_minor"])


def issued() -> list[tuple[Any, ...]]:
    return rows("SELECT id FROM gift_cards")


# ---------------------------------------------------------------- gift cards bought with nothing


@pytest.mark.parametrize("mixed", [False, True])
def test_staff_place_no_draft_order_with_gift_cards(staff_client: ShopClient, card_product: Thing, mug: Thing, mixed: bool) -> None:
    refused = draft_order(staff_client, card_product, *[mug] * mixed)

    assert (refused.status_code, refused.json["code"]) == (403, "permission_required")
    assert "only an admin" in refused.json["detail"]
    assert rows("SELECT id FROM orders") == []
    assert factories.stock_of(mug.variant) == 5


@pytest.mark.parametrize("mixed", [False, True])
def test_staff_mark_no_order_with_gift_cards_as_paid(client: ShopClient, staff_client: ShopClient, card_product: Thing, mug: Thing, mixed: bool) -> None:
    order = ordered(client, card_product, *[mug] * mixed)
    refused = mark_as_paid(staff_client, order)

    assert (refused.status_code, refused.json["code"]) == (403, "permission_required")
    assert issued() == []
    assert rows("SELECT payment_status FROM orders") == [("unpaid",)]


def test_staff_mark_other_orders_as_paid_as_before(client: ShopClient, staff_client: ShopClient, mug: Thing) -> None:
    change("UPDATE sessions SET stepped_up_at = NULL")
    assert mark_as_paid(staff_client, ordered(client, mug)).status_code == 201
    assert draft_order(staff_client, mug).status_code == 201


def test_an_admin_does_both_after_a_step_up_only(admin_client: ShopClient, card_product: Thing) -> None:
    refused = draft_order(admin_client, card_product)
    placed = draft_order(admin_client.step_up(), card_product)
    change("UPDATE sessions SET stepped_up_at = NULL")
    unpaid = mark_as_paid(admin_client, placed.json)
    assert codes_of(refused, unpaid) == ["step_up_needed"] * 2
    assert issued() == []

    assert mark_as_paid(admin_client.step_up(), placed.json).status_code == 201
    assert balances() == [2500]


def test_an_order_that_was_marked_as_paid_is_not_paid_twice_by_the_same_key(client: ShopClient, admin_client: ShopClient, card_product: Thing) -> None:
    order = ordered(client, card_product)
    path, body = f"{ORDERS}/{order['number']}/payments", {"amount_minor": order["due_minor"]}
    key = {"Idempotency-Key": "once"}
    assert admin_client.step_up().post(path, json=body, headers=key).status_code == 201
    change("UPDATE sessions SET stepped_up_at = NULL")

    again = admin_client.post(path, json=body, headers=key)

    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert balances() == [2500]


@pytest.mark.parametrize("kind", ["percent", "fixed"])
def test_no_discount_takes_anything_off_a_gift_card(client: ShopClient, admin_client: ShopClient, card_product: Thing, mug: Thing, kind: str) -> None:
    whole = {"code": "WHOLE", "name": "All of it", "kind": kind, "value": 10_000}
    assert admin_client.step_up().post(COUPONS, json=whole).status_code == 201
    assert admin_client.post(COUPONS, json=whole | {"code": None}).status_code == 201

    order = ordered(client, mug, card_product, coupon="WHOLE")

    assert (order["discount_minor"], order["due_minor"] >= 2500) == (1800, True)
    assert issued() == []


def test_the_discount_of_a_level_takes_nothing_off_a_gift_card(client: ShopClient, alice: User, card_product: Thing) -> None:
    levels = [{"code": "gold", "name": "Gold", "from_minor": 0, "discount_percent": 90}]
    db.transaction(settings.put, "levels", levels)
    assert ordered(client.as_(alice), card_product)["due_minor"] == 2500


def test_no_gift_card_buys_a_gift_card(client: ShopClient, admin_client: ShopClient, card_product: Thing) -> None:
    give = {"amount_minor": 5000, "email": "friend@example.com", "message": ""}
    assert post(admin_client.step_up(), "/api/v1/admin/gift-cards", **give).status_code == 201
    client.add(card_product.variant)
    refused = client.order(email="guest@example.com", gift_card=codes()[0])
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["gift_card"])


# ---------------------------------------------------------------- products changed by staff


def set_price(client: ShopClient, thing: Thing, price_minor: int) -> None:
    act = {"action": "change_price", "ids": [thing.id], "percent": price_minor}
    assert client.post("/api/v1/admin/products/actions", json=act).status_code == 202


def test_a_price_raised_after_the_order_does_not_raise_the_value(client: ShopClient, staff_client: ShopClient, card_product: Thing) -> None:
    order = ordered(client, card_product)
    set_price(staff_client, card_product, 900)
    factories.paid(order["number"])
    assert balances() == [2500]


def test_a_product_that_becomes_a_gift_card_after_the_order_is_none_in_it(client: ShopClient, staff_client: ShopClient, mug: Thing) -> None:
    order = ordered(client, mug)
    change("UPDATE products SET gift_card = TRUE WHERE id = %s", mug.id)
    assert mark_as_paid(staff_client, order).status_code == 201
    assert issued() == []


def test_a_gift_card_that_becomes_another_product_after_the_order_is_still_one_in_it(client: ShopClient, staff_client: ShopClient, card_product: Thing) -> None:
    order = ordered(client, card_product)
    change("UPDATE products SET gift_card = FALSE WHERE id = %s", card_product.id)
    assert codes_of(mark_as_paid(staff_client, order)) == ["permission_required"]


def test_more_stock_makes_no_gift_card(client: ShopClient, staff_client: ShopClient, card_product: Thing) -> None:
    change("UPDATE variants SET tracked = TRUE WHERE product_id = %s", card_product.id)
    more = {"variant_id": card_product.variant, "quantity": 5, "reason": "received"}
    assert staff_client.post("/api/v1/admin/inventory/adjustments", json=more).status_code == 200
    assert (issued(), ledger()) == ([], [])


# ---------------------------------------------------------------- money that comes back


@pytest.fixture
def paid_with_card(client: ShopClient, admin_client: ShopClient, mug: Thing) -> Any:
    """An order of 22.90 that a gift card of 10.00 paid in part, and staff have marked as paid."""
    give = {"amount_minor": 1000, "email": "friend@example.com", "message": ""}
    assert post(admin_client.step_up(), "/api/v1/admin/gift-cards", **give).status_code == 201
    order = ordered(client, mug, gift_card=codes()[0])
    factories.paid(order["number"])
    return order


def refund(client: ShopClient, order: Any, **wanted: Any) -> TestResponse:
    return post(client, f"{ORDERS}/{order['number']}/refunds", **wanted)


def test_a_refund_puts_no_more_on_a_gift_card_than_it_paid(staff_client: ShopClient, paid_with_card: Any) -> None:
    whole = {
        "items": [{"item_id": paid_with_card["items"][0]["id"], "quantity": 1}],
        "shipping_minor": paid_with_card["shipping_minor"],
    }
    statuses = [refund(staff_client, paid_with_card, **whole).status_code for _ in range(3)]

    assert (statuses, balances()) == ([201, 422, 422], [1000])


def test_a_cancellation_after_a_refund_gives_nothing_twice(staff_client: ShopClient, paid_with_card: Any) -> None:
    item = {"item_id": paid_with_card["items"][0]["id"], "quantity": 1}
    assert refund(staff_client, paid_with_card, items=[item]).status_code == 201
    for _ in range(2):
        staff_client.post(f"{ORDERS}/{paid_with_card['number']}/cancellation")

    assert sum(balances()) <= 1000


def test_a_refunded_gift_card_is_worth_nothing(client: ShopClient, staff_client: ShopClient, card_product: Thing) -> None:
    order = ordered(client, card_product)
    factories.paid(order["number"])
    item = {"item_id": order["items"][0]["id"], "quantity": 1}
    assert refund(staff_client, order, items=[item]).status_code == 201
    assert balances() == [0]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("gift-cards", {"amount_minor": 5000, "email": "sam@example.com", "message": ""}),
        ("gift-cards/1/replacement", {"email": "sam@example.com", "reason": "Lost"}),
        ("gift-cards/1/voiding", {"reason": "Lost"}),
        ("coupons", {"code": "MINE", "name": "Mine", "kind": "percent", "value": 10_000}),
        ("users", {"username": "sam2", "email": "sam2@example.com", "role": "admin"}),
    ],
)
def test_what_creates_value_or_rights_directly_is_for_admins(staff_client: ShopClient, path: str, body: dict[str, Any]) -> None:
    refused = post(staff_client, f"/api/v1/admin/{path}", **body)
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")


def test_staff_find_no_code_of_a_gift_card_in_lists_of_cards_and_emails(staff_client: ShopClient, paid_with_card: Any) -> None:
    [code] = codes()
    for path in ("gift-cards", "gift-cards/1/movements", "mails", f"orders/{paid_with_card['number']}"):
        shown = staff_client.get(f"/api/v1/admin/{path}").get_data(as_text=True)
        assert code not in shown and code.replace("-", "") not in shown, path


# ---------------------------------------------------------------- coupons as good as gift cards


def give_coupon(client: ShopClient, ticket: str, kind: str, value: int) -> TestResponse:
    return post(client, f"{TICKETS}/{ticket}/coupon", kind=kind, value=value, days=30, message="")


@pytest.fixture
def ticket(client: ShopClient, alice: User) -> str:
    return asked(client, alice)


@pytest.mark.parametrize(("kind", "value"), [("percent", 10_000), ("fixed", 100), ("fixed", 10**9)])
def test_staff_give_no_coupon_in_a_ticket_that_could_pay_for_a_whole_order(
    staff_client: ShopClient, admin_client: ShopClient, ticket: str, kind: str, value: int
) -> None:
    refused = give_coupon(staff_client, ticket, kind, value)

    assert (refused.status_code, refused.json["code"]) == (403, "permission_required")
    assert rows("SELECT id FROM promotions") == []
    assert give_coupon(admin_client.step_up(), ticket, kind, value).status_code == 201


def test_staff_give_amounts_within_the_limit_that_the_owner_set(staff_client: ShopClient, ticket: str) -> None:
    db.transaction(settings.put, "ticket_coupon_minor", 500)
    statuses = [give_coupon(staff_client, ticket, "fixed", value).status_code for value in (500, 501)]
    assert statuses == [201, 422]
    assert give_coupon(staff_client, ticket, "percent", 9_999).status_code == 201
    assert give_coupon(staff_client, ticket, "free_shipping", 0).status_code == 201


CAN_BE_FREE = [
    {"kind": "percent", "value": 10_000},
    {"kind": "fixed", "value": 500},
    {"kind": "fixed", "value": 500, "minimum_minor": 500},
    {"kind": "percent", "value": 10_000, "active": False},
    {"kind": "percent", "value": 10_000, "minimum_minor": 10**6},
]
CANNOT_BE_FREE = [
    {"kind": "percent", "value": 9_999},
    {"kind": "fixed", "value": 500, "minimum_minor": 501},
    {"kind": "free_shipping", "value": 0},
]


@pytest.mark.parametrize("fields", CAN_BE_FREE)
def test_a_promotion_that_can_make_an_order_free_requires_a_step_up(admin_client: ShopClient, fields: dict[str, Any]) -> None:
    body = {"code": "FREE", "name": "Free"} | fields
    modest = admin_client.post(COUPONS, json=body | CANNOT_BE_FREE[0]).json
    path = f"{COUPONS}/{modest['id']}"
    added = admin_client.post(COUPONS, json=body | {"code": "OTHER"})
    changed = admin_client.put(path, json=body | {"version": 1})
    assert codes_of(added, changed) == ["step_up_needed"] * 2
    assert rows("SELECT code, value FROM promotions") == [("FREE", 9_999)]

    admin_client.step_up()
    assert admin_client.post(COUPONS, json=body | {"code": "OTHER"}).status_code == 201
    assert admin_client.put(path, json=body | {"version": 1}).status_code == 200


@pytest.mark.parametrize("fields", CANNOT_BE_FREE)
def test_other_promotions_require_none(admin_client: ShopClient, fields: dict[str, Any]) -> None:
    body = {"code": "SOME", "name": "Some off"} | fields
    added = admin_client.post(COUPONS, json=body)
    assert added.status_code == 201
    changed = admin_client.put(f"{COUPONS}/{added.json['id']}", json=body | {"name": "Off", "version": 1})
    assert changed.status_code == 200
