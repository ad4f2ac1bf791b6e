"""`jeos backup serve`: export the disks of a point over NBD, until it is stopped."""

import argparse
import signal
import socket
from pathlib import Path

from jeos.backup import points
from jeos.backup.export import exported
from jeos.cli.backup.vaults import add_arguments, open_vault
from jeos.core import log

HELP = "export a point's disks read-only over NBD on a socket, for programs that read disks (qemu-img, nbdcopy)"

ENDS = (signal.SIGTERM, signal.SIGINT)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos backup serve`."""
    parser.add_argument("point", metavar="POINT", help="as web01@latest, web01@2 or the name that `list` shows")
    parser.add_argument("--socket", type=Path, required=True, metavar="FILE", help="the socket to listen on")
    parser.add_argument("--listening", type=int, metavar="FD", help=argparse.SUPPRESS)  # the supervisor's
    add_arguments(parser, json=False)


def run(args: argparse.Namespace) -> int:
    """Export until a signal comes."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # of the threads, too, which are still to come
    listener = socket.socket(fileno=args.listening) if args.listening is not None else None
    vault = open_vault(args)
    point = points.find(vault, args.point)
    with exported(vault, point, args.socket, listener=listener) as server:
        for name in server.disks:
            log.info(f"{point.owner}@{point.number}: nbd+unix:///{name}?socket={args.socket}")
        signal.sigwait(ENDS)
        log.info(f"{server.sent} bytes were read")
    return 0
