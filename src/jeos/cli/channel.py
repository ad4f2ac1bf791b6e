"""`jeos channel`: look at a channel of releases, change what it offers to whom, keep it in order, serve it."""

import argparse
import sys
import time
from functools import cache
from pathlib import Path

from jeos.channel import catalogue, change, metadata, retire, serve, verify
from jeos.channel.backend import Backend, open_backend, open_reader
from jeos.channel.catalogue import Listed
from jeos.channel.change import EXPIRES, Keys
from jeos.cli import output, unlock
from jeos.cli.times import duration
from jeos.core import files, log, settings
from jeos.core.errors import InputError, TrustError, UsageError
from jeos.trust.repository import DAY

HELP = "look at a channel of releases, change what it offers to whom, keep it in order, serve it"

FOLDER = "channel"
LISTEN = "127.0.0.1:8090"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `jeos channel`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    show = actions.add_parser(
        "show", help="list the releases: for whom, how large, from which versions there are patches"
    )
    check = actions.add_parser("verify", help="read all of it again as a stranger would, and say what is wrong")
    check.add_argument(
        "--root", type=Path, metavar="FILE", help="the vendor's root.json to start from (default: that of --keys)"
    )
    promote = actions.add_parser("promote", help="offer a release to others than so far")
    promote.add_argument("version")
    add_terms(promote)
    promote.add_argument(
        "--not-critical", dest="critical", action="store_false", default=None, help="let it wait for windows again"
    )
    withdraw = actions.add_parser("withdraw", help="let no machine take a release any more, nor wait for it")
    withdraw.add_argument("version")
    withdraw.add_argument("--undo", action="store_true", help="take that back")

    refresh = actions.add_parser("refresh", help="sign anew what is about to expire, with the online keys alone (cron)")

    old = actions.add_parser("retire", help="take old releases off, and delete files that nothing needs any more")
    old.add_argument("version", nargs="*", help="releases to take off (default: all but the newest)")
    old.add_argument(
        "--keep", type=int, default=retire.KEEP, metavar="N", help=f"how many to keep (default: {retire.KEEP})"
    )
    old.add_argument(
        "--grace",
        type=duration,
        default=retire.GRACE,
        metavar="TIME",
        help=f"how long what is not needed stays for readers in the middle (default: {retire.GRACE / 3600:g}h)",
    )
    old.add_argument("--dry-run", action="store_true", help="only say what would be done")

    server = actions.add_parser("serve", help="serve the folder over HTTP, for trials and labs")
    server.add_argument("--listen", default=LISTEN, metavar="HOST:PORT", help=f"where to listen (default: {LISTEN})")

    for action, act in (
        *((show, _show), (check, _verify), (promote, _promote), (withdraw, _withdraw)),
        *((refresh, _refresh), (old, _retire), (server, _serve)),
    ):
        action.set_defaults(act=act)
        action.add_argument(
            "--channel", default=FOLDER, metavar="WHERE", help=f"a folder or s3://BUCKET/PREFIX (default: {FOLDER})"
        )
        if action is not server:
            unlock.add_arguments(action)
            action.add_argument("--json", action="store_true", help="print JSON")
        if action in (promote, withdraw, refresh, old):
            add_signing(action)


