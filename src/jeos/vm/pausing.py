"""Whether a machine's processors run: pausing and resuming them, and noticing that QEMU paused them by itself.

    pausing = Pausing(qmp)
    await pausing.pause()       # pausing.reason == "paused"
    await pausing.resume()      # pausing.reason == ""

QEMU is the only one who knows, so it is asked after each change and each of its events; what an event says may be out
of date by the time that it is read. Source: QEMU, qapi/run-state.json (RunState).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, cast

from jeos.core.errors import MachineError

ORDERED = "paused"
# Why QEMU pauses a machine by itself, by its words for the state; `jeos resume` tries again.
REASONS: Mapping[str, str] = {
    "paused": ORDERED,
    "io-error": "a disk of the machine cannot be written on this host",
    "internal-error": "the host's virtualization failed",
    "watchdog": "the guest's watchdog expired",
}
CHANGES = ("STOP", "RESUME", "BLOCK_IO_ERROR")  # events after which QEMU is asked


Still = Callable[[], AbstractAsyncContextManager[None]]  # lets the processors stand still during a block


class Executes(Protocol):
    """What runs commands of QEMU's machine protocol."""

    async def execute(self, command: str, arguments: "dict[str, object] | None" = None) -> object:
        """Run a command and return its answer. Raises MachineError."""


@asynccontextmanager
async def standing_still(qmp: Executes) -> AsyncIterator[None]:
    """Let the guest's processors stand still during the block; QEMU finishes what they asked of the disks first."""
    status = cast(Mapping[str, object], await qmp.execute("query-status"))
    if not status.get("running"):
        yield
        return
    await qmp.execute("stop")
    try:
        yield
    finally:
        await qmp.execute("cont")


class Pausing:
    """The processors of one machine; `reason` tells why they stand still, and is "" while they run."""

    def __init__(self, qmp: Executes) -> None:
        self._qmp = qmp
        self._lock = asyncio.Lock()
        self.reason = ""

    async def pause(self) -> None:
        """Let the processors stand still; nothing happens if they do already. Raises MachineError."""
        await self._change("stop")

    async def resume(self) -> None:
        """Let the processors run on. Raises MachineError if they stand still all the same."""
        await self._change("cont")
        if self.reason:
            raise MachineError(
                f"the machine does not run on: {self.reason}", hint="mend that (`df` shows free room), then try again"
            )

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """Let the processors stand still during the block, in which nobody else pauses or resumes them."""
        async with self._lock, standing_still(self._qmp):
            yield

    async def look(self) -> None:
        """Find out whether the processors run."""
        async with self._lock:
            await self._look()

    async def _change(self, command: str) -> None:
        async with self._lock:
            await self._qmp.execute(command)
            await self._look()

    async def _look(self) -> None:
        found = await self._qmp.execute("query-status")
        assert isinstance(found, dict)
        state = str(found.get("status", ""))
        self.reason = "" if found.get("running") else REASONS.get(state, f"QEMU says {state!r}")
