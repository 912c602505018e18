from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app import db
from app.config import ROOT
from app.db import q
from app.services import doctor

APP = ROOT / "backend" / "app"


def refusals(connection: Any, statements: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What the database has against each statement that it does not understand, by the statement's name."""
    refused = {}
    cursor = connection.cursor()
    for name, sql in statements:
        try:
            cursor.execute("PREPARE checked FROM %s", (sql,))
            cursor.execute("DEALLOCATE PREPARE checked")
        except db.DRIVER_ERRORS as error:
            refused[name] = str(error)
    cursor.close()
    return refused


def test_every_statement_is_understood_by_the_database(owner_connection: Any) -> None:
    assert refusals(owner_connection, [(query.name, query.prepared()) for query in q]) == {}


def test_every_invariant_is_understood_by_the_database(owner_connection: Any) -> None:
    assert refusals(owner_connection, [(name, sql) for name, _, sql in doctor.checks()]) == {}


def test_a_statement_that_the_database_does_not_understand_is_named(owner_connection: Any) -> None:
    assert list(refusals(owner_connection, [("wrong", "SELECT nothing FROM nowhere"), ("right", "SELECT 1")])) == ["wrong"]


def test_every_check_in_the_file_is_run() -> None:
    text = doctor.CHECKS.read_text(encoding="utf-8")
    assert len(doctor.checks()) == text.count("-- check:") > 10


def _calls(path: Path) -> list[tuple[str, str, set[str], bool]]:
    """Calls of named statements in a module: noun, name, keywords, whether a ** hides some."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        target = node.func.value if isinstance(node.func, ast.Subscript) else node.func
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Attribute):
            root = target.value.value
            if isinstance(root, ast.Name) and root.id == "q":
                keywords = {keyword.arg for keyword in node.keywords if keyword.arg}
                found.append((target.value.attr, target.attr, keywords, any(keyword.arg is None for keyword in node.keywords)))
    return found


def test_every_call_names_a_statement_and_its_parameters() -> None:
    for path in APP.rglob("*.py"):
        for noun, name, given, hides in _calls(path):
            statement = getattr(getattr(q, noun), name)
            for query in statement.values() if isinstance(statement, dict) else (statement,):
                wanted = set(query.params)
                assert given <= wanted if hides else given == wanted, f"{path.name}: q.{noun}.{name} takes {wanted}, is given {given}"


def test_every_statement_is_called_somewhere() -> None:
    called = {f"{noun}.{name}" for path in APP.rglob("*.py") for noun, name, _, _ in _calls(path)}
    assert {query.name.split("[")[0] for query in q} - called == set()


def test_what_writes_is_tried_again_when_the_database_chose_it_as_a_victim() -> None:
    """Only db.transaction() does that: a statement that changes something has no place under db.reading()."""
    writes = {query.name.split("[")[0] for query in q if query.sql.split()[0].upper() in ("INSERT", "UPDATE", "DELETE", "REPLACE")}
    assert len(writes) > 100
    for path in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.With) and "db.reading()" in {ast.unparse(item.context_expr) for item in node.items}:
                named = {ast.unparse(one).removeprefix("q.") for one in ast.walk(node) if isinstance(one, ast.Attribute)}
                assert named & writes == set(), f"{path.name}:{node.lineno}"


def test_no_statement_selects_everything() -> None:
    assert [query.name for query in q if "SELECT *" in query.sql.upper()] == []


def test_every_list_is_bounded() -> None:
    unbounded = [query.name for query in q if query.kind == "rows" and "LIMIT" not in query.sql.upper() and "GROUP BY" not in query.sql.upper()]
    assert unbounded == []
