"""`jeos run`: start an image as a virtual machine of this host."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jeos.cli import output, times
from jeos.core import log, settings
from jeos.core.errors import InputError, MachineError, UsageError
from jeos.core.terminal import plain
from jeos.model.machine import (
    ALIVE,
    DEVICE_SYNTAX,
    MOST_SHARES,
    NET_SYNTAX,
    PORT_SYNTAX,
    SHARE_SYNTAX,
    SMALLEST_MEMORY,
    WITHOUT_FOLDER,
    Boot,
    Channel,
    Confine,
    Device,
    Limits,
    Machine,
    Share,
    State,
    Status,
    check_name,
    parse_device,
    parse_folder,
    parse_forward,
    parse_net,
)
from jeos.vm import engine, session
from jeos.vm.attach import CONTROL_C, DETACH, attach
from jeos.vm.places import over_template, places_of

if TYPE_CHECKING:
    from jeos.model.recipe import Property

HELP = "start an image as a machine of this host, with its console here or (--detach) in the background"

SIZE_PATTERN = re.compile(r"(\d+)([KMGT]?)(?:i?B)?", re.IGNORECASE)
SIZE_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
MEBIBYTE = 1 << 20
NONE = "none"
BESIDE = 256  # MiB that QEMU may need beside the guest's memory, the code that it translated included
POLL_SECONDS = 0.1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos run`."""
    add = parser.add_argument
    add(
        "target",
        nargs="?",
        default=".",
        metavar="PATH|NAME",
        help="a recipe's folder (default: this one), an image's description (.json), a disk, or a machine to start",
    )
    add("--name", metavar="NAME", help="the machine's name (default: the appliance's)")
    add("--port", action="append", metavar=PORT_SYNTAX, help="lead a port of this host into the machine; repeatable")
    add(
        "--net",
        metavar=NET_SYNTAX,
        help="connect the machine to a tap device of this host, with vhost-net where it can be opened, to a router "
        "that needs no rights (user, the default), or to nobody (none)",
    )
    add("--memory", metavar="SIZE", help="memory, as 512M or 2G (default: what the image asks for)")
    add("--cpus", type=int, metavar="N", help="processors (default: what the image asks for)")
    add(
        "--share",
        action="append",
        metavar=SHARE_SYNTAX,
        help="let the machine see a folder of this host, read-only with :ro; repeatable; none takes all away",
    )
    add(
        "--device",
        action="append",
        metavar=DEVICE_SYNTAX,
        help="give the machine a PCI device of this host for itself; with bind, as root, it is taken from its driver "
        "until the machine ends; repeatable; none takes all away",
    )
    add("--disk", metavar="SIZE", help="let the disk be larger than the image, as 10G")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--direct", action="store_true", help="start the kernel without firmware: fast (default)")
    way.add_argument(
        "--firmware",
        action="store_true",
        help="boot the disk with UEFI firmware, as real machines do (default of an image that updates itself)",
    )
    way.add_argument("--bios", action="store_true", help="boot the disk with a BIOS (default of a disk made for one)")
    add("--set", action="append", default=[], metavar="PROPERTY=VALUE", help="set a property; repeatable")
    add(
        "--set-file",
        action="append",
        default=[],
        metavar="PROPERTY=FILE",
        help="set a property to what a file holds, so that a secret is on no command line; repeatable",
    )
    add(
        "--accel",
        choices=("auto", "kvm", "tcg"),
        help="run on the hardware (kvm) or emulate (tcg; default: what works)",
    )
    add(
        "--engine",
        metavar=engine.SYNTAX,
        help="let jeos start QEMU itself (qemu, the default), or let the machine be a domain of this host's libvirt: "
        "the system's for root, else your own (libvirt), or the one at an address, as libvirt=qemu:///system",
    )
    add(
        "--channel",
        choices=tuple(Channel),
        help="talk with the agent in the machine over vsock where there is one (auto, the default), over it or the "
        "machine does not start (vsock), or over a virtio-serial port",
    )
    configure_fences(parser)
    add("--accept-eula", action="store_true", help="agree to the appliance's licence without being shown it")
    add(
        "--from-template",
        action="store_true",
        help="make a new machine that goes on where `jeos template create` left the appliance: in no time",
    )
    add("--fresh", action="store_true", help="give a machine that there is already an empty disk: its data is lost")
    add("--detach", "-d", action="store_true", help="return once the machine runs, instead of showing its console")
    add("--wait", choices=("running", "healthy"), default="running", help="with --detach: return when it is this")
    add(
        "--timeout",
        type=times.wait,
        default=180.0,
        metavar="TIME",
        help="how long --wait waits, as 90 or 5m (default: 180s)",
    )
    add("--rm", action="store_true", help="remove the machine when it has stopped; not with --detach")
    add("--json", action="store_true", help="with --detach: print the machine as JSON")


