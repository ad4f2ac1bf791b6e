"""The data partition's file system: an empty ext4 made by the appliance's own mke2fs, the same every time.

It is small in the image and grows to its partition, and the partition to the disk, at the first boot.
"""

import os
import stat
from pathlib import Path

from jeos.build import image
from jeos.build.sandbox import Sandbox
from jeos.core import rooted
from jeos.core.errors import InputError
from jeos.model.image import MEBIBYTE

SIZE = 64 * MEBIBYTE  # what the image carries; sparse, since most of it is empty
GROWS_TO = 2 << 40  # bytes up to which descriptors are reserved, so that growing needs no moving
BLOCK = 4096
# Growing by a group of blocks is one transaction, with all the reserved descriptors; Linux 6.1 takes transactions of a
# quarter of the journal at most, and that is one block too few with the 4 MiB that mke2fs would choose.
JOURNAL = 8  # MiB
FILE = "jeos-data.ext4"


def make(root: Path, *, sandbox: Sandbox, name: str, version: str, out: Path) -> None:
    """Write the file system to `out`; `root` is a writable root with e2fsprogs, on the file system of `out`."""
    options = ",".join(
        (
            f"hash_seed={image.derived_uuid(name, version, 'hash')}",
            f"resize={GROWS_TO // BLOCK}",
            "root_owner=0:0",
            "lazy_itable_init=0",
            "lazy_journal_init=0",
            "nodiscard",
        )
    )
    sandbox.run(
        [
            *("mke2fs", "-q", "-F", "-t", "ext4", "-b", str(BLOCK), "-m", "1", "-L", "data", "-J", f"size={JOURNAL}"),
            *("-U", image.derived_uuid(name, version, "data-fs"), "-E", options),
            *(f"/{FILE}", str(SIZE // BLOCK)),
        ],
        env={"E2FSPROGS_FAKE_TIME": str(sandbox.time)},  # what e2fsprogs before 1.47.1 has for SOURCE_DATE_EPOCH
    )
    made = rooted.place(root, FILE)
    source = os.open(made, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            raise InputError(f"a package made /{FILE} something else than a file", hint="leave that package out")
        with out.open("wb") as target:
            target.truncate(SIZE)
            image.copy_sparse(source, target.fileno(), offset=0)
    finally:
        os.close(source)
    made.unlink()
