"""Pictures: whatever is uploaded is judged by its content and drawn anew as WebP; those of products in up to three widths.

Nothing of the upload itself is kept: no metadata (which may tell where somebody lives), no second file hidden in the first. It is drawn
once, when it comes; to show it is to send a file.
"""

from __future__ import annotations

import io
import os
import re
import secrets
import struct
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import orjson
from PIL import Image as Pictures
from PIL import ImageFile, ImageOps
from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Invalid, NotFound, TooLarge, Unavailable, UnsupportedMedia
from . import discovery, events
from .products import EditedImage, edited_image

MOST_BYTES = 5 * 1024 * 1024
MOST_PIXELS = 25_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
SIGNATURES = {"JPEG": rb"\xff\xd8\xff", "PNG": rb"\x89PNG\r\n\x1a\n", "WEBP": rb"RIFF.{4}WEBP"}
# What makes a picture something else as well: markup, scripts, PDF, the directory at the end of a ZIP. Long enough never to occur by chance.
FOREIGN = re.compile(rb"<script|<html[\s>]|<!doctype|<svg[\s>]|<iframe|<\?php|%PDF-|PK\x05\x06\x00\x00\x00\x00", re.IGNORECASE)
QUALITY = 82
PATIENCE = 2.0  # seconds to wait for one's turn to decode
ORPHAN_SECONDS = 3600
WIDTHS = (400, 800, 1600)
TALLEST = 4096  # pixels; a strip of any length would be no picture for a page
ORIENTATION = 0x0112  # of EXIF; from 5 on the camera was held upright
MOST_IMAGES = 30  # of a product
FOLDER = "products"
BROKEN = (OSError, ValueError, SyntaxError, TypeError, LookupError, ArithmeticError, EOFError, struct.error)

# The second line of defence, behind our own look at the header: Pillow refuses by itself to open what is twice as large, or to decode
# what is cut off. What it would only warn of we refuse ourselves.
Pictures.MAX_IMAGE_PIXELS = MOST_PIXELS
ImageFile.LOAD_TRUNCATED_IMAGES = False
warnings.filterwarnings("ignore", category=Pictures.DecompressionBombWarning)
# A picture of the largest size takes 100 MB while it is decoded, so a process does one at a time.
_decoding = threading.Lock()


T = TypeVar("T")


# ---------------------------------------------------------------- pictures of products


@dataclass(frozen=True)
class Stored:
    """A picture whose files lie under uploads; `path` is the largest."""

    path: str
    width: int
    height: int
    widths: str


class EditedImages(TypedDict):
    items: list[EditedImage]


def add(product_id: int, content: bytes, alt: str, uploads: Path, *, actor_id: int) -> EditedImage:
    """Add a picture behind the others. Raises NotFound, and as store() and attach() do."""
    with db.reading() as tx:
        if q.products.get(tx, product_id=product_id) is None:
            raise NotFound("There is no such product.")
    stored = store(content, uploads)
    try:
        return db.transaction(_add, product_id, stored, alt, actor_id)
    except BaseException:
        discard(stored.path, stored.widths, uploads)
        raise


def _add(tx: Tx, product_id: int, stored: Stored, alt: str, actor_id: int) -> EditedImage:
    image_id = attach(tx, product_id, stored, alt)
    _note(tx, product_id, actor_id)
    return edited_image(q.media.get(tx, image_id=image_id))


def attach(tx: Tx, product_id: int, stored: Stored, alt: str) -> int:
    """Put a stored picture behind the others of its product; gives its id. Raises NotFound, and Invalid when there are thirty."""
    if q.products.lock(tx, product_id=product_id) is None:
        raise NotFound("There is no such product.")
    images = q.catalogue.list_images(tx, product_id=product_id)
    if len(images) >= MOST_IMAGES:
        raise Invalid(image=f"A product has at most {MOST_IMAGES} pictures.")
    position = max((image["position"] for image in images), default=0) + 1
    image_id: int = q.products.add_image(
        tx, product_id=product_id, position=position, path=stored.path, alt=alt, width=stored.width, height=stored.height, widths=stored.widths
    )
    return image_id


def arrange(product_id: int, order: list[int], *, actor_id: int) -> EditedImages:
    """Put the pictures into this order. Raises NotFound, and Invalid when it does not name each of them once."""
    return db.transaction(_arrange, product_id, order, actor_id)


