"""What a machine that started from a backup reads from, until it has everything itself (`filling`).

A program of jeos exports the point over NBD on the machine's `supply` socket; it is started before QEMU and ended when
it is needed no more.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from jeos.core.run import spawn
from jeos.vm.listening import wait_until_listening
from jeos.vm.places import Places

READY_SECONDS = 120.0  # that the program may take to open the backup; it may lie far away


def start(words: Sequence[str], places: Places) -> "subprocess.Popen[bytes]":
    """Start the program and return it; it takes its time to listen."""
    with places.supply_log.open("wb") as file:
        argv: list[str | Path] = [sys.executable, "-P", "-m", "jeos", *words, "--socket", places.supply]
        return spawn(argv, stdout=file, stderr=file)


def wait(process: "subprocess.Popen[bytes]", places: Places) -> None:
    """Wait until the program listens. Raises MachineError, with what it said, if it does not."""
    wait_until_listening(
        process,
        places.supply,
        who=f"what exports the backup of {places.name}",
        log=places.supply_log,
        seconds=READY_SECONDS,
        end=end,
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
