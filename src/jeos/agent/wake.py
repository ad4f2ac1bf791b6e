"""Going on after the guest stood still, or was brought back from a file: what it could not notice by itself.

    {"do": "wake", "time": 1764370000.5, "entropy": "<hex>"}

The clock is set to the host's. The random numbers get bytes that no other machine has, and begin anew with them at
once. Source: Linux, include/uapi/linux/random.h; random(4).
"""

import fcntl
import struct
import time
from collections.abc import Mapping

from jeos.agent.appliance import number, text

RANDOM = "/dev/urandom"
RNDADDENTROPY, RNDRESEEDCRNG = 0x40085203, 0x5207  # _IOW('R', 0x03, int[2]), _IO('R', 0x07)
CLOSE = 0.05  # seconds by which a clock may be off; the order takes as long to come


def wake(request: Mapping[str, object]) -> None:
    """Do what the host orders. Raises OSError, and ValueError for an order that makes no sense."""
    entropy = bytes.fromhex(text(request, "entropy", ""))
    if entropy:
        stir(entropy)
    told = number(request, "time", 0.0)
    if told > 0:
        set_clock(told)


def set_clock(told: float) -> None:
    """Set the clock to seconds since 1970, unless it is right already."""
    if abs(time.time() - told) > CLOSE:
        time.clock_settime(time.CLOCK_REALTIME, told)


def stir(entropy: bytes) -> None:
    """Mix bytes into the kernel's random numbers, and have all numbers from now on depend on them."""
    with open(RANDOM, "wb", buffering=0) as file:
        fcntl.ioctl(file, RNDADDENTROPY, struct.pack("ii", 8 * len(entropy), len(entropy)) + entropy)
        fcntl.ioctl(file, RNDRESEEDCRNG)
