"""The scan of a configured root: whole trees are compared with what was put there."""

import errno
import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

import jeos.build.scan as scanning
from jeos.build.scan import DigestCache, Scanned, scan
from jeos.core.errors import InputError
from jeos.model.tree import Entry, Kind, Tree

TIME = 1_700_000_000
OLD = 1_600_000_000_000_000_000  # well in the past, in nanoseconds


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entry(path: str, kind: Kind, **more: object) -> Entry:
    return Entry(path=path, kind=kind, uid=os.getuid(), gid=os.getgid(), mtime=TIME, **more)  # type: ignore[arg-type]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def put(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    path.write_bytes(data)
    path.chmod(mode)


def test_scan_of_every_ordinary_kind_returns_the_whole_tree(root: Path) -> None:
    (root / "b").mkdir()
    (root / "b").chmod(0o2750)
    put(root / "b" / "tool", b"#!/bin/sh\n", mode=0o4755)
    put(root / "b-c", b"")
    os.symlink("./b//tool", root / "link")  # bytes that a Path would tidy up
    os.mkfifo(root / "pipe")
    (root / "pipe").chmod(0o600)
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(root)  # a socket's address is limited to 108 bytes
        try:
            server.bind("sock")
        finally:
            os.chdir(here)
    (root / "sock").chmod(0o666)
    tool, empty = sha256(b"#!/bin/sh\n"), sha256(b"")

    assert scan(root, time=TIME) == Scanned(
        tree=Tree(
            (
                entry("", Kind.DIRECTORY),
                entry("b", Kind.DIRECTORY, mode=0o2750),
                entry("b/tool", Kind.FILE, mode=0o4755, size=10, digest=tool),
                entry("b-c", Kind.FILE, mode=0o644, size=0, digest=empty),
                entry("link", Kind.SYMLINK, mode=0o777, target="./b//tool"),
                entry("pipe", Kind.FIFO, mode=0o600),
                entry("sock", Kind.SOCKET, mode=0o666),
            )
        ),
        paths={tool: root / "b" / "tool", empty: root / "b-c"},
    )


def test_scan_order_is_the_order_of_trees(root: Path) -> None:
    for name in ("usr", "usr-local", "usr.d", "Z", "é", "\udcff"):
        (root / name).mkdir()
        put(root / name / "a", name.encode("utf-8", "surrogateescape"))
    tree = scan(root, time=TIME).tree
    assert tree == Tree.of(reversed(tree.entries))


def test_scan_of_hard_links_names_the_first_in_tree_order(root: Path) -> None:
    (root / "a").mkdir()
    put(root / "z", b"same inode")
    os.link(root / "z", root / "a" / "second")
    os.link(root / "z", root / "b")
    digest = sha256(b"same inode")
    found = scan(root, time=TIME)
    more = {"mode": 0o644, "size": 10, "digest": digest}
    assert found.tree == Tree(
        (
            entry("", Kind.DIRECTORY),
            entry("a", Kind.DIRECTORY),
            entry("a/second", Kind.FILE, **more),
            entry("b", Kind.FILE, hardlink="a/second", **more),
            entry("z", Kind.FILE, hardlink="a/second", **more),
        )
    )
    assert found.paths == {digest: root / "a" / "second"}
    assert found.tree.size == 10


def test_scan_of_equal_files_gives_the_first_path_of_their_digest(root: Path) -> None:
    put(root / "a", b"x")
    put(root / "b", b"x")
    assert scan(root, time=TIME).paths == {sha256(b"x"): root / "a"}


def test_scan_keeps_the_roots_own_xattrs_and_leaves_out_the_layers(root: Path) -> None:
    put(root / "f", b"")
    try:
        os.setxattr(root / "f", "user.note", b"\x00kept")
        os.setxattr(root / "f", "user.a", b"")
        os.setxattr(root / "f", "user.overlay.origin", b"layer")
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            pytest.skip("the temporary folder's file system has no user xattrs")
        raise
    assert scan(root, time=TIME).tree.by_path()["f"].xattrs == (("user.a", b""), ("user.note", b"\x00kept"))


