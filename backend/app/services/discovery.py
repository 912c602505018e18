"""Finding things: lists and searches of products, what is suggested while somebody types, and what people look for lately.

The index finds, MySQL tells: from here come ids and counts; titles, prices and stock of what is shown are read by catalogue.py.
With many products nothing here looks at each of them: counts are reckoned from a sample, and a page is cut from the stretch of its
order in which, by the sample, enough will be found. The page itself is exact.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import orjson
from tantivy import DocAddress, FieldType, Order, Query

from .. import db
from ..db import Tx, q
from . import search_index
from .search_index import NAME_KEYS, OVERLAP, PRICE_STEPS, Reader, Snapshot, faults, folded, schema, words
from .search_query import ALL, Part, Sieve, in_sample, intersect, listed, must, union

ROUGHLY = 2  # a sample is so many levels deeper where it is enough to tell many from few
MOST_SIFTED = 1500  # products are taken and sifted one by one before their columns are walked instead
SAMPLE = 512  # with at least so many products at hand, the share of some is known well enough
EXACT = 8 * SAMPLE  # so many are looked at one by one
KEY = 15  # products of a list are passed in the time that one key of an order takes
MOST_WORDS = 8
COMPLETIONS = 24  # words that the last word of a search may be the beginning of; of many, those that most products have
STOP_WORDS = frozenset("a an and are as at be by for from in is it of on or that the this to was with".split())
TIERS_WEIGHT = 20  # of one remembered list of tiers, in the unit of search_index.MAX_MEMO_WEIGHT
BRANDS = 20
PRICE_RANGES = 6

T = TypeVar("T")
Hit = tuple[list[int], DocAddress]  # the keys of its place in an order, and where its document is
Hit1 = tuple[int, DocAddress]  # the same with the first key alone


@dataclass(frozen=True)
class Terms:
    """A typed text as one snapshot of the index understands it: two texts with equal terms find the same products.

    `words` are searched in this order, the last one as a prefix. `sku` is the whole text if it is the SKU of a product, else empty.
    """

    words: tuple[str, ...] = ()
    sku: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked of the index. Prices are minor units; a category stands for all below it."""

    text: str = ""
    category_id: int | None = None
    brand: str = ""
    price_min: int | None = None
    price_max: int | None = None
    in_stock: bool = False
    rating_min: int | None = None


@dataclass(frozen=True)
class Counts:
    """How many there are in all and by each filter, that filter itself left aside. `approximate`: reckoned from a sample."""

    total: int
    approximate: bool
    categories: dict[int, int]  # own products only
    brands: list[tuple[str, int]]
    prices: list[tuple[int, int | None, int]]  # from, to, and how many
    ratings: list[tuple[int, int]]  # at least so many stars
    in_stock: int


@dataclass(frozen=True)
class Found:
    ids: list[int]
    following: list[Any] | None  # the position after the last
    counts: Counts


@dataclass(frozen=True)
class By:
    """An order: the fields that hold it, each telling apart what is the same by the one before. The last one's values are nobody else's."""

    fields: tuple[str, ...]
    ascending: bool = False


ORDERS = {
    "newest": By(("by_newest",)),
    "price_asc": By(("by_price",), ascending=True),
    "price_desc": By(("by_price",)),
    "name": By((*NAME_KEYS, "by_id"), ascending=True),
    "rating": By(("by_rating",)),
    "best_selling": By(("by_sold",)),
}
WORTH = By(("by_worth",))

_reader: Reader | None = None


def use(folder: Path) -> None:
    """Set where this process finds the index."""
    global _reader
    _reader = Reader(folder)


def generation() -> object:
    """What tells the newest commit of the index from those before."""
    return _reader.look() if _reader else None


# ---------------------------------------------------------------- marks


def mark(tx: Tx, product_ids: Iterable[int]) -> None:
    """Note, in the transaction that changes them, that these products changed: search reads them anew within a second."""
    ids = orjson.dumps(sorted(set(product_ids))).decode()
    if ids == "[]":
        return
    q.discovery.mark(tx, product_ids=ids)
    marked = time.monotonic()

    def mark_again() -> None:
        # After a long transaction, such as an import, the keeper may have read past the time of its notes.
        if time.monotonic() - marked > OVERLAP.total_seconds() / 4:
            q.discovery.mark(tx, product_ids=ids)

    tx.after_commit.append(mark_again)


