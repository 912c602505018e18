"""Answers that are files or pages and no JSON."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask import Response, request
from werkzeug.wsgi import wrap_file


class CsvFile(Response):
    """An answer that is a file of comma-separated values, sent while it is made."""

    def __init__(self, content: Iterable[bytes], *, file_name: str) -> None:
        super().__init__(content, mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{file_name}"'})


class ZipFile(Response):
    """A large file, sent by the server as it is read."""

    def __init__(self, path: Path, *, file_name: str) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{file_name}"', "Content-Length": str(path.stat().st_size)}
        content = wrap_file(request.environ, path.open("rb"))
        super().__init__(content, mimetype="application/zip", headers=headers, direct_passthrough=True)


class PdfFile(Response):
    """An answer that is a document, to be shown or kept under its name."""

    def __init__(self, content: bytes, *, file_name: str) -> None:
        super().__init__(content, mimetype="application/pdf", headers={"Content-Disposition": f'inline; filename="{file_name}"'})


class PictureFile(Response):
    """An answer that is a picture somebody sent, which can do nothing in a browser but be shown."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content, mimetype="image/webp", headers={"Content-Security-Policy": "default-src 'none'; sandbox"})


class MailPage(Response):
    """An answer that is a mail, to be shown in a frame. It brings its own styles, and nothing else: no script, no picture from elsewhere.

    Its links open the shop, not the frame.
    """

    CSP = (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self';"
        " sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
    )

    def __init__(self, content: str) -> None:
        framed = content.replace("<head>", '<head><base target="_top">', 1)
        super().__init__(framed, mimetype="text/html", headers={"Content-Security-Policy": self.CSP})


FILES: dict[Any, str] = {CsvFile: "text/csv", PdfFile: "application/pdf", MailPage: "text/html", PictureFile: "image/webp", ZipFile: "application/zip"}
