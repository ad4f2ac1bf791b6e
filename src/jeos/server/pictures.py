"""Pictures that members upload: decoded within bounds, turned upright, made small, and written anew as WebP.

    made = make(data, shape="picture")     # made.whole, made.small, made.width, made.height

Decoders are large and what they read was made by strangers. So a process of its own decodes each picture, with bounds
on its memory and its time that the kernel holds, and it passes on pixels and nothing else: where a picture was taken,
with what, and whatever a file held beside or behind its picture stays out, since the new file never had it.
"""

import io
import json
import resource
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jeos.core import run
from jeos.core.errors import ProcessError

if TYPE_CHECKING:
    from PIL import Image

KINDS = ("JPEG", "PNG", "WEBP", "GIF")  # what is decoded; of moving pictures, the first
PIXELS = 40_000_000  # of a picture as it came: a camera's; decoded it takes 160 MB
SIDE = 1_600  # pixels: the longer side of what is kept
SMALL = 320  # pixels: the longer side of the small one, for lists
FACE = 192  # pixels: the side of a member's picture, shown at a quarter of that on sharp screens
SCANS = 64  # of a JPEG; usual encoders make 10, and each costs a pass over all of its pixels
CPU_SECONDS = 20
WALL_SECONDS = 60
MEMORY = 1 << 30  # bytes of addresses
AT_ONCE = 2  # pictures that one process of the server has decoded at the same time
LOSSLESS_FOR = 1.25  # times the size of a lossy one: what exact letters and lines in a drawing may cost
REFUSED = 3  # the status of the decoding process for what it will not decode; it prints why

_turns = threading.BoundedSemaphore(AT_ONCE)


class BadPicture(Exception):  # noqa: N818 - named for what a page says
    """Something is no picture that is taken; `why` is "kind", "pixels" or "broken"."""

    def __init__(self, why: str) -> None:
        super().__init__(f"no picture: {why}")
        self.why = why


@dataclass(frozen=True)
class Made:
    """A picture as it is kept: WebP, its size in pixels, and a small one."""

    whole: bytes
    small: bytes
    width: int
    height: int


def looks_like_one(data: bytes) -> bool:
    """Tell whether a file begins as one of the pictures that are decoded."""
    return data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")) or (
        data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    )


def make(data: bytes, *, shape: str = "picture") -> Made:
    """Return what is kept of a picture: all of it, or a square from its middle for the shape "face".

    Raises BadPicture.
    """
    if not looks_like_one(data):
        raise BadPicture("kind")
    command = [sys.executable, "-I", "-X", "utf8", "-m", "jeos.server.pictures", shape]
    with _turns:
        try:
            done = run.run(command, stdin=data, env={}, check=False, timeout=WALL_SECONDS)
        except (ProcessError, BrokenPipeError):
            raise BadPicture("broken") from None
    if done.status == REFUSED:
        raise BadPicture(done.stdout.decode("ascii", errors="replace"))
    head, _, rest = done.stdout.partition(b"\n")
    if done.status != 0 or not head:
        raise BadPicture("broken")
    said = json.loads(head)
    return Made(
        whole=rest[: said["whole"]], small=rest[said["whole"] :], width=int(said["width"]), height=int(said["height"])
    )


def _decode(data: bytes) -> "tuple[Image.Image, bool]":
    """Return the upright picture in a file, in sRGB and at most `SIDE` long, and whether it was drawn, not taken."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # the bound is ours, and comes before anything is decoded
    opened = Image.open(io.BytesIO(data), formats=KINDS)
    if opened.width * opened.height > PIXELS:
        raise BadPicture("pixels")
    drawn = opened.format in ("PNG", "GIF")
    profile = opened.info.get("icc_profile")
    if opened.format == "JPEG":
        if data.count(b"\xff\xda") > SCANS:
            raise BadPicture("broken")
        opened.draft(None, (SIDE, SIDE))  # decodes a large one at a half or less, never below this
    upright = ImageOps.exif_transpose(opened)
    plain = _in_rgb(upright)
    plain.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return _in_srgb(plain, profile), drawn


def _in_rgb(image: "Image.Image") -> "Image.Image":
    """Return a picture with three channels of 8 bits, and a fourth if it lets something through."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return image.convert("F").point(lambda value: value / 256).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGB")


def _in_srgb(image: "Image.Image", profile: object) -> "Image.Image":
    """Return a picture in the colours that a page has; one whose profile is of no use keeps its numbers."""
    from PIL import ImageCms

    if not isinstance(profile, bytes) or not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        made = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=image.mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return made or image


def _encode(image: "Image.Image", *, drawn: bool) -> bytes:
    """Return a picture as WebP, exact where that costs little; of what stood beside it, nothing."""
    bare = image.copy()
    bare.info.clear()
    lossy = io.BytesIO()
    bare.save(lossy, "WEBP", quality=84, method=4)
    if not drawn:
        return lossy.getvalue()
    exact = io.BytesIO()
    bare.save(exact, "WEBP", lossless=True, quality=40, method=2)
    return min((exact, lossy), key=lambda file: file.tell() / (LOSSLESS_FOR if file is exact else 1)).getvalue()


def _work(data: bytes, shape: str) -> bytes:
    """Return what the decoding process prints: a line that says what follows, the picture, the small one."""
    from PIL import Image, ImageOps

    image, drawn = _decode(data)
    if shape == "face":
        image = ImageOps.fit(image, (FACE, FACE), Image.Resampling.LANCZOS)
    small = image.copy()
    small.thumbnail((SMALL, SMALL), Image.Resampling.LANCZOS)
    whole = _encode(image, drawn=drawn)
    head = json.dumps({"whole": len(whole), "width": image.width, "height": image.height})
    return head.encode() + b"\n" + whole + _encode(small, drawn=False)


def _main(shape: str) -> int:
    """Decode what comes on standard input within bounds; return the status to end with."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from PIL import UnidentifiedImageError

    try:
        sys.stdout.buffer.write(_work(sys.stdin.buffer.read(), shape))
        return 0
    except BadPicture as bad:
        why = bad.why
    except UnidentifiedImageError:
        why = "kind"
    except Exception:  # whatever a decoder does not understand, in its many ways to say so
        why = "broken"
    sys.stdout.write(why)
    return REFUSED


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
