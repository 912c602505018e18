"""Answers that are ready: what the catalogue says to everybody alike is kept as bytes in each worker and given out ahead of Flask.

Only what is the same for everybody, and no search for words that may name somebody. A cookie is neither read here nor does it change such an
answer, and no answer that Flask made to a request with one is kept. A search is counted each time.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from werkzeug.http import parse_etags

from .callers import trust_proxies
from .db import DRIVER_ERRORS
from .errors import ShopError
from .http import etag_of, note_request
from .logs import new_request_id
from .services import catalogue, trends

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("shop.ready")

PATH = re.compile(r"/api/v1/(products(/[a-z0-9-]+)?|categories|search/suggestions)")
LIST, PRODUCT = "/api/v1/products", "/api/v1/products/<slug>"
SUGGESTIONS = "/api/v1/search/suggestions"
# What says the same without Flask.
VIEWS = {LIST: "catalogue.list_products", PRODUCT: "catalogue.get_product", "/api/v1/categories": "catalogue.list_categories"}
VIEWS |= {SUGGESTIONS: "discovery.list_suggestions"}
NOTHING = b'{"items":[]'  # how a list begins that found nothing
TYPED = re.compile(r"(^|[&;])(q|%71)=", re.IGNORECASE)
LONGEST_LIFE = 30.0  # seconds after which an answer is made anew, whatever the version says
MOST_BYTES = 16_000_000  # of answers in one worker
OVERHEAD = 2_000  # bytes that an answer takes beside its content
LONGEST_QUERY = 300

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    version: Any
    made_at: float
    route: str
    search: str  # as which it is counted; nothing for what is none
    etag: str
    headers: Headers
    headers_of_304: Headers
    content: bytes


class ReadyMade:
    """Wraps the app of one worker."""

    def __init__(self, app: Any) -> None:
        self._app: WSGIApplication = app
        self._client = trust_proxies(app.config["SHOP"].trusted_proxies)
        self._folder = app.config["SHOP"].var / "search"
        self._views = {route: app.view_functions[name].told for route, name in VIEWS.items()}
        self._headers: dict[str, Headers] = {}
        self._answers: dict[tuple[str, str], Answer] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = time.perf_counter()
        if environ["REQUEST_METHOD"] != "GET" or "HTTP_AUTHORIZATION" in environ or "HTTP_ORIGIN" in environ:
            return self._app(environ, start_response)
        key = (environ["PATH_INFO"], environ.get("QUERY_STRING", ""))
        answer = self._answers.get(key)
        if answer is None and not _may_be_kept(*key):
            return self._app(environ, start_response)
        version = catalogue.known_version()
        if answer and answer.version == version and began - answer.made_at < LONGEST_LIFE:
            return self._counted(answer, environ, start_response, began)
        answer = self._told(key, version) if version and not environ.get("CONTENT_LENGTH") else None
        if answer:
            return self._counted(answer, environ, start_response, began)
        if version is None or "HTTP_IF_NONE_MATCH" in environ or "HTTP_COOKIE" in environ:
            return self._app(environ, start_response)
        return self._made(key, version, environ, start_response)

    def find(self, path: str, query: str) -> Answer | None:
        """Return a stored response that is young enough. The caller checks its catalog version."""
        answer = self._answers.get((path, query))
        if answer and time.perf_counter() - answer.made_at < LONGEST_LIFE:
            return answer
        return None

    def count_search(self, answer: Answer, client: WSGIEnvironment, agent: str) -> None:
        """Count the search that a stored response answered."""
        trends.note_search(self._folder, answer.search, self._client(client), agent)

    def _counted(self, answer: Answer, environ: WSGIEnvironment, start_response: StartResponse, began: float) -> list[bytes]:
        if answer.search:
            self.count_search(answer, environ, environ.get("HTTP_USER_AGENT", ""))
        status, headers, content = render(answer, environ.get("HTTP_IF_NONE_MATCH", ""), environ["PATH_INFO"], began)
        start_response("304 NOT MODIFIED" if status == 304 else "200 OK", headers)
        return [content] if content else []

    def _told(self, key: tuple[str, str], version: Any) -> Answer | None:
        """The same made by the view alone, for which Flask around it would take longer than itself, with the headers that Flask gave another one.

        Refusals and faults are left to Flask, which meets them again and tells them as it tells everything.
        """
        path, query = key
        route, last = _route(path), path.rpartition("/")[2]
        if route not in self._headers or not query.isascii() or last.isdigit():
            return None
        given = dict(parse_qsl(query)) if TYPED.search(query) else {}
        term = trends.term_of(given.get("q", ""))
        if given and (term is None or "after" in given):
            return None
        try:
            content = self._views[route](query, slug=last) if route == PRODUCT else self._views[route](query)
        except (ShopError, *DRIVER_ERRORS):
            return None
        except Exception:
            log.exception("an answer could not be made without Flask")
            return None
        if content is None:
            return None
        etag = etag_of(content)
        own = {"ETag": f'"{etag}"', "Content-Length": str(len(content))}
        headers = [(name, own.get(name, value)) for name, value in self._headers[route]]
        search = term or "" if route == LIST and not content.startswith(NOTHING) else ""
        answer = Answer(version, time.perf_counter(), route, search, etag, headers, _bare(headers), content)
        self._keep(key, answer)
        return answer

    def _made(self, key: tuple[str, str], version: Any, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
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
        term = environ.get(trends.TERM) or ""
        if status.startswith("200") and "etag" in names and "set-cookie" not in names and (term or not TYPED.search(key[1])):
            kept = [(name, value) for name, value in headers if name.lower() != "x-request-id"]
            route = _route(key[0])
            if route in self._views:
                self._headers[route] = kept
            self._keep(key, Answer(version, time.perf_counter(), route, term if route == LIST else "", names["etag"].strip('"'), kept, _bare(kept), content))
        return [content]

    def _keep(self, key: tuple[str, str], answer: Answer) -> None:
        """Of too many the oldest go: what is much asked for is soon here again, and none stays for long anyway."""
        with self._lock:
            former = self._answers.pop(key, None)
            self._answers[key] = answer
            self._bytes += len(answer.content) + OVERHEAD - (len(former.content) + OVERHEAD if former else 0)
            while self._bytes > MOST_BYTES:
                self._bytes -= len(self._answers.pop(next(iter(self._answers))).content) + OVERHEAD


def _route(path: str) -> str:
    return PRODUCT if path.startswith(f"{LIST}/") else path


def _bare(headers: Headers) -> Headers:
    """Those of an answer without content."""
    return [(name, value) for name, value in headers if name.lower() not in ("content-type", "content-length")]


def _may_be_kept(path: str, query: str) -> bool:
    return PATH.fullmatch(path) is not None and len(query) <= LONGEST_QUERY


def render(answer: Answer, etags: str, path: str, began: float) -> tuple[int, Headers, bytes]:
    """Return status, headers and content of a stored response, and log the request.

    `etags` is the request's If-None-Match header, `began` its time.perf_counter().
    """
    request_id = new_request_id()
    is_known = bool(etags) and parse_etags(etags).contains_weak(answer.etag)
    status = 304 if is_known else 200
    headers = answer.headers_of_304 if is_known else answer.headers
    note_request(request_id, "GET", path, answer.route, status, began)
    return status, [*headers, ("X-Request-Id", request_id)], b"" if is_known else answer.content
