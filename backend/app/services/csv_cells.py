"""Cells of CSV files, quoted so that no spreadsheet program runs one as a formula."""

from __future__ import annotations

import csv
import io
import re

# What a spreadsheet may skip before it looks for a formula: white space, control characters, and
# characters without a width (Default_Ignorable_Code_Point).
_SKIPPED = (
    r"\s\x00-\x1f\x7f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# The signs that begin a formula, with every variant that Unicode treats as compatible (NFKC): some
# programs convert full-width signs before they look.
_SIGNS = (
    r"=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
    r"\u207c\u207a\u208c\u208a\u207b\u208b\u2212\u2a75\u2a76\ufb29"
)
# Apostrophes belong to the pattern, so that a cell which begins with one is restored unchanged.
_FORMULA = re.compile(rf"'*[\t\r\n]|['{_SKIPPED}]*[{_SIGNS}]")


def quote_formula(cell: str) -> str:
    """Return the cell with an apostrophe in front if a spreadsheet could run it (CWE-1236)."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unquote_formula(cell: str) -> str:
    """Return what was given to quote_formula()."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def encode_rows(rows: list[list[str]]) -> bytes:
    """Return rows as lines of a CSV file (RFC 4180, UTF-8)."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()
