"""A file of products held against the shop: what would be new, what would change and how, and what cannot be.

A product of the file is found again by its handle, a variant by its SKU, else by its options. What the file has no column for stays as it is.
A file with option columns tells all variants of its products, so those that it leaves out are put away; one without changes only what it names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from typing_extensions import TypedDict

from .. import money
from ..db import Row, Tx, q
from ..text import normalize_text
from . import media
from .descriptions import sanitised
from .product_csv import NAMES, OPTIONS, PRODUCT_CELLS, Cells, Good, Line, Picture, Sheet, stem_of

T = TypeVar("T")

BATCH = 400
SHOWN = 500  # products whose changes are told one by one
SHOWN_LETTERS = 300
MOST_LETTERS = 1_000_000

FieldChange = TypedDict("FieldChange", {"field": str, "from": str, "to": str})


class VariantChange(TypedDict):
    variant: str
    action: str  # new, changed, archived
    changes: list[FieldChange]


class ProductChange(TypedDict):
    handle: str
    title: str
    row: int
    action: str  # new, changed
    changes: list[FieldChange]
    variants: list[VariantChange]


class Counts(TypedDict):
    new: int
    changed: int
    same: int
    variants_new: int
    variants_changed: int
    variants_archived: int


class Diff(TypedDict):
    counts: Counts
    products: list[ProductChange]  # the first SHOWN of those that are new or change
    categories: list[str]  # to be made


# ---------------------------------------------------------------- as the shop has it


@dataclass
class Stored:
    """A product of the shop in the words of a file, with what a file does not tell."""

    id: int
    good: Good
    variant_ids: list[int]
    images: dict[str, int]  # ids by the names of the shop's files, and by those under which they came
    last_image_position: int
    markdown: str | None
    category_id: int | None
    archived: bool

    def image(self, name: str) -> int | None:
        return self.images.get(name) or self.images.get(stem_of(name))


@dataclass(frozen=True)
class Tree:
    """The shop's categories: `Home > Kitchen` by id, and ids by the same in lower case."""

    paths: dict[int, str]
    ids: dict[str, int]
    by_name: dict[str, int]

    @staticmethod
    def read(tx: Tx) -> Tree:
        rows = {row["id"]: row for row in q.imports.list_categories(tx)}

        def path(id: int) -> str:
            parent, name = rows[id]["parent_id"], normalize_text(rows[id]["name"])
            return f"{path(parent)} > {name}" if parent in rows else name

        paths = {id: path(id) for id in rows}
        by_name = {normalize_text(row["name"]).lower(): id for id, row in reversed(rows.items())}
        return Tree(paths, {path.lower(): id for id, path in paths.items()}, by_name)


def stored_goods(tx: Tx, rows: list[Row], tree: Tree, currency: str, address: str = "") -> list[Stored]:
    """Each product with its variants and pictures, in two statements for all."""
    ids = [row["id"] for row in rows]
    variants = _by_product(q.imports.list_variants(tx, product_ids=ids))
    images = _by_product(q.imports.list_images(tx, product_ids=ids))
    return [_stored_one(row, variants.get(row["id"], []), images.get(row["id"], []), tree, currency, address) for row in rows]


