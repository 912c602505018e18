from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from .. import http, step_up
from ..http import Body, Line, signed_in
from ..services import sessions, totp
from ..services.sessions import DeviceList
from ..services.totp import RecoveryCodes, TotpSecret, TotpState

bp = Blueprint("devices", __name__, url_prefix="/api/v1/me")


class TotpCode(Body):
    code: Line = Field(min_length=6, max_length=12)


@bp.get("/devices")
@signed_in
def list_devices() -> DeviceList:
    """Where the account is signed in: browsers, and access tokens apart by their kind."""
    return sessions.list_of(http.account_id(), http.session_row())


@bp.delete("/devices/<int:device_id>")
@signed_in(status=204, problems=(404,), step_up="it is another device")
def end_device(device_id: int) -> None:
    """Sign one device out; this one too, if it is the one."""
    if device_id == http.session_row():
        http.end_session()
    else:
        step_up.require()
        sessions.end_one(http.account_id(), device_id)


@bp.delete("/devices")
@signed_in(status=204, step_up=True)
def end_other_devices() -> None:
    """Sign all other devices out, and end all access tokens but the one that asks."""
    sessions.end_others(http.account_id(), http.session_row())


@bp.get("/totp")
@signed_in
def get_totp() -> TotpState:
    """Whether two-step sign-in is on, and how many recovery codes are left."""
    return totp.state(http.account_id())


@bp.post("/totp")
@signed_in(problems=(409,), limit="proof", step_up=True)
def begin_totp() -> TotpSecret:
    """Begin to set up two-step sign-in: a secret for the app, which counts once a code confirms it."""
    return totp.begin(http.account_id())


@bp.post("/totp/confirmation")
@signed_in(problems=(409,), limit="proof", step_up=True)
def confirm_totp(body: TotpCode) -> RecoveryCodes:
    """Switch two-step sign-in on with a code from the app. The recovery codes are shown this once, and all other devices are signed out."""
    return totp.confirm(http.account_id(), body.code, session_id=http.session_row())


@bp.post("/totp/recovery-codes")
@signed_in(problems=(404,), limit="proof", step_up=True)
def renew_recovery_codes() -> RecoveryCodes:
    """Replace the recovery codes. The new ones are shown this once; the former ones stop working."""
    return totp.renew_recovery_codes(http.account_id())


@bp.delete("/totp")
@signed_in(status=204, problems=(404,), limit="proof", step_up=True)
def end_totp() -> None:
    """Switch two-step sign-in off."""
    totp.switch_off(http.account_id(), actor_id=http.account_id())
