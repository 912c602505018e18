from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import User
from flask import Flask
from PIL import Image
from werkzeug.test import TestResponse

from app import db
from app.services import import_batches, imports, media, product_csv, progress

DATA = Path(__file__).parent / "data"
SHOPIFY, SIMPLE = (DATA / "shopify.csv").read_bytes(), (DATA / "simple.csv").read_bytes()
NOTHING_CHANGES = {"new": 0, "changed": 0, "variants_new": 0, "variants_changed": 0, "variants_archived": 0}


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with db.reading() as tx:
        return list(tx.execute(sql, params).fetchall())


def value(sql: str, *params: Any) -> Any:
    return rows(sql, *params)[0][0]


@pytest.fixture
def staff(client: ShopClient) -> ShopClient:
    return client.as_(factories.user("sam", role="staff"))


Send = Callable[..., dict[str, Any]]


@pytest.fixture
def look(staff: ShopClient) -> Send:
    """Sends a file to be looked through and gives what the shop says of it."""

    def send(content: bytes | str, **params: str) -> dict[str, Any]:
        answer = post(staff, content, **params)
        assert answer.status_code == 201, answer.data
        return dict(answer.json)

    return send


@pytest.fixture
def bring(staff: ShopClient, look: Send, var: Path) -> Send:
    """Sends a file and has it carried out, as the job runner does."""

    def carry(content: bytes | str, **params: str) -> dict[str, Any]:
        import_id = look(content, **params)["id"]
        assert staff.post(f"/api/v1/admin/imports/{import_id}/start").status_code == 202
        assert imports.carry_out_due(var) == 1
        return dict(staff.get(f"/api/v1/admin/imports/{import_id}").json)

    return carry


def post(client: ShopClient, content: bytes | str, **params: str) -> TestResponse:
    return client.post("/api/v1/admin/imports", query_string=params, data=content, content_type="text/csv")


def exported(format: str) -> bytes:
    return b"".join(imports.export(format, "https://shop.example", actor_id=None))


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (900, 700), colour).save(out, "JPEG")
    return out.getvalue()


# ---------------------------------------------------------------- in


def test_a_shopify_file_comes_in_whole(bring: Send) -> None:
    done = bring(SHOPIFY)

    assert (done["status"], done["done"], done["total"], done["diff"]["counts"]["new"]) == ("done", 3, 3, 3)
    products = rows("SELECT p.slug, title, brand, type, tags, published, option1, option2, seo_title, seo_description, c.name FROM products p"
                    " LEFT JOIN categories c ON c.id = p.category_id ORDER BY p.id")  # fmt: skip
    assert products == [
        (
            "tide-lamp",
            "Tide Lamp",
            "Harbour & Sons",
            "Lamp",
            "oak, linen, evening",
            1,
            "Colour",
            "Size",
            "Tide Lamp in oak",
            "A lamp of oak and linen.",
            "Lamps",
        ),
        ("pebble-soap", "Pebble Soap", "Talvik", "Soap", "", 1, "", "", "", "", None),
        ("field-notes", "=Field Notes", "Talvik", "", "paper, +plus", 0, "Title", "", "", "", None),
    ]
    variants = rows(
        "SELECT sku, option1, option2, price_minor, compare_at_minor, stock, tracked, weight_g, barcode FROM variants ORDER BY product_id, position"
    )
    assert variants == [
        ("TIDE-SAND-S", "Sand", "S", 8900, None, 4, 1, 1200, "2000000041070"),
        ("TIDE-SAND-L", "Sand", "L", 11900, 13900, 0, 1, 1900, ""),
        (None, "Ink", "S", 8900, None, 0, 1, 1200, ""),
        (None, "", "", 650, None, 0, 0, 110, ""),
        ("NOTES-2", "Second Volume", "", 0, None, 59, 1, 0, ""),
    ]
    assert rows("SELECT quantity, reason FROM stock_movements ORDER BY id") == [(4, "import"), (59, "import")]
    assert value("SELECT description FROM products WHERE slug = 'pebble-soap'") == "<p>Plain soap.</p>"
    assert value("SELECT COUNT(DISTINCT product_id) FROM product_changes") == 3


