"""Progress and messages, on standard error; data alone goes to standard output.

    with log.step("unpack") as step:
        step.update("40 of 124 packages")
        step.done("124 packages, 3 new")

On a terminal the line of a running step is redrawn in place; elsewhere each step is one line at its end.
Colour is used on terminals that want it (`NO_COLOR` is respected) and never says anything alone.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum


class Level(IntEnum):
    """How much is said."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


_level = Level.NORMAL
_REDRAW_SECONDS = 0.1  # often enough to look alive, rare enough to cost nothing


def set_level(level: Level) -> None:
    """Choose how much is said from now on."""
    global _level
    _level = level


def terminal() -> bool:
    """Tell whether standard error is a terminal that can redraw a line."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def paint(text: str, *, code: str) -> str:
    """Return text in a colour (an SGR code such as "32"), where colour is wanted."""
    if not terminal() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def debug(message: str) -> None:
    """Say something that only `--verbose` wants to know."""
    if _level >= Level.VERBOSE:
        _write(f"{paint(message, code='2')}\n")


def info(message: str) -> None:
    """Say something worth a line."""
    if _level >= Level.NORMAL:
        _write(f"{message}\n")


def warn(message: str) -> None:
    """Say something that the user should look at."""
    _write(f"{paint('warning', code='33')}: {message}\n")


class Step:
    """One step of a longer work, with a line of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = time.monotonic()
        self.summary = ""
        self._drawn = 0.0

    def update(self, text: str) -> None:
        """Show how far the step is; cheap enough to call often."""
        now = time.monotonic()
        if _level < Level.NORMAL or not terminal() or now - self._drawn < _REDRAW_SECONDS:
            return
        self._drawn = now
        _write(f"\r\x1b[K  {self.name:<12} {text}")

    def done(self, summary: str) -> None:
        """Set the words that stand in the step's line at its end."""
        self.summary = summary

    def finish(self, *, failed: bool) -> None:
        """Print the step's last line."""
        if _level < Level.NORMAL:
            return
        clear = "\r\x1b[K" if terminal() else ""
        mark = paint("✗", code="31") if failed else paint("✓", code="32")
        seconds = time.monotonic() - self.started
        summary = "failed" if failed else self.summary
        taken = paint(f"{seconds:.1f} s", code="2")
        _write(f"{clear}{mark} {self.name:<12} {summary}{'  ' if summary else ''}{taken}\n")


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Show a step while it runs and one line when it ends."""
    current = Step(name)
    current.update("…")
    try:
        yield current
    except BaseException:
        current.finish(failed=True)
        raise
    current.finish(failed=False)
