"""What ./shop calls: run, migrate, seed, import, export, backup, backups, restore, doctor, create-admin, reset-access, worker, bench, drill."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from . import migrations, security, server
from .config import ROOT, BadSetting, Settings
from .db import DRIVER_ERRORS, Address, connect
from .errors import ShopError
from .lock import Busy, Lock
from .private_database import DatabaseProblem, PrivateDatabase, address_of, prepare_server
from .server import StartProblem, say
from .text import normalize_text

if TYPE_CHECKING:
    from .services.imports import Import, Remark, Told
    from .services.product_diff import FieldChange

PATIENCE = 60.0  # seconds for a shop that is just starting, or for another command to end

BENCHES = ROOT / "bench"
DRILLS = BENCHES / "drills"
IMPORT_JOB = "imports.carry_out"

Command = Callable[[Settings, argparse.Namespace], int]


def main(arguments: list[str]) -> int:
    """Run one command and give its exit code. What the user can put right is said in one sentence, without a traceback."""
    if arguments and arguments[0].startswith("--d"):
        arguments = ["run", *arguments]
    options = _parser().parse_args(arguments)
    # So that what was started on the way, such as a database, is ended in order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    command: Command = options.command
    try:
        return command(server.read_settings(), options)
    except (BadSetting, StartProblem, DatabaseProblem, migrations.MigrationProblem, Busy, PermissionError) as problem:
        print(problem, file=sys.stderr)
    except ShopError as problem:
        said = [f"{field}: {sentence}" for field, sentences in problem.errors.items() for sentence in sentences]
        print("\n".join(said or [problem.detail]), file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./shop", description="Every setting is described in .env.example.")
    commands = parser.add_subparsers(required=True, metavar="command")
    run = commands.add_parser("run", help="open the shop")
    run.add_argument("--debug", action="store_true", help="one worker, which reads changed files anew")
    run.set_defaults(command=_run)
    commands.add_parser("migrate", help="bring the database to this version").set_defaults(command=_migrate)
    commands.add_parser("seed", help="load the demo catalogue").set_defaults(command=_seed)
    bring = commands.add_parser("import", help="bring products in from a CSV file, or a ZIP of one and its pictures")
    bring.add_argument("file", type=_existing)
    bring.add_argument("--format", choices=["shopify", "simple"], default="", help="recognised by the first row unless given")
    bring.add_argument(
        "--numbers",
        choices=["point", "comma"],
        help="how the file writes numbers: point is 1,234.56, comma is 1.234,56; detected unless given",
    )
    bring.add_argument("--pictures", type=_existing, metavar="FOLDER", help="where the pictures are that the file names")
    bring.add_argument("--dry-run", action="store_true", help="tell what would change, and change nothing")
    bring.set_defaults(command=_import)
    take = commands.add_parser("export", help="write all products into a CSV file")
    take.add_argument("file", type=_path)
    take.add_argument("--format", choices=["shopify", "simple"], default="shopify")
    take.set_defaults(command=_export)
    copy = commands.add_parser("backup", help="copy the shop into one file, while it runs or not, and prove the copy")
    copy.add_argument("--to", type=_path, metavar="FOLDER", help="SHOP_VAR/backups unless given")
    copy.set_defaults(command=_backup)
    commands.add_parser("backups", help="the backups in SHOP_VAR").set_defaults(command=_backups)
    back = commands.add_parser("restore", help="put a backup in the place of the shop, which must not run meanwhile")
    back.add_argument("backup", help="the name of a backup in SHOP_VAR, or a file")
    back.add_argument(
        "--allow-unsigned",
        action="store_true",
        help="restore a backup that this shop did not sign; whoever made it decides on accounts, prices and bank details",
    )
    back.set_defaults(command=_restore)
    commands.add_parser("search-rebuild", help="make the search index anew").set_defaults(command=_search_rebuild)
    commands.add_parser("doctor", help="examine the data").set_defaults(command=_doctor)
    commands.add_parser("worker", help="run the background jobs").set_defaults(command=_worker)
    admin = commands.add_parser("create-admin", help="give somebody the keys; the password is asked for, or read from standard input")
    admin.add_argument("--username", type=normalize_text, required=True)
    admin.add_argument("--email", type=normalize_text, required=True)
    admin.set_defaults(command=_create_admin)
    reset = commands.add_parser(
        "reset-access",
        help="give an account that nobody can sign in to a new password, and remove its second factor; the password is asked for, or read from standard input",
    )
    reset.add_argument("--username", required=True)
    reset.set_defaults(command=_reset_access)
    for name, folder, help_ in (("bench", BENCHES, "measure a shop of its own"), ("drill", DRILLS, "try faults and chance on a shop of its own")):
        script = commands.add_parser(name, help=f"{help_}; more words go to the {name}")
        script.add_argument("name", choices=sorted({path.stem for path in folder.glob("*.py")} - {"frame"}))
        script.add_argument("words", nargs=argparse.REMAINDER)
        script.set_defaults(command=_script, folder=folder)
    return parser


def _path(text: str) -> Path:
    """A path as whoever typed it means it: ./shop itself works in the shop's folder."""
    return Path(os.environ.get("CALLED_FROM", "")) / text


