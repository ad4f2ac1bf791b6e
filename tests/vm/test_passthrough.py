"""Passing PCI devices on, on a made tree of sysfs in which a kernel that follows the rules is played."""

import errno
import os
import resource
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from jeos.core.errors import HostError, InputError, JeosError, MachineError, UsageError
from jeos.model.machine import Boot, Device, Machine, machine_text, parse_device, parse_machine
from jeos.vm import command, passthrough
from jeos.vm.command import PassedDevice, Wiring
from jeos.vm.fence import fence_of
from jeos.vm.passthrough import BESIDE, Found, allow_locking, bound, files_of, in_use, lines, look, members, prepare
from jeos.vm.places import places_of

DISK, CARD, ALONE, BRIDGE, PORT = (f"0000:00:{n}" for n in ("10.0", "11.0", "12.0", "1f.0", "1e.0"))


@dataclass
class Host:
    """A host whose disk and card share group 8 with a bridge; `written` is what was ordered of the kernel."""

    folder: Path
    refuses: bool = False
    written: list[str] = field(default_factory=list)
    locked: list[int] = field(default_factory=list)  # bytes of memory that were allowed to be

    @property
    def sys(self) -> Path:
        return self.folder / "sys"

    @property
    def vfio(self) -> Path:
        return self.folder / "vfio"

    @property
    def mounts(self) -> Path:
        return self.folder / "mountinfo"

    def add(self, address: str, *, group: int | None, driver: str, kind: str = "0x010802") -> Path:
        place = self.sys / "devices/pci0000:00" / address
        place.mkdir(parents=True)
        for name, text in (("class", kind), ("vendor", "0x1b36"), ("device", "0x0010"), ("driver_override", "(null)")):
            (place / name).write_text(f"{text}\n")
        if driver:
            self.give(place, driver)
        if group is not None:
            members = self.sys / f"kernel/iommu_groups/{group}/devices"
            members.mkdir(parents=True, exist_ok=True)
            (members / address).symlink_to(place)
            (place / "iommu_group").symlink_to(members.parent)
            (self.vfio / str(group)).touch()
        listed = self.sys / "bus/pci/devices"
        listed.mkdir(parents=True, exist_ok=True)
        (listed / address).symlink_to(place)
        return place

    def give(self, place: Path, driver: str) -> None:
        folder = self.sys / "bus/pci/drivers" / driver
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "unbind").touch()
        (place / "driver").unlink(missing_ok=True)
        (place / "driver").symlink_to(folder)
        (folder / place.name).symlink_to(place)

    def write(self, path: Path, text: str) -> None:
        """Do what the kernel does when this is written."""
        self.written.append(f"{path.relative_to(self.sys)} {text}")
        place = self.sys / "devices/pci0000:00" / text
        if path.name == "unbind":
            (place / "driver").unlink()
        elif path.name == "drivers_probe" and not self.refuses:
            self.give(place, "vfio-pci")

    def prepare(self, *devices: Device) -> passthrough.Passed:
        return prepare(devices, memory=100, sys=self.sys, vfio=self.vfio, mounts=self.mounts, write=self.write)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(tmp_path)
    found.vfio.mkdir()
    found.mounts.write_text("24 1 259:7 / / rw - ext4 /dev/nvme9n1 rw\n")
    found.add(DISK, group=8, driver="nvme")
    found.add(CARD, group=8, driver="", kind="0x020000")
    found.add(ALONE, group=9, driver="vfio-pci")
    found.add(BRIDGE, group=8, driver="pcieport", kind="0x060400")
    found.add(PORT, group=None, driver="e1000e", kind="0x020000")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    # What gives devices back is played by a shell that writes down what it was to do: the real one writes to /sys.
    script = f'read -r end; echo "$@" > {tmp_path}/given-back'
    monkeypatch.setattr(passthrough, "GIVE_BACK", script)
    monkeypatch.setattr(passthrough, "allow_locking", found.locked.append)
    return found


def given_back(host: Host) -> str:
    place = host.folder / "given-back"
    return place.read_text().strip() if place.exists() else ""


def test_look_tells_what_is_at_an_address(host: Host) -> None:
    disk = Found(DISK, group=8, driver="nvme", kind=0x010802, model="1b36:0010")
    assert look(DISK, sys=host.sys) == disk
    assert (str(disk), disk.is_bridge) == (f"{DISK} (1b36:0010, driver nvme)", False)
    assert look(BRIDGE, sys=host.sys).is_bridge
    assert [one.address for one in members(8, sys=host.sys)] == [DISK, CARD, BRIDGE]
    assert list(lines(bound(sys=host.sys))) == [f"{ALONE} (group 9)"]
    assert bound(sys=host.folder) == ()