def configure_fences(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what a machine may reach and use of this host."""
    add = parser.add_argument
    add(
        "--confine",
        choices=tuple(Confine),
        help="fence the machine off by all that this host has (auto, the default), by all that jeos knows, or it does "
        "not start (strict), or by QEMU's own filter alone (off)",
    )
    add("--limit-cpu", metavar="SHARE", help="processor time at most, as 150%% or 1.5 processors; none lifts it")
    add("--limit-memory", metavar="SIZE", help="this host's memory at most, the guest's and QEMU's; none lifts it")
    add("--limit-io", metavar="RATE", help="bytes a second from the disks, and as many to them, as 20M; none lifts it")


def run(args: argparse.Namespace) -> int:
    """Start the machine; show its console until it ends, or leave it running."""
    if args.rm and args.detach:
        raise UsageError("--rm is not possible with --detach", hint="later: jeos rm --force NAME")
    if args.from_template:
        return run_copy(args)
    from jeos.build import deploy, eula  # with all that a recipe may say, which copies of templates need not load

    machine = changed(wanted(args), args)
    rules = deploy.rules_of(machine)
    given = {**session.values(machine), **given_values(args.set, args.set_file)}
    someone = sys.stdin.isatty() and sys.stderr.isatty()
    licence = eula.place_of(machine)
    if licence:
        eula.settle(licence, accept=args.accept_eula, ask=agrees if someone else None)
    values = deploy.settle(given, rules, ask=ask if someone else None)
    machine = replace(machine, properties=tuple(sorted(values)))
    state = session.run(machine, values=values, fresh=args.fresh)
    announce(machine, state)
    return leave(machine, args) if args.detach else stay(machine, remove=args.rm)


def run_copy(args: argparse.Namespace) -> int:
    """Start a new machine from a template; show its console until it ends, or leave it running."""
    from jeos.vm import template  # what other starts need not load

    boot = ("firmware", "bios", "set", "set_file", "accel", "fresh", "channel")
    for option in ("share", "device", "net", "engine", "memory", "cpus", "disk", *boot):
        if getattr(args, option):
            word = f"--{option.replace('_', '-')}"
            raise UsageError(f"{word} is not possible with --from-template", hint=f"jeos template create {word} …")
    name = args.target if template.exists(args.target) else appliance_at(args.target)
    forwards = [parse_forward(text) for text in args.port] if args.port else None
    machine, start = template.copy_of(name, copy=check_name(args.name or name), forwards=forwards)
    machine = replace(
        machine,
        confine=Confine(args.confine) if args.confine else machine.confine,
        limits=limits(machine.limits, args, memory=machine.memory),
    )
    state = session.run(machine, values=template.values(name), nvram=template.nvram(name), start=start)
    announce(machine, state)
    return leave(machine, args) if args.detach else stay(machine, remove=args.rm)


def appliance_at(place: str) -> str:
    """Return the name of the appliance in a folder or image."""
    from jeos.build import deploy

    if not Path(place).exists():
        raise UsageError(f"there is no template {place}", hint="`jeos template list` lists them, `create` makes one")
    return deploy.machine_of(Path(place)).name


def wanted(args: argparse.Namespace) -> Machine:
    """Return the machine that the target and --name stand for; one that there is keeps its settings."""
    from jeos.build import deploy

    path = Path(args.target)
    boot = Boot.FIRMWARE if args.firmware else Boot.DIRECT if args.direct else Boot.BIOS if args.bios else None
    named = None if path.exists() else session.existing(args.target)
    # One that came from a backup, or lies over a template, is what it was made of.
    alone = named is not None and (not named.disk or over_template(named))
    if named is not None and alone and args.name in (None, named.name):
        return replace(named, boot=boot or named.boot)
    if named is not None:
        path = Path(named.image or named.disk)
        boot = boot or named.boot
    elif not path.exists():
        raise UsageError(
            f"{args.target} is neither a file or folder here nor a machine",
            hint="`jeos ls` lists the machines; a recipe's folder is the one with the appliance.toml",
        )
    machine = replace(deploy.machine_of(path, boot=boot), engine=engine.parse(settings.engine()))
    name = check_name(args.name or (named.name if named else machine.name))
    before = session.existing(name)
    if before is None:
        return replace(machine, name=name)
    return replace(
        machine,
        name=name,
        memory=before.memory,
        cpus=before.cpus,
        forwards=before.forwards,
        accelerator=before.accelerator,
        disk_size=before.disk_size,
        properties=before.properties,
        uuid=before.uuid,
        created=before.created,
        confine=before.confine,
        channel=before.channel,
        devices=before.devices,
        tap=before.tap,
        isolated=before.isolated,
        engine=before.engine,
        shares=before.shares,
        limits=before.limits,
    )


def changed(machine: Machine, args: argparse.Namespace) -> Machine:
    """Return the machine with what the command line asks for."""
    memory = parse_size(args.memory, option="--memory") // MEBIBYTE if args.memory else machine.memory
    if memory < SMALLEST_MEMORY:
        raise UsageError(f"--memory {args.memory}: {memory} MiB are too little", hint="for example --memory 512M")
    cpus = machine.cpus if args.cpus is None else args.cpus
    if cpus < 1:
        raise UsageError(f"--cpus {cpus}: a machine has at least 1", hint="leave --cpus away")
    net = getattr(args, "net", None)
    tap, isolated = parse_net(net) if net else (machine.tap, machine.isolated)
    if tap and args.port:
        raise UsageError(
            f"--port leads nowhere with --net tap:{tap}", hint="the machine has an address of its own there: --net user"
        )
    if isolated and args.port:
        raise UsageError("--port leads nowhere without a network", hint=f"jeos run {machine.name} --net user --port …")
    return replace(
        machine,
        memory=memory,
        cpus=cpus,
        disk_size=parse_size(args.disk, option="--disk") if args.disk else machine.disk_size,
        forwards=() if tap or isolated else tuple(map(parse_forward, args.port)) if args.port else machine.forwards,
        tap=tap,
        isolated=isolated,
        accelerator=args.accel or machine.accelerator,
        engine=engine.parse(args.engine) if getattr(args, "engine", None) else machine.engine,
        confine=Confine(args.confine) if args.confine else machine.confine,
        channel=Channel(getattr(args, "channel", None) or machine.channel),
        limits=limits(machine.limits, args, memory=memory),
        shares=shares(machine, args),
        devices=devices(machine, args),
    )


def shares(machine: Machine, args: argparse.Namespace) -> tuple[Share, ...]:
    """Return the folders that the machine is to see. Raises UsageError, or InputError for one that cannot be shared."""
    wanted = getattr(args, "share", None)
    if not wanted:
        return machine.shares
    if wanted == [NONE]:
        return ()
    from jeos.vm import share  # for few

    asked = [parse_folder(text) for text in wanted]
    found = tuple(replace(one, path=str(Path(one.path).resolve())) for one in asked)
    if len(found) > MOST_SHARES or len({one.target for one in found}) < len(found):
        raise UsageError(
            f"--share is there {len(found)} times", hint=f"up to {MOST_SHARES} folders, each at a place of its own"
        )
    for one in found:
        share.check(one)
    return found


def devices(machine: Machine, args: argparse.Namespace) -> tuple[Device, ...]:
    """Return the PCI devices that the machine is to have. Raises UsageError."""
    wanted = getattr(args, "device", None)
    if not wanted:
        return machine.devices
    if wanted == [NONE]:
        return ()
    found = tuple(parse_device(text) for text in wanted)
    if len({one.address for one in found}) < len(found):
        raise UsageError("--device names a device twice", hint="each device once, with or without bind")
    return found


def limits(before: Limits, args: argparse.Namespace, *, memory: int) -> Limits:
    """Return the limits that the command line asks for, of a machine that has those `before` and `memory` MiB."""
    found = before
    if args.limit_cpu:
        found = replace(found, cpu=0 if args.limit_cpu == NONE else parse_share(args.limit_cpu))
    for name in ("memory", "io"):
        text, option = getattr(args, f"limit_{name}"), f"--limit-{name}"
        if text:
            found = replace(found, **{name: 0 if text == NONE else parse_size(text, option=option)})
    if found.memory and found.memory <= memory << 20:
        raise UsageError(
            f"a machine with {memory} MiB of memory needs more than {found.memory >> 20} MiB of this host's",
            hint=f"--limit-memory {memory + BESIDE}M, or less --memory",
        )
    return found


def parse_share(text: str) -> int:
    """Read a share of processors such as "150%" or "1.5" as percent of one. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text)
    share = round(float(match[1]) * (1 if match[2] else 100)) if match else 0
    if not share:
        raise UsageError(f"--limit-cpu {text} is not a share of processors", hint="for example --limit-cpu 50%")
    return share


