"""How a machine is that no supervisor stands behind: libvirt knows, whatever was written down last."""

import time
from pathlib import Path

from jeos.core.errors import JeosError
from jeos.model.machine import ALIVE, Machine, State, Status
from jeos.vm.domains import domain
from jeos.vm.domains.domain import Power

ALONE = "no supervisor stands behind it: any verb that needs one starts one"
GONE = "its domain ended without a word, and its supervisor with it"
UNKNOWN = "libvirt does not say whether it runs"


def state_of(machine: Machine, written: State, *, folder: Path) -> State:
    """Return the state of a machine whose supervisor is gone, or never was, from what libvirt says and what is written.

    A user's libvirt that does not run is not started for a machine that was not left running: it has no domain then.
    """
    try:
        found = domain.truth(machine, folder=folder, autostart=written.status in ALIVE)
    except JeosError as error:
        if written.status not in ALIVE:
            return written
        return written.become(Status.FAILED, reason=f"{UNKNOWN}: {error.message}", now=written.since)
    if found.power is Power.RUNNING:
        return written.become(Status.RUNNING, reason=ALONE, now=time.time())
    if found.power is Power.PAUSED:
        return written.become(Status.PAUSED, reason=found.why, now=time.time())
    if written.status in ALIVE:
        return written.become(Status.FAILED, reason=GONE, now=written.since)
    return written
