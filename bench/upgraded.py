"""A disk before and after upgrades, for the benchmark of backups: 2 GiB of ext4 with a real Debian system.

    before, after = make(work)       # made once, and kept

The upgrade replaces whole files, as packages do: the old one is deleted, the new one written where the file system (by
debugfs) finds room. Its content is the old one's, moved by eight bytes, so that no block of it was there before, and it
can be compressed as well as before.
"""

import random
import subprocess
from pathlib import Path

import zstandard

import disks
from jeos.disk.blocks import PIECE, File

SIZE = "2G"
BLOCK = 4096
CHANGED = 0.035  # of the files' bytes; with tables and journals about 4 % of the blocks with data
LEVEL = 3  # of zstd, as jeos, and as borg is told to


def make(work: Path) -> tuple[Path, Path]:
    """Return the disk before and after the upgrades, in files below `work`."""
    before, after = work / "before.raw", work / "after.raw"
    if not after.exists():
        tree = disks.make_tree(work)
        before.unlink(missing_ok=True)
        _run("mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(before), SIZE)
        partial = work / "after.partial"
        _run("cp", "--sparse=always", str(before), str(partial))
        _upgrade(tree, partial, work=work)
        partial.rename(after)
    return before, after


def _upgrade(tree: Path, disk: Path, *, work: Path) -> None:
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    folders = sorted({path.parent for path in files})
    random.Random(1).shuffle(folders)
    wanted = sum(path.stat().st_size for path in files) * CHANGED
    new, script, number = work / "new", [], 0
    new.mkdir(exist_ok=True)
    for folder in folders:
        for path in (path for path in files if path.parent == folder and " " not in str(path)):
            content = path.read_bytes()
            (new / str(number)).write_bytes(b"upgraded" + content)
            name = path.relative_to(tree)
            script += [f"rm /{name}", f"write {new / str(number)} /{name}"]
            number, wanted = number + 1, wanted - len(content)
        if wanted <= 0:
            break
    listed = work / "upgrade.debugfs"
    listed.write_text("\n".join(script) + "\n")
    _run("debugfs", "-w", "-f", str(listed), str(disk))
    _run("e2fsck", "-fn", str(disk))
    _run("rm", "-r", str(new), str(listed))


def floor(before: Path, after: Path) -> tuple[int, int, int]:
    """Return the blocks of 4 KiB with data, those that changed, and the bytes of these when packed alone."""
    packer = zstandard.ZstdCompressor(level=LEVEL)
    data = changed = size = 0
    with File(before) as old, File(after) as new:
        for at in range(0, old.size, PIECE):
            content = old.read(at, PIECE)
            later = new.read(at, PIECE)
            for start in range(0, PIECE, BLOCK):
                block = later[start : start + BLOCK]
                if not block.strip(b"\0"):
                    continue
                data += 1
                if block != content[start : start + BLOCK]:
                    changed += 1
                    size += len(packer.compress(block))
    return data, changed, size


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
