"""The OVF descriptor of what is exported: a machine with one disk, described so that hypervisors can make it."""

from jeos.disk.formats.vmdk_write import GRAIN
from jeos.disk.ovf_write import STREAM_OPTIMIZED
from jeos.disk.tar_write import padded
from jeos.export.source import Source
from jeos.export.target import Hardware
from jeos.model import ovf
from jeos.model.image import Port
from jeos.model.ovf import Bus, Controller, Disk, Drive, DriveKind, Envelope, File, Network, Nic, Product, System
from jeos.model.recipe import Property

FAMILY = "vmx-11"  # ESXi 6.0, Workstation 12, Fusion 8 and all later ones take it
NETWORK = "VM Network"  # what a new ESXi host calls its own
DEBIAN, LINUX = 96, 101  # CIM_OperatingSystem.OsType: Debian 64-bit, Linux 64-bit
DEBIAN_NAME, LINUX_NAME = "debian8_64Guest", "other3xLinux64Guest"  # the newest that ESXi 6.0 knows
CONTROLLER, DISK, NIC, IDE_CONTROLLER, CD = "3", "4", "5", "6", "7"  # instance IDs; 1 and 2: processors and memory

CONTROLLERS = {
    Hardware.VMWARE: Controller(CONTROLLER, Bus.SCSI, model="VirtualSCSI", address=0),
    Hardware.PLAIN: Controller(CONTROLLER, Bus.SATA, model="vmware.sata.ahci", address=0),
}
HARD_DISK = Drive(DISK, DriveKind.DISK, disk="vmdisk1", controller=CONTROLLER, place=0, name="Hard disk 1")
# Where the hypervisor puts in the disc with the properties; the agent reads it (agent/ovf_environment.py).
IDE = Controller(IDE_CONTROLLER, Bus.IDE, address=0)
CD_DRIVE = Drive(CD, DriveKind.CDROM, controller=IDE_CONTROLLER, place=0, name="CD/DVD drive 1")
NICS = {Hardware.VMWARE: "VmxNet3", Hardware.PLAIN: "E1000"}
DRIVERS = {Hardware.VMWARE: ("vmw_pvscsi", "vmxnet3"), Hardware.PLAIN: ("ahci", "e1000")}


def envelope(source: Source, *, hardware: Hardware, size: int, populated: int) -> Envelope:
    """Return the descriptor for a disk whose file has `size` bytes and of which `populated` bytes are in use."""
    return Envelope(
        version="1",
        files=(File("file1", disk_name(source), size=size),),
        disks=(
            Disk(
                "vmdisk1",
                file="file1",
                capacity=padded(source.disk.size, unit=GRAIN),
                format=STREAM_OPTIMIZED,
                populated=populated,
            ),
        ),
        networks=(Network(NETWORK, "The network that the machine is on"),),
        systems=(_system(source, hardware=hardware),),
    )


def disk_name(source: Source) -> str:
    """Return the name of the disk's file."""
    return f"{source.stem}-disk1.vmdk"


def usual_hardware(source: Source) -> Hardware:
    """Return what a machine is most likely to have drivers for: images of jeos for VMware's, others for plain ones."""
    return Hardware.PLAIN if source.modules is None else Hardware.VMWARE


def missing_drivers(source: Source, *, hardware: Hardware) -> tuple[str, ...]:
    """Return the drivers that the hardware needs and that the kernel does not have."""
    if source.modules is None:
        return ()
    return tuple(name for name in DRIVERS[hardware] if name not in source.modules)


def _system(source: Source, *, hardware: Hardware) -> System:
    return System(
        id=source.name,
        name=source.name,
        product=Product(name=source.name, vendor=source.vendor, version=source.version),
        os=DEBIAN if source.debian else LINUX,
        os_type=DEBIAN_NAME if source.debian else LINUX_NAME,
        os_description="Debian GNU/Linux (64-bit)" if source.debian else "Linux (64-bit)",
        hardware=FAMILY,
        transport=("iso",) if source.properties else (),
        firmware=source.firmware,
        cpus=source.cpus,
        memory=source.memory,
        controllers=(CONTROLLERS[hardware], *((IDE,) if source.properties else ())),
        drives=(HARD_DISK, *((CD_DRIVE,) if source.properties else ())),
        nics=(Nic(NIC, network=NETWORK, model=NICS[hardware], name="Network adapter 1"),),
        properties=tuple(_property(one) for one in source.properties),
        eulas=(source.eula.strip(),) if source.eula.strip() else (),
        annotation="\n".join(_port(one) for one in source.ports),
    )


def _port(port: Port) -> str:
    return f"Port {port.guest}/{port.protocol}" + (f": {port.name}" if port.name else "")


def _property(rule: Property) -> ovf.Property:
    """Return a property as OVF has it; what OVF has no word for (patterns, limits of numbers) is told in words."""
    return ovf.Property(
        key=rule.name,
        type={"integer": "sint64", "boolean": "boolean"}.get(rule.type, "string"),
        value="" if rule.secret or rule.default is None else rule.default,
        label=rule.label or rule.name,
        description=" ".join(part for part in (rule.description, *_limits(rule)) if part),
        configurable=True,
        password=rule.secret,
        qualifiers=_qualifiers(rule),
    )


def _limits(rule: Property) -> list[str]:
    words = []
    if rule.minimum is not None:
        words.append(f"At least {rule.minimum}.")
    if rule.maximum is not None:
        words.append(f"At most {rule.maximum}.")
    if rule.pattern:
        words.append(f"Form: {rule.pattern}")
    return words


def _qualifiers(rule: Property) -> str:
    if rule.type == "choice" and not any('"' in choice for choice in rule.choices):
        return "ValueMap{" + ",".join(f'"{choice}"' for choice in rule.choices) + "}"
    return "MinLen(1)" if rule.type == "string" and rule.required else ""
