"""Where a machine's files and sockets are, and the claim that one process at a time has on a machine.

places = places_of("web")
places.console_log          # …/machines/web/console.log
places.guest                # the socket on which `jeos exec` reaches the machine's agent
"""

import fcntl
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import HostError, MachineError
from jeos.core.settings import runtime_dir, state_dir
from jeos.model.machine import MOST_SHARES, Machine

SOCKET_PATH_LIMIT = 107  # bytes; sun_path of sockaddr_un without its end mark, unix(7)
LONGEST_SOCKET = "in/backup.sock"
LOCK_LAYOUT = "hhqqi4x"  # struct flock: type, whence, start, length, process
OFD_LOCK = struct.pack(LOCK_LAYOUT, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one machine under `folder`, and its sockets under `runtime`."""

    name: str
    folder: Path
    runtime: Path

    @property
    def machine(self) -> Path:
        """What the machine is made of."""
        return self.folder / "machine.json"

    @property
    def state(self) -> Path:
        """How it is."""
        return self.folder / "state.json"

    @property
    def lock(self) -> Path:
        """What the claim is laid on."""
        return self.folder / "lock"

    @property
    def disk(self) -> Path:
        """The overlay that the machine writes to."""
        return self.folder / "disk.qcow2"

    def other_disk(self, number: int) -> Path:
        """The overlay over a disk beside the first one, counted from 0."""
        return self.folder / f"disk-{number + 1}.qcow2"

    @property
    def nvram(self) -> Path:
        """The firmware's variables."""
        return self.folder / "nvram.fd"

    @property
    def credentials(self) -> Path:
        """The folder with one file for each property, readable by the owner only."""
        return self.folder / "credentials"

    @property
    def console_log(self) -> Path:
        """What the machine said on its serial console."""
        return self.folder / "console.log"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor said; nothing, if all is well."""
        return self.folder / "supervisor.log"

    @property
    def qemu_log(self) -> Path:
        """What QEMU said since it was started."""
        return self.folder / "qemu.log"

    @property
    def passt_log(self) -> Path:
        """What passt said since it was started, where it is used."""
        return self.folder / "passt.log"

    @property
    def console(self) -> Path:
        """The socket that leads to the serial console."""
        return self.runtime / "console.sock"

    @property
    def inside(self) -> Path:
        """The folder of the sockets that QEMU makes or connects to; it can reach no others."""
        return self.runtime / "in"

    @property
    def work(self) -> Path:
        """The folder in which QEMU may make files of its own while it runs, the only one."""
        return self.folder / "work"

    @property
    def port(self) -> Path:
        """The socket on which QEMU offers the guest's virtio-serial port; one client, the relay."""
        return self.inside / "port.sock"

    @property
    def serial(self) -> Path:
        """The socket on which libvirt offers the serial console; one client, the supervisor."""
        return self.inside / "serial.sock"

    @property
    def guest(self) -> Path:
        """The socket on which the relay lets many clients reach the agent."""
        return self.runtime / "guest.sock"

    @property
    def control(self) -> Path:
        """The socket on which the supervisor takes orders."""
        return self.runtime / "control.sock"

    @property
    def waking(self) -> Path:
        """The socket to the agent of a machine that was brought back, until the agent knows what machine it is in."""
        return self.runtime / "waking.sock"

    @property
    def saved(self) -> Path:
        """The folder with what was saved of the machine, a folder for each time."""
        return self.folder / "saved"

    @property
    def backup(self) -> Path:
        """The socket on which QEMU exports the disks while a backup is under way."""
        return self.inside / "backup.sock"

    @property
    def supply(self) -> Path:
        """The socket on which a backup is exported that the machine still reads from."""
        return self.inside / "supply.sock"

    def share(self, number: int) -> Path:
        """The socket on which a folder of the host is served to the machine, counted from 0."""
        return self.inside / f"share{number}.sock"

    def share_log(self, number: int) -> Path:
        """What the program said that serves the folder of that number."""
        return self.folder / f"share-{number}.log"

    @property
    def sockets(self) -> tuple[Path, ...]:
        """All sockets of the machine."""
        shares = tuple(self.share(number) for number in range(MOST_SHARES))
        own = (self.guest, self.waking, self.console, self.control)
        return (*own, self.port, self.serial, self.backup, self.supply, *shares)

    @property
    def supply_log(self) -> Path:
        """What the program said that exports the backup."""
        return self.folder / "supply.log"


def machines_dir() -> Path:
    """Return the folder that holds all machines."""
    return state_dir() / "machines"


def templates_dir() -> Path:
    """Return the folder that holds all templates."""
    return state_dir() / "templates"


def over_template(machine: Machine) -> bool:
    """Tell whether a machine's disk lies over a template's."""
    return bool(machine.disk) and Path(machine.disk).is_relative_to(templates_dir())


def places_of(name: str) -> Places:
    """Return where a machine's files and sockets are, whether or not it exists."""
    return Places(name=name, folder=machines_dir() / name, runtime=_socket_folder(name))


def _socket_folder(name: str) -> Path:
    """Return a folder whose sockets have a path short enough, the same for each process that asks."""
    folder = runtime_dir() / name
    if len(os.fsencode(folder / LONGEST_SOCKET)) <= SOCKET_PATH_LIMIT:
        return folder
    import hashlib  # with OpenSSL, for few

    mark = hashlib.sha256(os.fsencode(runtime_dir() / name)).hexdigest()[:16]
    return Path(f"/tmp/jeos-{os.getuid()}") / mark


def make_private(folder: Path) -> None:
    """Make a folder, and its parent, that nobody else can look into; raises HostError if somebody else made it."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    places = (folder, folder.parent) if folder.parent.parent == Path("/tmp") else (folder,)
    for place in places:
        found = place.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise HostError(
                f"{place} is not a folder of your own that only you can write to",
                hint="set JEOS_RUNTIME_DIR to a short path of your own",
            )


def claim(places: Places, *, create: bool = False) -> int:
    """Lay the claim on a machine and return the descriptor that holds it; a child that inherits it holds it too.

    The claim ends when the last copy of the descriptor is closed, however its process ends, so that it never lies.
    Raises MachineError if another process has it, or if there is no such machine and `create` is false.
    """
    while True:
        if create:
            places.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(places.lock, os.O_RDWR | os.O_CLOEXEC | os.O_CREAT * create, 0o600)
        except FileNotFoundError:
            if create:  # removed between the two calls
                continue
            raise unknown(places.name) from None
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, OFD_LOCK)
        except BlockingIOError:
            os.close(descriptor)
            raise MachineError(
                f"the machine {places.name} is in use by another jeos",
                hint=f"see `jeos ls`; `jeos stop {places.name}` stops it, --name gives a new machine another name",
            ) from None
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # whoever had the claim removed the machine: look again


def claimed(places: Places) -> bool:
    """Tell whether a process has the claim on a machine, without laying one."""
    try:
        descriptor = os.open(places.lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, OFD_LOCK)
        return bool(struct.unpack(LOCK_LAYOUT, found)[0] != fcntl.F_UNLCK)
    finally:
        os.close(descriptor)


def unknown(name: str) -> MachineError:
    """Return the error for a machine that does not exist."""
    return MachineError(f"there is no machine {name}", hint="`jeos ls` lists the machines; `jeos run` makes one")
