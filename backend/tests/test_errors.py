"""Every refusal has one shape, and nothing that can be sent makes the shop fail."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import factories
import orjson
import pytest
from conftest import PROBLEM_MEMBERS, ShopClient
from factories import Thing, User
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from test_routes import calls, endpoint_of
from werkzeug.test import TestResponse

from app import logs
from app.fields import Body
from app.services import catalogue, settings
from app.services.sessions import Account

ITEMS = "/api/v1/cart/items"
# What makes databases, mails, logs and pages stumble.
NASTY = [
    "",
    " ",
    "é",
    "日本",
    "😀",
    "a\x00b",
    "a\r\nBcc: x@example.com",
    "'; --",
    '"',
    "\\",
    "%",
    "_",
    "<b>",
    "\u2028",
    "ß" * 40,
    "x" * 5000,
    "/../",
    "0",
    "-1",
    "1e400",
]


def send(client: FlaskClient, body: str | bytes, kind: str = "application/json") -> TestResponse:
    return client.post(ITEMS, data=body, content_type=kind)


def shaped(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The problem in the answer, held to the one shape."""
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.data[:300]
    problem = answer.json
    assert problem.keys() >= PROBLEM_MEMBERS
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, "about:blank")
    assert problem["title"] and problem["detail"]
    assert all(isinstance(messages, list) and messages for messages in problem["errors"].values())
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    return dict(problem)


@pytest.mark.parametrize(
    "body",
    [
        *("", " ", "{", "nonsense", "{'a': 1}", '{"a":1,}', '{"a": 01}', '{"a":1}{"b":2}'),
        *('{"a": NaN}', '{"a": Infinity}', '{"a": -Infinity}'),
        *('{"a": "\\ud800"}', '{"a": "\\ud800\\u0041"}', '{"a": "\x01"}'),
        *(b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', b"\xef\xbb\xbf{}", b"\x00"),
        "[" * 10_000 + "]" * 10_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_json_is_400(client: ShopClient, body: str | bytes) -> None:
    shaped(send(client, body), 400, "bad_request")


@pytest.mark.parametrize("body", ["[]", '[{"variant_id": 1}]', "null", "true", "1", '"text"'])
def test_json_that_is_no_object_is_400(client: ShopClient, body: str) -> None:
    assert "object" in shaped(send(client, body), 400, "bad_request")["detail"]


@pytest.mark.parametrize("depth", [17, 200, 1000])
def test_json_nested_too_deeply_is_400(client: ShopClient, depth: int) -> None:
    shaped(send(client, '{"variant_id": ' + "[" * depth + "]" * depth + "}"), 400, "bad_request")
    shaped(send(client, '{"variant_id": ' * depth + "1" + "}" * depth), 400, "bad_request")


def test_an_address_that_names_nothing_is_404_for_every_method(client: ShopClient) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        shaped(client.open("/api/v1/nothing-here", method=method), 404, "not_found")
        shaped(client.open("/api/nothing", method=method), 404, "not_found")


def _pattern(rule: str) -> str:
    return re.sub(r"<(\w+:)?\w+>", lambda found: {"int:": r"\d+", "path:": ".+"}.get(found[1], "[^/]+"), re.escape(rule))


def test_every_address_answers_the_wrong_method_with_405_and_the_right_ones(client: ShopClient, shop: Flask) -> None:
    rules = list(calls(shop))
    patterns = {(_pattern(rule.rule), frozenset(rule.methods or ())) for rule, _, _ in rules}
    # A word of ours may stand where elsewhere an order's number does: such an address answers to both.
    allowed = {path: set().union(*(methods for pattern, methods in patterns if re.fullmatch(pattern, path))) for _, _, path in rules}
    assert len(allowed) > 15
    for path, methods in allowed.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
            answer = client.open(path, method=method, json={})
            shaped(answer, 405, "method_not_allowed")
            assert {one.strip() for one in answer.headers["Allow"].split(",")} == methods, (method, path)


def test_a_body_beyond_the_bound_is_413(client: ShopClient) -> None:
    shaped(send(client, json.dumps({"variant_id": 1, "padding": "x" * Body.most_bytes})), 413, "too_large")
    shaped(send(client, b"{" + b" " * 7_000_000 + b"}"), 413, "too_large")


def test_a_body_just_within_the_bound_is_read(client: ShopClient) -> None:
    body = b'{"variant_id": 1, "quantity": 0}'
    shaped(send(client, body + b" " * (Body.most_bytes - len(body))), 422, "invalid")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "text/json"])
def test_a_body_that_does_not_say_it_is_json_is_415(client: ShopClient, kind: str) -> None:
    shaped(send(client, '{"variant_id": 1}', kind), 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_known_by_its_type_however_written(client: ShopClient, kind: str) -> None:
    shaped(send(client, "{}", kind), 422, "invalid")


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"variant_id": 1, "price_minor": 1}, "price_minor", "There is no such field."),
        ({"variant_id": "1"}, "variant_id", "Must be a whole number."),
        ({"variant_id": True}, "variant_id", "Must be a whole number."),
        ({"variant_id": 1.0}, "variant_id", "Must be a whole number."),
        ({"variant_id": [1]}, "variant_id", "Must be a whole number."),
        ({"variant_id": {}}, "variant_id", "Must be a whole number."),
        ({"variant_id": 1, "quantity": None}, "quantity", "Must be a whole number."),
        ({"variant_id": 1, "quantity": 0}, "quantity", "Must be 1 or more."),
        ({"variant_id": 1, "quantity": -5}, "quantity", "Must be 1 or more."),
        ({"variant_id": 1, "quantity": 100}, "quantity", "Must be 99 or less."),
        ({"variant_id": 0}, "variant_id", "Must be 1 or more."),
        ({"variant_id": 2**63}, "variant_id", "Must be 9223372036854775807 or less."),
        ({"variant_id": 2**64}, "variant_id", "Must be a whole number."),
        ({"variant_id": 10**60}, "variant_id", "Must be a whole number."),
        ({"variant_id": 1, "product_id": 1}, "body", "Give either variant_id or product_id."),
        ({}, "body", "Give either variant_id or product_id."),
    ],
)  # fmt: skip
def test_a_field_that_breaks_a_rule_is_422_and_named(client: ShopClient, body: dict[str, Any], field: str, message: str) -> None:
    assert shaped(client.post(ITEMS, json=body), 422, "invalid")["errors"] == {field: [message]}


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e3", "1E2", "0.1", "-0.0"])
def test_numbers_that_are_not_whole_are_refused(client: ShopClient, number: str) -> None:
    answer = send(client, f'{{"variant_id": 1, "quantity": {number}}}')
    assert answer.status_code in (400, 422)
    assert not math.isinf(orjson.loads(answer.data)["status"])


