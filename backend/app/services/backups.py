"""Backups: a consistent copy of the database and the uploads in one compressed file, and the way back from it.

The copy is read by the shop itself, over one connection that sees one moment, and not by mariadb-dump: the small server that the shop
brings with it has no client programs, and one way that is always tried beats two. The file holds no SECRET_KEY and no password of the
database. A restore loads everything into a database beside the shop's and examines it there; only then do the tables change places.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import hashlib
import json
import os
import re
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, TypedDict

from .. import db, migrations
from ..db import Address
from ..errors import Conflict, NotFound
from ..lock import Lock
from . import doctor

FORMAT = 1
BATCH = 500  # rows; what is held in memory at once
CHUNK = 1 << 20  # bytes
TIMEOUT = 3600  # seconds without an answer
NAME = re.compile(r"shop-\d{8}-\d{6}-[0-9a-f]{8}\.zip")

# A restored shop trusts nobody who was signed in then, sends nothing that waited then, and holds no lock of then.
DEADEN = [
    "DELETE FROM sessions",
    "DELETE FROM challenges",
    "DELETE FROM leases",
    "DELETE FROM idempotency_keys WHERE order_id IS NULL AND result_id IS NULL",
    "UPDATE mails SET status = 'failed', data = '', leased_until = NULL, last_error = 'unsent when the shop was restored' WHERE status <> 'sent'",
    "UPDATE jobs SET leased_by = NULL, leased_until = NULL, asked = FALSE",
]

Progress = Callable[[int, int], None]


class Part(TypedDict):
    sha256: str
    rows: int


class Manifest(TypedDict):
    format: int
    made_at: str
    versions: list[str]
    tables: dict[str, str]
    columns: dict[str, list[str]]
    parts: dict[str, Part]


@dataclass(frozen=True)
class Backup:
    name: str
    size: int
    proven_at: str


def listed(folder: Path) -> list[Backup]:
    """The backups in a folder, the newest first."""
    files = [path for path in folder.glob("*.zip") if NAME.fullmatch(path.name)]
    return [Backup(path.name, path.stat().st_size, _proven_at(path)) for path in sorted(files, reverse=True)]


def find(folder: Path, name: str) -> Path:
    """The file of that name. Only names that the shop gives are looked for, so no path leads out of the folder."""
    path = folder / name
    if not NAME.fullmatch(name) or not path.is_file():
        raise NotFound("There is no such backup.")
    return path


def make(owner: Address, uploads: Path, folder: Path, progress: Progress) -> Path:
    """Copy the shop as it is at one moment, while it goes on."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = datetime.datetime.now(datetime.UTC)
    path = folder / f"shop-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}.zip"
    draft = path.with_suffix(".part")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                manifest = _copy(archive, owner, uploads, progress)
                manifest["made_at"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
                archive.writestr("manifest.json", json.dumps(manifest))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _copy(archive: zipfile.ZipFile, owner: Address, uploads: Path, progress: Progress) -> Manifest:
    manifest = Manifest(format=FORMAT, made_at="", versions=[], tables={}, columns={}, parts={})
    with _connected(owner) as connection:
        _run(connection, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        _run(connection, f"SET SESSION net_write_timeout = {TIMEOUT}")
        _run(connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
        for (table,) in _rows(connection, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1"):
            manifest["tables"][table] = _rows(connection, f"SHOW CREATE TABLE `{table}`")[0][1]
            manifest["columns"][table] = _columns(connection, table)
        manifest["versions"] = [row[0] for row in _rows(connection, "SELECT version FROM schema_migrations ORDER BY version")]
        files = sorted(path for path in uploads.rglob("*") if path.is_file())
        total = len(manifest["tables"]) + len(files)
        for done, table in enumerate(manifest["tables"], 1):
            manifest["parts"][f"tables/{table}.jsonl"] = _write(archive, f"tables/{table}.jsonl", _lines(connection, table, manifest["columns"][table]))
            progress(done, total)
    for done, path in enumerate(files, len(manifest["tables"]) + 1):
        name = f"uploads/{path.relative_to(uploads).as_posix()}"
        # A picture that was taken away since the moment of the copy is needed by nobody any more.
        if path.is_file():
            with path.open("rb") as file:
                manifest["parts"][name] = _write(archive, name, iter(lambda: file.read(CHUNK), b""))
        progress(done, total)
    return manifest


def _columns(connection: Any, table: str) -> list[str]:
    found = _rows(
        connection,
        "SELECT column_name FROM information_schema.columns"
        f" WHERE table_schema = DATABASE() AND table_name = '{table}' AND extra NOT LIKE '%GENERATED%' ORDER BY ordinal_position",
    )
    return [row[0] for row in found]


def _lines(connection: Any, table: str, columns: list[str]) -> Iterator[bytes]:
    cursor = connection.cursor(buffered=False)
    cursor.execute(f"SELECT {_quoted(columns)} FROM `{table}`")
    while rows := cursor.fetchmany(BATCH):
        yield b"".join(json.dumps(row, default=_plain).encode() + b"\n" for row in rows)
    cursor.close()


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime | datetime.date | datetime.timedelta | decimal.Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a backup")


def _write(archive: zipfile.ZipFile, name: str, pieces: Iterator[bytes]) -> Part:
    digest, rows = hashlib.sha256(), 0
    with archive.open(name, "w", force_zip64=True) as part:
        for piece in pieces:
            part.write(piece)
            digest.update(piece)
            rows += piece.count(b"\n")
    return Part(sha256=digest.hexdigest(), rows=rows if name.startswith("tables/") else 0)


def verify(path: Path) -> Manifest:
    """Read the whole file, and refuse it unless every part is as it was written and this version of the shop knows its tables."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest: Manifest = json.loads(archive.read("manifest.json"))
            if manifest["format"] != FORMAT:
                raise Conflict("This backup is from a newer version of the shop. Nothing was touched.")
            whole = sorted(archive.namelist()) == sorted([*manifest["parts"], "manifest.json"])
            tables = sorted(name for name in manifest["parts"] if name.startswith("tables/"))
            whole = whole and tables == sorted(f"tables/{table}.jsonl" for table in manifest["tables"])
            if not whole or not all(_as_written(archive, name, part) for name, part in manifest["parts"].items()):
                raise Conflict("This file is not a whole backup, or was changed after it was made. Nothing was touched.")
    except (OSError, EOFError, ValueError, KeyError, TypeError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise Conflict("This file is not a whole backup, or was changed after it was made. Nothing was touched.") from error
    if unknown := set(manifest["versions"]) - {file.stem for file in migrations.migration_files()}:
        raise Conflict(f"This backup is from a newer version of the shop ({', '.join(sorted(unknown))}). Nothing was touched.")
    return manifest


def _as_written(archive: zipfile.ZipFile, name: str, expected: Part) -> bool:
    if name.startswith("/") or ".." in name.split("/") or "\\" in name:
        return False
    with archive.open(name) as part:
        return _digest(part) == expected["sha256"]


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := file.read(CHUNK):
        digest.update(piece)
    return digest.hexdigest()


def prove(owner: Address, path: Path, progress: Progress) -> None:
    """Restore a backup beside the shop, examine it there, and note on success that it was proven."""
    with _loaded(owner, path, verify(path), progress):
        note = path.with_suffix(".proven")
        note.write_text(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}", encoding="ascii")


def _proven_at(path: Path) -> str:
    note = path.with_suffix(".proven")
    return note.read_text(encoding="ascii") if note.exists() else ""


def restore(owner: Address, path: Path, var: Path, progress: Progress) -> None:
    """Put a backup in the place of the shop. No worker of the shop may run meanwhile: its searches and pictures change too."""
    with _loaded(owner, path, verify(path), progress) as beside:
        fresh = _unpacked(path, var)
        with _connected(beside) as connection:
            for statement in DEADEN:
                _run(connection, statement)
        _change_places(owner, beside)
    migrations.migrate(owner)
    former = var / "uploads.former"
    shutil.rmtree(former, ignore_errors=True)
    if (var / "uploads").exists():
        (var / "uploads").replace(former)
    fresh.replace(var / "uploads")
    shutil.rmtree(former, ignore_errors=True)
    shutil.rmtree(var / "search", ignore_errors=True)


def _unpacked(path: Path, var: Path) -> Path:
    fresh = var / "uploads.restored"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("uploads/"):
                target = fresh / name.removeprefix("uploads/")
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, CHUNK)
    return fresh


@contextmanager
def _loaded(owner: Address, path: Path, manifest: Manifest, progress: Progress) -> Iterator[Address]:
    """The backup in a database beside the shop's, at this version and examined. It goes away afterwards."""
    beside = replace(owner, database=f"{owner.database}_restored")
    lock = Lock(path.parent)
    lock.take("the proof or restore of a backup")
    try:
        with _connected(owner) as connection:
            _run(connection, f"DROP DATABASE IF EXISTS `{beside.database}`")
            _run(connection, f"CREATE DATABASE `{beside.database}` CHARACTER SET utf8mb4 COLLATE {db.COLLATION}")
        try:
            with _connected(beside) as connection:
                _load(connection, path, manifest, progress)
            migrations.migrate(beside)
            with _connected(beside) as connection:
                _examine(connection)
            yield beside
        finally:
            with _connected(owner) as connection:
                _run(connection, f"DROP DATABASE IF EXISTS `{beside.database}`")
    finally:
        lock.release()


def _load(connection: Any, path: Path, manifest: Manifest, progress: Progress) -> None:
    _run(connection, "SET SESSION foreign_key_checks = 0, unique_checks = 0")
    with zipfile.ZipFile(path) as archive:
        for done, (table, statement) in enumerate(manifest["tables"].items(), 1):
            _run(connection, statement)
            columns = manifest["columns"][table]
            insert = f"INSERT INTO `{table}` ({_quoted(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
            with archive.open(f"tables/{table}.jsonl") as lines:
                cursor = connection.cursor()
                while batch := [tuple(map(_value, json.loads(line))) for _, line in zip(range(BATCH), lines, strict=False)]:
                    cursor.executemany(insert, batch)
                cursor.close()
            counted = _rows(connection, f"SELECT COUNT(*) FROM `{table}`")[0][0]
            if counted != manifest["parts"][f"tables/{table}.jsonl"]["rows"]:
                raise Conflict(f"The table {table} came back with {counted} rows. Nothing was touched.")
            progress(done, len(manifest["tables"]))


def _value(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


def _examine(connection: Any) -> None:
    broken = [name for name, _, sql in doctor.checks() if _rows(connection, f"SELECT * FROM ({sql}) broken LIMIT 1")]
    if broken:
        raise Conflict(f"The restored copy breaks these invariants: {', '.join(broken)}. Nothing was touched.")


def _change_places(owner: Address, beside: Address) -> None:
    """Every table of the shop goes out and every restored one comes in, in one statement: who looks sees the one shop or the other."""
    former = f"{owner.database}_former"
    with _connected(owner) as connection:
        _run(connection, f"DROP DATABASE IF EXISTS `{former}`")
        _run(connection, f"CREATE DATABASE `{former}` CHARACTER SET utf8mb4 COLLATE {db.COLLATION}")
        moves = [f"`{owner.database}`.`{table}` TO `{former}`.`{table}`" for table in _tables(connection, owner.database)]
        moves += [f"`{beside.database}`.`{table}` TO `{owner.database}`.`{table}`" for table in _tables(connection, beside.database)]
        _run(connection, f"RENAME TABLE {', '.join(moves)}")
        _run(connection, f"DROP DATABASE `{former}`")


def _tables(connection: Any, database: str) -> list[str]:
    return [row[0] for row in _rows(connection, f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}'")]


def _quoted(columns: list[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)


@contextmanager
def _connected(address: Address) -> Iterator[Any]:
    connection = db.connect(address, statement_timeout=TIMEOUT)
    try:
        yield connection
    finally:
        connection.close()


def _run(connection: Any, sql: str) -> None:
    cursor = connection.cursor()
    cursor.execute(sql)
    cursor.close()


def _rows(connection: Any, sql: str) -> list[Any]:
    cursor = connection.cursor()
    cursor.execute(sql)
    rows: list[Any] = cursor.fetchall()
    cursor.close()
    return rows
