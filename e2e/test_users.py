"""The owner makes an account for staff, blocks somebody until tomorrow, and does things to many at once and takes them back."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect
from shop import Shop
from shopper import PASSWORD, Shopper, somebody
from test_accessibility import Inspector


def test_staff_are_invited_somebody_is_blocked_and_many_are_changed_at_once(new_shopper: Callable[..., Shopper], owned_shop: Shop, new_owner: Shopper) -> None:
    owner, helper = new_owner, new_shopper(at=owned_shop)
    sam, nora = somebody("sam"), helper.join("nora")
    inspector = Inspector(owner)
    owner.visit("/admin/users")
    owner.button("New account").click()
    asked = owner.dialog("New account")
    asked.get_by_label("Username").fill(sam.username)
    asked.get_by_label("E-mail").fill(sam.email)
    asked.get_by_label("Role").select_option("staff")
    inspector.look("an invitation")
    asked.get_by_role("button", name="Send the invitation").click()
    proof = owner.dialog("Confirm your password")
    proof.get_by_label("Your password").fill(PASSWORD)
    proof.get_by_role("button", name="Continue").click()
    expect(owner.main.get_by_role("row", name=sam.username)).to_contain_text("Staff")

    owner.visit(f"/admin/users?q={nora.username}")
    owner.link(nora.username).click()
    owner.field("For those who run the shop").fill("Rang twice")
    owner.button("Note it").click()
    owner.sees("Rang twice")
    owner.button("Block until …").click()
    asked = owner.dialog(re.compile("^Block "))
    asked.get_by_role("button", name="Block").click()
    expect(asked.get_by_text("Say why: the person is told.").first).to_be_visible()
    asked.get_by_label("Reason").fill("Parcels were refused")
    asked.get_by_role("button", name="Block").click()
    owner.sees(re.compile("Blocked until .*: Parcels were refused"))
    inspector.look("a customer who is blocked")
    helper.expect_refusal(401, 403)
    helper.sign_in(nora.username)
    helper.sees("The reason: Parcels were refused")

    text = owner.mail_to(sam.email, "Your place at").get_body(("plain",)).get_content()  # type: ignore[union-attr]
    path = re.search(r"/forgot-password\?\S+", str(text))
    assert path
    helper.visit(path[0])
    expect(helper.field("E-mail")).to_have_value(sam.email)
    helper.button("Send the code").click()
    helper.field("Code from the mail").fill(helper.code_from_mail(sam.email))
    helper.field("New password").fill(PASSWORD)
    helper.button("Set the password").click()
    helper.sees("Your new password is set")
    helper.sign_in(sam.username, at="/login")
    helper.expect_signed_in(sam)
    helper.visit("/admin/orders")
    expect(helper.main.get_by_role("heading", name="Orders", exact=True)).to_be_visible()

    lot = somebody("lot").username
    for name in (f"{lot}-1", f"{lot}-2"):
        owner.tell("/admin/users", username=name, email=f"{name}@example.com", role="customer")
    owner.visit(f"/admin/users?q={lot}&newsletter=no")
    owner.page.get_by_label("Choose all rows of this page").check()
    inspector.look("customers who are chosen")
    owner.button("Deactivate").click()
    expect(owner.main.get_by_role("cell", name="Deactivated", exact=True)).to_have_count(2)
    owner.page.get_by_role("button", name="Undo").click()
    expect(owner.page.get_by_text("Taken back.")).to_be_visible()
    expect(owner.main.get_by_role("cell", name="Deactivated", exact=True)).to_have_count(0)
    with owner.page.expect_download() as waiting:
        owner.button("Export").click()
    text = waiting.value.path().read_text(encoding="utf-8-sig")
    assert f"{lot}-2@example.com" in text and nora.email not in text
    assert inspector.found == []
