"""The manifest of an OVF package: a digest of each file, one a line (DSP0243, 5.3).

SHA256(web.ovf)= 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

import re
from dataclasses import dataclass

from jeos.core.errors import InputError

LINE = re.compile(r"SHA-?(1|256|384|512)\s*\(\s*(.{1,1024}?)\s*\)\s*=\s*([0-9A-Fa-f]+)\s*")
LENGTHS = {"sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}  # hexadecimal digits
LARGEST = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Digest:
    """What a file's bytes must come to: `algorithm` is hashlib's name, `value` in small hexadecimal digits."""

    name: str
    algorithm: str
    value: str


def parse(text: bytes, *, source: str) -> tuple[Digest, ...]:
    """Return the digests of a manifest. Raises InputError, naming `source`, for a line that is none."""
    if len(text) > LARGEST:
        raise InputError(f"{source} is longer than {LARGEST >> 20} MiB", hint="manifests are a few lines")
    digests: dict[str, Digest] = {}
    for count, line in enumerate(text.decode(errors="surrogateescape").lstrip("\ufeff").splitlines(), start=1):
        if not line.strip():
            continue
        match = LINE.fullmatch(line.strip())
        algorithm = f"sha{match[1]}" if match else ""
        if match is None or len(match[3]) != LENGTHS[algorithm]:
            raise InputError(f"{source}, line {count}: {line[:80]!r} is no digest", hint="the manifest is damaged")
        if match[2] in digests:
            raise InputError(f"{source}, line {count}: {match[2]!r} has two digests", hint="the manifest is damaged")
        digests[match[2]] = Digest(name=match[2], algorithm=algorithm, value=match[3].lower())
    return tuple(digests.values())


def line(digest: Digest) -> str:
    """Return a digest as a line, in the form that openssl prints and all known readers take."""
    return f"{digest.algorithm.upper()}({digest.name})= {digest.value}\n"
