"""What people write to the shop: the contact form, and tickets on both sides of the counter."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import Make, ShopClient
from factories import Thing, User
from PIL import Image
from test_accounts import at_once, change, mails, rows
from werkzeug.test import TestResponse

from app import db
from app.services import attachments, invoices, mail, media, settings

CONTACT = {"name": "Mara", "email": "mara@example.com", "subject": "Opening hours", "message": "When may I come by?"}
TICKETS, DESK, MESSAGES, FILES = "/api/v1/tickets", "/api/v1/admin/tickets", "/api/v1/admin/messages", "/api/v1"


def ask(client: ShopClient, **more: Any) -> TestResponse:
    return client.post(TICKETS, json={"subject": "A crack", "message": "The mug came with a crack."} | more)


def asked(client: ShopClient, who: User, **more: Any) -> str:
    answer = ask(client.as_(who), **more)
    assert answer.status_code == 201, answer.json
    return str(answer.json["ticket"]["number"])


def say(client: ShopClient, number: str, message: str = "Here is more.", root: str = TICKETS, **more: Any) -> TestResponse:
    return client.post(f"{root}/{number}/messages", json={"message": message} | more)


def uploaded(client: ShopClient) -> str:
    """A photograph of a camera that was held upright; gives the name under which a message may bring it along."""
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30), "teal").save(out, "JPEG", exif=exif)
    answer = client.post("/api/v1/attachments", data=out.getvalue(), content_type="image/jpeg")
    assert answer.status_code == 201, answer.json
    return str(answer.json["name"])


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
    assert "My card is •••• •••• •••• 1111." in to_owner["text"] and "/admin/messages/" in to_owner["text"]
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


def test_staff_find_a_message_answer_it_by_mail_and_put_it_aside(client: ShopClient, desk: ShopClient, app_settings: Any) -> None:
    for n in range(3):
        assert client.post("/api/v1/contact", json=CONTACT | {"subject": f"Hours {n}"}).status_code == 204
    first = desk.get(MESSAGES, query_string={"limit": 2}).json
    rest = desk.get(MESSAGES, query_string={"limit": 2, "after": first["next"]}).json
    assert [one["subject"] for one in first["items"] + rest["items"]] == ["Hours 2", "Hours 1", "Hours 0"]
    assert (first["total"], rest["next"]) == (3, None)
    change("DELETE FROM mails")

    message = first["items"][0]["id"]
    answered = desk.post(f"{MESSAGES}/{message}/answers", json={"message": "From ten\nto six."}).json
    assert (answered["status"], [one["body"] for one in answered["answers"]]) == ("done", ["From ten\nto six."])
    mail.deliver_due(app_settings)
    [written] = mail.list_written(app_settings.var, most=1)
    assert (written["to"], written["subject"]) == ("mara@example.com", "Re: Hours 2")
    assert "From ten" in written["text"] and "> When may I come by?" in written["text"]

    found = [[one["subject"] for one in desk.get(MESSAGES, query_string=wanted).json["items"]] for wanted in ({"status": "open"}, {"q": "2"}, {"q": "mara@"})]
    assert found == [["Hours 1", "Hours 0"], ["Hours 2"], ["Hours 2", "Hours 1", "Hours 0"]]
    assert desk.patch(f"{MESSAGES}/{message}", json={"status": "open"}).json["status"] == "open"
    assert [desk.get(f"{MESSAGES}/{10**12}").status_code, client.get(MESSAGES).status_code] == [404, 401]
    assert rows("SELECT detail FROM events WHERE kind = 'message_changed'") == [('{"action":"answered"}',), ('{"action":"open"}',)]


# ---------------------------------------------------------------- pictures in messages


def test_a_picture_in_a_ticket_is_seen_by_its_owner_and_staff_and_nobody_else(
    client: ShopClient, new_client: Callable[[], ShopClient], desk: ShopClient, alice: User, bob: User, app_settings: Any
) -> None:
    name = uploaded(client)
    assert [desk.get(f"{FILES}/admin/attachments/{name}").status_code, client.as_(alice).get(f"{FILES}/attachments/{name}").status_code] == [404, 404]
    number = asked(client, alice, pictures=[name])
    [picture] = client.get(f"{TICKETS}/{number}").json["messages"][0]["pictures"]
    [for_staff] = desk.get(f"{DESK}/{number}").json["messages"][0]["pictures"]
    assert (picture["width"], picture["height"]) == (30, 40), "the camera was held upright"
    shown = [browser.get(path) for browser, path in ((client, picture["path"]), (desk, for_staff["path"]))]
    assert [(one.status_code, one.mimetype, one.headers["Cache-Control"]) for one in shown] == [(200, "image/webp", "no-store")] * 2
    assert b"Exif" not in shown[0].data and shown[0].headers["X-Content-Type-Options"] == "nosniff"
    stranger = new_client().as_(bob)
    refused = [(stranger, picture), (stranger, for_staff), (new_client(), picture)]
    assert [browser.get(one["path"]).status_code for browser, one in refused] == [404, 403, 401]
    assert [client.get(path).status_code for path in (f"/media/attachments/{name}.webp", f"{FILES}/attachments/%C3%A9")] == [404, 404]
    # Nor is a picture in a note the customer's to see.
    note = uploaded(desk)
    say(desk, number, "Look.", DESK, internal=True, pictures=[note])
    assert [client.get(f"{FILES}/attachments/{note}").status_code, desk.get(f"{FILES}/admin/attachments/{note}").status_code] == [404, 200]

    assert client.delete("/api/v1/me", json={"password": factories.PASSWORD}).status_code == 204
    assert not any((app_settings.var / "uploads" / attachments.path_of(one)).exists() for one in (name, note))


@pytest.mark.parametrize("pictures", [["0" * 32], ["../../secret_key"], ["mine", "mine"], [*("mine",), *["0" * 32] * 4], ["used"]])
def test_a_message_takes_up_to_four_pictures_that_were_uploaded_for_it(client: ShopClient, alice: User, pictures: list[str]) -> None:
    names = {"mine": uploaded(client), "used": uploaded(client)}
    asked(client, alice, pictures=[names["used"]])
    refused = ask(client, pictures=[names.get(one, one) for one in pictures])
    assert refused.status_code == 422 and all(field.startswith("pictures") for field in refused.json["errors"])
    assert factories.value("SELECT COUNT(*) FROM tickets") == 1


def test_a_picture_that_no_message_took_is_deleted_after_an_hour(client: ShopClient, app_settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, left = uploaded(client), uploaded(client)
    assert client.post("/api/v1/contact", json=CONTACT | {"pictures": [taken]}).status_code == 204
    folder = app_settings.var / "uploads"
    assert (attachments.delete_orphans(folder), (folder / attachments.path_of(left)).is_file()) == (0, True)
    monkeypatch.setattr(attachments, "UNATTACHED_SECONDS", -60)
    assert attachments.delete_orphans(folder) >= 1
    assert [(folder / attachments.path_of(one)).is_file() for one in (taken, left)] == [True, False]
    media.delete_file(folder, attachments.path_of(taken))


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
    db.transaction(settings.put, "ticket_coupon_percent", 20)
    db.transaction(settings.put, "ticket_coupon_minor", 500)
    for kind, value, code in (("percent", 2_001, 422), ("fixed", 501, 422), ("percent", 2_000, 201), ("fixed", 500, 201)):
        given = desk.post(f"{DESK}/{number}/coupon", json=body | {"kind": kind, "value": value}, headers={"Idempotency-Key": f"{kind}-{value}"})
        assert given.status_code == code and (code == 201 or given.json["errors"].keys() == {"value"})


def test_the_orders_confirmation_is_mailed_again_where_the_ticket_is_about_one(client: ShopClient, desk: ShopClient, alice: User, mug: Thing) -> None:
    number = asked(client, alice, order_number=ordered(client, alice, mug))
    change("DELETE FROM mails")
    assert desk.post(f"{DESK}/{number}/order-mail").json["messages"][-1]["kind"] == "note"
    assert mails() == [("order_placed", alice.email)]
    assert desk.post(f"{DESK}/{asked(client, alice)}/order-mail").status_code == 409

    again = f"{DESK}/{number}/invoice-mail"
    assert desk.post(again).status_code == 409
    invoices.issue_due()
    factories.paid(str(client.get(f"{TICKETS}/{number}").json["ticket"]["order_number"]))
    invoices.issue_due()
    change("DELETE FROM mails WHERE template <> 'order_placed'")
    assert desk.post(again).json["messages"][-1]["body"] == "The invoice of the order was mailed again."
    assert mails() == [("order_placed", alice.email), ("invoice", alice.email)]
    assert factories.value("SELECT COUNT(*) FROM mails WHERE invoice_id IS NOT NULL") == 1


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


def test_a_reply_that_is_used_often_is_kept_under_one_title_and_changed(desk: ShopClient) -> None:
    reply = {"title": "Thanks", "body": "Thank you for telling us."}
    made = desk.post(f"{DESK}/replies", json=reply)
    other = desk.post(f"{DESK}/replies", json=reply | {"title": "Sorry"}).json["id"]
    assert [made.status_code, desk.post(f"{DESK}/replies", json=reply).status_code] == [201, 422]
    changed = [desk.put(f"{DESK}/replies/{one}", json=reply | {"body": "Thank you!"}) for one in (made.json["id"], other, 10**9)]
    assert [one.status_code for one in changed] == [200, 422, 404]
    assert [one["body"] for one in desk.get(f"{DESK}/replies").json["items"]] == ["Thank you for telling us.", "Thank you!"]
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
