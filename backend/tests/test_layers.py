"""Who may do what: the table in the architecture, held by reading the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import ROOT

APP = ROOT / "backend" / "app"
MODULES = {path.relative_to(APP.parent).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path for path in sorted(APP.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
ROUTES = [name for name in MODULES if name.startswith("app.routes.")]
SERVICES = [name for name in MODULES if name.startswith("app.services.")]

# Statements stand in database/queries. Whoever runs another one is named here with the reason.
RUNS_OWN_STATEMENTS = {
    "app.db": "runs the named statements and opens sessions and transactions",
    "app.driver": "sends to the database what app.db runs",
    "app.migrations": "runs the schema's own files and keeps its books before there is a table to query",
    "app.private_database": "makes databases and accounts, with rights that the shop itself does not have",
    "app.services.backup_files": "copies and moves every table there is, those of other versions too, on connections of its own",
    "app.services.doctor": "wraps each invariant of checks.sql to see its first rows only",
}
STATEMENT = re.compile(r"\b(SELECT|INSERT\s+(IGNORE\s+)?INTO|REPLACE\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|TRUNCATE|LOCK\s+TABLES|GET_LOCK)\b\s*[\w*(\n%]")
OF_HTTP = {"flask", "flask_session", "flask_cors", "werkzeug", "app.http", "app.routes", "app.pages", "app.openapi", "app.step_up"}
# A route may read what the process was started with, draw pages and describe the API; rules are the services' part.
ROUTES_MAY_IMPORT = {
    "app.http", "app.request_parsing", "app.errors", "app.config", "app.pages", "app.openapi", "app.seo", "app.services", "app.step_up", "app.text",
}  # fmt: skip


def _resolved(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module if MODULES[module].stem == "__init__" else module.rpartition(".")[0]
    base = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def imports(module: str) -> set[str]:
    """Every module that this one imports; `from .. import db` is app.db, `from ..db import q` is app.db too."""
    found: set[str] = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = _resolved(module, node)
            below = {f"{origin}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= below or {origin}
    return found


def names_from(module: str, origin: str) -> set[str]:
    """What this module takes out of another one by name."""
    nodes = [node for node in ast.walk(TREES[module]) if isinstance(node, ast.ImportFrom) and _resolved(module, node) == origin]
    return {alias.name for node in nodes for alias in node.names}


def strings(tree: ast.AST) -> Iterator[str]:
    """Every string in the code, docstrings apart."""
    documented = {node.body[0].value for node in ast.walk(tree) if _has_docstring(node)}  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documented:
            yield node.value


def _has_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None


def functions(module: str) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(TREES[module]) if isinstance(node, ast.FunctionDef))


def arguments(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]


def calls(tree: ast.AST) -> set[str]:
    """Dotted names of everything called: `db.transaction`, `print`."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def belongs(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def test_the_walk_sees_the_whole_app() -> None:
    assert {"app.routes.catalogue", "app.services.checkout", "app.db"} <= MODULES.keys()
    assert "app.db" in imports("app.services.cart")
    assert "app.services.catalogue" in imports("app.routes.catalogue")
    assert names_from("app.services.cart", "app.db") >= {"q", "Tx"}


def test_a_route_leans_on_services_and_the_http_base_only() -> None:
    for module in ROUTES:
        own = {name for name in imports(module) if name.startswith("app")}
        others = {name for name in own if not belongs(name, ROUTES_MAY_IMPORT | {"app.routes"})}
        assert others == set(), module


def test_a_route_knows_no_driver_and_no_statement() -> None:
    for module in ROUTES:
        assert not belongs_any(imports(module), {"mysql", "_mysql_connector", "app.db"}), module
        assert [text for text in strings(TREES[module]) if STATEMENT.search(text)] == [], module


def belongs_any(found: set[str], packages: set[str]) -> set[str]:
    return {name for name in found if belongs(name, packages)}


def test_a_route_catches_nothing() -> None:
    """One handler answers every refusal. Only the pages may catch one: NotFound, to show a page to a person instead of JSON."""
    for module in ROUTES:
        tries = [node for node in ast.walk(TREES[module]) if isinstance(node, ast.Try)]
        if module == "app.routes.pages":
            tries = [node for node in tries if not _shows_the_page_of_nothing(node)]
        assert [ast.unparse(node) for node in tries] == [], module


def _shows_the_page_of_nothing(node: ast.Try) -> bool:
    handlers = [(ast.unparse(handler.type) if handler.type else "", [ast.unparse(line) for line in handler.body]) for handler in node.handlers]
    pages = ["return not_found()"], ["return moved_or_not_found(slug)"]
    return any(handlers == [("NotFound", page)] for page in pages) and not node.orelse and not node.finalbody and len(node.body) == 1


def test_a_route_does_not_reckon_with_money() -> None:
    for module in ROUTES:
        sums = [node for node in ast.walk(TREES[module]) if isinstance(node, ast.BinOp | ast.AugAssign) and "_minor" in ast.unparse(node)]
        assert [ast.unparse(node) for node in sums] == [], module


def test_a_service_knows_nothing_of_http() -> None:
    for module in SERVICES:
        assert belongs_any(imports(module), OF_HTTP) == set(), module


