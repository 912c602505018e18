"""Pictures of people: cropped square and drawn anew as a small WebP."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from PIL import Image as Pictures
from PIL import ImageOps

from .. import db
from ..db import Tx, q
from ..errors import SignInRequired
from . import media
from .media import delete_file
from .profile import AVATAR_SIZE


def put(user_id: int, content: bytes, uploads: Path) -> None:
    """Make this the user's picture. Raises TooLarge, UnsupportedMedia for what is no JPEG, PNG or WebP, Invalid for a broken or huge one."""
    picture = draw(content)
    path = f"avatars/{secrets.token_hex(16)}.webp"
    media.write(uploads / path, picture)
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


def delete_orphans(uploads: Path) -> int:
    """Remove pictures that a process which was killed left behind with nobody's name on them. Gives their number."""
    before = time.time() - media.ORPHAN_SECONDS
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


def draw(content: bytes) -> bytes:
    """The picture as the shop keeps it. Raises as put() does."""
    return media.redrawn(content, _square, field="avatar", size=AVATAR_SIZE * 2)


def _square(picture: Pictures.Image) -> bytes:
    square = ImageOps.fit(media.in_colour(picture), (AVATAR_SIZE, AVATAR_SIZE), Pictures.Resampling.LANCZOS)
    # Turning comes after cropping, where it costs nothing: the middle square is the same either way.
    return media.as_webp(ImageOps.exif_transpose(square))
