"""What people come for: finding things, the cart, ordering, and an account. Every test picks its goods from what the shop sells."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from shop import Shop
from shopper import PASSWORD, Person, Shopper, euros, somebody

NewShopper = Callable[..., Shopper]


# ---- ordering as a guest


def test_a_guest_finds_something_orders_it_and_gets_a_mail(shopper: Shopper) -> None:
    alice, thing = somebody(), shopper.something()

    shopper.visit("/")
    shopper.search(thing["title"])
    shopper.result(thing["title"]).click()
    drawer = shopper.add_to_cart()
    expect(drawer).to_contain_text(thing["title"])
    drawer.get_by_role("link", name="Go to checkout").click()
    shopper.fill_address(email=alice.email)
    shopper.choose_payment("Cash on delivery")
    number = shopper.place_order()

    shopper.sees(thing["title"], "Alice Marlow", "12 Orchard Lane", alice.email)
    shopper.expect_cart_count(0)
    mail = shopper.mail_to(alice.email, number)
    assert thing["title"] in mail.get_body(("plain",)).get_content()


def test_the_link_in_a_guests_mail_opens_the_order_in_any_browser(new_shopper: NewShopper) -> None:
    alice, buyer, elsewhere = somebody(), new_shopper(), new_shopper()
    number = buyer.buy(buyer.something(), alice.email)
    text = buyer.mail_to(alice.email, number).get_body(("plain",)).get_content()

    elsewhere.visit(re.search(r"https?://\S+(/orders/\S+)", text)[1])

    elsewhere.sees(number, alice.email)


def test_a_strangers_order_is_not_found_without_its_link(new_shopper: NewShopper) -> None:
    buyer, stranger = new_shopper(), new_shopper()
    number = buyer.buy(buyer.something(), somebody().email)

    stranger.expect_refusal(404)
    stranger.visit(f"/orders/{number}")

    stranger.sees("We do not find this order here")


def test_who_pays_by_transfer_is_told_where_to(shopper: Shopper) -> None:
    shopper.has_in_cart(shopper.something())

    number = shopper.check_out_as_guest(somebody().email, payment="Bank transfer")

    shopper.sees("Bank transfer", re.compile(number))
    shopper.sees(re.compile("as soon as the money is there", re.IGNORECASE))


def test_what_is_missing_at_checkout_is_said_beside_each_field_and_in_a_summary(shopper: Shopper) -> None:
    shopper.has_in_cart(shopper.something())
    shopper.visit("/checkout")
    shopper.fill_address(email="alice at example")
    shopper.field("Town or city").fill("")

    shopper.button("Place order").click()

    shopper.sees_problem("Enter the town or city.")
    shopper.link("Enter an e-mail address like name@example.com.").click()
    expect(shopper.field("E-mail")).to_be_focused()
    expect(shopper.field("E-mail")).to_have_value("alice at example")
    shopper.field("E-mail").fill(somebody().email)
    shopper.field("Town or city").fill("Hamburg")
    shopper.place_order()


def test_the_total_shown_before_is_the_total_of_the_order(shopper: Shopper) -> None:
    shopper.has_in_cart(shopper.something(), quantity=2)
    shopper.visit("/checkout")
    shopper.fill_address(email=somebody().email)
    shown = shopper.page.get_by_text("Total", exact=True).locator("visible=true").last.locator("xpath=following-sibling::*").inner_text()

    shopper.place_order()

    expect(shopper.main.locator("dl").filter(has_text="Total").last).to_contain_text(shown)


def test_a_double_click_on_place_order_makes_one_order(shopper: Shopper) -> None:
    asked: list[str] = []
    shopper.page.on("request", lambda request: asked.append(request.url) if request.method == "POST" and request.url.endswith("/orders") else None)
    alice = somebody()
    shopper.has_in_cart(shopper.something())
    shopper.visit("/checkout")
    shopper.fill_address(email=alice.email)

    shopper.button("Place order").dblclick()

    number = shopper.arrive_at_order()
    assert len(asked) == 1
    shopper.mail_to(alice.email, number)
    assert len(shopper.mails_to(alice.email)) == 1


def test_an_order_whose_answer_was_lost_is_found_again_instead_of_made_twice(shopper: Shopper) -> None:
    """The line breaks after the shop has taken the order; the shopper presses the button once more."""
    alice = somebody()
    shopper.has_in_cart(shopper.something())
    shopper.visit("/checkout")
    shopper.fill_address(email=alice.email)
    numbers = shopper.lose_the_answer_to_the_next_order()

    shopper.button("Place order").click()
    shopper.sees_problem("cannot be reached")
    number = shopper.place_order()

    assert numbers == [number]


def test_a_guest_changes_their_mind_and_cancels(shopper: Shopper) -> None:
    alice, thing = somebody(), shopper.something()
    before = shopper.stock_of(thing)
    number = shopper.buy(thing, alice.email)
    assert shopper.stock_of(thing) == before - 1

    shopper.button("Cancel order").click()
    shopper.dialog("Cancel this order?").get_by_role("button", name="Keep the order").click()
    expect(shopper.button("Cancel order")).to_be_visible()
    shopper.cancel_order()

    expect(shopper.button("Cancel order")).to_be_hidden()
    assert shopper.stock_of(thing) == before
    shopper.mail_to(alice.email, f"{number} is cancelled")


# ---- two who want the same


def test_of_two_browsers_racing_for_the_last_pieces_one_orders_and_one_is_told_what_is_gone(new_shopper: NewShopper) -> None:
    """Both want all that is left of the scarcest thing on sale; afterwards the winner cancels, so that it is on the shelf again."""
    racers = new_shopper(), new_shopper()
    last = racers[0].something_scarce()
    for racer in racers:
        racer.expect_refusal(409)
        racer.has_in_cart(last, quantity=last["stock"])
        racer.visit("/checkout")
        racer.fill_address(email=somebody().email)

    for let_go in [racer.hold_order() for racer in racers]:
        let_go()
    for racer in racers:
        expect(racer.heading("Thank you. Your order is placed.").or_(racer.main.get_by_role("alert")).first).to_be_visible()

    winner, loser = sorted(racers, key=lambda racer: "/orders/" not in racer.path)
    assert loser.path == "/checkout"
    assert winner.path.startswith("/orders/FC-")
    expect(loser.main.get_by_role("alert").first).to_contain_text(f"{last['title']} is sold out.")
    assert loser.page.evaluate("document.activeElement.closest('[role=alert]') !== null"), "the sentence should have the focus"
    assert winner.stock_of(last) == 0
    winner.cancel_order()


def test_a_price_that_changed_is_told_in_the_cart_and_agreed_to_before_the_order(new_shopper: NewShopper, own_shop: Shop) -> None:
    """Needs a shop whose database can be reached; the price is put right again."""
    shopper = new_shopper(at=own_shop)
    shopper.expect_refusal(409)
    thing = shopper.something()
    dearer, dearest = thing["price_minor"] + 100, thing["price_minor"] + 200
    shopper.has_in_cart(thing)

    own_shop.change_price(thing["id"], dearer)
    shopper.visit("/cart")
    shopper.sees(re.compile(f"The price changed from .*{euros(thing['price_minor'])[1:]} to .*{euros(dearer)[1:]}"))
    shopper.main.get_by_role("link", name="Go to checkout").click()
    shopper.fill_address(email=somebody().email)
    own_shop.change_price(thing["id"], dearest)
    shopper.button("Place order").click()

    shopper.sees_problem("The total changed from")
    shopper.place_order()
    shopper.sees(euros(dearest))
    own_shop.change_price(thing["id"], thing["price_minor"])


# ---- finding things


LATE_PAINTS = """
const paint = requestAnimationFrame;
let count = 0;
window.requestAnimationFrame = (draw) =>
  setTimeout(() => paint((now) => { draw(now); document.body.dataset.paints = ++count; }), 1000);
