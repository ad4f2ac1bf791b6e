"""A channel of signed descriptions alone, read by the client that machines use."""

import time
from pathlib import Path

import pytest

from jeos.channel import example, follow
from jeos.core.errors import TrustError
from jeos.model.release import Blob, Release, System
from jeos.trust.errors import ExpiredError
from jeos.trust.repository import DAY

PLACE = "https://updates.example/web"
UUID = "6b7f0c1e-0000-4000-8000-0000000abcde"


def release(version: str) -> Release:
    return Release(
        name="web",
        version=version,
        architecture="amd64",
        date=1_790_000_000,
        root_hash="a" * 64,
        system=System(4096, UUID, "", 0, 4096, UUID, ""),
        kernel=Blob("b" * 64, 1),
        index=Blob("c" * 64, 1),
        packs=(),
        notes="- *new*",
    )


def read(channel: Path, kept: Path, root: bytes) -> follow.Followed:
    (kept / "roots").mkdir(parents=True)
    return follow.follow(PLACE, example.get_from(channel), root=root, folder=kept, now=time.time(), known={})


def test_example_is_followed_like_any_channel(tmp_path: Path) -> None:
    now = time.time()
    root = example.write(tmp_path / "channel", [release("1.0"), release("1.1")], now=now)
    found = read(tmp_path / "channel", tmp_path / "kept", root)
    assert [one.release for one in found.releases] == [release("1.1"), release("1.0")]
    assert sorted(key.role for key in found.keys) == ["root", "snapshot", "targets", "timestamp"]
    assert abs(found.expires - (now + 30 * DAY)) < 2


def test_example_that_was_signed_long_ago_is_outdated(tmp_path: Path) -> None:
    root = example.write(tmp_path / "channel", [release("1.0")], now=time.time() - 33 * DAY)
    with pytest.raises(ExpiredError):
        read(tmp_path / "channel", tmp_path / "kept", root)


def test_example_of_other_keys_is_not_believed(tmp_path: Path) -> None:
    roots = [example.write(tmp_path / name, [release("1.0")], now=time.time()) for name in ("one", "other")]
    with pytest.raises(TrustError):
        read(tmp_path / "one", tmp_path / "kept", roots[1])
