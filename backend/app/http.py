"""Between HTTP and the services: typed bodies, who may call what, sessions, one shape of error, and the headers of every answer."""

from __future__ import annotations

import functools
import hashlib
import inspect
import logging
import secrets
import time
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from flask import Flask, Request, Response, current_app, g, redirect, request, session
from flask_session.base import ServerSideSession, ServerSideSessionInterface
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from . import counts, errors, logs
from .callers import allowed_origins, is_development_request, trust_proxies
from .config import Settings
from .fields import Body, CountryCode, Day, Email, Line, Moment, Params, Prose, Secret, Username, Words, WordsLine
from .files import FILES, CsvFile, MailPage, PdfFile, PictureFile, ZipFile
from .request_parsing import read_body, read_params
from .services import events, limits, payments, sessions, settings, tokens
from .services.sessions import Account, Visitor

__all__ = ["Body", "CountryCode", "Day", "Email", "Line", "Moment", "Params", "Prose", "Secret", "Username", "Words", "WordsLine"]
__all__ += ["is_development_request"]
__all__ += ["FILES", "CsvFile", "MailPage", "PdfFile", "PictureFile", "ZipFile"]

log = logging.getLogger("shop.http")

MAX_REQUEST_BYTES = 6 * 1024 * 1024  # unless the endpoint declares another limit
# Keys in the WSGI environment: an error to respond with, and whether only to check the access.
ERROR = "shop.error"
AUTHORIZE_ONLY = "shop.authorize_only"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
METHODS = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)

# ---------------------------------------------------------------- who may call what


@dataclass(frozen=True)
class Endpoint:
    """What a route declares: who may call it, what it takes, what it answers. OpenAPI and the tests read it."""

    who: str
    status: int
    problems: tuple[int, ...]
    shared: bool
    moved: bool
    key: bool
    step_up: bool | str
    limit: str
    max_body_bytes: int
    body: type[Body] | None
    params: type[Params] | None
    answer: Any


def _allowed(who: str, step_up: bool) -> None:
    if who == "anyone":
        return
    account = current_account()
    if account is None:
        raise errors.SignInRequired("Please sign in to go on.")
    if account["role"] != "customer":
        _ask_second_factor_of_staff()
    if who == "staff" and account["role"] not in ("staff", "admin") or who == "admin" and account["role"] != "admin":
        raise errors.Forbidden("Your account may not do this.")
    if step_up and not g.device["stepped_up"]:
        raise errors.StepUpRequired(second_factor=g.device["totp"])


def _ask_second_factor_of_staff() -> None:
    """Where the owner demands it, staff without a second factor can do nothing but set it up."""
    own = request.path.startswith(("/api/v1/me", "/api/v1/auth/"))
    if not own and not g.device["totp"] and settings.staff_need_totp():
        raise errors.Forbidden("Staff of this shop use two-step sign-in. Please set it up in your account.", code="totp_required")


def visitor() -> Visitor:
    """Where this request comes from, as the services that count and remember it want it."""
    device = request.cookies.get(current_app.config["DEVICE_COOKIE_NAME"], "")[:64]
    return Visitor(request.remote_addr or "", request.user_agent.string, device, limited=limited())


def limited() -> bool:
    """Whether the limits on how often something may be done are on."""
    return bool(current_app.config["SHOP"].limits)


def sender() -> limits.Sender | None:
    """Who sends this request, for services that limit what it causes. None: the limits are off."""
    if not limited():
        return None
    account = current_account()
    return limits.Sender(request.remote_addr or "", account["email"] if account else None)


def count(limit: str) -> None:
    """Use the allowance of this name once. Raises TooMany."""
    if limit and limited():
        ip, rule = request.remote_addr or "", str(request.url_rule)
        token = None if user_id() is not None else guest_token()
        limits.use_all(limits.uses_of_request(limit, rule, ip, user_id(), token))


View = Callable[..., Any]
Guarded = Callable[..., Response]
Guarding = Callable[[View], Guarded]


class Declared(typing.TypedDict, total=False):
    """What a route may declare beside who may call it."""

    status: int
    problems: tuple[int, ...]
    shared: bool
    moved: bool
    key: bool
    step_up: bool | str
    limit: str
    max_body_bytes: int


