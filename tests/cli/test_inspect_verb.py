"""`jeos inspect`: what it prints for people and for programs."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import ovf_samples
from jeos.cli import main
from small_machine import UUID, make_disk
from ssh_server import ssh_server


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_disk(tmp_path_factory.mktemp("machine"))


def converted(disk: Path, target: Path, format: str, *options: str) -> Path:
    subprocess.run(["qemu-img", "convert", "-O", format, *options, disk, target], check=True, capture_output=True)
    return target


def said(*argv: str | Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main.main(["inspect", *(str(word) for word in argv)]) == 0
    return capsys.readouterr().out


def test_report_of_a_disk(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(disk, capsys=capsys)
    lines = text.splitlines()
    assert lines[0] == "disk: Debian GNU/Linux 12 (bookworm)"
    for line in (
        "  root            sda3 (amd64)",
        "  host name       legacy",
        "  starts by       UEFI (grub, not where firmware without memory looks)",
        "  packages        dpkg, first file systems by initramfs-tools",
    ):
        assert line in lines
    assert "6.1.0-9-amd64" in text and "vmw_pvscsi" in text
    assert next(line.split() for line in lines if line.startswith("  ens192")) == [
        *("ens192", "192.0.2.7/24", "/etc/network/interfaces"),
    ]
    assert next(line.split() for line in lines if line.startswith("  sda3")) == [
        *("sda3", "40.0", "MiB", *next(line.split() for line in lines if line.startswith("  sda3"))[3:5]),
        *("ext4", "/", UUID),
    ]
    assert "`jeos convert` would change" in lines
    assert any("UUID" in line for line in lines[lines.index("`jeos convert` would change") :])
    assert lines[-1] == "  - fstab mounts /dev/sdb1 at /srv, which is on none of the disks"


@pytest.mark.parametrize("format", ["qcow2", "vmdk", "vhdx", "vdi", "vpc"])
def test_every_format_says_the_same(
    format: str, disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("-o", "force_size=on") if format == "vpc" else ()
    plain, other = as_json(disk, capsys), as_json(converted(disk, tmp_path / "disk.x", format, *options), capsys)
    assert other["survey"] == plain["survey"] and other["fixes"] == plain["fixes"]
    assert other["sources"][0]["format"] == {"vpc": "vhd"}.get(format, format)


def as_json(source: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(said("--json", source, capsys=capsys))


def test_json_has_all_that_is_known(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = as_json(disk, capsys)
    (system,) = data["survey"]["systems"]
    assert (data["name"], data["hardware"], system["kernels"][0]["initrd"]["modules"]) == ("disk", None, ["vmw_pvscsi"])
    (fixes,) = data["fixes"]
    fstab = next(fix for fix in fixes if fix["name"] == "fstab")
    assert fstab["paths"] == ["etc/fstab"] and fstab["notes"]


def test_package_says_what_its_descriptor_says(disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vmdk = converted(disk, tmp_path / "disk1.vmdk", "vmdk", "-o", "subformat=streamOptimized").read_bytes()
    descriptor = ovf_samples.smallest(
        files='<File ovf:id="f" ovf:href="disk1.vmdk"/>',
        disks='<Disk ovf:diskId="d" ovf:fileRef="f" ovf:capacity="83886080"/>',
        items=DRIVE,
        name="shop",
    )
    package = tmp_path / "shop.ova"
    package.write_bytes(ovf_samples.archive({"shop.ovf": descriptor, "disk1.vmdk": vmdk}))
    lines = said(package, capsys=capsys).splitlines()
    assert lines[0] == "shop: Debian GNU/Linux 12 (bookworm)"
    assert "  network card    VmxNet3, 00:50:56:aa:bb:01" in lines
    assert any(line.split()[:1] == ["sda"] and line.endswith("disk1.vmdk") for line in lines)


DRIVE = """
<Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceType>6</rasd:ResourceType></Item>
<Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/d</rasd:HostResource>
<rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
<Item><rasd:Address>00:50:56:aa:bb:01</rasd:Address><rasd:InstanceID>5</rasd:InstanceID>
<rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>
"""


def test_disk_of_another_host(disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = as_json(disk, capsys)
    with ssh_server(tmp_path / "server") as server:
        options = [word for option in server.options for word in ("--ssh-option", option)]
        far = json.loads(said("--json", *options, server.address(disk), capsys=capsys))
    assert far["survey"] == plain["survey"] and far["sources"][0]["format"] == "ssh"


def test_fixes_are_those_for_the_new_home(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The initrd has VMware's driver, and nothing of Hyper-V's."""
    text = said("--for", "hyperv", disk, capsys=capsys)
    assert "the kernel 6.1.0-9-amd64 has no hv_vmbus and no hv_storvsc" in text
    assert "hv_vmbus" not in said("--for", "vmware", disk, capsys=capsys)


def test_disk_without_a_system_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "data.img"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    assert said(image, capsys=capsys).splitlines()[0] == "data: nothing was found"
    subprocess.run(["mke2fs", "-q", image], check=True, capture_output=True)
    first = said(image, capsys=capsys).splitlines()[0]
    assert first == "data: no operating system was found; its disks hold ext2"


def test_what_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["inspect", str(tmp_path / "nothing")]) == 3
    assert "cannot be read" in capsys.readouterr().err