def test_device_that_waits_for_machines_is_passed_and_stays_where_it_is(host: Host) -> None:
    passed = host.prepare(Device(ALONE))
    passed.give_back()
    assert [one.address for one in passed.devices] == [ALONE]
    assert (host.written, given_back(host), host.locked) == ([], "", [100])


def test_device_is_taken_from_its_driver_and_goes_back(host: Host) -> None:
    passed = host.prepare(Device(DISK, bind=True))
    assert host.written == [
        f"bus/pci/devices/{DISK}/driver_override vfio-pci",
        f"bus/pci/devices/{DISK}/driver/unbind {DISK}",
        f"bus/pci/drivers_probe {DISK}",
    ]
    assert given_back(host) == ""
    passed.give_back()
    assert given_back(host) == f"{DISK} nvme"
    passed.give_back()  # nothing happens


def test_device_goes_back_when_whoever_took_it_was_killed(host: Host) -> None:
    passed = host.prepare(Device(DISK, bind=True), Device(CARD, bind=True))
    assert passed.keeper is not None
    os.close(passed.pipe)  # as the kernel does
    passed.keeper.wait(60)
    assert given_back(host) == f"{DISK} nvme {CARD} -"


def test_device_goes_back_at_once_if_the_kernel_does_not_give_it(host: Host) -> None:
    host.refuses = True
    with pytest.raises(HostError, match=r"0000:00:10\.0 .* does not go to vfio-pci"):
        host.prepare(Device(DISK, bind=True))
    assert given_back(host) == f"{DISK} nvme"


def no_iommu(host: Host) -> Device:
    return Device(PORT)


def absent(host: Host) -> Device:
    return Device("0000:00:13.0")


def unbound(host: Host) -> Device:
    return Device(DISK)


def bridge(host: Host) -> Device:
    return Device(BRIDGE)


def neighbour(host: Host) -> Device:
    host.give(host.sys / "devices/pci0000:00" / CARD, "e1000e")
    return Device(DISK, bind=True)


def ordinary_user(host: Host) -> Device:
    os.geteuid = lambda: 1000
    return Device(DISK, bind=True)


def mounted(host: Host) -> Device:
    part = host.sys / "devices/pci0000:00" / DISK / "nvme/nvme0/nvme0n1/nvme0n1p1"
    part.mkdir(parents=True)
    (part / "dev").write_text("259:7\n")
    return Device(DISK, bind=True)


def no_module(host: Host) -> Device:
    (host.sys / "devices/pci0000:00" / ALONE / "driver").unlink()
    folder = host.sys / "bus/pci/drivers/vfio-pci"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return Device(DISK, bind=True)


def no_file(host: Host) -> Device:
    (host.vfio / "9").unlink()
    return Device(ALONE)


@pytest.mark.parametrize(
    ("arrange", "error", "words"),
    [
        (no_iommu, HostError, f"{PORT} is behind no IOMMU, so no machine can have it"),
        (absent, InputError, "this host has no PCI device 0000:00:13.0"),
        (unbound, HostError, f"{DISK} (1b36:0010, driver nvme) is not with vfio-pci"),
        (bridge, HostError, f"{BRIDGE} (1b36:0010, driver pcieport) is a bridge, which no machine can have"),
        (
            neighbour,
            HostError,
            f"{DISK} shares IOMMU group 8 with {CARD} (1b36:0010, driver e1000e): the machine must have all of it",
        ),
        (ordinary_user, HostError, f"only root may take {DISK} from its driver"),
        (mounted, HostError, f"this host uses {DISK} (1b36:0010, driver nvme): nvme0n1p1 is mounted"),
        (no_module, HostError, "the driver vfio-pci is not loaded"),
        (no_file, HostError, f"{ALONE} cannot be used: VFIO/9: No such file or directory"),
    ],
)
def test_device_that_cannot_be_passed_is_refused_with_the_reason(
    host: Host, arrange: Callable[[Host], Device], error: type[JeosError], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", os.geteuid)  # what an arrangement changes is put back
    with pytest.raises(error) as caught:
        host.prepare(arrange(host))
    assert caught.value.message.replace(str(host.vfio), "VFIO") == words
    assert (host.written, given_back(host)) == ([], "")
    if arrange in (no_iommu, absent, unbound, bridge, neighbour):  # what is wrong with the device is told first
        assert host.locked == []


def test_group_that_another_machine_has_open_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(path: Path, flags: int) -> int:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "open", busy)
    with pytest.raises(MachineError) as caught:
        host.prepare(Device(ALONE))
    assert caught.value.message == f"another machine has {ALONE}"


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("net/eth0/operstate", "up", "the network eth0 is up"),
        ("net/eth0/operstate", "down", ""),
        ("block/sda/holders/dm-0", "", "sda is part of dm-0"),
        ("block/sda/dev", "8:0", ""),
    ],
)
def test_in_use_tells_what_the_host_does_with_a_device(host: Host, path: str, text: str, expected: str) -> None:
    place = host.sys / "devices/pci0000:00" / DISK / path
    place.parent.mkdir(parents=True)
    place.write_text(text)
    assert in_use(DISK, sys=host.sys, mounts=host.mounts) == expected


