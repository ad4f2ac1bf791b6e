"""passt, a router in user space for one machine: it knows IPv6, and is faster than QEMU's own.

It is used only where it is installed and holds up in a conversation (see `passt_check`), tried once for each program
and boot of the host.
"""

import json
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from jeos.core import files, settings
from jeos.core.errors import HostError, MachineError
from jeos.core.run import find_program, spawn
from jeos.core.settings import runtime_dir
from jeos.model.machine import Forward
from jeos.vm.network import SLIRP

PROGRAM = "passt"
CACHE = "passt.json"
# The addresses that QEMU's own network has, so that a machine sees the same whichever is taken.
RESOLVER = Path("/etc/resolv.conf")
UPSTREAM = Path("/run/systemd/resolve/resolv.conf")  # whom the host's own resolver asks, systemd-resolved.service(8)
ADDRESSES = ("--address", "10.0.2.15", "--netmask", "24", "--gateway", "10.0.2.2")


def start(forwards: Sequence[Forward], *, descriptor: int, log: Path) -> "subprocess.Popen[bytes]":
    """Start a passt that serves the guest at the other end of an inherited socket; it ends with that socket."""
    with log.open("wb") as file:
        return spawn(
            argv(forwards, descriptor=descriptor, more=fence()), stdout=file, stderr=file, pass_fds=(descriptor,)
        )


def argv(forwards: Sequence[Forward], *, descriptor: int, more: Sequence[str] = ()) -> list[str]:
    """Return passt's command line for these forwards, whose host ports are known, with `more` options."""
    words = [PROGRAM, "--foreground", "--quiet", "--fd", str(descriptor), *ADDRESSES, *more]
    for protocol in ("tcp", "udp"):
        ports = [one for one in forwards if one.protocol == protocol]
        for one in ports:
            words += [f"--{protocol}-ports", f"{one.address}/{one.host}:{one.guest}"]
        if not ports:
            words += [f"--{protocol}-ports", "none"]
    return words


def fence(*, resolver: Path = RESOLVER, upstream: Path = UPSTREAM) -> list[str]:
    """Return the options that keep a guest from the services on the host's loopback device.

    Without them the gateway's address leads there. A host whose only name server is on that device gives the guest
    those that it asks itself; if they are not known, the way must stay open, or the guest would have no names.
    """
    servers = _name_servers(resolver)
    if not servers or any(not _is_loopback(server) for server in servers):
        return ["--no-map-gw"]
    others = [server for server in _name_servers(upstream) if not _is_loopback(server) and "%" not in server]
    return ["--no-map-gw", *(word for server in others for word in ("--dns", server))] if others else []


def _name_servers(place: Path) -> list[str]:
    """Return the addresses in a file of resolv.conf(5); none if it is not there."""
    try:
        lines = place.read_text(errors="replace").splitlines()
    except OSError:
        return []
    words = [line.split() for line in lines]
    return [line[1] for line in words if line[:1] == ["nameserver"] and len(line) > 1]


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def complaint() -> str:
    """Return why passt cannot be used here, or "" if it can."""
    if settings.network() == SLIRP:
        return f"JEOS_NETWORK is {SLIRP}"
    try:
        program = find_program(PROGRAM)
    except HostError:
        return "passt is not installed"
    found = program.stat()
    mark = f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}-{_boot()}"
    cache = runtime_dir() / CACHE
    try:
        known = json.loads(cache.read_text())
        if known["mark"] == mark:
            return str(known["complaint"])
    except (OSError, ValueError, KeyError, TypeError):  # never tried, or not by this version
        pass
    answer = _try()
    files.write(cache, json.dumps({"mark": mark, "complaint": answer}), durable=False)
    return answer


def _try() -> str:
    """Hold a conversation through a passt that is started for it."""
    from jeos.vm.passt_check import TinyGuest

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = spawn(
                argv([Forward(host=port, guest=80)], descriptor=theirs.fileno()),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        try:
            TinyGuest(ours).converse(port)
        except MachineError as error:
            return error.message
        except OSError as error:
            return f"passt does not take connections: {error.strerror or error}"
        finally:
            process.kill()
            process.wait()
    return ""


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
