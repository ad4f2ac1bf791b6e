"""The domain of a machine: finding it, telling how it is, defining it, ending it; never a domain of somebody else.

with connected(machine.engine) as host:
    found = find(host, machine, folder=places.folder)       # None if there is none
    if found is not None: condition(found)                  # Condition(Power.PAUSED, "paused")
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from jeos.core.errors import MachineError
from jeos.model.machine import Boot, Machine
from jeos.vm.domains.document import OWNER_NAMESPACE, Owner, domain_name, owner_of
from jeos.vm.domains.library import Domain, Host, connected, load, translated


class Power(StrEnum):
    """What a domain does."""

    OFF = "off"
    RUNNING = "running"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Condition:
    """What a domain does, and why it is paused, in QEMU's words for it ("paused", "io-error", …)."""

    power: Power
    why: str = ""


def find(host: Host, machine: Machine, *, folder: Path) -> Domain | None:
    """Return a machine's domain, by its UUID. Raises MachineError if the one that has it is not this machine's."""
    library = load()
    try:
        domain = host.lookupByUUIDString(machine.uuid)
    except library.libvirtError as error:
        if error.get_error_code() == library.VIR_ERR_NO_DOMAIN:
            return None
        raise
    if owner(domain) != Owner(machine.name, str(folder)):
        raise _foreign(domain.name())
    return domain


def owner(domain: Domain) -> Owner | None:
    """Return whose a domain is; None for one that is not a machine of jeos."""
    library = load()
    try:
        text = domain.metadata(library.VIR_DOMAIN_METADATA_ELEMENT, OWNER_NAMESPACE, 0)
    except library.libvirtError as error:
        if error.get_error_code() in (library.VIR_ERR_NO_DOMAIN_METADATA, library.VIR_ERR_NO_DOMAIN):
            return None
        raise
    return owner_of(text)


def define(host: Host, machine: Machine, xml: str, *, folder: Path) -> Domain:
    """Define a machine's domain, or define it anew. Raises MachineError if its name or UUID is somebody else's."""
    library = load()
    if find(host, machine, folder=folder) is None:
        try:
            host.lookupByName(domain_name(machine.name))
        except library.libvirtError as error:
            if error.get_error_code() != library.VIR_ERR_NO_DOMAIN:
                raise
        else:
            raise _foreign(domain_name(machine.name))
    return host.defineXML(xml)


def condition(domain: Domain) -> Condition:
    """Tell what a domain does just now. Source: libvirt, libvirt-domain.h, virDomainState."""
    library = load()
    state, reason = domain.state()[:2]
    if not domain.isActive() or state in (library.VIR_DOMAIN_SHUTOFF, library.VIR_DOMAIN_NOSTATE):
        return Condition(Power.OFF)
    reasons = {
        library.VIR_DOMAIN_PAUSED_IOERROR: "io-error",
        library.VIR_DOMAIN_PAUSED_WATCHDOG: "watchdog",
        library.VIR_DOMAIN_PAUSED_CRASHED: "internal-error",
    }
    if state in (library.VIR_DOMAIN_PAUSED, library.VIR_DOMAIN_PMSUSPENDED, library.VIR_DOMAIN_CRASHED):
        return Condition(Power.PAUSED, reasons.get(reason, "paused"))
    return Condition(Power.RUNNING)


def truth(machine: Machine, *, folder: Path, autostart: bool) -> Condition:
    """Ask libvirt what a machine does. Raises MachineError if nobody can say."""
    with connected(machine.engine, autostart=autostart) as host:
        domain = find(host, machine, folder=folder)
        return condition(domain) if domain is not None else Condition(Power.OFF)


def require_off(machine: Machine, *, folder: Path) -> None:
    """Raise MachineError if a machine's domain runs."""
    if truth(machine, folder=folder, autostart=True).power is not Power.OFF:
        raise MachineError(
            f"the machine {machine.name} runs already, in libvirt at {machine.engine}",
            hint=f"jeos stop {machine.name} first; jeos exec and all others take it up as it is",
        )


def end(machine: Machine, *, folder: Path) -> None:
    """End a machine's domain at once, without its supervisor; nothing happens if it does not run."""
    with connected(machine.engine) as host:
        domain = find(host, machine, folder=folder)
        if domain is not None and domain.isActive():
            domain.destroy()


def forget(machine: Machine, *, folder: Path) -> None:
    """Take a machine's domain out of libvirt; its disks stay. Nothing happens if there is none."""
    with connected(machine.engine) as host:
        domain = find(host, machine, folder=folder)
        if domain is not None:
            undefine(domain, nvram=machine.boot is Boot.FIRMWARE)


def undefine(domain: Domain, *, nvram: bool) -> None:
    """Take a domain that does not run out of libvirt, with what libvirt saved of it; disks and `nvram` stay."""
    library = load()
    flags = library.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | library.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    with translated():
        domain.undefineFlags(flags | (library.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM if nvram else 0))


def _foreign(name: str) -> MachineError:
    return MachineError(
        f"libvirt has a domain {name} that is not this machine",
        hint=f"jeos does not touch it: virsh dumpxml {name} shows whose it is; --name gives the machine another name",
    )
