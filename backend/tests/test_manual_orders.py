from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import ADDRESS, Thing, User
from werkzeug.test import TestResponse

from app.services import manual_orders, promotions
from app.services.checkout import Address, Request

ORDERS = "/api/v1/admin/orders"


@pytest.fixture
def desk(new_client: Callable[[], ShopClient]) -> ShopClient:
    return new_client().as_(factories.user("sam", role="staff"))


def body(*things: Thing, quantity: int = 1, **more: Any) -> dict[str, Any]:
    items = [{"variant_id": thing.variant, "quantity": quantity} for thing in things]
    return factories.order_body(items=items, **{"email": "caller@example.com"} | more)


def place(desk: ShopClient, *things: Thing, key: str = "", **more: Any) -> TestResponse:
    return desk.post(ORDERS, json=body(*things, **more), headers={"Idempotency-Key": key or uuid.uuid4().hex})


def test_staff_order_for_a_caller_as_the_shop_itself_would(desk: ShopClient, mug: Thing) -> None:
    wish = {"items": body(mug, quantity=2)["items"], "address": {"country": "BE"}, "shipping_method": "express"}
    quote = desk.post(f"{ORDERS}/quote", json=wish).json
    assert (quote["subtotal_minor"], quote["shipping_minor"], quote["due_minor"], quote["requirements"]) == (3600, 990, 4590, [])

    answer = place(desk, mug, quantity=2, shipping_method="express", note="By phone", expected_due_minor=4590)
    order = answer.json
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{ORDERS}/{order['number']}")
    assert [order[name] for name in ("status", "email", "note", "due_minor", "explanation")] == [
        "placed", "caller@example.com", "By phone", 4590, quote["explanation"],
    ]  # fmt: skip
    assert factories.stock_of(mug.variant) == 3
    assert factories.value("SELECT COUNT(*) FROM mails WHERE template = 'order_placed' AND recipient = 'caller@example.com'") == 1
    told = desk.get(answer.headers["Location"]).json
    assert [(event["kind"], event["actor"]) for event in told["events"]] == [("placed", "sam")]
    assert factories.value("SELECT username FROM stock_movements m JOIN users u ON u.id = m.actor_id WHERE m.reason = 'order'") == "sam"
    assert factories.value("SELECT detail FROM events WHERE kind = 'order_changed'") == '{"action":"placed"}'


def test_the_order_is_its_customers_by_account_or_by_address_and_never_of_who_typed_it(
    desk: ShopClient, client: ShopClient, alice: User, bob: User, mug: Thing
) -> None:
    by_address = place(desk, mug, email="Alice@Example.COM").json
    by_account = place(desk, mug, email=None, user_id=alice.id).json
    guests = place(desk, mug).json
    assert [item["number"] for item in client.as_(alice).get("/api/v1/orders").json["items"]] == [by_account["number"], by_address["number"]]
    assert by_account["email"] == alice.email
    assert client.as_(bob).get(f"/api/v1/orders/{by_account['number']}").status_code == 404
    assert client.get(f"/api/v1/orders/{guests['number']}?token={guests['token']}").status_code == 200
    assert desk.get("/api/v1/orders").json["total"] == 0
    assert place(desk, mug, user_id=2**40).json["errors"] == {"user_id": ["There is no such account."]}


def test_the_same_key_gives_the_same_order_and_another_body_is_refused(desk: ShopClient, ada: User, mug: Thing) -> None:
    request = Request(Address(**ADDRESS), "standard", "cash_on_delivery", email="caller@example.com", items=({"variant_id": mug.variant, "quantity": 1},))
    with ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(lambda _: manual_orders.place("one", request, staff=factories.actor(ada)), range(8)))
    assert len({order["number"] for order, _ in placed}) == 1
    assert sorted(repeated for _, repeated in placed) == [False, *[True] * 7]

    first, again = place(desk, mug, key="one"), place(desk, mug, key="one")
    assert first.json == again.json != placed[0][0]
    assert again.headers["Idempotent-Replayed"] == "true"
    other = place(desk, mug, key="one", quantity=2)
    assert (other.status_code, list(other.json["errors"])) == (422, ["Idempotency-Key"])
    # A member of staff who shops has a cart of their own, which an order for somebody else leaves alone.
    desk.add(mug.variant)
    assert place(desk, mug).status_code == 201
    assert desk.get("/api/v1/cart").json["count"] == 1
    assert factories.stock_of(mug.variant) == 2


