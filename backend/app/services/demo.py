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
from . import catalogue, discovery, settings
from .catalogue import NewProduct, NewVariant

FOLDER = ROOT / "database" / "demo"
Record = dict[str, str]


def load(uploads: Path, say: Callable[[str], None] = lambda line: None) -> int:
    """Fill an empty shop with the demo catalogue, in one transaction; gives the number of products. Pictures are copied to `uploads`."""
    categories = _read("categories.csv")
    products = [list(rows) for _, rows in groupby(_read("catalogue.csv"), key=lambda row: row["Handle"])]
    say(f"Adding the demo catalogue: {len(products)} products in {len(categories)} categories")
    pictures = {name: _copy(name, uploads) for name in _pictures(categories, products)}
    return db.transaction(_load, categories, products, pictures)


def remove(tx: Tx) -> int:
    """Put the demo products away and drop the demo's empty categories; gives the number of products."""
    discovery.mark_demo(tx)
    archived: int = q.catalogue.archive_demo(tx)
    q.catalogue.detach_demo_categories(tx)
    q.catalogue.delete_demo_categories(tx)
    return archived


def _load(tx: Tx, categories: list[Record], products: list[list[Record]], pictures: dict[str, str]) -> int:
    currency = settings.shop(tx)["currency"]
    ids = {
        row["name"]: catalogue.add_category(
            tx,
            name=row["name"],
            slug=row["slug"],
            description=row["description"],
            image_path=pictures.get(row["image"]),
            position=int(row["position"]),
            demo=True,
        )
        for row in categories
    }
    for rows in products:
        catalogue.add_product(tx, _product(rows, ids, pictures, currency))
    return len(products)


def _product(rows: list[Record], category_ids: dict[str, int], pictures: dict[str, str], currency: str) -> NewProduct:
    first = rows[0]
    images = {row["Image Src"]: row["Image Alt Text"] for row in rows if row["Image Src"]}
    for row in rows:
        if row["Variant Image"]:
            images.setdefault(row["Variant Image"], f"{first['Title']}, {row['Option1 Value']}")
    names = list(images)
    plain = first["Option1 Name"] == "Title"
    return NewProduct(
        title=first["Title"],
        slug=first["Handle"],
        description=first["Body (HTML)"],
        category_id=category_ids[first["Type"]],
        brand=first["Vendor"],
        tags=[tag.strip() for tag in first["Tags"].split(",") if tag.strip()],
        option_names=("", "", "") if plain else (first["Option1 Name"], first["Option2 Name"], first["Option3 Name"]),
        images=[(pictures[name], images[name], 800, 800) for name in names],
        variants=[_variant(row, plain, names, currency) for row in rows if row["Variant Price"]],
        seo_title=first["SEO Title"],
        seo_description=first["SEO Description"],
        demo=True,
    )


def _variant(row: Record, plain: bool, images: list[str], currency: str) -> NewVariant:
    return NewVariant(
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


def _pictures(categories: list[Record], products: list[list[Record]]) -> set[str]:
    named = {row["image"] for row in categories}
    for rows in products:
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
