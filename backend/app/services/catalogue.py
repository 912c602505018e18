"""What is sold: products with their variants, pictures and categories, and the lists of them."""

from __future__ import annotations

import base64
import binascii
import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NotRequired

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import DRIVER_ERRORS, Row, Tx, q
from ..errors import Invalid, NotFound, ShopError
from . import discovery, settings
from .discovery import Found
from .search_index import line_of

SORTS = ("newest", "price_asc", "price_desc", "name", "rating", "best_selling")
# What each order of the database goes by; orders that only the index has are newest first while there is none.
SORT_FIELDS = {"newest": "created_at", "price_asc": "price_minor", "price_desc": "price_minor", "name": "title"}
MOST_COUNTED = 10_000  # as far as is counted while there is no index
LOOK_EVERY = 0.05  # seconds after which the version of the catalogue is looked for anew
BELIEVED = 0.1  # seconds for which it is believed at most
NO_FILTERS = {
    "any_category": True, "category_ids": [], "brand": None, "price_min": None, "price_max": None, "rating_min": None, "prefix": None, "in_stock": False,
}  # fmt: skip
BAD_CURSOR = "This is no `next` of a list with this sort order."


class Image(TypedDict):
    src: str
    alt: str
    width: int
    height: int
    srcset: NotRequired[str]


class CategoryName(TypedDict):
    id: int
    slug: str
    name: str


class Product(TypedDict):
    id: int
    slug: str
    title: str
    description: str
    category: CategoryName | None
    brand: str
    tags: list[str]
    price_minor: int
    price_max_minor: int
    compare_at_minor: int | None
    in_stock: bool
    stock: int
    variant_count: int
    rating: float | None
    rating_count: int
    image: Image | None
    version: int


class Option(TypedDict):
    name: str
    values: list[str]


class Variant(TypedDict):
    id: int
    sku: str | None
    options: dict[str, str]
    price_minor: int
    compare_at_minor: int | None
    stock: int
    tracked: bool
    weight_g: int
    barcode: str
    image: Image | None


class ProductDetail(Product):
    gift_card: bool
    currency: str
    images: list[Image]
    options: list[Option]
    variants: list[Variant]


class CategoryCount(TypedDict):
    slug: str
    name: str
    count: int


class BrandCount(TypedDict):
    name: str
    count: int


class PriceCount(TypedDict):
    min_minor: int
    max_minor: int | None
    count: int


class RatingCount(TypedDict):
    min: int
    count: int


class Facets(TypedDict):
    """How many there would be with each value of a filter instead of the chosen one. A category counts for those above it too."""

    categories: list[CategoryCount]
    brands: list[BrandCount]
    prices: list[PriceCount]
    ratings: list[RatingCount]
    in_stock: int


class ProductList(TypedDict):
    """`approximate`: there are so many that total and facets are reckoned from a sample."""

    items: list[Product]
    next: str | None
    total: int
    approximate: bool
    currency: str
    facets: Facets


class Category(TypedDict):
    id: int
    slug: str
    name: str
    description: str
    parent_id: int | None
    product_count: int
    image: Image | None


class CategoryList(TypedDict):
    items: list[Category]


@dataclass(frozen=True)
class Wish:
    """What a shopper asks of a list. Prices are minor units; `after` is the `next` of the page before."""

    q: str = ""
    category: str = ""
    brand: str = ""
    price_min: int | None = None
    price_max: int | None = None
    in_stock: bool = False
    rating_min: int | None = None
    sort: str = ""
    limit: int = 24
    after: str = ""


# ---------------------------------------------------------------- lists


def list_products(wish: Wish, currency: str) -> ProductList:
    """One page of the catalogue in one or two statements, however long it is. Raises NotFound for an unknown category, Invalid for a bad cursor."""
    searching = bool(wish.q.strip())
    sort = "newest" if not searching and wish.sort in ("", "relevance") else wish.sort or "relevance"
    source, position = _read_cursor(wish.after, sort)
    frame = _frame()
    chosen = next((row["id"] for row in frame.categories if row["slug"] == wish.category), None)
    if wish.category and chosen is None:
        raise NotFound("There is no such category.")
    found = None
    if source != "database" and discovery.searchable(wish.q):
        question = discovery.Question(wish.q, chosen, wish.brand, wish.price_min, wish.price_max, wish.in_stock, wish.rating_min)
        found = discovery.find(question, sort, wish.limit, position)
    if found is None and source == "index":
        raise Invalid(after="This list has to be begun anew.")
    with db.reading() as tx:
        return _from_database(tx, wish, sort, position, frame, chosen, currency) if found is None else _from_index(tx, sort, found, frame, currency)


