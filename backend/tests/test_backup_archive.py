"""Archives that somebody crafted: none of them leads out of its folder, runs SQL, or replaces
the shop unasked.
"""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import factories
import pytest
from backup_fixtures import (
    DESK,
    desk,
    folder,
    loader,
    other_shop,
    owner,
    quiet,
    read_whole,
    run,
    uploads_of,
)
from conftest import ShopClient
from factories import Thing, User
from test_users import act_as

from app import db, security
from app.config import Settings
from app.db import Address
from app.errors import Conflict
from app.services import backup_archive, backup_files, backup_uploads, backups
from app.services.backup_archive import (
    MANIFEST_NAME,
    SIGNATURE_NAME,
    UnsignedBackup,
    open_archive,
    sign_manifest,
)

__all__ = ["desk", "folder", "loader", "other_shop", "owner"]

UPLOAD = "uploads/ab/mug.webp"


@dataclass
class Crafted:
    """The members of a backup in the hands of somebody who can compute hashes."""

    manifest: dict[str, Any]
    contents: dict[str, bytes]
    extra: list[tuple[zipfile.ZipInfo, bytes]] = field(default_factory=list)

    @classmethod
    def from_backup(cls, path: Path) -> Crafted:
        with zipfile.ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        del contents[SIGNATURE_NAME]
        return cls(json.loads(contents.pop(MANIFEST_NAME)), contents)

    def put(self, name: str, content: bytes = b"planted") -> None:
        """Add or replace a member, listed in the manifest with the right hash."""
        self.contents[name] = content
        self.list_member(name, content)

    def put_entry(
        self,
        name: str,
        content: bytes = b"planted",
        *,
        mode: int = 0,
        attributes: int = 0,
        listed: bool = True,
    ) -> None:
        """Add an entry of the ZIP file, whatever is there already."""
        info = zipfile.ZipInfo("placeholder")
        info.filename = info.orig_filename = name
        info.external_attr = mode << 16 | attributes
        self.extra.append((info, content))
        if listed:
            self.list_member(name, content)

    def list_member(self, name: str, content: bytes) -> None:
        rows = content.count(b"\n") if name.startswith("tables/") else 0
        self.manifest["members"][name] = {
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "rows": rows,
        }

    def rows(self, table: str) -> list[dict[str, Any]]:
        lines = self.contents[f"tables/{table}.jsonl"].splitlines()
        return [dict(zip(self.manifest["tables"][table], json.loads(line), strict=True)) for line in lines]

    def put_rows(self, table: str, rows: list[dict[str, Any]]) -> None:
        lines = [json.dumps([row[column] for column in self.manifest["tables"][table]]) for row in rows]
        self.put(f"tables/{table}.jsonl", "".join(f"{line}\n" for line in lines).encode())

    def write(self, path: Path, *, signed: bool) -> Path:
        manifest = json.dumps(self.manifest).encode()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of names that exist already
            for name, content in self.contents.items():
                archive.writestr(name, content)
            for info, content in self.extra:
                archive.writestr(info, content)
            archive.writestr(MANIFEST_NAME, manifest)
            if signed:
                archive.writestr(SIGNATURE_NAME, sign_manifest(manifest))
        return path

    def write_first_format(self, path: Path, tables: dict[str, str]) -> Path:
        """As versions of the shop wrote it that had no signatures, with a CREATE TABLE statement
        of each table.
        """
        parts = {name: {"sha256": member["sha256"], "rows": member["rows"]} for name, member in self.manifest["members"].items()}
        manifest = {
            "format": 1,
            "made_at": self.manifest["created_at"],
            "versions": self.manifest["migrations"],
            "tables": tables,
            "columns": self.manifest["tables"],
            "parts": parts,
        }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in self.contents.items():
                archive.writestr(name, content)
            archive.writestr(MANIFEST_NAME, json.dumps(manifest))
        return path


@pytest.fixture
def backup(mug: Thing, owner: Address, tmp_path: Path) -> Path:
    return backup_files.create(owner, uploads_of(tmp_path), tmp_path / "backups", quiet)