@pytest.mark.root
def test_scan_of_device_nodes_and_capabilities_as_root(root: Path) -> None:
    os.mknod(root / "null", 0o020666, os.makedev(1, 3))
    os.mknod(root / "disk", 0o060660, os.makedev(259, 70000))
    (root / "null").chmod(0o666)
    put(root / "ping", b"")
    os.chown(root / "ping", 70000, 7)
    capability = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw=ep
    os.setxattr(root / "ping", "security.capability", capability)
    os.setxattr(root / "ping", "trusted.overlay.origin", b"layer")
    os.setxattr(root / "ping", "trusted.own", b"only root would see it")
    found = scan(root, time=TIME).tree.by_path()
    assert found["null"] == Entry(path="null", kind=Kind.CHARACTER, mode=0o666, mtime=TIME, device=(1, 3))
    assert (found["disk"].kind, found["disk"].device) == (Kind.BLOCK, (259, 70000))
    assert (found["ping"].uid, found["ping"].gid) == (70000, 7)
    assert found["ping"].xattrs == (("security.capability", capability),)


def test_scan_of_a_large_file_hashes_all_of_it(root: Path) -> None:
    data = os.urandom(1 << 16) * 40 + b"end"
    put(root / "large", data)
    put(root / "other", b"o")
    assert set(scan(root, time=TIME).paths) == {sha256(data), sha256(b"o")}


def settle(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all files of now look long settled to the cache."""
    now = path.stat().st_ctime_ns + scanning.SETTLED_NS + 1_000_000_000
    monkeypatch.setattr("jeos.build.scan.clock.time_ns", lambda: now)


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read: list[str] = []
    real: Callable[..., str] = scanning._digest

    def counted(one: scanning._Found, *, buffer: memoryview) -> str:
        read.append(one.path)
        return real(one, buffer=buffer)

    monkeypatch.setattr(scanning, "_digest", counted)
    return read


def test_cache_spares_reading_what_did_not_change(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root / "same", b"same")
    put(root / "changes", b"before")
    settle(root / "changes", monkeypatch)
    cache = DigestCache(tmp_path / "digests.json")
    first = scan(root, time=TIME, cache=cache)
    cache.save()
    put(root / "changes", b"behind")
    read = count_reads(monkeypatch)
    second = scan(root, time=TIME, cache=DigestCache(tmp_path / "digests.json"))
    assert read == ["changes"]
    assert set(first.paths) == {sha256(b"same"), sha256(b"before")}
    assert set(second.paths) == {sha256(b"same"), sha256(b"behind")}


def test_cache_does_not_trust_a_file_younger_than_the_clocks_tick(root: Path, tmp_path: Path) -> None:
    put(root / "young", b"y")
    cache = DigestCache(tmp_path / "digests.json")
    scan(root, time=TIME, cache=cache)
    assert cache.find((root / "young").stat()) == ""


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"half', b"\xff"])
def test_cache_that_is_damaged_counts_as_empty(root: Path, tmp_path: Path, content: bytes) -> None:
    put(root / "f", b"f")
    (tmp_path / "digests.json").write_bytes(content)
    assert set(scan(root, time=TIME, cache=DigestCache(tmp_path / "digests.json")).paths) == {sha256(b"f")}


def test_scan_of_a_file_that_grows_meanwhile_fails(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root / "log", b"one")
    real = os.open

    def grow(path: str, flags: int) -> int:
        with open(path, "ab") as file:
            file.write(b"two")
        return real(path, flags)

    monkeypatch.setattr("jeos.build.scan.os.open", grow)
    with pytest.raises(InputError) as caught:
        scan(root, time=TIME)
    assert str(caught.value) == (
        "/log changed from 3 to 6 bytes while it was being read\n"
        "hint: a program that was started during the build still writes there: stop it at the end of the command"
    )
