"""Step-up authentication: which endpoints require it, what proves it, and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import PASSWORD, User
from flask import Flask
from test_accounts import auth, change, code, forgotten, rows, who
from test_devices import listed
from test_routes import calls, endpoint_of
from test_totp import TOTP, is_fresh, sign_in, switch_on, wrong_code

ME = "/api/v1/me"

# Every endpoint that acts for a signed-in account and changes something, or hands out what leaves the
# store, is decided here: "always", the condition under which it requires a step-up, or "never".
ALWAYS = """
    DELETE /api/v1/admin/backups/<name>
    DELETE /api/v1/admin/users/<int:user_id>
    DELETE /api/v1/admin/users/<int:user_id>/totp
    DELETE /api/v1/me/devices
    DELETE /api/v1/me/totp
    GET /api/v1/admin/backups/<name>
    GET /api/v1/admin/backups/<name>/file
    GET /api/v1/admin/exports/customers.csv
    GET /api/v1/admin/exports/orders.csv
    GET /api/v1/admin/exports/products.csv
    PATCH /api/v1/admin/users/<int:user_id>
    POST /api/v1/admin/backups/<name>/restoration
    POST /api/v1/admin/gift-cards
    POST /api/v1/admin/gift-cards/<int:gift_card_id>/replacement
    POST /api/v1/admin/gift-cards/<int:gift_card_id>/voiding
    POST /api/v1/admin/orders/<number>/cancellation
    POST /api/v1/admin/orders/<number>/refunds
    POST /api/v1/admin/payments/<int:payment_id>/return
    POST /api/v1/admin/refunds/<int:refund_id>/retry
    POST /api/v1/admin/tickets/<number>/coupon
    POST /api/v1/admin/users
    POST /api/v1/admin/users/actions
    POST /api/v1/admin/users/actions/<int:action_id>/undo
    POST /api/v1/me/email
    POST /api/v1/me/totp
    POST /api/v1/me/totp/confirmation
    POST /api/v1/me/totp/recovery-codes
    PUT /api/v1/admin/settings/customers
    PUT /api/v1/admin/settings/payments
    PUT /api/v1/admin/settings/staff
