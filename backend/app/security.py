"""Hashes of passwords, codes and tokens. Werkzeug and the standard library only; no SQL, no Flask."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading

from werkzeug.security import check_password_hash, generate_password_hash

# Werkzeug's default parameters are weaker than OWASP's floor for scrypt; these meet it (Password Storage Cheat Sheet).
PASSWORD_METHOD = "scrypt:32768:8:3"
# A hash takes 32 MiB and a core; a flood of sign-ins waits here instead of taking the machine.
_hashing = threading.BoundedSemaphore(max(1, (os.cpu_count() or 2) // 2))
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

_key = b""


def use_key(secret_key: str) -> None:
    """Set the shop's SECRET_KEY for this process."""
    global _key
    _key = secret_key.encode()


def sign(purpose: str, text: str) -> bytes:
    """A keyed hash that only this shop can make, worth nothing for another purpose."""
    if not _key:
        raise RuntimeError("security.use_key() has not been called")
    return hmac.new(_key, f"{purpose}\n{text}".encode(), hashlib.sha256).digest()


def hash_password(password: str) -> str:
    with _hashing:
        return generate_password_hash(password, method=PASSWORD_METHOD)


# What a sign-in with an unknown name is checked against, so that it takes as long as any other. No password has this hash.
NOBODY = f"{PASSWORD_METHOD}${'0' * 16}${'0' * 128}"


def check_password(stored: str | None, password: str) -> bool:
    """Whether the password is right; with `stored` None the same work is done and the answer is no."""
    with _hashing:
        return check_password_hash(stored or NOBODY, password) and stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return not stored.startswith(PASSWORD_METHOD + "$")


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
