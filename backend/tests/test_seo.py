"""What search engines and link previews find in the first HTML."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import factories
import pytest
from conftest import ShopClient
from factories import Thing
from flask import Flask
from test_accounts import change
from test_pages import EVIL, Elements

from app.routes import pages

SITE = "http://127.0.0.1:5099"
NAMES = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}


def told(client: ShopClient, address: str) -> dict[str, dict[str, Any]]:
    """The things of the page's structured data by their type."""
    (block,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', client.get(address).text, flags=re.DOTALL)
    data = json.loads(block)
    assert data["@context"] == "https://schema.org"
    return {thing["@type"]: thing for thing in data["@graph"]}


def addresses(client: ShopClient, path: str) -> list[str]:
    answer = client.get(path)
    assert answer.content_type.startswith("application/xml")
    return [found.text or "" for found in ElementTree.fromstring(answer.text).iterfind(".//s:loc", NAMES)]


def test_a_product_tells_its_name_picture_and_offer(client: ShopClient) -> None:
    kitchen = factories.category("Kitchen")
    thing = factories.product(
        "Stoneware mug",
        description="<p>Holds <b>0.4&nbsp;l.</b></p>",
        brand="Talvik",
        category_id=kitchen,
        images=[("demo/mug.svg", "A mug", 800, 800)],
        variants=[{"price_minor": 2450, "stock": 3, "sku": "MUG-1"}],
    )
    found = told(client, f"/products/{thing.slug}")
    product = found["Product"]
    assert (product["name"], product["description"], product["sku"]) == ("Stoneware mug", "Holds 0.4 l.", "MUG-1")
    assert (product["brand"]["name"], product["image"]) == ("Talvik", [f"{SITE}/media/demo/mug.svg"])
    offer = {"@type": "Offer", "price": "24.50", "priceCurrency": "EUR", "availability": "https://schema.org/InStock"}
    assert offer.items() <= product["offers"].items()
    assert "aggregateRating" not in product
    assert [step["name"] for step in found["BreadcrumbList"]["itemListElement"]] == ["Home", "Kitchen", "Stoneware mug"]


def test_a_product_of_several_variants_tells_the_offer_of_each(client: ShopClient) -> None:
    variants = [{"options": (size, "", ""), "price_minor": price, "stock": stock} for size, price, stock in (("S", 1000, 0), ("L", 1550, 2))]
    thing = factories.product("Jumper", option_names=("Size", "", ""), variants=variants)
    offers = told(client, f"/products/{thing.slug}")["Product"]["offers"]
    assert (offers["lowPrice"], offers["highPrice"], offers["offerCount"], offers["availability"]) == ("10.00", "15.50", 2, "https://schema.org/InStock")
    each = [(one["name"], one["price"], one["availability"].rpartition("/")[2]) for one in offers["offers"]]
    assert each == [("S", "10.00", "OutOfStock"), ("L", "15.50", "InStock")]


def test_what_is_sold_out_is_told_so(client: ShopClient) -> None:
    thing = factories.product("Lamp", variants=[{"price_minor": 100, "stock": 0}])
    assert told(client, f"/products/{thing.slug}")["Product"]["offers"]["availability"] == "https://schema.org/OutOfStock"


def test_ratings_are_told_once_there_are_some(client: ShopClient) -> None:
    thing = factories.product("Lamp")
    change("UPDATE products SET rating_sum = 9, rating_count = 2 WHERE id = %s", thing.id)
    try:
        assert told(client, f"/products/{thing.slug}")["Product"]["aggregateRating"].items() >= {"ratingValue": 4.5, "reviewCount": 2}.items()
    finally:
        change("UPDATE products SET rating_sum = 0, rating_count = 0 WHERE id = %s", thing.id)


def test_the_home_page_tells_the_shop_and_a_category_its_way(client: ShopClient, mug: Thing) -> None:
    factories.category("Kitchen")
    home = told(client, "/")
    assert (home["Organization"]["name"], home["WebSite"]["potentialAction"]["target"]["urlTemplate"]) == ("FlaskCart", f"{SITE}/?q={{words}}")
    assert [step["item"] for step in told(client, "/?category=kitchen")["BreadcrumbList"]["itemListElement"]] == [f"{SITE}/", f"{SITE}/?category=kitchen"]


def test_a_preview_names_the_picture_with_its_size(client: ShopClient) -> None:
    thing = factories.product("Mug", images=[("demo/mug.webp", "A blue mug", 800, 600)])
    metas = {one["property"]: one["content"] for one in Elements(client.get(f"/products/{thing.slug}").text).named("meta") if "property" in one}
    assert metas.items() >= {"og:image:width": "800", "og:image:height": "600", "og:image:alt": "A blue mug", "og:url": f"{SITE}/products/{thing.slug}"}.items()


def test_a_hostile_title_ends_no_block_of_structured_data(client: ShopClient) -> None:
    factories.product(EVIL, slug="evil", description=EVIL, brand=EVIL)
    assert told(client, "/products/evil")["Product"]["name"] == EVIL


# ---------------------------------------------------------------- sitemaps


def test_the_sitemap_names_what_is_listed_and_nothing_else(client: ShopClient, mug: Thing) -> None:
    factories.category("Kitchen")
    hidden = factories.product("Secret", published=False)
    index = addresses(client, "/sitemap.xml")
    assert f"Sitemap: {SITE}/sitemap.xml" in client.get("/robots.txt").text.splitlines()
    named = [address for page in index for address in addresses(client, page.removeprefix(SITE))]
    assert {f"{SITE}/", f"{SITE}/?category=kitchen", f"{SITE}/products/{mug.slug}"} <= set(named)
    assert f"{SITE}/products/{hidden.slug}" not in named
    assert len(named) == len(set(named))
    for address in named:
        assert client.get(address.removeprefix(SITE)).status_code == 200


def test_a_sitemap_of_many_products_has_pages_that_miss_none(client: ShopClient, shop: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    things = [factories.product(f"Thing {number}") for number in range(5)]
    monkeypatch.setattr(pages.sitemap, "PAGE", 2)
    index = addresses(client, "/sitemap.xml")
    for thing in things:
        page = index[1 + (thing.id - 1) // 2]
        assert addresses(client, page.removeprefix(SITE)).count(f"{SITE}/products/{thing.slug}") == 1
    assert client.get(f"/sitemap-{len(index)}.xml").status_code == 404
