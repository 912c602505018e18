"""Own data told and erased, held to the marks that the columns carry: keep, export, erase."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import factories
import orjson
import pytest
from conftest import ShopClient
from factories import PASSWORD, Thing, User
from flask import Flask
from PIL import Image
from test_accounts import at_once, auth, change, mails, rows, who
from test_support import uploaded
from werkzeug.test import TestResponse

from app import db
from app.config import Settings
from app.services import contact, gift_cards, mail, orders, privacy, refunds, returns, reviews, shipments, support

ME = "/api/v1/me"
NEW_PASSWORD = "cobalt-meadow-72"
OWN_PASSWORD = {"alice": "granite-lantern-58", "bob": "velvet-orchard-31"}
Cell = tuple[str, str, Any]  # table, column, value
Dump = dict[tuple[str, tuple[Any, ...]], dict[str, Any]]  # rows by table and primary key


def marks() -> dict[tuple[str, str], list[str]]:
    """The words of every column's comment."""
    found = rows("SELECT table_name, column_name, column_comment FROM information_schema.columns WHERE table_schema = DATABASE()")
    return {(table, column): re.findall(r"\w+", comment) for table, column, comment in found}


def marked(mark: str, *, untold: bool | None = None) -> set[tuple[str, str]]:
    return {place for place, words in marks().items() if words[0] == mark and (untold is None or ("untold" in words[1:2]) == untold)}


def dump() -> Dump:
    """Every row of every table."""
    found: Dump = {}
    keys = rows(
        "SELECT table_name, column_name FROM information_schema.key_column_usage"
        " WHERE table_schema = DATABASE() AND constraint_name = 'PRIMARY' ORDER BY table_name, ordinal_position"
    )
    columns = rows("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position")
    for table in sorted({table for table, _ in columns}):
        names = [column for owner, column in columns if owner == table]
        for row in rows(f"SELECT {', '.join(f'`{name}`' for name in names)} FROM `{table}`"):
            values = dict(zip(names, row, strict=True))
            found[table, tuple(values[column] for owner, column in keys if owner == table)] = values
    return found


def cells(found: Dump) -> Iterator[Cell]:
    return ((table, column, value) for (table, _), row in found.items() for column, value in row.items() if value not in (None, ""))


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)
    else:
        yield as_told(value)


