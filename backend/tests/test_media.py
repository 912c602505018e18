"""Pictures of products: what is taken, the widths that are made of it, their order and words, and everything that is not taken."""

from __future__ import annotations

import io
import os
import re
import time
from pathlib import Path
from typing import Any

import factories
import pytest
from conftest import ShopClient
from factories import Thing
from flask import Flask
from PIL import Image
from test_accounts import at_once, rows
from test_avatars import GIF, HTML, SVG, ZIP_END, chunk, picture, png
from werkzeug.test import TestResponse

from app import db
from app.errors import Unavailable
from app.services import media


@pytest.fixture
def desk(client: ShopClient) -> ShopClient:
    return client.as_(factories.user("sam", role="staff"))


@pytest.fixture
def folder(shop: Flask) -> Path:
    path = Path(shop.config["SHOP"].var) / "uploads" / media.FOLDER
    for file in path.glob("*"):
        file.unlink()
    return path


def send(desk: ShopClient, thing: Thing, content: bytes, alt: str = "", kind: str = "image/png") -> TestResponse:
    return desk.post(f"/api/v1/products/{thing.id}/images", query_string={"alt": alt}, data=content, content_type=kind)


def sent(desk: ShopClient, thing: Thing, content: bytes | None = None, alt: str = "") -> dict[str, Any]:
    answer = send(desk, thing, content or picture(), alt)
    assert answer.status_code == 201, answer.json
    return dict(answer.json)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


def shown(desk: ShopClient, address: str) -> Image.Image:
    served = desk.get(address)
    assert (served.status_code, served.mimetype, served.headers["X-Content-Type-Options"]) == (200, "image/webp", "nosniff")
    return Image.open(io.BytesIO(served.data))


def images(desk: ShopClient, thing: Thing) -> list[dict[str, Any]]:
    return list(desk.get(f"/api/v1/admin/products/{thing.id}").json["images"])


# ---------------------------------------------------------------- what becomes of a picture


@pytest.mark.parametrize(
    ("size", "widths", "largest"),
    [
        ((3000, 2000), [400, 800, 1600], (1600, 1067)),
        ((1000, 1000), [400, 800, 1000], (1000, 1000)),
        ((800, 600), [400, 800], (800, 600)),
        ((300, 900), [300], (300, 900)),
        ((1, 1), [1], (1, 1)),
        ((600, 20_000), [123], (123, 4096)),
    ],
    ids=str,
)
def test_a_picture_is_kept_in_three_widths_and_never_enlarged(
    desk: ShopClient, mug: Thing, folder: Path, size: tuple[int, int], widths: list[int], largest: tuple[int, int]
) -> None:
    made = sent(desk, mug, picture("JPEG", size), "A mug")
    assert (made["alt"], made["width"], made["height"], made["position"]) == ("A mug", *largest, 1)
    stem = made["src"].removesuffix(f"-{largest[0]}.webp")
    assert re.fullmatch(r"/media/products/[0-9a-f]{32}", stem)
    assert made["srcset"] == ", ".join(f"{stem}-{width}.webp {width}w" for width in widths)
    assert [shown(desk, f"{stem}-{width}.webp").width for width in widths] == widths
    assert shown(desk, made["src"]).size == largest
    assert len(files(folder)) == len(widths)


def test_shoppers_get_the_widths_wherever_the_picture_stands(desk: ShopClient, mug: Thing, folder: Path) -> None:
    made = sent(desk, mug, alt="A mug")
    expected = {name: made[name] for name in ("src", "srcset", "alt", "width", "height")}
    detail = desk.get(f"/api/v1/products/{mug.slug}").json
    assert detail["image"] == expected and detail["images"] == [expected]
    assert desk.get("/api/v1/products").json["items"][0]["image"] == expected
    desk.add(mug.variant)
    assert desk.get("/api/v1/cart").json["items"][0]["image"] == expected


