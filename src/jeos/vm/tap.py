"""A machine on a network that the host's administrator made: a tap device, and vhost-net where that can be opened.

    opened = open_device("tap0")            # a descriptor that QEMU inherits; HostError or MachineError otherwise
    vhost = open_vhost()                    # another, or None

Nothing is made here: who may use a tap device was said when it was made (`ip tuntap add … user NAME`). With vhost-net
the kernel moves the packets itself, and QEMU does not see them.
Source: Linux, Documentation/networking/tuntap.rst, include/uapi/linux/if_tun.h; QEMU, net/tap.c.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path

from jeos.core.errors import HostError, MachineError

TUN, VHOST, CARDS = Path("/dev/net/tun"), Path("/dev/vhost-net"), Path("/sys/class/net")
TUNSETIFF = 0x400454CA
TAP, NO_PI, VNET_HDR = 0x0002, 0x1000, 0x4000  # IFF_*: Ethernet; no head before a packet, but virtio's own
REQUEST = "16sH22x"  # struct ifreq: the name, and the flags

Control = Callable[[int, int, bytes], object]


def open_device(name: str, *, tun: Path = TUN, cards: Path = CARDS, control: Control = fcntl.ioctl) -> int:
    """Return a descriptor of a tap device that there is. Raises HostError, or MachineError if a machine has it."""
    check(name, cards=cards)  # or the kernel would make one for root
    try:
        opened = os.open(tun, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise HostError(f"{tun} cannot be opened: {error.strerror}", hint="sudo modprobe tun") from None
    try:
        control(opened, TUNSETIFF, struct.pack(REQUEST, name.encode(), TAP | NO_PI | VNET_HDR))
    except OSError as error:
        os.close(opened)
        if error.errno == errno.EBUSY:
            raise MachineError(
                f"another program or machine has {name}", hint="each machine needs one of its own"
            ) from None
        raise HostError(f"{name} cannot be used: {error.strerror}", hint=_making(name)) from None
    return opened


def check(name: str, *, cards: Path = CARDS) -> None:
    """Raise HostError if there is no tap device of that name."""
    if not (cards / name).exists():
        raise HostError(f"this host has no tap device {name}", hint=_making(name))


def _making(name: str) -> str:
    return f"sudo ip tuntap add {name} mode tap user $USER, then put it on a bridge or give it an address"


def open_vhost(device: Path = VHOST) -> int | None:
    """Return a descriptor of vhost-net, None where it cannot be opened."""
    try:
        return os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
