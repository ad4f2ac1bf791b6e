import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.channel import packs
from jeos.channel.packs import Packed
from jeos.core.errors import InputError
from jeos.disk import zstd_library as zstd
from jeos.model import outline, pack_index
from jeos.model.pack_index import PackIndex
from release_pairs import Built, build


def loaded(packed: Packed, built: Built) -> PackIndex:
    return pack_index.load(
        packed.index, time=built.source.time, unpack=lambda data, size: zstd.decompress(data, size=size)
    )


def content(index: PackIndex, digest: str, files: dict[str, bytes]) -> bytes:
    place = index.places[digest]
    data, number = b"", place.frame
    while len(data) < place.offset + place.size:
        frame = index.frames[number]
        packed = files[index.packs[frame.pack].sha256][frame.offset : frame.offset + frame.length]
        assert hashlib.sha256(packed).hexdigest() == frame.digest
        data += zstd.decompress(packed, size=frame.size)
        number += 1
    return data[place.offset : place.offset + place.size]


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Built]:
    folder: Path = tmp_path_factory.mktemp("releases")
    return build(folder / "old", 1), build(folder / "new", 2)


def test_index_has_the_tree_and_a_place_for_every_content(
    releases: tuple[Built, Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_index, "FRAME_BYTES", 10_000)
    old, new = releases
    first = packs.make(old.source)
    second = packs.make(new.source, earlier=[loaded(first, old)])
    files = {hashlib.sha256(data).hexdigest(): data for data in (*first.new, *second.new)}
    index = loaded(second, new)
    wanted = [entry if entry.size else replace(entry, digest="") for entry in outline.canonical(new.source.tree)]
    assert list(index.tree) == wanted
    assert {blob.sha256 for blob in second.packs} <= files.keys()
    for entry in index.tree:
        if entry.digest and entry.size:
            assert content(index, entry.digest, files) == new.source.read(entry.digest)


def test_contents_of_earlier_packs_are_not_packed_again(releases: tuple[Built, Built]) -> None:
    old, new = releases
    first = packs.make(old.source)
    again = packs.make(old.source, earlier=[loaded(first, old)])
    assert (again.new, again.packs) == ((), first.packs)
    second = packs.make(new.source, earlier=[loaded(first, old)])
    assert sum(map(len, second.new)) < sum(map(len, packs.make(new.source).new))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 20), st.integers(0, 255), st.integers(0, 1 << 20))
def test_damaged_index_is_refused_or_harmless(releases: tuple[Built, Built], at: int, value: int, cut: int) -> None:
    old = releases[0]
    data = bytearray((old.system.parent / old.release.index.sha256).read_bytes())
    data[at % len(data)] = value
    try:
        index = loaded(Packed(bytes(data[: len(data) - cut % 3]), (), ()), old)
    except InputError:
        return
    assert all(place.frame < len(index.frames) for place in index.places.values())
