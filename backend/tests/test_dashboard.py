from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User, write

from app.services import dashboard

ADMIN = "/api/v1/admin"
TODAY = datetime.now(UTC).date()
Place = Callable[..., str]


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    return new_client().as_(ada)


@pytest.fixture
def place(new_client: Callable[[], ShopClient]) -> Place:
    """Places a guest's order for a thing of EUR 18 and 4.90 delivery, so many days ago."""
    mug = factories.product("Mug", stock=50, price_minor=1800)

    def order(days: int = 0, **more: Any) -> str:
        browser = new_client()
        browser.add(mug.variant)
        number: str = browser.order(email="gina@example.com", **more).json["number"]
        write("UPDATE orders SET placed_at = UTC_DATE() - INTERVAL %s DAY + INTERVAL 1 SECOND WHERE number = %s", days, number)
        return number

    return order


def shown(desk: ShopClient, by: str = "day") -> dict[str, Any]:
    answer = desk.get(f"{ADMIN}/dashboard?by={by}")
    assert answer.status_code == 200, answer.json
    told: dict[str, Any] = answer.json
    return told


def settled() -> None:
    """Let all that happened so far be more than a minute ago."""
    write("UPDATE order_events SET at = at - INTERVAL 2 MINUTE")
    dashboard.reckon()
    assert not dashboard.any_to_reckon()


def test_each_day_tells_what_was_ordered_on_it_and_not_given_up(desk: ShopClient, place: Place) -> None:
    numbers = [place(days) for days in (0, 3, 3, 29, 30, 59, 60)]
    place(3, payment_method="bank_transfer")
    dashboard.reckon()
    told = shown(desk)
    by_day = {item["since"]: item["orders"] for item in told["items"] if item["orders"]}
    assert by_day == {str(TODAY - timedelta(days=days)): count for days, count in ((0, 1), (3, 2), (29, 1))}
    assert [told["now"][name] for name in ("orders", "sales_minor", "average_minor")] == [4, 4 * 2290, 2290]
    assert (told["before"]["orders"], told["before"]["sales_minor"], told["before"]["until"]) == (2, 2 * 2290, str(TODAY - timedelta(days=30)))
    settled()
    assert desk.post("/api/v1/auth/step-up", json={"password": factories.PASSWORD}).status_code == 204
    for number in numbers[:2]:
        assert desk.post(f"{ADMIN}/orders/{number}/cancellation", json={}).status_code == 200
    assert shown(desk)["now"]["orders"] == 3, "today is counted as it stands"
    assert dashboard.any_to_reckon()
    dashboard.reckon()
    assert shown(desk)["now"]["orders"] == 2, "the day of an order that went a step is summed up anew"


@pytest.mark.parametrize(("by", "count", "first"), [("week", 26, lambda day: day.weekday() == 0), ("month", 12, lambda day: day.day == 1)])
def test_weeks_and_months_follow_one_another_up_to_today(desk: ShopClient, place: Place, by: str, count: int, first: Callable[[date], bool]) -> None:
    place(0), place(170)
    dashboard.reckon()
    told = shown(desk, by)
    spans = [(date.fromisoformat(item["since"]), date.fromisoformat(item["until"])) for item in told["items"]]
    assert (len(spans), all(first(since) for since, _ in spans), spans[-1][1]) == (count, True, TODAY)
    assert [since for since, _ in spans[1:]] == [until + timedelta(days=1) for _, until in spans[:-1]]
    assert sum(item["sales_minor"] for item in told["items"]) == told["now"]["sales_minor"] == 2 * 2290
    assert (told["now"]["since"], told["before"]["until"]) == (str(spans[0][0]), str(spans[0][0] - timedelta(days=1)))


def test_conversion_is_orders_among_all_who_had_something_in_their_cart_that_day(desk: ShopClient, place: Place, mug: Thing) -> None:
    assert shown(desk)["now"]["conversion_bp"] is None
    place(), place(2)
    for _ in range(4):
        factories.cookie_of_guest(mug.variant)
    write("UPDATE carts c JOIN (SELECT cart_id FROM cart_items ORDER BY id LIMIT 3) i ON i.cart_id = c.id SET c.updated_at = UTC_TIMESTAMP(6) - INTERVAL 2 DAY")
    dashboard.reckon()
    told = shown(desk)
    assert [told["items"][place]["conversion_bp"] for place in (-1, -2, -3)] == [5000, None, 2500]
    assert told["now"]["conversion_bp"] == round(10_000 * 2 / 6)
    write("DELETE FROM cart_items")
    dashboard.reckon()
    assert [shown(desk)["items"][place]["conversion_bp"] for place in (-1, -3)] == [10_000, 2500], "a day that is over keeps its figures"


