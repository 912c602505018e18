"""The search index on disk (Tantivy): made from MySQL, fed with what changed, read by every worker of this machine.

SHOP_VAR/search/current names the folder of the index in use. A new index is built beside it and takes its place by that name, so that
nobody ever reads half of one. One process of a machine writes, whoever holds the folder's lock; the others look, at each question,
whether there is something newer. Everything here can be thrown away: the keeper makes it again.
"""

from __future__ import annotations

import contextlib
import html
import logging
import re
import secrets
import shutil
import threading
import time
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import tantivy

from .. import db
from ..db import DRIVER_ERRORS, Row, q
from ..errors import ShopError
from ..lock import Busy, Lock
from .memo import Memo

log = logging.getLogger("shop.search")

VERSION = 3  # of what stands in a document; an index of another version is made anew
BATCH = 1000  # products read from the database at once
OVERLAP = timedelta(seconds=20)  # changes are read again for so long: they commit in another order than they are numbered
FIRST_OVERLAP = timedelta(hours=1)  # the same for a keeper that has just begun and knows of none
OLDEST = timedelta(hours=23)  # an index that was fed last before that may miss changes, whose notes are kept for a day
TICK = 0.4  # seconds between looks for changes
REPAIR_PAUSE = 300.0  # seconds between two repairs, so that what a repair does not cure does not keep the machine busy
MOST_FAULTS = 20  # of questions, after which an index that opens well is made anew all the same
WRITER_BYTES = 16_000_000
DEEPEST_SAMPLE = 12
NAME_KEYS = ("by_name_1", "by_name_2", "by_name_3", "by_name_4")  # eight bytes each; further on nobody looks
MAX_MEMO_WEIGHT = 200_000  # numbers remembered of one snapshot, at about a hundred bytes each
LONGEST_TEXT = 20_000  # characters of a description that are searched
Say = Callable[[str], None]


def silent(line: str) -> None:
    log.info(line)


# ---------------------------------------------------------------- what stands in a document


@cache
def schema() -> tantivy.Schema:
    """`title`, `names` and `every` each hold the words of the one before and more. The `by_` fields are orders: each value is one product's
    own, so that a page ends and the next begins at exactly one place; names take several. `sample` n holds every 2^n-th product, to reckon
    with a few for all, and by `depth`, the largest such n, products lie on the disk: a sample is read in one go. `rated` lists, for each
    category and for all, who has at least so many stars."""
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("id", indexed=True, fast=True)
    for name in ("title", "names", "every"):
        builder.add_text_field(name, tokenizer_name="words", index_option="basic")
    builder.add_text_field("sku", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("brand", tokenizer_name="raw", index_option="basic", fast=True)
    for name in ("category", "price", "price_max", "price_step", "stars", "in_stock", "depth"):
        builder.add_unsigned_field(name, fast=True)
    for name in ("within", "rated", "sample"):
        builder.add_unsigned_field(name, indexed=True)
    for name in ("by_newest", "by_price", "by_rating", "by_sold", "by_worth", *NAME_KEYS, "by_id"):
        builder.add_unsigned_field(name, indexed=True, fast=True)
    return builder.build()


@cache
def _analyzer() -> tantivy.TextAnalyzer:
    folded = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.lowercase()).filter(tantivy.Filter.ascii_fold())
    return folded.filter(tantivy.Filter.remove_long(64)).build()


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def words(text: str) -> list[str]:
    """The words of a text as the index knows them: without case, accents and punctuation."""
    return _analyzer().analyze(_composed(text))


def folded(text: str) -> str:
    """A text as it is compared with others: without case and accents."""
    if text.isascii():
        return text.lower()
    return "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))


def _name_keys(title: str) -> dict[str, int]:
    """The beginning of a title as numbers that sort alike."""
    content = folded(title).encode()
    return {name: int.from_bytes(content[8 * place : 8 * place + 8].ljust(8, b"\0"), "big") for place, name in enumerate(NAME_KEYS)}


PRICE_STEPS: list[int] = [factor * 10**power for power in range(13) for factor in (1, 2, 5)]


