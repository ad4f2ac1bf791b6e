"""Disks as power cuts leave them, from a log that QEMU's own tool wrote."""

import random
import subprocess
from pathlib import Path

import pytest

from cut_disks import CutDisk, WriteLog, points
from jeos.core.run import find_program

SIZE = 1 << 20
STEPS = (
    "write -P 1 0 64k",
    "flush",
    "write -P 2 4k 4k",
    "write -P 3 32k 4k",
    "flush",
    "discard 0 8k",
    "write -P 4 8k 4k",
)


@pytest.fixture
def log(tmp_path: Path) -> WriteLog:
    """A log of the steps; `disk` is what they left, `base` what was there before."""
    for name in ("base", "disk"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(SIZE)
    (tmp_path / "log").touch()
    words = [f"driver=blklogwrites,discard=unmap,file.driver=file,file.filename={tmp_path}/disk,file.discard=unmap,"]
    words += [f"log.driver=file,log.filename={tmp_path}/log"]
    commands = [word for step in STEPS for word in ("-c", step)]
    argv = [str(find_program("qemu-io")), "--image-opts", "".join(words), *commands]
    subprocess.run(argv, check=True, timeout=60)
    return WriteLog.read(tmp_path / "log")


def contents(place: Path) -> bytes:
    return place.read_bytes()[: 64 << 10]


def test_whole_log_makes_the_disk_that_was_written(log: WriteLog, tmp_path: Path) -> None:
    disk = CutDisk(log, base=tmp_path / "base", place=tmp_path / "cut")
    with disk.cut(len(log.writes), chance=random.Random(1)):
        pass
    with disk.cut(len(log.writes), chance=Always(0.0)):
        assert (tmp_path / "cut").read_bytes() == (tmp_path / "disk").read_bytes()


def test_what_was_flushed_is_there_and_the_rest_by_chance(log: WriteLog, tmp_path: Path) -> None:
    disk = CutDisk(log, base=tmp_path / "base", place=tmp_path / "cut")
    flushes = [number for number, write in enumerate(log.writes, start=1) if write.flags & 1]
    flushed = bytes([1]) * (64 << 10)
    both = set()
    for seed in range(64):
        with disk.cut(flushes[1] - 1, chance=random.Random(seed)) as count:
            assert count == flushes[0]
            found = contents(tmp_path / "cut")
        assert found[: 4 << 10] + found[8 << 10 : 32 << 10] == flushed[: 28 << 10]
        first, second = found[4 << 10 : 8 << 10], found[32 << 10 : 36 << 10]
        assert set(first) <= {1, 2}
        assert all(len(set(first[start : start + 512])) == 1 for start in range(0, len(first), 512)), "half a sector"
        both.add((len(set(first)) == 1 and first[0], len(set(second)) == 1 and second[0]))
    assert both >= {(1, 1), (1, 3), (2, 1), (2, 3)}, "any of them may be there, in any order"
    assert any(False in pair for pair in both), "or a part of one"
    with disk.cut(flushes[0], chance=random.Random(1)):
        assert contents(tmp_path / "cut") == flushed, "what a cut before had not flushed is gone"


def test_log_that_ends_in_the_middle_is_read_up_to_there(log: WriteLog, tmp_path: Path) -> None:
    whole = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(whole[: log.writes[0].data + 100])
    assert WriteLog.read(tmp_path / "log").writes == ()
    assert log.count(log.writes[0].data) == 1


def test_points_are_within_what_is_asked_for_and_meet_small_gaps(log: WriteLog) -> None:
    found = points(log, start=1, end=len(log.writes), count=200, chance=random.Random(3))
    assert found == sorted(found)
    assert set(found) == set(range(1, len(log.writes) + 1))


class Always(random.Random):
    """Chances that are always the same."""

    def __init__(self, value: float) -> None:
        self.value = value
        super().__init__()

    def random(self) -> float:
        return self.value