def test_every_broken_field_is_named_at_once_and_inner_ones_by_their_path(client: ShopClient) -> None:
    address = factories.ADDRESS | {"name": "", "country": "Belgium", "colour": "red"}
    problem = shaped(client.order(address=address, payment_method=7), 422, "invalid")
    assert problem["errors"] == {
        "address.name": ["This is needed."],
        "address.country": ["Use the two-letter code of a country, such as BE."],
        "address.colour": ["There is no such field."],
        "payment_method": ["Must be text."],
    }


@pytest.mark.parametrize("field", ["name", "line1", "city", "postcode", "phone"])
@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\r\nBcc: x@y.z", "a\x00b", "a\x7fb", "a\x1bb"])
def test_control_characters_do_not_get_into_a_line(client: ShopClient, alice: User, mug: Thing, field: str, text: str) -> None:
    client.as_(alice).add(mug.variant)
    problem = shaped(client.order(address=factories.ADDRESS | {field: text}), 422, "invalid")
    assert problem["errors"].keys() == {f"address.{field}"}


@pytest.mark.parametrize(
    "text", ["guest@example.com\r\nBcc: all@example.com", "a@b\x00.com", "no at sign", "a@", "@b.com", "a b@c.com", "x" * 250 + "@example.com"]
)
def test_an_address_that_is_no_e_mail_is_refused(client: ShopClient, mug: Thing, text: str) -> None:
    client.add(mug.variant)
    assert shaped(client.order(email=text), 422, "invalid")["errors"].keys() == {"email"}


@pytest.mark.parametrize("name", ["colour", "LIMIT", "limit[]", "__proto__"])
def test_an_unknown_word_in_the_address_is_422(client: ShopClient, name: str) -> None:
    assert shaped(client.get("/api/v1/products", query_string={name: "1"}), 422, "invalid")["errors"] == {name: ["There is no such field."]}


