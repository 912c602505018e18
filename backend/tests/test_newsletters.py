"""Newsletters: who gets them and how they leave, and that each reader gets each one once."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Any

import factories
import orjson
import pytest
from conftest import Make, ShopClient
from factories import User
from test_accounts import at_once, auth, change, mails, rows

from app.config import Settings
from app.services import mail, newsletters, subscribers

DESK = "/api/v1/admin/newsletters"
SUBSCRIBERS = f"{DESK}/subscribers"


def ask(client: ShopClient, email: str) -> int:
    return int(client.post("/api/v1/newsletter/subscription", json={"email": email}).status_code)


def link(email: str, name: str) -> str:
    """The token of a link in the latest mail to an address."""
    [(data,)] = rows("SELECT data FROM mails WHERE recipient = %s ORDER BY id DESC LIMIT 1", email)
    return str(orjson.loads(data)[name].partition("token=")[2])


def confirm(client: ShopClient, token: str) -> int:
    return int(client.post("/api/v1/newsletter/confirmation", json={"token": token}).status_code)


def states() -> dict[str, str]:
    return dict(rows("SELECT email, status FROM subscribers ORDER BY id"))


def readers(*names: str) -> list[str]:
    emails = [f"{name}@example.com" for name in names]
    for email in emails:
        change(
            "INSERT INTO subscribers (email, email_key, status, source, asked_at, confirmed_at)"
            " VALUES (%s, %s, 'subscribed', 'form', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
            *[email] * 2,
        )
    return emails


def draft(desk: ShopClient, **more: Any) -> dict[str, Any]:
    answer = desk.post(DESK, json={"subject": "Wool is here", "markdown": "Hello **you**.", "recommend": False} | more)
    assert answer.status_code == 201, answer.json
    return dict(answer.json)


def act(desk: ShopClient, newsletter: dict[str, Any], action: str) -> Any:
    return desk.post(f"{DESK}/{newsletter['id']}/actions", json={"action": action, "version": newsletter["version"]})


def written() -> list[str]:
    return [to for template, to in mails() if template == "newsletter"]


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    """The browser of the owner."""
    return new_client().as_(ada)


@pytest.fixture
def by_twos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newsletters, "BATCH", 2)


# ---------------------------------------------------------------- who gets it


def test_an_address_gets_none_before_it_said_yes_and_neither_answer_nor_work_tell_anything(client: ShopClient, statements: Callable[[], int]) -> None:
    (known,), costs = readers("known"), []
    for email in (known, "mara@example.com", "Mara@Example.com"):
        before = statements()
        assert ask(client, email) == 204
        costs.append(statements() - before)
    assert costs == costs[:1] * 3
    assert mails() == [("newsletter_known", known), ("newsletter_confirm", "mara@example.com"), ("newsletter_confirm", "Mara@example.com")]
    assert states() == {known: "subscribed", "Mara@example.com": "pending"}

    token = link("Mara@example.com", "path")
    assert [confirm(client, token[:-1] + "!"), confirm(client, "1.2.3"), confirm(client, "ä"), confirm(client, token), confirm(client, token)] == [
        *[404] * 3,
        *[204, 404],
    ]
    assert states()["Mara@example.com"] == "subscribed"


def test_a_confirmation_comes_within_seven_days_or_the_address_is_forgotten(client: ShopClient) -> None:
    ask(client, "mara@example.com")
    assert subscribers.forget_unconfirmed() == 0
    change("UPDATE subscribers SET asked_at = asked_at - INTERVAL 8 DAY")
    assert confirm(client, link("mara@example.com", "path")) == 404
    assert (subscribers.forget_unconfirmed(), states()) == (1, {})


def test_an_accounts_choice_and_its_addresss_subscription_are_one(client: ShopClient, alice: User) -> None:
    client.as_(alice)

    def chosen(**wanted: bool) -> bool:
        return bool(client.patch("/api/v1/me", json=wanted).json["newsletter"])

    assert [chosen(newsletter=True), chosen(), chosen(newsletter=False), chosen(newsletter=True)] == [True, True, False, True]
    assert rows("SELECT email, status, source, ended_at FROM subscribers") == [(alice.email, "subscribed", "account", None)]
    ask(client, alice.email)
    assert client.post(f"/api/v1/newsletter/unsubscribe/{link(alice.email, 'unsubscribe')}").status_code == 204
    assert (client.get("/api/v1/me").json["newsletter"], states()) == (False, {alice.email: "unsubscribed"})

    ask(client, alice.email)
    confirm(client, link(alice.email, "path"))
    assert client.get("/api/v1/me").json["newsletter"] is True
    told = client.get("/api/v1/me/export").json["newsletter"]
    assert (told["email"], told["status"]) == (alice.email, "subscribed")


def test_a_subscription_goes_with_the_address_of_its_account(client: ShopClient, alice: User) -> None:
    (new,) = readers("new")
    client.as_(alice).patch("/api/v1/me", json={"newsletter": True})
    for email in ("another@example.com", new):
        challenge = client.step_up().post("/api/v1/me/email", json={"email": email}).json["challenge"]
        [(data,)] = rows("SELECT data FROM mails WHERE template = 'email_change_code' ORDER BY id DESC LIMIT 1")
        assert client.post("/api/v1/me/email/verify", json={"challenge": challenge, "otp": orjson.loads(data)["code"]}).json["newsletter"] is True
    assert states() == {new: "subscribed"}


def test_a_reader_who_registers_while_they_confirm_is_said_to_get_it(shop: object, new_client: Callable[[], ShopClient]) -> None:
    for n in range(4):
        email = f"racer{n}@example.com"
        browsers = [new_client(), new_client()]
        ask(browsers[0], email)
        token = link(email, "path")
        challenge = auth(browsers[1], "register", username=f"racer{n}", email=email, password="cobalt-meadow-72").json["challenge"]
        code = orjson.loads(rows("SELECT data FROM mails WHERE template = 'register_code' ORDER BY id DESC LIMIT 1")[0][0])["code"]
        acts = [lambda t=token, b=browsers[0]: confirm(b, t), lambda c=challenge, o=code, b=browsers[1]: auth(b, "verify", challenge=c, otp=o).status_code]
        assert at_once(2, lambda n, acts=acts: acts[n]()) == [204, 201]  # type: ignore[misc]
    assert rows("SELECT COUNT(*) FROM users WHERE newsletter") == [(4,)]


def test_nobody_fills_a_mailbox_of_somebody_else_by_the_form_wherever_they_sign_up_from(shop_with: Make) -> None:
    browser: Any = shop_with(limits=True).test_client()

    def sign_up(n: int, email: str) -> int:
        body = {"email": email}
        return int(browser.post("/api/v1/newsletter/subscription", json=body, environ_base={"REMOTE_ADDR": f"203.0.113.{n}"}).status_code)

    assert [sign_up(n, "mara@example.com") for n in range(6)] == [204] * 5 + [429]
    assert sign_up(7, "other@example.com") == 204


def test_a_mail_program_unsubscribes_with_one_click_for_ever(
    client: ShopClient, desk: ShopClient, app_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    (mara,) = readers("mara")
    act(desk, draft(desk), "send")
    newsletters.send_due(app_settings)
    mail.deliver_due(app_settings)
    path = app_settings.var / "mail" / mail.list_written(app_settings.var, most=1)[0]["name"]
    raw = path.read_bytes()
    message = message_from_bytes(raw, policy=policy.default)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    # Not every mail program puts an encoded or a folded address together again.
    [address] = re.findall(rb"(?m)^List-Unsubscribe: <(http\S+)>\r?$", raw)
    token = address.decode().removeprefix(f"{app_settings.url}/api/v1/newsletter/unsubscribe/")
    with caplog.at_level(logging.INFO):
        answers = [client.post(f"/api/v1/newsletter/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"}) for _ in range(2)]
    assert [(one.status_code, one.headers.get("Set-Cookie")) for one in answers] == [(204, None)] * 2
    assert token not in "".join(str(record.__dict__) for record in caplog.records)
    assert states() == {mara: "unsubscribed"}
    assert desk.get(DESK).json["items"][0]["unsubscribed_count"] == 1

    client.post("/api/v1/newsletter/subscription", json={"email": mara})
    confirm(client, link(mara, "path"))
    assert client.post(f"/api/v1/newsletter/unsubscribe/{token}").status_code == 204
    assert states() == {mara: "unsubscribed"}
    assert client.post(f"/api/v1/newsletter/unsubscribe/{token[:-2]}xx").status_code == 404


# ---------------------------------------------------------------- sending


def test_each_reader_gets_it_once_however_often_the_sending_is_cut_off_or_paused(
    desk: ShopClient, app_settings: Settings, by_twos: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = readers("a", "b", "c", "d", "e")
    change("UPDATE subscribers SET status = 'unsubscribed' WHERE email = %s", everybody.pop(1))
    ask(desk, "pending@example.com")
    newsletter = act(desk, draft(desk), "send").json
    assert (newsletter["status"], newsletter["reader_count"]) == ("sending", 4)
    later = readers("later")

    written_down, calls = newsletters.q.newsletters.add_mails, 0

    def cut_off(*given: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("cut off")
        return written_down(*given, **more)

    monkeypatch.setitem(newsletters.q.newsletters._statements, "add_mails", cut_off)
    with pytest.raises(RuntimeError):
        newsletters.send_due(app_settings)
    assert written() == everybody[:2]
    paused = act(desk, newsletter, "pause").json
    assert (newsletters.send_due(app_settings), paused["status"]) == (0, "paused")
    assert act(desk, paused, "resume").json["status"] == "sending"
    assert sum(at_once(3, lambda _: newsletters.send_due(app_settings))) == 2
    assert written() == everybody and later[0] not in written()

    mail.deliver_due(app_settings)
    newsletters.send_due(app_settings)
    done = desk.get(f"{DESK}/{newsletter['id']}").json
    assert {name: done[name] for name in ("status", "written_count", "sent_count", "failed_count", "waiting_count")} == {
        "status": "sent",
        "written_count": 4,
        "sent_count": 4,
        "failed_count": 0,
        "waiting_count": 0,
    }
    assert (act(desk, done, "send").status_code, act(desk, done, "resume").status_code, newsletters.any_to_do()) == (409, 409, False)
    assert newsletters.forget_readers() == 0
    change("UPDATE newsletters SET finished_at = finished_at - INTERVAL 366 DAY")
    assert (newsletters.forget_readers(), desk.get(f"{DESK}/{newsletter['id']}").json["sent_count"]) == (4, 4)


def test_a_long_list_of_readers_never_keeps_other_mails_waiting(
    desk: ShopClient, app_settings: Settings, by_twos: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newsletters, "WINDOW", 4)
    readers(*"abcdefg")
    act(desk, draft(desk), "send")
    assert [newsletters.send_due(app_settings), newsletters.send_due(app_settings)] == [4, 0]
    change("UPDATE mails SET last_error = 'greylisted' WHERE template = 'newsletter' LIMIT 2")
    assert newsletters.send_due(app_settings) == 2
    mail.deliver_due(app_settings)
    assert (newsletters.send_due(app_settings), desk.get(DESK).json["items"][0]["status"]) == (1, "sent")


def test_who_unsubscribes_gets_not_even_what_waits_and_what_failed_is_counted_until_it_is_sent(desk: ShopClient, app_settings: Settings) -> None:
    gone, broken = readers("gone", "broken")
    newsletter = act(desk, draft(desk), "send").json
    newsletters.send_due(app_settings)
    desk.post(f"/api/v1/newsletter/unsubscribe/{link(gone, 'unsubscribe')}")
    change("UPDATE mails SET status = 'failed' WHERE recipient = %s", broken)
    mail.deliver_due(app_settings)
    newsletters.send_due(app_settings)

    def counts() -> tuple[int, ...]:
        row = desk.get(f"{DESK}/{newsletter['id']}").json
        return tuple(row[f"{name}_count"] for name in ("written", "sent", "failed", "waiting", "unsubscribed"))

    assert counts() == (2, 0, 1, 0, 1)
    [(mail_id,)] = rows("SELECT id FROM mails WHERE recipient = %s", broken)
    assert desk.post("/api/v1/admin/mails/retries", json={"ids": [mail_id]}).json == {"retried": [mail_id]}
    assert counts() == (2, 0, 0, 1, 1)
    mail.deliver_due(app_settings)
    newsletters.send_due(app_settings)
    assert counts() == (2, 1, 0, 0, 1)
    assert rows("SELECT recipient, status, data FROM mails WHERE template = 'newsletter' ORDER BY id") == [(gone, "failed", ""), (broken, "sent", "")]


def test_each_reader_is_shown_what_they_may_like_at_the_cost_of_one(
    desk: ShopClient, client: ShopClient, alice: User, app_settings: Settings, statements: Callable[[], int], between_looks: None
) -> None:
    things = [factories.product(f"Thing {n}", price_minor=1000 + n) for n in range(9)]
    client.as_(alice).patch("/api/v1/me", json={"newsletter": True})
    for thing in things[:5]:
        change("INSERT INTO recommendations (user_id, product_id, score) VALUES (%s, %s, %s)", alice.id, thing.id, 1 / (1 + thing.id))
    client.put(f"/api/v1/wishlist/{things[0].id}")
    client.get("/api/v1/categories")
    costs = []
    for more in (0, 20):
        readers(*(f"reader{n}" for n in range(more)))
        act(desk, draft(desk, recommend=True), "send")
        before = statements()
        newsletters.send_due(app_settings)
        costs.append(statements() - before)
        change("UPDATE newsletter_mails SET status = 'sent'")
    assert costs[0] == costs[1]
    [(hers,), (others,)] = rows("SELECT data FROM mails WHERE template = 'newsletter' ORDER BY id DESC LIMIT 19, 2")[::-1]
    assert [one["title"] for one in orjson.loads(hers)["products"]] == [thing.title for thing in things[1:5]]
    assert (orjson.loads(hers)["heading"], orjson.loads(others)["heading"], len(orjson.loads(others)["products"])) == ("Picked for you", "What others like", 4)


# ---------------------------------------------------------------- at the desk


def test_what_is_written_is_shown_without_anything_that_could_act_and_leads_to_the_shop(desk: ShopClient, ada: User, app_settings: Settings) -> None:
    text = "# Hello\n\n<script>alert(1)</script> [a mug](/products/mug) and [bad](javascript:alert(1))\n\n- one"
    newsletter = draft(desk, subject="Wool <b>", markdown=text)
    page = desk.get(f"{DESK}/{newsletter['id']}/preview/html")
    shown = page.get_data(as_text=True)
    assert "<script" not in shown and 'href="javascript' not in shown and "Wool &lt;b&gt;" in shown
    assert re.search(rf'<a style="[^"]+" class="plain" href="{app_settings.url}/products/mug"', shown)
    assert '<li style="' in shown and "sandbox" in page.headers["Content-Security-Policy"]
    read = desk.get(f"{DESK}/{newsletter['id']}/preview").json
    assert read["subject"] == "Wool <b>" and f"a mug ({app_settings.url}/products/mug)" in read["text"]

    assert desk.post(f"{DESK}/{newsletter['id']}/tests").json == {"to": ada.email}
    mail.deliver_due(app_settings)
    [seen] = mail.list_written(app_settings.var, most=1)
    assert (seen["to"], seen["subject"]) == (ada.email, "Test: Wool <b>")
    assert b"List-Unsubscribe" not in (app_settings.var / "mail" / seen["name"]).read_bytes()


def test_a_draft_is_changed_by_who_saw_it_and_never_again_once_it_has_left(desk: ShopClient) -> None:
    newsletter = draft(desk)
    where = f"{DESK}/{newsletter['id']}"
    changed = desk.patch(where, json={"subject": "Linen", "version": 1}).json
    assert (changed["subject"], changed["markdown"], changed["version"]) == ("Linen", "Hello **you**.", 2)
    stale = desk.patch(where, json={"markdown": "Mine", "version": 1})
    assert (stale.status_code, stale.json["current"]["subject"]) == (409, "Linen")
    assert act(desk, changed, "send").json["code"] == "no_readers"
    readers("mara")
    assert act(desk, newsletter, "send").status_code == 409
    assert act(desk, changed, "send").status_code == 200
    assert [desk.patch(where, json={"subject": "Too late", "version": 3}).status_code, desk.delete(where).status_code] == [409, 409]

    other = draft(desk, subject="50% wool", markdown="")
    assert act(desk, other, "send").json["code"] == "empty"
    found = desk.get(DESK, query_string={"q": "0% w", "status": "draft"}).json
    assert [one["id"] for one in found["items"]] == [other["id"]]
    first = desk.get(DESK, query_string={"limit": 1}).json
    second = desk.get(DESK, query_string={"limit": 1, "after": first["next"]}).json
    assert [one["subject"] for one in first["items"] + second["items"]] == ["50% wool", "Linen"]
    assert [desk.delete(f"{DESK}/{other['id']}").status_code for _ in range(2)] == [204, 404]
    assert rows("SELECT detail FROM events WHERE kind = 'newsletter_changed' ORDER BY id") == [
        (f'{{"action":"{word}"}}',) for word in ("written", "changed", "send", "written", "deleted")
    ]


def test_the_owner_finds_asks_and_removes_subscribers(desk: ShopClient, client: ShopClient, alice: User) -> None:
    client.as_(alice).patch("/api/v1/me", json={"newsletter": True})
    readers("mara", "m_x")
    assert desk.post(SUBSCRIBERS, json={"email": "new@example.com"}).status_code == 204
    assert mails() == [("newsletter_confirm", "new@example.com")]

    def found(**wanted: Any) -> list[str]:
        return [one["email"].partition("@")[0] for one in desk.get(SUBSCRIBERS, query_string=wanted).json["items"]]

    assert [found(), found(sort="oldest", limit=1), found(status="pending"), found(q="M_"), found(q="%")] == [
        *(["new", "m_x", "mara", "alice"], ["alice"], ["new"], ["m_x"], []),
    ]
    page = desk.get(SUBSCRIBERS, query_string={"limit": 3}).json
    assert (page["total"], [one["username"] for one in desk.get(SUBSCRIBERS, query_string={"after": page["next"]}).json["items"]]) == (4, ["alice"])
    ids = [row[0] for row in rows("SELECT id FROM subscribers WHERE email <> 'mara@example.com'")]
    assert desk.post(f"{SUBSCRIBERS}/removals", json={"ids": [*ids, ids[0]]}).json == {"removed": 3}
    assert (states(), client.get("/api/v1/me").json["newsletter"]) == ({"mara@example.com": "subscribed"}, False)
