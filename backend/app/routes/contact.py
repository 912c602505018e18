from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from flask import Blueprint, current_app
from pydantic import Field

from .. import http
from ..http import Body, Email, Line, Params, PictureFile, Words, WordsLine, anyone, signed_in, staff
from ..request_parsing import read_upload
from ..services import attachments, contact, media
from ..services.attachments import Upload
from ..services.contact import ContactRows, Status

bp = Blueprint("contact", __name__, url_prefix="/api/v1")
# Names of uploaded pictures that go with a message, each once.
PictureNames = Annotated[list[Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]], Field(max_length=attachments.MOST)]


class ContactForm(Body):
    name: WordsLine = Field(min_length=1, max_length=120)
    email: Email
    subject: WordsLine = Field(min_length=1, max_length=160)
    message: Words = Field(min_length=1, max_length=5000)
    pictures: PictureNames = []


class ContactParams(Params):
    status: Literal["", "open", "done"] = ""
    q: Line = Field("", max_length=120)
    limit: int = Field(50, ge=1, le=100)
    after: str = Field("", max_length=200)


class ContactReply(Body):
    message: Words = Field(min_length=1, max_length=5000)


class ContactChange(Body):
    status: Status


def _uploads() -> Path:
    return Path(current_app.config["SHOP"].var) / "uploads"


@bp.post("/contact")
@anyone(status=204, limit="contact")
def write(body: ContactForm) -> None:
    """Write to the shop, with an account or without. The answer comes by mail."""
    contact.send(http.user_id(), **body.model_dump(), sender=http.sender())


@bp.post("/attachments")
@anyone(status=201, problems=(413, 415, 422), limit="attachments")
def upload() -> Upload:
    """Upload a picture, JPEG, PNG or WebP of at most 5 MB, that a message shall bring along: its name goes into `pictures`, within an hour."""
    return attachments.upload(read_upload("picture", max_bytes=media.MOST_BYTES), _uploads())


@bp.get("/attachments/<name>")
@signed_in(problems=(404,))
def get_picture(name: str) -> PictureFile:
    """A picture in one's own ticket or message."""
    return PictureFile(attachments.read(name, _uploads(), user_id=http.account_id()))


@bp.get("/admin/attachments/<name>")
@staff(problems=(404,))
def get_picture_for_staff(name: str) -> PictureFile:
    """A picture in any ticket or message."""
    return PictureFile(attachments.read(name, _uploads(), user_id=None))


@bp.get("/admin/messages")
@staff(problems=(422,))
def list_messages(params: ContactParams) -> ContactRows:
    """What came by the contact form, the newest first."""
    return contact.list_all(status=params.status or None, words=params.q, limit=params.limit, after=params.after)


@bp.get("/admin/messages/<int:message_id>")
@staff(problems=(404,))
def get_message(message_id: int) -> contact.ContactMessage:
    """A message with its pictures and what was answered."""
    return contact.get(message_id)


@bp.post("/admin/messages/<int:message_id>/answers")
@staff(status=201, problems=(404, 409))
def answer(message_id: int, body: ContactReply) -> contact.ContactMessage:
    """Mail an answer to the sender, with which the message is done."""
    return contact.answer(message_id, body.message, actor_id=http.account_id())


@bp.patch("/admin/messages/<int:message_id>")
@staff(problems=(404,))
def change(message_id: int, body: ContactChange) -> contact.ContactMessage:
    """Put a message aside as done, or take it up again."""
    return contact.change(message_id, body.status, actor_id=http.account_id())
