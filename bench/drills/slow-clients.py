"""./shop drill slow-clients: does the shop respond while hundreds of clients send or read slowly?

For each kind of slow client, 200 connections are held open: one byte of a declared body, none of
it, half of the headers, or a response that is read one byte at a time. Meanwhile /livez and a list
of products must respond within a second (p99), and a photo that is uploaded at 100 KB/s must
arrive. All this happens without a proxy, and behind HAProxy, nginx and Caddy with the shipped files.
"""

from __future__ import annotations

import argparse
import http.client
import io
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster import FILES, proxied
from frame import opened
from lab.shops import Shop, free_port
from PIL import Image

CONNECTIONS = 200
MAX_P99_SECONDS = 1.0
UPLOAD_BYTES_PER_SECOND = 100_000
READ_INTERVAL_SECONDS = 1.0
HEAD = b"Host: shop.example\r\nContent-Type: application/json\r\n"
REQUESTS = {
    "one byte of a body": b"POST /api/v1/auth/forgot HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000\r\n\r\n{",
    "no byte of a body": b"GET /api/v1/products HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000\r\n\r\n",
    "half of the headers": b"GET /api/v1/products HTTP/1.1\r\n" + HEAD[:30],
    "slow reading": b"GET /api/v1/openapi.json HTTP/1.1\r\n" + HEAD + b"\r\n",
}
WATCHED = ("/livez", "/api/v1/products?limit=24")


class Watch(threading.Thread):
    """Measures how long the watched paths take to respond, each on a new connection."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._ended = threading.Event()
        self.seconds: list[float] = []
        self.faults: list[str] = []

    def run(self) -> None:
        while not self._ended.wait(0.02):
            for path in WATCHED:
                began = time.monotonic()
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
                    connection.request("GET", path)
                    response = connection.getresponse()
                    response.read()
                    if response.status != 200:
                        self.faults.append(f"{path} responded {response.status}")
                    connection.close()
                except (OSError, http.client.HTTPException) as error:
                    self.faults.append(f"{path}: {error!r}")
                self.seconds.append(time.monotonic() - began)

    def stop(self) -> None:
        self._ended.set()
        self.join()

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]


def connect(port: int, request: bytes) -> socket.socket:
    connection = socket.socket()
    # A small window, so that the response cannot wait in the client's system.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(request)
    connection.setblocking(False)
    return connection


def read_slowly(connections: list[socket.socket], seconds: float) -> None:
    """Read one byte of each response at a time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for connection in connections:
            try:
                connection.recv(1)
            except (BlockingIOError, ConnectionError):
                continue
        time.sleep(READ_INTERVAL_SECONDS)


def photo(max_bytes: int) -> bytes:
    """Return a photo of nearly `max_bytes` that the shop accepts."""
    side = int((max_bytes / 3) ** 0.5) - 20
    content = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(side * side * 3)).save(content, "PNG")
    return content.getvalue()


def upload_slowly(port: int, content: bytes) -> int:
    """Upload a photo for a contact message at UPLOAD_BYTES_PER_SECOND; return the status."""

    def pieces() -> Iterator[bytes]:
        step = UPLOAD_BYTES_PER_SECOND // 10
        for start in range(0, len(content), step):
            yield content[start : start + step]
            time.sleep(0.1)

    headers = {"Content-Type": "image/png", "Content-Length": str(len(content))}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/api/v1/attachments", pieces(), headers)
    return connection.getresponse().status


class Upload(threading.Thread):
    def __init__(self, port: int, content: bytes) -> None:
        super().__init__(daemon=True)
        self._port, self._content = port, content
        self.result = ""

    def run(self) -> None:
        try:
            self.result = str(upload_slowly(self._port, self._content))
        except (OSError, http.client.HTTPException) as error:
            self.result = repr(error)


@contextmanager
def front(kind: str, shop: Shop) -> Iterator[int]:
    """Put a proxy in front of the shop, unless `kind` is "none"; give the port of the two."""
    if kind == "none":
        yield shop.port
        return
    with TemporaryDirectory(prefix="shop-proxy-") as folder:
        port = free_port()
        with proxied(kind, Path(folder), port, [shop, shop]):
            yield port


def attack(port: int, seconds: float, report: Callable[[str], None]) -> list[str]:
    """Hold each kind of slow client for some seconds; return what went wrong."""
    faults = []
    upload = Upload(port, photo(5 * 1024 * 1024))
    upload.start()
    for name, request in REQUESTS.items():
        watch = Watch(port)
        with ExitStack() as stack:
            held = [stack.enter_context(connect(port, request)) for _ in range(CONNECTIONS)]
            watch.start()
            read_slowly(held if name == "slow reading" else [], seconds)
            watch.stop()
        report(f"  {name:22}{watch.p99:8.3f} s p99 of {len(watch.seconds)}, {max(watch.seconds):.3f} s at most")
        faults += watch.faults[:3]
        if watch.p99 >= MAX_P99_SECONDS:
            faults.append(f"{name}: p99 is {watch.p99:.2f} s")
    upload.join()
    report(f"  {'slow upload':22}{upload.result:>8}")
    if upload.result != "201":
        faults.append(f"the slow upload ended with {upload.result}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(prog="./shop drill slow-clients", description="Does the shop respond while clients send or read slowly?")
    parser.add_argument("--proxy", choices=["none", *sorted(FILES)], help="only without a proxy, or behind this one")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each kind of slow client")
    options = parser.parse_args()
    faults = []
    with opened("slow-clients", TRUSTED_PROXIES="127.0.0.1") as shop:
        for kind in [options.proxy] if options.proxy else ["none", *FILES]:
            print(f"proxy: {kind}", flush=True)
            with front(kind, shop) as port:
                faults += [f"{kind}: {fault}" for fault in attack(port, options.seconds, lambda line: print(line, flush=True))]
    for fault in faults:
        print(fault)
    print(f"slow-clients: {'BROKEN' if faults else 'held'}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