class Guard:
    """Declares who may call a route, with `status` of a success, `problems` that its rules may answer beside those of the body, `shared`
    when the answer is the same for everybody and may be kept with an ETag, `moved` when it may be 308 to another address, `key` when an
    Idempotency-Key is demanded, `limit`, the allowance that each call uses, and `max_body_bytes`, the longest body that it takes.

    `step_up` is True when the account must have authenticated again in the last minutes. A text is the condition under which that is
    required; the view or its service then raises StepUpRequired.

    The body, the query string and the shape of the answer are read off the view's annotations (`body`, `params`, return).
    """

    def __init__(self, who: str) -> None:
        self.who = who

    @typing.overload
    def __call__(self, view: View, /) -> Guarded: ...
    @typing.overload
    def __call__(self, view: None = None, /, **declared: typing.Unpack[Declared]) -> Guarding: ...
    def __call__(self, view: View | None = None, /, **declared: typing.Unpack[Declared]) -> Guarded | Guarding:
        return self._guarded(view, {}) if view else lambda late: self._guarded(late, declared)

    def _guarded(self, view: View, declared: Declared) -> Guarded:
        hints = typing.get_type_hints(view)
        body, params = hints.get("body"), hints.get("params")
        names = inspect.signature(view).parameters
        assert ("body" in names) == (body is not None) and ("params" in names) == (params is not None), f"{view.__name__}: annotate body and params"
        status, shared = declared.get("status", 200), declared.get("shared", False)
        step_up, limit = declared.get("step_up", False), declared.get("limit", "")
        problems = declared.get("problems", ()) + (403,) * bool(step_up) + (429,) * bool(limit)
        max_body_bytes = declared.get("max_body_bytes", body.most_bytes if body else MAX_REQUEST_BYTES)

        @functools.wraps(view)
        def run(**path: Any) -> Response:
            _allowed(self.who, step_up is True)
            if request.environ.get(AUTHORIZE_ONLY):
                return Response(status=204)
            request.max_content_length = max_body_bytes
            if params:
                path["params"] = read_params(params, request.query_string.decode())
            if body:
                path["body"] = read_body(body)
            count(limit)
            result = view(**path)
            return result if isinstance(result, Response) else answer(result, status, shared=shared)

        def told(query: str, **path: Any) -> bytes | None:
            """The answer to a stranger, made without Flask: for views that look at nothing of a request but its address. Nothing for one that is no JSON."""
            result = view(**path, params=read_params(params, query)) if params else view(**path)
            return None if isinstance(result, Response) else as_json(result)

        endpoint = Endpoint(
            self.who,
            status,
            problems,
            shared,
            declared.get("moved", False),
            declared.get("key", False),
            step_up,
            limit,
            max_body_bytes,
            body,
            params,
            hints.get("return"),
        )
        run.endpoint, run.told = endpoint, told  # type: ignore[attr-defined]
        return run


anyone = Guard("anyone")
signed_in = Guard("signed_in")
staff = Guard("staff")
admin = Guard("admin")


# ---------------------------------------------------------------- sessions


def current_account() -> Account | None:
    """Who is signed in as of this request, or None."""
    return typing.cast("Account | None", g.get("account"))


def user_id() -> int | None:
    account = current_account()
    return account["id"] if account else None


def account_id() -> int:
    """The id of whoever is signed in, for routes that only they reach."""
    account = current_account()
    if account is None:
        raise errors.SignInRequired()
    return account["id"]


def session_row() -> int:
    """The id of the session of whoever is signed in."""
    return int(g.device["id"])


def begin_session(user: int, *, greeted: bool = False, password_hash: str | None = None) -> None:
    """Sign `user` in under a new session id; the former id is dead (ASVS 5.0, 7.2.4). Whoever was `greeted` by a mail gets no other one.

    `password_hash` is that of the password which was proven: with another one by now the session does not begin.
    """
    if g.get("bearer"):
        raise errors.BadRequest("A request with an access token cannot begin a session. Leave the Authorization header out.")
    g.device_cookie = sessions.arrive(user, visitor(), greeted=greeted)
    _sessions().regenerate(typing.cast(ServerSideSession, session))
    session.clear()
    session["user_id"] = user
    g.password_hash = password_hash
    g.account = sessions.account_of(user)


def end_session() -> None:
    """Sign out: the session row goes at once, whatever it held."""
    if (account := current_account()) and g.get("device"):
        sessions.sign_out(account["id"], session_row())
    session.clear()
    session.pop("_permanent", None)
    g.account = None


def _sessions() -> DatabaseSessions:
    return typing.cast(DatabaseSessions, current_app.session_interface)


def guest_token(*, create: bool = False) -> str | None:
    """The secret that names this browser's guest cart; made on the first write, never by a GET."""
    token: str | None = session.get("cart")
    if token is None and create:
        count("guests")
        token = session["cart"] = secrets.token_urlsafe(24)
    return token


