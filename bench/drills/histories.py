"""./shop drill histories: do thousands of shopping histories, drawn by chance and partly lived at once, leave every invariant held?

A history is a list of steps, each a name and a number, and does the same whenever it is lived alone. It calls the services that the
routes call. The gateway stands in memory behind the shop's own port to it; what it tells is signed and comes late, doubled or out of order.
The tests live some of these histories too, drawn by Hypothesis.
"""

from __future__ import annotations

import argparse
import itertools
import random
import secrets
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "backend"))

import orjson  # noqa: E402
from frame import place  # noqa: E402
from werkzeug.security import generate_password_hash  # noqa: E402

from app import db, migrations, private_database, security  # noqa: E402
from app.config import Settings  # noqa: E402
from app.errors import Conflict, ShopError, Unavailable  # noqa: E402
from app.private_database import PrivateDatabase, address_of, prepare_server  # noqa: E402
from app.services import (  # noqa: E402
    cancellations,
    cart,
    checkout,
    doctor,
    gift_cards,
    invoices,
    orders,
    payments,
    privacy,
    products,
    promotions,
    refunds,
    returns,
    settings,
    shipments,
    stock,
)  # fmt: skip
from app.services.cart import Buyer  # noqa: E402
from app.services.permissions import Actor  # noqa: E402
from app.services.product_input import ProductInput, VariantInput  # noqa: E402
from app.services.refunds import Piece, Refunding  # noqa: E402
from app.services.stripe_gateway import Gateway, Told  # noqa: E402

Step = tuple[str, int]
PASSWORD = "walnut-harbour-19"
SECRET = "whsec_0123456789abcdef"
METHODS = ("test", "stripe", "bank_transfer", "cash_on_delivery")
BATCH = 200  # histories between two looks at the invariants
HASHED = generate_password_hash(PASSWORD, "scrypt:1024:8:1")
_number = itertools.count(1)


class Bank(Gateway):
    """A gateway that pays, refunds and tells as Stripe does, without a network. What it tells goes through the shop's own reading of it."""

    def __init__(self, given: Settings) -> None:
        super().__init__(given)
        self.pages: dict[str, Told] = {}
        self.refunds: dict[str, tuple[str, int]] = {}
        self._lock = threading.Lock()

    def begin(self, *, payment_id: int, number: str, amount_minor: int, currency: str, **_: Any) -> tuple[str, str]:
        name = f"cs_{payment_id}"
        told = Told(name, payment_id, number, amount_minor, currency, "payment", live=False, paid=False, over=False, charge=None)
        with self._lock:
            self.pages.setdefault(name, told)
        return name, f"https://pay.example/{name}"

    def look(self, gateway_id: str) -> Told:
        return self.pages[gateway_id]

    def close(self, gateway_id: str) -> None:
        self._end(gateway_id, over=True)

    def pay(self, gateway_id: str) -> None:
        self._end(gateway_id, paid=True, charge=f"pi_{gateway_id}")

    def _end(self, gateway_id: str, **how: Any) -> None:
        with self._lock:
            page = self.pages[gateway_id]
            if page.paid or page.over:
                raise Conflict("This page is over.")
            self.pages[gateway_id] = replace(page, **how)

    def refund(self, charge: str, amount_minor: int, key: str) -> str:
        with self._lock:
            if self.refunds.setdefault(key, (charge, amount_minor)) != (charge, amount_minor):
                raise AssertionError(f"the key {key} was used for another refund")
        return f"re_{key}"

    def event(self, gateway_id: str) -> bytes:
        page = self.pages[gateway_id]
        told = {
            "id": page.gateway_id, "client_reference_id": page.number, "metadata": {"payment_id": str(page.payment_id)}, "mode": page.mode, "livemode": False,
            "amount_total": page.amount_minor, "currency": page.currency.lower(), "payment_status": "paid" if page.paid else "unpaid",
            "status": "complete" if page.paid else "expired" if page.over else "open", "payment_intent": page.charge,
        }  # fmt: skip
        return orjson.dumps({"id": f"evt_{gateway_id}_{page.paid}", "type": "checkout.session.completed", "data": {"object": told}})

    def disagreements(self) -> list[str]:
        """Where the shop's books differ from what this gateway took and gave back."""
        given = Counter[str]()
        for charge, amount in self.refunds.values():
            given[charge] += amount
        books = {row[0]: row[1:] for row in rows("SELECT gateway_id, captured_minor, refunded_minor FROM payments WHERE gateway_id IS NOT NULL")}
        found = []
        for name, page in self.pages.items():
            here = (page.amount_minor if page.paid else 0, given[page.charge or ""])
            if books.get(name) != here:
                found.append(f"{name}: took and gave back {here}, the books say {books.get(name)}")
        return found


