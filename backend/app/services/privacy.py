"""Everything the shop holds of a person: told as one document, or erased for good.

The comments of the schema's columns say which values are told (export, erase) and which must be gone afterwards (erase); the tests
hold both functions to them. Orders that were placed as a guest with the account's address, which is
verified, are the person's as well, whether or not the account has claimed them.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Conflict, NotFound, SignInRequired
from . import (
    addresses,
    attachments,
    cart,
    contact,
    events,
    gift_cards,
    mail,
    media,
    orders,
    profile,
    promotions,
    recommendations,
    reviews,
    stock,
    subscribers,
    support,
    wishlist,
)
from .addresses import SavedAddress
from .cart import Buyer, Cart
from .contact import ToldContact
from .orders import Order
from .profile import Profile
from .reviews import ToldReview
from .subscribers import ToldSubscription
from .support import ToldTicket
from .wishlist import ToldWish


class OwnAccount(Profile):
    status: str
    blocked_until: datetime | None
    block_reason: str
    signed_in_at: datetime | None


class ToldNote(TypedDict):
    """What the people who run the shop noted."""

    body: str
    created_at: datetime


class Device(TypedDict):
    ip: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class AskedCode(TypedDict):
    purpose: str
    email: str
    created_at: datetime
    expires_at: datetime


class SentMail(TypedDict):
    subject: str
    template: str
    recipient: str
    order_number: str | None
    status: str
    created_at: datetime
    sent_at: datetime | None


class StockRequest(TypedDict):
    variant_id: int
    email: str
    created_at: datetime


class ToldPayment(TypedDict):
    order_number: str
    method: str
    status: str
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    created_at: datetime
    paid_at: datetime | None


class Export(TypedDict):
    exported_at: datetime
    account: OwnAccount
    notes: list[ToldNote]
    addresses: list[SavedAddress]
    orders: list[Order]
    payments: list[ToldPayment]
    cart: Cart
    reviews: list[ToldReview]
    wishlist: list[ToldWish]
    recommended_product_ids: list[int]
    stock_requests: list[StockRequest]
    newsletter: ToldSubscription | None
    tickets: list[ToldTicket]
    contact_messages: list[ToldContact]
    devices: list[Device]
    codes: list[AskedCode]
    mails: list[SentMail]


def export(user_id: int) -> Export:
    """All that the shop knows of the person; secrets such as hashes apart."""
    account = profile.get(user_id)
    with db.reading() as tx:
        state = q.privacy.get_state(tx, user_id=user_id)
        notes = q.privacy.list_notes(tx, user_id=user_id)
        devices = q.privacy.list_sessions(tx, user_id=user_id)
        codes = q.privacy.list_challenges(tx, user_id=user_id)
        order_ids = [row["id"] for row in q.privacy.list_orders(tx, user_id=user_id)]
        payments = q.privacy.list_payments(tx, order_ids=order_ids)
        stock_requests = q.privacy.list_stock_requests(tx, user_id=user_id)
        mails = q.privacy.list_mails(tx, mail_ids=_mails_of(tx, user_id, account["email"]))
    return {
        "exported_at": state["exported_at"],
        "account": {**account, **{name: state[name] for name in ("status", "blocked_until", "block_reason", "signed_in_at")}},  # type: ignore[typeddict-item]
        "notes": notes,
        "addresses": addresses.list_of(user_id)["items"],
        "orders": orders.list_in_full(order_ids),
        "payments": payments,
        "cart": cart.get(Buyer(user_id)),
        "reviews": reviews.all_of(user_id),
        "wishlist": wishlist.all_of(user_id),
        "recommended_product_ids": recommendations.told_to(user_id),
        "stock_requests": stock_requests,
        "newsletter": subscribers.told_to(user_id),
        "tickets": support.all_of(user_id),
        "contact_messages": contact.all_of(user_id),
        "devices": devices,
        "codes": codes,
        "mails": [_told(row) for row in mails],
    }


def _mails_of(tx: Tx, user_id: int, email: str) -> list[int]:
    return [row["id"] for row in q.privacy.find_mails(tx, user_id=user_id, email=email)]


def _told(row: Row) -> SentMail:
    """What a mail said is not kept, so its subject is told by its kind."""
    return {
        "subject": row["template"].replace("_", " ").capitalize(),
        "template": row["template"],
        "recipient": row["recipient"],
        "order_number": row["order_number"],
        "status": row["status"],
        "created_at": row["created_at"],
        "sent_at": row["sent_at"],
    }


def erase(user_id: int, password: str, *, var: Path, limited: bool) -> None:
    """Erase the account and all that is the person's. Orders stay as the books need them; those that were not sent are cancelled.

    Raises Invalid for a wrong password, TooMany; Conflict `order_under_way` while an order is paid or on its way and needs its
    address, and Conflict `last_admin`.
    """
    profile.confirm(user_id, password, field="password", limited=limited)
    _erase_all(user_id, user_id, var)


def erase_for(user_id: int, *, actor_id: int | None, var: Path) -> None:
    """The same at an admin's word. Raises NotFound, and Conflict as `erase` does."""
    _erase_all(user_id, actor_id, var)


