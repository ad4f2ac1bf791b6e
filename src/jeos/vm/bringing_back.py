"""Bringing a machine back whose memory was kept in files, and letting its guest know before anybody can ask it.

    await bring_back(qmp, launched, places, machine=machine, start=start, serve=…)

QEMU reads what the devices held, and the processors run on. The agent is told what time it is and gets random numbers
of its own; a copy of a template also learns which machine it is in now. Until the agent has answered, only this module
knows the socket to it, and no port of this host leads inside. Source: QEMU, docs/devel/migration.rst.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from jeos.core.errors import JeosError, MachineError
from jeos.model.machine import Machine
from jeos.model.saved import Start
from jeos.vm import migration
from jeos.vm.command import mac_addresses
from jeos.vm.guest import Guest
from jeos.vm.launch import Launched
from jeos.vm.network import hostfwd
from jeos.vm.places import Places
from jeos.vm.qmp import Qmp

WAKE_SECONDS = 60.0  # that an agent may take to answer; 0.1 s on a host with nothing else to do
POLL_SECONDS = 0.001

Serve = Callable[[Path], None]  # starts the relay on a socket


async def bring_back(
    qmp: Qmp, launched: Launched, places: Places, *, machine: Machine, start: Start, serve: Serve
) -> None:
    """Bring a machine back and return when its guest knows all. Raises MachineError; then QEMU must end."""
    version = await qmp.version()
    if version != start.qemu:
        raise MachineError(
            f"the memory of {machine.name} was saved by QEMU {start.qemu}, and this one is {version}",
            hint="`jeos run` boots the machine from its disk; make templates anew: jeos template create",
        )
    await migration.load(qmp, launched.incoming, shared=bool(start.ram))
    place = places.waking if start.agent else places.guest
    serve(place)
    await qmp.execute("cont")
    if start.agent:
        while not place.exists():
            await asyncio.sleep(POLL_SECONDS)
        try:
            await asyncio.to_thread(_wake, place, machine, start)
        except JeosError as error:
            if not start.again:  # a copy must never be taken for the machine that it was made of
                raise MachineError(f"the guest did not become a machine of its own: {error.message}") from None
        place.rename(places.guest)
    for forward in launched.forwards_later:
        said = await qmp.execute("human-monitor-command", {"command-line": f"hostfwd_add net {hostfwd(forward)}"})
        if said:
            raise MachineError(f"the port {forward} cannot be opened: {str(said).strip()}", hint="take another port")


def _wake(place: Path, machine: Machine, start: Start) -> None:
    about: dict[str, object] = {}
    if not start.again:
        macs = dict(zip(start.old_macs, mac_addresses(machine), strict=True))
        about["identity"] = {"machine_id": machine.uuid.replace("-", ""), "macs": macs}
    with Guest(place, deadline=WAKE_SECONDS) as guest:
        guest.wake(deadline=WAKE_SECONDS, **about)
