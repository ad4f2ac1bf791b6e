"""The arguments of all actions of `jeos backup`: which vault, and what opens it."""

import argparse
import sys
from typing import TYPE_CHECKING

from jeos.backup import known_vaults
from jeos.core import settings
from jeos.core.errors import UsageError
from jeos.store.places.address import open_place
from jeos.store.places.place import Reader
from jeos.store.vault import Secret, Vault, exists

if TYPE_CHECKING:
    from jeos.trust.passphrase import Passphrases


def add_arguments(parser: argparse.ArgumentParser, *, json: bool = True) -> None:
    """Add `--store`, `--passphrase-fd` and, where there is something to print, `--json`."""
    parser.add_argument(
        "--store",
        metavar="ADDRESS",
        help="where the backups are: a folder, s3://BUCKET/PREFIX, or http(s)://… to read only "
        "(default: JEOS_BACKUPS, else backups in your data folder)",
    )
    parser.add_argument(
        "--passphrase-fd",
        type=int,
        metavar="N",
        help="read the vault's passphrase from this file descriptor (without it: JEOS_PASSPHRASE, else by asking)",
    )
    if json:
        parser.add_argument("--json", action="store_true", help="print JSON")


def place(args: argparse.Namespace) -> Reader:
    """Return the place that the arguments name."""
    return open_place(args.store or settings.backups())


def open_vault(args: argparse.Namespace, *, create: bool = False) -> Vault:
    """Open the vault that the arguments name; with `create`, make one that does not encrypt where there is none.

    Raises TrustError if another vault stands there than before, UsageError if it has gone.
    """
    where = place(args)
    if create and not exists(where):
        known_vaults.check_new(where.place)
        return known_vaults.check(Vault.create(where))

    def first(wrong: int) -> str | None:
        from jeos.cli import unlock  # loads what only vaults that encrypt need

        return secret(unlock.passphrases(args), name=where.place)(wrong)

    return known_vaults.check(Vault.open(where, secret=first))


def secret(passphrases: "Passphrases", *, name: str) -> Secret:
    """Return what gives a vault one passphrase after the other: those that were given, then what is typed."""

    def next_one(wrong: int) -> str | None:
        if wrong < len(passphrases.given):
            return passphrases.given[wrong]
        return passphrases.ask(f"Passphrase of the backups in {name}: ") if passphrases.ask else None

    return next_one


def need_terminal_or_yes(args: argparse.Namespace, question: str) -> None:
    """Ask before what cannot be taken back, unless `--yes` was given. Raises UsageError if the answer is no."""
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} nobody is here to answer", hint="--yes answers it")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("not done", hint="answer y, or give --yes")
