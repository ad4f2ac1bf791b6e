"""Times on the command line."""

import argparse

import pytest

from jeos.cli import times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90s", 90), ("90", 90), ("0.5", 0.5), ("30m", 1800), ("1.5h", 5400), ("12h", 43200), ("2w", 1209600)],
)
def test_duration(text: str, seconds: float) -> None:
    assert times.duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "d", "-1d", "1.h", ".5", "1y", "1 d", "1d ", "9999999999d", "inf", "nan", "1e9", "٣"]
)
def test_duration_refuses(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="not a time"):
        times.duration(text)


def test_waits_end() -> None:
    assert times.wait("24d") == times.LONGEST_WAIT
    with pytest.raises(argparse.ArgumentTypeError, match=r"too long to wait: '4w' \(at most 24d\)"):
        times.wait("4w")
