"""Gift cards: money that an order may be paid with, kept to the cent in a ledger.

Who knows the code may spend the card, so the code is shown once, in the mail that brings it; the shop keeps its SHA-256 only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import orjson
from typing_extensions import TypedDict

from .. import db, money, security
from ..db import Row, Tx, is_duplicate, q
from ..errors import Conflict, Invalid, NotFound
from . import events, grid, keys, mail, settings

UNKNOWN = "This gift card is not valid, or nothing is left on it."
LETTERS = 20  # of an alphabet of 30: 98 random bits
GRACE_DAYS = 90  # in which money that comes back to a card can still be spent
Status = Literal["", "active", "empty", "expired", "voided", "replaced"]
Sort = Literal["created", "created_asc", "balance", "balance_desc"]
SORTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "created": ("created_at", datetime.fromisoformat),
    "created_asc": ("created_at", datetime.fromisoformat),
    "balance": ("balance_minor", int),
    "balance_desc": ("balance_minor", int),
}
assert set(get_args(Sort)) == set(SORTS)


class Balance(TypedDict):
    last_letters: str
    balance_minor: int
    currency: str
    expires_at: datetime | None


class OfferedCard(TypedDict):
    id: int
    slug: str
    title: str
    price_minor: int
    price_max_minor: int


class Offer(TypedDict):
    product: OfferedCard | None
    currency: str


class GiftCard(TypedDict):
    """`order_number` is the order it was bought with, null for a card that the shop gave; `email` is where its code went, empty once that
    person was erased; `replaced_by` are the last letters of the card that its money went to."""

    id: int
    last_letters: str
    currency: str
    initial_minor: int
    balance_minor: int
    status: Literal["active", "empty", "expired", "voided", "replaced"]
    order_number: str | None
    email: str
    replaced_by: str | None
    expires_at: datetime | None
    voided_at: datetime | None
    created_at: datetime


class GiftCardList(TypedDict):
    items: list[GiftCard]
    next: str | None
    total: int
    currency: str


class Movement(TypedDict):
    id: int
    at: datetime
    amount_minor: int
    reason: str
    note: str
    order_number: str | None
    actor: str | None


class MovementList(TypedDict):
    items: list[Movement]


def _hash(code: str) -> str:
    """Codes are the same in any case, with or without what stands between the letters."""
    return security.hash_token("".join(letter for letter in code.upper() if letter.isalnum()))


def _new_code() -> str:
    letters = security.readable(LETTERS)
    return "-".join(letters[i : i + 4] for i in range(0, LETTERS, 4))


# ---------------------------------------------------------------- spending


def find(tx: Tx, code: str, currency: str) -> Row | None:
    """The card with this code if it can be spent now: `id`, `last_letters`, `balance_minor`, `expires_at`."""
    row: Row | None = q.gift_cards.find(tx, code_hash=_hash(code))
    return row if row and row["currency"] == currency else None


def balance(code: str) -> Balance:
    """What is left on a card. Raises Invalid, in the same words for a wrong code, an empty card and an expired one."""
    with db.reading() as tx:
        row = find(tx, code, settings.shop(tx)["currency"])
    if row is None:
        raise Invalid(code=UNKNOWN)
    return {"last_letters": row["last_letters"], "balance_minor": row["balance_minor"], "currency": row["currency"], "expires_at": row["expires_at"]}


def on_sale() -> Offer:
    """The product that is a gift card, if the shop sells one."""
    with db.reading() as tx:
        return {"product": q.gift_cards.find_product(tx), "currency": settings.shop(tx)["currency"]}


def spend(tx: Tx, gift_card_id: int, order_id: int, amount_minor: int) -> bool:
    """Pay a part of an order with a card, exactly, however many orders want it at once. False when the card does not hold it any more."""
    if not q.gift_cards.spend(tx, gift_card_id=gift_card_id, amount_minor=amount_minor):
        return False
    _note(tx, gift_card_id, -amount_minor, "spent", order_id=order_id)
    return True


def release(tx: Tx, order_id: int) -> None:
    """Give back what an order took that was never paid and is given up."""
    _give_back(tx, order_id, None, "released")


def put_back(tx: Tx, order_id: int, refund_id: int, amount_minor: int) -> None:
    """Give the part of a refund back that a card paid. Raises Conflict when the order holds less of the card than that."""
    _give_back(tx, order_id, amount_minor, "refunded", refund_id)


def _give_back(tx: Tx, order_id: int, amount_minor: int | None, reason: str, refund_id: int | None = None) -> None:
    card = q.gift_cards.lock_spent(tx, order_id=order_id)
    while card and card["replaced_by"]:
        card = q.gift_cards.lock(tx, gift_card_id=card["replaced_by"])
    spent = int(q.gift_cards.get_spent(tx, order_id=order_id)) if card else 0
    amount = spent if amount_minor is None else amount_minor
    if amount > spent:
        raise Conflict("That is more than the gift card paid.")
    if amount:
        q.gift_cards.give_back(tx, gift_card_id=card["id"], amount_minor=amount, days=GRACE_DAYS)
        _note(tx, card["id"], amount, reason, order_id=order_id, refund_id=refund_id)


def _note(
    tx: Tx,
    gift_card_id: int,
    amount_minor: int,
    reason: str,
    *,
    order_id: int | None = None,
    refund_id: int | None = None,
    actor_id: int | None = None,
    note: str = "",
) -> None:
    where = {"order_id": order_id, "refund_id": refund_id, "actor_id": actor_id, "note": note}
    q.gift_cards.note(tx, gift_card_id=gift_card_id, amount_minor=amount_minor, reason=reason, **where)


# ---------------------------------------------------------------- bought cards


def is_bought_with(tx: Tx, order_id: int) -> bool:
    """Return whether the order's line items include gift cards that payment of the order would issue."""
    return bool(q.gift_cards.list_bought(tx, order_id=order_id))


