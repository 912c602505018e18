"""./shop drill cluster: three Galera nodes and two app servers behind one proxy, with a node and a server killed while buyers order.

Each app server writes to the first node that takes writes; the drill kills that one, lets it come back and be written to again, and
kills an app server. What the proxy itself answers for a server that is gone counts as a line that broke.
"""

from __future__ import annotations

import argparse
import http.client
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from frame import Buyer, Load, judge, put_on_shelf
from lab import ROOT
from lab.shops import Failed, Shop, free_port, ready, until

from app import db, debian, mariadb_program, private_database
from app.db import DRIVER_ERRORS, Address
from app.private_database import PrivateDatabase

DEPLOY = ROOT / "backend" / "deploy"
PACKAGES = ROOT / "var" / "packages"
NODES, SERVERS = "abc", (1, 2)
SYNCED = "4"
GALERA = "usr/lib/galera/libgalera_smm.so"
ACCOUNTS = """\
CREATE USER 'flaskcart'@'%' IDENTIFIED BY '{password}';
GRANT ALL ON flaskcart.* TO 'flaskcart'@'%';
CREATE USER 'transfer'@'localhost' IDENTIFIED BY '{password}';
GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO 'transfer'@'localhost';
"""
SAMPLE = {1: "10.0.0.11:5000", 2: "10.0.0.12:5000"}
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
OURS = {
    "haproxy": [(":443 ssl crt /etc/ssl/shop.example.pem alpn h2,http/1.1", "127.0.0.1:{port}")],
    "nginx": [
        ("443 ssl http2", "127.0.0.1:{port}"),
        ("        ssl_certificate     /etc/ssl/shop.example.pem;\n        ssl_certificate_key /etc/ssl/shop.example.key;\n", ""),
        ("pid /run/nginx.pid", "daemon off; user root; pid {folder}/nginx.pid"),
        ("access_log off;", "access_log off; " + " ".join(f"{what}_temp_path {{folder}}/{what};" for what in TEMPORARY)),
    ],
    "caddy": [("shop.example {", "http://127.0.0.1:{port} {{"), ("{\n\tservers", "{{\n\tadmin off\n\tservers")],
}
FILES = {"haproxy": "haproxy.cfg", "nginx": "nginx.conf", "caddy": "Caddyfile"}


def find_package(package: str, file: str) -> Path:
    """Return the root under which a file of a package lies: that of the system, or a folder in var into which the package is unpacked."""
    for root in (Path("/"), PACKAGES / package):
        if (root / file).exists():
            return root
    print(f"Fetching {package}, unpacked into {PACKAGES}; nothing of the system is changed", flush=True)
    debian.unpack([package], PACKAGES / package, lambda home: (home / file).exists())
    return PACKAGES / package


def environment_of(*roots: Path) -> dict[str, str]:
    """Return the environment in which programs of several packages find each other and their libraries."""
    programs = [str(root / folder) for root in roots for folder in ("usr/bin", "usr/sbin")]
    unpacked = [root for root in roots if root != Path("/")]
    libraries = ":".join(filter(None, map(debian.libraries, unpacked)))
    path = ":".join([*programs, os.environ.get("PATH", os.defpath)])
    return os.environ | {"PATH": path} | ({"LD_LIBRARY_PATH": libraries} if libraries else {})


class Node:
    """One server of the database cluster."""

    def __init__(self, name: str, folder: Path, password: str) -> None:
        self.name, self.folder = name, folder / name
        self.port, self.group, self.transfer, self.increments = free_port(), free_port(), free_port(), free_port()
        self.address = Address("flaskcart", password, "flaskcart", "127.0.0.1", self.port)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, cluster: list[Node], *, first: bool = False) -> None:
        self.folder.mkdir(exist_ok=True)
        server = mariadb_program.find([ROOT / "var" / "mariadb"], print)
        galera = find_package("mariadb-server", GALERA)
        # A node that joins gets its data by mariadb-backup over socat: an rsync daemon of root writes as nobody, who may not.
        transfer = [find_package("mariadb-backup", "usr/bin/mariabackup"), find_package("socat", "usr/bin/socat")]
        home = PrivateDatabase(self.folder)
        if first:
            home.folder.mkdir()
            home._initialise(server)
            (self.folder / "accounts.sql").write_text(ACCOUNTS.format(password=self.address.password))
        home.data.mkdir(parents=True, exist_ok=True)
        others = "" if first else ",".join(f"127.0.0.1:{node.group}" for node in cluster)
        command = [
            *server.command(),
            *(["--user=root"] if os.geteuid() == 0 else []),
            *private_database.OPTIONS,
            f"--datadir={home.data}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            "--max-connections=200",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-on=ON",
            f"--wsrep-provider={galera / GALERA}",
            f"--wsrep-cluster-address=gcomm://{others}",
            f"--wsrep-node-name={self.name}",
            "--wsrep-node-address=127.0.0.1",
            f"--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{self.group};ist.recv_addr=127.0.0.1:{self.increments}",
            "--wsrep-sst-method=mariabackup",
            f"--wsrep-sst-auth=transfer:{self.address.password}",
            f"--wsrep-sst-receive-address=127.0.0.1:{self.transfer}",
            "--wsrep-sst-donor=c,",
            *([f"--init-file={self.folder}/accounts.sql"] if first else []),
        ]
        environment = environment_of(galera, *transfer, *([server.home] if server.home else []))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until(self.synced, f"the syncing of node {self.name}")

    def synced(self) -> bool:
        if self.process and self.process.poll() is not None:
            raise Failed(f"node {self.name} ended; {self.folder / 'log'} says why")
        try:
            return bool(self.ask("SHOW GLOBAL STATUS LIKE 'wsrep_local_state'")[0][1] == SYNCED)
        except DRIVER_ERRORS:
            return False

    def ask(self, *statements: str) -> list[Any]:
        connection = db.connect(self.address)
        cursor = connection.cursor()
        for sql in statements:
            cursor.execute(sql)
        rows = cursor.fetchall()
        connection.close()
        return list(rows)

    def written_to(self) -> bool:
        return len(self.ask("SELECT id FROM information_schema.processlist WHERE user = 'flaskcart'")) > 1 + len(SERVERS)

    def end(self, *, hard: bool = False) -> None:
        if self.process and self.process.poll() is None:
            (self.process.kill if hard else self.process.terminate)()
            self.process.wait()


