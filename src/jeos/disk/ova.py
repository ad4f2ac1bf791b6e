"""An OVF package: a descriptor, its disks, a manifest and a certificate; in a folder, or in a tar archive (an OVA).

    with open_package(Path("web.ova")) as package:
        package.envelope.systems[0].name
        disk = package.open("web-disk1.vmdk")       # Blocks; nothing is copied out of the archive
        for name, done, size in verify(package): ...

`open` also serves readers of disk formats that look for a disk's other files (extents, parents) beside it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from jeos.core import log
from jeos.core.closing import Closing
from jeos.core.errors import InputError, TrustError
from jeos.disk import ovf_manifest, ovf_read, ovf_xml, tar_members
from jeos.disk.blocks import PIECE, Blocks, File, Window
from jeos.disk.formats.mapped import Span
from jeos.disk.gzip_blocks import Gzip, is_gzip
from jeos.disk.ovf_manifest import Digest
from jeos.model import ovf
from jeos.model.ovf import Envelope

if TYPE_CHECKING:
    from jeos.disk.ovf_certificate import Signer

DESCRIPTOR, MANIFEST, CERTIFICATE = ".ovf", ".mf", ".cert"
MOST_CHUNKS = 100_000  # pieces of one file
TABLES = 64 << 20  # bytes; what a disk format has beside the disk, at the most
USUAL_RATIO = 64  # bytes in a packed file whose size nobody tells, for each byte of it


class Files(Protocol):
    """Files by their names, wherever they are kept."""

    @property
    def source(self) -> str:
        """Return what messages call the package."""
        ...

    def names(self) -> tuple[str, ...]:
        """Return the names of the files beside the descriptor."""
        ...

    def raw(self, name: str) -> Blocks | None:
        """Return a file's bytes as they are kept; None if there is no such file."""
        ...


class Archive:
    """The members of a tar archive, in any order."""

    def __init__(self, blocks: Blocks, *, source: str) -> None:
        """List the members. Raises InputError if the archive is damaged or hostile."""
        self.source = source
        self._blocks = blocks
        self._members = {one.name: one for one in tar_members.members(blocks, source=source)}

    def names(self) -> tuple[str, ...]:
        """Return the members' names in the archive's order."""
        return tuple(self._members)

    def raw(self, name: str) -> Blocks | None:
        """Return a member's bytes."""
        member = self._members.get(name)
        return Window(self._blocks, start=member.start, size=member.size) if member else None


class Folder:
    """The files of a folder; those that were opened are closed with `stack`."""

    def __init__(self, folder: Path, *, stack: ExitStack) -> None:
        self.source = str(folder)
        self._folder, self._stack = folder, stack
        self._opened: dict[str, File] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names of the files in the folder."""
        return tuple(sorted(one.name for one in self._folder.iterdir() if one.is_file()))

    def raw(self, name: str) -> Blocks | None:
        """Return a file's bytes; what a link leads to outside of the folder is not there."""
        path = self._folder / name
        try:
            inside = path.resolve(strict=True).is_relative_to(self._folder.resolve())
        except (OSError, RuntimeError, ValueError):
            return None
        if not inside or not path.is_file():
            return None
        if name not in self._opened:
            self._opened[name] = self._stack.enter_context(File(path))
        return self._opened[name]


