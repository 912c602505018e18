"""Between HTTP and the services: typed bodies, who may call what, sessions, one shape of error, and the headers of every answer."""

from __future__ import annotations

import functools
import hashlib
import inspect
import ipaddress
import logging
import re
import secrets
import time
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
from email_validator import EmailNotValidError, validate_email
from flask import Flask, Request, Response, current_app, g, request, session
from flask_session.base import ServerSideSession, ServerSideSessionInterface
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from . import errors
from .config import Settings
from .services import sessions
from .services.sessions import Account

log = logging.getLogger("shop.http")
M = typing.TypeVar("M", bound=BaseModel)

MAX_BODY = 64 * 1024  # bytes of a JSON body
MAX_DEPTH = 16
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)

# ---------------------------------------------------------------- typed bodies


# A single line: trimmed, without control characters (CR and LF would forge mail headers). Bounds are given with Field().
Line = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")]
# A text of several lines.
Prose = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
# A password is taken as typed: no trimming, any character but controls (NIST SP 800-63B-4, 3.1.1.2).
Secret = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _email(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        raise ValueError("Enter an e-mail address like name@example.com.") from None


Email = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=254), AfterValidator(_email)]


def _username(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", value):
        raise ValueError("Use letters, digits, dots, dashes and underscores, with a letter or digit at both ends.")
    return value


Username = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=32), AfterValidator(_username)]


def _country(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}", value):
        raise ValueError("Use the two-letter code of a country, such as BE.")
    return value


CountryCode = Annotated[str, AfterValidator(_country)]


class Body(BaseModel):
    """A JSON body: exact types, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Params(BaseModel):
    """A query string: text is read as the field's type, unknown names are refused."""

    model_config = ConfigDict(extra="forbid")


SENTENCES = {
    "missing": "This is needed.",
    "extra_forbidden": "There is no such field.",
    "string_type": "Must be text.",
    "int_type": "Must be a whole number.",
    "int_parsing": "Must be a whole number.",
    "int_from_float": "Must be a whole number.",
    "int_parsing_size": "Too large.",
    "bool_type": "Must be true or false.",
    "bool_parsing": "Must be true or false.",
    "list_type": "Must be a list.",
    "dict_type": "Must be an object.",
    "model_type": "Must be an object.",
    "model_attributes_type": "Must be an object.",
    "too_long": "At most {max_length}.",
    "too_short": "At least {min_length}.",
    "string_too_long": "At most {max_length} characters.",
    "greater_than_equal": "Must be {ge} or more.",
    "greater_than": "Must be more than {gt}.",
    "less_than_equal": "Must be {le} or less.",
    "literal_error": "Must be one of {expected}.",
    "string_pattern_mismatch": "Contains characters that are not allowed here.",
}


def _sentence(error: Any) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_too_short":
        return "This is needed." if context["min_length"] == 1 else f"At least {context['min_length']} characters."
    return SENTENCES.get(kind, "This is not valid.").format(**context)


def _validated(model: type[M], value: Any) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        fields: dict[str, list[str]] = {}
        for one in error.errors(include_url=False, include_input=False):
            fields.setdefault(".".join(map(str, one["loc"])) or "body", []).append(_sentence(one))
        raise errors.Invalid("Please check the marked fields.", fields=fields) from None


def _depth(value: Any, level: int = 0) -> int:
    if level > MAX_DEPTH or not isinstance(value, dict | list):
        return level
    children = value.values() if isinstance(value, dict) else value
    return max((_depth(child, level + 1) for child in children), default=level)


