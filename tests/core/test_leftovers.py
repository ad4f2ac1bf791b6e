"""Work folders that a killed process left in another place."""

import multiprocessing
import os
from pathlib import Path

from jeos.core.leftovers import work_folder

PREFIX = ".work-"


def killed(parent: Path, notes: Path) -> None:
    """Be killed in the middle of work."""
    with work_folder(parent, prefix=PREFIX, notes=notes) as folder:
        (folder / "half").write_bytes(b"half")
        os._exit(9)


def kill(parent: Path, notes: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=killed, args=(parent, notes))
    process.start()
    process.join()
    assert process.exitcode == 9


def test_every_place_is_swept(tmp_path: Path) -> None:
    notes, here, far = tmp_path / "notes", tmp_path / "here", tmp_path / "far"
    kill(here, notes)
    kill(far, notes)  # which sweeps the first place
    (far / f"{PREFIX}mine").mkdir()
    assert list(here.iterdir()) == [] and len(list(far.iterdir())) == 2
    with work_folder(tmp_path / "there", prefix=PREFIX, notes=notes) as folder:
        assert folder.parent == tmp_path / "there"
        assert [path.name for path in far.iterdir()] == [f"{PREFIX}mine"]
        assert len(list(notes.iterdir())) == 1
        with work_folder(here, prefix=PREFIX, notes=notes):  # another process at work loses nothing
            assert folder.is_dir()
            assert len(list(notes.iterdir())) == 2
    assert list((tmp_path / "there").iterdir()) == []


def test_place_that_is_away_is_swept_when_it_is_back(tmp_path: Path) -> None:
    notes, disk, away = tmp_path / "notes", tmp_path / "usb", tmp_path / "away"
    kill(disk, notes)
    disk.rename(away)
    with work_folder(tmp_path / "there", prefix=PREFIX, notes=notes):
        pass
    away.rename(disk)
    with work_folder(tmp_path / "there", prefix=PREFIX, notes=notes):
        assert list(disk.iterdir()) == []


def test_notes_that_mean_nothing_do_no_harm(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / ("0" * 16)).write_bytes(b"\xff relative\0")
    (notes / ("1" * 16)).mkdir()
    (notes / "mine").write_text("/")
    with work_folder(tmp_path / "there", prefix=PREFIX, notes=notes) as folder:
        assert folder.is_dir()
    assert (notes / "mine").exists()


def test_work_goes_on_without_notes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with work_folder(tmp_path / "there", prefix=PREFIX, notes=tmp_path / "file/notes") as folder:
        assert folder.is_dir()
