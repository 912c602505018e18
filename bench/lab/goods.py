"""Goods for a shop: as many made-up products as are asked for, made by the database itself."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app import db, migrations, private_database
from app.services import search_index

INDEXED = "index-seconds"  # a file in the folder of a shop

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


@contextmanager
def filling(var: Path) -> Iterator[Any]:
    """The database of a new shop with its tables, open for services, too; gives a connection of its owner's.

    Nobody minds if what is made up is lost when the power goes, so the disk is not waited for.
    """
    quick = ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=2G", "--innodb-log-file-size=512M"]
    database = private_database.PrivateDatabase(var)
    private_database.OPTIONS += quick
    try:
        database.start()
        migrations.migrate(database.address(owner=True))
        connection = db.connect(database.address(owner=True), statement_timeout=600)
        db.open(database.address(), size=2)
        yield connection
        connection.close()
    finally:
        db.close()
        database.stop()
        del private_database.OPTIONS[-len(quick) :]


def make(var: Path, products: int) -> float:
    """Fill the database of a shop and make its index; gives the seconds that the index took, which are kept beside it."""
    with filling(var) as connection:
        fill(connection, products, lambda done: bar("goods", done, products))
        began = time.monotonic()
        search_index.rebuild(var / "search", lambda line: print(f"\r{line:<78}", end="", flush=True))
        print(flush=True)
        took = time.monotonic() - began
        (var / INDEXED).write_text(f"{took:.1f}")
        return took


def bar(what: str, done: int, total: int) -> None:
    filled = 40 * done // total
    print(f"\r{what} [{'#' * filled}{' ' * (40 - filled)}] {done:,} of {total:,}", end="\n" if done == total else "", flush=True)


def settle(var: Path) -> None:
    """Have the database read its data once. A shop that is open for a day has it in memory; one opened just now would be measured for its disk."""
    connection = db.connect(private_database.PrivateDatabase(var).address(), statement_timeout=600)
    cursor = connection.cursor()
    read = {"products": "description PRIMARY, slug uq_products_slug", "variants": "weight_g PRIMARY, product_id ix_variants_product"}
    for table, columns in (read | {"images": "width PRIMARY, product_id ix_images_product"}).items():
        for column, key in (pair.split() for pair in columns.split(", ")):
            cursor.execute(f"SELECT MAX(LENGTH({column})) FROM {table} FORCE INDEX ({key})")
            cursor.fetchall()
    connection.close()


def slug(number: int) -> str:
    return f"{THINGS[zlib.crc32(f'{number}thing'.encode()) % len(THINGS)]}-{number}"
