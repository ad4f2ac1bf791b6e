"""The built image, as independent programs and the kernel see it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from jeos.build import locked
from jeos.build.outputs import Outputs
from jeos.disk import elf
from jeos.disk.erofs_reader import Filesystem
from jeos.model.image import Partition
from jeos.model.lock_text import parse
from jeos.model.tree import Kind, Tree

pytestmark = pytest.mark.network
SYSTEM, HASHES = 2, 3  # numbers of partitions
STATUS = "var/lib/dpkg/status.d"  # where scanners look
LOADER = "usr/lib64/ld-linux-x86-64.so.2"
PIECE = 1 << 20


def partition(web: Outputs, number: int) -> Partition:
    return next(one for one in web.image.partitions if one.number == number)


def cut(web: Outputs, number: int, *, size: int, to: Path) -> Path:
    """Copy the beginning of a partition to a file of its own."""
    with web.disk.open("rb") as disk, to.open("wb") as out:
        disk.seek(partition(web, number).start)
        while size:
            size -= out.write(disk.read(min(PIECE, size)))
    return to


@pytest.fixture(scope="module")
def slot(web: Outputs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("slot")
    yield cut(web, SYSTEM, size=web.image.system_size, to=folder / "system")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def tree(slot: Path) -> Tree:
    with slot.open("rb") as file:
        return Filesystem(file).tree()


def said(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def has_loader(data: bytes) -> bool:
    return elf.is_elf(data) and elf.interpreter(data) is not None


def new_devices_appear() -> bool:
    """Tell whether /dev is what the kernel shows new devices in: in many containers it is not."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return [words[2] for words in mounts if words[1] == "/dev"][-1:] == ["devtmpfs"]


def test_slot_passes_fsck(slot: Path) -> None:
    said("fsck.erofs", slot)


def test_slot_has_the_hashes_that_the_kernel_image_asks_for(web: Outputs, slot: Path, tmp_path: Path) -> None:
    hashes = cut(web, HASHES, size=web.image.verity_size, to=tmp_path / "hashes")
    said("veritysetup", "verify", slot, hashes, web.image.root_hash)
    assert f"roothash={web.image.root_hash} ".encode() in web.kernel.read_bytes()


def test_disk_has_a_sound_partition_table(web: Outputs) -> None:
    assert "No problems found" in said("sgdisk", "--verify", web.disk)


@pytest.mark.root
def test_disk_follows_the_discoverable_partitions_specification(web: Outputs, is_root: None) -> None:
    if not new_devices_appear():
        pytest.skip("/dev is not the kernel's own here: systemd-dissect would not find the partitions it asks for")
    if "--validate" in said("systemd-dissect", "--help"):  # systemd 254 and later
        said("systemd-dissect", "--validate", web.disk)
    found = json.loads(said("systemd-dissect", "--no-pager", "--no-legend", "--json=short", web.disk))
    kinds = {mount["designator"]: mount["fstype"] for mount in found["mounts"]}
    assert kinds == {"root": "erofs", "root-verity": "DM_verity_hash", "esp": "vfat"}
    assert f"IMAGE_ID={web.image.name}" in found["osRelease"]
    assert found["useBootableUefi"]


@pytest.mark.root
def test_kernel_mounts_the_slot_and_every_program_finds_its_libraries(
    slot: Path, tree: Tree, tmp_path: Path, is_root: None
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    said("mount", "-o", "ro,loop", slot, root)
    try:
        for entry in tree:
            status = (root / entry.path).lstat()
            assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (entry.uid, entry.gid, entry.mode)
        programs = [
            entry.path
            for entry in tree
            if entry.kind is Kind.FILE and entry.mode & 0o111 and not entry.hardlink and entry.size > 64
        ]
        loaded = [path for path in programs if has_loader((root / path).read_bytes())]
        assert len(loaded) > 100
        for path in loaded:
            assert "not found" not in said("chroot", root, f"/{LOADER}", "--list", f"/{path}")
    finally:
        said("umount", root)


def test_every_program_and_library_has_its_libraries(slot: Path, tree: Tree) -> None:
    names = {entry.name for entry in tree}
    lacking = {}
    with slot.open("rb") as file:
        system = Filesystem(file)
        for entry in tree:
            if entry.kind is Kind.FILE and (entry.mode & 0o111 or ".so" in entry.name):
                data = system.read(entry.path)
                if elf.is_elf(data) and (gone := set(elf.needed(data)) - names):
                    lacking[entry.path] = gone
    assert lacking == {}


def test_bill_of_materials_is_valid_and_in_the_image(web: Outputs, slot: Path) -> None:
    text = web.sbom.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    with slot.open("rb") as file:
        assert Filesystem(file).read("usr/lib/jeos/sbom.cdx.json").decode() == text
    lock = parse((web.folder.parent / locked.FILE_NAME).read_text(), source="the lock")
    found = {(part["name"], part["version"]) for part in json.loads(text)["components"]}
    assert found >= {(package.name, package.version) for package in lock.packages}


def test_scanners_find_the_packages(web: Outputs, tree: Tree) -> None:
    lock = parse((web.folder.parent / locked.FILE_NAME).read_text(), source="the lock")
    listed = {
        entry.name for entry in tree if entry.path.startswith(f"{STATUS}/") and not entry.name.endswith(".md5sums")
    }
    expected = {package.name for package in lock.packages if package.role in ("base", "app", "kernel")}
    assert listed == expected


def test_image_has_no_identity(slot: Path, tree: Tree) -> None:
    found = tree.by_path()
    with slot.open("rb") as file:
        assert Filesystem(file).read("etc/machine-id") == b""
    secret = [path for path in found if "ssh_host_" in path or path.endswith(("/random-seed", "dbus/machine-id"))]
    assert secret == []
    records = ("var/lib", "var/lib/dpkg", STATUS)
    assert [
        path for path in found if path.startswith("var/") and not path.startswith(STATUS) and path not in records
    ] == []


def test_every_time_in_the_image_is_that_of_the_lock(web: Outputs, tree: Tree) -> None:
    lock = parse((web.folder.parent / locked.FILE_NAME).read_text(), source="the lock")
    assert {entry.mtime for entry in tree if entry.mtime > lock.date} == set()
