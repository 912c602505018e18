"""Money that goes back: promised in one transaction with all that belongs to it, carried out by a job where a gateway has to be asked.

The parts of a line always sum to what was paid for it: whoever refunds an order piece by piece has refunded exactly its total.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from .. import db, money
from ..db import Row, Tx, q
from ..errors import Conflict, Invalid, NotFound
from . import events, gift_cards, invoices, keys, orders, payments, promotions, shipments, stock

AT_ONCE = (*payments.BY_HAND, "test")  # what staff hand over, or what was never real


BATCH = 20
FIRST_PAUSE, LONGEST_PAUSE = 60, 3600  # seconds; longer than a gateway may keep us waiting

log = logging.getLogger("shop.refunds")


@dataclass(frozen=True)
class Piece:
    """So many of a line; `restock` puts them on the shelf again."""

    item_id: int
    quantity: int
    restock: bool = False


@dataclass(frozen=True)
class Refunding:
    pieces: tuple[Piece, ...]
    shipping_minor: int = 0
    reason: str = ""
    return_id: int | None = None


def refund(number: str, wanted: Refunding, *, key: str, actor_id: int) -> bool:
    """Refund line items, shipping, or both; return whether this is a repeated request.

    A repeated request changes nothing. When nothing is left to send and nothing was sent, all that
    was paid for shipping is refunded as well; and when every item is refunded, the order is canceled.

    Raises NotFound, Invalid for more than there is, and Conflict for an order that is not paid.
    """
    return db.transaction(_refund, number, wanted, key, actor_id)


def _refund(tx: Tx, number: str, wanted: Refunding, key: str, actor_id: int) -> bool:
    order = orders.hold(tx, number)
    scope, request = f"refund:{order['id']}", asdict(wanted)
    if keys.find(tx, scope, key, request) is not None:
        return True
    unsent = _unsent_after(tx, order, wanted)
    if unsent.all_refunded:
        canceled = cancel(tx, order, unsent.refunding, actor_id=actor_id)
        assert canceled is not None
        keys.add(tx, scope, key, request, canceled)
        events.note(
            tx,
            "order_changed",
            order["id"],
            subject="order",
            actor_id=actor_id,
            action="cancelled",
        )
        return False
    refund_id, shelf = give_back(tx, order, unsent.refunding, actor_id=actor_id)
    keys.add(tx, scope, key, request, refund_id)
    orders.follow_up(tx, order["id"], actor_id=actor_id)
    stock.restock(tx, order["id"], shelf, actor_id=actor_id)
    return False


@dataclass(frozen=True)
class _Unsent:
    """A refund as it is carried out, and whether it refunds the last item of an unsent order."""

    refunding: Refunding
    all_refunded: bool


def _unsent_after(tx: Tx, order: Row, wanted: Refunding) -> _Unsent:
    """Add the shipping fee to a refund after which nothing is left to send and nothing was sent.

    The customer would have paid for shipping that never happens.
    """
    lines = q.orders.list_lines(tx, order_id=order["id"])
    refunding = {piece.item_id: piece.quantity for piece in wanted.pieces}
    left = {line["id"]: line["quantity"] - line["refunded"] for line in lines}
    is_possible = all(quantity <= left.get(item_id, 0) for item_id, quantity in refunding.items())
    if not is_possible or not refunding or not orders.may_be_cancelled(order):
        return _Unsent(wanted, all_refunded=False)
    left = {item_id: quantity - refunding.get(item_id, 0) for item_id, quantity in left.items()}
    if any(left[line["id"]] for line in lines if not line["gift_card"]):
        return _Unsent(wanted, all_refunded=False)
    shipping = _shipping_left(tx, order, lines)
    if wanted.shipping_minor <= shipping:
        wanted = replace(wanted, shipping_minor=shipping)
    return _Unsent(wanted, all_refunded=not any(left.values()))


def cancel(tx: Tx, order: Row, wanted: Refunding | None, *, actor_id: int | None) -> int | None:
    """Cancel an order of which nothing was sent, within a transaction that holds it.

    Its items are restocked, what `wanted` names is refunded, and what it used of coupons and gift
    cards is released. Returns the id of the refund, if there is one.
    """
    orders.step(tx, order, "status", "cancelled", actor_id=actor_id)
    promotions.release(tx, order["id"])
    refund_id = None
    if wanted:
        # All of its items are restocked at once below.
        pieces = tuple(replace(piece, restock=False) for piece in wanted.pieces)
        refund_id, _ = give_back(tx, order, replace(wanted, pieces=pieces), actor_id=actor_id)
    gift_cards.release(tx, order["id"])
    stock.put_back(tx, order["id"], reason="cancelled", actor_id=actor_id)
    outcome = "what you paid comes back to you" if wanted else "there is nothing to pay"
    what_now = f"Nothing will be sent, and {outcome}."
    orders.announce(tx, order["id"], "order_cancelled", what_now=what_now)
    return refund_id


def give_back(tx: Tx, order: Row, wanted: Refunding, *, actor_id: int | None) -> tuple[int, list[tuple[int | None, int]]]:
    """Refund within a transaction that holds the order; gives the refund's id and what to put on the shelf, which the caller does last."""
    if order["payment_status"] == "unpaid":
        raise Conflict("Nothing was paid for this order.")
    lines = {line["id"]: line for line in q.orders.list_lines(tx, order_id=order["id"])}
    before = q.refunds.get_given_back(tx, order_id=order["id"])
    items = _items(tx, order, lines, wanted)
    delivery = delivery_paid(order, list(lines.values())) - before["shipping_minor"]
    if wanted.shipping_minor > delivery:
        raise Invalid(shipping_minor=f"Only {money.in_words(delivery, order['currency'])} of the delivery can be given back.")
    amount = sum(item["amount_minor"] for item in items) + wanted.shipping_minor
    if not amount:
        raise Invalid(items="There is nothing to give back for this.")
    refund_id = _add(tx, order, wanted, amount, before, actor_id)
    if items:
        q.refunds.add_items(tx, refund_id=refund_id, items=orjson.dumps(items).decode())
    whole = before["amount_minor"] + amount == order["total_minor"]
    orders.step(tx, order, "payment_status", "refunded" if whole else "partly_refunded", actor_id=actor_id)
    if actor_id is not None:
        events.note(tx, "order_changed", order["id"], subject="order", actor_id=actor_id, action="refunded", refund=refund_id)
    orders.announce(tx, order["id"], "order_refunded", amount=money.in_words(amount, order["currency"]), whole=whole, reason=wanted.reason)
    for item in items:
        if lines[item["item_id"]]["gift_card"]:
            gift_cards.void_bought(tx, item["item_id"], item["quantity"], refund_id=refund_id)
    invoices.request_credit_note(tx, refund_id)
    return refund_id, [(lines[item["item_id"]]["variant_id"], item["restocked"]) for item in items]


