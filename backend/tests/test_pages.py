"""The pages as they are sent. Every file of the frontend that is there is walked."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing
from flask import Flask

from app import db, pages
from app.errors import Unavailable
from app.modules import join, resolve
from app.pages import FRONTEND, THEMES, Page, Site, fill
from app.routes.pages import CARD_SIZES, GALLERY_SIZES, PLAIN_PAGES
from app.services import catalogue

SITE = Site()
NAMES = sorted(SITE.pages)
SOURCES = sorted(path.relative_to(FRONTEND).as_posix() for path in (FRONTEND / "js").rglob("*.js"))
SCRIPTS = sorted(address for address in SITE.assets if address.endswith(".js"))
EVIL = "</script><script>alert(1)</script><!-- \u2028 & \" ' <marquee>"


class Elements(HTMLParser):
    """The elements of a page: name and attributes, with the text of titles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.comments: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data.strip())

    def named(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.found if tag in tags]


def filled(name: str, theme: str = "auto", **more: Any) -> str:
    return fill(SITE.pages[name][theme], name="Shop & Co", **more).decode()


def data_of(text: str) -> Any:
    (block,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, flags=re.DOTALL)
    return json.loads(block)


# ---------------------------------------------------------------- the files


def test_every_address_has_its_page() -> None:
    assert {"index", "product", "404", *PLAIN_PAGES.values()} - set(NAMES) == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_whole(name: str) -> None:
    text = filled(name)
    page = Elements(text)
    assert text.lower().startswith("<!doctype html>")
    # The page of a fault is filled again, with the id of the request that failed.
    assert page.comments == (["request_id"] if name == "error" else []), "a comment was left unfilled"
    (html,) = page.named("html")
    assert html["lang"] and html["data-theme"] == "auto"
    metas = page.named("meta")
    assert "<meta charset=" in text[:1024], "browsers look no further for it"
    assert all("width=device-width" in one["content"] for one in metas if one.get("name") == "viewport")
    assert len(page.named("title")) == len([one for one in metas if one.get("name") == "description"]) == len(page.named("main")) == 1
    assert len(SITE.pages[name]["auto"].title) > 3
    assert len(SITE.pages[name]["auto"].description) > 15


def test_no_two_pages_have_the_same_title() -> None:
    titles = [SITE.pages[name]["auto"].title for name in NAMES]
    assert sorted(set(titles)) == sorted(titles)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_holds_nothing_that_the_policy_forbids(name: str) -> None:
    page = Elements(filled(name, data=b"{}"))
    assert page.named("style", "base", "object", "embed", "iframe") == []
    for tag, attributes in page.found:
        inline = [attribute for attribute in attributes if attribute.startswith("on") or attribute == "style"]
        assert inline == [], (tag, attributes)
        assert not any(value.strip().lower().startswith("javascript:") for value in attributes.values())
    scripts = page.named("script")
    assert all(one.get("src", "").startswith("/s/") or one.get("type") == "application/json" for one in scripts)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_asks_nothing_of_other_sites(name: str) -> None:
    for tag, attributes in Elements(filled(name)).found:
        for attribute in ("src", "srcset", "action", "poster") + (("href",) if tag == "link" else ()):
            assert not re.match(r"\s*(https?:)?//", attributes.get(attribute, "")), (tag, attributes)


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_a_page_loads_is_there(name: str) -> None:
    used = re.findall(r'["\s,]/s/([^/"]+)/([^"#?\s]+)', filled(name))
    assert used
    assert {version for version, _ in used} == {SITE.version}
    assert {address for _, address in used} - SITE.assets.keys() == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_a_page_leads_somewhere(name: str, app: Flask) -> None:
    links = [one["href"] for one in Elements(filled(name)).named("a") if "href" in one]
    adapter = app.url_map.bind("localhost")
    local = [link.split("#")[0].split("?")[0] for link in links if link.startswith("/")]
    assert [link for link in local if not adapter.test(link, "GET")] == []
    others = [link for link in links if not link.startswith(("/", "#", "?", "https://", "mailto:"))]
    assert others == [] or (name == "error" and others == [""]), "only the page of a fault may lead to itself"


