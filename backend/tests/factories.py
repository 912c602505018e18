"""Things that tests need in the shop, made through the services that make them in real life."""

from __future__ import annotations

import functools
import itertools
import secrets
from dataclasses import dataclass
from typing import Any

from app import db, security
from app.db import Tx
from app.services import cart, categories, orders, payments, products, sessions, shipments
from app.services.cart import Buyer
from app.services.permissions import Actor
from app.services.products import ProductInput, VariantInput

PASSWORD = "walnut-harbour-19"
_number = itertools.count(1)


@functools.cache
def _hashed() -> str:
    return security.hash_password(PASSWORD)


@dataclass(frozen=True)
class User:
    id: int
    username: str
    email: str
    password: str = PASSWORD


@dataclass(frozen=True)
class Thing:
    """A product with the ids of its variants."""

    id: int
    slug: str
    title: str
    variants: list[int]

    @property
    def variant(self) -> int:
        return self.variants[0]


def user(username: str, *, role: str = "customer", status: str = "active") -> User:
    email = f"{username}@example.com"
    sql = (
        "INSERT INTO users (username, username_key, email, email_key, password_hash, role, status, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"
    )
    with db.reading() as tx:
        cursor = tx.execute(sql, (username, username.lower(), email, email, _hashed(), role, status))
        return User(cursor.lastrowid, username, email)


def cookie_of(account: User) -> str:
    """A signed-in browser's cookie, without the cost of a password."""
    sid = secrets.token_urlsafe(32)
    sessions.save(sid, {"user_id": account.id}, ip="127.0.0.1", user_agent="pytest")
    return sid


def cookie_of_guest(*variant_ids: int) -> str:
    """The cookie of a guest's browser whose cart holds these things, in this order."""
    sid, token = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    sessions.save(sid, {"cart": token}, ip="127.0.0.1", user_agent="pytest")
    fill(Buyer(guest_token=token), *variant_ids)
    return sid


def fill(buyer: Buyer, *variant_ids: int) -> None:
    """One of each into the cart, in this order."""
    db.transaction(cart.fill, buyer, [{"variant_id": one, "quantity": 1, "title": ""} for one in variant_ids])


def category(name: str) -> int:
    return db.transaction(lambda tx: categories.add(tx, name=name))


def product(title: str = "", *, stock: int = 5, price_minor: int = 1000, variants: list[dict[str, Any]] | None = None, **more: Any) -> Thing:
    """A product with one variant, or with the given ones: `variants=[{"options": ("S", "", ""), "stock": 1}]`."""
    title, description = title or f"Thing {next(_number)}", more.pop("description", "")
    made = [VariantInput(**({"price_minor": price_minor, "stock": stock} | one)) for one in variants or [{}]]
    if len(made) > 1 and not any(more.get("option_names", ())):
        more["option_names"] = ("Kind", "", "")
        for number, one in enumerate(made, 1):
            one.options = (one.options[0] or f"No. {number}", "", "")
    slug = more.pop("slug", products.slug_from(title))

    def add(tx: Tx) -> Thing:
        product_id = products.add(tx, ProductInput(title=title, slug=slug, variants=made, description_html=description, **more), actor_id=None)
        cursor = tx.execute("SELECT id FROM variants WHERE product_id = %s ORDER BY position", (product_id,))
        return Thing(product_id, slug, title, [row[0] for row in cursor.fetchall()])

    return db.transaction(add)


def set_price(variant_id: int, price_minor: int) -> None:
    """As a member of staff does it."""
    products.change_variant(variant_id, {"price_minor": price_minor}, version=None, actor_id=None, currency="EUR")


def stock_of(variant_id: int) -> int:
    with db.reading() as tx:
        return int(tx.execute("SELECT stock FROM variants WHERE id = %s", (variant_id,)).fetchone()[0])


ADDRESS = {"name": "Alice Liddell", "line1": "Kerkstraat 5", "city": "Gent", "postcode": "9000", "country": "BE"}


def order_body(**more: Any) -> dict[str, Any]:
    return {"address": dict(ADDRESS), "shipping_method": "standard", "payment_method": "cash_on_delivery"} | more


def write(sql: str, *params: Any) -> None:
    """Make the database something that no service would make it."""
    with db.reading() as tx:
        tx.execute(sql, params).close()


def value(sql: str, *params: Any) -> Any:
    with db.reading() as tx:
        return tx.execute(sql, params).fetchone()[0]


def actor(account: User | None = None, *, role: str = "admin", stepped_up: bool = True) -> Actor:
    """An admin who has just authenticated again, unless said otherwise; without an account it is nobody in particular."""
    return Actor(account.id if account else None, role, stepped_up)  # type: ignore[arg-type]


def paid(number: str) -> None:
    """The order's money came by hand."""
    payments.record(number, orders.get(number, trusted=True)["due_minor"], key=secrets.token_hex(8), actor=actor())


def shipped(
    number: str,
    *,
    by: User,
    items: list[Any] | None = None,
    tracking: str = "SP-1",
) -> int:
    """A parcel with all that is left, or with these pieces, is on its way; gives its id."""
    url = f"https://post.example/{tracking}"
    parcel = {"carrier": "Swift Post", "tracking_number": tracking, "tracking_url": url}
    return shipments.ship(number, items, **parcel, actor_id=by.id)


def delivered(number: str, *, by: User, tracking: str = "SP-1") -> None:
    """All that was ordered has arrived."""
    shipments.deliver(shipped(number, by=by, tracking=tracking), actor_id=by.id)
