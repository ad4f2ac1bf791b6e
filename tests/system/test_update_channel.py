"""One machine, whose clock is years slow from its first boot on, and its channel: away, hostile, full of objections.

What ends with nothing being done comes first, all in one start of 1; then the machine goes from 1 to 2, to 4 (without
ever seeing 3, and with a clock that is years fast when it starts), and to 5, which comes on a disk, read as a folder.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import bent_channel
from jeos.core.run import find_program
from jeos_command import Jeos, wait_until
from machine_use import BOOT, free_port, inside, status_of
from qemu_door import HOST, PLAIN_CPU, QemuDoor
from soak import LONG, SOAK
from update_vendor import Vendor

pytestmark = [pytest.mark.network, pytest.mark.vm, pytest.mark.timeout(0 if SOAK else 1800)]

NAME = "channel"
YEARS_AGO, YEARS_AHEAD = 1_300_000_000, 2_200_000_000  # seconds since 1970: March 2011, September 2039
MUCH_LATER = 90  # days; more than metadata is fresh for
DISK = "192M"  # room for the channel of five releases
BROUGHT, MOUNTED = "/dev/vdb", "/run/brought"
OVERRIDES = "/etc/jeos/update.toml"
TRUSTED = "/var/lib/jeos/update/metadata"
# Attacks, by their names in the channel's address.
METADATA = ("timestamp", "snapshot", "targets", "release")
ATTACKS = (
    "alter-root",
    *(f"{how}-{what}" for what in METADATA for how in ("alter", "withhold", "endless", "cut")),
    *(f"{how}-data" for how in ("alter", "withhold", "endless")),
    *(("trickle-timestamp", "trickle-data", "cut-data") if SOAK else ()),
)
# Runs in the guest: passes over one channel after another, each beginning without what the one before had trusted.
PASSES = """
import json, os, shutil, sys
sys.path.insert(0, "/usr/lib/jeos/python")
from dataclasses import replace
from jeos.agent import appliance, updating
from jeos.update import apply, settings, state
from jeos.update.run import Wish

own, wanted = appliance.read(), settings.read()
for address in {addresses}:
    shutil.rmtree("{trusted}", ignore_errors=True)
    outcome = updating.make_pass(own, replace(wanted, channel=address), Wish.NOW)
    place, trial = apply.here(own.version), state.read().trial
    with place.esp(True) as esp:
        images = sorted(os.listdir(esp + "/EFI/Linux"))
    told = [bool(outcome.error), outcome.words, outcome.changed]
    print(json.dumps([*told, images, trial and trial.version, place.disk.other.root_hash]))
"""
# Runs in the guest: sets its clock, and the one that goes on without power (rtc(4), RTC_SET_TIME).
SET_CLOCK = """
import fcntl, struct, time
time.clock_settime(time.CLOCK_REALTIME, {seconds})
now = time.gmtime({seconds})
fields = (now.tm_sec, now.tm_min, now.tm_hour, now.tm_mday, now.tm_mon - 1, now.tm_year - 1900, 0, 0, 0)
with open("/dev/rtc0", "rb") as clock:
    fcntl.ioctl(clock, 0x4024700A, struct.pack("9i", *fields))
"""


@dataclass(frozen=True)
class World:
    """The vendor, and the machine."""

    vendor: Vendor
    jeos: Jeos

    def look(self, *, status: int = 0) -> dict[str, Any]:
        """Have the machine take what there is, without following it, and return what came of it."""
        script = "jeos-agent update --now --json 2>/dev/null || test $? = 1"
        said = json.loads(inside(self.jeos, NAME, "sh", "-c", script))
        assert bool(said["error"]) == bool(status), said
        return dict(said)

    def update(self, *options: str, status: int = 0) -> str:
        return self.jeos.run("update", NAME, *options, status=status, timeout=900).stdout

    def status(self) -> dict[str, Any]:
        return status_of(self.jeos, NAME)

    def set_clock(self, seconds: float) -> None:
        """Set the machine's clock, so that it starts with that, too."""
        inside(self.jeos, NAME, "python3", "-IS", "-c", SET_CLOCK.format(seconds=int(seconds)))

    def passes(self, *channels: str) -> list[Any]:
        """Have the machine look into one channel after another; each time, what it said, and what is where now."""
        addresses = [f"http://{HOST}:{self.vendor.port}/{channel}/" for channel in channels]
        words = ("exec", NAME, "--", "python3", "-IS", "-c", PASSES.format(addresses=addresses, trusted=TRUSTED))
        done = self.jeos.run(*words, timeout=3600 if SOAK else 900)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def show(self, channel: str) -> None:
        """Have the machine find another of the vendor's channels at the usual place."""
        main = self.vendor.channels / bent_channel.MAIN
        main.rename(self.vendor.channels / "earlier")
        (self.vendor.channels / channel).rename(main)