def _bearer(request: Request) -> str | None:
    """The access token of a request that brings one. Its cookie then counts for nothing, be the token good or not."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


class DatabaseSessions(ServerSideSessionInterface):  # type: ignore[misc]  # Flask-Session has no types
    """Flask-Session over the table `sessions`: the id is hashed at rest and the row is joined with its user's role and state."""

    def __init__(self, app: Flask, client: Callable[[Mapping[str, Any]], str]) -> None:
        super().__init__(app, key_prefix="", sid_length=32)
        self._client = client

    def open_session(self, app: Flask, request: Request) -> ServerSideSession | None:
        try:
            return self._opened(app, request)
        except errors.ShopError as error:
            # Told where every refusal is told: what is raised here Flask takes for a fault of the program.
            g.no_session = error
            return None

    def _opened(self, app: Flask, request: Request) -> ServerSideSession:
        request.environ["REMOTE_ADDR"] = request.remote_addr = self._client(request.environ)
        blank = self.session_class(sid=self._generate_sid(self.sid_length), permanent=True)
        if not request.path.startswith("/api/"):
            return blank
        bearer = _bearer(request)
        if bearer is not None:
            self._open_token(bearer, request)
        if bearer is not None or app.config["SESSION_COOKIE_NAME"] not in request.cookies:
            return blank
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: ServerSideSession | None, response: Response) -> None:
        # A script has no cookie: what its requests write into the session is nobody's. When the database is away nothing can be saved.
        if session is None or g.get("bearer") or response.status_code == errors.Unavailable.status:
            return
        # A refused request begins no session. One that is signed in is saved nevertheless, since
        # step-up may have given it a new id.
        signed_in_before = "user_id" in session and g.get("known_session") == session.sid
        if response.status_code < 400 or signed_in_before or not session:
            super().save_session(app, session, response)

    def _open_token(self, bearer: str, request: Request) -> None:
        g.bearer = True
        name = tokens.name_of(bearer)
        if name:
            self._know(name, sessions.find(name, kind="token", ip=request.remote_addr or ""))

    def _retrieve_session_data(self, store_id: str) -> dict[str, Any] | None:
        found = sessions.find(store_id, user_agent=request.user_agent.string, ip=request.remote_addr or "")
        self._know(store_id, found)
        return typing.cast(dict[str, Any], found["data"]) if found else None

    def _know(self, name: str, found: dict[str, Any] | None) -> None:
        if found:
            g.account = found["account"]
            g.known_session = name
            g.device = found

    def _delete_session(self, store_id: str) -> None:
        sessions.end(store_id)

    def _upsert_session(self, session_lifetime: timedelta, session: ServerSideSession, store_id: str) -> None:
        known, proven = g.get("known_session") == store_id, g.get("password_hash")
        sessions.save(store_id, dict(session), ip=request.remote_addr or "", user_agent=request.user_agent.string, known=known, password_hash=proven)


# ---------------------------------------------------------------- answers


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} does not go into JSON")


