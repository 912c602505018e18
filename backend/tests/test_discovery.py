from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing
from flask import Flask

from app import db
from app.config import ROOT
from app.db import Tx, q
from app.private_database import PrivateDatabase
from app.services import catalogue, discovery, search_index, trends
from app.services.discovery import Question

LIST = "/api/v1/products"
Indexed = Callable[[], int]


def listed(client: ShopClient, **query: Any) -> list[str]:
    """The titles that a list gives, in its order."""
    answer = client.get(LIST, query_string=query)
    assert answer.status_code == 200, answer.data
    return [item["title"] for item in answer.json["items"]]


def write(sql: str, *params: Any) -> None:
    with db.reading() as tx:
        tx.execute(sql, params).close()


def value(sql: str, *params: Any) -> Any:
    with db.reading() as tx:
        return tx.execute(sql, params).fetchone()[0]


def change(thing: Thing, **columns: Any) -> None:
    """Change a product as the shop does: with a mark in the same transaction."""

    def work(tx: Tx) -> None:
        if columns:
            tx.execute(f"UPDATE products SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s", (*columns.values(), thing.id)).close()
        discovery.mark(tx, [thing.id])

    db.transaction(work)


@pytest.fixture
def folder(var: Path) -> Path:
    return var / "search"


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


@pytest.mark.parametrize(
    ("text", "titles"),
    [
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
        ("@@ ((( \"\"", []),
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
    ],
)  # fmt: skip
def test_a_search_finds_what_has_every_word(client: ShopClient, window: None, text: str, titles: list[str]) -> None:
    answer = client.get(LIST, query_string={"q": text, "sort": "name"}).json
    assert ([item["title"] for item in answer["items"]], answer["total"]) == (sorted(titles, key=str.casefold), len(titles))
    assert sorted(listed(client, q=text)) == sorted(titles)


@pytest.mark.parametrize("text", ["", " ", "\u3000"])
def test_a_search_for_nothing_shows_everything(client: ShopClient, window: None, text: str) -> None:
    assert len(listed(client, q=text)) == 9


def test_relevance_of_nothing_is_newest_first(client: ShopClient, window: None) -> None:
    found = [listed(client, sort=sort) for sort in ("relevance", "newest", "")]
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
    found = [title[0] for title in listed(client, q="oak")]
    assert (found[:3], sorted(found[3:6]), found[6:]) == (["G", "F", "E"], ["B", "C", "D"], ["A"])


def test_among_equals_what_can_be_had_and_is_bought_comes_first(client: ShopClient, indexed: Indexed) -> None:
    plain, gone, bought = (factories.product(f"Mug {name}", stock=stock) for name, stock in (("plain", 1), ("gone", 0), ("bought", 1)))
    write("UPDATE products SET sold_count = 50 WHERE id IN (%s, %s)", bought.id, gone.id)
    indexed()
    assert listed(client, q="mug") == [bought.title, plain.title, gone.title]


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
    ids = [factories.category(name) for name in ("Kitchen", "Garden")]

    def add(tx: Tx) -> None:
        for number in range(400):
            title = f"{'Oak Elm Ash'.split()[number % 3]} {'chair table'.split()[number % 2]}, number {number * 37 % 400}"
            variants = [catalogue.NewVariant(price_minor=100 + number * 7 % 90, stock=number % 4)]
            catalogue.add_product(tx, catalogue.NewProduct(title=title, slug=f"n{number}", variants=variants, category_id=ids[number % 2]))

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
    questions: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
        ({}, lambda row: True),
        ({"q": "oak"}, lambda row: "Oak" in row["title"]),
        ({"q": "oak cha"}, lambda row: "Oak chair" in row["title"]),
        ({"category": "garden"}, lambda row: row["category_id"] == garden),
        ({"price_min": 150, "in_stock": "1"}, lambda row: row["price_minor"] >= 150 and row["stock"] > 0),
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


# ---------------------------------------------------------------- what changes


def test_what_changes_is_found_as_it_is_now(client: ShopClient, indexed: Indexed) -> None:
    thing = factories.product("Copper kettle")
    indexed()
    change(thing, title="Brass kettle", price_minor=1500, price_max_minor=1500)
    assert indexed() == 1
    assert (listed(client, q="copper"), listed(client, q="brass"), listed(client, price_min=1500)) == ([], ["Brass kettle"], ["Brass kettle"])
    write("UPDATE variants SET price_minor = 1500")


