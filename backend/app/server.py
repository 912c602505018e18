"""What ./shop run does: database, migrations, demo, then the web workers and the job worker, supervised until somebody says stop."""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import multiprocessing
import os
import pkgutil
import secrets
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

from dotenv import dotenv_values
from granian import Granian
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes, TaskImpl
from granian.http import HTTP1Settings
from granian.log import LogLevels

from . import counts, db, lifeline, migrations
from .config import ROOT, BadSetting, Settings, validate_secret_key
from .data_folder import prepare_data_folder
from .lock import Busy, Lock
from .private_database import DatabaseProblem, PrivateDatabase, address_of, prepare_server

BACKLOG = 1024
MAX_OPEN_FILES = 65_536  # of a process; MariaDB sizes its tables by this limit
DEFER_ACCEPT = 5  # seconds
UNREAD_RESPONSE_TIMEOUT_SECONDS = 30
DRAIN = 25.0  # seconds that requests in flight may take when a worker is told to go
START_TIMEOUT = 60.0  # seconds a worker may take until it serves
SETTLED = 10.0  # a process that lived so many seconds did not fail at its start
SLOWEST_RESTART = 10.0  # seconds
TICK = 0.25  # seconds between looks at what cannot be waited for: the database, changed files
JOB_CONNECTIONS = 4
JOB_NICENESS = 5


class StartProblem(Exception):
    """The shop cannot open. The message is a sentence for whoever started it."""


def say(line: str = "") -> None:
    # Who reads may be gone; a shop does not close for that.
    with contextlib.suppress(OSError):
        print(line, flush=True)


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of the environment and of .env, and prepare the data folder.

    The environment wins over .env. If no secret key is set, it is the one stored in the data folder. Raises BadSetting.
    """
    settings = Settings.from_env({**_read_env_file(ROOT / ".env"), **environment})
    prepare_data_folder(settings.var)
    if settings.secret_key:
        return settings
    return replace(settings, secret_key=_stored_secret_key(settings.var))


def _read_env_file(path: Path) -> dict[str, str]:
    try:
        return {name: value for name, value in dotenv_values(path).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path} cannot be read: {error}") from None


def run(settings: Settings, *, debug: bool = False) -> int:
    """Open the shop and stay until SIGTERM or Ctrl-C; gives the exit code. Call it from the main thread."""
    if sys.platform == "linux":
        multiprocessing.set_start_method("fork", force=True)
    if debug and not settings.is_local_development:
        raise StartProblem(
            "--debug is for development on this machine only: SHOP_ENV must be development, HOST and SHOP_URL loopback addresses, and TRUSTED_PROXIES unset.",
        )
    lock = Lock(settings.var)
    try:
        lock.take("./shop run", settings.url)
    except Busy as busy:
        pid, at = busy.holder.pid, f", at {busy.holder.url}" if busy.holder.url else ""
        raise StartProblem(f"{busy.holder.command} is running already on {settings.var} (process {pid}{at}). To stop it: kill {pid}") from None
    database = None if settings.db_host else PrivateDatabase(settings.var, say)
    counts.forget(settings.var)
    shutil.rmtree(settings.var / "tmp", ignore_errors=True)
    _allow_many_connections()
    try:
        listeners = _listen(settings, 1 if debug else _workers(settings))
        prepare(settings, database)
        return Supervisor(settings, listeners, database, debug, _banner(settings, database)).run()
    finally:
        if database:
            database.stop()
        lock.release()


def _allow_many_connections() -> None:
    """Raise the limit on open files, often 1024, as far as an ordinary user may."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def prepare(settings: Settings, database: PrivateDatabase | None) -> None:
    """Bring up the database, its tables and, in a fresh shop, its first values and goods."""
    if database:
        database.launch()
    else:
        prepare_server(settings)
    _import_everything()
    if database:
        database.wait()
    fresh = migrations.migrate(address_of(settings, owner=True), say)
    fill = settings.var / "fill"
    if fresh and (settings.demo or (settings.demo is None and database)):
        # Kept until the goods are there, in case this is killed on the way.
        fill.touch()
    with opened(settings):
        from .services import settings as choices

        choices.take_first_values(settings)
        if fill.exists():
            seed(settings)
            fill.unlink()


def _import_everything() -> None:
    """The database comes up meanwhile, and the children, which are forks, share the memory of what is imported and made here."""
    gc.disable()
    for package in ("routes", "services"):
        for module in pkgutil.iter_modules([str(Path(__file__).parent / package)]):
            importlib.import_module(f"{__package__}.{package}.{module.name}")
    importlib.import_module(f"{__package__}.pages").site()
    gc.freeze()
    gc.enable()


