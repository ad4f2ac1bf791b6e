"""`jeos convert`: a foreign machine, or a physical one's disk, made into one that starts here."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jeos.build import deploy
from jeos.cli import output, times
from jeos.cli.run import parse_size
from jeos.convert import convert, result
from jeos.convert.machine import HOSTS, Options
from jeos.convert.result import FORMATS, HOST_OF, SUFFIXES, BootTest, Conversion, Request
from jeos.convert.source import open_source
from jeos.core import files, log
from jeos.core.errors import MachineError, UsageError
from jeos.disk.formats.ordered import Effort
from jeos.model.hardware import Hardware
from jeos.model.machine import Boot, parse_forward
from jeos.vm import first_start

HELP = "make a machine of another hypervisor, or a physical one, into one that starts here"
RUNNABLE = {"qcow2": ".qcow2", "raw": ".img"}  # what `jeos run` starts, and how their names end
BOOT_SECONDS = 900.0  # an emulated machine with a full system takes some minutes


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos convert`."""
    add = parser.add_argument
    add(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="an OVA or OVF, a disk in any format, a block device, or ssh://[USER@]HOST/dev/DISK; "
        "several disks of one machine in their order",
    )
    add("--to", choices=FORMATS, metavar="FORMAT", help=f"{', '.join(FORMATS)} (default: qcow2, or as -o ends)")
    add(
        "--for",
        dest="hosts",
        type=hosts,
        default=(),
        metavar="HOST",
        help=f"what the machine is to start on: {', '.join(HOSTS)}, or several with commas (default: the one whose "
        "format it is; qcow2 and raw are virtio's)",
    )
    add("-o", "--output", type=Path, metavar="FILE", help="the new disk (default: here, called as the machine)")
    add("--format", default="", metavar="NAME", help="the format of the source's disks (default: find it out)")
    add("--dry-run", action="store_true", help="say what would be done, and write nothing")
    add("--boot-test", action="store_true", help="start the result once, on an overlay, and wait until it is up")
    add(
        "--timeout",
        type=times.wait,
        default=BOOT_SECONDS,
        metavar="TIME",
        help="how long --boot-test waits, as 90 or 5m (default: 15m)",
    )
    add("--port", metavar="PORT", type=int, help="--boot-test waits for an answer from this port of the machine")
    add(
        "--resize",
        metavar="SIZE",
        help="let the first disk grow, and in it the last partition, or the root in its LVM, as 40G",
    )
    add("--keep-network", action="store_true", help="every card keeps its name, those with DHCP too")
    add("--no-fixes", action="store_true", help="change nothing in the machine, only the format of its disks")
    add("--console", default="ttyS0", metavar="PORT", help='the serial console that it gets; "" for none')
    add("--virtio-win", type=Path, metavar="ISO", help="the disc with the virtio drivers for Windows")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--fast", action="store_true", help="compress less, where the format compresses")
    effort.add_argument("--small", action="store_true", help="compress more, where the format compresses")
    add("--ssh-option", action="append", default=[], metavar="KEY=VALUE", help="an option for ssh; repeatable")
    add("--force", action="store_true", help="replace files that are there")
    add("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Convert, and say what was done."""
    with open_source(args.source, format=args.format, ssh_options=args.ssh_option) as source:
        request = request_of(args, name=source.name)
        request = replace(request, options=replace(request.options, macs=source.macs))
        if args.boot_test:
            check_runnable(request)
        done = convert.plan(source, request) if args.dry_run else convert.convert(source, request)
    test = None
    if args.boot_test and not args.dry_run:
        test = boot_test(done, within=args.timeout, port=args.port)
        files.write(result.place(request.path), result.text(done, test))
    if args.json:
        output.as_json(result.as_data(done, test))
    else:
        for line in report(done, test, runs=runs_here(request)):
            output.line(line)
    return MachineError.exit_code if test is not None and not test.reached else 0


def hosts(text: str) -> tuple[str, ...]:
    """Return kinds of host from a list with commas. Raises ArgumentTypeError for unknown ones."""
    found = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",")))
    unknown = next((name for name in found if name not in HOSTS), None)
    if unknown is not None:
        raise argparse.ArgumentTypeError(f"{unknown!r} is none of {', '.join(HOSTS)}")
    return found


