"""Products in from a file and out into one: an import is looked through first, then carried out whole or not at all."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Literal

import orjson
from typing_extensions import TypedDict

from .. import db, money
from ..db import DRIVER_ERRORS, Row, Tx, q
from ..errors import Conflict, Invalid, NotFound, ShopError, TooLarge, Unavailable
from ..text import normalize_text
from . import categories, discovery, events, media, product_csv, products, settings
from .csv_numbers import NumberFormat
from .picture_files import PictureFolder, Pictures, PictureZip
from .product_csv import NAMES, OPTIONS, Picture, stem_of
from .product_diff import SHOWN, Change, Diff, Merged, Plan, Tree, compare, stored_goods
from .product_input import ProductInput, VariantInput
from .progress import Telling

log = logging.getLogger("shop.imports")

FOLDER = "uploads/imports"  # in the folder that all servers of a shop share; what is served of it are pictures only
MOST_BYTES = 100 * 1024 * 1024  # of a ZIP with pictures; a file of text has its own bound
MEGA = 1024 * 1024
ZIP_MAGIC = b"PK\x03\x04"
UNFORESEEN = "Something went wrong on our side; nothing was changed."
TAKEN = "Somebody gave one of these SKUs or handles away meanwhile. Send the file again, and it will be named; nothing was changed."
AT_ONCE = 1024 * 1024  # bytes of a file that is looked through while its sender waits
CHUNK = 256 * 1024
KEEP_DAYS = 7
EXPORTED = 200  # products a batch


class Remark(TypedDict):
    row: int
    column: str
    message: str


class ImportRow(TypedDict):
    id: int
    format: str
    status: str
    file_name: str
    user_id: int | None
    total: int
    done: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class PictureCounts(TypedDict):
    listed: int  # names in the file
    new: int  # come with the file and are not there yet
    missing: int  # neither there nor with the file; addresses are never fetched
    names_missing: list[str]


class Numbers(TypedDict):
    """How the file writes numbers; `format` is empty if none of them decides it."""

    format: Literal["", "point", "comma"]
    chosen: bool


class Told(TypedDict):
    """What a file would do to the shop, or did."""

    numbers: Numbers
    diff: Diff
    pictures: PictureCounts
    ignored_columns: list[str]
    errors: list[Remark]
    error_count: int
    warnings: list[Remark]
    warning_count: int


class Import(ImportRow, Told):
    pass


class ImportList(TypedDict):
    items: list[ImportRow]
    next: str | None
    total: int


NOTHING: Told = {
    "numbers": {"format": "", "chosen": False},
    "diff": {"counts": {"new": 0, "changed": 0, "same": 0, "variants_new": 0, "variants_changed": 0, "variants_archived": 0}, "products": [], "categories": []},
    "pictures": {"listed": 0, "new": 0, "missing": 0, "names_missing": []},
    "ignored_columns": [], "errors": [], "error_count": 0, "warnings": [], "warning_count": 0,
}  # fmt: skip


class Refused(Conflict):
    """The file and the shop do not fit together; `plan` says why."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.sheet.errors[0].message)
        self.plan = plan


class Overtaken(Conflict):
    """Another runner finished this import first."""


# ---------------------------------------------------------------- looking through


class Looked:
    """A file that was looked through: what it says, the pictures that come with it, and what it would do."""

    def __init__(
        self,
        path: Path,
        pictures: Pictures | None = None,
        *,
        asked: str = "",
        numbers: NumberFormat | None = None,
    ) -> None:
        content, self.pictures = _opened(path, pictures or Pictures())
        self.asked = asked
        self.currency = settings.currency()
        self.sheet = product_csv.read(content, self.currency, numbers)
        if asked and self.sheet.format not in ("", asked):
            self.sheet.refuse(1, "", f"This file is in the {self.sheet.format} format, not in the {asked} one.")
        with db.reading() as tx:
            self.plan = compare(tx, self.sheet, self.currency, self.pictures.names)

    @property
    def refused(self) -> bool:
        return bool(self.plan.sheet.error_count)

    @property
    def total(self) -> int:
        """How many steps carrying it out takes."""
        return len(self.plan.changes) + len(self.plan.coming)

    def told(self) -> Told:
        return _told(self.plan)


def look(path: Path, folder: Path | None, *, asked: str, numbers: NumberFormat | None = None) -> Looked:
    """Look through a file of this machine, with the pictures in a folder. Nothing is kept of it."""
    return Looked(path, PictureFolder(folder) if folder else None, asked=asked, numbers=numbers)


