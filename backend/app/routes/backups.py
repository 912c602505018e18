from __future__ import annotations

from pathlib import Path
from typing import Literal

from flask import Blueprint, current_app
from pydantic import Field

from .. import http
from ..errors import Invalid
from ..http import Body, Line, Params, ZipFile, admin
from ..services import backups
from ..services.backups import Backups, Contents, Task, Tasks
from .cart import MOST_ID

bp = Blueprint("backups", __name__, url_prefix="/api/v1/admin/backups")


class BackupParams(Params):
    """`q` is a part of a name, such as the day 20261121."""

    q: Line = Field("", max_length=40)
    state: Literal["", "proven", "unproven"] = ""
    limit: int = Field(50, ge=1, le=100)
    after: Line = Field("", max_length=60)


class TaskParams(Params):
    limit: int = Field(24, ge=1, le=100)
    after: int | None = Field(None, ge=1, le=MOST_ID)


class Restoration(Body):
    """The backup's name once more, typed by whoever means it.

    `allow_unsigned` confirms the restore of a backup that this shop did not sign, which is refused with `unsigned_backup` otherwise.
    """

    name: Line = Field(max_length=60)
    allow_unsigned: bool = False


def _var() -> Path:
    return Path(current_app.config["SHOP"].var)


@bp.get("")
@admin(problems=(422,))
def list_backups(params: BackupParams) -> Backups:
    """Backups, the newest first, and when each was last proven."""
    proven = {"proven": True, "unproven": False}.get(params.state)
    return backups.list_all(_var(), text=params.q, proven=proven, limit=params.limit, after=params.after)


@bp.post("")
@admin(status=202, problems=(409,))
def make_backup() -> Task:
    """Have a backup made and proven. The job runner does it; one thing at a time is done with backups."""
    return backups.ask("make", actor_id=http.account_id(), var=_var())


@bp.get("/tasks")
@admin(problems=(422,))
def list_backup_tasks(params: TaskParams) -> Tasks:
    """What was asked for lately, and what came of it; the newest first."""
    return backups.list_tasks(limit=params.limit, after=params.after)


@bp.get("/tasks/<int:task_id>")
@admin(problems=(404,))
def get_backup_task(task_id: int) -> Task:
    """How far it is."""
    return backups.get_task(task_id)


@bp.get("/<name>")
@admin(step_up=True, problems=(404, 409))
def get_backup(name: str) -> Contents:
    """What is in a backup."""
    return backups.get(_var(), name)


@bp.delete("/<name>")
@admin(status=204, step_up=True, problems=(404, 409))
def delete_backup(name: str) -> None:
    """Delete a backup for good."""
    backups.delete(_var(), name, actor_id=http.account_id())


@bp.get("/<name>/file")
@admin(step_up=True, problems=(404,))
def take_backup(name: str) -> ZipFile:
    """The file itself. It holds everything that the shop knows."""
    return ZipFile(backups.take(_var(), name, actor_id=http.account_id()), file_name=name)


@bp.post("/<name>/proof")
@admin(status=202, problems=(404, 409))
def prove_backup(name: str) -> Task:
    """Have a backup restored beside the shop and examined there."""
    return backups.ask("prove", name, actor_id=http.account_id(), var=_var())


@bp.post("/<name>/restoration")
@admin(status=202, step_up=True, problems=(404, 409))
def restore_backup(name: str, body: Restoration) -> Task:
    """Have a backup put in the place of the shop, after the shop of now was copied. Everybody is signed out by it."""
    if body.name != name:
        raise Invalid(name="Type the name of the backup.")
    return backups.ask("restore", name, actor_id=http.account_id(), var=_var(), allow_unsigned=body.allow_unsigned)
