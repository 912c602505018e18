"""What comes with a file of products: the CSV of a ZIP, and pictures by their names, from a ZIP or a folder.

Nothing is ever unpacked: an entry is read when its picture is wanted, bounded, and its path counts for nothing but the name at its end.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import Invalid, TooLarge
from ..text import normalize_text
from . import product_csv

MOST_BYTES = 5 * 1024 * 1024  # of a picture
MOST_FILES = 5000
MOST_DIRECTORY = 2 * 1024 * 1024  # bytes of a ZIP's list of its entries, which is read as a whole
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
# How the library says that a file is damaged, encrypted (RuntimeError, also where it lacks the method) or tells of places that are not in it
# (OSError of a seek, ValueError, struct.error). The sender is told; the cause goes along for the log.
UNREADABLE = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError, struct.error)


class Pictures:
    """No pictures; the others have some. Names are in lower case."""

    names: frozenset[str] = frozenset()

    def read(self, name: str) -> bytes:
        raise KeyError(name)


class PictureFolder(Pictures):
    def __init__(self, folder: Path) -> None:
        files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]
        self._files = {_name(path.name): path for path in reversed(files)}
        self.names = frozenset(self._files)

    def read(self, name: str) -> bytes:
        with self._files[name].open("rb") as file:
            return _bounded(file, MOST_BYTES, name)


class PictureZip(Pictures):
    def __init__(self, path: Path) -> None:
        try:
            _check_directory(path)
            self._zip = zipfile.ZipFile(path)
        except UNREADABLE as error:
            raise Invalid(file="This ZIP file cannot be read.") from error
        entries = [entry for entry in self._zip.infolist() if not entry.is_dir() and "__MACOSX" not in entry.filename]
        if len(entries) > MOST_FILES:
            raise Invalid(file=f"A ZIP file may hold at most {MOST_FILES} files.")
        named = {_name(entry.filename): entry for entry in reversed(entries)}
        self._entries = {name: entry for name, entry in named.items() if PurePosixPath(name).suffix in SUFFIXES}
        self._sheets = [entry for name, entry in named.items() if name.endswith(".csv") and not name.startswith(".")]
        self.names = frozenset(self._entries)

    def csv(self) -> bytes:
        if len(self._sheets) != 1:
            raise Invalid(file=f"A ZIP file must hold one CSV file; this one has {len(self._sheets)}.")
        return self._read(self._sheets[0], product_csv.MOST_BYTES)

    def read(self, name: str) -> bytes:
        return self._read(self._entries[name], MOST_BYTES)

    def _read(self, entry: zipfile.ZipInfo, most: int) -> bytes:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Invalid(file=f"{_name(entry.filename)[:80]} is compressed in a way that the shop does not read.")
        try:
            with self._zip.open(entry) as file:
                return _bounded(file, most, _name(entry.filename))
        except UNREADABLE as error:
            raise Invalid(file=f"{_name(entry.filename)[:80]} cannot be read from the ZIP file.") from error


def _name(path: str) -> str:
    # A ZIP made on a Mac spells ü as two code points.
    return normalize_text(PurePosixPath(path.replace("\\", "/")).name).lower()


def _bounded(file: IO[bytes], most: int, name: str) -> bytes:
    """What it says of its size is not believed."""
    content = file.read(most + 1)
    if len(content) > most:
        raise TooLarge(f"{name[:80]} is larger than {most // 1024 // 1024} MB.")
    return content


def _check_directory(path: Path) -> None:
    """Python reads the whole list of entries at once, so its size is looked at first."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 65_557))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or tail[max(0, end - 20) :].startswith(b"PK\x06\x07") or struct.unpack_from("<L", tail, end + 12)[0] > MOST_DIRECTORY:
        raise ValueError("no list of entries, or too long a one")
