"""What the tests of imports in small transactions share: files, and a way to stop the importer."""

from __future__ import annotations

import csv
import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app import db
from app.services import imports

PATIENCE = 20.0  # seconds that a test waits for another thread


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with db.reading() as tx:
        return list(tx.execute(sql, params).fetchall())


def value(sql: str, *params: Any) -> Any:
    return rows(sql, *params)[0][0]


def csv_of(*lines: dict[str, Any]) -> bytes:
    names = list(dict.fromkeys(name for line in lines for name in line))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue().encode()


def zip_of(table: bytes, **images: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("products.csv", table)
        for name, color in images.items():
            image = io.BytesIO()
            Image.new("RGB", (60, 40), color).save(image, "PNG")
            archive.writestr(f"{name}.png", image.getvalue())
    return out.getvalue()


def table_of(count: int, *, price: int, stock: int) -> bytes:
    return csv_of(
        *(
            {
                "handle": f"p-{n}",
                "title": f"Product {n}",
                "sku": f"S-{n}",
                "price": f"{price}.00",
                "stock": stock,
            }
            for n in range(count)
        )
    )


class Pause:
    """Stops the importer's thread at a place in the code until the block is left."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        var: Path,
        owner: Any,
        name: str,
        skip: int = 0,
    ) -> None:
        self._var, self._left = var, skip
        self._reached, self._go_on = threading.Event(), threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="importer")
        original = getattr(owner, name)

        def paused(*args: Any, **more: Any) -> Any:
            if threading.current_thread().name.startswith("importer"):
                self._left -= 1
                if self._left < 0 and not self._reached.is_set():
                    self._reached.set()
                    assert self._go_on.wait(PATIENCE)
            return original(*args, **more)

        monkeypatch.setattr(owner, name, paused)

    def __enter__(self) -> Pause:
        self._importing = self._pool.submit(imports.carry_out_due, self._var)
        assert self._reached.wait(PATIENCE)
        return self

    def __exit__(self, *_: Any) -> None:
        self._go_on.set()
        self._importing.result(PATIENCE)
        self._pool.shutdown()
