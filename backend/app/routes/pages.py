from __future__ import annotations

import gzip
import hashlib
import html
import re
from collections.abc import Callable
from urllib.parse import quote

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException

from .. import seo
from ..config import Settings
from ..errors import NotFound, ShopError
from ..http import anyone, as_json, moved_to, problem
from ..pages import THEMES, Asset, Page, Site, fill
from ..services import articles, catalogue, settings, sitemap, trends
from ..services.articles import SLUGS, Slug
from ..services.catalogue import Category, Image, Wish
from ..text import normalize_text

bp = Blueprint("pages", __name__)
FOR_EVER = "public, max-age=31536000, immutable"
# What stands in an upload can do nothing in a browser but be shown.
MEDIA_CSP = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
# Names are the shop's own, so whatever is no such name, a way out of the folder above all, is no picture.
# Pictures in messages lie there, too, and are nobody's to see but whose they are.
MEDIA_NAME = re.compile(r"(?!attachments/)[a-z0-9](?:[a-z0-9/-]{0,180}[a-z0-9])?\.(svg|webp)")
# As product-card.js and product.js say how wide a picture is shown: another word here, and the browser fetches it twice.
CARD_SIZES = "(min-width: 48rem) 22vw, 46vw"
GALLERY_SIZES = "(min-width: 84rem) 44rem, (min-width: 52rem) 52vw, 100vw"
PLAIN_PAGES = {
    "cart": "cart",
    "wishlist": "wishlist",
    "checkout": "checkout",
    "orders": "orders",
    "orders/<number>": "order",
    "login": "login",
    "register": "register",
    "verify": "verify",
    "forgot-password": "forgot-password",
    "reset-password": "reset-password",
    "account": "account",
    "account/profile": "account-profile",
    "account/addresses": "account-addresses",
    "account/security": "account-security",
    "account/privacy": "account-privacy",
    "gift-cards": "gift-cards",
    "contact": "contact",
    "cart-reminders/unsubscribe": "cart-reminders",
    "newsletter/confirm": "newsletter-confirm",
    "newsletter/unsubscribe": "newsletter-unsubscribe",
    "tickets": "tickets",
    "tickets/<number>": "ticket",
    "setup": "setup",
    "api/docs": "api-docs",
    "admin": "admin/index",
    "admin/orders": "admin/orders",
    "admin/orders/new": "admin/order-new",
    "admin/orders/<number>": "admin/order",
    "admin/coupons": "admin/coupons",
    "admin/gift-cards": "admin/gift-cards",
    "admin/payments": "admin/payments",
    "admin/products": "admin/products",
    "admin/products/<number>": "admin/product",
    "admin/categories": "admin/categories",
    "admin/inventory": "admin/inventory",
    "admin/reviews": "admin/reviews",
    "admin/messages": "admin/messages",
    "admin/messages/<number>": "admin/message",
    "admin/tickets": "admin/tickets",
    "admin/tickets/<number>": "admin/ticket",
    "admin/imports": "admin/imports",
    "admin/mails": "admin/mails",
    "admin/newsletters": "admin/newsletters",
    "admin/newsletters/subscribers": "admin/subscribers",
    "admin/newsletters/<number>": "admin/newsletter",
    "admin/jobs": "admin/jobs",
    "admin/events": "admin/events",
    "admin/backups": "admin/backups",
    "admin/settings": "admin/settings",
    "admin/users": "admin/users",
    "admin/users/<number>": "admin/user",
    "admin/pages": "admin/pages",
}


FIRST_QUESTIONS = {"cart": "/cart", "checkout": "/shop", "orders": "/orders?limit=12", "order": "/orders/{number}"}


def site() -> Site:
    if current_app.debug:
        return Site()
    return current_app.extensions["site"]  # type: ignore[no-any-return]


def themed(name: str) -> Page:
    theme = request.cookies.get("theme", "auto")
    return site().pages[name][theme if theme in THEMES else "auto"]


