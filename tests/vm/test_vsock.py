"""A guest's address and the door for its agent, with a file where the device is: what the kernel says is scripted."""

import errno
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jeos.core.errors import HostError
from jeos.model.machine import Boot, Channel, Machine
from jeos.model.saved import Start
from jeos.vm import vsock
from jeos.vm.vsock import FIRST_CID, LAST_CID, SET_GUEST_CID, address_of, claim, claim_for, is_agent, wanted

UUID = "6b7f0c1e-0000-4000-8000-0000000abcde"
MACHINE = Machine(name="web", disk="/images/web.img", boot=Boot.DIRECT, uuid=UUID)
needs_vsock = pytest.mark.skipif(not Path("/dev/vsock").exists(), reason="this kernel has no vsock")


class Kernel:
    """Gives addresses away, as the ioctl of /dev/vhost-vsock does, but for those that are `taken`."""

    def __init__(self, *taken: int, error: int = errno.EADDRINUSE) -> None:
        self.taken, self.error = taken, error
        self.asked: list[int] = []

    def __call__(self, device: int, request: int, address: bytes) -> None:
        os.fstat(device)
        assert request == SET_GUEST_CID
        (cid,) = struct.unpack("=Q", address)
        self.asked.append(cid)
        if cid in self.taken:
            raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
def device(tmp_path: Path) -> Path:
    place = tmp_path / "vhost-vsock"
    place.touch()
    return place


@needs_vsock
def test_claim_takes_the_next_address_that_nobody_has(device: Path) -> None:
    first = address_of(UUID)
    kernel = Kernel(first, first + 1)
    with_address = claim(UUID, device=device, set_address=kernel)
    try:
        assert (with_address.cid, kernel.asked) == (first + 2, [first, first + 1, first + 2])
        assert with_address.door.getsockname() == (socket.VMADDR_CID_ANY, with_address.port)
        other = claim(UUID, device=device, set_address=Kernel())
        device_of_other = other.device
        assert other.port != with_address.port
        other.hand_over()
        with pytest.raises(OSError):
            os.fstat(device_of_other)
        other.close()
    finally:
        with_address.close()


@needs_vsock
def test_claim_goes_on_from_the_first_address_after_the_last(device: Path) -> None:
    kernel = Kernel(LAST_CID)
    found = claim(f"{'0' * 24}{LAST_CID - FIRST_CID:08x}", device=device, set_address=kernel)
    found.close()
    assert kernel.asked == [LAST_CID, FIRST_CID]


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (Kernel(address_of(UUID), error=errno.EINVAL), (errno.EINVAL, 1)),
        (Kernel(*range(address_of(UUID), address_of(UUID) + vsock.TRIES)), (errno.EADDRINUSE, vsock.TRIES)),
    ],
)
def test_claim_without_an_address_leaves_nothing_open(device: Path, kernel: Kernel, expected: tuple[int, int]) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError) as caught:
        claim(UUID, device=device, set_address=kernel)
    assert (caught.value.errno, len(kernel.asked)) == expected
    assert os.listdir("/proc/self/fd") == before


def test_address_is_the_machines_and_one_that_a_guest_may_have() -> None:
    assert address_of(UUID) == address_of(UUID) == 0x000ABCDE + FIRST_CID
    for last in ("00000000", "fffffffe", "ffffffff"):
        assert FIRST_CID <= address_of(f"00000000-0000-0000-0000-0000{last}") <= LAST_CID


@pytest.mark.parametrize(
    ("caller", "expected"),
    [((7, 1023), True), ((7, 1024), False), ((8, 1023), False), ((socket.VMADDR_CID_HOST, 1), False)],
)
def test_is_agent_only_root_in_the_machine(caller: tuple[int, int], expected: bool) -> None:
    assert is_agent(caller, cid=7) is expected


@pytest.mark.parametrize(
    ("machine", "start", "expected"),
    [
        (replace(MACHINE, image="/images/web.json"), Start(), True),
        (MACHINE, Start(), True),
        (replace(MACHINE, channel=Channel.SERIAL), Start(), False),
        (replace(MACHINE, boot=Boot.BIOS), Start(), False),
        (MACHINE, Start(ram="/templates/web/ram"), False),
        (MACHINE, Start(devices="/saved/devices"), False),
        (replace(MACHINE, channel=Channel.SERIAL), Start(devices="/saved/devices", vsock=True), True),
    ],
)
def test_vsock_is_wanted(machine: Machine, start: Start, expected: bool) -> None:
    assert wanted(machine, start) is expected


@pytest.mark.parametrize(
    ("machine", "start"),
    [(replace(MACHINE, channel=Channel.VSOCK), Start()), (MACHINE, Start(devices="/saved/devices", vsock=True))],
)
def test_machine_that_must_have_a_vsock_does_not_start_without(
    machine: Machine, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(uuid: str) -> vsock.Vsock:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(vsock, "claim", refuse)
    with pytest.raises(HostError) as caught:
        claim_for(machine, start)
    assert caught.value.message == "/dev/vhost-vsock: Permission denied, so no machine gets a vsock here"
    assert claim_for(MACHINE, Start()) is None


@pytest.mark.parametrize("open_device", [Path.unlink, lambda path: None])
def test_claim_needs_the_device(device: Path, open_device: Callable[[Path], None]) -> None:
    open_device(device)
    with pytest.raises(OSError):
        claim(UUID, device=device, set_address=Kernel(address_of(UUID), error=errno.ENOTTY))
