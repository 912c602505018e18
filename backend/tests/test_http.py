"""What holds for every answer: who may ask from where, headers, cookies, request ids, proxies, the log."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import factories
import pytest
from conftest import Make, ShopClient
from factories import Thing, User
from flask import Flask
from flask.testing import FlaskClient
from test_routes import calls, endpoint_of
from werkzeug.test import TestResponse

from app import db, logs
from app.config import Settings

ITEMS = "/api/v1/cart/items"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def _sessions() -> list[tuple[Any, ...]]:
    with db.reading() as tx:
        return list(tx.execute("SELECT token_hash, ip, user_agent, data FROM sessions").fetchall())


# ---------------------------------------------------------------- requests from other sites


OWN = ["http://127.0.0.1:5099", "http://localhost:5099", "http://[::1]:5099"]
FOREIGN = [
    "https://evil.example",
    "null",
    "",
    "http://127.0.0.1",
    "http://127.0.0.1:5000",
    "https://127.0.0.1:5099",
    "http://127.0.0.1:5099.evil.example",
    "http://evil.example:5099",
    "http://127.0.0.1:5099/",
    "http://127.0.0.1:5099 http://evil.example",
]


@pytest.mark.parametrize("origin", OWN)
@pytest.mark.parametrize("site", [None, "same-origin", "cross-site"])
def test_an_origin_of_the_shops_own_may_write_whatever_else_is_said(client: ShopClient, mug: Thing, origin: str, site: str | None) -> None:
    headers = {"Origin": origin} | ({"Sec-Fetch-Site": site} if site else {})
    assert client.post(ITEMS, json={"variant_id": mug.variant}, headers=headers).status_code == 201


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("site", [None, "same-origin", "none"])
def test_a_foreign_origin_may_not_write_whatever_else_is_said(client: ShopClient, mug: Thing, origin: str, site: str | None) -> None:
    headers = {"Origin": origin} | ({"Sec-Fetch-Site": site} if site else {})
    answer = client.post(ITEMS, json={"variant_id": mug.variant}, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (403, "cross_site")
    assert _sessions() == []


@pytest.mark.parametrize(("site", "status"), [(None, 201), ("none", 201), ("same-origin", 201), ("same-site", 403), ("cross-site", 403), ("", 403), ("x", 403)])
def test_without_an_origin_the_browser_must_say_that_the_site_is_the_same(client: ShopClient, mug: Thing, site: str | None, status: int) -> None:
    headers = {} if site is None else {"Sec-Fetch-Site": site}
    assert client.post(ITEMS, json={"variant_id": mug.variant}, headers=headers).status_code == status


def test_no_route_can_be_written_to_from_another_site(client: ShopClient, shop: Flask, alice: User) -> None:
    written = [(method, path) for _, method, path in calls(shop) if method != "GET"]
    assert len(written) > 5
    for method, path in written:
        answer = client.as_(alice).open(path, method=method, json={}, headers={"Origin": "https://evil.example"})
        assert (answer.status_code, answer.json["code"]) == (403, "cross_site"), (method, path)


def test_reading_from_anywhere_is_allowed_and_shown_to_nobody(client: ShopClient) -> None:
    answer = client.get("/api/v1/shop", headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_in_production_only_the_very_address_is_the_shops_own(shop_with: Make, mug: Thing) -> None:
    browser = shop_with(
        production=True,
        mail_host="mail.example",
        url="http://localhost:5099",
    ).test_client()
    statuses = [browser.post(ITEMS, json={"variant_id": mug.variant}, headers={"Origin": origin}).status_code for origin in OWN]
    assert statuses == [403, 201, 403]


# As an owner may type an address, and the Origin header that browsers send from there.
TYPED_AND_SENT = [
    ("HTTPS://Shop.Example", "https://shop.example"),
    ("https://shop.example:443/", "https://shop.example"),
    ("http://shop.example:80", "http://shop.example"),
    ("https://shop.example:8443/", "https://shop.example:8443"),
    ("https://bücher.example", "https://xn--bcher-kva.example"),
    ("https://shop.example.", "https://shop.example"),
    ("https://shop.example.", "https://shop.example."),
    ("https://shop.example", "https://shop.example."),
    ("http://[2001:DB8:0:0:0:0:0:1]:5000", "http://[2001:db8::1]:5000"),
    ("http://127.0.0.1:80", "http://127.0.0.1"),
]


@pytest.mark.parametrize(("typed", "sent"), TYPED_AND_SENT)
def test_a_browser_may_write_however_the_shops_address_was_typed(
    shop_with: Make,
    mug: Thing,
    typed: str,
    sent: str,
) -> None:
    browser = shop_with(url=Settings.from_env({"SHOP_URL": typed}).url).test_client()
    answer = browser.post(ITEMS, json={"variant_id": mug.variant}, headers={"Origin": sent})
    assert answer.status_code == 201


@pytest.mark.parametrize(("typed", "sent"), TYPED_AND_SENT)
def test_a_listed_origin_may_write_however_it_was_typed(
    shop_with: Make,
    mug: Thing,
    typed: str,
    sent: str,
) -> None:
    allowed = Settings.from_env({"CORS_ORIGINS": typed}).cors_origins
    browser = shop_with(cors_origins=allowed).test_client()
    answer = browser.post(ITEMS, json={"variant_id": mug.variant}, headers={"Origin": sent})
    assert (answer.status_code, answer.headers.get("Access-Control-Allow-Origin")) == (201, sent)


@pytest.mark.parametrize("origin", ["http://1:8080", "http://::8080", "http://[::1]:80801", "http://[::2]:8080"])
def test_an_ipv6_address_among_the_origins_is_no_pattern(shop_with: Make, origin: str) -> None:
    browser = shop_with(cors_origins=("http://[::1]:8080",)).test_client()
    answer = browser.post(ITEMS, json={}, headers={"Origin": origin})
    assert (answer.status_code, "Access-Control-Allow-Origin" in answer.headers) == (403, False)


# ---------------------------------------------------------------- other sites that were let in


PARTNERS = [("https://app.shop.example",), ("https://app.shop.example", "https://b.shop.example:8443")]


@pytest.mark.parametrize("partners", PARTNERS)
def test_a_listed_origin_may_read_and_write_with_its_cookie(shop_with: Make, mug: Thing, partners: tuple[str, ...]) -> None:
    browser = shop_with(cors_origins=partners).test_client()
    for origin in partners:
        read = browser.get("/api/v1/shop", headers={"Origin": origin})
        written = browser.post(ITEMS, json={"variant_id": mug.variant}, headers={"Origin": origin, "Sec-Fetch-Site": "same-site"})
        refused = browser.get("/api/v1/orders", headers={"Origin": origin})
        assert [read.status_code, written.status_code, refused.status_code] == [200, 201, 401]
        for answer in (read, written, refused):
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert answer.headers["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize("partners", PARTNERS)
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://app.shop.example.evil.example", "https://appXshop.example", "http://app.shop.example", "*"]
)
def test_an_unlisted_origin_is_shown_nothing(shop_with: Make, partners: tuple[str, ...], origin: str) -> None:
    browser = shop_with(cors_origins=partners).test_client()
    assert "Access-Control-Allow-Origin" not in browser.get("/api/v1/shop", headers={"Origin": origin}).headers
    preflight = browser.options(ITEMS, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    assert "Access-Control-Allow-Origin" not in preflight.headers
    assert browser.post(ITEMS, json={}, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize("partners", PARTNERS)
@pytest.mark.parametrize("headers", [{}, {"Origin": "https://app.shop.example"}, {"Origin": "https://evil.example"}])
def test_where_answers_differ_by_origin_caches_are_told(shop_with: Make, partners: tuple[str, ...], headers: dict[str, str]) -> None:
    browser = shop_with(cors_origins=partners).test_client()
    for path in ("/api/v1/shop", "/api/v1/nothing-here", "/api/v1/cart"):
        assert "origin" in browser.get(path, headers=headers).headers.get("Vary", "").lower(), path


def test_a_listed_origin_is_told_what_it_may_send(shop_with: Make) -> None:
    asked = {"Origin": "https://app.shop.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, idempotency-key"}
    preflight = shop_with(cors_origins=("https://app.shop.example",)).test_client().options("/api/v1/orders", headers=asked)
    assert preflight.status_code == 200
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert {"content-type", "idempotency-key"} <= set(re.split(r",\s*", preflight.headers["Access-Control-Allow-Headers"].lower()))


def test_pages_are_not_shared_with_other_sites(shop_with: Make) -> None:
    answer = shop_with(cors_origins=("https://app.shop.example",)).test_client().get("/", headers={"Origin": "https://app.shop.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


# ---------------------------------------------------------------- headers


def _every_kind_of_answer(browser: FlaskClient, thing: Thing) -> Iterator[tuple[str, TestResponse]]:
    picture = Path(browser.application.config["SHOP"].var) / "uploads" / "kinds" / "dot.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    version = browser.application.extensions["site"].version
    for path in (
        *("/", f"/products/{thing.slug}", "/cart", "/nowhere", "/products/nothing", f"/s/{version}/css/app.css", f"/s/{version}/css/no.css"),
        *("/media/kinds/dot.svg", "/media/kinds/no.svg", "/robots.txt", "/favicon.ico", "/livez", "/readyz", "/api/docs"),
        *("/api/v1/shop", "/api/v1/products", f"/api/v1/products/{thing.slug}", f"/api/v1/products/{thing.id}", "/api/v1/cart"),
        *("/api/v1/nowhere", "/api/v1/orders", "/api/v1/cart/items", "/api/v1/openapi.json", "/api/v1/products?limit=x"),
    ):
        yield path, browser.get(path)
    yield "OPTIONS", browser.options("/api/v1/cart")
    yield "HEAD", browser.head("/")
    yield "POST", browser.post(ITEMS, json={"variant_id": thing.variant})
    yield "415", browser.post(ITEMS, data="x")
    etag = browser.get("/api/v1/shop").headers["ETag"]
    yield "304", browser.get("/api/v1/shop", headers={"If-None-Match": etag})


def test_every_answer_carries_the_protective_headers(client: ShopClient, mug: Thing) -> None:
    kinds = dict(_every_kind_of_answer(client, mug))
    assert {answer.status_code for answer in kinds.values()} >= {200, 201, 302, 304, 401, 404, 405, 415, 422}
    for what, answer in kinds.items():
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, what
        assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-Id"]), what
        assert answer.headers["Cache-Control"], what
        assert "Strict-Transport-Security" not in answer.headers, what
        assert "default-src 'none'; style-src 'unsafe-inline'; sandbox" in answer.headers["Content-Security-Policy"] if what.endswith("dot.svg") else True
    ids = [answer.headers["X-Request-Id"] for answer in kinds.values()]
    assert len(set(ids)) == len(ids)


def test_the_policy_lets_nothing_inline_and_nothing_foreign_run(client: ShopClient) -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in client.get("/").headers["Content-Security-Policy"].split(";"))
    assert rules["default-src"] == rules["script-src"] == rules["style-src"] == rules["form-action"] == "'self'"
    assert rules["object-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in str(rules)


def test_what_is_not_declared_as_shared_is_kept_by_no_cache(client: ShopClient, shop: Flask, alice: User) -> None:
    client.as_(alice)
    for rule, method, path in calls(shop):
        if rule.rule.startswith("/api/v1/") and not endpoint_of(shop, rule).shared:
            answer = client.open(path, method=method, **({} if method == "GET" else {"json": {}}))
            assert answer.headers["Cache-Control"] == "no-store", (method, path)
            client.as_(alice)


def test_under_https_browsers_are_told_to_stay_there(shop_with: Make, mug: Thing) -> None:
    browser = shop_with(url="https://shop.example").test_client()
    for what, answer in _every_kind_of_answer(browser, mug):
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains", what


def _shared(shop: Flask, thing: Thing) -> list[str]:
    rules = [rule.rule for rule in shop.url_map.iter_rules() if endpoint_of(shop, rule).shared and endpoint_of(shop, rule).status == 200]
    return [rule.replace("<slug>", thing.slug).replace("<name>", thing.slug) for rule in rules]


def test_a_shared_answer_that_did_not_change_is_not_sent_again(client: ShopClient, shop: Flask, mug: Thing) -> None:
    paths = _shared(shop, mug)
    assert len(paths) >= 5
    for path in paths:
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (first.status_code, again.status_code, again.data) == (200, 304, b""), path
        assert again.headers["ETag"] == first.headers["ETag"]
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"] == "no-cache"
        assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


def test_a_shared_answer_that_changed_is_sent_again(client: ShopClient, mug: Thing) -> None:
    for path in ("/api/v1/products", f"/api/v1/products/{mug.slug}"):
        before = client.get(path)
        factories.set_price(mug.variant, before.json.get("price_minor", 1800) + 1)
        after = client.get(path, headers={"If-None-Match": before.headers["ETag"]})
        assert after.status_code == 200
        assert after.headers["ETag"] != before.headers["ETag"]


# ---------------------------------------------------------------- sessions


def test_an_anonymous_reader_gets_no_cookie_and_leaves_no_row(client: ShopClient, shop: Flask, mug: Thing) -> None:
    read = [path for _, method, path in calls(shop) if method == "GET"] + _shared(shop, mug) + ["/", "/nowhere", "/api/v1/nowhere"]
    for path in read:
        assert "Set-Cookie" not in client.get(path).headers, path
        assert "Set-Cookie" not in client.get(path, headers={"Cookie": "session=" + "a" * 43}).headers, path
    assert _sessions() == []


def _cookie(answer: TestResponse) -> tuple[str, str, dict[str, str]]:
    """Name, value and attributes (in small letters) of the one cookie that the answer sets."""
    (line,) = answer.headers.getlist("Set-Cookie")
    first, *rest = line.split("; ")
    name, _, value = first.partition("=")
    return name, value, {part.partition("=")[0].lower(): part.partition("=")[2] for part in rest}


def test_the_cookie_of_a_guest_who_chose_something(client: ShopClient, mug: Thing) -> None:
    name, value, attributes = _cookie(client.add(mug.variant))
    assert name == "session"
    assert len(value) >= 22  # 128 bits and more, in base64
    assert attributes.keys() == {"expires", "httponly", "path", "samesite"}
    assert (attributes["path"], attributes["samesite"]) == ("/", "Lax")
    lives = parsedate_to_datetime(attributes["expires"]) - datetime.now(UTC)
    assert timedelta(days=89) < lives <= timedelta(days=90)


def test_under_https_the_cookie_is_bound_to_the_host_and_to_https(shop_with: Make, mug: Thing) -> None:
    browser = shop_with(url="https://shop.example").test_client()
    name, _, attributes = _cookie(browser.post(ITEMS, json={"variant_id": mug.variant}, base_url="https://shop.example"))
    assert name == "__Host-session"
    assert attributes.keys() == {"expires", "httponly", "path", "samesite", "secure"}
    assert attributes["path"] == "/"
    assert browser.get("/api/v1/cart", base_url="https://shop.example").json["count"] == 1


def test_what_the_database_knows_of_a_session_is_not_its_cookie(client: ShopClient, mug: Thing) -> None:
    _, value, _ = _cookie(client.add(mug.variant))
    (row,) = _sessions()
    assert row[0] == hashlib.sha256(value.encode()).hexdigest()
    assert value not in json.dumps(row)


def test_a_made_up_session_is_never_taken_over(client: ShopClient, mug: Thing) -> None:
    client.set_cookie("session", "chosen-by-somebody-else-0123456789abcdef")
    _, value, _ = _cookie(client.add(mug.variant))
    assert value != "chosen-by-somebody-else-0123456789abcdef"
    assert len(_sessions()) == 1


def test_two_guests_have_two_sessions(new_client: Callable[[], ShopClient], mug: Thing) -> None:
    values = {_cookie(new_client().add(mug.variant))[1] for _ in range(5)}
    assert len(values) == 5


def test_a_session_that_ran_out_is_nobodys(client: ShopClient, alice: User, owner_connection: Any) -> None:
    client.as_(alice)
    assert client.get("/api/v1/orders").status_code == 200
    cursor = owner_connection.cursor()
    cursor.execute("UPDATE sessions SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND")
    cursor.close()
    assert client.get("/api/v1/orders").status_code == 401


def test_reading_does_not_write_the_session_anew(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    assert "Set-Cookie" not in client.get("/api/v1/cart").headers
    assert "Set-Cookie" not in client.add(mug.variant).headers


# ---------------------------------------------------------------- proxies


@pytest.mark.parametrize(
    ("sender", "forwarded", "seen"),
    [
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "1.1.1.1,203.0.113.5 , 10.0.0.2", "203.0.113.5"),
        ("10.0.0.1", "10.0.0.9", "10.0.0.9"),
        ("10.0.0.1", "2001:db8::5", "2001:db8::5"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ", ,", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, é<script>", "10.0.0.1"),
        ("10.0.0.1", "fe80::1%" + "x" * 200, "10.0.0.1"),
        ("198.51.100.7", "203.0.113.5", "198.51.100.7"),
        ("198.51.100.7", "10.0.0.1", "198.51.100.7"),
    ],
)
def test_an_address_is_believed_from_a_trusted_proxy_only(shop_with: Make, mug: Thing, sender: str, forwarded: str | None, seen: str) -> None:
    browser = shop_with(trusted_proxies=("10.0.0.0/8",)).test_client()
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    answer = browser.post(ITEMS, json={"variant_id": mug.variant}, headers=headers, environ_base={"REMOTE_ADDR": sender})
    assert answer.status_code == 201
    assert [row[1] for row in _sessions()] == [seen]


def test_without_trusted_proxies_nothing_forwarded_is_believed(client: ShopClient, mug: Thing) -> None:
    headers = {"X-Forwarded-For": "203.0.113.5", "X-Real-IP": "203.0.113.5", "Forwarded": "for=203.0.113.5", "X-Forwarded-Host": "evil.example"}
    answer = client.post(ITEMS, json={"variant_id": mug.variant}, headers=headers)
    assert answer.status_code == 201
    assert [row[1] for row in _sessions()] == ["127.0.0.1"]


def test_the_name_that_a_request_calls_the_shop_by_gets_into_no_page(client: ShopClient, mug: Thing) -> None:
    for path in ("/", f"/products/{mug.slug}", "/nowhere", f"/api/v1/products/{mug.id}"):
        answer = client.get(path, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
        assert "evil.example" not in answer.text + str(answer.headers), path


# ---------------------------------------------------------------- the log


def _logged(shop: Flask) -> list[dict[str, Any]]:
    logs.write_requests()
    written = (shop.config["SHOP"].var / "logs" / "shop.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in written.split("\n") if line]


def test_each_request_is_one_line_of_the_log_with_its_id(client: ShopClient, shop: Flask) -> None:
    answer = client.get("/api/v1/products/nothing")
    (line,) = [line for line in _logged(shop) if line.get("request_id") == answer.headers["X-Request-Id"]]
    assert line.keys() == {"at", "level", "logger", "message", "request_id", "method", "path", "status", "ms"}
    assert (line["level"], line["method"], line["path"], line["status"]) == ("info", "GET", "/api/v1/products/nothing", 404)
    assert 0 <= line["ms"] < 60_000
    assert abs(datetime.fromisoformat(line["at"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_no_address_can_forge_a_line_of_the_log(client: ShopClient, shop: Flask) -> None:
    answer = client.get("/api/v1/products/x%0d%0a%7B%22level%22:%22error%22%7D%E2%80%A8%1b[31m")
    (line,) = [line for line in _logged(shop) if line.get("request_id") == answer.headers["X-Request-Id"]]
    assert line["path"].startswith("/api/v1/products/x\r\n{")
    raw = (shop.config["SHOP"].var / "logs" / "shop.jsonl").read_bytes().strip(b"\n").split(b"\n")[-1]
    assert b"\x1b" not in raw


def test_the_log_holds_no_token_password_or_cookie(client: ShopClient, shop: Flask, alice: User, mug: Thing) -> None:
    before = len(_logged(shop))
    client.add(mug.variant)
    placed = client.order(email="guest@example.com").json
    client.get(f"/api/v1/orders/{placed['number']}?token={placed['token']}")
    client.post("/api/v1/auth/login", json={"identifier": alice.username, "password": factories.PASSWORD})
    cookie = client.get_cookie("session")
    written = json.dumps(_logged(shop)[before:])
    assert placed["number"] in written
    assert cookie is not None
    for secret in (placed["token"], factories.PASSWORD, cookie.value, "guest@example.com"):
        assert secret not in written


def test_an_id_sent_by_the_client_is_not_taken_for_ours(client: ShopClient) -> None:
    assert client.get("/livez", headers={"X-Request-Id": "f" * 16}).headers["X-Request-Id"] != "f" * 16
