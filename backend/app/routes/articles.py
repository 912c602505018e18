from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from .. import http
from ..errors import NotFound
from ..http import Body, Line, Params, Prose, admin, anyone
from ..services import articles
from ..services.articles import SLUGS, Article, EditedArticle, EditedArticles, Slug

bp = Blueprint("articles", __name__, url_prefix="/api/v1")


class VersionParams(Params):
    # As it was accepted with an order; without it, as it is now.
    version: int | None = Field(None, ge=0, lt=2**31)


class ArticleText(Body):
    most_bytes = 512 * 1024
    title: Line = Field(min_length=1, max_length=80)
    markdown: Prose = Field(min_length=1, max_length=articles.MOST_MARKDOWN)
    version: int = Field(ge=0, lt=2**31)


def _known(slug: str) -> Slug:
    if slug not in SLUGS:
        raise NotFound("There is no such page.")
    return slug


@bp.get("/articles/<slug>")
@anyone(problems=(404, 422))
def get_article(slug: str, params: VersionParams) -> Article:
    """One of the owner's pages: terms, privacy, returns or imprint, now or in an earlier version."""
    return articles.get(_known(slug), params.version)


@bp.get("/admin/articles")
@admin
def list_articles() -> EditedArticles:
    """The pages that the owner writes."""
    return articles.list_all()


@bp.get("/admin/articles/<slug>")
@admin(problems=(404,))
def get_edited_article(slug: str) -> EditedArticle:
    """One of them, with its Markdown."""
    return articles.get_edited(_known(slug))


@bp.put("/admin/articles/<slug>")
@admin(problems=(404, 409))
def save_article(slug: str, body: ArticleText) -> EditedArticle:
    """Save a page; it holds at once. A stale `version` is answered 409 with `current`. Orders accept the version of the terms that stands then."""
    return articles.save(_known(slug), **body.model_dump(), actor_id=http.account_id())
