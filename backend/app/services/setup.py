"""The first run: the owner names the shop and its first admin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import db, security
from ..db import Tx
from ..errors import Conflict
from . import accounts, demo, password_rules, settings


def set_up(var: Path, *, token: str, name: str, seller: dict[str, str], currency: str, admin: dict[str, str], remove_demo: bool) -> int:
    """Take the owner's answers, all or none; gives the first admin's id. Raises Forbidden for a wrong token, Conflict once it is done."""
    settings.check_setup_token(var, token)
    if not settings.setup_needed():
        raise Conflict("This shop has its owner already. Please sign in.")
    password_rules.check(admin["password"], username=admin["username"], email=admin["email"], shop_name=name, field="admin.password")
    return db.transaction(_set_up, security.hash_password(admin["password"]), name, seller, currency, admin, remove_demo)


def _set_up(tx: Tx, password_hash: str, name: str, seller: dict[str, Any], currency: str, admin: dict[str, str], remove_demo: bool) -> int:
    user_id: int = accounts.add_first_admin(tx, username=admin["username"], email=admin["email"], password_hash=password_hash)
    for key, value in (("name", name), ("seller", seller), ("currency", currency), ("setup_done", True)):
        settings.put(tx, key, value)
    if remove_demo:
        demo.remove(tx)
    return user_id
