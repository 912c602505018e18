"""Packages of Debian and Ubuntu for somebody who may not install any: fetched with what they need and this machine lacks, and unpacked into a folder.

`python -m app.debian FOLDER PACKAGE` does it (once) and prints the folders of libraries for LD_LIBRARY_PATH.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path


class NotFetched(Exception):
    """The packages could not be had. The message holds apt's last words."""


def available() -> bool:
    return bool(shutil.which("apt-get") and shutil.which("dpkg-deb"))


def unpack(names: Sequence[str], home: Path, works: Callable[[Path], bool] = Path.exists) -> None:
    """Fetch the first package of `names` that there is and make `home` of it in one step, so that it is whole or not there.

    What was unpacked must pass `works` before; a `home` that passes, because somebody else was faster, is left alone.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="fetching-") as name:
        workshop = Path(name)
        _download(names, workshop)
        unpacked = workshop / "unpacked"
        for package in sorted(workshop.glob("*.deb")):
            done = _run(["dpkg-deb", "-x", str(package), str(unpacked)], workshop)
            if done.returncode:
                raise NotFetched(_tail(done))
        _make_private(unpacked)
        if not works(unpacked):
            raise NotFetched("What was fetched does not work on this machine.")
        if home.exists() and not works(home):
            shutil.rmtree(home)
        try:
            unpacked.rename(home)
        except OSError:
            if not works(home):
                raise


def _make_private(folder: Path) -> None:
    """Take the rights of everybody else away, which packages give and no umask removes."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)


def libraries(home: Path) -> str:
    """The folders of unpacked libraries, as LD_LIBRARY_PATH takes them."""
    return ":".join(str(folder) for place in ("usr/lib", "lib") for folder in sorted((home / place).glob("*-linux-*")))


def _download(names: Sequence[str], workshop: Path) -> None:
    """By the package lists of the system; then, since containers ship without them, by lists of our own."""
    for part in ("lists/partial", "cache/archives/partial"):
        (workshop / part).mkdir(parents=True)
    own_cache = ["-o", f"Dir::Cache={workshop / 'cache'}", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2"]
    own_lists = [*own_cache, "-o", f"Dir::State::lists={workshop / 'lists'}", "-o", "Acquire::Languages=none"]
    if _download_by(own_cache, names, workshop):
        return
    updated = _apt([*own_lists, "update"], workshop)
    if not _download_by(own_lists, names, workshop):
        raise NotFetched(_tail(updated))


def _download_by(options: list[str], names: Sequence[str], workshop: Path) -> bool:
    for package in names:
        plan = _apt([*options, "-s", "--no-install-recommends", "install", package], workshop).stdout
        # "Inst name [installed version] (new version …)"; a newer libc would not match the loader of the machine.
        wanted = [f"{name}={version}" for name, version in re.findall(r"^Inst (\S+) .*?\((\S+) ", plan, re.MULTILINE) if name != "libc6"]
        if wanted and _apt([*options, "download", *wanted], workshop).returncode == 0:
            return True
    return False


def _apt(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return _run(["apt-get", "-q", *arguments], folder)


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def _tail(done: subprocess.CompletedProcess[str]) -> str:
    return "\n".join((done.stdout + done.stderr).splitlines()[-5:])


def _main(folder: str, package: str) -> int:
    home = Path(folder).resolve()
    try:
        if not home.exists():
            unpack([package], home)
    except NotFetched as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(libraries(home) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
