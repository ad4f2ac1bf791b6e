"""Whole images beside the releases, for systemd-sysupdate: one file per partition, a list of digests, a signature.

    NAME_VERSION_UUID.root.xz            the system's EROFS; UUID is what the partition has to get
    NAME_VERSION_UUID.root-verity.xz     its dm-verity hashes
    NAME_VERSION.efi                     the unified kernel image, which is packed inside
    SHA256SUMS, SHA256SUMS.gpg           what sysupdate trusts; only what everybody may have is listed

xz because systemd-pull reads nothing tighter before version 257. Sources: sysupdate.d(5), systemd-sysupdate(8), and for
the list the format of sha256sum(1).
"""

import hashlib
import lzma
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from jeos.channel import layout
from jeos.channel.backend import Backend
from jeos.core.errors import InputError
from jeos.core.run import run

PRESET = 6  # 9 gains two percent of a system, for twice the time
PIECE = 1 << 20
_LINE = re.compile(r"([0-9a-f]{64}) [ *](\S+)")
_FILE = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)_(?P<version>[^_/]+?)(?:_[0-9a-f-]{36}\.root(?:-verity)?\.xz|\.efi)")


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole image: the name of its file in the channel, and where its bytes are in a file of the build."""

    name: str
    source: Path
    offset: int
    length: int


def names(name: str, version: str, *, system_uuid: str, hashes_uuid: str) -> tuple[str, str, str]:
    """Return the file names of a release's system, hashes and kernel image."""
    stem = f"{name}_{version}"
    return f"{stem}_{system_uuid}.root.xz", f"{stem}_{hashes_uuid}.root-verity.xz", f"{stem}.efi"


def release_of(file: str) -> tuple[str, str] | None:
    """Return the name and version of the release that a whole image belongs to, or None if a file is none."""
    match = _FILE.fullmatch(file)
    return (match["name"], match["version"]) if match else None


def write(whole: Whole, out: BinaryIO) -> str:
    """Write an image as its name says, and return the SHA-256 of what was written."""
    digest = hashlib.sha256()
    for piece in _packed(whole) if whole.name.endswith(".xz") else _pieces(whole):
        out.write(piece)
        digest.update(piece)
    return digest.hexdigest()


def _packed(whole: Whole) -> Iterator[bytes]:
    packer = lzma.LZMACompressor(preset=PRESET)
    for piece in _pieces(whole):
        yield packer.compress(piece)
    yield packer.flush()


def _pieces(whole: Whole) -> Iterator[bytes]:
    left = whole.length
    with whole.source.open("rb") as file:
        file.seek(whole.offset)
        while left:
            piece = file.read(min(left, PIECE))
            if not piece:
                raise InputError(f"{whole.source} ends {left} bytes before {whole.name} is complete")
            left -= len(piece)
            yield piece


def read_sums(text: str) -> dict[str, str]:
    """Return the digests of a SHA256SUMS by file. Raises InputError for a line that is none of sha256sum's."""
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise InputError(f"{layout.SUMS}, line {number}: {line[:80]!r} is not a digest and a name")
        found[match[2]] = match[1]
    return found


def dump_sums(sums: Mapping[str, str]) -> str:
    """Return a SHA256SUMS."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


def stored_sums(backend: Backend) -> dict[str, str] | None:
    """Return what the channel's SHA256SUMS lists, or None if it has none."""
    if backend.stat(layout.SUMS) is None:
        return None
    return read_sums(backend.get(layout.SUMS).decode(errors="replace"))


def update_sums(backend: Backend, *, offered: Iterable[tuple[str, str]], gpg_key: str) -> None:
    """Let SHA256SUMS list the whole images of the releases (name, version) that are offered to everybody, and sign it.

    `gpg_key` is what gpg calls a key, or "". Raises InputError if the list was signed and there is no key now: readers
    would refuse the new one.
    """
    wanted = set(offered)
    before = stored_sums(backend) or {}
    files = sorted(found.name for found in backend.list() if release_of(found.name) in wanted)
    sums = {name: before.get(name) or _digest(backend, name) for name in files}
    if sums == before and (backend.stat(layout.SUMS_SIGNATURE) is not None) == bool(gpg_key):
        return
    if not gpg_key and backend.stat(layout.SUMS_SIGNATURE) is not None:
        raise InputError(
            f"{layout.SUMS} of {backend.place} is signed and has to change", hint="give the key again: --gpg-key KEY"
        )
    text = dump_sums(sums).encode()
    signature = sign(text, key=gpg_key) if gpg_key else b""
    backend.put(layout.SUMS, text)
    if signature:
        backend.put(layout.SUMS_SIGNATURE, signature)


def _digest(backend: Backend, name: str) -> str:
    digest, offset = hashlib.sha256(), 0
    while piece := backend.get(name, offset=offset, limit=8 * PIECE):
        digest.update(piece)
        offset += len(piece)
    return digest.hexdigest()


def sign(data: bytes, *, key: str) -> bytes:
    """Return gpg's detached signature over data. Raises ProcessError if gpg has no such key, or cannot use it."""
    return run(["gpg", "--batch", "--local-user", key, "--detach-sign", "--output", "-"], stdin=data).stdout