def issue_for(tx: Tx, order_id: int) -> None:
    """Issue the cards that a paid order bought, one for each piece, and mail them to the buyer. Once, however often it is called."""
    bought = q.gift_cards.list_bought(tx, order_id=order_id)
    if not bought:
        return
    order, years = q.orders.get_by_id(tx, order_id=order_id), settings.shop(tx)["gift_card_years"]
    cards = [_card(line["price_minor"], line["id"]) for line in bought for _ in range(line["quantity"])]
    rows = [{name: value for name, value in card.items() if name != "code"} for card in cards]
    q.gift_cards.add_all(tx, currency=order["currency"], years=years, cards=orjson.dumps(rows).decode())
    q.gift_cards.note_issued(tx, order_id=order_id)
    ends = q.gift_cards.get_end(tx, years=years)
    _send(tx, order["email"], cards, order["currency"], ends, order_id=order_id, number=order["number"])


def _card(amount_minor: int, order_item_id: int | None = None) -> Row:
    code = _new_code()
    return {"code": code, "code_hash": _hash(code), "last_letters": code[-4:], "amount_minor": amount_minor, "order_item_id": order_item_id}


def _send(tx: Tx, email: str, cards: list[Row], currency: str, ends: datetime | None, *, order_id: int | None = None, **told: str) -> None:
    """Mail the codes; `told` may be the order's `number`, the giver's `message`, and `replaces`, the end of a code that is no good any more."""
    worth = [{"code": card["code"], "amount": money.in_words(card["amount_minor"], currency)} for card in cards]
    mail.enqueue(tx, "gift_card", email, {"number": "", "cards": worth, "until": f"{ends:%d %B %Y}" if ends else ""} | told, order_id=order_id)


def void_bought(tx: Tx, order_item_id: int, quantity: int, *, refund_id: int) -> None:
    """End as many cards of an order's line as are refunded. Raises Conflict when too few are left that nobody has spent from."""
    whole = q.gift_cards.list_whole(tx, order_item_id=order_item_id, most=quantity)
    if len(whole) < quantity:
        raise Conflict("A gift card of this order was used already, so it cannot be refunded.")
    q.gift_cards.void(tx, gift_card_ids=[card["id"] for card in whole])
    for card in whole:
        _note(tx, card["id"], -card["balance_minor"], "voided", refund_id=refund_id)


# ---------------------------------------------------------------- for staff


def issue(amount_minor: int, email: str, *, message: str, key: str, actor_id: int) -> tuple[GiftCard, bool]:
    """Give somebody a card; gives it and whether it is a repeated answer. Raises Invalid for a key that was used for another request."""
    scope, request = f"gift_cards:{actor_id}", [amount_minor, email, message]
    try:
        return db.transaction(_issue, amount_minor, email, message, scope, key, actor_id), False
    except db.DRIVER_ERRORS as error:
        if not is_duplicate(error, "PRIMARY"):
            raise
        with db.reading() as tx:
            earlier = keys.find(tx, scope, key, request)
            assert earlier is not None
            return _get(tx, earlier), True


def _issue(tx: Tx, amount_minor: int, email: str, message: str, scope: str, key: str, actor_id: int) -> GiftCard:
    shop, card = settings.shop(tx), _card(amount_minor)
    fields = {name: card[name] for name in ("code_hash", "last_letters", "amount_minor")}
    card_id: int = q.gift_cards.add(tx, **fields, email=email, currency=shop["currency"], years=shop["gift_card_years"])
    keys.add(tx, scope, key, [amount_minor, email, message], card_id)
    _note(tx, card_id, amount_minor, "issued", actor_id=actor_id)
    made = _get(tx, card_id)
    _send(tx, email, [card], made["currency"], made["expires_at"], message=message)
    events.note(tx, "gift_card_issued", card_id, subject="gift_card", actor_id=actor_id)
    return made


