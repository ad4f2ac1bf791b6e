"""Comparing two builds: equal ones, and each kind of difference named."""

from dataclasses import replace
from pathlib import Path

from jeos.build import outputs, reproduce
from jeos.build.outputs import Outputs
from jeos.model import tree_text
from jeos.model.image import Image, Partition
from jeos.model.tree import Entry, Kind, Tree


def build(folder: Path, *, disk: bytes, content: str = "a", mode: int = 0o644) -> Outputs:
    folder.mkdir()
    names = outputs.names("web", "1")
    partitions = (
        Partition(number=1, label="esp", type="", uuid="", start=4, size=4),
        Partition(number=2, label="data", type="", uuid="", start=8, size=100),
    )
    image = Image(
        name="web",
        version="1",
        vendor="",
        architecture="amd64",
        disk=names["disk"],
        kernel=names["kernel"],
        sbom=names["sbom"],
        tree=names["tree"],
        report=names["report"],
        root_hash="",
        disk_size=len(disk),
        system_size=0,
        verity_size=0,
        kernel_size=0,
        partitions=partitions,
        ports=(),
        memory=1,
        cpus=1,
    )
    (folder / names["disk"]).write_bytes(disk)
    (folder / names["kernel"]).write_bytes(b"kernel")
    (folder / names["sbom"]).write_bytes(b"{}")
    tree = Tree.of([Entry(path="etc/x", kind=Kind.FILE, mode=mode, size=1, digest=content)])
    (folder / names["tree"]).write_text(tree_text.dump(tree))
    return Outputs(folder=folder, image=image)


def test_compare_of_equal_builds_finds_nothing(tmp_path: Path) -> None:
    one, other = (build(tmp_path / name, disk=b"0123456789") for name in ("one", "two"))
    assert reproduce.compare(one, other) == []


def test_compare_names_partition_and_files(tmp_path: Path) -> None:
    one = build(tmp_path / "one", disk=b"0123456789")
    other = build(tmp_path / "two", disk=b"0123456xxx", content="b")
    found = {difference.part: difference.detail for difference in reproduce.compare(one, other)}
    assert found == {"disk": "in partition 1 (esp), 2 (data)", "tree": "content of 1 files: /etc/x"}


def test_compare_tells_metadata_from_content(tmp_path: Path) -> None:
    one = build(tmp_path / "one", disk=b"0123456789")
    other = build(tmp_path / "two", disk=b"x123456789", mode=0o600)
    found = {difference.part: difference.detail for difference in reproduce.compare(one, other)}
    tree = "owner, mode, link or attributes of 1 entries: /etc/x"
    assert found == {"disk": "outside of the partitions", "tree": tree}


def test_compare_sees_another_kernel(tmp_path: Path) -> None:
    one, other = (build(tmp_path / name, disk=b"0123456789") for name in ("one", "two"))
    (other.folder / replace(other.image).kernel).write_bytes(b"other")
    assert [difference.part for difference in reproduce.compare(one, other)] == ["kernel"]
