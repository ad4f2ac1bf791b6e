"""Standing behind a running machine: its events, console, guest channel and the orders of the command line.

All of it is one loop. It ends when QEMU ends, whoever ended it, and writes down what happened. What depends on who
started QEMU is in subclasses: `qemu_watch` for jeos itself, `domains.watch` for libvirt.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jeos.core import files, log
from jeos.core.errors import JeosError, MachineError, UsageError
from jeos.model.machine import Channel, Machine, State, Status, state_text
from jeos.model.saved import DEFAULT, Start
from jeos.vm import asking, balloon, orders, pausing, relay, usage
from jeos.vm.pausing import Executes, Pausing
from jeos.vm.places import Places
from jeos.vm.qmp import Event

if TYPE_CHECKING:
    from jeos.vm.share import Way
    from jeos.vm.vsock import Vsock

QUIT_SECONDS = 5.0  # QEMU needs a moment to flush its disks
HOST_SHUTDOWN_SECONDS = 60.0  # how long a guest may take when the host ends (SIGTERM)
AGENT_SECONDS = 5.0  # that an agent may take to say that it heard
SAVE_SECONDS = 0.2  # between two writings of the state, since a guest may change its mind without end
RETRY_SECONDS = 5.0  # until a state that the disk had no room for is written again
REPEAT_SECONDS = 2.0  # a button pressed before the guest listens is not remembered: press again


class Process(Protocol):
    """What is watched: a QEMU, or what stands for it."""

    def poll(self) -> int | None: ...  # noqa: D102
    def kill(self) -> None: ...  # noqa: D102
    def wait(self) -> int: ...  # noqa: D102


class Monitor(Executes, Protocol):
    """What a machine is spoken with."""

    def events(self) -> AsyncIterator[Event]: ...  # noqa: D102
    async def powerdown(self) -> None: ...  # noqa: D102
    async def quit(self) -> None: ...  # noqa: D102
    async def close(self) -> None: ...  # noqa: D102


class Watch(ABC):
    """One run of one machine, after QEMU was started."""

    def __init__(
        self,
        machine: Machine,
        places: Places,
        process: Process,
        *,
        state: State,
        ready: int,
        start: Start,
        sharing: "Way | None" = None,
        vsock: "Vsock | None" = None,
    ) -> None:
        self._machine = machine
        self._places = places
        self._process = process
        self._vsock = vsock
        self._state = state
        self._ready: int | None = ready
        self._start = start
        self._hidden = bool(start.devices)  # whether nobody may know yet how the guest is
        self._qmp: Monitor | None = None
        self._pausing: Pausing | None = None
        self._told = (Status.RUNNING, "")  # how the guest is as far as it said, also while it stands still
        self._ended = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._agent = False  # whether the guest's agent answers
        self._saved = 0.0  # when the state was last written, by the loop's clock
        self._saving: asyncio.TimerHandle | None = None
        self._asked = ""  # why we end QEMU ourselves
        self._said = ""  # why QEMU says that it ends
        self._orders: list[asyncio.StreamWriter] = []  # who waits for the end
        self._held = ""  # what is under way that nothing else may be beside: a backup, a save
        self._failure: MachineError | None = None  # why a machine could not be brought back
        self._healthy = asyncio.Event()
        self._folders = None
        if sharing is not None:
            from jeos.vm.folders import Folders  # for few

            self._folders = Folders(
                machine.shares,
                kind=sharing.kind,
                place=places.guest,
                spawn=self._spawn,
                tell=self._folders_changed,
            )

    async def run(self) -> None:
        """Watch until QEMU ends, then write the machine's last state."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._host_ends)
        console_task = asyncio.ensure_future(self._serve_console())
        try:
            with self._noticing_the_end():
                await self._begin()
                await self._ended.wait()
        finally:
            with contextlib.suppress(asyncio.TimeoutError, asyncio.CancelledError, OSError):
                await asyncio.wait_for(console_task, timeout=QUIT_SECONDS)
            await self._finish()

    # What subclasses know.

    @abstractmethod
    def _noticing_the_end(self) -> AbstractContextManager[None]:
        """Notice during the block when QEMU ends."""

    @abstractmethod
    async def _greet(self) -> Monitor:
        """Return what QEMU is spoken with. Raises MachineError if it has ended instead."""

    @abstractmethod
    async def _serve_console(self) -> None:
        """Serve the console until the machine's end of it closes."""

    @abstractmethod
    async def _go_on(self) -> bool:
        """Let a machine go on where it was saved, and tell whether it does; one that cannot is ended."""

    @abstractmethod
    async def _save_as(self, name: str, *, into: str, stop: bool, writer: asyncio.StreamWriter) -> None:
        """Save the machine, as a state of its own or (`into` a folder) as a template. Raises MachineError."""

    @abstractmethod
    async def _hold(
        self, order: Mapping[str, object], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Hold the disks of this instant for whoever ordered it, until it is done or has gone; one at a time."""

    @abstractmethod
    async def _drop(self, tag: str) -> None:
        """Delete what was saved under a tag. Raises MachineError."""

    @abstractmethod
    def _end_error(self, status: int) -> MachineError:
        """Return the error for a QEMU that ended by itself, with a status other than 0, or while it was starting."""

    # What all have in common.

    async def _begin(self) -> None:
        """Greet QEMU, start everything that serves the machine, and report that it runs."""
        try:
            self._qmp = await self._greet()
        except MachineError:  # QEMU says why on its standard error, and ends
            await asyncio.wait_for(self._ended.wait(), timeout=QUIT_SECONDS)
            return
        server = await asyncio.start_unix_server(self._take_order, self._places.control)
        self._spawn(server.serve_forever())
        self._spawn(self._follow(self._qmp))
        self._state = replace(self._state, boots=1)
        self._pausing = Pausing(self._qmp)
        if not self._start.devices:
            self._serve_guest(self._places.guest)
        elif not await self._go_on():
            return
        self._hidden = False
        self._show()
        self._report(None)

    def _serve_guest(self, place: Path) -> None:
        """Let clients of a socket talk to the guest's agent."""
        says, on_way = self._agent_says, self._reached
        self._spawn(relay.serve(self._places.port, place, on_event=says, on_way=on_way, vsock=self._vsock))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._lost)

    def _lost(self, task: "asyncio.Task[None]") -> None:
        """Note when a part fails: the machine runs on, and `jeos logs --supervisor` tells."""
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and not self._ended.is_set():
            log.warn(f"{task.get_coro()} failed: {task.exception()!r}")

    async def _follow(self, qmp: Monitor) -> None:
        async for event in qmp.events():
            self._qemu_says(event)

    def _qemu_says(self, event: Event) -> None:
        if event.name == "RESET" and event.by_guest:
            self._state = replace(self._state, boots=self._state.boots + 1)
            if self._folders is not None:
                self._folders.forget()
            self._tell(Status.RUNNING)
        elif event.name == "GUEST_PANICKED":
            self._tell(Status.RUNNING, reason="the guest's kernel panicked")
        elif event.name in pausing.CHANGES:
            self._spawn(self._look())
        elif event.name == "SHUTDOWN":
            self._said = "the guest powered itself off" if event.by_guest else ""

    def _agent_says(self, event: Mapping[str, object]) -> None:
        if event.get("event") != "state" or self._ended.is_set():
            return
        self._agent = event.get("state") != "absent"
        reasons = event.get("reasons")
        reason = "; ".join(str(each) for each in reasons) if isinstance(reasons, list) else ""
        status = Status.HEALTHY if event.get("state") == "healthy" else Status.RUNNING
        if self._folders is not None:
            status, reason = self._folders.hold_back(status, reason, agent=self._agent)
        if status is Status.HEALTHY:
            self._healthy.set()
        version = str(event.get("version") or self._state.version)
        if (status, reason, version) != (self._state.status, self._state.reason, self._state.version):
            self._state = replace(self._state, version=version)
            self._tell(status, reason=reason)

    def _reached(self, way: Channel) -> None:
        """Note on which way the agent was heard."""
        self._state = replace(self._state, channel=way)
        self._show()

    def _tell(self, status: Status, *, reason: str = "") -> None:
        """Note how the guest is, and show it unless the machine stands still."""
        self._told = status, reason
        self._show()

    def _show(self) -> None:
        if self._hidden:
            return
        standing = self._pausing.reason if self._pausing is not None else ""
        status, reason = (Status.PAUSED, standing) if standing else self._told
        self._become(status, reason=reason)

    async def _look(self) -> None:
        """Find out whether the machine stands still, after QEMU said that this changed."""
        if self._pausing is not None and not self._asked:
            with contextlib.suppress(MachineError):  # it has just ended
                before = self._pausing.reason
                await self._pausing.look()
                if self._pausing.reason != before:
                    self._show()

    def _folders_changed(self, status: Status, reason: str) -> None:
        """Show how the machine is now that its folders are there, or why they are not."""
        if not self._ended.is_set():
            self._tell(status, reason=reason)

    async def _pause(self) -> Mapping[str, object]:
        pausing = self._running()
        await pausing.pause()
        self._show()
        self._save()  # at once: whoever ordered it looks
        return {}

    async def _resume(self) -> Mapping[str, object]:
        """Let the machine run on, with the clock right: the guest did not notice that time went by."""
        pausing = self._running()
        stood = bool(pausing.reason)
        try:
            await pausing.resume()
        finally:
            self._show()
            self._save()
        if stood and self._agent:
            await asyncio.to_thread(asking.wake, self._places.guest)
        return {}

    async def _usage(self) -> Mapping[str, object]:
        """Return what QEMU and the guest count: bytes."""
        standing = self._running().reason
        assert self._qmp is not None
        blocks = usage.block_bytes(await self._qmp.execute("query-blockstats"))
        network = await asyncio.to_thread(asking.traffic, self._places.guest) if self._agent and not standing else {}
        return {**blocks, **network}

    async def _resize(self, order: Mapping[str, Any]) -> Mapping[str, object]:
        """Have the guest keep so much memory, and return how much it holds (MiB)."""
        pausing = self._running()
        if pausing.reason:
            raise MachineError(f"the guest stands still: {pausing.reason}", hint=f"jeos resume {self._machine.name}")
        assert self._qmp is not None
        memory, within = int(order["memory"]), float(order["within"])
        return {"memory": await balloon.resize(self._qmp, memory, most=self._machine.memory, seconds=within)}

    def _running(self) -> Pausing:
        if self._pausing is None or self._ended.is_set():
            raise MachineError(f"the machine {self._machine.name} ends", hint="see jeos ls")
        if self._hidden:
            raise self._busy()
        return self._pausing

    async def _take_order(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            order = json.loads(await reader.readline())
            short: dict[str, Callable[[], Coroutine[Any, Any, Mapping[str, object]]]] = {
                "pause": self._pause,
                "resume": self._resume,
                "usage": self._usage,
                "resize-memory": partial(self._resize, order),
                "forget": partial(self._forget, order),
            }
            if order.get("order") in short:
                await self._answer(writer, short[order["order"]]())
                return
            if order.get("order") == "save":
                await self._keep(order, writer)
                return
            if order.get("order") == "hold":
                await self._hold(order, reader, writer)
                return
            if order.get("order") != "stop":
                raise UsageError(f"there is no order {order.get('order')!r}")
            self._orders.append(writer)
            await self._stop(within=float(order["within"]), why="stopped")
        except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
            answer(writer, UsageError(f"not an order: {error}"))
        except JeosError as error:
            answer(writer, error)

    async def _answer(self, writer: asyncio.StreamWriter, work: Coroutine[Any, Any, Mapping[str, object]]) -> None:
        """Answer an order with what its work found, or why it failed."""
        try:
            say(writer, await work)
        except JeosError as error:
            answer(writer, error)

    async def _keep(self, order: Mapping[str, object], writer: asyncio.StreamWriter) -> None:
        """Save the machine, one at a time, and answer when it is done."""
        into, name, stop = str(order.get("into", "")), str(order.get("name", DEFAULT)), bool(order.get("stop"))
        self._running()
        if self._held:
            raise self._busy()
        self._check_keepable()
        self._held = "save"
        try:
            await self._save_as(name, into=into, stop=stop, writer=writer)
        except MachineError:
            if not self._ended.is_set():
                raise
        finally:
            self._held = ""
        if not stop:
            answer(writer, None)

    def _check_keepable(self) -> None:
        """Raise MachineError if something belongs to the machine whose state nobody can keep."""
        name = self._machine.name
        if self._machine.shares:
            raise MachineError(
                "the machine sees folders of this host, whose state cannot be kept with its own",
                hint=f"start it without them: jeos run {name} --share none",
            )
        if self._machine.devices:
            raise MachineError(
                "the machine has devices of this host, whose state cannot be kept with its own",
                hint=f"start it without them: jeos run {name} --device none",
            )
        if self._machine.supply:
            raise MachineError("the machine's disks are not complete yet", hint="wait until they came from the backup")

    async def _forget(self, order: Mapping[str, object]) -> Mapping[str, object]:
        self._running()
        if self._held:
            raise self._busy()
        await self._drop(str(order.get("tag")))
        return {}

    def _busy(self) -> MachineError:
        what, name = self._held or "start", self._machine.name
        return MachineError(f"a {what} of {name} is under way already", hint="wait for it to end, then try again")

    def _host_ends(self) -> None:
        self._spawn(self._stop(within=HOST_SHUTDOWN_SECONDS, why="stopped with the host"))

    async def _stop(self, *, within: float, why: str) -> None:
        """Ask the guest to power off, and after `within` seconds end QEMU without asking."""
        self._asked = why
        deadline = time.monotonic() + within
        if within > 0 and self._pausing is not None:  # a guest that stands still cannot power off
            with contextlib.suppress(JeosError):
                await self._pausing.resume()
        agent_heard = (
            self._agent
            and within > 0
            and await asyncio.to_thread(asking.power_off, self._places.guest, seconds=min(within, AGENT_SECONDS))
        )
        while not self._ended.is_set() and (left := deadline - time.monotonic()) > 0:
            if not agent_heard and self._qmp is not None:
                with contextlib.suppress(JeosError):  # QEMU ends while we ask
                    await self._qmp.powerdown()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ended.wait(), timeout=left if agent_heard else min(left, REPEAT_SECONDS))
        if self._ended.is_set():
            return
        self._asked = f"{why} without the guest, which did not power off within {within:g} s" if within else why
        with contextlib.suppress(JeosError, asyncio.TimeoutError):
            if self._qmp is not None:
                await asyncio.wait_for(self._qmp.quit(), timeout=QUIT_SECONDS)
            await asyncio.wait_for(self._ended.wait(), timeout=QUIT_SECONDS)
        if not self._ended.is_set():
            self._process.kill()

    async def _finish(self) -> None:
        """Write the last state, answer whoever waits for it, and end all that serves the machine."""
        if self._process.poll() is None:
            self._process.kill()
        status = self._process.wait()
        failure: MachineError | None = None
        if self._asked:
            self._become(Status.STOPPED, reason=self._asked)
        elif status == 0 and self._state.status is not Status.STARTING:
            self._become(Status.STOPPED, reason=self._said)
        else:
            failure = self._failure or self._end_error(status)
            self._become(Status.FAILED, reason=failure.message)
        self._save(last=True)
        for writer in self._orders:
            answer(writer, None)
        self._report(failure)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._qmp is not None:
            await self._qmp.close()

    def _report(self, error: JeosError | None) -> None:
        """Tell who started the machine how that went, once."""
        if self._ready is not None:
            orders.report(self._ready, error)
            os.close(self._ready)
            self._ready = None

    def _become(self, status: Status, *, reason: str = "") -> None:
        self._state = self._state.become(status, reason=reason, now=time.time())
        if self._saving is None:
            wait = self._saved + SAVE_SECONDS - asyncio.get_running_loop().time()
            if wait <= 0:
                self._save()
            else:
                self._save_later(wait)

    def _save_later(self, seconds: float) -> None:
        self._saving = asyncio.get_running_loop().call_later(seconds, self._save)

    def _save(self, *, last: bool = False) -> None:
        """Write the state; where there is no room for it, the machine runs on, and it is tried again."""
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        self._saved = asyncio.get_running_loop().time()
        try:
            files.write(self._places.state, state_text(self._state), durable=False)
        except (JeosError, OSError):
            if not last:
                self._save_later(RETRY_SECONDS)


def answer(writer: asyncio.StreamWriter, error: JeosError | None) -> None:
    """Answer an order and hang up."""
    say(writer, orders.describe(error))


def say(writer: asyncio.StreamWriter, fields: Mapping[str, object]) -> None:
    """Answer an order with fields and hang up."""
    writer.write((json.dumps(fields) + "\n").encode())
    writer.close()
