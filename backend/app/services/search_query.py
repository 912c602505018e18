"""Queries to the search index: parts of the catalog that can be counted, intersected and sampled."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tantivy import FieldType, Occur, Query

from .search_index import Snapshot, schema

ALL = Query.all_query()

Sieve = tuple[str, int | None, int | None]  # a column, and between which values it lets a product through


@dataclass(frozen=True)
class Part:
    """Some of the products: those of the query that pass all sieves. They are at most `bound`, and by the shares of the terms some `likely`."""

    query: Query
    bound: int
    sieves: tuple[Sieve, ...] = ()
    likely: float = math.inf

    @property
    def whole(self) -> Query:
        """The sieves as a query, which is dear where they let most pass: each walks along its column."""
        return must_all([self.query, *(between(*sieve) for sieve in self.sieves)])


def must(*queries: Query) -> Query:
    """Return what matches every query."""
    return must_all(queries)


def must_all(queries: Iterable[Query], without: Iterable[Part] = ()) -> Query:
    """Return what matches every query and is in no part of `without`."""
    musts = [query for query in queries if query is not ALL] or [ALL]
    nots = [(Occur.MustNot, part.query) for part in without]
    return Query.boolean_query([(Occur.Must, query) for query in musts] + nots) if nots or len(musts) > 1 else musts[0]


def union(queries: list[Query]) -> Query:
    """Return what matches any of the queries."""
    return queries[0] if len(queries) == 1 else Query.boolean_query([(Occur.Should, query) for query in queries])


def term(field: str, value: Any) -> Query:
    return Query.term_query(schema(), field, value, "basic")


def in_sample(level: int) -> Query:
    """Return every 2^level-th product."""
    return term("sample", level)


def intersect(parts: list[Part], index: Snapshot, without: list[Part] | None = None) -> Part:
    """Return what is in every part and in none of `without`, with an upper bound of its size."""
    bound = min((part.bound for part in parts), default=index.size)
    likely = math.prod((min(part.bound, part.likely) / max(1, index.size) for part in parts), start=index.size)
    query = must_all([part.query for part in parts], without or ())
    return Part(query, bound, tuple(sieve for part in parts for sieve in part.sieves), likely)


def between(field: str, low: int | None, high: int | None) -> Query:
    """Return what has a number from `low` to `high`, both included, in a field; None is no limit."""
    return Query.range_query(schema(), field, FieldType.Unsigned, low, high)


def listed(index: Snapshot, field: str, value: Any) -> Part:
    """Return the products that have this value in an indexed field, with their exact number."""
    return Part(term(field, value), index.searcher.doc_freq(field, value))
