"""What is sold: products with their variants, pictures and categories, and the lists of them."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Invalid, NotFound

SORTS = ("newest", "price_asc", "price_desc", "name")
SORT_FIELDS = {"newest": "created_at", "price_asc": "price_minor", "price_desc": "price_minor", "name": "title"}
MOST_MATCHES = 2400  # how deep a search by relevance may be paged
# InnoDB's own stop words find nothing when they are demanded.
STOP_WORDS = frozenset(
    "a about an are as at be by com de en for from how i in is it la of on or that the this to was what when where who will with und www".split()
)


class Image(TypedDict):
    src: str
    alt: str
    width: int
    height: int


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
    currency: str
    images: list[Image]
    options: list[Option]
    variants: list[Variant]


class CategoryCount(TypedDict):
    slug: str
    name: str
    count: int


class Facets(TypedDict):
    categories: list[CategoryCount]


class ProductList(TypedDict):
    items: list[Product]
    next: str | None
    total: int
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
    price_min: int | None = None
    price_max: int | None = None
    in_stock: bool = False
    sort: str = ""
    limit: int = 24
    after: str = ""


@dataclass
class NewVariant:
    price_minor: int
    stock: int = 0
    options: tuple[str, str, str] = ("", "", "")
    sku: str | None = None
    compare_at_minor: int | None = None
    tracked: bool = True
    weight_g: int = 0
    barcode: str = ""
    image: int | None = None  # index into the product's images


@dataclass
class NewProduct:
    title: str
    variants: list[NewVariant]
    slug: str = ""
    description: str = ""
    category_id: int | None = None
    brand: str = ""
    tags: list[str] = field(default_factory=list)
    option_names: tuple[str, str, str] = ("", "", "")
    images: list[tuple[str, str, int, int]] = field(default_factory=list)  # path, alt, width, height
    seo_title: str = ""
    seo_description: str = ""
    published: bool = True
    demo: bool = False


# ---------------------------------------------------------------- lists


def list_products(wish: Wish, currency: str) -> ProductList:
    """One page of the catalogue in four statements, however long it is. Raises NotFound for an unknown category, Invalid for a bad cursor."""
    with db.reading() as tx:
        filters = _filters(tx, wish)
        searching = filters["words"] is not None
        sort = wish.sort or ("relevance" if searching else "newest")
        if sort == "relevance" and not searching:
            sort = "newest"
        rows, following = _page(tx, sort, filters, wish)
        total = q.catalogue.count_products(tx, **filters)
        facets = _category_counts(tx, filters)
    return {"items": [_product(row) for row in rows], "next": following, "total": total, "currency": currency, "facets": {"categories": facets}}


def _page(tx: Tx, sort: str, filters: Row, wish: Wish) -> tuple[list[Row], str | None]:
    limit = wish.limit + 1
    if sort == "relevance":
        offset = _offset(wish.after)
        rows = q.catalogue.list_matches(tx, **filters, phrase=_like(wish.q, anywhere=True), limit=limit, offset=offset)
        position: list[Any] = ["relevance", offset + wish.limit]
    else:
        after, after_id = _position(wish.after, sort)
        rows = q.catalogue.list_products[sort](tx, **filters, after=after, after_id=after_id, limit=limit)
        last = rows[wish.limit - 1] if len(rows) > wish.limit else None
        position = [sort, last and last[SORT_FIELDS[sort]], last and last["id"]]
    more = len(rows) > wish.limit
    return rows[: wish.limit], _cursor(position) if more else None


def _filters(tx: Tx, wish: Wish) -> Row:
    ids = [row["id"] for row in q.catalogue.list_category_tree(tx, slug=wish.category)] if _may_be_slug(wish.category) else []
    if wish.category and not ids:
        raise NotFound("There is no such category.")
    words, prefix = _search_terms(wish.q)
    return {
        "any_category": not wish.category,
        "category_ids": ids,
        "price_min": wish.price_min,
        "price_max": wish.price_max,
        "words": words,
        "prefix": prefix,
        "in_stock": wish.in_stock,
    }


def _search_terms(text: str) -> tuple[str | None, str | None]:
    """Every word must begin a word of title, brand or tags. What the full-text index cannot hold is looked for at the title's start."""
    tokens = re.findall(r"\w+", text.lower())
    words = [token for token in tokens if len(token) >= 3 and token not in STOP_WORDS][:8]
    if words:
        return " ".join(f"+{word}*" for word in words), None
    return None, _like(text) if text.strip() else None


def _like(text: str, *, anywhere: bool = False) -> str:
    escaped = re.sub(r"([\\%_])", r"\\\1", text.strip())
    return f"%{escaped}%" if anywhere else f"{escaped}%"


def _category_counts(tx: Tx, filters: Row) -> list[CategoryCount]:
    everywhere = filters | {"any_category": True, "category_ids": []}
    counts = {row["category_id"]: row["count"] for row in q.catalogue.count_by_category(tx, **everywhere)}
    categories = q.catalogue.list_categories(tx)
    return [{"slug": row["slug"], "name": row["name"], "count": counts[row["id"]]} for row in categories if row["id"] in counts]


def _cursor(position: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


def _read_cursor(text: str, sort: str, length: int) -> list[Any]:
    try:
        position = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, orjson.JSONDecodeError, ValueError):
        position = None
    if not isinstance(position, list) or len(position) != length or position[0] != sort:
        raise Invalid(after="This is no `next` of a list with this sort order.")
    return position


