"""What admins do to accounts: roles, blocks, closing; the last admin; and how soon it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import factories
import orjson
import pytest
from conftest import ShopClient
from factories import PASSWORD, User
from test_accounts import alike, at_once, auth, change, mails, rows, who

from app.services import payments, user_actions

USERS = "/api/v1/admin/users"
BLOCK = {"blocked_until": "2099-01-31T12:00:00+01:00", "block_reason": "Parcels were refused"}


def act_as(client: ShopClient, admin: User) -> ShopClient:
    """An admin who has just proved who they are."""
    assert auth(client.as_(admin), "step-up", password=admin.password).status_code == 204
    return client


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    return act_as(new_client(), ada)


def test_admins_see_the_accounts_newest_first(desk: ShopClient, alice: User, bob: User) -> None:
    first = desk.get(f"{USERS}?limit=2").json
    assert ([one["username"] for one in first["items"]], first["total"]) == (["bob", "alice"], 3)
    rest = desk.get(f"{USERS}?limit=2&after={first['next']}").json
    assert ([one["username"] for one in rest["items"]], rest["next"]) == (["ada"], None)
    assert "password" not in str(first) and "hash" not in str(first)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=AL", ["alice"]),
        ("q=bob@", ["bob"]),
        ("q=%25", []),
        ("q=_lice", []),
        ("q=é", []),
        ("role=admin", ["ada"]),
        ("status=active", ["bob", "alice", "ada"]),
    ],
)
def test_accounts_are_found_by_the_beginning_of_name_or_address(desk: ShopClient, alice: User, bob: User, query: str, found: list[str]) -> None:
    assert [one["username"] for one in desk.get(f"{USERS}?{query}").json["items"]] == found


def test_accounts_are_found_by_their_state(desk: ShopClient, alice: User, bob: User) -> None:
    desk.patch(f"{USERS}/{alice.id}", json=BLOCK)
    desk.patch(f"{USERS}/{bob.id}", json={"status": "deactivated"})
    for status, name in (("blocked", "alice"), ("deactivated", "bob"), ("active", "ada")):
        assert [one["username"] for one in desk.get(f"{USERS}?status={status}").json["items"]] == [name]


# ---------------------------------------------------------------- blocks


def test_a_block_counts_from_the_next_request_on_and_says_why_at_sign_in(desk: ShopClient, client: ShopClient, alice: User) -> None:
    client.as_(alice)
    assert client.get("/api/v1/orders").status_code == 200
    answer = desk.patch(f"{USERS}/{alice.id}", json=BLOCK)
    assert (answer.json["blocked_until"], answer.json["block_reason"]) == ("2099-01-31T11:00:00Z", "Parcels were refused")
    assert client.get("/api/v1/orders").status_code == 401

    right = auth(client, "login", identifier="alice", password=PASSWORD)
    assert (right.status_code, right.json["code"]) == (403, "account_blocked")
    assert (right.json["reason"], right.json["until"]) == ("Parcels were refused", "2099-01-31T11:00:00Z")
    assert auth(client, "token", identifier="alice", password=PASSWORD).status_code == 403
    assert alike(auth(client, "login", identifier="alice", password="wrong"), auth(client, "login", identifier="nobody", password="wrong"))
    assert mails()[-1] == ("account_blocked", alice.email)


def test_a_block_is_lifted_by_itself_when_its_date_passes(desk: ShopClient, client: ShopClient, alice: User) -> None:
    desk.patch(f"{USERS}/{alice.id}", json=BLOCK)
    change("UPDATE users SET blocked_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE id = %s", alice.id)
    assert auth(client, "login", identifier="alice", password=PASSWORD).status_code == 200
    (row,) = desk.get(f"{USERS}?q=alice").json["items"]
    assert (row["blocked_until"], row["block_reason"]) == (None, "")


def test_a_block_that_an_admin_did_not_make_here_is_felt_at_once_too(client: ShopClient, alice: User) -> None:
    client.as_(alice)
    change("UPDATE users SET blocked_until = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR WHERE id = %s", alice.id)
    assert client.get("/api/v1/orders").status_code == 401


def test_a_block_is_lifted_by_an_admin_but_brings_no_session_back(desk: ShopClient, client: ShopClient, alice: User) -> None:
    client.as_(alice)
    desk.patch(f"{USERS}/{alice.id}", json=BLOCK)
    assert desk.patch(f"{USERS}/{alice.id}", json={"blocked_until": None}).json["block_reason"] == ""
    assert who(client) is None
    assert auth(client, "login", identifier="alice", password=PASSWORD).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"blocked_until": "2099-01-01T00:00:00Z"}, "block_reason"),
        ({"blocked_until": "2001-01-01T00:00:00Z", "block_reason": "x"}, "blocked_until"),
        ({"blocked_until": "tomorrow", "block_reason": "x"}, "blocked_until"),
        ({"blocked_until": "0001-01-01T00:00:00+23:59", "block_reason": "x"}, "blocked_until"),
        ({"blocked_until": 4102444800, "block_reason": "x"}, "blocked_until"),
        ({"blocked_until": "2099-01-01", "block_reason": "x" * 501}, "block_reason"),
        ({"role": "owner"}, "role"),
        ({"role": None}, "role"),
        ({"status": "blocked"}, "status"),
        ({"email": "new@example.com"}, "email"),
        ({"password_hash": "x"}, "password_hash"),
    ],
)
def test_what_breaks_a_rule_is_told_by_field(desk: ShopClient, alice: User, body: dict[str, Any], field: str) -> None:
    answer = desk.patch(f"{USERS}/{alice.id}", json=body)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


# ---------------------------------------------------------------- roles and closing


def test_a_new_role_counts_from_the_next_request_on(desk: ShopClient, client: ShopClient, alice: User) -> None:
    client.as_(alice)
    assert client.get(USERS).status_code == 403
    assert desk.patch(f"{USERS}/{alice.id}", json={"role": "admin"}).json["role"] == "admin"
    assert client.get(USERS).status_code == 200
    assert desk.patch(f"{USERS}/{alice.id}", json={"role": "customer"}).status_code == 200
    assert client.get(USERS).status_code == 403


def test_a_closed_account_is_signed_out_and_can_be_opened_again(desk: ShopClient, client: ShopClient, alice: User) -> None:
    client.as_(alice)
    assert desk.patch(f"{USERS}/{alice.id}", json={"status": "deactivated"}).json["status"] == "deactivated"
    assert who(client) is None
    assert auth(client, "login", identifier="alice", password=PASSWORD).json["code"] == "account_blocked"
    desk.patch(f"{USERS}/{alice.id}", json={"status": "active"})
    assert auth(client, "login", identifier="alice", password=PASSWORD).status_code == 200


def test_an_account_that_never_was_is_absent(desk: ShopClient) -> None:
    assert desk.patch(f"{USERS}/{2**40}", json={"role": "staff"}).status_code == 404


def test_without_a_fresh_proof_nothing_changes(client: ShopClient, ada: User, alice: User) -> None:
    answer = client.as_(ada).patch(f"{USERS}/{alice.id}", json={"role": "admin"})
    assert (answer.status_code, answer.json["code"]) == (403, "step_up_needed")
    assert rows("SELECT role FROM users WHERE id = %s", alice.id) == [("customer",)]


@pytest.mark.parametrize("role", ["customer", "staff"])
def test_nobody_but_an_admin_sees_or_changes_accounts(client: ShopClient, role: str, alice: User) -> None:
    client.as_(factories.user("sam", role=role))
    auth(client, "step-up", password=PASSWORD)
    assert client.get(USERS).status_code == 403
    assert client.patch(f"{USERS}/{alice.id}", json={"role": "admin"}).status_code == 403


# ---------------------------------------------------------------- the last admin


@pytest.mark.parametrize("body", [{"role": "staff"}, {"status": "deactivated"}, BLOCK])
def test_nobody_takes_power_from_themselves(desk: ShopClient, ada: User, body: dict[str, Any]) -> None:
    factories.user("eve", role="admin")
    answer = desk.patch(f"{USERS}/{ada.id}", json=body)
    assert (answer.status_code, answer.json["code"]) == (409, "own_account")
    assert desk.delete(f"{USERS}/{ada.id}").json["code"] == "own_account"
    assert desk.patch(f"{USERS}/{ada.id}", json={"first_name": "Ada"}).json["first_name"] == "Ada"
    assert who(desk) == "ada"


def test_of_two_admins_who_take_each_others_role_at_once_one_stays(new_client: Callable[[], ShopClient], ada: User) -> None:
    for _ in range(5):
        change("UPDATE users SET role = 'admin'")
        eve = User(*rows("SELECT id, username, email FROM users WHERE username = 'eve'")[0]) if rows("SELECT 1 FROM users WHERE username = 'eve'") else None
        eve = eve or factories.user("eve", role="admin")
        pair = [(act_as(new_client(), ada), eve), (act_as(new_client(), eve), ada)]
        answers = at_once(2, lambda n, pair=pair: pair[n][0].patch(f"{USERS}/{pair[n][1].id}", json={"role": "customer"}).status_code)  # type: ignore[misc]
        assert Counter(answers)[200] >= 1
        assert rows("SELECT COUNT(*) FROM users WHERE role = 'admin'") == [(1,)]


# ---------------------------------------------------------------- one customer


def test_who_is_invited_chooses_a_password_by_the_mailbox_and_comes_in(desk: ShopClient, client: ShopClient) -> None:
    body = {"username": "sam", "email": "sam@example.com", "role": "staff"}
    assert desk.post(USERS, json=body).json["role"] == "staff"
    assert mails()[-1] == ("invitation", "sam@example.com")
    assert list(desk.post(USERS, json=body | {"email": "other@example.com"}).json["errors"]) == ["username"]

    challenge = auth(client, "forgot", email="sam@example.com").json["challenge"]
    [(data,)] = rows("SELECT data FROM mails WHERE template = 'reset_code'")
    assert auth(client, "reset", challenge=challenge, otp=orjson.loads(data)["code"], new_password="cobalt-meadow-72").status_code == 204
    assert auth(client, "login", identifier="sam", password="cobalt-meadow-72").json["user"]["role"] == "staff"
    assert desk.get(f"{USERS}?q=sam").json["items"][0]["signed_in_at"] is not None


def test_a_customers_page_tells_their_history_in_a_fixed_number_of_statements(
    desk: ShopClient, client: ShopClient, alice: User, bob: User, statements: Callable[[], int]
) -> None:
    client.as_(alice)
    for _ in range(3):
        client.add(factories.product().variant)
        order = client.order().json
        payments.record(order["number"], order["due_minor"], key="paid", actor=factories.actor(alice))
    for body in ("Wants no phone calls", "Likes blue"):
        assert desk.post(f"{USERS}/{alice.id}/notes", json={"body": body}).status_code == 204
    counts = []
    for user in (bob, alice):
        before = statements()
        page = desk.get(f"{USERS}/{user.id}").json
        counts.append(statements() - before)
    assert (len(page["orders"]), page["user"]["order_count"], page["user"]["spent_minor"]) == (3, 3, sum(one["total_minor"] for one in page["orders"]))
    assert [(one["body"], one["author"]) for one in page["notes"]] == [("Likes blue", "ada"), ("Wants no phone calls", "ada")]
    assert counts[0] == counts[1]

    note = page["notes"][0]["id"]
    assert desk.delete(f"{USERS}/{bob.id}/notes/{note}").status_code == 404
    assert desk.delete(f"{USERS}/{alice.id}/notes/{note}").status_code == 204
    assert [one["body"] for one in client.get("/api/v1/me/export").json["notes"]] == ["Wants no phone calls"]


def test_an_admin_erases_an_account_but_none_whose_order_is_under_way(desk: ShopClient, client: ShopClient, ada: User, alice: User, bob: User) -> None:
    client.as_(alice).add(factories.product().variant)
    number = client.order().json["number"]
    factories.paid(number)
    assert desk.delete(f"{USERS}/{alice.id}").json["code"] == "order_under_way"
    answer = desk.post(f"{USERS}/actions", json={"action": "erase", "ids": [ada.id, alice.id, bob.id]}).json
    assert (answer["changed"], answer["skipped"], answer["undoable"]) == (1, 2, False)
    assert set(states()) == {"ada", "alice"}
    assert rows("SELECT actor_id FROM events WHERE kind = 'erased' AND subject_id = %s", bob.id) == [(ada.id,)]


# ---------------------------------------------------------------- many at once


def states() -> dict[str, tuple[str, bool]]:
    return {name: (status, bool(blocked)) for name, status, blocked in rows("SELECT username, status, blocked_until > UTC_TIMESTAMP(6) FROM users")}


@pytest.mark.parametrize(("action", "more"), [("deactivate", {}), ("block", BLOCK)])
def test_a_bulk_action_on_all_that_match_goes_batch_by_batch_and_is_undone(
    desk: ShopClient, alice: User, bob: User, action: str, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_actions, "BATCH_SIZE", 2)
    desk.patch(f"{USERS}/{bob.id}", json={"status": "deactivated"} if action == "deactivate" else BLOCK | {"block_reason": "Before"})
    before = states()
    answer = desk.post(f"{USERS}/actions", json={"action": action, "filter": {}, **more}).json
    assert (answer["changed"], answer["skipped"]) == ((1, 1) if action == "deactivate" else (2, 1))
    assert set(states().items()) - set(before.items()) and states()["ada"] == ("active", False)
    assert desk.post(f"{USERS}/actions/{answer['id']}/undo").status_code == 202
    assert states() == before
    if action == "block":
        assert rows("SELECT block_reason FROM users WHERE id = %s", bob.id) == [("Before",)]


def test_sessions_end_and_test_mails_go_out_for_those_who_are_chosen(desk: ShopClient, client: ShopClient, alice: User, bob: User) -> None:
    client.as_(alice)
    assert desk.post(f"{USERS}/actions", json={"action": "end_sessions", "ids": [alice.id, bob.id]}).json["changed"] == 1
    assert who(client) is None
    assert desk.post(f"{USERS}/actions", json={"action": "send_test_mail", "filter": {"role": "customer"}}).json["changed"] == 2
    assert set(mails()) >= {("test", alice.email), ("test", bob.email)}


def test_inactive_accounts_are_those_that_never_bought_and_stay_away(desk: ShopClient, client: ShopClient, alice: User, bob: User) -> None:
    buyer, back = factories.user("buyer"), factories.user("back")
    client.as_(buyer).add(factories.product().variant)
    assert client.order().status_code == 201
    change("UPDATE users SET created_at = created_at - INTERVAL 2 YEAR")
    change("UPDATE sessions SET seen_at = seen_at - INTERVAL 2 YEAR WHERE user_id = %s", buyer.id)
    factories.user("old", role="staff")
    change("UPDATE users SET created_at = '2020-01-01' WHERE username = 'old'")
    change("UPDATE users SET signed_in_at = UTC_TIMESTAMP(6) - INTERVAL 3 MONTH WHERE id = %s", back.id)
    wanted = {"inactive": 12}
    found = desk.get(f"{USERS}?inactive=12").json
    assert ([one["username"] for one in found["items"]], found["total"]) == (["bob", "alice"], 2)
    assert desk.post(f"{USERS}/actions", json={"action": "erase", "filter": wanted}).json["changed"] == 2
    assert set(states()) == {"ada", "buyer", "back", "old"}


def test_an_act_names_whom_it_is_for_and_a_block_its_end(desk: ShopClient, alice: User) -> None:
    for body in ({"action": "activate"}, {"action": "activate", "ids": [1], "filter": {}}, {"action": "block", "ids": [alice.id], "block_reason": "x"}):
        assert desk.post(f"{USERS}/actions", json=body).status_code == 422
