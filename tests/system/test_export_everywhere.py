"""The example appliance in every form that there is: read by others, and booted again on others' hardware."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import foreign_hardware
import ovf_schema
from jeos.build.outputs import Outputs
from jeos.export import target as targets
from jeos_command import Jeos, wait_until, write_recipe
from machine_use import BOOT, free_port
from soak import LONG

pytestmark = [pytest.mark.network, pytest.mark.vm]
QEMU = {"qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "azure": "vpc", "vhdx": "vhdx", "vdi": "vdi", "raw": "raw"}
PAGE = "site/index.html"


@pytest.fixture(scope="module")
def exported(jeos: Jeos, web: Outputs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Return the file of each target."""
    folder = tmp_path_factory.mktemp("exported")
    paths = {}
    for name in targets.names():
        path = folder / f"web{targets.load(name).SUFFIX}"
        said = jeos.run("export", web.folder.parent, "--to", name, "-o", path, "--json")
        told = json.loads(said.stdout)
        assert (told["path"], told["warnings"]) == (str(path), [])
        assert "compare      the same" in said.stderr
        paths[name] = path
    yield paths
    shutil.rmtree(folder)


def original(web: Outputs) -> bytes:
    return (web.folder.parent / PAGE).read_bytes()


@pytest.mark.parametrize("name", sorted(QEMU))
def test_exported_disk_is_the_built_one(exported: dict[str, Path], web: Outputs, name: str) -> None:
    form = QEMU[name]
    if form in ("qcow2", "vmdk", "vhdx", "vdi"):
        subprocess.run(["qemu-img", "check", "-f", form, exported[name]], check=True, capture_output=True)
    compare = ["qemu-img", "compare", "-f", "raw", "-F", form, str(web.disk), str(exported[name])]
    done = subprocess.run(compare, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_exported_ova_holds_in_all_its_parts(exported: dict[str, Path], web: Outputs, tmp_path: Path) -> None:
    subprocess.run(["tar", "-C", tmp_path, "-xf", exported["ova"]], check=True)
    stem = f"{web.image.name}_{web.image.version}"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{stem}-disk1.vmdk", f"{stem}.mf", f"{stem}.ovf"]
    assert ovf_schema.complaints((tmp_path / f"{stem}.ovf").read_bytes()) == ""
    subprocess.run(["sha256sum", "--strict", "-c", f"{stem}.mf"], cwd=tmp_path, check=True, capture_output=True)
    compare = ["qemu-img", "compare", "-f", "raw", "-F", "vmdk", str(web.disk), str(tmp_path / f"{stem}-disk1.vmdk")]
    subprocess.run(compare, check=True, capture_output=True)


def test_exported_archives_hold_the_disk(exported: dict[str, Path], web: Outputs, tmp_path: Path) -> None:
    subprocess.run(["tar", "-C", tmp_path, "-xzSf", exported["gce"]], check=True)
    compare = ["qemu-img", "compare", "-f", "raw", "-F", "raw", str(web.disk), str(tmp_path / "disk.raw")]
    done = subprocess.run(compare, capture_output=True, text=True)
    assert (done.returncode, (tmp_path / "disk.raw").stat().st_size % (1 << 30)) == (0, 0), done.stdout
    copy = ["skopeo", "copy", "--insecure-policy", f"oci-archive:{exported['containerdisk']}", f"dir:{tmp_path}/oci"]
    subprocess.run(copy, check=True, capture_output=True)


def test_exported_qcow2_is_a_machine_of_jeos(exported: dict[str, Path], jeos: Jeos, web: Outputs) -> None:
    port = free_port()
    words = ["--name", "exported", "--port", f"{port}:80", "--accel", "tcg", "--memory", "256M", "--detach"]
    jeos.run("run", exported["qcow2"], *words)
    try:
        jeos.run("exec", "--wait", str(BOOT), "exported", "--", "test", "-d", "/sys/firmware/efi")
        assert foreign_hardware.page(port) == original(web)
    finally:
        jeos.run("rm", "--force", "exported")


def test_exported_ova_boots_on_the_hardware_that_it_asks_for(
    exported: dict[str, Path], web: Outputs, tmp_path: Path
) -> None:
    """VMware's paravirtual SCSI controller and network adapter, which QEMU imitates; its firmware has no driver."""
    subprocess.run(["tar", "-C", tmp_path, "-xf", exported["ova"]], check=True)
    (disk,) = tmp_path.glob("*.vmdk")
    storage = foreign_hardware.PVSCSI
    with foreign_hardware.running(
        disk, form="vmdk", storage=storage, network="vmxnet3", folder=tmp_path / "machine", kernel=web.kernel
    ) as machine:
        assert machine.page() == original(web)


ASKING = """
[[property]]
name = "site-title"
required = true

[[unit]]
name = "tell.service"
enable = true
content = '''
[Service]
Type=oneshot
EnvironmentFile=/run/jeos/properties.env
ExecStart=/bin/sh -c 'echo "the title is $SITE_TITLE." > /dev/console'

[Install]
WantedBy=multi-user.target
'''
"""
TYPED_IN = """<?xml version="1.0" encoding="UTF-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:oe="http://schemas.dmtf.org/ovf/environment/1">
  <PropertySection><Property oe:key="site-title" oe:value="Tom &amp; Jerry"/></PropertySection>
</Environment>
"""


def test_exported_ova_takes_what_was_typed_in_at_deployment(jeos: Jeos, tmp_path: Path) -> None:
    """The disc with properties that vSphere puts into machines whose OVA asks for it."""
    folder = write_recipe(tmp_path / "asking", ASKING)
    built = jeos.build(folder)
    jeos.run("export", folder, "--to", "ova", "-o", tmp_path / "asking.ova")
    subprocess.run(["tar", "-C", tmp_path, "-xf", tmp_path / "asking.ova"], check=True)
    (disk,) = tmp_path.glob("*.vmdk")
    (descriptor,) = tmp_path.glob("*.ovf")
    assert ovf_schema.complaints(descriptor.read_bytes()) == ""
    assert 'ovf:transport="iso"' in descriptor.read_text()
    (tmp_path / "disc").mkdir()
    (tmp_path / "disc/ovf-env.xml").write_text(TYPED_IN)
    disc = tmp_path / "disc.iso"
    subprocess.run(["genisoimage", "-quiet", "-V", "OVF ENV", "-o", disc, tmp_path / "disc"], check=True)
    with foreign_hardware.running(
        disk,
        form="vmdk",
        storage=foreign_hardware.PVSCSI,
        network="vmxnet3",
        folder=tmp_path / "machine",
        kernel=built.kernel,
        more=("-smbios", "type=1,manufacturer=VMware,, Inc.", *foreign_hardware.disc(disc)),
    ) as machine:
        wait_until(lambda: "the title is Tom & Jerry." in machine.said(), machine.said, seconds=BOOT)


@pytest.mark.parametrize(
    ("name", "storage"),
    [("vhdx", foreign_hardware.NVME), pytest.param("vdi", foreign_hardware.VIRTIO_SCSI, marks=LONG)],
)
def test_exported_disk_boots(
    exported: dict[str, Path], web: Outputs, tmp_path: Path, name: str, storage: tuple[str, ...]
) -> None:
    with foreign_hardware.running(
        exported[name], form=QEMU[name], storage=storage, network="virtio-net-pci", folder=tmp_path
    ) as machine:
        assert machine.page() == original(web)


@pytest.mark.parametrize("name", ["ova", *(pytest.param(name, marks=LONG) for name in ("qcow2", "vdi", "vhdx"))])
def test_exported_file_is_up_after_it_is_converted(
    exported: dict[str, Path], jeos: Jeos, tmp_path: Path, name: str
) -> None:
    words = ("-o", tmp_path / "back.qcow2", "--to", "qcow2", "--boot-test", "--json")
    told = json.loads(jeos.run("convert", exported[name], *words).stdout)
    assert (told["boot_test"]["reached"], told["boot_test"]["reason"], told["fixes"]) == ("agent", "", [[]])
