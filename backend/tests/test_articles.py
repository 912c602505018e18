"""The owner's pages, and the terms that an order accepts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from conftest import ShopClient
from factories import Thing, User
from test_accounts import at_once, rows
from werkzeug.test import TestResponse

from app import db
from app.services import settings

DESK = "/api/v1/admin/articles"


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    return new_client().as_(ada)


def saved(desk: ShopClient, slug: str = "terms", **more: Any) -> TestResponse:
    return desk.put(f"{DESK}/{slug}", json={"title": "Our terms", "markdown": "Be **kind**.", "version": 0} | more)


@pytest.mark.parametrize("slug", ["terms", "privacy", "returns", "imprint"])
def test_a_page_that_nobody_wrote_names_the_seller_in_its_first_html_and_invents_no_markup(client: ShopClient, slug: str) -> None:
    seller = settings.FIRST_VALUES["seller"] | {"name": "Mara & Söhne *<b>*", "line1": "1 Quay", "city": "Gent", "country": "BE", "email": "hello@mara.example"}
    db.transaction(settings.put, "seller", seller)
    page = client.get(f"/{slug}")
    [main] = re.findall(r"<main.*</main>", page.text, re.DOTALL)
    assert (page.status_code, "<h1 data-title>" in main, "noindex" in page.text) == (200, True, False)
    assert f'<link rel="canonical" href="http://127.0.0.1:5099/{slug}">' in page.text
    assert "<b>" not in main and ("Mara &amp; Söhne *&lt;b&gt;*" in main or slug == "returns")
    again = client.get(f"/{slug}", headers={"If-None-Match": page.headers["ETag"]})
    assert again.status_code == 304


def test_what_the_owner_saves_stands_there_at_once_and_earlier_versions_stay_readable(client: ShopClient, desk: ShopClient) -> None:
    assert saved(desk, "returns", markdown="First.<script>alert(1)</script>").json["version"] == 1
    assert saved(desk, "returns", markdown="Second, [see](/terms) or [not](javascript:alert).", version=1).json["version"] == 2
    page = client.get("/returns").text
    assert "<h1 data-title>Our terms</h1>" in page and 'Second, <a href="/terms"' in page
    assert "alert(1)</script>" not in client.get("/returns?version=1").text and 'href="javascript' not in page
    assert "noindex" in client.get("/returns?version=1").text and "First." in client.get("/api/v1/articles/returns?version=1").json["html"]
    assert [client.get(f"/returns?version={wrong}").status_code for wrong in ("3", "x", "-1", "9" * 30)] == [404] * 4
    assert client.get("/api/v1/articles/nothing").status_code == 404
    assert "/returns</loc>" in client.get("/sitemap-0.xml").text
    assert rows("SELECT detail FROM events WHERE kind = 'article_changed'") == [('{"article":"returns"}',)] * 2


def test_of_two_who_saw_the_same_page_one_saves_it_and_the_other_sees_what_stands_there(desk: ShopClient) -> None:
    codes = at_once(2, lambda n: saved(desk, markdown=f"By number {n}.").status_code)
    assert sorted(codes) == [200, 409]
    late = saved(desk)
    assert (late.status_code, late.json["current"]["version"], late.json["current"]["saved_by"]) == (409, 1, "ada")
    assert saved(desk, title="Ours", version=1).status_code == 200
    assert [one["version"] for one in desk.get(DESK).json["items"]] == [2, 0, 0, 0]


def test_an_order_says_which_terms_it_accepts_and_the_owners_own_must_be_accepted(client: ShopClient, desk: ShopClient, mug: Thing) -> None:
    def ordered(**more: Any) -> Any:
        client.add(mug.variant)
        answer = client.order(email="guest@example.com", **more)
        return answer.json["terms_version"] if answer.status_code == 201 else list(answer.json["errors"])

    assert [ordered(), ordered(terms_accepted=True), ordered(terms_accepted=False)] == [None, 0, ["terms_accepted"]]
    saved(desk)
    quote = client.post("/api/v1/checkout/quote", json={}).json
    assert (quote["terms_version"], [one["code"] for one in quote["requirements"]]) == (1, ["terms"])
    assert client.post("/api/v1/checkout/quote", json={"terms_accepted": True}).json["requirements"] == []
    refused = ["terms_accepted"]
    assert [ordered(), ordered(terms_accepted=True, terms_version=0), ordered(terms_accepted=True, terms_version=1)] == [refused, refused, 1]
