"""Stands between a program in a guest and this process: its standard streams, signals and terminal.

Reading stops where the program has no credit left for input, and credit for output is given after it was written here;
so neither side fills the other's memory.
"""

import contextlib
import os
import re
import select
import signal
from collections.abc import Iterator
from types import FrameType

from jeos.model.frames import CHUNK, STDOUT
from jeos.vm.attach import write_all
from jeos.vm.guest import Ended, Guest, Program, Terminal

STDIN_FILE, STDOUT_FILE, STDERR_FILE = 0, 1, 2
FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
WAKE_BYTES = 64  # signals read at once
LEAVE_KEY, LEAVE_TIMES = 0x1D, 3  # Ctrl-] three times in a row, as in machinectl: one alone belongs to editors
PRESSING = (signal.SIGINT, signal.SIGTERM)  # who sends one of these for the third time no longer waits for the guest
USUAL = Terminal(rows=24, columns=80)
LEFT = Ended(128 + signal.SIGHUP, "HUP")


def terminal_size() -> Terminal:
    """Return the size of the terminal on standard input, or on output; raises OSError if neither is one.

    A terminal that does not know its size, as those of `script` and of CI, is what LINES and COLUMNS say, or 24 by 80.
    """
    try:
        size = os.get_terminal_size(STDIN_FILE)
    except OSError:
        size = os.get_terminal_size(STDOUT_FILE)
    if size.lines and size.columns:
        return Terminal(rows=size.lines, columns=size.columns)
    return Terminal(rows=_said("LINES") or USUAL.rows, columns=_said("COLUMNS") or USUAL.columns)


def _said(variable: str) -> int:
    text = os.environ.get(variable, "")
    return int(text) if re.fullmatch("[0-9]{1,4}", text) else 0


def carry(guest: Guest, program: Program, *, terminal: bool) -> Ended:
    """Connect a program to this process's standard streams until it ends, and return how it did.

    Signals go to the program, and the third SIGINT or SIGTERM also ends this, whatever becomes of the program; on a
    `terminal`, a change of its size goes there too, and Ctrl-] three times hangs the program up.
    Raises MachineError if the program is lost, and BrokenPipeError if nobody takes its output any more.
    """
    with _signals() as waking:
        watched = {guest.fileno(), waking}
        input_open, leaving, pressed = True, 0, 0
        if terminal:  # its size may have changed since the program was started with it, before anybody listened
            _pass_signal(program, signal.SIGWINCH, terminal=True)
        while True:
            ended = program.take(_put)
            if ended is not None:
                return ended
            inputs = watched | ({STDIN_FILE} if input_open and program.may_write else set())
            ready, _, _ = select.select(inputs, [], [])
            if waking in ready:
                for number in os.read(waking, WAKE_BYTES):
                    _pass_signal(program, number, terminal=terminal)
                    pressed += number in PRESSING
                    if pressed == LEAVE_TIMES:
                        program.close()
                        return Ended(128 + number)
            if guest.fileno() in ready:
                guest.receive()
            if STDIN_FILE in ready:
                data = _read_input(program.may_write)
                leaving = _count_leave_keys(data, before=leaving) if terminal else 0
                if leaving >= LEAVE_TIMES:
                    program.close()
                    return LEFT
                input_open = _pass_input(program, data)


def _put(stream: int, data: bytes) -> None:
    write_all(STDOUT_FILE if stream == STDOUT else STDERR_FILE, data)


def _read_input(most: int) -> bytes:
    try:
        return os.read(STDIN_FILE, min(CHUNK, most))
    except OSError:  # a terminal whose other end has gone, or that we may not read in the background
        return b""


def _pass_input(program: Program, data: bytes) -> bool:
    """Send what was read, or the end of the input; tell whether there may be more."""
    if data:
        program.write(data)
    else:
        program.end_input()
    return bool(data)


def _count_leave_keys(data: bytes, *, before: int) -> int:
    """Return how many of the keys to leave with have been typed in a row, `before` of them earlier."""
    for key in data:
        before = before + 1 if key == LEAVE_KEY else 0
        if before >= LEAVE_TIMES:
            break
    return before


def _pass_signal(program: Program, number: int, *, terminal: bool) -> None:
    if number != signal.SIGWINCH:
        program.signal(number)
    elif terminal:
        with contextlib.suppress(OSError):
            program.resize(terminal_size())


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """Turn the signals to forward into bytes to read from the descriptor that is yielded."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before_wake = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _ignore) for number in (*FORWARDED, signal.SIGWINCH)}
    try:
        yield reading
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before_wake)
        os.close(reading)
        os.close(writing)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Stand in for a handler: the number alone matters, and goes through the descriptor."""
