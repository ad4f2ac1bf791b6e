"""virt-v2v's whole way with OVAs of `jeos export`: one that it converts, and an appliance, which it only reads.

It looks at disks from within a machine of its own, here with the kernel of a Debian that is made for the test.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import guestfs
from foreign_disk import make
from foreign_machine import LEGACY, base_tree
from jeos.build.outputs import Outputs
from jeos.convert.inspect import inspect
from jeos.disk.formats import open_disk
from jeos_command import Jeos
from soak import LONG

PATIENCE = 3000  # seconds; all that it does is emulated, beside whatever else runs here
pytestmark = [
    pytest.mark.network,
    pytest.mark.root,
    pytest.mark.vm,
    pytest.mark.timeout(PATIENCE),
    LONG,
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a Debian with a kernel."""
    if os.geteuid() != 0:
        pytest.skip("needs to be root")
    if why := guestfs.missing("virt-v2v"):
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("base")
    yield base_tree(folder)
    shutil.rmtree(folder)


def virt_v2v(base: Path, ova: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Convert an OVA into a folder "out" beside it."""
    out = ova.parent / "out"
    out.mkdir()
    (version,) = (path.name for path in (base / "lib/modules").iterdir())
    kernel, modules = base / f"boot/vmlinuz-{version}", base / "lib/modules" / version
    words: list[str | Path] = ["virt-v2v", *options, "-i", "ova", ova, "-o", "local", "-os", out, "-of", "qcow2"]
    with guestfs.appliance(kernel=kernel, modules=modules, cache=base.parent) as environment:
        return subprocess.run(words, capture_output=True, text=True, env={**os.environ, **environment})


def test_virt_v2v_converts_an_exported_machine(base: Path, jeos: Jeos, tmp_path: Path) -> None:
    disk = make(LEGACY, base, place=tmp_path / "server.img")
    ova = tmp_path / "server.ova"
    jeos.run("export", disk, "--to", "ova", "-o", ova)
    done = virt_v2v(base, ova)
    assert done.returncode == 0, done.stdout + done.stderr
    described = (tmp_path / "out/server.xml").read_text()
    assert re.findall(r"<(name|memory unit='KiB'|vcpu)>(.*?)</", described) == [
        ("name", "server"),
        ("memory unit='KiB'", "1048576"),
        ("vcpu", "1"),
    ]
    assert "<loader" not in described and described.count("<interface ") == described.count("<disk ") == 1
    with open_disk(tmp_path / "out/server-sda") as converted:
        (system,) = inspect([converted]).survey.systems
    assert system.hostname == LEGACY.name
    assert [kernel.starts_on("virtio") for kernel in system.kernels] == [True]


def test_virt_v2v_reads_an_appliance_and_cannot_write_to_it(
    base: Path, jeos: Jeos, web: Outputs, tmp_path: Path
) -> None:
    """Its root is an EROFS, which nobody writes to; there is nothing in it to convert either."""
    ova = tmp_path / "web.ova"
    jeos.run("export", web.folder.parent, "--to", "ova", "-o", ova)
    done = virt_v2v(base, ova, "-v", "-x")
    said = done.stdout + done.stderr
    # Its own machine finds the disks in either order.
    assert re.search(r"^fs: /dev/sd[ab]2 \(erofs\) role: root$", said, re.MULTILINE), said
    assert f"    hostname: {web.image.name}" in said.splitlines()
    assert done.returncode == 1
    (error,) = re.findall(r"virt-v2v: error: ([^.]*)\.", said)
    assert error == "filesystem was mounted read-only, even though we asked for it to be mounted read-write"
