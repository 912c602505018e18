"""The data folder (SHOP_VAR): nothing in it is for other users, whoever wrote it."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from running_shops import Shop, until

from app import debian
from app.config import ROOT, BadSetting
from app.data_folder import prepare_data_folder

ADMIN = {"identifier": "ada", "password": "a long and private sentence"}
CSV_FILE = b"handle,title,price,stock\nspoon,Spoon,4.00,3\n"


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """The umask of most systems, which lets everybody read."""
    former = os.umask(0o022)
    yield
    os.umask(former)


def open_to_others(folder: Path) -> dict[str, str]:
    """Return the mode of everything in a folder that other users of the machine may touch."""
    paths = [
        folder,
        *(Path(top) / name for top, folders, files in os.walk(folder) for name in folders + files),
    ]
    modes = {str(path.relative_to(folder)): path.lstat().st_mode for path in paths if path.exists()}
    return {name: stat.filemode(mode) for name, mode in modes.items() if mode & 0o077 and not stat.S_ISLNK(mode)}


def send(browser: urllib.request.OpenerDirector, url: str, body: bytes, content_type: str) -> None:
    with browser.open(urllib.request.Request(url, body, {"Content-Type": content_type}), timeout=30) as response:
        response.read()


def use_everything(shop: Shop) -> None:
    """Make the shop write what it writes: emails, uploads, imports, searches, logs, a backup and an index."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    admin = shop.command(
        "create-admin",
        "--username",
        "ada",
        "--email",
        "ada@example.com",
        given=ADMIN["password"] + "\n",
    )
    assert admin.returncode == 0, admin.stderr
    image = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(image, "PNG")

    send(browser, f"{shop.url}/api/v1/attachments", image.getvalue(), "image/png")
    send(
        browser,
        f"{shop.url}/api/v1/auth/forgot",
        b'{"email": "ada@example.com"}',
        "application/json",
    )
    send(browser, f"{shop.url}/api/v1/auth/login", json.dumps(ADMIN).encode(), "application/json")
    send(browser, f"{shop.url}/api/v1/admin/imports?file_name=spoons.csv", CSV_FILE, "text/csv")
    shop.get("/api/v1/products?q=mug")
    for words in (["backup"], ["search-rebuild"], ["doctor"]):
        command = shop.command(*words)
        assert command.returncode == 0, (words, command.stdout, command.stderr)
    until(lambda: list((shop.var / "mail").glob("*.eml")))


def test_nothing_that_a_shop_writes_is_for_other_users(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "var").start()
    try:
        use_everything(shop)
        written = {path.name for path in shop.var.iterdir()}
        assert written >= {
            "backups",
            "lock",
            "logs",
            "mail",
            "mysql",
            "search",
            "secret_key",
            "uploads",
        }
        assert list((shop.var / "uploads" / "attachments").rglob("*.webp"))
        assert list((shop.var / "uploads" / "imports").iterdir())
        assert open_to_others(shop.var) == {}
        assert shop.get("/api/v1/products") == 200
    finally:
        assert shop.stop() == 0
    assert open_to_others(shop.var) == {}


def test_a_folder_that_an_older_version_left_open_is_closed_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "var" / "logs").mkdir(parents=True)
    (tmp_path / "var" / "logs" / "shop.jsonl").touch()
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o755

    prepare_data_folder(tmp_path / "var")

    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700


def test_a_folder_that_other_programs_share_is_refused_and_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)

    with pytest.raises(BadSetting, match=r"^SHOP_VAR is .*, which other programs share"):
        prepare_data_folder(tmp_path)

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777


def test_a_package_that_is_unpacked_is_for_its_own_user(tmp_path: Path) -> None:
    for name, mode in {"bin/program": 0o755, "share/message": 0o644}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        path.chmod(mode)
    (tmp_path / "link").symlink_to("/bin/sh")

    debian._make_private(tmp_path)

    assert open_to_others(tmp_path) == {}
    assert stat.S_IMODE((tmp_path / "bin" / "program").stat().st_mode) == 0o700
    assert stat.S_IMODE(Path("/bin/sh").stat().st_mode) & 0o055 == 0o055


def test_the_front_door_writes_for_its_own_user_and_leaves_the_packages_to_all(
    tmp_path: Path,
) -> None:
    """Its Python is a script that tells with which umask it was called for what."""
    shutil.copy(ROOT / "shop", tmp_path)
    (tmp_path / "requirements.txt").touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$1 $2 $(umask) ${PYTHONPYCACHEPREFIX:-}" >>calls\n')
    python.chmod(0o755)

    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPYCACHEPREFIX", None)
    subprocess.run([str(tmp_path / "shop"), "doctor"], check=True, env=environment, capture_output=True)

    calls = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
    assert ["-m", "pip", "0022"] in calls
    assert calls[-1] == ["backend/run.py", "doctor", "0077", str(tmp_path / "var" / "compiled")]
    assert (tmp_path / "var" / "install.lock").exists()
    assert open_to_others(tmp_path / "var") == {}


# ---------------------------------------------------------------- starts that are refused

