"""Bulk actions: small transactions that keep nobody waiting, resumed after a kill, all or nothing from the owner's view."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import PASSWORD, User
from flask import Flask
from test_accounts import auth, change, rows

from app import db
from app.db import Tx, q
from app.errors import Unavailable
from app.services import bulk_actions, product_actions, user_actions

PRODUCTS = "/api/v1/admin/products/actions"
USERS = "/api/v1/admin/users/actions"
MANY = 3000


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    browser = new_client().as_(ada)
    assert auth(browser, "step-up", password=PASSWORD).status_code == 204
    return browser


@pytest.fixture
def left_to_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests start bulk actions and apply nothing of them."""
    monkeypatch.setattr(bulk_actions, "SYNC_SECONDS", 0.0)


def fill_users(count: int) -> None:
    sql = (
        "INSERT INTO users (username, username_key, email, email_key, password_hash, role, status, created_at, updated_at)"
        " SELECT CONCAT('user', seq.n), CONCAT('user', seq.n), CONCAT('u', seq.n, '@example.com'), CONCAT('u', seq.n, '@example.com'), 'x',"
        " 'customer', 'active', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM (WITH RECURSIVE s (n) AS"
        " (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 900) SELECT n + %s AS n FROM s) seq WHERE seq.n <= %s"
    )
    for start in range(0, count, 900):
        change(sql, start, count)


def fill_products(count: int) -> None:
    """Products with one variant each, none of which is in stock."""
    sql = (
        "INSERT INTO products (slug, title, description, price_minor, price_max_minor, published, created_at, updated_at)"
        " SELECT CONCAT('bulk-', seq.n), CONCAT('Bulk ', seq.n), '', 100, 100, TRUE, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM (WITH RECURSIVE s (n) AS"
        " (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 900) SELECT n + %s AS n FROM s) seq WHERE seq.n <= %s"
    )
    for start in range(0, count, 900):
        change(sql, start, count)
    change("INSERT INTO variants (product_id, price_minor, position) SELECT id, 100, 0 FROM products WHERE slug LIKE 'bulk-%%'")


@contextmanager
def paused_in_batch(monkeypatch: pytest.MonkeyPatch, var: Path, number: int) -> Iterator[None]:
    """A runner applies what is due and stops within the `number`th batch, its transaction open and its locks held."""
    reached, go_on = threading.Event(), threading.Event()
    errors: list[BaseException] = []
    advance = bulk_actions._advance
    calls = 0

    def advance_paused(*args: Any) -> None:
        nonlocal calls
        advance(*args)
        calls += 1
        if calls == number:
            reached.set()
            # Shorter than a connection lives without a statement, and longer than any lock is waited for.
            assert go_on.wait(20)

    def run() -> None:
        try:
            bulk_actions.apply_due(var)
        except BaseException as error:
            errors.append(error)
            reached.set()
            raise

    monkeypatch.setattr(bulk_actions, "_advance", advance_paused)
    runner = threading.Thread(target=run)
    runner.start()
    try:
        assert reached.wait(20) and not errors
        yield
    finally:
        go_on.set()
        runner.join()
        monkeypatch.setattr(bulk_actions, "_advance", advance)
    assert not errors


def kill_in_batch(monkeypatch: pytest.MonkeyPatch, var: Path, number: int) -> None:
    """A runner is killed within the `number`th batch, before it commits."""
    advance = bulk_actions._advance
    calls = 0

    def die(*args: Any) -> None:
        nonlocal calls
        advance(*args)
        calls += 1
        if calls == number:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(bulk_actions, "_advance", die)
        with pytest.raises(Killed):
            bulk_actions.apply_due(var)


def started(desk: ShopClient, path: str, **body: Any) -> dict[str, Any]:
    answer = desk.post(path, json=body)
    assert answer.status_code == 202, answer.json
    return dict(answer.json)


def undone(desk: ShopClient, path: str, action: dict[str, Any]) -> dict[str, Any]:
    answer = desk.post(f"{path}/{action['id']}/undo")
    assert answer.status_code == 202, answer.json
    return dict(answer.json)


