"""The address book of an account: up to twenty addresses, one of which is the default."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import Conflict, NotFound, SignInRequired

MOST = 20


class SavedAddress(TypedDict):
    id: int
    label: str
    is_default: bool
    name: str
    line1: str
    line2: str
    city: str
    region: str
    postcode: str
    country: str
    phone: str


class AddressList(TypedDict):
    items: list[SavedAddress]
    next: str | None
    total: int


def list_of(user_id: int) -> AddressList:
    """All of the user's addresses, the default first."""
    with db.reading() as tx:
        found = all_of(tx, user_id)
    return {"items": found, "next": None, "total": len(found)}


def all_of(tx: Tx, user_id: int) -> list[SavedAddress]:
    rows: list[SavedAddress] = q.addresses.list_of(tx, user_id=user_id)
    return [{**row, "is_default": place == 0} for place, row in enumerate(rows)]


def get(tx: Tx, user_id: int | None, address_id: int) -> Row:
    """One address as an order copies it. Raises NotFound, also for somebody else's."""
    row: Row | None = q.addresses.get(tx, user_id=user_id, address_id=address_id)
    if row is None:
        raise NotFound("There is no such address.")
    return row


def add(user_id: int, fields: dict[str, Any]) -> SavedAddress:
    """Keep an address; the first one is the default whatever it says. Raises Conflict when there are twenty."""
    return db.transaction(_add, user_id, fields)


def _add(tx: Tx, user_id: int, fields: dict[str, Any]) -> SavedAddress:
    if q.sessions.lock_user(tx, user_id=user_id) is None:
        raise SignInRequired()
    address_id = q.addresses.add(tx, user_id=user_id, most=MOST, **fields)
    if not address_id:
        raise Conflict(f"You can keep at most {MOST} addresses. Please delete one first.")
    return _one(tx, user_id, address_id)


def change(user_id: int, address_id: int, fields: dict[str, Any]) -> SavedAddress:
    """Replace an address. `is_default` true moves the default here; false leaves it where it is. Raises NotFound."""
    return db.transaction(_change, user_id, address_id, fields)


def _change(tx: Tx, user_id: int, address_id: int, fields: dict[str, Any]) -> SavedAddress:
    q.addresses.change(tx, user_id=user_id, address_id=address_id, **fields)
    return _one(tx, user_id, address_id)


def _one(tx: Tx, user_id: int, address_id: int) -> SavedAddress:
    found = [address for address in all_of(tx, user_id) if address["id"] == address_id]
    if not found:
        raise NotFound("There is no such address.")
    return found[0]


def delete(user_id: int, address_id: int) -> None:
    """Remove an address; after the default the one before it, or else the oldest, is the default. Raises NotFound."""
    db.transaction(_delete, user_id, address_id)


def _delete(tx: Tx, user_id: int, address_id: int) -> None:
    if not q.addresses.delete(tx, user_id=user_id, address_id=address_id):
        raise NotFound("There is no such address.")
