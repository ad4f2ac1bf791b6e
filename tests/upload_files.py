"""Files as members upload them, honest and hostile, made for tests of the server."""

import io
import struct
import zlib

from PIL import Image, ImageCms, PngImagePlugin

MAKER, ORIENTATION, GPS = 271, 274, 0x8825  # tags of Exif 2.3


def photograph(width: int = 640, height: int = 400, *, orientation: int = 6) -> bytes:
    """Return a JPEG as a telephone makes it: turned on its side, with its maker, its place and a comment."""
    image = Image.new("RGB", (width, height), (200, 30, 30))
    image.paste((30, 30, 200), (0, 0, width // 2, height))  # blue is left as it is stored
    exif = Image.Exif()
    exif[MAKER], exif[ORIENTATION] = "Handmade Cameras", orientation
    exif.get_ifd(GPS).update({1: "N", 2: (52.0, 31.0, 12.5), 3: "E", 4: (13.0, 24.0, 17.8)})
    file = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(
        file, "JPEG", exif=exif, icc_profile=profile, comment=b"taken at home", xmp=b"<x:xmpmeta>home</x:xmpmeta>"
    )
    return file.getvalue()


def drawing(width: int = 60, height: int = 40, *, mode: str = "RGBA", kind: str = "PNG") -> bytes:
    """Return a small drawing with a text in it that is no picture."""
    image = Image.new(mode, (width, height))
    file = io.BytesIO()
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "<script>alert(1)</script>")
    image.save(file, kind, **({"pnginfo": notes} if kind == "PNG" else {}))
    return file.getvalue()


def bomb(side: int = 50_000) -> bytes:
    """Return a PNG of some kilobytes that claims to be `side` pixels wide and high."""
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def many_scans() -> bytes:
    """Return what begins as a JPEG and has more scans than any encoder writes."""
    made = photograph(64, 64)
    return made[:-2] + b"\xff\xda\x00\x02" * 5_000 + made[-2:]
