"""Making a machine that started from a backup independent of it.

QEMU fills the disks behind the running guest (`block-stream`): first what the guest asks for, the rest once the guest
is up. A machine that is stopped in between goes on where it was.
Source: QEMU, docs/interop/live-block-operations.rst, "block-stream".
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from jeos.core import log
from jeos.core.errors import MachineError
from jeos.vm.command import SUPPLY
from jeos.vm.nodes import NODE
from jeos.vm.pausing import Executes

JOB = "jeos-fill-"  # before the name of a disk
LOOK_SECONDS = 0.5  # between two looks at the jobs
SETTLED_SECONDS = 5.0  # without a read, of a guest that is well
QUIET_SECONDS = 15.0  # the same, of one at rest
BUSY_SECONDS = 60.0  # the same, of one that computes: emulated on a slow host, it may well be unpacking its kernel
REST = 0.5  # of a processor, that a guest at rest takes at most
RETRY_SECONDS = 30.0  # after a job that failed, because the backup could not be read


async def wait_until_quiet(qmp: Executes, *, processor: Callable[[], float], well: Callable[[], bool]) -> None:
    """Wait until the guest has read nothing from its disks for a while: it is up, or waits for something else.

    `processor` tells the processor seconds that it has taken until now, `well` whether it said that it is well.
    """
    loop = asyncio.get_running_loop()
    before, since, taken = -1, loop.time(), processor()
    while (quiet := loop.time() - since) < BUSY_SECONDS:
        if quiet >= SETTLED_SECONDS and well():
            return
        if quiet >= QUIET_SECONDS and processor() - taken <= REST * quiet:
            return
        await asyncio.sleep(LOOK_SECONDS)
        answer = cast(Sequence[Mapping[str, Mapping[str, int]]], await qmp.execute("query-blockstats"))
        read = sum(device["stats"]["rd_bytes"] for device in answer)
        if read != before:
            before, since, taken = read, loop.time(), processor()


async def fill(qmp: Executes) -> None:
    """Copy into the machine's disks what they still read from their supply, until they need none any more.

    What fails is tried again, as long as the machine runs: nothing else makes it independent. Raises MachineError
    when QEMU has gone.
    """
    while waiting := await _nodes(qmp):
        for node in waiting:
            with contextlib.suppress(MachineError):  # whether it helped shows below
                await qmp.execute("block-stream", {"job-id": JOB + node, "device": node, "on-error": "report"})
            await _wait_for(qmp, JOB + node)
        if await _nodes(qmp) == waiting:
            log.warn("the disks could not be filled from the backup yet; it is tried again")
            await asyncio.sleep(RETRY_SECONDS)


async def _nodes(qmp: Executes) -> list[str]:
    """Return the disks that have a supply below them; a supply that nobody reads any more is taken away."""
    found, supplies, used = [], [], set()
    answer = await qmp.execute("query-named-block-nodes", {"flat": True})
    for node in cast(Sequence[Mapping[str, object]], answer):
        name = str(node.get("node-name"))
        if name.endswith(SUPPLY) and NODE.fullmatch(name.removesuffix(SUPPLY)):
            supplies.append(name)
        elif NODE.fullmatch(name) and node.get("backing_file"):
            found.append(name)
            used.add(name + SUPPLY)
    for name in supplies:
        if name not in used:
            await qmp.execute("blockdev-del", {"node-name": name})
    return sorted(found)


async def _wait_for(qmp: Executes, job: str) -> None:
    """Wait until a job is over. Raises MachineError if another look cannot be had."""
    while True:
        jobs = cast(Sequence[Mapping[str, object]], await qmp.execute("query-jobs"))
        state = next((each for each in jobs if each.get("id") == job), None)
        if state is None:
            return
        await asyncio.sleep(LOOK_SECONDS)
