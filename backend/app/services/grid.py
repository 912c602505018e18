"""The tables of the admin area: keyset pages, cursors, search, and acts on many rows at once. First of them: products."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Invalid
from . import catalogue, discovery, events, settings
from .catalogue import CategoryName, Image

Action = Literal["publish", "unpublish", "archive", "restore", "set_category", "change_price"]
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
STEP = 200  # products in one transaction of a bulk act
MOST_MINOR = 10**12  # no price is higher
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


class Undo(TypedDict):
    """The body of the act that takes another one back."""

    action: Action
    ids: list[int]
    category_id: int | None


class Acted(TypedDict):
    changed: int
    next: int | None
    undo: list[Undo]


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


def act(
    action: Action,
    scope: list[int] | Filters,
    *,
    actor_id: int,
    after: int = 0,
    category_id: int | None = None,
    percent: int = 0,
) -> Acted:
    """Do something to products: the first 200 of the scope with an id above `after`, all or none. `next` is the `after` for those that remain.

    `undo` are the acts that take this one back; a change of prices has none, since rounding cannot be undone.
    """
    return db.transaction(_act, action, scope, actor_id=actor_id, after=after, category_id=category_id, percent=percent)


def _act(tx: Tx, action: Action, scope: list[int] | Filters, *, actor_id: int, after: int, category_id: int | None, percent: int) -> Acted:
    ids, more = _step(tx, scope, after)
    rows = q.grid.lock_products(tx, ids=ids)
    if action == "change_price":
        undo, changed = [], _change_prices(tx, [row["id"] for row in rows], percent)
    else:
        undo = _set_category(tx, rows, category_id) if action == "set_category" else _switch(tx, action, rows)
        changed = sorted(one for each in undo for one in each["ids"])
    if changed:
        discovery.mark(tx, changed)
        one = changed[0] if len(changed) == 1 else None
        events.note(tx, "products_changed", one, subject="product", actor_id=actor_id, action=action, count=len(changed))
    return {"changed": len(changed), "next": ids[-1] if more else None, "undo": undo}


def _step(tx: Tx, scope: list[int] | Filters, after: int) -> tuple[list[int], bool]:
    if isinstance(scope, Filters):
        found = [row["id"] for row in q.grid.list_wanted(tx, **_wanted(tx, scope), after_id=after, limit=STEP + 1)]
    else:
        found = sorted(one for one in set(scope) if one > after)
    return found[:STEP], len(found) > STEP


def _undo(action: Action, ids: Iterable[int], category_id: int | None = None) -> list[Undo]:
    wanted = list(ids)
    return [{"action": action, "ids": wanted, "category_id": category_id}] if wanted else []


def _switch(tx: Tx, action: Action, rows: list[Row]) -> list[Undo]:
    """Products that are so already are left alone, so that taking it back leaves them alone too."""
    if action in ("publish", "unpublish"):
        published = action == "publish"
        undo = _undo("unpublish" if published else "publish", (row["id"] for row in rows if bool(row["published"]) != published))
        if undo:
            q.grid.set_published(tx, ids=undo[0]["ids"], published=published)
        return undo
    archive = action == "archive"
    undo = _undo("restore" if archive else "archive", (row["id"] for row in rows if (row["archived_at"] is None) == archive))
    if undo and archive:
        q.grid.archive(tx, ids=undo[0]["ids"])
    elif undo:
        q.grid.restore(tx, ids=undo[0]["ids"])
    return undo


def _set_category(tx: Tx, rows: list[Row], category_id: int | None) -> list[Undo]:
    if category_id is not None and not q.grid.is_category(tx, category_id=category_id):
        raise Invalid(category_id="There is no such category.")
    changing = [row for row in rows if row["category_id"] != category_id]
    if not changing:
        return []
    q.grid.set_category(tx, ids=[row["id"] for row in changing], category_id=category_id)
    former = dict.fromkeys(row["category_id"] for row in changing)
    return [each for before in former for each in _undo("set_category", (row["id"] for row in changing if row["category_id"] == before), before)]


def _change_prices(tx: Tx, ids: list[int], percent: int) -> list[int]:
    dearest = q.grid.dearest_after(tx, percent=percent, ids=ids)
    if dearest is not None and dearest > MOST_MINOR:
        raise Invalid(percent="A price would be higher than a price can be.")
    if ids:
        q.grid.change_prices(tx, percent=percent, ids=ids)
        q.grid.refresh_prices(tx, ids=ids)
    return ids
