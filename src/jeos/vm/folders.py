"""The shared folders of a machine, as its guest sees them: mounted each time that its agent comes up.

The machine is not shown as healthy before they are there: whoever waits for that may use them.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from jeos.model.machine import WITHOUT_FOLDER, Share, Status
from jeos.vm import asking, share

WAITING = "its folders of the host are being mounted"
NOT_YET = "does not exist"  # mount(8), of a kernel whose 9p is there and has not found its devices yet
TRIES, APART = 40, 0.25  # times that such a kernel is asked, and seconds between
UNKNOWN = "unknown filesystem type"  # mount(8), of a kernel that lacks one


class Folders:
    """The folders of one machine, of which `tell` shows what changed."""

    def __init__(
        self,
        shares: Sequence[Share],
        *,
        kind: str,
        place: Path,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        tell: Callable[[Status, str], None],
    ) -> None:
        self._shares, self._kind, self._place = shares, kind, place
        self._spawn, self._tell = spawn, tell
        self._said = (Status.RUNNING, "")  # how the guest is, of its own accord
        self._life = 0  # counts the guest's starts, so that what was asked of an earlier one does not count
        self._asked = False
        self._problem = WAITING

    def forget(self) -> None:
        """Note that the guest starts anew, and has nothing mounted."""
        self._life += 1
        self._asked, self._problem = False, WAITING

    def hold_back(self, status: Status, reason: str, *, agent: bool) -> tuple[Status, str]:
        """Return what is to be shown of a guest that says how it is; mount the folders once its agent is up."""
        self._said = status, reason
        if agent and not self._asked:
            self._asked = True
            self._spawn(self._mount(self._life))
        if status is Status.HEALTHY and self._problem:
            return Status.RUNNING, self._problem
        return status, reason

    async def _mount(self, life: int) -> None:
        problems = []
        for number, one in enumerate(self._shares):
            command = share.mounting(number, one, kind=self._kind)
            problem = await self._asked_until_there(command, life)
            if UNKNOWN in problem:
                problem = f"its kernel has no {self._kind}, and this host {share.ADVICE[self._kind]}"
            if problem:
                problems.append(f"{one.path} is not at {one.target}: {problem.splitlines()[0]}")
        if life == self._life:
            self._problem = WITHOUT_FOLDER + "; ".join(problems) if problems else ""
            status, reason = self._said
            self._tell(*((Status.RUNNING, self._problem) if self._problem else (status, reason)))

    async def _asked_until_there(self, command: list[str], life: int) -> str:
        """Return why the guest cannot mount a folder, "" if it has."""
        for _ in range(TRIES):
            problem = await asyncio.to_thread(asking.mount, self._place, command)
            if NOT_YET not in problem or life != self._life:
                break
            await asyncio.sleep(APART)
        return problem
