"""Collection keeps what is listed, leased or fresh, deletes the rest, and a check finds what is wrong."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jeos.core.errors import InputError, StoreError
from jeos.model.index import from_digests
from jeos.store import leases
from jeos.store.base import MissingObjectError, digest_of
from jeos.store.check import Checked, check
from jeos.store.local import LocalStore
from jeos.store.prune import Pruned, prune, upkeep_lock
from jeos.store.roots import Root, delete_root, read_root, roots, write_root
from jeos.store.stats import Stats, stats

LONG = b"a sentence that repeats itself\n" * 500


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store", durable=False)


def age(store: LocalStore, *digests: str, seconds: float = 7200) -> None:
    then = time.time() - seconds
    for found in store.object_files():
        if found.digest in digests:
            os.utime(found.path, (then, then))


def files_of(store: LocalStore) -> list[str]:
    return sorted(str(path.relative_to(store.folder)) for path in store.folder.rglob("*") if path.is_file())


def test_root_round_trip(store: LocalStore) -> None:
    first, second = store.write(b"one"), store.write(b"two")
    index = store.write(from_digests([(first, 1)], size=4096, chunk_length=4096).to_bytes())
    root = write_root(store, kind="release", name="hello_1.2", objects=[second, first, second], indexes=[index])
    assert root == Root("release", "hello_1.2", objects=tuple(sorted([first, second])), indexes=(index,))
    assert read_root(store, kind="release", name="hello_1.2") == root
    assert list(roots(store)) == [root]
    delete_root(store, kind="release", name="hello_1.2")
    delete_root(store, kind="release", name="hello_1.2")
    assert list(roots(store)) == []
    with pytest.raises(StoreError):
        read_root(store, kind="release", name="hello_1.2")


def test_root_needs_its_objects(store: LocalStore) -> None:
    with pytest.raises(MissingObjectError):
        write_root(store, kind="release", name="r", objects=[digest_of(b"absent")])
    with pytest.raises(InputError):
        write_root(store, kind="release", name="r", indexes=[store.write(b"no index")])
    assert list(roots(store)) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", ".x", "x" * 201, "a b", "a\n"])
def test_root_refuses_a_bad_name(store: LocalStore, name: str) -> None:
    with pytest.raises(StoreError):
        write_root(store, kind="release", name=name)
    with pytest.raises(StoreError):
        write_root(store, kind=name, name="fine")


@pytest.mark.parametrize("fault", ["flipped", "cut", "empty", "line added", "kind unknown"])
def test_damaged_root_stops_collection(store: LocalStore, fault: str) -> None:
    digest = store.write(b"precious")
    age(store, digest)
    write_root(store, kind="release", name="r", objects=[digest])
    path = store.folder / "refs/release/r"
    text = path.read_text()
    changed = {
        "flipped": text.replace(digest, ("0" if digest[0] != "0" else "1") + digest[1:]),
        "cut": text[: text.index("end")],
        "empty": "",
        "line added": text + "object " + digest + "\n",
        "kind unknown": text.replace("object", "future"),
    }[fault]
    path.write_text(changed)
    with pytest.raises(StoreError) as caught:
        prune(store, older_than=-1)
    assert caught.value.message == f"the root {path} is damaged"
    assert store.read(digest) == b"precious"


def test_prune_keeps_what_is_listed_or_fresh(store: LocalStore) -> None:
    chunk, listed, old, fresh = (store.write(data) for data in (b"c" * 4096, b"listed", LONG, b"fresh"))
    index = store.write(from_digests([(chunk, 2), (None, 5)], size=7 * 4096, chunk_length=4096).to_bytes())
    write_root(store, kind="release", name="r", objects=[listed], indexes=[index])
    age(store, chunk, listed, old, index)
    before = files_of(store)
    foreseen = prune(store, older_than=3600, dry_run=True)
    assert files_of(store) == [*before, "upkeep.lock"]
    done = prune(store, older_than=3600)
    assert done == foreseen == Pruned(deleted=1, freed=4096, kept=4, partial=0)
    assert sorted(store.digests()) == sorted([chunk, listed, index, fresh])


def test_prune_of_no_store(store: LocalStore) -> None:
    assert prune(store) == Pruned(deleted=0, freed=0, kept=0, partial=0)
    assert not store.folder.exists()


@pytest.mark.parametrize("use", ["has", "read", "write", "add", "path", "stream"])
def test_use_renews_an_object(store: LocalStore, use: str, tmp_path: Path) -> None:
    digest = store.write(LONG)
    age(store, digest)
    (tmp_path / "file").write_bytes(LONG)
    uses: dict[str, Callable[[], object]] = {
        "has": lambda: store.has(digest),
        "read": lambda: store.read(digest),
        "write": lambda: store.write(LONG),
        "add": lambda: store.add(tmp_path / "file"),
        "path": lambda: store.path(digest),
        "stream": lambda: list(store.stream(digest)),
    }
    uses[use]()
    prune(store, older_than=3600)
    assert store.read(digest) == LONG


def test_lease_keeps_what_was_touched_since(store: LocalStore) -> None:
    untouched, touched = store.write(b"untouched"), store.write(b"touched")
    age(store, untouched, touched)
    with store.lease():
        written = store.write(b"written")
        assert store.has(touched)
        assert prune(store, older_than=0).deleted == 1
        assert sorted(store.digests()) == sorted([touched, written])
    assert prune(store, older_than=-1).deleted == 2


def test_lease_of_a_dead_process_does_not_count(store: LocalStore) -> None:
    store.write(b"data")
    process = os.fork()
    if process == 0:
        with store.lease():
            os._exit(0)
    os.waitpid(process, 0)
    assert len(list(store.leases.iterdir())) == 1
    assert prune(store, older_than=-1).deleted == 1
    assert list(store.leases.iterdir()) == []


def test_discard_puts_back_what_was_wanted_meanwhile(store: LocalStore) -> None:
    digest = store.write(b"data")
    (found,) = store.object_files()
    assert store.discard(found, unused_since=0) is None
    assert store.read(digest) == b"data"
    assert store.discard(found, unused_since=1 << 62) == 4096
    assert not store.has(digest)
    assert store.discard(found, unused_since=1 << 62) is None


@pytest.mark.parametrize("who", ["reader", "collection"])
def test_object_that_a_killed_collection_moved_away_comes_back(store: LocalStore, who: str) -> None:
    digest = store.write(b"data")
    (found,) = store.object_files()
    found.path.rename(store.partial / f"doomed-{found.path.name}")
    if who == "reader":
        assert store.read(digest) == b"data"
    else:
        prune(store, older_than=3600)
    assert [kept.path for kept in store.object_files()] == [found.path]
    assert list(store.partial.iterdir()) == []


def test_prune_leaves_a_file_that_is_being_written(store: LocalStore) -> None:
    store.write(b"x")
    descriptor, path = leases.locked_file(store.partial, prefix="new-")
    assert prune(store, older_than=-1).partial == 0
    os.close(descriptor)
    assert prune(store, older_than=-1, dry_run=True).partial == 1
    assert prune(store, older_than=-1).partial == 1
    assert not path.exists()


def test_second_collection_is_refused(store: LocalStore) -> None:
    store.write(b"x")
    with upkeep_lock(store), pytest.raises(StoreError) as caught:
        prune(store)
    assert caught.value.message == f"the store in {store.folder} is being collected or checked by another process"


def test_check_finds_and_moves_what_is_wrong(store: LocalStore) -> None:
    good, packed, plain, gone = (store.write(data) for data in (b"good", LONG, b"plain", b"gone"))
    chunk = store.write(b"c" * 4096)
    index = store.write(from_digests([(chunk, 1)], size=4096, chunk_length=4096).to_bytes())
    write_root(store, kind="release", name="r", objects=[good, gone], indexes=[index])
    assert check(store) == Checked(objects=6, damaged=(), foreign=(), missing=(), moved=False)
    assert check(store).sound

    def path_of(digest: str) -> Path:
        return next(found.path for found in store.object_files() if found.digest == digest)

    for digest in (packed, plain):
        victim = path_of(digest)
        victim.chmod(0o644)
        victim.write_bytes(victim.read_bytes()[:-1])
    path_of(gone).unlink()
    path_of(chunk).unlink()
    shard = path_of(good).parent
    (shard / "notes.txt").write_text("?")
    (store.objects / "README").write_text("?")
    (shard / ("0" * 64)).symlink_to("/etc/passwd")
    damaged = tuple(sorted(str(path_of(digest).relative_to(store.folder)) for digest in (packed, plain)))
    foreign = tuple(sorted(["objects/README", f"objects/{shard.name}/notes.txt", f"objects/{shard.name}/{'0' * 64}"]))
    found = check(store)
    assert (found.objects, found.damaged, sorted(found.foreign)) == (4, damaged, sorted(foreign))
    assert found.missing == tuple(sorted([gone, chunk]))
    assert not found.sound
    assert check(store, repair=True).moved
    assert check(store) == Checked(objects=2, damaged=(), foreign=(), missing=tuple(sorted([gone, chunk])), moved=False)
    assert len(list((store.folder / "damaged").iterdir())) == 5
    assert store.write(LONG) == packed
    assert store.read(packed) == LONG


def test_check_of_a_damaged_index(store: LocalStore) -> None:
    index = store.write(from_digests([(store.write(b"c" * 4096), 1)], size=4096, chunk_length=4096).to_bytes())
    write_root(store, kind="release", name="r", indexes=[index])
    path = store.objects / index[:2] / index
    path.chmod(0o644)
    path.write_bytes(b"")
    found = check(store)
    assert found.damaged == (f"objects/{index[:2]}/{index}",)
    with pytest.raises(StoreError):
        prune(store, older_than=-1)


def test_stats(store: LocalStore) -> None:
    assert stats(store) == Stats(objects=0, packed=0, disk_bytes=0, content_bytes=0, roots={})
    digests = [store.write(LONG), store.write(b"plain")]
    for kind, name in (("release", "a"), ("release", "b"), ("snapshot", "c")):
        write_root(store, kind=kind, name=name, objects=digests)
    assert stats(store) == Stats(
        objects=2, packed=1, disk_bytes=8192, content_bytes=len(LONG) + 5, roots={"release": 2, "snapshot": 1}
    )


def test_store_of_another_format_is_refused(store: LocalStore) -> None:
    store.write(b"x")
    (store.folder / "format").write_text("jeos store 2\n")
    with pytest.raises(StoreError) as caught:
        LocalStore(store.folder)
    assert caught.value.message == f"the store in {store.folder} has the format 'jeos store 2', not 'jeos store 1'"
