"""Killed writers, collection beside writers, full disks: nothing half-written is seen, nothing needed is lost."""

import hashlib
import io
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeos.core import files
from jeos.core.errors import HostError
from jeos.store.base import MissingObjectError
from jeos.store.check import check
from jeos.store.local import LocalStore
from jeos.store.prune import prune
from jeos.store.roots import read_root, roots, write_root

DEADLINE = 60.0  # seconds that helper processes may take
fork = multiprocessing.get_context("fork")


def content(number: int) -> bytes:
    """Return one of a set of contents that several processes write, some packed and some not."""
    generator = random.Random(number)
    return generator.randbytes(3000) * (1 + number % 3) + (b"the same again " * (number % 5) * 200)


def write_for_ever(folder: Path, seed: int) -> None:
    store = LocalStore(folder, durable=False)
    numbers = random.Random(seed)
    while True:
        data = content(numbers.randrange(2000))
        if numbers.randrange(4):
            store.write(data)
        else:
            store.add(io.BytesIO(data * 20))


def test_killed_writers_leave_nothing_half_written(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store", durable=False)
    moments = random.Random(7)
    for seed in range(12):
        writer = fork.Process(target=write_for_ever, args=(store.folder, seed))
        writer.start()
        before = len(list(store.digests()))
        deadline = time.monotonic() + DEADLINE
        while len(list(store.digests())) < before + 3 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(moments.random() / 100)  # not to wait for anything: to kill at another moment each time
        writer.kill()
        writer.join()
        assert check(store).sound
    assert prune(store, older_than=3600).deleted == 0
    assert list(store.partial.iterdir()) == []
    assert check(store).sound


def write_with_roots(folder: Path, worker: int, rounds: int) -> None:
    """Write and name sets of objects that other workers write too; a worker has two names and reuses them."""
    store = LocalStore(folder, durable=False)
    numbers = random.Random(worker)
    for turn in range(rounds):
        with store.lease():
            digests = [store.write(content(numbers.randrange(60))) for _ in range(10)]
            for digest in digests:
                store.read(digest)
            write_root(store, kind="test", name=f"{worker}-{turn % 2}", objects=digests)


def collect_for_ever(folder: Path, counter: Path) -> None:
    store = LocalStore(folder)
    collections = deleted = 0
    while True:
        deleted += prune(store, older_than=0).deleted
        collections += 1
        files.write(counter, f"{collections} {deleted}", durable=False)


def test_collection_beside_writers_loses_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store", durable=False)
    store.write(b"so that there is something to collect")
    collector = fork.Process(target=collect_for_ever, args=(store.folder, tmp_path / "counter"))
    writers = [fork.Process(target=write_with_roots, args=(store.folder, worker, 40)) for worker in range(3)]
    for process in (*writers, collector):
        process.start()
    for process in writers:
        process.join(DEADLINE)
    collector.kill()
    collector.join()
    assert [process.exitcode for process in writers] == [0, 0, 0]
    collections, deleted = (int(word) for word in (tmp_path / "counter").read_text().split())
    assert collections > 1
    assert deleted > 10, "the collector must have had something to do for this to say anything"
    assert len(list(roots(store))) == 6
    for root in roots(store):
        for digest in root.objects:
            assert hashlib.sha256(store.read(digest)).hexdigest() == digest
    prune(store, older_than=-1)
    assert set(store.digests()) == {digest for root in roots(store) for digest in root.objects}
    assert check(store).sound


def test_object_deleted_while_it_is_streamed_is_read_to_its_end(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    data = random.Random(1).randbytes(3 << 20)
    digest = store.add(io.BytesIO(data))
    pieces = store.stream(digest)
    first = next(pieces)
    store.delete(digest)
    assert first + b"".join(pieces) == data
    with pytest.raises(MissingObjectError):
        store.read(digest)


class FailingStream(io.RawIOBase):
    """A download that breaks off."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        raise ConnectionResetError("the peer hung up")


def test_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    with pytest.raises(ConnectionResetError):
        store.add(FailingStream())  # type: ignore[arg-type]
    assert list(store.partial.iterdir()) == []


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file of this process grow beyond 100,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_write_that_the_system_cuts_short_leaves_nothing(tmp_path: Path, small_files: None) -> None:
    store = LocalStore(tmp_path / "store")
    small = store.write(b"small")
    data = random.Random(3).randbytes(300_000)
    with pytest.raises(OSError, match="File too large"):
        store.write(data)
    with pytest.raises(OSError, match="File too large"):
        store.add(io.BytesIO(data))
    assert list(store.digests()) == [small]
    assert list(store.partial.iterdir()) == []


FULL_DISK = """
import random, sys
from pathlib import Path
from jeos.core import files
from jeos.core.errors import HostError
from jeos.store.local import LocalStore
store = LocalStore(Path(sys.argv[1]) / "store")
try:
    for number in range(1000):
        store.write(random.Random(number).randbytes(100_000))
except HostError as error:
    print(error)
"""


@pytest.mark.root
def test_full_disk_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    script = 'mount -t tmpfs -o size=4m none "$1" && "$2" -c "$3" "$1" && cp -r "$1/store" "$1/../copy"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", folder, sys.executable, FULL_DISK],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.startswith("no room left on the disk that holds ")
    assert "hint: free some room" in done.stdout
    store = LocalStore(tmp_path / "copy")
    assert len(list(store.digests())) > 20
    assert list(store.partial.iterdir()) == []
    assert check(store).sound


def test_full_disk_error_is_the_hosts(tmp_path: Path) -> None:
    """Without root: /dev/full stands in for the file that is written."""
    store = LocalStore(tmp_path / "store", durable=False)
    store.write(b"first")

    class Full(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            with open("/dev/full", "wb", buffering=0) as full:
                full.write(b"x")
            return b""

    with pytest.raises(HostError) as caught:
        store.add(Full())
    assert caught.value.exit_code == 4
    assert list(store.partial.iterdir()) == []


def test_root_is_replaced_as_a_whole(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    digests = [store.write(content(number)) for number in range(50)]

    def rewrite() -> None:
        turn = 0
        while True:
            turn += 1
            write_root(store, kind="test", name="r", objects=digests[: 1 + turn % 50])

    write_root(store, kind="test", name="r", objects=digests)
    writer = fork.Process(target=rewrite)
    writer.start()
    sizes = {len(read_root(store, kind="test", name="r").objects) for _ in range(2000)}
    writer.kill()
    writer.join()
    assert len(sizes) > 1
