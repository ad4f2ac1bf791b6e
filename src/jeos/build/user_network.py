"""A network for one program in the sandbox: a router in user space (slirp4netns), so that the program has a namespace
of its own and reaches other computers, but neither the host's loopback device nor its abstract sockets.

    with attached(process.pid, gate=ours):    # once the process has said at the gate that its namespace is there
        process.communicate()

Source: slirp4netns(1): addresses, `--disable-host-loopback`, `--ready-fd`.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from jeos.core.errors import HostError
from jeos.core.run import find_program, spawn

PROGRAM = "slirp4netns"
DEVICE = "tap0"
TUN = "/dev/net/tun"  # which makes the device
RESOLVER = b"nameserver 10.0.2.3\n"  # which asks the host's, wherever that is
READY, GO = b"r", b"g"  # what is said at the gate: by the launcher, by us


def complaint() -> str:
    """Return why a program cannot have a network of its own here, or "" if it can."""
    try:
        find_program(PROGRAM)
    except HostError:
        return f"{PROGRAM} is not installed"
    return "" if os.access(TUN, os.R_OK | os.W_OK) else f"{TUN} cannot be opened"


@contextmanager
def attached(process: int, *, gate: socket.socket) -> Iterator[None]:
    """Give the namespace of a process a network during the block, and let the process go on.

    The process says READY at the gate when it is in its namespace, and waits there for GO. If it hangs up instead,
    nothing is done. Raises HostError if the router does not start.
    """
    if gate.recv(1) != READY:
        yield
        return
    router = _start(process)
    try:
        gate.sendall(GO)
        yield
    finally:
        router.kill()
        router.wait()


def _start(process: int) -> "subprocess.Popen[bytes]":
    reading, writing = os.pipe()
    options = ["--configure", "--mtu=65520", "--disable-host-loopback", "--enable-seccomp"]
    with os.fdopen(os.memfd_create("slirp4netns"), "w+b") as said:
        try:
            router = spawn(
                [PROGRAM, *options, f"--ready-fd={writing}", str(process), DEVICE],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=(writing,),
            )
        finally:
            os.close(writing)
        with os.fdopen(reading, "rb") as ready:
            if ready.read(1):
                return router
        router.kill()
        router.wait()
        said.seek(0)
        words = said.read(4096).decode(errors="replace").strip()
    raise HostError(f"{PROGRAM} gives the sandbox no network: {words}", hint="`jeos doctor` tells what this host lacks")
