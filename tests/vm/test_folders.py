"""The shared folders of a guest: when a machine is shown as healthy, and what is said of one without them."""

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from jeos.model.machine import Share, Status
from jeos.vm import asking, folders
from jeos.vm.folders import WAITING, Folders

SHARES = (Share("/a", "/mnt"), Share("/b", "/srv", read_only=True))


def shown(
    monkeypatch: pytest.MonkeyPatch, *, answers: Mapping[str, str | list[str]], restarts: bool = False
) -> list[tuple[Status, str]]:
    """Let a guest with two folders become healthy, and return all that is shown of it in turn."""

    def mount(place: Path, command: list[str]) -> str:
        found = answers.get(command[4], "")
        return found if isinstance(found, str) else found.pop(0) if found else ""

    monkeypatch.setattr(asking, "mount", mount)
    told: list[tuple[Status, str]] = []
    works: list[Coroutine[Any, Any, None]] = []
    shown_folders = Folders(
        SHARES,
        kind="9p",
        place=Path("/none"),
        spawn=works.append,
        tell=lambda status, reason: told.append((status, reason)),
    )
    told.append(shown_folders.hold_back(Status.RUNNING, "", agent=False))
    told.append(shown_folders.hold_back(Status.HEALTHY, "", agent=True))
    if restarts:
        shown_folders.forget()
    for work in works:
        asyncio.run(work)
    told.append(shown_folders.hold_back(Status.HEALTHY, "", agent=False))
    return told


def test_machine_is_healthy_once_its_folders_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, answers={}) == [
        (Status.RUNNING, ""),
        (Status.RUNNING, WAITING),
        (Status.HEALTHY, ""),
        (Status.HEALTHY, ""),
    ]


def test_machine_without_a_folder_says_which_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"jeos-share-0": "mkdir: no\nmore", "jeos-share-1": "mount: unknown filesystem type '9p'"}
    problem = (
        "without a folder of the host: /a is not at /mnt: mkdir: no; /b is not at /srv: its kernel has no 9p, and this "
        "host has no virtiofsd that you could use: install one (Debian 13: virtiofsd), or be root (Debian 12)"
    )
    assert shown(monkeypatch, answers=answers)[2:] == [(Status.RUNNING, problem), (Status.RUNNING, problem)]


def test_kernel_that_has_not_found_the_folder_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "APART", 0)
    missing = "mount: /mnt: special device jeos-share-0 does not exist."
    assert shown(monkeypatch, answers={"jeos-share-0": [missing, missing]})[2:] == [(Status.HEALTHY, "")] * 2
    told = shown(monkeypatch, answers={"jeos-share-0": [missing] * (folders.TRIES + 1)})[2:]
    assert told == [(Status.RUNNING, f"without a folder of the host: /a is not at /mnt: {missing}")] * 2


def test_folders_of_a_guest_that_starts_anew_count_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, answers={}, restarts=True)[2:] == [(Status.RUNNING, WAITING)]
