from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import Line, Params, admin
from ..services import jobs
from ..services.jobs import JobRow, JobRows, Runs, State
from .cart import MOST_ID

bp = Blueprint("jobs", __name__, url_prefix="/api/v1/admin/jobs")


class JobParams(Params):
    """`q` is a part of a job's name or of what it does."""

    q: Line = Field("", max_length=120)
    state: State = ""
    limit: int = Field(100, ge=1, le=100)
    after: str = Field("", max_length=60)


class RunParams(Params):
    failed: bool = False
    limit: int = Field(50, ge=1, le=100)
    after: int | None = Field(None, ge=1, le=MOST_ID)


@bp.get("")
@admin(problems=(422,))
def list_jobs(params: JobParams) -> JobRows:
    """What the shop does by itself: when each job runs, and what came of it the last time."""
    return jobs.list_all(params.q, params.state, limit=params.limit, after=params.after)


@bp.get("/<name>")
@admin(problems=(404,))
def get_job(name: str) -> JobRow:
    """One job as it is now."""
    return jobs.get(name)


@bp.get("/<name>/runs")
@admin(problems=(404, 422))
def list_runs(name: str, params: RunParams) -> Runs:
    """The latest runs of a job, newest first, or those that failed. Some hundreds are kept of each."""
    return jobs.list_runs(name, failed=params.failed, limit=params.limit, after=params.after)


@bp.post("/<name>/runs")
@admin(status=202, problems=(404,))
def run_job(name: str) -> JobRow:
    """Have a job run now, due or not. A runner takes it at once."""
    return jobs.ask(name, actor_id=http.account_id())
