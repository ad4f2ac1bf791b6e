"""A machine on KVM, in a machine: the example hypervisor, emulated with AMD's SVM, runs an appliance on hardware.

It stands on a board with an IOMMU, so that it passes a disk on, too.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import iommu_board
from jeos_command import Jeos, copy_recipe, wait_until
from machine_use import BOOT, inside
from soak import LONG

EXAMPLE = Path(__file__).parents[2] / "examples/hypervisor"
COUNTERS = Path("/sys/kernel/debug/kvm")
pytestmark = [
    pytest.mark.network,
    pytest.mark.vm,
    LONG,
]


def shell(jeos: Jeos, command: str) -> str:
    return inside(jeos, "hypervisor", "sh", "-c", command)


def counted(jeos: Jeos, *, image: str, paging: str) -> dict[str, float]:
    """Load KVM with this paging, run the appliance on it until it is healthy, and return what was counted."""
    letter = {"nested": "Y", "shadow": "N"}[paging]
    shell(jeos, f"modprobe -r kvm_amd; modprobe kvm_amd npt={int(letter == 'Y')}")
    assert shell(jeos, "cat /sys/module/kvm_amd/parameters/npt") == letter
    assert f"with {paging} paging, nested in another machine" in shell(jeos, "jeos doctor | grep speed")
    start = f"jeos run {image} --name inner --accel kvm --memory 256M --fresh --detach --wait healthy"
    shell(jeos, f"{start} --timeout {BOOT:.0f}")
    (seen,) = json.loads(shell(jeos, "jeos ls --json"))
    assert (seen["state"]["status"], seen["state"]["channel"]) == ("healthy", "vsock")
    clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    assert shell(jeos, f"jeos exec inner -- cat {clock}") == "kvm-clock"
    found = {name: float(shell(jeos, f"cat {COUNTERS / name}")) for name in ("exits", "pf_fixed")}
    shell(jeos, "jeos rm --force inner")
    report = json.loads(shell(jeos, f"jeos overhead --quick --json {image}"))
    assert report["accelerator"]["paging"] == paging
    costs = {result["name"]: result["costs"] for result in report["results"]}
    return {**found, "exits of a page fault": costs["page-fault"]["exits"]}


def pass_disk(jeos: Jeos, *, image: str, disk: Path) -> None:
    """Give a machine the disk, see it write there, kill its supervisor, and see the disk back with its driver."""
    device, words = f"/sys/bus/pci/devices/{iommu_board.ADDRESS}", "written by the machine in the machine"
    assert "groups of devices" in shell(jeos, "jeos doctor | grep iommu")
    start = f"jeos run {image} --name inner --device {iommu_board.ADDRESS},bind --accel kvm --memory 256M --fresh"
    shell(jeos, f"{start} --detach --wait healthy --timeout {BOOT:.0f}")
    assert f"for machines: {iommu_board.ADDRESS} (group " in shell(jeos, "jeos doctor | grep iommu")
    assert shell(jeos, "jeos exec inner -- cat /sys/class/nvme/nvme0/serial").strip() == "passed"
    shell(jeos, f"echo {words} | jeos exec inner -- dd of=/dev/nvme0n1 bs=512 conv=sync,fsync")
    assert "has devices of this host" in shell(jeos, "jeos save inner 2>&1 || true")
    (seen,) = json.loads(shell(jeos, "jeos ls --json"))
    shell(jeos, f"kill -KILL {seen['state']['supervisor']}")
    wait_until(lambda: shell(jeos, f"readlink {device}/driver || true").endswith("/nvme"), seconds=BOOT, every=1)
    assert shell(jeos, "head -n 1 /dev/nvme0n1") == words
    assert disk.read_bytes().startswith(words.encode())
    shell(jeos, "jeos rm --force inner")


def test_appliance_runs_on_kvm_in_the_hypervisor(jeos: Jeos, tiny: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    board.mkdir()
    iommu_board.put_in_place(board, disk=tmp_path / "nvme.img")
    jeos = jeos.having(PATH=f"{board}:{os.environ['PATH']}")
    recipe = copy_recipe(EXAMPLE, tmp_path / "hypervisor")
    subprocess.run([EXAMPLE / "fetch.sh", recipe / "python"], env={**os.environ, "PYTHON": sys.executable}, check=True)
    jeos.build(recipe)
    try:
        start = (
            "run",
            recipe,
            "--direct",
            "--accel",
            "tcg",
            "--confine",
            "off",
            "--share",
            f"{tiny / 'build'}:/mnt:ro",
            "--detach",
            "--wait",
            "healthy",
        )
        jeos.run(*start, "--timeout", str(BOOT))
        shell(jeos, f"mountpoint -q {COUNTERS.parent} || mount -t debugfs debugfs {COUNTERS.parent}")
        image = shell(jeos, "ls /mnt/tiny_*.json | grep -v -e cdx -e report")
        pass_disk(jeos, image=image, disk=tmp_path / "nvme.img")
        nested = counted(jeos, image=image, paging="nested")
        shadow = counted(jeos, image=image, paging="shadow")
    finally:
        jeos.run("rm", "--force", "hypervisor")
    # With nested paging the guest's own tables are its own affair; with shadow paging each change comes to the host.
    assert nested["exits of a page fault"] < 0.5 < 1 < shadow["exits of a page fault"]
    assert 20 * nested["pf_fixed"] < shadow["pf_fixed"]
    assert 2 * nested["exits"] < shadow["exits"]
