"""A machine of KVM that goes to VMware and VirtualBox: it does not start there as it is, and does as a VMDK and a VDI.

Neither hypervisor is here: QEMU imitates the disks and cards that they offer, and the kernel's own drivers for these
are what starts. Hyper-V's devices nobody imitates; that its drivers get into the initrd, `adapt/` tests.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bare_machine import BareMachine
from foreign_disk import make
from foreign_machine import ADDRESS, KVM, SAYS, base_tree
from jeos_command import Jeos, make_jeos
from soak import LONG

pytestmark = [pytest.mark.network, pytest.mark.root, pytest.mark.vm]
UP = rf"{SAYS} ens192 +UP +{re.escape(ADDRESS)}/24"
LOGIN = rf"(?m)^{KVM.name} login:"
NO_ROOT = r"ALERT! +/dev/\S+ does not exist"
DISK = ("-drive", "file={disk},format=qcow2,if=none,id=disk")
HOMES = {  # a format, disks that its hypervisor has, and its card
    "pvscsi": ("vmdk", ("-device", "pvscsi", "-device", "scsi-hd,drive=disk,bootindex=0"), "vmxnet3"),
    "virtualbox": ("vdi", ("-device", "ich9-ahci,id=sata", "-device", "ide-hd,drive=disk,bus=sata.0"), "e1000"),
}


def hardware(name: str, mac: str) -> tuple[str, ...]:
    _, disk, card = HOMES[name]
    return (*DISK, *disk, "-netdev", "user,id=net", "-device", f"{card},netdev=net,romfile=,mac={mac}")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the machine's disk, raw."""
    if os.geteuid() != 0:
        pytest.skip("needs to be root")
    folder = tmp_path_factory.mktemp("kvm")
    yield make(KVM, base_tree(folder), place=folder / "disk.raw")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def jeos(tmp_path_factory: pytest.TempPathFactory) -> Jeos:
    return make_jeos(tmp_path_factory.mktemp("jeos"))


def test_machine_of_kvm_fails_on_vmware(disk: Path, tmp_path: Path) -> None:
    with BareMachine(tmp_path / "vm", disk, hardware=hardware("pvscsi", "00:50:56:00:00:01")) as away:
        assert away.until(LOGIN, NO_ROOT) == NO_ROOT


@pytest.mark.parametrize("home", ["pvscsi", pytest.param("virtualbox", marks=LONG)])
def test_machine_of_kvm_is_up_on_its_new_home(home: str, disk: Path, jeos: Jeos, tmp_path: Path) -> None:
    form = HOMES[home][0]
    made = tmp_path / f"server.{form}"
    jeos.run("convert", disk, "-o", made, "--console", "ttyS0")
    (mac,) = json.loads((tmp_path / "server.machine.json").read_text())["macs"]
    assert mac.startswith({"vmdk": "00:50:56:", "vdi": "08:00:27:"}[form])
    with BareMachine(tmp_path / "vm", made, hardware=hardware(home, mac), form=form) as machine:
        assert machine.until(UP, NO_ROOT) == UP
