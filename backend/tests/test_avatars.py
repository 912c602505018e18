"""Pictures of people: what is taken, what is made of it, and everything that is not taken."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ShopClient
from factories import User
from flask import Flask
from PIL import Image, PngImagePlugin
from test_accounts import at_once, change, rows
from werkzeug.test import TestResponse

from app import db
from app.config import ROOT
from app.errors import Unavailable
from app.services import avatars, media

AVATAR = "/api/v1/me/avatar"
RED, BLUE = (220, 30, 30), (30, 30, 220)


def picture(kind: str = "PNG", size: tuple[int, int] = (300, 200), colour: Any = RED, mode: str = "RGB", **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, kind, **more)
    return out.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int) -> bytes:
    """A black PNG of any size in little time and memory."""
    packer = zlib.compressobj(9)
    rows = bytes(1 + (width + 7) // 8) * 100
    lines = [packer.compress(rows) for _ in range(height // 100)] + [packer.flush()]
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"".join(lines)) + chunk(b"IEND", b"")


def put(client: ShopClient, content: bytes, kind: str = "image/png") -> TestResponse:
    return client.put(AVATAR, data=content, content_type=kind)


@pytest.fixture
def folder(shop: Flask) -> Path:
    path = Path(shop.config["SHOP"].var) / "uploads" / "avatars"
    for file in path.glob("*"):
        file.unlink()
    return path


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


def shown(client: ShopClient, answer: TestResponse) -> Image.Image:
    """The picture as a browser gets it."""
    served = client.get(answer.json["avatar"]["src"])
    assert (served.status_code, served.mimetype, served.headers["X-Content-Type-Options"]) == (200, "image/webp", "nosniff")
    return Image.open(io.BytesIO(served.data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("form", [False, True])
def test_a_picture_becomes_a_small_square_webp(client: ShopClient, alice: User, folder: Path, kind: str, form: bool) -> None:
    client.as_(alice)
    if form:
        answer = client.put(AVATAR, data={"avatar": (io.BytesIO(picture(kind)), "../../me.php")}, content_type="multipart/form-data")
    else:
        answer = put(client, picture(kind), "application/octet-stream")
    assert answer.status_code == 200
    assert {name: answer.json["avatar"][name] for name in ("alt", "width", "height")} == {"alt": "", "width": 256, "height": 256}
    assert re.fullmatch(r"/media/avatars/[0-9a-f]{32}\.webp", answer.json["avatar"]["src"])
    seen = shown(client, answer)
    assert (seen.format, seen.size) == ("WEBP", (256, 256))
    assert all(abs(one - other) < 12 for one, other in zip(seen.convert("RGB").getpixel((128, 128)), RED, strict=True))  # type: ignore[arg-type]
    assert client.get("/api/v1/me").json["avatar"] == answer.json["avatar"]
    assert len(files(folder)) == 1


@pytest.mark.parametrize(
    ("kind", "mode", "colour"), [("PNG", "P", 3), ("PNG", "1", 1), ("PNG", "LA", (9, 9)), ("PNG", "I;16", 30000), ("JPEG", "CMYK", (9,) * 4)]
)
def test_any_way_to_hold_colours_will_do(client: ShopClient, alice: User, kind: str, mode: str, colour: Any) -> None:
    answer = put(client.as_(alice), picture(kind, mode=mode, colour=colour))
    assert shown(client, answer).size == (256, 256)
    if mode == "I;16":
        assert abs(shown(client, answer).convert("L").getpixel((9, 9)) - 30000 // 256) < 6  # type: ignore[operator]


def test_what_is_transparent_stays_so(client: ShopClient, alice: User) -> None:
    answer = put(client.as_(alice), picture(mode="RGBA", colour=(0, 0, 0, 0)))
    assert shown(client, answer).convert("RGBA").getpixel((128, 128))[3] == 0  # type: ignore[index]


def test_the_middle_is_kept_and_turned_as_the_camera_was_held(client: ShopClient, alice: User) -> None:
    wide = Image.new("RGB", (600, 200), BLUE)
    wide.paste(RED, (200, 0, 400, 100))
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    wide.save(out, "JPEG", exif=exif, quality=95)
    seen = shown(client, put(client.as_(alice), out.getvalue())).convert("RGB")
    # The middle square is red above and blue below; turned by a quarter, red is on the right.
    reds = [seen.getpixel(place)[0] > 128 for place in ((240, 10), (240, 245), (15, 10), (15, 245))]  # type: ignore[index]
    assert reds == [True, True, False, False]


def test_nothing_is_kept_of_what_the_file_told(client: ShopClient, alice: User, folder: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera of Alice"
    exif.get_ifd(0x8825)[2] = (51.0, 3.0, 0.0)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "Kerkstraat 5")
    for content in (
        picture("JPEG", exif=exif, comment=b"Kerkstraat 5", icc_profile=b"profile of Alice"),
        picture("PNG", exif=exif, pnginfo=text, icc_profile=b"profile of Alice"),
        picture("WEBP", exif=exif, xmp=b"Kerkstraat 5", icc_profile=b"profile of Alice"),
    ):
        assert put(client.as_(alice), content).status_code == 200
        kept = (folder / files(folder)[0]).read_bytes()
        assert not [word for word in (b"Kerkstraat", b"Alice", b"EXIF", b"ICCP", b"XMP ") if word in kept]


def test_the_former_picture_is_removed(client: ShopClient, alice: User, bob: User, folder: Path) -> None:
    hers = put(client.as_(alice), picture()).json["avatar"]["src"]
    his = put(client.as_(bob), picture()).json["avatar"]["src"]
    client.as_(alice)
    newer = put(client, picture(colour=BLUE)).json["avatar"]["src"]
    assert files(folder) == sorted(Path(path).name for path in (his, newer))
    assert [client.get(path).status_code for path in (hers, his, newer)] == [404, 200, 200]

    assert [client.delete(AVATAR).status_code for _ in range(2)] == [204, 204]

    assert client.get("/api/v1/me").json["avatar"] is None
    assert files(folder) == [Path(his).name]


def test_many_pictures_at_once_leave_one(client: ShopClient, alice: User, folder: Path) -> None:
    client.as_(alice)
    assert at_once(6, lambda _: put(client, picture()).status_code) == [200] * 6
    assert files(folder) == [Path(client.get("/api/v1/me").json["avatar"]["src"]).name]


HTML = b"<!doctype html><html><script>alert(1)</script></html>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"


@pytest.mark.parametrize(
    "content", [HTML, SVG, GIF, b"", b"\xff\xd8", b"RIFF\x04\x00\x00\x00WAVE", b"%PDF-1.7", b"BM" + bytes(60)], ids=lambda one: repr(one[:12])
)
@pytest.mark.parametrize("form", [False, True])
def test_what_is_no_such_picture_is_415_whatever_it_calls_itself(client: ShopClient, alice: User, folder: Path, content: bytes, form: bool) -> None:
    client.as_(alice)
    if form:
        answer = client.put(AVATAR, data={"avatar": (io.BytesIO(content), "me.jpg", "image/jpeg")}, content_type="multipart/form-data")
    else:
        answer = put(client, content, "image/jpeg")
    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")
    assert files(folder) == []


ZIP_END = b"PK\x05\x06" + bytes(18)


@pytest.mark.parametrize(
    "content",
    [
        picture("JPEG") + HTML,
        picture("JPEG", comment=b"<script>alert(1)</script>"),
        picture("JPEG") + b"PK\x03\x04" + bytes(40) + ZIP_END,
        picture("JPEG") + b"<?php system($_GET['c']); ?>",
        b"\xff\xd8\xff\xe0/*" + picture("JPEG")[6:],
        picture("PNG") + b"trailing",
        picture("PNG") + ZIP_END,
        picture("PNG", pnginfo=(lambda info: (info.add_text("x", "<SVG onload=alert(1)>"), info)[1])(PngImagePlugin.PngInfo())),
        picture("WEBP") + b"%PDF-1.7",
        picture("WEBP") + b"\x00\x00",
    ],
    ids=lambda one: f"{one[:4]!r}…{one[-8:]!r}",
)
def test_what_is_a_picture_and_something_else_is_refused(client: ShopClient, alice: User, folder: Path, content: bytes) -> None:
    answer = put(client.as_(alice), content, "image/jpeg")
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["avatar"])
    assert files(folder) == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_broken_picture_is_refused_and_never_a_fault(client: ShopClient, alice: User, folder: Path, kind: str) -> None:
    client.as_(alice)
    whole = picture(kind, size=(120, 90))
    for content in (whole[: len(whole) // 2], whole[:40]):
        assert put(client, content).status_code in (415, 422)
    for place in range(12, min(len(whole), 240), 7):
        answer = put(client, whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        assert answer.status_code in (200, 415, 422)


def test_a_photograph_with_a_film_behind_it_is_a_photograph(client: ShopClient, alice: User) -> None:
    assert put(client.as_(alice), picture("JPEG") + b"\x00\x00\x00\x18ftypmp42" + os.urandom(2000)).status_code == 200


def test_six_megabytes_are_too_many(client: ShopClient, alice: User, folder: Path) -> None:
    client.as_(alice)
    for megabytes in (6, 8):
        large = picture("JPEG") + bytes(megabytes * 1024 * 1024)
        answers = [put(client, large), client.put(AVATAR, data={"avatar": (io.BytesIO(large), "me.jpg")}, content_type="multipart/form-data")]
        assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(413, "too_large")] * 2
    just_above = picture("JPEG").ljust(media.MOST_BYTES + 1, b"\0")
    assert put(client, just_above).status_code == 413
    assert put(client, just_above[:-1]).status_code == 200


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(20_000, 20_000), (5_001, 5_000), (25_000_100, 100), (2**31 - 1, 100)], ids=str)
def test_too_many_pixels_are_told_from_the_header_alone(client: ShopClient, alice: User, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "in_colour", lambda _: pytest.fail("it was decoded"))
    content = (
        png(*size) if size[0] <= 20_000 else b"".join((png(100, 100)[:8], chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 1, 0, 0, 0, 0)), png(100, 100)[33:]))
    )
    assert len(content) < 100_000
    answer = put(client.as_(alice), content)
    assert (answer.status_code, answer.json["errors"]) == (422, {"avatar": ["This picture has too many pixels: at most 25 million."]})


def test_a_picture_of_the_largest_size_is_taken(client: ShopClient, alice: User) -> None:
    assert put(client.as_(alice), png(5_000, 5_000)).status_code == 200


MEMORY = """
import resource, sys
from app.errors import ShopError
from app.services import avatars, media
content = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(20):
    try:
        avatars.draw(content)
    except ShopError as error:
        answer = error
