"""Products in from a file and out into one: an import is looked through first, then carried out whole or not at all."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Literal

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import DRIVER_ERRORS, Row, Tx, q
from ..errors import Conflict, Invalid, NotFound, ShopError, TooLarge, Unavailable
from ..text import normalize_text
from . import events, import_batches, media, product_csv, settings
from .csv_numbers import NumberFormat
from .import_batches import Superseded
from .import_plans import encode_chunks, plan_product
from .picture_files import PictureFolder, Pictures, PictureZip
from .product_csv import Picture, stem_of
from .product_diff import SHOWN, Change, Diff, Plan, Tree, compare, stored_goods
from .progress import Telling

log = logging.getLogger("shop.imports")

FOLDER = "uploads/imports"  # in the folder that all servers of a shop share; what is served of it are pictures only
MOST_BYTES = 100 * 1024 * 1024  # of a ZIP with pictures; a file of text has its own bound
MEGA = 1024 * 1024
ZIP_MAGIC = b"PK\x03\x04"
UNFORESEEN = "Something went wrong on our side; nothing was changed."
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
        self.plan = self.compare()

    def compare(self) -> Plan:
        """Compare the file with the shop as it is now."""
        with db.reading() as tx:
            return compare(tx, self.sheet, self.currency, self.pictures.names)

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
    """Look through and carry out what waits, and complete what a runner that died was at. Gives their number."""
    number = 0
    while True:
        with db.reading() as tx:
            row = q.imports.next_due(tx)
        if row is None:
            return number
        try:
            if _prepare_due(row, var):
                _complete(row["id"])
        except Superseded:
            log.info("another runner has this import", extra={"import": row["id"]})
            return number
        number += 1


def _prepare_due(row: Row, var: Path) -> bool:
    """Check an import, or store its plan. Returns whether it is to be applied now; whatever stops it before that makes it fail."""
    try:
        if row["status"] == "checking":
            _check_late(row, var)
            return False
        if row["status"] != "applying":
            _prepare(row, var)
        return True
    except (Unavailable, Superseded):
        # The database or the disk is away: the row stays as it is, and the next run takes it up.
        raise
    except (ShopError, OSError, *DRIVER_ERRORS) as error:
        log.warning("an import failed", exc_info=error, extra={"import": row["id"]})
        db.transaction(_fail, row["id"], _why(error))
        return False


def _why(error: Exception) -> Told:
    if isinstance(error, Refused):
        return _told(error.plan)
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


# ---------------------------------------------------------------- preparing


Tell = Callable[[int, int], None]


class Drawn:
    """The pictures that came with a file, drawn and stored before anything is written, since that takes a while."""

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

    def throw_away(self) -> None:
        for file in self.files.values():
            media.discard(file.path, file.widths, self.uploads)


@dataclass(frozen=True)
class Attempt:
    """A runner's attempt to prepare an import. A later one supersedes it."""

    import_id: int
    number: int
    status: str


def submit(looked: Looked, uploads: Path, tell: Tell, *, file_name: str) -> int:
    """Store the plan of a file of this machine, for whichever runner comes first to apply; returns the import's id. Raises Refused."""
    row: Row = {
        "format": looked.sheet.format,
        "status": "checked",
        "file_name": normalize_text(file_name)[:190],
        "file_path": "",
        "user_id": None,
    }
    import_id = db.transaction(_add, row | {"total": looked.total}, looked.told())
    _store_plan(looked, uploads, tell, Attempt(import_id, 0, "checked"))
    return import_id


def _prepare(row: Row, var: Path) -> None:
    attempt = db.transaction(_begin_attempt, row["id"])
    _delete_plan(row["id"])
    numbers = orjson.loads(row["result"]).get("asked_numbers")
    looked = Looked(var / row["file_path"], numbers=numbers)
    if looked.refused:
        raise Refused(looked.plan)
    _store_plan(looked, var / "uploads", Telling(partial(_note_progress, import_id=row["id"])), attempt)


def _begin_attempt(tx: Tx, import_id: int) -> Attempt:
    if not q.imports.prepare(tx, id=import_id):
        raise Superseded("Another runner prepared this import.")
    return Attempt(import_id, q.imports.get(tx, id=import_id)["attempt"], "running")


def _note_progress(tx: Tx, done: int, total: int, *, import_id: int) -> None:
    q.imports.note_progress(tx, id=import_id, done=done, total=total)


def _store_plan(looked: Looked, uploads: Path, tell: Tell, attempt: Attempt) -> None:
    """Process the images, check the file against the shop for the last time, and store what it will do. Raises Refused."""
    drawn = Drawn(looked, uploads, tell)
    try:
        plan = looked.compare() if drawn else looked.plan
        if plan.sheet.error_count:
            raise Refused(plan)
        planned = (plan_product(change, drawn.files) for change in sorted(plan.changes, key=_turn))
        for position, count, products in encode_chunks(plan.sheet, looked.currency, planned):
            db.transaction(_add_chunk, attempt, position, count, products)
    except BaseException:
        drawn.throw_away()
        raise
    # When the connection is lost here, the plan may be in force. The images stay; if it is not, they are deleted as orphans later.
    db.transaction(_begin_applying, attempt, plan, len(drawn))


def _turn(change: Change) -> tuple[bool, int]:
    """New products first, as the file has them, then those that shoppers may be buying, near each other in the tables."""
    return change.stored is not None, min(change.stored.variant_ids, default=0) if change.stored else 0


def _add_chunk(tx: Tx, attempt: Attempt, position: int, count: int, products: str) -> None:
    if q.imports.lock_attempt(tx, id=attempt.import_id, attempt=attempt.number, status=attempt.status) is None:
        raise Superseded("Another runner prepares this import.")
    q.imports.add_chunk(tx, import_id=attempt.import_id, position=position, product_count=count, products=products)


def _begin_applying(tx: Tx, attempt: Attempt, plan: Plan, drawn: int) -> None:
    result = orjson.dumps(_told(plan)).decode()
    begun = q.imports.begin_applying(
        tx,
        id=attempt.import_id,
        attempt=attempt.number,
        status=attempt.status,
        done=drawn,
        total=drawn + len(plan.changes),
        result=result,
    )
    if not begun:
        raise Superseded("Another runner prepares this import.")


# ---------------------------------------------------------------- applying


def _complete(import_id: int) -> None:
    import_batches.apply_plan(import_id)
    db.transaction(_finish, import_id)
    _delete_plan(import_id)


def _finish(tx: Tx, import_id: int) -> None:
    row = q.imports.lock_applying(tx, id=import_id)
    if row is None:
        raise Superseded("Another runner finished this import.")
    q.imports.finish(tx, id=import_id)
    counts = orjson.loads(row["result"])["diff"]["counts"]
    events.note(tx, "products_imported", import_id, subject="import", actor_id=row["user_id"], new=counts["new"], changed=counts["changed"])


def _delete_plan(import_id: int) -> None:
    while db.transaction(_delete_chunks, import_id):
        continue


def _delete_chunks(tx: Tx, import_id: int) -> int:
    deleted: int = q.imports.delete_chunks(tx, import_id=import_id)
    return deleted


# ---------------------------------------------------------------- files


def forget_files(var: Path) -> int:
    """Delete the files of imports that are over, and of those that nobody started within some days. Gives their number."""
    with db.reading() as tx:
        stale = q.imports.list_stale_files(tx, days=KEEP_DAYS)
        plans = q.imports.list_leftover_chunks(tx, days=KEEP_DAYS)
    for row in plans:
        _delete_plan(row["import_id"])
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