@pytest.fixture(scope="module")
def world(jeos: Jeos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Make channels: `old` has 1, `main` 1 and 2, `withdrawn` the same; in the soak `later` 1 to 4, a disk 1 to 5."""
    folder = tmp_path_factory.mktemp("channel")
    vendor = Vendor.make(jeos, folder / "vendor", port=free_port())
    for version in "12345" if SOAK else "12":
        vendor.build(version)
    vendor.publish("1")
    copy(vendor, "main", "old")
    vendor.publish("2")
    copy(vendor, "main", "withdrawn")
    vendor.channel("withdraw", "2", channel="withdrawn")
    copy(vendor, "main", "later")
    for version in "34" if SOAK else "":
        vendor.publish(version, channel="later")
    copy(vendor, "later", "brought")
    if SOAK:
        vendor.publish("5", channel="brought")
    disk = folder / "brought.img"
    argv: list[str | Path] = [find_program("mke2fs"), "-q", "-t", "ext4", "-d", vendor.channels / "brought", disk, DISK]
    subprocess.run(argv, check=True, timeout=120)
    more = [
        "-rtc",
        f"base={datetime.fromtimestamp(YEARS_AGO, tz=UTC):%Y-%m-%dT%H:%M:%S}",
        "-blockdev",
        f"driver=file,node-name=brought,read-only=on,filename={disk}",
    ]
    door = QemuDoor.make(folder / "door", vendor.jeos)
    command = door.jeos(more=[*more, "-device", "virtio-blk-pci,drive=brought", *PLAIN_CPU])
    description = vendor.builds["1"].folder / "tiny_1.json"
    words = ["--accel", "tcg", "--firmware", "--detach", "--wait", "healthy", "--timeout", str(BOOT)]
    command.run("run", description, "--name", NAME, *words)
    try:
        yield World(vendor, command)
    finally:
        command.run("rm", "--force", NAME)
        shutil.rmtree(folder)


@pytest.fixture
def served(world: World) -> Iterator[None]:
    with bent_channel.serving(world.vendor.channels, port=world.vendor.port):
        yield


@contextmanager
def overridden(world: World, line: str) -> Iterator[None]:
    """Let the machine's operator set something."""
    inside(world.jeos, NAME, "sh", "-c", f"mkdir -p /etc/jeos && echo '{line}' > {OVERRIDES}")
    yield
    inside(world.jeos, NAME, "rm", OVERRIDES)


def confirmed(world: World) -> str:
    """Return the version that the machine confirmed last; "" while it does not answer."""
    words = ("exec", "--wait", "20", NAME, "--", "jeos-agent", "status", "--json")
    try:
        return str(json.loads(world.jeos.run(*words, timeout=60).stdout)["update"]["confirmed"])
    except (AssertionError, subprocess.TimeoutExpired):  # it restarted just then
        return ""


def copy(vendor: Vendor, source: str, target: str) -> None:
    shutil.copytree(vendor.channels / source, vendor.channels / target, copy_function=os.link)


def test_channel_that_cannot_be_reached_is_told_and_tried_again(world: World) -> None:
    said = world.look(status=1)
    assert f"{HOST}:{world.vendor.port}" in said["words"]
    status = world.status()
    assert (status["version"], status["health"], status["update"]["error"]) == ("1", "healthy", said["error"])
    assert status["update"]["next"] > status["update"]["tried"]


def test_hostile_channel_gets_nothing_into_a_slot_that_starts(world: World, served: None) -> None:
    before = world.status()
    lines = world.passes(*ATTACKS)
    roots = {build.image.root_hash for build in world.vendor.builds.values()}
    for attack, (failed, words, *done, other) in zip(ATTACKS, lines, strict=True):
        assert (failed, *done) == (True, False, ["tiny_1.efi"], None), f"{attack}: {words}"
        assert other not in roots, attack
    after = world.status()
    assert (after["version"], after["health"], after["boot"]) == ("1", "healthy", before["boot"])


def test_replayed_channel_is_refused(world: World, served: None) -> None:
    assert world.update("--check") == f"{NAME}: 2 is newer than 1\n"
    with overridden(world, f'channel = "http://{HOST}:{world.vendor.port}/old/"'):
        assert "goes back" in world.look(status=1)["error"]


def test_metadata_that_expired_is_refused(world: World, served: None) -> None:
    world.set_clock(time.time() + MUCH_LATER * 86400)
    try:
        assert "expired" in world.look(status=1)["error"]
    finally:
        world.set_clock(YEARS_AGO)
    assert world.status()["health"] == "healthy"


def test_release_that_was_withdrawn_and_pinned_machine_are_left_as_they_are(world: World, served: None) -> None:
    with overridden(world, 'pin = "1"'):
        assert world.look()["words"] == "this machine is pinned to 1"
    [told] = world.passes("withdrawn")
    assert told[:-1] == [False, "2 has been withdrawn", False, ["tiny_1.efi"], None]
    inside(world.jeos, NAME, "rm", "-r", TRUSTED)  # or what the channel says next would be older than this


def test_full_data_disk_is_told_and_the_machine_stays_well(world: World, served: None) -> None:
    inside(world.jeos, NAME, "sh", "-c", "dd if=/dev/zero of=/var/filler bs=1M 2>/dev/null || sync /var/filler")
    try:
        said = world.look(status=1)
        assert "free some of the data disk" in said["hint"]
        assert world.status()["health"] == "healthy"
    finally:
        inside(world.jeos, NAME, "rm", "/var/filler")


@LONG
def test_machine_goes_from_release_to_release_and_skips_one(world: World, served: None) -> None:
    assert world.update("--now") == f"{NAME}: 2 runs, and is confirmed\n"
    world.show("later")
    with overridden(world, "restart = false"):
        words = inside(world.jeos, NAME, "jeos-agent", "update")
    assert words.splitlines()[0] == "4 is in place, and starts when the operator restarts the machine"
    # To keep a release takes no metadata that is fresh: by this clock, all has expired when 4 starts.
    world.set_clock(YEARS_AHEAD)
    inside(world.jeos, NAME, "systemctl", "--no-block", "reboot")
    wait_until(lambda: confirmed(world) == "4", "4 was not confirmed", seconds=2 * BOOT)
    assert int(inside(world.jeos, NAME, "date", "+%s")) > YEARS_AHEAD
    assert world.status()["version"] == "4"
    world.set_clock(YEARS_AGO)


@LONG
def test_what_is_brought_updates_a_machine_whose_channel_is_away(world: World) -> None:
    """A folder fills the slot; the disk that it is on is then asked by itself, and has nothing to add but the start."""
    inside(world.jeos, NAME, "sh", "-c", f"mkdir -p {MOUNTED} && mount -o ro {BROUGHT} {MOUNTED}")
    try:
        with overridden(world, "restart = false"):
            said = offline(world, MOUNTED, "--check")
            assert said["words"].startswith("5 is newer than 4")
            said = offline(world, MOUNTED)
            assert (said["version"], said["changed"], said["restarting"]) == ("5", True, False)
    finally:
        inside(world.jeos, NAME, "umount", MOUNTED)
    said = offline(world, BROUGHT, "--now")
    assert (said["version"], said["changed"], said["restarting"]) == ("5", False, True)
    wait_until(lambda: confirmed(world) == "5", "5 was not confirmed", seconds=2 * BOOT)
    status = world.status()
    assert (status["version"], status["slot"], status["health"]) == ("5", "B", "healthy")
    assert status["update"]["failed"] == []


def offline(world: World, source: str, *options: str) -> dict[str, Any]:
    """Have the machine take what a folder, or a disk, has, and return what came of it."""
    words = " ".join(("jeos-agent", "update", *options, "--json", "--from", source))
    return dict(json.loads(inside(world.jeos, NAME, "sh", "-c", f"{words} 2>/dev/null")))
