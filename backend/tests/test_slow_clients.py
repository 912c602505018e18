"""A real shop while clients send half a request, or read nothing of the response."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from running_shops import Shop

CONNECTIONS = 50  # of each kind
TIMEOUT_SECONDS = 30.0  # none of it is used up unless the shop is stuck
HALF_REQUESTS = {
    "one byte of a body": b"POST /api/v1/auth/forgot HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
    "a body of a GET": b"GET /api/v1/products HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000\r\n\r\n",
    "a large body": b"POST /api/v1/attachments HTTP/1.1\r\nHost: shop\r\nContent-Type: image/png\r\nContent-Length: 5000000\r\n\r\nx",
    "half of the headers": b"GET /api/v1/products HTTP/1.1\r\nHost: shop\r\nAcc",
}
UNREAD = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: shop\r\n\r\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    var = tmp_path_factory.mktemp("slow") / "var"
    started = Shop(var, WORKERS="1", THREADS="2", LIMITS="on", TRUSTED_PROXIES="127.0.0.1").start()
    yield started
    assert started.stop() == 0


def connect(shop: Shop) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(shop.environment["PORT"])), TIMEOUT_SECONDS)


def send(shop: Shop, *parts: bytes) -> tuple[int, dict[str, str], Any]:
    """Return status, headers and JSON of the response to raw bytes."""
    with connect(shop) as connection:
        for part in parts:
            connection.sendall(part)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, dict(response.getheaders()), json.loads(response.read() or b"null")


def get(shop: Shop, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", int(shop.environment["PORT"]), timeout=TIMEOUT_SECONDS)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def test_half_sent_requests_and_unread_responses_keep_nobody_waiting(shop: Shop) -> None:
    with ExitStack() as stack:
        for request in (*HALF_REQUESTS.values(), UNREAD):
            for _ in range(CONNECTIONS):
                stack.enter_context(connect(shop)).sendall(request)
        for _ in range(3):
            for path in ("/livez", "/api/v1/products", "/api/v1/cart", "/"):
                assert get(shop, path) == 200


@pytest.mark.parametrize("request_bytes", [HALF_REQUESTS["one byte of a body"], HALF_REQUESTS["a body of a GET"], HALF_REQUESTS["a large body"]])
def test_a_body_that_never_arrives_is_408(shop: Shop, request_bytes: bytes) -> None:
    status, headers, body = send(shop, request_bytes)
    assert status == 408
    assert headers["connection"] == "close"
    assert body["code"] == "request_timeout"


def test_who_sends_too_much_gets_the_413(shop: Shop) -> None:
    head = b"POST /api/v1/auth/forgot HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: 20000000\r\n\r\n"
    status, _, body = send(shop, head, *[b" " * 100_000] * 200)
    assert status == 413
    assert body["code"] == "too_large"


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n"])
def test_a_request_without_one_host_is_400(shop: Shop, hosts: bytes) -> None:
    status, _, body = send(shop, b"GET /api/v1/products HTTP/1.1\r\n" + hosts + b"\r\n")
    assert status == 400
    assert body["code"] == "bad_request"


def test_an_address_in_a_header_with_underscores_does_not_evade_the_sign_in_limit(shop: Shop) -> None:
    body = json.dumps({"identifier": "nobody", "password": "walnut-harbour-19"}).encode()

    def sign_in(number: int) -> int:
        head = (
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: shop\r\nX-Forwarded-For: 198.51.100.7\r\n"
            f"X_Forwarded_For: 203.0.{number}.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return send(shop, head.encode() + body)[0]

    statuses = [sign_in(number) for number in range(25)]
    assert set(statuses[:10]) == {401}
    assert set(statuses[12:]) == {429}
