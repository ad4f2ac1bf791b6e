"""Copying through a real relay and a real agent, with this host's tar in the guest's place. No VM."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import jeos_command
from agent_host import PATIENCE
from jeos.core.errors import MachineError, UsageError
from jeos.vm import copy
from jeos.vm.guest import Guest
from relay_line import Line

LARGE = 3 << 20  # bytes; many windows
wait_until = partial(jeos_command.wait_until, seconds=PATIENCE)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    (tmp_path / "line").mkdir()
    found = Line(tmp_path / "line")
    found.chardev.plug(health=[{"name": "always", "command": "true"}])
    yield found
    found.close()


@pytest.fixture
def guest(line: Line) -> Iterator[Guest]:
    with Guest(line.guest, deadline=PATIENCE) as found:
        yield found


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Return a folder that stands for the guest's."""
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def make_tree(folder: Path) -> Path:
    tree = folder / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "large").write_bytes(random.Random(1).randbytes(LARGE))
    (tree / "below/script with spaces").write_text("#!/bin/sh\n")
    (tree / "below/script with spaces").chmod(0o750)
    (tree / "-n").write_text("a name like an option")
    (tree / "link").symlink_to("below/none")
    os.utime(tree / "below/script with spaces", (1_000_000, 1_000_000))
    return tree


def survey(tree: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(tree.rglob("*")):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        when = int(status.st_mtime) if path.is_file() else 0
        found[str(path.relative_to(tree))] = (status.st_mode, when, content)
    return found


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(copy.HIDDEN)]


def test_tree_goes_in_and_comes_out_as_it_was(guest: Guest, inside: Path, here: Path) -> None:
    tree = make_tree(here)
    owner = "" if os.geteuid() else "0:0"
    sent = copy.send(guest, tree, str(inside), owner=owner, deadline=PATIENCE)
    assert sent > LARGE
    assert survey(inside / "tree") == survey(tree)
    taken = copy.fetch(guest, f"{inside}/tree", here / "back", deadline=PATIENCE)
    assert survey(here / "back") == survey(tree)
    assert (taken.files, taken.notes) == (6, [])
    assert leftovers(inside) + leftovers(here) == []


def test_file_gets_the_name_that_was_asked_for_and_takes_anothers_place(guest: Guest, inside: Path, here: Path) -> None:
    (here / "new").write_text("new")
    (inside / "old").write_text("old")
    copy.send(guest, here / "new", f"{inside}/old", owner="", deadline=PATIENCE)
    assert (inside / "old").read_text() == "new"
    (here / "target").write_text("old")
    copy.fetch(guest, f"{inside}/old", here / "target", deadline=PATIENCE)
    assert (here / "target").read_text() == "new"
    copy.fetch(guest, f"{inside}/old", here, deadline=PATIENCE)
    assert (here / "old").read_text() == "new"


def test_folder_that_is_there_is_neither_replaced_nor_merged(guest: Guest, inside: Path, here: Path) -> None:
    tree = make_tree(here)
    (inside / "tree").mkdir()
    with pytest.raises(MachineError, match="tree is a folder that is there already"):
        copy.send(guest, tree, str(inside), owner="", deadline=PATIENCE)
    with pytest.raises(UsageError, match="tree is a folder that is there already"):
        copy.fetch(guest, f"{inside}/tree", here, deadline=PATIENCE)
    assert list((inside / "tree").iterdir()) == []


def test_what_is_not_there_is_said_in_the_guests_words(guest: Guest, inside: Path, here: Path) -> None:
    with pytest.raises(MachineError, match="none cannot be copied: tar: none: Cannot stat: No such file"):
        copy.fetch(guest, f"{inside}/none", here, deadline=PATIENCE)
    (here / "file").write_text("x")
    with pytest.raises(MachineError, match="file cannot be copied to"):
        copy.send(guest, here / "file", f"{inside}/no/folder", owner="", deadline=PATIENCE)
    with pytest.raises(UsageError, match="does not exist"):
        copy.send(guest, here / "none", str(inside), owner="", deadline=PATIENCE)
    assert [path.name for path in here.iterdir()] == ["file"]
    assert list(inside.iterdir()) == []


def test_refused_early_a_large_file_does_not_hang(guest: Guest, inside: Path, here: Path) -> None:
    with (here / "large").open("wb") as file:
        file.truncate(64 << 20)
    (inside / "large").mkdir()
    with pytest.raises(MachineError, match="is a folder that is there already"):
        copy.send(guest, here / "large", str(inside), owner="", deadline=PATIENCE)


@pytest.mark.parametrize("path", ["relative", "/", "/..", "", "/a\0b"])
def test_clean_refuses_what_is_no_path_of_a_file(path: str) -> None:
    with pytest.raises(UsageError):
        copy.clean(path)


def test_clean_leaves_out_what_means_nothing() -> None:
    assert [copy.clean("//var/./lib/../log/"), copy.clean("/", folder=True)] == ["/var/log", "/"]


SEND = """
import sys
from pathlib import Path
from jeos.vm import copy
from jeos.vm.guest import Guest
with Guest(Path(sys.argv[1])) as guest:
    if sys.argv[2] == "send":
        copy.send(guest, Path(sys.argv[3]), sys.argv[4], owner="", deadline=100)
    else:
        copy.fetch(guest, sys.argv[3], Path(sys.argv[4]), deadline=100)
"""


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
@pytest.mark.parametrize("way", ["send", "fetch"])
def test_killed_midway_leaves_nothing_under_the_final_name(
    line: Line, inside: Path, here: Path, way: str, signal: str
) -> None:
    source, target = (here, inside) if way == "send" else (inside, here)
    with (source / "large").open("wb") as file:
        file.truncate(8 << 30)  # what takes longer than this test
    process = subprocess.Popen([sys.executable, "-c", SEND, str(line.guest), way, str(source / "large"), str(target)])
    wait_until(lambda: leftovers(target) != [])
    subprocess.run(["kill", f"-{signal}", str(process.pid)], check=True)
    process.wait(PATIENCE)
    if way == "send":  # the guest cleans up by itself
        wait_until(lambda: list(inside.iterdir()) == [])
    assert not (target / "large").exists()
    with Guest(line.guest, deadline=PATIENCE) as guest:  # and the next one cleans up here
        (inside / "small").write_text("x")
        copy.fetch(guest, f"{inside}/small", here, deadline=PATIENCE)
    assert leftovers(here) == []
