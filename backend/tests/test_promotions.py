"""Coupons, automatic discounts, levels, taxes and ways of delivery: what a shopper is quoted, and what an order then costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User
from test_accounts import at_once, change, rows
from test_users import act_as
from werkzeug.test import TestResponse

from app import db
from app.services import orders, promotions, settings

COUPONS = "/api/v1/admin/coupons"
TEN_OFF = {"code": "TEN", "name": "Ten off", "kind": "percent", "value": 1000}


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    return act_as(new_client(), ada)


@pytest.fixture
def coupon(desk: ShopClient) -> Callable[..., dict[str, Any]]:
    """Adds a coupon: ten per cent with the code TEN, unless said otherwise."""

    def add(**fields: Any) -> dict[str, Any]:
        answer = desk.post(COUPONS, json=TEN_OFF | fields)
        assert answer.status_code == 201, answer.json
        return dict(answer.json)

    return add


def quoted(client: ShopClient, **asked: Any) -> Any:
    return client.post("/api/v1/checkout/quote", json=asked).json


def refusal(quote: Any) -> str:
    return next((one["message"] for one in quote["requirements"] if one["code"] == "coupon"), "")


def order(client: ShopClient, email: str = "guest@example.com", **more: Any) -> TestResponse:
    return client.order(email=email, **more)


def put(name: str, value: Any) -> None:
    db.transaction(lambda tx: settings.put(tx, name, value))


# ---------------------------------------------------------------- coupons


def test_a_coupon_reduces_the_quote_and_the_order_alike(client: ShopClient, coupon: Callable[..., Any], mug: Thing) -> None:
    coupon()
    client.add(mug.variant, 3)
    quote = quoted(client, coupon=" ten ")
    assert (quote["coupon"], quote["subtotal_minor"], quote["discount_minor"]) == ("TEN", 5400, 540)
    assert {"step": "discount", "text": "Ten off (TEN)", "amount_minor": -540} in quote["explanation"]

    placed = order(client, coupon="ten", expected_due_minor=quote["due_minor"]).json

    assert (placed["coupon"], placed["discount_minor"], placed["due_minor"]) == ("TEN", 540, quote["due_minor"])
    assert placed["items"][0]["discount_minor"] == 540
    assert rows("SELECT used_count FROM promotions") == [(1,)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"active": False}, "not valid"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "not valid"),
        ({"starts_at": "2099-01-01T00:00:00Z"}, "not valid"),
        ({"code": "OTHER"}, "not valid"),
        ({"minimum_minor": 1801}, "EUR 18.01 and more"),
    ],
)
def test_a_coupon_that_does_not_apply_says_why_in_the_quote_and_stops_the_order(
    client: ShopClient, coupon: Callable[..., Any], mug: Thing, fields: dict[str, Any], words: str
) -> None:
    coupon(**fields)
    client.add(mug.variant)
    quote = quoted(client, coupon="TEN")
    assert words in refusal(quote)
    assert (quote["coupon"], quote["discount_minor"]) == (None, 0)
    answer = order(client, coupon="TEN")
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["coupon"])
    assert client.get("/api/v1/cart").json["count"] == 1


@pytest.mark.parametrize("code", ["ÜBER", "x' OR 1=1", "%", "日本"])
def test_an_odd_code_is_just_not_valid(client: ShopClient, coupon: Callable[..., Any], mug: Thing, code: str) -> None:
    coupon()
    client.add(mug.variant)
    assert "not valid" in refusal(quoted(client, coupon=code))


def test_a_coupon_for_a_category_is_for_what_is_below_it_too(client: ShopClient, coupon: Callable[..., Any]) -> None:
    home, kitchen = factories.category("Home"), factories.category("Kitchen")
    change("UPDATE categories SET parent_id = %s WHERE id = %s", home, kitchen)
    pan, book = factories.product("Pan", price_minor=4000, category_id=kitchen), factories.product("Book", price_minor=1000)
    coupon(category_id=home)
    client.add(book.variant)
    assert "other things" in refusal(quoted(client, coupon="TEN"))
    client.add(pan.variant)
    assert quoted(client, coupon="TEN")["discount_minor"] == 400


def test_a_coupon_for_a_product_is_for_that_one(client: ShopClient, coupon: Callable[..., Any], mug: Thing) -> None:
    coupon(product_id=mug.id, kind="fixed", value=500)
    client.add(mug.variant)
    client.add(factories.product("Book", price_minor=1000).variant)
    placed = order(client, coupon="TEN").json
    assert [item["discount_minor"] for item in placed["items"]] == [500, 0]


def test_a_coupon_for_free_delivery_takes_off_what_delivery_costs(client: ShopClient, coupon: Callable[..., Any], mug: Thing) -> None:
    coupon(kind="free_shipping", value=0)
    client.add(mug.variant)
    quote = quoted(client, coupon="TEN")
    assert (quote["shipping_minor"], [method["price_minor"] for method in quote["shipping_methods"]]) == (0, [0, 0])
    assert order(client, coupon="TEN").json["total_minor"] == 1800
    assert rows("SELECT amount_minor FROM promotion_uses") == [(490,)]


def test_the_only_use_of_a_coupon_goes_to_one_of_fifty_at_once(new_client: Callable[[], ShopClient], coupon: Callable[..., Any]) -> None:
    thing = factories.product(stock=50)
    coupon(most_uses=1)
    browsers = [new_client() for _ in range(50)]
    for browser in browsers:
        browser.set_cookie("session", factories.cookie_of_guest(thing.variant))
    for number, browser in enumerate(browsers):
        browser.environ_base["REMOTE_ADDR"] = f"203.0.113.{number}"
    answers = at_once(50, lambda number: order(browsers[number], f"guest{number}@example.com", coupon="TEN"))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 422: 49}
    assert all(list(answer.json["errors"]) == ["coupon"] for answer in answers if answer.status_code == 422)
    assert rows("SELECT used_count FROM promotions") == [(1,)]
    assert rows("SELECT COUNT(*), (SELECT COUNT(*) FROM orders), (SELECT stock FROM variants) FROM promotion_uses") == [(1, 1, 49)]


def test_one_customer_uses_a_coupon_once_from_however_many_browsers(new_client: Callable[[], ShopClient], coupon: Callable[..., Any]) -> None:
    thing = factories.product(stock=50)
    coupon(most_by_customer=1)
    browsers = [new_client() for _ in range(6)]
    for browser in browsers:
        browser.add(thing.variant)
    emails = ["Same@example.com", "same@example.com"] * 3
    answers = at_once(6, lambda number: order(browsers[number], emails[number], coupon="TEN").status_code)
    assert Counter(answers) == {201: 1, 422: 5}
    somebody_else = new_client()
    somebody_else.add(thing.variant)
    assert order(somebody_else, "other@example.com", coupon="TEN").status_code == 201


def test_a_signed_in_customer_sees_in_the_quote_that_the_coupon_is_used(client: ShopClient, coupon: Callable[..., Any], alice: User, mug: Thing) -> None:
    coupon(most_by_customer=1)
    client.as_(alice).add(mug.variant)
    assert client.order(coupon="TEN").status_code == 201
    client.add(mug.variant)
    assert "as often as" in refusal(quoted(client, coupon="TEN"))


def test_an_order_that_is_given_up_gives_its_coupon_back(client: ShopClient, coupon: Callable[..., Any], alice: User) -> None:
    thing = factories.product(stock=9)
    coupon(most_uses=1, most_by_customer=1)
    client.as_(alice)
    client.add(thing.variant)
    number = client.order(coupon="TEN").json["number"]
    assert client.post(f"/api/v1/orders/{number}/cancellation").status_code in (200, 204)
    client.add(thing.variant)
    second = client.order(key="second", coupon="TEN", payment_method="bank_transfer").json["number"]
    change("UPDATE orders SET pay_by = UTC_TIMESTAMP(6) - INTERVAL 1 DAY WHERE number = %s", second)
    assert orders.expire_due() == 1
    assert rows("SELECT used_count FROM promotions") == [(0,)]


def test_the_same_order_sent_twice_uses_the_coupon_once(client: ShopClient, coupon: Callable[..., Any], mug: Thing) -> None:
    coupon()
    client.add(mug.variant)
    first, again = (order(client, key="one", coupon="TEN").json["number"] for _ in range(2))
    assert first == again
    assert rows("SELECT used_count FROM promotions") == [(1,)]


# ---------------------------------------------------------------- automatic discounts and levels


def test_an_automatic_discount_needs_no_code_and_a_coupon_comes_after_it(client: ShopClient, coupon: Callable[..., Any], mug: Thing) -> None:
    coupon(code=None, name="Summer sale", kind="percent", value=5000)
    coupon()
    client.add(mug.variant)
    quote = quoted(client, coupon="TEN")
    taken_off = [(step["text"], step["amount_minor"]) for step in quote["explanation"] if step["step"] == "discount"]
    assert taken_off == [("Summer sale", -900), ("Ten off (TEN)", -90)]


def test_an_automatic_discount_waits_for_its_minimum(client: ShopClient, coupon: Callable[..., Any], mug: Thing) -> None:
    coupon(code=None, name="Three for two", kind="fixed", value=1800, minimum_minor=5400)
    client.add(mug.variant, 2)
    assert quoted(client)["discount_minor"] == 0
    client.add(mug.variant)
    assert quoted(client)["discount_minor"] == 1800


def test_a_customers_level_reduces_what_they_pay(client: ShopClient, alice: User, mug: Thing) -> None:
    put("levels", [{"code": "friend", "name": "Friend", "from_minor": 0, "discount_percent": 5}])
    client.add(mug.variant)
    assert quoted(client)["discount_minor"] == 0
    client.as_(alice).add(mug.variant)
    quote = quoted(client)
    assert {"step": "discount", "text": "Friend customer", "amount_minor": -90} in quote["explanation"]


# ---------------------------------------------------------------- taxes and ways of delivery


def test_tax_goes_by_country_and_class(client: ShopClient) -> None:
    put("tax_rates", {"DE": {"standard": 1900, "reduced": 700}})
    book = factories.product("Book", price_minor=1070)
    change("UPDATE products SET tax_class = 'reduced' WHERE id = %s", book.id)
    client.add(book.variant)
    assert quoted(client, address={"country": "DE"})["tax_minor"] == 70 + 78
    assert quoted(client, address={"country": "FR"})["tax_minor"] == 178 + 82
    placed = order(client, address=factories.ADDRESS | {"country": "DE"}).json
    assert placed["items"][0]["tax_minor"] == 70


def test_ways_of_delivery_go_by_country_and_weight_and_pickup_is_for_everybody(client: ShopClient) -> None:
    way = {"price_minor": 900, "free_from_minor": None, "days": "2"}
    put(
        "shipping_methods",
        [
            way | {"code": "near", "name": "Near", "countries": ["BE"], "by_weight": [{"up_to_g": 1000, "price_minor": 300}], "most_weight_g": 5000},
            way | {"code": "far", "name": "Far"},
            way | {"code": "shop", "name": "At the shop", "price_minor": 0, "pickup": True, "countries": ["BE"]},
        ],
    )
    thing = factories.product(stock=20)
    change("UPDATE variants SET weight_g = 600 WHERE id = %s", thing.variant)

    def ways(country: str) -> list[tuple[str, int]]:
        return [(one["code"], one["price_minor"]) for one in quoted(client, address={"country": country})["shipping_methods"]]

    client.add(thing.variant)
    assert ways("BE") == [("near", 300), ("far", 900), ("shop", 0)]
    assert ways("FR") == [("far", 900), ("shop", 0)]
    client.add(thing.variant)
    assert ways("BE")[0] == ("near", 900)
    client.add(thing.variant, 8)
    assert ways("BE") == [("far", 900), ("shop", 0)]
    assert order(client, shipping_method="near").json["errors"].keys() == {"shipping_method"}
    put("shipping_countries", ["DE"])
    assert order(client, shipping_method="far").json["errors"].keys() == {"address.country"}
    assert order(client, shipping_method="shop").status_code == 201


# ---------------------------------------------------------------- the owner's side


def test_coupons_are_kept_by_admins_and_read_by_staff(desk: ShopClient, client: ShopClient, coupon: Callable[..., Any], alice: User) -> None:
    made = coupon()
    assert client.as_(alice).get(COUPONS).status_code == 403
    assert client.as_(factories.user("sam", role="staff")).get(f"{COUPONS}/{made['id']}").json["code"] == "TEN"
    assert client.post(COUPONS, json=TEN_OFF).status_code == 403
    changed = desk.put(f"{COUPONS}/{made['id']}", json=TEN_OFF | {"value": 2000, "version": 1}).json
    assert (changed["value"], changed["version"]) == (2000, 2)
    stale = desk.put(f"{COUPONS}/{made['id']}", json=TEN_OFF | {"version": 1})
    assert (stale.status_code, stale.json["current"]["value"]) == (409, 2000)
    assert desk.delete(f"{COUPONS}/{made['id']}").status_code == 204
    assert desk.get(f"{COUPONS}/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"code": "ten"}, "code"),
        ({"code": "A B!"}, "code"),
        ({"code": "NEW", "value": 10_001}, "value"),
        ({"code": "NEW", "value": 0}, "value"),
        ({"code": None, "kind": "free_shipping"}, "kind"),
        ({"code": "NEW", "starts_at": "2026-01-02T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}, "ends_at"),
        ({"code": "NEW", "most_uses": 0}, "most_uses"),
        ({"code": "NEW", "used_count": 5}, "used_count"),
    ],
)
def test_what_makes_no_sense_is_refused_beside_its_field(desk: ShopClient, coupon: Callable[..., Any], fields: dict[str, Any], field: str) -> None:
    coupon()
    answer = desk.post(COUPONS, json=TEN_OFF | fields)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_a_coupon_that_was_used_is_switched_off_instead_of_deleted(client: ShopClient, desk: ShopClient, coupon: Callable[..., Any], mug: Thing) -> None:
    made = coupon()
    client.add(mug.variant)
    order(client, coupon="TEN")
    limited = desk.put(f"{COUPONS}/{made['id']}", json=TEN_OFF | {"most_uses": 1, "version": 1}).json
    assert limited["most_uses"] == 1
    desk.delete(f"{COUPONS}/{made['id']}")
    assert desk.get(f"{COUPONS}/{made['id']}").json["active"] is False
    assert [one["code"] for one in desk.get(f"{COUPONS}?q=te").json["items"]] == ["TEN"]
    assert desk.get(f"{COUPONS}?q=%25").json["total"] == 0


def test_a_coupon_costs_a_quote_only_the_statements_of_its_rate_limit(
    client: ShopClient, coupon: Callable[..., Any], mug: Thing, statements: Callable[[], int]
) -> None:
    coupon()
    client.add(mug.variant)
    begun = statements()
    quoted(client)
    between = statements()
    quoted(client, coupon="TEN")
    # Three to take a guess, and three to give it back since the code is good.
    assert statements() - between == between - begun + 6


def test_codes_are_alike_in_any_case_and_spacing() -> None:
    assert promotions.code_key(" summer  Sale ") == "SUMMERSALE"
