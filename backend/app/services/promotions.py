"""What reduces an order: coupons, automatic discounts and the discount of a customer's level. How it does so is pricing's part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from typing_extensions import TypedDict

from .. import db, money, security
from ..db import Row, Tx, is_duplicate, q
from ..errors import Conflict, Invalid, NotFound, WrongCode
from . import events
from .permissions import Actor
from .pricing import Discount

Kind = Literal["percent", "fixed", "free_shipping"]
WHOLE_BP = 10_000  # basis points: 100 percent
# The same for a code that never existed, has ended or is used up: guessing tells nobody which
# codes there are.
UNKNOWN = "This code is not valid, or not any more."
USED_BY_YOU = "You have used this code as often as it can be used."


class Promotion(TypedDict):
    """A coupon, or without `code` an automatic discount. `value` is basis points for `percent`, minor units for `fixed`."""

    id: int
    code: str | None
    name: str
    kind: Kind
    value: int
    minimum_minor: int
    category_id: int | None
    product_id: int | None
    most_uses: int | None
    most_by_customer: int | None
    used_count: int
    starts_at: datetime | None
    ends_at: datetime | None
    active: bool
    version: int
    created_at: datetime


class PromotionList(TypedDict):
    items: list[Promotion]
    next: str | None
    total: int


@dataclass(frozen=True)
class Reductions:
    """What applies to a cart. `refusal` says why the coupon that was asked for does not, `coupon_id` is its row if it does."""

    discounts: tuple[Discount, ...] = ()
    coupon: Discount | None = None
    coupon_id: int | None = None
    most_by_customer: int | None = None
    refusal: str = ""


def code_key(code: str) -> str:
    """Codes are the same in any case and with any spaces."""
    return "".join(code.split()).upper()


def find(tx: Tx, goods: Sequence[Row], *, code: str, customer: str | None, currency: str) -> Reductions:
    """What applies to these lines of a cart now; `customer` is the e-mail address, None while it is not known."""
    wanted = code_key(code)
    rows = q.promotions.list_running(tx, code=wanted if wanted.isascii() else "")
    fitting = _fitting(tx, rows, goods)
    automatic = [row for row in rows if row["code"] is None and fitting[row["id"]] and _worth(row, goods, fitting) >= row["minimum_minor"]]
    discounts = tuple(_discount(row, fitting) for row in automatic)
    if not wanted:
        return Reductions(discounts)
    coupon = next((row for row in rows if row["code"] is not None), None)
    refusal = _refusal(tx, coupon, goods, fitting, customer, currency)
    if coupon is None or refusal:
        return Reductions(discounts, refusal=refusal)
    return Reductions(discounts, _discount(coupon, fitting), coupon["id"], coupon["most_by_customer"])


def _fitting(tx: Tx, rows: Sequence[Row], goods: Sequence[Row]) -> dict[int, frozenset[int]]:
    """The variants of the cart that each promotion is for."""
    above: set[tuple[int, int]] = set()
    categories = {line["category_id"] for line in goods if line["category_id"]}
    if categories and any(row["category_id"] for row in rows):
        above = {(row["category_id"], row["id"]) for row in q.promotions.list_ancestors(tx, category_ids=categories)}
    return {row["id"]: frozenset(line["variant_id"] for line in goods if _is_for(row, line, above)) for row in rows}


def _is_for(row: Row, line: Row, above: set[tuple[int, int]]) -> bool:
    if row["product_id"] is not None:
        return bool(row["product_id"] == line["product_id"])
    return row["category_id"] is None or (line["category_id"], row["category_id"]) in above


def _worth(row: Row, goods: Sequence[Row], fitting: dict[int, frozenset[int]]) -> int:
    return sum(line["quantity"] * line["price_minor"] for line in goods if line["variant_id"] in fitting[row["id"]])


def _discount(row: Row, fitting: dict[int, frozenset[int]]) -> Discount:
    everything = row["product_id"] is None and row["category_id"] is None
    name = row["name"] if row["code"] is None else f"{row['name']} ({row['code']})"
    return Discount(name, row["kind"], row["value"], None if everything else fitting[row["id"]])


def _refusal(tx: Tx, coupon: Row | None, goods: Sequence[Row], fitting: dict[int, frozenset[int]], customer: str | None, currency: str) -> str:
    if coupon is None:
        return UNKNOWN
    if coupon["most_uses"] is not None and coupon["used_count"] >= coupon["most_uses"]:
        return UNKNOWN
    if not fitting[coupon["id"]]:
        return "This code is for other things than those in your cart."
    if _worth(coupon, goods, fitting) < coupon["minimum_minor"]:
        return f"This code is for {money.in_words(coupon['minimum_minor'], currency)} and more."
    if customer and coupon["most_by_customer"] is not None and _uses_of(tx, coupon["id"], customer) >= coupon["most_by_customer"]:
        return USED_BY_YOU
    return ""


def _uses_of(tx: Tx, promotion_id: int, customer: str) -> int:
    return int(q.promotions.count_by_customer(tx, promotion_id=promotion_id, customer=customer_key(customer)))


def customer_key(email: str) -> str:
    """What makes two orders those of one customer, with an account or without."""
    return security.sign("customer", email.strip().lower()).hex()


def use(tx: Tx, reductions: Reductions, *, order_id: int, email: str, amount_minor: int) -> None:
    """Use the coupon up for this order, exactly, however many want its last use at once. Raises Invalid on `coupon`."""
    if reductions.coupon_id is None:
        return
    if not q.promotions.use(tx, promotion_id=reductions.coupon_id):
        raise WrongCode(coupon=UNKNOWN)
    if reductions.most_by_customer is not None and _uses_of(tx, reductions.coupon_id, email) >= reductions.most_by_customer:
        raise Invalid(coupon=USED_BY_YOU)
    q.promotions.note_use(tx, promotion_id=reductions.coupon_id, order_id=order_id, customer=customer_key(email), amount_minor=amount_minor)


def release(tx: Tx, order_id: int) -> None:
    """Give back what an order used that was never paid and is given up."""
    q.promotions.give_back(tx, order_id=order_id)
    q.promotions.release(tx, order_id=order_id)


# ---------------------------------------------------------------- for staff


def list_all(*, search: str, limit: int, after: str) -> PromotionList:
    """Coupons and automatic discounts, newest first; `search` is the beginning of a code or a name."""
    prefix = f"{_literal(search)}%" if search else None
    if after and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise Invalid(after="This is no `next` of this list.")
    with db.reading() as tx:
        rows = q.promotions.list_all(tx, prefix=prefix, after_id=int(after) if after else None, limit=limit + 1)
        total = q.promotions.count_all(tx, prefix=prefix)
    page = rows[:limit]
    return {"items": [_promotion(row) for row in page], "next": str(page[-1]["id"]) if len(rows) > limit else None, "total": total}


def _literal(text: str) -> str:
    return "".join(f"!{character}" if character in "!%_" else character for character in text)


def get(promotion_id: int) -> Promotion:
    with db.reading() as tx:
        return _get(tx, promotion_id)


def _get(tx: Tx, promotion_id: int) -> Promotion:
    row = q.promotions.get(tx, promotion_id=promotion_id)
    if row is None:
        raise NotFound("There is no such promotion.")
    return _promotion(row)


def can_make_an_order_free(promotion: Mapping[str, Any]) -> bool:
    """Return whether a promotion can by itself take off the whole price: 100 percent, or an amount that reaches the minimum order value."""
    if promotion["kind"] == "percent":
        return bool(promotion["value"] >= WHOLE_BP)
    return bool(promotion["kind"] == "fixed" and promotion["value"] >= promotion["minimum_minor"])


def _require_step_up(promotion: Mapping[str, Any], actor: Actor) -> None:
    if can_make_an_order_free(promotion):
        actor.require_step_up()


def add(fields: dict[str, Any], *, actor: Actor) -> Promotion:
    """Add a coupon or an automatic discount.

    Raises Invalid, on `code` also for one that exists, and StepUpRequired for one that can make an order free.
    """
    row = _checked(fields)
    _require_step_up(row, actor)
    return _saved(_add, row, actor.id)


def _check_scope(tx: Tx, fields: Row) -> None:
    """Raise Invalid for a category or product that does not exist."""
    ids = {"category_id": fields["category_id"], "product_id": fields["product_id"]}
    exists = q.promotions.get_scope(tx, **ids)
    if not exists["category"]:
        raise Invalid(category_id="There is no such category.")
    if not exists["product"]:
        raise Invalid(product_id="There is no such product.")


def _add(tx: Tx, fields: Row, actor_id: int) -> Promotion:
    _check_scope(tx, fields)
    promotion_id: int = q.promotions.add(tx, **fields)
    events.note(tx, "promotion_changed", promotion_id, subject="promotion", actor_id=actor_id, action="added")
    return _get(tx, promotion_id)


def give(tx: Tx, *, kind: Kind, value: int, days: int, actor_id: int) -> Promotion:
    """Make a coupon with a code of its own that is good for one order within so many days. Raises Invalid."""
    nowhere = {"category_id": None, "product_id": None, "starts_at": None}
    once = {"most_uses": 1, "most_by_customer": 1, "minimum_minor": 0, "ends_at": q.promotions.get_end(tx, days=days), "active": True}
    return _add(tx, _checked({"code": security.readable(10), "name": "With our thanks", "kind": kind, "value": value} | nowhere | once), actor_id)


def change(promotion_id: int, version: int, fields: dict[str, Any], *, actor: Actor) -> Promotion:
    """Replace what stands there.

    Raises NotFound, Invalid, StepUpRequired for one that can make an order free, and Conflict with the promotion as it is now when
    `version` is an older one.
    """
    row = _checked(fields)
    _require_step_up(row, actor)
    return _saved(_change, row, actor.id, promotion_id, version)


def _change(tx: Tx, fields: Row, actor_id: int, promotion_id: int, version: int) -> Promotion:
    _get(tx, promotion_id)
    _check_scope(tx, fields)
    if not q.promotions.change(tx, promotion_id=promotion_id, version=version, **fields):
        now = _get(tx, promotion_id)
        if now["version"] == version:
            raise Invalid(most_uses=f"It was used {now['used_count']} times already.")
        raise Conflict("Somebody changed this meanwhile.", current=now)
    events.note(tx, "promotion_changed", promotion_id, subject="promotion", actor_id=actor_id, action="changed")
    return _get(tx, promotion_id)


def _saved(work: Any, *given: Any) -> Promotion:
    try:
        saved: Promotion = db.transaction(work, *given)
    except db.DRIVER_ERRORS as error:
        if is_duplicate(error, "uq_promotions_code"):
            raise Invalid(code="There is a coupon with this code already.") from error
        raise
    return saved


def _checked(fields: dict[str, Any]) -> Row:
    row = fields | {"code": code_key(fields["code"]) if fields["code"] else None}
    if row["kind"] == "percent" and row["value"] > WHOLE_BP:
        raise Invalid(value="A percentage is at most 100 % (10000 basis points).")
    if row["kind"] != "free_shipping" and row["value"] <= 0:
        raise Invalid(value="Say how much it takes off.")
    if row["kind"] == "free_shipping" and row["code"] is None:
        raise Invalid(kind="Free delivery for everybody is set at the way of delivery.")
    if row["category_id"] is not None and row["product_id"] is not None:
        raise Invalid(product_id="Choose a category or a product.")
    if row["starts_at"] and row["ends_at"] and row["ends_at"] <= row["starts_at"]:
        raise Invalid(ends_at="It must end after it starts.")
    return row


def remove(promotion_id: int, *, actor_id: int) -> None:
    """Delete a promotion, or switch it off for good when orders used it. Raises NotFound."""
    db.transaction(_remove, promotion_id, actor_id)


def _remove(tx: Tx, promotion_id: int, actor_id: int) -> None:
    if not q.promotions.delete(tx, promotion_id=promotion_id) and not q.promotions.switch_off(tx, promotion_id=promotion_id):
        raise NotFound("There is no such promotion.")
    events.note(tx, "promotion_changed", promotion_id, subject="promotion", actor_id=actor_id, action="removed")


def _promotion(row: Row) -> Promotion:
    return {**row, "active": bool(row["active"])}  # type: ignore[typeddict-item]
