"""The uploaded files of a shop on their way into a backup and out of one."""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from .backup_archive import Archive, is_member_name, refuse

log = logging.getLogger("shop.backups")


def list_uploads(uploads: Path) -> Iterator[str]:
    """The files under uploads, without drafts and without what the shop did not put there."""
    for path in uploads.rglob("*"):
        name = path.relative_to(uploads).as_posix()
        if path.suffix == ".part" or path.is_symlink() or not path.is_file():
            continue
        if is_member_name(f"uploads/{name}"):
            yield name
        else:
            log.warning("a foreign file is not in the backup", extra={"file": name})


def plan_unpacking(archive: Archive, uploads: Path) -> list[str]:
    """Return the members that have to be unpacked.

    Raises Conflict if one of them would lead out of the folder, or may not replace a file.
    Files are named by their content or at random, so those of both shops are kept in one folder;
    jobs delete those that nothing refers to.
    """
    root, folders, wanted = uploads.resolve(), set[Path](), []
    for name in archive.uploads:
        target = _upload_path(name, uploads)
        if target.parent not in folders:
            is_blocked = target.parent.exists() and not target.parent.is_dir()
            if is_blocked or not target.parent.resolve().is_relative_to(root):
                raise refuse(f"{target.parent} is not a folder of the shop's uploads.")
            folders.add(target.parent)
        if target.is_symlink() or (target.exists() and not target.is_file()):
            raise refuse(f"{target} is in the way.")
        if not target.exists():
            wanted.append(name)
        elif _hash_file(target) != archive.member(name)["sha256"]:
            if not archive.is_signed:
                raise refuse(
                    f"{target} is another file than that in the backup, which is not signed and may not replace it.",
                )
            wanted.append(name)
    needed = sum(archive.member(name)["size"] for name in wanted)
    if needed > shutil.disk_usage(_existing_parent(uploads)).free:
        raise refuse(f"The uploads of this backup need {needed:,} bytes, and the disk has less.")
    return wanted


def _upload_path(name: str, uploads: Path) -> Path:
    return uploads / name.removeprefix("uploads/")


def _existing_parent(path: Path) -> Path:
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(archive: Archive, name: str, uploads: Path) -> None:
    target = _upload_path(name, uploads)
    target.parent.mkdir(parents=True, exist_ok=True)
    # No member begins with a dot, so none is in the way of another's draft.
    draft = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with draft.open("xb") as file:
            for chunk in archive.read(name):
                file.write(chunk)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
