from __future__ import annotations

from typing import Literal

from flask import Blueprint, Response, current_app, has_request_context, redirect, request
from pydantic import Field

from ..http import Params, anyone, moved_to
from ..services import catalogue, settings, trends
from ..services.catalogue import CategoryList, ProductDetail, ProductList, Wish
from ..services.settings import Shop

bp = Blueprint("catalogue", __name__, url_prefix="/api/v1")


class ProductParams(Params):
    q: str = Field("", max_length=120)
    category: str = Field("", max_length=120)
    brand: str = Field("", max_length=120)
    price_min: int | None = Field(None, ge=0, le=10**12)
    price_max: int | None = Field(None, ge=0, le=10**12)
    in_stock: bool = False
    rating_min: int | None = Field(None, ge=1, le=5)
    sort: Literal["", "relevance", "newest", "price_asc", "price_desc", "name", "rating", "best_selling"] = ""
    limit: int = Field(24, ge=1, le=100)
    after: str = Field("", max_length=1200)


@bp.get("/shop")
@anyone(shared=True)
def get_shop() -> Shop:
    """Name, currency and abilities of the shop."""
    shop = settings.public()
    shop["features"]["mailbox"] = current_app.config["SHOP"].development_mailbox
    return shop


@bp.get("/products")
@anyone(shared=True, problems=(404, 422))
def list_products(params: ProductParams) -> ProductList:
    """A page of the catalogue, filtered, sorted and counted."""
    found = catalogue.list_products(Wish(**params.model_dump()), catalogue.currency())
    if params.q and found["total"] and not params.after and has_request_context():
        folder = current_app.config["SHOP"].var / "search"
        request.environ[trends.TERM] = trends.note_search(folder, params.q, request.remote_addr or "", request.user_agent.string)
    return found


@bp.get("/products/<slug>")
@anyone(shared=True, moved=True, problems=(404,))
def get_product(slug: str) -> ProductDetail:
    """One product by its slug, with variants and pictures. A slug that it once had leads to the present one."""
    found = catalogue.get_product_or_slug(slug, catalogue.currency())
    return moved_to(f"/api/v1/products/{found}", 308) if isinstance(found, str) else found  # type: ignore[return-value]


@bp.get("/products/<int:product_id>")
@anyone(shared=True, status=302, problems=(404,))
def get_product_by_id(product_id: int) -> Response:
    """One product by its id: leads to its slug."""
    return redirect(f"/api/v1/products/{catalogue.slug_of(product_id)}")  # type: ignore[return-value]


@bp.get("/categories")
@anyone(shared=True)
def list_categories() -> CategoryList:
    """All categories with the number of products in each."""
    return catalogue.list_categories()
