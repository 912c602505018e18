"""The way to the database, on a real server whose lines are cut, whose rows are locked and whose answers are late."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mysql.connector
import pytest

from app import db
from app.db import Address, Pool, Queries, Query, Tx, q
from app.errors import Conflict, Unavailable
from app.private_database import PrivateDatabase

ADD = "INSERT INTO leases (name, holder, ends_at) VALUES (%s, '0', UTC_TIMESTAMP(6))"
RAISE = "UPDATE leases SET holder = holder + 1 WHERE name = %s"
SetPool = Callable[..., Pool]


@pytest.fixture
def set_pool(shop: object, server: PrivateDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[SetPool]:
    """Gives this test a pool of its own size, over rows of its own."""
    made: list[Pool] = []

    def put(size: int, address: Address | None = None, **more: int) -> Pool:
        made.append(Pool(address or server.address(), size, **more))
        monkeypatch.setattr(db, "_pool", made[-1])
        return made[-1]

    yield put
    for pool in made:
        pool.close()


@pytest.fixture
def other(server: PrivateDatabase) -> Iterator[Any]:
    """A line of somebody else's, with the same rights."""
    connection = db.connect(server.address())
    yield connection
    connection.close()


def run(connection: Any, sql: str, params: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    cursor = connection.cursor()
    cursor.execute(sql, params)
    rows = cursor.fetchall() if cursor.with_rows else []
    cursor.close()
    return list(rows)


def change(tx: Tx, sql: str, *params: Any) -> None:
    tx.execute(sql, params).close()


def kill(connection: Any, tx: Tx) -> None:
    run(connection, f"KILL CONNECTION {tx.connection.connection_id}")


def leases() -> dict[str, int]:
    with db.reading() as tx:
        return {name: int(holder) for name, holder in tx.execute("SELECT name, holder FROM leases").fetchall()}


# ---------------------------------------------------------------- the pool


def test_who_finds_no_line_free_waits_bounded_and_is_then_told(set_pool: SetPool, monkeypatch: pytest.MonkeyPatch) -> None:
    set_pool(1)
    monkeypatch.setattr(db, "POOL_WAIT", 0.3)
    with db.reading():
        began = time.monotonic()
        with pytest.raises(Unavailable) as refused, db.reading():
            raise AssertionError("there is one line only")
        assert 0.25 < time.monotonic() - began < 1.5
    assert refused.value.retry_after
    assert leases() == {}


def test_who_waits_gets_the_line_that_is_given_back(set_pool: SetPool) -> None:
    pool = set_pool(1)
    with ThreadPoolExecutor(1) as background:
        with db.reading() as tx:
            number = tx.connection.connection_id
            waiting = background.submit(lambda: pool.acquire())
            time.sleep(0.1)
            assert not waiting.done()
        assert waiting.result(timeout=2).connection.connection_id == number
        pool.release(waiting.result())


def test_many_at_once_never_open_more_lines_than_the_pool_is_large(set_pool: SetPool) -> None:
    set_pool(3)
    numbers: set[int] = set()

    def ask(_: int) -> None:
        with db.reading() as tx:
            numbers.add(tx.connection.connection_id)
            change(tx, "DO SLEEP(0.005)")

    with ThreadPoolExecutor(12) as crowd:
        list(crowd.map(ask, range(60)))
    assert 1 <= len(numbers) <= 3


def test_a_server_that_is_away_is_asked_by_one_a_second_and_found_again(set_pool: SetPool, server: PrivateDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = set_pool(4, Address(user="nobody", password="", database="none", socket="/nonexistent/socket"))
    tries = []
    connect = db.connect
    monkeypatch.setattr(db, "connect", lambda address, **how: tries.append(address) or connect(address, **how))
    monkeypatch.setattr(db, "BREAK", 0.2)
    for _ in range(5):
        with pytest.raises(Unavailable), db.reading():
            raise AssertionError("nobody is there")
    with pytest.raises(Unavailable):
        db.transaction(lambda tx: None)
    assert len(tries) == 1

    pool.address = server.address()
    time.sleep(0.25)
    assert leases() == {}
    assert len(tries) == 2


def test_a_line_that_died_while_it_lay_idle_is_replaced_unseen(set_pool: SetPool, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    set_pool(2)
    monkeypatch.setattr(db, "IDLE_BEFORE_PING", 0.0)
    with db.reading() as tx:
        kill(other, tx)
    assert leases() == {}


def test_closing_the_pool_closes_lines_in_use_when_they_come_back(set_pool: SetPool) -> None:
    pool = set_pool(2)
    with db.reading() as tx:
        pool.close()
        assert run(tx.connection, "SELECT 1") == [(1,)]
    assert not tx.connection.is_connected()


def test_before_the_database_is_set_asking_is_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "_pool", None)
    with pytest.raises(RuntimeError, match="open"), db.reading():
        raise AssertionError("there is no pool")


# ---------------------------------------------------------------- session rules


def test_every_line_has_the_rules_that_the_statements_rely_on(set_pool: SetPool) -> None:
    set_pool(1)
    with db.reading() as tx:
        isolation = run(tx.connection, "SHOW VARIABLES WHERE variable_name IN ('tx_isolation', 'transaction_isolation')")
        ((zone, wait, autocommit, collation, mode),) = run(
            tx.connection, "SELECT @@time_zone, @@innodb_lock_wait_timeout, @@autocommit, @@collation_connection, @@sql_mode"
        )
    assert {value for _, value in isolation} == {"READ-COMMITTED"}
    assert (zone, wait, autocommit, collation) == ("+00:00", 2, 1, db.COLLATION)
    assert {"STRICT_ALL_TABLES", "NO_ZERO_DATE", "ERROR_FOR_DIVISION_BY_ZERO", "ONLY_FULL_GROUP_BY"} <= set(mode.split(","))


def test_a_transaction_sees_what_others_committed_meanwhile(set_pool: SetPool, other: Any) -> None:
    set_pool(1)

    def look(tx: Tx) -> tuple[int, int]:
        before = run(tx.connection, "SELECT COUNT(*) FROM leases")[0][0]
        run(other, ADD, ("new",))
        return before, run(tx.connection, "SELECT COUNT(*) FROM leases")[0][0]

    assert db.transaction(look) == (0, 1)


def test_text_that_does_not_fit_is_refused_and_not_cut(set_pool: SetPool) -> None:
    set_pool(1)
    with pytest.raises(mysql.connector.Error, match="too long"):
        db.transaction(change, ADD, "x" * 61)
    assert leases() == {}


# ---------------------------------------------------------------- transactions


def test_a_transaction_gives_what_its_work_gives_and_keeps_what_it_wrote(set_pool: SetPool) -> None:
    set_pool(1)

    def work(tx: Tx, name: str, *, answer: int) -> int:
        change(tx, ADD, name)
        return answer

    assert db.transaction(work, "kept", answer=42) == 42
    assert leases() == {"kept": 0}


@pytest.mark.parametrize("error", [Conflict("No."), ValueError("no"), KeyboardInterrupt()])
def test_a_transaction_that_is_given_up_leaves_nothing_and_is_not_tried_again(set_pool: SetPool, other: Any, error: BaseException) -> None:
    pool = set_pool(1)
    calls = []

    def work(tx: Tx) -> None:
        calls.append(1)
        change(tx, ADD, "gone")
        raise error

    with pytest.raises(type(error)):
        db.transaction(work)
    assert (len(calls), leases()) == (1, {})
    assert len(pool._free) == 1
    run(other, ADD, ("gone",))


@pytest.mark.parametrize("number", [1062, 1064, 1146, 1264])
def test_a_mistake_is_not_tried_again(set_pool: SetPool, number: int) -> None:
    set_pool(1)
    calls = []

    def work(tx: Tx) -> None:
        calls.append(1)
        change(tx, f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}")

    with pytest.raises(mysql.connector.Error) as raised:
        db.transaction(work)
    assert (raised.value.errno, len(calls)) == (number, 1)


@pytest.mark.parametrize("number", [1213, 1205, 1020])
def test_what_passes_by_itself_is_tried_again_from_the_start(set_pool: SetPool, number: int) -> None:
    set_pool(1)
    calls = []

    def work(tx: Tx) -> str:
        calls.append(1)
        change(tx, ADD, f"try-{len(calls)}")
        if len(calls) < 3:
            change(tx, f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}")
        return "done"

    assert db.transaction(work) == "done"
    assert leases() == {"try-3": 0}


@pytest.mark.parametrize("number", [1216, 1452])
def test_a_missing_reference_is_looked_for_once_more(set_pool: SetPool, number: int) -> None:
    set_pool(1)
    calls = []

    def work(tx: Tx) -> str:
        calls.append(1)
        if len(calls) == 1:
            change(tx, f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}")
        return "found out"

    assert db.transaction(work) == "found out"


@pytest.mark.parametrize(
    ("number", "tries", "code"),
    [
        (1216, 2, "reference_missing"),
        (1452, 2, "reference_missing"),
        (1217, 1, "still_in_use"),
        (1451, 1, "still_in_use"),
    ],
)
def test_a_broken_reference_is_a_conflict_and_no_failure_that_passes(
    set_pool: SetPool,
    number: int,
    tries: int,
    code: str,
) -> None:
    set_pool(1)
    calls = []

    def work(tx: Tx) -> None:
        calls.append(1)
        change(tx, f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}")

    with pytest.raises(Conflict) as refused:
        db.transaction(work)
    assert (len(calls), refused.value.status, refused.value.code) == (tries, 409, code)


@pytest.mark.parametrize("error", ["1213", "1114", "1030, MESSAGE_TEXT = 'Got error 28'"], ids=["deadlock", "full table", "full disk"])
def test_what_does_not_pass_is_given_up_after_four_tries(set_pool: SetPool, error: str) -> None:
    set_pool(1)
    calls = []

    def work(tx: Tx) -> None:
        calls.append(1)
        change(tx, f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {error}")

    with pytest.raises(Unavailable) as refused:
        db.transaction(work)
    assert (len(calls), refused.value.status) == (4, 503)
    assert refused.value.retry_after


def test_a_real_deadlock_reaches_nobody(set_pool: SetPool) -> None:
    set_pool(2)
    for name in "ab":
        db.transaction(change, ADD, name)
    meeting = threading.Barrier(2)
    calls = []

    def crosswise(tx: Tx, first: str, second: str) -> None:
        calls.append(first)
        change(tx, RAISE, first)
        if calls.count(first) == 1:
            meeting.wait(5)
        change(tx, RAISE, second)

    with ThreadPoolExecutor(2) as two:
        for done in [two.submit(db.transaction, crosswise, *order) for order in ("ab", "ba")]:
            done.result(timeout=10)
    assert len(calls) > 2, "the two never met"
    assert leases() == {"a": 2, "b": 2}


def test_a_lock_that_is_not_to_be_had_is_waited_for_again(set_pool: SetPool, other: Any) -> None:
    set_pool(1)
    db.transaction(change, ADD, "held")
    run(other, "START TRANSACTION")
    run(other, RAISE, ("held",))
    calls = []

    def work(tx: Tx) -> None:
        calls.append(1)
        change(tx, "SET SESSION innodb_lock_wait_timeout = 1")
        if len(calls) == 2:
            other.rollback()
        change(tx, RAISE, "held")

    db.transaction(work)
    assert (len(calls), leases()) == (2, {"held": 1})


def test_a_line_lost_before_commit_is_replaced_and_the_work_done_once(set_pool: SetPool, other: Any) -> None:
    pool = set_pool(2)
    lines = []

    def work(tx: Tx) -> None:
        lines.append(tx)
        change(tx, ADD, "once")
        if len(lines) == 1:
            kill(other, tx)
            change(tx, RAISE, "once")

    db.transaction(work)
    assert leases() == {"once": 0}
    assert len({id(line) for line in lines}) == 2
    assert lines[0].broken and lines[0] not in pool._free


def test_a_commit_with_an_unknown_end_is_told_and_never_run_twice(set_pool: SetPool, other: Any) -> None:
    pool = set_pool(2)
    lines = []

    def work(tx: Tx) -> None:
        lines.append(tx)
        change(tx, ADD, "maybe")
        kill(other, tx)

    with pytest.raises(Unavailable, match="Send the same request again") as refused:
        db.transaction(work)
    assert (len(lines), refused.value.status) == (1, 503)
    assert lines[0].broken and lines[0] not in pool._free
    assert leases() == {}


def test_a_commit_that_happened_though_its_answer_was_lost_is_not_repeated(set_pool: SetPool, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    set_pool(2)
    calls = []

    def work(tx: Tx) -> None:
        calls.append(1)
        change(tx, ADD, "there")
        commit = tx.connection.commit

        def commit_into_the_dark() -> None:
            commit()
            kill(other, tx)
            run(tx.connection, "SELECT 1")

        monkeypatch.setattr(tx.connection, "commit", commit_into_the_dark)

    with pytest.raises(Unavailable):
        db.transaction(work)
    assert len(calls) == 1
    assert leases() == {"there": 0}


def test_a_reader_whose_line_is_lost_is_told_that_the_database_is_away(set_pool: SetPool, other: Any) -> None:
    set_pool(1)
    with pytest.raises(Unavailable) as refused, db.reading() as tx:
        kill(other, tx)
        change(tx, "DO 1")
    assert refused.value.retry_after
    assert leases() == {}


def test_the_bounds_keep_what_was_promised() -> None:
    """A 503 within three seconds of a database that hangs: whoever waits for a page waits for one statement, or to connect, or for a line."""
    assert max(db.WEB_TIMEOUT, db.CONNECT_TIMEOUT, db.POOL_WAIT) < 3


@pytest.mark.parametrize("way", ["reading", "transaction"])
def test_a_database_that_hangs_is_given_up_in_time(set_pool: SetPool, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    pool = set_pool(1, statement_timeout=1)
    monkeypatch.setattr(db, "DOUBT", 0.5)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        if way == "transaction":
            db.transaction(change, "DO SLEEP(20)")
        else:
            with db.reading() as tx:
                change(tx, "DO SLEEP(20)")
    assert time.monotonic() - began < 2.5
    with pytest.raises(Unavailable), db.reading():
        raise AssertionError("whoever comes next would wait as long")
    assert pool._free == []
    time.sleep(0.5)
    assert leases() == {}


def test_of_a_server_that_is_away_one_at_a_time_asks_whether_it_is_back(set_pool: SetPool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = set_pool(8)
    pool._doubt(0)
    tries = []
    connect = db.connect
    monkeypatch.setattr(db, "connect", lambda *where, **how: tries.append(1) or time.sleep(0.3) or connect(*where, **how))

    def comes(_: int) -> bool:
        try:
            return leases() == {}
        except Unavailable:
            return False

    with ThreadPoolExecutor(8) as crowd:
        served = list(crowd.map(comes, range(8)))
    assert (served.count(True), tries) == (1, [1])
    assert leases() == {}


# ---------------------------------------------------------------- nothing leaks


def _fails_in_work(tx: Tx) -> None:
    change(tx, ADD, "leak")
    raise ValueError


def _fails_in_sql(tx: Tx) -> None:
    change(tx, ADD, "leak")
    change(tx, "SELECT nonsense FROM nowhere")


def _fails_twice(tx: Tx) -> None:
    change(tx, ADD, "leak")
    change(tx, ADD, "leak")


def _fails_with_an_answer_unread(tx: Tx) -> None:
    tx.execute("SELECT 1 UNION SELECT 2")
    raise ValueError


def _read(work: Callable[[Tx], None]) -> None:
    with db.reading() as tx:
        work(tx)


@pytest.mark.parametrize("work", [_fails_in_work, _fails_in_sql, _fails_twice, _fails_with_an_answer_unread])
@pytest.mark.parametrize("way", [db.transaction, _read])
def test_no_error_leaks_a_line_or_spoils_it_for_the_next(set_pool: SetPool, other: Any, way: Callable[..., None], work: Callable[[Tx], None]) -> None:
    pool = set_pool(2)
    before = _lines(other)
    for _ in range(6):
        with pytest.raises((ValueError, mysql.connector.Error)):
            way(work)
        with db.reading() as one, db.reading() as two:
            assert [run(line.connection, "SELECT 7") for line in (one, two)] == [[(7,)], [(7,)]]
    assert len(pool._free) == 2
    assert _lines(other) <= before + 2
    if way is db.transaction:
        assert leases() == {}


def _lines(connection: Any) -> int:
    return int(run(connection, "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE()")[0][0])


# ---------------------------------------------------------------- named statements


def _queries(folder: Path, text: str) -> Queries:
    (folder / "noun.sql").write_text(text, encoding="utf-8")
    return Queries(folder)


def test_a_statement_takes_exactly_what_it_names(set_pool: SetPool) -> None:
    set_pool(1)
    with db.reading() as tx:
        with pytest.raises(TypeError, match="value"):
            q.settings.put(tx, name="x")
        with pytest.raises(TypeError, match="more"):
            q.settings.put(tx, name="x", value="1", more=1)


def test_each_kind_of_statement_gives_its_kind_of_answer(set_pool: SetPool, tmp_path: Path) -> None:
    set_pool(1)
    noun = _queries(
        tmp_path,
        "-- name: some -> rows\n-- Why.\nSELECT 1 AS a UNION SELECT 2;\n-- name: none -> rows\nSELECT 1 AS a LIMIT 0;\n"
        "-- name: one -> row\nSELECT 5 AS a, :b AS b;\n-- name: nobody -> row\nSELECT 1 AS a LIMIT 0;\n"
        "-- name: worth -> value\nSELECT :a + 1;\n-- name: nothing -> value\nSELECT 1 LIMIT 0;\n"
        "-- name: add -> count\nINSERT INTO leases (name, holder, ends_at) VALUES (:name, 1, UTC_TIMESTAMP(6));\n"
        "-- name: insert -> id\nINSERT INTO order_events (order_id, kind, at) SELECT 1, 'x', UTC_TIMESTAMP(6) LIMIT 0;\n",
    ).noun
    with db.reading() as tx:
        assert (noun.some(tx), noun.none(tx)) == ([{"a": 1}, {"a": 2}], [])
        assert (noun.one(tx, b="ü"), noun.nobody(tx)) == ({"a": 5, "b": "ü"}, None)
        assert (noun.worth(tx, a=41), noun.nothing(tx)) == (42, None)
        assert noun.add(tx, name="x") == 1
        assert noun.insert(tx) == 0


@pytest.mark.parametrize(("names", "found"), [(["a", "c"], 2), (("b",), 1), ([], 0), ({"a", "b", "zzz"}, 2), (["a' OR 1 -- "], 0)])
def test_a_list_stands_for_as_many_values_as_it_has(set_pool: SetPool, tmp_path: Path, names: Any, found: int) -> None:
    set_pool(1)
    for name in "abc":
        db.transaction(change, ADD, name)
    noun = _queries(tmp_path, "-- name: count -> value\nSELECT COUNT(*) FROM leases WHERE name IN (:names) AND name <> :not;\n").noun
    with db.reading() as tx:
        assert noun.count(tx, names=names, **{"not": ""}) == found


def test_a_parameter_may_come_twice_and_colons_in_text_are_none(set_pool: SetPool, tmp_path: Path) -> None:
    set_pool(1)
    noun = _queries(
        tmp_path, "-- name: odd -> row\nSELECT :x AS a, :x AS b, '12:30' AS c, DATE_FORMAT('2024-01-02 03:04:05', '%H:%i') AS d, 'a%' LIKE 'a\\%' AS e;\n"
    ).noun
    with db.reading() as tx:
        assert noun.odd(tx, x="%s :y ?") == {"a": "%s :y ?", "b": "%s :y ?", "c": "12:30", "d": "03:04", "e": 1}


def test_parts_and_sort_orders_are_put_into_statements(tmp_path: Path) -> None:
    text = (
        "-- part: filters\n WHERE a > :low\n"
        "-- name: list_all -> rows\n-- sort up: a, id AFTER a > :after\n-- sort down: a DESC AFTER a < :after\n"
        "SELECT a FROM t {filters} AND {after} ORDER BY {sort};\n"
    )
    lists = _queries(tmp_path, text).noun.list_all
    assert lists.keys() == {"up", "down"}
    assert " ".join(lists["down"].sql.split()) == "SELECT a FROM t WHERE a > :low AND a < :after ORDER BY a DESC"
    assert lists["up"].prepared().endswith("ORDER BY a, id")
    assert [query.name for query in _queries(tmp_path, text)] == ["noun.list_all[up]", "noun.list_all[down]"]


@pytest.mark.parametrize("text", ["-- name: get -> thing\nSELECT 1;\n", "-- name: get -> row\nSELECT 1;\n-- name: get -> row\nSELECT 2;\n"])
def test_a_statement_of_no_kind_or_twice_stops_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"noun\.sql: get"):
        _queries(tmp_path, text)


def test_a_name_that_stands_nowhere_is_an_error() -> None:
    with pytest.raises(AttributeError):
        _ = q.nothing
    with pytest.raises(AttributeError):
        _ = q.catalogue.nothing


def test_values_never_become_a_part_of_the_statement() -> None:
    query = Query("noun", "find", "rows", "SELECT a FROM t WHERE b = :b AND c IN (:c)")
    assert query._bind({"b": "'; DROP TABLE t", "c": ["x", "y"]}) == ("SELECT a FROM t WHERE b = %s AND c IN (%s, %s)", ("'; DROP TABLE t", "x", "y"))


def test_duplicates_are_known_by_their_constraint(set_pool: SetPool) -> None:
    set_pool(1)
    sql = "INSERT INTO categories (slug, name) VALUES ('one', 'One')"
    db.transaction(change, sql)
    with pytest.raises(mysql.connector.Error) as raised:
        db.transaction(change, sql)
    assert db.is_duplicate(raised.value, "uq_categories_slug")
    assert not db.is_duplicate(raised.value, "uq_products_slug")
    assert not db.is_duplicate(ValueError("uq_categories_slug"), "uq_categories_slug")
