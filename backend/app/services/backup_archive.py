"""The archive format of a backup: a ZIP file of data, a manifest that lists every member, and
the manifest's signature.

    manifest.json          format, creation time, applied migrations, tables with their columns,
                           members with size and SHA-256
    manifest.sig           HMAC-SHA-256 of the manifest with a key derived from SECRET_KEY
    tables/<table>.jsonl   one JSON array of column values per line
    uploads/<path>         the uploaded files

An archive holds data only, never SQL. Anyone who can write a file can also write a manifest with
matching hashes, so the hashes only detect damage: names, types and sizes of the members are checked
before anything is unpacked (CWE-22, CWE-59, CWE-409), and only the signature shows that this shop
made the backup.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from .. import security
from ..errors import Conflict

FORMAT_VERSION = 2
MANIFEST_NAME, SIGNATURE_NAME = "manifest.json", "manifest.sig"
SIGNATURE_PURPOSE = "backup manifest"
CHUNK_BYTES = 1 << 20
MAX_MANIFEST_BYTES = 256 << 20
MAX_DIRECTORY_BYTES = 512 << 20  # zipfile reads the whole central directory into memory
MAX_ROW_BYTES = 64 << 20  # the embedded database accepts no larger packet
# Of archives that this shop did not sign. Rows of JSON compress about 20:1, a decompression bomb up
# to 1000:1.
MAX_COMPRESSION_RATIO = 200
COMPRESSION_ALLOWANCE_BYTES = 64 << 20

# Lower-case ASCII: two such names cannot differ by case or Unicode normalization only, and none of
# them is absolute, has a drive letter or climbs out of its folder. Windows opens devices by the
# names that are excluded, whatever extension follows.
_DEVICE = r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|/|$)"
_SEGMENT = rf"(?!{_DEVICE})[a-z0-9_](?:[a-z0-9._-]{{0,180}}[a-z0-9_-])?"
MEMBER_NAME = re.compile(rf"uploads(?:/{_SEGMENT}){{1,8}}|tables/[a-z0-9_]{{1,64}}\.jsonl")
MAX_NAME_BYTES = 512

STORED_SUFFIXES = {".webp", ".jpg", ".jpeg", ".png", ".zip"}  # compressed already
END_OF_DIRECTORY = struct.Struct("<4s4H2LH")
ZIP64_END_OF_DIRECTORY = struct.Struct("<4sQ2H2L4Q")
ZIP64_LOCATOR = struct.Struct("<4sLQL")
FILE_ATTRIBUTE_DIRECTORY = 0x10

# What zipfile raises for an altered file: it is no ZIP, its bytes changed, a member is missing,
# truncated or claims to be encrypted (RuntimeError), or an offset or a name is impossible
# (ValueError).
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    RuntimeError,
    ValueError,
    struct.error,
)


class Member(TypedDict):
    """`size` in bytes when unpacked; `rows` is 0 for files."""

    size: int
    sha256: str
    rows: int


class Manifest(TypedDict):
    format: int
    created_at: str
    migrations: list[str]
    tables: dict[str, list[str]]
    members: dict[str, Member]


class _Part(TypedDict):
    sha256: str
    rows: int


class _ManifestV1(TypedDict):
    """The manifest of the first format, whose CREATE TABLE statements are ignored."""

    format: int
    made_at: str
    versions: list[str]
    columns: dict[str, list[str]]
    parts: dict[str, _Part]


_MANIFEST = TypeAdapter(Manifest)
_MANIFEST_V1 = TypeAdapter(_ManifestV1)


def refuse(reason: str) -> Conflict:
    """Return the error for an archive that is not restored."""
    return Conflict(f"{reason} Nothing was changed.")


def damaged() -> Conflict:
    return refuse("This file is not a complete backup, or it was changed after it was made.")


def bad_name(name: str) -> Conflict:
    return refuse(f"This backup holds a file with a name that is not allowed: {ascii(name)[:200]}.")


class UnsignedBackup(Conflict):
    code = "unsigned_backup"

    def __init__(self) -> None:
        super().__init__(
            "This backup is not signed by this shop: another shop, an older version or another"
            " SECRET_KEY made it, or somebody changed it."
            " Restore it only if you trust whoever made it. Nothing was changed."
        )


# ---------------------------------------------------------------- writing


class ArchiveWriter:
    """Writes the members of a backup, and finally the signed manifest."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self.members: dict[str, Member] = {}

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        info = zipfile.ZipInfo(name)
        is_compressed = Path(name).suffix in STORED_SUFFIXES
        info.compress_type = zipfile.ZIP_STORED if is_compressed else zipfile.ZIP_DEFLATED
        digest, size, rows = hashlib.sha256(), 0, 0
        with self._zip.open(info, "w", force_zip64=True) as member:
            for chunk in chunks:
                member.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                rows += chunk.count(b"\n")
        if not name.startswith("tables/"):
            rows = 0
        self.members[name] = Member(size=size, sha256=digest.hexdigest(), rows=rows)

    def finish(
        self,
        *,
        created_at: str,
        migrations: list[str],
        tables: dict[str, list[str]],
    ) -> None:
        manifest = Manifest(
            format=FORMAT_VERSION,
            created_at=created_at,
            migrations=migrations,
            tables=tables,
            members=self.members,
        )
        content = json.dumps(manifest).encode()
        self._zip.writestr(MANIFEST_NAME, content)
        self._zip.writestr(SIGNATURE_NAME, sign_manifest(content))
        self._zip.close()


