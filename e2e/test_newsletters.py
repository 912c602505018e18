"""A newsletter, from three who sign up for it to one who leaves by it."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect
from shop import Shop
from shopper import Shopper, somebody
from test_accessibility import Inspector

NewShopper = Callable[..., Shopper]


def link_in(shopper: Shopper, email: str, about: str) -> str:
    """Where the newsletter's link in the latest mail about something leads."""
    text = str(shopper.mail_to(email, about).get_body(("plain",)).get_content())  # type: ignore[union-attr]
    found = re.search(r"/newsletter/\w+\?token=\S+", text)
    assert found, text
    return found[0]


def test_a_newsletter_reaches_three_readers_and_one_leaves_by_it(new_shopper: NewShopper, owned_shop: Shop, new_owner: Shopper) -> None:
    reader, owner = new_shopper(at=owned_shop), new_owner
    emails = [somebody(name).email for name in ("nora", "omar", "petra")]
    subject = f"Wool for {emails[0].partition('@')[0]}"
    reader.expect_refusal(404)
    seen_by_reader = Inspector(reader)
    reader.visit("/contact")
    reader.button("Sign up").click()
    reader.sees_problem("Enter your e-mail address.")
    seen_by_reader.look("the sign-up with a problem")
    for email in emails:
        reader.visit("/contact")
        reader.field("Our newsletter, now and then").fill(email)
        reader.button("Sign up").click()
        expect(reader.page.get_by_text("Please look into your mailbox")).to_be_visible()
        reader.visit(link_in(reader, email, "Do you want our newsletter?"))
        reader.button("Yes, send me the newsletter").click()
        expect(reader.heading("You are on the list")).to_be_focused()
    reader.reload()
    reader.button("Yes, send me the newsletter").click()
    reader.sees("This link was used already")
    seen_by_reader.look("a confirmation that was used")

    at_the_desk = Inspector(owner)
    owner.visit("/admin/newsletters/new")
    owner.field("Subject").fill(subject)
    owner.field("What it says").fill("It is **here**.\n\n- blankets\n- socks\n\n[Have a look](/?q=wool)")
    owner.page.keyboard.press("Control+Enter")
    expect(owner.page.frame_locator("iframe").get_by_text("blankets", exact=True)).to_be_visible()
    at_the_desk.look("a draft")
    owner.field("What it says").press_sequentially(" today")
    owner.sees("Unsaved changes")
    owner.button("Send me a test").click()
    assert "Each reader finds a link here" in str(owner.mail_to("ada@example.com", f"Test: {subject}").get_body(("plain",)))
    owner.button("Send it").click()
    asked = owner.dialog(re.compile("^Send it to"))
    asked.get_by_role("button", name="Send it").click()
    expect(owner.main.get_by_text("Sent", exact=True).first).to_be_visible()
    expect(owner.button("Write another like it")).to_be_visible()
    mails = [reader.mails_to(email, subject) for email in emails if reader.mail_to(email, subject)]
    assert [(len(one), one[0]["List-Unsubscribe-Post"]) for one in mails] == [(1, "List-Unsubscribe=One-Click")] * 3

    reader.visit(link_in(reader, emails[0], subject))
    seen_by_reader.look("asked whether to unsubscribe")
    reader.button("Unsubscribe").click()
    expect(reader.heading("You are off the list")).to_be_focused()
    owner.reload()
    expect(owner.main.locator("dl div").filter(has_text="Unsubscribed after it")).to_contain_text("1")
    at_the_desk.look("a newsletter that was sent")
    owner.visit(f"/admin/newsletters/subscribers?q={emails[0]}")
    expect(owner.main.get_by_role("row", name=emails[0])).to_contain_text("Unsubscribed")
    owner.page.get_by_label(f"Choose {emails[0]}").check()
    at_the_desk.look("subscribers")
    owner.button("Remove").click()
    owner.dialog("Remove 1 address?").get_by_role("button", name="Remove").click()
    owner.sees("Nothing matches")
    owner.visit("/admin/newsletters")
    expect(owner.link(subject)).to_be_visible()
    at_the_desk.look("newsletters")
    assert seen_by_reader.found + at_the_desk.found == []