def seed(settings: Settings) -> bool:
    """Load the demo catalogue unless the shop has goods already; needs an open database."""
    from .services import catalogue, demo

    if catalogue.list_products(catalogue.Wish(limit=1), settings.currency)["total"]:
        return False
    demo.load(settings.var / "uploads", say)
    return True


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[None]:
    """The services' database, for this process and this block."""
    db.open(address_of(settings), size=2)
    try:
        yield
    finally:
        db.close()


def _stored_secret_key(var: Path) -> str:
    """Return the secret key of the data folder, created at the first start."""
    path = var / "secret_key"
    if not path.exists():
        draft = var / f"secret_key.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32))
        # The first of several that start at once wins; a link never replaces.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    try:
        return validate_secret_key(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        sentence = f"SECRET_KEY is not set, and {path} does not hold a secret key."
        raise BadSetting(f"{sentence} Restore that file, or set SECRET_KEY.") from None


def _workers(settings: Settings) -> int:
    # Granian serves with one worker on Windows.
    return 1 if sys.platform == "win32" else settings.workers or os.cpu_count() or 1


def _listen(settings: Settings, workers: int) -> list[socket.socket]:
    """A listening socket for each worker. They are made here and stay here, so that what waits in the queue of a worker that goes is its successor's.

    On Linux the kernel spreads connections over sockets that share a port, which a single shared one would not; elsewhere they are one.
    """
    try:
        family, _, _, _, where = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        if sys.platform != "linux":
            return [_bound(family, where)] * workers
        # Sockets that share a port would share it with another shop too; one that does not tells whether the port is free.
        _bound(family, where).close()
        return [_bound(family, where, shared=True) for _ in range(workers)]
    except (socket.gaierror, ValueError):
        # Not every text can be asked for: ValueError is that of a name that is too long.
        raise StartProblem(f"HOST is {settings.host}, which is no address.") from None
    except OSError as error:
        sentences = {
            errno.EADDRINUSE: f"Port {settings.port} is taken by another program. Choose another one: PORT={settings.port + 1} ./shop run",
            errno.EADDRNOTAVAIL: f"HOST is {settings.host}, which is no address of this machine.",
            errno.EACCES: f"Port {settings.port} is not open to ordinary users. Choose one above 1023.",
        }
        raise StartProblem(sentences.get(error.errno or 0, f"The shop cannot listen at {settings.host}:{settings.port}: {error}")) from None


def _bound(family: socket.AddressFamily, where: Any, *, shared: bool = False) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # Connections inherit it. Without it the end of an answer may wait 40 ms for the client to acknowledge the beginning.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if sys.platform == "linux":
        # A connection comes with its request, so that a worker told to go has none that it accepted and never answered.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_ACCEPT)
        # Connections inherit it: a client that reads nothing of its response is disconnected.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_RESPONSE_TIMEOUT_SECONDS * 1000)
    listener.bind(where)
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener


# What runs in the children


def _become_child(new_code: bool) -> None:
    lifeline.bind_this_process()
    signal.set_wakeup_fd(-1)
    # Until the worker has its own, a signal simply ends it; those of the terminal are the supervisor's business.
    for number in (signal.SIGTERM, *((signal.SIGHUP,) if sys.platform != "win32" else ())):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        os.setpgid(0, 0)
    if new_code:
        # A forked child has the supervisor's modules; one that replaces another shall read the files as they are now.
        for name in [name for name in sys.modules if name.partition(".")[0] == "app"]:
            del sys.modules[name]


def _application(new_code: bool, ready: Connection) -> Any:
    """Return a worker's RSGI application."""
    _become_child(new_code)
    settings = importlib.import_module("app.server").read_settings()
    address = importlib.import_module("app.private_database").address_of(settings)
    app = importlib.import_module("app").create_app(settings, address)
    application = importlib.import_module("app.rsgi").RsgiApplication(app, threads=settings.threads)
    importlib.import_module("app.granian_adapter").dispatch_at_once()
    ready.send_bytes(b"ready")
    return application


def _job_worker(new_code: bool, ready: Connection) -> None:
    _become_child(new_code)
    # Shoppers come first.
    if sys.platform != "win32":
        os.nice(JOB_NICENESS)
    ready.send_bytes(b"ready")
    importlib.import_module("app.server").work()


def work() -> None:
    """Do background jobs until SIGTERM or Ctrl-C; what is under way is finished."""
    from . import security
    from .logs import start_logging
    from .services import bell, discovery, jobs, payments, search_index, trends

    settings = read_settings()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: stop.set())
    start_logging(settings)
    security.use_key(settings.secret_key)
    db.open(address_of(settings), size=JOB_CONNECTIONS)
    bell.use(settings.var)
    counts.use(settings.var)
    discovery.use(settings.var / "search")
    payments.use(settings)
    # No job: jobs run on one machine of a cluster, but each machine has its own index, and its own list of searches.
    also = partial(trends.collect, settings.var / "search")
    keeper = threading.Thread(target=search_index.keep, args=(settings.var / "search", stop, also), name="search index")
    keeper.start()
    try:
        jobs.run_forever(settings, stop)
    finally:
        stop.set()
        keeper.join()
        db.close()