def rows(sql: str, *params: Any) -> list[Any]:
    with db.reading() as tx:
        return list(tx.execute(sql, params).fetchall())


def write(sql: str, *params: Any) -> int:
    with db.reading() as tx:
        return int(tx.execute(sql, params).lastrowid or 0)


def account(role: str = "customer") -> tuple[int, str]:
    name = f"h{next(_number)}"
    email = f"{name}@example.com"
    columns = "username, username_key, email, email_key, password_hash, role, status, created_at, updated_at"
    sql = f"INSERT INTO users ({columns}) VALUES (%s, %s, %s, %s, %s, %s, 'active', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"
    return write(sql, name, name, email, email, HASHED, role), email


def variants_of(amount: int, pieces: int, *, gift_card: bool = False) -> tuple[int, int]:
    """A new product; gives its id and its variant's."""
    name = f"thing-{next(_number)}"
    made = VariantInput(price_minor=amount, stock=pieces, tracked=not gift_card)
    product_id = db.transaction(lambda tx: products.add(tx, ProductInput(title=name, slug=name, variants=[made]), actor_id=None))
    if gift_card:
        write("UPDATE products SET gift_card = TRUE WHERE id = %s", product_id)
    return product_id, rows("SELECT id FROM variants WHERE product_id = %s", product_id)[0][0]


class Shop:
    """What all histories of one database share."""

    def __init__(self, given: Settings) -> None:
        self.open(replace(given, stripe_secret_key="sk_test_0123456789abcdef", stripe_webhook_secret=SECRET))

    def open(self, given: Settings) -> None:
        """In an empty database, as one begins."""
        self.given = given
        settings.take_first_values(given)
        payments.use(given)
        self.var = given.var
        self.bank = payments._gateway = Bank(given)
        self.told: dict[str, Told] = {}
        self.admin, _ = account("admin")
        self.admin_actor = Actor(self.admin, "admin", stepped_up=True)
        self.card_product, self.card_variant = variants_of(2500, 0, gift_card=True)
        self.refused: Counter[str] = Counter()
        self.done: Counter[str] = Counter()

    def jobs(self) -> None:
        for job in (orders.expire_due, invoices.issue_due, payments.reconcile, payments.return_unwanted):
            job()
        refunds.carry_out_due(payments.refund_at_gateway)

    def finish(self) -> None:
        """All that is still to be told is told, and all money that has to go back goes back."""
        for name, page in list(self.bank.pages.items()):
            if self.told.get(name) != page:
                self.hear(name)
                self.told[name] = page
        while invoices.any_requested() or refunds.any_due() or payments.any_unwanted():
            self.jobs()

    def hear(self, page: str) -> None:
        from hashlib import sha256
        from hmac import new

        body, moment = self.bank.event(page), int(time.time())
        payments.hear(body, f"t={moment},v1={new(SECRET.encode(), b'%d.%s' % (moment, body), sha256).hexdigest()}", "127.0.0.1")

    def broken(self) -> list[str]:
        """What is not as it must be, in words; asked in one statement, and one by one only when something is."""
        self.finish()
        found = rows(" UNION ALL ".join(f"(SELECT '{name}' FROM ({sql}) broken LIMIT 1)" for name, _, sql in doctor.checks()))
        said = [f"{name}: {words} {some}" for name, words, some in doctor.examine() if some] if found else []
        return said + self.bank.disagreements()


