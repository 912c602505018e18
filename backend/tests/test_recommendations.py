"""What goes with what, by the orders of the year; what somebody may like; and what is shown while nothing is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User
from flask import Flask
from test_accounts import change, rows

from app.services import recommendations

SHOWN = "/api/v1/recommendations"


def ordered(user: User | None, *things: Thing, status: str = "placed", days_ago: int = 0) -> None:
    """An order as the books have it, without the checkout; gone when the test is over, since nothing left the shelf."""
    number = rows("SELECT COUNT(*) FROM orders")[0][0]
    change(
        "INSERT INTO orders (number, user_id, email, status, payment_method, shipping_method, shipping_name, currency, tax_included,"
        " subtotal_minor, discount_minor, shipping_minor, tax_minor, total_minor, gift_card_minor, due_minor, explanation,"
        " name, line1, line2, city, region, postcode, country, phone, note, placed_at)"
        " VALUES (%s, %s, '', %s, 'x', 'x', 'x', 'EUR', TRUE, 0, 0, 0, 0, 0, 0, 0, '[]',"
        " '', '', '', '', '', '', 'BE', '', '', UTC_TIMESTAMP(6) - INTERVAL %s DAY)",
        *(f"FC-{number:08}", user.id if user else None, status, days_ago),
    )
    for position, thing in enumerate(things, 1):
        change(
            "INSERT INTO order_items (order_id, position, variant_id, product_id, title, options, sku, quantity,"
            " price_minor, line_minor, tax_rate_bp, tax_minor)"
            " SELECT MAX(id), %s, %s, %s, '', '', '', 1, 0, 0, 0, 0 FROM orders",
            *(position, thing.variant, thing.id),
        )


@pytest.fixture(autouse=True)
def _no_orders_left(shop: Flask) -> Any:
    yield
    change("DELETE FROM order_items")
    change("DELETE FROM orders")


@pytest.fixture
def things(shop: Flask) -> list[Thing]:
    return [factories.product(f"Thing {letter}") for letter in "ABCDEF"]


def related(client: ShopClient, thing: Thing) -> list[str]:
    return [one["title"] for one in client.get(f"/api/v1/products/{thing.id}/related").json["bought_together"]]


def recommended(client: ShopClient, **query: Any) -> tuple[str, list[str]]:
    told = client.get(SHOWN, query_string=query).json
    return told["basis"], [one["title"] for one in told["items"]]


# ---------------------------------------------------------------- bought together


def test_what_is_bought_together_is_near_the_more_often_the_nearer(client: ShopClient, things: list[Thing]) -> None:
    a, b, c, d = things[:4]
    for _ in range(3):
        ordered(None, a, b)
    ordered(None, a, c)
    ordered(None, d)
    assert related(client, a) == []
    recommendations.reckon()
    assert (related(client, a), related(client, b), related(client, c), related(client, d)) == (["Thing B", "Thing C"], ["Thing A"], ["Thing A"], [])
    assert client.get(f"/api/v1/products/{a.slug}/related").json == client.get(f"/api/v1/products/{a.id}/related").json


def test_what_everybody_buys_is_not_near_to_everything(client: ShopClient, things: list[Thing]) -> None:
    a, bag, b = things[:3]
    for _ in range(4):
        ordered(None, a, bag)
        ordered(None, a, b)
    for _ in range(40):
        ordered(None, bag)
    recommendations.reckon()
    assert related(client, a) == ["Thing C", "Thing B"]


@pytest.mark.parametrize(("status", "days_ago"), [("cancelled", 0), ("expired", 0), ("pending", 0), ("placed", 366)])
def test_orders_that_came_to_nothing_or_are_old_do_not_count(client: ShopClient, things: list[Thing], status: str, days_ago: int) -> None:
    ordered(None, *things[:2], status=status, days_ago=days_ago)
    assert recommendations.reckon() == (0, 0)
    assert related(client, things[0]) == []


def test_one_order_of_very_many_things_says_nothing(client: ShopClient, things: list[Thing]) -> None:
    ordered(None, *things, *(factories.product() for _ in range(recommendations.MOST_OF_A_BASKET)))
    assert recommendations.reckon()[0] == 0


def test_relations_go_when_their_orders_do_and_what_stays_is_not_written(client: ShopClient, things: list[Thing], statements: Callable[[], int]) -> None:
    a, b, c = things[:3]
    ordered(None, a, b)
    ordered(None, a, c)
    assert recommendations.reckon()[0] == 4
    before = statements()
    assert recommendations.reckon()[0] == 0
    unchanged = statements() - before
    change("UPDATE orders SET status = 'cancelled' WHERE number = 'FC-00000001'")
    assert recommendations.reckon()[0] == 4  # two that go, and two that are nearer now
    assert (related(client, a), related(client, c)) == (["Thing B"], [])
    assert unchanged < 10


def test_the_twelve_nearest_are_kept(things: list[Thing]) -> None:
    for _ in range(20):
        ordered(None, things[0], factories.product())
    recommendations.reckon()
    assert rows("SELECT COUNT(*) FROM related_products WHERE product_id = %s", things[0].id) == [(12,)]


def test_baskets_are_read_in_steps_to_the_last(client: ShopClient, things: list[Thing], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommendations, "ORDERS_AT_ONCE", 2)
    monkeypatch.setattr(recommendations, "PRODUCTS_AT_ONCE", 2)
    for other in things[1:]:
        ordered(None, things[0], other)
    recommendations.reckon()
    assert sorted(related(client, things[0])) == [f"Thing {letter}" for letter in "BCDEF"]


def test_what_is_not_sold_is_not_shown_and_what_is_out_of_stock_comes_last(client: ShopClient, things: list[Thing]) -> None:
    a, b, c, d = things[:4]
    for other in (b, b, c, d):
        ordered(None, a, other)
    recommendations.reckon()
    change("UPDATE products SET published = FALSE WHERE id = %s", c.id)
    change("UPDATE variants SET stock = 0 WHERE id = %s", b.variant)
    change("DELETE FROM stock_movements WHERE variant_id = %s", b.variant)
    assert related(client, a) == ["Thing D", "Thing B"]


# ---------------------------------------------------------------- similar


def test_what_is_like_it_has_its_category_then_tags_brand_and_price(client: ShopClient) -> None:
    tea, other = factories.category("Tea"), factories.category("Other")
    pot = factories.product("Pot", category_id=tea, price_minor=4000, brand="Hearth", tags=["stoneware", "green"])
    factories.product("Same tags", category_id=tea, price_minor=9000, tags=["stoneware", "green"])
    factories.product("Same brand", category_id=tea, price_minor=3000, brand="Hearth")
    factories.product("Same price", category_id=tea, price_minor=4000)
    factories.product("Far price", category_id=tea, price_minor=90_000)
    factories.product("Elsewhere", category_id=other, price_minor=4000, brand="Hearth", tags=["stoneware", "green"])
    told = client.get(f"/api/v1/products/{pot.id}/related").json
    assert [one["title"] for one in told["similar"]] == ["Same tags", "Same brand", "Same price", "Far price"]


def test_a_page_of_related_things_costs_the_same_in_a_full_category(client: ShopClient, statements: Callable[[], int]) -> None:
    category = factories.category("Tea")
    pot = factories.product("Pot", category_id=category, price_minor=5000)

    def cost() -> int:
        before = statements()
        client.get(f"/api/v1/products/{pot.id}/related")
        return statements() - before

    factories.product(category_id=category)
    few = cost()
    for number in range(30):
        factories.product(category_id=category, price_minor=1000 + number)
    assert cost() == few <= 6


@pytest.mark.parametrize("name", ["nothing", "999999", "99999999999999999999", "a b", "é"])
def test_a_product_that_is_not_there_has_no_relations(client: ShopClient, shop: Flask, name: str) -> None:
    assert client.get(f"/api/v1/products/{name}/related").status_code == 404


# ---------------------------------------------------------------- for somebody


def test_somebody_is_shown_what_goes_with_what_they_bought_and_wish_and_nothing_they_have(
    client: ShopClient, alice: User, bob: User, things: list[Thing]
) -> None:
    bought, wished, *others = things
    for other in (wished, *others):
        ordered(bob, bought, other)
    ordered(alice, bought)
    client.as_(alice).put(f"/api/v1/wishlist/{wished.id}")
    recommendations.reckon()
    basis, titles = recommended(client)
    assert (basis, sorted(titles)) == ("you", ["Thing C", "Thing D", "Thing E", "Thing F"])
    assert rows("SELECT DISTINCT user_id FROM recommendations") == [(alice.id,)]

    # What was bought since the job ran is not shown either.
    ordered(alice, others[0])
    extra = factories.product("Late thing")
    change("INSERT INTO recommendations (user_id, product_id, score) VALUES (%s, %s, 0.1)", alice.id, extra.id)
    assert sorted(recommended(client)[1]) == ["Late thing", "Thing D", "Thing E", "Thing F"]


def test_a_guest_is_shown_what_goes_with_their_wishes_at_once(client: ShopClient, things: list[Thing]) -> None:
    for other in things[1:]:
        ordered(None, things[0], other)
    recommendations.reckon()
    client.put(f"/api/v1/wishlist/{things[0].id}")
    assert recommended(client, limit=4) == ("you", ["Thing B", "Thing C", "Thing D", "Thing E"])


def test_recommendations_go_when_there_is_no_reason_left(client: ShopClient, alice: User, bob: User, things: list[Thing]) -> None:
    ordered(bob, *things[:2])
    client.as_(alice).put(f"/api/v1/wishlist/{things[0].id}")
    assert recommendations.reckon()[1] == 1
    client.delete(f"/api/v1/wishlist/{things[0].id}")
    assert (recommendations.reckon()[1], rows("SELECT user_id FROM recommendations")) == (1, [])


def test_who_is_new_is_shown_what_sells_best_and_then_the_newest(client: ShopClient, things: list[Thing]) -> None:
    change("UPDATE products SET created_at = '2024-05-01' + INTERVAL id SECOND")
    change("UPDATE variants SET stock = 0 WHERE id = %s", things[5].variant)
    change("DELETE FROM stock_movements WHERE variant_id = %s", things[5].variant)
    assert recommended(client, limit=3) == ("newest", ["Thing E", "Thing D", "Thing C"])


def test_with_the_cart_goes_what_is_bought_with_its_things(client: ShopClient, things: list[Thing]) -> None:
    ordered(None, *things[:3])
    recommendations.reckon()
    client.add(things[0].variant)
    assert recommended(client, from_cart="true") == ("cart", ["Thing B", "Thing C"])
    client.add(things[1].variant)
    assert recommended(client, from_cart="true") == ("cart", ["Thing C"])


def test_with_a_cart_of_which_nothing_is_known_go_the_best_of_its_category(client: ShopClient, things: list[Thing]) -> None:
    tea = factories.category("Tea")
    pot, _ = factories.product("Pot", category_id=tea), factories.product("Cup", category_id=tea)
    client.add(pot.variant)
    basis, titles = recommended(client, from_cart="true", limit=2)
    assert (basis, titles[0], "Pot" in titles) == ("newest", "Cup", False)


def test_recommendations_of_one_are_not_those_of_another(
    client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User, things: list[Thing]
) -> None:
    for other in things[1:]:
        ordered(None, things[0], other)
    client.as_(alice).put(f"/api/v1/wishlist/{things[0].id}")
    recommendations.reckon()
    assert recommended(client)[0] == "you"
    assert (recommended(new_client())[0], recommended(new_client().as_(bob))[0]) == ("newest", "newest")
    assert client.get(SHOWN).headers["Cache-Control"] == "no-store"
    assert [client.get(SHOWN, query_string=query).status_code for query in ({"limit": 0}, {"limit": 25}, {"user": 1})] == [422, 422, 422]


def test_recommendations_cost_the_same_however_much_somebody_wishes(
    client: ShopClient, alice: User, things: list[Thing], statements: Callable[[], int]
) -> None:
    def cost(**query: Any) -> int:
        before = statements()
        client.get(SHOWN, query_string=query)
        return statements() - before

    ordered(None, *things)
    recommendations.reckon()
    client.as_(alice).put(f"/api/v1/wishlist/{things[0].id}")
    client.add(things[0].variant)
    few = (cost(), cost(from_cart="true"))
    for thing in (things[1], *(factories.product() for _ in range(8))):
        client.put(f"/api/v1/wishlist/{thing.id}")
        client.add(thing.variant)
    assert (cost(), cost(from_cart="true")) == few
    assert max(few) <= 10
