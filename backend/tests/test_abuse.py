"""Abuse of what guests may do: each kind has a limit, and honest shoppers never meet it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User
from test_accounts import change
from werkzeug.test import TestResponse

from app import db
from app.services import limits, retention, sessions, settings

NewClient = Callable[[], ShopClient]
VICTIM = "victim@example.com"
NOWHERE = "FC-NEVERWAS"


def guest_at(new_client: NewClient, ip: str, *variants: int) -> ShopClient:
    """A fresh browser on this address, with a cart that holds these variants."""
    browser = new_client()
    browser.environ_base["REMOTE_ADDR"] = ip
    if variants:
        browser.set_cookie("session", factories.cookie_of_guest(*variants))
    return browser


def order_at(new_client: NewClient, ip: str, thing: Thing, email: str) -> TestResponse:
    """A guest's order of one product, out of a fresh browser on this address."""
    return guest_at(new_client, ip, thing.variant).order(email=email)


def set_limits(**chosen: dict[str, int]) -> None:
    db.transaction(lambda tx: settings.put(tx, "limits", chosen))


def count_of(table: str) -> int:
    return int(factories.value(f"SELECT COUNT(*) FROM {table}"))


# ---------------------------------------------------------------- orders


def test_forty_five_carts_on_one_address_neither_flood_a_mailbox_nor_empty_the_stock(
    new_client: NewClient,
) -> None:
    mug = factories.product("Mug", stock=50)
    answers = [order_at(new_client, "203.0.113.5", mug, VICTIM) for _ in range(45)]
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {201: 8, 429: 37}
    refused = [answer for answer in answers if answer.status_code == 429]
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert count_of("mails") == 8
    assert factories.stock_of(mug.variant) == 42


def test_other_mailboxes_do_not_widen_what_one_network_may_order(new_client: NewClient) -> None:
    mug = factories.product("Mug", stock=50)
    people = [(f"2001:db8:1:2::{n:x}", f"name{n}@example.com") for n in range(45)]
    answers = [order_at(new_client, ip, mug, email) for ip, email in people]
    assert Counter(answer.status_code for answer in answers) == {201: 20, 429: 25}
    assert factories.stock_of(mug.variant) == 30
    elsewhere = guest_at(new_client, "2001:db8:1:3::1", mug.variant)
    assert elsewhere.order(email="other@example.com").status_code == 201


def test_a_day_has_a_limit_of_its_own(new_client: NewClient, mug: Thing) -> None:
    set_limits(guest_orders_day={"uses": 2, "seconds": 86400})
    answers = [order_at(new_client, "203.0.113.5", mug, f"n{n}@example.com") for n in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]


@pytest.mark.parametrize(
    "spelling",
    ["victim+{n}@example.com", "VICTIM+{n}@Example.com", "v.ictim+{n}@gmail.com"],
)
def test_the_spelling_of_an_address_does_not_widen_its_limit(
    new_client: NewClient,
    spelling: str,
) -> None:
    mug = factories.product("Mug", stock=50)
    people = [(f"198.51.{n}.1", spelling.format(n=n)) for n in range(10)]
    answers = [order_at(new_client, ip, mug, email) for ip, email in people]
    assert Counter(answer.status_code for answer in answers) == {201: 8, 429: 2}


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Mail@Example.com", "mail@example.com", True),
        ("mail+shop@example.com", "mail@example.com", True),
        ("m.a.i.l@gmail.com", "mail@gmail.com", True),
        ("m.ail@example.com", "mail@example.com", False),
        ("mail@example.com", "mail@example.org", False),
        ("+only@example.com", "@example.com", False),
    ],
)
def test_addresses_of_one_mailbox_are_counted_as_one(one: str, other: str, alike: bool) -> None:
    assert (limits.mailbox_key(one) == limits.mailbox_key(other)) is alike


def test_a_family_orders_as_it_likes(new_client: NewClient) -> None:
    mug = factories.product("Mug", stock=50)
    for name in ("mother", "father", "child"):
        for _ in range(4):
            browser = guest_at(new_client, "203.0.113.5", mug.variant)
            assert browser.order(email=f"{name}@example.com").status_code == 201


def test_an_office_of_members_orders_behind_one_address(new_client: NewClient) -> None:
    mug = factories.product("Mug", stock=50)
    for n in range(25):
        browser = guest_at(new_client, "203.0.113.5").as_(factories.user(f"member{n}"))
        browser.add(mug.variant)
        assert browser.order().status_code == 201


def test_members_of_one_network_have_a_limit_too(
    new_client: NewClient,
    alice: User,
    bob: User,
) -> None:
    set_limits(account_orders={"uses": 2, "seconds": 3600})
    mug = factories.product("Mug", stock=50)
    statuses = []
    for account in (alice, bob, alice):
        browser = guest_at(new_client, "203.0.113.5").as_(account)
        browser.add(mug.variant)
        statuses.append(browser.order().status_code)
    assert statuses == [201, 201, 429]