def test_every_figure_that_waits_is_the_number_of_rows_behind_its_link(desk: ShopClient, place: Place, alice: User, mug: Thing) -> None:
    numbers = [place() for _ in range(3)]
    place(payment_method="bank_transfer")
    factories.shipped(numbers[0], by=alice)
    for number, status in ((numbers[1], "requested"), (numbers[2], "approved"), (numbers[1], "requested")):
        write("INSERT INTO returns (order_id, status, created_at) SELECT id, %s, UTC_TIMESTAMP(6) FROM orders WHERE number = %s", status, number)
    write("INSERT INTO tickets (number, user_id, subject, created_at, updated_at) VALUES ('T-1', %s, 'Hello', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", alice.id)
    write(
        "INSERT INTO reviews (product_id, user_id, author, rating, title, body, created_at, updated_at)"
        " VALUES (%s, %s, 'A', 5, 'Good', '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
        mug.id,
        alice.id,
    )
    for status in ("pending", "unwanted"):
        write(
            "INSERT INTO payments (order_id, method, status, amount_minor, currency, created_at)"
            " SELECT id, 'stripe', %s, 0, 'EUR', UTC_TIMESTAMP(6) FROM orders WHERE number = %s",
            status,
            numbers[0],
        )
    write("UPDATE mails SET status = 'failed' LIMIT 2")
    write("INSERT INTO jobs (name, due_at, failures) VALUES ('mail.deliver', UTC_TIMESTAMP(6), 2)")
    waiting = shown(desk)["waiting"]
    behind = {
        "to_send": "orders?status=placed&fulfilment_status=unfulfilled",
        "unpaid": "orders?status=pending",
        "returns_asked": "orders?returns=requested",
        "tickets": "tickets?status=open",
        "reviews": "reviews?status=pending",
        "payments_pending": "payments?status=pending",
        "payments_troubled": "payments?troubled=true",
        "mails_failed": "mails?status=failed",
        "jobs_failing": "jobs?state=failing",
        "low_stock": "inventory?low=true",
    }
    assert waiting == {name: desk.get(f"{ADMIN}/{path}").json["total"] for name, path in behind.items()}
    assert waiting == dict.fromkeys(behind, 1) | {"to_send": 2, "mails_failed": 2}


def test_the_figures_of_a_day_are_the_orders_behind_its_link(desk: ShopClient, place: Place) -> None:
    place(5), place(5), place(4), place(5, payment_method="bank_transfer")
    dashboard.reckon()
    day = shown(desk)["items"][-6]
    assert (day["orders"], desk.get(f"{ADMIN}/orders?status=sold&from={day['since']}&to={day['until']}").json["total"]) == (2, 2)


def test_what_sells_and_what_runs_low_is_named(desk: ShopClient, mug: Thing) -> None:
    lamp = factories.product("Lamp", stock=40)
    factories.product("Chair", variants=[{"options": ("Oak", "", ""), "stock": 2}, {"options": ("Ash", "", ""), "stock": 90}])
    write("UPDATE products SET sold_count = IF(id = %s, 7, 3) WHERE title <> 'Chair'", lamp.id)
    told = shown(desk)
    assert [(item["title"], item["sold_count"], item["stock"]) for item in told["best"]] == [("Lamp", 7, 40), ("Stoneware mug", 3, 5)]
    assert [(item["title"], item["options"], item["stock"]) for item in told["low"]] == [("Chair", "Oak", 2), ("Stoneware mug", "", 5)]


def test_the_page_costs_the_same_however_much_there_is(desk: ShopClient, place: Place, statements: Callable[[], int]) -> None:
    def cost(by: str) -> int:
        before = statements()
        shown(desk, by)
        return statements() - before

    alone = cost("month")
    for days in (0, 1, 40, 300):
        place(days)
    dashboard.reckon()
    assert cost("month") == cost("day") == alone
    assert alone < 12
