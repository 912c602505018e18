from __future__ import annotations

import functools
import os
import secrets
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import factories
import import_files
import pytest
from factories import Thing, User
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as effort
from pydantic import TypeAdapter
from werkzeug.test import TestResponse

from app import create_app, db, migrations, security
from app.config import Settings
from app.db import Address
from app.http import FILES, Endpoint
from app.openapi import _problems
from app.private_database import PrivateDatabase, address_of, prepare_server
from app.services import catalogue, doctor, import_batches, imports, payments, search_index, settings
from app.services.search_index import Keeper

Make = Callable[..., Flask]
Start = Callable[[bytes], int]
# The hashes that customers get take a tenth of a second each, by intent. The tests make hundreds, so they make quick ones;
# test_security.py puts the strong ones back and holds their strength.
STRONG = {"PASSWORD_METHOD": security.PASSWORD_METHOD, "NOBODY": security.NOBODY}
security.PASSWORD_METHOD = "scrypt:1024:8:1"
security.NOBODY = security.NOBODY.replace(STRONG["PASSWORD_METHOD"], security.PASSWORD_METHOD)

# Tests change something and look at once; test_ready.py holds for how long a worker may know no better.
catalogue.LOOK_EVERY = 0.0

# How fast something is says nothing on a machine that does other things too.
effort.register_profile("patient", deadline=None)
effort.load_profile("patient")

adapter = functools.cache(TypeAdapter)
PROBLEM_MEMBERS = {"type", "title", "status", "detail", "code", "errors", "request_id"}


class ShopClient(FlaskClient):
    """A browser without pages. Each answer is held to what its route declares: shape of a success, shape and status of a refusal."""

    def as_(self, account: User) -> ShopClient:
        self.set_cookie("session", factories.cookie_of(account))
        return self

    def step_up(self, *, password: str = factories.PASSWORD, totp: str = "") -> ShopClient:
        """Authenticate again, by a code if one is given."""
        proof = {"totp": totp} if totp else {"password": password}
        response = self.post("/api/v1/auth/step-up", json=proof)
        assert response.status_code == 204, response.json
        return self

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        answer = super().open(*args, **kwargs)
        if answer.request.path.startswith("/api/v1/"):
            self._hold_to_declaration(answer)
        return answer

    def order(self, key: str = "", **more: Any) -> TestResponse:
        return self.post("/api/v1/orders", json=factories.order_body(**more), headers={"Idempotency-Key": key or uuid.uuid4().hex})

    def add(self, variant_id: int, quantity: int = 1) -> TestResponse:
        return self.post("/api/v1/cart/items", json={"variant_id": variant_id, "quantity": quantity})

    def titles(self, **query: Any) -> list[str]:
        """The titles that a list of products gives, in its order."""
        answer = self.get("/api/v1/products", query_string=query)
        assert answer.status_code == 200, answer.data
        return [item["title"] for item in answer.json["items"]]

    def _hold_to_declaration(self, answer: TestResponse) -> None:
        method, path = answer.request.method, answer.request.path
        if answer.status_code >= 400:
            assert answer.mimetype == "application/problem+json", (method, path, answer.status_code, answer.data[:300])
            assert answer.json.keys() >= PROBLEM_MEMBERS
            assert answer.json["status"] == answer.status_code != 500
        endpoint = self._endpoint(method, path)
        if endpoint is None or answer.status_code == 304 or method in ("HEAD", "OPTIONS"):
            return
        if answer.status_code == 308 and endpoint.moved:
            return
        if answer.status_code < 400:
            assert answer.status_code == endpoint.status
            if endpoint.answer in FILES:
                assert answer.mimetype == FILES[endpoint.answer]
            elif answer.status_code not in (204, 302):
                adapter(endpoint.answer).validate_json(answer.data, extra="forbid")
        else:
            assert str(answer.status_code) in _problems(endpoint, method), f"{method} {path} does not declare {answer.status_code}"

    def _endpoint(self, method: str, path: str) -> Endpoint | None:
        adapter = self.application.url_map.bind("localhost")
        if not adapter.test(path, method):
            return None
        view = self.application.view_functions[adapter.match(path, method)[0]]
        endpoint: Endpoint = view.endpoint  # type: ignore[attr-defined]
        return endpoint


@pytest.fixture(scope="session")
def var() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="shop-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class TheirDatabase:
    """A database on the server of DB_HOST."""

    def __init__(self, given: Settings) -> None:
        self._settings = given

    def start(self) -> None:
        prepare_server(self._settings)

    def address(self, *, owner: bool = False) -> Address:
        return address_of(self._settings, owner=owner)

    def stop(self) -> None:
        connection = db.connect(self.address(owner=True), statement_timeout=60)
        connection.cmd_query(f"DROP DATABASE `{self._settings.db_name}`")
        connection.close()


@pytest.fixture(scope="session")
def app_settings(var: Path) -> Settings:
    """With DB_HOST, each run has a database of its own there: the tests empty it, and the shop's may be there, too."""
    given = {name: value for name, value in os.environ.items() if name.startswith("DB_")}
    given["DB_NAME"] = f"{given.get('DB_NAME') or 'flaskcart'}_tests_{secrets.token_hex(4)}"
    return Settings.from_env({**given, "SHOP_VAR": str(var), "SECRET_KEY": "for tests only, 0123456789abcdef", "PORT": "5099", "THREADS": "24"})


@pytest.fixture(scope="session")
def server(var: Path, app_settings: Settings) -> Iterator[PrivateDatabase | TheirDatabase]:
    """A real database server: the tests' own, or that of DB_HOST."""
    database = TheirDatabase(app_settings) if app_settings.db_host else PrivateDatabase(var, print)
    database.start()
    migrations.migrate(database.address(owner=True))
    yield database
    db.close()
    database.stop()


