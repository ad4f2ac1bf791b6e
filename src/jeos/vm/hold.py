"""Holding the disks of a running machine as they were at one instant: an order that lasts as long as its connection.

    with held("web", mark="jeos-3f2a-91c0", since="jeos-3f2a-77b1") as hold:
        for exported in hold.disks:
            with Instant(hold.socket, exported) as disk: …
        hold.keep()                         # the point is complete: the next one may build on the mark

    {"order": "hold", "mark": …, "since": …, "freeze": true, "sizes": {"disk": …}}     →
                                    ←     {"disks": […], "taken": …, "consistency": "file-system", …}
    {"keep": true}                  →
                                    ←     {}

The supervisor, which has the only connection to QEMU, does the work (`serve`). If the connection ends before the word,
because whoever made the backup was killed, everything is taken back.
"""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from jeos.core.errors import JeosError, MachineError
from jeos.vm import orders
from jeos.vm.fleece import Exported, fleeced
from jeos.vm.guest import Guest
from jeos.vm.pausing import Executes, Still
from jeos.vm.places import Places, places_of

FROZEN_SECONDS = 15.0  # after which the guest thaws by itself
HOOKS_SECONDS = 120.0  # until the guest must have said that it is frozen; its hooks may take their time
THAW_SECONDS = 20.0  # that the answer to the thaw may take
READY_SECONDS = 300.0  # until the instant must be there: all of the above, on a slow host
KEPT_SECONDS = 120.0  # until all must have been taken down again
CRASH, FILE_SYSTEM = "crash", "file-system"  # what a point is consistent as


@dataclass(slots=True)
class Quiet:
    """How still the guest was: what the point is consistent as, and why it is no better."""

    place: Path
    wanted: bool
    agent: bool
    consistency: str = CRASH
    notice: str = ""
    taken: float = 0.0  # seconds since 1970

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        """Keep the guest's file systems frozen during the block, if there is an agent that can."""
        if not self.wanted or not self.agent:
            self.notice = "" if not self.wanted else "no agent of jeos answers in the guest"
            self.taken = time.time()
            yield
            return
        frozen = await asyncio.to_thread(self._freeze)
        self.taken = time.time()
        try:
            yield
        finally:
            held = await asyncio.to_thread(self._thaw)
            if frozen and held:
                self.consistency = FILE_SYSTEM
            elif frozen:
                self.notice = "the guest did not stay frozen until the end"

    def _freeze(self) -> bool:
        try:
            with Guest(self.place, deadline=THAW_SECONDS) as guest:
                guest.freeze(seconds=FROZEN_SECONDS, deadline=HOOKS_SECONDS)
        except (JeosError, OSError) as error:
            self.notice = f"the guest could not be frozen: {getattr(error, 'message', error)}"
            return False
        return True

    def _thaw(self) -> bool:
        """Thaw in any case: a guest whose answer was lost may be frozen. It thaws by itself if this is lost, too."""
        try:
            with Guest(self.place, deadline=THAW_SECONDS) as guest:
                return guest.thaw(deadline=THAW_SECONDS)
        except (JeosError, OSError):
            return False


async def serve(
    order: Mapping[str, object],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    qmp: Executes,
    places: Places,
    agent: bool,
    still: Still,
) -> None:
    """Do an order in the supervisor, until its connection ends. Raises MachineError if it cannot be done."""
    mark, since = str(order.get("mark", "")), str(order.get("since", ""))
    quiet = Quiet(places.guest, wanted=bool(order.get("freeze", True)), agent=agent)
    work = fleeced(
        qmp,
        folder=places.work,
        socket=places.backup,
        mark=mark,
        since=since,
        quiet=quiet,
        still=still,
        sizes={name: int(size) for name, size in dict(order.get("sizes", {})).items()},  # type: ignore[call-overload]
    )
    async with work as fleece:
        ready = {"disks": [asdict(disk) for disk in fleece.disks]}
        about = {"taken": quiet.taken, "still": fleece.still, "consistency": quiet.consistency, "notice": quiet.notice}
        _send(writer, {**ready, **about})
        word = await reader.readline()
        fleece.keep = bool(word) and json.loads(word).get("keep") is True
    if word:
        _send(writer, {})


def _send(writer: asyncio.StreamWriter, fields: Mapping[str, object]) -> None:
    writer.write((json.dumps(fields) + "\n").encode())


class Hold:
    """The disks of an instant, as long as the connection lives."""

    def __init__(self, places: Places, ready: Mapping[str, object], line: "orders.Line") -> None:
        disks = ready.get("disks")
        self.disks = tuple(Exported(**disk) for disk in disks) if isinstance(disks, list) else ()
        self.socket = places.backup
        taken, still = ready.get("taken"), ready.get("still")
        self.taken = float(taken) if isinstance(taken, int | float) else time.time()
        self.still = float(still) if isinstance(still, int | float) else 0.0  # seconds
        self.consistency = str(ready.get("consistency", CRASH))
        self.notice = str(ready.get("notice", ""))
        self._line = line
        self._over = False

    def keep(self) -> None:
        """Let the next point build on the mark, and return once all is taken down. Raises MachineError."""
        self._over = True
        self._line.ask({"keep": True}, patience=KEPT_SECONDS)

    def let_go(self) -> None:
        """Have everything taken back that was not kept, and return once it is; nothing happens the second time."""
        if not self._over:
            self._over = True
            with contextlib.suppress(MachineError):  # it stopped, and nothing is left to take back
                self._line.ask({"keep": False}, patience=KEPT_SECONDS)


@contextmanager
def held(
    name: str, *, mark: str, since: str = "", sizes: Mapping[str, int] | None = None, freeze: bool = True
) -> Iterator[Hold]:
    """Order a machine's supervisor to hold the disks as they are now, until the block ends.

    `since` is the mark of an earlier point, and `sizes` the bytes that the disks had then, by name.
    Raises MachineError if the machine does not run, or a backup of it is under way, or it cannot be done.
    """
    places = places_of(name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        line = orders.Line(connection, places.control, who=f"of {name}")
        order: dict[str, object] = {"order": "hold", "mark": mark, "since": since, "freeze": freeze}
        order["sizes"] = dict(sizes or {})
        hold = Hold(places, line.ask(order, patience=READY_SECONDS), line)
        try:
            yield hold
        finally:
            hold.let_go()
