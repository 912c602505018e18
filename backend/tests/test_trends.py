from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, value, write
from flask import Flask

from app.services import trends

LIST = "/api/v1/products"
Indexed = Callable[[], int]


def suggestions(client: ShopClient, text: str) -> Any:
    answer = client.get("/api/v1/search/suggestions", query_string={"q": text})
    assert answer.status_code == 200
    return answer.json


def test_a_keystroke_is_answered_with_searches_categories_and_products(client: ShopClient, indexed: Indexed) -> None:
    kitchen = factories.category("Kitchen")
    mug = factories.product("Stoneware mug", category_id=kitchen, price_minor=1800, images=[("demo/mug.svg", "A mug", 800, 800)])
    factories.product("Stone garden", stock=0)
    indexed()
    found = suggestions(client, "Sto")
    assert found["terms"] == ["stone", "stoneware"]
    assert found["categories"] == [{"slug": "kitchen", "name": "Kitchen"}]
    assert [item["title"] for item in found["products"]] == ["Stoneware mug", "Stone garden"]
    image = {"src": "/media/demo/mug.svg", "alt": "A mug", "width": 800, "height": 800}
    assert found["products"][0]["price_minor"] == 1800
    assert found["products"][0]["image"].items() >= image.items()
    assert (found["products"][0]["slug"], found["products"][0]["id"], found["currency"]) == (mug.slug, mug.id, "EUR")
    assert suggestions(client, "stoneware m")["terms"] == ["stoneware mug"]
    assert suggestions(client, "zebra") == {"terms": [], "categories": [], "products": [], "currency": "EUR"}


def test_without_an_index_titles_are_suggested_all_the_same(client: ShopClient, mug: Thing) -> None:
    assert [item["title"] for item in suggestions(client, "stone")["products"]] == [mug.title]


def test_a_suggestion_costs_the_same_however_much_is_found(client: ShopClient, indexed: Indexed, statements: Callable[[], int], between_looks: None) -> None:
    suggestions(client, "stone")
    costs = []
    for count in (1, 30):
        for _ in range(count):
            factories.product("Stoneware mug", category_id=factories.category(f"Kitchen {count}") if count == 1 else None, slug=os.urandom(4).hex())
        indexed()
        before = statements()
        suggestions(client, "stone")
        costs.append(statements() - before)
    assert costs == [2, 2]  # what is looked for, products


def search_as(shop: Flask, visitors: int, text: str) -> None:
    for number in range(visitors):
        answer = shop.test_client().get(LIST, query_string={"q": text}, headers={"User-Agent": f"browser {number}"})
        assert answer.status_code == 200


def collect(search_folder: Path) -> int:
    trends.collect(search_folder)
    return trends.collect(search_folder)


def test_what_several_look_for_is_trending(client: ShopClient, shop: Flask, mug: Thing, indexed: Indexed, search_folder: Path) -> None:
    factories.product("Oak bowl")
    indexed()
    search_as(shop, 3, "Stoneware  MUG")
    search_as(shop, 4, "bowl")
    search_as(shop, 2, "oak")
    search_as(shop, 5, "zebra")
    assert collect(search_folder) == 9
    assert trends.rank() == 2
    assert client.get("/api/v1/search/trending").json == {"items": ["bowl", "stoneware mug"]}
    assert suggestions(client, "")["terms"] == ["bowl", "stoneware mug"]
    assert suggestions(client, "Stonew")["terms"][0] == "stoneware mug"


def test_a_search_in_the_address_of_the_page_counts_like_one_of_the_api(client: ShopClient, mug: Thing, search_folder: Path) -> None:
    assert client.get("/?q=stoneware").status_code == 200
    assert client.get("/?q=zebra").status_code == 200
    assert client.get("/api/v1/products?q=stoneware").status_code == 200
    collect(search_folder)
    assert value("SELECT GROUP_CONCAT(term) FROM search_visits") == "stoneware"


