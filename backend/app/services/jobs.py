"""What the shop does by itself: one row a job, claimed by whoever moves its lease, so that no job ever runs twice at once.

A job is a function of the settings that gives a short result for the owner to read:

    @job("orders.expire_unpaid", every=30)
    def expire_unpaid(settings: Settings) -> str: ...

Jobs must bear being cut off anywhere and run again: a runner that dies leaves its lease to end.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from .. import db
from ..config import Settings
from ..db import DRIVER_ERRORS, Tx, q
from ..errors import ShopError
from . import (
    accounts,
    avatars,
    bell,
    cart,
    discovery,
    imports,
    invoices,
    limits,
    mail,
    media,
    orders,
    payments,
    recommendations,
    refunds,
    sessions,
    stock,
    trends,
    wishlist,
)

log = logging.getLogger("shop.jobs")

TICK = 0.5  # seconds between looks at what is due, unless somebody rings
LEASE_SECONDS = 30
KEEP_EVERY = 8.0  # seconds; three renewals may fail before the lease ends
PATIENCE = 20.0  # seconds that jobs under way get when the runner is told to stop


@dataclass(frozen=True)
class Job:
    """`when` looks, without writing, whether there is anything to do: an idle shop writes nothing."""

    name: str
    every: int
    run: Callable[[Settings], object]
    when: Callable[[], bool]


Registry = dict[str, Job]
registry: Registry = {}


def always() -> bool:
    return True


def job(name: str, *, every: int, when: Callable[[], bool] = always) -> Callable[[Callable[[Settings], object]], Callable[[Settings], object]]:
    """Register a function to be run every so many seconds."""

    def register(run: Callable[[Settings], object]) -> Callable[[Settings], object]:
        registry[name] = Job(name, every, run, when)
        return run

    return register


def run_forever(settings: Settings, stop: threading.Event, jobs: Registry = registry) -> None:
    """Run jobs until told to stop, then let those under way finish. The database must be open and security have its key."""
    runner = Runner(settings, jobs)
    while not stop.is_set():
        rung = bell.last_rung()
        runner.look()
        bell.wait(stop, TICK, since=rung)
    runner.finish()


class Runner:
    """One process's share of the work: each claimed job in its own thread, its lease renewed while it runs."""

    def __init__(self, settings: Settings, jobs: Registry) -> None:
        self.name = f"{socket.gethostname()[:40]}/{os.getpid()}/{secrets.token_hex(4)}"
        self._settings, self._jobs = settings, jobs
        self._running: dict[str, threading.Thread] = {}
        self._away = False

    def look(self) -> None:
        """Claim and begin what is due. A database that is away is waited for."""
        self._running = {name: thread for name, thread in self._running.items() if thread.is_alive()}
        try:
            for name in self._due():
                if db.transaction(_claim, name, self.name):
                    self._begin(self._jobs[name])
        except (ShopError, *DRIVER_ERRORS) as error:
            if not self._away:
                log.warning("the job runner waits for the database", extra={"error": type(error).__name__})
            self._away = True
        else:
            self._away = False

    def finish(self) -> None:
        """Wait for what is under way. What takes too long is cut off, and another runner's when its lease ends."""
        deadline = time.monotonic() + PATIENCE
        for thread in self._running.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _due(self) -> list[str]:
        with db.reading() as tx:
            rows = {row["name"]: row["due"] for row in q.jobs.list_all(tx)}
        for name in self._jobs.keys() - rows.keys():
            db.transaction(_add, name)
        due = [name for name in self._jobs if rows.get(name, True) and name not in self._running]
        return [name for name in due if self._jobs[name].when()]

    def _begin(self, job: Job) -> None:
        thread = threading.Thread(target=self._run, args=(job,), name=f"job {job.name}", daemon=True)
        self._running[job.name] = thread
        thread.start()

    def _run(self, job: Job) -> None:
        over = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(job, over), daemon=True)
        keeper.start()
        try:
            result = str(job.run(self._settings))
        except Exception as error:
            log.exception("job failed", extra={"job": job.name})
            self._note(_fail, job, f"{type(error).__name__}: {error}")
        else:
            self._note(_finish, job, result)
        finally:
            over.set()

    def _keep(self, job: Job, over: threading.Event) -> None:
        while not over.wait(KEEP_EVERY):
            if not self._note(_keep, job, ""):
                log.warning("a job outlived its lease", extra={"job": job.name})

    def _note(self, write: Callable[[Tx, Job, str, str], bool], job: Job, result: str) -> bool:
        # When this cannot be written the lease ends by itself and the job runs again.
        try:
            return db.transaction(write, job, self.name, result[:500])
        except (ShopError, *DRIVER_ERRORS) as error:
            log.warning("a job's state was not noted", extra={"job": job.name, "error": type(error).__name__})
            return False


