"""Making, starting, listing, stopping and removing the machines of this host.

state = session.run(machine, values={"title": "Hello"})
[seen.state.status for seen in session.all_seen()]
session.stop("web", within=30)
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from jeos.core import files
from jeos.core.errors import InputError, JeosError, MachineError
from jeos.model.machine import (
    ALIVE,
    NAME_PATTERN,
    Boot,
    Machine,
    State,
    Status,
    check_name,
    machine_text,
    parse_machine,
    parse_state,
)
from jeos.model.saved import Start
from jeos.vm import disks, firmware, orders
from jeos.vm import memory as memories
from jeos.vm.begin import SUPERVISOR, begin
from jeos.vm.memory import Memory
from jeos.vm.places import Places, claim, claimed, machines_dir, places_of, unknown

STOP_SECONDS = 30.0  # that a guest has to power off
LAST_MOMENTS = 15.0  # seconds that a supervisor may take to end QEMU and itself after that
ORDER_SECONDS = 60.0  # until a short order is done; the guest may have a part in it
POLL_SECONDS = 0.01
CRASHED = "its supervisor ended without a word, and its QEMU with it"
DAMAGED = "what was written of its state cannot be read"


@dataclass(frozen=True, slots=True)
class Seen:
    """A machine as it is now; `memory` is what it keeps of this host's memory."""

    machine: Machine
    state: State
    memory: Memory = field(default_factory=Memory)


def run(
    machine: Machine,
    *,
    values: Mapping[str, str] | None = None,
    fresh: bool = False,
    nvram: bytes = b"",
    start: Start | None = None,
) -> State:
    """Start a machine, making it if there is none of its name, and return its state once QEMU runs.

    `values` are the properties, by name; None keeps those that the machine has. A machine that there is keeps its
    disk, unless `fresh` gives it an empty one. A new one gets the firmware variables `nvram`, if they fit its firmware.
    With a `start` it begins with a memory that was kept in files.
    Raises MachineError if it runs already or does not start; then a machine that is new is removed again.
    """
    places = places_of(check_name(machine.name))
    if machine.engine:
        from jeos.vm.domains.check import check  # for few

        check(machine, start)
    descriptor = claim(places, create=True)
    new = not places.machine.exists()
    try:
        if not new:
            leave_engine(places, machine)
        if fresh:
            files.remove_tree(places.saved)  # its disk states go with the disk
        if fresh or new:
            disks.create(machine, places, nvram=_nvram(machine))
            if nvram and places.nvram.exists() and places.nvram.stat().st_size == len(nvram):
                files.write(places.nvram, nvram, mode=0o600)
        else:
            before = parse_machine(places.machine.read_text(), source=str(places.machine))
            disks.keep(machine, places, before=before, nvram=_nvram(machine))
        _write(machine, places, values=values)
        return begin(places, descriptor, start=start)
    except BaseException:
        if new:
            _forget_domain(machine, places)
            _delete(places)
        raise
    finally:
        os.close(descriptor)


def existing(name: str) -> Machine | None:
    """Return the machine of that name, or None if there is none."""
    if not NAME_PATTERN.fullmatch(name):
        return None
    try:
        return seen(name).machine
    except MachineError:
        return None


def values(machine: Machine) -> dict[str, str]:
    """Return the values of the properties that a machine was given."""
    folder = places_of(machine.name).credentials
    return {name: (folder / name).read_text() for name in machine.properties}


def seen(name: str) -> Seen:
    """Return a machine as it is now; raises MachineError if there is none of that name."""
    places = places_of(check_name(name))
    try:
        machine = parse_machine(places.machine.read_text(), source=str(places.machine))
    except FileNotFoundError:
        raise unknown(name) from None
    state = _state(places)
    return Seen(machine, state, memory=_memory(machine, state) if state.status in ALIVE else Memory())


def _memory(machine: Machine, state: State) -> Memory:
    return memories.of_machine(qemu=state.qemu, guest_bytes=machine.memory << 20, supervisor=state.supervisor)


def state(name: str) -> State:
    """Return how a machine is now, at less cost than `seen`; raises MachineError if there is none of that name."""
    places = places_of(check_name(name))
    if not places.machine.exists():
        raise unknown(name)
    return _state(places)


