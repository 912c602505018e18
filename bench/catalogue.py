"""./shop bench catalogue: do lists, search, suggestions and product pages cost the same among a million products as among a thousand?

Two shops of their own are filled with made-up products, the database doing the work, and opened as users open them. Their answers are
measured in turn, so that whatever else the machine does falls on both alike: cold, where no request repeats one before, and warm.
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
import time
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lab import ROOT
from lab.measure import crowd, percentile
from lab.shops import Client, reopened

ALLOWED_RATIO = 1.5
ALLOWED_P99_MS = 50.0
ALLOWED_BUILD_SECONDS = 120
STEP = 10_000  # products made by one statement

# Each word of the first three lists is in the titles of a fifth of all products.
COLOURS = "slate cream moss rust indigo".split()
MATERIALS = "stoneware walnut linen copper wool".split()
MANNERS = "folding woven turned glazed painted".split()
THINGS = (
    "mug bowl plate jug teapot vase tray lamp chair stool bench table shelf mirror clock basket blanket cushion rug towel apron curtain tablecloth"
    " napkin pan kettle ladle spoon knife board mill grinder jar bottle flask lantern candle hook rack box chest trunk bag satchel purse belt scarf"
    " hat glove sock shirt coat brush comb broom bucket trowel rake planter"
).split()
SERIES = [a + b for a in "har tal mor ves nor bir kes lun oss rav".split() for b in "bour vik ling ter den holm wick mark by stad".split()]
ROOMS = {"Kitchen": "Cooking Baking Tableware Storage", "Living": "Seating Lighting Textiles Decor", "Garden": "Tools Planting Outdoors Birds"} | {
    "Wardrobe": "Coats Knitwear Hats Shoes",
    "Study": "Desks Paper Pens Shelves",
    "Bath": "Towels Soap Mirrors Baskets",
    "Workshop": "Benches Saws Clamps Paint",
    "Travel": "Bags Trunks Flasks Blankets",
}


def pick(words: list[str], salt: str) -> str:
    """SQL for one of these words, at random but always the same for a product's number."""
    return f"ELT(1 + CRC32(CONCAT(n, '{salt}')) % {len(words)}, {', '.join(repr(word) for word in words)})"


def chance(salt: str, of: int) -> str:
    return f"CRC32(CONCAT(n, '{salt}')) % {of}"


PRODUCTS = f"""
INSERT INTO products (id, slug, title, description, category_id, brand, type, tags, option1, price_minor, price_max_minor, rating_sum, rating_count,
                      sold_count, published, created_at, updated_at)
SELECT n, CONCAT(thing, '-', n), CONCAT(CONCAT(UPPER(LEFT(colour, 1)), SUBSTR(colour, 2)), ' ', material, ' ', thing, ', ', manner, ', ', series, ' ', n),
       CONCAT('<p>A ', colour, ' ', thing, ' of ', material, ', ', manner, ' by hand in ', series, '. It is made for every day and lasts for years.</p>',
              '<ul><li>Number ', n, ' of its series</li><li>Wipe it clean with a damp cloth</li><li>Weighs ', 100 + n % 900, ' g</li></ul>'),
       9 + {chance("category", 32)}, CONCAT(UPPER(LEFT(series, 1)), SUBSTR(series, 2), ' ', {pick(["& Co", "Works", "Studio"], "brand")}), thing,
       CONCAT(material, ', ', {pick(["gift", "handmade", "classic", "new", "limited", "everyday"], "tag")}),
       IF(n % 5 = 0, 'Size', ''), price, price + IF(n % 5 = 0, 400, 0), IF(n % 3 = 0, 0, rated * stars), IF(n % 3 = 0, 0, rated),
       IF(n % 4 = 0, {chance("sold", 300)}, 0), n % 100 <> 0, '2020-01-01' + INTERVAL n * 150 SECOND, '2025-01-01'
  FROM (SELECT n, {pick(COLOURS, "colour")} AS colour, {pick(MATERIALS, "material")} AS material, {pick(MANNERS, "manner")} AS manner,
               {pick(THINGS, "thing")} AS thing, {pick(SERIES, "series")} AS series, 300 + ({chance("price", 200)}) * ({chance("dear", 200)}) AS price,
               1 + {chance("rated", 40)} AS rated, 2 + {chance("stars", 4)} AS stars
          FROM (SELECT seq + {{start}} AS n
                  FROM JSON_TABLE(CONCAT('[0', REPEAT(',0', {{step}} - 1), ']'), '$[*]' COLUMNS (seq FOR ORDINALITY)) counted) numbers) made
"""
VARIANTS = """
INSERT INTO variants (product_id, position, sku, option1, price_minor, stock, weight_g)
SELECT p.id, k.seq, CONCAT('SKU-', p.id, '-', k.seq), IF(p.option1 = '', '', ELT(k.seq, 'S', 'M', 'L')), p.price_minor + 200 * (k.seq - 1),
       IF(CRC32(CONCAT(p.id, k.seq)) % 9 = 0, 0, 1 + p.id % 50), 100 + p.id % 900
  FROM products p JOIN (SELECT 1 AS seq UNION ALL SELECT 2 UNION ALL SELECT 3) k ON k.seq = 1 OR p.option1 <> ''
 WHERE p.id > {start} AND p.id <= {start} + {step}
"""
MOVEMENTS = """
INSERT INTO stock_movements (variant_id, quantity, reason, at)
SELECT v.id, v.stock, 'initial', '2025-01-01' FROM variants v WHERE v.product_id > {start} AND v.product_id <= {start} + {step} AND v.stock > 0
"""
IMAGES = """
INSERT INTO images (product_id, position, path, alt, width, height)
SELECT p.id, 1, 'bench/thing.svg', p.title, 800, 800 FROM products p WHERE p.id > {start} AND p.id <= {start} + {step}
"""


