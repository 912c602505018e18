"""Ids in bodies that name nothing: every endpoint that takes one answers with a clean error."""

from __future__ import annotations

import typing
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import PASSWORD, Thing, User
from flask import Flask
from pydantic import BaseModel
from test_routes import calls, endpoint_of

from app import db
from app.errors import Conflict
from app.services import returns

UNKNOWN = 2**40
ADMIN = "/api/v1/admin"


@dataclass(frozen=True)
class World:
    """What the requests need besides the unknown id."""

    mug: Thing
    alice: User
    order: dict[str, Any]
    return_id: int
    image_id: int
    category: int
    coupon: int


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    browser = new_client().as_(ada)
    browser.post("/api/v1/auth/step-up", json={"password": PASSWORD})
    return browser


@pytest.fixture
def world(client: ShopClient, desk: ShopClient, alice: User, ada: User, mug: Thing) -> World:
    """A shop in which everything that a body may name exists, and Alice has an approved return."""
    client.as_(alice).add(mug.variant, 2)
    order = client.order(payment_method="bank_transfer").json
    factories.paid(order["number"])
    parcel = [{"item_id": order["items"][0]["id"], "quantity": 1}]
    factories.shipped(order["number"], by=ada, items=parcel)
    wanted = [{"item_id": order["items"][0]["id"], "quantity": 1, "reason": "other"}]
    sent = client.post(
        f"/api/v1/orders/{order['number']}/returns",
        json={"items": wanted},
        headers={"Idempotency-Key": "return"},
    )
    return_id = sent.json["returns"][0]["id"]
    returns.decide(return_id, "approved", answer="", actor_id=ada.id)
    factories.write(
        "INSERT INTO images (product_id, position, path, width, height) VALUES (%s, 1, 'a', 9, 9)",
        mug.id,
    )
    coupon = {"code": "TEN", "name": "Ten off", "kind": "percent", "value": 1000}
    return World(
        mug=mug,
        alice=alice,
        order=order,
        return_id=return_id,
        image_id=factories.value("SELECT id FROM images"),
        category=factories.category("Cups"),
        coupon=desk.post(f"{ADMIN}/coupons", json=coupon).json["id"],
    )


def ordered(world: World, **more: Any) -> dict[str, Any]:
    items = [{"variant_id": world.mug.variant, "quantity": 1}]
    return factories.order_body(items=items, email="guest@example.com", **more)


def unknown_item(**more: Any) -> dict[str, Any]:
    return {"item_id": UNKNOWN, "quantity": 1} | more


def product_body(world: World, **more: Any) -> dict[str, Any]:
    return {"title": "Cup", "price_minor": 100} | more


PROMOTION = {"code": "NEW", "name": "New", "kind": "percent", "value": 500}
VARIANT: dict[str, Any] = {"price_minor": 100}
REFUSED = {404, 409, 422}
# Bulk actions pass over what is not there.
SKIPPED = {200, 202, 204, 404, 422}

