from __future__ import annotations

import random
import threading
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import factories
import pytest
from backup_fixtures import DESK, desk, folder, loader, other_shop, owner, quiet, read_whole, run, uploads_of
from conftest import ShopClient
from factories import Thing, User
from flask import Flask
from test_users import act_as

from app import db
from app.config import Settings
from app.db import Address
from app.errors import Conflict, NotFound
from app.services import backup_files, backups, doctor, jobs
from app.services import settings as choices

__all__ = ["desk", "folder", "loader", "other_shop", "owner"]


def test_a_backup_made_while_people_order_restores_to_a_sound_shop_in_which_old_cookies_codes_and_mails_are_dead(
    new_client: Callable[[], ShopClient], alice: User, owner: Address, loader: Address, other_shop: Address, tmp_path: Path
) -> None:
    mug = factories.product("Mug", stock=100_000)
    acknowledged: list[str] = []
    enough = threading.Event()

    def shopping(buyer: ShopClient) -> None:
        while not enough.is_set():
            buyer.add(mug.variants[0])
            answer = buyer.order()
            assert answer.status_code == 201, answer.data
            acknowledged.append(answer.json["number"])

    factories.cookie_of(alice)
    new_client().post("/api/v1/auth/forgot", json={"email": "alice@example.com"})
    crowd = [threading.Thread(target=shopping, args=[new_client().as_(factories.user(f"buyer{number}"))]) for number in range(2)]
    for one in crowd:
        one.start()
    while len(acknowledged) < 3 and all(one.is_alive() for one in crowd):
        time.sleep(0.01)
    before = set(acknowledged)
    path = backup_files.create(owner, uploads_of(tmp_path), tmp_path / "backups", quiet)
    enough.set()
    for one in crowd:
        one.join()

    backup_files.verify(owner, path, quiet, loader=loader)
    restored = tmp_path / "restored"
    backup_files.restore(other_shop, path, restored, quiet, loader=loader)

    kept = {number for (number,) in run(other_shop, "SELECT number FROM orders")}
    assert before <= kept <= set(acknowledged)
    assert run(other_shop, "SELECT COUNT(*) FROM sessions UNION ALL SELECT COUNT(*) FROM codes") == [(0,), (0,)]
    assert run(other_shop, "SELECT COUNT(*) FROM mails WHERE status = 'queued' OR (status = 'failed' AND data <> '')") == [(0,)]
    assert run(other_shop, "SELECT username, password_hash FROM users") == run(owner, "SELECT username, password_hash FROM users")
    assert (restored / "uploads" / "ab" / "mug.webp").read_bytes() == b"a picture"
    assert run(other_shop, f"SELECT COUNT(*) > 0 FROM product_changes WHERE product_id = {mug.id}") == [(1,)], "the search index learns of it"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one["proven_at"] is not None for one in backups.listed(path.parent)] == [True]


def test_a_truncated_an_altered_and_an_unknown_file_are_refused_before_anything_is_touched(
    mug: Thing, owner: Address, loader: Address, other_shop: Address, tmp_path: Path
) -> None:
    path = backup_files.create(owner, uploads_of(tmp_path), tmp_path / "backups", quiet)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        begin = archive.getinfo("uploads/ab/mug.webp").header_offset + 72
    changed = {
        "truncated": whole[:-100],
        "altered": whole[:begin] + bytes([whole[begin] ^ 1]) + whole[begin + 1 :],
        "other": b"a letter",
        "newer": whole,
    }
    for name, content in changed.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "newer", "a") as archive:
        archive.writestr("more.txt", "put in by somebody")
    for name in changed:
        with pytest.raises(Conflict, match="Nothing was changed"):
            backup_files.restore(other_shop, tmp_path / name, tmp_path, quiet, loader=loader)
    assert run(other_shop, "SELECT COUNT(*) FROM products") == [(0,)]
    assert (tmp_path / "uploads" / "ab" / "mug.webp").exists()
    assert not run(owner, f"SHOW DATABASES LIKE '{other_shop.database}\\_restored'")


