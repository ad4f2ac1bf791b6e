"""What the command line and a machine's supervisor say to each other: one JSON object a line.

The supervisor reports once, on a pipe that it inherits, whether the machine started; later it takes orders on the
machine's control socket, one a connection, and answers each when it is done:

    {"order": "stop", "within": 30}              {}
    {"order": "pause"}, {"order": "resume"}      {}
    {"order": "resize-memory", "memory": 256, "within": 60}         {"memory": 256}
    {"order": "usage"}                           {"read": 4096, "written": 0, "received": 90, "sent": 60}

One process takes all orders for a machine, so that two command lines cannot get between each other.
"""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from jeos.core import errors
from jeos.core.errors import JeosError, MachineError

LONGEST = 64 << 10  # bytes of one line


def report(descriptor: int, error: JeosError | None) -> None:
    """Tell the command line that the machine started, or why it did not."""
    try:
        os.write(descriptor, (json.dumps(describe(error)) + "\n").encode())
    except BrokenPipeError:  # nobody waits any more
        return


def describe(error: JeosError | None) -> dict[str, str]:
    """Return an error as fields that `revive` makes an error of again; none for no error."""
    if error is None:
        return {}
    return {"kind": type(error).__name__, "message": error.message, "hint": error.hint}


def parse(line: bytes) -> dict[str, str]:
    """Read one line of fields."""
    fields = json.loads(line)
    return {str(name): str(value) for name, value in fields.items()}


def revive(fields: dict[str, str]) -> JeosError | None:
    """Return the error that `describe` described."""
    if not fields:
        return None
    kind = getattr(errors, fields["kind"], MachineError)
    error: JeosError = kind(fields["message"], hint=fields["hint"])
    return error


class SilentSupervisorError(MachineError):
    """A supervisor does not answer: it has ended, ends just now, or hangs."""

    def __init__(self, who: str, *, why: str) -> None:
        super().__init__(f"the supervisor {who} did not answer: {why}", hint="`jeos ls` says whether it still runs")


class Line:
    """A connection to the supervisor behind `control`: one question, one answer. `who` it is, is for messages."""

    def __init__(self, connection: socket.socket, control: Path, *, who: str) -> None:
        """Reach the supervisor. Raises SilentSupervisorError."""
        self._socket, self._who = connection, who
        try:
            connection.connect(str(control))
        except OSError as error:
            raise self._silent(str(error)) from None

    def ask(self, fields: Mapping[str, object], *, patience: float) -> Mapping[str, object]:
        """Ask, and return what the supervisor answers within `patience` seconds.

        Raises the error that it answers with, or SilentSupervisorError if it does not answer.
        """
        answer = b""
        try:
            self._socket.settimeout(patience)
            self._socket.sendall(json.dumps(fields).encode() + b"\n")
            while not answer.endswith(b"\n"):
                data = self._socket.recv(LONGEST)
                if not data or len(answer) > LONGEST:
                    raise self._silent("it hung up")
                answer += data
        except OSError as error:
            raise self._silent(str(error)) from None
        found: dict[str, object] = json.loads(answer)
        failed = revive(parse(answer)) if "kind" in found else None
        if failed is not None:
            raise failed
        return found

    def _silent(self, why: str) -> SilentSupervisorError:
        return SilentSupervisorError(self._who, why=why)


def order(control: Path, fields: Mapping[str, object], *, patience: float) -> None:
    """Give a supervisor an order and wait up to `patience` seconds until it is done.

    Raises the error that it answers with, or SilentSupervisorError if it does not answer.
    """
    ask(control, fields, patience=patience)


def ask(control: Path, fields: Mapping[str, object], *, patience: float) -> Mapping[str, object]:
    """Give a supervisor an order and return what it answers within `patience` seconds.

    Raises the error that it answers with, or SilentSupervisorError if it does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience)
        return Line(connection, control, who=f"behind {control}").ask(fields, patience=patience)
