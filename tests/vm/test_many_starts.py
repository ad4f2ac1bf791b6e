"""Machines that are started and end in every way, again and again: this host is afterwards as it was before.

`make soak` starts a thousand; `make test` a few of each end.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import tiny_guest
from jeos.model.machine import ALIVE, Forward, Machine, State
from jeos.vm import session
from jeos.vm.places import claimed, places_of
from jeos_command import mounts, nothing_left_running, wait_until
from soak import SOAK
from tiny_guest import console_text, type_keys

pytestmark = [pytest.mark.vm, pytest.mark.usefixtures("own_machines")]
STARTS = 1000 if SOAK else 10
NAMES = 3  # of machines that take turns, so that one starts over what another end left


@dataclass(frozen=True)
class Host:
    """What a start may leave behind, beside processes (and the ports and namespaces that live as long as these)."""

    files: frozenset[str]
    descriptors: int
    sockets: frozenset[str]
    mounts: tuple[str, ...]
    groups: frozenset[str]


def host(folder: Path) -> Host:
    """Look at this host, as far as it has to do with `folder`, where also short-lived files go."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return Host(
        files=frozenset(str(path) for path in folder.rglob("*")),
        descriptors=len(os.listdir("/proc/self/fd")),
        sockets=frozenset(line.split(maxsplit=7)[-1] for line in lines if str(folder) in line),
        mounts=tuple(mounts(folder, Path("nsfs"))),
        groups=frozenset(str(path) for path in Path("/sys/fs/cgroup").rglob("*jeos*tiny-[0-9]*")),
    )


def type_off(name: str, _started: State) -> None:
    wait_until(lambda: console_text(name).endswith(tiny_guest.GREETING), seconds=60)
    type_keys(b"o", name=name)


def order_off(name: str, _started: State) -> None:
    session.stop(name, within=0)


def end_qemu(_name: str, started: State) -> None:
    os.kill(started.qemu, signal.SIGKILL)


def end_supervisor(_name: str, started: State) -> None:
    os.kill(started.supervisor, signal.SIGKILL)


def remove_running(name: str, _started: State) -> None:
    session.remove(name, force=True)


ENDS: tuple[Callable[[str, State], None], ...] = (type_off, order_off, end_qemu, end_supervisor, remove_running)


def once(machine: Machine, end: Callable[[str, State], None]) -> None:
    """Start a machine, on a port of its own, and have it end in this way."""
    started = session.run(machine)
    assert started.status in ALIVE
    end(machine.name, started)
    places = places_of(machine.name)
    wait_until(lambda: not claimed(places) if places.lock.exists() else True, f"{end.__name__} did not end it")
    if places.machine.exists():
        assert session.state(machine.name).status not in ALIVE


def test_thousand_starts_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "short-lived").mkdir()
    for variable in ("TMPDIR", "JEOS_TMPDIR"):
        monkeypatch.setenv(variable, str(tmp_path / "short-lived"))
    tiny = replace(tiny_guest.machine(tmp_path), forwards=(Forward(host=0, guest=80),))
    with nothing_left_running():
        once(replace(tiny, name="first"), order_off)  # what is measured once for this host is there from here on
        session.remove("first")
        before = host(tmp_path)
        for turn in range(STARTS):
            once(replace(tiny, name=f"tiny-{turn % NAMES}"), ENDS[turn % len(ENDS)])
        for seen in session.all_seen():
            session.remove(seen.machine.name)
        after = host(tmp_path)
    assert after == before
