"""What goes with what: reckoned by a job from orders and wishes, never from what people look at; and what is shown of it.

Two products are near when many of the orders that hold one hold the other, too: the cosine of the angle between them, were each a
vector of orders. A doubt in the divisor keeps a pair that was bought once from being the nearest of all.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from ..errors import NotFound
from . import cart, catalogue, settings, wishlist
from .cart import Buyer
from .catalogue import Product, Wish

DAYS = 365  # how late an order must be to count
DOUBT = 2
NEAREST = 12  # relations kept of a product
FOR_ONE = 24  # recommendations kept of a shopper
MOST_OF_A_BASKET = 30  # an order of more things says little about each two of them
ORDERS_AT_ONCE = 1000
# In one transaction, since each row that it writes locks its products and its account: whoever signs in would wait.
PRODUCTS_AT_ONCE, SHOPPERS_AT_ONCE = 20, 15
MOST_KEPT = 20_000  # products whose relations are kept in memory
REACH = 60  # neighbours in price, above and below, that a product is compared with
SHOWN = 8
LEAST = 4  # fewer own recommendations are no row

Scores = dict[int, dict[int, float]]
Basis = Literal["you", "cart", "best_sellers", "newest"]


class Related(TypedDict):
    bought_together: list[Product]
    similar: list[Product]
    currency: str


class Recommendations(TypedDict):
    """`basis` says why: what this shopper bought or wishes, what is in the cart, what sells best, or, where nothing was sold yet, what is new."""

    items: list[Product]
    basis: Basis
    currency: str


# ---------------------------------------------------------------- what is shown


def of_product(name: str) -> Related:
    """What is bought with a product, and what is like it, by its id or slug; in five statements. Raises NotFound."""
    product_id = int(name) if name.isascii() and name.isdecimal() and len(name) < 19 else None
    with db.reading() as tx:
        product = q.recommendations.get_product(tx, product_id=product_id, slug=name if name.isascii() else "")
        if product is None:
            raise NotFound("There is no such product.")
        together = _related(tx, [product["id"]], [product["id"]], 2 * SHOWN)
        similar = [one for one in _similar(tx, product) if one not in together]
        cards = catalogue.list_by_ids(tx, together + similar[: 3 * SHOWN])
        currency = settings.shop(tx)["currency"]
    cards.sort(key=lambda card: not card["in_stock"])
    return {
        "bought_together": [card for card in cards if card["id"] in together][:SHOWN],
        "similar": [card for card in cards if card["id"] not in together][:SHOWN],
        "currency": currency,
    }


def _related(tx: Tx, product_ids: list[int], without: Iterable[int], limit: int) -> list[int]:
    rows = q.recommendations.list_related(tx, product_ids=product_ids, without=[*without, 0], limit=limit)
    return [row["product_id"] for row in rows]


def _similar(tx: Tx, product: Row) -> list[int]:
    if product["category_id"] is None:
        return []
    wanted = {"category_id": product["category_id"], "price_minor": product["price_minor"], "product_id": product["id"]}
    neighbours = q.recommendations.list_neighbours(tx, **wanted, reach=REACH)
    return [row["id"] for row in sorted(neighbours, key=lambda row: (-_likeness(product, row), row["id"]))]


def _likeness(one: Row, other: Row) -> float:
    tags, others = (set(row["tags"].split(", ")) - {""} for row in (one, other))
    shared = len(tags & others) / len(tags | others) if tags and others else 0.0
    # A price twice as high is as far as one half as high; the added unit keeps cents and gifts from being worlds apart.
    distance = abs(math.log2((other["price_minor"] + 100) / (one["price_minor"] + 100)))
    kind = bool(one["type"]) and one["type"] == other["type"]
    brand = bool(one["brand"]) and one["brand"] == other["brand"]
    return 1.5 * shared + 0.6 * kind + 0.6 * brand + 1 / (1 + distance)


def for_shopper(buyer: Buyer, limit: int) -> Recommendations:
    """What somebody may like by what they bought and wish; else what sells best. Nothing that they have."""
    with db.reading() as tx:
        currency = settings.shop(tx)["currency"]
        rows = q.recommendations.list_bought(tx, user_id=buyer.user_id) if buyer.user_id is not None else []
        wished = wishlist.find_ids(tx, buyer)
        known = {row["product_id"] for row in rows} | set(wished)
        mine = q.recommendations.list_for_user(tx, user_id=buyer.user_id) if buyer.user_id is not None else []
        ids = [row["product_id"] for row in mine if row["product_id"] not in known] or _related(tx, wished, known, FOR_ONE)
        items = [card for card in catalogue.list_by_ids(tx, ids[:FOR_ONE]) if card["in_stock"]][:limit]
        category = q.recommendations.main_category(tx, product_ids=wished) if len(items) < LEAST and wished else None
    if len(items) >= LEAST:
        return {"items": items, "basis": "you", "currency": currency}
    return _best_sellers(category, known, limit, currency)


def for_cart(buyer: Buyer, limit: int) -> Recommendations:
    """What goes with the things in the cart; else the best-sellers of where most of them are from."""
    with db.reading() as tx:
        currency = settings.shop(tx)["currency"]
        _, lines = cart.load(tx, buyer)
        known = {line["product_id"] for line in lines}
        ids = _related(tx, sorted(known), known, FOR_ONE)
        items = [card for card in catalogue.list_by_ids(tx, ids) if card["in_stock"]][:limit]
        category = q.recommendations.main_category(tx, product_ids=sorted(known)) if not items and known else None
    if items:
        return {"items": items, "basis": "cart", "currency": currency}
    return _best_sellers(category, known, limit, currency)


def for_readers(user_ids: list[int], limit: int) -> tuple[dict[int, list[Product]], list[Product]]:
    """What each of these accounts may like, where enough is known of it, and what everybody else is shown; as many statements as for one."""
    with db.reading() as tx:
        currency = settings.shop(tx)["currency"]
        known = _scores([row | {"score": 1.0} for row in q.recommendations.list_seeds(tx, user_ids=user_ids, days=DAYS)], "user_id", "product_id")
        scores = _scores(q.recommendations.list_recommendations(tx, user_ids=user_ids), "user_id", "product_id")
        best = {one: _nearest_first(scores[one], known.get(one, {}))[: 2 * limit] for one in scores}
        cards = {card["id"]: card for card in catalogue.list_by_ids(tx, sorted(set().union(*best.values()))) if card["in_stock"]}
    picked = {one: [cards[product_id] for product_id in ids if product_id in cards][:limit] for one, ids in best.items()}
    return {one: items for one, items in picked.items() if len(items) >= LEAST}, _best_sellers(None, set(), limit, currency)["items"]


def _nearest_first(scores: dict[int, float], without: Iterable[int]) -> list[int]:
    return sorted(scores.keys() - set(without), key=lambda product_id: (-scores[product_id], product_id))


def _best_sellers(category: str | None, without: set[int], limit: int, currency: str) -> Recommendations:
    """Of the category, then of all; where nothing was sold yet the newest, as the list orders them."""
    found: dict[int, Product] = {}
    for place in [category, ""] if category else [""]:
        wish = Wish(category=place or "", sort="best_selling", in_stock=True, limit=min(100, limit + len(without)))
        found |= {card["id"]: card for card in catalogue.list_products(wish, currency)["items"] if card["id"] not in without and card["id"] not in found}
        if len(found) >= limit:
            break
    with db.reading() as tx:
        sold = q.recommendations.any_sold(tx, product_ids=list(found))
    return {"items": list(found.values())[:limit], "basis": "best_sellers" if sold else "newest", "currency": currency}


def told_to(user_id: int) -> list[int]:
    """The products kept for the person, for their export."""
    with db.reading() as tx:
        return [row["product_id"] for row in q.recommendations.list_told(tx, user_id=user_id)]


# ---------------------------------------------------------------- the job


def reckon() -> tuple[int, int]:
    """Reckon all anew; what stays as it was is not written. Gives how many relations and how many recommendations changed."""
    return _reckon_together(), _reckon_for_all()


def _reckon_together() -> int:
    """One pass over the year's orders. Memory holds their lines once, not every pair of them; pairs are counted product by product."""
    baskets = list(_baskets())
    holding: dict[int, list[int]] = defaultdict(list)
    for number, basket in enumerate(baskets):
        for product_id in basket:
            holding[product_id].append(number)

    def nearest(product_id: int) -> dict[int, float]:
        together = Counter(other for number in holding.get(product_id, ()) for other in baskets[number])
        own = together.pop(product_id, 0) + DOUBT
        scores = {other: round(count / math.sqrt(own * (len(holding[other]) + DOUBT)), 6) for other, count in together.items()}
        return dict(heapq.nlargest(NEAREST, scores.items(), key=lambda one: (one[1], -one[0])))

    changed = 0
    for part in _parts(sorted(holding.keys() | _products_with_relations()), PRODUCTS_AT_ONCE):
        changed += db.transaction(_write_relations, {product_id: nearest(product_id) for product_id in part})
    return changed


