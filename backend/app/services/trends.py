"""What shoppers look for: suggestions while they type, what is searched for lately, and what sells.

A search is counted by visitor and day. Who a visitor is, nobody can tell: what stands for them is a hash whose key lives in a file of this
machine and is another one tomorrow. A request writes no row; it adds a line to a file, which the keeper of the index brings to the database.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

import orjson
from typing_extensions import TypedDict

from .. import db
from ..db import Row, Tx, q
from . import catalogue, discovery
from .catalogue import Image, Wish
from .discovery import Guess, Question

log = logging.getLogger("shop.trends")

LEAST_VISITORS = 3  # on one day, or it is nobody's business
SHOWN = 10
KEPT_TERMS = 50
KEY_BYTES = 32
TERM = "shop.term"  # the name, in the environment of a request, of the words that were typed, where they name nobody
MOST_BYTES = 4_000_000  # of searches that wait to be counted; more in a few seconds are no shoppers'
SOLD_STEP = 500  # products counted at once
SOLD_BATCH = 50  # products updated in one transaction
SOLD_DAYS = 90


class SuggestedCategory(TypedDict):
    slug: str
    name: str


class SuggestedProduct(TypedDict):
    id: int
    slug: str
    title: str
    price_minor: int
    image: Image | None


class Suggestions(TypedDict):
    terms: list[str]
    categories: list[SuggestedCategory]
    products: list[SuggestedProduct]
    currency: str


class Trending(TypedDict):
    items: list[str]


def suggest(text: str, currency: str) -> Suggestions:
    """What somebody who has typed so far may mean; with nothing typed, what others look for."""
    if not text.strip():
        return {"terms": trending()["items"], "categories": [], "products": [], "currency": currency}
    guess = discovery.guess(text)
    if guess is None:
        ids = [item["id"] for item in catalogue.list_products(Wish(q=text, sort="name", limit=5), currency)["items"]]
        guess = Guess([], ids, [])
    with db.reading() as tx:
        popular = [row["term"] for row in q.trends.list_beginning(tx, prefix=catalogue.beginning(text.lower()), limit=3)]
        rows = {row["id"]: row for row in (q.trends.list_products(tx, ids=guess.ids) if guess.ids else [])}
    return {
        "terms": list(dict.fromkeys([*popular, *guess.terms]))[:6],
        "categories": [{"slug": row["slug"], "name": row["name"]} for row in catalogue.category_names(guess.category_ids)],
        "products": [_suggested(rows[one]) for one in guess.ids if one in rows],
        "currency": currency,
    }


def _suggested(row: Row) -> SuggestedProduct:
    image = catalogue.first_image(row)
    return {"id": row["id"], "slug": row["slug"], "title": row["title"], "price_minor": row["price_minor"], "image": image}


def trending() -> Trending:
    with db.reading() as tx:
        return {"items": [row["term"] for row in q.trends.list_trending(tx, limit=SHOWN)]}


# ---------------------------------------------------------------- who searched for what


def term_of(text: str) -> str | None:
    """A search as it is counted, or nothing where it may name a person: addresses, numbers of cards, telephones and orders."""
    term = " ".join(text.lower().split())
    many_digits = sum(char.isdigit() for char in term) > 5
    return None if not 2 <= len(term) <= 80 or "@" in term or many_digits or "://" in term or not re.search(r"\w", term) else term


def note_search(folder: Path, text: str, ip: str, agent: str) -> str | None:
    """Add a line to the file of searches; gives the search as it is counted. That it cannot be noted is no reason not to answer it."""
    term = term_of(text)
    if term is not None:
        try:
            _add_line(folder, term, f"{ip}\n{agent}")
        except OSError as error:
            log.warning("a search was not noted", extra={"error": type(error).__name__})
    return term


def _add_line(folder: Path, term: str, visitor: str) -> None:
    day = datetime.now(UTC).date().isoformat()
    name = hmac.digest(_key_of(folder, day), visitor.encode(), "sha256").hex()[:32]
    # By the system's own calls: a file object would cost more than all else here.
    file = os.open(f"{folder}/visits.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if os.fstat(file).st_size < MOST_BYTES:
            os.write(file, orjson.dumps({"day": day, "term": term, "visitor": name}, option=orjson.OPT_APPEND_NEWLINE))
    finally:
        os.close(file)


def _key_of(folder: Path, day: str) -> bytes:
    try:
        file = os.open(f"{folder}/visitors-{day}.key", os.O_RDONLY)
    except FileNotFoundError:
        return _new_key(folder, day)
    try:
        return os.read(file, KEY_BYTES)
    finally:
        os.close(file)


def _new_key(folder: Path, day: str) -> bytes:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"visitors-{day}.key"
    draft = folder / f"visitors-{secrets.token_hex(4)}.part"
    draft.touch(mode=0o600)
    draft.write_bytes(secrets.token_bytes(KEY_BYTES))
    # The first of several workers wins; a link never replaces.
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
    return path.read_bytes()


def collect(folder: Path) -> int:
    """Bring the searches that were noted on this machine to the database; gives their number. Done twice it counts none twice."""
    today = f"visitors-{datetime.now(UTC).date().isoformat()}.key"
    for former in folder.glob("visitors-*.key"):
        if former.name < today:
            former.unlink(missing_ok=True)
    collected = 0
    # What was set apart the last time: nobody has it open to write any more.
    for path in folder.glob("visits-*.jsonl"):
        lines = [line for line in path.read_bytes().splitlines() if line.endswith(b"}")]
        for start in range(0, len(lines), 500):
            db.transaction(_add_visits, b"[" + b",".join(lines[start : start + 500]) + b"]")
        collected += len(lines)
        path.unlink()
    with contextlib.suppress(FileNotFoundError):
        (folder / "visits.jsonl").rename(folder / f"visits-{secrets.token_hex(6)}.jsonl")
    return collected


def _add_visits(tx: Tx, visits: bytes) -> None:
    q.trends.add_visits(tx, visits=visits.decode())


def rank() -> int:
    """Reckon what is looked for lately: yesterday counts half of today. What finds nothing is no suggestion."""
    with db.reading() as tx:
        rows = q.trends.list_visited(tx, least=LEAST_VISITORS, limit=4 * KEPT_TERMS)
    good = [row for row in rows if (found := discovery.find(Question(row["term"]), "relevance", 1)) and found.ids]
    return db.transaction(_rank, orjson.dumps([{"term": row["term"], "score": float(row["score"])} for row in good[:KEPT_TERMS]]).decode())


def _rank(tx: Tx, terms: str) -> int:
    q.trends.delete_terms(tx)
    return int(q.trends.add_terms(tx, terms=terms))


def forget_old() -> int:
    return db.transaction(lambda tx: int(q.trends.delete_visits(tx)))


# ---------------------------------------------------------------- what sells


def count_sold() -> int:
    """Set each product's pieces sold of late, some at a time; gives how many products have another number now."""
    changed, after = 0, 0
    while True:
        with db.reading() as tx:
            ids = [row["product_id"] for row in q.trends.list_ever_sold(tx, after=after, limit=SOLD_STEP)]
        if not ids:
            return changed
        with db.reading() as tx:
            counted = q.trends.list_sold(tx, ids=ids, days=SOLD_DAYS)
        others = [[row["id"], int(row["sold"])] for row in counted if int(row["sold"]) != row["sold_count"]]
        for at in range(0, len(others), SOLD_BATCH):
            db.transaction(_set_sold, sorted(others)[at : at + SOLD_BATCH])
        changed += len(others)
        after = ids[-1]


def _set_sold(tx: Tx, counts: list[list[int]]) -> None:
    q.trends.set_sold(tx, counts=orjson.dumps(counts).decode())
    discovery.mark(tx, [product_id for product_id, _ in counts])
