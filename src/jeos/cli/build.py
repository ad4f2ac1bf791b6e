"""`jeos build`: from a recipe to a bootable image."""

import argparse
from pathlib import Path

from jeos.build import appliance, reproduce
from jeos.build.outputs import Outputs
from jeos.cli import output
from jeos.core import log

HELP = "build an appliance's image from its recipe"
DIFFERENT = 1  # exit status of --check when the two builds are not the same


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos build`."""
    parser.add_argument("path", nargs="?", type=Path, default=Path(), help="recipe, or the folder that it is in")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="where the image goes (default: build/)")
    parser.add_argument("--force", action="store_true", help="build even if nothing changed since the last time")
    parser.add_argument("--explain", action="store_true", help="say of each stage whether it was reused, and why not")
    parser.add_argument(
        "--check",
        action="store_true",
        help="build twice from nothing, in two places and under different conditions, and compare bit for bit "
        "(status 1 if they differ)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Build, or check that a build can be repeated."""
    if args.check:
        return _check(args)
    built = appliance.build(args.path, output=args.output, force=args.force)
    report = built.report()
    if args.json:
        output.as_json({"folder": built.folder.absolute(), "image": built.image, "stages": report.stages})
        return 0
    if args.explain:
        rows = [(stage.name, "reused" if stage.reused else "made", stage.reason) for stage in report.stages]
        output.table(rows, header=("stage", "", "because"))
    _summarize(built, where=args.path)
    return 0


def _summarize(built: Outputs, *, where: Path) -> None:
    image = built.image
    log.info(
        f"{image.name} {image.version}: system {output.size(image.system_size)}, "
        f"kernel image {output.size(image.kernel_size)}, disk {output.size(image.disk_size)} (sparse)"
    )
    suffix = "" if where == Path() else f" {where}"
    log.info(f"try: jeos run{suffix}    look: jeos size{suffix}")


def _check(args: argparse.Namespace) -> int:
    differences = reproduce.check(args.path)
    if args.json:
        output.as_json({"reproducible": not differences, "differences": differences})
    elif differences:
        output.table([(one.part, one.detail) for one in differences], header=("differs", "where"))
    else:
        log.info("both builds are the same, bit for bit: disk, kernel image, bill of materials, tree")
    return DIFFERENT if differences else 0
