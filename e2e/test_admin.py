"""What the people who run the shop do in its admin area, in a shop of their own that they may change as they like."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image
from playwright.sync_api import Locator, Route, expect
from shop import Shop
from shopper import PASSWORD, Shopper
from test_accessibility import Inspector


def rows(owner: Shopper) -> Locator:
    return owner.main.get_by_role("table").locator("tbody tr[data-id]")


def open_list(owner: Shopper, path: str = "/admin/products") -> Locator:
    owner.visit(path)
    expect(rows(owner).first).to_be_visible()
    return rows(owner)


def titles(owner: Shopper) -> list[str]:
    owner.settle()
    return [text.strip() for text in rows(owner).get_by_role("rowheader").all_inner_texts()]


def statuses(owner: Shopper) -> set[str]:
    owner.settle()
    return set(rows(owner).locator(".badge--good, .badge--warning:not(:has(svg)), .badge--soft").all_inner_texts())


def count(owner: Shopper) -> int:
    owner.settle()
    found = re.match(r"[\d,]+", owner.page.locator("[data-count]").inner_text())
    assert found
    return int(found[0].replace(",", ""))


def picture(colour: str) -> dict[str, Any]:
    content = BytesIO()
    Image.new("RGB", (900, 900), colour).save(content, "PNG")
    return {"name": f"{colour}.png", "mimeType": "image/png", "buffer": content.getvalue()}


# ---------------------------------------------------------------- who may come in


def test_who_does_not_run_the_shop_stays_outside(new_shopper: Callable[..., Shopper], owned_shop: Shop, owner: Shopper) -> None:
    stranger = new_shopper(at=owned_shop)
    stranger.visit("/admin/inventory?low=true")
    stranger.is_sent_to_sign_in()
    assert stranger.path == "/login?next=%2Fadmin%2Finventory%3Flow%3Dtrue"
    bob = stranger.join("bob")
    stranger.visit("/admin/products")
    expect(stranger.heading("This part is for the people who run the shop")).to_be_visible()
    stranger.sees(re.compile(f"signed in as {bob.username}"))
    stranger.visit("/")
    expect(stranger.page.get_by_role("banner").get_by_role("link", name="Admin")).to_be_hidden()


def test_the_owner_finds_the_admin_area_from_the_shop(owner: Shopper) -> None:
    owner.visit("/")
    owner.page.get_by_role("banner").get_by_role("link", name="Admin").click()
    owner.page.wait_for_url("**/admin")
    expect(owner.link("Overview")).to_have_attribute("aria-current", "page")


# ---------------------------------------------------------------- the table


def test_the_address_holds_what_the_table_shows(owner: Shopper) -> None:
    open_list(owner)
    whole = count(owner)
    owner.page.get_by_role("searchbox").fill("mug")
    owner.page.wait_for_url("**q=mug**")
    found = titles(owner)
    assert 0 < len(found) < whole and all("mug" in title.lower() for title in found)
    owner.main.get_by_role("columnheader", name="Price").get_by_role("link").click()
    owner.page.wait_for_url("**sort=price**")
    by_price = titles(owner)
    expect(owner.main.get_by_role("columnheader", name="Price")).to_have_attribute("aria-sort", "ascending")
    owner.main.get_by_role("columnheader", name="Price").get_by_role("link").click()
    owner.page.wait_for_url("**sort=price_desc**")
    assert sorted(titles(owner)) == sorted(by_price)
    owner.reload()
    expect(owner.page.get_by_role("searchbox")).to_have_value("mug")
    expect(owner.main.get_by_role("columnheader", name="Price")).to_have_attribute("aria-sort", "descending")
    owner.go_back()
    owner.page.wait_for_url("**sort=price")
    assert titles(owner) == by_price


def test_the_pages_hold_every_product_once(owner: Shopper) -> None:
    open_list(owner, "/admin/products?sort=title")
    first = titles(owner)
    owner.link("Next").click()
    owner.page.wait_for_url("**after=**")
    second = titles(owner)
    assert not set(first) & set(second)
    assert len(first) + len(second) == count(owner)
    owner.sees(re.compile(rf"^51–{count(owner)} of {count(owner)}$"))
    owner.link("Previous").click()
    expect(rows(owner)).to_have_count(50)
    assert titles(owner) == first


def test_columns_are_chosen_and_remembered(owner: Shopper) -> None:
    open_list(owner)
    expect(owner.main.get_by_role("columnheader", name="Brand")).to_have_count(0)
    owner.main.get_by_text("Columns").first.click()
    owner.page.get_by_role("checkbox", name="Brand").check()
    expect(owner.main.get_by_role("columnheader", name="Brand")).to_be_visible()
    assert "columns=" in owner.path
    open_list(owner)
    expect(owner.main.get_by_role("columnheader", name="Brand")).to_be_visible()


def test_the_table_is_used_by_the_keyboard_alone(owner: Shopper) -> None:
    open_list(owner, "/admin/products?sort=title")
    keys = owner.page.keyboard
    first, second = titles(owner)[:2]
    keys.press("j")
    keys.press("x")
    keys.press("j")
    keys.press("x")
    owner.sees("2 chosen")
    expect(rows(owner).nth(1)).to_be_focused()
    keys.press("k")
    keys.press("x")
    owner.sees("1 chosen")
    expect(owner.page.get_by_role("checkbox", name=f"Choose {second}", exact=True)).to_be_checked()
    keys.press("?")
    expect(owner.dialog("Keys")).to_be_visible()
    keys.press("Escape")
    keys.press("/")
    expect(owner.page.get_by_role("searchbox")).to_be_focused()
    keys.type("jxk?")
    expect(owner.page.get_by_role("searchbox")).to_have_value("jxk?")
    expect(owner.heading("Nothing matches")).to_be_visible()
    owner.link("Clear search and filters").click()
    open_list(owner, "/admin/products?sort=title")
    keys.press("j")
    keys.press("Enter")
    expect(owner.heading(first)).to_be_visible()


def test_the_file_holds_all_that_the_table_shows_and_no_formula(owner: Shopper) -> None:
    open_list(owner)
    with owner.page.expect_download() as waiting:
        owner.button("CSV").click()
    text = waiting.value.path().read_text(encoding="utf-8-sig")
    assert len(text.splitlines()) == count(owner) + 1
    assert text.startswith("Product,Status,Category,Price,Stock,Variants,Changed")
    cells = """async () => {
      const entry = document.querySelector('script[src$="/js/admin.js"]').src;
      const { cell } = await import(entry.replace("admin.js", "components/grid-csv.js"));
      return ["=1+1", "+1", "-1", "@x", "\\tx", "a,b", 'say "x"', -5].map(cell);
    }"""
    assert owner.page.evaluate(cells) == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", '"a,b"', '"say ""x"""', "-5"]


