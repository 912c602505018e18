"""The shelf: every change of stock is a guarded UPDATE and a row in the ledger, in one transaction."""

from __future__ import annotations

from typing import Any

import orjson

from .. import db
from ..db import Tx, q
from ..errors import Conflict
from . import discovery


def take(tx: Tx, lines: list[dict[str, Any]]) -> bool:
    """Take the lines' quantities off the shelf. False when any is short; the caller must then give the transaction up."""
    tracked = sorted((line for line in lines if line["tracked"]), key=lambda line: line["variant_id"])
    wanted = [{"variant_id": line["variant_id"], "quantity": line["quantity"]} for line in tracked]
    if not wanted:
        return True
    taken, sold_out = q.stock.take(tx, lines=orjson.dumps(wanted).decode())
    if sold_out:
        discovery.mark_sold_out(tx, [line["variant_id"] for line in wanted])
    return bool(taken == len(wanted))


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


def adjust(variant_id: int, quantity: int, *, actor_id: int | None = None) -> None:
    """Change the stock by `quantity`, up or down. Raises Conflict when that would leave less than nothing."""
    db.transaction(_adjust, variant_id, quantity, actor_id)


def _adjust(tx: Tx, variant_id: int, quantity: int, actor_id: int | None) -> None:
    if not q.stock.adjust(tx, variant_id=variant_id, quantity=quantity):
        raise Conflict("There is less in stock than that.")
    q.stock.note_adjusted(tx, variant_id=variant_id, quantity=quantity, actor_id=actor_id)