print(answer.status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_bomb_of_400_megapixels_costs_no_memory() -> None:
    run = subprocess.run([sys.executable, "-c", MEMORY], input=png(20_000, 20_000), capture_output=True, cwd=ROOT / "backend", check=True, timeout=60)
    status, kibibytes = run.stdout.split()
    assert (int(status), int(kibibytes) < 4096) == (422, True), run.stdout


def test_a_compressed_text_that_grows_without_end_is_refused(client: ShopClient, alice: User) -> None:
    whole = picture()
    bomb = whole[:33] + chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(300_000_000), 9)) + whole[33:]
    assert len(bomb) < media.MOST_BYTES
    assert put(client.as_(alice), bomb).status_code == 422


def test_a_process_decodes_one_picture_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, most, gate = 0, 0, threading.Lock()
    decoded = media._decoded

    def watched(*given: Any) -> Any:
        nonlocal now, most
        with gate:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        made = decoded(*given)
        with gate:
            now -= 1
        return made

    monkeypatch.setattr(media, "_decoded", watched)
    at_once(6, lambda _: avatars.draw(picture()))
    assert (now, most) == (0, 1)


def test_who_waits_too_long_for_a_turn_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "PATIENCE", 0.05)
    with media._decoding, pytest.raises(Unavailable):
        avatars.draw(picture())
    assert avatars.draw(picture())


