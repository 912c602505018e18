from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import certifi
import pytest

from app.config import CURRENCIES, ROOT, BadSetting, Settings

GOOD_KEY = "K7s0vQx2_9fLmZp4TtWc8RbYhD3nGjAe"
NAMES = [one.metadata["name"] for one in fields(Settings)]

BAD = [
    ("SHOP_URL", "shop.example"),
    ("SHOP_URL", "ftp://shop.example"),
    ("SHOP_URL", "https://shop.example/path"),
    ("SHOP_URL", "https://shop.example?x=1"),
    ("SHOP_URL", "https://"),
    ("SHOP_ENV", "prod"),
    ("SHOP_ENV", "Production"),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "80.5"),
    ("PORT", "-1"),
    ("PORT", "٨٠"),
    ("PORT", "1" * 400),
    ("WORKERS", "many"),
    ("WORKERS", "257"),
    ("THREADS", "0"),
    ("THREADS", "65"),
    ("SECRET_KEY", "short"),
    ("SECRET_KEY", "x" * 64),
    ("SECRET_KEY", "abcabcabc" * 8),
    ("LIMITS", "no"),
    ("SHOP_DEMO", "yes"),
    ("CURRENCY", "eur"),
    ("CURRENCY", "XXX"),
    ("DB_PORT", "mysql"),
    ("MAIL_PORT", "smtp"),
    ("MAIL_TLS", "ssl"),
    ("STRIPE_SECRET_KEY", "pk_test_0123456789"),
    ("STRIPE_SECRET_KEY", "sk_test_"),
    ("STRIPE_WEBHOOK_SECRET", "whsec_"),
    ("STRIPE_API_BASE", "stripe"),
    ("CORS_ORIGINS", "*"),
    ("CORS_ORIGINS", "null"),
    ("CORS_ORIGINS", "https://ok.example, nonsense"),
    ("CORS_ORIGINS", "https://*.shop.example"),
    ("SHOP_URL", "https://owner:hunter2@shop.example"),
    ("SHOP_URL", "https://shop.example:99999"),
    ("SHOP_URL", "https://shop.example#"),
    ("SHOP_URL", "https://[::1"),
    ("SHOP_URL", "https://shop..example"),
    ("SHOP_URL", "*"),
    ("SHOP_URL", "null"),
    ("STRIPE_API_BASE", "https://api.stripe.com/v1"),
    ("SHOP_VAR", "a\0b"),
    ("MAIL_HOST", "smtp://mail.example"),
    ("MAIL_HOST", "mail example"),
    ("MAIL_HOST", "mail.example:587"),
    ("MAIL_FROM", "Corner Shop"),
    ("MAIL_FROM", "shop@"),
    ("MAIL_FROM", "shop@example.com\nBcc: thief@example.com"),
    ("DB_HOST", "db 1"),
    ("DB_HOST", "db1,,db2"),
    ("DB_HOST", "db1,db2:mysql"),
    ("DB_HOST", "db1,db2:"),
    ("DB_HOST", "db1,db2:99999"),
    ("DB_TLS", "on"),
    ("DB_TLS", "require"),
    ("DB_TLS_CA", "/nowhere/authority.pem"),
    ("DB_TLS_CA", "."),
    ("DB_TLS_CA", str(Path(__file__))),
    ("TRUSTED_PROXIES", "proxy.example"),
    ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ("TRUSTED_PROXIES", "10.0.0.0/33"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_refuses_to_start_and_says_which(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=rf"^{name} must be "):
        Settings.from_env({name: value})


@pytest.mark.parametrize("given", [{"SECRET_KEY": "hunter2hunter2"}, {"SHOP_URL": "https://owner:hunter2@shop.example"}])
def test_the_refusal_of_a_secret_does_not_repeat_it(given: dict[str, str]) -> None:
    with pytest.raises(BadSetting) as refused:
        Settings.from_env(given)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_an_empty_environment_gives_a_shop_of_this_machine_alone() -> None:
    settings = Settings.from_env({})
    assert settings == Settings()
    assert (settings.url, settings.host, settings.port) == ("http://127.0.0.1:5000", "127.0.0.1", 5000)
    assert (settings.production, settings.https, settings.loopback, settings.limits) == (False, False, True, True)
    assert (settings.db_host, settings.secret_key, settings.cors_origins, settings.trusted_proxies) == ("", "", (), ())
    assert settings.var == ROOT / "var"


def test_an_empty_value_counts_as_unset() -> None:
    assert Settings.from_env(dict.fromkeys(NAMES, " ")) == Settings()


def test_a_name_of_somebody_else_is_left_alone() -> None:
    assert Settings.from_env({"PATH": "/bin", "DB_HOSTNAME": "x"}) == Settings()


def test_every_setting_is_read() -> None:
    given = {
        "SHOP_URL": "HTTPS://Shop.Example:443/",
        "SHOP_ENV": "production",
        "HOST": "0.0.0.0",
        "PORT": "8080",
        "WORKERS": "3",
        "THREADS": "8",
        "SHOP_VAR": "/srv/shop",
        "SECRET_KEY": GOOD_KEY,
        "LOG_DAYS": "7",
        "METRICS_TOKEN": "sixteen-letters-and-more",
        "LIMITS": "on",
        "SHOP_DEMO": "0",
        "SHOP_NAME": "Hearth & Field",
        "CURRENCY": "JPY",
        "DB_HOST": "db.internal",
        "DB_PORT": "3307",
        "DB_USER": "u",
        "DB_PASSWORD": "p w",
        "DB_NAME": "n",
        "DB_TLS": "verify",
        "DB_TLS_CA": certifi.where(),
        "MAIL_HOST": "mail.example",
        "MAIL_PORT": "465",
        "MAIL_USER": "mu",
        "MAIL_PASSWORD": "mp",
        "MAIL_TLS": "tls",
        "MAIL_FROM": "shop@example.com",
        "STRIPE_SECRET_KEY": "sk_live_0123456789",
        "STRIPE_WEBHOOK_SECRET": "whsec_0123456789",
        "STRIPE_API_BASE": "http://127.0.0.1:12111",
        "CORS_ORIGINS": "https://A.example/, https://b.example:8443 https://a.example:443",
        "TRUSTED_PROXIES": "10.0.0.0/8 192.0.2.7",
    }
    assert given.keys() == set(NAMES)
    settings = Settings.from_env(given)
    default = Settings()
    unread = [one.metadata["name"] for one in fields(Settings) if getattr(settings, one.name) == getattr(default, one.name) and one.name != "limits"]
    assert unread == []
    assert settings.url == "https://shop.example"
    assert settings.https
    assert settings.var == Path("/srv/shop")
    assert settings.demo is False
    assert settings.cors_origins == ("https://a.example", "https://b.example:8443")
    assert settings.trusted_proxies == ("10.0.0.0/8", "192.0.2.7/32")


ADDRESSES = [
    ("localhost", "http://localhost:5000"),
    ("::1", "http://[::1]:5000"),
    ("127.0.0.2", "http://127.0.0.2:5000"),
    ("0.0.0.0", "http://localhost:5000"),
    ("::", "http://localhost:5000"),
    ("0:0:0:0:0:0:0:0", "http://localhost:5000"),
    ("0:0:0:0:0:0:0:1", "http://[::1]:5000"),
    ("Localhost", "http://localhost:5000"),
]


@pytest.mark.parametrize(("host", "url"), ADDRESSES)
def test_the_shops_address_follows_host_and_port(host: str, url: str) -> None:
    assert Settings.from_env({"HOST": host}).url == url


def test_the_default_port_is_no_part_of_the_address() -> None:
    assert Settings.from_env({"PORT": "80"}).url == "http://127.0.0.1"


@pytest.mark.parametrize("host", ["no host", "fe80::1%eth0", "a..b", "x" * 64])
def test_a_host_that_no_browser_can_ask_for_needs_an_address_of_the_shop(host: str) -> None:
    with pytest.raises(BadSetting, match="^HOST is "):
        Settings.from_env({"HOST": host})
    assert Settings.from_env({"HOST": host, "SHOP_URL": "https://shop.example"}).url == "https://shop.example"


def test_a_relative_folder_is_below_the_project() -> None:
    assert Settings.from_env({"SHOP_VAR": "var/second"}).var == ROOT / "var" / "second"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "shop.example", "127.0.0.1.example"])
