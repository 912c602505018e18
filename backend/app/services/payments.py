"""Money that comes in for orders, noted once, with all that follows from it, however it is paid and however often it is told.

By hand (cash, transfer) staff note it; a test payment is there at once; by card the buyer pays on a page of Stripe's, which tells of it
by webhook, and is asked by a job should no webhook come. The gateway is called after a transaction, never within one.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .. import db, money
from ..config import Settings
from ..db import Row, Tx, q
from ..errors import BadRequest, Conflict, Invalid, NotFound, ShopError, TooMany, Unavailable
from . import events, gift_cards, invoices, keys, limits, orders
from .permissions import ISSUE_GIFT_CARDS, Actor
from .stripe_gateway import Event, Gateway, Told

BY_HAND = ("cash_on_delivery", "bank_transfer")
ONLINE = "stripe"
ONLINE_MINUTES = 30  # for which goods are held
# A page may not end less than 30 minutes after it is opened, so it outlives the order a little, and has as long to be opened.
PAGE_MINUTES, OPENING_MINUTES = 40, 9
NO_KEYS = "The shop has no keys of Stripe any more."
BATCH = 20
FIRST_LOOK, PAUSE = 15, 30  # seconds before a payment is asked about, and between two times
# How many refused calls stand on the event log one by one: of one address, and of all together. The others are counted.
NOTES, NOTES_OF_ALL = limits.Limit(6, 60), limits.Limit(60, 60)
MOST_COUNTED = 1000  # addresses

log = logging.getLogger("shop.payments")

_gateway: Gateway | None = None
_testing = False
_unnoted: Counter[str] = Counter()
_counting = threading.Lock()
# Commands and jobs, which serve no request, run on this machine.
_is_local: ContextVar[Callable[[], bool]] = ContextVar("is_local", default=lambda: True)


def use(settings: Settings) -> None:
    """Take the ways to pay that the settings allow."""
    global _gateway, _testing
    _gateway = Gateway(settings) if settings.stripe_secret_key else None
    _testing = settings.test_payments


def begin_request(is_local: Callable[[], bool]) -> None:
    """Set the check for whether this thread's request comes from this machine."""
    _is_local.set(is_local)


def offered(shop: dict[str, Any]) -> list[str]:
    """Return the owner's payment methods that the settings allow.

    Test payments are for requests from this machine only.
    """
    refused = {ONLINE: _gateway is None, "test": not (_testing and _is_local.get()())}
    return [code for code in shop["payment_methods"] if not refused.get(code)]


def minutes_to_pay(method: str, shop: dict[str, Any]) -> int | None:
    """For how long an order waits for its money; None when it does not."""
    return {"bank_transfer": shop["transfer_days"] * 24 * 60, ONLINE: ONLINE_MINUTES, "test": ONLINE_MINUTES}.get(method)


def expect(tx: Tx, order_id: int, method: str) -> None:
    """Begin to wait for a new order's money, in its transaction; a test payment is there already."""
    if method not in (ONLINE, "test"):
        return
    order = q.orders.get_by_id(tx, order_id=order_id)
    payment_id = _add(tx, order)
    if method == "test":
        note_paid(tx, order_id, payment_id, order["due_minor"])


def _add(tx: Tx, order: Row) -> int:
    row = {"order_id": order["id"], "method": order["payment_method"], "amount_minor": order["due_minor"], "currency": order["currency"]}
    return int(q.payments.add(tx, **row, gateway_id=None))


def record(number: str, amount_minor: int, *, key: str, actor: Actor) -> bool:
    """Record that an order was paid in cash or by bank transfer. Return whether this is a repeated request, which changes nothing.

    An order that contains gift cards issues them once it is paid, on nobody's word but the actor's,
    so the actor must be allowed to issue gift cards and have stepped up. Raises NotFound, Invalid
    for another amount than is due, Conflict for an order that is paid, given up, or paid in another
    way, Forbidden and StepUpRequired.
    """
    return db.transaction(_record, number, amount_minor, key, actor)


def _record(tx: Tx, number: str, amount_minor: int, key: str, actor: Actor) -> bool:
    order = orders.hold(tx, number)
    scope, request = f"payment:{order['id']}", {"amount_minor": amount_minor}
    if keys.find(tx, scope, key, request) is not None:
        return True
    if order["payment_status"] != "unpaid" or order["status"] not in ("pending", "placed"):
        raise Conflict("This order waits for no payment.")
    if order["payment_method"] not in BY_HAND:
        raise Conflict("This order is paid online.")
    if amount_minor != order["due_minor"]:
        raise Invalid(amount_minor=f"{money.in_words(order['due_minor'], order['currency'])} is due.")
    if gift_cards.is_bought_with(tx, order["id"]):
        actor.require(ISSUE_GIFT_CARDS, "This order contains gift cards, so only an admin can mark it as paid.")
    payment_id = _add(tx, order)
    note_paid(tx, order["id"], payment_id, amount_minor, actor_id=actor.id)
    keys.add(tx, scope, key, request, payment_id)
    events.note(tx, "order_changed", order["id"], subject="order", actor_id=actor.id, action="paid", payment=payment_id)
    return False


