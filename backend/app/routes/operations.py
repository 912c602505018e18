from __future__ import annotations

from flask import Blueprint, current_app

from .. import openapi
from ..errors import Unavailable
from ..http import anyone
from ..services import doctor, settings

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


@bp.get("/api/v1/openapi.json")
@anyone(shared=True)
def openapi_document() -> dict[str, object]:
    """This description of the API (OpenAPI 3.1)."""
    return openapi.describe(current_app, settings.public()["name"])
