from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from app import db, migrations
from app.db import Address
from app.private_database import PrivateDatabase


@pytest.fixture
def scratch(server: PrivateDatabase) -> Iterator[Address]:
    """An empty database beside the tests' own."""
    owner = server.address(owner=True)
    connection = db.connect(owner)
    cursor = connection.cursor()
    name = f"{owner.database}_scratch"
    cursor.execute(f"DROP DATABASE IF EXISTS {name}")
    cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci")
    yield replace(owner, database=name)
    cursor.execute(f"DROP DATABASE {name}")
    connection.close()


def _tables(address: Address) -> dict[str, str]:
    connection = db.connect(address)
    cursor = connection.cursor()
    cursor.execute("SHOW TABLES")
    found = {}
    for (name,) in cursor.fetchall():
        cursor.execute(f"SHOW CREATE TABLE {name}")
        # MySQL shows the words of a CHECK in the character set in which it last read them.
        found[name] = re.sub(r" AUTO_INCREMENT=\d+|_(ascii|utf8mb4)(?=')", "", cursor.fetchone()[1])
    connection.close()
    return found


def _run(address: Address, sql: str) -> None:
    connection = db.connect(address)
    cursor = connection.cursor()
    cursor.execute(sql)
    cursor.close()
    connection.close()


def test_the_schema_equals_the_baseline_with_all_migrations(server: PrivateDatabase, scratch: Address) -> None:
    _run(scratch, "CREATE TABLE schema_migrations (version VARCHAR(80) NOT NULL PRIMARY KEY, checksum CHAR(64) NOT NULL, applied_at DATETIME(6) NOT NULL)")
    _run(scratch, "INSERT INTO schema_migrations VALUES ('0000_before', '', UTC_TIMESTAMP(6))")
    migrations.migrate(scratch)
    by_steps = _tables(scratch)
    by_schema = _tables(server.address(owner=True))
    del by_steps["schema_migrations"], by_schema["schema_migrations"]
    assert by_steps == by_schema


def test_loading_the_schema_counts_as_every_migration(scratch: Address) -> None:
    assert migrations.migrate(scratch) is True
    assert migrations.pending(scratch) == []
    assert migrations.migrate(scratch) is False


def test_a_run_that_was_killed_half_way_is_simply_run_again(scratch: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    run, count = migrations._run, iter(range(9))

    def dies(connection: Any, sql: str, params: tuple[Any, ...] = ()) -> None:
        if sql.startswith("CREATE TABLE") and next(count, None) is None:
            raise KeyboardInterrupt
        run(connection, sql, params)

    monkeypatch.setattr(migrations, "_run", dies)
    with pytest.raises(KeyboardInterrupt):
        migrations.migrate(scratch)
    monkeypatch.undo()

    assert migrations.migrate(scratch) is True
    assert migrations.pending(scratch) == []


def test_the_lease_of_a_killed_process_bars_nobody(scratch: Address) -> None:
    migrations.migrate(scratch)
    _run(scratch, "INSERT INTO leases VALUES ('migrate', CONCAT(@@hostname, ':', @@port, ':', 1), UTC_TIMESTAMP(6) + INTERVAL 1 HOUR)")
    began = time.monotonic()
    assert migrations.migrate(scratch) is False
    assert time.monotonic() - began < 5


def test_who_migrates_is_waited_for(scratch: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    migrations.migrate(scratch)
    monkeypatch.setattr(migrations, "LONGEST_WAIT", 0.2)
    busy = db.connect(scratch)
    cursor = busy.cursor()
    cursor.execute("INSERT INTO leases VALUES ('migrate', CONCAT(@@hostname, ':', @@port, ':', CONNECTION_ID()), UTC_TIMESTAMP(6) - INTERVAL 1 HOUR)")
    with pytest.raises(migrations.MigrationProblem, match="does not finish"):
        migrations.migrate(scratch)
    busy.close()


def test_a_migration_changed_after_it_ran_is_refused(scratch: Address) -> None:
    migrations.migrate(scratch)
    _run(scratch, "UPDATE schema_migrations SET checksum = REPEAT('0', 64)")
    with pytest.raises(migrations.MigrationProblem, match="was changed after it had run"):
        migrations.migrate(scratch)


def _catalogue(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    cursor = connection.cursor()
    cursor.execute(sql)
    return list(cursor.fetchall())


def test_every_table_has_a_primary_key_and_the_agreed_collation(owner_connection: Any) -> None:
    rows = _catalogue(
        owner_connection,
        "SELECT t.table_name, t.table_collation, t.engine, c.constraint_name FROM information_schema.tables t"
        " LEFT JOIN information_schema.table_constraints c"
        " ON c.table_schema = t.table_schema AND c.table_name = t.table_name AND c.constraint_type = 'PRIMARY KEY'"
        " WHERE t.table_schema = DATABASE()",
    )
    assert rows
    assert [row for row in rows if row[1:] != (db.COLLATION, "InnoDB", "PRIMARY")] == []


def test_every_foreign_key_begins_an_index(owner_connection: Any) -> None:
    missing = _catalogue(
        owner_connection,
        "SELECT k.table_name, k.column_name FROM information_schema.key_column_usage k"
        " LEFT JOIN information_schema.statistics s ON s.table_schema = k.table_schema AND s.table_name = k.table_name"
        " AND s.column_name = k.column_name AND s.seq_in_index = 1"
        " WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL AND s.index_name IS NULL",
    )
    assert missing == []


def test_constraints_and_columns_are_named_as_agreed(owner_connection: Any) -> None:
    names = _catalogue(owner_connection, "SELECT constraint_name FROM information_schema.table_constraints WHERE table_schema = DATABASE()")
    assert [name for (name,) in names if not re.match(r"(PRIMARY$|uq_|fk_|ck_)", name)] == []
    money = _catalogue(
        owner_connection,
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE() AND column_name LIKE '%\\_minor'",
    )
    assert money
    assert [row for row in money if row[2] != "bigint"] == []
