from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import factories
import pytest
from conftest import Make, ShopClient
from factories import Thing, User
from fake_stripe import KEY, SECRET, FakeStripe, signed
from flask import Flask
from test_users import act_as
from werkzeug.test import TestResponse

from app import db
from app.config import BadSetting, Settings
from app.services import orders, payments, refunds, settings, stripe_gateway
from app.services.refunds import Piece, Refunding

WEBHOOK = "/api/v1/payments/stripe/webhook"
DUE = 2290


@pytest.fixture
def stripe(shop: Flask, app_settings: Settings) -> Iterator[FakeStripe]:
    with FakeStripe().running() as fake:
        payments.use(replace(app_settings, stripe_secret_key=KEY, stripe_webhook_secret=SECRET, stripe_api_base=fake.url))
        yield fake


@pytest.fixture
def ordered(client: ShopClient, mug: Thing) -> Callable[..., dict[str, Any]]:
    def order(**more: Any) -> dict[str, Any]:
        client.add(mug.variant)
        made: dict[str, Any] = client.order(**({"email": "guest@example.com", "payment_method": "stripe"} | more)).json
        return made

    return order


@pytest.fixture
def hear(new_client: Callable[[], ShopClient]) -> Callable[..., TestResponse]:
    def post(body: bytes, signature: str | None = None) -> TestResponse:
        headers = {"Stripe-Signature": signed(body) if signature is None else signature}
        return new_client().post(WEBHOOK, data=body, headers=headers, content_type="application/json; charset=utf-8")

    return post


def now(order: dict[str, Any]) -> tuple[str, str]:
    found = orders.get(order["number"], trusted=True)
    return found["status"], found["payment_status"]


def page_of(order: dict[str, Any]) -> str:
    return str(order["payment"]["redirect_url"].rpartition("/")[2])


def resume(client: ShopClient, order: dict[str, Any], key: str = "") -> TestResponse:
    path = f"/api/v1/orders/{order['number']}/payments?token={order['token']}"
    return client.post(path, headers={"Idempotency-Key": key or uuid.uuid4().hex})


def expire(order: dict[str, Any]) -> None:
    factories.write("UPDATE orders SET pay_by = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE number = %s", order["number"])


def later() -> None:
    """Some time goes by, as far as asking the gateway again is concerned."""
    factories.write("UPDATE payments SET created_at = created_at - INTERVAL 60 SECOND, checked_at = checked_at - INTERVAL 60 SECOND")


def states() -> list[str]:
    return str(factories.value("SELECT GROUP_CONCAT(status ORDER BY id) FROM payments")).split(",")


def refusals() -> list[str]:
    found = factories.value("SELECT GROUP_CONCAT(detail ORDER BY id SEPARATOR '|') FROM events WHERE kind = 'payment_refused'")
    return [json.loads(one)["reason"] for one in (found or "").split("|") if one]


# ---------------------------------------------------------------- what is offered


def methods(client: ShopClient) -> list[str]:
    return [one["code"] for one in client.post("/api/v1/checkout/quote", json={}).json["payment_methods"]]


