from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import Body, Line, Params, Prose, staff
from ..request_parsing import read_upload
from ..services import categories, media
from ..services.categories import EditedCategory, EditedCategoryList
from .products import Id, ImageParams, Slug, uploads

bp = Blueprint("categories", __name__, url_prefix="/api/v1")


class CategoryBody(Body):
    name: Line = Field(min_length=1, max_length=120)
    slug: Slug = Field("", max_length=120)
    description: Prose = Field("", max_length=1000)
    parent_id: Id | None = None
    position: int = Field(0, ge=0, le=1_000_000)
    image_alt: Line = Field("", max_length=250)


class CategoryPut(CategoryBody):
    version: Id


class RemovalParams(Params):
    move_up: bool = False
    version: Id | None = None


@bp.get("/admin/categories")
@staff
def list_categories_to_edit() -> EditedCategoryList:
    """All categories with the number of products right in each, unpublished ones too."""
    return categories.list_all()


@bp.post("/categories")
@staff(status=201)
def add_category(body: CategoryBody) -> EditedCategory:
    """Add a category, below another one or at the top."""
    return categories.create(body.model_dump(), actor_id=http.account_id())


@bp.put("/categories/<int:category_id>")
@staff(problems=(404, 409))
def change_category(category_id: int, body: CategoryPut) -> EditedCategory:
    """Replace a category, or move it: never below itself. A stale `version` is 409 with the `current` category."""
    return categories.change(category_id, body.version, body.model_dump(exclude={"version"}), actor_id=http.account_id())


@bp.delete("/categories/<int:category_id>")
@staff(status=204, problems=(404, 409))
def delete_category(category_id: int, params: RemovalParams) -> None:
    """Delete an empty category, or with `move_up` one whose products and categories then stand where it stood itself."""
    categories.remove(category_id, version=params.version, move_up=params.move_up, actor_id=http.account_id())


@bp.put("/categories/<int:category_id>/image")
@staff(problems=(404, 413, 415))
def set_category_image(category_id: int, params: ImageParams) -> EditedCategory:
    """Give a category a picture instead of the one that it has: what products take, as the body itself or as one file of a form."""
    return categories.set_image(category_id, read_upload("image", max_bytes=media.MOST_BYTES), params.alt, uploads(), actor_id=http.account_id())


@bp.delete("/categories/<int:category_id>/image")
@staff(status=204, problems=(404,))
def delete_category_image(category_id: int) -> None:
    """Take the picture away from a category."""
    categories.remove_image(category_id, uploads(), actor_id=http.account_id())