def test_of_a_file_with_any_wrong_byte_or_end_nothing_else_is_ever_believed(mug: Thing, owner: Address, tmp_path: Path) -> None:
    """Each byte of the directory and the manifest, and bytes all over the file; what no part's content hangs on may pass, as a date does."""
    path = backup_files.create(owner, uploads_of(tmp_path), tmp_path / "backups", quiet)
    whole, manifest = path.read_bytes(), read_whole(path)
    with zipfile.ZipFile(path) as archive:
        end = archive.getinfo("manifest.json").header_offset
    chance = random.Random(7)
    places = [chance.randrange(len(whole)) for _ in range(100)] + [chance.randrange(end, len(whole)) for _ in range(400)]
    broken = [whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :] for place in places]
    broken += [whole[: chance.randrange(len(whole))] for _ in range(50)]
    refused = 0
    for content in broken:
        path.write_bytes(content)
        try:
            assert read_whole(path) == manifest
        except Conflict:
            refused += 1
    assert refused > 250


@pytest.mark.parametrize("name", ["../secret_key", "/etc/passwd", "shop-20260101-000000-0123abcd.zip/../x", "lock"])
def test_a_name_that_the_shop_did_not_give_is_not_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with pytest.raises(NotFound):
        backups.find(tmp_path, name)


# ---------------------------------------------------------------- as the owner has them


def done(desk: ShopClient, shop: Settings, path: str = "", **body: str) -> Any:
    """What became of something that was asked for, once the job runner was at it."""
    asked = desk.post(f"{DESK}{path}", json=body) if body else desk.post(f"{DESK}{path}")
    assert asked.status_code == 202, asked.data
    jobs.carry_out_backups(shop)
    return backups.get_task(asked.json["id"])


def test_the_owner_makes_a_backup_takes_it_away_and_puts_it_back(
    desk: ShopClient, ada: User, mug: Thing, alice: User, new_client: Callable[[], ShopClient], app_settings: Settings, owner: Address
) -> None:
    made = done(desk, app_settings)
    assert (made["status"], made["asked_by"], made["problem"]) == ("done", "ada", "")
    (row,) = desk.get(DESK).json["items"]
    assert (row["name"], row["proven_at"] is not None) == (made["name"], True)
    inside = desk.get(f"{DESK}/{row['name']}").json
    assert (inside["size"], inside["counts"]["product"], inside["counts"]["account"]) == (row["size"], 1, 2)
    file = desk.get(f"{DESK}/{row['name']}/file")
    assert (len(file.data), file.headers["Content-Length"]) == (row["size"], str(row["size"]))
    assert row["name"] in file.headers["Content-Disposition"]

    buyer = new_client().as_(alice)
    buyer.add(mug.variants[0], 2)
    assert buyer.order().status_code == 201
    ((lost,),) = run(owner, "SELECT id FROM orders")
    wrong = desk.post(f"{DESK}/{row['name']}/restoration", json={"name": "restore"})
    assert (wrong.status_code, wrong.json["errors"]["name"]) == (422, ["Type the name of the backup."])
    back = done(desk, app_settings, f"/{row['name']}/restoration", name=row["name"])
    assert (back["kind"], back["status"], back["asked_by"], back["problem"]) == ("restore", "done", "ada", "")

    assert desk.get(DESK).status_code == buyer.get("/api/v1/orders").status_code == 401
    assert run(owner, "SELECT stock FROM variants") == [(5,)]
    assert run(owner, "SELECT COUNT(*) FROM orders") == [(0,)]
    again = act_as(new_client(), ada)
    assert len(again.get(DESK).json["items"]) == 2, "the shop of before the restore was copied"
    assert again.get(f"{DESK}/tasks").json["items"][0]["name"] == row["name"]
    assert run(owner, "SELECT kind, actor_id FROM events WHERE kind = 'backup_restored'") == [("backup_restored", ada.id)]
    fresh = new_client().as_(alice)
    fresh.add(mug.variants[0])
    assert fresh.order().status_code == 201
    assert run(owner, "SELECT id FROM orders")[0][0] > lost, "an id that somebody may still hold is not given again"


def test_a_file_that_was_changed_is_not_put_back_and_the_page_is_told_why(desk: ShopClient, mug: Thing, app_settings: Settings, folder: Path) -> None:
    name = done(desk, app_settings)["name"]
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    for path, body in ((f"/{name}/proof", {}), (f"/{name}/restoration", {"name": name})):
        task = done(desk, app_settings, path, **body)
        assert (task["status"], "Nothing was changed" in task["problem"]) == ("failed", True)
    (folder / name).write_bytes(whole[:-50])
    assert desk.get(f"{DESK}/{name}").status_code == 409
    assert desk.post(f"{DESK}/{name}/restoration", json={"name": name}).status_code == 409
    task = done(desk, app_settings, f"/{name}/proof")
    assert (task["status"], "Nothing was changed" in task["problem"]) == ("failed", True)
    assert [one["proven_at"] for one in desk.get(DESK).json["items"]] == [None], "what it was once is not what it is"


