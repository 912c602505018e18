"""Commands beside a shop that is stopped, or in place of one that is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from running_shops import new_shop, seed, until

from app import db
from app.private_database import PrivateDatabase

__all__ = ["new_shop", "seed"]


def test_a_backup_is_restored_by_the_command_and_an_unsigned_one_only_when_that_is_said(new_shop: Any) -> None:
    shop = new_shop()
    assert shop.stop() == 0
    made = shop.command("backup")
    assert made.returncode == 0, made
    (name,) = [path.name for path in (shop.var / "backups").glob("shop-*.zip")]

    kept = shop.command("restore", name, given="no\n")
    restored = shop.command("restore", name, given="restore\n")
    shop.environment["SECRET_KEY"] = "the key of another shop, 0123456789abcdef"
    refused = shop.command("restore", name, given="restore\n")
    allowed = shop.command("restore", name, "--allow-unsigned", given="restore\n")

    assert (kept.returncode, restored.returncode, refused.returncode, allowed.returncode) == (1, 0, 1, 0), (kept, restored, refused, allowed)
    assert "not signed by this shop" in refused.stdout and "--allow-unsigned" in refused.stdout
    assert "Traceback" not in kept.stderr + restored.stderr + refused.stderr + allowed.stderr
    database = PrivateDatabase(shop.var)
    database.start()
    try:
        connection = db.connect(database.address())
        cursor = connection.cursor()
        cursor.execute("SELECT kind, status FROM backup_tasks")
        assert cursor.fetchall() == [("restore", "done")]
        cursor.execute("SELECT COUNT(*) > 0 FROM products")
        assert cursor.fetchall() == [(1,)]
        connection.close()
    finally:
        database.stop()


def test_an_import_command_that_is_killed_is_completed_by_the_shop(
    new_shop: Any,
    tmp_path: Path,
) -> None:
    shop = new_shop()
    file = tmp_path / "products.csv"
    lines = [f"cup-{number},Cup {number},CUP-{number},2.00,1" for number in range(2000)]
    file.write_text("\n".join(["handle,title,sku,price,stock", *lines]) + "\n")

    def statuses() -> list[str]:
        connection = db.connect(PrivateDatabase(shop.var).address())
        cursor = connection.cursor()
        cursor.execute("SELECT status FROM imports ORDER BY id")
        found = [str(row[0]) for row in cursor.fetchall()]
        connection.close()
        return found

    command = [sys.executable, str(shop.root / "backend" / "run.py"), "import", str(file)]
    importer = subprocess.Popen(command, env=shop.environment, stdout=subprocess.DEVNULL)
    until(lambda: statuses() in (["applying"], ["done"]))
    importer.kill()
    importer.wait()
    until(lambda: statuses() == ["done"])

    again = shop.command("import", str(file))
    assert again.returncode == 0, again
    assert "Products: 0 new, 0 changed, 2000 the same" in again.stdout
    assert "Everything is in the shop." in again.stdout
    assert statuses() == ["done", "done"]