def test_what_the_shop_would_refuse_is_refused_here_and_takes_nothing(desk: ShopClient, mug: Thing, ada: User) -> None:
    bowl = factories.product("Bowl", stock=1)
    short = place(desk, mug, bowl, quantity=2)
    assert (short.status_code, short.json["code"]) == (409, "out_of_stock")
    assert [(line["title"], line["wanted"], line["stock"]) for line in short.json["lines"]] == [("Bowl", 2, 1)]
    assert place(desk, mug, expected_due_minor=1).json["code"] == "quote_changed"
    once = {"code": "ONCE", "name": "Once", "kind": "percent", "value": 1000, "minimum_minor": 0, "category_id": None, "product_id": None}
    promotions.add(once | {"most_uses": 5, "most_by_customer": 1, "starts_at": None, "ends_at": None, "active": True}, actor=factories.actor(ada))
    assert place(desk, mug, coupon="once").json["discount_minor"] == 180
    wrong = {
        "coupon": place(desk, mug, coupon="ONCE", email="CALLER@example.com"),
        "email": place(desk, mug, email=None),
        "address.country": place(desk, mug, address=ADDRESS | {"country": "US"}),
        "items": place(desk, mug, mug),
        "items.0.variant_id": place(desk, Thing(0, "", "", [2**40])),
        "items.0.quantity": place(desk, mug, quantity=100),
        "payment_method": place(desk, mug, payment_method="stripe"),
        "total_minor": place(desk, mug, total_minor=1),
    }
    assert {field: (answer.status_code, field in answer.json["errors"]) for field, answer in wrong.items()} == dict.fromkeys(wrong, (422, True))
    quote = desk.post(f"{ORDERS}/quote", json={"items": body(bowl, quantity=2)["items"], "email": "caller@example.com", "coupon": "ONCE"}).json
    assert [one["code"] for one in quote["requirements"]] == ["out_of_stock", "coupon"]
    assert (factories.stock_of(mug.variant), factories.stock_of(bowl.variant), factories.value("SELECT COUNT(*) FROM orders")) == (4, 1, 1)


def test_customers_and_strangers_may_not(client: ShopClient, alice: User, mug: Thing) -> None:
    assert place(client, mug).status_code == 401
    client.as_(alice)
    assert [place(client, mug).status_code, client.post(f"{ORDERS}/quote", json={"items": body(mug)["items"]}).status_code] == [403, 403]
    assert [client.get(f"{ORDERS}/customers?q=a").status_code, client.get(f"{ORDERS}/goods?q=a").status_code] == [403, 403]


def test_customers_are_found_with_their_addresses_and_goods_by_sku_or_words(
    desk: ShopClient, client: ShopClient, alice: User, bob: User, mug: Thing, statements: Callable[[], int], between_looks: None
) -> None:
    client.as_(alice).patch("/api/v1/me", json={"first_name": "Alice", "last_name": "Liddell"})
    for label in ("Home", "Work"):
        client.post("/api/v1/me/addresses", json=ADDRESS | {"label": label})

    def customers(text: str) -> list[str]:
        return [one["username"] for one in desk.get(f"{ORDERS}/customers", query_string={"q": text}).json["items"]]

    assert customers("lidd") == customers("alice li") == customers("ALICE@ex") == ["alice"]
    assert customers("") == customers("%") == customers("nobody") == []
    found = desk.get(f"{ORDERS}/customers?q=alice").json["items"][0]
    assert [(one["label"], one["is_default"]) for one in found["addresses"]] == [("Home", True), ("Work", False)]

    kinds: list[dict[str, Any]] = [{"options": ("Small", "", ""), "sku": "TR-S"}, {"options": ("Large", "", ""), "sku": "TR-L", "price_minor": 2500}]
    factories.product("Oak tray", variants=kinds, option_names=("Size", "", ""))
    desk.get("/api/v1/categories")
    before = statements()
    goods = desk.get(f"{ORDERS}/goods?q=oak%20tray").json["items"]
    assert [(one["title"], one["options"], one["sku"], one["price_minor"]) for one in goods] == [
        ("Oak tray", {"Size": "Small"}, "TR-S", 1000),
        ("Oak tray", {"Size": "Large"}, "TR-L", 2500),
    ]
    assert statements() - before <= 10
    assert [one["sku"] for one in desk.get(f"{ORDERS}/goods?q=TR-L").json["items"]][0] == "TR-L"
    assert desk.get(f"{ORDERS}/goods?q=%E2%82%AC").json["items"] == desk.get(f"{ORDERS}/goods").json["items"] == []
