"""Applies the stored plan of an import in small transactions.

Orders and sign-ins wait for the locks of an import as long as one batch takes. A batch is one
transaction: it locks the import's row, then its products and then all their variants, each in
ascending order of id; it compares the products with the file once more, now that no other transaction can
change them; it writes them with a fixed number of statements; and it moves the progress marker of
the import. So a runner that is killed has applied a batch or has not, and the next one continues at
the marker. Batches are sized by the time that the former ones took.

An import that began to be applied is always completed. The whole file was checked against the shop
before the first batch. What is changed between that check and a product's batch is treated
as follows:

- The file wins for what it has columns for, and leaves everything else as it is now.
- The stock of a variant becomes what the file says. It is computed under the row's lock, and the
  difference is written to the ledger. An order comes either before, and its movement stays in the
  ledger, or after, and takes from the new stock. Where the file has the stock that the shop had
  when the plan was made, the stock is left alone, so that what is sold meanwhile stays sold.
- A category that was deleted is added again.
- A product that can no longer be applied, such as one whose SKU was given to another product,
  is left out as a whole and listed among the errors of the import. Importing the file again tries
  it again, and finds nothing to do for the others.

Customers see new products and prices batch by batch while an import is applied.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from .. import db, money
from ..db import DRIVER_ERRORS, DUPLICATE, Row, Tx, q
from ..errors import Conflict, ShopError, Unavailable
from . import categories, discovery, import_plans, products
from .import_plans import Chunk, PlannedProduct
from .product_csv import NAMES, OPTIONS, Sheet
from .product_csv import Remark as RowError
from .product_diff import Change, Merged, Plan, Tree, check_skus, compare_goods, stored_goods
from .product_input import ProductInput, VariantInput

log = logging.getLogger("shop.imports")

TARGET_BATCH_SECONDS = 0.04
# Also the first batch. A busy process spends most of a batch waiting for its turn between statements,
# of which fewer products need as many, so that smaller batches would not hold their locks for less.
MIN_BATCH_PRODUCTS = 8
MAX_BATCH_PRODUCTS = 100
# The version by which catalog responses are cached looks at the last 500 stock movements. More of
# them in one transaction could hide an order that commits late.
MAX_BATCH_VARIANTS = 300
MAX_ERRORS = 200
MAX_TRIES = 4  # of a product that collides with a concurrent write


class Superseded(Conflict):
    """Another runner applies this import, or finished it."""


class Rejected(Exception):
    """A product cannot be applied any more; `error` says why."""

    def __init__(self, error: RowError) -> None:
        super().__init__(error.message)
        self.error = error


class Outdated(Exception):
    """Something was removed before it was locked, so the batch is to be compared again."""


class BatchSize:
    """How many products the next batch has, by how long the former one took."""

    def __init__(self) -> None:
        self.products = MIN_BATCH_PRODUCTS

    def take(self, pending: list[PlannedProduct]) -> list[PlannedProduct]:
        """Return the first products of those that are left, at least one."""
        variants = 0
        for count, product in enumerate(pending[: self.products]):
            variants += len(product.good.lines)
            if count and variants > MAX_BATCH_VARIANTS:
                return pending[:count]
        return pending[: self.products]

    def adapt(self, products: int, seconds: float) -> None:
        fitting = int(products * TARGET_BATCH_SECONDS / max(seconds, 0.001))
        largest = min(2 * self.products, MAX_BATCH_PRODUCTS)
        self.products = max(MIN_BATCH_PRODUCTS, min(fitting, largest))


def apply_plan(import_id: int) -> None:
    """Apply what is left of a plan.

    Raises Superseded, and Unavailable while the database is away; the next runner continues then.
    """
    size = BatchSize()
    while True:
        with db.reading() as tx:
            row = q.imports.get_next_chunk(tx, id=import_id)
        if row is None:
            return
        chunk = import_plans.decode_chunk(row["products"])
        position = row["applied"]
        pending = chunk.products[position - row["position"] :]
        while pending:
            batch = size.take(pending)
            began = time.monotonic()
            _apply(import_id, position, chunk, batch)
            size.adapt(len(batch), time.monotonic() - began)
            pending = pending[len(batch) :]
            position += len(batch)


def _apply(import_id: int, position: int, chunk: Chunk, batch: list[PlannedProduct]) -> None:
    """Apply a batch. A product that cannot be applied is found by halving it, and left out."""
    try:
        _apply_whole(import_id, position, chunk, batch)
    except (Superseded, Unavailable):
        raise
    except Exception as error:
        if len(batch) > 1:
            middle = len(batch) // 2
            _apply(import_id, position, chunk, batch[:middle])
            _apply(import_id, position + middle, chunk, batch[middle:])
            return
        # Even for a bug of ours: one product must not keep all that follow from being applied.
        (product,) = batch
        context = {"import": import_id, "product": product.good.handle}
        log.warning("a product was left out of an import", exc_info=error, extra=context)
        db.transaction(_leave_out, import_id, position, product, error)


def _apply_whole(
    import_id: int,
    position: int,
    chunk: Chunk,
    batch: list[PlannedProduct],
) -> None:
    for attempt in range(1, MAX_TRIES + 1):
        try:
            db.transaction(_apply_batch, import_id, position, chunk, batch)
            return
        except Outdated:
            if attempt == MAX_TRIES:
                raise
        except DRIVER_ERRORS as error:
            # A handle or a SKU was taken after the comparison, which finds it when repeated.
            if db.error_number(error) != DUPLICATE or attempt == MAX_TRIES:
                raise


def _apply_batch(
    tx: Tx,
    import_id: int,
    position: int,
    chunk: Chunk,
    batch: list[PlannedProduct],
) -> None:
    actor_id = _lock_import(tx, import_id, position)["user_id"]
    planned = {product.good.handle: product for product in batch}
    plan = _compare_locked(tx, chunk, planned)
    if plan.sheet.errors:
        raise Rejected(plan.sheet.errors[0])
    category_ids = find_category_ids(tx, plan)
    writes = []
    for change in plan.changes:
        product = as_input(change, category_ids, chunk.currency)
        writes.append(_ProductWrite(change, product, planned[change.good.handle]))
    _lock_categories(tx, writes)
    _write(tx, writes, actor_id)
    q.imports.advance(tx, id=import_id, count=len(batch))


def _lock_import(tx: Tx, import_id: int, position: int) -> Row:
    row: Row | None = q.imports.lock_applying(tx, id=import_id)
    if row is None or row["applied"] != position:
        raise Superseded("Another runner applies this import.")
    return row


def _leave_out(
    tx: Tx,
    import_id: int,
    position: int,
    product: PlannedProduct,
    error: Exception,
) -> None:
    result = orjson.loads(_lock_import(tx, import_id, position)["result"])
    result["error_count"] += 1
    if len(result["errors"]) < MAX_ERRORS:
        result["errors"].append(asdict(_describe(error, product)))
    result["diff"]["counts"]["new" if product.is_new else "changed"] -= 1
    q.imports.set_result(tx, id=import_id, result=orjson.dumps(result).decode())
    q.imports.advance(tx, id=import_id, count=1)


def _describe(error: Exception, product: PlannedProduct) -> RowError:
    handle, row = product.good.handle, product.good.row
    changed = f"“{handle}” was left out, because it changed during the import:"
    if isinstance(error, Rejected):
        found = error.error
        return RowError(found.row or row, found.column, f"{changed} {found.message}")
    if isinstance(error, ShopError):
        return RowError(row, "", f"{changed} {error.detail}")
    unexpected = f"“{handle}” was left out, because something went wrong on our side."
    return RowError(row, "", unexpected)


# ---------------------------------------------------------------- comparing under locks


def _compare_locked(tx: Tx, chunk: Chunk, planned: dict[str, PlannedProduct]) -> Plan:
    """Lock those products of a batch that the shop has, and compare all with the file."""
    ids = sorted(row["id"] for row in q.imports.list_ids(tx, slugs=list(planned)))
    rows = _lock_products(tx, ids) if ids else []
    file = chunk.sheet
    plan = Plan(Sheet(format=file.format, columns=file.columns), Tree.read(tx))
    stored = stored_goods(tx, rows, plan.tree, chunk.currency) if rows else []
    goods = [product.good for product in planned.values()]
    compare_goods(plan, goods, stored, lambda good: planned[good.handle].image_names)
    check_skus(tx, plan)
    for change in plan.changes:
        restocked = planned[change.good.handle].restocked_rows
        for line in change.lines:
            if line.id is not None and line.row not in restocked:
                line.restocked = False
    return plan


def _lock_products(tx: Tx, product_ids: list[int]) -> list[Row]:
    rows: list[Row] = q.imports.lock_products(tx, product_ids=product_ids)
    # No variant can be added now, since that needs the lock of its product.
    variants = q.imports.list_variant_ids(tx, product_ids=product_ids)
    if variants:
        q.imports.lock_variants(tx, variant_ids=sorted(row["id"] for row in variants))
    return rows


def find_category_ids(tx: Tx, plan: Plan) -> dict[str, int]:
    """Return the id of each category by its path in lower case, and add those that are missing."""
    ids = dict(plan.tree.ids)
    for path in plan.new_categories():
        names = path.split(" > ")
        for depth in range(1, len(names) + 1):
            above = " > ".join(names[: depth - 1]).lower()
            here = " > ".join(names[:depth]).lower()
            if here not in ids:
                ids[here] = categories.add(tx, name=names[depth - 1], parent_id=ids.get(above))
    return ids


def _lock_categories(tx: Tx, writes: list[_ProductWrite]) -> None:
    ids = {one.product.category_id for one in writes if one.product.category_id is not None}
    if ids and len(q.imports.lock_categories(tx, category_ids=sorted(ids))) < len(ids):
        raise Outdated("A category was deleted.")


# ---------------------------------------------------------------- a product as it is to be


def as_input(change: Change, category_ids: dict[str, int], currency: str) -> ProductInput:
    """Return the product as it is to be; `category_ids` are by their paths in lower case."""
    cells, stored = change.cells, change.stored
    changed = {one["field"] for one in change.fields}
    description, markdown = cells["description"], None
    category_id = category_ids.get(cells["category"].lower())
    if stored and "description" not in changed:
        description, markdown = stored.good.cells["description"], stored.markdown
    if stored and "category" not in changed:
        category_id = stored.category_id
    return ProductInput(
        title=cells["title"],
        slug=change.good.handle,
        description_html=description,
        markdown=markdown,
        category_id=category_id,
        brand=cells["brand"],
        type=cells["type"],
        tags=[tag for tag in cells["tags"].split(", ") if tag],
        published=cells["published"] == "true",
        seo_title=cells["seo_title"],
        seo_description=cells["seo_description"],
        option_names=(cells[NAMES[0]], cells[NAMES[1]], cells[NAMES[2]]),
        variants=[_variant_input(line, currency) for line in change.lines],
        tax_class=cells["tax_class"],
        gift_card=cells["gift_card"] == "true",
    )


def _variant_input(line: Merged, currency: str) -> VariantInput:
    cells = line.cells
    compare_at = cells["compare_at_price"]
    return VariantInput(
        options=(cells[OPTIONS[0]], cells[OPTIONS[1]], cells[OPTIONS[2]]),
        price_minor=money.parse(cells["price"], currency),
        compare_at_minor=money.parse(compare_at, currency) if compare_at else None,
        stock=int(cells["stock"]) if line.restocked else None,
        tracked=cells["tracked"] == "true",
        weight_g=int(cells["weight_g"]),
        barcode=cells["barcode"],
        sku=cells["sku"] or None,
        id=line.id,
    )


@dataclass
class _ProductWrite:
    """A product on its way into the tables; `id` is set once it has one."""

    change: Change
    product: ProductInput
    planned: PlannedProduct
    id: int = 0

    def __post_init__(self) -> None:
        if self.change.stored:
            self.id = self.change.stored.id

    def variants(self) -> Iterable[tuple[int, VariantInput]]:
        """Yield each variant with its position."""
        return enumerate(self.product.variants, 1)


# ---------------------------------------------------------------- writing


def _write(tx: Tx, writes: list[_ProductWrite], actor_id: int | None) -> None:
    """Write the products of a batch, table by table.

    The ledger comes last, since its rows lock the row of the user who imports.
    """
    for one in writes:
        products.check_product(one.product)
    _write_products(tx, writes)
    moves = _change_variants(tx, [one for one in writes if one.change.stored])
    moves += _add_variants(tx, writes)
    _write_images(tx, writes)
    discovery.mark(tx, [one.id for one in writes])
    products.note_stock(tx, moves, actor_id, "import")


def _write_products(tx: Tx, writes: list[_ProductWrite]) -> None:
    new = {one.product.slug: one for one in writes if not one.change.stored}
    if new:
        rows = []
        for slug, one in new.items():
            own = {"slug": slug, "gift_card": one.product.gift_card}
            rows.append(products.product_columns(one.product) | own)
        q.imports.add_products(tx, products=_json(rows))
        q.imports.take_slugs(tx, slugs=list(new))
        for row in q.imports.list_added(tx, slugs=list(new)):
            new[row["slug"]].id = row["id"]
    changed = [one for one in writes if one.change.stored]
    if changed:
        rows = [products.product_columns(one.product) | {"id": one.id} for one in changed]
        q.imports.change_products(tx, products=_json(rows))


def _change_variants(tx: Tx, writes: list[_ProductWrite]) -> list[Row]:
    """Change and archive variants that the shop has; return the movements of their stock."""
    kept: list[tuple[int, VariantInput]] = []
    archived: list[int] = []
    renamed: list[int] = []
    moves: list[Row] = []
    for one in writes:
        assert one.change.stored
        stored = one.change.stored
        before = dict(zip(stored.variant_ids, stored.good.lines, strict=True))
        for position, variant in one.variants():
            if variant.id is None:
                continue
            cells = before.pop(variant.id).cells
            kept.append((position, variant))
            if cells["sku"] not in ("", variant.sku):
                renamed.append(variant.id)
            if variant.stock is not None:
                difference = variant.stock - int(cells["stock"])
                moves.append({"variant_id": variant.id, "quantity": difference})
        archived += before
    if archived:
        q.products.archive_variants(tx, variant_ids=sorted(archived))
    if renamed:
        q.products.free_skus(tx, variant_ids=sorted(renamed))
    if kept:
        kept.sort(key=lambda pair: pair[1].id or 0)
        q.products.change_variants(tx, variants=products.variants_as_json(kept))
    return moves


def _add_variants(tx: Tx, writes: list[_ProductWrite]) -> list[Row]:
    """Add variants that are new; return the movements of their first stock."""
    new: dict[tuple[int, int], VariantInput] = {}
    rows = []
    for one in writes:
        for position, variant in one.variants():
            if variant.id is None:
                new[one.id, position] = variant
                rows.append(products.variant_columns(position, variant) | {"product_id": one.id})
    if not new:
        return []
    q.imports.add_variants(tx, variants=_json(rows))
    product_ids = sorted({product_id for product_id, _ in new})
    for row in q.imports.list_variant_positions(tx, product_ids=product_ids):
        added = new.get((row["product_id"], row["position"]))
        if added:
            added.id = row["id"]
    return [{"variant_id": one.id, "quantity": one.stock or 0} for one in new.values()]


def _write_images(tx: Tx, writes: list[_ProductWrite]) -> None:
    added = [row for one in writes for row in _image_rows(one)]
    ids: dict[tuple[int, str], int] = {}
    if added:
        q.imports.add_images(tx, images=_json(added))
        product_ids = sorted({row["product_id"] for row in added})
        rows = q.imports.list_images(tx, product_ids=product_ids)
        ids = {(row["product_id"], row["path"]): row["id"] for row in rows}
    texts = [text for one in writes for text in one.change.alts.items()]
    if texts:
        alts = [{"id": image_id, "alt": alt} for image_id, alt in texts]
        q.imports.set_alt_texts(tx, images=_json(alts))
    shown = [row for one in writes for row in _shown_images(one, ids)]
    if shown:
        q.imports.set_variant_images(tx, variants=_json(shown))


def _image_rows(one: _ProductWrite) -> Iterable[dict[str, Any]]:
    last = one.change.stored.last_image_position if one.change.stored else 0
    for position, picture in enumerate(one.change.coming, last + 1):
        file = one.planned.images[picture.name]
        row = {"product_id": one.id, "position": position, "alt": picture.alt}
        yield row | asdict(file)


def _shown_images(one: _ProductWrite, ids: dict[tuple[int, str], int]) -> Iterable[Row]:
    """Yield the image of each variant that the file gives one."""
    for line, variant in zip(one.change.lines, one.product.variants, strict=True):
        file = one.planned.images.get(line.picture)
        image_id = ids.get((one.id, file.path)) if file else None
        image_id = image_id or one.change.image(line.picture)
        if line.picture and image_id:
            yield {"id": variant.id, "image_id": image_id}


def _json(rows: list[Row]) -> str:
    return orjson.dumps(rows).decode()
