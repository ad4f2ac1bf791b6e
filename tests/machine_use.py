"""What tests do with machines: find free ports, and run programs inside."""

import json
import socket
import time
from typing import Any

from jeos_command import Jeos

BOOT = 600.0  # seconds that an emulated machine may take on a very busy host
POLL = 0.5  # seconds


def free_port() -> int:
    """Return a port of this host that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def inside(jeos: Jeos, name: str, *command: str) -> str:
    """Run a program in a machine, as root, and return what it printed."""
    return jeos.run("exec", "--wait", "60", name, "--", *command).stdout.strip()


def status_of(jeos: Jeos, name: str) -> dict[str, Any]:
    """Return what the agent in a machine says of it, once it knows whether the machine is well."""
    deadline = time.monotonic() + BOOT
    while True:
        said = dict(json.loads(inside(jeos, name, "jeos-agent", "status", "--json")))
        if said["health"] != "starting":
            return said
        assert time.monotonic() < deadline, said
        time.sleep(POLL)