def products_now() -> list[tuple[Any, ...]]:
    return rows("SELECT slug, published, archived_at IS NULL, category_id, price_minor, price_max_minor FROM products ORDER BY slug")


def prices_now() -> list[tuple[Any, ...]]:
    return rows("SELECT p.slug, v.position, v.price_minor FROM variants v JOIN products p ON p.id = v.product_id ORDER BY 1, 2")


def users_now() -> list[tuple[Any, ...]]:
    return rows("SELECT username, status, blocked_until, block_reason FROM users ORDER BY username")


# ---------------------------------------------------------------- nobody waits


@pytest.mark.parametrize("action", ["unpublish", "set_category", "change_price"])
def test_orders_and_sign_ins_succeed_within_a_batch_of_thousands_of_products(
    desk: ShopClient,
    client: ShopClient,
    new_client: Callable[[], ShopClient],
    alice: User,
    ada: User,
    var: Path,
    left_to_runner: None,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
) -> None:
    fill_products(MANY)
    mug = factories.product("Stoneware mug", stock=5)
    more = {"category_id": factories.category("Kitchen")} if action == "set_category" else {}
    more |= {"percent": 10} if action == "change_price" else {}
    client.as_(alice).add(mug.variant)
    plan = started(desk, PRODUCTS, action=action, filter={}, **more)
    assert (plan["status"], plan["done"]) == ("running", 0)

    with paused_in_batch(monkeypatch, var, number=2):
        assert client.order().status_code == 201
        assert auth(new_client(), "login", identifier="ada", password=PASSWORD).status_code == 200
        assert auth(new_client(), "login", identifier="alice", password=PASSWORD).status_code == 200
        state = desk.get(f"{PRODUCTS}/{plan['id']}").json
        # The batch that is paused is not committed, and no batch takes more rows than this.
        assert (state["status"], state["done"]) == ("running", product_actions.BATCH_SIZE)

    assert desk.get(f"{PRODUCTS}/{plan['id']}").json["status"] == "done"


@pytest.mark.parametrize("action", ["deactivate", "block", "end_sessions", "send_test_mail"])
def test_orders_and_sign_ins_succeed_within_a_batch_of_thousands_of_accounts(
    desk: ShopClient,
    client: ShopClient,
    new_client: Callable[[], ShopClient],
    ada: User,
    var: Path,
    left_to_runner: None,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
) -> None:
    fill_users(MANY)
    alice = factories.user("alice")
    client.as_(alice).add(factories.product().variant)
    more = {"blocked_until": "2099-01-31T12:00:00Z", "block_reason": "Spam"} if action == "block" else {}
    plan = started(desk, USERS, action=action, filter={"role": "customer"}, **more)

    with paused_in_batch(monkeypatch, var, number=2):
        assert client.order().status_code == 201
        assert auth(new_client(), "login", identifier="alice", password=PASSWORD).status_code == 200
        # The admin who started it, too.
        assert auth(new_client(), "login", identifier="ada", password=PASSWORD).status_code == 200
        assert desk.get(f"{USERS}/{plan['id']}").json["done"] == user_actions.BATCH_SIZE


