"""./shop bench peers: what this shop does in a second beside other shops on the same machine, and which of them sell what they do not have.

The others run already and hold the same goods; peers.md says how to set them up. Each is asked in its own language for what a visitor
wants, by 16 clients, in turn with a shop of our own: a list of 24, a product, a search, a first thing put into a cart, and whole orders,
from an empty cart to the order that is placed. In the end 16 buyers try 300 times to get one of 200 pieces, from carts filled before.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import queue
import random
import re
import secrets
import statistics
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import catalogue
from lab import ROOT
from lab.measure import CLIENTS, Ask, Crowd, Finding, conclude, crowd, in_rounds, number, percentile
from lab.shops import Client, Shop, reopened

sys.path.insert(0, str(ROOT / "bench" / "drills"))

from frame import ORDER, PIECES, address_of

from app import db
from app.services import stock

PRODUCTS, LENGTH = 1000, 24
ON_SHELF, TRIES = 200, 300
THINGS = 100  # different products that are put into carts
WORDS = [f"{colour} {thing}" for colour in catalogue.COLOURS for thing in catalogue.THINGS]
MANY, SHORT = 50, 25  # goals: times the best peer, for what is read and for orders
HOT = 10
SOLD, REFUSED = "sold", "refused"


class Visitor:
    """One connection and its cookies."""

    def __init__(self, port: int) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.cookies: dict[str, str] = {}

    def send(self, method: str, path: str, body: str | None = None, kind: str = "application/json", **headers: str) -> tuple[int, str, str]:
        """Status, where to go next, and the answer."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = ({"Content-Type": kind} if body else {}) | headers | ({"Cookie": cookies} if cookies else {})
        self._line.request(method, path, body, sent)
        answer = self._line.getresponse()
        content = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.headers.get("Location", ""), content

    def rest(self) -> None:
        """Give the line back; the next thing is sent over a new one, since servers close those that nobody uses."""
        self._line.close()


class Kind(ABC):
    """How a visitor asks one kind of shop. Each Ask can be sent by anybody, again and again."""

    name: str
    does: str

    def __init__(self, port: int) -> None:
        self.port = port
        self.lists = self._lists()
        self.details, self.things = self._goods(Visitor(port))
        self.searches = [self._search(words) for words in WORDS]
        self.adds = [self._add(thing) for thing in self.things]

    @abstractmethod
    def _lists(self) -> list[Ask]: ...

    @abstractmethod
    def _goods(self, visitor: Visitor) -> tuple[list[Ask], list[str]]:
        """Products to be looked at, and some to be bought."""

    @abstractmethod
    def _search(self, words: str) -> Ask: ...

    @abstractmethod
    def _add(self, thing: str) -> Ask: ...

    @abstractmethod
    def hot(self, place: int) -> str:
        """A thing of which there are 200."""

    @abstractmethod
    def fill(self, visitor: Visitor, thing: str) -> None:
        """All of a guest's way but its last step. What succeeds leaves the visitor with the cookies for it."""

    @abstractmethod
    def place(self, visitor: Visitor) -> str:
        """The last step: SOLD, REFUSED in words that a buyer understands, or what else was answered."""


def found(said: str, pattern: str) -> str:
    match = re.search(pattern, said)
    if match is None:
        raise SystemExit(f"A peer said something else than {pattern}: {said[:500]}")
    return match[1]


# ---------------------------------------------------------------- ours


