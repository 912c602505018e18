from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import write
from flask import Flask

from app import db
from app.config import ROOT
from app.db import Tx, q
from app.private_database import PrivateDatabase
from app.services import catalogue, discovery, products, search_index

LIST = "/api/v1/products"
Indexed = Callable[[], int]


# ---------------------------------------------------------------- what is found


@pytest.fixture
def window(shop: Flask, indexed: Indexed) -> None:
    factories.product("Stoneware mug", brand="Hearth", tags=["kitchen", "gift"])
    factories.product("Café au lait bowl", brand="Olivier", tags=["breakfast"])
    factories.product("The Alice's wonder T-shirt", brand="Field", tags=["100% cotton", "wear_me"], slug="shirt")
    factories.product("Wi-Fi lamp", brand="Lumen", tags=["mug-sized"], variants=[{"sku": "LMP-01/b"}])
    factories.product("100% wool", brand="Moor", tags=["blanket"], description="<p>Keeps a tea<b>pot</b> warm &amp; dry</p>")
    factories.product("日本酒の杯", brand="Kura", tags=["sake"], slug="sake")
    factories.product("🍵 tea sampler", brand="Kura", slug="tea")
    factories.product("_under", brand="Odd")
    factories.product("C++ in a week", brand="Books")
    indexed()


MUGS = ["Stoneware mug", "Wi-Fi lamp"]
SHIRT = "The Alice's wonder T-shirt"


FOUND = [
    ("mug", MUGS),
    ("MUG", MUGS),
    ("stone", ["Stoneware mug"]),
    ("ware", ["100% wool"]),
    ("mug stone", ["Stoneware mug"]),
    ("stone hearth gift", ["Stoneware mug"]),
    ("hearth", ["Stoneware mug"]),
    ("mug zebra", []),
    ("cafe", ["Café au lait bowl"]),
    ("CAFÉ", ["Café au lait bowl"]),
    ("cafe\u0301", ["Café au lait bowl"]),
    ("alice's", [SHIRT]),
    ("t-shirt", [SHIRT]),
    ("the shirt", [SHIRT]),
    ("a shirt for the", [SHIRT]),
    ("the", [SHIRT]),
    ("wi-fi", ["Wi-Fi lamp"]),
    ("wi", ["Wi-Fi lamp"]),
    ("100%", ["100% wool", SHIRT]),
    ("warm", ["100% wool"]),
    ("dry", ["100% wool"]),
    ("amp", []),
    ("%", []),
    ("_", ["_under"]),
    ("\\", []),
    ("日本酒", ["日本酒の杯"]),
    ("日本", ["日本酒の杯"]),
    ("🍵", ["🍵 tea sampler"]),
    ("🍺", []),
    ("c++", ["C++ in a week", "Café au lait bowl", SHIRT]),
    ("+mug -stone", ["Stoneware mug"]),
    ("mug*", MUGS),
    ("(mug", MUGS),
    ('"mug stone"', ["Stoneware mug"]),
    ("title:mug", []),
    ("mug AND lamp", ["Wi-Fi lamp"]),
    ("***", []),
    ('@@ ((( ""', []),
    ("' OR 1=1 -- mug", []),
    ("mug\n\tstone", ["Stoneware mug"]),
    ("x" * 120, []),
    ("mug " * 30, MUGS),
    ("LMP-01/b", ["Wi-Fi lamp"]),
    ("lmp-01/B ", ["Wi-Fi lamp"]),
    ("LMP-01", []),
    ("stonware", ["Stoneware mug"]),
    ("stonewarre", ["Stoneware mug"]),
    ("stoneqare", ["Stoneware mug"]),
    ("lmap", ["Wi-Fi lamp"]),
    ("sotneware mgu", []),
    ("sotneware mug", ["Stoneware mug"]),
    ("nug", []),
    ("stqneqare", []),
]


def test_a_search_finds_what_has_every_word(client: ShopClient, window: None) -> None:
    for text, titles in FOUND:
        answer = client.get(LIST, query_string={"q": text, "sort": "name"}).json
        assert ([item["title"] for item in answer["items"]], answer["total"]) == (sorted(titles, key=str.casefold), len(titles)), text
        assert sorted(client.titles(q=text)) == sorted(titles), text


@pytest.mark.parametrize("text", ["", " ", "\u3000"])
def test_a_search_for_nothing_shows_everything(client: ShopClient, window: None, text: str) -> None:
    assert len(client.titles(q=text)) == 9


def test_relevance_of_nothing_is_newest_first(client: ShopClient, window: None) -> None:
    found = [client.titles(sort=sort) for sort in ("relevance", "newest", "")]
    assert found[0] == found[1] == found[2]
    assert found[0][0] == "C++ in a week"