REFUSED = {
    "SHOP_ENV": ("prod", "SHOP_ENV must be production or development."),
    "SHOP_URL": (
        "https://shop.example/store",
        "SHOP_URL must be an address like https://shop.example, but it has a path",
    ),
    "CORS_ORIGINS": (
        "https://*.shop.example",
        "CORS_ORIGINS must be addresses like https://app.shop.example",
    ),
    "HOST": ("a..b", "HOST is a..b, which cannot be the address of a website."),
    "SHOP_VAR": (__file__, f"SHOP_VAR is {__file__}, which cannot be used: File exists."),
    "DB_HOST": ("db1,db2:mysql", "DB_HOST must be a host, or several such as"),
    "DB_TLS": ("yes", "DB_TLS must be prefer or verify or off."),
    "DB_TLS_CA": ("/nowhere.pem", "DB_TLS_CA must be a readable PEM file"),
    "MAIL_HOST": ("smtp://mail.example", "MAIL_HOST must be the name of a mail server"),
    "MAIL_FROM": ("Corner Shop", "MAIL_FROM must be an address like"),
    "TRUSTED_PROXIES": ("proxy", "TRUSTED_PROXIES must be IP addresses or networks"),
    "STRIPE_SECRET_KEY": (
        "sk_test_0123456789",
        "STRIPE_WEBHOOK_SECRET must be set with STRIPE_SECRET_KEY",
    ),
    "LIMITS": ("off", "LIMITS=off is only for tests on this machine"),
}
MORE = {"LIMITS": {"SHOP_URL": "https://shop.example"}}


def refused_start(tmp_path: Path, **environment: str) -> str:
    shop = Shop(tmp_path / "var", **{"LIMITS": "on", **environment})
    answer = shop.command("run")
    assert (answer.returncode, answer.stdout) == (1, ""), answer
    assert answer.stderr.count("\n") == 1, answer.stderr
    return answer.stderr


@pytest.mark.parametrize("name", REFUSED)
def test_a_setting_that_is_refused_is_named_in_one_line(name: str, tmp_path: Path) -> None:
    value, sentence = REFUSED[name]
    assert refused_start(tmp_path, **MORE.get(name, {}), **{name: value}).startswith(sentence)


def test_production_without_a_mail_server_does_not_start(tmp_path: Path) -> None:
    said = refused_start(tmp_path, SHOP_ENV="production", SHOP_URL="https://shop.example")
    assert said.startswith("MAIL_HOST must be set with SHOP_ENV=production")


def test_a_host_that_cannot_be_looked_up_is_told(tmp_path: Path) -> None:
    said = refused_start(tmp_path, HOST="a..b", SHOP_URL="https://shop.example")
    assert said == "HOST is a..b, which is no address.\n"


def test_a_stored_key_that_is_damaged_is_told(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "secret_key").write_text("")
    assert refused_start(tmp_path).startswith("SECRET_KEY is not set, and ")


def test_a_settings_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "backend",
        tmp_path / "tree" / "backend",
        ignore=shutil.ignore_patterns("tests", "__pycache__"),
    )
    (tmp_path / "tree" / ".env").write_bytes(b"SHOP_NAME=caf\xe9\n")

    command = [sys.executable, str(tmp_path / "tree" / "backend" / "run.py"), "doctor"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    assert answer.returncode == 1
    assert answer.stderr.startswith(f"{tmp_path / 'tree' / '.env'} cannot be read: ")
    assert answer.stderr.count("\n") == 1


def test_a_shop_in_production_shows_nothing_of_development_to_its_own_machine(
    tmp_path: Path,
) -> None:
    """A proxy that forwards everything as its own request looks just like this."""
    production = {
        "SHOP_ENV": "production",
        "MAIL_HOST": "127.0.0.1",
        "MAIL_PORT": "9",
        "LIMITS": "on",
    }
    shop = Shop(tmp_path / "var", **production, SHOP_URL="https://shop.example", SHOP_DEMO="0").start()
    try:
        assert {path: shop.get(path) for path in ("/livez", "/dev/mail", "/metrics")} == {
            "/livez": 200,
            "/dev/mail": 404,
            "/metrics": 404,
        }
        assert "/dev/mail" not in shop.said()
    finally:
        assert shop.stop() == 0


def status_of(shop: Shop, protocol: str, path: str) -> int:
    """Ask as nginx with a bare proxy_pass asks: a loopback Host and no header that names a client."""
    address = ("127.0.0.1", int(shop.environment["PORT"]))
    head = f"GET {path} {protocol}\r\nHost: 127.0.0.1:{address[1]}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(head.encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_a_development_shop_shows_nothing_of_development_to_a_silent_proxy(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "var", SHOP_DEMO="0").start()
    try:
        for path in ("/dev/mail", "/metrics"):
            assert status_of(shop, "HTTP/1.1", path) == 200
            assert status_of(shop, "HTTP/1.0", path) == 404
        assert status_of(shop, "HTTP/1.0", "/livez") == 200
    finally:
        assert shop.stop() == 0