@pytest.mark.parametrize("name", NAMES)
def test_no_form_puts_a_password_into_the_address(name: str) -> None:
    text = filled(name)
    for form in re.findall(r"<form\b.*?</form>", text, flags=re.DOTALL):
        opening, *inputs = Elements(form).found
        secret = [one for tag, one in inputs if tag == "input" and one.get("type") in ("password", "email", "tel") or one.get("name") == "otp"]
        assert not secret or opening[1].get("method", "").lower() == "post", opening


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_and_field_of_a_page_has_its_name(name: str) -> None:
    page = Elements(filled(name))
    assert [one for one in page.named("img") if "alt" not in one] == []
    labelled = {one.get("for") for one in page.named("label")}
    fields = [one for one in page.named("input", "select", "textarea") if one.get("type") not in ("hidden", "submit", "button")]
    unnamed = [one for one in fields if one.get("id") not in labelled and not {"aria-label", "aria-labelledby"} & one.keys()]
    wrapped = re.findall(r"<label\b[^>]*>(?:(?!</label>).)*<(?:input|select|textarea)\b([^>]*)>", filled(name), flags=re.DOTALL)
    assert [one for one in unnamed if not any(f'name="{one.get("name")}"' in text for text in wrapped)] == []
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_asks_for_all_its_modules_at_once(name: str) -> None:
    text = filled(name)
    root = f"/s/{SITE.version}/"
    page = Elements(text)
    preloaded = {one["href"].removeprefix(root) for one in page.named("link") if one.get("rel") == "modulepreload"}
    wanted, queue = set[str](), [one["src"].removeprefix(root) for one in page.named("script") if one.get("type") == "module"]
    while queue:
        module = queue.pop()
        if module not in wanted:
            wanted.add(module)
            queue += _imports(module)
    assert preloaded == wanted


def _imports(module: str) -> Iterator[str]:
    for relative in re.findall(r"""^\s*(?:import|export)\b[^;"']*["'](\.{1,2}/[^"']+)["']""", SITE.assets[module].content.decode(), flags=re.MULTILINE):
        yield resolve(module, relative)


@pytest.mark.parametrize("module", SCRIPTS)
def test_every_import_of_a_module_is_there(module: str) -> None:
    text = SITE.assets[module].content.decode()
    assert [address for address in _imports(module) if address not in SITE.assets] == []
    lazy = [resolve(module, relative) for relative in re.findall(r"""import\(\s*["'](\.{1,2}/[^"']+)""", text)]
    assert [address for address in lazy if address not in SITE.assets] == []
    bare = re.findall(r"""^\s*import\b[^;"']*["']([^."'/][^"']*)["']""", text, flags=re.MULTILINE)
    assert bare == []


@pytest.mark.parametrize("module", SOURCES)
def test_only_one_module_writes_markup_and_only_one_calls_the_server(module: str) -> None:
    text = re.sub(r"//.*|/\*.*?\*/", "", (FRONTEND / module).read_text(encoding="utf-8"))
    writes = re.findall(r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTMLUnsafe)\b", text)
    assert writes == [] or module == "js/lib/html.js"
    calls = set(re.findall(r"(?<![.\w])fetch\(|XMLHttpRequest|\beval\(|new Function\(", text))
    # An upload says how far it is, which fetch() cannot.
    assert calls <= {"js/lib/api.js": {"fetch("}, "js/lib/upload.js": {"XMLHttpRequest"}}.get(module, set())