def _from_index(tx: Tx, sort: str, found: Found, frame: Frame, currency: str) -> ProductList:
    counts = found.counts
    return {
        "items": list_by_ids(tx, found.ids),
        "next": _cursor(["index", sort, *found.following]) if found.following else None,
        "total": counts.total,
        "approximate": counts.approximate,
        "currency": currency,
        "facets": {
            "categories": _category_counts(frame, counts.categories),
            "brands": [{"name": name, "count": count} for name, count in counts.brands],
            "prices": [{"min_minor": low, "max_minor": high, "count": count} for low, high, count in counts.prices],
            "ratings": [{"min": least, "count": count} for least, count in counts.ratings],
            "in_stock": counts.in_stock,
        },
    }


def list_by_ids(tx: Tx, ids: list[int]) -> list[Product]:
    """Products as cards show them, in this order; what is not listed any more is left out."""
    rows = {row["id"]: _product(row) for row in q.catalogue.list_cards(tx, ids=ids)} if ids else {}
    return [rows[one] for one in ids if one in rows]


def _from_database(tx: Tx, wish: Wish, sort: str, position: list[Any] | None, frame: Frame, chosen: int | None, currency: str) -> ProductList:
    """The same while there is no index, with less: words are looked for at the beginning of titles only, and counted so far and no further."""
    order = sort if sort in SORT_FIELDS else "newest"
    filters = {
        "any_category": chosen is None,
        "category_ids": [one for one, line in frame.lines.items() if chosen in line],
        "brand": wish.brand or None,
        "price_min": wish.price_min,
        "price_max": wish.price_max,
        "rating_min": wish.rating_min,
        "prefix": beginning(wish.q) if wish.q.strip() else None,
        "in_stock": wish.in_stock,
    }
    value, last_id = position or (None, None)
    rows = q.catalogue.list_products[order](tx, **filters, after=value, after_id=last_id, limit=wish.limit + 1)
    last = rows[wish.limit - 1] if len(rows) > wish.limit else None
    total = q.catalogue.count_products(tx, **filters, limit=MOST_COUNTED)
    counts = _count_by_category(tx, **filters | {"any_category": True, "category_ids": []})
    return {
        "items": [_product(row) for row in rows[: wish.limit]],
        "next": _cursor(["database", sort, last[SORT_FIELDS[order]], last["id"]]) if last else None,
        "total": total,
        "approximate": total >= MOST_COUNTED,
        "currency": currency,
        "facets": {"categories": _category_counts(frame, counts), "brands": [], "prices": [], "ratings": [], "in_stock": 0},
    }


def _count_by_category(tx: Tx, **filters: Any) -> dict[int, int]:
    return {row["category_id"]: row["count"] for row in q.catalogue.count_by_category(tx, **filters, limit=MOST_COUNTED)}


def beginning(text: str) -> str:
    """The pattern of what begins with this text."""
    return re.sub(r"([\\%_])", r"\\\1", text.strip()) + "%"


def _category_counts(frame: Frame, own: dict[int, int]) -> list[CategoryCount]:
    counts = _with_those_below(frame, own)
    return [{"slug": row["slug"], "name": row["name"], "count": counts[row["id"]]} for row in frame.categories if row["id"] in counts]


