"""Restores that are killed, and restores while customers order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from backup_fixtures import DESK, desk, folder, loader, owner, quiet, run
from conftest import Make, ShopClient
from factories import Thing, User
from test_users import act_as

from app import db
from app.config import ROOT, Settings
from app.db import Address
from app.services import backup_files, backups, jobs

__all__ = ["desk", "folder", "loader", "owner"]

# A job runner that kills itself before or after the n-th call of one step of a restore.
KILLED_RUNNER = """
import os, signal, sys
from app import db, security
from app.config import Settings
from app.private_database import address_of
from app.services import backup_files, backups

when, step, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
original = getattr(backup_files, step)

def fatal(*args, **kwargs):
    global calls
    calls -= 1
    if when == "before" and not calls:
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*args, **kwargs)
    if when == "after" and not calls:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(backup_files, step, fatal)
shop = Settings.from_env(dict(os.environ))
security.use_key(shop.secret_key)
db.open(address_of(shop), size=2)
print(backups.carry_out(shop))
"""
OLD, RESTORED = "Changed since", "Stoneware mug"
KILLS = {
    "checking the file": ("before", "plan_unpacking", 1, OLD),
    "copying the present shop": ("before", "_copy", 1, OLD),
    "creating the tables": ("before", "_check_schema", 1, OLD),
    "loading rows": ("before", "_decode_row", 5, OLD),
    "rows loaded": ("after", "_load", 1, OLD),
    "before unpacking a file": ("before", "unpack", 1, OLD),
    "after unpacking a file": ("after", "unpack", 1, OLD),
    "ready for the swap": ("before", "_swap", 1, OLD),
    "swapped": ("after", "_swap", 1, RESTORED),
    "before marking changes": ("before", "_mark_changed", 2, RESTORED),
    "before the former tables are dropped": ("after", "_mark_changed", 2, RESTORED),
    "finished": ("after", "finish_restore", 1, RESTORED),
}


def environment(shop: Settings) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if name.startswith("DB_")}
    if shop.db_host:
        given["DB_NAME"] = shop.db_name
    return {**os.environ, **given, "SHOP_VAR": str(shop.var), "SECRET_KEY": shop.secret_key, "PYTHONPATH": str(ROOT / "backend")}


@pytest.fixture
def backup_name(desk: ShopClient, mug: Thing, app_settings: Settings, owner: Address) -> str:
    """A backup of a shop with one product and one upload. Both have changed since."""
    upload = app_settings.var / "uploads" / "products" / "mug.webp"
    upload.parent.mkdir(parents=True, exist_ok=True)
    upload.write_bytes(b"a picture")
    desk.post(DESK)
    jobs.carry_out_backups(app_settings)
    (made,) = backups.listed(app_settings.var / "backups")
    upload.unlink()
    run(owner, f"UPDATE products SET title = '{OLD}'")
    return made["name"]


@pytest.mark.parametrize("step", KILLS)
def test_a_restore_that_is_killed_leaves_the_old_or_the_restored_shop_and_the_next_runner_finishes_it(
    step: str,
    desk: ShopClient,
    ada: User,
    new_client: Callable[[], ShopClient],
    mug: Thing,
    backup_name: str,
    app_settings: Settings,
    owner: Address,
) -> None:
    when, function, call, title = KILLS[step]
    desk.post(f"{DESK}/{backup_name}/restoration", json={"name": backup_name})
    command = [sys.executable, "-c", KILLED_RUNNER, when, function, str(call)]
    done = subprocess.run(command, env=environment(app_settings), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr

    assert run(owner, "SELECT title FROM products") == [(title,)]
    guest = new_client()
    guest.add(mug.variants[0])
    assert guest.order(email="guest@example.com").status_code == 201, "the shop works"

    assert backups.carry_out(app_settings) == f"{backup_name} restored"
    assert run(owner, "SELECT title FROM products") == [(RESTORED,)]
    assert (app_settings.var / "uploads" / "products" / "mug.webp").read_bytes() == b"a picture"
    assert run(owner, f"SHOW DATABASES LIKE '{owner.database}\\_%'") == []
    assert not list((app_settings.var / "backups").glob("*.part")) or step == "copying the present shop"
    task = act_as(new_client(), ada).get(f"{DESK}/tasks").json["items"][0]
    assert (task["kind"], task["status"]) == ("restore", "done")


def test_orders_and_sign_ins_wait_for_no_lock_of_a_restore(
    backup_name: str,
    shop_with: Make,
    alice: User,
    mug: Thing,
    app_settings: Settings,
    owner: Address,
    loader: Address,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Customers act between and during the statements of the restore, up to the swap and after it."""
    run(owner, "UPDATE variants SET stock = stock + 1000")
    run(owner, "UPDATE stock_movements SET quantity = quantity + 1000")
    # So many sign-ins and orders from one network would be refused.
    unlimited = shop_with(limits=False)
    statements: list[str] = []
    execute, failures = backup_files._run, []

    def customer(done: int = 0, total: int = 0) -> None:
        guest: Any = unlimited.test_client()
        guest.add(mug.variants[0])
        failures.extend(answer.data for answer in [guest.order(email="guest@example.com")] if answer.status_code != 201)

    def observed(connection: Any, sql: str) -> None:
        execute(connection, sql)
        statements.append(sql.split()[0])
        if len(statements) % 10 == 0 or sql.startswith(("START", "RENAME", "INSERT")):
            customer()

    waits = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_waits'"
    before = run(owner, waits)
    monkeypatch.setattr(backup_files, "_run", observed)
    path = app_settings.var / "backups" / backup_name
    backup_files.restore(owner, path, app_settings.var, customer, loader=loader)
    monkeypatch.undo()
    assert failures == []
    assert run(owner, waits) == before
    assert {"CREATE", "START", "COMMIT", "ALTER", "RENAME", "INSERT", "DROP"} <= set(statements)


def test_the_swap_gives_way_to_a_long_transaction_and_is_tried_again(
    backup_name: str, owner: Address, loader: Address, app_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes after a waiting swap waits behind it, so it waits less than the timeout of a request."""
    busy = db.connect(owner)
    cursor = busy.cursor()
    cursor.execute("START TRANSACTION")
    cursor.execute("SELECT id FROM products LIMIT 1")
    cursor.fetchall()
    waited: list[float] = []
    execute = backup_files._run

    def observed(connection: Any, sql: str) -> None:
        began = time.monotonic()
        try:
            execute(connection, sql)
        except db.DRIVER_ERRORS:
            waited.append(time.monotonic() - began)
            if len(waited) == 2:
                busy.rollback()
            raise

    monkeypatch.setattr(backup_files, "_run", observed)
    backup_files.restore(owner, app_settings.var / "backups" / backup_name, app_settings.var, quiet, loader=loader)
    busy.close()
    assert len(waited) == 2
    assert max(waited) < db.WEB_TIMEOUT
    assert run(owner, "SELECT title FROM products") == [(RESTORED,)]
