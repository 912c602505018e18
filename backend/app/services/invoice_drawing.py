"""An invoice or a credit note on A4. Pure: what is said comes in as words and integers, the bytes of a PDF go out."""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from .. import money

WIDTH, HEIGHT = A4
LEFT, RIGHT, TOP, BOTTOM = 56.0, WIDTH - 56.0, HEIGHT - 56.0, 76.0
INK, SOFT, LINE, GREEN, TINT = "#1b211e", "#5d655f", "#d9dbd4", "#1c5a42", "#eef3ee"
FONTS = {"Text": "Regular", "Strong": "Semibold", "Heavy": "Bold"}
# Where the columns of the lines end; the title stands to the left of them.
QUANTITY, PRICE, TAX, AMOUNT = RIGHT - 220, RIGHT - 132, RIGHT - 84, RIGHT
TITLE_WIDTH = QUANTITY - LEFT - 44


@dataclass(frozen=True)
class Line:
    title: str
    details: tuple[str, ...]
    quantity: int
    price_minor: int | None
    tax_rate_bp: int
    amount_minor: int


@dataclass(frozen=True)
class Total:
    """A row below the lines; the `strong` one is their sum, the one that `closes` is what remains to be known."""

    label: str
    amount_minor: int
    strong: bool = False
    closes: bool = False


@dataclass(frozen=True)
class TaxRow:
    rate_bp: int
    net_minor: int
    tax_minor: int

    @property
    def gross_minor(self) -> int:
        return self.net_minor + self.tax_minor


@dataclass(frozen=True)
class Document:
    title: str
    number: str
    shop: str
    seller: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    parties: tuple[tuple[str, tuple[str, ...]], ...]
    currency: str
    lines: tuple[Line, ...]
    totals: tuple[Total, ...]
    taxes: tuple[TaxRow, ...]
    notes: tuple[str, ...]


def draw(document: Document) -> bytes:
    """The document's bytes: the same for the same document."""
    # Drawn once to learn how many pages there are, which each page tells.
    pages = _Drawing(document, 0).run()[1]
    return _Drawing(document, pages).run()[0]


def percent(rate_bp: int) -> str:
    return f"{rate_bp // 100}.{rate_bp % 100:02d}".rstrip("0").rstrip(".") + " %"


@functools.cache
def _faces() -> dict[str, Any]:
    found = importlib.util.find_spec("font_source_sans_pro")
    assert found is not None and found.origin is not None
    folder = Path(found.origin).parent / "files"
    for name, style in FONTS.items():
        pdfmetrics.registerFont(TTFont(name, str(folder / f"SourceSansPro-{style}.ttf")))
    return {name: pdfmetrics.getFont(name).face.charToGlyph for name in FONTS}