def void(gift_card_id: int, *, reason: str, actor_id: int) -> GiftCard:
    """End a card with all that is left on it. Raises NotFound, and Conflict for one that was ended before."""
    return db.transaction(_void, gift_card_id, reason, actor_id)


def _void(tx: Tx, gift_card_id: int, reason: str, actor_id: int) -> GiftCard:
    card = _lock(tx, gift_card_id)
    if not q.gift_cards.void(tx, gift_card_ids=[gift_card_id]):
        raise Conflict("This gift card was voided before.")
    _note(tx, gift_card_id, -card["balance_minor"], "voided", actor_id=actor_id, note=reason)
    events.note(tx, "gift_card_voided", gift_card_id, subject="gift_card", actor_id=actor_id)
    return _get(tx, gift_card_id)


def replace(gift_card_id: int, email: str, *, reason: str, key: str, actor_id: int) -> tuple[GiftCard, bool]:
    """End a card whose code was lost and mail a new one that holds the same money until the same day, since nobody can read the old code.

    Gives the new card and whether it is a repeated answer. Raises NotFound, and Conflict when nothing is left to move.
    """
    return db.transaction(_replace, gift_card_id, email, reason, key, actor_id)


def _replace(tx: Tx, gift_card_id: int, email: str, reason: str, key: str, actor_id: int) -> tuple[GiftCard, bool]:
    old, scope, request = _lock(tx, gift_card_id), f"gift_card:{gift_card_id}", [email, reason]
    if (earlier := keys.find(tx, scope, key, request)) is not None:
        return _get(tx, earlier), True
    # Money that came back onto a voided card can be had this way.
    if not old["balance_minor"] or old["status"] == "expired":
        raise Conflict("Nothing is left on this gift card that could be moved to another one.")
    card = _card(old["balance_minor"])
    fields = {"code_hash": card["code_hash"], "last_letters": card["last_letters"], "email": email}
    card_id: int = q.gift_cards.add_replacement(tx, gift_card_id=gift_card_id, **fields)
    keys.add(tx, scope, key, request, card_id)
    q.gift_cards.replace(tx, gift_card_id=gift_card_id, replaced_by=card_id)
    _note(tx, gift_card_id, -old["balance_minor"], "replaced", actor_id=actor_id, note=reason)
    _note(tx, card_id, old["balance_minor"], "replaced", actor_id=actor_id, note=reason)
    _send(tx, email, [card], old["currency"], old["expires_at"], replaces=old["last_letters"])
    events.note(tx, "gift_card_replaced", gift_card_id, subject="gift_card", actor_id=actor_id, by=card_id)
    return _get(tx, card_id), False


def _lock(tx: Tx, gift_card_id: int) -> Row:
    row: Row | None = q.gift_cards.lock(tx, gift_card_id=gift_card_id)
    if row is None:
        raise NotFound("There is no such gift card.")
    return row


@dataclass(frozen=True)
class Filters:
    """`q` is the last four letters of a code, or the beginning of an e-mail address or of the number of the order that bought the card."""

    q: str = ""
    status: Status = ""


def list_all(filters: Filters, *, sort: Sort, limit: int, after: str) -> GiftCardList:
    """One page in three statements, however long it is."""
    column, read = SORTS[sort]
    value, after_id = grid.read_cursor(after, sort, read)
    text = filters.q.strip()
    # Letters and numbers are ASCII; to compare them with anything else is an error to the database, not a no.
    plain = text.upper() if text.isascii() else "?"
    wanted = {"letters": plain if text else None, "email": grid.starting(text), "number": grid.starting(plain), "status": filters.status or None}
    with db.reading() as tx:
        rows = q.gift_cards.list_all[sort](tx, **wanted, after=value, after_id=after_id, limit=limit + 1)
        total = q.gift_cards.count_all(tx, **wanted)
        currency = settings.shop(tx)["currency"]
    page = rows[:limit]
    following = grid.cursor(sort, page[-1][column], page[-1]["id"]) if len(rows) > limit else None
    return {"items": page, "next": following, "total": total, "currency": currency}


def movements(gift_card_id: int) -> MovementList:
    """What came onto a card and went off it, newest first. Raises NotFound."""
    with db.reading() as tx:
        _get(tx, gift_card_id)
        return {"items": q.gift_cards.list_movements(tx, gift_card_id=gift_card_id)}


def _get(tx: Tx, gift_card_id: int) -> GiftCard:
    row: GiftCard | None = q.gift_cards.get(tx, gift_card_id=gift_card_id)
    if row is None:
        raise NotFound("There is no such gift card.")
    return row