class Guest(Buyer):
    """Knows a proxy's answer from the shop's."""

    def ask(self, path: str, body: Any, key: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        answer = super().ask(path, body, key)
        if answer[0] in (502, 503, 504) and "json" not in answer[1].get("Content-Type", ""):
            raise http.client.HTTPException(f"the proxy answered {answer[0]}")
        return answer


@contextmanager
def proxied(kind: str, folder: Path, port: int, servers: list[Shop]) -> Iterator[None]:
    """Run a proxy with the shop's own file for it, changed in nothing but addresses, folders and TLS."""
    source = folder / FILES[kind]
    text = (DEPLOY / source.name).read_text()
    replacements = [(old, new.format(port=port, folder=folder)) for old, new in OURS[kind]]
    replacements += [(SAMPLE[number], f"127.0.0.1:{shop.port}") for number, shop in enumerate(servers, 1)]
    for old, new in replacements:
        if old not in text:
            raise Failed(f"{source.name} has no {old}")
        text = text.replace(old, new)
    source.write_text(text)
    program = "usr/bin/caddy" if kind == "caddy" else f"usr/sbin/{kind}"
    root = find_package(kind, program)
    options = {
        "haproxy": ["-f", str(source)],
        "nginx": ["-c", str(source), "-p", str(folder), "-e", "stderr"],
        "caddy": ["run", "--config", str(source), "--adapter", "caddyfile"],
    }[kind]
    environment = environment_of(root) | {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen([str(root / program), *options], env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        until(lambda: ready(port), f"the start of {kind}")
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def opened(kind: str) -> Iterator[tuple[list[Node], list[Shop], Shop]]:
    """The nodes, the app servers, and what buyers see of them. The folder goes away when all went well."""
    folder = Path(tempfile.mkdtemp(prefix="shop-drill-cluster-"))
    with ExitStack() as ends:
        nodes = [Node(name, folder, secrets.token_hex(8)) for name in NODES]
        for node in nodes:
            node.address = nodes[0].address if node is nodes[0] else replace(nodes[0].address, port=node.port)
            node.start(nodes, first=node is nodes[0])
            ends.callback(node.end)
        front = Shop(folder)
        shared = {"DB_HOST": ",".join(f"127.0.0.1:{node.port}" for node in nodes), "DB_PASSWORD": nodes[0].address.password}
        shared |= {"SECRET_KEY": secrets.token_hex(32), "SHOP_URL": f"http://127.0.0.1:{front.port}", "TRUSTED_PROXIES": "127.0.0.1", "WORKERS": "1"}
        (folder / "uploads").mkdir()
        servers = []
        for number in SERVERS:
            own = folder / f"app{number}"
            (own / "var").mkdir(parents=True)
            (own / "var" / "uploads").symlink_to(folder / "uploads")
            servers.append(Shop(own, **shared))
            servers[-1].start()
            ends.callback(servers[-1].stop)
            servers[-1].wait()
        ends.enter_context(proxied(kind, folder, front.port, servers))
        try:
            yield nodes, servers, front
        except BaseException:
            print(f"\nWhat was said and written is kept in {folder}", flush=True)
            raise
    shutil.rmtree(folder)


def goes_on(load: Load, what: str) -> None:
    load.goes_on(50)
    print(f"{what}: {load.acknowledged} orders so far", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop drill cluster", description="Is an order lost or doubled when a database node and an app server are killed?")
    parser.add_argument("--proxy", choices=sorted(OURS), default="haproxy")
    with opened(parser.parse_args().proxy) as (nodes, servers, front):
        everywhere = replace(nodes[0].address, host=servers[0].environment["DB_HOST"])
        with Load(front, put_on_shelf(everywhere), kind=Guest) as load:
            goes_on(load, f"{len(nodes)} nodes, {len(servers)} servers")
            nodes[0].end(hard=True)
            goes_on(load, "kill -9 of the node that is written to")
            nodes[0].start(nodes)
            until(nodes[0].written_to, "the return to the first node")
            goes_on(load, "the node is back and written to again")
            servers[0].kill()
            goes_on(load, "kill -9 of an app server")
            servers[0].start()
            servers[0].wait()
            goes_on(load, "the app server is back")
        print(f"Buyers met {load.histories.broken} broken lines and {load.histories.refused} answers 503")
        copies = {str(node.ask("SET SESSION wsrep_sync_wait = 1", "SELECT COUNT(*), SUM(id), MAX(number) FROM orders")) for node in nodes}
        return judge("cluster", load.histories, everywhere, ["the nodes hold different orders"] * (len(copies) > 1)).show()


if __name__ == "__main__":
    sys.exit(main())
