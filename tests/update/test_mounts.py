"""Mounts that only one process sees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

# Mounts a file system in memory, and the root without what covers it, and says what it sees.
SCRIPT = """
import os, sys
from jeos.update import mounts
mounts.PLACE = sys.argv[1]
with mounts.mounted("none", kind="tmpfs", options="size=1m") as folder:
    open(f"{folder}/here", "w").close()
    print(os.listdir(folder), os.path.ismount(folder))
    with mounts.running_system() as system:
        print(os.path.samefile(system, "/"), os.path.ismount(f"{system}/proc"))
    print(open("/proc/self/mounts").read().count(mounts.PLACE))
print(os.listdir(sys.argv[1]))
if sys.argv[2] == "killed":
    with mounts.mounted("none", kind="tmpfs") as folder:
        os.kill(os.getpid(), 9)
"""


@pytest.fixture(autouse=True)
def is_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs to be root")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine allows no mounts")


def mounts_of(folder: Path) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line]


def test_mounts_are_private_and_end_with_their_block(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path, ""], capture_output=True, text=True)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "['here'] True"
    assert lines[1:] == ["True False", "1", "[]"]
    assert mounts_of(tmp_path) == []


def test_mounts_end_with_a_process_that_is_killed(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path, "killed"], capture_output=True, text=True)
    assert done.returncode == -9
    assert mounts_of(tmp_path) == []


def test_a_device_that_cannot_be_mounted_is_named(tmp_path: Path) -> None:
    script = SCRIPT.partition("with mounts")[0] + 'mounts.mounted("/dev/null", kind="ext4").__enter__()'
    done = subprocess.run([sys.executable, "-c", script, tmp_path, ""], capture_output=True, text=True)
    assert done.stderr.splitlines()[-2].startswith("jeos.update.errors.UpdateError: cannot mount /dev/null: ")
    assert list(tmp_path.iterdir()) == []
