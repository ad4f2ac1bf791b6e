"""Which files members may attach besides pictures, and what they are called: decided from values alone.

A file's ending must be on the site's list, and where files of its kind begin in a way of their own, it must begin so.
It is sent as a download whatever it is; nothing here decides what a browser may show.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LONGEST = 100  # characters of a name
OCTETS = "application/octet-stream"  # also for kinds that a browser would run, as HTML and SVG
TEXT = "text/plain; charset=utf-8"
PICTURES = ("jpg", "jpeg", "png", "webp", "gif")
MEDIA = {
    **dict.fromkeys(("csv", "diff", "log", "patch", "toml", "txt", "yaml", "yml", "json", "md"), TEXT),
    "pdf": "application/pdf",
    "zip": "application/zip",
    "gz": "application/gzip",
    "xz": "application/x-xz",
    "zst": "application/zstd",
}
BEGINNINGS = {
    "pdf": (b"%PDF-",),
    "zip": (b"PK\x03\x04", b"PK\x05\x06"),
    "gz": (b"\x1f\x8b",),
    "xz": (b"\xfd7zXZ\x00",),
    "zst": (b"\x28\xb5\x2f\xfd",),
}
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # categories of characters that a name does not show


class BadFile(Exception):  # noqa: N818 - named for what a page says
    """A file that is not taken; `why` is "empty", "large", "kind", "content", "picture" or "pixels"."""

    def __init__(self, why: str, name: str = "") -> None:
        super().__init__(f"{name}: {why}")
        self.why = why
        self.name = name


def clean_name(given: str) -> str:
    """Return a name for a file from what a browser or a mail says it is called: no folder, nothing that is not seen."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", given.encode(errors="replace").decode()))[-1]
    seen = "".join(letter for letter in last if unicodedata.category(letter) not in _UNSEEN)
    words = " ".join(re.sub(r'[<>:"|?*]', " ", seen).split()).strip(". ")
    stem, dot, ending = words.rpartition(".")
    if not dot or len(ending) > 10:
        return words[:LONGEST] or "file"
    return f"{stem[: LONGEST - len(ending) - 1].strip('. ') or 'file'}.{ending}"


def ending_of(name: str) -> str:
    """Return the ending of a name, in small letters and without its dot; empty for none."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def media_of(name: str, data: bytes, *, allowed: Sequence[str]) -> str:
    """Return the media type with which a file that is no picture is sent. Raises BadFile if it is not taken."""
    ending = ending_of(name)
    if ending not in allowed:
        raise BadFile("picture" if ending in PICTURES else "kind", name)
    media = MEDIA.get(ending, OCTETS)
    beginnings = BEGINNINGS.get(ending)
    if beginnings is not None and not data.startswith(beginnings):
        raise BadFile("content", name)
    if media == TEXT and not _is_text(data):
        raise BadFile("content", name)
    return media


def _is_text(data: bytes) -> bool:
    """Tell whether bytes are a text in UTF-8 without what no text has."""
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False
