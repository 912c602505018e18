"""The owner opens the admin area, sees what was sold and what waits, and is led by each figure to the rows behind it."""

from __future__ import annotations

import re
import secrets

from playwright.sync_api import expect
from shopper import Shopper
from test_accessibility import Inspector


def test_each_figure_of_the_overview_leads_to_its_rows(owner: Shopper) -> None:
    goods = owner.api(f"/products/{owner.something()['slug']}")
    address = {"name": "Gina Guest", "line1": "Kerkstraat 5", "city": "Gent", "postcode": "9000", "country": "BE"}
    order = {"items": [{"variant_id": goods["variants"][0]["id"], "quantity": 1}], "email": "gina@example.com", "address": address}
    order |= {"shipping_method": "standard", "payment_method": "cash_on_delivery"}
    placed = owner.context.request.post("/api/v1/admin/orders", data=order, headers={"Idempotency-Key": secrets.token_hex(8)})
    assert placed.ok, placed.text()
    told = owner.api("/admin/dashboard")
    owner.visit("/admin")
    owner.settle()
    expect(owner.page.locator("nav").get_by_role("link", name="Overview", exact=True)).to_have_attribute("aria-current", "page")
    waiting = owner.main.get_by_role("link", name=f"{told['waiting']['to_send']} To be sent")
    expect(waiting).to_be_visible()
    inspector = Inspector(owner)
    inspector.look("overview")

    picture = owner.main.get_by_role("img", name=re.compile("^Sales of each day"))
    expect(picture.locator(".plot__bar").last).to_be_visible()
    owner.main.get_by_role("radiogroup", name="Draw").get_by_text("Orders").click()
    expect(owner.main.get_by_role("img", name=re.compile("^Orders of each day"))).to_be_visible()
    owner.main.get_by_text("The same as a table").click()
    today = owner.main.get_by_role("table").first.get_by_role("row").nth(1)
    expect(today.get_by_role("cell").nth(1)).to_have_text(str(told["items"][-1]["orders"]))
    inspector.look("overview with its table")
    owner.resize(320)
    assert owner.page.evaluate("document.documentElement.scrollWidth") == 320
    owner.resize(1280)

    today.get_by_role("link").click()
    expect(owner.page.locator("[data-count]")).to_have_text(re.compile(rf"^{told['items'][-1]['orders']} orders?$"))
    expect(owner.field("Order")).to_have_value("sold")
    owner.visit("/admin?by=month")
    expect(owner.main.get_by_role("link", name="12 months")).to_have_attribute("aria-current", "true")
    expect(owner.main.get_by_role("img", name=re.compile("^Sales of each month"))).to_be_visible()
    waiting.click()
    expect(owner.page.locator("[data-count]")).to_have_text(re.compile(rf"^{told['waiting']['to_send']} orders?$"))
    assert owner.path == "/admin/orders?status=placed&fulfilment_status=unfulfilled"
    assert not inspector.found, "\n".join(inspector.found)
