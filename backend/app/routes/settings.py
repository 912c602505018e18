from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from flask import Blueprint, current_app
from pydantic import AfterValidator, Field, model_validator
from typing_extensions import TypedDict

from .. import http
from ..errors import Invalid
from ..http import Body, Line, admin
from ..services import estimates, payments, settings
from ..services.estimates import Estimate
from ..services.settings import COUNTRIES, Change, OwnersSettings, Section
from .admin import Currency, Seller

bp = Blueprint("settings", __name__, url_prefix="/api/v1/admin/settings")
MOST_MINOR = 10**10
MOST_GRAMS = 10**7


def _served(country: str) -> str:
    if country not in COUNTRIES:
        raise ValueError("Choose one of the countries of the list.")
    return country


Served = Annotated[str, AfterValidator(_served)]
Price = Annotated[int, Field(ge=0, le=MOST_MINOR)]
Code = Annotated[str, Field(max_length=24, pattern=r"^[a-z0-9_-]*$")]
TaxClass = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,15}$")]


class Versioned(Body):
    version: int = Field(ge=0, lt=2**31)


class ShopSettings(Versioned):
    name: Line = Field(min_length=1, max_length=80)
    seller: Seller
    tax_number: Line = Field("", max_length=40)
    invoice_note: Line = Field("", max_length=300)
    currency: Currency


class TaxRate(Body):
    country: Served
    tax_class: TaxClass
    rate_bp: int = Field(ge=0, le=10_000)


class TaxSettings(Versioned):
    """Rates in basis points: 1900 is 19 %. Where no row speaks, `tax_rate_bp` holds."""

    prices_include_tax: bool
    tax_rate_bp: int = Field(ge=0, le=10_000)
    tax_rates: list[TaxRate] = Field(max_length=200)


class WeightStep(Body):
    up_to_g: int = Field(ge=1, le=MOST_GRAMS)
    price_minor: Price


class DeliveryMethod(Body):
    """A way of delivery. Without `countries` it is for all; `price_minor` is for what is heavier than each step of `by_weight`."""

    code: Code = ""
    name: Line = Field(min_length=1, max_length=80)
    price_minor: Price
    free_from_minor: Price | None = None
    days: Line = Field("", max_length=20)
    countries: list[Served] = Field([], max_length=60)
    by_weight: list[WeightStep] = Field([], max_length=20)
    most_weight_g: int | None = Field(None, ge=1, le=MOST_GRAMS)
    pickup: bool = False

    @model_validator(mode="after")
    def steps_rise(self) -> Self:
        weights = [step.up_to_g for step in self.by_weight]
        if weights != sorted(set(weights)):
            raise ValueError("Each step of weight must be heavier than the one before.")
        return self


class DeliverySettings(Versioned):
    shipping_countries: list[Served] = Field(min_length=1, max_length=60)
    shipping_methods: list[DeliveryMethod] = Field(min_length=1, max_length=20)


class PaymentSettings(Versioned):
    payment_methods: list[Literal["stripe", "cash_on_delivery", "bank_transfer", "test"]] = Field(min_length=1, max_length=4)
    bank_account: Line = Field("", max_length=160)
    transfer_days: int = Field(ge=1, le=60)


class OrderSettings(Versioned):
    low_stock: int = Field(ge=0, le=10_000)
    return_days: int = Field(ge=0, le=365)
    gift_card_years: int | None = Field(None, ge=1, le=30)


class CustomerLevel(Body):
    code: Code = ""
    name: Line = Field(min_length=1, max_length=40)
    from_minor: Price
    discount_percent: int = Field(ge=0, le=90)


class LevelSettings(Versioned):
    levels: list[CustomerLevel] = Field(max_length=10)


class CustomerSettings(Versioned):
    cart_reminder_hours: int = Field(ge=0, le=720)
    ticket_coupon_percent: int = Field(ge=1, le=100)
    ticket_coupon_minor: int | None = Field(None, ge=1, le=MOST_MINOR)


class StaffSettings(Versioned):
    staff_totp: bool


class BackupSettings(Versioned):
    """`backup_hour` is an hour of the day in UTC."""

    backup_nightly: bool
    backup_hour: int = Field(ge=0, le=23)
    backup_days: int = Field(ge=1, le=3650)


class RetentionSettings(Versioned):
    """Days. A guest's cookie lives for 90, and scripts are promised their keys for 30."""

    guest_days: int = Field(ge=7, le=90)
    key_days: int = Field(ge=30, le=365)
    mail_days: int = Field(ge=30, le=3650)
    message_days: int = Field(ge=30, le=3650)


class Environment(TypedDict):
    """What the environment decides and this page only shows. Keys are never told."""

    stripe: Literal["off", "test", "live"]
    test_payments: bool
    mail_from: str
    mail_host: str
    online_minutes: int