def _existing(text: str) -> Path:
    path = _path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no {path}")
    return path


def _run(settings: Settings, options: argparse.Namespace) -> int:
    return server.run(settings, debug=options.debug)


def _migrate(settings: Settings, options: argparse.Namespace) -> int:
    with _database(settings, "./shop migrate"):
        _bring_up_to_date(settings)
    say("The database is at this version.")
    return 0


def _seed(settings: Settings, options: argparse.Namespace) -> int:
    with _services(settings, "./shop seed"):
        if server.seed(settings):
            say("The demo catalogue is in the shop.")
            return 0
    say("The shop has goods already; the demo is for an empty one.")
    return 1


def _import(settings: Settings, options: argparse.Namespace) -> int:
    from .services import imports

    with _services(settings, "./shop import"):
        looked = imports.look(options.file, options.pictures, asked=options.format, numbers=options.numbers)
        for line in _in_words(looked.told()):
            say(line)
        if options.dry_run or looked.refused:
            return 1 if looked.refused else 0
        import_id = imports.submit(looked, settings.var / "uploads", _bar, file_name=options.file.name)
        one = _follow_import(settings, import_id)
    for error in one["errors"]:
        say(f"Error{_place(error)}: {error['message']}")
    say("Everything is in the shop." if not one["error_count"] else f"{one['error_count']} products were left out.")
    return int(one["error_count"] > 0)


def _follow_import(settings: Settings, import_id: int) -> Import:
    """Show the progress of an import until it is over. The process that holds its job's lease applies it: this one or a running shop."""
    from .services import imports, jobs

    runner = jobs.Runner(settings, {IMPORT_JOB: jobs.registry[IMPORT_JOB]})
    try:
        while (one := imports.get(import_id))["status"] not in ("done", "failed"):
            runner.look()
            _bar(min(one["done"], one["total"] - 1), one["total"])
            time.sleep(0.1)
        _bar(one["total"], one["total"])
        return one
    finally:
        runner.finish()


