"""Paying by card on the payment service's page: paid, declined and paid again, and the way back without paying."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect
from shop import ROOT, Shop, started_shop
from shopper import Shopper, somebody
from test_accessibility import Inspector

sys.path.append(str(ROOT / "backend" / "tests"))
from fake_stripe import KEY, SECRET, FakeStripe


@pytest.fixture(scope="module")
def stripe() -> Iterator[FakeStripe]:
    with FakeStripe().running() as fake:
        yield fake


@pytest.fixture(scope="module")
def card_shop(stripe: FakeStripe) -> Iterator[Shop]:
    with started_shop(STRIPE_SECRET_KEY=KEY, STRIPE_WEBHOOK_SECRET=SECRET, STRIPE_API_BASE=stripe.url) as started:
        stripe.webhook = f"{started.url}/api/v1/payments/stripe/webhook"
        yield started


@pytest.fixture
def payer(new_shopper: Callable[..., Shopper], card_shop: Shop, stripe: FakeStripe) -> Shopper:
    """Stands before the payment service's page, with an order that waits."""
    stripe.down = False
    shopper = new_shopper(at=card_shop)
    shopper.expect_host(stripe.url)
    shopper.has_in_cart(shopper.something())
    shopper.visit("/checkout")
    shopper.fill_address(email=somebody("guest").email)
    shopper.choose_payment("Card")
    return shopper


def to_the_service(shopper: Shopper) -> None:
    shopper.main.get_by_role("button", name=re.compile(r"^Pay €[\d.,]+$")).click()
    expect(shopper.page.get_by_role("heading", name=re.compile("^Pay EUR"))).to_be_visible()


def test_a_card_pays_the_order(payer: Shopper) -> None:
    to_the_service(payer)
    payer.page.get_by_role("button", name="Pay now").click()
    expect(payer.heading("Thank you. Your order is placed.")).to_be_visible()
    payer.sees("Payment received", "Card, paid")


def test_a_declined_card_is_not_the_end(payer: Shopper) -> None:
    to_the_service(payer)
    payer.page.get_by_role("button", name="Pay with a card that is declined").click()
    expect(payer.page.get_by_role("status")).to_have_text("Your card was declined.")
    payer.page.get_by_role("link", name="Back to the shop").click()
    expect(payer.heading("Your order waits for its payment")).to_be_visible()
    payer.sees("Nothing was paid")
    inspector = Inspector(payer)
    inspector.look("an order that waits for its payment")
    assert not inspector.found, inspector.found
    to_the_service(payer)
    payer.page.get_by_role("button", name="Pay now").click()
    payer.sees("Card, paid")


def test_back_from_the_payment_page_shows_the_order(payer: Shopper) -> None:
    to_the_service(payer)
    payer.page.go_back(wait_until="commit")
    expect(payer.heading("Your order waits for its payment")).to_be_visible()
    assert payer.path.startswith("/orders/FC-")


def test_a_webhook_that_never_comes_keeps_nobody_waiting_for_ever(payer: Shopper, card_shop: Shop, stripe: FakeStripe) -> None:
    webhook, stripe.webhook = stripe.webhook, ""
    to_the_service(payer)
    payer.page.get_by_role("button", name="Pay now").click()
    expect(payer.heading("We are waiting for your payment to arrive")).to_be_visible()
    stripe.webhook = webhook
    card_shop.let_payments_wait(60)
    expect(payer.heading("Thank you. Your order is placed.")).to_be_visible(timeout=20_000)


def test_without_the_payment_service_the_order_is_kept(payer: Shopper, stripe: FakeStripe) -> None:
    payer.expect_refusal(503)
    stripe.down = True
    payer.main.get_by_role("button", name=re.compile("^Pay €")).click()
    expect(payer.heading("Your order waits for its payment")).to_be_visible()
    payer.main.get_by_role("button", name=re.compile("^Pay €")).click()
    expect(payer.page.get_by_text("Your order is kept.")).to_be_visible()
    stripe.down = False
    to_the_service(payer)


def test_a_test_payment_is_there_at_once(payer: Shopper) -> None:
    payer.choose_payment("Test payment")
    payer.main.get_by_role("button", name=re.compile("^Pay €")).click()
    payer.arrive_at_order()
    payer.sees("Test payment, paid")
