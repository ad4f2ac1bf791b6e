"""Control groups: a program in QEMU's place that wants more than it may have, and what is asked of systemd."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeos.model.machine import Limits
from jeos.vm import cgroup, confine
from jeos.vm.cgroup import Group
from jeos.vm.fence import SYSTEM, Fence

PYTHON = Path(sys.executable).resolve()
FENCE = Fence(PYTHON, read=(*SYSTEM, Path(sys.base_prefix).resolve()))
MEBIBYTE = 1 << 20
EATER = "import sys; held = bytearray(int(sys.argv[1]) << 20); print(len(held) >> 20)"
FORKER = """
import os, signal, time
children = []
try:
    while len(children) < 200:
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
        children.append(child)
except OSError as error:
    print(error.strerror, len(children) < 50)
for child in children:
    os.kill(child, signal.SIGKILL)
"""


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Group]:
    monkeypatch.setattr(cgroup, "PROCESSES", 50)
    limits = Limits(cpu=150, memory=64 * MEBIBYTE, io=20 * MEBIBYTE)
    found = cgroup.prepare(f"test-{os.getpid()}", limits, disk=tmp_path)
    if not found.folders:
        pytest.skip(found.problem or "systemd keeps the control groups of this host")
    yield found
    found.remove()
    assert [folder for folder in found.folders if folder.exists()] == []


def said(group: Group, *words: str) -> tuple[int, str]:
    """Run a Python in the group, and return how it ended and what it said."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as lines:
        try:
            argv: list[str | Path] = [PYTHON, "-IS", "-c", *words]
            found = confine.start(argv, FENCE, stdout=writing, stderr=subprocess.DEVNULL, join=group.join)
        finally:
            os.close(writing)
        text = lines.read()
    return found.process.wait(), text


@pytest.mark.root
def test_limit_of_memory_ends_who_wants_more(group: Group) -> None:
    assert said(group, EATER, "16") == (0, "16\n")
    assert said(group, EATER, "256") == (-signal.SIGKILL, "")


@pytest.mark.root
def test_bomb_of_forks_is_stopped_also_for_root(group: Group) -> None:
    status, text = said(group, FORKER)
    assert (status, text) == (0, "Resource temporarily unavailable True\n")


@pytest.mark.root
def test_limits_that_are_kept_are_told_from_those_that_are_not(group: Group) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert group.lacking(process.pid) == ("cpu", "memory", "io")
        group.attach(process.pid)
        assert set(group.lacking(process.pid)) <= {"io"}  # which some kernels do not keep for some disks


def test_host_that_allows_no_group_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "SYSTEMD", tmp_path / "none")
    monkeypatch.setattr(cgroup, "_places", lambda process: {"": tmp_path / "none"})
    found = cgroup.prepare("web", Limits(cpu=50), disk=tmp_path)
    assert found.problem == (
        f"no control group can be made: {tmp_path}/none/cgroup.controllers: No such file or directory"
    )
    assert found.lacking(os.getpid()) == ("cpu",)


def test_systemd_is_asked_for_a_scope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "SYSTEMD", tmp_path)
    limits = Limits(cpu=150, memory=64 * MEBIBYTE, io=20 * MEBIBYTE)
    found = cgroup.prepare("web", limits, disk=Path("/disks"))
    assert found.unit == f"jeos-web-{os.getpid()}.scope"
    manager = "org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager"
    assert " ".join(found.order(7)) == (
        f"call {manager} StartTransientUnit ssa(sv)a(sa(sv)) {found.unit} fail 6 "
        "PIDs au 1 7 TasksMax t 1024 CPUQuotaPerSecUSec t 1500000 MemoryMax t 67108864 "
        "IOReadBandwidthMax a(st) 1 /disks 20971520 IOWriteBandwidthMax a(st) 1 /disks 20971520 0"
    )
