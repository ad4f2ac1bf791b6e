"""What a boot without firmware needs, taken out of a unified kernel image and kept by its digest.

parts = unpack(Path("build/web_1.0.efi"))
parts.kernel, parts.initrd, parts.cmdline

QEMU's microvm starts an unpacked kernel at its PVH entry at once, where a packed one would unpack itself first.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from jeos.core import files
from jeos.core.errors import InputError
from jeos.core.settings import cache_dir

FOLDER = "kernels"  # in the cache
KERNEL, INITRD, CMDLINE = "vmlinux", "initrd", "cmdline"


@dataclass(frozen=True, slots=True)
class Direct:
    """Paths of the unpacked kernel and the initrd, and the kernel's command line."""

    kernel: Path
    initrd: Path
    cmdline: str


def unpack(path: Path) -> Direct:
    """Return the parts of the unified kernel image at `path`, unpacked once for each content.

    Raises InputError if it is none, or its kernel cannot be started directly.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the kernel image {path} cannot be read: {error.strerror}", hint="run `jeos build` again"
        ) from None
    folder = cache_dir() / FOLDER / hashlib.sha256(data).hexdigest()
    with files.locked(lock_of(folder)):
        if (folder / CMDLINE).exists():
            os.utime(folder / CMDLINE)  # the time of its last use, for `jeos store gc`
        else:
            _write(data, folder, source=path)
        cmdline = (folder / CMDLINE).read_text()
    return Direct(kernel=folder / KERNEL, initrd=folder / INITRD, cmdline=cmdline)


def lock_of(folder: Path) -> Path:
    """Return the lock of the folder with the parts of one kernel image."""
    return folder.with_suffix(".lock")


def _write(data: bytes, folder: Path, *, source: Path) -> None:
    """Write the parts; the command line last, because it says that all of them are there."""
    from jeos.disk import bzimage, uki  # only when an image is new: the unpackers take 20 ms to load

    found = uki.sections(data)
    missing = [name for name in (".linux", ".initrd", ".cmdline") if name not in found]
    if missing:
        raise InputError(f"{source} has no section {', '.join(missing)}", hint="boot it with firmware: --firmware")
    kernel = bzimage.vmlinux(found[".linux"])
    if not bzimage.can_boot_directly(kernel):
        raise InputError(f"the kernel in {source} has no PVH entry", hint="boot it with firmware: --firmware")
    for name, content in ((KERNEL, kernel), (INITRD, found[".initrd"]), (CMDLINE, found[".cmdline"].rstrip(b"\0\n"))):
        files.write(folder / name, content)
