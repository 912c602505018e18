"""From a cart, or from goods that staff name, to an order: what it would cost, what is still missing, and the one transaction that places it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from typing_extensions import TypedDict

from .. import counts, db, security
from ..db import Row, Tx, q
from ..errors import Conflict, Invalid, OutOfStock, ShopError, SignInRequired, WrongCode
from . import accounts, addresses, cart, events, gift_cards, invoices, mail, order_limits, orders, payments, pricing, profile, promotions, settings, stock
from .cart import Buyer, CartItem, Named
from .limits import Sender
from .permissions import ISSUE_GIFT_CARDS, Actor

# How an order gets there that holds nothing but gift cards: no parcel, so no cost, and no country that it could not go to.
BY_MAIL = pricing.Shipping("email", "Sent by e-mail", 0, None, "", 0, pickup=True)
ACCEPT_TERMS = "Please accept the terms to place the order."


@dataclass(frozen=True)
class Address:
    name: str
    line1: str
    city: str
    postcode: str
    country: str
    line2: str = ""
    region: str = ""
    phone: str = ""


@dataclass(frozen=True)
class Request:
    """What a buyer asks for: to an address, or to one of the buyer's saved ones. `expected_due_minor`, `cart_version`
    and `terms_version` are what the shopper saw, compared only. Staff who order for a customer name the `items`, in place of a cart's, and
    perhaps the account.
    """

    address: Address | None
    shipping_method: str
    payment_method: str
    address_id: int | None = None
    email: str | None = None
    coupon: str = ""
    gift_card: str = ""
    note: str = ""
    expected_due_minor: int | None = None
    cart_version: int | None = None
    items: tuple[Named, ...] | None = None
    user_id: int | None = None
    terms_accepted: bool | None = None
    terms_version: int | None = None


class ShippingMethod(TypedDict):
    code: str
    name: str
    price_minor: int
    days: str
    pickup: bool


class PaymentMethod(TypedDict):
    code: str
    name: str


class Requirement(TypedDict):
    code: str
    message: str


class PayingCard(TypedDict):
    """The gift card that was asked for; `balance_minor` is what it holds before this order."""

    last_letters: str
    balance_minor: int


class Quote(TypedDict):
    cart_version: int
    lines: list[CartItem]
    subtotal_minor: int
    discount_minor: int
    shipping_minor: int
    tax_minor: int
    total_minor: int
    gift_card_minor: int
    due_minor: int
    currency: str
    prices_include_tax: bool
    terms_version: int
    shipping_method: str | None
    coupon: str | None
    gift_card: PayingCard | None
    explanation: list[pricing.Step]
    shipping_methods: list[ShippingMethod]
    payment_methods: list[PaymentMethod]
    requirements: list[Requirement]


@dataclass
class _Basket:
    """The cart and the shop's rules as one transaction or read sees them."""

    shop: dict[str, Any]
    cart: Row | None
    rows: list[Row]
    methods: list[pricing.Shipping]
    shipping: pricing.Shipping | None
    reductions: promotions.Reductions
    coupon: str
    gift_card: Row | None
    gift_card_refusal: str
    rates: list[int]  # of tax, by line
    price: pricing.Quote
    terms_version: int
    now: datetime
    email: str  # the buyer's, as far as it is known

    def delivery_by(self, method: pricing.Shipping) -> int:
        """What delivery would cost that way, coupon and all."""
        free = self.reductions.coupon is not None and self.reductions.coupon.kind == "free_shipping"
        weight = sum(row["quantity"] * row["weight_g"] for row in self.rows if row["buyable"] and not row["gift_card"])
        return 0 if free else method.price_for(self.price.subtotal_minor - self.price.discount_minor, weight)

    @property
    def wrong_codes(self) -> dict[str, str]:
        """The refusal of each code that does not exist, or no longer, by its field."""
        refusals = {
            "coupon": (self.reductions.refusal, promotions.UNKNOWN),
            "gift_card": (self.gift_card_refusal, gift_cards.UNKNOWN),
        }
        return {field: text for field, (text, unknown) in refusals.items() if text == unknown}

    @property
    def mailed(self) -> bool:
        """Whether nothing of it is sent in a parcel: gift cards alone."""
        return self.shipping is BY_MAIL

    @property
    def ways_to_pay(self) -> list[str]:
        """Nobody comes to the door with what goes by mail."""
        return [code for code in payments.offered(self.shop) if not (self.mailed and code == "cash_on_delivery")]

    @property
    def short(self) -> list[dict[str, Any]]:
        return [line for row in self.rows if (line := cart.shortage(row))]


