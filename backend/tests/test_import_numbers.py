"""The number format of an import is shown by the dry run, can be changed, and decides what is imported."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
from conftest import ShopClient
from factories import User
from flask import Flask

from app import cli, db
from app.services import imports

AMBIGUOUS = "handle;title;price;stock\nchain;Chain;1.000;2.500\n"
GERMAN = "handle;title;price;stock;weight_g\nsaddle;Saddle;49,90;12;420\nchain;Chain;1.249,00;2.500;1.800\n"


@pytest.fixture
def staff(client: ShopClient, ada: User) -> ShopClient:
    return client.as_(ada)


def check(client: ShopClient, content: str, **params: str) -> dict[str, Any]:
    answer = client.post("/api/v1/admin/imports", query_string=params, data=content, content_type="text/csv")
    assert answer.status_code == 201, answer.data
    return dict(answer.json)


def imported(client: ShopClient, import_id: int, var: Path) -> list[tuple[int, int, int]]:
    """Carry the import out; gives price, stock and weight of every variant."""
    assert client.post(f"/api/v1/admin/imports/{import_id}/start").status_code == 202
    assert imports.carry_out_due(var) == 1
    with db.reading() as tx:
        sql = "SELECT price_minor, stock, weight_g FROM variants ORDER BY product_id"
        return list(tx.execute(sql, ()).fetchall())


def test_the_dry_run_shows_the_detected_format_and_the_import_goes_by_it(staff: ShopClient, var: Path) -> None:
    found = check(staff, GERMAN)

    assert (found["status"], found["numbers"]) == ("checked", {"format": "comma", "chosen": False})
    assert imported(staff, found["id"], var) == [(4990, 12, 420), (124900, 2500, 1800)]


@pytest.mark.parametrize(("numbers", "variant"), [("comma", (100000, 2500, 0)), ("point", None)])
def test_a_format_given_with_the_file_is_used_to_the_end(staff: ShopClient, var: Path, numbers: str, variant: tuple[int, int, int] | None) -> None:
    found = check(staff, AMBIGUOUS, numbers=numbers)

    assert found["numbers"] == {"format": numbers, "chosen": True}
    if variant:
        assert imported(staff, found["id"], var) == [variant]
    else:
        # A stock of two and a half.
        assert [(one["row"], one["column"]) for one in found["errors"]] == [(2, "stock")]


def test_an_ambiguous_file_is_refused_until_the_format_is_chosen(staff: ShopClient, var: Path) -> None:
    found = check(staff, AMBIGUOUS)
    assert (found["status"], found["numbers"]) == ("refused", {"format": "", "chosen": False})
    assert [(one["row"], one["column"]) for one in found["errors"]] == [(2, "price"), (2, "stock")]

    again = staff.patch(f"/api/v1/admin/imports/{found['id']}", json={"numbers": "comma"}).json

    assert (again["status"], again["numbers"], again["errors"]) == ("checked", {"format": "comma", "chosen": True}, [])
    assert imported(staff, found["id"], var) == [(100000, 2500, 0)]


def test_a_choice_is_taken_back(staff: ShopClient) -> None:
    found = check(staff, GERMAN, numbers="point")
    assert found["status"] == "refused"

    again = staff.patch(f"/api/v1/admin/imports/{found['id']}", json={"numbers": ""}).json

    assert (again["status"], again["numbers"]) == ("checked", {"format": "comma", "chosen": False})


def test_another_format_keeps_what_else_was_asked(staff: ShopClient) -> None:
    found = check(staff, GERMAN, format="shopify")

    again = staff.patch(f"/api/v1/admin/imports/{found['id']}", json={"numbers": "comma"}).json

    assert [one["message"] for one in again["errors"]] == ["This file is in the simple format, not in the shopify one."]


def test_a_large_file_is_checked_again_in_the_background(staff: ShopClient, var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "AT_ONCE", 0)
    found = check(staff, AMBIGUOUS, numbers="point")
    assert found["status"] == "checking"
    imports.carry_out_due(var)

    again = staff.patch(f"/api/v1/admin/imports/{found['id']}", json={"numbers": "comma"}).json
    assert again["status"] == "checking"
    imports.carry_out_due(var)

    done = staff.get(f"/api/v1/admin/imports/{found['id']}").json
    assert (done["status"], done["numbers"]) == ("checked", {"format": "comma", "chosen": True})
    assert imported(staff, found["id"], var) == [(100000, 2500, 0)]


def test_the_format_of_an_import_that_began_or_whose_file_is_gone_stays(staff: ShopClient, var: Path) -> None:
    begun, gone = (check(staff, GERMAN)["id"] for _ in range(2))
    staff.post(f"/api/v1/admin/imports/{begun}/start")
    with db.reading() as tx:
        tx.execute("UPDATE imports SET file_path = '' WHERE id = %s", (gone,)).close()

    statuses = [staff.patch(f"/api/v1/admin/imports/{one}", json={"numbers": "point"}).status_code for one in (begun, gone, 2**40)]

    assert statuses == [409, 409, 404]
    assert staff.patch(f"/api/v1/admin/imports/{begun}", json={"numbers": "thousands"}).status_code == 422


def test_the_command_line_shows_the_format_and_takes_another(
    shop: Flask, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "products.csv"
    path.write_text(AMBIGUOUS)
    options = ["import", str(path), "--dry-run"]
    monkeypatch.setattr(cli, "_services", lambda settings, command: db.reading())

    def run(*more: str) -> tuple[int, str]:
        chosen: argparse.Namespace = cli._parser().parse_args([*options, *more])
        code = chosen.command(shop.config["SHOP"], chosen)
        return code, capsys.readouterr().out

    code, printed = run()
    assert (code, "Error in row 2, price: “1.000” can mean 1000 or 1." in printed) == (1, True)
    code, printed = run("--numbers", "comma")
    assert (code, "Numbers in this file: 1.234,56 (as chosen)" in printed) == (0, True)
    assert "Products: 1 new" in printed