def mark_sold_out(tx: Tx, variant_ids: list[int]) -> None:
    q.discovery.mark_sold_out(tx, variant_ids=variant_ids)


def mark_back(tx: Tx, order_id: int) -> None:
    """Mark what an order that just put its goods back brought back from nothing."""
    q.discovery.mark_back(tx, order_id=order_id)


def mark_demo(tx: Tx) -> None:
    """Mark all products of the demo that are not put away yet."""
    q.discovery.mark_demo(tx)


def forget_changes() -> int:
    """Drop notes that every machine's keeper has read, or has missed for so long that it will make its index anew."""
    return db.transaction(lambda tx: int(q.discovery.forget_changes(tx)))


# ---------------------------------------------------------------- finding


def searchable(text: str) -> bool:
    """Whether a text has words that the index could know. Signs alone are looked for at the beginning of titles instead."""
    return not text.strip() or bool(words(text))


def find(question: Question, sort: str, limit: int, after: list[Any] | None = None) -> Found | None:
    """A page of products, best first, and the counts. None when there is no index to ask.

    `sort` is one of ORDERS or "relevance"; `after` is the `following` of the page before. Raises ValueError for another one.
    """
    return _ask(lambda index: _find(index, question, sort, limit, after))


def count_categories() -> dict[int, int] | None:
    """The number of products in each category itself, for all that have any."""
    return _ask(lambda index: _counts(index, Terms(), Question()).categories)


@dataclass(frozen=True)
class Guess:
    """What somebody who types may mean: whole searches, products, and categories that have most of them."""

    terms: list[str]
    ids: list[int]
    category_ids: list[int]


def guess(text: str) -> Guess | None:
    """None when there is no index to ask."""
    return _ask(lambda index: _guess(index, text))


def _guess(index: Snapshot, text: str) -> Guess:
    said = words(text)
    tiers = _tiers(index, _parse(index, text)) if said else []
    if not tiers:
        return Guess([], [], [])
    hits = _by_relevance(index, tiers, [], 5, None)
    # A category is suggested for what its products are called, rather than for what is told of them.
    categories = _tally(index, tiers[max(0, len(tiers) - 2)], {"category": {"terms": {"field": "category", "size": 4}}}, ROUGHLY)[2]["category"]
    before = intersect([listed(index, "title", word) for word in said[:-1]], index) if said[1:] else None
    level = _level(before.bound, ROUGHLY) if before else 0
    within = None if before is None else must(in_sample(level), before.query) if level else before.query
    endings = index.searcher.terms_with_prefix("title", said[-1], filter_query=within, limit=6)
    terms = [" ".join([*said[:-1], ending]) for ending, count in endings if count]
    return Guess(terms, _numbers(index, "id", hits), [int(key) for key, _ in categories if key][:3])


def _ask(answer: Callable[[Snapshot], T]) -> T | None:
    if _reader is None:
        return None
    with faults() as found:
        index = _reader.snapshot()
        return answer(index) if index else None
    _reader.note_fault(found[0])
    return None


def _find(index: Snapshot, question: Question, sort: str, limit: int, after: list[Any] | None) -> Found:
    terms = _parse(index, question.text)
    tiers = _tiers(index, terms)
    filters = replace(question, text="")
    counts = _counts(index, terms, filters)
    narrowed = list(_filters(index, filters).values())
    if not any(part.sieves for part in narrowed):
        narrowed.append(Part(ALL, counts.total))
    hits: list[Hit] = []
    if sort == "relevance":
        hits = _by_relevance(index, tiers, narrowed, limit + 1, after)
    elif tiers:
        hits = _best(index, intersect([tiers[-1], *narrowed], index), ORDERS[sort], after, limit + 1)
    shown = hits[:limit]
    return Found(_numbers(index, "id", shown), shown[-1][0] if len(hits) > limit else None, counts)


def _numbers(index: Snapshot, field: str, hits: Sequence[tuple[Any, DocAddress]]) -> list[int]:
    return [int(one or 0) for one in index.searcher.fast_field_values(field, [address for _, address in hits])] if hits else []


