"""Customers and orders as files: all that match, no formula among the cells, and only for who has just proved to be an admin."""

from __future__ import annotations

import csv
import io

import factories
import pytest
from conftest import ShopClient
from factories import User
from test_accounts import change, rows
from test_users import act_as

from app.services import exports

EXPORTS = "/api/v1/admin/exports"


def table(client: ShopClient, path: str) -> list[dict[str, str]]:
    answer = client.get(f"{EXPORTS}/{path}")
    assert (answer.status_code, answer.mimetype) == (200, "text/csv"), answer.text
    return list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"), newline="")))


def test_customers_are_exported_as_the_table_shows_them_and_no_cell_is_a_formula(
    client: ShopClient, ada: User, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "STEP", 2)
    change("UPDATE users SET first_name = '\u200b\uff1d1+1', phone = '+32 2', last_name = %s WHERE id = %s", 'Line, "quoted"', alice.id)
    act_as(client, ada)
    everybody = table(client, "customers.csv")
    assert sorted(one["username"] for one in everybody) == ["ada", "alice", "bob"]
    [found] = table(client, "customers.csv?q=ali&role=customer")
    assert (found["first_name"], found["phone"], found["last_name"], found["spent"]) == ("'\u200b\uff1d1+1", "'+32 2", 'Line, "quoted"', "0.00")
    assert not {"password_hash", "email_key"} & set(found)
    assert rows("SELECT COUNT(*) FROM events WHERE kind = 'customers_exported'") == [(2,)]


def test_orders_are_exported_by_day_and_state_with_amounts_as_people_write_them(client: ShopClient, ada: User, alice: User) -> None:
    client.as_(alice)
    numbers = []
    for _ in range(2):
        client.add(factories.product(price_minor=1250).variant)
        numbers.append(client.order().json["number"])
    change("UPDATE orders SET placed_at = '2020-05-05 23:59:59', city = '@home' WHERE number = %s", numbers[0])
    act_as(client, ada)
    assert [one["number"] for one in table(client, "orders.csv")] == numbers
    [old] = table(client, "orders.csv?from=2020-05-05&to=2020-05-05")
    assert (old["number"], old["subtotal"], old["city"], old["placed_at"]) == (numbers[0], "12.50", "'@home", "2020-05-05T23:59:59Z")
    assert table(client, "orders.csv?status=cancelled") == []


@pytest.mark.parametrize("name", ["customers", "orders"])
def test_without_a_fresh_proof_nothing_goes_out(client: ShopClient, ada: User, name: str) -> None:
    answer = client.as_(ada).get(f"{EXPORTS}/{name}.csv")
    assert (answer.status_code, answer.json["code"]) == (403, "step_up_needed")
