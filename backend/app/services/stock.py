"""The shelf: every change of stock is a guarded UPDATE and a row in the ledger, in one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Conflict, NotFound
from . import accounts, discovery, events, grid, limits, mail, settings
from .catalogue import Image, media
from .limits import Sender

MOST = 1_000_000  # pieces of one variant
MOST_REQUESTS = 20  # of one address that wait; all of them may become emails at once
BATCH = 100
KEEP_DAYS = 365


def take(tx: Tx, lines: list[dict[str, Any]], *, order_id: int, actor_id: int | None) -> bool:
    """Take the lines' quantities off the shelf, for an order. False when any is short; the caller must then give the transaction up."""
    tracked = sorted((line for line in lines if line["tracked"]), key=lambda line: line["variant_id"])
    wanted = [{"variant_id": line["variant_id"], "quantity": line["quantity"]} for line in tracked]
    if not wanted:
        return True
    text = orjson.dumps(wanted).decode()
    taken, sold_out = q.stock.take(tx, lines=text)
    if taken < len(wanted):
        return False
    if sold_out:
        discovery.mark_sold_out(tx, [line["variant_id"] for line in wanted])
    q.stock.note_taken(tx, order_id=order_id, lines=text, actor_id=actor_id)
    return True


def put_back(tx: Tx, order_id: int, *, reason: str, actor_id: int | None) -> None:
    """Put all that the order took back on the shelf."""
    q.stock.put_back(tx, order_id=order_id)
    discovery.mark_back(tx, order_id)
    q.stock.note_returned(tx, order_id=order_id, reason=reason, actor_id=actor_id)


def restock(tx: Tx, order_id: int, pieces: list[tuple[int | None, int]], *, actor_id: int | None) -> None:
    """Put pieces of an order, by variant, on the shelf again. What is not counted, or not sold any more, has no shelf."""
    lines = [{"variant_id": variant_id, "quantity": quantity} for variant_id, quantity in sorted((v, n) for v, n in pieces if v is not None and n)]
    if lines and q.stock.restock(tx, lines=(wanted := orjson.dumps(lines).decode())):
        discovery.mark_back(tx, order_id)
        q.stock.note_restocked(tx, order_id=order_id, lines=wanted, actor_id=actor_id)


# ---------------------------------------------------------------- counting


def adjust(
    variant_id: int, quantity: int | None = None, *, counted: int | None = None, reason: str = "adjusted", note: str = "", actor_id: int | None = None
) -> int:
    """Change the stock by `quantity`, up or down, or make it what was counted; gives what there is now.

    Raises NotFound, and Conflict for less than nothing or too many.
    """
    return db.transaction(_adjust, variant_id, quantity, counted, reason, note, actor_id)


def _adjust(tx: Tx, variant_id: int, quantity: int | None, counted: int | None, reason: str, note: str, actor_id: int | None) -> int:
    row = q.stock.lock(tx, variant_id=variant_id)
    if row is None:
        raise NotFound("There is no such variant.")
    wanted = row["stock"] + quantity if quantity is not None else counted or 0
    if wanted < 0:
        raise Conflict(f"There are only {row['stock']} in stock.")
    if wanted > MOST:
        raise Conflict(f"At most {MOST} of one thing can be in stock.")
    if wanted == row["stock"]:
        return wanted
    q.stock.put(tx, variant_id=variant_id, stock=wanted)
    movement = q.stock.note(tx, variant_id=variant_id, quantity=wanted - row["stock"], reason=reason, note=note, actor_id=actor_id)
    if row["tracked"] and (wanted > 0) != (row["stock"] > 0):
        discovery.mark(tx, [row["product_id"]])
    if actor_id is not None:
        events.note(tx, "stock_adjusted", variant_id, subject="variant", actor_id=actor_id, movement=movement, reason=reason)
    return wanted


# ---------------------------------------------------------------- what there is


class StockRow(TypedDict):
    variant_id: int
    product_id: int
    title: str
    options: dict[str, str]
    sku: str | None
    stock: int
    tracked: bool
    image: Image | None


class StockRows(TypedDict):
    items: list[StockRow]
    next: str | None
    total: int
    low_stock: int


class StockMovement(TypedDict):
    id: int
    at: datetime
    quantity: int
    reason: str
    note: str
    order_number: str | None
    actor: str | None
    stock_after: int