def as_told(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return str(int(value)) if isinstance(value, bool) else str(value)


def erase(client: ShopClient, password: str = PASSWORD) -> TestResponse:
    return client.delete(ME, json={"password": password})


def deliver(shop: Flask) -> None:
    """What waits in the outbox goes out."""
    mail.deliver_due(shop.config["SHOP"])


def code(template: str) -> str:
    return str(orjson.loads(rows("SELECT data FROM mails WHERE template = %s ORDER BY id DESC", template)[0][0])["code"])


def order(client: ShopClient, word: str, **more: Any) -> str:
    """An order of a thing of its own; gives its number."""
    size = {"options": ("Small", "", ""), "sku": f"SKU-{word[0]}{client.get('/api/v1/orders').json.get('total', 0)}"}
    client.add(factories.product(variants=[size], option_names=("Size", "", "")).variant)
    address = {name: f"{word}-{name}" for name in ("name", "line1", "line2", "city", "region", "phone")} | {"postcode": f"{word}-7", "country": "BE"}
    answer = client.order(key=f"{word}-key-{more}", address=address, note=f"{word}-note", terms_accepted=True, **more)
    assert answer.status_code == 201, answer.json
    return str(answer.json["number"])


def live(shop: Flask, client: ShopClient, user: User, word: str) -> list[str]:
    """Do all that leaves a trace in the shop, with values that name the person; gives the numbers of the orders."""
    client.as_(user)
    client.put(f"{ME}/password", json={"current_password": PASSWORD, "new_password": OWN_PASSWORD[word]})
    client.patch(ME, json={"first_name": f"{word}-first", "last_name": f"{word}-last", "phone": f"{word}-phone", "newsletter": True, "cart_reminders": True})
    out = io.BytesIO()
    Image.new("RGB", (40, 40)).save(out, "PNG")
    client.put(f"{ME}/avatar", data=out.getvalue(), content_type="image/png")
    body = {name: f"{word}-book-{name}" for name in ("label", "name", "line1", "line2", "city", "region", "phone")}
    client.post(f"{ME}/addresses", json=body | {"postcode": f"{word}-8", "country": "FR"})
    finished, open_one, unpaid = order(client, word), order(client, word, payment_method="bank_transfer"), order(client, word, email=f"{word}@work.example")
    change("UPDATE orders SET coupon = %s WHERE number = %s", f"{word}-coupon".upper(), finished)
    send_back_a_part(client, user, word, finished)
    deliver(shop)
    client.step_up(password=OWN_PASSWORD[word])
    challenge = client.post(f"{ME}/email", json={"email": f"{word}@newer.example"}).json["challenge"]
    client.post(f"{ME}/email/verify", json={"challenge": challenge, "otp": code("email_change_code")})
    deliver(shop)
    client.post(f"{ME}/email", json={"email": f"{word}@newest.example", "password": OWN_PASSWORD[word]})
    auth(client, "forgot", email=f"{word}@newer.example")
    auth(client, "register", username=f"{word}-twice", email=f"{word}@newer.example", password=NEW_PASSWORD)
    thing = factories.product()
    client.add(thing.variant)
    gift_cards.issue(500, f"{word}@newer.example", message="", key=word, actor_id=user.id)
    client.put(f"/api/v1/wishlist/{thing.id}")
    leave_opinions(client, user, word, finished, thing)
    change("UPDATE mails SET status = 'failed', last_error = %s WHERE recipient = %s ORDER BY id DESC LIMIT 1", f"no mailbox {word}", f"{word}@newer.example")
    # The device that this test goes on with must stay of its kind; another one gets what names the person.
    factories.cookie_of(user)
    device = ("203.0.113.7" if word == "alice" else "198.51.100.9", f"Browser of {word}", f'{{"cart": "{word}"}}', user.id)
    change("UPDATE sessions SET ip = %s, user_agent = %s, data = %s WHERE user_id = %s", *device)
    change("UPDATE sessions SET browser = %s, os = %s WHERE user_id = %s ORDER BY id DESC LIMIT 1", f"{word}-browser", f"{word}-os", user.id)
    seen = "2021-03-03" if word == "alice" else "2021-04-04"
    change("UPDATE users SET blocked_until = '2020-02-02', block_reason = %s, signed_in_at = %s WHERE id = %s", f"{word} was rude", seen, user.id)
    change(
        "INSERT INTO bulk_actions (subject, action, params, status, total, done, changed, created_at, finished_at)"
        " VALUES ('user', 'unblock', '{}', 'done', 1, 1, 1, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"
    )
    change(
        "INSERT INTO bulk_action_items (bulk_action_id, target_id, before_value) SELECT MAX(id), %s, %s FROM bulk_actions",
        *(user.id, f'{{"blocked_until": null, "block_reason": "{word} shouted"}}'),
    )
    change("INSERT INTO user_notes (user_id, body, created_at) VALUES (%s, %s, UTC_TIMESTAMP(6))", user.id, f"{word} rang twice")
    change("REPLACE INTO known_devices (user_id, device_hash, seen_at) VALUES (%s, SHA2(%s, 256), UTC_TIMESTAMP(6))", user.id, word)
    change("REPLACE INTO totps (user_id, salt, created_at) VALUES (%s, LEFT(SHA2(%s, 256), 32), UTC_TIMESTAMP(6))", user.id, word)
    change("INSERT INTO recovery_codes (user_id, code_hash) VALUES (%s, SHA2(%s, 256))", user.id, f"code of {word}")
    client.patch(ME, json={"newsletter": False})
    as_guest = order_as_guest(client, f"{word}-guest", f"{word}@newer.example")
    return [finished, open_one, unpaid, as_guest]


def order_as_guest(client: ShopClient, word: str, email: str) -> str:
    """An order out of another browser that is not signed in; gives its number."""
    guest: ShopClient = client.application.test_client()  # type: ignore[assignment]
    guest.add(factories.product().variant)
    names = ("name", "line1", "line2", "city", "region", "phone")
    address = {name: f"{word}-{name}" for name in names} | {"postcode": "9000", "country": "BE"}
    key = f"{word}-key-of-order"
    answer = guest.order(key=key, address=address, note=f"{word}-note", email=email)
    assert answer.status_code == 201, answer.json
    # Nothing says whose a guest's session was, so no erasure can find it; it ends by itself.
    change("DELETE FROM sessions WHERE user_id IS NULL")
    return str(answer.json["number"])


def send_back_a_part(client: ShopClient, user: User, word: str, number: str) -> None:
    """The order is paid, arrives, comes back, and some of its money is given back."""
    factories.paid(number)
    factories.delivered(number, by=user, tracking=f"{word}-parcel")
    [item] = client.get(f"/api/v1/orders/{number}").json["items"]
    body = {"items": [{"item_id": item["id"], "quantity": 1, "reason": "damaged"}], "note": f"{word}-complaint"}
    assert client.post(f"/api/v1/orders/{number}/returns", json=body, headers={"Idempotency-Key": f"{word}-return-key"}).status_code == 201
    [(return_id,)] = rows("SELECT r.id FROM returns r JOIN orders o ON o.id = r.order_id WHERE o.number = %s", number)
    returns.decide(return_id, "approved", answer=f"{word}-answer", actor_id=user.id)
    returns.receive(return_id, [{"item_id": item["id"], "quantity": 1}], actor_id=user.id)
    wanted = refunds.Refunding((refunds.Piece(item["id"], 1),), reason="Damaged on its way", return_id=return_id)
    refunds.refund(number, wanted, key=f"{word}-refund-key", actor_id=user.id)


def leave_opinions(client: ShopClient, user: User, word: str, number: str, thing: Thing) -> None:
    """A review of what was bought and is approved, something that is waited for, and a recommendation."""
    bought = int(rows("SELECT i.product_id FROM order_items i JOIN orders o ON o.id = i.order_id WHERE o.number = %s", number)[0][0])
    words = {"rating": 4, "title": f"{word}-verdict", "body": f"{word}-opinion", "author": f"{word}-pen"}
    assert client.post(f"/api/v1/products/{bought}/reviews", json=words).status_code == 201
    [(review,)] = rows("SELECT id FROM reviews WHERE user_id = %s", user.id)
    reviews.decide(review, "approved", version=None, moderator_id=user.id)
    change(
        "INSERT INTO stock_requests (variant_id, user_id, email, email_key, created_at) VALUES (%s, %s, %s, %s, UTC_TIMESTAMP(6))",
        *(thing.variant, user.id, f"{word}@waits.example", f"{word}@waits.example"),
    )
    write_to_the_shop(client, user, word, number)
    change("INSERT INTO recommendations (user_id, product_id, score) VALUES (%s, %s, 0.5)", user.id, thing.id)


def write_to_the_shop(client: ShopClient, user: User, word: str, number: str) -> None:
    """A message by the contact form, and a ticket in which staff answer, note something and give a coupon."""
    message = {
        "name": f"{word}-sender",
        "email": f"{word}@writes.example",
        "subject": f"{word}-subject",
        "message": f"{word}-message",
        "pictures": [uploaded(client)],
    }
    assert client.post("/api/v1/contact", json=message).status_code == 204
    [(message,)] = rows("SELECT MAX(id) FROM contact_messages")
    contact.answer(message, f"{word}-answered", actor_id=user.id)
    question = {"subject": f"{word}-question", "message": f"{word}-worry", "order_number": number, "pictures": [uploaded(client)]}
    ticket = client.post("/api/v1/tickets", json=question).json["ticket"]["number"]
    for internal in (True, False):
        support.answer(ticket, f"{word}-said-{internal}", internal=internal, actor_id=user.id)
    support.give_coupon(ticket, kind="percent", value=1000, days=30, message=f"{word}-sorry", key=f"{word}-coupon-key", actor=factories.actor(user))


@pytest.fixture
def lives(shop: Flask, client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User) -> tuple[Dump, Dump, list[str]]:
    """What the shop holds when Bob has lived in it, what came when Alice did too, and the numbers of her orders."""
    change("DELETE FROM users WHERE id = %s", alice.id)
    live(shop, new_client(), bob, "bob")
    deliver(shop)
    before = dump()
    again = factories.user("alice")
    numbers = live(shop, client, again, "alice")
    return before, {key: row for key, row in dump().items() if key not in before}, numbers


def values_of(hers: Dump, before: Dump, places: set[tuple[str, str]]) -> set[Cell]:
    """Her values in these columns, but for those that stood there before she came."""
    known = {(table, column, value) for table, column, value in cells(before)}
    # The data of an email that says nothing about anybody is an empty object.
    new = {cell for cell in cells(hers) if cell not in known and cell[2] != "{}"}
    return {cell for cell in new if cell[:2] in places}


# ---------------------------------------------------------------- the marks


def test_every_column_is_marked(shop: Flask) -> None:
    assert {place: words for place, words in marks().items() if words[:1] not in (["keep"], ["export"], ["erase"])} == {}


def test_the_scenario_fills_every_column_that_tells_of_a_person(lives: tuple[Dump, Dump, list[str]]) -> None:
    before, hers, _ = lives
    filled = {cell[:2] for cell in cells(hers)}
    assert (marked("erase") | marked("export")) - filled == set()
    assert marked("erase") - {cell[:2] for cell in values_of(hers, before, marked("erase"))} == set()


# ---------------------------------------------------------------- export


def test_the_export_tells_every_value_that_is_marked_so_and_no_secret(client: ShopClient, lives: tuple[Dump, Dump, list[str]]) -> None:
    before, hers, numbers = lives
    answer = client.get(f"{ME}/export")
    assert (answer.status_code, answer.headers["Content-Disposition"], answer.headers["Cache-Control"]) == (
        *(200, 'attachment; filename="my-data.json"', "no-store"),
    )
    told, text = set(leaves(answer.json)), answer.get_data(as_text=True)
    tellable = marked("export") | marked("erase", untold=False)
    missing = [(table, column, value) for table, column, value in cells(hers) if (table, column) in tellable and not _is_told(value, told)]
    assert missing == []

    public = {str(value) for _, _, value in values_of(hers, before, tellable)}
    secrets = {str(value) for _, _, value in values_of(hers, before, marked("erase", untold=True))} - public
    assert len(secrets) > 10
    assert [secret for secret in secrets if secret in text] == []
    assert {one["number"] for one in answer.json["orders"]} == set(numbers)


def _is_told(value: Any, told: set[str]) -> bool:
    if isinstance(value, str) and value.startswith("["):
        return set(leaves(orjson.loads(value))) <= told
    return as_told(value) in told or (isinstance(value, str) and len(value) > 6 and any(value in one for one in told))


def test_the_export_tells_of_nobody_else(client: ShopClient, lives: tuple[Dump, Dump, list[str]]) -> None:
    before, _, _ = lives
    text = client.get(f"{ME}/export").get_data(as_text=True)
    personal = marked("erase")
    his = {str(value) for table, column, value in cells(before) if (table, column) in personal and len(str(value)) > 4}
    assert len(his) > 30
    assert [value for value in his if value in text] == []
    assert client.get(f"{ME}/export").json["exported_at"].endswith("Z")


def test_a_new_account_has_an_export_too(client: ShopClient, alice: User) -> None:
    told = client.as_(alice).get(f"{ME}/export").json
    assert (told["account"]["username"], told["account"]["status"]) == ("alice", "active")
    assert (told["addresses"], told["orders"], told["codes"], told["mails"], len(told["devices"])) == ([], [], [], [], 1)


def test_many_orders_are_all_told(
    client: ShopClient,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.as_(alice)
    numbers = [order(client, f"w{n}") for n in range(5)]
    monkeypatch.setattr(orders, "PAGE", 2)
    told = client.get(f"{ME}/export").json["orders"]
    assert [one["number"] for one in told] == numbers[::-1]


# ---------------------------------------------------------------- erasure


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    browser = new_client().as_(ada)
    browser.post("/api/v1/auth/step-up", json={"password": PASSWORD})
    return browser


def test_nothing_that_is_marked_erase_survives_and_the_others_are_untouched(
    shop: Flask, client: ShopClient, app_settings: Settings, lives: tuple[Dump, Dump, list[str]]
) -> None:
    before, hers, numbers = lives
    pictures = app_settings.var / "uploads"
    avatar = next(value for table, column, value in cells(hers) if column == "avatar_path")
    her_mails = [key[1][0] for key in hers if key[0] == "mails"]
    assert (pictures / avatar).is_file()
    assert _written(app_settings.var, her_mails)

    assert erase(client, OWN_PASSWORD["alice"]).status_code == 204
    assert _written(app_settings.var, her_mails) == []
    deliver(shop)

    after = dump()
    gone = {str(value) for _, _, value in values_of(hers, before, marked("erase"))}
    assert len(gone) > 40
    survivors = {(table, column, value) for table, column, value in cells(after) for one in gone if one in str(value)}
    assert survivors == set()
    assert not (pictures / avatar).exists()
    # Allowances are counted by network, too, which the two share.
    assert {key: row for key, row in before.items() if after.get(key) != row and key[0] != "allowances"} == {}

    # What the books need is there as it was.
    told = marked("export")
    for key, row in hers.items():
        if key[0] in ("orders", "order_items"):
            kept = {column for table, column in told if table == key[0]} - {"status"}
            assert {column: after[key][column] for column in kept} == {column: row[column] for column in kept}
    assert rows("SELECT number, status, user_id, name, email, country FROM orders WHERE name = 'erased' ORDER BY id") == [
        (numbers[0], "completed", None, "erased", "", "BE"),
        (numbers[1], "cancelled", None, "erased", "", "BE"),
        (numbers[2], "cancelled", None, "erased", "", "BE"),
        (numbers[3], "cancelled", None, "erased", "", "BE"),
    ]


def _written(var: Path, mail_ids: list[int]) -> list[Path]:
    return [path for path in (var / "mail").glob("*.eml") if int(path.name.split("-")[1]) in mail_ids]


def test_the_ratings_of_products_are_what_the_others_say_once_somebody_is_erased(
    client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User, ada: User, mug: Thing
) -> None:
    for person, stars in ((alice, 1), (bob, 4)):
        browser = new_client().as_(person)
        browser.add(mug.variant)
        browser.order()
        browser.post(f"/api/v1/products/{mug.id}/reviews", json={"rating": stars, "title": "Well", "body": "It is a mug."})
    for (review,) in rows("SELECT id FROM reviews"):
        reviews.decide(review, "approved", version=None, moderator_id=ada.id)
    for (number,) in rows("SELECT number FROM orders"):
        factories.paid(number)
        factories.delivered(number, by=alice)
    assert rows("SELECT rating_sum, rating_count FROM products") == [(5, 2)]
    change("DELETE FROM product_changes")

    assert erase(client.as_(alice)).status_code == 204
    assert rows("SELECT rating_sum, rating_count FROM products") == [(4, 1)]
    assert rows("SELECT product_id FROM product_changes") == [(mug.id,)]


def test_a_request_with_the_address_of_the_account_is_theirs_and_no_other(client: ShopClient, alice: User, mug: Thing) -> None:
    for email in (alice.email, "other@example.com"):
        change("INSERT INTO stock_requests (variant_id, email, email_key, created_at) VALUES (%s, %s, %s, UTC_TIMESTAMP(6))", mug.variant, email, email)
    told = client.as_(alice).get(f"{ME}/export").json["stock_requests"]
    assert [one["email"] for one in told] == [alice.email]
    assert erase(client).status_code == 204
    assert rows("SELECT email FROM stock_requests") == [("other@example.com",)]


def test_every_session_ends_and_the_name_is_free_again(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    other = new_client().as_(alice)
    answer = erase(client.as_(alice))
    assert (answer.status_code, answer.data) == (204, b"")
    assert [who(client), who(other)] == [None, None]
    assert auth(client, "login", identifier="alice", password=PASSWORD).status_code == 401
    assert auth(client, "register", username="alice", email=alice.email, password=NEW_PASSWORD).status_code == 202
    assert auth(client, "verify", challenge=auth(client, "forgot", email=alice.email).json["challenge"], otp="123456").status_code == 422


def test_erasure_asks_for_the_password(client: ShopClient, alice: User) -> None:
    client.as_(alice)
    answer = erase(client, "walnut-harbour-18")
    assert (answer.status_code, answer.json["errors"]) == (422, {"password": ["This is not your password."]})
    assert [client.delete(ME, json={}).status_code, client.delete(ME).status_code] == [422, 415]
    assert [erase(client, f"guess-number-{n}").status_code for n in range(10)] == [422] * 9 + [429]
    assert (who(client), mails()) == ("alice", [])


def test_the_last_thing_is_a_mail_that_is_forgotten_once_it_is_sent(shop: Flask, client: ShopClient, alice: User) -> None:
    client.as_(alice)
    number = order(client, "alice")
    erase(client)
    assert mails() == [("order_placed", ""), ("erased", alice.email)]
    assert orjson.loads(rows("SELECT data FROM mails WHERE template = 'erased'")[0][0]) == {"username": "alice", "cancelled": [number], "asked": True}
    deliver(shop)
    assert rows("SELECT recipient, data, status FROM mails WHERE template = 'erased'") == [("", "", "sent")]
    written = mail.list_written(shop.config["SHOP"].var)[0]
    assert (written["to"], written["subject"]) == (alice.email, "Your account was erased")
    assert number in written["text"]


def test_the_last_mail_is_forgotten_too_when_nobody_takes_it(shop: Flask, client: ShopClient, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    erase(client.as_(alice))

    def refuses(*_: object) -> None:
        raise OSError(f"no mailbox {alice.email}")

    monkeypatch.setattr(mail, "_send", refuses)
    deliver(shop)
    assert rows("SELECT recipient, status FROM mails") == [(alice.email, "queued")]
    change("UPDATE mails SET created_at = created_at - INTERVAL 3 DAY, due_at = created_at")
    deliver(shop)
    assert rows("SELECT recipient, data, last_error, status FROM mails") == [("", "", "", "failed")]


def test_a_mail_that_waited_is_never_sent_to_who_was_erased(shop: Flask, client: ShopClient, alice: User) -> None:
    client.as_(alice)
    order(client, "alice")
    auth(client, "forgot", email=alice.email)
    erase(client)
    deliver(shop)
    assert rows("SELECT template, status FROM mails ORDER BY id") == [("order_placed", "failed"), ("erased", "sent")]


def test_goods_that_were_not_sent_go_back_to_the_shelf(client: ShopClient, alice: User) -> None:
    thing = factories.product(stock=5)
    client.as_(alice).add(thing.variant, 3)
    client.order()
    assert factories.stock_of(thing.variant) == 2
    erase(client)
    assert factories.stock_of(thing.variant) == 5
    assert rows("SELECT kind, actor_id FROM order_events ORDER BY id") == [("placed", None), ("cancelled", None)]


@pytest.mark.parametrize(("payment", "fulfilment", "may"), [("paid", "unfulfilled", False), ("unpaid", "shipped", False), ("paid", "delivered", True)])
def test_an_order_that_is_under_way_keeps_its_address_until_it_has_come(client: ShopClient, alice: User, payment: str, fulfilment: str, may: bool) -> None:
    client.as_(alice)
    number, other = order(client, "alice"), order(client, "other")
    if payment == "paid":
        factories.paid(number)
    if fulfilment != "unfulfilled":
        parcel = factories.shipped(number, by=alice)
    if fulfilment == "delivered":
        shipments.deliver(parcel, actor_id=alice.id)
    answer = erase(client)
    if may:
        assert answer.status_code == 204
        assert rows("SELECT name FROM orders") == [("erased",)] * 2
    else:
        assert (answer.status_code, answer.json["code"], number in answer.json["detail"]) == (409, "order_under_way", True)
        assert client.get(f"/api/v1/orders/{other}").json["status"] == "placed"
        assert who(client) == "alice"


def test_a_later_step_of_an_order_mails_nobody(client: ShopClient, alice: User) -> None:
    client.as_(alice)
    order(client, "alice")
    erase(client)
    order_id = rows("SELECT id FROM orders")[0][0]
    db.transaction(orders.announce, order_id, "order_cancelled")
    assert [template for template, _ in mails()] == ["order_placed", "erased"]


# ---------------------------------------------------------------- the last admin


def test_the_last_admin_stays(client: ShopClient, ada: User, bob: User) -> None:
    factories.user("closed", role="admin", status="deactivated")
    blocked = factories.user("blocked", role="admin")
    change("UPDATE users SET blocked_until = UTC_TIMESTAMP(6) + INTERVAL 1 DAY WHERE id = %s", blocked.id)
    factories.user("staff", role="staff")
    answer = erase(client.as_(ada))
    assert (answer.status_code, answer.json["code"]) == (409, "last_admin")
    assert who(client) == "ada"
    assert mails() == []


def test_an_admin_may_go_when_there_is_another(client: ShopClient, ada: User) -> None:
    factories.user("eve", role="admin")
    assert erase(client.as_(ada)).status_code == 204
    assert rows("SELECT username FROM users") == [("eve",)]
    assert rows("SELECT actor_id, subject_id, detail FROM events WHERE kind = 'erased'") == [(ada.id, ada.id, "{}")]


def test_of_all_admins_who_go_at_once_one_stays(new_client: Callable[[], ShopClient], shop: Flask) -> None:
    browsers = [new_client().as_(factories.user(f"admin{n}", role="admin")) for n in range(4)]
    answers = at_once(4, lambda n: erase(browsers[n]).status_code)
    assert sorted(answers) == [204, 204, 204, 409]
    assert rows("SELECT COUNT(*) FROM users WHERE role = 'admin'") == [(1,)]


# ---------------------------------------------------------------- at once


def test_an_order_at_the_same_moment_is_erased_or_never_made(new_client: Callable[[], ShopClient], shop: Flask) -> None:
    for number in range(6):
        user = factories.user(f"racer{number}")
        thing = factories.product(stock=3)
        browsers = [new_client().as_(user) for _ in range(2)]
        browsers[1].add(thing.variant, 2)
        answers = at_once(2, lambda n, pair=browsers: (erase(pair[0]) if n == 0 else pair[1].order(key="race")).status_code)  # type: ignore[misc]
        assert answers[0] == 204
        assert answers[1] in (201, 401, 404, 409)
        assert factories.stock_of(thing.variant) == 3
    assert rows("SELECT COUNT(*) FROM orders WHERE name <> 'erased' OR status <> 'cancelled'") == [(0,)]
    assert rows("SELECT COUNT(*) FROM users") == [(0,)]


def test_of_two_erasures_at_once_one_is_made(new_client: Callable[[], ShopClient], alice: User) -> None:
    browsers = [new_client().as_(alice) for _ in range(2)]
    answers = sorted(at_once(2, lambda n: erase(browsers[n]).status_code))
    assert answers[0] == 204
    assert answers[1] in (401, 422)
    assert mails() == [("erased", alice.email)]


def test_a_failure_half_way_erases_nothing(shop: Flask, alice: User, client: ShopClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client.as_(alice)
    order(client, "alice")
    before = dump()

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("cut off")

    monkeypatch.setattr(mail, "enqueue", fails)
    with pytest.raises(RuntimeError):
        privacy.erase(alice.id, PASSWORD, var=shop.config["SHOP"].var, limited=False)
    assert dump() == before
