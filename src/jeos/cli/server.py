"""`jeos server`: run the exchange, the site with the community around appliances."""

import argparse
import getpass
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from jeos.core.errors import HostError, InputError, UsageError

HELP = "run the exchange: forum and community, on SQLite or PostgreSQL"

MAIL_BYTES = 2 << 20  # of one that is read; a larger one is not taken
HOST, PORT, WORKERS = "127.0.0.1", 8000, 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos server`."""
    parser.add_argument("--host", default=HOST, help=f"the address to listen on (default: {HOST})")
    parser.add_argument("--port", type=int, default=PORT, help=f"the port to listen on (default: {PORT})")
    parser.add_argument(
        "--workers", type=int, default=WORKERS, metavar="N", help=f"processes that answer (default: {WORKERS})"
    )
    parser.add_argument("--demo", action="store_true", help="fill an empty site with an example community first")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="the folder of the site's data (default: server in the state folder)"
    )
    parser.set_defaults(act=_serve)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", help="without one, the site is served")
    admin = actions.add_parser("admin", help="make an administrator, or make a member one")
    admin.add_argument("handle", help="the name that others see: small letters, digits, - and _")
    admin.add_argument("email", help="the e-mail address; it counts as confirmed")
    admin.add_argument("--passphrase-file", type=Path, metavar="FILE", help="read the passphrase from this file")
    admin.set_defaults(act=_admin)
    mail = actions.add_parser(
        "mail-in", help="take a mail from standard input, as the program that delivers mail gives it"
    )
    mail.set_defaults(act=_mail_in)
    work = actions.add_parser("work", help="run background work only, as on further hosts with one PostgreSQL")
    work.set_defaults(act=_work)
    advisories = actions.add_parser(
        "advisories", help="import known vulnerabilities, to be looked for in the appliances of the catalogue"
    )
    advisories.add_argument(
        "place", type=Path, metavar="PATH", help="a file, or a folder of .json files: Debian's security tracker, OSV"
    )
    advisories.set_defaults(act=_advisories)
    export = actions.add_parser("export", help="write the whole site into open files, while it runs")
    export.add_argument("file", type=Path, metavar="FILE", help="a new .tar; without a suffix, a new folder")
    export.set_defaults(act=_export)
    bring = actions.add_parser("import", help="read what export wrote into an empty site")
    bring.add_argument("file", type=Path, metavar="FILE", help="the archive or folder")
    bring.set_defaults(act=_import)
    other = actions.add_parser("import-from", help="bring the members and threads of another forum here")
    other.add_argument("source", choices=("discourse", "phpbb"), help="the program that the forum ran on")
    other.add_argument(
        "file",
        type=Path,
        nargs="?",
        metavar="FILE",
        help="its dump: .sql, .sql.gz, or a backup of Discourse; without it, say how the import stands",
    )
    other.add_argument(
        "--files",
        type=Path,
        metavar="DIR",
        help="the folder of its uploaded files: files of phpBB, public/uploads of Discourse unless the backup has them",
    )
    other.add_argument(
        "--faces", type=Path, metavar="DIR", help="the folder of members' pictures: images/avatars/upload of phpBB"
    )
    other.add_argument("--resume", action="store_true", help="go on with an import that failed, from where it stopped")
    other.add_argument("--prefix", default="", metavar="TEXT", help="what names of tables begin with, as phpbb_")
    other.add_argument("--closed", metavar="NUMBERS", help="forums for moderators only, as 3,9; none if there are none")
    other.set_defaults(act=_import_from)
    for action in (admin, work, export, bring, advisories, mail, other):  # the folder may also be named before
        action.add_argument("--data", type=Path, metavar="DIR", default=argparse.SUPPRESS, help="the data folder")


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    if args.data is not None:
        os.environ["JEOS_SERVER_DATA"] = str(args.data.absolute())
    return int(args.act(args))


def _start() -> ModuleType:
    """Return the server's module that starts things. It is looked up by name, since jeos works without the server."""
    if importlib.util.find_spec("django") is None or importlib.util.find_spec("allauth") is None:
        raise HostError("the server's packages are not installed", hint="make server, or pip install 'jeos[server]'")
    return importlib.import_module("jeos.server.start")


def _serve(args: argparse.Namespace) -> int:
    if not 0 < args.port < 1 << 16:
        raise UsageError(f"{args.port} is no port", hint=f"from 1 to 65535; {PORT} without --port")
    return int(_start().serve(host=args.host, port=args.port, workers=args.workers, demo=args.demo))


def _admin(args: argparse.Namespace) -> int:
    start = _start()
    start.make_administrator(args.handle, args.email, passphrase=_passphrase(args.passphrase_file))
    return 0


def _mail_in(args: argparse.Namespace) -> int:
    if sys.stdin.isatty():
        raise UsageError("there is no mail on standard input", hint="jeos server mail-in < MESSAGE")
    return int(_start().take_mail(sys.stdin.buffer.read(MAIL_BYTES + 1)))


def _work(args: argparse.Namespace) -> int:
    return int(_start().work())


def _export(args: argparse.Namespace) -> int:
    _start().export(args.file)
    return 0


def _import(args: argparse.Namespace) -> int:
    _start().bring_in(args.file)
    return 0


def _advisories(args: argparse.Namespace) -> int:
    if not args.place.exists():
        raise UsageError(f"there is no {args.place}", hint="name the file or folder of the advisories")
    _start().load_advisories(args.place)
    return 0


def _import_from(args: argparse.Namespace) -> int:
    if args.resume and args.file is not None:
        raise UsageError("--resume reads no dump", hint=f"jeos server import-from {args.source} --resume")
    if args.resume or args.file is None:
        print(_start().import_standing(args.source, resume=args.resume))
        return 0
    prefix = args.prefix or ("phpbb_" if args.source == "phpbb" else "")
    closed = _numbers(args.closed)
    _start().import_from(args.source, args.file, prefix=prefix, closed=closed, files=args.files, faces=args.faces)
    return 0


def _numbers(text: str | None) -> set[int] | None:
    if text is None or text == "none":
        return None if text is None else set()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in parts):
        raise UsageError(f"these are no numbers of forums: {text}", hint="as 3,9; or none")
    return {int(part) for part in parts}


def _passphrase(path: Path | None) -> str:
    if path is not None:
        return path.read_text().splitlines()[0] if path.stat().st_size else ""
    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask for the passphrase", hint="give it with --passphrase-file FILE")
    first = getpass.getpass("Passphrase of the administrator: ")
    if first != getpass.getpass("Once more: "):
        raise InputError("the two passphrases differ", hint="try again")
    return first