def test_a_photograph_is_turned_as_the_camera_was_held(desk: ShopClient, mug: Thing) -> None:
    exif = Image.Exif()
    exif[media.ORIENTATION] = 6
    exif[0x010F] = "Camera of Alice"
    made = sent(desk, mug, picture("JPEG", (4000, 2000), exif=exif, icc_profile=b"profile of Alice"))
    assert (made["width"], made["height"]) == (1600, 3200)
    assert not [word for word in (b"Alice", b"EXIF", b"ICCP") if word in desk.get(made["src"]).data]


def test_what_is_transparent_stays_so(desk: ShopClient, mug: Thing) -> None:
    seen = shown(desk, sent(desk, mug, picture(mode="RGBA", colour=(0, 0, 0, 0)))["src"])
    assert seen.convert("RGBA").getpixel((9, 9))[3] == 0  # type: ignore[index]


def test_a_picture_of_any_colours_comes_out_as_it_looked(desk: ShopClient, mug: Thing) -> None:
    palette = Image.new("P", (50, 50), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    content = io.BytesIO()
    palette.save(content, "PNG", transparency=1)
    assert shown(desk, sent(desk, mug, content.getvalue())["src"]).convert("RGBA").getpixel((9, 9))[3] == 0  # type: ignore[index]
    grey = shown(desk, sent(desk, mug, picture(mode="I;16", colour=0x8000))["src"]).convert("L").getpixel((9, 9))
    assert 120 <= grey <= 136  # type: ignore[operator]
    ink = shown(desk, sent(desk, mug, picture("JPEG", mode="CMYK", colour=(0, 255, 255, 0)))["src"]).convert("RGB").getpixel((9, 9))
    assert ink[0] > 180 and max(ink[1:]) < 90  # type: ignore[index, arg-type]


def test_a_form_with_one_file_will_do(desk: ShopClient, mug: Thing, folder: Path) -> None:
    path = f"/api/v1/products/{mug.id}/images"
    form = {"image": (io.BytesIO(picture()), "../../evil.php")}
    assert desk.post(path, data=form, content_type="multipart/form-data").status_code == 201
    assert desk.post(path, data={"image": "text"}, content_type="multipart/form-data").status_code == 422
    assert desk.post(path, json={"image": "x"}).status_code == 415
    assert all(re.fullmatch(r"[0-9a-f]{32}-300\.webp", name) for name in files(folder))


# ---------------------------------------------------------------- what is not taken


@pytest.mark.parametrize("content", [HTML, SVG, GIF, b"", b"\xff\xd8", b"%PDF-1.7", b"PK\x03\x04"], ids=lambda one: repr(one[:12]))
def test_what_is_no_picture_is_415_whatever_it_calls_itself(desk: ShopClient, mug: Thing, folder: Path, content: bytes) -> None:
    assert send(desk, mug, content, kind="image/jpeg").status_code == 415
    assert files(folder) == []


@pytest.mark.parametrize(
    "content",
    [
        picture("JPEG") + HTML,
        picture("JPEG", comment=b"<script>alert(1)</script>"),
        picture("JPEG") + b"PK\x03\x04" + bytes(40) + ZIP_END,
        picture("PNG") + b"trailing",
        picture("WEBP") + b"<?php system($_GET['c']); ?>",
        picture()[:100],
        picture("JPEG")[:300],
        picture()[:33] + chunk(b"IDAT", b"no data"),
    ],
    ids=range(8),
)
def test_a_file_that_is_more_or_less_than_a_picture_is_422(desk: ShopClient, mug: Thing, folder: Path, content: bytes) -> None:
    answer = send(desk, mug, content)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["image"])
    assert files(folder) == [] and images(desk, mug) == []


