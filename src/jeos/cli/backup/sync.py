"""`jeos backup sync`: copy points to another vault, or from one."""

import argparse

from jeos.backup import known_vaults
from jeos.backup.needs import needs
from jeos.cli import output, unlock
from jeos.cli.backup import vaults
from jeos.core import log
from jeos.core.errors import UsageError
from jeos.store.places.address import open_place
from jeos.store.places.place import Reader
from jeos.store.vault import Vault, exists
from jeos.store.vault_copy import copy
from jeos.trust.passphrase import Passphrases

HELP = "copy backup points to another vault (or from one): only what is missing there; goes on where it was stopped"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("other", metavar="ADDRESS", help="the other vault; made if it is not there, as this one is")
    parser.add_argument("machine", nargs="*", help="only the points of these machines (default: all)")
    vaults.add_arguments(parser)
    parser.add_argument("--pull", action="store_true", help="copy from the other vault to this one")
    parser.add_argument(
        "--other-passphrase-fd",
        type=int,
        metavar="N",
        help="read the other vault's passphrase from this descriptor (without it: the same as this one's)",
    )
    parser.add_argument(
        "--encrypt", action="store_true", help="if the vault that is copied to is not there: encrypt it"
    )


def run(args: argparse.Namespace) -> int:
    """Copy, and say what was sent."""
    own, other = vaults.place(args), open_place(args.other)
    if own.place == other.place:
        raise UsageError(f"{own.place} is both vaults", hint="name another vault to copy to")
    own_words = unlock.passphrases(args)
    other_words = own_words
    if args.other_passphrase_fd is not None:
        other_words = Passphrases.find(descriptor=args.other_passphrase_fd, ask=own_words.ask)
    first = (other, other_words) if args.pull else (own, own_words)
    second = (own, own_words) if args.pull else (other, other_words)
    source = _open(*first)
    target = _open(*second) if exists(second[0]) else _make(*second, like=source, encrypt=args.encrypt)
    names = [name for name in source.points() if not args.machine or name.partition("/")[0] in args.machine]
    missing = set(args.machine) - {name.partition("/")[0] for name in names}
    if missing:
        raise UsageError(f"{source.where} has no points of {', '.join(sorted(missing))}", hint="see `jeos backup list`")
    with log.step("sync") as step:
        done = copy(source, target, needs=needs, names=names, progress=step.update)
        step.done(f"{len(done.points)} points, {output.size(done.size)} sent")
    if args.json:
        output.as_json({"from": source.where, "to": target.where, "points": done.points, "bytes": done.size})
    return 0


def _open(place: Reader, words: Passphrases) -> Vault:
    return known_vaults.check(Vault.open(place, secret=vaults.secret(words, name=place.place)))


def _make(place: Reader, words: Passphrases, *, like: Vault, encrypt: bool) -> Vault:
    """Make the vault that is copied to; it encrypts if asked to, or if what is copied is encrypted where it is."""
    known_vaults.check_new(place.place)
    if not (encrypt or like.encrypted):
        return known_vaults.check(Vault.create(place))
    vault = known_vaults.check(Vault.create(place, passphrase=words.for_new(f"the backups in {place.place}")))
    log.warn(
        f"{place.place} has a key of its own: `jeos backup keys --store {place.place} --export` shows how to save it"
    )
    return vault