def sign_manifest(content: bytes) -> str:
    return security.sign(SIGNATURE_PURPOSE, hashlib.sha256(content).hexdigest()).hex()


def is_member_name(name: str) -> bool:
    """Return whether a member of that name can be unpacked safely on every system."""
    return len(name) <= MAX_NAME_BYTES and bool(MEMBER_NAME.fullmatch(name))


# ---------------------------------------------------------------- reading


class Archive:
    """An open backup whose directory agrees with its manifest.

    `digest` is the SHA-256 of the manifest and thereby stands for the content of the whole backup;
    `is_signed` tells whether this shop made it. Every read compares the content with the manifest,
    so that a file which is changed meanwhile is noticed.
    """

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._zip = archive
        entries = archive.infolist()
        for entry in entries:
            _check_entry(entry)
        self._entries = {entry.filename: entry for entry in entries}
        if len(self._entries) != len(entries):
            raise refuse("This backup holds two files of the same name.")
        content = self._read_small(MANIFEST_NAME, MAX_MANIFEST_BYTES)
        self.digest = hashlib.sha256(content).hexdigest()
        self.is_signed = self._has_signature(content)
        self.manifest = self._parse_manifest(content)
        self._check_members()
        if not self.is_signed:
            self._check_compression(path.stat().st_size)

    @property
    def uploads(self) -> list[str]:
        """The members under uploads/."""
        return [name for name in self.manifest["members"] if name.startswith("uploads/")]

    @property
    def row_count(self) -> int:
        return sum(member["rows"] for member in self.manifest["members"].values())

    def member(self, name: str) -> Member:
        return self.manifest["members"][name]

    def verify_content(self) -> None:
        """Read everything and raise Conflict unless it is what the manifest says."""
        for name in self.manifest["members"]:
            for _ in self.read(name):
                pass

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the content of a member; raise Conflict at its end unless the hash is right."""
        digest = hashlib.sha256()
        with _damage_reported():
            member = self._zip.open(self._entries[name])
        with member:
            while chunk := _read_chunk(member):
                digest.update(chunk)
                yield chunk
        if digest.hexdigest() != self.member(name)["sha256"]:
            raise damaged()

    def read_lines(self, name: str) -> Iterator[list[bytes]]:
        """Yield the lines of a member, some at a time and without their line breaks."""
        rest = b""
        for chunk in self.read(name):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > MAX_ROW_BYTES:
                raise damaged()
            if lines:
                yield lines
        if rest:
            raise damaged()

    def _read_small(self, name: str, limit: int) -> bytes:
        entry = self._entries.get(name)
        if entry is None or entry.file_size > limit:
            raise damaged()
        with _damage_reported():
            return self._zip.read(entry)

    def _has_signature(self, manifest: bytes) -> bool:
        if SIGNATURE_NAME not in self._entries:
            return False
        signature = self._read_small(SIGNATURE_NAME, 64)
        return hmac.compare_digest(signature, sign_manifest(manifest).encode())

    def _parse_manifest(self, content: bytes) -> Manifest:
        try:
            version = json.loads(content)["format"]
            if version == 1:
                return self._upgrade(_MANIFEST_V1.validate_json(content, strict=True))
            if version != FORMAT_VERSION:
                raise refuse("This backup is from a newer version of the shop.")
            return _MANIFEST.validate_json(content, strict=True)
        except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise damaged() from error

    def _upgrade(self, old: _ManifestV1) -> Manifest:
        members = {
            name: Member(
                size=self._entries[name].file_size,
                **part,
            )
            for name, part in old["parts"].items()
        }
        return Manifest(
            format=1,
            created_at=old["made_at"],
            migrations=old["versions"],
            tables=old["columns"],
            members=members,
        )

    def _check_members(self) -> None:
        members = self.manifest["members"]
        if self._entries.keys() - {MANIFEST_NAME, SIGNATURE_NAME} != members.keys():
            raise damaged()
        expected = {f"tables/{table}.jsonl" for table in self.manifest["tables"]}
        if {name for name in members if name.startswith("tables/")} != expected:
            raise damaged()
        for name, member in members.items():
            if not is_member_name(name):
                raise bad_name(name)
            if self._entries[name].file_size != member["size"]:
                raise damaged()
            folders = name.split("/")[:-1]
            if any("/".join(folders[:depth]) in members for depth in range(1, len(folders) + 1)):
                raise refuse(f"This backup holds {name} and a file in place of its folder.")

    def _check_compression(self, archive_bytes: int) -> None:
        unpacked_bytes = sum(member["size"] for member in self.manifest["members"].values())
        if unpacked_bytes > archive_bytes * MAX_COMPRESSION_RATIO + COMPRESSION_ALLOWANCE_BYTES:
            raise refuse(
                f"This backup would unpack to {unpacked_bytes:,} bytes, far more than a backup of its size holds.",
            )


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a backup. Raises Conflict for a file that is none, or that holds what no backup may
    hold.
    """
    with path.open("rb") as file:
        with _damage_reported():
            _check_directory_size(file)
            archive = zipfile.ZipFile(file)
        yield Archive(archive, path)


