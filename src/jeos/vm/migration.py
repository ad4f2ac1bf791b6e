"""Writing what a machine's memory and devices hold to a file, and reading it again, by QEMU's way to move machines.

    await save(qmp, file.fileno(), shared=False)        # the machine stands still
    await load(qmp, "fd:7", shared=False)               # QEMU was started with -incoming defer

With `shared`, a memory that is a file itself is left where it is. Source: QEMU, docs/devel/migration.rst and
qapi/migration.json.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import cast

from jeos.core.errors import MachineError
from jeos.vm.qmp import Qmp

FASTEST = 1 << 50  # bytes a second; QEMU would keep to 128 MiB, for the sake of networks
LONGEST = 3600.0  # seconds
POLL_SECONDS = 0.005
NAME = "jeos-memory"  # of the file, as QEMU is told it
ENDED = ("failed", "cancelled")


async def save(qmp: Qmp, descriptor: int, *, shared: bool) -> None:
    """Write the state of a machine that stands still to an open file. Raises MachineError, with QEMU's reason."""
    await _prepare(qmp, shared=shared)
    try:
        await qmp.pass_file(descriptor, NAME)
        await qmp.execute("migrate", {"uri": f"fd:{NAME}"})
        await _completed(qmp)
    except MachineError as error:
        raise MachineError(f"the machine's memory cannot be saved: {_reason(error)}", hint=error.hint) from None


async def load(qmp: Qmp, address: str, *, shared: bool) -> None:
    """Read the state of a machine from where it was written to. Raises MachineError, with QEMU's reason."""
    await _prepare(qmp, shared=shared)
    await qmp.execute("migrate-incoming", {"uri": address})
    await _completed(qmp)


async def _prepare(qmp: Qmp, *, shared: bool) -> None:
    capability = {"capability": "x-ignore-shared", "state": shared}
    await qmp.execute("migrate-set-capabilities", {"capabilities": [capability]})
    await qmp.execute("migrate-set-parameters", {"max-bandwidth": FASTEST})


async def _completed(qmp: Qmp) -> None:
    until = time.monotonic() + LONGEST
    while True:
        found = cast(Mapping[str, object], await qmp.execute("query-migrate"))
        status = found.get("status")
        if status == "completed":
            return
        if status in ENDED or time.monotonic() > until:
            reasons = found.get("blocked-reasons")
            why = "; ".join(map(str, reasons)) if isinstance(reasons, list) else found.get("error-desc", status)
            raise MachineError(f"QEMU says: {why}")
        await asyncio.sleep(POLL_SECONDS)


def _reason(error: MachineError) -> str:
    return error.message.removeprefix("QEMU did not do migrate: ")
