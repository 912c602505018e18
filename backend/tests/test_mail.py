from __future__ import annotations

import email
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import factories
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from conftest import ShopClient
from factories import Thing
from flask import Flask

from app import db, errors
from app.config import ROOT, Settings
from app.private_database import PrivateDatabase
from app.services import mail, orders, outbox
from app.services import settings as choices

sys.path.insert(0, str(ROOT / "bench" / "drills"))
import mails

DATA = outbox.EXAMPLES
ORDER, NAME = DATA["order_placed"], DATA["welcome"]
SHOP = {"name": "Wren & Daughters", "url": "https://shop.example", "seller": {"name": "", "line1": "", "postcode": "", "city": "", "email": ""}}


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with db.reading() as tx:
        return list(tx.execute(sql, params).fetchall())


def change(sql: str, *params: Any) -> None:
    with db.reading() as tx:
        tx.execute(sql, params).close()


def put(template: str = "welcome", to: str = "alice@example.com", **more: Any) -> None:
    data = more.pop("data", DATA[template])
    db.transaction(mail.enqueue, template, to, data, **more)


def everything_is_due() -> None:
    """The clock moves on until every mail may be tried again."""
    change("UPDATE mails SET due_at = due_at - INTERVAL 1 DAY, leased_until = leased_until - INTERVAL 1 DAY WHERE status = 'queued'")


class Catcher:
    """A mail server that keeps what it is given, or refuses it with `answer`."""

    def __init__(self) -> None:
        self.caught: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answer = ""
        self.before_yes: Callable[[], None] = lambda: None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer:
            return self.answer
        assert isinstance(envelope.content, bytes)
        self.caught.append(email.message_from_bytes(envelope.content, policy=policy.default))
        self.recipients += envelope.rcpt_tos
        self.before_yes()
        return "250 kept"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if address.startswith("refused"):
            return "550 nobody of this name"
        envelope.rcpt_tos.append(address)
        return "250 ok"


@pytest.fixture
def catcher() -> Catcher:
    return Catcher()


