"""The owner's choices: kept as JSON rows, read with their first values beside them."""

from __future__ import annotations

import contextlib
import hmac
import math
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from typing_extensions import TypedDict

from .. import db, security
from ..config import CURRENCIES, Settings
from ..db import Tx, q
from ..errors import Conflict, Forbidden, Invalid, Unavailable
from . import events

COUNTRIES = {
    "AT": "Austria", "BE": "Belgium", "BG": "Bulgaria", "CH": "Switzerland", "CY": "Cyprus", "CZ": "Czechia", "DE": "Germany", "DK": "Denmark",
    "EE": "Estonia", "ES": "Spain", "FI": "Finland", "FR": "France", "GB": "United Kingdom", "GR": "Greece", "HR": "Croatia", "HU": "Hungary",
    "IE": "Ireland", "IT": "Italy", "LT": "Lithuania", "LU": "Luxembourg", "LV": "Latvia", "MT": "Malta", "NL": "Netherlands", "NO": "Norway",
    "PL": "Poland", "PT": "Portugal", "RO": "Romania", "SE": "Sweden", "SI": "Slovenia", "SK": "Slovakia",
}  # fmt: skip

NAME_SECONDS = 2.0
PAYMENT_NAMES = {"stripe": "Card", "cash_on_delivery": "Cash on delivery", "bank_transfer": "Bank transfer", "test": "Test payment"}

FIRST_VALUES: dict[str, Any] = {
    "name": "FlaskCart",
    "currency": "EUR",
    "seller": {"name": "", "line1": "", "line2": "", "city": "", "postcode": "", "country": "", "email": ""},
    "tax_number": "",
    "invoice_note": "",  # what the law or the owner wants at the foot of every invoice
    "prices_include_tax": True,
    "tax_rate_bp": 2000,
    # By country and tax class, in basis points: {"DE": {"standard": 1900, "reduced": 700}}. Where nothing is said, tax_rate_bp.
    "tax_rates": {},
    "shipping_countries": sorted(COUNTRIES, key=COUNTRIES.__getitem__),
    # A way may be for some countries only (`countries`), go by weight (`by_weight`: [{"up_to_g", "price_minor"}], `most_weight_g`),
    # or be no delivery at all (`pickup`).
    "shipping_methods": [
        {"code": "standard", "name": "Standard delivery", "price_minor": 490, "free_from_minor": 6000, "days": "2–4"},
        {"code": "express", "name": "Express delivery", "price_minor": 990, "free_from_minor": None, "days": "1–2"},
    ],
    # Of these only what the environment allows is offered: Stripe with its keys, test payments on one's own machine.
    "payment_methods": ["stripe", "cash_on_delivery", "bank_transfer", "test"],
    "transfer_days": 7,
    "return_days": 14,  # after the last parcel left
    # Customers' levels by what they spent; the discount is a whole percentage of the goods.
    "levels": [
        {"code": "bronze", "name": "Bronze", "from_minor": 0, "discount_percent": 0},
        {"code": "silver", "name": "Silver", "from_minor": 50_000, "discount_percent": 0},
        {"code": "gold", "name": "Gold", "from_minor": 150_000, "discount_percent": 0},
    ],
    "bank_account": "",
    "gift_card_years": 3,  # for which a card can be spent, None for ever
    "cart_reminder_hours": 0,  # after which whoever asked for it is reminded of a cart that they left; 0 is never
    # The most that a coupon may take off which is given in a ticket; no amount is no limit.
    "ticket_coupon_percent": 100,
    "ticket_coupon_minor": None,
    # Whether staff and admins must have a second factor before they may do what only they may.
    "staff_totp": False,
    # How often what strangers can do may be done: so many uses in so many seconds.
    "limits": {
        "sign_in": {"uses": 10, "seconds": 900},  # by account and network, or by known device
        "sign_in_address": {"uses": 60, "seconds": 900},
        "codes": {"uses": 20, "seconds": 3600},  # by address, for register, forgot and resend each
        "proof": {"uses": 10, "seconds": 900},  # by account: step-up and all about the second factor
        "orders": {"uses": 30, "seconds": 600},  # by buyer: attempts to order
        # By network: what was ordered. A guest's order holds stock and needs no more than an
        # invented email address.
        "guest_orders": {"uses": 20, "seconds": 3600},
        "guest_orders_day": {"uses": 60, "seconds": 86400},
        "account_orders": {"uses": 120, "seconds": 3600},
        # By mailbox: emails caused by a sender who has not proven to own the address.
        "emails_to": {"uses": 8, "seconds": 3600},
        "emails_to_day": {"uses": 20, "seconds": 86400},
        "coupons": {"uses": 20, "seconds": 900},  # by network: wrong codes, in quotes and orders
        # By buyer and by network.
        "cart_writes": {"uses": 300, "seconds": 600},
        "cart_writes_network": {"uses": 3000, "seconds": 3600},
        "wishlist_writes": {"uses": 300, "seconds": 600},
        "wishlist_writes_network": {"uses": 1500, "seconds": 3600},
        "guests": {"uses": 300, "seconds": 3600},  # by network: new guests with a cart or a wishlist
        "reviews": {"uses": 30, "seconds": 3600},  # by account
        "gift_cards": {"uses": 10, "seconds": 900},  # by network: balances asked for, and wrong codes
        "contact": {"uses": 5, "seconds": 3600},  # by address, and by the e-mail address that is typed
        "newsletter": {"uses": 5, "seconds": 3600},  # by address, and by the e-mail address that is typed
        "attachments": {"uses": 60, "seconds": 3600},  # by address: pictures that come with messages
        "tickets": {"uses": 30, "seconds": 3600},  # by account
    },
    # With how many pieces or fewer a variant is said to run out, to the staff.
    "low_stock": 5,
    # Each night at this hour (UTC) a backup, kept for so many days.
    "backup_nightly": True,
    "backup_hour": 3,
    "backup_days": 14,
    # For how many days is kept: carts and wishes of guests, idempotency keys, mails of no order, messages that were dealt with.
    "guest_days": 90,
    "key_days": 30,
    "mail_days": 365,
    "message_days": 730,
    "setup_done": False,
}


