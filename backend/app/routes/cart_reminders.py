from __future__ import annotations

from flask import Blueprint

from ..http import anyone
from ..services import cart_reminders

bp = Blueprint("cart_reminders", __name__, url_prefix="/api/v1/cart-reminders")


@bp.post("/unsubscribe/<token>")
@anyone(status=204, problems=(404,))
def unsubscribe(token: str) -> None:
    """Get no more reminders of carts: by the link in each, or by a mail program itself (RFC 8058). Any body does, and none; the token is good for ever."""
    cart_reminders.end(token)