"""


def test_results_of_a_search_before_the_first_paint_are_not_replaced(shopper: Shopper) -> None:
    shopper.page.add_init_script(LATE_PAINTS)
    thing = shopper.something()
    shopper.visit("/")

    shopper.search(max(thing["title"].split(), key=len))

    # The list of the home page is drawn in a task of its own after the second paint.
    expect(shopper.page.locator("body[data-paints='2']")).to_be_attached()
    shopper.page.evaluate("new Promise((resume) => setTimeout(() => setTimeout(resume)))")
    shopper.settle()
    expect(shopper.result(thing["title"])).to_be_visible()


def test_a_search_stands_in_the_address_and_finds_words_of_the_title(shopper: Shopper) -> None:
    thing = shopper.something()
    word = max(thing["title"].split(), key=len)
    shopper.visit("/")

    shopper.search(word)

    expect(shopper.result(thing["title"])).to_be_visible()
    assert shopper.path == f"/?q={word}"
    expect(shopper.heading(word).first).to_be_visible()
    shopper.reload()
    expect(shopper.result(thing["title"])).to_be_visible()


def test_a_search_without_hits_says_so_and_leads_on(shopper: Shopper) -> None:
    shopper.visit("/")

    shopper.search("xylograph of nowhere")

    expect(shopper.heading("Nothing found for")).to_be_visible()
    shopper.link("See all products").click()
    expect(shopper.results.first).to_be_visible()


def test_a_category_shows_its_own_goods_and_how_many_there_are(shopper: Shopper) -> None:
    category = max(shopper.api("/categories")["items"], key=lambda one: one["product_count"])
    shopper.visit("/")

    shopper.main.get_by_role("link", name=category["name"]).first.click()

    expect(shopper.page.get_by_role("heading", level=1, name=category["name"])).to_be_visible()
    shopper.sees(re.compile(rf"^{category['product_count']} products?$"))
    assert shopper.path == f"/?category={category['slug']}"
    assert set(shopper.result_titles()) <= {product["title"] for product in shopper.all_products(category=category["slug"])}


def test_sorted_by_price_the_cheapest_comes_first_and_back_takes_the_order_back(shopper: Shopper) -> None:
    shopper.visit("/?sort=name")
    by_name = shopper.result_titles()

    shopper.field("Sort by").select_option("Price, low to high")
    shopper.page.wait_for_url("**/?sort=price_asc")

    expect(shopper.results.first).to_contain_text(shopper.api("/products", sort="price_asc", limit=1)["items"][0]["title"])
    shopper.go_back()
    expect(shopper.results.first).to_contain_text(by_name[0])
    assert shopper.result_titles() == by_name


def test_filters_stand_in_the_address_survive_a_reload_and_are_taken_off_one_by_one(shopper: Shopper) -> None:
    shopper.visit("/")
    shopper.main.get_by_text("Filter", exact=True).click()
    shopper.field("From").fill("20")
    shopper.field("To").fill("60")
    shopper.field("Only what is in stock").check()
    shopper.button("Show").click()

    shopper.page.wait_for_url("**/?*price_max=6000*")
    shopper.reload()

    wanted = shopper.api("/products", price_min=2000, price_max=6000, in_stock="true")["total"]
    shopper.sees(re.compile(rf"^{wanted} products?$"))
    shopper.main.get_by_role("link", name="From €20.00").click()
    expect(shopper.main.get_by_role("link", name="Up to €60.00")).to_be_visible()
    expect(shopper.main.get_by_role("link", name="From €20.00")).to_be_hidden()
    shopper.link("Clear all").click()
    shopper.sees(f"{shopper.api('/products')['total']} products")


def test_more_products_come_on_demand_until_all_are_there(shopper: Shopper) -> None:
    everything = [product["title"] for product in shopper.all_products(sort="name")]
    shopper.visit("/?sort=name")
    expect(shopper.results).to_have_count(24)

    while len(shopper.result_titles()) < min(len(everything), 120):
        shown = shopper.results.count()
        shopper.main.get_by_role("link", name="Show more").click()
        expect(shopper.results).to_have_count(min(shown + 24, len(everything)))

    assert shopper.result_titles() == everything[:120]


def test_back_from_a_product_shows_as_much_of_the_list_as_there_was(shopper: Shopper) -> None:
    shopper.visit("/?sort=name")
    shopper.main.get_by_role("link", name="Show more").click()
    expect(shopper.results).to_have_count(48)
    seen = shopper.results.nth(40)
    title = seen.get_by_role("heading").inner_text()

    shopper.result(title).click()
    expect(shopper.page.get_by_role("heading", level=1, name=title)).to_be_visible()
    shopper.go_back()

    expect(shopper.results).to_have_count(48)
    expect(shopper.result(title)).to_be_in_viewport()


def test_a_product_with_choices_keeps_the_choice_in_the_address_and_sells_just_that(shopper: Shopper) -> None:
    product = shopper.api(f"/products/{shopper.something_with_choices()['slug']}")
    wanted = next(variant for variant in reversed(product["variants"]) if variant["stock"])
    shopper.open_product(product)

    for name, value in wanted["options"].items():
        shopper.page.get_by_role("group", name=name).get_by_role("radio", name=re.compile(f"^{value}")).check(force=True)

    assert shopper.path == f"/products/{product['slug']}?variant={wanted['id']}"
    shopper.reload()
    for value in wanted["options"].values():
        expect(shopper.page.get_by_role("radio", name=re.compile(f"^{value}"))).to_be_checked()
    drawer = shopper.add_to_cart()
    for value in wanted["options"].values():
        expect(drawer).to_contain_text(value)


def test_what_is_sold_out_says_so_instead_of_doing_nothing(shopper: Shopper) -> None:
    shopper.open_product(shopper.find_product(lambda product: not product["in_stock"]))

    expect(shopper.main.get_by_role("status").filter(has_text="Out of stock")).to_be_visible()
    shopper.button("Out of stock").first.click(force=True)

    expect(shopper.main.get_by_role("status").filter(has_text="cannot be ordered")).to_be_visible()


def test_the_plus_on_a_card_puts_it_into_the_cart_at_once(shopper: Shopper) -> None:
    thing = shopper.something()
    shopper.visit(f"/?q={thing['title']}")

    shopper.button(f"Add {thing['title']} to the cart").click()

    expect(shopper.dialog("Added to your cart")).to_contain_text(thing["title"])
    shopper.expect_cart_count(1)


# ---- the cart


def test_the_cart_saves_a_changed_quantity_by_itself(shopper: Shopper) -> None:
    thing = shopper.something()
    shopper.has_in_cart(thing)
    shopper.visit("/cart")

    with shopper.expect_saved():
        shopper.button(f"One {thing['title']} more").click()
    shopper.expect_cart_count(2)
    with shopper.expect_saved():
        shopper.quantity_of(thing["title"]).fill("3")
        shopper.page.keyboard.press("Enter")

    shopper.expect_cart_count(3)
    shopper.reload()
    expect(shopper.quantity_of(thing["title"])).to_have_value("3")


def test_removing_can_be_undone(shopper: Shopper) -> None:
    thing = shopper.something()
    shopper.has_in_cart(thing, quantity=2)
    shopper.visit("/cart")

    shopper.button(f"Remove {thing['title']}").click()
    shopper.sees("There is nothing in it yet")
    shopper.expect_cart_count(0)
    shopper.button("Undo").click()

    expect(shopper.quantity_of(thing["title"])).to_have_value("2")
    shopper.expect_cart_count(2)


def test_a_quantity_of_nought_removes_the_line(shopper: Shopper) -> None:
    thing = shopper.something()
    shopper.has_in_cart(thing)
    shopper.visit("/cart")

    shopper.quantity_of(thing["title"]).fill("0")
    shopper.page.keyboard.press("Enter")

    shopper.sees("There is nothing in it yet")


def test_more_than_there_is_gives_a_sentence_and_the_quantity_that_was(shopper: Shopper) -> None:
    """Somebody else takes the last pieces into their order while this shopper still sees them."""
    scarce = shopper.something_scarce()
    shopper.expect_refusal(409)
    shopper.has_in_cart(scarce, quantity=scarce["stock"])
    shopper.open_product(scarce)

    shopper.button("Add to cart").first.click()

    alert = shopper.main.get_by_role("alert")
    expect(alert).to_contain_text(scarce["title"])
    expect(alert).to_contain_text(f"only {scarce['stock']} left")


def test_what_was_bought_away_meanwhile_is_told_in_the_cart_and_holds_up_the_checkout(new_shopper: NewShopper) -> None:
    """Afterwards the quicker one cancels, so that it is on the shelf again."""
    slow, quick = new_shopper(), new_shopper()
    scarce = slow.something_scarce()
    slow.has_in_cart(scarce, quantity=scarce["stock"])
    quick.has_in_cart(scarce, quantity=scarce["stock"])
    quick.check_out_as_guest(somebody().email)

    slow.visit("/cart")
    slow.sees("This has sold out. Please remove it.")
    slow.visit("/checkout")
    slow.sees(f"{scarce['title']} is sold out.")

    quick.cancel_order()


def test_the_drawer_shows_the_cart_on_every_page(shopper: Shopper) -> None:
    thing = shopper.something()
    shopper.has_in_cart(thing)
    shopper.visit("/?sort=name")

    shopper.page.get_by_role("banner").get_by_role("link", name=re.compile("^Cart")).click()

    drawer = shopper.dialog("Your cart")
    expect(drawer).to_contain_text(thing["title"])
    drawer.get_by_role("button", name=f"Remove {thing['title']}").click()
    expect(drawer).to_contain_text("There is nothing in it yet")
    shopper.page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()


# ---- the account


def test_somebody_registers_with_the_code_from_the_mail_buys_and_finds_the_order_again(shopper: Shopper) -> None:
    thing = shopper.something()
    alice = shopper.register()
    shopper.has_in_cart(thing)
    shopper.visit("/checkout")
    shopper.sees(f"Signed in as {alice.username}")
    expect(shopper.field("E-mail")).to_be_hidden()
    shopper.fill_address()
    number = shopper.place_order()

    shopper.visit("/orders")
    shopper.sees(number)
    shopper.link(thing["title"]).click()

    shopper.page.wait_for_url(f"**/orders/{number}")
    shopper.sees(number, thing["title"], alice.email)


def test_the_mail_tells_an_owner_of_an_address_that_somebody_tried_to_register_it_and_the_page_does_not(shopper: Shopper, alice: Person) -> None:
    shopper.begin_to_register(Person(somebody("mallory").username, alice.email))

    assert alice.username in shopper.mail_to(alice.email, "already have an account").get_body(("plain",)).get_content()


def test_a_wrong_code_is_refused_beside_its_field_and_the_right_one_still_works(shopper: Shopper) -> None:
    shopper.expect_refusal(422)
    alice = somebody()
    shopper.begin_to_register(alice)
    code = shopper.code_from_mail(alice.email)

    shopper.enter_code("000000" if code != "000000" else "111111")
    expect(shopper.field("Code from the mail")).to_have_attribute("aria-invalid", "true")
    shopper.enter_code(f" {code[:3]} {code[3:]} ")

    shopper.expect_signed_in(alice)


def test_a_guessable_password_and_a_taken_name_are_refused_with_the_reason(shopper: Shopper, alice: Person) -> None:
    shopper.expect_refusal(422)
    shopper.visit("/register")
    shopper.field("Username").fill(alice.username.upper())
    shopper.field("E-mail").fill(somebody().email)
    shopper.field("Password").fill("password123")

    shopper.button("Continue").click()
    shopper.sees_problem("This username is taken.")
    shopper.field("Username").fill(somebody().username)
    shopper.button("Continue").click()

    expect(shopper.field("Password")).to_have_attribute("aria-invalid", "true")
    expect(shopper.field("Password")).to_have_accessible_description(re.compile("uncommon words"))


@pytest.mark.parametrize("identifier", ["username", "email"])
def test_signing_in_by_username_or_by_email_leads_to_where_one_wanted(shopper: Shopper, alice: Person, identifier: str) -> None:
    thing = shopper.something()
    shopper.has_in_cart(thing)

    shopper.visit("/checkout")
    shopper.main.get_by_role("link", name="Sign in").click()
    shopper.sign_in(getattr(alice, identifier))

    shopper.page.wait_for_url("**/checkout")
    shopper.sees(f"Signed in as {alice.username}", thing["title"])


def test_a_wrong_password_and_an_unknown_name_get_the_same_words(shopper: Shopper, alice: Person) -> None:
    shopper.expect_refusal(401)

    for name, password in ((alice.username, "maple-lantern-07"), (somebody("nobody").username, PASSWORD)):
        shopper.visit("/login")
        shopper.sign_in(name, password)
        shopper.sees_problem("This name and password do not belong together.")
    shopper.expect_signed_out()


def test_who_signs_out_is_out_in_every_tab_and_leaves_nothing_to_see_on_the_way_back(shopper: Shopper) -> None:
    shopper.expect_refusal(401)
    shopper.join()
    shopper.has_in_cart(shopper.something())
    shopper.visit("/cart")
    shopper.expect_cart_count(1)

    shopper.sign_out()

    shopper.expect_cart_count(0)
    shopper.go_back()
    shopper.expect_signed_out()
    shopper.is_sent_to_sign_in()  # by the account's page, which is nobody's now
    shopper.visit("/orders")
    expect(shopper.main.get_by_role("link", name="Sign in").or_(shopper.heading("Sign in"))).to_be_visible()


def test_a_forgotten_password_is_replaced_with_the_code_from_the_mail_and_ends_every_session(new_shopper: NewShopper) -> None:
    at_home, elsewhere = new_shopper(), new_shopper()
    alice = elsewhere.join()
    at_home.expect_refusal(401)

    at_home.visit("/login")
    at_home.link("Forgot your password?").click()
    at_home.field("E-mail").fill(alice.email)
    at_home.button("Send the code").click()
    at_home.field("Code from the mail").fill(at_home.code_from_mail(alice.email, "is your code for a new password"))
    at_home.field("New password").fill("copper-meadow-84")
    at_home.button("Set the password").click()

    at_home.sees("Your new password is set.")
    at_home.sign_in(alice.email, PASSWORD)
    at_home.sees_problem("do not belong together")
    at_home.sign_in(alice.email, "copper-meadow-84")
    at_home.expect_signed_in(alice)
    elsewhere.visit("/")
    elsewhere.expect_signed_out()


def test_asking_for_a_new_password_never_tells_whether_an_address_is_known(shopper: Shopper) -> None:
    shopper.visit("/forgot-password")
    shopper.field("E-mail").fill(somebody("nobody").email)

    shopper.button("Send the code").click()

    expect(shopper.heading("Set a new password")).to_be_visible()
    shopper.sees(re.compile("If .* has an account here, a mail with a code is on its way"))