def as_json(value: Any) -> bytes:
    """JSON bytes; naive times are the database's UTC and get their Z."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)


def send_header(name: str, value: str) -> None:
    """Add a header to the answer that the view is about to give."""
    g.setdefault("headers", {})[name] = value


def answer(value: Any, status: int = 200, *, shared: bool = False) -> Response:
    response = Response(status=status) if value is None else Response(as_json(value), status, mimetype="application/json")
    if value is None:
        del response.headers["Content-Type"]
    response.headers.extend(g.get("headers", {}))
    if shared:
        response.headers["Cache-Control"] = "no-cache"
        response.set_etag(etag_of(response.get_data()))
        if "If-None-Match" in request.headers:
            response.make_conditional(request)
    return response


def etag_of(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def moved_to(address: str, status: typing.Literal[301, 308]) -> Response:
    """Another address for now: one that a browser kept would lead in circles once the former one is in use again."""
    response: Response = redirect(address, status)  # type: ignore[assignment]
    response.headers["Cache-Control"] = "no-cache"
    return response


def problem_content(error: errors.ShopError, request_id: str) -> bytes:
    """Return the body of an error response (RFC 9457)."""
    return as_json(
        {
            "type": "about:blank",
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            "code": error.code,
            "errors": error.errors,
            "request_id": request_id,
            **error.extra,
        }
    )


def problem(error: errors.ShopError) -> Response:
    """The one shape of every refusal (RFC 9457)."""
    content = problem_content(error, request_id())
    response = Response(content, error.status, mimetype="application/problem+json")
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    if error.status == 401 and g.get("bearer"):
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return response


BY_STATUS = {400: errors.BadRequest, 404: errors.NotFound, 405: errors.MethodNotAllowed, 413: errors.TooLarge, 415: errors.UnsupportedMedia}


def _from_werkzeug(error: HTTPException) -> Response:
    original = getattr(error, "original_exception", None)
    if original is not None:
        # A fault before or after the view, such as a session that cannot be read while the database is away.
        return _refused(original) if isinstance(original, errors.ShopError) else _unexpected(original)
    if isinstance(error, RequestEntityTooLarge):
        return problem(errors.TooLarge.above(request.max_content_length or 0))
    if error.code is not None and error.code < 400:
        return typing.cast(Response, error.get_response())
    made = problem(BY_STATUS.get(error.code or 500, errors.BadRequest)())
    if error.code == 405:
        made.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or []))
    return made


def _unexpected(error: Exception) -> Response:
    log.error("unexpected fault", exc_info=error, extra={"request_id": request_id()})
    events.begin_request(request_id())
    events.record_fault(error, request.endpoint or "", actor_id=user_id())
    return _refused(errors.ShopError(f"Something went wrong on our side. Please quote {request_id()} if you tell us about it."))


def _refused(error: errors.ShopError) -> Response:
    """The one shape of a problem; but somebody whose page cannot be made gets a page that says so."""
    if isinstance(error, errors.OutOfStock):
        counts.add("stock_out")
    show = current_app.extensions.get("error_page")
    wants_page = request.method == "GET" and "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")
    return show(error, request_id()) if show and wants_page and error.status >= 500 else problem(error)


# ---------------------------------------------------------------- every request


def request_id() -> str:
    """Names this request in its answer, its errors and the log."""
    if "request_id" not in g:
        g.request_id = logs.new_request_id()
    return typing.cast(str, g.request_id)


def _check_origin(allowed: frozenset[str], own: str) -> None:
    """Cross-site writes are refused by what browsers say of themselves (Fetch Metadata); a script without a browser says nothing."""
    if request.method in SAFE_METHODS or g.get("bearer"):
        # No other site can make a browser send an access token.
        return
    origin = request.headers.get("Origin")
    if origin is not None:
        if origin not in allowed:
            raise errors.Forbidden(f"This request comes from another site. The shop's own address is {own} (SHOP_URL).", code="cross_site")
    elif request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise errors.Forbidden("This request comes from another site.", code="cross_site")


def _check_token() -> None:
    """A dead token is said on any route, so that a script does not go on as a stranger without noticing."""
    if g.get("bearer") and current_account() is None:
        raise errors.SignInRequired("This access token is not good, or no longer. Ask for a new one.", code="token_invalid")


def fixed_headers(chosen: Settings) -> dict[str, str]:
    """Return the headers that every response has, unless it brings its own."""
    headers = {
        "Content-Security-Policy": CSP,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if chosen.https:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return headers


def _finish(response: Response) -> Response:
    headers = response.headers
    headers["X-Request-Id"] = request_id()
    for name, value in current_app.config["FIXED_HEADERS"].items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
    if current_app.config["SHOP"].cors_origins and request.path.startswith("/api/"):
        # Also on answers to those who are not on the list: a cache must not give them to one who is.
        response.vary.add("Origin")
    if "device_cookie" in g and response.status_code < 400:
        age = timedelta(days=sessions.DEVICE_DAYS)
        secure = current_app.config["SESSION_COOKIE_SECURE"]
        name = current_app.config["DEVICE_COOKIE_NAME"]
        response.set_cookie(name, g.device_cookie, max_age=age, secure=secure, httponly=True, samesite="Lax")
    route = request.url_rule.rule if request.url_rule else "none"
    token = (request.view_args or {}).get("token")
    path = request.path.replace(token, "…") if token else request.path  # A token has no place in a log.
    note_request(request_id(), request.method, path, route, response.status_code, g.get("started", time.perf_counter()))
    return response


def note_request(name: str, method: str, path: str, route: str, status: int, began: float) -> None:
    """Write a request that was answered into the log, and count it."""
    took = time.perf_counter() - began
    logs.note_request(name, method, path, status, took)
    counts.add(f"request {method if method in METHODS else 'other'} {status} {route}", seconds=took)


def install(app: Flask, chosen: Settings) -> None:
    """Give the app its sessions, checks, error handlers and headers."""
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_REQUEST_BYTES,
        PERMANENT_SESSION_LIFETIME=timedelta(days=sessions.COOKIE_DAYS),
        SESSION_REFRESH_EACH_REQUEST=False,
        SESSION_COOKIE_NAME="__Host-session" if chosen.https else "session",
        SESSION_COOKIE_SECURE=chosen.https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        DEVICE_COOKIE_NAME="__Host-device" if chosen.https else "device",
        FIXED_HEADERS=fixed_headers(chosen),
    )
    # What opens the session is the first to look at a request, and notes its address.
    app.session_interface = DatabaseSessions(app, trust_proxies(chosen.trusted_proxies))
    allowed = allowed_origins(chosen)

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        events.begin_request(request_id())
        payments.begin_request(functools.partial(is_development_request, chosen, request.environ))
        if ERROR in request.environ:
            raise request.environ[ERROR]
        if "no_session" in g:
            raise g.no_session
        _check_token()
        _check_origin(allowed, chosen.url)

    app.after_request(_finish)
    app.register_error_handler(errors.ShopError, _refused)
    app.register_error_handler(HTTPException, _from_werkzeug)
    app.register_error_handler(Exception, _unexpected)
