from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, value, write

from app import db
from app.config import ROOT
from app.db import Tx
from app.errors import Unavailable
from app.private_database import PrivateDatabase
from app.services import discovery, search_index
from app.services.discovery import Question

LIST = "/api/v1/products"
Indexed = Callable[[], int]


def change(thing: Thing, **columns: Any) -> None:
    """Change a product as the shop does: with a mark in the same transaction."""

    def work(tx: Tx) -> None:
        if columns:
            tx.execute(f"UPDATE products SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s", (*columns.values(), thing.id)).close()
        discovery.mark(tx, [thing.id])

    db.transaction(work)


# ---------------------------------------------------------------- what changes


def test_what_changes_is_found_as_it_is_now(client: ShopClient, indexed: Indexed) -> None:
    thing = factories.product("Copper kettle")
    indexed()
    change(thing, title="Brass kettle", price_minor=1500, price_max_minor=1500)
    assert indexed() == 1
    assert (client.titles(q="copper"), client.titles(q="brass"), client.titles(price_min=1500)) == ([], ["Brass kettle"], ["Brass kettle"])
    write("UPDATE variants SET price_minor = 1500")


@pytest.mark.parametrize("columns", [{"published": False}, {"archived_at": "2024-01-01"}])
def test_what_is_put_away_or_unpublished_vanishes_and_comes_back(client: ShopClient, indexed: Indexed, columns: dict[str, Any]) -> None:
    thing, other = factories.product("Copper kettle"), factories.product("Copper pan")
    indexed()
    change(thing, **columns)
    # Also before the index knows: the database tells.
    assert client.titles(q="copper") == [other.title]
    indexed()
    assert client.get(LIST, query_string={"q": "copper"}).json["total"] == 1
    change(thing, published=True, archived_at=None)
    indexed()
    assert len(client.titles(q="copper")) == 2


def test_a_change_that_commits_late_is_not_missed(client: ShopClient, indexed: Indexed) -> None:
    early, late = factories.product("Early"), factories.product("Late")
    indexed()

    def slow(tx: Tx) -> None:
        tx.execute("UPDATE products SET title = 'Late, renamed' WHERE id = %s", (late.id,)).close()
        discovery.mark(tx, [late.id])
        # Meanwhile a younger note is committed and read.
        other = threading.Thread(target=change, args=(early,), kwargs={"title": "Early, renamed"})
        other.start()
        other.join()
        indexed()

    db.transaction(slow)
    assert client.titles(q="renamed") == ["Early, renamed"]
    assert indexed() == 1
    assert client.titles(q="renamed late") == ["Late, renamed"]
    assert indexed() == 0


def test_a_change_in_a_long_transaction_is_noted_again_when_it_is_committed(mug: Thing, monkeypatch: pytest.MonkeyPatch) -> None:
    write("DELETE FROM product_changes")
    change(mug)
    assert value("SELECT COUNT(*) FROM product_changes") == 1
    monkeypatch.setattr(discovery, "OVERLAP", timedelta(0))
    change(mug)
    assert value("SELECT COUNT(*) FROM product_changes") == 3


def test_notes_are_dropped_when_every_keeper_has_read_them_or_begins_anew(mug: Thing, indexed: Indexed, search_folder: Path, caplog: Any) -> None:
    indexed()
    write("UPDATE product_changes SET changed_at = UTC_TIMESTAMP(6) - INTERVAL 25 HOUR")
    assert discovery.forget_changes() == 1
    path = search_index._current(search_folder)
    assert path
    search_index._save_state(path, value("SELECT UTC_TIMESTAMP(6)") - search_index.OLDEST - timedelta(minutes=1))
    assert search_index.Keeper(search_folder).step() == 1
    assert search_index._current(search_folder) != path


def test_a_category_that_moves_or_is_renamed_takes_its_products_along(client: ShopClient, indexed: Indexed) -> None:
    kitchen, garden, pots = (factories.category(name) for name in ("Kitchen", "Garden", "Pots"))
    write("UPDATE categories SET parent_id = %s WHERE id = %s", kitchen, pots)
    thing = factories.product("Kettle", category_id=pots)
    indexed()
    assert (client.titles(category="kitchen"), client.titles(q="kitchen")) == ([thing.title], [thing.title])
    indexed()
    write("UPDATE categories SET parent_id = %s WHERE id = %s", garden, pots)
    assert indexed() == 1
    assert (client.titles(category="kitchen"), client.titles(category="garden"), client.titles(q="garden")) == ([], [thing.title], [thing.title])
    write("UPDATE categories SET name = 'Vessels' WHERE id = %s", pots)
    assert indexed() == 1
    assert client.titles(q="vessels") == [thing.title]


