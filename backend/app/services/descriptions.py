"""What a product says of itself: HTML of a short list of elements, whoever wrote it and however."""

from __future__ import annotations

import html
import re

import nh3
from markdown_it import MarkdownIt

MOST_DESCRIPTION = 100_000  # characters
TAGS = set("p br h2 h3 h4 ul ol li strong b em i blockquote a table thead tbody tr th td".split())
ATTRIBUTES = {"a": {"href"}, "th": {"colspan", "rowspan"}, "td": {"colspan", "rowspan"}}
# What other shops' editors write for what we have another element for. It is done before the cleaning, which has the last word.
ALIKE = {"div": "p", "section": "p", "article": "p", "h1": "h2", "h5": "h4", "h6": "h4"}
_alike = re.compile(rf"(</?)({'|'.join(ALIKE)})(?=[\s>/])", re.IGNORECASE)
_element = re.compile(r"<[a-z!/?]", re.IGNORECASE)
_empty = re.compile(r"<p>(?:\s|&nbsp;|<br>)*</p>\s*")
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


def sanitised(text: str) -> str:
    """The text as safe HTML; what has no element of ours is taken as plain paragraphs. What is clean comes back as it was."""
    clean = _cleaned(text) if _element.search(text) else text
    return clean if _element.search(clean) else _paragraphs(clean)


def _cleaned(text: str) -> str:
    alike = _alike.sub(lambda found: found[1] + ALIKE[found[2].lower()], text)
    clean = nh3.clean(alike, tags=TAGS, attributes=ATTRIBUTES, url_schemes={"http", "https", "mailto"}, link_rel="nofollow noopener")
    return _empty.sub("", clean).strip()


def _paragraphs(text: str) -> str:
    parts = [part.strip() for part in re.split(r"\n\s*\n", html.unescape(text)) if part.strip()]
    return "\n".join(f"<p>{html.escape(part, quote=False).replace(chr(10), '<br>')}</p>" for part in parts)


def rendered(markdown: str) -> str:
    """Markdown as safe HTML."""
    return sanitised(_markdown.render(markdown))
