"""The owner's settings: each seen in what a shopper is quoted, each bad value named, nothing lost between two who save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ShopClient
from factories import Thing, User
from flask import Flask
from test_accounts import rows
from test_users import act_as

from app.errors import Forbidden
from app.services import settings

SETTINGS = "/api/v1/admin/settings"
POST = {"name": "Post", "price_minor": 500, "free_from_minor": 9000, "days": "2"}


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    return act_as(new_client(), ada)


def saved(desk: ShopClient, section: str, **values: Any) -> Any:
    """Saves a section with some of its values changed; gives the answer."""
    now = desk.get(SETTINGS).json["sections"][section]
    return desk.put(f"{SETTINGS}/{section}", json=now["values"] | {"version": now["version"]} | values)


def quoted(client: ShopClient, country: str) -> Any:
    return client.post("/api/v1/checkout/quote", json={"address": {"country": country}}).json


def test_taxes_and_ways_of_delivery_show_in_the_next_quote_and_in_the_estimate_alike(desk: ShopClient, client: ShopClient, mug: Thing) -> None:
    client.add(mug.variant, 1)
    rates = [{"country": "DE", "tax_class": "standard", "rate_bp": 1950}, {"country": "DE", "tax_class": "reduced", "rate_bp": 700}]
    taxes = saved(desk, "taxes", prices_include_tax=False, tax_rates=rates)
    assert (taxes.status_code, taxes.json["version"], taxes.json["values"]["tax_rates"]) == (200, 1, rates), taxes.json
    by_weight = {"name": "Parcel", "price_minor": 2000, "by_weight": [{"up_to_g": 50_000, "price_minor": 700}], "countries": ["DE"]}
    assert saved(desk, "delivery", shipping_countries=["DE", "FR", "AT"], shipping_methods=[by_weight, POST | {"countries": ["FR"]}]).status_code == 200

    german, french = quoted(client, "DE"), quoted(client, "FR")

    assert [(way["code"], way["price_minor"]) for way in german["shipping_methods"]] == [("parcel", 700)]
    assert [way["code"] for way in french["shipping_methods"]] == ["post"]
    assert {"step": "tax", "text": "Tax 19.5 %", "amount_minor": german["tax_minor"]} in german["explanation"]
    told = desk.post(f"{SETTINGS}/estimates", json={"country": "DE", "goods_minor": german["subtotal_minor"]}).json
    assert [way["explanation"] for way in told["ways"]] == [german["explanation"]]
    assert [one["section"] for one in desk.get(SETTINGS).json["warnings"] if "Austria" in one["text"]] == ["delivery"]


def test_ways_to_pay_and_levels_hold_at_once(
    desk: ShopClient, client: ShopClient, new_client: Callable[[], ShopClient], ada: User, alice: User, mug: Thing
) -> None:
    client.add(mug.variant, 1)
    asked = saved(new_client().as_(ada), "payments", payment_methods=["bank_transfer"])
    assert (asked.status_code, asked.json["code"]) == (403, "step_up_needed")
    assert saved(desk, "payments", payment_methods=["bank_transfer"], bank_account="DE00 1234", transfer_days=5).status_code == 200
    assert [way["code"] for way in quoted(client, "DE")["payment_methods"]] == ["bank_transfer"]

    assert saved(desk, "levels", levels=[{"name": "Friend", "from_minor": 0, "discount_percent": 10}]).status_code == 200
    assert saved(desk, "orders", low_stock=2, return_days=30, gift_card_years=None).status_code == 200
    generous = {"cart_reminder_hours": 24, "ticket_coupon_percent": 30, "ticket_coupon_minor": None}
    asked = saved(new_client().as_(ada), "customers", **generous)
    assert (asked.json["code"], saved(desk, "customers", **generous).json["values"]) == ("step_up_needed", generous)
    shopper = act_as(new_client(), alice)
    shopper.add(mug.variant, 1)
    assert "Friend customer" in [step["text"] for step in quoted(shopper, "DE")["explanation"]]
    assert desk.get("/api/v1/admin/inventory").json["low_stock"] == 2


@pytest.mark.parametrize(
    ("section", "values", "field"),
    [
        ("taxes", {"tax_rates": [{"country": "DE", "tax_class": "standard", "rate_bp": 10_001}]}, "tax_rates.0.rate_bp"),
        ("taxes", {"tax_rates": [{"country": "DE", "tax_class": "standard", "rate_bp": 1}] * 2}, "tax_rates.1.tax_class"),
        ("delivery", {"shipping_countries": ["XX"]}, "shipping_countries.0"),
        ("delivery", {"shipping_methods": [POST, POST | {"name": "post"}]}, "shipping_methods.1.name"),
        ("delivery", {"shipping_methods": [POST | {"by_weight": [{"up_to_g": 2, "price_minor": 1}] * 2}]}, "shipping_methods.0"),
        ("levels", {"levels": [{"name": "All", "from_minor": 0, "discount_percent": 91}]}, "levels.0.discount_percent"),
    ],
)
def test_a_bad_value_is_named_and_nothing_of_its_section_is_saved(desk: ShopClient, section: str, values: dict[str, Any], field: str) -> None:
    before = desk.get(SETTINGS).json
    answer = saved(desk, section, **values)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert desk.get(SETTINGS).json == before


def test_who_saves_over_a_stale_version_is_shown_the_present_one_and_each_change_is_kept(desk: ShopClient) -> None:
    first = saved(desk, "orders", return_days=30)
    stale = saved(desk, "orders", return_days=60, version=0)
    assert (stale.status_code, stale.json["current"]) == (409, first.json)
    assert saved(desk, "orders").json == first.json, "nothing changed, so no new version"

    [change] = desk.get(f"{SETTINGS}/changes").json["items"]

    assert (change["before"]["return_days"], change["after"]["return_days"], change["changed_by"]) == (14, 30, "ada")
    assert rows("SELECT subject_id, detail FROM events WHERE kind = 'settings_changed'") == [(1, '{"section":"orders"}')]


def test_the_currency_is_fixed_by_the_first_order(desk: ShopClient, client: ShopClient, mug: Thing) -> None:
    seller = {"name": "Mill Ltd", "line1": "Mill Lane 3", "city": "Ghent", "postcode": "9000", "country": "BE", "email": "shop@example.com"}
    assert saved(desk, "shop", currency="USD", seller=seller).status_code == 200
    assert saved(desk, "shop", currency="EUR").status_code == 200
    client.add(mug.variant, 1)
    assert client.order(email="guest@example.com").status_code == 201

    refused = saved(desk, "shop", currency="USD", name="Another")

    assert (refused.status_code, list(refused.json["errors"])) == (422, ["currency"])
    now = desk.get(SETTINGS).json
    assert (now["currency_fixed"], now["sections"]["shop"]["values"]["name"]) == (True, "FlaskCart")


def test_settings_are_the_admins_and_tell_no_key(desk: ShopClient, client: ShopClient, alice: User, shop: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert act_as(client, alice).get(SETTINGS).status_code == 403
    monkeypatch.setitem(shop.config, "SHOP", replace(shop.config["SHOP"], stripe_secret_key="sk_test_0123456789", stripe_webhook_secret="whsec_0123456789"))

    told = desk.get(SETTINGS)

    assert told.json["environment"]["stripe"] == "test"
    assert not any(secret in told.text for secret in ("sk_test", "whsec"))


def test_the_first_run_link_is_good_on_every_server_that_has_the_key(shop: Flask, tmp_path: Path) -> None:
    link = settings.setup_token(tmp_path / "one")

    settings.check_setup_token(tmp_path / "another", link)
    with pytest.raises(Forbidden):
        settings.check_setup_token(tmp_path / "another", link[:-1])
