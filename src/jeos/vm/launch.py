"""Starting QEMU for a machine: choose accelerator and network, connect the sockets, spawn.

It imports nothing that is slow to load, so that the guest's processor runs before the supervisor is complete.
"""

import base64
import os
import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jeos.core import files, settings
from jeos.core.errors import HostError, JeosError, MachineError, UsageError
from jeos.core.run import find_program, spawn
from jeos.model.machine import Boot, Confine, Forward, Machine, Share
from jeos.model.saved import Start
from jeos.model.tuning import Tuning
from jeos.vm import accelerator, command, confine, disks, firmware, host_profile, network, passt, supply, vsock
from jeos.vm.accelerator import Accelerator
from jeos.vm.command import Credential, PassedDevice, VsockDevice, Wiring
from jeos.vm.confine import Confined
from jeos.vm.fence import fence_of
from jeos.vm.listening import last_lines
from jeos.vm.network import Network
from jeos.vm.places import Places, make_private
from jeos.vm.vsock import Vsock

if TYPE_CHECKING:
    from jeos.vm.cgroup import Group
    from jeos.vm.passthrough import Passed
    from jeos.vm.share import Way

BOOT = Start()
PROPERTY_PREFIX = "jeos.property."


@dataclass(frozen=True, slots=True)
class Launched:
    """A QEMU that was started, and our ends of the sockets to it."""

    process: "subprocess.Popen[bytes]"
    helpers: "tuple[subprocess.Popen[bytes], ...]"
    qmp: socket.socket
    console: socket.socket
    accelerator: Accelerator
    network: Network
    supply: "subprocess.Popen[bytes] | None" = None
    incoming: str = ""  # the address at which QEMU has what its devices are to hold
    forwards_later: tuple[Forward, ...] = ()  # to be opened when the guest knows which machine it is in
    fences: tuple[str, ...] = ()  # around QEMU
    fences_missing: tuple[str, ...] = ()  # that this host or the machine's network does not allow, each with the reason
    group: "Group | None" = None
    sharing: "Way | None" = None  # how folders of the host reach the machine
    vsock: Vsock | None = None
    passed: "Passed | None" = None  # devices of the host that the machine has
    packed: bool = False  # rings of its disks and networks


def launch(machine: Machine, places: Places, *, start: Start = BOOT, tuning: Tuning | None = None) -> Launched:
    """Start QEMU for a machine; raises what its parts raise, with everything that was started ended.

    With a `start`, QEMU has the memory that it names, and waits for what its devices held. A `tuning` is used in place
    of the host's profile.
    """
    disks.check_base(machine)
    prepare(places)
    with ExitStack() as ours, ExitStack() as theirs:
        qmp, qmp_peer = _pair(ours, theirs)
        console, console_peer = _pair(ours, theirs)
        inherited = [qmp_peer.fileno(), console_peer.fileno()]
        helpers: list[subprocess.Popen[bytes]] = []
        if machine.supply:
            helpers.append(supply.start(machine.supply, places))
            ours.callback(supply.end, helpers[-1])
        chosen = accelerator.choose(start.accelerator or machine.accelerator)
        why_not_passt = "" if machine.isolated or machine.tap else _why_not_passt(start)
        forwards = network.resolve(machine.forwards)
        later = () if start.again else forwards  # nobody comes in before the guest knows which machine it is in
        if machine.isolated:
            chosen_network = network.isolated()
        elif machine.tap:
            chosen_network = _tap(machine.tap, inherited, theirs)
        elif why_not_passt:
            first = start.first_address
            chosen_network = network.slirp(forwards, why_not_passt=why_not_passt, later=bool(later), first=first)
        else:
            line, line_peer = _pair(theirs, theirs)
            helpers.append(passt.start(forwards, descriptor=line_peer.fileno(), log=places.passt_log))
            chosen_network = network.passt(forwards, descriptor=line.fileno())
            inherited.append(line.fileno())
        folders, way = serve_folders(machine, places, helpers, ours)
        devices, passed = _pass_devices(machine, ours)
        own_vsock = vsock.claim_for(machine, start)
        if own_vsock is not None:
            ours.callback(own_vsock.close)
            inherited.append(own_vsock.device)
        wiring = Wiring(
            accelerator=chosen.kind,
            tsc_khz=accelerator.host_tsc_khz(),
            disk=places.disk,
            other_disks=tuple(places.other_disk(number) for number in range(len(machine.other_disks))),
            agent=places.port,
            qmp=qmp_peer.fileno(),
            console=console_peer.fileno(),
            network=chosen_network.netdev,
            credentials=credentials(machine, places),
            firmware=firmware.find() if machine.boot is Boot.FIRMWARE else None,
            nvram=places.nvram if machine.boot is Boot.FIRMWARE else None,
            supply=places.supply if machine.supply else None,
            ram=Path(start.ram) if start.ram else None,
            ram_private=start.private,
            incoming=bool(start.devices),
            balloon=start.balloon,
            shares=tuple(places.share(number) for number in range(len(machine.shares))) if not folders else (),
            folders=folders,
            vsock=VsockDevice(own_vsock.cid, own_vsock.port, own_vsock.device) if own_vsock else None,
            tuning=_tuned(machine, places, start=start, tuning=tuning),
            devices=devices,
        )
        address = ""
        if start.devices:
            held = os.open(start.devices, os.O_RDONLY | os.O_CLOEXEC)
            theirs.callback(os.close, held)
            inherited.append(held)
            address = f"fd:{held}"
        group = _limited(machine, places, ours)
        started = _start(
            machine, places, wiring, network=chosen_network.kind, start=start, inherited=inherited, group=group
        )
        if own_vsock is not None:
            own_vsock.hand_over()
        if group is not None:
            started = _hold_to(group, started, strict=_confine(machine) is Confine.STRICT)
        ours.pop_all()
        return Launched(
            started.process,
            tuple(helpers),
            qmp,
            console,
            chosen,
            chosen_network,
            helpers[0] if machine.supply else None,
            address,
            later,
            started.fences,
            started.missing,
            group,
            way,
            own_vsock,
            passed,
            wiring.tuning.packed,
        )


