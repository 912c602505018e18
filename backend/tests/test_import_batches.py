"""Imports in small transactions: who waits for their locks, and what others change meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import factories
import orjson
import pytest
from conftest import Make, ShopClient, Start
from factories import PASSWORD, User
from import_files import Pause, csv_of, rows, table_of, value
from werkzeug.test import TestResponse

from app import db
from app.services import categories, discovery, import_batches, imports, products
from app.services.import_plans import PlannedProduct
from app.services.product_csv import Good, Line


def sign_in(client: ShopClient, user: User) -> TestResponse:
    return client.post("/api/v1/auth/login", json={"identifier": user.username, "password": PASSWORD})


def order(client: ShopClient, variant_id: int) -> TestResponse:
    assert client.add(variant_id).status_code == 201
    return client.order(email="guest@example.com")


def stock_of(sku: str) -> int:
    return int(value("SELECT stock FROM variants WHERE sku = %s", sku))


# ---------------------------------------------------------------- locks


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a lock gives up after a second and is not tried again, so that a wait fails the test."""
    monkeypatch.setattr(db, "ATTEMPTS", 1)


def test_inside_a_batch_the_importer_can_sign_in_and_other_products_can_be_ordered(
    start: Start,
    six: list[int],
    new_client: Callable[[], ShopClient],
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
    one_by_one: None,
    no_waiting: None,
) -> None:
    sam = User(value("SELECT id FROM users WHERE username = 'sam'"), "sam", "sam@example.com")
    start(table_of(6, price=12, stock=9))

    with Pause(monkeypatch, var, discovery, "mark", skip=2):
        assert sign_in(new_client(), sam).status_code == 200
        assert [order(new_client(), variant).status_code for variant in (*six[:2], *six[3:])] == [201] * 5

    assert value("SELECT status FROM imports ORDER BY id DESC LIMIT 1") == "done"
    assert [stock_of(f"S-{n}") for n in range(6)] == [8, 8, 9, 9, 9, 9]


def test_between_batches_nothing_is_locked(
    start: Start,
    six: list[int],
    new_client: Callable[[], ShopClient],
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
    one_by_one: None,
    no_waiting: None,
) -> None:
    sam = User(value("SELECT id FROM users WHERE username = 'sam'"), "sam", "sam@example.com")
    start(table_of(6, price=12, stock=9))

    with Pause(monkeypatch, var, import_batches.BatchSize, "adapt", skip=2):
        assert sign_in(new_client(), sam).status_code == 200
        assert [order(new_client(), variant).status_code for variant in six] == [201] * 6
        assert value("SELECT done FROM imports ORDER BY id DESC LIMIT 1") == 3

    assert [stock_of(f"S-{n}") for n in range(6)] == [8, 8, 8, 9, 9, 9]
    assert value("SELECT SUM(quantity) FROM stock_movements WHERE reason = 'order'") == -6


def test_before_the_first_batch_nothing_is_locked_and_nothing_written(
    start: Start,
    six: list[int],
    new_client: Callable[[], ShopClient],
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_waiting: None,
) -> None:
    sam = User(value("SELECT id FROM users WHERE username = 'sam'"), "sam", "sam@example.com")
    start(table_of(7, price=12, stock=9))

    with Pause(monkeypatch, var, imports, "_begin_applying"):
        assert sign_in(new_client(), sam).status_code == 200
        assert [order(new_client(), variant).status_code for variant in six] == [201] * 6
        assert value("SELECT COUNT(*) FROM products") == 6
        assert value("SELECT MAX(price_minor) FROM variants") == 1000


