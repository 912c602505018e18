"""./shop bench catalogue: what lists, search, suggestions and product pages cost, beside the least that they could, among ever more products.

Shops of their own are filled with made-up products, the database doing the work, and opened as users open them. They are measured in turn, and
so is each beside its floors, so that whatever else the machine does falls on all alike: cold, where no request repeats one before, and warm.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from lab.drawing import Lines
from lab.floors import constant, one_statement, served
from lab.goods import COLOURS, INDEXED, MANNERS, MATERIALS, ROOMS, SERIES, THINGS, make, settle, slug
from lab.measure import Crowd, Finding, conclude, crowd, in_rounds, memory_mb, percentile
from lab.shops import Client, Shop, reopened
from lab.statements import Listener, whole_reads

from app import create_app, db
from app.config import Settings
from app.private_database import PrivateDatabase
from app.services import catalogue

WARM, COLD, RATIO, P99, INDEX = 0.6, 0.9, 1.5, 50, 120  # the goals: of the floors, of the small shop's time, milliseconds, seconds for a million
SMALL, MILLION = 1000, 1_000_000
ROUNDS = 4
AT_ONCE = 2000  # pages that are asked within one second, each of them once
SORTS = ["newest", "price_asc", "price_desc", "name", "rating", "best_selling"]

# ---------------------------------------------------------------- the questions


def pages(client: Client, count: int) -> list[str]:
    """Pages of the list in every order, near its beginning and farther on, of 24 products on average; none is asked for by this."""
    cursors = {(sort, "") for sort in SORTS}
    for sort in SORTS:
        path: str | None = f"/api/v1/products?sort={sort}"
        for _ in range(41):
            following = json.loads(client.get(path)[1])["next"] if path else None
            path = f"/api/v1/products?sort={sort}&after={following}" if following else None
            cursors |= {(sort, f"&after={following}")} if following else set()
    lengths = [length for length in range(8, 41) if length != 24]
    found = [f"/api/v1/products?sort={sort}&limit={length}{after}" for (sort, after), length in itertools.product(sorted(cursors), lengths)]
    return random.sample(found, min(count, len(found)))


def filtered(count: int) -> list[str]:
    slugs = [name.lower() for name in ROOMS] + [f"{room.lower()}-{name.lower()}" for room, names in ROOMS.items() for name in names.split()]
    sorts = ["", "newest", "price_asc", "price_desc", "rating", "best_selling"]
    return [
        f"/api/v1/products?category={random.choice(slugs)}&in_stock=true&rating_min={random.randint(2, 4)}&price_min={number}&sort={random.choice(sorts)}"
        for number in range(300, 300 + count)
    ]


def searches(count: int) -> list[str]:
    """Common words together, a common and a rare one, and each common one alone; that with another lowest price each time, so as to be new."""
    common = COLOURS + MATERIALS + MANNERS
    pairs = [f"{first} {second}" for first in common for second in THINGS + SERIES]
    threes = [" ".join(words) for words in itertools.product(COLOURS, MATERIALS, [*MANNERS, *THINGS])]
    texts = [f"q={quote(text)}" for text in random.sample(pairs, count // 2) + random.sample(threes, count // 4)]
    texts += [f"q={random.choice(common)}&price_min={number}" for number in range(1, 1 + count - len(texts))]
    random.shuffle(texts)
    return [f"/api/v1/products?{text}" for text in texts]


def keystrokes(count: int) -> list[str]:
    words = COLOURS + MATERIALS + MANNERS + THINGS + SERIES
    typed = {text[:length] for one in words for text in (one, *(f"{first} {one}" for first in COLOURS + MATERIALS)) for length in range(2, len(text) + 1)}
    return [f"/api/v1/search/suggestions?q={quote(text)}" for text in random.sample(sorted(typed), min(count, len(typed)))]


def details(products: int, count: int) -> list[str]:
    numbers = [number for number in range(1, products + 1) if number % 100]
    return [f"/api/v1/products/{slug(number)}" for number in random.sample(numbers, min(count, len(numbers)))]


# ---------------------------------------------------------------- beside the floors


def short(size: int) -> str:
    """As a column is headed: 1k, 100k, 1M."""
    return f"{size // MILLION}M" if size >= MILLION else f"{size // 1000}k"


def beside_floors(shop: Shop, size: int) -> list[Finding]:
    client, where = Client(shop.port), PrivateDatabase(shop.var).address()
    lists, products = pages(client, ROUNDS * AT_ONCE), details(size, AT_ONCE)
    found = [
        _warm(shop, f"list of 24, warm, {short(size)}", "/api/v1/products"),
        _warm(shop, f"product, warm, {short(size)}", products[0]),
    ]
    with served(lambda: one_statement(where)) as port:
        # As many rows from somewhere in the table; to the shop a product is another one by what follows its address.
        rows = [f"/products?after={random.randrange(max(1, size - 50))}&limit={re.sub('.*limit=|&.*', '', path)}" for path in lists]
        things = [f"{path}?{number}" for number in range(2 * ROUNDS * AT_ONCE // len(products) + 1) for path in products]
        found.append(_cold(shop, port, f"list of 24, cold, {short(size)}", lists, rows))
        found.append(_cold(shop, port, f"product, cold, {short(size)}", things, [path.removeprefix("/api/v1") for path in things]))
    return found


def _warm(shop: Shop, what: str, path: str) -> Finding:
    with urlopen(f"http://127.0.0.1:{shop.port}{path}") as answer:
        headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in ("date", "server", "connection")]
        content = answer.read()
    with served(lambda: constant(content, headers)) as port:
        met = in_rounds({"shop": lambda: crowd(shop.port, [path], 2), "floor": lambda: crowd(port, [path], 2)}, ROUNDS)
    return Finding(what, met["shop"].rate, "/s", met["floor"].rate, "a constant WSGI app that gives the same bytes", WARM)


def _cold(shop: Shop, port: int, what: str, paths: list[str], floor: list[str]) -> Finding:
    def once(port: int, paths: list[str]) -> Callable[[], Crowd]:
        parts = iter([paths[number::ROUNDS] for number in range(ROUNDS)])

        def ask() -> Crowd:
            asked = next(parts)
            met = crowd(port, asked, 1)
            # The floor keeps nothing, and may be asked again.
            if port == shop.port and met.rate > len(asked):
                raise RuntimeError(f"{what}: {len(asked)} pages are too few for {met.rate:.0f} a second, some were asked for twice")
            return met

        return ask

    met = in_rounds({"shop": once(shop.port, paths), "floor": once(port, floor)}, ROUNDS)
    return Finding(what, met["shop"].rate, "/s", met["floor"].rate, "plain Flask, one statement for the same number of cards, orjson", COLD)


# ---------------------------------------------------------------- among more and more products


def equally_long(small: Client, paths: list[str]) -> list[str]:
    """The same questions for as many products as the small shop can give, so that it is not the longer page that costs the large one more.

    They are counted by questions that have the same answer and are others to the shop, which shall not know what it is asked afterwards.
    """
    alike = {path: re.sub(r"q=([^&]*)", r"q=\1.", path) + "&price_max=99999999999" for path in paths}
    lengths = {path: len(json.loads(small.get(other)[1])["items"]) for path, other in alike.items()}
    return [f"{path}&limit={length}" for path, length in lengths.items() if length]


def in_turn(clients: dict[int, Client], paths: dict[int, list[str]]) -> dict[int, list[float]]:
    """Milliseconds of each request, each shop's in turn, the first being another one every time."""
    times: dict[int, list[float]] = {size: [] for size in clients}
    sizes = list(clients)
    for number in range(min(map(len, paths.values()))):
        for size in sizes if number % 2 else reversed(sizes):
            status, _, took = clients[size].get(paths[size][number])
            if status != 200:
                sys.exit(f"{paths[size][number]} answers {status}")
            times[size].append(took)
    return times