class History:
    """Some days of a shop: one account, one guest, two products, a coupon for two, and staff who do their part."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.user = shop, account()
        self.guest = secrets.token_urlsafe(16)
        self.goods = [variants_of(1000 + 333, 3), variants_of(1999, 5)]
        self.coupon = f"C{next(_number)}"
        fields = {"code": self.coupon, "name": "Some off", "kind": "percent", "value": 1250, "most_uses": 2}
        rest = {"minimum_minor": 0, "category_id": None, "product_id": None, "most_by_customer": None, "starts_at": None, "ends_at": None, "active": True}
        promotions.add(fields | rest, actor=shop.admin_actor)
        self.placed: list[tuple[str, int | None]] = []
        self.asked: list[tuple[Buyer, str, checkout.Request]] = []

    def live(self, steps: list[Step]) -> None:
        """Take the steps in order; after "together" the next two to four at once. A refusal is an answer, anything else is raised."""
        left = iter(steps)
        for name, number in left:
            if name != "together":
                self.take(name, number)
                continue
            group = list(itertools.islice(left, 2 + number % 3))
            with ThreadPoolExecutor(4) as threads:
                for taken in [threads.submit(self.take, *step) for step in group if step[0] != "together"]:
                    taken.result()

    def take(self, name: str, number: int) -> None:
        try:
            STEPS[name](self, number)
            self.shop.done[name] += 1
        except ShopError as refusal:
            # On a machine too busy to wait for anybody may be asked to come again; a deadlock is a fault.
            if isinstance(refusal, Unavailable) and db.error_number(refusal.__cause__ or refusal) != db.LOCK_WAIT:
                raise
            self.shop.refused[name] += 1

    # ---- buyers

    def buyer(self, number: int) -> Buyer:
        return Buyer(self.user[0]) if number % 3 else Buyer(None, self.guest)

    def add(self, number: int) -> None:
        variant = self.shop.card_variant if number % 7 == 6 else self.goods[number % 2][1]
        cart.add(self.buyer(number // 2), variant_id=variant, product_id=None, quantity=1 + number // 5 % 3)

    def place(self, number: int, *, coupon: bool = False, card: bool = False) -> None:
        buyer, key = self.buyer(number), secrets.token_hex(8)
        codes = self.codes() if card else []
        request = checkout.Request(
            checkout.Address("Ina Łuk", "Kerkstraat 5", "Gent", "9000", "BE"),
            "standard",
            METHODS[number // 3 % 4],
            email=None if buyer.user_id else self.user[1],
            coupon=self.coupon if coupon else "",
            gift_card=codes[number % len(codes)] if codes else "",
        )
        self.asked.append((buyer, key, request))
        self.placed.append((checkout.place(buyer, key, request)[0]["number"], buyer.user_id))

    def buy(self, number: int) -> None:
        self.add(number)
        self.place(number // 2)

    def buy_with_coupon(self, number: int) -> None:
        self.add(number)
        self.place(number // 2, coupon=True)

    def buy_with_card(self, number: int) -> None:
        self.add(number)
        self.place(number // 2, card=True, coupon=number % 4 == 0)

    def repeat(self, number: int) -> None:
        """The last order's request comes once more, as after a lost answer."""
        if self.asked:
            order, repeated = checkout.place(*self.asked[number % len(self.asked)])
            if not repeated:
                self.placed.append((order["number"], self.asked[number % len(self.asked)][0].user_id))

    def order(self, number: int) -> tuple[str, int | None]:
        if not self.placed:
            raise Conflict("Nothing was ordered.")
        return self.placed[number % len(self.placed)]

    def seen(self, number: int) -> orders.Order:
        return orders.get(self.order(number)[0], trusted=True)

    def key_of(self, number: int) -> dict[str, Any]:
        name, user_id = self.order(number)
        return {"user_id": user_id, "token": None if user_id else orders.token_of(name)}

    def cancel(self, number: int) -> None:
        cancellations.cancel(self.order(number)[0], **self.key_of(number))

    def merge(self, number: int) -> None:
        cart.merge_guest(self.guest, self.user[0])
        self.guest = secrets.token_urlsafe(16)

    def erase(self, number: int) -> None:
        privacy.erase(self.user[0], PASSWORD, var=self.shop.var, limited=False)
        self.user = account()

    # ---- money

    def codes(self) -> list[str]:
        found = rows("SELECT data FROM mails WHERE template = 'gift_card' AND recipient = %s ORDER BY id", self.user[1])
        return [card["code"] for (data,) in found for card in orjson.loads(data)["cards"]]

    def issue(self, number: int) -> None:
        gift_cards.issue(500 * (1 + number % 9), self.user[1], message="", key=secrets.token_hex(8), actor_id=self.shop.admin)

    def void(self, number: int) -> None:
        codes = self.codes()
        with db.reading() as tx:
            card = gift_cards.find(tx, codes[number % len(codes)], "EUR") if codes else None
        if card:
            gift_cards.void(card["id"], reason="Lost", actor_id=self.shop.admin)

    def page(self, number: int) -> str:
        mine = {name for name, _ in self.placed}
        pages = [name for name, page in list(self.shop.bank.pages.items()) if page.number in mine]
        if not pages:
            raise Conflict("Nothing is paid online.")
        return pages[number % len(pages)]

    def pay_online(self, number: int) -> None:
        """The webhook comes at once, twice, or not yet."""
        page = self.page(number)
        self.shop.bank.pay(page)
        for _ in range(number % 3):
            self.shop.hear(page)

    def webhook(self, number: int) -> None:
        self.shop.hear(self.page(number))

    def pay_by_hand(self, number: int) -> None:
        waiting = [name for name, _ in self.placed if (seen := orders.get(name, trusted=True))["payment"]["method"] in payments.BY_HAND and seen["due_minor"]]
        if waiting:
            seen = orders.get(waiting[number % len(waiting)], trusted=True)
            payments.record(seen["number"], seen["due_minor"], key=f"hand-{number}", actor=self.shop.admin_actor)

    def refund(self, number: int) -> None:
        seen = self.seen(number)
        pieces = [Piece(item["id"], item["quantity"] - item["refunded"], restock=number % 2 == 0) for item in seen["items"]]
        self.give(seen, tuple(piece for piece in pieces if piece.quantity), number, delivery=True)

    def part_refund(self, number: int) -> None:
        seen = self.seen(number)
        item = seen["items"][number % len(seen["items"])]
        self.give(seen, (Piece(item["id"], 1, restock=number % 4 == 0),), number, delivery=number % 5 == 0)

    def give(self, seen: orders.Order, pieces: tuple[Piece, ...], number: int, *, delivery: bool) -> None:
        before = sum(one["shipping_minor"] for one in seen["refunds"])
        wanted = Refunding(pieces, seen["shipping_minor"] - before if delivery else 0)
        for _ in range(1 + number % 2):  # a double click
            refunds.refund(seen["number"], wanted, key=f"refund-{number}", actor_id=self.shop.admin)

    # ---- staff

    def ship(self, number: int) -> None:
        seen = self.seen(number)
        items: Any = [{"item_id": seen["items"][0]["id"], "quantity": 1}] if number % 3 == 0 else None
        shipments.ship(seen["number"], items, carrier="Swift", tracking_number="", tracking_url="", actor_id=self.shop.admin)

    def deliver(self, number: int) -> None:
        for parcel in self.seen(number)["shipments"]:
            shipments.deliver(parcel["id"], actor_id=self.shop.admin)

    def send_back(self, number: int) -> None:
        items: Any = [{"item_id": item["id"], "quantity": 1, "reason": "other"} for item in self.seen(number)["items"] if item["sent"] > item["sent_back"]]
        if items:
            returns.request(self.order(number)[0], items, note="", key=f"return-{number}", **self.key_of(number))

    def answer_return(self, number: int) -> None:
        for one in self.seen(number)["returns"]:
            if one["status"] == "requested":
                returns.decide(one["id"], "rejected" if number % 5 == 0 else "approved", answer="", actor_id=self.shop.admin)
            else:
                shelf: Any = [{"item_id": item["item_id"], "quantity": 1} for item in one["items"]]
                returns.receive(one["id"], shelf, actor_id=self.shop.admin)

    def cancel_for(self, number: int) -> None:
        cancellations.cancel_for(self.order(number)[0], actor_id=self.shop.admin)

    def price(self, number: int) -> None:
        change = {"price_minor": 500 + 37 * number}
        products.change_variant(self.goods[number % 2][1], change, version=None, actor_id=self.shop.admin, currency="EUR")

    def adjust(self, number: int) -> None:
        stock.adjust(self.goods[number % 2][1], number % 9 - 3, actor_id=self.shop.admin)

    def archive(self, number: int) -> None:
        products.archive(self.goods[number % 2][0], actor_id=self.shop.admin)

    def restore(self, number: int) -> None:
        products.restore(self.goods[number % 2][0], actor_id=self.shop.admin)

    def expire(self, number: int) -> None:
        """The time to pay an order is over, and the job sees it."""
        write("UPDATE orders SET pay_by = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE number = %s AND status = 'pending'", self.order(number)[0])
        orders.expire_due()

    def jobs(self, number: int) -> None:
        self.shop.jobs()


