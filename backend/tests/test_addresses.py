"""The address book: one default whatever happens at once, nobody else's addresses, and orders that go to a saved one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import ADDRESS, Thing, User
from test_accounts import at_once, rows
from werkzeug.test import TestResponse

BOOK = "/api/v1/me/addresses"


def add(client: ShopClient, **more: Any) -> TestResponse:
    return client.post(BOOK, json=ADDRESS | more)


def added(client: ShopClient, **more: Any) -> int:
    answer = add(client, **more)
    assert answer.status_code == 201, answer.json
    return int(answer.json["id"])


def book(client: ShopClient) -> list[dict[str, Any]]:
    return list(client.get(BOOK).json["items"])


def default(client: ShopClient) -> int | None:
    """The id of the one default; there must be exactly one while there is any address."""
    marked = [address["id"] for address in book(client) if address["is_default"]]
    assert len(marked) == min(1, len(book(client)))
    return marked[0] if marked else None


def order_to(client: ShopClient, key: str = "", **more: Any) -> TestResponse:
    body = factories.order_body(**more)
    if "address_id" in more and "address" not in more:
        del body["address"]
    return client.post("/api/v1/orders", json=body, headers={"Idempotency-Key": key or "one"})


def test_an_address_is_kept_as_given(client: ShopClient, alice: User) -> None:
    given = ADDRESS | {"line2": "2nd floor", "region": "East Flanders", "phone": "+32 9 1", "label": "Home", "is_default": True}
    answer = add(client.as_(alice), **given)
    assert answer.status_code == 201
    assert answer.json == given | {"id": answer.json["id"]}
    assert client.get(BOOK).json == {"items": [answer.json], "next": None, "total": 1}


def test_the_first_address_is_the_default_and_others_only_when_they_say_so(client: ShopClient, alice: User) -> None:
    client.as_(alice)
    assert default(client) is None
    first = added(client, is_default=False)
    assert default(client) == first
    added(client)
    assert default(client) == first
    third = added(client, is_default=True)
    assert default(client) == third
    assert book(client)[0]["id"] == third


def test_the_default_moves_by_naming_another_and_is_never_merely_dropped(client: ShopClient, alice: User) -> None:
    client.as_(alice)
    first, second = added(client), added(client)
    assert client.put(f"{BOOK}/{second}", json=ADDRESS | {"is_default": True}).json["is_default"] is True
    assert default(client) == second
    assert client.put(f"{BOOK}/{second}", json=ADDRESS | {"is_default": False, "city": "Brugge"}).json["is_default"] is True
    assert default(client) == second
    assert client.put(f"{BOOK}/{first}", json=ADDRESS).json["is_default"] is False


def test_after_the_default_is_deleted_the_one_before_it_is(client: ShopClient, alice: User) -> None:
    client.as_(alice)
    first, second, third = added(client), added(client, is_default=True), added(client, is_default=True)
    for gone, next_one in ((third, second), (second, first), (first, None)):
        assert default(client) == gone
        assert client.delete(f"{BOOK}/{gone}").status_code == 204
        assert default(client) == next_one


def test_an_address_is_replaced_as_a_whole(client: ShopClient, alice: User) -> None:
    client.as_(alice)
    address = added(client, label="Home", line2="2nd floor")
    answer = client.put(f"{BOOK}/{address}", json=ADDRESS | {"city": "Brugge"})
    assert (answer.status_code, answer.json["city"], answer.json["label"], answer.json["line2"]) == (200, "Brugge", "", "")
    assert client.put(f"{BOOK}/{address}", json=ADDRESS | {"city": "Brugge"}).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_address_of_somebody_else_is_as_absent_as_one_that_never_was(client: ShopClient, alice: User, bob: User, method: str) -> None:
    hers = added(client.as_(alice))
    client.as_(bob)
    answers = [client.open(f"{BOOK}/{address}", method=method, json=ADDRESS) for address in (hers, hers + 1000, 2**70)]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert len({answer.json["detail"] for answer in answers}) == 1
    assert (book(client), [address["id"] for address in book(client.as_(alice))]) == ([], [hers])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", "  "), ("line1", ""), ("city", None), ("postcode", 9000), ("postcode", "x" * 21), ("country", "be"), ("country", "BEL")),
        *(("label", "x" * 41), ("is_default", "true"), ("is_default", 1), ("is_default", None), ("user_id", 1), ("id", 1), ("line2", "a\r\nb")),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_by_name(client: ShopClient, alice: User, field: str, value: Any) -> None:
    answer = add(client.as_(alice), **{field: value})
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert book(client) == []


def test_a_book_holds_twenty_addresses_however_many_come_at_once(new_client: Callable[[], ShopClient], alice: User) -> None:
    browsers = [new_client().as_(alice) for _ in range(3)]
    for _ in range(15):
        added(browsers[0])
    answers = at_once(12, lambda n: add(browsers[n % 3]).status_code)
    assert Counter(answers) == {201: 5, 409: 7}
    assert len(book(browsers[0])) == 20


def test_many_defaults_at_once_are_one_default(new_client: Callable[[], ShopClient], alice: User) -> None:
    browsers = [new_client().as_(alice) for _ in range(3)]
    assert at_once(9, lambda n: add(browsers[n % 3], is_default=True).status_code) == [201] * 9
    assert default(browsers[0]) is not None
    ids = [address["id"] for address in book(browsers[0])]

    def stir(number: int) -> int:
        if number % 3 == 0:
            return browsers[0].delete(f"{BOOK}/{ids[number]}").status_code
        return browsers[number % 3].put(f"{BOOK}/{ids[number]}", json=ADDRESS | {"is_default": True}).status_code

    assert set(at_once(9, stir)) <= {200, 204}
    assert len(book(browsers[0])) == 6
    assert default(browsers[0]) is not None


def test_somebody_who_is_not_signed_in_has_no_book(client: ShopClient) -> None:
    assert [client.get(BOOK).status_code, add(client).status_code, client.delete(f"{BOOK}/1").status_code] == [401] * 3


# ---------------------------------------------------------------- orders to a saved address


def test_an_order_goes_to_a_saved_address_and_keeps_its_own_copy(client: ShopClient, alice: User, mug: Thing) -> None:
    address = added(client.as_(alice), label="Home", line2="2nd floor", phone="+32 9 1")
    client.add(mug.variant)
    order = order_to(client, address_id=address)
    assert order.status_code == 201
    client.put(f"{BOOK}/{address}", json=ADDRESS | {"city": "Brugge"})
    client.delete(f"{BOOK}/{address}")
    kept = client.get(f"/api/v1/orders/{order.json['number']}").json["address"]
    assert kept == ADDRESS | {"line2": "2nd floor", "region": "", "phone": "+32 9 1"}


def test_a_repeated_order_to_a_saved_address_is_the_same_order_even_when_the_address_changed(client: ShopClient, alice: User, mug: Thing) -> None:
    address = added(client.as_(alice))
    client.add(mug.variant)
    first = order_to(client, address_id=address)
    client.put(f"{BOOK}/{address}", json=ADDRESS | {"city": "Brugge"})
    again = order_to(client, address_id=address)
    client.delete(f"{BOOK}/{address}")
    once_more = order_to(client, address_id=address)
    assert [answer.status_code for answer in (first, again, once_more)] == [201] * 3
    assert {answer.json["number"] for answer in (first, again, once_more)} == {first.json["number"]}
    assert rows("SELECT COUNT(*) FROM orders") == [(1,)]


@pytest.mark.parametrize("who", ["bob", "guest"])
def test_nobody_orders_to_an_address_of_somebody_else(
    client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User, mug: Thing, who: str
) -> None:
    address = added(client.as_(alice))
    browser = new_client() if who == "guest" else new_client().as_(bob)
    browser.add(mug.variant)
    answers = [order_to(browser, address_id=number, email="x@example.com") for number in (address, address + 1000)]
    quotes = [browser.post("/api/v1/checkout/quote", json={"address_id": number}) for number in (address, address + 1000)]
    assert [answer.status_code for answer in answers + quotes] == [404] * 4
    assert len({answer.json["detail"] for answer in answers + quotes}) == 1
    assert rows("SELECT COUNT(*) FROM orders") == [(0,)]


def test_an_order_takes_exactly_one_of_address_and_saved_address(client: ShopClient, alice: User, mug: Thing) -> None:
    address = added(client.as_(alice))
    client.add(mug.variant)
    both = order_to(client, address=ADDRESS, address_id=address)
    assert (both.status_code, list(both.json["errors"])) == (422, ["address_id"])
    neither = client.post("/api/v1/orders", json={"shipping_method": "standard", "payment_method": "bank_transfer"}, headers={"Idempotency-Key": "k"})
    assert (neither.status_code, neither.json["errors"]) == (422, {"address": ["This is needed."]})
    quote = client.post("/api/v1/checkout/quote", json={"address": {"country": "BE"}, "address_id": address})
    assert (quote.status_code, list(quote.json["errors"])) == (422, ["address_id"])


def test_a_saved_address_in_a_country_that_is_not_delivered_to_is_told_so(client: ShopClient, alice: User, mug: Thing) -> None:
    near, far = added(client.as_(alice)), added(client, country="US")
    client.add(mug.variant)
    quotes = [client.post("/api/v1/checkout/quote", json={"address_id": address}).json["requirements"] for address in (near, far)]
    assert [[one["code"] for one in found] for found in quotes] == [[], ["country"]]
    answer = order_to(client, address_id=far)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["address_id"])