def compare(sizes: list[int], ports: dict[int, int], count: int) -> list[dict[str, Any]]:
    kinds: dict[str, Callable[[int], list[str]]] = {
        "list": lambda size: pages(Client(ports[size]), count),
        "category": lambda size: filtered(count),
        "search": lambda size: searches(count),
        "suggestions": lambda size: keystrokes(count),
        "detail": lambda size: details(size, count),
    }
    rows = []
    for kind, paths_of in kinds.items():
        paths = {}
        for size in sizes:
            random.seed(kind)
            paths[size] = paths_of(size)
        asked = dict.fromkeys(sizes, equally_long(Client(ports[sizes[0]]), paths[sizes[0]])) if kind in ("category", "search") else paths
        # New lines: one on which nothing was asked for long is closed.
        clients = {size: Client(port) for size, port in ports.items()}
        in_turn(clients, {size: details(size, 20) for size in sizes})
        for state in ("cold", "warm"):
            times = in_turn(clients, asked)
            row: dict[str, Any] = {"what": kind, "state": state}
            row |= {str(size): {"p50": statistics.median(of), "p99": percentile(of, 99)} for size, of in times.items()}
            row["ratio"] = row[str(sizes[-1])]["p50"] / row[str(sizes[0])]["p50"]
            rows.append(row)
        for size in sizes:
            met = crowd(ports[size], paths[size])
            rows[-1][str(size)] |= {"rate_16": met.rate, "p99_16": met.p99}
    return rows


