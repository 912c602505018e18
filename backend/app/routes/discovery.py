from __future__ import annotations

from flask import Blueprint, has_request_context, request
from pydantic import Field

from ..http import Params, anyone
from ..services import catalogue, trends
from ..services.trends import Suggestions, Trending

bp = Blueprint("discovery", __name__, url_prefix="/api/v1/search")


class SuggestionParams(Params):
    q: str = Field("", max_length=120)


@bp.get("/suggestions")
@anyone(shared=True, problems=(422,))
def list_suggestions(params: SuggestionParams) -> Suggestions:
    """What somebody who has typed so far may mean: searches, categories and products."""
    if has_request_context():
        request.environ[trends.TERM] = trends.term_of(params.q)
    return trends.suggest(params.q, catalogue.currency())


@bp.get("/trending")
@anyone(shared=True)
def list_trending() -> Trending:
    """What shoppers look for lately."""
    return trends.trending()
