"""The slots of a disk, as the partition table of a real image says."""

from pathlib import Path

import pytest

from guest_disk import NEW, OLD, GuestDisk
from jeos.disk import gpt
from jeos.model.image import LABEL_EMPTY
from jeos.update import slots
from jeos.update.errors import LayoutError


@pytest.fixture
def disk(tmp_path: Path) -> GuestDisk:
    return GuestDisk(tmp_path).make()


def test_find_tells_the_slot_in_use_from_the_other(disk: GuestDisk) -> None:
    found = disk.find()
    assert (found.active.name, found.active.root_hash, found.other.name) == ("A", OLD, "B")
    assert [Path(place.device).name for place in (found.esp, found.other.system, found.other.hashes)] == [
        "vda1",
        "vda4",
        "vda5",
    ]


def test_mark_gives_the_other_slot_an_identity_by_which_it_is_found(disk: GuestDisk) -> None:
    found = disk.find()
    changed = slots.mark(found, found.other, label="hello_1.1", root_hash=NEW)
    assert changed.root_hash == NEW
    after = disk.find(NEW)
    assert (after.active, after.other.root_hash) == (changed, OLD)


def test_mark_empty_leaves_no_way_to_what_was_there(disk: GuestDisk) -> None:
    found = disk.find()
    slots.mark(found, found.other, label="hello_1.1", root_hash=NEW)
    slots.mark_empty(found, found.other)
    after = disk.find()
    assert after.other.root_hash != NEW
    assert after.other.system.partition.label == LABEL_EMPTY


@pytest.mark.parametrize("root_hash", ["", "xyz", "A" * 64, "ab" * 31])
def test_mark_refuses_what_is_no_root_hash(disk: GuestDisk, root_hash: str) -> None:
    found = disk.find()
    with pytest.raises(LayoutError, match="not a root hash"):
        slots.mark(found, found.other, label="hello_1.1", root_hash=root_hash)


def test_mark_refuses_the_slot_in_use(disk: GuestDisk) -> None:
    found = disk.find()
    before = disk.image.read_bytes()
    with pytest.raises(LayoutError, match="slot A is in use"):
        slots.mark_empty(found, found.active)
    with pytest.raises(LayoutError, match="slot A is in use"):
        slots.mark(found, found.active, label="x", root_hash=NEW)
    assert disk.image.read_bytes() == before


def test_find_refuses_a_disk_that_does_not_hold_the_running_system(disk: GuestDisk, tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="no slot of"):
        slots.find(NEW, system_device="vda2", sys=str(tmp_path / "sys"), dev=str(tmp_path / "dev"))


def test_find_refuses_a_disk_without_two_slots(disk: GuestDisk, tmp_path: Path) -> None:
    with disk.image.open("r+b") as file:
        table = gpt.read(file)
        gpt.write(file, table.partitions[:3], size=table.size, disk_uuid=table.disk_uuid)
    with pytest.raises(LayoutError, match="has not two slots"):
        disk.find()


@pytest.mark.parametrize(
    ("text", "found"), [(f"quiet roothash={OLD} gpt\n", OLD), (f"roothash={NEW} roothash={OLD}", OLD)]
)
def test_running_root_hash_is_the_kernels_last_word(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "cmdline").write_text(text)
    assert slots.running_root_hash(str(tmp_path / "cmdline")) == found


@pytest.mark.parametrize("text", ["quiet", "roothash=", "roothash=zz", ""])
def test_running_root_hash_refuses_a_start_without(tmp_path: Path, text: str) -> None:
    (tmp_path / "cmdline").write_text(text)
    with pytest.raises(LayoutError, match="without roothash"):
        slots.running_root_hash(str(tmp_path / "cmdline"))