def _by_relevance(index: Snapshot, tiers: list[Part], narrowed: list[Part], need: int, after: list[int] | None) -> list[Hit]:
    """Tier after tier; within one by what the shop knows of a product's worth. A tier leaves out what stands in one before."""
    hits: list[Hit] = []
    begin, *past = after or [0]
    for number, tier in enumerate(tiers):
        if number >= begin and len(hits) < need:
            wanted = intersect([tier, *narrowed], index, without=tiers[:number])
            found = _best(index, wanted, WORTH, past if past and number == begin else None, need - len(hits))
            hits += [([number, *keys], address) for keys, address in found]
    return hits


def _best(index: Snapshot, part: Part, by: By, after: list[int] | None, need: int) -> list[Hit]:
    """The first `need` of the part in this order, past `after`, each with its keys."""
    field, *others = by.fields
    if not others:
        return [([key], address) for key, address in _first(index, part, by, after[0] if after else None, need)]
    rest, hits = By(tuple(others), by.ascending), []
    if after:
        hits = _alike(index, part, field, after[0], rest, after[1:], need)
    found = _first(index, part, by, after[0] if after else None, need - len(hits)) if len(hits) < need else []
    # Who has the last key may have come without all who share it; those before are complete.
    groups: dict[int, list[Hit]] = {}
    for key, address in found:
        groups.setdefault(key, []).append(([key], address))
    last = found[-1][0] if found else None
    for key, members in groups.items():
        hits += _alike(index, part, field, key, rest, None, need - len(hits)) if key == last else _arranged(index, members, rest)
    return hits


def _alike(index: Snapshot, part: Part, field: str, key: int, rest: By, after: list[int] | None, need: int) -> list[Hit]:
    same = intersect([part, listed(index, field, key)], index)
    return [([key, *keys], address) for keys, address in _best(index, same, rest, after, need)]


def _arranged(index: Snapshot, hits: list[Hit], rest: By) -> list[Hit]:
    columns = [_numbers(index, field, hits) for field in rest.fields]
    keyed = [([*keys, *(column[place] for column in columns)], address) for place, (keys, address) in enumerate(hits)]
    return sorted(keyed, key=lambda hit: hit[0], reverse=not rest.ascending)


def _first(index: Snapshot, part: Part, by: By, after: int | None, need: int) -> list[Hit1]:
    """The same by one field alone."""
    passed = _sifted(index, part, by, after, need) if part.sieves and part.bound > EXACT else None
    return _cut(index, part.whole, part.bound, by, after, need) if passed is None else passed


def _sifted(index: Snapshot, part: Part, by: By, after: int | None, need: int) -> list[Hit1] | None:
    """More are taken in their order than are needed, and sifted; nothing when the sieves let so few pass that this does not pay."""
    batch = 4 * need
    for _ in range(2):
        hits = _cut(index, part.query, part.bound, by, after, batch)
        passed = _passed(index, hits, part.sieves)
        if len(passed) >= need or len(hits) < batch:
            return passed[:need]
        batch = batch * 3 * need // max(1, 2 * len(passed))
        if batch > MOST_SIFTED:
            return None
    return None


def _passed(index: Snapshot, hits: list[Hit1], sieves: tuple[Sieve, ...]) -> list[Hit1]:
    for field, low, high in sieves:
        values = _numbers(index, field, hits)
        hits = [hit for hit, value in zip(hits, values, strict=True) if (low is None or value >= low) and (high is None or value <= high)]
    return hits


def _cut(index: Snapshot, query: Query, bound: int, by: By, after: int | None, need: int) -> list[Hit1]:
    # A deeper sample costs less, but the stretch that is found by it is longer: at this level both cost about the same.
    level = max(1, round(math.log2(max(1, bound) / math.sqrt(5 * KEY * max(1, index.size)))))
    # The fourth of a sample stands where about four times what each of it stands for were passed: a page and more, but rarely less.
    reach = 4 + 2 * (need >> level)
    # What is rarely found together lies far apart: a stretch shall cost less than a third of the whole.
    dear = 3 * KEY * reach * index.size
    if dear < (bound >> level) * bound:
        sample = _sorted(index, must(in_sample(level), query, *_past(by, after)), by, reach, count=True)
        if len(sample.hits) == reach and dear < sample.count * bound:
            hits = _sorted(index, must(_stretch(by, after, sample.hits[-1][0]), query), by, need).hits
            if len(hits) == need:
                return list(hits)
    return list(_sorted(index, must(query, *_past(by, after)), by, need).hits)