@pytest.mark.parametrize("columns", [{"published": False}, {"archived_at": "2024-01-01"}])
def test_what_is_put_away_or_unpublished_vanishes_and_comes_back(client: ShopClient, indexed: Indexed, columns: dict[str, Any]) -> None:
    thing, other = factories.product("Copper kettle"), factories.product("Copper pan")
    indexed()
    change(thing, **columns)
    # Also before the index knows: the database tells.
    assert listed(client, q="copper") == [other.title]
    indexed()
    assert client.get(LIST, query_string={"q": "copper"}).json["total"] == 1
    change(thing, published=True, archived_at=None)
    indexed()
    assert len(listed(client, q="copper")) == 2


def test_a_change_that_commits_late_is_not_missed(client: ShopClient, indexed: Indexed) -> None:
    early, late = factories.product("Early"), factories.product("Late")
    indexed()

    def slow(tx: Tx) -> None:
        tx.execute("UPDATE products SET title = 'Late, renamed' WHERE id = %s", (late.id,)).close()
        discovery.mark(tx, [late.id])
        # Meanwhile a younger note is committed and read.
        threading.Thread(target=change, args=(early,), kwargs={"title": "Early, renamed"}).start()
        deadline = time.monotonic() + 5
        while not listed(client, q="early renamed") and time.monotonic() < deadline:
            indexed()

    db.transaction(slow)
    assert indexed() == 1
    assert listed(client, q="renamed late") == ["Late, renamed"]
    assert indexed() == 0


def test_a_change_in_a_long_transaction_is_noted_again_when_it_is_committed(mug: Thing, monkeypatch: pytest.MonkeyPatch) -> None:
    write("DELETE FROM product_changes")
    change(mug)
    assert value("SELECT COUNT(*) FROM product_changes") == 1
    monkeypatch.setattr(discovery, "OVERLAP", timedelta(0))
    change(mug)
    assert value("SELECT COUNT(*) FROM product_changes") == 3


def test_notes_are_dropped_when_every_keeper_has_read_them_or_begins_anew(mug: Thing, indexed: Indexed, folder: Path, caplog: Any) -> None:
    indexed()
    write("UPDATE product_changes SET changed_at = UTC_TIMESTAMP(6) - INTERVAL 25 HOUR")
    assert discovery.forget_changes() == 1
    path = search_index._current(folder)
    assert path
    search_index._save_state(path, value("SELECT UTC_TIMESTAMP(6)") - search_index.OLDEST - timedelta(minutes=1))
    assert search_index.Keeper(folder).step() == 1
    assert search_index._current(folder) != path


def test_a_category_that_moves_or_is_renamed_takes_its_products_along(client: ShopClient, indexed: Indexed) -> None:
    kitchen, garden, pots = (factories.category(name) for name in ("Kitchen", "Garden", "Pots"))
    write("UPDATE categories SET parent_id = %s WHERE id = %s", kitchen, pots)
    thing = factories.product("Kettle", category_id=pots)
    indexed()
    assert (listed(client, category="kitchen"), listed(client, q="kitchen")) == ([thing.title], [thing.title])
    indexed()
    write("UPDATE categories SET parent_id = %s WHERE id = %s", garden, pots)
    assert indexed() == 1
    assert (listed(client, category="kitchen"), listed(client, category="garden"), listed(client, q="garden")) == ([], [thing.title], [thing.title])
    write("UPDATE categories SET name = 'Vessels' WHERE id = %s", pots)
    assert indexed() == 1
    assert listed(client, q="vessels") == [thing.title]


def test_what_is_sold_out_leaves_the_shelf_of_search_and_comes_back_when_the_order_is_cancelled(client: ShopClient, indexed: Indexed, alice: Any) -> None:
    last, other = factories.product("Last mug", stock=2), factories.product("Other mug", stock=9)
    indexed()
    indexed()
    client.as_(alice).add(last.variant, 2)
    client.add(other.variant)
    number = client.order().json["number"]
    assert indexed() == 1
    assert listed(client, in_stock="1") == [other.title]
    client.post(f"/api/v1/orders/{number}/cancellation")
    assert indexed() == 1
    assert sorted(listed(client, in_stock="1")) == sorted([last.title, other.title])


