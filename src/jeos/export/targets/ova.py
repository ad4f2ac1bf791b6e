"""OVA: a machine as VMware, VirtualBox, Proxmox and most others import it, with its disk in a compressed VMDK."""

from collections.abc import Sequence
from typing import BinaryIO

from jeos.disk import formats, ova, ova_write, ovf_write
from jeos.disk.blocks import Blocks
from jeos.disk.formats import vmdk_write
from jeos.disk.formats.siblings import Place
from jeos.export import descriptor
from jeos.export.source import Source
from jeos.export.target import Hardware, Options
from jeos.model.ovf import Disk

HELP = "for VMware, VirtualBox and Proxmox VE, a machine with its disk"
SUFFIX = ".ova"
PACKED = True


def write(source: Source, file: BinaryIO, *, options: Options) -> Sequence[str]:
    """Write the archive; warn of drivers that the machine lacks for the hardware that it asks for."""
    hardware = options.hardware or descriptor.usual_hardware(source)
    populated = sum(end - start for start, end in source.disk.data(0, source.disk.size))

    def render(sizes: Sequence[int]) -> bytes:
        envelope = descriptor.envelope(source, hardware=hardware, size=sizes[0], populated=populated)
        return ovf_write.render(envelope)

    def write_disk(into: BinaryIO) -> None:
        vmdk_write.write(source.disk, into, effort=options.effort)

    ova_write.write(
        file,
        name=source.stem,
        render=render,
        disks=[(descriptor.disk_name(source), write_disk)],
        algorithm=options.manifest,
        signatory=options.signatory,
    )
    missing = descriptor.missing_drivers(source, hardware=hardware)
    return (_warning(missing, hardware=hardware),) if missing else ()


def _warning(missing: Sequence[str], *, hardware: Hardware) -> str:
    advice = (
        'the kernel of `kernel.flavour = "generic"` in the recipe has them'
        if hardware is Hardware.PLAIN
        else "add them to `kernel.modules` in the recipe, or export with --hardware plain"
    )
    return f"the machine asks for {hardware} hardware, and its kernel lacks {', '.join(missing)}: {advice}"


def open(blocks: Blocks) -> Blocks:
    """Return the disk in an archive, whose manifest and signature hold."""
    package = ova.open_archive(blocks, source="the OVA")
    ova.signer(package)
    for _ in ova.verify(package):
        pass
    disk: Disk = package.envelope.disks[0]
    kept = package.open_disk(disk)
    assert kept is not None
    return formats.open_as(kept, Place(), format="vmdk")