class Ours(Kind):
    name, does = "ours", "JSON with descriptions; an order takes 2 requests"

    def _lists(self) -> list[Ask]:
        return [Ask(re.sub(r"limit=\d+", f"limit={LENGTH}", path)) for path in catalogue.pages(Client(self.port), 40)]

    def _goods(self, visitor: Visitor) -> tuple[list[Ask], list[str]]:
        client = Client(self.port)
        items = [item for ask in self.lists for item in json.loads(client.get(ask.path)[1])["items"]]
        plain = [str(item["id"]) for item in items if item["variant_count"] == 1]
        return [Ask(path) for path in catalogue.details(PRODUCTS, 400)], list(dict.fromkeys(plain))[: THINGS + 1]

    def _search(self, words: str) -> Ask:
        return Ask(f"/api/v1/products?q={quote(words)}&limit={LENGTH}")

    def _add(self, thing: str) -> Ask:
        return Ask("/api/v1/cart/items", "POST", {"Content-Type": "application/json"}, json.dumps({"product_id": int(thing), "quantity": 1}))

    def stock_up(self, shop: Shop) -> None:
        """Put more than enough of what is bought on the shelf, and 200 of the hot thing."""
        db.open(address_of(shop), size=1)
        for thing in self.things:
            with db.reading() as tx:
                (variant,) = tx.execute("SELECT id FROM variants WHERE product_id = %s", (int(thing),)).fetchone()
            stock.adjust(variant, counted=ON_SHELF if thing == self.things[-1] else PIECES)
        db.close()

    def hot(self, place: int) -> str:
        return self.things[-1]

    def fill(self, visitor: Visitor, thing: str) -> None:
        ask = self._add(thing)
        status, _, said = visitor.send(ask.method, ask.path, ask.body)
        if status != 201:
            raise SystemExit(f"The cart was not filled: {said}")

    def place(self, visitor: Visitor) -> str:
        key = secrets.token_hex(8)
        order = json.dumps(ORDER | {"email": f"{key}@example.com"})
        status, _, said = visitor.send("POST", "/api/v1/orders", order, **{"Idempotency-Key": key})
        return SOLD if status == 201 else REFUSED if status == 409 and '"out_of_stock"' in said else f"{status} {said[:200]}"


# ---------------------------------------------------------------- django-oscar