def test_an_order_that_sells_nothing_out_marks_nothing(client: ShopClient, alice: Any, mug: Thing) -> None:
    write("DELETE FROM product_changes")
    client.as_(alice).add(mug.variant)
    assert client.order().status_code == 201
    assert value("SELECT COUNT(*) FROM product_changes") == 0


def test_a_change_is_found_within_a_second(client: ShopClient, mug: Thing, folder: Path, indexed: Indexed) -> None:
    stop = threading.Event()
    keeper = threading.Thread(target=search_index.keep, args=(folder, stop))
    keeper.start()
    try:
        wait_until(lambda: listed(client, q="stoneware") == [mug.title] and discovery.count_categories() is not None)
        began = time.monotonic()
        change(mug, title="Earthenware mug")
        wait_until(lambda: listed(client, q="earthenware") == ["Earthenware mug"])
        assert time.monotonic() - began < 1
    finally:
        stop.set()
        keeper.join()


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ---------------------------------------------------------------- several processes, and what breaks


def _watch(folder: Path, stop: Any, totals: Any) -> None:
    """Another worker: asks until told to stop, and tells every total it saw."""
    discovery.use(folder)
    seen = set()
    while not stop.is_set():
        found = discovery.find(Question("oak"), "relevance", 5)
        seen.add(found and (found.counts.total, len(found.ids)))
    totals.put(seen)


def test_other_processes_never_see_half_an_index(client: ShopClient, indexed: Indexed, folder: Path) -> None:
    things = [factories.product(f"Oak thing {number}") for number in range(40)]
    indexed()
    context = multiprocessing.get_context("fork")
    stop, totals = context.Event(), context.Queue()
    others = [context.Process(target=_watch, args=(folder, stop, totals)) for _ in range(2)]
    for other in others:
        other.start()
    for _ in range(4):
        search_index.rebuild(folder)
    for thing in things[:5]:
        change(thing, published=False)
        indexed()
    time.sleep(0.1)
    stop.set()
    seen = [totals.get(timeout=10) for _ in others]
    for other in others:
        other.join()
    for one in seen:
        assert one <= {(number, 5) for number in range(35, 41)}
        assert (35, 5) in one


def test_only_one_process_writes(mug: Thing, folder: Path, indexed: Indexed) -> None:
    stops = [threading.Event() for _ in range(2)]
    keepers = [threading.Thread(target=search_index.keep, args=(folder, stop)) for stop in stops]
    for keeper in keepers:
        keeper.start()
    wait_until(lambda: discovery.count_categories() is not None)
    built = search_index._current(folder)
    time.sleep(1.2)
    assert search_index._current(folder) == built
    for stop in stops:
        stop.set()
    for keeper in keepers:
        keeper.join(10)
        assert not keeper.is_alive()


def _files(folder: Path, suffix: str) -> list[Path]:
    path = search_index._current(folder)
    assert path
    return [file for file in path.iterdir() if file.name.endswith(suffix)]


def _truncate(folder: Path) -> None:
    for file in _files(folder, ".idx"):
        file.write_bytes(file.read_bytes()[:20])


def _garble(folder: Path) -> None:
    for file in _files(folder, ".term"):
        file.write_bytes(os.urandom(file.stat().st_size))


def _remove_segment(folder: Path) -> None:
    for file in _files(folder, ".fast"):
        file.unlink()


def _cut_meta(folder: Path) -> None:
    for file in _files(folder, "meta.json"):
        file.write_text('{"segments": [')


def _lose_pointer(folder: Path) -> None:
    (folder / "current").write_text("index-that-never-was")


def _other_version(folder: Path) -> None:
    for file in _files(folder, "state.json"):
        file.write_text('{"version": 0, "until": "2024-01-01T00:00:00"}')


def _garble_state(folder: Path) -> None:
    for file in _files(folder, "state.json"):
        file.write_bytes(b"\x00\xff")


@pytest.mark.parametrize("break_it", [_truncate, _garble, _remove_segment, _cut_meta, _lose_pointer, _other_version, _garble_state])
def test_a_broken_index_is_made_anew_and_the_shop_answers_meanwhile(
    client: ShopClient, mug: Thing, folder: Path, indexed: Indexed, break_it: Callable[[Path], None]
) -> None:
    indexed()
    break_it(folder)
    discovery.use(folder)
    assert listed(client, q="stone") == listed(client) == [mug.title]
    assert client.get("/api/v1/categories").status_code == 200
    assert discovery.count_categories() is None
    assert search_index.Keeper(folder).step() == 1
    assert discovery.count_categories() == {}
    assert listed(client, q="mug") == [mug.title]