def _baskets() -> Iterator[tuple[int, ...]]:
    with db.reading() as tx:
        first = q.recommendations.first_order(tx, days=DAYS)
    while first is not None:
        with db.reading() as tx:
            rows = q.recommendations.list_baskets(tx, first=first, limit=ORDERS_AT_ONCE)
        baskets: dict[int, set[int]] = {}
        for row in rows:
            baskets.setdefault(row["order_id"], set()).add(row["product_id"])
        yield from (tuple(basket) for basket in baskets.values() if None not in basket and len(basket) <= MOST_OF_A_BASKET)
        first = max(baskets) + 1 if len(baskets) == ORDERS_AT_ONCE else None


def _products_with_relations() -> set[int]:
    found: list[int] = []
    while True:
        with db.reading() as tx:
            rows = q.recommendations.list_products_with_relations(tx, after=found[-1] if found else 0, limit=10_000)
        if not rows:
            return set(found)
        found += [row["product_id"] for row in rows]


def _write_relations(tx: Tx, wanted: Scores) -> int:
    known = _scores(q.recommendations.list_relations(tx, product_ids=list(wanted)), "product_id", "related_id")
    gone, made = _difference(known, wanted)
    if gone:
        q.recommendations.delete_relations(tx, pairs=_json(gone))
    if made:
        q.recommendations.put_relations(tx, pairs=_json(made))
    return len(gone) + len(made)