def note_paid(tx: Tx, order_id: int, payment_id: int, amount_minor: int, *, actor_id: int | None = None) -> None:
    """Note that a payment's money is there, in a transaction that holds its order, which is unpaid and not given up."""
    q.payments.note_paid(tx, payment_id=payment_id, amount_minor=amount_minor)
    order = q.orders.get_by_id(tx, order_id=order_id)
    # That a pending order is placed now needs no event of its own: it was ordered before, and the payment says the rest.
    order["status"] = "placed"
    orders.step(tx, order, "payment_status", "paid", actor_id=actor_id)
    if not invoices.tell_paid(tx, order_id):
        orders.announce(tx, order_id, "order_paid", amount=money.in_words(amount_minor, order["currency"]))
    gift_cards.issue_for(tx, order_id)
    orders.follow_up(tx, order_id, actor_id=actor_id)


# ---------------------------------------------------------------- on the gateway's page


def begin(number: str) -> None:
    """Open the page where an order is paid, if it has none yet. With the gateway down the order stays as it is, and can be paid later."""
    with db.reading() as tx:
        minutes = {"minutes": OPENING_MINUTES, "page_minutes": PAGE_MINUTES}
        row = q.payments.get_unbegun(tx, number=number, method=ONLINE, **minutes)
    if row is None or _gateway is None:
        return
    page = {"number": number, "path": orders.path_of(row), "email": row["email"], "amount_minor": row["amount_minor"], "currency": row["currency"]}
    try:
        gateway_id, address = _gateway.begin(payment_id=row["id"], **page, expires_at=row["expires_at"])
    except ShopError as error:
        log.warning("a payment could not be begun", extra={"payment": row["id"], "error": error.detail})
        return
    db.transaction(_note_begun, row["id"], gateway_id, address)


def _note_begun(tx: Tx, payment_id: int, gateway_id: str, address: str) -> None:
    q.payments.note_begun(tx, payment_id=payment_id, gateway_id=gateway_id, redirect_url=address)


def resume(number: str, *, key: str, user_id: int | None, token: str | None) -> tuple[orders.Order, bool]:
    """Begin the payment of an order that waits for one anew, or go on with it; gives the order and whether this is a repeated request.

    Raises NotFound, Conflict for an order that waits for no payment online, and Unavailable when the gateway does not answer.
    """
    repeated = db.transaction(_resume, number, key, user_id, token)
    begin(number)
    order = orders.get(number, trusted=True)
    if order["payment"]["can_resume"] and "redirect_url" not in order["payment"]:
        raise Unavailable("The payment service does not answer. Please try again in a moment. Your order is kept.")
    return order, repeated


def _resume(tx: Tx, number: str, key: str, user_id: int | None, token: str | None) -> bool:
    orders.own(tx, number, user_id, token)
    order = orders.hold(tx, number)
    scope = f"resume:{order['id']}"
    if keys.find(tx, scope, key, {}) is not None:
        return True
    if not orders.can_resume(order) or _gateway is None:
        raise Conflict("This order waits for no payment by card.")
    payment_id = q.payments.get_usable(tx, order_id=order["id"], method=ONLINE, minutes=OPENING_MINUTES, page_minutes=PAGE_MINUTES)
    if payment_id is None:
        q.payments.abandon_others(tx, order_id=order["id"])
        payment_id = _add(tx, order)
    keys.add(tx, scope, key, {}, payment_id)
    return False


# ---------------------------------------------------------------- what the gateway tells


def hear(body: bytes, signature: str, ip: str) -> None:
    """Take a webhook, whose body is as it came, from an address. What it tells is done when this returns, and done once.

    Raises BadRequest for what Stripe did not sign just now, and NotFound when the shop does not use Stripe.
    """
    if _gateway is None:
        raise NotFound("There is no such page.")
    try:
        event = _gateway.read(body, signature)
    except BadRequest as error:
        _note_refused(error.code, limits.address(ip))
        raise
    db.transaction(_hear, event)