def test_common_modules_are_sent_as_one_and_each_runs_once() -> None:
    """Whoever asks for one of them, in whatever way, asks for the one that holds it; what is further away keeps its address."""
    sent = join(
        {
            "js/lib/everywhere.js": 'export * from "./a.js";\nexport * from "../components/b.js";\n',
            "js/lib/a.js": "let count = 0;\nexport const up = () => (count += 1);\n",
            "js/components/b.js": 'import { up } from "../lib/a.js";\nexport function more() { up(); return import("./c.js"); }\n',
            "js/components/c.js": 'import "./d.js";\nimport { up } from "../lib/a.js";\nconst late = () => import("./b.js");\n',
        }
    )
    assert sent == {
        "js/lib/everywhere.js": "const { up } = (() => {\nlet count = 0;\nconst up = () => (count += 1);\nreturn { up };\n})();\n"
        'const { more } = (() => {\nfunction more() { up(); return import("../components/c.js"); }\nreturn { more };\n})();\nexport { up, more };\n',
        "js/components/c.js": 'import "./d.js";\nimport { up } from "../lib/everywhere.js";\nconst late = () => import("../lib/everywhere.js");\n',
    }


@pytest.mark.parametrize(
    "text", ['import { x } from "./late.js";\n', 'import { up as x } from "./a.js";\n', "export default 1;\n", "export let x = 1;\n", "export const up = 1;\n"]
)
def test_a_module_that_cannot_be_joined_stops_the_start(text: str) -> None:
    modules = {"js/lib/a.js": "export const up = 1;\n", "js/lib/b.js": text, "js/lib/late.js": "export const x = 1;\n"}
    with pytest.raises(ValueError, match=r"js/lib/b\.js"):
        join(modules | {"js/lib/everywhere.js": "".join(f'export * from "./{name}.js";\n' for name in ("a", "b", "late"))})


STYLESHEETS = ("css/app.css", "css/admin.css")


@pytest.mark.parametrize("name", STYLESHEETS)
def test_a_stylesheet_is_one_and_complete(name: str) -> None:
    text = SITE.assets[name].content.decode()
    assert "@import" not in text
    used = re.findall(r'url\(["\']?([^)"\']+)', text)
    assert [address for address in used if not address.startswith("data:") and resolve(name, address) not in SITE.assets] == []
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_light(name: str) -> None:
    """Gzipped: 40 KB of modules and 20 KB of style for shoppers, 90 and 25 for staff."""
    loaded = set(re.findall(rf'"/s/{SITE.version}/([^"#]+)"', filled(name)))
    weight = {kind: sum(len(SITE.assets[one].zipped or b"") / 1024 for one in loaded if one.endswith(kind)) for kind in (".js", ".css")}
    most = (90, 25) if name.startswith("admin/") else (40, 20)
    assert 0 < weight[".js"] <= most[0] and 0 < weight[".css"] <= most[1], weight


# ---------------------------------------------------------------- as they are sent