def delivery_paid(order: Row, lines: list[Row]) -> int:
    """What was paid for delivery, with its tax."""
    tax = 0 if order["tax_included"] else order["tax_minor"] - sum(line["tax_minor"] for line in lines)
    return int(order["shipping_minor"] + tax)


def worth(line: Row, quantity: int) -> int:
    """What was paid for so many more pieces of a line than were refunded before; the last piece takes what rounding left."""
    until = line["refunded"] + quantity
    return money.rounded(line["paid_minor"] * until, line["quantity"]) - money.rounded(line["paid_minor"] * line["refunded"], line["quantity"])


def _items(tx: Tx, order: Row, lines: dict[int, Row], wanted: Refunding) -> list[Row]:
    if len({piece.item_id for piece in wanted.pieces}) < len(wanted.pieces):
        raise Invalid(items="Name each line once.")
    if wanted.return_id is not None and q.returns.get_status(tx, return_id=wanted.return_id, order_id=order["id"]) is None:
        raise Invalid(return_id="There is no such return of this order.")
    items = []
    for i, piece in enumerate(wanted.pieces):
        line = lines.get(piece.item_id)
        if line is None:
            raise Invalid(fields={f"items.{i}.item_id": ["There is no such line in this order."]})
        if piece.quantity > line["quantity"] - line["refunded"]:
            raise Invalid(fields={f"items.{i}.quantity": [f"Only {line['quantity'] - line['refunded']} of {line['title']} can be refunded."]})
        items.append(_item(line, piece, returned=wanted.return_id is not None))
    return items


def _item(line: Row, piece: Piece, *, returned: bool) -> Row:
    """What was returned was put on the shelf, or not, when it came. Anything else is taken from what was not sent yet, while there is any."""
    unsent = 0 if returned else min(piece.quantity, shipments.left(line))
    restocked = min(piece.quantity, line["quantity"] - line["restocked"]) if piece.restock and not returned and not line["gift_card"] else 0
    return {"item_id": line["id"], "quantity": piece.quantity, "amount_minor": worth(line, piece.quantity), "restocked": restocked, "unsent": unsent}


