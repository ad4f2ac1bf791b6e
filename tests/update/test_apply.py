"""A release into the other slot: the order of what is written, through cuts at every step."""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from guest_disk import NEW, NEWER, OLD, GuestDisk, kernel_image
from jeos.update import apply, kernels, snapshot, state
from jeos.update.apply import Place
from jeos.update.errors import BusyError, LayoutError, RebuildError, RoomError, UnconfirmedError


@dataclass(frozen=True)
class Release:
    """What is to be known of a release."""

    version: str = "1.1"
    root_hash: str = NEW
    name: str = "hello"


class CutError(Exception):
    """The power fails."""


def rebuild(*, active: str, kernel: str, system: BinaryIO, hashes: BinaryIO, kernel_out: BinaryIO) -> None:
    assert kernels.root_hash_of(kernel) == OLD
    assert Path(active).is_dir()
    system.write(b"the system of 1.1")
    hashes.write(b"the hashes of 1.1")
    kernel_out.write(kernel_image(NEW))


@pytest.fixture
def disk(tmp_path: Path) -> GuestDisk:
    return GuestDisk(tmp_path).make()


def place(disk: GuestDisk, running: str = OLD, version: str = "1.0") -> Place:
    return Place(disk=disk.find(running), version=version, esp=disk.mounted, system=disk.system, folder=str(disk.state))


def test_apply_makes_the_release_the_one_that_starts_next(disk: GuestDisk) -> None:
    state.change(lambda now: replace(now, hooks=("1.0-a",)), folder=str(disk.state))
    trial = apply.apply(
        Release(), rebuild=rebuild, place=place(disk), troubled=["bad.service"], target="ff" * 32, now=lambda: 7.0
    )
    assert trial == state.Trial("1.1", NEW, "1.0", OLD, 7.0, troubled=("bad.service",), target="ff" * 32)
    remembered = state.read(str(disk.state)).trial
    assert remembered == replace(trial, hooks=("1.0-a",))
    assert disk.names() == ["hello_1.0.efi", "hello_1.1+3.efi"]
    found = disk.find()
    assert (found.other.root_hash, found.other.system.partition.label) == (NEW, "hello_1.1")
    assert Path(found.other.system.device).read_bytes() == b"the system of 1.1"
    assert disk.start() == NEW
    assert sorted(path.name for path in disk.state.iterdir() if not path.name.startswith(".")) == [
        "state.json",
        "state.json.old",
        "trial",
    ]


def test_apply_while_another_update_is_at_work_is_refused(disk: GuestDisk) -> None:
    def nested(**parts: object) -> None:
        apply.apply(Release(), rebuild=rebuild, place=place(disk))

    with pytest.raises(BusyError, match="another update"):
        apply.apply(Release(), rebuild=nested, place=place(disk))


def test_apply_refuses_to_touch_the_way_back_of_a_release_on_trial(disk: GuestDisk) -> None:
    apply.apply(Release(), rebuild=rebuild, place=place(disk))
    assert disk.start() == NEW
    wanted = Release(version="1.2", root_hash=NEWER)
    with pytest.raises(UnconfirmedError, match=r"1\.1, is on trial"):
        apply.apply(wanted, rebuild=rebuild, place=place(disk, NEW, "1.1"))
    state.change(lambda now: state.State(), folder=str(disk.state))  # even with the state lost
    with pytest.raises(UnconfirmedError, match="was not confirmed yet"):
        apply.apply(wanted, rebuild=rebuild, place=place(disk, NEW, "1.1"))
    assert disk.names() == ["hello_1.0.efi", "hello_1.1+2-1.efi"]


def test_apply_refuses_a_version_that_would_not_start(disk: GuestDisk) -> None:
    for version in ("1.0", "0.9", "1.0~rc1"):
        with pytest.raises(LayoutError, match=r"is not newer than 1\.0"):
            apply.apply(Release(version=version), rebuild=rebuild, place=place(disk))


def test_apply_refuses_when_the_snapshot_would_not_fit(disk: GuestDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "RESERVE", 1 << 60)
    with pytest.raises(RoomError, match="the snapshot of the data"):
        apply.apply(Release(), rebuild=rebuild, place=place(disk), keep=["/var/lib/app"])
    assert disk.names() == ["hello_1.0.efi"]


def test_apply_with_a_kernel_image_of_another_system_changes_nothing_for_the_boot_loader(disk: GuestDisk) -> None:
    def wrong(*, kernel_out: BinaryIO, **parts: object) -> None:
        kernel_out.write(kernel_image(NEWER))

    with pytest.raises(RebuildError, match="does not start the system"):
        apply.apply(Release(), rebuild=wrong, place=place(disk))
    assert disk.start() == OLD


def test_apply_of_a_newer_release_replaces_one_that_waits(disk: GuestDisk) -> None:
    apply.apply(Release(), rebuild=rebuild, place=place(disk))

    def newer(*, kernel_out: BinaryIO, **parts: object) -> None:
        kernel_out.write(kernel_image(NEWER))

    apply.apply(Release(version="1.2", root_hash=NEWER), rebuild=newer, place=place(disk))
    assert disk.names() == ["hello_1.0.efi", "hello_1.2+3.efi"]
    assert disk.start() == NEWER


def test_withdraw_takes_back_what_waits_and_never_what_runs(disk: GuestDisk) -> None:
    apply.apply(Release(), rebuild=rebuild, place=place(disk))
    apply.withdraw(place(disk))
    assert (disk.names(), state.read(str(disk.state)).trial) == (["hello_1.0.efi"], None)
    apply.apply(Release(), rebuild=rebuild, place=place(disk))
    disk.start()
    apply.withdraw(place(disk, NEW, "1.1"))
    assert disk.names() == ["hello_1.0.efi", "hello_1.1+2-1.efi"]


STEPS = ("rename", "unlink", "link", "fsync", "write")


def cut_at(monkeypatch: pytest.MonkeyPatch, step: int) -> list[int]:
    """Let the power fail before an operation that changes the disk; the list has how many there are left."""
    left = [step]
    for name in STEPS[:-1]:
        real = getattr(os, name)

        def operation(*arguments: object, real: object = real, **more: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise CutError
            return real(*arguments, **more)  # type: ignore[operator]

        monkeypatch.setattr(os, name, operation)
    return left


def test_apply_cut_at_any_step_leaves_a_system_that_starts_and_is_done_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, step, left = [], 0, [0]
    while left[0] <= 0:
        step += 1
        disk = GuestDisk(tmp_path / str(step)).make()
        with monkeypatch.context() as patched:
            left = cut_at(patched, step)
            with suppress(CutError):
                apply.apply(Release(), rebuild=rebuild, place=place(disk))
        chosen.append(disk.start())
        found = disk.find(chosen[-1])  # its slot is there
        if chosen[-1] == NEW:
            assert Path(found.active.system.device).read_bytes() == b"the system of 1.1"
            trial = state.read(str(disk.state)).trial
            assert trial is not None and trial.root_hash == NEW, "a trial that nobody knows of"
        else:
            apply.apply(Release(), rebuild=rebuild, place=place(disk))
            assert disk.start() == NEW
    assert step > 20
    assert set(chosen) == {OLD, NEW}
    assert chosen == sorted(chosen), "what was put in place was taken back"