ADDRESSES = {"/": "index"} | {f"/{address.replace('<number>', 'FC-ABCDEFGH')}": name for address, name in PLAIN_PAGES.items() if name in NAMES}


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_is_asked_for_anew_and_sent_again_only_when_it_changed(client: ShopClient, address: str) -> None:
    first = client.get(address)
    assert (first.status_code, first.content_type) == (200, "text/html; charset=utf-8")
    assert first.headers["Cache-Control"] == "no-cache"
    assert {"Cookie", "Accept-Encoding"} <= set(re.split(r",\s*", first.headers["Vary"]))
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get(address + "?x=1").status_code == 200


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_is_compressed_for_who_can_read_that(client: ShopClient, address: str) -> None:
    plain, small = client.get(address), client.get(address, headers={"Accept-Encoding": "gzip, br"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(small.data) == plain.data
    assert small.headers["ETag"] != plain.headers["ETag"]


@pytest.mark.parametrize("address", sorted(set(ADDRESSES) - {"/"}))
def test_what_is_personal_is_kept_out_of_search_engines(client: ShopClient, address: str) -> None:
    assert '<meta name="robots" content="noindex">' in client.get(address).text


@pytest.mark.parametrize(("cookie", "theme"), [("dark", "dark"), ("light", "light"), ("auto", "auto"), ("", "auto"), ('"><script>', "auto"), ("DARK", "auto")])
def test_the_theme_is_in_the_markup_before_anything_is_drawn(client: ShopClient, cookie: str, theme: str) -> None:
    client.set_cookie("theme", cookie)
    for address in ("/", "/cart", "/nowhere"):
        (html,) = Elements(client.get(address).text).named("html")
        assert html["data-theme"] == theme


def test_the_themes_differ_in_nothing_else() -> None:
    for name in NAMES:
        one, *others = [filled(name, theme).replace(f'data-theme="{theme}"', "") for theme in THEMES]
        assert all(other == one for other in others)


def test_an_asset_is_kept_for_ever_under_its_version(client: ShopClient) -> None:
    kinds = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
    for name, asset in SITE.assets.items():
        address, suffix = f"/s/{SITE.version}/{name}", Path(name).suffix
        first = client.get(address)
        assert (first.status_code, first.data) == (200, asset.content), name
        assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable", name
        assert client.get(address, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304, name
        assert first.content_type == kinds.get(suffix, first.content_type) != "application/octet-stream", name
        if suffix in pages.COMPRESSED:
            zipped = client.get(address, headers={"Accept-Encoding": "gzip"})
            assert (zipped.headers["Content-Encoding"], zipped.headers["Vary"]) == ("gzip", "Accept-Encoding"), name
            assert gzip.decompress(zipped.data) == first.data, name
            assert first.headers["ETag"] != zipped.headers["ETag"], name


def test_an_old_version_is_not_kept_for_ever(client: ShopClient) -> None:
    answer = client.get("/s/0123456789ab/css/app.css")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize("name", ["css/none.css", "", "../index.html", "..%2findex.html", "partials/head.html", "index.html", "css", "css/../js/shop.js"])
def test_only_assets_are_served_as_such(client: ShopClient, name: str) -> None:
    assert client.get(f"/s/{SITE.version}/{name}").status_code == 404


def test_a_change_of_any_asset_is_a_new_version(tmp_path: Path) -> None:
    shutil.copytree(FRONTEND, tmp_path / "frontend")
    assert Site(tmp_path / "frontend").version == SITE.version
    (tmp_path / "frontend" / "images" / "favicon.svg").write_text("<svg/>")
    assert Site(tmp_path / "frontend").version != SITE.version


def test_a_page_without_a_title_or_description_stops_the_start(tmp_path: Path) -> None:
    shutil.copytree(FRONTEND, tmp_path / "frontend")
    (tmp_path / "frontend" / "bare.html").write_text("<!doctype html><title>Bare</title>")
    with pytest.raises(ValueError, match="title or description"):
        Site(tmp_path / "frontend")


# ---------------------------------------------------------------- data in pages


def test_no_markup_begins_in_the_data_of_a_page() -> None:
    page = Page("", "T", "D", "<main>", "</main>")
    data = json.dumps({"title": EVIL, "more": ["</SCRIPT", "<!--"]}, ensure_ascii=False).encode()
    text = fill(page, name=EVIL, title=EVIL, description=EVIL, data=data).decode()
    assert data_of(text) == {"title": EVIL, "more": ["</SCRIPT", "<!--"]}
    assert text.count("<script") == text.count("</script") == 1
    assert "<marquee>" not in text and "<!--" not in text and "\u2028" not in re.findall(r"id=\"data\">(.*?)</script>", text)[0]


@pytest.fixture
def evil(shop: Flask) -> Thing:
    category_id = factories.category(EVIL)
    images = [("demo/evil.svg", EVIL, 800, 800)]
    return factories.product(EVIL, slug="evil", description=f"<p>Fine.</p>{EVIL}", brand=EVIL, tags=[EVIL], category_id=category_id, images=images)


@pytest.mark.parametrize(
    "address", ["/", "/products/evil", "/?q=%3C%2Fscript%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/?category=script-script-alert-1-script-marquee"]
)
def test_a_hostile_name_stays_a_name_on_every_page_that_shows_it(client: ShopClient, evil: Thing, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200
    page = Elements(answer.text)
    ours = ("application/json", "application/ld+json")
    assert all(one.get("src", "").startswith("/s/") or one.get("type") in ours for one in page.named("script"))
    assert "alert(1)</script>" not in answer.text
    assert page.comments == []
    assert page.named("marquee") == []


def test_the_home_page_brings_the_first_list_with_it(client: ShopClient, mug: Thing) -> None:
    factories.category("Kitchen")
    data = data_of(client.get("/").text)
    assert data == {"products": client.get("/api/v1/products").json, "categories": client.get("/api/v1/categories").json}
    sorted_data = data_of(client.get("/?sort=price_asc&q=mug").text)
    assert sorted_data["products"] == client.get("/api/v1/products?sort=price_asc&q=mug").json


def test_a_list_that_the_server_did_not_make_is_left_to_the_page(client: ShopClient, mug: Thing) -> None:
    assert data_of(client.get("/?price_min=100").text).keys() == {"categories"}


@pytest.mark.parametrize("query", ["sort=nonsense", "q=" + "x" * 500, "q=%00", "category="])
def test_an_odd_question_to_the_home_page_is_still_answered(client: ShopClient, mug: Thing, query: str) -> None:
    assert client.get(f"/?{query}").status_code == 200


def test_the_home_page_names_itself_and_a_search_hides(client: ShopClient, mug: Thing) -> None:
    factories.category("Kitchen")
    assert '<link rel="canonical" href="http://127.0.0.1:5099/">' in client.get("/").text
    assert '<link rel="canonical" href="http://127.0.0.1:5099/?category=kitchen">' in client.get("/?category=kitchen").text
    assert "<title>Kitchen · FlaskCart</title>" in client.get("/?category=kitchen").text
    searched = client.get("/?q=mug").text
    assert '<meta name="robots" content="noindex">' in searched
    assert "<title>Search: mug · FlaskCart</title>" in searched


def test_a_product_page_brings_its_product_with_it(client: ShopClient) -> None:
    thing = factories.product("Stoneware mug", description="<p>Holds <b>0.4&nbsp;l</b>\n &amp; stays warm.</p>", images=[("demo/mug.svg", "A mug", 800, 800)])
    text = client.get(f"/products/{thing.slug}").text
    assert data_of(text) == {"product": client.get(f"/api/v1/products/{thing.slug}").json}
    metas = {one.get("name") or one.get("property"): one.get("content") for one in Elements(text).named("meta")}
    assert "<title>Stoneware mug · FlaskCart</title>" in text
    assert metas["description"] == "Holds 0.4 l & stays warm."
    assert (metas["og:title"], metas["og:type"], metas["og:image"]) == ("Stoneware mug · FlaskCart", "product", "http://127.0.0.1:5099/media/demo/mug.svg")
    assert f'<link rel="canonical" href="http://127.0.0.1:5099/products/{thing.slug}">' in text


def test_a_page_has_one_address_only(client: ShopClient, mug: Thing) -> None:
    for address in (f"/products/{mug.slug}%20", f"/products/{mug.slug}?from=mail"):
        answer = client.get(address)
        assert answer.status_code == 404 or f'href="http://127.0.0.1:5099/products/{mug.slug}"' in answer.text


@pytest.mark.parametrize(
    "address", ["/products/nothing", "/products/STONEWARE-MUG", "/products/%E6%97%A5", "/?category=nothing", "/nowhere", "/a/b/c", "/cart/x", "/index.html"]
)
def test_what_is_not_there_has_a_page_that_helps(client: ShopClient, mug: Thing, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "<title>Page not found · FlaskCart</title>" in answer.text
    assert '<meta name="robots" content="noindex">' in answer.text
    assert [one for one in Elements(answer.text).named("a") if one.get("href") == "/"]


def test_what_is_not_there_for_a_script_is_a_problem(client: ShopClient) -> None:
    for address in ("/api/nothing", "/api/v1/nothing", "/media/nothing.svg", "/s/x/nothing.js"):
        answer = client.get(address)
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_search_engines_may_read_the_catalogue_and_nothing_personal(client: ShopClient) -> None:
    answer = client.get("/robots.txt")
    assert answer.content_type.startswith("text/plain")
    rules = answer.text.splitlines()
    assert rules[0] == "User-agent: *"
    assert {"Disallow: /cart", "Disallow: /checkout", "Disallow: /orders", "Disallow: /account", "Disallow: /api/"} <= set(rules)
    assert not {"Disallow: /", "Disallow: /products", "Disallow: /media", "Disallow: /s"} & set(rules)


# ---------------------------------------------------------------- pictures of products


@pytest.fixture
def uploads(shop: Flask) -> Iterator[Path]:
    var: Path = shop.config["SHOP"].var
    folder = var / "uploads" / "tested"
    folder.mkdir(parents=True)
    (folder / "mug-1.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "mug-1.webp").write_bytes(b"RIFF0000WEBP")
    for name in ("page.html", "half.part", "script.js", "UPPER.svg", ".svg"):
        (folder / name).write_text("<script>alert(1)</script>")
    (var / "outside.svg").write_text("<svg>alert(1)</svg>")
    yield folder
    shutil.rmtree(folder)
    (var / "outside.svg").unlink()


def test_a_picture_is_kept_for_ever_and_can_do_nothing(client: ShopClient, uploads: Path) -> None:
    picture = client.get("/media/tested/mug-1.svg")
    assert (picture.status_code, picture.mimetype) == (200, "image/svg+xml")
    assert picture.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert picture.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    small = client.get("/media/tested/mug-1.svg", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(small.data) == picture.data
    assert client.get("/media/tested/mug-1.webp").mimetype == "image/webp"


WAYS_OUT = ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "tested/../../", "tested/..%2f..%2f", "tested/%2e%2e/%2e%2e/"]
NO_PICTURES = ["page.html", "half.part", "script.js", "UPPER.svg", ".svg", "mug-1.svg/x.svg", "mug-1.svg%00", "mug-1.svg%0a", ""]
ODD = ["/etc/passwd", "%2fetc%2fpasswd", "//etc/passwd", "../secret_key", "%00", "tested", "", "a" * 300 + ".svg", "a/" * 200 + "x.svg"]


@pytest.mark.parametrize("name", [*(f"{way}outside.svg" for way in WAYS_OUT), *(f"tested/{name}" for name in NO_PICTURES), *ODD])
def test_nothing_but_pictures_comes_out_of_the_folder(client: ShopClient, uploads: Path, name: str) -> None:
    answer = client.get(f"/media/{name}")
    assert answer.status_code in (404, 308)
    assert b"alert(1)" not in answer.data and b"root:" not in answer.data
    assert client.get(f"/media/{name}", follow_redirects=True).status_code == 404


def test_a_page_that_cannot_be_made_says_so_to_people(client: ShopClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "list_categories", lambda: 1 / 0)
    page = client.get("/", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, page.mimetype, page.headers["Cache-Control"]) == (500, "text/html", "no-store")
    assert "Something went wrong on our side" in page.text
    assert page.headers["X-Request-Id"] in page.text
    assert client.get("/", headers={"Accept": "application/json"}).mimetype == "application/problem+json"


def test_a_page_asks_to_come_back_while_the_database_is_away(client: ShopClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(catalogue, "list_categories", away)
    page = client.get("/", headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype, page.headers["Retry-After"]) == (503, "text/html", "2")


def test_the_first_picture_is_asked_for_in_the_width_that_the_page_will_choose(client: ShopClient, mug: Thing) -> None:
    with db.reading() as tx:
        sql = "INSERT INTO images (product_id, position, path, width, height, widths) VALUES (%s, 1, 'ab/mug-800.webp', 800, 800, '400 800')"
        tx.execute(sql, (mug.id,)).close()
    srcset = client.get(f"/api/v1/products/{mug.slug}").json["image"]["srcset"]
    page = client.get(f"/products/{mug.slug}").text
    assert f'imagesrcset="{srcset}" imagesizes="{GALLERY_SIZES}"' in page
    assert f'sizes: "{GALLERY_SIZES}"' in SITE.assets["js/pages/product.js"].content.decode()
    assert f'sizes = "{CARD_SIZES}"' in (FRONTEND / "js/components/product-card.js").read_text(encoding="utf-8")
