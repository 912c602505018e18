"""Backups of the database and the uploads, and the way back from one.

The shop reads the copy itself, over one connection that sees one moment, and not with mariadb-dump:
the small server that comes with the shop has no client programs, and one way that is always tested
beats two. The file holds no SECRET_KEY and no database password. A restore creates the tables from
the shop's own migrations in a second database, loads the rows into them and checks them there; only
then do the tables change places, in one statement, so that the shop may stay open and visitors see
either the old data or the restored data.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from mysql.connector import errorcode

from .. import db, driver, migrations
from ..db import DRIVER_ERRORS, LOCK_WAIT, Address
from ..errors import Conflict
from ..lock import Lock
from . import doctor
from .backup_archive import (
    CHUNK_BYTES,
    Archive,
    ArchiveWriter,
    UnsignedBackup,
    damaged,
    open_archive,
    refuse,
)
from .backup_uploads import list_uploads, plan_unpacking, unpack

log = logging.getLogger("shop.backups")

BATCH_ROWS = 500
MAX_BATCH_BYTES = 4 << 20  # DB_HOST may accept packets of 16 MB only, and escaping lengthens texts
MARK_BATCH_ROWS = 1000
TIMEOUT = 3600  # seconds without an answer
# Everybody waits behind a swap that waits itself, for a second at most: after two the requests
# fail.
SWAP_WAIT_SECONDS, SWAP_ATTEMPTS = 1, 30
ID_GAP = 10_000  # more ids than the shop assigns between reading the highest one and the swap
NAME = re.compile(r"shop-\d{8}-\d{6}-[0-9a-f]{8}\.zip")
TIMESTAMP = "%Y-%m-%dT%H:%M:%SZ"
SCALARS = {str, int, float, type(None)}
# The migrations write these themselves.
UNLOADED_TABLES = {"schema_migrations", "leases"}

# A restored shop trusts no session or code of that time, sends no queued email, holds no lease, and
# does not continue work that was in progress: it may have been finished since. Refunds wait for
# somebody who has checked whether the money went back.
DEACTIVATE = [
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

# Estimated row counts, known without counting.
ROW_ESTIMATES = """
SELECT table_name, table_rows
  FROM information_schema.tables
 WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'
"""
FOREIGN_KEYS = """
SELECT constraint_name, table_name, column_name, referenced_table_name, referenced_column_name
  FROM information_schema.key_column_usage
 WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL
 ORDER BY table_name, constraint_name, ordinal_position
"""
COLUMNS = """
SELECT table_name, column_name
  FROM information_schema.columns
 WHERE table_schema = DATABASE() AND extra NOT LIKE '%GENERATED%'
 ORDER BY table_name, ordinal_position
