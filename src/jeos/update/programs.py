"""Run a program of the guest to its end, without `subprocess`, which is large.

status, words = run(["/usr/bin/systemctl", "list-units", "--failed"], seconds=30)
"""

import os
import select
import signal
import time
from collections.abc import Mapping, Sequence

LONGEST_WORDS = 16384  # bytes of what a program printed that are kept, the last ones


def run(
    argv: Sequence[str], *, seconds: float, environment: Mapping[str, str] | None = None, echo: bool = False
) -> tuple[int | None, str]:
    """Run a program, given by its path, in a session of its own; return its status and the end of what it printed.

    The status is negative for a signal, and None if the program did not end in time and was killed. With `echo`, what
    it prints goes to standard error too. Raises OSError if it cannot be started.
    """
    reading, writing = os.pipe()
    null = os.open("/dev/null", os.O_RDONLY)
    actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, writing, 1), (os.POSIX_SPAWN_DUP2, writing, 2)]
    try:
        pid = os.posix_spawn(argv[0], list(argv), environment or os.environ, file_actions=actions, setsid=True)
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
        os.close(null)
    handle = os.pidfd_open(pid)
    try:
        words, in_time = _follow(reading, handle, seconds=seconds, echo=echo)
        if not in_time:
            os.killpg(pid, signal.SIGKILL)
    finally:
        os.close(reading)
        os.close(handle)
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if in_time else None, words.decode(errors="replace")


def _follow(output: int, handle: int, *, seconds: float, echo: bool) -> tuple[bytes, bool]:
    """Collect what a program prints until it ends; return the end of that, and whether it ended in time."""
    deadline, words = time.monotonic() + seconds, b""
    poll = select.poll()
    poll.register(output, select.POLLIN)
    poll.register(handle, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        ready = dict(poll.poll(left * 1000))
        if output in ready:
            data = os.read(output, 4096)
            if echo:
                os.write(2, data)
            words = (words + data)[-LONGEST_WORDS:]
            if not data:
                poll.unregister(output)
        elif handle in ready:
            return words, True
    return words, False
