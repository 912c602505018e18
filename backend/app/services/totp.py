"""The second factor: six digits from an app (RFC 6238), and recovery codes for the day the phone is gone.

The secret of an account is not stored. It is derived from the shop's SECRET_KEY and a random salt by a keyed hash, so a stolen
database makes no code, and no library for encryption, nor a cipher of our own, is needed. Whoever changes SECRET_KEY ends all
second factors, as they would if the key had encrypted them.
"""

from __future__ import annotations

import base64
import hmac
import secrets

import pyotp
import segno
from typing_extensions import TypedDict

from .. import db, security
from ..db import Tx, q
from ..errors import Conflict, Invalid, NotFound
from . import events, limits, mail, sessions, settings
from .limits import Limit

# Three codes in a million are good at any time. So few tries a day leave somebody who has the password one chance in fifty within
# a year of guessing; the owner, kept out meanwhile, has the recovery codes, which have 49 random bits and no count by the day.
TRIES = (Limit(5, 900), Limit(20, 86400))
RECOVERY_CODES = 10
RECOVERY_LENGTH = 10
WRONG = "This code is not right, or was used before."


class TotpSecret(TypedDict):
    """`qr` is the picture of the link for the camera of the app, an SVG as a data: address."""

    secret: str
    uri: str
    qr: str


class RecoveryCodes(TypedDict):
    recovery_codes: list[str]


class TotpState(TypedDict):
    enabled: bool
    recovery_codes_left: int


def state(user_id: int) -> TotpState:
    with db.reading() as tx:
        row = q.totp.get(tx, user_id=user_id)
        left = q.totp.count_recovery_codes(tx, user_id=user_id)
    return {"enabled": bool(row and row["confirmed"]), "recovery_codes_left": left}


def begin(user_id: int) -> TotpSecret:
    """A new secret, which counts once it is confirmed with a code. Raises Conflict while the second factor is on."""
    return db.transaction(_begin, user_id, secrets.token_hex(16))


def _begin(tx: Tx, user_id: int, salt: str) -> TotpSecret:
    q.totp.put(tx, user_id=user_id, salt=salt)
    row = q.totp.get(tx, user_id=user_id)
    if row["confirmed"]:
        raise Conflict("Two-step sign-in is on already. Switch it off first to set it up anew.")
    account = q.accounts.get_by_id(tx, user_id=user_id)
    made = pyotp.TOTP(_secret(user_id, salt))
    uri = made.provisioning_uri(name=account["email"], issuer_name=settings.shop(tx)["name"])
    return {"secret": made.secret, "uri": uri, "qr": segno.make_qr(uri).svg_data_uri(omitsize=True)}


def _secret(user_id: int, salt: str) -> str:
    return base64.b32encode(security.sign("second factor", f"{user_id}\n{salt}")[:20]).decode()


def confirm(user_id: int, code: str, *, session_id: int) -> RecoveryCodes:
    """Switch the second factor on with a code from the app, and return the recovery codes, shown only now.

    Every other session and access token of the account ends: a client that signed in without the second
    factor has to sign in with it. Raises Invalid for a wrong code, Conflict when there is nothing to
    confirm, TooMany.
    """
    count_try(user_id, code)
    codes = _new_recovery_codes()
    db.transaction(_confirm, user_id, code, codes, session_id)
    give_tries_back(user_id)
    return _shown(codes)


def _new_recovery_codes() -> list[str]:
    return [security.readable(RECOVERY_LENGTH) for _ in range(RECOVERY_CODES)]


def _shown(codes: list[str]) -> RecoveryCodes:
    return {"recovery_codes": [f"{code[:5]}-{code[5:]}" for code in codes]}


def _confirm(tx: Tx, user_id: int, code: str, recovery_codes: list[str], session_id: int) -> None:
    row = q.totp.get(tx, user_id=user_id)
    if row is None or row["confirmed"]:
        raise Conflict("There is nothing to confirm. Please start again.")
    step = _step_of(_secret(user_id, row["salt"]), code, row["step"])
    if step is None:
        raise Invalid(code="This code is not right. Is the clock of your phone?")
    if not q.totp.confirm(tx, user_id=user_id, salt=row["salt"], step=step):
        raise Conflict("There is nothing to confirm. Please start again.")
    _replace_recovery_codes(tx, user_id, recovery_codes)
    sessions.end_others_of(tx, user_id, session_id)
    sessions.end_step_up(tx, user_id)
    events.note(tx, "totp_on", user_id, actor_id=user_id)
    _tell(tx, user_id, on=True)


