"""Fixtures and helpers of the modules that test backups."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ShopClient
from factories import User
from test_users import act_as

from app import db, migrations
from app.config import Settings
from app.db import Address
from app.private_database import PrivateDatabase
from app.services.backup_archive import Manifest, open_archive

DESK = "/api/v1/admin/backups"


def quiet(done: int, total: int) -> None:
    """Nobody watches the tests' progress."""


@pytest.fixture
def owner(server: PrivateDatabase) -> Address:
    return server.address(owner=True)


@pytest.fixture
def loader(server: PrivateDatabase) -> Address:
    """The account that rows of a backup are loaded with."""
    return server.address()


@pytest.fixture
def other_shop(owner: Address) -> Iterator[Address]:
    """A second, empty shop to restore into, so that the tests' own one keeps its tables."""
    other = replace(owner, database=f"{owner.database}_other")
    run(owner, f"CREATE DATABASE {other.database}")
    migrations.migrate(other)
    yield other
    run(owner, f"DROP DATABASE {other.database}")


@pytest.fixture
def folder(app_settings: Settings) -> Iterator[Path]:
    yield app_settings.var / "backups"
    shutil.rmtree(app_settings.var / "backups", ignore_errors=True)


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User, folder: Path) -> ShopClient:
    return act_as(new_client(), ada)


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


def read_whole(path: Path) -> Manifest:
    """The manifest of a backup, once all else was compared with it."""
    with open_archive(path) as archive:
        archive.verify_content()
        return archive.manifest
