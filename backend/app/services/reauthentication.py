"""Step-up authentication of an account that is signed in already (ASVS 5.0, 7.5)."""

from __future__ import annotations

from ..errors import Forbidden
from . import profile, sessions, totp

SECOND_FACTOR_NEEDED = "Two-step sign-in is on. Enter a code from your authenticator app, or a recovery code."


def step_up(
    user_id: int,
    session_id: int,
    sid: str | None,
    *,
    password: str | None,
    code: str | None,
    limited: bool,
) -> None:
    """Mark a session as stepped up once its account proves with `password` or `code` who it is.

    With a second factor on, only that counts: a current code of the app or an unused recovery code.
    A password alone is refused, and not even checked, because a step-up must not be weaker than the
    sign-in that it repeats (ASVS 5.0, 6.3.4: the same strength on every authentication pathway;
    7.5.1: full re-authentication before authentication factors change).

    `sid` is the session's new id; the former one stops working. Raises Forbidden `totp_needed` for a
    password where a code is needed, Invalid for a wrong proof, TooMany, and SignInRequired when the
    session ended in the meantime.
    """
    if code is not None:
        totp.confirm_with(user_id, code)
        sessions.step_up(user_id, session_id, sid)
        return
    if totp.state(user_id)["enabled"]:
        raise Forbidden(SECOND_FACTOR_NEEDED, code="totp_needed")
    account = profile.confirm(user_id, password or "", field="password", limited=limited)
    sessions.step_up(user_id, session_id, sid, password_hash=account["password_hash"])
