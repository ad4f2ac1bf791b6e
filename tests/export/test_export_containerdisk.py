"""Container disks as others read them: skopeo and tar."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

import export_disks
from jeos.core.errors import InputError
from jeos.disk.blocks import File, Memory
from jeos.export.export import export
from jeos.export.source import Source
from jeos.export.target import Options
from jeos.export.targets import containerdisk


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    export_disks.write(tmp_path / "disk.raw")
    with File(tmp_path / "disk.raw") as disk:
        source = Source(disk=disk, name="web", version="1.0")
        export(source, tmp_path / "web.oci.tar", target="containerdisk", options=Options())
    return tmp_path / "web.oci.tar"


def skopeo(*words: str) -> str:
    return subprocess.run(["skopeo", *words], check=True, capture_output=True, text=True).stdout


def test_containerdisk_is_what_skopeo_inspects(archive: Path) -> None:
    told = json.loads(skopeo("inspect", f"oci-archive:{archive}"))
    assert (told["Architecture"], told["Os"], told["Created"]) == ("amd64", "linux", "1980-01-01T00:00:00Z")
    assert told["Labels"] == {
        "org.opencontainers.image.title": "web",
        "org.opencontainers.image.version": "1.0",
    }
    assert len(told["Layers"]) == 1
    config = json.loads(skopeo("inspect", "--config", f"oci-archive:{archive}:1.0"))
    assert config["rootfs"] == {"type": "layers", "diff_ids": told["Layers"]}


def test_containerdisk_is_copied_by_skopeo_with_its_disk(archive: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    skopeo("copy", "--insecure-policy", f"oci-archive:{archive}", f"dir:{copy}")  # compares every digest
    (layer,) = json.loads((copy / "manifest.json").read_text())["layers"]
    content = (copy / layer["digest"].removeprefix("sha256:")).read_bytes()
    assert hashlib.sha256(content).hexdigest() == layer["digest"].removeprefix("sha256:")
    (tmp_path / "layer.tar").write_bytes(content)
    listed = subprocess.run(["tar", "--numeric-owner", "-tvf", tmp_path / "layer.tar"], check=True, capture_output=True)
    lines = [line.split() for line in listed.stdout.decode().splitlines()]
    assert [(line[0], line[1], line[5]) for line in lines] == [
        ("drwxr-xr-x", "107/107", "disk/"),
        ("-r--r-----", "107/107", "disk/web_1.0.qcow2"),
    ]
    subprocess.run(["tar", "-C", tmp_path, "--no-same-owner", "-xf", tmp_path / "layer.tar"], check=True)
    disk = str(tmp_path / "disk/web_1.0.qcow2")
    subprocess.run(["qemu-img", "check", "-f", "qcow2", disk], check=True, capture_output=True)
    compare = ["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(tmp_path / "disk.raw"), disk]
    subprocess.run(compare, check=True, capture_output=True)


def test_containerdisk_that_is_none_is_refused(archive: Path) -> None:
    content = archive.read_bytes().replace(b'"layers"', b'"lawyers'[:8])
    for bad in (content, b"no archive" * 100):
        with pytest.raises(InputError):
            containerdisk.open(Memory(bad))