def add_terms(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say whom a release is for."""
    parser.add_argument("--ring", help="the ring of machines that it is for; everybody takes what is in stable")
    parser.add_argument("--percent", type=int, metavar="N", help="how many of them may take it, from 0 to 100")
    parser.add_argument("--critical", action="store_true", default=None, help="let it not wait for maintenance windows")


def add_signing(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of what signs a channel."""
    parser.add_argument(
        "--expires",
        type=duration,
        default=float(EXPIRES),
        metavar="TIME",
        help=f"how long machines may rely on the channel without a new signature (default: {EXPIRES // DAY}d)",
    )
    parser.add_argument(
        "--gpg-key", default="", metavar="KEY", help="sign SHA256SUMS for systemd-sysupdate with this key of gpg"
    )


def open_keys(args: argparse.Namespace) -> Keys:
    """Return what signs, from the arguments."""
    keys = unlock.open_keys(args)
    # Unlocked once: a passphrase is not asked for again by the next that signs.
    return Keys(roots=keys.roots(), signers=cache(keys.signers), expires=args.expires, gpg_key=args.gpg_key)


def run(args: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    return int(args.act(args))


def _backend(args: argparse.Namespace) -> Backend:
    return open_backend(args.channel)


def _roots(args: argparse.Namespace) -> tuple[bytes, ...]:
    """Return the vendor's roots, if their folder is here."""
    return unlock.open_keys(args).roots() if (args.keys / "1.root.json").exists() else ()


def _show(args: argparse.Namespace) -> int:
    reader, roots = open_reader(args.channel), _roots(args)
    repository = metadata.look(reader, roots=roots)
    listed = catalogue.catalogue(reader, repository.targets())
    expires = repository.timestamp_expires()
    if args.json:
        output.as_json(
            {
                "channel": reader.place,
                "proved": bool(roots),
                "expires": expires,
                "releases": [{**catalogue.custom_of(one.terms), "release": one.release} for one in listed],
            }
        )
        return 0
    header = ("VERSION", "RING", "PERCENT", "", "BUILT", "WHOLE", "PATCHES")
    output.table([_row(one) for one in listed], header=header, right=(2, 5))
    left = (expires or 0) - time.time()
    output.line(
        f"fresh until {_date(expires or 0)}" + ("" if left > 0 else ": machines refuse it; jeos channel refresh")
    )
    if not roots:
        log.warn(f"nothing vouches for {reader.place} but itself: name the vendor's keys with --keys")
    return 0


def _row(one: Listed) -> tuple[str, ...]:
    release, terms = one.release, one.terms
    words = [word for word, said in (("withdrawn", terms.withdrawn), ("critical", terms.critical)) if said]
    patches = (f"{patch.version} ({output.size(patch.blob.length)})" for patch in release.patches)
    return (
        release.version,
        terms.ring,
        f"{terms.percent} %",
        ", ".join(words),
        _date(release.date),
        output.size(release.kernel.length + release.index.length + sum(pack.length for pack in release.packs)),
        ", ".join(patches),
    )


def _date(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(when))


def _verify(args: argparse.Namespace) -> int:
    reader = open_reader(args.channel)
    roots = _roots(args) if args.root is None else (_read(args.root),)
    if not roots:
        log.warn("nothing vouches for the channel's first root: name the vendor's root.json with --root")
        roots = metadata.stored_roots(reader)
    if not roots:
        raise InputError(f"there is no channel at {reader.place}", hint="`jeos publish --channel DIR` makes one")
    with files.temporary_folder(settings.cache_dir() / "work", prefix="verify-") as folder:
        found = verify.verify(reader, root=roots[0], folder=folder, now=time.time())
    if args.json:
        output.as_json({"channel": reader.place, "sound": not found.problems, **vars(found)})
    elif found.problems:
        output.table([(problem.what, problem.detail) for problem in found.problems], header=("WHAT", "IS WRONG"))
    else:
        output.line(f"{found.releases} releases, {found.files} files, {output.size(found.size)}: all as signed")
    return TrustError.exit_code if found.problems else 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"there is no {path}", hint="`jeos keys new` makes root.json in the keys' folder") from None


def _promote(args: argparse.Namespace) -> int:
    if args.ring is None and args.percent is None and args.critical is None:
        raise UsageError("nothing to change", hint="give --ring, --percent, --critical or --not-critical")
    listed = change.promote(
        _backend(args),
        args.version,
        keys=open_keys(args),
        ring=args.ring,
        percent=args.percent,
        critical=args.critical,
    )
    return tell(listed, args)


def _withdraw(args: argparse.Namespace) -> int:
    return tell(change.withdraw(_backend(args), args.version, keys=open_keys(args), undo=args.undo), args)


def tell(listed: Listed, args: argparse.Namespace) -> int:
    """Print how a release is listed now."""
    if args.json:
        output.as_json({**catalogue.custom_of(listed.terms), "release": listed.release})
        return 0
    terms = listed.terms
    state = "withdrawn" if terms.withdrawn else f"for {terms.percent} % of the ring {terms.ring}"
    log.info(f"{listed.release.name} {listed.version}: {state}{', critical' if terms.critical else ''}")
    return 0


def _refresh(args: argparse.Namespace) -> int:
    end = change.refresh(_backend(args), keys=open_keys(args))
    if args.json:
        output.as_json({"expires": end})
    return 0


def _retire(args: argparse.Namespace) -> int:
    if args.keep < 1:
        raise UsageError(f"--keep {args.keep} would leave no release", hint="keep at least one")
    done = retire.retire(
        _backend(args),
        keys=open_keys(args),
        versions=args.version,
        keep=args.keep,
        grace=args.grace,
        dry_run=args.dry_run,
    )
    if args.json:
        output.as_json({"dry_run": args.dry_run, **vars_of(done)})
        return 0
    would = "would be " if args.dry_run else ""
    output.line(f"releases {would}taken off: {', '.join(done.releases) or 'none'}")
    output.line(f"{done.deleted} files {would}deleted, {output.size(done.freed)}")
    if done.waiting:
        output.line(
            f"{done.waiting} files, {output.size(done.waiting_size)}, are not needed any more, and stay for a while"
        )
    return 0


def vars_of(done: retire.Retired) -> dict[str, object]:
    """Return what was retired as a table for JSON."""
    return {name: getattr(done, name) for name in done.__dataclass_fields__}


def _serve(args: argparse.Namespace) -> int:
    folder = Path(args.channel)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint="only a channel in a folder can be served")
    host, _, port = args.listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{args.listen} is no address to listen at", hint=f"write HOST:PORT, such as {LISTEN}")
    server = serve.make_server(folder, host=host.strip("[]") or "0.0.0.0", port=int(port))  # noqa: S104 - was asked for
    output.line(f"{folder} is served at {serve.address_of(server)}")
    sys.stdout.flush()  # who waits for the address may read it from a pipe
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        log.info("stopped")
    finally:
        server.server_close()
    return 0
