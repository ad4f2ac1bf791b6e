"""The process that stands behind one running machine, from the start of its QEMU to the end.

    python -m jeos.vm.supervisor NAME CLAIM READY [START]       # descriptors; how it starts, see `model.saved`

It holds the machine's claim, owns QEMU's control and console sockets, runs the relay to the guest's agent and writes
the machine's state. If it is killed, the kernel kills QEMU with it, and the claim is free: whoever lists machines sees
what happened.
"""

import os
import sys
import time
from dataclasses import replace

from jeos.core import files, log
from jeos.core.errors import InputError, JeosError
from jeos.model.machine import Machine, State, Status, parse_machine, parse_state, state_text
from jeos.model.saved import Start, parse_start
from jeos.vm import confine, orders, without_tls
from jeos.vm.launch import Launched, launch
from jeos.vm.places import Places, places_of


def main(argv: list[str]) -> int:
    """Run one machine to its end."""
    name, claim, ready = argv[0], int(argv[1]), int(argv[2])
    start = parse_start(argv[3]) if len(argv) > 3 else Start()
    places = places_of(name)
    os.set_inheritable(claim, False)  # QEMU must not hold it
    os.set_inheritable(ready, False)
    state = State(status=Status.STARTING, since=time.time(), started=time.time(), supervisor=os.getpid())
    try:
        machine = parse_machine(places.machine.read_text(), source=str(places.machine))
        state = replace(state, version=last_version(places))
        write_state(places, state)
        if machine.engine:
            without_tls.leave_out()
            from jeos.vm.domains import supervise as libvirt  # for few

            return libvirt.supervise(machine, places, state=state, ready=ready, start=start)
        launched = launch(machine, places, start=start)
    except JeosError as error:
        write_state(places, state.become(Status.FAILED, reason=error.message, now=time.time()))
        orders.report(ready, error)
        return 0
    return supervise(machine, places, launched, state=state, ready=ready, start=start)


def last_version(places: Places) -> str:
    """Return the version that the machine ran when it was last seen, or ""."""
    try:
        return parse_state(places.state.read_text(), source=str(places.state)).version
    except (OSError, InputError, UnicodeDecodeError):
        return ""


def supervise(machine: Machine, places: Places, launched: Launched, *, state: State, ready: int, start: Start) -> int:
    """Stand behind a QEMU that was started until it ends, and leave no process or socket."""
    without_tls.leave_out()
    import asyncio  # after QEMU was started: loading it takes as long as QEMU does to set up the machine

    from jeos.vm.qemu_watch import QemuWatch

    state = replace(
        state,
        qemu=launched.process.pid,
        accelerator=launched.accelerator.kind,
        accelerator_reason=launched.accelerator.reason,
        network=launched.network.kind,
        forwards=launched.network.forwards,
        fences=launched.fences,
        fences_missing=launched.fences_missing,
        sharing=str(launched.sharing or ""),
        cid=launched.vsock.cid if launched.vsock else 0,
    )
    for fence in launched.fences_missing:
        if fence != confine.ROUTER:  # which is the network's nature, not something that the host lacks
            log.info(f"without a fence: {fence}")
    watch = QemuWatch(machine, places, launched, state=state, ready=ready, start=start)
    try:
        asyncio.run(watch.run())
    finally:
        for process in (launched.process, *launched.helpers):
            if process.poll() is None:
                process.kill()
            process.wait()
        if launched.passed is not None:
            launched.passed.give_back()
        if launched.group is not None:
            launched.group.remove()
        files.remove_tree(places.runtime)
        files.remove_tree(places.work)
    return 0


def write_state(places: Places, state: State) -> None:
    """Write the machine's state: all of it or nothing is seen."""
    files.write(places.state, state_text(state), durable=False)


if __name__ == "__main__":
    log.set_level(log.Level.NORMAL)
    sys.exit(main(sys.argv[1:]))
