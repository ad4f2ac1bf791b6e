"""OVAs as other programs take them: tar, xmllint, checksum programs, qemu-img and Cisco's cot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import export_disks
import ovf_schema
from jeos.core.errors import TrustError
from jeos.disk import ova
from jeos.disk.blocks import File
from jeos.disk.ovf_certificate import Signatory
from jeos.export.export import export
from jeos.export.source import Source
from jeos.export.target import Hardware, Options, load
from jeos.model.image import Port
from jeos.model.recipe import Property


def make(folder: Path, *, options: Options, size: int = export_disks.SIZE) -> Path:
    export_disks.write(folder / "disk.raw", size=size)
    with File(folder / "disk.raw") as disk:
        source = Source(
            disk=disk,
            name="web",
            version="1.0",
            vendor="Example",
            ports=(Port(80, name="web"),),
            properties=(Property("title", default="Tom & Jerry"), Property("workers", type="integer", default="2")),
            eula="Be kind.\n",
        )
        export(source, folder / "web.ova", target="ova", options=options)
    return folder / "web.ova"


def unpack(path: Path) -> Path:
    folder = path.parent / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-C", folder, "-xf", path], check=True)
    return folder


@pytest.mark.parametrize("hardware", [None, *Hardware])
@pytest.mark.parametrize("manifest", ["sha1", "sha256"])
def test_ova_is_valid_in_all_its_parts(tmp_path: Path, manifest: str, hardware: Hardware | None) -> None:
    folder = unpack(make(tmp_path, options=Options(manifest=manifest, hardware=hardware)))
    assert sorted(os.listdir(folder)) == ["web_1.0-disk1.vmdk", "web_1.0.mf", "web_1.0.ovf"]
    assert ovf_schema.complaints((folder / "web_1.0.ovf").read_bytes()) == ""
    subprocess.run([f"{manifest}sum", "--strict", "-c", "web_1.0.mf"], cwd=folder, check=True, capture_output=True)
    disk = str(folder / "web_1.0-disk1.vmdk")
    compare = ["qemu-img", "compare", "-f", "raw", "-F", "vmdk", str(tmp_path / "disk.raw"), disk]
    subprocess.run(compare, check=True, capture_output=True)
    subprocess.run(["qemu-img", "check", "-f", "vmdk", disk], check=True, capture_output=True)


def test_ova_capacity_is_that_of_its_disk(tmp_path: Path) -> None:
    folder = unpack(make(tmp_path, options=Options(), size=(1 << 20) + 512))
    text = (folder / "web_1.0.ovf").read_text()
    assert 'ovf:capacity="1088" ovf:capacityAllocationUnits="byte * 2^10"' in text
    told = subprocess.run(["qemu-img", "info", folder / "web_1.0-disk1.vmdk"], capture_output=True, text=True)
    assert f"({1088 << 10} bytes)" in told.stdout


def test_ova_with_a_key_is_signed(tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=Vendor -keyout key.pem -out certificate.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    pair = [(tmp_path / name).read_bytes() for name in ("key.pem", "certificate.pem")]
    path = make(tmp_path, options=Options(signatory=Signatory(*pair, name="key.pem")))
    with ova.open_package(path) as package:
        signer = ova.signer(package)
        assert signer is not None
        assert signer.subject == "CN=Vendor"
    content = bytearray(path.read_bytes())
    digit = content.index(b"SHA256(web_1.0.mf)= ") + 30
    content[digit] = ord("0") if content[digit] != ord("0") else ord("1")
    path.write_bytes(content)
    with File(path) as blocks, pytest.raises(TrustError, match="the signature by CN=Vendor does not hold"):
        load("ova").open(blocks)


def test_ova_that_was_changed_is_not_opened(tmp_path: Path) -> None:
    path = make(tmp_path, options=Options())
    content = bytearray(path.read_bytes())
    content[-20_000] ^= 1
    path.write_bytes(content)
    with File(path) as blocks, pytest.raises(TrustError, match="does not have the SHA256"):
        load("ova").open(blocks)


def test_ova_warns_of_missing_drivers(tmp_path: Path) -> None:
    export_disks.write(tmp_path / "disk.raw")
    with File(tmp_path / "disk.raw") as disk:
        source = Source(disk=disk, name="web", modules={"virtio_blk"})
        plain = Options(hardware=Hardware.PLAIN)
        done = export(source, tmp_path / "a.ova", target="ova", options=Options())
        other = export(source, tmp_path / "b.ova", target="ova", options=plain)
    assert done.warnings == (
        "the machine asks for vmware hardware, and its kernel lacks vmw_pvscsi, vmxnet3: "
        "add them to `kernel.modules` in the recipe, or export with --hardware plain",
    )
    assert other.warnings == (
        "the machine asks for plain hardware, and its kernel lacks ahci, e1000: "
        'the kernel of `kernel.flavour = "generic"` in the recipe has them',
    )


@pytest.mark.parametrize("manifest", ["sha1", "sha256"])
@pytest.mark.parametrize(
    ("hardware", "storage", "network"), [("vmware", "scsi", "vmxnet3"), ("plain", "sata", "e1000")]
)
def test_ova_is_what_virt_v2v_reads(tmp_path: Path, manifest: str, hardware: str, storage: str, network: str) -> None:
    path = make(tmp_path, options=Options(manifest=manifest, hardware=Hardware(hardware)))
    done = subprocess.run(["virt-v2v", "-i", "ova", path, "--print-source"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    for words in ("source name: web", "memory: 1073741824 (bytes)", "nr vCPUs: 1", "firmware: uefi"):
        assert words in told
    assert f'disks: 0 [{storage}] removable media: CD-ROM [ide] in slot 0 NICs: Bridge "VM Network" [{network}]' in told


@pytest.fixture(scope="module")
def cot(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Install cot in an environment of its own: it was last released in 2019, and wants setuptools at run time."""
    folder = tmp_path_factory.mktemp("cot")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [str(folder / "bin/pip"), "install", "--quiet", "cot==2.2.1", "setuptools<80"]
    subprocess.run(install, check=True, capture_output=True)
    return str(folder / "bin/cot")


@pytest.mark.network
@pytest.mark.parametrize("hardware", list(Hardware))
def test_ova_with_sha1_is_what_cot_reads(tmp_path: Path, cot: str, hardware: Hardware) -> None:
    path = make(tmp_path, options=Options(manifest="sha1", hardware=hardware))
    done = subprocess.run([cot, "--quiet", "info", "--verbose", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    words = " ".join(done.stdout.split())
    device = {Hardware.VMWARE: "SCSI 0:0", Hardware.PLAIN: "SATA 0:0"}[hardware]
    nic = {Hardware.VMWARE: "VmxNet3", Hardware.PLAIN: "E1000"}[hardware]
    assert f"33 MiB harddisk @ {device}" in words
    assert f"Ethernet device types: {nic}" in words
    assert "System types: vmx-11" in words
