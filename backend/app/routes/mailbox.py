"""The mails of a shop without a mail server, readable in the browser on the machine where it runs, and nowhere else."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, render_template

from ..errors import NotFound
from ..http import MailPage, anyone, asked_on_this_machine
from ..services import mail

bp = Blueprint("mailbox", __name__, url_prefix="/dev/mail", template_folder="../mails")


@bp.before_request
def only_here() -> None:
    """A name that was made to point here, or a proxy that forwards strangers, finds nothing."""
    if not asked_on_this_machine():
        raise NotFound()


@bp.get("")
@anyone
def list_mails() -> Response:
    """All mails, newest first."""
    return Response(render_template("mailbox.html", mails=mail.list_written(current_app.config["SHOP"].var)))


@bp.get("/<name>")
@anyone
def show_mail(name: str) -> Response:
    """One mail: its text, and its HTML in a frame."""
    return Response(render_template("mailbox_mail.html", mail=mail.read_written(current_app.config["SHOP"].var, name)))


@bp.get("/<name>/html")
@anyone
def show_html(name: str) -> MailPage:
    """The HTML part alone."""
    return MailPage(mail.read_written(current_app.config["SHOP"].var, name)["html"])
