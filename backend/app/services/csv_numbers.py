"""Numbers in local notation: how a file writes them, and what a cell is worth.

`1.000` is a thousand in Berlin and one in Boston. So a file's number format is detected from all its
numbers, shown before anything is imported, and can be chosen; a number that may mean two things is
refused. `frontend/js/lib/numbers.js` applies the same rules to a single field.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

NumberFormat = Literal["point", "comma"]  # named after the decimal mark
NUMBER_FORMATS: tuple[NumberFormat, ...] = get_args(NumberFormat)
EXAMPLES: dict[NumberFormat, str] = {"point": "1,234.56", "comma": "1.234,56"}
MAX_WHOLE_DIGITS = 15

# What separates thousands everywhere: spaces of several widths and apostrophes (Switzerland).
_SPACES = " \u00a0\u2007\u2009\u202f'\u2019"


def _shape(decimal_mark: str, group_mark: str) -> re.Pattern[str]:
    groups = rf"[1-9]\d{{0,2}}(?:(?P<mark>[{_SPACES}{group_mark}])\d{{3}})(?:(?P=mark)\d{{3}})*"
    # India separates a thousand from what is above it in pairs: 1,00,000.
    pairs = r"|[1-9]\d?(?:,\d{2})+,\d{3}" if group_mark == "," else ""
    whole = rf"(?P<whole>\d+|{groups}{pairs})"
    return re.compile(rf"(?P<sign>[+-]?){whole}(?:{re.escape(decimal_mark)}(?P<decimals>\d+))?", re.A)


_SHAPES: dict[NumberFormat, re.Pattern[str]] = {
    "point": _shape(".", ","),
    "comma": _shape(",", "."),
}
# A spreadsheet writes a long number as 4.00638E+12 and forgets the other digits. A bare `5E10` or
# `3E-12` may be an article number.
_SCIENTIFIC = re.compile(r"[+-]?\d(?:[.,]\d+)?E\+\d{2,3}|[+-]?\d[.,]\d+E-\d{2,3}", re.A | re.I)


def is_scientific(text: str) -> bool:
    """Return whether a spreadsheet replaced the digits of this number by a power of ten."""
    return bool(_SCIENTIFIC.fullmatch(text.strip()))


def damaged(text: str) -> ValueError:
    """Return the error for a number whose digits are lost."""
    return ValueError(
        f"“{text.strip()[:40]}”: a spreadsheet replaced digits of this number. Format the column as text, enter the number again, and export the file anew."
    )


def _formats_of(text: str) -> list[NumberFormat]:
    return [one for one in NUMBER_FORMATS if _SHAPES[one].fullmatch(text)]


def detect(texts: Iterable[str]) -> NumberFormat | None:
    """Return the format that most of the numbers can only have, or None if no number decides.

    Numbers that contradict it are not numbers in this format, so parse() refuses each of them.
    """
    decided: Counter[NumberFormat] = Counter()
    for text in texts:
        formats = _formats_of(text.strip())
        if len(formats) == 1:
            decided[formats[0]] += 1
    return decided.most_common(1)[0][0] if decided else None


@dataclass(frozen=True)
class Notation:
    """The number format of a file: None if nothing decides it."""

    format: NumberFormat | None = None
    is_chosen: bool = False  # by a person, so that nothing is ambiguous

    def parse(self, text: str, decimals: int) -> int:
        """Return a number in units of 10 ** -decimals: `12.5` with 2 decimals is 1250.

        Raises ValueError with a sentence for what is no number, has more decimals, or is ambiguous.
        """
        text = text.strip()
        if is_scientific(text):
            raise damaged(text)
        formats = _formats_of(text)
        if self.format is None and len(formats) == 2 and re.search("[.,]", text):
            raise _ambiguous(text)
        match = next((_SHAPES[one].fullmatch(text) for one in formats if self.format in (None, one)), None)
        if match is None:
            raise ValueError(self._not_a_number(text, decimals))
        return self._value(match, decimals, is_ambiguous=len(formats) == 2)

    def _value(self, match: re.Match[str], decimals: int, *, is_ambiguous: bool) -> int:
        text, part = match[0], match["decimals"] or ""
        if is_ambiguous and len(part) > decimals and not self.is_chosen:
            # The rest of the file says that the mark is a decimal one, but no amount has three
            # decimals: more likely, thousands of another notation were copied into this column.
            raise _ambiguous(text)
        if len(part.rstrip("0")) > decimals:
            allowed = f"at most {decimals} decimals" if decimals else "no decimals"
            raise ValueError(f"“{text[:40]}” is too precise: {allowed} are possible here.")
        whole = re.sub(r"\D", "", match["whole"])
        if len(whole) > MAX_WHOLE_DIGITS:
            raise ValueError("Too large.")
        amount = int(whole + part.rstrip("0").ljust(decimals, "0"))
        return -amount if match["sign"] == "-" else amount

    def _not_a_number(self, text: str, decimals: int) -> str:
        if self.format is None or not _formats_of(text):
            return f"“{text[:40]}” is not a number such as {f'{24:.{decimals}f}'}."
        example = EXAMPLES[self.format]
        return f"“{text[:40]}” is not written as numbers in this file are ({example})."


def _ambiguous(text: str) -> ValueError:
    grouped, decimal = re.sub("[.,]", "", text), re.sub(",", ".", text).rstrip("0").rstrip(".")
    return ValueError(f"“{text}” can mean {grouped} or {decimal}. Choose how numbers are written in this file, or write it without a thousands separator.")
