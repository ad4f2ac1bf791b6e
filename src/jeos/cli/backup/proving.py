"""What `jeos backup verify --boot` adds: points are started in isolation, and must be well."""

import argparse
from dataclasses import dataclass

from jeos.backup import points, proof
from jeos.cli import output, times
from jeos.cli.backup.boot import supply, values_of
from jeos.cli.failures import report
from jeos.core import log
from jeos.core.errors import JeosError
from jeos.model.snapshot import Point
from jeos.store.vault import Vault

WITHIN = 600.0  # seconds; an emulated machine takes minutes
MEANINGS = {
    "agent": "its health checks hold",
    "login": "it shows a login prompt; no agent of jeos is in it to ask",
    "port": "it answers",
}


@dataclass(frozen=True, slots=True)
class Proved:
    """What starting a point came to; `seconds` are wall time."""

    point: str
    well: bool
    words: str
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--boot` and `--within`."""
    parser.add_argument(
        "--boot",
        nargs="*",
        metavar="POINT",
        help="start these points, too (default: the newest of each machine): without a network, from the backup, "
        "on an overlay that is deleted; an appliance must become healthy",
    )
    parser.add_argument(
        "--within",
        type=times.wait,
        default=WITHIN,
        metavar="TIME",
        help=f"with --boot: how long each may take, as 90 or 5m (default: {WITHIN:g}s)",
    )


def prove(vault: Vault, args: argparse.Namespace) -> list[Proved]:
    """Start each point that was asked for; one that fails keeps none of the others from being tried."""
    wanted = [points.find(vault, text) for text in args.boot] if args.boot else _newest(vault)
    return [_prove(vault, point, args) for point in wanted]


def tell(proved: list[Proved]) -> None:
    """Print what became of the points that were started."""
    if not proved:
        return
    rows = [(one.point, "well" if one.well else "FAILED", f"{one.seconds:.0f} s", one.words) for one in proved]
    output.table(rows, header=("point", "started", "after", "because"), right=(2,))


def _newest(vault: Vault) -> list[Point]:
    owners = sorted({name.partition("/")[0] for name in vault.points()})
    return [point for owner in owners if (point := points.newest(vault, owner)) is not None]


def _prove(vault: Vault, point: Point, args: argparse.Namespace) -> Proved:
    name = f"{point.owner}@{point.number}"
    with log.step(f"start {name}") as step:
        try:
            found = proof.prove(vault, point, supply=supply(args, point), within=args.within, values=values_of(point))
        except JeosError as error:
            report(error)
            return Proved(name, well=False, words=error.message, seconds=0.0)
        step.done(found.reached or "it did not come up")
    words = MEANINGS.get(found.reached, found.reason)
    return Proved(name, well=bool(found.reached), words=words, seconds=found.seconds)
