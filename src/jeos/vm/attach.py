"""A terminal on a machine's serial console: what the machine says is printed, what is typed goes to it."""

import contextlib
import os
import select
import socket
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from jeos.core.errors import MachineError

CONTROL_C = b"\x03"
DETACH = b"\x1d"  # Ctrl-], as in telnet and virsh
CHUNK = 16 << 10


class End(StrEnum):
    """Why a terminal was taken off a console again."""

    MACHINE = "machine"  # the machine ended
    KEY = "key"  # one of the keys that detach was typed


def attach(console: Path, *, keys: bytes = DETACH) -> End:
    """Connect this process's standard input and output to a console until the machine ends or one of `keys` is typed.

    A terminal is set to pass every key on, and set back afterwards. Raises MachineError if there is no console.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(console))
        except OSError as error:
            raise MachineError(
                f"there is no console at {console}: {error.strerror}", hint="`jeos ls` says whether the machine runs"
            ) from None
        with raw_terminal() as terminal:
            return _carry(connection, terminal=terminal, keys=keys)


@contextmanager
def raw_terminal() -> Iterator[bool]:
    """Let the terminal on standard input pass every key on during the block; yields whether there is one."""
    if not sys.stdin.isatty():
        yield False
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor, termios.TCSADRAIN)
        yield True
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _carry(connection: socket.socket, *, terminal: bool, keys: bytes) -> End:
    source, target = sys.stdin.fileno(), sys.stdout.fileno()
    watched = [connection.fileno(), source]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if connection.fileno() in ready:
            data = _receive(connection)
            if not data:
                return End.MACHINE
            write_all(target, data)
        if source in ready:
            typed = os.read(source, CHUNK)
            if terminal and any(key in typed for key in keys):
                return End.KEY
            if typed:
                with contextlib.suppress(ConnectionError):  # the machine has just ended, as the next turn finds out
                    connection.sendall(typed)
            else:  # a pipe that has been read to its end: what the machine answers is still of interest
                watched.remove(source)


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(CHUNK)
    except ConnectionError:
        return b""


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, in as many pieces as it takes, also where another program made the file non-blocking."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
