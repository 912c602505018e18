"""The owner watches the shop: its mails, what it does by itself, and what happened."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from shop import Shop
from shopper import Shopper, until
from test_accessibility import Inspector


def test_the_owner_looks_after_mails_jobs_and_what_happened(owner: Shopper, owned_shop: Shop) -> None:
    page, inspector = owner.page, Inspector(owner)
    owner.visit("/admin/mails?template=test")
    owner.settle()
    owner.button("Send me a test mail").click()
    expect(page.get_by_text("It is on its way to ada@example.com.")).to_be_visible()
    owner.mail_to("ada@example.com", "Test mail")
    owned_shop.let_mail_fail("test")
    owner.visit("/admin/mails?template=test&status=failed")
    row = owner.main.get_by_role("row").filter(has_text="550 nobody of this name")
    row.get_by_role("button", name=re.compile("^Try again")).click()
    expect(page.get_by_text("1 mail will be tried again now.")).to_be_visible()
    until(lambda: bool(owner.api("/admin/mails", template="test", status="sent")["total"]), page)

    owner.button("How they look").click()
    looks = owner.dialog("How mails look")
    looks.get_by_label("Mail", exact=True).select_option("order_shipped")
    frame = looks.locator("iframe")
    expect(frame.content_frame.get_by_role("heading", name="Your parcel is on its way")).to_be_visible()
    inspector.look("how mails look")
    wide = frame.bounding_box()
    looks.get_by_text("Phone", exact=True).click()
    expect(frame.content_frame.get_by_text("Kerkstraat 5")).to_be_visible()
    narrow = frame.bounding_box()
    assert wide and narrow and narrow["width"] < 400 < wide["width"]
    looks.get_by_text("Text", exact=True).click()
    expect(looks.locator("pre")).to_contain_text("Kerkstraat 5")
    looks.get_by_role("button", name="Close").click()

    owner.visit("/admin/jobs?q=trends.rank")
    job = owner.main.get_by_role("row").filter(has_text="trends.rank")
    job.get_by_role("button", name=re.compile("^Run now")).click()
    expect(page.get_by_text(re.compile(r"^trends\.rank: \d+ trending"))).to_be_visible()
    inspector.look("jobs", widths=(1280,))
    job.get_by_role("button", name=re.compile("^Log")).click()
    expect(page.get_by_role("dialog").get_by_role("row").filter(has_text="trending").first).to_be_visible()

    owner.visit("/admin/events?kind=job_asked")
    event = owner.main.get_by_role("row").filter(has_text="trends_rank").first
    expect(event).to_contain_text("ada")
    inspector.look("events", widths=(1280,))
    event.get_by_role("button", name=re.compile("^Look")).click()
    page.get_by_role("dialog").get_by_role("link", name="all of this request").click()
    page.wait_for_url(re.compile(r"\?q=[0-9a-f]{16}$"))
    expect(owner.main.get_by_role("row").filter(has_text="trends_rank")).to_have_count(1)
    assert not inspector.found, inspector.found
