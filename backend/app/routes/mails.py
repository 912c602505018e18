from __future__ import annotations

from typing import Annotated

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import Body, Line, MailPage, Params, staff
from ..services import outbox
from ..services.outbox import Filters, MailRows, Preview, Retried, Sort, Status, TemplateNames, Tested
from .cart import MOST_ID
from .pages import shop_settings

bp = Blueprint("mails", __name__, url_prefix="/api/v1/admin/mails")


class MailParams(Params):
    """`q` is the beginning of an address or of an order's number; a `delayed` mail was refused once and is tried again."""

    q: Line = Field("", max_length=254)
    status: Status = ""
    template: Line = Field("", max_length=60)
    sort: Sort = "created"
    limit: int = Field(50, ge=1, le=100)
    after: str = Field("", max_length=1000)


class Retries(Body):
    ids: list[Annotated[int, Field(ge=1, le=MOST_ID)]] = Field(min_length=1, max_length=100)


class Test(Body):
    template: Line = Field("test", max_length=60)


@bp.get("")
@staff(problems=(422,))
def list_mails(params: MailParams) -> MailRows:
    """All mails, newest first, without what they say. `total` is counted up to 10,000."""
    return outbox.list_all(Filters(params.q, params.status, params.template), sort=params.sort, limit=params.limit, after=params.after)


@bp.post("/retries")
@staff
def retry(body: Retries) -> Retried:
    """Try failed and delayed mails again now. The answer names those that are; a code that is no longer good is not sent again."""
    return outbox.retry(body.ids, actor_id=http.account_id())


@bp.post("/tests")
@staff(status=202, problems=(404,))
def send_test(body: Test) -> Tested:
    """Send an example of a mail to one's own address."""
    account = http.current_account()
    assert account
    return outbox.send_test(body.template, account["email"], actor_id=account["id"])


@bp.get("/templates")
@staff
def list_templates() -> TemplateNames:
    """Every mail that the shop sends, with the subject of an example."""
    return outbox.list_templates(shop_settings())


@bp.get("/templates/<name>")
@staff(problems=(404,))
def get_preview(name: str) -> Preview:
    """An example of a mail, as text."""
    return outbox.preview(name, shop_settings())


@bp.get("/templates/<name>/html")
@staff(problems=(404,))
def get_preview_page(name: str) -> MailPage:
    """An example of a mail, as HTML that can do nothing but be shown."""
    return MailPage(outbox.preview_page(name, shop_settings()))