def test_a_table_that_fails_or_is_cut_off_says_so_and_comes_back(owner: Shopper) -> None:
    open_list(owner)
    owner.go_offline()
    owner.main.get_by_role("columnheader", name="Price").get_by_role("link").click()
    expect(owner.heading("You are offline")).to_be_visible()
    owner.go_online()
    expect(rows(owner).first).to_be_visible()


# ---------------------------------------------------------------- many at once


def test_chosen_products_are_archived_and_brought_back(owner: Shopper) -> None:
    open_list(owner, "/admin/products?sort=title")
    whole, gone = count(owner), titles(owner)[:2]
    for title in gone:
        owner.page.get_by_role("checkbox", name=f"Choose {title}", exact=True).check()
    owner.button("Archive").click()
    expect(owner.page.get_by_text("2 products archived.")).to_be_visible()
    assert count(owner) == whole - 2
    owner.button("Undo").click()
    expect(owner.page.get_by_text("Taken back.")).to_be_visible()
    assert count(owner) == whole
    assert titles(owner)[:2] == gone


def test_all_that_match_are_changed_over_all_pages_and_brought_back(owner: Shopper) -> None:
    open_list(owner, "/admin/products")
    whole = count(owner)
    assert whole > 50
    owner.page.get_by_role("checkbox", name="Choose all rows of this page").check()
    owner.sees("50 chosen")
    owner.button(f"Select all {whole} matching").click()
    owner.sees(f"{whole} chosen")
    owner.button("Unpublish").click()
    owner.dialog(f"Unpublish {whole} products?").get_by_role("button", name="Unpublish").click()
    expect(owner.page.get_by_text(f"{whole} products unpublished.")).to_be_visible()
    assert statuses(owner) == {"Draft"}
    owner.button("Undo").click()
    expect(owner.page.get_by_text("Taken back.")).to_be_visible()
    assert statuses(owner) == {"Published"}


