"""Write an OVF descriptor (DMTF DSP0243 1.1), of what VMware, VirtualBox, Proxmox and virt-v2v all take.

    text = render(envelope)

What is left out is left out on purpose: virt-v2v finds no disks in OVF 2, and VMware refuses its items for storage and
ports, hardware families of others, and settings that it does not know. Parts of an item are in the order of CIM's
schema, which is the alphabet's.
"""

import re
from collections.abc import Iterator, Mapping

from jeos.model.ovf import Bus, Controller, Disk, Drive, DriveKind, Envelope, Firmware, Nic, Property, System

STREAM_OPTIMIZED = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
NAMESPACES = {
    "xmlns": "http://schemas.dmtf.org/ovf/envelope/1",
    "xmlns:ovf": "http://schemas.dmtf.org/ovf/envelope/1",
    "xmlns:rasd": "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData",
    "xmlns:vssd": "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData",
    "xmlns:vmw": "http://www.vmware.com/schema/ovf",
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
UNITS = ((1 << 30, "byte * 2^30"), (1 << 20, "byte * 2^20"), (1 << 10, "byte * 2^10"), (1, "byte"))
RESOURCES = {Bus.IDE: 5, Bus.SCSI: 6, Bus.SATA: 20, Bus.NVME: 20, Bus.USB: 23, Bus.OTHER: 20}
DRIVES = {DriveKind.DISK: 17, DriveKind.CDROM: 15, DriveKind.FLOPPY: 14}
UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 has no way to write

Line = tuple[int, str]  # depth and text


def render(envelope: Envelope) -> bytes:
    """Return the descriptor as UTF-8."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines += ["  " * depth + text for depth, text in _envelope(envelope)]
    return ("\n".join(lines) + "\n").encode()


def quoted(text: str, *, attribute: bool = False) -> str:
    """Return text as XML has it; what XML cannot have becomes U+FFFD."""
    text = UNPRINTABLE.sub("\ufffd", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = text.replace("\r", "&#13;")
    if attribute:
        text = text.replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return text


def _tag(name: str, attributes: Mapping[str, str | int | None]) -> str:
    """Return the inside of a start tag; attributes that are None are left out."""
    given = [f' {key}="{quoted(str(value), attribute=True)}"' for key, value in attributes.items() if value is not None]
    return name + "".join(given)


def _element(name: str, text: str = "", **attributes: str | int | None) -> Line:
    """Return an element on one line; attributes are of the namespace ovf."""
    tag = _tag(name, {f"ovf:{key}": value for key, value in attributes.items()})
    return 0, f"<{tag}>{quoted(text)}</{name}>" if text else f"<{tag}/>"


def _within(name: str, lines: Iterator[Line], **attributes: str | int | None) -> Iterator[Line]:
    """Yield an element with others in it."""
    yield 0, f"<{_tag(name, {f'ovf:{key}': value for key, value in attributes.items()})}>"
    for depth, text in lines:
        yield depth + 1, text
    yield 0, f"</{name}>"


def _envelope(envelope: Envelope) -> Iterator[Line]:
    yield 0, f"<{_tag('Envelope', NAMESPACES)}>"
    for part in (_references(envelope), _disks(envelope), _networks(envelope)):
        for depth, text in part:
            yield depth + 1, text
    for system in envelope.systems:
        for depth, text in _within("VirtualSystem", _system(system), id=system.id):
            yield depth + 1, text
    yield 0, "</Envelope>"


def _references(envelope: Envelope) -> Iterator[Line]:
    files = (_element("File", href=one.href, id=one.id, size=one.size) for one in envelope.files)
    yield from _within("References", files)


def _disks(envelope: Envelope) -> Iterator[Line]:
    def lines() -> Iterator[Line]:
        yield _element("Info", "The virtual disks")
        for disk in envelope.disks:
            yield _disk(disk)

    yield from _within("DiskSection", lines())


def _disk(disk: Disk) -> Line:
    capacity = disk.capacity or 0
    size, unit = next((size, unit) for size, unit in UNITS if capacity % size == 0)
    return _element(
        "Disk",
        capacity=capacity // size,
        capacityAllocationUnits=unit,
        diskId=disk.id,
        fileRef=disk.file or None,
        format=disk.format or STREAM_OPTIMIZED,
        populatedSize=disk.populated,
    )


def _networks(envelope: Envelope) -> Iterator[Line]:
    def lines() -> Iterator[Line]:
        yield _element("Info", "The networks that the machine is on")
        for network in envelope.networks:
            yield 0, f"<{_tag('Network', {'ovf:name': network.name})}>"
            yield 1, _element("Description", network.description)[1]
            yield 0, "</Network>"

    if envelope.networks:
        yield from _within("NetworkSection", lines())


def _system(system: System) -> Iterator[Line]:
    yield _element("Info", "A virtual machine")
    yield _element("Name", system.name)
    if system.annotation:
        parts = [_element("Info", "A note"), _element("Annotation", system.annotation)]
        yield from _within("AnnotationSection", iter(parts))
    yield from _within("ProductSection", _product(system))
    for text in system.eulas:
        yield from _within("EulaSection", iter([_element("Info", "The licence"), _element("License", text)]))
    yield from _operating_system(system)
    yield from _within("VirtualHardwareSection", _hardware(system), transport=" ".join(system.transport) or None)


def _product(system: System) -> Iterator[Line]:
    product = system.product
    yield _element("Info", "What the machine is for")
    told = (
        ("Product", product.name),
        ("Vendor", product.vendor),
        ("Version", product.version),
        ("FullVersion", product.full_version),
        ("ProductUrl", product.product_url),
        ("VendorUrl", product.vendor_url),
    )
    for name, text in told:
        if text:
            yield _element(name, text)
    for one in system.properties:
        yield from _property(one)


def _property(one: Property) -> Iterator[Line]:
    lines = [_element(name, text) for name, text in (("Label", one.label), ("Description", one.description)) if text]
    yield from _within(
        "Property",
        iter(lines),
        key=one.key,
        type=one.type,
        password="true" if one.password else None,
        qualifiers=one.qualifiers or None,
        userConfigurable="true" if one.configurable else None,
        value=one.value,
    )


def _operating_system(system: System) -> Iterator[Line]:
    attributes = {"ovf:id": system.os or 1, "vmw:osType": system.os_type or None}  # 1 is "Other"
    yield 0, f"<{_tag('OperatingSystemSection', attributes)}>"
    yield 1, _element("Info", "The installed operating system")[1]
    if system.os_description:
        yield 1, _element("Description", system.os_description)[1]
    yield 0, "</OperatingSystemSection>"


def _hardware(system: System) -> Iterator[Line]:
    yield _element("Info", "The virtual hardware")
    yield from _within("System", _family(system))
    yield from _item(
        AllocationUnits="hertz * 10^6",
        Description="Number of virtual processors",
        ElementName=f"{system.cpus} virtual CPU(s)",
        InstanceID="1",
        ResourceType=3,
        VirtualQuantity=system.cpus,
    )
    if system.memory is not None:
        yield from _item(
            AllocationUnits="byte * 2^20",
            Description="Memory size",
            ElementName=f"{system.memory} MB of memory",
            InstanceID="2",
            ResourceType=4,
            VirtualQuantity=system.memory,
        )
    for controller in system.controllers:
        yield from _controller(controller)
    for drive in system.drives:
        yield from _drive(drive)
    for nic in system.nics:
        yield from _nic(nic)
    yield _setting("firmware", system.firmware)
    if system.firmware is Firmware.EFI:
        yield _setting("bootOptions.efiSecureBootEnabled", "true" if system.secure_boot else "false")


def _setting(key: str, value: str) -> Line:
    """Return a setting of VMware's, which others may leave alone."""
    return 0, f"<{_tag('vmw:Config', {'ovf:required': 'false', 'vmw:key': key, 'vmw:value': value})}/>"


def _family(system: System) -> Iterator[Line]:
    yield _element("vssd:ElementName", "Virtual Hardware Family")
    yield _element("vssd:InstanceID", "0")
    yield _element("vssd:VirtualSystemIdentifier", system.id)
    yield _element("vssd:VirtualSystemType", system.hardware)


def _item(*, required: bool = True, **parts: str | int | None) -> Iterator[Line]:
    """Yield an item, its parts in the order of the alphabet."""
    lines = [_element(f"rasd:{name}", str(parts[name])) for name in sorted(parts) if parts[name] is not None]
    yield from _within("Item", iter(lines), required=None if required else "false")


def _controller(controller: Controller) -> Iterator[Line]:
    name = f"{controller.bus.upper()} controller {controller.address or 0}"
    yield from _item(
        Address=controller.address or 0,
        Description=name,
        ElementName=name,
        InstanceID=controller.id,
        ResourceSubType=controller.model or None,
        ResourceType=RESOURCES[controller.bus],
    )


def _drive(drive: Drive) -> Iterator[Line]:
    empty = drive.kind is not DriveKind.DISK and not drive.disk and not drive.file
    resource = f"ovf:/disk/{drive.disk}" if drive.disk else f"ovf:/file/{drive.file}" if drive.file else None
    yield from _item(
        required=not empty,
        AddressOnParent=drive.place,
        AutomaticAllocation=None if resource else "true",
        ElementName=drive.name or f"{drive.kind.capitalize()} {drive.id}",
        HostResource=resource,
        InstanceID=drive.id,
        Parent=drive.controller or None,
        ResourceType=DRIVES[drive.kind],
    )


def _nic(nic: Nic) -> Iterator[Line]:
    yield from _item(
        Address=nic.mac or None,
        AutomaticAllocation="true",
        Connection=nic.network,
        ElementName=nic.name or f"Network adapter {nic.id}",
        InstanceID=nic.id,
        ResourceSubType=nic.model or None,
        ResourceType=10,
    )