def _arrange(tx: Tx, product_id: int, order: list[int], actor_id: int) -> EditedImages:
    if q.products.lock(tx, product_id=product_id) is None:
        raise NotFound("There is no such product.")
    if sorted(order) != sorted(image["id"] for image in q.catalogue.list_images(tx, product_id=product_id)):
        raise Invalid(order="Name each picture of the product once.")
    if order:
        q.media.arrange(tx, places=orjson.dumps([{"id": one, "position": position} for position, one in enumerate(order, 1)]).decode())
        _note(tx, product_id, actor_id)
    return {"items": [edited_image(image) for image in q.catalogue.list_images(tx, product_id=product_id)]}


def describe(image_id: int, alt: str, *, actor_id: int) -> EditedImage:
    """Say in words what the picture shows. Raises NotFound."""
    return db.transaction(_describe, image_id, alt, actor_id)


def _describe(tx: Tx, image_id: int, alt: str, actor_id: int) -> EditedImage:
    row = _taken(tx, image_id)
    q.media.describe(tx, image_id=image_id, alt=alt)
    _note(tx, row["product_id"], actor_id)
    return edited_image(row | {"alt": alt})


def remove(image_id: int, uploads: Path, *, actor_id: int) -> None:
    """Take a picture away, from its variants too. Raises NotFound."""
    row = db.transaction(_remove, image_id, actor_id)
    discard(row["path"], row["widths"], uploads)


def _remove(tx: Tx, image_id: int, actor_id: int) -> Row:
    row = _taken(tx, image_id)
    q.media.delete(tx, image_id=image_id)
    _note(tx, row["product_id"], actor_id)
    return row


def _taken(tx: Tx, image_id: int) -> Row:
    """The picture, its product held for this transaction."""
    known = q.media.get(tx, image_id=image_id)
    if known is not None:
        q.products.lock(tx, product_id=known["product_id"])
    row: Row | None = q.media.get(tx, image_id=image_id)
    if row is None:
        raise NotFound("There is no such picture.")
    return row


def _note(tx: Tx, product_id: int, actor_id: int) -> None:
    q.media.touch(tx, product_id=product_id)
    discovery.mark(tx, [product_id])
    events.note(tx, "products_changed", product_id, subject="product", actor_id=actor_id, action="pictures", count=1)


# ---------------------------------------------------------------- files


def store(content: bytes, uploads: Path, *, called: str = "") -> Stored:
    """Draw a picture in its widths and write the files, whose names begin with what it is `called`.

    Raises TooLarge, UnsupportedMedia for what is no JPEG, PNG or WebP, Invalid for a broken or huge one, Unavailable when the disk is full.
    """
    drawn, size = redrawn(content, _in_widths, field="image", size=WIDTHS[-1])
    name = f"{FOLDER}/{called}{'-' if called else ''}{secrets.token_hex(16)}"
    widths = " ".join(map(str, drawn))
    path = f"{name}-{max(drawn)}.webp"
    try:
        for width, picture in drawn.items():
            write(uploads / f"{name}-{width}.webp", picture)
    except Unavailable:
        _delete_files(uploads, path, widths)
        raise
    return Stored(path, *size, widths)


def discard(path: str | None, widths: str, uploads: Path) -> None:
    """Remove the files of a picture that nobody has any more, or that was stored and not attached after all."""
    if path and widths:
        # Drawings of the demo have no widths, and belong to others as well.
        _delete_files(uploads, path, widths)


def write(path: Path, content: bytes) -> None:
    """Write a file that is there as a whole or not at all. Raises Unavailable."""
    draft = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Unavailable("The picture could not be stored. Please try again later.", retry_after=60) from error


def delete_file(uploads: Path, path: str | None) -> None:
    if path:
        (uploads / path).unlink(missing_ok=True)


def _delete_files(uploads: Path, path: str, widths: str) -> None:
    stem = path.rpartition("-")[0]
    for width in widths.split():
        delete_file(uploads, f"{stem}-{width}.webp")


def delete_orphans(uploads: Path) -> int:
    """Remove files of pictures that nobody has: what a killed process, or an import that broke off, left behind. Gives their number."""
    with db.reading() as tx:
        if q.imports.is_under_way(tx):
            # Images of products that an import is about to add belong to no product yet, for hours if the shop was down.
            return 0
    before = time.time() - ORPHAN_SECONDS
    old = [path for path in (uploads / FOLDER).glob("*") if path.stat().st_mtime < before]
    known = _known_names() if old else set()
    orphans = [path for path in old if path.suffix != ".webp" or path.stem.rpartition("-")[0] not in known]
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)


