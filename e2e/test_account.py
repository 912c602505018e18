"""The sections of an account: profile, addresses, security, privacy. Every person is somebody nobody met before."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pyotp
import pytest
from PIL import Image
from playwright.sync_api import Locator, Route, expect
from shopper import PASSWORD, Person, Shopper, somebody, until
from test_accessibility import Inspector

NewShopper = Callable[..., Shopper]
SECTIONS = ("profile", "addresses", "security", "privacy")
NEW_PASSWORD = "copper-lantern-84"


@pytest.fixture
def newcomer(shopper: Shopper) -> Person:
    """Whose account is hers to change."""
    return shopper.join()


def picture(width: int, height: int, kind: str = "PNG") -> dict[str, object]:
    made = io.BytesIO()
    Image.new("RGB", (width, height), (30, 120, 90)).save(made, kind)
    return {"name": f"me.{kind.lower()}", "mimeType": f"image/{kind.lower()}", "buffer": made.getvalue()}


def fill_address(shopper: Shopper, *, label: str, street: str = "12 Orchard Lane") -> None:
    shopper.fill_address()
    shopper.field("Street and house number").fill(street)
    shopper.field("What you call it (optional)").fill(label)


def add_address(shopper: Shopper, label: str) -> None:
    shopper.button("Add an address").click()
    fill_address(shopper, label=label)
    shopper.button("Save the address").click()
    expect(shopper.heading(label)).to_be_visible()


def address_of(shopper: Shopper, label: str) -> Locator:
    return shopper.main.get_by_role("listitem").filter(has=shopper.page.get_by_role("heading", name=label, exact=True))


def switch_two_step_on(shopper: Shopper) -> tuple[pyotp.TOTP, list[str]]:
    """Gives what makes the codes, and the recovery codes."""
    shopper.visit("/account/security")
    shopper.expect_refusal(403)
    shopper.button("Set it up").click()
    prove_it(shopper)
    app = pyotp.parse_uri(shopper.link("open it in the app").get_attribute("href") or "")
    assert isinstance(app, pyotp.TOTP)
    # A code counts once, and signing in must have another one.
    shopper.field("Code from the app").fill(app.at(_now(shopper) - 30))
    shopper.button("Turn on").click()
    shown = shopper.page.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    expect(shown).to_have_count(10)
    return app, shown.all_inner_texts()


def prove_it(shopper: Shopper, *, code: str = "", password: str = PASSWORD) -> None:
    """Answer the dialog that asks for the password, or for a code where two-step sign-in is on."""
    dialog = shopper.dialog("Confirm it’s you" if code else "Confirm your password")
    dialog.get_by_label("Code from your authenticator app" if code else "Your password").fill(code or password)
    dialog.get_by_role("button", name="Continue").click()


def _now(shopper: Shopper) -> int:
    return int(shopper.page.evaluate("Date.now() / 1000"))


# ---- going about


def test_who_is_not_signed_in_is_asked_to_and_comes_back(shopper: Shopper, alice: Person) -> None:
    for name in SECTIONS:
        shopper.visit(f"/account/{name}")
        expect(shopper.heading("Sign in")).to_be_visible()
        assert shopper.path == f"/login?next=%2Faccount%2F{name}"
    shopper.sign_in(alice.username)
    shopper.page.wait_for_url(f"**/account/{SECTIONS[-1]}")


def test_the_sections_are_linked_and_tell_which_one_it_is(member: Shopper) -> None:
    member.visit("/account")
    ways = member.page.get_by_role("navigation", name="Your account")
    for name in ("Profile", "Addresses", "Security", "Privacy", "Overview"):
        ways.get_by_role("link", name=name).click()
        expect(ways.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")
        expect(ways.locator("[aria-current]")).to_have_count(1)
        member.settle()


def test_the_sections_survive_a_broken_line_small_screens_and_large_text(member: Shopper) -> None:
    member.expect_failures()
    for name in SECTIONS:
        broken = "**/api/v1/auth/session" if name == "privacy" else "**/api/v1/me**"
        member.page.route(broken, lambda route: route.abort("connectionreset"))
        member.visit(f"/account/{name}")
        again = member.button("Try again")
        expect(again.first).to_be_visible()
        member.settle()
        member.page.unroute(broken)
        for left in reversed(range(again.count())):
            again.first.click()
            expect(again).to_have_count(left)
        member.settle()
        for width, font_size in ((320, 16), (390, 32), (1280, 32), (1280, 16)):
            member.resize(width, font_size=font_size)
            assert member.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width, font_size)


def test_what_was_left_signed_in_is_not_shown_by_back(member: Shopper) -> None:
    member.visit("/account/profile")
    expect(member.field("Phone (optional)")).to_be_visible()
    member.visit("/cart")
    member.context.clear_cookies()
    member.go_back()

    expect(member.heading("Sign in")).to_be_visible()


# ---- profile


def test_a_name_is_kept_and_greets_in_the_header(shopper: Shopper, newcomer: Person) -> None:
    shopper.visit("/account/profile")
    shopper.field("First name (optional)").fill("Alice")
    shopper.field("Phone (optional)").fill("+49 40 123456")
    shopper.page.get_by_role("checkbox", name=re.compile("newsletter")).check()
    shopper.button("Save").click()

    expect(shopper.page.get_by_text("Your profile is saved.")).to_be_visible()
    expect(shopper.page.get_by_role("banner").get_by_role("link", name="Account of Alice")).to_be_visible()
    shopper.reload()
    expect(shopper.field("First name (optional)")).to_have_value("Alice")
    expect(shopper.page.get_by_role("checkbox", name=re.compile("newsletter"))).to_be_checked()
    shopper.field("First name (optional)").fill("")
    shopper.button("Save").click()
    expect(shopper.page.get_by_role("banner").get_by_role("link", name=f"Account of {newcomer.username}")).to_be_visible()
    assert shopper.api("/me")["phone"] == "+49 40 123456"


def test_a_picture_is_seen_before_it_is_saved_can_go_again_and_can_be_dropped_there(shopper: Shopper, newcomer: Person) -> None:
    shopper.visit("/account/profile")
    choose(shopper, picture(600, 300))
    shopper.sees("This is how it will look. It is not saved yet.")
    assert shopper.api("/me")["avatar"] is None

    shopper.button("Save the picture").click()

    expect(shopper.button("Remove the picture")).to_be_visible()
    saved = shopper.api("/me")["avatar"]
    assert saved["width"] == saved["height"]
    shopper.visit("/account")
    expect(shopper.main.locator(f"img[src='{saved['src']}']")).to_be_visible()
    shopper.visit("/account/profile")
    shopper.button("Remove the picture").click()
    expect(shopper.page.get_by_text("Your picture is removed.")).to_be_visible()
    assert shopper.api("/me")["avatar"] is None
    drop(shopper, picture(40, 40))
    expect(shopper.button("Save the picture")).to_be_visible()


def choose(shopper: Shopper, file: dict[str, object]) -> None:
    """A file can be put into a field that nobody sees yet; people wait for it."""
    expect(shopper.page.get_by_role("region", name="Picture")).to_be_visible()
    shopper.field("Choose a picture").set_input_files([file])  # type: ignore[list-item]


def drop(shopper: Shopper, file: dict[str, object]) -> None:
    """Bring the file with the mouse."""
    target = shopper.page.locator("[data-drop]")
    files = shopper.page.evaluate_handle(
        """content => {
          const files = new DataTransfer();
          files.items.add(new File([new Uint8Array(content)], "me.png", {type: "image/png"}));
          return files;
        }""",
        list(file["buffer"]),  # type: ignore[call-overload]
    )
    target.dispatch_event("dragover", {"dataTransfer": files})
    target.dispatch_event("drop", {"dataTransfer": files})


def test_what_is_no_picture_for_us_is_refused_before_it_is_sent_and_what_only_looks_like_one_afterwards(member: Shopper) -> None:
    member.expect_refusal(415, 422)
    member.visit("/account/profile")
    for file, words in (
        ({"name": "a.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"}, "as JPEG, PNG or WebP"),
        ({"name": "a.png", "mimeType": "image/png", "buffer": bytes(6 * 1024 * 1024)}, "at most 5 MB"),
    ):
        choose(member, file)
        member.sees_problem(words)
        expect(member.button("Save the picture")).to_be_hidden()

    choose(member, {"name": "a.png", "mimeType": "image/png", "buffer": b"<html>"})
    member.button("Save the picture").click()
    member.sees_problem("JPEG, PNG or WebP")


def test_an_address_for_mail_changes_with_the_code_that_was_sent_there(shopper: Shopper, newcomer: Person) -> None:
    shopper.expect_refusal(403, 422)
    new = somebody().email
    shopper.visit("/account/profile")
    shopper.field("New e-mail address").fill(new)
    shopper.button("Send the code").click()
    prove_it(shopper, password="not-my-password")
    shopper.sees_problem("This is not your password.")
    prove_it(shopper)
    shopper.sees(new)
    shopper.reload()
    shopper.field("Code from the mail").fill("000000")
    shopper.button("Change the address").click()
    shopper.sees_problem("This code is not right")

    shopper.field("Code from the mail").fill(shopper.code_from_mail(new, ""))
    shopper.button("Change the address").click()

    expect(shopper.page.get_by_text(f"Your e-mail address is now {new}.")).to_be_visible()
    assert shopper.api("/me")["email"] == new
    assert shopper.mails_to(newcomer.email)


# ---- addresses


def test_addresses_are_added_changed_put_first_deleted_and_put_back(shopper: Shopper, newcomer: Person) -> None:
    shopper.visit("/account/addresses")
    shopper.sees("No addresses yet")
    add_address(shopper, "Home")
    add_address(shopper, "Work")
    expect(address_of(shopper, "Home")).to_contain_text("Offered first")

    address_of(shopper, "Work").get_by_role("button", name="Offer first").click()
    expect(address_of(shopper, "Work")).to_contain_text("Offered first")
    address_of(shopper, "Home").get_by_role("button", name="Edit").click()
    expect(shopper.field("Full name")).to_have_value("Alice Marlow")
    shopper.field("Street and house number").fill("5 Mill Road")
    shopper.button("Save the address").click()
    expect(address_of(shopper, "Home")).to_contain_text("5 Mill Road")
    address_of(shopper, "Home").get_by_role("button", name="Delete").click()
    expect(address_of(shopper, "Home")).to_have_count(0)
    shopper.button("Undo").click()

    expect(address_of(shopper, "Home")).to_contain_text("5 Mill Road")
    assert [(one["label"], one["is_default"]) for one in shopper.api("/me/addresses")["items"]] == [("Work", True), ("Home", False)]


def test_what_an_address_lacks_is_said_beside_the_fields(member: Shopper) -> None:
    member.visit("/account/addresses")
    member.button("Add an address").click()
    member.button("Save the address").click()

    member.sees_problem("Enter the street and house number.")
    expect(member.field("Postcode")).to_have_attribute("aria-invalid", "true")
    member.button("Cancel").click()
    expect(member.button("Add an address")).to_be_focused()


def test_what_was_typed_is_kept_when_the_session_ended_meanwhile(shopper: Shopper, newcomer: Person) -> None:
    shopper.expect_refusal(401)
    shopper.visit("/account/addresses")
    shopper.button("Add an address").click()
    fill_address(shopper, label="Attic")
    shopper.context.clear_cookies()
    shopper.button("Save the address").click()
    expect(shopper.heading("Sign in")).to_be_visible()
    shopper.sign_in(newcomer.username)

    expect(shopper.field("Street and house number")).to_have_value("12 Orchard Lane")
    shopper.button("Save the address").click()
    expect(address_of(shopper, "Attic")).to_be_visible()


# ---- security


def test_a_new_password_signs_the_other_devices_out(new_shopper: NewShopper) -> None:
    here, there = new_shopper(), new_shopper()
    here.expect_refusal(422)
    alice = here.join()
    there.come_back(alice)
    here.visit("/account/security")
    here.field("Present password").fill("not-my-password")
    here.field("New password").fill(NEW_PASSWORD)
    here.button("Change the password").click()
    here.sees_problem("This is not your password.")
    here.field("Present password").fill(PASSWORD)
    here.field("New password").fill("password1")
    here.button("Change the password").click()
    expect(here.field("New password")).to_have_attribute("aria-invalid", "true")

    here.field("New password").fill(NEW_PASSWORD)
    here.button("Change the password").click()

    here.sees(re.compile("Your new password is set"), "You are signed in nowhere else.")
    there.visit("/account/security")
    there.is_sent_to_sign_in()
    there.sign_in(alice.username, NEW_PASSWORD)
    there.sees("Where you are signed in")


def test_devices_are_listed_in_plain_words_and_ended_one_by_one_or_all_at_once(new_shopper: NewShopper) -> None:
    here, there, elsewhere = new_shopper(), new_shopper(), new_shopper()
    alice = here.join()
    there.come_back(alice)
    there.visit("/")
    there.expect_signed_in(alice)
    here.visit("/account/security")
    devices = here.main.get_by_role("listitem").filter(has_text="Signed in")
    expect(devices).to_have_count(2)
    expect(devices.filter(has_text="This one")).to_have_count(1)
    expect(devices.filter(has_text="Last seen just now")).to_have_count(1)
    expect(devices.first).to_contain_text(re.compile(r"Chrome( on \w+)?"))

    here.expect_refusal(403)
    devices.filter(has_text="Last seen").get_by_role("button", name=re.compile("^Sign out")).click()
    prove_it(here)

    here.sees("You are signed in nowhere else.")
    there.reload()
    there.expect_signed_out()

    for other in (there, elsewhere):
        other.come_back(alice)
    here.reload()
    expect(devices).to_have_count(3)
    here.button("Sign out everywhere else").click()

    here.sees("You are signed in nowhere else.")
    for other in (there, elsewhere):
        other.visit("/account")
        expect(other.heading("Sign in")).to_be_visible()


def test_two_step_sign_in_asks_for_a_code_or_a_recovery_code_once(new_shopper: NewShopper) -> None:
    here, there = new_shopper(), new_shopper()
    there.expect_refusal(401)
    alice = here.join()
    app, recovery = switch_two_step_on(here)
    here.button("I have saved them").click()
    here.sees("10 recovery codes left")

    there.visit("/login?next=/account/security")
    there.sign_in(alice.username)
    code = there.field("Code from your app, or a recovery code")
    expect(code).to_be_focused()
    code.fill("000000")
    there.main.get_by_role("button", name="Sign in").click()
    there.sees_problem("This code is not right")
    code.fill(app.at(_now(there)))
    there.main.get_by_role("button", name="Sign in").click()
    there.sees("10 recovery codes left")
    there.sign_out()
    there.visit("/login?next=/account/security")
    there.sign_in(alice.username)
    code.fill(recovery[0].lower())
    there.main.get_by_role("button", name="Sign in").click()
    there.sees("9 recovery codes left")
    there.sign_out()
    there.visit("/login")
    there.sign_in(alice.username)
    code.fill(recovery[0])
    there.main.get_by_role("button", name="Sign in").click()
    there.sees_problem("was used before")


def test_recovery_codes_can_be_downloaded_and_two_step_sign_in_switched_off(shopper: Shopper, newcomer: Person) -> None:
    shopper.expect_refusal(403, 422)
    _, recovery = switch_two_step_on(shopper)
    with shopper.page.expect_download() as saved:
        shopper.button("Download").click()
    text = Path(saved.value.path()).read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if "-" in line and " " not in line] == recovery
    shopper.button("I have saved them").click()

    shopper.button("Turn off").click()
    shopper.dialog("Turn off two-step sign-in?").get_by_role("button", name="Turn off").click()
    prove_it(shopper, code="000000")
    shopper.sees_problem("This code is not right")
    prove_it(shopper, code=recovery[0])

    expect(shopper.button("Set it up")).to_be_visible()
    assert shopper.api("/me/totp")["enabled"] is False


def test_with_two_step_sign_in_on_a_code_is_asked_for_and_never_the_password(new_shopper: NewShopper) -> None:
    here, there = new_shopper(), new_shopper()
    alice = here.join()
    there.come_back(alice)
    app, recovery = switch_two_step_on(here)
    here.sees("All other devices have been signed out.")
    there.visit("/account")
    expect(there.heading("Sign in")).to_be_visible()
    here.button("I have saved them").click()

    here.field("Present password").fill(PASSWORD)
    here.field("New password").fill(NEW_PASSWORD)
    here.button("Change the password").click()
    expect(here.dialog("Confirm it’s you").get_by_label("Your password")).to_have_count(0)
    here.dialog("Confirm it’s you").get_by_role("button", name="Cancel").click()
    expect(here.field("New password")).to_have_value(NEW_PASSWORD)
    here.button("Change the password").click()
    prove_it(here, code=app.at(_now(here)))
    here.sees("Your new password is set.")

    here.button("Create new recovery codes").click()
    prove_it(here, code=recovery[1])
    expect(here.page.get_by_role("list", name="Recovery codes").get_by_role("listitem")).to_have_count(10)
    renewed = here.page.get_by_role("list", name="Recovery codes").get_by_role("listitem").all_inner_texts()
    assert not set(renewed) & set(recovery)
    here.button("I have saved them").click()
    here.sees("10 recovery codes left")


def test_the_dialog_that_asks_for_a_code_is_accessible_on_a_phone(shopper: Shopper, newcomer: Person) -> None:
    switch_two_step_on(shopper)
    shopper.button("I have saved them").click()
    inspector = Inspector(shopper)
    for width in (320, 390, 1280):
        shopper.resize(width)
        shopper.button("Create new recovery codes").click()
        dialog = shopper.dialog("Confirm it’s you")
        expect(dialog.get_by_label("Code from your authenticator app")).to_be_focused()
        assert shopper.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        inspector.look("the dialog that asks for a code", widths=(width,), settled=False)
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_have_count(0)
    assert not inspector.found, "\n".join(inspector.found)


# ---- privacy


def test_the_data_comes_along_as_a_file_once_the_password_is_given_again(shopper: Shopper, newcomer: Person) -> None:
    """Stands in for the shop's answer after a while, which no test can wait for."""
    shopper.expect_refusal(403, 422)

    def refuse(route: Route) -> None:
        body = {"code": "step_up_needed", "title": "Not allowed", "detail": "Please confirm that it is you.", "errors": {}}
        route.fulfill(status=403, content_type="application/problem+json", body=json.dumps(body))

    shopper.page.route("**/api/v1/me/export", refuse, times=1)
    shopper.visit("/account/privacy")
    shopper.button("Download your data").click()
    dialog = shopper.dialog("Confirm your password")
    dialog.get_by_label("Your password").fill("not-my-password")
    dialog.get_by_role("button", name="Continue").click()
    shopper.sees_problem("This is not your password.")
    dialog.get_by_label("Your password").fill(PASSWORD)
    with shopper.page.expect_download() as saved:
        dialog.get_by_role("button", name="Continue").click()
    shopper.sees(re.compile("among your downloads"))
    assert saved.value.suggested_filename == "my-data.json"
    assert json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))["account"]["email"] == newcomer.email