Case = tuple[str, Callable[[World], dict[str, Any]], set[int]]
# By method, rule and path of the field: who asks, the body, and the statuses that are right.
CASES: dict[tuple[str, str, str], Case] = {
    ("POST", f"{ADMIN}/products/actions", "ids"): (
        "desk",
        lambda w: {"action": "publish", "ids": [UNKNOWN]},
        SKIPPED,
    ),
    ("POST", f"{ADMIN}/products/actions", "category_id"): (
        "desk",
        lambda w: {"action": "set_category", "ids": [w.mug.id], "category_id": UNKNOWN},
        REFUSED,
    ),
    ("POST", f"{ADMIN}/users/actions", "ids"): (
        "desk",
        lambda w: {"action": "end_sessions", "ids": [UNKNOWN]},
        SKIPPED,
    ),
    ("POST", f"{ADMIN}/mails/retries", "ids"): ("desk", lambda w: {"ids": [UNKNOWN]}, SKIPPED),
    ("POST", f"{ADMIN}/newsletters/subscribers/removals", "ids"): (
        "desk",
        lambda w: {"ids": [UNKNOWN]},
        SKIPPED,
    ),
    ("POST", f"{ADMIN}/orders/quote", "items.variant_id"): (
        "desk",
        lambda w: {"items": [{"variant_id": UNKNOWN, "quantity": 1}]},
        REFUSED,
    ),
    ("POST", f"{ADMIN}/orders/quote", "user_id"): (
        "desk",
        lambda w: {"items": [{"variant_id": w.mug.variant, "quantity": 1}], "user_id": UNKNOWN},
        REFUSED,
    ),
    ("POST", f"{ADMIN}/orders", "items.variant_id"): (
        "desk",
        lambda w: ordered(w) | {"items": [{"variant_id": UNKNOWN, "quantity": 1}]},
        REFUSED,
    ),
    ("POST", f"{ADMIN}/orders", "user_id"): (
        "desk",
        lambda w: ordered(w, user_id=UNKNOWN),
        REFUSED,
    ),
    ("POST", f"{ADMIN}/orders/<number>/shipments", "items.item_id"): (
        "desk",
        lambda w: {"items": [unknown_item()]},
        REFUSED,
    ),
    ("POST", f"{ADMIN}/orders/<number>/refunds", "items.item_id"): (
        "desk",
        lambda w: {"items": [unknown_item()]},
        REFUSED,
    ),
    ("POST", f"{ADMIN}/orders/<number>/refunds", "return_id"): (
        "desk",
        lambda w: {
            "items": [{"item_id": w.order["items"][0]["id"], "quantity": 1}],
            "return_id": UNKNOWN,
        },
        REFUSED,
    ),
    ("POST", f"{ADMIN}/returns/<int:return_id>/receipt", "restocked.item_id"): (
        "desk",
        lambda w: {"restocked": [unknown_item()]},
        REFUSED,
    ),
    ("POST", "/api/v1/orders/<number>/returns", "items.item_id"): (
        "alice",
        lambda w: {"items": [unknown_item(reason="other")]},
        REFUSED,
    ),
    ("POST", f"{ADMIN}/inventory/adjustments", "variant_id"): (
        "desk",
        lambda w: {"variant_id": UNKNOWN, "quantity": 1, "reason": "received"},
        REFUSED,
    ),
    ("POST", "/api/v1/cart/items", "variant_id"): (
        "alice",
        lambda w: {"variant_id": UNKNOWN},
        REFUSED,
    ),
    ("POST", "/api/v1/cart/items", "product_id"): (
        "alice",
        lambda w: {"product_id": UNKNOWN},
        REFUSED,
    ),
    ("POST", "/api/v1/checkout/quote", "address_id"): (
        "alice",
        lambda w: {"address_id": UNKNOWN},
        REFUSED,
    ),
    ("POST", "/api/v1/orders", "address_id"): (
        "alice",
        lambda w: {
            "address_id": UNKNOWN,
            "shipping_method": "standard",
            "payment_method": "cash_on_delivery",
        },
        REFUSED,
    ),
    ("POST", "/api/v1/categories", "parent_id"): (
        "desk",
        lambda w: {"name": "Below", "parent_id": UNKNOWN},
        REFUSED,
    ),
    ("PUT", "/api/v1/categories/<int:category_id>", "parent_id"): (
        "desk",
        lambda w: {"name": "Below", "parent_id": UNKNOWN, "version": 1},
        REFUSED,
    ),
    ("POST", f"{ADMIN}/coupons", "category_id"): (
        "desk",
        lambda w: PROMOTION | {"category_id": UNKNOWN},
        REFUSED,
    ),
    ("POST", f"{ADMIN}/coupons", "product_id"): (
        "desk",
        lambda w: PROMOTION | {"product_id": UNKNOWN},
        REFUSED,
    ),
    ("PUT", f"{ADMIN}/coupons/<int:promotion_id>", "category_id"): (
        "desk",
        lambda w: PROMOTION | {"category_id": UNKNOWN, "version": 1},
        REFUSED,
    ),
    ("PUT", f"{ADMIN}/coupons/<int:promotion_id>", "product_id"): (
        "desk",
        lambda w: PROMOTION | {"product_id": UNKNOWN, "version": 1},
        REFUSED,
    ),
    ("POST", "/api/v1/products/<int:product_id>/variants", "image_id"): (
        "desk",
        lambda w: VARIANT | {"options": {"Kind": "B"}, "image_id": UNKNOWN},
        REFUSED,
    ),
    ("PUT", "/api/v1/variants/<int:variant_id>", "image_id"): (
        "desk",
        lambda w: VARIANT | {"image_id": UNKNOWN},
        REFUSED,
    ),
}
for method, rule in (
    ("POST", "/api/v1/products/<int:product_id>/variants"),
    ("PUT", "/api/v1/variants/<int:variant_id>"),
):
    # The path names the variant; that of the body says nothing.
    CASES[method, rule, "id"] = (
        "desk",
        lambda w: VARIANT | {"options": {"Kind": "B"}, "id": UNKNOWN},
        REFUSED | SKIPPED | {201},
    )
