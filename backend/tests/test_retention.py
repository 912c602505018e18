"""What the shop need not keep for ever goes after as many days as the owner chose; what the books need stays."""

from __future__ import annotations

import pytest
from conftest import Make, ShopClient
from factories import User
from test_accounts import change, rows
from test_settings import SETTINGS, desk, saved

from app.services import jobs, retention

__all__ = ["desk"]


def test_the_owner_chooses_how_long_mails_and_messages_are_kept(desk: ShopClient, new_client: Make, alice: User) -> None:
    at = "UTC_TIMESTAMP(6) - INTERVAL 40 DAY"
    mail = f"INSERT INTO mails (message_id, template, recipient, data, status, created_at, due_at) VALUES (%s, 'test', 'a@example.com', '', %s, {at}, {at})"
    for status in ("sent", "queued"):
        change(mail, f"<{status}@shop>", status)
    message = f"INSERT INTO contact_messages (name, email, email_key, subject, body, status, created_at) VALUES ('A', 'a@b.c', 'a@b.c', 'S', %s, %s, {at})"
    for status in ("done", "open"):
        change(message, status, status)
    assert (retention.forget_mails(), retention.forget_messages()) == (0, 0)

    assert saved(desk, "retention", mail_days=30, message_days=30).status_code == 200
    assert (retention.forget_mails(), retention.forget_messages()) == (1, 1)
    assert rows("SELECT status FROM mails WHERE template = 'test'") == [("queued",)]
    assert rows("SELECT status FROM contact_messages") == [("open",)]
    assert {"mails.forget_old", "contact.forget_old", "guests.forget_stale", "orders.forget_keys"} <= set(jobs.registry)


@pytest.mark.parametrize(("name", "days"), [("guest_days", 91), ("key_days", 29), ("mail_days", 0), ("message_days", 3651)])
def test_days_have_floors_and_ceilings(desk: ShopClient, name: str, days: int) -> None:
    answer = saved(desk, "retention", **{name: days})
    assert (answer.status_code, list(answer.json["errors"])) == (422, [name])
    assert desk.get(SETTINGS).json["sections"]["retention"]["version"] == 0