def test_what_is_not_taken_over_is_said(look: Send) -> None:
    looked = look(SHOPIFY)

    assert looked["ignored_columns"] == ["Google Shopping / Gender", "Cost per item"]
    assert {(one["row"], one["column"]) for one in looked["warnings"]} == {
        (4, "Variant Inventory Qty"), (6, "Variant Inventory Qty"), (4, "Variant Inventory Policy"),
        (4, "Variant Taxable"), (6, "Body (HTML)"), (8, "Variant Price"),
    }  # fmt: skip
    assert looked["pictures"]["missing"] == looked["pictures"]["listed"] == 4
    assert looked["diff"]["categories"] == ["Home > Lamps"]


def test_a_simple_file_with_semicolons_and_decimal_commas_comes_in(bring: Send) -> None:
    assert bring(SIMPLE)["format"] == "simple"

    assert rows("SELECT slug, title, tags, published FROM products ORDER BY id") == [
        ("moor-scarf", "Moor Scarf", "wool, warm", 1),
        ("wool-comb", "Wool Comb", "", 0),
    ]
    assert rows("SELECT sku, option1, price_minor, compare_at_minor, stock FROM variants ORDER BY id") == [
        ("MOOR-H", "Heather", 4990, None, 7), ("MOOR-P", "Peat", 4990, 5990, 2), (None, "", 1200, None, 0),
    ]  # fmt: skip


def test_looking_changes_nothing(look: Send) -> None:
    assert look(SHOPIFY)["status"] == "checked"

    assert (value("SELECT COUNT(*) FROM products"), value("SELECT COUNT(*) FROM categories")) == (0, 0)


@pytest.mark.parametrize("content", [SHOPIFY, SIMPLE], ids=["shopify", "simple"])
def test_a_second_look_finds_all_the_same(bring: Send, look: Send, content: bytes) -> None:
    count = bring(content)["diff"]["counts"]["new"]

    again = look(content)

    assert again["diff"]["counts"] == NOTHING_CHANGES | {"same": count}
    assert again["diff"]["products"] == []


@pytest.mark.parametrize("format", product_csv.FORMATS)
def test_what_comes_out_goes_in_again_and_comes_out_the_same(bring: Send, look: Send, owner_connection: Any, format: str) -> None:
    bring(SHOPIFY)
    bring(SIMPLE)
    first = exported(format)

    assert look(first)["diff"]["counts"] == NOTHING_CHANGES | {"same": 5}
    rid_of_goods(owner_connection)
    assert bring(first)["diff"]["counts"]["new"] == 5
    assert exported(format) == first


