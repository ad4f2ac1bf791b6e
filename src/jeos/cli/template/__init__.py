"""`jeos template ACTION …`: make, list and delete templates, from which machines start in no time.

An action is a module of this package with `HELP`, `configure(parser)` and `run(args)`, as verbs are.
"""

import argparse
import importlib
import pkgutil

HELP = "make, list and delete templates: booted appliances from which `jeos run --from-template` starts in no time"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `jeos template`."""
    parsers = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        module = importlib.import_module(f"{__name__}.{name}")
        action = parsers.add_parser(name, help=module.HELP, description=module.HELP)
        module.configure(action)
        action.set_defaults(act=module.run)


def run(args: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    return int(args.act(args))
