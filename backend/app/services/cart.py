"""The cart of a signed-in user or of a guest's browser. Prices are the server's, always."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from typing_extensions import TypedDict

from .. import db, money
from ..db import Row, Tx, q
from ..errors import Conflict, Invalid, NotFound, OutOfStock, SignInRequired
from ..security import hash_token
from . import settings
from .catalogue import Image, media

MOST_OF_ONE = 99
MOST_LINES = 100


@dataclass(frozen=True)
class Buyer:
    """Who shops: a user, or a guest known by the secret in the session. One of the two is set, or none for somebody new."""

    user_id: int | None = None
    guest_token: str | None = None

    @property
    def token_hash(self) -> str | None:
        return hash_token(self.guest_token) if self.guest_token and self.user_id is None else None

    @property
    def scope(self) -> str:
        """What an idempotency key belongs to."""
        return f"u:{self.user_id}" if self.user_id is not None else f"g:{self.token_hash}"


class Named(TypedDict):
    """Goods that staff name for a customer."""

    variant_id: int
    quantity: int


class CartItem(TypedDict):
    id: int
    variant_id: int
    product_id: int
    slug: str
    title: str
    options: dict[str, str]
    quantity: int
    price_minor: int
    previous_price_minor: int | None
    compare_at_minor: int | None
    line_minor: int
    stock: int
    tracked: bool
    available: bool
    image: Image | None
    notices: list[str]


class Cart(TypedDict):
    version: int
    items: list[CartItem]
    count: int
    subtotal_minor: int
    currency: str
    notices: list[str]


def get(buyer: Buyer) -> Cart:
    """The cart as it stands. A visitor without one gets an empty one, and nothing is written."""
    with db.reading() as tx:
        cart, rows = load(tx, buyer)
        currency = settings.given("currency", rows[0]["currency"]) if rows else settings.shop(tx)["currency"]
    return {
        "version": cart["version"] if cart else 0,
        "items": [item(row, currency) for row in rows],
        "count": sum(row["quantity"] for row in rows),
        "subtotal_minor": sum(row["quantity"] * row["price_minor"] for row in rows if row["buyable"]),
        "currency": currency,
        "notices": [],
    }


def load(tx: Tx, buyer: Buyer) -> tuple[Row | None, list[Row]]:
    """The cart's row and its lines, as checkout reads them."""
    if buyer.user_id is None and buyer.guest_token is None:
        return None, []
    rows = q.cart.list_of_user(tx, user_id=buyer.user_id) if buyer.user_id is not None else q.cart.list_of_guest(tx, token_hash=buyer.token_hash)
    cart = {"id": rows[0]["cart_id"], "version": rows[0]["cart_version"]} if rows else q.cart.get(tx, user_id=buyer.user_id, token_hash=buyer.token_hash)
    return cart, rows


def named(tx: Tx, items: Sequence[Named]) -> list[Row]:
    """The lines of a cart that holds these goods. Raises Invalid for what there never was, or what is named twice."""
    rows: list[Row] = q.cart.list_named(tx, items=orjson.dumps(items).decode())
    found = {row["variant_id"] for row in rows}
    for i, one in enumerate(items):
        if one["variant_id"] not in found:
            raise Invalid(fields={f"items.{i}.variant_id": ["There is no such variant."]})
    if len(found) < len(items):
        raise Invalid(items="Name each variant once.")
    return rows


def count(user_id: int | None, guest_token: str | None) -> int:
    """How many pieces the cart holds."""
    buyer = Buyer(user_id, guest_token)
    if buyer.user_id is None and buyer.guest_token is None:
        return 0
    with db.reading() as tx:
        return int(q.cart.count_items(tx, user_id=buyer.user_id, token_hash=buyer.token_hash))


def add(buyer: Buyer, *, variant_id: int | None, product_id: int | None, quantity: int) -> Cart:
    """Put a variant, or a product's only variant, into the cart.

    Raises NotFound for what is not on sale, Invalid when a product must be chosen by variant, OutOfStock when the shelf holds less.
    """
    db.transaction(_add, buyer, variant_id, product_id, quantity)
    return get(buyer)


def _add(tx: Tx, buyer: Buyer, variant_id: int | None, product_id: int | None, quantity: int) -> None:
    cart_id = _take_cart(tx, buyer)
    variant = _variant(tx, cart_id, variant_id if variant_id is not None else _only_variant(tx, product_id))
    present = variant["present"] or 0
    if not present and variant["line_count"] >= MOST_LINES:
        raise Conflict(f"A cart holds at most {MOST_LINES} different things.")
    _check_quantity(variant, present + quantity)
    _put(tx, cart_id, variant, present + quantity, present=bool(present))