def test_a_member_who_types_another_address_is_a_stranger_to_it(
    client: ShopClient,
    alice: User,
) -> None:
    mug = factories.product("Mug", stock=50)
    client.as_(alice)
    statuses = []
    for email in [VICTIM] * 9 + [alice.email] * 2:
        client.add(mug.variant)
        statuses.append(client.order(email=email).status_code)
    assert statuses == [201] * 8 + [429] + [201] * 2


def test_a_refused_order_uses_nothing_up(new_client: NewClient) -> None:
    empty = factories.product("Sold out", stock=1)
    browser = guest_at(new_client, "203.0.113.5", empty.variant)
    change("UPDATE variants SET stock = 0")
    change("DELETE FROM stock_movements")
    assert {browser.order(email=VICTIM).status_code for _ in range(25)} == {409}
    mug = factories.product("Mug", stock=5)
    assert guest_at(new_client, "203.0.113.5", mug.variant).order(email=VICTIM).status_code == 201


def test_the_same_order_sent_again_uses_nothing_up(new_client: NewClient, mug: Thing) -> None:
    set_limits(emails_to={"uses": 2, "seconds": 3600})
    browser = guest_at(new_client, "203.0.113.5", mug.variant)
    answers = [browser.order("one key", email=VICTIM) for _ in range(6)]
    assert {answer.json["number"] for answer in answers} == {answers[0].json["number"]}
    assert guest_at(new_client, "203.0.113.5", mug.variant).order(email=VICTIM).status_code == 201
    beyond = guest_at(new_client, "203.0.113.5", mug.variant)
    assert beyond.order(email=VICTIM).status_code == 429
    # Over its limit, what was ordered before is still told.
    again = browser.order("one key", email=VICTIM)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")


def test_the_limits_cost_an_order_a_fixed_number_of_statements(
    new_client: NewClient,
    statements: Callable[[], int],
) -> None:
    mug = factories.product("Mug", stock=50)
    costs = set()
    for n in range(4):
        browser = guest_at(new_client, "203.0.113.5", mug.variant)
        before = statements()
        browser.order(email=f"n{n}@example.com")
        costs.add(statements() - before)
    assert len(costs) == 1
    assert costs.pop() <= 24


# ---------------------------------------------------------------- emails


def test_all_that_strangers_cause_counts_for_one_mailbox(
    new_client: NewClient,
    alice: User,
    mug: Thing,
) -> None:
    set_limits(emails_to={"uses": 4, "seconds": 3600})
    form = {"name": "A", "email": VICTIM, "subject": "S", "message": "M"}
    stock_requests = f"/api/v1/variants/{mug.variant}/stock-requests"
    acts: list[Callable[[ShopClient], Any]] = [
        lambda browser: browser.order(email=VICTIM),
        lambda browser: browser.post("/api/v1/contact", json=form),
        lambda browser: browser.post("/api/v1/newsletter/subscription", json={"email": VICTIM}),
        lambda browser: browser.post(stock_requests, json={"email": VICTIM}),
    ]
    for n, act in enumerate(acts):
        assert act(guest_at(new_client, f"198.51.100.{n}", mug.variant)).status_code < 300
    for n, act in enumerate(acts):
        assert act(guest_at(new_client, f"203.0.113.{n}", mug.variant)).status_code == 429
    assert count_of("mails") == 3
    # An account's own address is proven: its owner asks for as many as they like.
    member = guest_at(new_client, "203.0.113.9").as_(alice)
    for _ in range(5):
        assert member.post(stock_requests, json={"email": alice.email}).status_code == 202


# ---------------------------------------------------------------- codes


@pytest.fixture
def coupon(new_client: NewClient, ada: User) -> str:
    fields = {"code": "TEN", "name": "Ten off", "kind": "percent", "value": 1000}
    assert new_client().as_(ada).post("/api/v1/admin/coupons", json=fields).status_code == 201
    return "TEN"


def quote_with(browser: ShopClient, **code: str) -> Any:
    return browser.post("/api/v1/checkout/quote", json=code)


@pytest.mark.parametrize(("field", "allowed"), [("coupon", 20), ("gift_card", 10)])
def test_guesses_at_codes_end_and_then_a_good_code_looks_like_a_wrong_one(
    new_client: NewClient,
    coupon: str,
    mug: Thing,
    field: str,
    allowed: int,
) -> None:
    browsers = [guest_at(new_client, "203.0.113.5", mug.variant) for _ in range(4)]
    for n in range(allowed):
        browser = browsers[n % 4]
        if n % 2:
            answer = browser.order(email=VICTIM, **{field: f"WRONG{n}"})
            assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
        else:
            answer = quote_with(browser, **{field: f"WRONG{n}"})
            assert [one["code"] for one in answer.json["requirements"]] == [field]
    for code in ("WRONG", coupon):
        assert quote_with(browsers[0], **{field: code}).status_code == 429
        assert browsers[0].order(email=VICTIM, **{field: code}).status_code == 429
    assert quote_with(browsers[0]).status_code == 200
    elsewhere = guest_at(new_client, "198.51.100.1", mug.variant)
    assert quote_with(elsewhere, coupon=coupon).json["coupon"] == coupon


