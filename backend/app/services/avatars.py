"""Pictures of people: whatever is uploaded is judged by its content, cropped square, and drawn anew as a small WebP.

Nothing of the upload itself is kept: no metadata (which may tell where somebody lives), no second file hidden in the first.
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
from pathlib import Path

from PIL import Image as Pictures
from PIL import ImageFile, ImageOps

from .. import db
from ..db import Tx, q
from ..errors import Invalid, SignInRequired, TooLarge, Unavailable, UnsupportedMedia
from .profile import AVATAR_SIZE

MOST_BYTES = 5 * 1024 * 1024
MOST_PIXELS = 25_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
SIGNATURES = {"JPEG": rb"\xff\xd8\xff", "PNG": rb"\x89PNG\r\n\x1a\n", "WEBP": rb"RIFF.{4}WEBP"}
# What makes a picture something else as well: markup, scripts, PDF, the directory at the end of a ZIP. Long enough never to occur by chance.
FOREIGN = re.compile(rb"<script|<html[\s>]|<!doctype|<svg[\s>]|<iframe|<\?php|%PDF-|PK\x05\x06\x00\x00\x00\x00", re.IGNORECASE)
QUALITY = 82
PATIENCE = 2.0  # seconds to wait for one's turn to decode
ORPHAN_SECONDS = 3600
BROKEN = (OSError, ValueError, SyntaxError, TypeError, LookupError, ArithmeticError, EOFError, struct.error)

# The second line of defence, behind our own look at the header: Pillow refuses by itself to open what is twice as large, or to decode
# what is cut off. What it would only warn of we refuse ourselves.
Pictures.MAX_IMAGE_PIXELS = MOST_PIXELS
ImageFile.LOAD_TRUNCATED_IMAGES = False
warnings.filterwarnings("ignore", category=Pictures.DecompressionBombWarning)
# A picture of the largest size takes 100 MB while it is decoded, so a process does one at a time.
_decoding = threading.Lock()


def put(user_id: int, content: bytes, uploads: Path) -> None:
    """Make this the user's picture. Raises TooLarge, UnsupportedMedia for what is no JPEG, PNG or WebP, Invalid for a broken or huge one."""
    picture = draw(content)
    path = f"avatars/{secrets.token_hex(16)}.webp"
    _write(uploads / path, picture)
    try:
        former = db.transaction(_set, user_id, path)
    except BaseException:
        delete_file(uploads, path)
        raise
    delete_file(uploads, former)


def remove(user_id: int, uploads: Path) -> None:
    """Take the user's picture away, if there is one."""
    delete_file(uploads, db.transaction(_set, user_id, None))


def _set(tx: Tx, user_id: int, path: str | None) -> str | None:
    row = q.profile.lock_avatar(tx, user_id=user_id)
    if row is None:
        raise SignInRequired()
    q.profile.set_avatar(tx, user_id=user_id, path=path)
    former: str | None = row["avatar_path"]
    return former


def delete_file(uploads: Path, path: str | None) -> None:
    if path:
        (uploads / path).unlink(missing_ok=True)


def delete_orphans(uploads: Path) -> int:
    """Remove pictures that a process which was killed left behind with nobody's name on them. Gives their number."""
    before = time.time() - ORPHAN_SECONDS
    old = {f"avatars/{path.name}" for path in (uploads / "avatars").glob("*") if path.stat().st_mtime < before}
    removed = 0
    for batch in _batches(sorted(old)):
        with db.reading() as tx:
            used = {row["avatar_path"] for row in q.profile.list_avatars(tx, paths=batch)}
        for path in set(batch) - used:
            delete_file(uploads, path)
            removed += 1
    return removed


def _batches(paths: list[str], size: int = 500) -> list[list[str]]:
    return [paths[start : start + size] for start in range(0, len(paths), size)]


def _write(path: Path, content: bytes) -> None:
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


# ---------------------------------------------------------------- drawing


def draw(content: bytes) -> bytes:
    """The picture as the shop keeps it. Raises as put() does."""
    if len(content) > MOST_BYTES:
        raise TooLarge("A picture may have at most 5 MB.")
    kind = next((name for name, signature in SIGNATURES.items() if re.match(signature, content, re.DOTALL)), None)
    if kind is None:
        raise UnsupportedMedia("Send a picture as JPEG, PNG or WebP.")
    if FOREIGN.search(content) or not _ends_where_it_says(kind, content):
        raise Invalid(avatar="This file is more than a picture. Please save it anew as JPEG, PNG or WebP.")
    if not _decoding.acquire(timeout=PATIENCE):
        raise Unavailable("Many pictures are being uploaded. Please try again in a moment.")
    try:
        return _redrawn(content, kind)
    except Pictures.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except BROKEN as error:
        raise Invalid(avatar="This picture is broken.") from error
    finally:
        _decoding.release()


def _ends_where_it_says(kind: str, content: bytes) -> bool:
    """Phones append thumbnails and films to JPEGs, so only the other two are held to their end."""
    if kind == "PNG":
        return content.endswith(b"IEND\xaeB`\x82")
    if kind == "WEBP":
        return int.from_bytes(content[4:8], "little") + 8 == len(content)
    # A first segment whose length reads as the start of a comment makes a JPEG a script.
    return content[4:6] not in (b"/*", b"//")


def _redrawn(content: bytes, kind: str) -> bytes:
    with Pictures.open(io.BytesIO(content), formats=(kind,)) as picture:
        # Only the header has been read up to here.
        if picture.width * picture.height > MOST_PIXELS:
            raise _too_many_pixels()
        # A JPEG can be decoded at an eighth of its size, which is all we need of a large one.
        picture.draft("RGB", (AVATAR_SIZE * 2, AVATAR_SIZE * 2))
        square = ImageOps.fit(_in_colour(picture), (AVATAR_SIZE, AVATAR_SIZE), Pictures.Resampling.LANCZOS)
        # Turning comes after cropping, where it costs nothing: the middle square is the same either way.
        square = ImageOps.exif_transpose(square)
    square.info.clear()
    out = io.BytesIO()
    square.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


def _too_many_pixels() -> Invalid:
    return Invalid(avatar="This picture has too many pixels: at most 25 million.")


def _in_colour(picture: Pictures.Image) -> Pictures.Image:
    if picture.mode.startswith(("I", "F")):
        # Sixteen bits of grey; a plain conversion would cut them off instead of scaling them.
        picture = picture.convert("I").point(lambda level: level / 256).convert("L")
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