def test_a_price_change_of_many_products_is_undone_to_the_cent(owner: Shopper) -> None:
    open_list(owner, "/admin/products?sort=title")
    price = rows(owner).first.locator("td", has_text="€").first
    before = price.inner_text()
    for title in titles(owner)[:3]:
        owner.page.get_by_role("checkbox", name=f"Choose {title}", exact=True).check()
    owner.button("Change price").click()
    asked = owner.dialog("Change the price of 3 products")
    expect(asked.get_by_text("You can undo this right afterwards.")).to_be_visible()
    asked.get_by_label("By how many per cent").fill("-7")
    asked.get_by_role("button", name="Change the prices").click()
    expect(owner.page.get_by_text("3 products repriced.")).to_be_visible()
    expect(price).not_to_have_text(before)
    owner.button("Undo").click()
    expect(owner.page.get_by_text("Taken back.")).to_be_visible()
    expect(price).to_have_text(before)


def test_the_box_above_is_in_between_when_some_are_chosen(owner: Shopper) -> None:
    open_list(owner)
    above = owner.page.get_by_role("checkbox", name="Choose all rows of this page")
    rows(owner).get_by_role("checkbox").first.check()
    assert above.evaluate("box => box.indeterminate")
    rows(owner).get_by_role("checkbox").nth(3).click(modifiers=["Shift"])
    owner.sees("4 chosen")
    above.check()
    owner.sees("50 chosen")
    owner.button("Clear").click()
    expect(above).not_to_be_checked()


# ---------------------------------------------------------------- a product


def add_product(owner: Shopper, title: str) -> None:
    owner.visit("/admin/products/new")
    expect(owner.field("Title").first).to_be_focused()
    owner.field("Title").first.fill(title)


def test_a_product_with_options_and_pictures_is_added_and_sold(owner: Shopper) -> None:
    title = f"Field Jacket {secrets.token_hex(3)}"
    add_product(owner, title)
    owner.field("Description").first.fill("Keeps **rain** out.\n\n- Two pockets\n- A hood")
    owner.button("Preview").click()
    expect(owner.page.get_by_role("region", name="Preview of the description").get_by_role("listitem")).to_have_count(2)
    owner.button("Preview").click()
    owner.field("Category").select_option(index=1)
    owner.page.locator("#files").set_input_files([picture("green"), picture("navy")])
    owner.field("What picture 1 shows").fill("The jacket in green")
    owner.button("Add an option, such as size or colour").click()
    owner.field("Option 1").fill("Size")
    owner.page.locator("#values-0").fill("S, M, L")
    owner.button("Add another option").click()
    owner.field("Option 2").fill("Colour")
    owner.page.locator("#values-1").fill("Green, Navy")
    owner.page.locator("#values-1").blur()
    owner.field("To what").fill("89.50")
    owner.button("Set for all variants").click()
    owner.field("What to set").select_option(label="Stock")
    owner.field("To what").fill("7")
    owner.button("Set for all variants").click()
    owner.field("Price of L / Navy").fill("94")
    owner.button("Leave S / Navy out").click()
    owner.page.keyboard.press("Control+Enter")

    expect(owner.heading(title)).to_be_visible()
    owner.page.wait_for_url(re.compile(r"/admin/products/\d+$"))
    expect(owner.page.locator("[data-list] li")).to_have_count(2)
    owner.link("In the shop").click()
    expect(owner.heading(title)).to_be_visible()
    owner.sees("rain", "Two pockets")
    sold = owner.api(f"/products/{owner.path.split('/')[-1]}")
    assert (sold["price_minor"], sold["price_max_minor"], sold["stock"], len(sold["variants"])) == (8950, 9400, 35, 5)
    assert [image["alt"] for image in sold["images"]] == ["The jacket in green", ""]


def saved_product(owner: Shopper, title: str, price: str = "12.50") -> str:
    """A plain product; gives its page in the admin area."""
    add_product(owner, title)
    owner.field("Price").first.fill(price)
    owner.button("Save").click()
    owner.page.wait_for_url(re.compile(r"/admin/products/\d+$"))
    expect(owner.heading(title)).to_be_visible()
    return owner.path


def test_what_is_wrong_is_told_beside_its_field(owner: Shopper) -> None:
    add_product(owner, "")
    owner.field("Price").first.fill("12,505")
    owner.button("Save").click()
    owner.sees_problem("Give the product a title.")
    owner.sees("Price: “12,505” can mean 12505 or 12.505. Write it without a thousands separator.")