class Oscar(Kind):
    name, does = "django-oscar", "pages of HTML, 24 products to each; an order takes 5 requests, of which none shows a page"
    TOKEN = "a" * 32

    def _lists(self) -> list[Ask]:
        return [Ask(f"/catalogue/?page={page}") for page in range(1, PRODUCTS // LENGTH)]

    def _goods(self, visitor: Visitor) -> tuple[list[Ask], list[str]]:
        paths = {path for ask in self.lists[:10] for path in re.findall(r'href="(/catalogue/[^"/]+_\d+/)"', visitor.send("GET", ask.path)[2])}
        cool = sorted(path for path in paths if "hotthing" not in path)
        return [Ask(path) for path in cool], [found(path, r"_(\d+)/$") for path in cool[:THINGS]]

    def _search(self, words: str) -> Ask:
        return Ask(f"/search/?q={quote(words)}")

    def _form(self, **fields: Any) -> str:
        return urlencode(fields | {"csrfmiddlewaretoken": self.TOKEN})

    def _add(self, thing: str) -> Ask:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"csrftoken={self.TOKEN}"}
        return Ask(f"/basket/add/{thing}/", "POST", headers, self._form(quantity=1))

    def hot(self, place: int) -> str:
        return found(Visitor(self.port).send("GET", f"/search/?q=hotthing+{place}")[2], rf"hotthing-{place}_(\d+)/")

    def fill(self, visitor: Visitor, thing: str) -> None:
        visitor.cookies["csrftoken"] = self.TOKEN
        address = {"first_name": "Ina", "last_name": "Luk", "line1": "Kerkstraat 5", "line4": "Gent", "postcode": "9000", "country": "BE"}
        self._step(visitor, f"/basket/add/{thing}/", "/", quantity=1)
        self._step(visitor, "/checkout/", "/checkout/shipping-address/", username=f"{secrets.token_hex(8)}@example.com", options="anonymous")
        self._step(visitor, "/checkout/shipping-address/", "/checkout/shipping-method/", **address)
        self._step(visitor, "/checkout/shipping-method/", "/checkout/payment-method/")

    def _step(self, visitor: Visitor, path: str, then: str, **fields: Any) -> None:
        """It is taken when it leads there. Without fields it is a page to be called, which leads on by itself."""
        body = self._form(**fields) if fields else None
        status, where, said = visitor.send("POST" if fields else "GET", path, body, "application/x-www-form-urlencoded")
        if status != 302 or not where.startswith(then):
            raise SystemExit(f"{path} answered {status} {where} {said[:500]}")

    def place(self, visitor: Visitor) -> str:
        body = self._form(action="place_order")
        status, where, said = visitor.send("POST", "/checkout/preview/", body, "application/x-www-form-urlencoded")
        if status == 302 and where == "/checkout/thank-you/":
            return SOLD
        # It leads back to the basket, which says what is missing, or shows the last page again with an error on it.
        return REFUSED if (status == 302 and where == "/basket/") or (status == 200 and "alert-danger" in said) else f"{status} {where}"


# ---------------------------------------------------------------- Vendure


class Vendure(Kind):
    name, does = "Vendure", "GraphQL, no more fields than a page shows; an order takes 3 requests of up to 3 mutations each"
    PRICE = "priceWithTax{...on SinglePrice{value} ...on PriceRange{min max}}"
    ITEM = f"productId productVariantId slug productName inStock currencyCode productAsset{{preview}} {PRICE}"
    PRODUCT = "id slug name description assets{preview} collections{slug name} variants{id sku name priceWithTax currencyCode stockLevel}"
    CART = "id code state totalWithTax lines{id quantity linePriceWithTax productVariant{id name}}"
    WRONG = "...on ErrorResult{errorCode message}"

    def _graphql(self, query: str) -> Ask:
        return Ask("/shop-api", "POST", {"Content-Type": "application/json"}, json.dumps({"query": query}))

    def _say(self, visitor: Visitor, query: str) -> str:
        status, _, said = visitor.send("POST", "/shop-api", self._graphql(query).body)
        if status != 200 or '"errors":' in said:
            raise SystemExit(f"Vendure answered {status}: {said[:500]}")
        return said

    def _lists(self) -> list[Ask]:
        starts = range(0, PRODUCTS - LENGTH, LENGTH)
        return [self._graphql(f"{{search(input:{{take:{LENGTH},skip:{start},groupByProduct:true}}){{totalItems items{{{self.ITEM}}}}}}}") for start in starts]

    def _goods(self, visitor: Visitor) -> tuple[list[Ask], list[str]]:
        items = [
            item
            for start in range(0, 400, 100)
            for item in json.loads(self._say(visitor, f"{{search(input:{{take:100,skip:{start}}}){{items{{slug productVariantId}}}}}}"))["data"]["search"][
                "items"
            ]
            if "hotthing" not in item["slug"]
        ]
        details = [self._graphql(f'{{product(slug:"{item["slug"]}"){{{self.PRODUCT}}}}}') for item in items]
        things = [item["productVariantId"] for item in items[:THINGS]]
        self._say(visitor, f"mutation{{addItemToOrder(productVariantId:{things[0]},quantity:1){{__typename}}}}")
        offered = self._say(visitor, "{eligibleShippingMethods{id} eligiblePaymentMethods{code}}")
        self._shipping, self._payment = found(offered, r'"id":"(\d+)"'), found(offered, r'"code":"([^"]+)"')
        return details, things

    def _search(self, words: str) -> Ask:
        facets = "facetValues{count facetValue{id name}}"
        return self._graphql(f'{{search(input:{{term:"{words}",take:{LENGTH},groupByProduct:true}}){{totalItems items{{{self.ITEM}}} {facets}}}}}')

    def _add(self, thing: str) -> Ask:
        return self._graphql(f"mutation{{addItemToOrder(productVariantId:{thing},quantity:1){{__typename ...on Order{{{self.CART}}} {self.WRONG}}}}}")

    def hot(self, place: int) -> str:
        return found(self._say(Visitor(self.port), f'{{product(slug:"hotthing-{place}"){{variants{{id}}}}}}'), r'"variants":\[\{"id":"(\d+)"')

    def fill(self, visitor: Visitor, thing: str) -> None:
        address = 'fullName:"Ina Luk",streetLine1:"Kerkstraat 5",city:"Gent",postalCode:"9000",countryCode:"BE"'
        customer = f'firstName:"Ina",lastName:"Luk",emailAddress:"{secrets.token_hex(8)}@example.com"'
        added = self._say(visitor, f"mutation{{addItemToOrder(productVariantId:{thing},quantity:1){{__typename {self.WRONG}}}}}")
        said = added + self._say(
            visitor,
            f"mutation{{setCustomerForOrder(input:{{{customer}}}){{__typename {self.WRONG}}} "
            f"setOrderShippingAddress(input:{{{address}}}){{__typename {self.WRONG}}} "
            f"setOrderShippingMethod(shippingMethodId:[{self._shipping}]){{__typename {self.WRONG}}}}}",
        )
        if "errorCode" in said:
            raise SystemExit(f"The cart was not filled: {said}")

    def place(self, visitor: Visitor) -> str:
        paid = f'addPaymentToOrder(input:{{method:"{self._payment}",metadata:{{}}}}){{__typename ...on Order{{{self.CART}}} {self.WRONG}}}'
        query = f'mutation{{transitionOrderToState(state:"ArrangingPayment"){{__typename ...on Order{{state}} {self.WRONG}}} {paid}}}'
        status, _, said = visitor.send("POST", "/shop-api", self._graphql(query).body)
        return SOLD if '"PaymentSettled"' in said else REFUSED if status == 200 and '"errorCode"' in said else f"{status} {said[:200]}"


PEERS: dict[str, type[Kind]] = {"oscar": Oscar, "vendure": Vendure}

# ---------------------------------------------------------------- measuring


def together(work: Callable[[], None], clients: int = CLIENTS) -> float:
    """So many threads do this work; gives the seconds until the last has done it."""
    threads = [threading.Thread(target=work) for _ in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - began


def orders(shop: Kind, seconds: float) -> Crowd:
    """One new guest after the other fills a cart and orders."""
    things, times, ends = itertools.cycle(shop.things[:THINGS]), list[float](), Counter[str]()
    until = time.monotonic() + seconds

    def buy() -> None:
        while time.monotonic() < until:
            visitor, began = Visitor(shop.port), time.monotonic()
            shop.fill(visitor, next(things))
            ends[shop.place(visitor)] += 1
            times.append((time.monotonic() - began) * 1000)
            visitor.rest()

    took = together(buy)
    if ends.keys() - {SOLD}:
        print(f"{shop.name}: " + ", ".join(f"{count} × {end}" for end, count in ends.items()))
    return Crowd(ends[SOLD] / took, statistics.median(times), percentile(times, 99), ends.total() - ends[SOLD])


def hot(shop: Kind, place: int) -> tuple[float, Counter[str]]:
    """Tries a second, and how they ended. Every cart holds its piece before the first order is placed."""
    thing, waiting, ends = shop.hot(place), queue.SimpleQueue[Visitor](), Counter[str]()
    carts = iter(range(TRIES))
    lock = threading.Lock()

    def fill() -> None:
        while True:
            with lock:
                if next(carts, None) is None:
                    return
            visitor = Visitor(shop.port)
            shop.fill(visitor, thing)
            visitor.rest()
            waiting.put(visitor)

    def rush() -> None:
        while not waiting.empty():
            try:
                visitor = waiting.get_nowait()
            except queue.Empty:
                return
            end = shop.place(visitor)
            visitor.rest()
            with lock:
                ends[end] += 1

    together(fill)
    return TRIES / together(rush), ends


def every_other(count: int) -> list[Ask]:
    """Questions for a list of 24, all different, all with the same number of answers."""
    sorts = ["newest", "price_asc", "price_desc", "name", "rating", "best_selling"]
    asked = [
        f"/api/v1/products?sort={sort}&limit={LENGTH}&price_min={low}&price_max={high}"
        for sort in sorts
        for low in range(300)
        for high in range(80_000, 80_010)
    ]
    return [Ask(path) for path in random.sample(asked, count)]


def with_a_cart(shop: Ours, asks: list[Ask]) -> list[Ask]:
    """The same, asked by somebody who has a cart: nothing is ready for them, since their requests carry a session."""
    visitor = Visitor(shop.port)
    shop.fill(visitor, shop.things[0])
    cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())}
    return [Ask(ask.path, headers=cookies) for ask in asks]