def test_limits_cannot_be_turned_off_where_others_can_reach_the_shop(host: str) -> None:
    with pytest.raises(BadSetting, match="LIMITS=off"):
        Settings.from_env({"LIMITS": "off", "HOST": host})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_limits_can_be_turned_off_on_this_machine(host: str) -> None:
    assert Settings.from_env({"LIMITS": "off", "HOST": host}).limits is False


PRODUCTION = {"SHOP_ENV": "production", "MAIL_HOST": "mail.example"}


@pytest.mark.parametrize("more", [PRODUCTION, {"SHOP_URL": "https://shop.example"}])
def test_limits_cannot_be_turned_off_in_a_public_shop(more: dict[str, str]) -> None:
    with pytest.raises(BadSetting, match="LIMITS=off"):
        Settings.from_env({"LIMITS": "off", **more})


def test_limits_can_be_turned_off_behind_a_proxy_on_this_machine() -> None:
    """As the cluster drill does."""
    given = {"LIMITS": "off", "SHOP_URL": "http://127.0.0.1:8080", "TRUSTED_PROXIES": "127.0.0.1"}
    assert Settings.from_env(given).limits is False


@pytest.mark.parametrize(
    "more",
    [
        PRODUCTION,
        {"SHOP_URL": "https://shop.example"},
        {"SHOP_URL": "http://127.0.0.1.example"},
        {"TRUSTED_PROXIES": "127.0.0.1"},
        {"HOST": "0.0.0.0"},
    ],
)
def test_development_features_exist_only_where_everything_is_local(more: dict[str, str]) -> None:
    local, public = Settings.from_env({}), Settings.from_env(more)
    assert local.is_local_development and local.development_mailbox and local.test_payments
    assert not (public.is_local_development or public.development_mailbox or public.test_payments)


