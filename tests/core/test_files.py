"""Files that matter: nothing half-written under a final name, locks between processes, folders that go away."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jeos.core import files
from jeos.core.errors import HostError, StoreError


def test_replace_shows_nothing_until_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file"
    with files.replace(target, mode=0o600) as file:
        file.write(b"new")
        assert not target.exists()
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", 0o600)
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_replace_keeps_the_old_file_when_the_block_fails(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(RuntimeError), files.replace(target) as file:
        file.write(b"half")
        raise RuntimeError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


def test_replace_never_publishes_what_a_killed_process_left(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for descriptor in range(3, 40):  # what a process of this number, killed right before its rename, may have left
        (tmp_path / f".x.{os.getpid()}-{descriptor}{files.PARTIAL_SUFFIX}").write_text("stale")
    files.write(path, "fresh")
    assert path.read_text() == "fresh"


def test_replace_on_a_full_disk_says_so(tmp_path: Path) -> None:
    with pytest.raises(HostError) as caught, files.replace(tmp_path / "file") as file:
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")
        file.write(b"never reached")
    assert caught.value.message == f"no room left on the disk that holds {tmp_path}"
    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys, pathlib; from jeos.core import files
with {block} as made:
    print('ready', made, flush=True); sys.stdin.read()
"""


def killed(block: str, folder: Path) -> None:
    """Kill a process that is inside of a block."""
    script = KILLED.format(block=block.format(folder=f"pathlib.Path({str(folder)!r})"))
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline().startswith(b"ready ")
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()


def test_killed_writer_leaves_nothing(tmp_path: Path) -> None:
    killed("files.replace({folder} / 'file')", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_writer_makes_do_without_unnamed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)  # what kernels see that do not know the flag
    with files.replace(tmp_path / "file", mode=0o640) as file:
        file.write(b"x")
        (partial,) = tmp_path.iterdir()
        assert partial.name.endswith(files.PARTIAL_SUFFIX)
    assert [(path.name, path.read_bytes(), path.stat().st_mode) for path in tmp_path.iterdir()] == [
        ("file", b"x", 0o100640)
    ]


def test_what_a_killed_process_left_goes_away_with_the_next(tmp_path: Path) -> None:
    killed("files.temporary_folder({folder}, prefix='x-')", tmp_path)
    others = {tmp_path / name for name in ("x-mine", "x-mine.partial", "y-12345678.partial")}
    for other in others:
        other.mkdir()
    assert len(list(tmp_path.glob("x-????????.partial"))) == 1
    with files.temporary_folder(tmp_path, prefix="x-") as used, files.temporary_folder(tmp_path, prefix="x-") as second:
        assert {*tmp_path.iterdir()} == {*others, used, second}
    assert {*tmp_path.iterdir()} == others


def test_locked_twice_in_two_processes_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    script = (
        "import sys, pathlib; from jeos.core import files\n"
        "with files.locked(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    with pytest.raises(StoreError) as caught, files.locked(lock, wait=False, busy="two at once"):
        pass
    assert caught.value.message == "two at once"
    child.communicate()
    with files.locked(lock, wait=False):
        pass


def test_shared_locks_stand_beside_each_other(tmp_path: Path) -> None:
    with files.locked(tmp_path / "lock", shared=True), files.locked(tmp_path / "lock", shared=True, wait=False):
        pass


def test_remove_tree_deletes_folders_without_rights(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    (tmp_path / "a" / "link").symlink_to("/")
    inner.chmod(0)
    files.remove_tree(tmp_path / "a")
    files.remove_tree(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_temporary_folder_goes_away_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), files.temporary_folder(tmp_path) as folder:
        (folder / "file").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
