"""Cells that a spreadsheet could run are quoted in every export, and restored by the import."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from app.services.csv_cells import encode_rows, quote_formula, unquote_formula

FORMULAS = [
    "=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "'=1", "''-x",
    "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20x", "\u22121",
    "\u200b=1", "\ufeff=1", "\u2060\u200d+1", "\u00a0=1", " =1", "\u3000\uff1d1", "\u00ad@x", "\x00=1", "\u200b'=1",
]  # fmt: skip
PLAIN = ["'quoted'", "plain", "", "1-2", "\u200bplain", " plain", "a=b", "50 % off"]


@pytest.mark.parametrize("cell", FORMULAS)
def test_what_a_spreadsheet_could_run_is_quoted(cell: str) -> None:
    assert quote_formula(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", PLAIN)
def test_other_text_is_exported_unchanged(cell: str) -> None:
    assert quote_formula(cell) == cell


@pytest.mark.parametrize("cell", FORMULAS + PLAIN)
def test_quoting_is_undone_when_a_cell_is_read(cell: str) -> None:
    assert unquote_formula(quote_formula(cell)) == cell


def test_every_character_that_is_compatible_with_a_formula_sign_is_quoted() -> None:
    characters = (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    signs = [one for one in characters if unicodedata.normalize("NFKC", one)[0] in "=+-@"]

    assert len(signs) > 12
    assert [one for one in signs if quote_formula(f"{one}1") == f"{one}1"] == []


def test_rows_are_encoded_as_csv() -> None:
    assert encode_rows([["a,b", 'c"d', "é"]]) == '"a,b","c""d",é\r\n'.encode()
