"""The stored plan of an import: what each product of the file will become, in chunks of JSON.

A plan names only products that are new or change. It holds what the file says of them and the files
of their processed images, but not their present state: that is compared again under a lock when the
product is applied, so that concurrent changes are seen. The one thing that a
plan settles in advance is which variants get another stock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from typing import Any

import orjson

from .media import Stored
from .product_csv import Good, Line, Picture, Sheet
from .product_diff import Change

MAX_CHUNK_PRODUCTS = 200
MAX_CHUNK_BYTES = 256 * 1024  # unless a single product is larger


@dataclass(frozen=True)
class PlannedProduct:
    """A product of the file that is to be added or changed.

    `restocked_rows` are the rows of the file that set a stock; `images` are the processed new
    images, by their names in the file.
    """

    good: Good
    is_new: bool
    restocked_rows: frozenset[int]
    images: dict[str, Stored]

    @property
    def image_names(self) -> frozenset[str]:
        return frozenset(name.lower() for name in self.images)


@dataclass(frozen=True)
class Chunk:
    """Some products of a plan, with what they need of their file to be compared again."""

    sheet: Sheet
    currency: str
    products: list[PlannedProduct]


def plan_product(change: Change, images: dict[tuple[str, str], Stored]) -> PlannedProduct:
    """Return what a change is stored as; `images` are all processed images by handle and name."""
    good = change.good
    own = {one.name: images.get((good.handle, one.name)) for one in change.coming}
    return PlannedProduct(
        good,
        change.stored is None,
        frozenset(line.row for line in change.lines if line.restocked),
        {name: file for name, file in own.items() if file},
    )


def encode_chunks(
    sheet: Sheet,
    currency: str,
    products: Iterable[PlannedProduct],
) -> Iterator[tuple[int, int, str]]:
    """Yield the position, the number of products and the JSON of each chunk."""
    file = {"format": sheet.format, "columns": sheet.columns, "currency": currency}
    head = orjson.dumps(file)[:-1] + b',"products":['
    position, size = 0, 0
    parts: list[bytes] = []
    for product in products:
        part = orjson.dumps(_encode(product))
        if parts and (len(parts) == MAX_CHUNK_PRODUCTS or size + len(part) > MAX_CHUNK_BYTES):
            yield position, len(parts), (head + b",".join(parts) + b"]}").decode()
            position, parts, size = position + len(parts), [], 0
        parts.append(part)
        size += len(part)
    if parts:
        yield position, len(parts), (head + b",".join(parts) + b"]}").decode()


def _encode(product: PlannedProduct) -> dict[str, Any]:
    good = product.good
    return {
        "handle": good.handle,
        "row": good.row,
        "cells": good.cells,
        "variants": [[line.row, line.cells, line.picture] for line in good.lines],
        "pictures": [[one.src, one.alt, one.row, one.position] for one in good.pictures],
        "images": {name: list(astuple(file)) for name, file in product.images.items()},
        "new": product.is_new,
        "restocked": sorted(product.restocked_rows),
    }


def decode_chunk(text: str) -> Chunk:
    stored = orjson.loads(text)
    sheet = Sheet(format=stored["format"], columns=stored["columns"])
    return Chunk(sheet, stored["currency"], [_decode(one) for one in stored["products"]])


def _decode(one: dict[str, Any]) -> PlannedProduct:
    good = Good(
        one["handle"],
        one["row"],
        one["cells"],
        [Line(*line) for line in one["variants"]],
        [Picture(*picture) for picture in one["pictures"]],
    )
    return PlannedProduct(
        good,
        one["new"],
        frozenset(one["restocked"]),
        {name: Stored(*values) for name, values in one["images"].items()},
    )