def test_cards_are_offered_with_keys_only(client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    assert methods(client) == ["cash_on_delivery", "bank_transfer", "test"]
    assert client.order(email="guest@example.com", payment_method="stripe").json["errors"] == {"payment_method": ["Choose one of the ways to pay."]}
    assert client.post(WEBHOOK, data=b"{}").status_code == 404


def test_with_keys_a_card_comes_first(client: ShopClient, stripe: FakeStripe) -> None:
    assert methods(client)[0] == "stripe"


@pytest.mark.parametrize("changes", [{"production": True, "mail_host": "mail.example"}, {"host": "0.0.0.0"}, {"trusted_proxies": ("10.0.0.1",)}])
def test_no_test_payments_where_strangers_can_order(shop_with: Make, changes: dict[str, Any]) -> None:
    assert "test" not in methods(shop_with(**changes).test_client())  # type: ignore[arg-type]


def test_a_key_without_the_webhooks_secret_refuses_to_start() -> None:
    with pytest.raises(BadSetting, match="STRIPE_WEBHOOK_SECRET"):
        Settings.from_env({"STRIPE_SECRET_KEY": KEY})
    with pytest.raises(BadSetting, match="STRIPE_WEBHOOK_SECRET"):
        Settings.from_env({"STRIPE_SECRET_KEY": KEY, "STRIPE_WEBHOOK_SECRET": "  "})


def test_a_test_payment_is_there_at_once(ordered: Callable[..., dict[str, Any]]) -> None:
    order = ordered(payment_method="test")
    assert (order["status"], order["payment_status"], order["payment"]["name"]) == ("placed", "paid", "Test payment")
    assert "redirect_url" not in order["payment"]


# ---------------------------------------------------------------- paying on the page


def test_an_order_waits_for_its_card_and_a_webhook_pays_it(
    stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse]
) -> None:
    order = ordered()
    page = stripe.pages[page_of(order)]
    assert now(order) == ("pending", "unpaid")
    assert (page["amount_total"], page["currency"], page["client_reference_id"]) == (DUE, "eur", order["number"])
    assert page["success_url"].startswith(f"http://127.0.0.1:5099/orders/{order['number']}?token=")
    assert factories.value("SELECT ROUND(TIMESTAMPDIFF(SECOND, placed_at, pay_by) / 60) FROM orders") == 30

    assert hear(stripe.pay(page_of(order))).status_code == 204
    assert now(order) == ("placed", "paid")
    assert [event["kind"] for event in orders.get(order["number"], trusted=True)["events"]] == ["placed", "paid"]


def test_yen_have_no_hundredth_part(stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse], ada: User) -> None:
    db.transaction(lambda tx: settings.put(tx, "currency", "JPY"))
    order = ordered()
    page = stripe.pages[page_of(order)]
    assert (order["due_minor"], page["amount_total"], page["currency"]) == (DUE, DUE, "jpy")
    assert hear(stripe.pay(page_of(order))).status_code == 204
    assert (now(order), refusals()) == (("placed", "paid"), [])
    told = json.loads(factories.value("SELECT data FROM mails WHERE template = 'order_placed'"))
    assert [one["amount"] for one in told["totals"] if one["strong"]] == [f"JPY {DUE}"]
    refunds.refund(order["number"], Refunding((Piece(order["items"][0]["id"], 1),)), key="back", actor_id=ada.id)
    refunds.carry_out_due(payments.refund_at_gateway)
    # Everything is refunded before it was sent, so its shipping is refunded, too.
    assert [one["amount"] for one in stripe.refunds.values()] == [DUE]


def test_a_repeated_order_has_the_same_page(stripe: FakeStripe, client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant)
    first, second = (client.order(key="once", email="guest@example.com", payment_method="stripe").json for _ in range(2))
    assert page_of(first) == page_of(second)
    assert len(stripe.pages) == 1


def test_a_lost_webhook_is_made_up_for(stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse]) -> None:
    order = ordered()
    body = stripe.pay(page_of(order))
    assert not payments.any_to_reconcile()
    later()
    assert payments.any_to_reconcile() and payments.reconcile() == 1
    assert now(order) == ("placed", "paid")
    assert hear(body).status_code == 204
    assert states() == ["paid"]


def test_nobody_is_asked_twice_in_a_moment(stripe: FakeStripe, ordered: Callable[..., dict[str, Any]]) -> None:
    ordered()
    later()
    assert [payments.reconcile(), payments.reconcile()] == [1, 0]


def test_thirty_webhooks_at_once_are_one_payment(stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse]) -> None:
    order = ordered()
    page = stripe.pages[page_of(order)]
    body = stripe.pay(page["id"])
    told = [body] * 10 + [stripe.tell("checkout.session.completed", page) for _ in range(10)] + [stripe.tell("payment_intent.created", page) for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(hear, told))
    assert {answer.status_code for answer in answers} == {204}
    assert (now(order), states()) == (("placed", "paid"), ["paid"])
    assert factories.value("SELECT COUNT(*) FROM order_events WHERE kind = 'paid'") == 1
    assert factories.value("SELECT COUNT(*) FROM payment_events") == 21