@pytest.fixture
def crafted(backup: Path) -> Crafted:
    return Crafted.from_backup(backup)


Restore = Callable[[Path], None]


@pytest.fixture
def restored_var(tmp_path: Path) -> Path:
    return tmp_path / "restored"


@pytest.fixture
def restore(other_shop: Address, loader: Address, restored_var: Path) -> Restore:
    """Restore a file into an empty shop, whether or not it is signed."""

    def act(path: Path) -> None:
        trusted = backups.trusted_digest(path, allow_unsigned=True)
        backup_files.restore(other_shop, path, restored_var, quiet, loader=loader, trusted_digest=trusted)

    return act


@pytest.fixture
def untouched(other_shop: Address, restored_var: Path, tmp_path: Path) -> Iterator[None]:
    """When the test is done, neither files nor rows have come from an archive."""
    yield
    assert not list(tmp_path.rglob("*planted*"))
    assert not restored_var.exists()
    assert run(other_shop, "SELECT COUNT(*) FROM products") == [(0,)]
    assert not run(other_shop, f"SHOW DATABASES LIKE '{other_shop.database}\\_restored'")


# ---------------------------------------------------------------- names and kinds of members


def plant_folder_and_file(crafted: Crafted) -> None:
    crafted.put("uploads/planted")
    crafted.put("uploads/planted/mug.webp")


def put_both_normal_forms(crafted: Crafted) -> None:
    crafted.put("uploads/caf\u00e9")
    crafted.put("uploads/cafe\u0301")


def compress_zeros(crafted: Crafted) -> None:
    crafted.put("uploads/planted.webp.gz", bytes(20 << 20))


CRAFTED: dict[str, Callable[[Crafted], None]] = {
    "an absolute path": lambda crafted: crafted.put("uploads//tmp/planted"),
    "an absolute path outside uploads": lambda crafted: crafted.put("/tmp/planted"),
    "a member outside its folders": lambda crafted: crafted.put("secret_key"),
    "a parent folder": lambda crafted: crafted.put("uploads/../../planted"),
    "the folder itself": lambda crafted: crafted.put("uploads/./planted"),
    "two slashes": lambda crafted: crafted.put("uploads/ab//planted"),
    "a backslash": lambda crafted: crafted.put("uploads/..\\..\\planted"),
    "a drive letter": lambda crafted: crafted.put("uploads/c:/planted"),
    "an alternate data stream": lambda crafted: crafted.put("uploads/mug.webp:planted"),
    "a device of Windows": lambda crafted: crafted.put("uploads/nul.webp"),
    "a trailing dot": lambda crafted: crafted.put("uploads/planted."),
    "a hidden file": lambda crafted: crafted.put("uploads/.planted"),
    "a line break": lambda crafted: crafted.put("uploads/pla\nnted"),
    "a NUL": lambda crafted: crafted.put_entry("uploads/planted\0.webp"),
    "a NUL behind a listed name": lambda crafted: crafted.put_entry(f"{UPLOAD}\0planted", listed=False),
    "a name that is too long": lambda crafted: crafted.put(f"uploads/{'a' * 300}"),
    "a path that is too long": lambda crafted: crafted.put("uploads/" + "/".join(["a" * 180] * 4)),
    "a name that differs by case": lambda crafted: crafted.put("uploads/ab/MUG.webp"),
    "names that differ by normalization": put_both_normal_forms,
    "a symbolic link": lambda crafted: crafted.put_entry("uploads/planted", b"/etc", mode=stat.S_IFLNK | 0o777),
    "a device": lambda crafted: crafted.put_entry("uploads/planted", b"", mode=stat.S_IFCHR | 0o666),
    "a pipe": lambda crafted: crafted.put_entry("uploads/planted", b"", mode=stat.S_IFIFO | 0o666),
    "a folder": lambda crafted: crafted.put_entry("uploads/planted/", b"", mode=stat.S_IFDIR | 0o777, attributes=0x10),
    "a file marked as a folder": lambda crafted: crafted.put_entry("uploads/planted", attributes=0x10),
    "a file in place of a folder": plant_folder_and_file,
    "the same name twice": lambda crafted: crafted.put_entry(UPLOAD),
    "a member that the manifest does not list": lambda crafted: crafted.put_entry("uploads/planted", listed=False),
    "a member that is missing": lambda crafted: crafted.list_member("uploads/planted", b""),
    "more bytes than the manifest says": lambda crafted: crafted.manifest["members"][UPLOAD].update(size=5),
    "another hash": lambda crafted: crafted.manifest["members"][UPLOAD].update(sha256="0" * 64),
}


