"""What is converted: packages with the disks in them, disk files, disks of other machines."""

from pathlib import Path

import pytest

import foreign_disks
import ovf_samples
from jeos.convert.source import drives, name_of, open_source
from jeos.core.errors import InputError, UsageError
from jeos.model.ovf import Bus, Controller, Drive, DriveKind, System
from ssh_server import ssh_server

MACHINE = ovf_samples.smallest(
    name="shop",
    files='<File ovf:id="f1" ovf:href="b.vmdk"/><File ovf:id="f2" ovf:href="a.vmdk"/>',
    disks='<Disk ovf:diskId="d1" ovf:fileRef="f1" ovf:capacity="24" ovf:capacityAllocationUnits="byte * 2^20"/>'
    '<Disk ovf:diskId="d2" ovf:fileRef="f2" ovf:capacity="24" ovf:capacityAllocationUnits="byte * 2^20"/>'
    '<Disk ovf:diskId="d3" ovf:capacity="1048576"/>',
    items="<Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>6</rasd:ResourceType></Item>"
    + "".join(
        f"<Item><rasd:InstanceID>{number}</rasd:InstanceID><rasd:ResourceType>17</rasd:ResourceType>"
        f"<rasd:HostResource>/disk/d{disk}</rasd:HostResource><rasd:Parent>1</rasd:Parent>"
        f"<rasd:AddressOnParent>{place}</rasd:AddressOnParent></Item>"
        for number, disk, place in ((2, 1, 1), (3, 2, 0), (4, 3, 2))
    )
    + "<Item><rasd:InstanceID>9</rasd:InstanceID><rasd:ResourceType>10</rasd:ResourceType>"
    "<rasd:Address>00:50:56:AA:bb:01</rasd:Address></Item>",
)


@pytest.fixture
def vmdks(tmp_path: Path) -> dict[str, bytes]:
    """Return two disks as they are kept in packages; the first byte behind their boot code differs."""
    found = {}
    for seed, name in enumerate(("a.vmdk", "b.vmdk")):
        raw = foreign_disks.write_raw(tmp_path / "raw", foreign_disks.content(seed=seed))
        kept = foreign_disks.convert(raw, tmp_path / name, "-o", "subformat=streamOptimized", format="vmdk")
        found[name] = kept.read_bytes()
        kept.unlink()
    return found


def test_package_gives_disks_in_the_order_of_the_machine(tmp_path: Path, vmdks: dict[str, bytes]) -> None:
    (tmp_path / "shop.ova").write_bytes(ovf_samples.archive({"shop.ovf": MACHINE, **vmdks}))
    with open_source([str(tmp_path / "shop.ova")]) as source:
        assert (source.name, source.macs, source.notes) == ("shop", ("00:50:56:aa:bb:01",), ())
        assert [(disk.name, disk.format) for disk in source.disks] == [
            ("a.vmdk", "vmdk"),
            ("b.vmdk", "vmdk"),
            ("d3", "empty"),
        ]
        read = [disk.blocks.read(0, disk.blocks.size) for disk in source.disks]
    assert read == [foreign_disks.content(seed=0), foreign_disks.content(seed=1), bytes(1 << 20)]


def test_package_with_other_disks_is_refused(tmp_path: Path, vmdks: dict[str, bytes]) -> None:
    (tmp_path / "shop.ova").write_bytes(ovf_samples.archive({"shop.ovf": MACHINE, **vmdks}))
    with (
        pytest.raises(UsageError, match="is a package and brings its disks"),
        open_source([str(tmp_path / "shop.ova"), "x"]),
    ):
        pass


def test_package_without_disks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.ova").write_bytes(ovf_samples.archive({"no.ovf": ovf_samples.smallest()}))
    with pytest.raises(InputError, match="describes a machine without disks"), open_source([str(tmp_path / "no.ova")]):
        pass


def test_disk_files_of_any_format(tmp_path: Path) -> None:
    raw = foreign_disks.write_raw(tmp_path / "one.img", foreign_disks.content())
    other = foreign_disks.convert(raw, tmp_path / "two.qcow2", format="qcow2")
    with open_source([str(raw), str(other)]) as source:
        assert (source.name, source.system, source.macs) == ("one", None, ())
        assert [disk.format for disk in source.disks] == ["raw", "qcow2"]
        assert {disk.blocks.read(0, disk.blocks.size) for disk in source.disks} == {foreign_disks.content()}


def test_disk_over_ssh(tmp_path: Path) -> None:
    raw = foreign_disks.write_raw(tmp_path / "sda", foreign_disks.content())
    with (
        ssh_server(tmp_path / "server") as server,
        open_source([server.address(raw)], ssh_options=server.options) as source,
    ):
        assert (source.name, source.disks[0].format) == ("127.0.0.1", "ssh")
        assert source.disks[0].blocks.read(0, raw.stat().st_size) == foreign_disks.content()


def test_nothing_is_refused(tmp_path: Path) -> None:
    for texts in ([], ["x"] * 65):
        with pytest.raises(UsageError, match="disks are given"), open_source(texts):
            pass
    with pytest.raises(InputError, match="is a folder without an OVF descriptor"), open_source([str(tmp_path)]):
        pass
    with pytest.raises(InputError, match="cannot be read: No such file"), open_source([str(tmp_path / "none.vmdk")]):
        pass


def test_drives_are_counted_by_controller_and_place() -> None:
    system = System(
        id="a",
        name="a",
        controllers=(Controller("s", Bus.SCSI), Controller("i", Bus.IDE)),
        drives=(
            Drive("1", DriveKind.DISK, controller="i", place=0),
            Drive("2", DriveKind.DISK, controller="s", place=1),
            Drive("3", DriveKind.CDROM, controller="s", place=3),
            Drive("4", DriveKind.DISK, controller="s"),
            Drive("5", DriveKind.DISK),
        ),
    )
    assert [drive.id for drive in drives(system)] == ["4", "2", "1", "5"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ssh://root@old-host.example/dev/sda", "old-host"),
        ("ssh://root@192.0.2.7/dev/sda", "192.0.2.7"),
        ("ssh://[2001:db8::7]:22/dev/sda", "2001:db8::7"),
        ("disks/legacy.img", "legacy"),
    ],
)
def test_machine_is_called_as_its_host_or_its_disk(text: str, name: str) -> None:
    assert name_of(text) == name
