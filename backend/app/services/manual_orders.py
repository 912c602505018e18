"""Orders that staff take down for a customer, at the telephone or from a letter: who it is for, what there is, and the shop's own placing."""

from __future__ import annotations

from typing_extensions import TypedDict

from .. import db
from ..db import q
from ..errors import Invalid
from . import accounts, cart, catalogue, checkout, settings
from .addresses import SavedAddress
from .cart import Buyer, CartItem, Named
from .catalogue import Wish
from .checkout import Quote, Request
from .grid import starting
from .orders import Order
from .permissions import Actor

SHOWN = 8


class Customer(TypedDict):
    id: int
    username: str
    email: str
    first_name: str
    last_name: str
    phone: str
    addresses: list[SavedAddress]


class CustomerList(TypedDict):
    items: list[Customer]
    next: str | None
    total: int


class Goods(CartItem):
    sku: str


class GoodsList(TypedDict):
    items: list[Goods]
    next: str | None
    total: int
    currency: str


def find_customers(text: str) -> CustomerList:
    """The accounts whose username, e-mail address or name begins so, the first few, with their addresses."""
    with db.reading() as tx:
        rows = q.manual_orders.find_customers(tx, beginning=starting(text.strip()), limit=SHOWN) if text.strip() else []
        saved = q.manual_orders.list_addresses(tx, user_ids=[row["id"] for row in rows]) if rows else []
    books: dict[int, list[SavedAddress]] = {row["id"]: [] for row in rows}
    for address in saved:
        book = books[address.pop("user_id")]
        book.append({**address, "is_default": not book})  # type: ignore[typeddict-item]
    items: list[Customer] = [{**row, "addresses": books[row["id"]]} for row in rows]  # type: ignore[typeddict-item]
    return {"items": items, "next": None, "total": len(items)}


def find_goods(text: str) -> GoodsList:
    """What of the shop's goods is meant: by its SKU, else as shoppers search; each variant by itself."""
    currency, words = settings.currency(), text.strip()
    products = catalogue.list_products(Wish(q=words, limit=SHOWN), currency)["items"] if words else []
    with db.reading() as tx:
        ids = [row["id"] for row in q.manual_orders.find_variants(tx, product_ids=[one["id"] for one in products], text=words, limit=SHOWN * 3)]
        rows = cart.named(tx, [{"variant_id": one, "quantity": 1} for one in ids])
    items: list[Goods] = [{**cart.item(row, currency), "sku": row["sku"] or ""} for row in rows if row["buyable"]]
    return {"items": items, "next": None, "total": len(items), "currency": currency}


def quote(
    user_id: int | None,
    email: str | None,
    items: tuple[Named, ...],
    *,
    country: str | None = None,
    shipping_method: str | None = None,
    coupon: str = "",
    gift_card: str = "",
) -> Quote:
    """What these goods would cost this customer, as the shop's checkout reckons it. Raises Invalid for an account that is not there."""
    customer = _customer(user_id, email)
    wish = {"shipping_method": shipping_method, "coupon": coupon, "gift_card": gift_card}
    return checkout.quote(customer, country=country, email=email, items=items, **wish)  # type: ignore[arg-type]


def place(key: str, request: Request, *, staff: Actor) -> tuple[Order, bool]:
    """Place the order as the shop's checkout does, with all that it raises; the events say who did it."""
    return checkout.place(_customer(request.user_id, request.email), key, request, staff=staff)


def _customer(user_id: int | None, email: str | None) -> Buyer:
    """The account that staff named, or the one with this e-mail address, or a guest."""
    with db.reading() as tx:
        if user_id is not None and q.accounts.get_by_id(tx, user_id=user_id) is None:
            raise Invalid(user_id="There is no such account.")
        known = q.accounts.get_by_email(tx, email_key=accounts.email_key(email)) if user_id is None and email else None
    return Buyer(known["id"] if known else user_id)