def show(rows: list[dict[str, Any]], sizes: list[int]) -> None:
    print(f"\n{'ms':18}" + "".join(f"{f'{size:,}':>10}{'p99':>8}{'16: p99':>9}{'/s':>7}" for size in sizes) + f"{'ratio':>8}")
    for row in rows:
        cells = ""
        for size in sizes:
            of = row[str(size)]
            crowd = f"{of['p99_16']:9.1f}{of['rate_16']:7.0f}" if "rate_16" in of else " " * 16
            cells += f"{of['p50']:10.2f}{of['p99']:8.2f}{crowd}"
        print(f"{row['what']:12}{row['state']:6}{cells}{row['ratio']:8.2f}")


def judged(rows: list[dict[str, Any]], sizes: list[int]) -> Iterator[Finding]:
    first, last = str(sizes[0]), str(sizes[-1])
    for row in rows:
        if row["state"] == "cold":
            what = f"{row['what']} among {short(sizes[-1])}, cold"
            yield Finding(what, row[last]["p50"], "ms", row[first]["p50"], f"the same among {sizes[0]:,}", RATIO, at_most=True)
        else:
            yield Finding(f"{row['what']} among {short(sizes[-1])}, 16 clients, p99", row[last]["p99_16"], "ms", goal=P99, at_most=True)


# ---------------------------------------------------------------- statements


def explained(var: Path, size: int) -> dict[str, list[dict[str, Any]]]:
    """What each kind of question says to the database, beside the version of the catalogue, which all questions of a moment share."""
    address = PrivateDatabase(var).address()
    app = create_app(Settings(var=var, secret_key="for the bench only, 0123456789abcdef", limits=False), address)
    owner = db.connect(PrivateDatabase(var).address(owner=True))
    client, listener = app.test_client(), Listener(owner)
    catalogue.LOOK_EVERY = 600.0
    told = {}
    client.get("/api/v1/categories")
    following = client.get("/api/v1/products").json["next"]
    paths = {"list": "/api/v1/products", "next page": f"/api/v1/products?after={following}", "category": filtered(1)[0], "search": searches(4)[0]}
    paths |= {"suggestions": keystrokes(1)[0], "detail": details(size, 1)[0], "categories": "/api/v1/categories"}
    for what, path in paths.items():
        listener.heard.clear()
        client.get(path)
        told[what] = [{"sql": sql, "explain": rows, "whole": whole_reads(rows)} for sql, rows in listener.explained()]
        whole = [words for one in told[what] for words in one["whole"]]
        print(f"{what:12} {len(told[what])} statements, {', '.join(whole) or 'no table is read whole'}")
    owner.close()
    db.close()
    return told


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop bench catalogue", description="Does a catalogue of a million products answer like one of a thousand?")
    parser.add_argument("--products", type=int, default=MILLION, help="of the largest shop; the smallest one has 1,000")
    parser.add_argument("--requests", type=int, default=600, help="of each kind and shop")
    parser.add_argument("--folder", type=Path, help="keep the shops there, and take what is there already")
    options = parser.parse_args()
    largest = max(2 * SMALL, options.products)
    sizes = sorted({SMALL, max(SMALL, largest // 10), largest})
    folder = options.folder or Path(tempfile.mkdtemp(prefix="shop-bench-"))
    findings: list[Finding] = []
    try:
        for size in sizes:
            if not (folder / str(size) / "search" / "current").exists():
                make(folder / str(size), size)
        with ExitStack() as opened:
            shops = {size: opened.enter_context(reopened(folder / str(size))) for size in sizes}
            for size, shop in shops.items():
                settle(shop.var)
                findings += beside_floors(shop, size)
            rows = compare(sizes, {size: shop.port for size, shop in shops.items()}, options.requests)
            memory = {size: memory_mb(shop.processes()) for size, shop in shops.items()}
            statements = explained(folder / str(largest), largest)
        show(rows, sizes)
        findings += judged(rows, sizes)
        findings += [Finding(f"memory of all processes, {short(size)}", used, "MB") for size, used in memory.items()]
        seconds = folder / str(largest) / INDEXED
        if seconds.exists():
            findings.append(Finding(f"index of {short(largest)}", float(seconds.read_text()), "s", goal=INDEX if largest >= MILLION else None, at_most=True))
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)
    cold = {row["what"]: [row[str(size)]["p50"] for size in sizes] for row in rows if row["state"] == "cold"}
    lines = Lines("Answers among more and more products, cold, half are as quick", "ms", [f"{size:,}" for size in sizes], cold)
    return conclude("catalogue", findings, products=sizes, rows=rows, statements=statements, lines=[asdict(lines)])


if __name__ == "__main__":
    sys.exit(main())