def warm(shop: Kind) -> None:
    """Ask for everything once, which also shows that the answers are such."""
    for asks in (shop.lists, shop.details[:50], shop.searches[:20], shop.adds[:20]):
        for ask in asks:
            status, _, said = Visitor(shop.port).send(ask.method, ask.path, ask.body, **ask.headers)
            if status >= 400 or '"errors":[' in said or '"errorCode"' in said:
                raise SystemExit(f"{shop.name} answers {ask.path} {ask.body or ''} with {status}: {said[:500]}")


Figures = dict[str, dict[str, Crowd]]


def compare(ours: Ours, peers: list[Kind], seconds: float, rounds: int) -> Figures:
    """By what was asked and by shop."""
    shops = [ours, *peers]
    reads = {"list of 24": "lists", "product": "details", "search": "searches", "first thing into a cart": "adds"}
    more = {"list of 24": {"every request another list": every_other(15_000), "by somebody with a cart": with_a_cart(ours, ours.lists)}}
    more["product"] = {"by somebody with a cart": with_a_cart(ours, ours.details)}
    figures: Figures = {}
    for what, asks in reads.items():
        ways = {shop.name: lambda shop=shop, asks=asks: crowd(shop.port, getattr(shop, asks), seconds) for shop in shops}
        ways |= {name: lambda questions=questions: crowd(ours.port, questions, seconds) for name, questions in more.get(what, {}).items()}
        figures[what] = in_rounds(ways, rounds)
        print(what, *(f"{name} {number(met.rate)}/s" for name, met in figures[what].items()), sep="; ", flush=True)
    figures["order"] = in_rounds({shop.name: lambda shop=shop: orders(shop, seconds) for shop in shops}, rounds)
    return figures