def _tuned(machine: Machine, places: Places, *, start: Start, tuning: Tuning | None) -> Tuning:
    """Return how this host runs a machine; of one that is brought back, the guest holds what it agreed to."""
    found = tuning or host_profile.tuning_for(disks.images(machine, places), memory=machine.memory)
    return replace(found, packed=start.packed) if start.devices else found


def prepare(places: Places) -> None:
    """Make the folders of a machine's sockets, with no socket of an earlier run in them."""
    make_private(places.runtime)
    for folder in (places.inside, places.work):
        folder.mkdir(mode=0o700, exist_ok=True)
    for leftover in places.sockets:
        leftover.unlink(missing_ok=True)


def _start(
    machine: Machine,
    places: Places,
    wiring: Wiring,
    *,
    network: str,
    start: Start,
    inherited: Sequence[int],
    group: "Group | None",
) -> Confined:
    """Start QEMU behind its fences, or without any where that was asked for."""
    words = command.argv(machine, wiring)
    if wiring.ram is not None and not wiring.ram_private:
        wiring.ram.touch(mode=0o600)  # behind the fences there is no folder to make it in
    wanted = _confine(machine)
    with places.qemu_log.open("wb") as log:
        if wanted is Confine.OFF:
            process = spawn(words, stdout=log, stderr=log, pass_fds=inherited)
            if group is not None and not group.unit:
                group.attach(process.pid)
            return Confined(process, ("seccomp",), ("all others: they are switched off",))
        program = find_program(command.PROGRAM)
        fence = fence_of(machine, places, wiring, program=program, network=network, start=start)
        strict = wanted is Confine.STRICT
        join = group.join if group is not None else None
        found = confine.start(words, fence, stdout=log, stderr=log, pass_fds=inherited, strict=strict, join=join)
    return replace(found, fences=(*found.fences, "seccomp"))


def _tap(name: str, inherited: list[int], stack: ExitStack) -> Network:
    """Return the network of a tap device, opened for QEMU to inherit."""
    from jeos.vm import tap  # for few

    device, vhost = tap.open_device(name), tap.open_vhost()
    for descriptor in (device, vhost):
        if descriptor is not None:
            stack.callback(os.close, descriptor)
            inherited.append(descriptor)
    return network.tap(descriptor=device, vhost=vhost)


def serve_folders(
    machine: Machine, places: Places, helpers: "list[subprocess.Popen[bytes]]", stack: ExitStack
) -> "tuple[tuple[Share, ...], Way | None]":
    """Have the machine's folders served; return those that QEMU is to serve itself, and how they reach the machine."""
    if not machine.shares:
        return (), None
    from jeos.vm import share  # for few

    way = share.choose()
    for number, one in enumerate(machine.shares):
        share.check(one)
        if way.program is not None:
            process = share.serve(one, way, socket=places.share(number), log=places.share_log(number))
            helpers.append(process)
            stack.callback(share.end, process)
    return (() if way.program is not None else machine.shares), way


