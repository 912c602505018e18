"""The way to the database: a bounded pool, transactions that are retried whole, and the named statements of database/queries."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import mysql.connector
from mysql.connector import errorcode

from . import counts, driver
from .config import ROOT
from .driver import MySQLInterfaceError
from .errors import Conflict, Unavailable

P = ParamSpec("P")
T = TypeVar("T")
Row = dict[str, Any]

QUERIES = ROOT / "database" / "queries"
COLLATION = "utf8mb4_unicode_520_ci"
CONNECT_TIMEOUT = POOL_WAIT = 2  # seconds
STATEMENT_TIMEOUT = 3  # seconds without an answer before a connection is given up; only migrations and the like ask for more
# The same where somebody waits for a page: after it the database is taken to hang, and there is a second left to say so within three.
WEB_TIMEOUT = 2
LOCK_TIMEOUT = 2  # seconds, or less, so that a statement that waits for a lock is told before its line is given up
IDLE_BEFORE_PING = 5.0  # seconds
HOST_REST = 10.0  # seconds for which, of several hosts, one that failed is asked last, and after which a line is made anew at the first that serves
IN_USE, WAITING = f"{counts.NOW}pool_in_use", f"{counts.NOW}pool_waiting"
BREAK = 1.0  # seconds for which nobody tries to connect after a failed attempt
DOUBT = 0.25  # the same after a statement that got no answer; perhaps it was only this one
ATTEMPTS = 4
PATIENCE = 3.5  # seconds after which no further attempt begins; a database that hangs is not tried again at all

DEADLOCK, LOCK_WAIT, CHANGED_SINCE_READ = errorcode.ER_LOCK_DEADLOCK, errorcode.ER_LOCK_WAIT_TIMEOUT, 1020
RETRIED = {DEADLOCK, LOCK_WAIT, CHANGED_SINCE_READ}
# A row refers to one that does not exist. Either it was removed since the work looked, an account
# above all, and looking again the work finds out and says so; or it never existed, and trying
# again never helps.
REFERENCE_MISSING = {errorcode.ER_NO_REFERENCED_ROW, errorcode.ER_NO_REFERENCED_ROW_2}
# A row that others refer to cannot be deleted.
STILL_REFERENCED = {errorcode.ER_ROW_IS_REFERENCED, errorcode.ER_ROW_IS_REFERENCED_2}
# The last ones: a node that is cut off from its cluster, or a server that is only read from now; another one has to be found.
NO_WRITER = {1047, 1290, 1836}
LOST = {2006, 2013, 2055, 1053, 1927, 4031} | NO_WRITER
AWAY = {2002, 2003, 2005, 1040, 1047, 1205} | LOST
NO_ROOM = {3, 20, 1021, errorcode.ER_RECORD_FILE_FULL}  # those without a name are MariaDB's own, of files that it writes
STORAGE_ERROR, NO_SPACE_LEFT = errorcode.ER_GET_ERRNO, "28"
DUPLICATE = errorcode.ER_DUP_ENTRY
DRIVER_ERRORS = (mysql.connector.Error, MySQLInterfaceError)


# The driver demands TLS only if it verifies the host name as well: with ssl_verify_cert alone it goes
# on in plain text if the server has no TLS. So no mode demands TLS without verifying it.
TLS_OPTIONS: dict[str, Row] = {
    "prefer": {},
    "verify": {"ssl_verify_cert": True, "ssl_verify_identity": True},
    "off": {"ssl_disabled": True},
}
TLS_ERROR = 2026


@dataclass(frozen=True)
class Address:
    """Where a database is, and the account that connects. A socket wins over host and port.

    Several hosts ("a,b,c:3307") are one cluster, in order of preference.
    `tls` is one of TLS_OPTIONS; a socket needs none. `tls_ca` is the file with the certificate
    authorities that `verify` trusts.
    """

    user: str
    password: str
    database: str
    host: str = ""
    port: int = 3306
    socket: str = ""
    tls: str = "prefer"
    tls_ca: str = ""


def connect(address: Address, *, statement_timeout: int = STATEMENT_TIMEOUT) -> Any:
    """Open one connection with the session rules that every statement of the shop relies on; of several hosts, to the first that takes writes."""
    if "," in address.host:
        return _connect_first(address, statement_timeout)
    connection = mysql.connector.connect(
        user=address.user,
        password=address.password,
        database=address.database or None,
        charset="utf8mb4",
        collation=COLLATION,
        autocommit=True,
        connection_timeout=CONNECT_TIMEOUT,
        read_timeout=statement_timeout,
        write_timeout=statement_timeout,
        **_transport_options(address),
    )
    cursor = connection.cursor()
    if address.tls == "verify" and not address.socket:
        _check_encryption(cursor)
    cursor.execute(
        f"SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = {max(1, min(LOCK_TIMEOUT, statement_timeout - 1))},"
        " sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY'"
    )
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    cursor.close()
    return connection


def _transport_options(address: Address) -> Row:
    if address.socket:
        return {"unix_socket": address.socket}
    certificates = {"ssl_ca": address.tls_ca} if address.tls == "verify" else {}
    return {"host": address.host, "port": address.port, **TLS_OPTIONS[address.tls], **certificates}


def _check_encryption(cursor: Any) -> None:
    """Refuse an unencrypted connection, should a version of the driver not enforce TLS."""
    cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    if not any(cipher for _, cipher in cursor.fetchall()):
        raise mysql.connector.InterfaceError("The connection is not encrypted.", errno=TLS_ERROR)


_resting: dict[str, float] = {}  # until when a host of several is asked last


def _connect_first(address: Address, statement_timeout: int) -> Any:
    failure: BaseException = mysql.connector.OperationalError("No host of DB_HOST takes writes.", errno=min(NO_WRITER))
    now = time.monotonic()
    for name in sorted(address.host.replace(" ", "").split(","), key=lambda name: _resting.get(name, 0) > now):
        host, _, port = name.partition(":")
        try:
            connection = connect(replace(address, host=host, port=int(port or address.port)), statement_timeout=statement_timeout)
            if _takes_writes(connection):
                return connection
            connection.close()
        except DRIVER_ERRORS as error:
            failure = error
        _resting[name] = time.monotonic() + HOST_REST
    raise failure


def _takes_writes(connection: Any) -> bool:
    """Whether it is no replica and, if it is a node of a Galera cluster, synced with the majority (wsrep_local_state 4)."""
    cursor = connection.cursor()
    cursor.execute("SHOW GLOBAL STATUS LIKE 'wsrep_local_state'")
    state = cursor.fetchall()
    if state and int(state[0][1]) != 4:
        return False
    if state:
        # While servers go over to another node, what was written on the former one must be there before anybody looks for it.
        cursor.execute("SET SESSION wsrep_sync_wait = 1")
    cursor.execute("SELECT @@GLOBAL.read_only")
    (read_only,) = cursor.fetchone()
    cursor.close()
    return read_only in (0, "OFF")


class Tx:
    """One connection in use: what a named statement runs on."""

    def __init__(self, connection: Any, timeout: float = STATEMENT_TIMEOUT) -> None:
        self.connection = connection
        self.timeout = timeout
        self.opened_at = self.used_at = time.monotonic()
        self.statements = 0
        self.broken = False
        self.hung = False
        self.after_commit: list[Callable[[], None]] = []

    def told(self) -> None:
        """Do what waited for the work on this connection to be certain."""
        waiting, self.after_commit = self.after_commit, []
        for tell in waiting:
            tell()

    def execute(self, sql: str, params: tuple[Any, ...] = ()) -> Any:
        self.statements += 1
        began = time.monotonic()
        try:
            return driver.execute(self.connection, sql, params)
        except DRIVER_ERRORS as error:
            self.note(error, began)
            raise

    def commit(self) -> None:
        began = time.monotonic()
        try:
            self.connection.commit()
        except DRIVER_ERRORS as error:
            self.note(error, began)
            raise

    def note(self, error: BaseException, began: float) -> None:
        """Whether the line is lost, and whether that is so because nothing came over it in time."""
        if error_number(error) in LOST:
            self.broken = True
            self.hung = self.hung or time.monotonic() - began > 0.9 * self.timeout


class Pool:
    """At most `size` connections. Who finds none free waits, bounded, instead of failing at once.

    A server that is away, or hangs, answers slowly. Once that is known one at a time asks whether it is back, and everybody else is told
    at once that it is not.
    """

    def __init__(self, address: Address, size: int, statement_timeout: int = STATEMENT_TIMEOUT) -> None:
        self.address, self.statement_timeout = address, statement_timeout
        self._free: list[Tx] = []
        self._places = threading.BoundedSemaphore(size)
        self._away = False
        self._closed_until = 0.0
        self._asking = threading.Lock()
        self._closed = False

    def acquire(self) -> Tx:
        if not self._places.acquire(blocking=False):
            self._wait()
        counts.add(IN_USE)
        try:
            return self._ask() if self._away else self._healthy() or self._connect()
        except BaseException:
            self._leave()
            raise

    def _wait(self) -> None:
        counts.add(WAITING)
        try:
            if not self._places.acquire(timeout=POOL_WAIT):
                counts.add("pool_busy")
                raise Unavailable("All connections to the database are busy.")
        finally:
            counts.add(WAITING, -1)

    def _leave(self) -> None:
        counts.add(IN_USE, -1)
        self._places.release()

    def release(self, tx: Tx) -> None:
        if tx.hung:
            self._doubt(DOUBT)
        # A line with an answer still on it would give it to the next one who asks.
        strayed = "," in self.address.host and time.monotonic() - tx.opened_at > HOST_REST
        if tx.broken or self._closed or strayed or tx.connection.unread_result:
            _close(tx)
        else:
            tx.used_at = time.monotonic()
            self._free.append(tx)
        self._leave()

    def close(self) -> None:
        self._closed = True
        self._forget()

    def _forget(self) -> None:
        while self._free:
            _close(self._free.pop())

    def _doubt(self, seconds: float) -> None:
        self._away, self._closed_until = True, time.monotonic() + seconds
        self._forget()

    def _healthy(self) -> Tx | None:
        while True:
            try:
                tx = self._free.pop()
            except IndexError:
                return None
            began = time.monotonic()
            if began - tx.used_at < IDLE_BEFORE_PING:
                return tx
            try:
                tx.connection.ping()
                return tx
            except DRIVER_ERRORS as error:
                tx.note(error, began)
                _close(tx)
                if tx.hung:
                    self._doubt(DOUBT)
                    raise Unavailable("The database does not answer.") from error

    def _ask(self) -> Tx:
        if time.monotonic() < self._closed_until or not self._asking.acquire(blocking=False):
            raise Unavailable("The database does not answer.")
        try:
            return self._connect()
        finally:
            self._asking.release()

    def _connect(self) -> Tx:
        try:
            tx = Tx(connect(self.address, statement_timeout=self.statement_timeout), self.statement_timeout)
        except DRIVER_ERRORS as error:
            self._doubt(BREAK)
            raise Unavailable("The database does not answer.") from error
        self._away = False
        return tx


def _close(tx: Tx) -> None:
    tx.broken = True
    try:
        tx.connection.close()
    except (*DRIVER_ERRORS, OSError):
        # The line was dead already; nothing is left to close.
        return


_pool: Pool | None = None


def open(address: Address, *, size: int = 8, statement_timeout: int = STATEMENT_TIMEOUT) -> None:
    """Set the database of this process; connections are made when first needed. Opening again closes the former pool."""
    global _pool
    close()
    _pool = Pool(address, size, statement_timeout)


def close() -> None:
    global _pool
    if _pool:
        _pool.close()
    _pool = None


def error_number(error: BaseException) -> int:
    return int(getattr(error, "errno", 0) or 0)


def is_away(error: BaseException) -> bool:
    """Whether the database cannot serve now, being gone or out of room, and will when it has been seen to."""
    number = error_number(error)
    return number in AWAY | NO_ROOM or (number == STORAGE_ERROR and NO_SPACE_LEFT in str(error))


def is_duplicate(error: BaseException, constraint: str) -> bool:
    """Whether the error is a second row where the named unique key allows one."""
    return error_number(error) == DUPLICATE and constraint in str(error)


@contextmanager
def _borrowed() -> Iterator[Tx]:
    if _pool is None:
        raise RuntimeError("db.open() has not been called")
    pool, tx = _pool, _pool.acquire()
    # What the last one here wanted told, and then rolled back, is never told.
    tx.after_commit.clear()
    try:
        yield tx
    finally:
        pool.release(tx)


@contextmanager
def reading() -> Iterator[Tx]:
    """A connection for plain reads, each statement on its own (autocommit). Raises Unavailable when the database is away."""
    with _borrowed() as tx:
        try:
            yield tx
            tx.told()
        except DRIVER_ERRORS as error:
            if is_away(error):
                raise Unavailable("The database does not answer.") from error
            raise


def transaction(work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work(tx, …)` in one READ COMMITTED transaction and return its result.

    The whole of `work` is run again, at most four times in all and not for long, when the database chose it as a deadlock's victim, when a
    lock was not to be had in time, or when a line was found dead before COMMIT; so it must do nothing but SQL.
    Raises Unavailable after that, and when it cannot be known whether COMMIT happened; Conflict when a
    foreign key refers to a row that does not exist, or a row is to be deleted that others refer to.
    """
    began = time.monotonic()
    has_looked_again = False
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _borrowed() as tx:
                return _once(tx, work, *args, **kwargs)
        except DRIVER_ERRORS as error:
            if error_number(error) in REFERENCE_MISSING and not has_looked_again:
                has_looked_again = True
                continue
            _raise_broken_reference(error)
            if error_number(error) not in RETRIED and not is_away(error):
                raise
            if attempt == ATTEMPTS or time.monotonic() - began > PATIENCE:
                raise Unavailable() from error
        time.sleep(random.uniform(0.2, 1.0) * 0.02 * 2**attempt)
    raise AssertionError("unreachable")


