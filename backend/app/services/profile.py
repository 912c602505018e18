"""What a customer says of themselves, and the two things that are proved anew before they change: password and e-mail address."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from .. import db, security
from ..db import Row, Tx, q
from ..errors import Conflict, Invalid, SignInRequired
from . import accounts, cart_reminders, events, limits, mail, password_rules, sessions, settings, subscribers
from .accounts import Challenge
from .catalogue import Image, media
from .limits import Limit

AVATAR_SIZE = 256  # pixels, square
EMAIL_DIGITS = 6
# A session left open on a borrowed machine is no place to guess the password at leisure, nor to send codes to the world.
PASSWORD_TRIES = Limit(10, 900)
EMAIL_CHANGES = Limit(5, 3600)


class Profile(TypedDict):
    id: int
    username: str
    email: str
    first_name: str
    last_name: str
    phone: str
    role: str
    avatar: Image | None
    level: str
    newsletter: bool
    cart_reminders: bool
    totp: bool
    created_at: datetime


def get(user_id: int) -> Profile:
    """The account as its owner sees it. Raises SignInRequired when it has gone meanwhile."""
    with db.reading() as tx:
        row = q.profile.get(tx, user_id=user_id)
        shop = settings.shop(tx)
    if row is None:
        raise SignInRequired()
    return {
        "id": row["id"],
        "username": row["username"],
        "email": row["email"],
        "first_name": row["first_name"],
        "last_name": row["last_name"],
        "phone": row["phone"],
        "role": row["role"],
        "avatar": media(row["avatar_path"], "", AVATAR_SIZE, AVATAR_SIZE),
        "level": level_for(row["spent_minor"], shop["levels"]),
        "newsletter": bool(row["newsletter"]),
        "cart_reminders": bool(row["cart_reminders"]),
        "totp": bool(row["totp"]),
        "created_at": row["created_at"],
    }


def level_for(spent_minor: int, levels: list[dict[str, Any]]) -> str:
    """The code of the highest level that this much money reaches; empty in a shop without levels."""
    reached = [level for level in levels if spent_minor >= level["from_minor"]]
    return str(max(reached, key=lambda level: level["from_minor"])["code"]) if reached else ""


def change(user_id: int, changes: dict[str, Any]) -> Profile:
    """Change what is given of first_name, last_name, phone, newsletter and cart_reminders."""
    db.transaction(_change, user_id, changes)
    return get(user_id)


def _change(tx: Tx, user_id: int, changes: dict[str, Any]) -> None:
    given = {name: changes.get(name) for name in ("first_name", "last_name", "phone")}
    q.profile.change(tx, user_id=user_id, **given)
    if changes.get("newsletter") is not None:
        subscribers.choose(tx, user_id, changes["newsletter"])
    if changes.get("cart_reminders") is not None:
        cart_reminders.choose(tx, user_id, changes["cart_reminders"])


def confirm(user_id: int, password: str, *, field: str, limited: bool) -> Row:
    """Ask a signed-in customer for the password again; gives id, username, email and password_hash.

    Raises Invalid on `field` for a wrong one, TooMany after ten wrong ones in a quarter of an hour.
    """
    if limited:
        limits.take("password", str(user_id), PASSWORD_TRIES)
    with db.reading() as tx:
        row: Row | None = q.profile.get_secret(tx, user_id=user_id)
    if not security.check_password(row["password_hash"] if row else None, password) or row is None:
        raise Invalid(fields={field: ["This is not your password."]})
    if limited:
        limits.give_back("password", str(user_id))
    return row


# ---------------------------------------------------------------- password


def change_password(user_id: int, current: str, new: str, *, sid: str, limited: bool) -> None:
    """Set another password and end every session but the one with id `sid`. Raises Invalid, TooMany, Conflict when it was changed meanwhile."""
    account = confirm(user_id, current, field="current_password", limited=limited)
    with db.reading() as tx:
        shop_name = settings.shop(tx)["name"]
    password_rules.check(new, username=account["username"], email=account["email"], shop_name=shop_name, field="new_password")
    db.transaction(_change_password, account, security.hash_password(new), security.hash_token(sid))


def _change_password(tx: Tx, account: Row, password_hash: str, kept_hash: str) -> None:
    if not q.profile.change_password(tx, user_id=account["id"], former_hash=account["password_hash"], password_hash=password_hash):
        raise Conflict("Your password was changed a moment ago, in another window or by somebody else.")
    q.accounts.end_resets(tx, user_id=account["id"])
    q.profile.end_other_sessions(tx, user_id=account["id"], kept_hash=kept_hash)
    sessions.end_step_up(tx, account["id"])
    events.note(tx, "password_changed", account["id"], actor_id=account["id"])
    mail.enqueue(tx, "password_changed", account["email"], {"username": account["username"], "others": True})


# ---------------------------------------------------------------- e-mail address


def ask_for_email(user_id: int, email: str, *, limited: bool) -> Challenge:
    """Begin a change of address by sending a code to the new one, for an account that has stepped up.

    The response is the same whether or not the address belongs to an account; that account's owner
    gets an email. Raises Invalid for the account's own address, TooMany for too many codes.
    """
    with db.reading() as tx:
        account: Row | None = q.profile.get_secret(tx, user_id=user_id)
    if account is None:
        raise SignInRequired()
    if accounts.email_key(email) == accounts.email_key(account["email"]):
        raise Invalid(email="This is your address already.")
    if limited:
        limits.take("email change", str(user_id), EMAIL_CHANGES)
    return {"challenge": db.transaction(_ask_for_email, account, email, limited)}


def _ask_for_email(tx: Tx, account: Row, email: str, limited: bool) -> str:
    key = accounts.email_key(email)
    accounts.take_turn(tx, key)
    if limited:
        accounts.refuse_sixth_code(tx, key)
    token = security.new_token()
    challenge_id = q.accounts.add_challenge(
        tx,
        token_hash=security.hash_token(token),
        purpose="email",
        email=email,
        email_key=key,
        user_id=account["id"],
        username="",
        password_hash="",
        minutes=accounts.CODE_MINUTES,
    )
    owner = q.accounts.get_by_email(tx, email_key=key)
    code = security.new_code(EMAIL_DIGITS)
    # Where there is nothing to prove the same is written, but no code that could be typed.
    code_hash = security.unmatchable() if owner else security.hash_code("email", token, code)
    q.accounts.add_code(tx, challenge_id=challenge_id, code_hash=code_hash, minutes=accounts.CODE_MINUTES)
    if owner:
        mail.enqueue(tx, "email_change_known", owner["email"], {"username": owner["username"]})
    else:
        mail.enqueue(tx, "email_change_code", email, {"code": code, "minutes": accounts.CODE_MINUTES}, user_id=account["id"])
    return token


def change_email(user_id: int, challenge: str, code: str) -> Profile:
    """Finish a change of address with the code from the mail; the former address gets a notice.

    Raises Invalid for a wrong code or a challenge that is over or another's, Conflict when the address was taken meanwhile.
    """
    accounts.count_try("email", challenge)
    db.transaction(_change_email, user_id, challenge, code)
    return get(user_id)


def _change_email(tx: Tx, user_id: int, token: str, code: str) -> None:
    row = accounts.tried(tx, "email", token)
    if row["user_id"] != user_id:
        raise accounts.dead()
    accounts.use_code(tx, "email", row["id"], token, code)
    former = q.accounts.get_by_id(tx, user_id=user_id)
    try:
        q.profile.change_email(tx, user_id=user_id, email=row["email"], email_key=accounts.email_key(row["email"]))
    except db.DRIVER_ERRORS as error:
        if db.is_duplicate(error, "uq_users_email"):
            raise Conflict("There is an account with this address by now.", code="email_taken") from error
        raise
    q.profile.end_challenges(tx, user_id=user_id)
    q.profile.claim_mails(tx, user_id=user_id, email=former["email"])
    subscribers.move(tx, user_id, former["email"], row["email"])
    events.note(tx, "email_changed", user_id, actor_id=user_id)
    mail.enqueue(tx, "email_changed", former["email"], {"username": former["username"]}, user_id=user_id)
