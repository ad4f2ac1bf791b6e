"""A built machine under its monitor: it stands still and goes on, and files go in and out."""

import json
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeos.core.errors import MachineError
from jeos_command import Jeos, wait_until, write_recipe
from machine_use import BOOT, inside

pytestmark = [pytest.mark.network, pytest.mark.vm]
GIVEN = 192  # MiB; what else a guest does with its memory meanwhile is less than half of it
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


def test_saved_machine_goes_on_with_its_programs_disk_and_the_right_clock(one: Jeos) -> None:
    inside(one, "one", "sh", "-c", "echo before > /var/proof; echo kept > /run/proof; sync")
    boot = inside(one, "one", "cat", "/proc/sys/kernel/random/boot_id")
    identity = inside(one, "one", "cat", "/etc/machine-id")
    one.run("save", "one@a")
    inside(one, "one", "sh", "-c", "echo after > /var/proof; rm /run/proof; sync")
    one.run("load", "one@a", status=2)
    one.run("load", "--force", "one@a")
    assert inside(one, "one", "cat", "/var/proof", "/run/proof", "/etc/machine-id") == f"before\nkept\n{identity}"
    assert inside(one, "one", "cat", "/proc/sys/kernel/random/boot_id") == boot
    check_clock(one)
    (saved,) = json.loads(one.run("ls", "--saved", "--json").stdout)
    assert (saved["name"], saved["agent"]) == ("a", True)
    one.run("save", "one", "--stop")
    one.run("load", "one")
    assert inside(one, "one", "cat", "/run/proof") == "kept"
    one.run("rm", "one@a", "one@saved")
    assert json.loads(one.run("ls", "--saved", "--json").stdout) == []


COPIES = """
packages = ["openssh-server"]
[[port]]
guest = 22
[[file]]
target = "/usr/lib/jeos/copy.d/10-note"
mode = "0755"
content = '''
#!/bin/sh
echo "$1" >> /run/copied
'''
"""
NUMBERS = (
    "cat /etc/machine-id /sys/class/net/e*/address /etc/ssh/ssh_host_ed25519_key.pub; od -A n -x -N 16 /dev/urandom"
)


def test_copies_of_a_template_are_machines_of_their_own(machines: Jeos, tiny: Path) -> None:
    recipe = write_recipe(machines.folder / "copies", COPIES)
    machines.build(recipe)
    machines.run("template", "create", recipe, "--accel", "tcg", "--timeout", str(BOOT))
    assert [seen["machine"]["name"] for seen in json.loads(machines.run("ls", "--json").stdout)] == []
    (made,) = json.loads(machines.run("template", "list", "--json").stdout)
    told, boots = [made["saved"]["machine"]["uuid"].replace("-", "")], set()
    for name in ("one", "two"):
        machines.run("run", "tiny", "--from-template", "--name", name, "--detach")
        (seen,) = [x for x in json.loads(machines.run("ls", "--json").stdout) if x["machine"]["name"] == name]
        assert seen["state"]["status"] == "healthy"  # the moment that the verb returns
        with socket.create_connection(("127.0.0.1", seen["state"]["forwards"][0]["host"]), timeout=BOOT) as line:
            assert line.recv(4) == b"SSH-"
        lines = inside(machines, name, "sh", "-c", NUMBERS).splitlines()
        assert lines[0] == seen["machine"]["uuid"].replace("-", "")
        assert inside(machines, name, "cat", "/run/copied") == lines[0]
        told += lines
        boots.add(inside(machines, name, "cat", "/proc/sys/kernel/random/boot_id"))
    assert len(set(told)) == len(told) == 9
    assert len(boots) == 1  # neither has booted
    check_clock(machines)
    assert inside(machines, "one", "sh", "-c", "echo mine > /var/proof; sync; cat /var/proof") == "mine"
    assert inside(machines, "two", "sh", "-c", "cat /var/proof 2>/dev/null || echo none") == "none"
    identity = inside(machines, "one", "cat", "/etc/machine-id")
    machines.run("save", "one@copy")
    machines.run("load", "--force", "one@copy")
    assert inside(machines, "one", "cat", "/var/proof", "/etc/machine-id") == f"mine\n{identity}"
    machines.run("stop", "one")
    machines.run("run", "one", "--detach", "--wait", "healthy", "--timeout", str(BOOT))  # boots, from its own disk
    assert inside(machines, "one", "cat", "/var/proof", "/etc/machine-id") == f"mine\n{identity}"
    refused = machines.run("template", "rm", "tiny", status=9)
    assert "is under the disks of one, two" in refused.stderr
    machines.run("rm", "--force", "one", "two")
    machines.run("template", "rm", "tiny")


def available(jeos: Jeos) -> int:
    """Return how many MiB programs in the guest could still have; its total counts the balloon as its own."""
    (line,) = [
        line for line in inside(jeos, "one", "cat", "/proc/meminfo").splitlines() if line.startswith("MemAvailable:")
    ]
    return int(line.split()[1]) >> 10


def test_guest_gives_memory_back_and_gets_it_again(one: Jeos) -> None:
    (before,) = json.loads(one.run("ls", "--json").stdout)
    memory, had = before["machine"]["memory"], available(one)
    one.run("resize-memory", "one", f"{memory - GIVEN}M")
    assert available(one) < had - GIVEN / 2
    refused = one.run("resize-memory", "one", f"{memory + 1}M", status=2).stderr
    assert f"more than the {memory} MiB that the machine started with" in refused
    one.run("resize-memory", "one", f"{memory}M")
    assert available(one) > had - GIVEN / 2
    one.run("pause", "one")
    assert (
        "hint: jeos resume one"
        in one.run("resize-memory", "one", f"{memory - 64}M", status=MachineError.exit_code).stderr
    )
    one.run("stop", "one")
    one.run("resize-memory", "one", f"{memory + 32}M")
    (after,) = json.loads(one.run("ls", "--json").stdout)
    assert after["machine"]["memory"] == memory + 32
