"""`jeos completion`: a script that completes jeos' verbs and options in a shell."""

import argparse

from jeos.cli import output

HELP = "print a completion script for bash, zsh or tcsh"
SHELLS = ("bash", "zsh", "tcsh")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos completion`."""
    parser.add_argument(
        "shell", choices=SHELLS, help="for bash: jeos completion bash | sudo tee /etc/bash_completion.d/jeos"
    )


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    from jeos.cli.main import make_parser

    output.line(shtab.complete(make_parser(), shell=args.shell))
    return 0
