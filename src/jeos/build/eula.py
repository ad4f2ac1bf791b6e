"""The licence that an operator agrees to before an appliance runs for the first time, as OVF's EulaSection asks for.

Each text is agreed to once: that is remembered by its SHA-256 in the state folder, so that a new version of an
appliance asks only if its licence has changed.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from jeos.build import outputs
from jeos.core import files, settings
from jeos.core.errors import InputError, UsageError
from jeos.model.machine import Machine

LONGEST = 1 << 20  # bytes; the longest licences are a tenth of it

Ask = Callable[[str], bool]


def place_of(machine: Machine) -> Path | None:
    """Return the file with the licence of a machine's image; None if it has none, or jeos did not build it."""
    built = outputs.find(Path(machine.image)) if machine.image else None
    return built.folder / built.image.eula if built and built.image.eula else None


def read(place: Path) -> str:
    """Return a licence's text. Raises InputError if it cannot be read, is too long, or is not UTF-8."""
    try:
        with place.open("rb") as file:
            data = file.read(LONGEST + 1)
    except OSError as error:
        raise InputError(
            f"the licence {place} cannot be read: {error.strerror}", hint="build the image again"
        ) from None
    if len(data) > LONGEST:
        raise InputError(f"the licence {place} is longer than {LONGEST >> 20} MiB", hint="licences are plain text")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: byte {error.start} is not UTF-8", hint="save the licence as UTF-8") from None


def settle(place: Path, *, accept: bool, ask: Ask | None) -> None:
    """See to it that the operator agrees to a licence, unless they did so before.

    `accept` stands for their word; else `ask` shows them the text. Raises UsageError if they do not agree, or if nobody
    can be asked.
    """
    text = read(place)
    mark = settings.state_dir() / "eulas" / hashlib.sha256(text.encode()).hexdigest()
    if mark.exists():
        return
    if not accept and ask is None:
        raise UsageError("this appliance has a licence to agree to", hint=f"read {place}, then add --accept-eula")
    if not accept and ask is not None and not ask(text):
        raise UsageError("without agreement to its licence, the appliance is not started", hint=f"it is in {place}")
    mark.parent.mkdir(parents=True, exist_ok=True)
    files.write(mark, f"{place}\n{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}\n")
