"""TLS to the server of DB_HOST, against real servers with certificates made here."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import mysql.connector
import pytest

from app import db, migrations, private_database
from app.config import ROOT, Settings
from app.db import Address, connect
from app.errors import Unavailable
from app.private_database import DatabaseProblem, PrivateDatabase, address_of, prepare_server

START_TIMEOUT_SECONDS = 60


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two authorities, and a server certificate for 127.0.0.1 from the first."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("authority", "stranger"):
        new_key = ["-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key"]
        openssl(
            folder,
            "req",
            "-x509",
            *new_key,
            "-out",
            f"{name}.pem",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
        )
    new_key = ["-newkey", "rsa:2048", "-nodes", "-keyout", "server.key"]
    openssl(folder, "req", *new_key, "-out", "server.csr", "-subj", "/CN=database")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    signing = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-days", "2"]
    openssl(
        folder,
        "x509",
        "-req",
        "-in",
        "server.csr",
        *signing,
        "-extfile",
        "names",
        "-out",
        "server.pem",
    )
    return folder


@contextmanager
def running_server(var: Path, *options: str) -> Iterator[int]:
    """A database server on a TCP port of 127.0.0.1, with an account `shop` that may do everything; yields the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    accounts = private_database._accounts
    account = "'shop'@'127.0.0.1'"
    more = f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY 'right';\nGRANT ALL ON *.* TO {account};\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private_database, "_accounts", lambda access: accounts(access) + more)
        patch.setattr(private_database, "SERVING", [f"--port={port}", "--bind-address=127.0.0.1", *options])
        database = PrivateDatabase(var)
        database.start()
    try:
        yield port
    finally:
        database.stop()


@pytest.fixture(scope="module")
def tls_port(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[int]:
    """A server that demands TLS of everybody."""
    files = [
        f"--ssl-cert={certificates / 'server.pem'}",
        f"--ssl-key={certificates / 'server.key'}",
    ]
    with running_server(tmp_path_factory.mktemp("tls"), *files, "--require-secure-transport=ON") as port:
        yield port


@pytest.fixture(scope="module")
def plaintext_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with running_server(tmp_path_factory.mktemp("plaintext")) as port:
        yield port


def environment_for(port: int, **more: str) -> dict[str, str]:
    given = {
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(port),
        "DB_USER": "shop",
        "DB_PASSWORD": "right",
    }
    return given | {"DB_NAME": "shop_over_tls"} | more


def settings_for(port: int, **more: str) -> Settings:
    return Settings.from_env(environment_for(port, **more))


def cipher_of(address: Address) -> str:
    connection = connect(address)
    cursor = connection.cursor()
    cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    ((_, cipher),) = cursor.fetchall()
    connection.close()
    return str(cipher)


def test_a_server_with_a_good_certificate_is_used_over_tls(
    tls_port: int,
    certificates: Path,
) -> None:
    settings = settings_for(tls_port, DB_TLS="verify", DB_TLS_CA=str(certificates / "authority.pem"))

    prepare_server(settings)

    assert cipher_of(address_of(settings))
    assert cipher_of(address_of(settings, owner=True))


def test_each_of_several_hosts_is_verified(
    tls_port: int,
    plaintext_port: int,
    certificates: Path,
) -> None:
    hosts = f"127.0.0.1:{plaintext_port},127.0.0.1:{tls_port}"
    more = {"DB_TLS": "verify", "DB_TLS_CA": str(certificates / "authority.pem")}
    settings = settings_for(tls_port, DB_HOST=hosts, DB_NAME="mysql", **more)

    assert cipher_of(address_of(settings))
    with pytest.raises(mysql.connector.Error) as refused:
        connect(address_of(settings_for(plaintext_port, DB_HOST="127.0.0.1,127.0.0.1", **more)))
    assert refused.value.errno == db.TLS_ERROR


@pytest.mark.parametrize(
    ("host", "authority", "advice"),
    [
        ("127.0.0.1", "stranger.pem", "stranger.pem"),
        ("localhost", "authority.pem", "must name the host of DB_HOST"),
    ],
)
def test_a_wrong_certificate_is_refused(
    tls_port: int,
    certificates: Path,
    host: str,
    authority: str,
    advice: str,
) -> None:
    more = {"DB_HOST": host, "DB_TLS_CA": str(certificates / authority)}
    settings = settings_for(tls_port, DB_TLS="verify", **more)

    with pytest.raises(DatabaseProblem, match=r"^DB_TLS is verify, but .*certificate verify failed") as refused:
        prepare_server(settings)

    assert advice in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_server_without_tls_is_refused(plaintext_port: int, certificates: Path) -> None:
    settings = settings_for(plaintext_port, DB_TLS="verify", DB_TLS_CA=str(certificates / "authority.pem"))

    with pytest.raises(DatabaseProblem, match=r"^DB_TLS is verify, but .*SSL is required"):
        prepare_server(settings)


def test_the_authorities_of_the_system_do_not_vouch_for_an_unknown_server(tls_port: int) -> None:
    settings = settings_for(tls_port, DB_TLS="verify")

    assert Path(settings.db_tls_ca).is_file()
    with pytest.raises(DatabaseProblem, match="certificate verify failed"):
        prepare_server(settings)


def test_the_pool_refuses_a_server_that_it_cannot_verify(tls_port: int, certificates: Path) -> None:
    settings = settings_for(tls_port, DB_TLS="verify", DB_TLS_CA=str(certificates / "stranger.pem"))

    pool = db.Pool(address_of(settings), 1)

    with pytest.raises(Unavailable):
        pool.acquire()


@pytest.mark.parametrize("pure_python", [False, True])
def test_an_unencrypted_connection_is_refused_whatever_the_driver_does(
    plaintext_port: int, certificates: Path, monkeypatch: pytest.MonkeyPatch, pure_python: bool
) -> None:
    settings = settings_for(
        plaintext_port,
        DB_TLS="verify",
        DB_TLS_CA=str(certificates / "authority.pem"),
        DB_NAME="mysql",
    )
    monkeypatch.setitem(db.TLS_OPTIONS, "verify", {"use_pure": pure_python})

    with pytest.raises(mysql.connector.Error) as refused:
        connect(address_of(settings))

    assert refused.value.errno == db.TLS_ERROR


def test_tls_is_used_where_the_server_has_it_unless_it_is_turned_off(
    tls_port: int,
    plaintext_port: int,
) -> None:
    assert cipher_of(address_of(settings_for(tls_port, DB_NAME="mysql")))
    assert cipher_of(address_of(settings_for(plaintext_port, DB_NAME="mysql"))) == ""
    with pytest.raises(DatabaseProblem, match="may demand TLS, and DB_TLS is off"):
        prepare_server(settings_for(tls_port, DB_TLS="off"))


def test_no_other_place_connects_to_a_database() -> None:
    """So that every connection has the transport that the settings demand."""
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "backend" / "app").rglob("*.py")}

    connecting = [path.name for path, text in sources.items() if "mysql.connector.connect(" in text]
    importing = r"from \.+db import [^\n]*\bAddress\b"
    addressing = [path.name for path, text in sources.items() if re.search(importing, text) and re.search(r"\bAddress\(", text)]

    assert connecting == ["db.py"]
    assert addressing == ["private_database.py"]


