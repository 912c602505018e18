"""Text is in NFC wherever it enters, so what is equal to the eye is equal to the shop."""

from __future__ import annotations

import time
import types
import typing
import unicodedata
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, Literal

import factories
import pytest
from conftest import ShopClient
from factories import User
from flask import Flask
from pydantic import BaseModel, Field, ValidationError
from test_accounts import change, rows
from test_routes import endpoint_of
from werkzeug.security import check_password_hash, generate_password_hash

from app import cli, fields, request_parsing, security
from app.config import Settings
from app.fields import Body, Line, Secret
from app.services import accounts, password_rules
from app.text import MAX_COMBINING_MARKS, normalize_text

DECOMPOSED, COMPOSED = "Gro\u0308\u00dfe", "Gr\u00f6\u00dfe"
# The same password from a Mac and from Windows.
TYPED, STORED = "kro\u0308nung-walnut-hafen", "kr\u00f6nung-walnut-hafen"


# ---------------------------------------------------------------- the form itself


@pytest.mark.parametrize(
    ("text", "normal"), [("abc", "abc"), (DECOMPOSED, COMPOSED), ("\u212b", "\u00c5"), ("\u1100\u1161", "\uac00"), ("e\u0301\u0323", "\u1eb9\u0301")]
)
def test_text_is_brought_into_nfc(text: str, normal: str) -> None:
    assert normalize_text(text) == normal


def test_letters_that_only_look_alike_stay_apart() -> None:
    assert normalize_text("\ufb01\u00b2\uff11") == "\ufb01\u00b2\uff11"


@pytest.mark.parametrize("marks", ["\u0315\u0300", "\u0f73", "\u0344"])
def test_endless_combining_marks_cost_no_time(marks: str) -> None:
    """Sorting them takes quadratic time: two seconds for these."""
    began = time.thread_time()
    normal = normalize_text("a" + marks * 16_000)

    assert time.thread_time() - began < 0.5
    assert normalize_text(normal) == normal


def test_as_many_marks_as_a_letter_can_have_are_kept_as_they_are() -> None:
    text = "a" + "\u0315" * MAX_COMBINING_MARKS
    assert normalize_text(text) == text


# ---------------------------------------------------------------- bodies and query strings


