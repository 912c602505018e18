"""Products as CSV files: Shopify's format and a simple one, both read into one shape and written from it.

Whatever a file calls its columns and however it says things, a product becomes cells: text in the one form in which the export writes it
(`24.00`, `true`, cleaned HTML). So two descriptions of a product are compared by comparing cells, and a column that a file does not have
is simply absent. A blank cell says blank, but for the stock, which it leaves as it is.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from .. import money
from ..config import CURRENCIES
from ..text import normalize_text
from . import csv_numbers, products
from .csv_cells import encode_rows, quote_formula, unquote_formula
from .csv_numbers import Notation, NumberFormat
from .descriptions import MOST_DESCRIPTION, sanitised
from .product_input import TAX_CLASSES

MOST_BYTES = 15 * 1024 * 1024
MOST_ROWS = 100_000
MOST_COLUMNS = 500
MOST_TROUBLES = 200
MOST_STOCK = 1_000_000
MOST_WEIGHT = 10_000_000
MOST_PRICE = 10**11
FORMATS = ("shopify", "simple")

Cells = dict[str, str]

# What the shop has no field for is written as what it does, and warned of where a file wants something else.
FIXED = {
    "policy": ("deny", "the shop never sells more than there is"),
    "fulfillment": ("manual", "the shop sends its goods itself"),
    "shipping": ("true", "everything is delivered"),
    "taxable": ("true", "the shop's tax is on everything"),
}
SHOPIFY = {
    "Handle": "handle", "Title": "title", "Body (HTML)": "description", "Vendor": "brand", "Product Category": "category", "Type": "type",
    "Tags": "tags", "Published": "published", "Option1 Name": "option1_name", "Option1 Value": "option1", "Option2 Name": "option2_name",
    "Option2 Value": "option2", "Option3 Name": "option3_name", "Option3 Value": "option3", "Variant SKU": "sku", "Variant Grams": "weight_g",
    "Variant Inventory Tracker": "tracker", "Variant Inventory Qty": "stock", "Variant Inventory Policy": "policy",
    "Variant Fulfillment Service": "fulfillment", "Variant Price": "price", "Variant Compare At Price": "compare_at_price",
    "Variant Requires Shipping": "shipping", "Variant Taxable": "taxable", "Variant Barcode": "barcode", "Image Src": "image",
    "Image Position": "image_position", "Image Alt Text": "image_alt", "Gift Card": "gift_card", "SEO Title": "seo_title",
    "SEO Description": "seo_description", "Variant Image": "variant_image", "Variant Weight Unit": "weight_unit", "Status": "status",
}  # fmt: skip
SIMPLE = {
    "handle": "handle", "title": "title", "description": "description", "category": "category", "brand": "brand", "type": "type", "tags": "tags",
    "published": "published", "price": "price", "compare_at_price": "compare_at_price", "stock": "stock", "tracked": "tracked", "sku": "sku",
    "weight_g": "weight_g", "barcode": "barcode", "option1_name": "option1_name", "option1": "option1", "option2_name": "option2_name",
    "option2": "option2", "option3_name": "option3_name", "option3": "option3", "image": "image", "image_alt": "image_alt", "seo_title": "seo_title",
    "seo_description": "seo_description", "gift_card": "gift_card", "tax_class": "tax_class",
}  # fmt: skip
# Shopify's newer files.
RENAMED = {
    "URL handle": "handle", "Published on online store": "published", "SKU": "sku", "Compare-at price": "compare_at_price", "Charge tax": "taxable",
    "Inventory tracker": "tracker", "Inventory quantity": "stock", "Continue selling when out of stock": "policy", "Weight value (grams)": "weight_g",
    "Weight unit for display": "weight_unit", "Requires shipping": "shipping", "Fulfillment service": "fulfillment", "Product image URL": "image",
    "Variant image URL": "variant_image",
}  # fmt: skip
COLUMNS_OF = {"shopify": SHOPIFY, "simple": SIMPLE}
COLUMNS = {name.lower(): meaning for name, meaning in {**SHOPIFY, **RENAMED, **SIMPLE}.items()}
SHOPIFYS_OWN = {name.lower() for name in {**SHOPIFY, **RENAMED}} - {name.lower() for name in SIMPLE} - {"price", "sku"}

NAMES = ("option1_name", "option2_name", "option3_name")
OPTIONS = ("option1", "option2", "option3")
PRODUCT_CELLS = ("title", "description", "category", "brand", "type", "tags", "published", *NAMES, "seo_title", "seo_description", "gift_card", "tax_class")
VARIANT_CELLS = (*OPTIONS, "sku", "price", "compare_at_price", "stock", "tracked", "weight_g", "barcode")
NUMBER_CELLS = ("price", "compare_at_price", "stock", "weight_g")
DELIMITERS = ",;\t"
_SEP_LINE = re.compile(rf'"?sep=([{DELIMITERS}])"?[ \t]*(?:\r?\n|$)', re.I)
# A row that fills one of these is a variant; one that fills none may still bring a picture.
TELLS_A_VARIANT = (*OPTIONS, "sku", "price", "compare_at_price", "stock", "weight_g", "barcode")


@dataclass(frozen=True)
class Remark:
    """Something about a file: where (0: the file as a whole), in which column, and a sentence."""

    row: int
    column: str
    message: str


@dataclass(frozen=True)
class Line:
    """One variant of a file."""

    row: int
    cells: Cells
    picture: str = ""


@dataclass(frozen=True)
class Picture:
    src: str
    alt: str
    row: int = 0
    position: int = 0

    @property
    def name(self) -> str:
        return file_name(self.src)


@dataclass
class Good:
    """One product of a file."""

    handle: str
    row: int
    cells: Cells = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    broken: bool = False  # a row of it is refused already, so nothing more is asked of it


@dataclass
class Sheet:
    """A file as it was understood. With errors it is not to be carried out."""

    format: str = ""
    notation: Notation = Notation()
    columns: dict[str, str] = field(default_factory=dict)  # meaning → what this file calls it
    ignored: list[str] = field(default_factory=list)
    goods: dict[str, Good] = field(default_factory=dict)
    rows: int = 0
    errors: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)
    error_count: int = 0
    warning_count: int = 0

    def refuse(self, row: int, meaning: str, message: str) -> None:
        self.error_count += 1
        if len(self.errors) < MOST_TROUBLES:
            self.errors.append(Remark(row, self.columns.get(meaning, meaning), message))

    def warn(self, row: int, meaning: str, message: str) -> None:
        self.warning_count += 1
        if len(self.warnings) < MOST_TROUBLES:
            self.warnings.append(Remark(row, self.columns.get(meaning, meaning), message))

    @property
    def tells_variants(self) -> bool:
        """Whether the file describes variants by their options, and so all of them; a list of SKUs and prices does not."""
        return any(option in self.columns for option in OPTIONS)


def file_name(src: str) -> str:
    """What a picture's file is called: the last part of its address or path."""
    if not src:
        return ""
    return normalize_text(PurePosixPath(unquote(urlsplit(src).path.replace("\\", "/"))).name)