# How often each step is drawn, of all.
WEIGHTS = {
    "buy": 8, "buy_with_coupon": 3, "buy_with_card": 4, "add": 3, "place": 2, "repeat": 2, "cancel": 3, "merge": 1, "erase": 1, "issue": 3, "void": 1,
    "pay_online": 5, "webhook": 2, "pay_by_hand": 4, "refund": 3, "part_refund": 4, "ship": 5, "deliver": 3, "send_back": 3, "answer_return": 3,
    "cancel_for": 1, "price": 1, "adjust": 2, "archive": 1, "restore": 1, "expire": 2, "jobs": 1, "together": 6,
}  # fmt: skip
STEPS: dict[str, Callable[[History, int], None]] = {name: getattr(History, name) for name in WEIGHTS if name != "together"}
DRAWN = [name for name, weight in WEIGHTS.items() for _ in range(weight)]


def drawn(seed: int) -> list[Step]:
    chance = random.Random(seed)
    return [("buy", chance.randrange(256)), *((chance.choice(DRAWN), chance.randrange(256)) for _ in range(chance.randint(4, 16)))]


def lived(shop: Shop, steps: list[Step]) -> str:
    """Live a history; gives the fault it met, or nothing."""
    try:
        History(shop).live(steps)
    except Exception:  # noqa: BLE001  whatever it is, it is what the drill looks for
        return traceback.format_exc()
    return ""


