"""Initrds are unpacked once, and what was appended to a known one by itself, with the same result as all at once."""

import gzip
import lzma
from collections.abc import Callable

import pytest

from jeos.convert import initrds
from jeos.core.errors import InputError
from jeos.disk import initramfs

FIRST = gzip.compress(initramfs.archive({"conf/modules": b"old\n", "lib/modules/1/a.ko": b"module"}))
MORE = initramfs.archive({"conf/modules": b"new\n", "etc/udev/rules.d/x": b"rule", "b": b"other"})
PADDED = FIRST + bytes(-len(FIRST) % initramfs.ALIGNMENT)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initrds, "_known", [])


def test_what_was_appended_gives_what_reading_all_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = initrds.read(PADDED + MORE)
    monkeypatch.setattr(initrds, "_known", [])
    initrds.read(FIRST)
    read: list[int] = []
    plain = initramfs.read

    def counted(data: bytes, *, wanted: Callable[[str], bool]) -> initramfs.Initramfs:
        read.append(len(data))
        return plain(data, wanted=wanted)

    monkeypatch.setattr(initramfs, "read", counted)
    assert initrds.read(FIRST).files["conf/modules"] == b"old\n"
    assert initrds.read(PADDED + MORE) == whole
    assert whole.files == {
        "conf/modules": b"new\n",
        "lib/modules/1/a.ko": None,
        "etc/udev/rules.d/x": b"rule",
        "b": None,
    }
    assert whole.packing == ("gzip", "") and whole.starts == (0, len(PADDED))
    assert read == [len(PADDED) - len(FIRST) + len(MORE)]


def test_no_more_is_kept_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initrds, "_KEPT_BYTES", 10)
    initrds.read(FIRST)
    initrds.read(lzma.compress(MORE))
    assert [found.packing for _, found in initrds._known] == [("xz",)]


def test_damaged_one_is_not_kept() -> None:
    with pytest.raises(InputError):
        initrds.read(FIRST[:-20])
    assert initrds._known == []
