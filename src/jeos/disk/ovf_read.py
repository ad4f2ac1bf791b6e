"""Read an OVF descriptor (DMTF DSP0243; versions 0.9, 1.x and 2.x) into values.

    envelope = parse(text, source="web.ovf")

It takes what VMware, VirtualBox, oVirt and old tools write, as far as a machine can be made of it. Files that a
descriptor names must be beside it: addresses, absolute paths and ".." are refused.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace

from jeos.core.errors import InputError
from jeos.disk import ovf_hardware, ovf_xml
from jeos.disk.ovf_units import size
from jeos.disk.ovf_xml import HINT, Element
from jeos.model.ovf import Disk, Drive, Envelope, File, Network, Product, Property, System

NAMESPACE = re.compile(r"http://(?:schemas\.dmtf\.org|www\.vmware\.com/schema)/ovf/(?:(\d)/)?envelope(?:/(\d))?/?")
LOCATION = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/|\\")  # an address or an absolute path
LONGEST_NAME = 1024  # bytes


def parse(text: bytes, *, source: str) -> Envelope:
    """Return what a descriptor says. Raises InputError, naming `source`, if it is no OVF, is damaged or is hostile."""
    root = ovf_xml.parse(text, source=source)
    if root.name != "Envelope":
        raise InputError(f"{source} is not an OVF descriptor: it begins with <{root.name[:40]}>", hint=HINT)
    try:
        return _envelope(root)
    except InputError as error:
        raise InputError(f"{source}: {error.message}", hint=error.hint) from None


def _envelope(root: Element) -> Envelope:
    files = tuple(_file(one) for one in root.find("References").all("File"))
    found = list(_systems(root))
    defaults = {one.key: one.value for system in found for one in system.properties}
    disks = tuple(_disk(one, properties=defaults) for one in root.find("DiskSection").all("Disk"))
    _check_unique("file", [one.id for one in files])
    _check_unique("disk", [one.id for one in disks])
    return Envelope(
        version=_version(root.namespace),
        files=files,
        disks=disks,
        networks=tuple(
            Network(name=one.attributes.get("name", ""), description=one.find("Description").text)
            for one in root.find("NetworkSection").all("Network")
        ),
        systems=tuple(replace(one, drives=tuple(_settled(one.drives, disks=disks, files=files))) for one in found),
    )


def _version(namespace: str) -> str:
    match = NAMESPACE.fullmatch(namespace)
    if match is None or match[1]:  # http://www.vmware.com/schema/ovf/1/envelope was before the standard
        return "0.9"
    return match[2] or "0.9"


def _check_unique(what: str, names: list[str]) -> None:
    if len(set(names)) != len(names):
        again = next(name for place, name in enumerate(names) if name in names[:place])
        raise InputError(f"two of its {what}s are called {again[:80]!r}", hint=HINT)


def _file(element: Element) -> File:
    told = element.attributes
    href = told.get("href", "")
    check_href(href)
    compression = told.get("compression", "").lower()
    if compression not in ("", "identity", "gzip"):
        raise InputError(f"the file {href} is compressed with {compression[:40]!r}", hint="gzip alone is possible")
    return File(
        id=told.get("id", href),
        href=href,
        size=_count(told.get("size", ""), f"the size of {href}") if told.get("size") else None,
        compression="gzip" if compression == "gzip" else "",
        chunk_size=_count(told["chunkSize"], f"the chunk size of {href}") if told.get("chunkSize") else 0,
    )


def check_href(href: str) -> None:
    """Raise InputError for a name that leads elsewhere than beside the descriptor or in a folder there."""
    parts = re.split(r"[/\\]", href)
    if not href or len(href.encode()) > LONGEST_NAME or "\0" in href or LOCATION.match(href) or ".." in parts:
        raise InputError(f"it names the file {href[:80]!r}, which is not beside it", hint=HINT)


def _count(text: str, name: str) -> int:
    return size(text, "", default=1, name=name)


def _disk(element: Element, *, properties: Mapping[str, str]) -> Disk:
    told = element.attributes
    name = told.get("diskId", "") or told.get("fileRef", "")
    capacity = told.get("capacity", "")
    asked = re.fullmatch(r"\$\{(.+)\}", capacity)  # a property's value (DSP0243, 9.1)
    if asked:
        capacity = properties.get(asked[1], "")
    units = told.get("capacityAllocationUnits", "")
    return Disk(
        id=name,
        file=told.get("fileRef", ""),
        capacity=size(capacity, units, default=1, name=f"the capacity of {name}") if capacity else None,
        format=told.get("format", ""),
        parent=told.get("parentRef", ""),
        populated=_count(told["populatedSize"], f"the content of {name}") if told.get("populatedSize") else None,
    )


def _settled(drives: tuple[Drive, ...], *, disks: tuple[Disk, ...], files: tuple[File, ...]) -> Iterator[Drive]:
    """Yield drives whose disk or file is one that there is, or ""."""
    by_disk = {one.id for one in disks}
    disk_of_file = {one.file: one.id for one in disks if one.file}
    by_path = {one.href: one.id for one in files}  # oVirt puts the file's path where others put /disk/ID
    by_file = {one.id for one in files}
    for drive in drives:
        file = drive.file if drive.file in by_file else ""
        disk = drive.disk if drive.disk in by_disk else disk_of_file.get(by_path.get(drive.disk, drive.disk), "")
        if drive.disk and not disk:
            raise InputError(
                f"the drive {drive.name or drive.id!r} has the disk {drive.disk!r}, which is not there", hint=HINT
            )
        yield replace(drive, disk=disk, file=file)


def _systems(root: Element) -> Iterator[System]:
    """Yield all systems, however deep in collections."""
    configuration = _configuration(root.find("DeploymentOptionSection"))
    strings = _strings(root)
    waiting = deque([root])
    while waiting:
        element = waiting.popleft()
        for child in element.children:
            if child.name == "VirtualSystem":
                yield _system(child, configuration=configuration, strings=strings)
            elif child.name == "VirtualSystemCollection":
                waiting.append(child)


def _configuration(section: Element) -> str:
    """Return the configuration that counts where nobody chooses: the one that says so, or the first."""
    offered = [one.attributes for one in section.all("Configuration")]
    default = [one for one in offered if one.get("default") in ("true", "1")] or offered
    return default[0].get("id", "") if default else ""


def _strings(root: Element) -> dict[str, str]:
    """Return the texts that are kept apart for translators, the first language of each."""
    texts: dict[str, str] = {}
    for bundle in root.all("Strings"):
        for one in bundle.all("Msg"):
            texts.setdefault(one.attributes.get("msgid", ""), one.text)
    return texts


def _system(element: Element, *, configuration: str, strings: Mapping[str, str]) -> System:
    section = element.find("VirtualHardwareSection")
    machine = element.find("Machine")  # VirtualBox's own description of the same
    items = ovf_hardware.chosen(ovf_hardware.items(section), configuration=configuration)
    nics = list(ovf_hardware.nics(items))
    for place, address in enumerate(ovf_hardware.virtualbox_macs(machine)[: len(nics)]):
        nics[place] = replace(nics[place], mac=nics[place].mac or address)
    firmware, secure_boot = ovf_hardware.firmware(section, machine)
    system_section = element.find("OperatingSystemSection")
    name = element.attributes.get("id", "")
    return System(
        id=name,
        name=_text(element.find("Name"), strings)
        or section.find("System").find("VirtualSystemIdentifier").text
        or name,
        product=_product(element, strings),
        os=ovf_hardware.number(system_section.attributes.get("id", "")),
        os_type=system_section.attributes.get("osType", "") or system_section.find("OSType").text,
        os_description=_text(system_section.find("Description"), strings),
        hardware=section.find("System").find("VirtualSystemType").text,
        transport=tuple(section.attributes.get("transport", "").split()),
        firmware=firmware,
        secure_boot=secure_boot,
        cpus=ovf_hardware.cpus(items),
        memory=ovf_hardware.memory(items),
        controllers=tuple(ovf_hardware.controllers(items)),
        drives=tuple(ovf_hardware.drives(items)),
        nics=tuple(nics),
        properties=tuple(
            _property(one, section=each, configuration=configuration, strings=strings)
            for each in element.all("ProductSection")
            for one in each.all("Property")
        ),
        eulas=tuple(_text(one.find("License"), strings) for one in element.all("EulaSection")),
        annotation=_text(element.find("AnnotationSection").find("Annotation"), strings),
    )


def _text(element: Element, strings: Mapping[str, str]) -> str:
    return element.text or strings.get(element.attributes.get("msgid", ""), "")


def _product(element: Element, strings: Mapping[str, str]) -> Product:
    """Return the first product that is described: further ones are programs in the machine."""
    section = element.find("ProductSection")
    return Product(
        name=_text(section.find("Product"), strings),
        vendor=_text(section.find("Vendor"), strings),
        version=section.find("Version").text,
        full_version=section.find("FullVersion").text,
        vendor_url=section.find("VendorUrl").text,
        product_url=section.find("ProductUrl").text,
    )


def _property(element: Element, *, section: Element, configuration: str, strings: Mapping[str, str]) -> Property:
    told = element.attributes
    words = (section.attributes.get("class", ""), told.get("key", ""), section.attributes.get("instance", ""))
    values = [one.attributes for one in element.all("Value")]
    own = [one for one in values if one.get("configuration") == configuration] or [
        one for one in values if not one.get("configuration")
    ]
    return Property(
        key=".".join(word for word in words if word),
        type=told.get("type", "string"),
        value=(own[0] if own else told).get("value", ""),
        label=_text(element.find("Label"), strings),
        description=_text(element.find("Description"), strings),
        configurable=told.get("userConfigurable") in ("true", "1"),
        password=told.get("password") in ("true", "1"),
        qualifiers=told.get("qualifiers", ""),
    )