def test_of_two_editors_the_second_sees_both_versions_and_chooses(owner: Shopper, new_owner: Shopper) -> None:
    first, second = owner, new_owner
    second.expect_refusal(409)
    title = f"Lamp {secrets.token_hex(3)}"
    path = saved_product(first, title)
    second.visit(path)
    expect(second.field("Title").first).to_have_value(title)
    first.field("Brand").fill("Quill")
    first.button("Save").click()
    expect(first.page.get_by_text("Saved.")).to_be_visible()

    second.field("Brand").fill("Feather")
    second.button("Save").click()
    asked = second.dialog("Somebody else saved this product meanwhile")
    expect(asked.get_by_role("row", name=re.compile("Brand.*Feather.*Quill"))).to_be_visible()
    asked.get_by_role("button", name="Back to editing").click()
    expect(second.field("Brand")).to_have_value("Feather")
    second.button("Save").click()
    asked.get_by_role("button", name="Take theirs").click()
    expect(second.field("Brand")).to_have_value("Quill")

    first.field("Brand").fill("Goose")
    first.button("Save").click()
    expect(first.page.get_by_text("Saved.").first).to_be_visible()
    expect(first.page.locator("[data-dirty]")).to_be_empty()
    second.field("Brand").fill("Swan")
    second.button("Save").click()
    asked.get_by_role("button", name="Save mine over it").click()
    expect(second.page.get_by_text("Saved.").first).to_be_visible()
    first.reload()
    expect(first.field("Brand")).to_have_value("Swan")


def test_pictures_are_sorted_by_hand_and_by_keys(owner: Shopper) -> None:
    path = saved_product(owner, f"Tray {secrets.token_hex(3)}")
    owner.page.locator("#files").set_input_files([picture("red"), picture("lime"), picture("blue")])
    pictures = owner.page.locator("[data-list] li")
    expect(pictures).to_have_count(3)
    owner.settle()
    for number, words in enumerate(("Red", "Green", "Blue"), 1):
        owner.field(f"What picture {number} shows").fill(words)
        owner.page.keyboard.press("Tab")
        owner.settle()

    def order() -> list[str]:
        owner.settle()
        return [field.input_value() for field in owner.page.locator("[data-alt]").all()]

    owner.button("Move picture 3 earlier").press("Enter")
    assert order() == ["Red", "Blue", "Green"]
    expect(owner.button("Move picture 2 earlier")).to_be_focused()
    pictures.nth(0).locator("img").drag_to(pictures.nth(2).locator("img"), force=True)
    assert order() == ["Blue", "Green", "Red"]
    owner.button("Remove picture 2").click()
    assert order() == ["Blue", "Red"]
    owner.visit(path)
    expect(pictures).to_have_count(2)
    assert order() == ["Blue", "Red"]
    owner.field("Brand").fill("Quill")
    owner.button("Save").click()
    expect(owner.page.get_by_text("Saved.")).to_be_visible()


def test_leaving_with_unsaved_changes_asks_first(owner: Shopper) -> None:
    saved_product(owner, f"Bowl {secrets.token_hex(3)}")
    asked: list[str] = []
    owner.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    owner.field("Brand").fill("Quill")
    owner.sees("Unsaved changes")
    owner.link("Categories").click()
    expect(owner.field("Brand")).to_have_value("Quill")
    assert asked == ["beforeunload"]
    owner.field("Brand").fill("")
    expect(owner.page.locator("[data-dirty]")).to_be_empty()
    owner.link("Categories").click()
    owner.page.wait_for_url("**/admin/categories")


def test_an_archived_product_is_gone_from_the_shop_until_it_is_restored(owner: Shopper) -> None:
    owner.expect_refusal(404, 410)
    title = f"Vase {secrets.token_hex(3)}"
    saved_product(owner, title)
    slug = owner.link("In the shop").get_attribute("href")
    owner.button("Archive").click()
    expect(owner.button("Restore")).to_be_visible()
    assert owner.context.request.get(str(slug)).status in (404, 410)
    owner.button("Restore").click()
    expect(owner.button("Archive")).to_be_visible()
    assert owner.context.request.get(str(slug)).status == 200


# ---------------------------------------------------------------- categories, inventory


