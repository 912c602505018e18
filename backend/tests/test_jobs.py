from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import ShopClient
from factories import User
from flask import Flask

from app import db
from app.config import ROOT, Settings
from app.errors import Unavailable
from app.private_database import PrivateDatabase
from app.services import jobs, mail
from app.services.jobs import Job, Runner, always

# A runner of one job, which never rests and writes down when it begins and ends.
WORKER = """
import json, os, sys, threading, time
from app import db
from app.services import jobs

def run(settings):
    for what in ("begins", "ends"):
        os.write(log, f"{os.getpid()} {what}\\n".encode())
        time.sleep(0.02)

jobs.TICK = 0.01
db.open(db.Address(**json.loads(sys.argv[1])), size=3)
log = os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
jobs.run_forever(None, threading.Event(), {"test.job": jobs.Job("test.job", 0, run, jobs.always)})
"""


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with db.reading() as tx:
        return list(tx.execute(sql, params).fetchall())


def change(sql: str, *params: Any) -> None:
    with db.reading() as tx:
        tx.execute(sql, params).close()


def only(run: Callable[[Settings], object], *, every: int = 60, when: Callable[[], bool] = always) -> dict[str, Job]:
    return {"test.job": Job("test.job", every, run, when)}


def restless() -> set[str]:
    """Jobs that run whether or not there is anything to do."""
    return {name for name, job in jobs.registry.items() if job.when is always}


def everything_is_due() -> None:
    change("UPDATE jobs SET due_at = due_at - INTERVAL 1 DAY")


def eventually(true: Callable[[], object], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def running(settings: Settings, registry: dict[str, Job]) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=jobs.run_forever, args=(settings, stop, registry))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def shop_settings(shop: Flask, app_settings: Settings) -> Settings:
    return app_settings


def test_a_job_runs_its_result_is_kept_and_its_next_time_set(shop_settings: Settings) -> None:
    seen: list[Settings] = []
    runner = Runner(shop_settings, only(lambda settings: seen.append(settings) or "7 done", every=3600))
    runner.look()
    runner.finish()
    assert seen == [shop_settings]
    ((result, failures, holder, next_in),) = rows(
        "SELECT last_result, failures, leased_by, TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(6), due_at) FROM jobs WHERE name = 'test.job'"
    )
    assert (result, failures, holder) == ("7 done", 0, None)
    assert 58 <= next_in <= 60
    runner.look()
    assert len(seen) == 1


def test_many_runners_run_a_job_once(shop_settings: Settings) -> None:
    ran: list[int] = []
    runners = [Runner(shop_settings, only(lambda settings: ran.append(1))) for _ in range(8)]
    threads = [threading.Thread(target=runner.look) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for runner in runners:
        runner.finish()
    assert len(ran) == 1


def test_two_workers_on_one_database_never_run_a_job_at_once_and_one_goes_on_when_the_other_is_killed(
    shop_settings: Settings, server: PrivateDatabase, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, json.dumps(asdict(server.address())), str(log)], cwd=ROOT / "backend") for _ in range(2)]

    def told() -> list[list[str]]:
        return [line.split() for line in log.read_text().splitlines()] if log.exists() else []

    try:
        assert eventually(lambda: {who for who, _ in told()} == {str(worker.pid) for worker in workers}, seconds=20)
        victim = next(worker for worker in workers if str(worker.pid) == told()[-1][0])
        victim.kill()
        victim.wait()
        before = len(told())
        change("UPDATE jobs SET leased_until = UTC_TIMESTAMP(6)")  # as if the time of the dead worker's lease were over
        assert eventually(lambda: len(told()) > before + 10)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    running = ""
    for who, what in told():
        assert running == who if what == "ends" else running in ("", str(victim.pid)), told()
        running = who if what == "begins" else ""


def test_a_job_under_way_is_not_begun_again(shop_settings: Settings) -> None:
    go, began = threading.Event(), []

    def slow(settings: Settings) -> None:
        began.append(1)
        go.wait(10)

    first, second = Runner(shop_settings, only(slow)), Runner(shop_settings, only(slow))
    first.look()
    everything_is_due()
    first.look()
    second.look()
    go.set()
    first.finish()
    second.finish()
    assert len(began) == 1


