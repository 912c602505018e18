from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Self

from flask import Blueprint, current_app
from pydantic import AfterValidator, Field, model_validator

from .. import http
from ..http import Body, Line, Params, Prose, staff
from ..request_parsing import read_upload
from ..services import descriptions, media, products, settings
from ..services.media import EditedImages
from ..services.product_input import TaxClass
from ..services.products import EditedImage, EditedProduct

bp = Blueprint("products", __name__, url_prefix="/api/v1")

MOST_MINOR = 10**12


def _slug(text: str) -> str:
    if text and (products.slug_from(text) != text or len(text) > 180):
        raise ValueError("Use small letters, digits and single dashes, not digits alone.")
    return text


def _tag(text: str) -> str:
    if "," in text:
        raise ValueError("A tag holds no comma.")
    return text


Id = Annotated[int, Field(ge=1, lt=2**63)]
Price = Annotated[int, Field(ge=1, le=MOST_MINOR)]
PriceAsItIs = Annotated[int, Field(ge=0, le=MOST_MINOR, description="More than 0; only a price that is 0 already may stay 0.")]
Slug = Annotated[Line, AfterValidator(_slug)]
OptionName = Annotated[Line, Field(min_length=1, max_length=60)]
OptionValue = Annotated[Line, Field(min_length=1, max_length=120)]
Tag = Annotated[Line, Field(min_length=1, max_length=60), AfterValidator(_tag)]
Description = Annotated[Prose, Field(max_length=descriptions.MOST_DESCRIPTION)]


class NewOption(Body):
    name: OptionName
    values: list[OptionValue] | None = Field(None, max_length=250)


class Goods(Body):
    """What is told of each variant. Without `stock` it is left as it is."""

    compare_at_minor: Price | None = None
    stock: int | None = Field(None, ge=0, le=1_000_000)
    sku: Annotated[Line, Field(max_length=64)] | None = None
    tracked: bool = True
    weight_g: int = Field(0, ge=0, le=100_000_000)
    barcode: Line = Field("", max_length=32)


class VariantBody(Goods):
    """`image_id` is one of the product's pictures; without it the variant keeps the one it has."""

    id: Id | None = None
    options: dict[OptionName, OptionValue] = Field(default={}, max_length=3)
    price_minor: PriceAsItIs
    image_id: Id | None = None


class OneVariant(VariantBody):
    """`version` is the product's; a stale one is refused."""

    version: Id | None = None


class About(Goods):
    """A product but for its title. The description is HTML, or Markdown instead."""

    most_bytes: ClassVar[int] = 512 * 1024

    slug: Slug = ""
    description: Description = ""
    markdown: Description | None = None
    category_id: Id | None = None
    brand: Line = Field("", max_length=120)
    type: Line = Field("", max_length=120)
    tags: list[Tag] = Field(default=[], max_length=30)
    published: bool = True
    seo_title: Line = Field("", max_length=190)
    seo_description: Line = Field("", max_length=500)
    tax_class: TaxClass = "standard"
    gift_card: bool = Field(False, description="Said when the product is made; it cannot become one later, or cease to be one.")
    price_minor: PriceAsItIs | None = None
    options: list[NewOption] = Field(default=[], max_length=3)
    variants: list[VariantBody] | None = Field(None, min_length=1, max_length=products.MOST_VARIANTS)

    @model_validator(mode="after")
    def tells_one_description(self) -> Self:
        if self.description and self.markdown:
            raise ValueError("Send the description either as HTML or as Markdown.")
        return self


class ProductBody(About):
    title: Line = Field(min_length=1, max_length=190)


class ProductPut(ProductBody):
    version: Id


class ProductPatch(About):
    version: Id
    title: Line = Field("", min_length=1, max_length=190)


class ImageParams(Params):
    alt: Line = Field("", max_length=250)


class ImageOrder(Body):
    order: list[Id] = Field(max_length=100)


class ImageWords(Body):
    alt: Line = Field(max_length=250)


def uploads() -> Path:
    return Path(current_app.config["SHOP"].var) / "uploads"


@bp.get("/admin/products/<int:product_id>")
@staff(problems=(404,))
def get_product_to_edit(product_id: int) -> EditedProduct:
    """A product as its editor sees it, archived and unpublished ones too."""
    return products.edited(product_id, settings.currency())


