from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing
from flask import Flask

from app import db
from app.db import Tx, q
from app.services import catalogue, demo, discovery, products, search_index, settings
from app.services.catalogue import SORTS
from app.services.products import ProductInput, VariantInput

LIST = "/api/v1/products"


def found(client: ShopClient, **query: Any) -> list[str]:
    """The titles that a list gives."""
    answer = client.get(LIST, query_string={"sort": "name"} | query)
    assert answer.status_code == 200, answer.data
    assert answer.json["total"] == len(answer.json["items"]) or answer.json["next"]
    return [item["title"] for item in answer.json["items"]]


def write(sql: str, *params: Any) -> None:
    with db.reading() as tx:
        tx.execute(sql, params).close()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that is run from here on."""
    run: list[str] = []
    execute = Tx.execute

    def noted(self: Tx, sql: str, params: tuple[Any, ...] = ()) -> Any:
        run.append(sql)
        return execute(self, sql, params)

    monkeypatch.setattr(Tx, "execute", noted)
    return run


# ---------------------------------------------------------------- lists and their pages


@pytest.fixture(params=["index", "database"])
def kind(request: pytest.FixtureRequest) -> str:
    """Where lists come from."""
    return str(request.param)


@pytest.fixture
def crowd(shop: Flask, indexed: Callable[[], int], kind: str) -> Iterator[list[dict[str, Any]]]:
    """Sixty products among which hardly anything tells one from the next: two prices, three titles, three moments. With an index and without."""

    def add(tx: Tx) -> None:
        for number in range(60):
            variants = [VariantInput(price_minor=[500, 1000][number % 2])]
            products.add(tx, ProductInput(title=["Cup", "Jug", "Pot"][number % 3], slug=f"thing-{number}", variants=variants, tags=["kitchen"]), actor_id=None)

    db.transaction(add)
    write("UPDATE products SET created_at = '2024-05-01' + INTERVAL (id DIV 2 MOD 3) SECOND, rating_count = id MOD 4")
    write("UPDATE products SET rating_sum = 4 * rating_count, sold_count = id MOD 5")
    if kind == "index":
        indexed()
    with db.reading() as tx:
        cursor = tx.execute("SELECT id, title, price_minor, created_at, rating_count, sold_count FROM products")
        yield [dict(zip(cursor.column_names, row, strict=True)) for row in cursor.fetchall()]
    write("UPDATE products SET rating_sum = 0, rating_count = 0")


ORDER: dict[str, Callable[[dict[str, Any]], Any]] = {
    "newest": lambda row: (-row["created_at"].timestamp(), -row["id"]),
    "price_asc": lambda row: (row["price_minor"], row["id"]),
    "price_desc": lambda row: (-row["price_minor"], -row["id"]),
    "name": lambda row: (row["title"], row["id"]),
    "rating": lambda row: (-min(1, row["rating_count"]), -row["rating_count"], -row["id"]),
    "best_selling": lambda row: (-row["sold_count"], -row["id"]),
}


def in_order(crowd: list[dict[str, Any]], sort: str, kind: str) -> list[int]:
    """Without an index there is nothing to go by but what the database has an order for."""
    known = sort if kind == "index" or sort in catalogue.SORT_FIELDS else "newest"
    return [row["id"] for row in sorted(crowd, key=ORDER[known])]


def walk(client: ShopClient, **query: Any) -> Iterator[list[dict[str, Any]]]:
    """Page after page, to the end."""
    after = ""
    for _ in range(200):
        answer = client.get(LIST, query_string=query | ({"after": after} if after else {}))
        assert answer.status_code == 200, answer.data
        yield answer.json["items"]
        after = answer.json["next"]
        if after is None:
            return
    raise AssertionError("the list never ends")


def test_pages_follow_each_other_without_gap_or_repetition(client: ShopClient, crowd: list[dict[str, Any]], kind: str) -> None:
    for sort, limit in [*itertools.product(SORTS, [7, 30, 60, 100]), ("price_asc", 1)]:
        pages = list(walk(client, sort=sort, limit=limit))
        assert [item["id"] for page in pages for item in page] == in_order(crowd, sort, kind), (sort, limit)
        assert {len(page) for page in pages[:-1]} <= {limit}
        assert 0 < len(pages[-1]) <= limit


@pytest.mark.parametrize("limit", [7, 60])
def test_pages_of_a_search_by_relevance_follow_each_other_too(client: ShopClient, crowd: list[dict[str, Any]], kind: str, limit: int) -> None:
    ids = [item["id"] for page in walk(client, q="kitchen" if kind == "index" else "cup", limit=limit) for item in page]
    assert sorted(ids) == sorted(row["id"] for row in crowd if kind == "index" or row["title"] == "Cup")


@pytest.mark.parametrize("sort", SORTS)
def test_what_comes_or_goes_between_two_pages_moves_nothing_else(
    client: ShopClient, crowd: list[dict[str, Any]], kind: str, sort: str, indexed: Callable[[], int]
) -> None:
    expected = in_order(crowd, sort, kind)
    first = client.get(LIST, query_string={"sort": sort, "limit": 20}).json
    write("UPDATE products SET archived_at = UTC_TIMESTAMP(6) WHERE id IN (%s, %s)", expected[3], expected[19])
    factories.product("Aaa", price_minor=1)
    if kind == "index":
        indexed()
    second = client.get(LIST, query_string={"sort": sort, "limit": 20, "after": first["next"]}).json
    assert [item["id"] for item in second["items"]][:19] == expected[20:39]


def test_every_page_says_how_many_there_are_in_all(client: ShopClient, crowd: list[dict[str, Any]]) -> None:
    first = client.get(LIST).json
    second = client.get(LIST, query_string={"after": first["next"]}).json
    assert (first["total"], second["total"], len(first["items"])) == (60, 60, 24)
    assert first["currency"] == "EUR"


def test_an_empty_shop_has_an_empty_list(client: ShopClient) -> None:
    facets = {"categories": [], "brands": [], "prices": [], "ratings": [], "in_stock": 0}
    assert client.get(LIST).json == {"items": [], "next": None, "total": 0, "approximate": False, "currency": "EUR", "facets": facets}


def test_an_empty_index_has_an_empty_list_too(client: ShopClient, indexed: Callable[[], int]) -> None:
    without = client.get(LIST).json
    indexed()
    assert client.get(LIST).json == without
    assert client.get(LIST, query_string={"q": "mug"}).json == without


def _cursor(position: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


AT = "2024-01-01T00:00:00"
BAD_CURSORS = [
    *("x", "====", "é", "AAAA", "null", _cursor(None), _cursor({}), _cursor([]), _cursor(["newest"]), _cursor("newest"), _cursor([[], "newest", 1])),
    *(_cursor(["database", "price_asc", 100, 1]), _cursor(["database", "name", "Cup", 1]), _cursor(["index", "relevance", 1, 24])),
    *(_cursor(["database", "newest", "yesterday", 1]), _cursor(["database", "newest", 5, 1]), _cursor(["database", "newest", None, 1])),
    *(_cursor(["database", "newest", AT, "x"]), _cursor(["database", "newest", AT, None]), _cursor(["database", "newest", AT, 1, 1])),
    *(_cursor(["database", "newest", [], {}]), _cursor(["database", "newest", AT, -1]), _cursor(["elsewhere", "newest", AT, 1])),
    *(_cursor(["index", "newest", -1]), _cursor(["index", "newest", 2**64]), _cursor(["index", "newest", "5"]), _cursor(["index", "newest", 5, 5])),
]


def test_a_cursor_that_is_none_of_this_list_is_refused(client: ShopClient, crowd: list[dict[str, Any]]) -> None:
    for after in BAD_CURSORS:
        answer = client.get(LIST, query_string={"after": after, "sort": "newest"})
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["after"]), after


def test_a_cursor_of_one_order_does_not_serve_another(client: ShopClient, crowd: list[dict[str, Any]]) -> None:
    cursors = {sort: client.get(LIST, query_string={"sort": sort}).json["next"] for sort in SORTS}
    for one, other in itertools.permutations(SORTS, 2):
        assert client.get(LIST, query_string={"sort": one, "after": cursors[other]}).status_code == 422


def test_a_list_that_began_without_an_index_goes_on_without_it(client: ShopClient, indexed: Callable[[], int]) -> None:
    titles = [factories.product(price_minor=price).title for price in (100, 200, 300, 400)]
    first = client.get(LIST, query_string={"sort": "price_asc", "limit": 2}).json
    indexed()
    second = client.get(LIST, query_string={"sort": "price_asc", "limit": 2, "after": first["next"]}).json
    assert [item["title"] for item in first["items"] + second["items"]] == titles


def test_a_list_that_began_with_an_index_says_so_when_it_is_gone(client: ShopClient, indexed: Callable[[], int], var: Path) -> None:
    things = [factories.product() for _ in range(3)]
    indexed()
    after = client.get(LIST, query_string={"limit": 2}).json["next"]
    search_index.forget(var / "search")
    assert client.get(LIST, query_string={"limit": 2, "after": after}).status_code == 422
    assert len(found(client)) == len(things)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=-1", "sort=cheapest", "price_min=-1", "price_max=1e3", "price_min=x", "in_stock=perhaps", "rating_min=6", "q=" + "x" * 121],
)
def test_a_question_out_of_bounds_is_refused(client: ShopClient, query: str) -> None:
    answer = client.get(f"{LIST}?{query}")
    assert (answer.status_code, list(answer.json["errors"])) == (422, [query.split("=")[0]])


# ---------------------------------------------------------------- filters


@pytest.fixture
def shelves(shop: Flask, indexed: Callable[[], int], kind: str) -> Iterator[dict[str, int]]:
    """Kitchen holds cups and pots, two of them under Pots; Garden holds a rake; a lamp stands nowhere."""
    ids = {name: factories.category(name) for name in ("Kitchen", "Pots", "Garden", "Empty")}
    write("UPDATE categories SET parent_id = %s WHERE id = %s", ids["Kitchen"], ids["Pots"])
    cup = factories.product("Cup", category_id=ids["Kitchen"], price_minor=500, stock=3, brand="Hearth")
    factories.product("Iron pot", category_id=ids["Pots"], price_minor=4000, stock=0)
    factories.product("Tin pot", category_id=ids["Pots"], variants=[{"price_minor": 900, "stock": 0}, {"price_minor": 1500, "stock": 1}])
    factories.product("Rake", category_id=ids["Garden"], price_minor=2000, variants=[{"stock": 0, "tracked": False}])
    lamp = factories.product("Lamp", price_minor=3000, stock=1, brand="Lumen & Sons")
    write("UPDATE products SET rating_sum = 9, rating_count = 2 WHERE id = %s", cup.id)
    write("UPDATE products SET rating_sum = 11, rating_count = 3 WHERE id = %s", lamp.id)
    if kind == "index":
        indexed()
    yield ids
    write("UPDATE products SET rating_sum = 0, rating_count = 0")


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({}, ["Cup", "Iron pot", "Lamp", "Rake", "Tin pot"]),
        ({"category": "kitchen"}, ["Cup", "Iron pot", "Tin pot"]),
        ({"category": "pots"}, ["Iron pot", "Tin pot"]),
        ({"category": "empty"}, []),
        ({"in_stock": "true"}, ["Cup", "Lamp", "Rake", "Tin pot"]),
        ({"in_stock": "false"}, ["Cup", "Iron pot", "Lamp", "Rake", "Tin pot"]),
        ({"price_min": 2000}, ["Iron pot", "Lamp", "Rake"]),
        ({"price_max": 900}, ["Cup", "Tin pot"]),
        ({"price_min": 1000, "price_max": 1400}, ["Tin pot"]),
        ({"price_min": 1501, "price_max": 1999}, []),
        ({"price_min": 3000, "price_max": 1000}, []),
        ({"category": "kitchen", "in_stock": "1", "price_min": 600}, ["Tin pot"]),
        ({"q": "tin", "price_max": 2000}, ["Tin pot"]),
        ({"brand": "Hearth"}, ["Cup"]),
        ({"brand": "Lumen & Sons", "price_min": 3000}, ["Lamp"]),
        ({"brand": "Hear"}, []),
        ({"rating_min": 5}, []),
        ({"rating_min": 4}, ["Cup"]),
        ({"rating_min": 3}, ["Cup", "Lamp"]),
        ({"rating_min": 1, "in_stock": "1"}, ["Cup", "Lamp"]),
    ],
)
def test_filters_leave_what_was_asked_for(client: ShopClient, shelves: dict[str, int], query: dict[str, Any], titles: list[str]) -> None:
    assert found(client, **query) == titles


def test_an_unknown_category_is_404(client: ShopClient, shelves: dict[str, int]) -> None:
    assert client.get(LIST, query_string={"category": "attic"}).status_code == 404
    assert client.get(LIST, query_string={"category": "KITCHEN"}).status_code == 404


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        ({}, {"kitchen": 3, "pots": 2, "garden": 1}),
        ({"category": "garden"}, {"kitchen": 3, "pots": 2, "garden": 1}),
        ({"in_stock": "true"}, {"kitchen": 2, "pots": 1, "garden": 1}),
        ({"q": "tin", "category": "garden"}, {"kitchen": 1, "pots": 1}),
        ({"price_max": 100}, {}),
    ],
)
def test_facets_count_what_each_category_would_give(client: ShopClient, shelves: dict[str, int], query: dict[str, Any], counts: dict[str, int]) -> None:
    facets = client.get(LIST, query_string=query).json["facets"]["categories"]
    assert {facet["slug"]: facet["count"] for facet in facets} == counts


@pytest.mark.parametrize("kind", ["index"])
def test_facets_count_brands_prices_ratings_and_what_is_in_stock(client: ShopClient, shelves: dict[str, int]) -> None:
    facets = client.get(LIST).json["facets"]
    assert facets["brands"] == [{"name": "Hearth", "count": 1}, {"name": "Lumen & Sons", "count": 1}]
    assert facets["ratings"] == [{"min": 4, "count": 1}, {"min": 3, "count": 2}, {"min": 2, "count": 2}, {"min": 1, "count": 2}]
    assert facets["in_stock"] == 4
    assert [(one["min_minor"], one["max_minor"], one["count"]) for one in facets["prices"]] == [(500, 999, 2), (2000, None, 3)]


@pytest.mark.parametrize("kind", ["index"])
def test_a_facet_leaves_its_own_filter_aside_and_heeds_the_others(client: ShopClient, shelves: dict[str, int]) -> None:
    answer = client.get(LIST, query_string={"brand": "Hearth", "price_max": 400, "in_stock": "1", "rating_min": 4}).json
    assert (answer["total"], answer["facets"]["brands"], answer["facets"]["ratings"]) == (0, [], [])
    assert [one["count"] for one in answer["facets"]["prices"]] == [1]


@pytest.mark.parametrize("kind", ["index"])
def test_what_a_facet_promises_its_filter_gives(client: ShopClient, shelves: dict[str, int]) -> None:
    facets = client.get(LIST).json["facets"]
    for price in facets["prices"]:
        bounds = {"price_min": price["min_minor"]} | ({} if price["max_minor"] is None else {"price_max": price["max_minor"]})
        assert client.get(LIST, query_string=bounds).json["total"] == price["count"]
    for name, key, given in (("brands", "name", "brand"), ("ratings", "min", "rating_min"), ("categories", "slug", "category")):
        for one in facets[name]:
            assert client.get(LIST, query_string={given: one[key]}).json["total"] == one["count"]
    assert client.get(LIST, query_string={"in_stock": "1"}).json["total"] == facets["in_stock"]


def test_categories_tell_their_place_and_how_much_they_hold(client: ShopClient, shelves: dict[str, int]) -> None:
    rows = {item["slug"]: item for item in client.get("/api/v1/categories").json["items"]}
    assert {slug: row["product_count"] for slug, row in rows.items()} == {"kitchen": 3, "pots": 2, "garden": 1, "empty": 0}
    assert rows["pots"]["parent_id"] == shelves["Kitchen"]
    assert rows["kitchen"]["parent_id"] is None


# ---------------------------------------------------------------- one product


@pytest.fixture
def shirt(shop: Flask) -> Thing:
    return factories.product(
        "Linen shirt",
        description="<p>Cool &amp; light</p>",
        brand="Field",
        tags=["linen", "summer"],
        category_id=factories.category("Clothes"),
        option_names=("Size", "Colour", ""),
        images=[("demo/front.svg", "Front", 800, 800), ("demo/back.svg", "Back", 800, 800)],
        variants=[
            {"options": ("S", "Sand", ""), "price_minor": 3900, "stock": 2, "sku": "LS-S", "compare_at_minor": 4900, "image": 1},
            {"options": ("M", "Sand", ""), "price_minor": 3900, "stock": 0},
            {"options": ("M", "Sea", ""), "price_minor": 4500, "stock": 5, "tracked": False, "weight_g": 210, "barcode": "4006381333931"},
        ],
    )


def test_a_product_tells_everything_that_its_page_shows(client: ShopClient, shirt: Thing) -> None:
    product = client.get(f"{LIST}/{shirt.slug}").json
    assert (product["title"], product["brand"], product["tags"]) == ("Linen shirt", "Field", ["linen", "summer"])
    assert (product["price_minor"], product["price_max_minor"], product["compare_at_minor"]) == (3900, 4500, 4900)
    assert (product["stock"], product["in_stock"], product["variant_count"], product["currency"]) == (7, True, 3, "EUR")
    assert product["category"]["slug"] == "clothes"
    assert product["options"] == [{"name": "Size", "values": ["S", "M"]}, {"name": "Colour", "values": ["Sand", "Sea"]}]
    assert [image["src"] for image in product["images"]] == ["/media/demo/front.svg", "/media/demo/back.svg"]
    assert product["image"] == {"src": "/media/demo/front.svg", "alt": "Front", "width": 800, "height": 800}
    small, _, sea = product["variants"]
    assert small["options"] == {"Size": "S", "Colour": "Sand"}
    assert (small["sku"], small["image"]["alt"]) == ("LS-S", "Back")
    assert (sea["tracked"], sea["weight_g"], sea["barcode"], sea["sku"], sea["image"]) == (False, 210, "4006381333931", None, None)


def test_a_plain_product_has_one_variant_and_no_options(client: ShopClient, mug: Thing) -> None:
    product = client.get(f"{LIST}/{mug.slug}").json
    assert product["options"] == []
    assert [(variant["id"], variant["options"], variant["stock"]) for variant in product["variants"]] == [(mug.variant, {}, 5)]
    assert product["image"] is None


def test_a_product_is_found_by_its_id_too(client: ShopClient, mug: Thing) -> None:
    answer = client.get(f"{LIST}/{mug.id}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/api/v1/products/{mug.slug}")
    assert client.get(f"{LIST}/{mug.id + 1000}").status_code == 404


def test_a_card_and_its_page_tell_the_same(client: ShopClient, shirt: Thing, mug: Thing) -> None:
    for card in client.get(LIST).json["items"]:
        product = client.get(f"{LIST}/{card['slug']}").json
        assert {name: product[name] for name in card} == card


@pytest.mark.parametrize("hidden", ["published = FALSE", "archived_at = UTC_TIMESTAMP(6)"])
def test_what_is_put_away_or_not_published_is_nowhere(client: ShopClient, shirt: Thing, hidden: str, indexed: Callable[[], int]) -> None:
    indexed()
    write(f"UPDATE products SET {hidden}")
    db.transaction(lambda tx: discovery.mark(tx, [shirt.id]))
    indexed()
    empty = client.get(LIST).json
    assert (empty["items"], empty["total"], empty["facets"]["categories"]) == ([], 0, [])
    assert found(client, q="linen") == found(client, q="li") == found(client, category="clothes") == []
    assert client.get("/api/v1/categories").json["items"][0]["product_count"] == 0
    assert client.get(f"/products/{shirt.slug}").status_code == (410 if hidden.startswith("archived") else 404)
    for path in (f"{LIST}/{shirt.slug}", f"{LIST}/{shirt.id}"):
        assert client.get(path).status_code == 404
    assert client.add(shirt.variant).status_code == 404


def test_a_variant_that_is_put_away_is_not_shown_nor_counted(client: ShopClient, shirt: Thing) -> None:
    write("UPDATE variants SET archived_at = UTC_TIMESTAMP(6) WHERE id IN (%s, %s)", shirt.variants[1], shirt.variants[2])
    write("UPDATE products SET price_max_minor = 3900")
    product = client.get(f"{LIST}/{shirt.slug}").json
    assert [variant["id"] for variant in product["variants"]] == [shirt.variants[0]]
    assert (product["stock"], product["variant_count"], product["options"][0]["values"]) == (2, 1, ["S"])


def test_a_new_price_moves_the_product_in_the_list(client: ShopClient, shop: Flask) -> None:
    cheap, dear = factories.product("Cheap", price_minor=100), factories.product("Dear", price_minor=200)
    version = client.get(f"{LIST}/{cheap.slug}").json["version"]
    factories.set_price(cheap.variant, 300)
    assert found(client, sort="price_asc") == [dear.title, cheap.title]
    assert found(client, price_min=250) == [cheap.title]
    assert client.get(f"{LIST}/{cheap.slug}").json["version"] == version + 1


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Stoneware mug, 2 pieces!", "stoneware-mug-2-pieces"),
        ("  --  ", "product"),
        ("日本酒", "product"),
        ("x" * 300, "x" * 180),
        ("Été à Gießen", "ete-a-giessen"),
        ("1984", "product-1984"),
    ],
)
def test_an_address_is_made_from_the_title(title: str, slug: str) -> None:
    assert products.slug_from(title) == slug


# ---------------------------------------------------------------- what a list costs


def _cost(client: ShopClient, statements: list[str], path: str) -> int:
    client.get("/api/v1/categories")
    statements.clear()
    assert client.get(path).status_code == 200
    return len(statements)


def test_a_list_costs_the_same_however_long_it_is(
    client: ShopClient, statements: list[str], shelves: dict[str, int], kind: str, indexed: Callable[[], int], between_looks: None
) -> None:
    paths = [LIST, f"{LIST}?category=kitchen", f"{LIST}?q=tin", f"{LIST}?sort=name&in_stock=1", "/api/v1/categories"]
    few = [_cost(client, statements, path) for path in paths]
    for number in range(20):
        factories.product(f"Tin {number}", category_id=shelves["Kitchen"], images=[("demo/pot.svg", "", 800, 800)], variants=[{}, {}])
    if kind == "index":
        indexed()
    assert [_cost(client, statements, path) for path in paths] == few
    # The cards; without an index the page, its number and that of each category.
    assert few == ([1, 1, 1, 1, 0] if kind == "index" else [3, 3, 3, 3, 1])


def test_a_product_costs_the_same_whatever_it_has(client: ShopClient, statements: list[str], shirt: Thing, mug: Thing, between_looks: None) -> None:
    costs = {_cost(client, statements, f"{LIST}/{thing.slug}") for thing in (shirt, mug)}
    assert costs == {3}  # product, variants, pictures


MANY = 4000
NUMBERS = "JSON_TABLE(CONCAT('[0', REPEAT(',0', {} - 1), ']'), '$[*]' COLUMNS (seq FOR ORDINALITY))"


@pytest.fixture
def warehouse(shop: Flask, owner_connection: Any) -> Any:
    """Four thousand products in forty categories, and a database that knows their number."""
    cursor = owner_connection.cursor()
    cursor.execute(f"INSERT INTO categories (slug, name) SELECT CONCAT('c', seq), CONCAT('Category ', seq) FROM {NUMBERS.format(40)} s")
    cursor.execute(
        "INSERT INTO products (slug, title, description, category_id, tags, price_minor, price_max_minor, created_at, updated_at)"
        " SELECT CONCAT('p', s.seq), CONCAT('Thing ', MOD(s.seq * 37, 1000)), '', c.id, IF(MOD(s.seq, 50), '', 'rare'),"
        " 100 + MOD(s.seq, 60), 100 + MOD(s.seq, 60), '2024-01-01' + INTERVAL s.seq MINUTE, '2024-01-01'"
        f" FROM {NUMBERS.format(MANY)} s JOIN categories c ON c.slug = CONCAT('c', 1 + MOD(s.seq, 40))"
    )
    cursor.execute("INSERT INTO variants (product_id, position, price_minor) SELECT id, 1, price_minor FROM products WHERE slug LIKE 'p%'")
    cursor.execute("ANALYZE TABLE products, categories, variants, images")
    cursor.fetchall()
    cursor.close()
    return owner_connection


def _rows_read(tx: Tx) -> int:
    rows = tx.execute("SHOW SESSION STATUS WHERE variable_name LIKE 'Handler_read%%'").fetchall()
    return sum(int(value) for _, value in rows)


def _wish(tx: Tx, **more: Any) -> dict[str, Any]:
    nothing = dict(catalogue.NO_FILTERS)
    middle = tx.execute("SELECT created_at, price_minor, title, id FROM products ORDER BY {} LIMIT 1 OFFSET 2000".format(more.pop("by"))).fetchone()
    values = dict(zip(("created_at", "price_minor", "title"), middle, strict=False))
    return nothing | {"after": values[more.pop("field")], "after_id": middle[3]} | more


BY = {"newest": "created_at DESC, id DESC", "price_asc": "price_minor, id", "price_desc": "price_minor DESC, id DESC", "name": "title, id"}


@pytest.mark.parametrize("in_category", [False, True])
def test_a_page_reads_little_more_than_it_shows_however_long_the_list(warehouse: Any, in_category: bool) -> None:
    read = {}
    with db.reading() as tx:
        (category,) = tx.execute("SELECT id FROM categories WHERE slug = 'c7'").fetchone()
        for sort in catalogue.SORT_FIELDS:
            wish = _wish(tx, by=BY[sort], field=catalogue.SORT_FIELDS[sort])
            if in_category:
                wish |= {"any_category": False, "category_ids": [category]}
            for place, position in {"first": {"after": None, "after_id": None}, "middle": {}}.items():
                before = _rows_read(tx)
                page = q.catalogue.list_products[sort](tx, **wish | position, limit=25)
                read[sort, place] = _rows_read(tx) - before
                assert len(page) == 25 or in_category
    # Some ten look-ups dress each of the 25 rows of a page; reading the list itself would be thousands.
    assert {key: rows for key, rows in read.items() if rows > 700} == {}


@pytest.mark.parametrize("in_category", [False, True])
@pytest.mark.parametrize("sort", catalogue.SORT_FIELDS)
def test_a_page_is_cut_from_an_index_that_holds_its_order(warehouse: Any, sort: str, in_category: bool) -> None:
    query = q.catalogue.list_products[sort]
    with db.reading() as tx:
        wish = _wish(tx, by=BY[sort], field=catalogue.SORT_FIELDS[sort])
        if in_category:
            wish |= {"any_category": False, "category_ids": [tx.execute("SELECT MAX(id) FROM categories").fetchone()[0]]}
        sql, values = query._bind(wish | {"after": None, "after_id": None, "limit": 25})
        cursor = tx.execute(f"EXPLAIN FORMAT = TRADITIONAL {sql}", values)
        plan = [dict(zip(cursor.column_names, row, strict=True)) for row in cursor.fetchall()]
    (cut,) = [row for row in plan if row["select_type"] == "DERIVED"]
    assert cut["key"].startswith("ix_products_category" if in_category else "ix_products_listed"), cut
    assert "filesort" not in (cut["Extra"] or ""), cut


# ---------------------------------------------------------------- the demo shop


@pytest.fixture
def demo_shop(shop: Flask, tmp_path: Path) -> Path:
    demo.load(tmp_path)
    return tmp_path


def test_the_whole_demo_comes_in(client: ShopClient, demo_shop: Path) -> None:
    handles = {row["Handle"] for row in demo._read("catalogue.csv")}
    items = [item for page in walk(client, sort="name", limit=100) for item in page]
    assert {item["slug"] for item in items} == handles
    assert len(handles) >= 20
    assert all(item["category"] and item["image"] and item["description"] for item in items)
    assert [item["slug"] for item in items if not item["brand"]] == ["gift-card"]
    categories = client.get("/api/v1/categories").json["items"]
    assert {row["slug"] for row in demo._read("categories.csv")} == {row["slug"] for row in categories}
    assert all(row["product_count"] and row["image"] and row["description"] for row in categories)


def test_every_picture_of_the_demo_is_there_and_is_no_more_than_a_picture(client: ShopClient, demo_shop: Path) -> None:
    sources = {row["image"]["src"] for row in client.get("/api/v1/categories").json["items"]}
    for page in walk(client, limit=100):
        for item in page:
            product = client.get(f"{LIST}/{item['slug']}").json
            assert product["images"]
            assert all(image["alt"] for image in product["images"])
            sources |= {image["src"] for image in product["images"]}
    for source in sources:
        picture = (demo_shop / source.removeprefix("/media/")).read_text(encoding="utf-8")
        assert picture.lstrip().startswith("<svg")
        assert not [word for word in ("<script", "onload", "javascript:", "<foreignObject", 'href="http') if word in picture], source


def test_the_demo_has_something_of_everything(client: ShopClient, demo_shop: Path) -> None:
    products = [client.get(f"{LIST}/{item['slug']}").json for page in walk(client, limit=100) for item in page]
    assert any(product["options"] for product in products) and not all(product["options"] for product in products)
    assert any(product["compare_at_minor"] for product in products)
    assert any(not product["in_stock"] for product in products)
    skus = [variant["sku"] for product in products for variant in product["variants"] if variant["sku"]]
    assert len(set(skus)) == len(skus) > 0


def test_the_demo_goes_away_when_the_owner_says_so(client: ShopClient, demo_shop: Path) -> None:
    own = factories.product("The owner's own")
    count = client.get(LIST).json["total"] - 1
    assert db.transaction(demo.remove) == count
    assert found(client) == [own.title]
    assert client.get("/api/v1/categories").json["items"] == []
    assert db.transaction(demo.remove) == 0


def test_a_demo_category_that_the_owner_uses_stays(client: ShopClient, demo_shop: Path) -> None:
    kept = client.get("/api/v1/categories").json["items"][0]
    factories.product("The owner's own", category_id=kept["id"])
    db.transaction(demo.remove)
    assert [item["slug"] for item in client.get("/api/v1/categories").json["items"]] == [kept["slug"]]


def test_an_order_of_a_demo_product_outlives_the_demo(client: ShopClient, demo_shop: Path) -> None:
    item = next(item for item in client.get(LIST, query_string={"in_stock": "1"}).json["items"] if item["variant_count"] == 1)
    client.post("/api/v1/cart/items", json={"product_id": item["id"], "quantity": 1})
    order = client.order(email="guest@example.com").json
    db.transaction(demo.remove)
    again = client.get(f"/api/v1/orders/{order['number']}?token={order['token']}").json
    assert [line["title"] for line in again["items"]] == [item["title"]]


def test_a_demo_that_breaks_off_leaves_nothing_behind(client: ShopClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "add", lambda *_, **__: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        demo.load(tmp_path)
    assert client.get("/api/v1/categories").json["items"] == []


def test_prices_of_the_demo_are_read_in_the_shops_currency(client: ShopClient, tmp_path: Path) -> None:
    row = next(row for row in demo._read("catalogue.csv") if row["Variant Price"])
    demo.load(tmp_path)
    euros, _, cents = row["Variant Price"].partition(".")
    prices = [variant["price_minor"] for variant in client.get(f"{LIST}/{row['Handle']}").json["variants"]]
    assert int(euros) * 100 + int(cents or 0) in prices
    assert settings.currency() == "EUR"
