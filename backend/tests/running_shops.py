"""Real shops, started as a user starts them: processes, signals and the console."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from app.config import ROOT, Settings

PATIENCE = 60  # seconds; only a hanging shop takes so long


def until(true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes() -> dict[int, int]:
    """The parent of each living process."""
    if not Path("/proc/self/stat").exists():
        lines = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout.splitlines()
        return {int(pid): int(parent) for pid, parent, state in (line.split() for line in lines) if "Z" not in state}
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            found[int(path.parent.name)] = int(parent)
    return found


class Shop:
    """One shop in a folder of its own, and what its console says."""

    def __init__(self, var: Path, *arguments: str, root: Path = ROOT, **environment: str) -> None:
        self.var, self.root = var, root
        self.environment = {name: value for name, value in os.environ.items() if name not in {one.metadata["name"] for one in fields(Settings)}}
        self.environment |= {"SHOP_VAR": str(var), "PORT": str(free_port()), "LIMITS": "off", **environment}
        self.url = f"http://127.0.0.1:{self.environment['PORT']}"
        self.arguments = arguments
        self.output = var.with_name(f"{var.name}.output")

    def start(self) -> Shop:
        with self.output.open("w") as output:
            command = [sys.executable, str(self.root / "backend" / "run.py"), *self.arguments]
            self.process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        until(lambda: self.process.poll() is not None or " is open:" in self.said())
        assert self.process.poll() is None, self.said()
        return self

    def said(self) -> str:
        return self.output.read_text()

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code

    def command(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(self.root / "backend" / "run.py"), *words]
        return subprocess.run(command, env=self.environment, input=given, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def children(self) -> list[int]:
        return sorted(pid for pid, parent in processes().items() if parent == self.process.pid)

    def database(self) -> int:
        return int((self.var / "mysql" / "pid").read_text())

    def workers(self) -> list[int]:
        """The web workers and, the last, the job worker."""
        return [pid for pid in self.children() if pid != self.database()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a shop that was opened once, to be copied."""
    var = tmp_path_factory.mktemp("seed") / "var"
    shop = Shop(var, WORKERS="1").start()
    assert shop.stop() == 0
    return var


@pytest.fixture
def new_shop(seed: Path, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    made: list[Shop] = []

    def make(*arguments: str, name: str = "var", **more: Any) -> Shop:
        var = tmp_path / name
        if not var.exists():
            shutil.copytree(seed, var)
        made.append(Shop(var, *arguments, **{"WORKERS": "1", **more}))
        return made[-1].start()

    yield make
    for shop in made:
        if shop.process.poll() is None:
            shop.stop()


@pytest.fixture(scope="module")
def open_shop(seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop that is open already, for tests that neither stop it nor break anything in it."""
    var = tmp_path_factory.mktemp("open") / "var"
    shutil.copytree(seed, var)
    shop = Shop(var, WORKERS="1").start()
    yield shop
    shop.stop()