def rid_of_goods(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("UPDATE categories SET parent_id = NULL")
    for table in ("stock_movements", "variants", "images", "products", "categories"):
        cursor.execute(f"DELETE FROM {table}")
    cursor.close()


def test_a_spreadsheet_runs_nothing_of_what_comes_out(bring: Send) -> None:
    titles = ["=1+1", "+1", "-1", "@x", "'=1", "''-x", "'quoted'", "plain", "\uff1d1", "\uff20x", "\u200b=1", "\ufeff+1", "\u2060'-1"]
    bring("handle,title,price\n" + "".join(f'p{place},"{title}",1.00\n' for place, title in enumerate(titles)))
    # What is typed with an apostrophe before a formula loses it, as it does in a spreadsheet; so the file is made from the shop.
    with db.reading() as tx:
        for place, title in enumerate(titles):
            tx.execute("UPDATE products SET title = %s WHERE slug = %s", (title, f"p{place}")).close()

    text = exported("simple")
    again = bring(text)

    formula = r"[\u200b\u2060\ufeff]*[=+@\uff1d\uff20\t\r-]"
    assert [cell for row in csv.reader(io.StringIO(text.decode())) for cell in row if re.match(formula, cell)] == []
    assert again["diff"]["counts"]["same"] == len(titles)
    assert [row[0] for row in rows("SELECT title FROM products ORDER BY id")] == titles


# ---------------------------------------------------------------- refused


HEAD = "handle,title,price,stock,sku,option1_name,option1,published,weight_g,barcode,compare_at_price,tags\n"


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("mug,Mug,eight,,,,,,,,,", "price"),
        ("mug,Mug,8.005,,,,,,,,,", "price"),
        ("mug,Mug,-8,,,,,,,,,", "price"),
        ("mug,Mug,99999999999,,,,,,,,,", "price"),
        ("mug,Mug,,3,,,,,,,,", "price"),
        ("mug,Mug,8,many,,,,,,,,", "stock"),
        ("mug,Mug,8,1.5,,,,,,,,", "stock"),
        ("mug,Mug,8,99999999,,,,,,,,", "stock"),
        ("mug,,8,,,,,,,,,", "title"),
        (f"mug,{'x' * 191},8,,,,,,,,,", "title"),
        ("mug,M\x08ug,8,,,,,,,,,", "title"),
        (",,8,,,,,,,,,", "handle"),
        ("mug,Mug,8,,,Colour,,,,,,", "option1"),
        ("mug,Mug,8,,,,Red,,,,,", "option1"),
        ("mug,Mug,8,,,,,perhaps,,,,", "published"),
        ("mug,Mug,8,,,,,,heavy,,,", "weight_g"),
        (f"mug,Mug,8,,,,,,,{'1' * 33},,", "barcode"),
        ("mug,Mug,8,,,,,,,,none,", "compare_at_price"),
        (f"mug,Mug,8,,,,,,,,,{'x' * 501}", "tags"),
        (f"mug,Mug,8,,{'x' * 65},,,,,,,", "sku"),
        ("bowl,Bowl,8,,,,,,,,,", "option1"),
        ("bowl,Dish,,,,,,,,,,", "title"),
        ("mug,Mug,8,,B-1,,,,,,,", "sku"),
        ("mug,Mug,8,,T-1,,,,,,,", "sku"),
        ("mug,Mug,8,,,,,,,,,,,,more", ""),
        ('mug,"Mug,8', ""),
    ],
)
def test_a_bad_row_is_named_and_stops_the_whole_file(staff: ShopClient, look: Send, row: str, column: str) -> None:
    factories.product("Teapot", variants=[{"sku": "T-1"}])

    looked = look(HEAD + "bowl,Bowl,12.00,4,B-1,,,,,,,\n" + row + "\n")

    assert looked["status"] == "refused"
    assert [(one["row"], one["column"]) for one in looked["errors"]] == [(3, column)]
    assert staff.post(f"/api/v1/admin/imports/{looked['id']}/start").status_code == 409
    assert value("SELECT COUNT(*) FROM products") == 1


def test_a_file_must_be_in_the_format_that_was_asked_for(look: Send) -> None:
    assert look(SHOPIFY, format="simple")["status"] == "refused"
    assert look(SHOPIFY, format="shopify")["status"] == "checked"


def test_sizes_are_bounded_and_bodies_are_files(staff: ShopClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_csv, "MOST_BYTES", 200)

    assert post(staff, SHOPIFY).status_code == 413
    assert post(staff, b"").status_code == 422
    assert staff.post("/api/v1/admin/imports", json={}).status_code == 415
    assert staff.post("/api/v1/admin/imports", data=b"x", environ_overrides={"CONTENT_LENGTH": str(2**40)}).status_code == 413


def test_more_than_the_usual_body_is_taken_and_what_is_large_is_looked_through_later(staff: ShopClient, var: Path) -> None:
    text = "x" * 90_000
    content = "handle,title,price,description\n" + "".join(f"p{n},Product {n},1.00,{text}\n" for n in range(80))

    waiting = post(staff, content, format="simple").json
    assert (waiting["status"], waiting["total"]) == ("checking", 0)
    assert imports.any_due()
    imports.carry_out_due(var)

    looked = staff.get(f"/api/v1/admin/imports/{waiting['id']}").json
    assert (looked["status"], looked["total"], looked["diff"]["counts"]["new"]) == ("checked", 80, 80)


# ---------------------------------------------------------------- what is there already


@pytest.fixture
def scarf(bring: Send) -> None:
    bring(SIMPLE)


def variants_of(slug: str) -> list[tuple[Any, ...]]:
    kept = "FROM variants v JOIN products p ON p.id = v.product_id WHERE p.slug = %s AND v.archived_at IS NULL ORDER BY v.position"
    return rows(f"SELECT v.sku, v.option1, v.price_minor, v.stock {kept}", slug)


