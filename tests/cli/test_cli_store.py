"""`jeos store`: what it prints, and how it ends."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from jeos.cli import main
from jeos.core import files
from jeos.core.errors import StoreError
from jeos.store.caches import CacheFolder
from jeos.store.local import LocalStore
from jeos.store.roots import write_root

CONTENT = b"the same words again " * 1000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JEOS_CACHE_DIR", str(tmp_path))
    return tmp_path


def fill(folder: Path) -> LocalStore:
    store = LocalStore(folder / "store", durable=False)
    write_root(store, kind="release", name="kept", objects=[store.write(b"kept")])
    store.write(CONTENT)

    def make_layer(layer: Path) -> None:
        (layer / "file").write_bytes(b"x" * 9000)

    CacheFolder(folder).obtain("layers", "old", make_layer)
    (folder / "downloads").mkdir()
    (folder / "downloads" / "half.partial").write_bytes(b"x" * 5000)
    then = time.time() - 30 * 86400
    places = [found.path for found in store.object_files()]
    for path in (*places, folder / "layers/old.used", folder / "downloads/half.partial"):
        os.utime(path, (then, then))
    return store


def jeos(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main.main(["store", *words]) == status
    return capsys.readouterr().out


def from_json(text: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(text)
    return value


@pytest.mark.parametrize("action", ["gc", "check", "stats"])
def test_actions_of_a_new_machine(folder: Path, capsys: pytest.CaptureFixture[str], action: str) -> None:
    assert jeos(capsys, action) != ""
    assert from_json(jeos(capsys, action, "--json")) != {}


def test_gc_says_what_it_would_do_and_then_does_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = fill(folder)
    foreseen = from_json(jeos(capsys, "gc", "--dry-run", "--json"))
    assert len(list(store.digests())) == 2
    assert (folder / "layers/old/file").exists()
    done = from_json(jeos(capsys, "gc", "--json"))
    assert done == {**foreseen, "dry_run": False}
    assert done["objects"] == {"deleted": 1, "freed": 4096, "kept": 1, "partial": 0}
    assert [(entry["kind"], entry["key"]) for entry in done["caches"]] == [("layers", "old")]
    assert done["downloads"] == {"files": 1, "freed": 8192}
    assert done["freed"] == 4096 + 8192 + done["caches"][0]["bytes"]
    assert sorted(path.name for path in folder.iterdir()) == ["downloads", "layers", "leases", "store"]
    assert list((folder / "layers").iterdir()) == list((folder / "downloads").iterdir()) == []


def test_gc_spares_what_was_used_lately(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(folder)
    done = from_json(jeos(capsys, "gc", "--older-than", "5w", "--json"))
    assert (done["objects"]["deleted"], done["caches"], done["downloads"]["files"], done["freed"]) == (0, [], 0, 0)


def put_old(path: Path, *, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    then = time.time() - 30 * 86400
    os.utime(path, (then, then))


def test_gc_deletes_package_lists_and_kernels_that_nobody_used(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("aa", "bb", "busy"):
        put_old(folder / "apt" / name / "lock", size=0)
        put_old(folder / "apt" / name / "lists/Packages", size=9000)
    for name in ("cc", "dd"):
        put_old(folder / "kernels" / name / "vmlinux", size=9000)
        put_old(folder / "kernels" / name / "cmdline", size=1)
        put_old(folder / "kernels" / f"{name}.lock", size=0)
    (folder / "apt/bb/lock").touch()
    (folder / "kernels/dd/cmdline").touch()
    (folder / "apt/elsewhere").symlink_to(folder)
    with files.locked(folder / "apt/busy/lock"):
        os.utime(folder / "apt/busy/lock", (0, 0))
        foreseen = from_json(jeos(capsys, "gc", "--dry-run", "--json"))
        assert (folder / "apt/aa/lists/Packages").exists()
        done = from_json(jeos(capsys, "gc", "--json"))
    assert done == {**foreseen, "dry_run": False}
    assert (done["lists"]["files"], done["kernels"]["files"]) == (1, 1)
    assert done["freed"] == done["lists"]["freed"] + done["kernels"]["freed"] > 24000
    assert sorted(path.name for path in (folder / "apt").iterdir()) == ["bb", "busy", "elsewhere"]
    assert sorted(path.name for path in (folder / "kernels").iterdir()) == ["dd", "dd.lock"]


def test_gc_of_everything_spares_the_kernel_of_a_machine_that_is_being_started(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "kernels/aa").mkdir(parents=True)
    (folder / "kernels/aa/cmdline").touch()
    assert from_json(jeos(capsys, "gc", "--older-than", "0", "--json"))["kernels"]["files"] == 0


def test_check_reports_damage_and_repairs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = fill(folder)
    assert jeos(capsys, "check") == "2 objects: 0 damaged, 0 foreign files, 0 missing\n"
    victim = next(found for found in store.object_files() if found.path.suffix)
    victim.path.chmod(0o644)
    victim.path.write_bytes(b"rot")
    name = f"objects/{victim.digest[:2]}/{victim.path.name}"
    assert jeos(capsys, "check", status=StoreError.exit_code) == (
        f"WRONG    WHAT\ndamaged  {name}\n2 objects: 1 damaged, 0 foreign files, 0 missing\n"
    )
    found = from_json(jeos(capsys, "check", "--repair", "--json"))
    assert found == {"objects": 2, "damaged": [name], "foreign": [], "missing": [], "moved": True}
    assert jeos(capsys, "check") == "1 objects: 0 damaged, 0 foreign files, 0 missing\n"


def test_check_that_misses_something_fails_even_with_repair(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = fill(folder)
    kept = next(found for found in store.object_files() if not found.path.suffix)
    store.delete(kept.digest)
    out = jeos(capsys, "check", "--repair", status=StoreError.exit_code)
    assert out.splitlines()[1] == f"missing  {kept.digest}"


def test_stats_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(folder)
    found = from_json(jeos(capsys, "stats", "--json"))
    assert found["store"] == {
        "objects": 2,
        "packed": 1,
        "disk_bytes": 8192,
        "content_bytes": len(CONTENT) + 4,
        "roots": {"release": 1},
    }
    assert found["caches"]["layers"]["entries"] == 1
    assert found["caches"]["layers"]["bytes"] >= 12288
