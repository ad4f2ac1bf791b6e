"""Every target: what is written holds the disk, says so to other programs, and comes out the same each time."""

import json
import subprocess
from pathlib import Path

import pytest

import export_disks
from jeos.core.errors import UsageError
from jeos.disk.blocks import File
from jeos.disk.compare import difference
from jeos.disk.formats.ordered import Effort
from jeos.export import target as targets
from jeos.export.source import Source
from jeos.export.target import Options
from jeos.export.targets import gce

QEMU = {"qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "azure": "vpc", "vhdx": "vhdx", "vdi": "vdi", "raw": "raw"}
IDENTIFIED = ("azure", "vdi", "vhd", "vhdx")  # formats with an identifier that must be new for each disk
CHECKED = ("qcow2", "vmdk", "vhdx", "vdi")  # the formats that `qemu-img check` knows


@pytest.fixture(autouse=True)
def small_gce(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Keep disks for Google small, except where their size is looked at."""
    if "gce_is" not in request.node.name:
        monkeypatch.setattr(gce, "GIBIBYTE", 64 << 20)


def disk(folder: Path) -> Path:
    export_disks.write(folder / "disk.raw")
    return folder / "disk.raw"


def write(target: str, folder: Path, *, effort: Effort = Effort.USUAL) -> Path:
    path = folder / f"written.{target}"
    with File(disk(folder)) as blocks, path.open("w+b") as file:
        source = Source(disk=blocks, name="web", version="1.0")
        assert targets.load(target).write(source, file, options=Options(effort=effort)) == ()
    return path


@pytest.mark.parametrize("effort", list(Effort))
@pytest.mark.parametrize("target", targets.names())
def test_target_gives_its_disk_back(tmp_path: Path, target: str, effort: Effort) -> None:
    path = write(target, tmp_path, effort=effort)
    with File(path) as written, File(tmp_path / "disk.raw") as source:
        found = targets.load(target).open(written)
        assert difference(source, found) is None
        assert found.size >= source.size


@pytest.mark.parametrize("target", sorted(set(targets.names()) - set(IDENTIFIED)))
def test_target_is_the_same_each_time(tmp_path: Path, target: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert write(target, first).read_bytes() == write(target, second).read_bytes()


@pytest.mark.parametrize("target", sorted(QEMU))
def test_target_is_what_qemu_reads(tmp_path: Path, target: str) -> None:
    path = write(target, tmp_path)
    form = QEMU[target]
    command = ["qemu-img", "info", "--output=json", "-f", form, str(path)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert told["virtual-size"] >= export_disks.SIZE
    command = ["qemu-img", "compare", "-f", "raw", "-F", form, str(tmp_path / "disk.raw"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "Images are identical.\n") or "shorter" in done.stdout + done.stderr
    if target in CHECKED:
        subprocess.run(["qemu-img", "check", "-f", form, path], check=True, capture_output=True)


def test_gce_is_one_file_of_whole_gib_in_the_old_form(tmp_path: Path) -> None:
    path = write("gce", tmp_path)
    done = subprocess.run(["tar", "--numeric-owner", "-tvzf", path], check=True, capture_output=True, text=True)
    assert (" ".join(done.stdout.split()), done.stderr) == (f"-rw-r--r-- 0/0 {1 << 30} 1980-01-01 00:00 disk.raw", "")
    unpacked = subprocess.Popen(["gzip", "-dc", path], stdout=subprocess.PIPE)
    assert unpacked.stdout is not None
    assert unpacked.stdout.read(265)[257:] == b"ustar  \0"
    unpacked.stdout.close()
    unpacked.wait()
    subprocess.run(["tar", "-C", tmp_path / "", "-xzSf", path], check=True)
    content = (tmp_path / "disk.raw").read_bytes()
    assert len(content) == 1 << 30
    assert content[: export_disks.SIZE] == export_disks.write(tmp_path / "again.raw")
    assert not any(content[export_disks.SIZE :])


def test_every_target_is_read_by_another_program() -> None:
    assert set(targets.names()) == {*QEMU, "ova", "gce", "containerdisk"}  # the last three have tests of their own


def test_azure_is_of_fixed_size_in_whole_mib(tmp_path: Path) -> None:
    path = write("azure", tmp_path)
    assert path.stat().st_size == export_disks.SIZE + 512
    assert path.read_bytes()[-512:][:8] == b"conectix"


def test_load_unknown_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        targets.load("vmkd")
    assert caught.value.message == "there is no target vmkd"
    assert caught.value.hint.startswith("did you mean vmdk? there are: ")