class Ledger(TypedDict):
    items: list[StockMovement]
    next: str | None


def inventory(search: str, *, low: bool, limit: int, after: str) -> StockRows:
    """Variants of products that are not archived: the newest first, or with `low` those that run out, the fewest first."""
    sort = "stock" if low else "newest"
    value, after_id = grid.read_cursor(after, sort, int)
    with db.reading() as tx:
        low_stock = settings.shop(tx)["low_stock"]
        wanted = {"low": low, "low_stock": low_stock, "anywhere": grid.containing(search) if search else None, "prefix": grid.starting(search)}
        rows = q.stock.list_variants[sort](tx, **wanted, after=value, after_id=after_id, limit=limit + 1)
        total = q.stock.count_variants(tx, **wanted)
    page = rows[:limit]
    following = grid.cursor(sort, page[-1]["stock"], page[-1]["variant_id"]) if len(rows) > limit else None
    return {"items": [_stock_row(row) for row in page], "next": following, "total": total, "low_stock": low_stock}


def _stock_row(row: Row) -> StockRow:
    names = (row["option1_name"], row["option2_name"], row["option3_name"])
    return {
        "variant_id": row["variant_id"],
        "product_id": row["product_id"],
        "title": row["title"],
        "options": {name: row[f"option{place}"] for place, name in enumerate(names, 1) if name},
        "sku": row["sku"],
        "stock": row["stock"],
        "tracked": bool(row["tracked"]),
        "image": media(row["image_path"], row["image_alt"], row["image_width"], row["image_height"], row["image_widths"] or ""),
    }


def ledger(variant_id: int, *, limit: int, after: str) -> Ledger:
    """Every change of a variant's stock, the newest first, with what there was after it. Raises NotFound."""
    balance, after_id = grid.read_cursor(after, "movements", int)
    with db.reading() as tx:
        # Stock and newest movements are read by one statement, so that they belong together.
        rows = q.stock.list_movements(tx, variant_id=variant_id, after_id=after_id, limit=limit + 1)
        if not rows and q.stock.product_of(tx, variant_id=variant_id) is None:
            raise NotFound("There is no such variant.")
    items: list[StockMovement] = []
    for row in rows[:limit]:
        balance = row["stock"] if balance is None else balance
        row.pop("stock")
        items.append(cast(StockMovement, row | {"stock_after": balance}))
        balance -= row["quantity"]
    return {"items": items, "next": grid.cursor("movements", balance, items[-1]["id"]) if len(rows) > limit else None}


# ---------------------------------------------------------------- when it is there again


def ask(variant_id: int, email: str, *, user_id: int | None, sender: Sender | None = None) -> None:
    """Record the wish for an email when the variant can be bought; twice is once.

    Raises NotFound, and TooMany for an address that gets too many emails.
    """
    if sender:
        limits.use_all(sender.emails_to(email))
    db.transaction(_ask, variant_id, email, user_id)


def _ask(tx: Tx, variant_id: int, email: str, user_id: int | None) -> None:
    if not q.stock.is_shown(tx, variant_id=variant_id):
        raise NotFound("There is no such variant.")
    key = accounts.email_key(email)
    # Whoever typed somebody else's address many times gets the same answer, and the other one no flood of mails.
    if q.stock.count_requests(tx, email_key=key) < MOST_REQUESTS:
        q.stock.add_request(tx, variant_id=variant_id, user_id=user_id, email=email, email_key=key)


def tell_who_waits() -> int:
    """Mail those whose wish is on the shelf again, once each; gives their number. What nobody could buy for a year is forgotten."""
    db.transaction(lambda tx: q.stock.forget_requests(tx, days=KEEP_DAYS))
    with db.reading() as tx:
        due = q.stock.list_due_requests(tx, most=BATCH)
    return sum(db.transaction(_tell, row) for row in due)


def _tell(tx: Tx, row: Row) -> int:
    # Gone with its mail or not at all: a runner that dies tells nobody twice.
    if not q.stock.delete_request(tx, request_id=row["id"]):
        return 0
    options = ", ".join(row[f"option{place}"] for place in (1, 2, 3) if row[f"option{place}"])
    data = {"title": row["title"], "options": options, "path": f"/products/{row['slug']}"}
    mail.enqueue(tx, "back_in_stock", row["email"], data, user_id=row["user_id"])
    return 1
