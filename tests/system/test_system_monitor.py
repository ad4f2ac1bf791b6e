"""A built machine under its monitor: it stands still and goes on, and files go in and out."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeos_command import Jeos, wait_until
from machine_use import BOOT, inside

pytestmark = [pytest.mark.network, pytest.mark.vm]
CLOSE = 0.2  # seconds by which a clock that was set may be off


@pytest.fixture
def machines(jeos: Jeos) -> Iterator[Jeos]:
    yield jeos
    for found in json.loads(jeos.run("ls", "--json").stdout):
        jeos.run("rm", "--force", found["machine"]["name"])


@pytest.fixture
def one(machines: Jeos, tiny: Path) -> Jeos:
    """Return the command, with a machine `one` that is healthy."""
    options = ("--name", "one", "--accel", "tcg", "--detach", "--wait", "healthy", "--timeout", str(BOOT))
    machines.run("run", tiny, *options)
    return machines


def check_clock(jeos: Jeos) -> None:
    """Check that the clock in the machine lies between the times before and after the question."""
    before = time.time()
    told = float(inside(jeos, "one", "date", "+%s.%N"))
    assert before - CLOSE <= told <= time.time() + CLOSE


def test_paused_machine_has_the_right_clock_afterwards(one: Jeos) -> None:
    boot = inside(one, "one", "cat", "/proc/sys/kernel/random/boot_id")
    one.run("pause", "one")
    until = time.time() + 5
    wait_until(lambda: time.time() > until, "time stands still")
    one.run("resume", "one")
    check_clock(one)
    assert inside(one, "one", "cat", "/proc/sys/kernel/random/boot_id") == boot
    (found,) = json.loads(one.run("top", "--json").stdout)
    assert found["rates"]["received"] is not None
    assert 0 < found["memory"]["guest"] < found["memory"]["guest"] + found["memory"]["qemu"]


def test_files_go_in_and_out_with_modes_owners_and_times(one: Jeos, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "below/large").write_bytes(random.Random(1).randbytes(1 << 20))
    (tree / "script").write_text("#!/bin/sh\n")
    (tree / "script").chmod(0o750)
    one.run("cp", tree, "one:/var/tree")
    assert inside(one, "one", "stat", "-c", "%a %u %g", "/var/tree/script") == "750 0 0"
    one.run("cp", "--owner", "nobody:mail", tree / "script", "one:/var/tree/below")
    assert inside(one, "one", "stat", "-c", "%U %G", "/var/tree/below/script") == "nobody mail"
    one.run("cp", "one:/var/tree", tmp_path / "back")
    assert (tmp_path / "back/below/large").read_bytes() == (tree / "below/large").read_bytes()
    assert (tmp_path / "back/script").stat().st_mtime == int((tree / "script").stat().st_mtime)
    assert (tmp_path / "back/script").stat().st_mode == (tree / "script").stat().st_mode
    refused = one.run("cp", tree / "script", "one:/usr/bin", status=9)
    assert "Read-only file system" in refused.stderr
    assert inside(one, "one", "sh", "-c", "ls -A /var | grep jeos-cp || true") == ""
