from __future__ import annotations

from typing import Literal

from flask import Blueprint, current_app
from typing_extensions import TypedDict

from .. import config, http
from ..http import Body, Email, Secret, Username, anyone, line
from ..services import setup
from ..services.sessions import Account
from .checkout import CountryCode

bp = Blueprint("admin", __name__, url_prefix="/api/v1")
Currency = Literal[tuple(config.CURRENCIES)]  # type: ignore[valid-type]


class Seller(Body):
    name: line(120)  # type: ignore[valid-type]
    line1: line(160)  # type: ignore[valid-type]
    line2: line(160, least=0) = ""  # type: ignore[valid-type]
    city: line(120)  # type: ignore[valid-type]
    postcode: line(20)  # type: ignore[valid-type]
    country: CountryCode
    email: Email


class FirstAdmin(Body):
    username: Username
    email: Email
    password: Secret


class Setup(Body):
    token: line(64)  # type: ignore[valid-type]
    name: line(80)  # type: ignore[valid-type]
    seller: Seller
    currency: Currency
    admin: FirstAdmin
    remove_demo: bool = False


class SignedIn(TypedDict):
    user: Account | None


@bp.post("/setup")
@anyone(status=201, problems=(403, 409))
def set_up(body: Setup) -> SignedIn:
    """Name the shop and its first admin. Works once, with the token from the link that the shop prints when it starts."""
    user_id = setup.set_up(current_app.config["SHOP"].var, **body.model_dump())
    http.begin_session(user_id)
    return {"user": http.current_account()}