def _pass_devices(machine: Machine, stack: ExitStack) -> "tuple[tuple[PassedDevice, ...], Passed | None]":
    """Have the machine's devices ready for it; they go back to their drivers if it does not start."""
    if not machine.devices:
        return (), None
    from jeos.vm import passthrough  # for few

    passed = passthrough.prepare(machine.devices, memory=machine.memory << 20)
    stack.callback(passed.give_back)
    return tuple(PassedDevice(one.address, *passthrough.files_of(one)) for one in passed.devices), passed


def _limited(machine: Machine, places: Places, stack: ExitStack) -> "Group | None":
    """Return a control group for a machine that has limits, which goes if the machine does not start."""
    if not machine.limits.wanted:
        return None
    from jeos.vm import cgroup  # for few

    group = cgroup.prepare(machine.name, machine.limits, disk=places.folder)
    stack.callback(group.remove)
    return group


def _hold_to(group: "Group", started: Confined, *, strict: bool) -> Confined:
    """See to it that QEMU is in its control group, and tell which limits are not kept all the same."""
    process = started.process.pid
    try:
        if group.unit:
            group.attach(process)
        why = group.problem or "this host's control groups do not keep it"
        reasons = [f"limit of {kind}: {why}" for kind in group.lacking(process)]
    except (JeosError, OSError) as error:
        reasons = [f"limits: {getattr(error, 'message', error)}"]
    if reasons and strict:
        started.process.kill()
        started.process.wait()
        raise HostError(f"this host lacks fences for machines: {'; '.join(reasons)}", hint="see --confine auto")
    kept = () if len(reasons) == len(group.limits.wanted) else ("cgroup",)
    return replace(started, fences=(*started.fences, *kept), missing=(*started.missing, *reasons))


def _confine(machine: Machine) -> Confine:
    """Return how a machine is to be fenced off: what it was told, or what the environment says for all."""
    said = settings.confine()
    if machine.confine is not Confine.AUTO or not said:
        return machine.confine
    try:
        return Confine(said)
    except ValueError:
        raise UsageError(f"JEOS_CONFINE is {said!r}", hint=f"set it to {', '.join(Confine)}, or not at all") from None


def _why_not_passt(start: Start) -> str:
    """Return why a machine does not get passt's network; one that was kept in files needs the one that it had."""
    complaint = passt.complaint() if start.network != network.SLIRP else ""
    if start.network == network.PASST and complaint:
        raise MachineError(f"the machine had passt's network, and {complaint}", hint="install it again: jeos doctor")
    return "the machine was made with QEMU's own network" if start.network == network.SLIRP else complaint


def credentials(machine: Machine, places: Places) -> tuple[Credential, ...]:
    """Return the properties of a machine as credentials for its systemd.

    A name too long for fw_cfg goes by SMBIOS, which only machines with firmware have, as
    `io.systemd.credential.binary:NAME=BASE64`. Source: systemd.system-credentials(7).
    """
    found = []
    for name in machine.properties:
        credential = Credential(PROPERTY_PREFIX + name, places.credentials / name)
        if machine.boot is not Boot.DIRECT and not command.fits_fw_cfg(credential.name):
            value = base64.b64encode(credential.path.read_bytes()).decode()
            path = places.runtime / f"{name}.smbios"
            files.write(path, f"io.systemd.credential.binary:{credential.name}={value}", mode=0o600, durable=False)
            credential = Credential(credential.name, path, smbios=True)
        found.append(credential)
    return tuple(found)


def end_error(machine: Machine, places: Places, status: int, *, starting: Launched | None = None) -> MachineError:
    """Return the error for a QEMU that ended by itself; one that was `starting` may have lacked its supply."""
    lacking = supply.failure(starting.supply, places) if starting is not None else None
    if lacking is not None:
        return lacking
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    said = last_lines(places.qemu_log)
    return MachineError(f"QEMU of the machine {machine.name} {how}{said}", hint=f"jeos logs {machine.name}")


def _pair(ours: ExitStack, theirs: ExitStack) -> tuple[socket.socket, socket.socket]:
    here, there = socket.socketpair()
    ours.callback(here.close)
    theirs.callback(there.close)
    return here, there
