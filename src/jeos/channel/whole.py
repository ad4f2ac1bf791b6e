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
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jeos.channel import layout
from jeos.channel.backend import Backend
from jeos.channel.built import Built
from jeos.core import log
from jeos.core.errors import InputError
from jeos.core.run import run

PRESET = 6  # 9 gains two percent of a system, for twice the time
PIECE = 1 << 20
_LINE = re.compile(r"([0-9a-f]{64}) [ *](\S+)")


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole image: the name of its file in the channel, and where its bytes are in a file of the build."""

    name: str
    source: Path
    offset: int
    length: int


def names(name: str, version: str, *, root_hash: str) -> tuple[str, str, str]:
    """Return the file names of a release's system, hashes and kernel image.

    The partitions' UUIDs are the halves of the root hash (discoverable partitions specification).
    """
    stem = f"{name}_{version}"
    system, hashes = uuid.UUID(root_hash[:32]), uuid.UUID(root_hash[-32:])
    return f"{stem}_{system}.root.xz", f"{stem}_{hashes}.root-verity.xz", f"{stem}.efi"


def parts(built: Built) -> tuple[Whole, Whole, Whole]:
    """Return the whole images of a build: its system, hashes and kernel image."""
    image = built.image
    own = names(image.name, image.version, root_hash=image.root_hash)
    return (
        Whole(own[0], built.disk, built.system.start, built.system.size),
        Whole(own[1], built.disk, built.hashes.start, built.hashes.size),
        Whole(own[2], built.kernel, 0, built.kernel.stat().st_size),
    )


def put(backend: Backend, built: Built, *, work: Path) -> None:
    """Write a build's whole images into a channel, those that are not there yet; `work` is for temporary files."""
    with log.step("images") as step:
        size = 0
        for whole in parts(built):
            step.update(whole.name)
            found = backend.stat(whole.name)
            if found is None:
                _put_new(backend, whole, step=step, work=work)
                found = backend.stat(whole.name)
            elif whole.name.endswith(".efi") and _digest(backend, whole.name) != _file_digest(whole.source):
                raise InputError(
                    f"{backend.place} has another {whole.name}, of a publishing that was cut off",
                    hint="publish under a new version",
                )
            size += found.size if found else 0
        step.done(f"{size >> 20} MiB")


def _put_new(backend: Backend, whole: Whole, *, step: log.Step, work: Path) -> None:
    if not whole.name.endswith(".xz"):
        backend.put_new(whole.name, whole.source)
        return
    with tempfile.NamedTemporaryFile(dir=work) as file:
        for number, piece in enumerate(_packed(whole)):
            step.update(f"{whole.name}, {min(100, number * PIECE * 100 // max(1, whole.length))} %")
            file.write(piece)
        file.flush()
        backend.put_new(whole.name, Path(file.name))


def _packed(whole: Whole) -> Iterator[bytes]:
    """Yield an image as xz, in pieces."""
    packer = lzma.LZMACompressor(preset=PRESET)
    left = whole.length
    with whole.source.open("rb") as file:
        file.seek(whole.offset)
        while left:
            piece = file.read(min(left, PIECE))
            if not piece:
                raise InputError(f"{whole.source} ends {left} bytes before {whole.name} is complete")
            left -= len(piece)
            yield packer.compress(piece)
    yield packer.flush()


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


def update_sums(
    backend: Backend, *, offered: Iterable[str], gpg_key: str, proved: Mapping[str, str] | None = None
) -> None:
    """Let SHA256SUMS list those of the files `offered` to everybody that are there, and sign it.

    `gpg_key` is what gpg calls a key, or "". `proved` are digests that do not come from the list as it is stored, which
    somebody may have changed: those of kernel images; the other files are proved by the root hash in these.
    Raises InputError if the list was signed and there is no key now: readers would refuse the new one.
    """
    before = stored_sums(backend)
    known = before or {}
    sure = proved or {}
    sums = {name: sure.get(name) or known.get(name) or _digest(backend, name) for name in offered if backend.stat(name)}
    signed = backend.stat(layout.SUMS_SIGNATURE) is not None
    if sums == before and (signed or not gpg_key):
        return
    if signed and not gpg_key:
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


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sign(data: bytes, *, key: str) -> bytes:
    """Return gpg's detached signature over data. Raises ProcessError if gpg has no such key, or cannot use it."""
    return run(["gpg", "--batch", "--local-user", key, "--detach-sign", "--output", "-"], stdin=data).stdout
