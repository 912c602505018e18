"""Finding things: suggestions while one types, filters with counts, and what search engines read of each product."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, expect
from shopper import Shopper, euros
from test_accessibility import Inspector


def box(shopper: Shopper) -> Locator:
    return shopper.page.get_by_role("banner").get_by_role("combobox", name="Search the shop")


def options(shopper: Shopper) -> Locator:
    return shopper.page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def type_words(shopper: Shopper, words: str) -> None:
    """Until the shop has answered all of them: what is suggested for the first letters may come and go before."""
    with shopper.page.expect_response(lambda answer: parse_qs(urlsplit(answer.url).query).get("q") == [words]):
        box(shopper).click()
        shopper.page.keyboard.type(words)
    expect(options(shopper).first).to_be_visible()


def test_the_search_box_suggests_products_while_one_types_and_leads_there(shopper: Shopper) -> None:
    thing = shopper.something()
    shopper.visit("/cart")
    type_words(shopper, thing["title"][:-1].strip())

    suggested = options(shopper).filter(has_text=thing["title"])
    expect(suggested.first).to_be_visible()
    expect(suggested.filter(has_text=euros(thing["price_minor"])).first).to_be_visible()
    suggested.filter(has_text=euros(thing["price_minor"])).first.click()

    expect(shopper.page.get_by_role("heading", level=1, name=thing["title"])).to_be_visible()


def test_suggestions_are_walked_with_the_keyboard_and_put_away_with_escape(shopper: Shopper) -> None:
    thing = shopper.something()
    shopper.visit("/cart")
    type_words(shopper, thing["title"])
    shopper.page.keyboard.press("ArrowUp")
    expect(options(shopper).last).to_have_attribute("aria-selected", "true")
    shopper.page.keyboard.press("ArrowDown")
    expect(options(shopper).and_(shopper.page.locator("[aria-selected=true]"))).to_have_count(0)
    shopper.page.keyboard.press("Escape")
    expect(options(shopper).first).to_be_hidden()
    expect(box(shopper)).to_have_value(thing["title"])

    shopper.page.keyboard.press("Enter")

    expect(shopper.result(thing["title"])).to_be_visible()


def test_a_mistyped_word_still_finds(shopper: Shopper) -> None:
    thing = shopper.something()
    word = max(thing["title"].split(), key=len)
    mistyped = word[:2] + word[3:]
    shopper.visit("/")
    shopper.search(mistyped)
    expect(shopper.result(thing["title"])).to_be_visible()


def test_a_brand_narrows_the_list_says_how_much_is_left_and_comes_off_again(shopper: Shopper) -> None:
    brand = shopper.api("/products")["facets"]["brands"][0]
    shopper.visit("/?sort=name")
    link = shopper.main.get_by_role("link", name=re.compile(rf"^{re.escape(brand['name'])} {brand['count']}$"))
    link.click()

    shopper.sees(re.compile(rf"^{brand['count']} products?$"))
    expect(link).to_have_attribute("aria-current", "true")
    shopper.reload()
    shopper.sees(re.compile(rf"^{brand['count']} products?$"))
    assert {product["brand"] for product in shopper.all_products(brand=brand["name"])} == {brand["name"]}
    shopper.main.get_by_role("link", name=f"{brand['name']} , remove").click()
    shopper.sees(f"{shopper.api('/products')['total']} products")


def test_a_step_of_prices_narrows_the_list_to_what_costs_that(shopper: Shopper) -> None:
    step = next(one for one in shopper.api("/products")["facets"]["prices"] if one["count"] and one["max_minor"])
    shopper.visit("/?sort=price_asc")
    shopper.main.get_by_role("group", name="Price").get_by_role("link", name=re.compile(f"{euros(step['max_minor'])}")).first.click()
    shopper.sees(re.compile(rf"^{step['count']} products?$"))


def test_on_a_phone_the_filters_open_below_their_button(shopper: Shopper) -> None:
    shopper.resize(390)
    shopper.visit("/?sort=name")
    only = shopper.field("Only what is in stock")
    expect(only).to_be_hidden()
    shopper.main.get_by_text("Filter", exact=True).click()
    only.check()
    shopper.page.wait_for_url("**in_stock=true**")
    shopper.sees(f"{shopper.api('/products', in_stock='true')['total']} products")


def test_searching_and_filtering_is_accessible(shopper: Shopper) -> None:
    inspector = Inspector(shopper)
    shopper.visit("/?sort=name")
    inspector.look("list with filters")
    type_words(shopper, max(shopper.something()["title"].split(), key=len)[:4])
    inspector.look("suggestions", widths=(1280,))
    assert not inspector.found, "\n".join(inspector.found)


def structured(html: str) -> dict[str, Any]:
    (block,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, flags=re.DOTALL)
    return {thing["@type"]: thing for thing in json.loads(block)["@graph"]}


def test_every_product_tells_search_engines_its_name_picture_price_and_whether_it_is_there(shopper: Shopper) -> None:
    products = shopper.all_products()
    assert products
    for product in products:
        told = structured(shopper.context.request.get(f"/products/{product['slug']}").text())["Product"]
        offer = told["offers"]
        assert (told["name"], offer["priceCurrency"], offer["price"]) == (product["title"], "EUR", f"{product['price_minor'] / 100:.2f}")
        assert offer["availability"] == f"https://schema.org/{'InStock' if product['in_stock'] else 'OutOfStock'}"
        assert told["image"]
        assert shopper.context.request.head(told["image"][0]).ok
