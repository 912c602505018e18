"""Bulk actions: one action on many products or accounts, planned first, then applied in small transactions.

An action is validated for all of its targets and its plan is stored before anything changes. Batches are then applied in
ascending order of target id; each commits its changes, what they replaced, and the progress marker together. The request that
starts an action applies the first batches; the job runner takes over what remains, also after a kill. So an action is all or
nothing from the owner's view: once started it is rolled forward to its end, unless it is undone or a batch is refused, and then
everything that was applied is reverted. No batch holds locks for longer than about 100 ms.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import DRIVER_ERRORS, Row, Tx, q
from ..errors import Conflict, Invalid, NotFound, ShopError, Unavailable

log = logging.getLogger("shop.bulk_actions")

MAX_TARGETS = 200_000
PLAN_BATCH = 1000  # targets read, validated and stored at once
SYNC_SECONDS = 0.5  # for which the request that starts an action applies it, so that a small one is done at once
RETENTION_DAYS = 7  # for which a finished action can be undone
PURGE_BATCH = 1000  # rows of a plan deleted in one transaction
UNEXPECTED_ERROR = "Something went wrong on our side."

Status = Literal["running", "done", "canceled", "failed"]
Before = dict[str, Any]


class BulkAction(TypedDict):
    """`done` of `total` targets are processed: `changed`, `skipped` (refused) or that way already.

    `undo_of` is the action that this one reverts, `undo_id` the one that reverts this one. A `failed` action was refused midway
    and is reverted by its undo; a `canceled` one was undone before its end.
    """

    id: int
    action: str
    status: Status
    total: int
    done: int
    changed: int
    skipped: int
    undo_of: int | None
    undo_id: int | None
    undoable: bool
    error: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class Command:
    """What to do with each target, and who wants it."""

    action: str
    params: dict[str, Any]
    actor_id: int | None


@dataclass(frozen=True)
class Outcome:
    """Targets that a batch changed, with what the change replaced (None if it cannot be undone), and how many it refused."""

    changed: dict[int, Before | None]
    skipped: int = 0


ApplyOne = Callable[[Command, int, Path], bool]


class Handler(Protocol):
    """The actions on one kind of target. Methods that take `tx` join its transaction and do nothing but SQL.

    `separate` holds the actions that take one target at a time, in transactions of their own. They return whether the action was
    applied, also if it had been before, since a runner may be killed between that and the progress marker.
    """

    irreversible: frozenset[str]
    separate: dict[str, ApplyOne]

    def batch_size(self, action: str) -> int: ...

    def shorten(self, tx: Tx, command: Command, ids: list[int]) -> list[int]:
        """Return the first of these targets that are not too much work for one batch, at least one."""

    def validate(self, tx: Tx, command: Command, ids: list[int]) -> None:
        """Raise Invalid or Conflict if the action cannot be applied to one of these targets."""

    def apply(self, tx: Tx, command: Command, ids: list[int]) -> Outcome: ...

    def revert(self, tx: Tx, command: Command, before: dict[int, Before]) -> Outcome:
        """Put back what the action replaced, where it has not been changed since."""

    def record(self, tx: Tx, command: Command, target_id: int | None, changed: int, undo: bool) -> None:
        """Record a finished action in the audit log."""


_handlers: dict[str, Handler] = {}


def register(subject: str, handler: Handler) -> None:
    _handlers[subject] = handler


# ---------------------------------------------------------------- starting


ListIds = Callable[[Tx, int, int], list[int]]


def start(
    subject: str,
    command: Command,
    list_ids: ListIds,
    *,
    var: Path,
    exclude: Iterable[int] = (),
) -> BulkAction:
    """Validate and plan an action, apply its first batches, and return its state.

    `list_ids(tx, after, limit)` returns the next targets by id; those of `exclude` are skipped. Raises Invalid or Conflict,
    and then nothing was changed.
    """
    ids = _plan(_handlers[subject], command, list_ids)
    excluded = set(exclude) & set(ids)
    targets = [one for one in ids if one not in excluded]
    action_id = db.transaction(_add, subject, command, skipped=len(excluded))
    for batch in _batches(targets):
        db.transaction(_add_items, action_id, batch)
    db.transaction(_start, action_id, len(ids))
    _apply_at_once(action_id, var)
    return get(subject, action_id)


def ids_after(ids: Iterable[int]) -> ListIds:
    """Return the `list_ids` of a fixed selection."""
    wanted = sorted(set(ids))
    return lambda tx, after, limit: [one for one in wanted if one > after][:limit]


def _plan(handler: Handler, command: Command, list_ids: ListIds) -> list[int]:
    ids: list[int] = []
    while True:
        with db.reading() as tx:
            found = list_ids(tx, ids[-1] if ids else 0, PLAN_BATCH)
            if found or not ids:
                handler.validate(tx, command, found)
        ids += found
        if len(ids) > MAX_TARGETS:
            raise Invalid(filter=f"At most {MAX_TARGETS:,} can be changed at once. Narrow the filter.")
        if len(found) < PLAN_BATCH:
            return ids


def _batches(ids: list[int]) -> Iterable[list[int]]:
    return (ids[at : at + PLAN_BATCH] for at in range(0, len(ids), PLAN_BATCH))


def _add(tx: Tx, subject: str, command: Command, skipped: int) -> int:
    row = {"subject": subject, "action": command.action, "params": orjson.dumps(command.params).decode()}
    added: int = q.bulk_actions.add(
        tx,
        **row,
        status="planning",
        undo_of_id=None,
        actor_id=command.actor_id,
        total=0,
        skipped=skipped,
    )
    return added


def _add_items(tx: Tx, action_id: int, ids: list[int]) -> None:
    q.bulk_actions.add_items(tx, bulk_action_id=action_id, target_ids=orjson.dumps(ids).decode())


def _start(tx: Tx, action_id: int, total: int) -> None:
    q.bulk_actions.start(tx, bulk_action_id=action_id, total=total)


def get(subject: str, action_id: int) -> BulkAction:
    """Raises NotFound, also for an action on another kind of target."""
    with db.reading() as tx:
        row = q.bulk_actions.get(tx, bulk_action_id=action_id, subject=subject)
    if row is None or row["status"] == "planning":
        raise NotFound("There is no such bulk action.")
    names = ("id", "action", "status", "total", "done", "changed", "skipped", "undo_id", "error", "created_at", "finished_at")
    undoable = _is_undoable(row) and row["changed"] > 0
    return {**{name: row[name] for name in names}, "undo_of": row["undo_of_id"], "undoable": undoable}  # type: ignore[typeddict-item]


# ---------------------------------------------------------------- undoing


def undo(subject: str, action_id: int, *, actor_id: int, var: Path) -> BulkAction:
    """Revert a whole action, one that is still running from where it has got to, and return the state of the undo.

    Raises NotFound, and Conflict for what cannot be undone or was undone before.
    """
    get(subject, action_id)
    undo_id = db.transaction(_undo, action_id, actor_id)
    _apply_at_once(undo_id, var)
    return get(subject, undo_id)


def _is_undoable(row: Row) -> bool:
    irreversible = row["action"] in _handlers[row["subject"]].irreversible
    return not irreversible and row["undo_of_id"] is None and row["undo_id"] is None


def _undo(tx: Tx, action_id: int, actor_id: int | None) -> int:
    row = q.bulk_actions.lock(tx, bulk_action_id=action_id)
    if row is None:
        raise NotFound("There is no such bulk action.")
    if row["undo_id"] is not None:
        raise Conflict("This bulk action was undone already.", code="already_undone")
    if not _is_undoable(row):
        raise Conflict("This bulk action cannot be undone.", code="not_undoable")
    if row["status"] == "running":
        _finish(tx, row, "canceled")
    return _add_undo(tx, row, actor_id)


def _add_undo(tx: Tx, row: Row, actor_id: int | None) -> int:
    copied = {name: row[name] for name in ("subject", "action", "params")}
    added: int = q.bulk_actions.add(
        tx,
        **copied,
        status="running",
        undo_of_id=row["id"],
        actor_id=actor_id,
        total=row["changed"],
        skipped=0,
    )
    return added


# ---------------------------------------------------------------- applying


def any_due() -> bool:
    with db.reading() as tx:
        return q.bulk_actions.get_next_due(tx) is not None


def apply_due(var: Path) -> int:
    """Apply all started actions to their end and return their number."""
    number = 0
    while True:
        with db.reading() as tx:
            action_id = q.bulk_actions.get_next_due(tx)
        if action_id is None:
            return number
        _apply(action_id, var, until=float("inf"))
        number += 1


def _apply_at_once(action_id: int, var: Path) -> None:
    try:
        _apply(action_id, var, until=time.monotonic() + SYNC_SECONDS)
    except Unavailable:
        # The plan is stored: the job runner goes on with it when the database is back.
        log.info("bulk_action.left_to_runner", extra={"bulk_action": action_id})


def _apply(action_id: int, var: Path, *, until: float) -> None:
    try:
        while time.monotonic() < until and _apply_next(action_id, var):
            continue
    except Unavailable:
        raise
    except (ShopError, *DRIVER_ERRORS) as error:
        log.warning("bulk_action.failed", exc_info=error, extra={"bulk_action": action_id})
        undo_id = db.transaction(_fail, action_id, error.detail if isinstance(error, ShopError) else UNEXPECTED_ERROR)
        if undo_id is not None:
            _apply(undo_id, var, until=until)


def _apply_next(action_id: int, var: Path) -> bool:
    """Apply one batch and return whether more may follow."""
    with db.reading() as tx:
        row = q.bulk_actions.find(tx, bulk_action_id=action_id)
    if row is None or row["status"] != "running":
        return False
    if row["undo_of_id"] is None and row["action"] in _handlers[row["subject"]].separate:
        return _apply_one(row, var)
    return db.transaction(_apply_batch, action_id)


def _apply_batch(tx: Tx, action_id: int) -> bool:
    row = q.bulk_actions.lock(tx, bulk_action_id=action_id)
    if row is None or row["status"] != "running":
        return False
    ids, outcome = _revert_items(tx, row) if row["undo_of_id"] else _apply_items(tx, row)
    if not ids:
        _finish(tx, row, "done")
        return False
    _advance(tx, row, ids, outcome)
    return True


def _apply_items(tx: Tx, row: Row) -> tuple[list[int], Outcome]:
    handler, command = _handlers[row["subject"]], _command(row)
    limit = handler.batch_size(row["action"])
    found = q.bulk_actions.list_items(tx, bulk_action_id=row["id"], after=row["after_id"], limit=limit)
    ids = [item["target_id"] for item in found]
    if not ids:
        return [], Outcome({})
    ids = handler.shorten(tx, command, ids)
    return ids, handler.apply(tx, command, ids)


def _revert_items(tx: Tx, row: Row) -> tuple[list[int], Outcome]:
    handler = _handlers[row["subject"]]
    limit = handler.batch_size(row["action"])
    found = q.bulk_actions.list_applied(tx, bulk_action_id=row["undo_of_id"], after=row["after_id"], limit=limit)
    before = {item["target_id"]: orjson.loads(item["before_value"]) for item in found}
    if not before:
        return [], Outcome({})
    ids = handler.shorten(tx, _command(row), list(before))
    return ids, handler.revert(tx, _command(row), {one: before[one] for one in ids})


def _command(row: Row) -> Command:
    return Command(row["action"], orjson.loads(row["params"]), row["actor_id"])


def _apply_one(row: Row, var: Path) -> bool:
    with db.reading() as tx:
        found = q.bulk_actions.list_items(tx, bulk_action_id=row["id"], after=row["after_id"], limit=1)
    if not found:
        return db.transaction(_apply_batch, row["id"])
    target_id = found[0]["target_id"]
    applied = _handlers[row["subject"]].separate[row["action"]](_command(row), target_id, var)
    return db.transaction(_advance_one, row["id"], target_id, applied)


def _advance_one(tx: Tx, action_id: int, target_id: int, applied: bool) -> bool:
    row = q.bulk_actions.lock(tx, bulk_action_id=action_id)
    # Another runner may have been at the same target; the second one does not count it again.
    if row is not None and row["status"] == "running" and row["after_id"] < target_id:
        _advance(tx, row, [target_id], Outcome({target_id: None} if applied else {}, int(not applied)))
    return True


def _advance(tx: Tx, row: Row, ids: list[int], outcome: Outcome) -> None:
    if row["undo_of_id"] is None:
        changed = [{"target_id": one, "before_value": orjson.dumps(before).decode()} for one, before in outcome.changed.items() if before is not None]
        if changed:
            q.bulk_actions.set_before(tx, bulk_action_id=row["id"], items=orjson.dumps(changed).decode())
    q.bulk_actions.advance(
        tx,
        bulk_action_id=row["id"],
        done=len(ids),
        changed=len(outcome.changed),
        skipped=outcome.skipped,
        after_id=ids[-1],
    )


def _finish(tx: Tx, row: Row, status: Status, error: str = "") -> None:
    q.bulk_actions.finish(tx, bulk_action_id=row["id"], status=status, error=error[:500])
    if row["changed"]:
        only = row["after_id"] if row["total"] == 1 else None
        handler = _handlers[row["subject"]]
        handler.record(tx, _command(row), only, row["changed"], row["undo_of_id"] is not None)


def _fail(tx: Tx, action_id: int, error: str) -> int | None:
    """End an action that cannot go on, and start its undo; return the id of that."""
    row = q.bulk_actions.lock(tx, bulk_action_id=action_id)
    if row is None or row["status"] != "running":
        return None
    _finish(tx, row, "failed", error)
    return _add_undo(tx, row, row["actor_id"]) if _is_undoable(row) and row["changed"] else None


# ---------------------------------------------------------------- retention


def purge() -> int:
    """Delete plans that can no longer be undone and return their number."""
    with db.reading() as tx:
        expired = [row["id"] for row in q.bulk_actions.list_expired(tx, days=RETENTION_DAYS)]
    for action_id in expired:
        while db.transaction(_purge_items, action_id):
            continue
        db.transaction(_purge, action_id)
    return len(expired)


def _purge_items(tx: Tx, action_id: int) -> int:
    return int(q.bulk_actions.delete_items(tx, bulk_action_id=action_id, limit=PURGE_BATCH))


def _purge(tx: Tx, action_id: int) -> None:
    q.bulk_actions.delete(tx, bulk_action_id=action_id)
