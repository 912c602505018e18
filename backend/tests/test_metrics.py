from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import factories
import pytest
from conftest import Make, ShopClient
from factories import Thing
from flask.testing import FlaskClient

from app import counts, db
from app.config import ROOT
from app.errors import Unavailable
from app.services import jobs, mail

LINE = re.compile(r'([a-z_]+(?:\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*\})?) (-?[0-9.e+]+|NaN)')
REQUESTS = "shop_http_request_seconds"
COUNTING = "import sys; from pathlib import Path; from app import counts; counts.use(Path(sys.argv[1]))"


def told(browser: FlaskClient) -> dict[str, float]:
    """Every figure by its name and labels; each line is held to the format."""
    answer = browser.get("/metrics")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    lines = [line for line in answer.text.splitlines() if not re.fullmatch(r"# (HELP [a-z_]+ \S.*|TYPE [a-z_]+ (counter|gauge|histogram|summary))", line)]
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), [line for line, one in zip(lines, found, strict=True) if not one]
    figures = {one[1]: float(one[2]) for one in found if one}
    assert len(figures) == len(lines), "no figure stands twice"
    return figures


def grown(browser: FlaskClient, work: Callable[[], object]) -> dict[str, float]:
    """What was counted meanwhile."""
    before = told(browser)
    work()
    return {name: value - before.get(name, 0) for name, value in told(browser).items() if value != before.get(name, 0)}


def test_requests_are_counted_by_route_and_status_with_their_times(client: ShopClient, mug: Thing) -> None:
    def visit() -> None:
        for path in (mug.slug, mug.slug, "no-such-mug"):
            client.get(f"/api/v1/products/{path}")
        client.open("/nowhere", method="BREW")

    more = grown(client, visit)
    found, absent, odd = (
        f'{REQUESTS}%s{{method="{method}",status="{status}",route="{route}"}}'
        for method, status, route in (("GET", 200, "/api/v1/products/<slug>"), ("GET", 404, "/api/v1/products/<slug>"), ("other", 404, "none"))
    )
    assert (more[found % "_count"], more[absent % "_count"], more[odd % "_count"]) == (2, 1, 1)
    assert 0 < more[found % "_sum"] < 10
    buckets = [value for name, value in told(client).items() if name.startswith((found % "_bucket").rstrip("}"))]
    assert buckets == sorted(buckets)
    assert (len(buckets), buckets[-1]) == (len(counts.BOUNDS) + 1, told(client)[found % "_count"])


def test_orders_and_refusals_for_want_of_goods_are_counted(client: ShopClient, mug: Thing) -> None:
    def shop_around() -> None:
        client.add(mug.variant, 2)
        client.order(email="gina@example.com")
        client.add(mug.variant, 9)

    more = grown(client, shop_around)
    assert (more["shop_orders_placed_total"], more["shop_stock_outs_total"]) == (1, 1)
    assert more['shop_waiting{what="to_send"}'] == 1


def test_mails_and_jobs_are_told_with_what_came_of_them(client: ShopClient) -> None:
    settings = client.application.config["SHOP"]

    def work() -> None:
        db.transaction(lambda tx: mail.enqueue(tx, "test", "one@example.com", {"name": "One"}))
        mail.deliver_due(settings)
        factories.write(
            "INSERT INTO mails (message_id, template, recipient, data, status, created_at, due_at) VALUES ('x', 'test', 'a', '', 'failed', NOW(), NOW())"
        )
        factories.write("INSERT INTO jobs (name, due_at, finished_at, failures) VALUES ('trends.rank', NOW(), '2026-01-01', 3)")

    more = grown(client, work)
    assert more['shop_mail_deliveries_total{result="sent"}'] == more['shop_mails{state="given_up"}'] == 1
    assert more['shop_job_failures{job="trends.rank"}'] == 3
    assert more['shop_job_finished_timestamp_seconds{job="trends.rank"}'] == 1767225600

    def break_down(_: object) -> object:
        raise OSError("no disk")

    runner = jobs.Runner(settings, {"good": jobs.Job("good", 60, lambda _: "well", jobs.always), "bad": jobs.Job("bad", 60, break_down, jobs.always)})
    ran = grown(client, lambda: (runner.look(), runner.look(), runner.finish()))
    assert [ran[f'shop_job_seconds_count{{result="{result}",job="{job}"}}'] for result, job in (("done", "good"), ("failed", "bad"))] == [1, 1]


def test_whoever_has_the_token_reads_them_from_anywhere(shop_with: Make) -> None:
    browser = shop_with(metrics_token="a token of sixteen").test_client()

    def asked(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return browser.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code

    assert [asked(token) for token in ("a token of sixteen", "a token of sixtee", "é", "")] == [200, 404, 404, 404]


def test_what_was_counted_is_told_without_the_database(client: ShopClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(client)["shop_database_up"] == 1

    def away(self: db.Pool) -> db.Tx:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(db.Pool, "acquire", away)
    figures = told(client)
    assert (figures["shop_database_up"], "shop_orders_placed_total" in figures) == (0, True)


def test_connections_in_use_and_waited_for_are_counted(client: ShopClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with db.reading():
        assert told(client)["shop_database_connections_in_use"] == 1
    monkeypatch.setattr(db, "POOL_WAIT", 0.01)
    pool = db.Pool(db._pool.address, 0)  # type: ignore[union-attr]
    with pytest.raises(Unavailable):
        pool.acquire()
    figures = told(client)
    assert [figures[f"shop_database_connections_{name}"] for name in ("in_use", "waited_for")] == [0, 0]
    assert figures["shop_database_connections_refused_total"] >= 1


def test_processes_are_summed_up_and_one_that_was_killed_loses_no_count(tmp_path: Path) -> None:
    def start(line: str) -> subprocess.Popen[str]:
        code = f"{COUNTING}; {line}; print('ready', flush=True); sys.stdin.read()"
        return subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=ROOT / "backend", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    lines = "[counts.add('order', seconds=0.02) for _ in range(500)]; counts.add('now busy')"
    lives, dies = start(lines), start(lines)
    try:
        assert [one.stdout.readline() for one in (lives, dies) if one.stdout] == ["ready\n"] * 2
        assert {name: one.count for name, one in counts.collect(tmp_path).items()} == {"order": 1000, "now busy": 2}
        os.kill(dies.pid, signal.SIGKILL)
        dies.wait()
        found = counts.collect(tmp_path)
        assert (found["order"].count, round(found["order"].seconds), found["now busy"].count) == (1000, 20, 1)
        assert found["order"].slower_than[counts.BOUNDS.index(0.025)] == 1000
        counts.forget(tmp_path)
        assert counts.collect(tmp_path)["order"].count == 500, "who still counts is not forgotten"
    finally:
        for one in (lives, dies):
            one.kill()
            one.communicate()


def test_who_starts_when_the_disk_is_full_counts_for_itself(tmp_path: Path) -> None:
    """What the system does with a process that writes into a hole of a file, when there is no room for it, is to kill it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (counts.PLACE, hard))
    try:
        file = counts._File(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file.add("order", 1, None)
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [0]


def test_more_names_than_there_are_places_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "PLACES", 3)
    monkeypatch.setattr(counts, "_file", None)
    counts.use(tmp_path)
    for name in ("a", "b", "c" * 500, "d", "a"):
        counts.add(name)
    assert sum(one.count for one in counts.collect(tmp_path).values()) == 5
    assert counts.collect(tmp_path)["a"].count == 2
