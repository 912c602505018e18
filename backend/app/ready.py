"""Answers that are ready: what the catalogue says to everybody alike is kept as bytes in each worker and given out ahead of Flask.

Only to requests that bring nothing of a person: no cookie, no token. Searches are always answered anew, since each of them is counted.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from werkzeug.http import parse_etags

from .db import DRIVER_ERRORS
from .errors import ShopError
from .http import note_request
from .services import catalogue

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = re.compile(r"/api/v1/(products(/[a-z0-9-]+)?|categories)")
LIST, PRODUCT = "/api/v1/products", "/api/v1/products/<slug>"
SEARCH = re.compile(r"(^|[&;])(q|%71)=", re.IGNORECASE)
PERSONAL = frozenset(("HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_ORIGIN"))
LOOK_EVERY = 0.1  # seconds for which the version of the catalogue is believed
LONGEST_LIFE = 30.0  # seconds after which an answer is made anew, whatever the version says
MOST_BYTES = 16_000_000  # of answers in one worker
OVERHEAD = 2_000  # bytes that an answer takes beside its content
LONGEST_QUERY = 300

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    version: Any
    made_at: float
    etag: str
    headers: Headers
    headers_of_304: Headers
    content: bytes


class ReadyMade:
    """Wraps the app of one worker."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._seen: tuple[float, Any] = (float("-inf"), None)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        key = _key(environ)
        version = self._version() if key else None
        if key is None or version is None:
            return self._app(environ, start_response)
        began = time.perf_counter()
        answer = self._kept(key, version)
        if answer:
            return _given(answer, environ, start_response, began)
        return self._app(environ, start_response) if "HTTP_IF_NONE_MATCH" in environ else self._made(key, version, environ, start_response)

    def _version(self) -> Any:
        """As of less than a tenth of a second ago; None while it is not known, as when the database is away or another thread is asking."""
        looked_at, version = self._seen
        if time.monotonic() - looked_at < LOOK_EVERY:
            return version
        if not self._looking.acquire(blocking=False):
            return None
        try:
            now = time.monotonic()
            version = catalogue.version()
            self._seen = (now, version)
            return version
        except (ShopError, *DRIVER_ERRORS):
            return None
        finally:
            self._looking.release()

    def _kept(self, key: str, version: Any) -> Answer | None:
        with self._lock:
            answer = self._answers.get(key)
            if answer is None or answer.version != version or time.monotonic() - answer.made_at > LONGEST_LIFE:
                return None
            self._answers.move_to_end(key)
            return answer

    def _made(self, key: str, version: Any, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The app's own answer; a success is kept under the version that was known before it was made, so that it is never older than that."""
        told: list[tuple[str, Headers]] = []

        def note(status: str, headers: Headers, exc_info: Any = None) -> Any:
            told.append((status, headers))
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        made = self._app(environ, note)
        content = b"".join(made)
        if hasattr(made, "close"):
            made.close()
        status, headers = told[-1]
        names = {name.lower(): value for name, value in headers}
        if status.startswith("200") and "etag" in names and "set-cookie" not in names:
            kept = [(name, value) for name, value in headers if name.lower() != "x-request-id"]
            bare = [(name, value) for name, value in kept if name.lower() not in ("content-type", "content-length")]
            self._keep(key, Answer(version, time.monotonic(), names["etag"].strip('"'), kept, bare, content))
        return [content]

    def _keep(self, key: str, answer: Answer) -> None:
        with self._lock:
            former = self._answers.pop(key, None)
            self._answers[key] = answer
            self._bytes += len(answer.content) + OVERHEAD - (len(former.content) + OVERHEAD if former else 0)
            while self._bytes > MOST_BYTES:
                self._bytes -= len(self._answers.popitem(last=False)[1].content) + OVERHEAD


def _key(environ: WSGIEnvironment) -> str | None:
    path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
    if environ["REQUEST_METHOD"] != "GET" or not PATH.fullmatch(path) or not PERSONAL.isdisjoint(environ):
        return None
    return None if len(query) > LONGEST_QUERY or SEARCH.search(query) else f"{path}?{query}"


def _given(answer: Answer, environ: WSGIEnvironment, start_response: StartResponse, began: float) -> list[bytes]:
    request_id = secrets.token_hex(8)
    known = environ.get("HTTP_IF_NONE_MATCH")
    fresh = known is not None and parse_etags(known).contains_weak(answer.etag)
    start_response("304 NOT MODIFIED" if fresh else "200 OK", [*(answer.headers_of_304 if fresh else answer.headers), ("X-Request-Id", request_id)])
    path = environ["PATH_INFO"]
    note_request(request_id, "GET", path, PRODUCT if path.startswith(f"{LIST}/") else path, 304 if fresh else 200, began)
    return [] if fresh else [answer.content]
