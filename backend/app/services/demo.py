"""The demo shop: database/demo in Shopify's product format, copied into an empty shop and put away again when the owner says so."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from .. import db, money
from ..config import ROOT
from ..db import Tx, q
from . import categories, discovery, products, settings
from .products import ProductInput, VariantInput

FOLDER = ROOT / "database" / "demo"
Record = dict[str, str]


def load(uploads: Path, say: Callable[[str], None] = lambda line: None) -> int:
    """Fill an empty shop with the demo catalogue, in one transaction; gives the number of products. Pictures are copied to `uploads`."""
    shelves = _read("categories.csv")
    goods = [list(rows) for _, rows in groupby(_read("catalogue.csv"), key=lambda row: row["Handle"])]
    say(f"Adding the demo catalogue: {len(goods)} products in {len(shelves)} categories")
    pictures = {name: _copy(name, uploads) for name in _pictures(shelves, goods)}
    return db.transaction(_load, shelves, goods, pictures)


def remove(tx: Tx) -> int:
    """Put the demo products away and drop the demo's empty categories; gives the number of products."""
    discovery.mark_demo(tx)
    archived: int = q.products.archive_demo(tx)
    q.products.detach_demo_categories(tx)
    q.products.delete_demo_categories(tx)
    return archived


def _load(tx: Tx, shelves: list[Record], goods: list[list[Record]], pictures: dict[str, str]) -> int:
    currency = settings.shop(tx)["currency"]
    ids = {
        row["name"]: categories.add(
            tx,
            name=row["name"],
            slug=row["slug"],
            description=row["description"],
            image_path=pictures.get(row["image"]),
            position=int(row["position"]),
            demo=True,
        )
        for row in shelves
    }
    for rows in goods:
        products.add(tx, _product(rows, ids, pictures, currency), actor_id=None)
    return len(goods)


def _product(rows: list[Record], category_ids: dict[str, int], pictures: dict[str, str], currency: str) -> ProductInput:
    first = rows[0]
    images = {row["Image Src"]: row["Image Alt Text"] for row in rows if row["Image Src"]}
    for row in rows:
        if row["Variant Image"]:
            images.setdefault(row["Variant Image"], f"{first['Title']}, {row['Option1 Value']}")
    names = list(images)
    plain = first["Option1 Name"] == "Title"
    return ProductInput(
        title=first["Title"],
        slug=first["Handle"],
        description_html=first["Body (HTML)"],
        category_id=category_ids[first["Type"]],
        brand=first["Vendor"],
        tags=[tag.strip() for tag in first["Tags"].split(",") if tag.strip()],
        option_names=("", "", "") if plain else (first["Option1 Name"], first["Option2 Name"], first["Option3 Name"]),
        images=[(pictures[name], images[name], 800, 800) for name in names],
        variants=[_variant(row, plain, names, currency) for row in rows if row["Variant Price"]],
        seo_title=first["SEO Title"],
        seo_description=first["SEO Description"],
        demo=True,
        gift_card=first["Gift Card"] == "true",
    )


def _variant(row: Record, plain: bool, images: list[str], currency: str) -> VariantInput:
    return VariantInput(
        price_minor=money.parse(row["Variant Price"], currency),
        compare_at_minor=money.parse(row["Variant Compare At Price"], currency) if row["Variant Compare At Price"] else None,
        stock=int(row["Variant Inventory Qty"] or 0),
        tracked=row["Variant Inventory Tracker"] != "",
        options=("", "", "") if plain else (row["Option1 Value"], row["Option2 Value"], row["Option3 Value"]),
        sku=row["Variant SKU"] or None,
        weight_g=int(row["Variant Grams"] or 0),
        barcode=row["Variant Barcode"],
        image=images.index(row["Variant Image"]) if row["Variant Image"] else None,
    )


def _read(name: str) -> list[Record]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _pictures(shelves: list[Record], goods: list[list[Record]]) -> set[str]:
    named = {row["image"] for row in shelves}
    for rows in goods:
        named |= {row[column] for row in rows for column in ("Image Src", "Variant Image")}
    return named - {""}


def _copy(name: str, uploads: Path) -> str:
    """Copy a picture under a name that tells its content, so that it may be cached for ever; gives its path under uploads."""
    content = (FOLDER / "pictures" / name).read_bytes()
    stem = re.sub(r"[^a-z0-9-]", "-", Path(name).stem.lower())
    path = f"demo/{stem}-{hashlib.sha256(content).hexdigest()[:8]}.svg"
    target = uploads / path
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        part.write_bytes(content)
        part.rename(target)
    return path