@pytest.mark.parametrize(
    ("query", "status"), [("limit=0", 422), ("limit=101", 422), ("limit=ten", 422), ("limit=5&limit=6", 422), ("q=%00", 400), ("limit=" + "9" * 5000, 422)]
)
def test_a_bad_word_in_the_address_is_refused(client: ShopClient, query: str, status: int) -> None:
    shaped(client.get(f"/api/v1/products?{query}"), status, "invalid" if status == 422 else "bad_request")


# ---------------------------------------------------------------- nothing makes the shop fail


def _get(client: ShopClient, path: str, **more: Any) -> int:
    return client.get(path, **more).status_code


def test_no_text_in_an_address_makes_the_shop_fail(client: ShopClient, shop: Flask, alice: User) -> None:
    client.as_(alice)
    for rule, method, _ in calls(shop):
        if "<" in rule.rule:
            for text in ["é", "日本", "😀", "a%00b", "%ff", "%25", "..%2f..", "x" * 300, "x" * 5000, "'", "%5c", "9" * 40, "%0d%0aX: y"]:
                path = re.sub(r"<(?:\w+:)?\w+>", text, rule.rule)
                answer = client.open(path, method=method, **({} if method == "GET" else {"json": {}}))
                assert answer.status_code < 500, (method, path)


@effort(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["q", "category", "price_min", "price_max", "in_stock", "sort", "limit", "after"]),
        st.text(max_size=40) | st.sampled_from(NASTY) | st.integers().map(str),
    )
)
def test_no_question_to_the_catalogue_makes_the_shop_fail(client: ShopClient, query: dict[str, str]) -> None:
    assert client.get("/api/v1/products", query_string=query).status_code in (200, 400, 404, 422)
    assert client.get("/", query_string=query).status_code in (200, 404)


# Good values by field name, so that one nasty field is not hidden behind another one that is merely missing.
GOOD: dict[str, Any] = factories.ADDRESS | {
    "address": factories.ADDRESS,
    "admin": {"username": "owner", "email": "owner@example.com", "password": factories.PASSWORD},
    "challenge": "a" * 32,
    "currency": "EUR",
    "current_password": "wrong-walnut-harbour",
    "email": "somebody@example.com",
    "identifier": "somebody",
    "name": "Somebody",
    "new_password": "cobalt-meadow-72",
    "otp": "123456",
    "code": "123456",
    "password": "wrong-walnut-harbour",
    "payment_method": "cash_on_delivery",
    "product_id": None,
    "quantity": 1,
    "seller": factories.ADDRESS | {"email": "shop@example.com"},
    "shipping_method": "standard",
    "token": "wrong",
    "username": "somebody",
    "variant_id": 1,
    "amount_minor": 2500,
    "reason": "received",
    "alt": "A mug",
    "price_minor": 1000,
    "order": [],
    "ids": [1],
    "kind": "percent",
    "subject": "A crack",
    "message": "The mug came with a crack.",
    "version": 1,
    "items": [{"item_id": 1, "quantity": 1, "reason": "other"}],
    "rating": 4,
    "title": "Good",
    "body": "It is good.",
    "status": "approved",
    "text": "Keeps **rain** out.",
    "action": "archive",
    "shipping_countries": ["DE"],
    "shipping_methods": [{"name": "Post", "price_minor": 500}],
    "payment_methods": ["bank_transfer"],
    "transfer_days": 7,
    "prices_include_tax": True,
    "tax_rate_bp": 1900,
    "tax_rates": [],
    "low_stock": 5,
    "return_days": 14,
    "levels": [],
    "staff_totp": False,
    "country": "DE",
    "goods_minor": 1000,
    "markdown": "Hello **you**.",
    "backup_nightly": True,
    "backup_hour": 3,
    "backup_days": 14,
    "cart_reminder_hours": 24,
    "ticket_coupon_percent": 20,
    "key_days": 30,
    "message_days": 365,
    "mail_days": 365,
    "guest_days": 90,
    "numbers": "comma",
}
SENT = ["é", "日本😀", "a\r\nb", "x" * 5000, "' OR 1 -- \\", 10**18, [], {"a": 1}, None]


def _bodies(names: list[str], required: set[str]) -> Iterator[dict[str, Any]]:
    base = {name: GOOD[name] for name in names if name in GOOD and (name in required or GOOD[name] is not None)}
    for name in names:
        yield from (base | {name: value} for value in SENT)