@contextmanager
def _damage_reported() -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise damaged() from error
    except OSError as error:
        # An altered directory may point to a place before the file's beginning. Other errors are
        # the disk's own.
        if error.errno != errno.EINVAL:
            raise
        raise damaged() from error


def _read_chunk(member: IO[bytes]) -> bytes:
    with _damage_reported():
        return member.read(CHUNK_BYTES)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    # zipfile cuts a name at its first NUL and replaces it by that of an extra field; a backup has
    # neither.
    if entry.orig_filename != entry.filename:
        raise bad_name(entry.orig_filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    is_folder = entry.is_dir() or entry.external_attr & FILE_ATTRIBUTE_DIRECTORY
    if kind not in (0, stat.S_IFREG) or is_folder:
        name = ascii(entry.filename)[:200]
        raise refuse(f"This backup holds something other than files: {name}.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise damaged()


def _check_directory_size(file: IO[bytes]) -> None:
    """Refuse a central directory that would fill the memory. Archives have no comment, so its
    record ends the file.
    """
    size = file.seek(0, os.SEEK_END)
    records_bytes = END_OF_DIRECTORY.size + ZIP64_LOCATOR.size + ZIP64_END_OF_DIRECTORY.size
    file.seek(max(0, size - records_bytes))
    tail = file.read()
    record = END_OF_DIRECTORY.unpack(tail[-END_OF_DIRECTORY.size :])
    signature, *_, directory_bytes, _, comment_bytes = record
    if signature != b"PK\x05\x06" or comment_bytes:
        raise damaged()
    if tail[ZIP64_END_OF_DIRECTORY.size :].startswith(b"PK\x06\x07"):
        directory_bytes = ZIP64_END_OF_DIRECTORY.unpack(tail[: ZIP64_END_OF_DIRECTORY.size])[8]
    if directory_bytes > MAX_DIRECTORY_BYTES:
        raise damaged()