def test_variants_are_found_by_sku_else_by_options_and_those_left_out_are_put_away(bring: Send, scarf: None) -> None:
    before = dict(rows("SELECT option1, id FROM variants WHERE option1 <> ''"))

    done = bring("handle,title,option1_name,option1,sku,price,stock\nmoor-scarf,Moor Scarf,Colour,Heath,MOOR-H,49.90,\nmoor-scarf,,,Moss,MOOR-M,49.90,1\n")

    assert variants_of("moor-scarf") == [("MOOR-H", "Heath", 4990, 7), ("MOOR-M", "Moss", 4990, 1)]
    assert value("SELECT id FROM variants WHERE sku = 'MOOR-H'") == before["Heather"]
    assert value("SELECT archived_at IS NOT NULL FROM variants WHERE id = %s", before["Peat"]) == 1
    assert done["diff"]["products"][0]["variants"] == [
        {"variant": "Heather · MOOR-H", "action": "changed", "changes": [{"field": "option1", "from": "Heather", "to": "Heath"}]},
        {"variant": "Moss · MOOR-M", "action": "new", "changes": []},
        {"variant": "Peat · MOOR-P", "action": "archived", "changes": []},
    ]
    bring("handle,title,option1_name,option1,sku\nmoor-scarf,Moor Scarf,Colour,Heath,OTHER\nmoor-scarf,,,Moss,MOOR-M\n")
    assert value("SELECT id FROM variants WHERE sku = 'OTHER'") == before["Heather"]


def test_a_list_of_stock_changes_what_it_names_and_nothing_else(bring: Send, look: Send, scarf: None) -> None:
    done = bring("handle,sku,stock\nmoor-scarf,MOOR-P,9\n")

    assert done["diff"]["counts"] == NOTHING_CHANGES | {"changed": 1, "variants_changed": 1, "same": 0}
    assert variants_of("moor-scarf") == [("MOOR-H", "Heather", 4990, 7), ("MOOR-P", "Peat", 4990, 9)]
    assert rows("SELECT quantity, reason FROM stock_movements ORDER BY id")[-1] == (7, "import")
    assert look("handle,sku,stock\nmoor-scarf,NEVER-SEEN,9\n")["errors"][0]["column"] == "sku"


def test_columns_that_are_missing_leave_things_alone_and_blank_cells_empty_them(bring: Send, scarf: None) -> None:
    bring("handle,title,brand\nmoor-scarf,Heath Scarf,Talvik\n")
    assert rows("SELECT title, brand, tags FROM products WHERE slug = 'moor-scarf'") == [("Heath Scarf", "Talvik", "wool, warm")]
    assert len(variants_of("moor-scarf")) == 2

    bring("handle,title,brand,tags\nmoor-scarf,Heath Scarf,Talvik,\n")
    assert value("SELECT tags FROM products WHERE slug = 'moor-scarf'") == ""


def test_the_change_is_told_field_by_field(look: Send, scarf: None) -> None:
    looked = look("handle,title,sku,price\nmoor-scarf,Moor Scarf,MOOR-P,44.00\nwool-comb,Comb,,12.00\n")

    scarf_told, comb = looked["diff"]["products"]
    assert (scarf_told["handle"], scarf_told["row"], scarf_told["action"], scarf_told["changes"]) == ("moor-scarf", 2, "changed", [])
    changes = [{"field": "price", "from": "49.90", "to": "44.00"}]
    assert scarf_told["variants"] == [{"variant": "Peat · MOOR-P", "action": "changed", "changes": changes}]
    assert (comb["changes"], comb["variants"]) == ([{"field": "title", "from": "Wool Comb", "to": "Comb"}], [])


def test_a_product_that_was_put_away_comes_back(bring: Send, scarf: None) -> None:
    with db.reading() as tx:
        tx.execute("UPDATE products SET archived_at = UTC_TIMESTAMP(6) WHERE slug = 'wool-comb'").close()

    done = bring("handle,title\nwool-comb,Wool Comb\n")

    assert done["diff"]["products"][0]["changes"] == [{"field": "archived", "from": "true", "to": "false"}]
    assert value("SELECT archived_at FROM products WHERE slug = 'wool-comb'") is None


