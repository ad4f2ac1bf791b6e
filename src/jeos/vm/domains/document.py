"""From a machine to libvirt's description of a domain: a pure function, so that a test can compare it whole.

All domains are of QEMU's type `q35`: libvirt gives `microvm` no bus for its devices. The description carries whose
machine it is (`Owner`), so that jeos never touches a domain of somebody else.
Source: libvirt, "Domain XML format", and "QEMU/KVM/HVF hypervisor driver" for what is passed to QEMU as it is.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import UsageError
from jeos.model.machine import Boot, Forward, Machine, Share
from jeos.vm.command import (
    AGENT_PORT,
    CREDENTIAL,
    TRANSLATION_CACHE,
    Credential,
    escape,
    fits_fw_cfg,
    guest_cmdline,
    mac_addresses,
    share_tag,
)
from jeos.vm.firmware import Firmware

OWNER_NAMESPACE = "urn:jeos:machine"
QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"  # a name, at which nothing need be
PREFIX = "jeos-"  # of the names of domains, as of QEMU's own
MEBIBYTE = "MiB"
HOSTFWD = re.compile(r"hostfwd=(tcp|udp):([0-9.]+):(\d+)-[0-9.]*:(\d+)")  # as `network.hostfwd` writes it
OWN_SLOT = "0x18"  # on the bus, of the card that libvirt does not know; it gives its own devices slots from 1 up

ET.register_namespace("jeos", OWNER_NAMESPACE)
ET.register_namespace("qemu", QEMU_NAMESPACE)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose domain it is: the machine's name, and the folder with its files."""

    machine: str
    folder: str


@dataclass(frozen=True, slots=True)
class Wires:
    """What a domain is connected to.

    `agent` and `console` are paths of sockets that libvirt makes. `netdev` is the value of QEMU's `-netdev` where the
    first card needs what libvirt has no words for, such as forwarded ports, "" where it does not. `balloon` is the KiB
    that a guest held that was saved with fewer than all, 0 for all. `shares` are the sockets on which folders of the
    host are served by virtiofs, none where QEMU serves them itself. `user` is the numbers of who QEMU is to run as, for
    a libvirt that runs as root; None for one that is the user's own.
    """

    owner: Owner
    accelerator: str
    tsc_khz: int
    emulator: Path
    disks: tuple[Path, ...]
    agent: Path
    console: Path
    netdev: str = ""
    balloon: int = 0
    shares: tuple[Path, ...] = ()
    credentials: tuple[Credential, ...] = ()
    firmware: Firmware | None = None
    nvram: Path | None = None
    user: tuple[int, int] | None = None


def domain_name(machine: str) -> str:
    """Return the name of a machine's domain."""
    return PREFIX + machine


def domain_xml(machine: Machine, wires: Wires) -> str:
    """Return the description of a machine's domain."""
    emulated = wires.accelerator == "tcg"
    domain = ET.Element("domain", type="qemu" if emulated else "kvm")
    _text(domain, "name", domain_name(machine.name))
    _text(domain, "uuid", machine.uuid)
    _text(domain, "title", f"{machine.appliance or machine.name} {machine.version}".strip())
    domain.append(owner_element(wires.owner))
    _text(domain, "memory", machine.memory, unit=MEBIBYTE)
    if wires.balloon:
        _text(domain, "currentMemory", wires.balloon, unit="KiB")
    if wires.shares:  # who serves a folder by virtiofs reads and writes the guest's memory itself
        backing = ET.SubElement(domain, "memoryBacking")
        ET.SubElement(backing, "source", type="memfd")
        ET.SubElement(backing, "access", mode="shared")
    _text(domain, "vcpu", machine.cpus)
    _sysinfo(domain, wires.credentials)
    domain.append(_start(machine, wires))
    domain.append(_features(emulated=emulated))
    ET.SubElement(domain, "cpu", mode="maximum" if emulated else "host-passthrough")
    ET.SubElement(domain, "clock", offset="utc")
    for event, action in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "restart")):
        _text(domain, f"on_{event}", action)
    domain.append(_devices(machine, wires))
    if wires.user is not None:
        label = ET.SubElement(domain, "seclabel", type="static", model="dac", relabel="no")
        _text(label, "label", "+{}:+{}".format(*wires.user))
    _beside(domain, machine, wires)
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode") + "\n"


