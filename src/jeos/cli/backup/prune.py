"""`jeos backup prune`: delete old points, and give back the room of what no other point needs."""

import argparse
from dataclasses import asdict
from datetime import datetime, tzinfo

from jeos.backup import points
from jeos.backup.needs import needs
from jeos.backup.retention import Rules, keep
from jeos.cli import output
from jeos.cli.backup.list import local
from jeos.cli.backup.vaults import add_arguments, need_terminal_or_yes, open_vault
from jeos.core import log
from jeos.core.errors import JeosError, UsageError
from jeos.store.vault import Needs, Vault
from jeos.store.vault_collect import Collected, collect

HELP = "delete points that no rule keeps, then what no point needs; safe beside running backups"

PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos backup prune`."""
    parser.add_argument("machine", nargs="?", default="", metavar="MACHINE", help="only the points of this machine")
    parser.add_argument("--keep-last", type=count, default=0, metavar="N", help="keep the newest N points")
    for period in PERIODS:
        unit = {"daily": "day"}.get(period, period.removesuffix("ly"))
        parser.add_argument(
            f"--keep-{period}",
            type=count,
            default=0,
            metavar="N",
            help=f"keep the newest point of each of the last N {unit}s that have points",
        )
    parser.add_argument(
        "--point", action="append", default=[], metavar="POINT", help="delete this point; may be given more than once"
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what would be deleted")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_arguments(parser)


def count(text: str) -> int:
    """Return a number of points. Raises ArgumentTypeError for what is none."""
    if not text.isdecimal() or len(text) > 6:
        raise argparse.ArgumentTypeError(f"not a number of points: {text!r}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Decide, ask, delete and collect."""
    rules = Rules(args.keep_last, *(getattr(args, f"keep_{period}") for period in PERIODS))
    if args.point and rules:
        raise UsageError("--point names what goes, --keep-… what stays", hint="give one or the other")
    if args.machine and not rules:
        raise UsageError(f"nothing says which points of {args.machine} stay", hint="for example --keep-daily 7")
    vault = open_vault(args)
    plan = _plan(vault, args, rules)
    going = [name for name, reasons in plan.items() if not reasons]
    if not args.json:
        _print(vault, plan)
    if going and not args.dry_run:
        need_terminal_or_yes(args, f"Delete {len(going)} point{'s' * (len(going) != 1)}?")
        with log.step("points") as step:
            for number, name in enumerate(going):
                step.update(f"{number} of {len(going)}")
                vault.delete_point(name)
            step.done(f"{len(going)} deleted, {len(vault.points())} left")
    with log.step("collect") as step:
        collected = collect(vault, needs=_without(going), dry_run=args.dry_run, progress=step.update)
        step.done(_room(collected))
    if args.json:
        data = [{"name": name, "kept": bool(reasons), "because": reasons} for name, reasons in plan.items()]
        output.as_json({"dry_run": args.dry_run, "points": data, "collected": asdict(collected)})
    return 0


def _without(going: list[str]) -> Needs:
    """Return what says what points need, once these are gone: for a dry run, which leaves them there."""
    return lambda vault, name: iter(()) if name in going else needs(vault, name)


def _plan(vault: Vault, args: argparse.Namespace, rules: Rules) -> dict[str, tuple[str, ...]]:
    """Return the points that are looked at, each with why it stays; nothing for those that go."""
    if args.point:
        return {points.find(vault, text).name: () for text in args.point}
    names = points.names_of(vault, args.machine) if args.machine else vault.points()
    if args.machine and not names:
        points.find(vault, args.machine)  # says which others there are
    kept = keep(names, rules, zone=_here())
    return {name: kept.get(name, ()) for name in names}


def _here() -> tzinfo:
    zone = datetime.now().astimezone().tzinfo
    assert zone is not None
    return zone


def _print(vault: Vault, plan: dict[str, tuple[str, ...]]) -> None:
    rows = [
        ("stays" if reasons else "goes", *_named(vault, name), ", ".join(reasons)) for name, reasons in plan.items()
    ]
    output.table(rows, header=("", "point", "taken", "because of"))


def _named(vault: Vault, name: str) -> tuple[str, str]:
    """Return what a point is called in `jeos backup list`, and its time; its full name if it cannot be read."""
    try:
        point = points.read(vault, name)
    except JeosError:
        return name, ""
    return f"{point.owner}@{point.number}", local(point.taken)


def _room(collected: Collected) -> str:
    freed = f"{output.size(collected.freed)} {'would be ' if collected.dry_run else ''}freed"
    later = f", {collected.waiting} packs go when running backups have ended" if collected.waiting else ""
    return f"{freed}{later}, {output.size(collected.needed_bytes)} needed"