def test_the_end_of_a_page_may_be_told_before_or_after_its_payment(
    stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse]
) -> None:
    for paid_first in (True, False):
        order = ordered()
        page = stripe.pages[page_of(order)]
        over = stripe.tell("checkout.session.expired", page, status="expired")
        paid = stripe.pay(page["id"])
        for body in (paid, over) if paid_first else (over, paid):
            assert hear(body).status_code == 204
        assert now(order) == ("placed", "paid")


# ---------------------------------------------------------------- what is not believed


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (lambda body: "", "signature"),
        (lambda body: "t=,v1=", "signature"),
        (lambda body: signed(body, secret=" "), "signature"),
        (lambda body: signed(body, secret=""), "signature"),
        (lambda body: signed(body + b" "), "signature"),
        (lambda body: signed(body, at=time.time() - 310), "timestamp"),
        (lambda body: signed(body, at=time.time() + 310), "timestamp"),
    ],
)
def test_what_stripe_did_not_sign_just_now_is_refused_and_noted(
    stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse], signature: Callable[[bytes], str], reason: str
) -> None:
    order = ordered()
    body = stripe.pay(page_of(order))
    answer = hear(body, signature(body))
    assert answer.status_code == 400
    assert (now(order), states(), refusals()[0] in (reason, "signature")) == (("pending", "unpaid"), ["pending"], True)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"amount_total": DUE - 1}, "amount"),
        ({"amount_total": None}, "amount"),
        ({"currency": "usd"}, "currency"),
        ({"mode": "setup"}, "mode"),
        ({"livemode": True}, "mode"),
        ({"client_reference_id": "FC-OTHERONE"}, "order"),
        ({"id": "cs_test_another"}, "page"),
        ({"id": "cs_test_another", "metadata": {"payment_id": "999999999"}}, "unknown"),
        ({"id": "cs_test_another", "metadata": None}, "unknown"),
    ],
)
def test_what_does_not_fit_the_order_is_noted_and_not_applied(
    stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse], changed: dict[str, Any], reason: str
) -> None:
    order = ordered()
    stripe.pay(page_of(order))
    body = stripe.tell("checkout.session.completed", stripe.pages[page_of(order)], **changed)
    assert hear(body).status_code == 204
    assert (now(order), refusals()) == (("pending", "unpaid"), [reason])
    assert factories.value("SELECT COUNT(*) FROM payment_events") == 1


def test_one_orders_page_pays_no_other_order(stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse]) -> None:
    cheap, other = ordered(), ordered()
    stripe.pay(page_of(cheap))
    forged = stripe.tell("checkout.session.completed", stripe.pages[page_of(cheap)], client_reference_id=other["number"])
    hear(forged)
    assert (now(cheap), now(other), refusals()) == (("pending", "unpaid"), ("pending", "unpaid"), ["order"])


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": "evt_1", "type": "checkout.session.completed", "data": {"object": {}}}', b"\xff"])
def test_nonsense_with_a_good_signature_is_refused(stripe: FakeStripe, hear: Callable[..., TestResponse], body: bytes) -> None:
    assert hear(body).status_code == 400


def test_what_does_not_fit_is_noted_once_however_often_the_gateway_is_asked(stripe: FakeStripe, ordered: Callable[..., dict[str, Any]]) -> None:
    order = ordered()
    stripe.pay(page_of(order))
    stripe.pages[page_of(order)]["amount_total"] = DUE - 1
    for _ in range(2):
        later()
        payments.reconcile()
    assert (now(order), refusals()) == (("pending", "unpaid"), ["amount"])


def test_a_flood_of_forged_calls_is_counted_and_does_not_fill_the_event_log(stripe: FakeStripe, new_client: Callable[[], ShopClient], ada: User) -> None:
    def forge(address: str) -> int:
        return new_client().post(WEBHOOK, data=b"{}", content_type="application/json", environ_base={"REMOTE_ADDR": address}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: forge("203.0.113.7"), range(40))) == {400}
    few = len(refusals())
    assert 6 <= few <= 8, "six at once, and one more for each ten seconds that this took"
    assert forge("198.51.100.9") == 400
    factories.write("DELETE FROM allowances")  # some minutes go by
    assert forge("203.0.113.7") == 400
    told = new_client().as_(ada).get("/api/v1/admin/payments/refusals").json["items"]
    assert (len(told), sum(one["unnoted"] for one in told), {one["reason"] for one in told}) == (few + 2, 40 - few, {"signature"})


