"""./shop bench admin: does the owner's side answer at once, however many customers, orders, events and mails there are?

A shop of its own is filled with made-up rows, the database doing the work. Then the tables of the admin area are asked as their pages ask:
the first page in every order, one in the middle, every filter, every kind of search. For each the time of the whole request within the
server is told, and every statement is explained: none may read a large table from end to end.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
import typing
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lab.goods import bar, filling
from lab.goods import fill as fill_catalogue
from lab.measure import Finding, conclude
from lab.shops import PASSWORD
from lab.statements import Listener, whole_reads

from app import create_app, db, migrations, private_database
from app.config import Settings
from app.services import accounts, dashboard, grid

ALLOWED_MS = 100.0
TRIES = 7
STEP = 20_000  # rows made by one statement
GOODS = 1000
ADMIN = "ada"
FIRST_NAMES = "Ina Jan Lena Piet Rosa Tom Una Vik Wim Zoe Ada Ben Cleo Dirk Elin Finn".split()
LAST_NAMES = "Baker Claes Dubois Evans Fischer Garcia Hansen Ivanov Jansen Kowalski Larsen Maes Novak Olsen Peeters Quinn Rossi Smit Terzi Vos".split()


def one_of(words: list[str], salt: str) -> str:
    """SQL for one of these words, at random but always the same for a row's number."""
    return f"ELT(1 + CRC32(CONCAT(n, '{salt}')) % {len(words)}, {', '.join(repr(word) for word in words)})"


def part(salt: str) -> str:
    """SQL for a number from 0 to 999, at random but always the same for a row's number."""
    return f"CRC32(CONCAT(n, '{salt}')) % 1000"


