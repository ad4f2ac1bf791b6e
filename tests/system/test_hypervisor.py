"""A machine on KVM, in a machine: the example hypervisor, emulated with AMD's SVM, runs an appliance on hardware."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jeos_command import Jeos, copy_recipe
from machine_use import BOOT, inside

EXAMPLE = Path(__file__).parents[2] / "examples/hypervisor"
COUNTERS = Path("/sys/kernel/debug/kvm")
pytestmark = [
    pytest.mark.network,
    pytest.mark.vm,
    pytest.mark.skipif(not os.environ.get("JEOS_SOAK"), reason="takes minutes; `make soak` runs it"),
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


def test_appliance_runs_on_kvm_in_the_hypervisor(jeos: Jeos, tiny: Path, tmp_path: Path) -> None:
    recipe = copy_recipe(EXAMPLE, tmp_path / "hypervisor")
    subprocess.run([EXAMPLE / "fetch.sh", recipe / "python"], env={**os.environ, "PYTHON": sys.executable}, check=True)
    jeos.build(recipe)
    try:
        start = (
            "run",
            recipe,
            "--accel",
            "tcg",
            "--share",
            f"{tiny / 'build'}:/mnt:ro",
            "--detach",
            "--wait",
            "healthy",
        )
        jeos.run(*start, "--timeout", str(BOOT))
        shell(jeos, f"mountpoint -q {COUNTERS.parent} || mount -t debugfs debugfs {COUNTERS.parent}")
        image = shell(jeos, "ls /mnt/tiny_*.json | grep -v -e cdx -e report")
        nested = counted(jeos, image=image, paging="nested")
        shadow = counted(jeos, image=image, paging="shadow")
    finally:
        jeos.run("rm", "--force", "hypervisor")
    # With nested paging the guest's own tables are its own affair; with shadow paging each change comes to the host.
    assert nested["exits of a page fault"] < 0.5 < 1 < shadow["exits of a page fault"]
    assert 20 * nested["pf_fixed"] < shadow["pf_fixed"]
    assert 2 * nested["exits"] < shadow["exits"]
