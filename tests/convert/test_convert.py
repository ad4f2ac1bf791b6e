"""The steps of a conversion, on small machines: what is written, what stays, and what is left of one that fails."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ovf_samples
from jeos.convert import convert, result
from jeos.convert.inspect import Inspection, inspect
from jeos.convert.machine import Options
from jeos.convert.result import FORMATS, Conversion, Request
from jeos.convert.source import open_source
from jeos.core.errors import HostError, InputError, JeosError, TrustError, UsageError
from jeos.core.run import run
from jeos.disk.blocks import File
from jeos.disk.compare import difference
from jeos.disk.formats import open_disk
from jeos.model import hardware
from jeos.model.hardware import Hardware
from jeos.model.machine import Boot
from small_machine import UUID, make_disk
from ssh_server import ssh_server

MEBIBYTE = 1 << 20
MAC = "00:50:56:9a:00:01"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_disk(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="module")
def ova(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the machine as VMware's tools pack it."""
    folder = tmp_path_factory.mktemp("ova")
    run(["qemu-img", "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", disk, folder / "a.vmdk"])
    items = (
        "<Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>17</rasd:ResourceType>"
        "<rasd:HostResource>/disk/d</rasd:HostResource></Item>"
        "<Item><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType>"
        "<rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>"
        "<Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType>"
        "<rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>"
        "<rasd:VirtualQuantity>768</rasd:VirtualQuantity></Item>"
        "<Item><rasd:InstanceID>4</rasd:InstanceID><rasd:ResourceType>10</rasd:ResourceType>"
        f"<rasd:Address>{MAC}</rasd:Address></Item>"
    )
    descriptor = ovf_samples.smallest(
        name="shop",
        files='<File ovf:id="f" ovf:href="a.vmdk"/>',
        disks='<Disk ovf:diskId="d" ovf:fileRef="f" ovf:capacity="80" ovf:capacityAllocationUnits="byte * 2^20"/>',
        items=items,
    )
    place = folder / "shop.ova"
    vmdk = (folder / "a.vmdk").read_bytes()
    manifest = f"SHA256(a.vmdk)= {hashlib.sha256(vmdk).hexdigest()}\n".encode()
    place.write_bytes(ovf_samples.archive({"shop.ovf": descriptor, "shop.mf": manifest, "a.vmdk": vmdk}))
    return place


def converted(source: Path | str, request: Request) -> Conversion:
    with open_source([str(source)]) as opened:
        options = replace(request.options, macs=opened.macs)
        return convert.convert(opened, replace(request, options=options))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def root_text(path: Path, name: str) -> str:
    with open_disk(path) as opened:
        found: Inspection = inspect([opened])
        return found.machines()[0].root.read_text(name)


def test_package_becomes_a_machine(ova: Path, tmp_path: Path) -> None:
    before = digest(ova)
    done = converted(ova, Request(tmp_path / "new/shop.qcow2"))
    assert digest(ova) == before
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "shop.convert.json",
        "shop.machine.json",
        "shop.qcow2",
    ]
    path = tmp_path / "new/shop.qcow2"
    run(["qemu-img", "check", path])
    assert done.disks == (path,)
    assert f"UUID={UUID} / ext4" in root_text(path, "etc/fstab")
    assert f"UUID={UUID}" in root_text(path, "boot/grub/grub.cfg")
    assert MAC in root_text(path, "etc/udev/rules.d/70-persistent-net.rules")
    known = hardware.parse((tmp_path / "new/shop.machine.json").read_text(), source="test")
    assert known == Hardware(boot=Boot.FIRMWARE, memory=768, cpus=2, macs=(MAC,))
    report = json.loads((tmp_path / "new/shop.convert.json").read_text())
    assert (report["name"], report["sources"], report["disks"]) == ("shop", ["a.vmdk"], [str(path)])
    assert report["survey"]["systems"][0]["pretty"] == "Debian GNU/Linux 12 (bookworm)"
    paths = {path for fixes in report["fixes"] for fix in fixes for path in fix["paths"]}
    assert {"boot/grub/grub.cfg", "etc/udev/rules.d/70-persistent-net.rules"} <= paths
    # What was mended needs no mending: another conversion finds nothing to do but what cannot be done.
    again = converted(path, Request(tmp_path / "again.qcow2"))
    assert [fix.name for fixes in again.fixes for fix in fixes if fix.changes] == []