CASES["PUT", "/api/v1/products/<int:product_id>/images", "order"] = (
    "desk",
    lambda w: {"order": [UNKNOWN]},
    REFUSED,
)
# A product's body is the same however it is sent.
for method, rule, version in (
    ("POST", "/api/v1/products", {}),
    ("PUT", "/api/v1/products/<int:product_id>", {"version": 1}),
    ("PATCH", "/api/v1/products/<int:product_id>", {"version": 1}),
):
    more: dict[str, Any] = version
    CASES[method, rule, "category_id"] = (
        "desk",
        lambda w, more=more: product_body(w, category_id=UNKNOWN, **more),
        REFUSED,
    )
    CASES[method, rule, "variants.id"] = (
        "desk",
        lambda w, more=more: product_body(w, variants=[VARIANT | {"id": UNKNOWN}], **more),
        REFUSED,
    )
    CASES[method, rule, "variants.image_id"] = (
        "desk",
        lambda w, more=more: product_body(w, variants=[VARIANT | {"image_id": UNKNOWN}], **more),
        REFUSED,
    )


def id_fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted paths of the fields of a body that hold ids."""
    for name, field in model.model_fields.items():
        if name in ("id", "ids", "order") or name.endswith(("_id", "_ids")):
            yield f"{prefix}{name}"
        for nested in models_in(field.annotation):
            yield from id_fields(nested, f"{prefix}{name}.")


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in typing.get_args(annotation):
        yield from models_in(one)


def test_every_id_in_a_body_is_tried_here(app: Flask) -> None:
    bodies = [(rule.rule, method, endpoint_of(app, rule).body) for rule, method, _ in calls(app)]
    taking = [(rule, method, body) for rule, method, body in bodies if body]
    found = {(method, rule, path) for rule, method, body in taking for path in id_fields(body)}
    assert found == set(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case))
def test_an_id_that_names_nothing_is_a_clean_error(
    client: ShopClient,
    desk: ShopClient,
    world: World,
    case: tuple[str, str, str],
) -> None:
    method, rule, _ = case
    who, body, statuses = CASES[case]
    path = rule.replace("<number>", world.order["number"])
    for name, value in {
        "return_id": world.return_id,
        "category_id": world.category,
        "promotion_id": world.coupon,
        "product_id": world.mug.id,
        "variant_id": world.mug.variant,
    }.items():
        path = path.replace(f"<int:{name}>", str(value))
    browser = desk if who == "desk" else client
    if path.endswith("/orders"):
        browser.add(world.mug.variant)
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    answer = browser.open(path, method=method, json=body(world), headers=headers)
    assert answer.status_code in statuses, answer.data
    assert "request_id" not in (answer.json or {}) or answer.json["code"] != "reference_missing"


def test_a_coupon_for_an_unknown_product_is_refused_there(desk: ShopClient, world: World) -> None:
    body = PROMOTION | {"product_id": UNKNOWN}
    answer = desk.post(f"{ADMIN}/coupons", json=body)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["product_id"])
    with db.reading() as tx:
        assert tx.execute("SELECT COUNT(*) FROM promotions").fetchone() == (1,)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE products SET category_id = 999", "DELETE FROM products"],
    ids=["refers to nothing", "is referred to"],
)
def test_a_broken_foreign_key_is_a_conflict(mug: Thing, statement: str) -> None:
    with pytest.raises(Conflict):
        db.transaction(lambda tx: tx.execute(statement).close())
