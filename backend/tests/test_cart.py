from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User
from test_accounts import change, who

from app import db
from app.services import cart
from app.services.cart import Buyer


def archive(product_id: int) -> None:
    with db.reading() as tx:
        tx.execute("UPDATE products SET archived_at = UTC_TIMESTAMP(6) WHERE id = %s", (product_id,)).close()


def test_a_new_visitor_has_an_empty_cart_and_gets_no_cookie(client: ShopClient) -> None:
    answer = client.get("/api/v1/cart")

    assert answer.json == {"version": 0, "items": [], "count": 0, "subtotal_minor": 0, "currency": "EUR", "notices": []}
    assert "Set-Cookie" not in answer.headers


def test_a_guest_fills_a_cart_and_finds_it_again(client: ShopClient, mug: Thing) -> None:
    added = client.add(mug.variant, 2)
    assert added.status_code == 201
    assert "HttpOnly" in added.headers["Set-Cookie"] and "SameSite=Lax" in added.headers["Set-Cookie"]

    item = client.get("/api/v1/cart").json["items"][0]
    assert (item["title"], item["quantity"], item["price_minor"], item["line_minor"]) == ("Stoneware mug", 2, 1800, 3600)


def test_adding_the_same_thing_twice_makes_one_line(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    answer = client.add(mug.variant, 2)

    assert [(item["variant_id"], item["quantity"]) for item in answer.json["items"]] == [(mug.variant, 3)]
    assert (answer.json["count"], answer.json["subtotal_minor"]) == (3, 5400)


def test_a_product_with_one_variant_can_be_added_by_its_own_id(client: ShopClient, mug: Thing) -> None:
    answer = client.post("/api/v1/cart/items", json={"product_id": mug.id})
    assert answer.json["items"][0]["variant_id"] == mug.variant


def test_a_product_with_several_variants_asks_which(client: ShopClient) -> None:
    shirt = factories.product("Shirt", option_names=("Size", "", ""), variants=[{"options": ("S", "", "")}, {"options": ("M", "", "")}])
    answer = client.post("/api/v1/cart/items", json={"product_id": shirt.id})

    assert (answer.status_code, answer.json["errors"]) == (422, {"variant_id": ["Choose one of the product's variants."]})
    assert client.add(shirt.variants[1]).json["items"][0]["options"] == {"Size": "M"}


@pytest.mark.parametrize("body", [{}, {"variant_id": 1, "product_id": 1}])
def test_exactly_one_of_variant_and_product_is_named(client: ShopClient, body: dict[str, int]) -> None:
    answer = client.post("/api/v1/cart/items", json=body)
    assert (answer.status_code, answer.json["errors"]) == (422, {"body": ["Give either variant_id or product_id."]})


def test_more_than_there_is_is_refused_and_changes_nothing(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant, 4)
    answer = client.add(mug.variant, 2)

    assert (answer.status_code, answer.json["code"], answer.json["detail"]) == (409, "out_of_stock", "Stoneware mug: only 5 left.")
    assert answer.json["lines"][0] | {"title": ""} == {"variant_id": mug.variant, "title": "", "wanted": 6, "stock": 5}
    assert client.get("/api/v1/cart").json["count"] == 4


def test_what_is_sold_out_says_so(client: ShopClient) -> None:
    gone = factories.product("Lamp", stock=0)
    assert client.add(gone.variant).json["detail"] == "Lamp is sold out."


def test_untracked_things_are_never_short(client: ShopClient) -> None:
    voucher = factories.product("Engraving", variants=[{"tracked": False, "stock": 0}])
    assert client.add(voucher.variant, 99).json["count"] == 99


def test_an_unknown_or_archived_thing_cannot_be_added(client: ShopClient, mug: Thing) -> None:
    assert client.add(mug.variant + 1000).status_code == 404
    archive(mug.id)
    assert client.add(mug.variant).status_code == 404


def test_a_line_is_changed_and_removed(client: ShopClient, mug: Thing) -> None:
    line = client.add(mug.variant).json["items"][0]["id"]

    assert client.patch(f"/api/v1/cart/items/{line}", json={"quantity": 4}).json["count"] == 4
    assert client.patch(f"/api/v1/cart/items/{line}", json={"quantity": 6}).status_code == 409
    assert client.patch(f"/api/v1/cart/items/{line}", json={"quantity": 0}).json["items"] == []
    assert client.delete(f"/api/v1/cart/items/{line}").status_code == 404


def test_every_change_raises_the_version(client: ShopClient, mug: Thing) -> None:
    first = client.add(mug.variant).json
    second = client.patch(f"/api/v1/cart/items/{first['items'][0]['id']}", json={"quantity": 2}).json
    third = client.delete("/api/v1/cart").json
    assert first["version"] < second["version"] < third["version"]


@pytest.mark.parametrize("quantity", [-1, 100, "2", 1.5, True, None, 10**30])
def test_a_quantity_is_a_whole_number_in_bounds(client: ShopClient, mug: Thing, quantity: object) -> None:
    answer = client.post("/api/v1/cart/items", json={"variant_id": mug.variant, "quantity": quantity})
    assert answer.status_code in (400, 422)
    assert client.get("/api/v1/cart").json["items"] == []


def test_the_price_is_never_the_clients(client: ShopClient, mug: Thing) -> None:
    answer = client.post("/api/v1/cart/items", json={"variant_id": mug.variant, "quantity": 1, "price_minor": 1})
    assert (answer.status_code, answer.json["errors"]) == (422, {"price_minor": ["There is no such field."]})


def test_another_visitors_line_is_not_there(client: ShopClient, new_client: Callable[[], ShopClient], mug: Thing) -> None:
    line = client.add(mug.variant).json["items"][0]["id"]
    stranger = new_client()
    stranger.add(mug.variant)

    assert stranger.patch(f"/api/v1/cart/items/{line}", json={"quantity": 1}).status_code == 404
    assert stranger.delete(f"/api/v1/cart/items/{line}").status_code == 404
    assert client.get("/api/v1/cart").json["count"] == 1


def test_a_changed_price_is_told_until_the_line_is_touched(client: ShopClient, mug: Thing) -> None:
    line = client.add(mug.variant).json["items"][0]["id"]
    factories.set_price(mug.variant, 2100)

    item = client.get("/api/v1/cart").json["items"][0]
    assert (item["price_minor"], item["previous_price_minor"]) == (2100, 1800)
    assert item["notices"] == ["The price changed from EUR 18.00 to EUR 21.00."]

    seen = client.patch(f"/api/v1/cart/items/{line}", json={"quantity": 1}).json["items"][0]
    assert (seen["previous_price_minor"], seen["notices"]) == (None, [])


def test_a_fallen_stock_and_an_archived_product_are_told(client: ShopClient, mug: Thing) -> None:
    from app.services import stock

    client.add(mug.variant, 5)
    stock.adjust(mug.variant, -3)
    assert client.get("/api/v1/cart").json["items"][0]["notices"] == ["Only 2 left. Please take fewer."]
    archive(mug.id)
    after = client.get("/api/v1/cart").json
    assert (after["items"][0]["available"], after["subtotal_minor"]) == (False, 0)


def test_a_cart_holds_at_most_a_hundred_lines(client: ShopClient) -> None:
    many = factories.product("Beads", option_names=("No", "", ""), variants=[{"options": (str(i), "", "")} for i in range(cart.MOST_LINES + 1)])
    for variant in many.variants[:-1]:
        assert client.add(variant).status_code == 201
    answer = client.add(many.variants[-1])
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")


def test_the_carts_merge_by_sum_capped_by_stock(alice: User, mug: Thing) -> None:
    tray = factories.product("Tray", stock=9)
    cart.add(Buyer(alice.id), variant_id=mug.variant, product_id=None, quantity=3)
    guest = Buyer(guest_token="a guest's secret")
    cart.add(guest, variant_id=mug.variant, product_id=None, quantity=4)
    cart.add(guest, variant_id=tray.variant, product_id=None, quantity=2)

    notices = cart.merge_guest("a guest's secret", alice.id)

    merged = cart.get(Buyer(alice.id))
    assert {item["variant_id"]: item["quantity"] for item in merged["items"]} == {mug.variant: 5, tray.variant: 2}
    assert "Stoneware mug: only 5 of 7 fit into your cart." in notices
    assert cart.get(guest)["items"] == []


def test_a_merge_into_an_empty_cart_says_nothing(alice: User, mug: Thing) -> None:
    cart.add(Buyer(guest_token="a guest's secret"), variant_id=mug.variant, product_id=None, quantity=2)
    assert cart.merge_guest("a guest's secret", alice.id) == []
    assert cart.get(Buyer(alice.id))["count"] == 2


def test_two_first_clicks_at_once_make_one_cart(alice: User, mug: Thing) -> None:
    tray = factories.product("Tray", stock=9)

    def click(variant: int) -> None:
        cart.add(Buyer(alice.id), variant_id=variant, product_id=None, quantity=1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(click, [mug.variant, tray.variant] * 4))

    assert {item["variant_id"]: item["quantity"] for item in cart.get(Buyer(alice.id))["items"]} == {mug.variant: 4, tray.variant: 4}


def test_a_cart_costs_a_fixed_number_of_statements(client: ShopClient, statements: Callable[[], int]) -> None:
    def cost(act: Callable[[], Any]) -> int:
        before = statements()
        act()
        return statements() - before

    first, *others, last = (factories.product().variant for _ in range(9))
    client.add(first)
    looked, put = cost(lambda: client.get("/api/v1/cart")), cost(lambda: client.add(others[0]))
    for variant in others:
        client.add(variant)
    assert (cost(lambda: client.get("/api/v1/cart")), cost(lambda: client.add(last))) == (looked, put)
    assert looked <= 2
    assert put <= 10


def test_a_thing_put_into_the_cart_of_an_account_that_goes_just_then_is_no_fault(
    client: ShopClient, alice: User, mug: Thing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account is erased between the look at who is signed in and the first line of their cart."""
    client.as_(alice)
    taken = cart._take_cart

    def late(tx: Any, buyer: Any) -> int:
        change("DELETE FROM users WHERE id = %s", alice.id)
        return taken(tx, buyer)

    monkeypatch.setattr(cart, "_take_cart", late)
    assert client.post("/api/v1/cart/items", json={"variant_id": mug.variant}).status_code == 401
    assert who(client) is None
