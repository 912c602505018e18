"""Numbers in local notation: each is read rightly, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services import csv_numbers
from app.services.csv_numbers import Notation, NumberFormat

# The same cases hold for the fields of pages: e2e/test_products.py runs them in a browser.
CASES = json.loads((Path(__file__).parent / "data" / "numbers.json").read_text(encoding="utf-8"))
SENTENCES = {"ambiguous": "can mean", "too precise": "too precise", "not a number": "is not a number", "too large": "Too large"}


@pytest.mark.parametrize(("text", "decimals", "result"), [case for case in CASES if case[2] != "blank"])
def test_a_single_number_is_read_or_refused(text: str, decimals: int, result: int | str) -> None:
    if isinstance(result, int):
        assert Notation().parse(text, decimals) == result
    else:
        with pytest.raises(ValueError, match=SENTENCES[result]):
            Notation().parse(text, decimals)


@pytest.mark.parametrize(
    ("texts", "number_format"),
    [
        (["49.90", "1.000"], "point"),
        (["49,90", "1.000"], "comma"),
        (["1.000", "2.500.000"], "comma"),
        (["1,000", "0.125"], "point"),
        (["1 000,000"], "comma"),
        (["1'000.000"], "point"),
        (["1,00,000"], "point"),
        (["1,50", "2,50", "3.50"], "comma"),
        (["1.000", "2,500"], None),
        (["12", "1 000", "", "x", "4.1E+07"], None),
        ([], None),
    ],
)
def test_the_format_is_detected_from_all_numbers(texts: list[str], number_format: NumberFormat | None) -> None:
    assert csv_numbers.detect(texts) == number_format


@pytest.mark.parametrize(
    ("number_format", "text", "amount"),
    [
        ("point", "1,000", 100000), ("point", "1,249.00", 124900), ("point", "24.0000", 2400), ("point", "-5", -500),
        ("comma", "1.000", 100000), ("comma", "1.249,00", 124900), ("comma", "1.000.000", 100000000), ("comma", "-1.000", -100000),
    ],
)  # fmt: skip
def test_a_detected_format_decides_what_thousands_are(number_format: NumberFormat, text: str, amount: int) -> None:
    assert Notation(number_format).parse(text, 2) == amount


@pytest.mark.parametrize(("number_format", "text"), [("point", "1.000"), ("comma", "1,000"), ("point", "12.500")])
def test_three_decimals_are_ambiguous_unless_the_format_was_chosen(number_format: NumberFormat, text: str) -> None:
    with pytest.raises(ValueError, match="can mean"):
        Notation(number_format).parse(text, 2)
    assert Notation(number_format, is_chosen=True).parse(text, 2) == {"1": 100, "12": 1250}[text.split(text[-4])[0]]


@pytest.mark.parametrize(("number_format", "text"), [("point", "12,50"), ("comma", "12.50"), ("point", "1.000.000")])
def test_a_number_in_the_other_format_is_refused(number_format: NumberFormat, text: str) -> None:
    for is_chosen in (False, True):
        with pytest.raises(ValueError, match="is not written as numbers in this file are"):
            Notation(number_format, is_chosen).parse(text, 2)


@given(st.integers(0, 10**9), st.sampled_from(csv_numbers.NUMBER_FORMATS), st.booleans())
def test_what_is_written_in_a_format_is_read_back(amount: int, number_format: NumberFormat, grouped: bool) -> None:
    text = f"{amount // 100:{',' if grouped else ''}}.{amount % 100:02}"
    if number_format == "comma":
        text = text.translate(str.maketrans(",.", ".,"))
    assert Notation(number_format).parse(text, 2) == amount
    assert csv_numbers.detect([text]) == number_format
