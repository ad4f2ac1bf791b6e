"""Backups of the built example while it runs and writes: each point is the disk of its instant, and starts again."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeos.build.outputs import Outputs
from jeos.model.image import Partition
from jeos_command import Jeos, wait_until
from machine_use import BOOT, inside
from qemu_door import QemuDoor
from qemu_monitor import Monitor, disk_digest, file_digest

pytestmark = [pytest.mark.network, pytest.mark.vm]
WRITER = """\
#!/bin/sh
# Writes without end, over what it wrote before, and counts.
i=0
while :; do
    i=$((i + 1))
    head -c 200000 /dev/urandom > /var/lib/writer/$((i % 40))
    echo $i > /var/lib/writer/count.new && mv /var/lib/writer/count.new /var/lib/writer/count
    [ $((i % 10)) = 0 ] && sync
    sleep 0.1
done
"""
WRITES = 6  # of 200 kB each, that the guest makes between an instant and the reading of it
HOOK = "#!/bin/sh\necho $1 >> /var/lib/hooks\n"


class Machine:
    """The example as a machine that writes all the time, with a monitor of the tests' own."""

    def __init__(self, jeos: Jeos, folder: Path, web: Outputs) -> None:
        self.folder = folder
        door = QemuDoor.make(folder / "door", jeos)
        self.jeos = door.jeos(more=Monitor.options(folder)).having(JEOS_BACKUPS=str(folder / "vault"))
        self.plain = jeos.having(JEOS_BACKUPS=str(folder / "vault"))
        self.target: Path | str = web.folder.parent
        self.disk = jeos.state / "machines/web/disk.qcow2"

    def start(self) -> None:
        self.jeos.run("run", self.target, "--name", "web", "--accel", "tcg", "--detach")
        self.target = "web"
        self.plain.run("exec", "--wait", str(BOOT), "web", "--", "true")  # not its health, which a busy host may fail
        self.monitor = Monitor(self.folder)
        script = f"mkdir -p /var/lib/writer; cat > /run/writer <<'X'\n{WRITER}X\n"
        script += "setsid sh /run/writer > /dev/null 2>&1 < /dev/null &"
        self.inside("sh", "-c", script)

    def inside(self, *command: str) -> str:
        return inside(self.plain, "web", *command)

    def count(self) -> int:
        return int(self.inside("cat", "/var/lib/writer/count"))

    def state(self) -> dict[str, object]:
        (found,) = [
            each for each in json.loads(self.plain.run("ls", "--json").stdout) if each["machine"]["name"] == "web"
        ]
        return dict(found["state"])

    def kill(self) -> None:
        self.monitor.close()
        os.kill(int(str(self.state()["qemu"])), signal.SIGKILL)
        wait_until(lambda: self.state()["status"] == "failed", "QEMU's end was not noticed", seconds=BOOT)

    def point_and_reference(self) -> tuple[dict[str, object], str]:
        """Make a point while the guest writes; return it, and the hash of the disk as it was at the instant.

        The guest is paused for the instant, so that QEMU's own program can read the same; jeos is stopped until that
        is done, and the guest has written on before jeos reads anything.
        """
        self.monitor.execute("stop")
        process = self.plain.start("backup", "create", "web", "--no-freeze", "--json")

        def is_held() -> bool:
            assert process.poll() is None, process.communicate()
            return "jeos-instant-disk" in self.monitor.nodes()

        wait_until(is_held, "nothing is held", seconds=BOOT)
        os.kill(process.pid, signal.SIGSTOP)
        reference = disk_digest(self.disk, self.folder)
        self.monitor.execute("cont")
        before = self.count()
        wait_until(lambda: self.count() > before + WRITES, "the guest does not write on", seconds=BOOT, every=0.5)
        os.kill(process.pid, signal.SIGCONT)
        stdout, stderr = process.communicate(timeout=BOOT)
        assert process.returncode == 0, stderr
        return dict(json.loads(stdout)), reference

    @contextlib.contextmanager
    def as_raw(self, point: str) -> Iterator[Path]:
        """Copy a point's disk to a file with QEMU's own program."""
        place, target = self.folder / "served", self.folder / "served.raw"
        process = self.plain.start("backup", "serve", point, "--socket", place)
        try:
            wait_until(place.exists, "the point is not served", seconds=BOOT)
            address = f"nbd+unix:///disk?socket={place}"
            subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "raw", address, target], check=True)
            yield target
        finally:
            process.terminate()
            process.communicate()
            target.unlink(missing_ok=True)

    def digest(self, point: str) -> str:
        with self.as_raw(point) as raw:
            return file_digest(raw)