def _add(tx: Tx, order: Row, wanted: Refunding, amount: int, before: Row, actor_id: int | None) -> int:
    """The payment gives first, the gift card last. Both are claimed, so that no two refunds give the same money."""
    payment = q.refunds.get_payment(tx, order_id=order["id"])
    by_payment = min(amount, payment["left_minor"]) if payment else 0
    by_card = amount - by_payment
    if (
        by_card > order["gift_card_minor"] - before["gift_card_minor"]
        or by_payment
        and not q.refunds.claim(tx, payment_id=payment["id"], amount_minor=by_payment)
    ):
        raise Conflict("That is more than was paid for this order.")
    refund_id: int = q.refunds.add(
        tx,
        order_id=order["id"],
        payment_id=payment["id"] if by_payment else None,
        return_id=wanted.return_id,
        done=not by_payment or payment["method"] in AT_ONCE,
        payment_minor=by_payment,
        gift_card_minor=by_card,
        shipping_minor=wanted.shipping_minor,
        reason=wanted.reason,
        actor_id=actor_id,
    )
    if by_card:
        gift_cards.put_back(tx, order["id"], refund_id, by_card)
    return refund_id


def everything(tx: Tx, order: Row, *, reason: str) -> Refunding:
    """All of an order that was not refunded yet."""
    lines = q.orders.list_lines(tx, order_id=order["id"])
    pieces = tuple(Piece(line["id"], left) for line in lines if (left := line["quantity"] - line["refunded"]))
    return Refunding(pieces, _shipping_left(tx, order, lines), reason)


def _shipping_left(tx: Tx, order: Row, lines: list[Row]) -> int:
    """What was paid for shipping and not refunded yet."""
    refunded: int = q.refunds.get_given_back(tx, order_id=order["id"])["shipping_minor"]
    return delivery_paid(order, lines) - refunded


def has_money_left(tx: Tx, order: Row) -> bool:
    """Whether anything was paid for the order that was not refunded yet."""
    if order["payment_status"] not in ("paid", "partly_refunded"):
        return False
    refunded: int = q.refunds.get_given_back(tx, order_id=order["id"])["amount_minor"]
    return refunded < int(order["total_minor"])


# ---------------------------------------------------------------- at the gateway


def any_due() -> bool:
    """Whether a refund waits for its gateway now."""
    with db.reading() as tx:
        return bool(q.refunds.any_due(tx))


def carry_out_due(at_gateway: Callable[[int, int, str], str]) -> int:
    """Have promised money given back: `at_gateway` takes the payment's id, the amount and a key, and gives the gateway's name of it.

    The key is the refund's own, so that one whose answer was lost is not given twice. A Conflict is the gateway's no, for good; what
    else goes wrong is tried again, later and later. Gives how many are done.
    """
    with db.reading() as tx:
        due = [row["id"] for row in q.refunds.list_due(tx, most=BATCH)]
    return sum(_carry_out(refund_id, at_gateway) for refund_id in due)


def _carry_out(refund_id: int, at_gateway: Callable[[int, int, str], str]) -> bool:
    row = db.transaction(_lease, refund_id)
    if row is None:
        return False
    try:
        gateway_id = at_gateway(row["payment_id"], row["payment_minor"], f"refund-{refund_id}")
    except Conflict as error:
        log.warning("a refund was refused", extra={"refund": refund_id, "error": error.detail})
        db.transaction(_fail, refund_id)
        return False
    except Exception:
        # One refund that cannot be given now must not keep the others waiting.
        log.exception("a refund was not given", extra={"refund": refund_id})
        return False
    db.transaction(_note_done, refund_id, gateway_id)
    return True


def _lease(tx: Tx, refund_id: int) -> Row | None:
    """The refund, if it is this worker's to carry out; should the worker die or fail it is due again after a pause that grows."""
    if not q.refunds.lease(tx, refund_id=refund_id, first=FIRST_PAUSE, longest=LONGEST_PAUSE):
        return None
    row: Row = q.refunds.get(tx, refund_id=refund_id)
    return row


def _note_done(tx: Tx, refund_id: int, gateway_id: str) -> None:
    q.refunds.note_done(tx, refund_id=refund_id, gateway_id=gateway_id)


def _fail(tx: Tx, refund_id: int) -> None:
    q.refunds.fail(tx, refund_id=refund_id)


def retry(refund_id: int, *, actor_id: int) -> str:
    """Try again what the gateway refused; gives the order's number. Raises NotFound, and Conflict for a refund that did not fail."""
    return db.transaction(_retry, refund_id, actor_id)


def _retry(tx: Tx, refund_id: int, actor_id: int) -> str:
    row: dict[str, Any] | None = q.refunds.get(tx, refund_id=refund_id)
    if row is None:
        raise NotFound("There is no such refund.")
    if not q.refunds.retry(tx, refund_id=refund_id):
        raise Conflict("This refund did not fail.")
    events.note(tx, "order_changed", row["order_id"], subject="order", actor_id=actor_id, action="refund_retried", refund=refund_id)
    return str(row["number"])
