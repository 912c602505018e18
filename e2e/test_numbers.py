"""Numbers in local notation: shown and chosen on the import page, and never guessed in a form."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from shop import Shop
from shopper import Shopper
from test_accessibility import Inspector

# Files are read by the same rules: backend/tests/test_csv_numbers.py holds them to the same cases.
CASES = json.loads((Path(__file__).parents[1] / "backend/tests/data/numbers.json").read_text(encoding="utf-8"))
AMBIGUOUS = "“1.000” can mean 1000 or 1. Write it without a thousands separator."
READ_ALL = """async (cases) => {
  const entry = document.querySelector('script[src$="/js/admin.js"]').src;
  const { readNumber } = await import(entry.replace("admin.js", "lib/everywhere.js"));
  const kind = (problem) => ["can mean", "is no number", "Too large"].find((part) => problem.includes(part)) ?? "too precise";
  return cases.map(([text, decimals]) => {
    const { value, problem } = readNumber(text, decimals, "This is no number.");
    return problem ? kind(problem) : value;
  });
}"""
IN_A_BROWSER = {"ambiguous": "can mean", "not a number": "is no number", "too large": "Too large", "blank": None}
QUOTE_ALL = """async (texts) => {
  const entry = document.querySelector('script[src$="/js/admin.js"]').src;
  const { cell } = await import(entry.replace("admin.js", "components/grid-csv.js"));
  return texts.map(cell);
}"""


def upload(owner: Shopper, handle: str, text: str) -> None:
    owner.page.locator("#file").set_input_files({"name": f"{handle}.csv", "mimeType": "text/csv", "buffer": text.encode()})


def test_a_field_reads_numbers_as_a_file_does(owner: Shopper) -> None:
    owner.visit("/admin/products")

    read = owner.page.evaluate(READ_ALL, CASES)

    wrong = [(case, value) for case, value in zip(CASES, read, strict=True) if value != IN_A_BROWSER.get(case[2], case[2])]
    assert wrong == []


def test_formulas_in_disguise_are_quoted_in_the_file_of_a_table(owner: Shopper) -> None:
    owner.visit("/admin/products")
    formulas = ["\uff1d1", "\uff0b1", "\uff0d1", "\uff20x", "\u200b=1", "\ufeff+1", "\u00a0-1", "\u2060'@x", "\nx"]
    plain = ["a=b", "\u200bplain", "5 - 3"]

    quoted = [cell.strip('"') for cell in owner.page.evaluate(QUOTE_ALL, formulas + plain)]

    assert quoted == [f"'{one}" for one in formulas] + plain


def test_the_number_format_of_a_file_is_shown_and_can_be_changed(owner: Shopper) -> None:
    handle = f"chain-{secrets.token_hex(3)}"
    owner.visit("/admin/imports")
    upload(owner, handle, f"handle;title;price;stock\n{handle};Chain;1.000;2.500\n")
    choice = owner.field("Numbers in this file")
    expect(choice.locator("option:checked")).to_have_text("Detect automatically")
    owner.sees(re.compile("“1.000” can mean 1000 or 1"))

    choice.select_option(label="1.234,56")
    expect(owner.button("Bring 1 product in")).to_be_visible()
    expect(choice).to_be_focused()
    inspector = Inspector(owner)
    inspector.look("an import whose numbers were chosen")
    owner.button("Bring 1 product in").click()
    expect(owner.page.get_by_text("1 product imported.")).to_be_visible(timeout=20_000)

    owner.sees(re.compile("Numbers in this file: 1.234,56"))
    assert owner.api(f"/products/{handle}")["price_minor"] == 100_000
    assert not inspector.found, inspector.found


def test_a_detected_number_format_is_named(owner: Shopper) -> None:
    owner.visit("/admin/imports")
    upload(owner, "german", "handle;title;price;stock\nsaddle-de;Saddle;1.249,00;2.500\n")
    choice = owner.field("Numbers in this file")
    expect(choice.locator("option:checked")).to_have_text("1.234,56 (detected)")
    expect(owner.button("Bring 1 product in")).to_be_visible()

    choice.select_option(label="1,234.56")
    expect(owner.main.get_by_role("row", name=re.compile("2.*price.*is not written as numbers in this file are"))).to_be_visible()
    owner.resize(320)
    assert owner.page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.fixture
def unsent(owner: Shopper) -> Iterator[Shopper]:
    """An owner whose forms are not supposed to send anything."""
    sent: list[str] = []
    owner.page.on("request", lambda request: sent.append(request.url) if request.method in ("POST", "PUT", "PATCH") else None)
    yield owner
    assert sent == []


def error_beside(field: Locator, sentence: str) -> None:
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile(re.escape(sentence)))


def test_the_product_editor_refuses_ambiguous_numbers_beside_their_fields(unsent: Shopper) -> None:
    unsent.visit("/admin/products/new")
    unsent.field("Title").first.fill("Chain")
    for label, text in (("Price", "1.000"), ("Price before", "1.000"), ("Stock", "1.000"), ("Weight in g", "1.000")):
        unsent.field(label).first.fill(text)
    unsent.button("Save").click()

    for label in ("Price", "Price before", "Stock", "Weight in g"):
        error_beside(unsent.field(label).first, AMBIGUOUS)


def test_settings_refuse_ambiguous_numbers_beside_their_fields(unsent: Shopper) -> None:
    unsent.visit("/admin/settings")
    delivery = unsent.main.get_by_role("region", name="Delivery", exact=True)
    way = delivery.get_by_role("group", name="way 1")
    for label, text in (("Price, EUR", "1.000"), ("Up to, g", "1.000"), ("Lower prices by weight", "500 = 2,90; 1.000 = 3")):
        way.get_by_label(label).fill(text)
    delivery.get_by_role("button", name="Save").click()

    for label in ("Price, EUR", "Up to, g", "Lower prices by weight"):
        error_beside(way.get_by_label(label), AMBIGUOUS)


def test_gift_cards_and_coupons_refuse_ambiguous_amounts(unsent: Shopper) -> None:
    unsent.visit("/admin/gift-cards")
    unsent.button("Give a gift card").click()
    asked = unsent.dialog("Give a gift card")
    asked.get_by_label("Amount in EUR").fill("1.000")
    asked.get_by_label("Their e-mail").fill("bob@example.com")
    asked.get_by_role("button", name="Send the card").click()
    error_beside(asked.get_by_label("Amount in EUR"), AMBIGUOUS)

    unsent.visit("/admin/coupons")
    unsent.page.locator("[data-add]").click()
    asked = unsent.dialog("New coupon")
    asked.get_by_label("Name").fill("Much off")
    asked.get_by_label("Takes off").select_option("fixed")
    asked.get_by_label("How much").fill("1.000")
    asked.get_by_label("From a value of goods of").fill("1.000")
    asked.get_by_role("button", name="Add it").click()
    error_beside(asked.get_by_label("How much"), AMBIGUOUS)
    error_beside(asked.get_by_label("From a value of goods of"), AMBIGUOUS)


def test_stock_is_not_adjusted_by_an_ambiguous_number(unsent: Shopper) -> None:
    unsent.visit("/admin/inventory")
    unsent.main.get_by_role("button", name=re.compile("^Adjust")).first.click()
    unsent.field("How many more or fewer").fill("+1.000")
    unsent.button("Save").click()

    expect(unsent.main.get_by_role("alert").filter(has_text="can mean 1000 or 1")).to_be_visible()


def test_amounts_are_taken_in_any_notation_that_is_clear(owner: Shopper) -> None:
    title = f"Saddle {secrets.token_hex(3)}"
    owner.visit("/admin/products/new")
    owner.field("Title").first.fill(title)
    owner.field("Price").first.fill("1.249,00")
    owner.field("Price before").first.fill("1,349.50")
    owner.field("Stock").first.fill("1 250")
    owner.button("Save").click()
    owner.page.wait_for_url(re.compile(r"/admin/products/\d+$"))

    product: dict[str, Any] = owner.api(f"/admin/products/{owner.path.rpartition('/')[2]}")
    [variant] = product["variants"]
    assert (variant["price_minor"], variant["compare_at_minor"], variant["stock"]) == (124_900, 134_950, 1250)


def test_the_price_filter_of_the_shop_guesses_nothing(shopper: Shopper, shop: Shop) -> None:
    shopper.visit("/?q=mug")
    low = shopper.main.locator("#price-min")
    low.fill("1.000")
    low.press("Enter")
    assert low.evaluate("field => field.validationMessage") == AMBIGUOUS
    assert "price_min" not in shopper.path

    low.fill("1,50")
    low.press("Enter")
    shopper.page.wait_for_url("**price_min=150**")
