"""Standing behind a machine whose QEMU libvirt started: what the supervisor does in place of starting one itself.

If the supervisor is killed, the domain runs on, unlike a QEMU of jeos: it is libvirt's. Whoever lists machines sees it,
and the next verb that needs a supervisor starts one, which takes the domain up.
"""

import asyncio
from dataclasses import replace

from jeos.core import files
from jeos.model.machine import Machine, State
from jeos.model.saved import Start
from jeos.vm import share
from jeos.vm.domains.launch import launch
from jeos.vm.domains.watch import DomainWatch
from jeos.vm.places import Places


def supervise(machine: Machine, places: Places, *, state: State, ready: int, start: Start) -> int:
    """Start a machine's domain, or take it up, and stand behind it until it ends; raises what its start raises."""
    launched = launch(machine, places, start=start)
    state = replace(
        state,
        qemu=launched.process.pid,
        accelerator=launched.accelerator.kind,
        accelerator_reason=launched.accelerator.reason,
        network=launched.network.kind,
        forwards=launched.network.forwards,
        sharing=str(launched.sharing or ""),
    )
    watch = DomainWatch(machine, places, launched, state=state, ready=ready, start=start)
    try:
        asyncio.run(watch.run())
    finally:
        if launched.process.poll() is None:
            launched.process.kill()
        for helper in launched.helpers:
            share.end(helper)
        files.remove_tree(places.runtime)
        files.remove_tree(places.work)
    return 0
