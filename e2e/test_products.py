"""A product as its maker described it: what shoppers see of it, whatever its words try to do."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image
from playwright.sync_api import expect
from shop import Shop
from shopper import Shopper

EVIL = "<img src=x onerror='window.caught=1'><svg onload='window.caught=2'></svg><script>window.caught=3</script>"
DESCRIPTION = (
    "<p>Fired <strong>twice</strong>.</p><table><tr><th>Size</th><td onclick='window.caught=4'>200 ml</td></tr></table>"
    "<a href='https://example.com/care?a=1&amp;b=2' target='_blank' style='position:fixed'>Care</a> <a href='javascript:window.caught=5'>Act</a>" + EVIL
)


def added(owner: Shopper, **more: Any) -> dict[str, Any]:
    return dict(owner.tell("/products", **{"title": "Clay mug", "price_minor": 1800, "stock": 3} | more))


def photograph() -> bytes:
    content = BytesIO()
    Image.new("RGB", (2400, 1800), "teal").save(content, "JPEG")
    return content.getvalue()


def test_a_description_shows_its_links_and_tables_and_acts_in_no_way(owner: Shopper, new_shopper: Callable[..., Shopper], owned_shop: Shop) -> None:
    made = added(owner, title=f"{EVIL} mug", brand=EVIL, tags=["<b>clay</b>"], description=DESCRIPTION, slug="evil-mug")
    reader = new_shopper(at=owned_shop)
    reader.visit(f"/products/{made['slug']}")
    text = reader.page.locator(".prose")
    expect(text.get_by_role("cell", name="200 ml")).to_be_visible()
    expect(text.get_by_role("link")).to_have_count(1)
    expect(text.get_by_role("link", name="Care")).to_have_attribute("href", "https://example.com/care?a=1&b=2")
    assert text.locator("img, svg, script, [style], [onclick]").count() == 0
    text.get_by_text("Act").click()
    assert reader.page.evaluate("window.caught") is None
    reader.page.set_viewport_size({"width": 320, "height": 700})
    assert reader.page.evaluate("document.documentElement.scrollWidth") == 320


def test_a_photograph_is_fetched_in_the_width_that_the_page_needs(owner: Shopper, new_shopper: Callable[..., Shopper], owned_shop: Shop) -> None:
    made = added(owner, slug="photographed-mug")
    sent = owner.context.request.post(f"/api/v1/products/{made['id']}/images?alt=A%20teal%20mug", data=photograph(), headers={"Content-Type": "image/jpeg"})
    assert sent.status == 201, sent.text()
    reader = new_shopper(at=owned_shop)
    reader.visit("/products/photographed-mug")
    picture = reader.page.get_by_role("img", name="A teal mug").first
    expect(picture).to_be_visible()
    reader.page.wait_for_function("image => image.complete && image.naturalWidth", arg=picture.element_handle())
    width = int(str(picture.evaluate("image => image.currentSrc")).removesuffix(".webp").rpartition("-")[2])
    assert width in (400, 800, 1600) and width >= picture.evaluate("image => Math.min(1600, image.clientWidth * devicePixelRatio)")


def test_an_address_that_a_product_once_had_leads_to_it(owner: Shopper, new_shopper: Callable[..., Shopper], owned_shop: Shop) -> None:
    made = added(owner, slug="former-mug")
    assert owner.context.request.patch(f"/api/v1/products/{made['id']}", data={"version": made["version"], "slug": "present-mug"}).ok
    reader = new_shopper(at=owned_shop)
    reader.visit("/products/former-mug")
    assert reader.path == "/products/present-mug"
    expect(reader.heading("Clay mug")).to_be_visible()


def test_the_gallery_shows_the_variant_that_is_chosen_and_so_does_the_cart(owner: Shopper, new_shopper: Callable[..., Shopper], owned_shop: Shop) -> None:
    colours = ("Plain", "Sand", "Sea")
    variants = [{"options": {"Colour": colour}, "price_minor": 4900, "stock": 9} for colour in colours]
    made = owner.tell("/products", title="Linen shirt", slug="linen-shirt", options=[{"name": "Colour"}], variants=variants)
    for colour in colours:
        sent = owner.context.request.post(f"/api/v1/products/{made['id']}/images?alt={colour}", data=photograph(), headers={"Content-Type": "image/jpeg"})
        assert sent.status == 201, sent.text()
    owner.visit(f"/admin/products/{made['id']}")
    for place, colour in enumerate(colours[1:], 2):
        owner.page.get_by_label(f"Picture of {colour}").select_option(f"{place}: {colour}", timeout=5000)
    owner.page.get_by_role("button", name="Save", exact=True).click()
    expect(owner.page.get_by_text("Saved. Shoppers see it at once.")).to_be_visible()

    reader = new_shopper(at=owned_shop)
    reader.visit(f"/products/linen-shirt?variant={made['variants'][2]['id']}")
    shown = reader.page.get_by_role("group", name="Pictures")
    for colour in ("Sea", "Plain", "Sand"):
        reader.page.get_by_text(colour, exact=True).first.click()
        expect(shown.get_by_role("img", name=colour)).to_be_in_viewport(ratio=0.9)
    assert reader.context.request.post("/api/v1/cart/items", data={"variant_id": made["variants"][1]["id"], "quantity": 1}).ok
    assert reader.api("/cart")["items"][0]["image"]["alt"] == "Sand"
