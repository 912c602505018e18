"""Brings a database to this version's schema: schema.sql on an empty one, else the migrations it has not seen.

A migration file is forward-only and made of steps. Each step opens with a line that says what exists once it is done,
so that a run that was killed anywhere is simply run again:

    -- step: table orders
    -- step: column orders.pay_by
    -- step: index orders.ix_orders_status
    -- step: constraint orders.ck_orders_status
    -- step: no column orders.old_name          ("no" turns any of them around)
    -- step: data                                (DML that may be repeated)
    -- step: definition                          (DDL that may be repeated, such as a change of comments)
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import db, private_database
from .config import ROOT
from .db import DRIVER_ERRORS, Address

SCHEMA = ROOT / "database" / "schema.sql"
FOLDER = ROOT / "database" / "migrations"
LEASE_END = "UTC_TIMESTAMP(6) + INTERVAL 1 HOUR"
LONGEST_WAIT = 120  # seconds for another process's migration
STATEMENT_TIMEOUT = 3600  # seconds; an ALTER of a large table takes its time

EXISTS = {
    "table": "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s",
    "column": "SELECT 1 FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s AND column_name = %s",
    "index": "SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = %s AND index_name = %s LIMIT 1",
    "constraint": "SELECT 1 FROM information_schema.table_constraints WHERE table_schema = DATABASE() AND table_name = %s AND constraint_name = %s",
}


class MigrationProblem(Exception):
    """The schema cannot be brought to this version. The message says why and what to do."""


def migrate(owner: Address, progress: Callable[[str], None] = lambda line: None) -> bool:
    """Bring the database to this version, with the account that may change tables. Gives True when it was empty."""
    connection = db.connect(owner, statement_timeout=STATEMENT_TIMEOUT)
    try:
        with _lease(connection):
            empty = not _applied(connection)
            if empty:
                progress("Creating the tables")
                _load_schema(connection)
            else:
                _run_pending(connection, progress)
            private_database.hand_over(connection)
            return empty
    finally:
        connection.close()


def create_schema(owner: Address, versions: Collection[str]) -> None:
    """Create the tables of these versions in an empty database, for rows that were written at that time.

    Data steps are left out: the rows have been through them.
    """
    connection = db.connect(owner, statement_timeout=STATEMENT_TIMEOUT)
    try:
        for path in migration_files():
            if path.stem in versions:
                for goal, statement in steps(path.read_text(encoding="utf-8")):
                    if goal != "data":
                        _run(connection, statement)
                _note(connection, path)
    finally:
        connection.close()


def table_names() -> frozenset[str]:
    """The tables of this version."""
    return frozenset(re.findall(r"^CREATE TABLE (\w+)", SCHEMA.read_text(encoding="utf-8"), flags=re.MULTILINE))


def pending(owner: Address) -> list[str]:
    """The versions that the database has not seen."""
    connection = db.connect(owner)
    try:
        done = _applied(connection)
        return [path.stem for path in migration_files() if path.stem not in done]
    finally:
        connection.close()


def migration_files() -> list[Path]:
    return sorted(FOLDER.glob("[0-9][0-9][0-9][0-9]_*.sql"))


def statements(sql: str) -> Iterator[str]:
    """The statements of a script without comments. A semicolon ends one at a line's end only, so text may hold others."""
    for part in re.split(r";[ \t]*$", re.sub(r"^\s*--.*$", "", sql, flags=re.MULTILINE), flags=re.MULTILINE):
        if part.strip():
            yield part.strip()


def steps(sql: str) -> Iterator[tuple[str, str]]:
    """The steps of a migration: what exists after it, and its one statement."""
    parts = re.split(r"^-- step: *(.+?) *$", sql, flags=re.MULTILINE)
    for goal, text in zip(parts[1::2], parts[2::2], strict=True):
        (statement,) = statements(text)
        yield goal, statement


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _load_schema(connection: Any) -> None:
    # A former run may have been killed half-way: CREATE TABLE goes on where it stopped, and the versions are written last.
    for statement in statements(SCHEMA.read_text(encoding="utf-8")):
        table = re.match(r"CREATE TABLE (\w+)", statement)
        if not (table and _value(connection, EXISTS["table"], (table[1],))):
            _run(connection, statement)


