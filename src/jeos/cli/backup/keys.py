"""`jeos backup keys`: the passphrases that open an encrypted vault, and the recovery key."""

import argparse

from jeos.cli import output, unlock
from jeos.cli.backup import vaults
from jeos.core import log
from jeos.core.errors import UsageError
from jeos.store import vault_keys
from jeos.store.vault import Vault, now
from jeos.trust.passphrase import Passphrases

HELP = "list, add and remove the passphrases of an encrypted vault, and export its recovery key"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    vaults.add_arguments(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--add", action="store_true", help="let one more passphrase open the vault (--new-passphrase-fd)")
    what.add_argument("--remove", metavar="KEY", help="let the passphrase of this key open the vault no more")
    what.add_argument(
        "--export", action="store_true", help="print the recovery key, which opens it as a passphrase does"
    )
    parser.add_argument("--note", default="", help="with --add: whose passphrase it is")
    parser.add_argument(
        "--new-passphrase-fd", type=int, metavar="N", help="with --add: read the new passphrase from this descriptor"
    )


def run(args: argparse.Namespace) -> int:
    """Do what was asked for, and list the keys."""
    vault = vaults.open_vault(args)
    if vault.master is None:
        raise UsageError(
            f"the vault {vault.where} is not encrypted and has no keys",
            hint="`jeos backup init --encrypt --store ADDRESS` makes one that is; `jeos backup sync` fills it",
        )
    if args.export:
        recovery = vault_keys.recovery(vault.master)
        if args.json:
            output.as_json({"recovery_key": recovery})
        else:
            output.line(recovery)
        return 0
    if args.add:
        _add(vault, args)
    elif args.remove:
        _remove(vault, args.remove)
    return _list(vault, args)


def _add(vault: Vault, args: argparse.Namespace) -> None:
    assert vault.master is not None
    passphrases = unlock.passphrases(args)
    # Never that of the environment: it is the one that opens the vault now.
    new = Passphrases.find(descriptor=args.new_passphrase_fd) if args.new_passphrase_fd is not None else Passphrases()
    chosen = Passphrases(given=new.given, ask=passphrases.ask).for_new(f"the backups in {vault.where}")
    vault_keys.add(vault.files.writer(), vault.master, chosen, note=args.note, created=now())


def _remove(vault: Vault, name: str) -> None:
    names = vault_keys.names(vault.place)
    if name not in names:
        raise UsageError(f"there is no key {name}", hint=f"there are {', '.join(names) or 'none'}")
    if names == [name]:
        log.warn("this was the last passphrase: from now on only the recovery key opens the vault")
    vault_keys.remove(vault.files.writer(), name)


def _list(vault: Vault, args: argparse.Namespace) -> int:
    keys = [vault_keys.read(vault.place, name) for name in vault_keys.names(vault.place)]
    if args.json:
        output.as_json([{"key": key.name, "created": key.created, "note": key.note} for key in keys])
    else:
        output.table([(key.name, key.created, key.note) for key in keys], header=("key", "created", "note"))
    return 0
