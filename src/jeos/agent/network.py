"""Whether this guest can be reached: its network cards and addresses; and how much went over them."""

import fcntl
import os
import socket
import struct

CARDS = "/sys/class/net"
SIOCGIFADDR = 0x8915  # linux/sockios.h
IFREQ = "16s24x"  # struct ifreq, 40 bytes: a name, then a socket address
IPV6_GLOBAL = "00"  # the scope in /proc/net/if_inet6


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


def traffic(place: str = "/proc/net/dev") -> dict[str, object]:
    """Return the bytes that were received and sent since boot, those to itself left out. Source: proc(5), `net/dev`."""
    received = sent = 0
    with open(place) as file:
        for line in file:
            name, found, words = line.partition(":")
            if found and name.strip() != "lo":
                numbers = words.split()
                received += int(numbers[0])
                sent += int(numbers[8])
    return {"received": received, "sent": sent}


def cards(folder: str = CARDS) -> list[str]:
    """Return the interfaces that are hardware, real or virtual, and not known to be unplugged.

    Without a cable `carrier` holds 0; it cannot be read before an interface is up (Linux, sysfs-class-net).
    """
    found = []
    for name in sorted(os.listdir(folder)):
        if os.path.exists(f"{folder}/{name}/device"):
            try:
                with open(f"{folder}/{name}/carrier") as file:
                    plugged = file.read().strip() != "0"
            except OSError:
                plugged = True
            found += [name] if plugged else []
    return found


def lacking(folder: str, *, found: "list[str] | None" = None) -> str:
    """Return why nobody can reach this guest, or "": it has an address, or no network card to have one on.

    `found` are its addresses, asked for if not given.
    """
    waiting = cards(folder)
    if not waiting or (addresses() if found is None else found):
        return ""
    return f"no address on {', '.join(waiting)} yet"


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
