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
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from typing_extensions import TypedDict

from .. import counts, db
from ..config import Settings
from ..db import DRIVER_ERRORS, Row, Tx, q
from ..errors import NotFound, ShopError
from . import (
    accounts,
    attachments,
    avatars,
    backups,
    bell,
    bulk_actions,
    cart_reminders,
    dashboard,
    discovery,
    doctor,
    events,
    imports,
    invoices,
    limits,
    mail,
    media,
    newsletters,
    orders,
    payments,
    product_actions,
    recommendations,
    refunds,
    retention,
    sessions,
    stock,
    subscribers,
    trends,
    user_actions,
)

log = logging.getLogger("shop.jobs")

TICK = 0.5  # seconds between looks at what is due, unless somebody rings
LEASE_SECONDS = 30
KEEP_EVERY = 8.0  # seconds; three renewals may fail before the lease ends
KEPT_RUNS = 200  # of each job, and as many that failed
PATIENCE = 20.0  # seconds that jobs under way get when the runner is told to stop
# After each statement a thread waits for its turn among busy ones. With Python's 5 ms, a batch of an
# import would hold its locks for 100 ms longer while another job composes emails.
SWITCH_INTERVAL_SECONDS = 0.0005


@dataclass(frozen=True)
class Job:
    """`when` looks, without writing, whether there is anything to do: an idle shop writes nothing. `about` is what the owner reads of it."""

    name: str
    every: int
    run: Callable[[Settings], object]
    when: Callable[[], bool]
    about: str = ""


# Imported for the handlers that they register: a runner applies bulk actions that any process started.
BULK_ACTION_MODULES = (product_actions, user_actions)

Registry = dict[str, Job]
registry: Registry = {}


def always() -> bool:
    return True


def job(name: str, *, every: int, when: Callable[[], bool] = always) -> Callable[[Callable[[Settings], object]], Callable[[Settings], object]]:
    """Register a function to be run every so many seconds."""

    def register(run: Callable[[Settings], object]) -> Callable[[Settings], object]:
        registry[name] = Job(name, every, run, when, (run.__doc__ or "").strip())
        return run

    return register


def run_forever(settings: Settings, stop: threading.Event, jobs: Registry = registry) -> None:
    """Run jobs until told to stop, then let those under way finish. The database must be open and security have its key."""
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
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
            rows = {row["name"]: row for row in q.jobs.list_all(tx)}
        for name in self._jobs.keys() - rows.keys():
            db.transaction(_add, name)
        due = [name for name in self._jobs if (name not in rows or rows[name]["due"]) and name not in self._running]
        return [name for name in due if name in rows and rows[name]["asked"] or self._jobs[name].when()]

    def _begin(self, job: Job) -> None:
        thread = threading.Thread(target=self._run, args=(job,), name=f"job {job.name}", daemon=True)
        self._running[job.name] = thread
        thread.start()

    def _run(self, job: Job) -> None:
        over = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(job, over), daemon=True)
        keeper.start()
        began = time.perf_counter()
        try:
            result = str(job.run(self._settings))
        except Exception as error:
            log.exception("job failed", extra={"job": job.name})
            counts.add(f"job failed {job.name}", seconds=time.perf_counter() - began)
            self._note(_fail, job, f"{type(error).__name__}: {error}")
        else:
            counts.add(f"job done {job.name}", seconds=time.perf_counter() - began)
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
    return bool(
        q.jobs.finish(tx, name=job.name, runner=runner, result=result, seconds=job.every) and q.jobs.add_run(tx, name=job.name, runner=runner, failed=False)
    )


def _fail(tx: Tx, job: Job, runner: str, result: str) -> bool:
    if not q.jobs.fail(tx, name=job.name, runner=runner, result=result, seconds=job.every):
        return False
    events.note(tx, "fault", None, subject="job", job=events.as_word(job.name))
    return bool(q.jobs.add_run(tx, name=job.name, runner=runner, failed=True))