def categories() -> str:
    """Eight rooms, ids 1 to 8, with four shelves each, ids 9 to 40."""
    rooms = [f"({number}, NULL, '{name.lower()}', '{name}', {number})" for number, name in enumerate(ROOMS, 1)]
    shelves = [
        f"({9 + 4 * number + place}, {number + 1}, '{room.lower()}-{name.lower()}', '{name}', {place})"
        for number, (room, names) in enumerate(ROOMS.items())
        for place, name in enumerate(names.split())
    ]
    return f"INSERT INTO categories (id, parent_id, slug, name, position) VALUES {', '.join(rooms + shelves)}"


def fill(connection: Any, products: int, tell: Callable[[int], None] = lambda done: None) -> None:
    """Make so many products in an empty database, with variants, pictures and a ledger that agrees with the shelf."""
    cursor = connection.cursor()
    cursor.execute("SET SESSION unique_checks = 0, foreign_key_checks = 0")
    cursor.execute(categories())
    for start in range(0, products, STEP):
        step = min(STEP, products - start)
        for statement in (PRODUCTS, VARIANTS, MOVEMENTS, IMAGES):
            cursor.execute(statement.format(start=start, step=step))
        tell(start + step)
    cursor.execute("SET SESSION unique_checks = 1, foreign_key_checks = 1")
    cursor.execute("ANALYZE TABLE products, variants, images, categories, stock_movements")
    cursor.fetchall()
    cursor.close()


# ---------------------------------------------------------------- the shops


def make(var: Path, products: int) -> float:
    """Fill the database of a shop and make its index; gives the seconds that the index took."""
    from app import db, migrations, private_database
    from app.services import search_index

    # Nobody minds if these goods are lost when the power goes, so the disk is not waited for.
    quick = ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M"]
    database = private_database.PrivateDatabase(var)
    private_database.OPTIONS += quick
    try:
        database.start()
        migrations.migrate(database.address(owner=True))
        connection = db.connect(database.address(owner=True), statement_timeout=600)
        fill(connection, products, lambda done: bar("goods", done, products))
        connection.close()
        db.open(database.address(), size=2)
        began = time.monotonic()
        search_index.rebuild(var / "search", lambda line: print(f"\r{line:<78}", end="", flush=True))
        print(flush=True)
        return time.monotonic() - began
    finally:
        db.close()
        database.stop()
        del private_database.OPTIONS[-len(quick) :]