def _opened(path: Path, pictures: Pictures) -> tuple[bytes, Pictures]:
    with path.open("rb") as file:
        zipped = file.read(4) == ZIP_MAGIC
    if zipped:
        archive = PictureZip(path)
        return archive.csv(), archive
    if path.stat().st_size > product_csv.MOST_BYTES:
        raise TooLarge(f"A CSV file may have at most {product_csv.MOST_BYTES // MEGA} MB.")
    return path.read_bytes(), pictures


def _told(plan: Plan) -> Told:
    sheet = plan.sheet
    listed = sum(len(good.pictures) for good in sheet.goods.values())
    return {
        "numbers": {"format": sheet.notation.format or "", "chosen": sheet.notation.is_chosen},
        "diff": plan.diff(),
        "pictures": {"listed": listed, "new": len(plan.coming), "missing": len(plan.missing), "names_missing": plan.missing[:SHOWN]},
        "ignored_columns": sheet.ignored,
        "errors": [_remark(one) for one in sheet.errors],
        "error_count": sheet.error_count,
        "warnings": [_remark(one) for one in sheet.warnings],
        "warning_count": sheet.warning_count,
    }


def _remark(one: product_csv.Remark) -> Remark:
    return {"row": one.row, "column": one.column, "message": one.message}


def receive(
    stream: IO[bytes],
    *,
    file_name: str,
    asked: str,
    numbers: NumberFormat | None = None,
    user_id: int,
    var: Path,
) -> Import:
    """Keep a file, or a ZIP of one with its pictures, and look it through: a large one is left to the job runner, with status `checking`."""
    path = _store(stream, var)
    try:
        row: Row = {"file_name": file_name, "file_path": str(path.relative_to(var)), "user_id": user_id}
        if path.stat().st_size > AT_ONCE:
            told: object = {"asked": asked, "asked_numbers": numbers}
            row |= {"format": asked or "simple", "status": "checking", "total": 0}
        else:
            looked = Looked(path, asked=asked, numbers=numbers)
            told = _result_of(looked)
            row |= {"format": looked.sheet.format or "simple", "status": "refused" if looked.refused else "checked", "total": looked.total}
        import_id = db.transaction(_add, row, told)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return get(import_id)


def _result_of(looked: Looked) -> Row:
    """Return what the stored result of a check holds: what is shown, and what was asked for."""
    notation = looked.sheet.notation
    asked_numbers = notation.format if notation.is_chosen else None
    return {"asked": looked.asked, "asked_numbers": asked_numbers, **looked.told()}


def _add(tx: Tx, row: Row, told: object) -> int:
    return int(q.imports.add(tx, **row, result=orjson.dumps(told).decode()))