# ---------------------------------------------------------------- as the owner sees them

State = Literal["", "running", "failing"]


class JobRow(TypedDict):
    """`waits`: it runs as soon as there is something to do, and is looked after every so many seconds. `asked`: somebody wants it run now."""

    name: str
    about: str
    every_seconds: int
    waits: bool
    running: bool
    asked: bool
    due_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    failures: int
    last_result: str


class JobRows(TypedDict):
    items: list[JobRow]
    next: str | None
    total: int


class Run(TypedDict):
    id: int
    started_at: datetime
    finished_at: datetime
    failed: bool
    result: str
    runner: str


class Runs(TypedDict):
    items: list[Run]
    next: str | None


def list_all(text: str, state: State, *, limit: int, after: str) -> JobRows:
    """All jobs by name, those that no runner has met yet too."""
    with db.reading() as tx:
        rows = {row["name"]: row for row in q.jobs.list_states(tx)}
    every = [_shown(job, rows.get(name)) for name, job in sorted(registry.items())]
    found = [row for row in every if text.lower() in f"{row['name']} {row['about']}".lower() and _is(row, state)]
    page = [row for row in found if row["name"] > after]
    return {"items": page[:limit], "next": page[limit - 1]["name"] if len(page) > limit else None, "total": len(found)}


def _is(row: JobRow, state: State) -> bool:
    return not state or (row["running"] if state == "running" else row["failures"] > 0)


def _shown(job: Job, row: Row | None) -> JobRow:
    known = row or {"due_at": None, "started_at": None, "finished_at": None, "failures": 0, "last_result": "", "running": False, "asked": False}
    state = {**known, "running": bool(known["running"]), "asked": bool(known["asked"])}
    return {**state, "name": job.name, "about": job.about, "every_seconds": job.every, "waits": job.when is not always}  # type: ignore[typeddict-item]


def get(name: str) -> JobRow:
    """One of them. Raises NotFound."""
    job = _named(name)
    with db.reading() as tx:
        row = next((row for row in q.jobs.list_states(tx) if row["name"] == name), None)
    return _shown(job, row)


def ask(name: str, *, actor_id: int) -> JobRow:
    """Have a job run at once, whether or not it is time and there is anything to do; one that is running runs again afterwards. Raises NotFound."""
    db.transaction(_ask, _named(name), actor_id)
    return get(name)


def _ask(tx: Tx, job: Job, actor_id: int) -> None:
    q.jobs.add(tx, name=job.name)
    q.jobs.ask(tx, name=job.name)
    events.note(tx, "job_asked", None, subject="job", actor_id=actor_id, job=events.as_word(job.name))
    bell.ring(tx)


def _named(name: str) -> Job:
    if name not in registry:
        raise NotFound("There is no such job.")
    return registry[name]


def list_runs(name: str, *, failed: bool, limit: int, after: int | None) -> Runs:
    """The latest runs of a job, or those of them that failed, newest first. Raises NotFound."""
    with db.reading() as tx:
        rows = q.jobs.list_runs(tx, job=_named(name).name, failed=[True] if failed else [False, True], after_id=after, limit=limit + 1)
    following = str(rows[limit - 1]["id"]) if len(rows) > limit else None
    return {"items": [{**row, "failed": bool(row["failed"])} for row in rows[:limit]], "next": following}  # type: ignore[typeddict-item]


def forget_runs() -> int:
    """Take away all but the latest runs of each job."""
    return sum(db.transaction(_forget_runs, name, failed) for name in registry for failed in (False, True))


def _forget_runs(tx: Tx, name: str, failed: bool) -> int:
    oldest = q.jobs.get_oldest_kept(tx, job=name, failed=failed, before=KEPT_RUNS - 1)
    return q.jobs.delete_runs(tx, job=name, failed=failed, oldest=oldest) if oldest else 0