def change(buyer: Buyer, item_id: int, quantity: int) -> Cart:
    """Set a line's quantity; 0 removes it. Raises NotFound for a line that is not in this cart, OutOfStock as add() does."""
    db.transaction(_change, buyer, item_id, quantity)
    return get(buyer)


def _change(tx: Tx, buyer: Buyer, item_id: int, quantity: int) -> None:
    cart_id = _existing_cart(tx, buyer)
    item = q.cart.get_item(tx, cart_id=cart_id, item_id=item_id)
    if item is None:
        raise NotFound("There is no such line in your cart.")
    if quantity == 0:
        q.cart.remove_item(tx, cart_id=cart_id, item_id=item_id)
    else:
        variant = _variant(tx, cart_id, item["variant_id"])
        _check_quantity(variant, quantity)
        _put(tx, cart_id, variant, quantity, present=True)


def remove(buyer: Buyer, item_id: int) -> Cart:
    return change(buyer, item_id, 0)


def clear(buyer: Buyer) -> Cart:
    """Empty the cart."""
    db.transaction(_clear, buyer)
    return get(buyer)


def _clear(tx: Tx, buyer: Buyer) -> None:
    there, cart_id = q.cart.take(tx, user_id=buyer.user_id, token_hash=buyer.token_hash)
    if there:
        q.cart.clear(tx, cart_id=cart_id)


def merge_guest(guest_token: str | None, user_id: int) -> list[str]:
    """Bring a guest's cart into the account at sign-in: quantities add up, capped by stock. Gives what the shopper should be told."""
    if not guest_token:
        return []
    return db.transaction(_merge_guest, Buyer(guest_token=guest_token), Buyer(user_id))


def _merge_guest(tx: Tx, guest: Buyer, user: Buyer) -> list[str]:
    theirs, lines = load(tx, guest)
    if theirs is None:
        return []
    q.orders.move_keys(tx, former=guest.scope, scope=user.scope)
    notices: list[str] = []
    if lines:
        cart_id = _take_cart(tx, user)
        q.cart.hold_variants(tx, variant_ids=[line["variant_id"] for line in lines])
        present = {row["variant_id"]: row["quantity"] for row in q.cart.list_quantities(tx, cart_id=cart_id)}
        for line in lines:
            before = present.get(line["variant_id"], 0)
            most = min(MOST_OF_ONE, line["stock"] if line["tracked"] else MOST_OF_ONE)
            after = min(before + line["quantity"], max(most, before)) if line["buyable"] else before
            if after < before + line["quantity"]:
                notices.append(f"{line['title']}: only {after} of {before + line['quantity']} fit into your cart.")
            if after > before and (before or len(present) < MOST_LINES):
                present[line["variant_id"]] = after
                _put(tx, cart_id, {"id": line["variant_id"], "price_minor": line["price_minor"]}, after, present=bool(before))
        if len(present) > len(lines) or any(present.get(line["variant_id"]) != line["quantity"] for line in lines):
            notices.insert(0, "The things you chose before signing in were added to your cart.")
    q.cart.delete(tx, cart_id=theirs["id"])
    return notices


def fill(tx: Tx, buyer: Buyer, wanted: list[Row]) -> list[str]:
    """Put these variants into the cart, each as far as it is sold and there is room; gives what the shopper should be told."""
    cart_id = _take_cart(tx, buyer)
    present = {row["variant_id"]: row["quantity"] for row in q.cart.list_quantities(tx, cart_id=cart_id)}
    variant_ids = [line["variant_id"] for line in wanted]
    q.cart.hold_variants(tx, variant_ids=variant_ids)
    sold = {row["id"]: row for row in q.cart.list_variants(tx, variant_ids=variant_ids)}
    notices = []
    for line in wanted:
        variant, before = sold.get(line["variant_id"]), present.get(line["variant_id"], 0)
        most = min(MOST_OF_ONE, variant["stock"] if variant["tracked"] else MOST_OF_ONE) if variant else 0
        after = max(before, min(before + line["quantity"], most))
        if variant is None:
            notices.append(f"{line['title']} is not sold any more.")
        elif after < before + line["quantity"]:
            notices.append(
                f"{line['title']}: only {after - before} of {line['quantity']} could be added." if after > before else f"{line['title']} is sold out."
            )
        if variant and after > before and (before or len(present) < MOST_LINES):
            present[line["variant_id"]] = after
            _put(tx, cart_id, variant, after, present=bool(before))
    return notices