def quote(
    buyer: Buyer,
    *,
    country: str | None = None,
    address_id: int | None = None,
    shipping_method: str | None = None,
    coupon: str = "",
    gift_card: str = "",
    email: str | None = None,
    items: tuple[Named, ...] | None = None,
    terms_accepted: bool = False,
    sender: Sender | None = None,
) -> Quote:
    """What the cart, or these items, would cost as things stand, with the arithmetic, and what is missing before it can be ordered.

    Raises NotFound for a saved address that is not the buyer's, and TooMany for a `sender` who
    guesses at codes.
    """
    with order_limits.guessing(sender, coupon=coupon, gift_card=gift_card) as wrong_fields:
        with db.reading() as tx:
            if address_id is not None:
                country = addresses.get(tx, buyer.user_id, address_id)["country"]
            basket = _load(tx, buyer, shipping_method, country, coupon, gift_card, email, items)
        wrong_fields.update(basket.wrong_codes)
    found = _as_quote(basket, country)
    if items is None and basket.terms_version and not terms_accepted:
        found["requirements"].append({"code": "terms", "message": ACCEPT_TERMS})
    return found


def place(
    buyer: Buyer,
    key: str,
    request: Request,
    *,
    staff: Actor | None = None,
    sender: Sender | None = None,
) -> tuple[orders.Order, bool]:
    """Place an order for the cart, or for the items that a member of staff names; gives it and whether it is a repeated answer.

    The same buyer, or member of staff, with the same key and request gets the same order, however often and however many at once
    (draft-ietf-httpapi-idempotency-key-header). Raises Invalid for a key used for another request, Conflict "quote_changed" with
    the new quote when the shopper saw other figures, OutOfStock naming the short lines, Conflict "cart_empty", NotFound for a saved
    address that is not the buyer's, and TooMany, before anything is taken, for a `sender` beyond
    the rate limits. For `staff` also Forbidden and StepUpRequired when the items include gift cards.
    """
    body_hash = hashlib.sha256(orjson.dumps(asdict(request), option=orjson.OPT_SORT_KEYS)).hexdigest()
    asker = Buyer(staff.id) if staff is not None else buyer
    try:
        codes = {"coupon": request.coupon, "gift_card": request.gift_card}
        with order_limits.ordering(sender, buyer, email=request.email, **codes):
            placed = db.transaction(_place, buyer, asker, key, body_hash, request, staff)
        return _answer(placed, request), False
    except ShopError:
        # Whatever stood in the way, a cart emptied or moved on above all, may be this very request's own earlier success.
        earlier = _number_for(asker, key, body_hash)
        if earlier is None:
            raise
        return _ready(earlier, request), True
    except _CardSpent:
        wanted = {name: getattr(request, name) for name in ("address_id", "shipping_method", "coupon", "gift_card", "email", "items")}
        now = quote(buyer, country=request.address.country if request.address else None, **wanted)
        raise Conflict("The gift card was used elsewhere a moment ago. Please look at the order again.", code="quote_changed", quote=now) from None


def _answer(placed: _Placed, request: Request) -> orders.Order:
    """The order that was placed just now; what paying changed about it has to be read again."""
    if placed.row["due_minor"] and request.payment_method in payments.BY_HAND:
        return orders.as_placed(placed.row, placed.items, placed.shop)
    return _ready(placed.row["number"], request)


