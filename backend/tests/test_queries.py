from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from app.config import ROOT
from app.db import Query, q
from app.services import doctor

APP = ROOT / "backend" / "app"


@pytest.mark.parametrize("query", list(q), ids=lambda query: query.name)
def test_every_statement_is_understood_by_the_database(query: Query, owner_connection: Any) -> None:
    cursor = owner_connection.cursor()
    cursor.execute("PREPARE checked FROM %s", (query.prepared(),))
    cursor.execute("DEALLOCATE PREPARE checked")
    cursor.close()


@pytest.mark.parametrize("check", doctor.checks(), ids=lambda check: check[0])
def test_every_invariant_is_understood_by_the_database(check: tuple[str, str, str], owner_connection: Any) -> None:
    cursor = owner_connection.cursor()
    cursor.execute("PREPARE checked FROM %s", (check[2],))
    cursor.execute("DEALLOCATE PREPARE checked")
    cursor.close()


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


def test_no_statement_selects_everything() -> None:
    assert [query.name for query in q if "SELECT *" in query.sql.upper()] == []


def test_every_list_is_bounded() -> None:
    unbounded = [query.name for query in q if query.kind == "rows" and "LIMIT" not in query.sql.upper() and "GROUP BY" not in query.sql.upper()]
    assert unbounded == []