def test_more_than_five_megabytes_are_413_and_too_many_pixels_422_unread(desk: ShopClient, mug: Thing, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [send(desk, mug, picture("JPEG").ljust(media.MOST_BYTES + more, b"\0")).status_code for more in (1, 2**20, 2**22)] == [413] * 3
    monkeypatch.setattr(media, "in_colour", lambda _: pytest.fail("it was decoded"))
    answer = send(desk, mug, png(20_000, 20_000))
    assert (answer.status_code, answer.json["errors"]) == (422, {"image": ["This picture has too many pixels: at most 25 million."]})
    assert files(folder) == []


def test_a_picture_of_25_megapixels_is_taken(desk: ShopClient, mug: Thing) -> None:
    assert sent(desk, mug, png(5_000, 5_000))["width"] == 1600


def test_only_staff_touch_pictures_and_only_of_what_is_there(client: ShopClient, desk: ShopClient, mug: Thing, alice: factories.User, folder: Path) -> None:
    assert send(desk, Thing(999, "", "", []), picture()).status_code == 404
    assert [desk.delete("/api/v1/images/999").status_code, desk.patch("/api/v1/images/999", json={"alt": ""}).status_code] == [404, 404]
    made = sent(desk, mug)
    client.as_(alice)
    path = f"/api/v1/images/{made['id']}"
    assert [send(client, mug, picture()).status_code, client.delete(path).status_code, client.patch(path, json={"alt": "x"}).status_code] == [403] * 3
    assert len(files(folder)) == 1


def test_a_product_has_thirty_pictures_at_most_also_when_they_come_at_once(desk: ShopClient, mug: Thing, folder: Path) -> None:
    for _ in range(28):
        sent(desk, mug, picture(size=(2, 2)))
    answers = at_once(5, lambda _: send(desk, mug, picture(size=(2, 2))).status_code)
    assert sorted(answers) == [201, 201, 422, 422, 422]
    assert [one["position"] for one in images(desk, mug)] == list(range(1, 31))
    assert len(files(folder)) == 30


# ---------------------------------------------------------------- order, words, taking away


def test_pictures_have_an_order_and_the_first_is_the_products_face(desk: ShopClient, mug: Thing) -> None:
    first, second, third = (sent(desk, mug, alt=name)["id"] for name in ("one", "two", "three"))
    path = f"/api/v1/products/{mug.id}/images"
    answer = desk.put(path, json={"order": [third, first, second]})
    assert [(one["id"], one["position"]) for one in answer.json["items"]] == [(third, 1), (first, 2), (second, 3)]
    assert desk.get(f"/api/v1/products/{mug.slug}").json["image"]["alt"] == "three"
    for wrong in ([first, second], [first, first, second], [first, second, 999], [first, second, third, third]):
        assert desk.put(path, json={"order": wrong}).json["errors"].keys() == {"order"}
    assert desk.put("/api/v1/products/999/images", json={"order": []}).status_code == 404


def test_words_for_a_picture_can_be_changed(desk: ShopClient, mug: Thing) -> None:
    made = sent(desk, mug)
    path = f"/api/v1/images/{made['id']}"
    assert desk.patch(path, json={"alt": 'A "blue" <mug>'}).json == made | {"alt": 'A "blue" <mug>'}
    assert images(desk, mug)[0]["alt"] == 'A "blue" <mug>'
    assert desk.patch(path, json={"alt": "x" * 251}).status_code == 422


def test_a_picture_goes_with_its_files_and_from_its_variant(desk: ShopClient, mug: Thing, folder: Path) -> None:
    made, kept = sent(desk, mug, picture(size=(1000, 10))), sent(desk, mug)
    variant = f"/api/v1/variants/{mug.variant}"
    assert desk.put(variant, json={"price_minor": 1, "image_id": made["id"]}).json["variants"][0]["image_id"] == made["id"]
    assert desk.put(variant, json={"price_minor": 2}).json["variants"][0]["image_id"] == made["id"]
    path = f"/api/v1/images/{made['id']}"
    assert [desk.delete(path).status_code for _ in range(2)] == [204, 404]
    assert desk.get(f"/api/v1/admin/products/{mug.id}").json["variants"][0]["image_id"] is None
    assert files(folder) == [Path(kept["src"]).name]


def test_a_variant_shows_no_picture_of_another_product(desk: ShopClient, mug: Thing) -> None:
    other = sent(desk, factories.product("Other"))
    answer = desk.put(f"/api/v1/variants/{mug.variant}", json={"price_minor": 1, "image_id": other["id"]})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["image_id"])