def findings(figures: Figures, rushes: dict[str, tuple[float, Counter[str]]], peers: list[Kind]) -> list[Finding]:
    goals = {"list of 24": MANY, "product": MANY, "order": SHORT}
    names = [peer.name for peer in peers]
    made = []
    for what, met in figures.items():
        best = max(names, key=lambda name: met[name].rate)
        for name, crowd_met in met.items():
            if name not in names:
                label, goal = (what, goals.get(what)) if name == Ours.name else (f"{what}, {name}", None)
                made.append(Finding(label, crowd_met.rate, "/s", met[best].rate, f"{best}, the fastest of {', '.join(names)}", goal))
    rate, ends = rushes[Ours.name]
    best = max(names, key=lambda name: rushes[name][0])
    made.append(Finding(f"{TRIES} tries for {ON_SHELF} pieces", rate, "/s", rushes[best][0], f"{best}, whatever it sold", HOT))
    wrong = abs(ends[SOLD] - ON_SHELF) + abs(ends[REFUSED] - (TRIES - ON_SHELF))
    made.append(Finding("tries that ended as they should not", wrong, "", goal=0, at_most=True))
    return made


def show(figures: Figures, rushes: dict[str, tuple[float, Counter[str]]], shops: list[Kind]) -> None:
    print("\nRequests a second (p99 in ms)" + "".join(f"{shop.name:>22}" for shop in shops))
    for what, met in figures.items():
        print(f"{what:29}" + "".join(f"{f'{number(met[shop.name].rate)} ({number(met[shop.name].p99)})':>22}" for shop in shops))
    for shop in shops:
        rate, ends = rushes[shop.name]
        print(f"{TRIES} tries for {ON_SHELF} pieces, {shop.name}: {number(rate)}/s, " + ", ".join(f"{count} × {end}" for end, count in ends.most_common()))
    for shop in shops:
        print(f"  {shop.name}: {shop.does}")


@contextmanager
def own_shop() -> Iterator[Ours]:
    with tempfile.TemporaryDirectory(prefix="shop-peers-") as folder:
        var = Path(folder) / "var"
        catalogue.make(var, PRODUCTS)
        with reopened(var) as shop:
            ours = Ours(shop.port)
            ours.stock_up(shop)
            yield ours


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop bench peers", description="How does this shop do beside others on this machine? peers.md sets them up.")
    for name, kind in PEERS.items():
        parser.add_argument(f"--{name}", metavar="URL", help=f"where a {kind.name} answers on this machine")
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hot", type=int, default=1, metavar="N", help="which of the peers' hot things is sold out; each can be once")
    options = parser.parse_args()
    peers = [kind(urlsplit(url).port or 80) for name, kind in PEERS.items() if (url := getattr(options, name))]
    if not peers:
        parser.error("Say where a peer answers.")
    with own_shop() as ours:
        shops: list[Kind] = [ours, *peers]
        for shop in shops:
            warm(shop)
        figures = compare(ours, peers, options.seconds, options.rounds)
        rushes = {shop.name: hot(shop, options.hot) for shop in shops}
    show(figures, rushes, shops)
    rates = {what: {name: met.rate for name, met in of.items()} for what, of in figures.items()}
    return conclude("peers", findings(figures, rushes, peers), rates=rates, hot={name: {"rate": rate, "ends": ends} for name, (rate, ends) in rushes.items()})


if __name__ == "__main__":
    sys.exit(main())