def test_a_webhook_has_a_size(stripe: FakeStripe, hear: Callable[..., TestResponse]) -> None:
    assert hear(b" " * (256 * 1024 + 1)).status_code == 413


# ---------------------------------------------------------------- too late, and twice


def test_money_that_comes_after_the_end_goes_back(
    stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse], mug: Thing
) -> None:
    order = ordered()
    expire(order)
    orders.expire_due()
    hear(stripe.pay(page_of(order)))
    assert (now(order), states(), factories.stock_of(mug.variant)) == (("expired", "unpaid"), ["unwanted"], 5)
    assert payments.any_unwanted() and payments.return_unwanted() == 1
    assert states() == ["returned"]
    assert [one["amount"] for one in stripe.refunds.values()] == [DUE]
    assert payments.return_unwanted() == 0
    assert factories.value("SELECT COUNT(*) FROM mails WHERE template = 'payment_returned'") == 1


def test_a_second_payment_of_one_order_goes_back(
    stripe: FakeStripe, client: ShopClient, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse]
) -> None:
    stripe.lose_answers = True
    order = ordered()
    assert "redirect_url" not in order["payment"]
    stripe.lose_answers = False
    factories.write("UPDATE payments SET created_at = created_at - INTERVAL 10 MINUTE")
    again = resume(client, order).json
    first, second = stripe.pages
    assert page_of(again) == second
    hear(stripe.pay(second))
    hear(stripe.pay(first))
    assert (now(order), states()) == (("placed", "paid"), ["unwanted", "paid"])
    payments.return_unwanted()
    assert (states(), [one["payment_intent"] for one in stripe.refunds.values()]) == (["returned", "paid"], [f"pi_{first}"])


def test_a_lost_answer_of_a_return_gives_the_money_back_once(
    stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse]
) -> None:
    order = ordered()
    expire(order)
    orders.expire_due()
    hear(stripe.pay(page_of(order)))
    stripe.lose_answers = True
    assert (payments.return_unwanted(), states()) == (0, ["unwanted"])
    stripe.lose_answers = False
    later()
    assert (payments.return_unwanted(), states(), len(stripe.refunds)) == (1, ["returned"], 1)


def test_the_page_of_an_order_that_was_given_up_is_closed(stripe: FakeStripe, client: ShopClient, ordered: Callable[..., dict[str, Any]]) -> None:
    order = ordered()
    assert client.post(f"/api/v1/orders/{order['number']}/cancellation?token={order['token']}").status_code == 200
    later()
    payments.reconcile()
    assert (stripe.pages[page_of(order)]["status"], states()) == ("expired", ["abandoned"])


@pytest.mark.parametrize("attempt", range(6))
def test_paying_at_the_moment_of_expiry_has_one_outcome(
    stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse], mug: Thing, attempt: int
) -> None:
    order = ordered()
    body = stripe.pay(page_of(order))
    expire(order)
    # Who comes first wins, nearly always: so now the money does, now the end.
    acts = [hear, orders.expire_due][:: 1 if attempt % 2 else -1]
    with ThreadPoolExecutor(6) as pool:
        begun = {act: [pool.submit(act, *([body] if act is hear else [])) for _ in range(3)] for act in acts}
        heard, over = begun[hear], begun[orders.expire_due]
        assert [one.result().status_code for one in heard] == [204] * 3
        assert sum(one.result() for one in over) <= 1
    payments.return_unwanted()
    given_back = sum(one["amount"] for one in stripe.refunds.values())
    assert (now(order), states(), factories.stock_of(mug.variant), given_back) in [
        (("placed", "paid"), ["paid"], 4, 0),
        (("expired", "unpaid"), ["returned"], 5, DUE),
    ]


# ---------------------------------------------------------------- the staff's side

DESK = "/api/v1/admin/payments"


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    return act_as(new_client(), ada)