def _check_quantity(variant: Row, quantity: int) -> None:
    if quantity > MOST_OF_ONE:
        raise Invalid(quantity=f"At most {MOST_OF_ONE} of one thing.")
    if variant["tracked"] and variant["stock"] < quantity:
        raise OutOfStock([{"variant_id": variant["id"], "title": variant["title"], "wanted": quantity, "stock": variant["stock"]}])


def _put(tx: Tx, cart_id: int, variant: Row, quantity: int, *, present: bool) -> None:
    line = {"cart_id": cart_id, "variant_id": variant["id"], "quantity": quantity, "price_minor": variant["price_minor"]}
    if present:
        q.cart.change_item(tx, **line)
    else:
        q.cart.add_item(tx, **line)


def _variant(tx: Tx, cart_id: int, variant_id: int) -> Row:
    variant: Row | None = q.cart.get_variant(tx, cart_id=cart_id, variant_id=variant_id)
    if variant is None:
        raise NotFound("This is not on sale.")
    return variant


def _only_variant(tx: Tx, product_id: int | None) -> int:
    found = q.cart.list_variant_ids(tx, product_id=product_id)
    if not found:
        raise NotFound("This is not on sale.")
    if len(found) > 1:
        raise Invalid(variant_id="Choose one of the product's variants.")
    return int(found[0]["id"])


def _take_cart(tx: Tx, buyer: Buyer) -> int:
    """The cart's id, with its row taken: whatever follows in this transaction is alone with the cart."""
    there, cart_id = q.cart.take(tx, user_id=buyer.user_id, token_hash=buyer.token_hash)
    if there:
        return int(cart_id)
    if buyer.user_id is not None and q.sessions.get_account(tx, user_id=buyer.user_id) is None:
        # Erased since the request looked who is signed in.
        raise SignInRequired()
    return int(q.cart.add(tx, user_id=buyer.user_id, token_hash=buyer.token_hash))


def _existing_cart(tx: Tx, buyer: Buyer) -> int:
    there, cart_id = q.cart.take(tx, user_id=buyer.user_id, token_hash=buyer.token_hash)
    if not there:
        raise NotFound("There is no such line in your cart.")
    return int(cart_id)


def options_of(row: Row) -> dict[str, str]:
    """`{"Size": "M"}` from a row that carries option names and values."""
    return {row[f"option{i}_name"]: row[f"option{i}"] for i in (1, 2, 3) if row[f"option{i}_name"]}


def shortage(row: Row) -> dict[str, Any] | None:
    """How a line is short, as OutOfStock tells it, or None."""
    stock = row["stock"] if row["buyable"] else 0
    if row["buyable"] and (not row["tracked"] or stock >= row["quantity"]):
        return None
    return {"variant_id": row["variant_id"], "title": row["title"], "options": options_of(row), "wanted": row["quantity"], "stock": stock}


def item(row: Row, currency: str) -> CartItem:
    changed = row["seen_price_minor"] != row["price_minor"]
    return {
        "id": row["id"],
        "variant_id": row["variant_id"],
        "product_id": row["product_id"],
        "slug": row["slug"],
        "title": row["title"],
        "options": options_of(row),
        "quantity": row["quantity"],
        "price_minor": row["price_minor"],
        "previous_price_minor": row["seen_price_minor"] if changed else None,
        "compare_at_minor": row["compare_at_minor"],
        "line_minor": row["quantity"] * row["price_minor"],
        "stock": row["stock"],
        "tracked": bool(row["tracked"]),
        "available": bool(row["buyable"]),
        "image": media(row["image_path"], row["image_alt"], row["image_width"], row["image_height"], row["image_widths"] or ""),
        "notices": _notices(row, currency),
    }


def _notices(row: Row, currency: str) -> list[str]:
    if not row["buyable"]:
        return ["This is no longer on sale. Please remove it."]
    found = []
    if row["tracked"] and row["stock"] == 0:
        found.append("This has sold out. Please remove it.")
    elif row["tracked"] and row["stock"] < row["quantity"]:
        found.append(f"Only {row['stock']} left. Please take fewer.")
    if row["seen_price_minor"] != row["price_minor"]:
        found.append(f"The price changed from {money.in_words(row['seen_price_minor'], currency)} to {money.in_words(row['price_minor'], currency)}.")
    return found
