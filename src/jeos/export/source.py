"""What is exported: a disk, and what one must know of the machine that it is for."""

from collections.abc import Collection
from dataclasses import dataclass

from jeos.disk.blocks import Blocks
from jeos.disk.volumes import firmware
from jeos.model import ovf
from jeos.model.image import Image, Port
from jeos.model.ovf import Firmware
from jeos.model.recipe import Property

USUAL_MEMORY, USUAL_CPUS = 1024, 1  # of a machine that nobody says anything about: MiB, processors


@dataclass(frozen=True, slots=True)
class Source:
    """A disk to export, `memory` in MiB; `modules` are the names of the kernel's modules, None where nobody knows."""

    disk: Blocks
    name: str
    version: str = ""
    vendor: str = ""
    memory: int = USUAL_MEMORY
    cpus: int = USUAL_CPUS
    firmware: Firmware = Firmware.EFI
    debian: bool = False
    ports: tuple[Port, ...] = ()
    properties: tuple[Property, ...] = ()
    eula: str = ""
    modules: Collection[str] | None = None

    @property
    def stem(self) -> str:
        """Return what files made of it are called, without a suffix."""
        return f"{self.name}_{self.version}" if self.version else self.name


def of_image(image: Image, disk: Blocks, *, eula: str, modules: Collection[str]) -> Source:
    """Return what is known of an image that jeos built."""
    return Source(
        disk=disk,
        name=image.name,
        version=image.version,
        vendor=image.vendor,
        memory=image.memory,
        cpus=image.cpus,
        debian=True,
        ports=image.ports,
        properties=image.properties,
        eula=eula,
        modules=modules,
    )


def of_disk(disk: Blocks, *, name: str) -> Source:
    """Return what can be seen of a disk."""
    kind = Firmware.EFI if firmware.wanted(disk) == "uefi" else Firmware.BIOS
    return Source(disk=disk, name=name, firmware=kind)


def of_system(system: ovf.System, disk: Blocks, *, name: str) -> Source:
    """Return what an OVF descriptor says of a machine with one disk."""
    return Source(
        disk=disk,
        name=name,
        memory=system.memory or USUAL_MEMORY,
        cpus=system.cpus,
        firmware=system.firmware,
        eula="\n\n".join(system.eulas),
    )
