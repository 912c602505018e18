"""Where the MariaDB server program is: installed on this machine, or fetched from Debian's or Ubuntu's archive into a folder of our own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import debian

OLDEST = (10, 6)
PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/opt/homebrew/bin", "/usr/local/bin", "/usr/local/mysql/bin")
PACKAGES = ("mariadb-server-core", "mariadb-server-core-10.6")
INSTALLERS = {
    "apt-get": "apt-get install mariadb-server-core",
    "dnf": "dnf install mariadb-server",
    "zypper": "zypper install mariadb",
    "pacman": "pacman -S mariadb",
    "apk": "apk add mariadb",
    "brew": "brew install mariadb",
}

Say = Callable[[str], None]


class DatabaseProblem(Exception):
    """The shop has no database to work with. The message is a sentence for whoever started it."""


@dataclass(frozen=True)
class Program:
    """A MariaDB server program, and the folder that its packages were unpacked to (None: it is installed)."""

    path: Path
    home: Path | None = None

    def command(self) -> list[str]:
        """The program and the options that it needs before all others."""
        if self.home is None:
            return [str(self.path), "--no-defaults"]
        share = self.share()
        return [
            str(self.path),
            "--no-defaults",
            f"--basedir={self.home / 'usr'}",
            f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}",
            f"--plugin-dir={self.home / 'usr/lib/mysql/plugin'}",
        ]

    def environment(self) -> dict[str, str]:
        if self.home is None:
            return dict(os.environ)
        return {**os.environ, "LD_LIBRARY_PATH": debian.libraries(self.home)}

    def share(self) -> Path:
        """The folder with the messages and the system tables' SQL."""
        root = self.home / "usr" if self.home else self.path.resolve().parent.parent
        folders = [base / "share" / name for base in (root, Path("/usr")) for name in ("mysql", "mariadb", "")]
        for folder in folders:
            if any(folder.glob("*_system_tables.sql")):
                return folder
        raise DatabaseProblem(f"{self.path} is here, but the SQL of its system tables is not. Install MariaDB again: {install_line()}")

    def system_tables(self) -> str:
        """The SQL that fills an empty data directory; MariaDB 11 gave the files another name."""
        share = self.share()
        found = [next(share.glob(f"*_{name}.sql")) for name in ("system_tables", "system_tables_data")]
        return "\n".join(path.read_text(encoding="utf-8") for path in found)


def find(homes: list[Path], say: Say) -> Program:
    """The first that will do: a program of the machine, a copy fetched earlier into one of `homes`, a copy fetched now.

    Raises DatabaseProblem with the one line to type where nothing can be fetched.
    """
    candidates = [*_installed(), *(program for home in homes for program in _unpacked(home))]
    for program in candidates:
        version = _version(program)
        if version and version >= OLDEST:
            return program
    return _fetch(_writable(homes), say)


def install_line() -> str:
    line = next((line for tool, line in INSTALLERS.items() if shutil.which(tool)), "install MariaDB 10.6 or newer")
    return line if line.startswith(("brew", "install")) else f"sudo {line}"


def _installed() -> list[Program]:
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *PLACES])
    found = (shutil.which(name, path=search) for name in ("mariadbd", "mysqld"))
    return [Program(Path(path)) for path in found if path]


def _unpacked(home: Path) -> list[Program]:
    return [Program(path, home) for name in ("mariadbd", "mysqld") if (path := home / "usr/sbin" / name).exists()]


def _version(program: Program) -> tuple[int, int] | None:
    """Nothing when it cannot be run, or is MySQL: that one is a fine server for DB_HOST, but initialises and recovers in other ways."""
    try:
        answer = subprocess.run([program.path, "--version"], env=program.environment(), capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"(\d+)\.(\d+)\.\d+-MariaDB", answer.stdout)
    return (int(found[1]), int(found[2])) if found else None


def _writable(homes: list[Path]) -> Path:
    for home in homes:
        try:
            home.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(home.parent, os.W_OK):
            return home
    raise DatabaseProblem(f"No folder to unpack MariaDB in: {homes[-1].parent} cannot be written.")


def _fetch(home: Path, say: Say) -> Program:
    if not debian.available():
        raise DatabaseProblem(f"No MariaDB server on this machine. Install one, or set DB_HOST to a server of yours: {install_line()}")
    say("Fetching MariaDB: 10 MB, unpacked into the shop's own folder; nothing of the system is changed")
    try:
        debian.unpack(PACKAGES, home, lambda folder: any(map(_version, _unpacked(folder))))
    except debian.NotFetched as problem:
        raise DatabaseProblem(f"MariaDB could not be fetched. Install it yourself: {install_line()}\n{problem}".rstrip()) from problem
    return _unpacked(home)[0]