def parse_size(text: str, *, option: str) -> int:
    """Read bytes such as "512M" or "2GiB"; a bare number of up to five digits is MiB. Raises UsageError."""
    match = SIZE_PATTERN.fullmatch(text)
    if match is None:
        raise UsageError(f"{option} {text} is not a size", hint=f"for example {option} 512M or {option} 2G")
    if not match[2] and len(match[1]) <= 5:
        return int(match[1]) * MEBIBYTE
    return int(match[1]) << SIZE_UNITS[match[2].upper()]


def given_values(texts: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """Return the properties that the command line sets."""
    values = dict(split(text, option="--set") for text in texts)
    for text in files:
        name, path = split(text, option="--set-file")
        try:
            values[name] = Path(path).read_text().removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise InputError(f"--set-file {name}: {path} cannot be read: {reason}", hint="name a text file") from None
    return values


def split(text: str, *, option: str) -> tuple[str, str]:
    """Return both sides of NAME=VALUE."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise UsageError(f"{option} {text} is not of the form PROPERTY=…", hint=f"for example {option} title=Hello")
    return name, value


def ask(rule: Property) -> str:
    """Ask on the terminal for a property; what is secret is not shown."""
    prompt = f"{rule.label or rule.name}{f' ({rule.description})' if rule.description else ''}: "
    if rule.secret:
        import getpass  # brings termios and warnings, for this alone

        return getpass.getpass(prompt, stream=sys.stderr)
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline().rstrip("\n")


def agrees(text: str) -> bool:
    """Show a licence on the terminal and ask whether the operator agrees to it."""
    sys.stderr.write(f"{plain(text).rstrip()}\n\nDo you agree to this licence? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def announce(machine: Machine, state: State) -> None:
    """Say that the machine runs, how, and where its ports are."""
    log.info(f"{machine.name} runs ({machine.boot}, {state.accelerator}, {machine.memory} MiB, {state.network})")
    if machine.engine:
        log.info(f"  in libvirt at {machine.engine}, as the domain jeos-{machine.name}")
    if state.accelerator == "tcg" and machine.accelerator == "auto":
        log.info(f"  emulated, so slow: {state.accelerator_reason}")
    for fence in state.fences_missing:
        if fence.startswith("limit"):
            log.warn(f"without a {fence}")
    for share in machine.shares:
        only = ", read-only" if share.read_only else ""
        log.info(f"  {share.path} is at {share.target} in it{only} ({state.sharing})")
    for device in machine.devices:
        log.info(f"  it has the device {device.address}")
    for forward in state.forwards:
        log.info(f"  {forward.address} port {forward.host}/{forward.protocol} leads to port {forward.guest} in it")


def leave(machine: Machine, args: argparse.Namespace) -> int:
    """Wait as long as is asked for, then print the machine that runs on."""
    if args.wait == "healthy":
        wait_healthy(machine.name, seconds=args.timeout)
    if args.json:
        output.as_json(session.seen(machine.name))
    else:
        output.line(machine.name)
    return 0


def wait_healthy(name: str, *, seconds: float) -> None:
    """Wait until the machine is healthy. Raises MachineError if it ends before, or after `seconds`."""
    deadline = time.monotonic() + seconds
    while (state := session.state(name)).status is not Status.HEALTHY:
        if state.status not in ALIVE:
            raise MachineError(f"{name} is {state.status}: {state.reason}", hint=f"jeos logs {name}")
        if state.reason.startswith(WITHOUT_FOLDER):
            raise MachineError(
                f"{name} runs {state.reason}", hint=f"jeos run {name} --share none starts it without any"
            )
        if time.monotonic() > deadline:
            reason = f": {state.reason}" if state.reason else ""
            raise MachineError(f"{name} runs, but is not healthy after {seconds:g} s{reason}", hint=f"jeos logs {name}")
        time.sleep(POLL_SECONDS)


def stay(machine: Machine, *, remove: bool, within: float = session.STOP_SECONDS) -> int:
    """Show the machine's console until it ends; Ctrl-C and Ctrl-] stop it, which may take `within` seconds."""
    log.info("Ctrl-C or Ctrl-] stops it")
    try:
        attach(places_of(machine.name).console, keys=CONTROL_C + DETACH)
    except (KeyboardInterrupt, BrokenPipeError):  # without a terminal to pass the key on, or with nobody to read
        log.debug("interrupted")
    except MachineError:  # it ended before we came
        log.debug("there is no console any more")
    state = session.state(machine.name)
    if state.status in ALIVE:
        with log.step("stop") as step:
            state = session.stop(machine.name, within=within)
            step.done(state.reason)
    else:
        state = session.stop(machine.name)  # waits until its supervisor is gone
        log.info(f"{machine.name} {state.status}: {state.reason}")
    if remove:
        session.remove(machine.name)
    return MachineError.exit_code if state.status is Status.FAILED else 0
