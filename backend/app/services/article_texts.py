"""What stands on the owner's pages before the owner has written them: what the shop does in truth, and who sells. Pure: settings in, Markdown out."""

from __future__ import annotations

import re
from typing import Any

from .settings import COUNTRIES, PAYMENT_NAMES


def first(slug: str, shop: dict[str, Any]) -> str:
    """The first text of a page, in Markdown."""
    return {"terms": _terms, "privacy": _privacy, "returns": _returns, "imprint": _imprint}[slug](shop)


def _escaped(text: str) -> str:
    """A name is a name, whatever signs of Markdown it holds."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~])", r"\\\1", text)


def _seller(shop: dict[str, Any]) -> str:
    return _escaped(shop["seller"]["name"] or shop["name"])


def _address(shop: dict[str, Any]) -> str:
    seller = shop["seller"]
    lines = [seller["name"] or shop["name"], seller["line1"], seller["line2"], f"{seller['postcode']} {seller['city']}".strip()]
    lines.append(COUNTRIES.get(seller["country"], ""))
    return "  \n".join(_escaped(line) for line in lines if line)


def _reach(shop: dict[str, Any]) -> str:
    email = shop["seller"]["email"]
    return f"Write to [{_escaped(email)}](mailto:{email}) or by [our form](/contact)." if email else "Write to us by [our form](/contact)."


def _terms(shop: dict[str, Any]) -> str:
    ways = ", ".join(PAYMENT_NAMES[code].lower() for code in shop["payment_methods"] if code != "test")
    tax = "include tax" if shop["prices_include_tax"] else "are without tax, which is added at the checkout"
    return f"""You buy from {_seller(shop)}. These are the rules of it.

## Your order

By pressing the button at the end of the checkout you make us a binding offer. The contract is made when we confirm the order by mail.
Until your order ships you can cancel it on its page at no cost.

## Prices and payment

Prices {tax}. What delivery costs is shown before you order, and nothing is added afterwards. You can pay by: {ways or "what the checkout offers"}.
Goods stay ours until they are paid.

## Delivery

We deliver to the countries that the checkout offers, in the time that it names. If something cannot be delivered we tell you and give the money back.

## Faults

If something arrives broken or is not what you ordered, the law gives you the right to repair, replacement or your money. {_reach(shop)}

## Returns

See [Returns](/returns).

## Who you buy from

{_address(shop)}"""


def _privacy(shop: dict[str, Any]) -> str:
    return f"""{_seller(shop)} keeps what is needed to sell you things and to keep the books, and nothing else.

## What we keep, and what for

- **Orders**: name, address, e-mail and what you bought, to deliver it and because tax law demands it for years.
- **Accounts**: name, e-mail, a scrambled form of your password, addresses and devices, for as long as you have one.
- **Messages**: what you write to us, to answer it.
- **The newsletter and reminders**: only if you asked for them. Every such mail has a link that ends it.

## What we do not do

No page of this shop loads anything from other companies, and there are no trackers or advertising cookies. One cookie remembers your cart and that you are
signed in; another one remembers the light or dark theme. Searches are counted without your name. We do not sell data.

## Who else sees it

The carrier gets your address, and if you pay by card the payment service gets what it needs; your card number never reaches us.

## Your rights

You may see, correct and take with you all that we hold of you, and have it erased; with an account you do so under [Privacy in your account](/account/privacy).
{_reach(shop)} You may also complain to your data protection authority.

## Who is responsible

{_address(shop)}"""


def _returns(shop: dict[str, Any]) -> str:
    days = shop["return_days"]
    term = f"within {days} days after the last parcel left us" if days else "for as long as the law gives you"
    return f"""You may send things back {term}, without a reason.

## How it goes

1. Open the order under [Your orders](/orders), or by the link in our mail, and press *Return something*.
2. Choose what comes back. We answer by mail where to send it.
3. When the parcel is here and whole we give the money back the way it came.

Gift cards cannot be returned once they were used. Things that were made for you, or were unsealed and cannot be sold again for hygiene, neither.

## Broken on arrival?

Tell us with a picture, under [Your questions](/tickets) or by [our form](/contact). You pay nothing for our mistakes."""


def _imprint(shop: dict[str, Any]) -> str:
    tax = f"\n\n## VAT number\n\n{_escaped(shop['tax_number'])}" if shop["tax_number"] else ""
    missing = "" if shop["seller"]["line1"] else "\n\n*The owner has not entered an address yet.*"
    return f"""## Who runs this shop

{_address(shop)}{missing}

## How to reach us

{_reach(shop)}{tax}"""
