"""Step-up authentication: requests of accounts that authenticated again a moment ago.

A step-up belongs to one session and ends after sessions.STEP_UP_MINUTES, with the session, and when
the account's password, second factor or role changes.
"""

from __future__ import annotations

import typing

from flask import current_app, g, session
from flask_session.base import ServerSideSession

from . import http
from .services import reauthentication
from .services.permissions import Actor


def current_actor() -> Actor:
    """Return the signed-in account with its role and whether it has stepped up."""
    account = http.current_account()
    role = account["role"] if account else ""
    return Actor(http.account_id(), role, bool(g.device["stepped_up"]), has_second_factor())


def has_second_factor() -> bool:
    """Return whether two-step sign-in is on for the signed-in account."""
    return bool(g.device["totp"])


def require() -> None:
    """Raise StepUpRequired unless the session has stepped up. For endpoints that need it at times only."""
    current_actor().require_step_up()


def perform(*, password: str | None, code: str | None) -> None:
    """Authenticate the signed-in account again; a browser's session gets a new id (ASVS 5.0, 7.2.4)."""
    interface: typing.Any = current_app.session_interface
    sid = None if g.get("bearer") else interface._generate_sid(interface.sid_length)
    proof = {"password": password, "code": code}
    reauthentication.step_up(http.account_id(), http.session_row(), sid, **proof, limited=http.limited())
    if sid is not None:
        renewed = typing.cast(ServerSideSession, session)
        renewed.sid = g.known_session = sid
        renewed.modified = True
