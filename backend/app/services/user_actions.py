"""Bulk actions on accounts: closing, blocking, signing out, test emails and erasure."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from ..db import Row, Tx, q
from ..errors import Conflict, Invalid, NotFound
from . import bulk_actions, events, mail, privacy, sessions, users
from .bulk_actions import ApplyOne, Before, BulkAction, Command, Outcome

Action = Literal["activate", "deactivate", "block", "unblock", "end_sessions", "send_test_mail", "erase"]
# Accounts in one transaction. Each takes half a dozen statements for its sessions, email and audit event.
BATCH_SIZE = 5


def start(
    action: Action,
    scope: list[int] | users.Filters,
    *,
    actor_id: int,
    var: Path,
    blocked_until: datetime | None = None,
    block_reason: str = "",
) -> BulkAction:
    """Start an action on accounts; the actor's own account is skipped. Raises Invalid for a block in the past or without a reason.

    An erasure is one transaction for each account: those whose orders are under way are skipped, as in their own hands.
    """
    params: dict[str, Any] = {}
    if action == "block":
        params = {"blocked_until": _serialize(blocked_until), "block_reason": block_reason}

    def list_matching(tx: Tx, after: int, limit: int) -> list[int]:
        assert isinstance(scope, users.Filters)
        return users.list_ids(tx, scope, after=after, limit=limit)

    list_ids = list_matching if isinstance(scope, users.Filters) else bulk_actions.ids_after(scope)
    return bulk_actions.start("user", Command(action, params, actor_id), list_ids, var=var, exclude=[actor_id])


def _erase(command: Command, user_id: int, var: Path) -> bool:
    try:
        privacy.erase_for(user_id, actor_id=command.actor_id, var=var)
    except Conflict:
        return False
    except NotFound:
        # It is gone, perhaps by this action just before its runner was killed.
        return True
    return True


class UserActions:
    irreversible = frozenset({"end_sessions", "send_test_mail", "erase"})
    separate: dict[str, ApplyOne] = {"erase": _erase}

    def batch_size(self, action: str) -> int:
        return BATCH_SIZE

    def shorten(self, tx: Tx, command: Command, ids: list[int]) -> list[int]:
        return ids

    def validate(self, tx: Tx, command: Command, ids: list[int]) -> None:
        if command.action == "block":
            users.check_block(_changes(command), q.users.get_time(tx))

    def apply(self, tx: Tx, command: Command, ids: list[int]) -> Outcome:
        if command.action == "end_sessions":
            return _end_sessions(tx, ids, command.actor_id)
        if command.action == "send_test_mail":
            return _send_test_mails(tx, ids, command.actor_id)
        changes = _changes(command)
        return _change_all(tx, users.lock(tx, ids), {one: changes for one in ids}, command.actor_id)

    def revert(self, tx: Tx, command: Command, before: dict[int, Before]) -> Outcome:
        """Put back what was changed, where it is still as the action left it."""
        set_to = _changes(command)
        rows = users.lock(tx, list(before))
        unchanged = [row for row in rows if all(row[name] == value for name, value in set_to.items())]
        former = {row["id"]: _former(before[row["id"]], row["now"]) for row in unchanged}
        outcome = _change_all(tx, unchanged, former, command.actor_id)
        return Outcome(outcome.changed, len(before) - len(outcome.changed))

    def record(self, tx: Tx, command: Command, target_id: int | None, changed: int, undo: bool) -> None:
        """Each account has an audit event of its own."""


bulk_actions.register("user", UserActions())


def _changes(command: Command) -> dict[str, Any]:
    if command.action in ("activate", "deactivate"):
        return {"status": "active" if command.action == "activate" else "deactivated"}
    if command.action == "unblock":
        return {"blocked_until": None}
    until = _parse(command.params["blocked_until"])
    return {"blocked_until": until, "block_reason": command.params["block_reason"]}


def _former(before: Before, now: datetime) -> dict[str, Any]:
    """What an account goes back to. A block whose end has passed meanwhile is over."""
    if "blocked_until" not in before:
        return before
    until = _parse(before["blocked_until"])
    if until is None or until <= now:
        return {"blocked_until": None}
    return {"blocked_until": until, "block_reason": before["block_reason"]}


def _change_all(
    tx: Tx,
    rows: list[Row],
    changes: dict[int, dict[str, Any]],
    actor_id: int | None,
) -> Outcome:
    """Change accounts that are not that way already. One that the rules protect, such as the only admin, is skipped."""
    changed: dict[int, Before | None] = {}
    skipped = 0
    for row in rows:
        try:
            if users.apply_changes(tx, row, changes[row["id"]], actor_id):
                changed[row["id"]] = _before(row, changes[row["id"]])
        except (Conflict, Invalid):
            skipped += 1
    return Outcome(changed, skipped)


def _before(row: Row, changes: dict[str, Any]) -> Before:
    if "status" in changes:
        return {"status": row["status"]}
    return {"blocked_until": _serialize(row["blocked_until"]), "block_reason": row["block_reason"]}


def _serialize(moment: datetime | None) -> str | None:
    return moment.replace(tzinfo=None).isoformat() if moment else None


def _parse(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _end_sessions(tx: Tx, ids: list[int], actor_id: int | None) -> Outcome:
    changed: dict[int, Before | None] = {}
    for user_id in ids:
        ended = sessions.end_all_of(tx, user_id)
        if ended:
            events.note(tx, "session_ended", user_id, actor_id=actor_id, reason="by_admin", count=ended)
            changed[user_id] = None
    return Outcome(changed)


def _send_test_mails(tx: Tx, ids: list[int], actor_id: int | None) -> Outcome:
    rows = q.users.lock_all(tx, ids=ids)
    for row in rows:
        mail.enqueue(tx, "test", row["email"], {}, user_id=row["id"])
        events.note(tx, "mail_tested", row["id"], actor_id=actor_id, template="test")
    return Outcome({row["id"]: None for row in rows})
