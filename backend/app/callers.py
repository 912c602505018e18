"""Where a request comes from: client address, local connections, and origins that may write."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .origins import is_loopback_host, origin_variants

if TYPE_CHECKING:
    from .config import Settings

LOCAL_HOST_HEADER = re.compile(
    r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?",
    re.IGNORECASE,
)
# What reverse proxies, load balancers and CDNs add to a request; browsers and scripts do not.
PROXY_HEADER = re.compile(
    r"HTTP_(.*FORWARD.*|.*PROXY.*|.*(CLIENT|REMOTE|REAL|CONNECTING|ORIGINATING)_?(IP|ADDR|PORT).*"
    r"|.*(IP|ADDR|ADDRESS|SCHEME|SSL|HTTPS)|.+_HOST|VIA|CDN_LOOP"
    r"|(X_)?(CF|AMZN?|ARR|ENVOY|ORIGINAL|AZURE|FASTLY|FLY|VERCEL|CLOUD)_.*)"
)


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


def is_development_request(settings: Settings, environ: Mapping[str, Any]) -> bool:
    """Return whether a request may use development features: mailbox, test payments, open metrics.

    The settings and the connection must both be local, so that a proxy that adds no header opens
    nothing once the shop has its public address or is in production (OWASP ASVS 13.4).
    """
    return settings.is_local_development and is_local_request(environ)


def is_local_request(environ: Mapping[str, Any]) -> bool:
    """Return whether a WSGI request was sent by a program on this machine, as far as can be seen.

    The peer is a loopback address, no proxy added a header, and Host is a loopback name, since a
    public name may be made to point to 127.0.0.1 (DNS rebinding). HTTP/1.0 is what nginx speaks to
    its backends by default; browsers do not.
    """
    return (
        is_loopback_host(environ.get("REMOTE_ADDR") or "")
        and LOCAL_HOST_HEADER.fullmatch(environ.get("HTTP_HOST") or "") is not None
        and environ.get("SERVER_PROTOCOL") == "HTTP/1.1"
        and not any(map(PROXY_HEADER.fullmatch, environ))
    )


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
