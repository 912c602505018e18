from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from ..http import Params, anyone
from ..services import recommendations
from ..services.recommendations import Recommendations, Related
from .cart import buyer

bp = Blueprint("recommendations", __name__, url_prefix="/api/v1")


class RecommendationParams(Params):
    from_cart: bool = False
    limit: int = Field(8, ge=1, le=24)


@bp.get("/products/<name>/related")
@anyone(shared=True, problems=(404,))
def get_related(name: str) -> Related:
    """What is bought together with a product, and what is like it, by its id or slug."""
    return recommendations.of_product(name)


@bp.get("/recommendations")
@anyone
def get_recommendations(params: RecommendationParams) -> Recommendations:
    """What this shopper may like; with `from_cart`, what goes with the things in the cart."""
    recommend = recommendations.for_cart if params.from_cart else recommendations.for_shopper
    return recommend(buyer(), params.limit)
