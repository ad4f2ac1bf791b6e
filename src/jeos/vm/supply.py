"""What a machine that started from a backup reads from, until it has everything itself (`filling`).

A program of jeos exports the point over NBD on the machine's `supply` socket; it is started before QEMU and ended when
it is needed no more. The socket is there at once, so that QEMU starts while the program still opens the backup: its
greeting waits until the program takes it, and fails when that ends.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from jeos.core.errors import MachineError
from jeos.core.run import spawn
from jeos.core.sockets import listen
from jeos.vm.listening import last_lines
from jeos.vm.places import Places

END_SECONDS = 1.0  # between the end of the program's connections and its own


def start(words: Sequence[str], places: Places) -> "subprocess.Popen[bytes]":
    """Start the program and return it; whoever connects to its socket waits until it is ready, or has ended."""
    with places.supply_log.open("wb") as file, listen(places.supply) as listener:
        inherited = listener.fileno()
        argv: list[str | Path] = [sys.executable, "-P", "-m", "jeos", *words]
        argv += ["--socket", places.supply, "--listening", str(inherited)]
        return spawn(argv, stdout=file, stderr=file, pass_fds=(inherited,))


def failure(process: "subprocess.Popen[bytes] | None", places: Places) -> MachineError | None:
    """Return why the program ended by itself; None if it runs, or there is none."""
    if process is None:
        return None
    try:
        process.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    return MachineError(
        f"what exports the backup of {places.name} ended{last_lines(places.supply_log)}",
        hint="can the backup still be reached?",
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    """End the program."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
