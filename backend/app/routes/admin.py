from __future__ import annotations

from typing import Annotated, ClassVar, Self

from flask import Blueprint, current_app
from pydantic import AfterValidator, Field, model_validator
from typing_extensions import TypedDict

from .. import http
from ..config import CURRENCIES
from ..http import Body, CountryCode, Email, Line, Params, Prose, Secret, Username, anyone, staff
from ..services import bulk_actions, descriptions, grid, product_actions, settings, setup
from ..services.bulk_actions import BulkAction
from ..services.grid import Filters, ProductRows, Sort, Status
from ..services.product_actions import Action
from ..services.sessions import Account

bp = Blueprint("admin", __name__, url_prefix="/api/v1")


def _known(currency: str) -> str:
    if currency not in CURRENCIES:
        raise ValueError("Use one of " + " ".join(CURRENCIES) + ".")
    return currency


Currency = Annotated[str, AfterValidator(_known)]


class Seller(Body):
    name: Line = Field(min_length=1, max_length=120)
    line1: Line = Field(min_length=1, max_length=160)
    line2: Line = Field("", max_length=160)
    city: Line = Field(min_length=1, max_length=120)
    postcode: Line = Field(min_length=1, max_length=20)
    country: CountryCode
    email: Email


class FirstAdmin(Body):
    username: Username
    email: Email
    password: Secret


class Setup(Body):
    token: Line = Field(min_length=1, max_length=64)
    name: Line = Field(min_length=1, max_length=80)
    seller: Seller
    currency: Currency
    admin: FirstAdmin
    remove_demo: bool = False


class SignedIn(TypedDict):
    user: Account | None


@bp.post("/setup")
@anyone(status=201, problems=(403, 409))
def set_up(body: Setup) -> SignedIn:
    """Name the shop and its first admin. Works once, with the token from the link that the shop prints when it starts."""
    user_id = setup.set_up(current_app.config["SHOP"].var, **body.model_dump())
    http.begin_session(user_id, greeted=True)
    return {"user": http.current_account()}


class ProductFilters(Body):
    """The filters of the list of products."""

    q: Line = Field("", max_length=120)
    status: Status = ""
    category: Line = Field("", max_length=120)
    low: bool = False


class ProductRowsParams(Params):
    q: Line = Field("", max_length=120)
    status: Status = ""
    category: Line = Field("", max_length=120)
    low: bool = False
    sort: Sort = "updated"
    limit: int = Field(50, ge=1, le=100)
    after: str = Field("", max_length=1000)


Id = Annotated[int, Field(ge=1, lt=2**63)]


class ProductsAction(Body):
    """What to do, and with which products: either `ids` or all that match the `filter` of the list."""

    most_bytes: ClassVar[int] = 128 * 1024

    action: Action
    ids: list[Id] | None = Field(None, min_length=1, max_length=5000)
    filter: ProductFilters | None = None
    category_id: Id | None = None
    percent: int = Field(0, ge=-99, le=1000)

    @model_validator(mode="after")
    def has_one_scope(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("Name either `ids` or a `filter`.")
        if self.action == "change_price" and not self.percent:
            raise ValueError("By how many per cent?")
        return self


@bp.get("/admin/products")
@staff(problems=(422,))
def list_products(params: ProductRowsParams) -> ProductRows:
    """Products as staff see them: drafts and, when asked for, archived ones too. `low`: with a variant of which at most five are left."""
    filters = Filters(q=params.q, status=params.status, category=params.category, low=params.low)
    return grid.list_products(filters, sort=params.sort, limit=params.limit, after=params.after, currency=settings.currency())


@bp.post("/admin/products/actions")
@staff(status=202)
def start_product_action(body: ProductsAction) -> BulkAction:
    """Start a bulk action: validated for all products before the first one changes, then applied in small steps.

    A small one is done at once. A larger one goes on by itself, also after a restart; ask for its state until it is no longer
    `running`.
    """
    scope = Filters(**body.filter.model_dump()) if body.filter else body.ids or []
    return product_actions.start(
        body.action,
        scope,
        actor_id=http.account_id(),
        var=current_app.config["SHOP"].var,
        category_id=body.category_id,
        percent=body.percent,
    )


@bp.get("/admin/products/actions/<int:action_id>")
@staff(problems=(404,))
def get_product_action(action_id: int) -> BulkAction:
    """The state of a bulk action on products."""
    return bulk_actions.get("product", action_id)


@bp.post("/admin/products/actions/<int:action_id>/undo")
@staff(status=202, problems=(404, 409))
def undo_product_action(action_id: int) -> BulkAction:
    """Undo a whole bulk action, one that is still running from where it has got to. What was changed since stays as it is."""
    return bulk_actions.undo("product", action_id, actor_id=http.account_id(), var=current_app.config["SHOP"].var)


class DescriptionDraft(Body):
    text: Prose = Field(max_length=descriptions.MOST_DESCRIPTION)
    markdown: bool = True


class DescriptionPreview(TypedDict):
    html: str


@bp.post("/admin/description-previews")
@staff
def preview_description(body: DescriptionDraft) -> DescriptionPreview:
    """How the shop would show a description, written in Markdown or HTML. Nothing is kept."""
    return {"html": descriptions.rendered(body.text) if body.markdown else descriptions.sanitised(body.text)}
