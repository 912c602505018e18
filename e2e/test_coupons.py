"""A coupon, from the owner's table to the order, and the arithmetic that tells what it took off."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from playwright.sync_api import expect
from shop import Shop
from shopper import Shopper, euros, somebody

NewShopper = Callable[..., Shopper]


def test_a_coupon_is_taken_off_and_the_total_tells_so(new_shopper: NewShopper, owned_shop: Shop, owner: Shopper) -> None:
    code, shopper = f"TEN-{secrets.token_hex(3).upper()}", new_shopper(at=owned_shop)
    owner.tell("/admin/coupons", code=code, name="A tenth off", kind="percent", value=1000)
    thing = shopper.something()
    saved = (thing["price_minor"] * 2 + 5) // 10
    shopper.has_in_cart(thing, quantity=2)
    shopper.visit("/checkout")
    shopper.fill_address(email=somebody("guest").email)
    explained = shopper.main.get_by_role("group").filter(has_text="How this total is made up").filter(visible=True)
    explained.get_by_text("How this total is made up").press("Enter")
    shopper.main.get_by_text("Discount code", exact=True).click()
    field = shopper.field("Your code")

    field.fill("NO-SUCH-CODE")
    field.press("Enter")
    expect(field).to_have_accessible_description("This code is not valid, or not any more.")

    field.fill(code.lower())
    field.press("Enter")
    expect(field).to_have_accessible_description(f"{code} is taken off.")
    off = explained.get_by_role("listitem").filter(has_text=f"A tenth off ({code}), taken off the goods")
    expect(off).to_contain_text(f"−{euros(saved)}")
    expect(off).to_contain_text(f"makes {euros(thing['price_minor'] * 2 - saved)}")
    total = explained.get_by_role("listitem").filter(has_text="That is the total").inner_text()

    shopper.place_order()
    explained.get_by_text("How this total is made up").click()
    expect(off).to_contain_text(f"−{euros(saved)}")
    assert explained.get_by_role("listitem").filter(has_text="That is the total").inner_text() == total

    owner.visit(f"/admin/coupons?q={code}")
    expect(owner.main.get_by_role("row", name=re.compile(code))).to_be_visible()
