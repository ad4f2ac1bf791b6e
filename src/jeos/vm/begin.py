"""Starting a machine: a supervisor of its own is started, and says how QEMU's start went."""

import os
import select
import sys
import time

from jeos.core.errors import MachineError
from jeos.core.run import spawn
from jeos.model.machine import State, parse_state
from jeos.model.saved import Start, start_text
from jeos.vm import orders
from jeos.vm.places import Places

SUPERVISOR = "jeos.vm.supervisor"
START_SECONDS = 60.0  # until QEMU answers; it takes 0.1 s on a host with nothing else to do


def begin(places: Places, descriptor: int, *, start: Start | None = None) -> State:
    """Start a machine's supervisor, hand it the claim, and wait until it says how that went; return the state then.

    With a `start`, the machine begins with a memory that was kept in files. Raises what the supervisor tells.
    """
    reading, writing = os.pipe()
    try:
        with places.supervisor_log.open("wb") as log:
            argv = [sys.executable, "-P", "-m", SUPERVISOR, places.name, str(descriptor), str(writing)]
            argv += [start_text(start)] if start else []
            process = spawn(argv, stdout=log, stderr=log, pass_fds=(descriptor, writing), survives=True)
    finally:
        os.close(writing)
    try:
        said = _read_line(reading)
    except BaseException:  # Ctrl-C, or it hangs: half a machine is no use
        process.kill()
        raise
    finally:
        os.close(reading)
    if not said:
        lines = places.supervisor_log.read_text(errors="replace").rstrip().splitlines()
        raise MachineError(
            f"the supervisor of {places.name} ended: {lines[-1] if lines else 'it said nothing'}",
            hint=f"see {places.supervisor_log}",
        )
    failed = orders.revive(orders.parse(said))
    if failed is not None:
        process.wait()
        raise failed
    return parse_state(places.state.read_text(), source=str(places.state))


def _read_line(descriptor: int) -> bytes:
    """Return what a pipe says until its end; raises MachineError after START_SECONDS."""
    said = b""
    deadline = time.monotonic() + START_SECONDS
    while not said.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise MachineError(f"QEMU did not start within {START_SECONDS:g} s", hint="is this host overloaded?")
        data = os.read(descriptor, orders.LONGEST)
        if not data:
            return b""
        said += data
    return said
