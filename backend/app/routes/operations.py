from __future__ import annotations

import hmac

from flask import Blueprint, Response, current_app, request

from .. import openapi
from ..errors import NotFound, Unavailable
from ..http import anyone, is_development_request
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
    """Metrics for Prometheus. They take the METRICS_TOKEN, except in local development."""
    token, given = shop_settings().metrics_token, request.headers.get("Authorization", "").encode()
    has_token = bool(token) and hmac.compare_digest(given, f"Bearer {token}".encode())
    if not has_token and not is_development_request(shop_settings(), request.environ):
        raise NotFound()
    return Response(metrics.exposed(shop_settings().var), content_type="text/plain; version=0.0.4; charset=utf-8")


@bp.get("/api/v1/openapi.json")
@anyone(shared=True)
def openapi_document() -> dict[str, object]:
    """This description of the API (OpenAPI 3.1)."""
    return openapi.describe(current_app, settings.public()["name"])
