"""Backups as the owner has them: made by hand or each night, proven, taken away, put back, and deleted when they are old.

What is asked for is a row that the job runner carries out, one at a time, and whose progress the page shows. The files lie in
SHOP_VAR/backups and are known by their names; that of a proof stands in a note beside each.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

from typing_extensions import TypedDict

from .. import db
from ..config import Settings
from ..db import DRIVER_ERRORS, Address, Row, Tx, q
from ..errors import Conflict, NotFound, ShopError, Unavailable
from ..lock import Busy
from ..migrations import MigrationProblem
from ..private_database import address_of
from . import backup_archive, backup_files, bell, doctor, events, settings
from .backup_files import Progress
from .progress import Telling

log = logging.getLogger("shop.backups")

Kind = Literal["make", "prove", "restore"]
DRAFT_SECONDS = 86_400
SHOWN = {"orders": "order", "users": "account", "products": "product"}


class Backup(TypedDict):
    """`proven_at`: when it was last restored beside the shop and found to be whole and sound."""

    name: str
    size: int
    made_at: datetime
    proven_at: datetime | None


class Backups(TypedDict):
    items: list[Backup]
    next: str | None
    total: int


class Contents(Backup):
    """`counts` of what is in it, by what one of it is called.

    `is_signed`: this shop made it, and nobody has changed it since.
    """

    counts: dict[str, int]
    is_signed: bool


class Task(TypedDict):
    """`phase` is what it is at, `done` of `total` how far that is, `problem` why it failed. What was asked by nobody the night asked."""

    id: int
    kind: Kind
    name: str
    status: Literal["waiting", "running", "done", "failed"]
    phase: Literal["", "copying", "proving", "checking", "loading", "settling"]
    done: int
    total: int
    problem: str
    asked_by: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Tasks(TypedDict):
    items: list[Task]
    next: str | None
    total: int


def folder_of(var: Path) -> Path:
    return var / "backups"


# ---------------------------------------------------------------- the files


def list_all(var: Path, *, text: str, proven: bool | None, limit: int, after: str) -> Backups:
    """The newest first; of those whose name has the text in it."""
    found = [one for one in listed(folder_of(var)) if text in one["name"] and proven in (None, one["proven_at"] is not None)]
    page = [one for one in found if not after or one["name"] < after]
    return {"items": page[:limit], "next": page[limit - 1]["name"] if len(page) > limit else None, "total": len(found)}


def listed(folder: Path) -> list[Backup]:
    """The backups in a folder, the newest first."""
    names = sorted((path for path in folder.glob("*.zip") if backup_files.NAME.fullmatch(path.name)), reverse=True)
    return [_described(path) for path in names]


def _described(path: Path) -> Backup:
    proven = backup_files.proven_at(path)
    made = datetime.strptime(path.name[5:20], "%Y%m%d-%H%M%S")
    return {"name": path.name, "size": path.stat().st_size, "made_at": made, "proven_at": datetime.strptime(proven, "%Y-%m-%dT%H:%M:%SZ") if proven else None}


def find(folder: Path, name: str) -> Path:
    """The file of that name. Only names that the shop gives are looked for, so no path leads out of the folder."""
    path = folder / name
    if not backup_files.NAME.fullmatch(name) or not path.is_file():
        raise NotFound("There is no such backup.")
    return path


def get(var: Path, name: str) -> Contents:
    """One of them with what it says it holds. Raises NotFound, and Conflict for a file that is no backup any more."""
    path = find(folder_of(var), name)
    with backup_archive.open_archive(path) as archive:
        members = archive.manifest["members"]
        counts = {"file": len(archive.uploads)}
        for table, shown in SHOWN.items():
            if member := members.get(f"tables/{table}.jsonl"):
                counts[shown] = member["rows"]
        return {**_described(path), "counts": counts, "is_signed": archive.is_signed}


def take(var: Path, name: str, *, actor_id: int) -> Path:
    """The file, for whoever takes it away; that they did is on record. Raises NotFound."""
    path = find(folder_of(var), name)
    db.transaction(_note_taken, path, actor_id)
    return path


def _note_taken(tx: Tx, path: Path, actor_id: int) -> None:
    events.note(tx, "backup_taken", None, subject="backup", actor_id=actor_id, name=events.as_word(path.stem))


def delete(var: Path, name: str, *, actor_id: int) -> None:
    """Raises NotFound, and Conflict for one that is being worked with."""
    path = find(folder_of(var), name)
    db.transaction(_note_deletion, path, actor_id)
    _remove(path)


def _note_deletion(tx: Tx, path: Path, actor_id: int) -> None:
    task = q.backups.get_open(tx)
    if task and task["name"] == path.name:
        raise Conflict("This backup is being worked with just now.")
    events.note(tx, "backup_deleted", None, subject="backup", actor_id=actor_id, name=events.as_word(path.stem))


def _remove(path: Path) -> None:
    path.with_suffix(".proven").unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def forget_old(folder: Path, days: int) -> int:
    """Delete what is older than so many days, but never the newest backup that is proven. Gives the number."""
    every = listed(folder)
    newest = next((one["name"] for one in every if one["proven_at"]), None)
    before = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    old = [one["name"] for one in every if one["made_at"] < before and one["name"] != newest]
    for name in old:
        _remove(folder / name)
    for draft in folder.glob("*.part"):
        # Left by a process that was killed. One that is being written is younger.
        if draft.stat().st_mtime < time.time() - DRAFT_SECONDS:
            draft.unlink(missing_ok=True)
    return len(old)


# ---------------------------------------------------------------- what is asked for


def ask(
    kind: Kind,
    name: str = "",
    *,
    actor_id: int | None,
    var: Path,
    allow_unsigned: bool = False,
) -> Task:
    """Have a backup made (and proven), proven anew, or put in the place of the shop.

    Raises NotFound, Conflict while another task is open, and UnsignedBackup for the restore of an
    unsigned backup that is not allowed.
    """
    path = find(folder_of(var), name) if name else None
    trusted = None
    if path and kind == "restore":
        trusted = trusted_digest(path, allow_unsigned=allow_unsigned)
    try:
        task_id = db.transaction(_ask, kind, name, actor_id, trusted)
    except DRIVER_ERRORS as error:
        if db.is_duplicate(error, "uq_backup_tasks_open"):
            raise Conflict("Another backup is being worked with just now. Please wait until that is done.") from error
        raise
    return get_task(task_id)


def trusted_digest(path: Path, *, allow_unsigned: bool) -> str | None:
    """Return the digest of an unsigned backup that may be restored, None for a signed one.

    A file that takes its place later has another digest and is not trusted. Raises UnsignedBackup
    unless that is allowed, and Conflict for a file that is no backup.
    """
    with backup_archive.open_archive(path) as archive:
        if archive.is_signed:
            return None
        if not allow_unsigned:
            raise backup_archive.UnsignedBackup()
        return archive.digest


def _ask(tx: Tx, kind: Kind, name: str, actor_id: int | None, trusted: str | None) -> int:
    task_id = int(q.backups.ask(tx, kind=kind, name=name, user_id=actor_id, trusted_digest=trusted))
    events.note(tx, "backup_asked", task_id, subject="backup", actor_id=actor_id, action=kind, name=events.as_word(name.removesuffix(".zip")))
    bell.ring(tx)
    return task_id


def get_task(task_id: int) -> Task:
    """Raises NotFound."""
    with db.reading() as tx:
        row = q.backups.get(tx, id=task_id)
    if row is None:
        raise NotFound("There is no such task.")
    task: Task = row
    return task


def list_tasks(*, limit: int, after: int | None) -> Tasks:
    """The newest first."""
    with db.reading() as tx:
        rows = q.backups.list_newest(tx, before=after, limit=limit + 1)
        total = q.backups.count(tx)
    return {"items": rows[:limit], "next": str(rows[limit - 1]["id"]) if len(rows) > limit else None, "total": total}


def ask_by_night(var: Path) -> str:
    """Ask for the nightly backup; gives what came of it."""
    try:
        ask("make", actor_id=None, var=var)
    except Conflict:
        return "another one is being made"
    return "asked for"


def night_came() -> bool:
    """Whether the nightly backup is wanted and due, and nothing else is being done."""
    with db.reading() as tx:
        chosen = settings.shop(tx)
        return bool(chosen["backup_nightly"] and q.backups.night_came(tx, hour=chosen["backup_hour"]) and not q.backups.get_open(tx))


# ---------------------------------------------------------------- carrying it out


def any_due() -> bool:
    with db.reading() as tx:
        return q.backups.get_open(tx) is not None


def carry_out(shop: Settings) -> str:
    """Do what is asked for, or what a runner that died was at, from its beginning; gives what came of it."""
    with db.reading() as tx:
        task = q.backups.get_open(tx)
    if task is None:
        return "nothing to do"
    try:
        with backup_files.alone(folder_of(shop.var)):
            return WORK[task["kind"]](task, shop, address_of(shop, owner=True))
    except Busy:
        return "waits for somebody else who works with backups"
    except Unavailable:
        # The row stays as it is, and the next run takes it up.
        raise
    except (ShopError, OSError, MigrationProblem, *DRIVER_ERRORS) as error:
        log.warning("a backup task failed", exc_info=error, extra={"task": task["id"]})
        db.transaction(_fail, task, _words(error))
        return f"{task['kind']} failed"


def _words(error: Exception) -> str:
    if isinstance(error, ShopError):
        return error.detail
    return f"The disk does not take or give it: {error.strerror}." if isinstance(error, OSError) else f"{type(error).__name__}: {error}"[:500]


def _fail(tx: Tx, task: Row, problem: str) -> None:
    if not q.backups.fail(tx, id=task["id"], problem=problem[:500]):
        return
    events.note(tx, "backup_failed", task["id"], subject="backup", action=task["kind"])
    if task["user_id"] is None:
        doctor.alarm(tx, "The nightly backup failed", [problem], "/admin/backups")


def _begin(task: Row, phase: str) -> Telling:
    """A new phase of a task, and what notes how far it is."""
    db.transaction(_note_phase, task["id"], phase)
    return Telling(partial(_note_progress, task_id=task["id"]))


def _note_phase(tx: Tx, task_id: int, phase: str) -> None:
    q.backups.begin(tx, id=task_id, phase=phase)


def _note_progress(tx: Tx, done: int, total: int, *, task_id: int) -> None:
    q.backups.note_progress(tx, id=task_id, done=done, total=total)


def _note_name(tx: Tx, task_id: int, name: str) -> None:
    q.backups.put_name(tx, id=task_id, name=name)


def _finish(tx: Tx, task: Row, kind: str, name: str) -> int:
    if q.backups.finish(tx, id=task["id"]):
        events.note(tx, kind, task["id"], subject="backup", actor_id=task["user_id"], name=events.as_word(name.removesuffix(".zip")))
    return int(settings.shop(tx)["backup_days"])


def _make(task: Row, shop: Settings, owner: Address) -> str:
    folder = folder_of(shop.var)
    if not task["name"] or not (folder / task["name"]).is_file():
        progress = _begin(task, "copying")
        task["name"] = backup_files.create(owner, shop.var / "uploads", folder, progress).name
        db.transaction(_note_name, task["id"], task["name"])
    try:
        progress = _begin(task, "proving")
        backup_files.verify(owner, folder / task["name"], progress, loader=address_of(shop))
    except Conflict as problem:
        raise Conflict(f"The copy was made, but could not be proven. {problem.detail}") from problem
    days = db.transaction(_finish, task, "backup_made", task["name"])
    return f"{task['name']} made and proven, {forget_old(folder, days)} old ones deleted"


def _prove(task: Row, shop: Settings, owner: Address) -> str:
    path = find(folder_of(shop.var), task["name"])
    backup_files.verify(owner, path, _begin(task, "proving"), loader=address_of(shop))
    db.transaction(_finish, task, "backup_proven", task["name"])
    return f"{task['name']} proven"


def _restore(task: Row, shop: Settings, owner: Address) -> str:
    """Restore a backup while the shop is open.

    The present shop is copied first, so that the owner can go back to it.
    """
    if task["phase"] == "settling":
        # The tables have changed places, and the process that did it was killed.
        backup_files.finish_restore(owner)
    else:
        path = find(folder_of(shop.var), task["name"])

        def copy_present_shop() -> None:
            backup_files.create(owner, shop.var / "uploads", path.parent, _begin(task, "copying"))
            _begin(task, "loading")

        backup_files.restore(
            owner,
            path,
            shop.var,
            _begin(task, "checking"),
            loader=address_of(shop),
            trusted_digest=task["trusted_digest"],
            before_loading=copy_present_shop,
            record=partial(_record_restore, task=task),
        )
    db.transaction(_finish, task, "backup_restored", task["name"])
    return f"{task['name'] or 'a backup'} restored"


def restore_offline(
    shop: Settings,
    path: Path,
    progress: Progress,
    *,
    trusted_digest: str | None,
) -> None:
    """Restore a backup while no server of the shop runs.

    If this is killed once the tables are swapped, the job runner of the next start finishes it.
    """
    name = path.name if backup_files.NAME.fullmatch(path.name) else ""
    now = datetime.now(UTC).replace(tzinfo=None)
    task = {"id": None, "name": name, "user_id": None, "created_at": now}
    backup_files.restore(
        address_of(shop, owner=True),
        path,
        shop.var,
        progress,
        loader=address_of(shop),
        trusted_digest=trusted_digest,
        record=partial(_record_restore, task=task),
    )
    with db.reading() as tx:
        recorded = q.backups.get_open(tx)
    if recorded:
        db.transaction(_finish, recorded, "backup_restored", name)


def _record_restore(connection: Any, *, task: Row) -> None:
    """Put the task into the restored tables, with the account that asked if it existed then."""
    q.backups.remember(
        Tx(connection),
        id=task["id"],
        name=task["name"],
        user_id=task["user_id"],
        created_at=task["created_at"],
    )


WORK: dict[str, Callable[[Row, Settings, Address], str]] = {"make": _make, "prove": _prove, "restore": _restore}
