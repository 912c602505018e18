"""A product as it shall be, and how it is made of what the API takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..errors import Invalid
from ..text import normalize_text

if TYPE_CHECKING:
    from .products import EditedProduct

Options = tuple[str, str, str]
NO_OPTIONS: Options = ("", "", "")
KEEP_IMAGE = 0
TaxClass = Literal["standard", "reduced", "zero"]
TAX_CLASSES: tuple[str, ...] = get_args(TaxClass)


@dataclass
class VariantInput:
    """One variant as it shall be. Stock None leaves what is there; `image` is a place in the product's new pictures."""

    price_minor: int
    options: Options = NO_OPTIONS
    compare_at_minor: int | None = None
    stock: int | None = None
    tracked: bool = True
    weight_g: int = 0
    barcode: str = ""
    sku: str | None = None
    id: int | None = None
    image_id: int | None = KEEP_IMAGE
    image: int | None = None


@dataclass
class ProductInput:
    """A product as it shall be. `description_html` is cleaned by whoever takes it from outside; an empty slug is made of the title."""

    title: str
    slug: str = ""
    description_html: str = ""
    markdown: str | None = None
    category_id: int | None = None
    brand: str = ""
    type: str = ""
    tags: list[str] = field(default_factory=list)
    published: bool = True
    seo_title: str = ""
    seo_description: str = ""
    option_names: Options = NO_OPTIONS
    variants: list[VariantInput] = field(default_factory=list)
    images: list[tuple[str, str, int, int]] = field(default_factory=list)  # path, alt, width, height
    tax_class: str = "standard"
    demo: bool = False
    gift_card: bool = False


OF_ONE = frozenset("price_minor compare_at_minor stock sku weight_g barcode tracked".split())


def as_fields(now: EditedProduct) -> dict[str, Any]:
    """A product as PUT would take it to leave it as it is."""
    names = (
        "title", "slug", "description", "markdown", "brand", "type", "tax_class", "gift_card", "tags", "published", "seo_title", "seo_description", "options",
    )  # fmt: skip
    variants = [{name: value for name, value in one.items() if name not in ("position", "stock")} for one in now["variants"]]
    return {name: now[name] for name in names} | {"category_id": now["category"]["id"] if now["category"] else None, "variants": variants}  # type: ignore[literal-required]


def of_one(now: EditedProduct, fields: dict[str, Any]) -> dict[str, Any]:
    """Price, stock and the like of a product without options are those of its only variant."""
    fields = dict(fields)
    own = {name: fields.pop(name) for name in OF_ONE & fields.keys()}
    if own and (now["options"] or "variants" in fields):
        raise Invalid(fields={name: ["This product has several variants; say it for each of them."] for name in own})
    if own:
        variant = {name: value for name, value in now["variants"][0].items() if name not in ("position", "stock")}
        fields["variants"] = [variant | own]
    if "description" in fields and "markdown" not in fields:
        fields["markdown"] = None
    return fields


def from_fields(fields: dict[str, Any]) -> ProductInput:
    # A stored product that is changed in part may have options from before text was normalized.
    names = [normalize_text(option["name"]) for option in fields.get("options") or []]
    given = fields.get("variants") or [{name: fields[name] for name in OF_ONE & fields.keys()}]
    if fields.get("variants") and (own := OF_ONE & fields.keys()):
        raise Invalid(fields={name: ["Say it for each of the variants instead."] for name in own})
    # Gift cards are never counted, so nobody needs to say so.
    counted = {"tracked": not fields.get("gift_card", False)}
    variants = [_variant_input(place, counted | one, names, fields.get("options") or []) for place, one in enumerate(given)]
    return ProductInput(
        title=fields["title"],
        slug=fields.get("slug") or "",
        description_html=fields.get("description") or "",
        markdown=fields.get("markdown"),
        category_id=fields.get("category_id"),
        brand=fields.get("brand") or "",
        type=fields.get("type") or "",
        tags=list(dict.fromkeys(fields.get("tags") or [])),
        published=fields.get("published", True),
        seo_title=fields.get("seo_title") or "",
        seo_description=fields.get("seo_description") or "",
        option_names=_three(names),
        variants=variants,
        tax_class=fields.get("tax_class") or "standard",
        gift_card=fields.get("gift_card", False),
    )


def _variant_input(place: int, one: dict[str, Any], names: list[str], options: Sequence[dict[str, Any]]) -> VariantInput:
    chosen = {normalize_text(name): normalize_text(value) for name, value in (one.get("options") or {}).items()}
    if set(chosen) != set(names):
        sentence = f"Say the value of each option: {', '.join(names)}." if names else "The product has no options."
        raise Invalid(fields={f"variants.{place}.options": [sentence]})
    for name, option in zip(names, options, strict=True):
        values = [normalize_text(value) for value in option.get("values") or []]
        if values and chosen[name] not in values:
            raise Invalid(fields={f"variants.{place}.options": [f"{chosen[name]} is no value of {name}."]})
    if one.get("price_minor") is None:
        raise Invalid(fields={f"variants.{place}.price_minor" if names else "price_minor": ["This is needed."]})
    return VariantInput(
        options=_three([chosen[name] for name in names]),
        price_minor=one["price_minor"],
        compare_at_minor=one.get("compare_at_minor"),
        stock=one.get("stock"),
        tracked=one["tracked"],
        weight_g=one.get("weight_g") or 0,
        barcode=one.get("barcode") or "",
        sku=one.get("sku") or None,
        id=one.get("id"),
        image_id=one.get("image_id", KEEP_IMAGE),
    )


def _three(values: list[str]) -> Options:
    first, second, third = (*values, "", "", "")[:3]
    return first, second, third
