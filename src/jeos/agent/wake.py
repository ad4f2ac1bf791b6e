"""Going on after the guest stood still, or was brought back from a file: what it could not notice by itself.

    {"do": "wake", "time": 1764370000.5, "entropy": "<hex>", "identity": {…}}

The clock is set to the host's. The random numbers get bytes that no other machine has, and begin anew with them at
once. A copy of a machine becomes one of its own (see `identity`). Source: Linux, uapi/linux/random.h; random(4).
"""

import fcntl
import struct
import time
from collections.abc import Mapping

from jeos.agent import identity
from jeos.agent.appliance import number, text

RANDOM = "/dev/urandom"
RNDADDENTROPY, RNDRESEEDCRNG = 0x40085203, 0x5207  # _IOW('R', 0x03, int[2]), _IO('R', 0x07)
CLOSE = 0.05  # seconds by which a clock may be off; the order takes as long to come


def wake(request: Mapping[str, object]) -> str:
    """Do what the host orders, and return what went wrong, or ""."""
    heard = time.monotonic()
    try:
        entropy = bytes.fromhex(text(request, "entropy", ""))
        if entropy:
            stir(entropy)
        said = request.get("identity")
        wrong = identity.become(said) if isinstance(said, dict) else ""
        told = number(request, "time", 0.0)
        if told > 0:
            # Last, for others wake up for it, and take turns. What came before may have run programs.
            set_clock(told + time.monotonic() - heard)
        return wrong
    except (OSError, ValueError) as error:
        return str(error)


def slow(request: Mapping[str, object]) -> bool:
    """Tell whether the order takes so long that the agent had better answer others meanwhile."""
    said = request.get("identity")
    return isinstance(said, dict) and identity.slow(said)


def set_clock(told: float) -> None:
    """Set the clock to seconds since 1970, unless it is right already."""
    if abs(time.time() - told) > CLOSE:
        time.clock_settime(time.CLOCK_REALTIME, told)


def stir(entropy: bytes) -> None:
    """Mix bytes into the kernel's random numbers, and have all numbers from now on depend on them."""
    with open(RANDOM, "wb", buffering=0) as file:
        fcntl.ioctl(file, RNDADDENTROPY, struct.pack("ii", 8 * len(entropy), len(entropy)) + entropy)
        fcntl.ioctl(file, RNDRESEEDCRNG)
