"""Files of products as they come: every program writes its own, and none is trusted."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import Invalid
from app.services import picture_files, product_csv
from app.services.csv_numbers import Notation, NumberFormat
from app.services.picture_files import PictureFolder, PictureZip

SIMPLE = (Path(__file__).parent / "data" / "simple.csv").read_bytes()


def test_the_newest_names_of_shopifys_columns_are_known_too() -> None:
    header = b"Title,URL handle,Published on online store,SKU,Price,Compare-at price,Inventory tracker,Inventory quantity,Weight value (grams)"
    sheet = product_csv.read(header + b"\nMug,mug,true,M-1,8.00,,shopify,3,300\n", "EUR")

    assert (sheet.format, sheet.errors, sheet.ignored) == ("shopify", [], [])
    assert sheet.goods["mug"].lines[0].cells == {"sku": "M-1", "price": "8.00", "compare_at_price": "", "stock": "3", "tracked": "true", "weight_g": "300"}


@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b",", b"\t"),
        lambda text: text.replace(b",", b";"),
        lambda text: text + b"\n,,\n\n",
        lambda text: text.decode().encode("utf-16"),
        lambda text: b"\xfe\xff" + text.decode().encode("utf-16-be"),
        lambda text: b"sep=;\r\n" + text.replace(b",", b";"),
        lambda text: b'\xef\xbb\xbf"sep=\t"\n' + text.replace(b",", b"\t"),
    ],
    ids=["BOM", "CRLF", "tabs", "semicolons", "blank rows", "UTF-16", "UTF-16 big endian", "sep line", "quoted sep line"],
)
def test_files_of_all_programs_are_read_alike(disguise: Callable[[bytes], bytes]) -> None:
    sheet = product_csv.read(disguise(b'handle,title,price,description\nmug,Mug,8.00,"<p>Two\nlines</p>"\n'), "EUR")

    assert (sheet.errors, sheet.goods["mug"].cells) == ([], {"title": "Mug", "description": "<p>Two\nlines</p>"})


@pytest.mark.parametrize(
    ("given", "handle"), [("Mug No. 7", "mug-no-7"), ("Crème", "creme"), (" a--b_c ", "a-b-c"), ("t-shirt", "t-shirt"), ("2026", "product-2026")]
)
def test_a_handle_becomes_what_an_address_takes(given: str, handle: str) -> None:
    sheet = product_csv.read(f"handle,title\n{given},Thing\n".encode(), "EUR")

    assert list(sheet.goods) == [handle]
    assert [one.column for one in sheet.warnings] == ["handle"] * (given != handle)


def test_a_product_without_a_handle_is_called_by_its_title() -> None:
    assert list(product_csv.read(b"title,price\nWool Comb,8.00\n", "EUR").goods) == ["wool-comb"]


@pytest.mark.parametrize(
    ("content", "row"),
    [
        ("handle,title,price\nmug,Müg,8\n".encode("latin-1"), 0),
        (b"handle,title\nmug,M\x00ug\n", 2),
        (b"name,amount\nmug,8\n", 1),
        (b"handle,title,Title\nmug,Mug,Mug\n", 1),
        (b"handle,title" + b",x" * 500 + b"\n", 1),
        (b"handle,title,price\nmug," + b"x" * 200_000 + b",8\n", 2),
        (b"\n\n", 1),
    ],
    ids=["Latin-1", "NUL", "unknown columns", "a column twice", "many columns", "a huge cell", "nothing"],
)
def test_a_file_that_is_none_is_refused_with_a_reason(content: bytes, row: int) -> None:
    assert [one.row for one in product_csv.read(content, "EUR").errors] == [row]


def test_rows_and_errors_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_csv, "MOST_ROWS", 2)
    assert [one.row for one in product_csv.read(SIMPLE, "EUR").errors] == [4]

    monkeypatch.undo()
    sheet = product_csv.read(b"handle,price\n" + b"".join(b"mug-%d,x\n" % number for number in range(500)), "EUR")
    assert (len(sheet.errors), sheet.error_count) == (product_csv.MOST_TROUBLES, 500)


def zipped(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_of_an_entry_only_its_name_counts(tmp_path: Path) -> None:
    archive = PictureZip(zipped(tmp_path, {"../../up.JPG": b"1", "C:\\x\\back.png": b"2", "__MACOSX/._up.jpg": b"3", "p/a.csv": SIMPLE, "readme.txt": b""}))

    assert {name: archive.read(name) for name in archive.names} == {"up.jpg": b"1", "back.png": b"2"}
    assert archive.csv() == SIMPLE


def test_a_zip_that_lies_or_is_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path, {"products.csv": SIMPLE, "a.jpg": b"\x00" * 6_000_000})
    content = path.read_bytes()

    with pytest.raises(picture_files.TooLarge):
        PictureZip(path).read("a.jpg")
    path.write_bytes(content.replace(b"\x08\x00", b"\x0c\x00"))
    with pytest.raises(Invalid):
        PictureZip(path).csv()
    for broken in (content[:-30], b"PK\x03\x04" + b"x" * 100, content[: len(content) // 2]):
        path.write_bytes(broken)
        with pytest.raises(Invalid):
            PictureZip(path)
    path.write_bytes(content)
    for name in ("MOST_DIRECTORY", "MOST_FILES"):
        monkeypatch.setattr(picture_files, name, 1)
        with pytest.raises(Invalid):
            PictureZip(path)
        monkeypatch.undo()


def test_a_zip_without_an_end_that_can_be_believed_is_not_opened(tmp_path: Path) -> None:
    """The list of entries may be said to be elsewhere, and larger, by a second end before the first."""
    content = bytearray(zipped(tmp_path, {"products.csv": SIMPLE}).read_bytes())
    end = content.rfind(b"PK\x05\x06")
    path = tmp_path / "y.zip"
    path.write_bytes(bytes(content[:end]) + b"PK\x06\x07" + b"\x00" * 16 + bytes(content[end:]))

    with pytest.raises(Invalid):
        PictureZip(path)


def test_a_folder_gives_its_pictures_by_name(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "One.PNG").write_bytes(b"1")
    (tmp_path / "notes.txt").write_bytes(b"2")

    folder = PictureFolder(tmp_path)

    assert (folder.names, folder.read("one.png")) == ({"one.png"}, b"1")


# ---------------------------------------------------------------- numbers


def read_one(text: str, numbers: NumberFormat | None = None) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """The cells of the last variant, and where the errors are."""
    sheet = product_csv.read(text.encode(), "EUR", numbers)
    last = [good for good in sheet.goods.values() if good.lines][-1].lines[-1].cells
    return last, [(one.row, one.column) for one in sheet.errors]


def test_a_decimal_comma_makes_points_separators_of_thousands_in_every_column() -> None:
    content = "handle;title;price;stock;weight_g\nsaddle;Saddle;49,90;12;420\nchain;Chain;1.249,00;2.500;1.800\n"

    cells, errors = read_one(content)

    assert errors == []
    assert cells == {"price": "1249.00", "stock": "2500", "weight_g": "1800"}
    assert product_csv.read(content.encode(), "EUR").notation == Notation("comma")


def test_a_decimal_point_makes_commas_separators_of_thousands() -> None:
    cells, errors = read_one('handle,title,price,stock\nsaddle,Saddle,49.90,1\nchain,Chain,"1,249","2,500"\n')

    assert (cells, errors) == ({"price": "1249.00", "stock": "2500"}, [])


@pytest.mark.parametrize("column", ["price", "compare_at_price", "stock", "weight_g"])
@pytest.mark.parametrize("delimiter", ";,")
def test_a_thousand_that_may_be_one_is_refused_with_row_and_column(column: str, delimiter: str) -> None:
    price = "" if column == "price" else "8"
    content = f"handle,title,{'' if column == 'price' else 'price,'}{column}\nmug,Mug,{price}{',' * bool(price)}1.000\n"

    sheet = product_csv.read(content.replace(",", delimiter).encode(), "EUR")

    assert [(one.row, one.column) for one in sheet.errors] == [(2, column)]
    assert "“1.000” can mean 1000 or 1." in sheet.errors[0].message


def test_a_thousand_stays_ambiguous_where_only_another_column_decides_for_decimals() -> None:
    assert read_one("handle,title,price,stock\nmug,Mug,8.50,1.000\n")[1] == [(2, "stock")]


@pytest.mark.parametrize(("numbers", "stock", "price"), [("point", "1", "2.00"), ("comma", "1000", "2000.00")])
def test_a_chosen_number_format_decides(numbers: NumberFormat, stock: str, price: str) -> None:
    assert read_one("handle,title,price,stock\nmug,Mug,2.000,1.000\n", numbers) == ({"price": price, "stock": stock}, [])


def test_numbers_in_two_notations_are_refused_where_they_differ_from_most() -> None:
    content = "handle;title;price\na;A;1,50\nb;B;2,50\nc;C;3.50\n"

    assert read_one(content)[1] == [(4, "price")]
    assert read_one(content, "point")[1] == [(2, "price"), (3, "price")]


@pytest.mark.parametrize(("column", "text"), [("stock", "2.5"), ("weight_g", "0.5"), ("price", "4.9051"), ("stock", "2,5")])
def test_numbers_that_are_too_precise_are_refused(column: str, text: str) -> None:
    content = f'handle,title,{"" if column == "price" else "price,"}{column}\nmug,Mug,{"" if column == "price" else "8,"}"{text}"\n'

    assert read_one(content)[1] == [(2, column)]


@pytest.mark.parametrize("damaged", ["4.00638E+12", "4,00638E+12", "4.1e+07", "4E+15"])
@pytest.mark.parametrize("column", ["sku", "barcode"])
def test_a_number_whose_digits_a_spreadsheet_replaced_is_refused(column: str, damaged: str) -> None:
    sheet = product_csv.read(f"handle;title;price;{column}\nlock;Lock;29;{damaged}\n".encode(), "EUR")

    assert [(one.row, one.column) for one in sheet.errors] == [(2, column)]
    assert "a spreadsheet replaced digits" in sheet.errors[0].message


@pytest.mark.parametrize("sku", ["5E10", "3E-12", "E+12", "12E+5x", "LOCK-4E+12"])
def test_article_numbers_with_an_e_are_left_alone(sku: str) -> None:
    assert read_one(f"handle,title,price,sku\nlock,Lock,29,{sku}\n") == ({"price": "29.00", "sku": sku}, [])


# ---------------------------------------------------------------- Unicode normalization

DECOMPOSED, COMPOSED = "Gro\u0308\u00dfe", "Gr\u00f6\u00dfe"


def test_every_cell_is_normalized() -> None:
    header = "handle,title,brand,tags,category,option1_name,option1,sku,price,image,image_alt"
    row = ",".join(["x", *[DECOMPOSED] * 7, "8", f"{DECOMPOSED}.jpg", DECOMPOSED])

    good = product_csv.read(f"{header}\n{row}\n".encode(), "EUR").goods["x"]

    assert {name: good.cells[name] for name in ("title", "brand", "tags", "category", "option1_name")} == dict.fromkeys(
        ("title", "brand", "tags", "category", "option1_name"), COMPOSED
    )
    assert (good.lines[0].cells["option1"], good.lines[0].cells["sku"]) == (COMPOSED, COMPOSED)
    assert (good.pictures[0].name, good.pictures[0].alt) == (f"{COMPOSED}.jpg", COMPOSED)


def test_a_picture_address_with_escapes_is_normalized_after_they_are_resolved() -> None:
    assert product_csv.file_name("https://cdn.example/Mo%CC%88we.jpg?v=1") == "M\u00f6we.jpg"


def test_normalization_makes_no_delimiters() -> None:
    """U+037E, the Greek question mark, normalizes to a semicolon."""
    good = product_csv.read("handle;title;brand\nx;Τι\u037e;B\n".encode(), "EUR").goods["x"]

    assert (good.cells["title"], good.cells["brand"]) == ("Τι;", "B")


def test_pictures_are_found_under_names_from_a_mac(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "Mo\u0308we.JPG").write_bytes(b"1")

    assert PictureZip(zipped(tmp_path, {"photos/Mo\u0308we.JPG": b"1", "a.csv": SIMPLE})).read("m\u00f6we.jpg") == b"1"
    assert PictureFolder(folder).read("m\u00f6we.jpg") == b"1"
