"""`jeos overhead`: what virtualization costs on this host, and where it goes."""

import argparse
import textwrap
from dataclasses import replace
from functools import partial
from pathlib import Path

from jeos.build import appliance, deploy, outputs, scaffold
from jeos.cli import output
from jeos.core import files, log, settings
from jeos.core.errors import InputError
from jeos.disk import direct
from jeos.measure import explain, overhead, picture, words
from jeos.measure.report import Measured, Report, Result, as_values
from jeos.model.machine import Boot, Machine

HELP = "measure what virtualization costs on this host, and show where it goes"
EPILOG = """\
The same program measures on this host and in a guest of one processor, taking turns. TIMES is how many times as long an
operation takes in the guest; SPREAD how far the middle half of the repetitions lies apart. The second table is what one
operation in the guest costs this host: processor time of QEMU's threads, exits to the host's kernel, page tables.
docs/explanation/overhead.md tells what that means.
"""
OWN = "overhead"  # the folder, in the cache, of the appliance that is built where none is named
TEMPLATE = "minimal"
WIDTH = 100  # columns of sentences


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos overhead`."""
    parser.epilog = EPILOG
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="a built recipe's folder, an image's description (.json) or kernel image (.efi), whose kernel the guest "
        "is to have (default: this folder's, else a minimal appliance that is built once)",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="measure for less than a minute (default)")
    how.add_argument("--full", action="store_true", help="repeat more often, for a few minutes")
    parser.add_argument(
        "--accel", choices=("auto", "kvm", "tcg"), default="auto", help="as in jeos run (default: auto)"
    )
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write a picture of the results")
    parser.add_argument("--json", action="store_true", help="print JSON, with all that was counted")


def run(args: argparse.Namespace) -> int:
    """Measure, and print what was found."""
    machine = machine_for(args.path, accelerator=args.accel)
    with log.step("measure") as step:
        step.update("start the guest")
        report = overhead.measure(machine, quick=not args.full, folder=work_folder(), heard=partial(hear, step=step))
        step.done(f"{len(report.results)} quantities on host and guest")
    if args.svg:
        files.write(args.svg, picture.svg(report))
        log.info(f"picture: {args.svg}")
    if args.json:
        output.as_json(as_values(report))
    else:
        show(report)
    return 0


def machine_for(path: Path | None, *, accelerator: str) -> Machine:
    """Return a machine that starts directly, whose kernel and interpreter the guest is to have.

    Raises InputError for a path that holds nothing built.
    """
    if path is not None and path.suffix == ".efi":
        parts = direct.unpack(path)
        found = Machine(name=path.stem, disk="", kernel=str(parts.kernel), initrd=str(parts.initrd), boot=Boot.DIRECT)
    elif path is not None:
        found = deploy.machine_of(path, boot=Boot.DIRECT)
    else:
        try:
            found = deploy.machine_of(Path(), boot=Boot.DIRECT)
        except InputError:
            found = deploy.machine_of(own_appliance(), boot=Boot.DIRECT)
    return replace(found, accelerator=accelerator)


def own_appliance() -> Path:
    """Return the folder of a minimal appliance of jeos' own, built if it is not there yet."""
    folder = settings.cache_dir() / OWN / "appliance"
    with files.locked(folder.with_suffix(".lock")):
        if not folder.exists():
            log.info("there is no built appliance here: a minimal one is built, this once")
            scaffold.make(folder, name=OWN, template=TEMPLATE)
        try:
            outputs.find(folder)
        except InputError:
            appliance.build(folder)
    return folder


def work_folder() -> Path:
    """Return where the disks of the measurement are: beside those of machines."""
    folder = settings.state_dir() / OWN
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def hear(result: Result, *, step: log.Step) -> None:
    """Show that one more quantity is measured."""
    times = words.times(result.times) if result.times is not None else "not on both sides"
    step.update(f"{result.quantity.title}: {times}")
    log.debug(f"measured {result.quantity.title}: {times}")


def show(report: Report) -> None:
    """Print the tables, and what they say."""
    for line in heading(report):
        output.line(line)
    output.line()
    rows = [row(result) for result in report.results]
    output.table(rows, header=("one operation", "host", "guest", "times", "spread"), right=(1, 2, 3, 4))
    for result in report.results:
        for side, why in result.lacks.items():
            output.line(f"{result.quantity.title}: not measured on the side of the {side}: {why}")
    columns = explain.columns(report)
    if columns:
        output.line()
        output.line("Where it goes: what one operation in the guest costs this host")
        costs = [(one.quantity.title, *(column.cell(one) or "-" for column in columns)) for one in report.results]
        right = [number + 1 for number, column in enumerate(columns) if column.head != "most for"]
        output.table(costs, header=("one operation", *(column.head for column in columns)), right=right)
    for title, lines in (("", explain.sentences(report)), ("To be read with care", explain.cautions(report))):
        found = list(lines)
        if found:
            output.line()
        if found and title:
            output.line(f"{title}:")
        for line in found:
            output.line(wrapped(line, first="- ", others="  "))


def heading(report: Report) -> list[str]:
    """Return what the results hold for."""
    host, guest = report.host, report.guest
    facts = {
        "host": f"{host.get('processor')}, {report.processors} processors, Linux {host.get('kernel')}",
        "guest": f"1 processor, Linux {guest.get('kernel')}, on QEMU {report.qemu.partition(' ')[0]}",
        "accelerator": f"{report.accelerator}: {report.reason}",
        "paging": explain.PAGING[report.paging],
    }
    return [wrapped(text, first=f"{name:<13}", others=" " * 13) for name, text in facts.items()]


def wrapped(text: str, *, first: str, others: str) -> str:
    """Return a text in lines that fit a terminal, with what stands before the first and before the others."""
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)


def row(result: Result) -> tuple[str, str, str, str, str]:
    """Return a quantity's line of the table."""
    times = words.times(result.times) if result.times is not None else "-"
    return (
        result.quantity.title,
        picture.value(result, result.host),
        picture.value(result, result.guest),
        times,
        spread(result.host, result.guest),
    )


def spread(*sides: Measured | None) -> str:
    """Return the larger of both sides' spreads."""
    found = [side.summary.spread for side in sides if side is not None]
    return words.part(max(found)) if found else "-"