def test_a_long_job_keeps_its_lease(shop_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LEASE_SECONDS", 1)
    monkeypatch.setattr(jobs, "KEEP_EVERY", 0.2)
    go, began = threading.Event(), []

    def slow(settings: Settings) -> None:
        began.append(1)
        go.wait(10)

    first, second = Runner(shop_settings, only(slow)), Runner(shop_settings, only(slow))
    first.look()
    for _ in range(10):
        time.sleep(0.2)
        second.look()
    go.set()
    first.finish()
    second.finish()
    assert len(began) == 1


def test_a_job_of_a_runner_that_died_is_taken_over(shop_settings: Settings) -> None:
    ran: list[int] = []
    registry = only(lambda settings: ran.append(1))
    Runner(shop_settings, registry)._due()
    assert db.transaction(jobs._claim, "test.job", "a runner that was killed")
    survivor = Runner(shop_settings, registry)
    survivor.look()
    assert ran == []
    change("UPDATE jobs SET leased_until = UTC_TIMESTAMP(6)")
    survivor.look()
    survivor.finish()
    assert ran == [1]


def test_a_job_that_fails_is_tried_again_after_growing_pauses(shop_settings: Settings) -> None:
    def fails(settings: Settings) -> None:
        raise ValueError("the reason")

    runner, pauses = Runner(shop_settings, only(fails, every=1)), []
    for _ in range(11):
        runner.look()
        runner.finish()
        pauses.append(int(rows("SELECT ROUND(TIMESTAMPDIFF(MICROSECOND, finished_at, due_at) / 1000000) FROM jobs")[0][0]))
        everything_is_due()
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    assert rows("SELECT failures, last_result FROM jobs") == [(11, "ValueError: the reason")]


def test_one_failure_does_not_hold_up_the_other_jobs_and_is_forgotten_by_a_success(shop_settings: Settings) -> None:
    faults = [ValueError("once")]

    def fails_once(settings: Settings) -> str:
        if faults:
            raise faults.pop()
        return "well"

    registry = only(fails_once) | {"test.other": Job("test.other", 60, lambda settings: "fine", always)}
    runner = Runner(shop_settings, registry)
    for _ in range(2):
        runner.look()
        runner.finish()
        everything_is_due()
    assert rows("SELECT name, failures, last_result FROM jobs ORDER BY name") == [("test.job", 0, "well"), ("test.other", 0, "fine")]


def test_a_job_with_nothing_to_do_writes_nothing(shop_settings: Settings) -> None:
    runner = Runner(shop_settings, only(lambda settings: "done", when=lambda: False))
    runner.look()
    before = rows("SELECT * FROM jobs")
    runner.look()
    runner.finish()
    assert rows("SELECT * FROM jobs") == before
    assert before[0][4] is None


def test_the_runner_survives_an_outage_of_the_database(shop_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[datetime] = []
    transaction = db.transaction

    def away(*args: Any, **kwargs: Any) -> Any:
        raise Unavailable("The database does not answer.")

    with running(shop_settings, only(lambda settings: ran.append(datetime.now()), every=1)):
        assert eventually(lambda: ran)
        monkeypatch.setattr(db, "transaction", away)
        time.sleep(1)
        during = len(ran)
        time.sleep(1)
        assert len(ran) == during
        monkeypatch.setattr(db, "transaction", transaction)
        # What it could not note as finished is free again when the lease ends.
        change("UPDATE jobs SET leased_until = UTC_TIMESTAMP(6)")
        assert eventually(lambda: len(ran) > during)


def test_a_mail_that_is_rung_for_goes_out_long_before_the_next_look(shop_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "TICK", 30)
    looked: list[bool] = []
    deliver = jobs.registry["mail.deliver"]
    with running(shop_settings, {deliver.name: Job(deliver.name, 1, deliver.run, lambda: looked.append(True) or deliver.when())}):
        assert eventually(lambda: looked)
        db.transaction(mail.enqueue, "password_changed", "alice@example.com", {"username": "alice"})
        assert eventually(lambda: rows("SELECT 1 FROM mails WHERE status = 'sent'"), seconds=5)


def test_stopping_lets_a_job_finish(shop_settings: Settings) -> None:
    began = threading.Event()

    def slow(settings: Settings) -> str:
        began.set()
        time.sleep(1)
        return "to the end"

    with running(shop_settings, only(slow)) as stop:
        assert began.wait(10)
        stop.set()
    assert rows("SELECT last_result, leased_by FROM jobs") == [("to the end", None)]


def test_a_queued_mail_is_delivered_within_two_seconds(shop_settings: Settings) -> None:
    with running(shop_settings, jobs.registry):
        assert eventually(lambda: restless() <= {name for (name,) in rows("SELECT name FROM jobs WHERE finished_at IS NOT NULL")})
        for _ in range(2):
            began = time.monotonic()
            db.transaction(mail.enqueue, "welcome", "alice@example.com", {"username": "alice"})
            assert eventually(lambda: not rows("SELECT 1 FROM mails WHERE status = 'queued'"))
            assert time.monotonic() - began < 2


def test_every_job_of_the_shop_runs_and_says_what_it_did(shop_settings: Settings) -> None:
    db.transaction(mail.enqueue, "welcome", "alice@example.com", {"username": "alice"})
    runner = Runner(shop_settings, jobs.registry)
    runner.look()
    runner.finish()
    states = {name: (failures, result) for name, failures, result in rows("SELECT name, failures, last_result FROM jobs")}
    assert states.keys() == jobs.registry.keys()
    assert all(states[name][0] == 0 and states[name][1] for name in restless()), states
    assert states["mail.deliver"] == (0, "1 sent")


# ---------------------------------------------------------------- as the owner sees them

DESK = "/api/v1/admin/jobs"


@pytest.fixture
def desk(new_client: Callable[[], ShopClient], ada: User) -> ShopClient:
    return new_client().as_(ada)


def test_the_owner_sees_what_each_job_is_for_and_has_it_run_at_once_whether_or_not_there_is_work(
    desk: ShopClient, ada: User, shop_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "TICK", 30)
    listed = desk.get(DESK).json
    assert {row["name"] for row in listed["items"]} == jobs.registry.keys() and listed["total"] == len(jobs.registry)
    assert all(row["about"].endswith(".") and row["due_at"] is None for row in listed["items"]), "every job says what it is for"
    first = desk.get(f"{DESK}?limit=5").json
    assert [row["name"] for row in desk.get(f"{DESK}?limit=100&after={first['next']}").json["items"]] == sorted(jobs.registry)[5:]
    assert [row["name"] for row in desk.get(f"{DESK}?q=FIT NO").json["items"]] == []
    assert [row["name"] for row in desk.get(f"{DESK}?q=mails that WAIT").json["items"]] == ["mail.deliver"]

    deliver = jobs.registry["mail.deliver"]
    looked: list[bool] = []
    with running(shop_settings, {deliver.name: Job(deliver.name, 60, deliver.run, lambda: bool(looked.append(True)))}):
        assert eventually(lambda: looked)
        asked = desk.post(f"{DESK}/mail.deliver/runs").json
        assert (asked["name"], asked["waits"]) == ("mail.deliver", True)
        assert eventually(lambda: desk.get(f"{DESK}/mail.deliver").json["last_result"] == "0 sent", seconds=5)
    now = desk.get(f"{DESK}/mail.deliver").json
    assert (now["asked"], now["running"], now["failures"]) == (False, False, 0)
    assert [run["result"] for run in desk.get(f"{DESK}/mail.deliver/runs").json["items"]] == ["0 sent"]
    assert rows("SELECT actor_id, detail FROM events WHERE kind = 'job_asked'") == [(ada.id, '{"job":"mail_deliver"}')]
    assert [desk.get(f"{DESK}/{path}").status_code for path in ("no.job", "no.job/runs")] == [404, 404]


def test_a_job_that_is_asked_for_while_it_runs_runs_again(desk: ShopClient, shop_settings: Settings) -> None:
    go, began = threading.Event(), []

    def slow(settings: Settings) -> None:
        began.append(1)
        go.wait(10)

    runner = Runner(shop_settings, {"mail.deliver": Job("mail.deliver", 3600, slow, always)})
    runner.look()
    assert desk.post(f"{DESK}/mail.deliver/runs").json["running"]
    assert [row["name"] for row in desk.get(f"{DESK}?state=running").json["items"]] == ["mail.deliver"]
    go.set()
    for _ in range(2):
        runner.finish()
        runner.look()
    runner.finish()
    assert len(began) == 2


def test_the_log_of_runs_keeps_the_latest_and_the_latest_that_failed(desk: ShopClient, shop_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "KEPT_RUNS", 2)
    results = iter(["0", "boom", "2", "boom", "boom", "5", "6"])

    def mixed(settings: Settings) -> str:
        result = next(results)
        if result == "boom":
            raise ValueError(result)
        return result

    runner = Runner(shop_settings, {"mail.deliver": Job("mail.deliver", 60, mixed, always)})
    for _ in range(7):
        runner.look()
        runner.finish()
        everything_is_due()
        if (failing := rows("SELECT failures FROM jobs")[0][0]) == 2:
            assert [row["failures"] for row in desk.get(f"{DESK}?state=failing").json["items"]] == [failing]
    log = f"{DESK}/mail.deliver/runs"
    assert jobs.forget_runs() == 3
    assert [run["result"] for run in desk.get(log).json["items"]] == ["6", "5", "ValueError: boom", "ValueError: boom"]
    assert [run["failed"] for run in desk.get(f"{log}?failed=true").json["items"]] == [True, True]
    first = desk.get(f"{log}?limit=3").json
    assert [run["result"] for run in desk.get(f"{log}?after={first['next']}").json["items"]] == ["ValueError: boom"]
    assert rows("SELECT COUNT(*) FROM events WHERE kind = 'fault' AND subject_kind = 'job'") == [(3,)]
