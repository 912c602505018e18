"""The demo shop: database/demo in Shopify's product format, copied into an empty shop and put away again when the owner says so."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from .. import db
from ..config import ROOT
from ..db import Tx, q
from . import categories, discovery, import_batches, product_csv, products, settings
from .product_csv import Sheet
from .product_diff import Change, compare
from .product_input import ProductInput

FOLDER = ROOT / "database" / "demo"
Record = dict[str, str]


def load(uploads: Path, say: Callable[[str], None] = lambda line: None) -> int:
    """Fill an empty shop with the demo catalogue, in one transaction; gives the number of products. Pictures are copied to `uploads`."""
    shelves = _read("categories.csv")
    sheet = product_csv.read((FOLDER / "catalogue.csv").read_bytes(), settings.currency())
    say(f"Adding the demo catalogue: {len(sheet.goods)} products in {len(shelves)} categories")
    named = {row["image"] for row in shelves} | {picture.src for good in sheet.goods.values() for picture in good.pictures}
    return db.transaction(_load, shelves, sheet, {name: _copy(name, uploads) for name in named})


def remove(tx: Tx) -> int:
    """Put the demo products away and drop the demo's empty categories; gives the number of products."""
    discovery.mark_demo(tx)
    archived: int = q.products.archive_demo(tx)
    q.products.detach_demo_categories(tx)
    q.products.delete_demo_categories(tx)
    return archived


def _load(tx: Tx, shelves: list[Record], sheet: Sheet, pictures: dict[str, str]) -> int:
    currency = settings.shop(tx)["currency"]
    for row in shelves:
        picture, position = pictures[row["image"]], int(row["position"])
        categories.add(tx, name=row["name"], slug=row["slug"], description=row["description"], image_path=picture, position=position, demo=True)
    plan = compare(tx, sheet, currency)
    for change in plan.changes:
        products.add(tx, _product(change, import_batches.as_input(change, plan.tree.ids, currency), pictures), actor_id=None)
    return len(plan.changes)


def _product(change: Change, product: ProductInput, pictures: dict[str, str]) -> ProductInput:
    """Drawings are copied as they are, which an import does with nobody's."""
    places = {picture.name: place for place, picture in enumerate(change.good.pictures)}
    for line, variant in zip(change.lines, product.variants, strict=True):
        variant.image = places.get(line.picture)
    product.images = [(pictures[picture.src], picture.alt, 800, 800) for picture in change.good.pictures]
    product.demo = True
    return product


def _read(name: str) -> list[Record]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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
