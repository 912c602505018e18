"""Every setting of the shop, read once from the environment; a bad value refuses to start and says which."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .origins import is_loopback_host, normalize_origin
from .text import normalize_text

ROOT = Path(__file__).resolve().parents[2]
CURRENCIES = {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "SEK": 2, "DKK": 2, "NOK": 2, "PLN": 2, "CZK": 2, "CAD": 2, "AUD": 2, "INR": 2, "JPY": 0}
# Where distributions keep the certificate authorities that they trust, if OpenSSL does not say.
SYSTEM_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


class BadSetting(Exception):
    """A setting has a value the shop cannot start with. The message names it and says what would do."""


def _text(value: str) -> str:
    return value


def _whole(low: int, high: int) -> Any:
    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return read


def _choice(**choices: Any) -> Any:
    def read(value: str) -> Any:
        if value not in choices:
            raise ValueError(" or ".join(choices))
        return choices[value]

    return read


def _read_origin(value: str) -> str:
    # The value is not repeated: it may hold a password.
    try:
        return normalize_origin(value)
    except ValueError as error:
        raise ValueError(f"an address like https://shop.example, but {error}") from None


def _read_origins(value: str) -> tuple[str, ...]:
    parts = [part for part in re.split(r"[\s,]+", value) if part]
    try:
        return tuple(dict.fromkeys(map(normalize_origin, parts)))
    except ValueError as error:
        example = "addresses like https://app.shop.example, separated by commas"
        raise ValueError(f"{example}, but of one of them {error}") from None


def _read_database_hosts(value: str) -> str:
    """Accept one host, or several with commas, each of which may have its own port."""
    hosts = [part.strip() for part in value.split(",")]
    for host in hosts:
        name, _, port = host.partition(":") if len(hosts) > 1 else (host, "", "")
        is_port = not port or (re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535)
        if not name or re.search(r"\s", name) or not is_port or host.endswith(":"):
            raise ValueError("a host, or several such as db1,db2,db3:3307")
    return ",".join(hosts)


def _read_mail_host(value: str) -> str:
    if re.search(r"[\s/@,]", value) or re.fullmatch(r"[^:]*:[0-9]*", value):
        raise ValueError("the name of a mail server, such as smtp.example.com")
    return value


def _read_sender(value: str) -> str:
    value = normalize_text(value)
    _, address = parseaddr(value)
    if not value.isprintable() or not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
        raise ValueError('an address like "Corner Shop <orders@shop.example>"')
    return value


def _read_certificates(value: str) -> str:
    """Accept a PEM file with at least one certificate; a relative path is below the project."""
    path = _folder(value)
    try:
        ssl.create_default_context(cafile=path)
    except OSError:
        raise ValueError(f"a readable PEM file with certificates; {path} is not one") from None
    return str(path)


def _find_system_certificates() -> str:
    """Return the file with the certificate authorities of this system, or an empty string."""
    places = (ssl.get_default_verify_paths().cafile, *SYSTEM_CERTIFICATES)
    return next((place for place in places if place and Path(place).is_file()), "")


def _networks(value: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(part)) for part in re.split(r"[\s,]+", value) if part)
    except ValueError:
        raise ValueError("IP addresses or networks, separated by commas") from None


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError("one of " + " ".join(CURRENCIES))
    return value


def validate_secret_key(value: str) -> str:
    """Return a secret key that is long and varied enough; raises ValueError for any other."""
    if len(value) < 32 or len(set(value)) < 8:
        raise ValueError("at least 32 random characters; leave it unset and the shop makes its own")
    return value


def _token(value: str) -> str:
    if not re.fullmatch(r"[!-~]{16,200}", value):
        raise ValueError("at least 16 characters without spaces")
    return value


def _stripe_key(value: str) -> str:
    if not re.fullmatch(r"(sk|rk)_(test|live)_\w{8,}", value, re.ASCII):
        raise ValueError("a secret key of Stripe, such as sk_test_… or sk_live_…")
    return value


def _webhook_secret(value: str) -> str:
    if not re.fullmatch(r"whsec_\S{8,}", value, re.ASCII):
        raise ValueError("a webhook secret of Stripe, such as whsec_…")
    return value


def _folder(value: str) -> Path:
    if "\0" in value:
        raise ValueError("a path")
    return (ROOT / value).resolve()


def _setting(name: str, default: Any, read: Any = _text) -> Any:
    return field(default=default, metadata={"name": name, "read": read})


@dataclass(frozen=True)
class Settings:
    """What the environment decides. The owner's choices (name, taxes, shipping) live in the database once it exists."""

    url: str = _setting("SHOP_URL", "", _read_origin)
    production: bool = _setting("SHOP_ENV", False, _choice(production=True, development=False))
    host: str = _setting("HOST", "127.0.0.1")
    port: int = _setting("PORT", 5000, _whole(1, 65535))
    workers: int = _setting("WORKERS", 0, _whole(0, 256))
    threads: int = _setting("THREADS", 4, _whole(1, 64))
    var: Path = _setting("SHOP_VAR", ROOT / "var", _folder)
    secret_key: str = _setting("SECRET_KEY", "", validate_secret_key)
    log_days: int = _setting("LOG_DAYS", 30, _whole(1, 3650))
    metrics_token: str = _setting("METRICS_TOKEN", "", _token)
    limits: bool = _setting("LIMITS", True, _choice(on=True, off=False))
    demo: bool | None = _setting("SHOP_DEMO", None, _choice(**{"1": True, "0": False}))
    name: str = _setting("SHOP_NAME", "FlaskCart", normalize_text)
    currency: str = _setting("CURRENCY", "EUR", _currency)
    db_host: str = _setting("DB_HOST", "", _read_database_hosts)
    db_port: int = _setting("DB_PORT", 3306, _whole(1, 65535))
    db_user: str = _setting("DB_USER", "flaskcart")
    db_password: str = _setting("DB_PASSWORD", "")
    db_name: str = _setting("DB_NAME", "flaskcart")
    db_tls: str = _setting("DB_TLS", "prefer", _choice(prefer="prefer", verify="verify", off="off"))
    db_tls_ca: str = _setting("DB_TLS_CA", "", _read_certificates)
    mail_host: str = _setting("MAIL_HOST", "", _read_mail_host)
    mail_port: int = _setting("MAIL_PORT", 587, _whole(1, 65535))
    mail_user: str = _setting("MAIL_USER", "")
    mail_password: str = _setting("MAIL_PASSWORD", "")
    mail_tls: str = _setting("MAIL_TLS", "starttls", _choice(starttls="starttls", tls="tls", off="off"))
    mail_from: str = _setting("MAIL_FROM", "", _read_sender)
    stripe_secret_key: str = _setting("STRIPE_SECRET_KEY", "", _stripe_key)
    stripe_webhook_secret: str = _setting("STRIPE_WEBHOOK_SECRET", "", _webhook_secret)
    stripe_api_base: str = _setting("STRIPE_API_BASE", "https://api.stripe.com", _read_origin)
    cors_origins: tuple[str, ...] = _setting("CORS_ORIGINS", (), _read_origins)
    trusted_proxies: tuple[str, ...] = _setting("TRUSTED_PROXIES", (), _networks)

    def __post_init__(self) -> None:
        if not self.url:
            object.__setattr__(self, "url", self._default_url())
        self._check_development_features()
        self._check_stripe()
        self._check_database_tls()

    def _default_url(self) -> str:
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            host = self.host
        else:
            # 0.0.0.0 and :: are addresses to listen at, not to browse.
            host = f"[{address}]" if address.version == 6 else str(address)
            if address.is_unspecified:
                host = "localhost"
        try:
            return normalize_origin(f"http://{host}:{self.port}")
        except ValueError:
            sentence = f"HOST is {self.host}, which cannot be the address of a website."
            raise BadSetting(f"{sentence} Set SHOP_URL, or another HOST.") from None

    def _check_development_features(self) -> None:
        if self.production and not self.mail_host:
            raise BadSetting(
                "MAIL_HOST must be set with SHOP_ENV=production: without a mail server nobody receives"
                " a code or a confirmation. Set MAIL_HOST, and MAIL_PORT, MAIL_USER, MAIL_PASSWORD and"
                " MAIL_FROM as your mail server needs them."
            )
        if not self.limits and (self.production or not self.loopback or not self._has_loopback_url):
            raise BadSetting(
                "LIMITS=off is only for tests on this machine: SHOP_ENV must be development, and HOST and SHOP_URL must be loopback addresses.",
            )

    def _check_stripe(self) -> None:
        if not self.stripe_secret_key:
            return
        if not self.stripe_webhook_secret:
            raise BadSetting(
                "STRIPE_WEBHOOK_SECRET must be set with STRIPE_SECRET_KEY: without it anybody could tell the shop that an order is paid.",
            )
        if self.production and "_live_" not in self.stripe_secret_key:
            raise BadSetting(
                "STRIPE_SECRET_KEY must be a live key (sk_live_… or rk_live_…) with"
                " SHOP_ENV=production: with a test key anybody could pay without money."
                " For a trial set SHOP_ENV=development.",
            )
        api = urlsplit(self.stripe_api_base)
        if api.scheme != "https" and not is_loopback_host(api.hostname or ""):
            raise BadSetting(
                "STRIPE_API_BASE must begin with https://: the secret key is sent there.",
            )

    def _check_database_tls(self) -> None:
        if self.db_tls_ca and self.db_tls != "verify":
            raise BadSetting(
                "DB_TLS must be verify with DB_TLS_CA: otherwise no certificate is verified.",
            )
        if self.db_tls == "verify" and not self.db_tls_ca:
            certificates = _find_system_certificates()
            if not certificates:
                raise BadSetting(
                    "DB_TLS_CA must be set with DB_TLS=verify: this system has no file of certificate authorities.",
                )
            object.__setattr__(self, "db_tls_ca", certificates)

    @property
    def loopback(self) -> bool:
        return is_loopback_host(self.host)

    @property
    def _has_loopback_url(self) -> bool:
        return is_loopback_host(urlsplit(self.url).hostname or "")

    @property
    def https(self) -> bool:
        return self.url.startswith("https://")

    @property
    def is_local_development(self) -> bool:
        """Whether the settings allow development features: only this machine can reach the shop.

        Each request is checked as well; see callers.is_local_request().
        """
        is_local = self.loopback and self._has_loopback_url and not self.trusted_proxies
        return is_local and not self.production

    @property
    def development_mailbox(self) -> bool:
        """Whether emails can be read at /dev/mail, in local development without a mail server."""
        return self.is_local_development and not self.mail_host

    @property
    def test_payments(self) -> bool:
        """Whether orders can be paid without money, in local development."""
        return self.is_local_development

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read the settings; an empty value counts as unset. Raises BadSetting with the setting's name."""
        values: dict[str, Any] = {}
        for one in fields(cls):
            name = one.metadata["name"]
            raw = env.get(name, "").strip()
            if not raw:
                continue
            try:
                values[one.name] = one.metadata["read"](raw)
            except ValueError as error:
                raise BadSetting(f"{name} must be {error}.") from None
        return cls(**values)