def test_one_thing_at_a_time_is_done_with_backups_and_what_matters_asks_for_the_password(
    desk: ShopClient, ada: User, new_client: Callable[[], ShopClient], app_settings: Settings, folder: Path
) -> None:
    name = done(desk, app_settings)["name"]
    (folder / "secret").write_text("not a backup")
    assert [desk.get(f"{DESK}/{other}/file").status_code for other in ("secret", "..%2fsecret_key", "shop-20260101-000000-01234567.zip")] == [404] * 3
    desk.post(f"{DESK}/{name}/proof")
    assert [desk.post(DESK).status_code, desk.delete(f"{DESK}/{name}").status_code] == [409, 409]
    backups.carry_out(app_settings)
    late = new_client().as_(ada)
    refused = [late.get(f"{DESK}/{name}/file"), late.delete(f"{DESK}/{name}"), late.post(f"{DESK}/{name}/restoration", json={"name": name})]
    assert [answer.json["code"] for answer in refused] == ["step_up_needed"] * 3
    assert desk.delete(f"{DESK}/{name}").status_code == 204
    assert [path.name for path in folder.iterdir() if path.name.startswith("shop-")] == []


def test_old_backups_go_but_never_the_newest_that_is_proven(folder: Path) -> None:
    folder.mkdir()
    names = [f"shop-{day}-030000-0123abcd.zip" for day in ("20240101", "20240102", "20240103")] + [f"shop-{datetime.now(UTC):%Y%m%d}-030000-0123abcd.zip"]
    for name in names:
        (folder / name).touch()
    for name in names[:2]:
        (folder / name).with_suffix(".proven").write_text("2024-01-03T04:00:00Z")
    assert backups.forget_old(folder, 14) == 2
    assert [one["name"] for one in backups.listed(folder)] == [names[3], names[1]]


def test_the_night_brings_one_backup_and_one_that_fails_is_told_to_the_owner(shop: Flask, app_settings: Settings, folder: Path, owner: Address) -> None:
    db.transaction(choices.put, "seller", choices.FIRST_VALUES["seller"] | {"email": "owner@shop.example"})
    db.transaction(choices.put, "backup_hour", datetime.now(UTC).hour)
    run(owner, "UPDATE schema_migrations SET applied_at = UTC_TIMESTAMP(6)")
    assert not backups.night_came(), "a new shop waits for its first night"
    run(owner, "UPDATE schema_migrations SET applied_at = applied_at - INTERVAL 1 DAY")
    assert backups.night_came()
    folder.write_text("in the way")
    assert jobs.make_nightly_backup(app_settings) == "asked for"
    assert not backups.night_came()
    assert jobs.carry_out_backups(app_settings) == "make failed"
    folder.unlink()
    assert run(owner, "SELECT recipient, template FROM mails") == [("owner@shop.example", "owner_alarm")]
    assert not backups.night_came(), "it is not tried all night"
    run(owner, "UPDATE backup_tasks SET created_at = created_at - INTERVAL 1 DAY")
    assert backups.night_came()
    db.transaction(choices.put, "backup_nightly", False)
    assert not backups.night_came()


def test_what_contradicts_itself_is_told_to_the_owner_by_night(mug: Thing, app_settings: Settings, owner: Address) -> None:
    db.transaction(choices.put, "seller", choices.FIRST_VALUES["seller"] | {"email": "owner@shop.example"})
    assert doctor.examine_by_night(app_settings) == []
    run(owner, "UPDATE variants SET stock = stock + 1")
    broken = doctor.examine_by_night(app_settings)
    run(owner, "UPDATE variants SET stock = stock - 1")
    assert len(broken) == 1 and "stock" in broken[0]
    assert run(owner, "SELECT JSON_VALUE(detail, '$.name') FROM events WHERE kind = 'invariant_broken'") == [(broken[0],)]
    assert [broken[0] in data for (data,) in run(owner, "SELECT data FROM mails WHERE template = 'owner_alarm'")] == [True]
