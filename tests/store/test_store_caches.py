"""Caches of folders: made once, whole, and swept only when nobody uses them."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from jeos.core import files
from jeos.core.errors import StoreError
from jeos.store import caches
from jeos.store.caches import CacheEntry, CacheFolder

DEADLINE = 20.0  # seconds that a helper process may take
fork = multiprocessing.get_context("fork")


def fill(folder: Path) -> None:
    (folder / "etc").mkdir()
    (folder / "etc" / "hostname").write_text("jeos\n")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def age(cache: CacheFolder, kind: str, key: str, *, seconds: float) -> None:
    marker = cache.entry(kind, key).with_name(f"{key}.used")
    then = time.time() - seconds
    os.utime(marker, (then, then))


@pytest.fixture
def cache(tmp_path: Path) -> CacheFolder:
    return CacheFolder(tmp_path / "cache")


def test_obtain_makes_an_entry_once(cache: CacheFolder) -> None:
    calls: list[Path] = []

    def make(folder: Path) -> None:
        calls.append(folder)
        fill(folder)

    first = cache.obtain("unpacked", "a" * 64, make)
    second = cache.obtain("unpacked", "a" * 64, make)
    assert first == second == cache.entry("unpacked", "a" * 64)
    assert len(calls) == 1
    assert (first / "etc" / "hostname").read_text() == "jeos\n"


def test_lookup_of_an_absent_entry(cache: CacheFolder) -> None:
    assert cache.lookup("layers", "base") is None
    cache.touch("layers", "base")
    assert names(cache.folder) == []


@pytest.mark.parametrize("key", ["", "../x", "a/b", ".hidden", "x.used", "x.lock", "a\n", "k" * 201])
def test_entry_refuses_a_bad_key(cache: CacheFolder, key: str) -> None:
    with pytest.raises(StoreError):
        cache.entry("unpacked", key)


def test_entry_refuses_an_unknown_kind(cache: CacheFolder) -> None:
    with pytest.raises(StoreError):
        cache.entry("downloads", "a")


def test_create_that_fails_leaves_nothing(cache: CacheFolder) -> None:
    with pytest.raises(RuntimeError), cache.create("stages", "one") as partial:
        assert partial is not None
        fill(partial)
        raise RuntimeError
    assert names(cache.folder / "stages") == [".one.lock"]
    assert cache.lookup("stages", "one") is None


def test_create_gives_none_when_the_entry_is_there(cache: CacheFolder) -> None:
    cache.obtain("stages", "one", fill)
    with cache.create("stages", "one") as partial:
        assert partial is None


def make_slowly(folder: Path, log: Path) -> None:
    def work(partial: Path) -> None:
        with log.open("a") as file:
            file.write("made\n")
        fill(partial)

    CacheFolder(folder).obtain("layers", "base", work)


def test_create_by_many_processes_happens_once(cache: CacheFolder, tmp_path: Path) -> None:
    log = tmp_path / "log"
    processes = [fork.Process(target=make_slowly, args=(cache.folder, log)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(DEADLINE)
    assert [process.exitcode for process in processes] == [0] * 6
    assert log.read_text() == "made\n"


def make_and_hang(folder: Path, ready: Path) -> None:
    with CacheFolder(folder).create("layers", "base") as partial:
        assert partial is not None
        fill(partial)
        ready.touch()
        signal.pause()


def kill_while_making(cache: CacheFolder, ready: Path) -> None:
    process = fork.Process(target=make_and_hang, args=(cache.folder, ready))
    process.start()
    deadline = time.monotonic() + DEADLINE
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.join(DEADLINE)
    assert process.exitcode == -signal.SIGKILL


def test_entry_of_a_killed_process_is_not_there_and_can_be_made(cache: CacheFolder, tmp_path: Path) -> None:
    kill_while_making(cache, tmp_path / "ready")
    assert names(cache.folder / "layers") == [".base.lock", ".base.partial"]
    assert cache.lookup("layers", "base") is None
    assert (cache.obtain("layers", "base", fill) / "etc" / "hostname").exists()
    assert names(cache.folder / "layers") == [".base.lock", "base", "base.used"]


def test_sweep_removes_what_a_killed_process_left(cache: CacheFolder, tmp_path: Path) -> None:
    kill_while_making(cache, tmp_path / "ready")
    assert cache.sweep(older_than=3600, dry_run=True) == []
    assert names(cache.folder / "layers") == [".base.lock", ".base.partial"]
    assert cache.sweep(older_than=3600) == []
    assert names(cache.folder / "layers") == []


def test_sweep_leaves_an_entry_that_is_being_made(cache: CacheFolder) -> None:
    with cache.create("layers", "base") as partial:
        assert partial is not None
        fill(partial)
        cache.sweep(older_than=0)
    assert cache.lookup("layers", "base") is not None


def test_sweep_removes_only_what_is_old(cache: CacheFolder) -> None:
    for key in ("old", "new"):
        cache.obtain("unpacked", key, fill)
        age(cache, "unpacked", key, seconds=7200)
    assert cache.lookup("unpacked", "new") is not None
    assert [found.key for found in cache.sweep(older_than=3600, dry_run=True)] == ["old"]
    assert [found.key for found in cache.entries()] == ["new", "old"]
    assert [found.key for found in cache.sweep(older_than=3600)] == ["old"]
    assert names(cache.folder / "unpacked") == [".new.lock", "new", "new.used"]


def test_sweep_spares_what_a_lease_covers(cache: CacheFolder) -> None:
    cache.obtain("unpacked", "leased", fill)
    with cache.lease():
        assert cache.lookup("unpacked", "leased") is not None
        assert cache.sweep(older_than=0) == []
    assert [found.key for found in cache.sweep(older_than=-1)] == ["leased"]


def test_sweep_puts_back_what_was_used_meanwhile(cache: CacheFolder) -> None:
    path = cache.obtain("unpacked", "a", fill)
    stale = CacheEntry(kind="unpacked", key="a", path=path, used=0)
    assert not cache._drop(stale, unused_since=1)
    assert cache.lookup("unpacked", "a") == path


def test_sweep_uses_the_given_removal(cache: CacheFolder) -> None:
    removed: list[str] = []

    def remove(folder: Path) -> None:
        removed.append(folder.name)
        files.remove_tree(folder)

    cache.obtain("unpacked", "a", fill)
    CacheFolder(cache.folder, remove=remove).sweep(older_than=-1)
    assert removed == [".a.partial"]


def test_flush_makes_entries_outlive_a_restart(cache: CacheFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.obtain("unpacked", "flushed", fill)
    cache.flush()
    cache.obtain("unpacked", "lost", fill)
    monkeypatch.setattr(caches, "_boot", lambda: "another boot")
    assert cache.lookup("unpacked", "lost") is None
    assert [found.key for found in cache.entries()] == ["flushed"]
    cache.obtain("unpacked", "lost", fill)
    assert [found.key for found in cache.entries()] == ["flushed", "lost"]
