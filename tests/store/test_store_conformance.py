"""What every store must do, run over every implementation and wrapper. A new backend adds one entry to MAKERS."""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jeos.core.errors import StoreError, TrustError
from jeos.store import base
from jeos.store.base import DamagedObjectError, Deletes, HasPaths, MissingObjectError, Store, Streams
from jeos.store.codec import Form
from jeos.store.layers import CachedStore, ChainStore, ReadOnlyStore
from jeos.store.local import LocalStore
from jeos.store.memory import MemoryStore


@dataclass(frozen=True)
class Subject:
    """A store under test, and where its objects really are."""

    store: Store
    behind: LocalStore | MemoryStore


def make_memory(folder: Path) -> Subject:
    store = MemoryStore()
    return Subject(store, store)


def make_local(folder: Path) -> Subject:
    store = LocalStore(folder / "store")
    return Subject(store, store)


def make_local_fast(folder: Path) -> Subject:
    store = LocalStore(folder / "store", durable=False)
    return Subject(store, store)


def make_cached(folder: Path) -> Subject:
    source = LocalStore(folder / "store", durable=False)
    return Subject(CachedStore(source, cache=MemoryStore()), source)


def make_chain(folder: Path) -> Subject:
    first = LocalStore(folder / "store", durable=False)
    return Subject(ChainStore(first, MemoryStore()), first)


MAKERS: list[Callable[[Path], Subject]] = [make_memory, make_local, make_local_fast, make_cached, make_chain]
STREAMING = [make_memory, make_local, make_local_fast]

COMPRESSIBLE = b"the same words again and again\n" * 3000
RANDOM = hashlib.shake_256(b"seed").digest(100_000)
CONTENTS = {
    "empty": b"",
    "tiny": b"x",
    "compressible": COMPRESSIBLE,
    "random": RANDOM,
    "zstd-magic": b"\x28\xb5\x2f\xfd" + RANDOM[:2000],
}


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def damage(subject: Subject, digest: str, change: Callable[[bytes], bytes]) -> None:
    if isinstance(subject.behind, MemoryStore):
        subject.behind.objects[digest] = change(subject.behind.objects[digest])
        return
    for found in list(subject.behind.object_files()):
        if found.digest == digest:
            found.path.chmod(0o644)
            found.path.write_bytes(change(found.path.read_bytes()))


@pytest.fixture(params=MAKERS, ids=lambda maker: maker.__name__)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    made: Subject = request.param(tmp_path)
    yield made


@pytest.mark.parametrize("data", CONTENTS.values(), ids=CONTENTS)
def test_write_then_read(subject: Subject, data: bytes) -> None:
    digest = subject.store.write(data)
    assert digest == name_of(data)
    assert subject.store.has(digest)
    assert subject.store.read(digest) == data
    assert list(subject.store.digests()) == [digest]


def test_write_twice_keeps_one(subject: Subject) -> None:
    assert subject.store.write(RANDOM) == subject.store.write(RANDOM)
    assert list(subject.store.digests()) == [name_of(RANDOM)]


def test_read_absent(subject: Subject) -> None:
    digest = name_of(b"absent")
    assert not subject.store.has(digest)
    with pytest.raises(MissingObjectError) as caught:
        subject.store.read(digest)
    assert caught.value.digest == digest
    assert list(subject.store.digests()) == []


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n", "é" * 64])
def test_name_that_is_no_digest(subject: Subject, digest: str) -> None:
    with pytest.raises(StoreError):
        subject.store.has(digest)
    with pytest.raises(StoreError):
        subject.store.read(digest)


@pytest.mark.parametrize("data", [COMPRESSIBLE, RANDOM], ids=["packed", "plain"])
@pytest.mark.parametrize("position", [0, 5, 11, -1])
def test_read_flipped_bit(subject: Subject, data: bytes, position: int) -> None:
    digest = subject.store.write(data)

    def flip(stored: bytes) -> bytes:
        changed = bytearray(stored)
        changed[position] ^= 0x10
        return bytes(changed)

    damage(subject, digest, flip)
    with pytest.raises(DamagedObjectError) as caught:
        subject.store.read(digest)
    assert caught.value.digest == digest


@pytest.mark.parametrize("data", [COMPRESSIBLE, RANDOM], ids=["packed", "plain"])
@pytest.mark.parametrize("length", [0, 1, 17, -1])
def test_read_truncated(subject: Subject, data: bytes, length: int) -> None:
    digest = subject.store.write(data)
    damage(subject, digest, lambda stored: stored[:length])
    with pytest.raises(DamagedObjectError):
        subject.store.read(digest)


@pytest.mark.parametrize("data", [COMPRESSIBLE, RANDOM], ids=["packed", "plain"])
def test_read_with_bytes_added(subject: Subject, data: bytes) -> None:
    digest = subject.store.write(data)
    damage(subject, digest, lambda stored: stored + b"\0")
    with pytest.raises(DamagedObjectError):
        subject.store.read(digest)