def bar(what: str, done: int, total: int) -> None:
    filled = 40 * done // total
    print(f"\r{what} [{'#' * filled}{' ' * (40 - filled)}] {done:,} of {total:,}", end="\n" if done == total else "", flush=True)


def settle(var: Path) -> None:
    """Have the database read its data once. A shop that is open for a day has it in memory; one opened just now would be measured for its disk."""
    from app import db
    from app.private_database import PrivateDatabase

    connection = db.connect(PrivateDatabase(var).address(), statement_timeout=600)
    cursor = connection.cursor()
    read = {"products": "description PRIMARY, slug uq_products_slug", "variants": "weight_g PRIMARY, product_id ix_variants_product"}
    for table, columns in (read | {"images": "width PRIMARY, product_id ix_images_product"}).items():
        for column, key in (pair.split() for pair in columns.split(", ")):
            cursor.execute(f"SELECT MAX(LENGTH({column})) FROM {table} FORCE INDEX ({key})")
            cursor.fetchall()
    connection.close()


# ---------------------------------------------------------------- the questions


def slug(number: int) -> str:
    return f"{THINGS[zlib.crc32(f'{number}thing'.encode()) % len(THINGS)]}-{number}"


def pages(client: Client, count: int) -> list[str]:
    """Pages of the list in every order, as a shopper turns them."""
    found: list[str] = []
    for sort in itertools.cycle(["newest", "price_asc", "price_desc", "name", "rating", "best_selling"]):
        path: str | None = f"/api/v1/products?sort={sort}&limit={random.randint(20, 28)}"
        for _ in range(30):
            if path is None or len(found) == count:
                break
            found.append(path)
            following = json.loads(client.get(path)[1])["next"]
            path = f"{path.partition('&after')[0]}&after={following}" if following else None
        if len(found) == count:
            return found
    raise AssertionError("unreachable")


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


# ---------------------------------------------------------------- measuring


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
    clients = {size: Client(port) for size, port in ports.items()}
    kinds: dict[str, Callable[[int], list[str]]] = {
        "list": lambda size: pages(clients[size], count),
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
        asked = dict.fromkeys(sizes, equally_long(clients[sizes[0]], paths[sizes[0]])) if kind in ("category", "search") else paths
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop bench catalogue", description="Does a catalogue of a million products answer like one of a thousand?")
    parser.add_argument("--products", type=int, default=1_000_000, help="of the large shop; the small one has 1,000")
    parser.add_argument("--requests", type=int, default=600, help="of each kind and shop")
    parser.add_argument("--folder", type=Path, help="keep the shops there, and take what is there already")
    options = parser.parse_args()
    sizes = [1000, max(1001, options.products)]
    folder = options.folder or Path(tempfile.mkdtemp(prefix="shop-bench-"))
    built: dict[int, float | None] = {}
    try:
        with ExitStack() as shops:
            for size in sizes:
                var = folder / str(size)
                built[size] = None if (var / "search" / "current").exists() else make(var, size)
            ports = {size: shops.enter_context(reopened(folder / str(size))).port for size in sizes}
            for size in sizes:
                settle(folder / str(size))
            rows = compare(sizes, ports, options.requests)
        show(rows, sizes)
        seconds = built[sizes[-1]]
        result = {"products": sizes, "index_seconds": seconds, "rows": rows}
        (folder / "catalogue.json" if options.folder else ROOT / "var" / "bench-catalogue.json").write_text(json.dumps(result, indent=2))
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)
    worst = max(row["ratio"] for row in rows)
    slowest = max(row[str(sizes[-1])].get("p99_16", 0) for row in rows)
    held = worst <= ALLOWED_RATIO and slowest <= ALLOWED_P99_MS and (seconds or 0) <= ALLOWED_BUILD_SECONDS
    index = f"index in {seconds:.0f} s ({ALLOWED_BUILD_SECONDS} allowed), " if seconds else ""
    crowd = f"p99 with 16 clients {slowest:.0f} ms ({ALLOWED_P99_MS:.0f} allowed)"
    print(f"\n{index}at most {worst:.2f} times the small shop's time ({ALLOWED_RATIO} allowed), {crowd}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
