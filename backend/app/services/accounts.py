"""Who may call themselves a customer: sign-up by a code from the mail, sign-in, forgotten passwords.

Nothing here tells whether an address is known: for a known and an unknown one the same rows are written and the same answer
is given. What differs is only what lands in the mailbox of the address.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

from email_validator import EmailNotValidError, validate_email
from typing_extensions import TypedDict

from .. import db, security
from ..db import Row, Tx, q
from ..errors import BadCredentials, Conflict, Forbidden, Invalid, TooMany, Unavailable
from ..text import normalize_text
from . import events, limits, mail, password_rules, sessions, settings, totp
from .sessions import Visitor

Purpose = Literal["register", "reset", "email"]

DIGITS: dict[Purpose, int] = {"register": 6, "reset": 8}
CODE_MINUTES = 15
MOST_TRIES = 5
RESEND_SECONDS = 60
CODES_AN_HOUR = 5

NO_MATCH = "This name and password do not belong together."


class Challenge(TypedDict):
    challenge: str


class Proven(NamedTuple):
    """Who proved to be whom by the password with this hash. It is good for as long as the account has that password."""

    user_id: int
    password_hash: str


def username_key(username: str) -> str:
    """What makes two usernames the same."""
    return username.lower()


def email_key(email: str) -> str:
    """What makes two addresses the same."""
    return normalize_text(email).lower()


# ---------------------------------------------------------------- sign-up


def register(username: str, email: str, password: str, *, limited: bool) -> Challenge:
    """Begin a sign-up and mail its code; nothing exists until verify(). The owner of a known address gets a mail that says so.

    Raises Invalid for a taken username or a poor password, TooMany for more than five codes an hour to one address.
    """
    with db.reading() as tx:
        shop = settings.shop(tx)
        _refuse_taken_username(tx, username)
    password_rules.check(password, username=username, email=email, shop_name=shop["name"])
    password_hash = security.hash_password(password)
    return {"challenge": db.transaction(_register, username, email, password_hash, limited)}


def _refuse_taken_username(tx: Tx, username: str) -> None:
    if q.accounts.get_by_username(tx, username_key=username_key(username)):
        raise Invalid(username="This username is taken.")


def _register(tx: Tx, username: str, email: str, password_hash: str, limited: bool) -> str:
    _refuse_taken_username(tx, username)
    known = q.accounts.get_by_email(tx, email_key=email_key(email))
    return _challenge(tx, "register", email, known, limited, username=username, password_hash=password_hash)


def _challenge(tx: Tx, purpose: Purpose, email: str, known: Row | None, limited: bool, *, username: str = "", password_hash: str = "") -> str:
    key = email_key(email)
    take_turn(tx, key)
    if limited:
        refuse_sixth_code(tx, key)
    token = security.new_token()
    challenge_id = q.accounts.add_challenge(
        tx,
        token_hash=security.hash_token(token),
        purpose=purpose,
        email=email,
        email_key=key,
        user_id=known["id"] if known else None,
        username=username,
        password_hash=password_hash,
        minutes=CODE_MINUTES,
    )
    _send_code(tx, challenge_id, token, purpose, email, known)
    return token


def take_turn(tx: Tx, key: str) -> None:
    """Requests for one address go one after the other, so that none slips past the count."""
    q.accounts.take_turn(tx, name="codes " + security.hash_token(key)[:40])


def refuse_sixth_code(tx: Tx, key: str) -> None:
    """Raise TooMany when the address was sent five codes within the hour. Exact only after take_turn()."""
    recent = q.accounts.get_codes_of_last_hour(tx, email_key=key)
    if recent["sent"] >= CODES_AN_HOUR:
        raise TooMany(max(1, int(recent["seconds_until_next"])), "We sent several codes to this address already. Please look for them, or try again later.")


def _send_code(tx: Tx, challenge_id: int, token: str, purpose: Purpose, email: str, known: Row | None) -> None:
    """Add a code and mail it. Where there is nothing to prove the same is written, but no code that could be typed."""
    decoy = (known is not None) if purpose == "register" else (known is None)
    code = security.new_code(DIGITS[purpose])
    code_hash = security.unmatchable() if decoy else security.hash_code(purpose, token, code)
    q.accounts.add_code(tx, challenge_id=challenge_id, code_hash=code_hash, minutes=CODE_MINUTES)
    if not decoy:
        # Two spellings may count as one address; the account's own is the one that its owner proved to read.
        to = known["email"] if known else email
        mail.enqueue(tx, f"{purpose}_code", to, {"code": code, "minutes": CODE_MINUTES})
    elif known is not None:
        mail.enqueue(tx, "register_known", known["email"], {"username": known["username"]})


def resend(challenge: str, *, limited: bool) -> None:
    """Mail another code; former ones stay good. Raises Invalid for a dead challenge, TooMany within a minute or after five an hour."""
    db.transaction(_resend, challenge, limited)


def _resend(tx: Tx, token: str, limited: bool) -> None:
    row = q.accounts.get_challenge(tx, token_hash=security.hash_token(token), purposes=list(DIGITS), most_tries=MOST_TRIES)
    if row is None:
        raise Invalid(challenge="This has expired. Please start again.")
    take_turn(tx, row["email_key"])
    if limited:
        wait = RESEND_SECONDS - int(q.accounts.seconds_since_last_code(tx, challenge_id=row["id"]))
        if wait > 0:
            raise TooMany(wait, f"A code is on its way. You can ask for another one in {wait} seconds.")
        refuse_sixth_code(tx, row["email_key"])
    known = q.accounts.get_by_id(tx, user_id=row["user_id"])
    q.accounts.prolong_challenge(tx, challenge_id=row["id"], minutes=CODE_MINUTES)
    _send_code(tx, row["id"], token, row["purpose"], row["email"], known)


def verify(challenge: str, code: str) -> int:
    """Finish a sign-up with the code from the mail; gives the new user's id.

    Raises Invalid for a wrong code or a dead challenge, Conflict when the name or address was taken by somebody faster.
    """
    count_try("register", challenge)
    return db.transaction(_verify, challenge, code)


def _verify(tx: Tx, token: str, code: str) -> int:
    row = tried(tx, "register", token)
    use_code(tx, "register", row["id"], token, code)
    user_id = _add_user(tx, row["username"], row["email"], row["password_hash"], "customer", _taken_meanwhile)
    mail.enqueue(tx, "welcome", row["email"], {"username": row["username"]})
    events.note(tx, "registered", user_id, actor_id=user_id)
    return user_id


def _taken_meanwhile(field: str) -> Exception:
    if field == "email":
        return Conflict("There is an account with this address by now. Please sign in.", code="email_taken")
    return Conflict("Somebody was faster and took this username. Please register with another one.", code="username_taken")


def count_try(purpose: Purpose, token: str) -> None:
    """Use one of a challenge's five tries, right or wrong. Raises Invalid when none is left."""
    # On its own and not in the transaction that compares: what is rolled back there stays counted here.
    if not db.transaction(_counted, purpose, security.hash_token(token)):
        raise dead()