def test_a_question_that_fails_takes_the_index_from_nobody(client: ShopClient, mug: Thing, indexed: Indexed, monkeypatch: pytest.MonkeyPatch) -> None:
    indexed()
    with monkeypatch.context() as patch:
        patch.setattr(discovery, "_find", lambda *_: int("x"))
        assert listed(client) == [mug.title]
    assert discovery.find(Question("mug"), "relevance", 5) is not None


def test_a_keeper_that_cannot_write_makes_the_index_anew(client: ShopClient, mug: Thing, folder: Path, indexed: Indexed) -> None:
    indexed()
    _cut_meta(folder)
    change(mug, title="Earthenware mug")
    assert indexed() == 0
    assert indexed() == 1
    assert listed(client, q="earthenware") == ["Earthenware mug"]


def test_a_rebuild_that_fails_leaves_the_former_index(client: ShopClient, mug: Thing, folder: Path, indexed: Indexed, monkeypatch: pytest.MonkeyPatch) -> None:
    indexed()
    monkeypatch.setattr(search_index, "_documents", lambda *_: iter([1 // 0]))
    with pytest.raises(ZeroDivisionError):
        search_index.rebuild(folder)
    assert listed(client, q="mug") == [mug.title]
    assert len(list(folder.glob("index-*"))) == 1


_parents_pool: Any = None


def _rebuild_for_ever(server: PrivateDatabase, folder: Path, begun: Any) -> None:
    # The parent's connections are the parent's; to let go of them here would end them there.
    global _parents_pool
    _parents_pool, db._pool = db._pool, None
    db.open(server.address())
    search_index._documents = lambda *_: (begun.set(), time.sleep(60))  # type: ignore[assignment,return-value,func-returns-value]
    search_index.rebuild(folder)


def test_a_rebuild_that_is_killed_leaves_nothing_in_the_way(client: ShopClient, mug: Thing, folder: Path, indexed: Indexed, server: PrivateDatabase) -> None:
    indexed()
    context = multiprocessing.get_context("fork")
    begun = context.Event()
    other = context.Process(target=_rebuild_for_ever, args=(server, folder, begun))
    other.start()
    assert begun.wait(10)
    assert other.pid
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    assert len(list(folder.glob("index-*"))) == 2
    assert listed(client, q="mug") == [mug.title]
    assert search_index.rebuild(folder) == 1
    assert len(list(folder.glob("index-*"))) == 1


def test_a_rebuild_stops_when_it_is_told_to(mug: Thing, folder: Path, indexed: Indexed) -> None:
    stop = threading.Event()
    stop.set()
    assert search_index.rebuild(folder, stop=stop) is None
    assert list(folder.glob("index-*")) == []


# ---------------------------------------------------------------- suggestions and trends


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


def test_a_suggestion_costs_the_same_however_much_is_found(client: ShopClient, indexed: Indexed, statements: Callable[[], int]) -> None:
    costs = []
    for count in (1, 30):
        for _ in range(count):
            factories.product("Stoneware mug", category_id=factories.category(f"Kitchen {count}") if count == 1 else None, slug=os.urandom(4).hex())
        indexed()
        before = statements()
        suggestions(client, "stone")
        costs.append(statements() - before)
    assert costs == [4, 4]  # the currency, what is looked for, products, categories


def search_as(shop: Flask, visitors: int, text: str) -> None:
    for number in range(visitors):
        answer = shop.test_client().get(LIST, query_string={"q": text}, headers={"User-Agent": f"browser {number}"})
        assert answer.status_code == 200


def collect(folder: Path) -> int:
    trends.collect(folder)
    return trends.collect(folder)


def test_what_several_look_for_is_trending(client: ShopClient, shop: Flask, mug: Thing, indexed: Indexed, folder: Path) -> None:
    factories.product("Oak bowl")
    indexed()
    search_as(shop, 3, "Stoneware  MUG")
    search_as(shop, 4, "bowl")
    search_as(shop, 2, "oak")
    search_as(shop, 5, "zebra")
    assert collect(folder) == 9
    assert trends.rank() == 2
    assert client.get("/api/v1/search/trending").json == {"items": ["bowl", "stoneware mug"]}
    assert suggestions(client, "")["terms"] == ["bowl", "stoneware mug"]
    assert suggestions(client, "Stonew")["terms"][0] == "stoneware mug"


def test_one_visitor_counts_once_a_day_however_often_they_search(shop: Flask, mug: Thing, folder: Path, indexed: Indexed) -> None:
    for _ in range(5):
        search_as(shop, 2, "stoneware")
    assert collect(folder) == 10
    assert value("SELECT COUNT(*) FROM search_visits") == 2
    indexed()
    assert trends.rank() == 0


def test_older_searches_count_less_and_go_in_the_end(shop: Flask, mug: Thing, folder: Path, indexed: Indexed) -> None:
    factories.product("Stone")
    indexed()
    search_as(shop, 5, "stoneware")
    collect(folder)
    write("UPDATE search_visits SET day = UTC_DATE() - INTERVAL 2 DAY")
    search_as(shop, 3, "stone")
    collect(folder)
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


def test_who_searched_cannot_be_told_from_what_is_kept(shop: Flask, mug: Thing, folder: Path) -> None:
    search_as(shop, 1, "stoneware")
    (key,) = folder.glob("visitors-*.key")
    key.rename(folder / "visitors-2024-01-01.key")
    search_as(shop, 1, "stoneware")
    collect(folder)
    # Another key, another name for the same visitor; and the former key is gone.
    assert value("SELECT COUNT(DISTINCT visitor) FROM search_visits") == 2
    assert not (folder / "visitors-2024-01-01.key").exists()
    assert value("SELECT COUNT(*) FROM search_visits WHERE visitor LIKE '%%127%%' OR visitor LIKE '%%browser%%'") == 0


def test_a_search_writes_no_row_and_a_full_disk_keeps_nobody_from_searching(client: ShopClient, mug: Thing, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trends, "_key_of", full)
    assert listed(client, q="stoneware") == [mug.title]
    assert value("SELECT COUNT(*) FROM search_visits") == 0


def test_a_file_of_searches_that_was_cut_is_read_as_far_as_it_goes(folder: Path, shop: Flask) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "visits-cut.jsonl").write_bytes(b'{"day":"2024-01-01","term":"oak","visitor":"abc"}\n{"day":"2024-01-01","te')
    assert trends.collect(folder) == 1
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
    assert listed(client, sort="best_selling") == [second.title, first.title, third.title]
    assert trends.count_sold() == 0
    write("UPDATE orders SET placed_at = placed_at - INTERVAL 100 DAY WHERE number = %s", numbers[1])
    assert trends.count_sold() == 1
    assert value("SELECT sold_count FROM products WHERE id = %s", second.id) == 0


# ---------------------------------------------------------------- no query reads a table


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_catalogue", ROOT / "bench" / "catalogue.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def warehouse(shop: Flask, bench: Any, owner_connection: Any) -> Iterator[None]:
    """Fifty thousand generated products, of which the database knows how many there are."""
    bench.fill(owner_connection, 50_000)
    yield
    cursor = owner_connection.cursor()
    cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
    for table in ("stock_movements", "images", "variants", "products", "categories"):
        cursor.execute(f"TRUNCATE TABLE {table}")
    cursor.execute("SET FOREIGN_KEY_CHECKS = 1")
    cursor.close()


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
        for query in (*q.catalogue, *q.discovery, q.trends.list_categories):
            if query.kind not in ("rows", "row", "value") or not set(query.params) <= given.keys():
                continue
            for wish in wishes if "in_stock" in query.params else wishes[:1]:
                values = {name: (given | wish)[name] for name in query.params}
                if query.name == "discovery.list_products":
                    values["after"] = 0
                elif query.name == "discovery.list_changes":
                    values["after"] = 5
                sql, bound = query._bind(values)
                cursor = tx.execute(f"EXPLAIN {sql}", bound)
                rows = [dict(zip(cursor.column_names, row, strict=True)) for row in cursor.fetchall()]
                whole = {row["table"] for row in rows if row["type"] == "ALL" and not str(row["table"]).startswith("<")}
                # Categories are some dozens, and read as a whole on purpose.
                read |= {query.name: whole - {"c", "categories"}} if whole - {"c", "categories"} else {}
                asked += 1
    assert read == {}
    assert asked > 40