def require_alive(name: str) -> State:
    """Return the state of a machine that runs, with a supervisor behind it; raises MachineError if it does not run."""
    found = _supervised(places_of(check_name(name)), state(name))
    if found.status not in ALIVE:
        reason = f": {found.reason}" if found.reason else ""
        raise MachineError(f"the machine {name} is {found.status}{reason}", hint=f"jeos run {name} starts it")
    return found


def require_running(name: str) -> State:
    """Return the state of a machine whose processors run; raises MachineError if they do not."""
    found = require_alive(name)
    if found.status is Status.PAUSED:
        raise MachineError(f"the machine {name} stands still: {found.reason}", hint=f"jeos resume {name}")
    return found


def all_seen() -> list[Seen]:
    """Return all machines as they are now, by name; one that is just being made or removed is left out."""
    folder = machines_dir()
    names = (
        sorted(path.name for path in folder.iterdir() if NAME_PATTERN.fullmatch(path.name)) if folder.is_dir() else []
    )
    result = []
    for name in names:
        try:
            result.append(seen(name))
        except MachineError:
            continue
        except InputError as error:  # one that is damaged must not hide the others
            result.append(Seen(Machine(name=name, disk=""), State(status=Status.FAILED, reason=error.message)))
    return result


def stop(name: str, *, within: float = STOP_SECONDS) -> State:
    """Ask a machine to power off, end it after `within` seconds (0: at once), and return its last state.

    Nothing happens to a machine that does not run. Raises MachineError if there is none, or it does not end.
    """
    places = places_of(name)
    failed = MachineError(f"the supervisor of {name} does not end", hint=f"see {places.supervisor_log}")
    if _supervised(places, state(name)).status in ALIVE:
        try:
            orders.order(places.control, {"order": "stop", "within": within}, patience=within + LAST_MOMENTS)
        except orders.SilentSupervisorError as error:  # nothing to worry about if it was just ending by itself
            failed = error
    deadline = time.monotonic() + LAST_MOMENTS
    while claimed(places):
        if time.monotonic() > deadline:
            raise failed
        time.sleep(POLL_SECONDS)
    return state(name)


def pause(name: str) -> None:
    """Let a machine's processors stand still; nothing happens if they do. Raises MachineError if it does not run."""
    require_alive(name)
    orders.order(places_of(name).control, {"order": "pause"}, patience=ORDER_SECONDS)


def resume(name: str) -> None:
    """Let a machine that stands still run on. Raises MachineError if it does not run, or cannot."""
    require_alive(name)
    orders.order(places_of(name).control, {"order": "resume"}, patience=ORDER_SECONDS)


def resize_memory(name: str, memory: int, *, seconds: float) -> tuple[int, bool]:
    """Give a machine `memory` MiB; return how many MiB it has then, and whether it runs.

    The guest of one that runs is given `seconds` to give memory back, and keeps what it needs. One that does not run
    starts with it. Raises UsageError or MachineError if that cannot be.
    """
    places = places_of(check_name(name))
    if _supervised(places, state(name)).status in ALIVE:
        order = {"order": "resize-memory", "memory": memory, "within": seconds}
        return int(str(orders.ask(places.control, order, patience=seconds + ORDER_SECONDS)["memory"])), True
    from jeos.vm import balloon  # with asyncio, which nothing else here needs

    descriptor = claim(places)
    try:
        machine = parse_machine(places.machine.read_text(), source=str(places.machine))
        balloon.check_enough(memory)
        files.write(places.machine, machine_text(replace(machine, memory=memory)), mode=0o600)
    finally:
        os.close(descriptor)
    return memory, False


def end(name: str) -> State:
    """End a machine at once, also one whose supervisor takes no orders any more, and return its last state."""
    places = places_of(check_name(name))
    try:
        return stop(name, within=0)
    except MachineError:
        kill(places)
        machine = _domain_of(places)
        if machine is not None:
            from jeos.vm.domains import domain  # for few

            domain.end(machine, folder=places.folder)
        return state(name)


