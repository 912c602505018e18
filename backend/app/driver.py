"""One statement over the database driver.

The driver's own cursor looks at each statement and at each value of each row several times, for things that nobody here asks of it:
three quarters of what a short statement costs. This speaks to the C extension beneath it, and only where there is none to the cursor.
"""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import Any

import mysql.connector
from mysql.connector.errors import get_mysql_exception

try:
    # With the C extension commit() and rollback() raise this one, which is no mysql.connector.Error.
    from _mysql_connector import MySQLInterfaceError
except ImportError:
    MySQLInterfaceError = mysql.connector.Error

__all__ = ["Answer", "MySQLInterfaceError", "execute"]

GONE = 2055


class Answer:
    """What a statement gave, read whole, with the names that a cursor has for it."""

    __slots__ = ("_rows", "column_names", "lastrowid", "rowcount")

    def __init__(self, line: Any) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self.column_names: tuple[str, ...] = ()
        self.lastrowid: int = line.insert_id()
        self.rowcount: int = line.affected_rows()
        if line.have_result_set:
            self.column_names = tuple(field[4] for field in line.fetch_fields())
            while row := line.fetch_row():
                self._rows.append(row)
            line.free_result()

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def close(self) -> None:
        self._rows = []


def execute(connection: Any, sql: str, params: tuple[Any, ...]) -> Any:
    """Send a statement with its values, each in the place of a %s; raises what the driver's cursor raises."""
    if not mysql.connector.HAVE_CEXT:
        # connection.cursor() would ask the server first whether it is there: twice the round trips, and an error without a number.
        cursor = mysql.connector.cursor.MySQLCursor(connection)
        cursor.execute(sql, params)
        return cursor
    line = connection._cmysql
    if line is None:
        raise mysql.connector.OperationalError("The connection was closed.", errno=GONE)
    pieces = sql.encode().split(b"%s")
    if len(pieces) != len(params) + 1:
        raise mysql.connector.ProgrammingError(f"The statement takes {len(pieces) - 1} values, not {len(params)}.")
    try:
        values = line.convert_to_mysql(*params) if params else ()
        line.query(b"".join(chain.from_iterable(zip_longest(pieces, values, fillvalue=b""))), buffered=True)
        return Answer(line)
    except MySQLInterfaceError as error:
        raise get_mysql_exception(error.errno, msg=error.msg, sqlstate=error.sqlstate) from error