def price_step(price_minor: int) -> int:
    """Which of the steps 1, 2, 5, 10, 20, 50 … a price is on."""
    power = len(str(price_minor)) - 1
    leading = int(str(price_minor)[0])
    return min(power * 3 + (leading >= 2) + (leading >= 5), len(PRICE_STEPS) - 1)


def rated(category_id: int, stars: int) -> int:
    """The list of those in a category, or in all (0), that have at least so many stars."""
    return category_id << 3 | stars


def _depth(product_id: int) -> int:
    mixed = zlib.crc32(product_id.to_bytes(8, "big")) | 1 << DEEPEST_SAMPLE
    return int((mixed & -mixed).bit_length()) - 1


def _text(description: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", description[:LONGEST_TEXT]))


Tree = dict[int, tuple[int | None, str]]  # of categories: parent and name


def line_of(category_id: int | None, tree: Tree) -> list[int]:
    """A category and those above it."""
    line: list[int] = []
    while category_id in tree and category_id not in line and category_id is not None:
        line.append(category_id)
        category_id = tree[category_id][0]
    return line


def _document(row: Row, variants: list[Row], tree: Tree) -> tantivy.Document:
    number = row["id"]
    line = line_of(row["category_id"], tree)
    title = _composed(row["title"])
    names = _composed(" ".join([title, row["brand"], row["tags"], row["type"], *(tree[one][1] for one in line)]))
    values = dict.fromkeys(variant[name] for variant in variants for name in ("option1", "option2", "option3"))
    every = " ".join([names, *map(_composed, values), _composed(_text(row["description"]))])
    in_stock = int(any(variant["available"] for variant in variants))
    low = number & 0xFFFFFF
    rating = round(100 * int(row["rating_sum"]) / row["rating_count"]) if row["rating_count"] else 0
    price = min(row["price_minor"], 2**40 - 1)
    depth = _depth(number)
    stars = int(row["rating_sum"]) // row["rating_count"] if row["rating_count"] else 0
    trusted = rating // 10 if row["rating_count"] >= 3 else 0
    brevity = max(0, 15 - title.count(" "))
    content = {
        "id": number,
        "title": title,
        "names": names,
        "every": every,
        "sku": [folded(variant["sku"]) for variant in variants if variant["sku"]],
        "brand": row["brand"],
        "category": line[0] if line else 0,
        "within": line,
        "rated": [rated(category, least) for category in (0, *line) for least in range(1, stars + 1)],
        "price": price,
        "price_max": row["price_max_minor"],
        "price_step": price_step(price),
        "stars": stars,
        "depth": depth,
        "sample": list(range(1, depth + 1)),
        "in_stock": in_stock,
        "by_newest": max(0, int(row["created_at"].replace(tzinfo=UTC).timestamp())) << 29 | number & 0x1FFFFFFF,
        "by_price": price << 24 | low,
        "by_rating": rating << 44 | min(row["rating_count"], 0xFFFFF) << 24 | low,
        "by_sold": min(row["sold_count"], 2**39) << 24 | low,
        "by_id": number,
        # Among what matches alike: what can be had, what is bought, what is liked, what is called just that, what is new.
        "by_worth": in_stock << 52 | row["sold_count"].bit_length() << 44 | trusted << 36 | brevity << 32 | number & 0xFFFFFFFF,
    } | _name_keys(row["title"])
    return tantivy.Document.from_dict(content, schema())


def _documents(rows: list[Row], tree: Tree) -> Iterator[tantivy.Document]:
    with db.reading() as tx:
        found = q.discovery.list_variants(tx, product_ids=[row["id"] for row in rows]) if rows else []
    variants: dict[int, list[Row]] = {}
    for variant in found:
        variants.setdefault(variant["product_id"], []).append(variant)
    return (_document(row, variants.get(row["id"], []), tree) for row in rows if row["listed"])


def _tree() -> Tree:
    with db.reading() as tx:
        return {row["id"]: (row["parent_id"], row["name"]) for row in q.discovery.list_categories(tx)}


# ---------------------------------------------------------------- the folder


def _current(folder: Path) -> Path | None:
    try:
        return folder / (folder / "current").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None


def _write(path: Path, content: bytes) -> None:
    """Whoever reads the file sees all of the former content or all of this."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    part.write_bytes(content)
    part.replace(path)


def _state(index: Path) -> tuple[int, datetime]:
    """The version of an index, and until when it knows of changes."""
    try:
        state = orjson.loads((index / "state.json").read_bytes())
        return int(state["version"]), datetime.fromisoformat(state["until"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, datetime.min


def _save_state(index: Path, until: datetime) -> None:
    _write(index / "state.json", orjson.dumps({"version": VERSION, "until": until}))


def _opened(index: Path) -> tantivy.Index:
    opened = tantivy.Index.open(str(index))
    opened.register_tokenizer("words", _analyzer())
    opened.config_reader("manual")
    return opened


@contextlib.contextmanager
def faults() -> Iterator[list[str]]:
    """Notes what an index that is not whole does when it is used: it raises, or, deep within the library, panics."""
    found: list[str] = []
    try:
        yield found
    except (ValueError, OSError, SystemError) as error:
        found.append(f"{type(error).__name__}: {error}"[:300])
    except BaseException as error:
        # The library's panic is no Exception, and has no name that could be imported.
        if type(error).__name__ != "PanicException":
            raise
        found.append(f"panic: {error}"[:300])


# ---------------------------------------------------------------- reading


class Snapshot:
    """The index as of one commit. `memo` holds what was calculated from it, and goes with it."""

    def __init__(self, searcher: tantivy.Searcher) -> None:
        self.searcher = searcher
        self.size: int = searcher.num_docs
        self.memo = Memo(MAX_MEMO_WEIGHT)


class Reader:
    """Gives every question the newest commit; that there is one costs two looks at the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._index: tantivy.Index | None = None
        self._seen: Any = None
        self._snapshot: Snapshot | None = None
        self._faults = 0

    def snapshot(self) -> Snapshot | None:
        """Nothing while there is no index, or none that can be read."""
        seen = self.look()
        if seen != self._seen:
            with self._lock:
                if seen != self._seen:
                    self._read(seen)
        return self._snapshot

    def note_fault(self, why: str) -> None:
        """A question failed. Whether it was the index is tried; a question that no index could answer must not take it from the others."""
        log.error("a question failed in the search index", extra={"error": why})
        self._faults += 1
        with faults() as found:
            if self._path:
                _opened(self._path).searcher().search(tantivy.Query.all_query(), limit=1)
        if found or self._faults >= MOST_FAULTS:
            self._give_up(found[0] if found else why)

    def _give_up(self, why: str) -> None:
        """Use the index no more until there is another one, and tell the keeper."""
        log.warning("the search index cannot be read", extra={"error": why})
        self._faults = 0
        self._snapshot = self._index = self._path = None
        self._seen = self.look()
        with contextlib.suppress(OSError):
            (self._folder / "broken").touch()

    def look(self) -> Any:
        return self._look_at(self._path)

    def _look_at(self, path: Path | None) -> Any:
        """What tells one state of the folder from the next: the name of the index in use, and its last commit."""
        try:
            pointer = (self._folder / "current").stat()
        except OSError:
            return None
        try:
            meta = (path / "meta.json").stat() if path else None
        except OSError:
            meta = None
        return (pointer.st_mtime_ns, pointer.st_ino, meta and (meta.st_mtime_ns, meta.st_ino))

    def _read(self, seen: Any) -> None:
        """`_seen` is set last: until then others go on with the former snapshot, or wait at the lock when there is none."""
        if seen is None:
            self._snapshot = self._index = self._path = self._seen = None
            return
        with faults() as found:
            if self._index is None or self._seen is None or seen[:2] != self._seen[:2]:
                self._snapshot = self._index = self._path = None
                path = _current(self._folder)
                if path is None or _state(path)[0] != VERSION:
                    self._seen = seen
                    return
                self._index, self._path = _opened(path), path
                seen = self._look_at(path)
            self._index.reload()
            self._snapshot = Snapshot(self._index.searcher())
            self._seen = seen
        if found and seen[:2] == (self.look() or (None, None))[:2]:
            self._give_up(found[0])
        elif found:
            # Its place was taken just now, and its files are gone; the next question opens the new one.
            self._index = self._path = self._seen = None


# ---------------------------------------------------------------- building


def rebuild(folder: Path, say: Say = silent, stop: threading.Event | None = None) -> int | None:
    """Make a new index of all products and put it in the former one's place; gives their number, or None when told to stop.

    Raises Busy while somebody else is at it.
    """
    lock = Lock(folder / "building")
    lock.take("./shop search-rebuild")
    path = folder / f"index-{secrets.token_hex(6)}"
    try:
        path.mkdir(parents=True)
        with db.reading() as tx:
            begun: datetime = q.discovery.now(tx)
        count = _fill(path, say, stop)
        if count is None:
            return None
        _save_state(path, begun)
        (folder / "broken").unlink(missing_ok=True)
        _write(folder / "current", path.name.encode())
        return count
    finally:
        # What was in use before, and what was left behind by whoever was killed while building. Who still reads it has it open.
        for other in folder.glob("index-*"):
            if other != _current(folder):
                shutil.rmtree(other, ignore_errors=True)
        lock.release()


def _fill(path: Path, say: Say, stop: threading.Event | None) -> int | None:
    began = shown = time.monotonic()
    with db.reading() as tx:
        last = q.discovery.last_product(tx) or 0
    index = tantivy.Index(schema(), path=str(path), reuse=False, sort_by_field="depth", sort_order=tantivy.Order.Desc)
    index.register_tokenizer("words", _analyzer())
    # Enough that a small shop's index is one piece and a large one's are few.
    writer = index.writer(min(400_000_000, max(WRITER_BYTES, last * 500)), 1)
    tree, after, count = _tree(), 0, 0
    while rows := _products_after(after):
        for document in _documents(rows, tree):
            writer.add_document(document)
            count += 1
        after = rows[-1]["id"]
        if stop and stop.is_set():
            writer.rollback()
            return None
        if time.monotonic() - shown > 1:
            shown = time.monotonic()
            say(f"Making the search index: {after / last:4.0%}, {count:,} products, {count / (shown - began):,.0f} a second")
    writer.commit()
    writer.wait_merging_threads()
    seconds = time.monotonic() - began
    say(f"The search index holds {count:,} products; made in {seconds:.1f} s, {count / seconds:,.0f} a second")
    return count


def _products_after(after: int) -> list[Row]:
    with db.reading() as tx:
        rows: list[Row] = q.discovery.list_products(tx, after=after, limit=BATCH)
    return rows


# ---------------------------------------------------------------- keeping


class Keeper:
    """Feeds this machine's index. Each machine of a cluster has its own, so this is no job of the cluster's but a thread beside its runner."""

    def __init__(self, folder: Path, say: Say = silent, stop: threading.Event | None = None) -> None:
        self._folder, self._say, self._stop = folder, say, stop
        self._index: Path | None = None
        self._writer: tantivy.IndexWriter | None = None
        self._until = self._saved = datetime.min
        self._caught_up = False
        self._done: dict[int, datetime] = {}
        self._tree: Tree = {}
        self._repaired_at = -REPAIR_PAUSE

    def step(self) -> int:
        """Read what changed, or make the index where it is missing, outdated or broken; gives the number of products read."""
        with db.reading() as tx:
            now: datetime = q.discovery.now(tx)
        if self._must_rebuild(now):
            self.close()
            return rebuild(self._folder, self._say, self._stop) or 0
        if self._index != _current(self._folder):
            self._take_over()
        with faults() as found:
            return self._feed(now)
        log.warning("the search index cannot be written", extra={"error": found[0]})
        self.close()
        (self._folder / "broken").touch()
        return 0

    def close(self) -> None:
        self._writer = self._index = None

    def _must_rebuild(self, now: datetime) -> bool:
        index = _current(self._folder)
        if index is None:
            return True
        version, until = _state(index)
        broken = (self._folder / "broken").exists() and time.monotonic() - self._repaired_at > REPAIR_PAUSE
        if broken:
            self._repaired_at = time.monotonic()
        return broken or version != VERSION or max(until, self._until if index == self._index else until) < now - OLDEST

    def _take_over(self) -> None:
        self.close()
        self._index = _current(self._folder)
        if self._index:
            self._until = self._saved = _state(self._index)[1]
        self._done, self._tree, self._caught_up = {}, _tree(), False

    def _feed(self, now: datetime) -> int:
        changed = self._changed(now - OVERLAP if self._caught_up else self._until - FIRST_OVERLAP) | self._moved()
        for some in _chunks(sorted(changed)):
            self._put(some)
        if changed and self._writer:
            self._writer.commit()
        self._until, self._caught_up = now, True
        if self._index and (changed or now - self._saved > FIRST_OVERLAP / 4):
            _save_state(self._index, now)
            self._saved = now
        return len(changed)

    def _changed(self, since: datetime) -> set[int]:
        """Products whose change was noted and not yet read. Notes appear when they are committed, some later than younger ones."""
        fresh: set[int] = set()
        at, last = since, 0
        while True:
            with db.reading() as tx:
                rows = q.discovery.list_changes(tx, at=at, after=last, limit=BATCH)
            fresh |= {row["product_id"] for row in rows if row["id"] not in self._done}
            self._done |= {row["id"]: row["changed_at"] for row in rows}
            if len(rows) < BATCH:
                break
            at, last = rows[-1]["changed_at"], rows[-1]["id"]
        self._done = {number: noted for number, noted in self._done.items() if noted >= since}
        return fresh

    def _moved(self) -> set[int]:
        """Products of categories that have another name or place now; documents name the whole line."""
        tree = _tree()
        former, self._tree = self._tree, tree

        def told(category: int, of: Tree) -> list[tuple[int | None, str]]:
            return [of[one] for one in line_of(category, of)]

        moved = [category for category in tree.keys() | former.keys() if former != tree and told(category, tree) != told(category, former)]
        found: set[int] = set()
        for category in moved:
            after = 0
            with db.reading() as tx:
                while ids := [row["id"] for row in q.discovery.list_of_category(tx, category_id=category, after=after, limit=BATCH)]:
                    found |= set(ids)
                    after = ids[-1]
        return found

    def _put(self, product_ids: list[int]) -> None:
        if self._writer is None:
            assert self._index
            self._writer = _opened(self._index).writer(WRITER_BYTES, 1)
        with db.reading() as tx:
            rows = q.discovery.list_products_by_id(tx, product_ids=product_ids)
        for product_id in product_ids:
            self._writer.delete_documents_by_query(tantivy.Query.term_query(schema(), "id", product_id))
        for document in _documents(rows, self._tree):
            self._writer.add_document(document)


def _chunks(ids: list[int]) -> Iterable[list[int]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def keep(folder: Path, stop: threading.Event, also: Callable[[], object] = lambda: None) -> None:
    """Keep the index of this folder until told to stop, unless another process of this machine does. `also` is done now and then."""
    lock, keeper = Lock(folder), Keeper(folder, stop=stop)
    if not _take(lock, stop):
        return
    try:
        while not stop.is_set():
            try:
                keeper.step()
                also()
            except Busy:
                # Somebody is making a new one by hand.
                keeper.close()
            except (ShopError, *DRIVER_ERRORS) as error:
                log.warning("the search index waits for the database", extra={"error": type(error).__name__})
                keeper.close()
                stop.wait(5 * TICK)
            except Exception:
                # Nobody else looks after the index, so this thread goes on, whatever it was.
                log.exception("the search index could not be kept")
                keeper.close()
                stop.wait(5 * TICK)
            stop.wait(TICK)
    finally:
        keeper.close()
        lock.release()


def _take(lock: Lock, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            lock.take("the keeper of the search index")
            return True
        except Busy:
            stop.wait(TICK)
    return False


def forget(folder: Path) -> None:
    """Throw the index away, as when the database is another one now."""
    shutil.rmtree(folder, ignore_errors=True)