@pytest.fixture(scope="session")
def app(server: PrivateDatabase, app_settings: Settings) -> Flask:
    made = create_app(app_settings, server.address())
    made.test_client_class = ShopClient
    return made


@pytest.fixture(scope="session")
def owner_connection(server: PrivateDatabase) -> Iterator[Any]:
    connection = db.connect(server.address(owner=True))
    yield connection
    connection.close()


@pytest.fixture
def shop(app: Flask, owner_connection: Any) -> Iterator[Flask]:
    """The app over an empty database. When the test is done every invariant must hold."""
    settings.take_first_values(app.config["SHOP"])
    payments.use(app.config["SHOP"])
    yield app
    try:
        assert not broken_invariants(owner_connection)
    finally:
        empty(owner_connection)


@pytest.fixture(scope="session")
def other_apps() -> dict[str, Flask]:
    return {}


@pytest.fixture
def shop_with(shop: Flask, app_settings: Settings, server: PrivateDatabase, other_apps: dict[str, Flask]) -> Make:
    """Another app over the same database, with some settings changed; made once, since it keeps nothing in itself."""

    def make(**changes: Any) -> Flask:
        if repr(changes) not in other_apps:
            other_apps[repr(changes)] = create_app(replace(app_settings, **changes), server.address())
            other_apps[repr(changes)].test_client_class = ShopClient
        return other_apps[repr(changes)]

    return make


def broken_invariants(connection: Any) -> dict[str, Any]:
    """The rows that break each invariant. All of them are asked in one statement first; only when that finds something, one by one."""
    cursor = connection.cursor()
    cursor.execute(" UNION ALL ".join(f"(SELECT '{name}' FROM ({sql}) broken LIMIT 1)" for name, _, sql in doctor.checks()))
    found = cursor.fetchall()
    cursor.close()
    return {name: rows for name, _, rows in doctor.examine() if rows} if found else {}


_filled = ""


def empty(connection: Any) -> None:
    """Of so many tables a test fills a few: one statement finds out which."""
    global _filled
    cursor = connection.cursor()
    if not _filled:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name <> 'schema_migrations'")
        _filled = " UNION ALL ".join(f"(SELECT '{row[0]}' FROM {row[0]} LIMIT 1)" for row in cursor.fetchall())
    cursor.execute(_filled)
    names = [row[0] for row in cursor.fetchall()]
    cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
    cursor.execute("START TRANSACTION")
    for name in names:
        cursor.execute(f"DELETE FROM {name}")
    cursor.execute("COMMIT")
    cursor.execute("SET FOREIGN_KEY_CHECKS = 1")
    cursor.close()


@pytest.fixture
def client(shop: Flask) -> ShopClient:
    return shop.test_client()  # type: ignore[return-value]


@pytest.fixture
def new_client(shop: Flask) -> Callable[[], ShopClient]:
    """Makes another browser."""
    return shop.test_client  # type: ignore[return-value]


@pytest.fixture
def search_folder(app_settings: Settings) -> Path:
    return app_settings.var / "search"


@pytest.fixture
def indexed(shop: Flask, search_folder: Path) -> Iterator[Callable[[], int]]:
    """Brings the search index up to date, as the keeper does every moment. Without it the shop answers from the database alone."""
    keeper = Keeper(search_folder)
    yield keeper.step
    keeper.close()
    search_index.forget(search_folder)


@pytest.fixture
def alice(shop: Flask) -> User:
    """A buyer."""
    return factories.user("alice")


@pytest.fixture
def bob(shop: Flask) -> User:
    """A stranger to Alice."""
    return factories.user("bob")


@pytest.fixture
def ada(shop: Flask) -> User:
    """The shop's admin."""
    return factories.user("ada", role="admin")


@pytest.fixture
def mug(shop: Flask) -> Thing:
    return factories.product("Stoneware mug", stock=5, price_minor=1800)


@pytest.fixture
def between_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that has just looked at the version of the catalogue, or will at the first question, and believes it."""
    monkeypatch.setattr(catalogue, "LOOK_EVERY", 60.0)
    monkeypatch.setattr(catalogue, "_seen", (float("-inf"), None))


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Counts the statements that were sent to the database so far."""
    sent = 0
    execute = db.Tx.execute

    def counted(self: db.Tx, sql: str, params: tuple[Any, ...] = ()) -> Any:
        nonlocal sent
        sent += 1
        return execute(self, sql, params)

    monkeypatch.setattr(db.Tx, "execute", counted)
    return lambda: sent


# ---------------------------------------------------------------- imports


@pytest.fixture
def staff_client(new_client: Callable[[], ShopClient], shop: Any) -> ShopClient:
    return new_client().as_(factories.user("sam", role="staff"))


@pytest.fixture
def start(staff_client: ShopClient) -> Start:
    """Uploads a file and starts its import; returns the import's id. The job runner does not run by itself."""

    def send(content: bytes) -> int:
        answer = staff_client.post("/api/v1/admin/imports", data=content, content_type="text/csv")
        assert answer.json["errors"] == []
        assert staff_client.post(f"/api/v1/admin/imports/{answer.json['id']}/start").status_code == 202
        return int(answer.json["id"])

    return send


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each product is a batch of its own."""
    monkeypatch.setattr(import_batches, "MIN_BATCH_PRODUCTS", 1)
    monkeypatch.setattr(import_batches, "MAX_BATCH_PRODUCTS", 1)


@pytest.fixture
def six(start: Start, var: Path) -> list[int]:
    """Six products that an import added; returns their variants."""
    start(import_files.table_of(6, price=10, stock=5))
    imports.carry_out_due(var)
    return [row[0] for row in import_files.rows("SELECT id FROM variants ORDER BY id")]
