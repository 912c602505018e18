"""./shop bench auth: does the time of an answer tell whether an address has an account?

A shop of its own is started, with limits off, one known address and one unknown. Requests come in pairs, one for each address, whose
order changes every time, so that whatever else the machine does falls on both alike. The medians may differ by 10 ms at most.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "walnut-harbour-19"
KNOWN, UNKNOWN = "known@example.com", "other@example.com"
ALLOWED_MS = 10.0
WARM_UP = 5
START_TIMEOUT = 120  # seconds
# What the environment says of another shop is not meant for this one.
OWN = {"LIMITS": "off", "SHOP_DEMO": "0", "HOST": "127.0.0.1", "DB_HOST": "", "MAIL_HOST": "", "SHOP_URL": "", "SHOP_ENV": "", "TRUSTED_PROXIES": ""}


class Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, what: str, body: dict[str, Any]) -> tuple[int, dict[str, Any], float]:
        """Status, answer, and milliseconds until it was read."""
        began = time.perf_counter()
        self._line.request("POST", f"/api/v1/auth/{what}", json.dumps(body), {"Content-Type": "application/json"})
        answer = self._line.getresponse()
        content = answer.read()
        return answer.status, json.loads(content or b"{}"), (time.perf_counter() - began) * 1000


@contextmanager
def own_shop(**more: str) -> Iterator[int]:
    """A fresh shop with `more` settings; gives its port."""
    var = Path(tempfile.mkdtemp(prefix="shop-bench-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = os.environ | OWN | {"SHOP_VAR": str(var), "PORT": str(port)} | more
    command = [sys.executable, str(ROOT / "backend" / "run.py")]
    with (var / "out.log").open("wb") as log:
        shop = subprocess.Popen([*command, "run"], env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    try:
        wait_for(shop, port, var / "out.log")
        admin = [*command, "create-admin", "--username", "known", "--email", KNOWN]
        subprocess.run(admin, env=environment, input=PASSWORD + "\n", text=True, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        yield port
    finally:
        shop.send_signal(signal.SIGTERM)
        shop.wait(60)
        shutil.rmtree(var, ignore_errors=True)


def wait_for(shop: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and shop.poll() is None:
        try:
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            line.request("GET", "/readyz")
            if line.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"The shop for the bench did not start:\n{log.read_text(errors='replace')}")


def measure(client: Client, what: str, bodies: Callable[[str], dict[str, Any]], pairs: int) -> dict[str, float]:
    """The median in milliseconds for each of the two addresses. Stops the bench where the statuses differ."""
    times: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    statuses = set()
    for number in range(WARM_UP + pairs):
        for email in (KNOWN, UNKNOWN) if number % 2 else (UNKNOWN, KNOWN):
            status, _, took = client.post(what, bodies(email))
            statuses.add(status)
            if number >= WARM_UP:
                times[email].append(took)
    if len(statuses) != 1:
        sys.exit(f"{what} answers with different statuses: {sorted(statuses)}")
    return {email: statistics.median(found) for email, found in times.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop bench auth", description="Does the time of an answer tell whether an address has an account?")
    parser.add_argument("--pairs", type=int, default=200)
    pairs = parser.parse_args().pairs
    names = (f"name{number}" for number in itertools.count())
    worst = 0.0
    with own_shop() as port:
        client = Client(port)
        challenges = {email: client.post("forgot", {"email": email})[1]["challenge"] for email in (KNOWN, UNKNOWN)}
        requests: dict[str, Callable[[str], dict[str, Any]]] = {
            "register": lambda email: {"username": next(names), "email": email, "password": "granite-lantern-58"},
            "forgot": lambda email: {"email": email},
            "resend": lambda email: {"challenge": challenges[email]},
            "login": lambda email: {"identifier": email, "password": "wrong-lantern-58"},
        }
        print(f"{pairs} pairs each, medians in ms")
        print(f"{'':10}{'known':>9}{'unknown':>9}{'apart':>9}")
        for what, bodies in requests.items():
            medians = measure(client, what, bodies, pairs)
            apart = abs(medians[KNOWN] - medians[UNKNOWN])
            worst = max(worst, apart)
            print(f"{what:10}{medians[KNOWN]:9.2f}{medians[UNKNOWN]:9.2f}{apart:9.2f}", flush=True)
    verdict = "no answer tells" if worst <= ALLOWED_MS else "an answer tells"
    print(f"At most {worst:.2f} ms apart, {ALLOWED_MS:.0f} allowed: {verdict} whether an address has an account.")
    return 0 if worst <= ALLOWED_MS else 1


if __name__ == "__main__":
    sys.exit(main())
