"""An update through cuts of power, from a recording of all that one update writes to its disk.

The recording is of the real thing: UEFI firmware, systemd-boot, an update from a channel, the restart, the trial. From
it any number of disks are made as a cut at any point would have left them (see `cut_disks`). Each is looked over by
programs that are not ours; some are started, and must be well, and finish the update. `make soak` starts a hundred.
"""

import json
import os
import random
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cut_disks import CutDisk, WriteLog, points
from disk_survey import Found, Surveyor
from jeos.channel.serve import serving
from jeos_command import Jeos, wait_until
from machine_use import BOOT, free_port, inside
from qemu_door import QemuDoor
from update_vendor import Vendor

SOAK = bool(os.environ.get("JEOS_SOAK"))  # set by `make soak`
pytestmark = [pytest.mark.network, pytest.mark.vm, pytest.mark.timeout(0 if SOAK else 1800)]

SURVEYED = 1000 if SOAK else 50  # cuts whose disks are looked over
STARTED = int(os.environ.get("JEOS_CUTS", "100" if SOAK else "2"))  # cuts whose disks are started
SEED = int(os.environ.get("JEOS_SEED", "20261123"))  # for other cuts
RECORDED, CUT = "recorded", "cut"  # machines
DATA = "what the appliance looks after"


@dataclass(frozen=True)
class Recording:
    """An update from 1 to 2: its writes, of which those from `start` to `end` belong to it."""

    vendor: Vendor
    jeos: Jeos
    log: WriteLog
    start: int
    end: int


@dataclass(frozen=True)
class Cuts:
    """The moments after which machines are started, in their order, and the disk that they are started from."""

    disk: CutDisk
    points: list[int]


@pytest.fixture(scope="module")
def recording(jeos: Jeos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """Record an update from when it is asked for until some time after it was confirmed."""
    folder = tmp_path_factory.mktemp("cuts")
    vendor = Vendor.make(jeos, folder / "vendor", port=free_port())
    for version in ("1", "2"):
        vendor.build(version)
        vendor.publish(version)
    door = QemuDoor.make(folder / "door", jeos)
    writes = folder / "writes"
    recorded = door.jeos(writes=writes)
    with serving(vendor.channels, port=vendor.port):
        start(recorded, vendor.builds["1"].folder / "tiny_1.json", RECORDED)
        try:
            script = f"mkdir -p /var/lib/app; echo '{DATA}' > /var/lib/app/data; sync"
            inside(recorded, RECORDED, "sh", "-c", script)
            before = writes.stat().st_size
            recorded.run("update", RECORDED, "--now", timeout=900)
            inside(recorded, RECORDED, "sync")
            after = writes.stat().st_size
        finally:
            recorded.run("rm", "--force", RECORDED)
        log = WriteLog.read(writes)
        yield Recording(vendor, door.jeos(), log, log.count(before), log.count(after))
    shutil.rmtree(folder)


def start(jeos: Jeos, description: Path, name: str) -> None:
    words = ("--name", name, "--accel", "tcg", "--firmware", "--detach", "--wait", "healthy", "--timeout", str(BOOT))
    jeos.run("run", description, *words)


def uncut(recording: Recording, folder: Path) -> CutDisk:
    """Return a disk that is yet as it was before the recording, beside a copy of all else of the build."""
    build = recording.vendor.builds["1"]
    for path in build.folder.glob("tiny_1.*"):
        if path != build.disk:
            shutil.copy(path, folder)
    return CutDisk(recording.log, base=build.disk, place=folder / build.disk.name)


@pytest.fixture(scope="module")
def cuts(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cuts]:
    """The moments of which each has a test of its own, so that a soak can be gone on with, or cut short."""
    chance = random.Random(SEED + 1)
    found = points(recording.log, start=recording.start, end=recording.end, count=STARTED, chance=chance)
    disk = uncut(recording, tmp_path_factory.mktemp("started"))
    yield Cuts(disk, found)
    disk.place.unlink()


def test_nothing_writes_to_the_slot_that_runs(recording: Recording) -> None:
    parts = recording.vendor.builds["1"].image.partitions
    for write in recording.log.writes:
        if not write.meets(parts[3].start, parts[4].start + parts[4].size - parts[3].start):
            assert not write.meets(parts[1].start, parts[2].start + parts[2].size - parts[1].start)


def test_whatever_a_cut_leaves_starts_a_whole_release(recording: Recording, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    cut = uncut(recording, tmp_path)
    work = tmp_path / "survey"
    work.mkdir()
    surveyor = Surveyor(cut.place, recording.vendor.builds, work)
    found: dict[int, Found] = {}
    for point in points(recording.log, start=recording.start, end=recording.end, count=SURVEYED, chance=chance):
        with cut.cut(point, chance=chance) as flushed:
            found[point] = surveyor.survey()
        assert not found[point].problems, f"cut after write {point}, {flushed} of them flushed, seed {SEED}"
    starts = [(one.starts, one.trial) for one in found.values()]
    assert starts == sorted(starts, key=lambda one: (one[0], not one[1])), "once 2 starts, 1 does not come back"
    assert set(starts) == {("1", False), ("2", True), ("2", False)}
    cut.place.unlink()


@pytest.mark.parametrize("number", range(STARTED), ids="cut-{:03}".format)
def test_a_machine_whose_power_was_cut_is_well_and_finishes_its_update(
    recording: Recording, cuts: Cuts, number: int
) -> None:
    point, chance = cuts.points[number], random.Random(f"{SEED} {number}")
    with cuts.disk.cut(point, chance=chance) as flushed:
        try:
            first = finish(recording, cuts.disk.place.with_suffix(".json"))
        except AssertionError as error:
            raise AssertionError(f"cut after write {point}, {flushed} flushed, seed {SEED}: {error}") from error
    done = f"{(point - recording.start) / (recording.end - recording.start):.1%} of what an update writes"
    sys.stdout.write(f"cut after write {point}, {done}: {first} ran, and the update was finished\n")


def finish(recording: Recording, description: Path) -> str:
    """Start a machine from a disk, have it update itself if it was cut before it could, and return what ran first."""
    jeos = recording.jeos
    try:
        start(jeos, description, CUT)
        first = inside(jeos, CUT, "sh", "-c", ". /etc/os-release; echo $IMAGE_VERSION")
        if first == "1":
            jeos.run("update", CUT, "--now", timeout=900)
        script = "cat /var/lib/jeos/update/state.json"
        wait_until(
            lambda: json.loads(inside(jeos, CUT, "sh", "-c", script))["state"]["trial"] is None,
            "it stays on trial",
            seconds=BOOT,
        )
        told = inside(jeos, CUT, "sh", "-c", f". /etc/os-release; echo $IMAGE_VERSION; {script}").partition("\n")
        state = json.loads(told[2])["state"]
        assert (told[0], state["confirmed"], state["failures"]) == ("2", "2", [])
        assert inside(jeos, CUT, "cat", "/var/lib/app/data", "/var/lib/app/note") == f"{DATA}\n1 2"
        return first
    finally:
        jeos.run("rm", "--force", CUT)