def _sorted(index: Snapshot, query: Query, by: By, limit: int, *, count: bool = False) -> Any:
    order = Order.Asc if by.ascending else Order.Desc
    return index.searcher.search(query, limit=limit, count=count, order_by_field=by.fields[0], order=order)


def _past(by: By, after: int | None) -> list[Query]:
    if after is None:
        return []
    if by.ascending:
        return [Query.range_query(schema(), by.fields[0], FieldType.Unsigned, after, None, include_lower=False)]
    return [Query.range_query(schema(), by.fields[0], FieldType.Unsigned, None, after, include_upper=False)]


def _stretch(by: By, after: int | None, last: int) -> Query:
    """From past `after` to `last` itself, by the list of keys: it is short."""
    inside = {"include_lower": after is None or not by.ascending, "include_upper": after is None or by.ascending}
    low, high = (after, last) if by.ascending else (last, after)
    return Query.range_query(schema(), by.fields[0], FieldType.Unsigned, low, high, use_inverted_index=True, **inside)


# ---------------------------------------------------------------- queries


def _filters(index: Snapshot, question: Question) -> dict[str, Part]:
    """The filters that are set, by the facet that each leaves aside."""
    found: dict[str, Part] = {}
    if question.category_id is not None:
        found["category"] = listed(index, "within", question.category_id)
    if question.brand:
        found["brand"] = listed(index, "brand", question.brand)
    # What many have is read off the column of those that the rest leaves: a list of a million is more work.
    if question.in_stock:
        found["in_stock"] = Part(ALL, index.size, (("in_stock", 1, None),))
    if question.rating_min:
        rated = listed(index, "rated", search_index.rated(question.category_id or 0, question.rating_min))
        found |= {"category": rated, "rating": Part(ALL, index.size)} if "category" in found else {"rating": rated}
    bounds: list[Sieve] = [("price_max", question.price_min, None)] if question.price_min is not None else []
    bounds += [("price", None, question.price_max)] if question.price_max is not None else []
    if bounds:
        found["price"] = Part(ALL, index.size, tuple(bounds))
    return found


def _parse(index: Snapshot, text: str) -> Terms:
    """Return all that the result of a search depends on in its text, so that it can be a key."""
    said = words(text)
    if not said:
        return Terms()
    wanted = [word for word in said if word not in STOP_WORDS] or said
    sku = folded(text.strip())
    return Terms(tuple(wanted[:MOST_WORDS]), sku if index.searcher.doc_freq("sku", sku) else "")


def _tiers(index: Snapshot, terms: Terms) -> list[Part]:
    """Who has the words, the best first; the last tier holds all. Typing errors are forgiven when nothing is found without.

    An article number, the words in the title, the last of them perhaps unfinished; then in title, brand, tags and category; then anywhere.
    """
    if not terms.words:
        return [Part(ALL, index.size)]
    wanted = list(terms.words)
    known = index.memo.get_or_compute(
        ("tiers", terms),
        lambda: _literal(index, wanted, listed(index, "sku", terms.sku)) or _forgiving(index, wanted),
        lambda tiers: TIERS_WEIGHT * (1 + len(tiers)),
    )
    return list(known)


def _literal(index: Snapshot, wanted: list[str], sku: Part) -> list[Part]:
    tiers = [sku] if sku.bound else []
    endings = _completions(index, wanted[-1])
    for field, last in (("title", wanted[-1:]), ("title", endings), ("names", endings), ("every", endings)):
        parts = [*(listed(index, field, word) for word in wanted[:-1]), _any_of(index, field, last)]
        if all(part.bound for part in parts):
            tiers.append(intersect(parts, index))
    if sku.bound and len(tiers) > 1:
        tiers.append(Part(union([sku.query, tiers[-1].query]), sku.bound + tiers[-1].bound))
    return tiers if tiers and (len(wanted) == 1 or _any(index, tiers[-1])) else []