def test_categories_are_added_renamed_moved_and_deleted(owner: Shopper) -> None:
    name = f"Garden {secrets.token_hex(3)}"
    owner.visit("/admin/categories")
    owner.button("Add a category").click()
    owner.dialog("New category").get_by_label("Name", exact=True).fill(name)
    owner.page.keyboard.press("Control+Enter")
    expect(owner.button(name)).to_be_focused()
    owner.button(f"Move up: {name}").click()
    expect(owner.page.get_by_text(re.compile(f"^{name} is now number"))).to_have_count(1)
    expect(owner.button(f"Move up: {name}")).to_be_focused()
    names = owner.main.locator("[data-act=edit]").all_inner_texts()
    assert names.index(name) == len(names) - 2
    owner.button(f"Add a category below {name}").click()
    owner.dialog(f"New category below {name}").get_by_label("Name", exact=True).fill(f"Seeds of {name}")
    owner.dialog(f"New category below {name}").get_by_role("button", name="Add it").click()
    expect(owner.main.locator(".tree__list .tree__list").get_by_role("button", name=f"Seeds of {name}", exact=True)).to_be_focused()
    owner.button(f"Seeds of {name}").click()
    owner.dialog(f"Change Seeds of {name}").get_by_label("Below").select_option(value="")
    owner.dialog(f"Change Seeds of {name}").get_by_role("button", name="Save").click()
    expect(owner.page.get_by_text("The category is saved.")).to_be_visible()
    for gone in (name, f"Seeds of {name}"):
        owner.button(f"Delete {gone}").click()
        owner.dialog(f"Delete {gone}?").get_by_role("button", name="Delete it").click()
        expect(owner.button(gone)).to_have_count(0)


def test_stock_is_adjusted_in_place_with_a_reason_and_is_on_record(owner: Shopper) -> None:
    title = f"Crate {secrets.token_hex(3)}"
    saved_product(owner, title)
    open_list(owner, f"/admin/inventory?q={title.replace(' ', '+')}")
    row = rows(owner).first
    row.get_by_role("button", name=re.compile("^Adjust")).click()
    row.get_by_label("How many more or fewer").fill("12")
    row.get_by_label("Note").fill("From the mill")
    owner.page.keyboard.press("Enter")
    expect(row.get_by_role("button", name=re.compile("^Adjust"))).to_be_focused()
    expect(row).to_contain_text("12")
    row.get_by_role("button", name=re.compile("^Adjust")).click()
    row.get_by_label("How many more or fewer").fill("3")
    row.get_by_label("Why").select_option(label="Damaged or lost")
    owner.page.keyboard.press("Control+Enter")
    expect(row).to_contain_text("9")
    row.get_by_role("button", name=re.compile("^History")).click()
    ledger = owner.dialog(f"Stock of {title}")
    expect(ledger.get_by_role("row", name=re.compile(r"Damaged or lost.*-3\s+9"))).to_be_visible()
    expect(ledger.get_by_role("row", name=re.compile(r"Received.*From the mill.*\+12"))).to_be_visible()


# ---------------------------------------------------------------- reviews, import and export


def test_a_review_is_read_approved_and_seen_in_the_shop(new_shopper: Callable[..., Shopper], owned_shop: Shop, owner: Shopper) -> None:
    buyer = new_shopper(at=owned_shop)
    person = buyer.join("bea")
    thing = buyer.something()
    buyer.has_in_cart(thing)
    buyer.visit("/checkout")
    buyer.fill_address()
    buyer.place_order()
    words = {"rating": 4, "title": f"Sturdy {secrets.token_hex(3)}", "body": "Holds what it promises."}
    answer = buyer.context.request.post(f"/api/v1/products/{thing['id']}/reviews", data=words)
    assert answer.status == 201, answer.text()

    open_list(owner, "/admin/reviews?status=pending")
    row = rows(owner).filter(has_text=str(words["title"]))
    expect(row).to_contain_text("Waiting")
    row.locator("[data-read]").click()
    reading = owner.dialog(str(words["title"]))
    expect(reading).to_contain_text("Holds what it promises.")
    expect(reading).to_contain_text(person.username)
    reading.get_by_role("button", name="Approve").click()
    expect(owner.page.get_by_text("Shoppers see it now.")).to_be_visible()
    assert [one["title"] for one in buyer.api(f"/products/{thing['id']}/reviews")["items"]] == [words["title"]]
    owner.button("Undo").click()
    expect(row).to_contain_text("Waiting")
    row.get_by_role("checkbox").check()
    owner.button("Reject").first.click()
    expect(owner.page.get_by_text("1 review rejected.")).to_be_visible()
    assert buyer.api(f"/products/{thing['id']}/reviews")["items"] == []


