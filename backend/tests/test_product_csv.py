"""Files of products as they come: every program writes its own, and none is trusted."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import Invalid
from app.services import picture_files, product_csv
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
    ],
    ids=["BOM", "CRLF", "tabs", "semicolons", "blank rows"],
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
        ("handle,title,price\nmug,Mug,8\n".encode("utf-16"), 0),
        (b"handle,title\nmug,M\x00ug\n", 2),
        (b"name,amount\nmug,8\n", 1),
        (b"handle,title,Title\nmug,Mug,Mug\n", 1),
        (b"handle,title" + b",x" * 500 + b"\n", 1),
        (b"handle,title,price\nmug," + b"x" * 200_000 + b",8\n", 2),
        (b"\n\n", 1),
    ],
    ids=["Latin-1", "UTF-16", "NUL", "unknown columns", "a column twice", "many columns", "a huge cell", "nothing"],
)
def test_a_file_that_is_none_is_refused_with_a_reason(content: bytes, row: int) -> None:
    assert [one.row for one in product_csv.read(content, "EUR").errors] == [row]


def test_rows_and_errors_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_csv, "MOST_ROWS", 2)
    assert [one.row for one in product_csv.read(SIMPLE, "EUR").errors] == [4]

    monkeypatch.undo()
    sheet = product_csv.read(b"handle,price\n" + b"".join(b"mug-%d,x\n" % number for number in range(500)), "EUR")
    assert (len(sheet.errors), sheet.error_count) == (product_csv.MOST_TROUBLES, 500)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1", "''-x", "'quoted'", "plain", ""])
def test_what_keeps_a_cell_from_running_is_taken_off_again(cell: str) -> None:
    written = product_csv.harmless(cell)

    assert written[:1] not in tuple("=+-@\t\r")
    assert product_csv._as_meant(written) == cell


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
