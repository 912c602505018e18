"""What search engines shall visit, in pages of a bounded size."""

from __future__ import annotations

from datetime import datetime

from .. import db
from ..db import q
from ..errors import NotFound
from . import articles

Entry = tuple[str, datetime | None]  # path, time of the last change
PAGE = 10_000  # product ids; a sitemap may name 50,000 addresses (sitemaps.org)


def count_pages() -> int:
    """How many pages there are: the first names the home page, the categories and the owner's pages, each other one a range of products."""
    with db.reading() as tx:
        return 1 + -(-int(q.sitemap.newest_product(tx)) // PAGE)


def page(number: int) -> list[Entry]:
    """The addresses of one page. Raises NotFound for a page that is not there."""
    if not 0 <= number < count_pages():
        raise NotFound("There is no such page of the sitemap.")
    with db.reading() as tx:
        if number == 0:
            own: list[Entry] = [(f"/{slug}", None) for slug in articles.SLUGS]
            return [("/", None), *((f"/?category={row['slug']}", None) for row in q.sitemap.list_categories(tx)), *own]
        rows = q.sitemap.list_products(tx, after_id=(number - 1) * PAGE, last_id=number * PAGE)
    return [(f"/products/{row['slug']}", row["updated_at"]) for row in rows]
