"""Taking memory from a running guest and giving it back, by the balloon in it.

    held = await resize(qmp, 256, most=512, seconds=30.0)       # MiB; 270: it needs what is above that itself

The guest's driver fills the balloon with pages that the guest does without, and this host gets them. It takes its
time, and a guest that runs out of memory takes pages back, so what it holds in the end may be more than was asked for.
Source: QEMU, qapi/machine.json ("balloon", "query-balloon"); VIRTIO 1.2, section 5.5.
"""

import asyncio
from typing import cast

from jeos.core.errors import MachineError, UsageError
from jeos.model.machine import SMALLEST_MEMORY
from jeos.vm.pausing import Executes

LOOK_SECONDS = 0.1
PROGRESS_SECONDS = 3.0  # without a page after which the guest has given all that it can
MEBIBYTE = 1 << 20


async def resize(qmp: Executes, memory: int, *, most: int, seconds: float) -> int:
    """Have a guest that started with `most` MiB keep `memory` MiB, and return how many it holds after a while.

    It returns when that is reached, when nothing more comes, or after `seconds`. Raises UsageError for what cannot be
    reached while it runs, MachineError if the machine has no balloon or its guest does not know how to fill it.
    """
    check(memory, most=most)
    before = await _held(qmp)
    await qmp.execute("balloon", {"value": memory * MEBIBYTE})
    loop = asyncio.get_running_loop()
    began = moved = loop.time()
    held = before
    while held != memory * MEBIBYTE:
        await asyncio.sleep(LOOK_SECONDS)
        found = await _held(qmp)
        if found != held:
            held, moved = found, loop.time()
        if loop.time() - moved > PROGRESS_SECONDS or loop.time() - began > seconds:
            break
    if held == before != memory * MEBIBYTE:
        await qmp.execute("balloon", {"value": before})  # or it would come as a surprise, hours later
        raise MachineError(
            f"the guest has {held // MEBIBYTE} MiB as before: it gives none of it back",
            hint="it needs the virtio_balloon driver, and must be up; or it needs all of it itself",
        )
    return -(-held // MEBIBYTE)


def check(memory: int, *, most: int) -> None:
    """Raise UsageError if a running machine that started with `most` MiB cannot get to `memory` MiB."""
    check_enough(memory)
    if memory > most:
        raise UsageError(
            f"{memory} MiB are more than the {most} MiB that the machine started with",
            hint="stop it, resize its memory, then start it again",
        )


def check_enough(memory: int) -> None:
    """Raise UsageError if no guest starts with so few MiB."""
    if memory < SMALLEST_MEMORY:
        raise UsageError(f"{memory} MiB are too little for a guest", hint=f"at least {SMALLEST_MEMORY} MiB")


async def _held(qmp: Executes) -> int:
    """Return the bytes that the guest has, its balloon taken off."""
    try:
        return cast(dict[str, int], await qmp.execute("query-balloon"))["actual"]
    except MachineError as error:
        raise MachineError(
            "the machine has no balloon, so its memory stays as it is",
            hint="copies of templates have none; another machine can be resized once QEMU runs",
        ) from error
