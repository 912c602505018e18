"""Things that tests need in the shop, made through the services that make them in real life."""

from __future__ import annotations

import functools
import itertools
import secrets
from dataclasses import dataclass
from typing import Any

from app import db, security
from app.db import Tx
from app.services import catalogue, sessions
from app.services.catalogue import NewProduct, NewVariant

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


def category(name: str) -> int:
    return db.transaction(lambda tx: catalogue.add_category(tx, name=name))


def product(title: str = "", *, stock: int = 5, price_minor: int = 1000, variants: list[dict[str, Any]] | None = None, **more: Any) -> Thing:
    """A product with one variant, or with the given ones: `variants=[{"options": ("S", "", ""), "stock": 1}]`."""
    title = title or f"Thing {next(_number)}"
    made = [NewVariant(**({"price_minor": price_minor, "stock": stock} | one)) for one in variants or [{}]]
    slug = more.pop("slug", catalogue.slug_from(title))

    def add(tx: Tx) -> Thing:
        product_id = catalogue.add_product(tx, NewProduct(title=title, slug=slug, variants=made, **more))
        cursor = tx.execute("SELECT id FROM variants WHERE product_id = %s ORDER BY position", (product_id,))
        return Thing(product_id, slug, title, [row[0] for row in cursor.fetchall()])

    return db.transaction(add)


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
