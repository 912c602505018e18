"""Web origins: one spelling for each, the one that browsers send in the Origin header."""

from __future__ import annotations

import ipaddress
import re

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_HOST_LENGTH = 253
MAX_PORT = 65535
# Underscores are no part of a host name (RFC 1123), but container networks use them and browsers
# accept them.
LABEL = re.compile(r"[a-z0-9_-]{1,63}")
# The URL standard reads a host whose last label is a number as an IPv4 address.
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
LOOPBACK_NAME = "localhost"


def normalize_origin(text: str) -> str:
    """Return an http or https origin as browsers serialize it (WHATWG URL Standard, RFC 6454).

    Scheme and host become lower case, an international name becomes its ASCII form (UTS 46), an
    IPv6 address is compressed, and the default port, one trailing slash and the dot after a name
    are removed. Raises ValueError, saying what is wrong, for anything that cannot be an origin.
    """
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError("it contains a space or a control character")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in DEFAULT_PORTS:
        raise ValueError("it does not begin with https:// or http://")
    authority = re.split(r"[/\\?#]", rest)[0]
    remainder = rest.removeprefix(authority)
    if remainder not in ("", "/"):
        raise ValueError("it has a path, a query or a fragment")
    if "@" in authority:
        raise ValueError("it contains a user name or a password")
    host, port = _split_port(authority)
    host = _normalize_ipv6(host) if host.startswith("[") else _normalize_name(host)
    has_default_port = port in (None, DEFAULT_PORTS[scheme])
    return f"{scheme}://{host}" if has_default_port else f"{scheme}://{host}:{port}"


def origin_variants(origin: str) -> tuple[str, ...]:
    """Return the spellings of a normalized origin that browsers may send.

    A browser keeps the dot of an absolute name: it sends `https://shop.example.` for the same host.
    """
    scheme, _, authority = origin.partition("://")
    host, colon, port = authority.partition(":")
    is_address = authority.startswith("[") or NUMBER.fullmatch(host.rpartition(".")[2])
    return (origin,) if is_address else (origin, f"{scheme}://{host}.{colon}{port}")


def is_loopback_host(host: str) -> bool:
    """Return whether a host name or address, without brackets and port, is this machine alone."""
    if host.lower() == LOOPBACK_NAME:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split_port(authority: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?", authority)
    if not match:
        raise ValueError("its host is not valid")
    host, port = match.groups()
    if port is None or port == "":
        return host, None
    if not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) or not 1 <= int(port) <= MAX_PORT:
        raise ValueError(f"its port is not a number from 1 to {MAX_PORT}")
    return host, int(port)


def _normalize_ipv6(host: str) -> str:
    try:
        number = int(ipaddress.IPv6Address(host[1:-1]))
    except ValueError:
        number = -1
    if number < 0 or "%" in host:
        raise ValueError("its IPv6 address is not valid")
    # Not str(): newer versions of Python write the end of an IPv4-mapped address in dotted form.
    groups = ":".join(f"{number >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))
    runs = re.finditer(r"(?:^|:)0(?::0)+(?::|$)", groups)
    longest = max(runs, key=lambda run: run[0].count("0"), default=None)
    return f"[{groups[: longest.start()]}::{groups[longest.end() :]}]" if longest else f"[{groups}]"


def _normalize_name(host: str) -> str:
    name = (host.lower() if host.isascii() else _to_ascii(host)).removesuffix(".")
    labels = name.split(".")
    if "" in labels:
        raise ValueError("its host is missing or has an empty part")
    if len(name) > MAX_HOST_LENGTH or not all(map(LABEL.fullmatch, labels)):
        raise ValueError("its host is not a valid name")
    if NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise ValueError("its IPv4 address is not valid") from None
    for label in labels:
        if label.startswith("xn--"):
            _check_punycode(label)
    return name


def _to_ascii(host: str) -> str:
    # Imported here: only the few shops with an international name need its tables.
    import idna

    try:
        return idna.encode(host, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        raise ValueError("its international name is not valid; write it in its xn-- form") from None


def _check_punycode(label: str) -> None:
    try:
        is_international = not label[4:].encode("ascii").decode("punycode").isascii()
    except UnicodeError:
        is_international = False
    if not is_international:
        raise ValueError("its host has a part that begins with xn-- and is not valid Punycode")
