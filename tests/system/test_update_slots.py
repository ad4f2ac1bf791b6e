"""Releases in the other slot, through UEFI firmware and systemd-boot: left when they break or panic, kept when well.

The slots are filled with whole systems; what fills them otherwise has tests of its own. One machine for all tests.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from jeos.build.outputs import Outputs
from jeos_command import Jeos, wait_until
from machine_use import BOOT
from soak import LONG

pytestmark = [pytest.mark.network, pytest.mark.vm]

NAME = "updates"
RECIPE = """
name = "tiny"
version = "{version}"
[[unit]]
name = "good.service"
content = '''
[Service]
ExecStart={program}
[Install]
WantedBy=multi-user.target
'''
[[health]]
name = "good"
unit = "good.service"
within = 60
[[file]]
target = "/usr/lib/jeos/migrate.d/{version}-note"
mode = "0755"
content = '''#!/bin/sh
echo "$JEOS_FROM $JEOS_TO" >> /var/lib/app/notes
echo {version} > /etc/noted
'''
[kernel]
parameters = [{parameters}]
[update]
channel = "https://updates.example/tiny"
root = "root.json"
hold = "4s"
snapshot = ["/var/lib/app"]
[disk]
slot = "160M"
data = "128M"
"""
# Runs in the guest: fills the other slot from standard input, and has it started next.
APPLY = """
import sys
sys.path.insert(0, "/usr/lib/jeos/python")
from types import SimpleNamespace
from jeos.update import apply

def rebuild(*, active, kernel, system, hashes, kernel_out):
    for out, size in ((system, {system}), (hashes, {hashes}), (kernel_out, {kernel})):
        while size:
            data = sys.stdin.buffer.read(min(size, 1 << 20))
            size -= out.write(data)