def _in_words(told: Told) -> Iterator[str]:
    """What an import would do, for whoever sits at a terminal."""
    from .services.csv_numbers import EXAMPLES

    counts, pictures = told["diff"]["counts"], told["pictures"]
    for name, remarks, count in (("Error", told["errors"], told["error_count"]), ("Note", told["warnings"], told["warning_count"])):
        yield from (f"{name}{_place(one)}: {one['message']}" for one in remarks)
        yield from [f"… and {count - len(remarks)} more"] * (count > len(remarks))
    if number_format := told["numbers"]["format"]:
        how = "as chosen" if told["numbers"]["chosen"] else "detected"
        yield f"Numbers in this file: {EXAMPLES[number_format]} ({how})"
    if told["ignored_columns"]:
        yield f"Columns that the shop has no use for: {', '.join(told['ignored_columns'])}"
    for product in told["diff"]["products"]:
        yield f"{product['action']:<8} {product['handle']}"
        yield from (f"           {_shown(change)}" for change in product["changes"])
        yield from (
            f"           {one['action']} variant {one['variant']}  {'; '.join(map(_shown, one['changes']))}"
            for one in product["variants"]
            if product["action"] != "new"
        )
    yield from [f"New categories: {', '.join(told['diff']['categories'])}"] * bool(told["diff"]["categories"])
    yield f"Products: {counts['new']} new, {counts['changed']} changed, {counts['same']} the same"
    yield f"Variants: {counts['variants_new']} new, {counts['variants_changed']} changed, {counts['variants_archived']} put away"
    yield f"Pictures: {pictures['listed']} named, {pictures['new']} to be added, {pictures['missing']} not at hand"


def _place(remark: Remark) -> str:
    places = [f"row {remark['row']}"] * bool(remark["row"]) + [remark["column"]] * bool(remark["column"])
    return f" in {', '.join(places)}" if places else ""


def _shown(change: FieldChange) -> str:
    return f"{change['field']}: {change['from'][:60]!r} → {change['to'][:60]!r}"


def _bar(done: int, total: int) -> None:
    """How far something is, drawn over itself on a terminal, and in the end only elsewhere."""
    filled = 40 * done // max(1, total)
    if sys.stdout.isatty():
        print(f"\r[{'#' * filled}{' ' * (40 - filled)}] {done:,} of {total:,}", end="\n" if done == total else "", flush=True)
    elif done == total:
        say(f"{done:,} of {total:,}")


def _export(settings: Settings, options: argparse.Namespace) -> int:
    from .services import imports

    draft = options.file.with_name(options.file.name + ".part")
    with _services(settings, "./shop export"), draft.open("wb") as file:
        file.writelines(imports.export(options.format, settings.url, actor_id=None))
    draft.replace(options.file)
    say(f"The products are in {options.file}.")
    return 0


def _backup(settings: Settings, options: argparse.Namespace) -> int:
    from .services import backup_files

    folder = options.to or settings.var / "backups"
    security.use_key(settings.secret_key)
    with _database(settings, "./shop backup"), backup_files.alone(folder):
        _bring_up_to_date(settings)
        owner = address_of(settings, owner=True)
        path = backup_files.create(owner, settings.var / "uploads", folder, _bar)
        say(f"The shop is in {path}. Restoring it beside the shop, to prove it")
        backup_files.verify(owner, path, _bar, loader=address_of(settings))
    say("Proven: the copy is whole and every invariant is held in it. It holds no SECRET_KEY; keep that apart.")
    return 0


def _backups(settings: Settings, options: argparse.Namespace) -> int:
    from .services import backups

    for one in backups.listed(backups.folder_of(settings.var)):
        proven = f"proven {one['proven_at']:%Y-%m-%d %H:%M}" if one["proven_at"] else "not proven"
        say(f"{one['name']}  {one['size']:>14,} bytes  {proven}")
    return 0


def _restore(settings: Settings, options: argparse.Namespace) -> int:
    from .services import backup_files, backups
    from .services.backup_archive import UnsignedBackup

    path = _path(options.backup)
    path = path if path.is_file() else backups.find(backups.folder_of(settings.var), options.backup)
    security.use_key(settings.secret_key)
    try:
        trusted = backups.trusted_digest(path, allow_unsigned=options.allow_unsigned)
    except UnsignedBackup as error:
        say(f"{error.detail} To restore it, add --allow-unsigned.")
        return 1
    if settings.db_host:
        say(f"Everything in {settings.db_name} on {settings.db_host} is replaced, and DB_USER must be allowed to make databases named {settings.db_name}_….")
        say("Stop every server and worker of the shop first.")
    else:
        say(f"Everything in the shop is replaced by {path.name}.")
    if (input("To go on, type restore: ") if sys.stdin.isatty() else sys.stdin.readline().strip()) != "restore":
        say("Nothing was touched.")
        return 1
    with _database(settings, "./shop restore", alone=True), backup_files.alone(backups.folder_of(settings.var)):
        _bring_up_to_date(settings)
        with server.opened(settings):
            backups.restore_offline(settings, path, _bar, trusted_digest=trusted)
    say("The shop is as it was then. Everybody signs in anew; mails that were unsent then are not sent.")
    return 0