def test_an_account_is_erased_by_name_and_password_only(shopper: Shopper, newcomer: Person) -> None:
    shopper.expect_refusal(422, 401)
    shopper.visit("/account/privacy")
    shopper.button("Erase the account").click()
    dialog = shopper.dialog("Erase your account?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(shopper.button("Erase the account")).to_be_focused()
    shopper.button("Erase the account").click()
    dialog.get_by_label(f"Type {newcomer.username} to go on").fill("alice")
    dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Erase it for good").click()
    shopper.sees_problem(f"This is not {newcomer.username}.")
    dialog.get_by_label(f"Type {newcomer.username} to go on").fill(newcomer.username)
    dialog.get_by_role("button", name="Erase it for good").click()

    until(lambda: shopper.path == "/", shopper.page)
    shopper.expect_signed_out()
    shopper.visit("/login")
    shopper.sign_in(newcomer.username)
    shopper.sees_problem("do not belong together")


# ---- for everybody


def test_the_sections_are_accessible(shopper: Shopper, newcomer: Person) -> None:
    inspector = Inspector(shopper)
    for name in SECTIONS:
        shopper.visit(f"/account/{name}")
        inspector.look(name)
    shopper.button("Erase the account").click()
    inspector.look("asked whether to erase")
    shopper.visit("/account/addresses")
    shopper.button("Add an address").click()
    shopper.button("Save the address").click()
    inspector.look("an address with problems")
    fill_address(shopper, label="Home")
    shopper.button("Save the address").click()
    inspector.look("a saved address")
    shopper.visit("/account/security")
    shopper.expect_refusal(403)
    shopper.button("Set it up").click()
    inspector.look("asked for the password", settled=False)
    prove_it(shopper)
    expect(shopper.field("Code from the app")).to_be_visible()
    inspector.look("setting up two-step sign-in")
    assert not inspector.found, "\n".join(inspector.found)


# ---- at the checkout


def test_the_checkout_begins_with_the_address_that_is_offered_first_and_takes_another_one(shopper: Shopper, newcomer: Person) -> None:
    shopper.visit("/account/addresses")
    add_address(shopper, "Home")
    add_address(shopper, "Work")
    shopper.has_in_cart(shopper.something())
    shopper.visit("/checkout")
    saved = shopper.page.get_by_role("radio", name=re.compile("^Home"))
    expect(saved).to_be_checked()
    expect(shopper.field("Postcode")).to_be_hidden()
    shopper.place_order()
    shopper.sees("12 Orchard Lane")

    shopper.has_in_cart(shopper.something())
    shopper.visit("/checkout")
    shopper.page.get_by_role("radio", name="Another address").check()
    shopper.button("Place order").click()
    shopper.sees_problem("Enter the postcode.")
    shopper.fill_address()
    shopper.field("Street and house number").fill("7 Ferry Lane")
    shopper.reload()
    expect(shopper.field("Street and house number")).to_have_value("7 Ferry Lane")
    shopper.place_order()
    shopper.sees("7 Ferry Lane")
