"""The built image as a running machine: both ways to boot, what lasts, and what verity refuses."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeos.build.outputs import Outputs
from jeos.disk.erofs_reader import Filesystem
from jeos_command import Jeos, wait_until
from machine_use import BOOT, free_port, inside
from screens import Screen

pytestmark = [pytest.mark.network, pytest.mark.vm]
PAGE = "srv/www/index.html"


@pytest.fixture
def machines(jeos: Jeos) -> Iterator[Jeos]:
    yield jeos
    for found in json.loads(jeos.run("ls", "--json").stdout):
        jeos.run("rm", "--force", found["machine"]["name"])


def start(jeos: Jeos, target: Path | str, name: str, *options: str) -> str:
    """Start a machine and return its page's address."""
    port = free_port()
    words = ["--name", name, "--port", f"{port}:80", "--accel", "tcg", "--detach", *options]
    jeos.run("run", target, *words)
    return f"http://127.0.0.1:{port}/"


def page(address: str) -> bytes | None:
    """Return a page, or None as long as nobody answers."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return bytes(answer.read())
    except (OSError, urllib.error.URLError):
        return None


def console(jeos: Jeos, name: str) -> str:
    return jeos.run("logs", name).stdout


def stop(jeos: Jeos, name: str) -> None:
    """Stop a machine, which must power off by itself and without a word of complaint."""
    assert "without the guest" not in jeos.run("stop", name).stderr
    log = console(jeos, name)
    assert "reboot: Power down" in log
    for complaint in ("Failed to unmount", "EXT4-fs error", "panic"):
        assert complaint not in log


def original(web: Outputs) -> bytes:
    return (web.folder.parent / "site/index.html").read_bytes()


def data_partition(web: Outputs) -> int:
    return next(one.size for one in web.image.partitions if one.label == "data")


def test_machine_shows_its_page_keeps_its_data_and_is_itself(machines: Jeos, web: Outputs) -> None:
    address = start(machines, web.folder.parent, "one", "--wait", "healthy", "--timeout", str(BOOT))
    wait_until(lambda: page(address) == original(web), "the page never came", seconds=BOOT)
    identity = inside(machines, "one", "cat", "/etc/machine-id")
    assert len(identity) == 32
    blocks = int(inside(machines, "one", "stat", "-f", "-c", "%b", "/var")) * 4096
    assert data_partition(web) * 0.9 < blocks <= data_partition(web)
    inside(machines, "one", "sh", "-c", "echo lasting > /var/lib/proof; echo changed > /etc/proof")
    assert machines.run("exec", "one", "--", "touch", "/usr/proof", status=1).stderr.rstrip().endswith("system")
    stop(machines, "one")
    start(machines, "one", "one", "--wait", "healthy", "--timeout", str(BOOT))
    assert inside(machines, "one", "cat", "/var/lib/proof", "/etc/proof") == "lasting\nchanged"
    assert inside(machines, "one", "cat", "/etc/machine-id") == identity
    stop(machines, "one")


def test_terminals_reach_into_a_machine_with_their_size(machines: Jeos, web: Outputs) -> None:
    start(machines, web.folder.parent, "four", "--wait", "healthy", "--timeout", str(BOOT))

    def screen(verb: str, *words: str, rows: int, columns: int) -> Screen:
        argv = [machines.python, "-m", "jeos", verb, "--wait", str(BOOT), *words]
        return Screen(argv, rows=rows, columns=columns, environment=machines.environment)

    size = screen("exec", "--tty", "four", "--", "stty", "size", rows=30, columns=90)
    assert (size.end(), size.said) == (0, b"30 90\r\n")
    shell = screen("shell", "four", rows=30, columns=90)
    shell.type(b"stty size; tty; read changed; stty size; exit 3\r")
    shell.until(b"\n30 90\r\n/dev/pts/", patience=BOOT)
    shell.resize(rows=31, columns=91)
    shell.type(b"\r")
    shell.until(b"\n31 91\r\n", patience=BOOT)
    assert shell.end() == 3
    stop(machines, "four")


def test_machine_boots_with_firmware_and_is_another_one(machines: Jeos, web: Outputs) -> None:
    address = start(machines, web.folder.parent, "two", "--firmware", "--wait", "healthy", "--timeout", str(BOOT))
    wait_until(lambda: page(address) == original(web), "the page never came", seconds=BOOT)
    assert inside(machines, "two", "test", "-d", "/sys/firmware/efi") == ""
    assert web.image.root_hash in inside(machines, "two", "cat", "/proc/cmdline")
    first = inside(machines, "two", "cat", "/etc/machine-id")
    stop(machines, "two")
    start(machines, web.folder.parent, "three", "--wait", "healthy", "--timeout", str(BOOT))
    assert inside(machines, "three", "cat", "/etc/machine-id") != first
    stop(machines, "three")


def test_flipped_bit_in_the_system_is_refused(machines: Jeos, web: Outputs, tmp_path: Path) -> None:
    tampered = tmp_path / "build"
    subprocess.run(["cp", "--recursive", "--sparse=always", web.folder, tampered], check=True)
    slot = next(one for one in web.image.partitions if one.number == 2)
    with (tampered / web.image.disk).open("r+b") as disk:
        assert Filesystem(disk, offset=slot.start).read(PAGE) == original(web)
        disk.seek(slot.start)
        system = disk.read(web.image.system_size)
        assert system.count(original(web)) == 1
        disk.seek(slot.start + system.index(original(web)))
        disk.write(bytes([original(web)[0] ^ 1]))
    address = start(machines, tampered / f"{web.image.name}_{web.image.version}.json", "bad")
    answers = set()

    def refused() -> bool:
        answers.add(page(address))
        log = console(machines, "bad")
        return "is corrupted" in log and log.count("jeos: initrd") > 1  # it said so, and started again

    wait_until(refused, "verity let the block pass", seconds=BOOT)
    assert answers <= {None}
    assert "device-mapper: verity: " in console(machines, "bad")
