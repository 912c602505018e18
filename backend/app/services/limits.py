"""How often something may be done, counted in the database, so that all workers and all servers share one count.

An allowance of n uses a period is a leaky bucket (GCRA): n at once, then one each period / n. It fills up again by itself, so
nobody is ever locked out for good. The names of allowances are hashed: no address or IP stands in the table.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True)
class Use:
    """One use of the limit `name` by `subject`: a network, an account, a cart or a mailbox."""

    name: str
    subject: str


@dataclass(frozen=True)
class Sender:
    """The address that a request comes from, and the verified email address of its account, if any."""

    ip: str
    email: str | None = None

    @property
    def network(self) -> str:
        return address(self.ip)

    def emails_to(self, recipient: str) -> list[Use]:
        """The uses that an email costs which this sender causes.

        An email to the sender's own verified address costs nothing.
        """
        mailbox = mailbox_key(recipient)
        if self.email is not None and mailbox == mailbox_key(self.email):
            return []
        return [Use("emails_to", mailbox), Use("emails_to_day", mailbox)]


# By what the uses of each limit that a route names are counted; those not named, by network.
Counter = Literal["network", "route_and_network", "account", "buyer"]
COUNTED_BY: dict[str, Counter] = {
    "codes": "route_and_network",
    "proof": "account",
    "reviews": "account",
    "tickets": "account",
    "cart_writes": "buyer",
    "wishlist_writes": "buyer",
}
# These limits hold for a buyer and for the network that the buyer is on.
ALSO_BY_NETWORK = {
    "cart_writes": "cart_writes_network",
    "wishlist_writes": "wishlist_writes_network",
}
# Dots in the local part mean nothing to these providers.
DOTLESS_DOMAINS = {"gmail.com", "googlemail.com"}


def uses_of_request(
    limit: str,
    rule: str,
    ip: str,
    user_id: int | None,
    guest_token: str | None,
) -> list[Use]:
    """The uses that a request costs whose route names this limit."""
    by_network = address(ip)
    account = f"u:{user_id}" if user_id is not None else by_network
    subjects: dict[Counter, str] = {
        "network": by_network,
        # Register, forgot and resend are counted apart, so that a typo in one form does not
        # block the others.
        "route_and_network": f"{rule} {by_network}",
        "account": account,
        "buyer": f"g:{guest_token}" if user_id is None and guest_token else account,
    }
    uses = [Use(limit, subjects[COUNTED_BY.get(limit, "network")])]
    if limit in ALSO_BY_NETWORK:
        uses.append(Use(ALSO_BY_NETWORK[limit], by_network))
    return uses


def mailbox_key(email: str) -> str:
    """The mailbox that an address most likely leads to.

    That is the address in lower case, without a +tag and without the dots that Gmail ignores. It is
    for counting only: elsewhere two such addresses are two, since providers treat them differently.
    """
    local, _, domain = email.strip().lower().rpartition("@")
    local = local.partition("+")[0] or local
    return f"{local.replace('.', '') if domain in DOTLESS_DOMAINS else local}@{domain}"


def use(name: str, who: str) -> None:
    """Use once what the owner's settings allow under this name. Raises TooMany with the seconds to wait."""
    use_all([Use(name, who)])


def use_all(uses: Iterable[Use]) -> None:
    """Use each of these limits once, or none of them. Raises TooMany with the seconds to wait."""
    if uses := list(uses):
        db.transaction(_use_all, uses)


def _use_all(tx: Tx, uses: list[Use]) -> None:
    for name, limit in _named(tx, uses):
        _take(tx, name, limit)


def return_uses(uses: Iterable[Use]) -> None:
    """Give uses back that nothing came of, such as those of an order that was not placed."""
    if uses := list(uses):
        db.transaction(_return_uses, uses)


def _return_uses(tx: Tx, uses: list[Use]) -> None:
    for name, limit in _named(tx, uses):
        q.limits.return_use(tx, name=name, step_us=limit.seconds * SECOND // limit.uses)


def _named(tx: Tx, uses: list[Use]) -> list[tuple[str, Limit]]:
    """The rows of these uses with their limits, in the one order in which everybody locks them."""
    chosen = settings.limits(tx)
    named = [(_name(use.name, use.subject), Limit(**chosen[use.name])) for use in uses]
    return sorted(named, key=lambda row: row[0])


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
