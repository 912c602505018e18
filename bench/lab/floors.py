"""What the shop is compared with: the least that anybody could do for the same answer, on the same server, workers and threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app import server
from app.config import Settings

from .shops import Client, free_port, until

WORKERS = 2


def constant(content: bytes, headers: list[tuple[str, str]]) -> Callable[..., Iterable[bytes]]:
    """A WSGI app that always gives these bytes."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", headers)
        return [content]

    return app


@contextmanager
def served(make: Callable[[], Any]) -> Iterator[int]:
    """The app that `make` gives, made in each worker, on the server that the shop uses and as the shop uses it; gives its port."""
    settings = Settings(var=Path(), port=free_port())
    listeners = server._listen(settings, WORKERS)
    workers = []
    for listener in listeners:
        granian = server._granian(settings, listener)
        workers.append(granian._spawn_worker(0, granian._spawn_wsgi_worker, make).inner)
    try:
        for worker in workers:
            worker.start()
        until(lambda: _answers(settings.port), "the start of a floor")
        yield settings.port
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
        for listener in listeners:
            listener.close()


def _answers(port: int) -> bool:
    try:
        return Client(port).get("/")[0] > 0
    except OSError:
        return False