def test_thousands_of_variants_come_in_while_customers_order_them_and_the_admin_signs_in(start: Start, shop_with: Make, ada: User, var: Path) -> None:
    # So many sign-ins and orders from one network would be refused.
    unlimited: Any = shop_with(limits=False)
    start(table_of(1500, price=10, stock=50))
    imports.carry_out_due(var)
    import_id = start(table_of(3000, price=12, stock=70))
    variants = [row[0] for row in rows("SELECT id FROM variants ORDER BY id")]
    over = threading.Event()

    def repeat(work: Callable[[int], TestResponse]) -> list[int]:
        statuses, number = [], 0
        while not over.is_set() or not number:
            statuses.append(work(number).status_code)
            number += 1
        return statuses

    with ThreadPoolExecutor(5) as pool:
        customers = [
            pool.submit(
                repeat,
                lambda n, start=start: order(unlimited.test_client(), variants[(start + 37 * n) % len(variants)]),
            )
            for start in (0, 400, 800, 1200)
        ]
        admin = pool.submit(repeat, lambda _: sign_in(unlimited.test_client(), ada))
        try:
            imports.carry_out_due(var)
        finally:
            over.set()

    orders = [status for customer in customers for status in customer.result()]
    assert set(orders) == {201}
    assert set(admin.result()) == {200}
    assert imports.get(import_id)["status"] == "done"
    assert value("SELECT COUNT(*) FROM orders") == len(orders)
    last_import = "SELECT MAX(i.id) FROM stock_movements i WHERE i.variant_id = v.id AND i.reason = 'import'"
    sold_since = f"SELECT COALESCE(SUM(m.quantity), 0) FROM stock_movements m WHERE m.variant_id = v.id AND m.id > ({last_import})"
    wrong = f"SELECT v.id FROM variants v WHERE v.price_minor <> 1200 OR v.stock <> 70 + ({sold_since})"
    assert rows(wrong) == []


def test_a_batch_holds_few_variants_and_adapts_to_the_time_that_the_last_one_took() -> None:
    def product(variants: int) -> PlannedProduct:
        good = Good("p", 1, lines=[Line(row, {}) for row in range(variants)])
        return PlannedProduct(good, True, frozenset(), {})

    size = import_batches.BatchSize()
    assert len(size.take([product(1)] * 500)) == import_batches.MIN_BATCH_PRODUCTS
    assert len(size.take([product(200)] * 8)) == 1
    assert len(size.take([product(400)] * 8)) == 1

    assert len(size.take([product(100)] * 8)) == 3

    size.adapt(8, import_batches.TARGET_BATCH_SECONDS / 10)
    assert size.products == 16
    size.adapt(16, import_batches.TARGET_BATCH_SECONDS * 1.5)
    assert size.products == 10
    size.adapt(10, 60)
    assert size.products == import_batches.MIN_BATCH_PRODUCTS


# ---------------------------------------------------------------- what others change meanwhile


@pytest.fixture
def change_midway(
    start: Start,
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
    one_by_one: None,
) -> Callable[[bytes, Callable[[], Any]], dict[str, Any]]:
    """Imports a file and does something after its first product was applied; returns the import."""

    def run(content: bytes, change: Callable[[], Any]) -> dict[str, Any]:
        import_id = start(content)
        with Pause(monkeypatch, var, import_batches.BatchSize, "adapt"):
            change()
        return dict(imports.get(import_id))

    return run


Midway = Callable[[bytes, Callable[[], Any]], dict[str, Any]]


def test_a_product_whose_sku_was_given_away_meanwhile_is_left_out_and_comes_in_with_the_next_import(
    change_midway: Midway, start: Start, staff_client: ShopClient, var: Path
) -> None:
    content = table_of(4, price=10, stock=5)

    done = change_midway(content, lambda: factories.product("Teapot", variants=[{"sku": "S-2"}]))

    assert done["status"] == "done"
    assert done["errors"] == [
        {
            "row": 4,
            "column": "sku",
            "message": "“p-2” was left out, because it changed during the import: “S-2” is the SKU of a variant of “teapot”.",
        }
    ]
    assert (done["error_count"], done["diff"]["counts"]["new"], done["done"], done["total"]) == (
        1,
        3,
        4,
        4,
    )
    assert [row[0] for row in rows("SELECT slug FROM products ORDER BY slug")] == [
        "p-0",
        "p-1",
        "p-3",
        "teapot",
    ]
    assert orjson.loads(value("SELECT detail FROM events WHERE kind = 'products_imported'"))["new"] == 3

    factories.write("UPDATE variants SET sku = 'TEAPOT' WHERE sku = 'S-2'")
    again = imports.get(start(content))
    assert again["diff"]["counts"] | {"variants_new": 0} == {
        "new": 1, "changed": 0, "same": 3, "variants_new": 0, "variants_changed": 0, "variants_archived": 0,
    }  # fmt: skip
    imports.carry_out_due(var)
    assert value("SELECT COUNT(*) FROM products WHERE slug = 'p-2'") == 1


