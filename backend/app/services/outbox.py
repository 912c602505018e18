"""The outbox as staff see it: what waits, what went out and what did not, and how each mail looks. Never what a mail to somebody says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import orjson
from typing_extensions import TypedDict

from .. import db
from ..config import Settings
from ..db import Row, Tx, q
from ..errors import NotFound
from . import accounts, bell, events, grid, mail
from . import settings as choices

MOST_ORDERS = 1000  # whose mails are looked for by a part of their number
MOST_COUNTED = 10_000  # rows of a table that are counted; of more it is only said that there are more
CODES = frozenset(name for name in mail.TEMPLATES if name.endswith("_code"))

Sort = Literal["created", "created_asc"]
Status = Literal["", "waiting", "delayed", "sent", "failed"]
STATES: dict[str, tuple[str | None, bool | None]] = {"": (None, None), "waiting": ("queued", False), "delayed": ("queued", True)}
assert set(get_args(Status)) == {*STATES, "sent", "failed"}


class MailRow(TypedDict):
    """A `waiting` mail was not tried yet, a `delayed` one was refused and is tried again at `due_at`; a `failed` one is given up."""

    id: int
    template: str
    recipient: str
    order_number: str | None
    status: str
    attempts: int
    last_error: str
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None


class MailRows(TypedDict):
    """`at_least`: there are more than `total`, which nobody counted."""

    items: list[MailRow]
    next: str | None
    total: int
    at_least: bool


class TemplateName(TypedDict):
    name: str
    subject: str


class TemplateNames(TypedDict):
    items: list[TemplateName]


class Preview(TypedDict):
    name: str
    subject: str
    text: str


class Retried(TypedDict):
    """The mails that are tried again; the others are sent, under way, or hold a code that is no longer good."""

    retried: list[int]


class Tested(TypedDict):
    to: str


@dataclass(frozen=True)
class Filters:
    """'' is any; `q` is the beginning of an address or of an order's number."""

    q: str = ""
    status: Status = ""
    template: str = ""


def list_all(filters: Filters, *, sort: Sort, limit: int, after: str) -> MailRows:
    """One page in two statements, three with the number of an order, however many mails there are."""
    _, after_id = grid.read_cursor(after, sort, int)
    text = filters.q.strip()
    by_number = text.upper().startswith("FC-") and text.isascii()
    status, delayed = STATES.get(filters.status, (filters.status, None))
    wanted: Row = {
        "status": status,
        "delayed": delayed,
        "template": (filters.template if filters.template in mail.TEMPLATES else "?") if filters.template else None,
        "any_order": not by_number,
        "recipient": grid.starting(text) if text and not by_number else None,
    }
    with db.reading() as tx:
        found = q.mail.find_orders(tx, number=grid.starting(text.upper()), most=MOST_ORDERS) if by_number else []
        wanted["order_ids"] = [row["id"] for row in found]
        rows = q.mail.list_all[sort](tx, **wanted, after_id=after_id, limit=limit + 1)
        total = q.mail.count_all(tx, **wanted, most=MOST_COUNTED + 1)
    following = grid.cursor(sort, rows[limit - 1]["id"], rows[limit - 1]["id"]) if len(rows) > limit else None
    return {"items": rows[:limit], "next": following, "total": min(total, MOST_COUNTED), "at_least": total > MOST_COUNTED}


def retry(ids: list[int], *, actor_id: int) -> Retried:
    """Have failed and delayed mails sent now, under the ids they always had. One that is older than a mail may be gets this one try."""
    return {"retried": db.transaction(_retry, sorted(set(ids)), actor_id)}


def _retry(tx: Tx, ids: list[int], actor_id: int) -> list[int]:
    retried = [one for one in ids if q.mail.retry(tx, id=one, codes=sorted(CODES), minutes=accounts.CODE_MINUTES)]
    for one in retried:
        q.newsletters.note_retried(tx, mail_id=one)
        events.note(tx, "mail_retried", one, subject="mail", actor_id=actor_id)
    bell.ring(tx)
    return retried


# ---------------------------------------------------------------- how mails look


def _examples() -> dict[str, dict[str, Any]]:
    """What the templates are shown and tested with; an example is `like` another one, but for what it says itself."""
    told: dict[str, dict[str, Any]] = orjson.loads((mail.FOLDER / "examples.json").read_bytes())
    whole = {name: {**told.get(data.pop("like", ""), {}), **data} for name, data in told.items()}
    return {name: data for name, data in whole.items() if name in mail.TEMPLATES}


EXAMPLES = _examples()


def list_templates(settings: Settings) -> TemplateNames:
    """Every mail that the shop sends, by name, with the subject of an example."""
    return {"items": [{"name": name, "subject": _rendered(name, settings).subject} for name in sorted(EXAMPLES)]}


def preview(name: str, settings: Settings) -> Preview:
    """An example of a mail. Raises NotFound."""
    made = _rendered(name, settings)
    return {"name": name, "subject": made.subject, "text": made.text}


def preview_page(name: str, settings: Settings) -> str:
    """Its HTML part. Raises NotFound."""
    return _rendered(name, settings).html


def _rendered(name: str, settings: Settings) -> mail.Rendered:
    if name not in EXAMPLES:
        raise NotFound("There is no such mail.")
    with db.reading() as tx:
        shop = choices.shop(tx)
    return mail.render(name, EXAMPLES[name], {"name": shop["name"], "url": settings.url, "seller": shop["seller"]})


def send_test(template: str, to: str, *, actor_id: int) -> Tested:
    """Send an example to whoever asks for it. Raises NotFound."""
    if template not in EXAMPLES:
        raise NotFound("There is no such mail.")
    db.transaction(_send_test, template, to, actor_id)
    return {"to": to}


def _send_test(tx: Tx, template: str, to: str, actor_id: int) -> None:
    mail.enqueue(tx, template, to, EXAMPLES[template], user_id=actor_id)
    events.note(tx, "mail_tested", actor_id, actor_id=actor_id, template=template)