def test_drawings_that_several_share_stay(desk: ShopClient, shop: Flask) -> None:
    drawing = Path(shop.config["SHOP"].var) / "uploads" / "demo" / "shared.svg"
    drawing.parent.mkdir(parents=True, exist_ok=True)
    drawing.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    thing = factories.product(images=[("demo/shared.svg", "", 8, 8)])
    (image,) = images(desk, thing)
    assert "srcset" not in image
    assert desk.delete(f"/api/v1/images/{image['id']}").status_code == 204
    assert drawing.exists()


# ---------------------------------------------------------------- pictures of categories


def test_a_category_has_a_picture_by_the_same_rules(desk: ShopClient, client: ShopClient, folder: Path) -> None:
    path = f"/api/v1/categories/{factories.category('Kitchen')}/image"

    def put(content: bytes, alt: str = "") -> TestResponse:
        return desk.put(path, query_string={"alt": alt}, data=content, content_type="image/jpeg")

    def told() -> dict[str, Any] | None:
        return dict(client.get("/api/v1/categories").json["items"][0])["image"]

    assert (told(), put(SVG).status_code, put(picture() + HTML).status_code, put(picture()[:100]).status_code) == (None, 415, 422, 422)
    first = put(picture(size=(900, 600))).json["image"]
    assert (first["alt"], first["width"], first["height"], first["srcset"].count(".webp")) == ("Kitchen", 900, 600, 3) and told() == first
    second = put(picture(size=(500, 500)), "Pots on a shelf").json
    assert told() == second["image"] and second["image"]["alt"] == second["image_alt"] == "Pots on a shelf"
    assert shown(desk, second["image"]["src"]).size == (500, 500)
    assert len(files(folder)) == 2  # those of the first are gone
    for file in folder.iterdir():
        os.utime(file, (0, 0))
    assert media.delete_orphans(folder.parent) == 0
    assert [desk.delete(path).status_code for _ in range(2)] == [204, 204]
    assert (told(), files(folder), desk.put("/api/v1/categories/999/image", data=picture()).status_code) == (None, [], 404)


# ---------------------------------------------------------------- files


def test_a_full_disk_is_said_and_leaves_no_file(desk: ShopClient, mug: Thing, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0

    def full(_: int) -> None:
        nonlocal written
        written += 1
        if written == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert send(desk, mug, picture(size=(2000, 10))).status_code == 503
    assert files(folder) == [] and images(desk, mug) == []


def test_a_picture_that_could_not_be_noted_leaves_no_file(mug: Thing, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise Unavailable()

    monkeypatch.setattr(db, "transaction", fails)
    with pytest.raises(Unavailable):
        media.add(mug.id, picture(), "", folder.parent, actor_id=1)
    assert files(folder) == []


def test_what_a_killed_process_left_behind_is_swept_up(desk: ShopClient, mug: Thing, folder: Path) -> None:
    kept = sent(desk, mug, picture(size=(1000, 10)))
    owned = files(folder)
    left = [f"{'a' * 32}-400.webp", f"{'b' * 32}-400.part"]
    young = f"{'c' * 32}-400.webp"
    for name in (*left, young):
        (folder / name).write_bytes(b"x")
    long_ago = time.time() - 2 * media.ORPHAN_SECONDS
    for name in (*owned, *left):
        os.utime(folder / name, (long_ago, long_ago))
    assert media.delete_orphans(folder.parent) == 2
    assert files(folder) == sorted([*owned, young]) and len(owned) == 3
    assert rows("SELECT path FROM images") == [(kept["src"].removeprefix("/media/"),)]
