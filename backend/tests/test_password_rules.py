"""Passwords that attackers try first: breached ones, and common words with something added."""

from __future__ import annotations

import itertools
import secrets
import string

import pytest
from conftest import ShopClient
from factories import PASSWORD, User
from test_accounts import SIGN_UP, auth, change, code, forgotten, rows

from app import security
from app.errors import Invalid
from app.services import password_rules
from app.services.password_rules import BREACHED, PREDICTABLE

WORDS = ["Summer", "WINTER", "january", "Monday", "Welcome", "Password", "Admin", "Dragon", "Liverpool", "Michael", "Herbst", "Été"]
DECORATIONS = ["{}2026!!", "{}-2025", "{}123!", "2026{}!!", "!!{}1999", "{}20262026", "{}31122026!", "{}!!!!!!!!", "{}_12345678", "{}.2026?"]


def reason(password: str, **names: str) -> str:
    try:
        password_rules.check(password, **{"shop_name": "FlaskCart", **names})
    except Invalid as error:
        return error.detail
    return ""


@pytest.mark.parametrize("decoration", DECORATIONS)
@pytest.mark.parametrize("word", WORDS)
def test_a_common_word_with_digits_and_symbols_is_refused(word: str, decoration: str) -> None:
    password = decoration.format(word)
    assert len(password) < 8 or reason(password) in (PREDICTABLE, BREACHED)


@pytest.mark.parametrize(
    "password",
    [
        "S0mm3r2026!!", "$umm3r-2026", "5ummer2026!", "W!nter2026!!", "P@ssw0rd2026!!", "P@$$w0rd-2026", "Dr4g0n!2026", "L1verpool2026",
        "Sp1der2026!!",
    ],
)  # fmt: skip
def test_letters_replaced_by_what_looks_like_them_do_not_help(password: str) -> None:
    assert reason(password) in (PREDICTABLE, BREACHED)


@pytest.mark.parametrize(
    "password",
    ["SpringSummer2026!", "JuneJuly2026!!", "Shop-Admin-2026", "dragondragon1!", "remmuS2026!!", "Sun-Shine-2026", "20262026!!!", "31-12-2026!"],
)
def test_neither_do_two_of_them_a_repetition_a_reversal_or_digits_alone(password: str) -> None:
    assert reason(password) == PREDICTABLE


@pytest.mark.parametrize("password", ["password", "PASSWORD1", "iloveyou", "qwertyuiop", "1qaz2wsx", "Trustno1", "superman"])
def test_a_breached_password_is_refused_in_any_case(password: str) -> None:
    assert reason(password) == BREACHED


def test_the_list_holds_three_thousand_breached_passwords_that_are_long_enough() -> None:
    """ASVS 5.0, 6.2.4."""
    long_enough = [one for one in password_rules.BREACHED_PASSWORDS if len(one) >= password_rules.MIN_LENGTH]
    assert len(long_enough) >= 3000
    assert {reason(one) for one in long_enough[:500]} == {BREACHED}


@pytest.mark.parametrize(
    ("names", "password"),
    [
        ({"shop_name": "Ada Quillworks"}, "Quillworks2026!"),
        ({"shop_name": "Ada Quillworks"}, "4daQu1llworks-99"),
        ({"shop_name": "FlaskCart"}, "Fl4skC4rt2026!"),
        ({"username": "zanthia"}, "Z4nthia2026!!"),
        ({"email": "zanthia.krell@example.com"}, "Krell2026!!"),
    ],
)
def test_words_of_the_store_and_of_the_account_count_as_common(names: dict[str, str], password: str) -> None:
    assert reason(password, **names)


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD, "cobalt-meadow-72", "granite-lantern-58", "x7Kp!m2q", "  leading and trailing spaces  ", "grüße aus dem Café 27",
        "a long and private sentence", "Summer8#kQ2!9x", "summer in the attic 2026", "perspicacious83920174652!", "k7!Qz" * 25,
        "夏の終わりの海辺で会う", "ветер-парус-якорь",
    ],
)  # fmt: skip
def test_passphrases_and_random_passwords_are_accepted(password: str) -> None:
    assert reason(password) == ""


def test_hardly_any_random_password_is_refused() -> None:
    alphabet = string.ascii_letters + string.digits + "!$-_.+#"
    made = ["".join(secrets.choice(alphabet) for _ in range(12)) for _ in range(300)]
    assert [password for password in made if reason(password)] == []


def test_a_long_and_hostile_password_takes_no_long_time() -> None:
    for unit in ("ab" * 64, "jan" * 42, "!" * 128, "1" * 128, "a1" * 64, "!" * 60 + "mar" * 20):
        password_rules.is_predictable(unit, context=("ab" * 40, "1" * 64, "mar" * 20))


def test_the_reason_says_what_to_do_instead() -> None:
    for words in (BREACHED, PREDICTABLE):
        assert "uncommon words" in words


# ---------------------------------------------------------------- wherever a password is set


POOR = "Summer2026!!"


def test_a_sign_up_a_reset_and_a_change_refuse_it(client: ShopClient, alice: User) -> None:
    signed_up = auth(client, "register", **(SIGN_UP | {"password": POOR}))
    reset = auth(client, "reset", challenge=forgotten(client, alice.email), otp=code(), new_password=POOR)
    changed = client.as_(alice).put("/api/v1/me/password", json={"current_password": PASSWORD, "new_password": POOR})

    responses = {"password": signed_up, "new_password": reset}
    for field, response in [*responses.items(), ("new_password", changed)]:
        assert (response.status_code, response.json["errors"]) == (422, {field: [PREDICTABLE]})
    assert rows("SELECT COUNT(*) FROM challenges WHERE purpose = 'register'") == [(0,)]


def test_an_account_that_has_it_already_keeps_signing_in(client: ShopClient, alice: User) -> None:
    change("UPDATE users SET password_hash = %s WHERE id = %s", security.hash_password(POOR), alice.id)
    assert auth(client, "login", identifier="alice", password=POOR).status_code == 200
    assert auth(client, "step-up", password=POOR).status_code == 204


def test_every_predictable_word_is_written_as_the_rule_compares_it() -> None:
    for word in password_rules.PREDICTABLE_WORDS:
        assert word == password_rules._fold(word) and word.isalpha() and len(word) > 2, word


def test_no_pair_of_common_words_of_a_passphrase_is_taken_for_one() -> None:
    words = ["walnut", "harbour", "cobalt", "meadow", "granite", "lantern", "velvet", "orchard", "copper", "thimble"]
    refused = [(one, other) for one, other in itertools.permutations(words, 2) if password_rules.is_predictable(f"{one}-{other}-19")]
    assert refused == []