def _erase_all(user_id: int, actor_id: int | None, var: Path) -> None:
    pictures, mail_ids = db.transaction(_erase, user_id, actor_id)
    for path in pictures:
        media.delete_file(var / "uploads", path)
    mail.delete_written(var, mail_ids)


def _erase(tx: Tx, user_id: int, actor_id: int | None) -> tuple[list[str], set[int]]:
    """Gives the files, under uploads, that must go now, and the mails that may lie in a folder."""
    # The cart first: an order that is being placed holds it, and wants the account's row next.
    q.privacy.delete_cart(tx, user_id=user_id)
    q.privacy.lock_admins(tx)
    account = q.privacy.lock_account(tx, user_id=user_id)
    if account is None:
        raise SignInRequired() if user_id == actor_id else NotFound("There is no such account.")
    q.privacy.claim_orders(tx, user_id=user_id, email_key=account["email_key"])
    cancelled = _cancel_orders(tx, user_id, actor_id)
    mail_ids = _mails_of(tx, user_id, account["email"])
    q.privacy.erase_order_mails(tx, mail_ids=mail_ids)
    q.privacy.delete_mails(tx, mail_ids=mail_ids)
    q.privacy.erase_returns(tx, user_id=user_id)
    q.privacy.erase_tracking(tx, user_id=user_id)
    q.privacy.delete_gift_card_keys(tx, email=account["email"])
    q.privacy.erase_gift_cards(tx, email=account["email"])
    q.privacy.delete_order_keys(tx, user_id=user_id)
    q.privacy.delete_placing_keys(tx, user_id=user_id)
    q.privacy.anonymise_orders(tx, user_id=user_id)
    reviews.erase_all_of(tx, user_id)
    q.privacy.delete_stock_requests(tx, user_id=user_id, email_key=account["email_key"])
    pictures = attachments.paths_of_person(tx, user_id, account["email_key"])
    support.erase_all_of(tx, user_id)
    contact.erase_all_of(tx, user_id, account["email_key"])
    q.subscribers.delete_of(tx, email_key=account["email_key"])
    q.privacy.delete_challenges(tx, user_id=user_id, email_key=account["email_key"])
    q.privacy.delete_keys(tx, scope=Buyer(user_id).scope)
    q.bulk_actions.erase_user(tx, user_id=user_id)
    if not q.privacy.delete_account(tx, user_id=user_id):
        raise Conflict("This is the shop's only admin. Make somebody else an admin first.", code="last_admin")
    events.note(tx, "erased", user_id, actor_id=actor_id)
    mail.enqueue(tx, "erased", account["email"], {"username": account["username"], "cancelled": cancelled, "asked": user_id == actor_id})
    return [path for path in (account["avatar_path"], *pictures) if path], set(mail_ids)


def _cancel_orders(tx: Tx, user_id: int, actor_id: int | None) -> list[str]:
    """Cancel what was not sent yet, since it could reach nobody any more; gives the numbers."""
    unfinished = q.privacy.list_unfinished_orders(tx, user_id=user_id)
    for order in unfinished:
        if not q.orders.cancel(tx, order_id=order["id"], cancellable=orders.CANCELLABLE):
            raise Conflict(
                f"Order {order['number']} is under way and needs the account's address. Please come back when it has arrived.", code="order_under_way"
            )
        q.orders.add_event(tx, order_id=order["id"], kind="cancelled", actor_id=actor_id)
    for order in unfinished:
        promotions.release(tx, order["id"])
    for order in unfinished:
        gift_cards.release(tx, order["id"])
    for order in unfinished:
        stock.put_back(tx, order["id"], reason="cancelled", actor_id=actor_id)
    return [order["number"] for order in unfinished]
