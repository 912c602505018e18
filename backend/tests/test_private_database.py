from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import mariadb_program, migrations, private_database
from app.config import ROOT, Settings
from app.db import DRIVER_ERRORS, Address, connect, error_number
from app.private_database import DatabaseProblem, PrivateDatabase, address_of, prepare_server

LINES = ["CREATE TABLE notes (id INT PRIMARY KEY)", "INSERT INTO notes VALUES (1), (2), (3)"]


def run(address: Address, *statements: str) -> list[Any]:
    """Run statements on a connection of their own; gives the rows of the last."""
    connection = connect(address)
    cursor = connection.cursor()
    try:
        for statement in statements:
            cursor.execute(statement)
            rows = list(cursor.fetchall())
        return rows
    finally:
        connection.close()


def hand_over(database: PrivateDatabase) -> None:
    connection = connect(database.address(owner=True))
    private_database.hand_over(connection)
    connection.close()


def notes(database: PrivateDatabase) -> list[int]:
    return [row[0] for row in run(database.address(), "SELECT id FROM notes ORDER BY id")]


def until(true: Callable[[], Any], seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def server_pid(var: Path) -> int:
    return int((var / "mysql" / "pid").read_text())


@pytest.fixture
def database(tmp_path: Path) -> Iterator[PrivateDatabase]:
    made = PrivateDatabase(tmp_path)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def whole_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateDatabase]:
    """One with all tables, also where the other tests are pointed at a server with a single account."""
    made = PrivateDatabase(tmp_path_factory.mktemp("whole"))
    made.start()
    migrations.migrate(made.address(owner=True))
    yield made
    made.stop()


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Another process that runs the database of tmp_path and can be killed."""
    started: list[subprocess.Popen[str]] = []

    def start(before: str = "", after: str = "print('ready', flush=True); time.sleep(60)") -> subprocess.Popen[str]:
        script = f"""
