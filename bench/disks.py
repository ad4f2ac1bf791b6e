"""A disk as machines have them, for the benchmark of conversions: Debian with what a server tends to have.

    path = make(work)      # 2.5 GiB with 1.5 GiB of data; made once, and kept

Packages come from the mirror that this machine's apt has. Boot it not: what counts is what is on it.
"""

import subprocess
from pathlib import Path

from jeos.disk.blocks import File
from peers import mirrors

SUITE = "bookworm"
MIB = 1 << 20
SIZE = 2560 * MIB
DATA = 1536 * MIB  # what the file system is filled to
FIRST_SECTOR = 2048
# A kernel with its modules, a compiler, a Java, a database, a web server: text, programs, and things already packed.
# They are unpacked and not configured, which costs less and changes little of what is on the disk.
PACKAGES = (
    "linux-image-amd64",
    "build-essential",
    "default-jre-headless",
    "git",
    "nginx",
    "postgresql",
    "python3-pip",
    "vim-nox",
)


def make(work: Path) -> Path:
    """Return the disk below `work`, which is made if it is not there."""
    disk = work / "server.raw"
    if disk.exists():
        return disk
    tree = make_tree(work)
    filesystem = work / "filesystem"
    filesystem.unlink(missing_ok=True)
    _run(["mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(filesystem), f"{SIZE // MIB - 2}M"])
    partial = work / "server.partial"
    with partial.open("wb") as file:
        file.truncate(SIZE)
    _run(["sfdisk", "-q", str(partial)], text=f"label: gpt\nstart={FIRST_SECTOR},size={(SIZE // MIB - 2) * 2048}\n")
    _run(["dd", "status=none", f"if={filesystem}", f"of={partial}", "bs=1M", "seek=1", "conv=notrunc,sparse"])
    filesystem.unlink()
    partial.rename(disk)
    return disk


def make_tree(work: Path) -> Path:
    """Return the files that the disk has, in a folder below `work`, which is made if it is not there."""
    work.mkdir(parents=True, exist_ok=True)
    tree = work / "tree"
    if not tree.exists():
        partial = work / "tree.partial"
        packages = f"--include={','.join(PACKAGES)}"
        _run(["mmdebstrap", "--quiet", "--variant=extract", packages, SUITE, str(partial), *mirrors(SUITE)])
        partial.rename(tree)
    return tree


def data_of(disk: Path) -> int:
    """Return how many bytes of a disk are not in holes."""
    with File(disk) as file:
        return sum(end - start for start, end in file.data(0, file.size))


def _run(argv: list[str], *, text: str = "") -> None:
    subprocess.run(argv, check=True, input=text, text=True, stdout=subprocess.DEVNULL)
