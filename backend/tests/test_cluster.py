"""A database of several hosts: who is written to, who is left, and who is gone back to. `./shop drill cluster` does it with real nodes."""

from __future__ import annotations

from typing import Any

import mysql.connector
import pytest

from app import db
from app.db import Address, Pool, Tx
from app.private_database import PrivateDatabase


def test_of_several_hosts_the_first_that_takes_writes_is_asked_and_gone_back_to(shop: object, server: PrivateDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    address, really, up, asked = server.address(), mysql.connector.connect, {"b", "reader:3307"}, []

    where: dict[str, Any] = {"unix_socket": address.socket} if address.socket else {"host": address.host, "port": address.port}

    def connect(*, host: str, port: int, **rest: Any) -> Any:
        asked.append(name := host if port == 3306 else f"{host}:{port}")
        if name not in up:
            raise mysql.connector.InterfaceError("nobody is there", errno=2003)
        connection = really(**where, **rest)
        connection.stands_for = name
        return connection

    def served_by() -> str:
        with db.reading() as tx:
            return str(tx.connection.stands_for)

    writes = db._takes_writes
    monkeypatch.setattr(mysql.connector, "connect", connect)
    monkeypatch.setattr(db, "_takes_writes", lambda connection: connection.stands_for != "reader:3307" and writes(connection))
    monkeypatch.setattr(db, "_resting", {})
    monkeypatch.setattr(db, "_pool", Pool(Address(address.user, address.password, address.database, "a, reader:3307, b"), 1))

    assert (served_by(), asked) == ("b", ["a", "reader:3307", "b"])
    assert (served_by(), len(asked)) == ("b", 3), "a line that serves is kept"

    up.add("a")
    monkeypatch.setattr(db, "HOST_REST", 0)
    monkeypatch.setattr(db, "_resting", {})
    assert served_by() == "b"
    monkeypatch.setattr(db, "HOST_REST", 60)
    assert served_by() == "a", "who strayed comes back"

    up.remove("a")
    calls = []

    def work(tx: Tx) -> str:
        calls.append(tx.connection.stands_for)
        if len(calls) == 1:
            tx.execute("SIGNAL SQLSTATE '08S01' SET MYSQL_ERRNO = 1047")
        return calls[-1]

    assert db.transaction(work) == "b", "a node that was cut off is left at once"
    assert calls == ["a", "b"]
    db.close()
