import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jeos.channel import delta
from jeos.core.errors import JeosError
from jeos.disk import zstd_library as zstd
from jeos.model import container, numbers
from jeos.model.release import Blob
from jeos.update.errors import RebuildError
from jeos.update.rebuild import rebuild
from release_pairs import Built, build


@dataclass(frozen=True)
class Pair:
    """Two releases, and the patch between them."""

    old: Built
    new: Built
    patch: bytes


@dataclass
class Machine:
    """Where a test's guest writes, and what it fetched."""

    folder: Path
    pair: Pair
    fetched: list[tuple[Blob, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        made = self.pair.new.release.system
        for name, size in (("system", made.size), ("hashes", made.hashes_size)):
            path = self.folder / name
            path.write_bytes(random.Random(name).randbytes(size + 8192))  # a slot is larger, and something is in it

    def fetch(self, blob: Blob, offset: int, length: int) -> bytes:
        self.fetched.append((blob, offset, length))
        with (self.pair.new.system.parent / blob.sha256).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def run(self, patch: bytes | None, *, fetch: Callable[[Blob, int, int], bytes] | None = None) -> str:
        path = self.folder / "patch"
        if patch is not None:
            path.write_bytes(patch)
        return rebuild(
            self.pair.new.release,
            active=str(self.pair.old.system),
            kernel=str(self.pair.old.source.kernel),
            patch=None if patch is None else str(path),
            fetch=fetch or self.fetch,
            system=str(self.folder / "system"),
            hashes=str(self.folder / "hashes"),
            kernel_out=str(self.folder / "kernel.efi"),
            work=str(self.folder / "work"),
        )

    def is_new(self) -> bool:
        new = self.pair.new
        made = new.release.system
        return (
            (self.folder / "system").read_bytes()[: made.size] == new.system.read_bytes()
            and (self.folder / "hashes").read_bytes()[: made.hashes_size] == new.hashes.read_bytes()
            and (self.folder / "kernel.efi").read_bytes() == new.source.kernel.read_bytes()
        )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    old, new = build(folder / "old", 1), build(folder / "new", 2)
    return Pair(old, new, delta.make_patch(old.source, new.source))


@pytest.fixture
def machine(pair: Pair, tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine", pair)


def test_rebuild_by_patch_fetches_nothing(machine: Machine) -> None:
    assert machine.run(machine.pair.patch) == ""
    assert machine.is_new()
    assert machine.fetched == []


def test_patch_is_a_fraction_of_what_changed(pair: Pair) -> None:
    changed = 60_000  # of random bytes: the one program that has no predecessor
    assert len(pair.patch) < changed + 40_000  # for 200 kB of programs, a kernel and an initial file system


def test_rebuild_without_a_patch_fetches_what_the_slot_lacks(machine: Machine) -> None:
    assert machine.run(None) == ""
    assert machine.is_new()
    packs = {blob.sha256 for blob in machine.pair.new.release.packs}
    assert (
        sum(length for blob, _, length in machine.fetched if blob.sha256 in packs)
        < machine.pair.new.system.stat().st_size
    )


def test_rebuild_begun_again_fetches_only_what_is_missing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jeos.update.kernel_image.PIECE_BYTES", 1 << 14)

    def cut(blob: Blob, offset: int, length: int) -> bytes:
        if blob == machine.pair.new.release.kernel and offset >= 1 << 15:
            raise JeosError("the line is cut")
        return machine.fetch(blob, offset, length)

    with pytest.raises(JeosError, match="cut"):
        machine.run(None, fetch=cut)
    machine.fetched.clear()
    assert machine.run(None) == ""
    assert machine.is_new()
    kernel = [(offset, length) for blob, offset, length in machine.fetched if blob == machine.pair.new.release.kernel]
    assert [offset for offset, _ in kernel][:1] == [1 << 15]
    packs = {blob.sha256 for blob in machine.pair.new.release.packs}
    assert not [blob for blob, _, _ in machine.fetched if blob.sha256 in packs]


@pytest.mark.parametrize("name", ["kernel.efi.partial", "kernel.efi.{digest}.partial"])
def test_what_another_release_left_of_a_kernel_is_not_gone_on_with(machine: Machine, name: str) -> None:
    wanted = machine.pair.new.release.kernel
    machine.folder.mkdir(exist_ok=True)
    left = machine.folder / name.format(digest=wanted.sha256[:16])
    left.write_bytes(b"x" * (wanted.length - 1))  # or blocks that a power cut kept from the disk
    assert machine.run(None) == ""
    assert machine.is_new()
    assert not list(machine.folder.glob("*.partial"))


def test_rebuild_with_a_patch_of_other_releases_falls_back(machine: Machine) -> None:
    wrong = delta.make_patch(machine.pair.new.source, machine.pair.old.source)
    assert machine.run(wrong) != ""
    assert machine.is_new()


def test_rebuild_with_a_damaged_kernel_part_keeps_the_slot(machine: Machine) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("jeos.disk.lz4_library.LEVEL", 3)  # a library that packs otherwise
        assert "kernel image" in machine.run(machine.pair.patch)
    assert machine.is_new()
    assert {blob for blob, _, _ in machine.fetched} == {machine.pair.new.release.kernel}


def test_rebuild_refuses_what_the_channel_altered(machine: Machine) -> None:
    def altered(blob: Blob, offset: int, length: int) -> bytes:
        return machine.fetch(blob, offset, length)[:-1] + b"!"

    with pytest.raises(JeosError):
        machine.run(None, fetch=altered)


def test_rebuild_refuses_another_root_hash(pair: Pair, tmp_path: Path) -> None:
    other = replace(pair.new, release=replace(pair.new.release, root_hash="00" * 32))
    machine = Machine(tmp_path / "machine", Pair(pair.old, other, pair.patch))
    with pytest.raises(RebuildError, match="root hash"):
        machine.run(pair.patch)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 1 << 20),
)
def test_rebuild_with_a_damaged_patch_ends_well(machine: Machine, changes: list[tuple[int, int]], cut: int) -> None:
    patch = bytearray(machine.pair.patch)
    for at, value in changes:
        patch[at % len(patch)] = value
    machine.run(bytes(patch[: cut % (2 * len(patch)) + 1]))
    assert machine.is_new()


def opened(patch: bytes) -> tuple[dict[str, Any], list[tuple[bytes, int]]]:
    """Return the head of a patch, and its streams unpacked as far as they are packed alone."""
    found = container.load(
        container.PATCH,
        length=len(patch),
        read=lambda offset, length: patch[offset : offset + length],
        unpack=lambda packed, size: zstd.decompress(packed, size=size),
    )
    head = {key: value for key, value in found.head.items() if key != "streams"}
    return head, [(patch[one.offset : one.offset + one.length], one.size) for one in found.streams]


def places_in(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value in a head."""
    if isinstance(value, dict):
        return [place for key, item in value.items() for place in ((*path, key), *places_in(item, (*path, key)))]
    if isinstance(value, list):
        return [place for at, item in enumerate(value) for place in ((*path, at), *places_in(item, (*path, at)))]
    return []


JUNK: st.SearchStrategy[object] = st.sampled_from(
    [-1, 0, 1, 7, 1 << 40, 1 << 70, None, True, "", "old", "raw", "batch", [], {}, [[]], [1, 2], 0.5]
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 20), JUNK)
def test_rebuild_with_a_strange_head_ends_well(machine: Machine, which: int, junk: object) -> None:
    head, streams = opened(machine.pair.patch)
    places = places_in(head)
    *path, last = places[which % len(places)]
    place: Any = head
    for part in path:
        place = place[part]
    place[last] = junk
    machine.run(container.dump(container.PATCH, head=head, streams=streams, pack=zstd.compress))
    assert machine.is_new()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 20), st.lists(st.integers(0, 300) | st.integers(0, (1 << 62)), max_size=400))
def test_rebuild_with_strange_numbers_ends_well(machine: Machine, which: int, values: list[int]) -> None:
    head, streams = opened(machine.pair.patch)
    data = numbers.pack(values)
    streams[which % len(streams)] = (zstd.compress(data), len(data))
    machine.run(container.dump(container.PATCH, head=head, streams=streams, pack=zstd.compress))
    assert machine.is_new()
