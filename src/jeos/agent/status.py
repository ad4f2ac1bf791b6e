"""What the agent knows about its guest: version, slot, uptime, addresses, health."""

import os

from jeos.agent.appliance import RUN, Appliance
from jeos.agent.health import Verdict, uptime
from jeos.agent.network import addresses

LICENCE = "/usr/share/jeos/EULA"
SLOTS = {"2": "A", "4": "B"}  # partition numbers of jeos.model.image's layout


def describe(appliance: Appliance, verdict: Verdict) -> dict[str, object]:
    """Return everything as one JSON object."""
    return {
        "name": appliance.name,
        "version": appliance.version,
        "vendor": appliance.vendor,
        "slot": slot(),
        "boot": boot_id(),
        "uptime": round(uptime(), 1),
        "health": verdict.state,
        "reasons": verdict.reasons,
        "properties": property_faults(),
        "addresses": addresses(),
        "ports": appliance.ports,
        **_updates(appliance),
        "licence": LICENCE if os.path.exists(LICENCE) else "",
    }


def _updates(appliance: Appliance) -> dict[str, object]:
    if not appliance.update:
        return {}
    from jeos.agent import update_status  # only in images that update themselves

    return {"update": update_status.describe(appliance.version)}


def boot_id() -> str:
    """Return the kernel's identity of this boot."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def slot() -> str:
    """Return "A" or "B", the slot that / was started from; "" if / is no slot.

    / is a dm-verity device, and the first partition below it is the system's.
    """
    device = os.stat("/").st_dev
    folder = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/slaves"
    try:
        for name in os.listdir(folder):
            with open(f"{folder}/{name}/partition") as file:
                found = SLOTS.get(file.read().strip())
            if found:
                return found
    except OSError:
        pass
    return ""


def property_faults(folder: str = RUN) -> list[str]:
    """Return what `jeos.agent.properties` found wrong at this boot."""
    try:
        with open(f"{folder}/properties.failed", encoding="utf-8") as file:
            return file.read().splitlines()
    except OSError:
        return []