def _ready(number: str, request: Request) -> orders.Order:
    """The order, with the page where it is paid if it is paid online; without one, the gateway being down, it can be paid later."""
    if request.payment_method == payments.ONLINE:
        payments.begin(number)
    return orders.get(number, trusted=True)


@dataclass(frozen=True)
class _Placed:
    """The rows of a new order as they were written."""

    row: Row
    items: list[Row]
    shop: dict[str, Any]


class _CardSpent(Exception):
    """Another order took from the gift card between the reckoning and the payment; there is nothing to do but to reckon anew."""


def _number_for(asker: Buyer, key: str, body_hash: str) -> str | None:
    with db.reading() as tx:
        found = q.orders.get_by_key(tx, scope=asker.scope, request_key=key)
    if found is None:
        return None
    if found["body_hash"] != body_hash:
        raise Invalid("This Idempotency-Key was used for another request.", fields={"Idempotency-Key": ["Use a new key for a new request."]})
    return str(found["number"])


def _place(tx: Tx, buyer: Buyer, asker: Buyer, key: str, body_hash: str, request: Request, staff: Actor | None) -> _Placed:
    address = _address(tx, buyer, request)
    basket = _load(tx, buyer, request.shipping_method, address.country, request.coupon, request.gift_card, request.email, request.items)
    if not basket.rows:
        raise Conflict("Your cart is empty.", code="cart_empty")
    if staff is not None and any(row["gift_card"] for row in basket.rows):
        staff.require(ISSUE_GIFT_CARDS, "This order contains gift cards, so only an admin can place it for a customer.")
    _check(basket, request, buyer, address)
    if basket.cart and not q.cart.claim(tx, cart_id=basket.cart["id"], version=basket.cart["version"]):
        raise Conflict("Your cart was changed in another window. Please look at it again.", code="cart_changed")
    _is_known(buyer, basket.email)
    row, items = _add_order(tx, basket, request, buyer, address), _items(basket)
    order_id = row["id"]
    if not q.orders.add_key(tx, scope=asker.scope, request_key=key, body_hash=body_hash, order_id=order_id):
        raise Conflict("This request was answered before.")
    promotions.use(tx, basket.reductions, order_id=order_id, email=row["email"], amount_minor=basket.price.coupon_minor)
    if basket.gift_card and basket.price.gift_card_minor and not gift_cards.spend(tx, basket.gift_card["id"], order_id, basket.price.gift_card_minor):
        raise _CardSpent()
    q.orders.add_placed(tx, order_id=order_id, actor_id=asker.user_id, at=row["placed_at"])
    if basket.cart:
        q.cart.clear(tx, cart_id=basket.cart["id"])
    else:
        events.note(tx, "order_changed", order_id, subject="order", actor_id=asker.user_id, action="placed")
    mail.enqueue(tx, "order_placed", row["email"], orders.mail_data(row, items, basket.shop), order_id=order_id)
    if basket.shop["seller"]["email"]:
        mail.enqueue(tx, "owner_new_order", basket.shop["seller"]["email"], {"number": row["number"]}, order_id=order_id)
    # The shelf comes last, so that a variant which many want is held for the shortest time: whoever holds its row needs nothing that a
    # waiting cart holds. The lines come after it, since each holds its variant, too, and two orders that hold it cannot both take.
    if not stock.take(tx, basket.rows, order_id=order_id, actor_id=asker.user_id):
        raise _out_of_stock(tx, basket.rows)
    q.orders.add_items(tx, order_id=order_id, items=orjson.dumps(items).decode())
    tx.after_commit.append(lambda: counts.add("order"))
    if basket.price.due_minor == 0:
        orders.settle(tx, order_id)
        invoices.request(tx, order_id)
    else:
        payments.expect(tx, order_id, request.payment_method)
    return _Placed(row, items, basket.shop)


