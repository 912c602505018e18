"""Every route says who may call it, and means it: the URL map is walked as each kind of visitor."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import factories
import pytest
from conftest import Make, ShopClient
from factories import Thing, User
from flask import Flask
from werkzeug.routing import Rule

from app import http
from app.http import Endpoint

WHO = {"anyone", "signed_in", "staff", "admin"}
ROLES = {"customer": "customer", "stranger": "customer", "staff": "staff", "admin": "admin"}
ALLOWED = {
    "anyone": {"anonymous", "deactivated", "customer", "stranger", "staff", "admin"},
    "signed_in": {"customer", "stranger", "staff", "admin"},
    "staff": {"staff", "admin"},
    "admin": {"admin"},
}


def endpoint_of(app: Flask, rule: Rule) -> Endpoint:
    endpoint: Endpoint = app.view_functions[rule.endpoint].endpoint  # type: ignore[attr-defined]
    return endpoint


def calls(app: Flask) -> Iterator[tuple[Rule, str, str]]:
    """Every rule with each method and an address that fits it but names nothing that is there."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        path = re.sub(r"<int:\w+>", str(2**40), rule.rule)
        path = re.sub(r"<(?:\w+:)?\w+>", "nothing-of-this-name", path)
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            yield rule, method, path


def test_every_route_declares_who_may_call_it(app: Flask) -> None:
    """A view without a declaration may be called by nobody, so there must be none."""
    undeclared = {rule.endpoint for rule in app.url_map.iter_rules() if not isinstance(getattr(app.view_functions[rule.endpoint], "endpoint", None), Endpoint)}
    assert undeclared == set()
    assert {endpoint_of(app, rule).who for rule in app.url_map.iter_rules()} <= WHO


def test_the_api_stands_under_one_root(app: Flask) -> None:
    """What is not a page answers under /api/v1, so that sessions and problems are the same everywhere."""
    writing = {rule.rule for rule in app.url_map.iter_rules() if (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}}
    assert writing
    assert [address for address in writing if not address.startswith("/api/v1/")] == []


def test_no_get_takes_a_body_and_what_is_shared_is_everybodys(app: Flask) -> None:
    for rule, method, path in calls(app):
        endpoint = endpoint_of(app, rule)
        assert method != "GET" or endpoint.body is None, f"{path} takes a body on GET"
        assert not endpoint.shared or (method == "GET" and endpoint.who == "anyone"), f"{path} is shared but not everybody's"


@pytest.fixture
def visitors(shop: Flask, new_client: Callable[[], ShopClient]) -> dict[str, Callable[[], ShopClient]]:
    """A fresh browser of each kind whenever asked, so that a route that signs out does not spoil the walk."""
    users = {name: factories.user(f"walker-{name}", role=role) for name, role in ROLES.items()}
    users["deactivated"] = factories.user("walker-gone", status="deactivated")
    made: dict[str, Callable[[], ShopClient]] = {name: lambda user=user: new_client().as_(user) for name, user in users.items()}  # type: ignore[misc]
    return made | {"anonymous": new_client}


def test_each_kind_of_visitor_gets_where_it_may_and_nowhere_else(shop: Flask, visitors: dict[str, Callable[[], ShopClient]]) -> None:
    wrong = []
    for rule, method, path in calls(shop):
        endpoint = endpoint_of(shop, rule)
        for kind, browser in visitors.items():
            answer = browser().open(path, method=method, **({} if method == "GET" else {"json": {}}))
            if not _is_right(answer.status_code, endpoint, kind):
                wrong.append((kind, method, path, endpoint.who, answer.status_code))
    assert wrong == []


def _is_right(status: int, endpoint: Endpoint, kind: str) -> bool:
    if kind not in ALLOWED[endpoint.who]:
        return status == (403 if kind in ROLES else 401)
    return status < 500 and status not in {401, 403} - set(endpoint.problems)