def _with_those_below(frame: Frame, own: dict[int, int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for category_id, count in own.items():
        for one in frame.lines.get(category_id, ()):
            counts[one] = counts.get(one, 0) + count
    return counts


def _cursor(position: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


Source = Literal["", "index", "database"]


def _whole(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**64:
        raise ValueError(value)
    return value


def _said(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _readers(source: str, sort: str) -> tuple[Callable[[Any], Any], ...]:
    """How to read what a cursor holds: of the index an order's key, of the database a row's value and id."""
    if source == "index":
        return (_whole,) * {"relevance": 2, "name": 5}.get(sort, 1)
    return ({"price_minor": _whole, "title": _said}.get(SORT_FIELDS.get(sort, ""), datetime.fromisoformat), _whole)


def _read_cursor(text: str, sort: str) -> tuple[Source, list[Any] | None]:
    """Where the page before came from, and where it ended. A list that began without an index goes on without it."""
    if not text:
        return "", None
    try:
        source, of, *position = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if of == sort and source in ("index", "database"):
            return source, [read(value) for read, value in zip(_readers(source, of), position, strict=True)]
    except (binascii.Error, ValueError, TypeError, KeyError):
        raise Invalid(after=BAD_CURSOR) from None
    raise Invalid(after=BAD_CURSOR)


# ---------------------------------------------------------------- one product, categories


def version() -> tuple[Any, ...]:
    """Another one as soon as anything is committed that lists and products show: goods, prices, stock, categories, settings, and what the index finds."""
    with db.reading() as tx:
        return (*q.catalogue.get_version(tx).values(), discovery.generation())


_seen: tuple[float, Any] = (-math.inf, None)
_looking = threading.Lock()


def known_version() -> Any:
    """The version as this process saw it a moment ago; None while it is not known, as when the database is away."""
    global _seen
    looked_at, known = _seen
    age = time.monotonic() - looked_at
    if age < LOOK_EVERY:
        return known
    # One looks. The others go on with what was seen before, and wait when that is too old: to do without would cost them more.
    if not _looking.acquire(timeout=0 if age < BELIEVED else BELIEVED):
        return known if age < BELIEVED else None
    try:
        if _seen[0] == looked_at:
            now = time.monotonic()
            _seen = (now, version())
        return _seen[1]
    except (ShopError, *DRIVER_ERRORS):
        return None
    finally:
        _looking.release()


def recent_version() -> tuple[Any, bool]:
    """Return the version last seen, or None if it may be out of date, and whether to look again.

    Unlike known_version() this never asks the database.
    """
    looked_at, known = _seen
    age = time.monotonic() - looked_at
    return known if age < BELIEVED else None, age >= LOOK_EVERY


@dataclass(frozen=True)
class Frame:
    """What every list needs beside its products, and the version of the catalogue that it is of."""

    version: Any
    categories: list[Row]
    lines: dict[int, list[int]]  # of each category: itself and those above it
    currency: str


_kept: Frame | None = None


def _frame() -> Frame:
    """As of the version that is known; what is kept under that one is read after it, so that it is never older."""
    global _kept
    known, kept = known_version(), _kept
    if known is not None and kept and kept.version == known:
        return kept
    with db.reading() as tx:
        rows, money = q.catalogue.list_categories(tx), str(settings.shop(tx)["currency"])
    tree = {row["id"]: (row["parent_id"], row["name"]) for row in rows}
    _kept = kept = Frame(known, rows, {one: line_of(one, tree) for one in tree}, money)
    return kept


def currency() -> str:
    """The shop's currency as lists and products name it."""
    return _frame().currency


def category_names(ids: list[int]) -> list[Row]:
    """Slugs and names of these categories, in the order of all."""
    return [row for row in _frame().categories if row["id"] in ids]


def get_product(slug: str, currency: str) -> ProductDetail:
    """One product with everything its page shows, in three statements. Raises NotFound when it is absent, unpublished or archived."""
    with db.reading() as tx:
        row = q.catalogue.get_product(tx, slug=slug) if _may_be_slug(slug) else None
        if row is None:
            raise NotFound("There is no such product.")
        variants = q.catalogue.list_variants(tx, product_id=row["id"])
        images = q.catalogue.list_images(tx, product_id=row["id"])
    names = [name for name in (row["option1"], row["option2"], row["option3"]) if name]
    by_id = {image["id"]: image_of(image) for image in images}
    return {
        **_product(row),
        "gift_card": bool(row["gift_card"]),
        "currency": currency,
        "images": [image_of(image) for image in images],
        "options": [{"name": name, "values": _distinct(variant[f"option{i}"] for variant in variants)} for i, name in enumerate(names, 1)],
        "variants": [_variant(variant, names, by_id) for variant in variants],
    }


def _may_be_slug(text: str) -> bool:
    """Slugs are ASCII; to compare them with anything else is an error to the database, not a no."""
    return bool(text) and text.isascii()


def slug_of(product_id: int) -> str:
    with db.reading() as tx:
        slug: str | None = q.catalogue.get_slug(tx, id=product_id)
    if slug is None:
        raise NotFound("There is no such product.")
    return slug


def present_slug(former: str) -> str | None:
    """Where a product that once had this address is now; None when nobody had it or it is not shown."""
    with db.reading() as tx:
        slug: str | None = q.catalogue.get_present_slug(tx, former=former) if _may_be_slug(former) else None
    return slug


def get_product_or_slug(slug: str, currency: str) -> ProductDetail | str:
    """One product; for an address that it no longer has, its slug now. Raises NotFound."""
    try:
        return get_product(slug, currency)
    except NotFound:
        present = present_slug(slug)
        if present is None:
            raise
        return present


def is_archived(slug: str) -> bool:
    """Whether this is, or was, the address of a product that was put away."""
    with db.reading() as tx:
        return _may_be_slug(slug) and q.catalogue.find_archived(tx, slug=slug) is not None


def list_categories() -> CategoryList:
    frame, own = _frame(), discovery.count_categories()
    if own is None:
        with db.reading() as tx:
            own = _count_by_category(tx, **NO_FILTERS)
    counts = _with_those_below(frame, own)
    return {
        "items": [
            {
                "id": row["id"],
                "slug": row["slug"],
                "name": row["name"],
                "description": row["description"],
                "parent_id": row["parent_id"],
                "product_count": counts.get(row["id"], 0),
                "image": category_image(row),
            }
            for row in frame.categories
        ]
    }


def _product(row: Row) -> Product:
    stock, variant_count, in_stock, compare_at_minor = orjson.loads(row["shelf"])
    return {
        "id": row["id"],
        "slug": row["slug"],
        "title": row["title"],
        "description": row["description"],
        "category": {"id": row["category_id"], "slug": row["category_slug"], "name": row["category_name"]} if row["category_id"] else None,
        "brand": row["brand"],
        "tags": [tag for tag in row["tags"].split(", ") if tag],
        "price_minor": row["price_minor"],
        "price_max_minor": row["price_max_minor"],
        "compare_at_minor": compare_at_minor,
        "in_stock": bool(in_stock),
        "stock": stock,
        "variant_count": variant_count,
        "rating": round(int(row["rating_sum"]) / row["rating_count"], 1) if row["rating_count"] else None,
        "rating_count": row["rating_count"],
        "image": first_image(row),
        "version": row["version"],
    }


def _variant(row: Row, names: list[str], images: dict[int, Image]) -> Variant:
    return {
        "id": row["id"],
        "sku": row["sku"],
        "options": {name: row[f"option{i}"] for i, name in enumerate(names, 1)},
        "price_minor": row["price_minor"],
        "compare_at_minor": row["compare_at_minor"],
        "stock": row["stock"],
        "tracked": bool(row["tracked"]),
        "weight_g": row["weight_g"],
        "barcode": row["barcode"],
        "image": images.get(row["image_id"]),
    }


def media(path: str | None, alt: str | None, width: int, height: int, widths: str = "") -> Image | None:
    """A picture as pages show it. `widths` are those that an uploaded one has files of, beside the one at `path`."""
    if not path:
        return None
    image: Image = {"src": f"/media/{path}", "alt": alt or "", "width": width, "height": height}
    if widths:
        stem = path.rpartition("-")[0]
        image["srcset"] = ", ".join(f"/media/{stem}-{one}.webp {one}w" for one in widths.split())
    return image


def first_image(row: Row) -> Image | None:
    """The picture that stands for a product, of a row that was joined with it."""
    return media(row["image_path"], row["image_alt"], row["image_width"], row["image_height"], row["image_widths"] or "")


def category_image(row: Row) -> Image | None:
    """A category's picture; without words of its own it is called as the category is."""
    return media(row["image_path"], row["image_alt"] or row["name"], row["image_width"], row["image_height"], row["image_widths"])


def image_of(row: Row) -> Image:
    found = media(row["path"], row["alt"], row["width"], row["height"], row["widths"])
    assert found is not None
    return found


def _distinct(values: Any) -> list[str]:
    return list(dict.fromkeys(values))
