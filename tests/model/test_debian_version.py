"""Versions are ordered as dpkg orders them."""

import itertools
import subprocess

import pytest

from jeos.model.debian_version import newer, sort_key

# From the oldest to the newest.
ORDERED = ["0", "1.0~~", "1.0~rc1", "1.0~rc1-1", "1.0", "1.0-1", "1.0-1+b2", "1.0-1+deb13u1", "1.0-1.1"]
ORDERED += ["1.0a", "1.0+b1", "1.0+dfsg-1", "1.0.1", "1.9", "1.10", "2.0.0-0+deb13u1", "1:0.1"]


def test_versions_are_in_order() -> None:
    assert sorted(set(ORDERED), key=sort_key) == ORDERED


def test_equal_versions_are_not_newer() -> None:
    assert not newer("1.0", "1.00")
    assert not newer("1.0", "1.0-0")


@pytest.mark.parametrize(("one", "other"), list(itertools.pairwise(ORDERED)))
def test_order_is_dpkgs(one: str, other: str) -> None:
    subprocess.run(["dpkg", "--compare-versions", one, "lt", other], check=True)
    assert newer(other, one)
    assert not newer(one, other)
