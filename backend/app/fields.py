"""What may stand in a body or a query string: the types of fields, and the sentence for each way to get one wrong."""

from __future__ import annotations

import functools
import re
import typing
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from . import errors, security
from .text import normalize_text

M = typing.TypeVar("M", bound=BaseModel)

# A single line: trimmed, without control characters (CR and LF would forge mail headers). Bounds are given with Field().
Line = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")]
# A text of several lines.
Prose = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
# What people write to the shop. A card number in it is not kept (PCI DSS 4.0, 3.3).
Words = Annotated[Prose, AfterValidator(security.mask_card_numbers)]
WordsLine = Annotated[Line, AfterValidator(security.mask_card_numbers)]


class AsTyped:
    """Marks a field whose text is not normalized when it arrives."""


# A password is taken as typed: no trimming, any character but controls (NIST SP 800-63B-4, 3.1.1.2).
# security.py normalizes it, since an old hash may be of the text as it was typed.
Secret = Annotated[str, AsTyped(), StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*$")]


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


def _moment(value: Any) -> Any:
    """A time as the database has it: UTC, without saying so."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise ValueError("Enter a time like 2030-01-31T12:00:00Z.") from None


def _day(value: Any) -> Any:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("Enter a day like 2030-01-31.") from None


Day = Annotated[date, BeforeValidator(_day)]
# A point in time (RFC 3339); without an offset it is UTC.
Moment = Annotated[datetime, BeforeValidator(_moment)]


class Body(BaseModel):
    """A JSON body: exact types, no unknown fields."""

    most_bytes: ClassVar[int] = 64 * 1024
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


def _is_as_typed(annotation: Any) -> bool:
    arguments = typing.get_args(annotation)
    return any(isinstance(one, AsTyped) or _is_as_typed(one) for one in arguments)


@functools.cache
def fields_as_typed(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of the fields of a model that normalize() leaves alone."""
    return frozenset(
        name for name, field in model.model_fields.items() if any(isinstance(one, AsTyped) for one in field.metadata) or _is_as_typed(field.annotation)
    )


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model that an annotation such as `Model | None` or `list[Model]` is about."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_of, typing.get_args(annotation))), None)


def normalize(value: Any, model: type[BaseModel] | None = None, path: str = "") -> Any:
    """Return a decoded body or query string with all of its text in NFC, before it is validated.

    Names are normalized too, since some are text of their own, such as the names of options. Fields
    marked AsTyped stay as they are. Raises Invalid for two names that become one.
    """
    if isinstance(value, str):
        return normalize_text(value)
    if isinstance(value, list):
        return [normalize(one, model, f"{path}{place}.") for place, one in enumerate(value)]
    if not isinstance(value, dict):
        return value
    left_alone = fields_as_typed(model) if model else frozenset()
    normalized: dict[str, Any] = {}
    for typed_name, one in value.items():
        name = normalize_text(typed_name)
        if name in normalized:
            raise errors.Invalid(fields={f"{path}{name}": ["Given more than once."]})
        field = model.model_fields.get(name) if model else None
        inner = _model_of(field.annotation) if field else None
        normalized[name] = one if name in left_alone else normalize(one, inner, f"{path}{name}.")
    return normalized


def validated(model: type[M], value: Any) -> M:
    try:
        return model.model_validate(normalize(value, model))
    except ValidationError as error:
        fields: dict[str, list[str]] = {}
        for one in error.errors(include_url=False, include_input=False):
            fields.setdefault(".".join(map(str, one["loc"])) or "body", []).append(_sentence(one))
        raise errors.Invalid("Please check the marked fields.", fields=fields) from None