def send(content: bytes, status: int = 200) -> Response:
    """A page: asked for anew each time, but sent again only when it changed."""
    response = Response(content, status, mimetype="text/html")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Cookie, Accept-Encoding"
    if "gzip" in request.headers.get("Accept-Encoding", "") and status == 200:
        response.set_data(gzip.compress(content, 5, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    response.set_etag(hashlib.blake2b(response.get_data(), digest_size=12).hexdigest())
    response.make_conditional(request)
    return response


def shop_settings() -> Settings:
    return current_app.config["SHOP"]  # type: ignore[no-any-return]


@bp.get("/")
@anyone
def home() -> Response:
    """The shop window and the catalogue, with the data of the first page of products."""
    wish = Wish(
        q=normalize_text(request.args.get("q", ""))[:120],
        category=request.args.get("category", "")[:120],
        sort=request.args.get("sort", "") if request.args.get("sort", "") in ("relevance", *catalogue.SORTS) else "",
    )
    shop = settings.public()
    try:
        products = catalogue.list_products(wish, shop["currency"])
    except NotFound:
        return not_found()
    if wish.q and products["total"]:
        trends.note_search(shop_settings().var / "search", wish.q, request.remote_addr or "", request.user_agent.string)
    categories = catalogue.list_categories()
    chosen = next((one for one in categories["items"] if one["slug"] == wish.category), None)
    title = f"{chosen['name']} · {shop['name']}" if chosen else f"Search: {wish.q} · {shop['name']}" if wish.q else shop["name"]
    description = chosen["description"] if chosen else ""
    head = _head_of_list(shop["name"], title, description, chosen) if not request.args or set(request.args) == {"category"} else seo.HIDDEN
    if chosen and products["items"]:
        head += _picture_first(products["items"][0]["image"], CARD_SIZES)
    data = {"products": products, "categories": categories} if set(request.args) <= {"q", "category", "sort"} else {"categories": categories}
    return send(fill(themed("index"), name=shop["name"], title=title, description=description, head=head, data=as_json(data)))


def _head_of_list(shop: str, title: str, description: str, category: Category | None) -> str:
    site, path = shop_settings().url, f"/?category={category['slug']}" if category else "/"
    image = category["image"] if category else None
    told = [seo.breadcrumbs(site, None, category["name"], path)] if category else [seo.organisation(site, shop), seo.website(site, shop)]
    preview = seo.preview(site, shop, kind="website", title=title, description=description, path=path, image=image)
    return seo.canonical(site, path) + preview + seo.structured(*told)


@bp.get("/products/<slug>")
@anyone
def product(slug: str) -> Response:
    """A product with its data."""
    shop = settings.public()
    try:
        found = catalogue.get_product(slug, shop["currency"])
    except NotFound:
        return moved_or_not_found(slug)
    site, path = shop_settings().url, f"/products/{found['slug']}"
    description = seo.summary(found["description"])
    title = f"{found['title']} · {shop['name']}"
    head = seo.canonical(site, path) + _picture_first(found["image"], GALLERY_SIZES)
    head += seo.preview(site, shop["name"], kind="product", title=title, description=description, path=path, image=found["image"])
    head += seo.structured(seo.product(site, found), seo.breadcrumbs(site, found["category"], found["title"], path), seo.organisation(site, shop["name"]))
    return send(fill(themed("product"), name=shop["name"], title=title, description=description, head=head, data=as_json({"product": found})))


def moved_or_not_found(slug: str) -> Response:
    """Links to an address that a product once had lead to where it is now; of what was put away search engines learn that it is gone."""
    present = catalogue.present_slug(slug)
    if present is None:
        return not_found(410 if catalogue.is_archived(slug) else 404)
    query = f"?{request.query_string.decode('ascii', 'ignore')}" if request.query_string else ""
    return moved_to(f"/products/{present}{query}", 301)


def _picture_first(image: Image | None, sizes: str) -> str:
    """Ask for the page's main picture before its modules have drawn it, in the width that they will choose."""
    if not image:
        return ""
    widths = f' imagesrcset="{html.escape(image["srcset"])}" imagesizes="{sizes}"' if "srcset" in image else ""
    return f'<link rel="preload" as="image" href="{html.escape(image["src"])}"{widths} fetchpriority="high">\n'


def plain_page(name: str, head: str = "") -> Response:
    return send(fill(themed(name), name=settings.known_name(), head=seo.HIDDEN + head))


def _asked_first(address: str, token: str) -> str:
    """A page's first question to the API goes out with the page, and not after its modules. As api.js writes it, or it is asked twice."""
    return f'<link rel="preload" as="fetch" href="/api/v1{html.escape(address)}{f"?token={quote(token)}" if token else ""}" crossorigin>\n'


def _serve(name: str) -> Callable[..., Response]:
    @anyone
    def show(number: str = "") -> Response:
        asked = FIRST_QUESTIONS.get(name)
        return plain_page(name, _asked_first(asked.format(number=quote(number)), request.args.get("token", "")) if asked else "")

    return show


for address, name in PLAIN_PAGES.items():
    bp.add_url_rule(f"/{address}", endpoint=name, view_func=_serve(name))


def _article(slug: Slug) -> Response:
    """A page that the owner wrote, whole in its first HTML; an earlier version, as an order accepted it, is not for search engines."""
    asked = request.args.get("version", "")
    shop = settings.public()["name"]
    try:
        found = articles.get(slug, int(asked) if re.fullmatch(r"[0-9]{1,9}", asked, re.ASCII) else None if not asked else -1)
    except NotFound:
        return not_found()
    site, title, description = shop_settings().url, f"{found['title']} · {shop}", seo.summary(found["html"])
    head = seo.HIDDEN if asked else seo.canonical(site, f"/{slug}")
    head += seo.preview(site, shop, kind="article", title=title, description=description, path=f"/{slug}", image=None)
    when = f'<p class="soft small">Version {found["version"]}, of {found["saved_at"]:%d %B %Y}.</p>' if found["saved_at"] else ""
    page = fill(themed("article"), name=shop, title=title, description=description, head=head)
    for place, markup in ((b"data-title>", html.escape(found["title"])), (b"data-article>", f"{found['html']}\n{when}")):
        page = page.replace(place, place + markup.encode(), 1)
    return send(page)


def _serve_article(slug: Slug) -> Callable[[], Response]:
    @anyone
    def show() -> Response:
        return _article(slug)

    return show


for slug in SLUGS:
    bp.add_url_rule(f"/{slug}", endpoint=slug, view_func=_serve_article(slug))


@bp.get("/s/<version>/<path:name>")
@anyone
def static_file(version: str, name: str) -> Response:
    """A stylesheet, module or picture of the pages. Its address holds the version of all, so it may be kept for ever."""
    now = site()
    found = now.assets.get(name)
    if found is None:
        raise NotFound()
    return _send_asset(found, FOR_EVER if version == now.version else "no-cache")


def _send_asset(found: Asset, cache: str) -> Response:
    zipped = found.zipped is not None and "gzip" in request.headers.get("Accept-Encoding", "")
    response = Response(found.zipped if zipped else found.content, content_type=found.type)
    response.headers["Cache-Control"] = cache
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    if found.zipped is not None:
        response.headers["Vary"] = "Accept-Encoding"
    response.set_etag(found.etag + ("z" if zipped else ""))
    response.make_conditional(request)
    return response


@bp.get("/media/<path:name>")
@anyone
def media(name: str) -> Response:
    """A picture of a product. Its name tells its content, so it may be kept for ever."""
    path = shop_settings().var / "uploads" / name
    if not MEDIA_NAME.fullmatch(name) or not path.is_file():
        raise NotFound()
    content = path.read_bytes()
    response = Response(content, mimetype="image/svg+xml" if name.endswith(".svg") else "image/webp")
    response.headers["Cache-Control"] = FOR_EVER
    response.headers["Content-Security-Policy"] = MEDIA_CSP
    if name.endswith(".svg") and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.set_data(gzip.compress(content, 6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
    return response


@bp.get("/favicon.ico")
@anyone
def favicon() -> Response:
    return _send_asset(site().assets["images/favicon.svg"], "public, max-age=86400")


@bp.get("/robots.txt")
@anyone
def robots() -> Response:
    """Search engines may read the catalogue."""
    hidden = [f"Disallow: /{path}" for path in ("cart", "checkout", "orders", "account", "tickets", "wishlist", "newsletter", "admin", "api/")]
    return Response("\n".join(["User-agent: *", *hidden, "", f"Sitemap: {shop_settings().url}/sitemap.xml", ""]), mimetype="text/plain")


@bp.get("/sitemap.xml")
@anyone
def sitemap_index() -> Response:
    """The pages of the sitemap."""
    return _xml(seo.sitemap_index(shop_settings().url, sitemap.count_pages()))


@bp.get("/sitemap-<int:number>.xml")
@anyone
def sitemap_page(number: int) -> Response:
    """Addresses that search engines shall visit, with the time of their last change."""
    return _xml(seo.sitemap(shop_settings().url, sitemap.page(number)))


def _xml(content: str) -> Response:
    return Response(content, mimetype="application/xml", headers={"Cache-Control": "public, max-age=3600"})


def error_page(error: ShopError, request_id: str) -> Response:
    """For a person: a fault, or a shop whose database is away for a moment."""
    response = send(fill(themed("error"), name=settings.known_name()).replace(b"<!--request_id-->", request_id.encode()), error.status)
    response.headers["Cache-Control"] = "no-store"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


@bp.record_once
def _offer_error_page(state: BlueprintSetupState) -> None:
    state.app.extensions["error_page"] = error_page


def not_found(status: int = 404) -> Response:
    return send(fill(themed("404"), name=settings.known_name(), head=seo.HIDDEN), status)


@bp.app_errorhandler(404)
def nowhere(error: HTTPException) -> Response:
    """Whatever has no route: a problem for scripts, a helpful page for people. As a route it would hide the methods of all others."""
    return problem(NotFound("There is nothing at this address.")) if request.path.startswith("/api/") else not_found()
