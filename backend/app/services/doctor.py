"""Is all well? The invariants of database/checks.sql, each a statement that must return no row."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from .. import db
from ..config import ROOT
from ..db import Row
from ..errors import Unavailable

CHECKS = ROOT / "database" / "checks.sql"


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


def database_answers() -> bool:
    try:
        with db.reading() as tx:
            tx.execute("DO 1").close()
        return True
    except Unavailable:
        return False