def test_stock_changes_within_a_batch_of_a_price_change_of_other_products(
    desk: ShopClient,
    var: Path,
    left_to_runner: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    things = [factories.product(stock=5) for _ in range(60)]
    started(desk, PRODUCTS, action="change_price", filter={}, percent=10)
    last = things[-1].variant
    with paused_in_batch(monkeypatch, var, number=1):
        body = {"variant_id": last, "quantity": 2, "reason": "received"}
        answer = desk.post("/api/v1/admin/inventory/adjustments", json=body)
        assert (answer.status_code, answer.json) == (200, {"stock": 7})


def test_a_batch_of_prices_is_bounded_by_its_variants(desk: ShopClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_actions, "MAX_BATCH_VARIANTS", 4)
    sizes = [{"options": (name, "", "")} for name in ("S", "M", "L")]
    for _ in range(4):
        factories.product(variants=sizes, option_names=("Size", "", ""))
    batches: list[int] = []
    advance = bulk_actions._advance

    def count(tx: Tx, row: Any, ids: list[int], outcome: Any) -> None:
        batches.append(len(ids))
        advance(tx, row, ids, outcome)

    monkeypatch.setattr(bulk_actions, "_advance", count)
    assert started(desk, PRODUCTS, action="change_price", filter={}, percent=10)["changed"] == 4
    assert batches == [1, 1, 1, 1]


# ---------------------------------------------------------------- killed and resumed


@pytest.mark.parametrize("action", ["unpublish", "archive", "set_category", "change_price"])
def test_a_killed_action_on_products_resumes_to_the_same_result(
    desk: ShopClient,
    var: Path,
    left_to_runner: None,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
) -> None:
    monkeypatch.setattr(product_actions, "BATCH_SIZE", 3)
    kitchen = factories.category("Kitchen")
    for number in range(20):
        factories.product(f"Thing {number}", price_minor=99 + number, published=number % 3 > 0)
    more: dict[str, Any] = {"category_id": kitchen} if action == "set_category" else {}
    more |= {"percent": 7} if action == "change_price" else {}
    before = products_now(), prices_now()

    undisturbed = started(desk, PRODUCTS, action=action, filter={}, **more)
    bulk_actions.apply_due(var)
    wanted = products_now(), prices_now()
    undo = undone(desk, PRODUCTS, undisturbed)
    bulk_actions.apply_due(var)
    assert (products_now(), prices_now()) == before != wanted

    disturbed = started(desk, PRODUCTS, action=action, filter={}, **more)
    for number in (1, 2, 1, 3):
        kill_in_batch(monkeypatch, var, number)
    bulk_actions.apply_due(var)
    assert (products_now(), prices_now()) == wanted
    states = [desk.get(f"{PRODUCTS}/{one['id']}").json for one in (undisturbed, disturbed)]
    assert len({(one["status"], one["total"], one["done"], one["changed"], one["skipped"]) for one in states}) == 1

    undo = undone(desk, PRODUCTS, disturbed)
    for number in (2, 1):
        kill_in_batch(monkeypatch, var, number)
    bulk_actions.apply_due(var)
    assert (products_now(), prices_now()) == before
    assert desk.get(f"{PRODUCTS}/{undo['id']}").json["status"] == "done"
    counts = rows("SELECT detail FROM events WHERE kind = 'products_changed' ORDER BY id")
    changed = states[0]["changed"]
    wanted_events = [f'{{"action":"{name}","count":{changed}}}' for name in (action, f"undo_{action}") * 2]
    assert [detail for (detail,) in counts] == wanted_events


@pytest.mark.parametrize("action", ["deactivate", "block", "erase"])
def test_a_killed_action_on_accounts_resumes_to_the_same_result(
    desk: ShopClient,
    var: Path,
    left_to_runner: None,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
) -> None:
    monkeypatch.setattr(user_actions, "BATCH_SIZE", 3)
    fill_users(15)
    more = {"blocked_until": "2099-01-31T12:00:00Z", "block_reason": "Spam"} if action == "block" else {}
    started_action = started(desk, USERS, action=action, filter={}, **more)
    for number in (1, 2, 2):
        kill_in_batch(monkeypatch, var, number)
    bulk_actions.apply_due(var)

    state = desk.get(f"{USERS}/{started_action['id']}").json
    assert (state["status"], state["total"], state["done"], state["changed"], state["skipped"]) == ("done", 16, 16, 15, 1)
    if action == "erase":
        assert [row[0] for row in users_now()] == ["ada"]
        assert rows("SELECT COUNT(*) FROM events WHERE kind = 'erased'") == [(15,)]
        return
    kinds = {"deactivate": "deactivated", "block": "blocked"}
    assert rows("SELECT COUNT(*) FROM events WHERE kind = %s", kinds[action]) == [(15,)]
    if action == "block":
        assert rows("SELECT COUNT(*) FROM mails WHERE template = 'account_blocked'") == [(15,)]
    undone(desk, USERS, started_action)
    kill_in_batch(monkeypatch, var, 2)
    bulk_actions.apply_due(var)
    assert {row[1:] for row in users_now()} == {("active", None, "")}


def test_two_runners_apply_every_target_once(
    desk: ShopClient,
    shop: Flask,
    var: Path,
    left_to_runner: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(product_actions, "BATCH_SIZE", 2)
    things = [factories.product(price_minor=1000) for _ in range(30)]
    action = started(desk, PRODUCTS, action="change_price", ids=[one.id for one in things], percent=10)
    threads = [threading.Thread(target=bulk_actions.apply_due, args=(var,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {row[2] for row in prices_now()} == {1100}
    state = desk.get(f"{PRODUCTS}/{action['id']}").json
    assert (state["done"], state["changed"]) == (30, 30)


def test_a_plan_whose_making_was_cut_off_changes_nothing_and_is_purged(
    desk: ShopClient,
    ada: User,
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thing = factories.product()

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(bulk_actions, "_start", die)
        with pytest.raises(Killed):
            product_actions.start("archive", [thing.id], actor_id=ada.id, var=var)
    assert bulk_actions.apply_due(var) == 0
    assert rows("SELECT COUNT(*) FROM products WHERE archived_at IS NULL") == [(1,)]
    [(action_id,)] = rows("SELECT id FROM bulk_actions")
    assert desk.get(f"{PRODUCTS}/{action_id}").status_code == 404

    change("UPDATE bulk_actions SET created_at = created_at - INTERVAL 8 DAY")
    assert bulk_actions.purge() == 1
    assert rows("SELECT COUNT(*) FROM bulk_action_items") == [(0,)]


def test_an_action_goes_on_when_the_database_is_back(
    desk: ShopClient,
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thing = factories.product()

    def lose_database(*_: Any) -> None:
        raise Unavailable()

    with monkeypatch.context() as patched:
        patched.setattr(bulk_actions, "_advance", lose_database)
        action = started(desk, PRODUCTS, action="archive", ids=[thing.id])
    assert action["status"] == "running"
    bulk_actions.apply_due(var)
    assert desk.get(f"{PRODUCTS}/{action['id']}").json["changed"] == 1


# ---------------------------------------------------------------- all or nothing


def test_nothing_changes_if_any_product_of_thousands_breaks_a_rule(desk: ShopClient) -> None:
    fill_products(1500)
    factories.product("Palace", price_minor=10**12)
    before = products_now()
    answer = desk.post(PRODUCTS, json={"action": "change_price", "filter": {}, "percent": 1})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["percent"])
    assert products_now() == before
    assert rows("SELECT COUNT(*) FROM bulk_actions") == [(0,)]


def test_what_was_applied_is_reverted_when_a_later_batch_is_refused(
    desk: ShopClient,
    var: Path,
    left_to_runner: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(product_actions, "BATCH_SIZE", 3)
    garden = factories.category("Garden")
    for _ in range(7):
        factories.product()
    before = products_now()
    action = started(desk, PRODUCTS, action="set_category", filter={}, category_id=garden)
    kill_in_batch(monkeypatch, var, 2)
    assert products_now() != before
    change("UPDATE products SET category_id = NULL")
    change("DELETE FROM categories WHERE id = %s", garden)
    change("UPDATE bulk_action_items SET before_value = before_value")

    bulk_actions.apply_due(var)

    state = desk.get(f"{PRODUCTS}/{action['id']}").json
    assert (state["status"], state["error"]) == ("failed", "The category was deleted meanwhile.")
    assert desk.get(f"{PRODUCTS}/{state['undo_id']}").json["status"] == "done"
    assert products_now() == before


def test_an_action_refused_midway_changes_prices_back(
    desk: ShopClient,
    var: Path,
    left_to_runner: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(product_actions, "BATCH_SIZE", 2)
    things = [factories.product(price_minor=1000 + number) for number in range(5)]
    before = prices_now()
    started(desk, PRODUCTS, action="change_price", filter={}, percent=50)
    # Validated, and then somebody makes one too expensive.
    factories.set_price(things[-1].variant, 10**12)

    bulk_actions.apply_due(var)

    assert prices_now()[:-1] == before[:-1]
    assert rows("SELECT status, undo_of_id IS NULL FROM bulk_actions ORDER BY id") == [("failed", 1), ("done", 0)]


# ---------------------------------------------------------------- undo


def test_an_action_that_is_still_running_is_stopped_and_undone(
    desk: ShopClient,
    var: Path,
    left_to_runner: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(product_actions, "BATCH_SIZE", 3)
    for _ in range(9):
        factories.product()
    before = products_now()
    action = started(desk, PRODUCTS, action="unpublish", filter={})
    kill_in_batch(monkeypatch, var, 3)
    undo = undone(desk, PRODUCTS, action)
    bulk_actions.apply_due(var)

    assert products_now() == before
    assert desk.get(f"{PRODUCTS}/{action['id']}").json["status"] == "canceled"
    state = desk.get(f"{PRODUCTS}/{undo['id']}").json
    assert (state["status"], state["undo_of"], state["changed"]) == ("done", action["id"], 6)


def test_an_undo_leaves_alone_what_somebody_changed_since(desk: ShopClient) -> None:
    moved, kept = factories.product(price_minor=1000), factories.product(price_minor=1000)
    action = started(desk, PRODUCTS, action="change_price", filter={}, percent=10)
    factories.set_price(moved.variant, 5000)

    undo = undone(desk, PRODUCTS, action)

    assert (undo["changed"], undo["skipped"]) == (1, 1)
    assert rows("SELECT price_minor FROM variants ORDER BY id") == [(5000,), (1000,)]
    assert rows("SELECT price_minor FROM products ORDER BY id") == [(5000,), (1000,)]
    assert kept.id > moved.id


def test_an_action_is_undone_once_and_an_undo_never(desk: ShopClient) -> None:
    thing = factories.product()
    action = started(desk, PRODUCTS, action="archive", ids=[thing.id])
    undo = undone(desk, PRODUCTS, action)
    again = desk.post(f"{PRODUCTS}/{action['id']}/undo")
    assert (again.status_code, again.json["code"]) == (409, "already_undone")
    of_undo = desk.post(f"{PRODUCTS}/{undo['id']}/undo")
    assert (of_undo.status_code, of_undo.json["code"]) == (409, "not_undoable")


def test_an_action_on_accounts_is_not_found_among_those_on_products(desk: ShopClient, alice: User) -> None:
    action = started(desk, USERS, action="send_test_mail", ids=[alice.id])
    assert desk.get(f"{PRODUCTS}/{action['id']}").status_code == 404
    assert desk.post(f"{PRODUCTS}/{action['id']}/undo").status_code == 404
    answer = desk.post(f"{USERS}/{action['id']}/undo")
    assert (answer.status_code, answer.json["code"]) == (409, "not_undoable")


def test_a_block_that_ended_meanwhile_is_not_put_back(desk: ShopClient, alice: User) -> None:
    change("UPDATE users SET blocked_until = UTC_TIMESTAMP(6) + INTERVAL 1 DAY, block_reason = 'Before' WHERE id = %s", alice.id)
    more = {"blocked_until": "2099-01-31T12:00:00Z", "block_reason": "Spam"}
    action = started(desk, USERS, action="block", ids=[alice.id], **more)
    change("UPDATE bulk_action_items SET before_value = REPLACE(before_value, SUBSTR(before_value, LOCATE('20', before_value), 4), '2020')")
    undone(desk, USERS, action)
    assert rows("SELECT blocked_until, block_reason FROM users WHERE id = %s", alice.id) == [(None, "")]


def test_finished_plans_are_purged_after_a_week_and_running_ones_stay(
    desk: ShopClient,
    left_to_runner: None,
    var: Path,
) -> None:
    thing, other = factories.product(), factories.product()
    started(desk, PRODUCTS, action="archive", ids=[thing.id])
    bulk_actions.apply_due(var)
    running = started(desk, PRODUCTS, action="archive", ids=[other.id])
    assert bulk_actions.purge() == 0
    change("UPDATE bulk_actions SET created_at = created_at - INTERVAL 8 DAY")
    assert bulk_actions.purge() == 1
    assert rows("SELECT id FROM bulk_actions") == [(running["id"],)]
    with db.reading() as tx:
        assert q.bulk_actions.get_next_due(tx) == running["id"]
