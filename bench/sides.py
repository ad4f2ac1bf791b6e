"""Both releases of a pair as what update methods take: the slot, its hashes, the kernel image, and the files in it.

old = side(pair.old, work / "old")
old.whole            # slot and kernel image in one file, for tools that know no more
old.extract(folder)  # the files, for tools that compare those
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from jeos.build.outputs import Outputs
from jeos.channel.source import Source
from jeos.disk import erofs_reader, verity
from jeos.model import release as releases
from jeos.model import tree_text
from jeos.model.image import TYPE_ROOT, TYPE_ROOT_VERITY
from jeos.model.tree import Kind

KERNEL = "boot-kernel.efi"  # the kernel image's name among the files


@dataclass(frozen=True)
class Side:
    """One release of a pair, as files: slot, hashes, kernel image, and both in one for tools that know no more."""

    source: Source
    description: releases.Release
    system: Path
    hashes: Path
    whole: Path

    def extract(self, folder: Path) -> None:
        """Write all files, links to them and folders below a new folder, and the kernel image beside them."""
        folder.mkdir(parents=True)
        for entry in self.source.tree:
            path = folder / entry.path
            if entry.kind is Kind.DIRECTORY:
                path.mkdir(parents=True, exist_ok=True)
            elif entry.kind is Kind.FILE:
                path.write_bytes(self.source.read(entry.digest) if entry.size else b"")
            elif entry.kind is Kind.SYMLINK:
                path.symlink_to(entry.target)
        (folder / KERNEL).write_bytes(self.source.kernel.read_bytes())


def side(outputs: Outputs, work: Path) -> Side:
    """Take a build apart."""
    image, folder = outputs.image, outputs.folder
    work.mkdir(parents=True, exist_ok=True)
    paths = {TYPE_ROOT: work / "system", TYPE_ROOT_VERITY: work / "hashes"}
    sizes = {TYPE_ROOT: image.system_size, TYPE_ROOT_VERITY: image.verity_size}
    with outputs.disk.open("rb") as disk:
        for part in image.partitions[:3]:
            if part.type in paths:
                disk.seek(part.start)
                paths[part.type].write_bytes(disk.read(sizes[part.type]))
    system, hashes = paths[TYPE_ROOT], paths[TYPE_ROOT_VERITY]
    whole = work / "whole"
    whole.write_bytes(system.read_bytes() + outputs.kernel.read_bytes())
    filesystem = erofs_reader.Filesystem(system.open("rb"))
    tree = tree_text.parse((folder / image.tree).read_text(), source=image.tree)
    path_of = {entry.digest: entry.path for entry in tree if entry.digest and not entry.hardlink}
    source = Source(
        version=image.version,
        root_hash=image.root_hash,
        time=filesystem.superblock.time,
        tree=tree,
        read=lambda digest: filesystem.read(path_of[digest]),
        kernel=outputs.kernel,
    )
    superblock = verity.Superblock.parse(hashes.read_bytes()[: verity.BLOCK])
    description = releases.Release(
        name=image.name,
        version=image.version,
        architecture="amd64",
        date=source.time,
        root_hash=image.root_hash,
        system=releases.System(
            size=image.system_size,
            uuid=filesystem.uuid,
            label=filesystem.label,
            time=source.time,
            hashes_size=image.verity_size,
            hashes_uuid=superblock.uuid,
            salt=superblock.salt.hex(),
        ),
        kernel=_blob(outputs.kernel),
        index=_blob(outputs.kernel),
        packs=(),
    )
    return Side(source, description, system, hashes, whole)


def _blob(path: Path) -> releases.Blob:
    data = path.read_bytes()
    return releases.Blob(sha256=hashlib.sha256(data).hexdigest(), length=len(data))