def _store(stream: IO[bytes], var: Path) -> Path:
    first = stream.read(CHUNK)
    zipped = first.startswith(ZIP_MAGIC)
    most = MOST_BYTES if zipped else product_csv.MOST_BYTES
    path = var / FOLDER / f"{secrets.token_hex(16)}.{'zip' if zipped else 'csv'}"
    if not first:
        raise Invalid(file="Send the file itself as the body.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            while first:
                file.write(first)
                if file.tell() > most:
                    raise TooLarge(f"A {'ZIP' if zipped else 'CSV'} file may have at most {most // MEGA} MB.")
                first = stream.read(CHUNK)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise Unavailable("The file could not be stored. Please try again later.", retry_after=60) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


# ---------------------------------------------------------------- reading


def get(import_id: int) -> Import:
    with db.reading() as tx:
        row = q.imports.get(tx, id=import_id)
    if row is None:
        raise NotFound("There is no such import.")
    told = {**NOTHING, **orjson.loads(row["result"])}
    told.pop("asked", None)
    told.pop("asked_numbers", None)
    return {**_import(row), **told}  # type: ignore[typeddict-item]  # what told() wrote there


def _import(row: Row) -> ImportRow:
    return {name: row[name] for name in ImportRow.__annotations__}  # type: ignore[return-value]


def list_all(*, limit: int, after: str) -> ImportList:
    """The newest first."""
    if after and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise Invalid(after="This is no `next` of this list.")
    with db.reading() as tx:
        rows = q.imports.list_newest(tx, before=int(after or 2**62), limit=limit + 1)
        total = q.imports.count(tx)
    return {"items": [_import(row) for row in rows[:limit]], "next": str(rows[limit - 1]["id"]) if len(rows) > limit else None, "total": total}


def start(import_id: int) -> Import:
    """Have it carried out by the job runner. Raises Conflict for one that was refused, or begun before."""
    db.transaction(_start, import_id)
    return get(import_id)


def recheck(import_id: int, numbers: NumberFormat | None, var: Path) -> Import:
    """Check a stored file again, reading its numbers in this format; None detects it.

    A large file is left to the job runner, as in receive(). Raises Conflict for an import that was
    started or whose file was deleted.
    """
    with db.reading() as tx:
        row = q.imports.get(tx, id=import_id)
    if row is None:
        raise NotFound("There is no such import.")
    path = var / row["file_path"]
    if row["status"] not in ("checked", "refused"):
        raise Conflict("The numbers of an import can be read differently only before it starts.")
    if not row["file_path"] or not path.is_file():
        raise Conflict("The file is no longer stored. Please upload it again.")
    asked = {"asked": orjson.loads(row["result"]).get("asked", ""), "asked_numbers": numbers}
    row["result"] = orjson.dumps(asked).decode()
    if not db.transaction(_check_again, import_id, row["result"]):
        raise Conflict("The import was started or deleted in the meantime.")
    if path.stat().st_size <= AT_ONCE:
        _check_late(row, var)
    return get(import_id)


def _check_again(tx: Tx, import_id: int, result: str) -> bool:
    return bool(q.imports.check_again(tx, id=import_id, result=result))


def _start(tx: Tx, import_id: int) -> None:
    if q.imports.start(tx, id=import_id):
        return
    row = q.imports.get(tx, id=import_id)
    if row is None:
        raise NotFound("There is no such import.")
    raise Conflict(f"An import that is {row['status']} cannot be started.")


# ---------------------------------------------------------------- carrying out


def any_due() -> bool:
    with db.reading() as tx:
        return q.imports.next_due(tx) is not None


def carry_out_due(var: Path) -> int:
    """Look through and carry out what waits, and what a runner that died was at: nothing of that came into the shop. Gives their number."""
    number = 0
    while True:
        with db.reading() as tx:
            row = q.imports.next_due(tx)
        if row is None:
            return number
        try:
            _check_late(row, var) if row["status"] == "checking" else _carry_out_late(row, var)
        except Unavailable:
            # The database or the disk is away: the row stays as it is, and the next run takes it up.
            raise
        except (ShopError, OSError, *DRIVER_ERRORS) as error:
            log.warning("an import failed", exc_info=error, extra={"import": row["id"]})
            db.transaction(_fail, row["id"], _why(error))
        number += 1


def _why(error: Exception) -> Told:
    if isinstance(error, Refused):
        return _told(error.plan)
    if db.is_duplicate(error, "uq_"):
        return {**NOTHING, "errors": [{"row": 0, "column": "", "message": TAKEN}], "error_count": 1}
    sentence = error.detail if isinstance(error, ShopError) else "The file is not there any more." if isinstance(error, FileNotFoundError) else UNFORESEEN
    return {**NOTHING, "errors": [{"row": 0, "column": "", "message": sentence}], "error_count": 1}


def _fail(tx: Tx, import_id: int, told: Told) -> None:
    q.imports.fail(tx, id=import_id, result=orjson.dumps(told).decode())


def _check_late(row: Row, var: Path) -> None:
    asked = orjson.loads(row["result"])
    looked = Looked(
        var / row["file_path"],
        asked=asked.get("asked", ""),
        numbers=asked.get("asked_numbers"),
    )
    status = "refused" if looked.refused else "checked"
    db.transaction(_note_check, row["id"], status, looked)


def _note_check(tx: Tx, import_id: int, status: str, looked: Looked) -> None:
    result = orjson.dumps(_result_of(looked)).decode()
    q.imports.note_check(tx, id=import_id, status=status, format=looked.sheet.format or "simple", total=looked.total, result=result)


def _carry_out_late(row: Row, var: Path) -> None:
    if db.transaction(_run, row["id"]):
        numbers = orjson.loads(row["result"]).get("asked_numbers")
        looked = Looked(var / row["file_path"], numbers=numbers)
        bring_in(looked, var / "uploads", Telling(partial(_note_progress, import_id=row["id"])), actor_id=row["user_id"], import_id=row["id"])


def _run(tx: Tx, import_id: int) -> bool:
    return bool(q.imports.run(tx, id=import_id))


def _note_progress(tx: Tx, done: int, total: int, *, import_id: int) -> None:
    q.imports.note_progress(tx, id=import_id, done=done, total=total)


Tell = Callable[[int, int], None]


class Drawn:
    """The pictures that came with a file, drawn and stored before the transaction, since that takes a while."""

    def __init__(self, looked: Looked, uploads: Path, tell: Tell) -> None:
        self.uploads = uploads
        self.files: dict[tuple[str, str], media.Stored] = {}
        try:
            for place, (good, picture) in enumerate(looked.plan.coming, 1):
                self.files[good.handle, picture.name] = self._drawn(looked, picture)
                tell(place, looked.total)
        except BaseException:
            self.throw_away()
            raise

    def __len__(self) -> int:
        return len(self.files)

    def _drawn(self, looked: Looked, picture: Picture) -> media.Stored:
        try:
            return media.store(looked.pictures.read(picture.name.lower()), self.uploads, called=stem_of(picture.name))
        except Unavailable:
            raise
        except ShopError as error:
            looked.plan.sheet.refuse(picture.row, "image", f"{picture.name}: {error.detail}")
            raise Refused(looked.plan) from error

    def hang(self, tx: Tx, product_id: int, change: Change) -> None:
        """Give a product its new pictures, in the file's order behind those it has, and its variants theirs."""
        new = {one.name: media.attach(tx, product_id, self.files[change.good.handle, one.name], one.alt) for one in change.coming}
        for image_id, alt in change.alts.items():
            q.media.describe(tx, image_id=image_id, alt=alt)
        if any(line.picture for line in change.lines):
            rows = q.imports.list_variants(tx, product_ids=[product_id])
            for row, line in zip(rows, change.lines, strict=True):
                shown = new.get(line.picture) or change.image(line.picture)
                if line.picture and shown:
                    q.imports.set_picture(tx, variant_id=row["id"], image_id=shown)

    def throw_away(self) -> None:
        for file in self.files.values():
            media.discard(file.path, file.widths, self.uploads)


def bring_in(looked: Looked, uploads: Path, tell: Tell, *, actor_id: int | None, import_id: int | None = None, file_name: str = "") -> Import:
    """Carry a file out in one transaction, after its pictures were drawn. Raises Refused when the shop has changed so that it no longer fits."""
    drawn = Drawn(looked, uploads, tell)
    try:
        import_id = db.transaction(_bring_in, looked, drawn, tell, actor_id=actor_id, import_id=import_id, file_name=file_name)
    except BaseException:
        drawn.throw_away()
        raise
    return get(import_id)


def _bring_in(tx: Tx, looked: Looked, drawn: Drawn, tell: Tell, *, actor_id: int | None, import_id: int | None, file_name: str) -> int:
    plan = compare(tx, looked.sheet, looked.currency, looked.pictures.names)
    if plan.sheet.error_count:
        raise Refused(plan)
    total = len(drawn) + len(plan.changes)
    category_ids = _category_ids(tx, plan)
    waiting, written = len(tx.after_commit), []
    for place, change in enumerate(sorted(plan.changes, key=_turn), 1):
        written.append(_write(tx, change, as_input(change, category_ids, looked.currency), actor_id))
        drawn.hang(tx, written[-1], change)
        tell(len(drawn) + place, total)
    # Each was marked for search as it was written, which is long ago for the first; all are marked once more, and together.
    del tx.after_commit[waiting:]
    discovery.mark(tx, written)
    counts = plan.diff()["counts"]
    told = _told(plan)
    if import_id is None:
        row = {
            "format": looked.sheet.format,
            "status": "done",
            "file_name": normalize_text(file_name)[:190],
            "file_path": "",
            "user_id": actor_id,
            "total": total,
        }
        import_id = _add(tx, row, told)
    elif not q.imports.finish(tx, id=import_id, total=total, result=orjson.dumps(told).decode()):
        raise Overtaken("Another runner finished this import.")
    events.note(tx, "products_imported", import_id, subject="import", actor_id=actor_id, new=counts["new"], changed=counts["changed"])
    return import_id


def _turn(change: Change) -> tuple[bool, int]:
    """New products first, as the file has them. What shoppers may be buying is taken last, for the shortest time, in the order in which
    everybody takes variants."""
    return change.stored is not None, min(change.stored.variant_ids, default=0) if change.stored else 0


def _category_ids(tx: Tx, plan: Plan) -> dict[str, int]:
    """Where each category of the file is, made where it is not."""
    ids = dict(plan.tree.ids)
    for path in plan.new_categories():
        names = path.split(" > ")
        for depth in range(1, len(names) + 1):
            above, here = " > ".join(names[: depth - 1]).lower(), " > ".join(names[:depth]).lower()
            if here not in ids:
                ids[here] = categories.add(tx, name=names[depth - 1], parent_id=ids.get(above))
    return ids


def as_input(change: Change, category_ids: dict[str, int], currency: str) -> ProductInput:
    """The product as it is to be; `category_ids` are by their paths in lower case."""
    cells, stored = change.cells, change.stored
    same_category = stored and not any(one["field"] == "category" for one in change.fields)
    same_text = stored and not any(one["field"] == "description" for one in change.fields)
    return ProductInput(
        title=cells["title"],
        slug=change.good.handle,
        description_html=stored.good.cells["description"] if stored and same_text else cells["description"],
        markdown=stored.markdown if stored and same_text else None,
        category_id=stored.category_id if stored and same_category else category_ids.get(cells["category"].lower()),
        brand=cells["brand"],
        type=cells["type"],
        tags=[tag for tag in cells["tags"].split(", ") if tag],
        published=cells["published"] == "true",
        seo_title=cells["seo_title"],
        seo_description=cells["seo_description"],
        option_names=(cells[NAMES[0]], cells[NAMES[1]], cells[NAMES[2]]),
        variants=[_variant(line, currency) for line in change.lines],
        tax_class=cells["tax_class"],
        gift_card=cells["gift_card"] == "true",
    )


def _variant(line: Merged, currency: str) -> VariantInput:
    cells = line.cells
    return VariantInput(
        options=(cells[OPTIONS[0]], cells[OPTIONS[1]], cells[OPTIONS[2]]),
        price_minor=money.parse(cells["price"], currency),
        compare_at_minor=money.parse(cells["compare_at_price"], currency) if cells["compare_at_price"] else None,
        stock=int(cells["stock"]) if line.restocked else None,
        tracked=cells["tracked"] == "true",
        weight_g=int(cells["weight_g"]),
        barcode=cells["barcode"],
        sku=cells["sku"] or None,
        id=line.id,
    )


def _write(tx: Tx, change: Change, wanted: ProductInput, actor_id: int | None) -> int:
    if change.stored is None:
        return products.add(tx, wanted, actor_id=actor_id, reason="import")
    if change.stored.archived:
        q.products.restore(tx, product_id=change.stored.id)
    products.replace(tx, change.stored.id, wanted, actor_id=actor_id, reason="import")
    return change.stored.id


# ---------------------------------------------------------------- files


def forget_files(var: Path) -> int:
    """Delete the files of imports that are over, and of those that nobody started within some days. Gives their number."""
    with db.reading() as tx:
        stale = q.imports.list_stale_files(tx, days=KEEP_DAYS)
    for row in stale:
        (var / row["file_path"]).unlink(missing_ok=True)
        db.transaction(_forget_file, row["id"])
    return len(stale)


def _forget_file(tx: Tx, import_id: int) -> None:
    q.imports.forget_file(tx, id=import_id)


# ---------------------------------------------------------------- out


def export(format: str, address: str, *, actor_id: int | None) -> Iterator[bytes]:
    """All products that are not put away, by handle, some hundred at a time; `address` is the shop's own, for the pictures."""
    currency = settings.currency()
    db.transaction(_note_export, actor_id, format)
    return _exported(format, address, currency)


def _note_export(tx: Tx, actor_id: int | None, format: str) -> None:
    events.note(tx, "products_exported", None, subject="export", actor_id=actor_id, format=format)


def _exported(format: str, address: str, currency: str) -> Iterator[bytes]:
    yield product_csv.header(format)
    after = ""
    while True:
        with db.reading() as tx:
            rows = q.imports.list_after(tx, after=after, limit=EXPORTED)
            goods = stored_goods(tx, rows, Tree.read(tx), currency, address)
        if not rows:
            return
        yield b"".join(product_csv.write(format, one.good) for one in goods)
        after = rows[-1]["slug"]
