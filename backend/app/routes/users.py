from __future__ import annotations

from typing import Literal

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import Body, Line, Moment, Params, admin
from ..services import totp, users
from ..services.users import User, UserList

bp = Blueprint("users", __name__, url_prefix="/api/v1/admin/users")


class UserParams(Params):
    q: str = Field("", max_length=120)
    role: Literal["", "customer", "staff", "admin"] = ""
    status: Literal["", "active", "blocked", "deactivated"] = ""
    limit: int = Field(24, ge=1, le=100)
    after: str = Field("", max_length=40)


class UserChange(Body):
    """What is not given stays; `blocked_until: null` lifts a block."""

    role: Literal["customer", "staff", "admin"] = "customer"
    status: Literal["active", "deactivated"] = "active"
    blocked_until: Moment | None = None
    block_reason: Line = Field("", max_length=500)


@bp.get("")
@admin
def list_users(params: UserParams) -> UserList:
    """Accounts, newest first."""
    return users.list_all(search=params.q, role=params.role, status=params.status, limit=params.limit, after=params.after)


@bp.patch("/<int:user_id>")
@admin(problems=(404, 409), step_up=True)
def change_user(user_id: int, body: UserChange) -> User:
    """Give somebody another role, block them until a date, or close the account. Counts from their next request on."""
    return users.change(user_id, body.model_dump(exclude_unset=True), actor_id=http.account_id())


@bp.delete("/<int:user_id>/totp")
@admin(status=204, problems=(404,), step_up=True)
def end_totp(user_id: int) -> None:
    """Switch somebody's two-step sign-in off, when phone and recovery codes are lost. A mail tells them."""
    totp.switch_off(user_id, actor_id=http.account_id())
