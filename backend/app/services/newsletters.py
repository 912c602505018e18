"""Newsletters: written in Markdown, looked at, sent to everybody who subscribed, a few at a time.

The place in the list of readers moves in the same transaction that writes their mails, so a sending that was cut off anywhere goes on
where it was and nobody gets two. No pixel and no counted link tells who read one.
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from datetime import datetime
from typing import Any, Literal

import orjson
from typing_extensions import TypedDict

from .. import db, money
from ..config import Settings
from ..db import Row, Tx, q
from ..errors import Conflict, NotFound
from . import bell, descriptions, events, mail, recommendations, subscribers
from . import settings as choices
from .catalogue import Product
from .grid import containing, cursor, read_cursor
from .mail import Letter, Rendered

Status = Literal["", "draft", "sending", "paused", "sent"]
Action = Literal["send", "pause", "resume"]
MOST_MARKDOWN = 20_000  # characters
BATCH = 25  # readers written to in one transaction
WINDOW = 50  # mails of newsletters that wait in the outbox at most: an order's confirmation comes after these and no more
SETTLED = 500  # mails counted, or forgotten, in one step
PRODUCTS = 4  # recommended to each reader
KEPT_DAYS = 365  # after which nobody needs to know who got a newsletter


class Newsletter(TypedDict):
    """The counts are of readers: how many there were when it began, how many mails were written, went out, failed, and who left by its link."""

    id: int
    subject: str
    status: Literal["draft", "sending", "paused", "sent"]
    recommend: bool
    version: int
    reader_count: int
    written_count: int
    sent_count: int
    failed_count: int
    unsubscribed_count: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class WholeNewsletter(Newsletter):
    """`reader_count` of a draft: who would get it now. `waiting_count`: written, and not sent yet."""

    markdown: str
    waiting_count: int


class Newsletters(TypedDict):
    items: list[Newsletter]
    next: str | None
    total: int


class NewsletterPreview(TypedDict):
    subject: str
    text: str


class SentTest(TypedDict):
    to: str


# ---------------------------------------------------------------- writing it


def list_all(*, status: Status, words: str, limit: int, after: str) -> Newsletters:
    """The newest first."""
    _, after_id = read_cursor(after, "newest", int)
    wanted = {"status": status or None, "words": containing(words) if words else None}
    with db.reading() as tx:
        rows = q.newsletters.list_all(tx, **wanted, after_id=after_id, limit=limit + 1)
        total = q.newsletters.count_all(tx, **wanted)
    following = cursor("newest", 0, rows[limit - 1]["id"]) if len(rows) > limit else None
    return {"items": [_shown(row) for row in rows[:limit]], "next": following, "total": total}


def _shown(row: Row) -> Newsletter:
    return {**row, "recommend": bool(row["recommend"])}  # type: ignore[typeddict-item]


def get(newsletter_id: int) -> WholeNewsletter:
    with db.reading() as tx:
        return _whole(tx, newsletter_id)


def _whole(tx: Tx, newsletter_id: int) -> WholeNewsletter:
    row = dict(_row(tx, newsletter_id))
    del row["after_id"], row["up_to_id"]
    if row["status"] == "draft":
        row["reader_count"] = q.newsletters.count_readers(tx)
    waiting = q.newsletters.count_waiting(tx, newsletter_id=newsletter_id) if row["written_count"] else 0
    return {**row, "recommend": bool(row["recommend"]), "waiting_count": waiting}  # type: ignore[typeddict-item]


def _row(tx: Tx, newsletter_id: int) -> Row:
    row: Row | None = q.newsletters.get(tx, newsletter_id=newsletter_id)
    if row is None:
        raise NotFound("There is no such newsletter.")
    return row


def add(*, subject: str, markdown: str, recommend: bool, actor_id: int) -> WholeNewsletter:
    """Begin a draft."""
    return db.transaction(_add, subject, markdown, recommend, actor_id)


def _add(tx: Tx, subject: str, markdown: str, recommend: bool, actor_id: int) -> WholeNewsletter:
    newsletter_id: int = q.newsletters.add(tx, subject=subject, markdown=markdown, recommend=recommend)
    _note(tx, newsletter_id, "written", actor_id)
    return _whole(tx, newsletter_id)


def change(newsletter_id: int, *, subject: str | None, markdown: str | None, recommend: bool | None, version: int, actor_id: int) -> WholeNewsletter:
    """Change what is given of a draft. Raises NotFound, and Conflict with what it is now for another version or one that is sent already."""
    return db.transaction(_change, newsletter_id, {"subject": subject, "markdown": markdown, "recommend": recommend}, version, actor_id)


def _change(tx: Tx, newsletter_id: int, changes: dict[str, Any], version: int, actor_id: int) -> WholeNewsletter:
    if not q.newsletters.change(tx, newsletter_id=newsletter_id, version=version, **changes):
        raise _conflict(tx, newsletter_id)
    _note(tx, newsletter_id, "changed", actor_id)
    return _whole(tx, newsletter_id)


def _conflict(tx: Tx, newsletter_id: int) -> Conflict:
    now = _whole(tx, newsletter_id)
    words = "Somebody else saved this newsletter meanwhile." if now["status"] == "draft" else "This newsletter has left: nothing about it can be changed."
    return Conflict(words, current=now)


def delete(newsletter_id: int, *, actor_id: int) -> None:
    """Throw a draft away. Raises NotFound, and Conflict for one that was sent."""
    db.transaction(_delete, newsletter_id, actor_id)


def _delete(tx: Tx, newsletter_id: int, actor_id: int) -> None:
    if not q.newsletters.delete(tx, newsletter_id=newsletter_id):
        raise _conflict(tx, newsletter_id)
    _note(tx, newsletter_id, "deleted", actor_id)


def _note(tx: Tx, newsletter_id: int, action: str, actor_id: int) -> None:
    events.note(tx, "newsletter_changed", newsletter_id, subject="newsletter", actor_id=actor_id, action=action)


# ---------------------------------------------------------------- what a reader sees

# Mail programs drop stylesheets, so each element brings its own looks.
LOOKS = {
    "p": "margin:0 0 16px;font-size:16px;line-height:25px",
    "h2": "margin:28px 0 12px;font-size:20px;line-height:27px;letter-spacing:-0.01em",
    "h3": "margin:24px 0 8px;font-size:17px;line-height:25px",
    "h4": "margin:20px 0 8px;font-size:16px;line-height:25px",
    "ul": "margin:0 0 16px;padding:0 0 0 24px;font-size:16px;line-height:25px",
    "ol": "margin:0 0 16px;padding:0 0 0 24px;font-size:16px;line-height:25px",
    "li": "margin:0 0 6px",
    "blockquote": "margin:0 0 16px;padding:0 0 0 16px;border-left:3px solid #a9afa9",
    "table": "margin:0 0 16px;border-collapse:collapse",
    "th": "padding:6px 12px 6px 0;border-bottom:1px solid #a9afa9;text-align:left;font-size:15px",
    "td": "padding:6px 12px 6px 0;border-bottom:1px solid #a9afa9;font-size:15px",
    "a": "color:#1c5a42",
}
_opened = re.compile(rf"<({'|'.join(sorted(LOOKS, key=len, reverse=True))})(?=[ >])")
_mark = re.compile(r"^[-+#>|\s]+|[*_`|]", re.MULTILINE)
_link = re.compile(r"\[([^\]]*)\]\(<?([^\s)>]+)>?(?: [^)]*)?\)")


def _as_html(markdown: str, url: str) -> str:
    """The text for a mail: links lead to the shop's full address."""
    absolute = descriptions.rendered(markdown).replace('href="/', f'href="{html.escape(url)}/')
    return _opened.sub(lambda found: f'<{found[1]} style="{LOOKS[found[1]]}"' + ' class="plain"' * (found[1] == "a"), absolute)


