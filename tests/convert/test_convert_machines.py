"""Whole machines of VMware: each fails on another hypervisor, is converted, and is up there, address and all.

Their disks are those of `foreign_machine`. The first boot of each is by hand and bare; after that `jeos` does what its
users would do: `jeos convert`, `jeos run`.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import ovf_samples
from bare_machine import PATIENCE, VIRTIO, VMWARE, BareMachine
from foreign_disk import DISK, make
from foreign_machine import ADDRESS, LEGACY, SAYS, UEFI, XFS, Foreign, base_tree
from jeos.core.run import run
from jeos.disk.blocks import File
from jeos.disk.formats import vmdk_write
from jeos.disk.formats.ordered import Effort
from jeos_command import Jeos, make_jeos, wait_until
from soak import LONG, SOAK

pytestmark = [pytest.mark.network, pytest.mark.root, pytest.mark.vm]
MAC = "00:50:56:9a:4b:c1"
LOGIN = r"(?m)^{name} login:"
UP = rf"{SAYS} ens192 +UP +{re.escape(ADDRESS)}/24"
NO_ROOT = r"ALERT! +/dev/\S+ does not exist"
NO_LOADER = r"UEFI Interactive Shell|No bootable option"
DESCRIPTOR = ovf_samples.smallest(
    name="shop",
    files='<File ovf:id="f" ovf:href="disk.vmdk"/>',
    disks=f'<Disk ovf:diskId="d" ovf:fileRef="f" ovf:capacity="{DISK}"/>',
    items="<Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>17</rasd:ResourceType>"
    "<rasd:HostResource>/disk/d</rasd:HostResource></Item>"
    "<Item><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>10</rasd:ResourceType>"
    f"<rasd:Address>{MAC}</rasd:Address></Item>",
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("needs to be root")
    folder = tmp_path_factory.mktemp("base")
    yield base_tree(folder)
    shutil.rmtree(folder)


MACHINES = [LEGACY, pytest.param(UEFI, marks=LONG), XFS]


@pytest.fixture(scope="module", params=MACHINES, ids=lambda machine: machine.name)
def machine(request: pytest.FixtureRequest) -> Foreign:
    found: Foreign = request.param
    return found


@pytest.fixture(scope="module")
def disk(machine: Foreign, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the machine's disk, raw."""
    folder = tmp_path_factory.mktemp(machine.name)
    yield make(machine, base, place=folder / "disk.raw")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def ova(disk: Path) -> Path:
    """Return the machine as its owner exported it."""
    vmdk = disk.with_name("disk.vmdk")
    with vmdk.open("w+b") as file, File(disk) as source:
        vmdk_write.write(source, file, effort=Effort.FAST)
    (disk.parent / "shop.ovf").write_bytes(DESCRIPTOR)
    run(["tar", "--format=ustar", "-C", disk.parent, "-cf", disk.parent / "shop.ova", "shop.ovf", "disk.vmdk"])
    vmdk.unlink()
    return disk.parent / "shop.ova"


@pytest.fixture(scope="module")
def jeos(tmp_path_factory: pytest.TempPathFactory) -> Jeos:
    return make_jeos(tmp_path_factory.mktemp("jeos")).having(JEOS_NETWORK="slirp")


def test_machine_works_at_home(machine: Foreign, disk: Path, tmp_path: Path) -> None:
    if machine is not LEGACY:
        pytest.skip("one shows that these disks are machines")
    with BareMachine(tmp_path / "vm", disk, hardware=VMWARE) as home:
        assert home.until(LOGIN.format(name=machine.name), NO_ROOT) == LOGIN.format(name=machine.name)


def test_machine_fails_before_it_is_converted(machine: Foreign, disk: Path, tmp_path: Path) -> None:
    if machine is XFS and not SOAK:
        pytest.skip("takes minutes; `make soak` runs it")
    uefi = machine.firmware == "uefi"
    with BareMachine(tmp_path / "vm", disk, hardware=VIRTIO, uefi=uefi) as away:
        login = LOGIN.format(name=machine.name)
        assert away.until(login, NO_LOADER if uefi else NO_ROOT) != login


@pytest.mark.timeout(3 * PATIENCE)
def test_machine_is_up_after_it_is_converted(machine: Foreign, ova: Path, jeos: Jeos, tmp_path: Path) -> None:
    before = ova.stat()
    server = tmp_path / "server.qcow2"
    options = ["--boot-test", "--timeout", str(PATIENCE)] if machine is LEGACY else []
    jeos.run("convert", ova, "--to", "qcow2", "-o", server, *options, timeout=2 * PATIENCE)
    assert (ova.stat().st_mtime_ns, ova.stat().st_size) == (before.st_mtime_ns, before.st_size)
    run(["qemu-img", "check", server])
    report = json.loads((tmp_path / "server.convert.json").read_text())
    assert report["hardware"]["macs"] == [MAC]
    assert report["notes"] == []
    if machine is LEGACY:
        assert report["boot_test"]["reached"] == "login", report["boot_test"]
        assert f"{machine.name} login:" in report["boot_test"]["console"]
        assert (tmp_path / "server.png").read_bytes().startswith(b"\x89PNG")
    jeos.run("run", server, "--name", machine.name, "--accel", "tcg", "--detach")
    try:
        wait_until(
            lambda: re.search(UP, jeos.run("logs", machine.name).stdout) is not None,
            f"{machine.name} has no address",
            seconds=PATIENCE,
            every=2,
        )
        said = jeos.run("logs", machine.name).stdout
    finally:
        jeos.run("rm", "--force", machine.name)
    assert re.search(LOGIN.format(name=machine.name), said), said
    for complaint in ("EXT4-fs error", "XFS.*[Cc]orrupt", "Failed to mount", "Timed out waiting for device"):
        assert not re.search(complaint, said), said