def _address(tx: Tx, buyer: Buyer, request: Request) -> Address:
    if request.address_id is None:
        assert request.address is not None
        return request.address
    return Address(**addresses.get(tx, buyer.user_id, request.address_id))


def _load(
    tx: Tx,
    buyer: Buyer,
    shipping_method: str | None,
    country: str | None,
    coupon: str,
    card_code: str,
    email: str | None,
    items: tuple[Named, ...] | None,
) -> _Basket:
    shop = settings.shop(tx)
    row, lines = cart.load(tx, buyer) if items is None else (None, cart.named(tx, items))
    sold = [line for line in lines if line["buyable"]]
    # A gift card is money in another form: taxed when it is spent, and weightless.
    rates = [0 if line["gift_card"] else settings.tax_rate(shop, country, line["tax_class"]) for line in sold]
    goods = [_line(line, rate) for line, rate in zip(sold, rates, strict=True)]
    mailed = bool(goods) and all(line.is_gift_card for line in goods)
    methods = [BY_MAIL] if mailed else ways_of_delivery(shop, country, sum(line.quantity * line.weight_g for line in goods))
    shipping_method = BY_MAIL.code if mailed else shipping_method
    shipping = next((method for method in methods if method.code == shipping_method), methods[0] if shipping_method is None and methods else None)
    standing = q.checkout.get_standing(tx, user_id=buyer.user_id)
    email = email or standing["email"] or ""
    if coupon:
        _is_known(buyer, email)
    reductions = promotions.Reductions()
    if coupon or standing["promotions"]:
        reductions = promotions.find(tx, [line for line in sold if not line["gift_card"]], code=coupon, customer=email, currency=shop["currency"])
    card = gift_cards.find(tx, card_code, shop["currency"]) if card_code else None
    refusal = "" if not card_code or (card and not mailed) else "A gift card cannot be bought with a gift card." if card else gift_cards.UNKNOWN
    price = pricing.quote(
        goods,
        shipping,
        prices_include_tax=shop["prices_include_tax"],
        discounts=[*_level_discount(tx, buyer, shop), *reductions.discounts],
        coupon=reductions.coupon,
        gift_card_minor=card["balance_minor"] if card else 0,
    )
    return _Basket(shop, row, lines, methods, shipping, reductions, coupon, card, refusal, rates, price, standing["terms_version"], standing["now"], email)


def _line(row: Row, rate: int) -> pricing.Line:
    bought_card = bool(row["gift_card"])
    return pricing.Line(row["variant_id"], row["quantity"], row["price_minor"], rate, 0 if bought_card else row["weight_g"], bought_card)


def _is_known(buyer: Buyer, email: str) -> None:
    """Raises SignInRequired for an account that was erased since the request looked who is signed in."""
    if buyer.user_id is not None and not email:
        raise SignInRequired()


def _level_discount(tx: Tx, buyer: Buyer, shop: dict[str, Any]) -> list[pricing.Discount]:
    """What customers of this level pay less; in a shop whose levels have no discount nobody's level is reckoned."""
    if buyer.user_id is None or not any(level["discount_percent"] for level in shop["levels"]):
        return []
    code = profile.level_for(q.profile.get(tx, user_id=buyer.user_id)["spent_minor"], shop["levels"])
    level = next((level for level in shop["levels"] if level["code"] == code), None)
    if level is None or not level["discount_percent"]:
        return []
    return [pricing.Discount(f"{level['name']} customer", "percent", level["discount_percent"] * 100)]


def ways_of_delivery(shop: dict[str, Any], country: str | None, weight_g: int) -> list[pricing.Shipping]:
    """The ways by which so much weight gets to the country, the cheapest rule of the owner's list first; pickup is for everybody."""
    rate = settings.tax_rate(shop, country, "standard")
    return [
        pricing.Shipping(
            method["code"],
            method["name"],
            method["price_minor"],
            method["free_from_minor"],
            method["days"],
            rate,
            tuple((step["up_to_g"], step["price_minor"]) for step in method.get("by_weight", ())),
            bool(method.get("pickup")),
        )
        for method in shop["shipping_methods"]
        if (country is None or method.get("pickup") or not method.get("countries") or country in method["countries"])
        and weight_g <= (method.get("most_weight_g") or weight_g)
    ]


