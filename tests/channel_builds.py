"""Small builds for tests of channels: real disks with a real slot, hashes and kernel image, made in milliseconds.

made = build(tmp_path / "1.1", version="1.1", files={"usr/bin/app": b"…"}, trust=root_json)
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pe_files
from jeos.build import image as disk_image
from jeos.build import outputs
from jeos.build.outputs import Outputs
from jeos.channel import catalogue, layout
from jeos.channel.built import ROOT_OF_TRUST
from jeos.channel.catalogue import Listed, Terms
from jeos.disk import erofs, uki, verity
from jeos.model import tree_text
from jeos.model.image import Image
from jeos.model.recipe import Disk
from jeos.model.release import Blob, Release, System
from jeos.model.tree import Entry, Kind, Tree

DATE = 1_790_000_000
ANY_UUID = "6b7f0c1e-0000-4000-8000-0000000abcde"
SIZES = Disk(slot=4 << 20, data=1 << 20, esp=34 << 20)


def build(
    folder: Path,
    *,
    name: str = "hello",
    version: str = "1.0",
    contents: Mapping[str, bytes] | None = None,
    trust: bytes = b"{}",
    kernel: bytes = b"linux" * 1000,
    updates: bool = True,
) -> Outputs:
    """Make a build of files by path, as `jeos build` would leave it in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    held = {"etc/hostname": name.encode(), ROOT_OF_TRUST: trust, **(contents or {})}
    tree = _tree(held)
    by_digest = {hashlib.sha256(data).hexdigest(): data for data in held.values()}
    with (folder / "system").open("w+b") as out:
        size = erofs.write(
            tree,
            out,
            read=lambda entry: by_digest[entry.digest],
            uuid=disk_image.derived_uuid(name, version, "system-fs"),
            time=DATE,
            label=name[:15],
        )
    with (folder / "hashes").open("w+b") as out:
        root_hash = verity.write_tree(
            folder / "system",
            size=size,
            out=out,
            salt=hashlib.sha256(version.encode()).digest(),
            uuid=disk_image.derived_uuid(name, version, "hashes"),
        )
    names = outputs.names(name, version)
    with (folder / names["kernel"]).open("wb") as out:
        sections = {
            ".osrel": f"ID={name}\nIMAGE_VERSION={version}\n".encode(),
            ".cmdline": f"roothash={root_hash} quiet".encode(),
            ".linux": kernel,
            ".initrd": b"initrd of " + version.encode(),
        }
        uki.write(out, stub=pe_files.stub(), sections=sections)
    return _finish(folder, name=name, version=version, tree=tree, root_hash=root_hash, size=size, updates=updates)


def _tree(held: Mapping[str, bytes]) -> Tree:
    entries = [Entry(path="", kind=Kind.DIRECTORY, mtime=DATE)]
    folders = {str(parent) for path in held for parent in Path(path).parents if str(parent) != "."}
    entries += [Entry(path=path, kind=Kind.DIRECTORY, mtime=DATE) for path in folders]
    entries += [
        Entry(
            path=path,
            kind=Kind.FILE,
            mode=0o644,
            mtime=DATE,
            size=len(data),
            digest=hashlib.sha256(data).hexdigest(),
        )
        for path, data in held.items()
    ]
    return Tree.of(entries)


def _finish(folder: Path, *, name: str, version: str, tree: Tree, root_hash: str, size: int, updates: bool) -> Outputs:
    names = outputs.names(name, version)
    for part in ("loader", "data"):
        (folder / part).write_bytes(part.encode())
    parts = disk_image.Parts(
        system=folder / "system",
        hashes=folder / "hashes",
        kernel=folder / names["kernel"],
        loader=folder / "loader",
        data=folder / "data",
    )
    with (folder / names["disk"]).open("w+b") as disk:
        written = disk_image.write_image(
            disk, parts, name=name, version=version, root_hash=root_hash, sizes=SIZES, date=DATE
        )
    (folder / names["tree"]).write_text(tree_text.dump(tree))
    image = Image(
        name=name,
        version=version,
        vendor="Example",
        architecture="amd64",
        **names,
        root_hash=root_hash,
        disk_size=written.size,
        system_size=size,
        verity_size=verity.tree_size(size),
        kernel_size=(folder / names["kernel"]).stat().st_size,
        partitions=written.partitions,
        ports=(),
        memory=256,
        cpus=1,
        properties=(),
        updates=updates,
    )
    (folder / f"{name}_{version}.json").write_text(outputs.dump_image(image))
    return Outputs(folder=folder, image=image)


def listed(version: str, **terms: object) -> Listed:
    """Return a listed release of which only the terms count."""
    release = Release(
        *("hello", version, "amd64", 0, "0" * 64, System(4096, ANY_UUID, "", 0, 4096, ANY_UUID, "")),
        *(Blob("0" * 64, 1), Blob("0" * 64, 1), ()),
    )
    whole = catalogue.changed(Terms(version=version, date=0), **terms)  # type: ignore[arg-type]
    return Listed(path=layout.release_path("hello", version), sha256="0" * 64, release=release, terms=whole)
