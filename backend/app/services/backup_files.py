"""The file of a backup: a consistent copy of the database and the uploads, compressed, and the way back from it.

The copy is read by the shop itself, over one connection that sees one moment, and not by mariadb-dump: the small server that the shop
brings with it has no client programs, and one way that is always tried beats two. The file holds no SECRET_KEY and no password of the
database. A restore loads everything into a database beside the shop's and examines it there; only then do the tables change places, in one
statement, so that the shop may stay open: whoever looks sees the one shop or the other.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from mysql.connector import errorcode
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from .. import db, migrations
from ..db import DRIVER_ERRORS, LOCK_WAIT, Address
from ..errors import Conflict
from ..lock import Lock
from . import doctor

FORMAT = 1
BATCH = 500  # rows; what is held in memory at once
CHUNK = 1 << 20  # bytes
TIMEOUT = 3600  # seconds without an answer
SWAP_WAIT, SWAP_TRIES = 2, 20  # seconds for which shoppers wait behind a change of places that waits itself, and how often it is tried
APART = 10_000  # more ids than the shop gives away between a look at them and the change of places
NAME = re.compile(r"shop-\d{8}-\d{6}-[0-9a-f]{8}\.zip")

# A restored shop trusts nobody who was signed in then, sends nothing that waited then, holds no lock of then, and does nothing that was
# begun then: it may have been done since. Refunds wait for somebody who has looked whether the money went back.
DEADEN = [
    "DELETE FROM sessions",
    "DELETE FROM challenges",
    "DELETE FROM leases",
    "DELETE FROM idempotency_keys WHERE order_id IS NULL AND result_id IS NULL",
    "UPDATE mails SET status = 'failed', data = '', leased_until = NULL, last_error = 'unsent when the shop was restored' WHERE status <> 'sent'",
    "UPDATE jobs SET leased_by = NULL, leased_until = NULL, asked = FALSE",
    "UPDATE imports SET status = 'failed' WHERE status IN ('checking', 'waiting', 'running')",
    "UPDATE refunds SET status = 'failed' WHERE status = 'pending'",
    "UPDATE newsletters SET status = 'paused' WHERE status = 'sending'",
    "DELETE FROM backup_tasks",
]

NOT_WHOLE = "This file is not a whole backup, or was changed after it was made. Nothing was touched."
# What zipfile raises of a file that was altered: it is no ZIP, its bytes are others, a part is missing, ends early or is said to be encrypted
# or packed in another way (RuntimeError), a place or a name cannot be (ValueError, as a manifest of another shape is).
ALTERED = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, ValueError)
# About how many rows each table has: known without counting them.
LENGTHS = "SELECT table_name, table_rows FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"

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


MANIFEST = TypeAdapter(Manifest)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While a backup is proven or restored nobody else does so: both use the one database beside the shop's. Raises Busy."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = Lock(folder)
    lock.take("the proof or restore of a backup")
    try:
        yield
    finally:
        lock.release()


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
        for table in sorted(_tables(connection, owner.database)):
            manifest["tables"][table] = _rows(connection, f"SHOW CREATE TABLE `{table}`")[0][1]
            manifest["columns"][table] = _columns(connection, table)
        manifest["versions"] = [row[0] for row in _rows(connection, "SELECT version FROM schema_migrations ORDER BY version")]
        files = sorted(path for path in uploads.rglob("*") if path.is_file())
        about = {table: max(1, int(rows or 0)) for table, rows in _rows(connection, LENGTHS)}
        done, total = 0, sum(about.values()) + len(files)
        for table, columns in manifest["columns"].items():
            lines = _lines(connection, table, columns, partial(_within, progress, done, about[table], total))
            manifest["parts"][f"tables/{table}.jsonl"] = _write(archive, f"tables/{table}.jsonl", lines)
            done += about[table]
    for place, path in enumerate(files, done + 1):
        name = f"uploads/{path.relative_to(uploads).as_posix()}"
        # A picture that was taken away since the moment of the copy is needed by nobody any more.
        if path.is_file():
            with path.open("rb") as file:
                manifest["parts"][name] = _write(archive, name, iter(lambda: file.read(CHUNK), b""))
        progress(place, total)
    progress(total, total)
    return manifest


def _within(progress: Progress, done: int, most: int, total: int, read: int) -> None:
    """How far the whole is when so many rows of one table are read, which may be more than they were reckoned to be."""
    progress(done + min(read, most), total)


def _columns(connection: Any, table: str) -> list[str]:
    found = _rows(
        connection,
        "SELECT column_name FROM information_schema.columns"
        f" WHERE table_schema = DATABASE() AND table_name = '{table}' AND extra NOT LIKE '%GENERATED%' ORDER BY ordinal_position",
    )
    return [row[0] for row in found]


def _lines(connection: Any, table: str, columns: list[str], tell: Callable[[int], None]) -> Iterator[bytes]:
    cursor, read = connection.cursor(buffered=False), 0
    cursor.execute(f"SELECT {_quoted(columns)} FROM `{table}`")
    while rows := cursor.fetchmany(BATCH):
        read += len(rows)
        tell(read)
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


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """Raises Conflict for what is no backup, or no longer. What the disk refuses is another thing, and stays an error."""
    try:
        with zipfile.ZipFile(path) as archive:
            if any(part.compress_type != zipfile.ZIP_DEFLATED for part in archive.infolist()):
                raise zipfile.BadZipFile("Backups are packed in one way.")
            yield archive, MANIFEST.validate_json(archive.read("manifest.json"))
    except ALTERED as error:
        raise Conflict(NOT_WHOLE) from error
    except OSError as error:
        # An altered directory may send the reader to a place before the file's beginning.
        if error.errno != errno.EINVAL:
            raise
        raise Conflict(NOT_WHOLE) from error


def verify(path: Path) -> Manifest:
    """Read the whole file, and refuse it unless every part is as it was written and this version of the shop knows its tables."""
    with _opened(path) as (archive, manifest):
        if manifest["format"] != FORMAT:
            raise Conflict("This backup is from a newer version of the shop. Nothing was touched.")
        whole = sorted(archive.namelist()) == sorted([*manifest["parts"], "manifest.json"])
        tables = sorted(name for name in manifest["parts"] if name.startswith("tables/"))
        whole = whole and tables == sorted(f"tables/{table}.jsonl" for table in manifest["tables"]) and manifest["tables"].keys() == manifest["columns"].keys()
        if not whole or not all(_as_written(archive, name, part) for name, part in manifest["parts"].items()):
            raise Conflict(NOT_WHOLE)
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
    note = path.with_suffix(".proven")
    try:
        manifest = verify(path)
    except Conflict:
        note.unlink(missing_ok=True)
        raise
    with _loaded(owner, path, manifest, progress):
        note.write_text(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}", encoding="ascii")


def proven_at(path: Path) -> str:
    note = path.with_suffix(".proven")
    return note.read_text(encoding="ascii") if note.exists() else ""


def contents(path: Path) -> dict[str, int]:
    """What a backup says it holds: its parts, with the rows of each. Whether they are as they were written, verify() finds out."""
    with _opened(path) as (_, manifest):
        return {name: part["rows"] for name, part in manifest["parts"].items()}


def restore(owner: Address, path: Path, var: Path, progress: Progress, remember: Callable[[Any], None] = lambda connection: None) -> None:
    """Put a backup in the place of the shop. `remember` writes into the restored tables, before they are the shop's, what is not of then.

    Whoever is cut off before the tables change places has changed nothing; after it, settle() does what is left.
    """
    with _loaded(owner, path, verify(path), progress) as beside:
        _unpack(path, var / "uploads")
        with _connected(beside) as connection:
            for statement in DEADEN:
                _run(connection, statement)
            remember(connection)
            _number_on(connection, beside.database, owner.database)
        _change_places(owner, beside)
    settle(owner)


def settle(owner: Address) -> None:
    """What remains once the tables have changed places; it may be done again."""
    migrations.migrate(owner)
    former = f"{owner.database}_former"
    with _connected(owner) as connection:
        if "products" in _tables(connection, former):
            # Every search index, and whatever else goes by these marks, learns of all that is there again and all that is gone.
            both = f"SELECT id FROM `{owner.database}`.products UNION SELECT id FROM `{former}`.products"
            _run(connection, f"INSERT INTO product_changes (product_id, changed_at) SELECT id, UTC_TIMESTAMP(6) FROM ({both}) every_one")
        _run(connection, f"DROP DATABASE IF EXISTS `{former}`")


def _unpack(path: Path, uploads: Path) -> None:
    """Pictures are named by their content or by chance, so those of both shops lie in one folder; what nobody has any more, jobs delete."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("uploads/"):
                target = uploads / name.removeprefix("uploads/")
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(f"{target.name}.part")
                with archive.open(name) as source, part.open("wb") as file:
                    shutil.copyfileobj(source, file, CHUNK)
                part.replace(target)


