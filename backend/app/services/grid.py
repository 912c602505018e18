"""The tables of the admin area: keyset pages, cursors and search. First of them: products."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Invalid
from . import catalogue, settings
from .catalogue import CategoryName, Image

Sort = Literal["updated", "updated_asc", "title", "title_desc", "price", "price_desc"]
Status = Literal["", "active", "draft", "archived"]
# The column that an order goes by, and how a cursor's value is read back.
SORTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "updated": ("updated_at", datetime.fromisoformat),
    "updated_asc": ("updated_at", datetime.fromisoformat),
    "title": ("title", str),
    "title_desc": ("title", str),
    "price": ("price_minor", int),
    "price_desc": ("price_minor", int),
}
assert set(get_args(Sort)) == set(SORTS)


class ProductRow(TypedDict):
    id: int
    slug: str
    title: str
    image: Image | None
    category: CategoryName | None
    brand: str
    type: str
    price_minor: int
    price_max_minor: int
    stock: int
    tracked: bool
    low: bool
    variant_count: int
    sold_count: int
    published: bool
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


class ProductRows(TypedDict):
    items: list[ProductRow]
    next: str | None
    total: int
    currency: str


@dataclass(frozen=True)
class Filters:
    """Which products: '' is all that are not archived; `category` is a slug and stands for all below it."""

    q: str = ""
    status: Status = ""
    category: str = ""
    low: bool = False


# ---------------------------------------------------------------- for every table


def starting(text: str) -> str:
    """A pattern of `LIKE … ESCAPE '!'` in which nothing that was typed is a wildcard."""
    return "".join(f"!{character}" if character in "!%_" else character for character in text) + "%"


def containing(text: str) -> str:
    return "%" + starting(text)


def cursor(sort: str, value: Any, last_id: int) -> str:
    """Where the next page begins; good for the same sort order only."""
    return base64.urlsafe_b64encode(orjson.dumps([sort, value, last_id])).decode().rstrip("=")


def read_cursor(text: str, sort: str, read: Callable[[Any], Any]) -> tuple[Any, int | None]:
    """Value and id of the last row seen, or (None, None). Raises Invalid for what is no cursor of this sort order."""
    if not text:
        return None, None
    try:
        of, value, last_id = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        position = read(value), int(last_id)
    except (binascii.Error, orjson.JSONDecodeError, TypeError, ValueError, OverflowError):
        of, position = None, (None, 0)
    if of != sort or not 0 < position[1] < 2**63 or isinstance(position[0], int) and abs(position[0]) >= 2**63:
        raise Invalid(after="This is no `next` of a list with this sort order.")
    return position


# ---------------------------------------------------------------- products


def list_products(filters: Filters, *, sort: Sort, limit: int, after: str, currency: str) -> ProductRows:
    """One page in three statements, four with a category, however long it is."""
    column, read = SORTS[sort]
    value, after_id = read_cursor(after, sort, read)
    with db.reading() as tx:
        wanted = _wanted(tx, filters)
        rows = q.grid.list_products[sort](tx, **wanted, after=value, after_id=after_id, limit=limit + 1)
        total = q.grid.count_products(tx, **wanted)
    page = rows[:limit]
    following = cursor(sort, page[-1][column], page[-1]["id"]) if len(rows) > limit else None
    return {"items": [_product(row) for row in page], "next": following, "total": total, "currency": currency}


def _wanted(tx: Tx, filters: Filters) -> Row:
    # A slug is ASCII; to compare it with anything else is an error to the database, not a no.
    slug = filters.category if filters.category.isascii() else ""
    text = filters.q.strip()
    return {
        "archived": filters.status == "archived",
        "published": {"active": True, "draft": False}.get(filters.status),
        "any_category": not filters.category,
        "category_ids": [row["id"] for row in q.grid.list_categories_below(tx, slug=slug)] if slug else [],
        "anywhere": containing(text) if text else None,
        "prefix": starting(text),
        "low": filters.low,
        "low_stock": settings.shop(tx)["low_stock"],
    }


def _product(row: Row) -> ProductRow:
    return {
        "id": row["id"],
        "slug": row["slug"],
        "title": row["title"],
        "image": catalogue.media(row["image_path"], row["image_alt"], row["image_width"], row["image_height"], row["image_widths"] or ""),
        "category": {"id": row["category_id"], "slug": row["category_slug"], "name": row["category_name"]} if row["category_id"] else None,
        "brand": row["brand"],
        "type": row["type"],
        "price_minor": row["price_minor"],
        "price_max_minor": row["price_max_minor"],
        "stock": row["stock"],
        "tracked": bool(row["tracked"]),
        "low": bool(row["low"]),
        "variant_count": row["variant_count"],
        "sold_count": row["sold_count"],
        "published": bool(row["published"]),
        "archived_at": row["archived_at"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "version": row["version"],
    }


def list_ids(tx: Tx, filters: Filters, *, after: int, limit: int) -> list[int]:
    """Return the ids of the products that match, those above `after`, in ascending order."""
    return [row["id"] for row in q.grid.list_wanted(tx, **_wanted(tx, filters), after_id=after, limit=limit)]