# What runs in the supervisor


@dataclass
class Child:
    """One place in the supervisor's table, and the process that fills it now."""

    name: str
    make: Callable[[bool, Connection], BaseProcess]
    process: BaseProcess | None = None
    ready: Connection | None = None
    serving: bool = False
    started: float = 0.0
    failures: int = 0
    restart_at: float = 0.0

    def start(self, *, new_code: bool = False) -> None:
        self.ready, announce = multiprocessing.Pipe(duplex=False)
        self.process = self.make(new_code, announce)
        self.process.start()
        announce.close()
        self.serving, self.started = False, time.monotonic()

    def note_ready(self) -> None:
        if self.ready and not self.serving and self.ready.poll():
            self.serving = True
            self.ready.close()
            self.ready = None

    def waitables(self) -> list[Any]:
        return [thing for thing in (self.process and self.process.sentinel, self.ready) if thing is not None]


@dataclass
class Supervisor:
    """Keeps the children alive, replaces them on SIGHUP, and ends them before itself.

    It has one thread and makes every child from it: on Linux a child ends with the thread that made it.
    """

    settings: Settings
    listeners: list[socket.socket]
    database: PrivateDatabase | None
    debug: bool
    banner: list[str]
    children: list[Child] = field(default_factory=list)
    leaving: list[tuple[BaseProcess, float]] = field(default_factory=list)
    stopping: bool = False
    reloading: bool = False
    opened: bool = False

    def __post_init__(self) -> None:
        self.web = [Child(f"web worker {number}", partial(self._make_web_worker, listener)) for number, listener in enumerate(self.listeners, 1)]
        self.children = [*self.web, Child("job worker", self._make_job_worker)]
        self.database_retry = 0.0
        self.at_terminal = sys.stdin is not None and sys.stdin.isatty()

    def run(self) -> int:
        wake, wakened = socket.socketpair()
        for end in (wake, wakened):
            end.setblocking(False)
        signal.set_wakeup_fd(wakened.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        if sys.platform != "win32":
            signal.signal(signal.SIGHUP, self._on_hangup)
        watched = _Files() if self.debug else None
        gc.collect()
        gc.freeze()
        try:
            for child in self.children:
                child.start()
            while not self.stopping:
                wait([wake, *(thing for child in self.children for thing in child.waitables())], TICK)
                with contextlib.suppress(BlockingIOError):
                    wake.recv(4096)
                self._tend()
                if self.reloading or (watched and watched.changed()):
                    self.reloading = False
                    self._replace_all()
            return 0
        finally:
            signal.set_wakeup_fd(-1)
            self._end_all()

    def _on_stop(self, *_: Any) -> None:
        self.stopping = True

    def _on_hangup(self, *_: Any) -> None:
        # A terminal that is closed says the same as somebody who wants new workers; only the first leaves no terminal.
        if self.at_terminal and not _has_terminal():
            self.stopping = True
        self.reloading = True

    def _make_web_worker(self, listener: socket.socket, new_code: bool, announce: Connection) -> BaseProcess:
        granian = _granian(listener)
        worker = granian._spawn_worker(0, granian._spawn_rsgi_worker, partial(_application, new_code, announce))
        return cast(BaseProcess, worker.inner)

    def _make_job_worker(self, new_code: bool, announce: Connection) -> BaseProcess:
        return multiprocessing.Process(target=_job_worker, args=(new_code, announce), name="job-worker")

    def _tend(self) -> None:
        for child in self.children:
            child.note_ready()
            if child.process and not child.process.is_alive():
                self._note_death(child)
            if child.process is None and time.monotonic() >= child.restart_at and not self.stopping:
                child.start(new_code=self.opened)
        if not self.opened and any(child.serving for child in self.web):
            self.opened = True
            for line in self.banner:
                say(line)
        self._tend_database()
        self._see_off(time.monotonic())

    def _note_death(self, child: Child) -> None:
        code = child.process.exitcode if child.process else None
        child.process, child.ready = None, None
        if not self.opened and not self.debug and child in self.web:
            raise StartProblem("The shop could not open; the lines above say why.")
        child.failures = 1 if time.monotonic() - child.started > SETTLED else child.failures + 1
        pause = 0.0 if child.failures == 1 else min(0.25 * 2**child.failures, SLOWEST_RESTART)
        child.restart_at = time.monotonic() + pause
        say(f"The {child.name} ended unexpectedly ({_how(code)}); another takes its place")

    def _tend_database(self) -> None:
        if self.database is None or self.database.running() or time.monotonic() < self.database_retry:
            return
        say("The database ended unexpectedly; starting it again")
        self.database_retry = time.monotonic() + 2
        try:
            self.database.stop()
            # It is not waited for: whoever needs it is told to come back until it has recovered.
            self.database.launch()
        except (DatabaseProblem, OSError) as problem:
            say(str(problem))

    def _replace_all(self) -> None:
        """One after the other, each only when its successor serves."""
        say("Replacing the workers")
        for child in self.children:
            successor = replace(child, failures=0)
            successor.start(new_code=True)
            deadline = time.monotonic() + START_TIMEOUT
            while not successor.serving and not self.stopping and time.monotonic() < deadline and successor.process and successor.process.is_alive():
                wait(successor.waitables(), TICK)
                successor.note_ready()
            former, replacement = child.process, successor.process
            if successor.serving:
                child.process, child.ready, child.serving, child.started, child.failures = replacement, None, True, successor.started, 0
                self._dismiss(former)
            else:
                self._dismiss(replacement)
                say(f"The new {child.name} does not start; the former one stays")
                return

    def _dismiss(self, process: BaseProcess | None) -> None:
        if process and process.is_alive():
            process.terminate()
            self.leaving.append((process, time.monotonic() + DRAIN))

    def _see_off(self, now: float) -> None:
        for process, deadline in self.leaving:
            if now >= deadline:
                process.kill()
        self.leaving = [(process, deadline) for process, deadline in self.leaving if process.is_alive()]

    def _end_all(self) -> None:
        """Requests in flight and the job at hand are finished first; the database is still there meanwhile."""
        for listener in self.listeners:
            listener.close()
        for child in self.children:
            self._dismiss(child.process)
        while self.leaving:
            wait([process.sentinel for process, _ in self.leaving], TICK)
            self._see_off(time.monotonic())


def _granian(listener: socket.socket) -> Any:
    """Granian as a maker of worker processes. Its own supervisor is not used.

    That one lets each worker bind its own socket on Linux, so that connections in the queue of a leaving worker are reset, and
    it gives up when a worker crashes twice in five seconds. So a worker is handed its listening socket here.
    """
    granian: Any = Granian(
        "app",
        interface=Interfaces.RSGI,
        loop=Loops.auto,
        task_impl=TaskImpl.rust,
        blocking_threads=1,
        backlog=BACKLOG,
        backpressure=BACKLOG,
        runtime_mode=RuntimeModes.st,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=15_000),
        websockets=False,
        log_level=LogLevels.error,
    )
    holder: Any = SocketHolder
    granian._ssp, granian._shd, granian._sso = None, holder(listener.fileno(), False, BACKLOG), listener
    return granian


