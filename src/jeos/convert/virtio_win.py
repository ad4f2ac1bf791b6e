"""The disc with the virtio drivers for Windows: which of them fit an installation, and whether Windows loads them.

    with virtio_win.open_disc(path) as disc:
        disc.driver("viostor", windows)        # {"viostor.sys": b"MZ…", "viostor.inf": …}

The disc (virtio-win.iso) has a folder for each driver, in it one for each version of Windows, in it one for each
architecture. A version without a folder of its own takes the newest that is older.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jeos.convert.windows import WINDOWS_11, Windows
from jeos.core.errors import InputError
from jeos.disk import blocks
from jeos.disk.filesystems import base, iso9660
from jeos.disk.filesystems.iso9660 import Iso9660
from jeos.model.tree import Kind

STORAGE = ("viostor", "vioscsi")  # virtio-blk and virtio-scsi
OTHERS = ("NetKVM", "Balloon", "vioserial", "viorng", "pvpanic", "fwcfg", "qxldod", "viogpudo", "vioinput")
_KINDS = (".sys", ".inf", ".cat", ".dll", ".exe")  # symbols for debuggers (.pdb) are as large as all others together
_DRIVER_BYTES = 64 << 20  # of one driver's files together
_AGENT_BYTES = 64 << 20
_FOLDERS = {"amd64": "amd64", "i386": "x86", "arm64": "ARM64"}
_AGENTS = {"amd64": "guest-agent/qemu-ga-x86_64.msi", "i386": "guest-agent/qemu-ga-i386.msi"}

# Servers by the first build of each, newest first, with their folders.
_SERVERS = ((26100, "2k25"), (20348, "2k22"), (17763, "2k19"), (14393, "2k16"), (0, "w10"))
_OLD_SERVERS = {(6, 1): ("2k8R2", "w7"), (6, 2): ("2k12", "w8"), (6, 3): ("2k12R2", "w8.1")}
_OLD_CLIENTS = {(6, 1): ("w7",), (6, 2): ("w8",), (6, 3): ("w8.1",)}

# Whom the certificates in a driver must name, for the boot loader of a 64-bit Windows to take it: the root for cross
# certificates of old, or the authority that signs what Microsoft tested or attested.
_SIGNERS = (
    b"Microsoft Code Verification Root",
    b"Microsoft Windows Hardware Compatibility",
    b"Microsoft Windows Third Party Component CA",
)
_CERTIFICATES = 4  # the number of the data directory


def releases(windows: Windows) -> tuple[str, ...]:
    """Return the folders that fit a version of Windows, best first; none for one that is too old or not known."""
    if windows.version != (10, 0):
        return (_OLD_SERVERS if windows.server else _OLD_CLIENTS).get(windows.version, ())
    if windows.server:
        return tuple(folder for first, folder in _SERVERS if windows.build[0] >= first)
    return ("w11", "w10") if windows.build[0] >= WINDOWS_11 else ("w10",)


@dataclass(frozen=True, slots=True)
class Disc:
    """A disc with drivers, open for reading."""

    filesystem: Iso9660

    def driver(self, name: str, windows: Windows) -> dict[str, bytes]:
        """Return the files of a driver for an installation, none if the disc has no such driver for it."""
        architecture = _FOLDERS.get(windows.architecture, "")
        for release in releases(windows) if architecture else ():
            files = self._files(f"{name}/{release}/{architecture}")
            if any(file.endswith(".inf") for file in files):
                return files
        return {}

    def agent(self, windows: Windows) -> bytes:
        """Return the installer of QEMU's guest agent, b"" if the disc has none."""
        path = _AGENTS.get(windows.architecture, "")
        if not path or not base.exists(self.filesystem, path):
            return b""
        return base.read_file(self.filesystem, path, limit=_AGENT_BYTES)

    def _files(self, path: str) -> dict[str, bytes]:
        try:
            folder = base.find(self.filesystem, path)
        except base.MissingFileError:
            return {}
        if folder.kind is not Kind.DIRECTORY:
            return {}
        nodes = {name.lower(): node for name, node in self.filesystem.children(folder)}
        wanted = {name: node for name, node in nodes.items() if node.kind is Kind.FILE and name.endswith(_KINDS)}
        total = sum(node.size for node in wanted.values())
        if total > _DRIVER_BYTES:
            raise InputError(f"the driver in {path} has {total} bytes", hint="take the original virtio-win.iso")
        return {name: self.filesystem.read(node) for name, node in sorted(wanted.items())}


@contextmanager
def open_disc(path: Path) -> Iterator[Disc]:
    """Open the disc in a file. Raises InputError if it cannot be read, or is none with virtio drivers."""
    with blocks.File(path) as file:
        if not iso9660.probe(file):
            raise InputError(f"{path} is no disc image", hint="give the file virtio-win.iso of the virtio-win project")
        disc = Disc(iso9660.open_filesystem(file))
        if not any(base.exists(disc.filesystem, name) for name in (*STORAGE, *OTHERS)):
            raise InputError(
                f"{path} has no virtio drivers (no folder viostor or NetKVM)",
                hint="give the file virtio-win.iso of the virtio-win project",
            )
        yield disc


def names_microsoft(driver: bytes) -> bool:
    """Tell whether the certificates in a driver (a PE file) name a signer that Windows's boot loader takes.

    The signature is not verified: this finds drivers that were signed by their maker alone, which stop the start with
    status 0xc0000428. PE format: Microsoft's specification, "Optional Header Data Directories".
    """
    try:
        (header,) = struct.unpack_from("<I", driver, 0x3C)
        if driver[:2] != b"MZ" or driver[header : header + 4] != b"PE\0\0":
            return False
        (magic,) = struct.unpack_from("<H", driver, header + 24)
        directories = header + 24 + {0x10B: 96, 0x20B: 112}.get(magic, 0)
        start, size = struct.unpack_from("<II", driver, directories + 8 * _CERTIFICATES)
    except struct.error:
        return False
    certificates = driver[start : start + size]
    return any(signer in certificates for signer in _SIGNERS)
