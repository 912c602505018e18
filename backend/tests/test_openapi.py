"""The API's description of itself: whole, sound and true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Make, ShopClient
from factories import Thing
from flask import Flask
from test_routes import endpoint_of

from app import openapi
from app.http import FILES

DOCUMENT = "/api/v1/openapi.json"
METHODS = {"get", "post", "put", "patch", "delete"}
TYPES = {"string", "integer", "number", "boolean", "array", "object", "null"}


@pytest.fixture
def document(client: ShopClient) -> dict[str, Any]:
    answer = client.get(DOCUMENT)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    return dict(answer.json)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object anywhere in the document."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(child)


def resolve(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def test_the_document_says_what_it_is(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"] == "FlaskCart API"
    assert document["info"]["version"]
    assert document.keys() <= {"openapi", "info", "paths", "components", "servers", "tags", "security"}


def test_every_route_of_the_api_is_described_and_nothing_else(document: dict[str, Any], shop: Flask) -> None:
    def shape(path: str) -> str:
        return re.sub(r"<[^>]*>|{[^}]*}", "{}", path)

    routes = {
        (method.lower(), shape(rule.rule))
        for rule in shop.url_map.iter_rules()
        if rule.rule.startswith("/api/v1")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert len(routes) > 15
    assert {(method, shape(path)) for method, path, _ in operations(document)} == routes


def test_no_two_paths_are_the_same_to_a_reader(document: dict[str, Any]) -> None:
    shapes = [re.sub(r"{[^}]*}", "{}", path) for path in document["paths"]]
    assert len(set(shapes)) == len(shapes)
    assert all(path.startswith("/") and set(methods) <= METHODS for path, methods in document["paths"].items())


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = [node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)]
    assert references
    for reference in references:
        assert resolve(document, reference), reference


def test_every_schema_is_a_sound_one(document: dict[str, Any]) -> None:
    for node in nodes(document["components"]["schemas"]):
        kinds = node.get("type", [])
        if isinstance(kinds, str | list):
            assert set([kinds] if isinstance(kinds, str) else kinds) <= TYPES, node
        assert "$defs" not in node and "nullable" not in node and "definitions" not in node
        if isinstance(node.get("required"), list) and "properties" in node:
            assert set(node["required"]) <= node["properties"].keys()


def test_every_operation_is_told_apart_and_described(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for method, path, operation in operations(document):
        assert operation["summary"].strip(), (method, path)
        assert operation["tags"]
        assert operation["responses"]
        assert all(re.fullmatch(r"[1-5]\d\d", status) and answer["description"] for status, answer in operation["responses"].items())


def test_every_parameter_is_described_and_those_of_the_path_are_all_there(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        parameters = operation["parameters"]
        assert all(one["name"] and one["in"] in ("path", "query", "header") and one["schema"] for one in parameters)
        assert len({(one["in"], one["name"]) for one in parameters}) == len(parameters)
        assert {one["name"] for one in parameters if one["in"] == "path"} == set(re.findall(r"{(\w+)}", path))
        assert all(one["required"] for one in parameters if one["in"] == "path")


def _operation_of(document: dict[str, Any], rule: str, method: str) -> dict[str, Any]:
    return dict(document["paths"][re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)][method.lower()])


def _described(document: dict[str, Any], shop: Flask) -> Iterator[tuple[Any, dict[str, Any]]]:
    for rule in shop.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        if path in document["paths"]:
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield endpoint_of(shop, rule), _operation_of(document, rule.rule, method)


def test_bodies_are_described_as_they_are_read(document: dict[str, Any], shop: Flask) -> None:
    bodies = 0
    for endpoint, operation in _described(document, shop):
        if endpoint.body is None:
            assert "requestBody" not in operation
            continue
        bodies += 1
        assert operation["requestBody"]["required"] is True
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        schema = resolve(document, schema["$ref"]) if "$ref" in schema else schema
        assert schema["properties"].keys() == endpoint.body.model_fields.keys()
        assert schema["additionalProperties"] is False
        assert set(schema.get("required", [])) == {name for name, field in endpoint.body.model_fields.items() if field.is_required()}
        assert {"400", "413", "415", "422"} <= operation["responses"].keys()
    assert bodies > 5


def test_query_strings_are_described_as_they_are_read(document: dict[str, Any], shop: Flask) -> None:
    for endpoint, operation in _described(document, shop):
        described = {one["name"] for one in operation["parameters"] if one["in"] == "query"}
        assert described == ({field.alias or name for name, field in endpoint.params.model_fields.items()} if endpoint.params else set())
        assert endpoint.params is None or "422" in operation["responses"]


def test_successes_and_problems_have_a_shape(document: dict[str, Any], shop: Flask) -> None:
    for endpoint, operation in _described(document, shop):
        success = operation["responses"][str(endpoint.status)]
        if endpoint.status in (204, 302):
            assert "content" not in success
        else:
            assert success["content"][FILES.get(endpoint.answer, "application/json")]["schema"]
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert answer["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        assert set(map(str, endpoint.problems)) <= operation["responses"].keys()
        assert {"500", "503"} <= operation["responses"].keys()


def test_who_must_sign_in_is_told(document: dict[str, Any], shop: Flask) -> None:
    schemes = document["components"]["securitySchemes"]
    assert (schemes["session"]["type"], schemes["session"]["in"], schemes["session"]["name"]) == ("apiKey", "cookie", "session")
    assert (schemes["bearer"]["type"], schemes["bearer"]["scheme"]) == ("http", "bearer")
    for endpoint, operation in _described(document, shop):
        assert operation.get("security") == (None if endpoint.who == "anyone" else [{"session": []}, {"bearer": []}])
        assert endpoint.who == "anyone" or {"401", "403"} <= operation["responses"].keys()
        assert ("Idempotency-Key" in {one["name"] for one in operation["parameters"]}) == endpoint.key


def test_the_cookie_has_the_name_that_it_has(shop_with: Make) -> None:
    made = shop_with(url="https://shop.example").test_client().get(DOCUMENT).json
    assert made["components"]["securitySchemes"]["session"]["name"] == "__Host-session"


def test_one_name_stands_for_one_shape(document: dict[str, Any], shop: Flask) -> None:
    """Two models of one name in different modules would overwrite each other's description."""
    for rule in shop.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/"):
            own: dict[str, Any] = {}
            endpoint = endpoint_of(shop, rule)
            openapi._success(endpoint, own)
            if endpoint.body:
                openapi._model(endpoint.body, own)
            for name, schema in own.items():
                assert document["components"]["schemas"][name] == schema, f"{rule.rule}: {name} is described as something else"


def test_the_description_of_a_product_is_the_product(document: dict[str, Any], client: ShopClient, mug: Thing) -> None:
    listed = document["paths"]["/api/v1/products"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    items = resolve(document, listed["$ref"])["properties"]["items"]["items"]
    assert resolve(document, items["$ref"])["properties"].keys() == client.get("/api/v1/products").json["items"][0].keys()
    both = document["paths"]["/api/v1/products/{slug}"]["get"]["responses"]
    assert {"200", "302", "404"} <= both.keys()
