"""The owner's pages: terms, privacy, returns, imprint. Each save is a version of its own that is never changed or taken away, since orders
say which version of the terms was accepted. Until the owner has saved a page, an honest first text stands there, made from the settings.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, get_args

from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Conflict, NotFound
from . import article_texts, descriptions, events, settings

Slug = Literal["terms", "privacy", "returns", "imprint"]
SLUGS: tuple[Slug, ...] = get_args(Slug)
TITLES: dict[Slug, str] = {"terms": "Terms and conditions", "privacy": "Privacy", "returns": "Returns", "imprint": "Imprint"}
MOST_MARKDOWN = 60_000


class Article(TypedDict):
    """`version` 0 is the shop's own first text, which the owner has not made theirs yet."""

    slug: Slug
    title: str
    html: str
    version: int
    saved_at: datetime | None


class EditedArticle(Article):
    markdown: str
    saved_by: str | None


class EditedArticles(TypedDict):
    items: list[EditedArticle]
    next: str | None
    total: int


def get(slug: Slug, version: int | None = None) -> Article:
    """A page as shoppers read it: as it is now, or as it was in that version. Raises NotFound for a version that never was."""
    with db.reading() as tx:
        edited = _edited(slug, q.articles.get(tx, slug=slug, version=version or None) if version != 0 else None, settings.shop(tx))
    if version is not None and edited["version"] != version:
        raise NotFound("There is no such version of this page.")
    return {"slug": slug, "title": edited["title"], "html": edited["html"], "version": edited["version"], "saved_at": edited["saved_at"]}


def list_all() -> EditedArticles:
    """All of them, with what they are written in."""
    with db.reading() as tx:
        shop, saved = settings.shop(tx), {row["slug"]: row for row in q.articles.list_newest(tx)}
    items = [_edited(slug, saved.get(slug), shop) for slug in SLUGS]
    return {"items": items, "next": None, "total": len(items)}


def get_edited(slug: Slug) -> EditedArticle:
    with db.reading() as tx:
        return _newest(tx, slug)


def save(slug: Slug, *, title: str, markdown: str, version: int, actor_id: int) -> EditedArticle:
    """Make it the page from now on. Raises Conflict with `current` when somebody else saved it meanwhile."""
    return db.transaction(_save, slug, title, markdown, version, actor_id)


def _save(tx: Tx, slug: Slug, title: str, markdown: str, version: int, actor_id: int) -> EditedArticle:
    now = _newest(tx, slug)
    if now["version"] == version and version and (now["title"], now["markdown"]) == (title, markdown):
        return now
    saved = {"slug": slug, "version": version + 1, "title": title, "markdown": markdown, "actor_id": actor_id}
    if now["version"] != version or not q.articles.add(tx, **saved):
        raise Conflict("Somebody else saved this page since you saw it.", current=_newest(tx, slug))
    events.note(tx, "article_changed", version + 1, subject="article", actor_id=actor_id, article=slug)
    return _newest(tx, slug)


def _newest(tx: Tx, slug: Slug) -> EditedArticle:
    return _edited(slug, q.articles.get(tx, slug=slug, version=None), settings.shop(tx))


def _edited(slug: Slug, row: Row | None, shop: dict[str, Any]) -> EditedArticle:
    markdown = row["markdown"] if row else article_texts.first(slug, shop)
    return {
        "slug": slug,
        "title": row["title"] if row else TITLES[slug],
        "html": descriptions.rendered(markdown),
        "version": row["version"] if row else 0,
        "saved_at": row["saved_at"] if row else None,
        "markdown": markdown,
        "saved_by": row["saved_by"] if row else None,
    }
