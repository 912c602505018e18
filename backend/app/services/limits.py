"""How often something may be done, counted in the database, so that all workers and all servers share one count.

An allowance of n uses a period is a leaky bucket (GCRA): n at once, then one each period / n. It fills up again by itself, so
nobody is ever locked out for good. The names of allowances are hashed: no address or IP stands in the table.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from .. import db
from ..db import Tx, q
from ..errors import TooMany
from ..security import hash_token
from . import settings

SECOND = 1_000_000  # microseconds


@dataclass(frozen=True)
class Limit:
    """At most `uses` in `seconds`."""

    uses: int
    seconds: int


def use(name: str, who: str) -> None:
    """Use once what the owner's settings allow under this name. Raises TooMany with the seconds to wait."""
    with db.reading() as tx:
        limit = Limit(**settings.limit(tx, name))
    take(name, who, limit)


def address(ip: str) -> str:
    """What counts as one address: with IPv6 the network that a single household has."""
    return _network(ip, 32, 64)


def network(ip: str) -> str:
    """What counts as one network: far enough around an address that moving within it brings nothing new."""
    return _network(ip, 24, 48)


def _network(ip: str, v4: int, v6: int) -> str:
    try:
        found = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, v4 if found.version == 4 else v6), strict=False))


def take(kind: str, who: str, limit: Limit) -> None:
    """Use the allowance once. Raises TooMany with the seconds to wait when nothing is left of it."""
    db.transaction(_take, _name(kind, who), limit)


def give_back(kind: str, who: str) -> None:
    """Forget the uses, as after a sign-in that succeeded."""
    db.transaction(lambda tx: q.limits.give_back(tx, name=_name(kind, who)))


def forget_unused() -> int:
    return db.transaction(lambda tx: int(q.limits.delete_unused(tx)))


def _take(tx: Tx, name: str, limit: Limit) -> None:
    step = limit.seconds * SECOND // limit.uses
    slack = limit.seconds * SECOND - step
    if not q.limits.take(tx, name=name, step_us=step, slack_us=slack):
        wait = int(q.limits.get_wait(tx, name=name, slack_us=slack) or 0)
        raise TooMany(max(1, -(-wait // SECOND)))


def _name(kind: str, who: str) -> str:
    return hash_token(f"{kind}\n{who}")
