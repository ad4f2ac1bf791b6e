"""`jeos template create`: boot an appliance once, and keep it with its memory."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from jeos.build import deploy, eula
from jeos.cli import output, times
from jeos.cli.run import MEBIBYTE, agrees, ask, given_values, parse_size
from jeos.core import log
from jeos.core.errors import UsageError
from jeos.model.machine import Boot, check_name
from jeos.vm import template

HELP = "boot an appliance once, wait until it is healthy, and keep it with its memory"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos template create`."""
    add = parser.add_argument
    add("target", nargs="?", default=".", metavar="PATH", help="a recipe's folder (default: this one) or an image")
    add("--name", metavar="NAME", help="the template's name (default: the appliance's)")
    add("--memory", metavar="SIZE", help="memory, as 512M or 2G (default: what the image asks for)")
    add("--cpus", type=int, metavar="N", help="processors (default: what the image asks for)")
    add("--firmware", action="store_true", help="boot with UEFI firmware")
    add("--set", action="append", default=[], metavar="PROPERTY=VALUE", help="set a property; repeatable")
    add("--set-file", action="append", default=[], metavar="PROPERTY=FILE", help="set a property to what a file holds")
    add("--accel", choices=("auto", "kvm", "tcg"), default="auto", help="run on the hardware (kvm) or emulate (tcg)")
    add("--accept-eula", action="store_true", help="agree to the appliance's licence without being shown it")
    add(
        "--timeout",
        type=times.wait,
        default=180.0,
        metavar="TIME",
        help="how long it may take to become healthy, as 90 or 5m (default: 180s)",
    )


def run(args: argparse.Namespace) -> int:
    """Make the template."""
    path = Path(args.target)
    if not path.exists():
        raise UsageError(f"{args.target} is no file or folder here", hint="name the folder of a recipe")
    machine = deploy.machine_of(path, boot=Boot.FIRMWARE if args.firmware else Boot.DIRECT)
    if not machine.image:
        raise UsageError(f"{path} was not built by jeos", hint="a template needs the agent in its guest")
    machine = replace(
        machine,
        name=check_name(args.name or machine.name),
        memory=parse_size(args.memory, option="--memory") // MEBIBYTE if args.memory else machine.memory,
        cpus=args.cpus or machine.cpus,
        accelerator=args.accel,
    )
    someone = sys.stdin.isatty() and sys.stderr.isatty()
    licence = eula.place_of(machine)
    if licence:
        eula.settle(licence, accept=args.accept_eula, ask=agrees if someone else None)
    given = given_values(args.set, args.set_file)
    values = deploy.settle(given, deploy.rules_of(machine), ask=ask if someone else None)
    machine = replace(machine, properties=tuple(sorted(values)))
    with log.step(f"template {machine.name}") as step:
        step.update("boot it, until it is healthy")
        made = template.create(machine, values=values, seconds=args.timeout)
        step.done(output.size(made.size))
    log.info(f"try: jeos run {made.name} --from-template --name {made.name}-1 --detach")
    return 0