def test_keeper_is_a_shell_that_ignores_the_terminal_and_speaks_to_the_kernel(tmp_path: Path) -> None:
    sys = tmp_path / "sys/bus/pci"
    for path in ("devices/A/driver_override", "drivers/vfio-pci/unbind", "drivers/nvme/bind"):
        (sys / path).parent.mkdir(parents=True)
        (sys / path).write_text("before")
    script = passthrough.GIVE_BACK.replace("/sys/", f"{tmp_path}/sys/")
    subprocess.run(["sh", "-c", script, "sh", "A", "nvme"], stdin=subprocess.DEVNULL, check=True)
    found = {path.name: path.read_text() for path in sys.glob("*/*/*")}
    assert found == {"driver_override": "\n", "unbind": "A\n", "bind": "A\n"}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
        ((BESIDE + 100, BESIDE + 100), None),
        ((10, resource.RLIM_INFINITY), (BESIDE + 100, resource.RLIM_INFINITY)),
        ((10, BESIDE + 200), (BESIDE + 100, BESIDE + 200)),
        ((10, 10), (BESIDE + 100, BESIDE + 100)),
    ],
)
def test_as_much_memory_may_be_locked_as_the_guest_has(
    limits: tuple[int, int], expected: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda what: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda what, value: asked.append(value))
    allow_locking(100)
    assert asked == ([expected] if expected else [])


def test_user_who_may_not_lock_so_much_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(what: int, value: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda what: (8 << 20, 8 << 20))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    with pytest.raises(HostError) as caught:
        allow_locking(256 << 20)
    assert caught.value.message == "a machine with a device locks its memory: 512 MiB, and you may lock 8 MiB"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0000:03:00.0", Device("0000:03:00.0")),
        ("03:1F.7,bind", Device("0000:03:1f.7", bind=True)),
        ("00AB:ff:1f.1", Device("00ab:ff:1f.1")),
    ],
)
def test_parse_device(text: str, expected: Device) -> None:
    assert parse_device(text) == expected
    machine = Machine(name="web", disk="/images/web.img", devices=(expected,))
    assert parse_machine(machine_text(machine), source="") == machine


@pytest.mark.parametrize("text", ["", "nvme0", "03:00", "03:00.8", "03:20.0", "03:00.0,", "03:00.0,keep", "../03:00.0"])
def test_parse_device_refuses(text: str) -> None:
    with pytest.raises(UsageError, match="is not of the form"):
        parse_device(text)


def test_qemu_has_the_device_and_may_touch_what_is_the_devices_alone(host: Host) -> None:
    machine, places = Machine(name="web", disk="/images/web.img", boot=Boot.DIRECT), places_of("web")
    passed = PassedDevice(DISK, *files_of(look(DISK, sys=host.sys), sys=host.sys, vfio=host.vfio))
    wiring = Wiring("kvm", 0, Path("/disk"), (), Path("/port"), qmp=5, console=6, network="user,id=net")
    with_device = replace(wiring, devices=(passed,))
    words = command.argv(machine, with_device)
    place = words.index(f"vfio-pci,host={DISK}")
    assert words[: place - 1] + words[place + 1 :] == command.argv(machine, wiring)

    without, own = (
        fence_of(machine, places, one, program=Path("/usr/bin/qemu"), network="passt") for one in (wiring, with_device)
    )
    device = host.sys / "devices/pci0000:00" / DISK
    assert own == replace(
        without,
        read=(*without.read, host.sys / "bus/pci/devices" / DISK, device),
        devices=(*without.devices, host.vfio / "vfio", host.vfio / "8"),
    )