def test_package_that_is_not_as_its_manifest_says(ova: Path, tmp_path: Path) -> None:
    content = ova.read_bytes()
    place = tmp_path / "in/shop.ova"
    place.parent.mkdir()
    at = content.index(b"SHA256(a.vmdk)= ") + len(b"SHA256(a.vmdk)= ")
    place.write_bytes(content[:at] + (b"0" if content[at : at + 1] != b"0" else b"1") + content[at + 1 :])
    with pytest.raises(TrustError, match=r"a\.vmdk does not have the SHA256 that the manifest gives"):
        converted(place, Request(tmp_path / "shop.qcow2"))
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_holds_the_same_machine(form: str, disk: Path, tmp_path: Path) -> None:
    done = converted(disk, Request(tmp_path / f"other.{form}", format=form, mend=False))
    with File(disk) as raw, open_disk(done.disks[0], format=form) as opened:
        assert difference(raw, opened) is None
    run(["qemu-img", "compare", disk, done.disks[0]])


def test_nothing_is_mended_unless_asked(disk: Path, tmp_path: Path) -> None:
    done = converted(disk, Request(tmp_path / "same.img", format="raw", mend=False))
    assert digest(tmp_path / "same.img") == digest(disk)
    assert done.fixes == ((),)


def test_plan_writes_nothing(disk: Path, tmp_path: Path) -> None:
    before = digest(disk)
    with open_source([str(disk)]) as source:
        found = convert.plan(source, Request(tmp_path / "new/x.qcow2"))
    assert found.disks == () and any(fix.changes for fix in found.fixes[0])
    assert list(tmp_path.iterdir()) == [] and digest(disk) == before


def test_second_disk_comes_along(disk: Path, tmp_path: Path) -> None:
    second = tmp_path / "data.img"
    second.write_bytes(b"data" * 25_000 + bytes(100_000 - 32))
    with open_source([str(disk), str(second)]) as source:
        done = convert.convert(source, Request(tmp_path / "m.qcow2"))
    assert done.disks == (tmp_path / "m.qcow2", tmp_path / "m-2.qcow2")
    assert done.hardware.disks == ("m-2.qcow2",)
    with File(second) as raw, open_disk(done.disks[1]) as opened:
        assert difference(raw, opened) is None


def test_disk_over_ssh(disk: Path, tmp_path: Path) -> None:
    with (
        ssh_server(tmp_path / "server") as server,
        open_source([server.address(disk)], ssh_options=server.options) as source,
    ):
        done = convert.convert(source, Request(tmp_path / "far.qcow2"))
        same = convert.convert(source, Request(tmp_path / "same.img", format="raw", mend=False))
    assert f"UUID={UUID} / ext4" in root_text(done.disks[0], "etc/fstab")
    assert digest(same.disks[0]) == digest(disk)


def test_journal_is_replayed_before_anything_is_planned(disk: Path, tmp_path: Path) -> None:
    """What the machine had written when its power was cut is what counts, not what is in the blocks yet."""
    cut = tmp_path / "cut.img"
    run(["cp", "--sparse=always", disk, cut])
    device = f"{cut}?offset={25 * MEBIBYTE}"
    block = run(["debugfs", "-R", "blocks /etc/hostname", device]).text.split()[0]
    size = int(run(["debugfs", "-R", "stats -h", device]).text.partition("Block size:")[2].split()[0])
    (tmp_path / "block").write_bytes(b"from-the-journal\n"[:7].ljust(size, b"\0"))
    script = tmp_path / "script"
    script.write_text(f"journal_open\njournal_write -b {block} {tmp_path / 'block'}\njournal_close\n")
    run(["debugfs", "-w", "-f", script, device])
    before = digest(cut)
    done = converted(cut, Request(tmp_path / "new.qcow2"))
    assert done.survey.systems[0].hostname == "from-th"
    assert digest(cut) == before


def test_names_that_are_taken(disk: Path, tmp_path: Path) -> None:
    for name in ("x.qcow2", "x.machine.json", "x.convert.json"):
        (tmp_path / name).write_bytes(b"mine")
        with pytest.raises(UsageError, match=f"{name} is there already"):
            converted(disk, Request(tmp_path / "x.qcow2"))
        assert (tmp_path / name).read_bytes() == b"mine"
        (tmp_path / name).unlink()
    copy = tmp_path / "own.img"
    run(["cp", "--sparse=always", disk, copy])
    before = digest(copy)
    with pytest.raises(UsageError, match="is what the new file is made of"):
        converted(copy, Request(copy, format="raw", force=True))
    assert digest(copy) == before
    (tmp_path / "x.qcow2").write_bytes(b"old")
    done = converted(disk, Request(tmp_path / "x.qcow2", force=True))
    run(["qemu-img", "check", done.disks[0]])


