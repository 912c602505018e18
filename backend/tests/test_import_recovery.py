"""Imports that are killed anywhere and taken up again end like imports that nobody disturbed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Start
from import_files import Pause, csv_of, rows, table_of, value, zip_of

from app import db
from app.errors import Unavailable
from app.services import import_batches, imports, media

BEFORE = csv_of(
    {
        "handle": "cup",
        "title": "Cup",
        "price": "4.00",
        "stock": 5,
        "sku": "CUP",
        "category": "Kitchen",
        "option1_name": "",
        "option1": "",
    },
    {
        "handle": "shirt",
        "title": "Shirt",
        "price": "9.00",
        "stock": 2,
        "sku": "SH-S",
        "category": "Clothes",
        "option1_name": "Size",
        "option1": "S",
    },
    {"handle": "shirt", "price": "9.00", "stock": 3, "sku": "SH-M", "option1": "M"},
    {"handle": "shirt", "price": "9.00", "stock": 4, "sku": "SH-L", "option1": "L"},
    {"handle": "old", "title": "Old", "price": "1.00", "stock": 1, "sku": "OLD"},
    {"handle": "same", "title": "Same", "price": "1.00", "stock": 8, "sku": "SAME"},
)
AFTER = csv_of(
    {
        "handle": "bowl",
        "title": "Bowl",
        "price": "7.00",
        "stock": 6,
        "sku": "BOWL",
        "category": "Kitchen > Bowls",
        "image": "bowl.png",
        "image_alt": "A bowl",
    },
    {
        "handle": "hat",
        "title": "Hat",
        "price": "3.00",
        "stock": 1,
        "sku": "HAT-R",
        "category": "Clothes > Hats",
        "option1_name": "Color",
        "option1": "Red",
    },
    {
        "handle": "hat",
        "price": "3.50",
        "stock": 2,
        "sku": "HAT-B",
        "option1": "Blue",
        "image": "hat.png",
    },
    {
        "handle": "cup",
        "title": "Tea cup",
        "price": "4.50",
        "stock": 9,
        "sku": "CUP",
        "category": "Kitchen > Cups",
        "image": "cup.png",
    },
    {
        "handle": "shirt",
        "title": "Shirt",
        "price": "9.00",
        "stock": 2,
        "sku": "SH-M",
        "category": "Clothes",
        "option1_name": "Size",
        "option1": "S",
    },
    {
        "handle": "shirt",
        "price": "9.50",
        "stock": 1,
        "sku": "SH-S",
        "option1": "M",
        "image": "shirt.png",
    },
    {"handle": "shirt", "price": "9.00", "stock": 7, "sku": "SH-XL", "option1": "XL"},
    {"handle": "old", "title": "Old", "price": "1.00", "stock": 1, "sku": "OLD"},
    {"handle": "same", "title": "Same", "price": "1.00", "stock": 8, "sku": "SAME"},
)
CONTENTS = {
    "categories": """
        SELECT c.name, c.slug, p.name
          FROM categories c
          LEFT JOIN categories p ON p.id = c.parent_id
         ORDER BY c.slug""",
    "products": """
        SELECT p.slug, p.title, p.description, c.slug, p.brand, p.type, p.tags, p.option1, p.option2,
               p.price_minor, p.price_max_minor, p.published, p.listed, p.version, p.tax_class
          FROM products p
          LEFT JOIN categories c ON c.id = p.category_id
         ORDER BY p.slug""",
    "variants": """
        SELECT p.slug, v.archived_at IS NULL, v.position, v.sku, v.option1, v.option2, v.price_minor,
               v.compare_at_minor, v.stock, v.tracked, v.weight_g, v.barcode,
               SUBSTRING_INDEX(i.path, '-', 1)
          FROM variants v
          JOIN products p ON p.id = v.product_id
          LEFT JOIN images i ON i.id = v.image_id
         ORDER BY p.slug, v.archived_at IS NULL, v.position, v.option1""",
    "images": """
        SELECT p.slug, i.position, SUBSTRING_INDEX(i.path, '-', 1), i.alt, i.width, i.height
          FROM images i
          JOIN products p ON p.id = i.product_id
         ORDER BY p.slug, i.position""",
    "stock": """
        SELECT p.slug, v.option1, m.quantity, m.reason, m.actor_id IS NULL
          FROM stock_movements m
          JOIN variants v ON v.id = m.variant_id
          JOIN products p ON p.id = v.product_id
         ORDER BY p.slug, v.option1, m.id""",
    "search": """
        SELECT p.slug, COUNT(*)
          FROM product_changes c
          JOIN products p ON p.id = c.product_id
         GROUP BY p.slug
         ORDER BY p.slug""",
    "events": "SELECT detail FROM events WHERE kind = 'products_imported' ORDER BY id",
    "imports": "SELECT status, done, total, result FROM imports ORDER BY id",
    "plans": "SELECT import_id FROM import_chunks",
}
TABLES = (
    "stock_movements",
    "product_changes",
    "variants",
    "images",
    "product_slugs",
    "products",
    "categories",
    "events",
    "import_chunks",
    "imports",
)


def contents() -> dict[str, list[tuple[Any, ...]]]:
    return {name: rows(sql) for name, sql in CONTENTS.items()}


class Killed(BaseException):
    """The process is gone; what it had not committed is rolled back by the database."""


@pytest.fixture
def prepared(start: Start, var: Path, owner_connection: Any) -> Callable[[], None]:
    """Empties the shop, brings in BEFORE and starts the import of AFTER."""

    def prepare() -> None:
        cursor = owner_connection.cursor()
        cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
        for table in TABLES:
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("SET FOREIGN_KEY_CHECKS = 1")
        cursor.close()
        start(BEFORE)
        imports.carry_out_due(var)
        with db.reading() as tx:
            tx.execute("UPDATE products SET archived_at = UTC_TIMESTAMP(6) WHERE slug = 'old'").close()
        start(zip_of(AFTER, bowl="tan", hat="red", cup="navy", shirt="teal"))

    return prepare


@pytest.fixture
def undisturbed(
    prepared: Callable[[], None],
    var: Path,
    one_by_one: None,
) -> dict[str, list[tuple[Any, ...]]]:
    """The contents of the tables after an import that nobody disturbed."""
    prepared()
    imports.carry_out_due(var)
    return contents()


def images_on_disk(var: Path) -> set[str]:
    return {path.relative_to(var / "uploads").as_posix() for path in (var / "uploads" / "products").glob("*.webp")}


def test_an_import_changes_what_it_says(undisturbed: dict[str, list[tuple[Any, ...]]]) -> None:
    assert [(slug, *more) for slug, active, _, *more in undisturbed["variants"] if active and slug == "shirt"] == [
        ("shirt", "SH-M", "S", "", 900, None, 2, 1, 0, "", None),
        ("shirt", "SH-S", "M", "", 950, None, 1, 1, 0, "", "products/shirt"),
        ("shirt", "SH-XL", "XL", "", 900, None, 7, 1, 0, "", None),
    ]
    assert [(slug, quantity) for slug, _, quantity, reason, _ in undisturbed["stock"] if slug == "cup" and reason == "import"] == [("cup", 5), ("cup", 4)]
    assert [row[0] for row in undisturbed["images"]] == ["bowl", "cup", "hat", "shirt"]
    assert [row[:3] for row in undisturbed["imports"]] == [("done", 4, 4), ("done", 9, 9)]
    assert undisturbed["plans"] == []


def test_an_import_killed_before_or_after_any_commit_ends_like_an_undisturbed_one(
    undisturbed: dict[str, list[tuple[Any, ...]]],
    prepared: Callable[[], None],
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit = db.Tx.commit

    def run_until(number: int, *, after: bool) -> bool:
        """Run the import and kill it at this COMMIT; returns whether it came so far."""
        left = number

        def killing(self: db.Tx) -> None:
            nonlocal left
            left -= 1
            if left:
                return commit(self)
            commit(self) if after else self.connection.rollback()
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(db.Tx, "commit", killing)
            try:
                imports.carry_out_due(var)
            except Killed:
                return True
        return False

    for after in (False, True):
        number, was_killed = 0, True
        while was_killed:
            number += 1
            prepared()
            was_killed = run_until(number, after=after)
            imports.carry_out_due(var)
            # A plan that outlived the end of its import is deleted by the hourly job.
            imports.forget_files(var)
            assert contents() == undisturbed, (number, after)
        assert number > 10


def test_an_import_killed_again_and_again_one_statement_later_ends_like_an_undisturbed_one(
    undisturbed: dict[str, list[tuple[Any, ...]]],
    prepared: Callable[[], None],
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    execute = db.Tx.execute
    prepared()
    statement, was_killed = 0, True
    while was_killed:
        statement += 1
        left = statement

        def killing(self: db.Tx, sql: str, params: tuple[Any, ...] = ()) -> Any:
            nonlocal left
            left -= 1
            if not left:
                raise Killed
            return execute(self, sql, params)

        with monkeypatch.context() as patch:
            patch.setattr(db.Tx, "execute", killing)
            try:
                imports.carry_out_due(var)
                was_killed = False
            except Killed:
                continue

    assert contents() == undisturbed
    assert statement > 20


def test_an_import_that_is_killed_while_it_is_prepared_leaves_nothing_in_the_shop(
    start: Start,
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_id = start(table_of(3, price=10, stock=5))

    def killed(*args: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(imports, "_begin_applying", killed)
        with pytest.raises(Killed):
            imports.carry_out_due(var)

    assert (value("SELECT COUNT(*) FROM products"), value("SELECT COUNT(*) FROM categories")) == (
        0,
        0,
    )
    assert value("SELECT COUNT(*) FROM import_chunks") == 1
    imports.carry_out_due(var)
    assert imports.get(import_id)["status"] == "done"
    assert value("SELECT COUNT(*) FROM products") == 3


def test_while_the_database_is_away_an_import_stays_where_it_is(
    start: Start,
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
    one_by_one: None,
) -> None:
    import_id = start(table_of(3, price=10, stock=5))
    write = import_batches._write

    def away(tx: db.Tx, writes: list[Any], actor_id: int | None) -> None:
        if value("SELECT COUNT(*) FROM products") == 2:
            raise Unavailable()
        write(tx, writes, actor_id)

    with monkeypatch.context() as patch:
        patch.setattr(import_batches, "_write", away)
        with pytest.raises(Unavailable):
            imports.carry_out_due(var)
    assert (imports.get(import_id)["status"], imports.get(import_id)["done"]) == ("applying", 2)

    imports.carry_out_due(var)
    assert (imports.get(import_id)["status"], value("SELECT COUNT(*) FROM products")) == ("done", 3)


def test_two_runners_of_one_import_apply_each_product_once(
    start: Start,
    six: list[int],
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
    one_by_one: None,
) -> None:
    import_id = start(table_of(6, price=12, stock=9))

    with Pause(monkeypatch, var, import_batches.BatchSize, "adapt", skip=1):
        assert imports.carry_out_due(var) == 1

    assert imports.get(import_id)["status"] == "done"
    assert rows("SELECT DISTINCT version FROM products") == [(2,)]
    assert value("SELECT COUNT(*) FROM stock_movements") == 12
    assert (
        value(
            "SELECT COUNT(*) FROM events WHERE kind = 'products_imported' AND subject_id = %s",
            import_id,
        )
        == 1
    )


def test_a_runner_that_was_held_up_adds_nothing_to_the_plan_of_the_next(
    start: Start,
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_id = start(table_of(3, price=10, stock=5))

    with Pause(monkeypatch, var, imports, "_add_chunk"):
        assert imports.carry_out_due(var) == 1

    assert imports.get(import_id)["status"] == "done"
    assert value("SELECT COUNT(*) FROM import_chunks") == 0
    assert value("SELECT COUNT(*) FROM products") == 3


def test_images_of_a_plan_are_no_orphans(
    prepared: Callable[[], None],
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared()
    monkeypatch.setattr(media, "ORPHAN_SECONDS", -1)

    with Pause(monkeypatch, var, import_batches, "_apply_batch"):
        assert media.delete_orphans(var / "uploads") == 0

    assert {row[0] for row in rows("SELECT path FROM images")} <= images_on_disk(var)
    media.delete_orphans(var / "uploads")
    assert {row[0] for row in rows("SELECT path FROM images")} <= images_on_disk(var)


def test_plans_that_nobody_needs_are_deleted(
    start: Start,
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(table_of(3, price=10, stock=5))
    monkeypatch.setattr(imports, "_delete_plan", lambda import_id: None)
    imports.carry_out_due(var)
    monkeypatch.undo()
    assert value("SELECT COUNT(*) FROM import_chunks") == 1

    imports.forget_files(var)
    assert value("SELECT COUNT(*) FROM import_chunks") == 0
