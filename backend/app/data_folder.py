"""The data folder (SHOP_VAR), which holds keys, orders and emails and is closed to other users."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from .config import BadSetting

PRIVATE_MODE = 0o700


def prepare_data_folder(folder: Path) -> None:
    """Create the data folder if it is missing, and close it to other users.

    Older versions left it open. Its files are private from the start, by the umask that run.py
    sets. Raises BadSetting if the folder cannot be used.
    """
    try:
        folder.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
        if mode & stat.S_ISVTX:
            raise BadSetting(
                f"SHOP_VAR is {folder}, which other programs share. Choose another folder.",
            )
        if stat.S_IMODE(mode) != PRIVATE_MODE:
            # A mounted volume may belong to another user, and only that one may do this.
            with contextlib.suppress(PermissionError):
                folder.chmod(PRIVATE_MODE)
    except OSError as error:
        raise BadSetting(f"SHOP_VAR is {folder}, which cannot be used: {error.strerror}.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadSetting(f"SHOP_VAR is {folder}, where this user may not write.")