@bp.post("/products")
@staff(status=201)
def add_product(body: ProductBody) -> EditedProduct:
    """Add a product: with a price and stock of its own, or with options and variants."""
    return products.create(body.model_dump(exclude_unset=True), actor_id=http.account_id(), currency=settings.currency())


@bp.put("/products/<int:product_id>")
@staff(problems=(404, 409))
def replace_product(product_id: int, body: ProductPut) -> EditedProduct:
    """Replace a product. Variants are found by id, else by SKU, else by options; those that are missing are archived, stock that is not told stays.

    `version` is the one that the editor saw; when there is another one by now the answer is 409 with the `current` product.
    """
    fields = body.model_dump(exclude_unset=True, exclude={"version"})
    return products.change(product_id, body.version, fields, actor_id=http.account_id(), currency=settings.currency())


@bp.patch("/products/<int:product_id>")
@staff(problems=(404, 409))
def change_product(product_id: int, body: ProductPatch) -> EditedProduct:
    """Change what is given; all else stays. `version` is as in PUT."""
    fields = body.model_dump(exclude_unset=True, exclude={"version"})
    return products.change(product_id, body.version, fields, actor_id=http.account_id(), currency=settings.currency(), partly=True)


@bp.delete("/products/<int:product_id>")
@staff(status=204, problems=(404,))
def archive_product(product_id: int) -> None:
    """Archive a product: it is sold no more; orders and their links keep working."""
    products.archive(product_id, actor_id=http.account_id())


@bp.post("/products/<int:product_id>/restoration")
@staff(problems=(404,))
def restore_product(product_id: int) -> EditedProduct:
    """Bring an archived product back, published or not as it was."""
    products.restore(product_id, actor_id=http.account_id())
    return products.edited(product_id, settings.currency())


@bp.post("/products/<int:product_id>/variants")
@staff(status=201, problems=(404, 409))
def add_variant(product_id: int, body: OneVariant) -> EditedProduct:
    """Add a variant to a product with options."""
    fields = body.model_dump(exclude_unset=True, exclude={"version", "id"})
    return products.add_variant(product_id, fields, version=body.version, actor_id=http.account_id(), currency=settings.currency())


@bp.put("/variants/<int:variant_id>")
@staff(problems=(404, 409))
def replace_variant(variant_id: int, body: OneVariant) -> EditedProduct:
    """Change a variant: price and what else is given. Stock that is not told stays."""
    fields = body.model_dump(exclude_unset=True, exclude={"version", "id"})
    return products.change_variant(variant_id, fields, version=body.version, actor_id=http.account_id(), currency=settings.currency())


@bp.delete("/variants/<int:variant_id>")
@staff(status=204, problems=(404, 409))
def archive_variant(variant_id: int) -> None:
    """Take a variant away; its SKU is free for another one. The last one stays with its product."""
    products.archive_variant(variant_id, actor_id=http.account_id(), currency=settings.currency())


@bp.post("/products/<int:product_id>/images")
@staff(status=201, problems=(404, 413, 415))
def add_image(product_id: int, params: ImageParams) -> EditedImage:
    """Add a picture behind the others: a JPEG, PNG or WebP of at most 5 MB and 25 megapixels, as the body itself or as one file of a form."""
    return media.add(product_id, read_upload("image", max_bytes=media.MOST_BYTES), params.alt, uploads(), actor_id=http.account_id())


@bp.put("/products/<int:product_id>/images")
@staff(problems=(404,))
def arrange_images(product_id: int, body: ImageOrder) -> EditedImages:
    """Put the pictures into an order that names each of them once. The first is the product's face."""
    return media.arrange(product_id, body.order, actor_id=http.account_id())


@bp.patch("/images/<int:image_id>")
@staff(problems=(404,))
def describe_image(image_id: int, body: ImageWords) -> EditedImage:
    """Say in words what a picture shows."""
    return media.describe(image_id, body.alt, actor_id=http.account_id())


@bp.delete("/images/<int:image_id>")
@staff(status=204, problems=(404,))
def delete_image(image_id: int) -> None:
    """Take a picture away, from its variants too."""
    media.remove(image_id, uploads(), actor_id=http.account_id())
