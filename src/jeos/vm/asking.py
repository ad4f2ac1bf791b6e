"""What a supervisor asks of the agent in its guest; one that does not answer, or is older, is done without."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from jeos.core.errors import JeosError
from jeos.vm.guest import Guest

USAGE_SECONDS = 2.0  # that a guest may take to say how much went over its network
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


def traffic(place: Path) -> Mapping[str, object]:
    """Return the bytes that went over the guest's network, as far as it says."""
    with contextlib.suppress(JeosError, OSError), Guest(place, deadline=USAGE_SECONDS) as guest:
        found = guest.usage(deadline=USAGE_SECONDS)
        return {name: found[name] for name in ("received", "sent") if isinstance(found.get(name), int)}
    return {}
