from __future__ import annotations

from datetime import date
from typing import Literal

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import CsvFile, Params, admin
from ..services import exports
from .users import UserFilterParams

bp = Blueprint("exports", __name__, url_prefix="/api/v1/admin/exports")


class OrderExportParams(Params):
    status: Literal["", "pending", "placed", "completed", "cancelled", "expired"] = ""
    # Named as a reader of the address would; `from` is a word of the language.
    since: date | None = Field(None, alias="from")
    until: date | None = Field(None, alias="to")


@bp.get("/customers.csv")
@admin(step_up=True)
def export_customers(params: UserFilterParams) -> CsvFile:
    """The accounts that match, as a file for a spreadsheet: no cell of it is taken for a formula."""
    return CsvFile(exports.customers(params.filters(), actor_id=http.account_id()), file_name="customers.csv")


@bp.get("/orders.csv")
@admin(step_up=True)
def export_orders(params: OrderExportParams) -> CsvFile:
    """Orders by when they were placed, as a file for a spreadsheet. `from` and `to` are days, both within."""
    content = exports.orders(status=params.status, since=params.since, until=params.until, actor_id=http.account_id())
    return CsvFile(content, file_name="orders.csv")