# ---------------------------------------------------------------- whole processes


def run_shop(tmp_path: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    ours = {one.metadata["name"] for one in fields(Settings)}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        environment |= {"PORT": str(probe.getsockname()[1])}
    environment |= {"SHOP_VAR": str(tmp_path / "var"), "WORKERS": "1", "SHOP_DEMO": "0", **more}
    command = [sys.executable, str(ROOT / "backend" / "run.py"), *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_whole_shop_works_over_verified_tls(
    tls_port: int,
    certificates: Path,
    tmp_path: Path,
) -> None:
    verify = {"DB_TLS": "verify", "DB_TLS_CA": str(certificates / "authority.pem")}
    given: Any = environment_for(tls_port, DB_NAME="whole_shop", **verify)
    shop = run_shop(tmp_path, "run", **given)
    try:
        assert shop.stdout
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while "over verified TLS" not in (line := shop.stdout.readline()):
            assert line and time.monotonic() < deadline, shop.stderr and shop.stderr.read()

        for words in (["backup"], ["doctor"], ["search-rebuild"]):
            command = run_shop(tmp_path, *words, **given)
            output, errors = command.communicate(timeout=START_TIMEOUT_SECONDS)
            assert command.returncode == 0, (words, output, errors)
    finally:
        shop.send_signal(signal.SIGTERM)
        shop.communicate(timeout=START_TIMEOUT_SECONDS)
    assert shop.returncode == 0
    assert migrations.migrate(address_of(Settings.from_env(given), owner=True)) is False


@pytest.mark.parametrize(
    ("server", "authority", "reason"),
    [
        ("tls_port", "stranger.pem", "certificate verify failed"),
        ("plaintext_port", "authority.pem", "SSL is required"),
    ],
)
def test_a_start_without_verified_tls_ends_with_one_line(
    request: pytest.FixtureRequest,
    certificates: Path,
    tmp_path: Path,
    server: str,
    authority: str,
    reason: str,
) -> None:
    given: Any = environment_for(request.getfixturevalue(server), DB_TLS="verify")
    shop = run_shop(tmp_path, "run", **given, DB_TLS_CA=str(certificates / authority))

    _, errors = shop.communicate(timeout=START_TIMEOUT_SECONDS)

    assert shop.returncode == 1
    assert errors.startswith("DB_TLS is verify, but ") and reason in errors
    assert errors.count("\n") == 1
