"""The arguments of verbs that sign: where the vendor's keys are, and where their passphrases come from."""

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jeos.core.errors import UsageError
from jeos.trust.passphrase import HINT, Passphrases

if TYPE_CHECKING:
    from jeos.trust.keys import Keys

FOLDER = Path("keys")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--keys`, `--offline` and `--passphrase-fd`."""
    parser.add_argument(
        "--keys", type=Path, default=FOLDER, metavar="DIR", help=f"the folder of keys (default: {FOLDER})"
    )
    parser.add_argument(
        "--offline",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a medium with private keys of root or targets; may be given more than once",
    )
    parser.add_argument(
        "--passphrase-fd",
        type=int,
        metavar="N",
        help="read passphrases from this file descriptor, one a line (without it: JEOS_PASSPHRASE, else by asking)",
    )


def passphrases(args: argparse.Namespace) -> Passphrases:
    """Return the passphrases that were given, and ask for others where somebody sits at a terminal."""
    return Passphrases.find(descriptor=args.passphrase_fd, ask=ask if sys.stdin.isatty() else None)


def ask(prompt: str) -> str:
    """Return what is typed at the terminal, unseen. Raises UsageError if nothing is, not even an empty line."""
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise UsageError("no passphrase was typed", hint=HINT) from None


def open_keys(args: argparse.Namespace) -> "Keys":
    """Open the folder of keys that the arguments name."""
    from jeos.trust.keys import Keys  # loads what speaks to clouds, which only signing needs

    return Keys.open(args.keys, offline=args.offline, passphrases=passphrases(args))