def _banner(settings: Settings, database: PrivateDatabase | None) -> list[str]:
    """What is said once the shop is open."""
    from . import security
    from .services import settings as choices

    security.use_key(settings.secret_key)
    with opened(settings):
        name, setup = choices.public()["name"], choices.setup_needed()
    facts = {}
    if setup:
        facts["Make it yours"] = f"{settings.url}/setup?token={choices.setup_token(settings.var)}"
    if database:
        facts["Data"] = f"{settings.var} (database, pictures, logs)"
    else:
        transport = " over verified TLS" if settings.db_tls == "verify" else ""
        facts["Data"] = f"{settings.db_name} on {settings.db_host}{transport}; pictures and logs in {settings.var}"
    read_at = f", to be read at {settings.url}/dev/mail" if settings.development_mailbox else ""
    facts["Mails"] = f"sent through {settings.mail_host}" if settings.mail_host else f"{settings.var / 'mail'}{read_at}"
    facts["To stop"] = f"Ctrl-C, or kill {os.getpid()}"
    return ["", f"  {name} is open:  {settings.url}", "", *(f"  {f'{title}:':<15} {fact}" for title, fact in facts.items()), ""]


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


def _has_terminal() -> bool:
    try:
        os.tcgetpgrp(0)
    except OSError:
        return False
    return True


class _Files:
    """Tells when a file that the workers read at their start has changed."""

    FOLDERS = ("backend/app", "database/queries", "frontend")

    def __init__(self) -> None:
        self._seen = self._look()
        self._next = 0.0

    def changed(self) -> bool:
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + 2 * TICK
        now = self._look()
        changed, self._seen = now != self._seen, now
        return changed

    def _look(self) -> frozenset[tuple[str, int]]:
        paths = [Path(folder) / name for top in self.FOLDERS for folder, _, names in os.walk(ROOT / top) for name in names]
        return frozenset((str(path), _changed_at(path)) for path in paths if path.suffix != ".pyc")


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