def test_staff_see_money_of_another_sum_and_give_back_what_came(
    stripe: FakeStripe,
    desk: ShopClient,
    new_client: Callable[[], ShopClient],
    ada: User,
    ordered: Callable[..., dict[str, Any]],
    hear: Callable[..., TestResponse],
) -> None:
    order = ordered()
    stripe.pay(page_of(order))
    page = stripe.pages[page_of(order)]
    page["amount_total"] = DUE + 500
    hear(stripe.tell("checkout.session.completed", page))
    assert (now(order), states(), refusals()) == (("pending", "unpaid"), ["unwanted"], ["amount"])
    [listed] = desk.get(f"{DESK}?troubled=true").json["items"]
    assert (listed["order_number"], listed["status"], listed["captured_minor"], listed["due_minor"]) == (order["number"], "unwanted", DUE + 500, DUE)
    seen = desk.get(f"{DESK}/{listed['id']}").json
    assert ([one["kind"] for one in seen["heard"]], [one["reason"] for one in seen["refusals"]]) == (["checkout.session.completed"], ["amount"])
    assert seen["acts"] == {"ask": True, "give_back": True}
    path = f"{DESK}/{listed['id']}/return"
    assert new_client().as_(ada).post(path, headers={"Idempotency-Key": "x"}).json["code"] == "step_up_needed"

    stripe.down = True
    assert desk.post(path, headers={"Idempotency-Key": "one"}).status_code == 503
    stripe.down = False
    back = [desk.post(path, headers={"Idempotency-Key": key}) for key in ("one", "one", "two")]

    assert [answer.status_code for answer in back] == [201, 201, 409]
    assert "Idempotent-Replayed" in back[1].headers
    assert ([one["amount"] for one in stripe.refunds.values()], states()) == ([DUE + 500], ["returned"])
    assert payments.return_unwanted() == 0
    assert desk.get(f"{DESK}?troubled=true").json["total"] == 0


def test_staff_ask_the_gateway_at_once(
    stripe: FakeStripe, desk: ShopClient, client: ShopClient, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse]
) -> None:
    order, by_test = ordered(), ordered(payment_method="test")
    stripe.pay(page_of(order))
    paid_by_test, waiting = desk.get(DESK).json["items"]
    assert (paid_by_test["order_number"], waiting["status"]) == (by_test["number"], "pending")
    stripe.down = True
    assert desk.post(f"{DESK}/{waiting['id']}/inquiry").status_code == 503
    stripe.down = False
    told = [desk.post(f"{DESK}/{waiting['id']}/inquiry").json["payment"]["status"] for _ in range(2)]
    assert (told, now(order)) == (["paid", "paid"], ("placed", "paid"))
    assert [desk.post(f"{DESK}/{one}/inquiry").status_code for one in (paid_by_test["id"], 999999)] == [409, 404]


def test_payments_are_found_and_paged_in_as_many_statements_however_many_there_are(
    stripe: FakeStripe, desk: ShopClient, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse], statements: Callable[[], int], ada: User
) -> None:
    def ids(**query: Any) -> list[int]:
        answer = desk.get(DESK, query_string=query)
        assert answer.status_code == 200, answer.json
        return [one["id"] for one in answer.json["items"]]

    order, other = ordered(), ordered(payment_method="test")
    hear(stripe.pay(page_of(order)))
    begun = statements()
    newer, older = ids()
    few = statements() - begun
    assert ids(q=order["number"][:8].lower()) == ids(q=page_of(order)) == ids(q=f"pi_{page_of(order)}") == ids(method="stripe") == [older]
    assert ids(status="paid", sort="created_asc") == [older, newer] and ids(status="unwanted") == ids(q="ł") == ids(q="%") == []
    first = desk.get(f"{DESK}?limit=1&sort=amount").json
    assert (first["total"], [first["items"][0]["id"], *ids(limit=1, sort="amount", after=first["next"])]) == (2, [older, newer])
    ordered(payment_method="test")
    begun = statements()
    assert (len(ids()), statements() - begun) == (3, few)
    assert desk.get(f"{DESK}?after=nonsense").status_code == 422
    refunds.refund(other["number"], Refunding((Piece(other["items"][0]["id"], 1),)), key="back", actor_id=ada.id)
    factories.write("UPDATE refunds SET status = 'failed'")
    [seen] = desk.get(f"{DESK}?troubled=true").json["items"]
    assert (seen["id"], seen["refund_failed"], seen["refunded_minor"]) == (newer, True, DUE)
    assert [one["status"] for one in desk.get(f"{DESK}/{newer}").json["refunds"]] == ["failed"]