def test_only_the_product_that_cannot_be_applied_is_left_out_of_its_batch(
    start: Start,
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_id = start(table_of(20, price=10, stock=5))

    with Pause(monkeypatch, var, import_batches, "_apply_batch"):
        factories.product("Teapot", variants=[{"sku": "S-5"}])

    done = imports.get(import_id)
    assert (done["status"], done["error_count"], [one["row"] for one in done["errors"]]) == (
        "done",
        1,
        [7],
    )
    assert value("SELECT COUNT(*) FROM products WHERE slug LIKE 'p-%'") == 19


def test_a_sku_that_is_taken_at_the_very_moment_is_found_by_comparing_again(
    start: Start,
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_id = start(table_of(3, price=10, stock=5))

    with Pause(monkeypatch, var, import_batches, "_write"):
        factories.product("Teapot", variants=[{"sku": "S-1"}])

    done = imports.get(import_id)
    assert [(one["row"], one["column"]) for one in done["errors"]] == [(3, "sku")]
    assert value("SELECT COUNT(*) FROM products WHERE slug LIKE 'p-%'") == 2


def test_a_product_that_somebody_adds_meanwhile_is_changed_to_what_the_file_says(
    change_midway: Midway,
) -> None:
    done = change_midway(
        table_of(3, price=10, stock=5),
        lambda: factories.product("Other title", slug="p-2", brand="Talvik", stock=1),
    )

    assert (done["status"], done["error_count"]) == ("done", 0)
    assert rows("SELECT title, brand, price_minor FROM products WHERE slug = 'p-2'") == [("Product 2", "Talvik", 1000)]
    assert rows("SELECT v.sku, v.stock FROM variants v JOIN products p ON p.id = v.product_id WHERE p.slug = 'p-2'") == [("S-2", 5)]


def test_what_the_file_does_not_say_stays_as_somebody_changes_it_meanwhile(
    change_midway: Midway,
    six: list[int],
) -> None:
    changed = "UPDATE products SET brand = 'Talvik', title = 'Other title' WHERE slug = 'p-5'"

    done = change_midway(table_of(6, price=12, stock=5), lambda: factories.write(changed))

    assert done["error_count"] == 0
    assert rows("SELECT title, brand, price_minor FROM products WHERE slug = 'p-5'") == [("Product 5", "Talvik", 1200)]


def test_a_category_that_is_deleted_meanwhile_is_made_again(
    change_midway: Midway,
    ada: User,
) -> None:
    lamps = factories.category("Lamps")
    lines = [
        {
            "handle": f"p-{n}",
            "title": f"Product {n}",
            "price": "1.00",
            "category": "" if n == 0 else "Lamps",
        }
        for n in range(3)
    ]

    done = change_midway(
        csv_of(*lines),
        lambda: categories.remove(lamps, version=None, move_up=False, actor_id=ada.id),
    )

    assert (done["status"], done["error_count"]) == ("done", 0)
    assert rows("SELECT c.name, COUNT(*) FROM products p JOIN categories c ON c.id = p.category_id GROUP BY c.name") == [("Lamps", 2)]


def test_a_variant_that_is_archived_meanwhile_and_that_a_price_list_cannot_make_again_is_left_out(
    change_midway: Midway,
    six: list[int],
) -> None:
    content = csv_of(*({"handle": f"p-{n}", "sku": f"S-{n}", "price": "12.00"} for n in range(6)))
    gone = "UPDATE variants SET sku = 'ELSE', option1 = '' WHERE sku = 'S-5'"

    def two_others() -> None:
        factories.write(gone)
        factories.write("UPDATE products SET option1 = 'Kind' WHERE slug = 'p-5'")
        factories.write("UPDATE variants SET option1 = 'A' WHERE sku = 'ELSE'")
        factories.write(
            "INSERT INTO variants (product_id, position, sku, option1, price_minor) SELECT id, 2, 'ELSE-2', 'B', 1000 FROM products WHERE slug = 'p-5'"
        )

    done = change_midway(content, two_others)

    assert [(one["row"], one["column"]) for one in done["errors"]] == [(7, "sku")]
    assert rows("SELECT p.slug FROM products p WHERE p.price_minor = 1200 ORDER BY p.slug") == [(f"p-{n}",) for n in range(5)]


def test_a_stock_that_the_file_changes_is_what_the_file_says_whatever_was_sold_before(
    change_midway: Midway, six: list[int], new_client: Callable[[], ShopClient]
) -> None:
    change_midway(table_of(6, price=10, stock=9), lambda: order(new_client(), six[5]))

    assert stock_of("S-5") == 9
    assert rows("SELECT quantity, reason FROM stock_movements WHERE variant_id = %s ORDER BY id", six[5]) == [(5, "import"), (-1, "order"), (5, "import")]


def test_a_stock_that_the_file_leaves_as_it_was_stays_reduced_by_what_is_sold_meanwhile(
    change_midway: Midway, six: list[int], new_client: Callable[[], ShopClient]
) -> None:
    change_midway(table_of(6, price=12, stock=5), lambda: order(new_client(), six[5]))

    assert stock_of("S-5") == 4
    assert rows("SELECT quantity, reason FROM stock_movements WHERE variant_id = %s ORDER BY id", six[5]) == [(5, "import"), (-1, "order")]


def test_an_account_that_is_deleted_meanwhile_stops_nothing(
    change_midway: Midway,
    owner_connection: Any,
) -> None:
    def delete() -> None:
        cursor = owner_connection.cursor()
        cursor.execute("DELETE FROM users WHERE username = 'sam'")
        cursor.close()

    done = change_midway(table_of(3, price=10, stock=5), delete)

    assert done["status"] == "done"
    assert rows("SELECT quantity, actor_id IS NULL FROM stock_movements") == [(5, 1)] * 3


def test_a_mistake_of_ours_in_one_product_does_not_keep_the_others_out(
    start: Start,
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_id = start(table_of(5, price=10, stock=5))
    check = products.check_product

    def mistaken(product: products.ProductInput) -> None:
        if product.slug == "p-3":
            raise KeyError("a mistake")
        check(product)

    monkeypatch.setattr(products, "check_product", mistaken)
    imports.carry_out_due(var)

    done = imports.get(import_id)
    assert done["status"] == "done"
    assert done["errors"] == [
        {
            "row": 5,
            "column": "",
            "message": "“p-3” was left out, because something went wrong on our side.",
        }
    ]
    assert value("SELECT COUNT(*) FROM products") == 4


# ---------------------------------------------------------------- what it costs


def test_a_batch_costs_as_many_statements_however_many_products_it_has(
    start: Start,
    six: list[int],
    statements: Callable[[], int],
    var: Path,
) -> None:
    def cost(content: bytes) -> int:
        start(content)
        before = statements()
        imports.carry_out_due(var)
        return statements() - before

    fewer = cost(table_of(3, price=11, stock=6) + b"new-1,New 1,N-1,1.00,1\n")
    more = cost(table_of(6, price=12, stock=7) + b"new-2,New 2,N-2,1.00,1\nnew-3,New 3,N-3,1.00,1\n")
    assert more == fewer
