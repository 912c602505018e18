"""Idempotency keys of acts on money after an order is placed: the same key and request give the first result again.

An act holds the row of its order first, so two with one key stand in line and the second finds what the first did.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from ..db import Tx, q
from ..errors import Invalid


def find(tx: Tx, scope: str, key: str, request: Any) -> int | None:
    """What this act made when it was asked for before. Raises Invalid for a key that was used for another request."""
    row = q.keys.get(tx, scope=scope, request_key=key)
    if row is None:
        return None
    if row["body_hash"] != _hash(request):
        raise Invalid("This Idempotency-Key was used for another request.", fields={"Idempotency-Key": ["Use a new key for a new request."]})
    return int(row["result_id"])


def add(tx: Tx, scope: str, key: str, request: Any, result_id: int) -> None:
    q.keys.add(tx, scope=scope, request_key=key, body_hash=_hash(request), result_id=result_id)


def _hash(request: Any) -> str:
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()
