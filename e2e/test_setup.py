"""The owner's first visit. It changes a shop for good, so it gets one of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pyotp
import pytest
from playwright.sync_api import expect
from shop import Shop, started_shop
from shopper import PASSWORD, Shopper
from test_accessibility import Inspector


def answer_the_questions(owner: Shopper, *, password: str = PASSWORD) -> None:
    owner.field("Name of the shop").fill("The Corner Shop")
    owner.field("Currency").select_option(label="GBP, British Pound")
    owner.field("Name or company").fill("Ada Quill")
    owner.field("Street and house number").fill("3 Corner Street")
    owner.field("Postcode").fill("YO1 7HH")
    owner.field("Town or city").fill("York")
    owner.field("Country").select_option(label="United Kingdom")
    owner.field("E-mail of the shop").fill("shop@example.com")
    owner.field("Username").fill("ada")
    owner.field("Your e-mail").fill("ada@example.com")
    owner.field("Password").fill(password)
    owner.page.get_by_role("checkbox", name=re.compile("^Remove the demo goods")).check()


@pytest.fixture
def untouched_shop() -> Iterator[Shop]:
    with started_shop() as started:
        yield started


def test_the_owner_makes_a_shop_theirs_by_the_link_of_the_banner_once(new_shopper: Callable[..., Shopper], untouched_shop: Shop) -> None:
    owner, late = new_shopper(at=untouched_shop), new_shopper(at=untouched_shop)
    owner.expect_refusal(422)

    owner.visit(f"/setup?token={untouched_shop.setup_token}")
    assert owner.path == "/setup", "the secret should not stay in the address"
    answer_the_questions(owner, password="ada-quill-1")
    owner.button("Open the shop").click()
    expect(owner.field("Password")).to_have_attribute("aria-invalid", "true")
    owner.field("Password").fill(PASSWORD)
    owner.button("Open the shop").click()

    expect(owner.heading("Protect your account")).to_be_visible()
    expect(owner.page.get_by_role("img", name="QR code for your authenticator app")).to_be_visible()
    owner.reload()
    owner.button("Set up later").click()
    expect(owner.heading("The Corner Shop is yours")).to_be_visible()
    owner.sees(re.compile("You are signed in as ada"), "Your account is protected by a password alone.")
    owner.reload()
    expect(owner.heading("The Corner Shop is yours")).to_be_visible()
    owner.visit("/")
    expect(owner.page).to_have_title("The Corner Shop")
    owner.sees("Nothing here yet")
    owner.visit("/account")
    owner.sees("You run this shop.")
    late.visit(f"/setup?token={untouched_shop.setup_token}")
    late.sees("This shop is set up")
    late.visit("/login")
    late.sign_in("ada")
    expect(late.page.get_by_role("banner").get_by_role("link", name="Account of ada")).to_be_visible()


def test_the_first_admin_sets_up_two_step_sign_in_right_away(new_shopper: Callable[..., Shopper], untouched_shop: Shop) -> None:
    owner = new_shopper(at=untouched_shop)
    owner.visit(f"/setup?token={untouched_shop.setup_token}")
    answer_the_questions(owner)
    owner.button("Open the shop").click()
    expect(owner.heading("Protect your account")).to_be_visible()
    inspector = Inspector(owner)
    inspector.look("two-step sign-in in the first run")
    assert not inspector.found, "\n".join(inspector.found)
    app = pyotp.parse_uri(owner.link("open it in the app").get_attribute("href") or "")
    assert isinstance(app, pyotp.TOTP)
    owner.field("Code from the app").fill(app.now())
    owner.button("Turn on").click()
    expect(owner.page.get_by_role("list", name="Recovery codes").get_by_role("listitem")).to_have_count(10)
    owner.button("I have saved them").click()

    expect(owner.heading("The Corner Shop is yours")).to_be_visible()
    expect(owner.page.get_by_text("protected by a password alone")).to_have_count(0)
    owner.visit("/admin")
    owner.settle()
    expect(owner.page.get_by_role("complementary", name="Two-step sign-in")).to_have_count(0)


def test_a_wrong_link_is_refused_with_what_was_typed_kept(new_shopper: Callable[..., Shopper], own_shop: Shop) -> None:
    stranger = new_shopper(at=own_shop)
    stranger.expect_refusal(403)
    stranger.visit("/setup?token=guessed")
    answer_the_questions(stranger)

    stranger.button("Open the shop").click()

    stranger.sees_problem(re.compile("link|token", re.IGNORECASE))
    expect(stranger.field("Name of the shop")).to_have_value("The Corner Shop")
    stranger.visit("/")
    expect(stranger.results.first).to_be_visible()


def test_without_its_link_the_page_says_where_the_link_is(shopper: Shopper) -> None:
    shopper.visit("/setup")

    shopper.sees(re.compile("This page opens by its link|This shop is set up"))
