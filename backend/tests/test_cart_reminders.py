"""The one mail about a cart that was left: to whom, when, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing, User
from test_accounts import at_once, change, mails, rows

from app import db
from app.services import cart_reminders, mail, settings


@pytest.fixture
def left(client: ShopClient, alice: User, mug: Thing) -> Callable[..., None]:
    """Alice wants to be reminded after a day, and left a mug in her cart so many hours ago."""
    db.transaction(settings.put, "cart_reminder_hours", 24)
    assert client.as_(alice).patch("/api/v1/me", json={"cart_reminders": True}).json["cart_reminders"] is True

    def leave(hours: int = 30) -> None:
        client.add(mug.variant)
        change("UPDATE carts SET updated_at = updated_at - INTERVAL %s HOUR", hours)

    return leave


def test_a_cart_is_reminded_of_once_and_again_only_after_an_order(client: ShopClient, left: Callable[..., None], app_settings: Any, alice: User) -> None:
    left(1)
    assert not cart_reminders.any_due()
    left(30)
    assert cart_reminders.any_due()
    assert sum(at_once(2, lambda n: cart_reminders.remind_due())) == 1
    left(30)
    assert (cart_reminders.any_due(), mails()) == (False, [("cart_left", alice.email)])
    mail.deliver_due(app_settings)
    [written] = mail.list_written(app_settings.var, most=1)
    assert "2 × Stoneware mug" in written["text"] and "/cart" in written["html"]
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in (app_settings.var / "mail" / written["name"]).read_text()

    assert client.order().status_code == 201
    left(30)
    change("UPDATE orders SET placed_at = placed_at - INTERVAL 40 HOUR")
    assert cart_reminders.remind_due() == 1


@pytest.mark.parametrize(
    "spoiled",
    [
        "UPDATE users SET cart_reminders = FALSE",
        "UPDATE users SET status = 'deactivated'",
        "UPDATE carts SET updated_at = updated_at - INTERVAL 4 DAY",
        "DELETE FROM cart_items",
        "UPDATE products SET published = FALSE",
        "DELETE FROM settings WHERE name = 'cart_reminder_hours'",
    ],
)
def test_nobody_is_reminded_who_did_not_ask_or_of_what_is_no_cart_to_come_back_to(left: Callable[..., None], spoiled: str) -> None:
    left()
    change(spoiled)
    assert (cart_reminders.remind_due(), mails()) == (0, [])


def test_whoever_orders_or_takes_the_consent_back_at_that_moment_gets_none(
    client: ShopClient, left: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    left()
    due = cart_reminders._due
    for act in (lambda: client.order(), lambda: client.patch("/api/v1/me", json={"cart_reminders": False})):
        monkeypatch.setattr(cart_reminders, "_due", lambda tx, most, act=act: [due(tx, most=most), act()][0])
        assert cart_reminders.remind_due() == 0
        left()
    assert "cart_left" not in {template for template, _ in mails()}


def test_the_link_in_the_mail_ends_them_for_its_own_account_and_no_other(
    new_client: Callable[[], ShopClient], left: Callable[..., None], alice: User, bob: User
) -> None:
    left()
    cart_reminders.remind_due()
    [(data,)] = rows("SELECT data FROM mails")
    token = data.split('one_click":"/api/v1/cart-reminders/unsubscribe/')[1].split('"')[0]
    anybody = new_client()
    path = "/api/v1/cart-reminders/unsubscribe"
    assert [anybody.post(f"{path}/{wrong}").status_code for wrong in (f"{bob.id}.{token.split('.')[1]}", "x", "1.é")] == [404] * 3
    assert factories.value("SELECT cart_reminders FROM users WHERE id = %s", alice.id) == 1
    by_program = anybody.post(f"{path}/{token}", data="List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")
    assert (by_program.status_code, anybody.post(f"{path}/{token}").status_code) == (204, 204)
    assert factories.value("SELECT cart_reminders FROM users WHERE id = %s", alice.id) == 0
