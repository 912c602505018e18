"""Which passwords an account may have (ASVS 5.0, 6.2; NIST SP 800-63B-4, 3.1.1.2).

A password is compared with a blocklist of breached passwords, and with what attackers derive from
common words: "Summer2026!!" is on no list, but is among the first that they try. There are no
composition rules. The rules hold when a password is set; passwords that are older keep working.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from zxcvbn import zxcvbn
from zxcvbn.frequency_lists import FREQUENCY_LISTS
from zxcvbn.matching import RANKED_DICTIONARIES

from .. import security
from ..errors import Invalid

MIN_LENGTH, MAX_LENGTH = 8, 128
MAX_ESTIMATED_LENGTH = 72  # the estimator's time grows fast with the length
# As many guesses as eight random characters take; what needs fewer is a pattern or a list's entry.
MIN_GUESSES = 10**8

# zxcvbn ships the 30,000 most common breached passwords, 11,600 of which are long enough for us
# (ASVS asks for 3,000), and lists of common words and names. They are its own dictionaries, so
# looking into them takes no memory of ours.
BREACHED_PASSWORDS = RANKED_DICTIONARIES["passwords"]
COMMON_WORDS = [RANKED_DICTIONARIES[name] for name in FREQUENCY_LISTS]
MIN_COMMON_WORD_LENGTH = 4

# What people put into a password because the day, the page or the keyboard suggests it. Several of
# them in a row are no better than one.
PREDICTABLE_WORDS = frozenset(
    """
    spring summer autumn fall winter fruehling fruhling fruehjahr sommer herbst
    printemps ete automne hiver primavera verano otono invierno
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec
    januar februar marz maerz mai juni juli oktober dezember
    janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre
    enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
    monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun
    montag dienstag mittwoch donnerstag freitag samstag sonntag
    lundi mardi mercredi jeudi vendredi samedi dimanche
    lunes martes miercoles jueves viernes sabado domingo
    password passwort passwd pass motdepasse contrasena kennwort secret geheim changeme default
    welcome willkommen bienvenue bienvenido hello hallo bonjour hola login letmein letme
    admin administrator root user guest staff owner test demo temp
    shop store shopping webshop onlineshop boutique tienda company
    qwerty qwertz azerty asdf asdfgh zxcvbn abc abcd abcdef love iloveyou
    """.split()
)

# One character may stand for several letters, so every table is tried.
_LEET = {"@": "a", "4": "a", "8": "b", "(": "c", "3": "e", "6": "g", "9": "g", "0": "o", "$": "s", "5": "s", "7": "t", "+": "t", "2": "z"}
LEET_TABLES = tuple(str.maketrans(_LEET | dict.fromkeys("1!|", letter)) for letter in "il")
MAX_LEET_AT_EDGE = 3  # characters at the start or the end of a word that may stand for letters

MAX_PREDICTABLE_DIGITS = 6  # a year, a date, a postcode, "123456"
MAX_PREDICTABLE_SYMBOLS = 4
_YEARS = re.compile(r"(?:(?:19|20)\d\d)+")
_DATE = re.compile(r"(?:[0-3]\d[01]\d|[01]\d[0-3]\d)(?:19|20)\d\d|(?:19|20)\d\d[01]\d[0-3]\d")

ADVICE = "Use a few uncommon words together."
BREACHED = f"This password is on lists of breached passwords that attackers try first. {ADVICE}"
PREDICTABLE = f"A common word or name with numbers or symbols added is easy to guess. {ADVICE}"


def check(
    password: str,
    *,
    username: str = "",
    email: str = "",
    shop_name: str,
    field: str = "password",
) -> None:
    """Raise Invalid on `field`, with the reason, for a password that an account may not have."""
    normalized = security.normalize_password(password)
    reason = _find_reason(normalized, username, email, shop_name)
    if reason:
        raise Invalid(fields={field: [reason]})


def _find_reason(password: str, username: str, email: str, shop_name: str) -> str:
    if len(password) < MIN_LENGTH:
        return f"Use at least {MIN_LENGTH} characters; 15 or more are better."
    if len(password) > MAX_LENGTH:
        return f"Use at most {MAX_LENGTH} characters."
    mailbox = email.partition("@")[0]
    names = {
        "your username": username,
        "your e-mail address": mailbox if len(mailbox) > 3 else email,
        "the shop's name": shop_name,
    }
    for name, value in names.items():
        if _contains(password, value):
            return f"Leave {name} out of the password."
    if _fold(password) in BREACHED_PASSWORDS:
        return BREACHED
    if is_predictable(password, context=(username, mailbox, shop_name)):
        return PREDICTABLE
    inputs = [value for value in (username, mailbox, shop_name) if value]
    estimate = zxcvbn(password[:MAX_ESTIMATED_LENGTH], user_inputs=inputs)
    if estimate["guesses"] < MIN_GUESSES:
        warning = estimate["feedback"]["warning"].rstrip(".") or "This is easy to guess"
        return f"{warning}. {ADVICE}"
    return ""


def _contains(password: str, name: str) -> bool:
    """Return whether a name is part of the password, with other letters for some of its own too."""
    wanted, squeezed = "".join(_fold(name).split()), "".join(_fold(password).split())
    # A store called "Zo" must not forbid every "zone".
    if len(wanted) <= 2:
        return False
    return wanted in squeezed or (len(wanted) > 3 and any(wanted in squeezed.translate(table) for table in LEET_TABLES))


def _fold(text: str) -> str:
    """Return the text without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