def _any(index: Snapshot, part: Part) -> bool:
    """Whether the part holds anything; of many words together it may not. Where it holds much, a look at a few tells."""
    samples = [must(in_sample(level), part.query) for level in (8, 4) if _level(part.bound)]
    return any(index.searcher.search(query, limit=1, count=False).hits for query in (*samples, part.query))


def _any_of(index: Snapshot, field: str, some: list[str]) -> Part:
    parts = [part for one in some if (part := listed(index, field, one)).bound]
    if not parts:
        return Part(Query.empty_query(), 0)
    return Part(union([part.query for part in parts]), min(index.size, sum(part.bound for part in parts)))


def _completions(index: Snapshot, word: str) -> list[str]:
    """Words that begin like this one, itself first; of those in titles and of all the most frequent."""
    most = COMPLETIONS if len(word) > 1 else COMPLETIONS // 3
    found = [one for field in ("title", "every") for one, _ in index.searcher.terms_with_prefix(field, word, limit=most)]
    return list(dict.fromkeys([word, *found]))


def _forgiving(index: Snapshot, wanted: list[str]) -> list[Part]:
    """A word that nobody has may be unfinished; of four letters and more, one is wrong, missing, too many or changed places with the next.

    Known words are taken at their word: where they are not found together, a guess at each would find something else.
    """
    strange = [word for word in wanted[:-1] if not index.searcher.doc_freq("every", word)]
    strange += [word for word in wanted[-1:] if not _any_of(index, "every", _completions(index, word)).bound]
    tiers = []
    for field in ("title", "names", "every") if strange else ():
        parts = [_mistyped(index, field, word) if word in strange else _any_of(index, field, _known(index, wanted, word)) for word in wanted]
        if all(part.bound for part in parts):
            tiers.append(intersect(parts, index))
    return tiers if tiers and _any(index, tiers[-1]) else []


def _known(index: Snapshot, wanted: list[str], word: str) -> list[str]:
    return _completions(index, word) if word == wanted[-1] else [word]


def _mistyped(index: Snapshot, field: str, word: str) -> Part:
    if len(word) < 4:
        return _any_of(index, field, _completions(index, word))
    query = Query.fuzzy_term_query(schema(), field, word, distance=1, prefix=True)
    return Part(query, index.size if index.searcher.search(query, limit=1, count=False).hits else 0)


# ---------------------------------------------------------------- counting


FACETS: dict[str, Any] = {
    "category": {"terms": {"field": "category", "size": 10_000}},
    # Each piece of the index names its first ones only: to look up their names is most of the work.
    "brand": {"terms": {"field": "brand", "size": BRANDS + 1, "segment_size": 2 * BRANDS}},
    "price": {"terms": {"field": "price_step", "size": len(PRICE_STEPS)}},
    "rating": {"terms": {"field": "stars", "size": 6}},
    "in_stock": {"terms": {"field": "in_stock", "size": 2}},
}
OF_FILTER: dict[str, dict[str, Any]] = {  # what a question without it has
    "category": {"category_id": None},
    "brand": {"brand": ""},
    "price": {"price_min": None, "price_max": None},
    "rating": {"rating_min": None},
}
NUMBER = {"number": {"value_count": {"field": "id"}}}


def _counts(index: Snapshot, terms: Terms, question: Question) -> Counts:
    """Return the counts of a search, calculated once for all its pages and sort orders. `question` holds its filters alone."""
    return index.memo.get_or_compute(("counts", terms, question), lambda: _count(index, terms, question), _weigh_counts)


def _weigh_counts(counts: Counts) -> int:
    return 10 + len(counts.categories) + len(counts.brands) + len(counts.prices) + len(counts.ratings)