import pathlib, subprocess, sys, time
sys.path.insert(0, {str(ROOT / "backend")!r})
from app import private_database
{before}
database = private_database.PrivateDatabase(pathlib.Path({str(tmp_path)!r}))
database.start()
{after}
"""
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_fresh_database_answers_on_a_socket_that_only_this_user_can_reach(database: PrivateDatabase, tmp_path: Path) -> None:
    database.start()

    assert run(database.address(), "SELECT @@collation_database, @@innodb_flush_log_at_trx_commit, @@skip_networking") == [("utf8mb4_unicode_520_ci", 1, 1)]
    assert stat.S_IMODE((tmp_path / "mysql").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "mysql" / "access.json").stat().st_mode) == 0o600


def test_the_app_writes_rows_and_only_the_owner_changes_tables(database: PrivateDatabase) -> None:
    database.start()
    run(database.address(owner=True), *LINES, "CREATE TABLE events (id INT PRIMARY KEY)", "INSERT INTO events VALUES (1)")
    hand_over(database)

    run(database.address(), "UPDATE notes SET id = 4 WHERE id = 3", "DELETE FROM notes WHERE id = 1", "INSERT INTO events VALUES (2)")

    assert notes(database) == [2, 4]
    for statement in ("UPDATE events SET id = 3 WHERE id = 2", "DELETE FROM events", "TRUNCATE TABLE events"):
        with pytest.raises(Exception, match="denied"):
            run(database.address(), statement)
    for statement in ("CREATE TABLE more (id INT)", "DROP TABLE notes", "ALTER TABLE notes ADD COLUMN text INT", "SELECT * FROM mysql.user"):
        with pytest.raises(Exception, match="denied"):
            run(database.address(), statement)


@pytest.mark.parametrize(
    "statement", ["UPDATE events SET kind = 'sign_out'", "DELETE FROM events", "TRUNCATE TABLE events", "REPLACE INTO events SELECT * FROM events"]
)
def test_the_app_can_add_to_the_record_and_change_nothing(whole_database: PrivateDatabase, statement: str) -> None:
    app = whole_database.address()
    run(app, "INSERT INTO events (at, kind, subject_kind, request_id, detail) VALUES (UTC_TIMESTAMP(6), 'sign_in_refused', 'user', '', '{}')")
    before = run(app, "SELECT id, kind FROM events")
    with pytest.raises(DRIVER_ERRORS) as refusal:
        run(app, statement)
    assert error_number(refusal.value) == 1142
    assert run(app, "SELECT id, kind FROM events") == before != []


def test_the_rights_of_the_app_outlive_a_start_and_wider_ones_do_not(database: PrivateDatabase) -> None:
    database.start()
    run(database.address(owner=True), *LINES, "CREATE TABLE events (id INT PRIMARY KEY)", "GRANT UPDATE, DELETE ON flaskcart.* TO 'flaskcart'@'localhost'")
    hand_over(database)
    database.stop()
    database.start()

    run(database.address(), "UPDATE notes SET id = 4 WHERE id = 3")
    with pytest.raises(Exception, match="denied"):
        run(database.address(), "DELETE FROM events")


def test_rows_are_there_after_a_stop_and_a_start(database: PrivateDatabase) -> None:
    database.start()
    run(database.address(owner=True), *LINES)
    database.stop()
    assert not database.running()

    database.start()

    assert notes(database) == [1, 2, 3]


def test_a_killed_server_is_noticed_and_comes_back_with_every_committed_row(database: PrivateDatabase, tmp_path: Path) -> None:
    database.start()
    run(database.address(owner=True), *LINES)
    os.kill(server_pid(tmp_path), signal.SIGKILL)
    until(lambda: not database.running())

    database.stop()
    database.start()

    assert notes(database) == [1, 2, 3]


def test_the_server_ends_when_its_keeper_is_killed(keeper: Any, tmp_path: Path) -> None:
    process = keeper()
    assert process.stdout.readline() == "ready\n"
    pid = server_pid(tmp_path)

    process.kill()

    until(lambda: not alive(pid))


def test_a_server_that_outlived_its_keeper_is_ended_before_the_next_one_starts(keeper: Any, database: PrivateDatabase, tmp_path: Path) -> None:
    process = keeper(before="private_database.bound_program = subprocess.Popen")
    assert process.stdout.readline() == "ready\n"
    run(PrivateDatabase(tmp_path).address(owner=True), *LINES)
    left_behind = server_pid(tmp_path)
    process.kill()
    process.wait()
    assert alive(left_behind)

    database.start()

    assert not alive(left_behind)
    assert notes(database) == [1, 2, 3]


def test_a_second_keeper_of_the_same_data_is_refused_at_once(keeper: Any, database: PrivateDatabase) -> None:
    process = keeper()
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()

    with pytest.raises(DatabaseProblem, match="Another process"):
        database.start()

    assert time.monotonic() - began < 2


@pytest.mark.parametrize("moment", ["new-*", "new-*/ibdata1", "new-*/mysql", "new-*/mysql/global_priv.frm"])
def test_a_preparation_that_was_killed_is_done_again(moment: str, keeper: Any, database: PrivateDatabase, tmp_path: Path) -> None:
    process = keeper()
    until(lambda: any((tmp_path / "mysql").glob(moment)) or process.poll() is not None)
    process.kill()
    process.wait()

    database.start()

    assert run(database.address(), "SELECT 1") == [(1,)]
    assert not list((tmp_path / "mysql").glob("new-*"))


def test_lost_passwords_are_made_again_at_the_next_start(database: PrivateDatabase, tmp_path: Path) -> None:
    database.start()
    run(database.address(owner=True), *LINES)
    database.stop()
    (tmp_path / "mysql" / "access.json").unlink()

    database.start()

    assert notes(database) == [1, 2, 3]


def test_a_path_too_long_for_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    var = tmp_path / ("long" * 30)
    database = PrivateDatabase(var)
    try:
        database.start()
        found = Path(database.address().socket)
        assert len(str(found)) < 107
        assert stat.S_IMODE(found.parent.stat().st_mode) == 0o700
        database.stop()
        database.start()
        assert database.address().socket == str(found)
    finally:
        database.stop()
        found.parent.rmdir()


def test_a_data_folder_that_the_server_cannot_use_is_told_with_the_servers_own_words(database: PrivateDatabase) -> None:
    database.start()
    database.stop()
    (database.data / "ibdata1").write_bytes(b"no tablespace")

    with pytest.raises(DatabaseProblem, match=r"(?s)did not start.*ibdata1.*server\.log"):
        database.start()


def test_a_machine_with_nothing_is_told_the_one_line_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, version in (("mysqld", "mysqld  Ver 8.0.36 for Linux on x86_64"), ("mariadbd", "mariadbd  Ver 10.5.9-MariaDB for Linux")):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\necho '{version}'\n")
        program.chmod(0o755)
    (tmp_path / "bin" / "dnf").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(mariadb_program, "PLACES", ())

    with pytest.raises(DatabaseProblem, match="sudo dnf install mariadb-server"):
        mariadb_program.find([tmp_path / "mariadb"], print)


# A server of one's own: DB_HOST


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


USERS = {
    "everything": "GRANT ALL ON *.* TO {account}",
    "one_database": "GRANT ALL ON theirs.* TO {account}",
    "reader": "GRANT SELECT, INSERT ON flaskcart.* TO {account}",
}


@pytest.fixture(scope="module")
def server_of_theirs(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[None]:
    """A database server that listens on TCP, with accounts of differing rights."""
    accounts = private_database._accounts

    def more_accounts(access: dict[str, str]) -> str:
        lines = [accounts(access)]
        for user, grant in USERS.items():
            account = f"'{user}'@'127.0.0.1'"
            lines.append(f"CREATE USER {account} IDENTIFIED BY 'right';\n{grant.format(account=account)};\n")
        return "".join(lines)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private_database, "_accounts", more_accounts)
        patch.setattr(private_database, "SERVING", [f"--port={port}", "--bind-address=127.0.0.1"])
        database = PrivateDatabase(tmp_path_factory.mktemp("theirs"))
        database.start()
    yield
    database.stop()


def settings_for(port: int, user: str, **more: Any) -> Settings:
    return Settings(**{"db_host": "127.0.0.1", "db_port": port, "db_user": user, "db_password": "right", "db_name": "theirs", **more})


def test_a_server_that_will_do_gets_its_database(server_of_theirs: None, port: int) -> None:
    prepare_server(settings_for(port, "one_database"))
    prepare_server(settings_for(port, "one_database"))

    address = address_of(settings_for(port, "one_database"), owner=True)
    assert run(address, "SELECT @@collation_database") == [("utf8mb4_unicode_520_ci",)]
    assert run(address, "SHOW TABLES") == []


@pytest.mark.parametrize(
    ("user", "more", "sentence"),
    [
        ("everything", {"db_password": "wrong"}, "does not accept DB_USER everything with this DB_PASSWORD"),
        ("everything", {"db_host": "nowhere.invalid"}, "DB_HOST is nowhere.invalid, but no machine of that name"),
        ("one_database", {"db_name": "other"}, "CREATE DATABASE `other` .*; GRANT ALL PRIVILEGES ON `other`.* TO 'one_database'@'%'"),
        ("reader", {"db_name": "flaskcart"}, "GRANT ALL PRIVILEGES ON `flaskcart`.* TO 'reader'@'%'"),
    ],
)
def test_a_server_that_will_not_do_is_told_in_one_sentence(server_of_theirs: None, port: int, user: str, more: Any, sentence: str) -> None:
    with pytest.raises(DatabaseProblem, match=re.escape(sentence).replace(r"\.\*;", ".*;")):
        prepare_server(settings_for(port, user, **more))


def test_a_port_where_nothing_listens_is_told(port: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(DatabaseProblem, match="No database server answers at 127.0.0.1"):
            prepare_server(settings_for(free.getsockname()[1], "everything"))


def test_a_server_that_is_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        old_port = free.getsockname()[1]
    monkeypatch.setattr(private_database, "SERVING", [f"--port={old_port}", "--bind-address=127.0.0.1", "--version=10.5.9-MariaDB"])
    accounts = private_database._accounts
    monkeypatch.setattr(private_database, "_accounts", lambda access: accounts(access) + "CREATE USER 'old'@'127.0.0.1' IDENTIFIED BY 'right';\n")
    database = PrivateDatabase(tmp_path)
    database.start()
    try:
        with pytest.raises(DatabaseProblem, match=r"is MariaDB 10\.5\.9.*needs MySQL 8\.0 or MariaDB 10\.6"):
            prepare_server(settings_for(old_port, "old"))
    finally:
        database.stop()
