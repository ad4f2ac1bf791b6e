"""`jeos keys`: make, replace and revoke the keys that sign releases."""

import argparse
import time
from collections.abc import Callable, Mapping

from jeos.cli import output, unlock
from jeos.cli.times import duration
from jeos.core import log
from jeos.core.errors import UsageError
from jeos.trust.keys import NEWEST, PENDING, Change, Keys, Plan, changing
from jeos.trust.root import DAY, KEYID_PREFIX, LIFE, ROLES
from jeos.trust.status import Status, status

HELP = "make, replace and revoke the keys that sign releases"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `jeos keys`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    new = actions.add_parser("new", help="make the keys of a new vendor, and root.json, which recipes name")
    for role in ("root", "targets"):
        new.add_argument(f"--{role}-keys", type=int, default=1, metavar="N", help=f"how many {role} keys (default: 1)")
        new.add_argument(
            f"--{role}-threshold", type=int, default=1, metavar="N", help="how many of them must sign (default: 1)"
        )
    new.add_argument(
        "--pkcs11",
        action="append",
        default=[],
        metavar="ROLE=ADDRESS",
        help="take a key of this role that is on a token, by its address (pkcs11:token=…;object=…?module-path=…)",
    )
    new.set_defaults(act=_new)

    rotate = actions.add_parser("rotate", help="replace a key by a new one, in a new version of the root")
    rotate.add_argument("role", choices=ROLES)
    rotate.add_argument("--key", metavar="KEYID", help="which key to replace, if the role has several")
    rotate.add_argument("--pkcs11", metavar="ADDRESS", help="take the key at this address of a token as the new one")
    rotate.set_defaults(act=_rotate)

    revoke = actions.add_parser("revoke", help="take a key's rights away; a new one takes its place if one is needed")
    revoke.add_argument("key", metavar="KEYID", help=f"at least the first {KEYID_PREFIX} digits of its id")
    revoke.set_defaults(act=_revoke)

    renew = actions.add_parser("renew", help="give the root a later date, with the same keys")
    renew.set_defaults(act=_renew)

    sign = actions.add_parser("sign", help="add signatures to a root that waits for more of them")
    sign.set_defaults(act=_sign)

    show = actions.add_parser("show", help="list roles and keys, where they are, and what is about to expire")
    show.set_defaults(act=_show)

    for action in (new, rotate, revoke, renew):
        action.add_argument(
            "--expires",
            type=duration,
            default=float(LIFE),
            metavar="TIME",
            help=f"how long the root is good for, such as 365d (default: {LIFE // DAY}d)",
        )
    for action in (new, rotate, revoke, renew, sign, show):
        unlock.add_arguments(action)
        action.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    return int(args.act(args))


def _new(args: argparse.Namespace) -> int:
    with changing(args.keys):
        keys = Keys.create(
            args.keys,
            now=time.time(),
            life=args.expires,
            plan=_plan(args),
            offline=args.offline,
            passphrases=unlock.passphrases(args),
        )
    log.info(f"made {args.keys}; recipes name {args.keys / NEWEST} as `root` in [update]")
    return _print(keys, args)


def _plan(args: argparse.Namespace) -> Mapping[str, Plan]:
    tokens: dict[str, list[str]] = {role: [] for role in ROLES}
    for text in args.pkcs11:
        role, equals, address = text.partition("=")
        if role not in tokens or not equals:
            raise UsageError(f"--pkcs11 {text} names no role", hint=f"write ROLE=ADDRESS; roles are {', '.join(ROLES)}")
        tokens[role].append(address)
    counts = {"root": args.root_keys, "targets": args.targets_keys}
    thresholds = {"root": args.root_threshold, "targets": args.targets_threshold}
    return {
        role: Plan(
            keys=max(counts.get(role, 1), len(tokens[role])),
            threshold=thresholds.get(role, 1),
            tokens=tuple(tokens[role]),
        )
        for role in ROLES
    }


def _rotate(args: argparse.Namespace) -> int:
    return _change(
        args,
        lambda keys: keys.rotate(args.role, now=time.time(), keyid=args.key, address=args.pkcs11, life=args.expires),
    )


def _revoke(args: argparse.Namespace) -> int:
    return _change(args, lambda keys: keys.revoke(args.key, now=time.time(), life=args.expires))


def _renew(args: argparse.Namespace) -> int:
    return _change(args, lambda keys: keys.renew(now=time.time(), life=args.expires))


def _sign(args: argparse.Namespace) -> int:
    return _change(args, lambda keys: keys.sign())


def _change(args: argparse.Namespace, act: Callable[[Keys], Change]) -> int:
    with changing(args.keys):
        keys = unlock.open_keys(args)
        change = act(keys)
    for word, keyids in (("new", change.added), ("no longer trusted", change.removed)):
        for keyid in keyids:
            log.info(f"{word}: {keyid[:KEYID_PREFIX]}")
    if change.lacking:
        log.warn(
            f"version {change.version} of the root lacks {_count(change.lacking, 'signature')}: bring {args.keys} "
            f"(with {PENDING}) to whoever holds another root key, and run `jeos keys sign` there"
        )
    else:
        log.info(f"version {change.version} of the root is complete; publish, so that machines learn of it")
    return _print(keys, args)


def _show(args: argparse.Namespace) -> int:
    return _print(unlock.open_keys(args), args)


def _print(keys: Keys, args: argparse.Namespace) -> int:
    found = status(keys, now=time.time())
    if args.json:
        output.as_json(found)
    else:
        _table(found)
    for warning in found.warnings:
        log.warn(warning)
    return 0


def _table(found: Status) -> None:
    rows = []
    for role in found.roles:
        for number, key in enumerate(role.keys):
            needed = f"{role.threshold} of {len(role.keys)}" if number == 0 else ""
            rows.append((role.name if number == 0 else "", needed, key.id[: 2 * KEYID_PREFIX], key.scheme, key.place))
    output.table(rows, header=("role", "needed", "key", "scheme", "private key"))
    output.line(f"version {found.version} of the root, good until {found.expires[:10]} ({found.days_left} days)")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
