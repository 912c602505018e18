"""What the staff sell: products and variants as they write them, every rule for them, their former addresses, and editors who meet."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing
from test_accounts import at_once, rows
from werkzeug.test import TestResponse

from app import db
from app.services import catalogue, categories, products
from app.services.descriptions import rendered, sanitised
from app.services.products import ProductInput, VariantInput

PRODUCTS = "/api/v1/products"
MUG = {"title": "Stoneware mug", "price_minor": 1800, "stock": 5, "sku": "MUG-1"}
SHIRT: dict[str, Any] = {
    "title": "Linen shirt",
    "options": [{"name": "Colour", "values": ["Sand", "Sea"]}, {"name": "Size", "values": ["S", "M"]}],
    "variants": [
        {"options": {"Colour": "Sand", "Size": "S"}, "price_minor": 4900, "stock": 3, "sku": "LS-1", "weight_g": 200, "barcode": "123"},
        {"options": {"Colour": "Sand", "Size": "M"}, "price_minor": 5100, "compare_at_minor": 6000, "stock": 2, "sku": "LS-2"},
        {"options": {"Colour": "Sea", "Size": "S"}, "price_minor": 4900, "tracked": False},
    ],
}


@pytest.fixture
def desk(client: ShopClient) -> ShopClient:
    return client.as_(factories.user("sam", role="staff"))


def added(desk: ShopClient, body: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    answer = desk.post(PRODUCTS, json=(body or MUG) | more)
    assert answer.status_code == 201, answer.json
    return dict(answer.json)


def put(desk: ShopClient, product: dict[str, Any], body: dict[str, Any]) -> TestResponse:
    return desk.put(f"{PRODUCTS}/{product['id']}", json={"version": product["version"]} | body)


def patch(desk: ShopClient, product: dict[str, Any], **body: Any) -> TestResponse:
    return desk.patch(f"{PRODUCTS}/{product['id']}", json={"version": product["version"]} | body)


def to_edit(desk: ShopClient, product: dict[str, Any]) -> dict[str, Any]:
    answer = desk.get(f"/api/v1/admin/products/{product['id']}")
    assert answer.status_code == 200
    return dict(answer.json)


def refused(answer: TestResponse) -> list[str]:
    assert answer.status_code == 422, answer.json
    return sorted(answer.json["errors"])


def movements() -> list[tuple[Any, ...]]:
    return rows("SELECT v.sku, m.quantity, m.reason FROM stock_movements m JOIN variants v ON v.id = m.variant_id ORDER BY m.id")


# ---------------------------------------------------------------- adding


def test_a_price_and_stock_make_a_product_with_one_variant(desk: ShopClient) -> None:
    made = added(desk, brand="Wren", tags=["cup", "clay"], description="<p>Holds tea.</p>")
    assert (made["slug"], made["price_minor"], made["stock"], made["options"], made["tags"]) == ("stoneware-mug", 1800, 5, [], ["cup", "clay"])
    (variant,) = made["variants"]
    assert (variant["sku"], variant["options"], variant["tracked"]) == ("MUG-1", {}, True)
    assert movements() == [("MUG-1", 5, "initial")]
    shown = desk.get(f"{PRODUCTS}/stoneware-mug").json
    assert (shown["description"], shown["brand"], shown["stock"], shown["version"]) == ("<p>Holds tea.</p>", "Wren", 5, made["version"])


def test_options_and_variants_come_out_as_they_went_in(desk: ShopClient) -> None:
    made = added(desk, SHIRT)
    assert made["options"] == SHIRT["options"]
    given = [{"compare_at_minor": None, "stock": 0, "sku": None, "tracked": True, "weight_g": 0, "barcode": ""} | one for one in SHIRT["variants"]]
    assert [{name: one[name] for name in wanted} for one, wanted in zip(made["variants"], given, strict=True)] == given
    assert (made["price_minor"], made["price_max_minor"], made["stock"], made["in_stock"]) == (4900, 5100, 5, True)
    assert to_edit(desk, made) == made


def test_products_of_one_title_get_an_address_each_also_at_once(desk: ShopClient) -> None:
    answers = at_once(6, lambda number: desk.post(PRODUCTS, json=MUG | {"sku": None}).status_code)
    assert set(answers) <= {201, 422} and answers.count(201) >= 1
    assert rows("SELECT COUNT(*), COUNT(DISTINCT slug) FROM products") == [(answers.count(201),) * 2]
    assert added(desk, sku=None)["slug"] != "stoneware-mug"


def test_an_address_that_once_led_elsewhere_is_not_made_of_a_title(desk: ShopClient) -> None:
    former = added(desk)
    assert patch(desk, former, slug="clay-mug").status_code == 200
    assert added(desk, sku="MUG-2")["slug"] == "stoneware-mug-2"


LONG = "x" * 200


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": LONG}, "title"),
        ({"title": "A\nB"}, "title"),
        ({"price_minor": 0}, "price_minor"),
        ({"price_minor": -5}, "price_minor"),
        ({"price_minor": 10**12 + 1}, "price_minor"),
        ({"price_minor": "18"}, "price_minor"),
        ({"price_minor": 18.5}, "price_minor"),
        ({"price_minor": None}, "price_minor"),
        ({"compare_at_minor": 0}, "compare_at_minor"),
        ({"stock": -1}, "stock"),
        ({"stock": 1_000_001}, "stock"),
        ({"sku": "S" * 65}, "sku"),
        ({"weight_g": -1}, "weight_g"),
        ({"barcode": "1" * 33}, "barcode"),
        ({"slug": "Not So"}, "slug"),
        ({"slug": "1984"}, "slug"),
        ({"slug": "a--b"}, "slug"),
        ({"slug": "x" * 181}, "slug"),
        ({"category_id": 99}, "category_id"),
        ({"brand": LONG}, "brand"),
        ({"tags": ["a,b"]}, "tags.0"),
        ({"tags": [""]}, "tags.0"),
        ({"tags": [f"tag {number}" for number in range(31)]}, "tags"),
        ({"tags": [f"{number} {'long' * 10}" for number in range(30)]}, "tags"),
        ({"description": "x" * 100_001}, "description"),
        ({"seo_title": LONG}, "seo_title"),
        ({"seo_description": "x" * 501}, "seo_description"),
        ({"published": "yes"}, "published"),
        ({"colour": "red"}, "colour"),
        ({"rating": 5}, "rating"),
        ({"variants": []}, "variants"),
    ],
    ids=str,
)
def test_each_field_keeps_its_rule_and_says_which(desk: ShopClient, fields: dict[str, Any], field: str) -> None:
    assert refused(desk.post(PRODUCTS, json=MUG | fields)) == [field]
    assert rows("SELECT COUNT(*) FROM products") == [(0,)]


def shirt(*chosen: dict[str, Any], names: tuple[str, ...] = ("Size",), **more: Any) -> dict[str, Any]:
    variants = [{"price_minor": 100} | one for one in chosen]
    return {"title": "Shirt", "options": [{"name": name, "values": None} for name in names], "variants": variants} | more


S, M = {"options": {"Size": "S"}}, {"options": {"Size": "M"}}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (shirt(S, S), "variants.1.options"),
        (shirt(S, {"options": {"Size": "s"}}), "variants.1.options"),
        (shirt(S, {}), "variants.1.options"),
        (shirt(S, {"options": {"Colour": "Red"}}), "variants.1.options"),
        (shirt(S, {"options": {"Size": ""}}), "variants.1.options.Size"),
        (shirt(S, M, names=("Size", "size")), "variants.0.options"),
        (shirt(S, names=("Size", "Colour", "Cut", "Hem")), "options"),
        (shirt(S, M, names=()), "variants.0.options"),
        (shirt({}, {}, names=()), "options"),
        (shirt(S | {"sku": "A"}, M | {"sku": "A"}), "variants.1.sku"),
        (shirt(S, price_minor=100), "price_minor"),
        (shirt(S, options=[{"name": "Size", "values": ["M"]}]), "variants.0.options"),
        (shirt(S, M | {"price_minor": 0}), "variants.1.price_minor"),
        (shirt(S, M | {"image_id": 1}), "variants.1.image_id"),
        (shirt(*({"options": {"Size": str(number)}} for number in range(251))), "variants"),
    ],
    ids=lambda one: one if isinstance(one, str) else None,
)
def test_every_variant_has_options_of_its_own(desk: ShopClient, body: dict[str, Any], field: str) -> None:
    assert refused(desk.post(PRODUCTS, json=body)) == [field]


def test_250_variants_with_a_long_description_are_taken(desk: ShopClient) -> None:
    sizes = [{"options": {"Size": f"Size {number}"}, "sku": f"SKU-{number}", "stock": number} for number in range(250)]
    made = added(desk, shirt(*sizes, description="<p>" + "Words. " * 14_000 + "</p>"))
    assert (made["variant_count"], made["stock"]) == (250, sum(range(250)))


def test_a_body_has_its_bounds(desk: ShopClient) -> None:
    assert desk.post(PRODUCTS, json=MUG | {"description": "x" * 600_000}).status_code == 413
    assert desk.post("/api/v1/categories", json={"name": "x" * 70_000}).status_code == 413


@pytest.mark.parametrize(("field", "value"), [("sku", "MUG-1"), ("slug", "stoneware-mug")])
def test_what_another_product_has_is_said_by_field(desk: ShopClient, field: str, value: str) -> None:
    added(desk)
    body = MUG | {"title": "Other", "sku": "OTHER"} | {field: value}
    assert refused(desk.post(PRODUCTS, json=body)) == [field]
    other = added(desk, title="Other", sku="OTHER")
    assert refused(patch(desk, other, **{field: value})) == [field]
    assert refused(desk.post(PRODUCTS, json=shirt(S, M | {"sku": "MUG-1"}))) == ["variants.1.sku"]


def test_of_many_who_take_one_sku_at_once_one_gets_it(desk: ShopClient) -> None:
    answers = at_once(6, lambda number: desk.post(PRODUCTS, json=MUG | {"title": f"Mug {number}"}))
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 5
    assert {tuple(answer.json["errors"]) for answer in answers if answer.status_code == 422} == {("sku",)}


def test_only_staff_write_products(client: ShopClient, alice: factories.User, mug: Thing) -> None:
    client.as_(alice)
    variant = f"/api/v1/variants/{mug.variant}"
    calls = [
        client.post(PRODUCTS, json=MUG),
        client.delete(f"{PRODUCTS}/{mug.id}"),
        client.delete(variant),
        client.get(f"/api/v1/admin/products/{mug.id}"),
        client.put(variant, json={"price_minor": 1}),
        client.post("/api/v1/categories", json={"name": "Mine"}),
    ]
    assert [answer.status_code for answer in calls] == [403] * 6


# ---------------------------------------------------------------- changing


def test_put_replaces_all_but_the_stock_that_it_does_not_tell(desk: ShopClient) -> None:
    made = added(desk, SHIRT, brand="Wren", tags=["linen"], seo_title="Linen")
    sand_s, sand_m, sea = made["variants"]
    body = SHIRT | {
        "variants": [
            {"id": sea["id"], "options": sea["options"], "price_minor": 5000},
            {"options": {"Colour": "Sand", "Size": "M"}, "price_minor": 5200, "sku": "LS-9", "stock": 7},
            {"options": {"Colour": "Sea", "Size": "M"}, "price_minor": 5300, "sku": "LS-2", "stock": 1},
        ]
    }
    now = put(desk, made, body).json
    assert (now["brand"], now["tags"], now["seo_title"], now["version"]) == ("", [], "", made["version"] + 1)
    # The first by its id, the third by its SKU, and what was left by its options: there is none, so the second is new.
    assert [one["id"] for one in now["variants"]][::2] == [sea["id"], sand_m["id"]]
    assert now["variants"][1]["id"] not in {one["id"] for one in made["variants"]}
    assert (now["price_minor"], now["price_max_minor"], [one["stock"] for one in now["variants"]]) == (5000, 5300, [0, 7, 1])
    assert rows("SELECT sku, archived_at IS NULL FROM variants WHERE id = %s", sand_s["id"]) == [(None, 0)]
    assert [(quantity, reason) for _, quantity, reason in movements()] == [(3, "initial"), (2, "initial"), (-1, "adjusted"), (7, "initial")]


def test_variants_may_swap_their_skus(desk: ShopClient) -> None:
    made = added(desk, shirt(S | {"sku": "A"}, M | {"sku": "B"}))
    body = shirt(S | {"sku": "B", "id": made["variants"][0]["id"]}, M | {"sku": "A", "id": made["variants"][1]["id"]})
    now = put(desk, made, body).json
    assert [(one["id"], one["sku"]) for one in now["variants"]] == [(made["variants"][0]["id"], "B"), (made["variants"][1]["id"], "A")]


def test_patch_changes_what_it_names(desk: ShopClient) -> None:
    made = added(desk, brand="Wren", tags=["cup"], markdown="**Strong**")
    now = patch(desk, made, title="Clay mug", price_minor=2000).json
    assert now == made | {
        "title": "Clay mug",
        "price_minor": 2000,
        "price_max_minor": 2000,
        "version": made["version"] + 1,
        "updated_at": now["updated_at"],
        "variants": [made["variants"][0] | {"price_minor": 2000}],
    }
    assert (now["description"], now["markdown"]) == ("<p><strong>Strong</strong></p>", "**Strong**")
    html = patch(desk, now, description="<p>Plain</p>").json
    assert (html["description"], html["markdown"]) == ("<p>Plain</p>", None)


def test_patch_of_a_product_with_options_changes_no_variant_by_the_way(desk: ShopClient) -> None:
    made = added(desk, SHIRT)
    assert refused(patch(desk, made, price_minor=1)) == ["price_minor"]
    now = patch(desk, made, published=False).json
    assert (now["variants"], now["published"]) == (made["variants"], False)
    assert desk.get(f"{PRODUCTS}/{made['slug']}").status_code == 404


def test_who_saves_over_what_somebody_else_saved_gets_409_and_both_versions(desk: ShopClient) -> None:
    made = added(desk)
    assert patch(desk, made, title="First").status_code == 200
    late = put(desk, made, MUG | {"title": "Second"})
    assert (late.status_code, late.json["code"], late.json["current"]["title"]) == (409, "version_conflict", "First")
    assert late.json["current"] == to_edit(desk, made)
    assert put(desk, late.json["current"], MUG | {"title": "Second"}).json["title"] == "Second"
    assert refused(desk.put(f"{PRODUCTS}/{made['id']}", json=MUG)) == ["version"]


def test_a_price_is_more_than_nothing_but_one_that_is_nothing_may_stay_so(desk: ShopClient, mug: Thing) -> None:
    free = factories.product("Sample", price_minor=0)
    sample = to_edit(desk, {"id": free.id})
    body = {"title": "Sample of wool", "price_minor": 0}
    saved = put(desk, sample, body)
    assert (saved.status_code, saved.json["title"], saved.json["price_minor"]) == (200, "Sample of wool", 0)
    assert desk.put(f"/api/v1/variants/{free.variant}", json={"price_minor": 0}).status_code == 200
    priced = patch(desk, to_edit(desk, sample), price_minor=300).json
    answer = put(desk, priced, body)
    assert refused(answer) == ["price_minor"] and "more than 0" in answer.json["errors"]["price_minor"][0]
    assert refused(desk.put(f"/api/v1/variants/{mug.variant}", json={"price_minor": 0})) == ["price_minor"]


def test_a_tax_class_is_kept_until_it_is_changed(desk: ShopClient) -> None:
    made = added(desk, tax_class="reduced")
    assert (made["tax_class"], added(desk, title="Lamp", sku="L")["tax_class"]) == ("reduced", "standard")
    same = put(desk, made, MUG).json
    assert (same["tax_class"], patch(desk, same, tax_class="zero").json["tax_class"]) == ("reduced", "zero")
    assert refused(desk.post(PRODUCTS, json=MUG | {"tax_class": "luxury"})) == ["tax_class"]


def test_a_gift_card_is_one_from_the_beginning_and_has_neither_stock_nor_weight(desk: ShopClient) -> None:
    card = {"title": "Gift card", "price_minor": 2500, "gift_card": True}
    made = added(desk, card)
    assert made["gift_card"] and [made["variants"][0][name] for name in ("tracked", "stock", "weight_g")] == [False, 0, 0]
    assert [refused(desk.post(PRODUCTS, json=card | {name: value})) for name, value in (("tracked", True), ("stock", 3), ("weight_g", 5))] == [
        ["tracked"], ["stock"], ["weight_g"],
    ]  # fmt: skip
    assert refused(patch(desk, made, weight_g=5)) == ["weight_g"]
    assert put(desk, made, {"title": "Gift card", "price_minor": 3000}).json["gift_card"]
    assert [refused(patch(desk, to_edit(desk, one), gift_card=not one["gift_card"])) for one in (made, added(desk))] == [["gift_card"]] * 2


def test_of_two_editors_at_once_one_is_told(desk: ShopClient) -> None:
    made = added(desk)
    answers = at_once(2, lambda number: patch(desk, made, title=f"Title {number}"))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (winner,) = (answer.json["title"] for answer in answers if answer.status_code == 200)
    (loser,) = (answer.json for answer in answers if answer.status_code == 409)
    assert to_edit(desk, made)["title"] == winner == loser["current"]["title"]


def test_variants_come_and_go_one_by_one(desk: ShopClient) -> None:
    made = added(desk, SHIRT)
    path = f"{PRODUCTS}/{made['id']}/variants"
    more = desk.post(path, json={"options": {"Colour": "Sea", "Size": "M"}, "price_minor": 100, "stock": 4, "sku": "LS-4"})
    assert (more.status_code, more.json["variants"][3]["stock"], more.json["price_minor"]) == (201, 4, 100)
    assert refused(desk.post(path, json={"options": {"Colour": "Sea", "Size": "M"}, "price_minor": 100})) == ["options"]
    assert refused(desk.post(path, json={"options": {"Colour": "Sea", "Size": "L"}, "price_minor": 100, "sku": "LS-1"})) == ["sku"]
    variant = f"/api/v1/variants/{more.json['variants'][3]['id']}"
    changed = desk.put(variant, json={"options": {"Colour": "Sea", "Size": "M"}, "price_minor": 9900, "version": more.json["version"]})
    assert (changed.json["price_max_minor"], changed.json["variants"][3]["stock"], changed.json["variants"][3]["sku"]) == (9900, 4, "LS-4")
    assert desk.put(variant, json={"price_minor": 1, "version": more.json["version"]}).status_code == 409
    assert desk.delete(variant).status_code == 204
    assert [desk.delete(variant).status_code, desk.put(variant, json={"price_minor": 1}).status_code] == [404, 404]
    assert to_edit(desk, made)["price_max_minor"] == 5100


def test_the_last_variant_stays_with_its_product(desk: ShopClient) -> None:
    (variant,) = added(desk)["variants"]
    assert desk.delete(f"/api/v1/variants/{variant['id']}").status_code == 409


def test_a_variant_of_another_product_is_no_variant_of_this_one(desk: ShopClient, mug: Thing) -> None:
    made = added(desk, SHIRT)
    body = SHIRT | {"variants": [SHIRT["variants"][0] | {"id": mug.variant}]}
    assert refused(put(desk, made, body)) == ["variants.0.id"]
    twice = [SHIRT["variants"][place] | {"id": made["variants"][0]["id"]} for place in (0, 1)]
    assert refused(put(desk, made, SHIRT | {"variants": twice})) == ["variants.1.id"]


def test_an_order_and_an_editor_at_once_lose_no_piece(desk: ShopClient, new_client: Callable[[], ShopClient]) -> None:
    made = added(desk, stock=8)
    variant = made["variants"][0]["id"]
    buyers = [new_client() for _ in range(6)]
    for buyer in buyers:
        buyer.add(variant)

    def act(number: int) -> int:
        if number < 6:
            return buyers[number].order(email=f"guest{number}@example.com").status_code
        return patch(desk, to_edit(desk, made), brand=f"Brand {number}").status_code

    answers = at_once(8, act)
    assert answers[:6] == [201] * 6 and set(answers[6:]) <= {200, 409}
    assert factories.stock_of(variant) == 2


def test_saving_a_product_costs_the_same_however_many_variants_it_has(desk: ShopClient, statements: Callable[[], int]) -> None:
    few = added(desk, shirt(S, M))
    many = added(desk, shirt(*({"options": {"Size": str(number)}} for number in range(60))))

    def cost(product: dict[str, Any]) -> int:
        before = statements()
        assert patch(desk, product, brand="Wren").status_code == 200
        return statements() - before

    assert cost(few) == cost(many) < 30


# ---------------------------------------------------------------- archive, former addresses


def test_deleting_archives_and_can_be_taken_back(desk: ShopClient, new_client: Callable[[], ShopClient]) -> None:
    made = added(desk)
    buyer = new_client()
    buyer.add(made["variants"][0]["id"])
    number = buyer.order(email="guest@example.com").json["number"]
    path = f"{PRODUCTS}/{made['id']}"
    assert [desk.delete(path).status_code for _ in range(2)] == [204, 204]
    assert (desk.get(f"{PRODUCTS}/stoneware-mug").status_code, to_edit(desk, made)["archived_at"] is None) == (404, False)
    assert [desk.get(f"/products/{slug}").status_code for slug in ("stoneware-mug", "no-mug")] == [410, 404]
    assert rows("SELECT COUNT(*) FROM order_items WHERE title = 'Stoneware mug'") == [(1,)] and number
    assert desk.post(f"{path}/restoration").json["archived_at"] is None
    assert desk.get(f"{PRODUCTS}/stoneware-mug").status_code == 200
    assert [desk.delete(f"{PRODUCTS}/999").status_code, desk.post(f"{PRODUCTS}/999/restoration").status_code] == [404, 404]
    assert rows("SELECT COUNT(*) FROM events WHERE kind = 'products_changed' AND subject_id = %s", made["id"]) == [(3,)]


def test_former_addresses_lead_to_the_present_one(desk: ShopClient) -> None:
    made = added(desk)
    for slug in ("clay-mug", "tea-mug"):
        made = patch(desk, made, slug=slug).json
    assert [catalogue.present_slug(slug) for slug in ("stoneware-mug", "clay-mug", "tea-mug", "größe", "")] == ["tea-mug", "tea-mug", None, None, None]
    page = desk.get("/products/clay-mug?variant=7")
    assert (page.status_code, page.headers["Location"], desk.get("/products/never-was").status_code) == (301, "/products/tea-mug?variant=7", 404)
    moved = desk.get(f"{PRODUCTS}/clay-mug")
    assert (moved.status_code, moved.headers["Location"], desk.get(f"{PRODUCTS}/never-was").status_code) == (308, f"{PRODUCTS}/tea-mug", 404)
    # Were a redirect kept, a browser would run in circles when the address goes back to what it was.
    assert {one.headers["Cache-Control"] for one in (page, moved)} == {"no-cache"} and "ETag" in desk.get(moved.headers["Location"]).headers
    again = patch(desk, made, slug="stoneware-mug").json
    assert [catalogue.present_slug(slug) for slug in ("stoneware-mug", "tea-mug")] == [None, "stoneware-mug"]
    hidden = patch(desk, again, slug="mug").json
    added(desk, title="Another", sku="B", slug="stoneware-mug")
    assert catalogue.present_slug("stoneware-mug") is None
    assert patch(desk, hidden, published=False).status_code == 200
    assert catalogue.present_slug("tea-mug") is None


def test_two_who_swap_addresses_at_once_leave_no_address_that_leads_two_ways(desk: ShopClient) -> None:
    one, other = added(desk), added(desk, title="Other", sku="B")

    def act(number: int) -> int:
        return patch(desk, one, slug="new-mug").status_code if number == 0 else patch(desk, other, slug="stoneware-mug").status_code

    answers = at_once(2, act)
    assert answers[0] == 200 and answers[1] in (200, 422)
    assert rows("SELECT slug FROM product_slugs WHERE slug IN (SELECT slug FROM products)") == []


# ---------------------------------------------------------------- descriptions

PAYLOAD = "<img src=x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)><a href='javascript:alert(4)' style='position:fixed' id='cart'>x</a>"


@pytest.mark.parametrize("field", ["description", "markdown"])
def test_no_description_carries_a_script(desk: ShopClient, field: str) -> None:
    stored = added(desk, **{field: f"Hello\n\n{PAYLOAD}\n\n[l](javascript:alert(5)) ![i](https://evil.example/x.png)"})["description"]
    tags = re.findall(r"<(\w+)([^>]*)>", stored)
    assert {(name, told) for name, told in tags} <= {("p", ""), ("a", ' rel="nofollow noopener"')}
    assert "Hello" in stored


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("One & two\n\nThree", "<p>One &amp; two</p>\n<p>Three</p>"),
        ("1 < 2", "<p>1 &lt; 2</p>"),
        ("<div>One</div><div>Two</div>", "<p>One</p><p>Two</p>"),
        ("<h1>Big</h1><span>so</span>", "<h2>Big</h2>so"),
        ('<a href="https://a.example/?b=1&amp;c" target="_blank">l</a>', '<a href="https://a.example/?b=1&amp;c" rel="nofollow noopener">l</a>'),
        ('<a href="mailto:a@b.example">m</a>', '<a href="mailto:a@b.example" rel="nofollow noopener">m</a>'),
        ('<table class="x"><tr><td colspan="2">c</td></tr></table>', '<table><tbody><tr><td colspan="2">c</td></tr></tbody></table>'),
        ("<span>only</span>", "<p>only</p>"),
        ("", ""),
    ],
)
def test_a_description_keeps_what_it_may_and_cleaning_it_again_changes_nothing(given: str, kept: str) -> None:
    assert sanitised(given) == kept == sanitised(kept)


def test_markdown_becomes_headings_lists_and_tables() -> None:
    assert rendered("# Care\n\n- **wash** warm\n\n|a|b|\n|-|-|\n|1|2|") == (
        "<h2>Care</h2>\n<ul>\n<li><strong>wash</strong> warm</li>\n</ul>\n"
        "<table>\n<thead>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n<td>2</td>\n</tr>\n</tbody>\n</table>"
    )


# ---------------------------------------------------------------- for imports


def test_an_import_finds_variants_again_and_leaves_what_it_does_not_tell(mug: Thing) -> None:
    def change(tx: db.Tx) -> None:
        wanted = ProductInput(title="Mug", slug=mug.slug, variants=[VariantInput(price_minor=900, sku="NEW")])
        products.replace(tx, mug.id, wanted, actor_id=None, reason="import")

    db.transaction(change)
    assert rows("SELECT id, sku, price_minor, stock FROM variants") == [(mug.variant, "NEW", 900, 5)]
    assert rows("SELECT title, price_minor, version FROM products") == [("Mug", 900, 2)]


# ---------------------------------------------------------------- categories

CATEGORIES = "/api/v1/categories"


def shelf(desk: ShopClient, name: str, parent: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = desk.post(CATEGORIES, json={"name": name, "parent_id": parent and parent["id"]})
    assert answer.status_code == 201, answer.json
    return dict(answer.json)


def moved(desk: ShopClient, category: dict[str, Any], parent: dict[str, Any] | None) -> TestResponse:
    body = {name: category[name] for name in ("name", "slug", "description", "position", "version")}
    return desk.put(f"{CATEGORIES}/{category['id']}", json=body | {"parent_id": parent and parent["id"]})


def test_categories_are_a_tree_that_can_be_reshaped(desk: ShopClient) -> None:
    kitchen, cups = shelf(desk, "Kitchen & Co."), shelf(desk, "Cups")
    assert (kitchen["slug"], shelf(desk, "Cups")["slug"]) == ("kitchen-co", "cups-2")
    below = moved(desk, cups, kitchen).json
    assert (below["parent_id"], below["version"]) == (kitchen["id"], 2)
    assert moved(desk, cups, None).json["current"] == below
    factories.product(category_id=cups["id"], published=False)
    counts = {one["slug"]: one["product_count"] for one in desk.get("/api/v1/admin/categories").json["items"]}
    assert counts == {"kitchen-co": 0, "cups": 1, "cups-2": 0}


@pytest.mark.parametrize(
    ("body", "field"),
    [({"name": ""}, "name"), ({"name": "A", "slug": "Cups"}, "slug"), ({"name": "A", "slug": "cups"}, "slug"), ({"name": "A", "parent_id": 99}, "parent_id")],
)
def test_a_category_keeps_its_rules(desk: ShopClient, body: dict[str, Any], field: str) -> None:
    cups = shelf(desk, "Cups")
    assert refused(desk.post(CATEGORIES, json=body)) == [field]
    assert field != "parent_id" or refused(moved(desk, cups, {"id": 99})) == ["parent_id"]
    other = shelf(desk, "Other")
    assert refused(moved(desk, other | {"slug": "cups"}, None)) == ["slug"]


def test_no_category_stands_below_itself(desk: ShopClient) -> None:
    top = shelf(desk, "Top")
    middle = shelf(desk, "Middle", top)
    low = shelf(desk, "Low", middle)
    assert [refused(moved(desk, top, one)) for one in (top, middle, low)] == [["parent_id"]] * 3


def test_two_moves_at_once_make_no_ring(desk: ShopClient) -> None:
    one, other = shelf(desk, "One"), shelf(desk, "Other")
    answers = at_once(2, lambda number: moved(desk, one, other).status_code if number else moved(desk, other, one).status_code)
    assert sorted(answers) == [200, 422]


def test_a_category_goes_when_it_is_empty_or_lets_what_is_in_it_move_up(desk: ShopClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(categories, "MOVE_BATCH", 2)
    top = shelf(desk, "Top")
    middle = shelf(desk, "Middle", top)
    low = shelf(desk, "Low", middle)
    goods = [factories.product(category_id=middle["id"]) for _ in range(5)]
    path = f"{CATEGORIES}/{middle['id']}"
    assert (desk.delete(path).json["code"], desk.delete(f"{path}?version=9").json["code"]) == ("not_empty", "version_conflict")
    assert desk.delete(f"{path}?move_up=true&version=1").status_code == 204
    assert rows("SELECT DISTINCT category_id FROM products") == [(top["id"],)]
    assert rows("SELECT parent_id FROM categories WHERE id = %s", low["id"]) == [(top["id"],)]
    assert {thing.id for thing in goods} <= {row[0] for row in rows("SELECT product_id FROM product_changes")}
    assert [desk.delete(path).status_code, desk.delete(f"{CATEGORIES}/{low['id']}").status_code] == [404, 204]
    assert desk.delete(f"{CATEGORIES}/{top['id']}?move_up=true").status_code == 204
    assert rows("SELECT DISTINCT category_id FROM products") == [(None,)]
