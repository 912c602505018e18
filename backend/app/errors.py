"""What can go wrong, by meaning. Services raise these; one handler in http.py answers application/problem+json (RFC 9457)."""

from __future__ import annotations

from typing import Any


class ShopError(Exception):
    """A refusal that the client is told about. `extra` members stand beside the standard ones in the answer."""

    status = 500
    code = "error"
    title = "Something went wrong"

    def __init__(self, detail: str = "", *, code: str = "", errors: dict[str, list[str]] | None = None, retry_after: int | None = None, **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.code = code or type(self).code
        self.errors = errors or {}
        self.retry_after = retry_after
        self.extra = extra


class BadRequest(ShopError):
    status, code, title = 400, "bad_request", "The request cannot be read"


class SignInRequired(ShopError):
    status, code, title = 401, "sign_in_required", "Please sign in"


class BadCredentials(ShopError):
    status, code, title = 401, "bad_credentials", "Sign-in failed"


class Forbidden(ShopError):
    status, code, title = 403, "forbidden", "Not allowed"


class StepUpRequired(Forbidden):
    """The account must authenticate again first: with its second factor if it has one, else with its password."""

    code = "step_up_needed"

    def __init__(self, *, second_factor: bool) -> None:
        """`second_factor` tells the client what to ask for."""
        proof = "a code from your authenticator app" if second_factor else "your password"
        super().__init__(f"Please confirm that it is you with {proof}.", second_factor=second_factor)


class NotFound(ShopError):
    """Absent, or somebody else's: the two are told apart by nobody."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(ShopError):
    status, code, title = 405, "method_not_allowed", "That cannot be done here"


class RequestTimeout(ShopError):
    """The request did not arrive in time."""

    status, code, title = 408, "request_timeout", "The request took too long"


class Conflict(ShopError):
    status, code, title = 409, "conflict", "That is no longer possible"


class OutOfStock(Conflict):
    """`lines` holds one entry for each short line: variant_id, title, options, wanted, stock."""

    code, title = "out_of_stock", "Not enough in stock"

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        first = lines[0]
        left = f"only {first['stock']} left" if first["stock"] else "sold out"
        super().__init__(f"{first['title']} is {left}." if not first["stock"] else f"{first['title']}: {left}.", lines=lines)


class LengthRequired(ShopError):
    status, code, title = 411, "length_required", "The length of the body is missing"


class TooLarge(ShopError):
    status, code, title = 413, "too_large", "Too large"

    @classmethod
    def above(cls, max_bytes: int) -> TooLarge:
        """Return the error for a body or a file of more than `max_bytes`."""
        mega, kilo = max_bytes // 1024**2, max_bytes // 1024
        return cls(f"At most {mega} MB." if mega else f"At most {kilo} KB.")


class UnsupportedMedia(ShopError):
    status, code, title = 415, "unsupported_media_type", "The body must be JSON"


class Invalid(ShopError):
    """One or more fields break a rule: `Invalid(email="Enter an e-mail address.")`."""

    status, code, title = 422, "invalid", "Please check the marked fields"

    def __init__(self, detail: str = "", *, fields: dict[str, list[str]] | None = None, **field: str) -> None:
        errors = dict(fields or {}) | {name: [message] for name, message in field.items()}
        super().__init__(detail or next(iter(errors.values()))[0], errors=errors)


class WrongCode(Invalid):
    """A coupon or gift card that does not exist, or no longer; counted as a guess."""


class TooMany(ShopError):
    status, code, title = 429, "too_many_requests", "Too many tries"

    def __init__(self, retry_after: int, detail: str = "") -> None:
        super().__init__(detail or f"Please wait {retry_after} seconds and try again.", retry_after=retry_after)


class Unavailable(ShopError):
    status, code, title = 503, "unavailable", "The shop is busy; please try again in a moment"

    def __init__(self, detail: str = "", retry_after: int = 2) -> None:
        super().__init__(detail, retry_after=retry_after)
