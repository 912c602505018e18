"""How products and their variants are added and changed. Reading them for shoppers is catalogue's part."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace as changed_to
from datetime import datetime
from typing import Any

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, is_duplicate, q
from ..errors import Conflict, Invalid, NotFound
from ..text import normalize_text
from . import catalogue, descriptions, discovery, events
from .catalogue import Image, Option, Product
from .product_input import ProductInput, VariantInput, as_fields, from_fields, of_one

MOST_VARIANTS = 250
MOST_TAGS_LENGTH = 500  # characters, with what stands between them
NO_VARIANT = "There is no such variant."


class EditedVariant(TypedDict):
    id: int
    position: int
    sku: str | None
    options: dict[str, str]
    price_minor: int
    compare_at_minor: int | None
    stock: int
    tracked: bool
    weight_g: int
    barcode: str
    image_id: int | None


class EditedImage(Image):
    id: int
    position: int


class EditedProduct(Product):
    """A product as its editor sees it, archived and unpublished ones too."""

    currency: str
    markdown: str | None
    type: str
    tax_class: str
    gift_card: bool
    published: bool
    archived_at: datetime | None
    seo_title: str
    seo_description: str
    options: list[Option]
    variants: list[EditedVariant]
    images: list[EditedImage]
    created_at: datetime
    updated_at: datetime


def slug_from(title: str, *, otherwise: str = "product") -> str:
    """`Crème brûlée, 2 pieces` → `creme-brulee-2-pieces`; never a mere number, which would be an id."""
    plain = unicodedata.normalize("NFKD", title.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:180].rstrip("-")
    return f"{otherwise}-{slug}" if slug.isdigit() else slug or otherwise


# ---------------------------------------------------------------- adding and changing


def add(tx: Tx, product: ProductInput, *, actor_id: int | None, reason: str = "initial") -> int:
    """Add a product with its pictures and variants; its first stock is written to the ledger. Gives its id.

    Raises Invalid for what breaks a rule, for a SKU that is taken and for a category that is not there.
    """
    check_product(product)
    _check_against_others(tx, product, own=set())
    _check_images(product, [])
    slug = product.slug or _free_slug(tx, product.title)
    product_id: int = q.products.add(tx, **product_columns(product), slug=slug, demo=product.demo, gift_card=product.gift_card)
    q.products.take_slug(tx, slug=slug)
    image_ids = [
        q.products.add_image(tx, product_id=product_id, position=position, path=path, alt=alt, width=width, height=height, widths="")
        for position, (path, alt, width, height) in enumerate(product.images, 1)
    ]
    variants = [changed_to(variant, image_id=None if variant.image is None else image_ids[variant.image]) for variant in product.variants]
    _add_variants(tx, product_id, list(enumerate(variants, 1)), actor_id, reason)
    discovery.mark(tx, [product_id])
    return product_id


def replace(tx: Tx, product_id: int, product: ProductInput, *, actor_id: int | None, reason: str) -> None:
    """Make the product what `product` says. Its variants are found by id, else by SKU, else by options; those that are missing are archived.

    An empty slug leaves the present one; a former one leads to the new one. An archived product stays so. Raises as add() does, and NotFound.
    """
    now = q.products.lock(tx, product_id=product_id)
    if now is None:
        raise NotFound("There is no such product.")
    check_product(product)
    present = {row["id"]: row for row in q.products.list_variants(tx, product_id=product_id)}
    _check_against_others(tx, product, own=set(present))
    if any(variant.image_id for variant in product.variants):
        _check_images(product, [row["id"] for row in q.catalogue.list_images(tx, product_id=product_id)])
    found = _matched(list(present.values()), product)
    _check_sold(product, [present.get(one or 0) for one in found], gift_card=bool(now["gift_card"]))
    _write_variants(tx, product_id, product, present, found, actor_id, reason)
    slug = product.slug or now["slug"]
    q.products.change(tx, product_id=product_id, slug=slug, **product_columns(product))
    if slug != now["slug"]:
        q.products.keep_slug(tx, slug=now["slug"], product_id=product_id)
        q.products.take_slug(tx, slug=slug)
    discovery.mark(tx, [product_id])


def _write_variants(
    tx: Tx, product_id: int, product: ProductInput, present: dict[int, Row], found: list[int | None], actor_id: int | None, reason: str
) -> None:
    stock = {row["id"]: row["stock"] for row in q.products.lock_variants(tx, variant_ids=sorted(present))}
    placed = [(position, variant, one) for position, (variant, one) in enumerate(zip(product.variants, found, strict=True), 1)]
    kept = [(position, changed_to(variant, id=one)) for position, variant, one in placed if one]
    gone = sorted(stock.keys() - set(found))
    if gone:
        q.products.archive_variants(tx, variant_ids=gone)
    if freed := [variant.id for _, variant in kept if present[variant.id or 0]["sku"] not in (None, variant.sku)]:
        q.products.free_skus(tx, variant_ids=freed)
    if kept:
        q.products.change_variants(tx, variants=variants_as_json(kept))
    note_stock(
        tx, [{"variant_id": one, "quantity": variant.stock - stock[one]} for _, variant, one in placed if one and variant.stock is not None], actor_id, reason
    )
    new = [(position, variant) for position, variant, one in placed if not one]
    _add_variants(tx, product_id, new, actor_id, "initial")


def check_product(product: ProductInput) -> None:
    names = [name for name in product.option_names if name]
    if list(product.option_names[: len(names)]) != names or len({name.casefold() for name in names}) < len(names):
        raise Invalid(options="Options are named in order, each by a name of its own.")
    if not 1 <= len(product.variants) <= MOST_VARIANTS:
        raise Invalid(variants=f"A product has at least one variant and at most {MOST_VARIANTS}.")
    if not names and len(product.variants) > 1:
        raise Invalid(options="Several variants need options to tell them apart.")
    if len(", ".join(product.tags)) > MOST_TAGS_LENGTH:
        raise Invalid(tags=f"Together at most {MOST_TAGS_LENGTH} characters.")
    seen: set[Any] = set()
    for place, variant in enumerate(product.variants):
        if [bool(value) for value in variant.options] != [bool(name) for name in product.option_names]:
            raise _wrong(product, place, "options", "A value of each option is needed.")
        same = tuple(value.casefold() for value in variant.options)
        if same in seen:
            raise _wrong(product, place, "options", "Another variant has the same options.")
        if variant.sku and variant.sku in seen:
            raise _wrong(product, place, "sku", f"“{variant.sku}” is the SKU of another variant already.")
        seen |= {same, variant.sku}


def _check_sold(product: ProductInput, before: Sequence[Row | None], *, gift_card: bool) -> None:
    """What staff may not make of a variant, but may leave as an import has left it."""
    for place, (variant, row) in enumerate(zip(product.variants, before, strict=True)):
        if variant.price_minor == 0 and (row is None or row["price_minor"]):
            raise _wrong(product, place, "price_minor", "A price is more than 0. Only one that is 0 already may stay so.")
        if not gift_card:
            continue
        if variant.tracked and (row is None or not row["tracked"]):
            raise _wrong(product, place, "tracked", "Gift cards are not counted: they are made when they are paid.")
        if variant.stock and (row is None or variant.stock != row["stock"]):
            raise _wrong(product, place, "stock", "Gift cards have no stock: they are made when they are paid.")
        if variant.weight_g and (row is None or variant.weight_g != row["weight_g"]):
            raise _wrong(product, place, "weight_g", "Gift cards come by mail and weigh nothing.")


def _wrong(product: ProductInput, place: int, name: str, sentence: str) -> Invalid:
    """A product without options has the fields of its only variant beside its own."""
    return Invalid(fields={f"variants.{place}.{name}" if any(product.option_names) else name: [sentence]})


def _check_images(product: ProductInput, image_ids: list[int]) -> None:
    for place, variant in enumerate(product.variants):
        if variant.image_id and variant.image_id not in image_ids:
            raise _wrong(product, place, "image_id", "This product has no such picture.")


def product_columns(product: ProductInput) -> Row:
    prices = [variant.price_minor for variant in product.variants]
    return {
        "title": product.title,
        "description": descriptions.sanitised(product.description_html) if product.markdown is None else descriptions.rendered(product.markdown),
        "markdown": product.markdown,
        "category_id": product.category_id,
        "brand": product.brand,
        "type": product.type,
        "tax_class": product.tax_class,
        "tags": ", ".join(product.tags),
        "option1": product.option_names[0],
        "option2": product.option_names[1],
        "option3": product.option_names[2],
        "price_minor": min(prices),
        "price_max_minor": max(prices),
        "seo_title": product.seo_title,
        "seo_description": product.seo_description,
        "published": product.published,
    }


def _matched(present: list[Row], product: ProductInput) -> list[int | None]:
    """The present variant that each wanted one is, or None for a new one."""
    wanted = product.variants
    left = {row["id"]: row for row in present}
    found: list[int | None] = []
    for place, variant in enumerate(wanted):
        if variant.id is not None and variant.id not in left:
            raise _wrong(product, place, "id", "This product has no such variant, or it stands here twice.")
        found.append(variant.id)
        left.pop(variant.id or 0, None)
    for same in (_same_sku, _same_options):
        for place, variant in enumerate(wanted):
            if found[place] is None:
                found[place] = next((row["id"] for row in left.values() if same(row, variant)), None)
                left.pop(found[place] or 0, None)
    if len(wanted) == len(present) == 1:
        found = [present[0]["id"]]
    return found


def _same_sku(row: Row, variant: VariantInput) -> bool:
    return bool(variant.sku) and row["sku"] == variant.sku


def _same_options(row: Row, variant: VariantInput) -> bool:
    # Options stored before text was normalized are the same options.
    stored = tuple(normalize_text(row[name]) for name in ("option1", "option2", "option3"))
    return stored == variant.options


def _check_against_others(tx: Tx, product: ProductInput, *, own: set[int]) -> None:
    skus = [variant.sku for variant in product.variants if variant.sku]
    taken = {row["sku"]: row["title"] for row in q.products.list_skus(tx, skus=skus) if row["id"] not in own} if skus else {}
    for place, variant in enumerate(product.variants):
        if variant.sku in taken:
            raise _wrong(product, place, "sku", f"“{variant.sku}” is the SKU of a variant of “{taken[variant.sku]}” already.")
    if product.category_id is not None and q.products.hold_category(tx, category_id=product.category_id) is None:
        raise Invalid(category_id="There is no such category.")


def _free_slug(tx: Tx, title: str) -> str:
    """One that nobody has or had: a link to a product that moved on must not lead to this one."""
    slug = slug_from(title)
    wanted = [slug, *(f"{slug}-{number}" for number in range(2, 10)), f"{slug}-{secrets.token_hex(4)}"]
    taken = {row["slug"] for row in q.products.list_slugs(tx, slugs=wanted)}
    return next(one for one in wanted if one not in taken)


def _add_variants(tx: Tx, product_id: int, variants: list[tuple[int, VariantInput]], actor_id: int | None, reason: str) -> None:
    if not variants:
        return
    q.products.add_variants(tx, product_id=product_id, variants=variants_as_json(variants))
    ids = {row["position"]: row["id"] for row in q.products.list_variants(tx, product_id=product_id)}
    note_stock(tx, [{"variant_id": ids[position], "quantity": variant.stock or 0} for position, variant in variants], actor_id, reason)


def note_stock(tx: Tx, moved: list[Row], actor_id: int | None, reason: str) -> None:
    moved = [one for one in moved if one["quantity"]]
    if moved:
        q.stock.note_all(tx, moves=orjson.dumps(moved).decode(), actor_id=actor_id, reason=reason)


def variants_as_json(variants: list[tuple[int, VariantInput]]) -> str:
    return orjson.dumps([variant_columns(position, variant) for position, variant in variants]).decode()


def variant_columns(position: int, variant: VariantInput) -> Row:
    return {
        "id": variant.id,
        "position": position,
        "sku": variant.sku or None,
        "option1": variant.options[0],
        "option2": variant.options[1],
        "option3": variant.options[2],
        "price_minor": variant.price_minor,
        "compare_at_minor": variant.compare_at_minor,
        "stock": variant.stock,
        "tracked": int(variant.tracked),
        "weight_g": variant.weight_g,
        "barcode": variant.barcode,
        "image_id": variant.image_id,
    }


# ---------------------------------------------------------------- for staff


def edited(product_id: int, currency: str) -> EditedProduct:
    """The product as its editor sees it. Raises NotFound."""
    with db.reading() as tx:
        return _edited(tx, product_id, currency)


def _edited(tx: Tx, product_id: int, currency: str) -> EditedProduct:
    row = q.products.get(tx, product_id=product_id)
    if row is None:
        raise NotFound("There is no such product.")
    variants = q.products.list_variants(tx, product_id=product_id)
    images = q.catalogue.list_images(tx, product_id=product_id)
    names = [name for name in (row["option1"], row["option2"], row["option3"]) if name]
    return {
        "id": row["id"],
        "slug": row["slug"],
        "title": row["title"],
        "description": row["description"],
        "markdown": row["markdown"],
        "category": {"id": row["category_id"], "slug": row["category_slug"], "name": row["category_name"]} if row["category_id"] else None,
        "brand": row["brand"],
        "type": row["type"],
        "tax_class": row["tax_class"],
        "gift_card": bool(row["gift_card"]),
        "tags": [tag for tag in row["tags"].split(", ") if tag],
        "price_minor": row["price_minor"],
        "price_max_minor": row["price_max_minor"],
        "compare_at_minor": max((one["compare_at_minor"] for one in variants if one["compare_at_minor"]), default=None),
        "in_stock": any(one["stock"] > 0 or not one["tracked"] for one in variants),
        "stock": sum(one["stock"] for one in variants),
        "variant_count": len(variants),
        "rating": round(int(row["rating_sum"]) / row["rating_count"], 1) if row["rating_count"] else None,
        "rating_count": row["rating_count"],
        "image": catalogue.image_of(images[0]) if images else None,
        "version": row["version"],
        "currency": currency,
        "published": bool(row["published"]),
        "archived_at": row["archived_at"],
        "seo_title": row["seo_title"],
        "seo_description": row["seo_description"],
        "options": [{"name": name, "values": list(dict.fromkeys(one[f"option{place}"] for one in variants))} for place, name in enumerate(names, 1)],
        "variants": [_variant(one, names) for one in variants],
        "images": [edited_image(image) for image in images],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def edited_image(row: Row) -> EditedImage:
    return {**catalogue.image_of(row), "id": row["id"], "position": row["position"]}


def _variant(row: Row, names: list[str]) -> EditedVariant:
    return {
        "id": row["id"],
        "position": row["position"],
        "sku": row["sku"],
        "options": {name: row[f"option{place}"] for place, name in enumerate(names, 1)},
        "price_minor": row["price_minor"],
        "compare_at_minor": row["compare_at_minor"],
        "stock": row["stock"],
        "tracked": bool(row["tracked"]),
        "weight_g": row["weight_g"],
        "barcode": row["barcode"],
        "image_id": row["image_id"],
    }


def create(fields: dict[str, Any], *, actor_id: int, currency: str) -> EditedProduct:
    """Add a product from what the API takes. Raises Invalid with the field's name."""
    product = from_fields(fields)
    _check_sold(product, [None] * len(product.variants), gift_card=product.gift_card)

    def work(tx: Tx) -> EditedProduct:
        product_id = add(tx, product, actor_id=actor_id)
        _record(tx, product_id, actor_id, "added")
        return _edited(tx, product_id, currency)

    return _saved(work)


