"""The guest's way to its host over vsock: where the host said that it listens, a call from a port that is root's.

The port stands in a credential, which only the hypervisor can set. A line that was lost is not called again before
the guest starts anew: a guest that was saved may be on another host by then, where somebody else listens at that port.
"""

import os
import socket

from jeos.agent.appliance import RUN
from jeos.agent.properties import SYSTEM_CREDENTIALS

CREDENTIAL = "jeos.vsock"
LOST = "vsock-lost"  # a file in RUN
LAST_RESERVED_PORT, FIRST_TRIED = 1023, 512
CALL_SECONDS = 2.0  # the host's kernel answers at once


def port(*, credentials: str = SYSTEM_CREDENTIALS, run: str = RUN) -> int:
    """Return the port at which the host waits, 0 if it does not."""
    if os.path.exists(f"{run}/{LOST}"):
        return 0
    try:
        with open(f"{credentials}/{CREDENTIAL}", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def note_loss(*, run: str = RUN) -> None:
    """Remember until the guest starts anew that the line was lost."""
    os.close(os.open(f"{run}/{LOST}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def call(host_port: int) -> int:
    """Call the host and return the line. Raises OSError, as long as the driver is not loaded, too."""
    for own in range(LAST_RESERVED_PORT, FIRST_TRIED, -1):
        line = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        try:
            line.bind((socket.VMADDR_CID_ANY, own))
        except OSError:  # an earlier agent's, which lingers
            line.close()
            continue
        try:
            line.settimeout(CALL_SECONDS)
            line.connect((socket.VMADDR_CID_HOST, host_port))
        except OSError:
            line.close()
            raise
        return line.detach()
    raise OSError("no port is free to call the host from")
