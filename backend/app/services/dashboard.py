"""What the owner sees first: what was sold, day by day, and what waits for somebody.

Sales are the totals of orders that were placed and not given up, on the day of their placing, in the shop's time (UTC), before refunds;
an order that waits for its money is not among them yet. A job sums up the days, so that a year costs what a week does.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from typing_extensions import TypedDict

from .. import db, money
from ..db import Row, Tx, q
from . import settings

By = Literal["day", "week", "month"]
DAYS, WEEKS, MONTHS = 30, 26, 12  # that are shown
SHOWN = 5  # best-sellers, and as many that run low
MOST_COUNTED = 1000  # of what waits; of more it is only said that there are more
STEP = 2000  # steps of orders that one transaction looks at
CART_DAYS = 90  # as long as a guest's cart is kept


class Figures(TypedDict):
    """`conversion_bp`: of those who had something in their cart on a day, the part that ordered on it, in hundredths of a per cent.

    It is orders ÷ (orders + carts last touched on that day that still hold something), over the days whose carts were counted.
    """

    orders: int
    sales_minor: int
    average_minor: int | None
    conversion_bp: int | None


class Span(Figures):
    """Figures of the days from `since` to `until`, both within."""

    since: date
    until: date


class BestSeller(TypedDict):
    """`stock` is null where nobody counts."""

    id: int
    title: str
    sold_count: int
    stock: int | None


class Scarce(TypedDict):
    product_id: int
    title: str
    options: str
    stock: int


class Waiting(TypedDict):
    """How many rows there are of each, counted up to 1,000."""

    to_send: int
    unpaid: int
    returns_asked: int
    tickets: int
    reviews: int
    payments_pending: int
    payments_troubled: int
    mails_failed: int
    jobs_failing: int
    low_stock: int


class Dashboard(TypedDict):
    """`before` are as many days right before those of `now`; `best` counts the pieces of the last 90 days."""

    currency: str
    by: By
    now: Span
    before: Span
    items: list[Span]
    waiting: Waiting
    best: list[BestSeller]
    low: list[Scarce]


@dataclass(frozen=True)
class _Day:
    orders: int = 0
    sales_minor: int = 0
    carts_left: int | None = None


def get(by: By) -> Dashboard:
    """The days up to today, in a fixed number of statements, however many orders there are."""
    with db.reading() as tx:
        today = q.dashboard.get_today(tx)
        starts = _starts(by, today)
        length = today - starts[0] + timedelta(days=1)
        rows = q.dashboard.list_days(tx, since=starts[0] - length, before=today)
        days = {row["day"]: _Day(row["orders"], row["sales_minor"], row["carts_left"]) for row in rows}
        days[today] = _Day(**q.dashboard.get_day(tx, day=today))
        shop = settings.shop(tx)
        waiting = count_waiting(tx)
        best = q.dashboard.list_best(tx, most=SHOWN)
        low = q.dashboard.list_low(tx, low_stock=shop["low_stock"], most=SHOWN)
    ends = [start - timedelta(days=1) for start in starts[1:]] + [today]
    return {
        "currency": shop["currency"],
        "by": by,
        "now": _span(days, starts[0], today),
        "before": _span(days, starts[0] - length, starts[0] - timedelta(days=1)),
        "items": [_span(days, start, end) for start, end in zip(starts, ends, strict=True)],
        "waiting": waiting,
        "best": best,
        "low": [_scarce(row) for row in low],
    }


def count_waiting(tx: Tx) -> Waiting:
    counted: Waiting = q.dashboard.count_waiting(tx, most=MOST_COUNTED + 1, low_stock=settings.shop(tx)["low_stock"])
    return counted


def _starts(by: By, today: date) -> list[date]:
    """The first days of what is shown; weeks begin on Monday."""
    if by == "day":
        return [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    if by == "week":
        monday = today - timedelta(days=today.weekday())
        return [monday - timedelta(weeks=ago) for ago in reversed(range(WEEKS))]
    months = [today.year * 12 + today.month - 1 - ago for ago in reversed(range(MONTHS))]
    return [date(month // 12, month % 12 + 1, 1) for month in months]


def _span(days: dict[date, _Day], since: date, until: date) -> Span:
    within = [days.get(since + timedelta(days=number), _Day()) for number in range((until - since).days + 1)]
    counted = [day for day in within if day.carts_left is not None]
    orders, sales = sum(day.orders for day in within), sum(day.sales_minor for day in within)
    ordered = sum(day.orders for day in counted)
    with_cart = ordered + sum(day.carts_left or 0 for day in counted)
    return {
        "since": since,
        "until": until,
        "orders": orders,
        "sales_minor": sales,
        "average_minor": money.rounded(sales, orders) if orders else None,
        "conversion_bp": money.rounded(ordered * 10_000, with_cart) if with_cart else None,
    }


def _scarce(row: Row) -> Scarce:
    options = " / ".join(row[name] for name in ("option1", "option2", "option3") if row[name])
    return {"product_id": row["id"], "title": row["title"], "options": options, "stock": row["stock"]}


# ---------------------------------------------------------------- the sums of each day


def any_to_reckon() -> bool:
    with db.reading() as tx:
        yesterday = q.dashboard.get_today(tx) - timedelta(days=1)
        counted = q.dashboard.get_carts_counted(tx)
        return counted is None or counted < yesterday or q.dashboard.has_steps(tx, event_id=q.dashboard.get_settled(tx) or 0) is not None


def reckon() -> int:
    """Sum up the days whose orders went a step since the last time, and count the carts of the days that are over; gives how many days."""
    reckoned = db.transaction(_count_carts)
    while True:
        days, more = db.transaction(_reckon)
        reckoned += days
        if not more:
            return reckoned


def _reckon(tx: Tx) -> tuple[int, bool]:
    """What is not settled yet is looked at again the next time."""
    former = q.dashboard.get_settled(tx) or 0
    steps = q.dashboard.list_steps(tx, event_id=former, most=STEP)
    settled = [step["id"] for step in itertools.takewhile(lambda step: step["settled"], steps)]
    days = sorted({step["day"] for step in steps})
    for day in days:
        q.dashboard.reckon(tx, day=day, before=day + timedelta(days=1), event_id=settled[-1] if settled else former)
    return len(days), len(settled) == STEP


def _count_carts(tx: Tx) -> int:
    today = q.dashboard.get_today(tx)
    last = q.dashboard.get_carts_counted(tx) or today - timedelta(days=CART_DAYS)
    days = [last + timedelta(days=number) for number in range(1, (today - last).days)]
    for day in days:
        q.dashboard.count_carts(tx, day=day, before=day + timedelta(days=1))
    return len(days)