def test_with_a_mail_server_there_is_no_development_mailbox() -> None:
    assert not Settings.from_env({"MAIL_HOST": "mail.example"}).development_mailbox


@pytest.mark.parametrize("more", [{}, {"SHOP_URL": "https://shop.example"}, {"MAIL_FROM": "shop@example.com"}])
def test_production_without_a_mail_server_refuses_to_start_and_says_what_to_set(
    more: dict[str, str],
) -> None:
    with pytest.raises(BadSetting, match=r"^MAIL_HOST must be set with SHOP_ENV=production: .*MAIL_FROM"):
        Settings.from_env({"SHOP_ENV": "production", **more})


STRIPE = {"STRIPE_SECRET_KEY": "sk_test_0123456789", "STRIPE_WEBHOOK_SECRET": "whsec_0123456789"}


@pytest.mark.parametrize("key", ["sk_test_0123456789", "rk_test_0123456789"])
def test_production_refuses_a_test_key_of_stripe(key: str) -> None:
    with pytest.raises(BadSetting, match="^STRIPE_SECRET_KEY must be a live key"):
        Settings.from_env({**STRIPE, **PRODUCTION, "STRIPE_SECRET_KEY": key})


def test_the_key_of_stripe_is_sent_over_https_only() -> None:
    with pytest.raises(BadSetting, match="^STRIPE_API_BASE must begin with https://"):
        Settings.from_env({**STRIPE, "STRIPE_API_BASE": "http://api.stripe.example"})
    assert Settings.from_env({**STRIPE, "STRIPE_API_BASE": "http://127.0.0.1:12111"}).stripe_api_base


def test_an_authority_without_verification_is_refused() -> None:
    with pytest.raises(BadSetting, match="^DB_TLS must be verify with DB_TLS_CA"):
        Settings.from_env({"DB_TLS_CA": certifi.where()})


def test_verification_without_any_authority_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.from_env({"DB_TLS": "verify"}).db_tls_ca
    monkeypatch.setattr("app.config._find_system_certificates", lambda: "")
    with pytest.raises(BadSetting, match="^DB_TLS_CA must be set with DB_TLS=verify"):
        Settings.from_env({"DB_TLS": "verify"})


@pytest.mark.parametrize(
    ("given", "hosts"),
    [("db1", "db1"), ("db1, db2 ,db3:3307", "db1,db2,db3:3307"), ("2001:db8::1", "2001:db8::1")],
)
def test_one_or_several_database_hosts_are_read(given: str, hosts: str) -> None:
    assert Settings.from_env({"DB_HOST": given}).db_host == hosts


def test_settings_do_not_change_after_the_start() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_every_currency_knows_its_digits() -> None:
    assert all(re.fullmatch(r"[A-Z]{3}", code) and digits in (0, 2, 3) for code, digits in CURRENCIES.items())


def test_every_setting_is_described_with_its_default() -> None:
    described = dict(re.findall(r"^(?:# ?)?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(NAMES) - described.keys() == set()
    assert Settings.from_env({name: value for name, value in described.items() if name in NAMES and value and name in _DEFAULTED}) == Settings()


_DEFAULTED = {
    "SHOP_ENV",
    "HOST",
    "PORT",
    "WORKERS",
    "THREADS",
    "SHOP_VAR",
    "LOG_DAYS",
    "LIMITS",
    "SHOP_NAME",
    "CURRENCY",
    "DB_PORT",
    "DB_USER",
    "DB_NAME",
    "DB_TLS",
    "MAIL_PORT",
    "MAIL_TLS",
}
