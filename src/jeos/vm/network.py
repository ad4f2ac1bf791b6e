"""The network of a machine without rights on the host: a router in user space, and host ports that lead inside.

passt is taken where it is installed and holds up in a test (see `passt`), because it knows IPv6 and is faster;
else QEMU's own (libslirp).
"""

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jeos.core.errors import HostError, UsageError
from jeos.model.machine import Forward

SLIRP = "slirp"
NONE = "none"
PASST = "passt"
TAP, TAP_WITH_VHOST = "tap", "tap, vhost-net"
USUAL = "10.0.2.15"  # the address that a machine gets in QEMU's own network, the first that is given away
# The first one where a copy of a machine is to keep its address: the router remembers that the first was given to the
# card whose address the copy no longer has.
BEFORE_USUAL = "10.0.2.14"
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


@dataclass(frozen=True, slots=True)
class Network:
    """A network: its `kind`, the `forwards` with their real host ports, and the value of QEMU's `-netdev`."""

    kind: str
    forwards: tuple[Forward, ...]
    netdev: str


def resolve(forwards: Sequence[Forward]) -> tuple[Forward, ...]:
    """Return the forwards with a free port for each 0, after trying whether each port is to be had.

    All ports are held until all are tried, so that two of them never collide. Raises UsageError for a port that is
    busy or asked for twice, HostError for an address that this host lacks or a port that needs rights.
    """
    held: list[socket.socket] = []
    try:
        result = []
        for forward in forwards:
            held.append(_hold(forward))
            result.append(replace(forward, host=held[-1].getsockname()[1]))
        return tuple(result)
    finally:
        for one in held:
            one.close()


def slirp(forwards: Sequence[Forward], *, why_not_passt: str, later: bool = False, first: str = "") -> Network:
    """Return the network of QEMU's own router; `later` leaves its forwards to `hostfwd_add`.

    `first` is the first address that it gives away, where that is not the usual one.

    Raises UsageError for a forward from an IPv6 address.
    """
    words = ["user,id=net", *([f"dhcpstart={first}"] if first else [])]
    for forward in forwards:
        if ":" in forward.address:
            raise UsageError(
                f"the port {forward} needs passt, because QEMU's own network forwards no IPv6, and {why_not_passt}",
                hint="install a passt of 2023-06 or later, or use an IPv4 address",
            )
        words += [] if later else [f"hostfwd={hostfwd(forward, guest=USUAL if first else '')}"]
    return Network(kind=SLIRP, forwards=tuple(forwards), netdev=",".join(words))


def hostfwd(forward: Forward, *, guest: str = USUAL) -> str:
    """Return a forward in the words of QEMU's own router; without `guest`, to the first address that it gives away."""
    return f"{forward.protocol}:{forward.address}:{forward.host}-{guest}:{forward.guest}"


def isolated() -> Network:
    """Return a network in which a guest gets its address and reaches nobody."""
    return Network(kind=NONE, forwards=(), netdev="user,id=net,restrict=on")


def tap(*, descriptor: int, vhost: int | None) -> Network:
    """Return the network of a tap device that QEMU inherits as `descriptor`, with vhost-net as `vhost` or without."""
    netdev = f"tap,id=net,fd={descriptor}" + ("" if vhost is None else f",vhost=on,vhostfd={vhost}")
    return Network(kind=TAP if vhost is None else TAP_WITH_VHOST, forwards=(), netdev=netdev)


def passt(forwards: Sequence[Forward], *, descriptor: int) -> Network:
    """Return the network of a passt whose socket QEMU inherits as `descriptor`."""
    netdev = f"stream,id=net,server=off,addr.type=fd,addr.str={descriptor}"
    return Network(kind=PASST, forwards=tuple(forwards), netdev=netdev)


def _hold(forward: Forward) -> socket.socket:
    """Return a socket that listens on the host's end of a forward."""
    family = socket.AF_INET6 if ":" in forward.address else socket.AF_INET
    try:
        one = socket.socket(family, _KINDS[forward.protocol])
    except OSError as error:
        raise HostError(f"cannot forward {forward}: {error.strerror}", hint="leave this port away") from None
    try:
        if forward.protocol == "tcp":  # as QEMU does: connections that only linger do not keep a port busy
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((forward.address, forward.host))
        if forward.protocol == "tcp":
            one.listen(1)
    except OSError as error:
        one.close()
        raise _refusal(forward, error) from None
    return one


def _refusal(forward: Forward, error: OSError) -> UsageError | HostError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"port {forward.host}/{forward.protocol} on {forward.address} is taken by another program or machine",
            hint=f"`ss -lnp sport = :{forward.host}` shows by whom; --port 0:{forward.guest} takes any that is free",
        )
    if error.errno == errno.EACCES:
        return HostError(
            f"port {forward.host}/{forward.protocol} on {forward.address} needs rights that you lack",
            hint=f"take a port from 1024 up: --port {forward.host + 8000}:{forward.guest}",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return HostError(f"this host has no address {forward.address}", hint="`ip address` lists those that it has")
    return HostError(f"cannot forward {forward}: {error.strerror}", hint="leave this port away")
