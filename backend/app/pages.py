"""The static pages and their assets, read once at start: comments filled, addresses versioned, stylesheets and common modules joined, all compressed.

A page's file is its own lines of the head (title, description, module) and what follows from `<main>` on; partials/shell.html, or admin-shell.html
for those in admin/, stands around it. A page that begins with `<!doctype html>` is a whole document and stands alone.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import mimetypes
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .config import ROOT
from .modules import join, resolve

FRONTEND = ROOT / "frontend"
ASSET_FOLDERS = ("css", "js", "images")
COMPRESSED = {".css", ".js", ".svg", ".html", ".json"}
NAME = "<!--name-->"
THEMES = ("auto", "light", "dark")
IMPORT_CSS = re.compile(r'@import url\("([^"]+)"\) layer\((\w+)\);')
IMPORT_JS = re.compile(r'^\s*(?:import|export)\s(?:[^"\';]*?\sfrom\s*)?["\'](\.[^"\']+)["\']', flags=re.MULTILINE)
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html", ".json": "application/json"}


@dataclass(frozen=True)
class Asset:
    """A file as it is sent."""

    content: bytes
    zipped: bytes | None
    type: str
    etag: str


@dataclass(frozen=True)
class Page:
    """A page cut where the server fills it: before the title, between title and data, after the data. One for each theme."""

    before: str
    title: str
    description: str
    middle: str
    after: str


class Site:
    """All pages and assets. Made once; with `debug` made anew whenever it is asked, so that an edit shows at once."""

    def __init__(self, folder: Path = FRONTEND) -> None:
        self.folder = folder
        files = {self._address(path): path for name in ASSET_FOLDERS for path in sorted((folder / name).rglob("*")) if path.is_file()}
        contents = {address: self._content(path) for address, path in files.items()}
        modules = join({address: content.decode() for address, content in contents.items() if address.endswith(".js")})
        contents = {address: content for address, content in contents.items() if not address.endswith(".js")} | {
            address: text.encode() for address, text in modules.items()
        }
        digest = hashlib.blake2b(digest_size=6)
        for address, content in contents.items():
            digest.update(address.encode() + b"\0" + content)
        self.version = digest.hexdigest()
        self.assets = {address: asset(content, files[address].suffix) for address, content in contents.items()}
        self._modules = {address: IMPORT_JS.findall(text) for address, text in modules.items()}
        self._partials = {path.stem: path.read_text(encoding="utf-8") for path in (folder / "partials").glob("*.html")}
        self.pages = {path.relative_to(folder).with_suffix("").as_posix(): self._prepare(path) for path in self._page_files()}

    def _page_files(self) -> list[Path]:
        return [*self.folder.glob("*.html"), *(self.folder / "admin").glob("*.html")]

    def _address(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _content(self, path: Path) -> bytes:
        # Stylesheets that hold imports only: one for the shop, one for the admin area.
        if path.suffix == ".css" and path.parent == self.folder / "css":
            return self._joined_stylesheet(path).encode()
        return path.read_bytes()

    def _joined_stylesheet(self, path: Path) -> str:
        """One request instead of one for each @import, in the same layers."""

        def inline(found: re.Match[str]) -> str:
            return f"@layer {found[2]} {{\n{(path.parent / found[1]).read_text(encoding='utf-8')}\n}}"

        return IMPORT_CSS.sub(inline, path.read_text(encoding="utf-8"))

    def _prepare(self, path: Path) -> dict[str, Page]:
        text = self._in_shell(path)
        for name, partial in self._partials.items():
            text = text.replace(f"<!--{name}-->", partial)
        text = text.replace("<!--preload-->", self._preloads(text))
        text = re.sub(r'(["\s,])/s/', rf"\1/s/{self.version}/", text)
        return {theme: _cut(text.replace('data-theme="auto"', f'data-theme="{theme}"', 1)) for theme in THEMES}

    def _in_shell(self, path: Path) -> str:
        text = path.read_text(encoding="utf-8")
        if text.startswith("<!doctype"):
            return text
        head, main, rest = text.partition("<main")
        shell = self._partials["admin-shell" if path.parent.name == "admin" else "shell"]
        return shell.replace("<!--page-head-->", head.strip()).replace("<!--page-->", (main + rest).strip())

    def _preloads(self, text: str) -> str:
        """A line for every module that the page's entry modules lead to, so that the browser asks for all at once."""
        wanted: dict[str, None] = {}
        queue = re.findall(r'<script type="module" src="/s/([^"]+)"', text)
        while queue:
            address = queue.pop(0)
            if address not in wanted and address in self._modules:
                wanted[address] = None
                queue += [resolve(address, relative) for relative in self._modules[address]]
        return "\n".join(f'<link rel="modulepreload" href="/s/{address}">' for address in wanted)


@cache
def site() -> Site:
    """The site as it was when this process, or the one that it was forked from, asked first."""
    return Site()


def asset(content: bytes, suffix: str) -> Asset:
    kind = TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    zipped = gzip.compress(content, 9, mtime=0) if suffix in COMPRESSED else None
    return Asset(content, zipped, kind, hashlib.blake2b(content, digest_size=12).hexdigest())


def _cut(text: str) -> Page:
    title = re.search(r"<title>(.*?)</title>", text, flags=re.DOTALL)
    description = re.search(r'<meta name="description" content="(.*?)">', text)
    if title is None or description is None:
        raise ValueError(f"A page lacks its title or description: {text[:200]!r}")
    first, last = sorted((title.span(), description.span()))
    rest = text[first[1] : last[0]] + text[last[1] :]
    middle, _, after = rest.partition("<!--data-->")
    return Page(text[: first[0]], html.unescape(title[1]), html.unescape(description[1]), middle, after)


def fill(page: Page, *, name: str, title: str = "", description: str = "", head: str = "", data: bytes | None = None) -> bytes:
    """The page of the shop called `name`, as sent. `head` is markup made by us, the other texts are escaped; in `data` no markup can begin."""
    safe = (data or b"").decode().replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    block = f'<script type="application/json" id="data">{safe}</script>' if data is not None else ""
    before, middle, after = (part.replace(NAME, html.escape(name)) for part in (page.before, page.middle, page.after))
    title = title or page.title.replace(NAME, name)
    return (
        f"{before}<title>{html.escape(title)}</title>\n"
        f'<meta name="description" content="{html.escape(description or page.description)}">\n{head}'
        f"{middle}{block}{after}"
    ).encode()