def _check(basket: _Basket, request: Request, buyer: Buyer, address: Address) -> None:
    country = address.country
    if buyer.user_id is None and not request.email:
        raise Invalid(email="We need your e-mail address to confirm the order.")
    picked_up = basket.shipping is not None and basket.shipping.pickup
    if country not in basket.shop["shipping_countries"] and not picked_up:
        raise Invalid(fields={"address.country" if request.address else "address_id": ["We do not deliver to this country."]})
    if basket.shipping is None:
        raise Invalid(shipping_method="Choose one of the ways of delivery.")
    if not basket.mailed and (missing := [name for name in ("line1", "city", "postcode") if not getattr(address, name)]):
        raise Invalid(fields={f"address.{name}": ["This is needed."] for name in missing})
    if basket.wrong_codes:
        raise WrongCode(fields={field: [text] for field, text in basket.wrong_codes.items()})
    if basket.reductions.refusal:
        raise Invalid(coupon=basket.reductions.refusal)
    if basket.gift_card_refusal:
        raise Invalid(gift_card=basket.gift_card_refusal)
    if request.payment_method not in basket.ways_to_pay:
        raise Invalid(payment_method="Choose one of the ways to pay.")
    if request.items is None:
        _check_terms(basket.terms_version, request)
    if basket.short:
        raise OutOfStock(basket.short)
    seen_version = request.cart_version if request.cart_version is not None else basket.cart and basket.cart["version"]
    seen_due = request.expected_due_minor if request.expected_due_minor is not None else basket.price.due_minor
    if seen_due != basket.price.due_minor or seen_version != (basket.cart and basket.cart["version"]):
        raise Conflict("The order changed since you saw it. Please look at it again.", code="quote_changed", quote=_as_quote(basket, country))


def _check_terms(version: int, request: Request) -> None:
    """Terms that the owner has written must be accepted. Those that the shop begins with are only asked about, so that who knows nothing of them can order."""
    if request.terms_accepted is False or (version and not request.terms_accepted):
        raise Invalid(terms_accepted=ACCEPT_TERMS)
    if request.terms_version not in (None, version):
        raise Invalid(terms_accepted="The terms were changed since you saw them. Please read them once more.")


def _out_of_stock(tx: Tx, rows: list[Row]) -> ShopError:
    now = {row["variant_id"]: row for row in q.stock.list_now(tx, variant_ids=[row["variant_id"] for row in rows])}
    short = [line for row in rows if (line := cart.shortage(row | now.get(row["variant_id"], {"buyable": 0})))]
    return OutOfStock(short) if short else Conflict("Something in your cart changed a moment ago. Please try again.", code="cart_changed")


def _add_order(tx: Tx, basket: _Basket, request: Request, buyer: Buyer, address: Address) -> Row:
    """Add the order's row; gives it as it stands in the table."""
    assert basket.shipping is not None
    price = basket.price
    # The order is pending, and its goods are held, until the money is there.
    minutes = payments.minutes_to_pay(request.payment_method, basket.shop) if price.due_minor else None
    row = {
        **asdict(address),
        "number": "FC-" + security.readable(8),
        "user_id": buyer.user_id,
        "email": basket.email,
        "status": "pending" if minutes else "placed",
        "payment_method": request.payment_method,
        "shipping_method": basket.shipping.code,
        "shipping_name": basket.shipping.name,
        "currency": basket.shop["currency"],
        "tax_included": basket.shop["prices_include_tax"],
        "subtotal_minor": price.subtotal_minor,
        "discount_minor": price.discount_minor,
        "shipping_minor": price.shipping_minor,
        "tax_minor": price.tax_minor,
        "total_minor": price.total_minor,
        "gift_card_minor": price.gift_card_minor,
        "due_minor": price.due_minor,
        "coupon": promotions.code_key(request.coupon),
        "explanation": orjson.dumps(price.explanation).decode(),
        "note": request.note,
        "terms_version": basket.terms_version if request.terms_accepted else None,
        "placed_at": basket.now,
        "pay_by": basket.now + timedelta(minutes=minutes) if minutes else None,
    }
    order_id = q.orders.add(tx, **row, email_key=accounts.email_key(basket.email))
    return row | {"id": order_id, "by_guest": buyer.user_id is None, "payment_status": "unpaid", "fulfilment_status": "unfulfilled"}