def owner_element(owner: Owner) -> ET.Element:
    """Return the metadata that say whose a domain is."""
    metadata = ET.Element("metadata")
    ET.SubElement(metadata, f"{{{OWNER_NAMESPACE}}}machine", name=owner.machine, folder=owner.folder)
    return metadata


def owner_of(text: str) -> Owner | None:
    """Return whose a domain is, by the element of its metadata that libvirt found; None if that is not jeos's."""
    try:
        element = _parsed(text)
    except ET.ParseError:
        return None
    name, folder = element.get("name"), element.get("folder")
    if element.tag.rpartition("}")[2] != "machine" or name is None or folder is None:
        return None
    return Owner(machine=name, folder=folder)


def forwards_of(xml: str) -> tuple[Forward, ...]:
    """Return the ports of this host that lead into a domain, from its description."""
    found = []
    for argument in _parsed(xml).iter(f"{{{QEMU_NAMESPACE}}}arg"):
        for protocol, address, host, guest in HOSTFWD.findall(argument.get("value", "")):
            found.append(Forward(host=int(host), guest=int(guest), protocol=protocol, address=address))
    return tuple(found)


def accelerator_of(xml: str) -> str:
    """Return what a domain runs on, "kvm" or "tcg", from its description."""
    return "kvm" if _parsed(xml).get("type") == "kvm" else "tcg"


def balloon_of(xml: str) -> int:
    """Return the KiB that a guest held when it was described, 0 if that was all."""
    domain = _parsed(xml)
    current, whole = domain.findtext("currentMemory"), domain.findtext("memory")
    return int(current) if current is not None and current != whole else 0


def _parsed(xml: str) -> ET.Element:
    return ET.fromstring(xml)  # noqa: S314 - what libvirt says was parsed by it, and holds no entities


def _start(machine: Machine, wires: Wires) -> ET.Element:
    start = ET.Element("os")
    _text(start, "type", "hvm", arch="x86_64", machine="q35")
    if machine.boot is Boot.DIRECT:
        _text(start, "kernel", machine.kernel)
        _text(start, "initrd", machine.initrd)
        _text(start, "cmdline", guest_cmdline(machine, accelerator=wires.accelerator, tsc_khz=wires.tsc_khz))
    elif machine.boot is Boot.FIRMWARE:
        if wires.firmware is None or wires.nvram is None:
            raise AssertionError("a machine that boots from firmware is wired to one")
        _text(start, "loader", wires.firmware.code, readonly="yes", type="pflash")
        _text(start, "nvram", wires.nvram)
    return start


def _features(*, emulated: bool) -> ET.Element:
    features = ET.Element("features")
    ET.SubElement(features, "acpi")
    ET.SubElement(features, "apic")
    if emulated:
        _text(ET.SubElement(features, "tcg"), "tb-cache", TRANSLATION_CACHE, unit=MEBIBYTE)
    return features


def _devices(machine: Machine, wires: Wires) -> ET.Element:
    devices = ET.Element("devices")
    _text(devices, "emulator", wires.emulator)
    bases = ((machine.disk, machine.disk_format), *((other.path, other.format) for other in machine.other_disks))
    for number, (path, base) in enumerate(zip(wires.disks, bases, strict=True)):
        first = number == 0 and machine.boot is not Boot.DIRECT  # or the firmware tries the network before the disk
        devices.append(_disk(number, path, base=base, first=first))
    ET.SubElement(devices, "controller", type="usb", model="none")
    macs = mac_addresses(machine)
    if not wires.netdev:
        devices.append(_card(macs[0], tap=machine.tap))
    for mac in macs[1:]:
        devices.append(_card(mac))
    devices.append(_socket("serial", wires.console, ET.Element("target", type="isa-serial", port="0")))
    devices.append(_socket("channel", wires.agent, ET.Element("target", type="virtio", name=AGENT_PORT)))
    for number, share in enumerate(machine.shares):
        devices.append(_served(number, wires.shares[number]) if wires.shares else _share(number, share))
    _text(ET.SubElement(devices, "rng", model="virtio"), "backend", "", model="builtin")
    ET.SubElement(devices, "memballoon", model="virtio", autodeflate="on", freePageReporting="on")
    video = ET.SubElement(devices, "video")
    ET.SubElement(video, "model", type="vga" if machine.foreign else "none")
    if machine.boot is not Boot.DIRECT:
        ET.SubElement(devices, "watchdog", model="i6300esb", action="reset")
        ET.SubElement(devices, "panic", model="isa")
    return devices