def _counted(tx: Tx, purpose: Purpose, token_hash: str) -> bool:
    return bool(q.accounts.count_try(tx, token_hash=token_hash, purpose=purpose, most_tries=MOST_TRIES))


def tried(tx: Tx, purpose: Purpose, token: str) -> Row:
    """The living challenge whose try was just counted. Raises Invalid."""
    row: Row | None = q.accounts.get_tried_challenge(tx, token_hash=security.hash_token(token), purpose=purpose)
    if row is None:
        raise dead()
    return row


def use_code(tx: Tx, purpose: Purpose, challenge_id: int, token: str, code: str) -> None:
    """Use the code and end its challenge, once. Raises Invalid for a wrong one."""
    if not q.accounts.use_code(tx, challenge_id=challenge_id, code_hash=security.hash_code(purpose, token, code)):
        raise _wrong()


def _wrong() -> Invalid:
    return Invalid(otp="This code is not right. Please look at the newest mail from us.")


def dead() -> Invalid:
    """What a challenge that is over, or is another's, is answered with."""
    return Invalid(otp="The code has expired, was used, or was tried too often. Please start again.")


# ---------------------------------------------------------------- sign-in


def sign_in(identifier: str, password: str, visitor: Visitor, *, totp_code: str = "") -> Proven:
    """Whoever has this username or e-mail address, this password and, with a second factor on, this code.

    Raises BadCredentials with the same words for a wrong name and a wrong password; only the right password brings to light
    `totp_needed` (BadCredentials) and, for a closed account, `account_blocked` (Forbidden) with reason and date. Raises TooMany.
    """
    row = _find(identifier)
    allowance = _take_allowance(identifier, row, visitor)
    if not security.check_password(row["password_hash"] if row else None, password) or row is None:
        events.record("sign_in_refused", row["id"] if row else None, reason="password")
        raise BadCredentials(NO_MATCH)
    _refuse_closed(row)
    if row["totp"]:
        _ask_second_factor(row["id"], totp_code)
    if visitor.limited:
        limits.give_back("sign_in", allowance)
    if security.needs_rehash(row["password_hash"], password):
        return _with_renewed_hash(row, password)
    return Proven(row["id"], row["password_hash"])