def _count(index: Snapshot, terms: Terms, question: Question) -> Counts:
    matching = _tiers(index, terms)[-1:]
    if not matching:
        return Counts(0, False, {}, [], [], [], 0)
    filters = _filters(index, question)
    free = {name: facet for name, facet in FACETS.items() if name not in filters}
    total, level, tallies = _tally(index, intersect([*matching, *filters.values()], index), free)
    if "in_stock" in filters:
        tallies["in_stock"] = [(1, total)]
    for own in filters.keys() - {"in_stock"}:
        tallies[own] = _count_own(index, terms, question, own)
    if not terms.words and question == Question():
        total, level = index.size, 0
    stars = dict(tallies["rating"])
    ratings = [(least, sum(count for star, count in stars.items() if star >= least)) for least in (4, 3, 2, 1)]
    return Counts(
        total=total,
        approximate=level > 0,
        categories={int(key): count for key, count in tallies["category"] if key},
        brands=[(key, count) for key, count in tallies["brand"] if key][:BRANDS],
        prices=_price_ranges({int(key): count for key, count in tallies["price"]}),
        ratings=[(least, count) for least, count in ratings if count],
        in_stock=dict(tallies["in_stock"]).get(1, 0),
    )


def _count_own(index: Snapshot, terms: Terms, question: Question, own: str) -> list[tuple[Any, int]]:
    """Return the counts of a filter's own facet, which are the same whatever the filter is set to."""
    without = replace(question, **OF_FILTER[own])

    def count() -> list[tuple[Any, int]]:
        parts = [*_tiers(index, terms)[-1:], *_filters(index, without).values()]
        return _tally(index, intersect(parts, index), {own: FACETS[own]})[2][own]

    return index.memo.get_or_compute(("own", own, terms, without), count, lambda counts: 10 + len(counts))


Tallies = dict[str, list[tuple[Any, int]]]


def _tally(index: Snapshot, part: Part, facets: dict[str, Any], deeper: int = 0) -> tuple[int, int, Tallies]:
    """How many, from which depth of sampling, and how many by facet. A sample that turns out to hold few is taken anew, larger."""
    # Words that are often together are more than their shares say, but a sample of eight times the size is still small.
    level = max(_level(int(min(part.bound, part.likely)), deeper), _level(part.bound, deeper) - 3)
    number, found = _aggregate(index, part.whole, level, facets)
    enough = SAMPLE >> deeper
    while level and number < enough // 4:
        # Until enough is found, or each product is looked at: a total of none must not stand above a list of some.
        level = max(0, level - math.ceil(math.log2(enough / 2 / max(1, number))))
        level = level if level > 2 else 0
        number, found = _aggregate(index, part.whole, level, facets)
    tallies = {name: [(bucket["key"], _rounded(bucket["doc_count"], level)) for bucket in found[name]["buckets"]] for name in facets}
    return _rounded(number, level), level, tallies


def _aggregate(index: Snapshot, query: Query, level: int, facets: dict[str, Any]) -> tuple[int, Any]:
    found = index.searcher.aggregate(must(in_sample(level), query) if level else query, facets | NUMBER)
    return int(found["number"]["value"]), found


def _level(bound: int, deeper: int = 0) -> int:
    """How deep to sample among so many: level n is every 2^n-th product."""
    return 0 if bound <= EXACT else min(search_index.DEEPEST_SAMPLE, (bound // SAMPLE).bit_length() - 1 + deeper)


def _rounded(number: int, level: int) -> int:
    """What so many of a sample stand for, in two digits: more are not known."""
    if not level or not number:
        return number
    whole = number << level
    unit = int(10 ** max(0, len(str(whole)) - 2))
    return (whole + unit // 2) // unit * unit


def _price_ranges(steps: dict[int, int]) -> list[tuple[int, int | None, int]]:
    """A handful of ranges: neighbouring steps are joined, the emptiest first."""
    ranges = [[step, step, count] for step, count in sorted(steps.items())]
    while len(ranges) > PRICE_RANGES:
        sizes = [one[2] + other[2] for one, other in zip(ranges, ranges[1:], strict=False)]
        at = sizes.index(min(sizes))
        ranges[at : at + 2] = [[ranges[at][0], ranges[at + 1][1], sizes[at]]]
    ends = [PRICE_STEPS[last + 1] - 1 if last + 1 < len(PRICE_STEPS) else None for _, last, _ in ranges]
    begins = [PRICE_STEPS[first] for first, _, _ in ranges]
    return [(begin, None if number == len(ranges) else end, one[2]) for number, (begin, end, one) in enumerate(zip(begins, ends, ranges, strict=True), 1)]
