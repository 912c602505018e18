"""Some of the histories of ./shop drill histories, drawn and, should one break something, shortened by Hypothesis."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import factories
import pytest
from conftest import empty
from factories import User
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from app.config import ROOT, Settings
from app.errors import SignInRequired
from app.services import checkout
from app.services.cart import Buyer

sys.path.insert(0, str(ROOT / "bench" / "drills"))
import histories

MANY = 20
STEPS = st.lists(st.tuples(st.sampled_from(histories.DRAWN), st.integers(0, 255)), max_size=5)


@pytest.fixture
def street(shop: Any, app_settings: Settings) -> Iterator[histories.Shop]:
    yield histories.Shop(app_settings)


@how(max_examples=MANY, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(first=st.integers(0, 255), steps=STEPS)
def test_no_history_of_shopping_breaks_an_invariant(street: histories.Shop, owner_connection: Any, first: int, steps: list[histories.Step]) -> None:
    fault = histories.lived(street, [("buy", first), *steps]) or next(iter(street.broken()), "")
    if fault:
        empty(owner_connection)
        street.open(street.given)
    assert not fault, fault


def test_whoever_is_erased_while_they_order_is_asked_to_sign_in(alice: User) -> None:
    buyer = Buyer(alice.id)
    factories.write("DELETE FROM users WHERE id = %s", alice.id)
    with pytest.raises(SignInRequired):
        checkout.quote(buyer, coupon="TEN")