def _search_rebuild(settings: Settings, options: argparse.Namespace) -> int:
    from .services import search_index

    with _services(settings, "./shop search-rebuild"):
        search_index.rebuild(settings.var / "search", say)
    return 0


def _doctor(settings: Settings, options: argparse.Namespace) -> int:
    from .services import doctor

    broken = 0
    with _services(settings, "./shop doctor"):
        for name, words, rows in doctor.examine():
            say(f"{'broken' if rows else 'held  '}  {name}: {words}")
            for row in rows:
                say(f"          {', '.join(f'{column} {value}' for column, value in row.items())}")
            broken += bool(rows)
    say("All invariants are held." if not broken else f"{broken} broken.")
    return 1 if broken else 0


def _create_admin(settings: Settings, options: argparse.Namespace) -> int:
    from .services import accounts

    password = _read_password("Password: ")
    with _services(settings, "./shop create-admin"):
        accounts.create_admin(options.username, options.email, password)
    say(f"{options.username} is an admin now and can sign in at {settings.url}/login")
    return 0


def _reset_access(settings: Settings, options: argparse.Namespace) -> int:
    from .services import access_recovery

    password = _read_password("New password: ")
    with _services(settings, "./shop reset-access"):
        access_recovery.reset_access(options.username, password)
    say(f"{options.username} can sign in with the new password at {settings.url}/login")
    say("Two-step sign-in is off, and every session has ended. Set it up again under Account, Security.")
    return 0


def _read_password(prompt: str) -> str:
    """Ask for a password on a terminal without echoing it, else read the first line of standard input."""
    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")


def _worker(settings: Settings, options: argparse.Namespace) -> int:
    with _database(settings, "./shop worker"):
        _bring_up_to_date(settings)
        say("Working. To stop: Ctrl-C")
        server.work()
    return 0


def _script(settings: Settings, options: argparse.Namespace) -> int:
    return subprocess.run([sys.executable, str(options.folder / f"{options.name}.py"), *options.words], check=False).returncode


def _bring_up_to_date(settings: Settings) -> None:
    migrations.migrate(address_of(settings, owner=True), say)


@contextlib.contextmanager
def _services(settings: Settings, command: str) -> Iterator[None]:
    """A database at this version, open for the services."""
    with _database(settings, command):
        _bring_up_to_date(settings)
        security.use_key(settings.secret_key)
        with server.opened(settings):
            yield


@contextlib.contextmanager
def _database(settings: Settings, command: str, *, alone: bool = False) -> Iterator[None]:
    """The database of a shop that runs, or one started for this command and stopped after it; with `alone`, no shop may run."""
    if settings.db_host:
        prepare_server(settings)
        yield
        return
    held = _hold(settings, command)
    if held is None and alone:
        raise StartProblem("The shop is running. Stop it first; nothing was touched.")
    if held is None:
        yield
        return
    database = PrivateDatabase(settings.var, say)
    try:
        database.start()
        yield
    finally:
        database.stop()
        held.release()


def _hold(settings: Settings, command: str) -> Lock | None:
    """The lock of SHOP_VAR, or nothing where a running shop has it and its database answers. Another command is waited for."""
    held, deadline = Lock(settings.var), time.monotonic() + PATIENCE
    while True:
        try:
            held.take(command)
            return held
        except Busy as busy:
            if busy.holder.command in ("./shop run", "./shop worker") and _answers(settings):
                return None
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _answers(settings: Settings) -> bool:
    try:
        address: Address = address_of(settings)
        connect(address).close()
    except (DatabaseProblem, *DRIVER_ERRORS):
        return False
    return True
