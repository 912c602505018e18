"""The owner changes taxes and delivery on the settings page, and the next checkout shows it; at the end all is as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect
from shop import Shop
from shopper import Shopper, somebody
from test_accessibility import Inspector

SETTINGS = "/api/v1/admin/settings"


@pytest.fixture
def restored(owner: Shopper) -> Iterator[None]:
    """What the owner changed is put back, since other tests buy in the same shop."""
    before = owner.api("/admin/settings")["sections"]
    yield
    now = owner.api("/admin/settings")["sections"]
    for name in ("taxes", "delivery"):
        body = before[name]["values"] | {"version": now[name]["version"]}
        answer = owner.context.request.put(f"{owner.home}{SETTINGS}/{name}", data=body)
        assert answer.ok, answer.text()


def test_the_owner_changes_tax_and_delivery_and_the_checkout_shows_it(
    owner: Shopper, restored: None, owned_shop: Shop, new_shopper: Callable[..., Shopper]
) -> None:
    def part(name: str) -> Locator:
        return owner.main.get_by_role("region", name=name, exact=True)

    owner.visit("/admin/settings")
    inspector = Inspector(owner)
    part("Taxes").get_by_role("button", name="Add a rate").click()
    row = part("Taxes").get_by_role("listitem").last
    row.get_by_label("Country").select_option("GB")
    row.get_by_label("Per cent").fill("lots")
    part("Taxes").get_by_role("button", name="Save").click()
    expect(row.get_by_text("Enter a percentage like 19 or 8.1.")).to_be_visible()
    inspector.look("settings with a mistake")
    row.get_by_label("Per cent").fill("17.5")
    expect(part("Taxes").get_by_text("Unsaved changes")).to_be_visible()
    part("Taxes").get_by_role("button", name="Save").click()
    expect(owner.page.get_by_text("Taxes: saved.")).to_be_visible()

    way = part("Delivery").get_by_role("group", name="way 1")
    way.get_by_label("Name", exact=True).fill("By barge")
    way.get_by_label("Price, EUR").fill("3,21")
    now = owner.api("/admin/settings")["sections"]["delivery"]
    other = now["values"] | {"version": now["version"], "shipping_countries": now["values"]["shipping_countries"][1:]}
    assert owner.context.request.put(f"{owner.home}{SETTINGS}/delivery", data=other).ok
    owner.expect_refusal(409)
    part("Delivery").get_by_role("button", name="Save").click()
    owner.dialog("Somebody else saved these settings meanwhile").get_by_role("button", name="Save mine over it").click()
    expect(owner.page.get_by_text("Delivery: saved.")).to_be_visible()

    owner.field("To").select_option("GB")
    owner.button("Reckon").click()
    expect(owner.main.get_by_role("heading", name="By barge")).to_be_visible()
    expect(owner.main.get_by_text("17.5 %").first).to_be_visible()
    inspector.look("settings with an estimate")
    assert not inspector.found, inspector.found

    shopper = new_shopper(at=owned_shop)
    shopper.has_in_cart(shopper.something())
    shopper.visit("/checkout")
    shopper.fill_address(email=somebody("guest").email)
    shopper.field("Country").select_option(label="United Kingdom")
    shopper.sees("By barge", "of which tax 17.5 %")
