"""./shop bench auth: does the time of an answer tell whether an address has an account?

A shop of its own is started, with limits off, one known address and one unknown. Requests come in pairs, one for each address, whose
order changes every time, so that whatever else the machine does falls on both alike. The medians may differ by 10 ms at most.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
from collections.abc import Callable
from typing import Any

from lab.shops import Client, opened

KNOWN, UNKNOWN = "known@example.com", "other@example.com"
ALLOWED_MS = 10.0
WARM_UP = 5


def measure(client: Client, what: str, bodies: Callable[[str], dict[str, Any]], pairs: int) -> dict[str, float]:
    """The median in milliseconds for each of the two addresses. Stops the bench where the statuses differ."""
    times: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    statuses = set()
    for number in range(WARM_UP + pairs):
        for email in (KNOWN, UNKNOWN) if number % 2 else (UNKNOWN, KNOWN):
            status, _, took = client.post(f"/api/v1/auth/{what}", bodies(email))
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
    with opened("auth") as shop:
        shop.admin("known", KNOWN)
        client = Client(shop.port)
        challenges = {email: client.post("/api/v1/auth/forgot", {"email": email})[1]["challenge"] for email in (KNOWN, UNKNOWN)}
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