def _known_names() -> set[str]:
    after = 0
    with db.reading() as tx:
        names = {Path(row["path"]).stem.rpartition("-")[0] for row in q.media.list_category_paths(tx)}
        while rows := q.media.list_paths(tx, after=after, limit=5000):
            names |= {Path(row["path"]).stem.rpartition("-")[0] for row in rows}
            after = rows[-1]["id"]
    return names


# ---------------------------------------------------------------- drawing


def redrawn(content: bytes, draw: Callable[[Pictures.Image], T], *, field: str, size: int) -> T:
    """What `draw` makes of the picture, of which it needs no more than `size` pixels each way. Raises as store() does, by this field."""
    if len(content) > MOST_BYTES:
        raise TooLarge("A picture may have at most 5 MB.")
    kind = next((name for name, signature in SIGNATURES.items() if re.match(signature, content, re.DOTALL)), None)
    if kind is None:
        raise UnsupportedMedia("Send a picture as JPEG, PNG or WebP.")
    if FOREIGN.search(content) or not _ends_where_it_says(kind, content):
        raise _refused(field, "This file is more than a picture. Please save it anew as JPEG, PNG or WebP.")
    if not _decoding.acquire(timeout=PATIENCE):
        raise Unavailable("Many pictures are being uploaded. Please try again in a moment.")
    try:
        return _decoded(content, kind, draw, field, size)
    except Pictures.DecompressionBombError as error:
        raise _too_many_pixels(field) from error
    except BROKEN as error:
        raise _refused(field, "This picture is broken.") from error
    finally:
        _decoding.release()


def _refused(field: str, sentence: str) -> Invalid:
    return Invalid(fields={field: [sentence]})


def _ends_where_it_says(kind: str, content: bytes) -> bool:
    """Phones append thumbnails and films to JPEGs, so only the other two are held to their end."""
    if kind == "PNG":
        return content.endswith(b"IEND\xaeB`\x82")
    if kind == "WEBP":
        return int.from_bytes(content[4:8], "little") + 8 == len(content)
    # A first segment whose length reads as the start of a comment makes a JPEG a script.
    return content[4:6] not in (b"/*", b"//")


def _decoded(content: bytes, kind: str, draw: Callable[[Pictures.Image], T], field: str, size: int) -> T:
    with Pictures.open(io.BytesIO(content), formats=(kind,)) as picture:
        # Only the header has been read up to here.
        if picture.width * picture.height > MOST_PIXELS:
            raise _too_many_pixels(field)
        # A JPEG can be decoded at an eighth of its size, which is all we need of a large one.
        picture.draft("RGB", (size, size))
        return draw(picture)


def _too_many_pixels(field: str) -> Invalid:
    return _refused(field, "This picture has too many pixels: at most 25 million.")


def in_colour(picture: Pictures.Image) -> Pictures.Image:
    if picture.mode.startswith(("I", "F")):
        # Sixteen bits of grey; a plain conversion would cut them off instead of scaling them.
        picture = picture.convert("I").point(lambda level: level / 256).convert("L")
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def as_webp(picture: Pictures.Image) -> bytes:
    picture.info.clear()
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


def _in_widths(picture: Pictures.Image) -> tuple[dict[int, bytes], tuple[int, int]]:
    """The files by their widths, the smallest first, and the size of the largest. Nothing is enlarged."""
    upright = picture.getexif().get(ORIENTATION, 1) >= 5
    largest = in_colour(picture)
    largest.thumbnail((TALLEST, WIDTHS[-1]) if upright else (WIDTHS[-1], TALLEST), Pictures.Resampling.LANCZOS)
    # Turning comes after shrinking, where it costs little.
    largest = ImageOps.exif_transpose(largest)
    files = {largest.width: as_webp(largest)}
    smaller = largest
    for width in sorted((one for one in WIDTHS if one < largest.width), reverse=True):
        smaller = smaller.resize((width, max(1, round(largest.height * width / largest.width))), Pictures.Resampling.LANCZOS)
        files[width] = as_webp(smaller)
    return dict(sorted(files.items())), largest.size