"""

Progress = Callable[[int, int], None]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process at a time verify or restore backups: all use the same second database.
    Raises Busy.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = Lock(folder)
    lock.take("the proof or restore of a backup")
    try:
        yield
    finally:
        lock.release()


# ---------------------------------------------------------------- creating


def create(owner: Address, uploads: Path, folder: Path, progress: Progress) -> Path:
    """Copy the shop as it is at one moment, while it stays open, and return the file."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = datetime.datetime.now(datetime.UTC)
    path = folder / f"shop-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}.zip"
    draft = path.with_suffix(".part")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "wb") as file:
            writer = ArchiveWriter(file)
            versions, tables = _copy(writer, owner, uploads, progress)
            writer.finish(created_at=f"{now:{TIMESTAMP}}", migrations=versions, tables=tables)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _copy(
    writer: ArchiveWriter,
    owner: Address,
    uploads: Path,
    progress: Progress,
) -> tuple[list[str], dict[str, list[str]]]:
    """Write rows and files; return the applied migrations and the columns of each table."""
    with _connected(owner) as connection:
        _run(connection, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        _run(connection, f"SET SESSION net_write_timeout = {TIMEOUT}")
        _run(connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
        present, known = set(_tables(connection, owner.database)), migrations.table_names()
        if foreign := sorted(present - known):
            log.warning("foreign tables are not in the backup", extra={"tables": foreign})
        columns = _columns(connection)
        tables = {table: columns[table] for table in sorted(present & known)}
        applied = "SELECT version FROM schema_migrations ORDER BY version"
        versions = [row[0] for row in _rows(connection, applied)]
        files = sorted(list_uploads(uploads))
        counted = _rows(connection, ROW_ESTIMATES)
        estimates = {table: max(1, int(rows or 0)) for table, rows in counted}
        done, total = 0, sum(estimates[table] for table in tables) + len(files)
        for table in tables:
            report = partial(_report_within, progress, done, estimates[table], total)
            rows = _read_table(connection, table, tables[table], report)
            writer.add(f"tables/{table}.jsonl", rows)
            done += estimates[table]
    for position, name in enumerate(files, done + 1):
        # A file that was deleted since the snapshot is not needed any more.
        if (uploads / name).is_file():
            with (uploads / name).open("rb") as file:
                writer.add(f"uploads/{name}", iter(lambda: file.read(CHUNK_BYTES), b""))
        progress(position, total)
    progress(total, total)
    return versions, tables


def _report_within(progress: Progress, done: int, estimate: int, total: int, rows: int) -> None:
    """Report the whole when so many rows of one table are done, which may be more than
    estimated.
    """
    progress(done + min(rows, estimate), total)


def _columns(connection: Any) -> dict[str, list[str]]:
    """The columns of every table, without generated ones."""
    columns: dict[str, list[str]] = {}
    for table, column in _rows(connection, COLUMNS):
        columns.setdefault(table, []).append(column)
    return columns


def _read_table(
    connection: Any,
    table: str,
    columns: list[str],
    report: Callable[[int], None],
) -> Iterator[bytes]:
    cursor, count = connection.cursor(buffered=False), 0
    cursor.execute(f"SELECT {_quoted(columns)} FROM `{table}`")
    while rows := cursor.fetchmany(BATCH_ROWS):
        count += len(rows)
        report(count)
        yield b"".join(
            orjson.dumps(
                row,
                default=_encode,
                option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_APPEND_NEWLINE,
            )
            for row in rows
        )
    cursor.close()


def _encode(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime | datetime.date | datetime.timedelta | decimal.Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in a backup")


# ---------------------------------------------------------------- verifying and restoring


def verify(owner: Address, path: Path, progress: Progress, *, loader: Address) -> None:
    """Restore a backup into a second database and check it there; record it when it is sound.

    `owner` may create databases and tables; `loader`, which may only change rows, is what the rows
    of the archive are loaded with.
    """
    note = path.with_suffix(".proven")
    try:
        with open_archive(path) as archive:
            _verify_archive(archive)
            with _loaded(owner, archive, progress, loader):
                now = datetime.datetime.now(datetime.UTC)
                note.write_text(f"{now:{TIMESTAMP}}", encoding="ascii")
    except Conflict:
        note.unlink(missing_ok=True)
        raise


def proven_at(path: Path) -> str:
    note = path.with_suffix(".proven")
    return note.read_text(encoding="ascii") if note.exists() else ""


def restore(
    owner: Address,
    path: Path,
    var: Path,
    progress: Progress,
    *,
    loader: Address,
    trusted_digest: str | None = None,
    before_loading: Callable[[], object] = lambda: None,
    record: Callable[[Any], None] = lambda connection: None,
) -> None:
    """Put a backup in the place of the shop's data.

    An unsigned backup is refused unless `trusted_digest` is that of its manifest. `before_loading`
    is called when the archive is known to be sound, `record` with a connection to the restored
    tables just before they become the shop's. A process that is killed before the swap has changed
    no row; after it, finish_restore() completes the rest.
    """
    uploads = var / "uploads"
    with open_archive(path) as archive:
        if not archive.is_signed and archive.digest != trusted_digest:
            raise UnsignedBackup()
        _verify_archive(archive)
        wanted = plan_unpacking(archive, uploads)
        before_loading()
        with _loaded(owner, archive, progress, loader) as staging:
            for name in wanted:
                unpack(archive, name, uploads)
            with _connected(staging) as connection:
                for statement in DEACTIVATE:
                    _run(connection, statement)
                record(connection)
                _advance_ids(connection, staging.database, owner.database)
            _swap(owner, staging)
    finish_restore(owner)


def finish_restore(owner: Address) -> None:
    """Do what remains once the tables have changed places. May be repeated."""
    migrations.migrate(owner)
    former = f"{owner.database}_former"
    with _connected(owner) as connection:
        if "products" in _tables(connection, former):
            # Search indexes and caches follow these marks: of everything that is there again, and
            # everything that is gone.
            _mark_changed(connection, f"SELECT id FROM `{owner.database}`.products p WHERE TRUE")
            present = f"SELECT 1 FROM `{owner.database}`.products present WHERE present.id = p.id"
            gone = f"SELECT id FROM `{former}`.products p WHERE NOT EXISTS ({present})"
            _mark_changed(connection, gone)
        for leftover in (former, f"{owner.database}_restored"):
            _run(connection, f"DROP DATABASE IF EXISTS `{leftover}`")


def _mark_changed(connection: Any, products: str) -> None:
    """Mark products as changed, a page at a time.

    INSERT … SELECT locks the counter of the table until its end, and orders wait for that.
    """
    after = 0
    while True:
        rest = f"{products} AND p.id > {after}"
        page = f"SELECT MAX(id) FROM ({rest} ORDER BY p.id LIMIT {MARK_BATCH_ROWS}) page"
        ((last,),) = _rows(connection, page)
        if last is None:
            return
        _run(
            connection,
            f"INSERT INTO product_changes (product_id, changed_at) SELECT page.id, UTC_TIMESTAMP(6) FROM ({rest} AND p.id <= {int(last)}) page",
        )
        after = int(last)


def _verify_archive(archive: Archive) -> None:
    """Raise Conflict unless the archive is whole and this version can load it."""
    known = [file.stem for file in migrations.migration_files()]
    if unknown := set(archive.manifest["migrations"]) - set(known):
        raise refuse(f"This backup is from a newer version of the shop ({_shown(unknown)}).")
    if known[0] not in archive.manifest["migrations"]:
        raise damaged()
    archive.verify_content()


# ---------------------------------------------------------------- rows


@contextmanager
def _loaded(
    owner: Address,
    archive: Archive,
    progress: Progress,
    loader: Address,
) -> Iterator[Address]:
    """Yield a second database with the rows of the backup, at this version and checked. It is
    dropped afterwards.
    """
    staging = replace(owner, database=f"{owner.database}_restored")
    with _connected(owner) as connection:
        _create_database(connection, staging.database)
    try:
        migrations.create_schema(staging, archive.manifest["migrations"])
        with _connected(staging) as connection:
            _check_schema(archive, _columns(connection))
        with _connected(replace(loader, database=staging.database)) as connection:
            _load(connection, archive, progress)
        with _connected(staging) as connection:
            _check_foreign_keys(connection)
        migrations.migrate(staging)
        with _connected(staging) as connection:
            _check_invariants(connection)
        yield staging
    finally:
        with _connected(owner) as connection:
            _run(connection, f"DROP DATABASE IF EXISTS `{staging.database}`")


def _create_database(connection: Any, name: str) -> None:
    try:
        _run(connection, f"DROP DATABASE IF EXISTS `{name}`")
        _run(connection, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE {db.COLLATION}")
    except DRIVER_ERRORS as error:
        if db.error_number(error) != errorcode.ER_DBACCESS_DENIED_ERROR:
            raise
        raise Conflict(
            f"DB_USER may not create the database {name}, in which backups are verified. README says which right it needs.",
        ) from error


def _check_schema(archive: Archive, expected: dict[str, list[str]]) -> None:
    """Raise Conflict unless the backup has exactly the tables and columns that its migrations
    create.
    """
    tables = archive.manifest["tables"]
    if wrong := tables.keys() ^ expected.keys():
        raise refuse(f"The tables of this backup are not those of its version: {_shown(wrong)}.")
    for table, columns in tables.items():
        if sorted(columns) != sorted(expected[table]):
            wrong = set(columns) ^ set(expected[table])
            raise refuse(f"The columns of {table} are not those of its version: {_shown(wrong)}.")


def _shown(names: Iterable[str]) -> str:
    """Names from an archive, as an error may show them."""
    return ascii(", ".join(sorted(names)))[1:-1][:200]


def _load(connection: Any, archive: Archive, progress: Progress) -> None:
    # Rows come table by table, so what they refer to may come later: foreign keys are checked at
    # the end.
    _run(connection, "SET SESSION foreign_key_checks = 0")
    done, total = 0, archive.row_count
    for table, columns in archive.manifest["tables"].items():
        if table in UNLOADED_TABLES:
            continue
        member = f"tables/{table}.jsonl"
        insert = f"INSERT INTO `{table}` ({_quoted(columns)}) VALUES "
        _run(connection, "START TRANSACTION")
        for batch in _batches(archive.read_lines(member)):
            values = [value for line in batch for value in _decode_row(table, line, len(columns))]
            placeholders = ", ".join([f"({', '.join(['%s'] * len(columns))})"] * len(batch))
            try:
                driver.execute(connection, insert + placeholders, tuple(values))
            except DRIVER_ERRORS as error:
                if db.error_number(error) in db.LOST:
                    raise
                problem = f"The table {table} does not accept a row of this backup ({error})."
                raise refuse(problem) from error
            done += len(batch)
            progress(done, total)
        _run(connection, "COMMIT")
        counted = _rows(connection, f"SELECT COUNT(*) FROM `{table}`")[0][0]
        if counted != archive.member(member)["rows"]:
            raise refuse(f"The table {table} came back with {counted} rows.")


def _batches(blocks: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for block in blocks:
        for line in block:
            if batch and (len(batch) == BATCH_ROWS or size + len(line) > MAX_BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(line)
            size += len(line)
    if batch:
        yield batch


def _decode_row(table: str, line: bytes, length: int) -> list[Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise damaged() from error
    if not isinstance(row, list) or len(row) != length:
        raise refuse(f"A row of {table} has not the columns of its table.")
    if SCALARS.issuperset(map(type, row)):
        return row
    return [value if type(value) in SCALARS else _decode(value) for value in row]


def _decode(value: Any) -> bytes:
    try:
        ((kind, text),) = value.items()
        if kind == "base64":
            return base64.b64decode(text, validate=True)
    except (AttributeError, TypeError, ValueError) as error:
        raise damaged() from error
    raise damaged()


def _check_foreign_keys(connection: Any) -> None:
    keys: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for name, table, column, other_table, other_column in _rows(connection, FOREIGN_KEYS):
        keys.setdefault((table, name, other_table), []).append((column, other_column))
    for (table, name, other_table), columns in keys.items():
        given = " AND ".join(f"child.`{column}` IS NOT NULL" for column, _ in columns)
        same = " AND ".join(f"parent.`{other}` = child.`{column}`" for column, other in columns)
        parent = f"SELECT 1 FROM `{other_table}` parent WHERE {same}"
        orphans = f"SELECT 1 FROM `{table}` child WHERE {given} AND NOT EXISTS ({parent}) LIMIT 1"
        if _rows(connection, orphans):
            raise refuse(f"Rows of {table} refer to rows that are not in this backup ({name}).")


def _check_invariants(connection: Any) -> None:
    first = "SELECT * FROM ({}) broken LIMIT 1"
    broken = [name for name, _, sql in doctor.checks() if _rows(connection, first.format(sql))]
    if broken:
        raise refuse(f"The restored copy breaks these invariants: {', '.join(broken)}.")


def _advance_ids(connection: Any, restored: str, present: str) -> None:
    """Let ids continue above those of the present shop: an id that was assigned since the backup
    may be known to a payment service or an open page.
    """
    numbered = f"SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '{present}' AND extra LIKE '%auto_increment%'"
    known = _tables(connection, restored)
    for table, column in _rows(connection, numbered):
        if table in known:
            ((last,),) = _rows(connection, f"SELECT MAX(`{column}`) FROM `{present}`.`{table}`")
            if last:
                _run(connection, f"ALTER TABLE `{table}` AUTO_INCREMENT = {int(last) + ID_GAP}")


def _swap(owner: Address, staging: Address) -> None:
    """Move the shop's tables out and the restored ones in, in one statement. Tables that are not
    the shop's stay.
    """
    former = f"{owner.database}_former"
    with _connected(owner) as connection:
        _create_database(connection, former)
        restored = _tables(connection, staging.database)
        present, known = _tables(connection, owner.database), migrations.table_names()
        leaving = sorted(set(present) & (known | set(restored)))
        places = [(owner.database, former, table) for table in leaving]
        places += [(staging.database, owner.database, table) for table in restored]
        moves = [f"`{source}`.`{table}` TO `{target}`.`{table}`" for source, target, table in places]
        _run(connection, f"SET SESSION lock_wait_timeout = {SWAP_WAIT_SECONDS}")
        for left in reversed(range(SWAP_ATTEMPTS)):
            try:
                return _run(connection, f"RENAME TABLE {', '.join(moves)}")
            except DRIVER_ERRORS as error:
                if db.error_number(error) != LOCK_WAIT or not left:
                    raise
            time.sleep(1)


def _tables(connection: Any, database: str) -> list[str]:
    found = _rows(
        connection,
        f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}' AND table_type = 'BASE TABLE'",
    )
    return [name for (name,) in found]


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