@contextmanager
def opened(threads: int) -> Iterator[tuple[Settings, Any]]:
    """A database of its own, and the right of its owner to empty it."""
    with place() as where, tempfile.TemporaryDirectory(prefix="shop-drill-") as folder:
        given = Settings.from_env({**where, "SHOP_VAR": folder, "SECRET_KEY": "for the drill only, 0123456789abcdef"})
        security.use_key(given.secret_key)
        database = None if given.db_host else PrivateDatabase(given.var)
        # Whether data outlive a power cut is not asked here, so the disk is not waited for.
        private_database.OPTIONS += ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]
        try:
            database.start() if database else prepare_server(given)
            migrations.migrate(address_of(given, owner=True))
            db.open(address_of(given), size=4 * threads + 4)
            owner = db.connect(address_of(given, owner=True))
            yield given, owner
        finally:
            db.close()
            if database:
                database.stop()


def empty(owner: Any) -> None:
    cursor = owner.cursor()
    cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name <> 'schema_migrations'")
    names = [row[0] for row in cursor.fetchall()]
    cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
    for name in names:
        cursor.execute(f"DELETE FROM {name}")
    cursor.execute("SET FOREIGN_KEY_CHECKS = 1")
    cursor.close()


def tell(seed: int, fault: str) -> None:
    print(f"\nHistory {seed}:")
    for name, number in drawn(seed):
        print(f"  {name} {number}")
    print(fault)


def find_culprit(given: Settings, owner: Any, seeds: list[int]) -> None:
    """Which history broke it? Each is lived again alone."""
    for seed in seeds:
        empty(owner)
        shop = Shop(given)
        if fault := lived(shop, drawn(seed)) or next(iter(shop.broken()), ""):
            return tell(seed, fault)
    print(f"None of them breaks it alone: it takes several of {seeds[0]} to {seeds[-1]} at once.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop drill histories", description="Do random shopping histories leave every invariant held?")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of the first history; each next one has the next number")
    parser.add_argument("--threads", type=int, default=4, help="histories that are lived at the same time")
    options = parser.parse_args()
    print(f"Seed {options.seed}", flush=True)
    began, done, refused = time.monotonic(), Counter[str](), Counter[str]()
    every = range(options.seed, options.seed + options.count)
    with opened(options.threads) as (given, owner), ThreadPoolExecutor(options.threads) as threads:
        for start in range(0, options.count, BATCH):
            seeds = list(every[start : start + BATCH])
            empty(owner)
            shop = Shop(given)
            for seed, fault in zip(seeds, threads.map(partial(lived, shop), map(drawn, seeds)), strict=True):
                if fault:
                    tell(seed, fault)
                    return 1
            if broken := shop.broken():
                print(f"\n{broken[0]}")
                find_culprit(given, owner, seeds)
                return 1
            done, refused = done + shop.done, refused + shop.refused
            bar(start + len(seeds), options.count)
    took = time.monotonic() - began
    print(f"{options.count:,} histories, {done.total():,} steps done and {refused.total():,} refused in {took:.0f} s: every invariant is held")
    print(", ".join(f"{name} {done[name]:,}" for name in STEPS))
    return 0


def bar(done: int, total: int) -> None:
    filled = 40 * done // total
    print(f"\r[{'#' * filled}{' ' * (40 - filled)}] {done:,} of {total:,}", end="\n" if done == total else "", flush=True)


if __name__ == "__main__":
    sys.exit(main())