def test_gift_cards_stay_what_they_are(bring: Send, look: Send) -> None:
    bring("handle,title,price,gift_card\ncard,Card,25.00,true\nmug,Mug,8.00,\n")
    assert rows("SELECT slug, gift_card FROM products ORDER BY id") == [("card", 1), ("mug", 0)]

    assert look(exported("shopify"))["diff"]["counts"]["same"] == 2
    assert look("handle,title,gift_card\ncard,Card,\n")["diff"]["counts"]["same"] == 1
    assert [one["column"] for one in look("handle,title,gift_card\ncard,Card,no\n")["errors"]] == ["gift_card"]


def test_a_tax_class_goes_in_and_out_and_stays_where_the_file_says_nothing(bring: Send, look: Send) -> None:
    bring("handle,title,price,tax_class\nbook,Book,25.00,Reduced\nmug,Mug,8.00,\n")
    assert rows("SELECT slug, tax_class FROM products ORDER BY id") == [("book", "reduced"), ("mug", "standard")]

    bring("handle,title\nbook,A Book\n")
    assert value("SELECT tax_class FROM products WHERE slug = 'book'") == "reduced"
    assert look(exported("simple"))["diff"]["counts"]["same"] == 2
    assert [one["column"] for one in look("handle,title,tax_class\nbook,Book,luxury\n")["errors"]] == ["tax_class"]


def test_goods_that_the_file_does_not_name_stay(bring: Send) -> None:
    factories.product("Teapot", stock=3)

    bring(SIMPLE)

    assert variants_of("teapot") == [(None, "", 1000, 3)]


def test_a_category_is_the_type_where_the_file_has_no_other(bring: Send) -> None:
    lamps = factories.category("Lamps")

    bring("Handle,Title,Type,Variant Price\ntide,Tide,lamps,8.00\nfoam,Foam,Soap,2.00\n")

    assert rows("SELECT p.slug, c.name, c.id = %s FROM products p JOIN categories c ON c.id = p.category_id ORDER BY p.id", lamps) == [
        ("tide", "Lamps", 1),
        ("foam", "Soap", 0),
    ]


# ---------------------------------------------------------------- pictures


PICTURES = {"photos/tide-sand.jpg": picture("tan"), "../../../../etc/TIDE-INK.JPG": picture("navy"), "not-named.jpg": picture("red")}


def test_pictures_come_from_a_zip_by_their_names(bring: Send, look: Send, var: Path) -> None:
    done = bring(zipped({"export/products.csv": SHOPIFY, "__MACOSX/products.csv": b"", **PICTURES}))

    assert (done["status"], done["done"], done["total"], done["errors"]) == ("done", 5, 5, [])
    assert (done["pictures"]["listed"], done["pictures"]["new"], done["pictures"]["missing"]) == (4, 2, 2)
    hung = rows("SELECT path, alt, width, height FROM images ORDER BY position")
    assert [(alt, width, height) for _, alt, width, height in hung] == [("The lamp in sand", 900, 700), ("The lamp in ink", 900, 700)]
    assert all((var / "uploads" / path).is_file() for path, *_ in hung)
    shown = rows("SELECT v.option1, i.path FROM variants v LEFT JOIN images i ON i.id = v.image_id WHERE v.option2 <> '' ORDER BY v.position")
    assert shown == [("Sand", hung[0][0]), ("Sand", hung[0][0]), ("Ink", hung[1][0])]


def test_pictures_that_are_there_are_not_added_again(bring: Send, look: Send) -> None:
    archive = zipped({"products.csv": SHOPIFY, **PICTURES})
    bring(archive)

    again = look(archive)
    assert again["diff"]["counts"] == NOTHING_CHANGES | {"same": 3}
    assert again["pictures"] | {"names_missing": []} == {"listed": 4, "new": 0, "missing": 2, "names_missing": []}
    assert look(exported("shopify"))["diff"]["counts"] == NOTHING_CHANGES | {"same": 3}

    done = bring(SHOPIFY.replace(b"The lamp in ink", b"Ink-blue lamp"))
    assert done["diff"]["products"][0]["changes"] == [{"field": "alt text of tide-ink.jpg", "from": "The lamp in ink", "to": "Ink-blue lamp"}]
    assert rows("SELECT alt FROM images ORDER BY position") == [("The lamp in sand",), ("Ink-blue lamp",)]


