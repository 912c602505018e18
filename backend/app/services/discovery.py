"""Finding things: the search index, and what it must read anew."""

from __future__ import annotations

from collections.abc import Iterable

from ..db import Tx, q


def mark(tx: Tx, product_ids: Iterable[int]) -> None:
    """Note, in the transaction that changes them, that these products changed: search reads them anew within a second."""
    for product_id in sorted(set(product_ids)):
        q.discovery.mark(tx, product_id=product_id)