class Country(TypedDict):
    code: str
    name: str


class Shop(TypedDict):
    name: str
    currency: str
    currency_digits: int
    shipping_countries: list[Country]
    prices_include_tax: bool
    setup_needed: bool
    features: dict[str, bool]


def shop(tx: Tx) -> dict[str, Any]:
    """Every choice by name, first values filled in."""
    stored = {row["name"]: orjson.loads(row["value"]) for row in q.settings.list_all(tx)}
    return FIRST_VALUES | stored


def given(name: str, value: str | None) -> Any:
    """A choice that another statement brought along."""
    return FIRST_VALUES[name] if value is None else orjson.loads(value)


def tax_rate(shop: dict[str, Any], country: str | None, tax_class: str) -> int:
    """The rate, in basis points, for goods of a class that go to a country: as the owner set it, else the shop's own rate."""
    rates: dict[str, int] = shop["tax_rates"].get(country or shop["seller"]["country"]) or {}
    return int(rates.get(tax_class, rates.get("standard", shop["tax_rate_bp"])))


def limits(tx: Tx) -> dict[str, dict[str, int]]:
    """Every rate limit by name: `uses` in `seconds`. The owner's choice may name only some."""
    chosen: dict[str, dict[str, int]] = FIRST_VALUES["limits"] | shop(tx)["limits"]
    return chosen


def public() -> Shop:
    """What the pages may know of the shop."""
    with db.reading() as tx:
        values = shop(tx)
    return {
        "name": values["name"],
        "currency": values["currency"],
        "currency_digits": CURRENCIES[values["currency"]],
        "shipping_countries": [{"code": code, "name": COUNTRIES[code]} for code in values["shipping_countries"]],
        "prices_include_tax": values["prices_include_tax"],
        "setup_needed": not values["setup_done"],
        "features": {"guest_checkout": True},
    }


def currency() -> str:
    """The shop's currency (ISO 4217)."""
    with db.reading() as tx:
        return str(shop(tx)["currency"])


