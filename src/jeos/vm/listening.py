"""Programs beside a machine that serve on a socket: waiting until they do, and saying why they do not.

wait_until_listening(process, socket, who="virtiofsd", log=log, seconds=20.0, end=end, hint="start it without --share")
"""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from jeos.core.errors import MachineError

LAST_LINES = 5  # of what a program said before it ended; its log has the rest
POLL_SECONDS = 0.005


def wait_until_listening(
    process: "subprocess.Popen[bytes]",
    socket: Path,
    *,
    who: str,
    log: Path,
    seconds: float,
    end: "Callable[[subprocess.Popen[bytes]], None]",
    hint: str,
) -> None:
    """Wait up to `seconds` until a program listens; raises MachineError, with what it said, once it is ended."""
    deadline = time.monotonic() + seconds
    while not socket.exists():
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            end(process)
            how = "ended" if ended else f"was not ready within {seconds:g} s"
            raise MachineError(f"{who} {how}{last_lines(log)}", hint=hint)
        time.sleep(POLL_SECONDS)


def last_lines(log: Path) -> str:
    """Return the last lines of a program's log, each indented below a message."""
    lines = log.read_text(errors="replace").rstrip().splitlines()[-LAST_LINES:]
    return "".join(f"\n  {line}" for line in lines)