@pytest.mark.parametrize("kind", CRAFTED)
def test_an_archive_that_leads_out_of_its_folder_is_refused_before_anything_is_changed(
    kind: str,
    crafted: Crafted,
    restore: Restore,
    untouched: None,
    owner: Address,
    loader: Address,
    tmp_path: Path,
) -> None:
    """The manifest has the right hashes and even the shop's signature, so nothing but the check
    of its members refuses the archive.
    """
    CRAFTED[kind](crafted)
    path = crafted.write(tmp_path / "crafted.zip", signed=True)
    with pytest.raises(Conflict, match="Nothing was changed"):
        restore(path)
    with pytest.raises(Conflict, match="Nothing was changed"):
        backup_files.verify(owner, path, quiet, loader=loader)


def test_an_upload_that_would_be_written_through_a_link_is_refused(
    crafted: Crafted, other_shop: Address, loader: Address, tmp_path: Path, restored_var: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (restored_var / "uploads").mkdir(parents=True)
    (restored_var / "uploads" / "ab").symlink_to(tmp_path / "outside")
    path = crafted.write(tmp_path / "crafted.zip", signed=True)
    with pytest.raises(Conflict, match="is not a folder of the shop's uploads"):
        backup_files.restore(other_shop, path, restored_var, quiet, loader=loader)
    assert list((tmp_path / "outside").iterdir()) == []


def test_an_unsigned_archive_that_unpacks_to_far_more_than_its_size_is_refused(
    crafted: Crafted,
    restore: Restore,
    untouched: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backup_archive, "COMPRESSION_ALLOWANCE_BYTES", 1 << 20)
    compress_zeros(crafted)
    with pytest.raises(Conflict, match="far more than"):
        restore(crafted.write(tmp_path / "crafted.zip", signed=False))


def test_uploads_for_which_the_disk_has_no_room_are_refused(backup: Path, restore: Restore, untouched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = backup_uploads.shutil.disk_usage("/")
    monkeypatch.setattr(backup_uploads.shutil, "disk_usage", lambda path: usage._replace(free=5))
    with pytest.raises(Conflict, match="the disk has less"):
        restore(backup)


def test_a_manifest_that_would_fill_the_memory_is_not_read(backup: Path, restore: Restore, untouched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_archive, "MAX_MANIFEST_BYTES", 1000)
    with pytest.raises(Conflict, match="not a complete backup"):
        restore(backup)


# ---------------------------------------------------------------- tables and rows


def rename_column(crafted: Crafted) -> None:
    crafted.manifest["tables"]["users"] = [name.replace("username", "username`) SELECT 1 -- ") for name in crafted.manifest["tables"]["users"]]


def add_table(crafted: Crafted) -> None:
    crafted.manifest["tables"]["planted"] = ["id"]
    crafted.put("tables/planted.jsonl", b"[1]\n")


def drop_table(crafted: Crafted) -> None:
    del (
        crafted.manifest["tables"]["products"],
        crafted.manifest["members"]["tables/products.jsonl"],
        crafted.contents["tables/products.jsonl"],
    )


def repeat_product(crafted: Crafted) -> None:
    (row,) = crafted.rows("products")
    crafted.put_rows("products", [row, {**row, "id": row["id"] + 1}])


def orphan_variant(crafted: Crafted) -> None:
    (row,) = crafted.rows("variants")
    crafted.put_rows("variants", [{**row, "product_id": row["product_id"] + 99}])


def conjure_stock(crafted: Crafted) -> None:
    (row,) = crafted.rows("variants")
    crafted.put_rows("variants", [{**row, "stock": row["stock"] + 1}])


def forget_baseline(crafted: Crafted) -> None:
    crafted.manifest["migrations"] = crafted.manifest["migrations"][1:]


CRAFTED_ROWS: dict[str, Callable[[Crafted], None]] = {
    "a table that no migration creates": add_table,
    "a missing table": drop_table,
    "a column that no migration creates": rename_column,
    "a column twice": lambda crafted: crafted.manifest["tables"]["users"].append("id"),
    "a migration of a newer version": lambda crafted: crafted.manifest["migrations"].append("9999_future"),
    "no baseline": forget_baseline,
    "a row that is too short": lambda crafted: crafted.put("tables/products.jsonl", b"[1]\n"),
    "a row that is no list": lambda crafted: crafted.put("tables/products.jsonl", b'{"id": 1}\n'),
    "a row that is no JSON": lambda crafted: crafted.put("tables/products.jsonl", b"NaN\n"),
    "a row without its end": lambda crafted: crafted.put("tables/products.jsonl", crafted.contents["tables/products.jsonl"][:-1]),
    "a value that is no scalar": lambda crafted: crafted.put_rows("products", [{**crafted.rows("products")[0], "title": {"sql": "1"}}]),
    "a value of the wrong type": lambda crafted: crafted.put_rows("products", [{**crafted.rows("products")[0], "id": "x"}]),
    "a unique key twice": repeat_product,
    "a reference to nothing": orphan_variant,
    "a broken invariant": conjure_stock,
}


@pytest.mark.parametrize("kind", CRAFTED_ROWS)
def test_rows_that_this_version_would_not_have_written_are_refused(kind: str, crafted: Crafted, restore: Restore, untouched: None, tmp_path: Path) -> None:
    CRAFTED_ROWS[kind](crafted)
    with pytest.raises(Conflict, match="Nothing was changed"):
        restore(crafted.write(tmp_path / "crafted.zip", signed=True))


def test_sql_in_a_backup_of_the_first_format_is_not_run_and_its_rows_are_restored(
    crafted: Crafted,
    restore: Restore,
    other_shop: Address,
    restored_var: Path,
    mug: Thing,
    tmp_path: Path,
) -> None:
    tables = dict.fromkeys(crafted.manifest["tables"], f"CREATE DATABASE {other_shop.database}_planted")
    path = crafted.write_first_format(tmp_path / "crafted.zip", tables)
    with open_archive(path) as archive:
        assert not archive.is_signed
    restore(path)
    assert not run(other_shop, f"SHOW DATABASES LIKE '{other_shop.database}\\_planted'")
    assert run(other_shop, "SELECT title FROM products") == [(mug.title,)]
    assert (restored_var / UPLOAD).read_bytes() == b"a picture"


def test_a_backup_of_an_earlier_schema_is_brought_to_this_version(crafted: Crafted, restore: Restore, other_shop: Address, mug: Thing, tmp_path: Path) -> None:
    """The last migration added a column to an empty table, so a backup without both is one of
    the version before.
    """
    *crafted.manifest["migrations"], last = crafted.manifest["migrations"]
    assert last == "0006_unsigned_backups"
    crafted.manifest["tables"]["backup_tasks"].remove("trusted_digest")
    restore(crafted.write(tmp_path / "crafted.zip", signed=True))
    assert run(other_shop, "SELECT title FROM products") == [(mug.title,)]
    assert run(other_shop, f"SELECT COUNT(*) FROM schema_migrations WHERE version = '{last}'") == [(1,)]


def test_rows_are_loaded_by_the_account_that_may_only_change_rows(
    backup: Path, restore: Restore, loader: Address, owner: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    users: list[str] = []
    load = backup_files._load

    def observed(connection: Any, *args: Any) -> None:
        users.append(backup_files._rows(connection, "SELECT CURRENT_USER()")[0][0].partition("@")[0])
        load(connection, *args)

    monkeypatch.setattr(backup_files, "_load", observed)
    restore(backup)
    assert users == [loader.user]
    assert loader.user != owner.user or loader.host, "the embedded database has two accounts"


def test_every_kind_of_value_comes_back_as_it_was(crafted: Crafted, restore: Restore, other_shop: Address, owner: Address, tmp_path: Path) -> None:
    title = "Ünï \U0001f375 'quoted' \\ %s \" ; -- \t\n end"
    row = {**crafted.rows("products")[0], "title": title}
    crafted.put_rows("products", [row])
    restore(crafted.write(tmp_path / "crafted.zip", signed=True))
    assert run(other_shop, "SELECT title, created_at, description FROM products") == [
        (title, *run(owner, "SELECT created_at, description FROM products")[0]),
    ]
    document = bytes(range(256))
    assert backup_files._decode_row("files", json.dumps([1, {"base64": base64.b64encode(document).decode()}]).encode(), 2) == [1, document]


# ---------------------------------------------------------------- signatures


def test_a_backup_is_signed_and_signed_for_nothing_else(crafted: Crafted, backup: Path, tmp_path: Path) -> None:
    assert read_whole(backup)["format"] == 2
    with open_archive(backup) as archive:
        assert archive.is_signed
    with open_archive(crafted.write(tmp_path / "unsigned.zip", signed=False)) as archive:
        assert not archive.is_signed
    crafted.put_entry(
        SIGNATURE_NAME,
        security.sign("another purpose", archive.digest).hex().encode(),
        listed=False,
    )
    with open_archive(crafted.write(tmp_path / "other.zip", signed=False)) as archive:
        assert not archive.is_signed


def test_a_backup_of_a_shop_with_another_key_is_unsigned(
    backup: Path,
    other_shop: Address,
    loader: Address,
    restored_var: Path,
    app_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(security, "_key", b"the key of another shop")
    with pytest.raises(UnsignedBackup):
        backup_files.restore(other_shop, backup, restored_var, quiet, loader=loader)
    assert run(other_shop, "SELECT COUNT(*) FROM products") == [(0,)]


def test_an_unsigned_backup_may_add_uploads_but_replaces_none(
    crafted: Crafted, other_shop: Address, loader: Address, restored_var: Path, tmp_path: Path
) -> None:
    present = restored_var / UPLOAD
    present.parent.mkdir(parents=True)
    present.write_bytes(b"the present one")
    path = crafted.write(tmp_path / "crafted.zip", signed=False)
    trusted = backups.trusted_digest(path, allow_unsigned=True)
    with pytest.raises(Conflict, match="may not replace it"):
        backup_files.restore(other_shop, path, restored_var, quiet, loader=loader, trusted_digest=trusted)
    assert present.read_bytes() == b"the present one"
    assert run(other_shop, "SELECT COUNT(*) FROM products") == [(0,)]
    backup_files.restore(other_shop, crafted.write(path, signed=True), restored_var, quiet, loader=loader)
    assert present.read_bytes() == b"a picture", "the shop's own backup repairs a damaged file"


UNSIGNED = "shop-20260101-000000-0123abcd.zip"


def test_the_owner_confirms_the_restore_of_an_unsigned_backup_and_of_no_other_file(
    desk: ShopClient,
    ada: User,
    new_client: Callable[[], ShopClient],
    crafted: Crafted,
    folder: Path,
    app_settings: Settings,
    owner: Address,
    mug: Thing,
) -> None:
    folder.mkdir(exist_ok=True)
    path = crafted.write(folder / UNSIGNED, signed=False)
    run(owner, "UPDATE products SET title = 'Changed since'")
    assert desk.get(f"{DESK}/{UNSIGNED}").json["is_signed"] is False

    refused = desk.post(f"{DESK}/{UNSIGNED}/restoration", json={"name": UNSIGNED})
    assert (refused.status_code, refused.json["code"]) == (409, "unsigned_backup")
    text = desk.post(f"{DESK}/{UNSIGNED}/restoration", json={"name": UNSIGNED, "allow_unsigned": "yes"})
    assert text.status_code == 422
    late = new_client().as_(ada).post(f"{DESK}/{UNSIGNED}/restoration", json={"name": UNSIGNED, "allow_unsigned": True})
    assert (late.status_code, late.json["code"]) == (403, "step_up_needed")
    assert run(owner, "SELECT COUNT(*) FROM backup_tasks") == [(0,)]

    asked = desk.post(f"{DESK}/{UNSIGNED}/restoration", json={"name": UNSIGNED, "allow_unsigned": True})
    assert asked.status_code == 202
    confirmed = path.read_bytes()
    crafted.put("uploads/another.webp")
    crafted.write(path, signed=False)
    assert backups.carry_out(app_settings) == "restore failed"
    assert "not signed" in backups.get_task(asked.json["id"])["problem"]
    assert run(owner, "SELECT title FROM products") == [("Changed since",)]

    path.write_bytes(confirmed)
    desk.post(f"{DESK}/{UNSIGNED}/restoration", json={"name": UNSIGNED, "allow_unsigned": True})
    assert backups.carry_out(app_settings) == f"{UNSIGNED} restored"
    assert run(owner, "SELECT title FROM products") == [(mug.title,)]
    made = next(one["name"] for one in backups.listed(folder) if one["name"] != UNSIGNED)
    assert act_as(new_client(), ada).get(f"{DESK}/{made}").json["is_signed"] is True


def test_what_is_not_the_shops_stays_out_of_a_backup_and_in_its_place(mug: Thing, owner: Address, loader: Address, other_shop: Address, tmp_path: Path) -> None:
    uploads = uploads_of(tmp_path)
    (uploads / "Notes of the owner.txt").write_text("mine")
    (uploads / "draft.part").write_text("half")
    (uploads / "link.webp").symlink_to("/etc/passwd")
    run(owner, "CREATE TABLE reports (id INT PRIMARY KEY)")
    run(other_shop, "CREATE TABLE reports (id INT PRIMARY KEY)")
    try:
        path = backup_files.create(owner, uploads, tmp_path / "backups", quiet)
    finally:
        run(owner, "DROP TABLE reports")
    manifest = read_whole(path)
    assert [name for name in manifest["members"] if name.startswith("uploads/")] == [UPLOAD]
    assert "reports" not in manifest["tables"]
    backup_files.restore(other_shop, path, tmp_path / "restored", quiet, loader=loader)
    assert run(other_shop, "SHOW TABLES LIKE 'reports'") == [("reports",)]


def test_the_search_index_learns_of_a_restore_in_small_transactions(
    owner: Address,
    loader: Address,
    other_shop: Address,
    shop: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An INSERT … SELECT of all products would lock the counter of product_changes until its
    end, for which every order waits.
    """
    products = [factories.product(f"Mug {number}").id for number in range(5)]
    path = backup_files.create(owner, uploads_of(tmp_path), tmp_path / "backups", quiet)
    run(
        other_shop,
        f"INSERT INTO categories (id, slug, name) SELECT id, slug, name FROM {owner.database}.categories",
    )
    backup_files.restore(other_shop, path, tmp_path / "restored", quiet, loader=loader)
    removed = products.pop()
    connection = db.connect(owner)
    for table in ("stock_movements", "variants", "products"):
        column = "variant_id IN (SELECT id FROM variants WHERE product_id = {0})" if table == "stock_movements" else "product_id = {0}"
        connection.cmd_query(f"DELETE FROM {table} WHERE {'id = {0}' if table == 'products' else column}".format(removed))
    connection.close()
    second = backup_files.create(owner, uploads_of(tmp_path / "two"), tmp_path / "backups", quiet)

    monkeypatch.setattr(backup_files, "MARK_BATCH_ROWS", 2)
    sizes: list[int] = []
    execute = backup_files._run

    def observed(connection: Any, sql: str) -> None:
        execute(connection, sql)
        if sql.startswith("INSERT INTO product_changes"):
            sizes.append(backup_files._rows(connection, "SELECT ROW_COUNT()")[0][0])

    monkeypatch.setattr(backup_files, "_run", observed)
    run(other_shop, "DELETE FROM product_changes")
    backup_files.restore(other_shop, second, tmp_path / "restored", quiet, loader=loader)
    marked = {row[0] for row in run(other_shop, "SELECT product_id FROM product_changes")}
    assert marked == {*products, removed}
    assert len(sizes) == 3