@pytest.fixture
def machine(jeos: Jeos, web: Outputs, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(jeos, tmp_path, web)
    yield made
    for found in json.loads(jeos.run("ls", "--json").stdout):
        jeos.run("rm", "--force", found["machine"]["name"])


def data_of(web: Outputs) -> Partition:
    return next(one for one in web.image.partitions if one.label == "data")


def test_points_of_a_guest_that_writes_are_its_instants_and_start_again(machine: Machine, web: Outputs) -> None:
    machine.start()
    machine.inside("sh", "-c", f"mkdir -p /etc/jeos/freeze.d; cat > /etc/jeos/freeze.d/10-note <<'X'\n{HOOK}X\n")
    machine.inside("chmod", "755", "/etc/jeos/freeze.d/10-note")
    machine.inside("sh", "-c", "echo lasting > /var/lib/proof; sync")

    first, reference = machine.point_and_reference()
    assert first["notes"] == ["read whole: there is no earlier point"]
    assert machine.digest("web@1") == reference
    second, second_reference = machine.point_and_reference()
    assert (second["notes"], second["read"] < first["read"]) == ([], True)  # type: ignore[operator]
    assert second_reference != reference
    assert machine.digest("web@2") == second_reference

    machine.kill()
    machine.start()
    assert machine.inside("cat", "/var/lib/proof") == "lasting"
    third, third_reference = machine.point_and_reference()
    assert third["notes"] == ["read whole: no record of changes was kept since the last point"]
    assert machine.digest("web@3") == third_reference
    assert machine.digest("web@1") == reference  # what was complete stays what it was

    frozen = json.loads(machine.plain.run("backup", "create", "web", "--json").stdout)
    assert (frozen["consistency"], frozen["notes"]) == ("file-system", [])
    hooks = "freeze\nthaw"
    wait_until(lambda: machine.inside("cat", "/var/lib/hooks") == hooks, "the hooks did not run", seconds=BOOT)
    before = machine.count()
    wait_until(lambda: machine.count() > before, "the guest stayed frozen", seconds=BOOT)
    check_frozen(machine, data_of(web))

    starts_without_the_vault(machine)


def check_frozen(machine: Machine, data: Partition) -> None:
    """Look at the data of the frozen point: its journal is empty, and its files are there."""
    start = data.start
    with machine.as_raw("web@4") as raw:
        part = machine.folder / "data"
        with raw.open("rb") as source, part.open("wb") as target:
            source.seek(start)
            shutil.copyfileobj(source, target, 1 << 20)
        about = subprocess.run(["dumpe2fs", "-h", part], capture_output=True, text=True, check=True).stdout
        assert "needs_recovery" not in about
        subprocess.run(["e2fsck", "-f", "-n", part], check=True, stdout=subprocess.DEVNULL)
        listed = subprocess.run(["debugfs", "-R", "dump /lib/proof /dev/stdout", part], capture_output=True, text=True)
        hooks = subprocess.run(["debugfs", "-R", "dump /lib/hooks /dev/stdout", part], capture_output=True, text=True)
        part.unlink()
    assert (listed.stdout, hooks.stdout) == ("lasting\n", "freeze\n")


def starts_without_the_vault(machine: Machine) -> None:
    """Start the point, take the vault away once the disk is whole, and start it again."""
    jeos = machine.plain
    machine.monitor.close()
    jeos.run("stop", "web")
    jeos.run("backup", "boot", "web@4", "--name", "again", "--accel", "tcg")
    jeos.run("exec", "--wait", str(BOOT), "again", "--", "true")
    assert inside(jeos, "again", "cat", "/var/lib/proof") == "lasting"
    description = jeos.state / "machines/again/machine.json"
    wait_until(lambda: not json.loads(description.read_text())["supply"], "it never got whole", seconds=BOOT)
    shutil.rmtree(machine.folder / "vault")
    inside(
        jeos, "again", "sh", "-c", "echo 3 > /proc/sys/vm/drop_caches; find / -xdev -type f -exec cat {} + > /dev/null"
    )
    jeos.run("stop", "again")
    jeos.run("run", "again", "--detach")
    jeos.run("exec", "--wait", str(BOOT), "again", "--", "true")
    assert inside(jeos, "again", "cat", "/var/lib/proof") == "lasting"
    jeos.run("stop", "again")
