from __future__ import annotations

from flask import Blueprint
from pydantic import Field
from typing_extensions import TypedDict

from ..http import Line, Moment, Params, admin
from ..services import events
from ..services.events import Event, EventRows, Filters, Sort
from .cart import MOST_ID

bp = Blueprint("events", __name__, url_prefix="/api/v1/admin/events")


class EventParams(Params):
    """`q` is a request's id, an order's number or the name of an account that it happened to; `actor` the name or id of who did it.

    `subject`, such as `order`, and `subject_id` go together.
    """

    q: Line = Field("", max_length=120)
    kind: Line = Field("", max_length=32)
    actor: Line = Field("", max_length=40)
    subject: Line = Field("", max_length=16)
    subject_id: int | None = Field(None, ge=1, le=MOST_ID)
    since: Moment | None = None
    until: Moment | None = None
    sort: Sort = "newest"
    limit: int = Field(50, ge=1, le=100)
    after: int | None = Field(None, ge=1, le=MOST_ID)


class Kinds(TypedDict):
    items: list[str]


@bp.get("")
@admin(problems=(422,))
def list_events(params: EventParams) -> EventRows:
    """What happened, newest first. `total` is counted up to 10,000."""
    filters = Filters(**params.model_dump(exclude={"sort", "limit", "after"}))
    return events.list_all(filters, sort=params.sort, limit=params.limit, after=params.after)


@bp.get("/kinds")
@admin
def list_kinds() -> Kinds:
    """Every kind of event that there can be."""
    return {"items": sorted(events.KINDS)}


@bp.get("/<int:event_id>")
@admin(problems=(404,))
def get_event(event_id: int) -> Event:
    """One event, with what it changed and into what, where that is kept."""
    return events.get(event_id)
