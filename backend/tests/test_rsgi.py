"""The RSGI application with the server replaced: what reaches the WSGI app and what is sent back."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import factories
import pytest
from factories import User
from flask import Flask
from granian._granian import RSGIProtocolClosed as ProtocolClosed

from app import request_bodies, rsgi
from app.rsgi import RsgiApplication, build_environ
from app.services import catalogue, imports

LIST = "/api/v1/products"
CHUNK_BYTES = 64 * 1024


class Headers:
    """Granian's request headers."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self._pairs = list(pairs)

    def __contains__(self, name: str) -> bool:
        return any(name == one for one, _ in self._pairs)

    def get(self, name: str, default: Any = None) -> Any:
        return next((value for one, value in self._pairs if one == name), default)

    def get_all(self, name: str) -> list[str]:
        return [value for one, value in self._pairs if one == name]

    def items(self) -> list[tuple[str, str]]:
        return list(self._pairs)


class Connection:
    """Granian's protocol object: a body to read, in `chunks`, and the response that was sent.

    `pause` is awaited before each chunk; the connection ends before the body does if it is cut.
    """

    def __init__(self, *chunks: bytes, pause: float = 0.0, is_cut: bool = False) -> None:
        self._chunks, self._pause, self._is_cut = list(chunks), pause, is_cut
        self.status = 0
        self.headers: dict[str, str] = {}
        self.content = b""
        self.chunks_read = 0

    async def __call__(self) -> bytes:
        read = [chunk async for chunk in self]
        if self._is_cut:
            raise ProtocolClosed
        return b"".join(read)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            await asyncio.sleep(self._pause)
            self.chunks_read += 1
            yield chunk

    def response_bytes(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        assert self.status == 0, "one response for each request"
        self.status, self.content = status, content
        self.headers = {name.lower(): value for name, value in headers}

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.response_bytes(status, headers, b"")

    def response_file(self, status: int, headers: list[tuple[str, str]], path: str) -> None:
        self.response_bytes(status, headers, Path(path).read_bytes())

    @property
    def json(self) -> Any:
        return json.loads(self.content)


def scope(method: str, target: str, *headers: tuple[str, str], version: str = "1.1") -> Any:
    path, _, query = target.partition("?")
    return SimpleNamespace(
        method=method, path=path, query_string=query, http_version=version, scheme="http",
        server="127.0.0.1:5000", client="203.0.113.9:1234", authority=None,
        headers=Headers(*headers),
    )  # fmt: skip


class Worker:
    """Runs requests through an RSGI application as a worker process does."""

    def __init__(self, app: Flask) -> None:
        self.application = RsgiApplication(app, threads=2)
        self._loop = asyncio.new_event_loop()
        self.application.__rsgi_init__(self._loop)

    def send(self, method: str, target: str, *headers: tuple[str, str], connection: Connection | None = None, version: str = "1.1") -> Connection:
        if not any(name == "host" for name, _ in headers):
            headers = (("host", "localhost"), *headers)
        return self.send_raw(scope(method, target, *headers, version=version), connection)

    def send_raw(self, request: Any, connection: Connection | None = None) -> Connection:
        connection = connection or Connection()
        self._loop.run_until_complete(self.application.__rsgi__(request, connection))
        return connection

    def run(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        self.application.__rsgi_del__(self._loop)
        self._loop.close()


@pytest.fixture
def worker(shop: Flask) -> Iterator[Worker]:
    started = Worker(shop)
    yield started
    started.close()


def json_body(content: bytes, length: int | None = None) -> tuple[tuple[str, str], ...]:
    return ("content-type", "application/json"), ("content-length", str(length or len(content)))


# ---------------------------------------------------------------- bodies


def test_a_body_reaches_the_application(worker: Worker) -> None:
    content = b'{"email": "nobody@example.com"}'
    sent = worker.send("POST", "/api/v1/auth/forgot", *json_body(content), connection=Connection(content))
    assert sent.status == 202
    assert sent.json["challenge"]


@pytest.mark.parametrize("length", [1000, 200_000])
def test_a_body_that_does_not_arrive_in_time_is_408(worker: Worker, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(request_bodies, "GRACE_SECONDS", 0.05)
    connection = Connection(b"{", b" " * (length - 1), pause=0.5)
    target = "/api/v1/auth/forgot" if length == 1000 else "/api/v1/attachments"
    sent = worker.send("POST", target, *json_body(b"", length), connection=connection)
    assert sent.status == 408
    assert sent.headers["connection"] == "close"
    assert sent.json["code"] == "request_timeout"
    assert sent.headers["content-security-policy"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
def test_a_body_is_awaited_whatever_the_method(worker: Worker, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.setattr(request_bodies, "GRACE_SECONDS", 0.05)
    worker.send("GET", LIST)
    sent = worker.send(method, LIST, ("content-length", "10"), connection=Connection(b"x", pause=0.5))
    assert sent.status == 408


def test_a_slow_body_that_keeps_the_minimum_rate_is_received(worker: Worker, monkeypatch: pytest.MonkeyPatch, alice: User) -> None:
    monkeypatch.setattr(request_bodies, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(request_bodies, "MIN_BYTES_PER_SECOND", 200_000)
    chunks = [bytes(CHUNK_BYTES)] * 20
    headers = (("cookie", f"session={factories.cookie_of(alice)}"), ("content-type", "image/png"), ("content-length", str(20 * CHUNK_BYTES)))
    connection = Connection(*chunks, pause=0.02)
    sent = worker.send("PUT", "/api/v1/me/avatar", *headers, connection=connection)
    assert connection.chunks_read == 20
    # The file arrived whole: it is refused for what it is.
    assert sent.status == 415


@pytest.mark.parametrize("length", [1000, 200_000])
def test_a_body_that_is_cut_off_is_400(worker: Worker, length: int) -> None:
    connection = Connection(b"x", is_cut=True)
    target = "/api/v1/auth/forgot" if length == 1000 else "/api/v1/attachments"
    sent = worker.send("POST", target, *json_body(b"", length), connection=connection)
    assert sent.status == 400


def test_a_body_of_unknown_length_is_411(worker: Worker) -> None:
    headers = (("content-type", "application/json"), ("transfer-encoding", "chunked"))
    sent = worker.send("POST", "/api/v1/auth/forgot", *headers, connection=Connection(b"{}"))
    assert sent.status == 411
    assert sent.json["code"] == "length_required"


@pytest.mark.parametrize(
    ("target", "length"),
    [("/api/v1/auth/forgot", 65_537), ("/api/v1/me/avatar", 6 * 1024**2 + 1), ("/none", 6 * 1024**2 + 1), ("/api/v1/admin/imports", imports.MOST_BYTES + 1)],
)
def test_a_body_over_the_limit_is_413_before_it_is_received_and_then_discarded(worker: Worker, target: str, length: int) -> None:
    connection = Connection(*[b"x"] * 7)
    sent = worker.send("POST", target, ("content-length", str(length)), connection=connection)
    assert sent.status == 413
    assert sent.headers["connection"] == "close"
    # A client that is still sending could not read the response if the connection was closed.
    assert connection.chunks_read == 7


def test_a_client_that_asks_whether_to_continue_is_not_waited_for(worker: Worker) -> None:
    connection = Connection(b"x")
    headers = (("content-length", "70000"), ("expect", "100-continue"))
    assert worker.send("POST", "/api/v1/auth/forgot", *headers, connection=connection).status == 413
    assert connection.chunks_read == 0


def test_a_large_upload_is_received_only_from_those_who_may_send_it(worker: Worker, alice: User, ada: User) -> None:
    length = 7 * 1024**2
    for user, status in ((None, 401), (alice, 403)):
        cookie = (("cookie", f"session={factories.cookie_of(user)}"),) if user else ()
        headers = (("content-type", "text/csv"), ("content-length", str(length)), *cookie)
        sent = worker.send("POST", "/api/v1/admin/imports", *headers, connection=Connection(b"x"))
        assert sent.status == status
    content = b"handle,title,price\n" + b"," * (length - 19)
    headers = (("content-type", "text/csv"), ("content-length", str(length)), ("cookie", f"session={factories.cookie_of(ada)}"))
    chunks = [content[start : start + CHUNK_BYTES] for start in range(0, length, CHUNK_BYTES)]
    sent = worker.send("POST", "/api/v1/admin/imports", *headers, connection=Connection(*chunks))
    assert sent.status == 201


def test_uploads_beyond_the_workers_room_are_503(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_bodies, "MAX_BYTES_SPOOLED", 100_000)
    headers = (("content-type", "image/png"), ("content-length", "100001"))
    sent = worker.send("POST", "/api/v1/attachments", *headers, connection=Connection(b"x"))
    assert sent.status == 503
    assert sent.headers["retry-after"] == "30"
    monkeypatch.setattr(request_bodies, "MAX_BYTES_SPOOLED", 100_001)
    headers = (("content-type", "image/png"), ("content-length", "100001"))
    sent = worker.send("POST", "/api/v1/attachments", *headers, connection=Connection(bytes(100_001)))
    assert sent.status == 415


# ---------------------------------------------------------------- headers


@pytest.mark.parametrize("target", ["/livez-not", LIST, "/"])
def test_a_request_names_its_host_exactly_once(worker: Worker, target: str) -> None:
    worker.send("GET", target)
    two = worker.send_raw(scope("GET", target, ("host", "a"), ("host", "b")))
    none = worker.send_raw(scope("GET", target))
    assert two.status == 400
    assert two.json["code"] == "bad_request"
    assert none.status == 400
    assert worker.send_raw(scope("GET", "/robots.txt", version="1")).status == 200


def test_header_names_with_an_underscore_never_reach_the_application() -> None:
    headers = (("x_forwarded_for", "198.51.100.1"), ("host", "a"), ("x-forwarded-for", "198.51.100.2"), ("cookie_", "session=x"))
    environ = build_environ(scope("GET", "/", *headers), list(headers))
    assert environ["HTTP_X_FORWARDED_FOR"] == "198.51.100.2"
    assert "HTTP_COOKIE_" not in environ


def test_repeated_headers_are_joined() -> None:
    headers = [("x-forwarded-for", "198.51.100.1"), ("cookie", "a=1"), ("x-forwarded-for", "198.51.100.2"), ("cookie", "b=2")]
    environ = build_environ(scope("GET", "/"), headers)
    assert environ["HTTP_X_FORWARDED_FOR"] == "198.51.100.1,198.51.100.2"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"


def test_the_environment_is_that_of_wsgi() -> None:
    request = scope("GET", "/käse?q=1", ("host", "a"), ("content-type", "text/plain"))
    environ = build_environ(request, request.headers.items())
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/käse"
    assert environ["QUERY_STRING"] == "q=1"
    assert environ["REMOTE_ADDR"] == "203.0.113.9"
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    request.client, request.authority = "[2001:db8::1]:80", "other.example"
    environ = build_environ(request, request.headers.items())
    assert environ["REMOTE_ADDR"] == "2001:db8::1"
    # The host in the request line counts (RFC 9112 3.2.2).
    assert environ["HTTP_HOST"] == "other.example"


# ---------------------------------------------------------------- the event loop and the threads


def test_liveness_and_cached_responses_need_no_worker_thread(worker: Worker) -> None:
    first = worker.send("GET", LIST)
    release = threading.Event()

    async def busy() -> tuple[Connection, Connection, Connection]:
        # More than there are threads.
        waiting = [asyncio.ensure_future(worker.application._threads.run(release.wait)) for _ in range(5)]
        await asyncio.sleep(0)
        alive, cached, unchanged = Connection(), Connection(), Connection()
        await worker.application.__rsgi__(scope("GET", "/livez", ("host", "a")), alive)
        await worker.application.__rsgi__(scope("GET", LIST, ("host", "a")), cached)
        etag = ("if-none-match", first.headers["etag"])
        await worker.application.__rsgi__(scope("GET", LIST, ("host", "a"), etag), unchanged)
        release.set()
        await asyncio.gather(*waiting)
        return alive, cached, unchanged

    alive, cached, unchanged = worker.run(busy())
    assert (alive.status, alive.json) == (200, {"status": "alive"})
    assert (cached.status, cached.content) == (200, first.content)
    assert (unchanged.status, unchanged.content) == (304, b"")
    assert cached.headers | {"x-request-id": ""} == first.headers | {"x-request-id": ""}
    through_wsgi = {name.lower(): value for name, value in worker.application._app.test_client().get("/livez").headers}
    assert alive.headers.keys() >= through_wsgi.keys() - {"content-length"}


@pytest.mark.parametrize("header", [("authorization", "Bearer x"), ("origin", "https://elsewhere.example")])
def test_a_request_that_the_cache_must_not_answer_goes_to_the_application(worker: Worker, header: tuple[str, str]) -> None:
    worker.send("GET", LIST)
    sent = worker.send("GET", LIST, header)
    assert sent.status == (401 if header[0] == "authorization" else 200)


def test_a_changed_catalog_is_seen(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(catalogue, "BELIEVED", 0.0)
    before = worker.send("GET", LIST).json["total"]
    factories.product(title="New lamp")
    assert worker.send("GET", LIST).json["total"] == before + 1


def handle_at_once(worker: Worker, method: str, target: str, *headers: tuple[str, str]) -> tuple[bool, Connection]:
    """Offer a request to the application and wait until it is handled, if it was taken."""
    connection, handled = Connection(), threading.Event()
    request = scope(method, target, ("host", "localhost"), *headers)
    is_taken = worker.application.handle_at_once(request, connection, handled.set)
    assert not is_taken or handled.wait(30)
    return is_taken, connection


@pytest.mark.parametrize("target", ["/livez", LIST, "/api/v1/cart", "/none"])
def test_a_request_without_a_body_is_handled_without_the_event_loop(worker: Worker, target: str) -> None:
    through_loop = worker.send("GET", target)
    is_taken, sent = handle_at_once(worker, "GET", target)
    assert is_taken
    assert sent.status == through_loop.status
    assert sent.headers.keys() == through_loop.headers.keys()


def test_what_has_to_be_waited_for_is_left_to_the_event_loop(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker.send("GET", LIST)
    assert handle_at_once(worker, "GET", LIST, ("content-length", "1"))[0] is False
    assert handle_at_once(worker, "POST", "/api/v1/auth/forgot", ("transfer-encoding", "chunked"))[0] is False
    assert handle_at_once(worker, "GET", LIST, ("host", "another"))[0] is False
    monkeypatch.setattr(catalogue, "BELIEVED", 0.0)
    assert handle_at_once(worker, "GET", LIST)[0] is False
    monkeypatch.setattr(worker.application._threads, "_max_queued", 0)
    assert handle_at_once(worker, "GET", "/api/v1/cart")[0] is False


def test_an_unexpected_error_in_a_worker_thread_is_a_500(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.application, "_cache", BrokenExport())
    is_taken, sent = handle_at_once(worker, "GET", "/api/v1/admin/exports/customers.csv")
    assert is_taken
    assert sent.status == 500


def test_more_requests_than_can_be_queued_are_503(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.application._threads, "_max_queued", 0)
    sent = worker.send("GET", "/api/v1/cart")
    assert sent.status == 503
    assert int(sent.headers["retry-after"]) > 0
    assert sent.headers["x-content-type-options"] == "nosniff"
    assert sent.json["request_id"] == sent.headers["x-request-id"]


def test_a_long_response_is_sent_from_a_file_with_its_length(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = worker.send("GET", "/api/v1/openapi.json")
    monkeypatch.setattr(rsgi, "MAX_BYTES_IN_MEMORY", 1000)
    sent = worker.send("GET", "/api/v1/openapi.json")
    assert sent.content == expected.content
    assert sent.headers["content-length"] == str(len(expected.content))
    assert worker.send("HEAD", "/api/v1/openapi.json").content == b""


class BrokenExport:
    """A response cache in front of an app whose response fails halfway."""

    def find(self, path: str, query: str) -> None:
        return None

    def __call__(self, environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/csv")])
        yield b"x" * 300_000
        raise ValueError("the rest cannot be read")


def test_a_response_that_fails_halfway_is_an_error_and_leaves_no_file(worker: Worker, shop: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shop.config["SHOP"].var / "tmp"
    before = set(folder.iterdir())
    monkeypatch.setattr(worker.application, "_cache", BrokenExport())
    sent = worker.send("GET", "/api/v1/admin/exports/customers.csv")
    assert sent.status == 500
    assert sent.json["code"] == "error"
    assert set(folder.iterdir()) <= before
