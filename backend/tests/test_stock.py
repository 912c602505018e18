"""The shelf: counts with their reasons, a ledger that adds up, what runs out, and mails to those who wait for something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import Make, ShopClient
from factories import Thing, User
from test_accounts import at_once, change, rows
from werkzeug.test import TestResponse

from app import db
from app.services import mail, stock

INVENTORY = "/api/v1/admin/inventory"


@pytest.fixture
def desk(client: ShopClient) -> ShopClient:
    return client.as_(factories.user("sam", role="staff"))


def adjust(desk: ShopClient, variant: int, **body: Any) -> TestResponse:
    return desk.post(f"{INVENTORY}/adjustments", json={"variant_id": variant, "reason": "received"} | body)


def listed(desk: ShopClient, query: str = "") -> list[dict[str, Any]]:
    answer = desk.get(f"{INVENTORY}?{query}")
    assert answer.status_code == 200, answer.json
    assert answer.json["next"] or answer.json["total"] >= len(answer.json["items"])
    return list(answer.json["items"])


def ledger(desk: ShopClient, variant: int, query: str = "") -> list[dict[str, Any]]:
    return list(desk.get(f"{INVENTORY}/{variant}/movements?{query}").json["items"])


# ---------------------------------------------------------------- counting


def test_every_adjustment_has_its_reason_in_the_ledger(desk: ShopClient, mug: Thing) -> None:
    answers = [
        adjust(desk, mug.variant, quantity=7, note="Two boxes"),
        adjust(desk, mug.variant, quantity=-2, reason="damaged"),
        adjust(desk, mug.variant, counted=9, reason="counted"),
        adjust(desk, mug.variant, counted=9, reason="counted"),
    ]
    assert [answer.json for answer in answers] == [{"stock": 12}, {"stock": 10}, {"stock": 9}, {"stock": 9}]
    told = [(one["quantity"], one["reason"], one["note"], one["actor"], one["stock_after"]) for one in ledger(desk, mug.variant)]
    assert told == [(-1, "counted", "", "sam", 9), (-2, "damaged", "", "sam", 10), (7, "received", "Two boxes", "sam", 12), (5, "initial", "", None, 5)]
    assert rows("SELECT COUNT(*) FROM events WHERE kind = 'stock_adjusted' AND subject_id = %s", mug.variant) == [(3,)]


def test_an_order_stands_in_the_ledger_with_its_number(desk: ShopClient, mug: Thing, new_client: Callable[[], ShopClient]) -> None:
    buyer = new_client()
    buyer.add(mug.variant, 2)
    number = buyer.order(email="guest@example.com").json["number"]
    newest = ledger(desk, mug.variant)[0]
    assert (newest["quantity"], newest["reason"], newest["order_number"], newest["actor"], newest["stock_after"]) == (-2, "order", number, None, 3)


def test_the_pages_of_the_ledger_follow_each_other_and_add_up(desk: ShopClient, mug: Thing) -> None:
    for quantity in (3, -1, 4, -2, 6):
        adjust(desk, mug.variant, quantity=quantity)
    whole, pages, after = ledger(desk, mug.variant), [], ""
    while after is not None:
        page = desk.get(f"{INVENTORY}/{mug.variant}/movements?limit=2&after={after}").json
        pages += page["items"]
        after = page["next"]
    assert pages == whole and [one["stock_after"] for one in whole] == [15, 9, 11, 7, 8, 5]
    assert desk.get(f"{INVENTORY}/999/movements").status_code == 404
    assert desk.get(f"{INVENTORY}/{mug.variant}/movements?after=x").status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"quantity": 0},
        {},
        {"quantity": 1, "counted": 1},
        {"quantity": "1"},
        {"counted": -1},
        {"counted": 1_000_001},
        {"quantity": 1, "reason": "order"},
        {"quantity": 1, "note": "x" * 201},
    ],
    ids=str,
)
def test_an_adjustment_keeps_its_rules(desk: ShopClient, mug: Thing, body: dict[str, Any]) -> None:
    assert adjust(desk, mug.variant, **body).status_code == 422
    assert factories.stock_of(mug.variant) == 5


def test_there_is_never_less_than_nothing_nor_more_than_a_million(desk: ShopClient, mug: Thing) -> None:
    assert [adjust(desk, mug.variant, quantity=quantity).status_code for quantity in (-6, 999_996)] == [409, 409]
    assert [adjust(desk, mug.variant, quantity=quantity).json["stock"] for quantity in (-5, 1_000_000)] == [0, 1_000_000]
    assert adjust(desk, 999, quantity=1).status_code == 404


def test_only_staff_see_and_change_the_inventory(client: ShopClient, mug: Thing, alice: User) -> None:
    client.as_(alice)
    answers = [client.get(INVENTORY), adjust(client, mug.variant, quantity=1), client.get(f"{INVENTORY}/{mug.variant}/movements")]
    assert [answer.status_code for answer in answers] == [403] * 3


def test_adjustments_at_once_lose_nothing(desk: ShopClient, mug: Thing) -> None:
    answers = at_once(12, lambda number: adjust(desk, mug.variant, quantity=1 if number % 2 else -1).status_code)
    assert answers == [200] * 12
    assert factories.stock_of(mug.variant) == 5
    assert sorted(one["stock_after"] for one in ledger(desk, mug.variant)) == sorted(_balances(mug.variant))


def _balances(variant: int) -> list[int]:
    total, found = 0, []
    for (quantity,) in rows("SELECT quantity FROM stock_movements WHERE variant_id = %s ORDER BY id", variant):
        total += quantity
        found.append(total)
    return found


def test_orders_and_adjustments_at_once_leave_what_both_say(desk: ShopClient, new_client: Callable[[], ShopClient]) -> None:
    lamp = factories.product("Lamp", stock=6)
    buyers = [new_client() for _ in range(6)]
    for buyer in buyers:
        buyer.add(lamp.variant)

    def act(number: int) -> int:
        if number < 6:
            return buyers[number].order(email=f"guest{number}@example.com").status_code
        return adjust(desk, lamp.variant, quantity=2).status_code if number % 2 else adjust(desk, lamp.variant, quantity=-1, reason="damaged").status_code

    answers = at_once(10, act)
    assert set(answers) <= {200, 201, 409}
    sold, up, down = answers[:6].count(201), answers[7::2].count(200), answers[6::2].count(200)
    assert factories.stock_of(lamp.variant) == 6 - sold + 2 * up - down
    assert up == 2 and sold >= 4


@pytest.mark.parametrize(("quantity", "marked"), [(-1, False), (-5, True), (1, False)])
def test_search_is_told_when_something_runs_out(desk: ShopClient, mug: Thing, quantity: int, marked: bool) -> None:
    change("DELETE FROM product_changes")
    adjust(desk, mug.variant, quantity=quantity)
    assert (rows("SELECT product_id FROM product_changes") == [(mug.id,)]) is marked


# ---------------------------------------------------------------- the list


def test_the_list_shows_what_is_on_the_shelf_and_what_runs_out(desk: ShopClient) -> None:
    sizes = [{"options": (size, "", ""), "stock": left, "sku": f"SH-{size}"} for size, left in (("S", 2), ("M", 40), ("L", 0))]
    shirt = factories.product("Shirt", variants=sizes, option_names=("Size", "", ""))
    factories.product("Engraving", variants=[{"tracked": False, "stock": 0}])
    gone = factories.product("Gone", stock=1)
    desk.delete(f"/api/v1/products/{gone.id}")
    assert [one["title"] for one in listed(desk)] == ["Engraving", "Shirt", "Shirt", "Shirt"]
    low = listed(desk, "low=true")
    assert [(one["sku"], one["stock"], one["options"]) for one in low] == [("SH-L", 0, {"Size": "L"}), ("SH-S", 2, {"Size": "S"})]
    assert low[0]["product_id"] == shirt.id and low[0]["image"] is None
    assert [one["sku"] for one in listed(desk, "q=sh-m")] == [] and [one["sku"] for one in listed(desk, "q=SH-M")] == ["SH-M"]
    assert len(listed(desk, "q=hir")) == 3 and listed(desk, "q=%25") == []
    factories.write("INSERT INTO settings (name, value, updated_at) VALUES ('low_stock', '1', UTC_TIMESTAMP(6))")
    assert [one["sku"] for one in listed(desk, "low=true")] == ["SH-L"]


@pytest.mark.parametrize("query", ["", "low=true&"])
def test_the_pages_hold_every_variant_once_at_one_cost(desk: ShopClient, query: str, statements: Callable[[], int]) -> None:
    for number in range(9):
        factories.product(f"Cup {number}", stock=number % 3)
    found, costs, after = [], set(), ""
    while after is not None:
        before = statements()
        page = desk.get(f"{INVENTORY}?{query}limit=4&after={after}").json
        costs.add(statements() - before)
        found += [one["variant_id"] for one in page["items"]]
        assert page["total"] == 9
        after = page["next"]
    assert len(found) == len(set(found)) == 9 and len(costs) == 1
    assert desk.get(f"{INVENTORY}?{query}after=bm8").status_code == 422


# ---------------------------------------------------------------- when it is there again


def ask(client: ShopClient, variant: int, email: str = "wanda@example.com") -> int:
    return client.post(f"/api/v1/variants/{variant}/stock-requests", json={"email": email}).status_code


@pytest.fixture
def lamp(shop: Any) -> Thing:
    sizes = [{"options": ("Small", "", ""), "stock": 0}, {"options": ("Large", "", ""), "stock": 0}]
    return factories.product("Lamp <b>", slug="lamp", variants=sizes, option_names=("Size", "", ""))


def told() -> list[tuple[str, str]]:
    return rows("SELECT recipient, data FROM mails WHERE template = 'back_in_stock' ORDER BY id")


def test_who_waits_is_told_once_when_it_is_there_again(client: ShopClient, lamp: Thing) -> None:
    small, large = lamp.variants
    assert [ask(client, small), ask(client, small, "WANDA@example.com"), ask(client, large, "bob@example.com")] == [202] * 3
    assert stock.tell_who_waits() == 0
    stock.adjust(small, 3)
    assert [stock.tell_who_waits(), stock.tell_who_waits()] == [1, 0]
    assert told() == [("wanda@example.com", '{"title":"Lamp <b>","options":"Small","path":"/products/lamp"}')]
    assert rows("SELECT email FROM stock_requests") == [("bob@example.com",)]


def test_the_mail_says_what_it_is_and_where(lamp: Thing) -> None:
    data = {"title": "Lamp <b>", "options": "Small", "path": "/products/lamp"}
    made = mail.render(
        "back_in_stock",
        data,
        {
            "name": "Shop",
            "url": "https://shop.example",
            "seller": {"name": "Ada", "line1": "", "line2": "", "city": "", "postcode": "", "country": "", "email": ""},
        },
    )
    assert made.subject == "Lamp <b> is here again"
    assert "Lamp <b> (Small)" in made.text and "https://shop.example/products/lamp" in made.text
    assert "Lamp &lt;b&gt;" in made.html and "https://shop.example/products/lamp" in made.html and "Lamp <b>" not in made.html


@pytest.mark.parametrize("hidden", ["UPDATE products SET published = FALSE", "UPDATE products SET archived_at = UTC_TIMESTAMP(6)"])
def test_nobody_is_called_to_what_cannot_be_bought(client: ShopClient, lamp: Thing, hidden: str) -> None:
    ask(client, lamp.variant)
    stock.adjust(lamp.variant, 1)
    change(hidden)
    assert (stock.tell_who_waits(), ask(client, lamp.variant, "late@example.com")) == (0, 404)


def test_many_who_tell_at_once_tell_once(client: ShopClient, lamp: Thing) -> None:
    for number in range(5):
        ask(client, lamp.variant, f"w{number}@example.com")
    stock.adjust(lamp.variant, 1)
    assert sum(at_once(4, lambda _: stock.tell_who_waits())) == 5
    assert len(told()) == 5 and rows("SELECT COUNT(*) FROM stock_requests") == [(0,)]


def test_the_mail_and_the_wish_go_together(client: ShopClient, lamp: Thing, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(client, lamp.variant)
    stock.adjust(lamp.variant, 1)
    monkeypatch.setattr(mail, "enqueue", lambda *_, **__: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        stock.tell_who_waits()
    assert rows("SELECT COUNT(*) FROM stock_requests") == [(1,)]


def test_the_answer_is_the_same_for_everybody_and_a_flood_is_kept_from_them(client: ShopClient, lamp: Thing, mug: Thing, alice: User) -> None:
    assert [ask(client, lamp.variant, alice.email), ask(client, mug.variant), ask(client.as_(alice), lamp.variants[1], alice.email)] == [202] * 3
    assert rows("SELECT user_id FROM stock_requests WHERE email = %s ORDER BY id", alice.email) == [(None,), (alice.id,)]
    with db.reading() as tx:
        for number in range(stock.MOST_REQUESTS):
            row = factories.product(f"Thing {number}", stock=0)
            tx.execute(
                "INSERT INTO stock_requests (variant_id, email, email_key, created_at) VALUES (%s, 'v@example.com', 'v@example.com', UTC_TIMESTAMP(6))",
                (row.variant,),
            ).close()
    assert ask(client, lamp.variant, "V@example.com") == 202
    assert rows("SELECT COUNT(*) FROM stock_requests WHERE email_key = 'v@example.com'") == [(stock.MOST_REQUESTS,)]


def test_asking_has_a_limit_and_wants_an_address(shop_with: Make, client: ShopClient, lamp: Thing) -> None:
    assert [ask(client, lamp.variant, wrong) for wrong in ("", "no address", "a@b\r\nBcc: c@example.com")] == [422] * 3
    eager: Any = shop_with(limits=True).test_client()
    statuses = [ask(eager, lamp.variant, f"w{number}@example.com") for number in range(21)]
    assert statuses == [202] * 20 + [429]


def test_wishes_of_a_year_ago_are_forgotten(client: ShopClient, lamp: Thing) -> None:
    ask(client, lamp.variant)
    ask(client, lamp.variants[1])
    change("UPDATE stock_requests SET created_at = created_at - INTERVAL 366 DAY WHERE variant_id = %s", lamp.variant)
    stock.tell_who_waits()
    assert rows("SELECT variant_id FROM stock_requests") == [(lamp.variants[1],)]