def _position(after: str, sort: str) -> tuple[Any, int | None]:
    if not after:
        return None, None
    _, value, last_id = _read_cursor(after, sort, 3)
    try:
        read = datetime.fromisoformat if sort == "newest" else str if sort == "name" else int
        return read(value), int(last_id)
    except (TypeError, ValueError, OverflowError):
        raise Invalid(after="This is no `next` of a list with this sort order.") from None


def _offset(after: str) -> int:
    if not after:
        return 0
    _, offset = _read_cursor(after, "relevance", 2)
    if not isinstance(offset, int) or not 0 <= offset <= MOST_MATCHES:
        raise Invalid(after="A search can be paged only so far; please narrow it.")
    return offset


# ---------------------------------------------------------------- one product, categories


def get_product(slug: str, currency: str) -> ProductDetail:
    """One product with everything its page shows, in three statements. Raises NotFound when it is absent, unpublished or archived."""
    with db.reading() as tx:
        row = q.catalogue.get_product(tx, slug=slug) if _may_be_slug(slug) else None
        if row is None:
            raise NotFound("There is no such product.")
        variants = q.catalogue.list_variants(tx, product_id=row["id"])
        images = q.catalogue.list_images(tx, product_id=row["id"])
    names = [name for name in (row["option1"], row["option2"], row["option3"]) if name]
    by_id = {image["id"]: _image(image) for image in images}
    return {
        **_product(row),
        "currency": currency,
        "images": [_image(image) for image in images],
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


def list_categories() -> CategoryList:
    with db.reading() as tx:
        rows = q.catalogue.list_categories(tx)
    return {
        "items": [
            {
                "id": row["id"],
                "slug": row["slug"],
                "name": row["name"],
                "description": row["description"],
                "parent_id": row["parent_id"],
                "product_count": row["product_count"],
                "image": media(row["image_path"], row["name"], 800, 800),
            }
            for row in rows
        ]
    }


def _product(row: Row) -> Product:
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
        "compare_at_minor": row["compare_at_minor"],
        "in_stock": bool(row["in_stock"]),
        "stock": row["stock"],
        "variant_count": row["variant_count"],
        "rating": None,
        "rating_count": 0,
        "image": media(row["image_path"], row["image_alt"], row["image_width"], row["image_height"]),
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


def media(path: str | None, alt: str | None, width: int, height: int) -> Image | None:
    return {"src": f"/media/{path}", "alt": alt or "", "width": width, "height": height} if path else None


def _image(row: Row) -> Image:
    return {"src": f"/media/{row['path']}", "alt": row["alt"], "width": row["width"], "height": row["height"]}


def _distinct(values: Any) -> list[str]:
    return list(dict.fromkeys(values))


# ---------------------------------------------------------------- changes


def add_category(tx: Tx, *, name: str, slug: str = "", description: str = "", image_path: str | None = None, position: int = 0, demo: bool = False) -> int:
    added: int = q.catalogue.add_category(
        tx, parent_id=None, slug=slug or slug_from(name), name=name, description=description, image_path=image_path, position=position, demo=demo
    )
    return added


def add_product(tx: Tx, product: NewProduct, *, actor_id: int | None = None) -> int:
    """Add a product with its pictures and variants; first stock is written to the ledger. Gives its id."""
    prices = [variant.price_minor for variant in product.variants]
    product_id: int = q.catalogue.add_product(
        tx,
        slug=product.slug or slug_from(product.title),
        title=product.title,
        description=product.description,
        category_id=product.category_id,
        brand=product.brand,
        tags=", ".join(product.tags),
        option1=product.option_names[0],
        option2=product.option_names[1],
        option3=product.option_names[2],
        price_minor=min(prices),
        price_max_minor=max(prices),
        seo_title=product.seo_title,
        seo_description=product.seo_description,
        published=product.published,
        demo=product.demo,
    )
    image_ids = [
        q.catalogue.add_image(tx, product_id=product_id, position=position, path=path, alt=alt, width=width, height=height)
        for position, (path, alt, width, height) in enumerate(product.images, 1)
    ]
    for position, variant in enumerate(product.variants, 1):
        _add_variant(tx, product_id, position, variant, image_ids)
    q.stock.note_initial(tx, product_id=product_id, actor_id=actor_id)
    return product_id


def _add_variant(tx: Tx, product_id: int, position: int, variant: NewVariant, image_ids: list[int]) -> None:
    q.catalogue.add_variant(
        tx,
        product_id=product_id,
        position=position,
        sku=variant.sku or None,
        option1=variant.options[0],
        option2=variant.options[1],
        option3=variant.options[2],
        price_minor=variant.price_minor,
        compare_at_minor=variant.compare_at_minor,
        stock=variant.stock,
        tracked=variant.tracked,
        weight_g=variant.weight_g,
        barcode=variant.barcode,
        image_id=None if variant.image is None else image_ids[variant.image],
    )


def set_price(variant_id: int, price_minor: int) -> None:
    """Change a variant's price, and with it the product's place in sorted lists."""
    db.transaction(_set_price, variant_id, price_minor)


def _set_price(tx: Tx, variant_id: int, price_minor: int) -> None:
    product_id = q.catalogue.product_of_variant(tx, variant_id=variant_id)
    if product_id is None:
        raise NotFound("There is no such variant.")
    q.catalogue.set_price(tx, variant_id=variant_id, price_minor=price_minor)
    q.catalogue.refresh_prices(tx, product_id=product_id)


def slug_from(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:180] or "product"