def test_one_visitor_counts_once_a_day_however_often_they_search(shop: Flask, mug: Thing, search_folder: Path, indexed: Indexed) -> None:
    for _ in range(5):
        search_as(shop, 2, "stoneware")
    assert collect(search_folder) == 10
    assert value("SELECT COUNT(*) FROM search_visits") == 2
    indexed()
    assert trends.rank() == 0


def test_older_searches_count_less_and_go_in_the_end(shop: Flask, mug: Thing, search_folder: Path, indexed: Indexed) -> None:
    factories.product("Stone")
    indexed()
    search_as(shop, 5, "stoneware")
    collect(search_folder)
    write("UPDATE search_visits SET day = UTC_DATE() - INTERVAL 2 DAY")
    search_as(shop, 3, "stone")
    collect(search_folder)
    assert trends.rank() == 2
    assert trends.trending() == {"items": ["stone", "stoneware"]}
    write("UPDATE search_visits SET day = UTC_DATE() - INTERVAL 20 DAY WHERE term = 'stoneware'")
    assert trends.forget_old() == 5


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("  Oak   Table ", "oak table"),
        ("someone@example.com", None),
        ("4111 1111 1111 1111", None),
        ("+32 470 12 34 56", None),
        ("tel 0470123456", None),
        ("iphone 15 pro 512", "iphone 15 pro 512"),
        ("https://example.com/x", None),
        ("x", None),
        ("%%%", None),
        ("a" * 81, None),
    ],
)
def test_what_may_name_a_person_is_never_counted(text: str, term: str | None) -> None:
    assert trends.term_of(text) == term


def test_who_searched_cannot_be_told_from_what_is_kept(shop: Flask, mug: Thing, search_folder: Path) -> None:
    search_as(shop, 1, "stoneware")
    (key,) = search_folder.glob("visitors-*.key")
    key.rename(search_folder / "visitors-2024-01-01.key")
    search_as(shop, 1, "stoneware")
    collect(search_folder)
    # Another key, another name for the same visitor; and the former key is gone.
    assert value("SELECT COUNT(DISTINCT visitor) FROM search_visits") == 2
    assert not (search_folder / "visitors-2024-01-01.key").exists()
    assert value("SELECT COUNT(*) FROM search_visits WHERE visitor LIKE '%%127%%' OR visitor LIKE '%%browser%%'") == 0


def test_a_search_writes_no_row_and_a_full_disk_keeps_nobody_from_searching(client: ShopClient, mug: Thing, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trends, "_key_of", full)
    assert client.titles(q="stoneware") == [mug.title]
    assert value("SELECT COUNT(*) FROM search_visits") == 0


def test_a_file_of_searches_that_was_cut_is_read_as_far_as_it_goes(search_folder: Path, shop: Flask) -> None:
    search_folder.mkdir(exist_ok=True)
    (search_folder / "visits-cut.jsonl").write_bytes(b'{"day":"2024-01-01","term":"oak","visitor":"abc"}\n{"day":"2024-01-01","te')
    assert trends.collect(search_folder) == 1
    assert value("SELECT term FROM search_visits") == "oak"


def test_products_know_how_many_were_sold_of_late(client: ShopClient, alice: Any, indexed: Indexed) -> None:
    first, second, third = (factories.product(f"Mug {number}", stock=9) for number in range(3))
    client.as_(alice)
    numbers = []
    for thing, quantity in ((first, 2), (second, 3), (third, 1), (third, 4)):
        client.add(thing.variant, quantity)
        numbers.append(client.order().json["number"])
    client.post(f"/api/v1/orders/{numbers[3]}/cancellation")
    indexed()
    assert trends.count_sold() == 3
    indexed()
    assert client.titles(sort="best_selling") == [second.title, first.title, third.title]
    assert trends.count_sold() == 0
    write("UPDATE orders SET placed_at = placed_at - INTERVAL 100 DAY WHERE number = %s", numbers[1])
    assert trends.count_sold() == 1
    assert value("SELECT sold_count FROM products WHERE id = %s", second.id) == 0