def _replace_recovery_codes(tx: Tx, user_id: int, codes: list[str]) -> None:
    q.totp.delete_recovery_codes(tx, user_id=user_id)
    for code in codes:
        q.totp.add_recovery_code(tx, user_id=user_id, code_hash=_recovery_hash(user_id, code))


def renew_recovery_codes(user_id: int) -> RecoveryCodes:
    """Replace the recovery codes and return the new ones, shown only now. Raises NotFound while the second factor is off."""
    codes = _new_recovery_codes()
    db.transaction(_renew_recovery_codes, user_id, codes)
    return _shown(codes)


def _renew_recovery_codes(tx: Tx, user_id: int, codes: list[str]) -> None:
    # The lock makes two concurrent requests leave one set of codes, and not two.
    row = q.totp.lock(tx, user_id=user_id)
    if row is None or not row["confirmed"]:
        raise NotFound("Two-step sign-in is not on.")
    _replace_recovery_codes(tx, user_id, codes)
    sessions.end_step_up(tx, user_id)
    events.note(tx, "recovery_codes_renewed", user_id, actor_id=user_id)


def switch_off(user_id: int, *, actor_id: int) -> None:
    """Switch the second factor off, or forget one that was not confirmed. Raises NotFound when there is none.

    The actor is the user, or an admin whom somebody asked who lost both phone and recovery codes.
    """
    if not db.transaction(remove, user_id, actor_id):
        raise NotFound("Two-step sign-in is not on.")


def remove(tx: Tx, user_id: int, actor_id: int | None) -> bool:
    """Remove the account's second factor and its recovery codes. Return False when it has none."""
    row = q.totp.get(tx, user_id=user_id)
    q.totp.delete_recovery_codes(tx, user_id=user_id)
    if not q.totp.delete(tx, user_id=user_id):
        return False
    if row["confirmed"]:
        sessions.end_step_up(tx, user_id)
        events.note(tx, "totp_off", user_id, actor_id=actor_id)
        _tell(tx, user_id, on=False)
    return True


def _tell(tx: Tx, user_id: int, *, on: bool) -> None:
    account = q.accounts.get_by_id(tx, user_id=user_id)
    mail.enqueue(tx, "totp_changed", account["email"], {"username": account["username"], "on": on})


# ---------------------------------------------------------------- proving it


def prove(user_id: int, given: str) -> bool:
    """Use up a code from the app, or a recovery code; False for a wrong or used one, and when the second factor is off. Raises TooMany."""
    count_try(user_id, given)
    right = db.transaction(_use, user_id, given)
    if right:
        give_tries_back(user_id)
    return right


def confirm_with(user_id: int, given: str) -> None:
    """Ask somebody who is signed in for a code again. Raises Invalid, TooMany."""
    if not prove(user_id, given):
        raise Invalid(totp=WRONG)


def _use(tx: Tx, user_id: int, given: str) -> bool:
    row = q.totp.get(tx, user_id=user_id)
    if row is None or not row["confirmed"]:
        return False
    if not _is_digits(given):
        code_hash = _recovery_hash(user_id, "".join(given.upper().replace("-", "").split()))
        return bool(q.totp.use_recovery_code(tx, user_id=user_id, code_hash=code_hash))
    step = _step_of(_secret(user_id, row["salt"]), given, row["step"])
    return step is not None and bool(q.totp.use_step(tx, user_id=user_id, step=step))


def count_try(user_id: int, given: str) -> None:
    """Use one of the few tries, right or wrong. These are no throttle: they bound what guessing can find, so nothing turns them off."""
    short, long = TRIES
    limits.take("totp", str(user_id), short)
    if _is_digits(given):
        limits.take("totp a day", str(user_id), long)


def give_tries_back(user_id: int) -> None:
    for kind in ("totp", "totp a day"):
        limits.give_back(kind, str(user_id))


def _is_digits(given: str) -> bool:
    code = "".join(given.split())
    return len(code) == 6 and code.isascii() and code.isdigit()


def _step_of(secret: str, given: str, now: int) -> int | None:
    """The 30-second step whose code this is: the present one, the one before or the one after."""
    code, made = "".join(given.split()), pyotp.TOTP(secret)
    found = [step for step in (now - 1, now, now + 1) if hmac.compare_digest(made.generate_otp(step).encode(), code.encode())]
    return max(found, default=None)


def _recovery_hash(user_id: int, code: str) -> str:
    return security.hash_code("recovery", str(user_id), code)
