from __future__ import annotations

import hmac

from flask import Blueprint, Response, current_app, request

from .. import openapi
from ..errors import NotFound, Unavailable
from ..http import anyone, asked_on_this_machine
from ..services import doctor, metrics, settings
from .pages import shop_settings

bp = Blueprint("operations", __name__)


@bp.get("/livez")
@anyone
def livez() -> dict[str, str]:
    """This process answers."""
    return {"status": "alive"}


@bp.get("/readyz")
@anyone(problems=(503,))
def readyz() -> dict[str, str]:
    """This process can serve shoppers: its database answers."""
    if not doctor.database_answers():
        raise Unavailable("The database does not answer.")
    return {"status": "ready"}


@bp.get("/metrics")
@anyone(problems=(404,))
def expose_metrics() -> Response:
    """For Prometheus on this machine, or with the token of METRICS_TOKEN. To anybody else there is no such page."""
    token, given = shop_settings().metrics_token, request.headers.get("Authorization", "").encode()
    if not asked_on_this_machine() and not (token and hmac.compare_digest(given, f"Bearer {token}".encode())):
        raise NotFound()
    return Response(metrics.exposed(shop_settings().var), content_type="text/plain; version=0.0.4; charset=utf-8")


@bp.get("/api/v1/openapi.json")
@anyone(shared=True)
def openapi_document() -> dict[str, object]:
    """This description of the API (OpenAPI 3.1)."""
    return openapi.describe(current_app, settings.public()["name"])
