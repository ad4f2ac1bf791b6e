"""The host's end of a machine's vsock: a guest's address of its own, and a door at which its agent calls.

    found = claim(machine.uuid, device=DEVICE)      # Vsock(cid=…, device=…, door=…), or OSError
    found.port                                      # which the guest is told; it calls there, see `agent.vsock`

The guest calls, and not the host: anybody on a host may call a guest, but only one machine has its address, and only
root in it may call from a low port. So nobody else gets at the agent, nor may speak for it. The port is taken before
QEMU starts and kept until it has ended, so that nobody else can wait there.
Source: vsock(7); Linux, include/uapi/linux/vhost.h and drivers/vhost/vsock.c.
"""

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import HostError
from jeos.model.machine import Channel, Machine
from jeos.model.saved import Start

DEVICE = Path("/dev/vhost-vsock")
SET_GUEST_CID = 0x4008AF60  # VHOST_VSOCK_SET_GUEST_CID, _IOW(VHOST_VIRTIO, 0x60, __u64)
FIRST_CID, LAST_CID = 3, (1 << 32) - 2  # below are those of hypervisor, loopback and host; the last means any
TRIES = 256  # addresses that may be taken, one after the other
LAST_RESERVED_PORT = 1023  # from which only root may call; Linux, net/vmw_vsock/af_vsock.c
MEND = "sudo modprobe vhost_vsock, and a user in the group kvm"

SetAddress = Callable[[int, int, bytes], object]


@dataclass(slots=True)
class Vsock:
    """A guest's address, the open device that has it (-1 once it is QEMU's), and the socket where its agent calls."""

    cid: int
    device: int
    door: socket.socket

    @property
    def port(self) -> int:
        """The port of the door."""
        return int(self.door.getsockname()[1])

    def hand_over(self) -> None:
        """Leave the device to QEMU, which has inherited it: whoever has it open keeps all of QEMU's memory alive."""
        if self.device >= 0:
            os.close(self.device)
        self.device = -1

    def close(self) -> None:
        """Let go of the address and the door."""
        self.hand_over()
        self.door.close()


def wanted(machine: Machine, start: Start) -> bool:
    """Tell whether a machine is to have a vsock, if this host has one.

    An agent that was put to sleep with another channel looks for that one; and only jeos' images have an agent.
    """
    if start.devices or start.ram:
        return start.vsock
    return machine.channel is not Channel.SERIAL and not machine.foreign


def claim_for(machine: Machine, start: Start) -> Vsock | None:
    """Return what a machine gets, None for none. Raises HostError if it must have one and this host has none."""
    if not wanted(machine, start):
        return None
    try:
        return claim(machine.uuid)
    except OSError as error:
        if start.vsock or machine.channel is Channel.VSOCK:
            raise HostError(f"{DEVICE}: {error.strerror}, so no machine gets a vsock here", hint=MEND) from None
        return None


def claim(uuid: str, *, device: Path = DEVICE, set_address: SetAddress = fcntl.ioctl) -> Vsock:
    """Take a guest's address that nobody has, and listen for its agent. Raises OSError."""
    opened = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        cid = _take_address(opened, first=address_of(uuid), set_address=set_address)
        door = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        door.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
        door.listen(1)
        door.setblocking(False)
    except OSError:
        os.close(opened)
        raise
    return Vsock(cid, opened, door)


def address_of(uuid: str) -> int:
    """Return the address that a machine would like, so that it tends to keep it."""
    return FIRST_CID + int(uuid.replace("-", "")[-8:], 16) % (LAST_CID - FIRST_CID + 1)


def _take_address(device: int, *, first: int, set_address: SetAddress) -> int:
    """Give a device the first address from `first` on that is free: another jeos may have taken some."""
    for number in range(TRIES):
        cid = FIRST_CID + (first - FIRST_CID + number) % (LAST_CID - FIRST_CID + 1)
        try:
            set_address(device, SET_GUEST_CID, struct.pack("=Q", cid))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return cid
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def is_agent(caller: tuple[int, int], *, cid: int) -> bool:
    """Tell whether a caller, an address and a port, is root in the machine with that address."""
    return caller[0] == cid and caller[1] <= LAST_RESERVED_PORT
