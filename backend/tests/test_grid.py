"""The tables of the admin area: pages, search, filters, sorts, and acts on many products at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing
from test_accounts import change, rows

from app import db
from app.services import bulk_actions, categories, grid, product_actions

LIST = "/api/v1/admin/products"
ACTIONS = f"{LIST}/actions"
SORTS = sorted(grid.SORTS)


@pytest.fixture
def desk(client: ShopClient) -> ShopClient:
    return client.as_(factories.user("sam", role="staff"))


def titles(desk: ShopClient, query: str = "") -> list[str]:
    answer = desk.get(f"{LIST}?{query}")
    assert answer.status_code == 200, answer.json
    assert answer.json["total"] == len(answer.json["items"])
    return [one["title"] for one in answer.json["items"]]


def act(desk: ShopClient, action: str, *things: Thing, **more: Any) -> dict[str, Any]:
    scope = {"ids": [thing.id for thing in things]} if things else {}
    answer = desk.post(ACTIONS, json={"action": action} | scope | more)
    assert answer.status_code == 202, answer.json
    return dict(answer.json)


def undo(desk: ShopClient, acted: dict[str, Any]) -> dict[str, Any]:
    answer = desk.post(f"{ACTIONS}/{acted['id']}/undo")
    assert answer.status_code == 202, answer.json
    return dict(answer.json)


def states() -> list[tuple[Any, ...]]:
    return rows("SELECT id, published, archived_at IS NULL, category_id FROM products ORDER BY id")


# ---------------------------------------------------------------- the list


def test_staff_see_drafts_and_what_is_sold_but_archived_goods_only_when_asked(desk: ShopClient) -> None:
    sold, draft, gone = factories.product("Sold"), factories.product("Draft", published=False), factories.product("Gone")
    act(desk, "archive", gone)
    assert set(titles(desk)) == {"Sold", "Draft"}
    assert titles(desk, "status=active") == ["Sold"]
    assert titles(desk, "status=draft") == ["Draft"]
    assert titles(desk, "status=archived") == ["Gone"]
    row = next(one for one in desk.get(LIST).json["items"] if one["id"] == sold.id)
    assert (row["published"], row["archived_at"], row["slug"]) == (True, None, "sold")
    assert next(one for one in desk.get(LIST).json["items"] if one["id"] == draft.id)["published"] is False


def test_a_row_tells_what_its_variants_come_to(desk: ShopClient) -> None:
    sizes = [
        {"options": ("S", "", ""), "stock": 2, "price_minor": 900},
        {"options": ("M", "", ""), "stock": 40, "price_minor": 1100},
        {"options": ("L", "", ""), "tracked": False},
    ]
    factories.product("Shirt", variants=sizes, option_names=("Size", "", ""), category_id=factories.category("Clothes"))
    (row,) = desk.get(LIST).json["items"]
    assert (row["stock"], row["variant_count"], row["low"], row["tracked"]) == (42, 3, True, True)
    assert (row["price_minor"], row["price_max_minor"], row["category"]["name"]) == (900, 1100, "Clothes")


@pytest.mark.parametrize("sort", SORTS)
def test_the_pages_hold_every_product_once_and_in_order(desk: ShopClient, sort: str) -> None:
    for number in range(11):
        factories.product(f"Same {number % 3}", price_minor=1000 + number % 4, slug=f"same-{number}")
    change("UPDATE products SET updated_at = '2030-01-01' WHERE id % 3 = 0")
    found, after = [], ""
    while after is not None:
        page = desk.get(f"{LIST}?sort={sort}&limit=3&after={after}").json
        assert page["total"] == 11
        found += page["items"]
        after = page["next"]
    assert len({one["id"] for one in found}) == len(found) == 11
    column = grid.SORTS[sort][0]
    keys = [(one[column], one["id"]) for one in found]
    assert keys == sorted(keys, reverse=sort in ("updated", "title_desc", "price_desc"))


@pytest.mark.parametrize("sort", ["", "id", "title; DROP TABLE products", "title,(SELECT 1)", "newest", "price_minor", "updated--"])
def test_only_declared_sorts_are_taken(desk: ShopClient, mug: Thing, sort: str) -> None:
    answer = desk.get(LIST, query_string={"sort": sort})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["sort"])


FORGED = [grid.cursor("price", 1, 1), grid.cursor("updated", "2030-01-01", -1)]


@pytest.mark.parametrize("after", ["x", "%00", "W10", "eyJhIjoxfQ", "WyJ1cGRhdGVkIiwieCIsMV0", "é", *FORGED])
def test_a_forged_cursor_is_refused(desk: ShopClient, after: str) -> None:
    assert desk.get(LIST, query_string={"after": after}).status_code in (400, 422)


def test_a_cursor_with_numbers_beyond_the_database_is_refused(desk: ShopClient) -> None:
    for forged in (grid.cursor("price", 2**64 - 1, 1), grid.cursor("price", 1, 2**64 - 1)):
        assert desk.get(f"{LIST}?sort=price&after={forged}").status_code == 422


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("LINEN", ["100% linen"]),
        ("inen", ["100% linen"]),
        ("0%", ["100% linen"]),
        ("%", ["100% linen"]),
        ("_", ["Under_score"]),
        ("!", ["Wow!"]),
        ("Quill", ["Wow!"]),
        ("ql-7", ["Under_score"]),
        ("QL-7", ["Under_score"]),
        ("L-7", []),
        ("' OR 1=1 -- ", []),
        ("\\", []),
    ],
)
def test_search_takes_what_is_typed_at_its_word(desk: ShopClient, search: str, found: list[str]) -> None:
    factories.product("100% linen")
    factories.product("Under_score", variants=[{"sku": "QL-77"}])
    factories.product("Wow!", brand="Quill & Sons")
    wanted = [] if search == "ql-7" else found  # A SKU is what its letters are.
    assert [one["title"] for one in desk.get(LIST, query_string={"q": search}).json["items"]] == wanted


def test_filters_narrow_the_list_together(desk: ShopClient) -> None:
    kitchen = factories.category("Kitchen")
    cups = db.transaction(lambda tx: categories.add(tx, name="Cups"))
    change("UPDATE categories SET parent_id = %s WHERE id = %s", kitchen, cups)
    factories.product("Mug", category_id=cups, stock=2)
    factories.product("Pan", category_id=kitchen, stock=90)
    factories.product("Book", stock=1)
    factories.product("Download", variants=[{"stock": 0, "tracked": False}])
    assert set(titles(desk, "category=kitchen")) == {"Mug", "Pan"}
    assert titles(desk, "category=cups") == ["Mug"]
    assert set(titles(desk, "low=true")) == {"Mug", "Book"}
    assert titles(desk, "low=true&category=kitchen") == ["Mug"]
    assert titles(desk, "category=nowhere") == titles(desk, "category=%C3%A9") == []


def test_a_page_costs_the_same_number_of_statements_however_long_it_is(desk: ShopClient, statements: Callable[[], int]) -> None:
    def cost(query: str) -> int:
        before = statements()
        assert desk.get(f"{LIST}?{query}").status_code == 200
        return statements() - before

    factories.product()
    short = cost("limit=100&q=Thing&low=true")
    for _ in range(12):
        factories.product(variants=[{"options": ("S", "", "")}, {"options": ("M", "", "")}], option_names=("Size", "", ""))
    assert cost("limit=100&q=Thing&low=true") == short


@pytest.mark.parametrize("role", ["customer", ""])
def test_nobody_but_staff_sees_or_changes_products_here(client: ShopClient, mug: Thing, role: str) -> None:
    if role:
        client.as_(factories.user("cleo", role=role))
    wanted = 403 if role else 401
    assert client.get(LIST).status_code == wanted
    assert client.post(ACTIONS, json={"action": "archive", "ids": [mug.id]}).status_code == wanted
    assert states() == [(mug.id, 1, 1, None)]


# ---------------------------------------------------------------- acts on many


@pytest.mark.parametrize(("action", "state"), [("publish", (1, 1)), ("unpublish", (0, 1)), ("archive", (None, 0)), ("restore", (None, 1))])
def test_an_act_reaches_all_that_are_named_and_can_be_taken_back(desk: ShopClient, action: str, state: tuple[int | None, int]) -> None:
    on, off, gone = factories.product("On"), factories.product("Off", published=False), factories.product("Gone")
    other = factories.product("Other")
    act(desk, "archive", gone)
    before = states()

    acted = act(desk, action, on, off, gone)

    for _, published, current, _ in states()[:3]:
        assert current == state[1] if state[0] is None else published == state[0]
    assert states()[3] == (other.id, 1, 1, None)
    assert acted["changed"] == len([1 for old, new in zip(before, states(), strict=True) if old != new]) > 0
    undo(desk, acted)
    assert states() == before


def test_a_category_is_given_to_many_and_each_gets_its_own_back(desk: ShopClient) -> None:
    kitchen, garden = factories.category("Kitchen"), factories.category("Garden")
    things = [factories.product(category_id=kitchen), factories.product(category_id=garden), factories.product()]
    before = states()
    acted = act(desk, "set_category", *things, category_id=garden)
    assert (acted["changed"], {row[3] for row in states()}) == (2, {garden})
    undo(desk, acted)
    assert states() == before
    act(desk, "set_category", *things)
    assert {row[3] for row in states()} == {None}


def test_a_category_that_is_not_there_is_refused(desk: ShopClient, mug: Thing) -> None:
    answer = desk.post(ACTIONS, json={"action": "set_category", "ids": [mug.id], "category_id": 2**40})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["category_id"])


@pytest.mark.parametrize(("percent", "prices"), [(10, [0, 1, 6, 1100]), (-50, [0, 1, 3, 500]), (-99, [0, 1, 1, 10]), (25, [0, 1, 6, 1250])])
def test_prices_change_by_per_cent_to_whole_units_and_never_to_nothing(desk: ShopClient, percent: int, prices: list[int]) -> None:
    sizes = [{"options": (name, "", ""), "price_minor": price} for name, price in (("XS", 0), ("S", 1), ("M", 5), ("L", 1000))]
    shirt = factories.product("Shirt", variants=sizes, option_names=("Size", "", ""))
    acted = act(desk, "change_price", shirt, percent=percent)
    assert acted["changed"] == 1
    assert [row[0] for row in rows("SELECT price_minor FROM variants ORDER BY id")] == prices
    assert rows("SELECT price_minor, price_max_minor, version FROM products") == [(prices[0], prices[-1], 2)]

    assert undo(desk, acted)["changed"] == 1
    assert [row[0] for row in rows("SELECT price_minor FROM variants ORDER BY id")] == [0, 1, 5, 1000]
    assert rows("SELECT price_minor, price_max_minor FROM products") == [(0, 1000)]


def test_a_price_beyond_all_prices_is_refused_and_nothing_changes(desk: ShopClient, mug: Thing) -> None:
    factories.product("Palace", price_minor=10**12)
    answer = desk.post(ACTIONS, json={"action": "change_price", "filter": {}, "percent": 1})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["percent"])
    assert rows("SELECT price_minor FROM variants WHERE id = %s", mug.variant) == [(1800,)]


def test_all_that_match_are_reached_batch_by_batch(desk: ShopClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_actions, "BATCH_SIZE", 3)
    monkeypatch.setattr(bulk_actions, "PLAN_BATCH", 2)
    for number in range(7):
        factories.product(f"Cup {number}")
    factories.product("Pan")

    acted = act(desk, "unpublish", filter={"q": "Cup", "status": "active"})

    assert (acted["status"], acted["total"], acted["done"], acted["changed"]) == ("done", 7, 7, 7)
    assert titles(desk, "status=active") == ["Pan"]


def test_the_statements_of_an_act_do_not_grow_with_a_page_of_products(desk: ShopClient, statements: Callable[[], int]) -> None:
    def cost(count: int) -> int:
        things = [factories.product() for _ in range(count)]
        before = statements()
        act(desk, "change_price", *things, percent=5)
        return statements() - before

    assert cost(1) == cost(9)


def test_search_is_told_an_editor_is_warned_and_the_act_is_on_record(desk: ShopClient, mug: Thing) -> None:
    sam = rows("SELECT id FROM users WHERE username = 'sam'")[0][0]
    change("DELETE FROM product_changes")
    act(desk, "archive", mug)
    act(desk, "archive", mug)
    assert rows("SELECT product_id FROM product_changes") == [(mug.id,)]
    assert rows("SELECT version FROM products") == [(2,)]
    found = rows("SELECT actor_id, subject_kind, subject_id, detail FROM events WHERE kind = 'products_changed'")
    assert found == [(sam, "product", mug.id, '{"action":"archive","count":1}')]


@pytest.mark.parametrize(
    "body",
    [
        {"action": "archive"},
        {"action": "archive", "ids": []},
        {"action": "archive", "ids": [1], "filter": {}},
        {"action": "archive", "ids": ["1"]},
        {"action": "archive", "ids": [2**64]},
        {"action": "archive", "ids": [0]},
        {"action": "archive", "filter": {"limit": 1}},
        {"action": "archive", "filter": {"status": "any"}},
        {"action": "delete", "ids": [1]},
        {"action": "change_price", "ids": [1]},
        {"action": "change_price", "ids": [1], "percent": -100},
        {"action": "change_price", "ids": [1], "percent": 2.5},
    ],
)
def test_an_act_that_says_too_little_or_too_much_is_refused(desk: ShopClient, body: dict[str, Any]) -> None:
    assert desk.post(ACTIONS, json=body).status_code == 422


def test_what_is_not_there_is_passed_over(desk: ShopClient, mug: Thing) -> None:
    acted = act(desk, "archive", ids=[mug.id, 2**40])
    assert (acted["changed"], acted["done"], acted["status"]) == (1, 2, "done")


# ---------------------------------------------------------------- what an editor looks at before saving


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ({"text": "Keeps **rain** out.\n\n- A hood"}, "<p>Keeps <strong>rain</strong> out.</p>\n<ul>\n<li>A hood</li>\n</ul>"),
        ({"text": "<script>alert(1)</script>"}, "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ({"text": "<p onclick='x'>Fine</p><script>alert(1)</script>", "markdown": False}, "<p>Fine</p>"),
    ],
)
def test_a_description_is_shown_as_the_shop_would_show_it(desk: ShopClient, body: dict[str, Any], html: str) -> None:
    assert desk.post("/api/v1/admin/description-previews", json=body).json == {"html": html}


def test_a_description_beyond_all_bounds_is_refused(desk: ShopClient) -> None:
    assert desk.post("/api/v1/admin/description-previews", json={"text": "x" * 200_000}).status_code in (413, 422)
