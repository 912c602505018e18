"""What one visitor searched never changes what another one sees: remembered counts equal those of a fresh process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import write
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import db
from app.db import Tx
from app.services import catalogue, discovery, products
from app.services import settings as shop_settings
from app.services.catalogue import ProductList, Wish
from app.services.search_index import Reader

LIST = "/api/v1/products"
Indexed = Callable[[], int]
CATEGORIES = ("Kitchen", "Garden")
MATERIALS = "Oak Elm Ash".split()
SHAPES = "chair table mug".split()

# One search in many raw forms, and texts that differ only in what a SKU or a list of words makes of them.
TEXTS = [
    "",
    " ",
    "\u3000",
    "LMP-01/b",
    "lmp 01 b",
    "LMP 01 B",
    '"lmp-01/b"',
    "lmp-01/B ",
    "01 b lmp",
    "the lmp 01 b",
    "oak chair",
    "chair oak",
    "OAK  chair",
    '"oak chair"',
    "the oak chair",
    "oka chair",
    "oak cha",
    "oak",
    "oak-7",
    "OAK 7",
    "elm",
    "Elm!",
    "the",
    "xyzzy",
]


def fill_catalog(count: int) -> None:
    ids = [factories.category(name) for name in CATEGORIES]
    factories.product("Reading lamp", variants=[{"sku": "LMP-01/b", "price_minor": 2500}], brand="Lumen")

    def add(tx: Tx) -> None:
        for number in range(count):
            material, shape = MATERIALS[number % 3], SHAPES[number % 2]
            sku = f"{material}-{number}" if number < 20 else None
            variant = products.VariantInput(price_minor=100 + number * 7 % 90, stock=number % 4, sku=sku)
            product = products.ProductInput(
                title=f"{material} {shape} {number}",
                slug=f"n{number}",
                brand=f"Brand {number % 5}",
                variants=[variant],
                category_id=ids[number % 2],
            )
            products.add(tx, product, actor_id=None)

    db.transaction(add)


@pytest.fixture
def sampled(shop: Flask, indexed: Indexed, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A catalog of some hundred products, with samples so small that its totals are estimated."""
    monkeypatch.setattr(discovery, "SAMPLE", 8)
    monkeypatch.setattr(discovery, "EXACT", 16)
    monkeypatch.setattr(discovery, "KEY", 0.1)
    fill_catalog(240)
    write("UPDATE products SET rating_count = id MOD 3, rating_sum = (1 + id MOD 5) * (id MOD 3)")
    indexed()
    yield
    # There are no reviews behind these ratings.
    write("UPDATE products SET rating_sum = 0, rating_count = 0")


def ask_fresh(ask: Callable[[], Any]) -> Any:
    """Return what a process that was never asked anything would respond."""
    reader = discovery._reader
    assert reader
    discovery._reader = Reader(reader._folder)
    try:
        return ask()
    finally:
        discovery._reader = reader


# ---------------------------------------------------------------- two visitors


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("lmp 01 b", "LMP-01/b"),
        ("LMP-01/b", "lmp 01 b"),
        ("the lmp 01 b", "lmp-01/B "),
        ('"lmp-01/b"', "lmp-01/b"),
        ("mug red", "red mug"),
        ("MUG  red", '"mug red"'),
        ("mgu", "mug"),
        (" ", ""),
    ],
)
@pytest.mark.parametrize("filters", [{}, {"brand": "Lumen"}, {"price_min": 100}])
def test_a_search_in_another_raw_form_does_not_change_totals(
    client: ShopClient,
    new_client: Callable[[], ShopClient],
    indexed: Indexed,
    first: str,
    second: str,
    filters: dict[str, Any],
) -> None:
    factories.product("Reading lamp", variants=[{"sku": "LMP-01/b"}], brand="Lumen")
    factories.product("Red mug", brand="Hearth")
    factories.product("Lmp 01 bookmark", brand="Moor")
    indexed()

    def ask(browser: ShopClient, text: str) -> Any:
        return browser.get(LIST, query_string={"q": text, **filters}).json

    ask(client, first)
    seen = ask(new_client(), second)

    assert seen == ask_fresh(lambda: ask(new_client(), second))
    assert seen["total"] == len(seen["items"])


def test_a_blank_search_does_not_make_the_total_of_all_an_estimate(client: ShopClient, sampled: None) -> None:
    client.get(LIST, query_string={"q": " "})

    everything = client.get(LIST).json

    assert (everything["total"], everything["approximate"]) == (241, False)


# ---------------------------------------------------------------- any sequence