def test_read_beyond_the_limit(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = subject.store.write(COMPRESSIBLE)
    for module in ("local", "memory", "object_file"):
        monkeypatch.setattr(f"jeos.store.{module}.READ_LIMIT", len(COMPRESSIBLE) - 1)
    with pytest.raises(StoreError):
        subject.store.read(digest)


def test_digests_of_many(subject: Subject) -> None:
    written = {subject.store.write(f"object {number}".encode()) for number in range(300)}
    assert sorted(subject.store.digests()) == sorted(written)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(st.binary(max_size=2000) | st.builds(lambda b, n: b * n, st.binary(max_size=9), st.just(999))))
def test_store_is_a_set_of_contents(subject: Subject, contents: list[bytes]) -> None:
    digests = [subject.store.write(data) for data in contents]
    assert [subject.store.read(digest) for digest in digests] == contents
    assert set(digests) <= set(subject.store.digests())


def streams(subject: Subject) -> Streams:
    assert isinstance(subject.store, LocalStore | MemoryStore)
    return subject.store


@pytest.mark.parametrize("maker", STREAMING)
@pytest.mark.parametrize("data", CONTENTS.values(), ids=CONTENTS)
def test_add_and_stream(maker: Callable[[Path], Subject], tmp_path: Path, data: bytes) -> None:
    store = streams(maker(tmp_path))
    source = tmp_path / "source"
    source.write_bytes(data)
    assert store.add(io.BytesIO(data)) == name_of(data)
    assert store.add(source, expected=name_of(data)) == name_of(data)
    assert b"".join(store.stream(name_of(data))) == data
    assert store.read(name_of(data)) == data
    assert list(store.digests()) == [name_of(data)]


@pytest.mark.parametrize("maker", STREAMING)
def test_add_of_something_else_than_expected(maker: Callable[[Path], Subject], tmp_path: Path) -> None:
    store = streams(maker(tmp_path))
    with pytest.raises(TrustError) as caught:
        store.add(io.BytesIO(b"evil"), expected=name_of(b"good"))
    assert (
        caught.value.message == f"the content has the SHA-256 {name_of(b'evil')}, but {name_of(b'good')} was promised"
    )
    assert list(store.digests()) == []


@pytest.mark.parametrize("maker", STREAMING)
def test_stream_of_a_damaged_object(maker: Callable[[Path], Subject], tmp_path: Path) -> None:
    subject = maker(tmp_path)
    store = streams(subject)
    digest = store.add(io.BytesIO(RANDOM))
    damage(subject, digest, lambda stored: stored[:-1] + b"?")
    with pytest.raises(DamagedObjectError):
        list(store.stream(digest))


@pytest.mark.parametrize("maker", STREAMING)
def test_delete(maker: Callable[[Path], Subject], tmp_path: Path) -> None:
    store: Deletes = maker(tmp_path).behind
    digest = store.write(COMPRESSIBLE)
    store.delete(digest)
    store.delete(digest)
    assert not store.has(digest)
    assert list(store.digests()) == []


def test_path_is_a_plain_read_only_file(tmp_path: Path) -> None:
    store: HasPaths = LocalStore(tmp_path / "store")
    digest = store.write(COMPRESSIBLE)
    assert [found.form for found in LocalStore(tmp_path / "store").object_files()] == [Form.ZSTD]
    path = store.path(digest)
    assert path.read_bytes() == COMPRESSIBLE
    assert path.stat().st_mode & 0o777 == 0o444
    assert [found.path for found in LocalStore(tmp_path / "store").object_files()] == [path]


def test_read_only_store_reads_and_refuses(tmp_path: Path) -> None:
    inner = MemoryStore()
    digest = inner.write(b"data")
    store: Store = ReadOnlyStore(inner)
    assert (store.has(digest), store.read(digest), list(store.digests())) == (True, b"data", [digest])
    with pytest.raises(StoreError):
        store.write(b"more")
    assert list(inner.digests()) == [digest]


def test_cached_store_reads_from_its_cache_and_replaces_what_is_damaged() -> None:
    source, cache = MemoryStore(), MemoryStore()
    store = CachedStore(source, cache=cache)
    digest = store.write(b"data")
    assert cache.objects == {}
    assert store.read(digest) == b"data"
    source.objects[digest] = b"changed"
    assert store.read(digest) == b"data"
    source.objects[digest] = b"data"
    cache.objects[digest] = b"changed"
    assert store.read(digest) == b"data"
    assert cache.objects == {digest: b"data"}


def test_chain_store_asks_the_next_for_what_is_missing_or_damaged() -> None:
    first, second = MemoryStore(), MemoryStore()
    store = ChainStore(first, second)
    digest = second.write(b"data")
    assert store.has(digest)
    assert store.read(digest) == b"data"
    first.objects[digest] = b"changed"
    assert store.read(digest) == b"data"
    second.delete(digest)
    with pytest.raises(DamagedObjectError):
        store.read(digest)
    assert list(store.digests()) == [digest]


def test_object_name_is_sharded() -> None:
    assert base.object_name("ab" + "0" * 62) == "ab/ab" + "0" * 62
