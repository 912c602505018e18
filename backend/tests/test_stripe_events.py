"""Signed events of Stripe that are malformed: refused cleanly, recorded, and without effect."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import factories
import pytest
from conftest import ShopClient
from fake_stripe import FakeStripe, signed
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from test_payments import WEBHOOK, hear, now, ordered, page_of, refusals, states, stripe
from werkzeug.test import TestResponse

__all__ = ["hear", "ordered", "stripe"]

Hear = Callable[..., TestResponse]
Ordered = Callable[..., dict[str, Any]]
DELETE = "delete this field"


def event_of(page: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """The event of a paid page, with fields of the page changed or deleted."""
    paid = page | {"payment_status": "paid", "status": "complete", "payment_intent": "pi_1"}
    paid |= changed
    description = {name: value for name, value in paid.items() if value != DELETE}
    kind = "checkout.session.completed"
    return {"id": "evt_1", "type": kind, "livemode": False, "data": {"object": description}}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount_total", -2290),
        ("amount_total", "2290"),
        ("amount_total", 22.9),
        ("amount_total", True),
        ("amount_total", 10**30),
        ("amount_total", 2**63),
        ("amount_total", []),
        ("currency", 978),
        ("currency", "XYZ"),
        ("currency", "€"),
        ("id", DELETE),
        ("id", None),
        ("id", 7),
        ("id", "ü"),
        ("id", "x" * 121),
        ("mode", DELETE),
        ("livemode", "false"),
        ("livemode", DELETE),
        ("payment_status", DELETE),
        ("payment_status", {}),
        ("payment_intent", 5),
        ("payment_intent", {"id": "pi_1"}),
        ("payment_intent", "x" * 500),
        ("metadata", "text"),
        ("metadata", [1]),
        ("client_reference_id", 5),
    ],
)
def test_a_malformed_page_is_refused_and_recorded(
    stripe: FakeStripe,
    ordered: Ordered,
    hear: Hear,
    field: str,
    value: Any,
) -> None:
    order = ordered()
    event = event_of(stripe.pages[page_of(order)], **{field: value})
    answer = hear(json.dumps(event).encode())
    assert (answer.status_code, answer.json["code"]) == (400, "event")
    assert refusals() == ["event"]
    assert (now(order), states()) == (("pending", "unpaid"), ["pending"])
    assert factories.value("SELECT COUNT(*) FROM payment_events") == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"{}",
        b"{",
        b'{"id": "evt_1"}',
        b'{"id": "evt_1", "type": "checkout.session.completed"}',
        b'{"id": "evt_1", "type": "checkout.session.completed", "data": null}',
        b'{"id": "evt_1", "type": "checkout.session.completed", "data": {"object": []}}',
        b'{"id": 5, "type": "charge.updated", "data": {"object": {}}}',
        b'{"id": "evt_1", "type": null, "data": {"object": {}}}',
        b'{"id": "\\u0000", "type": "charge.updated", "data": {"object": {}}}',
        b'{"id": "\\ud800", "type": "charge.updated", "data": {"object": {}}}',
        b'{"id": "' + b"x" * 121 + b'", "type": "charge.updated", "data": {"object": {}}}',
        b'{"a": ' * 2000 + b"1" + b"}" * 2000,
        b'{"id": NaN}',
        b"\xff\xfe",
    ],
)
def test_a_malformed_event_is_refused_and_recorded(
    stripe: FakeStripe,
    new_client: Callable[[], ShopClient],
    body: bytes,
) -> None:
    headers = {"Stripe-Signature": signed(body)}
    answer = new_client().post(WEBHOOK, data=body, headers=headers)
    assert answer.status_code == 400
    assert len(refusals()) == 1


@pytest.mark.parametrize(
    "signature",
    ["", "t=", "t=1", "t=x,v1=y", "v1=0", "t=1,v1=é", "t=1=2,v1=0", ",,,", "t=" + "9" * 5000],
)
def test_a_malformed_signature_is_refused(
    stripe: FakeStripe,
    hear: Hear,
    signature: str,
) -> None:
    assert hear(b"{}", signature).status_code == 400


def test_an_unknown_kind_of_event_is_taken_note_of(stripe: FakeStripe, hear: Hear) -> None:
    event = {"id": "evt_1", "type": "charge.updated", "data": {"object": {"amount": -1}}}
    assert hear(json.dumps(event).encode()).status_code == 204


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)
FIELDS = (
    "id",
    "metadata",
    "client_reference_id",
    "amount_total",
    "currency",
    "mode",
    "livemode",
    "status",
    "payment_status",
    "payment_intent",
)


@given(changed=st.dictionaries(st.sampled_from(FIELDS), JSON | st.just(DELETE), min_size=1))
@effort(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_page_that_is_signed_causes_a_failure(
    stripe: FakeStripe,
    hear: Hear,
    changed: dict[str, Any],
) -> None:
    page = {"id": "cs_1", "mode": "payment", "livemode": False, "currency": "eur"}
    page |= {"amount_total": 2290, "client_reference_id": "FC-1", "metadata": {"payment_id": "1"}}
    answer = hear(json.dumps(event_of(page, **changed)).encode())
    assert answer.status_code in (204, 400)


@given(event=JSON)
@effort(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_event_that_is_signed_causes_a_failure(
    stripe: FakeStripe,
    hear: Hear,
    event: Any,
) -> None:
    assert hear(json.dumps(event).encode()).status_code in (204, 400)
