from __future__ import annotations

from typing import Annotated

from flask import Blueprint
from pydantic import Field

from .. import http
from ..http import Body, Email, Line, MailPage, Params, Prose, admin, anyone
from ..services import newsletters, subscribers
from ..services.newsletters import MOST_MARKDOWN, Action, NewsletterPreview, Newsletters, SentTest, Status, WholeNewsletter
from ..services.subscribers import Filters, Removed, Sort, Subscribers
from .cart import MOST_ID
from .pages import shop_settings

bp = Blueprint("newsletters", __name__, url_prefix="/api/v1")


class Subscription(Body):
    email: Email


class SubscriptionConfirmation(Body):
    token: Line = Field(min_length=1, max_length=200)


class NewsletterParams(Params):
    q: Line = Field("", max_length=120)
    status: Status = ""
    limit: int = Field(50, ge=1, le=100)
    after: str = Field("", max_length=200)


class NewNewsletter(Body):
    subject: Line = Field(min_length=1, max_length=160)
    markdown: Prose = Field("", max_length=MOST_MARKDOWN)
    # Whether each reader is shown a few goods that they may like.
    recommend: bool = True


class NewsletterChange(Body):
    subject: Line | None = Field(None, min_length=1, max_length=160)
    markdown: Prose | None = Field(None, max_length=MOST_MARKDOWN)
    recommend: bool | None = None
    version: int = Field(ge=1, le=2**31)


class NewsletterAct(Body):
    action: Action
    # The version that was seen; a draft that somebody changed meanwhile is not sent.
    version: int = Field(ge=1, le=2**31)


class SubscriberParams(Params):
    """`q` is the beginning of an address."""

    q: Line = Field("", max_length=254)
    status: subscribers.Status = ""
    sort: Sort = "newest"
    limit: int = Field(50, ge=1, le=100)
    after: str = Field("", max_length=200)


class Removals(Body):
    ids: list[Annotated[int, Field(ge=1, le=MOST_ID)]] = Field(min_length=1, max_length=100)


@bp.post("/newsletter/subscription")
@anyone(status=204, limit="newsletter")
def subscribe(body: Subscription) -> None:
    """Ask for the newsletter: a mail to the address asks whether it is meant. The answer is the same whether or not the address is known."""
    subscribers.ask(body.email, source="form", sender=http.sender())


@bp.post("/newsletter/confirmation")
@anyone(status=204, problems=(404,))
def confirm(body: SubscriptionConfirmation) -> None:
    """Confirm with the token from the mail, which is good for seven days and once."""
    subscribers.confirm(body.token)


@bp.post("/newsletter/unsubscribe/<token>")
@anyone(status=204, problems=(404,))
def unsubscribe(token: str) -> None:
    """Get no more newsletters: by the link in each, or by a mail program itself (RFC 8058). Any body does, and none; the token is good for ever."""
    subscribers.end(token)


@bp.get("/admin/newsletters")
@admin(problems=(422,))
def list_newsletters(params: NewsletterParams) -> Newsletters:
    """All newsletters, the newest first."""
    return newsletters.list_all(status=params.status, words=params.q, limit=params.limit, after=params.after)


@bp.post("/admin/newsletters")
@admin(status=201)
def add_newsletter(body: NewNewsletter) -> WholeNewsletter:
    """Begin a draft."""
    return newsletters.add(**body.model_dump(), actor_id=http.account_id())


@bp.get("/admin/newsletters/<int:newsletter_id>")
@admin(problems=(404,))
def get_newsletter(newsletter_id: int) -> WholeNewsletter:
    """One newsletter, with how far it is."""
    return newsletters.get(newsletter_id)


@bp.patch("/admin/newsletters/<int:newsletter_id>")
@admin(problems=(404, 409))
def change_newsletter(newsletter_id: int, body: NewsletterChange) -> WholeNewsletter:
    """Change a draft. Another version than the present one is 409, with the present one as `current`."""
    return newsletters.change(newsletter_id, **body.model_dump(), actor_id=http.account_id())


@bp.delete("/admin/newsletters/<int:newsletter_id>")
@admin(status=204, problems=(404, 409))
def delete_newsletter(newsletter_id: int) -> None:
    """Throw a draft away."""
    newsletters.delete(newsletter_id, actor_id=http.account_id())


@bp.get("/admin/newsletters/<int:newsletter_id>/preview")
@admin(problems=(404,))
def get_preview(newsletter_id: int) -> NewsletterPreview:
    """How it reads as text, to whoever asks."""
    seen = newsletters.preview(newsletter_id, shop_settings(), reader_id=http.account_id())
    return {"subject": seen.subject, "text": seen.text}


@bp.get("/admin/newsletters/<int:newsletter_id>/preview/html")
@admin(problems=(404,))
def get_preview_page(newsletter_id: int) -> MailPage:
    """How it looks, as HTML that can do nothing but be shown."""
    return MailPage(newsletters.preview(newsletter_id, shop_settings(), reader_id=http.account_id()).html)


@bp.post("/admin/newsletters/<int:newsletter_id>/tests")
@admin(status=202, problems=(404,))
def send_test(newsletter_id: int) -> SentTest:
    """Send it to one's own address only."""
    account = http.current_account()
    assert account
    return newsletters.send_test(newsletter_id, shop_settings(), account["email"], actor_id=account["id"])


@bp.post("/admin/newsletters/<int:newsletter_id>/actions")
@admin(problems=(404, 409))
def act(newsletter_id: int, body: NewsletterAct) -> WholeNewsletter:
    """Send a draft to all subscribers, pause, or resume. Each reader gets it once, however often it was paused or cut off."""
    return newsletters.act(newsletter_id, body.action, version=body.version, actor_id=http.account_id())


@bp.get("/admin/newsletters/subscribers")
@admin(problems=(422,))
def list_subscribers(params: SubscriberParams) -> Subscribers:
    """Who gets the newsletter, who was asked, and who ended it. `total` is counted up to 10,000."""
    return subscribers.list_all(Filters(params.q, params.status), sort=params.sort, limit=params.limit, after=params.after)


@bp.post("/admin/newsletters/subscribers")
@admin(status=204)
def add_subscriber(body: Subscription) -> None:
    """Ask an address by mail whether it wants the newsletter; it gets none before it says yes."""
    subscribers.ask(body.email, source="staff", actor_id=http.account_id())


@bp.post("/admin/newsletters/subscribers/removals")
@admin
def remove_subscribers(body: Removals) -> Removed:
    """Forget addresses."""
    return subscribers.remove(body.ids, actor_id=http.account_id())