_known_name: tuple[float, str] = (-math.inf, str(FIRST_VALUES["name"]))


def known_name() -> str:
    """The shop's name as of the last few seconds, for pages that need nothing else of the database and open also without it."""
    global _known_name
    read_at, name = _known_name
    if time.monotonic() - read_at > NAME_SECONDS:
        with contextlib.suppress(Unavailable):
            name = public()["name"]
        _known_name = (time.monotonic(), name)
    return name


def setup_needed() -> bool:
    """Whether the owner has yet to name the shop and its first admin."""
    with db.reading() as tx:
        return not shop(tx)["setup_done"]


def staff_need_totp() -> bool:
    """Whether the owner demands a second factor of staff and admins."""
    with db.reading() as tx:
        return bool(shop(tx)["staff_totp"])


def take_first_values(environment: Settings) -> None:
    """At the very first start the environment's name and currency become the shop's; later they are the database's to say."""
    db.transaction(_take_first_values, environment)


def _take_first_values(tx: Tx, environment: Settings) -> None:
    q.settings.put_first(tx, name="name", value=_json(environment.name))
    q.settings.put_first(tx, name="currency", value=_json(environment.currency))


def put(tx: Tx, name: str, value: Any) -> None:
    if name not in FIRST_VALUES:
        raise KeyError(name)
    if name == "currency" and value != shop(tx)["currency"] and q.settings.has_orders(tx):
        raise Invalid(currency="The currency is fixed once there are orders.")
    q.settings.put(tx, name=name, value=_json(value))


def setup_token(var: Path) -> str:
    """The secret in the first-run link, one for all servers that share a key. Whoever can read the shop's folder is its owner; nobody else names the admin."""
    path = var / "setup_token"
    if not path.exists():
        var.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(security.sign("setup", "").hex()[:32])
    return path.read_text().strip()


def check_setup_token(var: Path, given: str) -> None:
    if not hmac.compare_digest(setup_token(var).encode(), given.encode()):
        raise Forbidden("This is not the link that the shop printed when it started.")


# ---------------------------------------------------------------- the owner's page

# What is saved together, with one version. What is not named here (limits) is for the database's hand alone.
SECTIONS: dict[str, tuple[str, ...]] = {
    "shop": ("name", "seller", "tax_number", "invoice_note", "currency"),
    "taxes": ("prices_include_tax", "tax_rate_bp", "tax_rates"),
    "delivery": ("shipping_countries", "shipping_methods"),
    "payments": ("payment_methods", "bank_account", "transfer_days"),
    "orders": ("low_stock", "return_days", "gift_card_years"),
    "levels": ("levels",),
    "customers": ("cart_reminder_hours", "ticket_coupon_percent", "ticket_coupon_minor"),
    "staff": ("staff_totp",),
    "backups": ("backup_nightly", "backup_hour", "backup_days"),
    "retention": ("guest_days", "key_days", "mail_days", "message_days"),
}


class Section(TypedDict):
    """Choices that are saved together. `version` counts their changes and is sent back with the next one."""

    section: str
    version: int
    values: dict[str, Any]


class Warned(TypedDict):
    section: str
    text: str


class OwnersSettings(TypedDict):
    sections: dict[str, Section]
    currency_fixed: bool
    countries: list[Country]
    warnings: list[Warned]


class Change(TypedDict):
    id: int
    section: str
    version: int
    before: dict[str, Any]
    after: dict[str, Any]
    changed_by: str | None
    changed_at: datetime


def owners() -> OwnersSettings:
    """Everything that the owner may choose, and what does not fit together."""
    with db.reading() as tx:
        values, versions = shop(tx), _versions(tx)
        return {
            "sections": {name: _section(name, values, versions) for name in SECTIONS},
            "currency_fixed": bool(q.settings.has_orders(tx)),
            "countries": [{"code": code, "name": name} for code, name in sorted(COUNTRIES.items(), key=lambda one: one[1])],
            "warnings": _warnings(values),
        }