NAME = f"CONCAT({one_of(FIRST_NAMES, 'first')}, ' ', {one_of(LAST_NAMES, 'last')})"
# Two years, the last row being of today.
AT = "(UTC_TIMESTAMP(6) - INTERVAL FLOOR(({rows} - n) * 63072000 / {rows}) SECOND)"
NUMBERS = "(SELECT seq + {start} AS n FROM seq_1_to_{step}) numbers"
STATEMENTS = {
    "customers": [
        f"""INSERT INTO users (username, username_key, email, email_key, password_hash, first_name, last_name, newsletter, status, blocked_until, block_reason,
                               created_at, updated_at)
SELECT CONCAT('user', n), CONCAT('user', n), CONCAT('user', n, '@mail', n % 97, '.example'), CONCAT('user', n, '@mail', n % 97, '.example'), '-',
       {one_of(FIRST_NAMES, "first")}, {one_of(LAST_NAMES, "last")}, n % 3 = 0, IF({part("closed")} < 5, 'deactivated', 'active'),
       IF({part("blocked")} < 2, UTC_TIMESTAMP(6) + INTERVAL 30 DAY, NULL), IF({part("blocked")} < 2, 'Chargebacks', ''), {AT}, {AT}
  FROM {NUMBERS}"""
    ],
    "orders": [
        f"""INSERT INTO orders (id, number, user_id, email, email_key, by_guest, status, payment_status, fulfilment_status, payment_method, shipping_method,
                                shipping_name, currency, tax_included, subtotal_minor, discount_minor, shipping_minor, tax_minor, total_minor,
                                gift_card_minor, due_minor, explanation, name, line1, line2, city, region, postcode, country, phone, note, placed_at, pay_by)
SELECT n, CONCAT('FC-', LPAD(CONV(n * 1073741827 % 1099511627776, 10, 32), 8, '0')), IF(n % 10 < 7, 1 + n % {{rows}}, NULL),
       CONCAT('user', n % {{rows}}, '@mail', n % 97, '.example'), CONCAT('user', n % {{rows}}, '@mail', n % 97, '.example'), n % 10 >= 7, state,
       CASE WHEN state = 'completed' THEN IF({part("paid")} < 30, 'refunded', IF({part("paid")} < 45, 'partly_refunded', 'paid'))
            WHEN state = 'placed' THEN IF({part("paid")} < 400, 'unpaid', 'paid') ELSE 'unpaid' END,
       CASE WHEN state = 'completed' THEN 'delivered'
            WHEN state = 'placed' THEN {one_of(["unfulfilled", "unfulfilled", "partly_shipped", "shipped"], "sent")} ELSE 'unfulfilled' END,
       {one_of(["cash_on_delivery", "bank_transfer", "stripe"], "method")}, 'standard', 'Standard delivery', 'EUR', TRUE,
       worth, 0, 490, 0, worth + 490, 0, worth + 490, '[]', {NAME}, 'Kerkstraat 5', '', 'Gent', '', '9000', 'BE', '', '', at,
       IF(state = 'pending', UTC_TIMESTAMP(6) + INTERVAL 3 DAY, NULL)
  FROM (SELECT n, 500 + {part("worth")} * 40 AS worth, {AT} AS at,
               CASE WHEN n > {{rows}} * 0.97 THEN {one_of(["placed"] * 5 + ["pending"], "now")}
                    ELSE {one_of(["completed"] * 17 + ["cancelled"] * 2 + ["expired"], "then")} END AS state
          FROM {NUMBERS}) made""",
        """INSERT INTO order_items (order_id, position, variant_id, product_id, title, options, sku, quantity, price_minor, line_minor, tax_rate_bp, tax_minor)
SELECT o.id, k.seq, NULL, 1 + (o.id * 7 + k.seq * 13) % {goods}, 'A thing', '', '', 1, IF(k.seq = 1, 500, o.subtotal_minor - 500),
       IF(k.seq = 1, 500, o.subtotal_minor - 500), 2100, 0
  FROM orders o JOIN seq_1_to_2 k ON k.seq = 1 OR o.subtotal_minor > 500
 WHERE o.id > {start} AND o.id <= {start} + {step}""",
        """INSERT INTO order_events (order_id, kind, at)
SELECT id, 'placed', placed_at FROM orders WHERE id > {start} AND id <= {start} + {step}""",
        """INSERT INTO returns (order_id, status, created_at)
SELECT id, IF(id % 5 = 0, 'approved', 'requested'), placed_at FROM orders WHERE id > {start} AND id <= {start} + {step} AND id % 397 = 0""",
    ],
    "events": [
        f"""INSERT INTO events (at, kind, actor_id, subject_kind, subject_id, request_id, detail)
SELECT {AT}, {one_of(["sign_in"] * 6 + ["sign_out", "sign_in_refused", "order_changed", "registered", "settings_changed", "fault"], "kind")},
       IF(n % 3 = 0, NULL, 1 + n % 5000), IF(n % 4 = 0, 'order', 'user'), 1 + n % {{rows}}, SUBSTR(MD5(n), 1, 16), '{{{{}}}}'
  FROM {NUMBERS}"""
    ],
    "mails": [
        f"""INSERT INTO mails (message_id, template, recipient, data, order_id, status, attempts, last_error, created_at, due_at, sent_at)
SELECT CONCAT('<', n, '@bench.example>'), {one_of(["order_placed"] * 4 + ["order_shipped", "register_code", "welcome", "order_paid", "reset_code"], "kind")},
       CONCAT('user', n, '@mail', n % 97, '.example'), '', n, IF({part("state")} < 2, 'failed', IF(n > {{rows}} - 300, 'queued', 'sent')), 1,
       IF({part("state")} < 2 OR n > {{rows}} - 200, 'the mailbox is full', ''), {AT}, {AT}, {AT}
  FROM {NUMBERS}"""
    ],
    "carts": [
        f"""INSERT INTO carts (id, token_hash, updated_at)
SELECT n, SHA2(n, 256), UTC_TIMESTAMP(6) - INTERVAL FLOOR(({{rows}} - n) * 7776000 / {{rows}}) SECOND FROM {NUMBERS} WHERE n % 2 = 0""",
        """INSERT INTO cart_items (cart_id, variant_id, quantity, seen_price_minor)
SELECT id, 1 + id % {goods}, 1, 1000 FROM carts WHERE id > {start} AND id <= {start} + {step} AND id % 5 > 0""",
    ],
}


def fill(connection: Any, rows: int) -> None:
    cursor = connection.cursor()
    cursor.execute("SET SESSION unique_checks = 0, foreign_key_checks = 0")
    for what, statements in STATEMENTS.items():
        for start in range(0, rows, STEP):
            step = min(STEP, rows - start)
            for statement in statements:
                cursor.execute(statement.format(rows=rows, start=start, step=step, goods=GOODS))
            bar(f"{what:<10}", start + step, rows)
    cursor.execute("SET SESSION unique_checks = 1, foreign_key_checks = 1")
    cursor.execute("ANALYZE TABLE users, orders, order_items, order_events, returns, events, mails, carts, cart_items")
    cursor.fetchall()
    cursor.close()


