"""The order of versions; the long list is from the worked examples of UAPI.10."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.model import version

ASCENDING = ("122.1", "123~rc1-1", "123", "123-a", "123-a.1", "123-1", "123-1.1", "123^post1", "123.a-1", "123.1-1")
versions = st.from_regex(r"[0-9a-z](?:[0-9a-z.^~-]{0,6}[0-9a-z])?", fullmatch=True)


def test_sort_key_sorts_as_in_the_specification() -> None:
    assert sorted(sorted(ASCENDING), key=version.sort_key) == list(ASCENDING)


@pytest.mark.parametrize(
    ("one", "other", "result"),
    [
        ("1.10", "1.9", 1),
        ("1.0", "1.0", 0),
        ("1.0", "1.0.0", -1),
        ("007", "7", 0),
        ("1.0~rc1", "1.0", -1),
        ("a", "1", -1),
    ],
)
def test_compare(one: str, other: str, result: int) -> None:
    assert version.compare(one, other) == result
    assert version.compare(other, one) == -result
    assert version.newer(one, other) is (result > 0)


@settings(max_examples=25, deadline=None)
@given(versions, versions)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_compare_agrees_with_systemd(one: str, other: str) -> None:
    status = subprocess.run(["systemd-analyze", "compare-versions", one, other], capture_output=True).returncode
    assert version.compare(one, other) == {11: 1, 12: -1, 0: 0}[status]
