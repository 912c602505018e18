from __future__ import annotations

import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User

from app import db, migrations
from app.db import Address
from app.errors import Conflict, NotFound
from app.private_database import PrivateDatabase
from app.services import backups


def quiet(done: int, total: int) -> None:
    """Nobody watches the tests' progress."""


@pytest.fixture
def owner(server: PrivateDatabase) -> Address:
    return server.address(owner=True)


@pytest.fixture
def other_shop(owner: Address) -> Iterator[Address]:
    """A second, empty shop to restore into, so that the tests' own one keeps its tables."""
    other = replace(owner, database=f"{owner.database}_other")
    run(owner, f"CREATE DATABASE {other.database}")
    migrations.migrate(other)
    yield other
    run(owner, f"DROP DATABASE {other.database}")


def run(address: Address, sql: str) -> list[Any]:
    connection = db.connect(address)
    cursor = connection.cursor()
    cursor.execute(sql)
    rows: list[Any] = cursor.fetchall()
    connection.close()
    return rows


def uploads_of(folder: Path) -> Path:
    (folder / "uploads" / "ab").mkdir(parents=True)
    (folder / "uploads" / "ab" / "mug.webp").write_bytes(b"a picture")
    return folder / "uploads"


def test_a_backup_made_while_people_order_restores_to_a_sound_shop_in_which_old_cookies_codes_and_mails_are_dead(
    new_client: Callable[[], ShopClient], alice: User, owner: Address, other_shop: Address, tmp_path: Path
) -> None:
    mug = factories.product("Mug", stock=100_000)
    acknowledged: list[str] = []
    enough = threading.Event()

    def shopping(buyer: ShopClient) -> None:
        while not enough.is_set():
            buyer.add(mug.variants[0])
            answer = buyer.order()
            assert answer.status_code == 201, answer.data
            acknowledged.append(answer.json["number"])

    factories.cookie_of(alice)
    new_client().post("/api/v1/auth/forgot", json={"email": "alice@example.com"})
    crowd = [threading.Thread(target=shopping, args=[new_client().as_(factories.user(f"buyer{number}"))]) for number in range(2)]
    for one in crowd:
        one.start()
    while len(acknowledged) < 3 and all(one.is_alive() for one in crowd):
        time.sleep(0.01)
    before = set(acknowledged)
    path = backups.make(owner, uploads_of(tmp_path), tmp_path / "backups", quiet)
    enough.set()
    for one in crowd:
        one.join()

    backups.prove(owner, path, quiet)
    restored = tmp_path / "restored"
    (restored / "search").mkdir(parents=True)
    backups.restore(other_shop, path, restored, quiet)

    kept = {number for (number,) in run(other_shop, "SELECT number FROM orders")}
    assert before <= kept <= set(acknowledged)
    assert run(other_shop, "SELECT COUNT(*) FROM sessions UNION ALL SELECT COUNT(*) FROM codes") == [(0,), (0,)]
    assert run(other_shop, "SELECT COUNT(*) FROM mails WHERE status = 'queued' OR (status = 'failed' AND data <> '')") == [(0,)]
    assert run(other_shop, "SELECT username, password_hash FROM users") == run(owner, "SELECT username, password_hash FROM users")
    assert (restored / "uploads" / "ab" / "mug.webp").read_bytes() == b"a picture"
    assert not (restored / "search").exists()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.proven_at != "" for one in backups.listed(path.parent)] == [True]


def test_a_truncated_an_altered_and_an_unknown_file_are_refused_before_anything_is_touched(
    mug: Thing, owner: Address, other_shop: Address, tmp_path: Path
) -> None:
    path = backups.make(owner, uploads_of(tmp_path), tmp_path / "backups", quiet)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        begin = archive.getinfo("uploads/ab/mug.webp").header_offset + 72
    changed = {
        "truncated": whole[:-100],
        "altered": whole[:begin] + bytes([whole[begin] ^ 1]) + whole[begin + 1 :],
        "other": b"a letter",
        "newer": whole,
    }
    for name, content in changed.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "newer", "a") as archive:
        archive.writestr("more.txt", "put in by somebody")
    for name in changed:
        with pytest.raises(Conflict, match="Nothing was touched"):
            backups.restore(other_shop, tmp_path / name, tmp_path, quiet)
    assert run(other_shop, "SELECT COUNT(*) FROM products") == [(0,)]
    assert (tmp_path / "uploads" / "ab" / "mug.webp").exists()
    assert not run(owner, f"SHOW DATABASES LIKE '{other_shop.database}\\_restored'")


@pytest.mark.parametrize("name", ["../secret_key", "/etc/passwd", "shop-20260101-000000-0123abcd.zip/../x", "lock"])
def test_a_name_that_the_shop_did_not_give_is_not_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with pytest.raises(NotFound):
        backups.find(tmp_path, name)