def _as_text(markdown: str, url: str) -> str:
    def written(found: re.Match[str]) -> str:
        address = url + found[2] if found[2].startswith("/") else found[2]
        return address if found[1] == address else f"{found[1]} ({address})"

    return _link.sub(written, markdown).strip()


def _content(newsletter: Row | WholeNewsletter, url: str) -> dict[str, Any]:
    markdown = newsletter["markdown"]
    return {
        "subject_line": newsletter["subject"],
        "preview": " ".join(_mark.sub("", _link.sub(r"\1", markdown)).split())[:140],
        "html": _as_html(markdown, url),
        "text": _as_text(markdown, url),
    }


def _shelf(products: list[Product], own: bool, currency: str) -> dict[str, Any]:
    told = [
        {
            "title": one["title"],
            "path": f"/products/{one['slug']}",
            "price": ("from " if one["price_max_minor"] > one["price_minor"] else "") + money.in_words(one["price_minor"], currency),
        }
        for one in products
    ]
    return {"heading": "Picked for you" if own else "What others like", "products": told}


def _shelves(user_ids: list[int], recommend: bool) -> tuple[dict[int | None, dict[str, Any]], dict[str, Any]]:
    """By account what is recommended to it, and what to anybody else."""
    if not recommend:
        return {}, {"heading": "", "products": []}
    own, others = recommendations.for_readers(user_ids, PRODUCTS)
    with db.reading() as tx:
        currency = choices.shop(tx)["currency"]
    return {one: _shelf(items, True, currency) for one, items in own.items()}, _shelf(others, False, currency)