def _add(tx: Tx, name: str) -> None:
    q.jobs.add(tx, name=name)


def _claim(tx: Tx, name: str, runner: str) -> bool:
    return bool(q.jobs.claim(tx, name=name, runner=runner, seconds=LEASE_SECONDS))


def _keep(tx: Tx, job: Job, runner: str, _: str) -> bool:
    return bool(q.jobs.keep(tx, name=job.name, runner=runner, seconds=LEASE_SECONDS))


def _finish(tx: Tx, job: Job, runner: str, result: str) -> bool:
    return bool(q.jobs.finish(tx, name=job.name, runner=runner, result=result, seconds=job.every))


def _fail(tx: Tx, job: Job, runner: str, result: str) -> bool:
    return bool(q.jobs.fail(tx, name=job.name, runner=runner, result=result, seconds=job.every))


@job("mail.deliver", every=1, when=mail.any_due)
def deliver_mail(settings: Settings) -> str:
    return f"{mail.deliver_due(settings)} sent"


@job("orders.expire_unpaid", every=30)
def expire_unpaid_orders(settings: Settings) -> str:
    return f"{orders.expire_due()} expired"


@job("invoices.issue", every=1, when=invoices.any_requested)
def issue_invoices(settings: Settings) -> str:
    return f"{invoices.issue_due()} issued"


@job("refunds.carry_out", every=1, when=refunds.any_due)
def carry_out_refunds(settings: Settings) -> str:
    return f"{refunds.carry_out_due(payments.refund_at_gateway)} given back"


@job("payments.reconcile", every=5, when=payments.any_to_reconcile)
def reconcile_payments(settings: Settings) -> str:
    return f"{payments.reconcile()} asked about"


@job("payments.return_unwanted", every=1, when=payments.any_unwanted)
def return_unwanted_payments(settings: Settings) -> str:
    return f"{payments.return_unwanted()} given back"


@job("orders.forget_keys", every=3600)
def forget_order_keys(settings: Settings) -> str:
    return f"{orders.forget_old_keys()} forgotten"


@job("accounts.forget_expired", every=300)
def forget_expired_challenges(settings: Settings) -> str:
    return f"{accounts.forget_expired()} forgotten"


@job("sessions.delete_expired", every=3600)
def delete_expired_sessions(settings: Settings) -> str:
    return f"{sessions.delete_expired()} deleted"


@job("limits.forget_unused", every=600)
def forget_unused_allowances(settings: Settings) -> str:
    return f"{limits.forget_unused()} forgotten"


@job("avatars.delete_orphans", every=3600)
def delete_orphaned_avatars(settings: Settings) -> str:
    return f"{avatars.delete_orphans(settings.var / 'uploads')} deleted"


@job("discovery.forget_changes", every=600)
def forget_old_changes(settings: Settings) -> str:
    return f"{discovery.forget_changes()} forgotten"


@job("trends.rank", every=120)
def rank_searches(settings: Settings) -> str:
    return f"{trends.rank()} trending"


@job("trends.forget_old", every=3600)
def forget_old_searches(settings: Settings) -> str:
    return f"{trends.forget_old()} forgotten"


@job("trends.count_sold", every=3600)
def count_sold_pieces(settings: Settings) -> str:
    return f"{trends.count_sold()} changed"


@job("recommendations.reckon", every=3600)
def reckon_recommendations(settings: Settings) -> str:
    relations, recommended = recommendations.reckon()
    return f"{relations} relations and {recommended} recommendations changed"


@job("guests.forget_stale", every=3600)
def forget_stale_guests(settings: Settings) -> str:
    return f"{cart.forget_stale()} carts and {wishlist.forget_stale()} wishes forgotten"


@job("imports.carry_out", every=1, when=imports.any_due)
def carry_out_imports(settings: Settings) -> str:
    return f"{imports.carry_out_due(settings.var)} carried out"


@job("imports.forget_files", every=3600)
def forget_import_files(settings: Settings) -> str:
    return f"{imports.forget_files(settings.var)} deleted"


@job("media.delete_orphans", every=3600)
def delete_orphaned_pictures(settings: Settings) -> str:
    return f"{media.delete_orphans(settings.var / 'uploads')} deleted"


@job("stock.tell_who_waits", every=30)
def tell_who_waits(settings: Settings) -> str:
    return f"{stock.tell_who_waits()} told"
