"""A corpus of hostile sources ends in a clear error, or in a report: in bounded time and memory, and nothing else read.

The limits are the kernel's (RLIMIT_AS, RLIMIT_CPU, RLIMIT_FSIZE): a command that passes them is killed, and fails the
test. Which files a command opens is told by Python's own audit of it.
"""

import re
import sys
from pathlib import Path

import pytest

import bounded
import hostile_sources
from hostile_sources import SECRET, SOURCES

# What a whole command may read besides its sources: itself, Python, and what describes this host.
HOLES = 1 << 45  # bytes
SYSTEM = ("/usr/", "/lib/", "/proc/", "/sys/", "/etc/", "/dev/")


def check(ended: bounded.Ended, folder: Path, outside: Path) -> None:
    """Hold a command to what it must not do, however it ended."""
    assert "Traceback" not in ended.stderr, ended.stderr
    assert 0 <= ended.status <= 9, (ended.status, ended.stderr)
    if ended.status:
        # A failure in jeos itself is 1; a clear error has a class of its own, a message and a hint.
        assert ended.status > 1, ended.stderr
        assert re.search(r"^(error: )?\S.*", ended.stderr)
        assert "hint:" in ended.stderr
    assert SECRET.decode().strip() not in ended.stdout + ended.stderr
    own = (
        str(Path(__file__).parents[2]),
        sys.prefix,
        sys.base_prefix,
        str(folder),
        str(folder.parent / "run"),
        *SYSTEM,
    )
    assert [path for path in ended.opened if not path.startswith(own) or path == str(outside)] == []


@pytest.mark.parametrize("name", SOURCES)
def test_source_does_no_harm(name: str, tmp_path: Path) -> None:
    """It is inspected; what passes is converted too, and what does not is refused by an export as well."""
    folder, outside, run = tmp_path / "in", tmp_path / "outside", tmp_path / "run"
    folder.mkdir()
    run.mkdir()
    outside.write_bytes(SECRET * 100)
    given = [str(path) for path in hostile_sources.SOURCES[name](folder, outside)]
    before = {path: path.lstat().st_mtime_ns for path in (*folder.iterdir(), outside)}
    inspected = bounded.run(["inspect", *given], run)
    check(inspected, folder, outside)
    target = run / "target.qcow2"
    if inspected.status == 0:
        # The size of sparse files is no measure of what is written.
        ended = bounded.run(["convert", *given, "-o", str(target)], run, file=HOLES)
    else:
        ended = bounded.run(["export", *given, "--to", "qcow2", "-o", str(target)], run)
        assert ended.status != 0
    check(ended, folder, outside)
    left = {path.name for path in run.iterdir()} - {"stdout", "stderr", "opened.json", "cache", "tmp"}
    assert left == (set() if ended.status else {"target.qcow2", "target.machine.json", "target.convert.json"})
    assert sum(path.stat().st_blocks * 512 for path in run.rglob("*")) < bounded.WRITTEN
    assert {path: path.lstat().st_mtime_ns for path in (*folder.iterdir(), outside)} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "outside", "run"]


def test_limits_are_held(tmp_path: Path) -> None:
    """The corpus would notice: a process that takes more than it may is ended by the kernel."""
    ended = bounded.run(["--help"], tmp_path, memory=40 << 20)
    assert ended.status != 0
    assert bounded.run(["--help"], tmp_path).status == 0
