"""Where things are kept, by environment."""

import os
from pathlib import Path

import pytest

from jeos.core import settings


def test_folders_follow_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("JEOS_CACHE_DIR", "JEOS_STATE_DIR", "JEOS_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    assert (settings.cache_dir(), settings.state_dir()) == (tmp_path / "c/jeos", tmp_path / "s/jeos")
    assert settings.runtime_dir() == tmp_path / "s/jeos/run"


def test_folders_of_jeos_own_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JEOS_CACHE_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("JEOS_TMPDIR", str(tmp_path / "work"))
    assert (settings.cache_dir(), settings.work_dir()) == (tmp_path / "own", tmp_path / "work")


def test_mirror_has_no_slash_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEOS_MIRROR", " https://mirror.example/debian/ ")
    assert settings.mirror() == "https://mirror.example/debian"
    monkeypatch.setenv("JEOS_MIRROR", "")
    assert settings.mirror() is None


def test_builds_work_in_memory_where_there_is_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    work = in_memory(monkeypatch, tmp_path)
    assert settings.work_dir() == work
    assert work.stat().st_mode & 0o777 == 0o700
    assert settings.work_dir() == work


@pytest.mark.parametrize("trap", ["link", "file", "open"])
def test_builds_never_work_in_a_folder_that_another_user_laid_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trap: str
) -> None:
    work = in_memory(monkeypatch, tmp_path)
    if trap == "link":
        work.symlink_to(tmp_path)
    elif trap == "file":
        work.touch()
    else:
        work.mkdir()
        work.chmod(0o777)
    assert settings.work_dir() == settings.cache_dir() / "work"


def in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let a folder stand for /dev/shm; return where builds work in it."""
    monkeypatch.delenv("JEOS_TMPDIR", raising=False)
    monkeypatch.setattr(settings, "MEMORY", tmp_path)
    monkeypatch.setattr(settings, "BUILD_ROOM", 0)
    return tmp_path / f"jeos-{os.getuid()}"
