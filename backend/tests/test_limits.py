from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from app import db
from app.errors import TooMany
from app.services import limits
from app.services.limits import Limit

THREE_A_MINUTE = Limit(3, 60)


def granted(who: str, limit: Limit = THREE_A_MINUTE) -> bool:
    try:
        limits.take("test", who, limit)
    except TooMany:
        return False
    return True


def let_pass(seconds: int) -> None:
    with db.reading() as tx:
        tx.execute("UPDATE allowances SET free_at = free_at - INTERVAL %s SECOND", (seconds,)).close()


def test_an_allowance_is_used_up_and_says_how_long_to_wait(shop: Flask) -> None:
    assert [granted("ip") for _ in range(5)] == [True, True, True, False, False]
    with pytest.raises(TooMany) as refusal:
        limits.take("test", "ip", THREE_A_MINUTE)
    assert 15 <= (refusal.value.retry_after or 0) <= 20


def test_it_comes_back_bit_by_bit(shop: Flask) -> None:
    assert [granted("ip") for _ in range(4)] == [True, True, True, False]
    let_pass(21)
    assert [granted("ip") for _ in range(2)] == [True, False]
    let_pass(60)
    assert [granted("ip") for _ in range(4)] == [True, True, True, False]


def test_refused_tries_do_not_put_the_end_off(shop: Flask) -> None:
    assert [granted("ip") for _ in range(50)].count(True) == 3
    let_pass(21)
    assert granted("ip")


def test_everybody_and_everything_has_an_own_allowance(shop: Flask) -> None:
    assert [granted("one") for _ in range(4)][-1] is False
    assert granted("other")
    limits.take("another kind", "one", THREE_A_MINUTE)


def test_what_succeeded_gives_the_allowance_back(shop: Flask) -> None:
    assert [granted("ip") for _ in range(4)][-1] is False
    limits.give_back("test", "ip")
    assert granted("ip")


def test_many_at_once_get_no_more_than_is_allowed(shop: Flask) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(lambda _: granted("ip", Limit(10, 900)), range(40))) == {True: 10, False: 30}


def test_no_address_stands_in_the_table(shop: Flask) -> None:
    limits.take("sign-in", "alice@example.com", THREE_A_MINUTE)
    with db.reading() as tx:
        rows: list[Any] = tx.execute("SELECT name FROM allowances").fetchall()
    assert len(rows) == 1 and len(rows[0][0]) == 64


def test_unused_allowances_are_forgotten(shop: Flask) -> None:
    limits.take("test", "ip", THREE_A_MINUTE)
    assert limits.forget_unused() == 0
    let_pass(60)
    assert limits.forget_unused() == 1