def test_an_article_number_comes_first_then_title_then_brand_and_tags_then_description(client: ShopClient, indexed: Indexed) -> None:
    kitchen = factories.category("Kitchen oak")
    factories.product("A. Told of in passing", description="<p>Goes well with oak.</p>")
    factories.product("B. Tagged", tags=["oak"])
    factories.product("C. Shelved", category_id=kitchen)
    factories.product("D. Made by", brand="Oak & Sons")
    factories.product("E. Of oakum", stock=9)
    factories.product("F. Oak table")
    factories.product("G. Numbered", variants=[{"sku": "OAK"}])
    indexed()
    found = [title[0] for title in client.titles(q="oak")]
    assert (found[:3], sorted(found[3:6]), found[6:]) == (["G", "F", "E"], ["B", "C", "D"], ["A"])


def test_among_equals_what_can_be_had_and_is_bought_comes_first(client: ShopClient, indexed: Indexed) -> None:
    plain, gone, bought = (factories.product(f"Mug {name}", stock=stock) for name, stock in (("plain", 1), ("gone", 0), ("bought", 1)))
    write("UPDATE products SET sold_count = 50 WHERE id IN (%s, %s)", bought.id, gone.id)
    indexed()
    assert client.titles(q="mug") == [bought.title, plain.title, gone.title]


def test_pages_of_a_search_have_every_product_once(client: ShopClient, indexed: Indexed) -> None:
    for number in range(30):
        factories.product(f"Oak thing {number}" if number % 3 else f"Thing {number}", tags=["oak"])
    indexed()
    found, after = [], ""
    while after is not None:
        page = client.get(LIST, query_string={"q": "oak", "limit": 7} | ({"after": after} if after else {})).json
        found += [item["title"] for item in page["items"]]
        after = page["next"]
    assert len(found) == len(set(found)) == 30
    assert [title.startswith("Oak") for title in found] == [True] * 20 + [False] * 10


# ---------------------------------------------------------------- among many


