from __future__ import annotations

from typing import Annotated

from flask import Blueprint, current_app
from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from .. import http
from ..config import CURRENCIES
from ..http import Body, CountryCode, Email, Line, Secret, Username, anyone
from ..services import setup
from ..services.sessions import Account

bp = Blueprint("admin", __name__, url_prefix="/api/v1")


def _known(currency: str) -> str:
    if currency not in CURRENCIES:
        raise ValueError("Use one of " + " ".join(CURRENCIES) + ".")
    return currency


class Seller(Body):
    name: Line = Field(min_length=1, max_length=120)
    line1: Line = Field(min_length=1, max_length=160)
    line2: Line = Field("", max_length=160)
    city: Line = Field(min_length=1, max_length=120)
    postcode: Line = Field(min_length=1, max_length=20)
    country: CountryCode
    email: Email


class FirstAdmin(Body):
    username: Username
    email: Email
    password: Secret


class Setup(Body):
    token: Line = Field(min_length=1, max_length=64)
    name: Line = Field(min_length=1, max_length=80)
    seller: Seller
    currency: Annotated[str, AfterValidator(_known)]
    admin: FirstAdmin
    remove_demo: bool = False


class SignedIn(TypedDict):
    user: Account | None


@bp.post("/setup")
@anyone(status=201, problems=(403, 409))
def set_up(body: Setup) -> SignedIn:
    """Name the shop and its first admin. Works once, with the token from the link that the shop prints when it starts."""
    user_id = setup.set_up(current_app.config["SHOP"].var, **body.model_dump())
    http.begin_session(user_id, greeted=True)
    return {"user": http.current_account()}
