"""What a build left, proved before anything of it is signed.

    built = check(image, folder=Path("build"))
    built.tree, built.kernel, built.system.start

Every block of the slot is held against the verity root hash, the tree is read back from the slot itself, and the kernel
image has to start just that root: what does not fit together never reaches a channel.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from jeos.core.errors import InputError, TrustError
from jeos.disk import gpt, uki, verity
from jeos.disk.erofs_reader import Filesystem
from jeos.disk.verity import Superblock
from jeos.model import tree_text
from jeos.model.image import TYPE_ROOT, TYPE_ROOT_VERITY, Image, Partition
from jeos.model.tree import Tree

ROOT_OF_TRUST = "usr/lib/jeos/root.json"  # where an image keeps the vendor's TUF root
AGAIN = "run `jeos build --force`, and publish what that makes"


@dataclass(frozen=True, slots=True)
class Built:
    """An image that was proved: where its system and hashes are on the disk, and what they hold.

    `time` is the EROFS's own, in seconds since 1970; `trust` the TUF root that its machines start from.
    """

    image: Image
    disk: Path
    kernel: Path
    system: Partition
    hashes: Partition
    superblock: Superblock
    tree: Tree
    uuid: str
    label: str
    time: int
    trust: bytes

    @contextmanager
    def filesystem(self) -> Iterator[Filesystem]:
        """Open the system for reading."""
        with self.disk.open("rb") as file:
            yield Filesystem(file, offset=self.system.start)


def check(image: Image, *, folder: Path) -> Built:
    """Return what a build left in `folder`, after proving it.

    Raises InputError if a file is missing, if the image cannot update itself, or if its parts do not belong together,
    and TrustError if the slot is not what its root hash says.
    """
    title = f"{image.name} {image.version}"
    if not image.updates:
        raise InputError(
            f"{title} cannot update itself: its recipe has no [update]",
            hint="add [update] with channel and root to the recipe, and build again: docs/reference/recipe.md",
        )
    disk, kernel = _file(folder, image.disk), _file(folder, image.kernel)
    _check_kernel(image, kernel)
    with disk.open("rb") as file:
        table = gpt.read(file)
        system = _slot(table.partitions, image, kind=TYPE_ROOT)
        hashes = _slot(table.partitions, image, kind=TYPE_ROOT_VERITY)
        superblock = _check_slot(image, disk, system=system, hashes=hashes)
        filesystem = Filesystem(file, offset=system.start)
        tree = filesystem.tree(digests=True)
        _check_tree(image, tree, path=_file(folder, image.tree))
        if ROOT_OF_TRUST not in tree.by_path():
            raise InputError(f"{title} has no /{ROOT_OF_TRUST}", hint=AGAIN)
        return Built(
            image=image,
            disk=disk,
            kernel=kernel,
            system=replace(system, size=superblock.size),
            hashes=replace(hashes, size=verity.tree_size(superblock.size)),
            superblock=superblock,
            tree=tree,
            uuid=filesystem.uuid,
            label=filesystem.label,
            time=filesystem.superblock.time,
            trust=filesystem.read(ROOT_OF_TRUST),
        )


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise InputError(f"{path} is not there, but the build's description names it", hint=AGAIN)
    return path


def _slot(partitions: tuple[Partition, ...], image: Image, *, kind: str) -> Partition:
    """Return the partition of a kind that holds the release."""
    label = gpt.label_of(f"{image.name}_{image.version}")
    found = next((one for one in partitions if (one.type, one.label) == (kind, label)), None)
    if found is None:
        raise InputError(f"{image.disk} has no partition {label} of type {kind}", hint=AGAIN)
    return found


def _check_kernel(image: Image, kernel: Path) -> None:
    with kernel.open("rb") as file:
        words = uki.section(file, ".cmdline").rstrip(b"\0").decode(errors="replace").split()
    if f"roothash={image.root_hash}" not in words:
        started = next((word for word in words if word.startswith("roothash=")), "no root hash")
        raise InputError(
            f"{kernel.name} does not start this system: it has {started}, not roothash={image.root_hash}", hint=AGAIN
        )


def _check_slot(image: Image, disk: Path, *, system: Partition, hashes: Partition) -> Superblock:
    with disk.open("rb") as data, disk.open("rb") as other:
        data.seek(system.start)
        other.seek(hashes.start)
        try:
            superblock = verity.verify(data, other, root_hash=image.root_hash)
        except TrustError as error:
            raise TrustError(f"the system in {disk.name} is not what was built: {error.message}", hint=AGAIN) from error
    if superblock.size != image.system_size or superblock.size > system.size:
        raise InputError(
            f"the system in {disk.name} has {superblock.size} bytes, not {image.system_size} as was built", hint=AGAIN
        )
    return superblock


def _check_tree(image: Image, tree: Tree, *, path: Path) -> None:
    wanted = tree_text.parse(path.read_bytes().decode(errors="replace"), source=str(path))
    if wanted == tree:
        return
    here, there = tree.by_path(), wanted.by_path()
    paths = sorted(path for path in here.keys() | there.keys() if here.get(path) != there.get(path))
    raise InputError(
        f"{path.name} is not the tree of the system in {image.disk}: they differ in /{paths[0] if paths else ''}",
        hint=AGAIN,
    )
