"""What Prometheus reads of this shop: what its processes counted since it was opened, and what its database tells now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from itertools import accumulate
from pathlib import Path

from .. import counts, db
from ..counts import BOUNDS, NOW, Count
from ..db import DRIVER_ERRORS, Tx, q
from ..errors import Unavailable
from . import dashboard

MOST_COUNTED = 10_000  # rows of a table
LABELS = {"request": ("method", "status", "route"), "mail": ("result",), "job": ("result", "job")}
# By the first word of what is counted: what it is called, its kind, and what it says.
FAMILIES = {
    "request": ("shop_http_request_seconds", "histogram", "Requests and how long their answers took, by route and status."),
    "order": ("shop_orders_placed_total", "counter", "Orders that were placed."),
    "stock_out": ("shop_stock_outs_total", "counter", "Requests that were refused since the shelf held less."),
    "mail": ("shop_mail_deliveries_total", "counter", "Mails handed to the mail server, put off by it, or given up."),
    "job": ("shop_job_seconds", "summary", "Runs of each job, done or failed, and how long they took."),
    f"{NOW}pool_in_use": ("shop_database_connections_in_use", "gauge", "Connections to the database that are in use."),
    f"{NOW}pool_waiting": ("shop_database_connections_waited_for", "gauge", "Requests that wait for a connection."),
    "pool_busy": ("shop_database_connections_refused_total", "counter", "Requests that waited for a connection in vain."),
}


def exposed(var: Path) -> str:
    """The text that Prometheus reads (exposition format 0.0.4). Without the database it tells what was counted."""
    counted = counts.collect(var)
    lines = [line for word in FAMILIES for line in _family(word, counted)]
    try:
        with db.reading() as tx:
            lines += [*_gauge("shop_database_up", "Whether the database answers.", {"": 1}), *_stored(tx)]
    except (Unavailable, *DRIVER_ERRORS):
        lines += _gauge("shop_database_up", "Whether the database answers.", {"": 0})
    return "\n".join([*lines, ""])


def _family(word: str, counted: dict[str, Count]) -> Iterator[str]:
    name, kind, words = FAMILIES[word]
    yield from (f"# HELP {name} {words}", f"# TYPE {name} {kind}")
    for key, one in sorted(counted.items()):
        if key != word and not key.startswith(f"{word} "):
            continue
        labels = _labels(dict(zip(LABELS.get(word, ()), key.removeprefix(word).split(" ", 3)[1:], strict=True)))
        if kind == "histogram":
            for bound, count in zip([*map(str, BOUNDS), "+Inf"], accumulate(one.slower_than), strict=True):
                yield f'{name}_bucket{{{labels},le="{bound}"}} {count:.0f}'
        if kind in ("histogram", "summary"):
            yield from (f"{name}_sum{{{labels}}} {one.seconds:.6f}", f"{name}_count{{{labels}}} {one.count:.0f}")
        else:
            yield f"{name}{{{labels}}} {one.count:.0f}" if labels else f"{name} {one.count:.0f}"
    if word not in LABELS and word not in counted:
        yield f"{name} 0"


def _labels(values: dict[str, str]) -> str:
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for name, value in values.items()}
    return ",".join(f'{name}="{value}"' for name, value in escaped.items())


def _gauge(name: str, words: str, values: Mapping[str, float], label: str = "") -> Iterator[str]:
    yield from (f"# HELP {name} {words}", f"# TYPE {name} gauge")
    yield from (f"{name}{{{_labels({label: value})}}} {number:.15g}" if label else f"{name} {number:.15g}" for value, number in values.items())


def _stored(tx: Tx) -> Iterator[str]:
    mails = q.metrics.get_mails(tx, most=MOST_COUNTED)
    oldest = mails.pop("oldest")
    yield from _gauge("shop_mails", "Mails that were not sent, by state, counted up to 10,000.", mails, "state")
    yield from _gauge("shop_mail_oldest_seconds", "For how long the mail that waits longest should have been sent.", {"": oldest})
    waiting = {name: int(str(count)) for name, count in dashboard.count_waiting(tx).items()}
    yield from _gauge("shop_waiting", "What waits for somebody, counted up to 1,000.", waiting, "what")
    jobs = {row["name"]: row for row in q.jobs.list_states(tx)}
    last = {name: row["finished_at"].replace(tzinfo=UTC).timestamp() for name, row in jobs.items() if row["finished_at"]}
    yield from _gauge("shop_job_finished_timestamp_seconds", "When each job ran last.", last, "job")
    yield from _gauge("shop_job_failures", "How often each job failed since it was done last.", {name: row["failures"] for name, row in jobs.items()}, "job")