def test_a_file_shows_what_it_would_change_and_then_changes_it(new_owner: Shopper) -> None:
    owner = new_owner
    handle = f"kettle-{secrets.token_hex(3)}"
    lines = ["Handle,Title,Vendor,Published,Variant SKU,Variant Inventory Qty,Variant Price", f"{handle},Copper Kettle,Quill,TRUE,,4,59.00"]

    def bring(text: str) -> None:
        owner.page.locator("#file").set_input_files({"name": f"{handle}.csv", "mimeType": "text/csv", "buffer": text.encode()})

    owner.visit("/admin/imports")
    bring("\n".join([*lines, f"{handle}-2,Broken,Quill,TRUE,,4,cheap"]))
    expect(owner.page.get_by_text("Cannot come in").first).to_be_visible()
    expect(owner.main.get_by_role("row", name=re.compile("3.*Price")).first).to_be_visible()
    bring("\n".join(lines))
    expect(owner.button("Bring 1 product in")).to_be_visible()
    owner.sees("Copper Kettle")
    owner.button("Bring 1 product in").click()
    expect(owner.page.get_by_text("1 product imported.")).to_be_visible(timeout=20_000)
    assert owner.api(f"/products/{handle}")["price_minor"] == 5900
    with owner.page.expect_download() as waiting:
        owner.button("Shopify's format").click()
        asked = owner.dialog("Confirm your password")
        asked.get_by_label("Your password", exact=True).fill(PASSWORD)
        asked.get_by_role("button", name="Continue").click()
    assert handle in waiting.value.path().read_text(encoding="utf-8-sig")


def test_an_import_shows_its_progress_and_the_products_that_it_left_out(
    new_owner: Shopper,
) -> None:
    owner = new_owner
    handle = f"pan-{secrets.token_hex(3)}"
    content = f"handle,title,price\n{handle},Pan,9.00\n".encode()
    file = {"name": f"{handle}.csv", "mimeType": "text/csv", "buffer": content}
    message = f"“{handle}” was left out, because it changed during the import."
    error = {"row": 2, "column": "sku", "message": message}
    states = [
        {"status": "running", "done": 0, "total": 100},
        {"status": "applying", "done": 40, "total": 100},
        {"status": "applying", "done": 40, "total": 100},
        {"status": "done", "done": 100, "total": 100, "error_count": 1, "errors": [error]},
    ]

    def answer(route: Route) -> None:
        response = route.fetch()
        state = states.pop(0) if len(states) > 1 else states[0]
        route.fulfill(response=response, json=response.json() | state)

    owner.visit("/admin/imports")
    owner.page.locator("#file").set_input_files(file)
    owner.page.route(re.compile(r"/api/v1/admin/imports/\d+$"), answer)
    owner.button("Bring 1 product in").click()

    expect(owner.page.get_by_text("Preparing: 0 of 100")).to_be_visible(timeout=20_000)
    expect(owner.page.get_by_text("Importing: 40 of 100")).to_be_visible()
    expect(owner.page.get_by_text("1 product changed during the import")).to_be_visible()
    expect(owner.page.get_by_text(message)).to_be_visible()


# ---------------------------------------------------------------- for everybody


ADMIN_PAGES = ("/admin/products", "/admin/products/new", "/admin/categories", "/admin/inventory", "/admin/reviews", "/admin/imports")


def test_the_pages_of_the_admin_area_are_accessible_and_no_wider_than_a_small_phone(owner: Shopper) -> None:
    inspector = Inspector(owner)
    for path in ADMIN_PAGES:
        owner.resize(320)
        owner.visit(path)
        expect(owner.page.get_by_role("heading", level=1)).to_be_visible()
        owner.settle()
        assert owner.page.evaluate("document.documentElement.scrollWidth") <= 320, path
        inspector.look(path)
    assert not inspector.found, "\n".join(inspector.found)


def test_the_editor_and_the_dialogs_of_the_admin_area_are_accessible(owner: Shopper) -> None:
    inspector = Inspector(owner)
    product = owner.something_with_choices()
    open_list(owner, f"/admin/products?q={product['title'].replace(' ', '+')}")
    rows(owner).get_by_role("checkbox").first.check()
    inspector.look("products, one chosen")
    owner.button("Change price").click()
    expect(owner.dialog("Change the price of 1 product")).to_be_visible()
    inspector.look("asked for per cent")
    owner.visit(f"/admin/products/{product['id']}")
    expect(owner.heading(product["title"])).to_be_visible()
    inspector.look("editor")
    owner.field("Title").first.fill("")
    owner.button("Save").click()
    owner.sees_problem("Give the product a title.")
    inspector.look("editor with a problem")
    assert not inspector.found, "\n".join(inspector.found)