def _run_pending(connection: Any, progress: Callable[[str], None]) -> None:
    done = _applied(connection)
    for path in migration_files():
        if path.stem not in done:
            progress(f"Migrating: {path.stem}")
            for goal, statement in steps(path.read_text(encoding="utf-8")):
                if not _reached(connection, goal):
                    _run(connection, statement)
            _note(connection, path)
        elif done[path.stem] != checksum(path):
            raise MigrationProblem(f"{path.name} was changed after it had run on this database. Put it back and add a new migration instead.")
    unknown = done.keys() - {path.stem for path in migration_files()}
    if len(unknown) > 1:
        raise MigrationProblem(f"This database is from a newer version of the shop ({', '.join(sorted(unknown))}). Start that version.")


def _reached(connection: Any, goal: str) -> bool:
    if goal in ("data", "definition"):
        return False
    negated = goal.startswith("no ")
    kind, _, name = goal.removeprefix("no ").partition(" ")
    found = _value(connection, EXISTS[kind], tuple(name.split("."))) is not None
    return found != negated


def _applied(connection: Any) -> dict[str, str]:
    if not _value(connection, EXISTS["table"], ("schema_migrations",)):
        return {}
    cursor = connection.cursor()
    cursor.execute("SELECT version, checksum FROM schema_migrations")
    return dict(cursor.fetchall())


def _note(connection: Any, path: Path) -> None:
    _run(
        connection,
        "INSERT INTO schema_migrations (version, checksum, applied_at) VALUES (%s, %s, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE version = version",
        (path.stem, checksum(path)),
    )


@contextmanager
def _lease(connection: Any) -> Iterator[None]:
    """Only one process migrates; who was killed meanwhile does not bar the next."""
    holder = _value(connection, "SELECT CONCAT(@@hostname, ':', @@port, ':', CONNECTION_ID())", ())
    _run(connection, _lease_table())
    deadline = time.monotonic() + LONGEST_WAIT
    while not _take_lease(connection, holder):
        if time.monotonic() > deadline:
            raise MigrationProblem("Another process is migrating this database and does not finish.")
        time.sleep(0.5)
    try:
        yield
    finally:
        _run(connection, "DELETE FROM leases WHERE name = 'migrate' AND holder = %s", (holder,))


def _lease_table() -> str:
    found = re.search(r"CREATE TABLE (leases .*?);$", SCHEMA.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    if found is None:
        raise MigrationProblem(f"{SCHEMA.name} has no table leases.")
    return f"CREATE TABLE IF NOT EXISTS {found[1]}"


def _take_lease(connection: Any, holder: str) -> bool:
    held = _value(connection, "SELECT holder FROM leases WHERE name = 'migrate'", ())
    if held is None:
        _run(connection, f"INSERT IGNORE INTO leases (name, holder, ends_at) VALUES ('migrate', %s, {LEASE_END})", (holder,))
    elif _is_gone(connection, held, holder):
        _run(connection, f"UPDATE leases SET holder = %s, ends_at = {LEASE_END} WHERE name = 'migrate' AND holder = %s", (holder, held))
    return bool(_value(connection, "SELECT holder FROM leases WHERE name = 'migrate'", ()) == holder)


def _is_gone(connection: Any, held: str, holder: str) -> bool:
    """Whether a lease's holder works no more: on this server its connection tells, on another one of a cluster only time does."""
    server, _, thread = held.rpartition(":")
    if server == holder.rpartition(":")[0]:
        return not _value(connection, "SELECT 1 FROM information_schema.processlist WHERE id = %s", (thread,))
    return bool(_value(connection, "SELECT 1 FROM leases WHERE name = 'migrate' AND ends_at < UTC_TIMESTAMP(6)", ()))


def _run(connection: Any, sql: str, params: tuple[Any, ...] = ()) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(sql, params)
    except DRIVER_ERRORS as error:
        raise MigrationProblem(f"{error}\nwhile running: {' '.join(sql.split())[:300]}") from error
    finally:
        cursor.close()


def _value(connection: Any, sql: str, params: tuple[Any, ...]) -> Any:
    cursor = connection.cursor()
    try:
        cursor.execute(sql, params)
        row = cursor.fetchone()
        return row[0] if row else None
    finally:
        cursor.close()
