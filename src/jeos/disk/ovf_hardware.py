"""The hardware section of an OVF descriptor: items as CIM's resource allocation settings tell of them (DSP0243, 8).

Which of several configurations counts is decided before (`chosen`); what an item says is believed only where it is
understood, and what is not understood is left out, since a machine has many devices that nobody misses.
"""

import re
from collections.abc import Iterable, Iterator

from jeos.core.errors import InputError
from jeos.disk.ovf_units import size
from jeos.disk.ovf_xml import Element
from jeos.model.ovf import Bus, Controller, Drive, DriveKind, Firmware, Nic

MEBIBYTE = 1 << 20
MOST_CPUS = 4096

# CIM_ResourceAllocationSettingData.ResourceType
CPU, MEMORY, IDE, SCSI, NETWORK, FLOPPY, CD, DVD, DISK, STORAGE, USB = 3, 4, 5, 6, 10, 14, 15, 16, 17, 20, 23
BUSES = {IDE: Bus.IDE, SCSI: Bus.SCSI, USB: Bus.USB}
DRIVES = {DISK: DriveKind.DISK, CD: DriveKind.CDROM, DVD: DriveKind.CDROM, FLOPPY: DriveKind.FLOPPY}
STORAGE_BUSES = (("nvme", Bus.NVME), ("ahci", Bus.SATA), ("sata", Bus.SATA), ("scsi", Bus.SCSI), ("lsi", Bus.SCSI))
REFERENCE = re.compile(r"(?:ovf:)?/{0,2}(disk|file)/(.+)")


def chosen(items: Iterable[Element], *, configuration: str) -> list[Element]:
    """Return the items of one configuration, without those that only give bounds."""
    return [
        item
        for item in items
        if item.attributes.get("bound", "normal") == "normal"
        and ("configuration" not in item.attributes or configuration in item.attributes["configuration"].split())
    ]


def items(section: Element) -> Iterator[Element]:
    """Yield a section's items of all the kinds that there are (OVF 2 has its own for storage and ports)."""
    return (child for child in section.children if child.name in ("Item", "StorageItem", "EthernetPortItem"))


def value(item: Element, name: str) -> str:
    """Return what an item says of one thing, or ""."""
    return item.find(name).text


def _kind(item: Element) -> int | None:
    return number(value(item, "ResourceType"))


def number(text: str) -> int | None:
    """Return a small whole number; None for anything else."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _identifier(item: Element) -> str:
    return value(item, "InstanceID") or value(item, "InstanceId")


def _name(item: Element) -> str:
    return value(item, "ElementName") or value(item, "Caption")


def cpus(chosen_items: Iterable[Element]) -> int:
    """Return how many processors there are. Raises InputError for a number that cannot be."""
    counts = [value(item, "VirtualQuantity") for item in chosen_items if _kind(item) == CPU]
    if not counts:
        return 1
    count = number(counts[0]) or 0
    if not 0 < count <= MOST_CPUS:
        raise InputError(f"the machine has {counts[0]!r} processors", hint=f"from 1 to {MOST_CPUS} are possible")
    return count


def memory(chosen_items: Iterable[Element]) -> int | None:
    """Return the memory in MiB, rounded up; None if nothing is said. Raises InputError if it is no size."""
    for item in chosen_items:
        if _kind(item) == MEMORY:
            units = value(item, "AllocationUnits") or value(item, "VirtualQuantityUnits")
            count = size(value(item, "VirtualQuantity"), units, default=MEBIBYTE, name="the machine's memory")
            return -(-count // MEBIBYTE)
    return None


def controllers(chosen_items: Iterable[Element]) -> Iterator[Controller]:
    """Yield what drives can hang on."""
    for item in chosen_items:
        kind, model = _kind(item), value(item, "ResourceSubType")
        bus = BUSES.get(kind or 0)
        if kind == STORAGE:
            words = f"{model} {_name(item)}".lower()
            bus = next((found for word, found in STORAGE_BUSES if word in words), Bus.OTHER)
        if bus is not None:
            yield Controller(id=_identifier(item), bus=bus, model=model, address=number(value(item, "Address")))


def drives(chosen_items: Iterable[Element]) -> Iterator[Drive]:
    """Yield the drives, with what is in them."""
    for item in chosen_items:
        kind = DRIVES.get(_kind(item) or 0)
        if kind is None:
            continue
        disk, file = _reference(value(item, "HostResource"))
        yield Drive(
            id=_identifier(item),
            kind=kind,
            disk=disk,
            file=file,
            controller=value(item, "Parent"),
            place=number(value(item, "AddressOnParent")),
            name=_name(item),
        )


def _reference(text: str) -> tuple[str, str]:
    """Return the disk and the file that a host resource stands for: "ovf:/disk/ID" and "/disk/ID" are both written."""
    match = REFERENCE.fullmatch(text)
    if match is None:
        return text, ""  # oVirt gives a path of its own; the reader looks whether it is that of a disk or file
    return (match[2], "") if match[1] == "disk" else ("", match[2])


def nics(chosen_items: Iterable[Element]) -> Iterator[Nic]:
    """Yield the network adapters."""
    for item in chosen_items:
        if _kind(item) == NETWORK:
            address = value(item, "Address") or value(item, "MACAddress") or value(item, "MacAddress")
            yield Nic(
                id=_identifier(item),
                network=value(item, "Connection"),
                model=value(item, "ResourceSubType"),
                mac=mac(address),
                name=_name(item),
            )


def mac(text: str) -> str:
    """Return an address as aa:bb:cc:dd:ee:ff, or "" if it is none (some tools write a number of the PCI slot there)."""
    digits = re.sub(r"[:.-]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        return ""
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))


def firmware(section: Element, machine: Element) -> tuple[Firmware, bool]:
    """Return what starts the machine and whether it checks signatures; `machine` is VirtualBox's own description.

    OVF itself has no word for it. VMware and all who follow it write <vmw:Config key="firmware" value="efi"/>.
    """
    told = {one.attributes.get("key", ""): one.attributes.get("value", "") for one in section.all("Config")}
    hardware = machine.find("Hardware")
    virtualbox = hardware.find("Firmware").attributes.get("type", "")
    efi = told.get("firmware", "").lower() in ("efi", "uefi") or virtualbox.upper().startswith("EFI")
    secure = told.get("bootOptions.efiSecureBootEnabled", "").lower() == "true"
    return (Firmware.EFI if efi else Firmware.BIOS), efi and secure


def virtualbox_macs(machine: Element) -> list[str]:
    """Return the addresses of the enabled adapters, in their order: VirtualBox leaves them out of the items."""
    adapters = machine.find("Hardware").find("Network").all("Adapter")
    enabled = [one.attributes for one in adapters if one.attributes.get("enabled") == "true"]
    enabled.sort(key=lambda one: number(one.get("slot", "")) or 0)
    return [mac(one.get("MACAddress", "")) for one in enabled]