def _reckon_for_all() -> int:
    changed, after = 0, 0
    near: Scores = {}
    while True:
        with db.reading() as tx:
            ids = [row["user_id"] for row in q.recommendations.list_shoppers(tx, after=after, limit=SHOPPERS_AT_ONCE)]
        if not ids:
            return changed
        changed += db.transaction(_reckon_for, ids, near)
        after = ids[-1]


def _reckon_for(tx: Tx, user_ids: list[int], near: Scores) -> int:
    """`near` keeps relations from one step to the next: what many bought is read once."""
    seeds, known = defaultdict(set), defaultdict(set)
    for row in q.recommendations.list_seeds(tx, user_ids=user_ids, days=DAYS):
        known[row["user_id"]].add(row["product_id"])
        if row["late"]:
            seeds[row["user_id"]].add(row["product_id"])
    if len(near) > MOST_KEPT:
        near.clear()
    unread = sorted(set().union(*seeds.values()) - near.keys())
    near |= dict.fromkeys(unread, {}) | _scores(q.recommendations.list_relations(tx, product_ids=unread), "product_id", "related_id")
    wanted = {user_id: _likely(seeds[user_id], known[user_id], near) for user_id in user_ids}
    former = _scores(q.recommendations.list_recommendations(tx, user_ids=user_ids), "user_id", "product_id")
    gone, made = _difference(former, wanted)
    if gone:
        q.recommendations.delete_recommendations(tx, pairs=_json(gone))
    if made:
        q.recommendations.put_recommendations(tx, pairs=_json(made))
    return len(gone) + len(made)


def _likely(seeds: set[int], known: set[int], near: Scores) -> dict[int, float]:
    total: dict[int, float] = defaultdict(float)
    for seed in sorted(seeds):
        for product_id, score in near.get(seed, {}).items():
            if product_id not in known:
                total[product_id] += score
    best = heapq.nlargest(FOR_ONE, total.items(), key=lambda one: (one[1], -one[0]))
    return {product_id: round(score, 6) for product_id, score in best}


def _scores(rows: list[Row], owner: str, other: str) -> Scores:
    found: Scores = defaultdict(dict)
    for row in rows:
        found[row[owner]][row[other]] = row["score"]
    return found


def _difference(known: Scores, wanted: Scores) -> tuple[list[tuple[int, int]], list[tuple[int, int, float]]]:
    """What has to go and what has to be written: most of the time little."""
    gone = [(one, other) for one in wanted for other in known.get(one, {}) if other not in wanted[one]]
    made = [(one, other, score) for one in wanted for other, score in wanted[one].items() if known.get(one, {}).get(other) != score]
    return gone, made


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _parts(ids: list[int], size: int) -> Iterator[list[int]]:
    return (ids[at : at + size] for at in range(0, len(ids), size))