def test_no_value_in_a_body_makes_the_shop_fail(
    new_client: Callable[[], ShopClient], shop: Flask, alice: User, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Passwords are hashed for real elsewhere; here each would cost a tenth of a second and say nothing.
    monkeypatch.setattr("app.security.hash_password", lambda password: "scrypt:32768:8:3$x$x")
    monkeypatch.setattr("app.security.check_password", lambda stored, password: False)
    shopper, admin = new_client().as_(alice), new_client().as_(ada)
    for rule, method, path in calls(shop):
        endpoint = endpoint_of(shop, rule)
        if endpoint.body is None:
            continue
        # Whoever was signed out on the way, or has not just shown a password, would be refused before the body is read.
        client = shopper.as_(alice) if endpoint.who in ("anyone", "signed_in") else admin.as_(ada)
        factories.write("UPDATE sessions SET stepped_up_at = UTC_TIMESTAMP(6)")
        fields = endpoint.body.model_fields
        required = {name for name, field in fields.items() if field.is_required()}
        assert required <= GOOD.keys(), f"{path}: give a good value for {required - GOOD.keys()}"
        for body in _bodies(list(fields), required):
            answer = client.open(path, method=method, json=body, headers={"Idempotency-Key": "k"})
            assert answer.status_code < 500, (method, path, body)


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb", "é\x85"])
def test_an_order_without_a_usable_key_is_400(client: ShopClient, alice: User, mug: Thing, key: str) -> None:
    client.as_(alice).add(mug.variant)
    answer = client.post("/api/v1/orders", json=factories.order_body(), headers={"Idempotency-Key": key} if key else {})
    shaped(answer, 400, "idempotency_key_needed")


# ---------------------------------------------------------------- faults of our own


@pytest.fixture
def plain(shop: Flask) -> FlaskClient:
    """A browser that is not surprised by a 500."""
    return FlaskClient(shop, shop.response_class)


def _breaks(*_: object, **__: object) -> Any:
    raise RuntimeError("SELECT secret FROM vault: walnut-harbour")


def test_an_unexpected_fault_is_answered_blank_and_logged_with_its_id(plain: FlaskClient, monkeypatch: pytest.MonkeyPatch, shop: Flask) -> None:
    monkeypatch.setattr(settings, "public", _breaks)
    answer = plain.get("/api/v1/shop")
    problem = shaped(answer, 500, "error")
    assert problem["request_id"] in problem["detail"]
    assert not re.search(r"vault|RuntimeError|Traceback|\.py", answer.text)
    logs.write_requests()
    lines = [json.loads(line) for line in (shop.config["SHOP"].var / "logs" / "shop.jsonl").read_text(encoding="utf-8").strip("\n").split("\n")]
    logged = [line for line in lines if line.get("request_id") == problem["request_id"]]
    assert [line["level"] for line in logged] == ["error", "info"]
    assert "RuntimeError" in logged[0]["exception"] and "vault" in logged[0]["exception"]


def test_a_fault_while_a_page_is_made_says_no_more(plain: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "get_product", _breaks)
    answer = plain.get("/products/anything")
    assert answer.status_code == 500
    assert "vault" not in answer.text


def test_a_fault_while_the_session_is_read_has_the_same_shape(plain: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.sessions.find", _breaks)
    plain.set_cookie("session", "x" * 43)
    problem = shaped(plain.get("/api/v1/cart"), 500, "error")
    assert "vault" not in str(problem)


def test_a_fault_while_the_session_is_kept_has_the_same_shape(plain: FlaskClient, monkeypatch: pytest.MonkeyPatch, mug: Thing) -> None:
    monkeypatch.setattr("app.services.sessions.save", _breaks)
    shaped(plain.post(ITEMS, json={"variant_id": mug.variant}), 500, "error")


def test_a_refusal_tells_a_signed_in_user_no_more_than_anybody(client: ShopClient, alice: User) -> None:
    problem = shaped(client.as_(alice).get("/api/v1/orders/FC-NEVERWAS"), 404, "not_found")
    assert problem.keys() == PROBLEM_MEMBERS
    assert not any(str(value) in json.dumps(problem) for value in (alice.username, alice.email))
    assert Account.__annotations__.keys().isdisjoint({"password_hash", "status"})
