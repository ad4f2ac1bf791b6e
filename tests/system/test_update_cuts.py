"""An update through cuts of power, from a recording of all that one update writes to its disk.

The recording is of the real thing: UEFI firmware, systemd-boot, an update from a channel, the restart, the trial; once
with a patch, once from packs. From it any number of disks are made as a cut at any point would have left them (see
`cut_disks`). Each is looked over by programs that are not ours; some are started, and must be well, and finish the
update. `make soak` starts a hundred, and also kills QEMU itself in the middle of some updates.
"""

import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cut_disks import CutDisk, WriteLog, points
from disk_survey import Found, Surveyor
from jeos.channel.serve import serving
from jeos_command import Jeos, wait_until
from machine_use import BOOT, free_port, inside
from qemu_door import PLAIN_CPU, QemuDoor
from soak import LONG, SOAK
from update_vendor import Vendor

pytestmark = [pytest.mark.network, pytest.mark.vm, pytest.mark.timeout(0 if SOAK else 1800)]

SURVEYED = 500 if SOAK else 25  # cuts of each recording whose disks are looked over
STARTED = int(os.environ.get("JEOS_CUTS", "100" if SOAK else "2"))  # cuts whose disks are started
KILLS = int(os.environ.get("JEOS_KILLS", "10"))  # updates in which QEMU is killed
SEED = int(os.environ.get("JEOS_SEED", "20261123"))  # for other cuts
PATCH, PACKS = "patch", "packs"  # how the release comes
_PACKS = max(1, STARTED // 4)
COUNTS = {PATCH: STARTED - _PACKS, PACKS: _PACKS}  # cuts whose disks are started, by kind
SAID = {PATCH: "comes as a patch of", PACKS: "so that packs are fetched"}
MARKS = {PATCH: [], PACKS: [LONG]}
KINDS = [pytest.param(kind, marks=marks) for kind, marks in MARKS.items()]
RECORDED, CUT, KILLED = "recorded", "cut", "killed"  # machines
DATA = "what the appliance looks after"


@dataclass(frozen=True)
class Recording:
    """An update from 1 to 2: its writes, of which those from `start` to `end` belong to it.

    `spent` is how many seconds of processor time QEMU took for it.
    """

    kind: str
    vendor: Vendor
    jeos: Jeos
    log: WriteLog
    start: int
    end: int
    spent: float


class Recordings(dict[str, Recording]):
    """The recordings by how the release comes, each made when it is first wanted."""

    def __init__(self, jeos: Jeos, folder: Path, open_until: ExitStack) -> None:
        super().__init__()
        self._jeos, self._folder, self._open = jeos, folder, open_until

    def __missing__(self, kind: str) -> Recording:
        self[kind] = self._open.enter_context(recording(self._jeos, self._folder / kind, kind))
        return self[kind]


@pytest.fixture(scope="module")
def recordings(jeos: Jeos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recordings]:
    folder = tmp_path_factory.mktemp("cuts")
    with ExitStack() as stack:
        yield Recordings(jeos, folder, stack)
    shutil.rmtree(folder)


@contextmanager
def recording(jeos: Jeos, folder: Path, kind: str) -> Iterator[Recording]:
    """Record an update from when it is asked for until some time after it was confirmed; its channel stays served."""
    vendor = Vendor.make(jeos, folder / "vendor", port=free_port())
    for version in ("1", "2"):
        vendor.build(version)
        vendor.publish(version, *(["--patches", "0"] if kind == PACKS else []))
    door = QemuDoor.make(folder / "door", jeos)
    writes = folder / "writes"
    recorded = door.jeos(writes=writes, more=PLAIN_CPU)
    with serving(vendor.channels, port=vendor.port):
        start(recorded, vendor.builds["1"].folder / "tiny_1.json", RECORDED)
        try:
            look_after(recorded, RECORDED)
            before, spent = writes.stat().st_size, -qemu_seconds(recorded, RECORDED)
            said = recorded.run("update", RECORDED, "--now", timeout=900).stderr
            assert SAID[kind] in said
            inside(recorded, RECORDED, "sync")
            after, spent = writes.stat().st_size, spent + qemu_seconds(recorded, RECORDED)
        finally:
            recorded.run("rm", "--force", RECORDED)
        log = WriteLog.read(writes)
        command = door.jeos(more=PLAIN_CPU)
        yield Recording(kind, vendor, command, log, log.count(before), log.count(after), spent)


def look_after(jeos: Jeos, name: str) -> None:
    """Have a machine look after some data."""
    inside(jeos, name, "sh", "-c", f"mkdir -p /var/lib/app; echo '{DATA}' > /var/lib/app/data; sync")


def qemu_of(jeos: Jeos, name: str) -> int:
    """Return the process that is a machine."""
    seen = json.loads(jeos.run("ls", "--json").stdout)
    return next(int(one["state"]["qemu"]) for one in seen if one["machine"]["name"] == name)


def qemu_seconds(jeos: Jeos, name: str) -> float:
    return spent_by(qemu_of(jeos, name))


def spent_by(process: int) -> float:
    """Return the processor time that a process has taken, in seconds (proc(5), `stat`)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


def moment(recording: Recording, number: int) -> int:
    """Return after which write a machine's power is cut: another one for each number, in no order."""
    chance = random.Random(SEED + 1)
    count = COUNTS[recording.kind]
    found = points(recording.log, start=recording.start, end=recording.end, count=count, chance=chance)
    chance.shuffle(found)  # a soak that ends early has seen some of everything
    return found[number]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_writes_to_the_slot_that_runs(recordings: Recordings, kind: str) -> None:
    recording = recordings[kind]
    parts = recording.vendor.builds["1"].image.partitions
    for write in recording.log.writes:
        if not write.meets(parts[3].start, parts[4].start + parts[4].size - parts[3].start):
            assert not write.meets(parts[1].start, parts[2].start + parts[2].size - parts[1].start)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_cut_leaves_starts_a_whole_release(recordings: Recordings, tmp_path: Path, kind: str) -> None:
    recording = recordings[kind]
    chance = random.Random(SEED)
    cut = uncut(recording, tmp_path)
    work = tmp_path / "survey"
    work.mkdir()
    surveyor = Surveyor(cut.place, recording.vendor.builds, work)
    found: dict[int, Found] = {}
    chosen = points(recording.log, start=recording.start, end=recording.end, count=SURVEYED, chance=chance)
    for point in (recording.start, *chosen, recording.end):
        with cut.cut(point, chance=chance) as flushed:
            found[point] = surveyor.survey()
        assert not found[point].problems, f"cut after write {point}, {flushed} of them flushed, seed {SEED}"
    starts = [(one.starts, one.trial) for one in found.values()]
    assert starts == sorted(starts, key=lambda one: (one[0], not one[1])), "once 2 starts, 1 does not come back"
    assert set(starts) == {("1", False), ("2", True), ("2", False)}
    cut.place.unlink()


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        pytest.param(kind, number, id=f"{kind}-{number:03}", marks=MARKS[kind])
        for kind in COUNTS
        for number in range(COUNTS[kind])
    ],
)
def test_a_machine_whose_power_was_cut_is_well_and_finishes_its_update(
    recordings: Recordings, tmp_path: Path, kind: str, number: int
) -> None:
    recording = recordings[kind]
    point, disk = moment(recording, number), uncut(recording, tmp_path)
    with disk.cut(point, chance=random.Random(f"{SEED} {number}")) as flushed:
        try:
            start(recording.jeos, disk.place.with_suffix(".json"), CUT)
            first = finish(recording.jeos, CUT)
        except AssertionError as error:
            raise AssertionError(f"cut after write {point}, {flushed} flushed, seed {SEED}: {error}") from error
        finally:
            recording.jeos.run("rm", "--force", CUT)
    disk.place.unlink()
    done = f"{(point - recording.start) / (recording.end - recording.start):.1%} of what an update writes"
    sys.stdout.write(f"cut after write {point}, {done}: {first} ran, and the update was finished\n")


