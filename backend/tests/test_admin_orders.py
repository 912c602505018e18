from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User

from app import db
from app.errors import Conflict
from app.services import orders, payments

ADMIN = "/api/v1/admin"


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    return new_client().as_(ada)


@pytest.fixture
def place(new_client: Callable[[], ShopClient], mug: Thing) -> Callable[..., dict[str, Any]]:
    """Places a guest's order for a mug."""

    def order(name: str = "Gina Guest", email: str = "gina@example.com", **more: Any) -> dict[str, Any]:
        browser = new_client()
        browser.add(mug.variant)
        placed: dict[str, Any] = browser.order(email=email, address=factories.ADDRESS | {"name": name}, **more).json
        return placed

    return order


def found(desk: ShopClient, query: str = "") -> list[str]:
    answer = desk.get(f"{ADMIN}/orders?{query}")
    assert answer.status_code == 200, answer.json
    assert answer.json["total"] >= len(answer.json["items"])
    return [row["number"] for row in answer.json["items"]]


def test_the_table_is_found_through_by_number_name_and_address(desk: ShopClient, place: Callable[..., dict[str, Any]]) -> None:
    one, other = place()["number"], place("Olga O'Neil", "olga@example.org")["number"]
    assert found(desk) == [other, one]
    assert found(desk, f"q={one[:7].lower()}") == found(desk, f"q={one}") == [one]
    assert found(desk, "q=o'neil") == found(desk, "q=example.org") == [other]
    assert found(desk, "q=%25") == found(desk, "q=%E2%82%AC") == []


def test_the_table_is_filtered_by_all_three_states_and_days(desk: ShopClient, place: Callable[..., dict[str, Any]], ada: User) -> None:
    waiting, sent = place(payment_method="bank_transfer")["number"], place()["number"]
    factories.shipped(sent, by=ada)
    assert found(desk, "status=pending") == [waiting]
    assert found(desk, "fulfilment_status=shipped") == found(desk, "status=placed&payment_status=unpaid") == [sent]
    assert found(desk, "payment_status=paid") == []
    factories.paid(waiting)
    assert found(desk, "payment_status=paid") == [waiting]
    with db.reading() as tx:
        tx.execute("UPDATE orders SET placed_at = '2026-01-31 23:59:59' WHERE number = %s", (sent,)).close()
    assert found(desk, "from=2026-01-31&to=2026-01-31") == found(desk, "to=2026-01-31") == [sent]
    assert found(desk, "from=2026-02-01") == [waiting]
    assert desk.get(f"{ADMIN}/orders?from=yesterday").status_code == desk.get(f"{ADMIN}/orders?status=lost").status_code == 422


@pytest.mark.parametrize("sort", ["placed", "placed_asc", "total", "total_desc"])
def test_pages_hold_each_order_once_in_every_sort_order(desk: ShopClient, place: Callable[..., dict[str, Any]], sort: str) -> None:
    for _ in range(5):
        place()
    whole, after, pages = found(desk, f"sort={sort}"), "", []
    while after is not None:
        page = desk.get(f"{ADMIN}/orders?sort={sort}&limit=2&after={after}").json
        pages += [row["number"] for row in page["items"]]
        after = page["next"]
    assert (pages, len(set(pages))) == (whole, 5)
    assert desk.get(f"{ADMIN}/orders?sort={sort}&after=x").status_code == 422


def test_the_table_costs_a_fixed_number_of_statements(desk: ShopClient, place: Callable[..., dict[str, Any]], statements: Callable[[], int]) -> None:
    def cost() -> int:
        before = statements()
        found(desk)
        return statements() - before

    place()
    one = cost()
    for _ in range(3):
        place()
    assert cost() == one


def test_one_order_tells_what_came_of_it_and_what_may_be_done(desk: ShopClient, place: Callable[..., dict[str, Any]], ada: User) -> None:
    number = place()["number"]
    fresh = desk.get(f"{ADMIN}/orders/{number}").json
    assert fresh["acts"] == {"ship": True, "cancel": True, "refund": False, "record_payment": True}
    factories.paid(number)
    factories.shipped(number, by=ada)
    sent = desk.get(f"{ADMIN}/orders/{number}").json
    assert sent["acts"] == {"ship": False, "cancel": False, "refund": True, "record_payment": False}
    assert [(event["kind"], event["actor"]) for event in sent["events"]] == [("placed", None), ("paid", None), ("shipped", "ada")]
    assert (sent["payments"][0]["captured_minor"], sent["lines"][0]["left_to_refund"], sent["delivery_left_minor"]) == (2290, 1, 490)
    assert desk.get(f"{ADMIN}/orders/FC-ABCDEFGH").status_code == 404


def test_customers_see_none_of_it(client: ShopClient, alice: User, place: Callable[..., dict[str, Any]]) -> None:
    number = place()["number"]
    client.as_(alice)
    paths = [f"{ADMIN}/orders", f"{ADMIN}/orders/{number}"]
    assert {client.get(path).status_code for path in paths} == {403}
    assert client.post(f"{ADMIN}/orders/{number}/cancellation", json={}).status_code == 403


# ---------------------------------------------------------------- money that comes by hand


def pay(desk: ShopClient, order: dict[str, Any], amount: int, key: str = "one") -> Any:
    return desk.post(f"{ADMIN}/orders/{order['number']}/payments", json={"amount_minor": amount}, headers={"Idempotency-Key": key})


def test_a_transfer_that_came_in_is_noted_once(desk: ShopClient, place: Callable[..., dict[str, Any]]) -> None:
    order = place(payment_method="bank_transfer")
    answer, again = pay(desk, order, order["due_minor"]), pay(desk, order, order["due_minor"])
    assert (answer.status_code, again.status_code, again.headers["Idempotent-Replayed"]) == (201, 201, "true")
    assert (answer.json["order"]["status"], answer.json["order"]["payment_status"]) == ("placed", "paid")
    assert (len(again.json["payments"]), [event["kind"] for event in again.json["events"]]) == (1, ["placed", "paid"])
    assert pay(desk, order, order["due_minor"], "other").json["detail"] == "This order waits for no payment."


def test_another_amount_than_is_due_is_refused(desk: ShopClient, place: Callable[..., dict[str, Any]]) -> None:
    order = place()
    assert pay(desk, order, order["due_minor"] - 1).json["errors"] == {"amount_minor": ["EUR 22.90 is due."]}
    assert pay(desk, order, order["due_minor"]).status_code == 201


def test_twenty_who_note_a_payment_at_once_note_it_once(place: Callable[..., dict[str, Any]], ada: User) -> None:
    order = place(payment_method="bank_transfer")

    def attempt(n: int) -> bool:
        try:
            return not payments.record(order["number"], order["due_minor"], key=f"key {n}", actor=factories.actor(ada))
        except Conflict:
            return False

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(20))) == 1


def test_a_payment_and_the_expiry_at_once_have_one_outcome(place: Callable[..., dict[str, Any]], ada: User) -> None:
    order = place(payment_method="bank_transfer")
    with db.reading() as tx:
        tx.execute("UPDATE orders SET pay_by = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND").close()

    def note() -> int:
        try:
            return int(not payments.record(order["number"], order["due_minor"], key="one", actor=factories.actor(ada)))
        except Conflict:
            return 0

    with ThreadPoolExecutor(2) as pool:
        outcomes = [pool.submit(note), pool.submit(orders.expire_due)]
    assert sum(outcome.result() for outcome in outcomes) == 1