queries = st.builds(
    Wish,
    q=st.sampled_from(TEXTS),
    category=st.sampled_from(["", "kitchen", "garden"]),
    brand=st.sampled_from(["", "Brand 1", "Lumen", "Brand unknown"]),
    price_min=st.sampled_from([None, 0, 150]),
    price_max=st.sampled_from([None, 101, 150, 10**6]),
    in_stock=st.booleans(),
    rating_min=st.sampled_from([None, 3]),
    sort=st.sampled_from(["", "newest", "price_asc", "name", "rating"]),
    limit=st.sampled_from([1, 7, 100]),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=st.lists(queries, min_size=2, max_size=12))
def test_every_response_of_a_sequence_equals_that_of_a_fresh_process(sampled: None, sequence: list[Wish]) -> None:
    for wish in sequence:
        page = catalogue.list_products(wish, "EUR")
        assert page == ask_fresh(lambda wish=wish: catalogue.list_products(wish, "EUR")), wish
        _check_total(wish, page)
        if page["next"]:
            after = Wish(**{**wish.__dict__, "after": page["next"]})
            second = catalogue.list_products(after, "EUR")
            assert second == ask_fresh(lambda after=after: catalogue.list_products(after, "EUR")), after
            assert (second["total"], second["approximate"]) == (page["total"], page["approximate"])
            assert second["facets"] == page["facets"]
            assert not {one["id"] for one in page["items"]} & {one["id"] for one in second["items"]}


def _check_total(wish: Wish, page: ProductList) -> None:
    assert bool(page["total"]) == bool(page["items"]), wish
    if page["approximate"]:
        return
    assert page["total"] >= len(page["items"]) + (page["next"] is not None), wish
    if page["next"] is None:
        assert page["total"] == len(page["items"]), wish


@pytest.mark.parametrize("text", ["", "LMP-01/b", "oak", "oak chair", "oak-7", "oka"])
def test_the_pages_of_a_list_add_up_to_its_total(sampled: None, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(discovery, "EXACT", 4096)
    found: list[int] = []
    totals = set()
    after: str | None = ""
    while after is not None:
        page = catalogue.list_products(Wish(q=text, limit=30, after=after), "EUR")
        found += [one["id"] for one in page["items"]]
        totals.add(page["total"])
        after = page["next"]
    assert totals == {len(found)} == {len(set(found))}


def test_a_few_products_between_prices_are_never_counted_as_none(sampled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # As with a million products: a sample so deep that the second, larger one may still hold none of a few.
    monkeypatch.setattr(discovery, "EXACT", 1)
    monkeypatch.setattr(discovery, "_level", lambda bound, deeper=0: 12 if bound > 16 else 0)
    for price in range(100, 190):
        page = catalogue.list_products(Wish(price_min=price, price_max=price), "EUR")
        assert bool(page["total"]) == bool(page["items"]), price


# ---------------------------------------------------------------- bounds and threads


def test_what_is_remembered_of_an_index_is_bounded(sampled: None) -> None:
    assert discovery._reader
    index = discovery._reader.snapshot()
    assert index
    index.memo.max_weight = 500
    for number in range(200):
        catalogue.list_products(Wish(q=f"oak {number}"), "EUR")
        assert index.memo.weight <= 500
    assert len(index.memo) > 0


def test_eviction_by_one_thread_does_not_fail_the_search_of_another(sampled: None) -> None:
    assert discovery._reader
    index = discovery._reader.snapshot()
    assert index
    index.memo.max_weight = 1  # Each value is evicted as soon as it is remembered.

    def search(start: int) -> list[int]:
        return [catalogue.list_products(Wish(q=f"oak {number}", in_stock=True, price_min=1), "EUR")["total"] for number in range(start, start + 20)]

    with ThreadPoolExecutor(4) as pool:
        totals = list(pool.map(search, (0, 20, 40, 60)))

    assert [len(each) for each in totals] == [20] * 4
    assert len(index.memo) == 0


# ---------------------------------------------------------------- the version of the catalog


def test_two_categories_that_exchange_pictures_make_another_version(shop: Flask) -> None:
    first, second = (factories.category(name) for name in CATEGORIES)
    write("UPDATE categories SET image_path = IF(id = %s, 'a.webp', 'b.webp')", first)
    before = catalogue.version()

    write("UPDATE categories SET image_path = IF(id = %s, 'a.webp', 'b.webp')", second)

    assert catalogue.version() != before


def test_two_settings_that_exchange_values_make_another_version(shop: Flask) -> None:
    for name, value in (("low_stock", 14), ("return_days", 5)):
        db.transaction(shop_settings.put, name, value)
    before = catalogue.version()

    write("UPDATE settings SET value = IF(name = 'low_stock', '5', '14') WHERE name IN ('low_stock', 'return_days')")

    assert catalogue.version() != before
