"""What requests say to the database, heard within the process that answers them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app import db

LARGE = 5000  # rows; to read a smaller table whole is the quickest way


class Listener:
    """Hears the statements of the requests, to explain them afterwards over the connection of the `owner`."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        said = db.Tx.execute

        def execute(tx: db.Tx, sql: str, params: tuple[Any, ...] = ()) -> Any:
            self.heard.append((sql, params))
            return said(tx, sql, params)

        db.Tx.execute = execute  # type: ignore[method-assign]

    def explained(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Each statement that reads, and the rows of its EXPLAIN."""
        cursor = self._owner.cursor()
        for sql, params in self.heard:
            if sql.lstrip().upper().startswith(("SELECT", "WITH")):
                cursor.execute(f"EXPLAIN {sql}", params)
                yield sql, [dict(zip(cursor.column_names, row, strict=True)) for row in cursor.fetchall()]
        cursor.close()


def whole_reads(explained: list[dict[str, Any]]) -> list[str]:
    """The large tables that a statement reads from end to end, and not by an index."""
    large = [row for row in explained if row["type"] == "ALL" and not str(row["table"]).startswith("<") and int(row["rows"] or 0) > LARGE]
    return [f"{row['table']} is read whole" for row in large]
