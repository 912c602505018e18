"""Jobs and long operations of the staff: within a transaction of theirs, others sign in and order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import PASSWORD, User
from flask import Flask
from test_accounts import auth, change

from app.services import categories, recommendations, trends


@contextmanager
def paused_in(monkeypatch: pytest.MonkeyPatch, module: Any, work: str, run: Callable[[], object]) -> Iterator[None]:
    """`run` goes on in a thread until the first transaction of `module.work` has written, its locks held."""
    reached, go_on = threading.Event(), threading.Event()
    errors: list[BaseException] = []
    whole = getattr(module, work)

    def write_and_pause(*args: Any, **kwargs: Any) -> Any:
        result = whole(*args, **kwargs)
        if not reached.is_set():
            reached.set()
            assert go_on.wait(20)
        return result

    def run_noting_errors() -> None:
        try:
            run()
        except BaseException as error:
            errors.append(error)
            reached.set()
            raise

    monkeypatch.setattr(module, work, write_and_pause)
    thread = threading.Thread(target=run_noting_errors)
    thread.start()
    try:
        assert reached.wait(20) and not errors
        yield
    finally:
        go_on.set()
        thread.join()
    assert not errors


def test_customers_sign_in_while_recommendations_are_written(
    shop: Flask,
    client: ShopClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    things = [factories.product() for _ in range(3)]
    people = [factories.user(f"reader{number}") for number in range(40)]
    for person in people:
        change("INSERT INTO wishlist_items (user_id, product_id, added_at) VALUES (%s, %s, UTC_TIMESTAMP(6))", person.id, things[0].id)
    for other in things[1:]:
        change("INSERT INTO related_products (product_id, related_id, score) VALUES (%s, %s, 0.5)", things[0].id, other.id)

    with paused_in(monkeypatch, recommendations, "_reckon_for", recommendations._reckon_for_all):
        assert auth(client, "login", identifier=people[-1].username, password=PASSWORD).status_code == 200


def test_customers_order_while_sold_pieces_are_counted(
    shop: Flask,
    client: ShopClient,
    new_client: Callable[[], ShopClient],
    alice: User,
    bob: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    things = [factories.product() for _ in range(60)]
    buyer = new_client().as_(bob)
    for at in (0, 30):
        for thing in things[at : at + 30]:
            buyer.add(thing.variant)
        assert buyer.order().status_code == 201
    client.as_(alice).add(things[-1].variant)

    with paused_in(monkeypatch, trends, "_set_sold", trends.count_sold):
        assert client.order().status_code == 201


def test_customers_order_while_a_large_category_is_removed(
    shop: Flask,
    client: ShopClient,
    alice: User,
    ada: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kitchen = factories.category("Kitchen")
    things = [factories.product(category_id=kitchen) for _ in range(210)]
    client.as_(alice).add(things[-1].variant)

    def remove() -> None:
        categories.remove(kitchen, version=None, move_up=True, actor_id=ada.id)

    with paused_in(monkeypatch, categories, "_remove", remove):
        assert client.order().status_code == 201
        assert auth(client, "login", identifier="ada", password=PASSWORD).status_code == 200