def _by_product(rows: list[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["product_id"], []).append(row)
    return found


def _stored_one(row: Row, variants: list[Row], images: list[Row], tree: Tree, currency: str, address: str) -> Stored:
    pictures = {image["id"]: Picture(f"{address}/media/{image['path']}", image["alt"]) for image in images}
    cells = {meaning: row[meaning] for meaning in ("title", "description", "brand", "type", "tags", "seo_title", "seo_description", "tax_class")}
    cells |= {f"{option}_name": row[option] for option in OPTIONS}
    cells |= {"category": tree.paths.get(row["category_id"], ""), "published": _yes(row["published"]), "gift_card": _yes(row["gift_card"])}
    lines = [Line(0, _variant_cells(one, currency), pictures[one["image_id"]].name if one["image_id"] in pictures else "") for one in variants]
    return Stored(
        id=row["id"],
        good=Good(row["slug"], 0, cells, lines, list(pictures.values())),
        variant_ids=[one["id"] for one in variants],
        images={name: id for id, picture in pictures.items() for name in (picture.name, came_as(picture.name))},
        last_image_position=max((image["position"] for image in images), default=0),
        markdown=row["markdown"],
        category_id=row["category_id"],
        archived=bool(row["archived"]),
    )


def came_as(name: str) -> str:
    """The shop adds some letters of its own to the names of pictures."""
    return re.sub(r"-[0-9a-f]{8,}(?:-\d+)?\.\w+$", "", name)


def _variant_cells(row: Row, currency: str) -> Cells:
    return {
        **{option: row[option] for option in OPTIONS},
        "sku": row["sku"] or "",
        "price": money.decimal(row["price_minor"], currency),
        "compare_at_price": "" if row["compare_at_minor"] is None else money.decimal(row["compare_at_minor"], currency),
        "stock": str(row["stock"]),
        "tracked": _yes(row["tracked"]),
        "weight_g": str(row["weight_g"]),
        "barcode": row["barcode"],
    }


def _yes(value: object) -> str:
    return "true" if value else "false"


def batches(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    whole = list(items)
    return (whole[start : start + size] for start in range(0, len(whole), size))


# ---------------------------------------------------------------- comparing


@dataclass
class Merged:
    """A variant as it is to be: what the file says over what is there."""

    row: int
    cells: Cells
    id: int | None
    picture: str = ""
    restocked: bool = False  # whether the file has another stock; where it has not, what is sold meanwhile stays sold


@dataclass
class Change:
    """A product that is new, or not as the file has it."""

    good: Good
    stored: Stored | None
    cells: Cells
    lines: list[Merged]
    fields: list[FieldChange] = field(default_factory=list)
    variants: list[VariantChange] = field(default_factory=list)
    coming: list[Picture] = field(default_factory=list)
    alts: dict[int, str] = field(default_factory=dict)  # of pictures that are there already, by their ids

    def has(self, name: str) -> bool:
        """Whether the product has this picture, or will."""
        return self.image(name) is not None or any(picture.name == name for picture in self.coming)

    def image(self, name: str) -> int | None:
        return self.stored.image(name) if self.stored else None

    def told(self) -> ProductChange:
        return {
            "handle": self.good.handle,
            "title": self.cells.get("title", ""),
            "row": self.good.row,
            "action": "changed" if self.stored else "new",
            "changes": self.fields,
            "variants": self.variants,
        }


@dataclass
class Plan:
    """What a file would do to the shop as it is."""

    sheet: Sheet
    tree: Tree
    changes: list[Change] = field(default_factory=list)
    same: int = 0
    coming: list[tuple[Good, Picture]] = field(default_factory=list)  # pictures that are at hand, and not the product's yet
    missing: list[str] = field(default_factory=list)  # addresses of those that are neither; nobody fetches them

    def new_categories(self) -> list[str]:
        wanted = dict.fromkeys(change.cells["category"] for change in self.changes)
        return [path for path in wanted if path and path.lower() not in self.tree.ids]

    def diff(self) -> Diff:
        variants = [one["action"] for change in self.changes for one in change.variants]
        return {
            "counts": {
                "new": sum(change.stored is None for change in self.changes),
                "changed": sum(change.stored is not None for change in self.changes),
                "same": self.same,
                "variants_new": variants.count("new"),
                "variants_changed": variants.count("changed"),
                "variants_archived": variants.count("archived"),
            },
            "products": self._first_changes(),
            "categories": self.new_categories()[:SHOWN],
        }

    def _first_changes(self) -> list[ProductChange]:
        """As many as somebody may want to read, and a row of the database holds."""
        first: list[ProductChange] = []
        letters = 0
        for change in self.changes[:SHOWN]:
            first.append(change.told())
            letters += len(str(first[-1]))
            if letters > MOST_LETTERS:
                break
        return first


NEW_PRODUCT = dict.fromkeys(PRODUCT_CELLS, "") | {"published": "true", "gift_card": "false", "tax_class": "standard"}
NEW_VARIANT = dict.fromkeys((*OPTIONS, "sku", "price", "compare_at_price", "barcode"), "") | {"stock": "0", "tracked": "true", "weight_g": "0"}


def compare(tx: Tx, sheet: Sheet, currency: str, at_hand: frozenset[str] = frozenset()) -> Plan:
    """Hold a file against the shop, in a few statements for each some hundred products. What cannot be is added to the plan's sheet.

    `at_hand` are the names, in lower case, of the pictures that came with the file.
    """
    sheet = replace(sheet, errors=list(sheet.errors), warnings=list(sheet.warnings))
    plan = Plan(sheet, Tree.read(tx))
    for goods in batches(good for good in sheet.goods.values() if not good.broken):
        rows = q.imports.list_products(tx, slugs=[good.handle for good in goods])
        compare_goods(plan, goods, stored_goods(tx, rows, plan.tree, currency), lambda _: at_hand)
    check_skus(tx, plan)
    return plan


def compare_goods(plan: Plan, goods: list[Good], stored: list[Stored], at_hand: Callable[[Good], frozenset[str]]) -> None:
    """Add what becomes of some products of the file to the plan; `stored` are those of them that the shop has."""
    known = {one.good.handle: one for one in stored}
    for good in goods:
        change = _Comparing(plan.sheet, good, known.get(good.handle), plan.tree, at_hand(good)).change()
        plan.coming += [(good, picture) for picture in change.coming]
        plan.missing += [picture.src[:SHOWN_LETTERS] for picture in good.pictures if not change.has(picture.name)]
        if change.stored is None or change.fields or change.variants:
            plan.changes.append(change)
        else:
            plan.same += 1


class _Comparing:
    """One product of the file beside the same of the shop."""

    def __init__(self, sheet: Sheet, good: Good, stored: Stored | None, tree: Tree, at_hand: frozenset[str]) -> None:
        self.sheet, self.good, self.stored, self.tree, self.at_hand = sheet, good, stored, tree, at_hand

    def change(self) -> Change:
        old = self.stored.good.cells if self.stored else NEW_PRODUCT
        change = Change(self.good, self.stored, old | self.good.cells, self._lines())
        self._compare_pictures(change)
        if self.stored is None and "category" not in self.good.cells:
            change.cells["category"] = self._category_of_type(change.cells["type"])
        if self.stored:
            change.fields[:0] = _told(old, self.good.cells)
            if self.stored.archived:
                change.fields.append({"field": "archived", "from": "true", "to": "false"})
        change.variants = self._told_variants(change)
        self._check(change)
        return change

    def _category_of_type(self, kind: str) -> str:
        """Files without a column for the category have the type instead, which is what they mean by it."""
        known = self.tree.by_name.get(kind.lower())
        return self.tree.paths[known] if known else kind.replace(">", "/")

    def _lines(self) -> list[Merged]:
        old = self.stored.good.lines if self.stored else []
        ids = self.stored.variant_ids if self.stored else []
        places = self._places(old)
        merged = [self._merged(line, old[place] if place is not None else None, ids[place] if place is not None else None) for line, place in places]
        if self.sheet.tells_variants and merged:
            return merged
        by_id = {one.id: one for one in merged if one.id is not None}
        kept = [by_id.get(id) or Merged(0, line.cells, id) for id, line in zip(ids, old, strict=True)]
        return kept + [one for one in merged if one.id is None]

    def _places(self, old: list[Line]) -> list[tuple[Line, int | None]]:
        """Where the shop has each variant of the file: by SKU, then by options, or by there being no other; products.replace() finds them so too."""
        by_sku = {normalize_text(line.cells["sku"]): place for place, line in enumerate(old) if line.cells["sku"]}
        found = {line.row: by_sku[line.cells["sku"]] for line in self.good.lines if line.cells.get("sku") in by_sku}
        if self.sheet.tells_variants:
            by_options = {_options(line.cells): place for place, line in enumerate(old) if place not in found.values()}
            rest = [line for line in self.good.lines if line.row not in found]
            found |= {line.row: by_options[_options(line.cells)] for line in rest if _options(line.cells) in by_options}
        if len(old) == len(self.good.lines) == 1:
            found = {self.good.lines[0].row: 0}
        return [(line, found.get(line.row)) for line in self.good.lines]

    def _merged(self, line: Line, old: Line | None, id: int | None) -> Merged:
        cells = (old.cells if old else NEW_VARIANT) | line.cells
        if not cells["stock"]:
            cells["stock"] = old.cells["stock"] if old else "0"
        if old is None and not self.sheet.tells_variants and self.stored:
            self.sheet.refuse(line.row, "sku", f"“{self.good.handle}” has no such variant, and the file has no options to make one of.")
        elif not cells["price"]:
            self.sheet.refuse(line.row, "price", "This is needed.")
        return Merged(line.row, cells, id, line.picture, restocked=old is None or cells["stock"] != old.cells["stock"])

    def _compare_pictures(self, change: Change) -> None:
        alts = {self.stored.image(picture.name): picture.alt for picture in self.stored.good.pictures} if self.stored else {}
        for picture in self.good.pictures:
            id = change.image(picture.name)
            if id is None and picture.name.lower() in self.at_hand:
                change.coming.append(picture)
                if len(alts) + len(change.coming) == media.MOST_IMAGES + 1:
                    self.sheet.refuse(picture.row, "image", f"A product has at most {media.MOST_IMAGES} pictures.")
                change.fields.append({"field": "picture", "from": "", "to": picture.name})
            elif id is not None and "image_alt" in self.sheet.columns and picture.alt != alts[id]:
                change.alts[id] = picture.alt
                change.fields.append({"field": f"alt text of {picture.name}", "from": alts[id], "to": picture.alt})
        if not change.cells["option1_name"] and self.sheet.format == "simple":
            # There the row's picture is the product's.
            for line in change.lines:
                line.picture = ""

    def _told_variants(self, change: Change) -> list[VariantChange]:
        old = dict(zip(self.stored.variant_ids, self.stored.good.lines, strict=True)) if self.stored else {}
        told: list[VariantChange] = []
        for line in change.lines:
            before = old.get(line.id) if line.id is not None else None
            if before is None:
                told.append({"variant": _label(line.cells), "action": "new", "changes": []})
            elif changes := _told(before.cells, line.cells) + self._told_picture(change, before, line):
                told.append({"variant": _label(before.cells), "action": "changed", "changes": changes})
        kept = [line.id for line in change.lines if line.id is not None]
        told += [{"variant": _label(line.cells), "action": "archived", "changes": []} for id, line in old.items() if id not in kept]
        if self.stored and not told and kept != list(old):
            change.fields.append({"field": "order of variants", "from": "", "to": ", ".join(_label(line.cells) for line in change.lines)[:SHOWN_LETTERS]})
        return told

    def _told_picture(self, change: Change, before: Line, line: Merged) -> list[FieldChange]:
        id = change.image(line.picture) if line.picture else None
        if not line.picture or not change.has(line.picture) or id is not None and id == change.image(before.picture):
            return []
        return [{"field": "picture", "from": before.picture, "to": line.picture}]

    def _check(self, change: Change) -> None:
        if any(one["field"] == "gift_card" for one in change.fields):
            self.sheet.refuse(self.good.row, "gift_card", "A product that is there already cannot become a gift card, or cease to be one.")
        if not change.cells["title"]:
            self.sheet.refuse(self.good.row, "title", "This is needed.")
        if not change.lines:
            self.sheet.refuse(self.good.row, "price", f"“{self.good.handle}” is new, and no row of the file tells its price.")
        names = [change.cells[name] for name in NAMES]
        wanted = [name for name in names if name]
        if names[: len(wanted)] != wanted or len({name.casefold() for name in wanted}) < len(wanted):
            self.sheet.refuse(self.good.row, "option1_name", "Options are named in order, each by a name of its own.")
            return
        seen: set[str] = set()
        for line in change.lines:
            self._check_values(line, wanted)
            label = " / ".join(_options(line.cells)).casefold()
            if label in seen:
                self.sheet.refuse(line.row or self.good.row, "option1", "The product has another variant with the same options.")
            seen.add(label)

    def _check_values(self, line: Merged, wanted: list[str]) -> None:
        for place, option in enumerate(OPTIONS):
            value = line.cells[option]
            if place < len(wanted) and not value:
                self.sheet.refuse(line.row or self.good.row, option, f"A value of “{wanted[place]}” is needed.")
            if place >= len(wanted) and value:
                self.sheet.refuse(line.row or self.good.row, option, f"“{value}” is a value of an option that has no name.")


def _options(cells: Cells) -> tuple[str, ...]:
    # Options stored before text was normalized are the same options.
    return tuple(normalize_text(cells.get(option, "")) for option in OPTIONS)


def _label(cells: Cells) -> str:
    """What to call a variant: its options, and its SKU behind them."""
    return " · ".join(filter(None, (" / ".join(filter(None, _options(cells))), cells["sku"])))


def _told(old: Cells, new: Cells) -> list[FieldChange]:
    return [
        {"field": meaning, "from": old[meaning][:SHOWN_LETTERS], "to": value[:SHOWN_LETTERS]}
        for meaning, value in new.items()
        if value != old[meaning] and not (meaning == "description" and value == sanitised(old[meaning]))
    ]


def check_skus(tx: Tx, plan: Plan) -> None:
    """A SKU that another variant of the shop has cannot be given away, unless that one goes or changes in this file too."""
    wanted = {line.cells["sku"]: (change, line) for change in plan.changes for line in change.lines if line.cells["sku"]}
    for skus in batches(wanted):
        for row in q.imports.list_skus(tx, skus=skus):
            change, line = wanted[row["sku"]]
            if row["id"] != line.id and not row["archived"]:
                plan.sheet.refuse(line.row or change.good.row, "sku", f"“{row['sku']}” is the SKU of a variant of “{row['slug']}”.")
