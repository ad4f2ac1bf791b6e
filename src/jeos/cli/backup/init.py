"""`jeos backup init`: make a vault, and decide whether it encrypts."""

import argparse

from jeos.backup import known_vaults
from jeos.cli import output, unlock
from jeos.cli.backup import vaults
from jeos.core import log
from jeos.core.errors import UsageError
from jeos.store import vault_keys
from jeos.store.vault import Vault, exists

HELP = "make a vault for backups; --encrypt decides for good that only a passphrase opens it"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    vaults.add_arguments(parser)
    parser.add_argument(
        "--encrypt", action="store_true", help="encrypt and authenticate all that is stored (AES-256-GCM)"
    )


def run(args: argparse.Namespace) -> int:
    """Make the vault; print the recovery key of one that encrypts."""
    place = vaults.place(args)
    if exists(place):
        raise UsageError(f"there is a vault at {place.place} already", hint="use it, or name another place: --store")
    passphrase = unlock.passphrases(args).for_new(f"the backups in {place.place}") if args.encrypt else None
    vault = Vault.create(place, passphrase=passphrase)
    known_vaults.note(vault)
    recovery = vault_keys.recovery(vault.master) if vault.master else ""
    if args.json:
        output.as_json(
            {"store": place.place, "id": vault.id, "encrypted": vault.encrypted, "recovery_key": recovery or None}
        )
        return 0
    output.line(f"vault {vault.id[:8]} at {place.place}, {'encrypted' if vault.encrypted else 'not encrypted'}")
    if recovery:
        output.line(f"recovery key: {recovery}")
        log.warn("without a passphrase or this recovery key nobody can read the backups: keep it off this machine")
    return 0