def test_each_guard_lets_in_whom_it_names(shop_with: Make) -> None:
    guards = ["anyone", "signed_in", "staff", "admin"]
    # No other test asks for this app, so that it may be given more routes.
    app = shop_with(name="The gate")
    for guard in guards:
        app.add_url_rule(f"/api/v1/guarded/{guard}", guard, getattr(http, guard)(_guarded))
    users = {name: factories.user(f"{name}-at-the-gate", role=role) for name, role in ROLES.items()}
    users["deactivated"] = factories.user("gone-from-the-gate", status="deactivated")
    clients = {"anonymous": app.test_client()} | {kind: app.test_client().as_(user) for kind, user in users.items()}  # type: ignore[attr-defined]
    for guard in guards:
        statuses = {kind: client.get(f"/api/v1/guarded/{guard}").status_code for kind, client in clients.items()}
        assert statuses == {kind: 200 if kind in ALLOWED[guard] else 403 if kind in ROLES else 401 for kind in clients}, guard


def _guarded() -> dict[str, str]:
    return {"open": "sesame"}


def test_a_role_taken_away_counts_from_the_next_request_on(client: ShopClient, alice: User, owner_connection: Any) -> None:
    client.as_(alice)
    assert client.get("/api/v1/orders").status_code == 200
    cursor = owner_connection.cursor()
    cursor.execute("UPDATE users SET status = 'deactivated' WHERE id = %s", (alice.id,))
    cursor.close()
    assert client.get("/api/v1/orders").status_code == 401


@pytest.fixture
def order(client: ShopClient, alice: User, mug: Thing) -> str:
    """The number of an order of Alice's."""
    client.as_(alice).add(mug.variant)
    answer = client.order()
    assert answer.status_code == 201
    return str(answer.json["number"])


@pytest.mark.parametrize(("method", "end"), [("GET", ""), ("POST", "/cancellation")])
@pytest.mark.parametrize("who", ["bob", "ada", "nobody"])
def test_an_order_of_somebody_else_is_as_absent_as_one_that_never_was(
    new_client: Callable[[], ShopClient], order: str, bob: User, ada: User, who: str, method: str, end: str
) -> None:
    browser = new_client() if who == "nobody" else new_client().as_({"bob": bob, "ada": ada}[who])
    foreign, absent = (browser.open(f"/api/v1/orders/{number}{end}", method=method) for number in (order, "FC-NEVERWAS"))
    assert foreign.status_code == 404
    assert _without_id(foreign.json) == _without_id(absent.json)


def _without_id(problem: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in problem.items() if name != "request_id"}


@pytest.mark.parametrize("token", ["", "wrong", "ä", "A" * 24])
def test_no_token_opens_an_order_that_has_an_account(new_client: Callable[[], ShopClient], order: str, token: str) -> None:
    assert new_client().get(f"/api/v1/orders/{order}?token={token}").status_code == 404


def test_the_token_of_one_guest_opens_no_other_guests_order(new_client: Callable[[], ShopClient], mug: Thing) -> None:
    tokens = {}
    for _ in range(2):
        guest = new_client()
        guest.add(mug.variant)
        placed = guest.order(email="guest@example.com").json
        tokens[placed["number"]] = placed["token"]
    (first, own), (_, other) = tokens.items()
    assert new_client().get(f"/api/v1/orders/{first}?token={own}").status_code == 200
    assert new_client().get(f"/api/v1/orders/{first}?token={other}").status_code == 404
    assert new_client().get(f"/api/v1/orders/{first}").status_code == 404


@pytest.mark.parametrize("who", ["bob", "guest", "nobody"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_line_of_somebody_elses_cart_is_not_there(
    client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User, mug: Thing, who: str, method: str
) -> None:
    line = client.as_(alice).add(mug.variant, 2).json["items"][0]["id"]
    browser = new_client().as_(bob) if who == "bob" else new_client()
    if who != "nobody":
        browser.add(factories.product().variant)
    body = {"json": {"quantity": 1}} if method == "PATCH" else {}

    foreign, absent = (browser.open(f"/api/v1/cart/items/{item}", method=method, **body) for item in (line, line + 1000))

    assert foreign.status_code == 404
    assert _without_id(foreign.json) == _without_id(absent.json)
    assert client.get("/api/v1/cart").json["items"][0]["quantity"] == 2
