"""`jeos VERB …`: finds the verb's module, reads its arguments, runs it, and turns errors into exit codes.

A verb is a module of this package with `HELP`, `configure(parser)` and `run(args)`. Only the module of the verb that
was asked for is imported, so that starting jeos stays cheap however many verbs there are.
"""

import argparse
import errno
import importlib
import locale
import os
import pkgutil
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import jeos
from jeos.cli.failures import report
from jeos.core import files, log
from jeos.core.errors import HostError, JeosError, UsageError

# What the owner of a machine can mend; any other error of the system is a fault of jeos and ends in a traceback.
UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
NOT_VERBS = {"failures", "main", "output", "publication", "times", "unlock"}
INTERRUPTED = 128 + signal.SIGINT  # what shells report for Ctrl-C
BROKEN_PIPE = 128 + signal.SIGPIPE


class Parser(argparse.ArgumentParser):
    """argparse's parser, which says what is wrong in the form of all errors here.

    `asked` is the command line, for verbs with so many actions that they add only the one that is asked for; empty
    where all are wanted.
    """

    asked: tuple[str, ...] = ()

    def error(self, message: str) -> NoReturn:
        """Print the usage, the error and where more is to be read, and exit."""
        self.print_usage(sys.stderr)
        report(UsageError(message, hint=f"`{self.prog} --help` tells more"))
        raise SystemExit(UsageError.exit_code)


def verbs() -> list[str]:
    """Return the names of all verbs."""
    package = importlib.import_module("jeos.cli")
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    return sorted(name.replace("_", "-") for name in modules - NOT_VERBS)


def load(verb: str) -> ModuleType:
    """Import the module of a verb."""
    return importlib.import_module(f"jeos.cli.{verb.replace('-', '_')}")


def make_parser(*, only: str | None = None, asked: tuple[str, ...] = ()) -> Parser:
    """Return the parser of the command line, for all verbs or for `only` one; `asked` is the command line itself.

    Who asks for the version alone waits for no verb to load.
    """
    parser = Parser(
        prog="jeos",
        description="Build, run and maintain virtual appliances.",
        epilog="`jeos VERB --help` tells more. Start with: jeos new hello && cd hello && jeos build && jeos run",
    )
    parser.add_argument("--version", action="version", version=f"jeos {jeos.__version__}")
    volume = parser.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="say nothing but warnings and errors")
    volume.add_argument("-v", "--verbose", action="store_true", help="say every command that is run")
    if "--version" in asked[:1]:
        return parser
    parsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in [only] if only else verbs():
        module = load(verb)
        verb_parser = parsers.add_parser(verb, help=module.HELP, description=module.HELP)
        verb_parser.asked = asked
        configure_verb(verb_parser, module)
    return parser


def configure_verb(parser: argparse.ArgumentParser, module: ModuleType) -> None:
    """Let a verb's module add its arguments."""
    module.configure(parser)
    parser.set_defaults(run=module.run, parser=parser)


def asked_verb(argv: list[str]) -> str | None:
    """Return the verb that a command line asks for. Raises UsageError if there is no such verb."""
    words = [word for word in argv if not word.startswith("-")]
    if not words:
        return None
    known = verbs()
    if words[0] not in known:
        import difflib  # 4 ms that only those who mistype pay

        near = difflib.get_close_matches(words[0], known, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"there is no verb {words[0]}", hint=f"{meant}`jeos --help` lists the verbs")
    return words[0]


def parse(argv: list[str]) -> argparse.Namespace:
    """Read a command line; `help` stands for --help. Raises UsageError, or SystemExit as argparse does."""
    if argv[:1] == ["help"]:
        argv = [*argv[1:2], "--help"]
    parser = make_parser(only=asked_verb(argv), asked=tuple(argv))
    if not argv:
        parser.print_help(sys.stderr)
        raise SystemExit(UsageError.exit_code)
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        args.parser.error(f"unknown arguments: {' '.join(unknown)}")
    return args


def main(argv: list[str]) -> int:
    """Run one command line and return its exit status."""
    try:
        args = parse(argv)
    except SystemExit as end:  # argparse's own way to say --help, --version and wrong usage
        return end.code if isinstance(end.code, int) else UsageError.exit_code
    except UsageError as error:
        report(error)
        return error.exit_code
    log.set_level(log.Level.QUIET if args.quiet else log.Level.VERBOSE if args.verbose else log.Level.NORMAL)
    try:
        status = args.run(args)
        sys.stdout.flush()
        return int(status)
    except JeosError as error:
        report(error)
        return error.exit_code
    except KeyboardInterrupt:
        log.info("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - so that Python's own flush at exit stays silent
        return BROKEN_PIPE
    except OSError as error:
        found = host_error(error)
        if found is None:
            raise
        report(found)
        return found.exit_code


def host_error(error: OSError) -> HostError | None:
    """Return the error for a file that this machine cannot give us; None for what is a fault of ours."""
    if files.out_of_room(error):
        return files.full_disk(Path(error.filename or "."))
    if error.errno not in UNUSABLE or error.filename is None:
        return None
    return HostError(
        f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}",
        hint="look at its owner and rights, and at the disk that it is on",
    )


def entry() -> None:
    """Start from the shell."""
    if not sys.flags.utf8_mode and locale.getencoding().lower() != "utf-8":
        # The files of jeos, and so the images, must not depend on the language of who builds.
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted
    open_missing_streams()
    signal.signal(signal.SIGTERM, _end_on_signal)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup does
        signal.signal(signal.SIGHUP, _end_on_signal)
    sys.exit(main(sys.argv[1:]))


def open_missing_streams() -> None:
    """Give a process that was started without standard streams empty ones, before their numbers go to other files."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            os.set_inheritable(opened, True)
            setattr(sys, name, os.fdopen(descriptor, "r" if descriptor == 0 else "w"))


def _end_on_signal(number: int, frame: object) -> None:
    """End as for Ctrl-C, so that every block that cleans up does."""
    raise KeyboardInterrupt
