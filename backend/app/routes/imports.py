from __future__ import annotations

from pathlib import Path
from typing import Literal

from flask import Blueprint, current_app, request
from pydantic import Field

from .. import http
from ..errors import UnsupportedMedia
from ..http import Body, CsvFile, Line, Params, admin, staff
from ..services import imports
from ..services.imports import Import, ImportList

bp = Blueprint("imports", __name__, url_prefix="/api/v1/admin")


NUMBERS = "How the file writes numbers: `point` is 1,234.56, `comma` is 1.234,56; empty detects it."


class FileParams(Params):
    format: Literal["", "shopify", "simple"] = ""
    file_name: Line = Field("products.csv", min_length=1, max_length=190)
    numbers: Literal["", "point", "comma"] = Field("", description=NUMBERS)


class NumbersBody(Body):
    numbers: Literal["", "point", "comma"] = Field(description=NUMBERS)


class PageParams(Params):
    limit: int = Field(24, ge=1, le=100)
    after: str = Field("", max_length=20)


class ExportParams(Params):
    format: Literal["shopify", "simple"] = "shopify"


def _var() -> Path:
    return Path(current_app.config["SHOP"].var)


@bp.post("/imports")
@staff(status=201, problems=(413, 415), max_body_bytes=imports.MOST_BYTES)
def receive_import(params: FileParams) -> Import:
    """Look a file of products through: CSV of at most 15 MB, or a ZIP of it and its pictures of at most 100 MB, as the body itself.

    Nothing changes yet; the answer tells what would. A large file is looked through in the background, with status `checking` meanwhile.
    """
    if request.mimetype in ("application/json", "multipart/form-data", "application/x-www-form-urlencoded"):
        raise UnsupportedMedia("Send the file itself as the body, as text/csv or application/zip.")
    return imports.receive(
        request.stream,
        file_name=params.file_name,
        asked=params.format,
        numbers=params.numbers or None,
        user_id=http.account_id(),
        var=_var(),
    )


@bp.get("/imports")
@staff
def list_imports(params: PageParams) -> ImportList:
    """Imports, the newest first."""
    return imports.list_all(limit=params.limit, after=params.after)


@bp.get("/imports/<int:import_id>")
@staff(problems=(404,))
def get_import(import_id: int) -> Import:
    """What an import would do to the shop, is doing (`done` of `total`), or did.

    Its status is `running` while it is prepared and `applying` while products are written.
    """
    return imports.get(import_id)


@bp.patch("/imports/<int:import_id>")
@staff(problems=(404, 409))
def recheck_import(import_id: int, body: NumbersBody) -> Import:
    """Check the file of an import again, reading its numbers in another format.

    Possible until it is started; a large file is checked in the background.
    """
    return imports.recheck(import_id, body.numbers or None, _var())


@bp.post("/imports/<int:import_id>/start")
@staff(status=202, problems=(404, 409))
def start_import(import_id: int) -> Import:
    """Start an import that was checked. The job runner applies it in small steps.

    The file is checked once more before anything is written; if it no longer fits, the import fails
    and nothing has changed. After that it is always completed. A product that somebody makes
    impossible to import meanwhile is left out and listed in `errors` of the import that is `done`.
    """
    return imports.start(import_id)


@bp.get("/exports/products.csv")
@admin(step_up=True)
def export_products(params: ExportParams) -> CsvFile:
    """All products, in Shopify's format or the simple one; what comes out goes in again unchanged."""
    content = imports.export(params.format, current_app.config["SHOP"].url, actor_id=http.account_id())
    return CsvFile(content, file_name="products.csv")
