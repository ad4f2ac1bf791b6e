"""Where things are kept, by environment."""

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