def test_a_good_code_is_asked_about_as_often_as_one_likes(
    new_client: NewClient,
    coupon: str,
    mug: Thing,
) -> None:
    browser = guest_at(new_client, "203.0.113.5", mug.variant)
    assert {quote_with(browser, coupon=coupon).status_code for _ in range(40)} == {200}


def test_a_code_that_is_over_or_used_up_looks_like_one_that_never_was(
    new_client: NewClient,
    coupon: str,
    mug: Thing,
) -> None:
    browser = guest_at(new_client, "203.0.113.5", mug.variant)
    never = quote_with(browser, coupon="NEVER").json["requirements"]
    for state in ("most_uses = 1, used_count = 1", "ends_at = UTC_TIMESTAMP(6)", "active = FALSE"):
        change(f"UPDATE promotions SET {state}")
        assert quote_with(browser, coupon=coupon).json["requirements"] == never
        change("UPDATE promotions SET used_count = 0, most_uses = NULL, ends_at = NULL, active = 1")


# ---------------------------------------------------------------- carts, wishlists and sessions

REFUSED = [
    ("POST", "/api/v1/cart/items", {"variant_id": 999}, 404),
    ("POST", "/api/v1/cart/items", {"variant_id": 0}, 422),
    ("POST", "/api/v1/cart/items", {"product_id": 999}, 404),
    ("PATCH", "/api/v1/cart/items/999", {"quantity": 1}, 404),
    ("DELETE", "/api/v1/cart/items/999", None, 404),
    ("PUT", "/api/v1/wishlist/999", None, 404),
    ("POST", f"/api/v1/orders/{NOWHERE}/reorder", None, 404),
    ("POST", "/api/v1/auth/login", {"identifier": "nobody", "password": "wrong"}, 401),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), REFUSED)
def test_a_write_that_is_refused_leaves_no_row_and_sets_no_cookie(
    client: ShopClient,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    status: int,
) -> None:
    answer = client.open(path, method=method, **({"json": body} if body else {}))
    assert answer.status_code == status
    assert "Set-Cookie" not in answer.headers
    assert [count_of(table) for table in ("sessions", "carts", "wishlist_items")] == [0, 0, 0]


def test_a_write_of_a_sold_out_product_leaves_no_row_and_sets_no_cookie(client: ShopClient) -> None:
    answer = client.add(factories.product(stock=0).variant)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (409, False)
    assert count_of("sessions") == count_of("carts") == 0


def test_a_refused_write_takes_nothing_from_somebody_who_has_a_cart(
    client: ShopClient,
    mug: Thing,
) -> None:
    client.add(mug.variant)
    assert client.add(999).status_code == 404
    assert client.get("/api/v1/cart").json["count"] == 1


def test_new_guests_of_one_network_are_limited(new_client: NewClient, mug: Thing) -> None:
    set_limits(guests={"uses": 3, "seconds": 3600})
    answers = [guest_at(new_client, "203.0.113.5").add(mug.variant) for _ in range(3)]
    path = f"/api/v1/wishlist/{mug.id}"
    answers += [guest_at(new_client, "203.0.113.5").put(path) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201] * 3 + [429] * 2
    assert (count_of("sessions"), count_of("wishlist_items")) == (3, 0)
    assert all("Set-Cookie" not in answer.headers for answer in answers[3:])
    assert guest_at(new_client, "198.51.100.1").put(path).status_code == 204


@pytest.mark.parametrize("what", ["cart", "wishlist"])
def test_writes_are_limited_by_buyer_and_by_network(
    new_client: NewClient,
    mug: Thing,
    what: str,
) -> None:
    def write(browser: ShopClient) -> int:
        if what == "cart":
            return browser.add(mug.variant).status_code // 100
        return browser.put(f"/api/v1/wishlist/{mug.id}").status_code // 100

    by_buyer, by_network = f"{what}_writes", f"{what}_writes_network"
    set_limits(**{by_buyer: {"uses": 3, "seconds": 3600}, by_network: {"uses": 5, "seconds": 3600}})
    one, other = (guest_at(new_client, "203.0.113.5", mug.variant) for _ in range(2))
    assert [write(one) for _ in range(4)] == [2, 2, 2, 4]
    assert [write(other) for _ in range(3)] == [2, 2, 4]
    moved = guest_at(new_client, "198.51.100.1", mug.variant)
    assert write(moved) == 2


def test_abandoned_rows_of_guests_are_purged(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    client.put(f"/api/v1/wishlist/{mug.id}")
    for table, column in (("carts", "updated_at"), ("wishlist_items", "added_at")):
        change(f"UPDATE {table} SET {column} = {column} - INTERVAL 91 DAY")
    change("UPDATE sessions SET expires_at = UTC_TIMESTAMP(6)")
    assert (retention.forget_guests(), sessions.delete_expired()) == ((1, 1), 1)
    assert [count_of(table) for table in ("sessions", "carts", "wishlist_items")] == [0, 0, 0]