"""
UNDER_A_CONDITION = {
    "DELETE /api/v1/me": "two-step sign-in is on",
    "DELETE /api/v1/me/devices/<int:device_id>": "it is another device",
    "POST /api/v1/admin/coupons": "it can make an order free",
    "POST /api/v1/admin/orders": "the order contains gift cards",
    "POST /api/v1/admin/orders/<number>/payments": "the order contains gift cards",
    "PUT /api/v1/admin/coupons/<int:promotion_id>": "it can make an order free",
    "PUT /api/v1/me/password": "two-step sign-in is on",
}
NEVER = """
    DELETE /api/v1/admin/coupons/<int:promotion_id>
    DELETE /api/v1/admin/newsletters/<int:newsletter_id>
    DELETE /api/v1/admin/tickets/replies/<int:canned_id>
    DELETE /api/v1/admin/users/<int:user_id>/notes/<int:note_id>
    DELETE /api/v1/categories/<int:category_id>
    DELETE /api/v1/categories/<int:category_id>/image
    DELETE /api/v1/images/<int:image_id>
    DELETE /api/v1/me/addresses/<int:address_id>
    DELETE /api/v1/me/avatar
    DELETE /api/v1/products/<int:product_id>
    DELETE /api/v1/products/<int:product_id>/reviews/mine
    DELETE /api/v1/variants/<int:variant_id>
    PATCH /api/v1/admin/messages/<int:message_id>
    PATCH /api/v1/admin/newsletters/<int:newsletter_id>
    PATCH /api/v1/admin/reviews/<int:review_id>
    PATCH /api/v1/admin/tickets/<number>
    PATCH /api/v1/images/<int:image_id>
    PATCH /api/v1/me
    PATCH /api/v1/products/<int:product_id>
    POST /api/v1/admin/backups
    POST /api/v1/admin/backups/<name>/proof
    POST /api/v1/admin/description-previews
    POST /api/v1/admin/imports
    PATCH /api/v1/admin/imports/<int:import_id>
    POST /api/v1/admin/imports/<int:import_id>/start
    POST /api/v1/admin/inventory/adjustments
    POST /api/v1/admin/jobs/<name>/runs
    POST /api/v1/admin/mails/retries
    POST /api/v1/admin/mails/tests
    POST /api/v1/admin/messages/<int:message_id>/answers
    POST /api/v1/admin/newsletters
    POST /api/v1/admin/newsletters/<int:newsletter_id>/actions
    POST /api/v1/admin/newsletters/<int:newsletter_id>/tests
    POST /api/v1/admin/newsletters/subscribers
    POST /api/v1/admin/newsletters/subscribers/removals
    POST /api/v1/admin/orders/<number>/shipments
    POST /api/v1/admin/orders/quote
    POST /api/v1/admin/payments/<int:payment_id>/inquiry
    POST /api/v1/admin/products/actions
    POST /api/v1/admin/products/actions/<int:action_id>/undo
    POST /api/v1/admin/returns/<int:return_id>/decision
    POST /api/v1/admin/returns/<int:return_id>/receipt
    POST /api/v1/admin/settings/estimates
    POST /api/v1/admin/shipments/<int:shipment_id>/delivery
    POST /api/v1/admin/tickets/<number>/invoice-mail
    POST /api/v1/admin/tickets/<number>/messages
    POST /api/v1/admin/tickets/<number>/order-mail
    POST /api/v1/admin/tickets/replies
    POST /api/v1/admin/users/<int:user_id>/notes
    POST /api/v1/auth/step-up
    POST /api/v1/categories
    POST /api/v1/me/addresses
    POST /api/v1/me/email/verify
    POST /api/v1/orders/claims
    POST /api/v1/products
    POST /api/v1/products/<int:product_id>/images
    POST /api/v1/products/<int:product_id>/restoration
    POST /api/v1/products/<int:product_id>/reviews
    POST /api/v1/products/<int:product_id>/variants
    POST /api/v1/tickets
    POST /api/v1/tickets/<number>/messages
    PUT /api/v1/admin/articles/<slug>
    PUT /api/v1/admin/settings/backups
    PUT /api/v1/admin/settings/delivery
    PUT /api/v1/admin/settings/levels
    PUT /api/v1/admin/settings/orders
    PUT /api/v1/admin/settings/retention
    PUT /api/v1/admin/settings/shop
    PUT /api/v1/admin/settings/taxes
    PUT /api/v1/admin/tickets/replies/<int:canned_id>
    PUT /api/v1/categories/<int:category_id>
    PUT /api/v1/categories/<int:category_id>/image
    PUT /api/v1/me/addresses/<int:address_id>
    PUT /api/v1/me/avatar
    PUT /api/v1/products/<int:product_id>/images
    PUT /api/v1/products/<int:product_id>
    PUT /api/v1/variants/<int:variant_id>
