from __future__ import annotations

from flask import Blueprint

from ..http import Params, staff
from ..services import dashboard
from ..services.dashboard import By, Dashboard

bp = Blueprint("dashboard", __name__, url_prefix="/api/v1/admin/dashboard")


class DashboardParams(Params):
    by: By = "day"


@bp.get("")
@staff(problems=(422,))
def get_dashboard(params: DashboardParams) -> Dashboard:
    """What was sold in the last 30 days, 26 weeks or 12 months, and what waits for somebody. Days are in UTC."""
    return dashboard.get(params.by)
