"""libvirt's own library for Python, which is no part of jeos: loaded where a machine is on libvirt, and only there.

    with connected("qemu:///session") as host:
        host.lookupByName("jeos-web")

The library is the package libvirt-python, or Debian's python3-libvirt, which a virtual environment does not see by
itself. What it raises becomes a MachineError.
"""

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Protocol
from urllib.parse import urlsplit

from jeos.core.errors import HostError, MachineError, UsageError

NAME = "libvirt"
DEBIAN = Path("/usr/lib/python3/dist-packages")  # where Debian's own Python has its packages
SYSTEM, SESSION = "qemu:///system", "qemu:///session"
AUTOSTART = "LIBVIRT_AUTOSTART"  # "0" keeps the library from starting a user's daemon
KEEPALIVE_SECONDS, KEEPALIVE_MISSES = 5, 6  # until a daemon that hangs counts as gone

Callback = Callable[..., None]


class Domain(Protocol):
    """What jeos uses of `libvirt.virDomain`."""

    def name(self) -> str: ...  # noqa: D102
    def isActive(self) -> int: ...  # noqa: D102, N802
    def state(self) -> Sequence[int]: ...  # noqa: D102
    def createWithFlags(self, flags: int) -> int: ...  # noqa: D102, N802
    def suspend(self) -> int: ...  # noqa: D102
    def resume(self) -> int: ...  # noqa: D102
    def shutdownFlags(self, flags: int) -> int: ...  # noqa: D102, N802
    def destroy(self) -> int: ...  # noqa: D102
    def undefineFlags(self, flags: int) -> int: ...  # noqa: D102, N802
    def metadata(self, kind: int, uri: str | None, flags: int) -> str: ...  # noqa: D102
    def setMemoryFlags(self, memory: int, flags: int) -> int: ...  # noqa: D102, N802
    def memoryStats(self) -> dict[str, int]: ...  # noqa: D102, N802
    def blockStats(self, path: str) -> Sequence[int]: ...  # noqa: D102, N802
    def saveFlags(self, to: str, dxml: str | None, flags: int) -> int: ...  # noqa: D102, N802
    def XMLDesc(self, flags: int) -> str: ...  # noqa: D102, N802


class Host(Protocol):
    """What jeos uses of `libvirt.virConnect`."""

    def getURI(self) -> str: ...  # noqa: D102, N802
    def getVersion(self) -> int: ...  # noqa: D102, N802
    def getLibVersion(self) -> int: ...  # noqa: D102, N802
    def defineXML(self, xml: str) -> Domain: ...  # noqa: D102, N802
    def lookupByUUIDString(self, uuid: str) -> Domain: ...  # noqa: D102, N802
    def lookupByName(self, name: str) -> Domain: ...  # noqa: D102, N802
    def saveImageGetXMLDesc(self, file: str, flags: int) -> str: ...  # noqa: D102, N802
    def restoreFlags(self, frm: str, dxml: str | None, flags: int) -> int: ...  # noqa: D102, N802
    def domainEventRegisterAny(self, dom: Domain, event: int, callback: Callback, opaque: object) -> int: ...  # noqa: D102, N802
    def registerCloseCallback(self, callback: Callback, opaque: object) -> int: ...  # noqa: D102, N802
    def setKeepAlive(self, interval: int, count: int) -> int: ...  # noqa: D102, N802
    def close(self) -> int: ...  # noqa: D102


def usual_uri() -> str:
    """Return the libvirt that is meant without an address: the system's for root, else the user's own."""
    return SYSTEM if os.geteuid() == 0 else SESSION


def check_uri(uri: str) -> str:
    """Return an address of libvirt if machines can be on it: QEMU on this host. Raises UsageError."""
    parts = urlsplit(uri)
    if parts.scheme not in ("qemu", "qemu+unix") or parts.netloc or parts.path not in ("/system", "/session"):
        raise UsageError(
            f"{uri} is not a libvirt that runs QEMU on this host",
            hint=f"{SYSTEM} or {SESSION}; for another host, run jeos there",
        )
    return uri


def is_system(uri: str) -> bool:
    """Tell whether an address is of the libvirt that runs as root."""
    return urlsplit(uri).path == "/system"


def load() -> ModuleType:
    """Return the library. Raises HostError where there is none."""
    try:
        found = importlib.import_module(NAME)
    except ModuleNotFoundError:
        found = _load_debians()
    found.registerErrorHandler(lambda context, error: None, None)  # or it prints what it raises as well
    return found


def _load_debians() -> ModuleType:
    missing = HostError(
        "machines on libvirt need its library for Python, which is not installed",
        hint="sudo apt-get install python3-libvirt; for another Python than Debian's: pip install libvirt-python",
    )
    if not (DEBIAN / f"{NAME}.py").is_file():
        raise missing
    sys.path.append(str(DEBIAN))
    try:
        return importlib.import_module(NAME)
    except ImportError:  # it is made for Debian's Python, and this is another version
        raise missing from None
    finally:
        sys.path.remove(str(DEBIAN))


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the library raises during the block as MachineError."""
    library = load()
    try:
        yield
    except library.libvirtError as error:
        raise MachineError(f"libvirt: {str(error).strip()}", hint="`virsh list --all` shows its domains") from None


def open_host(uri: str, *, autostart: bool = True) -> Host:
    """Connect to a libvirt; without `autostart` only to one that runs already. Raises MachineError or HostError."""
    library = load()
    with _autostart(autostart):
        try:
            host: Host = library.open(uri)
        except library.libvirtError as error:
            raise MachineError(
                f"libvirt at {uri} does not answer: {str(error).strip()}",
                hint="sudo apt-get install libvirt-daemon-system; for the system's, be in the group libvirt",
            ) from None
    return host


@contextmanager
def connected(uri: str, *, autostart: bool = True) -> Iterator[Host]:
    """Connect to a libvirt for the block, in which its errors become MachineError."""
    host = open_host(uri, autostart=autostart)
    try:
        with translated():
            yield host
    finally:
        host.close()


@contextmanager
def _autostart(wanted: bool) -> Iterator[None]:
    before = os.environ.get(AUTOSTART)
    if not wanted:
        os.environ[AUTOSTART] = "0"
    try:
        yield
    finally:
        if before is not None:
            os.environ[AUTOSTART] = before
        elif not wanted:
            del os.environ[AUTOSTART]


def follow_events() -> None:
    """Let the library's events come, in a thread of their own; before the first connection that has any."""
    library = load()
    library.virEventRegisterDefaultImpl()

    def turn() -> None:
        while True:
            with contextlib.suppress(library.libvirtError):
                library.virEventRunDefaultImpl()

    threading.Thread(target=turn, name="libvirt-events", daemon=True).start()