def test_a_form_must_hold_one_picture_and_json_is_none(client: ShopClient, alice: User) -> None:
    client.as_(alice)
    none = client.put(AVATAR, data={"avatar": "text"}, content_type="multipart/form-data")
    two = client.put(AVATAR, data={"a": (io.BytesIO(picture()), "a"), "b": (io.BytesIO(picture()), "b")}, content_type="multipart/form-data")
    assert [(answer.status_code, list(answer.json["errors"])) for answer in (none, two)] == [(422, ["avatar"])] * 2
    assert client.put(AVATAR, json={"avatar": "x"}).status_code == 415
    assert put(client, b"").status_code == 415


def test_only_who_is_signed_in_has_a_picture(client: ShopClient) -> None:
    assert [put(client, picture()).status_code, client.delete(AVATAR).status_code] == [401, 401]


def test_a_full_disk_is_said_and_leaves_no_half_file(client: ShopClient, alice: User, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = put(client.as_(alice), picture()).json["avatar"]

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = put(client, picture(colour=BLUE))
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert client.get("/api/v1/me").json["avatar"] == kept
    assert files(folder) == [Path(kept["src"]).name]


def test_a_picture_that_could_not_be_noted_is_not_left_behind(alice: User, folder: Path, shop: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise Unavailable()

    monkeypatch.setattr(db, "transaction", fails)
    with pytest.raises(Unavailable):
        avatars.put(alice.id, picture(), folder.parent)
    assert files(folder) == []


def test_what_a_killed_process_left_behind_is_swept_up(client: ShopClient, alice: User, folder: Path, new_client: Callable[[], ShopClient]) -> None:
    kept = Path(put(client.as_(alice), picture()).json["avatar"]["src"]).name
    for name in (f"{'a' * 32}.webp", f"{'b' * 32}.part", f"{'c' * 32}.webp"):
        (folder / name).write_bytes(b"x")
    long_ago = time.time() - 2 * media.ORPHAN_SECONDS
    for name in (kept, f"{'a' * 32}.webp", f"{'b' * 32}.part"):
        os.utime(folder / name, (long_ago, long_ago))
    assert avatars.delete_orphans(folder.parent) == 2
    assert files(folder) == sorted([kept, f"{'c' * 32}.webp"])


def test_the_column_names_a_file_under_uploads(client: ShopClient, alice: User, folder: Path) -> None:
    put(client.as_(alice), picture())
    assert rows("SELECT avatar_path FROM users") == [(f"avatars/{files(folder)[0]}",)]
    change("UPDATE users SET avatar_path = NULL")
