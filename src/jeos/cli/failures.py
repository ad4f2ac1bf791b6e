"""What verbs do with errors: print them, and go on with the rest where several things were asked for."""

import sys
from collections.abc import Callable, Iterable

from jeos.core import log
from jeos.core.errors import JeosError
from jeos.core.terminal import plain


def report(error: JeosError) -> None:
    """Print an error and its hint; nothing in them, such as words of a guest, is obeyed by a terminal."""
    sys.stderr.write(f"{log.paint('error', code='31')}: {plain(error.message)}\n")
    if error.hint:
        sys.stderr.write(f"hint: {plain(error.hint)}\n")


def for_each(names: Iterable[str], act: Callable[[str], None]) -> int:
    """Do something to each of some names, once; report the errors on the way.

    Returns 0, or the exit status of the first error.
    """
    status = 0
    for name in dict.fromkeys(names):
        try:
            act(name)
        except JeosError as error:
            report(error)
            status = status or error.exit_code
    return status
