"""Development mailbox: the emails of a shop without a mail server, in a local browser only."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, render_template, request

from ..errors import NotFound
from ..http import MailPage, anyone, is_development_request
from ..services import mail

bp = Blueprint("mailbox", __name__, url_prefix="/dev/mail", template_folder="../mails")


@bp.before_request
def require_development_request() -> None:
    """Hide the mailbox from every request that is not from this machine."""
    if not is_development_request(current_app.config["SHOP"], request.environ):
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