def test_what_is_sold_out_leaves_the_shelf_of_search_and_comes_back_when_the_order_is_cancelled(client: ShopClient, indexed: Indexed, alice: Any) -> None:
    last, other = factories.product("Last mug", stock=2), factories.product("Other mug", stock=9)
    indexed()
    indexed()
    client.as_(alice).add(last.variant, 2)
    client.add(other.variant)
    number = client.order().json["number"]
    assert indexed() == 1
    assert client.titles(in_stock="1") == [other.title]
    client.post(f"/api/v1/orders/{number}/cancellation")
    assert indexed() == 1
    assert sorted(client.titles(in_stock="1")) == sorted([last.title, other.title])


def test_an_order_that_sells_nothing_out_marks_nothing(client: ShopClient, alice: Any, mug: Thing) -> None:
    write("DELETE FROM product_changes")
    client.as_(alice).add(mug.variant)
    assert client.order().status_code == 201
    assert value("SELECT COUNT(*) FROM product_changes") == 0


def test_a_change_is_found_without_being_asked_for(client: ShopClient, mug: Thing, search_folder: Path, indexed: Indexed) -> None:
    stop = threading.Event()
    keeper = threading.Thread(target=search_index.keep, args=(search_folder, stop))
    keeper.start()
    try:
        wait_until(lambda: client.titles(q="stoneware") == [mug.title] and discovery.count_categories() is not None)
        change(mug, title="Earthenware mug")
        wait_until(lambda: client.titles(q="earthenware") == ["Earthenware mug"])
    finally:
        stop.set()
        keeper.join()


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ---------------------------------------------------------------- several processes, and what breaks


def _watch(search_folder: Path, stop: Any, totals: Any) -> None:
    """Another worker: asks until told to stop, and once after that, and tells every total it saw."""
    discovery.use(search_folder)
    seen, last = set(), False
    while not last:
        last = stop.is_set()
        found = discovery.find(Question("oak"), "relevance", 5)
        seen.add(found and (found.counts.total, len(found.ids)))
    totals.put(seen)


def test_other_processes_never_see_half_an_index(client: ShopClient, indexed: Indexed, search_folder: Path) -> None:
    things = [factories.product(f"Oak thing {number}") for number in range(40)]
    indexed()
    context = multiprocessing.get_context("fork")
    stop, totals = context.Event(), context.Queue()
    others = [context.Process(target=_watch, args=(search_folder, stop, totals)) for _ in range(2)]
    for other in others:
        other.start()
    for _ in range(4):
        search_index.rebuild(search_folder)
    for thing in things[:5]:
        change(thing, published=False)
        indexed()
    stop.set()
    seen = [totals.get(timeout=10) for _ in others]
    for other in others:
        other.join()
    for one in seen:
        assert one <= {(number, 5) for number in range(35, 41)}
        assert (35, 5) in one


def test_only_one_process_writes(mug: Thing, search_folder: Path, indexed: Indexed) -> None:
    stops = [threading.Event() for _ in range(2)]
    keepers = [threading.Thread(target=search_index.keep, args=(search_folder, stop)) for stop in stops]
    for keeper in keepers:
        keeper.start()
    wait_until(lambda: discovery.count_categories() is not None)
    built = search_index._current(search_folder)
    time.sleep(1.2)
    assert search_index._current(search_folder) == built
    for stop in stops:
        stop.set()
    for keeper in keepers:
        keeper.join(10)
        assert not keeper.is_alive()


def _files(search_folder: Path, suffix: str) -> list[Path]:
    path = search_index._current(search_folder)
    assert path
    return [file for file in path.iterdir() if file.name.endswith(suffix)]


def _truncate(search_folder: Path) -> None:
    for file in _files(search_folder, ".idx"):
        file.write_bytes(file.read_bytes()[:20])


def _garble(search_folder: Path) -> None:
    for file in _files(search_folder, ".term"):
        file.write_bytes(os.urandom(file.stat().st_size))


def _remove_segment(search_folder: Path) -> None:
    for file in _files(search_folder, ".fast"):
        file.unlink()


def _cut_meta(search_folder: Path) -> None:
    for file in _files(search_folder, "meta.json"):
        file.write_text('{"segments": [')


def _lose_pointer(search_folder: Path) -> None:
    (search_folder / "current").write_text("index-that-never-was")


def _other_version(search_folder: Path) -> None:
    for file in _files(search_folder, "state.json"):
        file.write_text('{"version": 0, "until": "2024-01-01T00:00:00"}')


def _garble_state(search_folder: Path) -> None:
    for file in _files(search_folder, "state.json"):
        file.write_bytes(b"\x00\xff")


