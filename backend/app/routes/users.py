from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from flask import Blueprint, current_app
from pydantic import Field, model_validator

from .. import http
from ..http import Body, Day, Email, Line, Moment, Params, Username, Words, admin
from ..services import bulk_actions, totp, user_actions, users
from ..services.bulk_actions import BulkAction
from ..services.user_actions import Action
from ..services.users import CustomerPage, Filters, Newsletter, Role, Sort, Status, User, UserList

bp = Blueprint("users", __name__, url_prefix="/api/v1/admin/users")
Id = Annotated[int, Field(ge=1, lt=2**63)]
Months = Annotated[int, Field(ge=0, le=120)]


class UserFilterParams(Params):
    q: Line = Field("", max_length=120)
    role: Literal["", "customer", "staff", "admin"] = ""
    status: Status = ""
    newsletter: Newsletter = ""
    # Named as a reader of the address would; `from` is a word of the language.
    since: date | None = Field(None, alias="from")
    until: date | None = Field(None, alias="to")
    inactive: Months = 0

    def filters(self) -> Filters:
        return Filters(self.q, self.role, self.status, self.newsletter, self.since, self.until, self.inactive)


class UserParams(UserFilterParams):
    sort: Sort = "newest"
    limit: int = Field(50, ge=1, le=100)
    after: str = Field("", max_length=1000)


class Invitation(Body):
    username: Username
    email: Email
    role: Role = "customer"


class UserChange(Body):
    """What is not given stays; `blocked_until: null` lifts a block."""

    first_name: Line = Field("", max_length=80)
    last_name: Line = Field("", max_length=80)
    phone: Line = Field("", max_length=32)
    role: Role = "customer"
    status: Literal["active", "deactivated"] = "active"
    blocked_until: Moment | None = None
    block_reason: Line = Field("", max_length=500)


class UserFilters(Body):
    """The filters of the list."""

    q: Line = Field("", max_length=120)
    role: Literal["", "customer", "staff", "admin"] = ""
    status: Status = ""
    newsletter: Newsletter = ""
    since: Day | None = Field(None, alias="from")
    until: Day | None = Field(None, alias="to")
    inactive: Months = 0


class UsersAction(Body):
    """What to do, and with which accounts: either `ids` or all that match the `filter` of the list."""

    most_bytes: ClassVar[int] = 128 * 1024

    action: Action
    ids: list[Id] | None = Field(None, min_length=1, max_length=5000)
    filter: UserFilters | None = None
    blocked_until: Moment | None = None
    block_reason: Line = Field("", max_length=500)

    @model_validator(mode="after")
    def has_one_scope(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("Name either `ids` or a `filter`.")
        if self.action == "block" and not self.blocked_until:
            raise ValueError("Until when?")
        return self


class NewNote(Body):
    body: Words = Field(min_length=1, max_length=2000)


def _var() -> Path:
    return Path(current_app.config["SHOP"].var)


@bp.get("")
@admin(problems=(422,))
def list_users(params: UserParams) -> UserList:
    """Accounts. `q` is the beginning of a username or an address; `inactive`: customers who never ordered, and did not sign in for so many months.

    `from` and `to` are days, both within. `total` is counted up to 10,000.
    """
    return users.list_all(params.filters(), sort=params.sort, limit=params.limit, after=params.after)


@bp.post("")
@admin(status=201, step_up=True)
def invite_user(body: Invitation) -> User:
    """Make an account for somebody. A mail asks them to choose its password: no admin ever knows it."""
    return users.invite(body.username, body.email, body.role, actor_id=http.account_id())


@bp.post("/actions")
@admin(status=202, step_up=True)
def start_user_action(body: UsersAction) -> BulkAction:
    """Start a bulk action: validated before the first account changes, then applied in small steps.

    A small one is done at once. A larger one goes on by itself, also after a restart; ask for its state until it is no longer
    `running`. One's own account is skipped, and what cannot be erased yet.
    """
    scope = Filters(**body.filter.model_dump()) if body.filter else body.ids or []
    return user_actions.start(
        body.action,
        scope,
        actor_id=http.account_id(),
        var=_var(),
        blocked_until=body.blocked_until,
        block_reason=body.block_reason,
    )


@bp.get("/actions/<int:action_id>")
@admin(problems=(404,))
def get_user_action(action_id: int) -> BulkAction:
    """The state of a bulk action on accounts."""
    return bulk_actions.get("user", action_id)


@bp.post("/actions/<int:action_id>/undo")
@admin(status=202, problems=(404, 409), step_up=True)
def undo_user_action(action_id: int) -> BulkAction:
    """Undo a whole bulk action, one that is still running from where it has got to. What was changed since stays as it is."""
    return bulk_actions.undo("user", action_id, actor_id=http.account_id(), var=_var())


@bp.get("/<int:user_id>")
@admin(problems=(404,))
def get_user(user_id: int) -> CustomerPage:
    """An account with its history: the latest ten orders, tickets, reviews, gift cards and events, and everything noted of it."""
    return users.get(user_id, reader_id=http.account_id())


@bp.patch("/<int:user_id>")
@admin(problems=(404, 409), step_up=True)
def change_user(user_id: int, body: UserChange) -> User:
    """Give somebody another name or role, block them until a date, or close the account. Counts from their next request on.

    Of oneself only names and phone can be changed. An address is changed by its owner, who proves the new one.
    """
    return users.change(user_id, body.model_dump(exclude_unset=True), actor_id=http.account_id())


@bp.delete("/<int:user_id>")
@admin(status=204, problems=(404, 409), step_up=True)
def erase_user(user_id: int) -> None:
    """Erase somebody's account for good, as they could themselves: orders stay without the person, those not sent are cancelled."""
    users.erase(user_id, actor_id=http.account_id(), var=_var())


@bp.post("/<int:user_id>/notes")
@admin(status=204, problems=(404,))
def add_note(user_id: int, body: NewNote) -> None:
    """Note something about a customer. They read it in the export of their data."""
    users.add_note(user_id, body.body, actor_id=http.account_id())


@bp.delete("/<int:user_id>/notes/<int:note_id>")
@admin(status=204, problems=(404,))
def delete_note(user_id: int, note_id: int) -> None:
    """Take a note away again."""
    users.delete_note(user_id, note_id, actor_id=http.account_id())


@bp.delete("/<int:user_id>/totp")
@admin(status=204, problems=(404,), step_up=True)
def end_totp(user_id: int) -> None:
    """Switch somebody's two-step sign-in off, when phone and recovery codes are lost. A mail tells them."""
    totp.switch_off(user_id, actor_id=http.account_id())