def stem_of(name: str) -> str:
    """What the shop's own file of a picture begins with, so that it is known again by the name under which it came."""
    return handle_from(PurePosixPath(name).stem)[:100].rstrip("-")


# ---------------------------------------------------------------- cells


def _line(most: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        text = re.sub(r"[\t\r\n]+", " ", text).strip()
        if re.search(r"[\x00-\x1f\x7f]", text):
            raise ValueError("Contains characters that are not allowed here.")
        if len(text) > most:
            raise ValueError(f"At most {most} characters.")
        return text

    return read


def _tags(text: str) -> str:
    return _line(500)(", ".join(dict.fromkeys(filter(None, (tag.strip() for tag in text.split(","))))))


def _path(text: str) -> str:
    return _line(500)(" > ".join(filter(None, (part.strip() for part in text.split(">")))))


def _yes(text: str) -> str:
    word = text.strip().lower()
    if word not in ("", "true", "yes", "1", "false", "no", "0"):
        raise ValueError("Write true or false.")
    return "false" if word in ("false", "no", "0") else "true"


def _gift(text: str) -> str:
    return _yes(text) if text.strip() else ""


def _tax_class(text: str) -> str:
    word = text.strip().lower() or "standard"
    if word not in TAX_CLASSES:
        raise ValueError(f"Write {', '.join(TAX_CLASSES[:-1])} or {TAX_CLASSES[-1]}.")
    return word


def _tracker(text: str) -> str:
    return "true" if text.strip() else "false"


def _status(text: str) -> str:
    word = text.strip().lower()
    if word not in ("", "active", "draft", "archived", "unlisted"):
        raise ValueError("Write active, draft or archived.")
    return word


def _whole(notation: Notation, maximum: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        number = notation.parse(text, 0) if text.strip() else 0
        if not 0 <= number <= maximum:
            raise ValueError(f"Must be a whole number up to {maximum}.")
        return str(number)

    return read


def _stock(notation: Notation) -> Callable[[str], str]:
    read_positive = _whole(notation, MOST_STOCK)

    def read(text: str) -> str:
        if not text.strip().startswith("-"):
            return read_positive(text) if text.strip() else ""
        return str(notation.parse(text, 0))

    return read


def _code(maximum_length: int) -> Callable[[str], str]:
    """SKUs and barcodes: digits count one by one."""
    line = _line(maximum_length)

    def read(text: str) -> str:
        if csv_numbers.is_scientific(text):
            raise csv_numbers.damaged(text)
        return line(text)

    return read


def _barcode(text: str) -> str:
    # Shopify keeps spreadsheets from rounding the number by an apostrophe.
    return _code(32)(text.strip().removeprefix("'"))


def _price(notation: Notation, currency: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not text.strip():
            return ""
        amount = notation.parse(text, CURRENCIES[currency])
        if amount < 0:
            raise ValueError("Must be 0 or more.")
        if amount >= MOST_PRICE:
            raise ValueError("Too large.")
        return money.decimal(amount, currency)

    return read


def _is_nothing(price: str) -> bool:
    return bool(price) and not price.strip("0.")


def _readers(currency: str, notation: Notation) -> dict[str, Callable[[str], str]]:
    price = _price(notation, currency)
    return {
        "title": _line(190), "description": str.strip, "category": _path, "brand": _line(120), "type": _line(120), "tags": _tags,
        "published": _yes, "gift_card": _gift, "status": _status, "tax_class": _tax_class,
        "option1_name": _line(60), "option2_name": _line(60), "option3_name": _line(60),
        "seo_title": _line(190), "seo_description": _line(500), "option1": _line(120), "option2": _line(120), "option3": _line(120),
        "sku": _code(64), "price": price, "compare_at_price": price, "stock": _stock(notation), "tracked": _yes, "tracker": _tracker,
        "weight_g": _whole(notation, MOST_WEIGHT), "barcode": _barcode, "image": _line(2000), "image_alt": _line(250), "variant_image": _line(2000),
    }  # fmt: skip


# ---------------------------------------------------------------- reading


def read(content: bytes, currency: str, numbers: NumberFormat | None = None) -> Sheet:
    """Understand a file, whole: what cannot be is in `errors`, each with its row (as a spreadsheet counts) and column.

    `numbers` is how the file writes numbers; None detects it.
    """
    sheet = Sheet()
    try:
        text = _decode(content)
    except UnicodeDecodeError:
        sheet.refuse(0, "", "The file is not UTF-8. Save it as “CSV UTF-8” and send it again.")
        return sheet
    if "\x00" in text:
        sheet.refuse(text.count("\n", 0, text.index("\x00")) + 1, "", "The file contains a NUL character.")
        return sheet
    text, delimiter = _delimiter_of(text)
    rows = _rows_of(text, delimiter)
    try:
        meanings = _read_header(sheet, next(rows, []))
        if not sheet.errors:
            detected = csv_numbers.detect(_number_cells(_rows_of(text, delimiter), meanings))
            sheet.notation = Notation(numbers or detected, is_chosen=numbers is not None)
            _Reading(sheet, meanings, _readers(currency, sheet.notation)).read(rows)
    except csv.Error as error:
        sheet.refuse(sheet.rows + 2, "", f"The file cannot be read from here on ({error}).")
    return sheet


def _decode(content: bytes) -> str:
    # Excel's “Unicode Text” is UTF-16 with a byte order mark.
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf16 else "utf-8-sig")


def _delimiter_of(text: str) -> tuple[str, str]:
    """Return the text without Excel's `sep=;` line, which spreadsheets do not count, and the delimiter."""
    declared = _SEP_LINE.match(text)
    if declared:
        return text[declared.end() :], declared[1]
    first = text.partition("\n")[0]
    return text, max(DELIMITERS, key=first.count)


def _rows_of(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _number_cells(rows: Iterator[list[str]], meanings: list[str]) -> Iterator[str]:
    places = [place for place, meaning in enumerate(meanings) if meaning in NUMBER_CELLS]
    try:
        for row in itertools.islice(rows, 1, MOST_ROWS + 1):
            yield from (unquote_formula(row[place]) for place in places if place < len(row))
    except csv.Error:
        # Reported with its row when the file is read for good.
        return


def _read_header(sheet: Sheet, header: list[str]) -> list[str]:
    """What each column means, blank for those that mean nothing to the shop."""
    names = [normalize_text(name).strip() for name in header]
    meanings = [COLUMNS.get(name.lower(), "") for name in names]
    for name, meaning in zip(names, meanings, strict=True):
        if meaning in sheet.columns:
            sheet.refuse(1, name, f"The file has two columns for this: {sheet.columns[meaning]} and {name}.")
        elif meaning:
            sheet.columns[meaning] = name
        elif name:
            sheet.ignored.append(name[:120])
    if len(names) > MOST_COLUMNS:
        sheet.ignored.clear()
        sheet.refuse(1, "", f"A file may have at most {MOST_COLUMNS} columns.")
    if not sheet.columns.keys() & {"handle", "title"} or len(sheet.columns) < 2:
        sheet.refuse(1, "", "The first row must name the columns as Shopify's product export or the simple format does: handle, title, price …")
    sheet.format = "shopify" if SHOPIFYS_OWN & {name.lower() for name in names} else "simple"
    return meanings


class _Reading:
    """The rows of a file on their way to goods."""

    def __init__(self, sheet: Sheet, meanings: list[str], readers: dict[str, Callable[[str], str]]) -> None:
        self.sheet, self.meanings, self.readers = sheet, meanings, readers
        self.blanks = {meaning: readers[meaning]("") for meaning in readers if meaning in sheet.columns}
        self.unlike: dict[str, list[int]] = {}  # FIXED column → rows that want something else
        self.skus: dict[str, int] = {}

    def read(self, rows: Iterator[list[str]]) -> None:
        for row, cells in enumerate(rows, 2):
            self.sheet.rows = row - 1
            if self.sheet.rows > MOST_ROWS:
                self.sheet.refuse(row, "", f"A file may have at most {MOST_ROWS:,} rows.")
                break
            if any(cell.strip() for cell in cells):
                self._read_row(row, cells)
        for meaning, unlike in self.unlike.items():
            self.sheet.warn(unlike[0], meaning, f"{_rows(len(unlike))} something other than “{FIXED[meaning][0]}”; {FIXED[meaning][1]}.")
        for good in self.sheet.goods.values():
            _Settling(self.sheet, good).settle()

    def _read_row(self, row: int, cells: list[str]) -> None:
        if any(cell.strip() for cell in cells[len(self.meanings) :]):
            self.sheet.refuse(row, "", f"The row has more cells than there are columns ({len(self.meanings)}). Is a quotation mark missing?")
            return
        filled = {meaning: normalize_text(unquote_formula(cell)) for meaning, cell in zip(self.meanings, cells, strict=False) if meaning and cell.strip()}
        good = self._good(row, filled)
        if good is None:
            return
        refused = self.sheet.error_count
        values = self.blanks | {meaning: value for meaning, cell in filled.items() if (value := self._value(row, meaning, cell)) is not None}
        if "tracker" in values:
            values["tracked"] = values["tracker"]
        self._note_product(row, good, filled, values)
        self._note_unlike(row, good, filled, values)
        if filled.keys() & set(TELLS_A_VARIANT):
            good.lines.append(self._line(row, values))
        if filled.get("image"):
            self._note_picture(row, good, values, filled.get("image_position", ""))
        good.broken = good.broken or self.sheet.error_count > refused

    def _value(self, row: int, meaning: str, cell: str) -> str | None:
        try:
            return self.readers[meaning](cell) if meaning in self.readers else None
        except ValueError as error:
            self.sheet.refuse(row, meaning, str(error))
            return None

    def _good(self, row: int, filled: Cells) -> Good | None:
        given = filled.get("handle") or filled.get("title", "")
        handle = handle_from(given)
        if not handle:
            self.sheet.refuse(row, "handle", "This is needed: it says which product the row belongs to.")
            return None
        if handle != filled.get("handle", handle).strip() and handle not in self.sheet.goods:
            self.sheet.warn(row, "handle", f"Becomes {handle}, as addresses of pages want it.")
        return self.sheet.goods.setdefault(handle, Good(handle, row))

    def _note_product(self, row: int, good: Good, filled: Cells, values: Cells) -> None:
        if row == good.row:
            good.cells = {meaning: values[meaning] for meaning in (*PRODUCT_CELLS, "status") if meaning in values}
            return
        for meaning in filled.keys() & good.cells.keys():
            if values.get(meaning) not in (None, good.cells[meaning]):
                self.sheet.refuse(row, meaning, f"The product “{good.handle}” has another one of these in row {good.row}.")

    def _note_unlike(self, row: int, good: Good, filled: Cells, values: Cells) -> None:
        gift = good.cells.get("gift_card") == "true"
        moot = {"policy": values.get("tracked") == "false", "shipping": gift, "taxable": gift}
        for meaning in filled.keys() & FIXED.keys():
            if filled[meaning].strip().lower() != FIXED[meaning][0] and not moot.get(meaning):
                self.unlike.setdefault(meaning, []).append(row)

    def _line(self, row: int, values: Cells) -> Line:
        cells = {meaning: values[meaning] for meaning in VARIANT_CELLS if meaning in values}
        if cells.get("stock", "").startswith("-"):
            self.sheet.warn(row, "stock", f"{cells['stock']} becomes 0.")
            cells["stock"] = "0"
        if _is_nothing(cells.get("price", "")):
            self.sheet.warn(row, "price", "It is given away for nothing.")
        if _is_nothing(cells.get("compare_at_price", "")):
            cells["compare_at_price"] = ""
        sku = cells.get("sku")
        if sku and self.skus.setdefault(sku, row) != row:
            self.sheet.refuse(row, "sku", f"Row {self.skus[sku]} has the same.")
        return Line(row, cells, file_name(values.get("variant_image", "") if self.sheet.format == "shopify" else values.get("image", "")))

    def _note_picture(self, row: int, good: Good, values: Cells, position: str) -> None:
        picture = Picture(values["image"], values.get("image_alt", ""), row, int(position) if re.fullmatch(r"\d{1,4}", position.strip(), re.ASCII) else row)
        if picture.name and picture.name not in {one.name for one in good.pictures}:
            good.pictures.append(picture)


class _Settling:
    """One product of a file, looked at as a whole."""

    def __init__(self, sheet: Sheet, good: Good) -> None:
        self.sheet, self.good = sheet, good

    def settle(self) -> None:
        self._settle_status()
        self._settle_description()
        self.good.pictures.sort(key=lambda picture: picture.position)
        if len(self.good.lines) > products.MOST_VARIANTS:
            self.sheet.refuse(
                self.good.row, "handle", f"“{self.good.handle}” has {len(self.good.lines)} variants; a product has at most {products.MOST_VARIANTS}."
            )
        if self.sheet.tells_variants:
            self._settle_options()

    def _settle_status(self) -> None:
        if not self.good.cells.get("gift_card", "false"):
            del self.good.cells["gift_card"]
        status = self.good.cells.pop("status", None)
        if status is None:
            return
        if status in ("archived", "unlisted"):
            self.sheet.warn(self.good.row, "status", f"“{self.good.handle}” is {status}; it comes in unpublished.")
        self.good.cells["published"] = "true" if status in ("", "active") and self.good.cells.get("published", "true") == "true" else "false"

    def _settle_description(self) -> None:
        given = self.good.cells.get("description")
        if not given:
            return
        cleaned = sanitised(given)
        gone = _tags_of(given) - _tags_of(cleaned)
        if gone:
            self.sheet.warn(self.good.row, "description", f"Taken out of the text of “{self.good.handle}”: {', '.join(sorted(gone))}.")
        if len(cleaned) > MOST_DESCRIPTION:
            self.sheet.refuse(self.good.row, "description", f"At most {MOST_DESCRIPTION:,} characters.")
        self.good.cells["description"] = cleaned

    def _settle_options(self) -> None:
        """Shopify calls the only variant of a product without options its Title, Default Title."""
        cells, lines = self.good.cells, self.good.lines
        if cells.get("option1_name", "Title").lower() == "title" and [line.cells.get("option1") for line in lines] == ["Default Title"]:
            lines[0].cells.update({option: "" for option in OPTIONS if option in lines[0].cells})
            cells.update({name: "" for name in NAMES if name in cells})


def _rows(count: int) -> str:
    return "One row says" if count == 1 else f"{count} rows say"


def _tags_of(text: str) -> set[str]:
    return {name.lower() for name in re.findall(r"<([a-zA-Z][a-zA-Z0-9]*)", text)}


def handle_from(text: str) -> str:
    """A handle as it may stand in an address, where a mere number would be an id; the same for the same text, always."""
    plain = unicodedata.normalize("NFKD", text.strip().lower()).encode("ascii", "ignore").decode()
    handle = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:180].rstrip("-")
    return f"product-{handle}" if handle.isdigit() else handle


# ---------------------------------------------------------------- writing


def header(format: str) -> bytes:
    return encode_rows([list(COLUMNS_OF[format])])


def write(format: str, good: Good) -> bytes:
    """The rows of one product, all of whose cells are there."""
    rows = _shopify_rows(good) if format == "shopify" else _simple_rows(good)
    return encode_rows([[quote_formula(row.get(meaning, "")) for meaning in COLUMNS_OF[format].values()] for row in rows])


def _shopify_rows(good: Good) -> Iterator[Cells]:
    """As Shopify does it: a row for each variant, the pictures beside them, and rows of their own for pictures that are left."""
    srcs = {picture.name: picture.src for picture in good.pictures}
    plain = not good.cells["option1_name"]
    for place in range(max(len(good.lines), len(good.pictures))):
        row = {"handle": good.handle}
        if place == 0:
            row |= good.cells | {"status": "active" if good.cells["published"] == "true" else "draft"}
            row |= {"option1_name": "Title"} if plain else {}
        if place < len(good.lines):
            line = good.lines[place]
            row |= line.cells | {meaning: FIXED[meaning][0] for meaning in ("policy", "fulfillment", "shipping", "taxable")}
            row |= {"tracker": "shopify" if line.cells["tracked"] == "true" else "", "variant_image": srcs.get(line.picture, ""), "weight_unit": "g"}
            row |= {"option1": "Default Title"} if plain else {}
        if place < len(good.pictures):
            picture = good.pictures[place]
            row |= {"image": picture.src, "image_position": str(place + 1), "image_alt": picture.alt}
        yield row


def _simple_rows(good: Good) -> Iterator[Cells]:
    """A row for each variant with its own picture; a product without options shows its first one."""
    named = {picture.name: picture for picture in good.pictures}
    first = good.pictures[:1] if not good.cells["option1_name"] else []
    for place, line in enumerate(good.lines):
        picture = next(iter(first), None) or named.get(line.picture) or Picture("", "")
        yield {"handle": good.handle, **(good.cells if place == 0 else {}), **line.cells, "image": picture.src, "image_alt": picture.alt}
