"""The owner copies the shop, changes it, and puts the copy back, all from one page; it takes a shop of its own, since everybody is signed out by it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ADA, SELLER
from playwright.sync_api import expect
from shop import Shop, started_shop
from shopper import PASSWORD, Shopper
from test_accessibility import Inspector


@pytest.fixture
def small_shop() -> Iterator[Shop]:
    with started_shop(SHOP_DEMO="0", WORKERS="1") as started:
        yield started


def test_a_backup_is_made_proven_taken_away_and_put_back(new_shopper: Callable[..., Shopper], small_shop: Shop) -> None:
    owner = new_shopper(at=small_shop)
    inspector = Inspector(owner)
    owner.tell("/setup", token=small_shop.setup_token, name="Before", seller=SELLER, currency="EUR", admin={**vars(ADA), "password": PASSWORD})
    owner.expect_refusal(401, 403, 503)

    owner.visit("/admin/backups")
    owner.sees("No backup yet", "One is made each night at 03:00 UTC")
    owner.button("Make a backup").click()
    expect(owner.heading("A backup is being made")).to_be_visible()
    expect(owner.page.get_by_text("The backup is made and proven.")).to_be_visible()
    row = owner.main.get_by_role("row").filter(has_text="Proven just now")
    name = row.get_by_role("cell").nth(2).inner_text()
    inspector.look("a backup", widths=(320, 1280))

    with owner.page.expect_download() as waiting:
        row.get_by_role("button", name="Download").click()
        proof = owner.dialog("Confirm your password")
        proof.get_by_label("Your password").fill(PASSWORD)
        proof.get_by_role("button", name="Continue").click()
    assert waiting.value.suggested_filename == name and waiting.value.path().read_bytes()[:2] == b"PK"

    shop = owner.api("/admin/settings")["sections"]["shop"]
    changed = owner.context.request.put(f"{owner.home}/api/v1/admin/settings/shop", data={**shop["values"], "name": "After", "version": shop["version"]})
    assert changed.ok, changed.text()
    row.get_by_role("button", name="Put back").click()
    asked = owner.dialog("Put this backup in the place of the shop?")
    expect(asked.get_by_text("1 account")).to_be_visible()
    inspector.look("asked whether to restore")
    asked.get_by_label("Type shop-").fill("yes")
    asked.get_by_role("button", name="Put it back").click()
    expect(asked.get_by_text(f"This is not {name}.").first).to_be_visible()
    asked.get_by_label("Type shop-").fill(name)
    asked.get_by_role("button", name="Put it back").click()
    expect(owner.heading("The backup is the shop now")).to_be_visible(timeout=30_000)
    inspector.look("restored, and signed out")

    owner.link("Sign in").click()
    owner.sign_in(ADA.username, at=owner.path)
    owner.sees(f"The shop was put back from {name}")
    expect(owner.main.get_by_role("row").filter(has_text="Not proven")).to_have_count(1)
    assert owner.api("/shop")["name"] == "Before"
    assert inspector.found == []


def remove_signature(backup: Path, copy: Path) -> None:
    """Copy a backup as a shop with another key would have made it."""
    with zipfile.ZipFile(backup) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            if name != "manifest.sig":
                target.writestr(name, source.read(name))


def test_an_unsigned_backup_is_restored_only_after_a_separate_confirmation(new_shopper: Callable[..., Shopper], small_shop: Shop) -> None:
    owner = new_shopper(at=small_shop)
    inspector = Inspector(owner)
    owner.tell("/setup", token=small_shop.setup_token, name="Before", seller=SELLER, currency="EUR", admin={**vars(ADA), "password": PASSWORD})
    owner.expect_refusal(401, 403, 503)
    owner.visit("/admin/backups")
    owner.button("Make a backup").click()
    expect(owner.page.get_by_text("The backup is made and proven.")).to_be_visible()
    assert small_shop.var
    (made,) = (small_shop.var / "backups").glob("shop-*.zip")
    unsigned = made.with_name("shop-20260101-000000-0123abcd.zip")
    remove_signature(made, unsigned)

    owner.visit("/admin/backups?q=20260101")
    owner.main.get_by_role("row").filter(has_text=unsigned.name).get_by_role("button", name="Put back").click()
    proof = owner.dialog("Confirm your password")
    proof.get_by_label("Your password").fill(PASSWORD)
    proof.get_by_role("button", name="Continue").click()
    warning = owner.dialog("This backup is not signed by this shop")
    warning.get_by_role("button", name="Continue").click()
    expect(warning.get_by_text("Confirm that you trust whoever made this backup.").first).to_be_visible()
    inspector.look("asked whether to trust an unsigned backup")
    warning.get_by_role("button", name="Cancel").click()
    expect(warning).to_be_hidden()

    owner.main.get_by_role("row").filter(has_text=unsigned.name).get_by_role("button", name="Put back").click()
    warning.get_by_label("I know who made this backup and I trust them").check()
    warning.get_by_role("button", name="Continue").click()
    asked = owner.dialog("Put this backup in the place of the shop?")
    asked.get_by_label("Type shop-").fill(unsigned.name)
    asked.get_by_role("button", name="Put it back").click()
    expect(owner.heading("The backup is the shop now")).to_be_visible(timeout=30_000)
    assert inspector.found == []
