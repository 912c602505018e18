"""Staff and two-step sign-in: the reminder in the admin, and what asks for more than the session."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect
from shop import Shop
from shopper import Shopper
from test_accessibility import Inspector
from test_account import prove_it, switch_two_step_on


@pytest.fixture
def staff(new_shopper: Callable[..., Shopper], owned_shop: Shop) -> Shopper:
    """A member of staff who signs in with a password alone."""
    member = new_shopper(at=owned_shop)
    owned_shop.promote(member.join("sam").username)
    return member


def reminder(member: Shopper) -> Locator:
    return member.page.get_by_role("complementary", name="Two-step sign-in")


def test_staff_with_a_password_alone_are_reminded_until_two_step_sign_in_is_on(staff: Shopper) -> None:
    staff.visit("/admin/orders")
    expect(reminder(staff)).to_contain_text("protected by a password alone")
    inspector = Inspector(staff)
    for width in (320, 390, 1280):
        staff.resize(width)
        assert staff.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    inspector.look("the reminder in the admin")
    assert not inspector.found, "\n".join(inspector.found)

    reminder(staff).get_by_role("button", name="Not now").click()
    staff.visit("/admin/products")
    staff.settle()
    expect(reminder(staff)).to_have_count(0)

    staff.page.evaluate("sessionStorage.clear()")
    staff.reload()
    reminder(staff).get_by_role("link", name="Set it up").click()
    staff.page.wait_for_url("**/account/security")
    switch_two_step_on(staff)
    staff.visit("/admin/products")
    staff.settle()
    expect(reminder(staff)).to_have_count(0)


def test_a_coupon_that_can_make_an_order_free_asks_for_the_password(new_owner: Shopper) -> None:
    owner, code = new_owner, f"FREE-{secrets.token_hex(3).upper()}"
    owner.visit("/admin/coupons")
    owner.button("Add a coupon").click()
    dialog = owner.dialog("New coupon")
    dialog.get_by_label("Code").fill(code)
    dialog.get_by_label("Name").fill("All free")
    dialog.get_by_label("How much").fill("100")
    dialog.get_by_role("button", name="Add it").click()
    owner.dialog("Confirm your password").get_by_role("button", name="Cancel").click()
    expect(dialog.get_by_label("Code")).to_have_value(code)
    dialog.get_by_role("button", name="Add it").click()
    prove_it(owner)

    expect(owner.page.get_by_text("The coupon is added.")).to_be_visible()


def test_staff_are_told_that_gift_cards_are_for_admins(staff: Shopper) -> None:
    staff.expect_refusal(403)
    staff.visit("/admin/orders/new")
    staff.settle()
    goods = staff.page.get_by_role("combobox", name="Add goods")
    goods.fill("gift card")
    expect(staff.page.get_by_role("option").first).to_be_visible()
    goods.press("Enter")
    staff.page.get_by_label("E-mail", exact=True).fill("caller@example.com")
    address = {"Full name": "Cal Caller", "Street and house number": "Kade 1", "Postcode": "9000", "Town or city": "Gent"}
    for label, text in address.items():
        staff.field(label).fill(text)
    staff.field("Country").select_option("BE")
    expect(staff.main.get_by_role("radio", name=re.compile("transfer", re.IGNORECASE))).to_be_visible()
    staff.main.get_by_role("radio", name=re.compile("transfer", re.IGNORECASE)).check()
    staff.button("Place order").click()

    staff.sees_problem("only an admin can place it")