# ---------------------------------------------------------------- what attackers derive from words


def is_predictable(password: str, *, context: tuple[str, ...] = ()) -> bool:
    """Return whether a password is a common word with predictable digits and symbols around it.

    A common word is one of zxcvbn's words, names and breached passwords, also repeated or reversed,
    or any number of PREDICTABLE_WORDS and words of `context` in a row. Letters may be replaced by
    digits and symbols that look like them.
    """
    folded = _fold(password)
    if not any(character.isalpha() for character in folded):
        return _is_predictable_decoration(folded)
    words = PREDICTABLE_WORDS | {word for text in context for word in _words_of(text)}
    return any(_is_common(core, words) for core in _cores(folded))


def _words_of(text: str) -> Iterator[str]:
    folded = _fold(text)
    parts = [*re.findall(r"[^\W\d_]+", folded), "".join(re.findall(r"[^\W_]+", folded))]
    return (part for part in parts if len(part) > 2)


def _cores(folded: str) -> Iterator[str]:
    """Yield what the password may be without the digits and symbols around it, as letters."""
    letters = [place for place, character in enumerate(folded) if character.isalpha()]
    first, last = letters[0], letters[-1] + 1
    for start in range(max(0, first - MAX_LEET_AT_EDGE), first + 1):
        for end in range(last, min(len(folded), last + MAX_LEET_AT_EDGE) + 1):
            if _is_predictable_decoration(folded[:start]) and _is_predictable_decoration(folded[end:]):
                for table in LEET_TABLES:
                    yield "".join(filter(str.isalpha, folded[start:end].translate(table)))


def _is_predictable_decoration(text: str) -> bool:
    digits = re.findall(r"\d+", text)
    symbols = re.sub(r"\d", "", text)
    few_digits = sum(map(len, digits)) <= MAX_PREDICTABLE_DIGITS or all(map(_is_predictable_number, digits))
    return few_digits and (len(symbols) <= MAX_PREDICTABLE_SYMBOLS or len(set(symbols)) == 1)


def _is_predictable_number(digits: str) -> bool:
    """Return whether a number is short, a repetition, a sequence, a date or one or more years."""
    ascending = "0123456789" * 2
    return (
        len(digits) <= MAX_PREDICTABLE_DIGITS
        or len(set(digits)) == 1
        or digits in ascending
        or digits in ascending[::-1]
        or bool(_YEARS.fullmatch(digits) or _DATE.fullmatch(digits))
    )


def _is_common(core: str, predictable_words: frozenset[str]) -> bool:
    if _is_concatenation(core, predictable_words):
        return True
    unit = _repeated_unit(core)
    if len(unit) < MIN_COMMON_WORD_LENGTH:
        return False
    return any(word in ranks for word in (unit, unit[::-1]) for ranks in COMMON_WORDS)


def _is_concatenation(text: str, words: frozenset[str]) -> bool:
    longest = max(map(len, words))
    ends = {0}
    for start in range(len(text)):
        if start in ends:
            ends |= {end for end in range(start + 1, min(len(text), start + longest) + 1) if text[start:end] in words}
    return bool(text) and len(text) in ends


def _repeated_unit(text: str) -> str:
    """Return the shortest text whose repetition makes up the whole text, which may be all of it."""
    return text[: (text + text).find(text, 1)] if text else text
