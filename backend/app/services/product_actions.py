"""Bulk actions on products: publishing, archiving, categories and prices."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import orjson

from ..db import Row, Tx, q
from ..errors import Conflict, Invalid
from . import bulk_actions, discovery, events, grid
from .bulk_actions import ApplyOne, Before, BulkAction, Command, Outcome

Action = Literal["publish", "unpublish", "archive", "restore", "set_category", "change_price"]
BATCH_SIZE = 25  # products in one transaction
MAX_BATCH_VARIANTS = 100  # variants whose prices change in one transaction
MAX_PRICE_MINOR = 10**12


def start(
    action: Action,
    scope: list[int] | grid.Filters,
    *,
    actor_id: int,
    var: Path,
    category_id: int | None = None,
    percent: int = 0,
) -> BulkAction:
    """Start an action on products. Raises Invalid for an unknown category or a price that would be too high."""
    params: dict[str, Any] = {}
    if action == "set_category":
        params = {"category_id": category_id}
    elif action == "change_price":
        params = {"percent": percent}

    def list_matching(tx: Tx, after: int, limit: int) -> list[int]:
        assert isinstance(scope, grid.Filters)
        return grid.list_ids(tx, scope, after=after, limit=limit)

    list_ids = list_matching if isinstance(scope, grid.Filters) else bulk_actions.ids_after(scope)
    return bulk_actions.start("product", Command(action, params, actor_id), list_ids, var=var)


class ProductActions:
    irreversible: frozenset[str] = frozenset()
    separate: dict[str, ApplyOne] = {}

    def batch_size(self, action: str) -> int:
        return BATCH_SIZE

    def shorten(self, tx: Tx, command: Command, ids: list[int]) -> list[int]:
        if command.action != "change_price":
            return ids
        counts = {row["product_id"]: row["variants"] for row in q.product_actions.count_variants(tx, ids=ids)}
        variants, kept = 0, 0
        for product_id in ids:
            variants += counts.get(product_id, 0)
            if kept and variants > MAX_BATCH_VARIANTS:
                break
            kept += 1
        return ids[:kept]

    def validate(self, tx: Tx, command: Command, ids: list[int]) -> None:
        if command.action == "set_category":
            category_id = command.params["category_id"]
            if category_id is not None and not q.product_actions.is_category(tx, category_id=category_id):
                raise Invalid(category_id="There is no such category.")
        if command.action == "change_price" and ids:
            _check_prices(tx, ids, command.params["percent"])

    def apply(self, tx: Tx, command: Command, ids: list[int]) -> Outcome:
        """Change the products that are not that way already, so that an undo leaves the others alone, too."""
        before: dict[int, Before | None] = {}
        if command.action == "change_price":
            before = _change_prices(tx, ids, command.params["percent"])
        elif command.action == "set_category":
            before = _set_category(tx, _lock(tx, ids), command.params["category_id"])
        elif command.action in ("publish", "unpublish"):
            before = _publish(tx, _lock(tx, ids), command.action == "publish")
        else:
            before = _archive(tx, _lock(tx, ids), command.action == "archive")
        if before:
            discovery.mark(tx, before)
        return Outcome(before)

    def revert(self, tx: Tx, command: Command, before: dict[int, Before]) -> Outcome:
        reverted: dict[int, Before | None] = {}
        if command.action == "change_price":
            reverted = _revert_prices(tx, before)
        elif command.action == "set_category":
            reverted = _revert_category(tx, before, command.params["category_id"])
        elif command.action in ("publish", "unpublish"):
            reverted = _publish(tx, _lock(tx, list(before)), command.action != "publish")
        else:
            reverted = _archive(tx, _lock(tx, list(before)), command.action != "archive")
        if reverted:
            discovery.mark(tx, reverted)
        return Outcome(reverted, len(before) - len(reverted))

    def record(self, tx: Tx, command: Command, target_id: int | None, changed: int, undo: bool) -> None:
        action = f"undo_{command.action}" if undo else command.action
        subject = {"subject": "product", "actor_id": command.actor_id}
        events.note(tx, "products_changed", target_id, **subject, action=action, count=changed)  # type: ignore[arg-type]


bulk_actions.register("product", ProductActions())


def _lock(tx: Tx, ids: list[int]) -> list[Row]:
    rows: list[Row] = q.product_actions.lock_products(tx, ids=ids)
    return rows


def _publish(tx: Tx, rows: list[Row], published: bool) -> dict[int, Before | None]:
    ids = [row["id"] for row in rows if bool(row["published"]) != published]
    if ids:
        q.product_actions.set_published(tx, ids=ids, published=published)
    return {one: {"published": not published} for one in ids}


def _archive(tx: Tx, rows: list[Row], archived: bool) -> dict[int, Before | None]:
    ids = [row["id"] for row in rows if (row["archived_at"] is None) == archived]
    if ids and archived:
        q.product_actions.archive(tx, ids=ids)
    elif ids:
        q.product_actions.restore(tx, ids=ids)
    return {one: {"archived": not archived} for one in ids}


def _set_category(
    tx: Tx,
    rows: list[Row],
    category_id: int | None,
    *,
    missing_ok: bool = False,
) -> dict[int, Before | None]:
    changing = [row for row in rows if row["category_id"] != category_id]
    if not changing:
        return {}
    # Shared, so that nobody deletes the category before the products are in it.
    if category_id is not None and q.products.hold_category(tx, category_id=category_id) is None:
        if missing_ok:
            return {}
        raise Conflict("The category was deleted meanwhile.", code="category_deleted")
    q.product_actions.set_category(tx, ids=[row["id"] for row in changing], category_id=category_id)
    return {row["id"]: {"category_id": row["category_id"]} for row in changing}


def _revert_category(
    tx: Tx,
    before: dict[int, Before],
    set_to: int | None,
) -> dict[int, Before | None]:
    """Move products back to where they were, unless they were moved again or that category was deleted meanwhile."""
    rows = [row for row in _lock(tx, list(before)) if row["category_id"] == set_to]
    reverted: dict[int, Before | None] = {}
    for category_id in dict.fromkeys(before[row["id"]]["category_id"] for row in rows):
        same = [row for row in rows if before[row["id"]]["category_id"] == category_id]
        reverted |= _set_category(tx, same, category_id, missing_ok=True)
    return reverted


def _check_prices(tx: Tx, ids: list[int], percent: int) -> None:
    highest = q.product_actions.highest_price_after(tx, percent=percent, ids=ids)
    if highest is not None and highest > MAX_PRICE_MINOR:
        raise Invalid(percent="A price would be higher than a price can be.")


def _change_prices(tx: Tx, ids: list[int], percent: int) -> dict[int, Before | None]:
    # Variants first, then their products: an order locks them so, too.
    former = q.product_actions.lock_prices(tx, ids=ids)
    ids = sorted({row["product_id"] for row in former})
    if not ids:
        return {}
    _check_prices(tx, ids, percent)
    q.product_actions.change_prices(tx, percent=percent, ids=ids)
    q.product_actions.refresh_prices(tx, ids=ids)
    now = {row["id"]: row["price_minor"] for row in q.product_actions.list_prices(tx, ids=ids)}
    before: dict[int, Before | None] = {one: {"prices": []} for one in ids}
    for row in former:
        entry = before[row["product_id"]]
        assert entry is not None
        entry["prices"].append([row["id"], row["price_minor"], now[row["id"]]])
    return before


def _revert_prices(tx: Tx, before: dict[int, Before]) -> dict[int, Before | None]:
    """Put former prices back where the price is still the one that the action set."""
    ids = list(before)
    now = {row["id"]: row["price_minor"] for row in q.product_actions.lock_prices(tx, ids=ids)}
    reverted: dict[int, Before | None] = {}
    prices = []
    for product_id, entry in before.items():
        unchanged = [[one, price] for one, price, set_to in entry["prices"] if now.get(one) == set_to]
        if unchanged:
            reverted[product_id] = entry
            prices += unchanged
    if prices:
        q.product_actions.put_prices(tx, prices=orjson.dumps(sorted(prices)).decode())
        q.product_actions.refresh_prices(tx, ids=list(reverted))
    return reverted