class SettingsPage(OwnersSettings):
    environment: Environment


class ChangeList(TypedDict):
    items: list[Change]


class Wanted(Body):
    country: Served
    goods_minor: Price
    weight_g: int = Field(0, ge=0, le=MOST_GRAMS)
    tax_class: TaxClass = "standard"


def _once(values: list[Any], field: str, sentence: str) -> None:
    """Refuse a second row of the same key, beside the row that repeats it."""
    repeated = [i for i, value in enumerate(values) if value in values[:i]]
    if repeated:
        raise Invalid(fields={field.format(repeated[0]): [sentence]})


def _save(section: str, body: Versioned) -> Section:
    return settings.change(section, body.version, body.model_dump(exclude={"version"}), actor_id=http.account_id())


@bp.get("")
@admin
def get_settings() -> SettingsPage:
    """Every choice of the owner by section, what the environment decides, and what does not fit together."""
    chosen = current_app.config["SHOP"]
    stripe: Literal["off", "test", "live"] = "off" if not chosen.stripe_secret_key else "live" if "_live_" in chosen.stripe_secret_key else "test"
    environment: Environment = {
        "stripe": stripe,
        "test_payments": chosen.test_payments,
        "mail_from": chosen.mail_from,
        "mail_host": chosen.mail_host,
        "online_minutes": payments.ONLINE_MINUTES,
    }
    return {**settings.owners(), "environment": environment}


@bp.get("/changes")
@admin
def list_changes() -> ChangeList:
    """The latest fifty changes, with the choices before and after."""
    return {"items": settings.list_changes()}


@bp.put("/shop")
@admin(problems=(409,))
def save_shop(body: ShopSettings) -> Section:
    """Name, seller and currency. The currency is fixed once there are orders. A stale `version` is answered 409 with `current`."""
    return _save("shop", body)


@bp.put("/taxes")
@admin(problems=(409,))
def save_taxes(body: TaxSettings) -> Section:
    """Whether prices include tax, and the rates."""
    _once([(row.country, row.tax_class) for row in body.tax_rates], "tax_rates.{}.tax_class", "There is a rate for this country and class already.")
    return _save("taxes", body)


@bp.put("/delivery")
@admin(problems=(409,))
def save_delivery(body: DeliverySettings) -> Section:
    """Where the shop delivers, and by which ways, in the order in which shoppers see them."""
    _once(body.shipping_countries, "shipping_countries.{}", "Named twice.")
    _once([way.name.casefold() for way in body.shipping_methods], "shipping_methods.{}.name", "Another way has this name.")
    _once([way.code or i for i, way in enumerate(body.shipping_methods)], "shipping_methods.{}.code", "Another way has this code.")
    return _save("delivery", body)


@bp.put("/payments")
@admin(problems=(409,), step_up=True)
def save_payments(body: PaymentSettings) -> Section:
    """Ways to pay, and where transfers go to. Asks for the password, since whoever changes the account gets the money."""
    _once(body.payment_methods, "payment_methods.{}", "Named twice.")
    if "bank_transfer" in body.payment_methods and not body.bank_account:
        raise Invalid(bank_account="Say which account the money shall go to, or do not offer bank transfer.")
    return _save("payments", body)


@bp.put("/orders")
@admin(problems=(409,))
def save_orders(body: OrderSettings) -> Section:
    """From when stock is low, and how long goods can be returned and gift cards spent."""
    return _save("orders", body)


@bp.put("/levels")
@admin(problems=(409,))
def save_levels(body: LevelSettings) -> Section:
    """Customers' levels by what they have spent, with the discount of each."""
    _once([level.from_minor for level in body.levels], "levels.{}.from_minor", "Another level begins here.")
    _once([level.code or i for i, level in enumerate(body.levels)], "levels.{}.code", "Another level has this code.")
    return _save("levels", body)


@bp.put("/customers")
@admin(problems=(409,), step_up=True)
def save_customers(body: CustomerSettings) -> Section:
    """When carts are reminded of, and how much staff may give away in a ticket."""
    return _save("customers", body)


@bp.put("/staff")
@admin(problems=(409,), step_up=True)
def save_staff(body: StaffSettings) -> Section:
    """Whether staff and admins must sign in by two steps."""
    return _save("staff", body)


@bp.put("/backups")
@admin(problems=(409,))
def save_backups(body: BackupSettings) -> Section:
    """When the nightly backup is made, and how long backups are kept."""
    return _save("backups", body)


@bp.put("/retention")
@admin(problems=(409,))
def save_retention(body: RetentionSettings) -> Section:
    """How many days the shop keeps what it need not keep for ever."""
    return _save("retention", body)


@bp.post("/estimates")
@admin
def estimate(body: Wanted) -> Estimate:
    """What an order would cost by the settings as they are now."""
    return estimates.estimate(**body.model_dump())