@contextmanager
def _loaded(owner: Address, path: Path, manifest: Manifest, progress: Progress) -> Iterator[Address]:
    """The backup in a database beside the shop's, at this version and examined. It goes away afterwards."""
    beside = replace(owner, database=f"{owner.database}_restored")
    with _connected(owner) as connection:
        _make_beside(connection, beside.database)
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


def _make_beside(connection: Any, name: str) -> None:
    try:
        _run(connection, f"DROP DATABASE IF EXISTS `{name}`")
        _run(connection, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE {db.COLLATION}")
    except DRIVER_ERRORS as error:
        if db.error_number(error) != errorcode.ER_DBACCESS_DENIED_ERROR:
            raise
        raise Conflict(f"DB_USER may not make the database {name}, in which a backup is tried. README tells which right it needs.") from error


def _load(connection: Any, path: Path, manifest: Manifest, progress: Progress) -> None:
    _run(connection, "SET SESSION foreign_key_checks = 0, unique_checks = 0")
    done, total = 0, sum(part["rows"] for part in manifest["parts"].values())
    with zipfile.ZipFile(path) as archive:
        for table, statement in manifest["tables"].items():
            _run(connection, statement)
            columns = manifest["columns"][table]
            insert = f"INSERT INTO `{table}` ({_quoted(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
            with archive.open(f"tables/{table}.jsonl") as lines:
                cursor = connection.cursor()
                while batch := [tuple(map(_value, json.loads(line))) for _, line in zip(range(BATCH), lines, strict=False)]:
                    cursor.executemany(insert, batch)
                    done += len(batch)
                    progress(done, total)
                cursor.close()
            counted = _rows(connection, f"SELECT COUNT(*) FROM `{table}`")[0][0]
            if counted != manifest["parts"][f"tables/{table}.jsonl"]["rows"]:
                raise Conflict(f"The table {table} came back with {counted} rows. Nothing was touched.")


def _value(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


def _examine(connection: Any) -> None:
    broken = [name for name, _, sql in doctor.checks() if _rows(connection, f"SELECT * FROM ({sql}) broken LIMIT 1")]
    if broken:
        raise Conflict(f"The restored copy breaks these invariants: {', '.join(broken)}. Nothing was touched.")


def _number_on(connection: Any, restored: str, present: str) -> None:
    """No id that the shop of now gave away is given again: somebody may still hold it, such as a payment service or a page that is open."""
    numbered = f"SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '{present}' AND extra LIKE '%auto_increment%'"
    known = _tables(connection, restored)
    for table, column in _rows(connection, numbered):
        if table in known and (last := _rows(connection, f"SELECT MAX(`{column}`) FROM `{present}`.`{table}`")[0][0]):
            _run(connection, f"ALTER TABLE `{table}` AUTO_INCREMENT = {int(last) + APART}")


def _change_places(owner: Address, beside: Address) -> None:
    """Every table of the shop goes out and every restored one comes in."""
    former = f"{owner.database}_former"
    with _connected(owner) as connection:
        _make_beside(connection, former)
        moves = [f"`{owner.database}`.`{table}` TO `{former}`.`{table}`" for table in _tables(connection, owner.database)]
        moves += [f"`{beside.database}`.`{table}` TO `{owner.database}`.`{table}`" for table in _tables(connection, beside.database)]
        _run(connection, f"SET SESSION lock_wait_timeout = {SWAP_WAIT}")
        for left in reversed(range(SWAP_TRIES)):
            try:
                return _run(connection, f"RENAME TABLE {', '.join(moves)}")
            except DRIVER_ERRORS as error:
                if db.error_number(error) != LOCK_WAIT or not left:
                    raise
            time.sleep(1)


def _tables(connection: Any, database: str) -> list[str]:
    return [
        row[0] for row in _rows(connection, f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}' AND table_type = 'BASE TABLE'")
    ]


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