def _for_author(newsletter: WholeNewsletter, user_id: int, url: str) -> dict[str, Any]:
    """As its author would get it, but without a way out, which only readers need."""
    own, others = _shelves([user_id], newsletter["recommend"])
    return {**_content(newsletter, url), **own.get(user_id, others), "unsubscribe": ""}


def preview(newsletter_id: int, settings: Settings, *, reader_id: int) -> Rendered:
    """How it looks to this account. Raises NotFound."""
    newsletter = get(newsletter_id)
    with db.reading() as tx:
        shop = choices.shop(tx)
    return mail.render("newsletter", _for_author(newsletter, reader_id, settings.url), {"name": shop["name"], "url": settings.url, "seller": shop["seller"]})


def send_test(newsletter_id: int, settings: Settings, to: str, *, actor_id: int) -> SentTest:
    """Send it to whoever wrote it and nobody else. Raises NotFound."""
    newsletter = get(newsletter_id)
    data = _for_author(newsletter, actor_id, settings.url)
    db.transaction(_send_test, newsletter_id, data | {"subject_line": f"Test: {newsletter['subject']}"}, to, actor_id)
    return {"to": to}


def _send_test(tx: Tx, newsletter_id: int, data: dict[str, Any], to: str, actor_id: int) -> None:
    mail.enqueue(tx, "newsletter", to, data, user_id=actor_id)
    _note(tx, newsletter_id, "tested", actor_id)


# ---------------------------------------------------------------- sending it


def act(newsletter_id: int, action: Action, *, version: int, actor_id: int) -> WholeNewsletter:
    """Send a draft, pause a sending, or go on with it. Raises NotFound, and Conflict with what it is now where that is not possible."""
    return db.transaction(_act, newsletter_id, action, version, actor_id)


def _act(tx: Tx, newsletter_id: int, action: Action, version: int, actor_id: int) -> WholeNewsletter:
    if action == "send":
        acted = _start(tx, newsletter_id, version)
    elif action == "pause":
        acted = q.newsletters.set_status(tx, newsletter_id=newsletter_id, status="paused", former="sending")
    else:
        acted = q.newsletters.set_status(tx, newsletter_id=newsletter_id, status="sending", former="paused")
    if not acted:
        raise _conflict(tx, newsletter_id)
    _note(tx, newsletter_id, action, actor_id)
    bell.ring(tx)
    return _whole(tx, newsletter_id)


def _start(tx: Tx, newsletter_id: int, version: int) -> int:
    if not (readers := q.newsletters.count_readers(tx)):
        raise Conflict("Nobody has subscribed yet.", code="no_readers")
    if not _row(tx, newsletter_id)["markdown"].strip():
        raise Conflict("There is nothing in it yet.", code="empty")
    return int(q.newsletters.start(tx, newsletter_id=newsletter_id, version=version, readers=readers))


