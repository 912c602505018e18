from __future__ import annotations

from pathlib import Path

from flask import Blueprint, current_app, g
from pydantic import Field

from .. import http, step_up
from ..http import Body, Email, Line, Secret, send_header, signed_in
from ..request_parsing import read_upload
from ..services import addresses, avatars, media, privacy, profile
from ..services.accounts import Challenge
from ..services.addresses import AddressList, SavedAddress
from ..services.privacy import Export
from ..services.profile import Profile
from .accounts import Confirmation
from .checkout import Address

bp = Blueprint("me", __name__, url_prefix="/api/v1/me")


class Changes(Body):
    """What is not given stays."""

    first_name: Line = Field("", max_length=80)
    last_name: Line = Field("", max_length=80)
    phone: Line = Field("", max_length=32)
    newsletter: bool = False
    # One mail about a cart that was left.
    cart_reminders: bool = False


class PasswordChange(Body):
    current_password: Secret
    new_password: Secret


class NewEmail(Body):
    email: Email


class Farewell(Body):
    password: Secret


class BookAddress(Address):
    label: Line = Field("", max_length=40)
    is_default: bool = False


# These endpoints ask for the password in their body, which is not enough for an account with a second factor.
WITH_SECOND_FACTOR = "two-step sign-in is on"


def _require_second_factor() -> None:
    if step_up.has_second_factor():
        step_up.require()


def _limited() -> bool:
    return bool(current_app.config["SHOP"].limits)


def _var() -> Path:
    return Path(current_app.config["SHOP"].var)


@bp.get("")
@signed_in
def get_profile() -> Profile:
    """Who I am to the shop."""
    return profile.get(http.account_id())


@bp.patch("")
@signed_in
def change_profile(body: Changes) -> Profile:
    """Change name, phone, or the choice of newsletter and reminders of carts; what is not given stays."""
    return profile.change(http.account_id(), body.model_dump(exclude_unset=True))


@bp.put("/password")
@signed_in(status=204, problems=(409, 429), step_up=WITH_SECOND_FACTOR)
def change_password(body: PasswordChange) -> None:
    """Set another password. All other devices are signed out."""
    _require_second_factor()
    profile.change_password(http.account_id(), body.current_password, body.new_password, sid=g.get("known_session", ""), limited=_limited())


@bp.post("/email")
@signed_in(status=202, problems=(429,), step_up=True)
def ask_for_email(body: NewEmail) -> Challenge:
    """Ask for another address: a code goes there. The answer is the same whether or not the address has an account."""
    return profile.ask_for_email(http.account_id(), body.email, limited=_limited())


@bp.post("/email/verify")
@signed_in(problems=(409,))
def change_email(body: Confirmation) -> Profile:
    """Finish the change with the code from the mail; the former address gets a notice."""
    return profile.change_email(http.account_id(), body.challenge, body.otp)


@bp.get("/addresses")
@signed_in
def list_addresses() -> AddressList:
    """My saved addresses, the default first."""
    return addresses.list_of(http.account_id())


@bp.post("/addresses")
@signed_in(status=201, problems=(409,))
def add_address(body: BookAddress) -> SavedAddress:
    """Save an address. The first one is the default."""
    return addresses.add(http.account_id(), body.model_dump())


@bp.put("/addresses/<int:address_id>")
@signed_in(problems=(404,))
def change_address(address_id: int, body: BookAddress) -> SavedAddress:
    """Replace a saved address. `is_default` true moves the default here, false leaves it where it is."""
    return addresses.change(http.account_id(), address_id, body.model_dump())


@bp.delete("/addresses/<int:address_id>")
@signed_in(status=204, problems=(404,))
def delete_address(address_id: int) -> None:
    """Remove a saved address. Orders keep their copies."""
    addresses.delete(http.account_id(), address_id)


@bp.put("/avatar")
@signed_in(problems=(413, 415, 422))
def put_avatar() -> Profile:
    """Set my picture: a JPEG, PNG or WebP of at most 5 MB and 25 megapixels, as the body itself or as one file of a form."""
    avatars.put(http.account_id(), read_upload("avatar", max_bytes=media.MOST_BYTES), _var() / "uploads")
    return profile.get(http.account_id())


@bp.delete("/avatar")
@signed_in(status=204)
def delete_avatar() -> None:
    """Remove my picture."""
    avatars.remove(http.account_id(), _var() / "uploads")


@bp.get("/export")
@signed_in
def export() -> Export:
    """All that the shop holds of me, as a file."""
    send_header("Content-Disposition", 'attachment; filename="my-data.json"')
    return privacy.export(http.account_id())


@bp.delete("")
@signed_in(status=204, problems=(409, 429), step_up=WITH_SECOND_FACTOR)
def erase(body: Farewell) -> None:
    """Erase my account and all that is mine. Orders stay without the person; those that were not sent are cancelled."""
    _require_second_factor()
    privacy.erase(http.account_id(), body.password, var=_var(), limited=_limited())
    http.end_session()
