"""Access tokens for scripts: short-lived JWTs, each with a row among the sessions, so that it ends whenever a session would.

A token proves nothing by itself but that this shop made it: the row, found by the token's name (jti), decides at every request.
"""

from __future__ import annotations

import time

import jwt
from typing_extensions import TypedDict

from .. import db, security
from ..db import Tx
from ..errors import SignInRequired
from . import events, sessions
from .accounts import Proven
from .sessions import TOKEN_MINUTES, Visitor

ALGORITHM = "HS256"
ISSUER, AUDIENCE = "flaskcart", "flaskcart-api"
CLAIMS = ["iss", "aud", "sub", "jti", "iat", "exp"]
LONGEST = 1000  # characters; ours have some 300


class AccessToken(TypedDict):
    access_token: str
    token_type: str
    expires_in: int


def issue(proven: Proven, visitor: Visitor) -> AccessToken:
    """A token for who proved to be the user, good for 15 minutes. Ends the user's oldest beyond ten, and never a browser's session.

    Raises SignInRequired when the account was closed, or got another password, since.
    """
    name = security.new_token()
    db.transaction(_issue, proven, name, visitor)
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(proven.user_id), "jti": name, "iat": now, "exp": now + TOKEN_MINUTES * 60}
    return {"access_token": jwt.encode(claims, _key(), algorithm=ALGORITHM), "token_type": "Bearer", "expires_in": TOKEN_MINUTES * 60}


def _issue(tx: Tx, proven: Proven, name: str, visitor: Visitor) -> None:
    user_id, password_hash = proven
    if not sessions.admit(tx, "token", name, user_id, visitor, minutes=TOKEN_MINUTES, password_hash=password_hash):
        raise SignInRequired("This account was closed, or got another password, a moment ago.")
    device = sessions.network_device(visitor.ip)
    sessions.remember(tx, user_id, device, visitor, tell=not sessions.knows_device(tx, user_id, device))
    events.note(tx, "token_issued", user_id, actor_id=user_id)


def name_of(token: str) -> str | None:
    """The name in a token that this shop made and that has not expired, or None."""
    if len(token) > LONGEST:
        return None
    try:
        claims = jwt.decode(token, _key(), algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options={"require": CLAIMS})
    except jwt.InvalidTokenError:
        return None
    return str(claims["jti"])


def _key() -> bytes:
    return security.sign("access tokens", "")