def _disk(number: int, path: Path, *, base: tuple[str, str], first: bool) -> ET.Element:
    """Return a disk, with the image under it (`base`: path, format): what the disk says of that is a guest's word."""
    disk = ET.Element("disk", type="file", device="disk")
    ET.SubElement(disk, "driver", name="qemu", type="qcow2", discard="unmap", detect_zeroes="unmap")
    ET.SubElement(disk, "source", file=str(path))
    disk.append(_below(*base))
    ET.SubElement(disk, "target", dev=f"vd{chr(ord('a') + number)}", bus="virtio")
    if number == 0:
        _text(disk, "serial", "system")
    if first:
        ET.SubElement(disk, "boot", order="1")
    return disk


def _below(path: str, form: str) -> ET.Element:
    below = ET.Element("backingStore")
    if path:
        below.set("type", "file")
        ET.SubElement(below, "format", type=form)
        ET.SubElement(below, "source", file=path)
        if form == "raw":
            ET.SubElement(below, "backingStore")  # and nothing is under that
    return below


def _card(mac: str, *, tap: str = "") -> ET.Element:
    """Return a network card, on a tap device that the host's administrator made or on a router in user space."""
    card = ET.Element("interface", type="ethernet" if tap else "user")
    ET.SubElement(card, "mac", address=mac)
    if tap:
        ET.SubElement(card, "target", dev=tap, managed="no")
    ET.SubElement(card, "model", type="virtio")
    ET.SubElement(card, "rom", enabled="no")
    return card


def _served(number: int, socket: Path) -> ET.Element:
    """Return a folder of the host that a virtiofsd of ours serves on a socket."""
    folder = ET.Element("filesystem", type="mount")
    ET.SubElement(folder, "driver", type="virtiofs")
    ET.SubElement(folder, "source", socket=str(socket))
    ET.SubElement(folder, "target", dir=share_tag(number))
    return folder


def _share(number: int, share: Share) -> ET.Element:
    """Return a folder of the host that QEMU serves itself, by 9p, with the rights that it has (squash)."""
    folder = ET.Element("filesystem", type="mount", accessmode="squash", multidevs="remap")
    ET.SubElement(folder, "source", dir=share.path)
    ET.SubElement(folder, "target", dir=share_tag(number))
    if share.read_only:
        ET.SubElement(folder, "readonly")
    return folder


def _socket(kind: str, path: Path, target: ET.Element) -> ET.Element:
    device = ET.Element(kind, type="unix")
    ET.SubElement(device, "source", mode="bind", path=str(path))
    device.append(target)
    return device


def _sysinfo(domain: ET.Element, credentials: Sequence[Credential]) -> None:
    """Hand properties over by their files: what libvirt shows, and what is on a command line, holds no value."""
    short = [one for one in credentials if not one.smbios]
    if not short:
        return
    entries = ET.SubElement(domain, "sysinfo", type="fwcfg")
    for credential in short:
        if not fits_fw_cfg(credential.name):
            raise UsageError(
                f"{credential.name} has {len(credential.name)} characters, too many for a direct boot",
                hint="start the machine with --firmware, or give the property a shorter name",
            )
        ET.SubElement(entries, "entry", name=CREDENTIAL + credential.name, file=str(credential.path))


def _beside(domain: ET.Element, machine: Machine, wires: Wires) -> None:
    """Give QEMU what libvirt has no words for: forwarded ports, and long names of properties."""
    words: list[str] = []
    if wires.netdev:
        card = f"virtio-net-pci,netdev=net,mac={mac_addresses(machine)[0]},romfile=,bus=pcie.0,addr={OWN_SLOT}"
        words += ["-netdev", wires.netdev, "-device", card]
    for credential in wires.credentials:
        if credential.smbios:
            words += ["-smbios", f"type=11,path={escape(credential.path)}"]
    if words:
        commandline = ET.SubElement(domain, f"{{{QEMU_NAMESPACE}}}commandline")
        for word in words:
            ET.SubElement(commandline, f"{{{QEMU_NAMESPACE}}}arg", value=word)


def _text(parent: ET.Element, name: str, value: object, **attributes: str) -> None:
    element = ET.SubElement(parent, name, attributes)
    element.text = str(value) or None
