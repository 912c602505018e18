"""Pictures that come with a message: uploaded first, belonging to nobody, then named by the message that they go with.

They are drawn anew, lie under random names where no address of the shop leads, and are shown to whoever may read the message.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from PIL import Image as Pictures
from PIL import ImageOps
from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Invalid, NotFound
from . import media

FOLDER = "attachments"
MOST = 4  # with one message
LARGEST = 1600  # pixels, each way
# Until when an upload may be named by a message; afterwards it is deleted.
UNATTACHED_SECONDS = 3600
BATCH = 500


class Upload(TypedDict):
    """`name` goes into the message's `pictures`, within an hour."""

    name: str
    width: int
    height: int


class Picture(TypedDict):
    """`path` shows it to whoever may read the message."""

    path: str
    width: int
    height: int


class ToldPicture(Picture):
    created_at: datetime


def upload(content: bytes, uploads: Path) -> Upload:
    """Keep a picture for a message that is yet to be written. Raises TooLarge, UnsupportedMedia, Invalid and Unavailable as media.store() does."""
    drawn, (width, height) = media.redrawn(content, _drawn, field="picture", size=LARGEST)
    name = secrets.token_hex(16)
    media.write(uploads / path_of(name), drawn)
    try:
        db.transaction(_add, name, width, height)
    except BaseException:
        media.delete_file(uploads, path_of(name))
        raise
    return {"name": name, "width": width, "height": height}


def _add(tx: Tx, name: str, width: int, height: int) -> None:
    q.attachments.add(tx, name=name, width=width, height=height)


def _drawn(picture: Pictures.Image) -> tuple[bytes, tuple[int, int]]:
    coloured = media.in_colour(picture)
    coloured.thumbnail((LARGEST, LARGEST), Pictures.Resampling.LANCZOS)
    upright = ImageOps.exif_transpose(coloured)
    return media.as_webp(upright), upright.size


def path_of(name: str) -> str:
    """Where the file lies under uploads."""
    return f"{FOLDER}/{name}.webp"


def attach(tx: Tx, names: Sequence[str], *, ticket_message_id: int | None = None, contact_message_id: int | None = None) -> None:
    """Give uploads to a message. Raises Invalid for one that is gone, or that another message has."""
    if not names:
        return
    place = {"ticket_message_id": ticket_message_id, "contact_message_id": contact_message_id}
    if q.attachments.attach(tx, names=list(names), **place) != len(names):
        raise Invalid(pictures="One of the pictures is not there any more. Please choose it again.")


def of_tickets(tx: Tx, message_ids: Sequence[int], *, staff: bool) -> dict[int, list[Picture]]:
    """The pictures of each message in tickets, by the addresses at which the reader finds them."""
    return _by_message(q.attachments.list_of_tickets(tx, message_ids=list(message_ids)) if message_ids else [], staff=staff)


def of_contacts(tx: Tx, message_ids: Sequence[int]) -> dict[int, list[Picture]]:
    """The same of messages by the contact form, for staff."""
    return _by_message(q.attachments.list_of_contacts(tx, message_ids=list(message_ids)) if message_ids else [], staff=True)


def _by_message(rows: list[Row], *, staff: bool) -> dict[int, list[Picture]]:
    found: dict[int, list[Picture]] = defaultdict(list)
    for row in rows:
        path = f"/api/v1/{'admin/' if staff else ''}attachments/{row['name']}"
        found[row["message_id"]].append({"path": path, "width": row["width"], "height": row["height"]})
    return found


def told(rows: list[Row]) -> dict[int, list[ToldPicture]]:
    """Pictures by message, as the export tells them."""
    found: dict[int, list[ToldPicture]] = defaultdict(list)
    for row in rows:
        picture: ToldPicture = {"path": f"/api/v1/attachments/{row['name']}", "width": row["width"], "height": row["height"], "created_at": row["created_at"]}
        found[row["message_id"]].append(picture)
    return found


def read(name: str, uploads: Path, *, user_id: int | None) -> bytes:
    """The picture, for the person whose message or ticket it stands in; without a person, for staff. Raises NotFound."""
    if name.isascii():
        with db.reading() as tx:
            allowed = q.attachments.is_attached(tx, name=name) if user_id is None else q.attachments.is_of(tx, name=name, user_id=user_id)
        if allowed and (uploads / path_of(name)).is_file():
            return (uploads / path_of(name)).read_bytes()
    raise NotFound("There is no such picture.")


def paths_of_person(tx: Tx, user_id: int, email_key: str) -> list[str]:
    """The files, under uploads, that must go when the person does."""
    return [path_of(row["name"]) for row in q.attachments.list_of_person(tx, user_id=user_id, email_key=email_key)]


def delete_orphans(uploads: Path) -> int:
    """Forget uploads that no message named, and files that belong to nothing. Gives the number of files."""
    while db.transaction(lambda tx: int(q.attachments.delete_unattached(tx, seconds=UNATTACHED_SECONDS))):
        pass
    before = time.time() - UNATTACHED_SECONDS
    old = sorted(path.stem for path in (uploads / FOLDER).glob("*") if path.stat().st_mtime < before)
    removed = 0
    for start in range(0, len(old), BATCH):
        names = old[start : start + BATCH]
        with db.reading() as tx:
            known = {row["name"] for row in q.attachments.list_known(tx, names=names)}
        for name in set(names) - known:
            media.delete_file(uploads, path_of(name))
            removed += 1
    return removed