def any_to_do() -> bool:
    """Whether a newsletter is on its way, or mails went out that are not counted."""
    with db.reading() as tx:
        return bool(q.newsletters.any_to_do(tx))


def send_due(settings: Settings) -> int:
    """Count what went out, and write to the next readers while the outbox holds few newsletters; gives how many mails were written."""
    _settle()
    with db.reading() as tx:
        sending = [row["id"] for row in q.newsletters.list_sending(tx)]
    written = 0
    for newsletter_id in sending:
        while _has_room() and (step := _write_to_some(newsletter_id, settings.url)) is not None:
            written += step
    return written


def _has_room() -> bool:
    with db.reading() as tx:
        return bool(q.newsletters.count_in_outbox(tx) <= WINDOW - BATCH)


def _write_to_some(newsletter_id: int, url: str) -> int | None:
    """The mails of the next readers; None when there are no more of them, or it was paused."""
    with db.reading() as tx:
        newsletter = _row(tx, newsletter_id)
        readers = q.newsletters.list_readers(tx, after_id=newsletter["after_id"], up_to_id=newsletter["up_to_id"], limit=BATCH)
    if not readers:
        db.transaction(_finish, newsletter)
        return None
    own, others = _shelves([row["user_id"] for row in readers if row["user_id"]], bool(newsletter["recommend"]))
    content = _content(newsletter, url)
    data = {row["id"]: {**content, **own.get(row["user_id"], others), **subscribers.ways_out(row["id"], newsletter_id)} for row in readers}
    return db.transaction(_write_to, newsletter, readers, data)


def _finish(tx: Tx, newsletter: Row) -> None:
    q.newsletters.finish(tx, newsletter_id=newsletter["id"], after_id=newsletter["after_id"])


def _write_to(tx: Tx, newsletter: Row, readers: list[Row], data: dict[int, dict[str, Any]]) -> int | None:
    if not q.newsletters.advance(tx, newsletter_id=newsletter["id"], after_id=newsletter["after_id"], last_id=readers[-1]["id"]):
        return None
    still = {row["id"]: row["email"] for row in q.newsletters.lock_readers(tx, subscriber_ids=list(data))}
    chosen = [row for row in readers if row["id"] in still]
    if chosen:
        mail_ids = mail.enqueue_all(tx, "newsletter", [Letter(still[row["id"]], data[row["id"]], row["user_id"]) for row in chosen])
        pairs = [[row["id"], mail_id] for row, mail_id in zip(chosen, mail_ids, strict=True)]
        q.newsletters.add_mails(tx, newsletter_id=newsletter["id"], pairs=orjson.dumps(pairs).decode())
        q.newsletters.count_written(tx, newsletter_id=newsletter["id"], written=len(chosen))
    return len(chosen)


def _settle() -> None:
    """Note what became of mails that are not waiting any more."""
    while db.transaction(_settle_some) == SETTLED:
        continue


def _settle_some(tx: Tx) -> int:
    rows = q.newsletters.list_settled(tx, limit=SETTLED)
    settled: dict[int, dict[str, list[int]]] = defaultdict(lambda: {"sent": [], "failed": []})
    for row in rows:
        settled[row["newsletter_id"]][row["status"]].append(row["subscriber_id"])
    for newsletter_id, by_status in settled.items():
        counts = {
            status: int(q.newsletters.settle(tx, newsletter_id=newsletter_id, status=status, subscriber_ids=ids)) if ids else 0
            for status, ids in by_status.items()
        }
        q.newsletters.count_settled(tx, newsletter_id=newsletter_id, **counts)
    return len(rows)


def forget_readers() -> int:
    """Forget who got the newsletters of long ago."""
    with db.reading() as tx:
        old = [row["id"] for row in q.newsletters.list_long_ago(tx, days=KEPT_DAYS)]
    forgotten = 0
    for newsletter_id in old:
        while step := db.transaction(_forget_some, newsletter_id):
            forgotten += step
    return forgotten


def _forget_some(tx: Tx, newsletter_id: int) -> int:
    return int(q.newsletters.delete_mails(tx, newsletter_id=newsletter_id, limit=SETTLED))
