"""One mail about a cart that was left, to accounts that asked for it: once for each cart until it is ordered, and never after an order."""

from __future__ import annotations

from .. import db, money, security
from ..db import Row, Tx, q
from ..errors import NotFound
from . import cart, mail, settings
from .cart import Buyer

BATCH = 50
LATEST_DAYS = 3  # after the moment when it was due; an older cart is left in peace
SHOWN = 5  # lines in the mail
TO_END = "cart reminders"


def any_due() -> bool:
    with db.reading() as tx:
        return bool(_due(tx, most=1))


def remind_due() -> int:
    """Write to those whose carts are due, each in its own transaction; gives how many were written to."""
    with db.reading() as tx:
        due = _due(tx, most=BATCH)
    return sum(db.transaction(_remind, row) for row in due)


def _due(tx: Tx, *, most: int) -> list[Row]:
    hours = settings.shop(tx)["cart_reminder_hours"]
    found: list[Row] = q.cart_reminders.list_due(tx, hours=hours, days=LATEST_DAYS, most=most) if hours else []
    return found


def _remind(tx: Tx, row: Row) -> bool:
    if not q.cart_reminders.claim(tx, cart_id=row["id"], version=row["version"]):
        return False
    _, lines = cart.load(tx, Buyer(row["user_id"]))
    wanted = [line for line in lines if line["buyable"]]
    if not wanted:
        return False
    currency = settings.shop(tx)["currency"]
    items = [
        {"title": line["title"], "quantity": line["quantity"], "line": money.in_words(line["quantity"] * line["price_minor"], currency)}
        for line in wanted[:SHOWN]
    ]
    token = security.signed(TO_END, str(row["user_id"]))
    way_out = {"unsubscribe": f"/cart-reminders/unsubscribe?token={token}", "one_click": f"/api/v1/cart-reminders/unsubscribe/{token}"}
    mail.enqueue(
        tx, "cart_left", row["email"], {"username": row["username"], "items": items, "more": len(wanted) - len(items), **way_out}, user_id=row["user_id"]
    )
    return True


def choose(tx: Tx, user_id: int, wanted: bool) -> None:
    """What an account chose; the mails go to its own, proven address."""
    q.cart_reminders.choose(tx, user_id=user_id, wanted=wanted)


def end(token: str) -> None:
    """No more of them, by the link in each, for as long as the shop has its key. Raises NotFound for what this shop has not signed."""
    user_id = security.read_signed(TO_END, token)
    if user_id is None:
        raise NotFound("This link is not complete. Please open it from the mail once more.")
    db.transaction(choose, int(user_id), False)
