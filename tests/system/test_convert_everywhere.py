"""An appliance that was exported comes back: each form of it is converted and is the same disk, which boots."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import foreign_hardware
from jeos.build.outputs import Outputs
from jeos.export import target as targets
from jeos_command import Jeos
from machine_use import BOOT, free_port
from soak import SOAK

pytestmark = [pytest.mark.network, pytest.mark.vm]


@pytest.fixture(params=["ova", "vhdx", "vdi", "qcow2"])
def exported(request: pytest.FixtureRequest, jeos: Jeos, web: Outputs, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / f"exported{targets.load(request.param).SUFFIX}"
    jeos.run("export", web.folder.parent, "--to", request.param, "-o", path)
    yield path
    shutil.rmtree(tmp_path)


def test_exported_appliance_is_the_same_after_it_is_converted_and_boots(
    exported: Path, jeos: Jeos, web: Outputs
) -> None:
    back = exported.with_name("back.qcow2")
    jeos.run("convert", exported, "-o", back)
    compare = ["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(web.disk), str(back)]
    assert subprocess.run(compare, capture_output=True, text=True).stdout == "Images are identical.\n"
    report = json.loads(back.with_name("back.convert.json").read_text())
    assert (report["fixes"], report["hardware"]["boot"]) == ([[]], "firmware")
    if exported.suffix != ".vdi" and not SOAK:  # the disks are the same
        return
    port = free_port()
    words = ["--name", "back", "--port", f"{port}:80", "--accel", "tcg", "--memory", "256M", "--detach"]
    jeos.run("run", back, *words)
    try:
        jeos.run("exec", "--wait", str(BOOT), "back", "--", "test", "-d", "/sys/firmware/efi")
        assert foreign_hardware.page(port) == (web.folder.parent / "site/index.html").read_bytes()
    finally:
        jeos.run("rm", "--force", "back")