def test_pictures_come_from_a_folder_too(tmp_path: Path, shop: Flask, var: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "tide-room.jpg").write_bytes(picture("teal"))
    (tmp_path / "products.csv").write_bytes(SHOPIFY)

    looked = imports.look(tmp_path / "products.csv", tmp_path, asked="")
    import_id = imports.submit(looked, var / "uploads", lambda done, total: None, file_name="products.csv")
    imports.carry_out_due(var)

    done = imports.get(import_id)
    assert (done["status"], done["pictures"]["new"], value("SELECT COUNT(*) FROM images")) == ("done", 1, 1)


def test_a_broken_picture_stops_the_whole_file_and_leaves_no_other_behind(bring: Send, var: Path) -> None:
    before = set((var / "uploads").rglob("*.webp"))

    failed = bring(zipped({"products.csv": SHOPIFY, "tide-sand.jpg": picture("tan"), "tide-ink.jpg": b"no picture"}))

    assert (failed["status"], [(one["row"], one["column"]) for one in failed["errors"]]) == ("failed", [(3, "Image Src")])
    assert value("SELECT COUNT(*) FROM products") == 0
    assert set((var / "uploads").rglob("*.webp")) == before


@pytest.mark.parametrize(
    "files",
    [{"a.csv": SIMPLE, "b.csv": SIMPLE}, {"a.jpg": b""}, {"a.csv": b"handle,title,price\n" + b"\n" * 20 * 1024 * 1024}],
    ids=["two files", "no file", "a bomb"],
)
def test_a_zip_that_is_no_import_is_refused(staff: ShopClient, files: dict[str, bytes]) -> None:
    answer = post(staff, zipped(files))

    assert answer.status_code in (413, 422)
    assert value("SELECT COUNT(*) FROM imports") == 0


# ---------------------------------------------------------------- all or nothing


def test_progress_is_seen_while_it_runs(staff: ShopClient, look: Send, var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_id = look(zipped({"products.csv": SHOPIFY, **PICTURES}))["id"]
    staff.post(f"/api/v1/admin/imports/{import_id}/start")
    apply, store, seen = import_batches._apply_batch, media.store, []

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **more: Any) -> Any:
            seen.append(rows("SELECT status, done, total FROM imports")[0])
            return work(*args, **more)

        return run

    monkeypatch.setattr(progress, "TELL_EVERY", 0)
    monkeypatch.setattr(import_batches, "MIN_BATCH_PRODUCTS", 1)
    monkeypatch.setattr(import_batches, "MAX_BATCH_PRODUCTS", 1)
    monkeypatch.setattr(media, "store", watched(store))
    monkeypatch.setattr(import_batches, "_apply_batch", watched(apply))
    imports.carry_out_due(var)

    assert seen == [("running", 0, 5), ("running", 1, 5), ("applying", 2, 5), ("applying", 3, 5), ("applying", 4, 5)]


def test_the_comparison_is_made_anew_when_it_is_carried_out(staff: ShopClient, look: Send, bring: Send, var: Path, scarf: None) -> None:
    import_id = look("handle,title,sku,price\nmoor-scarf,Moor Scarf,MOOR-P,44.00\n")["id"]
    bring("handle,title\nmoor-scarf,Heath Scarf\n")

    staff.post(f"/api/v1/admin/imports/{import_id}/start")
    imports.carry_out_due(var)

    done = staff.get(f"/api/v1/admin/imports/{import_id}").json
    assert done["status"] == "done"
    assert done["diff"]["products"][0]["changes"] == [{"field": "title", "from": "Heath Scarf", "to": "Moor Scarf"}]


