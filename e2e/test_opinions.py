"""What shoppers think of things, what they wish, and what they wait for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, expect
from shop import Shop
from shopper import Person, Shopper, somebody, until
from test_accessibility import Inspector

NewShopper = Callable[..., Shopper]


def reviews(shopper: Shopper) -> Locator:
    return shopper.main.get_by_role("region", name="Reviews")


def has_bought(shopper: Shopper, product: dict[str, Any]) -> None:
    shopper.has_in_cart(product)
    shopper.visit("/checkout")
    shopper.fill_address()
    shopper.choose_payment("Cash on delivery")
    shopper.place_order()


def write_review(shopper: Shopper, *, stars: int, title: str, body: str) -> None:
    shopper.button("Write a review").click()
    shopper.page.get_by_role("radio", name=re.compile(f"^{stars} star")).check()
    shopper.field("In a few words").fill(title)
    shopper.field("Your review").fill(body)
    shopper.button("Send the review").click()


def decide(staff: Shopper, title: str, status: str = "approved") -> None:
    """As the page of staff does it."""
    until(lambda: bool(staff.api("/admin/reviews", q=title)["items"]), staff.page)
    [review] = staff.api("/admin/reviews", q=title)["items"]
    answer = staff.context.request.patch(f"/api/v1/admin/reviews/{review['id']}", data={"status": status, "version": review["version"]})
    assert answer.ok, answer.text()


def staff_of(new_shopper: NewShopper, shop: Shop) -> Shopper:
    clerk = new_shopper(at=shop)
    shop.promote(clerk.join("clerk").username)
    return clerk


def heart(place: Locator | Shopper, product: dict[str, Any]) -> Locator:
    within = place.page.get_by_role("main") if isinstance(place, Shopper) else place
    return within.get_by_role("button", name=f"Keep {product['title']} in the wishlist").first


def wishes(shopper: Shopper) -> Locator:
    return shopper.main.get_by_role("listitem").filter(has=shopper.page.get_by_role("heading", level=3))


def test_a_buyer_reviews_staff_approve_and_everybody_reads_it(new_shopper: NewShopper, own_shop: Shop) -> None:
    buyer, guest, clerk = new_shopper(at=own_shop), new_shopper(at=own_shop), staff_of(new_shopper, own_shop)
    thing = buyer.something()
    title = f"Every morning, {somebody().username}"
    guest.open_product(thing)
    expect(reviews(guest).get_by_role("link", name="Sign in")).to_be_visible()
    buyer.join()
    buyer.open_product(thing)
    expect(reviews(buyer)).to_contain_text("Reviews come from those who bought this here.")

    has_bought(buyer, thing)
    buyer.open_product(thing)
    buyer.button("Write a review").click()
    buyer.button("Send the review").click()
    buyer.sees_problem("Choose from one to five stars.")
    buyer.button("Cancel").click()
    write_review(buyer, stars=4, title=title, body="It pours well.\nNothing drips.")
    expect(reviews(buyer)).to_contain_text("Thank you. Your review is shown once we have read it.")
    expect(reviews(buyer)).to_contain_text("Your review is with us.")

    guest.reload()
    expect(reviews(guest)).not_to_contain_text(title)
    decide(clerk, title)
    guest.reload()
    shown = reviews(guest).get_by_role("listitem").filter(has=guest.heading(title))
    expect(shown).to_contain_text("Nothing drips.")
    expect(shown).to_contain_text("Bought here")
    expect(shown.get_by_role("img", name="4 out of 5 stars")).to_be_visible()
    guest.main.get_by_role("link", name=re.compile(r"from \d+ review")).click()
    expect(guest.heading("Reviews")).to_be_in_viewport()


def test_a_review_is_changed_and_taken_back(new_shopper: NewShopper, own_shop: Shop) -> None:
    buyer, clerk = new_shopper(at=own_shop), staff_of(new_shopper, own_shop)
    thing = buyer.something()
    buyer.join()
    has_bought(buyer, thing)
    buyer.open_product(thing)
    title = somebody().username
    write_review(buyer, stars=2, title=title, body="Hm.")
    decide(clerk, title, "rejected")
    buyer.reload()
    expect(reviews(buyer)).to_contain_text("We could not show your review as it is.")

    buyer.button("Change it").click()
    expect(buyer.field("Your review")).to_have_value("Hm.")
    expect(buyer.page.get_by_role("radio", name="2 stars")).to_be_checked()
    buyer.page.keyboard.press("ArrowRight")
    buyer.field("Your review").fill("It grows on one.")
    buyer.button("Save the change").click()
    expect(reviews(buyer)).to_contain_text("Your review is with us.")
    expect(reviews(buyer).get_by_role("img", name="3 out of 5 stars").first).to_be_visible()

    buyer.button("Take it back").click()
    buyer.dialog("Take your review back?").get_by_role("button", name="Take it back").click()
    expect(reviews(buyer)).to_contain_text("Your review was taken back.")
    expect(buyer.button("Write a review")).to_be_visible()


def test_what_a_guest_wishes_is_there_after_signing_in(new_shopper: NewShopper, shopper: Shopper, alice: Person) -> None:
    mug, other = shopper.all_products()[:2]
    shopper.open_product(mug)
    expect(heart(shopper, mug)).to_have_attribute("aria-pressed", "false")
    heart(shopper, mug).focus()
    shopper.page.keyboard.press("Space")
    expect(heart(shopper, mug)).to_have_attribute("aria-pressed", "true")
    shopper.settle()
    shopper.visit("/wishlist")
    expect(wishes(shopper)).to_have_count(1)
    expect(heart(shopper, mug)).to_have_attribute("aria-pressed", "true")

    shopper.main.get_by_role("link", name="Sign in").click()
    shopper.sign_in(alice.username, at="/login")
    expect(shopper.page.get_by_role("heading", level=1, name="Wishlist")).to_be_visible()
    expect(shopper.main.get_by_role("link", name=mug["title"], exact=True)).to_be_visible()

    elsewhere = new_shopper()
    elsewhere.open_product(other)
    heart(elsewhere, other).click()
    elsewhere.settle()
    elsewhere.sign_in(alice.username)
    elsewhere.expect_signed_in(alice)
    elsewhere.visit("/wishlist")
    for one in (mug, other):
        expect(elsewhere.main.get_by_role("link", name=one["title"], exact=True)).to_be_visible()


def test_a_wish_is_taken_off_and_put_back(shopper: Shopper) -> None:
    thing = shopper.something()
    shopper.visit("/wishlist")
    expect(shopper.heading("Nothing here yet")).to_be_visible()
    shopper.open_product(thing)
    heart(shopper, thing).click()
    shopper.settle()
    shopper.visit("/wishlist")
    heart(shopper, thing).click()
    expect(shopper.heading("Nothing here yet")).to_be_visible()
    shopper.button("Undo").click()
    expect(wishes(shopper)).to_have_count(1)
    shopper.reload()
    expect(wishes(shopper)).to_have_count(1)


def test_whoever_waits_for_a_thing_asks_for_a_mail(shopper: Shopper) -> None:
    shopper.open_product(shopper.find_product(lambda product: not product["in_stock"]))
    shopper.button("Mail me").click()
    shopper.sees_problem("Enter your e-mail address.")
    shopper.field("Your e-mail address").fill(somebody().email)
    shopper.button("Mail me").click()
    shopper.sees("Noted. We write to you once, as soon as it is back.")


def test_the_cart_shows_what_goes_with_it(shopper: Shopper) -> None:
    thing = shopper.something()
    shopper.has_in_cart(thing)
    shopper.visit("/cart")
    row = shopper.main.get_by_role("region").filter(has=shopper.page.get_by_role("heading", level=2, name=re.compile("Goes well|Best-sellers|New in")))
    expect(row.get_by_role("listitem")).to_have_count(4)
    expect(row.get_by_role("link", name=thing["title"], exact=True)).to_have_count(0)
    adder = row.get_by_role("button", name=re.compile("^Add .* to the cart$")).first
    adder.click()
    shopper.expect_cart_count(2)
    expect(shopper.page.get_by_role("status").filter(has_text="Added to your cart.")).to_be_visible()


def test_reviews_and_wishes_are_accessible(new_shopper: NewShopper, own_shop: Shop) -> None:
    buyer, clerk = new_shopper(at=own_shop), staff_of(new_shopper, own_shop)
    inspector = Inspector(buyer)
    buyer.expect_refusal(422)
    thing = buyer.something()
    buyer.visit("/wishlist")
    inspector.look("empty wishlist")
    buyer.join()
    has_bought(buyer, thing)
    buyer.open_product(thing)
    buyer.button("Write a review").click()
    buyer.button("Send the review").click()
    buyer.sees_problem("Say it in a few words.")
    inspector.look("review with problems")
    buyer.button("Cancel").click()
    title = somebody().username
    write_review(buyer, stars=5, title=title, body="Just right.")
    expect(reviews(buyer)).to_contain_text("Your review is with us.")
    inspector.look("review sent")
    buyer.button("Take it back").click()
    inspector.look("asked whether to take it back")
    buyer.page.keyboard.press("Escape")
    decide(clerk, title)
    heart(buyer, thing).click()
    buyer.settle()
    buyer.reload()
    expect(buyer.heading(title)).to_be_visible()
    inspector.look("product with reviews")
    buyer.visit("/wishlist")
    expect(wishes(buyer)).to_have_count(1)
    inspector.look("wishlist")
    buyer.visit("/cart")
    inspector.look("cart with what goes with it")
    buyer.open_product(buyer.find_product(lambda product: not product["in_stock"]))
    buyer.button("Mail me").click()
    inspector.look("sold out, with a form")
    assert not inspector.found, "\n".join(inspector.found)
