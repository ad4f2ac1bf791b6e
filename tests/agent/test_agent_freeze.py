"""The freezer of the agent, with a kernel that only writes down what it was asked: nothing here may be frozen."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.agent.freeze import Freezer, Kernel, hooks, writable_mounts
from jeos.agent.loop import Loop

DEADLINE = 60.0  # seconds
MOUNTINFO = """\
22 1 0:21 / / ro,relatime shared:1 - erofs /dev/dm-0 ro
23 22 254:3 / /var rw,relatime shared:2 - ext4 /dev/vda3 rw
24 22 254:3 /etc /etc rw,relatime - ext4 /dev/vda3 rw
25 22 254:1 / /efi rw,relatime shared:3 - vfat /dev/vda1 rw,fmask=0077
26 23 254:17 / /var/lib/my\\040data rw - xfs /dev/vdb1 rw,attr2
27 22 254:33 / /mnt ro - ext4 /dev/vdc1 ro
28 22 0:40 / /run rw,nosuid shared:4 - tmpfs tmpfs rw
broken line
"""


class Recorder(Kernel):
    """Writes each call into a file, from whatever process; some places fail."""

    def __init__(self, folder: Path, *, fails: Mapping[str, int] | None = None, mounts: str = MOUNTINFO) -> None:
        self.log = folder / "kernel.log"
        self.log.touch()
        (folder / "mountinfo").write_text(mounts)
        self.mounts = str(folder / "mountinfo")
        self.fails = fails or {}

    def _note(self, word: str) -> None:
        with self.log.open("a") as file:
            file.write(word + "\n")

    def freeze(self, place: str) -> None:
        if place in self.fails:
            raise OSError(self.fails[place], os.strerror(self.fails[place]))
        self._note(f"freeze {place}")

    def thaw(self, place: str) -> None:
        self._note(f"thaw {place}")

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()


class Bench:
    """A freezer on a loop, and what it answered."""

    def __init__(self, folder: Path, kernel: Recorder) -> None:
        self.loop, self.kernel = Loop(), kernel
        self.hooks = folder / "freeze.d"
        self.hooks.mkdir()
        self.freezer = Freezer(self.loop, kernel=kernel, folders=[str(self.hooks)])
        self.frozen: list[Mapping[str, object]] = []
        self.thawed: list[Mapping[str, object]] = []

    def hook(self, name: str, *, status: int = 0) -> None:
        path = self.hooks / name
        path.write_text(f'#!/bin/sh\necho "{name} $1" >> {self.kernel.log}\necho "{name} says no"\nexit {status}\n')
        path.chmod(0o755)

    def freeze(self, *, seconds: float = DEADLINE) -> None:
        self.freezer.freeze(seconds=seconds, answer=self.frozen.append)
        self.turn_until(lambda: bool(self.frozen))

    def thaw(self) -> Mapping[str, object]:
        self.freezer.thaw(answer=self.thawed.append)
        self.turn_until(lambda: bool(self.thawed))
        return self.thawed[0]

    def turn_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            self.loop.at(self, 0.05, lambda: None)  # so that a round ends although nothing happens
            self.loop.turn()


FREEZES = ["freeze /var/lib/my data", "freeze /efi", "freeze /var"]
THAWS = ["thaw /var", "thaw /efi", "thaw /var/lib/my data"]


def test_mounts_to_freeze_are_the_writable_ones_of_disks_the_last_first() -> None:
    assert writable_mounts(MOUNTINFO) == ["/var/lib/my data", "/efi", "/var"]


@given(st.text())
def test_mounts_of_any_text_are_read(text: str) -> None:
    assert isinstance(writable_mounts(text), list)


def test_hooks_of_the_operator_take_the_place_of_namesakes(tmp_path: Path) -> None:
    vendor, operator = tmp_path / "vendor", tmp_path / "operator"
    for path in (vendor / "10-db", vendor / "20-cache", operator / "20-cache", operator / ".hidden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        path.chmod(0o755)
    (operator / "no-program").write_text("")
    assert hooks([str(vendor), str(operator), str(tmp_path / "none")]) == [
        str(vendor / "10-db"),
        str(operator / "20-cache"),
    ]


def test_freeze_holds_until_it_is_thawed_between_the_hooks(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(tmp_path))
    bench.hook("10-db")
    bench.hook("20-cache")
    bench.freeze()
    places = [line.removeprefix("freeze ") for line in FREEZES]
    names = [str(bench.hooks / name) for name in ("10-db", "20-cache")]
    assert bench.frozen == [{"event": "frozen", "filesystems": places, "hooks": names}]
    assert bench.kernel.lines() == ["10-db freeze", "20-cache freeze", *FREEZES]
    assert bench.thaw() == {"event": "thawed", "held": True}
    bench.turn_until(lambda: len(bench.kernel.lines()) == 10)
    assert bench.kernel.lines()[5:] == [*THAWS, "20-cache thaw", "10-db thaw"]
    assert not bench.freezer.busy


def test_freeze_ends_by_itself_and_the_late_thaw_learns_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(tmp_path))
    bench.freeze(seconds=0.05)
    bench.turn_until(lambda: not bench.freezer.busy)
    assert bench.kernel.lines() == FREEZES + THAWS
    assert bench.thaw() == {"event": "thawed", "held": False}


def test_hook_that_fails_keeps_the_guest_running(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(tmp_path))
    bench.hook("10-db")
    bench.hook("20-bad", status=3)
    bench.hook("30-never")
    bench.freeze()
    error = f"{bench.hooks / '20-bad'}: 20-bad says no"
    assert bench.frozen == [{"event": "error", "error": error, "status": 1}]
    bench.turn_until(lambda: len(bench.kernel.lines()) == 4)
    assert bench.kernel.lines() == ["10-db freeze", "20-bad freeze", "20-bad thaw", "10-db thaw"]
    bench.turn_until(lambda: not bench.freezer.busy)


def test_place_that_cannot_be_frozen_thaws_the_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(tmp_path, fails={"/var": 16}))
    bench.freeze()
    assert bench.frozen == [{"event": "error", "error": "/var cannot be frozen: Device or resource busy", "status": 1}]
    bench.turn_until(lambda: not bench.freezer.busy)
    assert bench.kernel.lines() == [*FREEZES[:2], "thaw /efi", "thaw /var/lib/my data"]


def test_kind_that_knows_no_freezing_is_left_out(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(tmp_path, fails={"/efi": 95}))
    bench.freeze()
    assert bench.frozen[0]["filesystems"] == ["/var/lib/my data", "/var"]
    assert bench.thaw() == {"event": "thawed", "held": True}


def test_second_freeze_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(tmp_path))
    bench.freeze()
    second: list[Mapping[str, object]] = []
    bench.freezer.freeze(seconds=1, answer=second.append)
    assert second == [{"event": "error", "error": "the file systems are frozen already", "status": 1}]
    assert bench.thaw() == {"event": "thawed", "held": True}


def children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def test_agent_thaws_when_the_child_is_killed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(tmp_path))
    before = set(children())
    bench.freeze()
    (child,) = set(children()) - before
    os.kill(child, signal.SIGKILL)
    bench.turn_until(lambda: not bench.freezer.busy)
    assert bench.kernel.lines() == FREEZES + THAWS
    assert bench.thaw() == {"event": "thawed", "held": False}


def test_child_thaws_when_the_agent_is_killed(tmp_path: Path) -> None:
    kernel = Recorder(tmp_path)
    agent = os.fork()
    if agent == 0:
        try:
            Bench(tmp_path, kernel).freeze()
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    os.waitpid(agent, 0)
    deadline = time.monotonic() + DEADLINE
    while kernel.lines() != FREEZES + THAWS:
        assert time.monotonic() < deadline, kernel.lines()
        time.sleep(0.01)


@pytest.mark.parametrize("before", [True, False])
def test_freezer_serves_again_and_again(before: bool, tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(tmp_path, mounts="" if before else MOUNTINFO))
    for _ in range(3):
        bench.frozen.clear()
        bench.thawed.clear()
        bench.freeze()
        assert bench.thaw() == {"event": "thawed", "held": True}
        bench.turn_until(lambda: not bench.freezer.busy)
    assert bench.kernel.lines() == ([] if before else (FREEZES + THAWS) * 3)