def test_what_no_longer_fits_fails_with_the_reason_and_changes_nothing(staff: ShopClient, look: Send, var: Path) -> None:
    import_id = look("handle,title,sku,price\nmug,Mug,M-1,8.00\npot,Pot,P-1,8.00\n")["id"]
    factories.product("Teapot", variants=[{"sku": "P-1"}])

    staff.post(f"/api/v1/admin/imports/{import_id}/start")
    imports.carry_out_due(var)

    failed = staff.get(f"/api/v1/admin/imports/{import_id}").json
    assert (failed["status"], failed["errors"]) == ("failed", [{"row": 3, "column": "sku", "message": "“P-1” is the SKU of a variant of “teapot”."}])
    assert value("SELECT COUNT(*) FROM products") == 1


def test_an_import_runs_once(staff: ShopClient, look: Send, var: Path) -> None:
    import_id = look(SIMPLE)["id"]

    assert [staff.post(f"/api/v1/admin/imports/{import_id}/start").status_code for _ in range(2)] == [202, 409]
    imports.carry_out_due(var)
    assert staff.post(f"/api/v1/admin/imports/{import_id}/start").status_code == 409
    assert staff.post("/api/v1/admin/imports/999/start").status_code == 404


def test_a_file_costs_as_many_statements_to_look_through_however_long_it_is(statements: Callable[[], int], shop: Flask) -> None:
    def cost(count: int) -> int:
        text = "handle,title,sku,price\n" + "".join(f"p{n},Product {n},S-{n},1.00\n" for n in range(count))
        sheet, before = product_csv.read(text.encode(), "EUR"), statements()
        with db.reading() as tx:
            imports.compare(tx, sheet, "EUR")
        return statements() - before

    assert cost(300) == cost(3)


# ---------------------------------------------------------------- who, and what stays


def test_who_imported_what_is_on_record(bring: Send) -> None:
    import_id = bring(SIMPLE)["id"]

    (happened,) = rows("SELECT subject_kind, subject_id, actor_id, detail FROM events WHERE kind = 'products_imported'")
    assert happened[:3] == ("import", import_id, value("SELECT id FROM users WHERE username = 'sam'"))
    assert '"new":2' in happened[3].replace(" ", "")


def test_only_an_admin_who_was_asked_again_takes_everything_out(staff: ShopClient, new_client: Callable[[], ShopClient], ada: User, bring: Send) -> None:
    bring(SIMPLE)
    assert staff.get("/api/v1/admin/exports/products.csv").status_code == 403
    admin = new_client().as_(ada)
    assert admin.get("/api/v1/admin/exports/products.csv").json["code"] == "step_up_needed"
    admin.post("/api/v1/auth/step-up", json={"password": ada.password})

    answer = admin.get("/api/v1/admin/exports/products.csv?format=simple")

    assert answer.headers["Content-Disposition"] == 'attachment; filename="products.csv"'
    assert [line.split(",")[0] for line in answer.text.splitlines()] == ["handle", "moor-scarf", "moor-scarf", "wool-comb"]
    assert value("SELECT COUNT(*) FROM events WHERE kind = 'products_exported' AND actor_id = %s", ada.id) == 1


def test_imports_are_listed_newest_first(staff: ShopClient, look: Send) -> None:
    ids = [look(SIMPLE, file_name=f"{name}.csv")["id"] for name in "abc"]

    first = staff.get("/api/v1/admin/imports?limit=2").json
    rest = staff.get(f"/api/v1/admin/imports?limit=2&after={first['next']}").json

    assert [one["id"] for one in first["items"] + rest["items"]] == ids[::-1]
    assert (first["total"], rest["next"], first["items"][0]["file_name"]) == (3, None, "c.csv")
    assert staff.get("/api/v1/admin/imports?after=x").status_code == 422


def test_files_are_deleted_when_their_import_is_over(bring: Send, look: Send, var: Path) -> None:
    for path in (var / imports.FOLDER).glob("*"):
        path.unlink()
    bring(SIMPLE)
    look(SIMPLE)
    look(b"name\n")  # Refused, but may be checked again with another number format.

    assert imports.forget_files(var) == 1
    assert len(list((var / imports.FOLDER).iterdir())) == 2
    with db.reading() as tx:
        tx.execute("UPDATE imports SET created_at = created_at - INTERVAL 8 DAY").close()
    assert imports.forget_files(var) == 2
    assert list((var / imports.FOLDER).iterdir()) == []