@pytest.fixture
def many(shop: Flask, indexed: Indexed, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Some hundreds of products, and samples so small that they are used for so few."""
    monkeypatch.setattr(discovery, "SAMPLE", 8)
    monkeypatch.setattr(discovery, "EXACT", 16)
    monkeypatch.setattr(discovery, "KEY", 0.1)
    ids = [factories.category(name) for name in ("Kitchen", "Garden")]

    def add(tx: Tx) -> None:
        for number in range(400):
            title = f"{'Oak Elm Ash'.split()[number % 3]} {'chair table'.split()[number % 2]}, number {number * 37 % 400}"
            variants = [products.VariantInput(price_minor=100 + number * 7 % 90, stock=number % 4)]
            products.add(tx, products.ProductInput(title=title, slug=f"n{number}", variants=variants, category_id=ids[number % 2]), actor_id=None)

    db.transaction(add)
    write("UPDATE products SET created_at = '2024-05-01' + INTERVAL (id * 7919 MOD 1000) SECOND, sold_count = id * 31 MOD 50")
    write("UPDATE products SET rating_count = id MOD 3, rating_sum = (1 + id MOD 5) * (id MOD 3)")
    indexed()
    with db.reading() as tx:
        cursor = tx.execute("SELECT p.*, v.stock FROM products p JOIN variants v ON v.product_id = p.id")
        rows = [dict(zip(cursor.column_names, row, strict=True)) for row in cursor.fetchall()]
    yield rows
    # Nobody wrote the reviews.
    write("UPDATE products SET rating_sum = 0, rating_count = 0")


ORDER: dict[str, Callable[[dict[str, Any]], Any]] = {
    "newest": lambda row: (-row["created_at"].timestamp(), -row["id"]),
    "price_asc": lambda row: (row["price_minor"], row["id"]),
    "price_desc": lambda row: (-row["price_minor"], -row["id"]),
    "name": lambda row: (row["title"].lower().encode()[:32], row["id"]),
    "rating": lambda row: (-(row["rating_sum"] / row["rating_count"] if row["rating_count"] else 0), -row["rating_count"], -row["id"]),
    "best_selling": lambda row: (-row["sold_count"], -row["id"]),
}


@pytest.mark.parametrize("sort", ORDER)
def test_a_page_is_exact_however_it_was_found(client: ShopClient, many: list[dict[str, Any]], sort: str) -> None:
    garden = max(row["category_id"] for row in many)

    def liked(row: dict[str, Any]) -> bool:
        return row["rating_count"] > 0 and row["rating_sum"] >= 3 * row["rating_count"]

    questions: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
        ({}, lambda row: True),
        ({"q": "oak"}, lambda row: "Oak" in row["title"]),
        ({"q": "oak cha"}, lambda row: "Oak chair" in row["title"]),
        ({"category": "garden"}, lambda row: row["category_id"] == garden),
        ({"price_min": 150, "in_stock": "1"}, lambda row: row["price_minor"] >= 150 and row["stock"] > 0),
        ({"price_max": 102}, lambda row: row["price_minor"] <= 102),
        ({"rating_min": 3}, liked),
        ({"category": "garden", "rating_min": 3, "in_stock": "1"}, lambda row: row["category_id"] == garden and liked(row) and row["stock"] > 0),
    ]
    for query, wanted in questions:
        found: list[int] = []
        after: str | None = ""
        while after is not None:
            page = client.get(LIST, query_string=query | {"sort": sort, "limit": 30} | ({"after": after} if after else {})).json
            found += [item["id"] for item in page["items"]]
            after = page["next"]
        assert found == [row["id"] for row in sorted(filter(wanted, many), key=ORDER[sort])], query


def test_counts_among_many_are_said_to_be_reckoned(client: ShopClient, many: list[dict[str, Any]]) -> None:
    answer = client.get(LIST, query_string={"q": "oak"}).json
    assert answer["approximate"]
    assert 60 < answer["total"] < 250
    assert {one["slug"] for one in answer["facets"]["categories"]} == {"kitchen", "garden"}


def test_the_number_of_all_products_is_exact(client: ShopClient, many: list[dict[str, Any]]) -> None:
    assert client.get(LIST).json["total"] == 400


def test_a_small_result_among_many_is_counted_exactly(client: ShopClient, many: list[dict[str, Any]]) -> None:
    answer = client.get(LIST, query_string={"q": "number 17"}).json
    expected = [row for row in many if any(word.startswith("17") for word in row["title"].split())]
    assert (answer["total"], answer["approximate"]) == (len(expected), False)


def test_a_sample_holds_its_share_of_the_products() -> None:
    depths = [search_index._depth(number) for number in range(1, 100_001)]
    for level in range(1, 8):
        share = sum(depth >= level for depth in depths) * 2**level / 100_000
        assert 0.9 < share < 1.1


@pytest.mark.parametrize(
    ("price", "step"), [(1, 1), (2, 2), (4, 2), (5, 5), (9, 5), (10, 10), (1999, 1000), (2000, 2000), (4999, 2000), (5000, 5000), (10**12, 10**12)]
)
def test_prices_stand_on_round_steps(price: int, step: int) -> None:
    assert search_index.PRICE_STEPS[search_index.price_step(price)] == step


def test_neighbouring_price_steps_are_joined_to_a_handful() -> None:
    steps = {search_index.price_step(100 * 2**n): 2**n for n in range(10)}
    ranges = discovery._price_ranges(steps)
    assert len(ranges) == discovery.PRICE_RANGES
    assert sum(count for *_, count in ranges) == sum(steps.values())
    assert [high + 1 for _, high, _ in ranges[:-1] if high] == [low for low, *_ in ranges[1:]]
    assert ranges[-1][1] is None


# ---------------------------------------------------------------- no query reads a table


@pytest.fixture(scope="module")
def bench() -> Any:
    sys.path.insert(0, str(ROOT / "bench"))
    return importlib.import_module("lab.goods")


@pytest.fixture
def warehouse(shop: Flask, bench: Any, server: PrivateDatabase) -> Iterator[None]:
    """Fifty thousand generated products, of which the database knows how many there are."""
    connection = db.connect(server.address(owner=True), statement_timeout=60)
    bench.fill(connection, 50_000)
    yield
    cursor = connection.cursor()
    cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
    for table in ("stock_movements", "images", "variants", "products", "categories"):
        cursor.execute(f"TRUNCATE TABLE {table}")
    connection.close()


def test_no_query_of_the_catalogue_reads_a_whole_table(warehouse: None) -> None:
    given: dict[str, Any] = catalogue.NO_FILTERS | {
        **{"after": None, "after_id": None, "limit": 25, "slug": "mug-77", "id": 77, "product_id": 77, "ids": list(range(1, 25))},
        **{"product_ids": list(range(1, 1000)), "at": "2024-01-01", "category_id": 9, "variant_ids": [1, 2, 3], "prefix": None},
    }
    wishes = [{}, {"any_category": False, "category_ids": [9]}, {"in_stock": True}, {"price_min": 500, "price_max": 9000}, {"brand": "Talvik Works"}]
    wishes += [{"rating_min": 4}, {"prefix": "Rust linen%"}]
    read: dict[str, set[str]] = {}
    asked = 0
    with db.reading() as tx:
        for query in (*q.catalogue, *q.discovery, q.trends.list_products):
            if query.kind not in ("rows", "row", "value") or not set(query.params) <= given.keys():
                continue
            for wish in wishes if "in_stock" in query.params else wishes[:1]:
                values = {name: (given | wish)[name] for name in query.params}
                if query.name == "discovery.list_products":
                    values["after"] = 0
                elif query.name == "discovery.list_changes":
                    values["after"] = 5
                sql, bound = query._bind(values)
                cursor = tx.execute(f"EXPLAIN FORMAT = TRADITIONAL {sql}", bound)
                rows = [dict(zip(cursor.column_names, row, strict=True)) for row in cursor.fetchall()]
                whole = {row["table"] for row in rows if row["type"] == "ALL" and not str(row["table"]).startswith("<")}
                # Categories and settings are some dozens, and read as a whole on purpose.
                large = whole - {"c", "categories", "settings"}
                read |= {query.name: large} if large else {}
                asked += 1
    assert read == {}
    assert asked > 40