def _with_renewed_hash(row: Row, password: str) -> Proven:
    """Replace a hash that was made with older parameters, and return what the account has then.

    Of two concurrent sign-ins one replaces it and the other checks against the new one, which no
    longer matches after a password reset. While every hashing slot is busy the old hash stays: the
    password was right, and the next sign-in replaces it.
    """
    try:
        renewed = security.hash_password(password)
    except Unavailable:
        return Proven(row["id"], row["password_hash"])
    now = db.transaction(_replace_hash, row["id"], row["password_hash"], renewed)
    if now != renewed and not security.check_password(now, password):
        raise BadCredentials(NO_MATCH)
    return Proven(row["id"], now)


def _find(identifier: str) -> Row | None:
    with db.reading() as tx:
        if "@" in identifier:
            return q.accounts.get_by_email(tx, email_key=email_key(identifier))  # type: ignore[no-any-return]
        # Usernames are ASCII; to compare them with anything else is an error to the database, not a no.
        return q.accounts.get_by_username(tx, username_key=username_key(identifier)) if identifier.isascii() else None


def _take_allowance(identifier: str, row: Row | None, visitor: Visitor) -> str:
    """Count a try by what was typed and the network it came from, or by the device where the account knows it: strangers' tries then
    cost its owner nothing. By what was typed, since a count shared by name and address would tell that they belong together.
    """
    with db.reading() as tx:
        known = sessions.knows_device(tx, row["id"] if row else None, visitor.device)
    where = f"device {security.hash_token(visitor.device)}" if known else limits.network(visitor.ip)
    allowance = f"{email_key(identifier)}\n{where}"
    if visitor.limited:
        limits.use("sign_in", allowance)
    return allowance


def _refuse_closed(row: Row) -> None:
    if row["status"] != "active":
        events.record("sign_in_refused", row["id"], reason="deactivated")
        raise Forbidden("This account has been closed. Please write to us if you think that is a mistake.", code="account_blocked", reason="", until=None)
    if row["blocked_until"]:
        events.record("sign_in_refused", row["id"], reason="blocked")
        until = f"{row['blocked_until']:%d %B %Y, %H:%M} UTC"
        words = f"This account is blocked until {until}. The reason: {row['block_reason']}"
        raise Forbidden(words, code="account_blocked", reason=row["block_reason"], until=row["blocked_until"])


def _ask_second_factor(user_id: int, code: str) -> None:
    if not code:
        raise BadCredentials("Enter the code from your app, or a recovery code.", code="totp_needed")
    if not totp.prove(user_id, code):
        events.record("sign_in_refused", user_id, reason="totp")
        raise BadCredentials(totp.WRONG, code="totp_wrong", errors={"totp": [totp.WRONG]})


def _replace_hash(tx: Tx, user_id: int, former_hash: str, password_hash: str) -> str:
    """Gives the hash that stands there now."""
    if q.accounts.replace_hash(tx, user_id=user_id, former_hash=former_hash, password_hash=password_hash):
        return password_hash
    return str(q.accounts.get_hash(tx, user_id=user_id))


# ---------------------------------------------------------------- forgotten passwords


def forgot(email: str, *, limited: bool) -> Challenge:
    """Mail a code for a new password, if the address is known. Raises TooMany for more than five codes an hour to one address."""
    return {"challenge": db.transaction(_forgot, email, limited)}


def _forgot(tx: Tx, email: str, limited: bool) -> str:
    known = q.accounts.get_by_email(tx, email_key=email_key(email))
    return _challenge(tx, "reset", email, known, limited)


def reset(challenge: str, code: str, new_password: str) -> None:
    """Set a new password with the code from the mail; every session of the account ends and nobody is signed in.

    Raises Invalid for a wrong code, a dead challenge, or a poor password.
    """
    with db.reading() as tx:
        shop_name = settings.shop(tx)["name"]
    password_rules.check(new_password, shop_name=shop_name, field="new_password")
    count_try("reset", challenge)
    with db.reading() as tx:
        row = tried(tx, "reset", challenge)
        code_hash = security.hash_code("reset", challenge, code)
        if not q.accounts.is_code_right(tx, challenge_id=row["id"], code_hash=code_hash):
            raise _wrong()
        account = q.accounts.get_by_id(tx, user_id=row["user_id"])
    # Only who holds the code may learn the account's name from a refusal.
    password_rules.check(new_password, username=account["username"], email=account["email"], shop_name=shop_name, field="new_password")
    db.transaction(_reset, challenge, code, security.hash_password(new_password))


