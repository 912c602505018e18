"""A MariaDB of the shop's own under SHOP_VAR, and the address of the database in use, be it this one or that of DB_HOST.

The folder `mysql` holds `data`, the server's log, and `access.json` (mode 0600) with the socket and the passwords of two accounts:
the owner, who may change tables, and the app, which may only read and write rows.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from . import mariadb_program
from .config import ROOT, Settings
from .db import DRIVER_ERRORS, TLS_ERROR, Address, connect, error_number
from .lifeline import bound_program
from .mariadb_program import DatabaseProblem, Program

if sys.platform != "win32":
    import fcntl

__all__ = ["DatabaseProblem", "PrivateDatabase", "address_of", "prepare_server"]

DATABASE = "flaskcart"
OWNER, APP = "flaskcart_owner", "flaskcart"
APPEND_ONLY = {"events"}
COLLATION = "utf8mb4_unicode_520_ci"
LONGEST_SOCKET = 103 if sys.platform == "darwin" else 107  # bytes; a longer path cannot be bound
PATIENCE = 300  # seconds for a server that recovers from a crash; a healthy one takes a fraction of one
STOP_TIMEOUT = 60  # seconds
CLAIM_PATIENCE = 1.0  # seconds; a child of a killed process holds its files for a moment longer, until it notices
LONG_LOG = 1_000_000  # bytes
LEAST_POOL = 64 << 20  # bytes of pages that the server keeps in memory; a shop with more data gets more

OPTIONS = [
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-log-file-size=48M",
    "--innodb-log-buffer-size=4M",
    "--key-buffer-size=1M",
    "--aria-pagecache-buffer-size=2M",
    "--performance-schema=OFF",
    "--skip-log-bin",
    "--skip-name-resolve",
    f"--character-set-server={COLLATION.split('_')[0]}",
    f"--collation-server={COLLATION}",
]
SERVING = ["--skip-networking", "--local-infile=OFF", "--max-connections=200", "--max-allowed-packet=64M", "--default-time-zone=+00:00"]

GRANT_SQL = "GRANT ALL PRIVILEGES ON `{name}`.* TO '{user}'@'%';"
OLDEST_MYSQL, OLDEST_MARIADB = (8, 0), (10, 6)


class PrivateDatabase:
    """The server of one SHOP_VAR. Start it from a thread that lives as long as it shall: on Linux it ends with that thread."""

    def __init__(self, var: Path, say: Callable[[str], None] = lambda line: None) -> None:
        self.folder = var / "mysql"
        self.data = self.folder / "data"
        self._homes = [ROOT / "var" / "mariadb", var / "mariadb"]
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: BinaryIO | None = None
        self._log_start = 0

    def start(self) -> None:
        """Find or fetch the server, make its data directory if there is none, start it and wait until it answers.

        Raises DatabaseProblem with a sentence for the person who started the shop.
        """
        self.launch()
        self.wait()

    def launch(self) -> None:
        """The first half of start(): the server is on its way, and the caller may do other things meanwhile."""
        if sys.platform == "win32":
            raise DatabaseProblem("On Windows the shop needs a MySQL or MariaDB server of yours: set DB_HOST, DB_USER and DB_PASSWORD.")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        self._claim()
        try:
            program = mariadb_program.find(self._homes, self._say)
            self._end_leftover()
            access = self._access() or {}
            access = {"socket": self._socket(access.get("socket", "")), OWNER: access.get(OWNER) or _password(), APP: access.get(APP) or _password()}
            _write_private(self.folder / "access.json", json.dumps(access))
            if not self.data.exists():
                self._initialise(program)
            self._spawn(program, access)
        except BaseException:
            self.stop()
            raise

    def wait(self) -> None:
        """The second half of start()."""
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server as it likes to be ended, with everything written. Does nothing when it does not run."""
        process, self._process = self._process, None
        if process:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._forget()
        if self._lock:
            # Forked children have the file open too, so closing it here would not give the lock back.
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            self._lock.close()
            self._lock = None

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def address(self, *, owner: bool = False) -> Address:
        """Where the server is and one of its two accounts, for any process of the same user. Raises DatabaseProblem before the first start."""
        access = self._access()
        if not access:
            raise DatabaseProblem(f"There is no database in {self.folder} yet. Start the shop first: ./shop run")
        user = OWNER if owner else APP
        return Address(user=user, password=access[user], database=DATABASE, socket=access["socket"])

    def _access(self) -> dict[str, str] | None:
        try:
            found: dict[str, str] = json.loads((self.folder / "access.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return found

    def _claim(self) -> None:
        """Two servers on the same data wait for each other for 30 seconds and then fail; a lock says it at once and clearly."""
        if self._lock:
            return
        lock = (self.folder / "lock").open("ab")
        deadline = time.monotonic() + CLAIM_PATIENCE
        while not _locked(lock):
            if time.monotonic() > deadline:
                lock.close()
                raise DatabaseProblem(f"Another process of the shop runs the database in {self.folder}.")
            time.sleep(0.05)
        self._lock = lock

    def _socket(self, known: str) -> str:
        if len(os.fsencode(self.folder / "socket")) <= LONGEST_SOCKET:
            return str(self.folder / "socket")
        folder = Path(known).parent
        if known and folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.geteuid():
            return known
        return str(Path(tempfile.mkdtemp(prefix="flaskcart-")) / "socket")

    def _command(self, program: Program, data: Path, *more: str) -> list[str]:
        # MariaDB refuses to run as root unless told so.
        user = ["--user=root"] if os.geteuid() == 0 else []
        # A starting server sweeps away the temporary tables that it finds, also those of another shop's in a common folder.
        temporary = self.folder / "tmp"
        temporary.mkdir(mode=0o700, exist_ok=True)
        return [*program.command(), *user, f"--datadir={data}", f"--tmpdir={temporary}", f"--innodb-buffer-pool-size={_pool(data)}", *OPTIONS, *more]

    def _launch(self, program: Program, command: list[str], stdin: BinaryIO | int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start the server. Its words go to the log; that of former starts stays beside it once it has grown."""
        path = self.folder / "server.log"
        if path.exists() and path.stat().st_size > LONG_LOG:
            path.replace(self.folder / "server.log.1")
        with path.open("ab") as log:
            self._log_start = log.tell()
            # MariaDB replaces the umask that it was started with.
            environment = {**program.environment(), "UMASK": "0600", "UMASK_DIR": "0700"}
            process = bound_program(
                command,
                stdin=stdin,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        (self.folder / "pid").write_text(str(process.pid))
        return process

    def _initialise(self, program: Program) -> None:
        """Fill a new directory beside and move it in place when it is whole: a start that was killed in the middle leaves no half of one."""
        for leftover in self.folder.glob("new-*"):
            shutil.rmtree(leftover)
        self._say("Preparing the database")
        fresh = Path(tempfile.mkdtemp(dir=self.folder, prefix="new-"))
        script = "\n".join(
            [
                "CREATE DATABASE mysql;",
                "USE mysql;",
                "SET @auth_root_socket = NULL;",
                program.system_tables(),
                "DELETE FROM global_priv WHERE User <> 'mariadb.sys';",
                "DELETE FROM proxies_priv;",
                f"CREATE DATABASE {DATABASE} CHARACTER SET {COLLATION.split('_')[0]} COLLATE {COLLATION};",
            ]
        )
        # Nobody loses a row here if the machine stops, so nothing need be forced to disk statement by statement.
        command = self._command(program, fresh, "--bootstrap", "--innodb-flush-log-at-trx-commit=0", "--log-warnings=0")
        with tempfile.TemporaryFile() as sql:
            sql.write(script.encode())
            sql.seek(0)
            process = self._launch(program, command, sql)
        if process.wait():
            raise DatabaseProblem(f"The database could not be prepared. {self._first_errors()}")
        fresh.rename(self.data)

    def _spawn(self, program: Program, access: dict[str, str]) -> None:
        accounts = self.folder / "accounts.sql"
        _write_private(accounts, _accounts(access))
        places = [f"--socket={access['socket']}", f"--pid-file={self.folder / 'mariadbd.pid'}", f"--init-file={accounts}"]
        self._process = self._launch(program, self._command(program, self.data, *SERVING, *places))

    def _wait(self) -> None:
        process, address = self._process, self.address()
        assert process is not None
        started = time.monotonic()
        told = False
        while process.poll() is None:
            try:
                connect(address).close()
            except DRIVER_ERRORS as error:
                waited = time.monotonic() - started
                if waited > PATIENCE:
                    raise DatabaseProblem(f"The database does not answer after {PATIENCE} seconds ({error}). Its log: {self.folder / 'server.log'}") from error
                if waited > 5 and not told:
                    self._say("The database takes its time; it may be recovering from a crash")
                    told = True
                time.sleep(0.02)
            else:
                (self.folder / "accounts.sql").unlink(missing_ok=True)
                # MariaDB lets every user connect; only the folder and passwords kept them out.
                Path(address.socket).chmod(0o600)
                return
        raise DatabaseProblem(f"The database did not start. {self._first_errors()}")

    def _first_errors(self) -> str:
        """What the server said first against starting; what follows are consequences."""
        with (self.folder / "server.log").open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        errors = [line for line in lines if "ERROR" in line or "error while loading" in line]
        return "\n".join([*errors[:3], f"The whole log: {self.folder / 'server.log'}"])

    def _end_leftover(self) -> None:
        """A server whose supervisor was killed may still be here, or on its way out; it must be gone before another opens the files."""
        try:
            pid = int((self.folder / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return
        if command := self._our_server(pid):
            self._say("Waiting for the database of the former run to end")
            # One that was only preparing a directory has nothing to lose, and does not listen.
            os.kill(pid, signal.SIGKILL if b"--bootstrap" in command else signal.SIGTERM)
            deadline = time.monotonic() + STOP_TIMEOUT
            while self._our_server(pid):
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.02)
        self._forget()

    def _forget(self) -> None:
        (self.folder / "pid").unlink(missing_ok=True)

    def _our_server(self, pid: int) -> bytes | None:
        """The command line of that process if it is a server on our data: after a reboot its number may be anybody's, and a dead one has none."""
        if Path("/proc/self/cmdline").exists():
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                return None
        else:
            command = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, check=False).stdout
        return command if os.fsencode(f"--datadir={self.folder}{os.sep}") in command else None


def _pool(data: Path) -> int:
    """Room for all of the data, but for no more than a quarter of the machine's memory; pages never read take none of it."""
    held = sum(path.stat().st_size for path in data.glob(f"{DATABASE}*/*.ibd"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(LEAST_POOL, min(held, memory // 4) >> 20 << 20)


def address_of(settings: Settings, *, owner: bool = False) -> Address:
    """The database that these settings mean. With DB_HOST there is one account for everything."""
    if settings.db_host:
        return Address(
            settings.db_user,
            settings.db_password,
            settings.db_name,
            settings.db_host,
            settings.db_port,
            tls=settings.db_tls,
            tls_ca=settings.db_tls_ca,
        )
    return PrivateDatabase(settings.var).address(owner=owner)


def prepare_server(settings: Settings) -> None:
    """See that the server of DB_HOST will do, and make the database on it if it is missing and that is allowed.

    Raises DatabaseProblem with a sentence that says what to change.
    """
    address = address_of(settings)
    connection = _connect(settings, replace(address, database=""))
    try:
        _check_version(connection, settings)
        _make_database(connection, settings)
        _check_rights(connection, settings)
    finally:
        connection.close()


def _connect(settings: Settings, address: Address) -> Any:
    where = f"{settings.db_host}:{settings.db_port}"
    try:
        return connect(address, statement_timeout=10)
    except DRIVER_ERRORS as error:
        number = error_number(error)
        if number in (1045, 1698):
            sentence = f"The database server at {where} does not accept DB_USER {settings.db_user} with this DB_PASSWORD."
            # MariaDB gives the same error to an account that may only come over TLS.
            sentence += " It may demand TLS, and DB_TLS is off." * (settings.db_tls == "off")
        elif number == 2005:
            sentence = f"DB_HOST is {settings.db_host}, but no machine of that name is known."
        elif number in (2002, 2003):
            sentence = f"No database server answers at {where}. Is it running, and are DB_HOST and DB_PORT right?"
        elif number == TLS_ERROR or "CERTIFICATE_VERIFY_FAILED" in str(error):
            sentence = f"DB_TLS is {settings.db_tls}, but TLS to the database server at {where} failed:"
            sentence += f" {error}.{_explain_tls_error(settings, str(error))}"
        elif number in (1130, 1129):
            sentence = f"The database server at {where} lets nobody in from this machine."
        elif number in (1115, 1273):
            sentence = f"The database server at {where} does not know {COLLATION}: it is too old. The shop needs MySQL 8.0 or MariaDB 10.6, or newer."
        else:
            sentence = f"The database server at {where} refuses the connection: {error}"
        raise DatabaseProblem(sentence) from error


def _explain_tls_error(settings: Settings, error: str) -> str:
    if settings.db_tls != "verify":
        return ""
    if "SSL is required" in error:
        return " Give the server a certificate and a key."
    authorities = f"an authority in {settings.db_tls_ca} (DB_TLS_CA)"
    return f" Its certificate must name the host of DB_HOST and come from {authorities}."


def _check_version(connection: Any, settings: Settings) -> None:
    version = str(_one(connection, "SELECT VERSION()"))
    found = re.search(r"(\d+)\.(\d+)", version)
    number = (int(found[1]), int(found[2])) if found else (0, 0)
    name, oldest = ("MariaDB", OLDEST_MARIADB) if "mariadb" in version.lower() else ("MySQL", OLDEST_MYSQL)
    if number < oldest:
        raise DatabaseProblem(f"The server at {settings.db_host} is {name} {version}. The shop needs MySQL 8.0 or MariaDB 10.6, or newer.")


def _make_database(connection: Any, settings: Settings) -> None:
    quoted = settings.db_name.replace("`", "``")
    create = f"CREATE DATABASE `{quoted}` CHARACTER SET utf8mb4 COLLATE {COLLATION}"
    try:
        _run(connection, f"USE `{quoted}`")
        return
    except DRIVER_ERRORS as error:
        if error_number(error) not in (1044, 1049):
            raise DatabaseProblem(f"The database {settings.db_name} cannot be used: {error}") from error
    try:
        _run(connection, create)
        _run(connection, f"USE `{quoted}`")
    except DRIVER_ERRORS as error:
        grant = GRANT_SQL.format(name=quoted, user=settings.db_user)
        raise DatabaseProblem(
            f"{settings.db_user} has no database {settings.db_name} on {settings.db_host}, and may not make it."
            f" As the server's administrator: {create}; {grant}"
        ) from error


def _check_rights(connection: Any, settings: Settings) -> None:
    """Use each right once on a table of its own, since what GRANTs add up to through roles cannot be read reliably."""
    probe = f"shop_rights_{secrets.token_hex(4)}"
    statements = [
        f"CREATE TABLE {probe} (id INT PRIMARY KEY, other INT, CONSTRAINT fk_{probe} FOREIGN KEY (other) REFERENCES {probe} (id))",
        f"INSERT INTO {probe} (id) VALUES (1)",
        f"UPDATE {probe} SET other = NULL",
        f"SELECT id FROM {probe}",
        f"DELETE FROM {probe}",
        f"ALTER TABLE {probe} ADD COLUMN more INT",
        f"CREATE INDEX ix_more ON {probe} (more)",
        f"DROP TABLE {probe}",
    ]
    try:
        for statement in statements:
            _run(connection, statement)
    except DRIVER_ERRORS as error:
        with contextlib.suppress(*DRIVER_ERRORS):
            _run(connection, f"DROP TABLE IF EXISTS {probe}")
        grant = GRANT_SQL.format(name=settings.db_name, user=settings.db_user)
        raise DatabaseProblem(
            f"{settings.db_user} may not do everything the shop needs in {settings.db_name} ({error}). As the server's administrator: {grant}"
        ) from error


def _one(connection: Any, sql: str) -> Any:
    cursor = connection.cursor()
    cursor.execute(sql)
    (value,) = cursor.fetchone()
    cursor.close()
    return value


def _run(connection: Any, sql: str) -> None:
    cursor = connection.cursor()
    cursor.execute(sql)
    cursor.fetchall()
    cursor.close()


def _accounts(access: dict[str, str]) -> str:
    """Run by the server at each start, so that lost passwords and changed rights are put right by starting again. One statement a line."""
    rights = {OWNER: "ALL PRIVILEGES", APP: "SELECT, INSERT, UPDATE, DELETE"}
    # In the shop's own database each table is handed over by itself. What is granted first can be revoked without looking.
    last = f"REVOKE UPDATE, DELETE ON `{DATABASE}`.* FROM '{APP}'@'localhost';"
    lines = []
    for user, right in rights.items():
        account = f"'{user}'@'localhost'"
        lines += [
            f"CREATE USER IF NOT EXISTS {account};",
            f"ALTER USER {account} IDENTIFIED BY '{access[user]}';",
            *(f"GRANT {right} ON `{name}`.* TO {account}{' WITH GRANT OPTION' * (user == OWNER)};" for name in (DATABASE, rf"{DATABASE}\_%")),
        ]
    return "\n".join([*lines, last]) + "\n"


def hand_over(connection: Any) -> None:
    """Let the app's account change the rows of every table but the record of what happened, to which it may only add.

    Needs the owner's connection, after the tables have changed. On a server of DB_HOST there is one account for everything.
    """
    if _one(connection, "SELECT CURRENT_USER()") != f"{OWNER}@localhost":
        return
    tables = _one(connection, "SELECT GROUP_CONCAT(table_name) FROM information_schema.tables WHERE table_schema = DATABASE()") or ""
    for table in sorted({*tables.split(",")} - {*APPEND_ONLY, ""}):
        _run(connection, f"GRANT UPDATE, DELETE ON `{table}` TO '{APP}'@'localhost'")


def _password() -> str:
    return secrets.token_hex(24)


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _write_private(path: Path, text: str) -> None:
    """Readable by this user only, and either the old or the new content however the process ends."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
