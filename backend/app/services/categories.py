"""The tree of categories as the staff shape it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, is_duplicate, q
from ..errors import Conflict, Invalid, NotFound
from . import discovery, events, media, products
from .catalogue import Image, category_image

MOVE_BATCH = 200  # products moved in one transaction, in which no category can be edited


class EditedCategory(TypedDict):
    id: int
    parent_id: int | None
    slug: str
    name: str
    description: str
    position: int
    product_count: int
    image: Image | None
    image_alt: str
    version: int


class EditedCategoryList(TypedDict):
    items: list[EditedCategory]


def list_all() -> EditedCategoryList:
    """All categories with what stands in each, archived and unpublished products too."""
    with db.reading() as tx:
        return {"items": [_category(row) for row in q.categories.list_all(tx)]}


def _category(row: Row) -> EditedCategory:
    names = ("id", "parent_id", "slug", "name", "description", "position", "product_count", "image_alt", "version")
    return {**{name: row[name] for name in names}, "image": category_image(row)}  # type: ignore[typeddict-item]


def add(
    tx: Tx,
    *,
    name: str,
    slug: str = "",
    description: str = "",
    parent_id: int | None = None,
    image_path: str | None = None,
    image_alt: str = "",
    position: int = 0,
    demo: bool = False,
) -> int:
    """Add a category; its slug is made of the name unless one is given. Gives its id. Raises Invalid by field."""
    if parent_id is not None and q.products.hold_category(tx, category_id=parent_id) is None:
        raise Invalid(parent_id="There is no such category.")
    values = {"parent_id": parent_id, "name": name, "description": description, "position": position, "demo": demo}
    values |= {"image_path": image_path, "image_alt": image_alt}
    made = products.slug_from(name, otherwise="category")[:100].rstrip("-")
    wanted = [slug] if slug else [made, *(f"{made}-{number}" for number in range(2, 10)), f"{made}-{secrets.token_hex(4)}"]
    taken = {row["slug"] for row in q.categories.list_slugs(tx, slugs=wanted)}
    free = next((one for one in wanted if one not in taken), None)
    if free is None:
        raise Invalid(slug="Another category has this address.")
    added: int = q.categories.add(tx, **values, slug=free)
    return added


def create(fields: dict[str, Any], *, actor_id: int) -> EditedCategory:
    """Raises Invalid by field."""

    def work(tx: Tx) -> EditedCategory:
        category_id = add(tx, **fields)
        _record(tx, category_id, actor_id, "added")
        return _category(q.categories.get(tx, category_id=category_id))

    return _saved(work)


def change(category_id: int, version: int, fields: dict[str, Any], *, actor_id: int) -> EditedCategory:
    """Replace a category. Raises NotFound, Invalid for a place below itself, Conflict with `current` for an older `version`."""

    def work(tx: Tx) -> EditedCategory:
        now = _taken(tx, category_id, version)
        if fields["parent_id"] is not None:
            _refuse_ring(tx, category_id, fields["parent_id"])
        q.categories.change(tx, category_id=category_id, **fields | {"slug": fields["slug"] or now["slug"]})
        _record(tx, category_id, actor_id, "changed")
        return _category(q.categories.get(tx, category_id=category_id))

    return _saved(work)


def set_image(category_id: int, content: bytes, alt: str, uploads: Path, *, actor_id: int) -> EditedCategory:
    """Give a category a picture instead of the one that it has. Raises NotFound, and as media.store() does."""
    with db.reading() as tx:
        if q.categories.get(tx, category_id=category_id) is None:
            raise NotFound("There is no such category.")
    stored = media.store(content, uploads, called="category")
    try:
        former, now = db.transaction(_set_image, category_id, stored, alt, actor_id)
    except BaseException:
        media.discard(stored.path, stored.widths, uploads)
        raise
    media.discard(former["image_path"], former["image_widths"], uploads)
    return now


def remove_image(category_id: int, uploads: Path, *, actor_id: int) -> None:
    """Take the picture away from a category; one without has none already. Raises NotFound."""
    former, _ = db.transaction(_set_image, category_id, None, "", actor_id)
    media.discard(former["image_path"], former["image_widths"], uploads)


def _set_image(tx: Tx, category_id: int, stored: media.Stored | None, alt: str, actor_id: int) -> tuple[Row, EditedCategory]:
    former = _taken(tx, category_id, None)
    path, width, height, widths = (stored.path, stored.width, stored.height, stored.widths) if stored else (None, 0, 0, "")
    q.categories.set_picture(tx, category_id=category_id, path=path, alt=alt, width=width, height=height, widths=widths)
    _record(tx, category_id, actor_id, "picture")
    return former, _category(q.categories.get(tx, category_id=category_id))


def _taken(tx: Tx, category_id: int, version: int | None) -> Row:
    # Two moves at once could each be fine and together a ring, so all of the tree is held.
    q.categories.lock_all(tx)
    row: Row | None = q.categories.get(tx, category_id=category_id)
    if row is None:
        raise NotFound("There is no such category.")
    if version is not None and row["version"] != version:
        raise Conflict("Somebody else has changed this category meanwhile.", code="version_conflict", current=_category(row))
    return row


def _refuse_ring(tx: Tx, category_id: int, parent_id: int) -> None:
    above = {row["id"] for row in q.categories.list_line(tx, category_id=parent_id)}
    if not above:
        raise Invalid(parent_id="There is no such category.")
    if category_id in above:
        raise Invalid(parent_id="A category cannot stand below itself.")


def remove(category_id: int, *, version: int | None, move_up: bool, actor_id: int) -> None:
    """Delete a category. With `move_up` what is in it goes to where it stood itself; else it must be empty.

    Raises NotFound, and Conflict for one that is not empty or, with `current`, no longer the `version` seen.
    """
    while db.transaction(_remove, category_id, version, move_up, actor_id):
        # What moves is moved in steps that keep nobody waiting; each one is good by itself, so that this may be cut off.
        continue


def _remove(tx: Tx, category_id: int, version: int | None, move_up: bool, actor_id: int) -> bool:
    """Move a step of its products, or delete it when none is left. Gives whether there is more to do."""
    now = _taken(tx, category_id, version)
    if not move_up and (now["product_count"] or q.categories.count_below(tx, category_id=category_id)):
        raise Conflict("This category is not empty. Move what is in it first, or let it move up.", code="not_empty")
    ids = [row["id"] for row in q.categories.list_products(tx, category_id=category_id, limit=MOVE_BATCH)]
    if ids:
        q.categories.move_products(tx, ids=ids, category_id=category_id, parent_id=now["parent_id"])
        discovery.mark(tx, ids)
        return True
    q.categories.move_below(tx, category_id=category_id, parent_id=now["parent_id"])
    q.categories.delete(tx, category_id=category_id)
    _record(tx, category_id, actor_id, "removed")
    return False


def _record(tx: Tx, category_id: int, actor_id: int, action: str) -> None:
    events.note(tx, "category_changed", category_id, subject="category", actor_id=actor_id, action=action)


def _saved(work: Callable[[Tx], EditedCategory]) -> EditedCategory:
    try:
        return db.transaction(work)
    except db.DRIVER_ERRORS as error:
        if is_duplicate(error, "uq_categories_slug"):
            raise Invalid(slug="Another category has this address.") from error
        raise
