"""Some of the histories of ./shop drill histories, drawn and, should one break something, shortened by Hypothesis."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import empty
from factories import Thing, User
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from app.config import ROOT, Settings
from app.errors import SignInRequired
from app.services import cart, checkout, invoice_drawing
from app.services.cart import Buyer

sys.path.insert(0, str(ROOT / "bench" / "drills"))
import histories

MANY, IN_A_ROW = 300, 4  # histories, and after how many it is looked whether all is well
STEPS = st.lists(st.tuples(st.sampled_from(histories.DRAWN), st.integers(0, 255)), max_size=5)
HISTORY = st.builds(lambda first, rest: [("buy", first), *rest], st.integers(0, 255), STEPS)


@pytest.fixture
def street(shop: Any, app_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> histories.Shop:
    # How an invoice looks is shown elsewhere, and to draw hundreds takes seconds.
    monkeypatch.setattr(invoice_drawing, "draw", lambda *_: b"%PDF-")
    return histories.Shop(app_settings)


@how(max_examples=MANY // IN_A_ROW, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(lives=st.lists(HISTORY, min_size=IN_A_ROW, max_size=IN_A_ROW))
def test_no_history_of_shopping_breaks_an_invariant(street: histories.Shop, owner_connection: Any, lives: list[list[histories.Step]]) -> None:
    fault = next(filter(None, (histories.lived(street, steps) for steps in lives)), "") or next(iter(street.broken()), "")
    if fault:
        empty(owner_connection)
        street.open(street.given)
    assert not fault, fault


@pytest.mark.parametrize(
    "act",
    [lambda buyer, mug: checkout.quote(buyer, coupon="TEN"), lambda buyer, mug: cart.add(buyer, variant_id=mug.variant, product_id=None, quantity=1)],
    ids=["orders", "fills the cart"],
)
def test_whoever_is_erased_meanwhile_is_asked_to_sign_in(alice: User, mug: Thing, act: Callable[[Buyer, Thing], Any]) -> None:
    factories.write("DELETE FROM users WHERE id = %s", alice.id)
    with pytest.raises(SignInRequired):
        act(Buyer(alice.id), mug)