@LONG
@pytest.mark.parametrize("number", range(KILLS), ids="{:03}".format)
def test_a_machine_whose_qemu_is_killed_is_well_and_finishes_its_update(recordings: Recordings, number: int) -> None:
    recording = recordings[PATCH]
    jeos = recording.jeos
    # In processor time: on a busy host, seconds do not tell how far an update is.
    until = random.Random(f"{SEED} {number}").uniform(0, recording.spent)
    start(jeos, recording.vendor.builds["1"].folder / "tiny_1.json", KILLED)
    try:
        look_after(jeos, KILLED)
        qemu = qemu_of(jeos, KILLED)
        before = spent_by(qemu)
        asked = jeos.start("update", KILLED, "--now")
        wait_until(
            lambda: asked.poll() is not None or spent_by(qemu) >= before + until, "the moment never came", seconds=BOOT
        )
        os.kill(qemu, signal.SIGKILL)
        asked.communicate(timeout=BOOT)
        jeos.run("run", KILLED, "--detach", "--wait", "healthy", "--timeout", str(BOOT))
        first = finish(jeos, KILLED)
    except AssertionError as error:
        raise AssertionError(f"killed after {until:.1f} CPU s, seed {SEED}: {error}") from error
    finally:
        jeos.run("rm", "--force", KILLED)
    sys.stdout.write(f"killed after {until:.1f} of {recording.spent:.1f} CPU s: {first} ran then\n")


def finish(jeos: Jeos, name: str) -> str:
    """Have a machine that was started update itself if it was cut before it could; return what ran first."""
    first = inside(jeos, name, "sh", "-c", ". /etc/os-release; echo $IMAGE_VERSION")
    if first == "1":
        jeos.run("update", name, "--now", timeout=900)
    script = "cat /var/lib/jeos/update/state.json"
    wait_until(
        lambda: json.loads(inside(jeos, name, "sh", "-c", script))["state"]["trial"] is None,
        "it stays on trial",
        seconds=BOOT,
        every=3.0,  # asking costs the machine more than waiting
    )
    told = inside(jeos, name, "sh", "-c", f". /etc/os-release; echo $IMAGE_VERSION; {script}").partition("\n")
    state = json.loads(told[2])["state"]
    assert (told[0], state["confirmed"], state["failures"]) == ("2", "2", [])
    assert inside(jeos, name, "cat", "/var/lib/app/data", "/var/lib/app/note") == f"{DATA}\n1 2"
    return first