def _note_refused(reason: str, address: str) -> None:
    """Put a refused call on the event log. A flood of them fills neither the log nor the memory: the next note tells how many had none."""
    try:
        limits.take("webhook_refused", address, NOTES)
        limits.take("webhook_refused", "", NOTES_OF_ALL)
    except TooMany:
        with _counting:
            _unnoted[address if address in _unnoted or len(_unnoted) < MOST_COUNTED else ""] += 1
        return
    with _counting:
        unnoted = _unnoted.pop(address, 0) + _unnoted.pop("", 0)
    events.record("payment_refused", None, reason=reason, unnoted=unnoted)


def _hear(tx: Tx, event: Event) -> None:
    payment = _payment_of(tx, event.told) if event.told else None
    # The order first, as everywhere: all that is told of one order stands in line here.
    order = orders.hold(tx, payment["number"]) if payment else None
    if not q.payments.add_event(tx, event_id=event.id, payment_id=payment["id"] if payment else None, kind=event.kind):
        return
    if event.told and payment and order:
        _settle(tx, order, payment["id"], event.told)
    elif event.told and event.told.paid:
        events.note(tx, "payment_refused", None, subject="order", reason="unknown")


def _payment_of(tx: Tx, told: Told) -> Row | None:
    """By its page; the answer that named the page may have been lost, so else by our own number in it."""
    row: Row | None = q.payments.get_by_gateway(tx, gateway_id=told.gateway_id)
    if row is None and told.payment_id is not None:
        row = q.payments.get(tx, payment_id=told.payment_id)
    return row


def _settle(tx: Tx, order: Row, payment_id: int, told: Told) -> None:
    payment = q.payments.get(tx, payment_id=payment_id)
    if not told.paid:
        if told.over:
            q.payments.abandon(tx, payment_id=payment_id)
        return
    if wrong := _mismatch(order, payment, told):
        events.note(tx, "payment_refused", order["id"], subject="order", payment=payment_id, reason=wrong)
    if payment["status"] not in ("pending", "abandoned") or wrong not in ("", *SUMS) or not told.amount_minor:
        return
    q.payments.note_gateway(tx, payment_id=payment_id, gateway_id=told.gateway_id, gateway_charge=told.charge)
    if not wrong and order["status"] == "pending" and order["payment_status"] == "unpaid":
        note_paid(tx, order["id"], payment_id, payment["amount_minor"])
        return
    # It came too late, a second time, or is another sum: it goes back whole.
    q.payments.note_unwanted(tx, payment_id=payment_id, amount_minor=told.amount_minor, currency=told.currency)
    orders.announce(tx, order["id"], "payment_returned", amount=money.in_words(told.amount_minor, told.currency))


SUMS = ("amount", "currency")  # what may be wrong with money that is really there, on our own page for this order


def _mismatch(order: Row, payment: Row, told: Told) -> str:
    """What does not fit; nothing when the page is the one that we opened for this order."""
    compared = {
        "page": payment["gateway_id"] in (None, told.gateway_id),
        "method": payment["method"] == ONLINE,
        "order": told.number == order["number"] and told.payment_id == payment["id"],
        "mode": told.mode == "payment" and _gateway is not None and told.live == _gateway.live,
        "charge": bool(told.charge),
        "amount": told.amount_minor == payment["amount_minor"] == order["due_minor"],
        "currency": told.currency == payment["currency"],
    }
    return next((name for name, fits in compared.items() if not fits), "")


def any_to_reconcile() -> bool:
    """Whether there is a payment to ask the gateway about."""
    return _gateway is not None and bool(_due("pending", FIRST_LOOK, most=1))


def reconcile() -> int:
    """Ask the gateway about payments of which nothing was heard; gives how many it told of. Pages of orders that were given up are closed."""
    return sum(_ask_about(payment_id) for payment_id in _due("pending", FIRST_LOOK))


def _due(status: str, age: int, most: int = BATCH) -> list[int]:
    with db.reading() as tx:
        return [row["id"] for row in q.payments.list_due(tx, status=status, method=ONLINE, age=age, pause=PAUSE, most=most)]


def _ask_about(payment_id: int) -> bool:
    payment = db.transaction(_lease, payment_id, "pending")
    if payment is None or _gateway is None:
        return False
    given_up = bool(payment["order_status"] != "pending")
    if payment["gateway_id"] is None:
        if given_up:
            db.transaction(_abandon, payment_id)
        return given_up
    try:
        told = _look(payment["gateway_id"], given_up=given_up)
    except ShopError as error:
        log.warning("a payment could not be asked about", extra={"payment": payment_id, "error": error.detail})
        return False
    db.transaction(_settle_told, payment["number"], payment_id, told)
    return True


