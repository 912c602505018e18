"""Recovery, on the server, of an account that its owner cannot sign in to.

An admin can remove another account's second factor. The only admin cannot ask another one, and runs
`./shop reset-access` on the server instead.
"""

from __future__ import annotations

from .. import db, security
from ..db import Row, Tx, q
from ..errors import NotFound
from . import accounts, events, mail, password_rules, sessions, settings, totp


def reset_access(username: str, password: str) -> None:
    """Give an account a new password, and remove its second factor and recovery codes.

    Every session and access token of the account ends, and so does every code for a forgotten
    password. The account's owner gets an email, and the audit log an event. The role and the status
    of the account stay as they are. Raises NotFound, and Invalid for a password that breaks a rule.
    """
    with db.reading() as tx:
        account = _find(tx, username)
        shop_name = settings.shop(tx)["name"]
    names = {"username": account["username"], "email": account["email"], "shop_name": shop_name}
    password_rules.check(password, **names)
    db.transaction(_reset_access, account["id"], security.hash_password(password))
    totp.give_tries_back(account["id"])


def _find(tx: Tx, username: str) -> Row:
    key = accounts.username_key(username)
    # Usernames are ASCII, and so is their column: comparing it with anything else is an error.
    row: Row | None = q.accounts.get_by_username(tx, username_key=key) if key.isascii() else None
    if row is None:
        raise NotFound("There is no account with this username.")
    return row


def _reset_access(tx: Tx, user_id: int, password_hash: str) -> None:
    q.accounts.set_password(tx, user_id=user_id, password_hash=password_hash)
    q.accounts.end_resets(tx, user_id=user_id)
    totp.remove(tx, user_id, None)
    sessions.end_all_of(tx, user_id)
    account = q.accounts.get_by_id(tx, user_id=user_id)
    events.note(tx, "access_reset", user_id)
    mail.enqueue(tx, "password_changed", account["email"], {"username": account["username"]})
