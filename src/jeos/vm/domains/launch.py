"""Starting the domain of a machine, or taking up one that runs already because its supervisor was lost.

launched = launch(machine, places, start=Start())
launched.monitor, launched.console

The domain is created paused and runs on once somebody listens to its console, so that its first words are kept.
"""

import os
import socket
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from jeos.core.errors import MachineError
from jeos.core.run import find_program
from jeos.model.machine import Boot, Machine
from jeos.model.saved import Start
from jeos.vm import accelerator, command, disks, firmware, network, tap
from jeos.vm.accelerator import Accelerator
from jeos.vm.domains.check import check
from jeos.vm.domains.document import Owner, Wires, accelerator_of, domain_xml, forwards_of
from jeos.vm.domains.keep import sweep
from jeos.vm.domains.library import is_system
from jeos.vm.domains.monitor import DomainMonitor
from jeos.vm.launch import credentials, prepare, serve_folders
from jeos.vm.network import Network
from jeos.vm.places import Places
from jeos.vm.share import Way

NETWORK = "machines on libvirt have that"
TAKEN_UP = "as it was started"
PROCESSES = Path("/proc")


class Body:
    """What stands for the process of a QEMU that libvirt started."""

    def __init__(self, monitor: DomainMonitor, *, pid: int) -> None:
        self._monitor = monitor
        self.pid = pid
        self.status = 0  # once libvirt has told how the domain ended

    def poll(self) -> int | None:
        """Return None while the domain runs, or is paused, and its status once it does not, or nobody can say."""
        try:
            return None if self._monitor.active else self.status
        except MachineError:
            return self.status

    def kill(self) -> None:
        """End the domain at once. Raises MachineError if libvirt does not."""
        self._monitor.destroy()

    def wait(self, timeout: float | None = None) -> int:
        """Return how the domain ended, as far as libvirt told: 0 in order, 1 because something failed."""
        return self.status


@dataclass(frozen=True, slots=True)
class Domained:
    """A domain that runs, and our end of its console."""

    process: Body
    monitor: DomainMonitor
    console: socket.socket
    accelerator: Accelerator
    network: Network
    helpers: tuple[subprocess.Popen[bytes], ...] = ()
    sharing: Way | None = None  # how folders of the host reach the machine


def launch(machine: Machine, places: Places, *, start: Start) -> Domained:
    """Start a machine's domain, or take it up; raises what its parts raise, with a domain that was started ended."""
    check(machine, start)
    disks.check_base(machine)
    monitor = DomainMonitor(machine, folder=places.folder, disks=1 + len(machine.other_disks))
    if monitor.active:
        return _take_up(places, machine, monitor)
    prepare(places)
    sweep(machine, places)
    chosen = accelerator.choose(start.accelerator or machine.accelerator)
    chosen_network = choose_network(machine)
    wired = wires(machine, places, accelerator_kind=chosen.kind, chosen=chosen_network)
    if start.devices:
        wired = replace(wired, balloon=monitor.saved_balloon(start.devices))
    helpers: list[subprocess.Popen[bytes]] = []
    with ExitStack() as undo:
        folders, way = serve_folders(machine, places, helpers, undo)
        served = () if folders else tuple(places.share(number) for number in range(len(machine.shares)))
        xml = domain_xml(machine, replace(wired, shares=served))
        undo.callback(monitor.take_back)
        monitor.start(xml, memory=start.devices)
        console = listen(places)
        undo.callback(console.close)
        monitor.run_on()
        undo.pop_all()
    body = Body(monitor, pid=process_of(machine))
    return Domained(body, monitor, console, chosen, chosen_network, tuple(helpers), way)


def choose_network(machine: Machine) -> Network:
    """Return the network of a machine, QEMU's own: its netdev is "" where libvirt has words for it."""
    if machine.isolated:
        return network.isolated()
    if machine.tap:
        tap.check(machine.tap)
        return Network(kind=network.TAP, forwards=(), netdev="")
    found = network.slirp(network.resolve(machine.forwards), why_not_passt=NETWORK)
    return found if found.forwards else Network(kind=found.kind, forwards=(), netdev="")


def wires(machine: Machine, places: Places, *, accelerator_kind: str, chosen: Network) -> Wires:
    """Return what a machine's domain is connected to."""
    return Wires(
        owner=Owner(machine.name, str(places.folder)),
        accelerator=accelerator_kind,
        tsc_khz=accelerator.host_tsc_khz(),
        emulator=find_program(command.PROGRAM),
        disks=(places.disk, *(places.other_disk(number) for number in range(len(machine.other_disks)))),
        agent=places.port,
        console=places.serial,
        netdev=chosen.netdev,
        credentials=credentials(machine, places),
        firmware=firmware.find() if machine.boot is Boot.FIRMWARE else None,
        nvram=places.nvram if machine.boot is Boot.FIRMWARE else None,
        user=(os.geteuid(), os.getegid()) if is_system(machine.engine) else None,
    )


def listen(places: Places) -> socket.socket:
    """Return our end of the serial console. Raises MachineError if libvirt offers none."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.connect(str(places.serial))
    except OSError as error:
        line.close()
        raise MachineError(
            f"the console of {places.name} cannot be reached at {places.serial}: {error.strerror}",
            hint=f"jeos kill {places.name}, then jeos run {places.name}",
        ) from None
    return line


def process_of(machine: Machine) -> int:
    """Return the number of the QEMU with a machine's UUID, which libvirt does not tell; 0 if it cannot be seen."""
    words = f"\0-uuid\0{machine.uuid}\0".encode()
    for place in PROCESSES.iterdir():
        if not place.name.isdigit():
            continue
        try:
            if words in (place / "cmdline").read_bytes():
                return int(place.name)
        except OSError:  # it has just ended, or is somebody else's
            continue
    return 0


def _take_up(places: Places, machine: Machine, monitor: DomainMonitor) -> Domained:
    """Stand behind a domain that runs. Folders that the lost supervisor had served are gone until its next start."""
    xml = monitor.description()
    for leftover in (places.console, places.guest, places.waking, places.control):
        leftover.unlink(missing_ok=True)
    return Domained(
        Body(monitor, pid=process_of(machine)),
        monitor,
        listen(places),
        Accelerator(kind=accelerator_of(xml), reason=TAKEN_UP),
        Network(kind=_kind(machine), forwards=forwards_of(xml), netdev=""),
    )


def _kind(machine: Machine) -> str:
    if machine.isolated:
        return network.NONE
    return network.TAP if machine.tap else network.SLIRP
