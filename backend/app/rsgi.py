"""The application as Granian runs it: an RSGI application around the WSGI app.

Cached responses and /livez are sent without a worker thread, so both are available even when every
thread is busy. Other requests without a body go straight to a worker thread. A body is received on
the event loop first, under a deadline: a client that sends or reads slowly occupies a connection and
nothing else (OWASP ASVS 5.0 V15.2).
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from granian.rsgi import Scope
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import FileWrapper

from . import http
from .errors import BadRequest, RequestTimeout, ShopError, TooLarge, Unavailable
from .fields import Body
from .logs import new_request_id
from .ready import Answer, ReadyMade, render
from .request_bodies import RequestBodies, body_length, discard
from .services import catalogue
from .worker_threads import QueueFull, WorkerThreads

log = logging.getLogger("shop.http")

MAX_QUEUED_REQUESTS = 1000
MAX_BYTES_IN_MEMORY = 256 * 1024  # of a response; a longer one is sent from a file
FILE_RETENTION_SECONDS = 60.0  # the server opens a response's file at once, but does not say when
ENVIRON_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}

Environ = dict[str, Any]
Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Response:
    """A response of the WSGI app. Its content is in memory, or in a file if it is long."""

    status: int
    headers: Headers
    content: bytes = b""
    file: Path | None = None
    is_temporary: bool = False


class UploadRefused(Exception):
    """The sender of a large upload is not allowed to send it; `response` says why."""

    def __init__(self, response: Response) -> None:
        self.response = response


class RsgiApplication:
    """Serves the WSGI app with `threads` worker threads. One instance per worker process."""

    def __init__(self, app: Flask, *, threads: int) -> None:
        settings = app.config["SHOP"]
        self._app = app
        self._thread_count = threads
        self._cache = ReadyMade(app)
        self._folder = settings.var / "tmp"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._bodies = RequestBodies(self._folder)
        self._fixed_headers = list(http.fixed_headers(settings).items())

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._threads = WorkerThreads(loop, self._thread_count, MAX_QUEUED_REQUESTS)
        self._version = CatalogVersion(loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._threads.stop()

    def handle_at_once(self, scope: Scope, proto: Any, done: Callable[[], None]) -> bool:
        """Handle a request without the event loop, unless there is something to wait for.

        A request without a body goes straight to a worker thread; the way over the event loop would
        cost a tenth of a list that is not cached. Must not block. Returns whether the request is
        taken; `done()` is called when its response is sent.
        """
        began = time.perf_counter()
        headers = scope.headers
        if has_body(headers) or not has_one_host(scope, headers):
            return False
        cached = None
        if scope.method == "GET":
            if scope.path == "/livez":
                self._send_alive(proto, began)
                done()
                return True
            cached = self._cache.find(scope.path, scope.query_string)
        if cached is None or not is_cacheable(headers):
            return self._threads.start(self._handle, scope, proto, done, began)
        if self._version.recent() != cached.version:
            return False
        self._send_cached(cached, scope, headers, proto, began)
        done()
        return True

    def _handle(self, scope: Scope, proto: Any, done: Callable[[], None], began: float) -> None:
        """Handle a request without a body, in a worker thread."""
        try:
            self._send(proto, self._respond(build_environ(scope, scope.headers.items())))
        except ShopError as error:
            self._send_error(scope, proto, error, began)
        except Exception:
            log.exception("unexpected error in the server")
            self._send_error(scope, proto, ShopError("Something went wrong on our side."), began)
        finally:
            done()

    async def __rsgi__(self, scope: Scope, proto: Any) -> None:
        """Handle a request on the event loop: any, but handle_at_once() takes most of them."""
        began = time.perf_counter()
        headers = scope.headers
        try:
            if scope.method == "GET":
                if scope.path == "/livez":
                    self._send_alive(proto, began)
                    return
                cached = self._cache.find(scope.path, scope.query_string)
                if cached and is_cacheable(headers):
                    version = self._version.recent() or await self._version.look_up()
                    if version == cached.version:
                        self._send_cached(cached, scope, headers, proto, began)
                        return
            environ = build_environ(scope, headers.items())
            if has_body(headers) or not has_one_host(scope, headers):
                # Timeouts work in tasks only, which most requests need not pay for.
                await self._loop.create_task(self._receive_and_call(environ, scope, proto))
            else:
                self._send(proto, await self._call(environ))
        except ShopError as error:
            self._send_error(scope, proto, error, began)
        except Exception:
            log.exception("unexpected error in the server")
            self._send_error(scope, proto, ShopError("Something went wrong on our side."), began)

    # ------------------------------------------------------------ sent without a worker thread

    def _send_cached(self, cached: Answer, scope: Scope, headers: Any, proto: Any, began: float) -> None:
        if cached.search:
            self._threads.start(self._count_search, cached, scope)
        etags = headers.get("if-none-match", "")
        status, sent, content = render(cached, etags, scope.path, began)
        if content:
            proto.response_bytes(status, sent, content)
        else:
            proto.response_empty(status, sent)

    def _count_search(self, cached: Answer, scope: Scope) -> None:
        environ = build_environ(scope, scope.headers.items())
        self._cache.count_search(cached, environ, environ.get("HTTP_USER_AGENT", ""))

    def _send_alive(self, proto: Any, began: float) -> None:
        request_id = new_request_id()
        sent = [*self._fixed_headers, ("Cache-Control", "no-store"), ("X-Request-Id", request_id)]
        sent.append(("Content-Type", "application/json"))
        proto.response_bytes(200, sent, b'{"status":"alive"}')
        http.note_request(request_id, "GET", "/livez", "/livez", 200, began)

    def _send_error(self, scope: Scope, proto: Any, error: ShopError, began: float) -> None:
        """Send an error without the WSGI app, which cannot answer."""
        request_id = new_request_id()
        sent = [*self._fixed_headers, ("Cache-Control", "no-store"), ("X-Request-Id", request_id)]
        sent += [("Content-Type", "application/problem+json"), ("Connection", "close")]
        if error.retry_after is not None:
            sent.append(("Retry-After", str(error.retry_after)))
        proto.response_bytes(error.status, sent, http.problem_content(error, request_id))
        http.note_request(request_id, scope.method, "", "none", error.status, began)

    # ------------------------------------------------------------ answered by the WSGI app

    async def _receive_and_call(self, environ: Environ, scope: Scope, proto: Any) -> None:
        timed_out = False
        try:
            if not has_one_host(scope, scope.headers):
                raise BadRequest("The request must have exactly one Host header.")
            length = body_length(scope.headers)
            await self._check_upload(environ, length)
            async with self._bodies.receive(proto, length) as body:
                environ["wsgi.input"] = body
                response = await self._call(environ)
            self._send(proto, response)
            return
        except UploadRefused as refused:
            response = refused.response
        except ShopError as error:
            # The WSGI app reports it, so that it looks, is logged and is counted like any other.
            timed_out = isinstance(error, RequestTimeout)
            response = await self._call(environ | {http.ERROR: error, "wsgi.input": io.BytesIO()})
        response.headers.append(("Connection", "close"))
        self._send(proto, response)
        # A client that asked whether to continue has its answer and sends nothing.
        if not timed_out and "HTTP_EXPECT" not in environ:
            await discard(proto)

    async def _check_upload(self, environ: Environ, length: int) -> None:
        """Raise TooLarge for a body that is too long, UploadRefused for a long one not allowed."""
        if length <= Body.most_bytes:
            return
        endpoint = self._find_endpoint(environ["PATH_INFO"], environ["REQUEST_METHOD"])
        max_bytes = endpoint.max_body_bytes if endpoint else http.MAX_REQUEST_BYTES
        if length > max_bytes:
            raise TooLarge.above(max_bytes)
        if length > http.MAX_REQUEST_BYTES:
            # Only users who may upload a large file may make the server store it.
            checked = environ | {http.AUTHORIZE_ONLY: True, "wsgi.input": io.BytesIO()}
            response = await self._call(checked)
            if response.status >= 400:
                raise UploadRefused(response)

    def _find_endpoint(self, path: str, method: str) -> http.Endpoint | None:
        try:
            name, _ = self._app.url_map.bind("localhost").match(path, method)
        except HTTPException:
            return None
        return getattr(self._app.view_functions[name], "endpoint", None)

    async def _call(self, environ: Environ) -> Response:
        try:
            return await self._threads.run(self._respond, environ)
        except QueueFull:
            raise Unavailable() from None

    def _respond(self, environ: Environ) -> Response:
        """Call the WSGI app, in a worker thread, and read its whole response.

        A response that is cut off cannot be told from a complete one unless its length is known,
        so a long one is completed in a file before it is sent.
        """
        response = Response(500, [])

        def start_response(status: str, headers: Headers, exc_info: Any = None) -> Any:
            response.status, response.headers = int(status[:3]), list(headers)

        # A stored response says nothing about an error, or about who may upload.
        is_check = http.ERROR in environ or http.AUTHORIZE_ONLY in environ
        pieces: Any = (self._app if is_check else self._cache)(environ, start_response)
        try:
            if isinstance(pieces, FileWrapper):
                response.file = Path(pieces.file.name)
            else:
                self._read(response, iter(pieces))
        except OSError as error:
            raise Unavailable() from error
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
        return response

    def _read(self, response: Response, pieces: Iterator[bytes]) -> None:
        read: list[bytes] = []
        size = 0
        for piece in pieces:
            read.append(piece)
            size += len(piece)
            if size > MAX_BYTES_IN_MEMORY:
                break
        if size <= MAX_BYTES_IN_MEMORY:
            response.content = b"".join(read)
            return
        file = tempfile.NamedTemporaryFile(dir=self._folder, delete=False)  # noqa: SIM115
        response.file, response.is_temporary = Path(file.name), True
        try:
            with file:
                file.writelines(read)
                file.writelines(pieces)
                size = file.tell()
        except BaseException:
            response.file.unlink(missing_ok=True)
            raise
        response.headers = [(name, value) for name, value in response.headers if name.lower() != "content-length"]
        response.headers.append(("Content-Length", str(size)))

    def _send(self, proto: Any, response: Response) -> None:
        if response.file:
            proto.response_file(response.status, response.headers, str(response.file))
            if response.is_temporary:
                self._loop.call_soon_threadsafe(self._loop.call_later, FILE_RETENTION_SECONDS, _delete, response.file)
        elif response.content:
            proto.response_bytes(response.status, response.headers, response.content)
        else:
            proto.response_empty(response.status, response.headers)


class CatalogVersion:
    """The version of the catalog, looked up by a thread of its own.

    The event loop never waits for the database, and worker threads that are all busy do not keep
    cached responses from being sent.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._requested = threading.Event()
        self._waiting: list[asyncio.Future[None]] = []
        threading.Thread(target=self._look_up, name="catalog version", daemon=True).start()

    def recent(self) -> Any:
        """Return the version as seen a moment ago, or None if that is too long ago."""
        version, is_due = catalogue.recent_version()
        if is_due:
            self._requested.set()
        return version

    async def look_up(self) -> Any:
        """Return the version as of now, or None when the database is unavailable."""
        future = self._loop.create_future()
        self._waiting.append(future)
        self._requested.set()
        await future
        return catalogue.recent_version()[0]

    def _look_up(self) -> None:
        while self._requested.wait():
            self._requested.clear()
            try:
                catalogue.known_version()
            except Exception:
                log.exception("the catalog version could not be looked up")
            try:
                self._loop.call_soon_threadsafe(self._notify)
            except RuntimeError:
                # The loop is closed: the process is ending.
                return

    def _notify(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            future.set_result(None)


def is_cacheable(headers: Any) -> bool:
    """Return whether a GET request with these headers gets the same response as any other."""
    return not ("authorization" in headers or "origin" in headers or has_body(headers) or len(headers.get_all("host")) != 1)


def has_body(headers: Any) -> bool:
    return "content-length" in headers or "transfer-encoding" in headers


def has_one_host(scope: Scope, headers: Any) -> bool:
    """Return whether a request names its host as RFC 9112 3.2 demands."""
    hosts = len(headers.get_all("host"))
    return hosts == 1 or (hosts == 0 and scope.http_version != "1.1")


def build_environ(scope: Scope, headers: Headers) -> Environ:
    """Return the WSGI environment of a request (PEP 3333), without its body.

    Header names with an underscore are dropped: in WSGI they could not be told from the names with
    a dash that a proxy sets, such as X-Forwarded-For.
    """
    host, _, port = scope.server.rpartition(":")
    environ: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": _to_latin1(scope.path),
        "QUERY_STRING": _to_latin1(scope.query_string),
        # Granian calls HTTP/1.0 "1".
        "SERVER_PROTOCOL": "HTTP/1.1" if scope.http_version == "1.1" else "HTTP/1.0",
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "REMOTE_ADDR": _address_of(scope.client),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    for name, value in headers:
        if "_" in name:
            continue
        key = ENVIRON_NAMES.get(name) or f"HTTP_{name.upper().replace('-', '_')}"
        if key in environ:
            value = f"{environ[key]}{'; ' if name == 'cookie' else ','}{value}"
        environ[key] = value
    if scope.authority:
        # The host in the request line counts, not that in the header (RFC 9112 3.2.2).
        environ["HTTP_HOST"] = scope.authority
    return environ


def _to_latin1(text: str) -> str:
    """Return text as WSGI wants it: each byte of its UTF-8 form as one character."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


def _address_of(client: str) -> str:
    """Return the IP address in `address:port` or `[address]:port`."""
    return client.rpartition(":")[0].strip("[]")


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