def _reset(tx: Tx, token: str, code: str, password_hash: str) -> None:
    row = tried(tx, "reset", token)
    use_code(tx, "reset", row["id"], token, code)
    account = q.accounts.get_by_id(tx, user_id=row["user_id"])
    q.accounts.set_password(tx, user_id=account["id"], password_hash=password_hash)
    q.accounts.end_resets(tx, user_id=account["id"])
    sessions.end_all_of(tx, account["id"])
    events.note(tx, "password_reset", account["id"])
    mail.enqueue(tx, "password_changed", account["email"], {"username": account["username"]})


# ---------------------------------------------------------------- admins and upkeep


def create_admin(username: str, email: str, password: str) -> int:
    """Make an admin at the owner's word, without a mail; gives the id. Raises Invalid for what breaks a rule or is taken."""
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{1,30}[A-Za-z0-9])", username):
        raise Invalid(username="A username has 3 to 32 letters, digits, dots, dashes or underscores.")
    try:
        email = validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError:
        raise Invalid(email="Enter an e-mail address like name@example.com.") from None
    with db.reading() as tx:
        shop_name = settings.shop(tx)["name"]
    password_rules.check(password, username=username, email=email, shop_name=shop_name)
    return db.transaction(_create_admin, username, email, security.hash_password(password))


def add(tx: Tx, username: str, email: str, password_hash: str, role: str) -> int:
    """Add an account at an admin's word; gives the id. Raises Invalid for a taken name or address."""
    return _add_user(tx, username, email, password_hash, role, _taken)


def _create_admin(tx: Tx, username: str, email: str, password_hash: str) -> int:
    user_id = add(tx, username, email, password_hash, "admin")
    events.note(tx, "registered", user_id, role="admin")
    return user_id


def has_admin() -> bool:
    with db.reading() as tx:
        return bool(q.accounts.has_admin(tx))


def add_first_admin(tx: Tx, username: str, email: str, password_hash: str) -> int:
    """Add the shop's first admin; gives the id. Raises Conflict once there is one, Invalid for a taken name or address."""
    q.accounts.take_turn(tx, name="first admin")
    names = _names(username, email)
    try:
        if not q.accounts.add_first_admin(tx, password_hash=password_hash, **names):
            raise Conflict("This shop has its admin already. Please sign in.")
    except db.DRIVER_ERRORS as error:
        raise _duplicate(error, _taken) from error
    user_id = int(q.accounts.get_by_username(tx, username_key=names["username_key"])["id"])
    _look_for_subscription(tx, user_id, email)
    events.note(tx, "registered", user_id, role="admin")
    return user_id


def _add_user(tx: Tx, username: str, email: str, password_hash: str, role: str, taken: Any) -> int:
    try:
        user_id = int(q.accounts.add(tx, password_hash=password_hash, role=role, **_names(username, email)))
    except db.DRIVER_ERRORS as error:
        raise _duplicate(error, taken) from error
    _look_for_subscription(tx, user_id, email)
    return user_id


def _look_for_subscription(tx: Tx, user_id: int, email: str) -> None:
    """The address may get the newsletter already. Its row is held, so that a confirmation at this moment is seen here or sees the account."""
    q.subscribers.lock(tx, email_key=email_key(email))
    q.subscribers.tell_account_of(tx, user_id=user_id)


def _names(username: str, email: str) -> dict[str, str]:
    return {"username": username, "username_key": username_key(username), "email": email, "email_key": email_key(email)}


def _duplicate(error: Exception, taken: Any) -> Exception:
    """What to raise for a driver's error: the reason, where it is a name or an address that exists already."""
    for field, constraint in (("username", "uq_users_username"), ("email", "uq_users_email")):
        if db.is_duplicate(error, constraint):
            reason: Exception = taken(field)
            return reason
    return error


def _taken(field: str) -> Exception:
    return Invalid(fields={field: ["This is taken by another account."]})


def forget_expired() -> int:
    """Erase what expired sign-ups and resets left behind. Gives the number of challenges removed."""
    return db.transaction(_forget_expired)


def _forget_expired(tx: Tx) -> int:
    q.accounts.forget_expired(tx)
    q.accounts.delete_turns(tx)
    return int(q.accounts.delete_expired(tx))