class Package(Closing):
    """What an OVF package has; closes its files at the end of a `with` block."""

    def __init__(self, files: Files, *, descriptor: str, stack: ExitStack) -> None:
        """Read the descriptor. Raises InputError."""
        self.files, self.descriptor = files, descriptor
        self._stack = stack
        self._unpacked: dict[str, Gzip] = {}
        content = _small(files, descriptor, largest=ovf_xml.LARGEST)
        self.envelope: Envelope = ovf_read.parse(content, source=f"{descriptor} in {files.source}")

    def open(self, name: str) -> Blocks:
        """Return a file of the package, unpacked if it is gzip. Raises InputError if it is not there."""
        described = next((one for one in self.envelope.files if one.href == name), None)
        blocks = self._chunks(described) if described and described.chunk_size else self._find(name)
        if blocks is None:
            raise InputError(f"{self.files.source} has no file {name[:80]!r}", hint=self._there_are())
        compressed = name.endswith(".gz") or (described is not None and described.compression == "gzip")
        if compressed and is_gzip(blocks):
            if name not in self._unpacked:
                most = self._most(described, packed=blocks.size)
                self._unpacked[name] = Gzip(blocks, name=f"{name} in {self.files.source}", most=most)
            return self._unpacked[name]
        return blocks

    def _most(self, described: ovf.File | None, *, packed: int) -> int:
        """Return how many bytes a packed file may have: its disk's, with tables; of others, what text packs to."""
        sizes = [one.capacity for one in self.envelope.disks if described and one.file == described.id and one.capacity]
        return max(sizes) * 9 // 8 + TABLES if sizes else packed * USUAL_RATIO + TABLES

    def names(self) -> tuple[str, ...]:
        """Return the names of the files in the descriptor's folder, as `open` takes them."""
        folder = self.descriptor.rpartition("/")[0]
        start = len(folder) + 1 if folder else 0
        return tuple(name[start:] for name in self.files.names() if not folder or name.startswith(f"{folder}/"))

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return self._find(name) is not None

    def open_disk(self, disk: ovf.Disk) -> Blocks | None:
        """Return the file that a disk is kept in, in the disk's own format; None for a disk that is empty."""
        if not disk.file:
            return None
        file = self.envelope.file(disk.file)
        if file is None:
            raise InputError(
                f"the disk {disk.id} is in the file {disk.file!r}, which is not described",
                hint="the descriptor is damaged",
            )
        return self.open(file.href)

    def close(self) -> None:
        """Close the files."""
        self._stack.close()

    def _there_are(self) -> str:
        names = self.files.names()
        return f"there are: {', '.join(repr(name[:80])[1:-1] for name in names[:8])}{', …' if names[8:] else ''}"

    def _find(self, name: str) -> Blocks | None:
        """Return a file as it is kept: beside the descriptor, by its name as written or with %20 for a space."""
        folder = self.descriptor.rpartition("/")[0]
        for each in dict.fromkeys((name, unquote(name))):
            ovf_read.check_href(each)
            plain = "/".join(part for part in each.split("/") if part not in ("", "."))
            found = self.files.raw(f"{folder}/{plain}" if folder else plain)
            if found is not None:
                return found
        return None

    def _chunks(self, file: ovf.File) -> Blocks | None:
        """Return a file that is kept in pieces, HREF.000000000 and on (DSP0243, 7.1)."""
        pieces: list[Blocks] = []
        while len(pieces) < MOST_CHUNKS:
            piece = self._find(f"{file.href}.{len(pieces):09d}")
            if piece is None:
                break
            pieces.append(piece)
        return Span([(piece, 0, piece.size) for piece in pieces], label=file.href) if pieces else self._find(file.href)


def is_package(path: Path) -> bool:
    """Tell whether a path is an OVA, a descriptor, or a folder with one descriptor."""
    if path.is_dir():
        return len(list(path.glob("*.ovf"))) == 1
    if path.suffix.lower() in (DESCRIPTOR, ".ova"):
        return path.is_file()
    if not path.is_file():
        return False
    with File(path) as file:
        return tar_members.is_archive(file)


def open_package(path: Path) -> Package:
    """Open an OVA, a descriptor with its files beside it, or a folder with one descriptor. Raises InputError."""
    stack = ExitStack()
    try:
        files = _files(path, stack=stack)
        named = path.suffix.lower() == DESCRIPTOR and not path.is_dir()
        return Package(files, descriptor=path.name if named else _descriptor(files), stack=stack)
    except BaseException:
        stack.close()
        raise


def open_archive(blocks: Blocks, *, source: str) -> Package:
    """Open an OVA in `Blocks` that stay the caller's, and are called `source` in messages. Raises InputError."""
    files = Archive(blocks, source=source)
    return Package(files, descriptor=_descriptor(files), stack=ExitStack())


