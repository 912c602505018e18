"""Hashes of passwords, codes and tokens, and the masking of card numbers. Werkzeug and the standard library only; no SQL, no Flask."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets

from werkzeug.security import check_password_hash, generate_password_hash

from .hashing_limiter import HashingLimiter
from .text import normalize_text

# Werkzeug's default parameters are weaker than OWASP's floor for scrypt; these meet it (Password Storage Cheat Sheet).
PASSWORD_METHOD = "scrypt:32768:8:3"
# A hash takes 32 MiB and a core, so at most half of the cores compute hashes at once.
HASHING_SLOTS = max(1, (os.cpu_count() or 2) // 2)
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

_key = b""
_hashing = HashingLimiter(HASHING_SLOTS)


def limit_hashing(worker_threads: int) -> None:
    """Let at most half of a worker's threads compute password hashes or wait for that.

    The other half stays free for requests that need no hash, whatever number of sign-ins arrives.
    """
    global _hashing
    threads = max(1, worker_threads // 2)
    _hashing = HashingLimiter(min(HASHING_SLOTS, threads), max_threads=threads)


def use_key(secret_key: str) -> None:
    """Set the shop's SECRET_KEY for this process."""
    global _key
    _key = secret_key.encode()


def sign(purpose: str, text: str) -> bytes:
    """A keyed hash that only this shop can make, worth nothing for another purpose."""
    if not _key:
        raise RuntimeError("security.use_key() has not been called")
    return hmac.new(_key, f"{purpose}\n{text}".encode(), hashlib.sha256).digest()


def signed(purpose: str, text: str) -> str:
    """The text as a link may hold it, with a signature that is good for this purpose for as long as the shop has its key."""
    return f"{text}.{base64.urlsafe_b64encode(sign(purpose, text)[:15]).decode()}"


def read_signed(purpose: str, token: str) -> str | None:
    """What was signed; None for what this shop has not signed for this purpose."""
    text = token.rpartition(".")[0]
    return text if hmac.compare_digest(token.encode(), signed(purpose, text).encode()) else None


def normalize_password(password: str) -> str:
    """Return the password in the form that is hashed, on whatever system it was typed.

    NIST SP 800-63B-4, 3.1.1.2.
    """
    return normalize_text(password)


def hash_password(password: str) -> str:
    """Return the hash to store. Raises Unavailable while too many hashes are being computed."""
    with _hashing.slot():
        return generate_password_hash(normalize_password(password), method=PASSWORD_METHOD)


# What a sign-in with an unknown name is checked against, so that it takes as long as any other. No password has this hash.
NOBODY = f"{PASSWORD_METHOD}${'0' * 16}${'0' * 128}"


def check_password(stored: str | None, password: str) -> bool:
    """Return whether the password is right; with `stored` None the same work is done and the result is False.

    Raises Unavailable while too many hashes are being computed, for known and unknown accounts alike.
    """
    with _hashing.slot():
        matches = any(check_password_hash(stored or NOBODY, one) for one in _forms_of(password))
        return matches and stored is not None


def _forms_of(password: str) -> list[str]:
    """Return the password as it is hashed, and as typed: hashes may be older than normalization.

    How many there are depends on the password alone, so a wrong one takes as long for a known
    account as for an unknown one.
    """
    return list(dict.fromkeys((normalize_password(password), password)))


def needs_rehash(stored: str, password: str) -> bool:
    """Return whether the hash of this password, which is right, differs from one made today.

    It was made with other parameters, or of the password as typed.
    """
    if not stored.startswith(PASSWORD_METHOD + "$"):
        return True
    normalized = normalize_password(password)
    if normalized == password:
        return False
    with _hashing.slot():
        return not check_password_hash(stored, normalized)


def new_token() -> str:
    """192 random bits for an address or a cookie."""
    return secrets.token_urlsafe(24)


def hash_token(token: str) -> str:
    """SHA-256 in hex: enough for what has 80 random bits and more."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_code(digits: int) -> str:
    return f"{secrets.randbelow(10**digits):0{digits}d}"


def hash_code(purpose: str, challenge: str, code: str) -> str:
    """A short code is kept as a keyed hash bound to what it is for, so that a stolen table cannot be searched."""
    return sign(f"code for {purpose}", f"{challenge}\n{code}").hex()


def unmatchable() -> str:
    """Stands where a code's hash would, when there is no code: nothing that can be typed has this hash."""
    return secrets.token_hex(32)


def readable(length: int) -> str:
    """Random characters that cannot be misread for each other."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


# ---------------------------------------------------------------- card numbers

# Digits in groups, with a space or dash or a few between them. A `+` makes it a telephone number, two capitals an account's or a parcel's.
_DIGITS = re.compile(r"(?<![\d+])(?<![A-Z]{2})\d+(?:[\s\u2010-\u2015-]{1,3}\d+)*")
_GROUP = re.compile(r"\d+")
# What the numbers of the card schemes begin with, from and to, and how long they are (ISO/IEC 7812).
_SCHEMES = (
    (2221, 2720, (16,)),
    (3000, 3099, (14,)),
    (3400, 3499, (15,)),
    (3528, 3589, (16, 17, 18, 19)),
    (3600, 3699, (14,)),
    (3700, 3799, (15,)),
    (3800, 3999, (14,)),
    (4000, 4999, (13, 16, 19)),
    (5000, 5099, (16, 17, 18, 19)),
    (5100, 5599, (16,)),
    (5600, 6999, (16, 17, 18, 19)),
)


def mask_card_numbers(text: str) -> str:
    """The text with all but the last four digits hidden of what looks like a card number. Nobody asks for one; people write them all the same."""
    return _DIGITS.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    run, groups = list(found[0]), [group.span() for group in _GROUP.finditer(found[0])]
    first = 0
    while first < len(groups):
        last = _end_of_card(run, groups, first)
        for place in _places(groups[first : last + 1])[:-4]:
            run[place] = "•"
        first = max(first, last) + 1
    return "".join(run)


def _end_of_card(run: list[str], groups: list[tuple[int, int]], first: int) -> int:
    """The last group of the card number that begins with this one, or -1; whatever else was written after it does not hide it."""
    numbers = (("".join(run[place] for place in _places(groups[first : last + 1])), last) for last in range(first, min(first + 19, len(groups))))
    return max((last for digits, last in numbers if _is_card(digits)), default=-1)


def _places(groups: list[tuple[int, int]]) -> list[int]:
    return [place for start, end in groups for place in range(start, end)]


def _is_card(digits: str) -> bool:
    if not any(low <= int(digits[:4]) <= high and len(digits) in lengths for low, high, lengths in _SCHEMES):
        return False
    figures = [int(digit) for digit in reversed(digits)]
    # A book or an article has thirteen digits, too, and a check digit of its own (GTIN-13).
    if len(digits) == 13 and sum(figure * (1, 3)[place % 2] for place, figure in enumerate(figures)) % 10 == 0:
        return False
    return sum(sum(divmod(figure * (1, 2)[place % 2], 10)) for place, figure in enumerate(figures)) % 10 == 0
