"""What a supervisor asks of the agent in its guest; one that does not answer, or is older, is done without."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from jeos.core.errors import JeosError
from jeos.vm.guest import Guest

USAGE_SECONDS = 2.0  # that a guest may take to say how much went over its network
MOUNT_SECONDS = 60.0  # that a guest may take to mount a folder: it loads modules for the first
WAKE_SECONDS = 20.0  # that a guest may take to set its clock after it stood still


def power_off(place: Path, *, seconds: float) -> bool:
    """Ask the agent to power the guest off; False if none answers in time, and only the power button is left."""
    try:
        with Guest(place, deadline=seconds) as guest:
            guest.poweroff(deadline=seconds)
    except (JeosError, OSError):
        return False
    return True


def wake(place: Path) -> None:
    """Tell the guest what time it is."""
    with contextlib.suppress(JeosError, OSError), Guest(place, deadline=WAKE_SECONDS) as guest:
        guest.wake(deadline=WAKE_SECONDS)


def mount(place: Path, command: Sequence[str]) -> str:
    """Have a command mount a folder in the guest, and return why it did not, or "" if it did."""
    try:
        with Guest(place, deadline=MOUNT_SECONDS) as guest:
            ended = guest.exec(command, deadline=MOUNT_SECONDS)
    except (JeosError, OSError) as error:
        return str(getattr(error, "message", error))
    return "" if ended.status == 0 else ended.stderr.decode(errors="replace").strip() or f"status {ended.status}"


def traffic(place: Path) -> Mapping[str, object]:
    """Return the bytes that went over the guest's network, as far as it says."""
    with contextlib.suppress(JeosError, OSError), Guest(place, deadline=USAGE_SECONDS) as guest:
        found = guest.usage(deadline=USAGE_SECONDS)
        return {name: found[name] for name in ("received", "sent") if isinstance(found.get(name), int)}
    return {}
