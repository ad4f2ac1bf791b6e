"""A system that is to be converted, and how: what every fix is planned from.

Machine(survey=survey, system=survey.systems[0], root=root)
Options(macs=("00:50:56:aa:bb:cc",))
"""

from dataclasses import dataclass
from pathlib import Path

from jeos.convert.survey import Survey, System
from jeos.disk.root import Root

HOSTS = ("virtio", "vmware", "hyperv", "virtualbox", "xen")  # the kinds of host that a machine can be made for


@dataclass(frozen=True, slots=True)
class Machine:
    """One of the systems on a machine's disks, with its files."""

    survey: Survey
    system: System
    root: Root

    @property
    def linux(self) -> bool:
        """Tell whether this is a Linux system."""
        return self.system.family not in ("windows", "unknown")


@dataclass(frozen=True, slots=True)
class Options:
    """How to convert.

    `macs` are the addresses of the network cards, in their order, that the machine has on its new home: those of its
    old one. `keep_network` keeps every interface's name, where otherwise only those with static addresses keep theirs.
    `hosts` are the kinds of host, as keys of `survey.DRIVERS`, whose disks the machine must be able to reach; the first
    is the one that it goes to.
    `console` is the serial port that gets a login prompt and the kernel's messages, "" for none. `virtio_win` is the
    disc with the virtio drivers for Windows.
    """

    macs: tuple[str, ...] = ()
    keep_network: bool = False
    hosts: tuple[str, ...] = ("virtio",)
    console: str = "ttyS0"
    virtio_win: Path | None = None