@pytest.mark.parametrize("break_it", [_truncate, _garble, _remove_segment, _cut_meta, _lose_pointer, _other_version, _garble_state])
def test_a_broken_index_is_made_anew_and_the_shop_answers_meanwhile(
    client: ShopClient, mug: Thing, search_folder: Path, indexed: Indexed, break_it: Callable[[Path], None]
) -> None:
    indexed()
    break_it(search_folder)
    discovery.use(search_folder)
    assert client.titles(q="stone") == client.titles() == [mug.title]
    assert client.get("/api/v1/categories").status_code == 200
    assert discovery.count_categories() is None
    assert search_index.Keeper(search_folder).step() == 1
    assert discovery.count_categories() == {}
    assert client.titles(q="mug") == [mug.title]


def test_a_question_that_fails_takes_the_index_from_nobody(client: ShopClient, mug: Thing, indexed: Indexed, monkeypatch: pytest.MonkeyPatch) -> None:
    indexed()
    with monkeypatch.context() as patch:
        patch.setattr(discovery, "_find", lambda *_: int("x"))
        assert client.titles() == [mug.title]
    assert discovery.find(Question("mug"), "relevance", 5) is not None


def test_a_keeper_that_cannot_write_makes_the_index_anew(client: ShopClient, mug: Thing, search_folder: Path, indexed: Indexed) -> None:
    indexed()
    _cut_meta(search_folder)
    change(mug, title="Earthenware mug")
    assert indexed() == 0
    assert indexed() == 1
    assert client.titles(q="earthenware") == ["Earthenware mug"]


def test_a_rebuild_that_fails_leaves_the_former_index(
    client: ShopClient, mug: Thing, search_folder: Path, indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed()
    monkeypatch.setattr(search_index, "_documents", lambda *_: iter([1 // 0]))
    with pytest.raises(ZeroDivisionError):
        search_index.rebuild(search_folder)
    assert client.titles(q="mug") == [mug.title]
    # What was left behind, by threads that wrote on while they were being stopped, goes with the next one.
    monkeypatch.undo()
    search_index.rebuild(search_folder)
    assert len(list(search_folder.glob("index-*"))) == 1


_parents_pool: Any = None


def _rebuild_for_ever(server: PrivateDatabase, search_folder: Path, begun: Any) -> None:
    # The parent's connections are the parent's; to let go of them here would end them there.
    global _parents_pool
    _parents_pool, db._pool = db._pool, None
    db.open(server.address())
    search_index._documents = lambda *_: (begun.set(), time.sleep(60))  # type: ignore[assignment,return-value,func-returns-value]
    search_index.rebuild(search_folder)


def test_a_rebuild_that_is_killed_leaves_nothing_in_the_way(
    client: ShopClient, mug: Thing, search_folder: Path, indexed: Indexed, server: PrivateDatabase
) -> None:
    indexed()
    context = multiprocessing.get_context("fork")
    begun = context.Event()
    other = context.Process(target=_rebuild_for_ever, args=(server, search_folder, begun))
    other.start()
    assert begun.wait(10)
    assert other.pid
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    assert len(list(search_folder.glob("index-*"))) == 2
    assert client.titles(q="mug") == [mug.title]
    assert search_index.rebuild(search_folder) == 1
    assert len(list(search_folder.glob("index-*"))) == 1


def test_a_rebuild_stops_when_it_is_told_to(mug: Thing, search_folder: Path, indexed: Indexed) -> None:
    stop = threading.Event()
    stop.set()
    assert search_index.rebuild(search_folder, stop=stop) is None
    assert list(search_folder.glob("index-*")) == []


def test_the_index_can_be_made_anew_from_the_command_line(tmp_path: Path) -> None:
    environment = os.environ | {"SHOP_VAR": str(tmp_path), "DB_HOST": "", "SHOP_DEMO": "0"}
    command = [sys.executable, str(ROOT / "backend" / "run.py"), "search-rebuild"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "The search index holds 0 products" in done.stdout
    assert search_index._current(tmp_path / "search")


def test_the_keeper_outlives_a_fault(mug: Thing, search_folder: Path, monkeypatch: pytest.MonkeyPatch, indexed: Indexed) -> None:
    monkeypatch.setattr(search_index, "TICK", 0.01)
    steps = iter([ZeroDivisionError(), Unavailable(), None])
    stop = threading.Event()

    def step(self: Any) -> int:
        fault = next(steps)
        if fault is None:
            stop.set()
            return 0
        raise fault

    monkeypatch.setattr(search_index.Keeper, "step", step)
    search_index.keep(search_folder, stop)
    assert next(steps, "over") == "over"
