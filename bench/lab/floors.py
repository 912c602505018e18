"""What the shop is compared with: the least that anybody could do for the same answer, on the same server, workers and threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from flask import Flask, Response, request

from app import db, server
from app.config import Settings

from .shops import Client, free_port, until

WORKERS = 2


def constant(content: bytes, headers: list[tuple[str, str]]) -> Callable[..., Iterable[bytes]]:
    """A WSGI app that always gives these bytes."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", headers)
        return [content]

    return app


def one_statement(address: db.Address) -> Flask:
    """Plain Flask that gives the cards of products, or the card of one, by one statement over a connection of each thread."""
    cards = db.q.catalogue.list_cards.sql.rpartition("WHERE")[0]
    app, kept = Flask("floor"), threading.local()

    def told(condition: str, *params: Any) -> Response:
        kept.connection = getattr(kept, "connection", None) or db.connect(address)
        cursor = kept.connection.cursor()
        cursor.execute(f"{cards} WHERE {condition}", params)
        rows = [dict(zip(cursor.column_names, row, strict=True)) for row in cursor.fetchall()]
        cursor.close()
        return Response(orjson.dumps({"items": rows}, default=str), mimetype="application/json")

    @app.get("/products")
    def list_products() -> Response:
        return told("p.id > %s AND p.listed ORDER BY p.id LIMIT %s", int(request.args["after"]), int(request.args["limit"]))

    @app.get("/products/<slug>")
    def get_product(slug: str) -> Response:
        return told("p.slug = %s AND p.listed", slug)

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