# ---------------------------------------------------------------- what they are


@job("mail.deliver", every=1, when=mail.any_due)
def deliver_mail(settings: Settings) -> str:
    """Sends the mails that wait."""
    return f"{mail.deliver_due(settings)} sent"


@job("dashboard.reckon", every=60, when=dashboard.any_to_reckon)
def reckon_daily_sales(settings: Settings) -> str:
    """Sums up what was sold on each day, for the first page of the owner's side."""
    return f"{dashboard.reckon()} days summed up"


@job("newsletters.send", every=1, when=newsletters.any_to_do)
def send_newsletters(settings: Settings) -> str:
    """Writes newsletters to their readers, a few at a time, so that other mails need not wait."""
    return f"{newsletters.send_due(settings)} written"


@job("newsletters.forget", every=3600)
def forget_readers_and_unconfirmed(settings: Settings) -> str:
    """Forgets addresses that never confirmed that they want the newsletter, and who got those of long ago."""
    return f"{subscribers.forget_unconfirmed()} addresses and {newsletters.forget_readers()} readers forgotten"


@job("carts.remind", every=600, when=cart_reminders.any_due)
def remind_of_carts(settings: Settings) -> str:
    """Reminds customers who asked for it of a cart that they left."""
    return f"{cart_reminders.remind_due()} reminded"


@job("orders.expire_unpaid", every=30)
def expire_unpaid_orders(settings: Settings) -> str:
    """Gives up orders that were not paid in time, and puts their goods back."""
    return f"{orders.expire_due()} expired"


@job("invoices.issue", every=1, when=invoices.any_requested)
def issue_invoices(settings: Settings) -> str:
    """Draws invoices and credit notes, and mails them."""
    return f"{invoices.issue_due()} issued"


@job("refunds.carry_out", every=1, when=refunds.any_due)
def carry_out_refunds(settings: Settings) -> str:
    """Gives money back that was promised."""
    return f"{refunds.carry_out_due(payments.refund_at_gateway)} given back"


@job("payments.reconcile", every=5, when=payments.any_to_reconcile)
def reconcile_payments(settings: Settings) -> str:
    """Asks the payment service about payments it has not told of."""
    return f"{payments.reconcile()} asked about"


@job("payments.return_unwanted", every=1, when=payments.any_unwanted)
def return_unwanted_payments(settings: Settings) -> str:
    """Sends money back that fits no order."""
    return f"{payments.return_unwanted()} given back"


@job("orders.forget_keys", every=3600)
def forget_order_keys(settings: Settings) -> str:
    """Forgets the keys that keep an order from being placed twice."""
    return f"{retention.forget_keys()} forgotten"


@job("accounts.forget_expired", every=300)
def forget_expired_challenges(settings: Settings) -> str:
    """Forgets codes and sign-ups whose time is over."""
    return f"{accounts.forget_expired()} forgotten"


@job("sessions.delete_expired", every=3600)
def delete_expired_sessions(settings: Settings) -> str:
    """Ends sessions that nobody used for long."""
    return f"{sessions.delete_expired()} deleted"


@job("limits.forget_unused", every=600)
def forget_unused_allowances(settings: Settings) -> str:
    """Forgets who did something often, once it is long ago."""
    return f"{limits.forget_unused()} forgotten"


@job("attachments.delete_orphans", every=3600)
def delete_orphaned_attachments(settings: Settings) -> str:
    """Deletes pictures that were uploaded for a message and never sent."""
    return f"{attachments.delete_orphans(settings.var / 'uploads')} deleted"


@job("avatars.delete_orphans", every=3600)
def delete_orphaned_avatars(settings: Settings) -> str:
    """Deletes portraits that belong to nobody."""
    return f"{avatars.delete_orphans(settings.var / 'uploads')} deleted"