def list_changes() -> list[Change]:
    """The latest changes: who, when, and the choices before and after."""
    with db.reading() as tx:
        rows = q.settings.list_changes(tx)
    return [
        {
            "id": row["id"],
            "section": row["section"],
            "version": row["version"],
            "before": orjson.loads(row["value_before"]),
            "after": orjson.loads(row["value_after"]),
            "changed_by": row["changed_by"],
            "changed_at": row["changed_at"],
        }
        for row in rows
    ]


def change(section: str, version: int, values: dict[str, Any], *, actor_id: int) -> Section:
    """Save one section as a whole. It holds at once, since everybody reads the database. Raises Conflict with `current` when it was saved meanwhile."""
    return db.transaction(_change, section, version, values, actor_id)


def _change(tx: Tx, section: str, version: int, values: dict[str, Any], actor_id: int) -> Section:
    before = _section(section, shop(tx), _versions(tx))
    after: Section = {"section": section, "version": version + 1, "values": _shown(_kept(values))}
    if before["version"] == version and before["values"] == after["values"]:
        return before
    told = {"value_before": _json(before["values"]), "value_after": _json(after["values"])}
    if before["version"] != version or not q.settings.note_change(tx, section=section, version=version + 1, actor_id=actor_id, **told):
        raise Conflict("Somebody else saved these settings since you saw them.", current=_section(section, shop(tx), _versions(tx)))
    for name, value in _kept(values).items():
        put(tx, name, value)
    events.note(tx, "settings_changed", version + 1, subject="setting", actor_id=actor_id, section=section)
    return after


def _versions(tx: Tx) -> dict[str, int]:
    return {row["section"]: row["version"] for row in q.settings.list_versions(tx)}


def _section(section: str, values: dict[str, Any], versions: dict[str, int]) -> Section:
    return {"section": section, "version": versions.get(section, 0), "values": _shown({name: values[name] for name in SECTIONS[section]})}


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    """Choices as they are stored: tax rates by country and class, and a code for each new row, made of its name."""
    kept = dict(values)
    if "tax_rates" in values:
        kept["tax_rates"] = {row["country"]: {} for row in values["tax_rates"]}
        for row in values["tax_rates"]:
            kept["tax_rates"][row["country"]][row["tax_class"]] = row["rate_bp"]
    for name in ("shipping_methods", "levels"):
        if name in values:
            kept[name] = _with_codes(values[name])
    return kept


def _shown(kept: dict[str, Any]) -> dict[str, Any]:
    """Choices as they are edited: each tax rate a row."""
    if "tax_rates" not in kept:
        return kept
    rows = [{"country": country, "tax_class": name, "rate_bp": rate} for country, rates in kept["tax_rates"].items() for name, rate in rates.items()]
    return kept | {"tax_rates": rows}


def _with_codes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    taken = {row["code"] for row in rows if row["code"]}
    coded = []
    for row in rows:
        code = row["code"]
        if not code:
            plain = re.sub(r"[^a-z0-9]+", "-", row["name"].lower()).strip("-")[:20] or "way"
            code = next(one for one in (plain, *(f"{plain}-{n}" for n in range(2, 99))) if one not in taken)
            taken.add(code)
        coded.append(row | {"code": code})
    return coded


def _warnings(values: dict[str, Any]) -> list[Warned]:
    """What each choice alone allows, and what together leaves a shopper without a way."""
    ways = [way for way in values["shipping_methods"] if not way.get("pickup")]
    anywhere = any(not way.get("countries") for way in ways)
    reached = {country for way in ways for country in way.get("countries") or ()}
    left_out = [] if anywhere else [COUNTRIES[code] for code in values["shipping_countries"] if code not in reached]
    warnings: list[Warned] = []
    if left_out:
        warnings.append({"section": "delivery", "text": f"No way of delivery reaches {', '.join(left_out)}: who lives there cannot order."})
    if "bank_transfer" in values["payment_methods"] and not values["bank_account"]:
        warnings.append({"section": "payments", "text": "Bank transfer is offered, but shoppers are not told an account to pay to."})
    if not values["seller"]["name"] or not values["seller"]["line1"]:
        warnings.append({"section": "shop", "text": "Invoices need the seller's name and address."})
    return warnings


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