def test_a_service_speaks_through_its_answer_only() -> None:
    for module in SERVICES:
        assert "print" not in calls(TREES[module]), module
        statuses = [node.value for node in ast.walk(TREES[module]) if isinstance(node, ast.keyword) and node.arg in ("status", "status_code")]
        assert [ast.unparse(value) for value in statuses if isinstance(value, ast.Constant) and isinstance(value.value, int)] == [], module


def test_a_function_that_takes_tx_joins_that_transaction() -> None:
    for module in SERVICES:
        for function in functions(module):
            if "tx" in arguments(function):
                assert next(name for name in arguments(function) if name != "self") == "tx", f"{module}.{function.name} takes tx, but not first"
                opened = calls(function) & {"db.transaction", "db.reading"}
                assert opened == set(), f"{module}.{function.name} joins a transaction and opens another: two connections, and a deadlock of the pool"


def test_no_password_is_hashed_while_a_transaction_holds_its_rows() -> None:
    for module in SERVICES:
        slow = {"security.hash_password", "security.check_password", "hash_password", "check_password"}
        assert [function.name for function in functions(module) if "tx" in arguments(function) and calls(function) & slow] == [], module


def test_statements_stand_in_query_files_only() -> None:
    for module in sorted(set(MODULES) - set(RUNS_OWN_STATEMENTS)):
        assert [text for text in strings(TREES[module]) if STATEMENT.search(text)] == [], module
        assert {name for name in calls(TREES[module]) if name.rpartition(".")[2] in ("execute", "executemany", "callproc")} == set(), module


def test_every_leave_to_run_own_statements_is_still_needed() -> None:
    for module in RUNS_OWN_STATEMENTS:
        runs = any(name.endswith("execute") for name in calls(TREES[module]))
        assert runs or any(re.search(r"\b(CREATE|GRANT|SELECT)\b", text) for text in strings(TREES[module])), module


def test_named_statements_are_called_by_services_only() -> None:
    for module in sorted(set(MODULES) - set(SERVICES) - {"app.db"}):
        assert "q" not in names_from(module, "app.db"), module
        assert "db.q" not in {ast.unparse(node) for node in ast.walk(TREES[module]) if isinstance(node, ast.Attribute)}, module


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("app.money", {"__future__", "collections.abc", "app.config"}),
        ("app.services.pricing", {"__future__", "collections.abc", "dataclasses", "typing", "typing_extensions", "app.money"}),
    ],
)
def test_reckoning_is_pure(module: str, allowed: set[str]) -> None:
    """No database, no clock, no settings, no chance: the same figures in give the same figures out."""
    assert imports(module) <= allowed
    assert names_from(module, "app.config") <= {"CURRENCIES"}


def test_reckoning_knows_whole_numbers_only() -> None:
    for module in ["app.money", "app.services.pricing"]:
        nodes = list(ast.walk(TREES[module]))
        assert [ast.unparse(node) for node in nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)] == [], module
        assert [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, float)] == [], module
        assert calls(TREES[module]) & {"float", "round", "Decimal"} == set(), module


def test_nothing_leans_on_a_route_but_the_app_factory() -> None:
    for module in sorted(set(MODULES) - set(ROUTES)):
        assert belongs_any(imports(module), {"app.routes"}) == set(), module
        named = [text for text in strings(TREES[module]) if re.search(r"\.routes\b", text)]
        assert not named or module == "app", module


def test_flask_stays_in_the_http_base_and_the_routes() -> None:
    users = {module for module in MODULES if belongs_any(imports(module), {"flask"})}
    assert users - set(ROUTES) <= {"app", "app.callers", "app.files", "app.http", "app.openapi", "app.request_parsing", "app.rsgi", "app.step_up"}


def test_every_file_of_statements_has_its_service() -> None:
    nouns = {path.stem for path in (ROOT / "database" / "queries").glob("*.sql")}
    assert nouns
    assert nouns - {name.rpartition(".")[2] for name in SERVICES} == set()


def _sources() -> list[Path]:
    folders = [(ROOT / "backend", ("py",)), (ROOT / "e2e", ("py",)), (ROOT / "database", ("sql",)), (ROOT / "frontend", ("html", "css", "js"))]
    return [path for folder, suffixes in folders for suffix in suffixes for path in sorted(folder.rglob(f"*.{suffix}"))]


def test_no_file_is_named_after_nothing() -> None:
    nameless = {"utils", "util", "helpers", "helper", "models", "repositories", "repository", "managers", "manager", "common", "misc"}
    sources = [path for path in _sources() if path != ROOT / "frontend" / "css" / "utilities.css"]
    assert [path for path in sources if nameless & set(re.split(r"[_.-]", path.stem.lower()))] == []
    assert [path for path in sources if nameless & {part.lower() for part in path.relative_to(ROOT).parts[:-1]}] == []


def test_no_file_outgrows_a_reader() -> None:
    """The schema is one file so that it can be loaded by hand, and read as a list of tables."""
    sources = [path for path in _sources() if path != ROOT / "database" / "schema.sql" and path.parent.name != "migrations"]
    assert MODULES["app.db"] in sources
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in sources}
    assert {name: length for name, length in lengths.items() if length > 600} == {}
