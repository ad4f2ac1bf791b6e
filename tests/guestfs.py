"""libguestfs, and virt-v2v on it, with a kernel of the caller's: this host need not have one of its own.

    if why := missing("virt-v2v"):
        pytest.skip(why)
    with appliance(kernel=tree / "boot/vmlinuz-6.1.0", modules=tree / "lib/modules/6.1.0", cache=folder) as environment:
        subprocess.run(["virt-v2v", …], env={**os.environ, **environment})

libguestfs makes a small machine of this host's own programs, and looks at disks from within it; without hardware
virtualization that machine is emulated.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODULES = Path("/lib/modules")
# What virt-v2v writes disks with, and does not bring along.
PROGRAMS = {"virt-v2v": ("virt-v2v", "nbdkit", "nbdcopy", "supermin"), "virt-inspector": ("virt-inspector", "supermin")}


def missing(program: str) -> str:
    """Return why a program of libguestfs's cannot be run here, "" if it can."""
    for name in PROGRAMS[program]:
        if shutil.which(name) is None:
            return f"{name} is not installed (see requirements/debian-test.txt and debian-bench.txt)"
    if not MODULES.exists() and not os.access(MODULES.parent.resolve(), os.W_OK):
        return f"this host has no {MODULES}, which supermin looks at, and only root can make it"
    return ""


@contextmanager
def appliance(*, kernel: Path, modules: Path, cache: Path) -> Iterator[dict[str, str]]:
    """Yield the settings with which libguestfs runs this kernel, emulated, for as long as the block lasts.

    `cache` is a folder in which it keeps its machine.
    """
    made = not MODULES.exists()
    if made:
        MODULES.mkdir()  # supermin takes the folder's owner and mode from this host's own, whatever it copies there
    try:
        yield {
            "LIBGUESTFS_BACKEND": "direct",
            "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg",
            "LIBGUESTFS_CACHEDIR": str(cache),
            "SUPERMIN_KERNEL": str(kernel),
            "SUPERMIN_MODULES": str(modules),
        }
    finally:
        if made:
            MODULES.rmdir()
