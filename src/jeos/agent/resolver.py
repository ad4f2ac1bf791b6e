"""Write resolv.conf(5) from what systemd-networkd knows, whenever that changes: there is no systemd-resolved.

The state is networkd's own file, which it replaces at each change; its words DNS and DOMAINS have been the same since
systemd 217. Changes of its folder come as a signal (dnotify, fcntl(2)), so that waiting costs nothing; Python has no
inotify, and a systemd path unit would start a process for each of several changes while the network comes up.
"""

import fcntl
import os
import signal
from collections.abc import Callable

from jeos.agent.appliance import RUN, write
from jeos.agent.loop import Loop

FOLDER = "/run/systemd/netif"
STATE = f"{FOLDER}/state"
TARGET = f"{RUN}/resolv.conf"
HEAD = "# Written by jeos from what the network says; changes are lost.\n"
MOST_SERVERS = 3  # what the C library reads, resolv.conf(5)
POLL_SECONDS = 0.5  # until networkd has started for the first time
CHANGES = fcntl.DN_CREATE | fcntl.DN_RENAME | fcntl.DN_MODIFY | fcntl.DN_MULTISHOT


def settings(state: str) -> str:
    """Return the text of resolv.conf for networkd's state."""
    known = dict(line.partition("=")[::2] for line in state.splitlines())
    servers = [address(server) for server in known.get("DNS", "").split()]
    domains = known.get("DOMAINS", "").split()
    lines = [f"nameserver {server}\n" for server in servers[:MOST_SERVERS]]
    return "".join([HEAD, *lines, *([f"search {' '.join(domains)}\n"] if domains else [])])


def address(server: str) -> str:
    """Return the bare address of a name server; resolv.conf has no words for its port and its name for TLS.

    networkd writes them as 192.0.2.1:53#dns.example and [2001:db8::1]:53#dns.example.
    """
    plain = server.partition("#")[0]
    if plain.startswith("["):
        return plain[1:].partition("]")[0]
    return plain.partition(":")[0] if plain.count(":") == 1 else plain


def update(state: str = STATE, target: str = TARGET) -> bool:
    """Bring resolv.conf up to date; false if it was."""
    wanted = settings(_read(state))
    if wanted == _read(target):
        return False
    write(target, wanted)
    return True


def watch(loop: Loop, call: Callable[[], None], *, folder: str = FOLDER) -> None:
    """Call `call()` now, and whenever something in the folder changes; wait for it if it is not there yet."""
    call()
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        loop.at(watch, POLL_SECONDS, lambda: watch(loop, call, folder=folder))
        return
    loop.on_signal(signal.SIGIO, call)
    fcntl.fcntl(descriptor, fcntl.F_NOTIFY, CHANGES)
    call()  # for what changed before the signal was asked for


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
