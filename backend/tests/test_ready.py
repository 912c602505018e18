from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import factories
import pytest
from conftest import Make
from factories import Thing, User, value, write
from flask import Flask
from werkzeug.test import Client, TestResponse

from app import logs, ready
from app.errors import Unavailable
from app.ready import ReadyMade
from app.services import catalogue, trends

LIST, SUGGESTIONS = "/api/v1/products", "/api/v1/search/suggestions"
Statements = Callable[[], int]


@pytest.fixture
def workers(shop: Flask, monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    monkeypatch.setattr(catalogue, "LOOK_EVERY", 0.1)
    monkeypatch.setattr(catalogue, "_seen", (float("-inf"), None))
    return [Client(ReadyMade(shop), use_cookies=False) for _ in range(2)]


def asked(client: Client, path: str, **headers: str) -> TestResponse:
    return client.get(path, headers={name.replace("_", "-"): one for name, one in headers.items()})


def test_a_ready_answer_is_like_any_other_and_asks_the_database_nothing(
    workers: list[Client], mug: Thing, statements: Statements, shop: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "LOOK_EVERY", 60.0)
    for path in (LIST, f"{LIST}?sort=price_asc&limit=3", f"{LIST}?q=stone", "/api/v1/search/suggestions?q=stone", f"{LIST}/{mug.slug}", "/api/v1/categories"):
        first = asked(workers[0], path)
        before = statements()
        again = asked(workers[0], path)
        unchanged = asked(workers[0], path, If_None_Match=again.headers["ETag"])
        assert statements() == before
        assert (first.status_code, first.data, dict(first.headers) | {"X-Request-Id": ""}) == (200, again.data, dict(again.headers) | {"X-Request-Id": ""})
        ids = {answer.headers["X-Request-Id"] for answer in (first, again, unchanged)}
        assert len(ids) == 3
        assert (unchanged.status_code, unchanged.data, "Content-Length" in unchanged.headers) == (304, b"", False)
        logs.write_requests()
        written = [json.loads(line) for line in (shop.config["SHOP"].var / "logs" / "shop.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [(line["path"], line["status"]) for line in written if line.get("request_id") in ids] == [(path.partition("?")[0], 200)] * 2 + [
            (path.partition("?")[0], 304)
        ]


def test_what_is_made_without_flask_is_what_flask_gives(workers: list[Client], mug: Thing, shop: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    other = factories.product(title="Walnut bowl")
    for path in (LIST, f"{LIST}/{mug.slug}", "/api/v1/categories", f"{SUGGESTIONS}?q=zebra"):
        asked(workers[0], path)
    through_flask: list[str] = []

    def noted(environ: Any, start_response: Any) -> Any:
        through_flask.append(environ["PATH_INFO"])
        return shop(environ, start_response)

    monkeypatch.setattr(workers[0].application, "_app", noted)

    def same(path: str) -> int:
        ours, flasks = asked(workers[0], path), asked(Client(shop, use_cookies=False), path)
        told = [(one.status_code, one.json if one.status_code < 300 else (one.json or {}).get("errors"), dict(one.headers) | {"X-Request-Id": ""})
                for one in (ours, flasks)]  # fmt: skip
        assert told[0] == told[1], path
        return ours.status_code

    assert [same(path) for path in (f"{LIST}?q=stone&in_stock=true", f"{LIST}?%71=zebra", f"{SUGGESTIONS}?q=walnut")] == [200] * 3
    assert [same(path) for path in (f"{LIST}?sort=name&limit=1", f"{LIST}?brand=%ff%20x", f"{LIST}/{other.slug}", "/api/v1/categories?x=1")] == [200] * 4
    assert through_flask == []
    refused = {"?limit=0": 422, "?limit=1&limit=2": 422, "?after=x": 422, "?brand=%00": 400, "?category=none": 404, "/none": 404, f"/{mug.id}": 302}
    assert {rest: same(f"{LIST}{rest}") for rest in refused} == refused
    assert len(through_flask) == len(refused)


def test_a_change_is_shown_by_every_worker_within_a_fifth_of_a_second(workers: list[Client], mug: Thing, ada: User, shop: Flask) -> None:
    path = f"{LIST}/{mug.slug}"

    def seen() -> list[tuple[Any, ...]]:
        products = [worker.get(path).json for worker in workers] + [worker.get(LIST).json["items"][0] for worker in workers]
        return [(product["title"], product["price_minor"], product["stock"]) for product in products]

    staff: Any = shop.test_client()
    staff.as_(ada)
    version = staff.get(f"/api/v1/admin/products/{mug.id}").json["version"]
    assert seen() == [("Stoneware mug", 1800, 5)] * 4
    assert staff.patch(f"{LIST}/{mug.id}", json={"title": "Blue mug", "price_minor": 2100, "version": version}).status_code == 200
    time.sleep(0.2)
    assert seen() == [("Blue mug", 2100, 5)] * 4
    buyer: Any = shop.test_client()
    buyer.add(mug.variant, 2)
    assert buyer.order(email="guest@example.com").status_code == 201
    time.sleep(0.2)
    assert seen() == [("Blue mug", 2100, 3)] * 4


def test_what_stands_around_a_list_is_never_older_than_the_list(workers: list[Client], shop: Flask) -> None:
    kitchen = factories.category("Kitchen")
    factories.product("Stoneware mug", category_id=kitchen)

    def seen() -> list[str]:
        lists = [worker.get(LIST).json for worker in workers]
        return [name for found in lists for name in (found["currency"], found["facets"]["categories"][0]["name"])]

    assert seen() == ["EUR", "Kitchen"] * 2
    write("UPDATE categories SET name = 'Scullery', version = version + 1 WHERE id = %s", kitchen)
    write("UPDATE settings SET value = '\"GBP\"' WHERE name = 'currency'")
    time.sleep(0.2)
    assert seen() == ["GBP", "Scullery"] * 2


def test_a_change_that_commits_late_is_seen_too(workers: list[Client], mug: Thing) -> None:
    write("INSERT INTO product_changes (id, product_id, changed_at) VALUES (1000000, %s, UTC_TIMESTAMP(6))", mug.id)
    assert workers[0].get(LIST).json["items"][0]["title"] == "Stoneware mug"
    write("UPDATE products SET title = 'Late mug' WHERE id = %s", mug.id)
    write("INSERT INTO product_changes (id, product_id, changed_at) VALUES (999999, %s, UTC_TIMESTAMP(6))", mug.id)
    time.sleep(0.11)
    assert workers[0].get(LIST).json["items"][0]["title"] == "Late mug"


def test_what_is_a_persons_is_never_kept_nor_given(workers: list[Client], mug: Thing, statements: Statements, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "LOOK_EVERY", 60.0)
    asked(workers[0], LIST)
    for path, headers in (
        (LIST, {"Authorization": "Bearer one"}),
        (LIST, {"Origin": "https://other.example"}),
        (f"{LIST}?q=someone@example.com", {}),
        (f"{LIST}?%71=0470123456", {}),
        ("/api/v1/search/suggestions?q=someone@example.com", {}),
        ("/api/v1/auth/session", {}),
        (f"{LIST}/no-such-mug", {}),
    ):
        asked(workers[0], path, **headers)
        before = statements()
        asked(workers[0], path, **headers)
        assert statements() > before or headers.get("Authorization") or path == "/api/v1/auth/session", path


def test_what_fails_without_flask_is_told_and_answered_by_flask(shop: Flask, mug: Thing, caplog: pytest.LogCaptureFixture) -> None:
    def fails(query: str) -> bytes:
        raise RuntimeError("a fault of ours")

    ready_made = ReadyMade(shop)
    client = Client(ready_made, use_cookies=False)
    asked(client, LIST)
    ready_made._views[LIST] = fails
    answer = asked(client, f"{LIST}?limit=7")
    assert (answer.status_code, answer.json["items"][0]["title"]) == (200, mug.title)
    assert "a fault of ours" in caplog.text


def test_who_has_a_cookie_is_given_the_same_and_leaves_nothing(
    workers: list[Client], mug: Thing, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "LOOK_EVERY", 60.0)
    # The first answers of a worker come from Flask, which reads the cookie: they are not kept.
    for _ in range(2):
        before = statements()
        assert asked(workers[0], LIST, Cookie="session=one").status_code == 200
        assert statements() > before
    ready = asked(workers[0], LIST)
    assert asked(workers[0], LIST).data == ready.data
    before, answer = statements(), asked(workers[0], LIST, Cookie="session=one")
    assert (answer.data, "Set-Cookie" in answer.headers, statements()) == (ready.data, False, before)
    # A page that nobody asked for yet is made without the cookie, and kept.
    assert asked(workers[0], f"{LIST}?limit=7", Cookie="session=one").status_code == 200
    before = statements()
    assert asked(workers[0], f"{LIST}?limit=7", Cookie="session=two").status_code == 200
    assert statements() == before


def test_a_search_is_counted_each_time_for_whoever_it_is(
    shop_with: Make, workers: list[Client], mug: Thing, statements: Statements, search_folder: Path
) -> None:
    client = Client(ReadyMade(shop_with(trusted_proxies=("127.0.0.0/8",))), use_cookies=False)
    for text in ("Stoneware", "Stonew", "zebra"):  # The first goes through Flask, the others do not.
        for address in ("8.8.8.1", "8.8.8.1", "8.8.8.2", "8.8.8.3, 127.0.0.9"):
            before = statements()
            answer = client.get(f"{LIST}?q={text}", headers={"X-Forwarded-For": address}, environ_base={"REMOTE_ADDR": "127.0.0.1"})
            assert answer.status_code == 200
        assert statements() == before
    for _ in range(2):
        trends.collect(search_folder)
    counted = [value("SELECT COUNT(*) FROM search_visits WHERE term = %s", term) for term in ("stoneware", "stonew", "zebra")]
    assert counted == [3, 3, 0]


def test_answers_take_no_more_than_their_room(workers: list[Client], mug: Thing, monkeypatch: pytest.MonkeyPatch) -> None:
    worker: Any = workers[0].application
    monkeypatch.setattr(ready, "MOST_BYTES", 12_000)
    for limit in range(1, 20):
        asked(workers[0], f"{LIST}?limit={limit}")
    assert 0 < len(worker._answers) < 6
    assert worker._bytes == sum(len(answer.content) + ready.OVERHEAD for answer in worker._answers.values()) <= 12_000


def test_without_the_database_nothing_old_is_given(workers: list[Client], mug: Thing, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(workers[0], LIST)

    def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr("app.db.Pool.acquire", away)
    time.sleep(0.11)
    assert asked(workers[0], LIST).status_code == 503
    monkeypatch.undo()
    assert asked(workers[0], LIST).status_code == 200
