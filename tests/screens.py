"""A process on a terminal of its own, for tests: what it says can be waited for, keys typed, the size changed."""

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Mapping, Sequence

LONGEST = 60.0  # seconds that an end may take


class Screen:
    """A process on a terminal of its own; with no size, on one that says 0 rows and columns, as `script` makes."""

    def __init__(
        self, argv: Sequence[str], *, rows: int, columns: int, environment: Mapping[str, str] | None = None
    ) -> None:
        reading, writing = os.pipe()
        self.said = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.read(reading, 1)  # the size is set before anybody asks for it
            os.execvpe(argv[0], list(argv), dict(os.environ if environment is None else environment))
        self.resize(rows=rows, columns=columns)
        os.write(writing, b".")
        os.close(reading)
        os.close(writing)

    def resize(self, *, rows: int, columns: int) -> None:
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, text: bytes, *, patience: float) -> None:
        deadline = time.monotonic() + patience
        while text not in self.said:
            ready, _, _ = select.select([self.terminal], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, self.said
            try:
                self.said += os.read(self.terminal, 4096)
            except OSError:
                raise AssertionError(self.said) from None

    def type(self, text: bytes) -> None:
        os.write(self.terminal, text)

    def end(self, *, patience: float = LONGEST) -> int:
        """Return the exit status; whatever is still said is taken in."""
        deadline = time.monotonic() + patience
        while True:
            ready, _, _ = select.select([self.terminal], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, self.said
            try:
                data = os.read(self.terminal, 4096)
            except OSError:
                break
            if not data:
                break
            self.said += data
        _, status = os.waitpid(self.pid, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)