release = SimpleNamespace(name="tiny", version="{version}", root_hash="{root_hash}")
apply.apply(release, rebuild=rebuild, place=apply.here("1"), keep=["/var/lib/app"])
"""


@dataclass(frozen=True)
class Running:
    """The machine, which runs 1 unless an update was kept."""

    jeos: Jeos

    def ask(self, *command: str, data: bytes = b"", within: float = 60) -> str | None:
        """Run a program in the machine and return what it printed; None if it failed, or nobody answers."""
        argv = [*self.jeos.prefix, self.jeos.python, "-m", "jeos", "exec", "--wait", "20", NAME, "--", *command]
        environment = dict(self.jeos.environment)
        try:
            done = subprocess.run(argv, env=environment, input=data, capture_output=True, timeout=within)
        except subprocess.TimeoutExpired:  # it restarted just then
            return None
        return done.stdout.decode() if done.returncode == 0 else None

    def tell(self, *command: str, data: bytes = b"", within: float = 60) -> str:
        """Do the same, with a program that must end well."""
        said = self.ask(*command, data=data, within=within)
        assert said is not None, command
        return said

    def state(self) -> dict[str, Any]:
        """Return what the guest remembers of its updates; nothing while it restarts."""
        said = self.ask("cat", "/var/lib/jeos/update/state.json")
        return dict(json.loads(said)["state"]) if said else {}

    def version(self) -> str | None:
        said = self.ask("sh", "-c", ". /etc/os-release; echo $IMAGE_VERSION")
        return said and said.strip()

    def images(self) -> list[str]:
        """Return the kernel images on the ESP."""
        script = "mount -t vfat -o ro /dev/vda1 /mnt && ls /mnt/EFI/Linux; umount /mnt"
        return self.tell("sh", "-c", script).split()

    def install(self, built: Outputs) -> None:
        """Put a build into the other slot, and restart into it."""
        image = built.image
        parts = {one.number: one for one in image.partitions}
        with built.disk.open("rb") as disk:
            data = b"".join(
                os.pread(disk.fileno(), size, parts[number].start)
                for number, size in ((2, image.system_size), (3, image.verity_size))
            )
        script = APPLY.format(
            system=image.system_size,
            hashes=image.verity_size,
            kernel=image.kernel_size,
            version=image.version,
            root_hash=image.root_hash,
        )
        self.tell("python3", "-IS", "-c", script, data=data + built.kernel.read_bytes(), within=300)
        assert self.images() == sorted(["tiny_1.efi", f"tiny_{image.version}+3.efi"])
        self.tell("systemctl", "--no-block", "reboot")

    def failure_of(self, version: str) -> dict[str, Any]:
        """Wait until the machine is back with 1 and knows why another release failed, and return that."""

        def known() -> list[dict[str, Any]]:
            now = self.state()
            return [one for one in now.get("failures", ()) if one["version"] == version and now["trial"] is None]

        wait_until(lambda: bool(known()) and self.version() == "1", f"{version} was not left", seconds=3 * BOOT)
        return known()[0]


def build(jeos: Jeos, version: str, *, program: str = "/usr/bin/sleep infinity", parameters: str = "") -> Outputs:
    folder = jeos.folder / f"updates-{version}"
    folder.mkdir()
    (folder / "appliance.toml").write_text(RECIPE.format(version=version, program=program, parameters=parameters))
    (folder / "root.json").write_text("{}")
    return jeos.build(folder)


@pytest.fixture(scope="module")
def running(jeos: Jeos) -> Iterator[Running]:
    """A machine with version 1, which looks after some data."""
    first = build(jeos, "1")
    words = ["--name", NAME, "--accel", "tcg", "--firmware", "--detach", "--wait", "healthy", "--timeout", str(BOOT)]
    jeos.run("run", first.folder.parent, *words)
    found = Running(jeos)
    found.tell("sh", "-c", "mkdir -p /var/lib/app; echo mine > /var/lib/app/data; echo mine > /etc/noted")
    yield found
    jeos.run("rm", "--force", NAME)


def test_update_with_a_broken_service_goes_back_with_the_reason_and_the_data(jeos: Jeos, running: Running) -> None:
    running.install(build(jeos, "2", program="/usr/bin/false"))
    failure = running.failure_of("2")
    assert "good.service has failed" in failure["reason"]
    assert "tiny_2+0-3.efi" in running.images()
    assert running.ask("cat", "/var/lib/app/notes") is None, "what the migration wrote is still there"
    assert running.tell("cat", "/var/lib/app/data", "/etc/noted") == "mine\nmine\n"


@LONG
def test_update_whose_kernel_panics_goes_back_when_its_starts_are_used_up(jeos: Jeos, running: Running) -> None:
    running.install(build(jeos, "3", parameters='"rdinit=/nonexistent", "panic=1"'))
    failure = running.failure_of("3")
    assert failure["reason"].startswith("it never came as far as its first service")
    assert "(3 starts)" in failure["reason"]
    assert "Kernel panic" in jeos.run("logs", NAME).stdout
    assert "tiny_3+0-3.efi" in running.images()
    assert [one["version"] for one in running.state()["failures"]][-1] == "3"


@LONG
@pytest.mark.parametrize(("version", "watchdog"), [("4", "i6300ESB timer"), ("4.1", "Software Watchdog")])
def test_update_that_hangs_in_each_start_is_restarted_by_the_watchdog_and_left(
    jeos: Jeos, running: Running, version: str, watchdog: str
) -> None:
    if watchdog.startswith("Software"):  # as if the machine had none
        refused = "".join(f"install {driver} /bin/false\\n" for driver in ("i6300esb", "iTCO_wdt"))
        running.tell("sh", "-c", f"mkdir -p /etc/modprobe.d; printf '{refused}' > /etc/modprobe.d/none.conf")
    note = "cat /sys/class/watchdog/watchdog0/identity > /var/lib/watchdog; sync"
    hang = "kill -SEGV 1"  # systemd stops at its place then, with all that it looked after, the watchdog among it
    program = f"systemctl stop jeos-confirm; {note}; {hang}; sleep infinity"
    running.install(build(jeos, version, program=f'/bin/sh -c "{program}"'))
    failure = running.failure_of(version)
    assert failure["reason"].startswith("it stopped or hung before its health was proved (3 starts)")
    assert f"tiny_{version}+0-3.efi" in running.images()
    assert running.tell("cat", "/var/lib/watchdog") == f"{watchdog}\n"
    running.tell("rm", "-f", "/etc/modprobe.d/none.conf")


@LONG
def test_update_that_falls_down_in_each_start_is_left(jeos: Jeos, running: Running) -> None:
    fall = "reboot -ff"  # at once: nothing is stopped, unmounted or flushed
    running.install(build(jeos, "4.2", program=f"/bin/sh -c 'systemctl stop jeos-confirm; {fall}'"))
    failure = running.failure_of("4.2")
    assert failure["reason"].startswith("it stopped or hung before its health was proved (3 starts)")
    assert "tiny_4.2+0-3.efi" in running.images()
    assert running.tell("cat", "/var/lib/app/data", "/etc/noted") == "mine\nmine\n"


@LONG
def test_update_that_is_well_is_kept_with_its_migration(jeos: Jeos, running: Running) -> None:
    running.install(build(jeos, "5"))
    wait_until(lambda: running.state().get("confirmed") == "5", "5 was not confirmed", seconds=2 * BOOT)
    assert running.version() == "5"
    assert running.images() == ["tiny_1.efi", "tiny_5.efi"]
    assert running.state()["trial"] is None
    assert running.state()["hooks"] == ["5-note"]
    assert running.tell("cat", "/var/lib/app/notes", "/var/lib/app/data", "/etc/noted") == "1 5\nmine\n5\n"