def sample(annotation: Any) -> Any:
    """A value of the annotated type whose texts, all of them, are decomposed."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {name: sample(field.annotation) for name, field in annotation.model_fields.items()}
    if origin is typing.Annotated or origin in (typing.Union, types.UnionType):
        return sample(next(one for one in arguments if one is not type(None)))
    if origin is list:
        return [sample(arguments[0])]
    if origin is dict:
        return {sample(arguments[0]): sample(arguments[1])}
    simple: dict[Any, Any] = {int: 1, bool: True, float: 1.0, datetime: "2030-01-31T12:00:00Z", date: "2030-01-31"}
    return DECOMPOSED if annotation is str or origin is Literal else simple[annotation]


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a decoded body with its path, the names included."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for one in value:
            yield from texts(one, f"{path}[]")
    elif isinstance(value, dict):
        for name, one in value.items():
            yield f"{path} name", name
            yield from texts(one, f"{path}.{name}".lstrip("."))


def models(app: Flask, kind: str) -> set[type[BaseModel]]:
    endpoints = [endpoint_of(app, rule) for rule in app.url_map.iter_rules()]
    return {model for one in endpoints if (model := getattr(one, kind)) is not None}


@pytest.fixture
def arriving(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[BaseModel], Callable[[], Any]], Any]:
    """Gives what a model is asked to validate while something is read."""

    class Arrived(Exception):
        pass

    def read(model: type[BaseModel], how: Callable[[], Any]) -> Any:
        def capture(value: Any) -> None:
            raise Arrived(value)

        with monkeypatch.context() as patched:
            patched.setattr(model, "model_validate", capture)
            with pytest.raises(Arrived) as arrived:
                how()
        return arrived.value.args[0]

    return read


def test_every_text_of_every_body_arrives_normalized(app: Flask, arriving: Callable[..., Any]) -> None:
    as_typed, count = set(), 0
    for model in sorted(models(app, "body"), key=lambda one: one.__qualname__):
        with app.test_request_context(method="POST", json=sample(model)):
            value = arriving(model, lambda model=model: request_parsing.read_body(model))
        for path, text in texts(value):
            count += text == COMPOSED
            if not unicodedata.is_normalized("NFC", text):
                as_typed.add(path)

    assert count > 150
    # Passwords, which security.py normalizes.
    assert as_typed == {"password", "current_password", "new_password", "admin.password"}


def test_every_text_of_every_query_string_arrives_normalized(app: Flask, arriving: Callable[..., Any]) -> None:
    count = 0
    for model in sorted(models(app, "params"), key=lambda one: one.__qualname__):
        wanted = {name: value for name, value in sample(model).items() if isinstance(value, str)}
        with app.test_request_context(query_string=wanted):
            value = arriving(model, lambda model=model: request_parsing.read_params(model, request_parsing.request.query_string.decode()))
        assert [text for text in value.values() if not unicodedata.is_normalized("NFC", text)] == []
        count += len(value)
    assert count > 30


def test_no_field_is_left_as_typed_but_secrets(app: Flask) -> None:
    def marked(model: type[BaseModel]) -> Iterator[str]:
        yield from fields.fields_as_typed(model)
        for field in model.model_fields.values():
            if inner := fields._model_of(field.annotation):
                yield from marked(inner)

    everywhere = {name for model in models(app, "body") for name in marked(model)}
    assert everywhere == {"password", "current_password", "new_password"}


def test_names_that_become_one_are_refused() -> None:
    class Options(Body):
        options: dict[Line, Line]

    assert fields.validated(Options, {"options": {DECOMPOSED: "S"}}).options == {COMPOSED: "S"}
    with pytest.raises(fields.errors.Invalid) as refused:
        fields.validated(Options, {"options": {DECOMPOSED: "S", COMPOSED: "M"}})
    assert refused.value.errors == {f"options.{COMPOSED}": ["Given more than once."]}


def test_lengths_are_those_of_the_normalized_text() -> None:
    class Short(Body):
        word: Line = Field(max_length=5)

    assert fields.validated(Short, {"word": DECOMPOSED}).word == COMPOSED
    with pytest.raises(ValidationError):
        Short.model_validate({"word": DECOMPOSED})


def test_a_password_arrives_as_typed() -> None:
    class Secrets(Body):
        password: Secret | None

    assert fields.validated(Secrets, {"password": TYPED}).password == TYPED


# ---------------------------------------------------------------- what is equal is one


def test_options_typed_on_two_systems_are_one(client: ShopClient, ada: User) -> None:
    client.as_(ada)
    body = {
        "title": "Shirt",
        "options": [{"name": DECOMPOSED, "values": ["scho\u0308n", "sch\u00f6n"]}],
        "variants": [{"options": {COMPOSED: "scho\u0308n"}, "price_minor": 900}, {"options": {DECOMPOSED: "sch\u00f6n"}, "price_minor": 900}],
    }

    answer = client.post("/api/v1/products", json=body)

    assert (answer.status_code, answer.json["errors"]) == (422, {"variants.1.options": ["Another variant has the same options."]})


def test_options_from_before_normalization_are_found_again(client: ShopClient, ada: User) -> None:
    client.as_(ada)
    thing = factories.product("Shirt", option_names=(DECOMPOSED, "", ""), variants=[{"options": ("scho\u0308n", "", "")}, {"options": ("M", "", "")}])
    version = client.get(f"/api/v1/admin/products/{thing.id}").json["version"]
    variants = [{"options": {COMPOSED: value}, "price_minor": 1000} for value in ("sch\u00f6n", "M")]

    answer = client.patch(f"/api/v1/products/{thing.id}", json={"version": version, "options": [{"name": COMPOSED}], "variants": variants})

    assert answer.status_code == 200, answer.json
    assert [one["id"] for one in answer.json["variants"]] == thing.variants
    assert [one["options"] for one in answer.json["variants"]] == [{COMPOSED: "sch\u00f6n"}, {COMPOSED: "M"}]


def test_a_variant_of_a_product_from_before_normalization_can_be_changed(client: ShopClient, ada: User) -> None:
    client.as_(ada)
    thing = factories.product("Shirt", option_names=(DECOMPOSED, "", ""), variants=[{"options": ("scho\u0308n", "", "")}, {"options": ("M", "", "")}])

    answer = client.put(f"/api/v1/variants/{thing.variant}", json={"options": {DECOMPOSED: "scho\u0308n"}, "price_minor": 1200})

    assert (answer.status_code, rows("SELECT option1, price_minor FROM variants WHERE id = %s", thing.variant)) == (200, [("sch\u00f6n", 1200)])


def test_a_search_finds_what_was_typed_on_another_system(client: ShopClient, indexed: Callable[[], int]) -> None:
    factories.product("Caf\u00e9 press")
    indexed()

    assert client.titles(q="cafe\u0301") == ["Caf\u00e9 press"]
    assert "Search: caf\u00e9 \u00b7" in client.get("/?q=cafe%CC%81").get_data(as_text=True)


def test_admin_tables_are_searched_in_the_same_form(client: ShopClient, ada: User) -> None:
    factories.product("Caf\u00e9 press")

    assert client.as_(ada).get("/api/v1/admin/products", query_string={"q": "Cafe\u0301"}).json["total"] == 1


def test_an_imported_category_from_before_normalization_is_found_again(client: ShopClient, ada: User) -> None:
    client.as_(ada)
    factories.category("Mo\u0308bel")
    content = "handle,title,price,category\nchair,Chair,90.00,M\u00f6bel\n"

    looked = client.post("/api/v1/admin/imports", data=content.encode(), content_type="text/csv").json

    assert looked["diff"]["categories"] == []


def test_an_imported_variant_from_before_normalization_is_found_again(client: ShopClient, ada: User) -> None:
    client.as_(ada)
    thing = factories.product("Shirt", option_names=("Art", "", ""), variants=[{"options": ("scho\u0308n", "", "")}, {"options": ("M", "", "")}])
    content = f"handle,title,price,option1_name,option1\n{thing.slug},Shirt,10.00,Art,sch\u00f6n\n{thing.slug},,10.00,,M\n"

    looked = client.post("/api/v1/admin/imports", data=content.encode(), content_type="text/csv").json

    counts = looked["diff"]["counts"]
    assert (counts["variants_new"], counts["variants_changed"], counts["variants_archived"]) == (0, 1, 0)


def test_an_uploaded_file_name_is_normalized(client: ShopClient, ada: User) -> None:
    looked = client.as_(ada).post(
        "/api/v1/admin/imports", query_string={"file_name": "Mo\u0308bel.csv"}, data=b"handle,title,price\nx,X,1\n", content_type="text/csv"
    )

    assert looked.json["file_name"] == "M\u00f6bel.csv"


def test_the_name_of_the_shop_in_the_environment_is_normalized() -> None:
    chosen = Settings.from_env({"SHOP_NAME": DECOMPOSED, "MAIL_FROM": f"{DECOMPOSED} <shop@example.com>", "DB_PASSWORD": DECOMPOSED})

    assert (chosen.name, chosen.mail_from, chosen.db_password) == (COMPOSED, f"{COMPOSED} <shop@example.com>", DECOMPOSED)


def test_names_given_on_the_command_line_are_normalized() -> None:
    options = cli._parser().parse_args(["create-admin", "--username", DECOMPOSED, "--email", f"{DECOMPOSED}@example.com"])

    assert (options.username, options.email) == (COMPOSED, f"{COMPOSED}@example.com")


# ---------------------------------------------------------------- passwords


def sign_in(client: ShopClient, password: str) -> int:
    return client.post("/api/v1/auth/login", json={"identifier": "alice", "password": password}).status_code


def set_hash(user: User, password: str) -> None:
    change("UPDATE users SET password_hash = %s WHERE id = %s", generate_password_hash(password, method=security.PASSWORD_METHOD), user.id)


def stored_hash(user: User) -> str:
    return str(rows("SELECT password_hash FROM users WHERE id = %s", user.id)[0][0])


@pytest.mark.parametrize("password", [TYPED, STORED])
def test_a_password_is_hashed_in_nfc_and_accepted_in_every_form(password: str) -> None:
    hashed = security.hash_password(password)

    assert check_password_hash(hashed, STORED)
    assert security.check_password(hashed, TYPED)
    assert security.check_password(hashed, STORED)
    assert not security.check_password(hashed, TYPED + "x")
    assert not security.needs_rehash(hashed, TYPED)


@pytest.mark.parametrize("password", [TYPED, STORED])
def test_a_password_set_on_one_system_signs_in_on_another(client: ShopClient, alice: User, password: str) -> None:
    change("UPDATE users SET password_hash = %s WHERE id = %s", security.hash_password(password), alice.id)

    assert (sign_in(client, TYPED), sign_in(client, STORED), sign_in(client, STORED + "x")) == (200, 200, 401)


def test_a_hash_from_before_normalization_is_accepted_and_renewed(client: ShopClient, new_client: Callable[[], ShopClient], alice: User) -> None:
    set_hash(alice, TYPED)
    assert sign_in(client, STORED) == 401

    assert sign_in(client, TYPED) == 200

    assert check_password_hash(stored_hash(alice), STORED)
    renewed = stored_hash(alice)
    assert (sign_in(new_client(), STORED), sign_in(new_client(), TYPED)) == (200, 200)
    assert stored_hash(alice) == renewed


def test_a_hash_from_before_normalization_confirms_who_is_signed_in(client: ShopClient, alice: User) -> None:
    set_hash(alice, TYPED)
    client.as_(alice)

    assert client.post("/api/v1/auth/step-up", json={"password": TYPED}).status_code in (200, 204)
    answer = client.put("/api/v1/me/password", json={"current_password": TYPED, "new_password": TYPED + "-neu"})
    assert answer.status_code in (200, 204), answer.json
    assert check_password_hash(stored_hash(alice), STORED + "-neu")


def test_a_known_and_an_unknown_account_cost_the_same_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def count(stored: str, password: str) -> bool:
        checked.append(password)
        return False

    hashed = security.hash_password(STORED)
    monkeypatch.setattr(security, "check_password_hash", count)
    for stored in (hashed, None):
        for password in ("plain", STORED, TYPED):
            assert not security.check_password(stored, password)

    assert checked == 2 * ["plain", STORED, STORED, TYPED]


def test_the_length_of_a_password_is_that_of_its_normalized_form() -> None:
    """Eight characters as typed are seven letters."""
    with pytest.raises(accounts.Invalid) as refused:
        password_rules.check("qxo\u0308zwvk", shop_name="")
    assert "at least 8" in refused.value.errors["password"][0]


def test_a_password_may_not_hold_the_name_of_the_shop_in_any_form() -> None:
    with pytest.raises(accounts.Invalid) as refused:
        password_rules.check("xk-mo\u0308wenberg-17-zq", shop_name="M\u00f6wenberg")
    assert refused.value.errors == {"password": ["Leave the shop's name out of the password."]}