def _look(gateway_id: str, *, given_up: bool) -> Told:
    """What became of a page; that of an order which was given up is closed."""
    if _gateway is None:
        raise Unavailable(NO_KEYS)
    told = _gateway.look(gateway_id)
    if given_up and not told.paid and not told.over:
        _gateway.close(gateway_id)
        told = _gateway.look(gateway_id)
    return told


def ask_now(payment_id: int, *, actor_id: int) -> None:
    """Ask the gateway what became of a payment, on somebody's wish. Raises NotFound, Conflict when there is nothing to ask, and Unavailable."""
    payment = _get(payment_id)
    if payment["method"] != ONLINE or payment["gateway_id"] is None:
        raise Conflict("Of this payment the payment service knows nothing.")
    told = _look(payment["gateway_id"], given_up=payment["order_status"] != "pending")
    db.transaction(_settle_told, payment["number"], payment_id, told, actor_id)


def _get(payment_id: int) -> Row:
    with db.reading() as tx:
        row: Row | None = q.payments.get(tx, payment_id=payment_id)
    if row is None:
        raise NotFound("There is no such payment.")
    return row


def _lease(tx: Tx, payment_id: int, status: str) -> Row | None:
    """The payment, if it is this worker's to ask about now."""
    if not q.payments.lease(tx, payment_id=payment_id, status=status, pause=PAUSE):
        return None
    row: Row = q.payments.get(tx, payment_id=payment_id)
    return row


def _abandon(tx: Tx, payment_id: int) -> None:
    q.payments.abandon(tx, payment_id=payment_id)


def _settle_told(tx: Tx, number: str, payment_id: int, told: Told, actor_id: int | None = None) -> None:
    order = orders.hold(tx, number)
    _settle(tx, order, payment_id, told)
    if actor_id is not None:
        events.note(tx, "order_changed", order["id"], subject="order", actor_id=actor_id, action="payment_asked", payment=payment_id)
    if told.paid:
        # Still pending, it did not fit; that is noted once, and not at every look again.
        q.payments.abandon(tx, payment_id=payment_id)


# ---------------------------------------------------------------- money that goes back


def refund_at_gateway(payment_id: int, amount_minor: int, key: str) -> str:
    """Have the gateway give back of a payment; gives its name of that. Raises Conflict for a no, for good, and Unavailable to try again."""
    with db.reading() as tx:
        payment = q.payments.get(tx, payment_id=payment_id)
    if _gateway is None:
        raise Unavailable(NO_KEYS)
    return _gateway.refund(payment["gateway_charge"], amount_minor, key)


def any_unwanted() -> bool:
    """Whether money is here that nobody wanted."""
    return _gateway is not None and bool(_due("unwanted", 0, most=1))


def return_unwanted() -> int:
    """Give money back that came too late or twice; gives how many payments."""
    return sum(_return(payment_id) for payment_id in _due("unwanted", 0))


def _return(payment_id: int) -> bool:
    payment = db.transaction(_lease, payment_id, "unwanted")
    if payment is None:
        return False
    try:
        _give_back(payment)
    except ShopError as error:
        log.warning("money was not given back", extra={"payment": payment_id, "error": error.detail})
        return False
    return True


def _give_back(payment: Row) -> None:
    """The key is the payment's own, so that the money goes back once, whoever sends it and however often."""
    refund_at_gateway(payment["id"], payment["amount_minor"], f"return-{payment['id']}")
    db.transaction(_note_returned, payment["id"])


def _note_returned(tx: Tx, payment_id: int) -> None:
    q.payments.note_returned(tx, payment_id=payment_id)


def return_now(payment_id: int, *, key: str, actor_id: int) -> bool:
    """Give money that fits no order back at once, on somebody's wish; gives whether this is a repeated request.

    Raises NotFound, Conflict for money that belongs to an order or that the gateway will not give back, and Unavailable.
    """
    payment = _get(payment_id)
    repeated = db.transaction(_begin_return, payment["number"], payment_id, key, actor_id)
    if _get(payment_id)["status"] == "unwanted":
        _give_back(payment)
    return repeated


def _begin_return(tx: Tx, number: str, payment_id: int, key: str, actor_id: int) -> bool:
    order, scope = orders.hold(tx, number), f"payment_return:{payment_id}"
    if keys.find(tx, scope, key, {}) is not None:
        return True
    if q.payments.get(tx, payment_id=payment_id)["status"] != "unwanted":
        raise Conflict("This money belongs to its order, or went back before. An order's money is refunded on the order's page.")
    keys.add(tx, scope, key, {}, payment_id)
    events.note(tx, "order_changed", order["id"], subject="order", actor_id=actor_id, action="payment_returned", payment=payment_id)
    return False
