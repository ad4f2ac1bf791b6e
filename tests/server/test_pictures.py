"""Pictures of members: only the picture is kept, and what is no picture, or costs too much, is refused."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import upload_files
from jeos.server import pictures


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def near(pixel: object, colour: tuple[int, ...]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(have - want) < 24 for have, want in zip(pixel, colour, strict=False))


def test_photograph_keeps_nothing_but_its_picture_and_stands_upright() -> None:
    data = upload_files.photograph()
    assert b"Handmade" in data
    assert b"home" in data
    made = pictures.make(data)
    kept = opened(made.whole)
    assert (kept.format, kept.size, made.width, made.height) == ("WEBP", (400, 640), 400, 640)
    assert (dict(kept.getexif()), [key for key in kept.info if key in ("exif", "icc_profile", "xmp", "comment")]) == (
        {},
        [],
    )
    for word in (b"EXIF", b"ICCP", b"XMP ", b"Handmade", b"home", b"taken"):
        assert word not in made.whole + made.small
    assert near(kept.convert("RGB").getpixel((200, 20)), (30, 30, 200))  # what was left is above, turned by a quarter
    assert near(kept.convert("RGB").getpixel((200, 620)), (200, 30, 30))


@pytest.mark.parametrize(
    ("size", "whole", "small"),
    [((60, 40), (60, 40), (60, 40)), ((3200, 1000), (1600, 500), (320, 100)), ((500, 2000), (400, 1600), (80, 320))],
)
def test_large_picture_is_made_small_and_a_small_one_is_not_made_large(
    size: tuple[int, int], whole: tuple[int, int], small: tuple[int, int]
) -> None:
    made = pictures.make(upload_files.drawing(*size))
    assert (opened(made.whole).size, opened(made.small).size) == (whole, small)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_a_drawing_is_taken(mode: str) -> None:
    assert opened(pictures.make(upload_files.drawing(mode=mode)).whole).size == (60, 40)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_every_kind_becomes_webp(kind: str) -> None:
    made = pictures.make(upload_files.drawing(mode="RGB", kind=kind))
    assert opened(made.whole).format == "WEBP"


def test_what_lets_something_through_still_does() -> None:
    assert opened(pictures.make(upload_files.drawing()).whole).convert("RGBA").getpixel((1, 1)) == (0, 0, 0, 0)


def test_face_is_a_square() -> None:
    made = pictures.make(upload_files.photograph(900, 300), shape="face")
    assert opened(made.whole).size == (pictures.FACE, pictures.FACE)


def test_what_stands_behind_a_picture_is_not_kept() -> None:
    tail = b"<script>alert(1)</script>PK\x03\x04" + b"<?php evil ?>"
    made = pictures.make(upload_files.photograph() + tail)
    assert b"script" not in made.whole
    assert b"php" not in made.whole


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "kind"),
        (b"GIF89a", "kind"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "kind"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "broken"),
        (upload_files.bomb(), "pixels"),
        (upload_files.photograph()[:900], "broken"),
        (upload_files.many_scans(), "broken"),
    ],
    ids=["nothing", "a beginning", "svg", "no chunks", "bomb", "cut", "scans"],
)
def test_what_is_no_picture_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(pictures.BadPicture) as bad:
        pictures.make(data)
    assert bad.value.why in (why, "kind" if why == "broken" else why)


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.binary(max_size=60), st.integers(0, 600), st.integers(0, 255))
def test_damaged_picture_is_made_or_refused(junk: bytes, place: int, value: int) -> None:
    whole = bytearray(upload_files.drawing(mode="RGB", kind="JPEG"))
    whole[place % len(whole)] = value
    try:
        made = pictures.make(bytes(whole) + junk)
    except pictures.BadPicture:
        return
    assert opened(made.whole).format == "WEBP"
