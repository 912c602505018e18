"""Reviews: written by buyers, read by staff before they are shown, and counted exactly whatever happens at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User
from flask import Flask
from test_accounts import at_once, change, rows
from werkzeug.test import TestResponse

WORDS = {"rating": 4, "title": "Keeps the tea warm", "body": "Heavy, but it\nfits the hand."}


def at(thing: Thing) -> str:
    return f"/api/v1/products/{thing.id}/reviews"


def buy(client: ShopClient, thing: Thing, **more: Any) -> str:
    client.add(thing.variant)
    answer = client.order(**more)
    assert answer.status_code == 201, answer.json
    return str(answer.json["number"])


def write(client: ShopClient, thing: Thing, **more: Any) -> TestResponse:
    return client.post(at(thing), json=WORDS | more)


def reviewed(client: ShopClient, who: User, thing: Thing, **more: Any) -> int:
    """A review by somebody who bought the thing; gives its id."""
    buy(client.as_(who), thing)
    answer = write(client, thing, **more)
    assert answer.status_code == 201, answer.json
    return int(answer.json["id"])


def decide(client: ShopClient, review: int, status: str = "approved", **more: Any) -> TestResponse:
    return client.patch(f"/api/v1/admin/reviews/{review}", json={"status": status} | more)


def tabs(new_client: Callable[[], ShopClient], user: User, count: int) -> list[ShopClient]:
    """So many windows of one browser: more browsers would sign each other out."""
    cookie = factories.cookie_of(user)
    found = [new_client() for _ in range(count)]
    for one in found:
        one.set_cookie("session", cookie)
    return found


def rating(thing: Thing) -> tuple[int, int]:
    return rows("SELECT rating_sum, rating_count FROM products WHERE id = %s", thing.id)[0]  # type: ignore[return-value]


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    """The browser of staff."""
    return new_client().as_(ada)


def test_a_review_is_shown_and_counted_once_staff_approved_it(
    client: ShopClient, new_client: Callable[[], ShopClient], desk: ShopClient, alice: User, mug: Thing
) -> None:
    review = reviewed(client, alice, mug)
    guest = new_client()
    assert guest.get(at(mug)).json == {
        **{"items": [], "next": None, "total": 0, "rating": None, "rating_count": 0},
        **{"histogram": {"1": 0, "2": 0, "3": 0, "4": 0, "5": 0}, "mine": None, "may_review": False},
    }
    mine = client.get(at(mug)).json["mine"]
    assert (mine["status"], mine["author"], mine["verified"], mine["body"]) == ("pending", "alice", True, WORDS["body"])

    assert decide(desk, review).json["status"] == "approved"
    told = guest.get(at(mug)).json
    assert [one | {"created_at": ""} for one in told["items"]] == [WORDS | {"id": review, "author": "alice", "verified": True, "created_at": ""}]
    assert (told["total"], told["rating"], told["rating_count"], told["histogram"]["4"]) == (1, 4.0, 1, 1)
    product = guest.get(f"/api/v1/products/{mug.slug}").json
    assert (product["rating"], product["rating_count"]) == (4.0, 1)
    assert rows("SELECT DISTINCT product_id FROM product_changes WHERE product_id = %s", mug.id) == [(mug.id,)]
    assert rows("SELECT kind, actor_id, subject_kind, subject_id, detail FROM events WHERE kind = 'review_moderated'") == [
        ("review_moderated", rows("SELECT id FROM users WHERE role = 'admin'")[0][0], "review", review, '{"status":"approved"}')
    ]


def test_the_shown_name_is_the_chosen_one_or_the_first_name_or_the_username(client: ShopClient, alice: User, mug: Thing) -> None:
    reviewed(client, alice, mug)
    assert client.get(at(mug)).json["mine"]["author"] == "alice"
    change("UPDATE users SET first_name = 'Alicia' WHERE id = %s", alice.id)
    assert write(client, mug).json["author"] == "Alicia"
    assert write(client, mug, author="A. L.").json["author"] == "A. L."


def test_who_did_not_buy_it_cannot_review_it(client: ShopClient, alice: User, mug: Thing) -> None:
    assert write(client, mug).status_code == 401
    buy(client.as_(alice), factories.product())
    answer = write(client, mug)
    assert (answer.status_code, answer.json["code"], client.get(at(mug)).json["may_review"]) == (403, "not_bought", False)


@pytest.mark.parametrize(("status", "may"), [("pending", False), ("placed", True), ("completed", True), ("cancelled", False), ("expired", False)])
def test_an_order_counts_while_it_stands(client: ShopClient, alice: User, mug: Thing, status: str, may: bool) -> None:
    number = buy(client.as_(alice), mug)
    change("UPDATE orders SET status = %s WHERE number = %s", status, number)
    assert client.get(at(mug)).json["may_review"] is may
    assert write(client, mug).status_code == (201 if may else 403)
    change("UPDATE orders SET status = 'placed' WHERE number = %s", number)


def test_an_order_of_somebody_else_or_of_a_guest_does_not_count(
    client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User, mug: Thing
) -> None:
    buy(new_client().as_(bob), mug)
    buy(new_client(), mug, email=alice.email)
    assert write(client.as_(alice), mug).status_code == 403


def test_a_changed_review_waits_again_and_is_one_still(client: ShopClient, desk: ShopClient, alice: User, mug: Thing) -> None:
    review = reviewed(client, alice, mug, rating=5)
    decide(desk, review)
    assert rating(mug) == (5, 1)

    answer = write(client, mug, rating=2, title="On reflection")
    assert (answer.json["id"], answer.json["status"], rating(mug)) == (review, "pending", (0, 0))
    assert client.get(at(mug)).json["items"] == []
    decide(desk, review)
    assert rating(mug) == (2, 1)


def test_the_author_takes_a_review_back_and_nobody_else(
    client: ShopClient, new_client: Callable[[], ShopClient], desk: ShopClient, alice: User, bob: User, mug: Thing
) -> None:
    decide(desk, reviewed(client, alice, mug))
    assert new_client().delete(f"{at(mug)}/mine").status_code == 401
    assert new_client().as_(bob).delete(f"{at(mug)}/mine").status_code == 404
    assert rating(mug) == (4, 1)
    assert [client.delete(f"{at(mug)}/mine").status_code for _ in range(2)] == [204, 404]
    assert (rating(mug), rows("SELECT id FROM reviews")) == ((0, 0), [])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("rating", 0), ("rating", 6), ("rating", 4.5), ("rating", "4"), ("rating", True), ("title", ""), ("title", "  "), ("title", "x" * 121)),
        *(
            ("title", "a\nb"),
            ("body", ""),
            ("body", "x" * 4001),
            ("body", "nul\x00"),
            ("author", "x" * 81),
            ("author", None),
            ("status", "approved"),
            ("user_id", 1),
        ),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_by_name(client: ShopClient, alice: User, mug: Thing, field: str, value: Any) -> None:
    buy(client.as_(alice), mug)
    answer = write(client, mug, **{field: value})
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert rows("SELECT id FROM reviews") == []


def test_what_is_not_sold_has_no_reviews(client: ShopClient, alice: User, mug: Thing) -> None:
    reviewed(client, alice, mug)
    change("UPDATE products SET published = FALSE WHERE id = %s", mug.id)
    assert [client.get(at(mug)).status_code, write(client, mug).status_code, client.get("/api/v1/products/999999/reviews").status_code] == [404, 404, 404]


def test_reviews_are_limited(client: ShopClient, alice: User, mug: Thing) -> None:
    buy(client.as_(alice), mug)
    assert {write(client, mug).status_code for _ in range(30)} == {201}
    assert write(client, mug).status_code == 429


@pytest.fixture
def many(mug: Thing) -> list[int]:
    """Twelve approved reviews of the mug, with stars from 1 to 5 in turn; gives their ids."""
    for number in range(12):
        user = factories.user(f"buyer{number}")
        change(
            "INSERT INTO reviews (product_id, user_id, author, rating, title, body, status, created_at, updated_at, moderated_at)"
            " VALUES (%s, %s, %s, %s, 'So', 'It is.', 'approved', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
            *(mug.id, user.id, user.username, number % 5 + 1),
        )
    change("UPDATE products SET rating_sum = (SELECT SUM(rating) FROM reviews), rating_count = 12 WHERE id = %s", mug.id)
    return [row[0] for row in rows("SELECT id FROM reviews ORDER BY id")]


@pytest.mark.parametrize("sort", ["newest", "highest", "lowest"])
def test_pages_show_every_review_once_in_order(client: ShopClient, mug: Thing, many: list[int], sort: str) -> None:
    found: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page = client.get(at(mug), query_string={"sort": sort, "limit": 5, "after": after}).json
        found, after = found + page["items"], page["next"]
        assert (page["total"], page["rating"], page["histogram"]) == (12, 2.8, {"1": 3, "2": 3, "3": 2, "4": 2, "5": 2})
    assert sorted(one["id"] for one in found) == many
    stars = [one["rating"] for one in found]
    assert stars == {"newest": stars, "highest": sorted(stars, reverse=True), "lowest": sorted(stars)}[sort]
    if sort == "newest":
        assert [one["id"] for one in found] == many[::-1]


def test_a_cursor_is_good_for_its_own_order_only(client: ShopClient, mug: Thing, many: list[int]) -> None:
    following = client.get(at(mug), query_string={"sort": "highest", "limit": 5}).json["next"]
    for query in ({"sort": "lowest", "after": following}, {"after": "nonsense"}, {"sort": "best"}, {"limit": 0}):
        assert client.get(at(mug), query_string=query).status_code == 422


def test_a_page_costs_the_same_however_many_there_are(client: ShopClient, alice: User, mug: Thing, many: list[int], statements: Callable[[], int]) -> None:
    client.as_(alice)
    before = statements()
    client.get(at(mug), query_string={"limit": 2})
    few, before = statements() - before, statements()
    client.get(at(mug), query_string={"limit": 100})
    assert statements() - before == few <= 6


# ---------------------------------------------------------------- staff


def test_only_staff_read_what_waits_and_decide(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User, mug: Thing) -> None:
    review = reviewed(client, alice, mug)
    for browser, status in ((new_client(), 401), (client, 403), (new_client().as_(bob), 403)):
        assert [browser.get("/api/v1/admin/reviews").status_code, decide(browser, review).status_code] == [status, status]
    clerk = new_client().as_(factories.user("clerk", role="staff"))
    assert [clerk.get("/api/v1/admin/reviews").status_code, decide(clerk, review).status_code, decide(clerk, 999999).status_code] == [200, 200, 404]


def test_staff_list_by_state_search_and_page(client: ShopClient, desk: ShopClient, alice: User, bob: User, mug: Thing) -> None:
    hers = reviewed(client, alice, mug, title="100% fine")
    his = reviewed(client, bob, factories.product("Teapot"), body="Drips.")
    decide(desk, hers)

    def ids(**query: Any) -> list[int]:
        told = desk.get("/api/v1/admin/reviews", query_string=query).json
        assert told["total"] == len(told["items"])
        return [one["id"] for one in told["items"]]

    assert ids() == [his, hers]
    assert (ids(status="pending"), ids(status="approved"), ids(status="rejected")) == ([his], [hers], [])
    assert (ids(q="teapot"), ids(q="drip"), ids(q="alice"), ids(q="100%"), ids(q="%")) == ([his], [his], [hers], [hers], [hers])
    first = desk.get("/api/v1/admin/reviews?limit=1").json
    second = desk.get("/api/v1/admin/reviews", query_string={"limit": 1, "after": first["next"]}).json
    assert [first["items"][0]["id"], second["items"][0]["id"], first["total"], second["next"]] == [his, hers, 2, None]
    assert first["items"][0]["product"]["title"] == "Teapot"


@pytest.mark.parametrize("steps", [["approved", "rejected"], ["rejected", "approved"], ["approved", "approved"], ["approved", "pending", "approved"]])
def test_the_rating_follows_every_decision(client: ShopClient, desk: ShopClient, alice: User, mug: Thing, steps: list[str]) -> None:
    review = reviewed(client, alice, mug)
    for status in steps:
        assert decide(desk, review, status).json["status"] == status
        assert rating(mug) == ((4, 1) if status == "approved" else (0, 0))


def test_words_that_changed_since_they_were_read_are_not_approved(client: ShopClient, desk: ShopClient, alice: User, mug: Thing) -> None:
    review = reviewed(client, alice, mug)
    read = desk.get("/api/v1/admin/reviews").json["items"][0]["version"]
    write(client, mug, title="Buy pills")
    answer = decide(desk, review, version=read)
    assert (answer.status_code, answer.json["code"], answer.json["current"]["title"], rating(mug)) == (409, "stale", "Buy pills", (0, 0))
    assert decide(desk, review, "rejected", version=answer.json["current"]["version"]).status_code == 200


# ---------------------------------------------------------------- at once


def test_two_reviews_at_once_by_one_buyer_are_one(shop: Flask, new_client: Callable[[], ShopClient], alice: User, mug: Thing) -> None:
    browsers = tabs(new_client, alice, 4)
    buy(browsers[0], mug)
    assert at_once(4, lambda n: write(browsers[n], mug, rating=n + 1).status_code) == [201] * 4
    assert rows("SELECT COUNT(*) FROM reviews") == [(1,)]


def test_moderators_at_once_count_a_review_once(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, mug: Thing) -> None:
    review = reviewed(client, alice, mug)
    desks = [new_client().as_(factories.user(f"clerk{n}", role="staff")) for n in range(4)]
    assert at_once(4, lambda n: decide(desks[n], review).status_code) == [200] * 4
    assert rating(mug) == (4, 1)
    assert rows("SELECT COUNT(*) FROM events WHERE kind = 'review_moderated'") == [(1,)]


def test_of_two_opposite_decisions_at_once_one_is_told_of_the_other(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, mug: Thing) -> None:
    review = reviewed(client, alice, mug)
    desks = [new_client().as_(factories.user(f"clerk{n}", role="staff")) for n in range(2)]
    version = desks[0].get("/api/v1/admin/reviews").json["items"][0]["version"]
    answers = at_once(2, lambda n: decide(desks[n], review, ["approved", "rejected"][n], version=version).status_code)
    assert sorted(answers) == [200, 409]


def test_decisions_on_several_reviews_of_a_product_all_count(new_client: Callable[[], ShopClient], ada: User, mug: Thing) -> None:
    change("UPDATE variants SET stock = 50 WHERE id = %s", mug.variant)
    change("UPDATE stock_movements SET quantity = 50 WHERE variant_id = %s", mug.variant)
    reviews = [reviewed(new_client(), factories.user(f"buyer{n}"), mug, rating=n % 5 + 1) for n in range(6)]
    desks = tabs(new_client, ada, 6)
    assert at_once(6, lambda n: decide(desks[n], reviews[n]).status_code) == [200] * 6
    assert rating(mug) == (1 + 2 + 3 + 4 + 5 + 1, 6)
