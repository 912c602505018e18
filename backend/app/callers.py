"""From where a request comes: past the proxies that are trusted, and whether from this very machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import request

from .origins import origin_variants

if TYPE_CHECKING:
    from .config import Settings

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def trust_proxies(networks: tuple[str, ...]) -> Callable[[Mapping[str, Any]], str]:
    """Gives who tells the client's address of a WSGI environment.

    X-Forwarded-For counts only when a trusted proxy sent it; the client is the last address that is no proxy's.
    """
    trusted = [ipaddress.ip_network(network) for network in networks]

    def is_address(text: str) -> bool:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return False
        # A scope (fe80::1%eth0) may hold any text.
        return "%" not in text

    def is_proxy(text: str) -> bool:
        return is_address(text) and any(ipaddress.ip_address(text) in network for network in trusted)

    def client(environ: Mapping[str, Any]) -> str:
        address: str = environ.get("REMOTE_ADDR") or ""
        hops = [part.strip() for part in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
        while hops and is_proxy(address) and is_address(hops[-1]):
            address = hops.pop()
        return address

    return client


def asked_on_this_machine() -> bool:
    """Whether nobody but this machine asks: no proxy that forwards strangers, no name that was made to point here."""
    forwarded = any(name.lower().removeprefix("x-").startswith("forwarded") for name, _ in request.headers)
    address = request.remote_addr or ""
    here = address == "::1" or address.startswith("127.")
    return here and not forwarded and urlsplit(f"//{request.host}").hostname in LOOPBACK


def allowed_origins(settings: Settings) -> frozenset[str]:
    """Return the origins that may write: the shop's own and CORS_ORIGINS, as browsers send them.

    In development the names of this machine are equivalent.
    """
    own = urlsplit(settings.url)
    allowed = {settings.url, *settings.cors_origins}
    if not settings.production and own.hostname in ("localhost", "127.0.0.1", "::1"):
        port = f":{own.port}" if own.port else ""
        allowed |= {f"{own.scheme}://{name}{port}" for name in ("localhost", "127.0.0.1", "[::1]")}
    return frozenset(variant for origin in allowed for variant in origin_variants(origin))
