"""Development features: the mailbox, open metrics and test payments, for local requests only."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from dataclasses import replace
from typing import Any

import pytest
from conftest import Make, ShopClient
from factories import Thing
from flask import Flask
from flask.testing import FlaskClient

from app.config import Settings
from app.services import payments

PUBLIC_SETTINGS: list[dict[str, Any]] = [
    {"production": True, "mail_host": "mail.example"},
    {"production": True, "mail_host": "mail.example", "url": "https://shop.example"},
    {"url": "https://shop.example"},
    {"url": "http://192.0.2.1:5000"},
    {"url": "http://localhost.example:5000"},
    {"host": "0.0.0.0"},
    {"host": "::"},
    {"trusted_proxies": ("127.0.0.1/32",)},
]

PROXY_HEADERS = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded",
    "X_Forwarded_For",
    "X-Real-IP",
    "Via",
    "X-Client-IP",
    "Client-IP",
    "True-Client-IP",
    "X-Cluster-Client-IP",
    "X-Remote-Addr",
    "X-Original-Host",
    "X-Originating-IP",
    "X-Host",
    "X-Scheme",
    "Front-End-Https",
    "Proxy-Connection",
    "CDN-Loop",
    "CF-Connecting-IP",
    "CF-Ray",
    "Fastly-Client-IP",
    "Fly-Client-IP",
    "X-Amzn-Trace-Id",
    "X-Azure-Ref",
    "X-Envoy-External-Address",
]

FOREIGN_HOSTS = [
    "shop.example",
    "127.0.0.1.shop.example",
    "localhost.shop.example",
    "localhost,shop.example",
    "shop.example@localhost",
    "[::2]",
    "192.0.2.1:5000",
    "127.0.0.1:5000:5000",
    "0.0.0.0",
    "",
]

LOCAL_HOSTS = [
    "localhost",
    "LOCALHOST:5000",
    "127.0.0.1",
    "127.0.0.1:5000",
    "127.1.2.3:80",
    "[::1]",
    "[::1]:5000",
]


def is_open(client: FlaskClient, **environ: Any) -> dict[str, bool]:
    """Ask for each feature in a request with these changes; return which of them is there."""

    def get(path: str) -> bool:
        status = client.get(path, **environ).status_code
        assert status in (200, 404)
        return status == 200

    quote = client.post("/api/v1/checkout/quote", json={}, **environ)
    offered = {one["code"] for one in quote.json["payment_methods"]}  # type: ignore[index]
    return {
        "mailbox": get("/dev/mail"),
        "metrics": get("/metrics"),
        "test payments": "test" in offered,
    }


OPEN = {"mailbox": True, "metrics": True, "test payments": True}
CLOSED = dict.fromkeys(OPEN, False)


@pytest.fixture
def with_settings(shop_with: Make, app_settings: Settings) -> Callable[..., FlaskClient]:
    def make(**changes: Any) -> FlaskClient:
        client = shop_with(**changes).test_client()
        payments.use(replace(app_settings, **changes))
        return client

    return make


@pytest.mark.parametrize("changes", PUBLIC_SETTINGS, ids=str)
def test_settings_of_a_public_shop_close_everything(
    with_settings: Callable[..., FlaskClient],
    changes: dict[str, Any],
) -> None:
    assert is_open(with_settings(**changes)) == CLOSED


@pytest.mark.parametrize("host", LOCAL_HOSTS)
def test_a_local_request_in_local_development_may_use_everything(
    client: ShopClient,
    host: str,
) -> None:
    assert is_open(client, headers={"Host": host}) == OPEN


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_every_loopback_address_is_local(client: ShopClient, address: str) -> None:
    assert is_open(client, environ_base={"REMOTE_ADDR": address}) == OPEN


@pytest.mark.parametrize("name", PROXY_HEADERS)
def test_a_request_with_a_header_of_a_proxy_is_not_local(client: ShopClient, name: str) -> None:
    assert is_open(client, headers={name: "127.0.0.1"}) == CLOSED
    assert is_open(client, headers={name: ""}) == CLOSED


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_request_for_another_host_is_not_local(client: ShopClient, host: str) -> None:
    assert is_open(client, environ_overrides={"HTTP_HOST": host}) == CLOSED


@pytest.mark.parametrize("address", ["203.0.113.9", "10.0.0.1", "2001:db8::1", "", "unix:"])
def test_a_request_of_another_machine_is_not_local(client: ShopClient, address: str) -> None:
    assert is_open(client, environ_base={"REMOTE_ADDR": address}) == CLOSED


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1", "HTTP/0.9", ""])
def test_a_request_in_an_old_protocol_is_not_local(client: ShopClient, protocol: str) -> None:
    """nginx with a bare proxy_pass speaks HTTP/1.0, sends a loopback Host and adds no header."""
    assert is_open(client, environ_overrides={"SERVER_PROTOCOL": protocol}) == CLOSED


def test_an_order_from_another_machine_cannot_be_paid_without_money(
    client: ShopClient,
    mug: Thing,
) -> None:
    client.add(mug.variant)
    client.environ_base["HTTP_X_REAL_IP"] = "203.0.113.9"

    refused = client.order(email="guest@example.com", payment_method="test")

    assert refused.status_code == 422
    assert "payment_method" in refused.json["errors"]


def test_the_token_opens_the_metrics_everywhere_and_nothing_else(
    with_settings: Callable[..., FlaskClient],
) -> None:
    client = with_settings(metrics_token="a token of sixteen", url="https://shop.example", host="0.0.0.0")

    given = {"Authorization": "Bearer a token of sixteen", "X-Forwarded-For": "203.0.113.9"}

    assert client.get("/metrics", headers=given).status_code == 200
    assert client.get("/metrics").status_code == 404
    assert client.get("/dev/mail", headers=given).status_code == 404


def test_what_runs_outside_of_a_request_may_take_test_payments(shop: Flask) -> None:
    assert "test" in Context().run(payments.offered, {"payment_methods": ["test"]})
