"""Gift cards: bought, mailed, spent over several orders, given back, and never worth more than was put on them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import factories
import orjson
import pytest
from conftest import ShopClient
from factories import Thing, User
from test_accounts import alike, at_once, change, rows
from test_users import act_as
from werkzeug.test import TestResponse

from app import db, security
from app.errors import Conflict
from app.services import gift_cards, orders

CARDS = "/api/v1/admin/gift-cards"
Give = Callable[..., str]


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    return act_as(new_client(), ada)


@pytest.fixture
def give(desk: ShopClient) -> Give:
    """Issues a card and gives its code, as its mail tells it."""

    def issue(amount_minor: int = 5000, key: str = "") -> str:
        answer = send(desk, amount_minor, key or str(len(rows("SELECT id FROM gift_cards"))))
        assert answer.status_code == 201, answer.json
        return codes()[-1]

    return issue


@pytest.fixture
def card_product(shop: Any) -> Thing:
    """The product "Gift card", in two values."""
    values = [{"options": (f"{value}", "", ""), "price_minor": value * 100, "tracked": False} for value in (25, 50)]
    thing = factories.product("Gift card", option_names=("Value", "", ""), variants=values)
    change("UPDATE products SET gift_card = TRUE WHERE id = %s", thing.id)
    return thing


def send(desk: ShopClient, amount_minor: int, key: str, email: str = "friend@example.com") -> TestResponse:
    return desk.post(CARDS, json={"amount_minor": amount_minor, "email": email, "message": "Well done"}, headers={"Idempotency-Key": key})


def codes() -> list[str]:
    found = [orjson.loads(data)["cards"] for (data,) in rows("SELECT data FROM mails WHERE template = 'gift_card' ORDER BY id")]
    return [card["code"] for cards in found for card in cards]


def quoted(client: ShopClient, **asked: Any) -> Any:
    return client.post("/api/v1/checkout/quote", json=asked).json


def order(client: ShopClient, email: str = "guest@example.com", **more: Any) -> TestResponse:
    return client.order(email=email, **more)


def balances() -> list[int]:
    return [row[0] for row in rows("SELECT balance_minor FROM gift_cards ORDER BY id")]


def ledger() -> list[tuple[str, int]]:
    return rows("SELECT reason, amount_minor FROM gift_card_movements ORDER BY id")  # type: ignore[return-value]


def order_id(number: str) -> int:
    return int(rows("SELECT id FROM orders WHERE number = %s", number)[0][0])


# ---------------------------------------------------------------- spending


def test_a_card_pays_what_it_holds_and_keeps_the_rest_for_the_next_order(client: ShopClient, give: Give, mug: Thing) -> None:
    code = give(3000)
    client.add(mug.variant)
    quote = quoted(client, gift_card=f" {code.lower().replace('-', ' ')} ")
    assert (quote["total_minor"], quote["gift_card_minor"], quote["due_minor"]) == (2290, 2290, 0)
    assert quote["gift_card"] == {"last_letters": code[-4:], "balance_minor": 3000}
    assert [step["amount_minor"] for step in quote["explanation"] if step["step"] in ("gift_card", "due")] == [-2290, 0]

    first = order(client, gift_card=code, expected_due_minor=0).json
    client.add(mug.variant)
    second = order(client, gift_card=code).json

    assert (first["gift_card_minor"], first["due_minor"]) == (2290, 0)
    assert (second["gift_card_minor"], second["due_minor"]) == (710, 1580)
    assert balances() == [0]
    assert ledger() == [("issued", 3000), ("spent", -2290), ("spent", -710)]


@pytest.mark.parametrize("method", ["cash_on_delivery", "bank_transfer"])
def test_an_order_that_a_card_pays_in_full_is_placed_and_paid_at_once(client: ShopClient, give: Give, mug: Thing, method: str) -> None:
    code = give()
    client.add(mug.variant)
    placed = order(client, gift_card=code, payment_method=method).json
    assert (placed["status"], placed["payment_status"], placed["payment"]["instructions"]) == ("placed", "paid", "Nothing is left to pay.")
    assert [event["kind"] for event in placed["events"]] == ["placed", "paid"]
    assert placed["payment"]["pay_by"] is None


@pytest.mark.parametrize("state", ["wrong", "empty", "expired", "voided", "foreign"])
def test_a_card_that_cannot_be_spent_is_said_so_in_the_same_words_whatever_the_reason(client: ShopClient, give: Give, mug: Thing, state: str) -> None:
    code = give()
    if state == "wrong":
        code = "AAAA-BBBB-CCCC-DDDD-EEEE"
    elif state == "empty":
        change("INSERT INTO gift_card_movements (gift_card_id, amount_minor, reason, at) SELECT id, -5000, 'adjusted', UTC_TIMESTAMP(6) FROM gift_cards")
        change("UPDATE gift_cards SET balance_minor = 0")
    else:
        fields = {"expired": "expires_at = UTC_TIMESTAMP(6)", "voided": "voided_at = UTC_TIMESTAMP(6)", "foreign": "currency = 'SEK'"}
        change(f"UPDATE gift_cards SET {fields[state]}")
    client.add(mug.variant)

    quote = quoted(client, gift_card=code)
    assert (quote["gift_card"], quote["gift_card_minor"]) == (None, 0)
    assert quote["requirements"] == [{"code": "gift_card", "message": gift_cards.UNKNOWN}]
    refused = order(client, gift_card=code)
    assert (refused.status_code, refused.json["errors"]) == (422, {"gift_card": [gift_cards.UNKNOWN]})
    asked = client.post("/api/v1/gift-cards/balance", json={"code": code})
    assert alike(asked, client.post("/api/v1/gift-cards/balance", json={"code": "ß’; --"}))
    assert client.get("/api/v1/cart").json["count"] == 1


def test_the_last_euros_of_a_card_go_to_one_of_many_orders(new_client: Callable[[], ShopClient], give: Give) -> None:
    code = give(5000)
    thing = factories.product("Lamp", stock=50, price_minor=3510)
    browsers = [new_client() for _ in range(6)]
    for browser in browsers:
        browser.add(thing.variant)
    answers = at_once(6, lambda number: order(browsers[number], f"guest{number}@example.com", gift_card=code, expected_due_minor=0))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 5}
    for answer in answers:
        if answer.status_code == 409:
            assert (answer.json["code"], answer.json["quote"]["gift_card_minor"]) == ("quote_changed", 1000)
    assert balances() == [1000]


def test_five_orders_at_once_never_take_more_from_a_card_than_it_held(new_client: Callable[[], ShopClient], give: Give) -> None:
    code, lamp = give(5000), factories.product("Lamp", stock=50, price_minor=3510)
    browsers = [new_client() for _ in range(5)]
    for browser in browsers:
        browser.set_cookie("session", factories.cookie_of_guest(lamp.variant))

    def insist(number: int) -> tuple[int, int]:
        """What the card was used for elsewhere a moment ago is ordered by the new quote, or without the card."""
        card = code
        while (answer := order(browsers[number], f"guest{number}@example.com", gift_card=card)).status_code != 201:
            assert answer.status_code == 422 or answer.json["code"] == "quote_changed", answer.json
            card = card if answer.status_code == 409 and answer.json["quote"]["gift_card"] else ""
        return answer.json["gift_card_minor"], answer.json["due_minor"]

    assert sorted(at_once(5, insist)) == [(0, 4000), (0, 4000), (0, 4000), (1000, 3000), (4000, 0)]
    assert sorted(ledger()) == [("issued", 5000), ("spent", -4000), ("spent", -1000)]
    assert balances() == [0]


def test_who_lost_the_race_for_a_card_orders_by_the_new_quote(new_client: Callable[[], ShopClient], give: Give, monkeypatch: pytest.MonkeyPatch) -> None:
    code = give(5000)
    thing = factories.product("Lamp", stock=50, price_minor=3510)
    first, second = new_client(), new_client()
    for browser in (first, second):
        browser.add(thing.variant)
    spend = gift_cards.spend

    def late(*given: Any) -> bool:
        monkeypatch.setattr(gift_cards, "spend", spend)
        assert order(second, "other@example.com", gift_card=code).status_code == 201
        return spend(*given)

    monkeypatch.setattr(gift_cards, "spend", late)
    lost = order(first, gift_card=code)
    assert (lost.status_code, lost.json["code"]) == (409, "quote_changed")
    now = lost.json["quote"]
    assert (now["gift_card_minor"], now["due_minor"]) == (1000, 3000)
    again = order(first, gift_card=code, cart_version=now["cart_version"], expected_due_minor=now["due_minor"])
    assert (again.status_code, again.json["due_minor"]) == (201, 3000)


def test_the_same_order_sent_by_many_threads_takes_from_the_card_once(
    client: ShopClient, new_client: Callable[[], ShopClient], give: Give, alice: User
) -> None:
    code, thing = give(5000), factories.product("Lamp", stock=50, price_minor=2000)
    client.as_(alice).add(thing.variant)
    browsers = [client, new_client().as_(alice), new_client().as_(alice)]
    answers = at_once(3, lambda number: browsers[number].order(key="one", gift_card=code))
    assert {(answer.status_code, answer.json["number"]) for answer in answers} == {(201, answers[0].json["number"])}
    assert balances() == [5000 - 2490]


# ---------------------------------------------------------------- giving back


def test_an_order_that_is_given_up_gives_its_card_the_money_back(client: ShopClient, give: Give, alice: User) -> None:
    code, thing = give(1000), factories.product(stock=9)
    client.as_(alice).add(thing.variant)
    number = client.order(gift_card=code).json["number"]
    assert balances() == [0]
    assert client.post(f"/api/v1/orders/{number}/cancellation").status_code == 200
    assert balances() == [1000]
    client.add(thing.variant)
    late = client.order(gift_card=code, payment_method="bank_transfer").json["number"]
    change("UPDATE orders SET pay_by = UTC_TIMESTAMP(6) - INTERVAL 1 DAY WHERE number = %s", late)
    assert orders.expire_due() == 1
    assert ledger() == [("issued", 1000), ("spent", -1000), ("released", 1000), ("spent", -1000), ("released", 1000)]


def test_an_erased_persons_unpaid_order_gives_its_card_the_money_back(client: ShopClient, give: Give, alice: User, mug: Thing) -> None:
    code = give(1000)
    client.as_(alice).add(mug.variant)
    client.order(gift_card=code)
    assert client.delete("/api/v1/me", json={"password": alice.password}).status_code == 204
    assert balances() == [1000]


def test_cancelling_twenty_times_gives_back_once_while_others_spend(client: ShopClient, new_client: Callable[[], ShopClient], give: Give, alice: User) -> None:
    code, thing = give(5000), factories.product(stock=60, price_minor=1510)
    client.as_(alice).add(thing.variant, 4)
    number = client.order(gift_card=code).json["number"]
    assert balances() == [0]
    browsers = [new_client().as_(alice) if i in (1, 3, 5) else new_client() for i in range(12)]
    for browser in browsers[::2]:
        browser.add(thing.variant)

    def act(i: int) -> int:
        if i % 2:
            return browsers[i % 6].post(f"/api/v1/orders/{number}/cancellation").status_code
        return order(browsers[i], gift_card=code).status_code

    answers = at_once(12, act)
    assert Counter(answers[1::2]) == {200: 1, 409: 5}
    assert set(answers[::2]) <= {201, 409, 422}
    spent = sum(row[0] for row in rows("SELECT gift_card_minor FROM orders WHERE status <> 'cancelled'"))
    assert balances() == [5000 - spent]
    assert rows("SELECT COUNT(*) FROM gift_card_movements WHERE reason = 'released'") == [(1,)]


def refund(desk: ShopClient, number: str, quantity: int, **more: Any) -> TestResponse:
    item_id = rows("SELECT MIN(id) FROM order_items WHERE order_id = %s", order_id(number))[0][0]
    body = {"items": [{"item_id": item_id, "quantity": quantity}] if quantity else []} | more
    return desk.post(f"/api/v1/admin/orders/{number}/refunds", json=body, headers={"Idempotency-Key": str(body)})


def test_a_refund_goes_back_to_the_card_and_never_more_than_it_paid(
    client: ShopClient,
    desk: ShopClient,
    give: Give,
    mug: Thing,
    ada: User,
) -> None:
    code = give(3000)
    client.add(mug.variant)
    number = order(client, gift_card=code).json["number"]
    factories.delivered(number, by=ada)
    change("UPDATE gift_cards SET expires_at = UTC_TIMESTAMP(6) + INTERVAL 1 DAY")
    assert refund(desk, number, 1).status_code < 300
    refund_id = rows("SELECT id FROM refunds")[0][0]
    with pytest.raises(Conflict):
        db.transaction(gift_cards.put_back, order_id(number), refund_id, 491)
    assert balances() == [710 + 1800]
    assert client.post("/api/v1/gift-cards/balance", json={"code": code}).json["balance_minor"] == 2510
    assert rows("SELECT DATEDIFF(expires_at, UTC_TIMESTAMP(6)) FROM gift_cards") == [(90,)], "money that came back can be spent for a while"
    assert refund(desk, number, 0, shipping_minor=490).status_code < 300
    assert balances() == [3000]


def test_an_order_that_a_card_paid_in_full_gives_all_of_it_back_when_it_is_cancelled(client: ShopClient, give: Give, alice: User, mug: Thing) -> None:
    code = give(3000)
    client.as_(alice).add(mug.variant)
    number = client.order(gift_card=code).json["number"]
    answers = [client.post(f"/api/v1/orders/{number}/cancellation").status_code for _ in range(2)]
    assert answers == [200, 409]
    assert balances() == [3000]
    assert ledger() == [("issued", 3000), ("spent", -2290), ("refunded", 2290)]


# ---------------------------------------------------------------- buying


def test_a_bought_card_is_issued_for_each_piece_once_the_order_is_paid(client: ShopClient, card_product: Thing, mug: Thing) -> None:
    client.add(card_product.variants[0], 2)
    client.add(card_product.variants[1])
    client.add(mug.variant)
    placed = order(client, email="giver@example.com").json
    assert placed["tax_minor"] == 300 + 0, "tax is in the mug; delivery is free and cards are taxed when they are spent"
    assert rows("SELECT gift_card, tax_rate_bp FROM order_items ORDER BY position") == [(1, 0), (1, 0), (0, 2000)]
    assert rows("SELECT id FROM gift_cards") == []

    for _ in range(2):
        db.transaction(gift_cards.issue_for, order_id(placed["number"]))

    assert sorted(balances()) == [2500, 2500, 5000]
    assert rows("SELECT recipient, order_id FROM mails WHERE template = 'gift_card'") == [("giver@example.com", order_id(placed["number"]))]
    assert len(set(codes())) == 3
    for code in codes():
        assert re.fullmatch(r"([2-9A-HJKMNP-Z]{4}-){4}[2-9A-HJKMNP-Z]{4}", code)
        assert client.post("/api/v1/gift-cards/balance", json={"code": code}).status_code == 200


def test_a_code_is_kept_by_its_hash_only(give: Give) -> None:
    code = give()
    assert len(set(security.ALPHABET)) ** gift_cards.LETTERS >= 2**80
    kept = str(rows("SELECT * FROM gift_cards")) + str(rows("SELECT * FROM events")) + str(rows("SELECT * FROM idempotency_keys"))
    assert code not in kept and code.replace("-", "") not in kept
    assert rows("SELECT code_hash FROM gift_cards") == [(security.hash_token(code.replace("-", "")),)]


def test_nothing_but_gift_cards_goes_by_mail_at_no_cost_to_any_country_and_to_no_street(client: ShopClient, card_product: Thing, mug: Thing) -> None:
    change("UPDATE variants SET weight_g = 90000 WHERE product_id = %s", card_product.id)
    client.add(card_product.variant)
    quote = quoted(client, shipping_method="express", address={"country": "US"})
    assert [(way["code"], way["price_minor"]) for way in quote["shipping_methods"]] == [("email", 0)]
    assert (quote["shipping_method"], quote["total_minor"], quote["tax_minor"], quote["requirements"]) == ("email", 2500, 0, [])
    assert "cash_on_delivery" not in [way["code"] for way in quote["payment_methods"]], "nobody comes to the door"
    somewhere = {"name": "Mia", "country": "US"}
    assert order(client, address=somewhere).json["errors"].keys() == {"payment_method"}
    placed = order(client, address=somewhere, payment_method="bank_transfer").json
    assert (placed["shipping_name"], placed["total_minor"], placed["address"]["line1"]) == ("Sent by e-mail", 2500, "")
    client.add(card_product.variant)
    client.add(mug.variant)
    refused = order(client, address=somewhere | {"country": "BE"})
    assert (refused.status_code, refused.json["errors"].keys()) == (422, {"address.line1", "address.city", "address.postcode"})


def test_a_gift_card_does_not_buy_gift_cards(client: ShopClient, give: Give, card_product: Thing, mug: Thing) -> None:
    code = give(10_000)
    client.add(card_product.variant)
    assert "cannot be bought" in quoted(client, gift_card=code)["requirements"][0]["message"]
    assert order(client, gift_card=code).json["errors"].keys() == {"gift_card"}
    client.add(mug.variant)
    quote = quoted(client, gift_card=code)
    assert (quote["gift_card_minor"], quote["due_minor"]) == (quote["total_minor"] - 2500, 2500)


def test_no_coupon_and_no_discount_makes_a_gift_card_cheaper(client: ShopClient, desk: ShopClient, card_product: Thing, mug: Thing) -> None:
    half = {"name": "Half", "kind": "percent", "value": 5000, "minimum_minor": 2000}
    desk.post("/api/v1/admin/coupons", json=half | {"code": "HALF"})
    client.add(card_product.variant)
    assert "other things" in quoted(client, coupon="HALF")["requirements"][0]["message"]
    client.add(mug.variant)
    assert "and more" in quoted(client, coupon="HALF")["requirements"][0]["message"], "a card does not count towards the minimum"
    client.add(mug.variant)
    assert quoted(client, coupon="HALF")["discount_minor"] == 1800


def test_a_refunded_card_ends_unless_somebody_spent_from_it(client: ShopClient, desk: ShopClient, card_product: Thing, mug: Thing) -> None:
    client.add(card_product.variant, 2)
    number = order(client, payment_method="bank_transfer").json["number"]
    assert rows("SELECT id FROM gift_cards") == [], "the card comes when the money is there"
    money = {"amount_minor": 5000}
    assert desk.post(f"/api/v1/admin/orders/{number}/payments", json=money, headers={"Idempotency-Key": "one"}).status_code < 300
    client.add(mug.variant)
    order(client, gift_card=codes()[0])
    assert refund(desk, number, 2).status_code == 409
    assert balances() == [2500 - 2290, 2500]
    assert refund(desk, number, 1).status_code < 300
    assert balances() == [2500 - 2290, 0]
    assert client.post("/api/v1/gift-cards/balance", json={"code": codes()[1]}).status_code == 422


# ---------------------------------------------------------------- asking for a balance


def test_the_balance_tells_no_more_than_the_holder_needs(client: ShopClient, give: Give) -> None:
    code = give()
    told = client.post("/api/v1/gift-cards/balance", json={"code": code}).json
    assert told.keys() == {"last_letters", "balance_minor", "currency", "expires_at"}
    assert (told["last_letters"], told["balance_minor"], told["currency"]) == (code[-4:], 5000, "EUR")


def test_codes_cannot_be_tried_without_end(client: ShopClient, give: Give, mug: Thing) -> None:
    code = give()
    client.add(mug.variant)
    for _ in range(10):
        assert quoted(client, gift_card=code)["gift_card"], "what is right costs nothing"
    for _ in range(5):
        client.post("/api/v1/gift-cards/balance", json={"code": "WRONG"})
        quoted(client, gift_card="WRONG")
    assert client.post("/api/v1/checkout/quote", json={"gift_card": "WRONG"}).status_code == 429
    refused = client.post("/api/v1/gift-cards/balance", json={"code": code})
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0


# ---------------------------------------------------------------- the owner's side


def test_an_admin_gives_a_card_once_however_often_the_request_is_sent(desk: ShopClient, new_client: Callable[[], ShopClient], ada: User) -> None:
    desks = [desk, act_as(new_client(), ada), act_as(new_client(), ada)]
    answers = at_once(3, lambda number: send(desks[number], 5000, "one"))
    assert Counter(answer.status_code for answer in answers) == {201: 3}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 2
    [(recipient, data)] = rows("SELECT recipient, data FROM mails WHERE template = 'gift_card'")
    assert (recipient, orjson.loads(data)["message"]) == ("friend@example.com", "Well done")
    assert send(desk, 6000, "one").status_code == 422
    assert send(desk, 5000, "").status_code == 400


def test_only_an_admin_who_has_just_proved_it_gives_cards(client: ShopClient, new_client: Callable[[], ShopClient], ada: User, alice: User) -> None:
    assert send(client, 5000, "one").status_code == 401
    assert send(client.as_(alice), 5000, "one").status_code == 403
    assert send(new_client().as_(factories.user("sam", role="staff")), 5000, "one").status_code == 403
    refused = send(new_client().as_(ada), 5000, "one")
    assert (refused.status_code, refused.json["code"]) == (403, "step_up_needed")


def ids(desk: ShopClient, **query: Any) -> list[int]:
    answer = desk.get(CARDS, query_string=query)
    assert answer.status_code == 200, answer.json
    return [card["id"] for card in answer.json["items"]]


def voided(desk: ShopClient, card_id: int, reason: str = "Sent to a stranger") -> TestResponse:
    return desk.post(f"{CARDS}/{card_id}/voiding", json={"reason": reason})


def test_staff_find_cards_by_what_people_know_of_them(desk: ShopClient, client: ShopClient, give: Give, card_product: Thing, statements: Any) -> None:
    client.add(card_product.variants[1])
    number = order(client, email="giver@example.com", payment_method="test").json["number"]
    code, (bought,) = give(3000), ids(desk, q=number[:6].lower())
    given = ids(desk, q=code[-4:].lower())[0]
    assert ids(desk, q="friend@") == [given] and ids(desk, q="giver@example.com") == [bought] and ids(desk, q="łódź") == ids(desk, q="%") == []
    assert ids(desk, sort="created_asc") == ids(desk, sort="balance_desc") == [bought, given]
    first = desk.get(f"{CARDS}?limit=1&sort=balance").json
    begun = statements()
    assert (first["total"], first["items"][0]["email"], ids(desk, limit=1, sort="balance", after=first["next"])) == (2, "friend@example.com", [bought])
    few = statements() - begun
    for _ in range(3):
        give(100)
    begun = statements()
    assert (len(ids(desk)), statements() - begun) == (5, few)
    assert desk.get(f"{CARDS}?after=nonsense").status_code == 422
    voided(desk, given)
    change("UPDATE gift_cards SET expires_at = UTC_TIMESTAMP(6) WHERE id = %s", bought)
    assert (ids(desk, status="voided"), ids(desk, status="expired"), len(ids(desk, status="active")), ids(desk, status="empty")) == ([given], [bought], 3, [])


def test_an_admin_voids_a_card_with_a_reason_that_its_ledger_keeps(desk: ShopClient, client: ShopClient, give: Give, mug: Thing) -> None:
    code = give(3000)
    client.add(mug.variant)
    number = order(client, gift_card=code).json["number"]
    (card_id,) = ids(desk)
    assert desk.post(f"{CARDS}/{card_id}/voiding", json={"reason": " "}).status_code == 422

    ended = voided(desk, card_id).json

    assert (ended["status"], ended["balance_minor"]) == ("voided", 0)
    assert voided(desk, card_id).status_code == 409
    assert voided(desk, 999999).status_code == desk.get(f"{CARDS}/999999/movements").status_code == 404
    moved = desk.get(f"{CARDS}/{card_id}/movements").json["items"]
    assert [(one["reason"], one["amount_minor"], one["order_number"], one["actor"], one["note"]) for one in moved] == [
        ("voided", -710, None, "ada", "Sent to a stranger"),
        ("spent", -2290, number, None, ""),
        ("issued", 3000, None, "ada", ""),
    ]
    assert client.post("/api/v1/gift-cards/balance", json={"code": code}).status_code == 422


def test_a_lost_card_is_replaced_once_and_what_comes_back_finds_the_new_one(
    desk: ShopClient, client: ShopClient, new_client: Callable[[], ShopClient], ada: User, card_product: Thing, mug: Thing
) -> None:
    client.add(card_product.variant)
    bought = order(client, email="giver@example.com", payment_method="test").json["number"]
    lost, (card_id,) = codes()[0], ids(desk)
    client.add(mug.variant)
    spent_on = order(client, gift_card=lost).json["number"]
    factories.delivered(spent_on, by=ada)
    body = {"email": "giver@new.example", "reason": "Mail was lost"}
    desks = [desk, act_as(new_client(), ada), act_as(new_client(), ada)]

    answers = at_once(3, lambda n: desks[n].post(f"{CARDS}/{card_id}/replacement", json=body, headers={"Idempotency-Key": "one"}))

    assert {(answer.status_code, answer.json["id"], answer.json["balance_minor"]) for answer in answers} == {(201, answers[0].json["id"], 210)}
    new = answers[0].json
    assert (new["order_number"], new["email"], new["last_letters"]) == (bought, "giver@new.example", codes()[1][-4:]) and len(codes()) == 2
    old = next(card for card in desk.get(CARDS).json["items"] if card["id"] == card_id)
    assert (old["status"], old["balance_minor"], old["replaced_by"], old["expires_at"]) == ("replaced", 0, new["last_letters"], new["expires_at"])
    assert ledger()[-2:] == [("replaced", -210), ("replaced", 210)]
    assert client.post("/api/v1/gift-cards/balance", json={"code": lost}).status_code == 422
    assert refund(desk, bought, 1).status_code == 409, "it was spent from, whatever its code is now"
    assert refund(desk, spent_on, 1).status_code == 201
    assert client.post("/api/v1/gift-cards/balance", json={"code": codes()[1]}).json["balance_minor"] == 210 + 1800
    again = desk.post(f"{CARDS}/{card_id}/replacement", json=body, headers={"Idempotency-Key": "two"})
    assert (again.status_code, rows("SELECT COUNT(*) FROM events WHERE kind = 'gift_card_replaced'")) == (409, [(1,)])


def test_a_quote_with_a_card_costs_a_fixed_number_of_statements_more(
    client: ShopClient,
    give: Give,
    mug: Thing,
    statements: Callable[[], int],
) -> None:
    code = give()
    client.add(mug.variant)
    begun = statements()
    quoted(client)
    between = statements()
    quoted(client, gift_card=code)
    # One to find the card; three to take a guess, and three to give it back since the code is good.
    assert statements() - between == between - begun + 1 + 6
