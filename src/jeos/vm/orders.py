"""What the command line and a machine's supervisor say to each other: one JSON object a line.

The supervisor reports once, on a pipe that it inherits, whether the machine started; later it takes orders on the
machine's control socket: {"order": "stop", "within": 30} is answered when the machine has stopped.
"""

import json
import os
import socket
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


def order(control: Path, fields: dict[str, object], *, patience: float) -> None:
    """Give a supervisor an order and wait up to `patience` seconds until it is done.

    Raises the error that it answers with, or MachineError if it does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience)
        try:
            connection.connect(str(control))
            connection.sendall((json.dumps(fields) + "\n").encode())
            answer = connection.makefile("rb").readline(LONGEST)
        except (OSError, TimeoutError) as error:
            raise _silence(control, str(error)) from None
    if not answer.endswith(b"\n"):
        raise _silence(control, "it hung up")
    failed = revive(parse(answer))
    if failed is not None:
        raise failed


def _silence(control: Path, why: str) -> MachineError:
    return MachineError(
        f"the supervisor behind {control} did not answer: {why}", hint="`jeos ls` says whether it still runs"
    )
