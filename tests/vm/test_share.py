"""Shared folders: what users write, which way is taken, and the words for the programs that serve them."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

import tiny_guest
from jeos.core.errors import InputError, MachineError, UsageError
from jeos.model.machine import Machine, Share, Status, machine_text, parse_folder, parse_machine
from jeos.vm import saves, session, share
from jeos.vm.places import places_of
from jeos.vm.share import NINE_P, OLD, VIRTIOFS, Way

pytestmark = pytest.mark.usefixtures("own_machines")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("site:/srv/www", Share("site", "/srv/www")),
        ("/data:/mnt:ro", Share("/data", "/mnt", read_only=True)),
        ("/a:b, c:/mnt", Share("/a:b, c", "/mnt")),
        ("/a:/b:/mnt:ro", Share("/a:/b", "/mnt", read_only=True)),
        ("/x:ro:/mnt", Share("/x:ro", "/mnt")),
    ],
)
def test_parse_folder(text: str, expected: Share) -> None:
    assert parse_folder(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text", ["", "/data", ":/mnt", "/data:mnt", "/data:/", "/d:/mnt:rw", "/d:/a/../b", "/d:/a b", "/d:/m,x"]
)
def test_parse_folder_refuses(text: str) -> None:
    with pytest.raises(UsageError, match="is not of the form"):
        parse_folder(text)


def test_machine_keeps_its_folders(tmp_path: Path) -> None:
    machine = replace(tiny_guest.machine(tmp_path), shares=(Share("/data", "/mnt", read_only=True),))
    assert parse_machine(machine_text(machine), source="here") == machine


def test_choose_takes_the_first_program_or_says_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "virtiofsd"
    assert share.choose((program,)) == Way(NINE_P, why="virtiofsd is not installed")
    program.touch(mode=0o755)
    assert share.choose((tmp_path / "none", program)) == Way(VIRTIOFS, program=program)
    monkeypatch.setattr(share, "OLD", program)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = share.choose((program,))
    assert str(found) == "9p, because the virtiofsd of this QEMU is for root alone"


def test_argv_of_both_virtiofsds() -> None:
    one = Share("/a,b\\c", "/mnt", read_only=True)
    newer = share.argv(one, Path("/usr/libexec/virtiofsd"), socket=Path("/run/s"))
    assert " ".join(map(str, newer)) == (
        "/usr/libexec/virtiofsd --socket-path /run/s --shared-dir /a,b\\c --sandbox namespace "
        "--modcaps=-mknod:-setfcap --log-level error --readonly"
    )
    older = share.argv(one, OLD, socket=Path("/run/s"))
    assert " ".join(map(str, older)) == (
        f"{OLD} --socket-path=/run/s -o source=/a\\,b\\\\c -o sandbox=namespace "
        "-o modcaps=-mknod:-setfcap -o log_level=warn"
    )


def test_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "none"):
        with pytest.raises(InputError, match="is no folder"):
            share.check(Share(str(path), "/mnt"))


@pytest.fixture(params=[VIRTIOFS, NINE_P])
def sharing(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a machine with two folders, which reach it in each of the ways."""
    if request.param == NINE_P:
        monkeypatch.setenv("JEOS_SHARING", NINE_P)
    elif share.choose().kind != VIRTIOFS:
        pytest.skip(str(share.choose()))
    for name in ("a:b, c", "ro"):
        (tmp_path / name).mkdir()
    shares = (Share(str(tmp_path / "a:b, c"), "/mnt"), Share(str(tmp_path / "ro"), "/srv", read_only=True))
    return replace(tiny_guest.machine(tmp_path), shares=shares)


@pytest.mark.vm
def test_machine_with_folders_runs_stops_and_cannot_be_saved(sharing: Machine) -> None:
    before = session.run(sharing)
    for _ in range(2):
        assert (before.status, before.sharing.split(",")[0]) == (Status.RUNNING, share.choose().kind)
        with pytest.raises(MachineError, match="sees folders of this host"):
            saves.save("tiny", "a", stop=False)
        session.stop("tiny", within=0)
        before = session.run(sharing)
    session.stop("tiny", within=0)
    assert not places_of("tiny").inside.exists()