def change(product_id: int, version: int, fields: dict[str, Any], *, actor_id: int, currency: str, partly: bool = False) -> EditedProduct:
    """Replace the product, or with `partly` only what is given. Raises Conflict with `current`, the product as it is, for an older `version`."""

    def work(tx: Tx) -> EditedProduct:
        now = _taken(tx, product_id, version, currency)
        if fields.get("gift_card", now["gift_card"]) != now["gift_card"]:
            raise Invalid(gift_card="A product that is there already cannot become a gift card, or cease to be one.")
        kept = {"gift_card": now["gift_card"], "tax_class": now["tax_class"]}
        wanted = from_fields(as_fields(now) | of_one(now, fields) if partly else kept | fields)
        replace(tx, product_id, wanted, actor_id=actor_id, reason="adjusted")
        _record(tx, product_id, actor_id, "changed")
        return _edited(tx, product_id, currency)

    return _saved(work)


def add_variant(product_id: int, fields: dict[str, Any], *, version: int | None, actor_id: int, currency: str) -> EditedProduct:
    """Add a variant to a product. Raises as change() does."""
    return _with_variants(product_id, version, lambda variants: [*variants, fields], actor_id, currency)


def change_variant(variant_id: int, fields: dict[str, Any], *, version: int | None, actor_id: int | None, currency: str) -> EditedProduct:
    """Replace one variant. Raises as change() does."""

    def changed(variants: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if variant_id not in {one["id"] for one in variants}:
            raise NotFound(NO_VARIANT)
        return [one | fields | {"id": variant_id} if one["id"] == variant_id else one for one in variants]

    return _with_variants(_product_of(variant_id), version, changed, actor_id, currency)


def archive_variant(variant_id: int, *, actor_id: int, currency: str) -> None:
    """Take a variant out of the product. Raises Conflict for the last one."""

    def without(variants: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(variants) == 1:
            raise Conflict("A product has at least one variant. Archive the product instead.")
        return [one for one in variants if one["id"] != variant_id]

    _with_variants(_product_of(variant_id), None, without, actor_id, currency)


def _product_of(variant_id: int) -> int:
    with db.reading() as tx:
        product_id: int | None = q.products.product_of_variant(tx, variant_id=variant_id)
    if product_id is None:
        raise NotFound(NO_VARIANT)
    return product_id


def _with_variants(
    product_id: int, version: int | None, changed: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], actor_id: int | None, currency: str
) -> EditedProduct:
    def work(tx: Tx) -> EditedProduct:
        now = as_fields(_taken(tx, product_id, version, currency))
        wanted = from_fields(now | {"variants": changed(now["variants"]), "options": [{"name": one["name"]} for one in now["options"]]})
        replace(tx, product_id, wanted, actor_id=actor_id, reason="adjusted")
        _record(tx, product_id, actor_id, "changed")
        return _edited(tx, product_id, currency)

    try:
        return _saved(work)
    except Invalid as error:
        # The body held one variant only, so its fields have no number.
        raise Invalid(fields={re.sub(r"^variants\.\d+\.", "", name): told for name, told in error.errors.items()}) from None


def archive(product_id: int, *, actor_id: int) -> None:
    """Put a product away: shoppers see it no more, orders and invoices still name it. Doing it twice is no fault. Raises NotFound."""
    db.transaction(_switch, product_id, actor_id, "archived")


def restore(product_id: int, *, actor_id: int) -> None:
    """Bring a product back. Raises NotFound."""
    db.transaction(_switch, product_id, actor_id, "restored")


def _switch(tx: Tx, product_id: int, actor_id: int, action: str) -> None:
    if q.products.lock(tx, product_id=product_id) is None:
        raise NotFound("There is no such product.")
    done = q.products.archive(tx, product_id=product_id) if action == "archived" else q.products.restore(tx, product_id=product_id)
    if done:
        discovery.mark(tx, [product_id])
        _record(tx, product_id, actor_id, action)


def _taken(tx: Tx, product_id: int, version: int | None, currency: str) -> EditedProduct:
    """The product, held for this transaction."""
    row = q.products.lock(tx, product_id=product_id)
    if row is None:
        raise NotFound("There is no such product.")
    now = _edited(tx, product_id, currency)
    if version is not None and row["version"] != version:
        raise Conflict("Somebody else has changed this product meanwhile.", code="version_conflict", current=now)
    return now


def _record(tx: Tx, product_id: int, actor_id: int | None, action: str) -> None:
    events.note(tx, "products_changed", product_id, subject="product", actor_id=actor_id, action=action, count=1)


def _saved(work: Callable[[Tx], EditedProduct]) -> EditedProduct:
    try:
        return db.transaction(work)
    except db.DRIVER_ERRORS as error:
        # Somebody else took it between the look and the write.
        if is_duplicate(error, "uq_products_slug"):
            raise Invalid(slug="Another product has this address.") from error
        if is_duplicate(error, "uq_variants_sku"):
            raise Invalid(sku="Another variant has one of these SKUs.") from error
        raise