# ---------------------------------------------------------------- a gateway that fails


def test_with_the_gateway_down_the_order_stands_and_can_be_paid_later(
    stripe: FakeStripe, client: ShopClient, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse]
) -> None:
    stripe.down = True
    order = ordered()
    assert (now(order), "redirect_url" in order["payment"], order["payment"]["can_resume"]) == (("pending", "unpaid"), False, True)
    assert resume(client, order).status_code == 503
    stripe.down = False
    again = resume(client, order).json
    hear(stripe.pay(page_of(again)))
    assert (now(order), states()) == (("placed", "paid"), ["paid"])


def test_a_slow_gateway_keeps_a_shopper_for_a_bounded_time(stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum(stripe_gateway.TIMEOUTS) < 10
    monkeypatch.setattr(stripe_gateway, "TIMEOUTS", (0.3, 0.3))
    payments.use(Settings(stripe_secret_key=KEY, stripe_webhook_secret=SECRET, stripe_api_base=stripe.url))
    stripe.slow = 1.5
    begun = time.monotonic()
    order = ordered()
    assert time.monotonic() - begun < 1.4
    assert now(order) == ("pending", "unpaid")


def test_a_shop_killed_between_order_and_gateway_goes_on_with_the_same_payment(
    stripe: FakeStripe, client: ShopClient, ordered: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(payments, "begin", lambda number: None)
        order = ordered()
    first, second, other = (resume(client, order, key) for key in ("one", "one", "two"))
    assert (first.status_code, second.headers["Idempotent-Replayed"]) == (201, "true")
    assert {page_of(answer.json) for answer in (first, second, other)} == set(stripe.pages)
    assert states() == ["pending"]


def test_only_a_pending_order_of_ones_own_is_resumed(
    stripe: FakeStripe,
    client: ShopClient,
    ordered: Callable[..., dict[str, Any]],
    hear: Callable[..., TestResponse],
    bob: User,
    new_client: Callable[[], ShopClient],
) -> None:
    order = ordered()
    path = f"/api/v1/orders/{order['number']}/payments"
    assert new_client().as_(bob).post(path, headers={"Idempotency-Key": "x"}).status_code == 404
    assert client.post(f"{path}?token={order['token']}").status_code == 400
    hear(stripe.pay(page_of(order)))
    assert resume(client, order).status_code == 409


# ---------------------------------------------------------------- money that goes back


def test_a_refund_is_carried_out_at_the_gateway_once(
    stripe: FakeStripe, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse], ada: User
) -> None:
    order = ordered()
    hear(stripe.pay(page_of(order)))
    refunds.refund(order["number"], Refunding((Piece(order["items"][0]["id"], 1),)), key="back", actor_id=ada.id)
    stripe.lose_answers = True
    assert refunds.carry_out_due(payments.refund_at_gateway) == 0
    stripe.lose_answers = False
    factories.write("UPDATE refunds SET due_at = UTC_TIMESTAMP(6)")
    assert refunds.carry_out_due(payments.refund_at_gateway) == 1
    assert [(one["amount"], one["payment_intent"]) for one in stripe.refunds.values()] == [(DUE, f"pi_{page_of(order)}")]


def test_no_key_is_ever_written_down(
    stripe: FakeStripe, client: ShopClient, ordered: Callable[..., dict[str, Any]], hear: Callable[..., TestResponse], app_settings: Settings
) -> None:
    stripe.down = True
    order = ordered()
    stripe.down = False
    hear(stripe.pay(page_of(resume(client, order).json)), "t=1,v1=nonsense")
    later()
    payments.reconcile()
    logs = b"".join(path.read_bytes() for path in (app_settings.var / "logs").iterdir())
    assert b"a payment could not be begun" in logs
    assert KEY.encode() not in logs and SECRET.encode() not in logs