def make(var: Path, rows: int) -> None:
    with filling(var) as connection:
        fill_catalogue(connection, GOODS)
        fill(connection, rows)
        began = time.monotonic()
        dashboard.reckon()
        print(f"the sums of each day: {time.monotonic() - began:.0f} s", flush=True)
        (var / "filled").touch()


# ---------------------------------------------------------------- the questions


@dataclass(frozen=True)
class Table:
    """A table of the admin area: `words` are values of filters that are no list, `place` gives the cursor of a row in the middle."""

    path: str
    words: dict[str, list[str]]
    place: Callable[[Any, str, int], str | None]


def value(sql: str, *params: Any) -> Any:
    with db.reading() as tx:
        return tx.execute(sql, params).fetchone()[0]


def place_of_order(_: Any, sort: str, rows: int) -> str:
    column = {"placed": "placed_at", "total": "total_minor"}[sort.partition("_")[0]]
    with db.reading() as tx:
        at, row_id = tx.execute(f"SELECT {column}, id FROM orders ORDER BY {column}, id LIMIT 1 OFFSET {rows // 2}").fetchone()
    return grid.cursor(sort, at, row_id)


def tables(rows: int) -> dict[str, Table]:
    """Every filter that is a list of values is tried with all of them; the others with these."""
    today = datetime.now(UTC).date()
    since, until = str(today - timedelta(days=200)), str(today - timedelta(days=170))
    number = value("SELECT number FROM orders WHERE id = %s", rows // 3)
    return {
        "orders": Table(
            "/api/v1/admin/orders",
            {"from": [since], "to": [until], "q": [number[:6], f"user{rows // 3}@", "larsen", "no-such-name"], "status=placed&from": [since]},
            place_of_order,
        ),
        "customers": Table(
            "/api/v1/admin/users",
            {"q": [f"user{rows // 3}", "user", "no-such-name"], "from": [since], "to": [until], "inactive": ["1", "36"]},
            lambda _, sort, count: grid.cursor(sort, f"user{count // 2}" if sort.startswith("name") else count // 2, count // 2),
        ),
        "events": Table(
            "/api/v1/admin/events",
            {
                "q": ["0123456789abcdef", number, f"user{rows // 3}"],
                "kind": ["sign_in", "fault", "backup_made", "kind-of-none"],
                "actor": ["#7", f"user{rows // 3}"],
                "subject=order&subject_id": [str(rows // 2)],
                "since": [f"{since}T00:00:00Z"],
                "until": [f"{until}T00:00:00Z"],
                "kind=fault&actor": ["#7"],
                "kind=fault&since": [f"{since}T00:00:00Z"],
            },
            lambda _, sort, count: str(value("SELECT MAX(id) DIV 2 FROM events")),
        ),
        "mails": Table(
            "/api/v1/admin/mails",
            {"q": [f"user{rows // 3}", "user", "no-such", number, number[:5]], "template": ["order_placed", "welcome", "password_changed"]},
            lambda _, sort, count: grid.cursor(sort, rows // 2, rows // 2),
        ),
    }


def questions(app: Any, table: Table, rows: int) -> Iterator[str]:
    """Queries of the address, as the page of this table asks them."""
    adapter = app.url_map.bind("localhost")
    fields = app.view_functions[adapter.match(table.path, "GET")[0]].endpoint.params.model_fields
    choices = {name: [one for one in typing.get_args(field.annotation) if isinstance(one, str) and one] for name, field in fields.items()}
    sorts = choices.pop("sort", [])
    for sort in sorts or [""]:
        yield f"sort={sort}" if sort else ""
        yield f"{f'sort={sort}&' if sort else ''}after={table.place(app, sort, rows)}"
    for name, values in choices.items():
        yield from (f"{name}={one}" for one in values)
    yield from (f"{name}=true" for name, field in fields.items() if field.annotation is bool)
    for name, values in table.words.items():
        if name.rpartition("&")[2] in {field.alias or key for key, field in fields.items()}:
            yield from (f"{name}={one}" for one in values)
    for name in sorted(choices.keys() & {"status", "payment_status"}):
        yield from (f"{name}={one}&sort={sort}" for one in choices[name] for sort in sorts[-1:])
    if "fulfilment_status" in choices:
        yield from ("status=completed&payment_status=unpaid", "status=cancelled&fulfilment_status=delivered", "status=placed&fulfilment_status=unfulfilled")


# ---------------------------------------------------------------- measuring


def measure(client: Any, listener: Listener, path: str) -> tuple[float, float, list[str]]:
    """Median and worst of a few tries in milliseconds, and what is wrong with the statements."""
    listener.heard.clear()
    answer = client.get(path)
    if answer.status_code != 200:
        sys.exit(f"{path} answers {answer.status_code}: {answer.get_data(as_text=True)}")
    wrong = [words for _, rows in listener.explained() for words in whole_reads(rows)]
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        client.get(path)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), max(times), wrong


def settle(connection: Any) -> None:
    """Have the database read its data once. A shop that is open for a day has it in memory; one opened just now would be measured for its disk."""
    cursor = connection.cursor()
    for table in ("users", "orders", "order_items", "events", "mails"):
        cursor.execute(
            "SELECT DISTINCT index_name, FIRST_VALUE(column_name) OVER (PARTITION BY index_name ORDER BY seq_in_index)"
            " FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = %s",
            (table,),
        )
        for key, column in cursor.fetchall():
            cursor.execute(f"SELECT MAX(LENGTH({column})) FROM {table} FORCE INDEX ({key})")
            cursor.fetchall()
    cursor.close()


@dataclass(frozen=True)
class Asked:
    """A question of a table: its median and worst in milliseconds, and which tables it reads whole."""

    table: str
    question: str
    median: float
    worst: float
    whole_reads: list[str]


def findings(asked: list[Asked]) -> list[Finding]:
    slowest = {name: max((one.median for one in asked if one.table == name), default=0.0) for name in dict.fromkeys(one.table for one in asked)}
    read_whole = sum(bool(one.whole_reads) for one in asked)
    return [
        *(Finding(f"admin {name}, the slowest question", median, "ms", goal=ALLOWED_MS, at_most=True) for name, median in slowest.items()),
        Finding("admin questions that read a table whole", read_whole, f"of {len(asked)}", goal=0, at_most=True),
    ]


def ask_all(var: Path, only: str) -> list[Asked]:
    database = private_database.PrivateDatabase(var)
    try:
        database.start()
        migrations.migrate(database.address(owner=True))
        owner = db.connect(database.address(owner=True), statement_timeout=600)
        settle(owner)
        app = create_app(Settings(var=var, secret_key="for the bench only, 0123456789abcdef", limits=False), database.address())
        if not value("SELECT COUNT(*) FROM users WHERE username = %s", ADMIN):
            accounts.create_admin(ADMIN, "ada@example.com", PASSWORD)
        client = app.test_client()
        client.post("/api/v1/auth/login", json={"identifier": ADMIN, "password": PASSWORD})
        listener, rows, found = Listener(owner), int(value("SELECT COUNT(*) FROM orders")), list[Asked]()
        print(f"\n{rows:,} of each\n{'':12}{'ms':>8}{'worst':>8}")
        asked = [(name, f"{table.path}?{question}", question) for name, table in tables(rows).items() for question in questions(app, table, rows)]
        asked += [("dashboard", f"/api/v1/admin/dashboard?by={by}", f"by={by}") for by in ("day", "week", "month")]
        for name, path, question in asked:
            if only not in name:
                continue
            median, worst, wrong = measure(client, listener, path)
            shown = question.partition("after=")[0] + ("after=…" if "after=" in question else "")
            found.append(Asked(name, shown, median, worst, wrong))
            print(f"{name:<12}{median:8.1f}{worst:8.1f}  {shown}  {', '.join(wrong)}", flush=True)
        owner.close()
        return found
    finally:
        db.close()
        database.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop bench admin", description="Do the tables of the admin area answer within 100 ms among a million rows?")
    parser.add_argument("--rows", type=int, default=1_000_000, help="customers, orders, events and mails each")
    parser.add_argument("--folder", type=Path, help="keep the shop there, and take what is there already")
    parser.add_argument("--only", default="", help="one of orders, customers, events, mails, dashboard")
    options = parser.parse_args()
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="shop-bench-"))).resolve()
    try:
        if not (folder / "filled").exists():
            make(folder, options.rows)
        asked = ask_all(folder, options.only)
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)
    return conclude("admin", findings(asked), load_by="one client within the process", questions=[asdict(one) for one in asked])


if __name__ == "__main__":
    sys.exit(main())
