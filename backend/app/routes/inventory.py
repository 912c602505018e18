from __future__ import annotations

from typing import Annotated, Literal, Self

from flask import Blueprint
from pydantic import Field, model_validator
from typing_extensions import TypedDict

from .. import http
from ..http import Body, Email, Line, Params, anyone, staff
from ..services import stock
from ..services.stock import Ledger, StockRows

bp = Blueprint("inventory", __name__, url_prefix="/api/v1")

Quantity = Annotated[int, Field(ge=-stock.MOST, le=stock.MOST)]


class InventoryParams(Params):
    q: Line = Field("", max_length=120)
    low: bool = False
    limit: int = Field(50, ge=1, le=100)
    after: str = Field("", max_length=200)


class LedgerParams(Params):
    limit: int = Field(50, ge=1, le=100)
    after: str = Field("", max_length=200)


class Adjustment(Body):
    """Either by how many, up or down, or how many were counted."""

    variant_id: int = Field(ge=1, lt=2**63)
    quantity: Quantity | None = None
    counted: Annotated[int, Field(ge=0, le=stock.MOST)] | None = None
    reason: Literal["received", "counted", "damaged", "returned", "adjusted"]
    note: Line = Field("", max_length=200)

    @model_validator(mode="after")
    def tells_one_number(self) -> Self:
        if (self.quantity is None) == (self.counted is None) or self.quantity == 0:
            raise ValueError("Send either `quantity`, other than 0, or `counted`.")
        return self


class Adjusted(TypedDict):
    stock: int


class StockMailRequest(Body):
    email: Email


class Noted(TypedDict):
    noted: bool


@bp.get("/admin/inventory")
@staff(problems=(422,))
def list_inventory(params: InventoryParams) -> StockRows:
    """What is in stock, variant by variant, the newest first. `low`: those that run out, the fewest first."""
    return stock.inventory(params.q, low=params.low, limit=params.limit, after=params.after)


@bp.post("/admin/inventory/adjustments")
@staff(problems=(404, 409))
def adjust_stock(body: Adjustment) -> Adjusted:
    """Change a variant's stock, with the reason for the ledger."""
    now = stock.adjust(body.variant_id, body.quantity, counted=body.counted, reason=body.reason, note=body.note, actor_id=http.account_id())
    return {"stock": now}


@bp.get("/admin/inventory/<int:variant_id>/movements")
@staff(problems=(404, 422))
def list_movements(variant_id: int, params: LedgerParams) -> Ledger:
    """Every change of a variant's stock, the newest first, with what there was after it."""
    return stock.ledger(variant_id, limit=params.limit, after=params.after)


@bp.post("/variants/<int:variant_id>/stock-requests")
@anyone(status=202, problems=(404,), limit="codes")
def ask_for_mail(variant_id: int, body: StockMailRequest) -> Noted:
    """Ask for one mail when the variant can be bought again. The answer is always the same."""
    stock.ask(variant_id, body.email, user_id=http.user_id(), sender=http.sender())
    return {"noted": True}
