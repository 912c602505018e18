"""What search engines and link previews read of a page: head lines, structured data (schema.org, as Google's product pages want it), sitemaps.

Pure: texts and rows in, markup out. `site` is the shop's own address (SHOP_URL).
"""

from __future__ import annotations

import html
import re
from datetime import datetime
from typing import Any

import orjson

from . import money
from .services.catalogue import CategoryName, Image, ProductDetail, Variant

SCHEMA = "https://schema.org"
HIDDEN = '<meta name="robots" content="noindex">\n'


def canonical(site: str, path: str) -> str:
    return f'<link rel="canonical" href="{html.escape(site + path)}">\n'


def preview(site: str, shop: str, *, kind: str, title: str, description: str, path: str, image: Image | None) -> str:
    """Open Graph (ogp.me)."""
    fields = {"og:site_name": shop, "og:type": kind, "og:title": title, "og:description": description, "og:url": site + path}
    if image:
        fields |= {"og:image": site + image["src"], "og:image:alt": image["alt"] or title}
        fields |= {"og:image:width": str(image["width"]), "og:image:height": str(image["height"])}
    return "".join(f'<meta property="{name}" content="{html.escape(value)}">\n' for name, value in fields.items())


def summary(description: str) -> str:
    """The first words of an HTML description, as plain text."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", description))).strip()[:160].strip()


def structured(*things: dict[str, Any]) -> str:
    """JSON-LD in a block in which no markup can begin."""
    graph = {"@context": SCHEMA, "@graph": list(things)}
    return f'<script type="application/ld+json">{orjson.dumps(graph).decode().replace("<", chr(92) + "u003c")}</script>\n'


def organisation(site: str, name: str) -> dict[str, Any]:
    return {"@type": "Organization", "@id": f"{site}/#shop", "name": name, "url": f"{site}/", "logo": f"{site}/favicon.ico"}


def website(site: str, name: str) -> dict[str, Any]:
    find = {"@type": "SearchAction", "target": {"@type": "EntryPoint", "urlTemplate": f"{site}/?q={{words}}"}, "query-input": "required name=words"}
    return {"@type": "WebSite", "name": name, "url": f"{site}/", "publisher": {"@id": f"{site}/#shop"}, "potentialAction": find}


def breadcrumbs(site: str, category: CategoryName | None, title: str = "", path: str = "") -> dict[str, Any]:
    """The way from the home page over the category to the page itself, if it is another one."""
    steps = [("Home", "/")] + ([(category["name"], f"/?category={category['slug']}")] if category else []) + ([(title, path)] if title else [])
    items = [{"@type": "ListItem", "position": number, "name": name, "item": site + path} for number, (name, path) in enumerate(steps, 1)]
    return {"@type": "BreadcrumbList", "itemListElement": items}


def product(site: str, found: ProductDetail) -> dict[str, Any]:
    """A product with its offer, or with an offer for each variant where they differ."""
    path = f"{site}/products/{found['slug']}"
    told: dict[str, Any] = {
        "@type": "Product",
        "@id": f"{path}#product",
        "name": found["title"],
        "description": summary(found["description"]) or found["title"],
        "image": [site + image["src"] for image in found["images"]],
        "url": path,
        "offers": _offers(path, found),
    }
    skus = [variant["sku"] for variant in found["variants"] if variant["sku"]]
    if skus:
        told["sku"] = skus[0]
    if found["brand"]:
        told["brand"] = {"@type": "Brand", "name": found["brand"]}
    if found["category"]:
        told["category"] = found["category"]["name"]
    if found["rating"] is not None:
        told["aggregateRating"] = {"@type": "AggregateRating", "ratingValue": found["rating"], "reviewCount": found["rating_count"]}
    return told


def _offers(path: str, found: ProductDetail) -> dict[str, Any]:
    variants, currency = found["variants"], found["currency"]
    common = {"priceCurrency": currency, "availability": _availability(found["in_stock"]), "url": path}
    lowest = money.decimal(found["price_minor"], currency)
    if len(variants) == 1:
        return {"@type": "Offer", "price": lowest, "itemCondition": f"{SCHEMA}/NewCondition", **common}
    highest = money.decimal(found["price_max_minor"], currency)
    each = [_offer(path, currency, variant) for variant in variants]
    return {"@type": "AggregateOffer", "price": lowest, "lowPrice": lowest, "highPrice": highest, "offerCount": len(variants), "offers": each, **common}


def _offer(path: str, currency: str, variant: Variant) -> dict[str, Any]:
    return {
        "@type": "Offer",
        "name": " / ".join(variant["options"].values()),
        "price": money.decimal(variant["price_minor"], currency),
        "priceCurrency": currency,
        "availability": _availability(not variant["tracked"] or variant["stock"] > 0),
        "itemCondition": f"{SCHEMA}/NewCondition",
        "url": f"{path}?variant={variant['id']}",
        **({"sku": variant["sku"]} if variant["sku"] else {}),
    }


def _availability(there: bool) -> str:
    return f"{SCHEMA}/{'InStock' if there else 'OutOfStock'}"


# ---------------------------------------------------------------- sitemaps (sitemaps.org)

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
SITEMAPS = "http://www.sitemaps.org/schemas/sitemap/0.9"


def sitemap_index(site: str, pages: int) -> str:
    lines = "".join(f"<sitemap><loc>{html.escape(site)}/sitemap-{number}.xml</loc></sitemap>\n" for number in range(pages))
    return f'{XML}<sitemapindex xmlns="{SITEMAPS}">\n{lines}</sitemapindex>\n'


def sitemap(site: str, entries: list[tuple[str, datetime | None]]) -> str:
    lines = "".join(f"<url><loc>{html.escape(site + path)}</loc>{_changed(at)}</url>\n" for path, at in entries)
    return f'{XML}<urlset xmlns="{SITEMAPS}">\n{lines}</urlset>\n'


def _changed(at: datetime | None) -> str:
    return f"<lastmod>{at:%Y-%m-%dT%H:%M:%SZ}</lastmod>" if at else ""