@pytest.mark.parametrize("step", ["_copy", "_apply", "_write_disk", "difference"])
def test_failure_leaves_nothing(step: str, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> int:
        if step == "difference":
            return 4096
        raise InputError("the disk is damaged")

    before = digest(disk)
    monkeypatch.setattr(convert, step, fail)
    with pytest.raises(JeosError, match=r"is damaged|is not what was read, from byte 4096"):
        converted(disk, Request(tmp_path / "x.qcow2"))
    assert list(tmp_path.iterdir()) == []
    assert digest(disk) == before


def test_killed_conversion_leaves_no_target(disk: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "jeos", "convert", str(disk), "-o", str(tmp_path / "x.qcow2")]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not any(tmp_path.glob(f"{convert.WORK_PREFIX}*/disk-0")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(convert.WORK_PREFIX)] == []
    converted(disk, Request(tmp_path / "x.qcow2"))  # which sweeps up
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.convert.json", "x.machine.json", "x.qcow2"]


def test_killed_conversion_is_swept_up_from_elsewhere(disk: Path, tmp_path: Path) -> None:
    """Also if nobody converts to that folder again."""
    argv = [sys.executable, "-m", "jeos", "convert", str(disk), "-o", str(tmp_path / "here/x.qcow2")]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not any(tmp_path.glob(f"here/{convert.WORK_PREFIX}*/disk-0")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert any((tmp_path / "here").iterdir())
    converted(disk, Request(tmp_path / "there/x.qcow2"))
    assert list((tmp_path / "here").iterdir()) == []


def test_room_is_looked_at_first(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 10 * MEBIBYTE})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(HostError, match=r"has room for 10 MiB, and the conversion takes up to \d+ MiB"):
        converted(disk, Request(tmp_path / "x.qcow2"))
    assert list(tmp_path.iterdir()) == []


def test_programs_are_looked_for_first(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise HostError(f"the program {name} is not installed")

    monkeypatch.setattr("jeos.convert.writers.ext.find_program", missing)
    with pytest.raises(HostError, match="debugfs is not installed"):
        converted(disk, Request(tmp_path / "x.qcow2"))
    assert list(tmp_path.iterdir()) == []


PROTOTYPE = """\
/none
0 0
d--755 0 0
etc d--755 0 0
os-release ---644 0 0 {folder}/os-release
fstab ---644 0 0 {folder}/fstab
$
usr d--755 0 0
$
$
"""


@pytest.fixture(scope="module")
def xfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a machine whose root is XFS, made without root."""
    folder = tmp_path_factory.mktemp("xfs")
    (folder / "os-release").write_text('ID=debian\nPRETTY_NAME="Debian"\n')
    (folder / "fstab").write_text("/dev/sda / xfs defaults 0 0\n")
    (folder / "prototype").write_text(PROTOTYPE.format(folder=folder))
    disk = folder / "disk"
    disk.touch()
    os.truncate(disk, 320 * MEBIBYTE)
    run(["mkfs.xfs", "-q", "-p", folder / "prototype", disk])
    return disk


@pytest.mark.parametrize("asked", [{}, {"size": 400 * MEBIBYTE}, {"size": 400 * MEBIBYTE, "mend": False}])
def test_ordinary_users_are_told_before_anything_is_copied(
    asked: dict[str, Any], xfs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(convert, "_copy", lambda *_: pytest.fail("it was copied"))
    with pytest.raises(HostError, match="mounts them for root only") as caught:
        converted(xfs, Request(tmp_path / "x.qcow2", **asked))
    assert "sudo jeos convert" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_ordinary_users_can_convert_xfs_as_it_is(xfs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    done = converted(xfs, Request(tmp_path / "x.img", format="raw", mend=False))
    assert digest(done.disks[0]) == digest(xfs)


def test_disk_without_a_system(tmp_path: Path) -> None:
    (tmp_path / "data.img").write_bytes(b"data" * 1024)
    done = converted(tmp_path / "data.img", Request(tmp_path / "x.vdi", format="vdi"))
    assert "no operating system was found, and nothing was mended" in done.notes
    assert done.hardware == Hardware(boot=Boot.BIOS)


def test_report_goes_beside_the_disk() -> None:
    assert result.place(Path("a/server.qcow2")) == Path("a/server.convert.json")
    assert result.disk_path(Path("a/server.qcow2"), 2) == Path("a/server-3.qcow2")
    assert Request(Path("x")).options == Options()
