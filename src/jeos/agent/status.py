"""What the agent knows about its guest: version, slot, uptime, addresses, health."""

import fcntl
import os
import socket
import struct

from jeos.agent.appliance import RUN, Appliance
from jeos.agent.health import Verdict, uptime

SIOCGIFADDR = 0x8915  # linux/sockios.h
IFREQ = "16s24x"  # struct ifreq, 40 bytes: a name, then a socket address
IPV6_GLOBAL = "00"  # the scope in /proc/net/if_inet6
LICENCE = "/usr/share/jeos/EULA"
SLOTS = {"2": "A", "4": "B"}  # partition numbers of jeos.model.image's layout


def describe(appliance: Appliance, verdict: Verdict) -> dict[str, object]:
    """Return everything as one JSON object."""
    return {
        "name": appliance.name,
        "version": appliance.version,
        "vendor": appliance.vendor,
        "slot": slot(),
        "boot": boot_id(),
        "uptime": round(uptime(), 1),
        "health": verdict.state,
        "reasons": verdict.reasons,
        "properties": property_faults(),
        "addresses": addresses(),
        "ports": appliance.ports,
        "licence": LICENCE if os.path.exists(LICENCE) else "",
    }


def boot_id() -> str:
    """Return the kernel's identity of this boot."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def slot() -> str:
    """Return "A" or "B", the slot that / was started from; "" if / is no slot.

    / is a dm-verity device, and the first partition below it is the system's.
    """
    device = os.stat("/").st_dev
    folder = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/slaves"
    try:
        for name in os.listdir(folder):
            with open(f"{folder}/{name}/partition") as file:
                found = SLOTS.get(file.read().strip())
            if found:
                return found
    except OSError:
        pass
    return ""


def property_faults(folder: str = RUN) -> list[str]:
    """Return what `jeos.agent.properties` found wrong at this boot."""
    try:
        with open(f"{folder}/properties.failed", encoding="utf-8") as file:
            return file.read().splitlines()
    except OSError:
        return []


def addresses() -> list[str]:
    """Return the addresses that others may reach this guest at: each interface's first IPv4, and global IPv6."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(any_socket, SIOCGIFADDR, struct.pack(IFREQ, name.encode()))
            except OSError:
                continue  # an interface without an IPv4 address
            address = socket.inet_ntoa(answer[20:24])
            if not address.startswith("127."):
                found.append(address)
    return found + _ipv6_addresses()


def _ipv6_addresses(place: str = "/proc/net/if_inet6") -> list[str]:
    found = []
    try:
        with open(place) as file:
            for line in file:
                digits, _, _, scope, _, name = line.split()
                if scope == IPV6_GLOBAL and name != "lo":
                    found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)))
    except (OSError, ValueError):
        pass
    return found