@job("discovery.forget_changes", every=600)
def forget_old_changes(settings: Settings) -> str:
    """Forgets changes that every search index has."""
    return f"{discovery.forget_changes()} forgotten"


@job("trends.rank", every=120)
def rank_searches(settings: Settings) -> str:
    """Ranks what shoppers searched for."""
    return f"{trends.rank()} trending"


@job("trends.forget_old", every=3600)
def forget_old_searches(settings: Settings) -> str:
    """Forgets searches of long ago."""
    return f"{trends.forget_old()} forgotten"


@job("trends.count_sold", every=3600)
def count_sold_pieces(settings: Settings) -> str:
    """Counts what sold, for the best-sellers."""
    return f"{trends.count_sold()} changed"


@job("recommendations.reckon", every=3600)
def reckon_recommendations(settings: Settings) -> str:
    """Reckons what is bought together, and for whom."""
    relations, recommended = recommendations.reckon()
    return f"{relations} relations and {recommended} recommendations changed"


@job("guests.forget_stale", every=3600)
def forget_stale_guests(settings: Settings) -> str:
    """Forgets carts and wishes of guests who did not come back."""
    carts, wishes = retention.forget_guests()
    return f"{carts} carts and {wishes} wishes forgotten"


@job("mails.forget_old", every=3600)
def forget_old_mails(settings: Settings) -> str:
    """Forgets that mails were sent, as long ago as the owner chose; mails about orders stay."""
    return f"{retention.forget_mails()} forgotten"


@job("contact.forget_old", every=3600)
def forget_old_messages(settings: Settings) -> str:
    """Forgets messages that were dealt with, as long ago as the owner chose."""
    return f"{retention.forget_messages()} forgotten"


@job("imports.carry_out", every=1, when=imports.any_due)
def carry_out_imports(settings: Settings) -> str:
    """Reads product files and brings them in."""
    return f"{imports.carry_out_due(settings.var)} carried out"


@job("bulk_actions.apply", every=1, when=bulk_actions.any_due)
def apply_bulk_actions(settings: Settings) -> str:
    """Applies bulk actions that were started and are not finished."""
    return f"{bulk_actions.apply_due(settings.var)} applied"


@job("bulk_actions.purge", every=3600)
def purge_bulk_actions(settings: Settings) -> str:
    """Deletes plans of bulk actions that can no longer be undone."""
    return f"{bulk_actions.purge()} deleted"


@job("imports.forget_files", every=3600)
def forget_import_files(settings: Settings) -> str:
    """Deletes files of imports that are done."""
    return f"{imports.forget_files(settings.var)} deleted"


@job("media.delete_orphans", every=3600)
def delete_orphaned_pictures(settings: Settings) -> str:
    """Deletes pictures that no product shows."""
    return f"{media.delete_orphans(settings.var / 'uploads')} deleted"


@job("stock.tell_who_waits", every=30)
def tell_who_waits(settings: Settings) -> str:
    """Writes to shoppers who wait for what is back in stock."""
    return f"{stock.tell_who_waits()} told"


@job("backups.carry_out", every=1, when=backups.any_due)
def carry_out_backups(settings: Settings) -> str:
    """Makes, proves and restores backups, one at a time."""
    return backups.carry_out(settings)


@job("backups.by_night", every=60, when=backups.night_came)
def make_nightly_backup(settings: Settings) -> str:
    """Has a backup made each night, and old ones deleted."""
    return backups.ask_by_night(settings.var)


@job("doctor.examine", every=86_400)
def examine_data(settings: Settings) -> str:
    """Examines the data, and tells the owner of what contradicts itself."""
    broken = doctor.examine_by_night(settings)
    return f"broken: {', '.join(broken)}" if broken else f"all {len(doctor.checks())} invariants are held"


@job("jobs.forget_runs", every=600)
def forget_old_runs(settings: Settings) -> str:
    """Takes away the older entries of this log."""
    return f"{forget_runs()} forgotten"
