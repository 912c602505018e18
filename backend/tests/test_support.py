"""What people write to the shop: the contact form, and tickets on both sides of the counter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import Make, ShopClient
from factories import Thing, User
from test_accounts import at_once, change, mails, rows
from werkzeug.test import TestResponse

from app import db
from app.services import mail, settings

CONTACT = {"name": "Mara", "email": "mara@example.com", "subject": "Opening hours", "message": "When may I come by?"}
TICKETS, DESK = "/api/v1/tickets", "/api/v1/admin/tickets"


def ask(client: ShopClient, **more: Any) -> TestResponse:
    return client.post(TICKETS, json={"subject": "A crack", "message": "The mug came with a crack."} | more)


def asked(client: ShopClient, who: User, **more: Any) -> str:
    answer = ask(client.as_(who), **more)
    assert answer.status_code == 201, answer.json
    return str(answer.json["ticket"]["number"])


def say(client: ShopClient, number: str, message: str = "Here is more.", root: str = TICKETS, **more: Any) -> TestResponse:
    return client.post(f"{root}/{number}/messages", json={"message": message} | more)


def ordered(client: ShopClient, who: User, thing: Thing) -> str:
    client.as_(who).add(thing.variant)
    return str(client.order().json["number"])


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    """The browser of staff."""
    return new_client().as_(ada)


@pytest.fixture
def owner_reads(shop: object) -> str:
    """The address that the owner is written to."""
    db.transaction(settings.put, "seller", settings.FIRST_VALUES["seller"] | {"email": "owner@shop.example"})
    return "owner@shop.example"


# ---------------------------------------------------------------- the contact form


def test_a_message_is_kept_mailed_to_the_owner_who_answers_by_replying_and_confirmed_without_its_words(
    client: ShopClient, app_settings: Any, owner_reads: str
) -> None:
    assert client.post("/api/v1/contact", json=CONTACT | {"message": "My card is 4111 1111 1111 1111."}).status_code == 204
    assert rows("SELECT user_id, name, email, subject, body FROM contact_messages") == [
        (None, "Mara", "mara@example.com", "Opening hours", "My card is •••• •••• •••• 1111.")
    ]
    assert mails() == [("contact_received", "mara@example.com"), ("owner_new_message", owner_reads)]
    mail.deliver_due(app_settings)
    to_owner, confirmation = sorted(mail.list_written(app_settings.var, most=2), key=lambda one: one["to"], reverse=True)
    assert "My card is •••• •••• •••• 1111." in to_owner["text"]
    written = (app_settings.var / "mail" / to_owner["name"]).read_text()
    assert "Reply-To: mara@example.com" in written
    # Else the form would carry anybody's words to any address.
    assert not any(word in confirmation["text"] + confirmation["html"] for word in ("Mara", "Opening", "1111"))


def test_nobody_fills_a_mailbox_of_somebody_else_by_the_form_wherever_they_write_from(shop_with: Make) -> None:
    browser: Any = shop_with(limits=True).test_client()

    def write(n: int, email: str) -> int:
        return int(browser.post("/api/v1/contact", json=CONTACT | {"email": email}, environ_base={"REMOTE_ADDR": f"203.0.113.{n}"}).status_code)

    assert [write(n, "mara@example.com") for n in range(5)] == [204] * 5
    assert [write(7, "MARA@example.com"), write(8, "other@example.com")] == [429, 204]


# ---------------------------------------------------------------- tickets


def test_a_conversation_goes_to_and_fro_and_its_state_says_whose_turn_it_is(
    client: ShopClient, desk: ShopClient, alice: User, mug: Thing, owner_reads: str
) -> None:
    order = ordered(client, alice, mug)
    number = asked(client, alice, order_number=order)
    say(desk, number, "Was the box damaged?", DESK)
    thread = client.get(f"{TICKETS}/{number}").json
    assert (thread["ticket"]["status"], thread["ticket"]["order_number"]) == ("waiting", order)
    assert [(one["by"], one["body"]) for one in thread["messages"]] == [("customer", "The mug came with a crack."), ("staff", "Was the box damaged?")]

    assert say(client, number).json["ticket"]["status"] == "open"
    assert say(client, number, "And more.").json["ticket"]["status"] == "open"
    assert desk.patch(f"{DESK}/{number}", json={"status": "closed"}).json["ticket"]["status"] == "closed"
    assert client.get(f"{TICKETS}/count").json == {"total": 1, "open": 0, "waiting": 0, "closed": 1}
    assert say(client, number).json["ticket"]["status"] == "open"
    # The owner is told when it is the shop's turn again, not of each line.
    assert [one for one in mails() if "order" not in one[0]] == [
        *[("ticket_received", alice.email), ("owner_new_message", owner_reads), ("ticket_reply", alice.email)],
        *[("owner_new_message", owner_reads)] * 2,
    ]
    assert rows("SELECT detail FROM events WHERE kind = 'ticket_changed' ORDER BY id") == [('{"action":"answered"}',), ('{"action":"closed"}',)]


def test_a_ticket_or_order_of_somebody_else_is_as_absent_as_one_that_never_was(
    client: ShopClient, new_client: Callable[[], ShopClient], desk: ShopClient, alice: User, bob: User, mug: Thing
) -> None:
    order, number = ordered(client, alice, mug), asked(client, alice)
    for stranger in (new_client().as_(bob), desk):
        for name in (number, "TK-NEVERWAS", "TK-é"):
            assert [stranger.get(f"{TICKETS}/{name}").status_code, say(stranger, name).status_code] == [404, 404]
        assert ask(stranger, order_number=order).status_code == 404
        assert stranger.get(TICKETS).json == {"items": [], "next": None, "total": 0}
    assert [desk.get(f"{DESK}/TK-{name}").status_code for name in ("é", "NEVERWAS")] == [404, 404]
    assert new_client().get(f"{TICKETS}/{number}").status_code == 401


def test_a_note_is_shown_to_staff_and_never_to_the_customer(client: ShopClient, desk: ShopClient, alice: User) -> None:
    number = asked(client, alice)
    thread = say(desk, number, "Third crack this month.", DESK, internal=True).json
    assert [(one["kind"], one["author"]) for one in thread["messages"]] == [("customer", "alice"), ("note", "ada")]
    assert thread["ticket"]["status"] == "open"
    assert "Third crack" not in client.get(f"{TICKETS}/{number}").get_data(as_text=True)
    assert mails() == [("ticket_received", alice.email)]


def test_a_coupon_given_in_a_thread_is_made_once_and_is_good_for_one_order(client: ShopClient, desk: ShopClient, alice: User, mug: Thing) -> None:
    number, body = asked(client, alice), {"kind": "percent", "value": 1000, "days": 30, "message": "We are sorry."}
    key = {"Idempotency-Key": "sorry-1"}
    assert desk.post(f"{DESK}/{number}/coupon", json=body, headers=key).json["code"] == "step_up_needed"
    assert desk.post("/api/v1/auth/step-up", json={"password": factories.PASSWORD}).status_code == 204
    assert desk.post(f"{DESK}/{number}/coupon", json=body).status_code == 400
    first, again = (desk.post(f"{DESK}/{number}/coupon", json=body, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code, again.headers["Idempotent-Replayed"]) == (201, 201, "true")
    [(code, most, by_one)] = rows("SELECT code, most_uses, most_by_customer FROM promotions")
    assert (most, by_one) == (1, 1)
    said = client.get(f"{TICKETS}/{number}").json["messages"][-1]["body"]
    assert said.startswith("We are sorry.\n\nYour coupon: " + code)

    client.add(mug.variant)
    placed = client.order(coupon=code).json
    assert (placed["coupon"], placed["discount_minor"]) == (code, 180)
    client.add(mug.variant)
    assert client.order(coupon=code).status_code == 422
    refused = desk.post(f"{DESK}/{number}/coupon", json=body | {"value": 10_001}, headers={"Idempotency-Key": "sorry-2"})
    assert refused.json["errors"].keys() == {"value"}


def test_the_orders_confirmation_is_mailed_again_where_the_ticket_is_about_one(client: ShopClient, desk: ShopClient, alice: User, mug: Thing) -> None:
    number = asked(client, alice, order_number=ordered(client, alice, mug))
    change("DELETE FROM mails")
    assert desk.post(f"{DESK}/{number}/order-mail").json["messages"][-1]["kind"] == "note"
    assert mails() == [("order_placed", alice.email)]
    assert desk.post(f"{DESK}/{asked(client, alice)}/order-mail").status_code == 409


def test_staff_find_tickets_by_state_taker_and_words_and_pages_have_no_gaps(
    client: ShopClient, new_client: Callable[[], ShopClient], desk: ShopClient, alice: User, bob: User, statements: Callable[[], int]
) -> None:
    hers = [asked(client, alice, subject=f"Number {n}") for n in range(4)]
    his = asked(new_client(), bob, subject="100% wool?")
    say(desk, hers[0], "Done.", DESK)
    assert desk.patch(f"{DESK}/{hers[1]}", json={"mine": True}).json["ticket"]["assignee"] == "ada"

    def found(**wanted: Any) -> list[str]:
        return [one["number"] for one in desk.get(DESK, query_string=wanted).json["items"]]

    assert found() == [hers[0], his, *hers[:0:-1]]
    assert [found(status="waiting"), found(mine=True), found(q="0% w"), found(q="0%w"), found(q="bob@"), found(q=hers[2])] == [
        *([hers[0]], [hers[1]], [his], [], [his], [hers[2]]),
    ]
    seen, after, pages = [], "", 0
    while after is not None:
        page = desk.get(DESK, query_string={"limit": 2, "after": after}).json
        seen, after, pages = seen + [one["number"] for one in page["items"]], page["next"], pages + 1
        assert page["total"] == 5
    assert (seen, pages) == (found(), 3)

    costs = []
    for limit in (1, 100):
        before = statements()
        desk.get(DESK, query_string={"limit": limit})
        costs.append(statements() - before)
    assert costs[0] == costs[1]


def test_the_customers_list_pages_without_gaps(client: ShopClient, alice: User) -> None:
    numbers = [asked(client, alice) for _ in range(3)]
    first = client.get(TICKETS, query_string={"limit": 2}).json
    second = client.get(TICKETS, query_string={"limit": 2, "after": first["next"]}).json
    assert [one["number"] for one in first["items"] + second["items"]] == numbers[::-1]
    assert (first["total"], second["next"]) == (3, None)
    assert client.get(TICKETS, query_string={"after": "nonsense"}).status_code == 422


def test_a_reply_that_is_used_often_is_kept_under_one_title(desk: ShopClient) -> None:
    reply = {"title": "Thanks", "body": "Thank you for telling us."}
    made = desk.post(f"{DESK}/replies", json=reply)
    assert [made.status_code, desk.post(f"{DESK}/replies", json=reply).status_code] == [201, 422]
    assert desk.get(f"{DESK}/replies").json == {"items": [made.json]}
    assert [desk.delete(f"{DESK}/replies/{made.json['id']}").status_code for _ in range(2)] == [204, 404]


def test_a_message_and_an_answer_at_once_are_both_kept(new_client: Callable[[], ShopClient], desk: ShopClient, alice: User) -> None:
    browser = new_client()
    number = asked(browser, alice)
    acts = [lambda: say(browser, number, "Mine."), lambda: say(desk, number, "Ours.", DESK)]
    assert at_once(2, lambda n: acts[n]().status_code) == [201, 201]
    last = rows("SELECT kind FROM ticket_messages ORDER BY id DESC LIMIT 1")[0][0]
    assert len(browser.get(f"{TICKETS}/{number}").json["messages"]) == 3
    assert desk.get(f"{DESK}/{number}").json["ticket"]["status"] == {"customer": "open", "staff": "waiting"}[last]
    assert factories.value("SELECT COUNT(*) FROM tickets") == 1