def _raise_broken_reference(error: BaseException) -> None:
    """Raise Conflict for the error of a foreign key; return for any other."""
    if error_number(error) in REFERENCE_MISSING:
        message = "Something that this refers to does not exist, or no longer."
        raise Conflict(message, code="reference_missing") from error
    if error_number(error) in STILL_REFERENCED:
        message = "This is still in use elsewhere and cannot be deleted."
        raise Conflict(message, code="still_in_use") from error


def _once(tx: Tx, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        tx.execute("START TRANSACTION").close()
        result = work(tx, *args, **kwargs)
    except BaseException:
        _roll_back(tx)
        raise
    try:
        tx.commit()
    except DRIVER_ERRORS as error:
        _roll_back(tx)
        if error_number(error) in RETRIED:
            raise
        # The line broke during COMMIT: only who holds an idempotency key can find out what became of it.
        raise Unavailable("The connection was lost while saving. Send the same request again.") from error
    tx.told()
    return result


def _roll_back(tx: Tx) -> None:
    try:
        tx.connection.rollback()
    except DRIVER_ERRORS:
        tx.broken = True


class Query:
    """One named statement. Call it with a Tx and exactly the parameters that it names."""

    def __init__(self, noun: str, name: str, kind: str, sql: str) -> None:
        self.name, self.kind, self.sql = f"{noun}.{name}", kind, sql
        self._pieces = re.split(r"(?<![:\w]):([a-z][a-z0-9_]*)\b", sql)
        self.params = self._pieces[1::2]
        self._known = frozenset(self.params)
        self._fixed = "%s".join(self._pieces[::2])

    def prepared(self) -> str:
        """The statement as PREPARE takes it."""
        return "?".join(self._pieces[::2])

    def __call__(self, tx: Tx, **given: Any) -> Any:
        if given.keys() != self._known:
            raise TypeError(f"{self.name} takes {sorted(self._known)}, not {sorted(given)}")
        sql, values = self._bind(given)
        cursor = tx.execute(sql, values)
        try:
            return getattr(self, f"_{self.kind}")(cursor)
        finally:
            cursor.close()

    def _bind(self, given: Row) -> tuple[str, tuple[Any, ...]]:
        values = [given[name] for name in self.params]
        if not any(isinstance(value, list | tuple | set | frozenset) for value in values):
            return self._fixed, tuple(values)
        sql, flat = self._pieces[0], []
        for value, piece in zip(values, self._pieces[2::2], strict=True):
            several = list(value) or [None] if isinstance(value, list | tuple | set | frozenset) else [value]
            flat += several
            sql += ", ".join(["%s"] * len(several)) + piece
        return sql, tuple(flat)

    @staticmethod
    def _rows(cursor: Any) -> list[Row]:
        names = cursor.column_names
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _row(self, cursor: Any) -> Row | None:
        rows = self._rows(cursor)
        return rows[0] if rows else None

    @staticmethod
    def _value(cursor: Any) -> Any:
        rows = cursor.fetchall()
        return rows[0][0] if rows else None

    @staticmethod
    def _count(cursor: Any) -> int:
        return int(cursor.rowcount)

    @staticmethod
    def _id(cursor: Any) -> int:
        return int(cursor.lastrowid)

    @staticmethod
    def _count_and_id(cursor: Any) -> tuple[int, int]:
        return int(cursor.rowcount), int(cursor.lastrowid or 0)


class Sorted(dict[str, Query]):
    """A statement with declared sort orders, one Query each: `q.catalogue.list_products["newest"](tx, …)`."""


class Noun:
    """The statements of one file: `q.orders.cancel`."""

    def __init__(self, statements: dict[str, Query | Sorted]) -> None:
        self._statements = statements

    def __getattr__(self, name: str) -> Any:
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(name) from None

    def __iter__(self) -> Iterator[Query]:
        for one in self._statements.values():
            yield from one.values() if isinstance(one, Sorted) else (one,)


KINDS = {"rows", "row", "value", "count", "id", "count_and_id"}
HEADING = re.compile(r"^-- (?:name: *(\w+) *-> *(\w+)|part: *(\w+)) *$", flags=re.MULTILINE)
SORT = re.compile(r"^-- sort (\w+): *(.+?) +AFTER +(.+?) *$", flags=re.MULTILINE)


def read_statements(path: Path) -> dict[str, Query | Sorted]:
    """Read one file's statements, in order.

    `-- name: cancel -> count` opens a statement, `-- part: filters` a piece that later ones take in as `{filters}`, and
    `-- sort newest: created_at DESC, id DESC AFTER <condition of the next page>` lines fill its `{sort}` and `{after}`.
    """
    found: dict[str, Query | Sorted] = {}
    parts: dict[str, str] = {}
    pieces = HEADING.split(path.read_text(encoding="utf-8"))
    for name, kind, part, text in zip(pieces[1::4], pieces[2::4], pieces[3::4], pieces[4::4], strict=True):
        sql = re.sub(r"^\s*--.*\n?", "", text, flags=re.MULTILINE).strip().rstrip(";")
        for known, fragment in parts.items():
            sql = sql.replace("{" + known + "}", fragment)
        if part:
            parts[part] = sql
        elif kind not in KINDS or name in found:
            raise ValueError(f"{path.name}: {name} -> {kind} is no kind of statement, or stands twice")
        elif sorts := SORT.findall(text):
            found[name] = Sorted(
                {key: Query(path.stem, f"{name}[{key}]", kind, sql.replace("{sort}", order).replace("{after}", after)) for key, order, after in sorts}
            )
        else:
            found[name] = Query(path.stem, name, kind, sql)
    return found


class Queries:
    """All statements, by noun."""

    def __init__(self, folder: Path) -> None:
        self._nouns = {path.stem: Noun(read_statements(path)) for path in sorted(folder.glob("*.sql"))}

    def __getattr__(self, noun: str) -> Noun:
        try:
            return self._nouns[noun]
        except KeyError:
            raise AttributeError(noun) from None

    def __iter__(self) -> Iterator[Query]:
        return (query for noun in self._nouns.values() for query in noun)


q = Queries(QUERIES)