def _files(path: Path, *, stack: ExitStack) -> Files:
    if path.is_dir():
        return Folder(path, stack=stack)
    if path.suffix.lower() == DESCRIPTOR:
        return Folder(path.parent, stack=stack)
    blocks = stack.enter_context(File(path))
    if not tar_members.is_archive(blocks):
        raise InputError(f"{path} is not an OVA: it is no tar archive", hint="`jeos inspect` takes disks as well")
    return Archive(blocks, source=str(path))


def _descriptor(files: Files) -> str:
    """Return the name of the only descriptor."""
    found = [name for name in files.names() if name.lower().endswith(DESCRIPTOR)]
    if len(found) != 1:
        count = f"{len(found)} files" if found else "no file"
        raise InputError(f"{files.source} has {count} whose name ends in {DESCRIPTOR}", hint="a package has one")
    return found[0]


def _small(files: Files, name: str, *, largest: int) -> bytes:
    """Return a whole file of the package, if it is not too large to be what its name says."""
    blocks = files.raw(name)
    if blocks is None:
        raise InputError(f"{files.source} has no file {name!r}", hint="look at its name")
    if blocks.size > largest:
        raise InputError(f"{name} in {files.source} is {blocks.size} bytes long", hint=f"at most {largest} make sense")
    return blocks.read(0, blocks.size)


def manifest(package: Package) -> tuple[Digest, ...]:
    """Return the digests of a package's files; none if it has no manifest."""
    name = _beside(package, MANIFEST)
    if not name:
        return ()
    return ovf_manifest.parse(_small(package.files, name, largest=ovf_manifest.LARGEST), source=name)


def signer(package: Package) -> "Signer | None":
    """Return who signed the package's manifest; None if nobody did. Raises TrustError if the signature is wrong."""
    name = _beside(package, CERTIFICATE)
    if not name:
        return None
    from jeos.disk import ovf_certificate  # slow to load, and most packages are not signed

    certificate = _small(package.files, name, largest=ovf_certificate.LARGEST)
    signed = _small(package.files, _beside(package, MANIFEST), largest=ovf_manifest.LARGEST)
    return ovf_certificate.verify(certificate, signed, source=f"{name} in {package.files.source}")


def _beside(package: Package, suffix: str) -> str:
    """Return the name of the descriptor's manifest or certificate; one of another name will do if there is no more."""
    usual = package.descriptor[: -len(DESCRIPTOR)] + suffix
    if package.files.raw(usual) is not None:
        return usual
    others = [name for name in package.files.names() if name.endswith(suffix)]
    return others[0] if len(others) == 1 else ""


def verify(package: Package) -> Iterator[tuple[str, int, int]]:
    """Compare each file with its digest in the manifest; yield its name, the bytes done and its size on the way.

    Raises TrustError for a file that has changed, InputError for one that is not there.
    """
    for digest in manifest(package):
        # A name in the manifest is that of a file as it is kept, packed and in pieces as it may be.
        folder = package.descriptor.rpartition("/")[0]
        blocks = package.files.raw(f"{folder}/{digest.name}" if folder else digest.name)
        if blocks is None:
            raise InputError(
                f"the manifest names {digest.name[:80]!r}, which is not there", hint="copy the package again"
            )
        found = hashlib.new(digest.algorithm, usedforsecurity=False)
        for start in range(0, blocks.size, PIECE):
            found.update(blocks.read(start, min(PIECE, blocks.size - start)))
            yield digest.name, min(start + PIECE, blocks.size), blocks.size
        if found.hexdigest() != digest.value:
            raise TrustError(
                f"{digest.name} does not have the {digest.algorithm.upper()} that the manifest gives",
                hint="it was damaged or changed on its way: copy the package again",
            )


def prove(package: Package) -> None:
    """Compare a package with its manifest and signature, where it has them, as a step that is shown.

    Raises TrustError for what has changed, InputError for a file that is not there.
    """
    with log.step("verify") as step:
        by = signer(package)
        names = set()
        for name, done, size in verify(package):
            names.add(name)
            step.update(f"{name} {done * 100 // max(1, size)} %")
        signed = f", signed by {by.subject}" if by else ""
        step.done(f"{len(names)} files as the manifest says{signed}" if names else "there is no manifest")
