"""From what was built, or any bootable disk, to a machine that runs it; and the properties that it is given.

machine = machine_of(Path("."), boot=Boot.DIRECT)
values = settle({"title": "Hello"}, rules_of(machine), ask=None)
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from jeos.build import outputs
from jeos.core.errors import InputError, UsageError
from jeos.disk import direct, formats
from jeos.disk.volumes import firmware
from jeos.model import hardware
from jeos.model.machine import Boot, Forward, Machine, OtherDisk
from jeos.model.properties import complaint
from jeos.model.recipe import Property
from jeos.vm import disks, foreign

LONGEST_VALUE = 64 << 10  # bytes of a property; systemd takes credentials of up to 1 MiB
KERNEL_UUID = Path("/proc/sys/kernel/random/uuid")  # a new one at each reading; the module uuid costs 10 ms to load
HIDDEN = "the value"  # what a message says instead of a secret

Ask = Callable[[Property], str]


def machine_of(path: Path, *, boot: Boot | None = None) -> Machine:
    """Return a new machine for a recipe's folder, an image's description or a disk.

    Without `boot`, what jeos built starts directly, an image that updates itself from firmware. Any other disk starts
    as its conversion wrote beside it, else with the firmware that it is made for.
    Raises InputError or UsageError.
    """
    if path.is_file() and path.suffix not in (".json", ".toml"):
        return _of_disk(path, boot=boot)
    built = outputs.find(path)
    description = path if path.suffix == ".json" else built.folder / f"{built.image.name}_{built.image.version}.json"
    usual = Boot.FIRMWARE if built.image.updates else Boot.DIRECT  # a kernel from outside would never be a newer one
    return _of_build(built, description=description.absolute(), boot=boot or usual)


def rules_of(machine: Machine) -> tuple[Property, ...]:
    """Return the properties that the machine's image may be given; none if jeos did not build it."""
    return outputs.find(Path(machine.image)).image.properties if machine.image else ()


def settle(given: Mapping[str, str], rules: Sequence[Property], *, ask: Ask | None) -> dict[str, str]:
    """Return the values of a machine's properties: those given, and what `ask` answers for required ones.

    Raises UsageError for a property that there is not, a value that does not fit, or a required one that is missing.
    """
    known = {rule.name: rule for rule in rules}
    for name in given:
        if name not in known:
            raise UsageError(f"there is no property {name}", hint=_nearest(name, known))
    values = dict(given)
    for rule in rules:
        if rule.required and rule.default is None and rule.name not in values:
            if ask is None:
                raise UsageError(f"the property {rule.name} must be set", hint=_how_to_set(rule))
            values[rule.name] = ask(rule)
    for name, value in values.items():
        _check(known[name], value)
    return values


def _check(rule: Property, value: str) -> None:
    shown = HIDDEN if rule.secret else repr(value)
    if len(value.encode(errors="surrogateescape")) > LONGEST_VALUE:
        raise UsageError(f"the property {rule.name} is longer than {LONGEST_VALUE >> 10} KiB", hint=_how_to_set(rule))
    wrong = complaint(rule, value)
    if wrong:
        raise UsageError(f"the property {rule.name}: {shown} {wrong}", hint=_how_to_set(rule))


def _how_to_set(rule: Property) -> str:
    text = f": {rule.description or rule.label}" if rule.description or rule.label else ""
    return (f"--set-file {rule.name}=FILE" if rule.secret else f"--set {rule.name}=VALUE") + text


def _nearest(name: str, known: Mapping[str, Property]) -> str:
    import difflib  # only for this message

    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"there are: {', '.join(known)}" if known else "this image has no properties"


def _of_build(built: outputs.Outputs, *, description: Path, boot: Boot) -> Machine:
    image = built.image
    machine = _new(
        Machine(
            name=image.name,
            disk=str(built.disk.absolute()),
            image=str(description),
            appliance=image.name,
            version=image.version,
            boot=boot,
            memory=image.memory,
            cpus=image.cpus,
            forwards=tuple(Forward(host=0, guest=port.guest, protocol=port.protocol) for port in image.ports),
        )
    )
    if boot is Boot.FIRMWARE:
        return machine
    parts = direct.unpack(built.kernel)
    return replace(machine, kernel=str(parts.kernel), initrd=str(parts.initrd), cmdline=parts.cmdline)


def _of_disk(path: Path, *, boot: Boot | None) -> Machine:
    if boot is Boot.DIRECT:
        raise UsageError(f"{path} is a disk and brings no kernel for --direct", hint="leave --direct away")
    name = re.sub(r"[^a-z0-9.-]+", "-", path.stem.lower()).strip("-.")[:48].strip("-.") or "machine"
    form = foreign.disk_format(path)
    known = _hardware(path)
    if known is None:
        with formats.open_disk(path, format=form) as disk:
            usual = Boot.BIOS if firmware.wanted(disk) == "bios" else Boot.FIRMWARE
        return _new(Machine(name=name, disk=str(path.absolute()), disk_format=form, boot=boot or usual))
    return _new(
        Machine(
            name=name,
            disk=str(path.absolute()),
            disk_format=form,
            boot=boot or known.boot,
            memory=known.memory,
            cpus=known.cpus,
            macs=known.macs,
            other_disks=tuple(_other_disk(path.absolute().with_name(name)) for name in known.disks),
        )
    )


def _hardware(disk: Path) -> hardware.Hardware | None:
    """Return what the conversion that made a disk wrote beside it, or None if there is nothing."""
    place = hardware.place(disk)
    try:
        return hardware.parse(place.read_text(errors="replace"), source=str(place))
    except FileNotFoundError:
        return None


def _other_disk(path: Path) -> OtherDisk:
    form = foreign.disk_format(path)
    return OtherDisk(path=str(path), format=form, fingerprint=disks.fingerprint(path))


def _new(machine: Machine) -> Machine:
    path = Path(machine.disk)
    try:
        return replace(
            machine,
            disk_fingerprint=disks.fingerprint(path),
            uuid=KERNEL_UUID.read_text().strip(),
            created=int(time.time()),
        )
    except FileNotFoundError:
        raise InputError(f"there is no disk {path}", hint="build it with `jeos build`") from None
