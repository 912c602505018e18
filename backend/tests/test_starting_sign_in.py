"""Signing in to a store as a user starts it: under a flood of sign-ins, and after being locked out."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from running_shops import PATIENCE, Shop, new_shop, open_shop, seed, until

__all__ = ["new_shop", "open_shop", "seed"]


def test_a_flood_of_sign_ins_leaves_the_store_responsive(new_shop: Any) -> None:
    shop, stop = new_shop(THREADS="4"), threading.Event()
    refusals: Counter[int] = Counter()

    def sign_in(number: int) -> None:
        body = json.dumps({"identifier": f"nobody-{number}", "password": "wrong"}).encode()
        headers = {"Content-Type": "application/json"}
        while not stop.is_set():
            request = urllib.request.Request(f"{shop.url}/api/v1/auth/login", body, headers)
            try:
                urllib.request.urlopen(request, timeout=PATIENCE).close()
            except urllib.error.HTTPError as refused:
                refusals[refused.code] += 1
                if refused.code == 503:
                    assert int(refused.headers["Retry-After"]) > 0
                    time.sleep(0.2)

    def longest(path: str) -> float:
        took = 0.0
        for _ in range(10):
            began = time.monotonic()
            assert shop.get(path) == 200
            took = max(took, time.monotonic() - began)
        return took

    with ThreadPoolExecutor(48) as pool:
        flood = [pool.submit(sign_in, number) for number in range(48)]
        try:
            until(lambda: refusals[503] > 20)
            slowest = {path: longest(path) for path in ("/livez", "/api/v1/products?q=mug&limit=7")}
        finally:
            stop.set()
    for one in flood:
        one.result()

    assert max(slowest.values()) < 1, slowest
    assert set(refusals) == {401, 503}


def test_an_admin_who_is_locked_out_comes_in_again_by_a_command_on_the_server(open_shop: Shop) -> None:
    def sign_in(password: str) -> int:
        body = json.dumps({"identifier": "grace", "password": password}).encode()
        headers = {"Content-Type": "application/json"}
        try:
            request = urllib.request.Request(f"{open_shop.url}/api/v1/auth/login", body, headers)
            return int(urllib.request.urlopen(request, timeout=PATIENCE).status)
        except urllib.error.HTTPError as refused:
            return refused.code

    words = ("--username", "grace")
    open_shop.command("create-admin", *words, "--email", "grace@example.com", given="a forgotten sentence of mine\n")
    weak = open_shop.command("reset-access", *words, given="password\n")
    nobody = open_shop.command("reset-access", "--username", "nobody", given="a long and private sentence\n")
    assert (weak.returncode, nobody.returncode) == (1, 1), (weak, nobody)
    assert "There is no account with this username." in nobody.stderr
    assert "Traceback" not in weak.stderr + nobody.stderr

    reset = open_shop.command("reset-access", *words, given="a long and private sentence\n")

    assert reset.returncode == 0, reset
    assert f"grace can sign in with the new password at {open_shop.url}/login" in reset.stdout
    assert (sign_in("a forgotten sentence of mine"), sign_in("a long and private sentence")) == (401, 200)
