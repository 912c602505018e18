from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import ADDRESS, Thing, User

from app import db, errors
from app.services import cancellations, cart, checkout, settings
from app.services.cart import Buyer
from app.services.checkout import Address, Request

REQUEST = Request(address=Address(**ADDRESS), shipping_method="standard", payment_method="cash_on_delivery", email="guest@example.com")


def value(sql: str, *params: Any) -> Any:
    with db.reading() as tx:
        return tx.execute(sql, params).fetchone()[0]


# ---------------------------------------------------------------- the quote


def test_a_quote_explains_every_amount(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant, 2)
    quote = client.post("/api/v1/checkout/quote", json={"shipping_method": "express", "address": {"country": "BE"}}).json

    assert (quote["subtotal_minor"], quote["shipping_minor"], quote["tax_minor"], quote["total_minor"], quote["due_minor"]) == (3600, 990, 765, 4590, 4590)
    assert [(step["step"], step["amount_minor"]) for step in quote["explanation"]] == [
        ("goods", 3600),
        ("shipping", 990),
        ("total", 4590),
        ("tax_included", 765),
    ]
    assert quote["requirements"] == []
    assert [method["code"] for method in quote["shipping_methods"]] == ["standard", "express"]


def test_delivery_is_free_above_the_shops_threshold(client: ShopClient) -> None:
    client.add(factories.product(price_minor=6000).variant)
    quote = client.post("/api/v1/checkout/quote", json={}).json
    assert (quote["shipping_method"], quote["shipping_minor"]) == ("standard", 0)


def test_tax_is_added_when_prices_do_not_include_it(client: ShopClient, mug: Thing) -> None:
    db.transaction(lambda tx: settings.put(tx, "prices_include_tax", False))
    client.add(mug.variant)
    quote = client.post("/api/v1/checkout/quote", json={}).json
    assert (quote["subtotal_minor"], quote["shipping_minor"], quote["tax_minor"], quote["total_minor"]) == (1800, 490, 458, 2748)
    assert client.order(email="guest@example.com").json["total_minor"] == 2748


def test_a_quote_names_what_is_missing(client: ShopClient, mug: Thing) -> None:
    assert [one["code"] for one in client.post("/api/v1/checkout/quote", json={}).json["requirements"]] == ["cart_empty"]
    client.add(mug.variant, 5)
    from app.services import stock

    stock.adjust(mug.variant, -4)
    quote = client.post("/api/v1/checkout/quote", json={"address": {"country": "ZZ"}, "shipping_method": "pigeon"}).json
    assert [one["code"] for one in quote["requirements"]] == ["out_of_stock", "country", "shipping_method"]


# ---------------------------------------------------------------- placing an order


def test_a_guest_orders(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant, 2)
    answer = client.order(email="guest@example.com", note="Ring twice")

    order = answer.json
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/orders/{order['number']}"
    assert (order["status"], order["payment_status"], order["fulfilment_status"]) == ("placed", "unpaid", "unfulfilled")
    assert [(item["title"], item["quantity"], item["line_minor"]) for item in order["items"]] == [("Stoneware mug", 2, 3600)]
    assert (order["address"]["city"], order["email"], order["note"], order["total_minor"]) == ("Gent", "guest@example.com", "Ring twice", 4090)
    assert [event["kind"] for event in order["events"]] == ["placed"]
    assert factories.stock_of(mug.variant) == 3
    assert client.get("/api/v1/cart").json["items"] == []


def test_a_user_orders_without_naming_the_address_of_mail_again(client: ShopClient, alice: User, mug: Thing) -> None:
    client.as_(alice).add(mug.variant)
    order = client.order().json
    assert order["email"] == alice.email
    assert "token" not in order