class _Drawing:
    """One pass over the document, from the top of the first page to the foot of the last. `y` is where the next thing stands."""

    def __init__(self, document: Document, pages: int) -> None:
        self.glyphs = _faces()
        self.document, self.pages, self.page, self.y = document, pages, 1, TOP
        self.file = BytesIO()
        self.canvas = Canvas(self.file, pagesize=A4, invariant=1, lang="en-GB")
        self.canvas.setTitle(f"{document.title} {document.number}")
        self.canvas.setAuthor(document.shop)
        self.canvas.setSubject(", ".join(f"{label} {value}" for label, value in document.facts))

    def run(self) -> tuple[bytes, int]:
        self._head()
        self._facts()
        self._parties()
        self._table()
        self._sums()
        self._notes()
        self._foot()
        self.canvas.save()
        return self.file.getvalue(), self.page

    # ---- words and rules

    def _text(self, x: float, y: float, text: str, *, size: float = 10, font: str = "Text", colour: str = INK, end: bool = False, space: float = 0) -> None:
        self.canvas.setFont(font, size)
        self.canvas.setFillColor(colour)
        known = "".join(letter if ord(letter) in self.glyphs[font] else "?" for letter in text)
        if end:
            self.canvas.drawRightString(x, y, known)
        else:
            self.canvas.drawString(x, y, known, charSpace=space)

    def _label(self, x: float, y: float, text: str, *, end: bool = False) -> None:
        self._text(x, y, text, size=8.5, font="Strong", colour=SOFT, end=end)

    def _rule(self, y: float, *, left: float = LEFT, right: float = RIGHT, colour: str = LINE, width: float = 0.6) -> None:
        self.canvas.setStrokeColor(colour)
        self.canvas.setLineWidth(width)
        self.canvas.line(left, y, right, y)

    def _amount(self, minor: int) -> str:
        whole, dot, rest = money.decimal(abs(minor), self.document.currency).partition(".")
        return f"{'−' if minor < 0 else ''}{int(whole):,}{dot}{rest}"

    def _split(self, text: str, width: float, *, size: float, font: str) -> list[str]:
        return simpleSplit(text, font, size, width) or [""]

    # ---- pages

    def _room(self, height: float) -> bool:
        """Begin another page where the next thing does not fit any more; gives whether it did."""
        if self.y - height >= BOTTOM:
            return False
        self._foot()
        self.canvas.showPage()
        self.page += 1
        self.y = TOP
        self._text(LEFT, self.y, self.document.shop, size=11, font="Heavy", colour=GREEN)
        self._text(RIGHT, self.y, f"{self.document.title} {self.document.number}, continued", size=9.5, colour=SOFT, end=True)
        self.y -= 34
        return True

    def _foot(self) -> None:
        self._rule(58)
        self._text(LEFT, 44, " · ".join((self.document.shop, *self.document.seller))[:150], size=8, colour=SOFT)
        self._text(RIGHT, 44, f"{self.page} / {self.pages}", size=8, colour=SOFT, end=True)

    # ---- the parts

    def _head(self) -> None:
        self.canvas.setFillColor(GREEN)
        self.canvas.rect(0, HEIGHT - 8, WIDTH, 8, stroke=0, fill=1)
        self._text(LEFT, self.y - 14, self.document.shop, size=17, font="Heavy", colour=GREEN)
        for i, line in enumerate(self.document.seller):
            self._text(RIGHT, self.y - 4 - 12.5 * i, line, size=9, colour=SOFT, end=True)
        self.y -= max(54.0, 12.5 * len(self.document.seller) + 24)
        self._text(LEFT, self.y - 18, self.document.title, size=32, font="Heavy")
        self.y -= 52

    def _facts(self) -> None:
        step = (RIGHT - LEFT) / 4
        for i, (label, value) in enumerate(self.document.facts):
            x = LEFT + step * (i % 4)
            self._label(x, self.y, label)
            self._text(x, self.y - 14.5, value, size=10.5, font="Strong")
        self.y -= 36

    def _parties(self) -> None:
        self._rule(self.y)
        self.y -= 22
        step, below = (RIGHT - LEFT) / 2, self.y
        for i, (label, lines) in enumerate(self.document.parties):
            y = self.y
            self._label(LEFT + step * i, y, label)
            y -= 3
            for words in lines:
                for line in self._split(words, step - 20, size=10, font="Text"):
                    y -= 13.5
                    self._text(LEFT + step * i, y, line)
            below = min(below, y)
        self.y = below - 34

    def _table_head(self) -> None:
        self._label(LEFT, self.y, "Item")
        self._label(QUANTITY, self.y, "Quantity", end=True)
        if any(line.price_minor is not None for line in self.document.lines):
            self._label(PRICE, self.y, "Price", end=True)
        self._label(TAX, self.y, "Tax", end=True)
        self._label(AMOUNT, self.y, f"Amount, {self.document.currency}", end=True)
        self._rule(self.y - 7, colour=INK, width=0.9)
        self.y -= 7

    def _table(self) -> None:
        self._table_head()
        for line in self.document.lines:
            self._line(line)
        self.y -= 8

    def _line(self, line: Line) -> None:
        title = self._split(line.title, TITLE_WIDTH, size=10.5, font="Strong")
        details = [part for words in line.details for part in self._split(words, TITLE_WIDTH, size=9, font="Text")]
        height = 13.5 * len(title) + 12 * len(details) + 15
        if self._room(height):
            self._table_head()
        top = self.y - 18
        for i, words in enumerate(title):
            self._text(LEFT, top - 13.5 * i, words, size=10.5, font="Strong")
        for i, words in enumerate(details):
            self._text(LEFT, top - 13.5 * len(title) + 1 - 12 * i, words, size=9, colour=SOFT)
        self._text(QUANTITY, top, str(line.quantity), size=10.5, end=True)
        if line.price_minor is not None:
            self._text(PRICE, top, self._amount(line.price_minor), size=10.5, end=True)
        self._text(TAX, top, percent(line.tax_rate_bp), size=10.5, colour=SOFT, end=True)
        self._text(AMOUNT, top, self._amount(line.amount_minor), size=10.5, end=True)
        self.y -= height
        self._rule(self.y)

    def _sums(self) -> None:
        """The totals at the right, and beside them at the left how much of it is tax."""
        left = LEFT + (RIGHT - LEFT) * 0.5
        height = sum(34 if total.closes else 24 if total.strong else 17 for total in self.document.totals)
        self._room(max(height, 17 * len(self.document.taxes) + 40) + 12)
        top = self.y
        for total in self.document.totals:
            self._total(total, left)
        below, self.y = self.y, top
        self._taxes(left - 36)
        self.y = min(below, self.y) - 26

    def _total(self, total: Total, left: float) -> None:
        amount = self._amount(total.amount_minor)
        if total.closes:
            self.canvas.setFillColor(TINT)
            self.canvas.roundRect(left - 12, self.y - 34, RIGHT - left + 24, 29, 6, stroke=0, fill=1)
            self._text(left, self.y - 24, total.label, size=12, font="Heavy", colour=GREEN)
            self._text(RIGHT, self.y - 24, f"{self.document.currency} {amount}", size=13, font="Heavy", colour=GREEN, end=True)
            self.y -= 40
            return
        if total.strong:
            self._rule(self.y - 5, left=left)
        step, size, font = (23.0, 12.0, "Heavy") if total.strong else (17.0, 10.0, "Text")
        self._text(left, self.y - step + 3, total.label, size=size, font=font, colour=INK if total.strong else SOFT)
        self._text(RIGHT, self.y - step + 3, amount, size=size, font=font, end=True)
        self.y -= step

    def _taxes(self, right: float) -> None:
        if not self.document.taxes:
            return
        columns = (right - 132, right - 66, right)
        self.y -= 14
        self._label(LEFT, self.y, "Rate")
        for x, label in zip(columns, ("Net", "Tax", "Gross"), strict=True):
            self._label(x, self.y, label, end=True)
        self._rule(self.y - 6, right=right)
        self.y -= 6
        for row in self.document.taxes:
            self.y -= 15
            self._text(LEFT, self.y, percent(row.rate_bp), size=9.5)
            for x, minor in zip(columns, (row.net_minor, row.tax_minor, row.gross_minor), strict=True):
                self._text(x, self.y, self._amount(minor), size=9.5, end=True)

    def _notes(self) -> None:
        lines = [line for words in self.document.notes for line in self._split(words, RIGHT - LEFT, size=9.5, font="Text")]
        self._room(13 * min(len(lines), 8))
        for line in lines:
            self._room(13)
            self._text(LEFT, self.y, line, size=9.5, colour=SOFT)
            self.y -= 13
