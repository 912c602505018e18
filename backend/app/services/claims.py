"""Orders that were placed as a guest, and whose buyer has an account by now.

They are the account's that has proved to read the address they were confirmed to: whoever reads that mailbox holds the links that open them
already, so a claim gives nothing away. It is an act of the buyer's and does not happen by itself at a sign-up or a change of address: from
then on whoever else uses the account sees them, what was spent counts, and an erasure reaches them. And so it finds what is ordered as a
guest later, too.
"""

from __future__ import annotations

from datetime import datetime

from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import SignInRequired
from . import events

MOST = 100  # at once; what remains is offered again


class Claimable(TypedDict):
    number: str
    placed_at: datetime
    total_minor: int
    currency: str
    count: int


class ClaimList(TypedDict):
    items: list[Claimable]
    next: str | None
    total: int


class Claimed(TypedDict):
    claimed: int


def list_claimable(user_id: int) -> ClaimList:
    """Guests' orders with the address that the account has now, newest first, a hundred at most."""
    with db.reading() as tx:
        items: list[Claimable] = q.claims.list_claimable(tx, user_id=user_id, limit=MOST)
    return {"items": items, "next": None, "total": len(items)}


def claim(user_id: int) -> int:
    """Add them to the account; gives how many. Of two claims at once each order goes to one."""
    return db.transaction(_claim, user_id)


def _claim(tx: Tx, user_id: int) -> int:
    # While the account's row is held its address stays what it is, and is no other account's.
    address = q.claims.lock_address(tx, user_id=user_id)
    if address is None:
        raise SignInRequired()
    rows: list[Row] = q.claims.lock_claimable(tx, email_key=address, limit=MOST)
    if rows:
        ids = [row["id"] for row in rows]
        q.claims.claim(tx, user_id=user_id, order_ids=ids)
        q.claims.add_events(tx, user_id=user_id, order_ids=ids)
        events.note(tx, "orders_claimed", user_id, actor_id=user_id, count=len(rows))
    return len(rows)