@pytest.fixture
def outside(shop: Flask, catcher: Catcher, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a shop with a mail server, which is running."""
    controller = Controller(catcher, hostname="127.0.0.1", port=free_port(), enable_SMTPUTF8=True)
    controller.start()
    yield settings_for(controller.port, tmp_path)
    controller.stop()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def settings_for(port: int, var: Path) -> Settings:
    return Settings(url="https://shop.example", var=var, mail_host="127.0.0.1", mail_port=port, mail_tls="off", mail_from="Wren <hello@shop.example>")


def parts(message: EmailMessage) -> tuple[str, str]:
    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return text.get_content(), html.get_content()  # type: ignore[attr-defined]


# ---------------------------------------------------------------- what a mail says


def test_every_template_is_tried_here() -> None:
    assert DATA.keys() == mail.TEMPLATES


@pytest.mark.parametrize("template", sorted(DATA))
def test_every_template_has_a_subject_a_text_and_an_html_part(template: str) -> None:
    made = mail.render(template, DATA[template], SHOP)
    for part in (made.subject, made.text, made.html):
        assert part.strip()
        assert not re.search(r"\{[{%#]|[%#}]\}|None|Undefined|\[\]", part)
    assert "Wren & Daughters" in made.text
    assert "Wren &amp; Daughters" in made.html
    assert "<script" not in made.html
    assert "\n\n\n\n" not in made.text
    for value in ("code", "number", "username"):
        if value in DATA[template]:
            assert DATA[template][value] in made.text
            assert DATA[template][value] in made.html


@pytest.mark.parametrize("template", ["order_placed", "order_cancelled", "order_expired"])
def test_an_orders_mail_tells_all_of_it(template: str) -> None:
    made = mail.render(template, DATA[template], SHOP)
    for part in (made.text, made.html):
        for piece in ("Stoneware mug", "Linen shirt", "Size: M, Colour: Moss", "€36.00", "€90.00", "FC-ABCD2345"):
            assert piece in part


def test_an_orders_steps_reach_the_buyer_and_the_owner(client: ShopClient, outside: Settings, catcher: Catcher) -> None:
    shirt = factories.product("Linen shirt", option_names=("Size", "", ""), variants=[{"options": ("M", "", ""), "stock": 9}])
    seller = {"name": "Wren Ltd", "line1": "Dock 1", "line2": "", "city": "Gent", "postcode": "9000", "country": "BE", "email": "owner@shop.example"}
    db.transaction(choices.put, "seller", seller)
    client.add(shirt.variant, 2)
    cancelled = client.order(email="guest@example.com").json
    client.post(f"/api/v1/orders/{cancelled['number']}/cancellation?token={cancelled['token']}")
    client.add(shirt.variant)
    expired = client.order(email="guest@example.com", payment_method="bank_transfer").json
    change("UPDATE orders SET pay_by = pay_by - INTERVAL 30 DAY WHERE status = 'pending'")
    orders.expire_due()

    assert mail.deliver_due(outside) == 6
    told = {(message["To"], message["Subject"]) for message in catcher.caught}
    assert told == {
        ("guest@example.com", f"Your order {cancelled['number']}"),
        ("guest@example.com", f"Your order {cancelled['number']} is cancelled"),
        ("guest@example.com", f"Your order {expired['number']}"),
        ("guest@example.com", f"Your order {expired['number']} has expired"),
        ("owner@shop.example", f"New order {cancelled['number']}"),
        ("owner@shop.example", f"New order {expired['number']}"),
    }
    placed = next(message for message in catcher.caught if message["Subject"] == f"Your order {expired['number']}")
    for part in parts(placed):
        assert "Linen shirt" in part and "Size: M" in part and expired["number"] in part
    assert placed["Reply-To"] == "FlaskCart <owner@shop.example>"
    assert f"https://shop.example/orders/{expired['number']}?token={expired['token']}" in parts(placed)[0]


def test_an_orders_mail_links_to_it_with_the_guests_token() -> None:
    made = mail.render("order_placed", ORDER, SHOP)
    assert "https://shop.example/orders/FC-ABCD2345?token=secret" in made.text
    assert 'href="https://shop.example/orders/FC-ABCD2345?token=secret"' in made.html
    assert "Kerkstraat 5" in made.text and "Kerkstraat 5" in made.html


def test_what_people_typed_is_text_and_no_markup() -> None:
    made = mail.render("order_placed", ORDER | {"name": "<img src=x onerror=alert(1)>", "address": ["<b>bold</b>", "{{ 7 * 7 }}"]}, SHOP)
    assert "<img" not in made.html and "<b>" not in made.html
    assert "{{ 7 * 7 }}" in made.html and "49" not in made.text


@pytest.mark.parametrize("breaker", ["\r\n", "\n", "\r", "\x00", "\u2028", "\x85"])
def test_no_name_can_forge_a_header(breaker: str) -> None:
    shop = SHOP | {"name": f"Wren{breaker}Bcc: thief@example.com"}
    assert mail.render("test", {}, shop).subject == "Test mail from Wren Bcc: thief@example.com"


@pytest.mark.parametrize("to", ["alice@example.com\r\nBcc: thief@example.com", "alice@example.com\n", "a\x00@example.com"])
def test_no_address_can_forge_a_header(shop: object, to: str) -> None:
    with pytest.raises(errors.Invalid):
        put(to=to)
    assert rows("SELECT COUNT(*) FROM mails") == [(0,)]


def test_an_unknown_template_is_a_fault_at_once(shop: object) -> None:
    with pytest.raises(KeyError):
        db.transaction(mail.enqueue, "reset_unknown", "alice@example.com", {})


def test_a_mail_of_a_transaction_that_failed_is_never_sent(shop: object) -> None:
    def work(tx: db.Tx) -> None:
        mail.enqueue(tx, "welcome", "alice@example.com", NAME)
        raise errors.Conflict("Not after all.")

    with pytest.raises(errors.Conflict):
        db.transaction(work)
    assert rows("SELECT COUNT(*) FROM mails") == [(0,)]


# ---------------------------------------------------------------- to a mail server


@pytest.mark.parametrize("template", sorted(DATA))
def test_a_mail_server_receives_each_mail_with_text_and_html(outside: Settings, catcher: Catcher, template: str) -> None:
    put(template)
    assert mail.deliver_due(outside) == 1
    (message,) = catcher.caught
    text, html = parts(message)
    assert "shop.example" in text and "</html>" in html
    assert (message["To"], message["From"], catcher.recipients) == ("alice@example.com", "Wren <hello@shop.example>", ["alice@example.com"])
    assert message["Message-ID"].endswith("@shop.example>")
    assert message["Auto-Submitted"] == "auto-generated"


def test_what_a_mail_said_is_erased_when_it_is_sent(outside: Settings, catcher: Catcher) -> None:
    put("reset_code")
    assert "12345678" in rows("SELECT data FROM mails")[0][0]
    mail.deliver_due(outside)
    ((status, data, sent, error),) = rows("SELECT status, data, sent_at IS NOT NULL, last_error FROM mails")
    assert (status, data, sent, error) == ("sent", "", 1, "")
    assert "12345678" in parts(catcher.caught[0])[0]


def test_a_sent_mail_is_not_sent_again(outside: Settings, catcher: Catcher) -> None:
    put()
    assert [mail.deliver_due(outside), mail.deliver_due(outside)] == [1, 0]
    everything_is_due()
    assert mail.deliver_due(outside) == 0
    assert len(catcher.caught) == 1


def test_workers_side_by_side_send_each_mail_once(outside: Settings, catcher: Catcher) -> None:
    for number in range(30):
        put(to=f"reader{number}@example.com")
    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(mail.deliver_due, [outside] * 4))
    assert sum(sent) == 30
    assert sorted(catcher.recipients) == sorted(f"reader{number}@example.com" for number in range(30))


def test_a_kill_between_the_servers_yes_and_our_note_sends_it_again_under_one_id(outside: Settings, catcher: Catcher, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def dies(*args: Any) -> None:
        raise Killed

    put()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(mail, "_note_sent", dies)
        mail.deliver_due(outside)
    assert mail.deliver_due(outside) == 0, "the dead worker's lease still holds"

    everything_is_due()
    assert mail.deliver_due(outside) == 1
    first, second = catcher.caught
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]


def test_workers_that_are_really_killed_there_lose_no_mail(shop: Flask, app_settings: Settings, server: PrivateDatabase) -> None:
    arrived, fault = mails.killed(3, app_settings, server.address())
    assert (fault, len(arrived), sum(arrived.values())) == ("", 9, 12)


def test_a_server_that_refuses_delays_a_mail_and_loses_none(outside: Settings, catcher: Catcher) -> None:
    put()
    catcher.answer = "451 come back later"
    assert mail.deliver_due(outside) == 0
    ((status, attempts, error, waits),) = rows("SELECT status, attempts, last_error, due_at > UTC_TIMESTAMP(6) FROM mails")
    assert (status, attempts, waits) == ("queued", 1, 1)
    assert "come back later" in error

    assert mail.deliver_due(outside) == 0, "it waits before the next try"
    assert rows("SELECT attempts FROM mails") == [(1,)]
    catcher.answer = ""
    everything_is_due()
    assert mail.deliver_due(outside) == 1


def test_one_refused_recipient_does_not_hold_up_the_others(outside: Settings, catcher: Catcher) -> None:
    for name in ("first", "refused", "third"):
        put(to=f"{name}@example.com")
    assert mail.deliver_due(outside) == 2
    assert catcher.recipients == ["first@example.com", "third@example.com"]


def test_one_mail_that_cannot_be_made_does_not_hold_up_the_others(outside: Settings, catcher: Catcher) -> None:
    put("order_placed", data={"number": "FC-HALF"})
    put()
    assert mail.deliver_due(outside) == 1
    assert "UndefinedError" in rows("SELECT last_error FROM mails WHERE template = 'order_placed'")[0][0]


def test_the_pause_grows_with_each_failure_and_ends_after_two_days(outside: Settings, catcher: Catcher) -> None:
    put()
    catcher.answer = "451 come back later"
    pauses = []
    for _ in range(10):
        mail.deliver_due(outside)
        pauses.append(rows("SELECT ROUND(TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), due_at) / 1000000) FROM mails")[0][0])
        everything_is_due()
    assert [int(pause) for pause in pauses] == [15, 30, 60, 120, 240, 480, 960, 1800, 1800, 1800]

    change("UPDATE mails SET created_at = created_at - INTERVAL 2 DAY")
    mail.deliver_due(outside)
    assert rows("SELECT status FROM mails") == [("failed",)]


def test_a_server_that_is_not_there_delays_and_loses_none(shop: object, catcher: Catcher, tmp_path: Path) -> None:
    port = free_port()
    for number in range(3):
        put(to=f"reader{number}@example.com")
    assert mail.deliver_due(settings_for(port, tmp_path)) == 0
    assert sorted(rows("SELECT attempts FROM mails")) == [(0,), (0,), (1,)], "one knocks for all"

    controller = Controller(catcher, hostname="127.0.0.1", port=port)
    controller.start()
    everything_is_due()
    assert mail.deliver_due(settings_for(port, tmp_path)) == 3
    controller.stop()


def test_a_server_that_hangs_is_given_up_and_blocks_no_request(client: ShopClient, mug: Thing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "TIMEOUT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        put()
        worker = threading.Thread(target=mail.deliver_due, args=(settings_for(silent.getsockname()[1], tmp_path),))
        worker.start()
        began = time.monotonic()
        client.add(mug.variant)
        assert client.order(email="guest@example.com").status_code == 201
        assert time.monotonic() - began < 1
        worker.join(10)
        assert not worker.is_alive()
    assert rows("SELECT status FROM mails WHERE template = 'welcome'") == [("queued",)]
    assert "timed out" in rows("SELECT last_error FROM mails WHERE template = 'welcome'")[0][0]


def test_a_server_without_the_wished_encryption_gets_nothing(outside: Settings, catcher: Catcher) -> None:
    put()
    assert mail.deliver_due(replace(outside, mail_tls="starttls")) == 0
    assert catcher.caught == []
    assert "STARTTLS" in rows("SELECT last_error FROM mails")[0][0]


def test_an_international_address_arrives(outside: Settings, catcher: Catcher) -> None:
    put(to="jörg@bücher.example")
    assert mail.deliver_due(outside) == 1
    assert catcher.recipients == ["jörg@bücher.example"]
    put(to="joerg@bücher.example")
    mail.deliver_due(outside)
    assert catcher.recipients[1] == "joerg@xn--bcher-kva.example"


def test_links_come_from_the_settings_and_not_from_the_request(client: ShopClient, outside: Settings, catcher: Catcher, mug: Thing) -> None:
    client.add(mug.variant)
    client.post(
        "/api/v1/auth/register",
        json={"username": "carol", "email": "carol@example.com", "password": "walnut-harbour-19"},
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
    )
    mail.deliver_due(outside)
    text, html = parts(catcher.caught[0])
    assert "evil" not in text + html + str(catcher.caught[0].items())


# ---------------------------------------------------------------- to files


@pytest.fixture
def at_home(shop: Flask, tmp_path: Path) -> Settings:
    return Settings(var=tmp_path)


def test_without_a_mail_server_each_mail_is_a_file(at_home: Settings) -> None:
    put("register_code")
    assert mail.deliver_due(at_home) == 1
    (path,) = (at_home.var / "mail").iterdir()
    assert re.fullmatch(r"\d{8}T\d{6}-\d+-register_code\.eml", path.name)
    message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    assert "123456" in parts(message)[0]
    assert (message["To"], message["From"]) == ("alice@example.com", "FlaskCart <no-reply@localhost>")


def test_the_files_are_nobody_elses_to_read(at_home: Settings) -> None:
    put()
    mail.deliver_due(at_home)
    folder = at_home.var / "mail"
    assert (folder.stat().st_mode & 0o777, next(folder.iterdir()).stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_kill_before_our_note_leaves_one_file(at_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*args: Any) -> None:
        raise KeyboardInterrupt

    put()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(mail, "_note_sent", dies)
        mail.deliver_due(at_home)
    everything_is_due()
    assert mail.deliver_due(at_home) == 1
    assert len(list((at_home.var / "mail").iterdir())) == 1


def test_a_folder_that_cannot_be_written_delays_and_loses_none(at_home: Settings) -> None:
    (at_home.var / "mail").write_text("in the way")
    put()
    assert mail.deliver_due(at_home) == 0
    (at_home.var / "mail").unlink()
    everything_is_due()
    assert mail.deliver_due(at_home) == 1


# ---------------------------------------------------------------- the mailbox on this machine


@pytest.fixture
def letter(client: ShopClient, app_settings: Settings) -> str:
    """The name of a mail that lies in the shop's folder."""
    put("order_placed", data=ORDER | {"name": "<i>Alice</i>"})
    mail.deliver_due(app_settings)
    return max(path.name for path in (app_settings.var / "mail").iterdir())


def test_the_mailbox_shows_what_was_written(client: ShopClient, letter: str) -> None:
    listed = client.get("/dev/mail")
    assert (listed.status_code, f"/dev/mail/{letter}" in listed.text) == (200, True)
    shown = client.get(f"/dev/mail/{letter}")
    assert "Your order FC-ABCD2345" in shown.text
    assert "&lt;i&gt;Alice&lt;/i&gt;" in shown.text and "<i>" not in shown.text
    framed = client.get(f"/dev/mail/{letter}/html")
    assert "Stoneware mug" in framed.text
    assert "script-src" not in framed.headers["Content-Security-Policy"] and "default-src 'none'" in framed.headers["Content-Security-Policy"]


def test_no_page_of_the_mailbox_is_for_another_machine(client: ShopClient, letter: str) -> None:
    for path in ("/dev/mail", f"/dev/mail/{letter}", f"/dev/mail/{letter}/html"):
        assert client.get(path, headers={"X-Real-IP": "203.0.113.7"}).status_code == 404


@pytest.mark.parametrize("name", ["..%2f..%2fsecret_key", "nothing.eml", "20240101T000000-1-welcome.eml", "%2e%2e"])
def test_the_mailbox_opens_nothing_but_its_mails(client: ShopClient, letter: str, name: str) -> None:
    assert client.get(f"/dev/mail/{name}").status_code == 404
    assert client.get(f"/dev/mail/{name}/html").status_code == 404


# ---------------------------------------------------------------- the outbox, as staff see it

DESK = "/api/v1/admin/mails"


@pytest.fixture
def desk(new_client: Callable[[], ShopClient]) -> ShopClient:
    return new_client().as_(factories.user("stella", role="staff"))


def test_staff_find_a_mail_and_see_what_became_of_it_and_never_what_it_says(
    client: ShopClient, desk: ShopClient, outside: Settings, catcher: Catcher, mug: Thing, statements: Callable[[], int]
) -> None:
    def ids(**query: Any) -> list[int]:
        return [row["id"] for row in desk.get(DESK, query_string=query).json["items"]]

    client.add(mug.variant)
    number = client.order(email="guest@example.com").json["number"]
    mail.deliver_due(outside)
    put("reset_code", to="refused@example.com")
    mail.deliver_due(outside)
    put("gift_card", to="reader@example.com")
    waiting, delayed, sent = desk.get(DESK).json["items"]
    assert [row["status"] for row in (waiting, delayed, sent)] == ["waiting", "delayed", "sent"]
    assert (sent["order_number"], sent["recipient"], delayed["attempts"]) == (number, "guest@example.com", 1)
    assert "nobody of this name" in delayed["last_error"]
    shown = desk.get(DESK).text
    assert DATA["reset_code"]["code"] not in shown and DATA["gift_card"]["cards"][0]["code"] not in shown

    for query, wanted in (
        ({"q": "guest@"}, sent),
        ({"q": number[:6].lower()}, sent),
        ({"template": "gift_card"}, waiting),
        ({"status": "waiting"}, waiting),
        ({"status": "delayed"}, delayed),
        ({"status": "sent"}, sent),
    ):
        assert ids(**query) == [wanted["id"]], query
    assert [ids(**query) for query in ({"status": "failed"}, {"q": "100%"}, {"template": "none"}, {"q": "FC-Ä"})] == [[], [], [], []]
    first = desk.get(f"{DESK}?limit=2&sort=created_asc").json
    assert [row["id"] for row in first["items"]] + ids(limit=2, sort="created_asc", after=first["next"]) == [sent["id"], delayed["id"], waiting["id"]]
    before = statements()
    ids(limit=1)
    few = statements() - before
    ids(limit=100)
    assert statements() - before == 2 * few


def test_a_mail_that_failed_is_tried_again_and_a_sent_one_never(desk: ShopClient, outside: Settings, catcher: Catcher) -> None:
    for template in ("welcome", "test", "reset_code"):
        put(template)
    catcher.answer = "451 come back later"
    mail.deliver_due(outside)
    change("UPDATE mails SET status = 'failed' WHERE template = 'test'")
    change("UPDATE mails SET created_at = created_at - INTERVAL 16 MINUTE WHERE template = 'reset_code'")
    put("welcome", to="new@example.com")
    catcher.answer = ""
    welcome, test, code, new = (one for (one,) in rows("SELECT id FROM mails ORDER BY id"))

    assert desk.post(f"{DESK}/retries", json={"ids": [new, code, test, welcome, 10**9]}).json == {"retried": [welcome, test]}
    assert mail.deliver_due(outside) == 3
    assert desk.post(f"{DESK}/retries", json={"ids": [welcome, test, new]}).json == {"retried": []}
    assert mail.deliver_due(outside) == 0
    assert sorted(catcher.recipients) == ["alice@example.com", "alice@example.com", "new@example.com"]
    assert rows("SELECT subject_id FROM events WHERE kind = 'mail_retried' ORDER BY id") == [(welcome,), (test,)]


def test_staff_look_at_an_example_of_each_mail_and_send_it_to_themselves(desk: ShopClient, outside: Settings, catcher: Catcher) -> None:
    listed = desk.get(f"{DESK}/templates").json["items"]
    assert {one["name"] for one in listed} == mail.TEMPLATES
    assert "FC-ABCD2345" in desk.get(f"{DESK}/templates/order_placed").json["text"]
    page = desk.get(f"{DESK}/templates/order_placed/html")
    assert "Stoneware mug" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"] and "script-src" not in page.headers["Content-Security-Policy"]
    assert [desk.get(f"{DESK}/templates/{name}").status_code for name in ("layout", "code", "..%2flayout", "an order")] == [404] * 4

    assert desk.post(f"{DESK}/tests", json={}).json == {"to": "stella@example.com"}
    assert desk.post(f"{DESK}/tests", json={"template": "order_shipped"}).status_code == 202
    assert desk.post(f"{DESK}/tests", json={"template": "layout"}).status_code == 404
    assert mail.deliver_due(outside) == 2
    assert [(message["To"], message["Subject"]) for message in catcher.caught] == [
        ("stella@example.com", "Test mail from FlaskCart"),
        ("stella@example.com", mail.render("order_shipped", DATA["order_shipped"], SHOP).subject),
    ]
