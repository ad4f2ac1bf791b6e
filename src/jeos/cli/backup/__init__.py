"""`jeos backup ACTION …`: back up machines and disks; list, browse, boot and restore what was backed up.

An action is a module of this package with `HELP`, `configure(parser)` and `run(args)`, as verbs are.
"""

import argparse
import importlib
import pkgutil

HELP = "back up machines and disks; list, browse, boot and restore what was backed up"

NOT_ACTIONS = {"proving", "machine_files", "vaults"}


def actions() -> list[str]:
    """Return the names of all actions."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in NOT_ACTIONS)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `jeos backup`."""
    parsers = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name in asked(parser) or actions():
        module = importlib.import_module(f"{__name__}.{name}")
        action = parsers.add_parser(name, help=module.HELP, description=module.HELP)
        module.configure(action)
        action.set_defaults(act=module.run)


def asked(parser: argparse.ArgumentParser) -> list[str]:
    """Return the action that the command line asks for; none where it asks for help, or for what is not there.

    The modules of all of them take half a CPU second to load, more than many backups.
    """
    words = [word for word in getattr(parser, "asked", ()) if not word.startswith("-")]
    return [name for name in words[1:2] if name in actions()]


def run(args: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    return int(args.act(args))
