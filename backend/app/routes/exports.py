from __future__ import annotations

from flask import Blueprint

from .. import http
from ..http import CsvFile, admin
from ..services import exports
from .admin_orders import OrderFilterParams
from .users import UserFilterParams

bp = Blueprint("exports", __name__, url_prefix="/api/v1/admin/exports")


@bp.get("/customers.csv")
@admin(problems=(422,), step_up=True)
def export_customers(params: UserFilterParams) -> CsvFile:
    """The accounts that match, as a file for a spreadsheet: no cell of it is taken for a formula."""
    return CsvFile(exports.customers(params.filters(), actor_id=http.account_id()), file_name="customers.csv")


@bp.get("/orders.csv")
@admin(problems=(422,), step_up=True)
def export_orders(params: OrderFilterParams) -> CsvFile:
    """The orders that match, as a file for a spreadsheet. `from` and `to` are days, both within."""
    return CsvFile(exports.orders(params.filters(), actor_id=http.account_id()), file_name="orders.csv")
