"""The API's own description (OpenAPI 3.1), made from what the routes declare: guard, body, parameters, answer, problems."""

from __future__ import annotations

import functools
import re
import threading
from typing import Any

from flask import Flask
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from .http import FILES, Endpoint

TITLES = {
    400: "Not JSON, or a header is missing",
    401: "Not signed in",
    403: "Not allowed, or a request from another site",
    404: "Absent, or somebody else's",
    408: "The body arrived too slowly",
    409: "In conflict with the present state",
    411: "The body has no Content-Length",
    413: "Body too large",
    415: "Body is not JSON",
    422: "A rule about a field is broken",
    429: "Too many tries; see Retry-After",
    500: "A fault on our side",
    503: "Busy; see Retry-After",
}
BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From POST /api/v1/auth/token; good for 15 minutes."}
_lock = threading.Lock()
REF = "#/components/schemas/{model}"
PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "detail", "code", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        "request_id": {"type": "string"},
    },
}


def describe(app: Flask, name: str) -> dict[str, Any]:
    """Return the OpenAPI document of every route under /api/v1 for a shop of this name.

    It takes half a second to make, so that requests that need it at the same time share the work.
    """
    with _lock:
        return _describe(app, name)


@functools.lru_cache(maxsize=2)
def _describe(app: Flask, name: str) -> dict[str, Any]:
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/v1")]
    cookie = app.config["SESSION_COOKIE_NAME"]
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    paths: dict[str, Any] = {}
    known: dict[str, str] = {}
    for rule in sorted(rules, key=lambda rule: ("<int:" in rule.rule, rule.rule)):
        view: Any = app.view_functions[rule.endpoint]
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        # Paths that differ in the names of their parts only, as a product by slug and by id, are one path to OpenAPI.
        path = known.setdefault(re.sub(r"{\w+}", "{}", path), path)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            operation = _operation(rule, path, view, method, view.endpoint, schemas)
            first = paths.setdefault(path, {}).setdefault(method.lower(), operation)
            first["responses"] = operation["responses"] | first["responses"]
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{name} API", "version": "1", "description": "Money is integers in the currency's smallest unit; times are RFC 3339 UTC."},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas, "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": cookie}, "bearer": BEARER}},
    }


def _operation(rule: Any, path: str, view: Any, method: str, endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "tags": [rule.endpoint.split(".")[0]],
        "summary": (view.__doc__ or "").strip().split("\n")[0],
        "parameters": [*_path_parameters(rule, path), *_query_parameters(endpoint, schemas), *_key_parameter(endpoint)],
        "responses": {str(endpoint.status): _success(endpoint, schemas), **_moved(endpoint), **_problems(endpoint, method)},
        "x-who": endpoint.who,
    }
    if endpoint.step_up:
        # True, or the condition under which POST /auth/step-up is required first.
        operation["x-step-up"] = endpoint.step_up
    if endpoint.body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _model(endpoint.body, schemas)}}}
    if endpoint.who != "anyone":
        operation["security"] = [{"session": []}, {"bearer": []}]
    return operation


def _path_parameters(rule: Any, path: str) -> list[dict[str, Any]]:
    """Their kinds are the rule's, their names those of the path under which it is described."""
    kinds = re.findall(r"<(?:(\w+):)?\w+>", rule.rule)
    named = zip(re.findall(r"{(\w+)}", path), kinds, strict=True)
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            # A path may be called {slug} for its other methods and still take an id only.
            "description": "The id, not a slug." if kind == "int" else f"The {name}.",
            "schema": {"type": "integer", "minimum": 1} if kind == "int" else {"type": "string"},
        }
        for name, kind in named
    ]


def _query_parameters(endpoint: Endpoint, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if not endpoint.params:
        return []
    schema = endpoint.params.model_json_schema(ref_template=REF)
    required = schema.get("required", [])
    return [{"name": name, "in": "query", "required": name in required, "schema": one} for name, one in schema["properties"].items()]


def _key_parameter(endpoint: Endpoint) -> list[dict[str, Any]]:
    if not endpoint.key:
        return []
    description = "New for each order; the same key gives the same answer again."
    schema = {"type": "string", "minLength": 1, "maxLength": 255}
    return [{"name": "Idempotency-Key", "in": "header", "required": True, "description": description, "schema": schema}]


def _success(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    if endpoint.status in (204, 302):
        return {"description": "Done" if endpoint.status == 204 else "Elsewhere"}
    if endpoint.answer in FILES:
        return {"description": "Done", "content": {FILES[endpoint.answer]: {"schema": {"type": "string"}}}}
    schema = TypeAdapter(endpoint.answer).json_schema(ref_template=REF, mode="serialization")
    schemas.update(schema.pop("$defs", {}))
    if "title" in schema:
        title = schema["title"]
        schemas[title] = schema
        schema = {"$ref": REF.format(model=title)}
    return {"description": "Done", "content": {"application/json": {"schema": schema}}}


def _moved(endpoint: Endpoint) -> dict[str, Any]:
    location = {"Location": {"required": True, "schema": {"type": "string"}}}
    return {"308": {"description": "It has another address now", "headers": location}} if endpoint.moved else {}


def _problems(endpoint: Endpoint, method: str) -> dict[str, Any]:
    # A dead access token is refused everywhere.
    wanted = set(endpoint.problems) | {401, 500, 503}
    if endpoint.who != "anyone":
        wanted |= {403}
    if method != "GET":
        # What a write refers to may be deleted by another request at the same moment.
        wanted |= {400, 403, 408, 409, 411, 413}
    if endpoint.body:
        wanted |= {415, 422}
    if endpoint.params:
        wanted |= {400, 422}
    reference = {"application/problem+json": {"schema": {"$ref": REF.format(model="Problem")}}}
    return {str(status): {"description": TITLES[status], "content": reference} for status in sorted(wanted)}


def _model(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    names, definitions = models_json_schema([(model, "validation")], ref_template=REF)
    schemas.update(definitions.get("$defs", {}))
    return dict(names[(model, "validation")])
