"""`jeos tune`: try what this host offers machines, and keep what makes them faster."""

import argparse
import textwrap
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from jeos.cli import output
from jeos.cli.overhead import machine_for, work_folder
from jeos.core import log
from jeos.core.errors import UsageError
from jeos.measure import tune
from jeos.measure.quantities import BY_NAME
from jeos.measure.tune import Found, Judged, Trial
from jeos.model.tuning import USUAL, Profile
from jeos.vm import host_profile

HELP = "try what this host offers machines, and keep what makes them faster"
EPILOG = """\
Each setting is tried on top of those kept before: two guests, with and without it, measure the same by turns. TIMES is
how many times as long an operation takes with it (median of the rounds). It is kept if something is quicker and nothing
slower: in more rounds than chance would do, and by more than two guests differ that are alike. `--apply` writes that
down for all machines that start from then on; docs/how-to/tune-a-host.md tells more.
"""
ROUNDS = 12
WIDTH = 100  # columns of sentences


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos tune`."""
    parser.epilog = EPILOG
    parser.add_argument("path", nargs="?", type=Path, metavar="PATH", help="whose kernel to use, as in jeos overhead")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--apply", action="store_true", help="let all machines that start from now on have what was kept")
    how.add_argument("--reset", action="store_true", help="measure nothing; machines start as before the first --apply")
    how.add_argument("--show", action="store_true", help="measure nothing; print what machines start with")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, metavar="N", help=f"of each comparison (default: {ROUNDS}); more see less"
    )
    parser.add_argument("--accel", choices=("auto", "kvm", "tcg"), default="auto", help="as in jeos run")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Measure, print what was found, and keep it if that is asked for."""
    if args.reset:
        log.info("forgotten" if host_profile.remove() else "there was nothing to forget")
        return 0
    if args.show:
        show_profile(json=args.json)
        return 0
    if args.rounds < tune.FEWEST_ROUNDS:
        raise UsageError(f"--rounds {args.rounds} tells nothing from chance", hint=f"at least {tune.FEWEST_ROUNDS}")
    machine = machine_for(args.path, accelerator=args.accel)
    with log.step("tune") as step:
        step.update("two guests that are alike")
        found = tune.tune(
            machine, folder=work_folder(), rounds=args.rounds, heard=lambda trial: step.update(sentence(trial))
        )
        step.done(f"{sum(trial.kept for trial in found.trials)} settings help")
    if args.json:
        output.as_json(asdict(found))
    else:
        show(found)
    if args.apply:
        kernel, qemu = host_profile.measured_with()
        host_profile.write(Profile(found.tuning, taken=int(time.time()), kernel=kernel, qemu=qemu))
        log.info(f"kept in {host_profile.place()}: machines that start from now on have it")
    elif found.tuning != USUAL:
        log.info("nothing is changed yet: `jeos tune --apply` measures again and keeps what helps")
    return 0


def show_profile(*, json: bool) -> None:
    """Print the profile, and whether it is used."""
    profile = host_profile.read()
    why = host_profile.stale(profile) if profile else ""
    if json:
        output.as_json({"profile": asdict(profile) if profile else None, "unused": why})
        return
    if profile is None:
        output.line("nothing was measured: `jeos tune --apply`")
        return
    tuning = asdict(profile.tuning)
    output.table([[name, str(value).lower()] for name, value in tuning.items()], header=("setting", "value"))
    if why:
        output.line(f"not used: {why}; `jeos tune --apply` measures again")


def show(found: Found) -> None:
    """Print the table of all trials, and what was not tried."""
    output.line(f"{found.rounds} rounds of each comparison, {found.accelerator}")
    output.line()
    rows = [row for trial in found.trials for row in rows_of(trial)]
    output.table(rows, header=("setting", "measured by", "times", "quicker in", "says"), right=(2, 3))
    for trial in found.trials:
        if not trial.judged:
            output.line()
            for line in textwrap.wrap(sentence(trial), WIDTH):
                output.line(line)
    output.line()
    most = ", ".join(f"{title(one)} {one.margin:.0%}" for one in found.control)
    for line in textwrap.wrap(f"Two guests that are alike must differ by more than: {most}.", WIDTH):
        output.line(line)


def rows_of(trial: Trial) -> Sequence[Sequence[str]]:
    """Return the rows of a trial: one for each quantity, the setting's name on the first."""
    kept = "kept" if trial.kept else "not kept"
    return [
        [
            f"{trial.title}: {kept}" if number == 0 else "",
            title(one),
            f"{one.times:.2f}",
            f"{one.quicker} of {one.rounds}",
            str(one.verdict),
        ]
        for number, one in enumerate(trial.judged)
    ]


def title(judged: Judged) -> str:
    """Return what people call a quantity."""
    return BY_NAME[judged.quantity].title


def sentence(trial: Trial) -> str:
    """Return what came of a trial, in one line."""
    if not trial.judged:
        return f"{trial.title}: not tried, {trial.why_not or 'nothing could be measured'}"
    return f"{trial.title}: {'kept' if trial.kept else 'not kept'}"
