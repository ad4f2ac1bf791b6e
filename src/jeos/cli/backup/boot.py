"""`jeos backup boot`: start a machine from a point at once, while its disks stream in behind it."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from jeos.backup import boot, known_vaults, points
from jeos.cli import times, unlock
from jeos.cli.backup import vaults
from jeos.cli.run import announce, changed, configure_fences, leave
from jeos.core import log, settings
from jeos.core.errors import UsageError
from jeos.model.machine import PORT_SYNTAX
from jeos.model.snapshot import Point
from jeos.store.vault import Vault
from jeos.vm import session

HELP = "start a machine from a point at once; its disks stream in behind it, and then it needs the backup no more"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos backup boot`."""
    add = parser.add_argument
    add("point", metavar="POINT", help="as web01@latest, web01@2 or the name that `list` shows")
    add("--name", metavar="NAME", help="the new machine's name (default: the old one's with the point's number)")
    add("--port", action="append", metavar=PORT_SYNTAX, help="lead a port of this host into the machine; repeatable")
    add("--memory", metavar="SIZE", help="memory, as 512M or 2G (default: what the machine had)")
    add("--cpus", type=int, metavar="N", help="processors (default: what the machine had)")
    add(
        "--accel",
        choices=("auto", "kvm", "tcg"),
        help="run on the hardware (kvm) or emulate (tcg; default: what works)",
    )
    configure_fences(parser)
    add("--isolated", action="store_true", help="without a network, so that nobody meets the same machine twice")
    add("--wait", choices=("running", "healthy"), default="running", help="return when it is this")
    add("--timeout", type=times.wait, default=180.0, metavar="TIME", help="how long --wait waits, as 90 or 5m")
    vaults.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Start the machine and leave it running."""
    vault = open_for_later(args)
    point = points.find(vault, args.point)
    name = args.name or f"{point.owner}-{point.number}".lower()
    if session.existing(name) is not None:
        raise UsageError(f"there is a machine {name} already", hint="give the new one another name: --name NAME")
    args.disk = None
    machine = changed(boot.machine(vault, point, name=name, supply=supply(args, point), isolated=args.isolated), args)
    values = values_of(point)
    machine = replace(machine, properties=tuple(sorted(values)))
    with log.step(f"start {name} from {point.owner}@{point.number}") as step:
        state = session.run(machine, values=values, nvram=boot.nvram(vault, point))
        step.done("the rest of its disks streams in")
    announce(machine, state)
    args.name = name
    return leave(machine, args)


def supply(args: argparse.Namespace, point: Point) -> list[str]:
    """Return the words of the command that exports the point, for the machine's supervisor to start."""
    where = str(args.store or settings.backups())
    if "://" not in where:
        where = str(Path(where).absolute())
    return ["backup", "serve", "--store", where, point.name]


def open_for_later(args: argparse.Namespace) -> Vault:
    """Open the vault, and leave what opened it in the environment, for the program that exports the point later."""
    place = vaults.place(args)
    ask = vaults.secret(unlock.passphrases(args), name=place.place)

    def remember(wrong: int) -> str | None:
        given = ask(wrong)
        if given is not None:
            os.environ["JEOS_PASSPHRASE"] = given
        return given

    return known_vaults.check(Vault.open(place, secret=remember))


def values_of(point: Point) -> dict[str, str]:
    """Return the properties of the machine that the point is of, if that is still there: no backup has them."""
    before = session.existing(point.owner)
    if before is None or not point.machine:
        return {}
    return session.values(before)
