"""Parsing of requests: JSON bodies, uploaded files and query strings, as the types of fields.py."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import parse_qsl

import orjson
from flask import request

from . import errors
from .fields import Body, M, validated

B = TypeVar("B", bound=Body)
MAX_JSON_DEPTH = 16


def read_body(model: type[B]) -> B:
    """Return the JSON body as a `model`.

    Raises UnsupportedMedia, TooLarge, BadRequest for what is no JSON object, and Invalid for one
    that breaks a rule of the model.
    """
    if request.mimetype != "application/json":
        raise errors.UnsupportedMedia("Send the body as application/json.")
    raw = request.get_data(cache=False)
    if len(raw) > model.most_bytes:
        raise errors.TooLarge.above(model.most_bytes)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise errors.BadRequest("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise errors.BadRequest("The body must be a JSON object.")
    if _depth(value) > MAX_JSON_DEPTH:
        raise errors.BadRequest("The body is nested too deeply.")
    return validated(model, value)


def read_upload(field: str, *, max_bytes: int) -> bytes:
    """Return a file of at most `max_bytes`, sent as the body itself or as one file of a form.

    Raises TooLarge, UnsupportedMedia, or Invalid naming the `field`.
    """
    if request.mimetype == "multipart/form-data":
        files = list(request.files.values())
        if len(files) != 1:
            raise errors.Invalid(fields={field: ["Send one file."]})
        content = bytes(files[0].read())
    elif request.mimetype == "application/json":
        raise errors.UnsupportedMedia("Send the file itself, or a form with it.")
    else:
        content = bytes(request.get_data(cache=False))
    if len(content) > max_bytes:
        raise errors.TooLarge.above(max_bytes)
    return content


def read_params(model: type[M], query: str) -> M:
    """Return the query string as a `model`. Raises BadRequest or Invalid."""
    # As Request.args is read.
    pairs = parse_qsl(query, keep_blank_values=True, errors="werkzeug.url_quote")
    given = dict(pairs)
    if len(given) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = [name for name in given if names.count(name) > 1]
        raise errors.Invalid(fields={name: ["Given more than once."] for name in repeated})
    if any("\x00" in value for value in given.values()):
        raise errors.BadRequest("The address contains a NUL character.")
    return validated(model, given)


def _depth(value: Any, level: int = 0) -> int:
    if level > MAX_JSON_DEPTH or not isinstance(value, dict | list):
        return level
    children = value.values() if isinstance(value, dict) else value
    return max((_depth(child, level + 1) for child in children), default=level)
