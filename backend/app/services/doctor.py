"""Is all well? The invariants of database/checks.sql, each a statement that must return no row."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from .. import db
from ..config import ROOT, Settings
from ..db import Row, Tx
from ..errors import Unavailable
from ..private_database import address_of
from . import events, mail, settings

CHECKS = ROOT / "database" / "checks.sql"
TIMEOUT = 3600  # seconds; by night there is time, and a large shop takes some


@functools.cache
def checks() -> list[tuple[str, str, str]]:
    """Every invariant: its name, what it says in words, its statement."""
    text = CHECKS.read_text(encoding="utf-8")
    found = re.findall(r"^-- check: *(\w+) *\n((?:^--.*\n)+)((?:^(?!--).*\n)+)", text, flags=re.MULTILINE)
    return [(name, " ".join(line.lstrip("- ") for line in words.splitlines()), sql.strip().rstrip(";")) for name, words, sql in found]


def examine() -> Iterator[tuple[str, str, list[Row]]]:
    """Run each check: its name, what it says, and the rows that break it (none when all is well, ten at most)."""
    for name, words, sql in checks():
        with db.reading() as tx:
            cursor = tx.execute(f"SELECT * FROM ({sql}) broken LIMIT 10")
            rows = [dict(zip(cursor.column_names, row, strict=True)) for row in cursor.fetchall()]
            cursor.close()
        yield name, words, rows


def examine_by_night(shop: Settings) -> list[str]:
    """Run each check with time for it, and tell the owner of what is broken. Gives the names of what is."""
    connection = db.connect(address_of(shop), statement_timeout=TIMEOUT)
    try:
        broken = [(name, words) for name, words, sql in checks() if _finds(connection, sql)]
    finally:
        connection.close()
    if broken:
        db.transaction(_tell, broken)
    return [name for name, _ in broken]


def _finds(connection: Any, sql: str) -> bool:
    cursor = connection.cursor()
    cursor.execute(f"SELECT 1 FROM ({sql}) broken LIMIT 1")
    found = cursor.fetchall()
    cursor.close()
    return bool(found)


def _tell(tx: Tx, broken: list[tuple[str, str]]) -> None:
    for name, _ in broken:
        events.note(tx, "invariant_broken", None, subject="invariant", name=events.as_word(name))
    alarm(tx, "The shop's data contradict themselves", [f"{name}: {words}" for name, words in broken], "/admin/events?kind=invariant_broken")


def alarm(tx: Tx, title: str, lines: list[str], path: str) -> None:
    """Write to the owner, if there is an address, of what the shop cannot put right by itself; `path` is where more of it is."""
    if owner := settings.shop(tx)["seller"]["email"]:
        mail.enqueue(tx, "owner_alarm", owner, {"title": title, "lines": lines, "path": path})


def database_answers() -> bool:
    try:
        with db.reading() as tx:
            tx.execute("DO 1").close()
        return True
    except Unavailable:
        return False
