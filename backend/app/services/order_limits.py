"""Rate limits of quotes and orders.

Orders and guesses at codes are limited by network, the emails that orders cause by mailbox. Uses
are taken before anything else, so that a refused order takes no stock and sends no email, and are
given back if nothing is ordered after all. A guess is given back if the code is good: shoppers
never notice the limit, and a client that has used it up cannot tell a good code from a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Unavailable, WrongCode
from . import limits
from .cart import Buyer
from .limits import Sender, Use

# The limit on guesses at what is typed into each field.
GUESSES = {"coupon": "coupons", "gift_card": "gift_cards"}


class Guesses:
    """The guesses of one request: a use for each code that it names."""

    def __init__(self, sender: Sender | None, codes: dict[str, str]) -> None:
        named = [field for field, code in codes.items() if code] if sender else []
        network = sender.network if sender else ""
        self._uses = {field: Use(GUESSES[field], network) for field in named}

    @property
    def uses(self) -> list[Use]:
        return list(self._uses.values())

    def good(self, wrong_fields: set[str]) -> list[Use]:
        """The uses to give back, given the fields whose codes were wrong."""
        return [use for field, use in self._uses.items() if field not in wrong_fields]


@contextmanager
def guessing(sender: Sender | None, *, coupon: str, gift_card: str) -> Iterator[set[str]]:
    """Limit the guesses of a quote; the block adds the fields of wrong codes to the set.

    Raises TooMany.
    """
    guesses = Guesses(sender, {"coupon": coupon, "gift_card": gift_card})
    wrong_fields: set[str] = set()
    limits.use_all(guesses.uses)
    yield wrong_fields
    limits.return_uses(guesses.good(wrong_fields))


@contextmanager
def ordering(
    sender: Sender | None,
    buyer: Buyer,
    *,
    email: str | None,
    coupon: str,
    gift_card: str,
) -> Iterator[None]:
    """Limit the order that the block places. Staff have no `sender` and no limit.

    Raises TooMany before the block is entered.
    """
    guesses = Guesses(sender, {"coupon": coupon, "gift_card": gift_card})
    uses = _uses_of_order(sender, buyer, email)
    limits.use_all([*_uses_of_attempt(sender, buyer), *uses, *guesses.uses])
    try:
        yield
    except Unavailable:
        # Perhaps the order was placed.
        raise
    except WrongCode as error:
        limits.return_uses([*uses, *guesses.good(set(error.errors))])
        raise
    except Exception:
        limits.return_uses([*uses, *guesses.uses])
        raise
    limits.return_uses(guesses.uses)


def _uses_of_attempt(sender: Sender | None, buyer: Buyer) -> list[Use]:
    if sender is None:
        return []
    is_known = buyer.user_id is not None or buyer.guest_token is not None
    return [Use("orders", buyer.scope if is_known else sender.network)]


def _uses_of_order(sender: Sender | None, buyer: Buyer, email: str | None) -> list[Use]:
    if sender is None:
        return []
    names = ("guest_orders", "guest_orders_day") if buyer.user_id is None else ("account_orders",)
    emails = sender.emails_to(email) if email else []
    return [*(Use(name, sender.network) for name in names), *emails]