def remove(name: str, *, force: bool = False) -> None:
    """Delete a machine and its disk; `force` ends it first if it runs. Raises MachineError if it runs otherwise."""
    places = places_of(check_name(name))
    if not places.folder.is_dir():
        raise unknown(name)
    if force and places.machine.exists():
        end(name)
    if not force and _state(places).status in ALIVE:
        raise MachineError(f"the machine {name} runs", hint=f"jeos stop {name} first, or: jeos rm --force {name}")
    descriptor = claim(places, create=True)  # also where the lock is lost
    try:
        machine = _domain_of(places)
        if machine is not None:
            from jeos.vm.domains import domain  # for few

            domain.forget(machine, folder=places.folder)
        _delete(places)
    finally:
        os.close(descriptor)


def kill(places: Places) -> None:
    """End a supervisor that takes no orders any more; the kernel ends its QEMU with it."""
    process = _state(places).supervisor
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        handle = os.pidfd_open(process) if process else -1
        if handle < 0:
            return
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")  # the number may be another's by now
            if SUPERVISOR.encode() in words and places.name.encode() in words:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                select.select([handle], [], [], LAST_MOMENTS)
        finally:
            os.close(handle)


def _nvram(machine: Machine) -> Path | None:
    return firmware.find().variables if machine.boot is Boot.FIRMWARE else None


def _write(machine: Machine, places: Places, *, values: Mapping[str, str] | None) -> None:
    """Write what the machine is made of, and its properties; if we are killed, no property lacks its file."""
    if machine.properties:
        places.credentials.mkdir(mode=0o700, exist_ok=True)
    for name, value in (values or {}).items():
        files.write(places.credentials / name, value, mode=0o600)
    files.write(places.machine, machine_text(machine), mode=0o600)
    if places.credentials.is_dir():
        for path in places.credentials.iterdir():
            if path.name not in machine.properties:
                path.unlink()


def _delete(places: Places) -> None:
    """Delete all that a machine has, under another name, so that its own is free for a new one at once."""
    files.remove_tree(places.runtime)
    doomed = places.folder.with_name(f".{places.name}.{os.getpid()}{files.PARTIAL_SUFFIX}")
    places.folder.rename(doomed)
    files.remove_tree(doomed)


def _state(places: Places) -> State:
    """Return a machine's state; what a crashed supervisor or host left behind is not believed."""
    before = claimed(places)
    try:
        state = parse_state(places.state.read_text(), source=str(places.state))
    except FileNotFoundError:
        return State(status=Status.STARTING if before else Status.STOPPED)
    except (InputError, UnicodeDecodeError):
        return State(status=Status.RUNNING if before else Status.FAILED, reason=DAMAGED)
    if before or claimed(places):
        return state
    machine = _domain_of(places)
    if machine is not None:
        from jeos.vm.domains import alone  # for few

        return alone.state_of(machine, state, folder=places.folder)
    if state.status in ALIVE:
        return state.become(Status.FAILED, reason=CRASHED, now=state.since)
    return state


def _domain_of(places: Places) -> Machine | None:
    """Return the machine if it is a domain of libvirt."""
    with contextlib.suppress(OSError, InputError, UnicodeDecodeError):
        machine = parse_machine(places.machine.read_text(), source=str(places.machine))
        return machine if machine.engine else None
    return None


def _forget_domain(machine: Machine, places: Places) -> None:
    """Leave no domain of a machine that did not start: its supervisor may have been given up while libvirt was slow."""
    if machine.engine:
        from jeos.vm.domains import domain  # for few

        with contextlib.suppress(JeosError):
            domain.end(machine, folder=places.folder)
            domain.forget(machine, folder=places.folder)


def _supervised(places: Places, state: State) -> State:
    """Start a supervisor for a domain that runs without one, because it was killed or libvirt started the domain."""
    if state.status not in ALIVE or claimed(places) or _domain_of(places) is None:
        return state
    descriptor = claim(places)
    try:
        return begin(places, descriptor)
    finally:
        os.close(descriptor)


def leave_engine(places: Places, machine: Machine) -> None:
    """Take a machine's domain out of the libvirt that it is in, if it is to be elsewhere from now on.

    Raises MachineError if the domain runs.
    """
    before = _domain_of(places)
    if before is None:
        return
    from jeos.vm.domains import domain  # for few

    domain.require_off(before, folder=places.folder)
    if before.engine != machine.engine:
        domain.forget(before, folder=places.folder)