def request_of(args: argparse.Namespace, *, name: str) -> Request:
    """Return what the command line asks for."""
    ending = args.output.suffix.removeprefix(".").lower() if args.output else ""
    ending = {"img": "raw"}.get(ending, ending)
    form = args.to or (ending if ending in FORMATS else "qcow2")
    path = args.output or Path("".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in name) or "machine")
    if args.output is None:
        path = path.with_name(path.name + SUFFIXES.get(form, f".{form}"))
    return Request(
        path=path,
        format=form,
        options=Options(
            hosts=args.hosts or (HOST_OF.get(form, "virtio"),),
            keep_network=args.keep_network,
            console=args.console,
            virtio_win=args.virtio_win,
        ),
        effort=Effort.FAST if args.fast else Effort.SMALL if args.small else Effort.USUAL,
        size=parse_size(args.resize, option="--resize") if args.resize else 0,
        mend=not args.no_fixes,
        force=args.force,
    )


def check_runnable(request: Request) -> None:
    """Raise UsageError for a disk that `jeos run` would not start."""
    if request.format not in RUNNABLE:
        raise UsageError(
            f"--boot-test starts {' and '.join(RUNNABLE)} disks, not {request.format}",
            hint="convert to qcow2 with --boot-test, and write the other format with `jeos export`",
        )
    if request.mend and "virtio" not in request.options.hosts:
        raise UsageError(
            f"--boot-test starts machines on virtio, and this one would be made for {', '.join(request.options.hosts)}",
            hint=f"--for {','.join((*request.options.hosts, 'virtio'))} makes it for both",
        )
    ending = RUNNABLE["qcow2"]
    if (request.path.suffix == ending) != (request.format == "qcow2"):
        raise UsageError(
            f"{request.path} would not be started as {request.format}", hint=f"qcow2 disks end in {ending}, others not"
        )


def boot_test(done: Conversion, *, within: float, port: int | None) -> BootTest:
    """Start the machine once, and keep what its screen showed beside the disk."""
    machine = deploy.machine_of(done.disks[0])
    if port is not None:
        machine = replace(machine, forwards=(parse_forward(f"0:{port}"),))
    with log.step("boot test") as step:
        outcome = first_start.watch(machine, within=within)
        step.done(outcome.reached or outcome.reason)
    picture = done.disks[0].with_suffix(".png")
    if outcome.screenshot:
        files.write(picture, outcome.screenshot)
    return BootTest(
        reached=outcome.reached,
        reason=outcome.reason,
        seconds=round(outcome.seconds, 1),
        accelerator=outcome.accelerator,
        console=outcome.console,
        screen=outcome.screen,
        screenshot=picture.name if outcome.screenshot else "",
    )


def runs_here(request: Request) -> bool:
    """Tell whether `jeos run` can be expected to start the machine."""
    return request.format in RUNNABLE and "virtio" in request.options.hosts


def report(done: Conversion, test: BootTest | None, *, runs: bool) -> Iterator[str]:
    """Yield what was done, for a reader; `runs` adds how to start it here."""
    systems = ", ".join(system.pretty or system.name or system.family for system in done.survey.systems)
    yield f"{done.name}: {systems or 'no operating system was found'}"
    for system, fixes in zip(done.survey.systems, done.fixes, strict=True):
        which = f" in {system.pretty}" if len(done.survey.systems) > 1 else ""
        yield f"  {'mended' if done.disks else 'would be mended'}{which}"
        changing = [fix for fix in fixes if fix.changes]
        for fix in changing:
            yield f"    {fix.title}"
            yield from (f"      - {note}" for note in fix.notes)
        if not changing:
            yield "    nothing"
    if done.notes:
        yield "  worth knowing"
        yield from (f"    - {note}" for note in done.notes)
    yield f"  hardware       {_hardware(done.hardware)}"
    if test is not None:
        came = f"up ({test.reached})" if test.reached else f"not up: {test.reason}"
        yield f"  boot test      {came} after {test.seconds:.0f} s ({test.accelerator})"
    yield from (f"  disk           {path}" for path in done.disks)
    if done.disks and runs:
        yield f"  run it with    jeos run {done.disks[0]}"


def _hardware(hardware: Hardware) -> str:
    firmware = "UEFI" if hardware.boot is Boot.FIRMWARE else "BIOS"
    cards = f", cards {' '.join(hardware.macs)}" if hardware.macs else ""
    return f"{firmware}, {hardware.cpus} CPU, {hardware.memory} MiB{cards}"