"""
# One's own data only, in a session that shows most of it anyway.
READABLE = {"GET /api/v1/me/export"}


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


DECIDED: dict[str, bool | str] = {
    **dict.fromkeys(lines(ALWAYS), True),
    **UNDER_A_CONDITION,
    **dict.fromkeys(lines(NEVER), False),
}


def test_every_endpoint_that_changes_or_exports_something_has_a_decision(app: Flask) -> None:
    """A new endpoint fails here until somebody decides whether it requires a step-up."""
    declared: dict[str, bool | str] = {}
    for rule, method, _ in calls(app):
        endpoint = endpoint_of(app, rule)
        name = f"{method} {rule.rule}"
        exports = "export" in rule.rule and name not in READABLE
        if endpoint.who != "anyone" and (method != "GET" or endpoint.step_up or exports):
            declared[name] = endpoint.step_up

    assert declared == DECIDED


def test_the_description_of_the_api_tells_where_a_step_up_is_required(client: ShopClient) -> None:
    paths = client.get("/api/v1/openapi.json").json["paths"]

    assert paths["/api/v1/admin/orders/{number}/refunds"]["post"]["x-step-up"] is True
    assert paths["/api/v1/admin/coupons"]["post"]["x-step-up"] == "it can make an order free"
    assert "x-step-up" not in paths["/api/v1/me/addresses"]["post"]


def test_no_endpoint_that_always_requires_a_step_up_does_anything_without(shop: Flask, new_client: Callable[[], ShopClient], ada: User) -> None:
    admin = new_client().as_(ada)
    codes = {}
    for rule, method, path in calls(shop):
        if endpoint_of(shop, rule).step_up is True:
            response = admin.open(path, method=method, **({} if method == "GET" else {"json": {}}))
            codes[f"{method} {rule.rule}"] = (response.status_code, response.json["code"])

    assert codes == dict.fromkeys(lines(ALWAYS), (403, "step_up_needed"))


def test_after_a_step_up_no_endpoint_asks_for_it_again(shop: Flask, new_client: Callable[[], ShopClient]) -> None:
    asked = []
    for number, (rule, method, path) in enumerate(calls(shop)):
        if endpoint_of(shop, rule).step_up is True:
            admin = new_client().as_(factories.user(f"admin-{number}", role="admin")).step_up()
            response = admin.open(path, method=method, **({} if method == "GET" else {"json": {}}))
            if response.is_json and response.json.get("code") == "step_up_needed":
                asked.append(f"{method} {rule.rule}")

    assert asked == []


def test_another_device_is_ended_after_a_step_up_only_and_this_one_without(new_client: Callable[[], ShopClient], alice: User) -> None:
    here, there = new_client().as_(alice), new_client().as_(alice)
    ids = {one["current"]: one["id"] for one in listed(here)}

    refused = here.delete(f"{ME}/devices/{ids[False]}")
    assert (refused.status_code, refused.json["code"]) == (403, "step_up_needed")
    assert who(there) == "alice"
    assert here.delete(f"{ME}/devices/{ids[True]}").status_code == 204
    assert (who(here), who(there)) == (None, "alice")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", f"{ME}/password", {"current_password": PASSWORD, "new_password": "granite-lantern-58"}),
        ("DELETE", ME, {"password": PASSWORD}),
    ],
)
def test_the_password_in_the_body_does_not_replace_a_second_factor(client: ShopClient, alice: User, method: str, path: str, body: dict[str, str]) -> None:
    made = switch_on(client.as_(alice))
    refused = client.open(path, method=method, json=body)

    assert (refused.status_code, refused.json["code"], refused.json["second_factor"]) == (403, "step_up_needed", True)
    assert client.step_up(totp=made.code()).open(path, method=method, json=body).status_code == 204


# ---------------------------------------------------------------- what proves it


def test_the_refusal_tells_what_to_ask_for(client: ShopClient, alice: User) -> None:
    without = client.as_(alice).delete(f"{ME}/devices").json
    switch_on(client)
    with_second_factor = client.delete(f"{ME}/devices").json

    assert (without["second_factor"], with_second_factor["second_factor"]) == (False, True)
    assert "password" in without["detail"]
    assert "code" in with_second_factor["detail"]


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_with_a_second_factor_a_password_alone_is_refused_right_or_wrong(client: ShopClient, ada: User, password: str) -> None:
    switch_on(client.as_(ada))
    refused = auth(client, "step-up", password=password)

    assert (refused.status_code, refused.json["code"]) == (403, "totp_needed")
    assert not is_fresh(client)


def test_a_code_or_a_recovery_code_proves_it_once(client: ShopClient, ada: User) -> None:
    made = switch_on(client.as_(ada))
    for proof in (made.code(), made.codes[0]):
        change("UPDATE sessions SET stepped_up_at = NULL")
        assert auth(client, "step-up", totp=proof).status_code == 204
        assert is_fresh(client)
        assert auth(client, "step-up", totp=proof).status_code == 422


def test_a_code_that_signed_in_does_not_prove_it_as_well(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    made = switch_on(client.as_(alice))
    browser, used = new_client(), made.code()
    assert sign_in(browser, used).status_code == 200
    assert auth(browser, "step-up", totp=used).status_code == 422


def test_a_wrong_code_does_not_end_an_earlier_step_up(client: ShopClient, ada: User) -> None:
    made = switch_on(client.as_(ada))
    client.step_up(totp=made.code())
    assert auth(client, "step-up", totp=wrong_code(made.app)).status_code == 422
    assert is_fresh(client)


def test_a_password_proven_before_it_changed_steps_nothing_up(client: ShopClient, alice: User) -> None:
    """Between the check of the password and the record of the step-up another session may change it."""
    from app.errors import SignInRequired
    from app.services import sessions

    client.as_(alice)
    ((session_id, password_hash),) = rows("SELECT s.id, u.password_hash FROM sessions s JOIN users u ON u.id = s.user_id")
    with pytest.raises(SignInRequired):
        sessions.step_up(alice.id, session_id, None, password_hash="scrypt:another")
    switch_on(client)
    with pytest.raises(SignInRequired):
        sessions.step_up(alice.id, session_id, None, password_hash=password_hash)
    assert rows("SELECT stepped_up_at FROM sessions") == [(None,)]


# ---------------------------------------------------------------- when it ends


def new_password(client: ShopClient) -> None:
    passwords = {"current_password": PASSWORD, "new_password": "granite-lantern-58"}
    assert client.put(f"{ME}/password", json=passwords).status_code == 204


def test_it_ends_when_the_password_changes(client: ShopClient, ada: User) -> None:
    new_password(client.as_(ada).step_up())
    assert not is_fresh(client)


def test_it_ends_when_two_step_sign_in_is_set_up(client: ShopClient, ada: User) -> None:
    switch_on(client.as_(ada))
    assert not is_fresh(client)


def test_it_ends_when_two_step_sign_in_is_switched_off(client: ShopClient, ada: User) -> None:
    made = switch_on(client.as_(ada))
    assert client.step_up(totp=made.code()).delete(TOTP).status_code == 204
    assert not is_fresh(client)


def test_it_ends_when_an_admin_removes_the_second_factor(new_client: Callable[[], ShopClient], ada: User) -> None:
    other = factories.user("grace", role="admin")
    made = switch_on(here := new_client().as_(ada))
    here.step_up(totp=made.code())
    desk = new_client().as_(other).step_up()
    assert desk.delete(f"/api/v1/admin/users/{ada.id}/totp").status_code == 204
    assert not is_fresh(here)


def test_it_ends_when_the_role_changes(new_client: Callable[[], ShopClient], ada: User) -> None:
    grace = factories.user("grace", role="admin")
    here, desk = new_client().as_(ada).step_up(), new_client().as_(grace).step_up()
    for role in ("staff", "admin"):
        assert desk.patch(f"/api/v1/admin/users/{ada.id}", json={"role": role}).status_code == 200
    assert not is_fresh(here)
    assert is_fresh(desk)


def test_it_survives_a_change_of_the_name(new_client: Callable[[], ShopClient], ada: User) -> None:
    here = new_client().as_(ada).step_up()
    assert here.patch(ME, json={"first_name": "Ada"}).status_code == 200
    assert is_fresh(here)


# ---------------------------------------------------------------- setting up a second factor


def test_setting_it_up_ends_every_other_session_and_access_token(client: ShopClient, new_client: Callable[[], ShopClient], alice: User, bob: User) -> None:
    other, stranger, script = new_client().as_(alice), new_client().as_(bob), new_client()
    token = auth(script, "token", identifier="alice", password=PASSWORD).json["access_token"]
    bearer: Any = {"Authorization": f"Bearer {token}"}
    assert script.get(ME, headers=bearer).status_code == 200

    switch_on(client.as_(alice))

    assert [who(one) for one in (client, other, stranger)] == ["alice", None, "bob"]
    assert script.get(ME, headers=bearer).status_code == 401


def test_a_setup_that_is_not_confirmed_ends_nothing(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    other = new_client().as_(alice)
    assert client.as_(alice).step_up().post(TOTP).status_code == 200
    assert auth(client, "step-up", password=PASSWORD).status_code == 204
    assert who(other) == "alice"


def test_new_recovery_codes_replace_the_former_ones(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    made = switch_on(client.as_(alice))
    assert client.post(f"{TOTP}/recovery-codes").json["code"] == "step_up_needed"
    renewed = client.step_up(totp=made.codes[0]).post(f"{TOTP}/recovery-codes").json["recovery_codes"]

    assert len(set(renewed) - set(made.codes)) == 10
    assert client.get(TOTP).json["recovery_codes_left"] == 10
    assert sign_in(new_client(), made.codes[1]).status_code == 401
    assert sign_in(new_client(), renewed[0]).status_code == 200
    assert rows("SELECT COUNT(*) FROM events WHERE kind = 'recovery_codes_renewed'") == [(1,)]


def test_without_a_second_factor_there_are_no_recovery_codes_to_renew(client: ShopClient, alice: User) -> None:
    assert client.as_(alice).step_up().post(f"{TOTP}/recovery-codes").status_code == 404
    assert rows("SELECT COUNT(*) FROM recovery_codes") == [(0,)]


def test_a_reset_of_the_password_leaves_no_session_that_stepped_up(client: ShopClient, alice: User) -> None:
    client.as_(alice).step_up()
    challenge = forgotten(client, alice.email)
    assert auth(client, "reset", challenge=challenge, otp=code(), new_password="granite-lantern-58").status_code == 204
    assert rows("SELECT COUNT(*) FROM sessions WHERE stepped_up_at IS NOT NULL") == [(0,)]
