"""Times on the command line: "90", "1.5", "30m", "12h", "14d", "2w"."""

import argparse
import re

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}  # seconds
LONGEST_WAIT = 24 * UNITS["d"]  # poll(2) takes milliseconds in 31 bits
PATTERN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([a-z]?)", re.ASCII)


def duration(text: str) -> float:
    """Return a time such as "12h" or "0.5" in seconds; raises argparse.ArgumentTypeError for anything else."""
    match = PATTERN.fullmatch(text)
    if match is None or match[2] not in UNITS:
        raise argparse.ArgumentTypeError(f"not a time: {text!r} (write 90s, 30m, 12h, 14d or 2w)")
    return float(match[1]) * UNITS[match[2]]


def wait(text: str) -> float:
    """Return how long to wait for something, in seconds; raises argparse.ArgumentTypeError if that is for ever."""
    seconds = duration(text)
    if seconds > LONGEST_WAIT:
        raise argparse.ArgumentTypeError(f"too long to wait: {text!r} (at most {LONGEST_WAIT // UNITS['d']}d)")
    return seconds


def add_wait(parser: argparse.ArgumentParser, *, default: float) -> None:
    """Add `--wait` to a verb that talks with a guest's agent; `default` is in seconds."""
    parser.add_argument(
        "--wait",
        type=wait,
        default=default,
        metavar="TIME",
        help="how long to wait for the agent, as 90 or 5m (default: %(default)gs)",
    )