def _read_body(model: type[M]) -> M:
    if request.mimetype != "application/json":
        raise errors.UnsupportedMedia("Send the body as application/json.")
    raw = request.get_data(cache=False)
    if len(raw) > MAX_BODY:
        raise errors.TooLarge(f"At most {MAX_BODY} bytes.")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise errors.BadRequest("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise errors.BadRequest("The body must be a JSON object.")
    if _depth(value) > MAX_DEPTH:
        raise errors.BadRequest("The body is nested too deeply.")
    return _validated(model, value)


def _read_params(model: type[M]) -> M:
    twice = [name for name, values in request.args.lists() if len(values) > 1]
    if twice:
        raise errors.Invalid(fields={name: ["Given more than once."] for name in twice})
    if any("\x00" in value for value in request.args.values()):
        raise errors.BadRequest("The address contains a NUL character.")
    return _validated(model, request.args.to_dict())


# ---------------------------------------------------------------- who may call what


@dataclass(frozen=True)
class Endpoint:
    """What a route declares: who may call it, what it takes, what it answers. OpenAPI and the tests read it."""

    who: str
    status: int
    problems: tuple[int, ...]
    shared: bool
    key: bool
    body: type[Body] | None
    params: type[Params] | None
    answer: Any


def _allowed(who: str) -> None:
    if who == "anyone":
        return
    account = current_account()
    if account is None:
        raise errors.SignInRequired("Please sign in to go on.")
    if who == "staff" and account["role"] not in ("staff", "admin") or who == "admin" and account["role"] != "admin":
        raise errors.Forbidden("Your account may not do this.")


View = Callable[..., Any]
Guarded = Callable[..., Response]
Guarding = Callable[[View], Guarded]


class Guard:
    """Declares who may call a route, with `status` of a success, `problems` that its rules may answer beside those of the body, `shared`
    when the answer is the same for everybody and may be kept with an ETag, and `key` when an Idempotency-Key is demanded.

    The body, the query string and the shape of the answer are read off the view's annotations (`body`, `params`, return).
    """

    def __init__(self, who: str) -> None:
        self.who = who

    @typing.overload
    def __call__(self, view: View, /) -> Guarded: ...
    @typing.overload
    def __call__(self, view: None = None, /, *, status: int = 200, problems: tuple[int, ...] = (), shared: bool = False, key: bool = False) -> Guarding: ...
    def __call__(self, view: View | None = None, /, **declared: Any) -> Guarded | Guarding:
        return self._guarded(view) if view else lambda late: self._guarded(late, **declared)

    def _guarded(self, view: View, *, status: int = 200, problems: tuple[int, ...] = (), shared: bool = False, key: bool = False) -> Guarded:
        hints = typing.get_type_hints(view)
        body, params = hints.get("body"), hints.get("params")
        names = inspect.signature(view).parameters
        assert ("body" in names) == (body is not None) and ("params" in names) == (params is not None), f"{view.__name__}: annotate body and params"

        @functools.wraps(view)
        def run(**path: Any) -> Response:
            _allowed(self.who)
            if params:
                path["params"] = _read_params(params)
            if body:
                path["body"] = _read_body(body)
            result = view(**path)
            return result if isinstance(result, Response) else answer(result, status, shared=shared)

        run.endpoint = Endpoint(self.who, status, problems, shared, key, body, params, hints.get("return"))  # type: ignore[attr-defined]
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


def begin_session(user: int) -> None:
    """Sign `user` in under a new session id; the former id is dead (ASVS 5.0, 7.2.4)."""
    typing.cast(DatabaseSessions, current_app.session_interface).regenerate(typing.cast(ServerSideSession, session))
    session.clear()
    session["user_id"] = user
    g.account = sessions.account_of(user)


def end_session() -> None:
    """Sign out: the session row goes at once, whatever it held."""
    session.clear()
    session.pop("_permanent", None)
    g.account = None


def guest_token(*, create: bool = False) -> str | None:
    """The secret that names this browser's guest cart; made on the first write, never by a GET."""
    token: str | None = session.get("cart")
    if token is None and create:
        token = session["cart"] = secrets.token_urlsafe(24)
    return token


class DatabaseSessions(ServerSideSessionInterface):  # type: ignore[misc]  # Flask-Session has no types
    """Flask-Session over the table `sessions`: the id is hashed at rest and the row is joined with its user's role and state."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app, key_prefix="", sid_length=32)

    def open_session(self, app: Flask, request: Request) -> ServerSideSession:
        if not request.path.startswith("/api/"):
            return self.session_class(sid=self._generate_sid(self.sid_length), permanent=True)
        return super().open_session(app, request)

    def _retrieve_session_data(self, store_id: str) -> dict[str, Any] | None:
        found = sessions.find(store_id)
        if found is None:
            return None
        g.account = found["account"]
        g.known_session = store_id
        return typing.cast(dict[str, Any], found["data"])

    def _delete_session(self, store_id: str) -> None:
        sessions.end(store_id)

    def _upsert_session(self, session_lifetime: timedelta, session: ServerSideSession, store_id: str) -> None:
        known = g.get("known_session") == store_id
        sessions.save(store_id, dict(session), ip=request.remote_addr or "", user_agent=request.user_agent.string, known=known)


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
        response.set_etag(hashlib.blake2b(response.get_data(), digest_size=12).hexdigest())
        response.make_conditional(request)
    return response


def problem(error: errors.ShopError) -> Response:
    """The one shape of every refusal (RFC 9457)."""
    content = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "errors": error.errors,
        "request_id": request_id(),
        **error.extra,
    }
    response = Response(as_json(content), error.status, mimetype="application/problem+json")
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


BY_STATUS = {400: errors.BadRequest, 404: errors.NotFound, 405: errors.MethodNotAllowed, 413: errors.TooLarge, 415: errors.UnsupportedMedia}


def _from_werkzeug(error: HTTPException) -> Response:
    original = getattr(error, "original_exception", None)
    if original is not None:
        # A fault before or after the view, such as a session that cannot be read while the database is away.
        return problem(original) if isinstance(original, errors.ShopError) else _unexpected(original)
    if isinstance(error, RequestEntityTooLarge):
        return problem(errors.TooLarge(f"At most {MAX_BODY} bytes."))
    if error.code is not None and error.code < 400:
        return typing.cast(Response, error.get_response())
    made = problem(BY_STATUS.get(error.code or 500, errors.BadRequest)())
    if error.code == 405:
        made.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or []))
    return made


def _unexpected(error: Exception) -> Response:
    log.error("unexpected fault", exc_info=error, extra={"request_id": request_id()})
    return problem(errors.ShopError(f"Something went wrong on our side. Please quote {request_id()} if you tell us about it."))


def _refused(error: errors.ShopError) -> Response:
    return problem(error)


# ---------------------------------------------------------------- every request


def request_id() -> str:
    """Names this request in its answer, its errors and the log."""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(8)
    return typing.cast(str, g.request_id)


def origins_of(settings: Settings) -> frozenset[str]:
    """The origins a browser may write from: the shop's own and CORS_ORIGINS; on this machine its names are alike."""
    own = urlsplit(settings.url)
    names = {own.netloc}
    if not settings.production and own.hostname in ("localhost", "127.0.0.1", "::1"):
        port = f":{own.port}" if own.port else ""
        names = {f"{name}{port}" for name in ("localhost", "127.0.0.1", "[::1]")}
    return frozenset(f"{own.scheme}://{name}" for name in names) | frozenset(settings.cors_origins)


def _check_origin(allowed: frozenset[str], own: str) -> None:
    """Cross-site writes are refused by what browsers say of themselves (Fetch Metadata); a script without a browser says nothing."""
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("Origin")
    if origin is not None:
        if origin not in allowed:
            raise errors.Forbidden(f"This request comes from another site. The shop's own address is {own} (SHOP_URL).", code="cross_site")
    elif request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise errors.Forbidden("This request comes from another site.", code="cross_site")


def _trust_proxies(networks: tuple[str, ...]) -> Callable[[], None]:
    """X-Forwarded-For and -Proto count only when a trusted proxy sent them; the client is the last address that is no proxy's."""
    trusted = [ipaddress.ip_network(network) for network in networks]

    def is_address(text: str) -> bool:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return False
        # A scope (fe80::1%eth0) may hold any text.
        return "%" not in text

    def is_proxy(text: str) -> bool:
        return is_address(text) and any(ipaddress.ip_address(text) in network for network in trusted)

    def look() -> None:
        if not is_proxy(request.remote_addr or ""):
            return
        for hop in reversed([part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]):
            if not is_address(hop):
                break
            request.environ["REMOTE_ADDR"] = hop
            request.remote_addr = hop
            if not is_proxy(hop):
                break

    return look


def _finish(response: Response) -> Response:
    headers = response.headers
    headers["X-Request-Id"] = request_id()
    headers.setdefault("Content-Security-Policy", CSP)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers.setdefault("Cache-Control", "no-store")
    if current_app.config["SHOP"].cors_origins and request.path.startswith("/api/"):
        # Also on answers to those who are not on the list: a cache must not give them to one who is.
        response.vary.add("Origin")
    if current_app.config["SESSION_COOKIE_SECURE"]:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    log.info(
        "request",
        extra={
            "request_id": request_id(),
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "ms": round((time.perf_counter() - g.get("started", time.perf_counter())) * 1000, 1),
        },
    )
    return response


def install(app: Flask, settings: Settings) -> None:
    """Give the app its sessions, checks, error handlers and headers."""
    app.config.update(
        MAX_CONTENT_LENGTH=6 * 1024 * 1024,
        PERMANENT_SESSION_LIFETIME=timedelta(days=sessions.COOKIE_DAYS),
        SESSION_REFRESH_EACH_REQUEST=False,
        SESSION_COOKIE_NAME="__Host-session" if settings.https else "session",
        SESSION_COOKIE_SECURE=settings.https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.session_interface = DatabaseSessions(app)
    allowed = origins_of(settings)
    trust = _trust_proxies(settings.trusted_proxies)

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        trust()
        _check_origin(allowed, settings.url)

    app.after_request(_finish)
    app.register_error_handler(errors.ShopError, _refused)
    app.register_error_handler(HTTPException, _from_werkzeug)
    app.register_error_handler(Exception, _unexpected)
