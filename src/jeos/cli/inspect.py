"""`jeos inspect`: what a machine is, and what a conversion would change in it."""

import argparse
from collections.abc import Iterator

from jeos.cli import output
from jeos.convert import adapt
from jeos.convert.changes import Fix
from jeos.convert.inspect import Inspection, inspect
from jeos.convert.machine import HOSTS, Options
from jeos.convert.source import Source, open_source
from jeos.convert.survey import DRIVERS, Interface, Kernel, Survey, System, Volume

HELP = "say what a foreign machine or disk is, and what `jeos convert` would change in it"

LABEL_WIDTH = 16  # columns of what stands before the values of a system
SHOWN = ("virtio", "vmware", "hyperv")  # kinds of host whose drivers are shown for each kernel


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos inspect`."""
    parser.add_argument(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="an OVA or OVF, a disk in any format, a block device, or ssh://[USER@]HOST/dev/DISK; "
        "several disks of one machine in their order",
    )
    parser.add_argument("--format", default="", metavar="NAME", help="the format of the disks (default: find it out)")
    parser.add_argument(
        "--for",
        dest="host",
        choices=HOSTS,
        default="virtio",
        help="what it would be converted for (default: virtio, which QEMU, KVM and Proxmox have)",
    )
    parser.add_argument(
        "--ssh-option", action="append", default=[], metavar="KEY=VALUE", help="an option for ssh; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print what was found."""
    with open_source(args.source, format=args.format, ssh_options=args.ssh_option) as source:
        found = inspect([disk.blocks for disk in source.disks])
        options = Options(macs=source.macs, hosts=(args.host,))
        fixes = [adapt.plan(machine, options) for machine in found.machines()]
        if args.json:
            output.as_json(as_data(source, found, fixes))
        else:
            for line in report(source, found, fixes):
                output.line(line)
    return 0


def as_data(source: Source, found: Inspection, fixes: list[tuple[Fix, ...]]) -> dict[str, object]:
    """Return all that was found for programs; of changes to files only the paths."""
    return {
        "name": source.name,
        "sources": [{"name": disk.name, "format": disk.format, "size": disk.blocks.size} for disk in source.disks],
        "hardware": source.system,
        "survey": found.survey,
        "fixes": [
            [
                {
                    "name": fix.name,
                    "title": fix.title,
                    "paths": sorted({change.path for change in fix.changes}),
                    "notes": fix.notes,
                    "cannot": fix.cannot,
                }
                for fix in planned
            ]
            for planned in fixes
        ],
        "notes": [*source.notes, *found.survey.notes],
    }


def report(source: Source, found: Inspection, fixes: list[tuple[Fix, ...]]) -> Iterator[str]:
    """Yield the lines of the report: each system, then disks and volumes, then what would be changed."""
    survey = found.survey
    yield f"{source.name}: {_what(survey)}"
    yield from _hardware(source)
    for system in survey.systems:
        yield from _system(system)
    yield from _volumes(source, survey)
    for system, planned in zip(survey.systems, fixes, strict=True):
        yield from _fixes(system, planned, several=len(survey.systems) > 1)
    notes = [*source.notes, *survey.notes, *(note for system in survey.systems for note in system.notes)]
    yield from _listed("Worth knowing", notes)


def _what(survey: Survey) -> str:
    if survey.systems:
        return ", ".join(system.pretty or system.name or system.family for system in survey.systems)
    contents = sorted({volume.content for volume in survey.volumes if volume.content})
    return f"no operating system was found; its disks hold {', '.join(contents)}" if contents else "nothing was found"


def _row(label: str, value: str) -> Iterator[str]:
    if value:
        yield f"  {label.ljust(LABEL_WIDTH)}{value}"


def _hardware(source: Source) -> Iterator[str]:
    """Yield what the machine's description says of its hardware."""
    system = source.system
    if system is None:
        return
    yield ""
    yield "The package says"
    product = " ".join(part for part in (system.product.vendor, system.product.name, system.product.version) if part)
    yield from _row("product", product)
    memory = f", {output.size(system.memory << 20)} of memory" if system.memory else ""
    yield from _row("hardware", f"{system.cpus} processor{'s' * (system.cpus > 1)}{memory}")
    made = ", ".join(part for part in (system.hardware, system.os_type or system.os_description) if part)
    yield from _row("made for", made)
    yield from _row("firmware", str(system.firmware).upper() + (" with secure boot" if system.secure_boot else ""))
    for nic in system.nics:
        network = f' on "{nic.network}"' if nic.network else ""
        yield from _row("network card", f"{nic.model or 'of any kind'}{network}{f', {nic.mac}' if nic.mac else ''}")


def _system(system: System) -> Iterator[str]:
    yield ""
    yield system.pretty or system.name or system.family
    where = f"{system.volume}, subvolume {system.subvolume}" if system.subvolume else system.volume
    yield from _row("root", f"{where} ({system.architecture})" if system.architecture else where)
    yield from _row("host name", system.hostname)
    yield from _row("starts by", _starts_by(system))
    made = f", first file systems by {system.initramfs}" if system.initramfs else ""
    yield from _row("packages", f"{system.packages}{made}" if system.packages else "")
    yield from _row("tools", ", ".join(tool.name for tool in system.tools))
    yield from _kernels(system.kernels)
    yield from _network(system.interfaces)


def _starts_by(system: System) -> str:
    boot = system.boot
    ways = []
    if boot.bios:
        loader = {"grub": "GRUB", "other": "a loader"}.get(boot.bios_loader, boot.bios_loader)
        ways.append(f"BIOS ({loader} in the first sector of {boot.bios})")
    kinds = dict.fromkeys(loader.kind for loader in boot.loaders if loader.kind not in ("", "other"))
    if boot.loaders:
        fallback = "" if boot.fallback else ", not where firmware without memory looks"
        ways.append(f"UEFI ({', '.join(kinds) or 'a loader'}{fallback})")
    return " or ".join(ways)


def _kernels(kernels: tuple[Kernel, ...]) -> Iterator[str]:
    if not kernels:
        return
    rows = []
    for kernel in kernels:
        initrd = kernel.initrd
        ready = [", ".join(_drivers(kernel, host)) or "none" for host in SHOWN]
        size = output.size(initrd.size) if initrd else "none"
        rows.append((kernel.version, size, *ready))
    yield ""
    yield from output.lines(rows, header=("kernel", "initrd", *(f"{host} drivers" for host in SHOWN)), indent=2)


def _drivers(kernel: Kernel, host: str) -> Iterator[str]:
    """Yield the drivers for a kind of host that the kernel has at its start."""
    there = {*kernel.builtin, *(kernel.initrd.modules if kernel.initrd else ())}
    yield from (name for name in DRIVERS[host] if name in there)


def _network(interfaces: tuple[Interface, ...]) -> Iterator[str]:
    if not interfaces:
        return
    rows = [
        (
            item.name or "any",
            ", ".join(item.addresses) + (" and DHCP" if item.dhcp and item.addresses else "DHCP" * item.dhcp),
            ", ".join(item.gateways),
            item.mac,
            f"/{item.path}",
        )
        for item in interfaces
    ]
    yield ""
    yield from output.lines(rows, header=("interface", "addresses", "gateway", "mac", "configured in"), indent=2)


def _volumes(source: Source, survey: Survey) -> Iterator[str]:
    yield ""
    yield "Disks"
    tables = {"gpt": "GPT", "dos": "MBR"}
    rows = [
        (disk.name, output.size(disk.size), opened.format, tables.get(disk.table, "none"), opened.name)
        for disk, opened in zip(survey.disks, source.disks, strict=True)
    ]
    yield from output.lines(rows, header=("disk", "size", "format", "table", "file"), right=(1,), indent=2)
    if survey.volumes:
        mounts = _mounted(survey)
        volumes = [_volume(volume, mounts.get(volume.name, "")) for volume in survey.volumes]
        yield ""
        header = ("volume", "size", "used", "holds", "label", "mounted at", "uuid")
        yield from output.lines(volumes, header=header, right=(1, 2), indent=2)


def _volume(volume: Volume, where: str) -> tuple[str, ...]:
    used = "" if volume.used is None else output.size(volume.used)
    label = volume.title or volume.label
    uuid = volume.uuid if volume.uuid.strip("0-") else ""
    return volume.name, output.size(volume.size), used, volume.content or "-", label, where, uuid


def _mounted(survey: Survey) -> dict[str, str]:
    """Return where volumes are mounted, by their names."""
    found: dict[str, list[str]] = {}
    for system in survey.systems:
        for mount in system.mounts:
            if mount.volume and mount.where not in found.setdefault(mount.volume, []):
                found[mount.volume].append("swap" if mount.type == "swap" else mount.where)
        if "/" not in found.setdefault(system.volume, []):
            found[system.volume].insert(0, "/")
    return {name: ", ".join(places) for name, places in found.items()}


def _fixes(system: System, planned: tuple[Fix, ...], *, several: bool) -> Iterator[str]:
    which = f" in {system.pretty or system.name} on {system.volume}" if several else ""
    changing = [fix for fix in planned if fix.changes]
    if changing:
        yield ""
        yield f"`jeos convert` would change{which}"
        for fix in changing:
            yield f"  {fix.title}"
            yield from (f"    - {note}" for note in fix.notes)
    yield from _listed(f"It cannot mend{which}", [text for fix in planned for text in fix.cannot])


def _listed(title: str, texts: list[str]) -> Iterator[str]:
    if texts:
        yield ""
        yield title
        yield from (f"  - {text}" for text in dict.fromkeys(texts))
