from __future__ import annotations

import pytest

from app.origins import is_loopback_host, normalize_origin, origin_variants

# As typed, and as a browser that opens it sends it in the Origin header.
ORIGINS = [
    ("https://shop.example", "https://shop.example"),
    ("https://shop.example/", "https://shop.example"),
    ("HTTPS://Shop.EXAMPLE", "https://shop.example"),
    ("https://shop.example:443", "https://shop.example"),
    ("http://shop.example:80/", "http://shop.example"),
    ("https://shop.example:", "https://shop.example"),
    ("https://shop.example:80", "https://shop.example:80"),
    ("http://shop.example:443", "http://shop.example:443"),
    ("https://shop.example:08443", "https://shop.example:8443"),
    ("https://bücher.example", "https://xn--bcher-kva.example"),
    ("https://BÜCHER.example:443", "https://xn--bcher-kva.example"),
    ("https://bu\u0308cher.example", "https://xn--bcher-kva.example"),
    ("https://XN--Bcher-KVA.example", "https://xn--bcher-kva.example"),
    ("https://straße.example", "https://xn--strae-oqa.example"),
    ("https://магазин.example", "https://xn--80aairftm.example"),
    ("https://商店.example", "https://xn--czrs0t.example"),
    ("https://shop。example", "https://shop.example"),
    ("https://ｓｈｏｐ.example", "https://shop.example"),
    ("https://xn--ls8h.example", "https://xn--ls8h.example"),
    ("https://shop.example.", "https://shop.example"),
    ("https://shop.example.:443/", "https://shop.example"),
    ("http://my_app:5000", "http://my_app:5000"),
    ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
    ("http://１２７.0.0.1", "http://127.0.0.1"),
    ("http://[0:0:0:0:0:0:0:1]:5000", "http://[::1]:5000"),
    ("http://[2001:DB8:0:0:1:0:0:1]", "http://[2001:db8::1:0:0:1]"),
    ("http://[1:0:0:2:0:0:0:3]", "http://[1:0:0:2::3]"),
    ("http://[2001:db8:0:1:1:1:1:1]", "http://[2001:db8:0:1:1:1:1:1]"),
    ("http://[::ffff:1.2.3.4]", "http://[::ffff:102:304]"),
    ("http://[::]:80", "http://[::]"),
]

NOT_ORIGINS = {
    "": "does not begin with https://",
    "null": "does not begin with https://",
    "*": "does not begin with https://",
    "shop.example": "does not begin with https://",
    "//shop.example": "does not begin with https://",
    "https:shop.example": "does not begin with https://",
    "ftp://shop.example": "does not begin with https://",
    "javascript://shop.example": "does not begin with https://",
    "https://*": "not a valid name",
    "https://*.shop.example": "not a valid name",
    "https://shop%2eexample": "not a valid name",
    "https://shop,example": "not a valid name",
    f"https://{'a' * 64}.example": "not a valid name",
    f"https://{'a.' * 126}example": "not a valid name",
    "https://": "missing or has an empty part",
    "https://:443": "missing or has an empty part",
    "https://.": "missing or has an empty part",
    "https://.example": "missing or has an empty part",
    "https://shop..example": "missing or has an empty part",
    "https://shop.example..": "missing or has an empty part",
    "https://owner@shop.example": "user name or a password",
    "https://owner:secret@shop.example": "user name or a password",
    "https://@shop.example": "user name or a password",
    "https://shop.example/store": "path, a query or a fragment",
    "https://shop.example//": "path, a query or a fragment",
    "https://shop.example?": "path, a query or a fragment",
    "https://shop.example/?a=1": "path, a query or a fragment",
    "https://shop.example#": "path, a query or a fragment",
    "https://shop.example\\": "path, a query or a fragment",
    "https://shop.example:0": "port is not a number",
    "https://shop.example:65536": "port is not a number",
    "https://shop.example:-1": "port is not a number",
    "https://shop.example:٤٤٣": "port is not a number",
    "https://shop.example:https": "port is not a number",
    "https://::1": "port is not a number",
    "https://[::1": "host is not valid",
    "https://[::1]x": "host is not valid",
    "https://a[::1]": "host is not valid",
    "https://[::1%25eth0]": "IPv6 address",
    "https://[fe80::1%eth0]": "IPv6 address",
    "https://[shop.example]": "IPv6 address",
    "https://[]": "IPv6 address",
    "https://127.1": "IPv4 address",
    "https://0x7f.1": "IPv4 address",
    "https://2130706433": "IPv4 address",
    "https://010.0.0.1": "IPv4 address",
    "https://256.0.0.1": "IPv4 address",
    "https://shop example": "space or a control character",
    "https://shop.example\t": "space or a control character",
    "https://shop\u2028.example": "space or a control character",
    "https://shop\x00.example": "space or a control character",
    "https://xn--.example": "Punycode",
    "https://xn--a-.example": "Punycode",
    "https://a℀b.example": "international name",
    "https://💩.example": "international name",
}


@pytest.mark.parametrize(("typed", "sent"), ORIGINS)
def test_an_origin_becomes_what_browsers_send(typed: str, sent: str) -> None:
    assert normalize_origin(typed) == sent
    assert normalize_origin(sent) == sent


@pytest.mark.parametrize("typed", NOT_ORIGINS)
def test_what_cannot_be_an_origin_is_refused_with_the_reason(typed: str) -> None:
    with pytest.raises(ValueError, match=NOT_ORIGINS[typed]) as refused:
        normalize_origin(typed)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("origin", "variants"),
    [
        ("https://shop.example", ("https://shop.example", "https://shop.example.")),
        ("https://shop.example:8443", ("https://shop.example:8443", "https://shop.example.:8443")),
        ("http://127.0.0.1:5000", ("http://127.0.0.1:5000",)),
        ("http://[::1]:5000", ("http://[::1]:5000",)),
    ],
)
def test_a_name_may_be_sent_with_a_dot_and_an_address_may_not(
    origin: str,
    variants: tuple[str, ...],
) -> None:
    assert origin_variants(origin) == variants


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1"])
def test_a_loopback_host_is_known(host: str) -> None:
    assert is_loopback_host(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.0.2.1", "localhost.example", "127.0.0.1.example", "127.1"])
def test_any_other_host_is_not_loopback(host: str) -> None:
    assert not is_loopback_host(host)