def _items(basket: _Basket) -> list[Row]:
    return [
        {
            "variant_id": row["variant_id"],
            "product_id": row["product_id"],
            "slug": row["slug"],
            "title": row["title"],
            "options": ", ".join(f"{name}: {value}" for name, value in cart.options_of(row).items()),
            "sku": row["sku"] or "",
            "image_path": row["image_path"],
            "quantity": row["quantity"],
            "price_minor": row["price_minor"],
            "line_minor": row["quantity"] * row["price_minor"],
            "discount_minor": discount,
            "tax_rate_bp": rate,
            "tax_minor": tax,
            "gift_card": row["gift_card"],
        }
        for row, rate, discount, tax in zip(basket.rows, basket.rates, basket.price.line_discounts_minor, basket.price.line_taxes_minor, strict=True)
    ]


def _as_quote(basket: _Basket, country: str | None) -> Quote:
    shop, price = basket.shop, basket.price
    return {
        "cart_version": basket.cart["version"] if basket.cart else 0,
        "lines": [cart.item(row, shop["currency"]) for row in basket.rows],
        "subtotal_minor": price.subtotal_minor,
        "discount_minor": price.discount_minor,
        "shipping_minor": price.shipping_minor,
        "tax_minor": price.tax_minor,
        "total_minor": price.total_minor,
        "gift_card_minor": price.gift_card_minor,
        "due_minor": price.due_minor,
        "currency": shop["currency"],
        "prices_include_tax": shop["prices_include_tax"],
        "terms_version": basket.terms_version,
        "shipping_method": basket.shipping.code if basket.shipping else None,
        "coupon": promotions.code_key(basket.coupon) if basket.reductions.coupon else None,
        "gift_card": {"last_letters": basket.gift_card["last_letters"], "balance_minor": basket.gift_card["balance_minor"]} if basket.gift_card else None,
        "explanation": price.explanation,
        "shipping_methods": [
            {"code": method.code, "name": method.name, "price_minor": basket.delivery_by(method), "days": method.days, "pickup": method.pickup}
            for method in basket.methods
        ],
        "payment_methods": [{"code": code, "name": settings.PAYMENT_NAMES[code]} for code in basket.ways_to_pay],
        "requirements": _requirements(basket, country),
    }


def _requirements(basket: _Basket, country: str | None) -> list[Requirement]:
    found: list[Requirement] = []
    if not basket.rows:
        found.append({"code": "cart_empty", "message": "Your cart is empty."})
    found += [{"code": "out_of_stock", "message": OutOfStock([line]).detail} for line in basket.short]
    picked_up = basket.shipping is not None and basket.shipping.pickup
    if country is not None and country not in basket.shop["shipping_countries"] and not picked_up:
        found.append({"code": "country", "message": "We do not deliver to this country."})
    if basket.shipping is None:
        found.append({"code": "shipping_method", "message": "Choose one of the ways of delivery."})
    if basket.reductions.refusal:
        found.append({"code": "coupon", "message": basket.reductions.refusal})
    if basket.gift_card_refusal:
        found.append({"code": "gift_card", "message": basket.gift_card_refusal})
    if basket.price.due_minor and not basket.ways_to_pay:
        found.append({"code": "payment_method", "message": "There is no way to pay for this order here."})
    return found