def test_the_order_is_told_by_mail_in_the_same_transaction(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    number = client.order(email="guest@example.com").json["number"]
    row = value("SELECT CONCAT(m.recipient, ' ', m.template) FROM mails m JOIN orders o ON o.id = m.order_id WHERE o.number = %s", number)
    assert row == "guest@example.com order_placed"


def test_a_bank_transfer_waits_for_its_money_until_a_day(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    order = client.order(email="guest@example.com", payment_method="bank_transfer").json
    assert order["status"] == "pending"
    assert order["number"] in order["payment"]["instructions"]
    assert value("SELECT DATEDIFF(pay_by, placed_at) FROM orders") == 7


def test_later_changes_of_a_product_do_not_reach_the_order(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    order = client.order(email="guest@example.com").json
    factories.set_price(mug.variant, 9900)
    with db.reading() as tx:
        tx.execute("UPDATE products SET title = 'Something else' WHERE id = %s", (mug.id,)).close()

    again = client.get(f"/api/v1/orders/{order['number']}?token={order['token']}").json
    assert (again["items"][0]["title"], again["items"][0]["price_minor"]) == ("Stoneware mug", 1800)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": None}, "email"),
        ({"address": ADDRESS | {"country": "US"}}, "address.country"),
        ({"address": ADDRESS | {"country": "Belgium"}}, "address.country"),
        ({"address": ADDRESS | {"name": "  "}}, "address.name"),
        ({"address": ADDRESS | {"name": "Al\r\nBcc: x@example.com"}}, "address.name"),
        ({"address": {}}, "address.country"),
        ({"address": ADDRESS | {"line1": " "}}, "address.line1"),
        ({"shipping_method": "pigeon"}, "shipping_method"),
        ({"payment_method": "gold"}, "payment_method"),
        ({"payment_method": "stripe"}, "payment_method"),
        ({"total_minor": 1}, "total_minor"),
        ({"user_id": 1}, "user_id"),
        ({"status": "completed"}, "status"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_ordered(client: ShopClient, mug: Thing, change: dict[str, Any], field: str) -> None:
    client.add(mug.variant)
    answer = client.order(**{"email": "guest@example.com"} | change)
    assert answer.status_code == 422
    assert field in answer.json["errors"]
    assert client.get("/api/v1/cart").json["count"] == 1
    assert value("SELECT COUNT(*) FROM orders") == 0


def test_an_empty_cart_cannot_be_ordered(client: ShopClient) -> None:
    answer = client.order(email="guest@example.com")
    assert (answer.status_code, answer.json["code"]) == (409, "cart_empty")


def test_an_order_needs_a_key(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    for headers in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "k" * 256}):
        answer = client.post("/api/v1/orders", json=factories.order_body(email="guest@example.com"), headers=headers)
        assert (answer.status_code, answer.json["code"]) == (400, "idempotency_key_needed")


def test_a_changed_price_is_not_charged_unseen(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    quote = client.post("/api/v1/checkout/quote", json={}).json
    factories.set_price(mug.variant, 1900)

    answer = client.order(email="guest@example.com", expected_due_minor=quote["due_minor"])
    assert (answer.status_code, answer.json["code"]) == (409, "quote_changed")
    assert answer.json["quote"]["due_minor"] == quote["due_minor"] + 100
    assert client.order(email="guest@example.com", expected_due_minor=answer.json["quote"]["due_minor"]).status_code == 201


def test_a_cart_changed_in_another_tab_is_not_ordered_unseen(client: ShopClient, mug: Thing) -> None:
    seen = client.add(mug.variant).json["version"]
    client.add(mug.variant)
    answer = client.order(email="guest@example.com", cart_version=seen)
    assert (answer.status_code, answer.json["code"]) == (409, "quote_changed")


def test_a_short_line_is_named_and_the_cart_kept(client: ShopClient, mug: Thing) -> None:
    from app.services import stock

    client.add(mug.variant, 3)
    stock.adjust(mug.variant, -4)
    answer = client.order(email="guest@example.com")
    assert (answer.status_code, answer.json["code"]) == (409, "out_of_stock")
    assert [(line["title"], line["wanted"], line["stock"]) for line in answer.json["lines"]] == [("Stoneware mug", 3, 1)]
    assert client.get("/api/v1/cart").json["count"] == 3


def test_an_untracked_thing_is_ordered_without_a_movement(client: ShopClient) -> None:
    engraving = factories.product("Engraving", variants=[{"tracked": False, "stock": 0}])
    client.add(engraving.variant, 2)
    assert client.order(email="guest@example.com").status_code == 201
    assert (factories.stock_of(engraving.variant), value("SELECT COUNT(*) FROM stock_movements")) == (0, 0)


# ---------------------------------------------------------------- the same request again


def test_the_same_key_gives_the_same_order(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    first = client.order("key-1", email="guest@example.com")
    again = client.order("key-1", email="guest@example.com")

    assert again.json == first.json
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert factories.stock_of(mug.variant) == 4


def test_the_same_key_with_a_refilled_cart_still_gives_the_first_order(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    first = client.order("key-1", email="guest@example.com").json
    client.add(mug.variant)
    assert client.order("key-1", email="guest@example.com").json == first
    assert client.get("/api/v1/cart").json["count"] == 1


def test_the_same_key_with_another_body_is_refused(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    client.order("key-1", email="guest@example.com")
    client.add(mug.variant)
    answer = client.order("key-1", email="other@example.com")
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["Idempotency-Key"])


def test_another_buyers_key_is_another_key(client: ShopClient, new_client: Callable[[], ShopClient], mug: Thing) -> None:
    client.add(mug.variant)
    first = client.order("key-1", email="guest@example.com").json
    stranger = new_client()
    assert stranger.order("key-1", email="guest@example.com").json["code"] == "cart_empty"
    stranger.add(mug.variant)
    assert stranger.order("key-1", email="guest@example.com").json["number"] != first["number"]


def test_another_accounts_key_is_another_key_though_the_request_is_the_same(new_client: Callable[[], ShopClient], alice: User, bob: User, mug: Thing) -> None:
    browsers = [new_client().as_(one) for one in (alice, bob)]
    for browser in browsers:
        browser.add(mug.variant)
    first, second = (browser.order("key-1") for browser in browsers)

    assert (first.status_code, second.status_code, "Idempotent-Replayed" in second.headers) == (201, 201, False)
    assert not any(hers in second.text for hers in (first.json["number"], alice.email))
    assert browsers[1].order("key-1").json == second.json
    assert value("SELECT COUNT(*) FROM orders") == 2


def test_a_guests_key_goes_with_the_guest_who_signs_in(alice: User, mug: Thing) -> None:
    guest = Buyer(guest_token="a guest's secret")
    cart.add(guest, variant_id=mug.variant, product_id=None, quantity=1)
    first, _ = checkout.place(guest, "key-1", REQUEST)
    cart.merge_guest("a guest's secret", alice.id)

    assert checkout.place(Buyer(alice.id), "key-1", REQUEST) == (first, True)


def test_a_refused_attempt_leaves_the_key_free(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    assert client.order("key-1", email="guest@example.com", expected_due_minor=1).status_code == 409
    assert client.order("key-1", email="guest@example.com").status_code == 201


def test_twenty_requests_with_one_key_at_once_make_one_order(alice: User, mug: Thing) -> None:
    buyer = Buyer(alice.id)
    cart.add(buyer, variant_id=mug.variant, product_id=None, quantity=2)
    with ThreadPoolExecutor(20) as pool:
        placed = list(pool.map(lambda _: checkout.place(buyer, "one-key", REQUEST), range(20)))

    assert len({order["number"] for order, _ in placed}) == 1
    assert Counter(repeated for _, repeated in placed) == {False: 1, True: 19}
    assert factories.stock_of(mug.variant) == 3


def test_two_tabs_with_two_keys_and_one_cart_make_one_order(alice: User, mug: Thing) -> None:
    buyer = Buyer(alice.id)
    cart.add(buyer, variant_id=mug.variant, product_id=None, quantity=1)
    outcomes = race([lambda key=key: checkout.place(buyer, key, REQUEST) for key in ("tab-1", "tab-2")])

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "tuple"]
    assert value("SELECT COUNT(*) FROM orders") == 1


# ---------------------------------------------------------------- many buyers


def race(acts: list[Callable[[], Any]]) -> list[Any]:
    """Do all at the same moment, each in its own thread; gives results and refusals in order."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return act()
        except errors.ShopError as refusal:
            return refusal

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.mark.parametrize(("who", "way", "coupon"), [("guest", "cash_on_delivery", ""), ("alice", "bank_transfer", "TENOFF"), ("alice", "test", "")])
def test_what_is_answered_is_what_stands_there(new_client: Callable[[], ShopClient], alice: User, mug: Thing, who: str, way: str, coupon: str) -> None:
    client = new_client() if who == "guest" else new_client().as_(alice)
    many = factories.product("Oak tray", option_names=("Size", "", ""), variants=[{"options": ("Large", "", ""), "sku": "TR-L"}])
    factories.write("INSERT INTO promotions (code, name, kind, value, created_at) VALUES ('TENOFF', 'Ten off', 'percent', 1000, UTC_TIMESTAMP(6))")
    client.add(mug.variant, 2)
    client.add(many.variant)
    more = {"email": "guest@example.com"} if who == "guest" else {}
    answer = client.order(key="k", payment_method=way, coupon=coupon, note="Ring twice.", **more).json
    token = {"token": answer["token"]} if who == "guest" else {}
    assert new_client().get(f"/api/v1/orders/{answer['number']}").status_code == 404
    assert client.get(f"/api/v1/orders/{answer['number']}", query_string=token).json == answer
    assert client.order(key="k", payment_method=way, coupon=coupon, note="Ring twice.", **more).json == answer


def test_an_order_costs_a_fixed_number_of_statements(client: ShopClient, alice: User, statements: Callable[[], int]) -> None:
    client.as_(alice)

    def cost(lines: int) -> int:
        for _ in range(lines):
            client.add(factories.product().variant)
        before = statements()
        assert client.order().status_code == 201
        return statements() - before

    assert cost(1) == cost(7) <= 19


def test_a_cancelled_order_gives_the_stock_back_once_however_often_it_is_asked(alice: User, mug: Thing) -> None:
    buyer = Buyer(alice.id)
    cart.add(buyer, variant_id=mug.variant, product_id=None, quantity=2)
    number = checkout.place(buyer, "key", REQUEST)[0]["number"]

    outcomes = race([lambda: cancellations.cancel(number, user_id=alice.id, token=None)] * 20)

    assert Counter(type(outcome).__name__ for outcome in outcomes) == {"dict": 1, "Conflict": 19}
    assert factories.stock_of(mug.variant) == 5
